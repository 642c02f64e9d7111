/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The values of placeholders that tell of a session: what was said in it, and what did not come. */
#include <string.h>

#include "base/clock.h"
#include "diag/mtu.h"
#include "diag/refusal.h"
#include "diag/words_private.h"
#include "model/complaint.h"

/* The last reply that turned us away, NULL none. */
static const struct stage_reply *refusal_of(const struct flow *f)
{
	for (int stage = STAGE_QUIT - 1; stage >= 0; stage--)
		if (f->replies[stage].code >= 400)
			return &f->replies[stage];
	return NULL;
}

static const char *w_server_words(const struct words *w)
{
	const struct flow *f = w->facts->flow;

	if (!f)
		return "";
	const struct stage_reply *r = refusal_of(f);
	bool told = f->end_text && f->end_text[0];
	if (r)
		return arena_printf(w->arena, "%d %s", r->code, r->text);
	if (f->has_reply && !told)
		return arena_printf(w->arena, "%d %s", f->reply_code, f->reply_text);
	return told ? f->end_text : "it sent nothing that tells why";
}

static const char *waited(const struct words *w)
{
	const struct flow *f = w->facts->flow;
	double s = f ? (double)(w->tracker->end_ns - f->last_heard_ns) / (double)NS_PER_S : 0;

	return arena_printf(w->arena, "%.1f s", s);
}

/* Bytes that came behind the last whole reply, and make none: a server that drips. Inside TLS there are
 * others than those of replies. */
static bool has_pieces(const struct words *w)
{
	const struct flow *f = w->facts->flow;

	return f && f->talk.begun && f->talk.bytes_in > 0 && f->end_stage <= STAGE_EHLO && !f->has_tls &&
	       f->talk.heard_end_ns > f->last_heard_ns;
}

static const char *w_silence(const struct words *w)
{
	return arena_printf(w->arena, has_pieces(w) ? "only pieces of a reply came in %s" : "nothing came for %s",
			    waited(w));
}

static const char *w_reply_meaning(const struct words *w)
{
	const struct stage_reply *r = w->facts->flow ? refusal_of(w->facts->flow) : NULL;

	return refusal_meaning(r ? r->code : 0, r ? r->text : NULL);
}

static const char *w_stage(const struct words *w)
{
	return w->facts->flow ? complaint_stage(w->facts->flow->end_stage) : "";
}

/* A silence before the greeting that may be no fault: others than SMTP servers wait for their clients. On
 * port 25 nobody tries TLS at once (it is held against who does), so the reader is told how. */
static const char *w_speaks_first(const struct words *w)
{
	const struct flow *f = w->facts->flow;
	const char *where = arena_printf(w->arena, "%s:%u", words_target_brackets(w), w->port);

	if (!f || f->end_stage != STAGE_GREETING || has_pieces(w))
		return "";
	return arena_printf(w->arena,
			    "It may be no SMTP at all: servers of %sHTTP wait for the client to speak first. Ask it: "
			    "%s%s`curl -sv http://%s/`", w->port == 25 ? "TLS from the first byte and of " : "",
			    w->port == 25 ? arena_printf(w->arena, "`openssl s_client -connect %s`", where) : "",
			    w->port == 25 ? " and " : "", where);
}

static const char *w_missing_bytes(const struct words *w)
{
	const struct flow *f = w->facts->flow;
	uint32_t n = f ? talk_missing(&f->talk) : 0;

	return arena_printf(w->arena, "%u byte%s", n, n == 1 ? "" : "s");
}

/* What was said last, at the stage at which it stopped. */
static const char *w_said_words(const struct words *w)
{
	static const char *const said[STAGE_COUNT] = {
		[STAGE_EHLO] = "as EHLO", [STAGE_STARTTLS] = "as STARTTLS",
		[STAGE_TLS] = "in the TLS handshake", [STAGE_EHLO_TLS] = "inside TLS",
		[STAGE_AUTH] = "as AUTH", [STAGE_MAIL] = "as MAIL FROM", [STAGE_RCPT] = "as RCPT TO",
	};
	const struct flow *f = w->facts->flow;

	return f && said[f->end_stage] ? said[f->end_stage] : "last";
}

static const char *w_lost_words(const struct words *w)
{
	const struct flow *f = w->facts->flow;

	if (!f)
		return "";
	unsigned overhead = mtu_overhead(w->tracker, f);
	if (fact_seen(w->facts, F_UNHEARD))
		return arena_printf(w->arena,
				    "a packet of %u bytes that this machine sends never arrives, while those "
				    "of up to %u do (path MTU)",
				    f->talk.stuck_len + overhead, f->talk.largest_acked + overhead);
	return arena_printf(w->arena, "%s that the server has sent never came, in packets larger than %u bytes",
			    w_missing_bytes(w), f->talk.largest_in + overhead);
}

