/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/event.h"

#include <stdlib.h>
#include <string.h>

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
	log->events[log->n] = *ev;
	return &log->events[log->n++];
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

/* Insertion sort: stable, and the log is nearly in order (packets come a little late). */
void event_log_sort(struct event_log *log)
{
	for (size_t i = 1; i < log->n; i++) {
		struct event ev = log->events[i];
		size_t j = i;
		while (j > 0 && log->events[j - 1].t_ns > ev.t_ns) {
			log->events[j] = log->events[j - 1];
			j--;
		}
		if (j != i)
			log->events[j] = ev;
	}
}
