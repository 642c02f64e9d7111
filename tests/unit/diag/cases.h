/* SPDX-License-Identifier: GPL-3.0-or-later */
/* For every row of the rule table at least one list of events that reaches it, and what the report
 * must say then. */
#ifndef SB_TESTS_DIAG_CASES_H
#define SB_TESTS_DIAG_CASES_H

#include "build.h"

struct rule_case {
	const char *rule;
	void (*build)(struct scene *s);
	bool v6;
	enum state state; /* of port 25 */
	enum mechanism mechanism;
	enum place place;
	enum culprit_kind culprit;
	enum direction direction;
	unsigned also; /* findings beside this one */
};

/* ICMP types and codes by family */
static inline unsigned unreachable(const struct scene *s)
{
	return is_v6(s) ? 1 : 3;
}

static inline unsigned prohibited(const struct scene *s)
{
	return is_v6(s) ? 1 : 13;
}

static inline unsigned no_port(const struct scene *s)
{
	return is_v6(s) ? 4 : 3;
}

/* ---- this host ---- */

static inline void stopped_route(struct scene *s)
{
	link_is(s);
	no_route(s, 25, EACCES, ROUTE_STOP_ROUTE, "prohibit", "prohibit 198.51.100.25");
	no_route(s, 443, EACCES, ROUTE_STOP_ROUTE, "prohibit", "prohibit 198.51.100.25");
	failed_at_once(s, flow(s, 25), EACCES);
	failed_at_once(s, flow(s, 443), EACCES);
}

static inline void blackhole_route(struct scene *s)
{
	link_is(s);
	no_route(s, 25, EINVAL, ROUTE_STOP_ROUTE, "blackhole", "blackhole 2001:db8:5::/64");
	failed_at_once(s, flow(s, 25), EINVAL);
}

static inline void stopped_rule(struct scene *s)
{
	link_is(s);
	neighbour_is(s, NUD_REACHABLE);
	no_route(s, 25, EACCES, ROUTE_STOP_RULE, "prohibit", "ipproto tcp dport 25 prohibit");
	route_is(s, 443);
	failed_at_once(s, flow(s, 25), EACCES);
	answered(s, 443, 55);
}

static inline void down_error(struct scene *s)
{
	link_is(s)->up = false;
	routes_are(s);
	failed_at_once(s, flow(s, 25), ENETDOWN);
}

static inline void down_and_no_route(struct scene *s)
{
	link_is(s)->up = false;
	no_route(s, 25, ENETUNREACH, ROUTE_STOP_NO_ROUTE, "none", "");
	no_route(s, 443, ENETUNREACH, ROUTE_STOP_NO_ROUTE, "none", "");
	failed_at_once(s, flow(s, 25), ENETUNREACH);
}

static inline void no_carrier(struct scene *s)
{
	link_is(s)->carrier = false;
	routes_are(s);
	flow(s, 25);
	flow(s, 443);
	at(s, 3000);
}

static inline void routeless(struct scene *s)
{
	link_is(s);
	no_route(s, 25, ENETUNREACH, ROUTE_STOP_NO_ROUTE, "none", "");
	no_route(s, 443, ENETUNREACH, ROUTE_STOP_NO_ROUTE, "none", "");
	failed_at_once(s, flow(s, 25), ENETUNREACH);
	failed_at_once(s, flow(s, 443), ENETUNREACH);
}

static inline void denied(struct scene *s)
{
	usual_host(s);
	failed_at_once(s, flow(s, 25), EPERM);
	answered(s, 443, 55);
}

static inline void no_source(struct scene *s)
{
	usual_host(s);
	failed_at_once(s, flow(s, 25), EADDRNOTAVAIL);
}

/* REDIRECT to a local port: getpeername() still says the target. */
static inline struct packet *redirected_syn(struct scene *s, unsigned f)
{
	struct packet *p = on_lo(syn(s, f));

	p->dst = ip(is_v6(s) ? "::1" : "127.0.0.1");
	p->tcp.dport = 2525;
	return p;
}

static inline void redirected(struct scene *s)
{
	usual_host(s);
	unsigned f = flow(s, 25);
	redirected_syn(s, f);
	struct packet *p = on_lo(syn_ack(s, f, 64));
	p->src = ip(is_v6(s) ? "::1" : "127.0.0.1");
	p->tcp.sport = 2525;
	pass(s, 0.2);
	connected(s, f);
	open_dialogue(s, f);
	answered(s, 443, 55);
}

/* DNAT to another host, seen on the wire. */
static inline void redirected_away(struct scene *s)
{
	usual_host(s);
	unsigned f = flow(s, 25);
	syn(s, f)->dst = ip("10.9.9.9");
	pass(s, 3);
	syn_ack(s, f, 60)->src = ip("10.9.9.9");
	connected(s, f);
	open_dialogue(s, f);
}

static inline void peer_rewritten(struct scene *s)
{
	usual_host(s);
	unsigned f = flow(s, 25);
	syn(s, f)->dst = ip("10.9.9.9");
	pass(s, 3);
	syn_ack(s, f, 60)->src = ip("10.9.9.9");
	connected(s, f)->peer = ip("10.9.9.9");
	open_dialogue(s, f);
}

/* The filter of the tap did not know the other address. */
static inline void peer_rewritten_unseen(struct scene *s)
{
	usual_host(s);
	unsigned f = flow(s, 25);
	pass(s, 3);
	connected(s, f)->peer = ip("10.9.9.9");
	open_dialogue(s, f);
}

static inline void looped(struct scene *s)
{
	usual_host(s);
	unsigned f = flow(s, 25);
	on_lo(syn(s, f));
	on_lo(syn_ack(s, f, 64));
	pass(s, 0.1);
	connected(s, f);
	open_dialogue(s, f);
	answered(s, 443, 55);
}

static inline void redirect_refused(struct scene *s)
{
	usual_host(s);
	unsigned f = flow(s, 25);
	redirected_syn(s, f);
	struct packet *p = on_lo(rst(s, f, 64));
	p->src = ip(is_v6(s) ? "::1" : "127.0.0.1");
	p->tcp.sport = 2525;
	pass(s, 0.2);
	failed(s, f, ECONNREFUSED);
	answered(s, 443, 55);
}

static inline void redirect_silent(struct scene *s)
{
	usual_host(s);
	unsigned f = flow(s, 25);
	syn(s, f)->dst = ip("10.9.9.9");
	answered(s, 443, 55);
	at(s, 1000);
	syn(s, f)->dst = ip("10.9.9.9");
	at(s, 2000);
}

/* After three tries the kernel tells its own sockets so by ICMP, on loopback. */
static inline void neighbour_fails(struct scene *s)
{
	for (unsigned i = 0; i < s->plan.n_ports; i++) {
		unsigned f = flow(s, s->plan.ports[i].port);
		at(s, 3100);
		on_lo(icmp(s, f, s->source, unreachable(s), is_v6(s) ? 3 : 1, 64));
		failed(s, f, EHOSTUNREACH);
		at(s, 1);
	}
	at(s, 3200);
}

static inline void gateway_silent(struct scene *s)
{
	usual_host(s);
	neighbour_fails(s);
	neighbour_is(s, NUD_FAILED);
}

/* The tap would have seen what this host asks its gateway, and saw nothing. */
static inline void gateway_unasked(struct scene *s)
{
	gateway_silent(s);
	neighbour_is(s, NUD_FAILED)->watched = true;
}

static inline void neighbour_says(struct scene *s, bool answers)
{
	struct packet *p = answers ? packet(s, PACKET_IN, s->gateway, s->source, 255, PACKET_NEIGHBOUR)
				   : packet(s, PACKET_OUT, s->source, s->gateway, 255, PACKET_NEIGHBOUR);

	p->neighbour = (struct neighbour_message){.answers = answers, .about = s->gateway};
}

static inline void gateway_asked(struct scene *s)
{
	usual_host(s);
	neighbour_says(s, false);
	neighbour_fails(s);
	neighbour_is(s, NUD_FAILED)->watched = true;
}

/* It was asked for so short a time that nothing follows from not having seen it. */
static inline void gateway_asked_before(struct scene *s)
{
	usual_host(s);
	flow(s, 25);
	flow(s, 443);
	at(s, 800);
	neighbour_is(s, NUD_FAILED)->watched = true;
	at(s, 1000);
}

static inline void gateway_unheard(struct scene *s)
{
	usual_host(s);
	neighbour_says(s, false);
	neighbour_says(s, true);
	neighbour_fails(s);
	neighbour_is(s, NUD_FAILED)->watched = true;
}