/* What every link must take, and what comes through here. */
static const char *w_mtu_words(const struct words *w)
{
	const struct mtu *m = &w->facts->mtu;
	const char *what = "larger ones don't";

	if (m->smallest_lost == m->largest_in + 1)
		what = arena_printf(w->arena, "those of %u don't", m->smallest_lost);
	else if (m->smallest_lost)
		what = arena_printf(w->arena, "those of %u don't (the limit lies in between)",
				    m->smallest_lost);
	return arena_printf(w->arena, "packets of %u bytes come in, %s%s", m->largest_in, what,
			    m->below_links ? ", and no link of the Internet takes so little: a device drops them"
					   : ". Some link on the way takes no more, and nobody tells the server (path MTU)");
}

/* The largest packet that is known to come in. */
static const char *w_mtu(const struct words *w)
{
	return arena_printf(w->arena, "%u", w->facts->mtu.largest_in);
}

/* The MSS with which all comes in. */
static const char *w_mss(const struct words *w)
{
	const struct mtu *m = &w->facts->mtu;

	return arena_printf(w->arena, "%u", m->largest_in > m->headers ? m->largest_in - m->headers : 0);
}

static const char *w_interceptor(const struct words *w)
{
	const struct flow *f = w->facts->flow;
	const struct tracker *t = w->tracker;
	const char *issuer = f && f->has_tls ? t->log->events[f->tls_event].tls.issuer : NULL;
	const struct signature *s =
		issuer ? signature_find(&t->plan->signatures, SIGNATURE_ISSUER, issuer) : NULL;

	return s ? arena_printf(w->arena, "%s (\"%s\")", s->name, issuer) : "somebody else";
}

static const char *w_product(const struct words *w)
{
	if (!fact_seen(w->facts, F_GREETING_INTERCEPTOR))
		return "";
	const struct event *ev = &w->tracker->log->events[w->facts->why[F_GREETING_INTERCEPTOR]];
	if (ev->reply.stage == STAGE_GREETING)
		return words_product(w->tracker, SIGNATURE_GREETING, ev->reply.text);
	for (const char *const *line = ev->reply.lines; line && *line; line++)
		if (words_product(w->tracker, SIGNATURE_EHLO, *line)[0])
			return words_product(w->tracker, SIGNATURE_EHLO, *line);
	return "";
}

static const char *w_greeting(const struct words *w)
{
	const struct flow *f = w->facts->flow;

	return f && f->has_reply ? arena_printf(w->arena, "%d %s", f->reply_code, f->reply_text) : "";
}

static const char *w_expect_banner(const struct words *w)
{
	const char *text = w->tracker->plan->expect_banner;

	return text ? text : "";
}

static const char *w_expect_name(const struct words *w)
{
	const char *name = w->tracker->plan->expect_name;

	return name ? name : "";
}

/* Usage, selector and matching type: "3 1 1". */
#define TLSA_KIND_LEN 5

const char *words_tlsa(struct arena *a, const struct tracker *t, const struct port_facts *p)
{
	const struct ev_dns *d = tracker_dns(t, DNS_RECORD_TLSA);
	const struct ev_tls *tls = &t->log->events[p->flow->tls_event].tls;
	const char *shown = "";

	for (const char *const *record = d ? d->tlsa : NULL; record && *record; record++) {
		const char *fits = NULL;
		for (const char *const *own = tls->tlsa; own && *own; own++)
			if (strncmp(*record, *own, TLSA_KIND_LEN) == 0)
				fits = *own; /* of a chain the last: whoever signed */
		if (fits && !strstr(shown, fits))
			shown = arena_printf(a, "%s%s%s", shown, *shown ? ", " : "", fits);
	}
	return *shown ? arena_printf(a, "the certificate that was shown would need a record like %s", shown) : NULL;
}

/* "TLSA record of _25._tcp.mx.example.net" */
static const char *w_dns_promise(const struct words *w)
{
	const struct tracker *t = w->tracker;
	size_t event = w->facts->why[F_STARTTLS_PROMISED];

	if (!fact_seen(w->facts, F_STARTTLS_PROMISED))
		return "";
	const struct ev_dns *d = &t->log->events[event].dns;
	return d->record == DNS_RECORD_TLSA ? arena_printf(w->arena, "TLSA record of %s", d->name)
					    : arena_printf(w->arena, "MTA-STS record of %s", d->name);
}

const struct placeholder words_of_session[] = {
	{"server-words", w_server_words},
	{"silence", w_silence},
	{"reply-meaning", w_reply_meaning},
	{"stage", w_stage},
	{"speaks-first", w_speaks_first},
	{"interceptor", w_interceptor},
	{"product", w_product},
	{"dns-promise", w_dns_promise},
	{"greeting", w_greeting},
	{"expect-banner", w_expect_banner},
	{"expect-name", w_expect_name},
	{"missing-bytes", w_missing_bytes},
	{"lost-words", w_lost_words},
	{"mtu-words", w_mtu_words},
	{"mss", w_mss},
	{"mtu", w_mtu},
	{"said-words", w_said_words},
	{0},
};
