/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "diag/mtu.h"

#include "base/clock.h"
#include "diag/advise_session.h"
#include "diag/stall.h"

/* What every link of the Internet takes: RFC 791 (as what every host must take), RFC 8200. */
#define FLOOR_V4 576
#define FLOOR_V6 1280
/* Smaller than any link's, and still something that a stack takes for an MSS. */
#define TINY_MSS 256
/* IP and TCP header, and the timestamps among TCP's options (RFC 7323, padded). */
#define HEADERS_V4 40
#define HEADERS_V6 60
#define TIMESTAMPS 12

#define AT_ONCE     3
#define FLOWS_MAX   14 /* of one port: two to know, twelve to search */
#define FLOWS_MAX_DEVICE 5
/* A dialogue takes a few round trips, and what is lost shows by repetitions; what has shown neither by
 * then says nothing. */
#define FLOW_MAX_NS   (2500 * NS_PER_MS)
#define FLOW_MAX_DUES 10
/* What the server has sent so often in vain counts as lost for the search; that size matters at all
 * is proven by the first connection's own repetitions. */
#define REPEATS_LOST       3
#define REPEATS_LOST_LOSSY 4

/* Sizes at which links end, most often: they are tried first. */
static const unsigned known_sizes[] = {1006, 1280, 1300, 1350, 1358, 1380, 1400, 1420, 1430,
				       1440, 1450, 1454, 1460, 1472, 1476, 1480, 1492, 1500};
#define N_KNOWN (sizeof(known_sizes) / sizeof(known_sizes[0]))

enum outcome { OPEN, PASSED, LOST };

static bool is_v6(const struct tracker *t)
{
	return t->plan->target.family == ADDR_V6;
}

static unsigned headers(const struct tracker *t)
{
	return is_v6(t) ? HEADERS_V6 : HEADERS_V4;
}

unsigned mtu_overhead(const struct tracker *t, const struct flow *f)
{
	return headers(t) + (f->talk.own.has_ts ? TIMESTAMPS : 0);
}

/* How far the dialogue came: the stage behind the last that was answered. */
static unsigned progress(const struct flow *f)
{
	unsigned n = f->has_tls ? STAGE_TLS + 1 : 0;

	for (unsigned stage = 0; stage < STAGE_COUNT; stage++)
		if (f->replies[stage].code && stage + 1 > n)
			n = stage + 1;
	return n;
}

static bool is_lossy(const struct tracker *t)
{
	for (unsigned i = 0; i < t->n_flows; i++) {
		const struct loss_sample *r = &t->flows[i].talk.record;
		if ((t->flows[i].synack.seen && t->flows[i].syn_out > 1) || r->answered < r->sent)
			return true;
	}
	return false;
}

static enum outcome outcome_of(const struct tracker *t, const struct flow *main,
			       const struct flow *f, int64_t now)
{
	if (progress(f) > progress(main))
		return PASSED;
	if (f->has_end && t->log->events[f->end_event].t_ns < now)
		now = t->log->events[f->end_event].t_ns;
	if (!talk_missing(&f->talk) || (f->has_end && f->end != SESSION_STALLED))
		return OPEN;
	unsigned repeats = stall_repeats(now - f->talk.gap_ns, facts_answer_due_ns(t));
	return repeats >= (is_lossy(t) ? REPEATS_LOST_LOSSY : REPEATS_LOST) ? LOST : OPEN;
}

static void note_came(const struct tracker *t, const struct flow *f, struct mtu *m)
{
	unsigned size = f->talk.largest_in ? f->talk.largest_in + mtu_overhead(t, f) : 0;

	if (size > m->largest_in)
		m->largest_in = size;
}

/* The packet that does not come is no larger than the segments that were asked for, nor than all that
 * is missing. */
static void note_lost(const struct tracker *t, const struct flow *f, struct mtu *m)
{
	unsigned missing = talk_missing(&f->talk) + mtu_overhead(t, f);
	unsigned size = f->mss && f->mss + headers(t) < missing ? f->mss + headers(t) : missing;

	if (!m->smallest_lost || size < m->smallest_lost)
		m->smallest_lost = size;
}

static bool is_small(const struct flow *f, int port_index)
{
	return f->port_index == port_index && f->role == FLOW_SMALL;
}

static void own_sizes(const struct tracker *t, int port_index, int64_t now, struct mtu *m)
{
	const struct flow *main = tracker_main_flow(t, port_index);
	unsigned lost = 0, n = 0;

	*m = (struct mtu){0};
	if (!main || !main->talk.begun)
		return;
	note_came(t, main, m);
	if (talk_missing(&main->talk))
		note_lost(t, main, m);
	for (unsigned i = 0; i < t->n_flows; i++) {
		const struct flow *f = &t->flows[i];
		if (!is_small(f, port_index))
			continue;
		n++;
		switch (outcome_of(t, main, f, now)) {
		case OPEN: break;
		case PASSED:
			m->passes = true;
			note_came(t, f, m);
			break;
		case LOST:
			lost++;
			m->no_matter |= f->mss <= TINY_MSS;
			note_lost(t, f, m);
			break;
		}
	}
	m->connections = n;
	m->no_matter &= lost == n;
}

