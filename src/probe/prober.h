/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Connection attempts and what is said on them, all at once and non-blocking.
 *
 * Every attempt is a flow. Its source port is bound, and so known to the
 * capture's filter, before its SYN leaves. What happens becomes an event in
 * the log; nothing in here judges. Main thread only.
 */
#ifndef SB_PROBE_PROBER_H
#define SB_PROBE_PROBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/event.h"
#include "model/plan.h"
#include "probe/ports.h"

struct prober; /* opaque */

/* What the probers of one process share: OpenSSL's state, the sockets that are waited for, and,
 * where many run at once, who has which source port. */
struct prober_share; /* opaque */

/* ca_file: trust anchors in PEM instead of the system's, or NULL; borrowed. */
int prober_share_new(struct prober_share **out, const char *ca_file, struct err *e);
void prober_share_free(struct prober_share *s); /* after all probers; NULL is fine */

/* From now on every prober takes its ports from these; borrowed. What a connection takes is its
 * owner's until prober_free(). */
void prober_share_ports(struct prober_share *s, struct ports *connections, struct ports *traces);

/* Makes OpenSSL ready, which takes it some 20 ms of its own: for a thread beside the opening of the
 * tap, which mostly waits. */
void prober_share_warm_up(struct prober_share *s);

/* For an outer epoll: readable when prober_share_dispatch() has something to do. */
int prober_share_fd(const struct prober_share *s);

/* Handles what is ready, and returns; never blocks. touched: called with the owner of each prober
 * that something happened to; it must not free one. */
void prober_share_dispatch(struct prober_share *s, void (*touched)(void *owner));

/* One session reads no more than this, whatever the server sends. */
#define SESSION_BYTES_MAX (256 * 1024)

/* All borrowed. owner: whose ports and sockets these are, for prober_share_dispatch(). */
int prober_new(struct prober **out, struct prober_share *share, const struct plan *plan,
	       struct event_log *log, void *owner, struct err *e);
void prober_free(struct prober *p); /* closes every socket; NULL is fine */

/* Finds n source ports (-i and -s applied) and writes them to ports[n]; binds sockets to most of
 * them, but where few are free only to as many as the plan has ports, and a port that nobody else
 * uses may not be had at all. A number can come twice. ERR_USAGE when the source address is not
 * this host's. */
int prober_reserve(struct prober *p, size_t n, uint16_t *ports, struct err *e);

/* Takes up to n numbers out of the share's for the next attempts; returns how many. */
size_t prober_reserve_shared(struct prober *p, size_t n, uint16_t *ports);

/* One number for the raw probes of all ports, out of the share's; ports[n_ports] gets it, or zeros. */
void prober_hold_shared(struct prober *p, uint16_t *ports);

/* Binds one more socket for each plan port and never connects it: the source port of that port's
 * raw probes. It is none that connect() chooses on this host, for routers remember a raw SYN for
 * minutes (source.c). While it is held nobody else uses it, and the kernel itself resets what a
 * SYN-ACK would begin. Writes n_ports numbers, 0 where there was none: no raw probes then. */
int prober_hold(struct prober *p, uint16_t *ports, struct err *e);

/* Sends a SYN to the plan's port. Uses a reserved port, or another one when they are used up; where
 * none is free for us alone, one that serves other destinations, as connect() would. What fails is
 * an event: EV_CONNECT with EADDRNOTAVAIL after an EV_FLOW_START with lport 0 is a host without a
 * port left for this destination (a repeat is left out instead). */
void prober_start(struct prober *p, unsigned port_index, enum flow_role role);

/* FLOW_HELD: one more connection, on which what is said at `stage` leaves this host with a TTL of 1. */
void prober_start_held(struct prober *p, unsigned port_index, enum session_stage stage);

/* FLOW_SMALL: one more connection, whose SYN asks for segments of `mss` bytes. Nothing is said twice on
 * it that has effects: no login, no mail. */
void prober_start_small(struct prober *p, unsigned port_index, uint16_t mss);

/* No socket waits for anything: whatever was started has an end. */
bool prober_is_idle(const struct prober *p);

/* What was written on a flow's connection, from its byte `from` (0: the first) on; returns how much,
 * 0 where that is not known any more. */
size_t prober_sent(const struct prober *p, uint16_t flow, uint32_t from, uint8_t *out, size_t size);

/* Ends everything: a dialogue still under way becomes EV_SESSION_END with SESSION_STALLED. */
void prober_finish(struct prober *p);

#endif
