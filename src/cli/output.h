/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SB_CLI_OUTPUT_H
#define SB_CLI_OUTPUT_H

#include <stdbool.h>

#include "cli/options.h"
#include "model/report.h"

/* On standard output, as JSON or text by the options. ERR_RUN when it can't be written. */
int output_report(const struct options *o, const struct report *r, bool first, struct err *e);
/* One of many: in text a line, where neither -q nor -v nor --ticket asks for something else. */
int output_one_of_many(const struct options *o, const struct report *r, bool first, struct err *e);

#endif
