/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The path matrix of the text report: rows are hops, columns are ports. */
#include <string.h>

#include "report/text_page.h"
#include "report/phrase.h"

#define FIRST_COLUMN  7  /* behind "  12-30" */
#define LEAST_COLUMN  5  /* "  587" */
#define ADDRESS_SPACE 18 /* what the last column needs to be of use */
#define FOLD_FROM     3  /* silent hops in a row that become one line */

/* More ports than this are not judged in one run; further ones are left to the JSON. */
#define MAX_PORTS 64

struct matrix {
	struct pen *pen;
	const struct report *r;
	unsigned ports[MAX_PORTS];
	unsigned n_ports;
	unsigned column; /* width of a port's */
};

/* Columns first .. first + n - 1: as many as fit beside each other. */
struct block {
	unsigned first, n;
};

static void add_port(struct matrix *m, unsigned port)
{
	for (unsigned i = 0; i < m->n_ports; i++)
		if (m->ports[i] == port)
			return;
	if (m->n_ports < MAX_PORTS)
		m->ports[m->n_ports++] = port;
}

static void size_columns(struct matrix *m)
{
	char text[12];

	m->column = LEAST_COLUMN;
	for (unsigned i = 0; i < m->n_ports; i++) {
		unsigned w = 2 + (unsigned)snprintf(text, sizeof(text), "%u", m->ports[i]);
		m->column = w > m->column ? w : m->column;
	}
}

static const struct report_hop_port *replies_of(const struct report_hop *h, unsigned port)
{
	for (unsigned i = 0; i < h->n_ports; i++)
		if (h->ports[i].port == port)
			return &h->ports[i];
	return NULL;
}

static bool was_traced(const struct report *r, unsigned port)
{
	for (unsigned i = 0; i < r->n_path; i++)
		if (replies_of(&r->path[i], port))
			return true;
	return false;
}

/* Judged ports in their order, then the controls. */
static void collect_ports(struct matrix *m)
{
	const struct report *r = m->r;

	for (unsigned i = 0; i < r->n_ports; i++)
		if (was_traced(r, r->ports[i].port))
			add_port(m, r->ports[i].port);
	for (unsigned i = 0; i < r->n_path; i++)
		for (unsigned k = 0; k < r->path[i].n_ports; k++)
			add_port(m, r->path[i].ports[k].port);
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

/* An open port's own connection got to the target: it needs no probe to show it. */
static bool connected(const struct report *r, const struct report_hop *h, unsigned port)
{
	for (unsigned i = 0; i < r->n_ports; i++)
		if (r->ports[i].port == port)
			return r->ports[i].state == STATE_OPEN && addr_equal(&h->address, &r->target);
	return false;
}

static const char *mark_of(const struct matrix *m, const struct report_hop *h, unsigned port,
			   char out[8])
{
	const char *mark = marks(replies_of(h, port), out);

	return strcmp(mark, "-") == 0 && connected(m->r, h, port) ? "S" : mark;
}

static bool all_silent(const struct matrix *m, const struct report_hop *h)
{
	char text[8];

	if (addr_is_set(&h->address))
		return false;
	for (unsigned i = 0; i < m->n_ports; i++)
		if (strcmp(marks(replies_of(h, m->ports[i]), text), "*") != 0)
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
	char address[ADDR_TEXT_MAX];
	double rtt = best_rtt(h);
	const char *text = "(silent)";

	if (addr_is_set(&h->address))
		text = arena_strdup(a, addr_text(&h->address, address));
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
		const char *mark = mark_of(m, h, m->ports[b.first + i], text);
		cell(m, i, mark_style(mark), mark);
	}
	print_description(m, h, b);
}

/* Does the way of this port end between `ttl` and the next hop? */
static bool ends_after(const struct report_port *p, unsigned ttl)
{
	for (unsigned i = 0; i < p->n_findings; i++)
		if (p->findings[i].has_hop && p->findings[i].hop_from.ttl == ttl &&
		    p->findings[i].hop_to.ttl > 0)
			return true;
	return false;
}

static bool any_ends_after(const struct report *r, unsigned ttl)
{
	for (unsigned i = 0; i < r->n_ports; i++)
		if (ends_after(&r->ports[i], ttl))
			return true;
	return false;
}

static bool in_block(const struct matrix *m, struct block b, unsigned port)
{
	for (unsigned i = 0; i < b.n; i++)
		if (m->ports[b.first + i] == port)
			return true;
	return false;
}

/* The line that the eye looks for. */
static void print_end(struct matrix *m, struct block b, unsigned ttl)
{
	const struct report *r = m->r;
	struct pen *p = m->pen;
	const char *ports = "";
	unsigned n = 0;

	for (unsigned i = 0; i < r->n_ports; i++)
		if (ends_after(&r->ports[i], ttl) && in_block(m, b, r->ports[i].port))
			ports = arena_printf(p->scratch, "%s%s %u", ports, n++ ? "," : "",
					     r->ports[i].port);
	if (n == 0)
		return;
	pen_start(p, 2, 4);
	pen_text(p, STYLE_RED, n > 1 ? "----- ports%s end here" : "----- port%s ends here", ports);
	pen_end(p);
}

static void print_header(struct matrix *m, struct block b)
{
	char text[12];

	pen_start(m->pen, 2, 2);
	pen_text(m->pen, STYLE_PLAIN, "hop");
	for (unsigned i = 0; i < b.n; i++) {
		snprintf(text, sizeof(text), "%u", m->ports[b.first + i]);
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
	       !any_ends_after(m->r, m->r->path[last].ttl))
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
		for (unsigned k = 0; k < m->n_ports; k++)
			if (strchr(mark_of(m, &m->r->path[i], m->ports[k], text), mark))
				return true;
	return false;
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
}

void text_path(struct pen *p, const struct report *r)
{
	struct matrix m = {.pen = p, .r = r};

	if (r->n_path == 0)
		return;
	collect_ports(&m);
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
		unsigned left = m.n_ports - b.first;
		b.n = left < at_once ? left : at_once;
		if (b.first > 0)
			pen_blank(p);
		print_block(&m, b);
		b.first += b.n;
	} while (b.first < m.n_ports);
	print_legend(&m);
}
