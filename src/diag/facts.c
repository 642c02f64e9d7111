/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "diag/facts.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "diag/named.h"
#include "wire/decode.h"

/* ---- names ---- */

static const struct {
	const char *name, *text;
} fact_words[F_COUNT] = {
	[F_ERROR_AT_ONCE] = {"error-at-once", "connect() failed before any packet could come back"},
	[F_NO_PORT] = {"no-port", "no source port is left for the connection"},
	[F_ERROR_DENIED] = {"error-denied", "the error is a denial (EPERM, EACCES or EINVAL)"},
	[F_CONNECTED] = {"connected", "the handshake completed"},
	[F_REFUSED] = {"refused", "connect() ended with ECONNREFUSED"},
	[F_SOCKET_SILENT] = {"socket-silent", "connect() got no answer"},
	[F_PEER_DIFFERS] = {"peer-differs", "the socket's peer is not the address called"},
	[F_STOP_ROUTE] = {"stop-route", "a route of this host forbids the destination"},
	[F_STOP_RULE] = {"stop-rule", "an ip rule of this host forbids the connection"},
	[F_NO_ROUTE] = {"no-route", "this host has no route to the destination"},
	[F_LINK_DOWN] = {"link-down", "the egress link is down or has no carrier"},
	[F_NEXT_HOP_SILENT] = {"next-hop-silent", "the next hop does not answer ARP/ND"},
	[F_NEXT_HOP_UNASKED] = {"next-hop-unasked", "no ARP/ND request for the next hop was seen leaving"},
	[F_NEXT_HOP_UNHEARD] = {"next-hop-unheard", "the next hop's ARP/ND answer came in, and the kernel did not get it"},
	[F_NEXT_HOP_IS_GATEWAY] = {"next-hop-is-gateway", "the next hop is a router"},
	[F_ASSUMED_ON_LINK] = {"assumed-on-link", "no route leads there by the interface that was asked for"},
	[F_ON_LINK] = {"on-link", "the target is on the same network, no router lies between"},
	[F_TARGET_LOCAL] = {"target-local", "the address is one of this host's own"},
	[F_RULE_STOPS_OUT] = {"rule-stops-out", "a firewall rule of this host stopped the SYN"},
	[F_RULE_STOPS_IN] = {"rule-stops-in", "a firewall rule of this host stopped the answer"},
	[F_RULE_STOPS_SESSION] = {"rule-stops-session", "a firewall rule of this host stopped packets of the session"},
	[F_IPSEC] = {"ipsec", "an IPsec policy takes the packets"},
	[F_XDP_THERE] = {"xdp-there", "an XDP program stands before the tap"},
	[F_ANSWER_DROPPED] = {"answer-dropped", "the kernel dropped the SYN-ACK before the tap"},
	[F_SYN_LEFT] = {"syn-left", "the SYN was seen leaving"},
	[F_SYN_REDIRECTED] = {"syn-redirected", "the SYN went to another address or port"},
	[F_SYN_LOOPED] = {"syn-looped", "the SYN was turned back on loopback"},
	[F_RST_ON_LO] = {"rst-on-lo", "a RST came on loopback"},
	[F_ICMP_ON_LO] = {"icmp-on-lo", "this host sent itself an ICMP error"},
	[F_SYNACK] = {"syn-ack", "a SYN-ACK to our SYN came in"},
	[F_SYNACK_ELSEWHERE] = {"syn-ack-elsewhere", "the SYN-ACK came in by another interface"},
	[F_SYNACK_UNLIKE] = {"syn-ack-unlike", "another stack than the control's made the SYN-ACK"},
	[F_SYNACK_NEARER] = {"syn-ack-nearer", "the SYN-ACK came from nearer than the control's"},
	[F_SYNACK_FASTER] = {"syn-ack-faster", "the SYN-ACK came much sooner than the control's ever did"},
	[F_SYNACK_NEAR_SIDE] = {"syn-ack-near-side", "the SYN-ACK came from the near half of the control's way"},
	[F_RST] = {"rst", "a RST came from the target's address"},
	[F_RST_VOID] = {"rst-void", "the RST acknowledges nothing, which no stack heeds in answer to a SYN"},
	[F_RST_THEN_SYNACK] = {"rst-then-syn-ack", "a SYN-ACK followed the RST"},
	[F_RST_LIKE_CONTROL] = {"rst-like-control", "the RST came from as far as the control's answer"},
	[F_RST_NEARER] = {"rst-nearer", "the RST came from nearer than the control's answer"},
	[F_ICMP] = {"icmp", "an ICMP error came in for the SYN"},
	[F_ICMP_FROM_TARGET] = {"icmp-from-target", "the target itself sent the ICMP error"},
	[F_ICMP_FROM_GATEWAY] = {"icmp-from-gateway", "the gateway sent the ICMP error"},
	[F_ICMP_FROM_ACCESS] = {"icmp-from-access", "a router of the access network sent the ICMP error"},
	[F_ICMP_PORT] = {"icmp-port", "the ICMP error says port unreachable"},
	[F_ICMP_EXPIRED] = {"icmp-expired", "the SYN's TTL ran out on the way"},
	[F_ICMP_EVERYWHERE] = {"icmp-everywhere", "no control port gets through either"},
	[F_SILENT] = {"silent", "nothing came back"},
	[F_SILENCE_PROVEN] = {"silence-proven", "packet loss does not explain the silence"},
	[F_CONTROL_ANSWERS] = {"control-answers", "another port of the address answers"},
	[F_ALL_SILENT] = {"all-silent", "no port of the address answers"},
	[F_PATH_STOPS] = {"path-stops", "the probes of this port stop at a hop where the control's go on"},
	[F_PATH_THROUGH] = {"path-through", "every hop lets this port through"},
	[F_ALIKE_STOPS] = {"alike-stops", "other targets that fail as this one does were traced, and all stop at one place"},
	[F_PATH_RST_EARLY] = {"path-rst-early", "a RST came for a TTL that does not reach the target"},
	[F_PATH_RST_OWN] = {"path-rst-own", "RSTs came only for TTLs that reach the target"},
	[F_PATH_SYNACK_EARLY] = {"path-syn-ack-early", "a SYN-ACK came for a TTL that does not reach the target"},
	[F_PATH_ICMP_HOP] = {"path-icmp-hop", "the sender of the ICMP error is a known hop"},
	[F_CANARY_TAKEN] = {"canary-taken", "somebody completes the handshake for addresses that are nobody's"},
	[F_CANARY_ANY] = {"canary-any", "somebody completes every handshake, whatever the address and port"},
	[F_CANARY_UNSURE] = {"canary-unsure", "addresses that are nobody's complete the handshake on other ports, too"},
	[F_CANARY_OTHERS] = {"canary-others", "somebody does so for others, and the target answers for itself"},
	[F_GREETING_OK] = {"greeting-ok", "the server greeted with a 2xx code"},
	[F_GREETING_REJECT] = {"greeting-reject", "the server greeted with a 4xx or 5xx code"},
	[F_EHLO_REJECT] = {"ehlo-reject", "the server refused EHLO and HELO"},
	[F_STARTTLS_REJECT] = {"starttls-reject", "the server offers STARTTLS and refuses it"},
	[F_STARTTLS_MISSING] = {"starttls-missing", "STARTTLS is required and not offered"},
	[F_STARTTLS_ABSENT] = {"starttls-absent", "the reply to EHLO offers no STARTTLS"},
	[F_STARTTLS_TAKEN] = {"starttls-taken", "the server takes STARTTLS without offering it"},
	[F_STARTTLS_PROMISED] = {"starttls-promised", "the DNS promises STARTTLS (DANE or MTA-STS)"},
	[F_STARTTLS_ELSEWHERE] = {"starttls-elsewhere", "another port of the address has TLS"},
	[F_AUTH_REJECT] = {"auth-reject", "the server refused the login"},
	[F_MAIL_REJECT] = {"mail-reject", "the server refused the sender or the recipient"},
	[F_ACK_NOT_LEFT] = {"ack-not-left", "nothing of ours left after the handshake"},
	[F_DATA_NOT_READ] = {"data-not-read", "the server spoke, and the socket never read it"},
	[F_NOT_SMTP] = {"not-smtp", "what answered does not speak SMTP"},
	[F_CLOSED] = {"closed", "the other side closed before the dialogue was done"},
	[F_RESET] = {"reset", "the session was reset before the dialogue was done"},
	[F_RESET_NEARER] = {"reset-nearer", "that RST came from nearer than the SYN-ACK"},
	[F_RESET_EARLY] = {"reset-early", "the same words draw a RST with a TTL that does not reach the target"},
	[F_RESET_OWN] = {"reset-own", "the same words draw a RST only with a TTL that reaches the target"},
	[F_RESET_FORGED] = {"reset-forged", "that RST is one that no stack sends"},
	[F_REPLY_EARLY] = {"reply-early", "the same words draw an answer with a TTL that does not reach the target"},
	[F_REPLY_OWN] = {"reply-own", "the same words draw an answer only with a TTL that reaches the target"},
	[F_REPLY_NEARER] = {"reply-nearer", "the refusal came from nearer than the rest of the connection"},
	[F_HELD_IN_VAIN] = {"held-in-vain", "the same words, said again with growing TTLs, leave open who answers them"},
	[F_CLOSE_NEARER] = {"close-nearer", "the FIN came from nearer than the rest of the connection"},
	[F_STALLED] = {"stalled", "the other side went silent before the dialogue was done"},
	[F_PEER_ALIVE] = {"peer-alive", "its stack still answers, and nothing that it has sent is missing"},
	[F_PEER_GONE] = {"peer-gone", "nothing came from it any more, whatever was sent to it"},
	[F_UNHEARD] = {"unheard", "what was said last was never acknowledged, however often it was sent"},
	[F_REPLY_LOST] = {"reply-lost", "it has sent something that never came"},
	[F_PATH_CUT] = {"path-cut", "packets of the open connection stop at a hop where the control's go on"},
	[F_CUT_THROUGH] = {"cut-through", "every hop lets copies of our words through, and they never arrive"},
	[F_CUT_PART] = {"cut-part", "... and other packets of the same connection pass there"},
	[F_SMALL_PASSES] = {"small-passes", "with a small MSS the server's words do come"},
	[F_LARGE_LOST] = {"large-lost", "only what is larger than all that came through got lost"},
	[F_BANNER_MASKED] = {"banner-masked", "the greeting is overwritten by asterisks"},
	[F_EHLO_MASKED] = {"ehlo-masked", "EHLO keywords are overwritten"},
	[F_STARTTLS_MASKED] = {"starttls-masked", "STARTTLS is overwritten in the reply to EHLO"},
	[F_TLS_INTERCEPTOR] = {"tls-interceptor", "the certificate was issued by a known interceptor"},
	[F_BANNER_UNLIKE] = {"banner-unlike", "the greeting is not the expected one"},
	[F_NAME_UNLIKE] = {"name-unlike", "the greeting names another host than expected"},
	[F_GREETING_INTERCEPTOR] = {"greeting-interceptor", "a known interceptor greets"},
	[F_TLS_VERIFIED] = {"tls-verified", "a certificate that verifies vouches for the server"},
	[F_TLS_OTHER_KEY] = {"tls-other-key", "another port shows a certificate that verifies, with another key"},
	[F_TLSA_OTHER] = {"tlsa-other", "no TLSA record of the server fits the certificate"},
	[F_TLSA_ELSEWHERE] = {"tlsa-elsewhere", "another port shows a certificate that a TLSA record fits"},
	[F_ANSWERED_ON_WAY] = {"answered-on-way", "somebody on the way completed the handshake"},
	[F_TLS_FAILED] = {"tls-failed", "the TLS handshake failed"},
	[F_CLEAR_FOR_TLS] = {"clear-for-tls", "the port speaks plain SMTP where TLS comes first"},
	[F_TLS_AT_ONCE] = {"tls-at-once", "the port waits for TLS where the server should greet"},
	[F_SESSION_OVER] = {"session-over", "the dialogue was held to its end"},
};

