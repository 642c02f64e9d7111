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

int trace_fd(const struct trace *t); /* readable: trace_read(), soon: records take its time */
void trace_read(struct trace *t);    /* takes the events that are there; never blocks */

/* HOST_PACKET records of the packets since the last call, with the texts of the rules that stopped
 * or turned them; HOST_NOT_LOOKED when events were lost. Of packets that simply passed only the
 * first SYNs, SYN-ACKs and RSTs. Waits some milliseconds for what is under way, and as long as
 * nft_text_fill() takes, for no more than 3 s.
 *
 * - `last` is the farthest of ours. Where the kernel (before 5.16) or the device (more than 16) has
 *   none of netdev's, a packet that left ends at WAY_POST_LAST, and one that came is first seen at
 *   WAY_PRE_FIRST.
 * - A packet held by a program counts as stopped (FW_QUEUE) once it was 200 ms away; should it come
 *   back, and be stopped or turned after all, nothing takes the record back.
 * - `turned` without a `turn.table`: its destination changed, and no rule of nf_tables did it (the
 *   old iptables' nat, say). `turn.verdict` then tells only whether it came back to this host.
 * - An inbound packet with an `oif` was made on this host: a local server's, or a reset of its own.
 * - An outbound one with an `iif` came back by it (lo: it was sent to this host). */
void trace_emit(struct trace *t, host_emit *emit, void *arg);

#endif
