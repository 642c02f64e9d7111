/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the kernel says about this host, by rtnetlink (libnl). Sends no packet.
 * Every call looks in the network namespace in which host_open() was called.
 * Main thread only. Bounded: a kernel that does not answer within a second is
 * an error (ERR_RUN).
 */
#ifndef SB_HOST_HOST_H
#define SB_HOST_HOST_H

#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "model/host_facts.h"
#include "model/host_record.h"

struct host; /* opaque */

int host_open(struct host **out, struct err *e);
void host_free(struct host *h); /* NULL is fine */

/* By index, or by name when name is not NULL. ERR_USAGE "no such interface" when there is none. */
int host_get_link(struct host *h, int ifindex, const char *name, struct host_link *out,
		  struct err *e);

struct route_query {
	struct addr dst;
	struct addr src;       /* ADDR_NONE: not given */
	int oif;               /* 0: not given (-i) */
	uint16_t sport, dport; /* 0: not given; TCP */
};

/* The route as connect() would take it: with the caller's user id, TCP and the ports, and looked up
 * again with the source once that is chosen. A refusal is a result, not an error: out->error, and
 * `stop` names the route or rule that is to blame where it can be found (about 0.1 ms; 0.1 s more
 * for each million routes of a table when an error route may be to blame). IPv4 with `oif` is never
 * refused by rules or tables: the kernel then takes the destination as on the link (table 0). */
int host_get_route(struct host *h, const struct route_query *q, struct host_route *out,
		   struct err *e);

/* Whether an ip rule of this family looks at ports, so that each port of an address may take another
 * route; true when that can't be told. */
bool host_rules_see_ports(struct host *h, enum addr_family family);

/* An ip rule that would forbid this connection if the firewall gave its packets the right mark. */
bool host_get_mark_rule(struct host *h, const struct route_query *q, struct host_mark_rule *out);

/* exists = false when the table has no such entry. */
int host_get_neighbour(struct host *h, int ifindex, const struct addr *a,
		       struct host_neighbour *out, struct err *e);

/* Is this address one of the host's own? *ifindex (may be NULL) gets the interface that has it, 0 none. */
int host_has_address(struct host *h, const struct addr *a, bool *yes, int *ifindex, struct err *e);

#endif
