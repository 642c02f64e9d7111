/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What was said on a connection, and by whom it looks to be said. Pure. */
#include <regex.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "diag/facts.h"
#include "diag/mtu.h"
#include "diag/stall.h"
#include "smtp/ehlo.h"
#include "wire/decode.h"

#define BANNER_MAX   1100 /* a greeting as it is kept, and its code */
#define NAME_MAX_LEN 255

const struct stage_reply *facts_ehlo(const struct flow *f)
{
	return f->replies[STAGE_EHLO_TLS].code ? &f->replies[STAGE_EHLO_TLS]
					       : &f->replies[STAGE_EHLO];
}

static const struct ev_tls *tls_of(const struct tracker *t, const struct flow *f)
{
	return f->has_tls ? &t->log->events[f->tls_event].tls : NULL;
}

static bool is_refused(const struct stage_reply *r)
{
	return r->code >= 400;
}

enum session_stage facts_refused_in_clear(const struct flow *f)
{
	static const enum session_stage stages[] = {STAGE_EHLO, STAGE_STARTTLS, STAGE_MAIL, STAGE_RCPT};

	if (f->has_tls)
		return STAGE_COUNT;
	for (unsigned i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
		const struct stage_reply *r = &f->replies[stages[i]];
		if (r->code >= 500 && !r->helo)
			return stages[i];
	}
	return STAGE_COUNT;
}

/* ---- how it ended ---- */

/* Does anything in this run show that packets get lost? */
static bool path_is_lossy(const struct tracker *t, const struct port_facts *p)
{
	if (p->control.answered < p->control.sent || p->silent_syns)
		return true;
	for (unsigned i = 0; i < t->n_flows; i++) {
		const struct flow *f = &t->flows[i];
		const struct loss_sample *r = &f->talk.record;
		if ((f->synack.seen && f->syn_out > 1) || r->answered < r->sent)
			return true;
	}
	return false;
}

/* Whose silence is it? Where packets get lost and nothing is proven, that it stands still is chance. */
static void stall_facts(const struct tracker *t, struct port_facts *p)
{
	const struct flow *f = p->flow;
	struct stall s;

	stall_of(t, f, t->end_ns, &s);
	if (!s.open || !path_is_lossy(t, p))
		fact_note(p, F_STALLED, true, f->end_event);
	if (!s.looked)
		return;
	p->stall_probability = s.probability;
	fact_note(p, F_PEER_ALIVE, s.alive, NO_EVENT);
	fact_note(p, F_PEER_GONE, s.dead, NO_EVENT);
	fact_note(p, F_UNHEARD, s.unheard, NO_EVENT);
	fact_note(p, F_REPLY_LOST, s.lost, NO_EVENT);
	mtu_of(t, f->port_index, t->end_ns, &p->mtu);
	/* as small as can be, and it gets lost: not for its size */
	bool other_reason = p->mtu.no_matter && s.lost && !s.unheard;
	fact_note(p, F_SMALL_PASSES, s.lost && p->mtu.passes, NO_EVENT);
	fact_note(p, F_LARGE_LOST, s.large && !other_reason, NO_EVENT);
}

static void ending_facts(const struct tracker *t, struct port_facts *p)
{
	const struct flow *f = p->flow;
	/* what ends the connection after QUIT is courtesy, not service */
	bool early = f->end_stage != STAGE_QUIT;
	bool reset = early && (f->end == SESSION_RESET || f->end == SESSION_ICMP);

	fact_note(p, F_TLS_FAILED, early && f->end == SESSION_TLS_ERROR, f->end_event);
	fact_note(p, F_CLEAR_FOR_TLS, early && f->end_in_clear && !f->replies[STAGE_EHLO].code,
		  f->end_event);
	fact_note(p, F_NOT_SMTP, early && f->end == SESSION_NOT_SMTP, f->end_event);
	fact_note(p, F_CLOSED, early && f->end == SESSION_CLOSED, f->end_event);
	fact_note(p, F_RESET, reset, f->end_event);
	if (early && f->end == SESSION_STALLED)
		stall_facts(t, p);
	else
		fact_note(p, F_STALLED, false, f->end_event);
	fact_note(p, F_SESSION_OVER, f->end == SESSION_DONE, f->end_event);
}

