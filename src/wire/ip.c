/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wire/layers.h"

#define EXTENSIONS_MAX 16 /* RFC 8504 section 5.3 lets a host stop earlier */

void wire_ipv4_header(struct cursor *c, struct ip_header *h)
{
	uint8_t src[4], dst[4];
	size_t header_len = (size_t)(cursor_u8(c) & 0x0f) * 4;

	cursor_u8(c); /* DSCP, ECN */
	h->len = cursor_u16(c);
	h->id = cursor_u16(c);
	uint16_t fragment = cursor_u16(c);
	h->ttl = cursor_u8(c);
	h->proto = cursor_u8(c);
	cursor_u16(c); /* checksum: offload leaves it to the hardware */
	cursor_bytes(c, src, sizeof(src));
	cursor_bytes(c, dst, sizeof(dst));
	if (header_len < 20)
		cursor_fail(c, DECODE_MALFORMED);
	else
		cursor_take(c, header_len - 20);

	h->df = fragment & 0x4000;
	h->more_fragments = fragment & 0x2000;
	h->frag_offset = (uint16_t)((fragment & 0x1fff) * 8);
	h->options = header_len > 20;
	h->src = addr_v4(src);
	h->dst = addr_v4(dst);
}

void wire_ipv6_header(struct cursor *c, struct ip_header *h)
{
	uint8_t src[16], dst[16];

	h->flow_label = cursor_u32(c) & 0xfffff;
	h->len = cursor_u16(c);
	h->proto = cursor_u8(c);
	h->ttl = cursor_u8(c);
	cursor_bytes(c, src, sizeof(src));
	cursor_bytes(c, dst, sizeof(dst));
	h->src = addr_v6(src);
	h->dst = addr_v6(dst);
}

/* RFC 8200 section 4.2 options; of them only the jumbo length (RFC 2675 section 2) counts. */
static void hop_by_hop_options(struct cursor *c, struct ip_header *h)
{
	while (c->left > 0) {
		uint8_t type = cursor_u8(c);

		if (type == 0) /* Pad1 */
			continue;
		struct cursor data = cursor_sub(c, cursor_u8(c));
		if (type == 0xc2)
			h->jumbo = cursor_u32(&data);
		if (data.fault != DECODE_OK)
			cursor_fail(c, data.fault);
	}
}

/* Reads the header that h->proto names; returns the next one's number. */
static uint8_t extension(struct cursor *c, struct ip_header *h)
{
	uint8_t next = cursor_u8(c);
	size_t len = cursor_u8(c);

	switch (h->proto) {
	case PROTO_FRAGMENT: {
		uint16_t fragment = cursor_u16(c);
		h->frag_id = cursor_u32(c);
		h->frag_offset = fragment & 0xfff8;
		h->more_fragments = fragment & 1;
		break;
	}
	case PROTO_AH: /* RFC 4302 section 2.2 */ cursor_take(c, (len + 2) * 4 - 2); break;
	case PROTO_HOP_BY_HOP: {
		struct cursor options = cursor_sub(c, (len + 1) * 8 - 2);
		hop_by_hop_options(&options, h);
		if (options.fault != DECODE_OK)
			cursor_fail(c, options.fault);
		break;
	}
	default: cursor_take(c, (len + 1) * 8 - 2);
	}
	return next;
}

static bool is_extension(uint8_t proto)
{
	return proto == PROTO_HOP_BY_HOP || proto == PROTO_ROUTING || proto == PROTO_FRAGMENT ||
	       proto == PROTO_AH || proto == PROTO_DEST_OPTIONS;
}

void wire_ipv6_extensions(struct cursor *c, struct ip_header *h)
{
	/* A later fragment holds no more headers, whatever number its own header names. */
	for (int i = 0; is_extension(h->proto) && h->frag_offset == 0; i++) {
		if (h->stop_at_fragment && h->more_fragments)
			return;
		if (i == EXTENSIONS_MAX)
			cursor_fail(c, DECODE_MALFORMED);
		uint8_t next = extension(c, h);
		if (c->fault != DECODE_OK)
			return;
		h->options = true;
		h->proto = next;
	}
}