const char *fact_name(enum fact f)
{
	return fact_words[f].name;
}

const char *fact_text(enum fact f)
{
	return fact_words[f].text;
}

/* ---- helpers ---- */

void fact_note(struct port_facts *p, enum fact f, bool seen, size_t why)
{
	p->looked |= FACT_BIT(f);
	if (!seen)
		return;
	p->seen |= FACT_BIT(f);
	p->why[f] = why;
}

/* Seen counts even through a lossy capture; only absence needs that everything was looked at. */
static void note_if_looked(struct port_facts *p, enum fact f, bool seen, size_t why, bool looked)
{
	if (seen || looked)
		fact_note(p, f, seen, why);
}

static bool answered_from_wire(const struct flow *f)
{
	return (f->synack.seen && !f->synack.on_lo) || (f->rst.seen && !f->rst.on_lo);
}

static bool flow_has_any_answer(const struct flow *f)
{
	return f->synack.seen || f->rst.seen || f->n_icmp > 0 ||
	       (f->has_result && f->error == 0);
}

static int64_t flow_rtt_ns(const struct flow *f)
{
	const struct answer *a = f->synack.seen ? &f->synack : &f->rst;

	/* a retransmitted SYN makes the sample ambiguous (Karn) */
	if (!answered_from_wire(f) || f->syn_out != 1)
		return -1;
	return a->t_ns - f->first_syn_ns;
}

