/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Lists of events by hand, as a live run would log them, and their report.
 *
 * A scene has a clock: at() sets it, and what follows is stamped so. Functions
 * that give a packet return it for a test to bend; the pointer lives until the
 * next event. Port 25 is tested, 443 is its control, unless a test changes that.
 */
#ifndef SB_TESTS_DIAG_BUILD_H
#define SB_TESTS_DIAG_BUILD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/neighbour.h>

#include "base/clock.h"
#include "diag/diag.h"
#include "report/render.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define UNUSED   __attribute__((unused))

#define T0     (INT64_C(1769860800) * NS_PER_S) /* 2026-01-31T12:00:00Z */
#define ETH    2                                /* interface indices */
#define OTHER  3
#define LO     1
#define MAX_MADE 4096

struct made_flow {
	uint16_t port, lport;
	uint32_t isn;
};

struct made_probe {
	uint16_t port;
	uint32_t seq;
	uint8_t ttl;
	struct addr dst;
	int64_t t_ns;
};

struct scene {
	struct plan plan;
	struct event_log log;
	struct diag *diag;
	struct report *report;
	struct addr source, gateway;
	int64_t now;
	regex_t expected; /* in use when the plan refers to it */
	bool injecting; /* further probes go below the host's firewall */
	struct made_flow flows[TRACKER_MAX_FLOWS + 8];
	unsigned n_flows;
	struct made_probe probes[MAX_MADE];
	unsigned n_probes;
};

static inline struct addr ip(const char *text)
{
	struct addr a = {0};

	if (!addr_parse(&a, text))
		fail_msg("no address: %s", text);
	return a;
}

static inline struct scene *scene_new(bool v6)
{
	struct scene *s = calloc(1, sizeof(*s));

	s->source = ip(v6 ? "2001:db8:1::2" : "10.1.0.2");
	s->gateway = ip(v6 ? "fe80::1" : "10.1.0.1");
	s->plan = (struct plan){
		.input = "mx.example.com",
		.name = "mx.example.com",
		.target = ip(v6 ? "2001:db8:5::25" : "198.51.100.25"),
		.hostname = "night",
		.ports = {{.port = 25, .tested = true}, {.port = 443}},
		.n_ports = 2,
		.timeout_ns = 8 * NS_PER_S,
		.max_hops = 30,
	};
	s->now = T0;
	event_log_init(&s->log);
	return s;
}

static inline void scene_free(struct scene *s)
{
	if (s->plan.expect_banner_regex)
		regfree(&s->expected);
	report_free(s->report);
	if (s->diag)
		diag_clear(s->diag);
	free(s->diag);
	event_log_clear(&s->log);
	free(s);
}

static inline bool is_v6(const struct scene *s)
{
	return s->plan.target.family == ADDR_V6;
}

static inline void at(struct scene *s, double ms)
{
	s->now = T0 + (int64_t)(ms * 1e6);
}

static inline void pass(struct scene *s, double ms)
{
	s->now += (int64_t)(ms * 1e6);
}

static inline struct event *add_event(struct scene *s, enum event_kind kind, unsigned flow)
{
	struct event ev = {.t_ns = s->now, .kind = kind, .flow = (uint16_t)flow};

	return event_log_add(&s->log, &ev);
}

/* ---- the host ---- */

static inline struct host_link *link_is(struct scene *s)
{
	struct host_link *l = &add_event(s, EV_LINK, NO_FLOW)->link;

	*l = (struct host_link){.ifindex = ETH, .name = "eth0", .kind = "ethernet", .mtu = 1500,
				.up = true, .carrier = true, .needs_neighbour = true};
	return l;
}

