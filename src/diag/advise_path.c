/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "diag/advise_path.h"

#include <string.h>

#include "base/clock.h"
#include "diag/alike.h"
#include "diag/stall.h"
#include "wire/decode.h"

/* A silent port is traced after two round trips of the control, within these bounds. */
#define TRIGGER_FLOOR_NS   (60 * NS_PER_MS)
#define TRIGGER_CEILING_NS (600 * NS_PER_MS)
#define TRIGGER_BLIND_NS   (400 * NS_PER_MS) /* nothing has answered on any port so far */
/* Rounds are so far apart that a limit of a few ICMP errors a second refills a little. */
#define ROUND_FLOOR_NS     (150 * NS_PER_MS)
#define ROUND_CEILING_NS   (1200 * NS_PER_MS)
#define MAX_ROUNDS         8  /* at the hop where it stops */
#define MAX_SILENT_ROUNDS  3  /* at a hop that answers nobody */
#define MAX_NAME_ROUNDS    2  /* at a hop that the port has passed: only its address is missing */
#define MAX_SIZE_ROUNDS    4
/* Hops that seem to limit their ICMP errors: Linux sends one a second to an address once a burst of
 * six is spent (net.ipv4.icmp_ratelimit), others do alike. */
#define SLOW_ROUND_NS      (1050 * NS_PER_MS)
#define SLOW_ROUNDS        4
#define SLOW_MUTE_ROUNDS   2  /* at a hop that has answered nobody so far */
#define BORDER_SENDS       4
/* The silence of the first hop beyond, alone, is mere loss with less than this: what places it. */
#define PLACED_PROBABILITY 0.02
/* Hops tried before anything tells how long the path is, and the step by which it grows. */
#define BLIND_HOPS 10
#define HOPS_STEP  6
/* A silence that nothing has proven yet waits so long before it takes the way from others. */
#define TURN_BLIND_NS (1500 * NS_PER_MS)
#define OPEN_PATIENCE_NS (20 * NS_PER_MS)
#define EARLY_BEYOND 3 /* hops behind an early answer that are looked at */
#define HOPS_SLACK 2 /* ways there and back differ in length */

enum class {
	CLASS_NONE,   /* nothing to trace */
	CLASS_OPEN,   /* connected: does the target itself answer? */
	CLASS_ANSWER, /* a RST or an ICMP error: whose? */
	CLASS_SILENT, /* where does it stop? */
	CLASS_HOST,   /* this host stops it: what lies behind? */
	CLASS_STALLED, /* its connection stands still: how far do packets of it get? */
};

/* Injected SYNs that the kernel refused to send, and how long the tap has for one that it took. */
#define MAX_REFUSED    2
#define OWN_SYN_DUE_NS (150 * NS_PER_MS)

struct ctx {
	const struct tracker *t;
	const struct path *path;
	int64_t now, due, round;
	int64_t patience; /* for the last probes of a cell */
	int64_t partner_sent; /* want_pair(): the other cell's latest */
	struct diag_advice *advice;
	int control;
	unsigned control_dest; /* TTL that reaches the target by the control's answers, 0 unknown */
	bool tcp_control;      /* the control's connection was answered by the target */
	bool inject[PLAN_MAX_PORTS]; /* this port's SYNs leave only below the host's firewall */
};

static bool path_makes_sense(const struct tracker *t)
{
	bool gateway = false;

	if (t->plan->no_path || t->not_looked[LOOK_PATH] || !tracker_capture_whole(t))
		return false;
	if (t->has_link && t->link.loopback)
		return false;
	for (unsigned i = 0; i < t->plan->n_ports; i++) {
		if (!t->routes[i].has || t->routes[i].route->local)
			return false;
		gateway |= addr_is_set(&t->routes[i].route->gateway);
	}
	/* on a tunnel there is a path without a gateway's address; on a link there is none, unless somebody
	 * there answers for others */
	return gateway || tracker_is_far(t) || (t->has_link && !t->link.needs_neighbour);
}

