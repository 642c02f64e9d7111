/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The findings of the page: what happens, where, who, and what to do about it. */
#include <string.h>

#include "report/html.h"
#include "report/phrase.h"

static void fact(struct html *h, const char *name, const char *text)
{
	if (text && *text)
		html(h, "<div><dt>%s</dt><dd><bdi>%s</bdi></dd></div>\n", name, text);
}

static const char *where(struct html *h, const struct finding *f)
{
	const char *hops = phrase_hops(&h->scratch, f, true);

	return arena_printf(&h->scratch, "%s%s%s%s", phrase_where(&h->scratch, h->r, f),
			    hops ? ", " : "", hops ? hops : "",
			    f->direction == DIR_INBOUND ? " (on the way back in)" : "");
}

static void candidates(struct html *h, const struct finding *f)
{
	html(h, "<div><dt>%s</dt><dd>", f->place == PLACE_UNKNOWN ? "Could be" : "How sure");
	if (f->place != PLACE_UNKNOWN)
		html(h, "%s", phrase_confidence(&h->scratch, f->confidence));
	const char *before = f->place == PLACE_UNKNOWN ? "" : "; otherwise ", *rest = phrase_rest(&h->scratch, f);
	for (unsigned i = 0; i < f->n_candidates; i++) {
		const struct candidate *c = &f->candidates[i];
		if (c->place == f->place)
			continue;
		html(h, "%s%s (%s)", before, phrase_place(&h->scratch, &h->r->vantage, c->place),
		     phrase_percent(&h->scratch, c->confidence));
		before = ", ";
	}
	if (rest)
		html(h, "%s%s", before, rest);
	html(h, "</dd></div>\n");
}

static void who(struct html *h, const struct finding *f)
{
	const struct culprit *c = &f->culprit;
	const char *what = phrase_who(&h->scratch, h->r, f);
	const char *text = c->text && *c->text && !same_text(c->text, f->summary) ? c->text : NULL;

	if (c->kind == CULPRIT_UNKNOWN) {
		fact(h, "Who", text);
	} else if (text && phrase_culprit_is_code(c->kind)) {
		html(h, "<div><dt>Who</dt><dd><bdi>%s</bdi>:<pre class=\"code\"><code>%s</code></pre>"
			"</dd></div>\n",
		     what, text);
	} else if (text && !strstr(what, text)) {
		fact(h, "Who", arena_printf(&h->scratch, "%s: %s", what, text));
	} else {
		fact(h, "Who", what);
	}
	if (c->error)
		fact(h, "Error", arena_printf(&h->scratch, "connect() gives %s (%s)",
					      errno_name(c->error), strerror(c->error)));
}

static void icmp(struct html *h, const struct finding *f)
{
	const struct report_icmp *i = &f->icmp;
	char from[ADDR_TEXT_MAX];

	if (f->has_icmp)
		fact(h, "ICMP",
		     arena_printf(&h->scratch, "%s (type %u code %u)%s%s", i->name ? i->name : "other",
				  i->type, i->code, addr_is_set(&i->from) ? " from " : "",
				  addr_is_set(&i->from) ? addr_text(&i->from, from) : ""));
}

static void citations(struct html *h, const struct group *g, unsigned index)
{
	unsigned n = 0;

	for (unsigned i = 0; i < h->r->n_evidence; i++) {
		unsigned number = h->r->evidence[i].number;
		if (!group_cites(g, index, number))
			continue;
		html(h, n++ ? ", " : "<div><dt>Evidence</dt><dd>");
		html(h, "<a href=\"#r%u-e%u\">e%u</a>", h->number, number, number);
	}
	if (n)
		html(h, "</dd></div>\n");
}

/* What the command in the sentence would write stands in this page already. */
static void step_sentence(struct html *h, const struct group *g, unsigned index, const char *sentence)
{
	const char *ticket = h->r->inspect ? NULL : g->ports[0]->findings[index].ticket;
	const char *at = ticket ? strstr(sentence, ticket) : NULL;

	if (!at) {
		html_sentence(h, sentence);
		return;
	}
	html_sentence(h, arena_strndup(&h->scratch, sentence, (size_t)(at - sentence)));
	html(h, "<a href=\"#r%u-ticket\">The text for that</a> stands below, with addresses, times, hops and packets.",
	     h->number);
	if (at[strlen(ticket)])
		html_sentence(h, at + strlen(ticket));
}

