/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the tap saw of one connection after its handshake: what each side said, and what of it
 * arrived at the other. Pure.
 *
 * A stack acknowledges what it got, whatever its program does, and its every packet bears the number
 * of the next byte that it will send. So the other side's packets tell apart: ours never got there;
 * it was taken, and the program is silent; it was answered, and the answer got lost. Where nobody
 * speaks, a keep-alive (a segment without data, one below what was acknowledged; RFC 1122 4.2.3.6)
 * makes the other side's stack show itself.
 */
#ifndef SB_DIAG_TALK_H
#define SB_DIAG_TALK_H

#include <stdbool.h>
#include <stdint.h>

#include "diag/loss.h"
#include "model/packet.h"

struct talk {
	bool begun;           /* the numbers below are known, from the handshake */
	uint8_t own_ttl;      /* of our kernel's packets: others are TTL-limited copies, and count for nothing */
	unsigned left;        /* packets of ours after the SYN that left, or were on loopback */

	/* ours */
	uint32_t acked;       /* all bytes before it arrived */
	uint32_t said_end;    /* behind the last byte that we sent */
	uint32_t stuck_len;   /* payload of the oldest segment that is not acknowledged */
	unsigned stuck_times; /* how often that has left */
	uint32_t largest_acked; /* payload of our largest segment that arrived */
	unsigned resent;      /* segments that left more than once, ever */
	int64_t asked_ns;     /* latest packet of ours that a stack must answer */
	struct {
		bool seen;
		uint32_t seq, ack, ts_val, ts_ecr;
		uint32_t flow_label; /* IPv6 */
		uint16_t window;
		bool has_ts;
	} own;                /* our latest packet, for those that are made like it */

	/* theirs */
	uint32_t heard_end;   /* all their bytes before it came */
	int64_t heard_end_ns; /* when the latest of them came */
	uint32_t their_end;   /* behind the last byte that they have sent, by their own count */
	uint32_t largest_in;  /* payload of their largest segment that came */
	uint32_t bytes_in;    /* payload that came, repetitions included */
	int64_t heard_ns;     /* their latest packet, the SYN-ACK at first */
	int64_t gap_ns;       /* since when they are ahead of what came; 0: they are not */
	unsigned looks;       /* keep-alives of ours since then */
	unsigned looks_answered; /* keep-alives that drew an answer, since we spoke last */

	struct loss_sample record; /* packets of ours that a stack must answer, and that it did */
	unsigned in_vain;     /* such packets since anything of theirs came */
};

/* The handshake is complete: our SYN's number and TTL, and their SYN-ACK. */
void talk_begin(struct talk *t, uint32_t isn, uint8_t own_ttl, const struct packet *syn_ack);

/* A packet of ours, or of theirs, that is no SYN and no RST. */
void talk_feed_own(struct talk *t, const struct packet *p);
void talk_feed_their(struct talk *t, const struct packet *p);

/* Since when our own kernel has not acknowledged what came; 0: it has. */
static inline int64_t talk_unread_ns(const struct talk *t)
{
	return t->own.seen && (int32_t)(t->heard_end - t->own.ack) > 0 ? t->heard_end_ns : 0;
}

/* Bytes of ours that were never acknowledged, and of theirs that never came. */
static inline uint32_t talk_stuck(const struct talk *t)
{
	return t->said_end - t->acked;
}

static inline uint32_t talk_missing(const struct talk *t)
{
	return t->their_end - t->heard_end;
}

#endif