/* The next hop's link-layer address is known, or the link has none. */
static bool can_inject(const struct tracker *t)
{
	return !t->plan->no_inject && t->has_link &&
	       (!t->link.needs_neighbour ||
		(t->has_neighbour && neighbour_is_usable(&t->neighbour) && t->neighbour.mac_len > 0));
}

/* Segments of our own making can go out on it, as its own do. */
static bool can_speak_on(const struct tracker *t, const struct flow *f)
{
	return f->talk.own.seen && !f->has_end && !f->translated && !f->redirected && !f->syn_on_lo &&
	       !t->not_looked[LOOK_PATH];
}

static enum class class_of(const struct tracker *t, const struct port_facts *p, int64_t now)
{
	const struct flow *f = p->flow;

	if (f && facts_host_stops(p))
		return can_inject(t) ? CLASS_HOST : CLASS_NONE;
	if (!f || fact_seen(p, F_ERROR_AT_ONCE) || fact_seen(p, F_SYN_REDIRECTED) ||
	    fact_seen(p, F_SYN_LOOPED) || fact_seen(p, F_RST_ON_LO) || fact_seen(p, F_ICMP_ON_LO))
		return CLASS_NONE;
	if (fact_seen(p, F_CONNECTED)) {
		struct stall s;
		stall_of(t, f, now, &s);
		return !f->synack.seen ? CLASS_NONE
		       : s.begun && can_speak_on(t, f) ? CLASS_STALLED : CLASS_OPEN;
	}
	if (!fact_seen(p, F_SYN_LEFT) || f->synack.seen)
		return CLASS_NONE;
	if (fact_seen(p, F_RST))
		return CLASS_ANSWER;
	if (fact_seen(p, F_ICMP))
		return fact_seen(p, F_ICMP_FROM_TARGET) ? CLASS_NONE : CLASS_ANSWER;
	int64_t wait = facts_answer_due_ns(t) * 2 / ANSWER_DUE_RTTS;
	wait = wait < TRIGGER_FLOOR_NS ? TRIGGER_FLOOR_NS
	       : wait > TRIGGER_CEILING_NS ? TRIGGER_CEILING_NS : wait;
	if (p->control_port < 0)
		wait = TRIGGER_BLIND_NS;
	return now - f->start_ns >= wait ? CLASS_SILENT : CLASS_NONE;
}

/* The same control all along: the one that was traced already, else an answering port, those that
 * are no SMTP first, else one that at least is not in question itself. */
static int choose_control(const struct ctx *c, const enum class *classes, unsigned n_tested,
			  int except)
{
	const struct tracker *t = c->t;
	int best = -1, best_score = -1;

	for (unsigned i = 0; i < t->plan->n_ports; i++) {
		const struct flow *f = tracker_main_flow(t, (int)i);
		int score = 0;
		if ((int)i == except || !f ||
		    ((f->redirected || f->syn_on_lo || !f->syn_out) && !c->inject[i]))
			continue;
		score -= c->inject[i] ? 2 : 0;
		if (f->synack.seen && !f->synack.on_lo)
			score += 8;
		else if (f->rst.seen && !f->rst.on_lo)
			score += 6;
		score += i >= n_tested ? 3 : classes[i] == CLASS_SILENT ? -4 : 0;
		/* who poses as the target does so on all mail ports: only another kind of port tells */
		score += i >= n_tested && classes[except] == CLASS_OPEN ? 10 : 0;
		if (classes[except] == CLASS_ANSWER && i < n_tested && !f->synack.seen)
			score -= 8; /* resets on several mail ports may come from one hand */
		score += c->path->trace[i].sent && i >= n_tested ? 4 : 0;
		if (score > best_score) {
			best_score = score;
			best = (int)i;
		}
	}
	return best;
}

