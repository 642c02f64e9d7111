/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/read.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "capture/reader.h"

/* ---- sums ---- */

static void warn(struct read_totals *t, const char *name, const char *text)
{
	if (t->n_warnings == READ_WARNINGS_MAX)
		return;
	if (!t->warnings)
		t->warnings = arena_alloc(&t->arena, READ_WARNINGS_MAX * sizeof(*t->warnings));
	char *line = arena_printf(&t->arena, "%s: %s", name, text);
	if (t->n_warnings == READ_WARNINGS_MAX - 1)
		line = arena_strdup(&t->arena, "there are more warnings");
	t->warnings[t->n_warnings++] = text_clean(&t->arena, line, strlen(line), 1000);
}

static void add_up(struct read_totals *t, const struct engine_stats *s)
{
	t->files++;
	t->packets += s->packets;
	t->undecodable += s->undecodable;
	t->connections += s->connections;
	t->evicted += s->evicted;
	t->flushed += s->flushed;
	t->unseen += s->unseen;
}

/* What came of the file as a whole. */
static int close_file(const struct reader *r, const struct engine *engine, const char *name,
		      struct read_totals *t, struct err *e)
{
	struct engine_stats s;
	bool truncated;
	const char *fault = reader_fault(r, &truncated);

	engine_get_stats(engine, &s);
	if (fault && s.packets == 0)
		return err_set(e, ERR_USAGE, "%s: %s", name, fault);
	if (s.packets > 0 && s.unknown_link == s.packets)
		return err_set(e, ERR_USAGE, "%s: link type %u is not supported", name,
			       s.link_type);
	if (fault)
		warn(t, name, fault);
	if (s.unknown_link > 0) {
		char text[100];
		snprintf(text, sizeof(text), "%llu packets have an unknown link type (%u)",
			 (unsigned long long)s.unknown_link, s.link_type);
		warn(t, name, text);
	}
	add_up(t, &s);
	t->truncated = t->truncated || truncated;
	return 0;
}

int read_fd(int fd, const char *name, const struct engine_options *o, const struct relay_sink *sink,
	    struct read_totals *totals, struct err *e)
{
	struct reader *r;
	struct stat st;

	if (reader_open(&r, fd, name, e) != 0)
		return -1;
	struct relay *relay = relay_new(r, fstat(fd, &st) == 0 && S_ISREG(st.st_mode), sink);
	struct engine *engine = engine_new(o, relay_record, relay);
	int rc = relay_run(relay, engine, e);
	if (rc == 0)
		rc = close_file(r, engine, name, totals, e);
	engine_free(engine);
	relay_free(relay);
	reader_free(r);
	return rc;
}

void read_totals_clear(struct read_totals *t)
{
	arena_clear(&t->arena);
	*t = (struct read_totals){0};
}
