/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wire/layers.h"

/* RFC 826 for Ethernet and IPv4, the only kind that an IPv4 next hop is asked with. */
enum decode_result wire_arp(struct cursor *c, struct packet *p)
{
	enum { ETHERTYPE_IPV4 = 0x0800, REQUEST = 1, REPLY = 2, ADDRESS_LEN = 4 };
	uint8_t sender[ADDRESS_LEN], target[ADDRESS_LEN];

	cursor_u16(c); /* hardware */
	uint16_t proto = cursor_u16(c);
	uint8_t hardware_len = cursor_u8(c), proto_len = cursor_u8(c);
	uint16_t operation = cursor_u16(c);
	if (c->fault == DECODE_OK && (proto != ETHERTYPE_IPV4 || proto_len != ADDRESS_LEN ||
				      (operation != REQUEST && operation != REPLY)))
		return DECODE_NOT_IP;
	cursor_take(c, hardware_len);
	cursor_bytes(c, sender, sizeof(sender));
	cursor_take(c, hardware_len);
	cursor_bytes(c, target, sizeof(target));
	if (c->fault != DECODE_OK)
		return c->fault;

	p->src = addr_v4(sender);
	p->dst = addr_v4(target);
	p->neighbour.answers = operation == REPLY;
	p->neighbour.about = operation == REPLY ? p->src : p->dst;
	return DECODE_OK;
}

void wire_neighbour(struct cursor *c, struct packet *p)
{
	enum { SOLICITATION = 135, ADVERTISEMENT = 136, HOP_LIMIT = 255 };
	uint8_t about[16];

	/* RFC 4861 section 7.1: with any other hop limit it comes from elsewhere, and counts for nobody */
	if (p->kind != PACKET_ICMP || p->src.family != ADDR_V6 || p->ttl != HOP_LIMIT || p->icmp.code != 0 ||
	    (p->icmp.type != SOLICITATION && p->icmp.type != ADVERTISEMENT))
		return;
	cursor_bytes(c, about, sizeof(about));
	bool answers = p->icmp.type == ADVERTISEMENT;
	p->kind = PACKET_NEIGHBOUR;
	p->neighbour = (struct neighbour_message){.answers = answers, .about = addr_v6(about)};
}
