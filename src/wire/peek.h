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

/* Where TCP's ports stand in the usual frame: Ethernet, and IP without anything in between. NULL: it is
 * another one. */
static inline const uint8_t *wire_usual_ports(uint16_t link_type, const uint8_t *bytes, size_t caplen)
{
	enum { ETHERNET = 14, IPV4 = 20, IPV6 = 40, TCP = 20, PROTO = 6 };
	const uint8_t *type = bytes + 12, *ip = bytes + ETHERNET;

	if (link_type != 1 || caplen < ETHERNET + IPV4 + TCP)
		return NULL;
	if (type[0] == 0x08 && type[1] == 0x00) {
		bool plain = ip[0] == 0x45 && ip[9] == PROTO && !(ip[6] & 0x3f) && !ip[7];
		bool whole = (ip[2] << 8 | ip[3]) >= IPV4 + TCP;
		return plain && whole ? ip + IPV4 : NULL;
	}
	if (type[0] == 0x86 && type[1] == 0xdd) {
		bool plain = ip[0] >> 4 == 6 && ip[6] == PROTO && caplen >= ETHERNET + IPV6 + TCP;
		return plain && (ip[4] << 8 | ip[5]) >= TCP ? ip + IPV6 : NULL;
	}
	return NULL;
}

static inline bool wire_wants(const uint8_t *tcp_ports, const struct port_set *ports)
{
	const uint8_t *p = tcp_ports;

	return port_in(ports, (uint16_t)(p[0] << 8 | p[1])) || port_in(ports, (uint16_t)(p[2] << 8 | p[3]));
}

/* False: wire_peek() would say PEEK_NOTHING. It may say so also where this is true. */
static inline bool wire_matters(const struct frame *f, const struct port_set *ports)
{
	const uint8_t *p = wire_usual_ports(f->link_type, f->bytes, f->caplen);
	struct segment s;

	if (p)
		return wire_wants(p, ports);
	return wire_peek(f, ports, &s) != PEEK_NOTHING;
}

#endif
