/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The part of the advice that is about connections; private to diag/. */
#ifndef SB_DIAG_ADVISE_SESSION_H
#define SB_DIAG_ADVISE_SESSION_H

#include "diag/diag.h"

/* The dialogue goes on, and segments of our own making can go out on its connection. */
bool advise_is_talking(const struct tracker *t, const struct flow *f);

/* A keep-alive on it, when one is due. */
void advise_look(const struct tracker *t, const struct flow *f, int64_t now,
		 struct diag_advice *advice);

/* Keep-alives where nothing comes any more on a tested port's connection, and what they are measured
 * by. facts are those of the tested ports; adds to `advice`. */
void advise_session(const struct tracker *t, const struct port_facts *facts, unsigned n_tested,
		    int64_t now, struct diag_advice *advice);

/* The port to call anew beside this one, where silence is to be measured; -1: none answers. Servers count
 * connections to their mail ports, to 25 above all: those come last. */
int advise_witness(const struct tracker *t, const struct port_facts *p);

#endif