static unsigned distance_ttl(const struct flow *f)
{
	const struct answer *a = f->synack.seen ? &f->synack : &f->rst;

	return a->seen ? wire_initial_ttl(a->ttl) - a->ttl + 1 : 0;
}

static void ask(struct ctx *c, enum probe_kind kind, int port, unsigned ttl,
		const struct addr *dst)
{
	struct diag_advice *a = c->advice;

	if (a->n_probes == DIAG_MAX_PROBES)
		return;
	bool ours = path_is_on_connection(kind);
	a->probes[a->n_probes++] =
		(struct diag_probe){kind, port, (uint8_t)ttl, !ours && c->inject[port], *dst,
				    ours ? tracker_main_flow(c->t, port)->id : NO_FLOW, 0};
}

static void wake_at(struct ctx *c, int64_t t_ns)
{
	if (t_ns < c->advice->again_ns)
		c->advice->again_ns = t_ns;
}

/* One more probe for this cell unless it has had enough or its round is not over. True while an
 * answer may still come, or more probes will go out. */
static bool want_kind(struct ctx *c, enum probe_kind kind, int port, unsigned ttl, unsigned max,
		      bool until_answered)
{
	int trace = path_trace_of(c->path, kind, port);
	const struct path_cell *cell = &c->path->trace[trace].cell[ttl];
	int64_t last = cell->last_sent_ns > c->partner_sent ? cell->last_sent_ns : c->partner_sent;
	int64_t age = c->now - last;

	for (unsigned i = 0; i < c->advice->n_probes; i++) {
		const struct diag_probe *p = &c->advice->probes[i];
		if (p->ttl == ttl && p->kind != PROBE_BORDER && p->kind != PROBE_LOOK &&
		    p->kind != PROBE_CANARY &&
		    path_trace_of(c->path, p->kind, p->port_index) == trace)
			return true;
	}
	if (until_answered && cell->answered)
		return false;
	if (cell->sent >= max) {
		bool waiting = cell->answered < cell->sent && age < c->patience;
		if (waiting)
			wake_at(c, last + c->patience);
		return waiting;
	}
	if (cell->sent && age < c->round) {
		wake_at(c, last + c->round);
		return true;
	}
	ask(c, kind, port, ttl, &c->t->plan->target);
	return true;
}

static bool want(struct ctx *c, int port, unsigned ttl, unsigned max, bool until_answered)
{
	return want_kind(c, ttl ? PROBE_TRACE : PROBE_FULL, port, ttl, max, until_answered);
}

/*
 * A probe of a port and one of the control, in the same moment: both meet the same limit of ICMP
 * errors, and take turns to be the first. Each on a clock of its own, whoever was first once would
 * stay it, and take every answer.
 */
static bool want_pair(struct ctx *c, enum probe_kind kind, int port, unsigned ttl, unsigned max,
		      bool until_answered)
{
	const struct path_cell *own = &c->path->trace[path_trace_of(c->path, kind, port)].cell[ttl];
	const struct path_cell *other = &c->path->trace[c->control].cell[ttl];
	bool own_first = (ttl + own->sent) & 1, busy = false;

	for (int k = 0; k < 2; k++) {
		bool mine = own_first == (k == 0);
		c->partner_sent = mine ? other->last_sent_ns : own->last_sent_ns;
		busy |= mine ? want_kind(c, kind, port, ttl, max, until_answered)
			     : want(c, c->control, ttl, max, until_answered);
	}
	c->partner_sent = 0;
	return busy;
}

/* How many TTLs deserve a probe: up to the target where that is known, else a little farther than
 * anybody has answered. */
