/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which packet belongs to which attempt. */
#include "cases.h"

static const struct flow *tracked(struct scene *s, unsigned i)
{
	finish(s);
	assert_true(i < s->diag->tracker.n_flows);
	return &s->diag->tracker.flows[i];
}

static struct port_facts facts(const struct scene *s)
{
	struct port_facts p;

	facts_of_port(&s->diag->tracker, 0, s->now, &p);
	return p;
}

static void test_by_source_port(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	unsigned a = start(s, 25), b = start(s, 25);
	pass(s, 10);
	syn_ack(s, b, 55);
	pass(s, 1);
	rst(s, a, 50);
	const struct flow *f = tracked(s, a);
	assert_true(f->rst.seen && f->rst.acks_our_syn && !f->synack.seen);
	assert_int_equal(f->rst.ttl, 50);
	f = tracked(s, b);
	assert_true(f->synack.seen && f->synack.acks_our_syn && !f->rst.seen);
	assert_int_equal(f->synack.ttl, 55);
	scene_free(s);
}

static void test_retransmissions(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	unsigned f = start(s, 25);
	at(s, 1000);
	syn(s, f);
	at(s, 3000);
	syn(s, f);
	at(s, 3010);
	syn_ack(s, f, 55);
	at(s, 3011);
	syn_ack(s, f, 55);
	const struct flow *t = tracked(s, f);
	assert_int_equal(t->syn_out, 3);
	assert_int_equal(t->first_syn_ns, T0);
	assert_int_equal(t->last_syn_ns, T0 + 3 * NS_PER_S);
	assert_int_equal(t->synack.count, 2);
	assert_int_equal(t->synack.t_ns, T0 + 3010 * NS_PER_MS);
	scene_free(s);
}

/* A bridge or VLAN shows each packet on the lower device, too. */
static void test_several_interfaces(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	usual_host(s);
	unsigned f = start(s, 25);
	on_other(syn(s, f));
	pass(s, 10);
	syn_ack(s, f, 55);
	on_other(syn_ack(s, f, 55));
	pass(s, 300);
	const struct flow *t = tracked(s, f);
	assert_int_equal(t->syn_out, 1);
	assert_int_equal(t->syn_ifindex, ETH);
	assert_int_equal(t->synack.count, 1);
	struct port_facts p = facts(s);
	assert_true(fact_seen(&p, F_SYNACK));
	assert_false(fact_seen(&p, F_SYNACK_ELSEWHERE));
	scene_free(s);
}

/* The lower device shows what comes in first, and what goes out last. */
static void test_bridge_order(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	usual_host(s);
	unsigned f = start(s, 25);
	pass(s, 0.01);
	on_other(syn(s, f));
	pass(s, 10);
	on_other(syn_ack(s, f, 55));
	pass(s, 0.01);
	syn_ack(s, f, 55);
	pass(s, 300);
	finish(s);
	struct port_facts p = facts(s);
	assert_true(fact_seen(&p, F_SYNACK));
	if (fact_seen(&p, F_SYNACK_ELSEWHERE))
		fail_msg("the SYN-ACK came in by both, and so by the SYN's own");
	scene_free(s);
}

/* ---- this host's own translation ---- */

static void masqueraded(struct packet *p, const char *address, uint16_t port)
{
	p->src = ip(address);
	p->tcp.sport = port;
}

static void test_masquerading(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	usual_host(s);
	unsigned f = flow(s, 25);
	pass(s, 0.1);
	masqueraded(syn(s, f), "203.0.113.50", 61000);
	pass(s, 10);
	struct packet *p = syn_ack(s, f, 55);
	p->dst = ip("203.0.113.50");
	p->tcp.dport = 61000;
	connected(s, f);
	open_dialogue(s, f);
	const struct flow *t = tracked(s, f);
	assert_true(t->translated);
	assert_int_equal(t->translated_sport, 61000);
	assert_true(t->synack.seen && t->synack.acks_our_syn);
	assert_int_equal(state_of(s->report, 25), STATE_OPEN);
	scene_free(s);
}

static void test_source_address_alone(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	usual_host(s);
	unsigned f = flow(s, 25);
	syn(s, f)->src = ip("203.0.113.50");
	pass(s, 10);
	rst(s, f, 55)->dst = ip("203.0.113.50");
	failed(s, f, ECONNREFUSED);
	const struct flow *t = tracked(s, f);
	assert_true(t->translated && t->rst.seen && t->rst.acks_our_syn);
	scene_free(s);
}

