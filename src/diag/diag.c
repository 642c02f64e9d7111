/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Events in, and the verdict of one port out of its facts. */
#include "diag/diag.h"

#include <stdlib.h>

void diag_init(struct diag *d, const struct plan *plan, const struct event_log *log)
{
	tracker_init(&d->tracker, plan, log);
	d->fed = 0;
	d->way = DIAG_WAY_FREE;
}

void diag_clear(struct diag *d)
{
	tracker_clear(&d->tracker);
}

void diag_feed(struct diag *d)
{
	while (d->fed < d->tracker.log->n)
		tracker_feed(&d->tracker, d->fed++);
}

void diag_judge_port(const struct port_facts *facts, const struct port_facts *injected,
		     struct port_verdict *out)
{
	*out = (struct port_verdict){.state = STATE_INCONCLUSIVE};
	bool decided = false;

	for (int l = LAYER_HOST; l < LAYER_COUNT; l++) {
		fact_set missing;
		out->rules[l] = rules_match((enum layer)l,
					    l == LAYER_PATH && injected ? injected : facts, &missing);
		/* who answers in the target's place says nothing about the target, but what it does to
		 * the session is told */
		if (l == LAYER_SESSION && decided && out->state == STATE_INTERCEPTED &&
		    out->rules[l] && out->rules[l]->state != STATE_INTERCEPTED)
			out->rules[l] = NULL;
		out->missing |= missing;
		if (out->rules[l] && !decided) {
			out->state = out->rules[l]->state;
			decided = true;
		}
	}
	if (decided)
		out->missing = 0;
}

struct report *diag_judge(const struct plan *plan, struct event_log *log, bool inspect,
			  const char *tool_version)
{
	struct diag *d = xcalloc(1, sizeof(*d));

	event_log_sort(log);
	diag_init(d, plan, log);
	diag_feed(d);
	struct report *r = inspect ? diag_inspect(d, tool_version) : diag_report(d, tool_version);
	diag_clear(d);
	free(d);
	return r;
}
