/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How text is to look on standard output: width, colours; and a word on standard error. */
#ifndef SB_CLI_TERMINAL_H
#define SB_CLI_TERMINAL_H

#include "cli/options.h"
#include "report/render.h"
#include "run/sandbox.h"

struct text_options terminal_text_options(const struct options *o);

/* What of the sandbox does not hold, for verbs whose reports don't say it. Silent when all does. */
void terminal_tell_sandbox(const struct sandbox_held *held);

#endif
