/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/event.h"

#include <stdlib.h>
#include <string.h>

#include "model/fields.h"

void event_log_init(struct event_log *log)
{
	*log = (struct event_log){.max = EVENT_LOG_MAX};
}

void event_log_clear(struct event_log *log)
{
	free(log->events);
	arena_clear(&log->arena);
	*log = (struct event_log){0};
}

struct event *event_log_add(struct event_log *log, const struct event *ev)
{
	if (ev->kind == EV_PACKET && log->n >= log->max) {
		log->overflow++;
		return NULL;
	}
	if (log->n == log->size) {
		log->size = log->size ? log->size * 2 : 128;
		log->events = xrealloc(log->events, log->size * sizeof(*log->events));
	}
	struct event *copy = &log->events[log->n++];
	*copy = *ev;
	const struct fact_kind *kind = fact_kind_of(copy);
	void *facts = kind ? fact_data(kind, copy) : NULL;
	if (facts)
		fields_clean(kind->fields, facts, &log->arena);
	return copy;
}

void event_log_add_route(struct event_log *log, struct event *ev, const struct host_route *route)
{
	struct host_route *copy = arena_alloc(&log->arena, sizeof(*copy));

	*copy = *route;
	ev->kind = EV_ROUTE;
	ev->route = copy;
	event_log_add(log, ev);
}

void event_log_add_host(struct event_log *log, const struct host_record *r)
{
	struct host_record *copy = arena_alloc(&log->arena, sizeof(*copy));
	struct event ev = {.t_ns = r->t_ns, .kind = EV_HOST, .flow = NO_FLOW, .host = copy};

	*copy = *r;
	event_log_add(log, &ev);
}

/* ---- order ---- */

struct key {
	int64_t t_ns;
	bool packet;
	size_t index;
};

static int compare(const void *left, const void *right)
{
	const struct key *a = left, *b = right;

	if (a->t_ns != b->t_ns)
		return a->t_ns < b->t_ns ? -1 : 1;
	if (a->packet != b->packet)
		return a->packet ? 1 : -1;
	return a->index < b->index ? -1 : a->index > b->index;
}

void event_log_sort(struct event_log *log)
{
	if (log->n < 2)
		return;
	struct key *keys = xcalloc(log->n, sizeof(*keys));
	struct event *sorted = xcalloc(log->size, sizeof(*sorted));

	for (size_t i = 0; i < log->n; i++)
		keys[i] = (struct key){log->events[i].t_ns, log->events[i].kind == EV_PACKET, i};
	qsort(keys, log->n, sizeof(*keys), compare);
	for (size_t i = 0; i < log->n; i++)
		sorted[i] = log->events[keys[i].index];
	free(keys);
	free(log->events);
	log->events = sorted;
}
