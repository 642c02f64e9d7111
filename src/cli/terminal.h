/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How text is to look on standard output: width, colours. */
#ifndef SB_CLI_TERMINAL_H
#define SB_CLI_TERMINAL_H

#include "cli/options.h"
#include "report/render.h"

struct text_options terminal_text_options(const struct options *o);

#endif
