/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The packet ladders: for each port a table in the order of time, and in each
 * row an arrow between the lanes of this host, the hops and the target. The
 * arrows are drawn in percent of the row, so that text beside them may wrap.
 */
#include <string.h>

#include "report/html.h"
#include "report/phrase.h"

#define FIRST_X	 4.0 /* percent of the width: room for half of an arrowhead */
#define LAST_X	 96.0
#define LABEL_GAP 9.0 /* between the numbers of two lanes */
#define PAUSE_MS 100.0 /* longer silence is shown as such */

struct ladder {
	struct html *h;
	unsigned port;
	unsigned n_lanes; /* this host, the hops, the target */
	double last_ms;
};

static unsigned count_lanes(const struct report *r)
{
	unsigned n = 0;

	while (n < r->n_path && !addr_equal(&r->path[n].address, &r->target))
		n++;
	return n + 2;
}

static double x_of(const struct ladder *l, unsigned lane)
{
	if (lane == LANE_UNKNOWN)
		return (FIRST_X + LAST_X) / 2;
	if (lane >= l->n_lanes)
		lane = l->n_lanes - 1;
	return FIRST_X + (LAST_X - FIRST_X) * lane / (l->n_lanes - 1);
}

static const char *percent(const struct ladder *l, double x)
{
	return arena_printf(&l->h->scratch, "%.1f%%", x);
}

static const char *lane_x(const struct ladder *l, unsigned lane)
{
	return percent(l, x_of(l, lane));
}

/* Between which lanes the port is stopped, by the findings. */
static void bands(const struct ladder *l)
{
	const struct report *r = l->h->r;

	for (unsigned i = 0; i < r->n_ports; i++) {
		const struct report_port *p = &r->ports[i];
		for (unsigned k = 0; p->port == l->port && k < p->n_findings; k++) {
			const struct finding *f = &p->findings[k];
			if (!f->has_hop)
				continue;
			double from = x_of(l, f->hop_from.ttl), to = x_of(l, f->hop_to.ttl);
			if (to - from < 3) {
				from -= 1.5;
				to += 1.5;
			}
			html(l->h, "<rect class=\"band\" x=\"%s\" y=\"0\" width=\"%s\" height=\"100%%\"/>",
			     percent(l, from), percent(l, to - from));
		}
	}
}

/* The head of the table, which defines what every row repeats. */
static void head(const struct ladder *l)
{
	struct html *h = l->h;
	double last = FIRST_X + LABEL_GAP;

	html(h, "<thead><tr><th scope=\"col\">Time</th><th class=\"lanes\"><svg aria-hidden=\"true\" "
		"focusable=\"false\"><defs><g id=\"r%u-l%u\">",
	     h->number, l->port);
	bands(l);
	for (unsigned i = 0; i < l->n_lanes; i++) {
		bool end = i == 0 || i + 1 == l->n_lanes;
		html(h, "<line class=\"lane%s\" x1=\"%s\" y1=\"0\" x2=\"%s\" y2=\"100%%\"/>",
		     end ? " end" : "", lane_x(l, i), lane_x(l, i));
	}
	html(h, "</g></defs><text x=\"1%%\" y=\"1.1em\">us</text>");
	for (unsigned i = 1; i + 1 < l->n_lanes; i++) {
		if (x_of(l, i) < last || x_of(l, i) > LAST_X - 2.2 * LABEL_GAP)
			continue;
		html(h, "<text class=\"mid\" x=\"%s\" y=\"1.1em\">%u</text>", lane_x(l, i), i);
		last = x_of(l, i) + LABEL_GAP;
	}
	html(h, "<text class=\"right\" x=\"99%%\" y=\"1.1em\">server</text></svg><span class=\"hidden\">"
		"From where to where</span></th><th scope=\"col\">Packet</th></tr></thead><tbody>\n");
}

static void pause_row(struct ladder *l, double t_ms)
{
	double gap = t_ms - l->last_ms;

	if (gap >= PAUSE_MS)
		html(l->h, "<tr class=\"pause\"><td></td><td class=\"lanes\"><svg aria-hidden=\"true\" "
			   "focusable=\"false\"><use href=\"#r%u-l%u\"/></svg></td><td>%s pass</td></tr>\n",
		     l->h->number, l->port, phrase_ms(&l->h->scratch, gap));
	l->last_ms = t_ms > l->last_ms ? t_ms : l->last_ms;
}

static void begin_row(const struct ladder *l, double t_ms)
{
	html(l->h, "<td class=\"num\">%s</td><td class=\"lanes\"><svg aria-hidden=\"true\" "
		   "focusable=\"false\"><use href=\"#r%u-l%u\"/>",
	     arena_printf(&l->h->scratch, "%.1f", t_ms), l->h->number, l->port);
}

static const char *arrow_class(const struct report_packet *p)
{
	if (p->unanswered)
		return "lost";
	if (!p->inbound)
		return "out";
	return strcmp(p->label, "SYN-ACK") == 0 || strstr(p->label, "bytes")
		       ? "good"
		       : strcmp(p->label, "RST") == 0 ? "bad" : "in";
}

