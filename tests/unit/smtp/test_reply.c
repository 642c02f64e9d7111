/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "smtp/reply.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define BYTES(s) s, sizeof(s) - 1

struct outcome {
	enum smtp_status status;
	size_t used;
	int code;
	unsigned n_lines;
	bool bare_lf, mixed_codes, text_cut;
	const char *text;
	size_t text_len;
};

static const struct {
	const char *bytes;
	size_t len;
	struct outcome is;
} table[] = {
	{BYTES("220 mx.example ESMTP\r\n"), {SMTP_REPLY, 22, 220, 1, .text = "mx.example ESMTP"}},
	{BYTES("250\r\n"), {SMTP_REPLY, 5, 250, 1, .text = ""}},
	{BYTES("250 \r\n"), {SMTP_REPLY, 6, 250, 1, .text = ""}},
	{BYTES("250\n"), {SMTP_REPLY, 4, 250, 1, .bare_lf = true, .text = ""}},
	{BYTES("599 z\r\n"), {SMTP_REPLY, 7, 599, 1, .text = "z"}},
	{BYTES("200 a\r\n"), {SMTP_REPLY, 7, 200, 1, .text = "a"}},
	/* the next reply is not touched */
	{BYTES("250 ok\r\n354 go\r\n"), {SMTP_REPLY, 8, 250, 1, .text = "ok"}},
	{BYTES("250-a\r\n250-SIZE 1\r\n250 STARTTLS\r\n"),
	 {SMTP_REPLY, 33, 250, 3, .text = "a\nSIZE 1\nSTARTTLS"}},
	{BYTES("250-\r\n250-\r\n250\r\n"), {SMTP_REPLY, 17, 250, 3, .text = "\n\n"}},
	{BYTES("250-a\n250 b\r\n"), {SMTP_REPLY, 13, 250, 2, .bare_lf = true, .text = "a\nb"}},
	{BYTES("250-a\r\n250 b\n"), {SMTP_REPLY, 13, 250, 2, .bare_lf = true, .text = "a\nb"}},
	/* the codes disagree: the last one, on which RFC 5321 4.2.1 lets the client search */
	{BYTES("250-a\r\n550 b\r\n"),
	 {SMTP_REPLY, 14, 550, 2, .mixed_codes = true, .text = "a\nb"}},
	/* a PIX or ASA hides the banner */
	{BYTES("220 *****2******0***\r\n"), {SMTP_REPLY, 22, 220, 1, .text = "*****2******0***"}},
	{BYTES("220 ***"), {.status = SMTP_MORE, .used = 7}},
	{BYTES("554 5.7.1 no\r\n"), {SMTP_REPLY, 14, 554, 1, .text = "5.7.1 no"}},
	/* CR inside is text; only CR LF and LF end a line */
	{BYTES("250 a\rb\r\r\n"), {SMTP_REPLY, 10, 250, 1, .text = "a\rb\r"}},
	{BYTES("250 a\0b\xff\r\n"), {SMTP_REPLY, 10, 250, 1, .text = "a\0b\xff", .text_len = 4}},

	{BYTES(""), {.status = SMTP_MORE, .used = 0}},
	{BYTES("2"), {.status = SMTP_MORE, .used = 1}},
	{BYTES("250\r"), {.status = SMTP_MORE, .used = 4}},
	{BYTES("250-a\r\n"), {.status = SMTP_MORE, .used = 7}},

	{BYTES("SSH-2.0-OpenSSH_9.2\r\n"), {.status = SMTP_NOT_SMTP, .used = 1}},
	{BYTES("HTTP/1.1 400 Bad Request\r\n"), {.status = SMTP_NOT_SMTP, .used = 1}},
	{BYTES("\x16\x03\x01\x02\x00"), {.status = SMTP_NOT_SMTP, .used = 1}},
	{BYTES("* OK IMAP4rev1\r\n"), {.status = SMTP_NOT_SMTP, .used = 1}},
	{BYTES("+OK POP3\r\n"), {.status = SMTP_NOT_SMTP, .used = 1}},
	{BYTES("<html>"), {.status = SMTP_NOT_SMTP, .used = 1}},
	{BYTES("\0"), {.status = SMTP_NOT_SMTP, .used = 1}},
	{BYTES("\r\n220 a\r\n"), {.status = SMTP_NOT_SMTP, .used = 1}},
	{BYTES(" 220 a\r\n"), {.status = SMTP_NOT_SMTP, .used = 1}},
	{BYTES("100 a\r\n"), {.status = SMTP_NOT_SMTP, .used = 1}},
	{BYTES("600 a\r\n"), {.status = SMTP_NOT_SMTP, .used = 1}},
	{BYTES("2x0 a\r\n"), {.status = SMTP_NOT_SMTP, .used = 2}},
	{BYTES("25\r\n"), {.status = SMTP_NOT_SMTP, .used = 3}},
	{BYTES("25\n"), {.status = SMTP_NOT_SMTP, .used = 3}},
	{BYTES("220"
	       "\0 a\r\n"),
	 {.status = SMTP_NOT_SMTP, .used = 4}},
	{BYTES("2200 a\r\n"), {.status = SMTP_NOT_SMTP, .used = 4}},
	{BYTES("220\ta\r\n"), {.status = SMTP_NOT_SMTP, .used = 4}},
	{BYTES("250\rx\n"), {.status = SMTP_NOT_SMTP, .used = 5}},
	/* every line of a reply has its code, unlike FTP's */
	{BYTES("220-welcome\r\n to all\r\n220 ready\r\n"), {.status = SMTP_NOT_SMTP, .used = 14}},
	{BYTES("250-a\r\n\r\n"), {.status = SMTP_NOT_SMTP, .used = 8}},
};

