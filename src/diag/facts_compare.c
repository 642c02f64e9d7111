/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One port's session against those of the address's other ports. Pure. */
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

void facts_of_comparison(const struct tracker *t, int port_index, struct port_facts *p)
{
	const struct flow *f = p->flow, *other;

	if (!fact_seen(p, F_CONNECTED) || !f->has_end)
		return;
	bool early = fact_seen(p, F_PATH_SYNACK_EARLY);
	fact_note(p, F_ANSWERED_ON_WAY, early || fact_seen(p, F_CANARY_TAKEN),
		  p->why[early ? F_PATH_SYNACK_EARLY : F_CANARY_TAKEN]);
	other = other_port(t, port_index, shows_tls);
	fact_note(p, F_STARTTLS_ELSEWHERE, other != NULL,
		  !other ? NO_EVENT : other->has_tls ? other->tls_event : other->replies[STAGE_EHLO].event);
	const struct ev_tls *tls = tls_of(t, f);
	other = tls && !tls->verified ? other_port(t, port_index, shows_good_key) : NULL;
	fact_note(p, F_TLS_OTHER_KEY, other != NULL, other ? other->tls_event : NO_EVENT);
}
