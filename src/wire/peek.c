/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wire/peek.h"

#include <string.h>

#include "wire/layers.h"

/* Those link types that most captures have; all others are decoded. */
enum {
	LINK_ETHERNET = 1,
	LINK_RAW = 12,
	LINK_RAW_FILE = 101,
	LINK_LINUX_SLL = 113,
	LINK_IPV4 = 228,
	LINK_IPV6 = 229,
	LINK_LINUX_SLL2 = 276,
};

#define TYPE_IPV4 0x0800
#define TYPE_ARP  0x0806
#define TYPE_VLAN 0x8100
#define TYPE_QINQ 0x88a8
#define TYPE_IPV6 0x86dd
#define TYPE_LLDP 0x88cc

#define HARDWARE_ETHERNET 1
#define HARDWARE_LOOPBACK 772
#define HARDWARE_NONE     0xfffe /* tunnels */
#define PACKET_TYPE_OUT   4

#define IPV4_MIN 20
#define IPV6_LEN 40
#define TCP_MIN  20

/* Where these are inlined, the usual way is one function without calls. */
#define INLINE static inline __attribute__((always_inline))

INLINE uint16_t get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap16(v);
}


/* What the layers around the IP packet say of it. */
struct around {
	uint16_t bits; /* enum packet_around */
	uint16_t interface;
	uint8_t dir;
	bool loopback;
};

/* The rest of tcp(). */
INLINE enum peek tcp_fields(const struct frame *f, size_t at, size_t end, struct segment *s)
{
	const uint8_t *t = f->bytes + at;
	size_t header = (size_t)(t[12] >> 4) * 4;
	if (header < TCP_MIN || end < at + header)
		return PEEK_DECODE;

	size_t options_end = at + header < f->caplen ? at + header : f->caplen;
	s->seq = wire_u32(t + 4);
	s->ack = wire_u32(t + 8);
	s->flags = t[13];
	s->window = get16(t + 14);
	s->options = t + TCP_MIN;
	s->options_len = (uint8_t)(options_end - at - TCP_MIN);
	s->options_claimed = (uint8_t)(header - TCP_MIN);
	s->payload = t + header;
	s->payload_len = (uint32_t)(end - at - header);
	size_t there = f->caplen > at + header ? f->caplen - at - header : 0;
	s->payload_cap = there < s->payload_len ? (uint32_t)there : s->payload_len;
	return PEEK_SEGMENT;
}

/* at: offset of the TCP header; end: where the IP packet ends by its own length. */
INLINE enum peek tcp(const struct frame *f, size_t at, size_t end, const struct port_set *ports,
		     struct segment *s)
{
	const uint8_t *t = f->bytes + at;

	if (f->caplen < at + TCP_MIN || end < at + TCP_MIN)
		return PEEK_DECODE;
	s->sport = get16(t);
	s->dport = get16(t + 2);
	if (!port_in(ports, s->sport) && !port_in(ports, s->dport))
		return PEEK_NOTHING;
	return tcp_fields(f, at, end, s);
}

/* VXLAN and Geneve hold frames; other UDP does not matter. */
INLINE enum peek udp(const struct frame *f, size_t at)
{
	if (f->caplen < at + 4)
		return PEEK_DECODE;
	switch (get16(f->bytes + at + 2)) {
	case 4789:
	case 8472:
	case 6081: return PEEK_DECODE;
	default: return PEEK_NOTHING;
	}
}

INLINE void put_around(struct segment *s, struct around around)
{
	s->around = around.bits;
	s->interface = around.interface;
	s->dir = around.dir;
	s->loopback = around.loopback;
	s->outer_ttl = 0;
	s->decoded = NULL;
	s->fragments = false;
}

INLINE void put_ipv4(struct segment *s, const uint8_t *ip, struct around around)
{
	put_around(s, around);
	s->family = ADDR_V4;
	s->src = ip + 12;
	s->dst = ip + 16;
	s->ttl = ip[8];
	s->ip_id = get16(ip + 4);
	s->df = ip[6] & 0x40;
	s->ip_options = (ip[0] & 0x0f) * 4 > IPV4_MIN;
}

INLINE enum peek ipv4(const struct frame *f, size_t at, struct around around,
		      const struct port_set *ports, struct segment *s)
{
	const uint8_t *ip = f->bytes + at;

	if (f->caplen < at + IPV4_MIN || ip[0] >> 4 != 4)
		return PEEK_DECODE;
	size_t header = (size_t)(ip[0] & 0x0f) * 4;
	uint16_t fragment = get16(ip + 6);
	if (ip[9] != PROTO_TCP) {
		switch (ip[9]) {
		case PROTO_UDP: return fragment & 0x3fff ? PEEK_DECODE : udp(f, at + header);
		case PROTO_ICMP:
			/* echo, its reply and other questions quote nothing */
			if (f->caplen > at + header && (ip[header] == 8 || ip[header] == 0))
				return PEEK_NOTHING;
			return PEEK_DECODE;
		case PROTO_IPV4:
		case PROTO_IPV6:
		case PROTO_GRE: return PEEK_DECODE;
		default: return PEEK_NOTHING;
		}
	}
	if (header < IPV4_MIN || (fragment & 0x3fff))
		return PEEK_DECODE;

	size_t len = get16(ip + 2);
	if (len == 0) /* not yet cut into segments: the frame tells */
		len = (f->wire_len > f->caplen ? f->wire_len : f->caplen) - at;
	enum peek r = tcp(f, at + header, at + len, ports, s);
	if (r == PEEK_SEGMENT)
		put_ipv4(s, ip, around);
	return r;
}

