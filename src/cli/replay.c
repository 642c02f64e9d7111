/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/replay.h"

#include <stdio.h>

#include "cli/options.h"
#include "cli/output.h"
#include "cli/page.h"
#include "cli/save.h"
#include "cli/terminal.h"
#include "diag/diag.h"
#include "run/replay.h"
#include "run/sandbox.h"

struct replay {
	struct options opt;
	struct page_file page;       /* --html */
	struct case_store *redacted; /* NULL: nothing is saved */
	unsigned n_reports;
	int status;
};

static int show(struct replay *p, struct saved_case *saved, struct err *e)
{
	struct report *r = diag_judge(&saved->plan, &saved->log, saved->inspect, SMTPBLAME_VERSION);
	struct report *redacted = NULL;
	int failed = 0;

	if (p->redacted)
		failed = save_redacted(p->redacted, saved, r, &redacted, e);
	const struct report *shown = redacted ? redacted : r;
	if (!failed) {
		p->status = exit_status_worse(p->status, report_exit_status(shown));
		failed = output_report(&p->opt, shown, p->n_reports++ == 0, e);
	}
	if (!failed && p->page.page)
		html_add(p->page.page, shown);
	report_free(redacted);
	report_free(r);
	return failed;
}

/* A case that can't be read is said, and costs the status. */
static int replay(struct replay *p, const char *folder, struct err *e)
{
	struct saved_case saved;
	struct err unreadable;
	int failed = 0;

	saved_case_init(&saved);
	if (replay_load(folder, p->redacted != NULL, &saved, &unreadable) == 0) {
		saved.plan.packets = p->page.page != NULL || p->opt.ticket;
		failed = show(p, &saved, e);
	} else {
		fprintf(stderr, "smtpblame: %s\n", unreadable.text);
		p->status = exit_status_worse(p->status, (int)unreadable.status);
	}
	saved_case_clear(&saved);
	return failed;
}

/* What is read was made by somebody else. */
static void confine(const struct options *o)
{
	struct sandbox sandbox = {.uses = o->redact_dir ? SANDBOX_WRITE : 0, .write = {o->redact_dir}};
	struct sandbox_held held;

	for (unsigned i = 0; i < o->n_targets && i < SANDBOX_MAX_PATHS; i++)
		sandbox.read[i] = o->targets[i];
	if (o->n_targets > SANDBOX_MAX_PATHS) /* too many to name: reading stays free */
		sandbox.read[0] = "/";
	sandbox_enter(&sandbox, &held);
	terminal_tell_sandbox(&held);
}

int replay_main(int argc, char **argv, int *status, struct err *e)
{
	struct replay p = {.status = 0};
	int result = -1;

	if (options_parse_replay(&p.opt, argc, argv, e) != 0)
		goto out;
	*status = 0;
	if (p.opt.help) {
		options_print_replay_help(stdout);
		result = 0;
		goto out;
	}
	if (page_open(&p.page, p.opt.html_file, e) != 0)
		goto out;
	if (p.opt.redact_dir && case_store_create(&p.redacted, p.opt.redact_dir, (uid_t)-1, (gid_t)-1, e) != 0)
		goto out;
	confine(&p.opt);
	for (unsigned i = 0; i < p.opt.n_targets; i++)
		if (replay(&p, p.opt.targets[i], e) != 0)
			goto out;
	*status = p.status;
	result = page_write(&p.page, e);
out:
	case_store_free(p.redacted);
	page_close(&p.page);
	options_clear(&p.opt);
	return result;
}