static void ipv4(struct cursor *c, struct ip_header *h)
{
	size_t before = c->left;

	wire_ipv4_header(c, h);
	size_t header_len = before - c->left;
	/* 0: not yet cut into segments (GSO, and IPv4 BIG TCP above 64 KB), the frame tells. Longer
	 * than the frame: a file whose writer cut packets and frame length alike. */
	if (h->len == 0)
		return;
	if (h->len < header_len)
		cursor_fail(c, DECODE_MALFORMED);
	else
		cursor_limit(c, h->len - header_len);
}

static void ipv6(struct cursor *c, struct ip_header *h)
{
	wire_ipv6_header(c, h);
	if (h->len != 0 || h->proto == PROTO_NONE)
		cursor_limit(c, h->len);
	size_t before = c->left;
	wire_ipv6_extensions(c, h);
	if (h->jumbo == 0 || c->fault != DECODE_OK)
		return; /* length 0 without a jumbo option: GSO again */

	/* RFC 2675 section 3 */
	size_t extensions_len = before - c->left;
	if (h->len != 0 || h->jumbo <= UINT16_MAX || h->jumbo < extensions_len)
		cursor_fail(c, DECODE_MALFORMED);
	else
		cursor_limit(c, h->jumbo - extensions_len);
}

static void upper_layer(struct cursor *c, struct packet *p)
{
	uint8_t icmp = p->src.family == ADDR_V4 ? PROTO_ICMP : PROTO_ICMPV6;

	if (p->frag_offset != 0)
		return;
	if (p->proto == PROTO_TCP) {
		p->kind = PACKET_TCP;
		wire_tcp(c, &p->tcp);
	} else if (p->proto == icmp) {
		p->kind = PACKET_ICMP;
		wire_icmp(c, p->src.family, &p->icmp);
	}
}

/* With whole packets in sight: what is behind the headers belongs to another function. */
static bool within(struct cursor *c, int tunnels, struct packet *p)
{
	struct packet inner;

	if (tunnels < 0)
		return false;
	if (p->frag_offset || p->more_fragments)
		return true; /* PACKET_OTHER, to be put together */
	if (tunnels == 0 || p->proto == PROTO_TCP ||
	    wire_tunnel(*c, tunnels, p, &inner) != DECODE_OK)
		return false;
	*p = inner;
	return true;
}

static void payload(const struct cursor *c, struct packet *p)
{
	p->truncated = c->cap < c->left;
	p->payload_len = (uint32_t)c->left;
	p->payload_caplen = (uint32_t)c->cap;
	p->payload = c->cap ? c->at : NULL;
}

enum decode_result wire_ip(struct cursor *c, uint8_t family, int tunnels, struct packet *p)
{
	struct ip_header h = {.stop_at_fragment = tunnels >= 0};
	uint8_t version = cursor_peek(c) >> 4;

	if (c->fault != DECODE_OK)
		return c->fault;
	if ((version != ADDR_V4 && version != ADDR_V6) || (family && family != version))
		return DECODE_MALFORMED;
	if (version == ADDR_V4)
		ipv4(c, &h);
	else
		ipv6(c, &h);
	if (c->fault != DECODE_OK)
		return c->fault;

	p->src = h.src;
	p->dst = h.dst;
	p->ttl = h.ttl;
	p->proto = h.proto;
	p->ip_id = h.id;
	p->frag_id = version == ADDR_V4 ? h.id : h.frag_id;
	p->flow_label = h.flow_label;
	p->df = h.df;
	p->more_fragments = h.more_fragments;
	p->frag_offset = h.frag_offset;
	p->has_ip_options = h.options;
	payload(c, p);
	if (within(c, tunnels, p))
		return DECODE_OK;
	bool truncated = p->truncated;
	upper_layer(c, p);
	if (tunnels < 0 && c->fault == DECODE_OK)
		wire_neighbour(c, p);
	payload(c, p);
	p->truncated = truncated;
	return c->fault;
}
