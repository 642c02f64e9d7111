/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The password of --auth: from a file, a descriptor or the terminal, never from the command line. */
#ifndef SB_CLI_PASSWORD_H
#define SB_CLI_PASSWORD_H

#include "base/err.h"

#define PASSWORD_MAX 1024

/* Its first line, without the line's end, to out[PASSWORD_MAX]. file NULL and fd -1: asked for on
 * the terminal, without echo. ERR_USAGE says which of them failed. */
int password_read(char *out, const char *user, const char *file, int fd, struct err *e);

#endif
