/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading position in foreign bytes, with a sticky error: reads go straight
 * on, give 0 after the first one that failed, and `fault` is checked once at
 * the end.
 *
 * Two bounds, since they mean different things: what a length field (or the
 * frame) promises, and what the snap length left of it. Past the first is
 * DECODE_MALFORMED, past the second alone DECODE_TRUNCATED.
 */
#ifndef SB_WIRE_CURSOR_H
#define SB_WIRE_CURSOR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "wire/decode.h"

struct cursor {
	const uint8_t *at;
	size_t cap;  /* bytes that are there; never more than left */
	size_t left; /* bytes promised */
	enum decode_result fault;
};

static inline struct cursor cursor_over(const uint8_t *bytes, size_t caplen, size_t wire_len)
{
	return (struct cursor){.at = bytes,
			       .cap = caplen,
			       .left = wire_len > caplen ? wire_len : caplen,
			       .fault = DECODE_OK};
}

static inline void cursor_fail(struct cursor *c, enum decode_result fault)
{
	if (c->fault == DECODE_OK)
		c->fault = fault;
	c->cap = 0;
	c->left = 0;
}

/* The next n bytes, or NULL and a fault. The reading primitive of all others. */
static inline const uint8_t *cursor_take(struct cursor *c, size_t n)
{
	const uint8_t *at = c->at;

	if (c->fault != DECODE_OK || n > c->cap) {
		cursor_fail(c, n > c->left ? DECODE_MALFORMED : DECODE_TRUNCATED);
		return NULL;
	}
	c->at += n;
	c->cap -= n;
	c->left -= n;
	return at;
}

static inline uint8_t cursor_u8(struct cursor *c)
{
	const uint8_t *b = cursor_take(c, 1);

	return b ? b[0] : 0;
}

static inline uint16_t cursor_u16(struct cursor *c)
{
	const uint8_t *b = cursor_take(c, 2);

	return b ? (uint16_t)(b[0] << 8 | b[1]) : 0;
}

static inline uint32_t cursor_u32(struct cursor *c)
{
	const uint8_t *b = cursor_take(c, 4);

	return b ? (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3] : 0;
}

static inline void cursor_bytes(struct cursor *c, void *out, size_t n)
{
	const uint8_t *b = cursor_take(c, n);

	if (b)
		memcpy(out, b, n);
	else
		memset(out, 0, n);
}

/* The next byte without moving; a fault when it isn't there. */
static inline uint8_t cursor_peek(struct cursor *c)
{
	if (c->cap == 0) {
		cursor_u8(c);
		return 0;
	}
	return c->at[0];
}

/* What follows is n bytes by a length field, which overrides the length known so far. */
static inline void cursor_limit(struct cursor *c, size_t n)
{
	if (c->fault != DECODE_OK)
		return;
	c->left = n;
	if (c->cap > n)
		c->cap = n;
}

/* A cursor of its own for the next n bytes, of which the snap length may have left fewer. */
static inline struct cursor cursor_sub(struct cursor *c, size_t n)
{
	struct cursor sub = *c;
	size_t there = n < c->cap ? n : c->cap;

	if (c->fault == DECODE_OK && n > c->left)
		cursor_fail(c, DECODE_MALFORMED);
	if (c->fault != DECODE_OK) {
		cursor_fail(&sub, c->fault);
		return sub;
	}
	sub.left = n;
	sub.cap = there;
	c->at += there;
	c->cap -= there;
	c->left -= n;
	return sub;
}

#endif
