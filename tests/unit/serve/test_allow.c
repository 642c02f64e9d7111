/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "serve/allow.h"

static struct allow of(const char *const *entries)
{
	struct allow a = {.n = 0};
	struct err e;

	for (; *entries; entries++)
		assert_int_equal(allow_add(&a, *entries, &e), 0);
	return a;
}

static bool has_address(const struct allow *a, const char *text)
{
	struct addr address;

	assert_true(addr_parse(&address, text));
	return allow_address(a, &address);
}

static void test_networks(void **state)
{
	const struct allow a = of((const char *const[]){"192.0.2.0/25", "198.51.100.7",
							"2001:db8:5::/48", "[2001:db8::7]", NULL});

	(void)state;
	assert_true(has_address(&a, "192.0.2.0"));
	assert_true(has_address(&a, "192.0.2.127"));
	assert_false(has_address(&a, "192.0.2.128"));
	assert_true(has_address(&a, "198.51.100.7"));
	assert_false(has_address(&a, "198.51.100.6"));
	assert_true(has_address(&a, "2001:db8:5::25"));
	assert_false(has_address(&a, "2001:db8:6::25"));
	assert_true(has_address(&a, "2001:db8::7"));
	assert_false(allow_name(&a, "192.0.2.1"));
}

static void test_names(void **state)
{
	const struct allow a = of((const char *const[]){"mx.example.net", "*.example.org", NULL});

	(void)state;
	assert_true(allow_name(&a, "mx.example.net"));
	assert_true(allow_name(&a, "MX.Example.NET."));
	assert_false(allow_name(&a, "mx.example.net.evil.example"));
	assert_false(allow_name(&a, "amx.example.net"));
	assert_true(allow_name(&a, "a.example.org"));
	assert_true(allow_name(&a, "a.b.example.org."));
	assert_false(allow_name(&a, "example.org"));
	assert_false(allow_name(&a, "evilexample.org"));
	assert_false(allow_name(&a, ""));
	assert_false(has_address(&a, "192.0.2.1"));
}

static void test_everything(void **state)
{
	const struct allow a = of((const char *const[]){"*", NULL}), v4 = of((const char *const[]){
									    "0.0.0.0/0", NULL});

	(void)state;
	assert_true(allow_name(&a, "anything"));
	assert_true(has_address(&a, "::1"));
	assert_true(has_address(&v4, "10.0.0.1"));
	assert_false(has_address(&v4, "::1"));
}

static void test_malformed(void **state)
{
	static const char *const wrong[] = {
		"", "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/-1", "192.0.2.0/8x", "2001:db8::/129",
		"mx.example.net/24", "a b", "*example.net", "*.", "a*b", "<script>", "\xff",
	};
	struct allow a = {.n = 0};
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		if (allow_add(&a, wrong[i], &e) == 0)
			fail_msg("taken: '%s'", wrong[i]);
		assert_int_equal(e.status, ERR_USAGE);
		assert_non_null(strstr(e.text, "--allow"));
	}
	assert_int_equal(a.n, 0);
	for (int i = 0; i < ALLOW_MAX; i++)
		assert_int_equal(allow_add(&a, "*", &e), 0);
	assert_int_equal(allow_add(&a, "*", &e), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
