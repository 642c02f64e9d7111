/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SB_CLI_SERVE_H
#define SB_CLI_SERVE_H

#include "base/err.h"

/* The verb `serve`. */
int serve_main(int argc, char **argv, int *status, struct err *e);

#endif
