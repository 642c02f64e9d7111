/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Look after look at a port becomes changes and patterns. Pure, of bounded size: HISTORY_MAX ports, of
 * each a fixed number of bytes.
 *
 * A look that decides nothing is none: the state stays what it was until looks decide otherwise, or
 * HISTORY_UNDECIDED of them in a row do not.
 */
#ifndef SB_RUN_HISTORY_H
#define SB_RUN_HISTORY_H

#include "base/arena.h"
#include "model/watch.h"

#define HISTORY_MAX	  4096 /* ports of addresses */
#define HISTORY_UNDECIDED 3
/* Another place is a change only where both are as sure as this: guesses vary from look to look. */
#define HISTORY_PLACE_SURE 0.8
#define HISTORY_TURNS	  8    /* changes between open and not that are kept to tell a pattern */

struct history; /* opaque */

/* What is looked at: the same target by another way out is another one. way: report.way, or NULL. */
struct history_subject {
	const char *input, *way;
	struct addr address;
};

struct history *history_new(void);
void history_free(struct history *h); /* NULL is fine */

/* One judged port of a report at that time, which in local time is in that hour of that day (any count
 * of days that grows). Strings of `of` are copied. True: *out is a change to be told, valid until the next
 * call. False: none, or too many ports (history_full()). */
bool history_add(struct history *h, const struct history_subject *of, const struct report_port *p,
		 int64_t t_ns, unsigned hour, int64_t day, struct watch_change *out);
bool history_full(const struct history *h); /* some port found no room */

/* All ports in the order in which they were met. */
unsigned history_count(const struct history *h);
const struct watch_port *history_port(const struct history *h, unsigned i);

#endif
