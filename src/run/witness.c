/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The DNS as a witness: what it promises of the target, asked beside the run. */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "probe/tls.h"
#include "run/dns.h"
#include "run/target.h"

#define SMTP_PORT 25 /* DANE and MTA-STS are about this one (RFC 7672, RFC 8461) */
#define POLL_NS   (5 * NS_PER_MS)
#define POLL_CROWD_NS (50 * NS_PER_MS) /* of each among many */

static void add_dns(struct run *r, const struct ev_dns *dns)
{
	struct event ev = {.kind = EV_DNS, .dns = *dns};

	look_add(r, &ev);
}

/* ---- what was said on the way to the target ---- */

static void add_known(struct run *r)
{
	struct arena *a = &r->log.arena;
	const struct plan *plan = r->plan;

	if (plan->mx_words)
		add_dns(r, &(struct ev_dns){.record = DNS_RECORD_MX,
					    .name = arena_strdup(a, plan->domain),
					    .trust = plan->mx_trust,
					    .text = arena_strdup(a, plan->mx_words)});
	if (plan->address_words)
		add_dns(r, &(struct ev_dns){.record = DNS_RECORD_ADDRESS,
					    .name = arena_strdup(a, plan->name),
					    .text = arena_strdup(a, plan->address_words)});
}

/* ---- what is asked ---- */

static const char *asked_name(struct run *r, enum dns_record record)
{
	struct arena *a = &r->log.arena;

	return record == DNS_RECORD_TLSA
		       ? arena_printf(a, "_%d._tcp.%s", SMTP_PORT, r->plan->name)
	       : record == DNS_RECORD_MTA_STS ? arena_printf(a, "_mta-sts.%s", r->plan->domain)
					      : arena_strdup(a, r->plan->name);
}

static bool tests_smtp(const struct plan *plan)
{
	for (unsigned i = 0; i < plan->n_ports; i++)
		if (plan->ports[i].tested && plan->ports[i].port == SMTP_PORT)
			return true;
	return false;
}

/* A name that has its place in the DNS; others are a hosts file's. */
static bool is_dns_name(const char *name)
{
	return name && strchr(name, '.');
}

/* Begins the lookups; says why, where it can't. */
static const char *begin(struct run *r, const struct dns_question *q, struct err *e)
{
	const char *name = r->plan->name;

	if (!name)
		return "an address was given, and no name";
	if (!is_dns_name(name))
		return arena_printf(&r->log.arena, "%s is no name of the DNS", name);
	if (!r->live->dns && dns_open(&r->live->dns, NULL, e) != 0)
		return e->text;
	r->dns = dns_begin(r->live->dns, q);
	return r->dns ? NULL : "this host has no resolver";
}

void witness_begin(struct run *r)
{
	const struct plan *plan = r->plan;
	bool smtp = tests_smtp(plan);
	struct dns_question q = {.name = plan->name, .address = plan->target.family};
	struct err e;

	add_known(r);
	if (smtp) {
		q.port = SMTP_PORT;
		q.domain = plan->domain;
	}
	const char *why_not = begin(r, &q, &e);
	if (why_not && smtp)
		look_add_not_looked(r, LOOK_DNS, why_not);
	if (why_not)
		return;
	bool asked[DNS_RECORD_COUNT] = {[DNS_RECORD_CHECKED] = true,
					[DNS_RECORD_TLSA] = q.port != 0,
					[DNS_RECORD_MTA_STS] = q.domain != NULL};
	for (int i = 0; i < DNS_RECORD_COUNT; i++)
		if (asked[i])
			add_dns(r, &(struct ev_dns){.record = (enum dns_record)i,
						    .asked = true,
						    .name = asked_name(r, (enum dns_record)i)});
}

/* ---- what came of it ---- */

static const char *const *tlsa_text(struct arena *a, const struct dns_facts *f)
{
	const char **out = arena_alloc(a, (f->n_tlsa + 1) * sizeof(*out));

	for (unsigned i = 0; i < f->n_tlsa; i++) {
		const struct dns_tlsa *t = &f->tlsa[i];
		unsigned len = t->len < DNS_TLSA_DATA_MAX ? t->len : DNS_TLSA_DATA_MAX;
		/* a whole certificate or key is kept, and compared, by its digest */
		if (t->matching == 0)
			len = TLS_SHA256_SIZE;
		char *text = arena_printf(a, "%u %u %u %s%*s", t->usage, t->selector, t->matching,
					  t->matching == 0 ? TLS_WHOLE : "", (int)(2 * len), "");
		char *hex = text + strlen(text) - 2 * len;
		for (unsigned k = 0; k < len; k++)
			snprintf(hex + 2 * k, 3, "%02x", t->data[k]);
		out[i] = text;
	}
	return out;
}

static const char *joined(struct arena *a, const char *const *list)
{
	const char *out = "";

	for (; *list; list++)
		out = arena_printf(a, "%s%s%s", out, out[0] ? ", " : "", *list);
	return out;
}

static void add_answers(struct run *r, const struct dns_facts *f)
{
	struct arena *a = &r->log.arena;

	for (int i = 0; i < DNS_RECORD_COUNT; i++) {
		const struct dns_said *said = &f->said[i];
		struct ev_dns dns = {.record = (enum dns_record)i,
				     .name = asked_name(r, (enum dns_record)i),
				     .status = said->status,
				     .trust = said->trust};
		if (!said->asked)
			continue;
		if (i == DNS_RECORD_TLSA && f->n_tlsa) {
			dns.tlsa = tlsa_text(a, f);
			dns.text = joined(a, dns.tlsa);
		}
		/* records that are none of a policy are not its */
		if (i == DNS_RECORD_MTA_STS && dns.status == DNS_FOUND && !f->mta_sts)
			dns.status = DNS_NO_DATA;
		if (i == DNS_RECORD_MTA_STS && f->mta_sts)
			dns.text = arena_printf(a, "policy %s", f->mta_sts_id);
		add_dns(r, &dns);
	}
}

void witness_step(struct run *r, int64_t *wake)
{
	if (!r->dns)
		return;
	if (dns_step(r->live->dns, r->dns)) {
		witness_end(r);
		return;
	}
	int64_t next = clock_mono_ns() + (r->live->crowd ? POLL_CROWD_NS : POLL_NS);
	if (next < *wake)
		*wake = next;
}

void witness_end(struct run *r)
{
	struct dns_facts f;

	if (!r->dns)
		return;
	dns_end(r->live->dns, r->dns, &f);
	r->dns = NULL;
	add_answers(r, &f);
}
