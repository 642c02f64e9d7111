/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "diag/path.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "wire/decode.h"

/* Probes of two traces that met a hop in the same moment: sent within this, and so many in between. */
#define PAIR_NS	    (20 * NS_PER_MS)
#define PAIR_WITHIN 128
/* TTLs whose silence is less likely to be mere loss do not reach who answers larger ones. */
#define MAY_REACH_PROBABILITY 0.05
/* A hop limits its errors when it leaves out so much more than gets lost on the way to the target. */
#define LIMIT_FACTOR 1.5
#define LIMIT_SLACK  0.1

static const struct path_trace no_trace[4 * PLAN_MAX_PORTS];
static const struct path_border no_border[PLAN_MAX_PORTS][PATH_MAX_BORDERS];

void path_init(struct path *p, const struct addr *target, unsigned n_ports)
{
	*p = (struct path){.target = *target, .n_ports = n_ports};
	p->trace = (struct path_trace *)(uintptr_t)no_trace;
	p->border = (struct path_border(*)[PATH_MAX_BORDERS])(uintptr_t)no_border;
}

void path_clear(struct path *p)
{
	if (p->trace != no_trace) {
		free(p->trace);
		free(p->border);
	}
	free(p->probes);
	free(p->as);
}

/* ---- feeding ---- */

static void make_writable(struct path *p)
{
	if (p->trace != no_trace)
		return;
	p->trace = xcalloc(path_n_traces(p), sizeof(*p->trace));
	p->border = xcalloc(p->n_ports, sizeof(*p->border));
}

static struct path_border *border_of(struct path *p, int trace, const struct addr *router,
				     unsigned *index)
{
	for (unsigned i = 0; i < PATH_MAX_BORDERS; i++) {
		struct path_border *b = &p->border[trace][i];
		if (b->sent && !addr_equal(&b->router, router))
			continue;
		b->router = *router;
		*index = i;
		return b;
	}
	return NULL;
}

void path_feed_probe(struct path *p, const struct event *ev, int port)
{
	const struct ev_probe *probe = &ev->probe;
	int trace = path_trace_of(p, probe->kind, port);
	unsigned border = 0, index = probe->kind == PROBE_FULL ? 0 : probe->ttl;

	if (probe->error) {
		make_writable(p);
		p->refused++;
		p->trace[trace].refused += probe->injected;
		return;
	}
	if (p->n_probes == PATH_MAX_PROBES || index > PLAN_MAX_HOPS)
		return;
	make_writable(p);
	p->sent++;
	if (probe->kind == PROBE_BORDER) {
		struct path_border *b = border_of(p, trace, &probe->dst, &border);
		if (!b)
			return;
		b->sent++;
		b->last_sent_ns = ev->t_ns;
	} else {
		struct path_trace *t = &p->trace[trace];
		struct path_cell *c = &t->cell[index];
		t->injected |= probe->injected;
		c->sent++;
		c->last_sent_ns = ev->t_ns;
		t->sent++;
		if (c->sent > t->rounds)
			t->rounds = c->sent;
	}
	p->probes = array_grow(p->probes, p->n_probes, &p->probes_size, sizeof(*p->probes));
	p->probes[p->n_probes++] = (struct path_probe){
		.seq = probe->seq,
		.port = probe->port,
		.ip_id = probe->ip_id,
		.window = probe->window,
		.trace = (uint8_t)trace,
		.port_index = (uint8_t)port,
		.ttl = (uint8_t)index,
		.kind = probe->kind,
		.border = (uint8_t)border,
		.t_ns = ev->t_ns,
	};
}

void path_feed_asn(struct path *p, const struct ev_asn *asn)
{
	if (p->n_as == PATH_MAX_AS)
		return;
	p->as = array_grow(p->as, p->n_as, &p->as_size, sizeof(*p->as));
	p->as[p->n_as].address = asn->address;
	p->as[p->n_as].asn = asn->asn;
	p->as[p->n_as++].name = asn->name;
}