static inline struct host_route *route_is(struct scene *s, unsigned port)
{
	struct host_route *r = arena_alloc(&s->log.arena, sizeof(*r));

	*r = (struct host_route){.port = (uint16_t)port, .table = 254, .oif = ETH,
				 .gateway = s->gateway, .prefsrc = s->source};
	snprintf(r->text, sizeof(r->text), "default via the gateway dev eth0");
	add_event(s, EV_ROUTE, NO_FLOW)->route = r;
	return r;
}

static inline void no_route(struct scene *s, unsigned port, int error, enum route_stop stop,
			    const char *type, const char *text)
{
	struct host_route *r = route_is(s, port);

	*r = (struct host_route){.port = (uint16_t)port, .error = error, .stop = stop,
				 .stop_priority = stop == ROUTE_STOP_RULE ? 100 : 0};
	snprintf(r->text, sizeof(r->text), "RTNETLINK answers: an error");
	snprintf(r->stop_type, sizeof(r->stop_type), "%s", type);
	snprintf(r->stop_table, sizeof(r->stop_table), "%s", stop == ROUTE_STOP_ROUTE ? "main" : "");
	snprintf(r->stop_text, sizeof(r->stop_text), "%s", text);
}

static inline struct host_neighbour *neighbour_is(struct scene *s, unsigned state)
{
	struct host_neighbour *n = &add_event(s, EV_NEIGHBOUR, NO_FLOW)->neighbour;

	*n = (struct host_neighbour){.address = s->gateway, .ifindex = ETH, .exists = true,
				     .state = (uint16_t)state};
	return n;
}

static inline void routes_are(struct scene *s)
{
	for (unsigned i = 0; i < s->plan.n_ports; i++)
		route_is(s, s->plan.ports[i].port);
}

static inline void usual_host(struct scene *s)
{
	link_is(s);
	routes_are(s);
	neighbour_is(s, NUD_REACHABLE);
}

/* The target is on the link itself. */
static inline void on_link_host(struct scene *s, unsigned neighbour_state)
{
	link_is(s);
	for (unsigned i = 0; i < s->plan.n_ports; i++)
		route_is(s, s->plan.ports[i].port)->gateway = (struct addr){0};
	neighbour_is(s, neighbour_state)->address = s->plan.target;
}

/* The target is this host's own address. */
static inline void local_host(struct scene *s)
{
	struct host_link *l = link_is(s);

	*l = (struct host_link){.ifindex = LO, .name = "lo", .kind = "loopback", .mtu = 65536,
				.up = true, .carrier = true, .loopback = true};
	for (unsigned i = 0; i < s->plan.n_ports; i++) {
		struct host_route *r = route_is(s, s->plan.ports[i].port);
		r->local = true;
		r->oif = LO;
		r->gateway = (struct addr){0};
	}
}

/* ---- sockets ---- */

static inline unsigned flow(struct scene *s, unsigned port)
{
	unsigned id = s->n_flows++, attempt = 0;
	bool tested = false;

	for (unsigned i = 0; i < id; i++)
		attempt += s->flows[i].port == port;
	for (unsigned i = 0; i < s->plan.n_ports; i++)
		tested |= s->plan.ports[i].port == port && s->plan.ports[i].tested;
	s->flows[id] = (struct made_flow){(uint16_t)port, (uint16_t)(40000 + id), 1000000 * (id + 1)};
	add_event(s, EV_FLOW_START, id)->flow_start = (struct ev_flow_start){
		.role = attempt ? FLOW_REPEAT : tested ? FLOW_TESTED : FLOW_CONTROL,
		.attempt = (uint16_t)attempt,
		.local = s->source,
		.remote = s->plan.target,
		.lport = s->flows[id].lport,
		.rport = (uint16_t)port,
	};
	return id;
}

static inline struct ev_connect *connected(struct scene *s, unsigned f)
{
	struct ev_connect *c = &add_event(s, EV_CONNECT, f)->connect;

	c->peer = s->plan.target;
	c->peer_port = s->flows[f].port;
	c->local = s->source;
	return c;
}

