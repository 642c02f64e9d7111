/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The page of `read`: how many fared how, a line for each connection, and all about those that tell
 * something. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "report/connection_words.h"
#include "report/connections.h"
#include "report/html.h"
#include "report/phrase.h"

/* All about the first ones of any kind, for a small capture is read for its open ones, too, and about
 * the first ones that are not open. A browser scrolls through 3 KB of each without trouble. */
#define WHOLE_ANY_MAX	   20
#define WHOLE_NOT_OPEN_MAX 500
#define ROWS_MAX	   5000 /* lines of the table, 300 bytes each */

struct html_connections {
	FILE *rows; /* of the table */
	struct html articles;
	uint64_t n, n_whole_not_open, n_rows_left_out, n_articles_left_out;
	char day[11]; /* of the latest row */
};

struct html_connections *html_connections_begin(void)
{
	struct html_connections *p = xcalloc(1, sizeof(*p));

	if (html_open_parts(&p->rows, &p->articles))
		return p;
	html_connections_free(p);
	return NULL;
}

void html_connections_free(struct html_connections *p)
{
	if (!p)
		return;
	html_close_parts(p->rows, &p->articles);
	free(p);
}

/* --- one connection -------------------------------------------------------------- */

static void write_row(struct html_connections *p, const struct connection *c, bool whole)
{
	struct html h = {.out = p->rows};
	char start[CLOCK_TEXT_MAX];

	clock_utc_text(c->start_ns, start);
	if (strncmp(start, p->day, 10) != 0) {
		memcpy(p->day, start, 10);
		html(&h, "<tr><th scope=\"rowgroup\" colspan=\"2\">%s, UTC</th></tr>\n",
		     arena_printf(&h.scratch, "%.10s", start));
	}
	html(&h, "<tr><td class=\"num\">%s</td><td><span class=\"state %s\">%s</span> ",
	     arena_printf(&h.scratch, "%.8s", start + 11), html_state_tone(c->state), state_name(c->state));
	const char *who = arena_printf(&h.scratch, "%s > %s", connection_endpoint(&h.scratch, &c->client),
				       connection_endpoint(&h.scratch, &c->server));
	if (whole)
		html(&h, "<a href=\"#c%u\">%s</a>", p->articles.number, who);
	else
		html(&h, "%s", who);
	html(&h, "<br><small><bdi>%s</bdi></small></td></tr>\n", c->summary);
	arena_clear(&h.scratch);
}

static void write_lines(struct html *h, const char *title, const struct group_line *lines, unsigned n)
{
	if (!n)
		return;
	html(h, "<h3>%s</h3>\n<dl class=\"facts\">\n", title);
	for (unsigned i = 0; i < n; i++)
		html(h, "<div><dt>%s</dt><dd><bdi>%s</bdi></dd></div>\n", lines[i].label, lines[i].text);
	html(h, "</dl>\n");
}

static void fact(struct html *h, const char *name, const char *text)
{
	if (text && *text)
		html(h, "<div><dt>%s</dt><dd><bdi>%s</bdi></dd></div>\n", name, text);
}

static void write_citations(struct html *h, const struct finding *f)
{
	if (!f->n_evidence)
		return;
	html(h, "<div><dt>Evidence</dt><dd>");
	for (unsigned i = 0; i < f->n_evidence; i++)
		html(h, "%s<a href=\"#c%u-e%u\">e%u</a>", i ? ", " : "", h->number, f->evidence[i],
		     f->evidence[i]);
	html(h, "</dd></div>\n");
}

static void write_steps(struct html *h, const struct finding *f)
{
	if (!f->n_remedy)
		return;
	html(h, "<h4>What to do</h4>\n<ul class=\"steps\">\n");
	for (unsigned i = 0; i < f->n_remedy; i++) {
		html(h, "<li>");
		if (group_is_command(f->remedy[i]))
			html(h, "<pre class=\"code\"><code>%s</code></pre>", f->remedy[i]);
		else
			html_sentence(h, f->remedy[i]);
		html(h, "</li>\n");
	}
	html(h, "</ul>\n");
}

