/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the traces say of one port, and where that puts the device. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "diag/alike.h"
#include "diag/facts.h"
#include "model/report.h"

/* How sure a place can be from one end, whatever the numbers say. */
#define SURE_DEVICE   0.97 /* one hop proven by its own address or by two agreeing signs */
#define SURE_BY_DISTANCE 0.85 /* ... by the TTL of its answer alone */
#define SURE_BY_DISTANCE_ALONE 0.6 /* ... and nothing else is known of that hop */
#define SURE_BETWEEN  0.96 /* both ends of the block lie in one place */
#define SURE_BORDER   0.90 /* the border probe shows that the nearer side lets the port through */
#define SURE_FIRST    0.93 /* not even the first hop answers: a filter on its way in */
/* A silent destination behind an open path: its own filter, one just before it (a forwarder that
 * answers for its own TTL), or something that drops the SYN-ACK on its way back. */
#define THROUGH_DESTINATION 0.65
#define THROUGH_NEAR        0.52 /* where that forwarder is the gateway or the provider's router */
#define THROUGH_RETURN      0.08 /* nobody's in particular */
/* What is less likely than this is no place to name: the candidates say between whom it lies. Where
 * the range is a hop, with a silent one in it perhaps, the likeliest of its neighbours still says something. */
#define PLACE_MIN_WEIGHT 0.45
#define PLACE_MIN_NEAR	 0.3
#define PLACE_NEAR_HOPS	 2
/* The control's fastest is one of so many at least: one may have waited anywhere. */
#define FASTER_MIN_ANSWERS 2
/* An answer from nearer than the TTL that seems to have drawn it: it came late, or began with an unusual
 * TTL. */
#define LATE_BY_DISTANCE 0.75
/* The silence of the first hop beyond, for packets of a connection that is known to be stuck. */
#define CUT_PROBABILITY 0.02

/* The trace that reaches farthest is the best measure of the path; of several such, the one that
 * was probed most. Who poses as the target does so on all mail ports: an answer is read against
 * another kind of port, or one that the target is known to accept. */
static int control_trace(const struct tracker *t, int port_index, const struct port_facts *p)
{
	int best = -1;
	unsigned best_reach = 0;

	for (unsigned i = 0; i < t->plan->n_ports; i++) {
		const struct path_trace *c = &t->path.trace[i];
		if ((int)i == port_index || !c->sent)
			continue;
		unsigned reach = 1 + path_last_hop(&t->path, c);
		if (path_first_arrival(c, &t->plan->target))
			reach += PLAN_MAX_HOPS;
		if (fact_seen(p, F_CONNECTED) && !t->plan->ports[i].tested)
			reach += 2 * PLAN_MAX_HOPS;
		if (fact_seen(p, F_RST) && path_first_syn_ack(c))
			reach += 2 * PLAN_MAX_HOPS;
		else if (fact_seen(p, F_RST) && !t->plan->ports[i].tested)
			reach += PLAN_MAX_HOPS;
		reach = (reach << 12) + c->sent;
		if (reach > best_reach) {
			best_reach = reach;
			best = (int)i;
		}
	}
	return best;
}

/* The TTL with which the target's answer to the very control that the trace is read against came;
 * another port's may come from whoever answers this one. 0 unknown. */
static int arrival_ttl_of_control(const struct tracker *t, const struct port_facts *p)
{
	const struct path_trace *c = &t->path.trace[p->control_trace];
	unsigned arrival = path_first_arrival(c, &t->plan->target);
	const struct flow *f = tracker_main_flow(t, p->control_trace);

	if (arrival && c->cell[arrival].syn_ack)
		return c->cell[arrival].synack_ttl;
	if (arrival && c->cell[arrival].rst)
		return c->cell[arrival].rst_ttl;
	if (!f || f->synack.on_lo || f->rst.on_lo)
		return 0;
	return f->synack.seen ? f->synack.ttl : f->rst.seen ? f->rst.ttl : 0;
}

/* The TTL at which the target is reached: by the control's own trace, else by how far its answer
 * has come, and never before the last router that answered the control. 0 unknown. */
