/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SB_CLI_SAVE_H
#define SB_CLI_SAVE_H

#include "case/saved.h"
#include "case/store.h"
#include "model/report.h"

/* Puts the case and its report into the store, as its next one. */
int save_case(struct case_store *store, const struct saved_case *c, const struct report *r,
	      struct err *e);

#endif
