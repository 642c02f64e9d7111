/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Renderers over one comparison (model/comparison.h). As report/render.h: they decide nothing, and
 * escape everything once more. */
#ifndef SB_REPORT_COMPARISON_H
#define SB_REPORT_COMPARISON_H

#include "model/comparison.h"
#include "report/render.h"

/* Both return as render_text(). -q: one line a port. */
int comparison_text(const struct comparison *c, const struct text_options *opt, FILE *out);
int comparison_json(const struct comparison *c, FILE *out);

/* For whoever is to act: the same without colours, as a text to be copied. */
int comparison_ticket(const struct comparison *c, FILE *out);

/* Many comparisons in a few lines: targets that fare alike are told once. */
struct comparison_digest; /* opaque */
struct comparison_digest *comparison_digest_new(void);
void comparison_digest_add(struct comparison_digest *d, const struct comparison *c);
int comparison_digest_text(const struct comparison_digest *d, const struct text_options *opt,
			   FILE *out);
void comparison_digest_free(struct comparison_digest *d); /* NULL is fine */

/* A part of the page, behind the reports that it is about, where those are there. */
void html_comparison(struct html_page *p, const struct comparison *c);

/* "mx.example.net [198.51.100.25]" */
const char *comparison_target(struct arena *a, const struct comparison *c);

/* In few words, whosever it is: "provider". */
const char *comparison_place(enum place p);

/* There is nothing to say of the port but that. */
bool comparison_all_open(const struct compared_port *p);

/* Of what is said of a port: the k-th conclusion's sentences, without a last one that the next conclusion
 * ends with, too; and whether a thing to do has been told with an earlier one. */
const char *comparison_sentences(struct arena *a, const struct compared_port *p, unsigned k);
bool comparison_told(const struct compared_port *p, unsigned k, unsigned next);

#endif
