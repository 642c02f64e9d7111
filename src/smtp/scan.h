/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The grammar of SMTP replies (RFC 5321 section 4.2) as a push parser of a few
 * bytes, which writes a reply's text where it is told to: for thousands of
 * connections at a time (captures). smtp/reply.h is the same with room of its
 * own, for one.
 */
#ifndef SB_SMTP_SCAN_H
#define SB_SMTP_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SMTP_LINE_MAX        1024  /* RFC 5321 4.5.3.1.5 says 512; real servers exceed it */
#define SMTP_REPLY_BYTES_MAX 65536 /* read for one reply before giving up */
#define SMTP_LINES_MAX       128   /* lines of one reply */

enum smtp_status {
	SMTP_MORE,     /* feed more */
	SMTP_REPLY,    /* a whole reply: code, text */
	SMTP_NOT_SMTP, /* what came can't be an SMTP reply (decided as early as possible) */
	SMTP_TOO_LONG,
};

/* A zeroed struct waits for a reply. */
struct smtp_scan {
	uint32_t bytes;    /* of this reply */
	uint32_t line_len; /* of the line that is read */
	uint16_t code;     /* of the latest line that is whole */
	uint8_t n_lines;   /* whole ones */
	char digits[3];    /* code of the line that is read, as far as it is there */
	char separator;
	char last;            /* byte before the one that comes */
	bool bare_lf : 1;     /* a line ended in LF alone */
	bool mixed_codes : 1; /* against RFC 5321 4.2.1; the last line's counts */
	uint8_t status;       /* enum smtp_status */
};

/* Where the text goes: raw bytes after the code and its separator, lines joined by '\n'. */
struct smtp_sink {
	char *text;
	size_t len, size;
	bool cut; /* a line was longer than SMTP_LINE_MAX, or `size` is used up */
};

/* Takes bytes until a reply is whole or cannot become one; returns how many (the rest belongs to
 * what follows: feed it to a zeroed scan). A final status is sticky. */
size_t smtp_scan(struct smtp_scan *s, const char *bytes, size_t len, struct smtp_sink *sink);

/* The same for what is the rule: a zeroed scan, and a whole reply of plain lines. Returns 0, and has
 * changed nothing, where there is anything unusual. */
size_t smtp_scan_whole(struct smtp_scan *s, const char *bytes, size_t len, struct smtp_sink *sink);

/* The same, but not beyond the end of the first line. */
size_t smtp_scan_line(struct smtp_scan *s, const char *bytes, size_t len, struct smtp_sink *sink);

#endif