static inline void gateway_not_yet(struct scene *s)
{
	usual_host(s);
	neighbour_is(s, NUD_INCOMPLETE);
	flow(s, 25);
	flow(s, 443);
	at(s, 1000);
}

static inline void destination_silent(struct scene *s)
{
	on_link_host(s, NUD_INCOMPLETE);
	neighbour_fails(s);
	neighbour_is(s, NUD_FAILED)->address = s->plan.target;
}

/* The entry of who does not answer is asked for anew by the time of the last look. */
static inline void destination_silent_and_stale(struct scene *s)
{
	on_link_host(s, NUD_INCOMPLETE);
	neighbour_fails(s);
	neighbour_is(s, NUD_STALE)->address = s->plan.target;
}

static inline void host_reset(struct scene *s)
{
	usual_host(s);
	unsigned f = flow(s, 25);
	on_lo(rst(s, f, 64));
	pass(s, 0.1);
	failed(s, f, ECONNREFUSED);
	answered(s, 443, 55);
}

static inline void host_icmp(struct scene *s)
{
	usual_host(s);
	unsigned f = flow(s, 25);
	on_lo(icmp(s, f, s->source, unreachable(s), no_port(s), 64));
	pass(s, 0.1);
	failed(s, f, ECONNREFUSED);
	answered(s, 443, 55);
}

/* The RST is there before connect() returns. */
static inline void host_reset_at_once(struct scene *s)
{
	usual_host(s);
	unsigned f = flow(s, 25);
	on_lo(rst(s, f, 64));
	failed_at_once(s, f, ECONNREFUSED);
	answered(s, 443, 55);
}

static inline void host_icmp_at_once(struct scene *s)
{
	usual_host(s);
	unsigned f = flow(s, 25);
	on_lo(icmp(s, f, s->source, unreachable(s), prohibited(s), 64));
	failed_at_once(s, f, is_v6(s) ? EACCES : EHOSTUNREACH);
	answered(s, 443, 55);
}

/* Known from the socket's error queue alone. */
static inline void host_icmp_told(struct scene *s)
{
	usual_host(s);
	unsigned f = flow(s, 25);
	pass(s, 0.1);
	told(s, f, EHOSTUNREACH, s->source, unreachable(s), prohibited(s));
	failed(s, f, EHOSTUNREACH);
	answered(s, 443, 55);
}

static inline void host_drop_out(struct scene *s)
{
	usual_host(s);
	flow(s, 25);
	answered(s, 443, 55);
	at(s, 300);
	flow(s, 25);
	at(s, 600);
}

/* ... and the provider blocks, too: what SYNs below the firewall meet. */
static inline void host_drop_and_path(struct scene *s)
{
	host_drop_out(s);
	s->injecting = true;
	for (unsigned i = 0; i < 8; i++) {
		probe(s, PROBE_FULL, 25, 64, s->plan.target);
		pass(s, 300);
	}
	s->injecting = false;
	answered(s, 443, 55);
	s->injecting = true;
	two_traces(s, 25, 1, 443, 6, 6);
	pass(s, 2000);
}

static inline void host_drop_in(struct scene *s)
{
	usual_host(s);
	unsigned f = start(s, 25);
	answered(s, 443, 55);
	syn_ack(s, f, 55);
	at(s, 1020);
	syn(s, f);
	at(s, 1030);
	syn_ack(s, f, 55);
	at(s, 1500);
}

static inline void host_drop_in_elsewhere(struct scene *s)
{
	usual_host(s);
	unsigned f = start(s, 25);
	answered(s, 443, 55);
	on_other(syn_ack(s, f, 55));
	at(s, 1500);
}

static inline void host_drop_in_reset(struct scene *s)
{
	usual_host(s);
	unsigned f = start(s, 25);
	answered(s, 443, 55);
	rst(s, f, 55);
	at(s, 1500);
}

/* Netfilter says it itself: the capture isn't needed for that. */
static inline void host_rule_drop_out(struct scene *s)
{
	usual_host(s);
	unsigned f = flow(s, 25);
	stopped_by(s, f, TCP_SYN, false, nft_rule("output", FW_DROP, "tcp dport 25 drop"));
	answered(s, 443, 55);
	at(s, 600);
}

static inline void host_policy_drop_out(struct scene *s)
{
	usual_host(s);
	unsigned f = flow(s, 25);
	struct host_rule policy = nft_rule("output", FW_DROP, "policy drop");
	policy.policy = true;
	policy.handle = 0;
	stopped_by(s, f, TCP_SYN, false, policy);
	answered(s, 443, 55);
	at(s, 600);
}

static inline void host_reset_named(struct scene *s)
{
	usual_host(s);
	unsigned f = flow(s, 25);
	stopped_by(s, f, TCP_SYN, false,
		   nft_rule("output", FW_REJECT, "tcp dport 25 reject with tcp reset"));
	on_lo(rst(s, f, 64));
	failed(s, f, ECONNREFUSED);
	answered(s, 443, 55);
}

static inline void host_rule_drop_in(struct scene *s)
{
	usual_host(s);
	unsigned f = start(s, 25);
	answered(s, 443, 55);
	syn_ack(s, f, 55);
	stopped_by(s, f, TCP_SYN | TCP_ACK, true, nft_rule("input", FW_DROP, "tcp sport 25 drop"));
	at(s, 1500);
}

static inline void host_answer_dropped(struct scene *s)
{
	usual_host(s);
	unsigned f = start(s, 25);
	struct host_record xdp = program_of(s, PROG_XDP, "eth0", "");
	answered(s, 443, 55);
	silence_beside(s, 25, 443, 55, 8);
	kernel_dropped(s, f, TCP_SYN | TCP_ACK, true, "NOT_SPECIFIED", "do_xdp_generic");
	add_record(s, &xdp);
	pass(s, 1000);
}

static inline void silence_behind_xdp(struct scene *s)
{
	struct host_record xdp = program_of(s, PROG_XDP, "eth0", "");

	usual_host(s);
	silence_beside(s, 25, 443, 55, 8);
	add_record(s, &xdp);
	pass(s, 1000);
}

static inline void host_session_drop(struct scene *s)
{
	usual_host(s);
	unsigned f = answered(s, 25, 55);
	answered(s, 443, 55);
	pass(s, 100);
	stopped_by(s, f, TCP_ACK | TCP_PSH, true, nft_rule("input", FW_DROP, "quota over 1 kbytes drop"));
	at(s, 8000);
	session_end(s, f, STAGE_GREETING, SESSION_STALLED, NULL);
}

static inline void host_session_reset(struct scene *s)
{
	usual_host(s);
	unsigned f = answered(s, 25, 55);
	answered(s, 443, 55);
	pass(s, 20);
	stopped_by(s, f, TCP_ACK | TCP_PSH, true,
		   nft_rule("input", FW_REJECT, "tcp flags psh reject with tcp reset"));
	session_end(s, f, STAGE_GREETING, SESSION_RESET, NULL);
}

/* The SYN passes, the ACK does not: legacy rules say nothing by themselves. */
static inline void host_session_ack(struct scene *s)
{
	usual_host(s);
	unsigned f = answered(s, 25, 55);
	answered(s, 443, 55);
	at(s, 8000);
	session_end(s, f, STAGE_GREETING, SESSION_STALLED, NULL);
}

static inline void host_session_unread(struct scene *s)
{
	usual_host(s);
	unsigned f = answered(s, 25, 55);
	ack(s, f);
	answered(s, 443, 55);
	answer(s, f, 55, TCP_ACK | TCP_PSH)->payload_len = 60;
	at(s, 8000);
	session_end(s, f, STAGE_GREETING, SESSION_STALLED, NULL);
}

/* The answer to EHLO comes in, again and again, and this host never acknowledges it. */
static inline void host_session_unread_later(struct scene *s)
{
	usual_host(s);
	unsigned f = answered(s, 25, 55);
	ack(s, f);
	answered(s, 443, 55);
	they_say(s, f, 55, 0, 40, 0);
	greeting(s, f, 220, "mx.example.com ESMTP");
	we_say(s, f, 0, 18, 40);
	for (unsigned i = 0; i < 6; i++) {
		they_say(s, f, 55, 40, 120, 18);
		pass(s, 250 << i);
	}
	session_end(s, f, STAGE_EHLO, SESSION_STALLED, NULL);
}

