/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The judgement on the connections of a capture: from struct conn by facts and
 * rules to the contract's words. Pure; one thread.
 */
#ifndef SB_DIAG_CAPTURE_H
#define SB_DIAG_CAPTURE_H

#include <stdint.h>

#include "conn/conn.h"
#include "diag/capture_pair.h"
#include "model/connection.h"
#include "model/signature.h"

struct capture_judge; /* opaque */

/* signatures are borrowed. seed: of its hashes; random in earnest, constant in a test. */
struct capture_judge *capture_judge_new(const struct signatures *signatures, uint64_t seed);
void capture_judge_free(struct capture_judge *j); /* NULL is fine */

/* Takes what the connection tells about others. In the order in which they end; the more of them
 * before one is judged, of what happened around it, the better. */
void capture_learn(struct capture_judge *j, const struct conn *c);

/* A connection that will be learned or judged soon: fetches what is known of its ends into the cache. */
void capture_expect(const struct capture_judge *j, const struct conn *c);

/* Forgets all that was learned: another file is another place to look from. */
void capture_forget(struct capture_judge *j);

/* The same connection at another capture point, for the next capture_judge() only. */
struct capture_other {
	const struct conn *conn;  /* NULL: that point was there, and saw nothing of it */
	const char *file;
	enum capture_match how;
};

/* other: what another capture point saw, or NULL. The result, with all its strings but `file`, is the judge's
 * and valid until the next call. */
const struct connection *capture_judge(struct capture_judge *j, const struct conn *c, const char *file,
				       const struct capture_other *other);

#endif
