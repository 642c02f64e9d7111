/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the connections of a capture tell about each other: is the server there,
 * how far away, does it answer on other ports, does anybody answer this client?
 * Pure. Of bounded size: where there are too many servers or clients, those seen
 * last remain, and of the others nothing is claimed.
 */
#ifndef SB_DIAG_CAPTURE_KNOWN_H
#define SB_DIAG_CAPTURE_KNOWN_H

#include <stdint.h>

#include "conn/conn.h"
#include "diag/capture_facts.h"

struct capture_known; /* opaque */

/* seed: of the hash; random in earnest. */
struct capture_known *capture_known_new(uint64_t seed);
void capture_known_free(struct capture_known *k); /* NULL is fine */

void capture_known_clear(struct capture_known *k);

/* Takes what this connection tells. */
void capture_known_learn(struct capture_known *k, const struct conn *c);

/* Will be asked or told about this connection soon: fetches what that takes into the cache. */
void capture_known_expect(const struct capture_known *k, const struct conn *c);

/* What is known that bears on this connection; itself, if it was learned, is part of that. */
void capture_known_context(const struct capture_known *k, const struct conn *c,
			   struct capture_context *out);

#endif
