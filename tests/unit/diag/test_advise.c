/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the advice costs, and when it ends: a live run on a network of the test's own. */
#include "net.h"

static void three_ports(struct scene *s)
{
	s->plan.ports[0] = (struct plan_port){.port = 25, .tested = true};
	s->plan.ports[1] = (struct plan_port){.port = 465, .tested = true};
	s->plan.ports[2] = (struct plan_port){.port = 587, .tested = true};
	s->plan.ports[3] = (struct plan_port){.port = 443};
	s->plan.n_ports = 4;
}

static double elapsed_ms(const struct scene *s)
{
	return (double)(s->now - T0) / 1e6;
}

struct outcome {
	enum state state;
	enum place place;
	char rule[32];
	double ms, after_dialogue_ms;
	unsigned syns, probes;
	bool done;
};

static struct outcome run(struct scene *s, struct net *net)
{
	static struct sim m;
	struct outcome o = {0};
	const struct report *r = sim_run(&m, s, net);

	o.state = r->ports[0].state;
	o.place = r->ports[0].n_findings ? r->ports[0].findings[0].place : PLACE_UNKNOWN;
	snprintf(o.rule, sizeof(o.rule), "%s",
		 r->ports[0].n_findings ? r->ports[0].findings[0].rule : "");
	o.ms = elapsed_ms(s);
	o.after_dialogue_ms = m.greeted_ns ? (double)(s->now - m.greeted_ns) / 1e6 : -1;
	o.syns = m.n_syns;
	o.probes = m.n_probes;
	o.done = m.done;
	return o;
}

static void tell(const char *name, const struct outcome *o)
{
	print_message("%-34s %-12s %-20s %7.1f ms %3u SYNs %3u probes\n", name,
		      state_name(o->state), o->rule, o->ms, o->syns, o->probes);
}

/* ---- one path, no loss ---- */

static void test_open(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 12; n += n < 3 ? 1 : 3) {
		struct scene *s = scene_new(n & 1);
		static struct net net;
		net_plain(&net, s, n, n);
		struct outcome o = run(s, &net);
		tell("open", &o);
		assert_int_equal(o.state, STATE_OPEN);
		assert_true(o.done);
		assert_true(o.after_dialogue_ms <= (double)net.rtt_ns / 1e6 + 2);
		assert_int_equal(o.syns, s->plan.n_ports);
		scene_free(s);
	}
}

static void test_three_open_ports(void **state)
{
	struct scene *s = scene_new(false);
	static struct net net;

	(void)state;
	three_ports(s);
	net_plain(&net, s, 10, 1);
	for (unsigned i = 0; i < 4; i++) {
		net.services[i].port = s->plan.ports[i].port;
		net.services[i].service = SERVICE_OPEN;
	}
	net.n_services = 4;
	struct outcome o = run(s, &net);
	tell("three open ports", &o);
	assert_int_equal(report_exit_status(s->report), 0);
	assert_true(o.after_dialogue_ms <= (double)net.rtt_ns / 1e6 + 2);
	assert_true(o.probes <= 50);
	scene_free(s);
}

static void test_refused(void **state)
{
	(void)state;
	for (unsigned n = 2; n <= 10; n += 4) {
		struct scene *s = scene_new(false);
		static struct net net;
		net_plain(&net, s, n, n);
		net.services[0].service = SERVICE_CLOSED;
		struct outcome o = run(s, &net);
		tell("refused", &o);
		assert_int_equal(o.state, STATE_REFUSED);
		assert_true(o.done);
		/* the handshake, the trace, and the least time that an answer is given */
		assert_true(o.ms <= 2 * (double)net.rtt_ns / 1e6 +
				    (double)ANSWER_DUE_FLOOR_NS / 1e6 + 20);
		scene_free(s);
	}
}