void mtu_of(const struct tracker *t, int port_index, int64_t now, struct mtu *out)
{
	own_sizes(t, port_index, now, out);
	/* one way, one size: where it was searched for on another port, that is this one's, too */
	for (int i = 0; out->passes && i < (int)t->plan->n_ports; i++) {
		struct mtu other;
		if (i == port_index)
			continue;
		own_sizes(t, i, now, &other);
		if (!other.passes)
			continue;
		out->connections += other.connections;
		if (other.largest_in > out->largest_in)
			out->largest_in = other.largest_in;
		if (other.smallest_lost && other.smallest_lost < out->smallest_lost)
			out->smallest_lost = other.smallest_lost;
	}
	/* they contradict each other: it is no matter of a size alone, or loss has told one of them */
	if (out->smallest_lost <= out->largest_in)
		out->smallest_lost = 0;
	out->headers = headers(t);
	out->below_links = out->smallest_lost && out->smallest_lost <= (is_v6(t) ? FLOOR_V6 : FLOOR_V4);
}

/* ---- what to try ---- */

static void begin(const struct tracker *t, int port_index, unsigned size, struct diag_advice *advice)
{
	if (advice->n_small == DIAG_MAX_SMALL)
		return;
	advice->small[advice->n_small].port_index = port_index;
	advice->small[advice->n_small++].mss = (uint16_t)(size - headers(t));
}

static bool is_known(unsigned size)
{
	for (unsigned i = 0; i < N_KNOWN; i++)
		if (known_sizes[i] == size)
			return true;
	return false;
}

/* Sizes between what came and what did not: usual ones first, then evenly. */
static void search(const struct tracker *t, int port_index, const struct mtu *m,
		   struct diag_advice *advice)
{
	unsigned low = m->largest_in, high = m->smallest_lost, n = AT_ONCE, between = 0, first = 0;

	for (unsigned i = 0; i < N_KNOWN; i++) {
		if (known_sizes[i] <= low || known_sizes[i] >= high)
			continue;
		first = between ? first : i;
		between++;
	}
	/* a link that takes as much as many do, and IPv6's tunnels as little as they may, takes no byte more */
	if (is_known(low) && low + 1 < high && (between < AT_ONCE || low == FLOOR_V6)) {
		begin(t, port_index, low + 1, advice);
		low++;
		n--;
	}
	if (between > n) {
		for (unsigned k = 1; k <= n; k++)
			begin(t, port_index, known_sizes[first + between * k / (n + 1)], advice);
		return;
	}
	unsigned width = high - low - 1;
	for (unsigned k = 1, last = low; k <= n; k++) {
		unsigned size = between >= k ? known_sizes[first + k - 1]
					     : low + (width * k + n) / (n + 1);
		if (size > last && size < high)
			begin(t, port_index, size, advice);
		last = size > last ? size : last;
	}
}

/* True while a connection of this port can still tell something. */
static bool is_waiting(const struct tracker *t, const struct flow *main, int port_index, int64_t now,
		       struct diag_advice *advice)
{
	int64_t max = facts_answer_due_ns(t) * FLOW_MAX_DUES;
	bool waiting = false;

	max = max > FLOW_MAX_NS ? max : FLOW_MAX_NS;
	for (unsigned i = 0; i < t->n_flows; i++) {
		const struct flow *f = &t->flows[i];
		if (!is_small(f, port_index) || now - f->start_ns >= max || f->has_end ||
		    (f->has_result && f->error) || outcome_of(t, main, f, now) != OPEN)
			continue;
		advise_look(t, f, now, advice);
		waiting = true;
	}
	return waiting;
}

static void advise_port(const struct tracker *t, int port_index, const struct flow *main, int64_t now,
			bool may_search, struct diag_advice *advice)
{
	struct mtu own, all;
	unsigned floor = is_v6(t) ? FLOOR_V6 : FLOOR_V4;

	own_sizes(t, port_index, now, &own);
	mtu_of(t, port_index, now, &all);
	if (!own.connections) {
		if (own.smallest_lost > floor)
			begin(t, port_index, floor, advice);
		begin(t, port_index, TINY_MSS + headers(t), advice);
		advice->done = false;
		return;
	}
	if (is_waiting(t, main, port_index, now, advice)) {
		advice->done = false;
		return;
	}
	/* that a device drops what every link takes is what matters then */
	unsigned most = all.below_links ? FLOWS_MAX_DEVICE : FLOWS_MAX;
	if (!may_search || !own.passes || own.connections + AT_ONCE > most ||
	    all.smallest_lost <= all.largest_in + 1)
		return;
	unsigned before = advice->n_small;
	search(t, port_index, &all, advice);
	advice->done &= advice->n_small == before;
}

void advise_mtu(const struct tracker *t, const struct port_facts *facts, unsigned n_tested,
		int64_t now, struct diag_advice *advice)
{
	bool searching = false;

	/* among many targets nobody waits for a size */
	if (t->plan->thrifty || !tracker_capture_whole(t))
		return;
	for (unsigned i = 0; i < n_tested; i++) {
		const struct flow *f = facts[i].flow;
		struct stall s;
		if (!advise_is_talking(t, f) || !talk_missing(&f->talk) ||
		    progress(f) > STAGE_EHLO_TLS)
			continue;
		stall_of(t, f, now, &s);
		if (!s.looked || !s.begun || s.dead || s.unheard)
			continue;
		advise_port(t, (int)i, f, now, !searching, advice);
		struct mtu m;
		own_sizes(t, (int)i, now, &m);
		searching |= m.passes;
	}
}
