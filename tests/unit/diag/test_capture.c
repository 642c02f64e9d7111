/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Every row of the table of captures, by a connection made by hand; and the
 * healthy ones that look like something else.
 *
 *   unit-diag-capture --print    prints the verdicts as JSON, for validate.py
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "cases_capture.h"
#include "diag/capture_rules.h"
#include "report/connections.h"

/* ---- two capture points ---- */

/* The same connection behind a NAT and five routers. */
static void far_of(struct sample *s)
{
	s->c.client = v4(203, 0, 113, 7);
	s->c.client_port = 61000;
	s->c.syn_print.ttl = s->c.half[CONN_CLIENT].ttl_min = s->c.half[CONN_CLIENT].ttl_max = 59;
	if (s->c.synack_print.ttl)
		s->c.synack_print.ttl = s->c.half[CONN_SERVER].ttl_min = s->c.half[CONN_SERVER].ttl_max = 64;
}

static void far_healthy(struct sample *s)
{
	healthy(s);
	far_of(s);
}

static void far_no_reset(struct sample *s)
{
	sample_greeted(s);
	sample_command(s, STAGE_EHLO, 24, mark(6, 46));
	far_of(s);
}

static void far_synack(struct sample *s)
{
	sample_syn(s);
	sample_synack(s, 0.1, 64);
	far_of(s);
}

static void near_stripped(struct sample *s)
{
	sample_greeted(s);
	sample_command(s, STAGE_EHLO, 24, mark(6, 46));
	sample_reply(s, STAGE_EHLO, 250, "mx.example.net\nSIZE 10240000", mark(7, 66));
}

static void near_greeting(struct sample *s)
{
	sample_connected(s);
	sample_reply(s, STAGE_GREETING, 220, "another one", mark(4, 45));
}

static void near_ehlo(struct sample *s)
{
	sample_greeted(s);
	sample_command(s, STAGE_EHLO, 24, mark(6, 46));
	sample_reply(s, STAGE_EHLO, 250, "mx.example.net\nSTARTTLS\nSIZE 1", mark(7, 66));
}

static void near_proxied(struct sample *s)
{
	healthy(s);
	s->c.half[CONN_CLIENT].isn = 77;
	s->smtp.hello = say(s, "EHLO client.example.net");
}

static void far_proxied(struct sample *s)
{
	far_healthy(s);
	s->smtp.hello = say(s, "EHLO client.example.net");
}

static void far_client_reset(struct sample *s)
{
	sample_ehlo(s);
	far_of(s);
	sample_command(s, STAGE_MAIL, 30, mark(8, 70));
	sample_rst(s, CONN_CLIENT, TCP_RST | TCP_ACK, 59, mark(9, 71));
}

static void far_deaf(struct sample *s)
{
	sample_greeted(s);
	far_of(s);
}

static void near_deaf(struct sample *s)
{
	sample_connected(s);
	sample_until(s, 20000);
}

static const struct pair_case {
	const char *name, *rule;
	void (*near)(struct sample *s);
	void (*far)(struct sample *s); /* NULL: nothing was seen there */
} pairs[] = {
	{"nothing changed but addresses", NULL, healthy, far_healthy},
	{"SYNs lost", "pair-syn-lost", silent, NULL},
	{"SYN-ACK lost", "pair-answer-lost", silent, far_synack},
	{"RST to the SYN that nobody sent", "pair-syn-reset", refused, far_synack},
	{"RST that nobody sent", "pair-reset", reset_ehlo, far_no_reset},
	{"RST of the client that nobody sent", "pair-client-reset", mid_dialogue_cut, far_client_reset},
	{"STARTTLS gone", "pair-starttls", near_stripped, far_healthy},
	{"another greeting", "pair-greeting", near_greeting, far_healthy},
	{"another EHLO", "pair-ehlo", near_ehlo, far_healthy},
	{"another connection", "pair-proxy", near_proxied, far_proxied},
	{"EHLO lost", "pair-lost-out", stuck, far_deaf},
	{"greeting lost", "pair-lost-in", near_deaf, stuck_server},
};

