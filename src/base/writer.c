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

static const char two_digits[200] =
	"00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748"
	"4950515253545556575859606162636465666768697071727374757677787980818283848586878889909192939495969798"
	"99";

static inline void put_pair(char *out, unsigned below_100)
{
	memcpy(out, two_digits + below_100 * 2, 2);
}

static inline size_t text_below_100(char *out, unsigned n)
{
	if (n < 10) {
		out[0] = (char)('0' + n);
		return 1;
	}
	put_pair(out, n);
	return 2;
}

static inline size_t text_below_10000(char *out, unsigned n)
{
	if (n < 100)
		return text_below_100(out, n);
	size_t len = text_below_100(out, n / 100);
	put_pair(out + len, n % 100);
	return len + 2;
}

size_t text_of_uint(char *out, uint64_t n)
{
	if (n < 10000)
		return text_below_10000(out, (unsigned)n);
	size_t len = n < 100000000 ? text_below_10000(out, (unsigned)(n / 10000)) : text_of_uint(out, n / 10000);
	put_pair(out + len, (unsigned)(n % 10000 / 100));
	put_pair(out + len + 2, (unsigned)(n % 100));
	return len + 4;
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

static size_t text_of_v4(char *out, const uint8_t bytes[4])
{
	size_t n = 0;

	for (unsigned i = 0; i < 4; i++) {
		if (i)
			out[n++] = '.';
		n += text_below_10000(out + n, bytes[i]);
	}
	return n;
}

static size_t text_of_group(char *out, unsigned group)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;

	for (int shift = group > 0xfff ? 12 : group > 0xff ? 8 : group > 0xf ? 4 : 0; shift >= 0; shift -= 4)
		out[n++] = hex[group >> shift & 15];
	return n;
}

/* RFC 5952: the longest run of two zero groups and more, the first of equals, is "::". */
static size_t text_of_v6(char *out, const uint8_t bytes[16])
{
	unsigned groups[8], zeros = 0, best = 8, best_len = 1;
	size_t n = 0;

	for (unsigned i = 0; i < 8; i++) {
		groups[i] = (unsigned)bytes[2 * i] << 8 | bytes[2 * i + 1];
		zeros = groups[i] ? 0 : zeros + 1;
		if (zeros > best_len) {
			best_len = zeros;
			best = i + 1 - zeros;
		}
	}
	for (unsigned i = 0; i < 8; i++) {
		if (i == best) {
			out[n++] = ':';
			if (i + best_len == 8)
				out[n++] = ':';
			i += best_len - 1;
			continue;
		}
		if (i)
			out[n++] = ':';
		n += text_of_group(out + n, groups[i]);
	}
	return n;
}

size_t text_of_addr(char *out, const struct addr *a)
{
	static const uint8_t v4_within[10]; /* ::ffff:192.0.2.1 and ::192.0.2.1 */

	if (a->family == ADDR_V4)
		return text_of_v4(out, a->bytes);
	if (a->family == ADDR_V6 && memcmp(a->bytes, v4_within, sizeof(v4_within)) != 0)
		return text_of_v6(out, a->bytes);
	return strlen(addr_text(a, out));
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
