/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What many reports have in common, and the one line of each. --print: the summaries as JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "report/overview.h"

#define N_PORTS 2

struct sample {
	struct report report;
	struct report_port ports[N_PORTS];
	struct finding finding;
};

static struct addr ip(const char *text)
{
	struct addr a = {0};

	addr_parse(&a, text);
	return a;
}

/* Port 587 is open; 25 is, too, or stops at this router. */
static struct sample *sample(struct sample *s, enum place place, const char *router,
			     double confidence)
{
	*s = (struct sample){0};
	s->finding = (struct finding){.mechanism = MECH_SILENT_DROP,
				      .place = place,
				      .confidence = confidence,
				      .has_hop = true,
				      .hop_from = {2, ip("100.64.0.1")},
				      .hop_to = {3, router ? ip(router) : ip("192.0.2.1")},
				      .culprit = {.kind = CULPRIT_HOP, .ttl = 3, .text = "dropped"},
				      .summary = "dropped"};
	if (router)
		s->finding.culprit.address = ip(router);
	s->ports[0] = (struct report_port){.port = 25, .service = "smtp", .summary = ""};
	s->ports[1] = (struct report_port){.port = 587, .service = "submission", .summary = ""};
	if (place != PLACE_COUNT) {
		s->ports[0].state = STATE_BLOCKED;
		s->ports[0].findings = &s->finding;
		s->ports[0].n_findings = 1;
	}
	s->report = (struct report){.target_input = "mx.example.net",
				    .target = ip("198.51.100.25"),
				    .ports = s->ports,
				    .n_ports = N_PORTS,
				    .vantage.gateway = ip("10.0.0.1")};
	return s;
}

static void add(struct overview *o, unsigned n, enum place place, const char *router,
		double confidence)
{
	struct sample s;

	for (unsigned i = 0; i < n; i++)
		overview_add(o, &sample(&s, place, router, confidence)->report);
}

static char *text_of(const struct overview *o, const struct overview_end *end)
{
	const struct text_options opt = {.width = 100};
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(overview_text(o, end, &opt, out), 0);
	fclose(out);
	return text;
}

static char *json_of(const struct overview *o, const struct overview_end *end)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(overview_json(o, end, out), 0);
	fclose(out);
	return text;
}

static const struct overview_end plain = {.tool_version = "0.0.0", .elapsed_ms = 2000};

#define EXPECT(text, part) \
	do { \
		if (!strstr(text, part)) \
			fail_msg("no \"%s\" in:\n%s", part, text); \
	} while (0)

static struct overview *many(void)
{
	struct overview *o = overview_new();

	add(o, 1, PLACE_TRANSIT, "203.0.113.6", 0.7);
	add(o, 9997, PLACE_ISP, "203.0.113.2", 0.9);
	add(o, 1, PLACE_ISP, "203.0.113.2", 0.96);
	add(o, 1, PLACE_COUNT, NULL, 0);
	return o;
}

/* A place is no narrower than what its targets show, and one that shows it exactly tells for all. */
static void test_range(void **state)
{
	static const struct {
		const char *from[2], *where;
	} cases[] = {
		{{"100.64.0.1", "100.64.0.1"}, "the same place: between 100.64.0.1 and 203.0.113.2, your provider."},
		{{"100.64.0.1", "100.64.0.9"}, "the same place: at or next to 203.0.113.2, your provider."},
		{{"100.64.0.1", NULL}, "the same place: 203.0.113.2, your provider."},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct overview *o = overview_new();
		for (unsigned k = 0; k < 2; k++) {
			struct sample s;
			sample(&s, PLACE_ISP, "203.0.113.2", 0.9);
			s.finding.hop_from = cases[i].from[k] ? (struct hop_end){2, ip(cases[i].from[k])}
							      : s.finding.hop_to;
			overview_add(o, &s.report);
		}
		char *text = text_of(o, &plain);
		EXPECT(text, cases[i].where);
		free(text);
		overview_free(o);
	}
}

