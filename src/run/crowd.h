/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Inside run/: what runs share that are under way at the same time, and whose a
 * packet is.
 *
 * A source port of ours is one run's at a time, so that the port alone tells, as
 * the core itself matches (diag/tracker.h): redirects on this host change the
 * address that was called. Where masquerading on this host changed the port,
 * the target's address tells, and an ICMP error is whose packet it quotes.
 */
#ifndef SB_RUN_CROWD_H
#define SB_RUN_CROWD_H

#include "base/clock.h"
#include "base/err.h"
#include "capture/capture.h"
#include "model/event.h"
#include "model/report.h"
#include "probe/ports.h"
#include "run/turns.h"

struct live;
struct run;

#define CROWD_LOOKS 3 /* closer looks of one call: each keeps all others waiting for some 100 ms */
#define CROWD_BUCKETS 1024
/* The first runs look as closely at the way as one alone would; the others follow when these are
 * over, or after a while. */
#define CROWD_SAMPLES   6
#define CROWD_SAMPLE_NS (3 * NS_PER_S)
/* In a crowd without end (fleet.h, lasting): what was learnt is good for so long, */
#define CROWD_GOOD_NS (60 * NS_PER_S)
/* one more closer look may be had after this, */
#define CROWD_LOOK_AGAIN_NS (500 * NS_PER_MS)
/* and an open port waits no longer to have its way looked at: the answer is waited for. */
#define CROWD_OPEN_WAIT_NS NS_PER_S

struct crowd {
	struct ports *connections, *traces;
	struct run *by_target[CROWD_BUCKETS];
	struct turns turns;  /* to look at the way */
	int64_t patience_ns; /* a run stands in that line so long, and it is not of its time; 0: it is */
	bool lasting;
	unsigned n_begun, sampling; /* runs, and samples under way */
	int64_t sample_until;
	int64_t known_until;       /* lasting: a sample has told */
	bool thorough;             /* the samples found somebody on the way: look closely at all, */
	int64_t thorough_until;    /* lasting: and so long */
	unsigned most;             /* runs at a time, as far as source ports and descriptors last */
	const struct run *looking; /* has the agent now, or NULL */
	unsigned looks;            /* how often it was had */
	int64_t looks_ns;          /* lasting: when one was given back */
	/* what the kernel said a moment ago, for all that it holds for (look.c) */
	struct {
		bool known, see_ports;
		int64_t until;
	} rules[2]; /* IPv4, IPv6 */
	struct {
		int ifindex; /* 0: nothing known */
		struct host_link link;
		int64_t until;
	} link;
	struct {
		int ifindex; /* 0: nothing known */
		struct addr address;
		struct host_neighbour neighbour;
		int64_t until;
	} neighbour;
	/* what the agent said of programs on an interface, and when (clock_mono_ns()); 0: never */
	struct event_log programs;
	int programs_ifindex;
	int64_t programs_ns;
};

/* Opens the tap for all that runs with these ports may want to see. `wanted`: runs at a time. */
int crowd_begin(struct crowd *c, struct live *l, const uint16_t *ports, unsigned n_ports,
		unsigned wanted, struct err *e);
void crowd_end(struct crowd *c, struct live *l);

void crowd_join(struct crowd *c, struct run *r);
void crowd_leave(struct crowd *c, struct run *r);

/* The next run is to be a sample. */
bool crowd_wants_sample(const struct crowd *c);
/* All look as closely as a sample. */
bool crowd_is_thorough(const struct crowd *c);

/* Whether a closer look may be had now. */
enum look_turn { LOOK_NOW, LOOK_LATER, LOOK_NEVER };
enum look_turn crowd_look_turn(struct crowd *c);

/* The next run is to wait for what the samples show. */
bool crowd_waits(const struct crowd *c, int64_t now);
/* What a run's report says of the way that all share. */
void crowd_learn(struct crowd *c, struct run *run, const struct report *r);

/* Hands the packet to each run that it may concern: mostly one, or none. */
typedef void crowd_taker(struct run *r, const struct packet *p, const struct frame_copy *frame);
void crowd_give(struct crowd *c, const struct packet *p, const struct frame_copy *frame,
		crowd_taker *give);

#endif
