/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Inside host/: legacy iptables, whose kernel half says nothing by itself: rules
 * are found by the counters that move with our packets
 * (`iptables-legacy-save -c` and its v6 twin as bounded child processes, and
 * only when the tables exist: asking would create them).
 */
#ifndef SB_HOST_IPTABLES_H
#define SB_HOST_IPTABLES_H

#include "base/err.h"
#include "host/watch.h"

struct iptables; /* one reading of all tables with their counters; opaque */

/* False: /proc is not there, or hides it, so that nobody knows. */
bool iptables_can_be_seen(void);

/* Do legacy tables exist here? Without the right to know: yes, and iptables_read() says why it
 * can't. family: ADDR_V4 or ADDR_V6. */
bool iptables_present(enum addr_family family);

int iptables_read(struct iptables **out, enum addr_family family, struct err *e);
void iptables_free(struct iptables *t); /* NULL is fine */

/* From saved text, for tests. */
int iptables_parse(struct iptables **out, enum addr_family family, const char *text, size_t len,
		   struct err *e);

/* HOST_COUNTED for the rules and policies that would stop or turn our packets and whose counters
 * moved from a to b, the most likely first, for each direction. dport: a port that was tried
 * between them. Those for inbound packets say who would have stopped an answer; whether one came
 * is for others to know. None when `certain` ones stop the way out. */
void iptables_compare(const struct iptables *a, const struct iptables *b,
		      const struct host_watch *w, uint16_t dport, host_emit *emit, void *arg);

/* HOST_SIGHT for each rport: what these tables would do with a SYN of the watch, and its answer. */
void iptables_inspect(const struct iptables *t, const struct host_watch *w, host_emit *emit,
		      void *arg);

#endif
