/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Scenes of sessions that somebody ends or answers in the server's name, or the server itself; included
 * by cases.h. */
#ifndef SB_TESTS_DIAG_CASES_FORGED_H
#define SB_TESTS_DIAG_CASES_FORGED_H

/* The RST comes from three hops, the server is six away. */
static inline void session_reset_nearer(struct scene *s)
{
	unsigned f = greeted(s, "mx.example.com ESMTP", 250, plain_ehlo);

	rst(s, f, 64 - 3);
	session_end(s, f, STAGE_STARTTLS, SESSION_RESET, NULL);
}

/* A dialogue up to our EHLO, which the other side has heard. */
static inline unsigned ehlo_said(struct scene *s)
{
	unsigned f = session(s);

	they_say(s, f, FARTTL, 0, 40, 0);
	greeting(s, f, 220, "mx.example.com ESMTP");
	we_say(s, f, 0, 18, 40);
	return f;
}

/* EHLO once more on a further connection, with growing TTLs up to the one that draws something. */
static inline unsigned ehlo_held(struct scene *s, unsigned drawn)
{
	two_traces(s, 25, HOPS, 443, HOPS, 2);
	unsigned held = answered(s, 25, FARTTL);
	for (size_t i = 0; i < s->log.n; i++)
		if (s->log.events[i].kind == EV_FLOW_START && s->log.events[i].flow == held)
			s->log.events[i].flow_start.role = FLOW_HELD;
	ack(s, held);
	they_say(s, held, FARTTL, 0, 40, 0);
	greeting(s, held, 220, "mx.example.com ESMTP");
	add_event(s, EV_HELD, held)->held.stage = STAGE_EHLO;
	for (unsigned ttl = 1; ttl <= HOPS; ttl++) {
		copy_probe(s, PROBE_DATA, held, 0, ttl, ttl < drawn);
		pass(s, 30);
		if (ttl == drawn)
			break;
	}
	if (drawn > HOPS)
		copy_probe(s, PROBE_DATA, held, 0, HELD_FULL_TTL, false);
	return held;
}

static inline void reset_again(struct scene *s, unsigned drawn, unsigned arrives)
{
	unsigned f = ehlo_said(s);

	rst(s, f, arrives);
	session_end(s, f, STAGE_EHLO, SESSION_RESET, NULL);
	f = ehlo_held(s, drawn);
	rst(s, f, arrives);
	session_end(s, f, STAGE_EHLO, SESSION_RESET, NULL);
}

static inline void session_reset_early(struct scene *s)
{
	reset_again(s, 3, 64 - 2 + 1);
}

static inline void session_reset_own(struct scene *s)
{
	reset_again(s, HELD_FULL_TTL, FARTTL);
}

static inline void reset_by_server(struct scene *s)
{
	unsigned f = greeted(s, "mx.example.com ESMTP", 250, plain_ehlo);

	rst(s, f, 255 - HOPS); /* another initial TTL, the same distance */
	session_end(s, f, STAGE_STARTTLS, SESSION_RESET, NULL);
}

/* ---- a RST that no stack sends, from as far as the server ---- */

static inline unsigned reset_from_afar(struct scene *s)
{
	unsigned f = ehlo_said(s);
	struct packet *p = rst(s, f, FARTTL);

	p->tcp.seq = THEIR_ISN + 1 + 40;
	p->tcp.ack += 18;
	pass(s, 1); /* of one stamp, packets come last */
	return f;
}

/* The server's own answer comes behind its RST. */
static inline void reset_then_data(struct scene *s)
{
	unsigned f = reset_from_afar(s);

	session_end(s, f, STAGE_EHLO, SESSION_RESET, NULL);
	pass(s, 20);
	they_say(s, f, FARTTL, 40, 120, 18);
}

/* Several, each farther on than the one before. */
static inline void resets_ahead(struct scene *s)
{
	unsigned f = reset_from_afar(s);

	for (unsigned i = 1; i < 3; i++) {
		rst(s, f, FARTTL)->tcp.seq = THEIR_ISN + 1 + 40 + i * 1460;
		pass(s, 1);
	}
	session_end(s, f, STAGE_EHLO, SESSION_RESET, NULL);
}

