/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Source ports of many runs: each has one owner, and none comes again soon. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <stdbool.h>

#include "probe/ports.h"

#define LOW   40000
#define WIDTH 64

static const struct port_range range = {LOW, LOW + WIDTH - 1};

static void test_owners(void **state)
{
	struct ports *p = ports_new(range);
	int one, two;

	(void)state;
	uint16_t a = ports_take(p, &one), b = ports_take(p, &two);
	assert_in_range(a, range.low, range.high);
	assert_in_range(b, range.low, range.high);
	assert_int_not_equal(a, b);
	assert_ptr_equal(ports_owner(p, a), &one);
	assert_ptr_equal(ports_owner(p, b), &two);
	ports_give_back(p, a);
	assert_null(ports_owner(p, a));
	assert_ptr_equal(ports_owner(p, b), &two);
	ports_free(p);
}

static void test_all_taken(void **state)
{
	struct ports *p = ports_new(range);
	bool seen[WIDTH] = {false};
	int owner;

	(void)state;
	for (unsigned i = 0; i < WIDTH; i++) {
		uint16_t port = ports_take(p, &owner);
		assert_in_range(port, range.low, range.high);
		assert_false(seen[port - LOW]);
		seen[port - LOW] = true;
	}
	assert_int_equal(ports_take(p, &owner), 0);
	ports_give_back(p, LOW + 7);
	assert_int_equal(ports_take(p, &owner), LOW + 7);
	assert_int_equal(ports_take(p, &owner), 0);
	ports_free(p);
}

/* Late packets of its last owner are gone before a number comes again. */
static void test_once_around(void **state)
{
	struct ports *p = ports_new(range);
	int owner;

	(void)state;
	uint16_t first = ports_take(p, &owner);
	ports_give_back(p, first);
	for (unsigned i = 1; i < WIDTH; i++) {
		uint16_t port = ports_take(p, &owner);
		assert_int_not_equal(port, first);
		ports_give_back(p, port);
	}
	assert_int_equal(ports_take(p, &owner), first);
	ports_free(p);
}

/* Whatever a packet says: a port of somebody else is nobody's. */
static void test_outside(void **state)
{
	struct ports *p = ports_new(range);

	(void)state;
	assert_null(ports_owner(p, 0));
	assert_null(ports_owner(p, LOW - 1));
	assert_null(ports_owner(p, LOW + WIDTH));
	assert_null(ports_owner(p, 65535));
	ports_give_back(p, 0);
	ports_give_back(p, LOW + WIDTH);
	ports_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_owners),
		cmocka_unit_test(test_all_taken),
		cmocka_unit_test(test_once_around),
		cmocka_unit_test(test_outside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
