/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which TTL-limited probes to send next, and whether the path still has something to say. Private
 * to diag/. */
#ifndef SB_DIAG_ADVISE_PATH_H
#define SB_DIAG_ADVISE_PATH_H

#include "diag/diag.h"

/* facts: of every tested port, in the plan's order. Appends to advice->probes and clears
 * advice->done while answers are due; or, as `way` has it, tells in advice->way_ports for which ports
 * that would be so. */
void advise_path(const struct tracker *t, const struct port_facts *facts, unsigned n_tested,
		 int64_t now, enum diag_way way, struct diag_advice *advice);

#endif
