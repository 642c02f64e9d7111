/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "diag/alike.h"

#include "base/clock.h"

/* Where others are known to be dropped on this port, its silence is mere loss with less than this:
 * less strict than SILENCE_MAX_PROBABILITY, for it is not the only sign. */
#define SILENT_ALIKE 0.02
/* A port that passes there would look as if it stopped as often as this: one answer got lost or fell
 * to a limit of ICMP errors. More than paths lose, for a limit may be the cause. */
#define CONFIRMED_BY_CHANCE 0.3

enum ailment diag_ailment(const struct diag *d, int port, int64_t now, struct addr *from)
{
	struct port_facts p;

	*from = (struct addr){0};
	facts_of_port(&d->tracker, port, now, &p);
	if (!p.flow || facts_host_stops(&p) || fact_seen(&p, F_CONNECTED))
		return AILMENT_OTHER;
	if (fact_seen(&p, F_SILENT))
		return fact_seen(&p, F_CONTROL_ANSWERS) ? AILMENT_SILENT : AILMENT_UNANSWERED;
	if (!fact_seen(&p, F_ICMP) || fact_seen(&p, F_RST) || fact_seen(&p, F_ICMP_FROM_TARGET) ||
	    fact_seen(&p, F_ICMP_ON_LO))
		return AILMENT_OTHER;
	*from = p.icmp->from;
	return AILMENT_ICMP;
}

/* ---- does it hold here? ---- */

static bool came_from(const struct path_cell *c, const struct addr *router)
{
	return c->time_exceeded && addr_equal(&c->te_from, router);
}

/* A router answers with this TTL that is not the one of the others. */
static bool other_way(const struct path_cell *c, const struct addr *router)
{
	return c->time_exceeded && addr_is_set(router) && !addr_equal(&c->te_from, router);
}

static bool contradicted(const struct tracker *t, int port, const struct ev_alike *a)
{
	const struct path *path = &t->path;

	for (unsigned ttl = a->to_ttl; ttl <= PLAN_MAX_HOPS; ttl++)
		if (path->trace[port].cell[ttl].answered)
			return true;
	for (unsigned i = 0; i < path->n_ports; i++)
		if (other_way(&path->trace[i].cell[a->from_ttl], &a->from) ||
		    other_way(&path->trace[i].cell[a->to_ttl], &a->to))
			return true;
	return false;
}

/* It was proven when this was told; a control's SYN that got lost since then need not undo that. */
static bool is_silent_enough(const struct port_facts *p)
{
	return fact_seen(p, F_SILENT) && fact_seen(p, F_CONTROL_ANSWERS) &&
	       p->silent_syns >= SILENCE_MIN_SYNS && p->silence_probability <= SILENT_ALIKE;
}

const struct ev_alike *alike_of(const struct tracker *t, int port, const struct port_facts *p,
				size_t *event)
{
	const struct ev_alike *a = NULL;

	if (t->alike[port])
		a = &t->log->events[t->alike[port] - 1].alike;
	if (!a || !a->to_ttl || a->to_ttl > PLAN_MAX_HOPS || a->from_ttl > a->to_ttl)
		return NULL;
	if (event)
		*event = t->alike[port] - 1;
	switch (a->ailment) {
	case AILMENT_SILENT:
		return is_silent_enough(p) && !contradicted(t, port, a) ? a : NULL;
	case AILMENT_ICMP:
		return fact_seen(p, F_ICMP) && addr_equal(&p->icmp->from, &a->to) ? a : NULL;
	case AILMENT_UNANSWERED: /* each may be down for itself */
	case AILMENT_OTHER:
		break;
	}
	return NULL;
}

bool alike_can_be_confirmed(const struct ev_alike *a)
{
	return a->confirm && a->ailment == AILMENT_SILENT && addr_is_set(&a->to) &&
	       (a->from_ttl == 0 || addr_is_set(&a->from));
}

/* This port's probe comes as far as there and no farther, where another port's is answered. */
static bool confirmed(const struct tracker *t, int port, int64_t now, const struct ev_alike *a)
{
	const struct path *path = &t->path;
	const struct path_cell *beyond = &path->trace[port].cell[a->to_ttl];
	bool control = false;

	for (unsigned i = 0; i < path->n_ports; i++)
		control |= (int)i != port && came_from(&path->trace[i].cell[a->to_ttl], &a->to);
	return control && beyond->sent && now - beyond->last_sent_ns >= facts_answer_due_ns(t) &&
	       (a->from_ttl == 0 || came_from(&path->trace[port].cell[a->from_ttl], &a->from));
}

/* Of n that were traced all stop there: so likely does the next one (Laplace's rule of succession),
 * and more likely when its own probes say the same. */
static double likely_same(unsigned traced, bool own_say_so)
{
	double p = (traced + 1.0) / (traced + 2.0);

	return own_say_so ? p / (p + (1 - p) * CONFIRMED_BY_CHANCE) : p;
}

void alike_facts(const struct tracker *t, int port, int64_t now, struct port_facts *p)
{
	size_t event;
	const struct ev_alike *a = alike_of(t, port, p, &event);
	bool silent = a && a->ailment == AILMENT_SILENT;

	double weight = a ? a->permille / 1000.0 : 0;

	if (silent)
		weight *= likely_same(a->traced, confirmed(t, port, now, a));
	/* its own trace may have told more than the others can */
	bool better = a && (!p->placed.known || p->placed.confidence < weight);
	fact_note(p, F_ALIKE_STOPS, silent && better, a ? event : NO_EVENT);
	if (!better)
		return;
	if (silent)
		p->seen &= ~(FACT_BIT(F_PATH_STOPS) | FACT_BIT(F_PATH_THROUGH));
	else
		fact_note(p, F_PATH_ICMP_HOP, true, p->icmp->event);
	p->placed = (struct placed){
		.known = true,
		.place = a->place,
		.confidence = weight,
		.from = a->from_ttl,
		.to = a->to_ttl,
		.from_addr = a->from,
		.to_addr = a->to,
		.culprit = a->culprit_ttl,
		.probability = 1,
	};
	p->placed.weight[a->place] = weight;
}
