/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The verb `compare`: reports on the same targets side by side; and the same for the ways of one
 * call of check. */
#ifndef SB_CLI_COMPARE_H
#define SB_CLI_COMPARE_H

#include "base/err.h"
#include "cli/options.h"
#include "cli/page.h"
#include "model/comparison.h"

/* As check_main(). */
int compare_main(int argc, char **argv, int *status, struct err *e);

/* Compares what is about one target, on standard output and on the page. Many targets are told in a
 * few lines unless the options want all. *n_compared: how many targets have two reports at least.
 * -1: could not be written. */
int compare_views(const struct options *o, struct page_file *page, const struct views *v,
		  unsigned *n_compared, struct err *e);

#endif
