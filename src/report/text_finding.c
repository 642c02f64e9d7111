/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The findings of the text report: what happens, where, who, and what to do about it. */
#include <stdlib.h>
#include <string.h>

#include "report/phrase.h"
#include "report/text_page.h"

#define CODE_INDENT 6

static bool same_end(const struct hop_end *a, const struct hop_end *b)
{
	return a->ttl == b->ttl && addr_equal(&a->address, &b->address);
}

static bool same_culprit(const struct culprit *a, const struct culprit *b)
{
	return a->kind == b->kind && page_same_text(a->text, b->text) && a->error == b->error &&
	       page_same_text(a->type, b->type) && page_same_text(a->table, b->table) &&
	       page_same_text(a->chain, b->chain) && page_same_text(a->hook, b->hook) &&
	       page_same_text(a->verdict, b->verdict) && page_same_text(a->family, b->family) &&
	       page_same_text(a->interface, b->interface) && page_same_text(a->state, b->state) &&
	       page_same_text(a->name, b->name) && page_same_text(a->value, b->value) &&
	       page_same_text(a->cgroup, b->cgroup) && page_same_text(a->reason, b->reason) &&
	       page_same_text(a->function, b->function) && a->priority == b->priority &&
	       addr_equal(&a->address, &b->address) && a->ttl == b->ttl && a->asn == b->asn &&
	       a->code == b->code && a->handle == b->handle && a->number == b->number &&
	       a->id == b->id;
}

static bool same_candidates(const struct finding *a, const struct finding *b)
{
	if (a->n_candidates != b->n_candidates)
		return false;
	for (unsigned i = 0; i < a->n_candidates; i++)
		if (a->candidates[i].place != b->candidates[i].place ||
		    a->candidates[i].confidence != b->candidates[i].confidence)
			return false;
	return true;
}

static bool same_icmp(const struct finding *a, const struct finding *b)
{
	if (!a->has_icmp || !b->has_icmp)
		return a->has_icmp == b->has_icmp;
	return a->icmp.type == b->icmp.type && a->icmp.code == b->icmp.code &&
	       addr_equal(&a->icmp.from, &b->icmp.from);
}

static bool same_hops(const struct finding *a, const struct finding *b)
{
	if (!a->has_hop || !b->has_hop)
		return a->has_hop == b->has_hop;
	return same_end(&a->hop_from, &b->hop_from) && same_end(&a->hop_to, &b->hop_to);
}

static bool same_finding(const struct finding *a, const struct finding *b)
{
	return a->mechanism == b->mechanism && a->place == b->place &&
	       a->direction == b->direction && a->confidence == b->confidence &&
	       same_candidates(a, b) && same_hops(a, b) && same_icmp(a, b) &&
	       same_culprit(&a->culprit, &b->culprit);
}

/* Ports with the same fate are told once: three times the same page helps nobody. */
static bool same_fate(const struct report_port *a, const struct report_port *b)
{
	if (a->state != b->state || a->n_findings != b->n_findings || a->has_smtp || b->has_smtp ||
	    a->upstream_tested != b->upstream_tested)
		return false;
	for (unsigned i = 0; i < a->n_findings; i++)
		if (!same_finding(&a->findings[i], &b->findings[i]))
			return false;
	return true;
}