static unsigned destination_ttl(const struct tracker *t, const struct port_facts *p,
				int64_t settled_before)
{
	const struct path_trace *c = &t->path.trace[p->control_trace];
	unsigned arrival = path_first_arrival(c, &t->plan->target), last = path_last_hop(&t->path, c);

	if (arrival == last + 1)
		return arrival;
	int ttl = arrival_ttl_of_control(t, p);
	if (!ttl && p->control_flow)
		ttl = p->control_flow->synack.seen ? p->control_flow->synack.ttl
						   : p->control_flow->rst.ttl;
	/* nobody else answers: a dialogue that was held came from somewhere */
	if (!ttl && p->flow->has_reply && !p->flow->synack.on_lo)
		ttl = p->flow->synack.ttl;
	if (!ttl)
		return 0;
	unsigned by_distance = (unsigned)path_distance(ttl) + 1;
	/* with a router in between it lies: somebody on the way back sets TTLs anew */
	if (by_distance == 1 && arrival == 0 && fact_seen(p, F_NEXT_HOP_IS_GATEWAY))
		return last ? last + 1 : 0;
	if (by_distance <= last)
		return last + 1;
	/* The smallest TTL that was answered need not be the smallest that arrives: some got lost. So many
	 * do not: the way back is shorter, or somebody sets TTLs anew there. */
	if (arrival > last && by_distance < arrival)
		return path_may_reach(&t->path, p->control_trace, by_distance, settled_before);
	if (arrival > last)
		return arrival;
	/* no path is so long: its answers begin with a TTL of their own */
	return by_distance <= PLAN_MAX_HOPS ? by_distance : 0;
}

/* Routes there and back differ by a few hops. Somebody who sets the TTL of what he forwards anew (a
 * gateway that hides a tethered network, pf's "scrub min-ttl") leaves much less of the one than of the
 * other. */
#define RENEWED_MIN_HOPS  2
#define RENEWED_SURE_HOPS 6

static bool is_renewed(unsigned fewer, unsigned more)
{
	unsigned hidden = more > fewer ? more - fewer : 0;

	return hidden >= RENEWED_SURE_HOPS || (hidden >= RENEWED_MIN_HOPS && 2 * hidden >= more);
}

/* Every TTL that passes whoever renews it reaches the target: the hops behind him are hidden. */
static void renewal_facts(const struct tracker *t, struct port_facts *p)
{
	const struct path_trace *c = &t->path.trace[p->control_trace];
	unsigned arrival = path_first_arrival(c, &t->plan->target), last = path_last_hop(&t->path, c);
	int distance = path_distance(arrival_ttl_of_control(t, p));

	p->dest_hop = p->dest_ttl;
	if (distance < 0 || arrival <= last)
		return;
	unsigned by_answer = (unsigned)distance + 1;
	p->ttl_renewed = is_renewed(arrival, by_answer) && by_answer <= PLAN_MAX_HOPS;
	/* the smallest TTL that was answered need not be the smallest that arrives */
	p->answers_renewed = p->dest_ttl > last && is_renewed(by_answer, p->dest_ttl);
	if (p->ttl_renewed)
		p->dest_hop = by_answer;
}

/* ---- places ---- */

static bool is_site(enum place place)
{
	return place == PLACE_DESTINATION_NETWORK || place == PLACE_DESTINATION;
}

static void add_weight(struct placed *out, enum place place, double weight)
{
	out->weight[place] += weight;
}

static void finish_places(const struct path_places *places, struct placed *out, double scale)
{
	int best = PLACE_UNKNOWN;

	for (int i = 0; i < PLACE_COUNT; i++) {
		out->weight[i] *= scale;
		if (i != PLACE_UNKNOWN && (best == PLACE_UNKNOWN || out->weight[i] > out->weight[best]))
			best = i;
	}
	out->known = best != PLACE_UNKNOWN && out->weight[best] > 0;
	double min = out->to - out->from <= PLACE_NEAR_HOPS ? PLACE_MIN_NEAR : PLACE_MIN_WEIGHT;
	if (!out->known || out->weight[best] < min) {
		out->place = PLACE_UNKNOWN; /* the weights tell between whom it lies */
		out->confidence = CONFIDENCE_NONE;
		return;
	}
	out->place = (enum place)best;
	out->confidence = out->weight[best];
	if (places->place[out->to] == out->place)
		out->culprit = out->to;
	else if (places->place[out->from] == out->place)
		out->culprit = out->from;
}

static void place_device(const struct path_places *places, double sure, struct placed *out)
{
	/* TTL 0 is this host, and its own part is judged from what the tap saw */
	unsigned from = out->from ? out->from : 1;
	unsigned n = out->to - from + 1;

	for (unsigned ttl = from; ttl <= out->to; ttl++)
		add_weight(out, places->place[ttl], 1.0 / n);
	finish_places(places, out, sure);
}

/* Did the stack of the first router beyond get this port? 1 yes, 0 no though it got the control,
 * -1 not known. */
static int border_passes(const struct tracker *t, int port, int control, const struct addr *router)
{
	const struct path_border *own = NULL, *other = NULL;

	for (unsigned i = 0; i < PATH_MAX_BORDERS; i++) {
		if (addr_equal(&t->path.border[port][i].router, router))
			own = &t->path.border[port][i];
		if (addr_equal(&t->path.border[control][i].router, router))
			other = &t->path.border[control][i];
	}
	if (own && own->answered)
		return 1;
	return own && other && other->answered ? 0 : -1;
}

