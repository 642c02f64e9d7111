/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One loop for all targets of this process: plans in, reports out, a bounded
 * number of them under way at the same time.
 *
 * With a concurrency of 1 each run has the tap's filter, the agent and its trace
 * for itself, one after the other. With more they share a tap whose filter
 * takes what any of them may want, and every packet is given to the run that
 * has its source port (probe/ports.h). Nothing in here waits but fleet_run().
 * Main thread only.
 */
#ifndef SB_RUN_FLEET_H
#define SB_RUN_FLEET_H

#include "run/live.h"

struct fleet; /* opaque */

#define FLEET_MAX_CONCURRENCY 4096

struct fleet_options {
	unsigned concurrency; /* 1..FLEET_MAX_CONCURRENCY */
	double rate;          /* runs begun in a second at most; 0: no limit */
	/* With more than one at a time, looks at the way take turns (turns.h): a run stands in line so
	 * long, and its own time does not pass meanwhile. 0: it does pass. */
	int64_t patience_ns;
	/* More than one at a time, and it never ends (an exporter): what runs have shown is forgotten
	 * after a while, and the tap rests while there is none. */
	bool lasting;
	/* of all plans, for the filter of many */
	const uint16_t *ports;
	unsigned n_ports;
};

/* Called once for each plan, from fleet_run() or fleet_free(). The report is the callee's; NULL
 * when the run could not be made (*e says why). saved: what it was derived from, where runs are to
 * be saved (live_options), else NULL; it may be taken over by emptying it. */
typedef void fleet_done(void *arg, const struct plan *plan, struct report *r,
			struct saved_case *saved, const struct err *e);

/* l is borrowed. With a concurrency above 1 it was opened for many (live_options). */
int fleet_new(struct fleet **out, struct live *l, const struct fleet_options *opt, struct err *e);
void fleet_free(struct fleet *g); /* what is not done ends without a report; NULL is fine */

/* How many plans can be submitted now that would begin at once, as far as the concurrency lets. */
unsigned fleet_room(const struct fleet *g);
unsigned fleet_in_flight(const struct fleet *g); /* submitted, and not done */

/* The plan is copied; its strings must live until done(). time_ns: from when the run begins. */
void fleet_submit(struct fleet *g, const struct plan *plan, int64_t time_ns, fleet_done *done,
		  void *arg);

/* The same of one that must be over at deadline_ns (clock_mono_ns()), waiting for its turn included:
 * when half of that time has passed and it has not begun, it ends with ERR_RUN FLEET_NO_TIME. */
#define FLEET_NO_TIME "there was no time left for it: too many are under way"
void fleet_submit_until(struct fleet *g, const struct plan *plan, int64_t deadline_ns,
			fleet_done *done, void *arg);

/* fleet_run() returns when this can be read, too. */
int fleet_watch(struct fleet *g, int fd, struct err *e);

/* Does what can be done, and waits until something is done, or `until` (clock_mono_ns()), at most a
 * second. -1: nothing can go on (the tap failed). A signal ends the wait. */
int fleet_run(struct fleet *g, int64_t until, struct err *e);

/* Everything under way ends now, with a report of what is known; what has not begun ends with
 * ERR_RUN "interrupted". */
void fleet_hurry(struct fleet *g);

#endif
