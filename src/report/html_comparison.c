/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Several reports side by side, as a part of the page. */
#include "base/clock.h"
#include "report/comparison.h"
#include "report/group.h"
#include "report/html.h"
#include "report/phrase.h"

static void vantage(struct html *h, const struct view *v)
{
	char text[ADDR_TEXT_MAX], started[CLOCK_TEXT_MAX];

	html(h, "<th scope=\"row\"><bdi>%s</bdi><br><small>", v->label);
	if (addr_is_set(&v->source))
		html(h, "from <bdi>%s</bdi>, ", addr_text(&v->source, text));
	if (addr_is_set(&v->gateway))
		html(h, "gateway <bdi>%s</bdi>, ", addr_text(&v->gateway, text));
	clock_utc_text(v->started_ns, started);
	started[10] = ' ';
	started[19] = '\0';
	html(h, "%s UTC", started);
	if (*v->from)
		html(h, ", <bdi>%s</bdi>", v->from);
	html(h, "</small></th>");
}

static void cell(struct html *h, const struct view_port *p)
{
	if (!p) {
		html(h, "<td></td>");
		return;
	}
	html(h, "<td><span class=\"state %s\">%s</span>", html_state_tone(p->state),
	     state_name(p->state));
	if (p->n_stops && p->stops[0].place != PLACE_UNKNOWN)
		html(h, "<br><small>%s, %s</small>", comparison_place(p->stops[0].place),
		     phrase_percent(&h->scratch, p->stops[0].confidence));
	html(h, "</td>");
}

static void matrix(struct html *h, const struct comparison *c)
{
	html(h,
	     "<div class=\"scroll\" role=\"region\" aria-label=\"Ports by report\" tabindex=\"0\">"
	     "<table class=\"rows\"><thead><tr><th scope=\"col\">%s</th>",
	     c->ways ? "Way" : "Report");
	for (unsigned i = 0; i < c->n_ports; i++)
		html(h, "<th scope=\"col\">%u</th>", c->ports[i].port);
	html(h, "</tr></thead><tbody>\n");
	for (unsigned v = 0; v < c->n_views; v++) {
		html(h, "<tr>");
		vantage(h, c->views[v]);
		for (unsigned i = 0; i < c->n_ports; i++)
			cell(h, c->ports[i].views[v]);
		html(h, "</tr>\n");
	}
	html(h, "</tbody></table></div>\n");
}

static void conclusion(struct html *h, const struct compared_port *p, unsigned k)
{
	const struct conclusion *c = &p->conclusions[k];
	bool begun = false;

	html(h, "<p>");
	html_sentence(h, comparison_sentences(&h->scratch, p, k));
	html(h, "</p>\n");
	for (unsigned i = 0; i < c->n_next; i++) {
		if (comparison_told(p, k, i))
			continue;
		html(h, begun ? "<li>" : "<ul>\n<li>");
		begun = true;
		if (group_is_command(c->next[i]))
			html(h, "<pre class=\"code\"><code>%s</code></pre>", c->next[i]);
		else
			html_sentence(h, c->next[i]);
		html(h, "</li>\n");
	}
	if (begun)
		html(h, "</ul>\n");
}

void html_write_comparison(struct html *h, const struct comparison *c, unsigned number)
{
	html(h,
	     "<section class=\"over\" aria-labelledby=\"c%u\"><h2 id=\"c%u\">Side by side: "
	     "<bdi>%s</bdi></h2>\n"
	     "<p>%s</p>\n",
	     number, number, comparison_target(&h->scratch, c), c->summary);
	matrix(h, c);
	for (unsigned i = 0; i < c->n_ports; i++) {
		if (comparison_all_open(&c->ports[i]))
			continue; /* the table says so */
		html(h, "<h3>Port %u</h3>\n", c->ports[i].port);
		for (unsigned k = 0; k < c->ports[i].n_conclusions; k++)
			conclusion(h, &c->ports[i], k);
	}
	for (unsigned i = 0; i < c->n_notes; i++)
		html(h, "<p class=\"meta\">%s</p>\n", c->notes[i]);
	html(h, "</section>\n");
}
