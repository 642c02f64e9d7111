/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "diag/canary.h"

#include "base/clock.h"
#include "diag/diag.h"
#include "diag/facts.h"

/* Somebody near answers before the target does; this is for a slow one, and our own scheduling. */
#define PATIENCE_NS (20 * NS_PER_MS)
#define SENDS       2
/* Networks that are numbered from a documentation range are at least this large. */
#define NEIGHBOUR_BITS_V4 24
#define NEIGHBOUR_BITS_V6 32

/* ---- feeding ---- */

void canary_feed_probe(struct canary *c, const struct event *ev)
{
	if (c->n == CANARY_MAX)
		return;
	c->syn[c->n++] = (struct canary_syn){
		.dst = ev->probe.dst, .port = ev->probe.port, .seq = ev->probe.seq,
		.t_ns = ev->t_ns, .failed = ev->probe.error != 0};
}

static struct canary_syn *syn_by_seq(struct canary *c, uint32_t seq, const struct addr *dst,
				     uint16_t port)
{
	for (unsigned i = 0; i < c->n; i++)
		if (c->syn[i].seq == seq && c->syn[i].port == port && addr_equal(&c->syn[i].dst, dst))
			return &c->syn[i];
	return NULL;
}

bool canary_feed_packet(struct canary *c, const struct packet *k, size_t event)
{
	const struct icmp_quote *q = &k->icmp.quote;
	struct canary_syn *syn = NULL;

	/* on loopback it is this host's own doing */
	if (!c->n || k->dir == PACKET_OUT || k->loopback)
		return false;
	if (k->kind == PACKET_TCP && (k->tcp.flags & TCP_ACK))
		syn = syn_by_seq(c, k->tcp.ack - 1, &k->src, k->tcp.sport);
	else if (k->kind == PACKET_ICMP && q->present && q->has_ports)
		syn = syn_by_seq(c, q->seq, &q->dst, q->dport);
	if (!syn)
		return false;
	if (k->kind == PACKET_TCP && (k->tcp.flags & (TCP_SYN | TCP_RST)) == TCP_SYN) {
		syn->taken = true;
		syn->ttl = k->ttl;
		syn->event = event;
	} else {
		syn->refused = true;
	}
	return true;
}

/* ---- reading ---- */

/* All SYNs to one address and port. */
struct record {
	unsigned sent;
	int64_t first_ns, last_ns;
	bool refused, failed; /* failed: this host let one of them not out */
	const struct canary_syn *taken;
};

static struct record record_of(const struct canary *c, const struct addr *dst, uint16_t port)
{
	struct record r = {0};

	for (unsigned i = 0; i < c->n; i++) {
		const struct canary_syn *s = &c->syn[i];
		if (s->port != port || !addr_equal(&s->dst, dst))
			continue;
		r.failed |= s->failed;
		if (s->failed)
			continue;
		if (!r.sent++)
			r.first_ns = s->t_ns;
		r.last_ns = s->t_ns;
		r.refused |= s->refused;
		if (s->taken)
			r.taken = s;
	}
	return r;
}

static bool is_quiet(const struct record *r, int64_t now, int64_t due)
{
	return r->sent && !r->taken && (r->refused || now - r->last_ns >= due);
}

/* The address lies where a router of this very path has its own: it may be somebody's here. */
static bool is_of_path(const struct tracker *t, const struct addr *a)
{
	unsigned bits = a->family == ADDR_V4 ? NEIGHBOUR_BITS_V4 : NEIGHBOUR_BITS_V6;

	for (unsigned ttl = 1; ttl <= PLAN_MAX_HOPS; ttl++) {
		struct addr hop = path_hop_address(&t->path, ttl);
		if (addr_is_set(&hop) && addr_common_prefix(&hop, a) >= bits)
			return true;
	}
	return false;
}

/* Two addresses that are nobody's, as far as the path is known now; false: there are none. */
static bool choose(const struct tracker *t, const struct addr *two[2])
{
	unsigned n = 0;

	for (unsigned i = 0; i < CANARY_ADDRESSES && n < 2; i++) {
		const struct addr *a = &t->canary.address[i];
		if (addr_is_set(a) && !is_of_path(t, a))
			two[n++] = a;
	}
	return n == 2;
}

/* The target's answer has come farther than the one in the name of nobody: it is exempt from what
 * happens to others (a provider's own relay, say). */
static bool answers_itself(const struct flow *f, const struct canary_syn *taken)
{
	return f->synack.seen && !f->synack.on_lo &&
	       path_distance(f->synack.ttl) > path_distance(taken->ttl);
}

/* Who answers in the name of nobody stands on the way: it is the next hop itself, or nearer than the
 * target, whose other ports show where that is. From as far as the target, it may be a host of a
 * network that is numbered so. */
static bool is_on_way(const struct tracker *t, const struct port_facts *p,
		      const struct canary_syn *taken)
{
	int distance = path_distance(taken->ttl);

	if (distance == 0)
		return fact_seen(p, F_NEXT_HOP_IS_GATEWAY);
	for (unsigned i = 0; i < t->plan->n_ports; i++) {
		const struct flow *f = tracker_main_flow(t, (int)i);
		const struct answer *a = f && f->synack.seen ? &f->synack : f ? &f->rst : NULL;
		if (a && a->seen && !a->on_lo && path_distance(a->ttl) > distance)
			return true;
	}
	return false;
}

