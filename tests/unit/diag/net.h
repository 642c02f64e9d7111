/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A network that answers SYNs, and a live run on it: by the clock of the
 * simulation, everything as run/live.c would log it.
 *
 * A path is a row of routers with the target behind them. A router looks at a
 * packet (filter on its way in), takes one off the TTL, and forwards it (filter
 * on its way out). Each link may lose packets either way; a router may be
 * silent, or answer expired TTLs at a limited rate.
 */
#ifndef SB_TESTS_DIAG_NET_H
#define SB_TESTS_DIAG_NET_H

#include "build.h"

#define NET_MAX_HOPS 24
#define ANY_PORT     0

/* ---- lots ---- */

struct lots {
	uint64_t state;
};

static inline struct lots lots_new(uint64_t seed)
{
	/* splitmix64: neighbouring seeds must not look alike */
	uint64_t z = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (struct lots){(z ^ (z >> 31)) | 1};
}

static inline double uniform(struct lots *l)
{
	l->state ^= l->state << 13;
	l->state ^= l->state >> 7;
	l->state ^= l->state << 17;
	return (double)(l->state >> 11) / 9007199254740992.0;
}

static inline bool chance(struct lots *l, double p)
{
	return uniform(l) < p;
}

/* from..to, both included */
static inline unsigned pick(struct lots *l, unsigned from, unsigned to)
{
	return from + (unsigned)(uniform(l) * (to - from + 1));
}

/* ---- the network ---- */

enum deed {
	DEED_NONE,
	DEED_DROP,
	DEED_RST,       /* in the target's name */
	DEED_ICMP,      /* in its own */
	DEED_INTERCEPT, /* completes the handshake in the target's name */
	DEED_INJECT,    /* forges a RST and lets the SYN go on */
};

struct filter {
	enum deed deed;
	unsigned at;       /* router, from 1 */
	bool outbound;     /* behind its look at the TTL */
	bool spares_own;   /* lets through what is for the router itself */
	bool mirrors;      /* its answers have the TTL of what they answer */
	uint8_t ttl;       /* else this one, at first */
	uint8_t quotes;    /* the TTL that its ICMP errors quote; 0: the one that came */
	unsigned ports[3]; /* ANY_PORT: every one that is not listed before */
	unsigned n_ports;
};

struct router {
	struct addr address;
	enum place place;
	uint32_t asn;
	bool silent;       /* for expired TTLs */
	bool deaf;         /* its own stack answers no SYN */
	double per_second; /* ICMP errors, 0 without limit */
	double tokens;
	int64_t refilled_ns;
	unsigned back;     /* routers more on the way back than on the way there */
};

enum service {
	SERVICE_OPEN,
	SERVICE_CLOSED, /* RST */
	SERVICE_FILTERED,
};

struct net {
	struct lots lots;
	unsigned n; /* routers */
	struct router router[NET_MAX_HOPS + 2];
	struct filter filter;
	struct {
		unsigned port;
		enum service service;
	} services[4];
	unsigned n_services;
	uint8_t syn_ack_ttl, rst_ttl; /* at first */
	unsigned target_back;
	unsigned renews;    /* router that sets the TTL of what it forwards to 64; 0: none */
	bool renews_first;  /* ... before it looks at it */
	unsigned renews_back; /* router that does so with what comes back */
	bool branch;        /* after router branch_at some flows meet one router more */
	unsigned branch_at;
	uint32_t branch_salt, back_salt; /* of the hash that chooses, there and back */
	double loss_out, loss_back;
	unsigned loss_link; /* the link that loses: 0 is this host's own */
	int64_t rtt_ns, jitter_ns;
	int64_t greeting_ns;
	bool with_as;
};

static inline struct filter filter_new(enum deed deed, unsigned at, bool outbound)
{
	return (struct filter){.deed = deed, .at = at, .outbound = outbound, .ttl = 64,
			       .ports = {25}, .n_ports = 1};
}

/* A plain path: n routers, the last one the destination's, no loss, 20 ms. */
static inline void net_plain(struct net *net, const struct scene *s, unsigned n, uint64_t seed)
{
	*net = (struct net){.lots = lots_new(seed),
			    .n = n,
			    .services = {{25, SERVICE_OPEN}, {443, SERVICE_OPEN}},
			    .n_services = 2,
			    .syn_ack_ttl = 64,
			    .rst_ttl = 64,
			    .rtt_ns = 20 * NS_PER_MS,
			    .jitter_ns = NS_PER_MS / 2,
			    .greeting_ns = 15 * NS_PER_MS};
	for (unsigned i = 1; i <= n; i++) {
		net->router[i].address = hop(s, i);
		net->router[i].place = i == 1 ? PLACE_GATEWAY
				       : i == n && n > 3 ? PLACE_DESTINATION_NETWORK
				       : i <= 3		 ? PLACE_ISP
							 : PLACE_TRANSIT;
	}
}