bool path_is_on_connection(enum probe_kind kind)
{
	return kind == PROBE_ACK || kind == PROBE_DATA || kind == PROBE_SIZE;
}

/* Its index; n_probes: none. */
static unsigned probe_by_seq(const struct path *p, uint32_t seq, uint16_t port)
{
	for (unsigned i = p->n_probes; i-- > 0;)
		if (p->probes[i].seq == seq && p->probes[i].port == port &&
		    !path_is_on_connection(p->probes[i].kind))
			return i;
	return p->n_probes;
}

/* The copy of a segment that is quoted: all have one sequence number. Some who forward number packets
 * anew; the window is quoted by those who quote more than they must, as all do for IPv6. */
static unsigned probe_by_quote(const struct path *p, const struct icmp_quote *q)
{
	unsigned by_window = p->n_probes;

	for (unsigned i = p->n_probes; i-- > 0;) {
		const struct path_probe *probe = &p->probes[i];
		if (!path_is_on_connection(probe->kind) || probe->seq != q->seq || probe->port != q->dport)
			continue;
		if (q->src.family == ADDR_V4 && probe->ip_id == q->ip_id)
			return i;
		if (q->has_tcp_rest && probe->window == q->window && by_window == p->n_probes)
			by_window = i;
	}
	return by_window;
}

/* The probe that came back: a SYN-ACK and a RST acknowledge it, an ICMP error quotes it. */
static unsigned answered_probe(const struct path *p, const struct packet *k)
{
	if (k->kind == PACKET_TCP && (k->tcp.flags & TCP_ACK) && (k->tcp.flags & (TCP_SYN | TCP_RST)))
		return probe_by_seq(p, k->tcp.ack - 1, k->tcp.sport);
	if (k->kind == PACKET_ICMP && k->icmp.quote.has_ports && k->icmp.quote.proto == 6) {
		unsigned i = probe_by_seq(p, k->icmp.quote.seq, k->icmp.quote.dport);
		return i < p->n_probes ? i : probe_by_quote(p, &k->icmp.quote);
	}
	return p->n_probes;
}

const struct path_probe *path_probe_of(const struct path *p, const struct packet *k)
{
	unsigned i = p->n_probes;

	if (k->dir != PACKET_OUT)
		i = answered_probe(p, k);
	else if (k->kind == PACKET_TCP && (k->tcp.flags & TCP_SYN))
		i = probe_by_seq(p, k->tcp.seq, k->tcp.dport);
	return i < p->n_probes ? &p->probes[i] : NULL;
}

bool path_feed_own(struct path *p, const struct packet *k)
{
	unsigned i = probe_by_seq(p, k->tcp.seq, k->tcp.dport);

	if (i == p->n_probes)
		return false;
	if (p->probes[i].kind != PROBE_BORDER)
		p->trace[p->probes[i].trace].left++;
	return true;
}

static bool is_time_exceeded(const struct packet *k)
{
	return k->src.family == ADDR_V4 ? k->icmp.type == 11 : k->icmp.type == 3;
}

static void note_rtt(struct path_cell *c, const struct path_probe *probe, int64_t t_ns)
{
	int64_t rtt = t_ns - probe->t_ns;

	if (rtt > 0 && (c->rtt_ns == 0 || rtt < c->rtt_ns))
		c->rtt_ns = rtt;
}

static void note_answered(struct path_cell *c, struct path_probe *probe, const struct packet *k,
			  size_t event)
{
	if (!c->time_exceeded && !c->syn_ack && !c->rst && !c->unreachable)
		c->event = event;
	c->answered += !probe->answered;
	c->heard_ns = k->t_ns;
	probe->answered = true;
	note_rtt(c, probe, k->t_ns);
}

