/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Records of several captures, held until all are read, so that connections
 * that were seen at two points can be laid side by side.
 */
#ifndef SB_RUN_PAIRING_H
#define SB_RUN_PAIRING_H

#include "conn/conn.h"
#include "diag/capture_pair.h"

/* More than this is an archive, in which nobody compares capture points: pairing costs the square of
 * it. */
#define PAIRING_MAX 4000
#define PAIRING_BYTES ((size_t)16 << 20)
#define PAIRING_WORDS "4,000, or 16 MB of them"

struct held {
	struct conn *conn;  /* own copy */
	unsigned file;      /* which of the files, from 0 */
	int other;          /* index of the same connection in another file, -1 none */
	enum capture_match how;
	int missed_in;      /* file that should have seen it, and did not; -1 none */
};

/* A zeroed struct is empty. */
struct pairing {
	struct held *list;
	unsigned n, size;
	size_t bytes;
};

/* False when there is no more room: the record was not taken. */
bool pairing_take(struct pairing *p, const struct conn *c, unsigned file);
void pairing_match(struct pairing *p); /* fills `other`, `how`, `missed_in` */
void pairing_clear(struct pairing *p);

#endif
