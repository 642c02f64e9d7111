/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What was not seen counts only where somebody looked: claims of absence are withdrawn, and the
 * report says what is missing. */
#include "cases.h"

static void lose_in_kernel(struct scene *s)
{
	capture_lost(s, 1, 0);
}

static void lose_in_queue(struct scene *s)
{
	capture_lost(s, 0, 3);
}

static void no_capture(struct scene *s)
{
	not_looked(s, LOOK_CAPTURE, "the capture thread did not keep up");
}

static void overflow(struct scene *s)
{
	s->log.max = s->log.n;
	assert_null(event_log_add(&s->log, &(struct event){.kind = EV_PACKET, .t_ns = s->now}));
	assert_int_equal(s->log.overflow, 1);
}

static const struct {
	const char *name;
	void (*happen)(struct scene *s);
} losses[] = {
	{"kernel", lose_in_kernel},
	{"queue", lose_in_queue},
	{"not looked", no_capture},
	{"overflow", overflow},
};

/* Rows that claim something from what the capture did not show, and the fact that is missed. */
static const struct {
	const char *rule;
	enum fact missed;
} from_absence[] = {
	{"host-neighbour-silent", F_SYN_LEFT},
	{"host-destination-silent", F_SYN_LEFT},
	{"host-reset", F_SYN_LEFT},
	{"host-icmp", F_SYN_LEFT},
	{"host-drop-out", F_SYN_LEFT},
	{"path-silence-on-link", F_SILENT},
	{"path-stops", F_SILENT},
	{"path-through", F_SILENT},
	{"path-silence", F_SILENT},
	{"path-all-silent", F_SILENT},
	{"path-refused", F_SYNACK},
	{"path-reset-nearer", F_SYNACK},
};

/* 0: the row claims nothing from absence */
static const char *missed_by(const char *rule)
{
	for (size_t i = 0; i < COUNT(from_absence); i++)
		if (strcmp(from_absence[i].rule, rule) == 0)
			return fact_text(from_absence[i].missed);
	return NULL;
}

static void test_loss_withdraws(void **state)
{
	unsigned faults = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(rule_cases); i++)
		for (size_t k = 0; k < COUNT(losses); k++) {
			const struct rule_case *c = &rule_cases[i];
			const char *missed = missed_by(c->rule);
			struct scene *s = scene_of(c);
			losses[k].happen(s);
			const struct report *r = finish(s);
			const struct finding *f = finding_of(r, 25, "undecided");
			bool fine = !missed || (f && strstr(f->summary, missed));
			if (!fine || r->n_not_looked == 0) {
				print_error("%s, %s: %s\n", c->rule, losses[k].name, said_of(r, 25));
				faults++;
			}
			scene_free(s);
		}
	assert_int_equal(faults, 0);
}

/* Loss makes a verdict weaker, never another one. */
static void test_loss_changes_no_verdict(void **state)
{
	unsigned faults = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(rule_cases); i++)
		for (size_t k = 0; k < COUNT(losses); k++) {
			const struct rule_case *c = &rule_cases[i];
			struct scene *s = scene_of(c);
			losses[k].happen(s);
			const struct report *r = finish(s);
			enum state now = state_of(r, 25);
			if (now != c->state && now != STATE_INCONCLUSIVE) {
				print_error("%s, %s: %s\n", c->rule, losses[k].name, said_of(r, 25));
				faults++;
			}
			scene_free(s);
		}
	assert_int_equal(faults, 0);
}

/* Rows that stand on what was seen: loss takes nothing from them. */
static const char *const from_presence[] = {
	"host-route-stop", "host-rule-stop", "host-no-route", "host-redirect", "host-peer-rewrite",
	"host-tproxy", "path-intercepted", "path-reset-early", "path-icmp-refused", "path-icmp-loop",
	"path-icmp-destination", "path-icmp-hop", "path-icmp-gateway", "path-icmp-access",
	"session-rejected", "session-not-smtp", "session-tls-failed", "session-reset",
	"session-closed",
};

static bool stands_on_presence(const char *rule)
{
	for (size_t i = 0; i < COUNT(from_presence); i++)
		if (strcmp(from_presence[i], rule) == 0)
			return true;
	return false;
}

