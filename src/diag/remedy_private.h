/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files that make remedies share. */
#ifndef SB_DIAG_REMEDY_PRIVATE_H
#define SB_DIAG_REMEDY_PRIVATE_H

#include "diag/remedy.h"

#define REMEDY_UNDO "To undo that:"

struct remedy_list {
	const struct remedy_query *q;
	const char **out;
	unsigned n;
};

void remedy_say(struct remedy_list *l, const char *text);

/* The target's address. */
const char *remedy_target(const struct remedy_list *l);
bool remedy_is_v6(const struct remedy_list *l);

/* A name that neither a shell nor nft reads as anything else: names in the kernel may hold any
 * byte, and a command that is shown gets pasted. */
bool remedy_is_plain(const char *s);

/* ---- who owns a rule: what firewall managers and guards own, they write anew ---- */

/* The owner's own commands that let it pass, and their undo. False: it has none, or the rule is
 * nobody's; then the rule itself is to be gone before. */
bool remedy_by_owner(struct remedy_list *l, const struct host_rule *r);

/* Where an exception has to be written to last, behind the commands for the rule itself. */
void remedy_owner_hint(struct remedy_list *l, const struct host_rule *r);

/* ---- what a rule looks at beside addresses and ports ---- */

/* " meta skuid 0": an exception needs no more than whom the rule is for; "" where that is
 * everybody. */
const char *remedy_for_whom(struct remedy_list *l, const struct host_rule *r);

void remedy_match_hints(struct remedy_list *l, const struct host_rule *r);

#endif