void text_session(struct page *pg, const struct report_port *p)
{
	const struct report_smtp *s = &p->smtp;
	struct arena *a = &pg->scratch;

	if (!p->has_smtp)
		return;
	if (s->code || (s->banner && *s->banner))
		page_labelled(pg, "Greeting",
			      arena_printf(a, "%d %s", s->code, s->banner ? s->banner : ""));
	if (pg->opt->verbose) {
		page_labelled(pg, "EHLO", page_join(a, s->ehlo, s->n_ehlo));
		page_labelled(pg, "STARTTLS", s->starttls);
		page_labelled(pg, "Login", page_join(a, s->auth, s->n_auth));
		page_labelled(pg, "Times", page_times(pg, p));
	}
	if (!s->has_tls)
		return;
	const struct report_tls *t = &s->tls;
	page_labelled(pg, "TLS",
		      arena_printf(a, "%s, certificate %s%s%s",
				   t->version ? t->version : "no session",
				   t->verified ? "verified" : "not verified", t->error ? ": " : "",
				   t->error ? t->error : ""));
	page_labelled(pg, "Subject", t->subject);
	page_labelled(pg, "Issuer", t->issuer);
	if (pg->opt->verbose) {
		page_labelled(pg, "Names", page_join(a, t->names, t->n_names));
		page_labelled(pg, "Cipher", t->cipher);
		page_labelled(pg, "Key", t->spki_sha256);
	}
}