#define N_PAIRS (sizeof(pairs) / sizeof(pairs[0]))

static const char *rule_name(const struct connection *c)
{
	return c->n_findings ? c->findings[0].rule : "open";
}

static void each_pair(void **state)
{
	unsigned wrong = 0;

	(void)state;
	for (size_t i = 0; i < N_PAIRS; i++) {
		struct capture_judge *j = capture_judge_new(&signatures, 7);
		static struct sample near, far;
		struct capture_other other = {.file = "far.pcap"};
		const char *want = pairs[i].rule ? pairs[i].rule : "open";
		pairs[i].near(&near);
		if (pairs[i].far) {
			pairs[i].far(&far);
			other.conn = &far.c;
			other.how = capture_match(&near.c, &far.c);
			assert_true(other.how != MATCH_NONE);
			assert_true(capture_is_nearer(&near.c, &far.c) && !capture_is_nearer(&far.c, &near.c));
		}
		const struct connection *c = capture_judge(j, &near.c, "near.pcap", &other);
		if (strcmp(rule_name(c), want) != 0) {
			wrong++;
			print_error("%s: %s, not %s: %s\n", pairs[i].name, rule_name(c), want, c->summary);
		}
		assert_non_null(c->pair);
		capture_judge_free(j);
	}
	assert_int_equal(wrong, 0);
}

/* ---- judging ---- */

static void learn(struct capture_judge *j, void (*make)(struct sample *), uint16_t port, struct addr *server)
{
	static struct sample other;

	make(&other);
	other.c.server_port = port;
	if (server)
		other.c.server = *server;
	capture_learn(j, &other.c);
}

static void far_away(struct sample *s)
{
	healthy(s);
	s->c.half[CONN_CLIENT].segments = 40; /* a record of little loss */
}

static void far_and_slow(struct sample *s)
{
	far_away(s);
	s->c.synack.t_us = 40000;
}

static void surround(struct capture_judge *j, enum around around)
{
	switch (around) {
	case ALONE: break;
	case SERVER_ANSWERS:
	case PORT_ANSWERS_FAR: learn(j, far_away, 587, NULL); break;
	case SERVER_FAR_AND_SLOW: learn(j, far_and_slow, 587, NULL); break;
	case OTHER_PORTS_SILENT: learn(j, silent, 587, NULL); break;
	case OTHERS_SILENT:
		for (uint8_t i = 1; i <= 3; i++) {
			struct addr server = v4(203, 0, 113, i);
			learn(j, silent, 25, &server);
		}
		struct addr good = v4(203, 0, 113, 99);
		learn(j, healthy, 587, &good);
		break;
	}
}

static const struct connection *run_case(struct capture_judge *j, const struct test_case *t, struct sample *s)
{
	t->make(s);
	surround(j, t->around);
	capture_learn(j, &s->c);
	return capture_judge(j, &s->c, "x.pcap", NULL);
}

/* What is wrong with the verdict, NULL nothing. */
static const char *complaint(const struct test_case *t, const struct connection *c)
{
	const char *rule = c->n_findings ? c->findings[0].rule : NULL;

	if (t->rule != rule && (!t->rule || !rule || strcmp(t->rule, rule) != 0))
		return "another row";
	if (rule && c->findings[0].place != t->place)
		return "another place";
	if (strchr(c->summary, '{'))
		return "an unknown word";
	if (rule && c->findings[0].n_evidence == 0 && strcmp(rule, "capture-undecided") != 0)
		return "no evidence";
	return NULL;
}

static void each_case(void **state)
{
	unsigned wrong = 0;

	(void)state;
	for (size_t i = 0; i < N_CASES; i++) {
		const struct test_case *t = &cases[i];
		struct capture_judge *j = capture_judge_new(&signatures, 7);
		static struct sample s;
		const struct connection *c = run_case(j, t, &s);
		const char *why = complaint(t, c);
		if (why) {
			wrong++;
			print_error("%s, not %s: %s: %s, at %s: %s\n", t->name, t->rule ? t->rule : "open", why,
				    c->n_findings ? c->findings[0].rule : "open",
				    c->n_findings ? place_name(c->findings[0].place) : "-", c->summary);
		}
		capture_judge_free(j);
	}
	assert_int_equal(wrong, 0);
}

