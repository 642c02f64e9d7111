/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The reports of a run as one answer of a monitoring plugin (Monitoring Plugins Development Guidelines,
 * https://www.monitoring-plugins.org/doc/guidelines.html): a line of text, "|", performance data, then
 * lines of details. Nothing that comes from the network can end a line, or hold a "|".
 */
#ifndef SB_REPORT_NAGIOS_H
#define SB_REPORT_NAGIOS_H

#include <stdio.h>

#include "model/report.h"

enum nagios_status { NAGIOS_OK, NAGIOS_WARNING, NAGIOS_CRITICAL, NAGIOS_UNKNOWN };

/* Plugin hosts cut what is longer than some kilobytes: of more reports only the worst are told. */
#define NAGIOS_DETAILS_MAX 20

struct nagios; /* opaque */

struct nagios *nagios_new(void);
void nagios_free(struct nagios *n); /* NULL is fine */

void nagios_add(struct nagios *n, const struct report *r);
/* A target that could not be judged. */
void nagios_add_error(struct nagios *n, const char *input, const char *why);

/* Prints it. Returns the status, or -1 where `out` could not be written. */
int nagios_finish(const struct nagios *n, FILE *out);

/* The whole answer of a run that could not be made: NAGIOS_UNKNOWN, or -1. */
int nagios_failed(const char *why, FILE *out);

#endif
