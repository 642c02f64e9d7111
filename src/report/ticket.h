/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the desk of a provider, a network team or a mail server needs to act:
 * plain text for a mail or a web form, one for each desk.
 */
#ifndef SB_REPORT_TICKET_H
#define SB_REPORT_TICKET_H

#include "model/report.h"

struct ticket {
	const char *desk; /* to whom: "your provider" */
	const char *about; /* "port 25" */
	const char *text; /* from "Subject:" to the last line, wrapped for a mail */
};

/* Of one report, in the order of its findings; in the arena. */
unsigned ticket_all(struct arena *a, const struct report *r, const struct ticket **out);

/* What to know beside them: ports for which no ticket is needed, or of use. */
unsigned ticket_remarks(struct arena *a, const struct report *r, const char *const **out);

#endif
