/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/text.h"
#include "diag/capture.h"
#include "run/live.h"
#include "run/read.h"
#include "run/tally.h"

#define ROOM_BYTES ((size_t)4 << 20)
#define ROOM_ALIGN 16
#define ROOM_TIME_NS (60 * NS_PER_S) /* what is farther away tells nothing about a connection */

/* Records one behind the other, the oldest first; one that does not fit before the end goes to the
 * beginning. */
struct room {
	char *bytes;
	size_t head, tail;
	size_t wrap; /* where the records before the end stop, while tail is before head */
	bool wrapped;
};

struct reading {
	const struct read_job *job;
	struct capture_judge *judge;
	struct room room;
	const char *file;
	struct read_summary *summary;
};

/* ---- the waiting room ---- */

static bool room_is_empty(const struct room *r)
{
	return r->head == r->tail && !r->wrapped;
}

static struct conn *room_oldest(const struct room *r)
{
	return (struct conn *)(void *)(r->bytes + r->head);
}

static size_t room_size(const struct conn *c)
{
	return (c->size + ROOM_ALIGN - 1) / ROOM_ALIGN * ROOM_ALIGN;
}

static void room_leave(struct room *r)
{
	r->head += room_size(room_oldest(r));
	if (r->wrapped && r->head == r->wrap) {
		r->head = 0;
		r->wrapped = false;
	}
	if (room_is_empty(r))
		r->head = r->tail = 0;
}

static bool room_enter(struct room *r, const struct conn *c)
{
	size_t size = room_size(c);

	if (!r->wrapped && ROOM_BYTES - r->tail < size) {
		r->wrap = r->tail;
		r->tail = 0;
		r->wrapped = true;
	}
	if ((r->wrapped ? r->head : ROOM_BYTES) - r->tail < size)
		return false;
	conn_move(r->bytes + r->tail, c);
	r->tail += size;
	return true;
}

/* ---- judging ---- */

static void judge(struct reading *r, const struct conn *c)
{
	const struct connection *out = capture_judge(r->judge, c, r->file);

	tally_add(r->summary, out);
	r->job->sink(r->job->ctx, out);
}

static void judge_oldest(struct reading *r)
{
	judge(r, room_oldest(&r->room));
	room_leave(&r->room);
}

static void judge_rest(struct reading *r)
{
	while (!room_is_empty(&r->room))
		judge_oldest(r);
}

static void take(void *ctx, const struct conn *c)
{
	struct reading *r = ctx;

	capture_learn(r->judge, c);
	while (!room_enter(&r->room, c)) {
		if (room_is_empty(&r->room)) { /* larger than the room: not with CONN_TEXT_MAX */
			judge(r, c);
			return;
		}
		judge_oldest(r);
	}
	while (room_oldest(&r->room)->last_ns + ROOM_TIME_NS < c->until_ns)
		judge_oldest(r);
}

/* ---- files ---- */

static void warn(struct read_totals *t, const char *text)
{
	if (!t->warnings)
		t->warnings = arena_alloc(&t->arena, READ_WARNINGS_MAX * sizeof(*t->warnings));
	if (t->n_warnings < READ_WARNINGS_MAX)
		t->warnings[t->n_warnings++] = arena_strdup(&t->arena, text);
}

static int read_all(struct reading *r, struct read_totals *totals, struct err *e)
{
	const struct read_job *job = r->job;
	struct engine_options engine = job->engine;
	unsigned unreadable = 0;

	if (getrandom(engine.seed, sizeof(engine.seed), 0) != sizeof(engine.seed))
		return err_set(e, ERR_RUN, "no random numbers: %s", strerror(errno));
	for (unsigned i = 0; i < job->n_paths; i++) {
		struct err why;
		r->file = text_clean(&totals->arena, job->paths[i], strlen(job->paths[i]), 4096);
		if (read_file(job->paths[i], &engine, take, r, totals, &why) != 0) {
			*e = why;
			if (why.status != ERR_USAGE)
				return -1;
			warn(totals, why.text);
			unreadable++;
		}
		judge_rest(r);
	}
	return unreadable == job->n_paths ? -1 : 0;
}

static void sum_up(struct read_summary *s, const struct read_totals *t)
{
	s->files = t->files;
	s->packets = t->packets;
	s->undecodable = t->undecodable;
	s->connections = t->connections;
	s->evicted = t->evicted;
	s->truncated = t->truncated;
	s->warnings = t->warnings;
	s->n_warnings = t->n_warnings;
	tally_finish(s);
}

/* Nothing is needed but the files, which landlock is told by name; of many, that nothing be written. */
static int give_up_privileges(const struct read_job *job, struct err *e)
{
	const struct run_user as_caller = {0};
	struct sandbox sandbox = {.read = {"/"}};
	struct sandbox_held held;
	unsigned n = 0;

	for (unsigned i = 0; i < job->n_paths && job->n_paths < SANDBOX_MAX_PATHS; i++)
		if (strcmp(job->paths[i], "-") != 0)
			sandbox.read[n++] = job->paths[i];
	if (job->n_paths < SANDBOX_MAX_PATHS)
		sandbox.read[n] = NULL;
	return run_drop_privileges(&as_caller, &sandbox, &held, e);
}

int read_captures(const struct read_job *job, struct read_summary *out, struct read_totals *totals,
		  struct err *e)
{
	struct reading r = {.job = job, .summary = out};
	uint64_t seed = 0;
	int result;

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return err_set(e, ERR_RUN, "no random numbers: %s", strerror(errno));
	if (give_up_privileges(job, e) != 0)
		return -1;
	r.judge = capture_judge_new(job->signatures, seed);
	r.room.bytes = xcalloc(1, ROOM_BYTES);
	result = read_all(&r, totals, e);
	sum_up(out, totals);
	free(r.room.bytes);
	capture_judge_free(r.judge);
	return result;
}