static void write_finding(struct html *h, const struct connection *c, const struct finding *f)
{
	struct arena *a = &h->scratch;
	bool own_words = f->culprit.kind == CULPRIT_SERVER && f->culprit.code;
	const char *others = connection_candidates(a, f);

	html(h, "<section class=\"finding %s\">\n<h3><span class=\"state %s\">%s</span> %s</h3>\n",
	     html_state_tone(c->state), html_state_tone(c->state), state_name(c->state),
	     phrase_mechanism(f->mechanism));
	if (!same_text(f->summary, c->summary)) /* stands above already */
		html(h, "<p><bdi>%s</bdi></p>\n", f->summary);
	html(h, "<dl class=\"facts\">\n");
	fact(h, "Where", connection_place(f->place));
	if (f->place != PLACE_UNKNOWN)
		fact(h, "How sure", arena_printf(a, "%s%s%s", phrase_confidence(a, f->confidence),
						 *others ? "; otherwise " : "", others));
	else
		fact(h, "Could be", others);
	fact(h, own_words ? "Its words" : "Why", f->culprit.text);
	if (f->direction == DIR_INBOUND)
		fact(h, "Direction", "from the server to the client");
	write_citations(h, f);
	html(h, "</dl>\n");
	write_steps(h, f);
	html(h, "</section>\n");
}

static bool cited(const struct connection *c, unsigned evidence)
{
	for (unsigned i = 0; i < c->n_findings; i++)
		for (unsigned k = 0; k < c->findings[i].n_evidence; k++)
			if (c->findings[i].evidence[k] == evidence)
				return true;
	return false;
}

static void write_evidence(struct html *h, const struct connection *c)
{
	if (!c->n_evidence)
		return;
	html(h, "<h3>Evidence</h3>\n<table class=\"rows evidence\"><thead><tr><th scope=\"col\">No.</th>"
		"<th scope=\"col\">Time</th><th scope=\"col\">What was seen</th></tr></thead><tbody>\n");
	for (unsigned i = 0; i < c->n_evidence; i++) {
		const struct report_evidence *e = &c->evidence[i];
		html(h, "<tr id=\"c%u-e%u\" class=\"%s\"><th scope=\"row\">e%u</th><td class=\"num\">%s</td>"
			"<td><small>%s</small> <bdi>%s</bdi></td></tr>\n",
		     h->number, e->number, cited(c, e->number) ? "cited" : "", e->number,
		     phrase_ms(&h->scratch, e->t_ms), source_name(e->source), e->text);
	}
	html(h, "</tbody></table>\n");
}

static void write_article(struct html *h, const struct connection *c)
{
	struct arena *a = &h->scratch;
	const struct group_line *lines;

	html(h, "<article id=\"c%u\" aria-labelledby=\"c%u-t\">\n<h2 id=\"c%u-t\">%s &gt; %s "
		"<span class=\"state %s\">%s</span></h2>\n<p class=\"lead\"><bdi>%s</bdi></p>\n",
	     h->number, h->number, h->number, connection_endpoint(a, &c->client),
	     connection_endpoint(a, &c->server), html_state_tone(c->state), state_name(c->state), c->summary);
	html(h, "<p class=\"meta\"><bdi>%s</bdi>: seen %s.</p>\n", c->file, connection_seen(a, c));
	for (unsigned i = 0; i < c->n_findings; i++)
		write_finding(h, c, &c->findings[i]);
	unsigned n = connection_smtp(a, c, &lines);
	write_lines(h, "What was said", lines, n);
	write_evidence(h, c);
	n = c->pair ? connection_other_point(a, c->pair, &lines) : 0;
	write_lines(h, "The other capture point", lines, n);
	html(h, "</article>\n");
}

void html_connection(struct html_connections *p, const struct connection *c)
{
	bool open = c->state == STATE_OPEN;
	bool whole = p->n < WHOLE_ANY_MAX || (!open && p->n_whole_not_open < WHOLE_NOT_OPEN_MAX);

	p->n++;
	if (p->n > ROWS_MAX && !whole) {
		p->n_rows_left_out++;
		p->n_articles_left_out += !open;
		return;
	}
	p->n_articles_left_out += !open && !whole;
	p->articles.number++;
	write_row(p, c, whole);
	if (!whole)
		return;
	p->n_whole_not_open += !open;
	write_article(&p->articles, c);
	arena_reset(&p->articles.scratch);
}

