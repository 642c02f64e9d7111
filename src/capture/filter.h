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

struct filter_var {
	const char *name; /* without ${} */
	const char *value;
};

/* Takes comment lines (first character that is no blank: #) and empty lines out of `text` and
 * puts values in the place of ${NAME}. malloc'd; NULL with ERR_RUN for a placeholder that has no
 * value or no closing brace. */
char *filter_expand(const char *text, const struct filter_var *vars, size_t n_vars, struct err *e);

/* Filter of one run, bpf/probe.filter: TCP from or to `target`, or from or to one of our own
 * source ports whatever the address (a redirect on this host changes the address, not the port),
 * and ICMP/ICMPv6 errors. malloc'd text, never NULL. Compiling costs 0.5 ms with 16 ports, 5 ms
 * with 64. */
char *filter_for_probe(const struct addr *target, const uint16_t *local_ports, size_t n_ports);

/* Filter of many runs at once, bpf/crowd.filter: their source ports come from these ranges (both ends
 * included), `ports` are those that they call. The same promises; about 1 ms. */
struct filter_range {
	uint16_t low, high;
};
char *filter_for_crowd(struct filter_range connections, struct filter_range traces,
		       const uint16_t *ports, size_t n_ports);

/* Does it compile for this link type? For tests and early errors. */
int filter_check(const char *text, int link_type, struct err *e);

#endif
