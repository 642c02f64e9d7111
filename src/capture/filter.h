/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The capture filter: commented pcap-filter text under bpf/ with ${NAME}
 * placeholders, embedded at build time, filled in and compiled at run time.
 */
#ifndef SB_CAPTURE_FILTER_H
#define SB_CAPTURE_FILTER_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

/* Filter of one run, bpf/probe.filter: TCP from or to `target`, or from or to one of our own
 * source ports whatever the address (a redirect on this host changes the address, not the port),
 * and ICMP/ICMPv6 errors. malloc'd text. */
char *filter_for_probe(const struct addr *target, const uint16_t *local_ports, size_t n_ports);

/* Does it compile for this link type? For tests and early errors. */
int filter_check(const char *text, int link_type, struct err *e);

#endif
