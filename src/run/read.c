/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/read.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "capture/reader.h"

/* Frames taken at a time: their headers' addresses fit the first-level cache. */
#define FRAMES 64

/* Records on their way to the other thread. A batch is handed over when it is full, and of a pipe,
 * which may be silent for long, whenever all that came is used up. */
#define BATCH_BYTES ((size_t)128 << 10)
#define BATCHES     4

struct batch {
	size_t len;
	_Alignas(16) uint8_t bytes[BATCH_BYTES];
};

/* Batches 'from' to 'to' - 1 are full, and `to` is being filled (modulo BATCHES). The lock guards the
 * two numbers and `over`; a batch belongs to the thread whose side it is on. */
struct queue {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned from, to;
	bool over;
	struct batch *batches;
	bool at_once; /* no waiting for full batches */
	conn_done *done;
	void *ctx;
};

/* ---- the thread that gets the records ---- */

static bool wait_for_batch(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	while (q->from == q->to && !q->over)
		pthread_cond_wait(&q->changed, &q->lock);
	bool there = q->from != q->to;
	pthread_mutex_unlock(&q->lock);
	return there;
}

static void *take_records(void *arg)
{
	struct queue *q = arg;

	while (wait_for_batch(q)) {
		struct batch *b = &q->batches[q->from % BATCHES];

		for (size_t at = 0; at < b->len;) {
			const struct conn *c = (const void *)(b->bytes + at);
			at += (c->size + 15) / 16 * 16;
			q->done(q->ctx, c);
		}
		pthread_mutex_lock(&q->lock);
		q->from++;
		pthread_cond_signal(&q->changed);
		pthread_mutex_unlock(&q->lock);
	}
	return NULL;
}

/* ---- the thread that reads ---- */

static void hand_over(struct queue *q)
{
	if (q->batches[q->to % BATCHES].len == 0)
		return;
	pthread_mutex_lock(&q->lock);
	q->to++;
	pthread_cond_signal(&q->changed);
	while (q->to - q->from == BATCHES)
		pthread_cond_wait(&q->changed, &q->lock);
	pthread_mutex_unlock(&q->lock);
	q->batches[q->to % BATCHES].len = 0;
}

static void put_record(void *ctx, const struct conn *c)
{
	struct queue *q = ctx;
	struct batch *b = &q->batches[q->to % BATCHES];
	size_t size = (c->size + 15) / 16 * 16;

	if (size > BATCH_BYTES - b->len) {
		hand_over(q);
		b = &q->batches[q->to % BATCHES];
	}
	conn_move(b->bytes + b->len, c);
	b->len += size;
}

static void read_frames(struct reader *r, struct engine *e, struct queue *q)
{
	struct frame frames[FRAMES];
	size_t n;

	while ((n = reader_next(r, frames, FRAMES)) > 0) {
		engine_frames(e, frames, n);
		if (q->at_once && n < FRAMES)
			hand_over(q);
	}
	engine_finish(e);
	hand_over(q);
}

static int run_threads(struct reader *r, struct engine *e, struct queue *q, struct err *err)
{
	pthread_t thread;
	int rc = pthread_create(&thread, NULL, take_records, q);

	if (rc != 0)
		return err_set(err, ERR_RUN, "no thread: %s", strerror(rc));
	read_frames(r, e, q);
	pthread_mutex_lock(&q->lock);
	q->over = true;
	pthread_cond_signal(&q->changed);
	pthread_mutex_unlock(&q->lock);
	pthread_join(thread, NULL);
	return 0;
}

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

int read_fd(int fd, const char *name, const struct engine_options *o, conn_done *done, void *ctx,
	    struct read_totals *totals, struct err *e)
{
	struct queue q = {.lock = PTHREAD_MUTEX_INITIALIZER,
			  .changed = PTHREAD_COND_INITIALIZER,
			  .done = done,
			  .ctx = ctx};
	struct reader *r;
	struct stat st;

	q.at_once = fstat(fd, &st) != 0 || !S_ISREG(st.st_mode);
	if (reader_open(&r, fd, name, e) != 0)
		return -1;
	q.batches = xcalloc(BATCHES, sizeof(*q.batches));
	struct engine *engine = engine_new(o, put_record, &q);
	int rc = run_threads(r, engine, &q, e);
	if (rc == 0)
		rc = close_file(r, engine, name, totals, e);
	engine_free(engine);
	free(q.batches);
	reader_free(r);
	return rc;
}

int read_file(const char *path, const struct engine_options *o, conn_done *done, void *ctx,
	      struct read_totals *totals, struct err *e)
{
	bool is_stdin = strcmp(path, "-") == 0;
	int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_set(e, ERR_USAGE, "%s: %s", path, strerror(errno));
	int rc = read_fd(fd, path, o, done, ctx, totals, e);
	if (!is_stdin)
		close(fd);
	return rc;
}

void read_totals_clear(struct read_totals *t)
{
	arena_clear(&t->arena);
	*t = (struct read_totals){0};
}