static unsigned horizon(const struct ctx *c, int port)
{
	const struct path_trace *own = &c->path->trace[port], *other = &c->path->trace[c->control];
	unsigned max = c->t->plan->max_hops, far = path_last_hop(c->path, own), other_far = path_last_hop(c->path, other);
	unsigned h;

	far = other_far > far ? other_far : far;
	unsigned arrival = path_first_arrival(other, &c->t->plan->target);
	if (arrival && arrival > far)
		h = arrival;
	else if (c->control_dest)
		h = c->control_dest + HOPS_SLACK > far + 1 ? c->control_dest + HOPS_SLACK : far + 1;
	else
		h = far + HOPS_STEP > BLIND_HOPS ? far + HOPS_STEP : BLIND_HOPS;
	return h > max ? max : h;
}

static int64_t last_sent_ns(const struct path_trace *t)
{
	int64_t last = 0;

	for (unsigned ttl = 0; ttl <= PLAN_MAX_HOPS; ttl++)
		if (t->cell[ttl].last_sent_ns > last)
			last = t->cell[ttl].last_sent_ns;
	return last;
}

/* The cell of [from, to] that had the fewest probes and no answer; 0 when all had enough. */
static unsigned neediest(const struct path_trace *t, unsigned from, unsigned to, unsigned max)
{
	unsigned best = 0;

	for (unsigned ttl = from; ttl <= to; ttl++) {
		const struct path_cell *cell = &t->cell[ttl];
		if (!cell->answered && cell->sent < max && (!best || cell->sent < t->cell[best].sent))
			best = ttl;
	}
	return best;
}

/* One round trip, and a little: an open port must not wait longer for what its check drew. */
static int64_t open_patience(const struct tracker *t)
{
	int64_t rtt = 0;

	for (unsigned i = 0; i < t->n_flows; i++) {
		const struct flow *f = &t->flows[i];
		if (f->synack.seen && f->syn_out == 1 && f->synack.t_ns - f->first_syn_ns > rtt)
			rtt = f->synack.t_ns - f->first_syn_ns;
	}
	return rtt * 3 / 2 + OPEN_PATIENCE_NS;
}

/*
 * A stateful router on the way (every home's NAT) lets back only what answers the latest SYN of a
 * port. So after a first round with everything in flight, TTLs from..to that are still silent are
 * tried one by one, a round trip apart. True while that goes on.
 */
static bool ask_one_by_one(struct ctx *c, int port, unsigned from, unsigned to)
{
	const struct path_trace *own = &c->path->trace[port];
	unsigned max = c->t->plan->max_hops;
	unsigned ttl = neediest(own, from, to > max ? max : to, MAX_SILENT_ROUNDS);

	if (!ttl)
		return false;
	int64_t next = last_sent_ns(own) + open_patience(c->t);
	if (c->now >= next)
		ask(c, PROBE_TRACE, port, ttl, &c->t->plan->target);
	else
		wake_at(c, next);
	return true;
}

/* ---- the three questions ---- */

/* TTLs that do not reach the target must not draw a SYN-ACK. They travel while the server is
 * still thinking about its greeting. */
static bool trace_open(struct ctx *c, int port)
{
	unsigned dest = distance_ttl(tracker_main_flow(c->t, port));
	const struct path_trace *own = &c->path->trace[port], *other = &c->path->trace[c->control];
	bool busy = false;

	if (dest > c->t->plan->max_hops)
		dest = c->t->plan->max_hops;
	unsigned first = path_first_syn_ack(own), beyond = path_last_hop(c->path, other);
	/* one TTL more for the control: the hop of whoever answers may be a silent one */
	for (unsigned ttl = 1; ttl <= dest + 1 && ttl <= c->t->plan->max_hops; ttl++) {
		if (ttl < dest)
			busy |= want(c, port, ttl, 1, true);
		/* the control tells what this TTL reaches; where it matters, not just once */
		busy |= want(c, c->control, ttl, first && ttl >= first ? MAX_SILENT_ROUNDS : 1, true);
	}
	/* an answer that came early: how much farther would it have been to the target? */
	for (unsigned ttl = dest + 1; first && beyond >= first && ttl <= first + EARLY_BEYOND; ttl++)
		if (ttl <= c->t->plan->max_hops)
			busy |= want(c, c->control, ttl, 2, true);
	if (first && beyond >= first)
		busy |= ask_one_by_one(c, port, path_last_hop(c->path, own) + 1, first);
	/* an answer from nearer than the control's: what lies between must show itself */
	for (unsigned ttl = dest; c->control_dest > dest + 1 && ttl < c->control_dest &&
				  ttl < dest + EARLY_BEYOND && ttl <= c->t->plan->max_hops; ttl++) {
		busy |= want(c, port, ttl, MAX_SILENT_ROUNDS, true);
		busy |= want(c, c->control, ttl, MAX_SILENT_ROUNDS, true);
	}
	/* the control is still on its way where this port's answer seems to come from */
	if (beyond >= dest)
		for (unsigned ttl = dest; ttl <= beyond && ttl <= c->t->plan->max_hops; ttl++)
			busy |= want(c, port, ttl, 2, true);
	return busy;
}

