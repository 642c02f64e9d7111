/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/output.h"

#include <errno.h>
#include <string.h>

#include "cli/terminal.h"
#include "report/overview.h"

int output_report(const struct options *o, const struct report *r, bool first, struct err *e)
{
	struct text_options text = terminal_text_options(o);
	int failed;

	if (!o->json && !o->quiet && !first)
		putchar('\n');
	failed = o->json     ? render_json(r, stdout)
		 : o->ticket ? render_ticket(r, stdout)
			     : render_text(r, &text, stdout);
	if (failed || fflush(stdout) != 0)
		return err_set(e, ERR_RUN, "cannot write the report: %s", strerror(errno));
	return 0;
}

int output_one_of_many(const struct options *o, const struct report *r, bool first, struct err *e)
{
	struct text_options text = terminal_text_options(o);

	if (o->json || o->quiet || o->verbose || o->ticket)
		return output_report(o, r, first, e);
	if (render_row(r, &text, stdout) != 0 || fflush(stdout) != 0)
		return err_set(e, ERR_RUN, "cannot write the report: %s", strerror(errno));
	return 0;
}
