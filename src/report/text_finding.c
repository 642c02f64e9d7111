/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The findings of the text report: what happens, where, who, and what to do about it. */
#include <stdlib.h>
#include <string.h>

#include "report/phrase.h"
#include "report/text_page.h"

void text_session(struct page *pg, const struct group *g)
{
	const struct group_line *lines;
	unsigned n = group_session(&pg->scratch, g, pg->opt->verbose, &lines);

	for (unsigned i = 0; i < n; i++)
		page_labelled(pg, lines[i].label,
			      lines[i].ports ? arena_printf(&pg->scratch, "%s (port%s %s)", lines[i].text,
							    strchr(lines[i].ports, ',') ? "s" : "", lines[i].ports)
					     : lines[i].text);
}

static void print_where(struct page *pg, const struct finding *f)
{
	struct arena *a = &pg->scratch;
	const char *hops = phrase_hops(a, f, true);
	const char *place = phrase_where(a, pg->r, f);

	page_label(pg, "Where");
	pen_text(&pg->pen, STYLE_BOLD, "%s", place);
	if (f->place == PLACE_TRANSIT && !phrase_second(f))
		pen_text(&pg->pen, STYLE_PLAIN,
			 " (between your provider and the destination's network)");
	if (hops)
		pen_text(&pg->pen, STYLE_PLAIN, ", %s", hops);
	if (f->direction == DIR_INBOUND)
		pen_text(&pg->pen, STYLE_PLAIN, " (on the way back in)");
	pen_end(&pg->pen);
}

