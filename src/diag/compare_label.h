/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside the comparison: short names by which people tell its reports apart. Pure. */
#ifndef SB_DIAG_COMPARE_LABEL_H
#define SB_DIAG_COMPARE_LABEL_H

#include "diag/compare.h"

/* Copies of the views, in `a`, each with its label. */
const struct view *const *compare_label(struct arena *a, const struct view *const *views,
					unsigned n, bool ways);

#endif
