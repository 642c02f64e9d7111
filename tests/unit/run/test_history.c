/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Looks become changes and patterns: what is told, and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "run/history.h"

#define MINUTE (60 * NS_PER_S)
#define T0     (1769860800LL * NS_PER_S)

static const struct addr address = {.family = ADDR_V4, .bytes = {192, 0, 2, 25}};

struct told {
	struct history *h;
	const char *way;
	struct watch_change last;
	unsigned n;
	int64_t now; /* minutes since T0, which is a midnight */
};

static struct told begin(void)
{
	return (struct told){.h = history_new()};
}

/* One look at port 25; true where a change was told. */
static bool look(struct told *t, enum state state, enum place place, double confidence)
{
	struct finding f = {.mechanism = MECH_SILENT_DROP, .place = place, .confidence = confidence};
	struct report_port p = {.port = 25, .state = state, .findings = &f,
				.n_findings = state != STATE_OPEN, .summary = "s"};
	const struct history_subject of = {.input = "mx", .way = t->way, .address = address};
	bool is = history_add(t->h, &of, &p, T0 + t->now * MINUTE, (unsigned)(t->now / 60 % 24),
			      t->now / 60 / 24, &t->last);

	t->n += is;
	t->now++;
	return is;
}

static bool open_look(struct told *t)
{
	return look(t, STATE_OPEN, PLACE_UNKNOWN, CONFIDENCE_NONE);
}

static bool blocked(struct told *t)
{
	return look(t, STATE_BLOCKED, PLACE_ISP, 0.95);
}

static bool undecided(struct told *t)
{
	return look(t, STATE_INCONCLUSIVE, PLACE_UNKNOWN, CONFIDENCE_NONE);
}

static const struct watch_port *port(const struct told *t)
{
	return history_port(t->h, 0);
}

static void changes(void **state)
{
	struct told t = begin();

	(void)state;
	assert_true(open_look(&t));
	assert_true(t.last.first);
	assert_false(open_look(&t));
	assert_true(blocked(&t));
	assert_false(t.last.first);
	assert_int_equal(t.last.from.state, STATE_OPEN);
	assert_int_equal(t.last.lasted_ns, 2 * MINUTE);
	assert_int_equal(port(&t)->now.place, PLACE_ISP);
	assert_false(blocked(&t));
	assert_true(open_look(&t));
	assert_int_equal(port(&t)->changes, 2);
	assert_int_equal(port(&t)->looks, 5);
	assert_int_equal(port(&t)->open_looks, 3);
	history_free(t.h);
}

/* A look that decides nothing is none; several of them are news. */
static void nothing_decided(void **state)
{
	struct told t = begin();

	(void)state;
	open_look(&t);
	for (unsigned i = 1; i < HISTORY_UNDECIDED; i++)
		assert_false(undecided(&t));
	assert_false(open_look(&t));
	for (unsigned i = 1; i < HISTORY_UNDECIDED; i++)
		assert_false(undecided(&t));
	assert_true(undecided(&t));
	assert_false(undecided(&t));
	assert_true(open_look(&t));
	assert_int_equal(port(&t)->pattern, WATCH_STEADY);
	history_free(t.h);
}

/* Guesses at the place vary; only sure ones that contradict each other are a change. */
static void places(void **state)
{
	struct told t = begin();

	(void)state;
	look(&t, STATE_BLOCKED, PLACE_ISP, 0.5);
	assert_false(look(&t, STATE_BLOCKED, PLACE_GATEWAY, 0.5));
	assert_false(look(&t, STATE_BLOCKED, PLACE_ISP, 0.95));
	assert_int_equal(port(&t)->now.confidence * 100, 95);
	assert_false(look(&t, STATE_BLOCKED, PLACE_GATEWAY, 0.6));
	assert_true(look(&t, STATE_BLOCKED, PLACE_GATEWAY, 0.95));
	history_free(t.h);
}

