/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside diag/: a report in the making, shared by the kinds of reports. */
#ifndef SB_DIAG_BUILDER_H
#define SB_DIAG_BUILDER_H

#include "diag/diag.h"
#include "diag/named.h"
#include "diag/rules.h"
#include "diag/words.h"

/* Evidence of one report; a run of many attempts has more events than a person reads. */
#define EVIDENCE_MAX 400

struct builder {
	const struct diag *d;
	struct report *r;
	struct report_evidence *evidence;
	unsigned n_evidence;
	unsigned *number_of; /* evidence number of each event, 0 none */
	struct port_facts facts[PLAN_MAX_PORTS];
	struct port_facts injected[PLAN_MAX_PORTS]; /* below the host's firewall */
	bool has_injected[PLAN_MAX_PORTS];
	struct port_verdict verdicts[PLAN_MAX_PORTS];
	unsigned n_tested;
	unsigned synack_evidence[PLAN_MAX_PORTS], rst_evidence[PLAN_MAX_PORTS]; /* 0 none */
};

/* A report with target, vantage, and every event that is evidence. b is zeroed before. */
struct report *build_begin(struct builder *b, const struct diag *d, const char *tool_version);

/* Number of the new line of evidence, 0 when there are too many. */
unsigned build_evidence(struct builder *b, int64_t t_ns, enum source source, unsigned port,
			const char *text);

void build_not_looked(struct builder *b);
void build_notes(struct builder *b);

/* Our address as the server sees it; after the verdicts. */
void build_seen_as(struct builder *b);

/* The packets of the run, for a ladder. */
void build_packets(struct builder *b);

/* The finding of a row that matched; w->named is used meanwhile. And that of a port which no row
 * decides: what is missing. */
struct finding build_finding(struct builder *b, int port_index, const struct rule *rule,
			     struct words *w);
struct finding build_undecided(struct builder *b, const struct words *w, fact_set missing);

/* What was said on the port, and when. */
void build_smtp(struct builder *b, const struct port_facts *p, struct report_port *out);

/* The path matrix; after the ports' facts. */
void build_path(struct builder *b);

/* The culprit's kind, text and fields from who was named. */
void build_named(struct builder *b, const struct named *n, struct culprit *c);

#endif
