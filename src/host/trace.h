/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Inside host/: netfilter's own trace of this run's packets (nf_tables).
 *
 * A table with flag owner, so that the kernel takes it away with its socket;
 * its chains match nothing but the watch's 5-tuples, set no mark, and sit before
 * and behind everything, so that the last one a packet came by tells where it
 * was stopped if no rule of nf_tables did it.
 */
#ifndef SB_HOST_TRACE_H
#define SB_HOST_TRACE_H

#include "base/err.h"
#include "host/watch.h"

struct trace; /* opaque */

/* -1 (ERR_RUN): privilege or kernel support is missing; the text says which. */
int trace_open(struct trace **out, const struct host_watch *w, struct err *e);
void trace_close(struct trace *t); /* NULL is fine */

int trace_fd(const struct trace *t);   /* readable: trace_read() */
void trace_read(struct trace *t);      /* takes the events that are there; never blocks */

/* HOST_PACKET records of the packets since the last call, with the texts of the rules that stopped
 * or turned them; HOST_NOT_LOOKED when events were lost. */
void trace_emit(struct trace *t, host_emit *emit, void *arg);

#endif