static void feed_icmp(struct path *p, struct path_probe *probe, const struct packet *k,
		      size_t event)
{
	struct path_cell *c = &p->trace[probe->trace].cell[probe->ttl];

	note_answered(c, probe, k, event);
	if (is_time_exceeded(k)) {
		if (!c->time_exceeded)
			c->te_from = k->src;
		c->time_exceeded += !probe->got_te;
		c->te_and_rst |= probe->got_rst;
		probe->got_te = true;
	} else {
		if (!c->unreachable) {
			c->unreach_from = k->src;
			c->unreach_type = k->icmp.type;
			c->unreach_code = k->icmp.code;
		}
		c->unreachable++;
	}
}

static void feed_tcp(struct path *p, struct path_probe *probe, const struct packet *k, size_t event)
{
	struct path_cell *c = &p->trace[probe->trace].cell[probe->ttl];

	note_answered(c, probe, k, event);
	if ((k->tcp.flags & TCP_RST) || !(k->tcp.flags & TCP_SYN)) {
		if (!c->rst)
			c->rst_ttl = k->ttl;
		c->rst++;
		c->te_and_rst |= probe->got_te;
		probe->got_rst = true;
	} else {
		if (!c->syn_ack)
			c->synack_ttl = k->ttl;
		c->syn_ack++;
	}
}

bool path_feed_drawn(struct path *p, int port, const struct packet *k, size_t event, bool sure)
{
	int trace = path_trace_of(p, PROBE_DATA, port);

	for (unsigned i = p->n_probes; i-- > 0;) {
		if (p->probes[i].trace != trace)
			continue;
		if (!sure && p->probes[i].ttl != PLAN_MAX_HOPS)
			return false;
		feed_tcp(p, &p->probes[i], k, event);
		return true;
	}
	return false;
}

/* A copy with a small TTL that ran out, though not which one: that is no routing loop. */
static bool quotes_copy(const struct path *p, const struct packet *k)
{
	if (k->dir == PACKET_OUT || k->kind != PACKET_ICMP || !is_time_exceeded(k))
		return false;
	for (unsigned i = 0; i < p->n_probes; i++)
		if (path_is_on_connection(p->probes[i].kind) && p->probes[i].seq == k->icmp.quote.seq &&
		    p->probes[i].port == k->icmp.quote.dport)
			return true;
	return false;
}

bool path_feed_packet(struct path *p, const struct packet *k, size_t event)
{
	unsigned index = k->dir == PACKET_OUT ? p->n_probes : answered_probe(p, k);
	bool tcp = k->kind == PACKET_TCP;

	if (index == p->n_probes)
		return quotes_copy(p, k);
	struct path_probe *probe = &p->probes[index];
	if (probe->kind == PROBE_BORDER) {
		struct path_border *b = &p->border[probe->port_index][probe->border];
		/* only the router's own stack counts: an error of somebody before it does not */
		bool own = addr_equal(&k->src, &b->router) && !(!tcp && is_time_exceeded(k));
		if (own && !probe->answered) {
			b->answered++;
			b->event = event;
		}
		probe->answered |= own;
	} else if (tcp) {
		feed_tcp(p, probe, k, event);
	} else {
		feed_icmp(p, probe, k, event);
	}
	return true;
}

/* ---- reading ---- */

/* A time exceeded "from the target itself" betrays a translation on the way (a site's own DNAT):
 * the target's edge was reached, no hop. */
static bool hop_answered(const struct path *p, const struct path_cell *c)
{
	return c->time_exceeded && !addr_equal(&c->te_from, &p->target);
}

struct addr path_hop_address(const struct path *p, unsigned ttl)
{
	struct addr none = {0};

	for (unsigned i = 0; ttl <= PLAN_MAX_HOPS && i < path_n_traces(p); i++) {
		const struct path_cell *c = &p->trace[i].cell[ttl];
		if (hop_answered(p, c))
			return c->te_from;
	}
	return none;
}

