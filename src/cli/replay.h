/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The verb `replay`: saved cases to reports on standard output. */
#ifndef SB_CLI_REPLAY_H
#define SB_CLI_REPLAY_H

#include "base/err.h"

/* As check_main(). */
int replay_main(int argc, char **argv, int *status, struct err *e);

#endif
