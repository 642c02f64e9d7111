/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Inside cli/: reports as lines of JSON by a thread of its own, so that the loop of many targets
 * goes on with the network meanwhile.
 *
 * Main thread and printer share one bounded queue under one mutex (printer.c). A report given away
 * is the printer's. Lines come out in the order in which reports were given.
 */
#ifndef SB_CLI_PRINTER_H
#define SB_CLI_PRINTER_H

#include "base/err.h"
#include "model/report.h"

struct printer; /* opaque */

/* NULL where no thread can be had. */
struct printer *printer_new(void);

/* Takes the report, and waits while the queue is full. -1 when an earlier one could not be written. */
int printer_give(struct printer *p, struct report *r, struct err *e);

/* Everything given is written; -1 when something could not be. printer_free() is due still. */
int printer_finish(struct printer *p, struct err *e);

void printer_free(struct printer *p); /* what is not written is left out; NULL is fine */

#endif
