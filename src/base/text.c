/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/text.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Length of the valid UTF-8 sequence at p, or 0 (RFC 3629: no overlongs, no surrogates). */
static size_t utf8_sequence(const uint8_t *p, size_t left, uint32_t *code)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = p[0] < 0x80 ? 1 : (p[0] & 0xe0) == 0xc0 ? 2 : (p[0] & 0xf0) == 0xe0 ? 3
		 : (p[0] & 0xf8) == 0xf0 ? 4 : 0;

	if (n == 0 || n > left)
		return 0;
	if (n == 1) {
		*code = p[0];
		return 1;
	}
	uint32_t c = p[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*code = c;
	return n;
}

/* Code points that are shown as an escape: controls, and format characters that reorder or hide. */
static bool is_deceptive(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x061c ||
	       (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) ||
	       (c >= 0xe0000 && c <= 0xe0fff);
}

/* ---- many bytes at a time ---- */

typedef uint8_t block __attribute__((vector_size(16)));

static inline block block_at(const uint8_t *p)
{
	block b;

	memcpy(&b, p, sizeof(b));
	return b;
}

/* All of p's len bytes (1 to 15), some of them more than once. */
static inline block short_block(const uint8_t *p, size_t len)
{
	uint64_t half[2];
	block b;

	if (len >= 8) {
		memcpy(&half[0], p, 8);
		memcpy(&half[1], p + len - 8, 8);
	} else if (len >= 4) {
		uint32_t first, last;
		memcpy(&first, p, 4);
		memcpy(&last, p + len - 4, 4);
		half[0] = half[1] = (uint64_t)first << 32 | last;
	} else {
		half[0] = half[1] = UINT64_C(0x0101010101) * p[0] << 24 | (uint32_t)p[len / 2] << 8 |
				    (uint32_t)p[len - 1] << 16 | p[0];
	}
	memcpy(&b, half, sizeof(b));
	return b;
}

static inline block odd_bytes(block b, bool quotable)
{
	block odd = (block)((b - 0x20) > 0x7e - 0x20);

	return quotable ? odd | (block)(b == '"') | (block)(b == '\\') : odd;
}

static inline bool none(block odd)
{
	uint64_t half[2];

	memcpy(half, &odd, sizeof(half));
	return (half[0] | half[1]) == 0;
}

bool text_is_plain(const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	block odd = {0};

	if (len == 0)
		return true;
	if (len < sizeof(block))
		return none(odd_bytes(short_block(p, len), false));
	for (size_t i = 0; i + sizeof(block) < len; i += sizeof(block))
		odd |= odd_bytes(block_at(p + i), false);
	return none(odd | odd_bytes(block_at(p + len - sizeof(block)), false));
}

/* 1 to 15 bytes, some of them more than once. */
static inline void copy_short(char *out, const uint8_t *p, size_t len)
{
	if (len >= 8) {
		uint64_t first, last;
		memcpy(&first, p, 8);
		memcpy(&last, p + len - 8, 8);
		memcpy(out, &first, 8);
		memcpy(out + len - 8, &last, 8);
	} else if (len >= 4) {
		uint32_t first, last;
		memcpy(&first, p, 4);
		memcpy(&last, p + len - 4, 4);
		memcpy(out, &first, 4);
		memcpy(out + len - 4, &last, 4);
	} else {
		out[0] = (char)p[0];
		out[len / 2] = (char)p[len / 2];
		out[len - 1] = (char)p[len - 1];
	}
}

static inline block copy_block(char *out, const uint8_t *p)
{
	block b = block_at(p);

	memcpy(out, &b, sizeof(b));
	return odd_bytes(b, true);
}

bool text_copy_quotable(char *out, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	block odd = {0};

	if (len == 0)
		return true;
	if (len < sizeof(block)) {
		copy_short(out, p, len);
		return none(odd_bytes(short_block(p, len), true));
	}
	for (size_t i = 0; i + sizeof(block) < len; i += sizeof(block))
		odd |= copy_block(out + i, p + i);
	return none(odd | copy_block(out + len - sizeof(block), p + len - sizeof(block)));
}

/* ---- cleaning ---- */

size_t text_clean_into(char *out, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	size_t n = 0;

	for (size_t i = 0; i < len;) {
		uint32_t code = 0;
		size_t step = utf8_sequence(p + i, len - i, &code);
		if (step == 0) {
			n += (size_t)sprintf(out + n, "\\x%02x", p[i]);
			step = 1;
		} else if (is_deceptive(code)) {
			n += (size_t)sprintf(out + n, code < 0x80 ? "\\x%02x" : "\\u{%04x}", code);
		} else {
			memcpy(out + n, p + i, step);
			n += step;
		}
		i += step;
	}
	return n;
}

char *text_clean(struct arena *a, const void *bytes, size_t len, size_t max_bytes)
{
	bool cut = len > max_bytes;

	if (cut)
		len = max_bytes;
	bool plain = text_is_plain(bytes, len);
	char *out = arena_alloc(a, len * (plain ? 1 : TEXT_MAX_GROWTH) + sizeof("..."));
	size_t n = len;
	if (plain)
		memcpy(out, bytes, len);
	else
		n = text_clean_into(out, bytes, len);
	memcpy(out + n, cut ? "..." : "", cut ? 4 : 1);
	return out;
}

bool text_is_clean(const char *s)
{
	const uint8_t *p = (const uint8_t *)s;
	size_t len = strlen(s);

	for (size_t i = 0; i < len;) {
		uint32_t code = 0;
		size_t step = utf8_sequence(p + i, len - i, &code);
		if (step == 0 || is_deceptive(code))
			return false;
		i += step;
	}
	return true;
}

size_t text_width(const char *clean)
{
	size_t n = 0;

	for (; *clean; clean++)
		n += ((uint8_t)*clean & 0xc0) != 0x80;
	return n;
}
