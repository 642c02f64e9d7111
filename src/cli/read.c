/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/read.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/options.h"
#include "cli/page.h"
#include "cli/terminal.h"
#include "report/connections.h"
#include "run/file.h"
#include "run/share.h"

struct output {
	const struct options *opt;
	struct json_lines json;
	struct text_connections *text;
	struct page_file page; /* --html */
};

/* False: nobody takes what is printed. */
static bool print(void *ctx, const struct connection *c)
{
	struct output *out = ctx;

	if (out->opt->summary)
		return true;
	if (out->page.connections)
		html_connection(out->page.connections, c);
	if (!out->opt->json) {
		text_connection(out->text, c);
		return !ferror(stdout);
	}
	json_lines_connection(&out->json, c);
	if (strcmp(c->file, "-") == 0)
		json_lines_flush(&out->json); /* somebody may be watching a pipe */
	return !out->json.error;
}

/* 0 all open, 1 at least one neither open nor inconclusive, 4 at least one inconclusive. */
static int status_of(const struct read_summary *s)
{
	int status = 0;

	for (int i = 0; i < STATE_COUNT; i++)
		if (s->states[i] && i != STATE_OPEN)
			status = exit_status_worse(status, i == STATE_INCONCLUSIVE ? 4 : 1);
	return status;
}

static int finish(struct output *out, const struct read_summary *s, struct err *e)
{
	if (out->opt->json) {
		json_lines_summary(&out->json, s);
		if (json_lines_close(&out->json) != 0)
			return err_set(e, ERR_RUN, "cannot write: %s", strerror(out->json.error));
		return 0;
	}
	if (text_connections_end(out->text, s, out->opt->summary) != 0)
		return err_set(e, ERR_RUN, "cannot write: %s", strerror(errno));
	return 0;
}

static int read_files(struct options *o, int *status, struct err *e)
{
	struct text_options text = terminal_text_options(o);
	struct output out = {.opt = o};
	struct signatures signatures = {0};
	struct read_totals totals = {0};
	struct read_summary summary = {0};
	struct sandbox_held held = {0};
	struct read_job job = {
		.engine = {.any_port = o->any_port, .n_ports = o->tested.n},
		.paths = o->targets, .n_paths = o->n_targets,
		.signatures = &signatures, .sink = print, .ctx = &out, .held = &held,
	};
	int result = -1;

	memcpy(job.engine.ports, o->tested.ports, o->tested.n * sizeof(o->tested.ports[0]));
	if (share_load_signatures(&signatures, &o->arena, e) != 0)
		return -1;
	json_lines_open(&out.json, STDOUT_FILENO);
	out.text = text_connections_new(&text, stdout);
	if (page_open_connections(&out.page, o->html_file, e) != 0)
		goto out;
	int failed = read_captures(&job, &summary, &totals, e);
	terminal_tell_sandbox(&held);
	if (failed)
		goto out;
	*status = status_of(&summary);
	result = finish(&out, &summary, e);
	if (result == 0)
		result = page_write_connections(&out.page, &summary, e);
	/* on a terminal they stand at the end of the text; a script that reads JSON may not look */
	for (unsigned i = 0; o->json && i < summary.n_warnings; i++)
		fprintf(stderr, "smtpblame: %s\n", summary.warnings[i]);
out:
	page_close(&out.page);
	text_connections_free(out.text);
	read_totals_clear(&totals);
	json_lines_close(&out.json);
	return result;
}

int read_main(int argc, char **argv, int *status, struct err *e)
{
	struct options o;
	int result = -1;

	if (options_parse_read(&o, argc, argv, e) != 0)
		goto out;
	*status = 0;
	if (o.help)
		options_print_read_help(stdout);
	result = o.help ? 0 : read_files(&o, status, e);
out:
	options_clear(&o);
	return result;
}
