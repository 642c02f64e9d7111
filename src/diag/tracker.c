/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "diag/tracker.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "wire/decode.h"

/* A number farther off than any window that a stack offers a mail server is somebody's forgery. */
#define NUMBERS_MAX (16 << 20)
/* A SYN leaves within connect(): so much later one to the same port is somebody else's. */
#define TRANSLATED_WITHIN_NS (5 * NS_PER_MS)

void tracker_init(struct tracker *t, const struct plan *plan, const struct event_log *log)
{
	static const struct host_route none;

	memset(t, 0, sizeof(*t));
	t->plan = plan;
	t->log = log;
	for (unsigned i = 0; i < PLAN_MAX_PORTS; i++)
		t->routes[i].route = &none;
	path_init(&t->path, &plan->target, plan->n_ports);
}

void tracker_clear(struct tracker *t)
{
	free(t->flows);
	free(t->host);
	path_clear(&t->path);
	memset(t, 0, sizeof(*t));
}

static struct flow *flow_by_id(struct tracker *t, uint16_t id)
{
	for (unsigned i = 0; i < t->n_flows; i++)
		if (t->flows[i].id == id)
			return &t->flows[i];
	return NULL;
}

static void feed_flow_start(struct tracker *t, const struct event *ev, size_t index)
{
	int port_index = plan_port_index(t->plan, ev->flow_start.rport);

	if (t->n_flows == TRACKER_MAX_FLOWS || port_index < 0)
		return;
	t->flows = array_grow(t->flows, t->n_flows, &t->flows_size, sizeof(*t->flows));
	struct flow *f = &t->flows[t->n_flows++];
	*f = (struct flow){
		.id = ev->flow,
		.role = ev->flow_start.role,
		.attempt = ev->flow_start.attempt,
		.port = ev->flow_start.rport,
		.port_index = port_index,
		.local = ev->flow_start.local,
		.lport = ev->flow_start.lport,
		.start_ns = ev->t_ns,
		.start_event = index,
	};
}

static void feed_connect(struct tracker *t, const struct event *ev, size_t index)
{
	struct flow *f = flow_by_id(t, ev->flow);

	if (!f || f->has_result)
		return;
	f->has_result = true;
	f->error = ev->connect.error;
	f->at_once = ev->connect.at_once;
	f->peer = ev->connect.peer;
	f->peer_port = ev->connect.peer_port;
	f->result_ns = f->last_heard_ns = ev->t_ns;
	f->result_event = index;
	if (addr_is_set(&ev->connect.local))
		f->local = ev->connect.local;
}

static void add_icmp(struct flow *f, const struct icmp_answer *a)
{
	for (unsigned i = 0; i < f->n_icmp; i++) {
		struct icmp_answer *old = &f->icmp[i];
		if (old->msg.type != a->msg.type || old->msg.code != a->msg.code ||
		    !addr_equal(&old->from, &a->from))
			continue;
		/* the same message from the tap and from the socket: the tap knows more */
		if (old->from_errqueue && !a->from_errqueue)
			*old = *a;
		return;
	}
	if (f->n_icmp < TRACKER_MAX_ICMP)
		f->icmp[f->n_icmp++] = *a;
}

static void feed_icmp_error(struct tracker *t, const struct event *ev, size_t index)
{
	struct flow *f = flow_by_id(t, ev->flow);
	struct icmp_answer a = {.from = ev->icmp_error.from,
				.from_errqueue = true,
				.t_ns = ev->t_ns,
				.event = index};

	if (!f)
		return;
	a.msg.type = ev->icmp_error.type;
	a.msg.code = ev->icmp_error.code;
	a.on_lo = addr_equal(&a.from, &f->local);
	add_icmp(f, &a);
}

/* ---- packets ------------------------------------------------------------------------------ */

