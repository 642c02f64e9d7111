/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The report for a person in trouble: the answer first, then what to do, then
 * the proof. Healthy targets get a line a port.
 */
#include <string.h>

#include "base/clock.h"
#include "report/phrase.h"
#include "report/text_page.h"

#define MIN_WIDTH 40

static bool all_open(const struct report *r)
{
	for (unsigned i = 0; i < r->n_ports; i++)
		if (r->ports[i].state != STATE_OPEN)
			return false;
	return r->n_ports > 0;
}

/* --- title -------------------------------------------------------------- */

static const char *overall(struct page *pg)
{
	const struct report *r = pg->r;
	const char *text = "";

	if (r->summary && *r->summary)
		return r->summary;
	for (unsigned i = 0; i < r->n_ports; i++)
		text = arena_printf(&pg->scratch, "%s%s%u %s", text, i ? ", " : "",
				    r->ports[i].port, state_name(r->ports[i].state));
	return *text ? text : "no port was judged";
}

static void print_title(struct page *pg)
{
	pen_start(&pg->pen, 0, 2);
	pen_text(&pg->pen, STYLE_BOLD, "%s:", phrase_target_and_way(&pg->scratch, pg->r));
	pen_text(&pg->pen, STYLE_PLAIN, " %s", overall(pg));
	pen_end(&pg->pen);
}

/* --- what works, and the proof ------------------------------------------ */

static void print_working(struct page *pg, const struct report_port *p)
{
	struct pen *pen = &pg->pen;
	const struct report_smtp *s = &p->smtp;

	pen_start(pen, 2, 4);
	pen_text(pen, STYLE_PLAIN, "- port ");
	pen_text(pen, STYLE_GREEN, "%u", p->port);
	if (p->service && *p->service)
		pen_text(pen, STYLE_PLAIN, " (%s)", p->service);
	const char *how = phrase_encryption(&pg->scratch, p);
	if (how)
		pen_text(pen, STYLE_PLAIN, ": %s", how);
	if (p->has_smtp && s->n_auth > 0)
		pen_text(pen, STYLE_PLAIN, ", login by %s",
			 phrase_list(&pg->scratch, s->auth, s->n_auth));
	const char *login = phrase_login(&pg->scratch, p);
	if (login)
		pen_text(pen, STYLE_PLAIN, "; %s", login);
	pen_end(pen);
	const char *program = phrase_mail_program(&pg->scratch, pg->r, p);
	if (program)
		pen_paragraph(pen, 4, STYLE_PLAIN, program);
}

static void print_works(struct page *pg)
{
	bool begun = false;

	for (unsigned i = 0; i < pg->r->n_ports; i++) {
		if (pg->r->ports[i].state != STATE_OPEN)
			continue;
		if (!begun)
			page_heading(pg, "What works instead");
		begun = true;
		print_working(pg, &pg->r->ports[i]);
	}
}

static bool evidence_shown(const struct page *pg, unsigned number)
{
	if (pg->opt->verbose || pg->r->inspect)
		return true;
	return phrase_cited(pg->r, number);
}

static void print_evidence_line(struct page *pg, const struct report_evidence *e)
{
	struct pen *pen = &pg->pen;
	bool narrow = pen->width < TEXT_NARROW;
	const char *ms = arena_printf(&pg->scratch, "%.1f", e->t_ms);

	pen_start(pen, 2, 6);
	pen_text(pen, STYLE_PLAIN, "e%u", e->number);
	size_t width = strlen(ms);
	pen_column(pen, 7 + (!narrow && width < 8 ? 8 - (unsigned)width : 0));
	pen_text(pen, STYLE_PLAIN, "%s ms", ms);
	pen_column(pen, narrow ? 0 : 20);
	pen_text(pen, STYLE_PLAIN, "%s", source_name(e->source));
	pen_column(pen, narrow ? 0 : 31);
	if (e->port)
		pen_text(pen, STYLE_PLAIN, "%5u", e->port);
	if (narrow) {
		pen_end(pen);
		pen_start(pen, 6, 6);
	} else {
		pen_column(pen, 38);
	}
	pen_text(pen, STYLE_PLAIN, "%s", e->text ? e->text : "");
	pen_end(pen);
}

static void print_evidence(struct page *pg)
{
	unsigned shown = 0;

	for (unsigned i = 0; i < pg->r->n_evidence; i++) {
		if (!evidence_shown(pg, pg->r->evidence[i].number))
			continue;
		if (shown++ == 0)
			page_heading(pg, "Evidence");
		print_evidence_line(pg, &pg->r->evidence[i]);
	}
	if (shown > 0 && shown < pg->r->n_evidence)
		pen_paragraph(
		    &pg->pen, 2, STYLE_PLAIN,
		    arena_printf(&pg->scratch, "(%u more with -v)", pg->r->n_evidence - shown));
}

static void print_list(struct page *pg, const char *heading, const char *const *texts, unsigned n)
{
	if (n == 0)
		return;
	page_heading(pg, heading);
	for (unsigned i = 0; i < n; i++) {
		pen_start(&pg->pen, 2, 4);
		pen_text(&pg->pen, STYLE_PLAIN, "- %s", texts[i] ? texts[i] : "");
		pen_end(&pg->pen);
	}
}