static void test_what_was_seen_stands(void **state)
{
	unsigned faults = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(rule_cases); i++)
		for (size_t k = 0; k < COUNT(losses); k++) {
			const struct rule_case *c = &rule_cases[i];
			if (!stands_on_presence(c->rule))
				continue;
			struct scene *s = scene_of(c);
			losses[k].happen(s);
			const struct report *r = finish(s);
			if (!finding_of(r, 25, c->rule)) {
				print_error("%s, %s: %s\n", c->rule, losses[k].name, said_of(r, 25));
				faults++;
			}
			scene_free(s);
		}
	assert_int_equal(faults, 0);
}

static void test_open_stays_open(void **state)
{
	(void)state;
	for (size_t k = 0; k < COUNT(losses); k++) {
		struct scene *s = scene_new(k & 1);
		session_open(s);
		losses[k].happen(s);
		const struct report *r = finish(s);
		assert_int_equal(state_of(r, 25), STATE_OPEN);
		assert_int_equal(r->ports[0].n_findings, 0);
		assert_int_equal(report_exit_status(r), 0);
		assert_int_equal(r->n_not_looked, 1);
		scene_free(s);
	}
}

/* That nobody asked for DANE and MTA-STS is said where a session has what they promise. */
static void test_promises_not_looked_up(void **state)
{
	static const char why[] = "the DNS can't be asked about mail: not built in (libunbound)";
	struct scene *open = scene_new(false), *silent = scene_new(false);
	const struct report *r;

	(void)state;
	session_end(open, greeted(open, "mx.example.com ESMTP", 250, plain_ehlo), STAGE_QUIT, SESSION_DONE, NULL);
	not_looked(open, LOOK_DNS, why);
	r = finish(open);
	assert_int_equal(state_of(r, 25), STATE_OPEN);
	assert_int_equal(r->n_not_looked, 1);
	assert_non_null(strstr(r->not_looked[0], "DANE (TLSA) and MTA-STS"));
	assert_non_null(strstr(r->not_looked[0], why));
	assert_int_equal(report_exit_status(r), 0);
	usual_host(silent);
	flow(silent, 25);
	answered(silent, 443, 55);
	not_looked(silent, LOOK_DNS, why);
	r = finish(silent);
	assert_int_equal(r->n_not_looked, 0);
	scene_free(open);
	scene_free(silent);
}

/* A refusal is tried again to see who says it, which a tap that loses packets can't: that it is the
 * server's is then not claimed. */
static void test_refusal_with_losses(void **state)
{
	(void)state;
	for (int lossy = 0; lossy < 2; lossy++) {
		struct scene *s = scene_new(false);
		refusal(s, ehlo_said(s), FARTTL);
		two_traces(s, 25, HOPS, 443, HOPS, 2);
		if (lossy)
			lose_in_kernel(s);
		const struct report *r = finish(s);
		assert_int_equal(state_of(r, 25), lossy ? STATE_INCONCLUSIVE : STATE_REJECTED);
		scene_free(s);
	}
}

static void test_undecided_report(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	path_silence(s);
	lose_in_kernel(s);
	const struct report *r = finish(s);
	assert_int_equal(report_exit_status(r), 4);
	assert_int_equal(r->ports[0].n_findings, 1);
	const struct finding *f = &r->ports[0].findings[0];
	assert_int_equal(f->mechanism, MECH_UNKNOWN);
	assert_int_equal(f->place, PLACE_UNKNOWN);
	assert_true(f->confidence == CONFIDENCE_NONE);
	assert_true(f->n_evidence > 0 && f->n_remedy > 0);
	assert_string_equal(r->not_looked[0],
			    "the capture lost packets (1): nothing is claimed from what was not seen");
	scene_free(s);
}

/* A capture that says it lost nothing takes nothing away. */
static void test_no_loss(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	host_drop_out(s);
	capture_lost(s, 0, 0);
	const struct report *r = finish(s);
	assert_non_null(finding_of(r, 25, "host-drop-out"));
	assert_int_equal(r->n_not_looked, 0);
	scene_free(s);
}

/* ---- what else was not looked at ---- */

static struct scene *without(void (*build)(struct scene *s), enum event_kind kind)
{
	struct scene *s = scene_new(false);

	build(s);
	size_t n = 0;
	for (size_t i = 0; i < s->log.n; i++)
		if (s->log.events[i].kind != kind)
			s->log.events[n++] = s->log.events[i];
	s->log.n = n;
	return s;
}

static void expect_undecided(struct scene *s, enum fact missed)
{
	const struct report *r = finish(s);
	const struct finding *f = finding_of(r, 25, "undecided");

	if (state_of(r, 25) != STATE_INCONCLUSIVE || !f || !strstr(f->summary, fact_text(missed)))
		fail_msg("%s", said_of(r, 25));
	scene_free(s);
}

