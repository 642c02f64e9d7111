/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The rule table: which facts make which finding. Pure data and its matching.
 *
 * Rows stand most specific first within their layer; the first that matches
 * wins. A row matches when all of `need` was seen and all of `absent` was
 * looked for and not seen. Each layer (this host, the path, the session) gives
 * at most one finding, so that two blocks behind each other give two.
 */
#ifndef SB_DIAG_RULES_H
#define SB_DIAG_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "diag/facts.h"
#include "diag/named.h"
#include "model/names.h"

enum layer {
	LAYER_HOST,
	LAYER_PATH,
	LAYER_SESSION,
	LAYER_COUNT,
};

const char *layer_name(enum layer l);

#define RULE_MAX_REMEDIES 8

struct rule {
	const char *id;
	enum layer layer;
	fact_set need, absent; /* FACT_BIT()s */
	enum state state;
	enum mechanism mechanism;
	enum place place;
	enum direction direction;
	bool placed; /* place, confidence and candidates come from the path (facts: `placed`) */
	enum culprit_kind culprit;
	/* that `place` is right, when the row matches: CONFIDENCE_NONE for an unknown place. The
	 * reasons stand beside the rows. */
	double confidence;
	enum named_what named; /* what the host's own records may name: kind of culprit, text and
				* remedies are theirs then */
	const char *summary;  /* template, see diag/words.h */
	const char *named_summary; /* in its place when somebody is named: {named} */
	const char *remedy[RULE_MAX_REMEDIES]; /* templates; an empty expansion is left out; commands stand alone, see
					   * model/report.h */
	const char *why;      /* the reason that the row holds, for docs/rules.md */
};

/* The rows in their order, from 0 on; NULL behind the last. */
const struct rule *rule_row(unsigned i);

/* The matching row of this layer, or NULL. *missing gets the facts that were not looked at and
 * alone kept an earlier row from being decided. */
const struct rule *rules_match(enum layer layer, const struct port_facts *facts, fact_set *missing);

#endif
