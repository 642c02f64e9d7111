/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Inside host/: counters and settings of the kernel that explain a drop, IPsec
 * policies, conntrack's view of a connection, owners of local sockets.
 */
#ifndef SB_HOST_SETTINGS_H
#define SB_HOST_SETTINGS_H

#include "host/watch.h"

struct counters; /* one reading; opaque */

struct counters *counters_read(void); /* never NULL; what can't be read is missing in it */
void counters_free(struct counters *c);

/* HOST_COUNTER for those that moved from a to b, of the few that bear on connections. */
void counters_compare(const struct counters *a, const struct counters *b, host_emit *emit,
		      void *arg);

/* HOST_SETTING: rp_filter in force (v4: the larger of "all" and the interface's) on every interface
 * that is up, conntrack's count and maximum, the range of ephemeral ports, ... */
void settings_emit(const struct host_watch *w, host_emit *emit, void *arg);

/* HOST_SETTING "firewall.ufw": ufw is on. It sets policies, too, which don't bear its name. */
void managers_emit(host_emit *emit, void *arg);

/* HOST_XFRM for policies that match the watch's packets. */
void xfrm_emit(const struct host_watch *w, host_emit *emit, void *arg);

/* HOST_TRANSLATION for the connection lport -> w->remote:rport, when conntrack has one that is
 * translated; HOST_OWNER for the local socket to which it went. */
void translation_emit(const struct host_watch *w, uint16_t lport, uint16_t rport, host_emit *emit,
		      void *arg);

#endif