int64_t facts_answer_due_ns(const struct tracker *t)
{
	int64_t rtt = 0;

	for (unsigned i = 0; i < t->n_flows; i++) {
		int64_t one = flow_rtt_ns(&t->flows[i]);
		if (one > rtt)
			rtt = one;
	}
	if (rtt == 0) /* nothing has answered yet: give the slowest path its time */
		return ANSWER_DUE_CEILING_NS;
	int64_t due = rtt * ANSWER_DUE_RTTS;
	return due < ANSWER_DUE_FLOOR_NS ? ANSWER_DUE_FLOOR_NS
	       : due > ANSWER_DUE_CEILING_NS ? ANSWER_DUE_CEILING_NS : due;
}

/* Hops that the packet has come, by the nearest usual initial TTL. */
static int hop_distance(uint8_t ttl)
{
	return (int)wire_initial_ttl(ttl) - ttl;
}

/* ---- socket and host ---- */

static void socket_facts(const struct tracker *t, int64_t now, struct port_facts *p)
{
	const struct flow *f = p->flow;
	bool done = f->has_result;

	fact_note(p, F_ERROR_AT_ONCE, done && f->at_once && f->error, f->result_event);
	fact_note(p, F_ERROR_DENIED,
	     done && f->at_once &&
		     (f->error == EPERM || f->error == EACCES || f->error == EINVAL),
	     f->result_event);
	const struct host_route *route = t->routes[f->port_index].route;
	bool sourced = t->routes[f->port_index].has && !route->error &&
		       (addr_is_set(&route->prefsrc) || addr_is_set(&t->plan->source));
	fact_note(p, F_NO_PORT,
		  done && f->at_once && f->error == EADDRNOTAVAIL && f->lport == 0 && sourced,
		  f->result_event);
	fact_note(p, F_CONNECTED, done && f->error == 0, f->result_event);
	fact_note(p, F_REFUSED, done && f->error == ECONNREFUSED, f->result_event);
	bool unheard = f->synack.seen && now - f->synack.t_ns >= SYNACK_ACCEPT_NS;
	bool silent = !done && (unheard || now - f->start_ns >= SYN_DUE_NS);
	note_if_looked(p, F_SOCKET_SILENT, silent || (done && f->error == ETIMEDOUT),
		       f->start_event, done || silent);
	bool differs = done && f->error == 0 && addr_is_set(&f->peer) &&
		       (!addr_equal(&f->peer, &t->plan->target) || f->peer_port != f->port);
	fact_note(p, F_PEER_DIFFERS, differs, f->result_event);
}

