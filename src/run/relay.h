/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Two threads that share what is to be done of one capture file.
 *
 *   bytes ──► frames, sifted ──► connections ──► batches of records ──► judgement, output
 *        either thread           first thread                   second thread
 *
 * The first one (the caller's) tracks, the second one takes the records. Reading, and sifting out
 * the packets that are of no interest, is for whichever has to wait otherwise: the second when no
 * batch is ready, the first when no sifted packets are, or when there is no room for a further batch.
 * So both are busy until one of them alone has more to do than half of the work.
 *
 * Of a pipe, which may be silent for long, the first thread reads all: who is stuck in a read can't
 * take records.
 *
 * LOCKING. One lock guards the counters and flags of struct relay. A block of packets or a batch of
 * records belongs to the thread whose side it is on; the reader to the one that set `reading`. Nobody
 * blocks in anything but the condition while it holds the lock, and both never wait at the same time:
 * the first waits only for a block that the second is reading, or for a batch that it is at.
 */
#ifndef SB_RUN_RELAY_H
#define SB_RUN_RELAY_H

#include <stdbool.h>

#include "base/err.h"
#include "capture/reader.h"
#include "conn/engine.h"

/* Who takes the records, on the second thread. */
struct relay_sink {
	conn_done *done; /* gets each, in order */
	conn_done *soon; /* or NULL: is told which comes next, to fetch what that will take into the cache */
	const bool *enough; /* or NULL: set by `done` when nothing more is wanted */
	void *ctx;
};

struct relay; /* opaque */

/* r is borrowed. is_file: a read never waits for anybody. */
struct relay *relay_new(struct reader *r, bool is_file, const struct relay_sink *sink);
void relay_free(struct relay *q); /* NULL is fine */

/* What the engine hands its records to, with the relay as its context. */
conn_done relay_record;

/* Reads to the end of the file, or until it is enough, and sets the engine's room; the second thread lives
 * no longer than the call. -1 with ERR_RUN when there can be none. */
int relay_run(struct relay *q, struct engine *e, struct err *err);

#endif
