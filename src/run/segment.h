/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Segments of our own making on a connection that our kernel holds: like its latest packet, as the
 * tap saw that, so that nobody on the way and no stack at the end can tell them from it. Pure.
 */
#ifndef SB_RUN_SEGMENT_H
#define SB_RUN_SEGMENT_H

#include <stdbool.h>

#include "diag/tracker.h"
#include "probe/path.h"

/* Our latest acknowledgement once more. False: nothing of ours was seen on it. */
bool segment_ack(const struct flow *f, const struct addr *target, struct raw_syn *out);

/* A keep-alive (RFC 1122 4.2.3.6): the other side's stack must answer. */
bool segment_look(const struct flow *f, const struct addr *target, struct raw_syn *out);

/* One with this TTL: what we said and nobody acknowledged (payload, borrowed), or our latest
 * acknowledgement (size 0). Its window tells which one a quote is of. */
bool segment_copy(const struct flow *f, const struct addr *target, uint8_t ttl, const uint8_t *payload,
		  unsigned size, struct raw_syn *out);

#endif
