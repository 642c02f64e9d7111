/* SPDX-License-Identifier: GPL-3.0-or-later */
/* diag/capture_known.c: what is forgotten when there are more servers than it has room for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conns.h"
#include "diag/capture_known.h"

#define SERVERS 60000 /* some four times what there is room for */

static void of_server(struct sample *s, unsigned i)
{
	sample_connected(s);
	s->c.server = v4(198, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i);
	s->c.start_ns = s->c.last_ns = s->c.until_ns = SAMPLE_START + (int64_t)i * NS_PER_MS;
}

static struct capture_known *full(uint64_t seed)
{
	struct capture_known *k = capture_known_new(seed);
	static struct sample s;

	for (unsigned i = 0; i < SERVERS; i++) {
		of_server(&s, i);
		capture_known_learn(k, &s.c);
	}
	return k;
}

static struct capture_context told(const struct capture_known *k, unsigned i)
{
	static struct sample s;
	struct capture_context context;

	of_server(&s, i);
	capture_known_context(k, &s.c, &context);
	return context;
}

/* The same file says the same in every run, whatever the hash's seed. */
static void the_same_with_every_seed(void **state)
{
	struct capture_known *a = full(1), *b = full(0xfeedfacecafebeef);
	unsigned known = 0;

	(void)state;
	for (unsigned i = 0; i < SERVERS; i++) {
		int8_t distance = (int8_t)told(a, i).distance;
		assert_int_equal(told(b, i).distance, distance);
		known += distance >= 0;
	}
	assert_in_range(known, SERVERS / 8, SERVERS / 2); /* some were forgotten, and many weren't */
	capture_known_free(a);
	capture_known_free(b);
}

/* What was seen last remains. */
static void the_latest_remain(void **state)
{
	struct capture_known *k = full(1);

	(void)state;
	for (unsigned i = SERVERS - 1000; i < SERVERS; i++)
		assert_true(told(k, i).distance >= 0);
	assert_true(told(k, 0).distance < 0);
	capture_known_free(k);
}

static void nothing_remains_when_cleared(void **state)
{
	struct capture_known *k = full(1);
	static struct sample s;

	(void)state;
	capture_known_clear(k);
	for (unsigned i = 0; i < SERVERS; i++)
		assert_true(told(k, i).distance < 0);
	/* and there is room again */
	of_server(&s, 7);
	capture_known_learn(k, &s.c);
	assert_true(told(k, 7).distance >= 0);
	capture_known_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_with_every_seed),
		cmocka_unit_test(the_latest_remain),
		cmocka_unit_test(nothing_remains_when_cleared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
