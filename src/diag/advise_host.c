/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is still worth asking about this host, once the packets have told what they tell? */
#include "diag/diag.h"

static const struct rule *host_rule(const struct tracker *t, int port_index, int64_t now,
				    struct port_facts *p)
{
	struct port_verdict v;

	facts_of_port(t, port_index, now, p);
	diag_judge_port(p, NULL, &v);
	return v.rules[LAYER_HOST];
}

enum diag_look diag_wanted_look(const struct diag *d, int port_index, int64_t now)
{
	const struct tracker *t = &d->tracker;
	struct port_facts p;
	struct named named;
	const struct rule *rule = host_rule(t, port_index, now, &p);

	if (rule && rule->named != NAMED_NOTHING) {
		named_find(t, port_index, &p, rule->named, &named);
		/* a bare drop reason says where in the kernel, not who */
		return named_has(&named) && named.proven && named.kind != CULPRIT_KERNEL_DROP
			       ? DIAG_LOOK_NOTHING
			       : DIAG_LOOK_CLOSER;
	}
	/* XDP drops an answer before any tap sees it: that must not be blamed on the path */
	if (rule || !fact_seen(&p, F_SYN_LEFT) || fact_seen(&p, F_CONNECTED) ||
	    fact_seen(&p, F_RST) || fact_seen(&p, F_ICMP))
		return DIAG_LOOK_NOTHING;
	return fact_seen(&p, F_XDP_THERE) ? DIAG_LOOK_CLOSER : DIAG_LOOK_PROGRAMS;
}

const struct flow *diag_turned_flow(const struct diag *d, int port_index, int64_t now)
{
	struct port_facts p;
	const struct rule *rule = host_rule(&d->tracker, port_index, now, &p);

	return rule && rule->named == NAMED_TURN ? p.flow : NULL;
}
