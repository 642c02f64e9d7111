/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who may trace when, and what is concluded from those who did. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>

#include "base/clock.h"
#include "run/turns.h"

#define SECOND  NS_PER_S
#define MANY    40

struct fixture {
	struct turns turns;
	struct turn turn[MANY];
	int64_t now;
	struct finding finding;
	struct report_port port;
	struct report report;
};

static struct addr ip(const char *text)
{
	struct addr a;

	assert_true(addr_parse(&a, text));
	return a;
}

/* All of them silent on port 25, in line. */
static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	turns_init(&f->turns);
	f->now = 100 * SECOND;
	for (unsigned i = 0; i < MANY; i++) {
		f->turn[i].n_failures = 1;
		f->turn[i].failures[0] = (struct failure){.port = 25, .ailment = AILMENT_SILENT};
	}
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	turns_clear(&f->turns);
	free(f);
	return 0;
}

static const struct report *stops(struct fixture *f, enum place place, unsigned from,
				  const char *router)
{
	f->finding = (struct finding){.mechanism = MECH_SILENT_DROP,
				      .place = place,
				      .confidence = 0.95,
				      .has_hop = true,
				      .hop_from = {from, {0}},
				      .hop_to = {from + 1, ip(router)},
				      .culprit = {.kind = CULPRIT_HOP, .ttl = from + 1}};
	f->port = (struct report_port){
		.port = 25, .state = STATE_BLOCKED, .findings = &f->finding, .n_findings = 1};
	f->report = (struct report){.ports = &f->port, .n_ports = 1};
	return &f->report;
}

static enum turns_answer ask(struct fixture *f, unsigned i)
{
	return turns_ask(&f->turns, &f->turn[i], f->now);
}

static unsigned number_of(struct fixture *f, const struct turn *turn)
{
	return (unsigned)(turn - f->turn);
}

/* Whoever is drawn traces, for a second, with this result. Returns who it was. */
static unsigned trace_one(struct fixture *f, bool limited, enum place place, unsigned from,
			  const char *router)
{
	struct turn *turn = turns_draw(&f->turns, f->now, 7);

	assert_non_null(turn);
	assert_int_equal(turns_ask(&f->turns, turn, f->now), TURNS_YOURS);
	f->now += SECOND;
	turns_over(&f->turns, turn, f->now, limited, stops(f, place, from, router));
	return number_of(f, turn);
}

static void all_ask(struct fixture *f, unsigned from)
{
	/* whoever comes first would have the way at once */
	f->turns.rest_until = f->now + 1;
	for (unsigned i = from; i < MANY; i++)
		assert_int_equal(ask(f, i), TURNS_LATER);
	f->now++;
}

static void test_one_at_a_time(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ask(f, 0), TURNS_YOURS);
	assert_int_equal(ask(f, 0), TURNS_YOURS); /* still its own */
	all_ask(f, 1);
	assert_null(turns_draw(&f->turns, f->now, 1));
	turns_leave(&f->turns, &f->turn[0], f->now); /* it ends without a word */
	assert_non_null(turns_draw(&f->turns, f->now, 1));
}

/* The one that is drawn is the one that gets it, and a line that moves loses nobody. */
static void test_drawn(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ask(f, 0), TURNS_YOURS);
	all_ask(f, 1);
	turns_over(&f->turns, &f->turn[0], f->now, false, NULL);
	struct turn *drawn = turns_draw(&f->turns, f->now, 12345);
	assert_ptr_equal(turns_draw(&f->turns, f->now, 54321), drawn);
	for (unsigned i = 1; i < MANY; i++)
		if (&f->turn[i] != drawn)
			assert_int_equal(ask(f, i), TURNS_LATER);
	turns_leave(&f->turns, drawn, f->now); /* ... and needs it no more */
	assert_int_equal(f->turns.n_line, MANY - 2);
	struct turn *next = turns_draw(&f->turns, f->now, 12345);
	assert_non_null(next);
	assert_ptr_not_equal(next, drawn);
	assert_int_equal(turns_ask(&f->turns, next, f->now), TURNS_YOURS);
}