static inline void no_route_by_interface(struct scene *s)
{
	link_is(s);
	struct host_route *r = route_is(s, 25);
	r->assumed_on_link = true;
	r->gateway = (struct addr){0};
	neighbour_is(s, NUD_FAILED);
	flow(s, 25);
	at(s, 4000);
}

static inline void redirected_to_nowhere(struct scene *s)
{
	usual_host(s);
	unsigned f = flow(s, 25);
	syn(s, f)->dst = ip(is_v6(s) ? "2001:db8:7::7" : "192.0.2.77");
	icmp(s, f, s->gateway, unreachable(s), prohibited(s), 64);
	failed(s, f, EHOSTUNREACH);
	answered(s, 443, 55);
}

/* Somebody refused connect(), and nothing that can be read did. */
static inline void denied_by_sandbox(struct scene *s)
{
	usual_host(s);
	setting_is(s, "net.ipv4.ip_local_port_range", "32768 60999", "");
	failed_at_once(s, flow(s, 25), EPERM);
	answered(s, 443, 55);
}

static inline void no_port_left(struct scene *s)
{
	usual_host(s);
	setting_is(s, "net.ipv4.ip_local_port_range", "40000 40009", "");
	unsigned f = flow(s, 25);
	s->log.events[s->log.n - 1].flow_start.lport = 0;
	failed_at_once(s, f, EADDRNOTAVAIL);
}

static inline void denied_by_program(struct scene *s)
{
	struct host_record p = program_of(s, PROG_CGROUP_CONNECT, "", "/mail.slice");

	usual_host(s);
	add_record(s, &p);
	failed_at_once(s, flow(s, 25), EPERM);
	answered(s, 443, 55);
}

/* ---- the path: six routers, the target behind them at TTL 7 ---- */

#define HOPS  6
#define FARTTL (64 - HOPS) /* with which the target's answers arrive */

/* The second hop answers port 25 as soon as a TTL reaches it; the server is farther. */
static inline void early_syn_acks(struct scene *s)
{
	hops_answer(s, 443, 1, HOPS);
	hops_answer(s, 25, 1, 2);
	for (unsigned ttl = 3; ttl <= HOPS; ttl++)
		probe_syn_ack(s, trace_probe(s, 25, ttl), 62);
}

static inline void intercepted(struct scene *s)
{
	usual_host(s);
	answered(s, 443, FARTTL);
	unsigned f = answered(s, 25, 62);
	open_dialogue(s, f);
	early_syn_acks(s);
}

static inline void reset_early(struct scene *s)
{
	usual_host(s);
	answered(s, 443, FARTTL);
	refused(s, 25, 254);
	hops_answer(s, 443, 1, HOPS);
	hops_answer(s, 25, 1, 2);
	for (unsigned ttl = 3; ttl <= HOPS; ttl++)
		probe_rst(s, trace_probe(s, 25, ttl), 254); /* hop 2 forwards and looks after the TTL */
}

static inline void refused_own_trace(struct scene *s)
{
	hops_answer(s, 443, 1, HOPS);
	hops_answer(s, 25, 1, HOPS);
	probe_rst(s, trace_probe(s, 25, HOPS + 1), FARTTL);
	probe_rst(s, trace_probe(s, 25, HOPS + 2), FARTTL);
	pass(s, 10);
}

static inline void refused_own(struct scene *s)
{
	usual_host(s);
	answered(s, 443, FARTTL);
	refused(s, 25, FARTTL);
	refused_own_trace(s);
	probe_syn_ack(s, trace_probe(s, 443, HOPS + 1), FARTTL);
}

/* No other port of the target answers: the trace alone tells. */
static inline void refused_own_no_control(struct scene *s)
{
	usual_host(s);
	start(s, 443);
	refused(s, 25, FARTTL);
	refused_own_trace(s);
	at(s, 2000);
}

static inline void refused_on_link(struct scene *s)
{
	on_link_host(s, NUD_REACHABLE);
	refused(s, 25, 64);
	refused(s, 443, 64);
}

static inline void silence_on_link(struct scene *s)
{
	on_link_host(s, NUD_REACHABLE);
	silence_beside(s, 25, 443, 64, 12);
	pass(s, 400);
}

static inline void path_stops(struct scene *s)
{
	usual_host(s);
	silence_beside(s, 25, 443, FARTTL, 5);
	two_traces(s, 25, 2, 443, HOPS, 6);
	pass(s, 500);
}

static inline void path_stops_first(struct scene *s)
{
	usual_host(s);
	silence_beside(s, 25, 443, FARTTL, 5);
	two_traces(s, 25, 0, 443, HOPS, 6);
	pass(s, 500);
}

/* Not traced: so many others with the same silence stop between hop 2 and 3. */
static inline void path_alike(struct scene *s)
{
	usual_host(s);
	silence_beside(s, 25, 443, FARTTL, 12);
	alike(s, 25, AILMENT_SILENT, 10);
	pass(s, 500);
}

static inline void path_through(struct scene *s)
{
	usual_host(s);
	silence_beside(s, 25, 443, FARTTL, 12);
	two_traces(s, 25, HOPS, 443, HOPS, 6);
	pass(s, 500);
}

static inline void reset_forged(struct scene *s)
{
	usual_host(s);
	unsigned f = start(s, 25);
	pass(s, 3);
	rst(s, f, 60);
	failed(s, f, ECONNREFUSED);
	pass(s, 7);
	syn_ack(s, f, FARTTL);
	answered(s, 443, FARTTL);
}

static inline void reset_nearer(struct scene *s)
{
	usual_host(s);
	answered(s, 443, FARTTL);
	refused(s, 25, 253);
	at(s, 500);
}

static inline void refused_like_control(struct scene *s)
{
	usual_host(s);
	answered(s, 443, FARTTL);
	refused(s, 25, 255 - HOPS); /* kernels differ in the initial TTL of a RST */
	at(s, 500);
}

static inline void refused_local(struct scene *s)
{
	s->plan.target = s->source;
	local_host(s);
	unsigned f = flow(s, 25);
	on_lo(syn(s, f));
	on_lo(rst(s, f, 64));
	failed(s, f, ECONNREFUSED);
	at(s, 300);
}

static inline void self_drops(struct scene *s)
{
	s->plan.target = s->source;
	local_host(s);
	unsigned f = flow(s, 25);
	stopped_by(s, f, TCP_SYN, false, nft_rule("input", FW_DROP, "tcp dport 25 drop"));
	on_lo(syn(s, f));
	at(s, 600);
}

static inline void self_is_silent(struct scene *s)
{
	s->plan.target = s->source;
	local_host(s);
	for (unsigned i = 0; i < 12; i++) {
		on_lo(syn(s, flow(s, 25)));
		pass(s, 500);
	}
	at(s, 6000);
}

static inline void self_rejects(struct scene *s)
{
	s->plan.target = s->source;
	local_host(s);
	unsigned f = flow(s, 25);
	on_lo(syn(s, f));
	on_lo(icmp(s, f, s->source, unreachable(s), no_port(s), 64));
	failed(s, f, ECONNREFUSED);
	at(s, 300);
}

/* No stack sends or heeds a RST without the ACK flag for a SYN: that this host does not take it is no
 * filter of its own. */
static inline void reset_without_ack(struct scene *s)
{
	usual_host(s);
	unsigned f = start(s, 25);
	answered(s, 443, FARTTL);
	rst(s, f, FARTTL + 4)->tcp.flags = TCP_RST;
	at(s, 1500);
}

static inline void reset_alone(struct scene *s)
{
	usual_host(s);
	start(s, 443);
	refused(s, 25, 55);
	at(s, 2500);
}

static inline void reset_farther(struct scene *s)
{
	usual_host(s);
	answered(s, 443, FARTTL);
	refused(s, 25, FARTTL - 4);
	at(s, 500);
}

static inline void rejected_by(struct scene *s, struct addr from, unsigned code, unsigned hops)
{
	unsigned f = start(s, 25);

	pass(s, 5);
	icmp(s, f, from, unreachable(s), code, 64 - hops);
	failed(s, f, code == no_port(s) ? ECONNREFUSED : EHOSTUNREACH);
}

static inline void icmp_refused(struct scene *s)
{
	usual_host(s);
	answered(s, 443, FARTTL);
	rejected_by(s, s->plan.target, no_port(s), HOPS);
	at(s, 300);
}

