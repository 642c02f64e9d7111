/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The layers among themselves; the other rooms see wire/decode.h alone. */
#ifndef SB_WIRE_LAYERS_H
#define SB_WIRE_LAYERS_H

#include "wire/cursor.h"

enum ip_proto {
	PROTO_HOP_BY_HOP = 0,
	PROTO_ICMP = 1,
	PROTO_TCP = 6,
	PROTO_ROUTING = 43,
	PROTO_FRAGMENT = 44,
	PROTO_AH = 51,
	PROTO_ICMPV6 = 58,
	PROTO_NONE = 59, /* IPv6 "no next header" */
	PROTO_DEST_OPTIONS = 60,
};

/* An IP header as it stands, of a packet or of a quoted one. */
struct ip_header {
	struct addr src, dst;
	uint8_t ttl;
	uint8_t proto; /* after the extension headers that were read */
	uint16_t id;
	uint32_t flow_label;
	bool df, more_fragments, options;
	uint16_t frag_offset; /* bytes */
	uint16_t len;         /* IPv4: total, IPv6: payload length field, unchecked */
	uint32_t jumbo;       /* RFC 2675 length, 0 when absent */
};

/* Takes link headers off until the IP header. Fills ifindex, dir and loopback of *p where the link
 * type tells; *family is the version that the link layer announced, ADDR_NONE if it doesn't say. */
enum decode_result wire_link(int link_type, struct cursor *c, struct packet *p, uint8_t *family);

/* For link types that tell loopback only together with the addresses. */
void wire_link_loopback(int link_type, struct packet *p);

/* From the IP header on: everything of *p but what wire_link() fills. */
enum decode_result wire_ip(struct cursor *c, uint8_t family, struct packet *p);

/* The fixed header and the IPv4 options; for IPv6 without the extension headers. c->fault tells. */
void wire_ipv4_header(struct cursor *c, struct ip_header *h);
void wire_ipv6_header(struct cursor *c, struct ip_header *h);

/* Moves h->proto to the first header that is no extension header, or that belongs to a later
 * fragment. On a fault it names the header that could not be read. */
void wire_ipv6_extensions(struct cursor *c, struct ip_header *h);

void wire_tcp(struct cursor *c, struct tcp_segment *t);

/* The 20 fixed bytes; returns the length that the options claim. A data offset below 5 is a fault.
 */
size_t wire_tcp_fixed(struct cursor *c, struct tcp_segment *t);
void wire_tcp_options(struct cursor options, struct tcp_segment *t);

void wire_icmp(struct cursor *c, uint8_t family, struct icmp_message *m);

#endif