static void test_silent(void **state)
{
	(void)state;
	for (unsigned at = 1; at <= 10; at++)
		for (int outbound = 0; outbound < 2; outbound++) {
			struct scene *s = scene_new(false);
			static struct net net;
			char name[40];
			net_plain(&net, s, 10, at);
			net.filter = filter_new(DEED_DROP, at, outbound);
			struct outcome o = run(s, &net);
			snprintf(name, sizeof(name), "dropped %s %u", outbound ? "behind" : "at", at);
			tell(name, &o);
			assert_int_equal(o.state, STATE_BLOCKED);
			assert_true(o.done);
			assert_true(o.probes < 120);
			assert_true(o.syns <= 2 * (MAX_ATTEMPTS + 4));
			assert_true(o.ms < 4000);
			scene_free(s);
		}
}

static void test_silent_target(void **state)
{
	struct scene *s = scene_new(false);
	static struct net net;

	(void)state;
	net_plain(&net, s, 10, 7);
	net.services[0].service = SERVICE_FILTERED;
	struct outcome o = run(s, &net);
	tell("the target is silent", &o);
	assert_int_equal(o.state, STATE_BLOCKED);
	assert_int_equal(o.place, PLACE_DESTINATION);
	assert_true(o.probes < 120);
	scene_free(s);
}

static void test_all_silent(void **state)
{
	struct scene *s = scene_new(false);
	static struct net net;

	(void)state;
	net_plain(&net, s, 10, 7);
	net.services[0].service = net.services[1].service = SERVICE_FILTERED;
	struct outcome o = run(s, &net);
	tell("no port answers", &o);
	assert_int_equal(o.state, STATE_UNREACHABLE);
	assert_true(o.ms <= 8000);
	scene_free(s);
}

static void test_devices(void **state)
{
	static const enum deed deeds[] = {DEED_RST, DEED_ICMP, DEED_INTERCEPT, DEED_INJECT};

	(void)state;
	for (size_t d = 0; d < COUNT(deeds); d++)
		for (unsigned at = 1; at <= 9; at += 2) {
			struct scene *s = scene_new(false);
			static struct net net;
			char name[40];
			net_plain(&net, s, 10, at);
			net.filter = filter_new(deeds[d], at, at & 2);
			struct outcome o = run(s, &net);
			snprintf(name, sizeof(name), "deed %d at %u", deeds[d], at);
			tell(name, &o);
			assert_int_equal(o.state, deeds[d] == DEED_INTERCEPT ? STATE_INTERCEPTED
									    : STATE_BLOCKED);
			assert_true(o.done);
			assert_true(o.ms < 4000);
			scene_free(s);
		}
}

/* ---- bounds, whatever the network is ---- */

static void test_ends_in_time(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 150; seed++) {
		struct lots l = lots_new(seed + 5000);
		struct scene *s = scene_new(chance(&l, 0.3));
		static struct net net;
		if (chance(&l, 0.5))
			three_ports(s);
		net_plain(&net, s, pick(&l, 1, 20), seed);
		net.filter = filter_new((enum deed)pick(&l, 0, 5), pick(&l, 1, net.n), chance(&l, 0.5));
		net.filter.mirrors = chance(&l, 0.2);
		net.loss_out = net.loss_back = uniform(&l) * 0.6;
		net.rtt_ns = (int64_t)(uniform(&l) * 900e6);
		net.jitter_ns = (int64_t)(uniform(&l) * 100e6);
		for (unsigned i = 0; i < net.n_services; i++)
			net.services[i].service = (enum service)pick(&l, 0, 2);
		for (unsigned i = 1; i <= net.n; i++) {
			net.router[i].silent = chance(&l, 0.2);
			net.router[i].per_second = chance(&l, 0.3) ? 1 : 0;
		}
		s->plan.timeout_ns = pick(&l, 1, 8) * NS_PER_S;
		struct outcome o = run(s, &net);
		assert_true(o.ms <= (double)s->plan.timeout_ns / 1e6 + 5);
		if (o.probes > 1500)
			fail_msg("seed %u: %u probes", seed, o.probes);
		assert_true(s->diag->tracker.path.n_probes < PATH_MAX_PROBES);
		scene_free(s);
	}
}

