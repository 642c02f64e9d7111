/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One report of the page: the verdict first, then what to do, then the proof. */
#include <string.h>

#include "base/clock.h"
#include "report/html.h"
#include "report/phrase.h"
#include "report/ticket.h"

static void heading(struct html *h, const char *id, const char *text)
{
	html(h, "<h3 id=\"r%u-%s\">%s</h3>\n", h->number, id, text);
}

/* --- head -------------------------------------------------------------------- */

/* From where and when: without it a report proves nothing. */
static void vantage(struct html *h)
{
	const struct report *r = h->r;
	const struct report_vantage *v = &r->vantage;
	char text[ADDR_TEXT_MAX], started[CLOCK_TEXT_MAX];

	clock_utc_text(r->started_ns, started);
	html(h, "<p class=\"meta\">%s <time datetime=\"%s\">", r->inspect ? "Looked at" : "Checked",
	     started);
	started[10] = ' ';
	started[19] = '\0';
	html(h, "%s UTC</time> in %s", started, phrase_ms(&h->scratch, r->elapsed_ms));
	if (addr_is_set(&v->source))
		html(h, " from <bdi>%s</bdi>", addr_text(&v->source, text));
	if (v->interface)
		html(h, " on <bdi>%s</bdi>%s", v->interface, v->tunnel ? " (a tunnel)" : "");
	if (v->user)
		html(h, " as user <bdi>%s</bdi>", v->user);
	if (v->netns)
		html(h, " in network namespace <bdi>%s</bdi>", v->netns);
	if (addr_is_set(&v->gateway))
		html(h, ", gateway <bdi>%s</bdi>", addr_text(&v->gateway, text));
	if (addr_is_set(&v->gateway) && v->gateway_state)
		html(h, " (%s)", v->gateway_state);
	if (addr_is_set(&v->seen_as) && !addr_equal(&v->seen_as, &v->source))
		html(h, ". The server sees us as <bdi>%s</bdi>", addr_text(&v->seen_as, text));
	html(h, ".");
	for (unsigned i = 0; i < r->n_controls; i++)
		html(h, "%s %u %s%s", i ? "," : " For comparison: port", r->controls[i].port,
		     r->controls[i].outcome ? r->controls[i].outcome : "?",
		     i + 1 == r->n_controls ? "." : "");
	html(h, "</p>\n");
}

/* --- the verdict: a line of places for each port ------------------------------- */

static const char *const place_heads[PLACE_UNKNOWN] = {
	[PLACE_HOST] = "this machine",
	[PLACE_GATEWAY] = "gateway",
	[PLACE_ISP] = "provider",
	[PLACE_TRANSIT] = "transit",
	[PLACE_DESTINATION_NETWORK] = "destination's network",
	[PLACE_DESTINATION] = "destination",
};

/* The largest confidence with which any finding lies here; 0 none. */
static double weight(const struct report_port *p, int place)
{
	double most = 0;

	for (unsigned i = 0; i < p->n_findings; i++) {
		const struct finding *f = &p->findings[i];
		for (unsigned k = 0; k < f->n_candidates; k++)
			if ((int)f->candidates[k].place == place && f->candidates[k].confidence > most)
				most = f->candidates[k].confidence;
	}
	return most;
}

static void places(struct html *h, const struct report_port *p)
{
	bool open = strcmp(html_tone(h->r, p), "good") == 0;
	/* without a packet nothing is known of what lies beyond this machine */
	int last = !open ? -1 : h->r->inspect ? PLACE_HOST : PLACE_DESTINATION;

	for (int i = 0; i < PLACE_UNKNOWN; i++)
		if (weight(p, i) > 0)
			last = i;
	if (last < 0) {
		html(h, "<td class=\"nowhere\" colspan=\"%u\">%s</td>", (unsigned)PLACE_UNKNOWN,
		     p->state == STATE_INCONCLUSIVE ? "the facts do not decide"
						    : "place not known");
		return;
	}
	for (int i = 0; i < PLACE_UNKNOWN; i++) {
		double w = weight(p, i);
		if (w > 0)
			html(h, "<td class=\"hit %s\"><span class=\"hidden\">here: </span>%s</td>",
			     w >= 0.5 ? "strong" : "weak", phrase_percent(&h->scratch, w));
		else if (open && i == last)
			html(h, "<td class=\"arrived\"><span class=\"hidden\">gets through</span>"
				"<span aria-hidden=\"true\">&#10003;</span></td>");
		else
			html(h, "<td class=\"%s\"></td>", i < last ? "passed" : "beyond");
	}
}

