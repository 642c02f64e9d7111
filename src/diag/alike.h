/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Targets of one call that fail alike: where the traced ones stop, and what that says of one that
 * was not traced. Private to diag/, but for alike_failure_of() by diag.h.
 */
#ifndef SB_DIAG_ALIKE_H
#define SB_DIAG_ALIKE_H

#include "diag/diag.h"

/* What other targets showed of this port, NULL where that is nothing, or does not hold here: it is
 * this one's own answers that decide. *event (may be NULL) gets its number. */
const struct ev_alike *alike_of(const struct tracker *t, int port, const struct port_facts *p,
				size_t *event);

/* The facts and `placed` of a port of which its own trace says less; called by facts_of_path(), last. */
void alike_facts(const struct tracker *t, int port, int64_t now, struct port_facts *p);

/* Can a few probes show whether it holds here? Then a SYN of the port and one of a control with
 * to_ttl, and one of the port with from_ttl. */
bool alike_can_be_confirmed(const struct ev_alike *a);

#endif