INLINE enum peek ipv6(const struct frame *f, size_t at, struct around around,
		      const struct port_set *ports, struct segment *s)
{
	const uint8_t *ip = f->bytes + at;

	if (f->caplen < at + IPV6_LEN || ip[0] >> 4 != 6)
		return PEEK_DECODE;
	switch (ip[6]) {
	case PROTO_TCP: break;
	case PROTO_UDP: return udp(f, at + IPV6_LEN);
	case PROTO_HOP_BY_HOP:
	case PROTO_IPV4:
	case PROTO_IPV6:
	case PROTO_ROUTING:
	case PROTO_FRAGMENT:
	case PROTO_GRE:
	case PROTO_AH:
	case PROTO_DEST_OPTIONS: return PEEK_DECODE;
	case PROTO_ICMPV6: /* from 128 on: no errors (RFC 4443 section 2.1) */
		return f->caplen > at + IPV6_LEN && ip[IPV6_LEN] >= 128 ? PEEK_NOTHING
									: PEEK_DECODE;
	default: return PEEK_NOTHING;
	}

	size_t len = get16(ip + 4);
	if (len == 0)
		return PEEK_DECODE;
	enum peek r = tcp(f, at + IPV6_LEN, at + IPV6_LEN + len, ports, s);
	if (r != PEEK_SEGMENT)
		return r;
	put_around(s, around);
	s->family = ADDR_V6;
	s->src = ip + 8;
	s->dst = ip + 24;
	s->ttl = ip[7];
	s->ip_id = 0;
	s->df = false;
	s->ip_options = false;
	return r;
}

static enum peek by_type(const struct frame *f, uint16_t type, size_t at, struct around around,
			 const struct port_set *ports, struct segment *s)
{
	while (type == TYPE_VLAN || type == TYPE_QINQ) {
		if (f->caplen < at + 4)
			return PEEK_DECODE;
		around.bits |= AROUND_VLAN;
		type = get16(f->bytes + at + 2);
		at += 4;
	}
	switch (type) {
	case TYPE_IPV4: return ipv4(f, at, around, ports, s);
	case TYPE_IPV6: return ipv6(f, at, around, ports, s);
	case TYPE_ARP:
	case TYPE_LLDP: return PEEK_NOTHING;
	default: return PEEK_DECODE;
	}
}

/* "cooked" frames: SLL, SLL2 */
static enum peek cooked(const struct frame *f, uint16_t type, uint16_t hardware,
			unsigned packet_type, size_t at, struct around around,
			const struct port_set *ports, struct segment *s)
{
	if (hardware != HARDWARE_ETHERNET && hardware != HARDWARE_LOOPBACK &&
	    hardware != HARDWARE_NONE)
		return PEEK_DECODE;
	around.loopback = hardware == HARDWARE_LOOPBACK;
	if (around.loopback || packet_type < PACKET_TYPE_OUT)
		around.dir = PACKET_IN;
	else if (packet_type == PACKET_TYPE_OUT)
		around.dir = PACKET_OUT;
	return by_type(f, type, at, around, ports, s);
}

/* Ethernet addresses as on Linux's lo */
INLINE bool is_on_lo(const uint8_t *b)
{
	return (wire_u32(b) | wire_u32(b + 8)) == 0;
}

static __attribute__((noinline)) enum peek by_link(const struct frame *f,
							   const struct port_set *ports,
							   struct segment *s)
{
	const uint8_t *b = f->bytes;
	struct around around = {.interface = f->interface, .dir = f->dir};

	switch (f->link_type) {
	case LINK_ETHERNET:
		if (f->caplen < 14 || is_on_lo(b))
			return PEEK_DECODE;
		return by_type(f, get16(b + 12), 14, around, ports, s);
	case LINK_RAW:
	case LINK_RAW_FILE:
	case LINK_IPV4:
	case LINK_IPV6:
		if (f->caplen < 1)
			return PEEK_DECODE;
		if (b[0] >> 4 == 4 && f->link_type != LINK_IPV6)
			return by_type(f, TYPE_IPV4, 0, around, ports, s);
		if (f->link_type == LINK_IPV4)
			return PEEK_DECODE;
		return by_type(f, TYPE_IPV6, 0, around, ports, s);
	case LINK_LINUX_SLL:
		if (f->caplen < 16)
			return PEEK_DECODE;
		return cooked(f, get16(b + 14), get16(b + 2), get16(b), 16, around, ports, s);
	case LINK_LINUX_SLL2:
		if (f->caplen < 20)
			return PEEK_DECODE;
		around.interface = get16(b + 6); /* the low half of the index */
		return cooked(f, get16(b), get16(b + 8), b[10], 20, around, ports, s);
	default: return PEEK_DECODE;
	}
}

/* Most frames of most captures go this way. */
enum peek wire_peek(const struct frame *f, const struct port_set *ports, struct segment *out)
{
	static const size_t at = WIRE_ETHERNET, tcp_at = WIRE_ETHERNET + WIRE_IPV4;
	const uint8_t *b = f->bytes, *ip = b + at, *t = b + tcp_at;

	if (!f->plain && !(wire_is_plain_v4(f->link_type, b, f->caplen) && wire_wants(t, ports)))
		return by_link(f, ports, out);
	if (is_on_lo(b))
		return PEEK_DECODE;
	out->sport = get16(t);
	out->dport = get16(t + 2);
	enum peek r = tcp_fields(f, tcp_at, at + get16(ip + 2), out);
	if (r == PEEK_SEGMENT)
		put_ipv4(out, ip, (struct around){.interface = f->interface, .dir = f->dir});
	return r;
}