static void verdict(struct html *h)
{
	html(h, "<table class=\"verdict\"><caption class=\"hidden\">Each port: its state, and how "
		"likely each place is to be the one that stops it</caption><thead><tr><th "
		"scope=\"col\">Port</th><th scope=\"col\">State</th>");
	for (int i = 0; i < PLACE_UNKNOWN; i++)
		html(h, "<th scope=\"col\" class=\"place\"><span>%s</span></th>", place_heads[i]);
	html(h, "</tr></thead><tbody>\n");
	for (unsigned i = 0; i < h->r->n_ports; i++) {
		const struct report_port *p = &h->r->ports[i];
		const char *tone = html_tone(h->r, p), *login = phrase_login_brief(p);
		html(h, "<tr><th scope=\"row\">%u <small>%s</small></th><td>", p->port, p->service);
		if (p->n_findings)
			html(h, "<a class=\"state %s\" href=\"#r%u-p%u\">%s</a></td>", tone, h->number,
			     p->port, phrase_state(h->r, p));
		else
			html(h, login ? "<span class=\"state %s\">%s</span> <small>%s</small></td>"
				      : "<span class=\"state %s\">%s</span></td>", tone, phrase_state(h->r, p), login);
		places(h, p);
		html(h, "</tr>\n");
	}
	html(h, "</tbody></table>\n");
}

static void contents(struct html *h, bool findings, unsigned tickets)
{
	const struct report *r = h->r;
	const struct {
		const char *id, *text;
		bool there;
	} parts[] = {
		{"do", "What to do", findings},
		{"way", "The way", r->n_path > 0},
		{"packets", "Packets", r->n_packets > 0},
		{"evidence", "Evidence", r->n_evidence > 0},
		{"ticket", "Ticket", tickets > 0},
	};

	html(h, "<nav aria-label=\"Parts of this report\"><ul>");
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (parts[i].there)
			html(h, "<li><a href=\"#r%u-%s\">%s</a></li>", h->number, parts[i].id,
			     parts[i].text);
	html(h, "</ul></nav>\n");
}

/* --- what works ------------------------------------------------------------------ */

static void works(struct html *h)
{
	const struct report *r = h->r;
	bool begun = false;

	for (unsigned i = 0; i < r->n_ports; i++) {
		const struct report_port *p = &r->ports[i];
		if (p->state != STATE_OPEN)
			continue;
		if (!begun) {
			heading(h, "works", "What works instead");
			html(h, "<ul>");
		}
		begun = true;
		const char *how = phrase_encryption(&h->scratch, p);
		const char *program = phrase_mail_program(&h->scratch, r, p);
		html(h, "<li>Port %u <small>%s</small>", p->port, p->service);
		if (how)
			html(h, ": <bdi>%s</bdi>", how);
		if (p->has_smtp && p->smtp.n_auth)
			html(h, ", login by <bdi>%s</bdi>",
			     phrase_list(&h->scratch, p->smtp.auth, p->smtp.n_auth));
		if (phrase_login(&h->scratch, p))
			html(h, "; <bdi>%s</bdi>", phrase_login(&h->scratch, p));
		if (program)
			html(h, "<br><bdi>%s</bdi>", program);
		html(h, "</li>\n");
	}
	if (begun)
		html(h, "</ul>\n");
}

/* --- evidence --------------------------------------------------------------------- */

unsigned html_packet_of(const struct report *r, unsigned evidence)
{
	for (unsigned i = 0; i < r->n_packets; i++)
		if (evidence && r->packets[i].evidence == evidence)
			return i + 1;
	return 0;
}

/* The ports whose findings rest on it, each a link. */
static void used_by(struct html *h, unsigned evidence)
{
	for (unsigned i = 0; i < h->r->n_ports; i++) {
		const struct report_port *p = &h->r->ports[i];
		bool cites = false;
		for (unsigned k = 0; k < p->n_findings; k++)
			for (unsigned m = 0; m < p->findings[k].n_evidence; m++)
				cites |= p->findings[k].evidence[m] == evidence;
		if (cites)
			html(h, " <a href=\"#r%u-p%u\">finding %u</a>", h->number, p->port, p->port);
	}
}

