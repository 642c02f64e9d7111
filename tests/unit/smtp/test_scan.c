/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The short way of the scanner says what the long way says, or nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "smtp/scan.h"

#define BYTES(s) s, sizeof(s) - 1

static const struct {
	const char *bytes;
	size_t len;
	bool taken; /* the short way takes it */
} table[] = {
	{BYTES("220 mx.example ESMTP\r\n"), true},
	{BYTES("250-a\r\n250-SIZE 1\r\n250 STARTTLS\r\n"), true},
	{BYTES("250 ok\r\n354 go\r\n"), true},
	{BYTES("250 \r\n"), true},
	{BYTES("250-\r\n250 \r\n"), true},
	{BYTES("250 a\rb\r\n"), true},
	{BYTES("250 a\0b\r\n"), true},
	{BYTES("250\r\n"), false},
	{BYTES("250 ok\n"), false},
	{BYTES("250-a\r\n"), false},
	{BYTES("250-a\r\n250 b"), false},
	{BYTES("250-a\r\n251 b\r\n"), false},
	{BYTES("250-a\n250 b\r\n"), false},
	{BYTES("250-a\r\n250\r\n"), false},
	{BYTES("250-a\r\nb\r\n"), false},
	{BYTES("150 a\r\n"), false},
	{BYTES("2x0 a\r\n"), false},
	{BYTES("250_a\r\n"), false},
	{BYTES("250 \n"), false},
	{BYTES(""), false},
};

struct result {
	struct smtp_scan scan;
	char text[4096];
	struct smtp_sink sink;
	size_t used;
};

static void compare(const char *bytes, size_t len, bool taken)
{
	struct result fast = {0}, slow = {0};

	fast.sink = (struct smtp_sink){.text = fast.text, .size = sizeof(fast.text)};
	slow.sink = (struct smtp_sink){.text = slow.text, .size = sizeof(slow.text)};
	fast.used = smtp_scan_whole(&fast.scan, bytes, len, &fast.sink);
	slow.used = smtp_scan(&slow.scan, bytes, len, &slow.sink);
	assert_int_equal(fast.used > 0, taken);
	if (!taken) {
		assert_int_equal(fast.scan.bytes + fast.scan.n_lines + fast.sink.len, 0);
		return;
	}
	assert_int_equal(fast.used, slow.used);
	assert_int_equal(fast.sink.len, slow.sink.len);
	assert_memory_equal(fast.text, slow.text, fast.sink.len);
	assert_int_equal(fast.scan.status, slow.scan.status);
	assert_int_equal(fast.scan.code, slow.scan.code);
	assert_int_equal(fast.scan.n_lines, slow.scan.n_lines);
	assert_int_equal(fast.scan.bytes, slow.scan.bytes);
	assert_int_equal(fast.scan.bare_lf || fast.scan.mixed_codes || fast.sink.cut, false);
	assert_int_equal(slow.scan.bare_lf || slow.scan.mixed_codes || slow.sink.cut, false);
}

static void both_ways(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		compare(table[i].bytes, table[i].len, table[i].taken);
}

static void long_lines_and_many(void **state)
{
	char bytes[4096];
	size_t n = 0;

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	memcpy(bytes, "250 ", 4);
	memcpy(bytes + SMTP_LINE_MAX - 1, "\r\n", 2);
	compare(bytes, SMTP_LINE_MAX + 1, true);
	memcpy(bytes + SMTP_LINE_MAX - 1, "xx\r\n", 4);
	compare(bytes, SMTP_LINE_MAX + 3, false);
	for (unsigned i = 0; i < SMTP_LINES_MAX + 10; i++, n += 7)
		memcpy(bytes + n, "250-x\r\n", 7);
	bytes[n - 4] = ' ';
	compare(bytes, n, false);
}

/* Text that may not fit is left to the long way, which cuts it. */
static void small_sink(void **state)
{
	struct smtp_scan scan = {0};
	char text[8];
	struct smtp_sink sink = {.text = text, .size = sizeof(text)};

	(void)state;
	assert_int_equal(smtp_scan_whole(&scan, "220 mx.example\r\n", 16, &sink), 0);
	assert_int_equal(sink.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ways),
		cmocka_unit_test(long_lines_and_many),
		cmocka_unit_test(small_sink),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
