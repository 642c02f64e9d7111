/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Scenes about packet sizes; a part of cases.h. */
#ifndef SB_TESTS_DIAG_CASES_MTU_H
#define SB_TESTS_DIAG_CASES_MTU_H

/* The SYN of this flow asked for segments of so many bytes. */
static inline void asks_for(struct scene *s, unsigned f, unsigned mss)
{
	for (size_t i = 0; i < s->log.n; i++) {
		struct event *ev = &s->log.events[i];
		bool own = ev->kind == EV_PACKET && ev->packet.dir == PACKET_OUT &&
			   ev->packet.tcp.sport == s->flows[f].lport;
		if (!own || !(ev->packet.tcp.flags & TCP_SYN))
			continue;
		ev->packet.tcp.has_mss = true;
		ev->packet.tcp.mss = (uint16_t)mss;
	}
}

/* The server's EHLO reply and certificate: up to STARTTLS all is well. */
static inline unsigned tls_begins(struct scene *s, unsigned f)
{
	ack(s, f);
	they_say(s, f, FARTTL, 0, 40, 0);
	greeting(s, f, 220, "mx.example.com ESMTP");
	we_say(s, f, 0, 18, 40);
	they_say(s, f, FARTTL, 40, 120, 18);
	said(s, f, STAGE_EHLO, 250, "mx.example.com", NULL);
	we_say(s, f, 18, 300, 160);
	pass(s, 5);
	return f;
}

/* A further connection with an MSS; the certificate comes in such segments, or its last piece alone does. */
static inline unsigned small(struct scene *s, unsigned mss, bool comes)
{
	unsigned f = answered(s, 25, FARTTL);

	for (size_t i = 0; i < s->log.n; i++)
		if (s->log.events[i].kind == EV_FLOW_START && s->log.events[i].flow == f)
			s->log.events[i].flow_start.role = FLOW_SMALL;
	asks_for(s, f, mss);
	tls_begins(s, f);
	if (comes) {
		for (unsigned at = 0; at < 4000; at += mss)
			they_say(s, f, FARTTL, 160 + at, mss, 318);
		pass(s, 5);
		shown(s, f, "CN=mx.example.com", "CN=ca", "aa", true);
		session_end(s, f, STAGE_QUIT, SESSION_DONE, NULL);
	} else {
		they_say(s, f, FARTTL, 160 + 4000, 50, 318);
	}
	return f;
}

/* Of the certificate only the last piece comes, whatever is asked. */
static inline unsigned certificate_lost(struct scene *s)
{
	unsigned f = session(s);

	asks_for(s, f, 1460);
	tls_begins(s, f);
	they_say(s, f, FARTTL, 160 + 2896, 500, 318);
	looks(s, f, 12, true, 318, 160, 160 + 3396);
	return f;
}

static inline void session_mtu_in(struct scene *s)
{
	unsigned f = certificate_lost(s);

	small(s, 536, true);
	small(s, 1260, true);
	unsigned lost = small(s, 1261, false);
	pass(s, 1500);
	session_end(s, lost, STAGE_TLS, SESSION_STALLED, NULL);
	session_end(s, f, STAGE_TLS, SESSION_STALLED, NULL);
}

/* As small as can be, and it does not come either: not its size is to blame. */
static inline void session_not_its_size(struct scene *s)
{
	unsigned f = certificate_lost(s), lost = small(s, 256, false);

	pass(s, 1500);
	session_end(s, lost, STAGE_TLS, SESSION_STALLED, NULL);
	session_end(s, f, STAGE_TLS, SESSION_STALLED, NULL);
}

/* Every hop lets our words through, and the target never gets them: EHLO, or what is large. */
static inline void session_ehlo_through(struct scene *s)
{
	unsigned f = ehlo_in_vain(s, 6);

	looks(s, f, 3, true, 0, 40, 40);
	two_traces(s, 25, HOPS, 443, HOPS, 4);
	copies(s, PROBE_DATA, f, 0, HOPS, HOPS, 1);
	copies(s, PROBE_ACK, f, 18, HOPS, HOPS, 1);
	session_end(s, f, STAGE_EHLO, SESSION_STALLED, NULL);
}

static inline void session_large_through(struct scene *s)
{
	unsigned f = ehlo_in_vain(s, 1);

	they_say(s, f, FARTTL, 40, 120, 18);
	for (unsigned i = 0; i < 6; i++) {
		we_say(s, f, 18, 300, 160);
		pass(s, 200 << i);
	}
	looks(s, f, 3, true, 18, 160, 160);
	two_traces(s, 25, HOPS, 443, HOPS, 4);
	copies(s, PROBE_DATA, f, 18, HOPS, HOPS, 1);
	copies(s, PROBE_ACK, f, 318, HOPS, HOPS, 1);
	session_end(s, f, STAGE_TLS, SESSION_STALLED, NULL);
}

#endif
