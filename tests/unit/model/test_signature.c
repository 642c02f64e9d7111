/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "model/signature.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static bool fits(const char *pattern, const char *text)
{
	struct signature one = {.kind = SIGNATURE_GREETING, .pattern = pattern, .name = "x"};
	struct signatures s = {&one, 1};

	return signature_find(&s, SIGNATURE_GREETING, text) != NULL;
}

static const struct {
	const char *pattern, *text;
	bool is;
} table[] = {
	{"", "", true},
	{"", "a", false},
	{"a", "", false},
	{"*", "", true},
	{"**", "anything", true},
	{"?", "", false},
	{"?", "a", true},
	{"?", "ab", false},
	{"abc", "abc", true},
	{"abc", "ABC", true},
	{"ABC", "abc", true},
	{"abc", "abcd", false},
	{"abc", "ab", false},
	{"*abc", "xxabc", true},
	{"*abc", "abcabcab", false},
	{"*abc", "abcababc", true},
	{"abc*", "abcx", true},
	{"*b*", "abc", true},
	{"*b*", "acc", false},
	{"a*b*c", "a--b--c", true},
	{"a*b*c", "a--c--b", false},
	{"a?c*", "abc", true},
	{"*?", "", false},
	{"*?", "a", true},
	{"?*?", "a", false},
	{"?*?", "ab", true},
	{"*CN=Avast*Root*", "CN=avast! Web/Mail Shield Root,O=avast", true},
	{"*aab", "aaaaaaab", true},
	/* nothing but * and ? is special, and in the text nothing is */
	{"[a]", "a", false},
	{"[a]", "[a]", true},
	{"a\\*", "a\\xx", true},
	{"a*c", "a*?c", true},
	{"abc", "a*c", false},
	/* case is folded for ASCII only */
	{"\xc3\xa4", "\xc3\xa4", true},
	{"\xc3\xa4", "\xc3\x84", false},
};

static void test_glob(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(table); i++)
		if (fits(table[i].pattern, table[i].text) != table[i].is)
			fail_msg("\"%s\" and \"%s\": expected %d", table[i].pattern, table[i].text,
				 table[i].is);
}

static void test_first_of_its_kind(void **state)
{
	static const struct signature list[] = {
		{.kind = SIGNATURE_EHLO, .pattern = "*", .name = "other kind"},
		{.kind = SIGNATURE_ISSUER, .pattern = "CN=A*", .name = "first"},
		{.kind = SIGNATURE_ISSUER, .pattern = "*", .name = "second"},
	};
	struct signatures s = {list, COUNT(list)}, none = {0};
	(void)state;

	assert_string_equal(signature_find(&s, SIGNATURE_ISSUER, "cn=a, o=b")->name, "first");
	assert_string_equal(signature_find(&s, SIGNATURE_ISSUER, "cn=b")->name, "second");
	assert_null(signature_find(&s, SIGNATURE_GREETING, "cn=b"));
	assert_null(signature_find(&s, SIGNATURE_ISSUER, NULL));
	assert_null(signature_find(&none, SIGNATURE_ISSUER, "cn=b"));
}

/* Nested retries would take 2^n steps here. */
static void test_bounded(void **state)
{
	char text[4097], pattern[257];
	(void)state;

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (size_t i = 0; i + 1 < sizeof(pattern); i++)
		pattern[i] = i % 2 ? 'a' : '*';
	pattern[sizeof(pattern) - 2] = 'b';
	pattern[sizeof(pattern) - 1] = '\0';
	int64_t before = clock_mono_ns();
	assert_false(fits(pattern, text));
	assert_true(clock_mono_ns() - before < NS_PER_S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_glob),
		cmocka_unit_test(test_first_of_its_kind),
		cmocka_unit_test(test_bounded),
	};

	return cmocka_run_group_tests_name("signature", tests, NULL, NULL);
}
