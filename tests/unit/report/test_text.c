/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The text report: golden pages under golden/, and what must hold for any report.
 *
 *   unit-report-text --update                     writes the golden files anew
 *   unit-report-text --show NAME WIDTH [-v] [-c]  prints one sample
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "golden.h"
#include "report/comparison.h"
#include "report/render.h"
#include "report/way.h"
#include "samples.h"

static int render(const struct report *r, const void *options, FILE *out)
{
	return render_text(r, options, out);
}

static char *rendered(const struct report *r, const struct text_options *opt)
{
	return golden_render(r, render, opt);
}

/* --- golden pages ---------------------------------------------------------- */

static const struct golden {
	const char *name;
	struct text_options opt;
} goldens[] = {
	{"healthy", {.width = 80}},
	{"healthy", {.width = 50}},
	{"healthy", {.width = 120}},
	{"healthy", {.width = 80, .verbose = true}},
	{"blocked", {.width = 80}},
	{"blocked", {.width = 50}},
	{"blocked", {.width = 80, .verbose = true}},
	{"blocked", {.width = 80, .colour = true}},
	{"blocked", {.width = 80, .quiet = true}},
	{"even", {.width = 80}},
	{"firewall", {.width = 80}},
	{"local-error", {.width = 80}},
	{"intercepted", {.width = 80}},
	{"undecided", {.width = 80}},
	{"hostile", {.width = 80, .verbose = true}},
	{"bare", {.width = 80}},
	{"kinds", {.width = 80}},
	{"unreachable", {.width = 80}},
	{"unreachable", {.width = 50}},
	{"nothing", {.width = 80, .verbose = true}},
	{"rejected", {.width = 80}},
	{"logins", {.width = 80}},
	{"closed", {.width = 80}},
	{"logins", {.width = 80, .quiet = true}},
};

static const char *suffix(const struct golden *g, char *out, size_t size)
{
	snprintf(out, size, ".%u%s%s%s.txt", g->opt.width, g->opt.verbose ? ".verbose" : "",
		 g->opt.colour ? ".colour" : "", g->opt.quiet ? ".quiet" : "");
	return out;
}

static void pages_are_golden(void **state)
{
	char end[80];

	(void)state;
	for (size_t i = 0; i < COUNT(goldens); i++)
		golden_check(goldens[i].name, suffix(&goldens[i], end, sizeof(end)),
			     find_sample(goldens[i].name), render, &goldens[i].opt);
}

static int update(void)
{
	char end[80];

	for (size_t i = 0; i < COUNT(goldens); i++)
		if (golden_update(goldens[i].name, suffix(&goldens[i], end, sizeof(end)),
				  find_sample(goldens[i].name), render, &goldens[i].opt) != 0)
			return 1;
	return 0;
}

/* --- what holds for every page ------------------------------------------------ */

static void for_every_page(bool colour, void (*check)(const struct report *,
						      const struct text_options *, const char *))
{
	for (size_t i = 0; i < COUNT(samples); i++) {
		for (unsigned width = 40; width <= 140; width++) {
			for (int verbose = 0; verbose < 2; verbose++) {
				struct text_options opt = {
					.width = width, .verbose = verbose, .colour = colour};
				char *page = rendered(samples[i].report, &opt);
				check(samples[i].report, &opt, page);
				free(page);
			}
		}
	}
}

static void check_bytes(const struct report *r, const struct text_options *opt, const char *page)
{
	struct arena a = {0};

	(void)r;
	(void)opt;
	for (const char *line = page; *line;) {
		size_t len = strcspn(line, "\n");
		assert_int_equal(line[len], '\n');
		/* what text_clean() does not change holds nothing that a terminal obeys */
		char *as_it_is = arena_strndup(&a, line, len);
		assert_string_equal(text_clean(&a, line, len, len), as_it_is);
		if (len > 0)
			assert_true(line[len - 1] != ' ');
		line += len + 1;
	}
	arena_clear(&a);
}

static void no_control_bytes_and_no_trailing_spaces(void **state)
{
	(void)state;
	for_every_page(false, check_bytes);
}

/* Is the line a command of some finding? Only these may be longer than the page is wide. */
static bool is_code(const struct report *r, const char *line)
{
	struct arena a = {0};
	bool found = false;

	line += strspn(line, " ");
	for (unsigned i = 0; i < r->n_ports; i++) {
		for (unsigned k = 0; k < r->ports[i].n_findings; k++) {
			const struct finding *f = &r->ports[i].findings[k];
			const char *text = f->culprit.text;
			found = found || strstr(text_clean(&a, text, strlen(text), 9999), line);
			for (unsigned m = 0; m < f->n_remedy; m++) {
				text = f->remedy[m];
				text = text_clean(&a, text, strlen(text), 9999);
				found = found || strstr(text, line);
			}
		}
	}
	arena_clear(&a);
	return found;
}

