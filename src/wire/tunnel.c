/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Packets inside IP packets. */
#include "wire/layers.h"

enum gre_type {
	GRE_IPV4 = 0x0800,
	GRE_BRIDGED = 0x6558, /* a whole Ethernet frame */
	GRE_IPV6 = 0x86dd,
	GRE_PPP = 0x880b,    /* version 1, RFC 2637 */
	GRE_ERSPAN = 0x88be, /* types I and II */
	GRE_ERSPAN3 = 0x22eb,
};

enum udp_port {
	UDP_VXLAN = 4789,
	UDP_VXLAN_LINUX = 8472, /* before IANA's number */
	UDP_GENEVE = 6081,
};

#define GRE_CHECKSUM 0x8000
#define GRE_ROUTING  0x4000
#define GRE_KEY      0x2000
#define GRE_SEQUENCE 0x1000
#define GRE_ACK      0x0080 /* version 1 */
#define GRE_VERSION  0x0007

static enum decode_result gre(struct cursor *c, struct packet *p, uint8_t *family)
{
	uint16_t flags = cursor_u16(c);
	uint16_t type = cursor_u16(c);

	p->around |= AROUND_GRE;
	if ((flags & GRE_ROUTING) || (flags & GRE_VERSION) > 1)
		return DECODE_UNSUPPORTED;
	if (flags & GRE_CHECKSUM)
		cursor_u32(c);
	if (flags & GRE_KEY)
		cursor_u32(c);
	if (flags & GRE_SEQUENCE)
		cursor_u32(c);
	if ((flags & GRE_VERSION) == 1 && (flags & GRE_ACK))
		cursor_u32(c);
	switch (type) {
	case GRE_PPP: return wire_ppp(c, p, family);
	case GRE_BRIDGED: return wire_ethernet(c, p, family);
	case GRE_ERSPAN:
		if (flags & GRE_SEQUENCE) /* type II has a header of its own */
			cursor_take(c, 8);
		return wire_ethernet(c, p, family);
	case GRE_ERSPAN3: {
		const uint8_t *header = cursor_take(c, 12);
		if (header && (header[11] & 1)) /* a subheader for the platform follows */
			cursor_take(c, 8);
		return wire_ethernet(c, p, family);
	}
	default: return wire_by_ethertype(c, type, p, family);
	}
}

/* RFC 7348 */
static enum decode_result vxlan(struct cursor *c, struct packet *p, uint8_t *family)
{
	uint8_t flags = cursor_u8(c);

	cursor_take(c, 7);
	if (c->fault == DECODE_OK && !(flags & 0x08))
		return DECODE_NOT_IP;
	p->around |= AROUND_VXLAN;
	return wire_ethernet(c, p, family);
}

/* RFC 8926 */
static enum decode_result geneve(struct cursor *c, struct packet *p, uint8_t *family)
{
	uint8_t first = cursor_u8(c);

	cursor_u8(c);
	uint16_t type = cursor_u16(c);
	cursor_u32(c);
	cursor_take(c, (size_t)(first & 0x3f) * 4);
	if (c->fault == DECODE_OK && first >> 6 != 0)
		return DECODE_NOT_IP;
	p->around |= AROUND_GENEVE;
	if (type == GRE_BRIDGED)
		return wire_ethernet(c, p, family);
	return wire_by_ethertype(c, type, p, family);
}

static enum decode_result udp(struct cursor *c, struct packet *p, uint8_t *family)
{
	cursor_u16(c);
	uint16_t port = cursor_u16(c);
	cursor_u32(c);

	if (port == UDP_VXLAN || port == UDP_VXLAN_LINUX)
		return vxlan(c, p, family);
	return port == UDP_GENEVE ? geneve(c, p, family) : DECODE_NOT_IP;
}

static enum decode_result headers(struct cursor *c, uint8_t proto, struct packet *p,
				  uint8_t *family)
{
	switch (proto) {
	case PROTO_IPV4:
	case PROTO_IPV6:
		p->around |= AROUND_IPIP;
		*family = proto == PROTO_IPV4 ? ADDR_V4 : ADDR_V6;
		return DECODE_OK;
	case PROTO_GRE: return gre(c, p, family);
	case PROTO_UDP: return udp(c, p, family);
	default: return DECODE_NOT_IP;
	}
}

enum decode_result wire_tunnel(struct cursor c, int tunnels, const struct packet *p,
			       struct packet *inner)
{
	uint8_t family = ADDR_NONE;

	*inner = (struct packet){.ifindex = p->ifindex,
				 .dir = p->dir,
				 .loopback = p->loopback,
				 .around = p->around,
				 .outer_ttl = p->outer_ttl ? p->outer_ttl : p->ttl};
	enum decode_result r = headers(&c, p->proto, inner, &family);
	if (r == DECODE_OK && c.fault != DECODE_OK)
		r = c.fault;
	return r == DECODE_OK ? wire_ip(&c, family, tunnels - 1, inner) : r;
}