static inline enum service service_of(const struct net *net, unsigned port)
{
	for (unsigned i = 0; i < net->n_services; i++)
		if (net->services[i].port == port)
			return net->services[i].service;
	return SERVICE_CLOSED;
}

static inline bool filter_meets(const struct filter *f, unsigned port)
{
	for (unsigned i = 0; i < f->n_ports; i++)
		if (f->ports[i] == port || f->ports[i] == ANY_PORT)
			return true;
	return false;
}

/* ---- a run on it ---- */

enum timer_kind {
	TIMER_EVENT, /* something arrives at this host */
	TIMER_RESEND,
};

struct pending {
	int64_t t_ns;
	enum timer_kind kind;
	struct event ev;
	unsigned flow, tries;
};

enum sock_state {
	SOCK_SENT,
	SOCK_UP,
	SOCK_OVER,
};

struct sim {
	struct scene *s;
	struct net *net;
	struct pending *queue;
	size_t n_queue, max_queue;
	enum sock_state sock[TRACKER_MAX_FLOWS + 8];
	bool talked[PLAN_MAX_PORTS];
	unsigned n_syns, n_probes, n_advice;
	int64_t greeted_ns; /* when the dialogue of the first port was over; 0 never */
	bool done;          /* the advice said so */
};

static inline void queue_event(struct sim *m, int64_t t_ns, const struct pending *p)
{
	if (m->n_queue == m->max_queue) {
		m->max_queue = m->max_queue ? m->max_queue * 2 : 64;
		m->queue = realloc(m->queue, m->max_queue * sizeof(*m->queue));
	}
	m->queue[m->n_queue] = *p;
	m->queue[m->n_queue++].t_ns = t_ns;
}

/* One SYN on its way. */
struct traveller {
	struct addr src, dst;
	uint16_t sport, dport;
	uint32_t seq;
	uint8_t ttl;
};

static inline bool takes_longer(uint32_t sport, uint32_t salt)
{
	uint32_t h = (sport ^ salt) * 2654435761u;

	return ((h ^ (h >> 15)) * 2246822519u) >> 31;
}

/* Routers that this flow meets before router i of the plain path. */
static inline unsigned distance_to(const struct net *net, const struct traveller *y, unsigned i)
{
	return i - 1 + (net->branch && i > net->branch_at && takes_longer(y->sport, net->branch_salt));
}

/* ... and that its answers meet. */
static inline unsigned distance_back(const struct net *net, const struct traveller *y, unsigned i)
{
	return i - 1 + (net->branch && i > net->branch_at && takes_longer(y->sport, net->back_salt));
}

static inline void arrive(struct sim *m, const struct traveller *y, unsigned distance, int ttl,
			  struct packet *k)
{
	struct net *net = m->net;
	struct pending p = {.kind = TIMER_EVENT, .ev = {.kind = EV_PACKET, .flow = NO_FLOW}};
	double way = (distance + 1.0) / (net->n + 1.0);

	if (net->renews_back && distance >= net->renews_back)
		ttl = 64 - (int)net->renews_back;
	if (ttl < 1 || (net->loss_link <= distance && chance(&net->lots, net->loss_back)))
		return;
	k->ifindex = ETH;
	k->dir = PACKET_IN;
	k->dst = y->src;
	k->ttl = (uint8_t)ttl;
	p.ev.packet = *k;
	queue_event(m,
		    m->s->now + (int64_t)(way * (double)net->rtt_ns) + NS_PER_MS / 5 +
			    (int64_t)(uniform(&net->lots) * (double)net->jitter_ns),
		    &p);
}

static inline void reply_tcp(struct sim *m, const struct traveller *y, unsigned distance, int ttl,
			     unsigned flags)
{
	struct packet k = {.kind = PACKET_TCP, .proto = 6, .src = y->dst};

	k.tcp = (struct tcp_segment){.sport = y->dport, .dport = y->sport, .ack = y->seq + 1,
				     .seq = flags & TCP_SYN ? 9000 : 0, .flags = (uint8_t)flags,
				     .window = 65160, .has_mss = (flags & TCP_SYN) != 0};
	arrive(m, y, distance, ttl, &k);
}