static void check_width(const struct report *r, const struct text_options *opt, const char *page)
{
	char *copy = strdup(page), *rest = copy, *line;

	while ((line = strsep(&rest, "\n")))
		if (text_width(line) > opt->width && !is_code(r, line))
			fail_msg("%zu columns on a page of %u: %s", text_width(line), opt->width,
				 line);
	free(copy);
}

static void lines_fit_but_for_commands(void **state)
{
	(void)state;
	for_every_page(false, check_width);
}

static void check_colour(const struct report *r, const struct text_options *opt, const char *page)
{
	struct text_options plain = *opt;
	char *bare_page = strdup(page), *out = bare_page;
	bool coloured = false;

	plain.colour = false;
	for (const char *p = page; *p;) {
		if (*p == '\x1b') {
			size_t len = strspn(p + 2, "0123456789");
			assert_int_equal(p[1], '[');
			assert_int_equal(p[2 + len], 'm');
			coloured = strncmp(p + 2, "0m", 2) != 0;
			p += 2 + len + 1;
			continue;
		}
		if (*p == '\n')
			assert_false(coloured); /* a pager cuts at lines */
		*out++ = *p++;
	}
	*out = '\0';
	char *want = rendered(r, &plain);
	assert_string_equal(bare_page, want);
	free(want);
	free(bare_page);
}

static void colours_change_no_character(void **state)
{
	(void)state;
	for_every_page(true, check_colour);
}

static void quiet_is_one_line_a_port(void **state)
{
	struct text_options opt = {.width = 40, .quiet = true};

	(void)state;
	for (size_t i = 0; i < COUNT(samples); i++) {
		char *text = rendered(samples[i].report, &opt);
		unsigned lines = 0;
		for (const char *p = text; *p; p++)
			lines += *p == '\n';
		assert_int_equal(lines, samples[i].report->n_ports);
		check_bytes(samples[i].report, &opt, text);
		free(text);
	}
	char *text = rendered(&healthy, &opt);
	assert_string_equal(text, "198.51.100.25 25 open\n198.51.100.25 465 open\n198.51.100.25 587 open\n");
	free(text);
}

static void commands_stand_whole_on_their_line(void **state)
{
	struct text_options opt = {.width = 40};
	static const char *const commands[] = {
		"\n      nft insert rule inet filter output ip daddr 198.51.100.25 tcp dport 25 accept\n",
		"\n      nft delete rule inet filter output handle HANDLE\n",
		("\n      tcp dport { 25, 465 } meta skuid != \"postfix\" counter drop comment "
		 "\"only the mail server may send mail\"\n"),
	};
	char *text = rendered(&firewall, &opt);

	(void)state;
	for (size_t i = 0; i < COUNT(commands); i++)
		if (!strstr(text, commands[i]))
			fail_msg("not found: %s", commands[i]);
	free(text);
}

static void healthy_takes_five_lines(void **state)
{
	(void)state;
	for (unsigned width = 64; width <= 140; width++) {
		struct text_options opt = {.width = width};
		char *text = rendered(&healthy, &opt);
		unsigned lines = 0;
		for (const char *p = text; *p; p++)
			lines += *p == '\n';
		assert_in_range(lines, 5, width < 80 ? 6 : 5);
		assert_non_null(strstr(text, "465 SSL/TLS"));
		assert_non_null(strstr(text, "TLSv1.3"));
		assert_non_null(strstr(text, "12 ms"));
		free(text);
	}
}

/* Three ports with one fate are one section, with what differs kept. */
static void same_fate_is_told_once(void **state)
{
	struct text_options opt = {.width = 80};
	char *text = rendered(&local_error, &opt);
	const char *first = strstr(text, "Ports 25, 465, 587 blocked:");

	(void)state;
	assert_non_null(first);
	assert_null(strstr(first + 1, "What to do:\n  What to do:"));
	assert_null(strstr(strstr(first, "ip -6 route del") + 1, "ip -6 route del"));
	free(text);
}

/* The port's sentence is that of the nearest finding. */
static void nearest_finding_is_told_once(void **state)
{
	struct report_port port = firewall_ports[0];
	struct report r = firewall;
	struct text_options opt = {.width = 400};

	(void)state;
	port.summary = port.findings[0].summary;
	r.ports = &port;
	char *text = rendered(&r, &opt);
	const char *at = strstr(text, port.summary);
	assert_non_null(at);
	assert_null(strstr(at + 1, port.summary));
	free(text);
}

