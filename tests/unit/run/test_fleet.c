/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The loop that drives runs: how many at a time, how fast, and how they end. The
 * runs are scripted and the clock is the test's: what fleet.c calls of the tap,
 * the probes and the runs themselves is replaced at link time (tests/CMakeLists.txt).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "run/fleet.h"
#include "run/target.h"

#define PLANS   64
#define RUN_NS  (200 * NS_PER_MS) /* of a scripted run */
#define TIME_NS (8 * NS_PER_S)

static struct {
	int64_t now;
	int tap, probes; /* descriptors */
	bool tap_failed;
	unsigned taps; /* open, of a crowd */
	bool cannot_start; /* the next target_start() */
	unsigned waits;
	int longest_wait; /* ms */
	/* of runs */
	unsigned begun, running, most_running, hurried, stepped;
	int64_t begun_ns[PLANS];
	/* what the tap has */
	struct packet packet;
	bool has_packet;
	bool idle;
} world;

/* What became of plan i. */
static struct {
	unsigned done;
	struct report *report;
	struct err error;
} outcome[PLANS];

/* ---- in the place of the rest of run/, probe/ and capture/ ---- */

int64_t __wrap_clock_mono_ns(void);
int __wrap_epoll_wait(int epoll, struct epoll_event *ev, int max, int ms);
int __wrap_capture_fd(const struct capture *c);
size_t __wrap_capture_take(struct capture *c, struct packet *out, struct frame_copy **frames, size_t max);
bool __wrap_capture_has_failed(struct capture *c);
int __wrap_capture_stop(struct capture *c, struct err *e);
int __wrap_prober_share_fd(const struct prober_share *s);
void __wrap_prober_share_dispatch(struct prober_share *s, void (*touched)(void *owner));
bool __wrap_prober_is_idle(const struct prober *p);
int __wrap_crowd_begin(struct crowd *c, struct live *l, const uint16_t *ports, unsigned n_ports,
		       unsigned wanted, struct err *e);
void __wrap_crowd_end(struct crowd *c, struct live *l);
void __wrap_crowd_give(struct crowd *c, const struct packet *p, const struct frame_copy *frame,
		       crowd_taker *give);
int __wrap_target_start(struct run **out, struct live *l, const struct plan *plan, int64_t deadline_ns,
			struct err *e);
int __wrap_target_step(struct run *r, int64_t *wake, struct err *e);
struct report *__wrap_target_report(struct run *r);
void __wrap_target_free(struct run *r);
void __wrap_target_take_packet(struct run *r, const struct packet *p, const struct frame_copy *frame);
void __wrap_target_take_packets(struct run *r);
void __wrap_target_hurry(struct run *r);
void __wrap_target_way_over(struct run *r, const struct report *report);

int64_t __wrap_clock_mono_ns(void)
{
	return world.now;
}

int __wrap_epoll_wait(int epoll, struct epoll_event *ev, int max, int ms)
{
	(void)epoll, (void)ev, (void)max;
	assert_in_range(ms, 0, 1000);
	world.waits++;
	if (ms > world.longest_wait)
		world.longest_wait = ms;
	world.now += ms * NS_PER_MS;
	return 0;
}

int __wrap_capture_fd(const struct capture *c)
{
	(void)c;
	return world.tap;
}

size_t __wrap_capture_take(struct capture *c, struct packet *out, struct frame_copy **frames, size_t max)
{
	(void)c, (void)max;
	if (!world.has_packet)
		return 0;
	world.has_packet = false;
	out[0] = world.packet;
	frames[0] = NULL;
	return 1;
}

bool __wrap_capture_has_failed(struct capture *c)
{
	(void)c;
	return world.tap_failed;
}

int __wrap_capture_stop(struct capture *c, struct err *e)
{
	(void)c, (void)e;
	return 0;
}

int __wrap_prober_share_fd(const struct prober_share *s)
{
	(void)s;
	return world.probes;
}

void __wrap_prober_share_dispatch(struct prober_share *s, void (*touched)(void *owner))
{
	(void)s, (void)touched;
}

bool __wrap_prober_is_idle(const struct prober *p)
{
	(void)p;
	return world.idle;
}

int __wrap_crowd_begin(struct crowd *c, struct live *l, const uint16_t *ports, unsigned n_ports,
		       unsigned wanted, struct err *e)
{
	(void)l, (void)ports, (void)n_ports, (void)e;
	world.taps++;
	turns_init(&c->turns);
	c->most = wanted;
	return 0;
}