static inline void reset_acks_unsent(struct scene *s)
{
	unsigned f = ehlo_said(s);
	struct packet *p = rst(s, f, FARTTL);

	p->tcp.seq = THEIR_ISN + 1 + 40;
	p->tcp.ack += 18 + 1460;
	pass(s, 1);
	session_end(s, f, STAGE_EHLO, SESSION_RESET, NULL);
}

/* What a stack does: it answers each of our packets, and what it sent before comes late. */
static inline void resets_of_a_stack(struct scene *s)
{
	unsigned f = reset_from_afar(s);

	they_say(s, f, FARTTL, 20, 20, 18);
	rst(s, f, FARTTL)->tcp.seq = THEIR_ISN + 1 + 40;
	rst(s, f, FARTTL)->tcp.seq = THEIR_ISN + 1 + 40;
	pass(s, 1);
	session_end(s, f, STAGE_EHLO, SESSION_RESET, NULL);
}

/* ---- a FIN ---- */

static inline struct packet *fin(struct scene *s, unsigned f, unsigned ttl)
{
	struct packet *p = they_say(s, f, ttl, 40, 0, 18);

	p->tcp.flags |= TCP_FIN;
	return p;
}

static inline void closed_again(struct scene *s, unsigned drawn, unsigned arrives)
{
	unsigned f = ehlo_said(s);

	fin(s, f, arrives);
	pass(s, 1);
	session_end(s, f, STAGE_EHLO, SESSION_CLOSED, NULL);
	f = ehlo_held(s, drawn);
	fin(s, f, arrives);
	pass(s, 1);
	session_end(s, f, STAGE_EHLO, SESSION_CLOSED, NULL);
}

static inline void closed_early(struct scene *s)
{
	closed_again(s, 3, 64 - 2 + 1);
}

static inline void closed_own(struct scene *s)
{
	closed_again(s, HELD_FULL_TTL, FARTTL);
}

/* The shorter of two branches (ECMP): the last TTL but one reaches the server, which shows its distance. */
static inline void closed_own_shorter(struct scene *s)
{
	closed_again(s, HOPS, FARTTL);
}

static inline void closed_nearer(struct scene *s)
{
	unsigned f = ehlo_said(s);

	two_traces(s, 25, HOPS, 443, HOPS, 2);
	fin(s, f, 64 - 1);
	pass(s, 1);
	session_end(s, f, STAGE_EHLO, SESSION_CLOSED, NULL);
}

static inline void closed_once(struct scene *s)
{
	unsigned f = ehlo_said(s);

	fin(s, f, FARTTL);
	pass(s, 1);
	session_end(s, f, STAGE_EHLO, SESSION_CLOSED, NULL);
}

/* ---- a refusal ---- */

static inline void refusal(struct scene *s, unsigned f, unsigned ttl)
{
	they_say(s, f, ttl, 40, 25, 18);
	pass(s, 1);
	said(s, f, STAGE_EHLO, 554, "5.7.1 Not from here", NULL);
	session_end(s, f, STAGE_QUIT, SESSION_DONE, NULL);
}

static inline void refused_again(struct scene *s, unsigned drawn, unsigned arrives)
{
	refusal(s, ehlo_said(s), arrives);
	refusal(s, ehlo_held(s, drawn), arrives);
}

static inline void refused_early(struct scene *s)
{
	refused_again(s, 3, 64 - 2 + 1);
}

/* The device's answers come so late that the usual TTL has gone out before: nothing is the server's. */
static inline void refused_late(struct scene *s)
{
	refused_again(s, HELD_FULL_TTL, 64 - 2 + 1);
}

/* ... or so late that it is laid to the last router: that is no gateway of the site's. */
static inline void refused_late_at_gateway(struct scene *s)
{
	refused_again(s, HOPS, 64 - 2 + 1);
}

/* Said again, and nothing comes of it. */
static inline void refused_in_vain(struct scene *s)
{
	refusal(s, ehlo_said(s), FARTTL);
	ehlo_held(s, HELD_FULL_TTL);
	pass(s, 3000);
}

/* The further connection does not come about. */
static inline void refused_and_shut_out(struct scene *s)
{
	refusal(s, ehlo_said(s), FARTTL);
	two_traces(s, 25, HOPS, 443, HOPS, 2);
	unsigned held = start(s, 25);
	s->log.events[s->log.n - 1].flow = held;
	for (size_t i = 0; i < s->log.n; i++)
		if (s->log.events[i].kind == EV_FLOW_START && s->log.events[i].flow == held)
			s->log.events[i].flow_start.role = FLOW_HELD;
	pass(s, 3000);
}

