/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The verb `read`: capture files to judged connections on standard output. */
#ifndef SB_CLI_READ_H
#define SB_CLI_READ_H

#include "base/err.h"

/* As check_main(). */
int read_main(int argc, char **argv, int *status, struct err *e);

#endif
