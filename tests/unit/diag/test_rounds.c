/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Several runs become one report: limits told from blocks, and from what merely comes and goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "diag/rounds.h"

#define T0    (INT64_C(1769860800) * NS_PER_S)
#define ROUND (NS_PER_S / 2)

/* One round, of port 25 alone. */
static struct report *round_with(unsigned number, enum state state, enum mechanism mechanism,
				 enum place place)
{
	struct report *r = xcalloc(1, sizeof(*r));
	struct report_port *p = arena_alloc(&r->arena, sizeof(*p));
	struct finding *f = arena_alloc(&r->arena, sizeof(*f));
	struct report_evidence *e = arena_alloc(&r->arena, sizeof(*e));
	unsigned *cited = arena_alloc(&r->arena, sizeof(*cited));

	*cited = 1;
	*e = (struct report_evidence){.number = 1, .t_ms = 3, .port = 25, .text = "a SYN left"};
	*f = (struct finding){.mechanism = mechanism,
			      .place = place,
			      .confidence = place == PLACE_UNKNOWN ? CONFIDENCE_NONE : 0.9,
			      .culprit = {.kind = CULPRIT_SERVER, .text = "421 too many"},
			      .summary = "This is what happens.",
			      .evidence = cited,
			      .n_evidence = 1,
			      .rule = "some-rule"};
	*p = (struct report_port){.port = 25, .state = state, .findings = f,
				  .n_findings = state != STATE_OPEN, .summary = f->summary};
	r->started_ns = T0 + (int64_t)number * ROUND;
	r->elapsed_ms = 20;
	r->ports = p;
	r->n_ports = 1;
	r->evidence = e;
	r->n_evidence = 1;
	return r;
}

#define TICKET "The text for that: `smtpblame --ticket 198.51.100.25`"

static void asks_to_open(struct report *r)
{
	const char **remedy = arena_alloc(&r->arena, 3 * sizeof(*remedy));
	struct finding *f = arena_alloc(&r->arena, sizeof(*f));

	remedy[0] = "Ask your provider to open TCP port 25. " TICKET;
	remedy[1] = "Port 587 works.";
	remedy[2] = "It may be a limit: count them with `--repeat 6 --interval 1`.";
	*f = r->ports[0].findings[0];
	f->remedy = remedy;
	f->n_remedy = 3;
	f->ticket = TICKET;
	((struct report_port *)(uintptr_t)r->ports)->findings = f;
}

static struct report *passed(unsigned number)
{
	return round_with(number, STATE_OPEN, MECH_UNKNOWN, PLACE_UNKNOWN);
}

/* `kinds`: o open, d dropped, r refused, u unreachable, p policy, ? not decided. */
static struct report *merged(const char *kinds)
{
	struct report *all[16];
	unsigned n = (unsigned)strlen(kinds);

	for (unsigned i = 0; i < n; i++)
		switch (kinds[i]) {
		case 'd': all[i] = round_with(i, STATE_BLOCKED, MECH_SILENT_DROP, PLACE_ISP); break;
		case 'r': all[i] = round_with(i, STATE_REFUSED, MECH_TCP_RESET, PLACE_DESTINATION); break;
		case 'u': all[i] = round_with(i, STATE_UNREACHABLE, MECH_SILENT_DROP, PLACE_UNKNOWN); break;
		case 'p': all[i] = round_with(i, STATE_REJECTED, MECH_POLICY_REJECT, PLACE_DESTINATION); break;
		case '?': all[i] = round_with(i, STATE_INCONCLUSIVE, MECH_UNKNOWN, PLACE_UNKNOWN); break;
		default: all[i] = passed(i); break;
		}
	rounds_merge(all[n - 1], all, n - 1, n);
	for (unsigned i = 0; i + 1 < n; i++)
		report_free(all[i]);
	return all[n - 1];
}

static void expect(const char *kinds, enum state state, unsigned passed_first, const char *words)
{
	struct report *r = merged(kinds);
	const struct report_port *p = &r->ports[0];

	if (p->state != state || p->passed_first != passed_first)
		fail_msg("%s: %s after %u", kinds, state_name(p->state), p->passed_first);
	if (words && (!p->n_findings || !strstr(p->findings[0].summary, words)))
		fail_msg("%s: %s", kinds, p->n_findings ? p->findings[0].summary : "no finding");
	if ((p->state == STATE_OPEN) != (p->n_findings == 0))
		fail_msg("%s: %u findings", kinds, p->n_findings);
	assert_int_equal(p->n_rounds, strlen(kinds));
	report_free(r);
}

