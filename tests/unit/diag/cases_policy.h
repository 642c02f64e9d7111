/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Scenes of ports whose encryption is not the one that is expected of them; included by cases.h. */
#ifndef SB_TESTS_DIAG_CASES_POLICY_H
#define SB_TESTS_DIAG_CASES_POLICY_H

static inline void plain_for_tls(struct scene *s)
{
	unsigned f = session(s);

	s->plan.ports[0].implicit_tls = true;
	session_end(s, f, STAGE_TLS, SESSION_TLS_ERROR,
		    "the server answers in the clear where TLS is expected: 220 mx ESMTP");
	s->log.events[s->log.n - 1].session_end.in_clear = true;
}

/* A second connection, as the advice asks for it. */
static inline unsigned tls_try(struct scene *s)
{
	unsigned f = answered(s, 25, FARTTL);

	for (size_t i = 0; i < s->log.n; i++)
		if (s->log.events[i].kind == EV_FLOW_START && s->log.events[i].flow == f)
			s->log.events[i].flow_start.role = FLOW_TLS_TRY;
	return f;
}

static inline void tls_at_once(struct scene *s)
{
	unsigned f = session(s), second;

	at(s, 1600);
	second = tls_try(s);
	shown(s, second, "CN=mx.example.com", "CN=Some CA", "ab", true);
	greeting(s, second, 220, "mx.example.com ESMTP");
	session_end(s, second, STAGE_QUIT, SESSION_DONE, NULL);
	at(s, 8000);
	session_end(s, f, STAGE_GREETING, SESSION_STALLED, NULL);
}

/* Who is silent to TLS as well is just silent. */
static inline void tls_in_vain(struct scene *s)
{
	unsigned f = session(s), second;

	at(s, 1600);
	second = tls_try(s);
	at(s, 8000);
	session_end(s, f, STAGE_GREETING, SESSION_STALLED, NULL);
	session_end(s, second, STAGE_TLS, SESSION_STALLED, NULL);
}

#endif
