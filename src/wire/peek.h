/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The fast way through a capture: a look at a frame's fixed offsets that throws
 * away what is of no interest, and takes TCP apart where nothing unusual is in
 * between. What it can't tell at once is left to the whole decoder.
 */
#ifndef SB_WIRE_PEEK_H
#define SB_WIRE_PEEK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "model/frame.h"
#include "model/packet.h"

/* Of which ports TCP is of interest, as source or destination: a bit each. */
struct port_set {
	uint64_t bits[65536 / 64];
};

static inline bool port_in(const struct port_set *s, uint16_t port)
{
	return s->bits[port / 64] >> (port % 64) & 1;
}

/* A TCP segment whose fields are read and whose options, payload and addresses still lie in the
 * frame. */
struct segment {
	const uint8_t *src, *dst; /* 4 or 16 bytes by `family` */
	const uint8_t *options;   /* options_len of them are there, options_claimed should be */
	const struct tcp_segment *decoded; /* they are read already; or NULL */
	const uint8_t *payload;            /* payload_cap bytes are there, of payload_len */
	uint32_t payload_len, payload_cap;
	uint32_t seq, ack;
	uint16_t sport, dport;
	uint16_t window;
	uint16_t ip_id;
	uint16_t around;    /* enum packet_around */
	uint16_t interface; /* that saw it: of the file, or the link layer's own (SLL2) */
	uint8_t options_len, options_claimed;
	uint8_t family; /* enum addr_family */
	uint8_t ttl, outer_ttl;
	uint8_t flags; /* enum tcp_flag */
	uint8_t dir;   /* enum packet_dir */
	bool df, ip_options, loopback, fragments;
};

enum peek {
	PEEK_NOTHING, /* certainly no TCP of these ports, and nothing that may quote or hold it */
	PEEK_SEGMENT, /* *out is filled */
	PEEK_DECODE,  /* only wire_decode_deep() can tell */
};

enum peek wire_peek(const struct frame *f, const struct port_set *ports, struct segment *out);

enum { WIRE_ETHERNET = 14, WIRE_IPV4 = 20, WIRE_IPV6 = 40, WIRE_TCP = 20 };

/* Bytes of the wire as a number, for comparisons with constants. */
static inline uint32_t wire_u32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? v : __builtin_bswap32(v);
}

/* Ethernet, then IPv4 without options, no fragment, then TCP, and 20 bytes of that: in three comparisons. */
static inline bool wire_is_plain_v4(uint16_t link_type, const uint8_t *bytes, size_t caplen)
{
	const uint8_t *ip = bytes + WIRE_ETHERNET;

	return link_type == 1 && caplen >= WIRE_ETHERNET + WIRE_IPV4 + WIRE_TCP &&
	       (wire_u32(bytes + 12) & 0xffffff00) == 0x08004500 &&
	       (wire_u32(ip + 6) & 0x3fff00ff) == 0x00000006 &&
	       (wire_u32(ip) & 0xffff) >= WIRE_IPV4 + WIRE_TCP;
}

/* Where TCP's ports stand in the usual frame: Ethernet, and IP without anything in between. NULL: it is
 * another one. *plain: see struct frame, but for the ports. */
static inline const uint8_t *wire_usual_ports(uint16_t link_type, const uint8_t *bytes, size_t caplen, bool *plain)
{
	enum { PROTO = 6 };
	const uint8_t *type = bytes + 12, *ip = bytes + WIRE_ETHERNET;

	*plain = wire_is_plain_v4(link_type, bytes, caplen);
	if (*plain)
		return ip + WIRE_IPV4;
	if (link_type != 1 || caplen < WIRE_ETHERNET + WIRE_IPV6 + WIRE_TCP || type[0] != 0x86 || type[1] != 0xdd ||
	    ip[0] >> 4 != 6 || ip[6] != PROTO || (ip[4] << 8 | ip[5]) < WIRE_TCP)
		return NULL;
	return ip + WIRE_IPV6;
}

static inline bool wire_wants(const uint8_t *tcp_ports, const struct port_set *ports)
{
	const uint8_t *p = tcp_ports;

	return port_in(ports, (uint16_t)(p[0] << 8 | p[1])) || port_in(ports, (uint16_t)(p[2] << 8 | p[3]));
}

/* False: wire_peek() would say PEEK_NOTHING. It may say so also where this is true. Sets f->plain. */
static inline bool wire_matters(struct frame *f, const struct port_set *ports)
{
	bool plain;
	const uint8_t *p = wire_usual_ports(f->link_type, f->bytes, f->caplen, &plain);
	struct segment s;

	if (!p)
		return wire_peek(f, ports, &s) != PEEK_NOTHING;
	bool wants = wire_wants(p, ports);
	f->plain = wants && plain;
	return wants;
}

#endif