static void test_states(void **state)
{
	(void)state;
	expect("oooo", STATE_OPEN, 0, NULL);
	expect("ooodd", STATE_BLOCKED, 3, "The first 3 connections to port 25 passed");
	expect("od", STATE_BLOCKED, 1, "The first connection to port 25 passed");
	expect("orr", STATE_BLOCKED, 1, "Now a RST");
	expect("oou", STATE_BLOCKED, 2, "The first 2 connections");
	expect("opp", STATE_REJECTED, 1, "Now: This is what happens.");
	/* what was never open is no limit */
	expect("ddd", STATE_BLOCKED, 0, NULL);
	expect("rrr", STATE_REFUSED, 0, NULL);
	expect("uuu", STATE_UNREACHABLE, 0, NULL);
	/* it comes and goes: no place, no block */
	expect("odo", STATE_INCONCLUSIVE, 0, "2 of 3 connections to port 25 passed");
	expect("do", STATE_INCONCLUSIVE, 0, "1 of 2");
	expect("odod", STATE_INCONCLUSIVE, 0, "2 of 4");
	/* what is not decided proves nothing, either way */
	expect("o?o", STATE_OPEN, 0, NULL);
	expect("oo?", STATE_INCONCLUSIVE, 0, NULL);
	expect("o?d", STATE_BLOCKED, 2, "The first 2 connections");
}

static void test_own_reset_is_less_sure(void **state)
{
	struct report *r = merged("or");
	const struct finding *f = &r->ports[0].findings[0];

	(void)state;
	assert_true(f->confidence < 0.9);
	assert_int_equal(f->n_candidates, 1);
	assert_true(f->n_remedy > 0);
	report_free(r);
}

static void test_times_count_from_the_first_round(void **state)
{
	struct report *r = merged("ood");
	const struct report_port *p = &r->ports[0];

	(void)state;
	assert_int_equal(r->started_ns, T0);
	assert_true(r->elapsed_ms == 1020);
	assert_true(r->evidence[0].t_ms == 1003);
	assert_int_equal(r->n_evidence, 2);
	assert_int_equal(r->evidence[1].number, 2);
	assert_string_equal(r->evidence[1].text,
			    "connection 1 to 2 (at 0.0 s) open; 3 (at 1.0 s) blocked: silent-drop");
	assert_int_equal(p->findings[0].evidence[p->findings[0].n_evidence - 1], 2);
	assert_true(p->rounds[1].t_ms == 500);
	assert_string_equal(r->summary, "Port 25 is blocked in the provider's network after 2 "
					"connections that passed.");
	report_free(r);
}

static void test_time_too_short_is_said(void **state)
{
	struct report *first = passed(0), *last = passed(1);

	(void)state;
	rounds_merge(last, &first, 1, 5);
	assert_int_equal(last->n_notes, 1);
	assert_non_null(strstr(last->notes[0], "2 of 5 rounds"));
	report_free(first);
	report_free(last);
}

/* What passes for a while is not to be opened, but its limit raised. */
static void test_nobody_is_asked_to_open_what_is_limited(void **state)
{
	struct report *first = passed(0), *last = round_with(1, STATE_BLOCKED, MECH_SILENT_DROP, PLACE_ISP);
	unsigned tickets = 0, others = 0;

	(void)state;
	asks_to_open(last);
	rounds_merge(last, &first, 1, 2);
	const struct finding *f = &last->ports[0].findings[0];
	for (unsigned i = 0; i < f->n_remedy; i++) {
		assert_null(strstr(f->remedy[i], "to open"));
		assert_null(strstr(f->remedy[i], "--repeat")); /* that is what was done */
		if (strstr(f->remedy[i], TICKET)) {
			assert_non_null(strstr(f->remedy[i], "raise it"));
			tickets++;
		}
		others += strcmp(f->remedy[i], "Port 587 works.") == 0;
	}
	assert_int_equal(tickets, 1);
	assert_int_equal(others, 1);
	report_free(first);
	report_free(last);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_own_reset_is_less_sure),
		cmocka_unit_test(test_times_count_from_the_first_round),
		cmocka_unit_test(test_nobody_is_asked_to_open_what_is_limited),
		cmocka_unit_test(test_time_too_short_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
