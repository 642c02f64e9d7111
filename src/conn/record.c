/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parts of a connection as one struct conn. */
#include <string.h>

#include "conn/engine_private.h"

/* Copies a part behind what is there already; returns where. */
static void *append(uint8_t *record, size_t *len, const void *part, size_t size)
{
	void *at = record + *len;

	memcpy(at, part, size);
	*len += (size + 7) / 8 * 8;
	return at;
}

struct addr track_address(const struct track *t, unsigned end)
{
	return t->family == ADDR_V4 ? addr_v4(t->addr[end]) : addr_v6(t->addr[end]);
}

static void of_track(const struct track *t, struct conn *c)
{
	*c = (struct conn){
		.first_packet = t->first_packet,
		.last_packet = t->last_packet,
		.start_ns = t->start_ns,
		.last_ns = t->last_ns,
		.client = track_address(t, t->client),
		.server = track_address(t, !t->client),
		.client_port = t->port[t->client],
		.server_port = t->port[!t->client],
		.begin = t->begin,
		.end = t->end,
		.role = t->role,
		.phase = track_phase(t),
		.around = t->around,
		.loopback = t->loopback,
		.snap_cut = t->snap_cut,
		.text_full = t->text_full,
		.any_port = t->proof != PROOF_LISTED,
		.interfaces = (uint8_t)__builtin_popcount(t->interfaces),
		.tunnel_ttl = t->tunnel_ttl,
		.duplicates = t->duplicates,
		.syn = t->syn,
		.syn_last = t->syn_last,
		.syns = t->syns,
		.syn_print = t->syn_print,
		.syn_payload = t->syn_payload,
	};
}

static void of_body(const struct body *b, struct conn *c)
{
	c->syn_after_synack = b->syn_after_synack;
	c->syns_after_synack = b->syns_after_synack;
	c->synack = b->synack;
	c->synack_last = b->synack_last;
	c->synacks = b->synacks;
	c->synack_other = b->synack_other;
	c->synacks_other = b->synacks_other;
	c->synack_stray = b->synack_stray;
	c->established = b->established;
	c->end_at = b->end_at;
	c->synack_print = b->synack_print;
	c->synack_other_print = b->synack_other_print;
	memcpy(c->half, b->half, sizeof(c->half));
}

const struct conn *record_of(struct engine *e, struct track *t)
{
	struct conn *c = (struct conn *)e->record;
	size_t len = (sizeof(*c) + 7) / 8 * 8;
	const struct body *b = t->body;

	of_track(t, c);
	c->until_ns = e->now_ns > t->last_ns ? e->now_ns : t->last_ns;
	if (!b) {
		track_client_half(t, &c->half[CONN_CLIENT]);
		c->text = (const char *)e->record + len;
		c->size = len;
		return c;
	}
	of_body(b, c);
	const struct notes *n = b->notes;
	if (n) {
		c->n_rsts = n->n_rsts;
		c->n_icmp = n->n_icmp;
		c->rsts = append(e->record, &len, n->rsts, n->n_rsts * sizeof(n->rsts[0]));
		c->icmp = append(e->record, &len, n->icmp, n->n_icmp * sizeof(n->icmp[0]));
		if (n->has_twin)
			c->twin = append(e->record, &len, &n->twin, sizeof(n->twin));
	}
	if (b->talk)
		c->smtp = append(e->record, &len, &b->talk->smtp, sizeof(b->talk->smtp));
	if (b->cipher)
		c->tls = append(e->record, &len, &b->cipher->tls, sizeof(b->cipher->tls));
	c->text = (const char *)e->record + len;
	c->text_len = b->text_len;
	if (b->text_len)
		append(e->record, &len, b->text, b->text_len);
	c->size = len;
	return c;
}