uint32_t path_asn(const struct path *p, const struct addr *a, const char **name)
{
	if (name)
		*name = NULL;
	for (unsigned i = 0; i < p->n_as; i++) {
		if (!addr_equal(&p->as[i].address, a))
			continue;
		if (name)
			*name = p->as[i].name;
		return p->as[i].asn;
	}
	return 0;
}

unsigned path_last_hop(const struct path *p, const struct path_trace *t)
{
	for (unsigned ttl = PLAN_MAX_HOPS; ttl > 0; ttl--)
		if (hop_answered(p, &t->cell[ttl]))
			return ttl;
	return 0;
}

unsigned path_reach(const struct path *p)
{
	unsigned reach = 0;

	for (unsigned i = 0; i < path_n_traces(p); i++) {
		unsigned last = path_last_hop(p, &p->trace[i]);
		reach = last > reach ? last : reach;
	}
	return reach;
}

unsigned path_first_syn_ack(const struct path_trace *t)
{
	for (unsigned ttl = 1; ttl <= PLAN_MAX_HOPS; ttl++)
		if (t->cell[ttl].syn_ack)
			return ttl;
	return 0;
}

unsigned path_first_rst(const struct path_trace *t)
{
	for (unsigned ttl = 1; ttl <= PLAN_MAX_HOPS; ttl++)
		if (t->cell[ttl].rst)
			return ttl;
	return 0;
}

unsigned path_first_unreachable(const struct path_trace *t)
{
	for (unsigned ttl = 1; ttl <= PLAN_MAX_HOPS; ttl++)
		if (t->cell[ttl].unreachable)
			return ttl;
	return 0;
}

unsigned path_first_arrival(const struct path_trace *t, const struct addr *target)
{
	for (unsigned ttl = 1; ttl <= PLAN_MAX_HOPS; ttl++) {
		const struct path_cell *c = &t->cell[ttl];
		if (c->syn_ack || c->rst ||
		    (c->unreachable && addr_equal(&c->unreach_from, target)))
			return ttl;
	}
	return 0;
}

/* Probes of a cell that had their time: a fresh one counts neither for nor against. */
static unsigned settled_sent(const struct path_cell *c, int64_t settled_before)
{
	return c->sent - (c->sent > c->answered && c->last_sent_ns > settled_before);
}

bool path_limits_show(const struct path *p, int64_t settled_before)
{
	for (unsigned i = 0; i < path_n_traces(p); i++)
		for (unsigned ttl = 1; ttl <= PLAN_MAX_HOPS; ttl++) {
			const struct path_cell *cell = &p->trace[i].cell[ttl];
			if (cell->time_exceeded && cell->answered < settled_sent(cell, settled_before))
				return true;
		}
	return false;
}

/* What others met at this hop: every trace that is known to get there. The luckiest alone would make
 * the path look better than it is. */
static struct loss_sample hop_record(const struct path *p, int port, unsigned ttl,
				     int64_t settled_before)
{
	struct loss_sample record = {0};

	for (int i = 0; i < (int)path_n_traces(p); i++) {
		const struct path_trace *t = &p->trace[i];
		const struct path_cell *c = &t->cell[ttl];
		if (i == port || !c->sent ||
		    (path_last_hop(p, t) < ttl && !path_first_arrival(t, &p->target)))
			continue;
		unsigned sent = settled_sent(c, settled_before);
		record.answered += c->answered;
		record.sent += sent > c->answered ? sent : c->answered;
	}
	return record;
}

/* What the control's probes met that reached the target: TCP answers know no limit. */
static struct loss_sample target_record(const struct path *p, int control, int64_t settled_before)
{
	const struct path_trace *t = &p->trace[control];
	struct loss_sample record = {0};
	unsigned first = path_first_arrival(t, &p->target);

	for (unsigned ttl = first; ttl && ttl <= PLAN_MAX_HOPS; ttl++) {
		record.answered += t->cell[ttl].answered;
		record.sent += settled_sent(&t->cell[ttl], settled_before);
	}
	return record;
}

