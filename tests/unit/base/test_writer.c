/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The fast ways of writing numbers, addresses and plain text, against the slow ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "base/writer.h"

static uint64_t random_state = 1;

static uint64_t draw(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 0x2545f4914f6cdd1d;
}

static void check_number(uint64_t n)
{
	char text[32], expected[32];

	text[text_of_uint(text, n)] = '\0';
	snprintf(expected, sizeof(expected), "%llu", (unsigned long long)n);
	assert_string_equal(text, expected);
}

static void numbers(void **state)
{
	(void)state;
	for (uint64_t n = 0; n < 20000; n++)
		check_number(n);
	for (uint64_t power = 1; power < UINT64_MAX / 10; power *= 10)
		for (uint64_t n = power - 1; n <= power + 1; n++)
			check_number(n);
	for (unsigned i = 0; i < 100000; i++)
		check_number(draw() >> draw() % 64);
	check_number(UINT64_MAX);
}

static void addresses(void **state)
{
	char text[ADDR_TEXT_MAX + 1], expected[ADDR_TEXT_MAX];

	(void)state;
	for (unsigned i = 0; i < 200000; i++) {
		struct addr a = {.family = i % 8 ? ADDR_V6 : ADDR_V4};
		/* groups of zeros, short and long ones, as mixed as may be */
		for (unsigned g = 0; g < (a.family == ADDR_V6 ? 8 : 2); g++) {
			unsigned v = draw() % 2 ? 0 : (unsigned)(draw() & 0xffff) >> draw() % 16;
			a.bytes[2 * g] = (uint8_t)(v >> 8);
			a.bytes[2 * g + 1] = (uint8_t)v;
		}
		text[text_of_addr(text, &a)] = '\0';
		assert_string_equal(text, addr_text(&a, expected));
	}
}

/* Every byte in every place of every short length. */
static void plain_text(void **state)
{
	char text[40], copy[sizeof(text) + 1];

	(void)state;
	for (size_t len = 0; len < sizeof(text); len++) {
		memset(text, 'x', sizeof(text));
		memset(copy, '-', sizeof(copy));
		assert_true(text_is_plain(text, len));
		for (size_t i = 0; i < len; i++)
			text[i] = (char)('a' + i % 26);
		assert_true(text_copy_quotable(copy, text, len));
		assert_memory_equal(copy, text, len);
		assert_int_equal(copy[len], '-');
		memset(text, 'x', sizeof(text));
		for (size_t at = 0; at < len; at++) {
			for (unsigned c = 0; c < 256; c++) {
				bool plain = c >= 0x20 && c < 0x7f;
				text[at] = (char)c;
				assert_int_equal(text_is_plain(text, len), plain);
				assert_int_equal(text_copy_quotable(copy, text, len),
						 plain && c != '"' && c != '\\');
				assert_int_equal(copy[len], '-');
			}
			text[at] = 'x';
		}
		/* what stands behind it is no matter */
		text[len] = '\n';
		assert_true(text_is_plain(text, len));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(addresses),
		cmocka_unit_test(plain_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