/* Another program calls the same target at that moment: its SYN, and what comes for it, are not ours. */
static void test_somebody_else_calls_there(void **state)
{
	(void)state;
	for (int ours = 0; ours < 2; ours++) {
		struct scene *s = scene_new(false);
		usual_host(s);
		unsigned f = flow(s, 25);
		pass(s, 0.1);
		masqueraded(syn(s, f), "192.0.2.10", 61000);
		struct packet *p = rst(s, f, 55);
		p->dst = ip("192.0.2.10");
		p->tcp.dport = 61000;
		if (ours) { /* late, but there it is */
			syn(s, f);
			pass(s, 10);
			syn_ack(s, f, 55);
		} else { /* and ours is answered by this host itself */
			rst(s, f, 64)->loopback = true;
		}
		const struct flow *t = tracked(s, f);
		assert_false(t->translated);
		assert_int_equal(t->syn_out, ours);
		assert_true(t->rst.seen != ours && t->synack.seen == ours);
		scene_free(s);
	}
}

/* From the same port, which the kernel gives to whoever calls somewhere else. */
static void test_somebody_else_calls_from_there(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	usual_host(s);
	unsigned f = flow(s, 25);
	syn(s, f);
	pass(s, 10);
	syn_ack(s, f, 55);
	connected(s, f);
	struct packet *p = syn(s, f);
	p->tcp.dport = 587;
	p->tcp.seq += 1000;
	p = syn(s, f);
	p->dst = ip("192.0.2.99");
	p->tcp.seq += 2000;
	open_dialogue(s, f);
	const struct flow *t = tracked(s, f);
	assert_false(t->redirected);
	assert_int_equal(t->syn_out, 1);
	assert_int_equal(state_of(s->report, 25), STATE_OPEN);
	scene_free(s);
}

static void test_answered_before(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	usual_host(s);
	unsigned f = flow(s, 25);
	rst(s, f, 64)->loopback = true;
	masqueraded(syn(s, f), "192.0.2.10", 61000);
	const struct flow *t = tracked(s, f);
	assert_true(t->rst.seen && !t->translated && t->syn_out == 0);
	scene_free(s);
}

/* Two flows at once, both with other ports outside. */
static void test_masqueraded_twins(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	unsigned a = flow(s, 25), b = flow(s, 25);
	masqueraded(syn(s, a), "203.0.113.50", 61000);
	masqueraded(syn(s, b), "203.0.113.50", 61001);
	masqueraded(syn(s, a), "203.0.113.50", 61000);
	pass(s, 10);
	struct packet *p = syn_ack(s, b, 55);
	p->dst = ip("203.0.113.50");
	p->tcp.dport = 61001;
	assert_false(tracked(s, a)->synack.seen);
	assert_int_equal(tracked(s, a)->syn_out, 2);
	assert_true(tracked(s, b)->synack.seen);
	scene_free(s);
}

static void test_icmp_quotes_the_translation(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	unsigned f = flow(s, 25);
	masqueraded(syn(s, f), "203.0.113.50", 61000);
	pass(s, 5);
	struct packet *p = icmp(s, f, hop(s, 2), 3, 13, 62);
	p->dst = ip("203.0.113.50");
	p->icmp.quote.src = ip("203.0.113.50");
	p->icmp.quote.sport = 61000;
	const struct flow *t = tracked(s, f);
	assert_int_equal(t->n_icmp, 1);
	assert_false(t->icmp[0].on_lo);
	scene_free(s);
}

/* ---- ICMP ---- */

/* A router of the network translates, and leaves its own words in the quote. */
static void test_quote_with_foreign_addresses(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	unsigned a = start(s, 25), b = start(s, 25);
	icmp(s, a, hop(s, 2), 3, 13, 62)->icmp.quote.src = ip("203.0.113.50");
	icmp(s, b, hop(s, 2), 3, 13, 62)->icmp.quote.dst = ip("10.77.0.1"); /* redirected there */
	assert_int_equal(tracked(s, a)->n_icmp, 1);
	assert_int_equal(tracked(s, b)->n_icmp, 1);
	scene_free(s);
}

