/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "smtp/reply.h"

#include <string.h>

#define CODE_LEN 3

void smtp_parser_init(struct smtp_parser *p)
{
	*p = (struct smtp_parser){.status = SMTP_MORE};
}

/*
 * RFC 5321 section 4.2: Reply-code = %x32-35 %x30-35 %x30-39, then SP text,
 * "-" text or the end of the line. The second digit may be any here, since
 * servers do send others; 1xx is of RFC 821 and was never used. The same holds
 * for each line of a multi-line reply, unlike FTP's.
 */
static bool byte_fits(const struct smtp_parser *p, char b)
{
	switch (p->line_len) {
	case 0: return b >= '2' && b <= '5';
	case 1:
	case 2: return b >= '0' && b <= '9';
	case CODE_LEN: return b == ' ' || b == '-' || b == '\r' || b == '\n';
	case CODE_LEN + 1: return p->last != '\r' || b == '\n';
	default: return true;
	}
}

static void keep_text(struct smtp_parser *p, const char *bytes, size_t len)
{
	size_t room = sizeof(p->text) - p->text_len;

	if (len > room) {
		len = room;
		p->text_cut = true;
	}
	memcpy(p->text + p->text_len, bytes, len);
	p->text_len += len;
}

/* p->line holds the line without its LF, perhaps cut. */
static enum smtp_status end_line(struct smtp_parser *p)
{
	size_t len = p->line_len;
	bool more = len > CODE_LEN && p->line[CODE_LEN] == '-';
	int code = (p->line[0] - '0') * 100 + (p->line[1] - '0') * 10 + (p->line[2] - '0');

	if (p->last != '\r')
		p->bare_lf = true;
	else if (p->line[len - 1] == '\r')
		len--;
	if (p->n_lines > 0) {
		p->mixed_codes = p->mixed_codes || code != p->code;
		keep_text(p, "\n", 1);
	}
	if (len > CODE_LEN + 1)
		keep_text(p, p->line + CODE_LEN + 1, len - CODE_LEN - 1);
	p->code = code;
	p->n_lines++;
	p->line_len = 0;
	if (!more)
		return SMTP_REPLY;
	return p->n_lines == SMTP_LINES_MAX ? SMTP_TOO_LONG : SMTP_MORE;
}

static enum smtp_status take(struct smtp_parser *p, char b)
{
	enum smtp_status status = SMTP_MORE;

	p->bytes++;
	if (!byte_fits(p, b))
		status = SMTP_NOT_SMTP;
	if (b == '\n' && status == SMTP_MORE)
		status = end_line(p);
	else if (p->line_len < sizeof(p->line))
		p->line[p->line_len++] = b;
	else
		p->text_cut = true;
	p->last = b;
	if (status == SMTP_MORE && p->bytes == SMTP_REPLY_BYTES_MAX)
		status = SMTP_TOO_LONG;
	return status;
}

enum smtp_status smtp_feed(struct smtp_parser *p, const void *bytes, size_t len, size_t *used)
{
	const char *b = bytes;
	size_t n = 0;

	while (p->status == SMTP_MORE && n < len)
		p->status = take(p, b[n++]);
	*used = n;
	return p->status;
}

bool smtp_may_be_reply(const struct smtp_parser *p)
{
	return p->status != SMTP_NOT_SMTP;
}
