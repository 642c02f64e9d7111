/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The rules of comparisons: what is said of some of the reports on one port. As in diag/rules.h,
 * the first row whose facts all hold, and none of the absent, wins. Pure data and its matching.
 */
#ifndef SB_DIAG_COMPARE_RULES_H
#define SB_DIAG_COMPARE_RULES_H

#include <stdint.h>

#include "model/names.h"

/* Of the reports that a conclusion is about ("these"), and of the others on the same port. */
enum compare_fact {
	/* what these are; exactly one of them */
	CMP_OPEN,
	CMP_UNDECIDED,
	CMP_HOST,         /* stopped by the machine itself */
	CMP_SERVER,       /* the destination itself answers, and not with service */
	CMP_RANGE,        /* stopped on the way, in a range of devices */
	CMP_CONTRADICTED, /* the same, and another report passed nearly all of it */
	CMP_UNPLACED,     /* stopped, nobody knows where */
	/* and */
	CMP_EVERY,   /* no other report decides anything else */
	CMP_SEVERAL, /* these are at least two */
	CMP_WAYS,    /* of one machine, by several ways out */
	CMP_PASS,    /* another report has the port open, or at least the server talk */
	CMP_FAMILY,  /* all these by one family of addresses, and all that pass by the other one */
	CMP_SAME_VANTAGE, /* one that passes is from the same machine and way */
	CMP_ONE_NAT,      /* ... is behind the same gateway, and seen under the same address */
	CMP_FAR_SIDE,     /* all suspects are the destination's */
	CMP_JOINED,       /* narrowed to what these share */
	CMP_NARROWED,     /* narrowed by what another report passed */
	CMP_MAYBE_MORE,   /* others may be stopped by the same device */
	CMP_FACT_COUNT,
};

#define CMP_BIT(f) (1u << (f))

#define COMPARE_MAX_NEXT 5

struct compare_rule {
	const char *id;
	uint32_t need, absent; /* CMP_BIT()s */
	bool placed;           /* it names the place that the suspects leave; else none */
	bool at_gateway; /* it names the gateway, by reasons of its own, with this confidence */
	double confidence;
	const char *summary;                /* template: {words} are those of compare_words.c */
	const char *next[COMPARE_MAX_NEXT]; /* templates; an empty expansion is left out */
	const char *why;                    /* for docs/rules.md */
};

extern const struct compare_rule compare_rule_table[];
extern const unsigned compare_rule_count;

/* There is one for each set of facts that can be. */
const struct compare_rule *compare_rule_for(uint32_t facts);

const char *compare_fact_name(enum compare_fact f);
const char *compare_fact_text(enum compare_fact f);

#endif