static void assert_same(const struct smtp_parser *a, const struct smtp_parser *b)
{
	assert_int_equal(a->status, b->status);
	assert_int_equal(a->code, b->code);
	assert_int_equal(a->n_lines, b->n_lines);
	assert_int_equal(a->bare_lf, b->bare_lf);
	assert_int_equal(a->mixed_codes, b->mixed_codes);
	assert_int_equal(a->text_cut, b->text_cut);
	assert_int_equal(a->text_len, b->text_len);
	assert_memory_equal(a->text, b->text, a->text_len);
	assert_int_equal(a->bytes, b->bytes);
	assert_int_equal(a->line_len, b->line_len);
	assert_memory_equal(a->line, b->line, a->line_len);
}

/* Feeds a heap copy of the exact size; returns the bytes used. */
static size_t feed(struct smtp_parser *p, const char *bytes, size_t len)
{
	char *block = malloc(len + 1);
	size_t used = 99;

	memcpy(block + 1, bytes, len);
	enum smtp_status status = smtp_feed(p, block + 1, len, &used);
	assert_int_equal(status, p->status);
	assert_true(used <= len);
	assert_true(p->status != SMTP_MORE || used == len);
	free(block);
	return used;
}

static void reads_replies(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		const struct outcome *is = &table[i].is;
		struct smtp_parser p;

		smtp_parser_init(&p);
		assert_int_equal(feed(&p, table[i].bytes, table[i].len), is->used);
		assert_int_equal(p.status, is->status);
		if (is->status != SMTP_REPLY)
			continue;
		assert_int_equal(p.code, is->code);
		assert_int_equal(p.n_lines, is->n_lines);
		assert_int_equal(p.bare_lf, is->bare_lf);
		assert_int_equal(p.mixed_codes, is->mixed_codes);
		assert_int_equal(p.text_cut, is->text_cut);
		size_t text_len = is->text_len ? is->text_len : strlen(is->text);
		assert_int_equal(p.text_len, text_len);
		assert_memory_equal(p.text, is->text, text_len);
	}
}

/* Whole, at every pair of split points, and byte by byte: the same. */
static void split_does_not_matter(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		const char *bytes = table[i].bytes;
		size_t len = table[i].len;
		struct smtp_parser whole, parts;

		smtp_parser_init(&whole);
		size_t used = feed(&whole, bytes, len);
		for (size_t a = 0; a <= len; a++) {
			for (size_t b = a; b <= len; b++) {
				smtp_parser_init(&parts);
				size_t n = feed(&parts, bytes, a);
				n += feed(&parts, bytes + a, b - a);
				n += feed(&parts, bytes + b, len - b);
				assert_int_equal(n, used);
				assert_same(&parts, &whole);
			}
		}
		smtp_parser_init(&parts);
		for (size_t at = 0; at < len; at++)
			feed(&parts, bytes + at, 1);
		assert_same(&parts, &whole);
	}
}

static void final_status_is_sticky(void **state)
{
	struct smtp_parser p;

	(void)state;
	smtp_parser_init(&p);
	assert_int_equal(feed(&p, BYTES("SSH")), 1);
	assert_int_equal(feed(&p, BYTES("220 a\r\n")), 0);
	assert_int_equal(p.status, SMTP_NOT_SMTP);
	smtp_parser_init(&p);
	feed(&p, BYTES("220 a\r\n"));
	assert_int_equal(feed(&p, BYTES("250 b\r\n")), 0);
	assert_int_equal(p.code, 220);
	smtp_parser_init(&p);
	feed(&p, BYTES("250 b\r\n"));
	assert_int_equal(p.code, 250);
}

/* what not SMTP began with stays for the evidence */
static void keeps_the_wrong_bytes(void **state)
{
	struct smtp_parser p;

	(void)state;
	smtp_parser_init(&p);
	feed(&p, BYTES("22 SSH"));
	assert_int_equal(p.line_len, 3);
	assert_memory_equal(p.line, "22 ", 3);
}

static char *repeat(const char *bytes, size_t n, size_t *len)
{
	size_t one = strlen(bytes);
	char *all = malloc(one * n);

	for (size_t i = 0; i < n; i++)
		memcpy(all + i * one, bytes, one);
	*len = one * n;
	return all;
}

