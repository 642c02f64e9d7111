/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Inside host/: what else may drop or turn our packets: eBPF programs in force
 * on the caller's cgroup, tc filters and actions, tcx, XDP, queueing disciplines.
 */
#ifndef SB_HOST_PROGRAMS_H
#define SB_HOST_PROGRAMS_H

#include "host/watch.h"

/* HOST_PROGRAM for everything in force on the watch's egress interface and on the cgroup of this
 * process and its ancestors; HOST_NOT_LOOKED for what can't be looked at. */
void programs_emit(const struct host_watch *w, host_emit *emit, void *arg);

#endif
