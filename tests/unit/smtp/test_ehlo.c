/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "smtp/ehlo.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct smtp_ehlo parse(const char *const *lines)
{
	struct smtp_ehlo e;

	memset(&e, 0xff, sizeof(e));
	smtp_ehlo_parse(&e, lines);
	return e;
}

#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

static void test_capabilities(void **state)
{
	(void)state;
	struct smtp_ehlo e = PARSE("mx.example.net", "PIPELINING", "SIZE 10240000", "starttls",
				   "AUTH PLAIN login", "8BITMIME", "Chunking", "SMTPUTF8",
				   "X-EXPS GSSAPI", "XCLIENT NAME ADDR");

	assert_true(e.pipelining && e.size && e.starttls && e.chunking && e.utf8);
	assert_int_equal(e.masked, 0);
	assert_int_equal(e.n_keywords, 9);
	assert_string_equal(e.keywords[1], "SIZE 10240000");
	assert_string_equal(e.keywords[2], "STARTTLS");
	assert_string_equal(e.keywords[5], "CHUNKING");
	assert_int_equal(e.n_auth, 2);
	assert_string_equal(e.auth[0], "PLAIN");
	assert_string_equal(e.auth[1], "LOGIN");
}

static void test_nothing(void **state)
{
	(void)state;
	assert_int_equal(parse(NULL).n_keywords, 0);
	assert_int_equal(PARSE(NULL).n_keywords, 0);
	/* the first line is a name, whatever it says */
	struct smtp_ehlo e = PARSE("STARTTLS");
	assert_false(e.starttls);
	/* no keywords: greetings in sentences, empty lines, what only begins alike */
	e = PARSE("mx", "", " STARTTLS", "-", "\\x1bSTARTTLS", "STARTTLS.", "STARTTLSX", "=X");
	assert_false(e.starttls);
	assert_int_equal(e.n_keywords, 1);
	assert_string_equal(e.keywords[0], "STARTTLSX");
}

static void test_auth(void **state)
{
	(void)state;
	/* old servers write it for old clients a second time */
	struct smtp_ehlo e = PARSE("mx", "AUTH LOGIN PLAIN", "AUTH=LOGIN PLAIN CRAM-MD5");
	assert_int_equal(e.n_auth, 3);
	assert_string_equal(e.auth[2], "CRAM-MD5");
	assert_int_equal(PARSE("mx", "AUTH").n_auth, 0);
	e = PARSE("mx", "auth =login  NTLM");
	assert_int_equal(e.n_auth, 2);
	assert_string_equal(e.auth[0], "LOGIN");
	/* what is no mechanism is not made one by cutting it */
	e = PARSE("mx", "AUTH PLAINPLAINPLAINPLAINPLAIN PL\\x00AIN LOGIN");
	assert_int_equal(e.n_auth, 1);
	assert_string_equal(e.auth[0], "LOGIN");
	e = PARSE("mx", "AUTH A B C D E F G H I J K L M N O P Q R S");
	assert_int_equal(e.n_auth, EHLO_MAX_AUTH);
}

static void test_masked(void **state)
{
	static const struct {
		const char *line;
		unsigned masked;
		bool starttls;
	} cases[] = {
		{"XXXXXXXA", 1, true},    {"xxxxxxxa", 1, true},
		{"XXXXXXXX", 1, true},    {"XXXXXXXB", 1, false},
		{"XXXX", 1, false},       {"XXXB", 1, false},
		{"XXXX PLAIN", 1, false}, {"XXXXXXXXXXXXXXXXXXXXB", 1, false},
		{"XXX", 0, false},        {"XXA", 0, false},
		{"XEXCH50", 0, false},    {"X-XXXXXX", 0, false},
		{"XXXX1", 0, false},      {"XXXXAA", 0, false},
		{"XCLIENT", 0, false},    {"AXXXXXXX", 0, false},
		{"SIZE XXXX", 0, false},
	};
	(void)state;

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct smtp_ehlo e = PARSE("mx", cases[i].line);
		if (e.masked != cases[i].masked || e.starttls_masked != cases[i].starttls)
			fail_msg("%s: masked %u, STARTTLS %d", cases[i].line, e.masked,
				 e.starttls_masked);
	}
	struct smtp_ehlo e = PARSE("mx", "XXXXXXXA", "STARTTLS");
	assert_int_equal(e.masked, 1);
	assert_false(e.starttls_masked);
}