/* Feeds it whole and in pieces of 1, 7 and 1460 bytes. */
static void feed_all_ways(struct smtp_parser *p, const char *bytes, size_t len, size_t expect_used)
{
	static const size_t pieces[] = {1, 7, 1460};

	smtp_parser_init(p);
	assert_int_equal(feed(p, bytes, len), expect_used);
	for (size_t i = 0; i < COUNT(pieces); i++) {
		struct smtp_parser q;
		size_t used = 0;

		smtp_parser_init(&q);
		for (size_t at = 0; at < len; at += pieces[i])
			used += feed(&q, bytes + at, len - at < pieces[i] ? len - at : pieces[i]);
		assert_int_equal(used, expect_used);
		assert_same(&q, p);
	}
}

static void endless_line(void **state)
{
	struct smtp_parser p;
	size_t len;
	char *bytes = repeat("220 ", 20000, &len);

	(void)state;
	feed_all_ways(&p, bytes, len, SMTP_REPLY_BYTES_MAX);
	assert_int_equal(p.status, SMTP_TOO_LONG);
	free(bytes);
}

static void longest_reply(void **state)
{
	struct smtp_parser p;
	size_t len;
	char *bytes = repeat("2200", SMTP_REPLY_BYTES_MAX / 4, &len);

	(void)state;
	/* its last byte is the last that is read */
	bytes[3] = ' ';
	bytes[len - 1] = '\n';
	feed_all_ways(&p, bytes, len, len);
	assert_int_equal(p.status, SMTP_REPLY);
	assert_true(p.text_cut);
	assert_int_equal(p.text_len, SMTP_LINE_MAX - 4);
	free(bytes);
}

static void long_line_keeps_its_begin(void **state)
{
	struct smtp_parser p;
	size_t len;
	char *bytes = repeat("2", SMTP_LINE_MAX + 1, &len);

	(void)state;
	/* SMTP_LINE_MAX with its CR: whole */
	bytes[3] = ' ';
	bytes[len - 2] = '\r';
	bytes[len - 1] = '\n';
	feed_all_ways(&p, bytes, len, len);
	assert_int_equal(p.status, SMTP_REPLY);
	assert_int_equal(p.text_len, SMTP_LINE_MAX - 5);
	assert_false(p.text_cut);
	assert_false(p.bare_lf);
	/* one more without CR */
	bytes[len - 2] = 'x';
	feed_all_ways(&p, bytes, len, len);
	assert_int_equal(p.text_len, SMTP_LINE_MAX - 4);
	assert_false(p.text_cut);
	assert_true(p.bare_lf);
	free(bytes);
}

static void endless_multiline(void **state)
{
	struct smtp_parser p;
	size_t len;
	char *bytes = repeat("250-x\r\n", SMTP_LINES_MAX + 10, &len);

	(void)state;
	feed_all_ways(&p, bytes, len, SMTP_LINES_MAX * 7);
	assert_int_equal(p.status, SMTP_TOO_LONG);
	/* as many lines as may be */
	bytes[(SMTP_LINES_MAX - 1) * 7 + 3] = ' ';
	feed_all_ways(&p, bytes, len, SMTP_LINES_MAX * 7);
	assert_int_equal(p.status, SMTP_REPLY);
	assert_int_equal(p.n_lines, SMTP_LINES_MAX);
	assert_int_equal(p.text_len, SMTP_LINES_MAX * 2 - 1);
	free(bytes);
}

static void much_text_is_cut(void **state)
{
	struct smtp_parser p;
	size_t len;
	char *bytes =
		repeat("250-0123456789012345678901234567890123456789012345678901\r\n", 100, &len);

	(void)state;
	bytes[len - 58 + 3] = ' ';
	feed_all_ways(&p, bytes, len, len);
	assert_int_equal(p.status, SMTP_REPLY);
	assert_int_equal(p.n_lines, 100);
	assert_true(p.text_cut);
	assert_int_equal(p.text_len, SMTP_TEXT_MAX);
	free(bytes);
}

static void nuls(void **state)
{
	struct smtp_parser p;
	static const char zeros[SMTP_REPLY_BYTES_MAX + 1] = "250 ";

	(void)state;
	feed_all_ways(&p, zeros, sizeof(zeros), SMTP_REPLY_BYTES_MAX);
	assert_int_equal(p.status, SMTP_TOO_LONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_replies),
		cmocka_unit_test(split_does_not_matter),
		cmocka_unit_test(final_status_is_sticky),
		cmocka_unit_test(keeps_the_wrong_bytes),
		cmocka_unit_test(endless_line),
		cmocka_unit_test(longest_reply),
		cmocka_unit_test(long_line_keeps_its_begin),
		cmocka_unit_test(endless_multiline),
		cmocka_unit_test(much_text_is_cut),
		cmocka_unit_test(nuls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