static inline void failed(struct scene *s, unsigned f, int error)
{
	add_event(s, EV_CONNECT, f)->connect.error = error;
}

static inline void failed_at_once(struct scene *s, unsigned f, int error)
{
	struct ev_connect *c = &add_event(s, EV_CONNECT, f)->connect;

	c->error = error;
	c->at_once = true;
}

static inline void greeting(struct scene *s, unsigned f, int code, const char *text)
{
	add_event(s, EV_REPLY, f)->reply = (struct ev_reply){.stage = STAGE_GREETING, .code = code, .text = text};
}

static inline void said(struct scene *s, unsigned f, enum session_stage stage, int code,
			const char *text, const char *const *lines)
{
	add_event(s, EV_REPLY, f)->reply =
		(struct ev_reply){.stage = stage, .code = code, .text = text, .lines = lines};
}

static inline void shown(struct scene *s, unsigned f, const char *subject, const char *issuer,
			 const char *key, bool verified)
{
	add_event(s, EV_TLS, f)->tls = (struct ev_tls){
		.version = "TLSv1.3", .cipher = "TLS_AES_256_GCM_SHA384", .subject = subject,
		.issuer = issuer, .spki_sha256 = key, .verified = verified,
		.error = verified ? NULL : "unable to get local issuer certificate"};
}

static inline void session_end(struct scene *s, unsigned f, enum session_stage stage,
			       enum session_end end, const char *text)
{
	add_event(s, EV_SESSION_END, f)->session_end =
		(struct ev_session_end){.stage = stage, .end = end, .text = text};
}

/* An ICMP error from the socket's error queue. */
static inline void told(struct scene *s, unsigned f, int error, struct addr from, unsigned type,
			unsigned code)
{
	add_event(s, EV_ICMP_ERROR, f)->icmp_error =
		(struct ev_icmp_error){error, (uint8_t)type, (uint8_t)code, from};
}

/* ---- packets ---- */

static inline struct packet *packet(struct scene *s, enum packet_dir dir, struct addr src,
				    struct addr dst, unsigned ttl, enum packet_kind kind)
{
	struct packet *p = &add_event(s, EV_PACKET, NO_FLOW)->packet;

	p->t_ns = s->now;
	p->ifindex = ETH;
	p->dir = dir;
	p->src = src;
	p->dst = dst;
	p->ttl = (uint8_t)ttl;
	p->kind = kind;
	p->proto = kind == PACKET_TCP ? 6 : src.family == ADDR_V6 ? 58 : 1;
	return p;
}

static inline struct packet *on_lo(struct packet *p)
{
	p->ifindex = LO;
	p->loopback = true;
	p->dir = PACKET_IN;
	return p;
}

static inline struct packet *on_other(struct packet *p)
{
	p->ifindex = OTHER;
	return p;
}

static inline struct packet *syn(struct scene *s, unsigned f)
{
	const struct made_flow *m = &s->flows[f];
	struct packet *p = packet(s, PACKET_OUT, s->source, s->plan.target, 64, PACKET_TCP);

	p->tcp = (struct tcp_segment){.sport = m->lport, .dport = m->port, .seq = m->isn,
				      .flags = TCP_SYN, .window = 64240, .has_mss = true,
				      .mss = 1460};
	return p;
}

static inline struct packet *ack(struct scene *s, unsigned f)
{
	struct packet *p = syn(s, f);

	p->tcp.flags = TCP_ACK;
	p->tcp.seq++;
	return p;
}

/* ---- after the handshake: offsets count from the first byte of each side ---- */

#define THEIR_ISN 7000

/* len bytes of ours from `from` on, while their bytes before `heard` are acknowledged. */
static inline struct packet *we_say(struct scene *s, unsigned f, unsigned from, unsigned len,
				    unsigned heard)
{
	struct packet *p = ack(s, f);

	p->tcp.flags |= TCP_PSH;
	p->tcp.seq += from;
	p->tcp.ack = THEIR_ISN + 1 + heard;
	p->payload_len = len;
	return p;
}

