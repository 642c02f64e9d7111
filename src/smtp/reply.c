/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "smtp/reply.h"

#include <string.h>

void smtp_parser_init(struct smtp_parser *p)
{
	*p = (struct smtp_parser){.status = SMTP_MORE};
}

/* The raw line, for what turns out to be no reply. */
static void keep_raw(struct smtp_parser *p, const char *bytes, size_t len)
{
	size_t room = sizeof(p->line) - p->line_len;

	if (len > room) {
		len = room;
		p->text_cut = true;
	}
	memcpy(p->line + p->line_len, bytes, len);
	p->line_len += len;
}

enum smtp_status smtp_feed(struct smtp_parser *p, const void *bytes, size_t len, size_t *used)
{
	struct smtp_sink sink = {.text = p->text, .len = p->text_len, .size = sizeof(p->text)};
	const char *b = bytes;
	size_t n = 0;

	while (p->scan.status == SMTP_MORE && n < len) {
		size_t line = smtp_scan_line(&p->scan, b + n, len - n, &sink);
		bool whole = p->scan.line_len == 0 && p->scan.status != SMTP_NOT_SMTP;

		if (whole)
			p->line_len = 0;
		else
			keep_raw(p, b + n, line);
		n += line;
	}
	p->status = p->scan.status;
	p->code = p->scan.code;
	p->n_lines = p->scan.n_lines;
	p->bare_lf = p->scan.bare_lf;
	p->mixed_codes = p->scan.mixed_codes;
	p->bytes = p->scan.bytes;
	p->text_len = sink.len;
	p->text_cut = p->text_cut || sink.cut;
	*used = n;
	return p->status;
}
