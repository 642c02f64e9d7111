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

/* In place: a copy of what was just written piece by piece would have to wait for it. */
static void put_end(const struct track *t, unsigned end, struct addr *out)
{
	out->family = t->family;
	memcpy(out->bytes, t->addr[end], sizeof(out->bytes));
}

static void of_track(const struct track *t, struct conn *c)
{
	*c = (struct conn){
		.first_packet = t->first_packet,
		.last_packet = t->last_packet,
		.start_ns = t->start_ns,
		.last_ns = t->last_ns,
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
	put_end(t, t->client, &c->client);
	put_end(t, !t->client, &c->server);
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

/* At least as many bytes as the record will have. */
static size_t room_for(const struct track *t)
{
	const struct body *b = t->body;
	size_t size = sizeof(struct conn) + 8;

	if (!b)
		return size;
	size += b->text_len + 8;
	if (b->notes)
		size += sizeof(*b->notes);
	if (b->talk)
		size += sizeof(b->talk->smtp);
	if (b->cipher)
		size += sizeof(b->cipher->tls);
	return size;
}

const struct conn *record_of(struct engine *e, struct track *t)
{
	uint8_t *record = e->room ? e->room(e->ctx, room_for(t)) : e->record;
	struct conn *c = (struct conn *)(void *)record;
	size_t len = (sizeof(*c) + 7) / 8 * 8;
	const struct body *b = t->body;

	of_track(t, c);
	c->until_ns = e->now_ns > t->last_ns ? e->now_ns : t->last_ns;
	if (!b) {
		track_client_half(t, &c->half[CONN_CLIENT]);
		c->text = (const char *)record + len;
		c->size = len;
		return c;
	}
	of_body(b, c);
	const struct notes *n = b->notes;
	if (n) {
		c->n_rsts = n->n_rsts;
		c->n_icmp = n->n_icmp;
		c->rsts = append(record, &len, n->rsts, n->n_rsts * sizeof(n->rsts[0]));
		c->icmp = append(record, &len, n->icmp, n->n_icmp * sizeof(n->icmp[0]));
		if (n->has_twin)
			c->twin = append(record, &len, &n->twin, sizeof(n->twin));
	}
	if (b->talk)
		c->smtp = append(record, &len, &b->talk->smtp, sizeof(b->talk->smtp));
	if (b->cipher)
		c->tls = append(record, &len, &b->cipher->tls, sizeof(b->cipher->tls));
	c->text = (const char *)record + len;
	c->text_len = b->text_len;
	if (b->text_len)
		append(record, &len, b->text, b->text_len);
	c->size = len;
	return c;
}