/* How readily each kind of network filters mail ports: what weighs two neighbours of which either
 * may be the one. Access providers do so by rule (M3AAWG, "Managing Port 25 for Residential or
 * Dynamic IP Space", 2005), transit hardly ever, a site's own edge often. Kept flat on purpose:
 * such a guess must not reach the confidence of a proof. */
static double readiness(enum place place)
{
	switch (place) {
	case PLACE_GATEWAY: return 0.9;
	case PLACE_ISP: return 1.0;
	case PLACE_TRANSIT: return 0.6;
	case PLACE_DESTINATION_NETWORK:
	case PLACE_DESTINATION: return 0.7;
	case PLACE_HOST:
	case PLACE_UNKNOWN:
	case PLACE_COUNT: break;
	}
	return 0.5;
}

/* Linux and others check the TTL before they forward: of two neighbours the nearer may forward no
 * further, or the farther may let nothing in, and from here both look the same. */
static void place_between(const struct tracker *t, const struct path_places *places, int port,
			  int control, const struct path_stop *s, struct placed *out)
{
	int passes = addr_is_set(&out->to_addr) && s->to == s->from + 1
			     ? border_passes(t, port, control, &out->to_addr) : -1;

	for (unsigned j = s->from; j < s->to; j++) {
		double near_ready = readiness(places->place[j]), far_ready = readiness(places->place[j + 1]);
		double far = passes == 1 ? SURE_BORDER / SURE_BETWEEN : far_ready / (near_ready + far_ready);
		if (j == 0)
			far = SURE_FIRST / SURE_BETWEEN;
		add_weight(out, places->place[j + 1], s->weight[j] * far);
		add_weight(out, j == 0 ? PLACE_UNKNOWN : places->place[j],
			   s->weight[j] * (1 - far));
	}
	finish_places(places, out, SURE_BETWEEN);
}

/* ---- facts ---- */

/* Every hop lets it through: the target itself, or whoever forwards to it. */
static void place_at_the_end(const struct path_places *places, unsigned from, double otherwise,
			     struct placed *out)
{
	enum place before = places->place[from];
	bool near = before == PLACE_GATEWAY || before == PLACE_ISP;
	double own = near ? THROUGH_NEAR : THROUGH_DESTINATION;

	add_weight(out, PLACE_DESTINATION, own);
	add_weight(out, from ? before : PLACE_UNKNOWN, 1 - own - otherwise);
	finish_places(places, out, 1);
}

static void silent_facts(const struct tracker *t, int port, const struct path_places *places,
			 int64_t settled_before, struct port_facts *p)
{
	bool control_answers = fact_seen(p, F_CONTROL_ANSWERS);
	struct path_stop s;
	path_where_silent(&t->path, port, p->control_trace, p->dest_hop, control_answers,
			  p->silence_probability, settled_before, &s);
	struct placed *out = &p->placed;
	bool proven = fact_seen(p, F_SILENT) && p->silent_syns >= SILENCE_MIN_SYNS &&
		      s.probability <= SILENCE_MAX_PROBABILITY;

	out->from = s.from;
	out->to = s.to;
	out->probability = s.probability;
	out->hops_beyond = s.hops_beyond;
	out->from_addr = path_hop_address(&t->path, s.from);
	out->to_addr = s.to == p->dest_hop ? t->plan->target : path_hop_address(&t->path, s.to);
	/* the target answers some SYNs of this port: whoever drops the others chooses, and may sit anywhere */
	proven &= !path_first_syn_ack(&t->path.trace[port]);
	fact_note(p, F_PATH_STOPS, s.stops && proven, NO_EVENT);
	fact_note(p, F_PATH_THROUGH, s.through && proven, NO_EVENT);
	if (!proven)
		return;
	if (s.stops) {
		place_between(t, places, port, p->control_trace, &s, out);
	} else if (s.through) {
		place_at_the_end(places, s.from, THROUGH_RETURN, out);
	}
}

/* The control's fastest answer took so much longer than the RST that both can't have come as far. */
static bool reset_is_faster(const struct path_trace *own, const struct path_trace *control)
{
	int64_t reset = 0, answer = 0;
	unsigned answers = 0;

	for (unsigned ttl = 1; ttl <= PLAN_MAX_HOPS; ttl++) {
		const struct path_cell *a = &own->cell[ttl], *b = &control->cell[ttl];
		if (a->rst && a->rtt_ns && (!reset || a->rtt_ns < reset))
			reset = a->rtt_ns;
		if (!(b->syn_ack || b->rst) || !b->rtt_ns)
			continue;
		answers++;
		if (!answer || b->rtt_ns < answer)
			answer = b->rtt_ns;
	}
	return reset && answers >= FASTER_MIN_ANSWERS && 2 * reset + FASTER_MIN_NS <= answer;
}