/* --- all of them -------------------------------------------------------------------- */

static void write_counts(struct html *h, const struct read_summary *s)
{
	html(h, "<h2>%s</h2>\n<p class=\"meta\">%s.</p>\n<p class=\"counts\">", connection_count(&h->scratch, s),
	     connection_count_of(&h->scratch, s) + 1);
	for (int i = 0; i < STATE_COUNT; i++)
		if (s->states[i])
			html(h, "<span class=\"state %s\">%s %s</span> ", html_state_tone((enum state)i),
			     arena_printf(&h->scratch, "%llu", (unsigned long long)s->states[i]),
			     state_name((enum state)i));
	html(h, "</p>\n");
}

static void write_warnings(struct html *h, const struct read_summary *s)
{
	const char *own[] = {connection_undecodable(&h->scratch, s), connection_evicted(&h->scratch, s),
			     connection_probes(&h->scratch, s)};

	if (!own[0] && !own[1] && !own[2] && !s->n_warnings)
		return;
	html(h, "<h3>Not read, or not whole</h3>\n<ul>\n");
	for (int i = 0; i < 3; i++)
		if (own[i])
			html(h, "<li>%s</li>\n", own[i]);
	for (unsigned i = 0; i < s->n_warnings; i++)
		html(h, "<li><bdi>%s</bdi></li>\n", s->warnings[i]);
	html(h, "</ul>\n");
}

static void write_groups(struct html *h, const struct read_summary *s)
{
	if (s->n_groups < 2 && s->connections < 2)
		return;
	html(h, "<h3 id=\"groups\">What they have in common</h3>\n<div class=\"scroll\" role=\"region\" "
		"aria-labelledby=\"groups\" tabindex=\"0\"><table class=\"rows fates\"><thead><tr><th scope=\"col\">"
		"How many</th><th scope=\"col\">What became of them</th></tr></thead><tbody>\n");
	for (unsigned i = 0; i < s->n_groups; i++) {
		const struct read_group *g = &s->groups[i];
		html(h, "<tr><th scope=\"row\" class=\"num\">%s</th><td><span class=\"state %s\">%s</span>%s"
			"<br><small>%s</small></td></tr>\n",
		     arena_printf(&h->scratch, "%llu", (unsigned long long)g->connections),
		     html_state_tone(g->state), state_name(g->state), connection_fate(&h->scratch, g),
		     connection_servers(&h->scratch, g));
	}
	html(h, "</tbody></table></div>\n");
}

static void write_left_out(struct html *h, uint64_t n, const char *what)
{
	if (n)
		html(h, "<p>%s %s</p>\n", arena_printf(&h->scratch, "%llu", (unsigned long long)n), what);
}

static const char *title(struct arena *a, const struct read_summary *s)
{
	return arena_printf(a, "%s, %llu not open: smtpblame", connection_count(a, s),
			    (unsigned long long)(s->connections - s->states[STATE_OPEN]));
}

int html_connections_finish(struct html_connections *p, const struct read_summary *s, FILE *out)
{
	struct html h = {.out = out};
	int failed = fflush(p->rows) != 0 || fflush(p->articles.out) != 0;

	html_head(&h, title(&h.scratch, s));
	html_top(&h);
	write_counts(&h, s);
	write_warnings(&h, s);
	write_groups(&h, s);
	if (p->n > 0) {
		html(&h, "<h3 id=\"all\">Connections</h3>\n<div class=\"scroll\" role=\"region\" "
			 "aria-labelledby=\"all\" tabindex=\"0\"><table class=\"rows connections\"><thead><tr>"
			 "<th scope=\"col\">Time</th><th scope=\"col\">What became of it</th></tr></thead>"
			 "<tbody>\n");
		failed |= html_append(out, p->rows);
		html(&h, "</tbody></table></div>\n");
	}
	write_left_out(&h, p->n_rows_left_out, "more are counted above, and not listed.");
	write_left_out(&h, p->n_articles_left_out,
		       "that are not open have no more than that on this page (--json tells all).");
	failed |= html_append(out, p->articles.out);
	html_foot(&h);
	arena_clear(&h.scratch);
	return failed || fflush(out) != 0 || ferror(out) ? -1 : 0;
}
