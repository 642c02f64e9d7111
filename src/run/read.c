/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/read.h"

#include <string.h>

#include "base/text.h"
#include "capture/reader.h"

#define FRAMES 64

static void warn(struct read_totals *t, const char *path, const char *text)
{
	if (t->n_warnings == READ_WARNINGS_MAX)
		return;
	if (!t->warnings)
		t->warnings = arena_alloc(&t->arena, READ_WARNINGS_MAX * sizeof(*t->warnings));
	char *line = arena_printf(&t->arena, "%s: %s", path, text);
	if (t->n_warnings == READ_WARNINGS_MAX - 1)
		line = arena_strdup(&t->arena, "there are more warnings");
	t->warnings[t->n_warnings++] = text_clean(&t->arena, line, strlen(line), 1000);
}

int read_file(const char *path, const struct engine_options *o, conn_done *done, void *ctx,
	      struct read_totals *totals, struct err *e)
{
	struct frame frames[FRAMES];
	struct engine_stats stats;
	struct reader *r;
	bool truncated;
	size_t n;

	if (reader_open(&r, path, e) != 0)
		return -1;
	struct engine *engine = engine_new(o, done, ctx);
	while ((n = reader_next(r, frames, FRAMES)) > 0)
		engine_frames(engine, frames, n);
	engine_finish(engine);
	engine_get_stats(engine, &stats);
	engine_free(engine);

	const char *fault = reader_fault(r, &truncated);
	int rc = 0;
	if (fault && stats.packets == 0) {
		rc = err_set(e, ERR_USAGE, "%s: %s", path, fault);
	} else {
		if (fault)
			warn(totals, path, fault);
		totals->files++;
		totals->packets += stats.packets;
		totals->undecodable += stats.undecodable;
		totals->connections += stats.connections;
		totals->evicted += stats.evicted;
		totals->flushed += stats.flushed;
		totals->unseen += stats.unseen;
		totals->truncated = totals->truncated || truncated;
	}
	reader_free(r);
	return rc;
}

void read_totals_clear(struct read_totals *t)
{
	arena_clear(&t->arena);
	*t = (struct read_totals){0};
}