void __wrap_crowd_end(struct crowd *c, struct live *l)
{
	(void)l;
	world.taps--;
	turns_clear(&c->turns);
}

/* To the run with the packet's destination. */
void __wrap_crowd_give(struct crowd *c, const struct packet *p, const struct frame_copy *frame,
		       crowd_taker *give)
{
	for (unsigned i = 0; i < CROWD_BUCKETS; i++)
		for (struct run *r = c->by_target[i]; r; r = r->next_of_bucket)
			if (addr_equal(&r->plan->target, &p->dst))
				give(r, p, frame);
}

int __wrap_target_start(struct run **out, struct live *l, const struct plan *plan, int64_t deadline_ns,
			struct err *e)
{
	*out = NULL;
	if (world.cannot_start) {
		world.cannot_start = false;
		return err_set(e, ERR_RUN, "no route");
	}
	struct run *r = calloc(1, sizeof(*r));
	r->live = l;
	r->plan = plan;
	r->deadline = deadline_ns;
	r->look_until = world.now + RUN_NS; /* nobody else uses it here */
	assert_in_range(deadline_ns - world.now, 1, TIME_NS);
	assert_in_range(world.begun, 0, PLANS - 1);
	world.begun_ns[world.begun++] = world.now;
	world.running++;
	if (world.running > world.most_running)
		world.most_running = world.running;
	*out = r;
	return 0;
}

/* It takes RUN_NS, or ends at once when it is hurried. */
int __wrap_target_step(struct run *r, int64_t *wake, struct err *e)
{
	(void)e;
	world.stepped++;
	if (r->hurried || world.now >= r->look_until)
		r->phase = PHASE_OVER;
	*wake = r->look_until;
	return 0;
}

struct report *__wrap_target_report(struct run *r)
{
	struct report *report = calloc(1, sizeof(*report));

	assert_int_equal(r->phase, PHASE_OVER);
	report->target = r->plan->target;
	return report;
}

void __wrap_target_free(struct run *r)
{
	world.running -= r != NULL;
	free(r);
}

void __wrap_target_take_packet(struct run *r, const struct packet *p, const struct frame_copy *frame)
{
	(void)frame;
	assert_true(addr_equal(&r->plan->target, &p->dst));
}

void __wrap_target_take_packets(struct run *r)
{
	(void)r;
}

void __wrap_target_hurry(struct run *r)
{
	world.hurried += !r->hurried;
	r->hurried = true;
}

void __wrap_target_way_over(struct run *r, const struct report *report)
{
	(void)r, (void)report;
}

/* ---- helpers ---- */

static int setup(void **state)
{
	memset(&world, 0, sizeof(world));
	memset(outcome, 0, sizeof(outcome));
	world.now = 1000 * NS_PER_S;
	world.tap = eventfd(0, EFD_CLOEXEC);
	world.probes = eventfd(0, EFD_CLOEXEC);
	world.idle = true;
	*state = calloc(1, sizeof(struct live));
	return world.tap < 0 || world.probes < 0;
}

static int teardown(void **state)
{
	for (unsigned i = 0; i < PLANS; i++)
		free(outcome[i].report);
	close(world.tap);
	close(world.probes);
	free(*state);
	return 0;
}

static struct plan plan_of(unsigned i)
{
	struct plan plan = {.n_ports = 1, .ports = {{.port = 25, .tested = true}}};
	uint8_t bytes[4] = {192, 0, 2, (uint8_t)i};

	plan.target = addr_v4(bytes);
	return plan;
}

static void on_done(void *arg, const struct plan *plan, struct report *r, struct saved_case *saved,
		    const struct err *e)
{
	size_t i = (size_t)(uintptr_t)arg;

	assert_null(saved);
	assert_int_equal(plan->target.bytes[3], i);
	assert_true((r != NULL) != (e != NULL));
	assert_int_equal(outcome[i].done++, 0);
	outcome[i].report = r;
	if (e)
		outcome[i].error = *e;
}

static void submit(struct fleet *g, unsigned from, unsigned n)
{
	for (unsigned i = from; i < from + n; i++) {
		struct plan plan = plan_of(i);
		fleet_submit(g, &plan, TIME_NS, on_done, (void *)(uintptr_t)i);
	}
}

static struct fleet *fleet_of(struct live *l, unsigned concurrency, double rate)
{
	const struct fleet_options opt = {.concurrency = concurrency, .rate = rate};
	struct fleet *g = NULL;
	struct err e;

	assert_int_equal(fleet_new(&g, l, &opt, &e), 0);
	return g;
}

