/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Puts events together by flow: which packet answers which attempt. Pure.
 *
 * A flow is matched by our source port first: redirects (DNAT, REDIRECT) change
 * the address that we called, masquerading changes ours, and both are to be
 * seen, not to be missed. Every packet keeps its event, as evidence.
 */
#ifndef SB_DIAG_TRACKER_H
#define SB_DIAG_TRACKER_H

#include <stdbool.h>
#include <stdint.h>

#include "diag/canary.h"
#include "diag/path.h"
#include "diag/talk.h"
#include "model/event.h"
#include "model/plan.h"

#define TRACKER_MAX_FLOWS 256
#define TRACKER_MAX_HOST 1024 /* records of the host; further ones are not used */
#define TRACKER_MAX_ICMP 4 /* kept of one flow: the first of each kind */

/* Whose hand an answer shows, as far as one packet can. */
struct answer {
	bool seen;
	unsigned count;
	int64_t t_ns;      /* of the first */
	uint8_t ttl;
	uint16_t ip_id;
	uint16_t window;
	uint32_t seq;      /* its sequence number and timestamp */
	bool has_ts;
	uint32_t ts_val;
	bool df;
	bool has_mss, has_wscale, sack;
	uint16_t mss;
	uint8_t wscale;
	uint64_t option_order; /* see struct tcp_segment */
	bool on_lo;        /* first one was captured on loopback */
	int ifindex;
	bool has_ack;      /* the flag: without it the acknowledgement number says nothing (RFC 9293) */
	bool acks_our_syn; /* its acknowledgement number fits the SYN that was seen */
	size_t event;      /* index in the log */
};

/*
 * What no stack does that resets a connection itself (Weaver, Sommer, Paxson: Detecting Forged TCP Reset
 * Packets, NDSS 2009; the names are theirs). Of RSTs after the handshake.
 */
struct rst_signs {
	unsigned n;
	uint32_t last_seq;
	bool seq_change;     /* several, running ahead of all that the other side has sent */
	bool ack_change;     /* one acknowledges what we never sent */
	bool seq_data;       /* the other side goes on behind the first one's number */
	size_t data_event;   /* ... with this packet */
	size_t change_event; /* first RST that shows a change */
};

struct icmp_answer {
	struct icmp_message msg;
	struct addr from;
	bool on_lo;        /* seen on loopback, or sent by ourselves */
	bool from_errqueue;
	uint8_t ttl;
	int64_t t_ns;
	size_t event;
};

/* The reply to what was said at one stage; code 0: none came. */
struct stage_reply {
	int code;
	const char *text;
	const char *const *lines; /* may be NULL */
	int64_t t_ns;
	size_t event;
	bool helo;
	uint8_t ttl;        /* with which the latest packet before it came that held new bytes; 0 unknown */
	size_t packet;
};

struct flow {
	uint16_t id;
	enum flow_role role;
	uint16_t attempt;
	uint16_t port;      /* remote port as called */
	int port_index;     /* in the plan */
	struct addr local;
	uint16_t lport;
	int64_t start_ns;
	size_t start_event;

	unsigned syn_out;   /* SYNs seen leaving by a real interface, retransmissions included */
	int64_t first_syn_ns, last_syn_ns;
	int syn_ifindex;
	uint8_t syn_ttl;
	uint16_t mss;       /* largest segment that our SYN asks for, as it left; 0: it says nothing */
	uint32_t isn;
	bool has_isn;
	size_t syn_event;
	bool translated;    /* it left with another source address or port (masquerading here) */
	struct addr translated_src;
	uint16_t translated_sport;

	int64_t held_ns;     /* EV_HELD, 0: not yet */
	struct talk talk;    /* after the handshake, until the session ended */
	int64_t looked_ns;   /* latest keep-alive that was sent on it */
	unsigned n_looks;
	size_t payload_event; /* first packet of the other side with payload */
	uint8_t payload_ttl;
	uint8_t last_ttl;    /* of its latest packet with new bytes, 0 none */
	size_t last_event;
	struct answer fin;   /* its first FIN */
	struct rst_signs signs;
	struct {
		bool rst, fin, words;
	} drawn;             /* FLOW_HELD: what came for what was held back */

