/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Several reports side by side, for a person: the answer, who sees what, what follows, what to do.
 */
#include <string.h>

#include "base/clock.h"
#include "report/comparison.h"
#include "report/group.h"
#include "report/pen.h"
#include "report/phrase.h"
#include "report/text_page.h"

#define MIN_WIDTH    40
#define LABEL_COLUMN 24 /* labels up to this length have the rest beside them */

const char *comparison_target(struct arena *a, const struct comparison *c)
{
	char text[ADDR_TEXT_MAX];

	if (!addr_is_set(&c->target))
		return c->name ? c->name : c->input;
	if (!c->name)
		return arena_strdup(a, addr_text(&c->target, text));
	return arena_printf(a, "%s [%s]", c->name, addr_text(&c->target, text));
}

const char *comparison_place(enum place p)
{
	static const char *const places[PLACE_COUNT] = {
		[PLACE_HOST] = "the machine itself",
		[PLACE_GATEWAY] = "gateway",
		[PLACE_ISP] = "provider",
		[PLACE_TRANSIT] = "transit",
		[PLACE_DESTINATION_NETWORK] = "destination's network",
		[PLACE_DESTINATION] = "destination",
		[PLACE_UNKNOWN] = "place unknown",
	};

	return places[p];
}

/* " (provider, 60%)" */
static const char *fate(struct arena *a, const struct view_port *p)
{
	const struct view_stop *s = p->n_stops ? &p->stops[0] : NULL;

	if (p->state == STATE_OPEN || p->state == STATE_INCONCLUSIVE || !s)
		return "";
	if (s->place == PLACE_UNKNOWN)
		return " (place not known)";
	return arena_printf(a, " (%s, %s)", comparison_place(s->place),
			    phrase_percent(a, s->confidence));
}

/* What one report says of all ports: those with one fate together. */
static void print_fates(struct pen *pen, const struct comparison *c, unsigned view)
{
	struct arena *a = pen->scratch;
	bool *told = arena_alloc(a, c->n_ports + 1);
	const char *before = "";

	for (unsigned i = 0; i < c->n_ports; i++) {
		const struct view_port *p = c->ports[i].views[view];
		const char *ports = "";
		if (!p || told[i])
			continue;
		for (unsigned k = i; k < c->n_ports; k++) {
			const struct view_port *q = c->ports[k].views[view];
			if (!q || q->state != p->state || strcmp(fate(a, p), fate(a, q)) != 0)
				continue;
			told[k] = true;
			ports = arena_printf(a, "%s%s%u", ports, *ports ? ", " : "", q->port);
		}
		pen_text(pen, STYLE_PLAIN, "%s%s ", before, ports);
		pen_text(pen, page_state_style(p->state), "%s", state_name(p->state));
		pen_text(pen, STYLE_PLAIN, "%s", fate(a, p));
		before = "; ";
	}
}

/* From where and when. */
static const char *vantage(struct arena *a, const struct view *v)
{
	char text[ADDR_TEXT_MAX], started[CLOCK_TEXT_MAX];
	const char *out = "";

	if (addr_is_set(&v->source))
		out = arena_printf(a, "from %s", addr_text(&v->source, text));
	if (v->interface && strcmp(v->interface, v->label) != 0)
		out = arena_printf(a, "%s on %s", out, v->interface);
	if (addr_is_set(&v->seen_as) && !addr_equal(&v->seen_as, &v->source))
		out = arena_printf(a, "%s (outside %s)", out, addr_text(&v->seen_as, text));
	if (addr_is_set(&v->gateway))
		out = arena_printf(a, "%s, gateway %s", out, addr_text(&v->gateway, text));
	out = arena_printf(a, "%s, %.19sZ", out, clock_utc_text(v->started_ns, started));
	if (*v->from)
		out = arena_printf(a, v->number ? "%s; %s, document %u" : "%s; %s", out, v->from,
				   v->number);
	return *out == ',' ? out + 2 : out;
}

