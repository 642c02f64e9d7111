/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside host/: one entry of the kernel's connection tracking. */
#ifndef SB_HOST_CONNTRACK_H
#define SB_HOST_CONNTRACK_H

#include "base/err.h"
#include "host/watch.h"

/* Is connection tracking in the kernel, for this namespace? Asks without loading it. */
bool conntrack_present(void);

struct conntrack_flow {
	struct addr src, dst;
	uint16_t sport, dport;
};

/* The entry whose packets began as w->local:lport -> w->remote:rport, from any source address when
 * w->local is not known. *reply: from where, and to where, its answers go. 1: found, the translated
 * one where there are several (zones). 0: none. -1: *e says why it can't be asked for. */
int conntrack_find(const struct host_watch *w, uint16_t lport, uint16_t rport,
		   struct conntrack_flow *reply, struct err *e);

#endif
