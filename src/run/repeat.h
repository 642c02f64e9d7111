/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The same address several times (--repeat), as one report. */
#ifndef SB_RUN_REPEAT_H
#define SB_RUN_REPEAT_H

#include "run/live.h"

/* As run_judge(), `rounds` times, each beginning interval_ns after the one before, or when that is
 * over. Waits in between. All but the last hold one dialogue with each port, and send no probe: what
 * counts connections is to count those alone. Rounds for which there is no time are left out. */
int run_repeat(struct live *l, const struct plan *plan, unsigned rounds, int64_t interval_ns,
	       int64_t deadline_ns, struct report **out, struct err *e);

#endif
