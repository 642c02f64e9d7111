/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Renderers over one finished report. They decide nothing and escape
 * everything once more for their medium.
 */
#ifndef SB_REPORT_RENDER_H
#define SB_REPORT_RENDER_H

#include <stdbool.h>
#include <stdio.h>

#include "model/report.h"

struct text_options {
	bool colour;
	unsigned width; /* columns, at least 40; all lines are wrapped to it but commands */
	bool quiet;     /* -q: one line a port */
	bool verbose;   /* -v: all evidence, candidates, rule ids */
};

/* Text for a person: what matters first. Several reports are the caller's to set apart with an
 * empty line. Returns 0, or -1 when out could not be written. */
int render_text(const struct report *r, const struct text_options *opt, FILE *out);

/* Texts for whoever can do something about it (report/ticket.h), to be copied. Returns as
 * render_text(). */
int render_ticket(const struct report *r, FILE *out);

/* A page of its own for all reports of a run. Two temporary files hold it until it is written, so
 * that it takes no memory; they are made at once, which may be the last time that it is allowed. */
struct html_page;
struct html_page *html_begin(void); /* NULL: no temporary file, see errno */
void html_add(struct html_page *p, const struct report *r);
void html_add_error(struct html_page *p, const char *input, const char *error);
int html_finish(struct html_page *p, FILE *out); /* returns as render_text() */
void html_free(struct html_page *p);             /* NULL is fine */

/* One line of JSON by docs/report.schema.json, ASCII only. Returns as render_text(). */
int render_json(const struct report *r, FILE *out);

/* The reports on one target as metrics (Prometheus text format 0.0.4; with "# EOF" behind it,
 * OpenMetrics 1.0 as well). whole: nothing is missing; probe_seconds: what it took in all. */
int render_prometheus(struct report *const *reports, unsigned n, bool whole, double probe_seconds,
		      FILE *out);

/* The contract's error line for a target that could not be judged. */
int render_json_error(const char *input, const char *error, FILE *out);

#endif
