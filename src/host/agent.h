/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The privileged half of a run: a process of its own that asks the kernel about
 * firewall rules, programs and settings, while the half that talks to the
 * network has no capability left.
 *
 * It takes fixed requests only, parses nothing that came from the network, and
 * is gone, with everything that it set up in the kernel, when the run ends,
 * however that happens. A request blocks until its answer is whole or its time
 * is over. Main thread only.
 */
#ifndef SB_HOST_AGENT_H
#define SB_HOST_AGENT_H

#include <stdbool.h>

#include "base/err.h"
#include "host/watch.h"
#include "model/host_record.h"

struct agent; /* opaque */

/* Forks: before any thread is made, after the network namespace was entered, while privileges are
 * there. ERR_RUN only when a process can't be made; what it may not do is a record later. */
int agent_start(struct agent **out, struct err *e);
/* Tells it to go; agent_stop() waits until it, and what it held in the kernel, is gone. Both fine
 * with NULL. */
void agent_end(struct agent *a);
void agent_stop(struct agent *a);

/* Each: records go to emit until the answer is whole. An agent that is dead, or takes longer than
 * timeout_ms, answers with a HOST_NOT_LOOKED record, and so does one that is busy still with what
 * took it too long: it is of use again when it has come to that's end. */

/* From now on this is what the run is about. trace: with an nf_tables trace of these packets. */
void agent_watch(struct agent *a, const struct host_watch *w, bool trace, int timeout_ms,
		 host_emit *emit, void *arg);

/* HOST_PACKET records since the last call. */
void agent_collect(struct agent *a, int timeout_ms, host_emit *emit, void *arg);

/* HOST_PROGRAM: what is in force where our packets pass. */
void agent_programs(struct agent *a, int timeout_ms, host_emit *emit, void *arg);

/* Around one more attempt: remembers counters and makes the kernel say why it drops; then says
 * what moved, what was dropped, and what is in force. tried: bit i for rports[i] of the watch, when
 * that was tried meanwhile. */
void agent_look_begin(struct agent *a, int timeout_ms, host_emit *emit, void *arg);
void agent_look_end(struct agent *a, uint32_t tried, int timeout_ms, host_emit *emit, void *arg);

/* Where a connection from lport went: HOST_TRANSLATION, HOST_OWNER. */
void agent_translation(struct agent *a, uint16_t lport, uint16_t rport, int timeout_ms,
		       host_emit *emit, void *arg);

/* Without a packet: HOST_SIGHT for every rport of the watch, and what is in force. */
void agent_inspect(struct agent *a, const struct host_watch *w, int timeout_ms, host_emit *emit,
		   void *arg);

/* The watch is over: takes the trace away. Does not wait for it; an agent that is busy does it when
 * the next watch begins. */
void agent_unwatch(struct agent *a);

#endif