/* Among many targets the way is not traced for each port that is open or refused: the first few
 * show who sits there. But answers of one address that have come from different distances do. */
static bool shows_nothing(const struct tracker *t, const struct port_facts *p)
{
	unsigned own = distance_ttl(p->flow);

	if (!t->plan->thrifty || fact_seen(p, F_RESET))
		return false;
	for (unsigned i = 0; i < t->n_flows; i++) {
		unsigned other = distance_ttl(&t->flows[i]);
		if (other && other != own)
			return false;
	}
	return fact_seen(p, F_CONNECTED) ||
	       (fact_seen(p, F_RST_LIKE_CONTROL) && p->control_flow->synack.seen);
}

/* Which is the smallest TTL that draws the answer? */
static bool trace_answer(struct ctx *c, int port, unsigned dest)
{
	const struct path_trace *own = &c->path->trace[port], *other = &c->path->trace[c->control];
	unsigned h = horizon(c, port), max = c->t->plan->max_hops;
	bool busy = false;

	if (dest + HOPS_SLACK > h)
		h = dest + HOPS_SLACK;
	h = h > max ? max : h;
	for (unsigned ttl = 1; ttl <= h; ttl++) {
		busy |= want(c, port, ttl, 1, true);
		busy |= want(c, c->control, ttl, MAX_SILENT_ROUNDS, true);
	}
	unsigned first = path_first_rst(own), unreachable = path_first_unreachable(own);
	if (unreachable && (!first || unreachable < first))
		first = unreachable;
	unsigned passed = path_last_hop(c->path, own);
	unsigned end = path_first_arrival(other, &c->t->plan->target);
	/* a box that mirrors the TTL pays with it for the way back as well: its resets show only for
	 * TTLs far beyond what reaches the target, and two of them show what it does */
	unsigned to = first ? first + 1 : end ? 2 * end + 1 : h;
	return ask_one_by_one(c, port, passed + 1, to) || busy;
}

/* At the border between two networks the router beyond is asked itself. */
static bool ask_border(struct ctx *c, int port, const struct port_facts *p,
		       const struct path_stop *s)
{
	struct addr router = path_hop_address(c->path, s->to);
	struct path_places places;
	bool busy = false;

	path_assign_places(c->path, p->dest_hop, &p->flow->local,
			   c->t->has_link && c->t->link.tunnel, &places);
	if (places.place[s->from] == places.place[s->to])
		return false;
	if (s->to != s->from + 1 || s->from == 0 || !addr_is_set(&router) ||
	    s->to == c->control_dest)
		return false;
	for (int k = 0; k < 2; k++) {
		int trace = k ? c->control : port;
		const struct path_border *b = NULL;
		for (unsigned i = 0; i < PATH_MAX_BORDERS; i++)
			if (c->path->border[trace][i].sent &&
			    addr_equal(&c->path->border[trace][i].router, &router))
				b = &c->path->border[trace][i];
		if (b && b->answered)
			continue;
		int64_t age = b ? c->now - b->last_sent_ns : 0;
		if (b && b->sent >= BORDER_SENDS) {
			if (age < c->due) {
				busy = true;
				wake_at(c, b->last_sent_ns + c->due);
			}
			continue;
		}
		busy = true;
		if (!b || age >= c->round)
			ask(c, PROBE_BORDER, trace, 64, &router);
		else
			wake_at(c, b->last_sent_ns + c->round);
	}
	return busy;
}

