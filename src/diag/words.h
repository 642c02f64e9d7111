/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Templates of the rule table and texts of events, in words for a person.
 * {name} is replaced from the port's facts; see words.c and words_session.c for the names;
 * words_event.c has the events. Pure.
 */
#ifndef SB_DIAG_WORDS_H
#define SB_DIAG_WORDS_H

#include "base/arena.h"
#include "diag/facts.h"
#include "diag/named.h"
#include "model/names.h"

struct words {
	struct arena *arena; /* owns what is returned */
	const struct tracker *tracker;
	const struct port_facts *facts; /* of the port in question */
	unsigned port;
	const struct named *named; /* who on this host did it, NULL: nobody is named */
	const struct rule *rule; /* whose templates these are, NULL none */
	const char *works_instead; /* what to use in its place, "" when nothing is known */
};

/* Expands one template. An unknown {name} is a defect that a test finds: it stays as it is. */
const char *words_expand(const struct words *w, const char *template);

/* The SYN-ACK beside the control's, the RST beside the SYN-ACK; NULL: nothing to lay beside it. */
const char *words_synack(struct arena *a, const struct tracker *t, const struct port_facts *p);
const char *words_rst(struct arena *a, const struct tracker *t, const struct port_facts *p);

/* Which TTL of the words that a session was reset, closed or turned away for drew an answer. */
const char *words_drawn(struct arena *a, const struct tracker *t, const struct port_facts *p);

/* What the packets of the connection say about a fact of a standstill. */
const char *words_stall(struct arena *a, const struct port_facts *p, enum fact fact);

/* What of the certificate that was shown would fit the kinds of TLSA records that the zone has. */
const char *words_tlsa(struct arena *a, const struct tracker *t, const struct port_facts *p);

/* The command that writes the ticket of this very run; NULL where it can't stand in a sentence. */
const char *words_ticket_command(struct arena *a, const struct tracker *t);

/* One sentence for an event, as evidence; NULL for an event that is none. *port is set to the port
 * that it is about, 0 none. */
const char *words_event(struct arena *a, const struct tracker *t, const struct event *ev,
			enum source *source, unsigned *port);

/* "the nf_tables rules" */
const char *words_host_look(enum host_look look);

/* The source address that was asked for belongs to another interface than that by which packets leave. */
bool words_source_is_elsewhere(const struct tracker *t);

/* How far the session came, for a rule about sessions. */
struct session_point words_session(const struct words *w);

/* The sentence with the command that writes the ticket. */
const char *words_ticket(const struct words *w);

/* "192.0.2.1"; "192.0.2.1 port 25"; "admin-prohibited (type 3 code 13)". */
const char *words_addr(struct arena *a, const struct addr *addr);
const char *words_endpoint(struct arena *a, const struct addr *addr, unsigned port);
const char *words_icmp(struct arena *a, const struct addr *from, unsigned type, unsigned code);

/* What the DNS is asked about port 25, for "not looked at". */
#define WORDS_DNS_PROMISES "DANE (TLSA) and MTA-STS records"

/* A small probability as people say it: "1 in 17 million"; one that is not small as "30%". */
const char *words_odds(struct arena *a, double probability);

/* The product that this text betrays, with "" for none. */
const char *words_product(const struct tracker *t, enum signature_kind kind, const char *text);

#endif
