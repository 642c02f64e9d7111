/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One connection seen at two capture points: which records belong together, and
 * what happened in between. Pure. `near` is the point on the client's side.
 */
#ifndef SB_DIAG_CAPTURE_PAIR_H
#define SB_DIAG_CAPTURE_PAIR_H

#include "base/arena.h"
#include "diag/capture_facts.h"

/* How sure it is that two records are of one connection. */
enum capture_match {
	MATCH_NONE,
	MATCH_WORDS, /* another TCP connection carries the same dialogue: somebody in between ended the first */
	MATCH_TUPLE, /* the same addresses and ports at the same time */
	MATCH_ISN,   /* the same sequence numbers, whatever the addresses (NAT) */
};

enum capture_match capture_match(const struct conn *a, const struct conn *b);

/* Is `a` the point nearer to the client? By the TTL that its packets have left. */
bool capture_is_nearer(const struct conn *a, const struct conn *b);

/* What only the two together tell: CF_PAIR_* */
fact_set capture_pair_facts(const struct conn *near, const struct conn *far, enum capture_match how);

/* The differences in words, for a person; at most CAPTURE_CHANGES_MAX. Seen from near to far. */
#define CAPTURE_CHANGES_MAX 8
unsigned capture_changes(struct arena *a, const struct conn *near, const struct conn *far,
			 enum capture_match how, const char **out);

#endif
