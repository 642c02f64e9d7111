/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The path matrix of a report: a row a hop, and what each port drew from it. */
#include "diag/builder.h"

static bool trace_shown(const struct builder *b, unsigned i)
{
	return b->d->tracker.path.trace[i].sent > 0;
}

/* The last TTL that is worth a row: the target's, or the last that anybody answered. */
static unsigned last_row(const struct builder *b)
{
	const struct path *path = &b->d->tracker.path;
	unsigned last = 0;

	for (unsigned i = 0; i < b->d->tracker.plan->n_ports; i++) {
		unsigned hop = path_last_hop(path, &path->trace[i]);
		unsigned end = path_first_arrival(&path->trace[i], &path->target);
		last = hop > last ? hop : last;
		last = end > last ? end : last;
	}
	for (unsigned i = 0; i < b->n_tested; i++)
		if (b->facts[i].placed.to > last)
			last = b->facts[i].placed.to;
	return last;
}

static void fill_hop(struct builder *b, unsigned ttl, const struct path_places *places,
		     struct report_hop *out)
{
	const struct tracker *t = &b->d->tracker;
	struct report_hop_port *ports =
		arena_alloc(&b->r->arena, t->plan->n_ports * sizeof(*ports));

	out->ttl = ttl;
	out->address = path_hop_address(&t->path, ttl);
	out->place = places->place[ttl];
	for (unsigned i = 0; i < t->plan->n_ports; i++) {
		const struct path_cell *c = &t->path.trace[i].cell[ttl];
		if (!trace_shown(b, i))
			continue;
		if (!addr_is_set(&out->address) && (c->syn_ack || c->rst) &&
		    ttl == places->dest_ttl)
			out->address = t->plan->target;
		ports[out->n_ports++] = (struct report_hop_port){
			t->plan->ports[i].port, c->sent, c->time_exceeded, c->syn_ack, c->rst,
			c->unreachable, c->rtt_ns ? (double)c->rtt_ns / 1e6 : TIME_NONE};
	}
	if (addr_is_set(&out->address))
		out->asn = path_asn(&t->path, &out->address, NULL);
	out->ports = ports;
}

/* The facts that tell how far the target is, NULL: none do. */
static const struct port_facts *facts_of_distance(const struct builder *b)
{
	const struct port_facts *last = NULL;

	for (unsigned i = 0; i < b->n_tested; i++)
		if (b->facts[i].dest_ttl && (!last || b->facts[i].ttl_renewed >= last->ttl_renewed))
			last = &b->facts[i];
	return last;
}

void build_path(struct builder *b)
{
	const struct tracker *t = &b->d->tracker;
	unsigned last = t->path.sent ? last_row(b) : 0;
	const struct port_facts *f = facts_of_distance(b);
	struct path_places places;

	/* rows and findings number hops alike: the target's is not the TTL that reaches it where TTLs are renewed */
	path_assign_places(&t->path, f ? f->dest_hop : 0, &b->r->vantage.source,
			   t->has_link && t->link.tunnel, &places);
	struct report_hop *hops = arena_alloc(&b->r->arena, (last + 1) * sizeof(*hops));
	for (unsigned ttl = 1; ttl <= last; ttl++) {
		fill_hop(b, ttl, &places, &hops[ttl - 1]);
		hops[ttl - 1].hidden = f && f->ttl_renewed && ttl >= f->dest_ttl && ttl < f->dest_hop;
	}
	b->r->path = hops;
	b->r->n_path = last;
}
