/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/text.h"
#include "report/comparison.h"

#define REAL_DIGITS 7

static json_t *text(struct arena *a, const char *s)
{
	return s ? json_string(text_clean(a, s, strlen(s), strlen(s))) : json_null();
}

static json_t *address(const struct addr *a)
{
	char out[ADDR_TEXT_MAX];

	return addr_is_set(a) ? json_string(addr_text(a, out)) : json_null();
}

/* To 0.001; null where there is none. */
static json_t *probability(double p)
{
	return p < 0 ? json_null() : json_real((double)(int)(p * 1000 + 0.5) / 1000);
}

static json_t *view_id(struct arena *a, unsigned i)
{
	return json_string(arena_printf(a, "v%u", i + 1));
}

static json_t *view_object(struct arena *a, const struct view *v, unsigned i)
{
	json_t *o = json_object();
	char started[CLOCK_TEXT_MAX];

	json_object_set_new(o, "id", view_id(a, i));
	json_object_set_new(o, "label", text(a, v->label));
	json_object_set_new(o, "file", *v->from ? text(a, v->from) : json_null());
	json_object_set_new(o, "document", v->number ? json_integer(v->number) : json_null());
	json_object_set_new(o, "hostname", text(a, v->hostname));
	json_object_set_new(o, "interface", text(a, v->interface));
	json_object_set_new(o, "source", address(&v->source));
	json_object_set_new(o, "seen_as", address(&v->seen_as));
	json_object_set_new(o, "gateway", address(&v->gateway));
	json_object_set_new(o, "target", address(&v->target));
	json_object_set_new(o, "started", json_string(clock_utc_text(v->started_ns, started)));
	json_object_set_new(o, "version", text(a, v->version));
	return o;
}

/* What the report itself says of the port. */
static json_t *said_object(struct arena *a, const struct view_port *p, unsigned i)
{
	const struct view_stop *s = p->n_stops ? &p->stops[0] : NULL;
	json_t *o = json_object();

	json_object_set_new(o, "view", view_id(a, i));
	json_object_set_new(o, "state", json_string(state_name(p->state)));
	json_object_set_new(o, "mechanism",
			    s ? json_string(mechanism_name(s->mechanism)) : json_null());
	json_object_set_new(o, "place", s ? json_string(place_name(s->place)) : json_null());
	json_object_set_new(o, "confidence",
			    s && s->place != PLACE_UNKNOWN ? probability(s->confidence)
							   : json_null());
	return o;
}

static json_t *suspect_object(const struct suspect *s)
{
	json_t *o = json_object();

	json_object_set_new(o, "ttl", json_integer(s->ttl));
	json_object_set_new(o, "address", address(&s->address));
	json_object_set_new(o, "asn", s->asn ? json_integer(s->asn) : json_null());
	json_object_set_new(o, "place", json_string(place_name(s->place)));
	return o;
}

static json_t *conclusion_object(struct arena *a, const struct conclusion *c)
{
	json_t *o = json_object(), *views = json_array(), *candidates = json_array();
	json_t *suspects = json_array(), *cleared = json_array(), *next = json_array();

	for (unsigned i = 0; i < c->n_views; i++)
		json_array_append_new(views, view_id(a, c->views[i]));
	for (unsigned i = 0; i < c->n_candidates; i++) {
		json_t *one = json_object();
		json_object_set_new(one, "place", json_string(place_name(c->candidates[i].place)));
		json_object_set_new(one, "confidence", probability(c->candidates[i].confidence));
		json_array_append_new(candidates, one);
	}
	for (unsigned i = 0; i < c->n_suspects; i++)
		json_array_append_new(suspects, suspect_object(&c->suspects[i]));
	for (unsigned i = 0; i < c->n_cleared; i++)
		json_array_append_new(cleared, address(&c->cleared[i]));
	for (unsigned i = 0; i < c->n_next; i++)
		json_array_append_new(next, text(a, c->next[i]));
	json_object_set_new(o, "rule", json_string(c->rule));
	json_object_set_new(o, "views", views);
	json_object_set_new(o, "place", json_string(place_name(c->place)));
	json_object_set_new(o, "confidence", probability(c->confidence));
	json_object_set_new(o, "candidates", candidates);
	json_object_set_new(o, "suspects", suspects);
	json_object_set_new(o, "suspects_from",
			    c->n_suspects ? view_id(a, c->suspects_from) : json_null());
	json_object_set_new(o, "suspects_confidence", probability(c->suspects_confidence));
	json_object_set_new(o, "cleared", cleared);
	json_object_set_new(o, "summary", text(a, c->summary));
	json_object_set_new(o, "next", next);
	return o;
}

static json_t *port_object(struct arena *a, const struct comparison *c,
			   const struct compared_port *p)
{
	json_t *o = json_object(), *views = json_array(), *conclusions = json_array();

	for (unsigned i = 0; i < c->n_views; i++)
		if (p->views[i])
			json_array_append_new(views, said_object(a, p->views[i], i));
	for (unsigned i = 0; i < p->n_conclusions; i++)
		json_array_append_new(conclusions, conclusion_object(a, &p->conclusions[i]));
	json_object_set_new(o, "port", json_integer(p->port));
	json_object_set_new(o, "agreement", json_string(agreement_name(p->agreement)));
	json_object_set_new(o, "views", views);
	json_object_set_new(o, "conclusions", conclusions);
	return o;
}

int comparison_json(const struct comparison *c, FILE *out)
{
	struct arena a = {0};
	json_t *root = json_object(), *tool = json_object(), *target = json_object();
	json_t *views = json_array(), *ports = json_array(), *notes = json_array();

	for (unsigned i = 0; i < c->n_views; i++)
		json_array_append_new(views, view_object(&a, c->views[i], i));
	for (unsigned i = 0; i < c->n_ports; i++)
		json_array_append_new(ports, port_object(&a, c, &c->ports[i]));
	for (unsigned i = 0; i < c->n_notes; i++)
		json_array_append_new(notes, text(&a, c->notes[i]));
	json_object_set_new(tool, "name", json_string("smtpblame"));
	json_object_set_new(tool, "version", text(&a, c->tool_version));
	json_object_set_new(target, "input", text(&a, c->input));
	json_object_set_new(target, "name", text(&a, c->name));
	json_object_set_new(target, "address", address(&c->target));
	json_object_set_new(root, "schema", json_string("smtpblame.comparison/1"));
	json_object_set_new(root, "tool", tool);
	json_object_set_new(root, "target", target);
	json_object_set_new(root, "by", json_string(c->ways ? "ways" : "reports"));
	json_object_set_new(root, "views", views);
	json_object_set_new(root, "ports", ports);
	json_object_set_new(root, "notes", notes);
	json_object_set_new(root, "summary", text(&a, c->summary));
	int failed =
		json_dumpf(root, out,
			   JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(REAL_DIGITS)) ||
		fputc('\n', out) == EOF || fflush(out) != 0;
	json_decref(root);
	arena_clear(&a);
	return failed ? -1 : 0;
}