static void steps(struct html *h, const struct group *g, unsigned index)
{
	const struct group_step *list;
	unsigned n = group_steps(&h->scratch, g, index, &list);

	if (!n)
		return;
	html(h, "<h5>What to do</h5>\n<ul class=\"steps\">\n");
	for (unsigned i = 0; i < n; i++) {
		html(h, "<li>");
		if (list[i].sentence)
			step_sentence(h, g, index, list[i].sentence);
		for (unsigned k = 0; k < list[i].n_commands; k++)
			html(h, "<pre class=\"code\"><code>%s</code></pre>", list[i].commands[k]);
		html(h, "</li>\n");
	}
	html(h, "</ul>\n");
}

static void session(struct html *h, const struct group *g)
{
	const struct group_line *lines;
	unsigned n = group_session(&h->scratch, g, false, &lines);

	for (unsigned i = 0; i < n; i++)
		fact(h, lines[i].label,
		     lines[i].ports ? arena_printf(&h->scratch, "%s (port%s %s)", lines[i].text,
						   strchr(lines[i].ports, ',') ? "s" : "", lines[i].ports)
				    : lines[i].text);
}

static void finding(struct html *h, const struct group *g, unsigned index)
{
	const struct report_port *p = g->ports[0];
	const struct finding *f = &p->findings[index];
	const char *const *sentences;
	unsigned n = group_summaries(&h->scratch, g, index, &sentences);

	for (unsigned i = 0; i < n; i++)
		html(h, "<p><bdi>%s</bdi></p>\n", sentences[i]);
	html(h, "<dl class=\"facts\">\n");
	fact(h, "Where", where(h, f));
	if (f->n_candidates)
		candidates(h, f);
	who(h, f);
	icmp(h, f);
	citations(h, g, index);
	if (index + 1 == p->n_findings) {
		session(h, g);
		if (!h->r->inspect && !p->upstream_tested && p->findings[0].place == PLACE_HOST)
			fact(h, "Beyond", "not tested: the block on this machine hides the rest of the way");
	}
	html(h, "</dl>\n");
	steps(h, g, index);
}

static void group(struct html *h, const struct group *g)
{
	const struct report_port *p = g->ports[0];

	html(h, "<section class=\"finding %s\">\n<h4>", html_tone(h->r, p));
	for (unsigned i = 0; i < g->n_ports; i++)
		html(h, "<span id=\"r%u-p%u\"></span>", h->number, g->ports[i]->port);
	html(h, "%s %s <span class=\"state %s\">%s</span>", g->n_ports > 1 ? "Ports" : "Port",
	     group_ports(&h->scratch, g), html_tone(h->r, p), phrase_state(h->r, p));
	if (p->n_findings == 1)
		html(h, " %s", phrase_what(h->r, p, 0));
	html(h, "</h4>\n");
	if (p->n_findings != 1 && p->summary && !(p->n_findings && same_text(p->summary, p->findings[0].summary)))
		html(h, "<p><bdi>%s</bdi></p>\n", p->summary);
	for (unsigned i = 0; i < p->n_findings; i++) {
		if (p->n_findings > 1)
			html(h, "<h5 class=\"layer\">%u. %s</h5>\n", i + 1, phrase_what(h->r, p, i));
		finding(h, g, i);
	}
	html(h, "</section>\n");
}

void html_findings(struct html *h)
{
	const struct group *groups;
	unsigned n = group_all(&h->scratch, h->r, &groups);

	if (!n)
		return;
	html(h, "<h3 id=\"r%u-do\">%s</h3>\n", h->number,
	     n > 1 ? "What stops them, and what to do" : "What stops it, and what to do");
	for (unsigned i = 0; i < n; i++)
		group(h, &groups[i]);
}