/* A keep-alive, when `acked` bytes of ours are acknowledged. */
static inline struct packet *look_at(struct scene *s, unsigned f, unsigned acked, unsigned heard)
{
	struct packet *p = ack(s, f);

	p->tcp.seq += acked - 1;
	p->tcp.ack = THEIR_ISN + 1 + heard;
	return p;
}

static inline struct packet *answer(struct scene *s, unsigned f, unsigned ttl, unsigned flags)
{
	const struct made_flow *m = &s->flows[f];
	struct packet *p = packet(s, PACKET_IN, s->plan.target, s->source, ttl, PACKET_TCP);

	p->tcp = (struct tcp_segment){.sport = m->port, .dport = m->lport, .ack = m->isn + 1,
				      .seq = flags & TCP_SYN ? THEIR_ISN : 0, .flags = (uint8_t)flags};
	return p;
}

/* len bytes of theirs from `from` on, while ours before `acked` are acknowledged. */
static inline struct packet *they_say(struct scene *s, unsigned f, unsigned ttl, unsigned from,
				      unsigned len, unsigned acked)
{
	struct packet *p = answer(s, f, ttl, TCP_ACK);

	p->tcp.seq = THEIR_ISN + 1 + from;
	p->tcp.ack += acked;
	p->payload_len = len;
	return p;
}

static inline struct packet *syn_ack(struct scene *s, unsigned f, unsigned ttl)
{
	return answer(s, f, ttl, TCP_SYN | TCP_ACK);
}

static inline struct packet *rst(struct scene *s, unsigned f, unsigned ttl)
{
	return answer(s, f, ttl, TCP_RST | TCP_ACK);
}

/* type and code are those of IPv4 or IPv6 as the scene is. */
static inline struct packet *icmp_with(struct scene *s, struct addr from, unsigned type,
				       unsigned code, unsigned quoted_ttl, uint16_t sport,
				       uint16_t dport, uint32_t seq, struct addr dst)
{
	struct packet *p = packet(s, PACKET_IN, from, s->source, 60, PACKET_ICMP);

	p->icmp = (struct icmp_message){
		.type = (uint8_t)type,
		.code = (uint8_t)code,
		.quote = {.present = true, .src = s->source, .dst = dst,
			  .ttl = (uint8_t)quoted_ttl, .proto = 6, .has_ports = true,
			  .sport = sport, .dport = dport, .seq = seq},
	};
	return p;
}

static inline struct packet *icmp(struct scene *s, unsigned f, struct addr from, unsigned type,
				  unsigned code, unsigned quoted_ttl)
{
	const struct made_flow *m = &s->flows[f];

	return icmp_with(s, from, type, code, quoted_ttl, m->lport, m->port, m->isn,
			 s->plan.target);
}

/* ---- what a whole attempt looks like ---- */

#define RTT_MS 10

static inline unsigned start(struct scene *s, unsigned port)
{
	unsigned f = flow(s, port);

	syn(s, f);
	return f;
}

/* A handshake; the clock stands at its end. */
static inline unsigned answered(struct scene *s, unsigned port, unsigned ttl)
{
	unsigned f = start(s, port);

	pass(s, RTT_MS);
	syn_ack(s, f, ttl);
	connected(s, f);
	return f;
}

static inline unsigned refused(struct scene *s, unsigned port, unsigned ttl)
{
	unsigned f = start(s, port);

	pass(s, RTT_MS);
	rst(s, f, ttl);
	failed(s, f, ECONNREFUSED);
	return f;
}

static inline void open_dialogue(struct scene *s, unsigned f)
{
	pass(s, 5);
	greeting(s, f, 220, "mx.example.com ESMTP");
	pass(s, 5);
	session_end(s, f, STAGE_QUIT, SESSION_DONE, NULL);
}