static void print_views(struct pen *pen, const struct comparison *c)
{
	size_t widest = 0;

	for (unsigned i = 0; i < c->n_views; i++) {
		size_t len = strlen(c->views[i]->label);
		widest = len > widest && len <= LABEL_COLUMN ? len : widest;
	}
	unsigned column = pen->width >= 60 ? (unsigned)widest + 4 : 6;
	for (unsigned i = 0; i < c->n_views; i++) {
		pen_start(pen, 2, column);
		pen_text(pen, STYLE_BOLD, "%s", c->views[i]->label);
		if (strlen(c->views[i]->label) > widest || column == 6) {
			pen_end(pen);
			pen_start(pen, column, column);
		} else {
			pen_column(pen, column);
		}
		print_fates(pen, c, i);
		pen_end(pen);
		pen_paragraph(pen, column, STYLE_PLAIN, vantage(pen->scratch, c->views[i]));
	}
}

/* Ports about which the same is said, but for their number. */
static bool alike(const struct compared_port *x, const struct compared_port *y)
{
	if (x->n_conclusions != y->n_conclusions)
		return false;
	for (unsigned i = 0; i < x->n_conclusions; i++) {
		const struct conclusion *a = &x->conclusions[i], *b = &y->conclusions[i];
		if (strcmp(a->rule, b->rule) != 0 || a->n_views != b->n_views ||
		    a->place != b->place ||
		    (int)(a->confidence * 100) != (int)(b->confidence * 100) ||
		    a->n_suspects != b->n_suspects ||
		    memcmp(a->views, b->views, a->n_views * sizeof(*a->views)) != 0)
			return false;
		for (unsigned k = 0; k < a->n_suspects; k++)
			if (a->suspects[k].ttl != b->suspects[k].ttl ||
			    !addr_equal(&a->suspects[k].address, &b->suspects[k].address))
				return false;
		for (unsigned k = 0; k < a->n_views; k++)
			if (x->views[a->views[k]]->state != y->views[b->views[k]]->state)
				return false;
	}
	return true;
}

bool comparison_all_open(const struct compared_port *p)
{
	return p->n_conclusions == 1 && strcmp(p->conclusions[0].rule, "open-everywhere") == 0;
}

static const char *last_sentence(const char *text)
{
	const char *last = text;

	for (const char *at = text; (at = strstr(at, ". ")); at += 2)
		last = at + 2;
	return last;
}

const char *comparison_sentences(struct arena *a, const struct compared_port *p, unsigned k)
{
	const char *text = p->conclusions[k].summary, *last = last_sentence(text);

	if (k + 1 == p->n_conclusions || last == text ||
	    strcmp(last, last_sentence(p->conclusions[k + 1].summary)) != 0)
		return text;
	return arena_strndup(a, text, (size_t)(last - 1 - text));
}

bool comparison_told(const struct compared_port *p, unsigned k, unsigned next)
{
	const char *text = p->conclusions[k].next[next];

	if (group_is_command(text)) /* belongs to the sentence before it */
		return false;
	for (unsigned i = 0; i < k; i++)
		for (unsigned m = 0; m < p->conclusions[i].n_next; m++)
			if (strcmp(p->conclusions[i].next[m], text) == 0)
				return true;
	return false;
}

static void print_next(struct pen *pen, const struct compared_port *p, unsigned k)
{
	const struct conclusion *c = &p->conclusions[k];

	for (unsigned i = 0; i < c->n_next; i++) {
		if (group_is_command(c->next[i])) {
			pen_code(pen, 6, c->next[i]);
			continue;
		}
		if (comparison_told(p, k, i))
			continue;
		pen_start(pen, 2, 4);
		pen_text(pen, STYLE_PLAIN, "- %s", c->next[i]);
		pen_end(pen);
	}
}

