/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Packet sizes of the server: what further connections show, and which are begun. */
#include "cases.h"

#include "diag/mtu.h"

static struct mtu seen(struct scene *s)
{
	struct mtu m;

	finish(s);
	mtu_of(&s->diag->tracker, 0, s->now, &m);
	return m;
}

static void test_size_is_found(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	session_mtu_in(s);
	struct mtu m = seen(s);
	assert_true(m.passes);
	assert_false(m.no_matter);
	assert_false(m.below_links);
	assert_int_equal(m.largest_in, 1300);
	assert_int_equal(m.smallest_lost, 1301);
	assert_non_null(strstr(said_of(s->report, 25), "packets of 1300 bytes come in, those of 1301 don't"));
	scene_free(s);
}

/* What is smaller than any link must take is a device's doing. */
static void test_less_than_links_take(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	unsigned f = certificate_lost(s), lost = small(s, 536, false);
	small(s, 256, true);
	pass(s, 1500);
	session_end(s, lost, STAGE_TLS, SESSION_STALLED, NULL);
	session_end(s, f, STAGE_TLS, SESSION_STALLED, NULL);
	struct mtu m = seen(s);
	assert_true(m.passes && m.below_links);
	assert_int_equal(m.largest_in, 540); /* the last piece of the first connection */
	assert_int_equal(m.smallest_lost, 576);
	scene_free(s);
}

static void test_as_small_as_can_be(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	session_not_its_size(s);
	struct mtu m = seen(s);
	assert_true(m.no_matter && !m.passes);
	scene_free(s);
}

/* ---- which are begun ---- */

/* A way that takes packets of `limit` bytes: what is asked for is tried, until nothing more is. */
static struct mtu searched(struct scene *s, unsigned limit, unsigned *connections)
{
	unsigned headers = is_v6(s) ? 60 : 40;
	struct diag_advice advice;
	struct mtu m;

	*connections = 0;
	certificate_lost(s);
	s->diag = calloc(1, sizeof(*s->diag));
	diag_init(s->diag, &s->plan, &s->log);
	for (unsigned round = 0; round < 20; round++) {
		diag_feed(s->diag);
		diag_advise(s->diag, s->now, &advice);
		if (!advice.n_small)
			break;
		for (unsigned i = 0; i < advice.n_small; i++) {
			unsigned mss = advice.small[i].mss;
			(*connections)++;
			assert_int_equal(advice.small[i].port_index, 0);
			assert_true(mss >= 88 && mss <= 1460);
			small(s, mss, mss + headers <= limit);
		}
		pass(s, 1200);
	}
	/* scenes are fed in pieces, and the core may have looked in between: as at a run's end */
	mtu_of(&s->diag->tracker, 0, s->now, &m);
	return m;
}

static void test_search_is_bounded(void **state)
{
	static const unsigned limits[] = {1499, 1492, 1480, 1420, 1401, 1337, 1300, 1280, 1281};
	unsigned n, exact = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(limits); i++)
		for (int v6 = 0; v6 < 2; v6++) {
			struct scene *s = scene_new(v6);
			struct mtu m = searched(s, limits[i], &n);
			assert_true(n >= 4 && n <= 14);
			assert_true(m.passes);
			assert_true(m.largest_in <= limits[i]);
			assert_true(m.smallest_lost > limits[i]);
			assert_true(m.smallest_lost - m.largest_in < 100);
			exact += m.largest_in == limits[i] && m.smallest_lost == limits[i] + 1;
			scene_free(s);
		}
	/* the sizes that links have */
	assert_true(exact >= 10);
}

static void test_many_targets_do_not_search(void **state)
{
	struct scene *s = scene_new(false);
	unsigned n;

	(void)state;
	s->plan.thrifty = true;
	searched(s, 1300, &n);
	assert_int_equal(n, 0);
	scene_free(s);
}

/* A server that is silent, and one that is slow, get no further connection. */
static void test_silent_server_is_left_alone(void **state)
{
	struct scene *s = scene_new(false);
	struct diag_advice advice;
	unsigned f = session(s);

	(void)state;
	looks(s, f, 5, true, 0, 0, 0);
	s->diag = calloc(1, sizeof(*s->diag));
	diag_init(s->diag, &s->plan, &s->log);
	diag_feed(s->diag);
	diag_advise(s->diag, s->now, &advice);
	assert_int_equal(advice.n_small, 0);
	scene_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_size_is_found),
		cmocka_unit_test(test_less_than_links_take),
		cmocka_unit_test(test_as_small_as_can_be),
		cmocka_unit_test(test_search_is_bounded),
		cmocka_unit_test(test_many_targets_do_not_search),
		cmocka_unit_test(test_silent_server_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
