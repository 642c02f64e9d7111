/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/comparison.h"

#include <stdlib.h>

void views_clear(struct views *v)
{
	free(v->list);
	arena_clear(&v->arena);
	*v = (struct views){.ways = v->ways};
}

static struct view_stop stop_of(struct arena *a, const struct finding *f)
{
	struct view_stop s = {
		.mechanism = f->mechanism,
		.place = f->place,
		.confidence = f->confidence,
		.n_candidates = f->n_candidates,
		.has_hop = f->has_hop,
		.hop_from = f->hop_from,
		.hop_to = f->hop_to,
		.who = f->culprit.text ? arena_strdup(a, f->culprit.text) : "",
	};

	for (unsigned i = 0; i < f->n_candidates; i++)
		s.candidates[i] = f->candidates[i];
	return s;
}

static const struct view_port *ports_of(struct arena *a, const struct report *r, unsigned n)
{
	struct view_port *ports = arena_alloc(a, (n + 1) * sizeof(*ports));

	for (unsigned i = 0; i < n; i++) {
		const struct report_port *p = &r->ports[i];
		unsigned n_stops = p->n_findings < VIEW_MAX_STOPS ? p->n_findings : VIEW_MAX_STOPS;
		struct view_stop *stops = arena_alloc(a, (n_stops + 1) * sizeof(*stops));
		for (unsigned k = 0; k < n_stops; k++)
			stops[k] = stop_of(a, &p->findings[k]);
		ports[i] = (struct view_port){p->port, p->state, stops, n_stops};
	}
	return ports;
}

static const struct view_hop *path_of(struct arena *a, const struct report *r, unsigned n)
{
	struct view_hop *path = arena_alloc(a, (n + 1) * sizeof(*path));

	for (unsigned i = 0; i < n; i++)
		path[i] = (struct view_hop){r->path[i].ttl, r->path[i].address, r->path[i].asn,
					    r->path[i].place};
	return path;
}

void views_add(struct views *v, const struct report *r, const char *from, unsigned number)
{
	const struct report_vantage *w = &r->vantage;
	struct arena *a = &v->arena;
	unsigned n_ports = r->n_ports < VIEW_MAX_PORTS ? r->n_ports : VIEW_MAX_PORTS;
	unsigned n_path = r->n_path < VIEW_MAX_HOPS ? r->n_path : VIEW_MAX_HOPS;

	v->list = array_grow(v->list, v->n, &v->size, sizeof(*v->list));
	v->list[v->n++] = (struct view){
		.from = from ? arena_strdup(a, from) : "",
		.number = number,
		.label = "",
		.input = r->target_input ? arena_strdup(a, r->target_input) : "",
		.name = arena_strdup(a, r->target_name),
		.target = r->target,
		.hostname = arena_strdup(a, w->hostname),
		.interface = arena_strdup(a, w->interface),
		.user = arena_strdup(a, w->user),
		.netns = arena_strdup(a, w->netns),
		.version = arena_strdup(a, r->tool_version),
		.source = w->source,
		.gateway = w->gateway,
		.seen_as = w->seen_as,
		.tunnel = w->tunnel,
		.started_ns = r->started_ns,
		.ticket_command = arena_strdup(a, r->ticket_command),
		.ports = ports_of(a, r, n_ports),
		.n_ports = n_ports,
		.path = path_of(a, r, n_path),
		.n_path = n_path,
	};
}

const char *agreement_name(enum agreement a)
{
	static const char *const names[AGREE_COUNT] = {"same", "differs", "undecided"};

	return names[a];
}

void comparison_free(struct comparison *c)
{
	if (!c)
		return;
	arena_clear(&c->arena);
	free(c);
}
