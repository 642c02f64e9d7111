/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The file of -w: opened while there are privileges for it, begun with the first run that is captured.
 * Until then it keeps what it held before.
 */
#ifndef SB_CAPTURE_DUMP_H
#define SB_CAPTURE_DUMP_H

#include <pcap/pcap.h>

#include "base/err.h"

struct dump; /* opaque */

/* ERR_USAGE: it can't be created. */
int dump_open(struct dump **out, const char *path, struct err *e);

/* Empties the file, and writes a header for what p captures; later calls do nothing. */
void dump_begin(struct dump *d, pcap_t *p);

/* What can't be written, dump_flush() tells. */
void dump_write(struct dump *d, const struct pcap_pkthdr *h, const u_char *frame);

/* -1 with ERR_RUN: the file is not whole. */
int dump_flush(struct dump *d, struct err *e);

/* NULL is fine. A file that was made and never begun is removed where that is still allowed. */
void dump_close(struct dump *d);

#endif