static void test_ports_that_differ(void **state)
{
	struct overview *o = overview_new();

	(void)state;
	add(o, 3, PLACE_ISP, "203.0.113.2", 0.9);
	struct sample s;
	sample(&s, PLACE_ISP, "203.0.113.2", 0.9);
	s.ports[1].state = STATE_BLOCKED;
	s.ports[1].findings = &s.finding;
	s.ports[1].n_findings = 1;
	overview_add(o, &s.report);
	char *text = text_of(o, &plain);
	EXPECT(text, "  port 25 of 4 targets, 587 of 1: packets vanish");
	free(text);
	overview_free(o);
}

static void add_silent(struct overview *o)
{
	struct sample s;

	sample(&s, PLACE_UNKNOWN, NULL, CONFIDENCE_NONE);
	s.finding.has_hop = false;
	for (unsigned i = 0; i < N_PORTS; i++) {
		s.ports[i].state = STATE_UNREACHABLE;
		s.ports[i].findings = &s.finding;
		s.ports[i].n_findings = 1;
	}
	overview_add(o, &s.report);
}

/* Who answers nothing is counted; that nobody does is no matter of the targets. */
static void test_silent(void **state)
{
	struct overview *o = overview_new();

	(void)state;
	add(o, 1, PLACE_COUNT, NULL, 0);
	add_silent(o);
	char *text = text_of(o, &plain);
	EXPECT(text, "1 of 2 targets does not answer at all, on whatever port was tried: it is down");
	free(text);
	overview_free(o);

	o = overview_new();
	add_silent(o);
	add_silent(o);
	text = text_of(o, &plain);
	char *json = json_of(o, &plain);
	EXPECT(text, "None of the 2 targets answers on any of its ports");
	EXPECT(text, "ip route\n");
	EXPECT(json, "\"summary\":\"None of the 2 targets answers");
	free(json);
	free(text);
	overview_free(o);
}

static void test_common(void **state)
{
	struct overview *o = many();
	char *text = text_of(o, &plain), *json = json_of(o, &plain);

	(void)state;
	EXPECT(text, "10,000 targets judged in 2.0 s, 5000 a second\n");
	EXPECT(text, "   25   1 open, 9,999 blocked\n");
	EXPECT(text, "  587   10,000 open\n");
	EXPECT(text, "9,998 of 10,000 targets stop at the same place: between 100.64.0.1 and "
		     "203.0.113.2, your provider.\n");
	EXPECT(text, "  port 25: packets vanish without an answer; 90% to 96% sure\n");
	EXPECT(text, "1 of 10,000 targets stops between 100.64.0.1 and 203.0.113.6, transit.\n");
	assert_true(strstr(text, "203.0.113.2") < strstr(text, "203.0.113.6"));
	EXPECT(json, "\"targets\":10000,");
	EXPECT(json, "\"summary\":\"9,998 of 10,000 targets stop at the same place: between 100.64.0.1 and "
		     "203.0.113.2, your provider\"");
	free(json);
	free(text);
	overview_free(o);
}

static void test_nothing_stops(void **state)
{
	struct overview *o = overview_new();

	(void)state;
	add(o, 3, PLACE_COUNT, NULL, 0);
	add(o, 1, PLACE_UNKNOWN, "203.0.113.2", CONFIDENCE_NONE); /* nobody knows where */
	overview_add_failed(o);
	char *text = text_of(o, &plain), *json = json_of(o, &plain);
	EXPECT(text, "4 targets judged in 2.0 s, 2 a second; 1 could not be judged\n");
	assert_null(strstr(text, "stop"));
	EXPECT(json, "\"places\":[]");
	free(json);
	free(text);
	overview_free(o);
}

