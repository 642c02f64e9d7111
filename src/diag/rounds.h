/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Several runs to the same ports, one after the other, become one report: a
 * limit on connections is told from a block. Pure.
 */
#ifndef SB_DIAG_ROUNDS_H
#define SB_DIAG_ROUNDS_H

#include "model/report.h"

/* Makes `last` the report over all: the runs before it, in their order, judged the same ports of the
 * same plan. `asked`: how many rounds were wanted, more than were made where the time was too short. */
void rounds_merge(struct report *last, struct report *const *earlier, unsigned n_earlier,
		  unsigned asked);

#endif