unsigned path_may_reach(const struct path *p, int trace, unsigned from, int64_t settled_before)
{
	unsigned first = path_first_arrival(&p->trace[trace], &p->target), silent = 0;
	struct loss_sample record = target_record(p, trace, settled_before);

	if (!first)
		return from;
	for (unsigned ttl = first; ttl > from; ttl--) {
		silent += settled_sent(&p->trace[trace].cell[ttl - 1], settled_before);
		if (loss_silence_probability(record, silent) < MAY_REACH_PROBABILITY)
			return ttl;
	}
	return from;
}

/* A hop that answers fewer than get through to the target sends only so many errors in a second. */
static bool limits_its_errors(struct loss_sample hop, struct loss_sample way)
{
	double hop_lost = (hop.sent - hop.answered + 0.5) / (hop.sent + 1.0);
	double way_lost = (way.sent - way.answered + 0.5) / (way.sent + 1.0);

	return hop.answered < hop.sent && hop_lost > LIMIT_FACTOR * way_lost + LIMIT_SLACK;
}

/*
 * How many of the port's probes at such a hop does its silence tell something of? The control's of the
 * same moment came right after it and was answered: the hop had an answer to give, and did not give it
 * to this port. Where the control's was first it may have got the only one, and where neither was
 * answered there was none.
 */
static unsigned telling_probes(const struct path *p, int port, int control, unsigned ttl,
			       int64_t settled_before)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->n_probes; i++) {
		const struct path_probe *own = &p->probes[i];
		if (own->trace != port || own->ttl != ttl || own->t_ns > settled_before)
			continue;
		for (unsigned k = i + 1; k < p->n_probes && k <= i + PAIR_WITHIN; k++) {
			const struct path_probe *other = &p->probes[k];
			if (other->trace == control && other->ttl == ttl &&
			    other->t_ns - own->t_ns <= PAIR_NS) {
				n += other->answered;
				break;
			}
		}
	}
	return n;
}

/*
 * That this hop's silence for the port is mere loss; 1 where the control gets no answer either.
 * Losses count as independent. Where a hop limits its errors they are not, for one answer is another
 * one's silence: there the way alone is the measure, and only what tells something counts.
 */
static double hop_probability(const struct path *p, int port, int control, unsigned ttl,
			      int64_t settled_before)
{
	const struct path_cell *own = &p->trace[port].cell[ttl];

	if (!hop_answered(p, &p->trace[control].cell[ttl]))
		return 1;
	struct loss_sample hop = hop_record(p, port, ttl, settled_before);
	struct loss_sample way = target_record(p, control, settled_before);
	if (!limits_its_errors(hop, way))
		return loss_silence_probability(hop, settled_sent(own, settled_before));
	return loss_silence_probability(way.answered ? way : hop,
					telling_probes(p, port, control, ttl, settled_before));
}

static void set_range(struct path_stop *s, unsigned last)
{
	double sum = 0, reached = 0;

	for (unsigned j = s->from; j <= last; j++)
		sum += s->weight[j];
	for (unsigned j = s->from; j <= last; j++) {
		s->weight[j] /= sum;
		reached += s->weight[j];
		if (!s->to && reached >= PATH_RANGE_WEIGHT)
			s->to = j + 1;
	}
}

void path_where_silent(const struct path *p, int port, int control, unsigned dest_ttl,
		       bool control_answers, double target_probability, int64_t settled_before,
		       struct path_stop *s)
{
	const struct path_trace *t = &p->trace[port], *c = &p->trace[control];
	unsigned control_last = path_last_hop(p, c), last = 0;
	double weight = 1;

