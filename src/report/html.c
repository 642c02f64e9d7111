/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The page as a whole: its head, what is said of all reports together, and the reports. */
#include "report/html.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "report/comparison.h"
#include "report/phrase.h"
#include "report/render.h"

/* Whole reports on one page; of further targets it says the state alone. A browser scrolls through
 * the 20 to 100 KB of each without trouble up to here. */
#define WHOLE_REPORTS_MAX 200

struct html_page {
	FILE *rows;         /* of the table over all reports */
	struct html articles;
	unsigned n_rows, n_reports, n_not_open, n_left_out, n_comparisons, n_comparisons_left_out;
	char title[512];    /* of the first report */
};

/* --- the writer ------------------------------------------------------------ */

static void escaped(struct html *h, const char *text)
{
	size_t len = strlen(text);

	for (const char *p = text_clean(&h->scratch, text, len, len); *p; p++) {
		switch (*p) {
		case '&': fputs("&amp;", h->out); break;
		case '<': fputs("&lt;", h->out); break;
		case '>': fputs("&gt;", h->out); break;
		case '"': fputs("&quot;", h->out); break;
		case '\'': fputs("&#39;", h->out); break;
		default: fputc(*p, h->out);
		}
	}
}

void html(struct html *h, const char *markup, ...)
{
	const char *text;
	va_list ap;

	va_start(ap, markup);
	for (const char *p = markup; *p; p++) {
		if (*p != '%') {
			fputc(*p, h->out);
			continue;
		}
		switch (*++p) {
		case 's':
			text = va_arg(ap, const char *);
			escaped(h, text ? text : "");
			break;
		case 'u': fprintf(h->out, "%u", va_arg(ap, unsigned)); break;
		case 'd': fprintf(h->out, "%d", va_arg(ap, int)); break;
		case '%': fputc('%', h->out); break;
		default: abort(); /* a template of this program's own */
		}
	}
	va_end(ap);
}

/* Foreign text: kept from turning its surroundings around, whatever way it is written. */
static void foreign(struct html *h, const char *text)
{
	html(h, "<bdi>%s</bdi>", text);
}

void html_lines(struct html *h, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		html(h, "%s", arena_strndup(&h->scratch, text, len));
		text += len;
		if (*text == '\n')
			fputc(*text++, h->out);
	}
}

void html_sentence(struct html *h, const char *text)
{
	const char *quote, *end;

	while ((quote = strchr(text, '`')) && (end = strchr(quote + 1, '`'))) {
		const char *code = arena_strndup(&h->scratch, quote + 1, (size_t)(end - quote - 1));
		/* what the sentence leads up to, to be copied; amid one it is but named */
		bool block = strchr(code, ' ') && (!end[1] || same_text(end + 1, "."));
		foreign(h, arena_strndup(&h->scratch, text, (size_t)(quote - text)));
		html(h, block ? "<pre class=\"code\"><code>%s</code></pre>" : "<code>%s</code>", code);
		text = end + 1;
	}
	foreign(h, text);
}

const char *html_tone(const struct report *r, const struct report_port *p)
{
	if (r->inspect)
		return p->would == WOULD_PASS ? "good" : p->would == WOULD_MAYBE ? "odd" : "bad";
	return html_state_tone(p->state);
}

/* --- the page --------------------------------------------------------------- */

struct html_page *html_begin(void)
{
	struct html_page *p = xcalloc(1, sizeof(*p));

	if (html_open_parts(&p->rows, &p->articles))
		return p;
	html_free(p);
	return NULL;
}

void html_free(struct html_page *p)
{
	if (!p)
		return;
	html_close_parts(p->rows, &p->articles);
	free(p);
}

/* Which of several ways out this one was: "eth0", "eth0, from 10.1.0.2". */
static const char *way(struct arena *a, const struct report *r)
{
	char text[ADDR_TEXT_MAX];
	const char *interface = r->vantage.interface ? r->vantage.interface : "";

	if (!addr_is_set(&r->vantage.source))
		return interface;
	return arena_printf(a, "%s%s%s", interface, *interface ? ", from " : "",
			    addr_text(&r->vantage.source, text));
}

static bool all_open(const struct report *r)
{
	for (unsigned i = 0; i < r->n_ports; i++)
		if (strcmp(html_tone(r, &r->ports[i]), "good") != 0)
			return false;
	return r->n_ports > 0;
}

static void write_row(struct html_page *p, const struct report *r, bool whole)
{
	struct html h = {.out = p->rows, .r = r};
	const char *target = phrase_target(&h.scratch, r);

	html(&h, "<tr><th scope=\"row\">");
	if (whole)
		html(&h, "<a href=\"#r%u\"><bdi>%s</bdi></a>", p->articles.number, target);
	else
		foreign(&h, target);
	html(&h, "<br><small><bdi>%s</bdi></small></th><td>", way(&h.scratch, r));
	for (unsigned i = 0; i < r->n_ports; i++)
		html(&h, "%s<span class=\"state %s\">%u %s</span>", i ? " " : "",
		     html_tone(r, &r->ports[i]), r->ports[i].port, phrase_state(r, &r->ports[i]));
	html(&h, "</td></tr>\n");
	arena_clear(&h.scratch);
}

void html_add(struct html_page *p, const struct report *r)
{
	bool whole = p->n_reports < WHOLE_REPORTS_MAX;
	struct html *h = &p->articles;

	h->r = r;
	h->number = ++p->n_reports;
	p->n_not_open += !all_open(r);
	p->n_left_out += !whole;
	if (p->n_reports == 1)
		snprintf(p->title, sizeof(p->title), "%s: %s", phrase_target(&h->scratch, r),
			 r->summary ? r->summary : "");
	write_row(p, r, whole);
	p->n_rows++;
	if (whole)
		html_report(h);
	arena_clear(&h->scratch);
}