/* The kernel itself told the socket that nobody answers ARP or ND: it tries for about 3 s, and a reject rule
 * for no time at all. The entry may look otherwise by then, for others ask for it anew. */
static bool kernel_gave_up(const struct flow *f)
{
	for (unsigned i = 0; f && i < f->n_icmp; i++) {
		const struct icmp_answer *a = &f->icmp[i];
		bool v4 = a->from.family == ADDR_V4;
		if (a->on_lo && a->msg.type == (v4 ? 3 : 1) && a->msg.code == (v4 ? 1 : 3) &&
		    a->t_ns - f->start_ns >= NEIGHBOUR_GIVE_UP_NS)
			return true;
	}
	return false;
}

/* The tap stands between the filters for ARP and ND of this host and the link, as it does for SYNs. */
static void discovery_facts(const struct tracker *t, struct port_facts *p)
{
	int64_t since = p->flow ? t->log->events[t->neighbour_silent_event].t_ns - p->flow->start_ns : 0;
	bool in_time = t->neighbour.watched && since >= NEIGHBOUR_ASKED_NS && tracker_capture_whole(t);

	fact_note(p, F_NEXT_HOP_UNASKED, in_time && !t->neighbour_asked && !t->neighbour_answered,
		  t->neighbour_silent_event);
	fact_note(p, F_NEXT_HOP_UNHEARD, t->neighbour_answered && t->neighbour_asked && since >= NEIGHBOUR_ASKED_NS,
		  t->neighbour_answered ? t->neighbour_answered - 1 : NO_EVENT);
}

