/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Push parser for SMTP replies (RFC 5321 section 4.2). No I/O: bytes in, at
 * most one reply out at a time. Used by the live dialogue and on captures.
 *
 * Bounded: a line keeps SMTP_LINE_MAX bytes and a reply SMTP_TEXT_MAX; an
 * endless line or an endless multi-line reply ends in SMTP_TOO_LONG, after
 * SMTP_REPLY_BYTES_MAX bytes at the latest.
 */
#ifndef SB_SMTP_REPLY_H
#define SB_SMTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smtp/scan.h"

#define SMTP_TEXT_MAX 4096 /* kept of one reply, all lines */

struct smtp_parser {
	/* results, valid after SMTP_REPLY until the next smtp_feed() */
	int code;                   /* 200..599 */
	unsigned n_lines;
	bool bare_lf;               /* a line ended in LF alone */
	bool mixed_codes;           /* against RFC 5321 4.2.1; the last line's counts */
	char text[SMTP_TEXT_MAX];   /* raw bytes after the code and its separator; lines joined by '\n' */
	size_t text_len;            /* may hold NULs: not a C string */
	bool text_cut;

	/* inside */
	char line[SMTP_LINE_MAX]; /* being read; after SMTP_NOT_SMTP: how it began */
	size_t line_len;
	size_t bytes;
	enum smtp_status status;
	struct smtp_scan scan;
};

void smtp_parser_init(struct smtp_parser *p); /* also to wait for the next reply */

/* Takes bytes until a reply is whole or cannot become one; *used says how many (the rest belongs
 * to what follows: feed it after smtp_parser_init()). A final status is sticky. */
enum smtp_status smtp_feed(struct smtp_parser *p, const void *bytes, size_t len, size_t *used);

#endif
