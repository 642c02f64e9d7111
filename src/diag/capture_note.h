/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of capture facts share with each other, and with nobody else. */
#ifndef SB_DIAG_CAPTURE_NOTE_H
#define SB_DIAG_CAPTURE_NOTE_H

#include "diag/capture_facts.h"

static inline void capture_note(struct capture_facts *f, enum capture_fact fact, bool seen)
{
	f->seen |= (fact_set)seen << fact;
}

/* NULL where there is no good reply to EHLO in the clear. */
const struct smtp_ehlo *capture_ehlo_of(struct capture_ehlo *e, const struct conn *c);

/* Of the dialogue; then of resets, which look at what was said. */
void capture_session_facts(struct capture_facts *f, const struct signatures *signatures);
void capture_reset_facts(struct capture_facts *f);

/* `placed`, from the hops that a packet without an address of its own has behind it. */
void capture_place_by_distance(struct capture_facts *f, int distance);

bool capture_far_apart(const struct addr *a, const struct addr *b);

#endif