static void every_row_is_reached(void **state)
{
	(void)state;
	for (unsigned i = 0; i < capture_rule_count; i++) {
		const struct rule *r = &capture_rule_table[i];
		bool reached = r->state == STATE_OPEN;
		for (size_t k = 0; k < N_CASES; k++)
			reached |= cases[k].rule && strcmp(cases[k].rule, r->id) == 0;
		for (size_t k = 0; k < N_PAIRS; k++)
			reached |= pairs[k].rule && strcmp(pairs[k].rule, r->id) == 0;
		if (!reached)
			fail_msg("no case reaches %s", r->id);
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(capture_rule_table[k].id, r->id);
	}
}

/* A row behind one that asks for less of the same could never match. */
static void no_row_shadows_another(void **state)
{
	(void)state;
	for (unsigned i = 0; i < capture_rule_count; i++)
		for (unsigned k = 0; k < i; k++) {
			const struct rule *later = &capture_rule_table[i], *earlier = &capture_rule_table[k];
			if (!(earlier->need & ~later->need) && !(earlier->absent & ~later->absent))
				fail_msg("%s hides %s", earlier->id, later->id);
		}
}

static void rows_hold_together(void **state)
{
	(void)state;
	for (unsigned i = 0; i < capture_rule_count; i++) {
		const struct rule *r = &capture_rule_table[i];
		assert_int_equal(r->need & r->absent, 0);
		assert_non_null(r->why);
		assert_true(i == 0 || r->layer >= capture_rule_table[i - 1].layer);
		if (r->place == PLACE_UNKNOWN)
			assert_true(r->confidence == CONFIDENCE_NONE);
		else
			assert_true(r->confidence > 0 && r->confidence < 1);
	}
	for (unsigned f = 0; f < CF_COUNT; f++)
		for (unsigned g = 0; g < f; g++)
			assert_string_not_equal(capture_fact_name(f), capture_fact_name(g));
}

/* What the server says never comes out as it is. */
static void hostile_words(void **state)
{
	static struct sample s;
	struct capture_judge *j = capture_judge_new(&signatures, 7);

	(void)state;
	sample_connected(&s);
	sample_reply(&s, STAGE_GREETING, 554, "\x1b[2J\xff\x9b\"\\\nsecond", mark(4, 45));
	const struct connection *c = capture_judge(j, &s.c, "x.pcap", NULL);
	assert_string_equal(c->smtp.banner, "\\x1b[2J\\xff\\x9b\"\\ / second");
	assert_null(strchr(c->summary, '\x1b'));
	assert_string_equal(c->findings[0].culprit.text, "554 \\x1b[2J\\xff\\x9b\"\\ / second");
	capture_judge_free(j);
}

/* All cases as JSON Lines, for validate.py. */
static int print_documents(void)
{
	static struct read_summary summary = {.files = 1, .connections = N_CASES};
	struct json_lines l;

	json_lines_open(&l, STDOUT_FILENO);
	for (size_t i = 0; i < N_CASES; i++) {
		struct capture_judge *j = capture_judge_new(&signatures, 7);
		static struct sample s;
		json_lines_connection(&l, run_case(j, &cases[i], &s));
		capture_judge_free(j);
	}
	json_lines_summary(&l, &summary);
	return json_lines_close(&l) != 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_case),
		cmocka_unit_test(each_pair),
		cmocka_unit_test(every_row_is_reached),
		cmocka_unit_test(no_row_shadows_another),
		cmocka_unit_test(rows_hold_together),
		cmocka_unit_test(hostile_words),
	};

	if (argc == 2 && strcmp(argv[1], "--print") == 0)
		return print_documents();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
