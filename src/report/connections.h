/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Renderers of `read`: JSON Lines, and text for a person. One connection at a
 * time, as they come; nothing of a connection is kept but what is printed.
 */
#ifndef SB_REPORT_CONNECTIONS_H
#define SB_REPORT_CONNECTIONS_H

#include <stdbool.h>
#include <stdio.h>

#include "model/connection.h"
#include "report/render.h"

/* ---- JSON Lines, by docs/report.schema.json ----
 *
 * Written by hand into one buffer, for there may be hundreds of thousands of lines a second;
 * report/json.c, which a library does, writes the same shapes. ASCII only. */

struct json_lines {
	int fd;      /* borrowed */
	char *bytes; /* freed by json_lines_close() */
	size_t len, size;
	char date[11]; /* "2026-01-31T" of `day`, the latest one written */
	int64_t day;
	char ehlo[1024]; /* the latest list of EHLO keywords as it was written; longer ones are not kept */
	size_t ehlo_len;
	unsigned ehlo_of; /* connection.keywords_of; 0: none is kept */
	int error;   /* errno of the first write that failed; the rest is given up then */
};

void json_lines_open(struct json_lines *l, int fd);
void json_lines_connection(struct json_lines *l, const struct connection *c);
void json_lines_summary(struct json_lines *l, const struct read_summary *s);
void json_lines_flush(struct json_lines *l);
/* Flushes. -1 when something could not be written: errno is in l->error. */
int json_lines_close(struct json_lines *l);

/* ---- text ----
 *
 * A line for each healthy connection and two for others; where there is one only, all about it. */

struct text_connections; /* opaque */

struct text_connections *text_connections_new(const struct text_options *opt, FILE *out);
void text_connections_free(struct text_connections *t); /* NULL is fine */
void text_connection(struct text_connections *t, const struct connection *c);

/* The end: counts, warnings; brief: --summary, which prints no connection, but the groups. -1 when
 * `out` could not be written. */
int text_connections_end(struct text_connections *t, const struct read_summary *s, bool brief);

/* ---- a page of its own ----
 *
 * What struct html_page (report/render.h) is to reports. Its size is bounded: of a great many
 * connections the first ones are told, and how many more there are. */

struct html_connections; /* opaque */

struct html_connections *html_connections_begin(void); /* NULL: no temporary file, see errno */
void html_connections_free(struct html_connections *p); /* NULL is fine */
void html_connection(struct html_connections *p, const struct connection *c);
/* -1 when `out` could not be written. */
int html_connections_finish(struct html_connections *p, const struct read_summary *s, FILE *out);

#endif
