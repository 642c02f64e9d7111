/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "diag/talk.h"

#include "base/clock.h"

/* Segments of one flight are one question: a single acknowledgement answers them all. */
#define ONE_FLIGHT_NS (50 * NS_PER_MS)
/* A number farther off than any window that a stack offers a mail server is somebody's forgery. */
#define NUMBERS_MAX (16 << 20)

/* How far `a` lies behind `b` in the circle of sequence numbers. */
static int32_t beyond(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

void talk_begin(struct talk *t, uint32_t isn, uint8_t own_ttl, const struct packet *syn_ack)
{
	if (t->begun)
		return;
	t->begun = true;
	t->own_ttl = own_ttl;
	t->acked = t->said_end = isn + 1;
	t->heard_end = t->their_end = syn_ack->tcp.seq + 1;
	t->heard_ns = syn_ack->t_ns;
}

/* A stack must answer this one. */
static void note_question(struct talk *t, int64_t t_ns)
{
	if (!t->in_vain || t_ns - t->asked_ns >= ONE_FLIGHT_NS)
		t->in_vain++;
	t->asked_ns = t_ns;
}

static void note_answered(struct talk *t, unsigned questions)
{
	t->record.sent += questions;
	t->record.answered++;
}

/* What came, or what is missing, has changed. */
static void note_progress(struct talk *t, int64_t t_ns)
{
	t->gap_ns = talk_missing(t) ? t_ns : 0;
}

static void note_said(struct talk *t, const struct packet *p)
{
	uint32_t end = p->tcp.seq + p->payload_len;

	if (beyond(end, t->acked) <= 0)
		return; /* it was acknowledged, and we have not heard of it yet */
	if (beyond(p->tcp.seq, t->acked) <= 0) {
		t->resent += t->stuck_times > 0;
		t->stuck_times++;
		t->stuck_len = end - t->acked;
	}
	if (beyond(end, t->said_end) > 0) {
		t->said_end = end;
		t->looks_answered = 0;
	}
	note_question(t, p->t_ns);
}

void talk_feed_own(struct talk *t, const struct packet *p)
{
	t->left++;
	if (!t->begun || p->ttl < t->own_ttl)
		return;
	if (p->payload_len) {
		note_said(t, p);
	} else if (beyond(p->tcp.seq, t->acked) < 0 && !(p->tcp.flags & TCP_FIN)) {
		t->looks++;
		note_question(t, p->t_ns);
	}
	/* what our kernel acknowledges has come, whether the tap saw all of it in order or not */
	if (beyond(p->tcp.ack, t->heard_end) > 0 && beyond(p->tcp.ack, t->their_end) <= 0) {
		t->heard_end = p->tcp.ack;
		note_progress(t, p->t_ns);
	}
	t->own.seen = true;
	t->own.seq = p->tcp.seq;
	t->own.ack = p->tcp.ack;
	t->own.window = p->tcp.window;
	t->own.flow_label = p->flow_label;
	t->own.has_ts = p->tcp.has_ts;
	t->own.ts_val = p->tcp.ts_val;
	t->own.ts_ecr = p->tcp.ts_ecr;
}

static void note_acked(struct talk *t, uint32_t ack)
{
	uint32_t arrived = ack - t->acked;

	if (beyond(ack, t->acked) <= 0 || beyond(ack, t->said_end) > 0)
		return;
	/* several segments at once: the largest is not larger than the first of them was */
	if (t->stuck_len < arrived)
		arrived = t->stuck_len;
	if (arrived > t->largest_acked)
		t->largest_acked = arrived;
	note_answered(t, t->stuck_times);
	t->acked = ack;
	t->stuck_times = t->said_end != ack;
	t->stuck_len = t->said_end - ack;
}

void talk_feed_their(struct talk *t, const struct packet *p)
{
	uint32_t end = p->tcp.seq + p->payload_len + !!(p->tcp.flags & TCP_FIN);

	t->bytes_in += p->payload_len;
	if (!t->begun || beyond(end, t->heard_end) > NUMBERS_MAX ||
	    beyond(end, t->heard_end) < -NUMBERS_MAX)
		return;
	t->heard_ns = p->t_ns;
	if (p->payload_len > t->largest_in)
		t->largest_in = p->payload_len;
	if (beyond(end, t->their_end) > 0)
		t->their_end = end;
	if (beyond(p->tcp.seq, t->heard_end) <= 0 && beyond(end, t->heard_end) > 0) {
		t->heard_end = end;
		t->heard_end_ns = p->t_ns;
		note_progress(t, p->t_ns);
	} else if (talk_missing(t) && !t->gap_ns) {
		t->gap_ns = p->t_ns;
	}
	if (p->tcp.flags & TCP_ACK)
		note_acked(t, p->tcp.ack);
	if (t->looks) {
		note_answered(t, t->looks);
		t->looks_answered++;
	}
	t->looks = t->in_vain = 0;
}