/* Somebody else's connection with the same ports, to another host. */
static void test_foreign_icmp(void **state)
{
	struct scene *s = scene_new(false);
	struct packet *p;

	(void)state;
	unsigned f = start(s, 25);
	p = icmp(s, f, hop(s, 2), 3, 13, 62);
	p->icmp.quote.dst = ip("192.0.2.200");
	p->icmp.quote.seq += 77777;
	icmp(s, f, hop(s, 2), 3, 13, 62)->icmp.quote.proto = 17;
	icmp(s, f, hop(s, 2), 3, 13, 62)->icmp.quote.has_ports = false;
	icmp(s, f, hop(s, 2), 3, 13, 62)->icmp.quote.dport = 2525;
	icmp(s, f, hop(s, 2), 3, 13, 62)->icmp.quote.sport = 33333;
	icmp(s, f, hop(s, 2), 3, 13, 62)->dir = PACKET_OUT;
	assert_int_equal(tracked(s, f)->n_icmp, 0);
	scene_free(s);
}

/* The same message from the tap and from the socket is one, and the tap's tells more. */
static void test_icmp_twice(void **state)
{
	(void)state;
	for (int order = 0; order < 2; order++) {
		struct scene *s = scene_new(false);
		unsigned f = start(s, 25);
		if (order == 0)
			told(s, f, EHOSTUNREACH, hop(s, 2), 3, 13);
		pass(s, 1);
		icmp(s, f, hop(s, 2), 3, 13, 62);
		pass(s, 1);
		if (order == 1)
			told(s, f, EHOSTUNREACH, hop(s, 2), 3, 13);
		const struct flow *t = tracked(s, f);
		assert_int_equal(t->n_icmp, 1);
		assert_false(t->icmp[0].from_errqueue);
		assert_int_equal(t->icmp[0].msg.quote.ttl, 62);
		scene_free(s);
	}
}

static void test_many_icmp(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	unsigned f = start(s, 25);
	for (unsigned code = 0; code < 16; code++)
		for (unsigned i = 0; i < 3; i++)
			icmp(s, f, hop(s, 2), 3, code, 62);
	assert_int_equal(tracked(s, f)->n_icmp, TRACKER_MAX_ICMP);
	scene_free(s);
}

/* Fragmentation needed is about size, not about reach. */
static void test_fragmentation_needed_is_no_block(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	usual_host(s);
	unsigned f = answered(s, 25, FARTTL);
	icmp(s, f, hop(s, 2), 3, 4, 62);
	open_dialogue(s, f);
	assert_int_equal(state_of(finish(s), 25), STATE_OPEN);
	scene_free(s);
}

/* ---- redirects ---- */

static void test_redirect(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	redirected_away(s);
	const struct flow *t = tracked(s, 0);
	struct addr there = ip("10.9.9.9");
	assert_true(t->redirected && addr_equal(&t->redirect_dst, &there));
	assert_int_equal(t->redirect_dport, 25);
	assert_int_equal(t->syn_out, 0);
	assert_true(t->synack.seen);
	scene_free(s);
}

static void test_redirect_to_another_port(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	usual_host(s);
	unsigned f = flow(s, 25);
	syn(s, f)->tcp.dport = 2525;
	pass(s, 10);
	syn_ack(s, f, 55)->tcp.sport = 2525;
	icmp(s, f, hop(s, 3), 3, 13, 60)->icmp.quote.dport = 2525;
	const struct flow *t = tracked(s, f);
	assert_true(t->redirected && t->synack.seen);
	assert_int_equal(t->redirect_dport, 2525);
	assert_int_equal(t->n_icmp, 1);
	scene_free(s);
}

/* To oneself every SYN goes by loopback. */
static void test_local_target_is_no_redirect(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	refused_local(s);
	const struct flow *t = tracked(s, 0);
	assert_false(t->syn_on_lo);
	assert_int_equal(t->syn_out, 1);
	scene_free(s);
}

/* ---- RST and SYN-ACK ---- */

static void test_rst_before_syn_ack(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	unsigned a = start(s, 25), b = start(s, 25);
	pass(s, 3);
	rst(s, a, 60);
	syn_ack(s, b, 55);
	pass(s, 3);
	syn_ack(s, a, 55);
	rst(s, b, 55);
	assert_true(tracked(s, a)->rst_before_synack);
	assert_false(tracked(s, b)->rst_before_synack);
	scene_free(s);
}

/* ---- what is not ours ---- */

static void test_same_ports_of_another_host(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	usual_host(s);
	unsigned f = start(s, 25);
	answered(s, 443, FARTTL);
	struct packet *p = syn_ack(s, f, 55);
	p->src = ip("192.0.2.200");
	p->tcp.ack += 555;
	p = rst(s, f, 60);
	p->src = ip("192.0.2.200");
	p->tcp.ack += 555;
	/* ... and one to another host of this network, seen on a bridge */
	syn_ack(s, f, 55)->dst = ip("10.1.0.77");
	const struct flow *t = tracked(s, f);
	assert_false(t->synack.seen);
	assert_false(t->rst.seen);
	scene_free(s);
}