/* ---- what the privileged process says ---- */

static inline struct host_record record_of(struct scene *s, enum host_record_kind kind)
{
	struct host_record r;

	memset(&r, 0, sizeof(r));
	r.t_ns = s->now;
	r.kind = kind;
	return r;
}

static inline void add_record(struct scene *s, const struct host_record *r)
{
	event_log_add_host(&s->log, r);
}

/* "tcp dport 25 drop" in inet filter output. */
static inline struct host_rule nft_rule(const char *hook, enum fw_verdict verdict, const char *text)
{
	struct host_rule r = {.backend = FW_NFT, .verdict = verdict, .handle = 7};

	snprintf(r.family, sizeof(r.family), "inet");
	snprintf(r.table, sizeof(r.table), "filter");
	snprintf(r.chain, sizeof(r.chain), "%s", hook);
	snprintf(r.base_chain, sizeof(r.base_chain), "%s", hook);
	snprintf(r.hook, sizeof(r.hook), "%s", hook);
	snprintf(r.text, sizeof(r.text), "%s", text);
	return r;
}

/* How netfilter treated a packet of flow f: its SYN, or what answers it. */
static inline struct host_record traced(struct scene *s, unsigned f, unsigned flags, bool inbound)
{
	struct host_record r = record_of(s, HOST_PACKET);
	struct host_packet *p = &r.packet;

	p->inbound = inbound;
	p->tcp_flags = (uint8_t)flags;
	p->src = inbound ? s->plan.target : s->source;
	p->dst = inbound ? s->source : s->plan.target;
	p->sport = inbound ? s->flows[f].port : s->flows[f].lport;
	p->dport = inbound ? s->flows[f].lport : s->flows[f].port;
	p->last = inbound ? WAY_INGRESS : WAY_OUT_FIRST;
	snprintf(inbound ? p->iif : p->oif, sizeof(p->iif), "eth0");
	return r;
}

static inline void stopped_by(struct scene *s, unsigned f, unsigned flags, bool inbound,
			      struct host_rule rule)
{
	struct host_record r = traced(s, f, flags, inbound);

	r.packet.stopped = true;
	r.packet.stop = rule;
	add_record(s, &r);
}

static inline void turned_by(struct scene *s, unsigned f, struct host_rule rule)
{
	struct host_record r = traced(s, f, TCP_SYN, false);

	r.packet.turned = true;
	r.packet.turn = rule;
	r.packet.last = WAY_POST_LAST;
	add_record(s, &r);
}

static inline void passed(struct scene *s, unsigned f, unsigned flags, bool inbound,
			  enum waypoint last)
{
	struct host_record r = traced(s, f, flags, inbound);

	r.packet.last = last;
	add_record(s, &r);
}

static inline struct host_record program_of(struct scene *s, enum program_hook hook,
					    const char *interface, const char *cgroup)
{
	struct host_record r = record_of(s, HOST_PROGRAM);

	r.program.hook = hook;
	r.program.bpf = true;
	r.program.id = 42;
	snprintf(r.program.name, sizeof(r.program.name), "filter_mail");
	snprintf(r.program.interface, sizeof(r.program.interface), "%s", interface);
	snprintf(r.program.cgroup, sizeof(r.program.cgroup), "%s", cgroup);
	snprintf(r.program.attach_type, sizeof(r.program.attach_type), "cgroup_inet4_connect");
	snprintf(r.program.text, sizeof(r.program.text), "filter_mail id 42");
	return r;
}

