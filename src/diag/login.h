/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A login that was asked for, and what became of it. */
#ifndef SB_DIAG_LOGIN_H
#define SB_DIAG_LOGIN_H

#include "diag/builder.h"

/* For the port's report, whose state and words of the server are known already. */
void login_of_port(struct builder *b, const struct port_facts *p, struct report_port *out);

/* The logins of all open ports as the end of a sentence on these ports: "; the login works",
 * "" where none was asked for. */
const char *login_overall(struct arena *a, const struct report *r);

/* One note for all ports at which it was left alone for the same reason: which, why, and what to do. NULL:
 * `first` is no such port, or one before it has told it. */
const char *login_note(struct arena *a, const struct report *r, unsigned first);

#endif
