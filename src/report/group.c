/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/group.h"

#include <string.h>

#include "report/phrase.h"

/* --- sentences that differ in nothing but the port ---------------------------- */

/* With a mark in place of the port's number. */
static const char *without_port(struct arena *a, const char *text, unsigned port)
{
	const char *out = "", *at, *word = arena_printf(a, "ort %u", port);

	for (; text && (at = strstr(text, word)); text = at + strlen(word)) {
		bool longer = at[strlen(word)] >= '0' && at[strlen(word)] <= '9';
		out = arena_printf(a, "%s%.*s%s", out, (int)(at - text), text, longer ? word : "ort #");
	}
	return arena_printf(a, "%s%s", out, text ? text : "");
}

static bool same_but_port(struct arena *a, const char *x, unsigned x_port, const char *y, unsigned y_port)
{
	return same_text(x, y) || (x && y && strcmp(without_port(a, x, x_port), without_port(a, y, y_port)) == 0);
}

/* --- the same fate ---------------------------------------------------------- */

static bool same_end(const struct hop_end *a, const struct hop_end *b)
{
	return a->ttl == b->ttl && addr_equal(&a->address, &b->address);
}

static bool same_culprit(const struct culprit *a, const struct culprit *b)
{
	return a->kind == b->kind && a->error == b->error &&
	       same_text(a->type, b->type) && same_text(a->table, b->table) &&
	       same_text(a->chain, b->chain) && same_text(a->hook, b->hook) &&
	       same_text(a->verdict, b->verdict) && same_text(a->family, b->family) &&
	       same_text(a->interface, b->interface) && same_text(a->state, b->state) &&
	       same_text(a->name, b->name) && same_text(a->value, b->value) &&
	       same_text(a->cgroup, b->cgroup) && same_text(a->reason, b->reason) &&
	       same_text(a->function, b->function) && a->priority == b->priority &&
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

/* A culprit without words of its own has the summary's, which are told of each port. */
static bool same_words(struct arena *a, const struct finding *x, unsigned x_port, const struct finding *y,
		       unsigned y_port)
{
	bool echo = same_text(x->culprit.text, x->summary) && same_text(y->culprit.text, y->summary);

	return echo || same_but_port(a, x->culprit.text, x_port, y->culprit.text, y_port);
}

static bool same_finding(const struct finding *a, const struct finding *b)
{
	return a->mechanism == b->mechanism && a->place == b->place &&
	       a->direction == b->direction && a->confidence == b->confidence &&
	       same_candidates(a, b) && same_hops(a, b) && same_icmp(a, b) &&
	       same_culprit(&a->culprit, &b->culprit);
}

static bool same_fate(struct arena *arena, const struct report_port *a, const struct report_port *b)
{
	if (a->state != b->state || a->would != b->would || a->n_findings != b->n_findings ||
	    a->upstream_tested != b->upstream_tested)
		return false;
	for (unsigned i = 0; i < a->n_findings; i++)
		if (!same_finding(&a->findings[i], &b->findings[i]) ||
		    !same_words(arena, &a->findings[i], a->port, &b->findings[i], b->port))
			return false;
	return a->n_findings > 0 || same_text(a->summary, b->summary);
}

/* Is there more to say than the table's line? */
static bool has_section(const struct report_port *p)
{
	return p->state != STATE_OPEN &&
	       (p->n_findings > 0 || p->has_smtp || (p->summary && *p->summary));
}

unsigned group_all(struct arena *a, const struct report *r, const struct group **out)
{
	struct group *groups = arena_alloc(a, (r->n_ports + 1) * sizeof(*groups));
	const struct report_port **ports = arena_alloc(a, (r->n_ports + 1) * sizeof(*ports));
	bool *told = arena_alloc(a, r->n_ports + 1);
	unsigned n = 0;

	*out = groups;
	for (unsigned i = 0; i < r->n_ports; i++) {
		struct group *g = &groups[n];
		if (told[i] || !has_section(&r->ports[i]))
			continue;
		n++;
		g->ports = ports;
		for (unsigned k = i; k < r->n_ports; k++) {
			if (k != i && (told[k] || !same_fate(a, &r->ports[i], &r->ports[k])))
				continue;
			told[k] = true;
			ports[g->n_ports++] = &r->ports[k];
		}
		ports += g->n_ports;
	}
	return n;
}

const char *group_ports(struct arena *a, const struct group *g)
{
	const char *all = "";

	for (unsigned i = 0; i < g->n_ports; i++)
		all = arena_printf(a, "%s%s%u", all, i ? ", " : "", g->ports[i]->port);
	return all;
}

/* --- sentences and evidence ------------------------------------------------- */

unsigned group_summaries(struct arena *a, const struct group *g, unsigned index,
			 const char *const **out)
{
	const char **sentences = arena_alloc(a, g->n_ports * sizeof(*sentences));
	bool *told = arena_alloc(a, g->n_ports);
	unsigned n = 0;

	*out = sentences;
	for (unsigned i = 0; i < g->n_ports; i++) {
		const char *text = g->ports[i]->findings[index].summary, *others = "";
		if (told[i] || !text)
			continue;
		for (unsigned k = i + 1; k < g->n_ports; k++) {
			const char *other = g->ports[k]->findings[index].summary;
			if (told[k] || !same_but_port(a, text, g->ports[i]->port, other, g->ports[k]->port))
				continue;
			told[k] = true;
			if (!same_text(text, other))
				others = arena_printf(a, "%s%s%u", others, *others ? ", " : "",
						      g->ports[k]->port);
		}
		sentences[n++] = *others ? arena_printf(a, "%s (Likewise %s.)", text, others) : text;
	}
	return n;
}

bool group_cites(const struct group *g, unsigned index, unsigned evidence)
{
	for (unsigned i = 0; i < g->n_ports; i++) {
		const struct finding *f = &g->ports[i]->findings[index];
		for (unsigned k = 0; k < f->n_evidence; k++)
			if (f->evidence[k] == evidence)
				return true;
	}
	return false;
}

/* --- what to do ------------------------------------------------------------- */

bool group_is_command(const char *remedy)
{
	/* the rule of model/report.h */
	return (remedy[0] >= 'a' && remedy[0] <= 'z') || remedy[0] == '/';
}

struct steps {
	struct group_step *list;
	struct {
		const char *sentence; /* as the first port has it */
		unsigned port;        /* that one */
		const char *others;   /* "465, 587": that have the like */
	} *origins;                   /* of each step */
	unsigned n, n_ports_remedies; /* the second: of all ports together, a bound for all lists */
};

static struct group_step *step_of(struct arena *a, struct steps *s, const char *sentence, unsigned port)
{
	struct group_step *step;

	for (unsigned i = 0; i < s->n && sentence; i++) {
		const char *first = s->origins[i].sentence;
		if (!first || !same_but_port(a, first, s->origins[i].port, sentence, port))
			continue;
		const char *others = s->origins[i].others;
		if (!same_text(first, sentence)) {
			s->origins[i].others = arena_printf(a, "%s%s%u", others ? others : "", others ? ", " : "", port);
			s->list[i].sentence = arena_printf(a, "%s (Likewise %s.)", first, s->origins[i].others);
		}
		return &s->list[i];
	}
	s->origins[s->n].sentence = sentence;
	s->origins[s->n].port = port;
	step = &s->list[s->n++];
	step->sentence = sentence;
	step->commands = arena_alloc(a, s->n_ports_remedies * sizeof(*step->commands));
	return step;
}

static void add_command(const struct steps *s, struct group_step *step, const char *command)
{
	const char **commands = (const char **)(uintptr_t)step->commands;

	for (unsigned i = 0; i < s->n; i++)
		for (unsigned k = 0; k < s->list[i].n_commands; k++)
			if (same_text(s->list[i].commands[k], command))
				return;
	commands[step->n_commands++] = command;
}

/* A sentence without commands that an earlier finding of the port has, too. */
static bool told_before(const struct report_port *p, unsigned index, unsigned at)
{
	const struct finding *f = &p->findings[index];
	const char *sentence = f->remedy[at];

	if (group_is_command(sentence) || (at + 1 < f->n_remedy && group_is_command(f->remedy[at + 1])))
		return false;
	for (unsigned i = 0; i < index; i++)
		for (unsigned k = 0; k < p->findings[i].n_remedy; k++)
			if (same_text(p->findings[i].remedy[k], sentence))
				return true;
	return false;
}

unsigned group_steps(struct arena *a, const struct group *g, unsigned index,
		     const struct group_step **out)
{
	struct steps s = {0};

	for (unsigned i = 0; i < g->n_ports; i++)
		s.n_ports_remedies += g->ports[i]->findings[index].n_remedy;
	s.list = arena_alloc(a, (s.n_ports_remedies + 1) * sizeof(*s.list));
	s.origins = arena_alloc(a, (s.n_ports_remedies + 1) * sizeof(*s.origins));
	*out = s.list;
	for (unsigned i = 0; i < g->n_ports; i++) {
		const struct finding *f = &g->ports[i]->findings[index];
		struct group_step *step = NULL;
		for (unsigned k = 0; k < f->n_remedy; k++) {
			bool command = group_is_command(f->remedy[k]);
			if (told_before(g->ports[i], index, k))
				continue;
			if (!step || !command)
				step = step_of(a, &s, command ? NULL : f->remedy[k], g->ports[i]->port);
			if (command)
				add_command(&s, step, f->remedy[k]);
		}
	}
	return s.n;
}

/* --- what the server said --------------------------------------------------- */

struct lines {
	struct arena *a;
	struct group_line list[GROUP_LINES_MAX];
	unsigned n;
};

static void add_line(struct lines *l, const char *label, const char *text)
{
	if (text && *text && l->n < GROUP_LINES_MAX)
		l->list[l->n++] = (struct group_line){label, text, NULL};
}

static void tls_lines(struct lines *l, const struct report_tls *t, bool verbose)
{
	add_line(l, "TLS",
		 arena_printf(l->a, "%s, certificate %s%s%s", t->version ? t->version : "no session",
			      t->verified ? "verified" : "not verified", t->error ? ": " : "",
			      t->error ? t->error : ""));
	add_line(l, "Subject", t->subject);
	add_line(l, "Issuer", t->issuer);
	if (!verbose)
		return;
	add_line(l, "Names", phrase_list(l->a, t->names, t->n_names));
	add_line(l, "Cipher", t->cipher);
	add_line(l, "Key", t->spki_sha256);
}

static void session_lines(struct lines *l, const struct report_port *p, bool verbose)
{
	const struct report_smtp *s = &p->smtp;

	if (s->code || (s->banner && *s->banner))
		add_line(l, "Greeting",
			 arena_printf(l->a, "%d %s", s->code, s->banner ? s->banner : ""));
	if (verbose) {
		add_line(l, "EHLO", phrase_list(l->a, s->ehlo, s->n_ehlo));
		add_line(l, "STARTTLS", s->starttls);
		add_line(l, "Login", phrase_list(l->a, s->auth, s->n_auth));
		add_line(l, "Times", phrase_times(l->a, p));
	}
	if (s->has_tls)
		tls_lines(l, &s->tls, verbose);
}

static bool has_line(const struct lines *l, const struct group_line *line)
{
	for (unsigned i = 0; i < l->n; i++)
		if (same_text(l->list[i].label, line->label) && same_text(l->list[i].text, line->text))
			return true;
	return false;
}

unsigned group_session(struct arena *a, const struct group *g, bool verbose,
		       const struct group_line **out)
{
	struct lines *ports = arena_alloc(a, g->n_ports * sizeof(*ports));
	struct group_line *all = arena_alloc(a, g->n_ports * sizeof(ports->list));
	unsigned n = 0;

	*out = all;
	for (unsigned i = 0; i < g->n_ports; i++) {
		ports[i].a = a;
		if (g->ports[i]->has_smtp)
			session_lines(&ports[i], g->ports[i], verbose);
	}
	for (unsigned i = 0; i < g->n_ports; i++) {
		for (unsigned k = 0; k < ports[i].n; k++) {
			struct group_line line = ports[i].list[k];
			bool told = false;
			unsigned of = 0;
			for (unsigned m = 0; m < i; m++)
				told |= has_line(&ports[m], &line);
			if (told)
				continue;
			for (unsigned m = i; m < g->n_ports; m++)
				if (has_line(&ports[m], &line))
					line.ports = arena_printf(a, "%s%s%u", line.ports ? line.ports : "",
								  of++ ? ", " : "", g->ports[m]->port);
			if (of == g->n_ports)
				line.ports = NULL;
			all[n++] = line;
		}
	}
	return n;
}
