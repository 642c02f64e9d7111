/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the reports of one call on many targets have in common: how many ports are in
 * which state, and where those stop that are stopped. Bounded, however many there are.
 */
#ifndef SB_REPORT_OVERVIEW_H
#define SB_REPORT_OVERVIEW_H

#include "report/render.h"

struct overview; /* opaque */

struct overview *overview_new(void);
void overview_free(struct overview *o); /* NULL is fine */

void overview_add(struct overview *o, const struct report *r); /* not inspect's */
void overview_add_failed(struct overview *o); /* a target that could not be judged */

struct overview_end {
	const char *tool_version;
	double elapsed_ms;
	bool interrupted;
	unsigned left; /* targets that were not begun */
};

/* Both return as render_text(). */
int overview_text(const struct overview *o, const struct overview_end *end,
		  const struct text_options *opt, FILE *out);
int overview_json(const struct overview *o, const struct overview_end *end, FILE *out);

/* One report in a line: "198.51.100.25  25 blocked: your provider, hop 2 to 3 (96%); 465, 587 open". */
int render_row(const struct report *r, const struct text_options *opt, FILE *out);

#endif