static inline void icmp_loop(struct scene *s)
{
	usual_host(s);
	for (unsigned i = 0; i < 2; i++) {
		unsigned f = start(s, i ? 443 : 25);
		icmp(s, f, ip(is_v6(s) ? "2001:db8:99::1" : "192.0.2.77"), is_v6(s) ? 3 : 11, 0, 1);
		failed(s, f, EHOSTUNREACH);
	}
	at(s, 300);
}

static inline void icmp_destination(struct scene *s)
{
	usual_host(s);
	answered(s, 443, FARTTL);
	rejected_by(s, s->plan.target, prohibited(s), HOPS);
	at(s, 300);
}

static inline void both_unreachable(struct scene *s)
{
	usual_host(s);
	for (unsigned i = 0; i < 2; i++) {
		unsigned f = start(s, i ? 443 : 25);
		pass(s, 5);
		icmp(s, f, hop(s, 3), unreachable(s), is_v6(s) ? 3 : 1, 62);
		failed(s, f, EHOSTUNREACH);
	}
	at(s, 300);
}

static inline void icmp_all_placed(struct scene *s)
{
	both_unreachable(s);
	hops_answer(s, 25, 1, 3);
	hops_answer(s, 443, 1, 3);
	for (unsigned i = 0; i < 2; i++) {
		unsigned port = i ? 443 : 25;
		probe_icmp(s, trace_probe(s, port, 4), hop(s, 3), unreachable(s), is_v6(s) ? 3 : 1);
	}
	at(s, 2000);
}

static inline void icmp_hop(struct scene *s)
{
	usual_host(s);
	answered(s, 443, FARTTL);
	rejected_by(s, hop(s, 2), prohibited(s), 1);
	hops_answer(s, 443, 1, HOPS);
	hops_answer(s, 25, 1, 1);
	for (unsigned ttl = 2; ttl <= 4; ttl++)
		probe_icmp(s, trace_probe(s, 25, ttl), hop(s, 2), unreachable(s), prohibited(s));
	pass(s, 500);
}

/* Its sender answers for no expired TTL of the control either. */
static inline void icmp_silent_hop(struct scene *s)
{
	usual_host(s);
	answered(s, 443, FARTTL);
	rejected_by(s, ip(is_v6(s) ? "2001:db8:77::1" : "100.64.9.9"), prohibited(s), 1);
	hops_answer(s, 443, 1, 1);
	hops_silent(s, 443, 2, 2);
	hops_answer(s, 443, 3, HOPS);
	hops_answer(s, 25, 1, 1);
	for (unsigned ttl = 2; ttl <= 4; ttl++)
		probe_icmp(s, trace_probe(s, 25, ttl), ip(is_v6(s) ? "2001:db8:77::1" : "100.64.9.9"),
			   unreachable(s), prohibited(s));
	pass(s, 500);
}

static inline void icmp_gateway(struct scene *s)
{
	usual_host(s);
	answered(s, 443, FARTTL);
	rejected_by(s, s->gateway, prohibited(s), 0);
	at(s, 300);
}

static inline void icmp_access(struct scene *s)
{
	usual_host(s);
	answered(s, 443, FARTTL);
	rejected_by(s, hop(s, 2), prohibited(s), 2); /* a forward hook comes after the TTL */
	at(s, 300);
}

static inline void icmp_somewhere(struct scene *s)
{
	usual_host(s);
	answered(s, 443, FARTTL);
	rejected_by(s, ip(is_v6(s) ? "2001:db8:77::1" : "192.0.2.77"), prohibited(s), 5);
	at(s, 300);
}

static inline void path_silence(struct scene *s)
{
	usual_host(s);
	silence_beside(s, 25, 443, FARTTL, 12);
	pass(s, 500);
}

static inline void all_silent(struct scene *s)
{
	usual_host(s);
	for (unsigned i = 0; i < 6; i++) {
		start(s, 25);
		start(s, 443);
		pass(s, 500);
	}
	at(s, 6000);
}

/* ---- the session ---- */

static inline unsigned session(struct scene *s)
{
	usual_host(s);
	answered(s, 443, FARTTL);
	unsigned f = answered(s, 25, FARTTL);
	ack(s, f);
	return f;
}

static inline void session_open(struct scene *s)
{
	open_dialogue(s, session(s));
}

/* The run ends between the greeting and the answer to QUIT. */
static inline void session_open_stalled_quit(struct scene *s)
{
	unsigned f = session(s);

	greeting(s, f, 220, "mx.example.com ESMTP");
	at(s, 8000);
	session_end(s, f, STAGE_QUIT, SESSION_STALLED, NULL);
}

static inline void session_rejected(struct scene *s)
{
	unsigned f = session(s);

	greeting(s, f, 554, "5.7.1 Client host rejected: listed by zen.example.org");
	session_end(s, f, STAGE_QUIT, SESSION_CLOSED, NULL);
}

static inline void session_not_smtp(struct scene *s)
{
	session_end(s, session(s), STAGE_GREETING, SESSION_NOT_SMTP, "SSH-2.0-OpenSSH_9.2");
}

static inline void session_tls_failed(struct scene *s)
{
	s->plan.ports[0].implicit_tls = true;
	session_end(s, session(s), STAGE_TLS, SESSION_TLS_ERROR, "wrong version number");
}

static inline void session_reset(struct scene *s)
{
	unsigned f = session(s);

	pass(s, 20);
	rst(s, f, FARTTL);
	session_end(s, f, STAGE_GREETING, SESSION_RESET, NULL);
}

static inline void session_closed(struct scene *s)
{
	session_end(s, session(s), STAGE_GREETING, SESSION_CLOSED, NULL);
}

static inline void session_stalled(struct scene *s)
{
	unsigned f = session(s);

	at(s, 8000);
	session_end(s, f, STAGE_GREETING, SESSION_STALLED, NULL);
}

/* n keep-alives, a while apart; answered ones show that `sent` bytes of theirs are on their way. The
 * control answers meanwhile. */
static inline void looks(struct scene *s, unsigned f, unsigned n, bool answers, unsigned acked,
			 unsigned heard, unsigned sent)
{
	for (unsigned i = 0; i < n; i++) {
		answered(s, 443, FARTTL);
		look_at(s, f, acked, heard);
		pass(s, 10);
		if (answers)
			they_say(s, f, FARTTL, sent, 0, acked);
		pass(s, 550);
	}
}

/* The server's stack is there, its program says nothing. */
static inline void session_tarpit(struct scene *s)
{
	unsigned f = session(s);

	looks(s, f, 5, true, 0, 0, 0);
	session_end(s, f, STAGE_GREETING, SESSION_STALLED, NULL);
}

/* The handshake passes, and nothing after it. */
static inline void session_cut_at_once(struct scene *s)
{
	unsigned f = session(s);

	looks(s, f, 8, false, 0, 0, 0);
	session_end(s, f, STAGE_GREETING, SESSION_STALLED, NULL);
}

/* Greeted; then EHLO leaves n times and is never acknowledged. */
static inline unsigned ehlo_in_vain(struct scene *s, unsigned n)
{
	unsigned f = session(s);

	they_say(s, f, FARTTL, 0, 40, 0);
	greeting(s, f, 220, "mx.example.com ESMTP");
	for (unsigned i = 0; i < n; i++) {
		we_say(s, f, 0, 18, 40);
		pass(s, 200 << i);
	}
	return f;
}

static inline void session_cut_at_ehlo(struct scene *s)
{
	unsigned f = ehlo_in_vain(s, 5);

	looks(s, f, 4, false, 0, 40, 0);
	session_end(s, f, STAGE_EHLO, SESSION_STALLED, NULL);
}

static inline void session_ehlo_unheard(struct scene *s)
{
	unsigned f = ehlo_in_vain(s, 6);

	looks(s, f, 3, true, 0, 40, 40);
	session_end(s, f, STAGE_EHLO, SESSION_STALLED, NULL);
}

/* Hop 3 drops all of it: the control's SYNs go on. */
static inline void session_cut_placed(struct scene *s)
{
	unsigned f = ehlo_in_vain(s, 5);

	looks(s, f, 4, false, 0, 40, 0);
	two_traces(s, 25, HOPS, 443, HOPS, 4);
	copies(s, PROBE_DATA, f, 0, 2, HOPS, 5);
	copies(s, PROBE_ACK, f, 18, 2, HOPS, 5);
	session_end(s, f, STAGE_EHLO, SESSION_STALLED, NULL);
}

