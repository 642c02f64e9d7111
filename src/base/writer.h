/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A text put together piece by piece, for where printf() is too slow: a capture
 * can hold hundreds of thousands of connections, each with several sentences.
 *
 * The text is the arena's. Between writer_begin() and writer_end() nothing else
 * may be allocated from it.
 */
#ifndef SB_BASE_WRITER_H
#define SB_BASE_WRITER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/addr.h"
#include "base/arena.h"

struct writer {
	struct arena *arena;
	char *text;
	size_t len, room;
};

void writer_begin(struct writer *w, struct arena *a);
char *writer_end(struct writer *w); /* with a NUL at its end */

/* Room for n more bytes, at w->text + w->len. */
void writer_grow(struct writer *w, size_t n);

static inline char *writer_reserve(struct writer *w, size_t n)
{
	if (w->room - w->len < n)
		writer_grow(w, n);
	return w->text + w->len;
}

static inline void writer_put(struct writer *w, const char *bytes, size_t n)
{
	memcpy(writer_reserve(w, n), bytes, n);
	w->len += n;
}

static inline void writer_str(struct writer *w, const char *s)
{
	writer_put(w, s, strlen(s));
}

/* Foreign bytes, cleaned as text_clean() does; "..." marks what is beyond max_bytes. */
void writer_clean(struct writer *w, const void *bytes, size_t len, size_t max_bytes);

void writer_uint(struct writer *w, uint64_t n);
void writer_int(struct writer *w, int64_t n);
void writer_addr(struct writer *w, const struct addr *a);

/* A time in milliseconds or seconds, as a person would say it: "1.9 ms", "812 ms", "12.3 s". */
void writer_duration(struct writer *w, int64_t ns);

/* Decimal digits of n into out[20]; returns how many. */
size_t text_of_uint(char *out, uint64_t n);

/* The address as addr_text() gives it, without NUL, into out[ADDR_TEXT_MAX]; returns its length. */
size_t text_of_addr(char *out, const struct addr *a);

#endif
