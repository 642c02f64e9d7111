/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Inside host/: the kernel's own drop reasons (tracepoint skb:kfree_skb) for the
 * watch's packets, by an eBPF program (bpf/drops.bpf.c). Optional at build time
 * (libbpf) and at run time (BTF, privilege).
 */
#ifndef SB_HOST_DROPS_H
#define SB_HOST_DROPS_H

#include "base/err.h"
#include "host/watch.h"

struct drops; /* opaque */

/* Of a watch without source ports: those of all connections to its destination. -1 (ERR_RUN): why it
 * can't be had here. */
int drops_open(struct drops **out, const struct host_watch *w, struct err *e);
void drops_close(struct drops *d); /* NULL is fine */

/* HOST_KERNEL_DROP for what was dropped since the last call. */
void drops_emit(struct drops *d, host_emit *emit, void *arg);

#endif
