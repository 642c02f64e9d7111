/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One port's session against those of the address's other ports, and against the DNS. Pure. */
#include <string.h>

#include "diag/facts.h"
#include "smtp/ehlo.h"

static const struct ev_tls *tls_of(const struct tracker *t, const struct flow *f)
{
	return f->has_tls ? &t->log->events[f->tls_event].tls : NULL;
}

static bool offers_tls(const struct flow *f)
{
	struct smtp_ehlo ehlo;

	if (f->has_tls)
		return true;
	smtp_ehlo_parse(&ehlo, f->replies[STAGE_EHLO].lines);
	return ehlo.starttls;
}

/* What another tested port of the address shows: the first for which `shows` is true, or NULL. */
static const struct flow *other_port(const struct tracker *t, int port_index,
				     bool (*shows)(const struct tracker *t, const struct flow *own,
						   const struct flow *other))
{
	const struct flow *own = tracker_main_flow(t, port_index);

	for (unsigned i = 0; i < t->plan->n_ports && t->plan->ports[i].tested; i++) {
		const struct flow *f = tracker_main_flow(t, (int)i);
		if ((int)i != port_index && f && f->has_result && !f->error && shows(t, own, f))
			return f;
	}
	return NULL;
}

static bool shows_tls(const struct tracker *t, const struct flow *own, const struct flow *other)
{
	(void)t;
	(void)own;
	return offers_tls(other);
}

static bool shows_good_key(const struct tracker *t, const struct flow *own, const struct flow *other)
{
	const struct ev_tls *mine = tls_of(t, own), *theirs = tls_of(t, other);

	return mine && theirs && theirs->verified && mine->spki_sha256 && theirs->spki_sha256 &&
	       strcmp(mine->spki_sha256, theirs->spki_sha256) != 0;
}

/* ---- against the DNS ---- */

#define SMTP_PORT 25 /* what DANE and MTA-STS are about (RFC 7672, RFC 8461) */

static bool is_secure(const struct ev_dns *d)
{
	return d && d->status == DNS_FOUND && d->trust == DNS_SECURE;
}

/* Usage 2 or 3, selector 0 or 1, a SHA-2 digest: "3 1 1 0a1b...", or the whole by its digest:
 * "3 1 0 sha256:0a1b...". Others can't be compared here. */
static bool is_comparable(const char *tlsa)
{
	return (tlsa[0] == '2' || tlsa[0] == '3') && (tlsa[2] == '0' || tlsa[2] == '1') &&
	       (tlsa[4] == '1' || tlsa[4] == '2' ||
		(tlsa[4] == '0' && strncmp(tlsa + 5, " sha256:", 8) == 0));
}

static bool fits_any(const struct ev_dns *d, const struct ev_tls *tls)
{
	for (const char *const *record = d->tlsa; record && *record; record++)
		for (const char *const *own = tls->tlsa; own && *own; own++)
			if (strcmp(*record, *own) == 0)
				return true;
	return false;
}

/* There are records to compare with, all of them can be, and the certificate fits none. */
static bool fits_none(const struct ev_dns *d, const struct ev_tls *tls)
{
	if (!d->tlsa || !d->tlsa[0] || !tls->tlsa)
		return false;
	for (const char *const *record = d->tlsa; *record; record++)
		if (!is_comparable(*record))
			return false;
	return !fits_any(d, tls);
}

static bool shows_pinned_key(const struct tracker *t, const struct flow *own, const struct flow *other)
{
	const struct ev_tls *theirs = tls_of(t, other);

	(void)own;
	return theirs && fits_any(tracker_dns(t, DNS_RECORD_TLSA), theirs);
}

static void dns_facts_of_port(const struct tracker *t, int port_index, struct port_facts *p)
{
	const struct ev_dns *tlsa = tracker_dns(t, DNS_RECORD_TLSA);
	const struct ev_dns *policy = tracker_dns(t, DNS_RECORD_MTA_STS);
	const struct ev_tls *tls = tls_of(t, p->flow);
	bool dane = is_secure(tlsa);
	bool sts = policy && policy->status == DNS_FOUND && policy->trust != DNS_FORGED;
	bool mail = t->plan->ports[port_index].port == SMTP_PORT;

	fact_note(p, F_STARTTLS_PROMISED, mail && (dane || sts),
		  t->dns[dane ? DNS_RECORD_TLSA : DNS_RECORD_MTA_STS].event);
	bool other = mail && dane && tls && fits_none(tlsa, tls);
	const struct flow *pinned = other ? other_port(t, port_index, shows_pinned_key) : NULL;
	fact_note(p, F_TLSA_OTHER, other, t->dns[DNS_RECORD_TLSA].event);
	fact_note(p, F_TLSA_ELSEWHERE, pinned != NULL, pinned ? pinned->tls_event : NO_EVENT);
	/* the owner of the zone vouches for the key, as good as any authority */
	if (mail && dane && tls && fits_any(tlsa, tls))
		fact_note(p, F_TLS_VERIFIED, true, p->flow->tls_event);
}

bool facts_await_dns(const struct tracker *t, int port_index, const struct port_facts *p)
{
	bool tlsa = t->dns[DNS_RECORD_TLSA].asked && !t->dns[DNS_RECORD_TLSA].has;
	bool policy = t->dns[DNS_RECORD_MTA_STS].asked && !t->dns[DNS_RECORD_MTA_STS].has;
	bool in_clear = fact_seen(p, F_STARTTLS_ABSENT) && !fact_seen(p, F_STARTTLS_TAKEN);
	bool unknown = p->flow && p->flow->has_tls && !fact_seen(p, F_TLS_VERIFIED);

	return t->plan->ports[port_index].port == SMTP_PORT &&
	       ((in_clear && (tlsa || policy)) || (unknown && tlsa));
}

void facts_of_comparison(const struct tracker *t, int port_index, struct port_facts *p)
{
	const struct flow *f = p->flow, *other;

	if (!fact_seen(p, F_CONNECTED) || !f->has_end)
		return;
	bool early = fact_seen(p, F_PATH_SYNACK_EARLY);
	fact_note(p, F_ANSWERED_ON_WAY, early || fact_seen(p, F_CANARY_TAKEN),
		  p->why[early ? F_PATH_SYNACK_EARLY : F_CANARY_TAKEN]);
	dns_facts_of_port(t, port_index, p);
	other = other_port(t, port_index, shows_tls);
	fact_note(p, F_STARTTLS_ELSEWHERE, other != NULL,
		  !other ? NO_EVENT : other->has_tls ? other->tls_event : other->replies[STAGE_EHLO].event);
	const struct ev_tls *tls = tls_of(t, f);
	other = tls && !tls->verified ? other_port(t, port_index, shows_good_key) : NULL;
	fact_note(p, F_TLS_OTHER_KEY, other != NULL, other ? other->tls_event : NO_EVENT);
}