void html_add_error(struct html_page *p, const char *input, const char *error)
{
	struct html h = {.out = p->rows};

	html(&h, "<tr><th scope=\"row\"><bdi>%s</bdi></th><td><bdi>%s</bdi></td></tr>\n",
	     input, error);
	p->n_rows++;
	arena_clear(&h.scratch);
}

void html_comparison(struct html_page *p, const struct comparison *c)
{
	if (p->n_comparisons == WHOLE_REPORTS_MAX) {
		p->n_comparisons_left_out++;
		return;
	}
	if (p->n_comparisons++ == 0 && p->n_reports == 0)
		snprintf(p->title, sizeof(p->title), "%s: %s", comparison_target(&p->articles.scratch, c),
			 c->summary);
	html_write_comparison(&p->articles, c, p->n_comparisons);
	arena_clear(&p->articles.scratch);
}

void html_head(struct html *h, const char *title)
{
	/* nothing is loaded, nothing runs, nothing is sent; the style is the one of this hash */
	html(h,
	     "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	     "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
	     "'sha256-%s'; base-uri 'none'; form-action 'none'\">\n"
	     "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	     "<meta name=\"color-scheme\" content=\"light dark\">\n"
	     "<meta name=\"referrer\" content=\"no-referrer\">\n",
	     html_style_sha256);
	html(h, "<title>%s</title>\n", title);
	fprintf(h->out, "<style>%s</style>\n</head>\n<body>\n", html_style);
}

void html_top(struct html *h)
{
	html(h, "<header class=\"top\"><h1>Who stops my mail?</h1></header>\n<main>\n");
}

void html_foot(struct html *h)
{
	html(h, "</main>\n<footer>Made by smtpblame. This page loads nothing and runs no script."
		"</footer>\n</body>\n</html>\n");
}

bool html_open_parts(FILE **rows, struct html *articles)
{
	*rows = tmpfile();
	articles->out = tmpfile();
	return *rows && articles->out;
}

void html_close_parts(FILE *rows, struct html *articles)
{
	if (rows)
		fclose(rows);
	if (articles->out)
		fclose(articles->out);
	arena_clear(&articles->scratch);
}

int html_append(FILE *out, FILE *part)
{
	char buffer[16384];
	size_t n;

	rewind(part);
	while ((n = fread(buffer, 1, sizeof(buffer), part)) > 0)
		fwrite(buffer, 1, n, out);
	return ferror(part) ? -1 : 0;
}

const char *html_state_tone(enum state s)
{
	switch (s) {
	case STATE_OPEN: return "good";
	case STATE_BLOCKED:
	case STATE_INTERCEPTED: return "bad";
	case STATE_REFUSED:
	case STATE_REJECTED:
	case STATE_NO_SERVICE:
	case STATE_UNREACHABLE:
	case STATE_INCONCLUSIVE:
	case STATE_COUNT: break;
	}
	return "odd";
}

static void write_overview(struct html_page *p, struct html *h)
{
	html(h,
	     "<section class=\"over\" aria-labelledby=\"all\"><h2 id=\"all\">%u address%s, %u with "
	     "findings</h2>\n",
	     p->n_reports, p->n_reports == 1 ? "" : "es", p->n_not_open);
	html(h, "<div class=\"scroll\" role=\"region\" aria-labelledby=\"all\" tabindex=\"0\"><table "
		"class=\"rows\"><thead><tr><th scope=\"col\">Target</th>"
		"<th scope=\"col\">Ports</th></tr></thead><tbody>\n");
}

/* Heads of the ladders' arrows, by the classes of html_packets.c. */
static const char *const arrows[] = {"out", "in", "good", "bad", "lost"};

int html_finish(struct html_page *p, FILE *out)
{
	struct html h = {.out = out};
	int failed = fflush(p->rows) != 0 || fflush(p->articles.out) != 0;

	bool only_comparisons = p->n_rows == 0 && p->n_comparisons > 0;

	html_head(&h, p->n_reports == 1 || only_comparisons
			      ? p->title
			      : arena_printf(&h.scratch, "%u addresses, %u with findings: smtpblame",
					     p->n_reports, p->n_not_open));
	html(&h, "<svg class=\"heads\" aria-hidden=\"true\" focusable=\"false\"><defs>");
	for (size_t i = 0; i < sizeof(arrows) / sizeof(arrows[0]); i++)
		html(&h,
		     "<marker id=\"%s\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"7\" "
		     "markerHeight=\"7\" markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path "
		     "class=\"%s\" d=\"%s\"/></marker>",
		     arrows[i], arrows[i],
		     strcmp(arrows[i], "lost") == 0 ? "M2 1 L9 9 M9 1 L2 9" : "M0 0 L10 5 L0 10 Z");
	html(&h, "</defs></svg>\n");
	html_top(&h);
	if (!only_comparisons && (p->n_rows != 1 || p->n_reports != 1)) {
		write_overview(p, &h);
		failed |= html_append(out, p->rows);
		html(&h, "</tbody></table></div>\n");
		if (p->n_left_out)
			html(&h, "<p>Of the last %u the page holds no more than their states.</p>\n",
			     p->n_left_out);
		html(&h, "</section>\n");
	}
	failed |= html_append(out, p->articles.out);
	if (p->n_comparisons_left_out)
		html(&h, "<p>%u more comparisons are not on the page.</p>\n", p->n_comparisons_left_out);
	html_foot(&h);
	arena_clear(&h.scratch);
	return failed || fflush(out) != 0 || ferror(out) ? -1 : 0;
}
