/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where our connections come from: sockets, and the source ports they get.
 *
 * All numbers are in host byte order. Nothing in here sends but source_connect().
 */
#ifndef SB_PROBE_SOURCE_H
#define SB_PROBE_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/plan.h"

struct port_range {
	uint16_t low, high; /* both included */
};

/* What connect() chooses from, in this network namespace: net.ipv4.ip_local_port_range. */
struct port_range source_ephemeral(void);

/* Where the ports of raw probes come from: outside of `ephemeral`, unless that leaves no room. */
struct port_range source_for_traces(struct port_range ephemeral);

static inline unsigned port_range_width(struct port_range r)
{
	return r.high - r.low + 1u;
}

static inline bool port_range_has(struct port_range r, uint16_t port)
{
	return port >= r.low && port <= r.high;
}

/* A non-blocking TCP socket with -i applied. */
int source_socket(const struct plan *plan, struct err *e);

/* Binds to -s and `port`, 0: one that nobody else uses at all. Writes the port. 0 or an errno. */
int source_bind(int fd, const struct plan *plan, uint16_t port, uint16_t *got);

/* As connect(), for a socket that is not bound: it leaves from `port`, which may serve connections
 * to other destinations; 0: the kernel chooses. Writes the port, 0 when it got none. 0 or an errno;
 * after EADDRNOTAVAIL the socket can be used again, and ENOPROTOOPT is a kernel that can't be told
 * the port (before 6.3). */
int source_connect(int fd, const struct plan *plan, uint16_t to, uint16_t port, uint16_t *got);

#endif