static void host_facts(const struct tracker *t, int port_index, struct port_facts *p)
{
	bool looked = t->routes[port_index].has;
	const struct host_route *r = t->routes[port_index].route;
	size_t why = t->routes[port_index].event;

	if (looked) {
		fact_note(p, F_STOP_ROUTE, r->error && r->stop == ROUTE_STOP_ROUTE, why);
		fact_note(p, F_STOP_RULE, r->error && r->stop == ROUTE_STOP_RULE, why);
		fact_note(p, F_NO_ROUTE, r->error && r->stop == ROUTE_STOP_NO_ROUTE, why);
		fact_note(p, F_TARGET_LOCAL, r->local, why);
		fact_note(p, F_NEXT_HOP_IS_GATEWAY, addr_is_set(&r->gateway), why);
		fact_note(p, F_ASSUMED_ON_LINK, r->assumed_on_link, why);
		/* a tunnel has no next hop's address either, but a path of its own */
		if (t->has_link)
			fact_note(p, F_ON_LINK, !r->error && !r->local && !r->assumed_on_link &&
					       !addr_is_set(&r->gateway) &&
					       t->link.needs_neighbour && !tracker_is_far(t), why);
	}
	if (t->has_link)
		fact_note(p, F_LINK_DOWN, !t->link.up || !t->link.carrier, t->link_event);
	if (t->has_neighbour) {
		bool silent = neighbour_is_silent(&t->neighbour);
		bool gave_up = !silent && t->neighbour_was_silent && kernel_gave_up(p->flow);
		fact_note(p, F_NEXT_HOP_SILENT, silent || gave_up,
			  gave_up ? t->neighbour_silent_event : t->neighbour_event);
		if (silent || gave_up)
			discovery_facts(t, p);
	} else if (t->has_link && !t->link.needs_neighbour) {
		fact_note(p, F_NEXT_HOP_SILENT, false, NO_EVENT);
	}
}

/* ---- wire ---- */

/* The tap does not see what leaves this way (IPsec without an interface of its own shows ESP), so nothing
 * follows from not seeing: a policy says so, or a flow that was answered though nothing of it left. */
static bool tap_is_blind(const struct tracker *t)
{
	for (unsigned i = 0; i < t->n_host; i++) {
		const struct host_record *r = t->log->events[t->host[i]].host;
		if (r->kind == HOST_XFRM && !r->xfrm.block && !r->xfrm.inbound)
			return true;
	}
	for (unsigned i = 0; i < t->n_flows; i++) {
		const struct flow *f = &t->flows[i];
		bool answered = f->synack.seen || (f->has_result && f->error == 0);
		if (answered && !f->syn_out && !f->redirected && !f->syn_on_lo &&
		    addr_equal(&f->peer, &t->plan->target))
			return true;
	}
	return false;
}

static void outbound_facts(const struct tracker *t, int port_index, int64_t now,
			   struct port_facts *p)
{
	bool whole = tracker_capture_whole(t);
	/* an answer, whoever gave it, came after the SYN was sent or stopped */
	bool due = now - p->flow->start_ns >= SYN_DUE_NS || flow_has_any_answer(p->flow) ||
		   p->flow->has_result;
	bool left = false, redirected = false, looped = false;
	size_t left_why = 0, redirect_why = 0, loop_why = 0;