/* What the arrow shows, for whoever hears the page. */
static const char *direction(const struct ladder *l, const struct report_packet *p)
{
	const char *way = p->inbound ? "from" : "to";

	if (p->lane == 0)
		return "on this host";
	if (p->lane == LANE_UNKNOWN)
		return p->inbound ? "from somewhere on the way" : "to somewhere on the way";
	if (p->lane + 1 >= l->n_lanes)
		return arena_printf(&l->h->scratch, "%s the server", way);
	return arena_printf(&l->h->scratch, "%s hop %u", way, p->lane);
}

static void evidence_link(struct html *h, unsigned number)
{
	html(h, " <a href=\"#r%u-e%u\">e%u</a>", h->number, number, number);
}

static void packet_row(struct ladder *l, unsigned index)
{
	const struct report_packet *p = &l->h->r->packets[index];
	const char *far = lane_x(l, p->lane), *near = lane_x(l, 0), *class = arrow_class(p);
	struct html *h = l->h;

	pause_row(l, p->t_ms);
	html(h, "<tr id=\"r%u-k%u\" class=\"%s\">", h->number, index + 1, p->evidence ? "cited" : "");
	begin_row(l, p->t_ms);
	if (p->lane == 0)
		html(h, "<circle class=\"%s\" cx=\"%s\" cy=\"50%%\" r=\"4\"/>", class, near);
	else
		html(h, "<line class=\"%s\" x1=\"%s\" y1=\"50%%\" x2=\"%s\" y2=\"50%%\" "
			"marker-end=\"url(#%s)\"/>",
		     class, p->inbound ? far : near, p->inbound ? near : far, class);
	html(h, "</svg></td><td><b>%s</b> %s", p->label, direction(l, p));
	if (p->unanswered)
		html(h, " <span class=\"lost\">no answer</span>");
	html(h, " <small class=\"wire\"><bdi>%s</bdi></small>", p->text);
	if (p->evidence)
		evidence_link(h, p->evidence);
	html(h, "</td></tr>\n");
}

/* What this host knew at that time, between the packets. */
static void note_row(struct ladder *l, const struct report_evidence *e)
{
	pause_row(l, e->t_ms);
	html(l->h, "<tr class=\"note\">");
	begin_row(l, e->t_ms);
	html(l->h, "<circle class=\"own\" cx=\"%s\" cy=\"50%%\" r=\"3\"/></svg></td><td><small>%s</small> "
		   "<bdi>%s</bdi>",
	     lane_x(l, 0), source_name(e->source), e->text);
	evidence_link(l->h, e->number);
	html(l->h, "</td></tr>\n");
}

static bool is_note(const struct ladder *l, const struct report_evidence *e)
{
	return e->port == l->port && !html_packet_of(l->h->r, e->number);
}

static void rows(struct ladder *l)
{
	const struct report *r = l->h->r;
	unsigned k = 0;

	for (unsigned i = 0; i < r->n_packets; i++) {
		if (r->packets[i].port != l->port)
			continue;
		for (; k < r->n_evidence && r->evidence[k].t_ms <= r->packets[i].t_ms; k++)
			if (is_note(l, &r->evidence[k]))
				note_row(l, &r->evidence[k]);
		packet_row(l, i);
	}
	for (; k < r->n_evidence; k++)
		if (is_note(l, &r->evidence[k]))
			note_row(l, &r->evidence[k]);
}

static void ladder(struct html *h, unsigned port, bool unfold)
{
	struct ladder l = {.h = h, .port = port, .n_lanes = count_lanes(h->r), .last_ms = 0};
	unsigned n = 0;

	for (unsigned i = 0; i < h->r->n_packets; i++) {
		if (h->r->packets[i].port == port && n++ == 0)
			l.last_ms = h->r->packets[i].t_ms;
	}
	if (!n)
		return;
	html(h, "<details%s><summary>Port %u: %u packets</summary><table class=\"ladder\">",
	     unfold ? " open" : "", port, n);
	head(&l);
	rows(&l);
	html(h, "</tbody></table></details>\n");
}

void html_packets(struct html *h)
{
	const struct report *r = h->r;

	if (!r->n_packets)
		return;
	html(h, "<h3 id=\"r%u-packets\">Packets in time</h3>\n<p>Milliseconds since the check began; lanes "
		"are this host (us), the hops by number, and the server. A SYN with a small TTL is drawn "
		"as far as that TTL reaches, every answer from where it came, or says it came. Red: "
		"where the port is stopped. Dotted: sent, and never answered.</p>\n",
	     h->number);
	for (unsigned i = 0; i < r->n_ports; i++)
		ladder(h, r->ports[i].port, strcmp(html_tone(r, &r->ports[i]), "good") != 0);
	for (unsigned i = 0; i < r->n_controls; i++)
		ladder(h, r->controls[i].port, false);
	if (r->packets_left_out)
		html(h, "<p>%u further packets are not shown.</p>\n", r->packets_left_out);
}
