/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Inside run/: one target's run, a state machine that never waits by itself.
 *
 *     PROBING ──► SETTLING ──► QUEUEING ──► LOOKING ──► CLOSING ──► OVER
 *                     └──────────────────────────────────────────────┘
 *
 * PROBING follows the core's advice until that is done, or the time is over.
 * SETTLING and CLOSING wait until the tap has told all that it saw. Where this
 * host stops something and nobody is named, LOOKING makes one more attempt
 * under the agent's eyes; it has eyes for one run at a time, so in a crowd one
 * waits for it in QUEUEING. The outer loop (fleet.c) hands over packets and
 * calls target_step() when something happened, or the time that it asked for
 * has come.
 *
 * A run alone has the tap's filter, the agent and its trace for itself. In a
 * crowd (struct crowd) these are shared, and asked for less.
 */
#ifndef SB_RUN_TARGET_H
#define SB_RUN_TARGET_H

#include "base/clock.h"
#include "capture/capture.h"
#include "diag/diag.h"
#include "host/agent.h"
#include "host/asn.h"
#include "host/host.h"
#include "probe/path.h"
#include "probe/prober.h"
#include "run/crowd.h"
#include "run/dns.h"
#include "run/live.h"
#include "run/turns.h"

/* What all runs of this process share. */
struct live {
	struct live_options opt;
	struct capture *capture;
	struct host *host;
	struct agent *agent;        /* NULL: no process could be made */
	struct asn_db *asn_db;      /* NULL: none installed */
	struct dns *dns;            /* opened with the first name that is asked for */
	struct prober_share *probers;
	struct crowd *crowd;        /* NULL: one run at a time */
	struct path_sender *sender; /* NULL: no raw sockets here */
	char no_sender[200];        /* why */
};

enum phase {
	PHASE_PROBING,  /* as the core advises */
	PHASE_SETTLING, /* the tap tells the rest */
	PHASE_QUEUEING, /* somebody else has the agent */
	PHASE_LOOKING,  /* one more attempt, under the agent's eyes */
	PHASE_CLOSING,  /* the tap tells the rest of that */
	PHASE_OVER,     /* the log is whole */
};

struct run {
	struct live *live;
	const struct plan *plan;
	enum phase phase;
	struct event_log log;
	struct frame_log frames; /* of its packets, if it is to be saved */
	struct prober *prober;
	struct diag diag;
	bool capturing;     /* alone: this run has started the tap */
	struct capture_stats before; /* in a crowd: as it began */
	uint64_t sync;      /* SETTLING, CLOSING in a crowd: what capture_synced() knows, */
	int64_t sync_until; /* and how long that is waited for */
	bool syncing;       /* ... still */
	bool kept_up;       /* the tap told all that it saw */
	bool controls;      /* their first SYNs were sent */
	bool sample;        /* of a crowd: looks as closely as one alone */
	bool looked;        /* somebody looks closer, or has */
	/* in a crowd: its turn to look at the way */
	struct turn turn;
	int64_t waits_since; /* for it; 0: it does not wait */
	bool told, told_confirm; /* what others found there */
	bool hurried;
	/* fleet.c's and crowd.c's */
	void *fleet;
	unsigned slot;
	struct run *next_of_bucket;
	uint16_t trace_sport[PLAN_MAX_PORTS];
	bool no_trace_port; /* in a crowd: none could be had */
	uint32_t next_seq;
	unsigned acks_repeated[PLAN_MAX_PORTS];
	struct addr source; /* of raw probes */
	unsigned mtu;
	int oif; /* of raw probes, 0: by route */
	bool has_next_hop;
	int next_hop_ifindex;
	struct addr next_hop;
	int64_t next_neighbour_look;
	uint16_t last_neighbour_state;
	struct host_neighbour neighbour;
	int egress;          /* interface index of the route */
	uint32_t looking_at; /* PHASE_LOOKING: bits of the plan's ports */
	int64_t look_until;
	struct dns_pending *dns; /* questions that are out, or NULL */
	int64_t deadline; /* clock_mono_ns() */
};

/* ---- target.c ---- */

/* Looks at the host and sends the first SYNs; alone, it starts the tap before. Whatever it returns,
 * target_free(). */
int target_start(struct run **out, struct live *l, const struct plan *plan, int64_t deadline_ns,
		 struct err *e);

/* Goes on as far as it can without waiting. *wake: clock_mono_ns() time to be called again if
 * nothing happens before. */
int target_step(struct run *r, int64_t *wake, struct err *e);

/* The report of one that is PHASE_OVER. */
struct report *target_report(struct run *r);

/* Hands over all that this report was derived from: the run has it no longer. */
void target_save(struct run *r, struct saved_case *out);

void target_free(struct run *r); /* NULL is fine */

/* A run without a packet: for looks at the host only. */
void target_init(struct run *r, struct live *l, const struct plan *plan, int64_t deadline_ns);
void target_clear(struct run *r);

/* A packet of this run (in a crowd), or everything that the tap has (alone). */
void target_take_packet(struct run *r, const struct packet *p, const struct frame_copy *frame);
void target_take_packets(struct run *r);

/* The run is to end now, with what is known. */
void target_hurry(struct run *r);

/* In a crowd: what its look at the way, or its few probes there, have shown; r: its report. */
void target_way_over(struct run *r, const struct report *report);

/* ---- witness.c: what the DNS says of the target ---- */

/* Asks, and goes on. */
void witness_begin(struct run *r);
/* Takes the answers when they have come; else *wake comes soon. */
void witness_step(struct run *r, int64_t *wake);
/* Whatever has not come by now does not come. */
void witness_end(struct run *r);

/* ---- look.c: what is asked about this host ---- */

/* Adds an event of this moment to the log. */
void look_add(struct run *r, struct event *ev);
void look_add_not_looked(struct run *r, enum look what, const char *why);

/* Routes of all ports, the egress link, the next hop. */
void look_at_host(struct run *r);
void look_at_neighbour(struct run *r);
/* AS numbers of every router that has answered, our own address and the target. */
void look_up_path(struct run *r);
/* At the end: whether the link and the routes are those of the beginning. If not, what is not seen tells nothing. */
void look_for_changes(struct run *r);
/* Two addresses that are nobody's, beyond the same next hop as the target. */
void look_for_canary(struct run *r);
void look_for_mark_rules(struct run *r, uint32_t ports);

/* Tells the agent what this run is about, and that it is over. */
void look_watch(struct run *r, const uint16_t *lports, size_t n);
void look_unwatch(struct run *r);
/* What the agent has seen so far. *closer: ports (bits) that want a closer look. False: somebody
 * else has the agent, try again. */
bool look_at_culprits(struct run *r, uint32_t *closer);
/* May this run have the agent? */
enum look_turn look_closer_turn(const struct run *r);
/* In a crowd: nobody looks closer at this one. */
void look_not_closer(struct run *r);
/* Around one more attempt for each of these ports; returns how long that should be waited for. */
int64_t look_closer_begin(struct run *r, uint32_t ports);
void look_closer_end(struct run *r, uint32_t ports);
/* The last questions: rules where nobody is named yet, and where redirects went. */
void look_at_the_rest(struct run *r);
/* Without a packet: what the agent reads in this host's rules. */
void look_for_rules(struct run *r);

#endif