static bool is_own_syn(const struct tcp_segment *tcp)
{
	return (tcp->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN;
}

/* The latest flow from this source port, to this port if there is one: a host that is short of ports
 * uses one for several destinations, and a redirect changes the destination. */
static struct flow *flow_by_lport(struct tracker *t, uint16_t lport, uint16_t port)
{
	struct flow *other = NULL;

	for (unsigned i = t->n_flows; i-- > 0;) {
		struct flow *f = &t->flows[i];
		if (f->lport != lport)
			continue;
		if (f->port == port)
			return f;
		if (!other)
			other = f;
	}
	return other;
}

/* A SYN of ours that masquerading gave another port: same destination, and a flow to it whose own
 * SYN was not seen, nor anything that came back for it. */
static struct flow *flow_of_translated_syn(struct tracker *t, const struct packet *p)
{
	if (!addr_equal(&p->dst, &t->plan->target) || p->loopback || p->dir == PACKET_IN)
		return NULL;
	for (unsigned i = 0; i < t->n_flows; i++) {
		struct flow *f = &t->flows[i];
		if (f->port != p->tcp.dport)
			continue;
		if (f->translated && f->translated_sport == p->tcp.sport)
			return f;
		if (!f->syn_out && !f->redirected && !f->syn_on_lo && !f->synack.seen && !f->rst.seen && !f->n_icmp &&
		    p->t_ns >= f->start_ns && p->t_ns - f->start_ns < TRANSLATED_WITHIN_NS)
			return f;
	}
	return NULL;
}

/* The flow's own port is seen on the wire: what was taken for its SYN, and what answered that, was another
 * program's that called the same target at that moment. */
static void own_port_seen(struct flow *f)
{
	if (!f->translated || f->translated_sport == f->lport)
		return;
	f->translated = f->has_isn = f->rst_before_synack = false;
	f->syn_out = f->n_icmp = 0;
	f->synack = f->rst = (struct answer){0};
}

static bool target_is_here(const struct tracker *t)
{
	for (unsigned i = 0; i < t->plan->n_ports; i++)
		if (t->routes[i].has && t->routes[i].route->local)
			return true;
	return addr_is_loopback(&t->plan->target);
}

static void note_syn_left(struct flow *f, const struct packet *p, size_t index)
{
	if (f->syn_out && p->ifindex != f->syn_ifindex)
		return; /* the same SYN on a bridge's port, a VLAN's or a macvlan's lower device */
	if (!f->syn_out) {
		f->first_syn_ns = p->t_ns;
		f->syn_ifindex = p->ifindex;
		f->syn_ttl = p->ttl;
		f->mss = p->tcp.has_mss ? p->tcp.mss : 0;
		f->isn = p->tcp.seq;
		f->has_isn = true;
		f->syn_event = index;
		if (!addr_equal(&p->src, &f->local) || p->tcp.sport != f->lport) {
			f->translated = true;
			f->translated_src = p->src;
			f->translated_sport = p->tcp.sport;
		}
	}
	f->syn_out++;
	f->last_syn_ns = p->t_ns;
}

static void note_redirect(struct flow *f, const struct packet *p, size_t index)
{
	if (f->redirected)
		return;
	f->redirected = true;
	f->redirect_dst = p->dst;
	f->redirect_dport = p->tcp.dport;
	f->redirect_event = index;
}

static void feed_syn(struct tracker *t, const struct packet *p, size_t index)
{
	struct flow *f = flow_by_lport(t, p->tcp.sport, p->tcp.dport);
	bool here = target_is_here(t);

	if (f && p->tcp.dport == f->port && addr_equal(&p->dst, &t->plan->target) && p->dir != PACKET_IN)
		own_port_seen(f);
	if (!f)
		f = flow_of_translated_syn(t, p);
	if (!f || (p->dir == PACKET_IN && !p->loopback))
		return;
	bool same_target = addr_equal(&p->dst, &t->plan->target) && p->tcp.dport == f->port;
	/* a container's packet may bear the same port: a redirect of ours keeps our address */
	if (!same_target && !p->loopback && !addr_equal(&p->src, &f->local))
		return;
	/* ours has left as it should: another program calls elsewhere from the same port */
	if (!same_target && f->has_isn && !f->translated && p->tcp.seq != f->isn)
		return;
	if (!same_target) {
		note_redirect(f, p, index);
	} else if (p->loopback && !here) {
		f->syn_on_lo = true;
		f->redirect_event = index;
	} else {
		note_syn_left(f, p, index);
	}
}

/* The same ports between other hosts (a bridge, a container behind us) are somebody else's. */
static bool is_between_us(const struct tracker *t, const struct flow *f, const struct packet *p)
{
	struct addr any = {.family = f->local.family};

	if (p->loopback)
		return true;
	if (!addr_equal(&p->src, &t->plan->target) && !f->redirected)
		return false;
	return addr_equal(&f->local, &any) || addr_equal(&p->dst, &f->local) ||
	       (f->translated && addr_equal(&p->dst, &f->translated_src));
}

/* The flow that this packet from the other side belongs to. */
static struct flow *flow_of_answer(struct tracker *t, const struct packet *p)
{
	struct flow *f = flow_by_lport(t, p->tcp.dport, p->tcp.sport);

	if (f && is_between_us(t, f, p) &&
	    (p->tcp.sport == f->port || (f->redirected && p->tcp.sport == f->redirect_dport))) {
		own_port_seen(f);
		return f;
	}
	for (unsigned i = 0; i < t->n_flows; i++) {
		f = &t->flows[i];
		if (f->translated && f->translated_sport == p->tcp.dport &&
		    p->tcp.sport == f->port && addr_equal(&f->translated_src, &p->dst))
			return f;
	}
	return NULL;
}

static void note_answer(struct answer *a, const struct flow *f, const struct packet *p,
			size_t index)
{
	bool acks_our_syn = f->has_isn && p->tcp.ack == f->isn + 1;

	/* what answers an older SYN must not hide the answer to ours */
	if (a->seen && (a->acks_our_syn || !acks_our_syn)) {
		/* one packet shows on several interfaces: count it once, by the SYN's own */
		if (p->ifindex == a->ifindex)
			a->count++;
		else if (p->ifindex == f->syn_ifindex)
			a->ifindex = p->ifindex;
		return;
	}
	*a = (struct answer){
		.seen = true,
		.count = 1,
		.t_ns = p->t_ns,
		.ttl = p->ttl,
		.ip_id = p->ip_id,
		.window = p->tcp.window,
		.seq = p->tcp.seq,
		.has_ts = p->tcp.has_ts,
		.ts_val = p->tcp.ts_val,
		.df = p->df,
		.has_mss = p->tcp.has_mss,
		.has_wscale = p->tcp.has_wscale,
		.sack = p->tcp.sack_permitted,
		.mss = p->tcp.mss,
		.wscale = p->tcp.wscale,
		.option_order = p->tcp.option_order,
		.on_lo = p->loopback,
		.ifindex = p->ifindex,
		.has_ack = p->tcp.flags & TCP_ACK,
		.acks_our_syn = acks_our_syn,
		.event = index,
	};
}

/* How far `a` is ahead of `b` in the circle of sequence numbers; 0 where it is too far off to mean
 * anything: somebody's packet with somebody's numbers. */
static int32_t ahead(uint32_t a, uint32_t b)
{
	int32_t d = (int32_t)(a - b);

	return d > NUMBERS_MAX || d < -NUMBERS_MAX ? 0 : d;
}

/* The tap must have seen the handshake: all is read against its numbers. */
static void note_signs_of_rst(struct flow *f, const struct packet *p, size_t index)
{
	const struct talk *k = &f->talk;
	struct rst_signs *s = &f->signs;

	if (!k->begun || p->loopback)
		return;
	/* a stack resets at what it has sent, or at what it was acknowledged: both lie still */
	bool runs = s->n && (int32_t)(p->tcp.seq - s->last_seq) > 0 &&
		    (int32_t)(p->tcp.seq - k->their_end) > 0;
	bool never_sent = (p->tcp.flags & TCP_ACK) && ahead(p->tcp.ack, k->said_end + 1) > 0 &&
			  f->role != FLOW_HELD;
	if ((runs || never_sent) && !s->seq_change && !s->ack_change)
		s->change_event = index;
	s->seq_change |= runs;
	s->ack_change |= never_sent;
	s->last_seq = p->tcp.seq;
	s->n++;
}

/* Who has reset a connection says no more on it; what it said before has lower numbers than its RST,
 * whichever of them came first. */
static void note_data_after_rst(struct flow *f, const struct packet *p, size_t index)
{
	uint32_t end = p->tcp.seq + p->payload_len;

	if (!f->signs.n || f->signs.seq_data || !p->payload_len || p->loopback || p->t_ns < f->rst.t_ns)
		return;
	f->signs.seq_data = ahead(end, f->rst.seq) > 0 && ahead(end, f->talk.heard_end) > 0;
	f->signs.data_event = index;
}

/* Bytes or an end that were not there before, after our words were held back. */
static bool is_drawn(const struct flow *f, const struct packet *p)
{
	uint32_t end = p->tcp.seq + p->payload_len + !!(p->tcp.flags & TCP_FIN);

	return f->talk.begun && p->t_ns > f->held_ns && !f->has_end && ahead(end, f->talk.heard_end) > 0;
}

/* What acknowledges what never got to the target, or that comes from another distance. */
static bool is_elsewhere(const struct flow *f, const struct packet *p)
{
	bool acks = (p->tcp.flags & TCP_ACK) && (int32_t)(p->tcp.ack - f->talk.said_end) > 0;

	return acks || path_distance(p->ttl) != path_distance(f->synack.ttl);
}

static void feed_answer(struct tracker *t, const struct packet *p, size_t index)
{
	struct flow *f = flow_of_answer(t, p);

	if (!f || p->dir == PACKET_OUT)
		return;
	if ((p->tcp.flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK)) {
		if (f->rst.seen && !f->synack.seen)
			f->rst_before_synack = true;
		note_answer(&f->synack, f, p, index);
	} else if (p->tcp.flags & TCP_RST) {
		note_answer(&f->rst, f, p, index);
		note_signs_of_rst(f, p, index);
		if (f->role == FLOW_HELD && f->held_ns &&
		    path_feed_drawn(&t->path, f->port_index, p, index, is_elsewhere(f, p)))
			f->drawn.rst = true;
	} else {
		note_data_after_rst(f, p, index);
		if ((p->tcp.flags & TCP_FIN) && !p->loopback)
			note_answer(&f->fin, f, p, index);
		if (f->role == FLOW_HELD && f->held_ns && is_drawn(f, p) &&
		    path_feed_drawn(&t->path, f->port_index, p, index, is_elsewhere(f, p))) {
			f->drawn.words |= p->payload_len > 0;
			f->drawn.fin |= (p->tcp.flags & TCP_FIN) != 0;
		}
	}
}

static void feed_icmp_packet(struct tracker *t, const struct packet *p, size_t index)
{
	const struct icmp_quote *q = &p->icmp.quote;
	struct icmp_answer a = {.msg = p->icmp,
				.from = p->src,
				.ttl = p->ttl,
				.t_ns = p->t_ns,
				.event = index};
	struct flow *f = NULL;

	if (!q->present || !q->has_ports || q->proto != 6 || p->dir == PACKET_OUT)
		return;
	f = flow_by_lport(t, q->sport, q->dport);
	for (unsigned i = 0; !f && i < t->n_flows; i++)
		if (t->flows[i].translated && t->flows[i].translated_sport == q->sport)
			f = &t->flows[i];
	if (!f || (q->dport != f->port && !(f->redirected && q->dport == f->redirect_dport)))
		return;
	/* a translation on the way changes either, somebody else's packet bears neither */
	if (!addr_equal(&q->dst, &t->plan->target) && !f->redirected &&
	    !(f->has_isn && q->seq == f->isn))
		return;
	/* what is held back is meant to end at the first hop */
	if (f->role == FLOW_HELD && f->held_ns)
		return;
	a.on_lo = p->loopback || addr_equal(&p->src, &f->local);
	add_icmp(f, &a);
}

/* What goes on after the handshake, as far as the tap sees it; not what a closed socket still says. */
static void feed_traffic(struct tracker *t, const struct packet *p, size_t index)
{
	if (is_own_syn(&p->tcp) || (p->tcp.flags & TCP_RST))
		return;
	struct flow *out = p->dir == PACKET_IN && !p->loopback
				   ? NULL
				   : flow_by_lport(t, p->tcp.sport, p->tcp.dport);
	if (out) {
		/* seen again on a bridge's port or a macvlan's lower device */
		bool again = out->syn_out && !p->loopback && p->ifindex != out->syn_ifindex;
		if (!again && !out->has_end)
			talk_feed_own(&out->talk, p);
		return;
	}
	struct flow *in = p->dir == PACKET_OUT ? NULL : flow_of_answer(t, p);
	if (!in || in->has_end)
		return;
	if (p->tcp.flags & TCP_SYN) {
		if (in->has_isn && in->synack.event == index && in->synack.acks_our_syn)
			talk_begin(&in->talk, in->isn, in->syn_ttl, p);
		return;
	}
	if (!in->talk.bytes_in && p->payload_len) {
		in->payload_event = index;
		in->payload_ttl = p->ttl;
	}
	if (p->payload_len && ahead(p->tcp.seq + p->payload_len, in->talk.heard_end) > 0) {
		in->last_ttl = p->ttl;
		in->last_event = index;
	}
	talk_feed_their(&in->talk, p);
}

static void feed_neighbour_packet(struct tracker *t, const struct packet *p, size_t index)
{
	if (!t->has_neighbour || !addr_equal(&p->neighbour.about, &t->neighbour.address))
		return;
	if (p->neighbour.answers && p->dir == PACKET_IN && !t->neighbour_answered)
		t->neighbour_answered = index + 1;
	if (!p->neighbour.answers && p->dir == PACKET_OUT)
		t->neighbour_asked = true;
}

static void feed_packet(struct tracker *t, const struct packet *p, size_t index)
{
	if (p->kind == PACKET_NEIGHBOUR) {
		feed_neighbour_packet(t, p, index);
		return;
	}
	if (path_feed_packet(&t->path, p, index) || canary_feed_packet(&t->canary, p, index))
		return;
	switch (p->kind) {
	case PACKET_TCP:
		if (is_own_syn(&p->tcp) && path_feed_own(&t->path, p))
			break; /* a raw probe on its way out is no flow's SYN */
		if (is_own_syn(&p->tcp))
			feed_syn(t, p, index);
		else
			feed_answer(t, p, index);
		feed_traffic(t, p, index);
		break;
	case PACKET_ICMP:
		feed_icmp_packet(t, p, index);
		break;
	case PACKET_NEIGHBOUR:
	case PACKET_OTHER:
		break;
	}
}

/* ---- the rest ----------------------------------------------------------------------------- */

static void feed_session(struct tracker *t, const struct event *ev, size_t index)
{
	struct flow *f = flow_by_id(t, ev->flow);

	if (!f)
		return;
	if (ev->kind == EV_REPLY && ev->reply.stage < STAGE_COUNT)
		f->replies[ev->reply.stage] = (struct stage_reply){
			ev->reply.code, ev->reply.text, ev->reply.lines, ev->t_ns, index,
			ev->reply.helo, f->last_ttl, f->last_event};
	if (ev->kind != EV_SESSION_END && !f->has_end)
		f->last_heard_ns = ev->t_ns;
	if (ev->kind == EV_REPLY && ev->reply.stage == STAGE_GREETING && !f->has_reply) {
		f->has_reply = true;
		f->reply_code = ev->reply.code;
		f->reply_text = ev->reply.text;
		f->reply_ns = ev->t_ns;
		f->reply_event = index;
	} else if (ev->kind == EV_TLS && f->has_end) {
		f->has_late_tls = true;
		f->late_tls_event = index;
	} else if (ev->kind == EV_TLS && !f->has_tls) {
		f->has_tls = true;
		f->tls_event = index;
		f->tls_ns = ev->t_ns;
	} else if (ev->kind == EV_SESSION_END && !f->has_end) {
		f->has_end = true;
		f->end = ev->session_end.end;
		f->end_stage = ev->session_end.stage;
		f->end_text = ev->session_end.text;
		f->end_in_clear = ev->session_end.in_clear;
		f->end_bytes = ev->session_end.bytes;
		f->more = ev->session_end.more;
		f->end_event = index;
	}
}

static void feed_probe(struct tracker *t, const struct event *ev)
{
	int trace = plan_port_index(t->plan, ev->probe.port);
	struct flow *f = flow_by_id(t, ev->flow);

	if (ev->probe.kind == PROBE_CANARY) {
		canary_feed_probe(&t->canary, ev);
	} else if (ev->probe.kind == PROBE_LOOK && f) {
		f->looked_ns = ev->t_ns;
		f->n_looks++;
	} else if (ev->probe.kind != PROBE_LOOK && trace >= 0) {
		path_feed_probe(&t->path, ev, trace);
	}
}

static void feed_route(struct tracker *t, const struct event *ev, size_t index)
{
	int i = plan_port_index(t->plan, ev->route->port);

	if (i < 0)
		return;
	t->routes[i].has = true;
	t->routes[i].route = ev->route;
	t->routes[i].event = index;
}

static void feed_neighbour(struct tracker *t, const struct event *ev, size_t index)
{
	t->has_neighbour = true;
	t->neighbour = ev->neighbour;
	t->neighbour_event = index;
	if (neighbour_is_silent(&t->neighbour)) {
		t->neighbour_was_silent = true;
		t->neighbour_silent_event = index;
	}
}

static void feed_dns(struct tracker *t, const struct event *ev, size_t index)
{
	t->dns[ev->dns.record].asked |= ev->dns.asked;
	t->dns[ev->dns.record].has |= !ev->dns.asked;
	t->dns[ev->dns.record].event = index;
}

static void feed_held(struct tracker *t, const struct event *ev)
{
	struct flow *f = flow_by_id(t, ev->flow);

	if (f)
		f->held_ns = ev->t_ns;
}

static void feed_alike(struct tracker *t, const struct event *ev, size_t index)
{
	int i = plan_port_index(t->plan, ev->alike.port);

	if (i >= 0)
		t->alike[i] = index + 1;
}

static void feed_host(struct tracker *t, const struct event *ev, size_t index)
{
	if (t->n_host < TRACKER_MAX_HOST) {
		t->host = array_grow(t->host, t->n_host, &t->host_size, sizeof(*t->host));
		t->host[t->n_host++] = index;
	}
	if (ev->host->kind == HOST_NOT_LOOKED)
		t->host_not_looked[ev->host->not_looked.what] = ev->host->not_looked.why;
}

void tracker_feed(struct tracker *t, size_t index)
{
	const struct event *ev = &t->log->events[index];

	if (!t->start_ns)
		t->start_ns = ev->t_ns;
	if (ev->t_ns > t->end_ns)
		t->end_ns = ev->t_ns;
	switch (ev->kind) {
	case EV_LINK:
		t->has_link = true;
		t->link = ev->link;
		t->link_event = index;
		break;
	case EV_ROUTE:
		feed_route(t, ev, index);
		break;
	case EV_NEIGHBOUR:
		feed_neighbour(t, ev, index);
		break;
	case EV_FLOW_START:
		feed_flow_start(t, ev, index);
		break;
	case EV_CONNECT:
		feed_connect(t, ev, index);
		break;
	case EV_ICMP_ERROR:
		feed_icmp_error(t, ev, index);
		break;
	case EV_PACKET:
		feed_packet(t, &ev->packet, index);
		break;
	case EV_REPLY:
	case EV_TLS:
	case EV_SESSION_END:
		feed_session(t, ev, index);
		break;
	case EV_DNS:
		feed_dns(t, ev, index);
		break;
	case EV_CANARY:
		memcpy(t->canary.address, ev->canary.address, sizeof(t->canary.address));
		break;
	case EV_HELD:
		feed_held(t, ev);
		break;
	case EV_PROBE:
		feed_probe(t, ev);
		break;
	case EV_ALIKE:
		feed_alike(t, ev, index);
		break;
	case EV_ASN:
		path_feed_asn(&t->path, &ev->asn);
		break;
	case EV_HOST:
		feed_host(t, ev, index);
		break;
	case EV_CAPTURE_STATS:
		t->has_stats = true;
		t->stats = ev->capture_stats;
		t->stats_event = index;
		break;
	case EV_NOT_LOOKED:
		t->not_looked[ev->not_looked.what] = ev->not_looked.why;
		t->not_looked_event[ev->not_looked.what] = index;
		break;
	case EV_RUN_END:
		t->ended = true;
		break;
	}
}

const struct ev_dns *tracker_dns(const struct tracker *t, enum dns_record record)
{
	return t->dns[record].has ? &t->log->events[t->dns[record].event].dns : NULL;
}

/* Ports on which the client waits for the greeting, and TLS comes by STARTTLS: RFC 5321, 6409. Other
 * ports are whoever's who chose them. */
static bool port_greets(uint16_t port)
{
	return port == 25 || port == 587;
}

/* The higher, the more this flow knows about the port. */
static int flow_weight(const struct flow *f)
{
	if (f->role == FLOW_TLS_TRY)
		return f->has_reply && !port_greets(f->port) ? 5 : 0;
	if (f->has_reply)
		return 6;
	if (f->has_end || f->has_tls)
		return 4;
	if (f->has_result && f->error == 0)
		return 3;
	if (f->has_result || f->n_icmp || f->rst.seen || f->synack.seen)
		return 2;
	return 1;
}

const struct flow *tracker_main_flow(const struct tracker *t, int port_index)
{
	const struct flow *best = NULL;

	for (unsigned i = 0; i < t->n_flows; i++) {
		const struct flow *f = &t->flows[i];
		if (f->port_index == port_index && f->role != FLOW_HELD && f->role != FLOW_SMALL &&
		    (!best || flow_weight(f) > flow_weight(best)))
			best = f;
	}
	return best;
}

const struct flow *tracker_held(const struct tracker *t, int port_index)
{
	for (unsigned i = 0; i < t->n_flows; i++)
		if (t->flows[i].port_index == port_index && t->flows[i].role == FLOW_HELD)
			return &t->flows[i];
	return NULL;
}

const struct flow *tracker_tls_try(const struct tracker *t, int port_index)
{
	for (unsigned i = 0; i < t->n_flows; i++)
		if (t->flows[i].port_index == port_index && t->flows[i].role == FLOW_TLS_TRY)
			return &t->flows[i];
	return NULL;
}

bool tracker_is_far(const struct tracker *t)
{
	for (unsigned i = 0; i < t->n_flows; i++) {
		const struct answer *syn_ack = &t->flows[i].synack, *rst = &t->flows[i].rst;
		if ((syn_ack->seen && wire_initial_ttl(syn_ack->ttl) != syn_ack->ttl) ||
		    (rst->seen && wire_initial_ttl(rst->ttl) != rst->ttl))
			return true;
	}
	return false;
}

uint64_t tracker_capture_lost(const struct tracker *t)
{
	return t->has_stats ? t->stats.dropped_kernel + t->stats.dropped_queue : t->log->overflow;
}

bool tracker_capture_whole(const struct tracker *t)
{
	return !t->not_looked[LOOK_CAPTURE] && t->log->overflow == 0 && tracker_capture_lost(t) == 0;
}
