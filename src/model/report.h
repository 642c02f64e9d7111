/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One finished report: the contract's JSON as structs. Renderers (report/)
 * read it and decide nothing. Strings are clean UTF-8 (base/text.h) and, like
 * every pointer in here, owned by `arena`. NULL stands for the JSON null.
 */
#ifndef SB_MODEL_REPORT_H
#define SB_MODEL_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/arena.h"
#include "model/host_record.h"
#include "model/names.h"

#define CONFIDENCE_NONE (-1.0) /* null: the place is unknown */
#define CONFIDENCE_SURE 0.8    /* below this a sentence that names the place says "probably" */
#define CONFIDENCE_LIKELY 0.55 /* below this not even that: it names the next likely place, too */
#define CONFIDENCE_WORTH 0.2   /* from this on another place is worth a remedy of its own */
#define TIME_NONE (-1.0)       /* null: did not get that far */

struct candidate {
	enum place place;
	double confidence;
};

struct hop_end {
	unsigned ttl;      /* 0 is this host */
	struct addr address; /* ADDR_NONE: silent */
};

struct report_icmp {
	unsigned type, code;
	const char *name;
	struct addr from;
};

/* `kind` says which of the fields below are in use; text always is. */
struct culprit {
	enum culprit_kind kind;
	const char *text;
	int error;             /* local-error: errno of connect(), else 0 */
	const char *type;      /* route */
	const char *table;     /* route, nft, iptables */
	uint32_t priority;     /* ip-rule */
	struct addr address;   /* neighbour, hop, middlebox */
	const char *interface; /* neighbour, link, tc, xdp */
	const char *state;     /* neighbour, link */
	unsigned ttl;          /* hop, middlebox */
	uint32_t asn;          /* hop, middlebox; 0 unknown */
	const char *as_name;
	int code;              /* server */
	const char *family, *chain, *hook, *verdict; /* nft-rule, nft-policy, iptables-rule (chain) */
	uint64_t handle;       /* nft-rule */
	unsigned number;       /* iptables-rule */
	const char *name, *value; /* sysctl; name: tc, xdp, cgroup-bpf, lsm */
	const char *cgroup;
	uint32_t id;
	const char *reason, *function; /* kernel-drop */
};

/* How far a session came that was stopped. Not in the JSON report: it is in the words. */
struct session_point {
	bool known;
	enum session_stage stage;
	bool tls_first; /* TLS before the greeting */
	bool by_size;   /* only large packets get lost */
};

struct finding {
	enum mechanism mechanism;
	enum place place;
	enum direction direction;
	double confidence; /* of `place`; CONFIDENCE_NONE when that is unknown */
	struct candidate candidates[PLACE_COUNT]; /* most likely first */
	unsigned n_candidates;
	bool has_hop;
	struct hop_end hop_from, hop_to;
	bool has_icmp;
	struct report_icmp icmp;
	struct culprit culprit;
	const char *summary;        /* one sentence */
	const unsigned *evidence;   /* numbers: 3 is "e3" */
	unsigned n_evidence;
	/* One sentence or command each, most useful first. What begins with a lower-case letter or
	 * a slash is a command; within a sentence a command stands in `backquotes`. The text
	 * report gives each command a line of its own, whole, for copying. */
	const char *const *remedy;
	unsigned n_remedy;
	struct session_point session;
	const char *ticket;         /* the sentence with the command that writes the ticket; ends a remedy, or NULL */
	const char *rule;           /* id of the rule-table row that made it */
};

struct report_tls {
	const char *version, *cipher, *subject, *issuer, *spki_sha256;
	const char *const *names;
	unsigned n_names;
	bool verified;
	const char *error;
};

struct report_smtp {
	int code;              /* of the greeting; 0: none came */
	const char *banner;
	const char *const *ehlo;
	unsigned n_ehlo;
	const char *starttls;  /* NULL: not asked */
	const char *const *auth;
	unsigned n_auth;
	bool has_tls;
	struct report_tls tls;
};

/* What a mail program is to be told; the login mechanisms are those of report_smtp. */
struct report_client {
	const char *host;
	const char *security;    /* "ssl-tls", "starttls", "none" */
	const char *certificate; /* "good", "bad", "none" */
	const char *certificate_error;
};

/* What became of the login that was asked for (--auth), where the port is open. */
struct report_login {
	bool asked, works;
	const char *why; /* it was not tried: why */
	const char *how; /* ... and what makes it possible; or NULL */
};