static void test_no_path(void **state)
{
	struct scene *s = scene_new(false);
	static struct net net;

	(void)state;
	s->plan.no_path = true;
	net_plain(&net, s, 10, 7);
	net.filter = filter_new(DEED_DROP, 3, false);
	struct outcome o = run(s, &net);
	tell("no path probes", &o);
	assert_int_equal(o.probes, 0);
	assert_int_equal(o.state, STATE_BLOCKED);
	assert_string_equal(o.rule, "path-silence");
	scene_free(s);
}

static void test_max_hops(void **state)
{
	struct scene *s = scene_new(false);
	static struct net net;

	(void)state;
	s->plan.max_hops = 4;
	net_plain(&net, s, 10, 7);
	net.filter = filter_new(DEED_DROP, 3, false);
	run(s, &net);
	for (unsigned i = 0; i < s->n_probes; i++)
		assert_true(s->probes[i].ttl <= 4 || s->probes[i].ttl == 64);
	scene_free(s);
}

/* Some open, one dropped: the open ones are not held up by more than the run of the other. */
static void test_mixed(void **state)
{
	struct scene *s = scene_new(false);
	static struct net net;

	(void)state;
	three_ports(s);
	net_plain(&net, s, 10, 3);
	for (unsigned i = 0; i < 4; i++) {
		net.services[i].port = s->plan.ports[i].port;
		net.services[i].service = SERVICE_OPEN;
	}
	net.n_services = 4;
	net.filter = filter_new(DEED_DROP, 2, false);
	struct outcome o = run(s, &net);
	tell("25 dropped, 465 and 587 open", &o);
	assert_int_equal(state_of(s->report, 25), STATE_BLOCKED);
	assert_int_equal(state_of(s->report, 465), STATE_OPEN);
	assert_int_equal(state_of(s->report, 587), STATE_OPEN);
	assert_int_equal(o.place, PLACE_ISP);
	assert_true(o.probes < 160);
	scene_free(s);
}

/* ---- loss ---- */

/* A healthy path that loses so much each way: open, or at worst undecided. */
static void lossy(double loss, unsigned seeds)
{
	unsigned open = 0, undecided = 0;

	for (unsigned seed = 0; seed < seeds; seed++) {
		struct lots l = lots_new(seed + 100000);
		struct scene *s = scene_new(seed % 3 == 0);
		static struct net net;
		net_plain(&net, s, pick(&l, 2, 14), seed);
		net.loss_out = net.loss_back = loss;
		net.loss_link = pick(&l, 0, net.n);
		net.rtt_ns = (int64_t)pick(&l, 2, 150) * NS_PER_MS;
		struct outcome o = run(s, &net);
		open += o.state == STATE_OPEN;
		undecided += o.state == STATE_INCONCLUSIVE;
		if (o.state != STATE_OPEN && o.state != STATE_INCONCLUSIVE)
			fail_msg("seed %u: a healthy path is %s", seed, said_of(s->report, 25));
		scene_free(s);
	}
	print_message("loss of %.0f %% each way: %u open, %u undecided of %u\n", loss * 100, open,
		      undecided, seeds);
	assert_true(open >= seeds * 95 / 100);
}

static void test_healthy_and_lossless(void **state)
{
	(void)state;
	lossy(0, 50);
}

static void test_healthy_with_loss(void **state)
{
	(void)state;
	lossy(0.1, 400);
}

static void test_healthy_with_much_loss(void **state)
{
	(void)state;
	lossy(0.3, 400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_three_open_ports),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_silent_target),
		cmocka_unit_test(test_all_silent),
		cmocka_unit_test(test_devices),
		cmocka_unit_test(test_ends_in_time),
		cmocka_unit_test(test_no_path),
		cmocka_unit_test(test_max_hops),
		cmocka_unit_test(test_mixed),
		cmocka_unit_test(test_healthy_and_lossless),
		cmocka_unit_test(test_healthy_with_loss),
		cmocka_unit_test(test_healthy_with_much_loss),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
