/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Inside host/: another program's output, bounded in time and size.
 *
 * No shell. The program is found in the system's own directories, never by the
 * caller's PATH, gets an empty environment but for LC_ALL=C and PATH, no
 * descriptor but its output, and is killed when this process dies. Blocks.
 */
#ifndef SB_HOST_CHILD_H
#define SB_HOST_CHILD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct child_output {
	char *text;   /* malloc'd, ends with NUL; may hold any byte */
	size_t len;
};

/* argv[0] is a bare name ("nft"). input: given to its standard input, or NULL. 0 when it exited
 * with 0. -1 (ERR_RUN: not installed, exit status and its first line on stderr, time or size
 * exceeded) leaves *out empty. child_output_free() after 0. */
int child_run(const char *const argv[], const char *input, int timeout_ms, size_t max_output,
	      struct child_output *out, struct err *e);
void child_output_free(struct child_output *out);

/* Is such a program installed? */
bool child_exists(const char *name);

#endif
