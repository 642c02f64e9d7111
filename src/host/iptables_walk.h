/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Private to host/iptables*.c: one packet's way through the tables, with the
 * counters that moved meanwhile or without.
 */
#ifndef SB_HOST_IPTABLES_WALK_H
#define SB_HOST_IPTABLES_WALK_H

#include "host/iptables_rules.h"

/* Counters of a table between two readings. */
struct moved {
	const struct ipt_table *table;
	uint64_t *rules;    /* as table->rules */
	uint64_t *policies; /* as table->chains */
	bool shaky;         /* reset or changed meanwhile: that a rule stood still proves nothing */
};

/* How sure something is, and what it depends on. */
struct odds {
	enum ipt_truth truth;
	uint32_t reasons;
};

static inline bool is_sure(struct odds o)
{
	return o.truth >= IPT_LIKELY;
}

/* A rule or policy that does something to our packet. */
struct deed {
	const struct ipt_table *table;
	const struct ipt_chain *base, *chain;
	const struct ipt_rule *rule; /* NULL: the policy of `base` */
	const char *hook;
	int priority;
	bool inbound;
	enum fw_verdict verdict;
	bool queue; /* stops it only if a program does not give it back */
	struct odds odds;
	uint64_t moved;
	bool shaky;
};

struct walk {
	const struct iptables *t;
	const struct moved *moved; /* of each table of t; NULL: no counters */
	struct ipt_packet packet;
	int64_t deadline;
	unsigned steps;
	bool exhausted; /* too much to follow */

	/* the base chain under way */
	const struct ipt_table *table;
	const struct moved *m;
	bool is_nat;
	struct deed at;      /* as far as it is the same for all of its rules */
	struct deed accept;  /* by whom it passes, the surest; `base` NULL: nobody */
	unsigned n_maybe;    /* deeds in it that are not sure */
	struct ipt_fit turn; /* that `turned` it */
	enum ipt_truth turned;
	unsigned n_turns;

	bool turns_only; /* nothing else is of interest */
	bool marked;     /* something may have set the packet's mark */
	struct addr turned_to;
	uint16_t turned_port;
	unsigned missed; /* times that our packet should have been counted and was not */
	void (*on_deed)(struct walk *w, const struct deed *d);
	void (*on_pass)(struct walk *w);
	void *arg;
};

/* A SYN's way out, to rport; deeds in the order in which it meets them. Leaves w->packet as it is
 * at its end. */
void ipt_walk_out(struct walk *w, const struct host_watch *watch, const uint16_t *rport);

/* Its answer's way in, if there is one. turned, untracked: as the SYN was. */
void ipt_walk_in(struct walk *w, const struct host_watch *watch, const uint16_t *rport,
		 enum ipt_truth turned, enum ipt_truth untracked);

#endif
