/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The layers among themselves; the other rooms see wire/decode.h alone. */
#ifndef SB_WIRE_LAYERS_H
#define SB_WIRE_LAYERS_H

#include "wire/cursor.h"

enum ip_proto {
	PROTO_HOP_BY_HOP = 0,
	PROTO_ICMP = 1,
	PROTO_IPV4 = 4,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_IPV6 = 41,
	PROTO_ROUTING = 43,
	PROTO_FRAGMENT = 44,
	PROTO_GRE = 47,
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
	uint32_t frag_id; /* IPv6 */
	bool df, more_fragments, options;
	uint16_t frag_offset;  /* bytes */
	uint16_t len;          /* IPv4: total, IPv6: payload length field, unchecked */
	uint32_t jumbo;        /* RFC 2675 length, 0 when absent */
	bool stop_at_fragment; /* asked for: read no header behind that of a fragment */
};

/* Tunnels within tunnels that are followed. */
#define TUNNELS_MAX 4

/* Takes link headers off until the IP header. DECODE_NOT_IP with *p PACKET_NEIGHBOUR: ARP follows.
 * Fills ifindex, dir and loopback of *p where the link type tells; *family is the version that the link layer announced, ADDR_NONE if it doesn't say. */
enum decode_result wire_link(int link_type, struct cursor *c, struct packet *p, uint8_t *family);

/* For link types that tell loopback only together with the addresses. */
void wire_link_loopback(int link_type, struct packet *p);

/* The payload of a header with an Ethernet type (GRE, Geneve) or a whole Ethernet frame. */
enum decode_result wire_by_ethertype(struct cursor *c, uint16_t type, struct packet *p,
				     uint8_t *family);
enum decode_result wire_ppp(struct cursor *c, struct packet *p, uint8_t *family);
enum decode_result wire_ethernet(struct cursor *c, struct packet *p, uint8_t *family);
enum decode_result wire_wifi(struct cursor *c, struct packet *p, uint8_t *family);
enum decode_result wire_radiotap(struct cursor *c, struct packet *p, uint8_t *family);

/* From the IP header on: everything of *p but what wire_link() fills. tunnels: how many more may be
 * followed; -1: none, and fragments are read as far as they reach. */
enum decode_result wire_ip(struct cursor *c, uint8_t family, int tunnels, struct packet *p);

/* What a tunnel's packet holds, from behind the IP header of *p on, into *inner. DECODE_NOT_IP: *p
 * is none. */
enum decode_result wire_tunnel(struct cursor c, int tunnels, const struct packet *p,
			       struct packet *inner);

/* The fixed header and the IPv4 options; for IPv6 without the extension headers. c->fault tells. */
void wire_ipv4_header(struct cursor *c, struct ip_header *h);
void wire_ipv6_header(struct cursor *c, struct ip_header *h);

/* Moves h->proto to the first header that is no extension header, or that belongs to a later
 * fragment. On a fault it names the header that could not be read. */
void wire_ipv6_extensions(struct cursor *c, struct ip_header *h);

/* What wire_link() has made PACKET_NEIGHBOUR, from behind the Ethernet type on. */
enum decode_result wire_arp(struct cursor *c, struct packet *p);

void wire_tcp(struct cursor *c, struct tcp_segment *t);

/* The 20 fixed bytes; returns the length that the options claim. A data offset below 5 is a fault.
 */
size_t wire_tcp_fixed(struct cursor *c, struct tcp_segment *t);
void wire_tcp_options(struct cursor options, struct tcp_segment *t);

void wire_icmp(struct cursor *c, uint8_t family, struct icmp_message *m);

/* From behind the eight bytes that wire_icmp() reads: makes *p PACKET_NEIGHBOUR where it is one. */
void wire_neighbour(struct cursor *c, struct packet *p);

#endif