static void print_where(struct page *pg, const struct finding *f)
{
	struct arena *a = &pg->scratch;
	const char *hops = phrase_hops(a, f, true);
	const char *place = phrase_place(a, &pg->r->vantage, f->place);

	page_label(pg, "Where");
	pen_text(&pg->pen, STYLE_BOLD, "%s", place);
	if (f->place == PLACE_TRANSIT)
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
	const char *what = phrase_culprit(&pg->scratch, c);

	if (c->kind == CULPRIT_UNKNOWN) {
		/* what is known about an unknown culprit; the summary's words need no echo */
		if (!page_same_text(text, f->summary))
			page_labelled(pg, "Who", text);
	} else if (!text || page_same_text(text, f->summary) || ends_with(what, text)) {
		page_labelled(pg, "Who", what); /* "sysctl NAME = VALUE" holds its text */
	} else if (phrase_culprit_is_code(c->kind)) {
		page_labelled(pg, "Who", arena_printf(&pg->scratch, "%s:", what));
		pen_code(&pg->pen, CODE_INDENT, text);
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

/* The same ports' findings at one index: one finding told once. */
struct group {
	const struct report_port *const *ports;
	unsigned n_ports;
};

/* The summary with a mark in place of its port's number. */
static const char *without_port(struct arena *a, const struct report_port *p, unsigned index)
{
	const char *text = p->findings[index].summary, *out = "", *at;
	const char *word = arena_printf(a, "ort %u", p->port);

	for (; text && (at = strstr(text, word)); text = at + strlen(word)) {
		bool longer = at[strlen(word)] >= '0' && at[strlen(word)] <= '9';
		out = arena_printf(a, "%s%.*s%s", out, (int)(at - text), text, longer ? word : "ort #");
	}
	return arena_printf(a, "%s%s", out, text ? text : "");
}

/* Sentences that differ by nothing but their ports are told once, by the first port's. */
static void print_summaries(struct page *pg, const struct group *g, unsigned index)
{
	struct arena *a = &pg->scratch;
	bool *told = xcalloc(g->n_ports, sizeof(*told));

	for (unsigned i = 0; i < g->n_ports; i++) {
		const char *text = g->ports[i]->findings[index].summary, *others = "";
		if (told[i] || !text)
			continue;
		for (unsigned k = i + 1; k < g->n_ports; k++) {
			if (told[k] || strcmp(without_port(a, g->ports[i], index),
					      without_port(a, g->ports[k], index)) != 0)
				continue;
			told[k] = true;
			if (!page_same_text(text, g->ports[k]->findings[index].summary))
				others = arena_printf(a, "%s%s%u", others, *others ? ", " : "",
						      g->ports[k]->port);
		}
		pen_paragraph(&pg->pen, 2, STYLE_PLAIN,
			      *others ? arena_printf(a, "%s (Likewise %s.)", text, others) : text);
	}
	free(told);
}

static bool cited_by_group(const struct group *g, unsigned index, unsigned number)
{
	for (unsigned i = 0; i < g->n_ports; i++)
		if (page_cites(&g->ports[i]->findings[index], number))
			return true;
	return false;
}

static void print_citations(struct page *pg, const struct group *g, unsigned index)
{
	const char *all = "";

	for (unsigned i = 0; i < pg->r->n_evidence; i++) {
		unsigned number = pg->r->evidence[i].number;
		if (cited_by_group(g, index, number))
			all = arena_printf(&pg->scratch, "%s%se%u", all, *all ? ", " : "", number);
	}
	page_labelled(pg, "Evidence", all);
}

static bool is_command(const char *remedy)
{
	/* the rule of model/report.h */
	return (remedy[0] >= 'a' && remedy[0] <= 'z') || remedy[0] == '/';
}

/* A sentence; each quoted command of more than one word gets a line of its own. */
static void print_sentence(struct page *pg, const char *text)
{
	struct pen *pen = &pg->pen;
	const char *quote;

	pen_start(pen, 2, 4);
	pen_text(pen, STYLE_PLAIN, "- ");
	while ((quote = strchr(text, '`'))) {
		const char *end = strchr(quote + 1, '`');
		if (!end)
			break;
		const char *code =
		    arena_strndup(&pg->scratch, quote + 1, (size_t)(end - quote - 1));
		const char *before = arena_strndup(&pg->scratch, text, (size_t)(quote - text));
		pen_text(pen, STYLE_PLAIN, "%s", before);
		text = end + 1;
		if (!strchr(code, ' ')) {
			pen_text(pen, STYLE_CYAN, "%s", code);
			continue;
		}
		pen_end(pen);
		pen_code(pen, CODE_INDENT, code);
		text += strspn(text, " .,;");
		pen_start(pen, 4, 4);
		if (!*text)
			return;
	}
	pen_text(pen, STYLE_PLAIN, "%s", text);
	pen_end(pen);
}

/* A sentence and the commands that follow it, or a sentence alone, begin at `at`; the end. */
static unsigned step_end(const struct finding *f, unsigned at)
{
	do
		at++;
	while (at < f->n_remedy && is_command(f->remedy[at]));
	return at;
}

/* Where does `f` begin the step that begins at `at` of `other`? n_remedy: nowhere. */
static unsigned same_step(const struct finding *f, const struct finding *other, unsigned at)
{
	for (unsigned k = 0; k < f->n_remedy; k++)
		if (page_same_text(f->remedy[k], other->remedy[at]))
			return k;
	return f->n_remedy;
}

static bool step_told(const struct group *g, unsigned port, unsigned index, unsigned at)
{
	const struct finding *f = &g->ports[port]->findings[index];

	for (unsigned i = 0; i < port; i++)
		if (same_step(&g->ports[i]->findings[index], f, at) <
		    g->ports[i]->findings[index].n_remedy)
			return true;
	return false;
}

static bool command_told(const struct group *g, unsigned port, unsigned index, const char *command)
{
	for (unsigned i = 0; i < port; i++) {
		const struct finding *f = &g->ports[i]->findings[index];
		for (unsigned k = 0; k < f->n_remedy; k++)
			if (page_same_text(f->remedy[k], command))
				return true;
	}
	return false;
}

/* One step for all ports: its sentence once, below it the commands of every port. */
static void print_step(struct page *pg, const struct group *g, unsigned port, unsigned index,
		       unsigned at)
{
	const struct finding *first = &g->ports[port]->findings[index];

	if (!is_command(first->remedy[at]))
		print_sentence(pg, first->remedy[at]);
	for (unsigned i = port; i < g->n_ports; i++) {
		const struct finding *f = &g->ports[i]->findings[index];
		unsigned k = i == port ? at : same_step(f, first, at);
		if (k == f->n_remedy)
			continue;
		unsigned end = step_end(f, k);
		for (; k < end; k++)
			if (is_command(f->remedy[k]) && !command_told(g, i, index, f->remedy[k]))
				pen_code(&pg->pen, CODE_INDENT, f->remedy[k]);
	}
}

static void print_remedies(struct page *pg, const struct group *g, unsigned index)
{
	bool begun = false;

	for (unsigned i = 0; i < g->n_ports; i++) {
		const struct finding *f = &g->ports[i]->findings[index];
		for (unsigned k = 0; k < f->n_remedy; k = step_end(f, k)) {
			if (step_told(g, i, index, k))
				continue;
			if (!begun)
				pen_paragraph(&pg->pen, 2, STYLE_BOLD, "What to do:");
			begun = true;
			print_step(pg, g, i, index, k);
		}
	}
}

/* What concerns the port as a whole. */
static void print_port_facts(struct page *pg, const struct report_port *p)
{
	text_session(pg, p);
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
		print_port_facts(pg, g->ports[0]);
	print_remedies(pg, g, index);
}

static void group_heading(struct page *pg, const struct group *g, const char *mechanism)
{
	struct pen *pen = &pg->pen;
	const struct report_port *first = g->ports[0];
	const char *numbers = "";

	for (unsigned i = 0; i < g->n_ports; i++)
		numbers =
		    arena_printf(&pg->scratch, "%s%s%u", numbers, i ? ", " : "", g->ports[i]->port);
	pen_blank(pen);
	pen_start(pen, 0, 2);
	pen_text(pen, STYLE_BOLD, "%s %s ", g->n_ports > 1 ? "Ports" : "Port", numbers);
	pen_text(pen, page_state_style(first->state), mechanism ? "%s:" : "%s",
		 phrase_state(pg->r, first));
	if (mechanism)
		pen_text(pen, STYLE_BOLD, " %s", mechanism);
	if (first->n_findings > 1)
		pen_text(pen, STYLE_BOLD, ", %u findings, nearest to this machine first",
			 first->n_findings);
	pen_end(pen);
}

/* Without a packet nothing has vanished yet. */
static const char *heading_words(const struct page *pg, const struct report_port *p)
{
	if (pg->r->inspect && p->would == WOULD_MAYBE)
		return "only a packet can tell";
	return phrase_mechanism(p->findings[0].mechanism);
}

static void print_group(struct page *pg, const struct group *g)
{
	const struct report_port *first = g->ports[0];
	bool single = first->n_findings == 1;

	group_heading(pg, g, single ? heading_words(pg, first) : NULL);
	/* with one finding the port's sentence only repeats the finding's */
	if (!single)
		pen_paragraph(&pg->pen, 2, STYLE_PLAIN, first->summary);
	for (unsigned i = 0; i < first->n_findings; i++) {
		if (!single) {
			pen_blank(&pg->pen);
			pen_start(&pg->pen, 2, 5);
			pen_text(&pg->pen, STYLE_BOLD, "%u. %s", i + 1,
				 phrase_mechanism(first->findings[i].mechanism));
			pen_end(&pg->pen);
		}
		print_finding(pg, g, i);
	}
	if (first->n_findings == 0)
		print_port_facts(pg, first);
}

/* Is there more to say than the table's line? */
static bool has_section(const struct report_port *p)
{
	return p->state != STATE_OPEN &&
	       (p->n_findings > 0 || p->has_smtp || (p->summary && *p->summary));
}

void text_findings(struct page *pg)
{
	const struct report *r = pg->r;
	const struct report_port **ports = xcalloc(r->n_ports + 1, sizeof(*ports));
	bool *told = xcalloc(r->n_ports + 1, sizeof(*told));

	for (unsigned i = 0; i < r->n_ports; i++) {
		struct group g = {.ports = ports};
		if (told[i] || !has_section(&r->ports[i]))
			continue;
		for (unsigned k = i; k < r->n_ports; k++) {
			if (k != i && (told[k] || !same_fate(&r->ports[i], &r->ports[k])))
				continue;
			told[k] = true;
			ports[g.n_ports++] = &r->ports[k];
		}
		print_group(pg, &g);
	}
	free(told);
	free(ports);
}