static void test_no_route_lookup(void **state)
{
	(void)state;
	struct scene *s = without(denied, EV_ROUTE);
	not_looked(s, LOOK_ROUTE, "no route socket");
	expect_undecided(s, F_STOP_ROUTE);
}

static void test_no_neighbour_lookup(void **state)
{
	(void)state;
	struct scene *s = without(host_drop_out, EV_NEIGHBOUR);
	not_looked(s, LOOK_NEIGHBOUR, "no neighbour table");
	expect_undecided(s, F_NEXT_HOP_SILENT);
}

static void test_no_path_probes(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	path_silence(s);
	not_looked(s, LOOK_PATH, "no raw socket");
	const struct report *r = finish(s);
	assert_int_equal(state_of(r, 25), STATE_BLOCKED); /* but nobody knows where */
	assert_int_equal(finding_of(r, 25, "path-silence")->place, PLACE_UNKNOWN);
	assert_string_equal(r->not_looked[0], "no raw socket");
	scene_free(s);
}

/* ---- time: what is not yet due is not absent ---- */

static void expect_state_at(void (*build)(struct scene *s), double ms, enum state expected)
{
	struct scene *s = scene_new(false);

	build(s);
	at(s, ms);
	const struct report *r = finish(s);
	if (state_of(r, 25) != expected)
		fail_msg("after %.0f ms: %s", ms, said_of(r, 25));
	scene_free(s);
}

static void young_silence(struct scene *s)
{
	usual_host(s);
	flow(s, 25);
	answered(s, 443, FARTTL);
}

static void young_drop_in(struct scene *s)
{
	usual_host(s);
	unsigned f = start(s, 25);
	answered(s, 443, FARTTL);
	syn_ack(s, f, FARTTL);
}

static void test_nothing_is_claimed_early(void **state)
{
	(void)state;
	expect_state_at(young_silence, 100, STATE_INCONCLUSIVE);
	expect_state_at(young_silence, 250, STATE_BLOCKED);
	expect_state_at(young_drop_in, 50, STATE_INCONCLUSIVE);
	expect_state_at(young_drop_in, 300, STATE_BLOCKED);
}

/* A SYN that lost its answer a moment ago is not one of the silent ones. */
static void test_young_syns_do_not_count(void **state)
{
	struct scene *s = scene_new(false);
	struct port_facts p;

	(void)state;
	usual_host(s);
	silence_beside(s, 25, 443, FARTTL, 3);
	pass(s, 500);
	start(s, 25);
	pass(s, 20);
	finish(s);
	facts_of_port(&s->diag->tracker, 0, s->now, &p);
	assert_int_equal(p.silent_syns, 3);
	facts_of_port(&s->diag->tracker, 0, s->now + NS_PER_S, &p);
	assert_int_equal(p.silent_syns, 4);
	scene_free(s);
}

/* `seen` is a part of `looked`, whatever happens. */
static void test_seen_is_looked(void **state)
{
	struct port_facts p;

	(void)state;
	for (size_t i = 0; i < COUNT(rule_cases); i++)
		for (size_t k = 0; k <= COUNT(losses); k++) {
			struct scene *s = scene_of(&rule_cases[i]);
			if (k < COUNT(losses))
				losses[k].happen(s);
			finish(s);
			for (int64_t ms = -3000; ms <= 3000; ms += 500) {
				facts_of_port(&s->diag->tracker, 0, s->now + ms * NS_PER_MS, &p);
				assert_int_equal(p.seen & ~p.looked, 0);
			}
			scene_free(s);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loss_withdraws),
		cmocka_unit_test(test_loss_changes_no_verdict),
		cmocka_unit_test(test_what_was_seen_stands),
		cmocka_unit_test(test_open_stays_open),
		cmocka_unit_test(test_promises_not_looked_up),
		cmocka_unit_test(test_refusal_with_losses),
		cmocka_unit_test(test_undecided_report),
		cmocka_unit_test(test_no_loss),
		cmocka_unit_test(test_no_route_lookup),
		cmocka_unit_test(test_no_neighbour_lookup),
		cmocka_unit_test(test_no_path_probes),
		cmocka_unit_test(test_nothing_is_claimed_early),
		cmocka_unit_test(test_young_syns_do_not_count),
		cmocka_unit_test(test_seen_is_looked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
