/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What `watch` has seen of one port of one address, look after look. Of fixed size:
 * however long it is watched, it takes no more. Strings are borrowed.
 */
#ifndef SB_MODEL_WATCH_H
#define SB_MODEL_WATCH_H

#include "base/addr.h"
#include "model/report.h"

/* One look. */
struct watch_look {
	enum state state;
	enum mechanism mechanism; /* of the nearest finding; MECH_UNKNOWN where there is none */
	enum place place;
	double confidence;        /* of `place`; CONFIDENCE_NONE */
};

/* What the looks have in common over time. */
enum watch_pattern {
	WATCH_STEADY,       /* nothing to say */
	WATCH_COMES_AND_GOES, /* open and not, back and forth: a limit, a lossy way, several servers */
	WATCH_LIMIT,        /* after some looks that passed it stops, and recovers: a limit over time */
	WATCH_HOURS,        /* at the same hours of every day */
};

#define WATCH_HOURS_OF_DAY 24

/* One hour of the day, over all days. */
struct watch_hour {
	uint16_t days, bad_days; /* bad: most looks of that hour found it not open */
};

struct watch_port {
	const char *input;      /* as it was given */
	const char *way;        /* report.way; or NULL */
	struct addr address;
	unsigned port;
	struct watch_look now;  /* what counts as its state */
	int64_t since_ns, first_ns, last_ns; /* wall clock */
	uint64_t looks, open_looks, undecided_looks, changes;
	enum watch_pattern pattern;
	struct watch_hour hours[WATCH_HOURS_OF_DAY]; /* of local time */
};

/* A pattern of hours takes some days. */
#define WATCH_DAYS_MIN 3

/* Is it an hour at which the port is not open on nearly every day? */
static inline bool watch_bad_hour(const struct watch_port *p, unsigned hour)
{
	const struct watch_hour *h = &p->hours[hour];

	return h->days >= WATCH_DAYS_MIN && h->bad_days * 5 >= h->days * 4;
}

/* A change of state, or the first look. */
struct watch_change {
	const struct watch_port *port; /* as it is after it */
	bool first;
	struct watch_look from;
	int64_t lasted_ns;      /* for how long it was `from` */
	const char *summary;    /* the look's own sentence */
};

#endif