	bool syn_on_lo;     /* the very SYN was seen on loopback */
	bool redirected;    /* it left, or was looped, to another address or port */
	struct addr redirect_dst;
	uint16_t redirect_dport;
	size_t redirect_event;

	struct answer synack, rst;
	bool rst_before_synack;
	struct icmp_answer icmp[TRACKER_MAX_ICMP];
	unsigned n_icmp;

	bool has_result;    /* EV_CONNECT came */
	int error;
	bool at_once;
	struct addr peer;
	uint16_t peer_port;
	int64_t result_ns;
	size_t result_event;

	bool has_reply;     /* greeting */
	int reply_code;
	const char *reply_text;
	int64_t reply_ns;
	size_t reply_event;
	struct stage_reply replies[STAGE_COUNT]; /* by the stage that they answer */
	int64_t last_heard_ns; /* latest reply, or the end of the handshake */
	bool has_tls;
	size_t tls_event;
	int64_t tls_ns;
	bool has_end;
	enum session_end end;
	enum session_stage end_stage;
	const char *end_text;
	bool end_in_clear;
	uint32_t end_bytes;
	size_t end_event;
	bool more;          /* STARTTLS was said after the end, though it was not offered */
	bool has_late_tls;  /* ... and the server agreed, with its certificate */
	size_t late_tls_event;
};

struct tracker {
	const struct plan *plan;
	const struct event_log *log; /* borrowed; events are referred to by index */
	struct flow *flows; /* moves when one is added */
	unsigned n_flows, flows_size;
	int64_t start_ns, end_ns;
	bool ended; /* EV_RUN_END */

	bool has_link;
	struct host_link link;
	size_t link_event;
	bool has_neighbour;
	struct host_neighbour neighbour; /* the latest look */
	size_t neighbour_event;
	bool neighbour_was_silent;
	size_t neighbour_silent_event; /* the latest look that met it unanswered */
	bool neighbour_asked;      /* a request for its link-layer address was seen leaving */
	size_t neighbour_answered; /* event of its first answer that was seen coming, plus 1; 0: none was */
	struct {
		bool has;
		const struct host_route *route; /* the log's; an empty one until `has` */
		size_t event;
	} routes[PLAN_MAX_PORTS];

	struct path path;
	struct canary canary;
	size_t alike[PLAN_MAX_PORTS]; /* 1 + the latest EV_ALIKE of the port, 0 none */
	struct {
		bool asked, has;
		size_t event; /* the latest */
	} dns[DNS_RECORD_COUNT];

	size_t *host; /* events EV_HOST, in the order of the log */
	unsigned n_host, host_size;
	const char *host_not_looked[HOST_LOOK_COUNT]; /* why, or NULL */

	bool has_stats;
	struct ev_capture_stats stats;
	size_t stats_event;
	const char *not_looked[LOOK_COUNT]; /* why, or NULL */
	size_t not_looked_event[LOOK_COUNT];
};

void tracker_init(struct tracker *t, const struct plan *plan, const struct event_log *log);
void tracker_clear(struct tracker *t); /* frees what is in it */

/* Takes the event log->events[index]. Events may come a little out of order. */
void tracker_feed(struct tracker *t, size_t index);

/* What the DNS said of that; NULL: nothing yet, or nobody asked. */
const struct ev_dns *tracker_dns(const struct tracker *t, enum dns_record record);

/* The flow of this port whose conversation counts (FLOW_HELD and FLOW_SMALL are further ones that
 * explain it): the one with a session, else one that connected, else the one with a result, else the
 * first. NULL before any was started. */
const struct flow *tracker_main_flow(const struct tracker *t, int port_index);

/* The connection of this port whose words are held back (FLOW_HELD), NULL none. */
const struct flow *tracker_held(const struct tracker *t, int port_index);

/* The attempt that began with TLS on a port that says nothing, NULL: none was made. */
const struct flow *tracker_tls_try(const struct tracker *t, int port_index);

/* Answers of the target have come through routers, whatever the route says: one of them may answer for
 * its address on this link (proxy ARP). */
bool tracker_is_far(const struct tracker *t);

/* Did packets get lost on their way to us? Then nothing that was not seen counts as absent. */
bool tracker_capture_whole(const struct tracker *t);

/* How many did. */
uint64_t tracker_capture_lost(const struct tracker *t);

#endif