/* ... for the server wants no more of us: its own words. */
static inline void refused_and_limited(struct scene *s)
{
	refusal(s, ehlo_said(s), FARTTL);
	two_traces(s, 25, HOPS, 443, HOPS, 2);
	unsigned held = answered(s, 25, FARTTL);
	for (size_t i = 0; i < s->log.n; i++)
		if (s->log.events[i].kind == EV_FLOW_START && s->log.events[i].flow == held)
			s->log.events[i].flow_start.role = FLOW_HELD;
	ack(s, held);
	they_say(s, held, FARTTL, 0, 40, 0);
	greeting(s, held, 421, "too many connections");
	session_end(s, held, STAGE_QUIT, SESSION_DONE, NULL);
}

static inline void reset_in_vain(struct scene *s)
{
	unsigned f = ehlo_said(s);

	rst(s, f, FARTTL);
	session_end(s, f, STAGE_EHLO, SESSION_RESET, NULL);
	ehlo_held(s, HELD_FULL_TTL);
	pass(s, 3000);
}

static inline void closed_in_vain(struct scene *s)
{
	unsigned f = ehlo_said(s);

	fin(s, f, FARTTL);
	pass(s, 1);
	session_end(s, f, STAGE_EHLO, SESSION_CLOSED, NULL);
	ehlo_held(s, HELD_FULL_TTL);
	pass(s, 3000);
}

static inline void refused_by_server(struct scene *s)
{
	refused_again(s, HELD_FULL_TTL, FARTTL);
}

/* The last router before the server speaks for it. */
static inline void refused_by_gateway(struct scene *s)
{
	refused_again(s, HOPS, 64 - HOPS + 1);
}

/* ... which looks at the TTL before it does: only one that reaches the server draws its answer. */
static inline void refused_in_front(struct scene *s)
{
	refused_again(s, HELD_FULL_TTL, 64 - HOPS + 1);
}

static inline void refused_nearer(struct scene *s)
{
	unsigned f = ehlo_said(s);

	two_traces(s, 25, HOPS, 443, HOPS, 2);
	refusal(s, f, 64 - 1);
}

static inline void refused_nearer_at_site(struct scene *s)
{
	unsigned f = ehlo_said(s);

	two_traces(s, 25, HOPS, 443, HOPS, 2);
	refusal(s, f, 64 - HOPS + 2);
}

/* Nothing is known of the hops: from the far half of the way it may be the site's. */
static inline void refused_nearer_no_path(struct scene *s)
{
	refusal(s, ehlo_said(s), 64 - HOPS + 2);
}

/* ---- another stack's SYN-ACK ---- */

#define LINUX_ORDER   UINT64_C(0x31842)  /* mss, sackOK, timestamps, nop, wscale */
#define WINDOWS_ORDER UINT64_C(0x411312) /* mss, nop, wscale, nop, nop, sackOK */

struct stack {
	unsigned ttl, rtt_ms;
	uint64_t order;
};

static inline unsigned stack_answers(struct scene *s, unsigned port, const struct stack *k)
{
	unsigned f = start(s, port);

	pass(s, k->rtt_ms);
	struct packet *p = syn_ack(s, f, k->ttl);
	p->tcp.option_order = k->order;
	p->tcp.has_mss = p->tcp.has_wscale = p->tcp.sack_permitted = true;
	p->tcp.has_ts = k->order == LINUX_ORDER;
	connected(s, f);
	return f;
}

/* Both ports to their end; the control answered twice, as its round trip must. */
static inline void two_stacks(struct scene *s, const struct stack *control, const struct stack *own)
{
	usual_host(s);
	stack_answers(s, 443, control);
	stack_answers(s, 80, control);
	unsigned f = stack_answers(s, 25, own);
	ack(s, f);
	greeting(s, f, 220, "mx.example.com ESMTP");
	said(s, f, STAGE_EHLO, 250, "mx.example.com", bare_ehlo);
	session_end(s, f, STAGE_QUIT, SESSION_DONE, NULL);
}

static inline void plan_two_controls(struct scene *s)
{
	s->plan.ports[2] = (struct plan_port){.port = 80};
	s->plan.n_ports = 3;
}

static inline void answered_nearer(struct scene *s)
{
	plan_two_controls(s);
	two_stacks(s, &(struct stack){128 - 10, 50, WINDOWS_ORDER}, &(struct stack){64 - 2, 4, LINUX_ORDER});
}