/*
 * Quick rounds did not tell where it stops, and hops that can answer did not always: they may have
 * spent what they send in a second on somebody else, or on a run just before this one. So once more,
 * slowly. True while that goes on.
 */
static bool trace_slowly(struct ctx *c, int port, unsigned from, unsigned to)
{
	bool limited = path_reach(c->path) == 0 || path_limits_show(c->path, INT64_MAX), busy = false;
	int64_t quick = c->round;

	c->round = SLOW_ROUND_NS;
	for (unsigned ttl = from; ttl <= to; ttl++) {
		struct addr hop = path_hop_address(c->path, ttl);
		bool known = addr_is_set(&hop);
		if (known || limited)
			busy |= want_pair(c, PROBE_TRACE, port, ttl,
					  known ? MAX_ROUNDS + SLOW_ROUNDS
						: MAX_SILENT_ROUNDS + SLOW_MUTE_ROUNDS, false);
	}
	c->round = quick;
	return busy;
}

static bool trace_silent(struct ctx *c, int port, const struct port_facts *p)
{
	const struct path_trace *own = &c->path->trace[port], *other = &c->path->trace[c->control];
	unsigned h = horizon(c, port), last = path_last_hop(c->path, own);
	struct path_stop s;
	bool busy = false;

	path_where_silent(c->path, port, c->control, p->dest_hop, c->tcp_control,
			  p->silence_probability, c->now - c->due, &s);
	bool placed = s.stops && s.next && s.next_probability <= PLACED_PROBABILITY &&
		      s.probability <= SILENCE_MAX_PROBABILITY;
	if (placed)
		return ask_border(c, port, p, &s);
	for (unsigned ttl = 1; ttl <= h; ttl++) {
		bool passed = ttl <= last;
		struct addr hop = path_hop_address(c->path, ttl);
		bool mute = !addr_is_set(&hop) && !other->cell[ttl].answered && !own->cell[ttl].answered;
		unsigned max = passed ? MAX_NAME_ROUNDS : mute ? MAX_SILENT_ROUNDS : MAX_ROUNDS;
		if (!passed || !(own->cell[ttl].answered || other->cell[ttl].answered))
			busy |= want_pair(c, PROBE_TRACE, port, ttl, max, passed);
		if (!passed && path_first_arrival(other, &c->t->plan->target) == ttl)
			break;
	}
	if (!busy && s.stops && s.to == s.from + 1)
		return ask_border(c, port, p, &s);
	if (!busy && s.stops && p->dest_ttl)
		busy = trace_slowly(c, port, last + 1, p->dest_ttl - 1);
	return busy;
}

/*
 * How far do packets of a connection get that stands still? Its latest acknowledgement and, where our
 * last words were never acknowledged, those, with growing TTLs; a SYN of the control beside them.
 * Whoever drops them goes on doing so, and what comes before him answers still.
 */