static void comes_and_goes(void **state)
{
	static const unsigned lots[] = {1, 7, 2, 9, 1, 5};
	struct told t = begin();

	(void)state;
	open_look(&t);
	blocked(&t);
	open_look(&t);
	assert_int_equal(port(&t)->pattern, WATCH_STEADY); /* an outage */
	for (unsigned k = 0; k < 6; k++) {
		for (unsigned i = 0; i < lots[k]; i++)
			open_look(&t);
		blocked(&t);
	}
	assert_int_equal(port(&t)->pattern, WATCH_COMES_AND_GOES);
	/* long ago is no pattern any more */
	t.now += 2 * 24 * 60;
	open_look(&t);
	assert_int_equal(port(&t)->pattern, WATCH_STEADY);
	history_free(t.h);
}

/* Five pass, then it stops for a while, again and again. */
static void limit(void **state)
{
	struct told t = begin();

	(void)state;
	for (unsigned k = 0; k < 4; k++) {
		for (unsigned i = 0; i < 5; i++)
			open_look(&t);
		for (unsigned i = 0; i < 3; i++)
			blocked(&t);
	}
	assert_int_equal(port(&t)->pattern, WATCH_LIMIT);
	history_free(t.h);
}

/* Every ten minutes for `days` days; not open from 22:00 to 06:00. */
static void days_of(struct told *t, unsigned days)
{
	for (unsigned i = 0; i < days * 24 * 6; i++) {
		unsigned hour = (unsigned)(t->now / 60 % 24);
		if (hour >= 22 || hour < 6)
			blocked(t);
		else
			open_look(t);
		t->now += 9;
	}
}

static void hours(void **state)
{
	struct told t = begin();

	(void)state;
	days_of(&t, 2);
	assert_int_not_equal(port(&t)->pattern, WATCH_HOURS); /* twice may be chance */
	days_of(&t, 3);
	assert_int_equal(port(&t)->pattern, WATCH_HOURS);
	for (unsigned h = 0; h < 24; h++)
		assert_int_equal(watch_bad_hour(port(&t), h), h >= 22 || h < 6);
	history_free(t.h);
}

/* What differs by the way out is no change in time. */
static void ways_are_watched_apart(void **state)
{
	struct told t = begin();

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		t.way = "eth0";
		assert_int_equal(blocked(&t), i == 0);
		t.way = "eth1";
		assert_int_equal(open_look(&t), i == 0);
	}
	assert_int_equal(history_count(t.h), 2);
	assert_string_equal(history_port(t.h, 0)->way, "eth0");
	assert_int_equal(history_port(t.h, 0)->now.state, STATE_BLOCKED);
	assert_string_equal(history_port(t.h, 1)->way, "eth1");
	assert_int_equal(history_port(t.h, 1)->open_looks, 3);
	history_free(t.h);
}

/* However many there are, and however long: bounded, and it says so. */
static void bounded(void **state)
{
	struct history *h = history_new();
	struct report_port p = {.port = 25, .state = STATE_OPEN};
	struct watch_change c;

	(void)state;
	for (unsigned i = 0; i < HISTORY_MAX + 10; i++) {
		struct addr a = {.family = ADDR_V4, .bytes = {10, 0, (uint8_t)(i >> 8), (uint8_t)i}};
		const struct history_subject of = {.input = "x", .address = a};
		assert_int_equal(history_add(h, &of, &p, T0, 0, 0, &c), i < HISTORY_MAX);
		assert_int_equal(history_full(h), i >= HISTORY_MAX);
	}
	assert_int_equal(history_count(h), HISTORY_MAX);
	history_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes),   cmocka_unit_test(nothing_decided), cmocka_unit_test(places),
		cmocka_unit_test(comes_and_goes), cmocka_unit_test(limit),	cmocka_unit_test(hours),
		cmocka_unit_test(bounded),   cmocka_unit_test(ways_are_watched_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