static inline void kernel_dropped(struct scene *s, unsigned f, unsigned flags, bool inbound,
				  const char *reason, const char *function)
{
	struct host_record r = record_of(s, HOST_KERNEL_DROP), t = traced(s, f, flags, inbound);

	r.kernel_drop.src = t.packet.src;
	r.kernel_drop.dst = t.packet.dst;
	r.kernel_drop.sport = t.packet.sport;
	r.kernel_drop.dport = t.packet.dport;
	r.kernel_drop.tcp_flags = (uint8_t)flags;
	r.kernel_drop.inbound = inbound;
	snprintf(r.kernel_drop.interface, sizeof(r.kernel_drop.interface), "eth0");
	snprintf(r.kernel_drop.reason, sizeof(r.kernel_drop.reason), "%s", reason);
	snprintf(r.kernel_drop.function, sizeof(r.kernel_drop.function), "%s", function);
	add_record(s, &r);
}

static inline void setting_is(struct scene *s, const char *name, const char *value,
			      const char *interface)
{
	struct host_record r = record_of(s, HOST_SETTING);

	snprintf(r.setting.name, sizeof(r.setting.name), "%s", name);
	snprintf(r.setting.value, sizeof(r.setting.value), "%s", value);
	snprintf(r.setting.interface, sizeof(r.setting.interface), "%s", interface);
	add_record(s, &r);
}

static inline void counted(struct scene *s, unsigned port, bool certain, struct host_rule rule)
{
	struct host_record r = record_of(s, HOST_COUNTED);

	rule.backend = FW_IPTABLES_LEGACY;
	rule.number = 3;
	rule.handle = 0;
	snprintf(rule.family, sizeof(rule.family), "ip");
	r.counted.rule = rule;
	r.counted.dport = (uint16_t)port;
	r.counted.moved = 2;
	r.counted.certain = certain;
	add_record(s, &r);
}

/* n SYNs to each of the two ports, 200 ms apart; `control` answers from `ttl`. */
static inline void silence_beside(struct scene *s, unsigned port, unsigned control, unsigned ttl,
				  unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		start(s, port);
		answered(s, control, ttl);
		pass(s, 190);
	}
}

static inline void silence(struct scene *s, unsigned port, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		start(s, port);
		pass(s, 400);
	}
}

/* ---- the path ---- */

/* Gateway, shared space, the provider's public router, transit, and from there on more of it. */
static inline struct addr hop(const struct scene *s, unsigned ttl)
{
	static const char *const v4[] = {"10.1.0.1", "100.64.0.1", "203.0.113.1", "192.0.2.4",
					 "192.0.2.65"};
	char text[64];

	if (is_v6(s))
		snprintf(text, sizeof(text), ttl == 1 ? "2001:db8:1::%u" : "2001:db8:f%u::1", ttl);
	else if (ttl <= COUNT(v4))
		snprintf(text, sizeof(text), "%s", v4[ttl - 1]);
	else
		snprintf(text, sizeof(text), "198.18.%u.1", ttl);
	return ip(text);
}

static inline unsigned probe(struct scene *s, enum probe_kind kind, unsigned port, unsigned ttl,
			     struct addr dst)
{
	unsigned id = s->n_probes++;
	struct made_probe *m = &s->probes[id];

	*m = (struct made_probe){(uint16_t)port, 0x80000000u + 3 * id, (uint8_t)ttl, dst, s->now};
	add_event(s, EV_PROBE, NO_FLOW)->probe = (struct ev_probe){
		.kind = kind, .port = (uint16_t)port, .dst = dst, .sport = (uint16_t)(50000 + port),
		.ttl = (uint8_t)ttl, .seq = m->seq, .ip_id = (uint16_t)(id + 1),
		.injected = s->injecting};
	struct packet *p = packet(s, PACKET_OUT, s->source, dst, ttl, PACKET_TCP);
	p->tcp = (struct tcp_segment){.sport = (uint16_t)(50000 + port), .dport = (uint16_t)port,
				      .seq = m->seq, .flags = TCP_SYN};
	return id;
}

static inline unsigned trace_probe(struct scene *s, unsigned port, unsigned ttl)
{
	return probe(s, PROBE_TRACE, port, ttl, s->plan.target);
}