	for (unsigned i = 0; i < t->n_flows; i++) {
		const struct flow *f = &t->flows[i];
		if (f->port_index != port_index)
			continue;
		if (f->syn_out && !left) {
			left = true;
			left_why = f->syn_event;
		}
		if (f->redirected && !redirected) {
			redirected = true;
			redirect_why = f->redirect_event;
		}
		if (f->syn_on_lo && !looped) {
			looped = true;
			loop_why = f->redirect_event;
		}
	}
	/* the answer came on loopback: the SYN went no other way, whatever the tap lost */
	bool turned_back = looped && p->flow->synack.seen && p->flow->synack.on_lo;
	note_if_looked(p, F_SYN_LEFT, left, left_why,
		       (whole && due && !tap_is_blind(t)) || turned_back);
	/* one that left as it should was not sent elsewhere, whatever the tap lost */
	note_if_looked(p, F_SYN_REDIRECTED, redirected, redirect_why, whole || left);
	note_if_looked(p, F_SYN_LOOPED, looped, loop_why, whole);
}

static void inbound_facts(const struct tracker *t, int64_t now, struct port_facts *p)
{
	const struct flow *f = p->flow;
	bool whole = tracker_capture_whole(t);
	bool synack = f->synack.seen && !f->synack.on_lo && f->synack.acks_our_syn;
	bool rst = f->rst.seen && !f->rst.on_lo && f->rst.acks_our_syn;

	/* our stack had its time to accept what the tap saw */
	bool due = !f->synack.seen || f->has_result || now - f->synack.t_ns >= SYNACK_ACCEPT_NS;
	note_if_looked(p, F_RST_ON_LO, f->rst.seen && f->rst.on_lo, f->rst.event, whole);
	if (due)
		note_if_looked(p, F_SYNACK, synack, f->synack.event, whole);
	note_if_looked(p, F_SYNACK_ELSEWHERE, synack && f->synack.ifindex != f->syn_ifindex,
		       f->synack.event, whole);
	note_if_looked(p, F_RST, rst, f->rst.event, whole);
	note_if_looked(p, F_RST_VOID, rst && !f->rst.has_ack, f->rst.event, whole);
	note_if_looked(p, F_RST_THEN_SYNACK, rst && f->rst_before_synack, f->synack.event, whole);
}

static bool icmp_is_expiry(const struct icmp_answer *a)
{
	return (a->from.family == ADDR_V4 && a->msg.type == 11) ||
	       (a->from.family == ADDR_V6 && a->msg.type == 3);
}

static bool icmp_is_unreachable(const struct icmp_answer *a)
{
	/* fragmentation needed (v4 3/4) tells about size, not about reach */
	return (a->from.family == ADDR_V4 && a->msg.type == 3 && a->msg.code != 4) ||
	       (a->from.family == ADDR_V6 && a->msg.type == 1);
}

static bool icmp_is_port(const struct icmp_answer *a)
{
	return (a->from.family == ADDR_V4 && a->msg.type == 3 && a->msg.code == 3) ||
	       (a->from.family == ADDR_V6 && a->msg.type == 1 && a->msg.code == 4);
}

/* How many hops our SYN had come when its sender quoted it. A Linux forward hook quotes it one
 * hop later than an ingress filter does: 1-based hop, at most one too low. */
static int icmp_sender_hop(const struct icmp_answer *a)
{
	const struct icmp_quote *q = &a->msg.quote;

	return q->present ? (int)wire_initial_ttl(q->ttl) - q->ttl : -1;
}

/* Private space beyond the gateway is the access provider's, and so is the first hop behind the
 * gateway (contract, "PLACE" without AS data). */
static bool icmp_is_from_access(const struct tracker *t, const struct icmp_answer *a,
				const struct addr *gateway)
{
	int hop = icmp_sender_hop(a);

	if (addr_equal(&a->from, &t->plan->target) || !addr_is_set(gateway) ||
	    addr_equal(&a->from, gateway))
		return false;
	return addr_is_shared(&a->from) || (addr_is_private(&a->from) && hop > 1) || hop == 2;
}

