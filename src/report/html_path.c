/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The way: a matrix of hops and ports. What each sign means stands in words, too. */
#include <string.h>

#include "report/html.h"
#include "report/phrase.h"
#include "report/way.h"

/* What a cell shows. */
struct sign {
	const char *sign, *words, *class, *technically; /* the last: more for the legend */
};

enum { SIGN_FAR, SIGN_SILENT, SIGN_YES, SIGN_THERE, SIGN_RESET, SIGN_FORGED, SIGN_UNREACHABLE, SIGN_NONE, N_SIGNS };

static const struct sign all_signs[N_SIGNS] = {
	[SIGN_FAR] = {"•", "came this far", "far", " (time exceeded)"},
	[SIGN_SILENT] = {"×", "silence", "silent", ""},
	[SIGN_YES] = {"✓", "connection accepted", "yes", ""},
	[SIGN_THERE] = {"✓", "connected", "yes", ""}, /* by the port's own connection, without a probe */
	[SIGN_RESET] = {"R", "reset", "no", ""},
	[SIGN_FORGED] = {"↩R", "passes on, and is reset", "no", ""},
	[SIGN_UNREACHABLE] = {"!", "ICMP unreachable", "no", ""},
	[SIGN_NONE] = {"–", "not sent", "none", ""},
};

static const struct sign *sign_of(const struct report *r, const struct report_hop *hop, unsigned port)
{
	const struct report_hop_port *p = way_replies(hop, port);

	if (!p || !p->sent)
		return &all_signs[way_connected(r, hop, port) ? SIGN_THERE : SIGN_NONE];
	if (p->rst)
		return &all_signs[p->time_exceeded ? SIGN_FORGED : SIGN_RESET];
	return &all_signs[p->syn_ack ? SIGN_YES
			  : p->unreachable ? SIGN_UNREACHABLE
			  : p->time_exceeded ? SIGN_FAR : SIGN_SILENT];
}

static bool sign_used(const struct report *r, const struct way_columns *c, const struct sign *sign)
{
	for (unsigned i = 0; i < r->n_path; i++)
		for (unsigned k = 0; k < c->n; k++)
			if (sign_of(r, &r->path[i], c->ports[k]) == sign)
				return true;
	return false;
}

static void cell(struct html *h, const struct report_hop *hop, unsigned port)
{
	const struct report_hop_port *p = way_replies(hop, port);
	const struct sign *s = sign_of(h->r, hop, port);

	html(h, "<td class=\"%s\"><span aria-hidden=\"true\">%s</span><span class=\"hidden\">%s</span>",
	     s->class, s->sign, s->words);
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
	double rtt = best_rtt(hop);

	v.gateway = (struct addr){0}; /* its address stands in the line already */
	if (addr_is_set(&hop->address))
		html(h, "<bdi class=\"addr\">%s</bdi>", way_hop_address(&h->scratch, hop));
	else
		html(h, "%s", way_hop_address(&h->scratch, hop));
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

/* The line that the eye looks for. */
static void end_line(struct html *h, const struct way_columns *c, unsigned ttl)
{
	const char *lines[WAY_MAX_PORTS];
	unsigned n = way_ends(&h->scratch, h->r, c, ttl, lines);

	for (unsigned i = 0; i < n; i++)
		html(h, "<tr class=\"end\"><th></th><td colspan=\"%u\">%s</td></tr>\n", c->n + 1, lines[i]);
}

/* The signs that the table holds, and whose they are. */
static void legend(struct html *h, const struct way_columns *c)
{
	static const char *const of[] = {[WAY_RST] = "R", [WAY_SYN_ACK] = "✓", [WAY_UNREACHABLE] = "!"};
	const char *ports, *there = "", *before = "";
	unsigned signs = way_answers_behind(&h->scratch, h->r, &ports);

	html(h, "</tbody></table></div>\n<p class=\"legend\">");
	for (unsigned i = 0; i < N_SIGNS; i++) {
		/* one sign, told once */
		if (!sign_used(h->r, c, &all_signs[i]) ||
		    (i == SIGN_THERE && sign_used(h->r, c, &all_signs[SIGN_YES])))
			continue;
		html(h, "%s%s %s%s", before, all_signs[i].sign, all_signs[i].words, all_signs[i].technically);
		before = "; ";
	}
	html(h, ". 2/3: answers to probes.");
	for (unsigned sign = WAY_RST; sign <= WAY_UNREACHABLE; sign <<= 1)
		if (signs & sign)
			there = arena_printf(&h->scratch, "%s%s%s", there, *there ? ", " : "", of[sign]);
	if (signs)
		html(h, " Below its line, %s of %s comes from whoever stands at the line, and not from the hop "
			"of that row.",
		     there, ports);
	if (way_hidden_words(h->r))
		html(h, " %s", way_hidden_words(h->r));
	html(h, "</p>\n");
}

void html_path(struct html *h)
{
	const struct report *r = h->r;
	struct way_columns c = way_columns(r);

	if (!r->n_path)
		return;
	html(h, "<h3 id=\"r%u-way\">The way, hop by hop</h3>\n<div class=\"scroll\" role=\"region\" "
		"aria-labelledby=\"r%u-way\" tabindex=\"0\"><table class=\"path\"><thead><tr><th "
		"scope=\"col\">Hop</th>",
	     h->number, h->number);
	for (unsigned i = 0; i < c.n; i++)
		html(h, "<th scope=\"col\"><span class=\"hidden\">port </span>%u</th>", c.ports[i]);
	html(h, "<th scope=\"col\">Who</th></tr></thead><tbody>\n");
	end_line(h, &c, 0);
	for (unsigned i = 0; i < r->n_path; i++) {
		html(h, "<tr><th scope=\"row\">%u</th>", r->path[i].ttl);
		for (unsigned k = 0; k < c.n; k++)
			cell(h, &r->path[i], c.ports[k]);
		html(h, "<td class=\"who\">");
		description(h, &r->path[i]);
		html(h, "</td></tr>\n");
		end_line(h, &c, r->path[i].ttl);
	}
	legend(h, &c);
}