/* One of several connections to the same port (--repeat). */
struct report_round {
	double t_ms;      /* when it began, since `started` */
	enum state state;
	const char *text; /* what became of it, in a few words */
};

struct report_port {
	unsigned port;
	const char *service;
	enum state state;
	enum host_would would; /* of `inspect` */
	const char *summary;   /* one sentence on the port, also when it is open */
	const struct finding *findings; /* nearest to this host first */
	unsigned n_findings;
	bool upstream_tested;
	bool has_smtp;
	struct report_smtp smtp;
	double connect_ms, banner_ms, tls_ms; /* all since connect() was called; TIME_NONE */
	bool has_client; /* it is open, and for mail programs */
	struct report_client client;
	struct report_login login;
	const struct report_round *rounds; /* the last is what the rest of this struct is about */
	unsigned n_rounds;                 /* 0: it was tried once */
	unsigned passed_first; /* so many rounds passed before the first that did not; 0: no such change */
};

struct report_evidence {
	unsigned number; /* 1.. */
	double t_ms;     /* since `started` */
	enum source source;
	unsigned port;   /* 0: null, not about one port */
	const char *text;
};

/* Replies to the TTL-limited probes of one port at one hop. */
struct report_hop_port {
	unsigned port;
	unsigned sent, time_exceeded, syn_ack, rst, unreachable;
	double rtt_ms; /* smallest; TIME_NONE */
};

struct report_hop {
	unsigned ttl;
	struct addr address; /* ADDR_NONE: silent */
	bool hidden;         /* somebody before it renews TTLs: this one goes farther, and shows no hop */
	const char *name;
	uint32_t asn;        /* 0: null */
	enum place place;
	const struct report_hop_port *ports;
	unsigned n_ports;
};

struct report_vantage {
	const char *hostname, *interface, *link, *gateway_state, *netns;
	const char *user; /* --uid: as whom the connections were made, else NULL */
	struct addr source, gateway;
	struct addr seen_as; /* our address as the server saw it, where it said so: behind a NAT */
	unsigned mtu; /* 0: null */
	bool tunnel;
};

/* Where an arrow of the packet ladder begins or ends beside this host: a TTL of the path, or one of
 * these two. */
#define LANE_TARGET  0xffu /* the far end, or who writes its address */
#define LANE_UNKNOWN 0xfeu

/* One packet of this run. */
struct report_packet {
	double t_ms;      /* since `started` */
	unsigned port;    /* the judged or control port that it is about */
	bool inbound;
	unsigned lane;    /* how far it was sent, or from where it came; 0: it never left this host */
	bool probe;       /* a raw SYN of ours, most of them with a small TTL, or an answer to one */
	bool trace;       /* ... of those with a small TTL, or to a router */
	bool unanswered;  /* a SYN that drew no answer */
	const char *label; /* "SYN", "time exceeded", "42 bytes" */
	const char *text; /* all of it in one line */
	unsigned evidence; /* number of the evidence that it is, 0 none */
};

struct report_control {
	unsigned port;
	const char *outcome; /* "answers", "refuses", "silent", ... for the text report */
};

struct report {
	struct arena arena;
	bool inspect; /* what this host would do: no packet was sent, no port was judged */
	const char *tool_version;
	int64_t started_ns;  /* wall clock */
	double elapsed_ms;
	const char *target_input, *target_name;
	const char *way; /* plan.way: it tells this report from those of the other ways; or NULL */
	struct addr target;
	struct report_vantage vantage;
	const struct report_port *ports;
	unsigned n_ports;
	const struct report_control *controls;
	unsigned n_controls;
	const struct report_hop *path;
	unsigned n_path;
	const struct report_evidence *evidence;
	unsigned n_evidence;
	const struct report_packet *packets; /* by time; only where the plan asks for them */
	unsigned n_packets;
	unsigned packets_left_out; /* beyond what a page holds */
	const char *const *notes; /* what the reader should know of how this was found */
	unsigned n_notes;
	const char *const *not_looked; /* what could not be looked at, and why */
	unsigned n_not_looked;
	const char *summary;
	/* What writes this run's tickets; it stands in no report. NULL: unknown, or no command in a sentence. */
	const char *ticket_command;
};

void report_free(struct report *r); /* NULL is fine */

/* 0, 1 or 4 for the states of one report (contract, "Exit status"). */
int report_exit_status(const struct report *r);

/* The worse of two exit statuses: 2 and 3 beat 1, 1 beats 4, 4 beats 0. */
int exit_status_worse(int a, int b);

#endif