static inline void reply_icmp(struct sim *m, const struct traveller *y, const struct router *r,
			      unsigned distance, unsigned type, unsigned code, unsigned quoted_ttl)
{
	bool v6 = y->dst.family == ADDR_V6;
	struct packet k = {.kind = PACKET_ICMP, .proto = v6 ? 58 : 1, .src = r->address};

	k.icmp.type = (uint8_t)type;
	k.icmp.code = (uint8_t)code;
	k.icmp.quote = (struct icmp_quote){.present = true, .src = y->src, .dst = y->dst,
					   .ttl = (uint8_t)quoted_ttl, .proto = 6,
					   .has_ports = true, .sport = y->sport,
					   .dport = y->dport, .seq = y->seq};
	arrive(m, y, distance, 255 - (int)(distance + r->back), &k);
}

static inline void time_exceeded(struct sim *m, const struct traveller *y, struct router *r,
				 unsigned distance)
{
	if (r->silent)
		return;
	if (r->per_second > 0) {
		double burst = r->per_second < 6 ? 6 : r->per_second;
		r->tokens += (double)(m->s->now - r->refilled_ns) / 1e9 * r->per_second;
		r->tokens = r->refilled_ns == 0 || r->tokens > burst ? burst : r->tokens;
		r->refilled_ns = m->s->now;
		if (r->tokens < 1)
			return;
		r->tokens -= 1;
	}
	reply_icmp(m, y, r, distance, y->dst.family == ADDR_V6 ? 3 : 11, 0, 1);
}

/* False when the SYN goes no farther. */
static inline bool meet_filter(struct sim *m, const struct traveller *y, int ttl)
{
	struct net *net = m->net;
	const struct filter *f = &net->filter;
	unsigned distance = distance_back(net, y, f->at);
	const struct router *r = &net->router[f->at];
	int at_first = f->mirrors ? ttl : f->ttl;
	bool v6 = y->dst.family == ADDR_V6;

	switch (f->deed) {
	case DEED_NONE:
		return true;
	case DEED_DROP:
		return false;
	case DEED_RST:
	case DEED_INJECT:
		reply_tcp(m, y, distance, at_first - (int)(distance + r->back), TCP_RST | TCP_ACK);
		return f->deed == DEED_INJECT;
	case DEED_ICMP:
		reply_icmp(m, y, r, distance, v6 ? 1 : 3, v6 ? 1 : 13,
			   f->quotes ? f->quotes : (unsigned)ttl);
		return false;
	case DEED_INTERCEPT:
		reply_tcp(m, y, distance, at_first - (int)(distance + r->back), TCP_SYN | TCP_ACK);
		return false;
	}
	return true;
}

static inline void travel(struct sim *m, const struct traveller *y)
{
	struct net *net = m->net;
	const struct filter *f = &net->filter;
	bool lost = chance(&net->lots, net->loss_out), filtered = filter_meets(f, y->dport);
	unsigned distance = 0;
	int given = y->ttl; /* the TTL that it would have left with, had nobody set it anew */

	for (unsigned i = 1; i <= net->n; i++) {
		struct router *r = &net->router[i];
		distance = distance_to(net, y, i);
		int ttl = given - (int)distance;
		if (net->renews == i && net->renews_first && ttl >= 1)
			given += 64 - ttl;
		ttl = given - (int)distance;
		bool own = addr_equal(&r->address, &y->dst), here = filtered && f->at == i;
		if (lost && net->loss_link < i)
			return;
		if (ttl < 1)
			return; /* expired on the branch, whose router keeps silent */
		if (here && !f->outbound && !(own && f->spares_own) &&
		    !meet_filter(m, y, ttl))
			return;
		if (own) {
			if (!r->deaf)
				reply_tcp(m, y, distance, 64 - (int)distance, TCP_RST | TCP_ACK);
			return;
		}
		if (ttl == 1) {
			time_exceeded(m, y, r, distance);
			return;
		}
		if (net->renews == i)
			given += 65 - ttl;
		if (here && f->outbound && !meet_filter(m, y, given - (int)distance - 1))
			return;
	}
	if (lost || given <= (int)distance_to(net, y, net->n + 1) ||
	    !addr_equal(&y->dst, &m->s->plan.target))
		return;
	distance = distance_back(net, y, net->n + 1);
	switch (service_of(net, y->dport)) {
	case SERVICE_OPEN:
		reply_tcp(m, y, distance, net->syn_ack_ttl - (int)(distance + net->target_back),
			  TCP_SYN | TCP_ACK);
		break;
	case SERVICE_CLOSED:
		reply_tcp(m, y, distance, net->rst_ttl - (int)(distance + net->target_back),
			  TCP_RST | TCP_ACK);
		break;
	case SERVICE_FILTERED:
		break;
	}
}