/* An answer to an older SYN must not hide the one to ours. */
static void test_wrong_ack(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	usual_host(s);
	unsigned a = start(s, 25), b = start(s, 25);
	pass(s, 5);
	syn_ack(s, a, 40)->tcp.ack += 999;
	rst(s, b, 40)->tcp.ack += 999;
	finish(s);
	struct port_facts p = facts(s);
	assert_false(fact_seen(&p, F_SYNACK));
	assert_false(fact_seen(&p, F_RST));
	pass(s, 5);
	syn_ack(s, a, 55);
	rst(s, b, 56);
	const struct flow *t = tracked(s, a);
	assert_true(t->synack.acks_our_syn);
	assert_int_equal(t->synack.ttl, 55);
	t = tracked(s, b);
	assert_true(t->rst.acks_our_syn);
	assert_int_equal(t->rst.ttl, 56);
	scene_free(s);
}

/* What this host forwards for a container bears any port. */
static void test_forwarded_syn(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	usual_host(s);
	unsigned f = flow(s, 25);
	struct packet *p = syn(s, f);
	p->src = ip("172.17.0.2");
	p->dst = ip("192.0.2.200");
	p = syn(s, f);
	p->src = ip("172.17.0.2");
	p->dir = PACKET_IN;
	p->ifindex = OTHER;
	const struct flow *t = tracked(s, f);
	assert_false(t->redirected);
	assert_int_equal(t->syn_out, 0);
	scene_free(s);
}

/* What we send is no answer, a probe is no flow's SYN, and data are neither. */
static void test_own_packets(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	usual_host(s);
	unsigned f = start(s, 25);
	rst(s, f, 64)->dir = PACKET_OUT;
	trace_probe(s, 25, 3);
	probe(s, PROBE_FULL, 25, 64, s->plan.target);
	answer(s, f, 55, TCP_ACK);
	answer(s, f, 55, TCP_ACK | TCP_PSH);
	answer(s, f, 55, TCP_ACK | TCP_FIN);
	const struct flow *t = tracked(s, f);
	assert_int_equal(t->syn_out, 1);
	assert_false(t->rst.seen || t->synack.seen || t->redirected);
	assert_int_equal(s->diag->tracker.path.n_probes, 2);
	scene_free(s);
}

static void test_unknown_flow(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	flow(s, 25);
	connected(s, 0);
	add_event(s, EV_CONNECT, 99);
	greeting(s, 98, 220, "x");
	session_end(s, 97, STAGE_QUIT, SESSION_DONE, NULL);
	told(s, 96, EHOSTUNREACH, hop(s, 2), 3, 1);
	flow(s, 2525); /* not in the plan */
	tracked(s, 0);
	assert_int_equal(s->diag->tracker.n_flows, 1);
	assert_false(s->diag->tracker.flows[0].has_reply);
	scene_free(s);
}

static void test_limits(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	usual_host(s);
	for (unsigned i = 0; i < TRACKER_MAX_FLOWS + 5; i++)
		start(s, 25);
	for (unsigned i = 0; i < PATH_MAX_PROBES + 5; i++)
		trace_probe(s, 25, 1 + i % 100);
	finish(s);
	assert_int_equal(s->diag->tracker.n_flows, TRACKER_MAX_FLOWS);
	assert_true(s->diag->tracker.path.n_probes <= PATH_MAX_PROBES);
	scene_free(s);
}

/* ---- the flow that counts ---- */

static void test_main_flow(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	finish(s);
	assert_null(tracker_main_flow(&s->diag->tracker, 0));
	start(s, 25);
	start(s, 25);
	finish(s);
	assert_int_equal(tracker_main_flow(&s->diag->tracker, 0)->id, 0);
	unsigned f = refused(s, 25, 55);
	finish(s);
	assert_int_equal(tracker_main_flow(&s->diag->tracker, 0)->id, f);
	f = answered(s, 25, 55);
	finish(s);
	assert_int_equal(tracker_main_flow(&s->diag->tracker, 0)->id, f);
	unsigned g = answered(s, 25, 55);
	greeting(s, g, 220, "x");
	finish(s);
	assert_int_equal(tracker_main_flow(&s->diag->tracker, 0)->id, g);
	assert_null(tracker_main_flow(&s->diag->tracker, 1));
	scene_free(s);
}

