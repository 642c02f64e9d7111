/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A session stands still: whose silence is it? Pure. */
#ifndef SB_DIAG_STALL_H
#define SB_DIAG_STALL_H

#include <stdbool.h>
#include <stdint.h>

#include "diag/facts.h"

/* Each "proven" one by repetition: the path's loss does not explain it. */
struct stall {
	bool looked;  /* the tap saw the handshake and lost nothing: absences count */
	bool alive;   /* proven: the other side's stack answers, and has sent nothing that did not come */
	bool dead;    /* proven: nothing of theirs comes any more, whatever we send */
	bool unheard; /* proven: what we said last is not acknowledged, however often it was sent */
	bool lost;    /* proven: they have sent something that does not come, however often */
	bool large;   /* what got lost so is larger than anything that came through */
	bool open;    /* one of those may still be: too few repetitions to tell */
	bool begun;   /* something is overdue: worth asking where */
	double probability; /* of mere loss, where one is proven */
};

/* How often the other side has repeated what it sent so long ago, as its timer doubles. */
unsigned stall_repeats(int64_t ns, int64_t timer);

/* As of `now`, or of the session's end if that was before. */
void stall_of(const struct tracker *t, const struct flow *f, int64_t now, struct stall *out);

/* Something else than the other side's program is to blame. */
static inline bool stall_is_blamed(const struct stall *s)
{
	return s->dead || s->unheard || s->lost;
}

#endif