/* ... or EHLO alone. */
static inline void session_ehlo_dropped(struct scene *s)
{
	unsigned f = ehlo_in_vain(s, 6);

	looks(s, f, 3, true, 0, 40, 40);
	two_traces(s, 25, HOPS, 443, HOPS, 4);
	copies(s, PROBE_DATA, f, 0, 2, HOPS, 5);
	copies(s, PROBE_ACK, f, 18, HOPS, HOPS, 1);
	session_end(s, f, STAGE_EHLO, SESSION_STALLED, NULL);
}

/* The answer to EHLO is on its way, and does not come. */
static inline void session_answer_lost(struct scene *s)
{
	unsigned f = ehlo_in_vain(s, 1);

	they_say(s, f, FARTTL, 40, 0, 18);
	looks(s, f, 12, true, 18, 40, 160);
	session_end(s, f, STAGE_EHLO, SESSION_STALLED, NULL);
}

/* A ClientHello of 300 bytes does not get through. */
static inline void session_large_out(struct scene *s)
{
	unsigned f = ehlo_in_vain(s, 1);

	they_say(s, f, FARTTL, 40, 120, 18);
	for (unsigned i = 0; i < 6; i++) {
		we_say(s, f, 18, 300, 160);
		pass(s, 200 << i);
	}
	looks(s, f, 3, true, 18, 160, 160);
	session_end(s, f, STAGE_TLS, SESSION_STALLED, NULL);
}

/* ... for hop 3 drops what is so large, or a ClientHello whatever its size. */
static inline void clienthello_dropped(struct scene *s, bool for_size)
{
	unsigned f = ehlo_in_vain(s, 1);

	they_say(s, f, FARTTL, 40, 120, 18);
	for (unsigned i = 0; i < 6; i++) {
		we_say(s, f, 18, 300, 160);
		pass(s, 200 << i);
	}
	looks(s, f, 3, true, 18, 160, 160);
	two_traces(s, 25, HOPS, 443, HOPS, 4);
	copies(s, PROBE_DATA, f, 18, 2, HOPS, 5);
	copies(s, PROBE_ACK, f, 318, HOPS, HOPS, 1);
	copies(s, PROBE_SIZE, f, 18, for_size ? 2 : HOPS, HOPS, 2);
	session_end(s, f, STAGE_TLS, SESSION_STALLED, NULL);
}

static inline void session_large_placed(struct scene *s)
{
	clienthello_dropped(s, true);
}

static inline void session_clienthello_dropped(struct scene *s)
{
	clienthello_dropped(s, false);
}

/* Of the server's certificate only the last, smaller piece comes. */
static inline void session_large_in(struct scene *s)
{
	unsigned f = ehlo_in_vain(s, 1);

	they_say(s, f, FARTTL, 40, 120, 18);
	we_say(s, f, 18, 300, 160);
	pass(s, 10);
	they_say(s, f, FARTTL, 160 + 2896, 500, 318);
	looks(s, f, 12, true, 318, 160, 160 + 3396);
	session_end(s, f, STAGE_TLS, SESSION_STALLED, NULL);
}

static const char *const plain_ehlo[] = {"mx.example.com", "PIPELINING", "STARTTLS", NULL};
static const char *const bare_ehlo[] = {"mx.example.com", "PIPELINING", NULL};
static const char *const masked_ehlo[] = {"mx.example.com", "PIPELINING", "XXXXXXXA", NULL};
static const char *const masked_words[] = {"mx.example.com", "XXXX", "STARTTLS", NULL};

/* Greeted, and EHLO answered so. */
static inline unsigned greeted(struct scene *s, const char *greets, int code,
			       const char *const *lines)
{
	unsigned f = session(s);

	greeting(s, f, 220, greets);
	pass(s, 5);
	said(s, f, STAGE_EHLO, code, code < 400 ? "mx.example.com" : "5.7.1 go away", lines);
	pass(s, 5);
	return f;
}

static inline void session_stripped(struct scene *s)
{
	session_end(s, greeted(s, "mx.example.com ESMTP", 250, masked_ehlo), STAGE_QUIT,
		    SESSION_DONE, NULL);
}

static inline void session_masked(struct scene *s)
{
	session_end(s, greeted(s, "*************0*2****", 250, plain_ehlo), STAGE_QUIT, SESSION_DONE,
		    NULL);
}

static inline void session_words_masked(struct scene *s)
{
	session_end(s, greeted(s, "mx.example.com ESMTP", 250, masked_words), STAGE_QUIT,
		    SESSION_DONE, NULL);
}

static inline void session_interceptor(struct scene *s)
{
	static const struct signature known[] = {
		{SIGNATURE_ISSUER, "*Mail Shield*", "a mail shield", true, "test"}};
	unsigned f = greeted(s, "mx.example.com ESMTP", 250, plain_ehlo);

	s->plan.signatures = (struct signatures){known, COUNT(known)};
	said(s, f, STAGE_STARTTLS, 220, "go ahead", NULL);
	shown(s, f, "CN=mx.example.com", "CN=Some Mail Shield Root,O=Some", "aa", false);
	session_end(s, f, STAGE_QUIT, SESSION_DONE, NULL);
}

static inline void ehlo_rejected(struct scene *s)
{
	session_end(s, greeted(s, "mx.example.com ESMTP", 550, NULL), STAGE_QUIT, SESSION_DONE, NULL);
}

static inline void auth_rejected(struct scene *s)
{
	unsigned f = greeted(s, "mx.example.com ESMTP", 250, plain_ehlo);

	said(s, f, STAGE_AUTH, 535, "5.7.8 authentication failed", NULL);
	session_end(s, f, STAGE_QUIT, SESSION_DONE, NULL);
}

static inline void mail_rejected(struct scene *s)
{
	unsigned f = greeted(s, "mx.example.com ESMTP", 250, plain_ehlo);

	said(s, f, STAGE_MAIL, 250, "ok", NULL);
	said(s, f, STAGE_RCPT, 450, "4.7.1 greylisted, try again later", NULL);
	session_end(s, f, STAGE_QUIT, SESSION_DONE, NULL);
}

static inline void starttls_missing(struct scene *s)
{
	s->plan.starttls_required = true;
	session_end(s, greeted(s, "mx.example.com ESMTP", 250, bare_ehlo), STAGE_QUIT, SESSION_DONE,
		    NULL);
}

static inline void starttls_rejected(struct scene *s)
{
	unsigned f = greeted(s, "mx.example.com ESMTP", 250, plain_ehlo);

	said(s, f, STAGE_STARTTLS, 454, "TLS not available", NULL);
	session_end(s, f, STAGE_QUIT, SESSION_DONE, NULL);
}

static inline void stalled_at_ehlo(struct scene *s)
{
	unsigned f = session(s);

	greeting(s, f, 220, "mx.example.com ESMTP");
	at(s, 8000);
	session_end(s, f, STAGE_EHLO, SESSION_STALLED, NULL);
}

static inline void tls_failed_late(struct scene *s)
{
	unsigned f = greeted(s, "mx.example.com ESMTP", 250, plain_ehlo);

	said(s, f, STAGE_STARTTLS, 220, "go ahead", NULL);
	session_end(s, f, STAGE_TLS, SESSION_TLS_ERROR, "no shared cipher");
}

#include "cases_compare.h"
#include "cases_forged.h"
#include "cases_mtu.h"
#include "cases_policy.h"

/* ---- the table: in the order of the rules ---- */

#define ROW(rule, build, v6, state, mechanism, place, culprit)                                 \
	{rule, build, v6, STATE_##state, MECH_##mechanism, PLACE_##place, CULPRIT_##culprit,       \
	 DIR_OUTBOUND, 0}
#define INBOUND(rule, build, also) \
	{rule, build, 0, STATE_BLOCKED, MECH_SILENT_DROP, PLACE_HOST, CULPRIT_UNKNOWN, DIR_INBOUND, also}
/* two blocks behind each other */
#define BESIDE(rule, build, place, culprit) \
	{rule, build, 0, STATE_BLOCKED, MECH_SILENT_DROP, place, culprit, DIR_OUTBOUND, 1}

