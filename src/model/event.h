/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What happened, and when: the only thing that enters the pure core (diag/).
 *
 * Live runs, saved cases and captures are sources of the same events. Strings
 * are clean (base/text.h) and owned by the log that holds the event.
 */
#ifndef SB_MODEL_EVENT_H
#define SB_MODEL_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/arena.h"
#include "model/dns.h"
#include "model/host_facts.h"
#include "model/host_record.h"
#include "model/names.h"
#include "model/packet.h"

/* A flow is one connection attempt of this run; its number is its index, from 0. */
#define NO_FLOW 0xffffu

enum flow_role {
	FLOW_TESTED,  /* judges a port: whoever answers is spoken to */
	FLOW_CONTROL, /* connects only, to see how the address fares on another port */
	FLOW_REPEAT,  /* a further SYN to a silent port, and to a control beside it */
	FLOW_HELD,    /* the dialogue again up to where it was reset: what is said then goes out TTL-limited */
	FLOW_SMALL,   /* the dialogue again, with a small MSS: does what gets lost come in smaller packets? */
	FLOW_TLS_TRY, /* to a port that accepts and says nothing: does it wait for TLS? */
};

struct ev_flow_start {
	enum flow_role role;
	uint16_t attempt;       /* 0 first */
	struct addr local, remote;
	uint16_t lport, rport;
};

struct ev_connect {
	int error;          /* 0: the handshake completed; else errno */
	bool at_once;       /* from connect() itself, before any packet can have come back */
	struct addr peer;   /* getpeername() when connected */
	uint16_t peer_port;
	struct addr local;  /* source address that the kernel chose, when known */
};

/* An ICMP error from a socket's error queue (the tap may not have seen it). */
struct ev_icmp_error {
	int error; /* errno it maps to */
	uint8_t type, code;
	struct addr from;
};

enum session_end {
	SESSION_DONE,      /* the dialogue was held to its end */
	SESSION_CLOSED,    /* FIN from the other side */
	SESSION_RESET,     /* RST */
	SESSION_STALLED,   /* the time given is over */
	SESSION_NOT_SMTP,  /* what came is no SMTP reply */
	SESSION_TLS_ERROR, /* the handshake failed: text says how */
	SESSION_ICMP,      /* an ICMP error ended it */
};

struct ev_reply {
	enum session_stage stage; /* to what it answers */
	int code;         /* 200..599; 0: not said, `text` tells why */
	const char *text; /* all its lines without code, joined by " / " */
	const char *const *lines; /* the same, one each, NULL at the end; may be NULL */
	bool helo;        /* STAGE_EHLO: the answer is to HELO, EHLO was not known */
};

struct ev_session_end {
	enum session_stage stage;
	enum session_end end;
	uint32_t bytes;   /* received in all */
	bool more;        /* one question is left, on which the dialogue doesn't depend: STARTTLS, which
			   * was not offered. EV_REPLY with STAGE_UNOFFERED ends it; code 0: no answer */
	bool in_clear;    /* SESSION_TLS_ERROR: it answers in the clear where TLS is due */
	const char *text; /* first bytes of what is no SMTP, or OpenSSL's words; may be NULL */
};

struct ev_tls {
	const char *version, *cipher;
	const char *subject, *issuer;
	const char *const *names; /* DNS names and addresses of the certificate, NULL at the end */
	const char *spki_sha256;  /* lower-case hex */
	bool verified;
	const char *error;        /* why not verified, NULL when verified */
	/* the TLSA records that this chain fulfils ("3 1 1 0a1b..."), NULL at the end; may be NULL */
	const char *const *tlsa;
};

/* FLOW_HELD has come to its stage: its kernel sends what is said there with a TTL of 1. */
struct ev_held {
	enum session_stage stage;
};

enum probe_kind {
	PROBE_TRACE,  /* to the target, TTL-limited: who answers for which TTL? */
	PROBE_FULL,   /* to the target, with the usual TTL: what a connection's SYN would meet */
	PROBE_BORDER, /* to a router of the path itself: does its own stack get this port? */
	PROBE_CANARY, /* to an address that is nobody's, with the usual TTL: who answers for anybody? */
	/* on a connection of this run (the event's flow): */
	PROBE_LOOK,   /* a keep-alive, which its other side must answer */
	PROBE_ACK,    /* TTL-limited, our latest acknowledgement: what does any packet of it meet? */
	PROBE_DATA,   /* TTL-limited, what we said last: what does that meet? */
	PROBE_SIZE,   /* TTL-limited, as long as that, and nothing but spaces: is it its size? */
};

/* One raw segment of ours. A SYN's sequence number is unique in the run: a quote, a SYN-ACK and a RST
 * all bring it back. */
struct ev_probe {
	enum probe_kind kind;
	uint16_t port;      /* destination port, of the plan; PROBE_CANARY: any */
	struct addr dst;
	uint16_t sport;
	uint8_t ttl;
	uint32_t seq;
	uint16_t ip_id;     /* IPv4 */
	uint16_t window;    /* PROBE_ACK, PROBE_DATA: with ip_id what tells one from the others in a quote */
	bool injected;      /* below this host's own firewall */
	int error;          /* errno of the send, 0 sent */
};

/* One question to the DNS and what came of it. Asked: the answer may still come (`status` says
 * nothing yet); each question that is asked gets a second event. */
