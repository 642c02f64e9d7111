/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * SYNs to documentation addresses (RFC 5737, 3849, 9637): they are nobody's, so
 * who completes a handshake in their name does it for whoever is called. Pure.
 *
 * Laboratories number their networks from these ranges, too. So one answer is no
 * proof: a second address, in another range where there is one, must answer as
 * well, and on a port that nobody serves the first must not. A host would have to
 * be hit twice by chance, and a gateway that answers everything is told apart.
 */
#ifndef SB_DIAG_CANARY_H
#define SB_DIAG_CANARY_H

#include "model/event.h"

struct tracker;
struct port_facts;
struct diag_advice;

#define CANARY_MAX 128
/* Assigned to nobody: a service that somebody captures is not there, and a device that takes every
 * connection is. */
#define CANARY_CONTROL_PORT 47025

struct canary_syn {
	struct addr dst;
	uint16_t port;
	uint32_t seq;
	int64_t t_ns;
	bool taken;   /* by a SYN-ACK */
	bool refused; /* by a RST or an ICMP error */
	bool failed;  /* this host did not send it */
	uint8_t ttl;  /* of the SYN-ACK on arrival */
	size_t event; /* the SYN-ACK */
};

struct canary {
	struct addr address[CANARY_ADDRESSES]; /* of EV_CANARY */
	struct canary_syn syn[CANARY_MAX];
	unsigned n;
};

void canary_feed_probe(struct canary *c, const struct event *ev);
/* True when the packet answers one of these SYNs. */
bool canary_feed_packet(struct canary *c, const struct packet *packet, size_t event);

/* For facts_of_port(), after the path. */
void facts_of_canary(const struct tracker *t, int port_index, int64_t now, struct port_facts *p);

/* For diag_advise(). */
void advise_canary(const struct tracker *t, const struct port_facts *facts, unsigned n_tested,
		   int64_t now, struct diag_advice *advice);

#endif
