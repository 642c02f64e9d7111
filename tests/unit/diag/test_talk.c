/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What each side said and what of it arrived, from packets alone. */
#include "build.h"

#include "diag/advise_session.h"
#include "diag/stall.h"

#define TTL 55

static unsigned connection(struct scene *s)
{
	usual_host(s);
	answered(s, 443, TTL);
	unsigned f = answered(s, 25, TTL);
	ack(s, f);
	return f;
}

static const struct flow *flow_now(struct scene *s)
{
	judge(s);
	return tracker_main_flow(&s->diag->tracker, 0);
}

static const struct talk *talk_now(struct scene *s)
{
	return &flow_now(s)->talk;
}

static void test_stuck(void **state)
{
	struct scene *s = scene_new(false);
	unsigned f = connection(s);

	(void)state;
	assert_int_equal(talk_stuck(talk_now(s)), 0);
	we_say(s, f, 0, 18, 0);
	we_say(s, f, 18, 300, 0);
	we_say(s, f, 0, 18, 0);
	assert_int_equal(talk_now(s)->stuck_times, 2);
	assert_int_equal(talk_now(s)->stuck_len, 18);
	assert_int_equal(talk_stuck(talk_now(s)), 318);
	they_say(s, f, TTL, 0, 0, 18);
	assert_int_equal(talk_now(s)->stuck_times, 1); /* the second segment has left once */
	assert_int_equal(talk_now(s)->stuck_len, 300);
	assert_int_equal(talk_now(s)->largest_acked, 18);
	they_say(s, f, TTL, 0, 0, 318);
	assert_int_equal(talk_stuck(talk_now(s)), 0);
	assert_int_equal(talk_now(s)->stuck_times, 0);
	assert_int_equal(talk_now(s)->largest_acked, 300);
	assert_int_equal(talk_now(s)->record.sent, 3);
	assert_int_equal(talk_now(s)->record.answered, 2);
	scene_free(s);
}

/* Sequence numbers go around. */
static void test_wrap(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	usual_host(s);
	unsigned f = flow(s, 25);
	s->flows[f].isn = UINT32_MAX - 5;
	syn(s, f);
	pass(s, 10);
	syn_ack(s, f, TTL)->tcp.seq = UINT32_MAX - 20;
	connected(s, f);
	ack(s, f)->tcp.ack = UINT32_MAX - 19;
	struct packet *p = they_say(s, f, TTL, 0, 40, 0);
	p->tcp.seq = UINT32_MAX - 19;
	assert_int_equal(talk_missing(talk_now(s)), 0);
	assert_int_equal(talk_now(s)->heard_end, 20);
	we_say(s, f, 0, 18, 0)->tcp.ack = 20;
	assert_int_equal(talk_stuck(talk_now(s)), 18);
	p = they_say(s, f, TTL, 0, 0, 18);
	p->tcp.seq = 60;
	assert_int_equal(talk_stuck(talk_now(s)), 0);
	assert_int_equal(talk_missing(talk_now(s)), 40);
	scene_free(s);
}

static void test_missing(void **state)
{
	struct scene *s = scene_new(false);
	unsigned f = connection(s);

	(void)state;
	they_say(s, f, TTL, 0, 40, 0);
	pass(s, 5);
	they_say(s, f, TTL, 1488, 200, 0);
	assert_int_equal(talk_missing(talk_now(s)), 1648);
	assert_true(talk_now(s)->gap_ns == s->now);
	/* what fills the hole reaches up to what came before: our kernel says so */
	pass(s, 5);
	they_say(s, f, TTL, 40, 1448, 0);
	assert_int_equal(talk_missing(talk_now(s)), 200);
	ack(s, f)->tcp.ack = THEIR_ISN + 1 + 1688;
	assert_int_equal(talk_missing(talk_now(s)), 0);
	assert_true(talk_now(s)->gap_ns == 0);
	/* nobody's window is that large: forged */
	they_say(s, f, TTL, 300 << 20, 0, 0);
	assert_int_equal(talk_missing(talk_now(s)), 0);
	scene_free(s);
}

/* Copies with a small TTL are no repetitions, and what a closed socket says counts for nothing. */
static void test_what_does_not_count(void **state)
{
	struct scene *s = scene_new(false);
	unsigned f = connection(s);

	(void)state;
	we_say(s, f, 0, 18, 0);
	we_say(s, f, 0, 18, 0)->ttl = 3;
	on_other(we_say(s, f, 0, 18, 0)); /* the same packet on a bridge's port */
	assert_int_equal(talk_now(s)->stuck_times, 1);
	pass(s, 1); /* of the same stamp, packets come last */
	session_end(s, f, STAGE_EHLO, SESSION_STALLED, NULL);
	pass(s, 10);
	we_say(s, f, 0, 18, 0);
	they_say(s, f, TTL, 0, 0, 18);
	assert_int_equal(talk_now(s)->stuck_times, 1);
	assert_int_equal(talk_stuck(talk_now(s)), 18);
	scene_free(s);
}