static void icmp_facts(const struct tracker *t, int port_index, struct port_facts *p)
{
	bool whole = tracker_capture_whole(t);
	const struct icmp_answer *lo = NULL, *wire = NULL;

	for (unsigned i = 0; i < t->n_flows; i++) {
		const struct flow *f = &t->flows[i];
		if (f->port_index != port_index)
			continue;
		for (unsigned k = 0; k < f->n_icmp; k++) {
			const struct icmp_answer *a = &f->icmp[k];
			if (!icmp_is_unreachable(a) && !icmp_is_expiry(a))
				continue;
			const struct icmp_answer **slot = a->on_lo ? &lo : &wire;
			if (!*slot)
				*slot = a;
		}
	}
	p->icmp = lo ? lo : wire;
	note_if_looked(p, F_ICMP_ON_LO, lo != NULL, lo ? lo->event : 0, whole);
	note_if_looked(p, F_ICMP, wire != NULL, wire ? wire->event : 0, whole);
	if (!wire)
		return;
	struct addr gateway = t->routes[port_index].route->gateway;
	fact_note(p, F_ICMP_FROM_TARGET, addr_equal(&wire->from, &t->plan->target), wire->event);
	fact_note(p, F_ICMP_FROM_GATEWAY,
	     addr_is_set(&gateway) && addr_equal(&wire->from, &gateway), wire->event);
	fact_note(p, F_ICMP_FROM_ACCESS, icmp_is_from_access(t, wire, &gateway), wire->event);
	fact_note(p, F_ICMP_PORT, icmp_is_port(wire), wire->event);
	fact_note(p, F_ICMP_EXPIRED, icmp_is_expiry(wire), wire->event);
}

/* ---- control, silence ---- */

struct port_record {
	bool answers;     /* SYN-ACK or RST from the wire */
	bool accepts;     /* by a SYN-ACK */
	bool icmp;        /* an ICMP error instead */
	bool pending;     /* a SYN is still within its time */
	bool started;
	unsigned silent_syns;
	struct loss_sample loss;
	const struct flow *answer_flow;
};

static struct port_record port_record(const struct tracker *t, int port_index, int64_t now)
{
	struct port_record r = {0};
	int64_t due = facts_answer_due_ns(t);

	for (unsigned i = 0; i < t->n_flows; i++) {
		const struct flow *f = &t->flows[i];
		if (f->port_index != port_index)
			continue;
		r.started = true;
		unsigned young = f->syn_out && now - f->last_syn_ns < due;
		if (f->redirected || f->syn_on_lo)
			continue; /* whoever answers that, it is not the target */
		if (answered_from_wire(f)) {
			r.answers = true;
			r.accepts |= f->synack.seen;
			if (!r.answer_flow || f->synack.seen)
				r.answer_flow = f;
			r.loss.sent += f->syn_out ? f->syn_out : 1;
			r.loss.answered++;
		} else if (f->n_icmp) {
			r.icmp = true;
		} else if (!flow_has_any_answer(f)) {
			r.pending |= young;
			r.silent_syns += f->syn_out - young;
		}
	}
	r.loss.sent += r.answers ? r.silent_syns : 0;
	return r;
}

static void control_facts(const struct tracker *t, int port_index, int64_t now,
			  struct port_facts *p)
{
	bool all_icmp = true, pending = false, any_other = false;
	unsigned all_syns = 0;
	struct port_record own = port_record(t, port_index, now);

	p->control_port = -1;
	for (unsigned i = 0; i < t->plan->n_ports; i++) {
		struct port_record r = port_record(t, (int)i, now);
		all_syns += r.silent_syns;
		pending |= r.pending;
		if ((int)i == port_index || !r.started)
			continue;
		any_other = true;
		all_icmp &= r.icmp && !r.answers;
		if (!r.answers)
			continue;
		/* resets on several mail ports may come from one hand: they don't vouch for each other */
		if (own.answers && !own.accepts && !r.accepts && t->plan->ports[i].tested &&
		    t->plan->ports[port_index].tested)
			continue;
		p->control.sent += r.loss.sent;
		p->control.answered += r.loss.answered;
		/* a SYN-ACK says more about its sender than a RST does */
		if (!p->control_flow ||
		    (r.answer_flow->synack.seen && !p->control_flow->synack.seen)) {
			p->control_port = (int)i;
			p->control_flow = r.answer_flow;
		}
	}
	bool whole = tracker_capture_whole(t), control = p->control_port >= 0;
	size_t why = control ? (p->control_flow->synack.seen ? p->control_flow->synack.event
							     : p->control_flow->rst.event)
			     : NO_EVENT;
	bool enough = all_syns >= ALL_SILENT_MIN_SYNS && now - t->start_ns >= ALL_SILENT_MIN_NS;
	note_if_looked(p, F_CONTROL_ANSWERS, control, why, whole && (!pending || enough));
	if (any_other && p->icmp && !p->icmp->on_lo)
		note_if_looked(p, F_ICMP_EVERYWHERE, all_icmp, p->icmp->event, !pending || control);

