/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "smtp/scan.h"

#include <string.h>

#define CODE_LEN 3
#define PREFIX   (CODE_LEN + 1) /* with its separator */

/*
 * RFC 5321 section 4.2: Reply-code = %x32-35 %x30-35 %x30-39, then SP text,
 * "-" text or the end of the line. The second digit may be any here, since
 * servers do send others; 1xx is of RFC 821 and was never used. The same holds
 * for each line of a multi-line reply, unlike FTP's.
 */
static bool byte_fits(const struct smtp_scan *s, char b)
{
	switch (s->line_len) {
	case 0: return b >= '2' && b <= '5';
	case 1:
	case 2: return b >= '0' && b <= '9';
	case CODE_LEN: return b == ' ' || b == '-' || b == '\r' || b == '\n';
	default: return s->line_len != PREFIX || s->last != '\r' || b == '\n';
	}
}

static void keep(struct smtp_sink *sink, const char *bytes, size_t len)
{
	size_t room = sink->size - sink->len;

	if (len > room) {
		len = room;
		sink->cut = true;
	}
	memcpy(sink->text + sink->len, bytes, len);
	sink->len += len;
}

/* The next n bytes of the line's text, of which SMTP_LINE_MAX is kept. */
static void keep_line(struct smtp_scan *s, const char *bytes, size_t n, struct smtp_sink *sink)
{
	size_t room = s->line_len < SMTP_LINE_MAX ? SMTP_LINE_MAX - s->line_len : 0;

	keep(sink, bytes, n < room ? n : room);
	if (n > room)
		sink->cut = true;
	s->line_len += (uint32_t)n;
	s->last = bytes[n - 1];
}

static void end_line(struct smtp_scan *s, struct smtp_sink *sink)
{
	bool more = s->line_len > CODE_LEN && s->separator == '-';
	uint16_t code = (uint16_t)((s->digits[0] - '0') * 100 + (s->digits[1] - '0') * 10 +
				   (s->digits[2] - '0'));

	if (s->last != '\r')
		s->bare_lf = true;
	else if (s->line_len > PREFIX && s->line_len <= SMTP_LINE_MAX && sink->len > 0 &&
		 sink->text[sink->len - 1] == '\r')
		sink->len--;
	s->mixed_codes = s->mixed_codes || (s->n_lines > 0 && code != s->code);
	s->code = code;
	s->n_lines++;
	s->line_len = 0;
	s->last = '\n';
	if (!more)
		s->status = SMTP_REPLY;
	else if (s->n_lines == SMTP_LINES_MAX)
		s->status = SMTP_TOO_LONG;
}

/* Code and separator, and the first byte behind them. */
static void take_prefix(struct smtp_scan *s, char b, struct smtp_sink *sink)
{
	if (!byte_fits(s, b)) {
		s->status = SMTP_NOT_SMTP;
		return;
	}
	if (b == '\n') {
		end_line(s, sink);
		return;
	}
	if (s->line_len == 0 && s->n_lines > 0)
		keep(sink, "\n", 1);
	if (s->line_len < CODE_LEN)
		s->digits[s->line_len] = b;
	else if (s->line_len == CODE_LEN)
		s->separator = b;
	else
		keep(sink, &b, 1);
	s->line_len++;
	s->last = b;
}

/* "250-x" at the beginning of a line */
static bool is_usual_prefix(const char *b)
{
	return b[0] >= '2' && b[0] <= '5' && b[1] >= '0' && b[1] <= '9' && b[2] >= '0' &&
	       b[2] <= '9' && (b[3] == ' ' || b[3] == '-') && b[4] != '\n';
}

/* The same all at once; 0: it is something else, or ends early. */
static size_t take_usual_prefix(struct smtp_scan *s, const char *b, struct smtp_sink *sink)
{
	if (!is_usual_prefix(b))
		return 0;
	if (s->n_lines > 0)
		keep(sink, "\n", 1);
	memcpy(s->digits, b, CODE_LEN);
	s->separator = b[CODE_LEN];
	keep(sink, b + PREFIX, 1);
	s->line_len = PREFIX + 1;
	s->last = b[PREFIX];
	return PREFIX + 1;
}

size_t smtp_scan_line(struct smtp_scan *s, const char *bytes, size_t len, struct smtp_sink *sink)
{
	uint8_t lines = s->n_lines;
	size_t n = 0;

	if (len > SMTP_REPLY_BYTES_MAX - s->bytes)
		len = SMTP_REPLY_BYTES_MAX - s->bytes;
	if (s->line_len == 0 && len > PREFIX)
		n = take_usual_prefix(s, bytes, sink);
	while (s->status == SMTP_MORE && s->n_lines == lines && n < len) {
		if (s->line_len <= PREFIX || bytes[n] == '\n') {
			take_prefix(s, bytes[n++], sink);
			continue;
		}
		const char *lf = memchr(bytes + n, '\n', len - n);
		size_t text = lf ? (size_t)(lf - bytes) - n : len - n;
		keep_line(s, bytes + n, text, sink);
		n += text;
	}
	s->bytes += (uint32_t)n;
	if (s->status == SMTP_MORE && s->bytes == SMTP_REPLY_BYTES_MAX)
		s->status = SMTP_TOO_LONG;
	return n;
}

size_t smtp_scan_whole(struct smtp_scan *s, const char *bytes, size_t len, struct smtp_sink *sink)
{
	const char *line = bytes, *end = bytes + len;
	char *out = sink->text + sink->len;
	unsigned lines = 0;
	bool more = true;

	if (sink->size - sink->len < len || len > SMTP_REPLY_BYTES_MAX)
		return 0;
	while (more) {
		if (end - line <= PREFIX + 1 || !is_usual_prefix(line) || lines == SMTP_LINES_MAX - 1)
			return 0;
		if (lines > 0 && memcmp(line, bytes, CODE_LEN) != 0)
			return 0;
		const char *text = line + PREFIX;
		const char *lf = memchr(text, '\n', (size_t)(end - text));
		if (!lf || lf[-1] != '\r' || lf - line > SMTP_LINE_MAX)
			return 0;
		if (lines++ > 0)
			*out++ = '\n';
		memcpy(out, text, (size_t)(lf - 1 - text));
		out += lf - 1 - text;
		more = line[CODE_LEN] == '-';
		line = lf + 1;
	}
	sink->len = (size_t)(out - sink->text);
	*s = (struct smtp_scan){
		.bytes = (uint32_t)(line - bytes),
		.code = (uint16_t)((bytes[0] - '0') * 100 + (bytes[1] - '0') * 10 + (bytes[2] - '0')),
		.n_lines = (uint8_t)lines,
		.last = '\n',
		.status = SMTP_REPLY,
	};
	return (size_t)(line - bytes);
}

size_t smtp_scan(struct smtp_scan *s, const char *bytes, size_t len, struct smtp_sink *sink)
{
	size_t n = 0;

	while (s->status == SMTP_MORE && n < len)
		n += smtp_scan_line(s, bytes + n, len - n, sink);
	return n;
}