static void test_many(void **state)
{
	const char *lines[200];
	(void)state;

	for (size_t i = 0; i + 1 < COUNT(lines); i++)
		lines[i] = "HELP";
	lines[COUNT(lines) - 2] = "STARTTLS";
	lines[COUNT(lines) - 1] = NULL;
	struct smtp_ehlo e = parse(lines);
	assert_int_equal(e.n_keywords, EHLO_MAX_KEYWORDS);
	assert_true(e.starttls); /* counts wherever it stands */
}

static void test_greeting_masked(void **state)
{
	static const char *const masked[] = {
		"****",
		"220 ****************",
		"*****2******0***",
		"********* ***** ***",
		"**** / ****",
		"220 ***************************2***2002*******2***0*00",
	};
	static const char *const clear[] = {
		"",
		"***",
		"2 0 2 0",
		"mx.example.net ESMTP",
		"2222****0000 2",
		"mx.example.net ESMTP **** no spam here ****",
		"**** WELCOME ****",
		"****.example.net",
	};
	(void)state;

	for (size_t i = 0; i < COUNT(masked); i++)
		if (!smtp_greeting_masked(masked[i]))
			fail_msg("not masked: %s", masked[i]);
	for (size_t i = 0; i < COUNT(clear); i++)
		if (smtp_greeting_masked(clear[i]))
			fail_msg("masked: %s", clear[i]);
}

static void test_greeting_name(void **state)
{
	static const struct {
		const char *text, *name; /* NULL: none */
	} cases[] = {
		{"mx.example.net ESMTP Postfix", "mx.example.net"},
		{"mx.example.net", "mx.example.net"},
		{"  MX-1.Example.NET. ESMTP", "MX-1.Example.NET"},
		{"mx.example.net, hello", "mx.example.net"},
		{"mx_1.example.net ESMTP", "mx_1.example.net"},
		{"xn--mx-fka.example ESMTP", "xn--mx-fka.example"},
		{"[192.0.2.1] ESMTP", "[192.0.2.1]"},
		{"[IPv6:2001:db8::1] ESMTP", "[IPv6:2001:db8::1]"},
		{"", NULL},
		{"   ", NULL},
		{"ESMTP ready", NULL},
		{"localhost ESMTP", NULL},
		{"192.0.2.1 ESMTP", NULL},
		{"Postfix-2.11.3 ready", NULL},
		{"a..b ESMTP", NULL},
		{".example.net x", NULL},
		{"mx.example.net\\x1b[31m", NULL},
		{"*************", NULL},
		{"[192.0.2.999]", NULL},
		{"[2001:db8::1]", NULL},
		{"[IPv6:192.0.2.1]", NULL},
		{"[IPv6:fe80::1%lo]", NULL},
		{"[]", NULL},
		{"[", NULL},
		{"...", NULL},
	};
	char out[128], tight[15];
	(void)state;

	for (size_t i = 0; i < COUNT(cases); i++) {
		bool is = smtp_greeting_name(cases[i].text, out, sizeof(out));
		if (is != (cases[i].name != NULL))
			fail_msg("\"%s\": expected %s", cases[i].text,
				 cases[i].name ? cases[i].name : "none");
		if (is)
			assert_string_equal(out, cases[i].name);
	}
	assert_true(smtp_greeting_name("mx.example.net x", tight, 15));
	assert_false(smtp_greeting_name("mx.example.net x", tight, 14));
	assert_false(smtp_greeting_name("mx.example.net x", tight, 0));
	char label[80];
	snprintf(label, sizeof(label), "%064d.example.net", 0);
	assert_false(smtp_greeting_name(label, out, sizeof(out)));
	assert_true(smtp_greeting_name(label + 1, out, sizeof(out)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_capabilities),  cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_auth),          cmocka_unit_test(test_masked),
		cmocka_unit_test(test_many),          cmocka_unit_test(test_greeting_masked),
		cmocka_unit_test(test_greeting_name),
	};

	return cmocka_run_group_tests_name("ehlo", tests, NULL, NULL);
}
