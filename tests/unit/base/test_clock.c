/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Stamps of a clock that was set while they were made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"

#define NOW  (INT64_C(1800000000) * NS_PER_S)
#define HOUR (3600 * NS_PER_S)

static void test_stamps_before_and_after(void **state)
{
	static const int64_t steps[] = {HOUR, -HOUR, NS_PER_S, -NS_PER_S}, ago[] = {0, NS_PER_MS, 100 * NS_PER_MS};

	(void)state;
	for (size_t i = 0; i < 4; i++)
		for (size_t k = 0; k < 3; k++) {
			int64_t true_time = NOW - ago[k];
			/* stamped after the clock was set, and before */
			assert_true(clock_corrected(true_time + steps[i], NOW, steps[i]) == true_time);
			assert_true(clock_corrected(true_time, NOW, steps[i]) == true_time);
		}
}

static void test_nobody_sets_it(void **state)
{
	int64_t set = clock_set_ns(), wall = clock_wall_ns(), after = clock_set_ns();

	(void)state;
	assert_true(wall >= set - NS_PER_MS && wall <= after + NS_PER_MS);
	assert_true(clock_of_stamp(wall) == wall);
	assert_true(clock_wall_ns() >= wall);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stamps_before_and_after),
		cmocka_unit_test(test_nobody_sets_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