/* ---- what was said ---- */

/* The tap sees what leaves behind this host's last rule, and what comes in before its first one. */
static void traffic_facts(const struct tracker *t, struct port_facts *p)
{
	const struct flow *f = p->flow;
	bool whole = tracker_capture_whole(t);
	bool quiet = f->end == SESSION_STALLED && f->end_stage == STAGE_GREETING && !f->has_tls;
	bool acked = f->talk.left > 0;
	/* bytes that come as the time runs out answer our own farewell */
	bool early = f->talk.bytes_in > 0 &&
		     t->log->events[f->payload_event].t_ns + SYNACK_ACCEPT_NS <=
			     t->log->events[f->end_event].t_ns;
	int64_t since = f->end == SESSION_STALLED ? talk_unread_ns(&f->talk) : 0;
	bool unread = (quiet && early && f->end_bytes == 0) ||
		      (since && since + SYNACK_ACCEPT_NS <= t->log->events[f->end_event].t_ns);

	/* a tap that saw no SYN either sees nothing of this connection */
	if (acked || !quiet || (whole && f->syn_out))
		fact_note(p, F_ACK_NOT_LEFT, quiet && !acked, f->end_event);
	fact_note(p, F_DATA_NOT_READ, unread, f->payload_event);
}

static void reply_facts(const struct tracker *t, struct port_facts *p)
{
	const struct flow *f = p->flow;
	const struct stage_reply *ehlo = facts_ehlo(f), *mail = &f->replies[STAGE_MAIL],
				 *rcpt = &f->replies[STAGE_RCPT];
	struct smtp_ehlo first = {0};

	if (f->replies[STAGE_EHLO].lines && !is_refused(&f->replies[STAGE_EHLO]))
		smtp_ehlo_parse(&first, f->replies[STAGE_EHLO].lines);
	bool in_clear = !f->has_tls && f->replies[STAGE_EHLO].code && f->end_stage == STAGE_QUIT;
	bool listed = f->replies[STAGE_EHLO].lines && !f->replies[STAGE_EHLO].helo && in_clear;
	fact_note(p, F_EHLO_REJECT, is_refused(ehlo), ehlo->event);
	fact_note(p, F_STARTTLS_REJECT, is_refused(&f->replies[STAGE_STARTTLS]),
		  f->replies[STAGE_STARTTLS].event);
	fact_note(p, F_STARTTLS_MISSING,
		  t->plan->starttls_required && in_clear && !first.starttls,
		  f->replies[STAGE_EHLO].event);
	fact_note(p, F_STARTTLS_ABSENT, listed && !is_refused(&f->replies[STAGE_EHLO]) &&
						!first.starttls && !first.starttls_masked,
		  f->replies[STAGE_EHLO].event);
	fact_note(p, F_STARTTLS_TAKEN, f->has_late_tls, f->late_tls_event);
	fact_note(p, F_AUTH_REJECT, is_refused(&f->replies[STAGE_AUTH]),
		  f->replies[STAGE_AUTH].event);
	fact_note(p, F_MAIL_REJECT, is_refused(mail) || is_refused(rcpt),
		  is_refused(mail) ? mail->event : rcpt->event);
	fact_note(p, F_BANNER_MASKED, f->has_reply && smtp_greeting_masked(f->reply_text),
		  f->reply_event);
	fact_note(p, F_EHLO_MASKED, first.masked > 0, f->replies[STAGE_EHLO].event);
	fact_note(p, F_STARTTLS_MASKED, first.starttls_masked && !first.starttls,
		  f->replies[STAGE_EHLO].event);
}

/* ---- who says it ---- */

/* The regular expression may have been written with the code or without. */
static bool is_expected_banner(const struct plan *plan, const struct flow *f)
{
	char whole[BANNER_MAX];

	snprintf(whole, sizeof(whole), "%d %s", f->reply_code, f->reply_text);
	return regexec(plan->expect_banner_regex, f->reply_text, 0, NULL, 0) == 0 ||
	       regexec(plan->expect_banner_regex, whole, 0, NULL, 0) == 0;
}