	*s = (struct path_stop){.probability = 1, .from = path_last_hop(p, t)};
	/* on a longer branch (ECMP) the control meets the port's last router a hop later */
	const struct path_cell *same = &t->cell[s->from], *later = &c->cell[s->from + 1];
	if (s->from && s->from < PLAN_MAX_HOPS && hop_answered(p, later) &&
	    addr_equal(&same->te_from, &later->te_from))
		s->from++;
	/* j = last: the block is behind the last router, or at the destination's own door */
	last = control_answers && dest_ttl > s->from ? dest_ttl - 1
	       : control_last > s->from ? control_last - 1 : s->from;
	if (last > PLAN_MAX_HOPS)
		return;
	for (unsigned j = s->from; j <= last; j++) {
		s->weight[j] = weight;
		if (j + 1 == dest_ttl || j == PLAN_MAX_HOPS)
			break;
		const struct path_cell *other = &c->cell[j + 1];
		double lost = hop_probability(p, port, control, j + 1, settled_before);
		if (hop_answered(p, other)) {
			s->hops_beyond++;
			if (!s->next) {
				s->next = j + 1;
				s->next_probability = lost;
			}
		}
		weight *= lost;
	}
	s->probability = weight * (control_answers ? target_probability : 1);
	s->stops = s->hops_beyond || (control_answers && s->from + 1 < dest_ttl);
	s->through = !s->stops && control_answers && s->from + 1 == dest_ttl;
	set_range(s, last);
}

int path_distance(int arrival_ttl)
{
	if (arrival_ttl <= 0)
		return -1;
	return (int)wire_initial_ttl((unsigned)arrival_ttl) - arrival_ttl;
}

/* A box that copies the TTL of what it answers shows one more for each one more that we send. */
static bool mirrors_ttl(const struct path_trace *t, unsigned first_ttl, bool syn_ack)
{
	for (unsigned ttl = first_ttl + 1; ttl <= PLAN_MAX_HOPS; ttl++) {
		const struct path_cell *a = &t->cell[first_ttl], *b = &t->cell[ttl];
		if (syn_ack ? !b->syn_ack : !b->rst)
			continue;
		int one = syn_ack ? a->synack_ttl : a->rst_ttl;
		int two = syn_ack ? b->synack_ttl : b->rst_ttl;
		return one != two;
	}
	return false;
}

/* Mirrored, the TTL has paid for the way there and back: sent - arrived is 2(k - 1) when the box
 * saw the packet before router k took one off, 2k - 1 when after. */
static struct path_range mirror_range(unsigned sent, unsigned arrived)
{
	unsigned spent = sent > arrived ? sent - arrived : 0;
	unsigned hop = (spent + 1) / 2 + (spent % 2 == 0);

	return spent % 2 ? (struct path_range){true, hop, hop + 1}
			 : (struct path_range){true, hop - 1, hop};
}

struct path_range path_device(const struct path_trace *t, unsigned first_ttl, bool syn_ack)
{
	const struct path_cell *c = &t->cell[first_ttl];
	unsigned arrival = syn_ack ? c->synack_ttl : c->rst_ttl;
	unsigned hop = (unsigned)path_distance((int)arrival) + 1;
	struct path_range r = {true, first_ttl - 1, first_ttl};

	if (mirrors_ttl(t, first_ttl, syn_ack))
		return mirror_range(first_ttl, arrival);
	if (c->te_and_rst)
		return r;
	/* Linux looks at the TTL before its forward hook: a forwarder's answer needs one more. Who
	 * completes a handshake is the end of a connection, and takes it at its own hop. */
	if (hop + 1 == first_ttl || (syn_ack && hop == first_ttl))
		r.from = r.to = hop;
	return r;
}