	bool silent = !own.answers && !own.icmp && own.silent_syns > 0 && whole;
	p->silent_syns = own.silent_syns;
	p->silence_probability =
		control && silent ? loss_silence_probability(p->control, own.silent_syns) : 1;
	if (whole) {
		fact_note(p, F_SILENT, silent, NO_EVENT);
		if (control)
			fact_note(p, F_SILENCE_PROVEN,
			     silent && own.silent_syns >= SILENCE_MIN_SYNS &&
				     p->silence_probability <= SILENCE_MAX_PROBABILITY,
			     NO_EVENT);
		note_if_looked(p, F_ALL_SILENT, silent && !control && enough && !own.icmp, NO_EVENT,
			       control || enough);
	}
}

static void rst_distance_facts(struct port_facts *p)
{
	p->rst_distance = p->control_distance = -1;
	if (!fact_seen(p, F_RST))
		return;
	p->rst_distance = hop_distance(p->flow->rst.ttl);
	if (!p->control_flow) {
		/* looked for, but there is nothing to compare with */
		if (p->looked & FACT_BIT(F_CONTROL_ANSWERS)) {
			fact_note(p, F_RST_LIKE_CONTROL, false, NO_EVENT);
			fact_note(p, F_RST_NEARER, false, NO_EVENT);
		}
		return;
	}
	const struct answer *a = p->control_flow->synack.seen ? &p->control_flow->synack
							       : &p->control_flow->rst;
	p->control_distance = hop_distance(a->ttl);
	fact_note(p, F_RST_LIKE_CONTROL, p->rst_distance == p->control_distance, p->flow->rst.event);
	fact_note(p, F_RST_NEARER, p->rst_distance + RST_NEARER_HOPS <= p->control_distance,
		  p->flow->rst.event);
}

void facts_of_port(const struct tracker *t, int port_index, int64_t now, struct port_facts *p)
{
	memset(p, 0, sizeof(*p));
	for (int i = 0; i < F_COUNT; i++)
		p->why[i] = NO_EVENT;
	p->silence_probability = 1;
	p->control_port = p->rst_distance = p->control_distance = -1;
	p->control_trace = -1;
	p->flow = tracker_main_flow(t, port_index);
	host_facts(t, port_index, p);
	if (!p->flow)
		return;
	facts_of_records(t, port_index, p);
	socket_facts(t, now, p);
	outbound_facts(t, port_index, now, p);
	inbound_facts(t, now, p);
	icmp_facts(t, port_index, p);
	control_facts(t, port_index, now, p);
	rst_distance_facts(p);
	facts_of_session(t, p);
	facts_of_reset(t, p);
	facts_of_path(t, port_index, now, p);
	facts_of_synack(t, port_index, now, p);
	facts_of_canary(t, port_index, now, p);
	facts_of_comparison(t, port_index, p);
}

bool facts_host_stops(const struct port_facts *p)
{
	fact_set signs = FACT_BIT(F_RST_ON_LO) | FACT_BIT(F_ICMP_ON_LO) | FACT_BIT(F_SOCKET_SILENT) |
			 FACT_BIT(F_SYN_REDIRECTED) | FACT_BIT(F_SYN_LOOPED) |
			 FACT_BIT(F_ERROR_DENIED);
	fact_set others = FACT_BIT(F_SYN_LEFT) | FACT_BIT(F_TARGET_LOCAL) | FACT_BIT(F_LINK_DOWN) |
			  FACT_BIT(F_NEXT_HOP_SILENT) | FACT_BIT(F_NO_ROUTE);

	return (p->seen & signs) && !(p->seen & others) && (p->looked & FACT_BIT(F_SYN_LEFT));
}
