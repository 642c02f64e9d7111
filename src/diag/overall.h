/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside diag/: the sentence over all ports of a report. */
#ifndef SB_DIAG_OVERALL_H
#define SB_DIAG_OVERALL_H

#include "model/report.h"

/* "Port 25 is blocked on this machine; ports 465 and 587 are open." In the report's arena. */
const char *report_overall(struct report *r);

#endif
