/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "diag/stall.h"

#include "base/clock.h"

/* Payload of a packet that may be too large for a link. No link of the Internet takes less than 68
 * bytes (RFC 791), and what is said before TLS is smaller than this. */
#define LARGE_MIN 200
/* The other side sends its longer answers in packets as large as it may: what is missing, in all. */
#define LARGE_FLIGHT 500

/* Two in a row get lost on any path, now and then; from then on the way is looked at. */
#define STALL_BEGUN 2

/* What every packet of this run met that a stack must answer: on any port, for all meet one path. */
static struct loss_sample record_of(const struct tracker *t)
{
	struct loss_sample r = {0};

	for (unsigned i = 0; i < t->n_flows; i++) {
		const struct flow *f = &t->flows[i];
		if (!f->synack.seen || f->synack.on_lo || !f->syn_out)
			continue;
		r.sent += f->syn_out + f->talk.record.sent;
		r.answered += 1 + f->talk.record.answered;
	}
	for (unsigned i = 0; i < t->plan->n_ports; i++) {
		const struct path_cell *full = &t->path.trace[i].cell[0];
		r.sent += full->syn_ack ? full->sent : 0;
		r.answered += full->syn_ack ? full->answered : 0;
	}
	return r;
}

/* Something else did get through while this connection got nothing: no outage of the whole way. */
static bool has_witness(const struct tracker *t, const struct flow *f)
{
	for (unsigned i = 0; i < t->n_flows; i++)
		if (t->flows[i].synack.seen && t->flows[i].first_syn_ns > f->talk.heard_ns)
			return true;
	for (unsigned i = 0; i < t->plan->n_ports; i++)
		if (t->path.trace[i].cell[0].heard_ns > f->talk.heard_ns)
			return true;
	return f->talk.looks_answered > 0;
}

/* How often the other side has repeated by now what it sent then, as its timer doubles (RFC 6298). */
unsigned stall_repeats(int64_t ns, int64_t timer)
{
	unsigned n = 1;

	for (; ns >= timer; timer *= 2) {
		ns -= timer;
		n++;
	}
	return n;
}

static bool is_proven(struct stall *s, struct loss_sample record, unsigned times)
{
	double p = times >= STALL_MIN_TIMES ? loss_silence_probability(record, times) : 1;

	if (p > SILENCE_MAX_PROBABILITY)
		return false;
	s->probability = p;
	return true;
}

void stall_of(const struct tracker *t, const struct flow *f, int64_t now, struct stall *out)
{
	const struct talk *k = &f->talk;
	struct loss_sample record = record_of(t);
	int64_t due = facts_answer_due_ns(t);

	*out = (struct stall){.looked = k->begun && tracker_capture_whole(t), .open = true};
	if (!out->looked)
		return;
	if (f->has_end && t->log->events[f->end_event].t_ns < now)
		now = t->log->events[f->end_event].t_ns;
	/* what left a moment ago may still be answered */
	unsigned young = now - k->asked_ns < due;
	unsigned vain = k->in_vain - (k->in_vain && young);
	unsigned stuck = k->stuck_times - (k->stuck_times && young);
	unsigned missed = talk_missing(k) ? stall_repeats(now - k->gap_ns, due) : 0;

	bool witness = has_witness(t, f);
	out->lost = witness && is_proven(out, record, missed);
	out->unheard = witness && talk_stuck(k) && is_proven(out, record, stuck);
	out->dead = witness && is_proven(out, record, vain);
	out->large = (out->unheard && k->stuck_len >= LARGE_MIN && k->stuck_len > k->largest_acked) ||
		     (out->lost && talk_missing(k) >= LARGE_FLIGHT && talk_missing(k) > k->largest_in);
	/* that it has sent nothing may be because it has not heard that we have all: with Nagle's
	 * algorithm the rest waits for that. Each keep-alive goes with an acknowledgement. */
	bool quiet = !talk_stuck(k) && !talk_missing(k) && vain < STALL_MIN_TIMES;
	out->alive = quiet && is_proven(out, record, k->looks_answered);
	out->open = !stall_is_blamed(out) && !out->alive;
	out->begun = stall_is_blamed(out) || vain >= STALL_BEGUN || stuck >= STALL_BEGUN ||
		     missed > STALL_BEGUN;
}
