/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/relay.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

/* What was read at a time, on its way to the first thread: its sifted frames, and the buffer that they lie in.
 * All that is used of them fits the second-level cache. */
#define BLOCK_FRAMES 4096
#define BLOCKS       4

/* Records on their way to the second thread. A batch is handed over when it is full, and of a pipe
 * whenever all that came is used up. */
#define BATCH_BYTES ((size_t)256 << 10)
#define BATCHES     4
#define AHEAD_BYTES 4096 /* two or three records */

struct block {
	size_t n;
	struct frame frames[BLOCK_FRAMES];
	uint8_t bytes[READER_BUFFER];
};

struct batch {
	size_t len;
	_Alignas(16) uint8_t bytes[BATCH_BYTES];
};

struct relay {
	struct reader *reader;
	struct relay_sink sink;
	bool shared; /* reading is; false: the first thread reads all */

	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* rings: what is at from .. to - 1 is full, modulo their size */
	struct block *blocks;
	unsigned blocks_from, blocks_to;
	bool reading; /* somebody fills blocks[blocks_to] */
	bool input_over;
	struct batch *batches;
	unsigned batches_from, batches_to;
	bool over; /* no batch will follow */
	bool enough; /* as relay_sink.enough */
};

/* In a batch. */
static size_t record_size(const struct conn *c)
{
	return (c->size + 15) / 16 * 16;
}

struct relay *relay_new(struct reader *r, bool is_file, const struct relay_sink *sink)
{
	struct relay *q = xcalloc(1, sizeof(*q));

	q->reader = r;
	q->sink = *sink;
	q->shared = is_file;
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->changed, NULL);
	q->batches = xcalloc(BATCHES, sizeof(*q->batches));
	q->blocks = xcalloc(BLOCKS, sizeof(*q->blocks));
	return q;
}

void relay_free(struct relay *q)
{
	if (!q)
		return;
	pthread_cond_destroy(&q->changed);
	pthread_mutex_destroy(&q->lock);
	free(q->blocks);
	free(q->batches);
	free(q);
}

/* ---- either thread ---- */

/* Whether there may be more to read. */
static bool fill_block(struct reader *r, struct block *b)
{
	size_t n;

	reader_turn(r, b->bytes);
	b->n = reader_next(r, b->frames, BLOCK_FRAMES);
	if (b->n == 0)
		return false;
	while ((n = reader_more(r, b->frames + b->n, BLOCK_FRAMES - b->n)) > 0)
		b->n += n;
	return true;
}

/* Instead of waiting: fills a block, if there is room and the other one doesn't. False: it did not,
 * and nothing has changed. With the lock held, which is released meanwhile. */
static bool read_block(struct relay *q)
{
	if (q->reading || q->input_over || q->blocks_to - q->blocks_from == BLOCKS)
		return false;
	q->reading = true;
	pthread_mutex_unlock(&q->lock);
	bool more = fill_block(q->reader, &q->blocks[q->blocks_to % BLOCKS]);
	pthread_mutex_lock(&q->lock);
	q->reading = false;
	q->blocks_to++;
	q->input_over = !more;
	pthread_cond_broadcast(&q->changed);
	return true;
}

static void read_or_wait(struct relay *q)
{
	if (!read_block(q))
		pthread_cond_wait(&q->changed, &q->lock);
}

/* ---- the second thread: takes records ---- */

static bool is_enough(const struct relay_sink *s)
{
	return s->enough && *s->enough;
}

/* What comes after the next record: the other processor wrote it. */
static void fetch_ahead(const struct batch *b, size_t at, size_t size)
{
	for (size_t i = at + AHEAD_BYTES; i < at + AHEAD_BYTES + size && i < b->len; i += 64)
		__builtin_prefetch(b->bytes + i);
}