static void run_until_done(struct fleet *g)
{
	struct err e;

	for (unsigned i = 0; fleet_in_flight(g); i++) {
		assert_in_range(i, 0, 10000); /* it gets on */
		assert_int_equal(fleet_run(g, INT64_MAX, &e), 0);
	}
}

static void expect_reports(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(outcome[i].done, 1);
		assert_non_null(outcome[i].report);
		assert_int_equal(outcome[i].report->target.bytes[3], i);
	}
}

/* ---- tests ---- */

static void one_after_the_other(void **state)
{
	struct fleet *g = fleet_of(*state, 1, 0);

	assert_int_equal(fleet_room(g), 1);
	submit(g, 0, 3);
	assert_int_equal(fleet_room(g), 0);
	assert_int_equal(fleet_in_flight(g), 3);
	run_until_done(g);
	expect_reports(3);
	assert_int_equal(world.most_running, 1);
	for (unsigned i = 1; i < 3; i++)
		assert_true(world.begun_ns[i] >= world.begun_ns[i - 1] + RUN_NS);
	assert_int_equal(world.running, 0);
	fleet_free(g);
}

static void never_more_than_asked_for(void **state)
{
	struct fleet *g = fleet_of(*state, 3, 0);
	int64_t begin = world.now;

	submit(g, 0, 5);
	assert_int_equal(fleet_room(g), 0);
	run_until_done(g);
	expect_reports(5);
	assert_int_equal(world.most_running, 3);
	assert_int_equal(fleet_room(g), 3);
	/* two rounds, and no sleep beyond what a run asked for */
	assert_true(world.now - begin < 2 * RUN_NS + 100 * NS_PER_MS);
	fleet_free(g);
}

static void no_faster_than_asked_for(void **state)
{
	struct fleet *g = fleet_of(*state, 40, 10);

	submit(g, 0, 40);
	run_until_done(g);
	expect_reports(40);
	for (unsigned i = 0; i + 10 < 40; i++) /* the loop is late by some ms, and catches up */
		assert_true(world.begun_ns[i + 10] - world.begun_ns[i] >= NS_PER_S - 10 * NS_PER_MS);
	assert_true(world.begun_ns[39] - world.begun_ns[0] <= 4 * NS_PER_S);
	fleet_free(g);
}

/* The first few of many look closely: the others wait for what they show. */
static void samples_go_first(void **state)
{
	struct fleet *g = fleet_of(*state, 20, 0);

	submit(g, 0, 20);
	run_until_done(g);
	expect_reports(20);
	for (unsigned i = CROWD_SAMPLES; i < 20; i++)
		assert_true(world.begun_ns[i] >= world.begun_ns[0] + RUN_NS);
	fleet_free(g);
}

static void hurry_ends_all(void **state)
{
	struct fleet *g = fleet_of(*state, 4, 0);
	struct err e;

	submit(g, 0, 10);
	assert_int_equal(fleet_run(g, world.now, &e), 0);
	assert_int_equal(world.running, 4);
	int64_t begin = world.now;
	fleet_hurry(g);
	run_until_done(g);
	assert_int_equal(world.hurried, 4);
	expect_reports(4); /* with what was known */
	for (unsigned i = 4; i < 10; i++) {
		assert_int_equal(outcome[i].done, 1);
		assert_null(outcome[i].report);
		assert_string_equal(outcome[i].error.text, "interrupted");
	}
	assert_int_equal(world.begun, 4);
	assert_true(world.now - begin < RUN_NS);
	fleet_free(g);
}

static void one_that_cannot_begin(void **state)
{
	struct fleet *g = fleet_of(*state, 1, 0);

	world.cannot_start = true;
	submit(g, 0, 2);
	run_until_done(g);
	assert_int_equal(outcome[0].done, 1);
	assert_null(outcome[0].report);
	assert_string_equal(outcome[0].error.text, "no route");
	assert_non_null(outcome[1].report);
	fleet_free(g);
}

static void tap_that_fails(void **state)
{
	struct fleet *g = fleet_of(*state, 2, 0);
	struct err e;

	submit(g, 0, 2);
	assert_int_equal(fleet_run(g, world.now, &e), 0);
	world.tap_failed = true;
	assert_int_equal(fleet_run(g, INT64_MAX, &e), -1);
	assert_string_equal(e.text, "the capture has ended");
	assert_int_equal(e.status, ERR_RUN);
	fleet_free(g);
	assert_int_equal(world.running, 0);
}

