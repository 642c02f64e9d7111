/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Counts judged connections into the summary of a reading: by fate, and by server. */
#ifndef SB_RUN_TALLY_H
#define SB_RUN_TALLY_H

#include "model/connection.h"

void tally_add(struct read_summary *s, const struct connection *c);
void tally_finish(struct read_summary *s); /* brings the groups into their order */

#endif