static void unlike_control(struct port_facts *p)
{
	p->seen &= ~FACT_BIT(F_RST_LIKE_CONTROL);
	fact_note(p, F_RST_LIKE_CONTROL, false, NO_EVENT);
}

static void device_facts(const struct tracker *t, int port, const struct path_places *places,
			 struct port_facts *p)
{
	const struct path_trace *trace = &t->path.trace[port];
	bool connected = fact_seen(p, F_CONNECTED);
	unsigned first = connected ? path_first_syn_ack(trace) : path_first_rst(trace);

	if (!first)
		return;
	const struct path_cell *c = &trace->cell[first];
	unsigned beyond = path_last_hop(&t->path, &t->path.trace[p->control_trace]);
	bool early = path_is_early(&t->path, port, p->control_trace, first,
				   connected ? c->synack_ttl : c->rst_ttl,
				   arrival_ttl_of_control(t, p));
	/* nothing but how far it has come tells, and branches (ECMP) differ by a hop */
	int distance = path_distance(connected ? c->synack_ttl : c->rst_ttl);
	if (p->ttl_renewed)
		early = distance + RST_NEARER_HOPS <= path_distance(arrival_ttl_of_control(t, p));
	/* Where every answer's TTL was set anew on its way back, that all are alike means nothing. On a
	 * branch (ECMP) that is a hop shorter, or behind the same router, it may yet be the target's. */
	const struct path_cell *last = &t->path.trace[p->control_trace].cell[beyond];
	if (p->answers_renewed && beyond > first &&
	    !addr_equal(&trace->cell[first - 1].te_from, &last->te_from))
		early = true;
	/* no answer of the target's to compare with: a RST that has come one hop less than its TTL
	 * went is a forwarder's, which looks at the TTL first */
	bool whole = tracker_capture_whole(t);
	if (!connected && whole && !p->control_flow && first == beyond + 1 &&
	    path_distance(c->rst_ttl) + 2 == (int)first)
		early = true;
	/* an early answer that was seen counts; that none was, only where nothing was lost */
	if (!early && !whole)
		return;
	if (connected) {
		fact_note(p, F_PATH_SYNACK_EARLY, early, c->event);
	} else {
		fact_note(p, F_PATH_RST_EARLY, early, c->event);
		/* where nothing else tells how far the target is, it is next to the last router */
		unsigned dest = p->dest_ttl ? p->dest_ttl
				: beyond && trace->cell[first - 1].time_exceeded ? beyond + 1 : 0;
		/* Nothing but RSTs from this address: one forger may have sent them all. Where they
		 * have come a hop less than their TTL went, that is even likely. */
		if (p->control_flow && !p->control_flow->synack.seen &&
		    path_distance(c->rst_ttl) + 2 <= (int)first) {
			unlike_control(p);
			dest = 0;
		}
		bool faster = reset_is_faster(trace, &t->path.trace[p->control_trace]);
		if (p->answers_renewed || faster)
			unlike_control(p);
		bool nearer = distance < path_distance(arrival_ttl_of_control(t, p));
		fact_note(p, F_PATH_RST_OWN, !early && dest && first >= dest && !nearer && !faster, c->event);
	}
	if (!early)
		return;
	struct path_range r = path_device(trace, first, connected);
	/* its TTL went farther than it says: how far the answer has come is all that tells */
	if (p->ttl_renewed)
		r.from = r.to = (unsigned)distance + 1;
	else if (p->answers_renewed)
		r = (struct path_range){true, first - 1, first};
	/* Behind one address a site may end one port on its edge and another on a host within: who
	 * answers from the destination's own network is no interceptor (balancers, DNAT, gateways). */
	if (connected && is_site(places->place[r.to])) {
		p->seen &= ~FACT_BIT(F_PATH_SYNACK_EARLY);
		return;
	}
	p->placed.from = r.from;
	p->placed.to = r.to;
	p->placed.from_addr = path_hop_address(&t->path, r.from);
	p->placed.to_addr = path_hop_address(&t->path, r.to);
	if (p->ttl_renewed && r.to == 1 && !addr_is_set(&p->placed.to_addr))
		p->placed.from_addr = p->placed.to_addr = t->routes[port].route->gateway;
	bool by_distance = first > path_last_hop(&t->path, &t->path.trace[p->control_trace]);
	bool known = !p->ttl_renewed || addr_is_set(&p->placed.to_addr);
	place_device(places, !known ? SURE_BY_DISTANCE_ALONE : by_distance ? SURE_BY_DISTANCE : SURE_DEVICE,
		     &p->placed);
}

