/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Entering a network namespace, with the files that `ip netns exec` would give it. */
#ifndef SB_RUN_NETNS_H
#define SB_RUN_NETNS_H

#include "base/err.h"

/* name_or_pid: a name below /run/netns, else the PID of a process that lives in it. Moves the whole
 * (single-threaded) process. A name's /etc/netns/NAME/resolv.conf and hosts replace the system's,
 * seen by this process alone. */
int netns_enter(const char *name_or_pid, struct err *e);

#endif
