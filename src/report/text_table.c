/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of the text report: each port's state, who and where, how sure. */
#include <string.h>

#include "base/text.h"
#include "report/phrase.h"
#include "report/text_page.h"

#define BANNER_LEAST 12 /* columns below which a cut banner says nothing */

struct columns {
	unsigned digits;               /* of the longest port number */
	unsigned service, state, text; /* where they begin; service 0: not shown */
};

static unsigned digits(unsigned n)
{
	unsigned d = 1;

	for (; n >= 10; n /= 10)
		d++;
	return d;
}

static unsigned larger(unsigned a, unsigned b)
{
	return a > b ? a : b;
}

static struct columns measure(const struct page *pg)
{
	unsigned service = 0, state = 0;
	struct columns c = {0};

	for (unsigned i = 0; i < pg->r->n_ports; i++) {
		const struct report_port *p = &pg->r->ports[i];
		c.digits = larger(c.digits, digits(p->port));
		service = larger(service, p->service ? (unsigned)text_width(p->service) : 0);
		state = larger(state, (unsigned)strlen(phrase_state(pg->r, p)));
	}
	c.state = 2 + c.digits + 2;
	if (pg->pen.width >= TEXT_NARROW && service > 0) {
		c.service = c.state;
		c.state += service + 2;
	}
	c.text = c.state + state + 2;
	return c;
}

static const char *cut(struct arena *a, const char *text, size_t columns)
{
	size_t i = 0;

	if (text_width(text) <= columns)
		return text;
	for (size_t seen = 0; text[i]; i++)
		if (((unsigned char)text[i] & 0xc0) != 0x80 && seen++ == columns - 3)
			break;
	return arena_printf(a, "%.*s...", (int)i, text);
}

static const char *encryption_brief(struct page *pg, const struct report_port *p)
{
	const struct report_tls *t = &p->smtp.tls;

	if (!p->has_smtp)
		return NULL;
	if ((!p->smtp.has_tls || !t->version) && !p->smtp.starttls)
		return NULL; /* nobody asked for it */
	if (!p->smtp.has_tls || !t->version)
		return same_text(p->smtp.starttls, "offered") ? "STARTTLS offered" : "no TLS";
	return t->verified ? t->version : arena_printf(&pg->scratch, "%s unverified", t->version);
}

/* One line, whatever the width: all times where they leave room for the banner, else the first. */
static const char *open_line(struct page *pg, const struct report_port *p, unsigned room)
{
	struct arena *a = &pg->scratch;
	const char *tls = encryption_brief(pg, p);
	const char *banner = p->has_smtp ? p->smtp.banner : NULL;
	const char *head =
	    arena_printf(a, "%s%s%s", tls ? tls : "", tls ? ", " : "", phrase_times(&pg->scratch, p));

	if (!banner || !*banner)
		return head;
	if (text_width(head) + 2 + text_width(banner) > room && p->connect_ms >= 0)
		head = arena_printf(a, "%s%s%s", tls ? tls : "", tls ? ", " : "",
				    phrase_ms(a, p->connect_ms));
	size_t used = text_width(head) + 2;
	if (used + BANNER_LEAST > room)
		return head;
	return arena_printf(a, "%s%s%s", head, *head ? ", " : "", cut(a, banner, room - used));
}

static void print_open(struct page *pg, const struct report_port *p, unsigned room)
{
	const char *login = phrase_login_brief(p);

	if (login) {
		pen_text(&pg->pen, p->login.works ? STYLE_GREEN : STYLE_YELLOW, "%s", login);
		pen_text(&pg->pen, STYLE_PLAIN, ", ");
		room -= (unsigned)strlen(login) + 2;
	}
	pen_text(&pg->pen, STYLE_PLAIN, "%s", open_line(pg, p, room));
}

/* "your gateway 10.0.0.1 or your provider": for a place that could not be decided. */
static const char *either(struct page *pg, const struct finding *f)
{
	const char *all = "";

	for (unsigned i = 0; i < f->n_candidates; i++)
		all = arena_printf(
		    &pg->scratch, "%s%s%s", all, i ? " or " : "",
		    phrase_place(&pg->scratch, &pg->r->vantage, f->candidates[i].place));
	if (!*all && f->session.by_size)
		return "large packets get lost";
	return *all ? all : "place not known";
}

static const char *where_brief(struct page *pg, const struct report_port *p,
			       const struct finding *f)
{
	struct arena *a = &pg->scratch;
	const char *who = phrase_culprit_brief(a, &f->culprit);
	const char *hops = phrase_hops(a, f, false);

	if (f->place == PLACE_UNKNOWN)
		return either(pg, f);
	if (pg->r->inspect && p->would == WOULD_MAYBE)
		return arena_printf(a, "only a packet can tell what the %s does",
				    who ? who : "machine");
	if (!who)
		who = hops;
	const struct candidate *second = phrase_second(f);
	if (second)
		return arena_printf(a, "%s (%s) or %s (%s)%s%s", phrase_place(a, &pg->r->vantage, f->place),
				    phrase_percent(a, f->confidence),
				    phrase_place(a, &pg->r->vantage, second->place),
				    phrase_percent(a, second->confidence), who ? ", " : "", who ? who : "");
	return arena_printf(a, "%s%s%s, %s", phrase_place(a, &pg->r->vantage, f->place),
			    who ? ", " : "", who ? who : "", phrase_confidence(a, f->confidence));
}

static void print_row(struct page *pg, const struct report_port *p, const struct columns *c)
{
	struct pen *pen = &pg->pen;

	pen_start(pen, 2 + c->digits - digits(p->port), c->text);
	pen_text(pen, STYLE_PLAIN, "%u", p->port);
	if (c->service) {
		pen_column(pen, c->service);
		pen_text(pen, STYLE_PLAIN, "%s", p->service ? p->service : "");
	}
	pen_column(pen, c->state);
	pen_text(pen, page_state_style(p->state), "%s", phrase_state(pg->r, p));
	pen_column(pen, c->text);
	if (pg->r->inspect && p->n_findings == 0)
		pen_text(pen, STYLE_PLAIN, "%s", p->summary);
	else if (p->state == STATE_OPEN)
		print_open(pg, p, pen->width - c->text);
	for (unsigned i = 0; i < p->n_findings; i++) {
		if (i > 0) {
			pen_end(pen);
			pen_start(pen, c->text, c->text);
		}
		const char *where = where_brief(pg, p, &p->findings[i]);
		if (i > 0 && same_text(where, where_brief(pg, p, &p->findings[i - 1])))
			pen_text(pen, STYLE_PLAIN, "and there: %s", phrase_what(pg->r, p, i));
		else
			pen_text(pen, STYLE_PLAIN, i ? "then %s" : "%s", where);
	}
	pen_end(pen);
}

void text_table(struct page *pg)
{
	struct columns c = measure(pg);

	for (unsigned i = 0; i < pg->r->n_ports; i++)
		print_row(pg, &pg->r->ports[i], &c);
}
