/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Each direction's bytes in order. A segment that comes early waits for what
 * is missing, within bounds; what the other side has acknowledged and the
 * capture doesn't show is a hole, and the dialogue goes on behind it.
 */
#include <string.h>

#include "conn/engine_private.h"

/* Segments that wait, of one direction: a window of the usual 64 KB in full segments has 45. */
#define EARLY_MAX 32
/* ... and their bytes in all connections together, whatever the ceiling is. */
#define EARLY_BYTES_MAX ((size_t)8 << 20)
/* Interfaces and processors put packets into a capture in nearly the right order: an
 * acknowledgement may come before what it acknowledges by so much. */
#define HOLE_WAIT_US      50000
#define HOLE_WAIT_PACKETS 64

static int32_t diff(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

void stream_begin(struct stream *s, uint32_t base)
{
	s->base = s->next = s->una = s->parsed = base;
	s->known = true;
}

static void drop_first(struct engine *e, struct stream *s)
{
	struct early *first = s->early;

	s->early = first->next;
	s->n_early--;
	e->early_bytes -= first->got;
	blocks_give(&e->blocks, first, first->got);
}

void stream_clear(struct engine *e, struct stream *s)
{
	while (s->early)
		drop_first(e, s);
}

/* Bytes that are next in order. cap < len: the snap length cut the rest. */
static inline void consume(struct engine *e, struct track *t, enum conn_side side, const uint8_t *bytes,
		    uint32_t cap, uint32_t len)
{
	t->body->stream[side].parsed += len;
	if (cap)
		talk_bytes(e, t, side, bytes, cap);
	if (cap < len) {
		t->snap_cut = true;
		talk_hole(e, t, side, len - cap);
	}
}

/* What waits and is next by now, and what is too late. */
static void drain(struct engine *e, struct track *t, enum conn_side side)
{
	struct stream *s = &t->body->stream[side];

	while (s->early && diff(s->early->seq, s->parsed) <= 0) {
		struct early *first = s->early;
		uint32_t known = s->parsed - first->seq;

		if (known < first->len)
			consume(e, t, side,
				first->bytes + (known < first->cap ? known : first->cap),
				known < first->cap ? first->cap - known : 0, first->len - known);
		drop_first(e, s);
	}
}

static void skip_to(struct engine *e, struct track *t, enum conn_side side, uint32_t seq)
{
	struct stream *s = &t->body->stream[side];
	struct conn_half *h = &t->body->half[side];
	uint32_t missing = seq - s->parsed;

	if (!conn_seen(h->hole))
		h->hole = e->mark;
	h->hole_bytes += missing;
	s->parsed = seq;
	talk_hole(e, t, side, missing);
	drain(e, t, side);
}

static bool hole_is_due(const struct engine *e, struct stream *s)
{
	struct conn_mark now = e->mark;

	if (!s->hole) {
		s->hole = true;
		s->hole_packet = now.packet;
		s->hole_us = now.t_us;
	}
	return now.t_us - s->hole_us > HOLE_WAIT_US ||
	       now.packet - s->hole_packet > HOLE_WAIT_PACKETS;
}

void stream_holes(struct engine *e, struct track *t, enum conn_side side, bool now)
{
	struct stream *s = &t->body->stream[side];

	while (s->known && s->acked && diff(s->una, s->parsed) > 0) {
		uint32_t end = s->una;

		if (s->fin_known && end == s->fin_seq + 1)
			end = s->fin_seq;
		if (s->early && diff(s->early->seq, end) < 0)
			end = s->early->seq;
		if (diff(end, s->parsed) <= 0)
			break;
		if (!now && !hole_is_due(e, s))
			return;
		skip_to(e, t, side, end);
	}
	s->hole = false;
}

static void wait_for_turn(struct engine *e, struct stream *s, uint32_t seq, const uint8_t *bytes,
			  uint32_t cap, uint32_t len)
{
	struct early **at = &s->early, *new;
	size_t got;

	while (*at && diff((*at)->seq, seq) < 0)
		at = &(*at)->next;
	if (*at && (*at)->seq == seq && (*at)->len >= len)
		return;
	if (s->n_early == EARLY_MAX || e->early_bytes > EARLY_BYTES_MAX)
		return; /* becomes a hole when it is acknowledged */
	if (cap > BLOCK_MAX - sizeof(*new))
		cap = BLOCK_MAX - sizeof(*new);
	new = engine_take_block(e, sizeof(*new) + cap, &got);
	if (!new)
		return;
	*new = (struct early){.next = *at, .got = got, .seq = seq, .len = len, .cap = cap};
	memcpy(new->bytes, bytes, cap);
	*at = new;
	s->n_early++;
	e->early_bytes += got;
}

void stream_next(struct engine *e, struct track *t, enum conn_side side, const uint8_t *bytes, uint32_t cap,
		 uint32_t len)
{
	if (!t->body->stream[side].closed)
		consume(e, t, side, bytes, cap, len);
}

void stream_bytes(struct engine *e, struct track *t, enum conn_side side, uint32_t seq,
		  const uint8_t *bytes, uint32_t cap, uint32_t len)
{
	struct stream *s = &t->body->stream[side];
	int32_t ahead = diff(seq, s->parsed);

	if (s->closed)
		return;
	if (ahead > 0) {
		wait_for_turn(e, s, seq, bytes, cap, len);
		return;
	}
	uint32_t known = (uint32_t)-ahead;
	if (known >= len)
		return;
	consume(e, t, side, bytes + (known < cap ? known : cap), known < cap ? cap - known : 0,
		len - known);
	if (s->early)
		drain(e, t, side);
}
