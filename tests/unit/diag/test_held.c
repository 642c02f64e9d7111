/* SPDX-License-Identifier: GPL-3.0-or-later */
/* When words are said once more, with growing TTLs: after which ends, and how far. */
#include "cases.h"

#include "diag/advise_session.h"

static struct diag_advice advice;

static void ask(struct scene *s)
{
	judge(s);
	diag_advise(s->diag, s->now, &advice);
}

/* The stage at which a further connection is to hold its words; STAGE_COUNT: there is to be none.
 */
static enum session_stage held_stage(struct scene *s)
{
	ask(s);
	return advice.n_held ? advice.held[0].stage : STAGE_COUNT;
}

static unsigned ready(struct scene *s)
{
	unsigned f = ehlo_said(s);

	two_traces(s, 25, HOPS, 443, HOPS, 2);
	probe_syn_ack(s, trace_probe(s, 443, HOPS + 2), FARTTL);
	return f;
}

static void after_ehlo(struct scene *s, enum session_end end, bool packet)
{
	unsigned f = ready(s);

	if (packet && end == SESSION_CLOSED)
		fin(s, f, FARTTL);
	else if (packet)
		rst(s, f, FARTTL);
	pass(s, 1);
	session_end(s, f, STAGE_EHLO, end, NULL);
}

static void expect_end(enum session_end end, bool packet, enum session_stage stage)
{
	struct scene *s = scene_new(false);

	after_ehlo(s, end, packet);
	assert_int_equal(held_stage(s), stage);
	scene_free(s);
}

static void test_ends(void **state)
{
	(void)state;
	expect_end(SESSION_RESET, true, STAGE_EHLO);
	expect_end(SESSION_CLOSED, true, STAGE_EHLO);
	expect_end(SESSION_NOT_SMTP, true, STAGE_COUNT);
	expect_end(SESSION_STALLED, true, STAGE_COUNT);
}

/* The socket hears of an end before the tap's packet has come to us: that is waited for, not for
 * ever. */
static void test_packet_is_late(void **state)
{
	static const enum session_end ends[] = {SESSION_RESET, SESSION_CLOSED};

	(void)state;
	for (size_t i = 0; i < COUNT(ends); i++) {
		struct scene *s = scene_new(false);
		after_ehlo(s, ends[i], false);
		assert_int_equal(held_stage(s), STAGE_COUNT);
		assert_false(advice.done);
		assert_true(advice.again_ns > s->now);
		pass(s, 1000);
		assert_int_equal(held_stage(s), STAGE_COUNT);
		assert_true(advice.done);
		scene_free(s);
	}
}

/* A dialogue may be over before the tap's first packet has come. */
static void test_tap_is_late(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	usual_host(s);
	answered(s, 443, FARTTL);
	unsigned f = start(s, 25);
	connected(s, f);
	greeting(s, f, 220, "mx.example.com ESMTP");
	session_end(s, f, STAGE_EHLO, SESSION_RESET, NULL);
	ask(s);
	assert_false(advice.done);
	pass(s, 2000);
	ask(s);
	assert_true(advice.done);
	scene_free(s);
}

static enum session_stage held_for_reply(enum session_stage stage, int code, bool tls, bool helo)
{
	struct scene *s = scene_new(false);
	unsigned f = ready(s);

	pass(s, 1);
	if (tls) {
		said(s, f, STAGE_EHLO, 250, "mx.example.com", plain_ehlo);
		shown(s, f, "CN=mx.example.com", "CN=mx.example.com", "ab", false);
	}
	said(s, f, stage, code, "no", NULL);
	s->log.events[s->log.n - 1].reply.helo = helo;
	session_end(s, f, STAGE_QUIT, SESSION_DONE, NULL);
	enum session_stage held = held_stage(s);
	scene_free(s);
	return held;
}

/* Lasting refusals in the clear: inside TLS nobody on the way can forge one, and who asks for
 * patience is not asked again at once. */
static void test_refusals(void **state)
{
	(void)state;
	assert_int_equal(held_for_reply(STAGE_EHLO, 554, false, false), STAGE_EHLO);
	assert_int_equal(held_for_reply(STAGE_STARTTLS, 501, false, false), STAGE_STARTTLS);
	assert_int_equal(held_for_reply(STAGE_MAIL, 550, false, false), STAGE_MAIL);
	assert_int_equal(held_for_reply(STAGE_RCPT, 550, false, false), STAGE_RCPT);
	assert_int_equal(held_for_reply(STAGE_RCPT, 450, false, false),
			 STAGE_COUNT); /* greylisting */
	assert_int_equal(held_for_reply(STAGE_EHLO, 421, false, false), STAGE_COUNT);
	assert_int_equal(held_for_reply(STAGE_MAIL, 250, false, false), STAGE_COUNT);
	assert_int_equal(held_for_reply(STAGE_AUTH, 535, false, false), STAGE_COUNT);
	assert_int_equal(held_for_reply(STAGE_MAIL, 550, true, false), STAGE_COUNT);
	assert_int_equal(held_for_reply(STAGE_EHLO, 554, false, true), STAGE_COUNT);
}

