/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Frames in, connections out. Pure: no I/O, no clock (time is the packets'
 * own), one pass, nothing of a frame is kept but what the record needs.
 *
 * Memory is bounded by `max_memory`: when it is used up, connections that have
 * ended are handed over without waiting for stragglers, then the one that has
 * been idle for the longest time, as CONN_EVICTED. The table's hash is keyed by
 * `seed`. No work grows with the number of packets or connections seen.
 */
#ifndef SB_CONN_ENGINE_H
#define SB_CONN_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "conn/conn.h"
#include "model/frame.h"
#include "wire/peek.h"

/* How long of the capture's own time a connection may be silent before it is taken for over: longer
 * than the longest pause between two SYNs of Linux (64 s), and than the 10 minutes that RFC 5321
 * 4.5.3.2.6 lets a server take over the end of a message. */
#define CONN_IDLE_SYN_NS (130 * NS_PER_S)
#define CONN_IDLE_NS     (660 * NS_PER_S)
/* Stragglers after a reset or the last FIN still belong to it: a forged RST is told by the genuine
 * packets that follow. */
#define CONN_LINGER_NS (3 * NS_PER_S)

#define CONN_PORTS_MAX      32
#define CONN_MEMORY_DEFAULT ((size_t)40 << 20)

struct engine_options {
	uint16_t ports[CONN_PORTS_MAX]; /* a connection to one of them is judged; none: 25, 465, 587 */
	unsigned n_ports;
	bool any_port;     /* also those on other ports that look like SMTP by greeting or EHLO */
	size_t max_memory; /* bytes; 0: CONN_MEMORY_DEFAULT */
	uint64_t seed[2];  /* of the hash: random in earnest, constant in a test */
};

struct engine_stats {
	uint64_t packets;     /* frames given */
	uint64_t undecodable; /* of them: cut, malformed or of an unknown kind where IP was looked
				 for */
	uint64_t unknown_link; /* ... of them for their link type: */
	unsigned link_type;    /* the first such */
	uint64_t connections; /* handed over */
	uint64_t evicted;     /* of them for lack of memory while still going on */
	uint64_t flushed;     /* ... that had ended, and lost only the wait for stragglers */
	uint64_t unseen;      /* SMTP packets of which no connection was made: no room */
	size_t memory_peak;
};

struct engine; /* opaque */

struct engine *engine_new(const struct engine_options *o, conn_done *done, void *ctx);

/* Where the next record is to be made, aligned for any type; `size` is the most that it will have. Without
 * it they are the engine's, and valid during the call of `done`. */
typedef void *engine_room(void *ctx, size_t size);
void engine_set_room(struct engine *e, engine_room *room);

/* Frames in the order of the file. Their bytes are borrowed during the call. */
void engine_frames(struct engine *e, const struct frame *frames, size_t n);

/* Which ports are of interest: frames without them may be left out, see FRAME_TICK. */
const struct port_set *engine_ports(const struct engine *e);

/* The input is over: hands over what is still there. */
void engine_finish(struct engine *e);

void engine_get_stats(const struct engine *e, struct engine_stats *out);
void engine_free(struct engine *e); /* hands over nothing; NULL is fine */

#endif