static inline struct packet *probe_icmp(struct scene *s, unsigned id, struct addr from,
					unsigned type, unsigned code)
{
	const struct made_probe *m = &s->probes[id];

	return icmp_with(s, from, type, code, 1, (uint16_t)(50000 + m->port), m->port, m->seq,
			 m->dst);
}

static inline struct packet *probe_te(struct scene *s, unsigned id, struct addr from)
{
	return probe_icmp(s, id, from, is_v6(s) ? 3 : 11, 0);
}

static inline struct packet *probe_tcp(struct scene *s, unsigned id, unsigned ttl, unsigned flags)
{
	const struct made_probe *m = &s->probes[id];
	struct packet *p = packet(s, PACKET_IN, m->dst, s->source, ttl, PACKET_TCP);

	p->tcp = (struct tcp_segment){.sport = m->port, .dport = (uint16_t)(50000 + m->port),
				      .ack = m->seq + 1, .flags = (uint8_t)flags};
	return p;
}

static inline struct packet *probe_syn_ack(struct scene *s, unsigned id, unsigned ttl)
{
	return probe_tcp(s, id, ttl, TCP_SYN | TCP_ACK);
}

static inline struct packet *probe_rst(struct scene *s, unsigned id, unsigned ttl)
{
	return probe_tcp(s, id, ttl, TCP_RST | TCP_ACK);
}

/* One probe for each TTL from..to, each answered by its hop. */
static inline void hops_answer(struct scene *s, unsigned port, unsigned from, unsigned to)
{
	for (unsigned ttl = from; ttl <= to; ttl++) {
		unsigned id = trace_probe(s, port, ttl);
		pass(s, 3);
		probe_te(s, id, hop(s, ttl));
	}
}

static inline void hops_silent(struct scene *s, unsigned port, unsigned from, unsigned to)
{
	for (unsigned ttl = from; ttl <= to; ttl++) {
		trace_probe(s, port, ttl);
		pass(s, 3);
	}
}

/* The control gets to the target behind `hops` routers, the port as far as hop `last`; so many
 * rounds. */
static inline void two_traces(struct scene *s, unsigned port, unsigned last, unsigned control,
			      unsigned hops, unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++) {
		hops_answer(s, port, 1, last);
		hops_silent(s, port, last + 1, hops + 1);
		hops_answer(s, control, 1, hops);
		unsigned id = trace_probe(s, control, hops + 1);
		pass(s, 3);
		probe_syn_ack(s, id, 64 - hops);
		pass(s, 300);
	}
}

/* Other targets that fail like this one stop behind hop 2, at hop 3 at the latest. */
static inline struct ev_alike *alike(struct scene *s, unsigned port, enum ailment ailment,
				     unsigned traced)
{
	struct event *ev = add_event(s, EV_ALIKE, NO_FLOW);

	ev->alike = (struct ev_alike){.port = (uint16_t)port,
				      .ailment = ailment,
				      .traced = (uint16_t)traced,
				      .place = PLACE_ISP,
				      .permille = 960,
				      .from_ttl = 2,
				      .to_ttl = 3,
				      .culprit_ttl = 3,
				      .from = hop(s, 2),
				      .to = hop(s, 3)};
	return &ev->alike;
}

/* ---- on a connection ---- */

