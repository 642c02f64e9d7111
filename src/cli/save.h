/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A case and its report into a folder. */
#ifndef SB_CLI_SAVE_H
#define SB_CLI_SAVE_H

#include "case/saved.h"
#include "case/store.h"
#include "model/report.h"

/* Puts the case and its report into the store, as its next one. */
int save_case(struct case_store *store, const struct saved_case *c, const struct report *r,
	      struct err *e);

/* The same, redacted: *c and its report, which is derived again. ERR_RUN where the verdict would be
 * another one: nothing is saved then. *out (NULL: not wanted) gets that report. */
int save_redacted(struct case_store *store, struct saved_case *c, const struct report *r,
		  struct report **out, struct err *e);

#endif
