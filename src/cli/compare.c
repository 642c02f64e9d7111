/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/compare.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/text.h"
#include "case/report_read.h"
#include "cli/terminal.h"
#include "diag/compare.h"
#include "report/comparison.h"
#include "run/live.h"

#define REPORTS_MAX 100000
#define WHOLE_MAX   8 /* comparisons told as a whole; more of them in a few lines */
#define PATH_BYTES  4096

/* ---- output ---- */

/* first: nothing stands before it that it is to be set apart from. */
static int print_one(const struct options *o, const struct comparison *c, bool first, struct err *e)
{
	struct text_options text = terminal_text_options(o);
	int failed;

	if (!o->json && !o->quiet && !first)
		putchar('\n');
	failed = o->json     ? comparison_json(c, stdout)
		 : o->ticket ? comparison_ticket(c, stdout)
			     : comparison_text(c, &text, stdout);
	return failed ? err_set(e, ERR_RUN, "cannot write the comparison: %s", strerror(errno)) : 0;
}

static int print_digest(const struct options *o, const struct comparison_digest *d, bool first,
			struct err *e)
{
	struct text_options text = terminal_text_options(o);

	if (!first)
		putchar('\n');
	if (comparison_digest_text(d, &text, stdout) != 0)
		return err_set(e, ERR_RUN, "cannot write the comparison: %s", strerror(errno));
	return 0;
}

int compare_views(const struct options *o, struct page_file *page, const struct views *v,
		  unsigned *n_compared, struct err *e)
{
	const struct view **sorted = xcalloc(v->n + 1, sizeof(*sorted));
	unsigned *ends = xcalloc(v->n + 1, sizeof(*ends)), n = compare_group(v, sorted, ends),
		 several = 0;
	struct comparison_digest *digest = NULL;
	bool first = !v->ways; /* the ways' own reports stand before */
	int failed = 0;

	for (unsigned i = 0; i < n; i++)
		several += ends[i] - (i ? ends[i - 1] : 0) > 1;
	if (several > WHOLE_MAX && !o->json && !o->quiet && !o->verbose && !o->ticket)
		digest = comparison_digest_new();
	for (unsigned i = 0; i < n && !failed; i++) {
		unsigned begin = i ? ends[i - 1] : 0;
		if (ends[i] - begin < 2)
			continue;
		struct comparison *c =
			compare(&sorted[begin], ends[i] - begin, v->ways, SMTPBLAME_VERSION);
		if (digest)
			comparison_digest_add(digest, c);
		else
			failed = print_one(o, c, first, e);
		first = false;
		if (page->page)
			html_comparison(page->page, c);
		comparison_free(c);
	}
	if (digest && !failed)
		failed = print_digest(o, digest, !v->ways, e);
	comparison_digest_free(digest);
	*n_compared = several;
	free(sorted);
	free(ends);
	return failed;
}

/* ---- input ---- */

struct comparing {
	struct options opt;
	struct page_file page;
	struct views views;
	unsigned failed; /* targets that some run could not judge */
	int status;
};

static int take_reports(struct comparing *c, struct report_reader *r, struct err *e)
{
	struct arena scratch = {0};
	const char *from = text_clean(&scratch, r->path, strlen(r->path), PATH_BYTES);
	unsigned first = c->views.n;
	struct report *report = NULL;
	int found;

	while ((found = report_read(r, &report, e)) > 0) {
		if (c->views.n == REPORTS_MAX)
			found = err_set(e, ERR_USAGE, "more than %d reports", REPORTS_MAX);
		else
			views_add(&c->views, report, from, r->number);
		if (found > 0)
			c->status = exit_status_worse(c->status, report_exit_status(report));
		report_free(report);
		if (found < 0)
			break;
	}
	if (c->views.n - first == 1)
		c->views.list[first].number = 0;
	c->failed += r->failed;
	arena_clear(&scratch);
	return found;
}

/* A folder is a saved case, which holds its report. -1: *e. */
static FILE *open_reports(const char *path, struct err *e)
{
	char inside[PATH_BYTES];
	struct stat st;

	if (strcmp(path, "-") == 0)
		return stdin;
	FILE *in = fopen(path, "re");
	if (in && fstat(fileno(in), &st) == 0 && S_ISDIR(st.st_mode)) {
		fclose(in);
		int n = snprintf(inside, sizeof(inside), "%s/report.json", path);
		in = n < (int)sizeof(inside) ? fopen(inside, "re") : NULL;
	}
	if (!in)
		err_set(e, ERR_USAGE, "%.300s: %s", path, strerror(errno));
	return in;
}

/* A file that can't be read to its end is said, and costs the status; what came before it counts. */
static void say(struct comparing *c, const struct err *e)
{
	struct arena scratch = {0};

	fprintf(stderr, "smtpblame: %s\n", text_clean(&scratch, e->text, strlen(e->text), sizeof(e->text)));
	arena_clear(&scratch);
	c->status = exit_status_worse(c->status, ERR_USAGE);
}

static void read_file(struct comparing *c, const char *path, FILE *in)
{
	struct err e;
	struct report_reader r = {.in = in, .path = path};
	unsigned before = c->views.n;

	if (take_reports(c, &r, &e) != 0)
		say(c, &e);
	else if (c->views.n == before && err_set(&e, ERR_USAGE, "%.300s: no report in it", path))
		say(c, &e);
	if (in != stdin)
		fclose(in);
}

/* A file for each machine of a fleet may be more than a shell's usual limit. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* All are open before privileges are given up, for what is in them was made by somebody else. */
static int read_files(struct comparing *c, struct err *e)
{
	FILE **files = xcalloc(c->opt.n_targets, sizeof(FILE *));
	struct sandbox_held held = {0};
	struct err why;

	raise_limit();
	for (unsigned i = 0; i < c->opt.n_targets; i++) {
		files[i] = open_reports(c->opt.targets[i], &why);
		if (!files[i])
			say(c, &why);
	}
	int failed = run_become_nobody(&held, e);
	if (!failed)
		terminal_tell_sandbox(&held);
	for (unsigned i = 0; i < c->opt.n_targets; i++)
		if (files[i] && !failed)
			read_file(c, c->opt.targets[i], files[i]);
	free(files);
	return failed;
}

static int compare_files(struct comparing *c, struct err *e)
{
	unsigned n = 0;

	if (read_files(c, e) != 0)
		return -1;
	if (c->failed)
		fprintf(stderr,
			"smtpblame: %u target%s could not be judged by the runs that made these reports\n",
			c->failed, c->failed == 1 ? "" : "s");
	if (compare_views(&c->opt, &c->page, &c->views, &n, e) != 0)
		return -1;
	if (n == 0)
		return err_set(e, ERR_USAGE, "nothing to compare: no target has two reports");
	return page_write(&c->page, e);
}

int compare_main(int argc, char **argv, int *status, struct err *e)
{
	struct comparing c = {.status = 0};
	int result = -1;

	if (options_parse_compare(&c.opt, argc, argv, e) != 0)
		goto out;
	*status = 0;
	if (c.opt.help) {
		options_print_compare_help(stdout);
		result = 0;
		goto out;
	}
	if (page_open(&c.page, c.opt.html_file, e) != 0)
		goto out;
	result = compare_files(&c, e);
	*status = c.status;
out:
	views_clear(&c.views);
	page_close(&c.page);
	options_clear(&c.opt);
	return result;
}
