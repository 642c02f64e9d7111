/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/relay.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

/* Frames taken at a time: their headers' addresses fit the first-level cache. */
#define FRAMES 64

/* Bytes on their way to the first thread. The second-level cache holds a few of them. */
#define BLOCK_BYTES ((size_t)128 << 10)
#define BLOCKS      8

/* Records on their way to the second thread. A batch is handed over when it is full, and of a pipe
 * whenever all that came is used up. */
#define BATCH_BYTES ((size_t)128 << 10)
#define BATCHES     4

struct batch {
	size_t len;
	_Alignas(16) uint8_t bytes[BATCH_BYTES];
};

struct relay {
	struct reader *reader;
	struct relay_sink sink;
	bool shared;         /* reading is, by blocks; false: the first thread reads all */
	uint8_t *block_room; /* of blocks that are not mapped */

	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* rings: what is at from .. to - 1 is full, modulo their size */
	struct reader_block blocks[BLOCKS];
	unsigned blocks_from, blocks_to;
	unsigned blocks_taken; /* by the first thread, which still uses the latest two */
	bool reading;          /* somebody fills blocks[blocks_to] */
	bool input_over;
	struct batch *batches;
	unsigned batches_from, batches_to;
	bool over; /* no batch will follow */
};

/* In a batch. */
static size_t record_size(const struct conn *c)
{
	return (c->size + 15) / 16 * 16;
}

struct relay *relay_new(struct reader *r, bool is_file, const struct relay_sink *sink)
{
	static const size_t size = READER_ROOM + BLOCK_BYTES;
	struct relay *q = xcalloc(1, sizeof(*q));

	q->reader = r;
	q->sink = *sink;
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->changed, NULL);
	q->batches = xcalloc(BATCHES, sizeof(*q->batches));
	q->shared = is_file;
	if (is_file && !reader_map(r))
		q->block_room = xcalloc(BLOCKS, size);
	for (unsigned i = 0; i < BLOCKS && q->block_room; i++) {
		q->blocks[i].room = q->block_room + i * size + READER_ROOM;
		q->blocks[i].room_size = BLOCK_BYTES;
	}
	return q;
}

void relay_free(struct relay *q)
{
	if (!q)
		return;
	pthread_cond_destroy(&q->changed);
	pthread_mutex_destroy(&q->lock);
	free(q->block_room);
	free(q->batches);
	free(q);
}

/* ---- either thread ---- */

/* Instead of waiting: reads a block, if there is room and the other one doesn't. False: it did not,
 * and nothing has changed. With the lock held, which is released meanwhile. */
static bool read_block(struct relay *q)
{
	struct reader_block *b = &q->blocks[q->blocks_to % BLOCKS];

	if (!q->shared || q->reading || q->input_over || q->blocks_to - q->blocks_from == BLOCKS)
		return false;
	q->reading = true;
	pthread_mutex_unlock(&q->lock);
	reader_ahead(q->reader, b);
	pthread_mutex_lock(&q->lock);
	q->reading = false;
	if (b->len > 0)
		q->blocks_to++;
	else
		q->input_over = true;
	pthread_cond_broadcast(&q->changed);
	return true;
}

static void read_or_wait(struct relay *q)
{
	if (!read_block(q))
		pthread_cond_wait(&q->changed, &q->lock);
}

/* ---- the second thread: takes records ---- */

static void take_batch(const struct relay_sink *s, const struct batch *b)
{
	const struct conn *c = (const void *)b->bytes;

	for (size_t at = 0; at < b->len;) {
		const struct conn *next = (const void *)(b->bytes + at + record_size(c));
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
			read_or_wait(q);
			continue;
		}
		const struct batch *b = &q->batches[q->batches_from % BATCHES];
		pthread_mutex_unlock(&q->lock);
		take_batch(&q->sink, b);
		pthread_mutex_lock(&q->lock);
		q->batches_from++;
		pthread_cond_broadcast(&q->changed);
	}
	pthread_mutex_unlock(&q->lock);
	return NULL;
}

/* ---- the first thread: frames, and tracks ---- */

/* Gives the block before the latest one back; of the latest the reader still needs the end. */
static const struct reader_block *next_block(void *ctx)
{
	struct relay *q = ctx;
	const struct reader_block *b = NULL;

	if (q->blocks_taken - q->blocks_from == 2)
		reader_behind(q->reader, &q->blocks[q->blocks_from % BLOCKS]);
	pthread_mutex_lock(&q->lock);
	if (q->blocks_taken - q->blocks_from == 2) {
		q->blocks_from++;
		pthread_cond_broadcast(&q->changed);
	}
	while (q->blocks_taken == q->blocks_to && !q->input_over)
		read_or_wait(q);
	if (q->blocks_taken != q->blocks_to)
		b = &q->blocks[q->blocks_taken++ % BLOCKS];
	pthread_mutex_unlock(&q->lock);
	return b;
}

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

void relay_record(void *ctx, const struct conn *c)
{
	struct relay *q = ctx;
	struct batch *b = &q->batches[q->batches_to % BATCHES];
	size_t size = record_size(c);

	if (size > BATCH_BYTES - b->len) {
		hand_over(q);
		b = &q->batches[q->batches_to % BATCHES];
	}
	conn_move(b->bytes + b->len, c);
	b->len += size;
}

static void first_thread(struct relay *q, struct engine *e)
{
	struct frame frames[FRAMES];
	size_t n;

	while ((n = reader_next(q->reader, frames, FRAMES)) > 0) {
		engine_frames(e, frames, n);
		if (!q->shared && n < FRAMES)
			hand_over(q);
	}
	engine_finish(e);
	hand_over(q);
}

int relay_run(struct relay *q, struct engine *e, struct err *err)
{
	pthread_t thread;

	if (q->shared)
		reader_take_blocks(q->reader, next_block, q);
	int rc = pthread_create(&thread, NULL, second_thread, q);
	if (rc != 0)
		return err_set(err, ERR_RUN, "no thread: %s", strerror(rc));
	first_thread(q, e);
	pthread_mutex_lock(&q->lock);
	q->over = true;
	q->input_over = true; /* a broken file may go on */
	pthread_cond_broadcast(&q->changed);
	pthread_mutex_unlock(&q->lock);
	pthread_join(thread, NULL);
	return 0;
}
