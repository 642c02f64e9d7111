/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Capture files to connections: the reader (capture/reader.h) and the engine
 * (conn/engine.h) put together, with a thread for what happens to the records.
 *
 * THREADS. read_fd() tracks on the caller's thread, and calls the sink on
 * another one, which lives no longer than the call; both read (run/relay.h).
 * Records come in order. So the sink's ctx is the other thread's during
 * read_fd(), and the caller's again when it returns.
 */
#ifndef SB_RUN_READ_H
#define SB_RUN_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "conn/engine.h"
#include "run/relay.h"

#define READ_WARNINGS_MAX 100 /* kept of all files; the last one says that there are more */

/* Sums over files. A zeroed struct is none. */
struct read_totals {
	unsigned files;        /* read, wholly or in part */
	uint64_t packets, undecodable;
	uint64_t connections;
	uint64_t evicted, flushed, unseen; /* see struct engine_stats */
	bool truncated;        /* a file ended amid a packet */
	const char **warnings; /* clean text with file and byte offset, in `arena` */
	unsigned n_warnings;
	struct arena arena;
};

/* One open file, which stays the caller's. Adds to *totals. 0 also when the file's end is missing or broken
 * (a warning says where, what came before counts). -1 with ERR_USAGE when nothing could be read of it, or
 * ERR_RUN. */
int read_fd(int fd, const char *name, const struct engine_options *o, const struct relay_sink *sink,
	    struct read_totals *totals, struct err *e);

void read_totals_clear(struct read_totals *t);

#endif