static void test_looks(void **state)
{
	struct scene *s = scene_new(false);
	unsigned f = connection(s);

	(void)state;
	look_at(s, f, 0, 0);
	pass(s, 550);
	look_at(s, f, 0, 0);
	assert_int_equal(talk_now(s)->looks, 2);
	assert_int_equal(talk_now(s)->in_vain, 2);
	pass(s, 10);
	they_say(s, f, TTL, 0, 0, 0);
	assert_int_equal(talk_now(s)->looks, 0);
	assert_int_equal(talk_now(s)->looks_answered, 1);
	assert_int_equal(talk_now(s)->record.sent, 2);
	assert_int_equal(talk_now(s)->record.answered, 1);
	they_say(s, f, TTL, 0, 40, 0);
	we_say(s, f, 0, 18, 40);
	assert_int_equal(talk_now(s)->looks_answered, 0); /* since we spoke last */
	scene_free(s);
}

/* ---- what is asked ---- */

static unsigned asked(struct scene *s, enum probe_kind kind)
{
	static struct diag_advice advice;
	unsigned n = 0;

	judge(s);
	diag_advise(s->diag, s->now, &advice);
	for (unsigned i = 0; i < advice.n_probes; i++)
		n += advice.probes[i].kind == kind && advice.probes[i].port_index == 0;
	return n;
}

static void look_was_sent(struct scene *s, unsigned f)
{
	add_event(s, EV_PROBE, f)->probe = (struct ev_probe){.kind = PROBE_LOOK, .port = 25};
}

/* A dialogue is left alone until it stands still; then twice a second, and ever more rarely once the
 * other side has shown itself. */
static void test_when_to_look(void **state)
{
	struct scene *s = scene_new(false);
	unsigned f = connection(s);

	(void)state;
	pass(s, 500);
	assert_int_equal(asked(s, PROBE_LOOK), 0);
	pass(s, 400);
	assert_int_equal(asked(s, PROBE_LOOK), 1);
	look_was_sent(s, f); /* whether the tap saw it or not */
	pass(s, 300);
	assert_int_equal(asked(s, PROBE_LOOK), 0);
	pass(s, 300);
	assert_int_equal(asked(s, PROBE_LOOK), 1);
	for (unsigned i = 0; i < 8; i++) {
		look_was_sent(s, f);
		look_at(s, f, 0, 0);
		pass(s, 5);
		they_say(s, f, TTL, 0, 0, 0);
		pass(s, 560);
	}
	assert_int_equal(asked(s, PROBE_LOOK), 0);
	pass(s, 1000);
	assert_int_equal(asked(s, PROBE_LOOK), 1);
	session_end(s, f, STAGE_GREETING, SESSION_CLOSED, NULL);
	assert_int_equal(asked(s, PROBE_LOOK), 0);
	scene_free(s);
}

/* A standstill is measured by a port that answers in the same seconds. */
static void test_witness(void **state)
{
	static struct diag_advice advice;
	struct scene *s = scene_new(false);
	unsigned f = connection(s);

	(void)state;
	pass(s, 900);
	look_was_sent(s, f);
	look_at(s, f, 0, 0);
	pass(s, 10);
	judge(s);
	diag_advise(s->diag, s->now, &advice);
	assert_int_equal(advice.n_repeat, 1);
	assert_int_equal(advice.repeat[0], 1);
	answered(s, 443, TTL);
	judge(s);
	diag_advise(s->diag, s->now, &advice);
	assert_int_equal(advice.n_repeat, 0);
	scene_free(s);
}

/* Without anything that got through in the same time, a whole path that is out explains it all. */
static void test_outage(void **state)
{
	struct stall with, without;

	(void)state;
	for (int witness = 0; witness < 2; witness++) {
		struct scene *s = scene_new(false);
		usual_host(s);
		for (unsigned i = 0; i < 10; i++)
			answered(s, 443, TTL);
		unsigned f = answered(s, 25, TTL);
		ack(s, f);
		for (unsigned i = 0; i < 10; i++) {
			pass(s, 550);
			look_at(s, f, 0, 0);
		}
		if (witness)
			answered(s, 443, TTL);
		pass(s, 500);
		const struct flow *made = flow_now(s);
		stall_of(&s->diag->tracker, made, s->now, witness ? &with : &without);
		scene_free(s);
	}
	assert_true(with.dead && !with.open);
	assert_true(!without.dead && without.open);
}

/* Silence counts for less where packets get lost. */
static void test_loss(void **state)
{
	(void)state;
	for (unsigned lost = 0; lost < 2; lost++) {
		struct scene *s = scene_new(false);
		struct stall stall;
		usual_host(s);
		for (unsigned i = 0; i < 10; i++) {
			unsigned c = start(s, 443);
			for (unsigned k = 0; k < lost; k++) {
				pass(s, 1000);
				syn(s, c);
			}
			syn_ack(s, c, TTL);
			connected(s, c);
		}
		unsigned f = answered(s, 25, TTL);
		ack(s, f);
		for (unsigned i = 0; i < 6; i++) {
			answered(s, 443, TTL);
			look_at(s, f, 0, 0);
			pass(s, 550);
		}
		const struct flow *made = flow_now(s);
		stall_of(&s->diag->tracker, made, s->now, &stall);
		assert_int_equal(stall.dead, !lost);
		scene_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stuck),
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_what_does_not_count),
		cmocka_unit_test(test_looks),
		cmocka_unit_test(test_when_to_look),
		cmocka_unit_test(test_witness),
		cmocka_unit_test(test_outage),
		cmocka_unit_test(test_loss),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