static bool may_be_asked(const struct port_facts *p)
{
	const struct flow *f = p->flow;

	return f && fact_seen(p, F_CONNECTED) && !fact_seen(p, F_PEER_DIFFERS) && f->synack.seen &&
	       !f->synack.on_lo && !f->redirected && !f->syn_on_lo;
}

void facts_of_canary(const struct tracker *t, int port_index, int64_t now, struct port_facts *p)
{
	const struct canary *c = &t->canary;
	uint16_t port = t->plan->ports[port_index].port;
	const struct addr *two[2];

	if (!may_be_asked(p) || !choose(t, two)) {
		fact_note(p, F_CANARY_UNSURE, false, NO_EVENT);
		return;
	}
	struct record first = record_of(c, two[0], port), second = record_of(c, two[1], port);
	struct record control = record_of(c, two[0], CANARY_CONTROL_PORT);
	bool both = first.taken && second.taken;
	bool on_way = both && is_on_way(t, p, first.taken);
	bool itself = both && answers_itself(p->flow, first.taken);
	bool quiet = tracker_capture_whole(t) && is_quiet(&control, now, facts_answer_due_ns(t));
	size_t why = first.taken ? first.taken->event : NO_EVENT;

	fact_note(p, F_CANARY_TAKEN, on_way && !itself && quiet, why);
	/* such a device answers for the controls, too, so they don't show where the target is */
	fact_note(p, F_CANARY_ANY, both && !itself && control.taken, why);
	fact_note(p, F_CANARY_OTHERS, on_way && itself && quiet, why);
	fact_note(p, F_CANARY_UNSURE, on_way && !itself && !quiet && !control.taken, why);
	if (!first.taken || !facts_distance_holds(t, port_index, first.taken->ttl, now))
		return;
	if (fact_seen(p, F_CANARY_TAKEN))
		facts_place_by_distance(t, port_index, first.taken->ttl, p->dest_hop, p);
	else if (fact_seen(p, F_CANARY_ANY))
		facts_place_by_distance(t, port_index, first.taken->ttl, 0, p);
}

/* ---- what to send ---- */

struct ask {
	const struct tracker *t;
	int64_t now, due;
	int port_index; /* whose source port is used */
	struct diag_advice *advice;
};

/* True while an answer may still come that matters. */
static bool want(const struct ask *a, const struct addr *dst, uint16_t port, int64_t patience)
{
	struct record r = record_of(&a->t->canary, dst, port);
	int64_t next = r.last_ns + patience;

	if (r.taken || r.refused || r.failed)
		return false;
	for (unsigned i = 0; i < a->advice->n_probes; i++) {
		const struct diag_probe *asked = &a->advice->probes[i];
		if (asked->kind == PROBE_CANARY && asked->dport == port && addr_equal(&asked->dst, dst))
			return true;
	}
	if (a->now >= next && r.sent < SENDS && a->advice->n_probes < DIAG_MAX_PROBES) {
		a->advice->probes[a->advice->n_probes++] = (struct diag_probe){
			.kind = PROBE_CANARY,
			.port_index = a->port_index,
			.dst = *dst,
			.flow = NO_FLOW,
			.dport = port};
		return true;
	}
	if (a->now >= next)
		return false;
	if (next < a->advice->again_ns)
		a->advice->again_ns = next;
	return true;
}

/* The first SYN costs an open port no time: its dialogue takes longer than the answer may. */
static bool ask_first(const struct ask *a, const struct addr *dst, uint16_t port,
		      const struct flow *f)
{
	struct record first = record_of(&a->t->canary, dst, port);
	int64_t rtt = f->result_ns - f->start_ns;

	if (first.failed)
		return false;
	if (!first.sent)
		return want(a, dst, port, 0);
	int64_t until = first.first_ns + PATIENCE_NS + (rtt < a->due ? rtt : a->due);
	bool waiting = !first.taken && !first.refused && a->now < until;
	if (waiting && until < a->advice->again_ns)
		a->advice->again_ns = until;
	return waiting;
}

void advise_canary(const struct tracker *t, const struct port_facts *facts, unsigned n_tested,
		   int64_t now, struct diag_advice *advice)
{
	const struct addr *two[2];
	struct ask a = {.t = t, .now = now, .due = facts_answer_due_ns(t), .advice = advice};

	if (!choose(t, two))
		return;
	for (unsigned i = 0; i < n_tested; i++) {
		uint16_t port = t->plan->ports[i].port;
		if (!may_be_asked(&facts[i]) || t->not_looked[LOOK_PATH] ||
		    !tracker_capture_whole(t))
			continue;
		a.port_index = (int)i;
		bool busy = ask_first(&a, two[0], port, facts[i].flow);
		/* where the path tells it all, nobody needs to be told twice */
		if (record_of(&t->canary, two[0], port).taken &&
		    !fact_seen(&facts[i], F_PATH_SYNACK_EARLY)) {
			busy |= want(&a, two[1], port, a.due);
			busy |= want(&a, two[0], CANARY_CONTROL_PORT, a.due);
		}
		if (busy)
			advice->done = false;
	}
}
