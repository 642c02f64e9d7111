/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The pure core: events in, advice and a report out. No I/O, no clock.
 *
 * A live run feeds events as they arrive and follows the advice; at its end it
 * sorts the log and judges that anew, so that the verdict depends on what
 * happened and not on the order in which this process heard of it, and a saved
 * case gives the same report.
 */
#ifndef SB_DIAG_DIAG_H
#define SB_DIAG_DIAG_H

#include "diag/facts.h"
#include "diag/rules.h"
#include "model/report.h"

/* May probes with small TTLs be sent? Many runs at once would take each other's answers from routers
 * that send few, and call that silence. */
enum diag_way {
	DIAG_WAY_FREE,
	DIAG_WAY_TAKEN, /* not now: advice tells for which ports they are wanted */
	DIAG_WAY_NEVER, /* this run sends none */
};

struct diag {
	struct tracker tracker;
	size_t fed; /* events taken so far */
	enum diag_way way;
};

/* plan and log are borrowed and must outlive it. */
void diag_init(struct diag *d, const struct plan *plan, const struct event_log *log);
void diag_clear(struct diag *d);

/* Takes the events that the log got since the last call. */
void diag_feed(struct diag *d);

struct diag_probe {
	enum probe_kind kind;
	int port_index;
	uint8_t ttl;
	bool inject; /* below this host's firewall */
	struct addr dst;
	uint16_t flow; /* PROBE_LOOK, PROBE_ACK, PROBE_DATA: on this connection; else NO_FLOW */
	uint16_t dport; /* PROBE_CANARY: the port, of the plan or not */
};

#define DIAG_MAX_PROBES 512
#define DIAG_MAX_SMALL  16

/* What a live run should do next. */
struct diag_advice {
	bool done;        /* every tested port is decided, as far as more waiting could */
	int repeat[PLAN_MAX_PORTS]; /* plan indices that deserve a further SYN now */
	unsigned n_repeat;
	int tls_try[PLAN_MAX_PORTS]; /* plan indices: one more connection, with TLS from the first byte */
	unsigned n_tls_try;
	struct {
		int port_index;
		enum session_stage stage;
	} held[PLAN_MAX_PORTS]; /* FLOW_HELD to start now */
	unsigned n_held;
	struct {
		int port_index;
		uint16_t mss;
	} small[DIAG_MAX_SMALL]; /* FLOW_SMALL to start now */
	unsigned n_small;
	struct diag_probe probes[DIAG_MAX_PROBES]; /* raw SYNs to send now, in this order */
	unsigned n_probes;
	bool way_busy;      /* probes with small TTLs are under way, or go out now */
	uint32_t way_ports; /* DIAG_WAY_TAKEN: bits of the plan's ports whose way is to be looked at */
	int64_t again_ns; /* ask again at this time (wall clock) if nothing happens before */
};

/* A port gets so many attempts of ours beside the kernel's own retransmissions. */
#define MAX_ATTEMPTS 8
/* The capture thread may be this much behind the sockets on a busy machine. */
#define TAP_LAG_NS (100 * NS_PER_MS)

/* What ails a tested port that wants its way looked at; *from: who sent the ICMP error. */
enum ailment diag_ailment(const struct diag *d, int port_index, int64_t now, struct addr *from);

void diag_advise(const struct diag *d, int64_t now, struct diag_advice *out);

/* What the privileged process should be asked before the books are closed. */
enum diag_look {
	DIAG_LOOK_NOTHING,
	DIAG_LOOK_PROGRAMS, /* what is in force: something may stand before the tap */
	DIAG_LOOK_CLOSER,   /* around one more attempt: this host stops it, nobody is named yet */
};

enum diag_look diag_wanted_look(const struct diag *d, int port_index, int64_t now);

/* The flow of this port that went elsewhere, on this host's doing: ask where. NULL: none did. */
const struct flow *diag_turned_flow(const struct diag *d, int port_index, int64_t now);

/* Judges one port from its facts; exposed for the tests of the rule table. */
struct port_verdict {
	enum state state;
	const struct rule *rules[LAYER_COUNT]; /* NULL: none of that layer */
	fact_set missing; /* facts not looked at, when inconclusive for their sake */
};
/* injected: the same port's facts below the host's firewall, or NULL. */
void diag_judge_port(const struct port_facts *facts, const struct port_facts *injected,
		     struct port_verdict *out);

/* The report over all that was fed. Never NULL; report_free() it. */
struct report *diag_report(const struct diag *d, const char *tool_version);

/* The same of a look without a packet: what this host would do (report->inspect). */
struct report *diag_inspect(const struct diag *d, const char *tool_version);

/* From the beginning: sorts the log, then the one report or the other. */
struct report *diag_judge(const struct plan *plan, struct event_log *log, bool inspect,
			  const char *tool_version);

#endif