static const struct rule_case rule_cases[] = {
	ROW("host-route-stop", stopped_route, 0, BLOCKED, LOCAL_ERROR, HOST, ROUTE),
	ROW("host-route-stop", blackhole_route, 1, BLOCKED, LOCAL_ERROR, HOST, ROUTE),
	ROW("host-rule-stop", stopped_rule, 0, BLOCKED, LOCAL_ERROR, HOST, IP_RULE),
	ROW("host-link-down-error", down_error, 0, UNREACHABLE, LOCAL_ERROR, HOST, LINK),
	ROW("host-link-down-error", down_and_no_route, 0, UNREACHABLE, LOCAL_ERROR, HOST, LINK),
	ROW("host-link-down", no_carrier, 0, UNREACHABLE, SILENT_DROP, HOST, LINK),
	ROW("host-no-route", routeless, 0, UNREACHABLE, LOCAL_ERROR, HOST, ROUTE),
	ROW("host-no-route", routeless, 1, UNREACHABLE, LOCAL_ERROR, HOST, ROUTE),
	ROW("host-denied", denied, 0, BLOCKED, LOCAL_ERROR, HOST, UNKNOWN),
	ROW("host-error", no_source, 0, UNREACHABLE, LOCAL_ERROR, HOST, UNKNOWN),
	ROW("host-redirect", redirected, 0, INTERCEPTED, INTERCEPTION, HOST, UNKNOWN),
	ROW("host-redirect", redirected, 1, INTERCEPTED, INTERCEPTION, HOST, UNKNOWN),
	ROW("host-redirect", redirected_away, 0, INTERCEPTED, INTERCEPTION, HOST, UNKNOWN),
	ROW("host-peer-rewrite", peer_rewritten, 0, INTERCEPTED, INTERCEPTION, HOST, UNKNOWN),
	ROW("host-peer-rewrite", peer_rewritten_unseen, 0, INTERCEPTED, INTERCEPTION, HOST, UNKNOWN),
	ROW("host-tproxy", looped, 0, INTERCEPTED, INTERCEPTION, HOST, UNKNOWN),
	ROW("host-redirect-refused", redirect_refused, 0, BLOCKED, TCP_RESET, HOST, UNKNOWN),
	ROW("host-redirect-silent", redirect_silent, 0, BLOCKED, SILENT_DROP, HOST, UNKNOWN),
	ROW("host-neighbour-silent", gateway_silent, 0, UNREACHABLE, LOCAL_ERROR, GATEWAY, NEIGHBOUR),
	ROW("host-neighbour-silent", gateway_silent, 1, UNREACHABLE, LOCAL_ERROR, GATEWAY, NEIGHBOUR),
	ROW("host-neighbour-silent", gateway_asked, 0, UNREACHABLE, LOCAL_ERROR, GATEWAY, NEIGHBOUR),
	ROW("host-neighbour-silent", gateway_asked, 1, UNREACHABLE, LOCAL_ERROR, GATEWAY, NEIGHBOUR),
	ROW("host-neighbour-silent", gateway_asked_before, 0, UNREACHABLE, LOCAL_ERROR, GATEWAY, NEIGHBOUR),
	ROW("host-neighbour-unasked", gateway_unasked, 0, BLOCKED, LOCAL_ERROR, HOST, NEIGHBOUR),
	ROW("host-neighbour-unasked", gateway_unasked, 1, BLOCKED, LOCAL_ERROR, HOST, NEIGHBOUR),
	{"host-neighbour-unheard", gateway_unheard, 0, STATE_BLOCKED, MECH_LOCAL_ERROR, PLACE_HOST,
	 CULPRIT_NEIGHBOUR, DIR_INBOUND, 0},
	{"host-neighbour-unheard", gateway_unheard, 1, STATE_BLOCKED, MECH_LOCAL_ERROR, PLACE_HOST,
	 CULPRIT_NEIGHBOUR, DIR_INBOUND, 0},
	ROW("host-neighbour-silent", gateway_not_yet, 0, UNREACHABLE, LOCAL_ERROR, GATEWAY, NEIGHBOUR),
	ROW("host-destination-silent", destination_silent, 0, UNREACHABLE, LOCAL_ERROR, DESTINATION,
	    NEIGHBOUR),
	ROW("host-destination-silent", destination_silent_and_stale, 0, UNREACHABLE, LOCAL_ERROR, DESTINATION,
	    NEIGHBOUR),
	ROW("host-reset", host_reset, 0, BLOCKED, TCP_RESET, HOST, UNKNOWN),
	ROW("host-reset", host_reset, 1, BLOCKED, TCP_RESET, HOST, UNKNOWN),
	ROW("host-reset", host_reset_at_once, 0, BLOCKED, TCP_RESET, HOST, UNKNOWN),
	ROW("host-icmp", host_icmp_at_once, 0, BLOCKED, ICMP_UNREACHABLE, HOST, UNKNOWN),
	ROW("host-icmp", host_icmp_at_once, 1, BLOCKED, ICMP_UNREACHABLE, HOST, UNKNOWN),
	ROW("host-icmp", host_icmp, 0, BLOCKED, ICMP_UNREACHABLE, HOST, UNKNOWN),
	ROW("host-icmp", host_icmp, 1, BLOCKED, ICMP_UNREACHABLE, HOST, UNKNOWN),
	ROW("host-icmp", host_icmp_told, 0, BLOCKED, ICMP_UNREACHABLE, HOST, UNKNOWN),
	{"host-session-reset", host_session_reset, 0, STATE_BLOCKED, MECH_SESSION_RESET, PLACE_HOST,
	 CULPRIT_NFT_RULE, DIR_INBOUND, 0},
	ROW("host-session-ack", host_session_ack, 0, BLOCKED, SESSION_STALL, HOST, UNKNOWN),
	{"host-session-unread", host_session_unread_later, 0, STATE_BLOCKED, MECH_SESSION_STALL,
	 PLACE_HOST, CULPRIT_UNKNOWN, DIR_INBOUND, 0},
	{"host-session-unread", host_session_unread, 0, STATE_BLOCKED, MECH_SESSION_STALL, PLACE_HOST,
	 CULPRIT_UNKNOWN, DIR_INBOUND, 0},
	ROW("host-interface-routeless", no_route_by_interface, 0, UNREACHABLE, LOCAL_ERROR, HOST, ROUTE),
	ROW("host-redirect-icmp", redirected_to_nowhere, 0, BLOCKED, ICMP_UNREACHABLE, HOST, UNKNOWN),
	ROW("host-no-port", no_port_left, 0, UNREACHABLE, LOCAL_ERROR, HOST, SYSCTL),
	ROW("host-denied", denied_by_sandbox, 0, BLOCKED, LOCAL_ERROR, HOST, LSM),
	ROW("host-denied", denied_by_program, 0, BLOCKED, LOCAL_ERROR, HOST, CGROUP_BPF),
	ROW("host-reset", host_reset_named, 0, BLOCKED, TCP_RESET, HOST, NFT_RULE),
	ROW("host-rule-drop-out", host_rule_drop_out, 0, BLOCKED, SILENT_DROP, HOST, NFT_RULE),
	ROW("host-rule-drop-out", host_rule_drop_out, 1, BLOCKED, SILENT_DROP, HOST, NFT_RULE),
	ROW("host-rule-drop-out", host_policy_drop_out, 0, BLOCKED, SILENT_DROP, HOST, NFT_POLICY),
	{"host-rule-drop-in", host_rule_drop_in, 0, STATE_BLOCKED, MECH_SILENT_DROP, PLACE_HOST,
	 CULPRIT_NFT_RULE, DIR_INBOUND, 0},
	{"host-answer-dropped", host_answer_dropped, 0, STATE_BLOCKED, MECH_SILENT_DROP, PLACE_HOST,
	 CULPRIT_XDP, DIR_INBOUND, 0},
	{"host-session-drop", host_session_drop, 0, STATE_BLOCKED, MECH_SESSION_STALL, PLACE_HOST,
	 CULPRIT_NFT_RULE, DIR_INBOUND, 0},
	ROW("path-silence-xdp", silence_behind_xdp, 0, BLOCKED, SILENT_DROP, UNKNOWN, UNKNOWN),
	ROW("host-drop-out", host_drop_out, 0, BLOCKED, SILENT_DROP, HOST, UNKNOWN),
	ROW("host-drop-out", host_drop_out, 1, BLOCKED, SILENT_DROP, HOST, UNKNOWN),
	BESIDE("host-drop-out", host_drop_and_path, PLACE_HOST, CULPRIT_UNKNOWN),
	INBOUND("host-drop-in", host_drop_in, 0),
	INBOUND("host-drop-in-elsewhere", host_drop_in_elsewhere, 0),
	INBOUND("host-drop-in-reset", host_drop_in_reset, 1),

	ROW("path-intercepted", intercepted, 0, INTERCEPTED, INTERCEPTION, ISP, MIDDLEBOX),
	ROW("path-intercepted", intercepted, 1, INTERCEPTED, INTERCEPTION, TRANSIT, MIDDLEBOX),
	ROW("path-canary", canary_taken, 0, INTERCEPTED, INTERCEPTION, ISP, MIDDLEBOX),
	ROW("path-canary", canary_taken, 1, INTERCEPTED, INTERCEPTION, ISP, MIDDLEBOX),
	ROW("path-canary-any", canary_any, 0, INTERCEPTED, INTERCEPTION, ISP, MIDDLEBOX),
	ROW("session-open", canary_any_speaks, 0, OPEN, UNKNOWN, UNKNOWN, UNKNOWN),
	ROW("session-open", canary_others, 0, OPEN, UNKNOWN, UNKNOWN, UNKNOWN),
	ROW("session-open", canary_is_host, 0, OPEN, UNKNOWN, UNKNOWN, UNKNOWN),
	ROW("session-open", canary_is_network, 0, OPEN, UNKNOWN, UNKNOWN, UNKNOWN),
	ROW("session-open", canary_of_path, 0, OPEN, UNKNOWN, UNKNOWN, UNKNOWN),
	ROW("path-reset-early", reset_early, 0, BLOCKED, TCP_RESET, ISP, HOP),
	ROW("path-reset-early", reset_early, 1, BLOCKED, TCP_RESET, ISP, HOP),
	ROW("path-refused-own", refused_own, 0, REFUSED, TCP_RESET, DESTINATION, SERVER),
	ROW("path-refused-own", refused_own_no_control, 0, REFUSED, TCP_RESET, DESTINATION, SERVER),
	ROW("path-refused-on-link", refused_on_link, 0, REFUSED, TCP_RESET, DESTINATION, SERVER),
	ROW("path-silence-on-link", silence_on_link, 0, BLOCKED, SILENT_DROP, DESTINATION, UNKNOWN),
	ROW("path-stops", path_stops, 0, BLOCKED, SILENT_DROP, ISP, HOP),
	ROW("path-stops", path_stops, 1, BLOCKED, SILENT_DROP, ISP, HOP),
	ROW("path-stops", path_stops_first, 0, BLOCKED, SILENT_DROP, GATEWAY, HOP),
	BESIDE("path-stops", host_drop_and_path, PLACE_ISP, CULPRIT_HOP),
	ROW("path-alike", path_alike, 0, BLOCKED, SILENT_DROP, ISP, HOP),
	ROW("path-alike", path_alike, 1, BLOCKED, SILENT_DROP, ISP, HOP),
	ROW("path-through", path_through, 0, BLOCKED, SILENT_DROP, DESTINATION, HOP),
	ROW("path-through", path_through, 1, BLOCKED, SILENT_DROP, DESTINATION, HOP),
	ROW("path-reset-forged", reset_forged, 0, BLOCKED, TCP_RESET, UNKNOWN, MIDDLEBOX),
	ROW("path-reset-nearer", reset_nearer, 0, BLOCKED, TCP_RESET, UNKNOWN, MIDDLEBOX),
	ROW("path-refused", refused_like_control, 0, REFUSED, TCP_RESET, DESTINATION, SERVER),
	ROW("path-refused", refused_like_control, 1, REFUSED, TCP_RESET, DESTINATION, SERVER),
	ROW("host-local-drop", self_drops, 0, BLOCKED, SILENT_DROP, HOST, NFT_RULE),
	ROW("host-local-drop", self_drops, 1, BLOCKED, SILENT_DROP, HOST, NFT_RULE),
	ROW("host-local-silent", self_is_silent, 0, BLOCKED, SILENT_DROP, HOST, UNKNOWN),
	ROW("host-local-reject", self_rejects, 0, BLOCKED, ICMP_UNREACHABLE, HOST, UNKNOWN),
	ROW("host-local-reject", self_rejects, 1, BLOCKED, ICMP_UNREACHABLE, HOST, UNKNOWN),
	ROW("path-reset-nearer", reset_without_ack, 0, BLOCKED, TCP_RESET, UNKNOWN, MIDDLEBOX),
	ROW("path-refused-local", refused_local, 0, REFUSED, TCP_RESET, DESTINATION, SERVER),
	ROW("path-reset-unplaced", reset_alone, 0, INCONCLUSIVE, TCP_RESET, UNKNOWN, UNKNOWN),
	ROW("path-reset-unplaced", reset_farther, 0, INCONCLUSIVE, TCP_RESET, UNKNOWN, UNKNOWN),
	ROW("path-icmp-refused", icmp_refused, 0, REFUSED, ICMP_UNREACHABLE, DESTINATION, SERVER),
	ROW("path-icmp-refused", icmp_refused, 1, REFUSED, ICMP_UNREACHABLE, DESTINATION, SERVER),
	ROW("path-icmp-loop", icmp_loop, 0, UNREACHABLE, ICMP_UNREACHABLE, UNKNOWN, HOP),
	ROW("path-icmp-loop", icmp_loop, 1, UNREACHABLE, ICMP_UNREACHABLE, UNKNOWN, HOP),
	ROW("path-icmp-destination", icmp_destination, 0, BLOCKED, ICMP_UNREACHABLE, DESTINATION, SERVER),
	ROW("path-icmp-destination", icmp_destination, 1, BLOCKED, ICMP_UNREACHABLE, DESTINATION, SERVER),
	ROW("path-icmp-all-placed", icmp_all_placed, 0, UNREACHABLE, ICMP_UNREACHABLE, ISP, HOP),
	ROW("path-icmp-all", both_unreachable, 0, UNREACHABLE, ICMP_UNREACHABLE, UNKNOWN, HOP),
	ROW("path-icmp-hop", icmp_hop, 0, BLOCKED, ICMP_UNREACHABLE, ISP, HOP),
	ROW("path-icmp-hop", icmp_hop, 1, BLOCKED, ICMP_UNREACHABLE, ISP, HOP),
	ROW("path-icmp-hop", icmp_silent_hop, 0, BLOCKED, ICMP_UNREACHABLE, ISP, HOP),
	ROW("path-icmp-gateway", icmp_gateway, 0, BLOCKED, ICMP_UNREACHABLE, GATEWAY, HOP),
	ROW("path-icmp-access", icmp_access, 0, BLOCKED, ICMP_UNREACHABLE, ISP, HOP),
	ROW("path-icmp-access", icmp_access, 1, BLOCKED, ICMP_UNREACHABLE, ISP, HOP),
	ROW("path-icmp", icmp_somewhere, 0, BLOCKED, ICMP_UNREACHABLE, UNKNOWN, HOP),
	ROW("path-icmp", icmp_somewhere, 1, BLOCKED, ICMP_UNREACHABLE, UNKNOWN, HOP),
	ROW("path-silence", path_silence, 0, BLOCKED, SILENT_DROP, UNKNOWN, UNKNOWN),
	ROW("path-all-silent", all_silent, 0, UNREACHABLE, SILENT_DROP, UNKNOWN, UNKNOWN),
	ROW("path-all-silent", all_silent, 1, UNREACHABLE, SILENT_DROP, UNKNOWN, UNKNOWN),

	ROW("session-open", session_open, 0, OPEN, UNKNOWN, UNKNOWN, UNKNOWN),
	ROW("session-open", session_open_stalled_quit, 1, OPEN, UNKNOWN, UNKNOWN, UNKNOWN),
	ROW("session-starttls-stripped", session_stripped, 0, INTERCEPTED, STARTTLS_STRIPPED, UNKNOWN,
	    MIDDLEBOX),
	ROW("session-banner-masked", session_masked, 0, INTERCEPTED, SMTP_MANGLED, UNKNOWN, MIDDLEBOX),
	ROW("session-ehlo-masked", session_words_masked, 0, INTERCEPTED, SMTP_MANGLED, UNKNOWN,
	    MIDDLEBOX),
	ROW("session-tls-interceptor", session_interceptor, 0, INTERCEPTED, TLS_INTERCEPTED, UNKNOWN,
	    MIDDLEBOX),
	ROW("session-starttls-taken", session_taken, 0, INTERCEPTED, STARTTLS_STRIPPED, UNKNOWN,
	    MIDDLEBOX),
	ROW("session-open", clear_on_25, 0, OPEN, UNKNOWN, UNKNOWN, UNKNOWN),
	ROW("session-open", yes_man, 0, OPEN, UNKNOWN, UNKNOWN, UNKNOWN),
	{"session-starttls-elsewhere", interceptor_strips, 0, STATE_INTERCEPTED, MECH_STARTTLS_STRIPPED,
	 PLACE_ISP, CULPRIT_MIDDLEBOX, DIR_OUTBOUND, 1},
	ROW("session-greeting-interceptor", scanner_greets, 0, INTERCEPTED, INTERCEPTION, UNKNOWN,
	    MIDDLEBOX),
	ROW("session-greeting-interceptor", scanner_in_ehlo, 0, INTERCEPTED, INTERCEPTION, UNKNOWN,
	    MIDDLEBOX),
	ROW("session-banner-unlike", banner_unlike, 0, INTERCEPTED, INTERCEPTION, UNKNOWN, MIDDLEBOX),
	ROW("session-name-unlike", name_unlike, 0, INTERCEPTED, INTERCEPTION, UNKNOWN, MIDDLEBOX),
	ROW("session-name-unlike", name_unlike_rejects, 0, INTERCEPTED, INTERCEPTION, UNKNOWN,
	    MIDDLEBOX),
	ROW("session-open", as_expected, 0, OPEN, UNKNOWN, UNKNOWN, UNKNOWN),
	ROW("session-open", nameless_greeting, 0, OPEN, UNKNOWN, UNKNOWN, UNKNOWN),
	ROW("session-open", unlike_but_verified, 0, OPEN, UNKNOWN, UNKNOWN, UNKNOWN),
	ROW("session-starttls-promised", dane_promises, 0, INTERCEPTED, STARTTLS_STRIPPED, UNKNOWN,
	    MIDDLEBOX),
	ROW("session-starttls-promised", policy_promises, 0, INTERCEPTED, STARTTLS_STRIPPED, UNKNOWN,
	    MIDDLEBOX),
	ROW("session-dane", dane_elsewhere, 0, INTERCEPTED, TLS_INTERCEPTED, UNKNOWN, MIDDLEBOX),
	{"session-dane-decrypted", dane_decrypted, 0, STATE_INTERCEPTED, MECH_TLS_INTERCEPTED,
	 PLACE_ISP, CULPRIT_MIDDLEBOX, DIR_OUTBOUND, 1},
	ROW("session-dane-mismatch", dane_mismatch, 0, INCONCLUSIVE, UNKNOWN, UNKNOWN, UNKNOWN),
	ROW("session-open", dane_fits, 0, OPEN, UNKNOWN, UNKNOWN, UNKNOWN),
	ROW("session-open", dane_stale_but_verified, 0, OPEN, UNKNOWN, UNKNOWN, UNKNOWN),
	ROW("session-open", dane_unsigned, 0, OPEN, UNKNOWN, UNKNOWN, UNKNOWN),
	ROW("session-open", dane_whole_certificate, 0, OPEN, UNKNOWN, UNKNOWN, UNKNOWN),
	ROW("session-open", dns_without_answer, 0, OPEN, UNKNOWN, UNKNOWN, UNKNOWN),
	{"session-tls-decrypted", interceptor_decrypts, 0, STATE_INTERCEPTED, MECH_TLS_INTERCEPTED,
	 PLACE_ISP, CULPRIT_MIDDLEBOX, DIR_OUTBOUND, 1},
	ROW("session-open", private_on_25, 0, OPEN, UNKNOWN, UNKNOWN, UNKNOWN),
	ROW("session-ehlo-rejected", ehlo_rejected, 0, REJECTED, POLICY_REJECT, DESTINATION, SERVER),
	ROW("session-auth-rejected", auth_rejected, 0, REJECTED, POLICY_REJECT, DESTINATION, SERVER),
	ROW("session-mail-rejected", mail_rejected, 0, REJECTED, POLICY_REJECT, DESTINATION, SERVER),
	ROW("session-starttls-missing", starttls_missing, 0, NO_SERVICE, TLS_FAILED, DESTINATION, SERVER),
	ROW("session-starttls-rejected", starttls_rejected, 0, NO_SERVICE, TLS_FAILED, DESTINATION,
	    SERVER),
	ROW("session-stalled-unplaced", stalled_at_ehlo, 0, NO_SERVICE, SESSION_STALL, UNKNOWN, UNKNOWN),
	ROW("session-plain-for-tls", plain_for_tls, 0, NO_SERVICE, TLS_FAILED, DESTINATION, SERVER),
	ROW("session-tls-at-once", tls_at_once, 0, NO_SERVICE, SESSION_STALL, DESTINATION, SERVER),
	ROW("session-stalled-unplaced", tls_in_vain, 0, NO_SERVICE, SESSION_STALL, UNKNOWN, UNKNOWN),
	ROW("session-tls-failed", tls_failed_late, 0, NO_SERVICE, TLS_FAILED, DESTINATION, SERVER),
	ROW("session-rejected", session_rejected, 0, REJECTED, POLICY_REJECT, DESTINATION, SERVER),
	ROW("session-not-smtp", session_not_smtp, 0, NO_SERVICE, NOT_SMTP, DESTINATION, SERVER),
	ROW("session-tls-failed", session_tls_failed, 0, NO_SERVICE, TLS_FAILED, DESTINATION, SERVER),
	FORGED_CASES,
	ROW("session-reset", session_reset, 0, NO_SERVICE, SESSION_RESET, DESTINATION, SERVER),
	ROW("session-closed", session_closed, 0, NO_SERVICE, SESSION_CLOSE, DESTINATION, SERVER),
	ROW("session-cut-placed", session_cut_placed, 0, BLOCKED, SESSION_STALL, ISP, HOP),
	ROW("session-cut-placed", session_cut_placed, 1, BLOCKED, SESSION_STALL, ISP, HOP),
	ROW("session-cut-part", session_ehlo_dropped, 0, BLOCKED, SESSION_STALL, ISP, HOP),
	ROW("session-cut-part", session_ehlo_dropped, 1, BLOCKED, SESSION_STALL, ISP, HOP),
	ROW("session-cut-part", session_clienthello_dropped, 0, BLOCKED, SESSION_STALL, ISP, HOP),
	ROW("session-large-placed", session_large_placed, 0, NO_SERVICE, SESSION_STALL, ISP, HOP),
	ROW("session-cut", session_cut_at_once, 0, BLOCKED, SESSION_STALL, UNKNOWN, UNKNOWN),
	ROW("session-cut", session_cut_at_ehlo, 1, BLOCKED, SESSION_STALL, UNKNOWN, UNKNOWN),
	ROW("session-large-lost", session_large_out, 0, NO_SERVICE, SESSION_STALL, UNKNOWN, UNKNOWN),
	ROW("session-large-through", session_large_through, 0, NO_SERVICE, SESSION_STALL, DESTINATION, HOP),
	ROW("session-unheard-through", session_ehlo_through, 0, BLOCKED, SESSION_STALL, DESTINATION, HOP),
	ROW("session-unheard-through", session_ehlo_through, 1, BLOCKED, SESSION_STALL, DESTINATION, HOP),
	{"session-mtu-in", session_mtu_in, 0, STATE_NO_SERVICE, MECH_SESSION_STALL, PLACE_UNKNOWN,
	 CULPRIT_UNKNOWN, DIR_INBOUND, 0},
	{"session-mtu-in", session_mtu_in, 1, STATE_NO_SERVICE, MECH_SESSION_STALL, PLACE_UNKNOWN,
	 CULPRIT_UNKNOWN, DIR_INBOUND, 0},
	{"session-reply-lost", session_not_its_size, 0, STATE_BLOCKED, MECH_SESSION_STALL,
	 PLACE_UNKNOWN, CULPRIT_UNKNOWN, DIR_INBOUND, 0},
	{"session-large-in", session_large_in, 0, STATE_NO_SERVICE, MECH_SESSION_STALL, PLACE_UNKNOWN,
	 CULPRIT_UNKNOWN, DIR_INBOUND, 0},
	ROW("session-unheard", session_ehlo_unheard, 0, BLOCKED, SESSION_STALL, UNKNOWN, UNKNOWN),
	{"session-reply-lost", session_answer_lost, 0, STATE_BLOCKED, MECH_SESSION_STALL, PLACE_UNKNOWN,
	 CULPRIT_UNKNOWN, DIR_INBOUND, 0},
	ROW("session-stalled", session_tarpit, 0, NO_SERVICE, SESSION_STALL, DESTINATION, SERVER),
	ROW("session-stalled-unplaced", session_stalled, 0, NO_SERVICE, SESSION_STALL, UNKNOWN, UNKNOWN),
};

/* The case's report; the scene is the caller's to free. */
static inline struct scene *scene_of(const struct rule_case *c)
{
	struct scene *s = scene_new(c->v6);

	c->build(s);
	return s;
}

#endif
