/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/pen.h"

#include <string.h>

#include "base/text.h"

/* Hanging text narrower than this is no longer read but deciphered. */
#define MIN_TEXT_COLUMNS 20

static void set_style(struct pen *p, enum style s)
{
	static const char *const codes[] = {"0", "1", "31", "32", "33", "36"};
	_Static_assert(sizeof(codes) / sizeof(codes[0]) == STYLE_COUNT, "a code for each style");

	if (p->colour && s != p->active) {
		if (p->active != STYLE_PLAIN)
			fputs("\x1b[0m", p->out);
		if (s != STYLE_PLAIN)
			fprintf(p->out, "\x1b[%sm", codes[s]);
	}
	p->active = s;
}

static unsigned sane_indent(const struct pen *p, unsigned indent)
{
	unsigned most = p->width > MIN_TEXT_COLUMNS ? p->width - MIN_TEXT_COLUMNS : 0;

	return indent < most ? indent : most;
}

static void newline(struct pen *p)
{
	set_style(p, STYLE_PLAIN);
	fputc('\n', p->out);
	p->column = 0;
	p->next = p->hang;
	p->fresh = true;
}

void pen_start(struct pen *p, unsigned indent, unsigned hang)
{
	p->column = 0;
	p->next = indent;
	p->hang = sane_indent(p, hang);
	p->fresh = true;
}

void pen_column(struct pen *p, unsigned column)
{
	if (p->column > 0 && column < p->column + 2)
		p->next = p->column + 2;
	else
		p->next = column;
	p->hang = sane_indent(p, column);
	p->fresh = true;
}

/* Bytes of the first `columns` code points of s, at most len. */
static size_t prefix_bytes(const char *s, size_t len, unsigned columns)
{
	size_t i = 0;

	while (i < len && columns > 0) {
		i++;
		while (i < len && ((unsigned char)s[i] & 0xc0) == 0x80)
			i++;
		columns--;
	}
	return i;
}

static unsigned columns_of(const char *s, size_t len)
{
	unsigned n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)s[i] & 0xc0) != 0x80;
	return n;
}

static void put_bytes(struct pen *p, enum style s, const char *bytes, size_t len)
{
	if (p->next > p->column)
		fprintf(p->out, "%*s", (int)(p->next - p->column), "");
	set_style(p, s);
	fwrite(bytes, 1, len, p->out);
	p->column = p->next + columns_of(bytes, len);
	p->next = p->column;
	p->fresh = false;
}

static void put_word(struct pen *p, enum style s, const char *word, size_t len, bool spaced)
{
	unsigned w = columns_of(word, len);
	unsigned at = p->next + (spaced && !p->fresh);

	if (at + w > p->width && p->column > p->hang)
		newline(p);
	else
		p->next = at;
	/* broken only where not even a line of its own would hold it */
	while (p->next + w > p->width && p->next < p->width) {
		unsigned room = p->width - p->next;
		size_t n = prefix_bytes(word, len, room);
		put_bytes(p, s, word, n);
		newline(p);
		word += n;
		len -= n;
		w -= room;
	}
	put_bytes(p, s, word, len);
}

static void put_words(struct pen *p, enum style s, const char *text)
{
	while (*text) {
		size_t gap = strspn(text, " ");
		size_t len = strcspn(text + gap, " ");
		if (len > 0)
			put_word(p, s, text + gap, len, gap > 0);
		else if (!p->fresh)
			p->next++; /* a space at the end is owed to what follows */
		text += gap + len;
	}
}

static const char *clean(struct pen *p, const char *text)
{
	size_t len = strlen(text);

	return text_clean(p->scratch, text, len, len);
}

void pen_text(struct pen *p, enum style s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put_words(p, s, clean(p, arena_vprintf(p->scratch, fmt, ap)));
	va_end(ap);
}

void pen_end(struct pen *p)
{
	newline(p);
}

void pen_blank(struct pen *p)
{
	fputc('\n', p->out);
}

void pen_code(struct pen *p, unsigned indent, const char *text)
{
	const char *safe = clean(p, text);
	size_t len = strlen(safe);

	while (len > 0 && safe[len - 1] == ' ')
		len--;
	if (len == 0)
		return;
	pen_start(p, indent, indent);
	put_bytes(p, STYLE_CYAN, safe, len);
	newline(p);
}

void pen_paragraph(struct pen *p, unsigned indent, enum style s, const char *text)
{
	if (!text || !*text)
		return;
	pen_start(p, indent, indent);
	put_words(p, s, clean(p, text));
	newline(p);
}

static bool in_brackets(const char *sentence, const char *at)
{
	int depth = 0;

	for (; sentence < at; sentence++)
		depth += (*sentence == '(') - (*sentence == ')');
	return depth > 0;
}

void pen_advice(struct pen *p, const char *text)
{
	const char *sentence = text, *quote;

	pen_start(p, 2, 4);
	pen_text(p, STYLE_PLAIN, "- ");
	while ((quote = strchr(text, '`'))) {
		const char *end = strchr(quote + 1, '`');
		if (!end)
			break;
		const char *code = arena_strndup(p->scratch, quote + 1, (size_t)(end - quote - 1));
		const char *before = arena_strndup(p->scratch, text, (size_t)(quote - text));
		pen_text(p, STYLE_PLAIN, "%s", before);
		text = end + 1;
		if (!strchr(code, ' ') || code[0] == '-' || in_brackets(sentence, quote)) {
			pen_text(p, STYLE_CYAN, "%s", code);
			continue;
		}
		pen_end(p);
		pen_code(p, PEN_CODE_INDENT, code);
		text += strspn(text, " .,;");
		pen_start(p, 4, 4);
		if (!*text)
			return;
	}
	pen_text(p, STYLE_PLAIN, "%s", text);
	pen_end(p);
}
