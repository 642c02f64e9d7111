/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Inside run/: whose turn it is to look at the way.
 *
 * Routers send few ICMP errors to one host, Linux one a second after a burst of
 * six. Many traces at once take each other's answers, and what is their own
 * doing looks like a block. So traces take turns: one at a time at first, more
 * while all routers answer all probes, and one with a rest behind it as soon as
 * some don't.
 *
 * That is no way to trace ten thousand targets, and where they all stop at one
 * place none. Runs that fail alike (struct turns_group) are a sample of each other:
 * when some of them, drawn by lot, were traced and all stop at the same place,
 * the others are told so (EV_ALIKE), and say it with the confidence that such a
 * sample carries. One that stops elsewhere ends that for its group.
 *
 * Pure but for the lots: times and reports come from the caller. Main thread only.
 */
#ifndef SB_RUN_TURNS_H
#define SB_RUN_TURNS_H

#include <stdbool.h>
#include <stdint.h>

#include "diag/diag.h"

#define TURNS_GROUPS  32  /* kinds of failure that are told apart */
#define TURNS_AT_ONCE 8   /* traces, where no router limits its errors */
#define TURNS_SAMPLE  3   /* traced ones that agree, before others are told */
#define TURNS_MAX_UNLIKE 64 /* of a group whose members stop at different places, so many are traced */
#define TURNS_MAX_UNPLACED 4 /* ... and so many, where none of them could be placed */
/* The line is short enough to trace everybody in it. */
#define TURNS_SHORT_NS (2 * INT64_C(1000000000))
/* Between two traces, for routers that limit their errors. */
#define TURNS_REST_NS (3 * INT64_C(1000000000))

/* What makes failures alike. */
struct failure {
	uint16_t port;
	enum ailment ailment;
	struct addr icmp_from;
	int egress;            /* interface index */
	struct addr next_hop;
};

struct turns_group {
	struct failure failure;
	unsigned placed, unplaced; /* traced ones */
	bool unlike;               /* they stop at different places */
	int64_t since;             /* of the first one */
	struct ev_alike place;     /* of all placed ones; traced and confirm are set when told */
};

/* One run's part in this, embedded in it. */
struct turn {
	bool waiting, has;         /* in line; the way is its own */
	unsigned index;            /* in line */
	bool own;                  /* what others show does not hold for it: it must be traced */
	void *owner;               /* the caller's */
	int64_t since;             /* waiting, or has */
	int64_t may_confirm_until; /* it waits for room for its few probes; 0: not yet asked */
	unsigned n_failures;
	struct failure failures[PLAN_MAX_PORTS]; /* of the ports that want the way */
};

struct turns {
	/* What traces have shown is forgotten after so long, 0: never. It is for those who never end
	 * (an exporter): a block may be lifted, and come elsewhere. */
	int64_t good_ns;
	struct turns_group groups[TURNS_GROUPS];
	unsigned n_groups;
	struct turn **line; /* waiting */
	unsigned n_line, line_size;
	struct turn *drawn; /* out of the line, by lot; NULL: nobody yet */
	unsigned tracing, at_once;
	unsigned clean;     /* traces without a lost answer, by their weight */
	bool limited;       /* a router did not answer all probes, */
	int64_t limited_ns; /* the last time */
	int64_t rest_until;
	double mean_ns;     /* of a trace, 0: none is over yet */
	/* probes of those that are told: so many a second, adapted to what is answered */
	double per_second, tokens;
	int64_t filled_ns;
};

void turns_init(struct turns *s);
void turns_clear(struct turns *s);

enum turns_answer {
	TURNS_YOURS, /* trace now; turns_over() when that is done */
	TURNS_LATER, /* in line */
	TURNS_KNOWN, /* turns_tell() knows all that it wants */
	TURNS_NEVER, /* out of line: what such targets show is no use, or others had all the room */
};

/* What is to become of a run whose failures (turn->failures) want the way. Each call may be answered
 * otherwise than the last. */
enum turns_answer turns_ask(struct turns *s, struct turn *turn, int64_t now);

/* Draws who is the next of those in line, where there is room: the one that should ask now, or NULL.
 * By lot, for they came in the order of somebody's list. random: a number drawn anew for each call. */
struct turn *turns_draw(struct turns *s, int64_t now, uint32_t random);

/* The i-th of them, for EV_ALIKE; after TURNS_KNOWN. */
void turns_tell(struct turns *s, const struct turn *turn, unsigned i, bool confirm,
		struct ev_alike *out);

/* Is there room for the few probes of one that is told? */
bool turns_may_confirm(struct turns *s, int64_t now);
/* ... and did the hop answer that had to? */
void turns_confirmed(struct turns *s, bool answered);

/* A trace is over. limited: some hop answered, and not always. r: NULL, or what it has shown. */
void turns_over(struct turns *s, struct turn *turn, int64_t now, bool limited,
		const struct report *r);

/* The run ends, or wants the way no more: out of line. */
void turns_leave(struct turns *s, struct turn *turn, int64_t now);

#endif