static void evidence(struct html *h)
{
	const struct report *r = h->r;

	if (!r->n_evidence)
		return;
	heading(h, "evidence", "Evidence");
	html(h, "<table class=\"rows evidence\"><thead><tr><th scope=\"col\">No.</th><th scope=\"col\">"
		"Time</th><th scope=\"col\">What was seen</th></tr></thead><tbody>\n");
	for (unsigned i = 0; i < r->n_evidence; i++) {
		const struct report_evidence *e = &r->evidence[i];
		unsigned packet = html_packet_of(r, e->number);
		html(h, "<tr id=\"r%u-e%u\" class=\"%s\"><th scope=\"row\">e%u</th><td class=\"num\">%s</td><td><small>%s",
		     h->number, e->number, phrase_cited(r, e->number) ? "cited" : "", e->number,
		     phrase_ms(&h->scratch, e->t_ms), source_name(e->source));
		if (e->port)
			html(h, ", port %u", e->port);
		html(h, "</small> <bdi>%s</bdi>", e->text);
		if (packet)
			html(h, " <a href=\"#r%u-k%u\">packet</a>", h->number, packet);
		used_by(h, e->number);
		html(h, "</td></tr>\n");
	}
	html(h, "</tbody></table>\n");
}

/* --- the server's side -------------------------------------------------------------- */

static void sessions(struct html *h)
{
	const struct report *r = h->r;
	bool begun = false;

	for (unsigned i = 0; i < r->n_ports; i++) {
		const struct report_port *p = &r->ports[i];
		const struct group_line *lines;
		if (!p->has_smtp)
			continue;
		if (!begun)
			heading(h, "server", "What the server said");
		begun = true;
		unsigned n = group_session(&h->scratch, &(struct group){&p, 1}, true, &lines);
		html(h, "<details><summary>Port %u <small>%s</small></summary><dl class=\"facts\">\n",
		     p->port, p->service);
		for (unsigned k = 0; k < n; k++)
			html(h, "<div><dt>%s</dt><dd><bdi>%s</bdi></dd></div>\n", lines[k].label,
			     lines[k].text);
		html(h, "</dl></details>\n");
	}
}

/* --- ticket and notes ---------------------------------------------------------------- */

static void tickets(struct html *h, const struct ticket *list, unsigned n)
{
	const char *const *remarks;
	unsigned n_remarks = ticket_remarks(&h->scratch, h->r, &remarks);

	if (!n)
		return;
	heading(h, "ticket", "Text for the ticket");
	for (unsigned i = 0; i < n_remarks; i++)
		html(h, "<p>%s</p>\n", remarks[i]);
	for (unsigned i = 0; i < n; i++) {
		html(h, "<h4>For %s: %s</h4>\n<pre class=\"ticket\" tabindex=\"0\">", list[i].desk,
		     list[i].about);
		html_lines(h, list[i].text);
		html(h, "</pre>\n");
	}
}

static void list(struct html *h, const char *id, const char *title, const char *const *texts,
		 unsigned n)
{
	if (!n)
		return;
	heading(h, id, title);
	html(h, "<ul>");
	for (unsigned i = 0; i < n; i++)
		html(h, "<li><bdi>%s</bdi></li>\n", texts[i]);
	html(h, "</ul>\n");
}

void html_report(struct html *h)
{
	const struct report *r = h->r;
	const struct group *groups;
	const struct ticket *texts;
	bool findings = group_all(&h->scratch, r, &groups) > 0;
	unsigned n_tickets = ticket_all(&h->scratch, r, &texts);

	html(h, "<article id=\"r%u\" aria-labelledby=\"r%u-t\">\n<header><h2 id=\"r%u-t\"><bdi>%s</bdi>"
		"</h2>\n<p class=\"lead\"><bdi>%s</bdi></p>\n",
	     h->number, h->number, h->number, phrase_target_and_way(&h->scratch, r), r->summary);
	if (r->n_ports)
		verdict(h);
	vantage(h);
	contents(h, findings, n_tickets);
	html(h, "</header>\n");
	html_findings(h);
	if (findings && !r->inspect)
		works(h);
	html_path(h);
	html_packets(h);
	evidence(h);
	sessions(h);
	tickets(h, texts, n_tickets);
	list(h, "notes", "Notes", r->notes, r->n_notes);
	list(h, "unseen", "Not looked at", r->not_looked, r->n_not_looked);
	html(h, "</article>\n");
}
