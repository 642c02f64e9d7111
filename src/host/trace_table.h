/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Private to host/trace*.c: the tables by which netfilter traces the watch's
 * packets, and that say how far one came. They go with the socket that made
 * them.
 */
#ifndef SB_HOST_TRACE_TABLE_H
#define SB_HOST_TRACE_TABLE_H

#include <netlink/netlink.h>

#include "base/err.h"
#include "host/watch.h"

#define TRACE_DEVICES_MAX 16 /* with hooks of their own; others are seen from prerouting on */

/* How much of netdev the kernel has. */
enum netdev_use { NETDEV_BOTH, NETDEV_INGRESS, NETDEV_NONE };

struct trace_table {
	const struct host_watch *watch;
	struct nl_sock *owner; /* also for questions, each to its answer's end; NULL: closed */
	uint32_t seq;          /* of the last message to it */
	char name[48];
	enum netdev_use netdev;
	unsigned n_devices;
	char devices[TRACE_DEVICES_MAX][IFNAMSIZ];
};

/* The socket alone. Borrows w until the close, which is fine with a zeroed t, too. */
int trace_table_open(struct trace_table *t, const struct host_watch *w, struct err *e);
/* With as many hooks as this kernel has; packets are traced from here on. */
int trace_table_make(struct trace_table *t, struct err *e);
void trace_table_close(struct trace_table *t);

/* libnl's error rc as ERR_RUN; -1. */
int trace_table_failed(struct err *e, const char *what, int rc);

/* Which of ours is that chain? WAY_NONE: none. */
enum waypoint trace_table_way(const struct trace_table *t, uint8_t family, const char *table,
			      const char *chain);

/* Does a packet that leaves by this interface come by our egress hooks? */
bool trace_table_has_egress(const struct trace_table *t, uint32_t ifindex);

#endif
