/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The verb `watch`: look after look at the same targets, and what changes. */
#ifndef SB_CLI_WATCH_H
#define SB_CLI_WATCH_H

#include "base/err.h"
#include "model/report.h"

struct watching; /* opaque */

int watch_main(int argc, char **argv, int *status, struct err *e);

/* Takes a report of the look under way and prints what it changes. -1: could not be printed. */
int watch_report(struct watching *w, const struct report *r, struct err *e);

#endif
