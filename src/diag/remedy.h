/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The exact commands that let one port pass what was named on this host, narrow
 * (this address, this port), each with its undo. Nothing is ever executed. Pure.
 */
#ifndef SB_DIAG_REMEDY_H
#define SB_DIAG_REMEDY_H

#include "diag/named.h"

struct remedy_query {
	struct arena *arena; /* owns what is returned */
	const struct tracker *tracker;
	unsigned port;
	bool inbound;        /* the answer is stopped, not the SYN */
	const struct named *named;
};

/* Words of the kernel's (a rule, a route) that a shell reads as nothing else: fit for a command. */
bool remedy_is_safe(const char *text);

#define REMEDY_MAX 14

/* Writes at most REMEDY_MAX sentences and commands, as model/report.h wants them: what it does, the
 * commands, "To undo that:", the commands for that, then hints. Returns how many. */
unsigned remedy_for(const struct remedy_query *q, const char *out[REMEDY_MAX]);

#endif
