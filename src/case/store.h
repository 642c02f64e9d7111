/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where cases are saved. The first case of a run is the folder itself; each
 * further one has a folder of its own in it, "0002-192.0.2.25" and so on. A case
 * is there as a whole or not at all: its files are complete, and on the disk,
 * before they get their names, and facts.jsonl gets its own last.
 */
#ifndef SB_CASE_STORE_H
#define SB_CASE_STORE_H

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

struct case_store; /* opaque */

/* Makes the folder, or takes one that is empty; a new one is given to that user (-1: nobody else).
 * Before privileges are dropped. ERR_USAGE when it can't be made, or has something in it. */
int case_store_create(struct case_store **out, const char *path, uid_t uid, gid_t gid,
		      struct err *e);

/* Before privileges are dropped, where the program stays root: lets case_store_add() write as the
 * folder's owner, whose files they will be. */
int case_store_keep_owner(const struct case_store *s, struct err *e);

/* After that, before anything is sent: ERR_USAGE where case_store_add() may not write. */
int case_store_check(const struct case_store *s, struct err *e);

struct case_file {
	const char *name;
	const void *bytes[2]; /* one after the other */
	size_t len[2];
};

/* `label` names the case among others. ERR_RUN when it could not be written whole: nothing of it is
 * left then. */
int case_store_add(struct case_store *s, const char *label, const struct case_file *files,
		   size_t n, struct err *e);

/* Removes the folder again if nothing is in it. NULL is fine. */
void case_store_free(struct case_store *s);

#endif
