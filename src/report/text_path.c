/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The path matrix of the text report: rows are hops, columns are ports. */
#include <string.h>

#include "report/text_page.h"
#include "report/phrase.h"
#include "report/way.h"

#define FIRST_COLUMN  7  /* behind "  12-30" */
#define LEAST_COLUMN  5  /* "  587" */
#define ADDRESS_SPACE 18 /* what the last column needs to be of use */
#define FOLD_FROM     3  /* silent hops in a row that become one line */

struct matrix {
	struct pen *pen;
	const struct report *r;
	struct way_columns ports;
	unsigned column; /* width of a port's */
};

/* Columns first .. first + n - 1: as many as fit beside each other. */
struct block {
	unsigned first, n;
};

static void size_columns(struct matrix *m)
{
	char text[12];

	m->column = LEAST_COLUMN;
	for (unsigned i = 0; i < m->ports.n; i++) {
		unsigned w = 2 + (unsigned)snprintf(text, sizeof(text), "%u", m->ports.ports[i]);
		m->column = w > m->column ? w : m->column;
	}
}

/* Several marks where a hop gave several answers: ".R" is a RST injected on the way. */
static const char *marks(const struct report_hop_port *p, char out[8])
{
	size_t n = 0;

	if (!p || p->sent == 0)
		return "-";
	if (p->time_exceeded)
		out[n++] = '.';
	if (p->syn_ack)
		out[n++] = 'S';
	if (p->rst)
		out[n++] = 'R';
	if (p->unreachable)
		out[n++] = 'U';
	if (n == 0)
		out[n++] = '*';
	out[n] = '\0';
	return out;
}

static const char *mark_of(const struct matrix *m, const struct report_hop *h, unsigned port,
			   char out[8])
{
	const char *mark = marks(way_replies(h, port), out);

	return strcmp(mark, "-") == 0 && way_connected(m->r, h, port) ? "S" : mark;
}

static bool all_silent(const struct matrix *m, const struct report_hop *h)
{
	char text[8];

	if (addr_is_set(&h->address))
		return false;
	for (unsigned i = 0; i < m->ports.n; i++)
		if (strcmp(marks(way_replies(h, m->ports.ports[i]), text), "*") != 0)
			return false;
	return true;
}

static void cell(const struct matrix *m, unsigned index, enum style s, const char *text)
{
	struct pen *p = m->pen;

	/* right-aligned, so that marks stand under the last digit of their port */
	p->next = FIRST_COLUMN + m->column * (index + 1) - (unsigned)strlen(text);
	p->fresh = true;
	pen_text(p, s, "%s", text);
}

static enum style mark_style(const char *mark)
{
	if (strpbrk(mark, "RU"))
		return STYLE_RED;
	if (strchr(mark, 'S'))
		return STYLE_GREEN;
	return mark[0] == '*' ? STYLE_YELLOW : STYLE_PLAIN;
}

static double best_rtt(const struct report_hop *h)
{
	double best = TIME_NONE;

	for (unsigned i = 0; i < h->n_ports; i++)
		if (h->ports[i].rtt_ms >= 0 && (best < 0 || h->ports[i].rtt_ms < best))
			best = h->ports[i].rtt_ms;
	return best;
}

static const char *description(struct matrix *m, const struct report_hop *h)
{
	struct arena *a = m->pen->scratch;
	struct report_vantage v = m->r->vantage;
	double rtt = best_rtt(h);
	const char *text = way_hop_address(a, h);

	v.gateway = (struct addr){0}; /* its address stands in the line already */
	if (h->place != PLACE_UNKNOWN)
		text = arena_printf(a, "%s %s", text, phrase_place(a, &v, h->place));
	if (h->name)
		text = arena_printf(a, "%s, %s", text, h->name);
	if (h->asn)
		text = arena_printf(a, "%s, AS%u", text, (unsigned)h->asn);
	return rtt >= 0 ? arena_printf(a, "%s, %s", text, phrase_ms(a, rtt)) : text;
}

static size_t longest_word(const char *text)
{
	size_t longest = 0;

	while (*text) {
		size_t len = strcspn(text, " ");
		longest = len > longest ? len : longest;
		text += len + (text[len] == ' ');
	}
	return longest;
}

/* Beside the marks; below them where an IPv6 address or a long name would be torn. */
static void print_description(struct matrix *m, const struct report_hop *h, struct block b)
{
	struct pen *p = m->pen;
	unsigned at = FIRST_COLUMN + m->column * b.n + 2;
	const char *text = description(m, h);

	if (at + longest_word(text) > p->width) {
		pen_end(p);
		at = FIRST_COLUMN + 1;
		pen_start(p, at, at);
	} else {
		pen_column(p, at);
	}
	pen_text(p, STYLE_PLAIN, "%s", text);
	pen_end(p);
}

static void print_row(struct matrix *m, const struct report_hop *h, struct block b,
		      unsigned last_ttl)
{
	struct pen *p = m->pen;
	char text[8];

	if (last_ttl > h->ttl)
		snprintf(text, sizeof(text), "%u-%u", h->ttl % 1000, last_ttl % 1000);
	else
		snprintf(text, sizeof(text), "%u", h->ttl % 1000);
	pen_start(p, strlen(text) < 3 ? 5 - (unsigned)strlen(text) : 2, 0);
	pen_text(p, STYLE_PLAIN, "%s", text);
	for (unsigned i = 0; i < b.n; i++) {
		const char *mark = mark_of(m, h, m->ports.ports[b.first + i], text);
		cell(m, i, mark_style(mark), mark);
	}
	print_description(m, h, b);
}