static void print_confidence(struct page *pg, const struct finding *f)
{
	struct arena *a = &pg->scratch;
	bool placed = f->place != PLACE_UNKNOWN;
	const char *others = "";

	for (unsigned i = 0; i < f->n_candidates; i++) {
		const struct candidate *c = &f->candidates[i];
		if (placed && c->place == f->place)
			continue;
		others = arena_printf(a, "%s%s%s (%s)", others, *others ? ", " : "",
				      phrase_place(a, &pg->r->vantage, c->place),
				      phrase_percent(a, c->confidence));
	}
	const char *rest = phrase_rest(a, f);
	if (rest)
		others = arena_printf(a, "%s%s%s", others, *others ? ", " : "", rest);
	if (!placed)
		page_labelled(pg, "Could be", others);
	else
		page_labelled(pg, "How sure",
			      arena_printf(a, "%s%s%s", phrase_confidence(a, f->confidence),
					   *others ? "; otherwise " : "", others));
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

static void print_culprit(struct page *pg, const struct finding *f)
{
	const struct culprit *c = &f->culprit;
	const char *text = c->text && *c->text ? c->text : NULL;
	const char *what = phrase_who(&pg->scratch, pg->r, f);

	if (c->kind == CULPRIT_UNKNOWN) {
		/* what is known about an unknown culprit; the summary's words need no echo */
		if (!same_text(text, f->summary))
			page_labelled(pg, "Who", text);
	} else if (!text || same_text(text, f->summary) || ends_with(what, text)) {
		page_labelled(pg, "Who", what); /* "sysctl NAME = VALUE" holds its text */
	} else if (phrase_culprit_is_code(c->kind)) {
		page_labelled(pg, "Who", arena_printf(&pg->scratch, "%s:", what));
		pen_code(&pg->pen, PEN_CODE_INDENT, text);
	} else {
		page_labelled(pg, "Who", arena_printf(&pg->scratch, "%s: %s", what, text));
	}
	if (c->error)
		page_labelled(pg, "Error",
			      arena_printf(&pg->scratch, "connect() gives %s (%s)",
					   errno_name(c->error), strerror(c->error)));
}

static void print_icmp(struct page *pg, const struct finding *f)
{
	char from[ADDR_TEXT_MAX];
	const struct report_icmp *i = &f->icmp;

	if (!f->has_icmp)
		return;
	page_labelled(pg, "ICMP",
		      arena_printf(&pg->scratch, "%s (type %u code %u)%s%s",
				   i->name ? i->name : "other", i->type, i->code,
				   addr_is_set(&i->from) ? " from " : "",
				   addr_is_set(&i->from) ? addr_text(&i->from, from) : ""));
}

static void print_summaries(struct page *pg, const struct group *g, unsigned index)
{
	const char *const *sentences;
	unsigned n = group_summaries(&pg->scratch, g, index, &sentences);

	for (unsigned i = 0; i < n; i++)
		pen_paragraph(&pg->pen, 2, STYLE_PLAIN, sentences[i]);
}

static void print_citations(struct page *pg, const struct group *g, unsigned index)
{
	const char *all = "";

	for (unsigned i = 0; i < pg->r->n_evidence; i++) {
		unsigned number = pg->r->evidence[i].number;
		if (group_cites(g, index, number))
			all = arena_printf(&pg->scratch, "%s%se%u", all, *all ? ", " : "", number);
	}
	page_labelled(pg, "Evidence", all);
}

static void print_remedies(struct page *pg, const struct group *g, unsigned index)
{
	const struct group_step *steps;
	unsigned n = group_steps(&pg->scratch, g, index, &steps);

	if (n)
		pen_paragraph(&pg->pen, 2, STYLE_BOLD, "What to do:");
	for (unsigned i = 0; i < n; i++) {
		if (steps[i].sentence)
			pen_advice(&pg->pen, steps[i].sentence);
		for (unsigned k = 0; k < steps[i].n_commands; k++)
			pen_code(&pg->pen, PEN_CODE_INDENT, steps[i].commands[k]);
	}
}

/* What concerns the ports as a whole. */
static void print_port_facts(struct page *pg, const struct group *g)
{
	const struct report_port *p = g->ports[0];

	text_session(pg, g);
	if (!pg->r->inspect && !p->upstream_tested && p->n_findings > 0 && p->findings[0].place == PLACE_HOST)
		page_labelled(pg, "Beyond",
			      "not tested: the block on this machine hides the rest of "
			      "the way");
}

static void print_finding(struct page *pg, const struct group *g, unsigned index)
{
	const struct finding *f = &g->ports[0]->findings[index];

	print_summaries(pg, g, index);
	print_where(pg, f);
	print_confidence(pg, f);
	print_culprit(pg, f);
	print_icmp(pg, f);
	print_citations(pg, g, index);
	if (pg->opt->verbose)
		page_labelled(pg, "Rule", f->rule);
	if (index + 1 == g->ports[0]->n_findings)
		print_port_facts(pg, g);
	print_remedies(pg, g, index);
}

static void group_heading(struct page *pg, const struct group *g, const char *mechanism)
{
	struct pen *pen = &pg->pen;
	const struct report_port *first = g->ports[0];

	pen_blank(pen);
	pen_start(pen, 0, 2);
	pen_text(pen, STYLE_BOLD, "%s %s ", g->n_ports > 1 ? "Ports" : "Port",
		 group_ports(&pg->scratch, g));
	pen_text(pen, page_state_style(first->state), mechanism ? "%s:" : "%s",
		 phrase_state(pg->r, first));
	if (mechanism)
		pen_text(pen, STYLE_BOLD, " %s", mechanism);
	if (first->n_findings > 1)
		pen_text(pen, STYLE_BOLD, ", %u findings, nearest to this machine first",
			 first->n_findings);
	pen_end(pen);
}

static void print_group(struct page *pg, const struct group *g)
{
	const struct report_port *first = g->ports[0];
	bool single = first->n_findings == 1;

	group_heading(pg, g, single ? phrase_what(pg->r, first, 0) : NULL);
	/* with one finding the port's sentence only repeats that one's, with several often the first's */
	if (!single && !(first->n_findings && same_text(first->summary, first->findings[0].summary)))
		pen_paragraph(&pg->pen, 2, STYLE_PLAIN, first->summary);
	for (unsigned i = 0; i < first->n_findings; i++) {
		if (!single) {
			pen_blank(&pg->pen);
			pen_start(&pg->pen, 2, 5);
			pen_text(&pg->pen, STYLE_BOLD, "%u. %s", i + 1,
				 phrase_what(pg->r, first, i));
			pen_end(&pg->pen);
		}
		print_finding(pg, g, i);
	}
	if (first->n_findings == 0)
		print_port_facts(pg, g);
}

void text_findings(struct page *pg)
{
	const struct group *groups;
	unsigned n = group_all(&pg->scratch, pg->r, &groups);

	for (unsigned i = 0; i < n; i++)
		print_group(pg, &groups[i]);
}