/* Whatever was submitted is answered for, once. */
static void freed_in_the_middle(void **state)
{
	struct fleet *g = fleet_of(*state, 2, 0);
	struct err e;

	submit(g, 0, 5);
	assert_int_equal(fleet_run(g, world.now, &e), 0);
	fleet_free(g);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(outcome[i].done, 1);
		assert_string_equal(outcome[i].error.text, "interrupted");
	}
	assert_int_equal(world.running, 0);
}

/* Who must be done by a given time is told in time that it can't be. */
static void no_time_left(void **state)
{
	struct fleet *g = fleet_of(*state, 1, 0);
	int64_t begin = world.now;

	for (unsigned i = 0; i < 2; i++) {
		struct plan plan = plan_of(i);
		fleet_submit_until(g, &plan, begin + 2 * RUN_NS - 1, on_done, (void *)(uintptr_t)i);
	}
	run_until_done(g);
	expect_reports(1);
	assert_int_equal(outcome[1].done, 1);
	assert_null(outcome[1].report);
	assert_string_equal(outcome[1].error.text, FLEET_NO_TIME);
	assert_int_equal(world.begun, 1);
	assert_true(world.now - begin <= RUN_NS + NS_PER_MS);
	fleet_free(g);
}

/* An exporter's tap is open while there are runs, and a while after them. */
static void the_tap_rests(void **state)
{
	const struct fleet_options opt = {.concurrency = 4, .lasting = true};
	struct fleet *g = NULL;
	struct err e;

	assert_int_equal(fleet_new(&g, *state, &opt, &e), 0);
	assert_int_equal(world.taps, 0);
	submit(g, 0, 3);
	run_until_done(g);
	expect_reports(3);
	assert_int_equal(world.taps, 1);
	for (int64_t until = world.now + 60 * NS_PER_S; world.now < until && world.taps;)
		assert_int_equal(fleet_run(g, until, &e), 0);
	assert_int_equal(world.taps, 0);
	submit(g, 3, 1);
	run_until_done(g);
	expect_reports(4);
	assert_int_equal(world.taps, 1);
	fleet_free(g);
	assert_int_equal(world.taps, 0);
}

/* A packet wakes its run: at once when nothing else is expected, else after what comes with it. */
static void packets_wake_their_run(void **state)
{
	struct fleet *g = fleet_of(*state, 2, 0);
	struct err e;

	submit(g, 0, 2);
	assert_int_equal(fleet_run(g, world.now, &e), 0);
	world.packet = (struct packet){.kind = PACKET_TCP};
	for (int idle = 0; idle < 2; idle++) {
		unsigned stepped = world.stepped;
		world.idle = idle;
		world.packet.dst = plan_of(1).target;
		world.has_packet = true;
		assert_int_equal(fleet_run(g, world.now, &e), 0);
		assert_int_equal(world.stepped - stepped, idle);
		world.now += 6 * NS_PER_MS;
		assert_int_equal(fleet_run(g, world.now, &e), 0);
		assert_int_equal(world.stepped - stepped, 1);
	}
	fleet_free(g);
}

/* It looks up once a second at least, and not before somebody asked for it. */
static void waits_are_bounded(void **state)
{
	struct fleet *g = fleet_of(*state, 1, 0);
	struct err e;

	assert_int_equal(fleet_run(g, INT64_MAX, &e), 0);
	assert_int_equal(world.longest_wait, 1000);
	world.longest_wait = 0;
	world.waits = 0;
	submit(g, 0, 1);
	run_until_done(g);
	assert_int_equal(world.longest_wait, RUN_NS / NS_PER_MS);
	assert_in_range(world.waits, 1, 3);
	fleet_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_after_the_other, setup, teardown),
		cmocka_unit_test_setup_teardown(never_more_than_asked_for, setup, teardown),
		cmocka_unit_test_setup_teardown(no_faster_than_asked_for, setup, teardown),
		cmocka_unit_test_setup_teardown(samples_go_first, setup, teardown),
		cmocka_unit_test_setup_teardown(hurry_ends_all, setup, teardown),
		cmocka_unit_test_setup_teardown(one_that_cannot_begin, setup, teardown),
		cmocka_unit_test_setup_teardown(tap_that_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(freed_in_the_middle, setup, teardown),
		cmocka_unit_test_setup_teardown(no_time_left, setup, teardown),
		cmocka_unit_test_setup_teardown(the_tap_rests, setup, teardown),
		cmocka_unit_test_setup_teardown(packets_wake_their_run, setup, teardown),
		cmocka_unit_test_setup_teardown(waits_are_bounded, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