/* The ports of a block, for what is said below their columns. */
static struct way_columns columns_of(const struct matrix *m, struct block b)
{
	struct way_columns c = {.n = b.n};

	memcpy(c.ports, &m->ports.ports[b.first], b.n * sizeof(c.ports[0]));
	return c;
}

static bool any_ends_behind(const struct matrix *m, unsigned ttl)
{
	const char *lines[WAY_MAX_PORTS];

	return way_ends(m->pen->scratch, m->r, &m->ports, ttl, lines) > 0;
}

/* The line that the eye looks for. */
static void print_end(struct matrix *m, struct block b, unsigned ttl)
{
	struct way_columns c = columns_of(m, b);
	const char *lines[WAY_MAX_PORTS];
	unsigned n = way_ends(m->pen->scratch, m->r, &c, ttl, lines);

	for (unsigned i = 0; i < n; i++) {
		pen_start(m->pen, 2, 8);
		pen_text(m->pen, STYLE_RED, "----- %s", lines[i]);
		pen_end(m->pen);
	}
}

static void print_header(struct matrix *m, struct block b)
{
	char text[12];

	pen_start(m->pen, 2, 2);
	pen_text(m->pen, STYLE_PLAIN, "hop");
	for (unsigned i = 0; i < b.n; i++) {
		snprintf(text, sizeof(text), "%u", m->ports.ports[b.first + i]);
		cell(m, i, STYLE_PLAIN, text);
	}
	pen_end(m->pen);
}

/* The last hop of the run of silent ones that starts at index i. */
static unsigned fold(const struct matrix *m, unsigned i)
{
	unsigned last = i;

	if (!all_silent(m, &m->r->path[i]))
		return i;
	while (last + 1 < m->r->n_path && all_silent(m, &m->r->path[last + 1]) &&
	       !any_ends_behind(m, m->r->path[last].ttl))
		last++;
	return last - i + 1 >= FOLD_FROM ? last : i;
}

static void print_block(struct matrix *m, struct block b)
{
	const struct report *r = m->r;

	print_header(m, b);
	if (r->path[0].ttl > 0)
		print_end(m, b, 0);
	for (unsigned i = 0; i < r->n_path;) {
		unsigned last = fold(m, i);
		print_row(m, &r->path[i], b, r->path[last].ttl);
		print_end(m, b, r->path[last].ttl);
		i = last + 1;
	}
}

static bool mark_used(const struct matrix *m, char mark)
{
	char text[8];

	for (unsigned i = 0; i < m->r->n_path; i++)
		for (unsigned k = 0; k < m->ports.n; k++)
			if (strchr(mark_of(m, &m->r->path[i], m->ports.ports[k], text), mark))
				return true;
	return false;
}

/* A row is a TTL: what comes back for it need not come from the hop that is named there. */
static void print_whose(struct matrix *m)
{
	static const char marks_of[] = {[WAY_RST] = 'R', [WAY_SYN_ACK] = 'S', [WAY_UNREACHABLE] = 'U'};
	const char *ports, *marks_there = "";
	unsigned signs = way_answers_behind(m->pen->scratch, m->r, &ports);

	for (unsigned sign = WAY_RST; sign <= WAY_UNREACHABLE; sign <<= 1)
		if (signs & sign)
			marks_there = arena_printf(m->pen->scratch, "%s%s%c", marks_there,
						   *marks_there ? ", " : "", marks_of[sign]);
	if (signs)
		pen_paragraph(m->pen, 2, STYLE_PLAIN,
			      arena_printf(m->pen->scratch,
					   "Below its line, %s of %s comes from whoever stands at the line, "
					   "and not from the hop of that row.",
					   marks_there, ports));
}

static void print_legend(struct matrix *m)
{
	static const struct {
		char mark;
		const char *meaning;
	} legend[] = {
		{'.', "came this far (time exceeded)"},
		{'*', "silence"},
		{'S', "connection accepted (SYN-ACK)"},
		{'R', "reset (RST)"},
		{'U', "ICMP unreachable"},
		{'-', "not sent"},
	};
	const char *before = "";

	pen_start(m->pen, 2, 2);
	for (unsigned i = 0; i < sizeof(legend) / sizeof(legend[0]); i++) {
		if (!mark_used(m, legend[i].mark))
			continue;
		pen_text(m->pen, STYLE_PLAIN, "%s%c %s", before, legend[i].mark,
			 legend[i].meaning);
		before = "; ";
	}
	pen_end(m->pen);
	print_whose(m);
	if (way_hidden_words(m->r))
		pen_paragraph(m->pen, 2, STYLE_PLAIN, way_hidden_words(m->r));
}

void text_path(struct pen *p, const struct report *r)
{
	struct matrix m = {.pen = p, .r = r};

	if (r->n_path == 0)
		return;
	m.ports = way_columns(r);
	size_columns(&m);
	pen_blank(p);
	pen_start(p, 0, 2);
	pen_text(p, STYLE_BOLD, "The way, hop by hop");
	pen_end(p);
	unsigned marks_and_margin = FIRST_COLUMN + ADDRESS_SPACE + m.column;
	unsigned at_once = 1;
	if (p->width > marks_and_margin)
		at_once += (p->width - marks_and_margin) / m.column;
	struct block b = {0};
	do {
		unsigned left = m.ports.n - b.first;
		b.n = left < at_once ? left : at_once;
		if (b.first > 0)
			pen_blank(p);
		print_block(&m, b);
		b.first += b.n;
	} while (b.first < m.ports.n);
	print_legend(&m);
}