bool facts_distance_holds(const struct tracker *t, int port, uint8_t arrival_ttl, int64_t now)
{
	unsigned hop = (unsigned)path_distance(arrival_ttl) + 1;

	return path_last_hop(&t->path, &t->path.trace[port]) < hop &&
	       path_may_reach(&t->path, port, hop, now - facts_answer_due_ns(t)) == hop;
}

void facts_place_by_distance(const struct tracker *t, int port_index, uint8_t arrival_ttl,
			     unsigned dest_ttl, struct port_facts *p)
{
	unsigned hop = (unsigned)path_distance(arrival_ttl) + 1;
	struct path_places places;

	if (p->placed.known || hop > PLAN_MAX_HOPS)
		return;
	path_assign_places(&t->path, dest_ttl, &p->flow->local, t->has_link && t->link.tunnel,
			   &places);
	p->placed.from = p->placed.to = hop;
	p->placed.to_addr = path_hop_address(&t->path, hop);
	if (hop == 1 && !addr_is_set(&p->placed.to_addr))
		p->placed.to_addr = t->routes[port_index].route->gateway;
	p->placed.from_addr = p->placed.to_addr;
	bool known = addr_is_set(&p->placed.to_addr);
	place_device(&places, known ? SURE_BY_DISTANCE : SURE_BY_DISTANCE_ALONE, &p->placed);
}

/* Nothing tells the ends of the range apart but how readily such networks filter, and (that much of it)
 * that the answer has come from the near one. */
static void place_by_readiness(const struct path_places *places, double near, struct placed *out)
{
	unsigned from = out->from ? out->from : 1;
	double sum = 0;

	add_weight(out, places->place[from], near);
	for (unsigned ttl = from; ttl <= out->to; ttl++)
		sum += readiness(places->place[ttl]);
	for (unsigned ttl = from; ttl <= out->to; ttl++)
		add_weight(out, places->place[ttl], (1 - near) * readiness(places->place[ttl]) / sum);
	finish_places(places, out, near > 0 ? SURE_BY_DISTANCE : SURE_DEVICE);
}

/* The words that a session was reset, closed or turned away for, once more with growing TTLs: who
 * answers before the server can hear them? */
static void drawn_facts(const struct tracker *t, int port, const struct path_places *places,
			struct port_facts *p)
{
	bool reset = fact_seen(p, F_RESET);
	const struct flow *held = tracker_held(t, port);
	int index = path_trace_of(&t->path, PROBE_DATA, port);
	struct path_trace trace = t->path.trace[index];
	unsigned first = path_first_rst(&trace);
	int full = held && held->synack.seen ? held->synack.ttl : arrival_ttl_of_control(t, p);

	if (!first || !p->dest_ttl)
		return;
	const struct path_cell *c = &trace.cell[first];
	bool like_server = path_distance(c->rst_ttl) >= path_distance(full);
	/* on a shorter branch (ECMP) than the control's the last TTL but one does reach the target */
	bool early = first < p->dest_ttl && !(first + 1 == p->dest_ttl && like_server);
	bool all_sent = true;
	for (unsigned ttl = 1; ttl < p->dest_ttl; ttl++)
		all_sent &= trace.cell[ttl].sent > 0 || ttl > first;
	/* the first RST, drawn with the usual TTL, shows whether the box copies what it answers */
	if (reset && !trace.cell[HELD_FULL_TTL].rst) {
		trace.cell[HELD_FULL_TTL].rst = 1;
		trace.cell[HELD_FULL_TTL].rst_ttl = p->flow->rst.ttl;
	}
	struct path_range r = path_device(&trace, first, false);
	/* an answer that came late is laid to a later TTL than the one that drew it, never to an earlier */
	unsigned nearest = p->answers_renewed ? r.to : (unsigned)path_distance(c->rst_ttl) + 1;
	bool late = nearest < r.from;
	if (late)
		r.from = nearest;
	/* A gateway in front of the server that turns us away does so for it. A late answer of somebody
	 * nearer is laid to that TTL, too: its own TTL has to come from there as well. */
	bool gateway = early && !reset && !fact_seen(p, F_CLOSED) && is_site(places->place[r.to]) &&
		       is_site(places->place[nearest < r.to ? nearest : r.to]);
	bool at_site = is_site(places->place[nearest < p->dest_ttl ? nearest : p->dest_ttl]);
	p->drawn_at_end = !early && all_sent && (like_server || at_site);
	bool own = (p->drawn_at_end && (like_server || !(reset || fact_seen(p, F_CLOSED)))) || gateway;
	fact_note(p, reset ? F_RESET_EARLY : F_REPLY_EARLY, early && !gateway, NO_EVENT);
	fact_note(p, reset ? F_RESET_OWN : F_REPLY_OWN,
		  own && !fact_seen(p, reset ? F_RESET_NEARER : F_CLOSE_NEARER), NO_EVENT);
	/* ... or a filter on the server itself, whose stack goes on beside it */
	if (fact_seen(p, F_RESET_OWN))
		p->seen &= ~FACT_BIT(F_RESET_FORGED);
	if (!early || gateway || p->placed.known)
		return;
	p->placed.from = r.from;
	p->placed.to = r.to;
	p->placed.from_addr = path_hop_address(&t->path, r.from);
	p->placed.to_addr = path_hop_address(&t->path, r.to);
	place_by_readiness(places, late ? LATE_BY_DISTANCE : 0, &p->placed);
}

