/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What follows from reports on the same target side by side. Pure.
 *
 * Each report names a range of devices on its own way in which its port is stopped. What the ways
 * share, and what another way shows to let the port through, narrows that. Two things keep it
 * honest: devices are the same only where they answered with the same address, and are taken for
 * possibly the same wherever that cannot be excluded; and what another report clears keeps the
 * probability that it decides by source address (compare_suspects.c says how much).
 */
#ifndef SB_DIAG_COMPARE_H
#define SB_DIAG_COMPARE_H

#include "model/comparison.h"

#define COMPARE_MAX_VIEWS 32 /* of one target */

/* The views of one target, at least one. The result holds copies of the views; their strings stay
 * theirs. */
struct comparison *compare(const struct view *const *views, unsigned n, bool ways,
			   const char *tool_version);

/* Views sorted so that those of one target stand side by side, each group in its old order: by
 * address, and by name where that is the same. groups[i] is the end of group i; both arrays hold
 * v->n elements and are the caller's. Returns the number of groups. */
unsigned compare_group(const struct views *v, const struct view **sorted, unsigned *groups);

#endif
