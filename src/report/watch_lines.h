/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What `watch` prints: a line for each change, and at the end one for each port. */
#ifndef SB_REPORT_WATCH_LINES_H
#define SB_REPORT_WATCH_LINES_H

#include <stdio.h>

#include "model/watch.h"

/* As render_text(): 0, or -1 where `out` could not be written. Times in UTC, and in text the local one
 * before it. */
int watch_change_text(const struct watch_change *c, FILE *out);
int watch_change_json(const struct watch_change *c, FILE *out); /* smtpblame.change/1 */
int watch_end_text(const struct watch_port *p, FILE *out);
int watch_end_json(const struct watch_port *p, FILE *out);      /* smtpblame.watched/1 */

#endif