/* Nothing but its distance tells of whom the refusal or the FIN is. A site's own gateways speak for it,
 * and where the site begins is not known for sure: so it has to come from the access network, or from the
 * near half of the way. */
static void nearer_facts(const struct tracker *t, int port, struct port_facts *p)
{
	static const enum fact nearer[] = {F_REPLY_NEARER, F_CLOSE_NEARER};
	struct path_places places;

	for (unsigned i = 0; i < 2; i++) {
		if (!fact_seen(p, nearer[i]))
			continue;
		uint8_t ttl = t->log->events[p->why[nearer[i]]].packet.ttl;
		int distance = path_distance(ttl), server = path_distance(p->flow->synack.ttl);
		path_assign_places(&t->path, p->dest_hop, &p->flow->local,
				   t->has_link && t->link.tunnel, &places);
		enum place place = distance < PLAN_MAX_HOPS ? places.place[distance + 1] : PLACE_UNKNOWN;
		bool access = place == PLACE_GATEWAY || place == PLACE_ISP;
		bool site = is_site(place) || (!access && distance * 2 > server);
		if (site || fact_seen(p, F_REPLY_OWN))
			p->seen &= ~FACT_BIT(nearer[i]);
		else
			facts_place_by_distance(t, port, ttl, p->dest_hop, p);
	}
}

/* What the further connection was opened for, and did not show. */
static void held_in_vain(const struct tracker *t, int port, struct port_facts *p)
{
	const struct flow *f = p->flow, *held = tracker_held(t, port);
	fact_set told = FACT_BIT(F_RESET_EARLY) | FACT_BIT(F_RESET_OWN) | FACT_BIT(F_REPLY_EARLY) |
			FACT_BIT(F_REPLY_OWN);

	if (!f || !f->has_end)
		return;
	bool refused = facts_refused_in_clear(f) != STAGE_COUNT;
	/* with packets lost by the tap nobody opens one, and no answer's TTL is known for sure */
	if (!held && refused && !tracker_capture_whole(t) && !t->plan->no_path && !t->plan->thrifty)
		return;
	/* who lets nobody in a second time does so himself */
	bool limit = held && (held->replies[STAGE_GREETING].code >= 400 || held->error == ECONNREFUSED);
	bool ended = fact_seen(p, F_RESET) || fact_seen(p, F_CLOSED) || refused;
	fact_note(p, F_HELD_IN_VAIN, held && ended && !limit && !p->drawn_at_end && !(p->seen & told),
		  NO_EVENT);
}

/* A session that stands still: how far do copies of its packets get? */
static void cut_facts(const struct tracker *t, int port, const struct path_places *places,
		      int64_t settled_before, struct port_facts *p)
{
	const struct path *path = &t->path;
	int ack = path_trace_of(path, PROBE_ACK, port), data = path_trace_of(path, PROBE_DATA, port);
	int trace = path->trace[data].sent ? data : ack;
	struct path_stop s;

	if (!path->trace[trace].sent)
		return;
	path_where_silent(path, trace, p->control_trace, p->dest_hop, fact_seen(p, F_CONTROL_ANSWERS),
			  p->stall_probability, settled_before, &s);
	bool blamed = fact_seen(p, F_PEER_GONE) || fact_seen(p, F_UNHEARD);
	bool proven = blamed && s.stops && s.next && s.next_probability <= CUT_PROBABILITY &&
		      s.probability <= SILENCE_MAX_PROBABILITY;
	fact_note(p, F_PATH_CUT, proven, NO_EVENT);
	/* as long, and it gets farther: not its size is to blame */
	if (proven && path_last_hop(path, &path->trace[path_trace_of(path, PROBE_SIZE, port)]) > s.from)
		p->seen &= ~FACT_BIT(F_LARGE_LOST);
	fact_note(p, F_CUT_PART,
		  proven && trace == data && path_last_hop(path, &path->trace[ack]) > s.from, NO_EVENT);
	/* its acknowledgements come, and none for these */
	bool through = !proven && fact_seen(p, F_UNHEARD) && trace == data && s.through;
	fact_note(p, F_CUT_THROUGH, through, NO_EVENT);
	if (!proven && !through)
		return;
	p->placed = (struct placed){
		.from = s.from,
		.to = s.to,
		.probability = s.probability,
		.hops_beyond = s.hops_beyond,
		.from_addr = path_hop_address(path, s.from),
		.to_addr = s.to == p->dest_hop ? t->plan->target : path_hop_address(path, s.to),
	};
	if (through)
		place_at_the_end(places, s.from, 0, &p->placed);
	else
		place_between(t, places, port, p->control_trace, &s, &p->placed);
}

