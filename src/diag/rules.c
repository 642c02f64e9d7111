/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "diag/rule_rows.h"

/* In the order in which they are tried. */
static const struct rule_rows *const tables[] = {
	&rules_host, &rules_path, &rules_altered, &rules_forged, &rules_session,
};

#define N_TABLES (sizeof(tables) / sizeof(tables[0]))

const char *layer_name(enum layer l)
{
	static const char *const names[LAYER_COUNT] = {"host", "path", "session"};

	return names[l];
}

const struct rule *rule_row(unsigned i)
{
	for (size_t k = 0; k < N_TABLES; k++) {
		if (i < tables[k]->n)
			return &tables[k]->rows[i];
		i -= tables[k]->n;
	}
	return NULL;
}

const struct rule *rules_match(enum layer layer, const struct port_facts *facts, fact_set *missing)
{
	const struct rule *r;

	*missing = 0;
	for (unsigned i = 0; (r = rule_row(i)) != NULL; i++) {
		fact_set unseen = r->need & ~facts->seen;
		fact_set unlooked = (r->absent & ~facts->looked) | (unseen & ~facts->looked);
		bool denied = (r->absent & facts->seen) || (unseen & facts->looked);
		if (r->layer != layer || denied)
			continue;
		if (!unlooked)
			return r;
		/* of use only if most of it fits: the row's main facts were seen */
		if (facts->seen & r->need)
			*missing |= unlooked;
	}
	return NULL;
}