static void test_told(void **state)
{
	struct fixture *f = *state;
	struct ev_alike a;

	all_ask(f, 1);
	for (unsigned i = 0; i < TURNS_SAMPLE; i++) {
		/* nobody is told before enough of them agree */
		assert_int_equal(ask(f, 0), TURNS_LATER);
		trace_one(f, false, PLACE_ISP, 2, "203.0.113.2");
	}
	assert_int_equal(ask(f, 0), TURNS_KNOWN);
	assert_false(f->turn[0].waiting);
	turns_tell(&f->turns, &f->turn[0], 0, true, &a);
	assert_int_equal(a.port, 25);
	assert_int_equal(a.traced, TURNS_SAMPLE);
	assert_int_equal(a.place, PLACE_ISP);
	assert_int_equal(a.from_ttl, 2);
	assert_int_equal(a.to_ttl, 3);
	assert_int_equal(a.culprit_ttl, 3);
	assert_true(a.confirm);
	/* what does not hold for it is to be traced */
	f->turn[0].own = true;
	assert_int_equal(ask(f, 0), TURNS_LATER);
	/* another failure is another matter */
	f->turn[1].n_failures = 2;
	f->turn[1].failures[1] = (struct failure){.port = 465, .ailment = AILMENT_SILENT};
	assert_int_equal(ask(f, 1), TURNS_LATER);
	/* ... so is the same failure by another way out */
	f->turn[2].failures[0].egress = 9;
	assert_int_equal(ask(f, 2), TURNS_LATER);
}

/* One that stops elsewhere, or at a destination of its own, speaks for itself only, and for all that
 * nobody speaks for the others. */
static void test_unlike(void **state)
{
	struct fixture *f = *state;

	all_ask(f, 0);
	for (unsigned i = 0; i < TURNS_SAMPLE; i++)
		trace_one(f, false, PLACE_ISP, 2, "203.0.113.2");
	for (unsigned i = 0; i < MANY; i++)
		f->turn[i].own = true; /* whoever is drawn now is to be traced */
	trace_one(f, false, PLACE_ISP, 2, "203.0.113.66");
	for (unsigned i = 0; i < MANY; i++)
		f->turn[i].own = false;
	for (unsigned i = 0; i < MANY; i++)
		if (f->turn[i].waiting)
			assert_int_not_equal(ask(f, i), TURNS_KNOWN);
}

static void test_destinations(void **state)
{
	struct fixture *f = *state;

	all_ask(f, 0);
	for (unsigned i = 0; i < 2 * TURNS_SAMPLE; i++)
		trace_one(f, false, PLACE_DESTINATION, 5, "198.51.100.25");
	for (unsigned i = 0; i < MANY; i++)
		if (f->turn[i].waiting)
			assert_int_not_equal(ask(f, i), TURNS_KNOWN);
}

static void test_hopeless(void **state)
{
	struct fixture *f = *state;

	all_ask(f, 1);
	for (unsigned i = 0; i < TURNS_MAX_UNPLACED; i++) {
		assert_int_equal(ask(f, 0), TURNS_LATER);
		trace_one(f, false, PLACE_UNKNOWN, 2, "203.0.113.2");
	}
	assert_int_equal(ask(f, 0), TURNS_NEVER);
	assert_false(f->turn[0].waiting);
}

/* Whatever the traces to some of them show, it is never said of others. */
static void test_unanswered(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < MANY; i++)
		f->turn[i].failures[0].ailment = AILMENT_UNANSWERED;
	all_ask(f, 0);
	for (unsigned i = 0; i < 2 * TURNS_SAMPLE; i++)
		trace_one(f, false, PLACE_ISP, 2, "203.0.113.2");
	for (unsigned i = 0; i < MANY; i++)
		if (f->turn[i].waiting)
			assert_int_not_equal(ask(f, i), TURNS_KNOWN);
}

/* One router's error: it is found once. */
static void test_icmp(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < MANY; i++)
		f->turn[i].failures[0] = (struct failure){
			.port = 25, .ailment = AILMENT_ICMP, .icmp_from = ip("203.0.113.2")};
	f->turn[1].failures[0].icmp_from = ip("203.0.113.66");
	all_ask(f, 0);
	struct turn *turn = turns_draw(&f->turns, f->now, 0);
	assert_ptr_not_equal(turn, &f->turn[1]);
	assert_int_equal(turns_ask(&f->turns, turn, f->now), TURNS_YOURS);
	f->now += SECOND;
	stops(f, PLACE_ISP, 2, "203.0.113.2");
	f->finding.mechanism = MECH_ICMP_UNREACHABLE;
	turns_over(&f->turns, turn, f->now, false, &f->report);
	assert_int_equal(ask(f, 5), TURNS_KNOWN);
	assert_int_not_equal(ask(f, 1), TURNS_KNOWN);
}

