/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Inside host/: what else may drop or turn our packets: eBPF programs in force
 * on the caller's cgroup, tc filters and actions, tcx, XDP, queueing disciplines,
 * security modules.
 */
#ifndef SB_HOST_PROGRAMS_H
#define SB_HOST_PROGRAMS_H

#include <stdbool.h>
#include <stddef.h>

#include "host/watch.h"

/* HOST_PROGRAM for what is in force on the watch's egress interface, on those below it (a VLAN's
 * device, a bond's members), on lo, and on the cgroup of this process and its ancestors;
 * HOST_NOT_LOOKED for what can't be looked at. Some ms.
 *
 * Of tc filters only those that are programs, or that may fit our packets and stop them. `drops`
 * is about every rport of the watch: ask with one alone to know about that one. `attach_type` is
 * the hook in bpftool's words; "egress", "ingress" or "root" for tc, "xdpgeneric", "xdpdrv" or
 * "xdpoffload" (as `ip link set dev IF xdpgeneric off` takes it) for XDP. `cgroup` is "" when the
 * program sits above what is visible here. */
void programs_emit(const struct host_watch *w, host_emit *emit, void *arg);

#endif