/* ... and a certificate that verifies */
static inline void answered_nearer_verified(struct scene *s)
{
	plan_two_controls(s);
	usual_host(s);
	stack_answers(s, 443, &(struct stack){128 - 10, 50, WINDOWS_ORDER});
	stack_answers(s, 80, &(struct stack){128 - 10, 50, WINDOWS_ORDER});
	unsigned f = stack_answers(s, 25, &(struct stack){64 - 2, 4, LINUX_ORDER});
	ack(s, f);
	greeting(s, f, 220, "mx.example.com ESMTP");
	said(s, f, STAGE_EHLO, 250, "mx.example.com", plain_ehlo);
	said(s, f, STAGE_STARTTLS, 220, "go ahead", NULL);
	shown(s, f, "CN=mx.example.com", "CN=Some CA", "ab", true);
	said(s, f, STAGE_EHLO_TLS, 250, "mx.example.com", bare_ehlo);
	session_end(s, f, STAGE_QUIT, SESSION_DONE, NULL);
}

#define ANSWERS_OPEN(name, control, own)                                                       \
	static inline void name(struct scene *s)                                               \
	{                                                                                      \
		plan_two_controls(s);                                                          \
		two_stacks(s, &(struct stack)control, &(struct stack)own);                     \
	}
#define STACK(...) {__VA_ARGS__}

/* a balancer at the site takes the port, another machine far behind it the controls */
ANSWERS_OPEN(open_at_the_edge, STACK(128 - 14, 90, WINDOWS_ORDER), STACK(64 - 9, 40, LINUX_ORDER))
/* a forwarded port: as near, as slow */
ANSWERS_OPEN(open_forwarded, STACK(128 - 10, 50, WINDOWS_ORDER), STACK(64 - 10, 50, LINUX_ORDER))
/* nearer and sooner by its TTL, but the same stack: its initial TTL is no usual one, say */
ANSWERS_OPEN(open_same_stack, STACK(64 - 10, 50, LINUX_ORDER), STACK(64 - 2, 4, LINUX_ORDER))
/* not sooner than light */
ANSWERS_OPEN(open_not_sooner, STACK(128 - 10, 50, WINDOWS_ORDER), STACK(64 - 2, 40, LINUX_ORDER))
/* all within a site, where milliseconds are chance */
ANSWERS_OPEN(open_within_ms, STACK(128 - 10, 5, WINDOWS_ORDER), STACK(64 - 2, 1, LINUX_ORDER))

/* The port's SYNs with small TTLs ran out farther away than where its SYN-ACK seems to come from. */
static inline void open_goes_on(struct scene *s)
{
	answered_nearer(s);
	hops_answer(s, 25, 1, 6);
	hops_answer(s, 443, 1, 6);
}