static bool trace_stalled(struct ctx *c, int port, const struct port_facts *p)
{
	bool said = talk_stuck(&p->flow->talk) > 0;
	enum probe_kind kind = said ? PROBE_DATA : PROBE_ACK;
	int trace = path_trace_of(c->path, kind, port);
	const struct path_trace *own = &c->path->trace[trace], *other = &c->path->trace[c->control];
	unsigned h = horizon(c, trace), last = path_last_hop(c->path, own);
	struct path_stop s;
	struct stall stall;
	bool busy = false;

	stall_of(c->t, p->flow, c->now, &stall);
	path_where_silent(c->path, trace, c->control, p->dest_hop, c->tcp_control, 1,
			  c->now - c->due, &s);
	bool placed = s.stops && s.next && s.next_probability <= PLACED_PROBABILITY;
	/* is it for its size? Something else as long as it shows that, from where it stops on */
	for (unsigned ttl = s.from + 1; said && placed && stall.large && ttl < h; ttl++)
		busy |= want_kind(c, PROBE_SIZE, port, ttl, MAX_SIZE_ROUNDS, true);
	if (placed)
		return busy;
	for (unsigned ttl = 1; ttl < h; ttl++) {
		bool passed = ttl <= last;
		bool mute = !other->cell[ttl].answered && !own->cell[ttl].answered;
		unsigned max = passed ? 1 : mute ? MAX_SILENT_ROUNDS : MAX_ROUNDS;
		busy |= want_pair(c, kind, port, ttl, max, passed);
		if (said)
			busy |= want_kind(c, PROBE_ACK, port, ttl, max, true);
	}
	return busy;
}

/* One bare SYN below the firewall tells whether anything else is in the way; only if something is,
 * the path is traced in the same manner. */
static bool trace_behind_host(struct ctx *c, int port, const struct port_facts *host)
{
	const struct path_cell *full = &c->path->trace[port].cell[0];
	const struct path_trace *trace = &c->path->trace[port];
	struct port_facts p;

	/* what stops the port sits below netfilter, where these SYNs pass, too */
	if (!trace->sent && trace->refused >= MAX_REFUSED)
		return false;
	if (full->sent && !trace->left && c->now - full->last_sent_ns >= OWN_SYN_DUE_NS)
		return false;
	bool busy = want(c, port, 0, MAX_ROUNDS, true);

	if (c->inject[c->control])
		busy |= want(c, c->control, 0, MAX_SILENT_ROUNDS, true);
	if (full->syn_ack)
		return false;
	if (!full->sent || (!full->answered && c->now - full->last_sent_ns < c->round))
		return busy;
	facts_of_injected(c->t, port, c->now, host, &p);
	c->tcp_control = fact_seen(&p, F_CONTROL_ANSWERS);
	if (full->rst)
		return trace_answer(c, port, (unsigned)path_distance(full->rst_ttl) + 1);
	if (full->answered)
		return fact_seen(&p, F_ICMP_FROM_TARGET) ? false : trace_answer(c, port, 0);
	if (fact_seen(&p, F_PATH_STOPS) || fact_seen(&p, F_PATH_THROUGH))
		busy = false; /* more of the bare SYNs would say nothing new */
	return trace_silent(c, port, &p) || busy;
}

/* Other targets that fail alike stop between two hops: a SYN with a TTL for each, and a control's
 * beside the second, show whether this one does. */
static bool trace_alike(struct ctx *c, int port, const struct ev_alike *a)
{
	bool busy = want_pair(c, PROBE_TRACE, port, a->to_ttl, 1, true);

	return (a->from_ttl && want(c, port, a->from_ttl, 1, true)) || busy;
}

/* Not before the failure is certain does anybody else have to wait for this run's look at the way. */
static bool is_worth_a_turn(const struct port_facts *p, enum class class, int64_t now)
{
	return class != CLASS_SILENT || fact_seen(p, F_SILENCE_PROVEN) || fact_seen(p, F_ALL_SILENT) ||
	       now - p->flow->start_ns >= TURN_BLIND_NS;
}

static bool trace_class(struct ctx *c, int port, enum class class, const struct port_facts *p)
{
	c->patience = class == CLASS_OPEN ? open_patience(c->t) : c->due;
	switch (class) {
	case CLASS_NONE: return false;
	case CLASS_OPEN: return trace_open(c, port);
	case CLASS_ANSWER: return trace_answer(c, port, distance_ttl(p->flow));
	case CLASS_SILENT: return trace_silent(c, port, p);
	case CLASS_HOST: return trace_behind_host(c, port, p);
	case CLASS_STALLED: return trace_stalled(c, port, p);
	}
	return false;
}