/* ---- sockets ---- */

static inline void flow_syn(struct sim *m, unsigned f, unsigned tries)
{
	static const int64_t wait_s[] = {1, 2, 4, 8};
	const struct made_flow *made = &m->s->flows[f];
	struct traveller y = {m->s->source, m->s->plan.target, made->lport, made->port, made->isn, 64};

	syn(m->s, f);
	m->n_syns++;
	travel(m, &y);
	queue_event(m, m->s->now + wait_s[tries < 3 ? tries : 3] * NS_PER_S,
		    &(struct pending){.kind = TIMER_RESEND, .flow = f, .tries = tries + 1});
}

static inline int plan_index(const struct scene *s, unsigned port)
{
	for (unsigned i = 0; i < s->plan.n_ports; i++)
		if (s->plan.ports[i].port == port)
			return (int)i;
	return -1;
}

static inline void sim_start(struct sim *m, unsigned port_index)
{
	if (m->talked[port_index] || m->s->n_flows >= TRACKER_MAX_FLOWS)
		return;
	flow_syn(m, flow(m->s, m->s->plan.ports[port_index].port), 0);
}

/* What was sent must come again and again until it is there. */
static inline int64_t reliable_trip(struct net *net)
{
	int64_t t = net->rtt_ns;

	for (int64_t rto = 250 * NS_PER_MS; chance(&net->lots, net->loss_back) && rto < 4 * NS_PER_S;
	     rto *= 2)
		t += rto;
	return t;
}

static inline void up(struct sim *m, unsigned f)
{
	int i = plan_index(m->s, m->s->flows[f].port);

	m->sock[f] = SOCK_UP;
	connected(m->s, f);
	if (!m->s->plan.ports[i].tested || m->talked[i])
		return;
	m->talked[i] = true;
	int64_t greet = m->s->now + m->net->greeting_ns + reliable_trip(m->net);
	struct pending p = {.ev = {.kind = EV_REPLY, .flow = (uint16_t)f}};
	p.ev.reply = (struct ev_reply){.stage = STAGE_GREETING, .code = 220, .text = "mx.example.com ESMTP"};
	queue_event(m, greet, &p);
	p.ev = (struct event){.kind = EV_SESSION_END, .flow = (uint16_t)f};
	p.ev.session_end = (struct ev_session_end){.stage = STAGE_QUIT, .end = SESSION_DONE, .bytes = 60};
	queue_event(m, greet + reliable_trip(m->net), &p);
}

/* What the kernel makes of a packet. */
static inline void kernel_takes(struct sim *m, const struct packet *k)
{
	bool is_icmp = k->kind == PACKET_ICMP;
	uint16_t port = is_icmp ? k->icmp.quote.sport : k->tcp.dport;

	if (port < 40000 || port >= 40000 + m->s->n_flows)
		return;
	unsigned f = port - 40000u;
	if (m->sock[f] != SOCK_SENT)
		return;
	if (!is_icmp && (k->tcp.flags & TCP_RST)) {
		m->sock[f] = SOCK_OVER;
		failed(m->s, f, ECONNREFUSED);
	} else if (!is_icmp) {
		up(m, f);
	} else {
		m->sock[f] = SOCK_OVER;
		failed(m->s, f, EHOSTUNREACH);
	}
}

static inline void take(struct sim *m, size_t i)
{
	struct pending p = m->queue[i];

	m->queue[i] = m->queue[--m->n_queue];
	m->s->now = p.t_ns;
	if (p.kind == TIMER_RESEND) {
		if (m->sock[p.flow] == SOCK_SENT)
			flow_syn(m, p.flow, p.tries);
		return;
	}
	p.ev.t_ns = p.t_ns;
	if (p.ev.kind == EV_PACKET)
		p.ev.packet.t_ns = p.t_ns;
	if (p.ev.kind == EV_SESSION_END && m->s->flows[p.ev.flow].port == m->s->plan.ports[0].port)
		m->greeted_ns = p.t_ns;
	event_log_add(&m->s->log, &p.ev);
	if (p.ev.kind == EV_PACKET)
		kernel_takes(m, &p.ev.packet);
}

/* The next that is due, n_queue when nothing is. */
static inline size_t next_due(const struct sim *m)
{
	size_t best = m->n_queue;

	for (size_t i = 0; i < m->n_queue; i++)
		if (best == m->n_queue || m->queue[i].t_ns < m->queue[best].t_ns)
			best = i;
	return best;
}

