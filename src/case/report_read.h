/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reports out of files that anybody may have made: what `check --json` prints, one document after
 * the other, on lines of their own or not.
 *
 * Only what a comparison needs is kept (model/comparison.h). Fields that are not known are passed
 * over, for a later version may have added them; what is there must have its shape and lie in its
 * bounds. Strings come out clean (base/text.h).
 */
#ifndef SB_CASE_REPORT_READ_H
#define SB_CASE_REPORT_READ_H

#include <stdio.h>

#include "base/err.h"
#include "model/report.h"

#define REPORT_READ_MAX (2u << 20) /* bytes of one document */

struct report_reader {
	FILE *in;         /* borrowed */
	const char *path; /* borrowed; for messages */
	unsigned number;  /* documents so far */
	unsigned failed;  /* of them: targets that could not be judged (smtpblame.error/1) */
};

/* The next report into *out (report_free() it). 1: there is one, 0: there is none left, -1: *e,
 * with ERR_USAGE and the file's name and the document's number; nothing can be read any more then.
 * Documents about a whole call (summaries, errors, comparisons) are passed over. */
int report_read(struct report_reader *r, struct report **out, struct err *e);

#endif