/* The way is somebody else's: what would be sent is taken back. */
static void without_turn(struct ctx *c, int port, enum class class, const struct port_facts *p)
{
	unsigned n = c->advice->n_probes;
	int64_t again = c->advice->again_ns;

	if (trace_class(c, port, class, p) && is_worth_a_turn(p, class, c->now))
		c->advice->way_ports |= UINT32_C(1) << port;
	c->advice->n_probes = n;
	c->advice->again_ns = again;
}

static void set_timing(struct ctx *c)
{
	int64_t rtt = 0;

	for (unsigned i = 0; i < c->t->plan->n_ports; i++)
		for (unsigned ttl = 1; ttl <= PLAN_MAX_HOPS; ttl++)
			if (c->path->trace[i].cell[ttl].rtt_ns > rtt)
				rtt = c->path->trace[i].cell[ttl].rtt_ns;
	int64_t due = facts_answer_due_ns(c->t);
	if (due == ANSWER_DUE_CEILING_NS && rtt) /* no connection was answered, but hops were */
		due = rtt * ANSWER_DUE_RTTS;
	c->due = due < ANSWER_DUE_FLOOR_NS ? ANSWER_DUE_FLOOR_NS : due;
	c->round = due * 2 / ANSWER_DUE_RTTS;
	if (c->round < ROUND_FLOOR_NS)
		c->round = ROUND_FLOOR_NS;
	if (c->round > ROUND_CEILING_NS)
		c->round = ROUND_CEILING_NS;
}

void advise_path(const struct tracker *t, const struct port_facts *facts, unsigned n_tested,
		 int64_t now, enum diag_way way, struct diag_advice *advice)
{
	struct ctx c = {.t = t, .path = &t->path, .now = now, .advice = advice};
	enum class classes[PLAN_MAX_PORTS] = {CLASS_NONE};

	if (!path_makes_sense(t))
		return;
	set_timing(&c);
	for (unsigned i = 0; i < n_tested; i++) {
		classes[i] = class_of(t, &facts[i], now);
		c.inject[i] = classes[i] == CLASS_HOST;
	}
	for (unsigned i = n_tested; i < t->plan->n_ports; i++) {
		struct port_facts p;
		facts_of_port(t, (int)i, now, &p);
		c.inject[i] = class_of(t, &p, now) == CLASS_HOST;
	}
	for (unsigned i = 0; i < n_tested; i++) {
		bool busy = false;
		c.patience = c.due;
		c.control = choose_control(&c, classes, n_tested, (int)i);
		if (c.control < 0 || ((classes[i] == CLASS_OPEN || classes[i] == CLASS_ANSWER) &&
				      shows_nothing(t, &facts[i])))
			continue;
		const struct flow *control = tracker_main_flow(t, c.control);
		const struct ev_alike *alike = alike_of(t, (int)i, &facts[i], NULL);
		c.control_dest = distance_ttl(control);
		/* with a router in between that lies: somebody on the way back sets TTLs anew */
		if (c.control_dest == 1 && fact_seen(&facts[i], F_NEXT_HOP_IS_GATEWAY))
			c.control_dest = 0;
		c.tcp_control = facts[i].control_port >= 0;
		if (way == DIAG_WAY_FREE)
			busy = trace_class(&c, (int)i, classes[i], &facts[i]);
		else if (alike)
			busy = alike_can_be_confirmed(alike) && trace_alike(&c, (int)i, alike);
		else if (way == DIAG_WAY_TAKEN)
			without_turn(&c, (int)i, classes[i], &facts[i]);
		if (busy)
			advice->done = false;
		advice->way_busy |= busy;
	}
}
