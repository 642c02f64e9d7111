/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/replay.h"

#include <stdio.h>

#include "cli/options.h"
#include "cli/output.h"
#include "cli/page.h"
#include "diag/diag.h"
#include "run/replay.h"
#include "run/sandbox.h"

/* -1: the report can't be written. A case that can't be read is said, and costs the status. */
static int replay(const struct options *o, const char *folder, struct html_page *page,
		  unsigned *n, int *status, struct err *e)
{
	struct saved_case saved;
	struct err unreadable;
	int failed = 0;

	saved_case_init(&saved);
	if (replay_load(folder, false, &saved, &unreadable) != 0) {
		fprintf(stderr, "smtpblame: %s\n", unreadable.text);
		*status = exit_status_worse(*status, (int)unreadable.status);
	} else {
		saved.plan.packets = page != NULL;
		struct report *r =
			diag_judge(&saved.plan, &saved.log, saved.inspect, SMTPBLAME_VERSION);
		*status = exit_status_worse(*status, report_exit_status(r));
		failed = output_report(o, r, (*n)++ == 0, e);
		if (page)
			html_add(page, r);
		report_free(r);
	}
	saved_case_clear(&saved);
	return failed;
}

/* What is read was made by somebody else. */
static void confine(const struct options *o)
{
	struct sandbox sandbox = {.uses = 0};
	struct sandbox_held held;

	for (unsigned i = 0; i < o->n_targets && i < SANDBOX_MAX_PATHS; i++)
		sandbox.read[i] = o->targets[i];
	if (o->n_targets > SANDBOX_MAX_PATHS) /* too many to name: reading stays free */
		sandbox.read[0] = "/";
	sandbox_enter(&sandbox, &held);
}

int replay_main(int argc, char **argv, int *status, struct err *e)
{
	struct options o;
	struct page_file page = {0};
	unsigned n = 0;
	int result = -1;

	*status = 0;
	if (options_parse_replay(&o, argc, argv, e) != 0)
		goto out;
	if (o.help)
		options_print_replay_help(stdout);
	if (page_open(&page, o.html_file, e) != 0)
		goto out;
	confine(&o);
	for (unsigned i = 0; i < o.n_targets; i++)
		if (replay(&o, o.targets[i], page.page, &n, status, e) != 0)
			goto out;
	result = page_write(&page, e);
out:
	page_close(&page);
	options_clear(&o);
	return result;
}