static void take_batch(const struct relay_sink *s, const struct batch *b)
{
	const struct conn *c = (const void *)b->bytes;

	for (size_t at = 0; at < b->len && !is_enough(s);) {
		const struct conn *next = (const void *)(b->bytes + at + record_size(c));
		fetch_ahead(b, at, record_size(c));
		at += record_size(c);
		if (s->soon && at < b->len)
			s->soon(s->ctx, next);
		s->done(s->ctx, c);
		c = next;
	}
}

static void *second_thread(void *arg)
{
	struct relay *q = arg;

	pthread_mutex_lock(&q->lock);
	while (q->batches_from != q->batches_to || !q->over) {
		if (q->batches_from == q->batches_to) {
			if (q->shared)
				read_or_wait(q);
			else
				pthread_cond_wait(&q->changed, &q->lock);
			continue;
		}
		const struct batch *b = &q->batches[q->batches_from % BATCHES];
		pthread_mutex_unlock(&q->lock);
		take_batch(&q->sink, b);
		pthread_mutex_lock(&q->lock);
		q->enough = is_enough(&q->sink);
		q->batches_from++;
		pthread_cond_broadcast(&q->changed);
	}
	pthread_mutex_unlock(&q->lock);
	return NULL;
}

/* ---- the first thread: tracks ---- */

static void hand_over(struct relay *q)
{
	if (q->batches[q->batches_to % BATCHES].len == 0)
		return;
	pthread_mutex_lock(&q->lock);
	q->batches_to++;
	pthread_cond_broadcast(&q->changed);
	while (q->batches_to - q->batches_from == BATCHES)
		read_or_wait(q);
	pthread_mutex_unlock(&q->lock);
	q->batches[q->batches_to % BATCHES].len = 0;
}

/* Records are made where they will be read. */
static void *record_room(void *ctx, size_t size)
{
	struct relay *q = ctx;

	if (size > BATCH_BYTES - q->batches[q->batches_to % BATCHES].len)
		hand_over(q);
	struct batch *b = &q->batches[q->batches_to % BATCHES];
	return b->bytes + b->len;
}

void relay_record(void *ctx, const struct conn *c)
{
	struct relay *q = ctx;

	q->batches[q->batches_to % BATCHES].len += record_size(c);
}

/* NULL: the end, or it is enough. */
static const struct block *next_block(struct relay *q)
{
	pthread_mutex_lock(&q->lock);
	while (q->blocks_from == q->blocks_to && !q->input_over && !q->enough)
		read_or_wait(q);
	bool there = q->blocks_from != q->blocks_to && !q->enough;
	const struct block *b = there ? &q->blocks[q->blocks_from % BLOCKS] : NULL;
	pthread_mutex_unlock(&q->lock);
	return b;
}

static void give_back_block(struct relay *q)
{
	pthread_mutex_lock(&q->lock);
	q->blocks_from++;
	pthread_cond_broadcast(&q->changed);
	pthread_mutex_unlock(&q->lock);
}

static void first_thread(struct relay *q, struct engine *e)
{
	const struct block *b;

	while ((b = next_block(q)) != NULL) {
		engine_frames(e, b->frames, b->n);
		give_back_block(q);
		if (!q->shared)
			hand_over(q);
	}
	engine_finish(e);
	hand_over(q);
}

int relay_run(struct relay *q, struct engine *e, struct err *err)
{
	pthread_t thread;

	reader_sift(q->reader, engine_ports(e));
	engine_set_room(e, record_room);
	int rc = pthread_create(&thread, NULL, second_thread, q);
	if (rc != 0)
		return err_set(err, ERR_RUN, "no thread: %s%s", strerror(rc),
			       rc == EAGAIN ? " (too many processes: ulimit -u)" : "");
	first_thread(q, e);
	pthread_mutex_lock(&q->lock);
	q->over = true;
	pthread_cond_broadcast(&q->changed);
	pthread_mutex_unlock(&q->lock);
	pthread_join(thread, NULL);
	return 0;
}