struct ev_dns {
	enum dns_record record;
	bool asked;
	const char *name;
	enum dns_status status;
	enum dns_trust trust;
	const char *text;         /* the answer in words; may be NULL */
	const char *const *tlsa;  /* DNS_RECORD_TLSA: as text, "3 1 1 0a1b...", NULL at the end */
};

/* Documentation addresses that leave this host as the target does, and lie in no network that it or
 * the target is in. */
#define CANARY_ADDRESSES 4
struct ev_canary {
	struct addr address[CANARY_ADDRESSES]; /* ADDR_NONE behind the last */
};

/* What ails a port, as far as it can be the same for other targets. */
enum ailment {
	AILMENT_OTHER, /* each target's own */
	AILMENT_SILENT, /* no answer, and another port of the address answers */
	AILMENT_ICMP,   /* one router's ICMP error */
	AILMENT_UNANSWERED, /* no answer, and none of any other port */
};

/* Where other targets of the same call stop that fail as this one does: so many were traced one by
 * one, all of them stop there, and this one needs no trace of its own to say so with less certainty. */
struct ev_alike {
	uint16_t port;
	enum ailment ailment;
	uint16_t traced;
	enum place place;
	uint16_t permille; /* least confidence with which that place was found, in thousandths */
	uint8_t from_ttl, to_ttl; /* behind the first, at or before the second */
	uint8_t culprit_ttl;      /* that of the two which lies in `place`; 0 neither */
	struct addr from, to;     /* ADDR_NONE: that hop is silent */
	bool confirm;      /* there is room for a few probes to see whether it holds here, too */
};

/* Whose network an address belongs to. */
struct ev_asn {
	struct addr address;
	uint32_t asn;
	const char *name; /* may be NULL */
};

struct ev_capture_stats {
	uint64_t received, dropped_kernel, dropped_queue;
};

/* What could not be looked at, and why: takes the facts of that kind away. */
enum look {
	LOOK_CAPTURE,
	LOOK_ROUTE,
	LOOK_LINK,
	LOOK_NEIGHBOUR,
	LOOK_PATH,
	LOOK_CONNECT, /* a connection that could not even be tried */
	LOOK_DNS,     /* what it promises of port 25 */
	LOOK_COUNT,
};

struct ev_not_looked {
	enum look what;
	const char *why;
};

enum event_kind {
	EV_LINK,         /* host: egress link */
	EV_ROUTE,        /* host: lookup for one port */
	EV_NEIGHBOUR,    /* host: next hop's entry */
	EV_FLOW_START,   /* flow */
	EV_CONNECT,      /* flow */
	EV_ICMP_ERROR,   /* flow */
	EV_PACKET,       /* captured */
	EV_REPLY,        /* flow */
	EV_TLS,          /* flow */
	EV_SESSION_END,  /* flow */
	EV_HELD,         /* flow */
	EV_PROBE,        /* path */
	EV_DNS,
	EV_CANARY,       /* path: addresses for PROBE_CANARY; none: there are no such probes */
	EV_ALIKE,        /* path: of other targets */
	EV_ASN,          /* path: AS of a hop, the target or our own address */
	EV_HOST,         /* host: firewall, programs, settings, by the privileged process */
	EV_CAPTURE_STATS,
	EV_NOT_LOOKED,
	EV_RUN_END,      /* the run looked until here; the last event */
};

struct event {
	int64_t t_ns; /* wall clock */
	enum event_kind kind;
	uint16_t flow; /* NO_FLOW where none belongs to it */
	union {
		struct host_link link;
		struct host_route *route; /* owned by the log */
		struct host_neighbour neighbour;
		struct ev_flow_start flow_start;
		struct ev_connect connect;
		struct ev_icmp_error icmp_error;
		struct packet packet;
		struct ev_reply reply;
		struct ev_tls tls;
		struct ev_session_end session_end;
		struct ev_held held;
		struct ev_probe probe;
		struct ev_canary canary;
		struct ev_dns dns;
		struct ev_alike alike;
		struct ev_asn asn;
		struct host_record *host; /* owned by the log */
		struct ev_capture_stats capture_stats;
		struct ev_not_looked not_looked;
	};
};

/* All events of one run, in the order of their arrival. Main thread only. */
struct event_log {
	struct event *events;
	size_t n, size;
	struct arena arena; /* owns the strings of the events */
	size_t max;         /* further packets are counted, not kept */
	size_t overflow;    /* packets not kept: counts as capture loss */
};

#define EVENT_LOG_MAX 20000

void event_log_init(struct event_log *log);
void event_log_clear(struct event_log *log);

/* Copies *ev, and cleans its strings should that have been forgotten; the pointer is valid until the
 * next add. Packets beyond `max` are counted only (NULL is returned); other kinds are bounded by the
 * plan and always kept. */
struct event *event_log_add(struct event_log *log, const struct event *ev);

/* Copies *route, too: it becomes ev->route of an EV_ROUTE. */
void event_log_add_route(struct event_log *log, struct event *ev, const struct host_route *route);

/* Copies *r, too, and adds it as EV_HOST with its own time. */
void event_log_add_host(struct event_log *log, const struct host_record *r);

/* Sorts by time. Of the same stamp, packets come last (what is done, then what is seen of it): a run
 * hears of them sooner or later, and a saved case keeps them apart. Else in order of arrival. */
void event_log_sort(struct event_log *log);

#endif