/* Routers that answer all let more trace at once; one that does not lets one, after a rest. */
static void test_limits(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < MANY; i++)
		f->turn[i].own = true;
	all_ask(f, 0);
	trace_one(f, false, PLACE_ISP, 2, "203.0.113.2");
	trace_one(f, false, PLACE_ISP, 2, "203.0.113.2");
	unsigned at_once = 0;
	for (struct turn *turn; (turn = turns_draw(&f->turns, f->now, 3)); at_once++)
		assert_int_equal(turns_ask(&f->turns, turn, f->now), TURNS_YOURS);
	assert_in_range(at_once, 2, TURNS_AT_ONCE);
	for (unsigned i = 0; i < MANY; i++)
		if (f->turn[i].has)
			turns_over(&f->turns, &f->turn[i], f->now, true, NULL);
	assert_null(turns_draw(&f->turns, f->now, 3));
	f->now += TURNS_REST_NS;
	struct turn *turn = turns_draw(&f->turns, f->now, 3);
	assert_non_null(turn);
	assert_int_equal(turns_ask(&f->turns, turn, f->now), TURNS_YOURS);
	assert_null(turns_draw(&f->turns, f->now, 3));
}

/* So many probes a second as are answered. */
static void test_confirming(void **state)
{
	struct fixture *f = *state;
	unsigned first = 0, later = 0;

	for (unsigned i = 0; i < 1000; i++, f->now += NS_PER_MS)
		first += turns_may_confirm(&f->turns, f->now);
	assert_in_range(first, 1, 999);
	for (unsigned i = 0; i < 50; i++)
		turns_confirmed(&f->turns, false);
	for (unsigned i = 0; i < 1000; i++, f->now += NS_PER_MS)
		later += turns_may_confirm(&f->turns, f->now);
	assert_in_range(later, 0, 2);
	f->turns.limited = true;
	f->now += 100 * SECOND;
	assert_false(turns_may_confirm(&f->turns, f->now));
}

/* More kinds of failure than are told apart: nobody is told anything wrong. */
static void test_many_groups(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < MANY; i++)
		f->turn[i].failures[0].port = (uint16_t)(1000 + i);
	assert_true(MANY > TURNS_GROUPS);
	all_ask(f, 0);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_not_equal(ask(f, i), TURNS_KNOWN);
}

/* Of an exporter, which never ends: what was seen is no reason to say it of a failure of later on. */
static void test_forgotten(void **state)
{
	struct fixture *f = *state;

	f->turns.good_ns = 60 * SECOND;
	all_ask(f, 1);
	for (unsigned i = 0; i < TURNS_SAMPLE; i++)
		trace_one(f, false, PLACE_ISP, 2, "203.0.113.2");
	assert_int_equal(ask(f, 0), TURNS_KNOWN);
	f->now += f->turns.good_ns;
	assert_int_not_equal(ask(f, 0), TURNS_KNOWN);
	assert_int_equal(f->turns.n_groups, 1); /* anew */
	assert_int_equal(f->turns.groups[0].placed, 0);
}

static void test_limits_forgotten(void **state)
{
	struct fixture *f = *state;

	f->turns.good_ns = 60 * SECOND;
	all_ask(f, 0);
	trace_one(f, true, PLACE_ISP, 2, "203.0.113.2");
	assert_true(f->turns.limited);
	f->now += f->turns.good_ns;
	for (unsigned i = 0; i < MANY; i++)
		ask(f, i);
	assert_true(f->turns.limited);
	f->now += 10 * f->turns.good_ns;
	for (unsigned i = 0; i < MANY; i++)
		ask(f, i);
	assert_false(f->turns.limited);
}

/* Members that stop at different places are all traced as their deadlines let, and never given up. */
static void test_unlike_without_end(void **state)
{
	struct fixture *f = *state;

	f->turns.good_ns = 3600 * SECOND;
	for (unsigned i = 0; i < 3 * TURNS_MAX_UNLIKE; i++) {
		struct turn *turn = &f->turn[i % MANY];
		turn->own = true;
		assert_int_equal(turns_ask(&f->turns, turn, f->now), TURNS_YOURS);
		turns_over(&f->turns, turn, f->now += SECOND, false,
			   stops(f, PLACE_ISP, 2, i % 2 ? "203.0.113.2" : "203.0.113.66"));
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_one_at_a_time), TEST(test_drawn),	 TEST(test_told),
		TEST(test_unlike),	  TEST(test_destinations), TEST(test_hopeless),
		TEST(test_icmp),	  TEST(test_limits),	 TEST(test_confirming),
		TEST(test_many_groups),	  TEST(test_unanswered), TEST(test_forgotten),
		TEST(test_limits_forgotten), TEST(test_unlike_without_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