static bool rejects_alike(const struct path_trace *own, const struct addr *hop, const struct icmp_message *m)
{
	for (unsigned ttl = 1; ttl <= PLAN_MAX_HOPS; ttl++) {
		const struct path_cell *c = &own->cell[ttl];
		if (c->unreachable && addr_equal(&c->unreach_from, hop))
			return c->unreach_type == m->type && c->unreach_code == m->code;
	}
	return false;
}

/* An ICMP error names its sender: find that among the hops. */
static void icmp_hop_facts(const struct tracker *t, int port, const struct path_places *places,
			   struct port_facts *p)
{
	for (unsigned ttl = 1; ttl <= PLAN_MAX_HOPS; ttl++) {
		struct addr hop = path_hop_address(&t->path, ttl);
		if (!addr_is_set(&hop) || !addr_equal(&hop, &p->icmp->from))
			continue;
		fact_note(p, F_PATH_ICMP_HOP, true, p->icmp->event);
		p->placed.from = p->placed.to = ttl;
		p->placed.from_addr = p->placed.to_addr = hop;
		place_device(places, SURE_DEVICE, &p->placed);
		return;
	}
	/* The socket's SYN and the traces' may take different branches (ECMP), on which neighbours do the same. */
	for (unsigned ttl = 1; ttl <= PLAN_MAX_HOPS; ttl++) {
		struct addr hop = path_hop_address(&t->path, ttl);
		if (!addr_is_set(&hop) || !rejects_alike(&t->path.trace[port], &hop, &p->icmp->msg))
			continue;
		fact_note(p, F_PATH_ICMP_HOP, true, p->icmp->event);
		p->placed.from = p->placed.to = ttl;
		p->placed.from_addr = p->placed.to_addr = p->icmp->from;
		place_device(places, SURE_DEVICE, &p->placed);
		return;
	}
	/* The sender never answers for an expired TTL: what is left of the TTL in its quote tells how
	 * far the SYN came. A forward hook quotes it a hop later than a filter on the way in does. */
	int quoted = p->icmp->msg.quote.present ? path_distance(p->icmp->msg.quote.ttl) : -1;
	bool by_quote = quoted >= 0 && quoted < PLAN_MAX_HOPS; /* from farther away nobody quotes */
	unsigned hop = by_quote ? (unsigned)quoted : path_first_unreachable(&t->path.trace[port]);
	if (fact_seen(p, F_ICMP_FROM_GATEWAY))
		hop = 0;
	else if (!by_quote && !hop)
		return;
	/* its own way here was longer than that, and nobody answers from beyond: the TTL in the quote was
	 * set anew */
	else if (p->icmp->ttl && (p->ttl_renewed ||
				  (path_last_hop(&t->path, &t->path.trace[p->control_trace]) <= hop &&
				   is_renewed(hop + 1, (unsigned)path_distance(p->icmp->ttl) + 1)))) {
		facts_place_by_distance(t, port, p->icmp->ttl, p->dest_hop, p);
		fact_note(p, F_PATH_ICMP_HOP, p->placed.known, p->icmp->event);
		if (p->placed.known)
			p->placed.from_addr = p->placed.to_addr = p->icmp->from;
		return;
	}
	fact_note(p, F_PATH_ICMP_HOP, true, p->icmp->event);
	p->placed.from = hop == 0 ? 1 : by_quote ? hop : hop - 1;
	p->placed.to = by_quote || hop == 0 ? hop + 1 : hop;
	/* a hop that is known by another address is not the sender */
	p->placed.from_addr = path_hop_address(&t->path, p->placed.from);
	p->placed.to_addr = path_hop_address(&t->path, p->placed.to);
	if (p->placed.from < p->placed.to && addr_is_set(&p->placed.from_addr))
		p->placed.from = p->placed.to;
	else if (p->placed.from < p->placed.to && addr_is_set(&p->placed.to_addr))
		p->placed.to = p->placed.from;
	p->placed.to_addr = p->icmp->from;
	if (p->placed.from == p->placed.to)
		p->placed.from_addr = p->icmp->from;
	place_device(places, SURE_DEVICE, &p->placed);
}

