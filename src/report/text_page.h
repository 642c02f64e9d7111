/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the parts of the text report share: the page that they write on, and
 * the parts themselves, in the order of the page.
 */
#ifndef SB_REPORT_TEXT_PAGE_H
#define SB_REPORT_TEXT_PAGE_H

#include "report/group.h"
#include "report/pen.h"
#include "report/render.h"

#define TEXT_NARROW 64 /* below: no service names in the table, evidence under its source */

struct page {
	const struct report *r;         /* borrowed, like opt, for one render_text() */
	const struct text_options *opt;
	struct arena scratch;
	struct pen pen;
};

void text_table(struct page *pg);    /* a line a port */
void text_findings(struct page *pg); /* a section for each fate that is not "open" */
void text_session(struct page *pg, const struct group *g); /* what the server said */
void text_path(struct pen *p, const struct report *r); /* the matrix: rows hops, columns ports */

/* An empty line, then the heading. */
void page_heading(struct page *pg, const char *text);

/* "  Where     ", to be gone on with and ended; the other one is the whole line, and nothing
 * where there is no text. */
void page_label(struct page *pg, const char *text);
void page_labelled(struct page *pg, const char *name, const char *text);

enum style page_state_style(enum state s);

#endif