/* A copy of what is said from `from` on, with a small TTL; its hop answers, or nobody does. */
static inline void copy_probe(struct scene *s, enum probe_kind kind, unsigned f, unsigned from,
			      unsigned ttl, bool answers)
{
	const struct made_flow *m = &s->flows[f];
	uint32_t seq = m->isn + 1 + from;
	uint16_t id = (uint16_t)(0x4000 + s->n_probes++);

	add_event(s, EV_PROBE, f)->probe = (struct ev_probe){
		.kind = kind, .port = m->port, .dst = s->plan.target, .sport = m->lport,
		.ttl = (uint8_t)ttl, .seq = seq, .ip_id = id, .window = (uint16_t)(500 + ttl)};
	struct packet *p = we_say(s, f, from, kind == PROBE_DATA ? 18 : 0, 0);
	p->ttl = (uint8_t)ttl;
	pass(s, 3);
	if (!answers)
		return;
	p = icmp_with(s, hop(s, ttl), is_v6(s) ? 3 : 11, 0, 1, m->lport, m->port, seq,
		      s->plan.target);
	p->icmp.quote.ip_id = is_v6(s) ? 0 : id;
	p->icmp.quote.has_tcp_rest = is_v6(s);
	p->icmp.quote.window = (uint16_t)(is_v6(s) ? 500 + ttl : 0);
}

/* Copies get as far as hop `last` of `hops`, so many rounds. */
static inline void copies(struct scene *s, enum probe_kind kind, unsigned f, unsigned from,
			  unsigned last, unsigned hops, unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++) {
		for (unsigned ttl = 1; ttl <= hops; ttl++)
			copy_probe(s, kind, f, from, ttl, ttl <= last);
		pass(s, 300);
	}
}

/* ---- the end ---- */

static inline void capture_lost(struct scene *s, uint64_t kernel, uint64_t queue)
{
	add_event(s, EV_CAPTURE_STATS, NO_FLOW)->capture_stats =
		(struct ev_capture_stats){100, kernel, queue};
}

static inline void not_looked(struct scene *s, enum look what, const char *why)
{
	add_event(s, EV_NOT_LOOKED, NO_FLOW)->not_looked = (struct ev_not_looked){what, why};
}

/* Judges what the log holds now, as a live run does at its end. */
static inline const struct report *judge(struct scene *s)
{
	report_free(s->report);
	if (s->diag)
		diag_clear(s->diag);
	free(s->diag);
	event_log_sort(&s->log);
	s->diag = calloc(1, sizeof(*s->diag));
	diag_init(s->diag, &s->plan, &s->log);
	diag_feed(s->diag);
	s->report = diag_report(s->diag, "0.0.0");
	return s->report;
}

static inline const struct report *finish(struct scene *s)
{
	add_event(s, EV_RUN_END, NO_FLOW);
	return judge(s);
}

static inline const struct finding *finding_of(const struct report *r, unsigned port,
					       const char *rule)
{
	for (unsigned i = 0; i < r->n_ports; i++)
		for (unsigned k = 0; k < r->ports[i].n_findings; k++)
			if (r->ports[i].port == port &&
			    strcmp(r->ports[i].findings[k].rule, rule) == 0)
				return &r->ports[i].findings[k];
	return NULL;
}

static inline enum state state_of(const struct report *r, unsigned port)
{
	for (unsigned i = 0; i < r->n_ports; i++)
		if (r->ports[i].port == port)
			return r->ports[i].state;
	fail_msg("port %u is not in the report", port);
	return STATE_COUNT;
}

/* What the report says of the port, in one line, for messages. */
static inline const char *said_of(const struct report *r, unsigned port)
{
	static char text[1024];
	size_t n = 0;

	for (unsigned i = 0; i < r->n_ports; i++) {
		if (r->ports[i].port != port)
			continue;
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s:",
				      state_name(r->ports[i].state));
		for (unsigned k = 0; k < r->ports[i].n_findings && n < sizeof(text); k++) {
			const struct finding *f = &r->ports[i].findings[k];
			n += (size_t)snprintf(text + n, sizeof(text) - n, " %s (%s %.2f, %u..%u) %s",
					      f->rule, place_name(f->place), f->confidence,
					      f->hop_from.ttl, f->hop_to.ttl, f->summary);
		}
	}
	return text;
}

/* The whole report as JSON; free() it. */
static inline char *json_of(const struct report *r)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(render_json(r, out), 0);
	fclose(out);
	return text;
}

#endif
