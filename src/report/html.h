/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the parts of the page share: the writer, and the parts themselves in
 * the order of the page.
 *
 * html() is the only door for strings: markup stands in its template, and what
 * is put in is cleaned (base/text.h) and escaped.
 */
#ifndef SB_REPORT_HTML_H
#define SB_REPORT_HTML_H

#include <stdio.h>

#include "base/arena.h"
#include "model/report.h"
#include "report/group.h"

struct html {
	FILE *out;
	struct arena scratch;   /* of one report */
	const struct report *r; /* the one that is being written */
	unsigned number;        /* ... from 1: anchors begin with it, "r1-e3" */
};

/* printf() of %s, %u, %d and %%, no more: every %s is escaped. */
void html(struct html *h, const char *markup, ...) __attribute__((format(printf, 2, 3)));

/* The lines of a text of this program's own, which were cleaned one by one. */
void html_lines(struct html *h, const char *text);

/* A sentence in which commands stand in `backquotes`. */
void html_sentence(struct html *h, const char *text);

void html_report(struct html *h);   /* all of one report, an <article> */
void html_findings(struct html *h);
void html_path(struct html *h);     /* the matrix of hops and ports */
void html_packets(struct html *h);  /* the ladders */

/* Several side by side; number: of the comparison on the page. */
struct comparison;
void html_write_comparison(struct html *h, const struct comparison *c, unsigned number);

/* What every page begins with, up to its body, and with which its body begins and ends. */
void html_head(struct html *h, const char *title);
void html_top(struct html *h);
void html_foot(struct html *h);

/* What is put aside in temporary files until the page is written: the rows of its table, and the
 * articles. False: there is no room for them, see errno; close them all the same. */
bool html_open_parts(FILE **rows, struct html *articles);
void html_close_parts(FILE *rows, struct html *articles);
/* One of them, behind what `out` holds; -1: it can't be read. */
int html_append(FILE *out, FILE *part);

/* Class of a state, of a port: "good", "bad", "odd". */
const char *html_state_tone(enum state s);
const char *html_tone(const struct report *r, const struct report_port *p);

/* Number of the packet, from 1, that this evidence is; 0: none. */
unsigned html_packet_of(const struct report *r, unsigned evidence);

/* From generated/style.c: src/report/page.css and its hash in base64. */
extern const char html_style[];
extern const char html_style_sha256[];

#endif