/* The name itself, or a host of that domain. */
static bool is_within(const char *host, const char *name)
{
	size_t host_len = strlen(host), len = strlen(name);

	len -= len > 1 && name[len - 1] == '.';
	if (host_len < len || strncasecmp(host + host_len - len, name, len) != 0)
		return false;
	return host_len == len || host[host_len - len - 1] == '.';
}

/* 1: it names the expected host, 0: another one, -1: none, or none is expected. */
static int names_expected(const char *text, const char *name)
{
	char host[NAME_MAX_LEN + 1];

	if (!name || !text || !smtp_greeting_name(text, host, sizeof(host)))
		return -1;
	return is_within(host, name);
}

static void expectation_facts(const struct tracker *t, struct port_facts *p)
{
	const struct plan *plan = t->plan;
	const struct flow *f = p->flow;
	const struct stage_reply *ehlo = &f->replies[STAGE_EHLO];
	bool greeted = f->has_reply && f->reply_code < 400;
	int greets = names_expected(f->reply_text, plan->expect_name);
	int says = names_expected(ehlo->text, plan->expect_name);

	fact_note(p, F_BANNER_UNLIKE,
		  plan->expect_banner_regex && greeted && !is_expected_banner(plan, f),
		  f->reply_event);
	/* one of them is enough: a pool may greet by one name and answer EHLO by another */
	fact_note(p, F_NAME_UNLIKE, (greets == 0 || says == 0) && greets != 1 && says != 1,
		  greets == 0 ? f->reply_event : ehlo->event);
}

static const struct signature *known(const struct tracker *t, enum signature_kind kind,
				     const char *text)
{
	return text ? signature_find(&t->plan->signatures, kind, text) : NULL;
}

static void greeting_facts(const struct tracker *t, struct port_facts *p)
{
	const struct flow *f = p->flow;
	const struct signature *s =
		f->has_reply ? known(t, SIGNATURE_GREETING, f->reply_text) : NULL;
	size_t event = f->reply_event;
	const char *const *line = f->replies[STAGE_EHLO].lines;

	for (; line && *line && !(s && s->interceptor); line++) {
		s = known(t, SIGNATURE_EHLO, *line);
		event = f->replies[STAGE_EHLO].event;
	}
	fact_note(p, F_GREETING_INTERCEPTOR, s && s->interceptor, event);
}

/* ---- whose certificate ---- */

static void certificate_facts(const struct tracker *t, struct port_facts *p)
{
	const struct flow *f = p->flow;
	const struct ev_tls *tls = tls_of(t, f);
	const struct signature *s = tls ? known(t, SIGNATURE_ISSUER, tls->issuer) : NULL;

	fact_note(p, F_TLS_INTERCEPTOR, s && s->interceptor, f->tls_event);
	fact_note(p, F_TLS_VERIFIED, tls && tls->verified, f->tls_event);
}

void facts_of_session(const struct tracker *t, struct port_facts *p)
{
	const struct flow *f = p->flow, *tls_try = tracker_tls_try(t, f->port_index);

	if (!f->has_result || f->error)
		return;
	bool at_once = tls_try && tls_try->has_tls && tls_try->has_reply && tls_try->reply_code < 400;
	fact_note(p, F_TLS_AT_ONCE, at_once && tls_try != f && !f->has_reply,
		  at_once ? tls_try->reply_event : NO_EVENT);
	if (f->has_reply || f->has_end) {
		fact_note(p, F_GREETING_OK, f->has_reply && f->reply_code < 400, f->reply_event);
		fact_note(p, F_GREETING_REJECT, f->has_reply && f->reply_code >= 400,
			  f->reply_event);
	}
	if (!f->has_end)
		return;
	ending_facts(t, p);
	traffic_facts(t, p);
	reply_facts(t, p);
	greeting_facts(t, p);
	expectation_facts(t, p);
	certificate_facts(t, p);
}
