/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/tally.h"

#include <stdlib.h>

static struct read_group *group_of(struct read_summary *s, const struct connection *c)
{
	bool open = c->n_findings == 0;
	enum mechanism mechanism = open ? MECH_UNKNOWN : c->findings[0].mechanism;
	enum place place = open ? PLACE_UNKNOWN : c->findings[0].place;

	for (unsigned i = 0; i < s->n_groups; i++) {
		struct read_group *g = &s->groups[i];
		if (g->state == c->state && g->mechanism == mechanism && g->place == place)
			return g;
	}
	if (s->n_groups == READ_GROUPS_MAX) /* more kinds of fate than the rule table knows */
		return &s->groups[READ_GROUPS_MAX - 1];
	s->groups[s->n_groups] = (struct read_group){.state = c->state, .mechanism = mechanism, .place = place};
	return &s->groups[s->n_groups++];
}

/* The first of those that have the fewest connections. Counts only grow: it lies behind the one before. */
static unsigned smallest(struct read_group *g)
{
	while (g->first_least < g->n_servers && g->servers[g->first_least].connections > g->least)
		g->first_least++;
	if (g->first_least < g->n_servers)
		return g->first_least;
	g->first_least = 0;
	for (unsigned i = 1; i < g->n_servers; i++)
		if (g->servers[i].connections < g->servers[g->first_least].connections)
			g->first_least = i;
	g->least = g->servers[g->first_least].connections;
	return g->first_least;
}

/* The most frequent ones in little space (Metwally, Agrawal, El Abbadi, ICDT 2005): who comes new takes
 * over the smallest count. So a count may be too large, by that of the smallest at most. */
static void count_server(struct read_group *g, const struct connection_side *server)
{
	unsigned i = 0;

	while (i < g->n_servers && !(addr_equal(&g->servers[i].address, &server->address) &&
				     g->servers[i].port == server->port))
		i++;
	if (i == READ_GROUP_SERVERS)
		i = smallest(g);
	else if (i == g->n_servers)
		g->n_servers++;
	g->servers[i].address = server->address;
	g->servers[i].port = server->port;
	g->servers[i].connections++;
}

void tally_add(struct read_summary *s, const struct connection *c)
{
	struct read_group *g = group_of(s, c);

	s->states[c->state]++;
	g->connections++;
	count_server(g, &c->server);
}

static int more_servers(const void *a, const void *b)
{
	const __typeof__(((struct read_group *)0)->servers[0]) *x = a, *y = b;

	return (x->connections < y->connections) - (x->connections > y->connections);
}

static int more_connections(const void *a, const void *b)
{
	const struct read_group *x = a, *y = b;

	if (x->connections != y->connections)
		return x->connections < y->connections ? 1 : -1;
	return (int)x->state - (int)y->state;
}

void tally_finish(struct read_summary *s)
{
	for (unsigned i = 0; i < s->n_groups; i++)
		qsort(s->groups[i].servers, s->groups[i].n_servers, sizeof(s->groups[i].servers[0]), more_servers);
	qsort(s->groups, s->n_groups, sizeof(s->groups[0]), more_connections);
}
