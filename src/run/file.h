/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `read`: capture files to judged connections. Needs no privilege.
 *
 * Records wait a little before they are judged, for what happens around a
 * connection helps to judge it: a minute of the capture's time, or as many as
 * fit the waiting room. The order in which they ended is kept.
 */
#ifndef SB_RUN_FILE_H
#define SB_RUN_FILE_H

#include "base/err.h"
#include "conn/engine.h"
#include "model/connection.h"
#include "model/signature.h"
#include "run/read.h"
#include "run/sandbox.h"

/* Called for each connection, by a thread of read_captures()'s own; *c is valid during the call. False: nothing
 * more is wanted, and reading ends soon; the summary is of what was read until then. */
typedef bool read_sink(void *ctx, const struct connection *c);

struct read_job {
	struct engine_options engine; /* ports; the seed is drawn */
	const char *const *paths;     /* "-" is standard input */
	unsigned n_paths;
	const struct signatures *signatures; /* borrowed */
	read_sink *sink;
	void *ctx;
	struct sandbox_held *held; /* out: what of the sandbox holds */
};

/* Reads them in their order, after privileges are given up. The summary's warnings are those of
 * *totals, which is to be cleared also after -1. A file that cannot be read at all is a warning as
 * long as another one can be; ERR_USAGE when none can. */
int read_captures(const struct read_job *job, struct read_summary *out, struct read_totals *totals,
		  struct err *e);

#endif
