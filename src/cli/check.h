/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The verbs `check` and `inspect`: targets to reports on standard output. */
#ifndef SB_CLI_CHECK_H
#define SB_CLI_CHECK_H

#include "base/err.h"

/* argv[0] is the verb's own word. *status gets the exit status; -1 with *e when it could not even
 * begin. */
int check_main(int argc, char **argv, int *status, struct err *e);
int inspect_main(int argc, char **argv, int *status, struct err *e);

#endif
