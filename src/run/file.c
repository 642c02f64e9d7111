/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/text.h"
#include "diag/capture.h"
#include "run/live.h"
#include "run/pairing.h"
#include "run/read.h"
#include "run/tally.h"

#define ROOM_BYTES ((size_t)4 << 20)
#define ROOM_ALIGN 16
#define ROOM_AHEAD 4096 /* two or three records */
#define NAME_MAX_BYTES 4096
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
	struct pairing pairing;
	bool holding;       /* several files, and all of their records fit the pairing so far */
	bool gave_up_pairing; /* they did not */
	const char **names; /* of the files, clean */
	unsigned file;      /* the one being read */
	struct read_summary *summary;
	bool enough; /* the sink wants no more */
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

static void judge(struct reading *r, const struct conn *c, unsigned file, const struct capture_other *other)
{
	if (r->enough)
		return;
	const struct connection *out = capture_judge(r->judge, c, r->names[file], other);

	if (out->path_probe) {
		r->summary->path_probes++;
		return;
	}
	tally_add(r->summary, out);
	r->enough = !r->job->sink(r->job->ctx, out);
}

static void judge_oldest(struct reading *r)
{
	judge(r, room_oldest(&r->room), r->file, NULL);
	room_leave(&r->room);
}

static void judge_rest(struct reading *r)
{
	while (!room_is_empty(&r->room))
		judge_oldest(r);
}

static void judge_held(struct reading *r, const struct held *h)
{
	const struct held *pair = h->other >= 0 ? &r->pairing.list[h->other] : NULL;
	struct capture_other other = {.how = h->how};

	if (pair) {
		other.conn = pair->conn;
		other.file = r->names[pair->file];
	} else if (h->missed_in >= 0) {
		other.file = r->names[h->missed_in];
	}
	judge(r, h->conn, h->file, other.file ? &other : NULL);
}

/* All that is held, file by file: each is another place to look from. */
static void judge_all_held(struct reading *r)
{
	struct pairing *p = &r->pairing;

	for (unsigned first = 0, end; first < p->n; first = end) {
		for (end = first; end < p->n && p->list[end].file == p->list[first].file; end++)
			;
		capture_forget(r->judge);
		for (unsigned i = first; i < end; i++)
			capture_learn(r->judge, p->list[i].conn);
		for (unsigned i = first; i < end; i++)
			judge_held(r, &p->list[i]);
	}
	pairing_clear(p);
}

/* What will be looked at next has left the cache. */
static void expect(void *ctx, const struct conn *c)
{
	struct reading *r = ctx;

	capture_expect(r->judge, c);
	if (room_is_empty(&r->room))
		return;
	char *tail = r->room.bytes + r->room.tail;
	for (size_t at = 0; at < c->size && r->room.tail + at < ROOM_BYTES; at += 64)
		__builtin_prefetch(tail + at, 1);
	/* the oldest were asked for when those before them went */
	const struct conn *oldest = room_oldest(&r->room);
	capture_expect(r->judge, oldest);
	char *ahead = (char *)(uintptr_t)oldest + ROOM_AHEAD;
	for (size_t at = 0; at < oldest->size && ahead + at < r->room.bytes + ROOM_BYTES; at += 64)
		__builtin_prefetch(ahead + at);
}

