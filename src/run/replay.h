/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Saved cases as a source of a run: no privilege is needed, and nothing sent. */
#ifndef SB_RUN_REPLAY_H
#define SB_RUN_REPLAY_H

#include "case/saved.h"

/* Reads facts and packets of the folder; with_frames: keeps the frames, too. Anybody may have made
 * it: bounded in memory and time. ERR_USAGE names the file, and the line. *out as saved_case_init()
 * made it; saved_case_clear() it even after -1. */
int replay_load(const char *folder, bool with_frames, struct saved_case *out, struct err *e);

#endif
