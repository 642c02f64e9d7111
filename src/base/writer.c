/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/writer.h"

#include "base/clock.h"
#include "base/text.h"

#define FIRST_ROOM 256

void writer_begin(struct writer *w, struct arena *a)
{
	*w = (struct writer){.arena = a, .text = arena_alloc(a, FIRST_ROOM), .room = FIRST_ROOM};
}

char *writer_end(struct writer *w)
{
	*writer_reserve(w, 1) = '\0';
	arena_trim(w->arena, w->text, w->len + 1);
	return w->text;
}

void writer_grow(struct writer *w, size_t n)
{
	size_t room = w->room * 2 > w->len + n ? w->room * 2 : w->len + n;
	char *larger = arena_alloc(w->arena, room);

	memcpy(larger, w->text, w->len);
	w->text = larger;
	w->room = room;
}

void writer_clean(struct writer *w, const void *bytes, size_t len, size_t max_bytes)
{
	size_t n = len < max_bytes ? len : max_bytes;

	if (text_is_plain(bytes, n)) {
		writer_put(w, bytes, n);
	} else {
		char *out = writer_reserve(w, n * TEXT_MAX_GROWTH);
		w->len += text_clean_into(out, bytes, n);
	}
	if (n < len)
		writer_str(w, "...");
}

size_t text_of_uint(char *out, uint64_t n)
{
	char digits[20];
	size_t i = sizeof(digits);

	do
		digits[--i] = (char)('0' + n % 10);
	while (n /= 10);
	memcpy(out, digits + i, sizeof(digits) - i);
	return sizeof(digits) - i;
}

void writer_uint(struct writer *w, uint64_t n)
{
	char *out = writer_reserve(w, 20);

	w->len += text_of_uint(out, n);
}

void writer_int(struct writer *w, int64_t n)
{
	if (n < 0)
		writer_put(w, "-", 1);
	writer_uint(w, n < 0 ? 0 - (uint64_t)n : (uint64_t)n);
}

size_t text_of_addr(char *out, const struct addr *a)
{
	size_t n = 0;

	if (a->family != ADDR_V4)
		return strlen(addr_text(a, out));
	for (unsigned i = 0; i < 4; i++) {
		if (i)
			out[n++] = '.';
		n += text_of_uint(out + n, a->bytes[i]);
	}
	return n;
}

void writer_addr(struct writer *w, const struct addr *a)
{
	char *out = writer_reserve(w, ADDR_TEXT_MAX);

	w->len += text_of_addr(out, a);
}

void writer_duration(struct writer *w, int64_t ns)
{
	int64_t ms = (ns + NS_PER_MS / 2) / NS_PER_MS;
	bool tenths = ms < 10 || ms >= 1000;
	int64_t tenth = ms < 1000 ? (ns + NS_PER_MS / 20) / (NS_PER_MS / 10)
				  : (ns + NS_PER_S / 20) / (NS_PER_S / 10);

	writer_int(w, tenths ? tenth / 10 : ms);
	if (tenths) {
		writer_put(w, ".", 1);
		writer_uint(w, (uint64_t)(tenth < 0 ? 0 : tenth % 10));
	}
	writer_str(w, ms < 1000 ? " ms" : " s");
}