static void a_full_disk_is_told(void **state)
{
	struct text_options opt = {.width = 80};
	FILE *full = fopen("/dev/full", "w");

	(void)state;
	if (!full)
		skip();
	assert_int_equal(render_text(&blocked, &opt, full), -1);
	fclose(full);
}

/* What else one place does is named, and the place and the same advice are not told twice. */
static void one_place_twice_is_told_once(void **state)
{
	struct text_options opt = {.width = 100};
	struct report r = intercepted;
	struct report_port port = intercepted.ports[0];
	struct finding both[2] = {port.findings[0], port.findings[0]};
	static const char *const advice[] = {"Port 587 works."};

	(void)state;
	assert_int_equal(port.n_findings, 2);
	both[1].mechanism = MECH_STARTTLS_STRIPPED;
	for (unsigned i = 0; i < 2; i++) {
		both[i].remedy = advice;
		both[i].n_remedy = 1;
	}
	port.findings = both;
	r.ports = &port;
	char *text = rendered(&r, &opt);
	assert_non_null(strstr(text, "and there: the offer to encrypt (STARTTLS) is taken out"));
	assert_null(strstr(text, "then the provider"));
	const char *told = strstr(text, "Port 587 works.");
	assert_non_null(told);
	assert_null(strstr(told + 1, "Port 587 works."));
	free(text);
}

/* Two families blocked alike: what both conclusions end with, and what both advise, stands once. */
static void a_comparison_repeats_nothing(void **state)
{
	static const char *const next4[] = {"Ask about IPv4:", "ask 4", "Look again."},
				 *const next6[] = {"Ask about IPv6:", "ask 4", "Look again."};
	const struct conclusion two[] = {
		{.summary = "Blocked over IPv4. Nobody knows more.", .next = next4, .n_next = 3},
		{.summary = "Blocked over IPv6. Nobody knows more.", .next = next6, .n_next = 3},
	};
	const struct compared_port p = {.port = 25, .conclusions = two, .n_conclusions = 2};
	struct arena a = {0};

	(void)state;
	assert_string_equal(comparison_sentences(&a, &p, 0), "Blocked over IPv4.");
	assert_string_equal(comparison_sentences(&a, &p, 1), two[1].summary);
	assert_false(comparison_told(&p, 0, 2));
	assert_false(comparison_told(&p, 1, 0));
	assert_false(comparison_told(&p, 1, 1)); /* a command goes with its sentence */
	assert_true(comparison_told(&p, 1, 2));
	arena_clear(&a);
}

/* A SYN that is answered before the way is over: that hop is not silent, it poses as the target. */
static void a_hop_that_poses_is_not_silent(void **state)
{
	static const struct report_hop_port silent = {.port = 443, .sent = 1}, taken = {.port = 443, .sent = 1, .syn_ack = 1};
	struct report_hop hop = {.ttl = 1, .ports = &silent, .n_ports = 1};
	struct arena a = {0};

	(void)state;
	assert_string_equal(way_hop_address(&a, &hop), "(silent)");
	hop.ports = &taken;
	assert_string_equal(way_hop_address(&a, &hop), "(answers in the target's name)");
	arena_clear(&a);
}

static int show(int argc, char **argv)
{
	struct text_options opt = {.width = (unsigned)atoi(argv[3])};
	const struct report *r = find_sample(argv[2]);

	for (int i = 4; i < argc; i++) {
		opt.verbose |= strcmp(argv[i], "-v") == 0;
		opt.colour |= strcmp(argv[i], "-c") == 0;
		opt.quiet |= strcmp(argv[i], "-q") == 0;
	}
	return r ? render_text(r, &opt, stdout) : 2;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_are_golden),
		cmocka_unit_test(no_control_bytes_and_no_trailing_spaces),
		cmocka_unit_test(lines_fit_but_for_commands),
		cmocka_unit_test(colours_change_no_character),
		cmocka_unit_test(quiet_is_one_line_a_port),
		cmocka_unit_test(commands_stand_whole_on_their_line),
		cmocka_unit_test(healthy_takes_five_lines),
		cmocka_unit_test(same_fate_is_told_once),
		cmocka_unit_test(one_place_twice_is_told_once),
		cmocka_unit_test(a_comparison_repeats_nothing),
		cmocka_unit_test(a_hop_that_poses_is_not_silent),
		cmocka_unit_test(nearest_finding_is_told_once),
		cmocka_unit_test(a_full_disk_is_told),
	};

	if (argc == 2 && strcmp(argv[1], "--update") == 0)
		return update();
	if (argc >= 4 && strcmp(argv[1], "--show") == 0)
		return show(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