/* Destinations are each their own, this machine's rules are told in its words. */
static void test_places(void **state)
{
	struct overview *o = overview_new();
	struct sample s;

	(void)state;
	add(o, 2, PLACE_DESTINATION, "198.51.100.25", 0.65);
	add(o, 2, PLACE_DESTINATION, "198.51.100.26", 0.65);
	sample(&s, PLACE_HOST, NULL, 0.99);
	s.finding.culprit = (struct culprit){.kind = CULPRIT_NFT_RULE, .text = "tcp dport 25 drop"};
	for (int i = 0; i < 5; i++)
		overview_add(o, &s.report);
	add(o, 3, PLACE_ISP, NULL, 0.5);
	char *text = text_of(o, &plain);
	EXPECT(text, "4 of 12 targets stop at the destination itself.\n");
	EXPECT(text, "5 of 12 targets stop at the same place: this machine: tcp dport 25 drop.\n");
	EXPECT(text, "3 of 12 targets stop in your provider, at a hop that is not known exactly.\n");
	free(text);
	overview_free(o);
}

static void test_interrupted(void **state)
{
	struct overview *o = overview_new();
	struct overview_end end = plain;

	(void)state;
	end.interrupted = true;
	end.left = 1234;
	add(o, 2, PLACE_COUNT, NULL, 0);
	char *text = text_of(o, &end), *json = json_of(o, &end);
	EXPECT(text, "interrupted, 1,234 not begun");
	EXPECT(json, "\"interrupted\":true,\"not_begun\":1234");
	free(json);
	free(text);
	overview_free(o);
}

/* Every target at a place of its own: the summary stays short, and the memory bounded. */
static void test_many_places(void **state)
{
	struct overview *o = overview_new();
	char router[32];

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(router, sizeof(router), "198.18.%u.%u", i / 250, i % 250 + 1);
		add(o, 1, PLACE_TRANSIT, router, 0.9);
	}
	char *text = text_of(o, &plain);
	EXPECT(text, "Others stop elsewhere");
	assert_true(strlen(text) < 3000);
	free(text);
	overview_free(o);
}

static char *row_of(const struct sample *s)
{
	const struct text_options opt = {.width = 120};
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(render_row(&s->report, &opt, out), 0);
	fclose(out);
	return text;
}

static void test_row(void **state)
{
	struct sample s;

	(void)state;
	char *text = row_of(sample(&s, PLACE_ISP, "203.0.113.2", 0.96));
	EXPECT(text, "198.51.100.25");
	EXPECT(text, "25 blocked: your provider, hop 2 to 3 (96%); 587 open\n");
	free(text);
	sample(&s, PLACE_ISP, "203.0.113.2", 0.5);
	s.finding.candidates[0] = (struct candidate){PLACE_ISP, 0.5};
	s.finding.candidates[1] = (struct candidate){PLACE_GATEWAY, 0.45};
	s.finding.n_candidates = 2;
	text = row_of(&s);
	EXPECT(text, "25 blocked: your provider (50%) or your gateway 10.0.0.1 (45%), hop 2 to 3; 587 open\n");
	free(text);
	text = row_of(sample(&s, PLACE_COUNT, NULL, 0));
	EXPECT(text, "25, 587 open\n");
	free(text);
	text = row_of(sample(&s, PLACE_UNKNOWN, NULL, CONFIDENCE_NONE));
	EXPECT(text, "25 blocked: place not known; 587 open\n");
	free(text);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_common), cmocka_unit_test(test_range),
		cmocka_unit_test(test_ports_that_differ), cmocka_unit_test(test_silent),	    cmocka_unit_test(test_nothing_stops),
		cmocka_unit_test(test_places),	    cmocka_unit_test(test_interrupted),
		cmocka_unit_test(test_many_places), cmocka_unit_test(test_row),
	};

	if (argc > 1 && strcmp(argv[1], "--print") == 0) {
		struct overview *o = many();
		overview_json(o, &plain, stdout);
		overview_free(o);
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
