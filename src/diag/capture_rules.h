/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The rule table of captures: rows like those of rules.h, over the facts of
 * capture_facts.h, most specific first in each layer. The last row of the
 * session's layer matches always: nothing is left unjudged.
 */
#ifndef SB_DIAG_CAPTURE_RULES_H
#define SB_DIAG_CAPTURE_RULES_H

#include "diag/capture_facts.h"
#include "diag/rules.h"

extern const struct rule capture_rule_table[];
extern const unsigned capture_rule_count;

/* The row that judges the connection: the first of the table, whose layers stand in the order of a
 * packet's way. One connection meets one fate. */
const struct rule *capture_rule_of(fact_set seen);

#endif
