/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ICMP errors that quote a packet of a connection. */
#include "conn/engine_private.h"

static bool same_kind(const struct conn_icmp *i, const struct packet *p)
{
	return i->type == p->icmp.type && i->code == p->icmp.code && addr_equal(&i->from, &p->src);
}

/* Was a packet with this sequence number sent? SYNs and FINs have numbers, too. */
static bool was_sent(const struct stream *s, uint32_t seq)
{
	return (int32_t)(seq - (s->base - 1)) >= 0 && (int32_t)(seq - (s->next + 1)) <= 0;
}

void track_icmp(struct engine *e, struct track *t, const struct packet *p, enum conn_side side)
{
	const struct icmp_message *m = &p->icmp;
	enum conn_phase phase = track_phase(t);
	struct notes *n = track_notes(e, t);

	e->mark = track_mark(e, t);
	if (!n)
		return;
	if (e->t_ns > t->last_ns)
		t->last_ns = e->t_ns;
	t->last_packet = e->number;
	for (unsigned i = 0; i < n->n_icmp; i++) {
		if (same_kind(&n->icmp[i], p)) {
			if (n->icmp[i].count < UINT16_MAX)
				n->icmp[i].count++;
			return;
		}
	}
	if (n->n_icmp == CONN_ICMP_MAX)
		return;
	const struct stream *s = &t->body->stream[side];
	n->icmp[n->n_icmp++] = (struct conn_icmp){
		.at = e->mark,
		.from = p->src,
		.type = m->type,
		.code = m->code,
		.ttl = p->ttl,
		.quoted_ttl = m->quote.ttl,
		.side = (uint8_t)side,
		.phase = (uint8_t)phase,
		.mtu = m->mtu,
		.quoted_len = m->quote.ip_len,
		.count = 1,
		.seq_known = s->known,
		.seq_sent = s->known && was_sent(s, m->quote.seq),
	};
}