static void take(void *ctx, const struct conn *c)
{
	struct reading *r = ctx;

	if (r->holding && pairing_take(&r->pairing, c, r->file))
		return;
	if (r->holding) { /* an archive: hardly anybody wants that compared */
		judge_all_held(r);
		r->holding = false;
		r->gave_up_pairing = true;
	}
	capture_learn(r->judge, c);
	while (!room_enter(&r->room, c)) {
		if (room_is_empty(&r->room)) { /* larger than the room: not with CONN_TEXT_MAX */
			judge(r, c, r->file, NULL);
			return;
		}
		judge_oldest(r);
	}
	/* c itself, too: one that ended by silence may be the only one, and old */
	while (!room_is_empty(&r->room) &&
	       room_oldest(&r->room)->last_ns + ROOM_TIME_NS < c->until_ns)
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

/* Before privileges go: what only root may read is root's to ask for. */
static int open_one(const char *path, struct err *why)
{
	int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		err_set(why, ERR_USAGE, "%.500s: %s", path, strerror(errno));
	return fd;
}

static int read_one(struct reading *r, int fd, const struct engine_options *engine,
		    struct read_totals *totals, struct err *why)
{
	if (fd < 0)
		return -1;
	if (!r->holding)
		capture_forget(r->judge);
	const struct relay_sink sink = {.done = take, .soon = expect, .enough = &r->enough, .ctx = r};
	int failed = read_fd(fd, r->job->paths[r->file], engine, &sink, totals, why);
	judge_rest(r);
	return failed;
}

static int read_all(struct reading *r, const int *fds, struct err *whys, struct read_totals *totals,
		    struct err *e)
{
	struct engine_options engine = r->job->engine;
	unsigned n = r->job->n_paths, unreadable = 0;

	if (getrandom(engine.seed, sizeof(engine.seed), 0) != sizeof(engine.seed))
		return err_set(e, ERR_RUN, "no random numbers: %s", strerror(errno));
	for (r->file = 0; r->file < n && !r->enough; r->file++) {
		struct err *why = &whys[r->file];
		if (read_one(r, fds[r->file], &engine, totals, why) == 0)
			continue;
		*e = *why;
		if (why->status != ERR_USAGE)
			return -1;
		warn(totals, why->text);
		unreadable++;
	}
	pairing_match(&r->pairing);
	judge_all_held(r);
	if (r->gave_up_pairing)
		warn(totals, "more connections than are compared between files (" PAIRING_WORDS "): each was judged "
			     "on its own; where two files show two points of one path, give those alone");
	return unreadable == n ? -1 : 0;
}

static void sum_up(struct read_summary *s, const struct read_totals *t)
{
	s->files = t->files;
	s->packets = t->packets;
	s->undecodable = t->undecodable;
	s->connections = t->connections - s->path_probes;
	s->evicted = t->evicted;
	s->truncated = t->truncated;
	s->warnings = t->warnings;
	s->n_warnings = t->n_warnings;
	tally_finish(s);
}

static void open_all(struct reading *r, int *fds, struct err *whys, struct arena *a)
{
	for (unsigned i = 0; i < r->job->n_paths; i++) {
		const char *path = r->job->paths[i];
		fds[i] = open_one(path, &whys[i]);
		r->names[i] = text_clean(a, path, strlen(path), NAME_MAX_BYTES);
	}
}

int read_captures(const struct read_job *job, struct read_summary *out, struct read_totals *totals,
		  struct err *e)
{
	struct reading r = {.job = job, .summary = out, .holding = job->n_paths > 1};
	int *fds = xcalloc(job->n_paths, sizeof(*fds));
	struct err *whys = xcalloc(job->n_paths, sizeof(*whys));
	uint64_t seed = 0;
	int result = -1;

	r.names = xcalloc(job->n_paths, sizeof(*r.names));
	open_all(&r, fds, whys, &totals->arena);
	/* nothing is needed but the files, which are open */
	if (run_become_nobody(job->held, e) != 0)
		goto out;
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) {
		err_set(e, ERR_RUN, "no random numbers: %s", strerror(errno));
		goto out;
	}
	r.judge = capture_judge_new(job->signatures, seed);
	r.room.bytes = xcalloc(1, ROOM_BYTES);
	result = read_all(&r, fds, whys, totals, e);
	sum_up(out, totals);
out:
	for (unsigned i = 0; i < job->n_paths; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	pairing_clear(&r.pairing);
	free(r.room.bytes);
	capture_judge_free(r.judge);
	free(r.names);
	free(whys);
	free(fds);
	return result;
}
