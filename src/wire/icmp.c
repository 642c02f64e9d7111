/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wire/layers.h"

enum icmpv4_type {
	V4_UNREACHABLE = 3,
	V4_SOURCE_QUENCH = 4,
	V4_REDIRECT = 5,
	V4_TIME_EXCEEDED = 11,
	V4_PARAMETER = 12,
};

enum icmpv6_type {
	V6_UNREACHABLE = 1,
	V6_TOO_BIG = 2,
	V6_TIME_EXCEEDED = 3,
	V6_ERROR_MAX = 127, /* RFC 4443 section 2.1 */
};

#define V4_FRAGMENTATION_NEEDED 4
#define RFC4884_QUOTE_MIN       128

/* IPv4: the total length; IPv6: the payload length and the 40 bytes before it. */
static uint16_t quoted_len(const struct ip_header *h)
{
	uint32_t len = h->src.family == ADDR_V4 ? h->len : h->len + 40u;

	return len > UINT16_MAX ? UINT16_MAX : (uint16_t)len;
}

static void quoted_tcp(struct cursor c, struct icmp_quote *q)
{
	struct cursor ports = c;
	struct tcp_segment t = {0};

	q->sport = cursor_u16(&ports);
	q->dport = cursor_u16(&ports);
	q->seq = cursor_u32(&ports);
	q->has_ports = ports.fault == DECODE_OK;

	/* A quote of 8 bytes that RFC 4884 padded with zeros fails here by its data offset. */
	size_t options_len = wire_tcp_fixed(&c, &t);
	if (c.fault != DECODE_OK)
		return;
	q->has_tcp_rest = true;
	q->ack = t.ack;
	q->flags = t.flags;
	q->window = t.window;
	/* the quote may end anywhere */
	wire_tcp_options(cursor_sub(&c, options_len < c.left ? options_len : c.left), &t);
	q->has_mss = t.has_mss;
	q->mss = t.mss;
}

/* A quote that is missing, cut or wrong is no fault of the message around it. The quoted length is
 * no bound: it is known to come back byte-swapped or without the header. */
static void quote(struct cursor c, uint8_t family, struct icmp_quote *q)
{
	struct ip_header h = {0};

	if (c.cap == 0 || cursor_peek(&c) >> 4 != family)
		return;
	if (family == ADDR_V4)
		wire_ipv4_header(&c, &h);
	else
		wire_ipv6_header(&c, &h);
	if (c.fault != DECODE_OK)
		return;
	if (family == ADDR_V6)
		wire_ipv6_extensions(&c, &h);

	q->present = true;
	q->src = h.src;
	q->dst = h.dst;
	q->ttl = h.ttl;
	q->proto = h.proto;
	q->ip_id = h.id;
	q->ip_len = quoted_len(&h);
	if (c.fault == DECODE_OK && h.proto == PROTO_TCP && h.frag_offset == 0)
		quoted_tcp(c, q);
}

/* RFC 4884 section 4: how long the quote is when extensions follow, in words of 64 bits. Older
 * routers leave anything in this byte. IPv4 has the same, but needs no look: extensions begin at
 * byte 128 or later, where no IPv4 and TCP header reach, unlike behind IPv6 extension headers. */
static size_t quote_len(uint8_t family, uint8_t type, uint32_t rest)
{
	if (family == ADDR_V6 && (type == V6_UNREACHABLE || type == V6_TIME_EXCEEDED))
		return (size_t)(rest >> 24) * 8;
	return 0;
}

static bool is_error(uint8_t family, uint8_t type)
{
	if (family == ADDR_V6)
		return type <= V6_ERROR_MAX;
	return type == V4_UNREACHABLE || type == V4_SOURCE_QUENCH || type == V4_REDIRECT ||
	       type == V4_TIME_EXCEEDED || type == V4_PARAMETER;
}

void wire_icmp(struct cursor *c, uint8_t family, struct icmp_message *m)
{
	m->type = cursor_u8(c);
	m->code = cursor_u8(c);
	cursor_u16(c); /* checksum */
	uint32_t rest = cursor_u32(c);

	if (c->fault != DECODE_OK)
		return;
	if (family == ADDR_V4 && m->type == V4_UNREACHABLE && m->code == V4_FRAGMENTATION_NEEDED)
		m->mtu = rest & 0xffff;
	if (family == ADDR_V6 && m->type == V6_TOO_BIG)
		m->mtu = rest > UINT16_MAX ? UINT16_MAX : (uint16_t)rest;
	if (!is_error(family, m->type))
		return;

	struct cursor quoted = *c;
	size_t len = quote_len(family, m->type, rest);
	if (len >= RFC4884_QUOTE_MIN && len <= quoted.left)
		cursor_limit(&quoted, len);
	quote(quoted, family, &m->quote);
}
