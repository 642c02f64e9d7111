/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The data that is installed with the program: share/signatures (share/README.md
 * tells its format).
 */
#ifndef SB_RUN_SHARE_H
#define SB_RUN_SHARE_H

#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "model/signature.h"

/* The signatures of the first of these directories that has any: $SMTPBLAME_SHARE; where the
 * program was installed, seen from its executable; the source tree, for a program that runs from
 * its build directory. None has: 0, and *out is empty. A file that is malformed, too long or not to
 * be read is ERR_USAGE, which names it (and the line). *out lives as long as *a. */
int share_load_signatures(struct signatures *out, struct arena *a, struct err *e);

/* The same from memory; file is its name in errors. Pure. */
int share_parse_signatures(struct signatures *out, const char *text, size_t len, const char *file,
			   struct arena *a, struct err *e);

#endif