/* ---- the order of arrival ---- */

static uint64_t random_below(uint64_t *seed, uint64_t n)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (*seed >> 33) % n;
}

/* Socket results, netlink and the capture thread come when they come; the stamps decide. */
static void test_order_of_arrival(void **state)
{
	uint64_t seed = 20260131;

	(void)state;
	for (size_t i = 0; i < COUNT(rule_cases); i++) {
		struct scene *s = scene_of(&rule_cases[i]);
		capture_lost(s, 0, 0);
		add_event(s, EV_RUN_END, NO_FLOW);
		event_log_sort(&s->log);
		for (size_t k = 0; k < s->log.n; k++) {
			struct event *ev = &s->log.events[k];
			ev->t_ns += (int64_t)k;
			if (ev->kind == EV_PACKET)
				ev->packet.t_ns = ev->t_ns;
		}
		char *expected = json_of(judge(s));
		for (int round = 0; round < 5; round++) {
			for (size_t k = s->log.n; k-- > 1;) {
				size_t j = random_below(&seed, k + 1);
				struct event ev = s->log.events[k];
				s->log.events[k] = s->log.events[j];
				s->log.events[j] = ev;
			}
			char *got = json_of(judge(s));
			if (strcmp(got, expected) != 0)
				fail_msg("%s:\n%s%s", rule_cases[i].rule, expected, got);
			free(got);
		}
		free(expected);
		scene_free(s);
	}
}

/* The sort is stable: what happened "at once" keeps its order. */
static void test_sort_is_stable(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	for (unsigned i = 0; i < 50; i++) {
		at(s, i % 5);
		add_event(s, EV_CONNECT, i);
	}
	event_log_sort(&s->log);
	for (size_t i = 1; i < s->log.n; i++) {
		const struct event *a = &s->log.events[i - 1], *b = &s->log.events[i];
		assert_true(a->t_ns < b->t_ns || (a->t_ns == b->t_ns && a->flow < b->flow));
	}
	scene_free(s);
}

/* Fed in pieces or at once: the same. */
static void test_feeding_in_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rule_cases); i++) {
		struct scene *s = scene_of(&rule_cases[i]);
		char *expected = json_of(finish(s));
		struct diag *d = calloc(1, sizeof(*d));
		size_t n = s->log.n;
		s->log.n = 0;
		diag_init(d, &s->plan, &s->log);
		for (size_t k = 0; k <= n; k += 3) {
			s->log.n = k < n ? k : n;
			diag_feed(d);
		}
		s->log.n = n;
		diag_feed(d);
		struct report *r = diag_report(d, "0.0.0");
		char *got = json_of(r);
		assert_string_equal(got, expected);
		report_free(r);
		diag_clear(d);
		free(d);
		free(got);
		free(expected);
		scene_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_source_port),
		cmocka_unit_test(test_retransmissions),
		cmocka_unit_test(test_several_interfaces),
		cmocka_unit_test(test_bridge_order),
		cmocka_unit_test(test_masquerading),
		cmocka_unit_test(test_source_address_alone),
		cmocka_unit_test(test_somebody_else_calls_there),
		cmocka_unit_test(test_somebody_else_calls_from_there),
		cmocka_unit_test(test_answered_before),
		cmocka_unit_test(test_masqueraded_twins),
		cmocka_unit_test(test_icmp_quotes_the_translation),
		cmocka_unit_test(test_quote_with_foreign_addresses),
		cmocka_unit_test(test_foreign_icmp),
		cmocka_unit_test(test_icmp_twice),
		cmocka_unit_test(test_many_icmp),
		cmocka_unit_test(test_fragmentation_needed_is_no_block),
		cmocka_unit_test(test_redirect),
		cmocka_unit_test(test_redirect_to_another_port),
		cmocka_unit_test(test_local_target_is_no_redirect),
		cmocka_unit_test(test_rst_before_syn_ack),
		cmocka_unit_test(test_same_ports_of_another_host),
		cmocka_unit_test(test_wrong_ack),
		cmocka_unit_test(test_forwarded_syn),
		cmocka_unit_test(test_own_packets),
		cmocka_unit_test(test_unknown_flow),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_main_flow),
		cmocka_unit_test(test_order_of_arrival),
		cmocka_unit_test(test_sort_is_stable),
		cmocka_unit_test(test_feeding_in_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
