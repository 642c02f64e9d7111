/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The command that makes this run once more, with what of its options decides what is found. Pure. */
#ifndef SB_DIAG_AGAIN_H
#define SB_DIAG_AGAIN_H

#include "base/arena.h"
#include "model/plan.h"

struct again {
	const struct plan *plan;
	bool ticket;
	const char *user;  /* as whom, in place of the plan's; NULL: the plan's */
	const char *target; /* the last word */
	bool family;       /* the target is a name: say which of its addresses */
};

/* NULL where a word of it can't stand in a command within a sentence. */
const char *again_command(struct arena *a, const struct again *w);

#endif
