/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Words on a terminal: wraps to a width with hanging indents, colours, and is
 * the only door for strings, which it cleans (base/text.h) once more.
 *
 * Spaces are owed and paid by the next word, so that no line ends with any.
 */
#ifndef SB_REPORT_PEN_H
#define SB_REPORT_PEN_H

#include <stdbool.h>
#include <stdio.h>

#include "base/arena.h"

enum style {
	STYLE_PLAIN,
	STYLE_BOLD,
	STYLE_RED,
	STYLE_GREEN,
	STYLE_YELLOW,
	STYLE_CYAN,
	STYLE_COUNT,
};

struct pen {
	FILE *out;             /* borrowed */
	struct arena *scratch; /* borrowed */
	bool colour;
	unsigned width;
	/* where the line is; for pen_*() alone */
	unsigned column; /* printed */
	unsigned next;   /* where the next word goes, >= column */
	unsigned hang;   /* indent of the lines that follow a wrap */
	bool fresh;      /* no word since the indent: no space is due */
	enum style active;
};

/* Begins a line: the first word at `indent`, further lines at `hang`. */
void pen_start(struct pen *p, unsigned indent, unsigned hang);

/* Goes on at this column of the same line (two columns on, if it is past that already), and
 * makes it the hanging indent. */
void pen_column(struct pen *p, unsigned column);

/* Text, wrapped at its spaces; what has none is broken where the line ends. Joins what stands
 * before it without a space, unless it begins with one. */
void pen_text(struct pen *p, enum style s, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

void pen_end(struct pen *p);   /* ends the line */
void pen_blank(struct pen *p); /* an empty line */

/* A line of its own that is never wrapped, for copying. */
void pen_code(struct pen *p, unsigned indent, const char *text);

/* An item of a list of advice. Each command in backquotes that has more than one word gets a line of
 * its own, for copying, unless it is an option only, or but mentioned in brackets. */
#define PEN_CODE_INDENT 6
void pen_advice(struct pen *p, const char *text);

/* One whole paragraph. */
void pen_paragraph(struct pen *p, unsigned indent, enum style s, const char *text);

#endif