static void test_not_at_all(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct scene *s = scene_new(false);
		refusal(s, ready(s), FARTTL);
		s->plan.no_path = i == 0;
		s->plan.thrifty = i == 1;
		if (i == 2)
			capture_lost(s, 1, 0);
		assert_int_equal(held_stage(s), i == 3 ? STAGE_EHLO : STAGE_COUNT);
		scene_free(s);
	}
}

static unsigned next_ttl(struct scene *s)
{
	ask(s);
	for (unsigned i = 0; i < advice.n_probes; i++)
		if (advice.probes[i].kind == PROBE_DATA)
			return advice.probes[i].ttl;
	return 0;
}

/* TTL by TTL, until something is drawn: a reply ends it as a RST does, and not what the server had
 * said before once more. */
static void test_steps(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	refusal(s, ehlo_said(s), 63);
	unsigned held = ehlo_held(s, 2);
	pass(s, 50);
	assert_int_equal(next_ttl(s), 3);
	they_say(s, held, FARTTL, 0, 40, 0);
	pass(s, 1);
	assert_int_equal(next_ttl(s), 3);
	/* from elsewhere, with what it had not said yet */
	they_say(s, held, 63, 40, 25, 18);
	pass(s, 50);
	assert_int_equal(next_ttl(s), 0);
	assert_true(tracker_held(&s->diag->tracker, 0)->drawn.words);
	scene_free(s);
}

/* What comes from as far as the server, and does not acknowledge the words, is its own: of no TTL.
 */
static void test_own_words(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	refusal(s, ehlo_said(s), FARTTL);
	unsigned held = ehlo_held(s, 2);
	they_say(s, held, FARTTL, 40, 25, 0);
	pass(s, 50);
	assert_int_equal(next_ttl(s), 3);
	assert_false(tracker_held(&s->diag->tracker, 0)->drawn.words);
	scene_free(s);
}

/* ---- who is called anew beside a silent one ---- */

static int witness(bool control_answers, bool other_answers)
{
	struct scene *s = scene_new(false);
	struct port_facts p;

	s->plan.ports[1] = (struct plan_port){.port = 587, .tested = true};
	s->plan.ports[2] = (struct plan_port){.port = 465, .tested = true};
	s->plan.ports[3] = (struct plan_port){.port = 443};
	s->plan.n_ports = 4;
	usual_host(s);
	answered(s, 25, FARTTL);
	start(s, 587);
	if (other_answers)
		answered(s, 465, FARTTL);
	if (control_answers)
		answered(s, 443, FARTTL);
	judge(s);
	facts_of_port(&s->diag->tracker, 1, s->now, &p);
	int port = advise_witness(&s->diag->tracker, &p);
	scene_free(s);
	return port;
}

/* Servers count connections to port 25: it comes last. */
static void test_witness(void **state)
{
	(void)state;
	assert_int_equal(witness(true, true), 3);
	assert_int_equal(witness(false, true), 2);
	assert_int_equal(witness(false, false), 0);
}

/* ---- SYN-ACKs side by side ---- */

static bool unlike(uint64_t order, unsigned ttl, bool wscale, bool sack, bool ts)
{
	struct scene *s = scene_new(false);
	struct port_facts p;

	usual_host(s);
	stack_answers(s, 443, &(struct stack){64 - 10, 50, LINUX_ORDER});
	unsigned f = start(s, 25);
	pass(s, 50);
	struct packet *k = syn_ack(s, f, ttl);
	k->tcp.option_order = order;
	k->tcp.has_wscale = wscale;
	k->tcp.sack_permitted = sack;
	k->tcp.has_ts = ts;
	k->tcp.has_mss = true;
	k->tcp.window = 1024;
	connected(s, f);
	judge(s);
	facts_of_port(&s->diag->tracker, 0, s->now, &p);
	assert_true(p.looked & FACT_BIT(F_SYNACK_UNLIKE));
	scene_free(s);
	return p.seen & FACT_BIT(F_SYNACK_UNLIKE);
}

static void test_prints(void **state)
{
	(void)state;
	assert_false(unlike(LINUX_ORDER, 64 - 9, true, true, true));
	assert_true(unlike(WINDOWS_ORDER, 128 - 10, true, true, false));
	assert_true(unlike(LINUX_ORDER, 128 - 10, true, true, true)); /* another initial TTL */
	assert_true(unlike(0x3148042, 64 - 10, true, true, true));
	/* cookies under load: neither scale nor SACK, whatever the order then is */
	assert_false(unlike(0x8112, 64 - 10, false, false, true));
	assert_true(unlike(0x2, 64 - 10, false, false, false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends),        cmocka_unit_test(test_packet_is_late),
		cmocka_unit_test(test_tap_is_late), cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_not_at_all),  cmocka_unit_test(test_steps),
		cmocka_unit_test(test_own_words),   cmocka_unit_test(test_prints),
		cmocka_unit_test(test_witness),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