bool path_is_early(const struct path *p, int port, int control, unsigned first, int arrival_ttl,
		   int control_arrival_ttl)
{
	const struct path_trace *own = &p->trace[port], *other = &p->trace[control];
	unsigned beyond = path_last_hop(p, other), own_beyond = path_last_hop(p, own);

	if (!first)
		return false;
	/* no host copies the TTL of what it answers */
	if (mirrors_ttl(own, first, own->cell[first].syn_ack > 0))
		return true;
	/* a router at or behind that TTL answers the same port: somebody before it answered too */
	if (own_beyond >= first)
		return true;
	int distance = path_distance(arrival_ttl), control_distance = path_distance(control_arrival_ttl);
	/* the same TTL reaches the target, but the answer has not come as far as the target's do: a
	 * forwarder right in front of it */
	if (beyond < first)
		return beyond + 1 == first && distance >= 0 && distance < control_distance;
	/* Branches of unequal length (ECMP) bring one port there with a hop less: then the last router
	 * before the target is the control's last one, too, */
	const struct path_cell *mine = &own->cell[first - 1], *theirs = &other->cell[beyond];
	if (hop_answered(p, mine) && addr_equal(&mine->te_from, &theirs->te_from) &&
	    path_first_arrival(other, &p->target) == beyond + 1)
		return false;
	/* or the answer still comes from as far as the control's */
	return distance != control_distance || distance < 0 || beyond > first + 1;
}

/* ---- places ---- */

static bool same_network(const struct addr *a, const struct addr *b)
{
	return addr_common_prefix(a, b) >= (a->family == ADDR_V4 ? 24 : 48);
}

/* A router with an address out of the block that our own public address comes from. Registries give
 * an access provider an IPv6 /32 or more (RFC 6177, RIPE-738) and an IPv4 /20 or more; a target
 * in the same block makes that no sign. */
static bool of_our_provider(const struct addr *hop, const struct addr *source,
			    const struct addr *target)
{
	bool v4 = hop->family == ADDR_V4;
	unsigned common = addr_common_prefix(hop, source);

	if (addr_is_private(source) || addr_is_shared(source))
		return false;
	if (common <= addr_common_prefix(hop, target))
		return false;
	return common >= (v4 ? 24u : 48u) ||
	       (common >= (v4 ? 20u : 32u) &&
		addr_common_prefix(source, target) < (v4 ? 20u : 32u));
}

/* The access provider's AS: of our own address when that is public, else of the first public hop. */
static uint32_t access_as(const struct path *p, const struct addr *source, unsigned last)
{
	uint32_t as = path_asn(p, source, NULL);

	for (unsigned ttl = 1; !as && ttl <= last; ttl++) {
		struct addr a = path_hop_address(p, ttl);
		as = addr_is_set(&a) ? path_asn(p, &a, NULL) : 0;
	}
	return as;
}

/* With AS data: isp ends with the access provider's AS, destination-network begins with the
 * destination's, and transit lies between. False where the data do not reach that far. */
static bool assign_by_as(const struct path *p, const struct addr *source, bool tunnel,
			 unsigned last, struct path_places *out)
{
	uint32_t access = access_as(p, source, last), dest = path_asn(p, &p->target, NULL);
	unsigned isp_end = 0, dest_begin = last + 1;

	if (!access || !dest)
		return false;
	for (unsigned ttl = 1; ttl <= last; ttl++) {
		struct addr a = path_hop_address(p, ttl);
		uint32_t as = addr_is_set(&a) ? path_asn(p, &a, NULL) : 0;
		if (as == access)
			isp_end = ttl;
		if (as == dest && dest != access && dest_begin > last)
			dest_begin = ttl;
	}
	/* one AS for both ends: only the last hop is surely the destination's own */
	if (dest == access && out->dest_ttl && last > 1)
		dest_begin = last;
	for (unsigned ttl = 1; ttl <= last; ttl++) {
		struct addr a = path_hop_address(p, ttl);
		bool inside = addr_is_set(&a) && (addr_is_private(&a) || addr_is_shared(&a));
		if (ttl == 1)
			out->place[ttl] = tunnel ? PLACE_ISP : PLACE_GATEWAY;
		else if (ttl >= dest_begin)
			out->place[ttl] = PLACE_DESTINATION_NETWORK;
		else if (ttl <= isp_end || (inside && isp_end == 0) || (ttl == 2 && !addr_is_set(&a)))
			out->place[ttl] = PLACE_ISP; /* right behind the gateway is the provider's */
		else
			out->place[ttl] = PLACE_TRANSIT;
	}
	return true;
}

