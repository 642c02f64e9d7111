/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The way: a matrix of hops and ports. What each sign means stands in words, too. */
#include <string.h>

#include "report/html.h"
#include "report/phrase.h"

#define MAX_PORTS 64 /* more are not judged in one run */

struct columns {
	unsigned ports[MAX_PORTS];
	unsigned n;
};

static const struct report_hop_port *replies_of(const struct report_hop *hop, unsigned port)
{
	for (unsigned i = 0; i < hop->n_ports; i++)
		if (hop->ports[i].port == port)
			return &hop->ports[i];
	return NULL;
}

static void add_port(struct columns *c, unsigned port)
{
	for (unsigned i = 0; i < c->n; i++)
		if (c->ports[i] == port)
			return;
	if (c->n < MAX_PORTS)
		c->ports[c->n++] = port;
}

/* Judged ports in their order, then the controls; those that were traced. */
static struct columns columns_of(const struct report *r)
{
	struct columns c = {.n = 0};

	for (unsigned i = 0; i < r->n_ports; i++)
		for (unsigned k = 0; k < r->n_path; k++)
			if (replies_of(&r->path[k], r->ports[i].port))
				add_port(&c, r->ports[i].port);
	for (unsigned k = 0; k < r->n_path; k++)
		for (unsigned i = 0; i < r->path[k].n_ports; i++)
			add_port(&c, r->path[k].ports[i].port);
	return c;
}

/* An open port's own connection got to the target, which needs no probe to show it. */
static bool connected(const struct report *r, const struct report_hop *hop, unsigned port)
{
	for (unsigned i = 0; i < r->n_ports; i++)
		if (r->ports[i].port == port && r->ports[i].state == STATE_OPEN)
			return addr_equal(&hop->address, &r->target);
	return false;
}

static void cell(struct html *h, const struct report_hop *hop, unsigned port)
{
	const struct report_hop_port *p = replies_of(hop, port);
	const char *sign, *words, *class;

	if (!p || !p->sent) {
		bool there = connected(h->r, hop, port);
		sign = there ? "✓" : "–";
		words = there ? "connected" : "not sent";
		class = there ? "yes" : "none";
	} else if (p->rst) {
		sign = p->time_exceeded ? "↩R" : "R";
		words = p->time_exceeded ? "passes on, and is reset" : "reset";
		class = "no";
	} else if (p->syn_ack) {
		sign = "✓";
		words = "connection accepted";
		class = "yes";
	} else if (p->unreachable) {
		sign = "!";
		words = "ICMP unreachable";
		class = "no";
	} else if (p->time_exceeded) {
		sign = "•";
		words = "came this far";
		class = "far";
	} else {
		sign = "×";
		words = "silence";
		class = "silent";
	}
	html(h, "<td class=\"%s\"><span aria-hidden=\"true\">%s</span><span class=\"hidden\">%s</span>",
	     class, sign, words);
	if (p && p->sent > 1) {
		unsigned answers = p->time_exceeded + p->syn_ack + p->rst + p->unreachable;
		html(h, " <small>%u/%u</small>", answers, p->sent);
	}
	html(h, "</td>");
}

static double best_rtt(const struct report_hop *hop)
{
	double best = TIME_NONE;

	for (unsigned i = 0; i < hop->n_ports; i++)
		if (hop->ports[i].rtt_ms >= 0 && (best < 0 || hop->ports[i].rtt_ms < best))
			best = hop->ports[i].rtt_ms;
	return best;
}

static void description(struct html *h, const struct report_hop *hop)
{
	struct report_vantage v = h->r->vantage;
	char text[ADDR_TEXT_MAX];
	double rtt = best_rtt(hop);

	v.gateway = (struct addr){0}; /* its address stands in the line already */
	if (addr_is_set(&hop->address))
		html(h, "<bdi class=\"addr\">%s</bdi>", addr_text(&hop->address, text));
	else
		html(h, "(silent)");
	html(h, " <small>");
	if (hop->place != PLACE_UNKNOWN)
		html(h, "<bdi>%s</bdi>", phrase_place(&h->scratch, &v, hop->place));
	if (hop->name)
		html(h, ", <bdi>%s</bdi>", hop->name);
	if (hop->asn)
		html(h, ", AS%u", (unsigned)hop->asn);
	if (rtt >= 0)
		html(h, ", %s", phrase_ms(&h->scratch, rtt));
	html(h, "</small>");
}

/* Does a finding of this port lie behind hop `ttl`? */
static bool ends_after(const struct report_port *p, unsigned ttl)
{
	for (unsigned i = 0; i < p->n_findings; i++)
		if (p->findings[i].has_hop && p->findings[i].hop_from.ttl == ttl &&
		    p->findings[i].hop_to.ttl > 0)
			return true;
	return false;
}

/* The line that the eye looks for. */
static void end_line(struct html *h, unsigned ttl, unsigned n_columns)
{
	unsigned n = 0;

	for (unsigned i = 0; i < h->r->n_ports; i++) {
		if (!ends_after(&h->r->ports[i], ttl))
			continue;
		if (n++ == 0)
			html(h, "<tr class=\"end\"><th></th><td colspan=\"%u\">here ends", n_columns + 1);
		html(h, "%s port %u", n > 1 ? "," : "", h->r->ports[i].port);
	}
	if (n)
		html(h, "</td></tr>\n");
}

void html_path(struct html *h)
{
	const struct report *r = h->r;
	struct columns c = columns_of(r);

	if (!r->n_path)
		return;
	html(h, "<h3 id=\"r%u-way\">The way, hop by hop</h3>\n<div class=\"scroll\" role=\"region\" "
		"aria-labelledby=\"r%u-way\" tabindex=\"0\"><table class=\"path\"><thead><tr><th "
		"scope=\"col\">Hop</th>",
	     h->number, h->number);
	for (unsigned i = 0; i < c.n; i++)
		html(h, "<th scope=\"col\"><span class=\"hidden\">port </span>%u</th>", c.ports[i]);
	html(h, "<th scope=\"col\">Who</th></tr></thead><tbody>\n");
	end_line(h, 0, c.n);
	for (unsigned i = 0; i < r->n_path; i++) {
		html(h, "<tr><th scope=\"row\">%u</th>", r->path[i].ttl);
		for (unsigned k = 0; k < c.n; k++)
			cell(h, &r->path[i], c.ports[k]);
		html(h, "<td class=\"who\">");
		description(h, &r->path[i]);
		html(h, "</td></tr>\n");
		end_line(h, r->path[i].ttl, c.n);
	}
	html(h, "</tbody></table></div>\n<p class=\"legend\">• came this far (time exceeded); × silence; "
		"✓ connection accepted; R reset; ! ICMP unreachable; – not sent. 2/3: answers to "
		"probes.</p>\n");
}
