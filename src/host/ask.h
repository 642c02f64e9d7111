/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Inside host/: one question to the kernel on a netlink protocol other than
 * rtnetlink (xfrm, conntrack, sockets), on a socket of its own, bounded in time.
 * Requests are made by netlink_request() and netlink_put().
 */
#ifndef SB_HOST_ASK_H
#define SB_HOST_ASK_H

#include <stdbool.h>

#include "base/err.h"
#include "host/netlink.h"
#include "host/watch.h"

/* Has the kernel somebody who listens to this protocol here? Asking where there is none makes the
 * kernel load a module. True when that can't be told. */
bool ask_possible(int protocol);

/* Called for each message of the answer; a dump that has to begin anew starts with NULL, as for a
 * netlink_handler. False: enough, the rest is not wanted. */
typedef bool ask_handler(const struct nlmsghdr *message, void *arg);

/* Sends msg and frees it. 0: *answer is 0 or the kernel's errno (positive). -1 with ERR_RUN: the
 * socket failed, or the answer was not whole within timeout_ms. */
int ask(int protocol, struct nl_msg *msg, int timeout_ms, ask_handler *on, void *arg, int *answer,
	struct err *e);

/* The source address of the watch's connections: as given, or the one that the kernel would take.
 * ADDR_NONE: neither. */
struct addr ask_source(const struct host_watch *w);

#endif