/* A hop without an address is in its neighbours' network where both are in the same; between two
 * networks nobody knows. */
static void place_silent_hops(const struct path *p, unsigned last, struct path_places *out)
{
	for (unsigned ttl = 3; ttl < last; ttl++) {
		struct addr a = path_hop_address(p, ttl);
		unsigned near = ttl - 1, far = ttl + 1;
		if (addr_is_set(&a))
			continue;
		for (a = path_hop_address(p, far); far < last && !addr_is_set(&a);)
			a = path_hop_address(p, ++far);
		if (out->place[near] != out->place[far])
			out->place[ttl] = PLACE_UNKNOWN;
		else
			out->place[ttl] = out->place[near];
	}
}

/* Contract, PLACE without AS data: the first router is the gateway; private and shared addresses
 * beyond it and the first public one are the provider's; the last hop before the destination, and
 * what shares its prefix, is the destination's network; transit lies between. */
void path_assign_places(const struct path *p, unsigned dest_ttl, const struct addr *source,
			bool tunnel, struct path_places *out)
{
	bool public_seen = false, silent_before = false;

	if (dest_ttl > PLAN_MAX_HOPS)
		dest_ttl = 0;
	unsigned last = dest_ttl ? dest_ttl - 1 : PLAN_MAX_HOPS, reach = path_reach(p);

	if (dest_ttl && dest_ttl - 1 > reach)
		reach = dest_ttl - 1;
	out->dest_ttl = dest_ttl;
	for (unsigned ttl = 0; ttl < PLAN_MAX_HOPS + 2; ttl++)
		out->place[ttl] = PLACE_UNKNOWN;
	out->place[0] = PLACE_HOST;
	out->by_as = assign_by_as(p, source, tunnel, last < reach ? last : reach, out);
	for (unsigned ttl = 1; !out->by_as && ttl <= last && ttl <= PLAN_MAX_HOPS; ttl++) {
		struct addr a = path_hop_address(p, ttl);
		bool known = addr_is_set(&a);
		bool inside = known && (addr_is_private(&a) || addr_is_shared(&a) ||
					addr_is_link_local(&a));
		enum place place = PLACE_UNKNOWN;
		if (ttl == 1)
			place = tunnel ? PLACE_ISP : PLACE_GATEWAY;
		else if (dest_ttl && ttl + 1 == dest_ttl && (public_seen || silent_before || !known))
			place = PLACE_DESTINATION_NETWORK;
		else if (!public_seen && known && (inside || !silent_before))
			place = PLACE_ISP;
		else if (!public_seen && !known && ttl == 2 && (!dest_ttl || dest_ttl > 3))
			place = PLACE_ISP;
		else if (!public_seen)
			place = PLACE_UNKNOWN; /* the first public one that answers, but is it the first? */
		else if (known && of_our_provider(&a, source, &p->target))
			place = PLACE_ISP;
		else if (known && same_network(&a, &p->target))
			place = PLACE_DESTINATION_NETWORK;
		else if (dest_ttl || (known && ttl < reach))
			place = PLACE_TRANSIT; /* the last one that answers may be either's, where the end is
						  not known */
		public_seen |= known && !inside && ttl > 1;
		silent_before = !inside && (silent_before || (!known && ttl > 1));
		out->place[ttl] = place;
	}
	/* a silent hop right behind the gateway, with the provider behind it, is the provider's */
	for (unsigned ttl = 2; ttl <= last && ttl < PLAN_MAX_HOPS; ttl++)
		if (out->place[ttl] == PLACE_UNKNOWN && out->place[ttl + 1] == PLACE_ISP)
			out->place[ttl] = PLACE_ISP;
	place_silent_hops(p, last < reach ? last : reach, out);
	if (dest_ttl && dest_ttl <= PLAN_MAX_HOPS)
		out->place[dest_ttl] = PLACE_DESTINATION;
}
