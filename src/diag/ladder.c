/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The packets of a run for a person to look at: which port, which way, how far. */
#include "diag/builder.h"
#include "wire/decode.h"

/* A silent port draws some 80 probes and half as many answers, a whole session 40 packets. */
#define PACKETS_PER_PORT 150
#define PACKETS_MAX	 600

struct ladder {
	struct builder *b;
	struct report_packet *packets;
	unsigned n;
	unsigned of_port[PLAN_MAX_PORTS];
};

static bool is_syn(const struct packet *p)
{
	return p->kind == PACKET_TCP && (p->tcp.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

/* Our end of a connection, by its own port or what translation on this host made of it. */
static const struct flow *flow_with_port(const struct tracker *t, unsigned lport)
{
	for (unsigned i = 0; i < t->n_flows; i++)
		if (t->flows[i].lport == lport ||
		    (t->flows[i].translated && t->flows[i].translated_sport == lport))
			return &t->flows[i];
	return NULL;
}

/* The connection that the packet belongs to, or that the error is about. */
static const struct flow *flow_of(const struct tracker *t, const struct packet *p, bool *inbound)
{
	const struct flow *f = NULL;

	*inbound = p->dir != PACKET_OUT;
	if (p->kind == PACKET_ICMP)
		return p->icmp.quote.has_ports ? flow_with_port(t, p->icmp.quote.sport) : NULL;
	if (p->kind != PACKET_TCP)
		return NULL;
	if (p->dir != PACKET_IN || p->loopback)
		f = flow_with_port(t, p->tcp.sport);
	*inbound = !f;
	return f ? f : flow_with_port(t, p->tcp.dport);
}

static const char *label_of(struct arena *a, const struct packet *p)
{
	if (p->kind == PACKET_ICMP) {
		bool expired = p->src.family == ADDR_V4 ? p->icmp.type == 11 : p->icmp.type == 3;
		return expired ? "time exceeded"
			       : icmp_name(p->src.family, p->icmp.type, p->icmp.code);
	}
	if (p->tcp.flags & TCP_SYN)
		return p->tcp.flags & TCP_ACK ? "SYN-ACK" : "SYN";
	if (p->tcp.flags & TCP_RST)
		return "RST";
	if (p->payload_len)
		return arena_printf(a, "%u bytes", (unsigned)p->payload_len);
	return p->tcp.flags & TCP_FIN ? "FIN" : "ACK";
}

/* The hop of which this address is known, else LANE_UNKNOWN. */
static unsigned lane_of_address(const struct tracker *t, const struct addr *a)
{
	if (addr_equal(a, &t->plan->target))
		return LANE_TARGET;
	for (unsigned ttl = 1; ttl <= PLAN_MAX_HOPS; ttl++) {
		struct addr hop = path_hop_address(&t->path, ttl);
		if (addr_equal(a, &hop))
			return ttl;
	}
	return LANE_UNKNOWN;
}

/* A SYN whose TTL ran out tells by that how far it got, whatever address its answer bears. */
static unsigned lane_of(const struct tracker *t, const struct packet *p,
			const struct path_probe *probe)
{
	if (p->loopback)
		return 0;
	if (probe && (probe->kind == PROBE_TRACE || path_is_on_connection(probe->kind)))
		return probe->ttl;
	if (probe && probe->kind == PROBE_BORDER)
		return lane_of_address(t, &t->path.border[probe->port_index][probe->border].router);
	return p->kind == PACKET_ICMP ? lane_of_address(t, &p->src) : LANE_TARGET;
}

static void add_packet(struct ladder *l, const struct packet *p, size_t event)
{
	struct builder *b = l->b;
	const struct tracker *t = &b->d->tracker;
	struct arena *a = &b->r->arena;
	const struct path_probe *probe = path_probe_of(&t->path, p);
	bool inbound = p->dir != PACKET_OUT;
	const struct flow *f = probe ? NULL : flow_of(t, p, &inbound);
	unsigned index = probe ? probe->port_index : f && f->port_index >= 0 ? (unsigned)f->port_index
								: PLAN_MAX_PORTS;
	char text[256];

	if (index >= t->plan->n_ports)
		return;
	if (l->n == PACKETS_MAX ||
	    (l->of_port[index] >= PACKETS_PER_PORT && !b->number_of[event])) {
		b->r->packets_left_out++;
		return;
	}
	l->of_port[index]++;
	bool answered = probe ? probe->answered : f->synack.seen || f->rst.seen || f->n_icmp;
	l->packets[l->n++] = (struct report_packet){
		.t_ms = (double)(p->t_ns - t->start_ns) / 1e6,
		.port = t->plan->ports[index].port,
		.inbound = inbound,
		.lane = lane_of(t, p, probe),
		.probe = probe != NULL,
		.trace = probe && (probe->kind == PROBE_TRACE || probe->kind == PROBE_BORDER ||
				   path_is_on_connection(probe->kind)),
		.unanswered = !inbound && is_syn(p) && !answered,
		.label = label_of(a, p),
		.text = arena_strdup(a, wire_text(p, text, sizeof(text))),
		.evidence = b->number_of[event],
	};
}

void build_packets(struct builder *b)
{
	const struct event_log *log = b->d->tracker.log;
	struct ladder l = {.b = b};

	l.packets = arena_alloc(&b->r->arena, PACKETS_MAX * sizeof(*l.packets));
	for (size_t i = 0; i < log->n; i++)
		if (log->events[i].kind == EV_PACKET && log->events[i].packet.kind != PACKET_NEIGHBOUR)
			add_packet(&l, &log->events[i].packet, i);
	b->r->packets = l.packets;
	b->r->n_packets = l.n;
}