#define FORGED_CASES                                                                           \
	ROW("session-reset-early", session_reset_early, 0, BLOCKED, SESSION_RESET, ISP, MIDDLEBOX), \
	ROW("session-reset-early", session_reset_early, 1, BLOCKED, SESSION_RESET, ISP, MIDDLEBOX), \
	ROW("session-reset-own", session_reset_own, 0, NO_SERVICE, SESSION_RESET, DESTINATION, SERVER), \
	ROW("session-reset-nearer", session_reset_nearer, 0, BLOCKED, SESSION_RESET, UNKNOWN, MIDDLEBOX), \
	ROW("session-reset", reset_by_server, 0, NO_SERVICE, SESSION_RESET, DESTINATION, SERVER), \
	ROW("session-reset-forged", reset_then_data, 0, BLOCKED, SESSION_RESET, UNKNOWN, MIDDLEBOX), \
	ROW("session-reset-forged", reset_then_data, 1, BLOCKED, SESSION_RESET, UNKNOWN, MIDDLEBOX), \
	ROW("session-reset-forged", resets_ahead, 0, BLOCKED, SESSION_RESET, UNKNOWN, MIDDLEBOX), \
	ROW("session-reset-forged", reset_acks_unsent, 0, BLOCKED, SESSION_RESET, UNKNOWN, MIDDLEBOX), \
	ROW("session-reset", resets_of_a_stack, 0, NO_SERVICE, SESSION_RESET, DESTINATION, SERVER), \
	ROW("session-close-early", closed_early, 0, BLOCKED, SESSION_CLOSE, ISP, MIDDLEBOX), \
	ROW("session-close-early", closed_early, 1, BLOCKED, SESSION_CLOSE, ISP, MIDDLEBOX), \
	ROW("session-closed-own", closed_own, 0, NO_SERVICE, SESSION_CLOSE, DESTINATION, SERVER), \
	ROW("session-closed-own", closed_own_shorter, 0, NO_SERVICE, SESSION_CLOSE, DESTINATION, SERVER), \
	ROW("session-close-nearer", closed_nearer, 0, BLOCKED, SESSION_CLOSE, ISP, MIDDLEBOX), \
	ROW("session-closed", closed_once, 0, NO_SERVICE, SESSION_CLOSE, DESTINATION, SERVER), \
	ROW("session-reply-early", refused_early, 0, INTERCEPTED, SMTP_MANGLED, ISP, MIDDLEBOX), \
	ROW("session-reply-early", refused_early, 1, INTERCEPTED, SMTP_MANGLED, ISP, MIDDLEBOX), \
	ROW("session-reply-early", refused_late_at_gateway, 0, INTERCEPTED, SMTP_MANGLED, ISP, MIDDLEBOX), \
	ROW("session-reply-early", refused_late_at_gateway, 1, INTERCEPTED, SMTP_MANGLED, ISP, MIDDLEBOX), \
	ROW("session-reply-untold", refused_in_vain, 0, INCONCLUSIVE, POLICY_REJECT, UNKNOWN, SERVER), \
	ROW("session-reply-untold", refused_and_shut_out, 0, INCONCLUSIVE, POLICY_REJECT, UNKNOWN, SERVER), \
	ROW("session-ehlo-rejected", refused_and_limited, 0, REJECTED, POLICY_REJECT, DESTINATION, SERVER), \
	ROW("session-reset-untold", reset_in_vain, 0, NO_SERVICE, SESSION_RESET, UNKNOWN, UNKNOWN), \
	ROW("session-close-untold", closed_in_vain, 0, NO_SERVICE, SESSION_CLOSE, UNKNOWN, UNKNOWN), \
	ROW("session-reply-nearer", refused_late, 0, INTERCEPTED, SMTP_MANGLED, ISP, MIDDLEBOX), \
	ROW("session-reply-nearer", refused_nearer, 0, INTERCEPTED, SMTP_MANGLED, ISP, MIDDLEBOX), \
	ROW("session-ehlo-rejected", refused_by_server, 0, REJECTED, POLICY_REJECT, DESTINATION, SERVER), \
	ROW("session-ehlo-rejected", refused_by_gateway, 0, REJECTED, POLICY_REJECT, DESTINATION, SERVER), \
	ROW("session-ehlo-rejected", refused_in_front, 0, REJECTED, POLICY_REJECT, DESTINATION, SERVER), \
	ROW("session-ehlo-rejected", refused_nearer_at_site, 0, REJECTED, POLICY_REJECT, DESTINATION, SERVER), \
	ROW("session-ehlo-rejected", refused_nearer_no_path, 0, REJECTED, POLICY_REJECT, DESTINATION, SERVER), \
	ROW("path-answered-nearer", answered_nearer, 0, INTERCEPTED, INTERCEPTION, UNKNOWN, MIDDLEBOX), \
	ROW("path-answered-nearer", answered_nearer, 1, INTERCEPTED, INTERCEPTION, UNKNOWN, MIDDLEBOX), \
	ROW("session-open", answered_nearer_verified, 0, OPEN, UNKNOWN, UNKNOWN, UNKNOWN), \
	ROW("session-open", open_at_the_edge, 0, OPEN, UNKNOWN, UNKNOWN, UNKNOWN), \
	ROW("session-open", open_forwarded, 0, OPEN, UNKNOWN, UNKNOWN, UNKNOWN), \
	ROW("session-open", open_same_stack, 0, OPEN, UNKNOWN, UNKNOWN, UNKNOWN), \
	ROW("session-open", open_not_sooner, 0, OPEN, UNKNOWN, UNKNOWN, UNKNOWN), \
	ROW("session-open", open_within_ms, 0, OPEN, UNKNOWN, UNKNOWN, UNKNOWN), \
	ROW("session-open", open_goes_on, 0, OPEN, UNKNOWN, UNKNOWN, UNKNOWN)

#endif