static inline void sim_probe(struct sim *m, enum probe_kind kind, unsigned port, unsigned ttl,
			     struct addr dst)
{
	unsigned id = probe(m->s, kind, port, kind == PROBE_TRACE ? ttl : 64, dst);
	const struct made_probe *made = &m->s->probes[id];
	struct traveller y = {m->s->source, dst, (uint16_t)(50000 + port), (uint16_t)port, made->seq,
			      made->ttl};

	m->n_probes++;
	travel(m, &y);
}

static inline void sim_until(struct sim *m, int64_t t_ns)
{
	for (size_t i = next_due(m); i < m->n_queue && m->queue[i].t_ns <= t_ns; i = next_due(m))
		take(m, i);
	m->s->now = t_ns;
}

static inline void asn_is(struct scene *s, struct addr address, uint32_t asn)
{
	add_event(s, EV_ASN, NO_FLOW)->asn = (struct ev_asn){address, asn, "Example"};
}

static inline void sim_host(struct sim *m)
{
	usual_host(m->s);
	for (unsigned i = 1; m->net->with_as && i <= m->net->n; i++)
		if (m->net->router[i].asn)
			asn_is(m->s, m->net->router[i].address, m->net->router[i].asn);
}

static inline void follow(struct sim *m, const struct diag_advice *advice)
{
	for (unsigned i = 0; i < advice->n_repeat; i++)
		sim_start(m, (unsigned)advice->repeat[i]);
	for (unsigned i = 0; i < advice->n_probes && m->s->n_probes < MAX_MADE; i++) {
		const struct diag_probe *p = &advice->probes[i];
		sim_probe(m, p->kind, m->s->plan.ports[p->port_index].port, p->ttl, p->dst);
		m->s->now += 20000; /* a send takes its time */
	}
}

/* As run/live.c does it. The report is the scene's. */
static inline const struct report *sim_run(struct sim *m, struct scene *s, struct net *net)
{
	static struct diag_advice advice;
	int64_t deadline;

	*m = (struct sim){.s = s, .net = net};
	sim_host(m);
	deadline = s->now + s->plan.timeout_ns;
	struct diag *d = calloc(1, sizeof(*d));
	diag_init(d, &s->plan, &s->log);
	for (unsigned i = 0; i < s->plan.n_ports; i++)
		sim_start(m, i);
	for (;;) {
		diag_feed(d);
		diag_advise(d, s->now, &advice);
		m->n_advice++;
		m->done = advice.done;
		if (advice.done || s->now >= deadline)
			break;
		if (advice.again_ns <= s->now && !advice.n_probes && !advice.n_repeat)
			fail_msg("the advice is to ask again at once, for nothing");
		follow(m, &advice);
		int64_t until = advice.again_ns < deadline ? advice.again_ns : deadline;
		size_t i = next_due(m);
		/* what comes within half a millisecond is taken at once */
		if (i < m->n_queue && m->queue[i].t_ns + NS_PER_MS / 2 < until)
			until = m->queue[i].t_ns + NS_PER_MS / 2;
		sim_until(m, until > s->now ? until : s->now + NS_PER_MS);
	}
	diag_clear(d);
	free(d);
	capture_lost(s, 0, 0);
	finish(s);
	free(m->queue);
	m->queue = NULL;
	return s->report;
}

/* Without advice: so many rounds of the TTLs 1..last for both ports, `gap_ms` apart, and SYNs
 * beside them. */
static inline const struct report *sim_rounds(struct sim *m, struct scene *s, struct net *net,
					      unsigned rounds, double gap_ms, unsigned last)
{
	*m = (struct sim){.s = s, .net = net};
	sim_host(m);
	for (unsigned k = 0; k < rounds; k++) {
		for (unsigned i = 0; i < s->plan.n_ports; i++)
			sim_start(m, i);
		for (unsigned ttl = 1; ttl <= last; ttl++)
			for (unsigned i = 0; i < s->plan.n_ports; i++) {
				unsigned one = (i + k + ttl) % s->plan.n_ports;
				sim_probe(m, PROBE_TRACE, s->plan.ports[one].port, ttl,
					  s->plan.target);
				s->now += 20000;
			}
		sim_until(m, s->now + (int64_t)(gap_ms * 1e6));
	}
	sim_until(m, s->now + 2 * NS_PER_S);
	capture_lost(s, 0, 0);
	finish(s);
	free(m->queue);
	m->queue = NULL;
	return s->report;
}

#endif
