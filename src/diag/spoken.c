/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What was said on a port, for its report: greeting, EHLO, TLS, and how long each took. */
#include "diag/builder.h"
#include "smtp/ehlo.h"

static double ms_between(int64_t from, int64_t to)
{
	return (double)(to - from) / 1e6;
}

/* "ok", "offered", "absent", "stripped" or "failed"; NULL where nobody asked, or TLS came first. */
static const char *starttls_word(const struct port_facts *p, const struct smtp_ehlo *in_clear)
{
	const struct flow *f = p->flow;
	bool removed = fact_seen(p, F_STARTTLS_ELSEWHERE) && fact_seen(p, F_ANSWERED_ON_WAY);

	if (!f->replies[STAGE_EHLO].code)
		return NULL;
	if (f->has_tls && f->replies[STAGE_STARTTLS].code)
		return "ok";
	if (f->replies[STAGE_STARTTLS].code || f->end_stage == STAGE_STARTTLS)
		return "failed";
	if (in_clear->starttls)
		return "offered";
	return in_clear->starttls_masked || fact_seen(p, F_STARTTLS_TAKEN) || removed ? "stripped" : "absent";
}

static void fill_ehlo(struct builder *b, const struct port_facts *p, struct report_port *out)
{
	const struct flow *f = p->flow;
	struct arena *a = &b->r->arena;
	const struct stage_reply *reply = facts_ehlo(f);
	struct smtp_ehlo *in_clear = arena_alloc(a, sizeof(*in_clear)),
			 *last = arena_alloc(a, sizeof(*last));

	/* on a port with TLS first every EHLO is inside it: nothing is offered in the clear */
	bool tls_first = f->has_tls && !f->replies[STAGE_STARTTLS].code;
	if (f->replies[STAGE_EHLO].lines && f->replies[STAGE_EHLO].code < 400)
		smtp_ehlo_parse(in_clear, f->replies[STAGE_EHLO].lines);
	if (!tls_first)
		out->smtp.starttls = starttls_word(p, in_clear);
	if (!reply->lines || reply->code >= 400)
		return;
	smtp_ehlo_parse(last, reply->lines);
	const char **ehlo = arena_alloc(a, EHLO_MAX_KEYWORDS * sizeof(*ehlo));
	const char **auth = arena_alloc(a, EHLO_MAX_AUTH * sizeof(*auth));
	for (unsigned i = 0; i < last->n_keywords; i++)
		ehlo[i] = arena_strdup(a, last->keywords[i]);
	for (unsigned i = 0; i < last->n_auth; i++)
		auth[i] = last->auth[i];
	out->smtp.ehlo = ehlo;
	out->smtp.n_ehlo = last->n_keywords;
	out->smtp.auth = auth;
	out->smtp.n_auth = last->n_auth;
}

void build_smtp(struct builder *b, const struct port_facts *p, struct report_port *out)
{
	const struct flow *f = p->flow;

	out->connect_ms = out->banner_ms = out->tls_ms = TIME_NONE;
	if (!f || !f->has_result || f->error)
		return;
	out->connect_ms = ms_between(f->start_ns, f->result_ns);
	if (f->has_reply) {
		out->banner_ms = ms_between(f->start_ns, f->reply_ns);
		out->has_smtp = true;
		out->smtp.code = f->reply_code;
		out->smtp.banner = arena_strdup(&b->r->arena, f->reply_text);
	}
	fill_ehlo(b, p, out);
	if (!f->has_tls)
		return;
	const struct ev_tls *tls = &b->d->tracker.log->events[f->tls_event].tls;
	struct arena *a = &b->r->arena;
	out->tls_ms = ms_between(f->start_ns, f->tls_ns);
	out->has_smtp = true;
	out->smtp.has_tls = true;
	out->smtp.tls = (struct report_tls){
		.version = arena_strdup(a, tls->version),
		.cipher = arena_strdup(a, tls->cipher),
		.subject = arena_strdup(a, tls->subject),
		.issuer = arena_strdup(a, tls->issuer),
		.spki_sha256 = arena_strdup(a, tls->spki_sha256),
		.verified = tls->verified,
		.error = arena_strdup(a, tls->error),
	};
	unsigned n = 0;
	while (tls->names && tls->names[n])
		n++;
	const char **names = arena_alloc(a, (n + 1) * sizeof(*names));
	for (unsigned i = 0; i < n; i++)
		names[i] = arena_strdup(a, tls->names[i]);
	out->smtp.tls.names = names;
	out->smtp.tls.n_names = n;
}