static void traced_facts(const struct tracker *t, int port, int64_t now, struct port_facts *p)
{
	struct path_places places;

	p->control_trace = control_trace(t, port, p);
	if (!t->path.trace[port].sent || p->control_trace < 0) {
		nearer_facts(t, port, p);
		return;
	}
	p->dest_ttl = destination_ttl(t, p, now - facts_answer_due_ns(t));
	renewal_facts(t, p);
	path_assign_places(&t->path, p->dest_hop, &p->flow->local,
			   t->has_link && t->link.tunnel, &places);
	if (fact_seen(p, F_RST) || fact_seen(p, F_CONNECTED))
		device_facts(t, port, &places, p);
	else if (fact_seen(p, F_ICMP) && !fact_seen(p, F_ICMP_FROM_TARGET))
		icmp_hop_facts(t, port, &places, p);
	else if (fact_seen(p, F_SILENT))
		silent_facts(t, port, &places, now - facts_answer_due_ns(t), p);
	if (fact_seen(p, F_RESET) || fact_seen(p, F_CLOSED) ||
	    facts_refused_in_clear(p->flow) != STAGE_COUNT)
		drawn_facts(t, port, &places, p);
	nearer_facts(t, port, p);
	if (fact_seen(p, F_STALLED) && !fact_seen(p, F_PATH_SYNACK_EARLY))
		cut_facts(t, port, &places, now - facts_answer_due_ns(t), p);
}

void facts_of_path(const struct tracker *t, int port, int64_t now, struct port_facts *p)
{
	traced_facts(t, port, now, p);
	held_in_vain(t, port, p);
	if (t->alike[port])
		alike_facts(t, port, now, p);
}

/* ---- below the host's firewall ---- */

/* An answered control, as its injected SYNs show it, where its connection was stopped here too. */
static void injected_control(const struct tracker *t, struct port_facts *p)
{
	for (unsigned i = 0; i < t->plan->n_ports; i++) {
		const struct path_cell *c = &t->path.trace[i].cell[0];
		if (&t->path.trace[i] == &t->path.trace[p->flow->port_index] || !c->sent)
			continue;
		p->control.sent += c->sent;
		p->control.answered += c->answered;
		if (c->answered && p->control_port < 0) {
			p->control_port = (int)i;
			fact_note(p, F_CONTROL_ANSWERS, true, c->event);
		}
	}
}

void facts_of_injected(const struct tracker *t, int port, int64_t now,
		       const struct port_facts *host, struct port_facts *p)
{
	const struct path_trace *trace = &t->path.trace[port];
	const struct path_cell *full = &trace->cell[0];
	fact_set kept = FACT_BIT(F_CONTROL_ANSWERS) | FACT_BIT(F_NEXT_HOP_IS_GATEWAY) |
			FACT_BIT(F_XDP_THERE);

	*p = *host;
	p->looked &= kept;
	p->seen &= kept;
	p->icmp = NULL;
	p->placed = (struct placed){0};
	if (!p->flow || !full->sent)
		return;
	fact_note(p, F_SYN_REDIRECTED, false, NO_EVENT); /* below what redirects */
	fact_note(p, F_ANSWER_DROPPED, false, NO_EVENT);
	injected_control(t, p);
	bool due = full->answered || now - full->last_sent_ns >= facts_answer_due_ns(t);
	unsigned rst = full->rst ? 0 : path_first_rst(trace);
	if (trace->left || tracker_capture_whole(t))
		fact_note(p, F_SYN_LEFT, trace->left > 0, NO_EVENT);
	fact_note(p, F_CONNECTED, full->syn_ack > 0, full->event);
	fact_note(p, F_SYNACK, full->syn_ack > 0, full->event);
	fact_note(p, F_RST, full->rst > 0 || rst > 0, trace->cell[rst].event);
	fact_note(p, F_ICMP, full->unreachable > 0 && !full->rst, full->event);
	if (full->unreachable) {
		p->injected_icmp = (struct icmp_answer){.from = full->unreach_from,
							.event = full->event};
		p->injected_icmp.msg.type = full->unreach_type;
		p->injected_icmp.msg.code = full->unreach_code;
		p->icmp = &p->injected_icmp;
		fact_note(p, F_ICMP_FROM_TARGET, addr_equal(&p->icmp->from, &t->plan->target),
			  full->event);
		fact_note(p, F_ICMP_FROM_GATEWAY,
			  addr_equal(&p->icmp->from, &t->routes[port].route->gateway), full->event);
		fact_note(p, F_ICMP_FROM_ACCESS, false, NO_EVENT);
	}
	if (due) {
		p->silent_syns = full->sent;
		p->silence_probability = loss_silence_probability(p->control, full->sent);
		fact_note(p, F_SILENT, !full->answered, NO_EVENT);
		fact_note(p, F_SILENCE_PROVEN,
			  !full->answered && p->silence_probability <= SILENCE_MAX_PROBABILITY,
			  NO_EVENT);
	}
	facts_of_path(t, port, now, p);
}
