/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Connections of several captures laid side by side: which are one, and which capture should have seen
 * one and did not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../diag/conns.h"
#include "run/pairing.h"

#define HOUR_MS 3600000.0

/* At the client: SYNs that nobody answers, to the one server. */
static void take_unanswered(struct pairing *p, unsigned file, uint16_t port, double ms)
{
	static struct sample s;

	sample_syn(&s);
	sample_syns(&s, 3);
	s.c.size = sizeof(s.c);
	s.c.client_port = port;
	s.c.half[CONN_CLIENT].isn = port;
	s.c.start_ns += (int64_t)(ms * 1e6);
	s.c.last_ns += (int64_t)(ms * 1e6);
	s.c.until_ns += (int64_t)(ms * 1e6);
	assert_true(pairing_take(p, &s.c, file));
}

/* At the server itself, whose answers have come no way yet; of another client. */
static void take_at_server(struct pairing *p, unsigned file, uint16_t port, double ms)
{
	static struct sample s;

	sample_syn(&s);
	sample_synack(&s, 1, 64);
	s.c.size = sizeof(s.c);
	s.c.syn_print.ttl = 57;
	s.c.client = v4(198, 18, 0, 9);
	s.c.client_port = port;
	s.c.half[CONN_CLIENT].isn = port;
	s.c.start_ns += (int64_t)(ms * 1e6);
	s.c.last_ns += (int64_t)(ms * 1e6);
	s.c.until_ns += (int64_t)(ms * 1e6);
	assert_true(pairing_take(p, &s.c, file));
}

static void test_missed(void **state)
{
	(void)state;
	for (int later = 0; later < 2; later++) {
		struct pairing p = {0};
		take_unanswered(&p, 0, 40000, later * HOUR_MS);
		take_at_server(&p, 1, 50000, 0);
		take_at_server(&p, 1, 50001, 20000);
		pairing_match(&p);
		/* an hour later that capture was over */
		assert_int_equal(p.list[0].missed_in, later ? -1 : 1);
		assert_int_equal(p.list[0].other, -1);
		assert_int_equal(p.list[1].missed_in, -1);
		pairing_clear(&p);
	}
}

/* As many as are compared at all, and nobody is anybody's witness: that takes no longer than comparing
 * each with each. */
static void test_many(void **state)
{
	struct pairing p = {0};
	int64_t begin = clock_mono_ns();

	(void)state;
	for (uint16_t i = 0; i < PAIRING_MAX / 2; i++) {
		take_unanswered(&p, 0, (uint16_t)(10000 + i), HOUR_MS);
		take_at_server(&p, 1, (uint16_t)(20000 + i), 0);
	}
	pairing_match(&p);
	for (unsigned i = 0; i < p.n; i++)
		assert_int_equal(p.list[i].missed_in, -1);
	pairing_clear(&p);
	int64_t took = clock_mono_ns() - begin;
	print_message("%u connections compared in %.1f s\n", PAIRING_MAX, (double)took / 1e9);
	assert_true(took < 20 * NS_PER_S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_missed),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