static void print_controls(struct page *pg)
{
	const char *all = "";

	for (unsigned i = 0; i < pg->r->n_controls; i++)
		all = arena_printf(&pg->scratch, "%s%s%u %s", all, i ? ", port " : "",
				   pg->r->controls[i].port,
				   pg->r->controls[i].outcome ? pg->r->controls[i].outcome : "?");
	if (*all)
		pen_paragraph(&pg->pen, 2, STYLE_PLAIN,
			      arena_printf(&pg->scratch, "For comparison: port %s", all));
}

/* From where and when: a ticket needs it. */
static void print_vantage(struct page *pg)
{
	const struct report_vantage *v = &pg->r->vantage;
	struct pen *pen = &pg->pen;
	char text[ADDR_TEXT_MAX], started[CLOCK_TEXT_MAX];

	pen_start(pen, 2, 4);
	pen_text(pen, STYLE_PLAIN, pg->r->inspect ? "Looked at %.19sZ in %s" : "Checked %.19sZ in %s",
		 clock_utc_text(pg->r->started_ns, started),
		 phrase_ms(&pg->scratch, pg->r->elapsed_ms));
	if (addr_is_set(&v->source))
		pen_text(pen, STYLE_PLAIN, " from %s", addr_text(&v->source, text));
	if (v->interface)
		pen_text(pen, STYLE_PLAIN, " on %s%s", v->interface, v->tunnel ? " (tunnel)" : "");
	if (v->user)
		pen_text(pen, STYLE_PLAIN, " as user %s", v->user);
	if (v->netns)
		pen_text(pen, STYLE_PLAIN, " in network namespace %s", v->netns);
	if (addr_is_set(&v->gateway))
		pen_text(pen, STYLE_PLAIN, ", gateway %s", addr_text(&v->gateway, text));
	if (addr_is_set(&v->gateway) && v->gateway_state)
		pen_text(pen, STYLE_PLAIN, " (%s)", v->gateway_state);
	pen_end(pen);
}

static void print_sessions(struct page *pg)
{
	for (unsigned i = 0; i < pg->r->n_ports; i++) {
		const struct report_port *p = &pg->r->ports[i];
		if (p->state != STATE_OPEN || !p->has_smtp)
			continue;
		page_heading(pg, arena_printf(&pg->scratch, "Port %u: the server's side", p->port));
		text_session(pg, &(struct group){&p, 1});
	}
}

static void print_page(struct page *pg)
{
	bool healthy = all_open(pg->r);

	print_title(pg);
	if (!healthy && pg->r->n_ports > 0)
		pen_blank(&pg->pen);
	text_table(pg);
	if (healthy && !pg->opt->verbose) {
		const char *program = phrase_mail_program_brief(&pg->scratch, pg->r);
		if (program)
			pen_paragraph(&pg->pen, 2, STYLE_PLAIN, program);
		print_list(pg, "Note", pg->r->notes, pg->r->n_notes);
		return;
	}
	pen_blank(&pg->pen);
	print_controls(pg);
	print_vantage(pg);
	text_findings(pg);
	if (!healthy && !pg->r->inspect)
		print_works(pg);
	if (pg->opt->verbose)
		print_sessions(pg);
	text_path(&pg->pen, pg->r);
	print_evidence(pg);
	print_list(pg, "Note", pg->r->notes, pg->r->n_notes);
	print_list(pg, "Not looked at", pg->r->not_looked, pg->r->n_not_looked);
}

/* --- one line a port, for scripts ---------------------------------------- */

static void print_quiet(struct page *pg)
{
	char address[ADDR_TEXT_MAX];
	const char *target = addr_text(&pg->r->target, address);

	/* one field, as ss(8) writes an address on an interface */
	if (pg->r->way)
		target = arena_printf(&pg->scratch, "%s%%%s", target, pg->r->way);
	for (unsigned i = 0; i < pg->r->n_ports; i++) {
		const struct report_port *p = &pg->r->ports[i];
		struct pen *pen = &pg->pen;

		pen_start(pen, 0, 0);
		pen_text(pen, STYLE_PLAIN, "%s %u ", target, p->port);
		pen_text(pen, page_state_style(p->state), "%s", phrase_state(pg->r, p));
		if (p->n_findings > 0) {
			const struct finding *f = &p->findings[0];
			pen_text(pen, STYLE_PLAIN, " %s %s", mechanism_name(f->mechanism),
				 place_name(f->place));
			if (f->place != PLACE_UNKNOWN && f->confidence >= 0)
				pen_text(pen, STYLE_PLAIN, " %.2f", f->confidence);
			else
				pen_text(pen, STYLE_PLAIN, " -");
			pen_text(pen, STYLE_PLAIN, " %s", f->culprit.text ? f->culprit.text : "");
		} else if (phrase_login(&pg->scratch, p)) {
			pen_text(pen, STYLE_PLAIN, " - - - %s", phrase_login(&pg->scratch, p));
		}
		pen_end(pen);
	}
}

int render_text(const struct report *r, const struct text_options *opt, FILE *out)
{
	struct page pg = {.r = r, .opt = opt};

	pg.pen = (struct pen){
	    .out = out,
	    .scratch = &pg.scratch,
	    .colour = opt->colour,
	    .width = opt->width < MIN_WIDTH ? MIN_WIDTH : opt->width,
	};
	if (opt->quiet) {
		pg.pen.width = 1u << 30; /* a line is a record: never wrapped */
		print_quiet(&pg);
	} else {
		print_page(&pg);
	}
	arena_clear(&pg.scratch);
	return fflush(out) != 0 || ferror(out) ? -1 : 0;
}
