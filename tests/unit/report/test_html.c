/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The page: golden files under golden/ (without the style), and what must hold for any.
 *
 *   unit-report-html --update       writes the golden files anew
 *   unit-report-html --write DIR    a page of each sample, and one of all of them (for page.py
 *                                   and tests/program/browser.py)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "golden.h"
#include "report/html.h"
#include "report/render.h"
#include "samples.h"

/* The style has its own file: of it the golden pages hold the place alone. */
static int render_without_style(const struct report *r, const void *unused, FILE *out)
{
	struct html_page *p = html_begin();
	char *text = NULL;
	size_t size = 0;
	FILE *whole = open_memstream(&text, &size);

	(void)unused;
	assert_true(p && whole);
	html_add(p, r);
	assert_int_equal(html_finish(p, whole), 0);
	html_free(p);
	fclose(whole);
	char *style = strstr(text, html_style), *hash = strstr(text, html_style_sha256);
	assert_true(style && hash);
	fprintf(out, "%.*sHASH%.*s%s", (int)(hash - text), text,
		(int)(style - hash - (long)strlen(html_style_sha256)), hash + strlen(html_style_sha256),
		style + strlen(html_style));
	free(text);
	return 0;
}

static const char *const names[] = {"blocked", "even", "firewall", "healthy", "rejected", "hostile", "inspected",
				      "logins"};

static void pages_are_golden(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		golden_check(names[i], ".html", find_sample(names[i]), render_without_style, NULL);
}

/* The command that would write the ticket is of no use to whoever reads it on the same page. */
static void the_ticket_stands_below(void **state)
{
#define TICKET_SENTENCE "The text for that: `smtpblame --ticket mx.example.com`"
	static const char *const remedy[] = {"Ask the provider. " TICKET_SENTENCE};
	struct finding f = blocked_25[0];
	struct report_port port = blocked_ports[0];
	struct report r = blocked;

	(void)state;
	f.remedy = remedy;
	f.n_remedy = 1;
	f.ticket = TICKET_SENTENCE;
	port.findings = &f;
	r.ports = &port;
	r.n_ports = 1;
	char *text = golden_render(&r, render_without_style, NULL);
	assert_null(strstr(text, "--ticket"));
	assert_non_null(strstr(text, "<bdi>Ask the provider. </bdi><a href=\"#r1-ticket\">"));
	assert_non_null(strstr(text, "id=\"r1-ticket\""));
	free(text);
}

static int update(void)
{
	for (size_t i = 0; i < COUNT(names); i++)
		if (golden_update(names[i], ".html", find_sample(names[i]), render_without_style,
				  NULL) != 0)
			return 1;
	return 0;
}

static void add_all(struct html_page *p)
{
	for (size_t i = 0; i < COUNT(samples); i++)
		html_add(p, samples[i].report);
	html_add_error(p, "nowhere.example.com", "cannot be resolved: <no such name>");
}

static int write_page(const char *folder, const char *name, const struct report *r)
{
	char path[GOLDEN_PATH_MAX];
	struct html_page *p = html_begin();

	snprintf(path, sizeof(path), "%s/%s.html", folder, name);
	FILE *out = fopen(path, "w");
	if (!p || !out) {
		perror(path);
		return 1;
	}
	if (r)
		html_add(p, r);
	else
		add_all(p);
	int failed = html_finish(p, out) != 0 || fclose(out) != 0;
	html_free(p);
	return failed;
}

static int write_pages(const char *folder)
{
	int failed = write_page(folder, "all", NULL);

	for (size_t i = 0; i < COUNT(samples); i++)
		failed |= write_page(folder, samples[i].name, samples[i].report);
	return failed;
}

/* Thousands of targets: a line for each, and whole reports of the first ones. */
static void a_page_of_thousands_is_bounded(void **state)
{
	struct html_page *p = html_begin();
	FILE *out = tmpfile();

	(void)state;
	assert_true(p && out);
	for (unsigned i = 0; i < 2000; i++)
		html_add(p, &blocked);
	assert_int_equal(html_finish(p, out), 0);
	assert_in_range(ftell(out), 1000000, 6000000);
	html_free(p);
	fclose(out);
}

static void a_full_disk_is_told(void **state)
{
	struct html_page *p = html_begin();
	FILE *full = fopen("/dev/full", "w");

	(void)state;
	if (!full)
		skip();
	html_add(p, &blocked);
	assert_int_equal(html_finish(p, full), -1);
	html_free(p);
	fclose(full);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_are_golden),
		cmocka_unit_test(the_ticket_stands_below),
		cmocka_unit_test(a_page_of_thousands_is_bounded),
		cmocka_unit_test(a_full_disk_is_told),
	};

	if (argc == 2 && strcmp(argv[1], "--update") == 0)
		return update();
	if (argc == 3 && strcmp(argv[1], "--write") == 0)
		return write_pages(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