static void print_others(struct pen *pen, const struct comparison *c, unsigned i, bool *told)
{
	const char *others = "";
	unsigned n = 0;

	for (unsigned k = i + 1; k < c->n_ports; k++)
		if (!told[k] && alike(&c->ports[i], &c->ports[k])) {
			told[k] = true;
			n++;
			others = arena_printf(pen->scratch, "%s%s%u", others, *others ? ", " : "",
					      c->ports[k].port);
		}
	if (n)
		pen_paragraph(pen, 2, STYLE_PLAIN,
			      arena_printf(pen->scratch, "The same holds for port%s %s.",
					   n == 1 ? "" : "s", others));
}

static void print_conclusions(struct pen *pen, const struct comparison *c)
{
	bool *told = arena_alloc(pen->scratch, c->n_ports + 1);

	for (unsigned i = 0; i < c->n_ports; i++) {
		const struct compared_port *p = &c->ports[i];
		bool to_do = false;
		if (told[i] || comparison_all_open(p))
			continue;
		pen_blank(pen);
		pen_paragraph(pen, 0, STYLE_BOLD, arena_printf(pen->scratch, "Port %u", p->port));
		for (unsigned k = 0; k < p->n_conclusions; k++)
			pen_paragraph(pen, 2, STYLE_PLAIN, comparison_sentences(pen->scratch, p, k));
		print_others(pen, c, i, told);
		for (unsigned k = 0; k < p->n_conclusions; k++) {
			if (p->conclusions[k].n_next && !to_do)
				pen_paragraph(pen, 2, STYLE_PLAIN, "What to do:");
			to_do |= p->conclusions[k].n_next > 0;
			print_next(pen, p, k);
		}
	}
}

static void print_quiet(struct pen *pen, const struct comparison *c)
{
	for (unsigned i = 0; i < c->n_ports; i++)
		for (unsigned k = 0; k < c->ports[i].n_conclusions; k++) {
			const struct conclusion *one = &c->ports[i].conclusions[k];
			pen_start(pen, 0, 0);
			pen_text(pen, STYLE_PLAIN, "%s %u %s %s ",
				 comparison_target(pen->scratch, c), c->ports[i].port,
				 agreement_name(c->ports[i].agreement), one->rule);
			if (one->place == PLACE_UNKNOWN)
				pen_text(pen, STYLE_PLAIN, "unknown - ");
			else
				pen_text(pen, STYLE_PLAIN, "%s %.2f ", place_name(one->place),
					 one->confidence);
			pen_text(pen, STYLE_PLAIN, "%s", one->summary);
			pen_end(pen);
		}
}

static void print_page(struct pen *pen, const struct comparison *c)
{
	pen_start(pen, 0, 2);
	pen_text(pen, STYLE_BOLD, c->ways ? "%s, by %u ways:" : "%s, %u reports:",
		 comparison_target(pen->scratch, c), c->n_views);
	pen_text(pen, STYLE_PLAIN, " %s", c->summary);
	pen_end(pen);
	pen_blank(pen);
	print_views(pen, c);
	print_conclusions(pen, c);
	for (unsigned i = 0; i < c->n_notes; i++) {
		if (i == 0) {
			pen_blank(pen);
			pen_paragraph(pen, 0, STYLE_BOLD, "Note");
		}
		pen_start(pen, 2, 4);
		pen_text(pen, STYLE_PLAIN, "- %s", c->notes[i]);
		pen_end(pen);
	}
}

static int print(const struct comparison *c, const struct text_options *opt, FILE *out)
{
	struct arena scratch = {0};
	struct pen pen = {
		.out = out,
		.scratch = &scratch,
		.colour = opt->colour,
		.width = opt->quiet               ? 1u << 30
			 : opt->width < MIN_WIDTH ? MIN_WIDTH
						  : opt->width,
	};

	if (opt->quiet)
		print_quiet(&pen, c);
	else
		print_page(&pen, c);
	arena_clear(&scratch);
	return fflush(out) != 0 || ferror(out) ? -1 : 0;
}

int comparison_text(const struct comparison *c, const struct text_options *opt, FILE *out)
{
	return print(c, opt, out);
}

int comparison_ticket(const struct comparison *c, FILE *out)
{
	static const struct text_options plain = {.width = 72};

	return print(c, &plain, out);
}
