/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The text for the desks: golden files under golden/, and what must hold for any.
 *
 *   unit-report-ticket --update      writes the golden files anew
 *   unit-report-ticket --show NAME   prints one sample
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
#include "report/render.h"
#include "report/ticket.h"
#include "samples.h"

static int render(const struct report *r, const void *unused, FILE *out)
{
	(void)unused;
	return render_ticket(r, out);
}

static const char *const names[] = {"closed", "blocked", "even", "healthy", "firewall", "local-error", "intercepted",
				    "undecided", "unreachable", "rejected", "hostile", "bare", "reset-in-tls", "masked",
				    "limited", "stalled"};

static void texts_are_golden(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		golden_check(names[i], ".ticket", find_sample(names[i]), render, NULL);
}

static int update(void)
{
	for (size_t i = 0; i < COUNT(names); i++)
		if (golden_update(names[i], ".ticket", find_sample(names[i]), render, NULL) != 0)
			return 1;
	return 0;
}

/* A mail is plain text: no line is longer than one may be, none bears what a terminal obeys. */
static void lines_fit_a_mail(void **state)
{
	struct arena a = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(samples); i++) {
		char *text = golden_render(samples[i].report, render, NULL), *rest = text, *line;
		while ((line = strsep(&rest, "\n"))) {
			assert_in_range(text_width(line), 0, 78); /* RFC 5322 section 2.1.1 */
			assert_string_equal(text_clean(&a, line, strlen(line), strlen(line)), line);
		}
		free(text);
	}
	arena_clear(&a);
}

/* What this host does to itself is nobody else's business; everybody else gets a text. */
static void a_desk_for_each_finding_elsewhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(samples); i++) {
		const struct report *r = samples[i].report;
		const struct ticket *tickets;
		const char *const *remarks;
		struct arena a = {0};
		unsigned n = ticket_all(&a, r, &tickets), elsewhere = 0;

		for (unsigned k = 0; k < r->n_ports; k++)
			for (unsigned m = 0; m < r->ports[k].n_findings; m++)
				elsewhere += r->ports[k].state != STATE_INCONCLUSIVE &&
					     r->ports[k].findings[m].place != PLACE_HOST;
		assert_true(elsewhere ? n >= 1 && n <= elsewhere : n == 0);
		for (unsigned k = 0; k < n; k++)
			assert_ptr_equal(strstr(tickets[k].text, "Subject: "), tickets[k].text);
		if (r == &local_error || r == &undecided)
			assert_true(ticket_remarks(&a, r, &remarks) > 0);
		arena_clear(&a);
	}
}

/* The desk calls the port, is greeted, and closes what said "blocked". */
static void an_open_port_is_not_called_blocked(void **state)
{
	static const char *const some[] = {"reset-in-tls", "masked", "limited", "stalled"};

	(void)state;
	for (size_t i = 0; i < COUNT(some); i++) {
		const struct ticket *tickets;
		struct arena a = {0};
		assert_int_equal(ticket_all(&a, find_sample(some[i]), &tickets), 1);
		assert_null(strstr(tickets->text, "blocked"));
		assert_null(strstr(tickets->text, "please open"));
		assert_non_null(strstr(tickets->text, "To see it"));
		arena_clear(&a);
	}
}

static void a_full_disk_is_told(void **state)
{
	FILE *full = fopen("/dev/full", "w");

	(void)state;
	if (!full)
		skip();
	assert_int_equal(render_ticket(&blocked, full), -1);
	fclose(full);
}

/* What passes on one port is not said of another, on which TLS comes first. */
static void ports_with_and_without_tls_first(void **state)
{
	struct finding plain = stalled_finding[0], first;
	struct report_port two[2] = {stalled.ports[0], stalled.ports[0]};
	struct report r = stalled;

	(void)state;
	plain.session = (struct session_point){.known = true, .stage = STAGE_TLS};
	first = plain;
	first.session.tls_first = true;
	two[0].port = 587;
	two[0].findings = &plain;
	two[1].port = 465;
	two[1].findings = &plain;
	r.ports = two;
	r.n_ports = 2;
	char *text = golden_render(&r, render, NULL);
	assert_non_null(strstr(text, "ports 587, 465"));
	assert_non_null(strstr(text, "The ports are open and greet"));
	free(text);
	two[1].findings = &first;
	text = golden_render(&r, render, NULL);
	assert_non_null(strstr(text, "ports 587, 465"));
	assert_null(strstr(text, "The ports are open and greet"));
	assert_non_null(strstr(text, "The connection itself is accepted"));
	free(text);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_golden),
		cmocka_unit_test(lines_fit_a_mail),
		cmocka_unit_test(a_desk_for_each_finding_elsewhere),
		cmocka_unit_test(an_open_port_is_not_called_blocked),
		cmocka_unit_test(ports_with_and_without_tls_first),
		cmocka_unit_test(a_full_disk_is_told),
	};

	if (argc == 2 && strcmp(argv[1], "--update") == 0)
		return update();
	if (argc == 3 && strcmp(argv[1], "--show") == 0)
		return find_sample(argv[2]) ? render_ticket(find_sample(argv[2]), stdout) : 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
