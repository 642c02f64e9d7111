/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Bytes to struct packet: link layers, IPv4/6, TCP, ICMP with the quoted
 * packet. Pure: no I/O, no clock, no allocation; every byte is hostile.
 */
#ifndef SB_WIRE_DECODE_H
#define SB_WIRE_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/packet.h"

enum decode_result {
	DECODE_OK,
	DECODE_NOT_IP,      /* a whole frame that holds no IP packet (LLDP, ...) */
	DECODE_MALFORMED,   /* lengths or versions that contradict each other */
	DECODE_TRUNCATED,   /* the snap length cut a header that is needed */
	DECODE_UNSUPPORTED, /* this link type or encapsulation is not known here */
};

/* One captured frame. link_type: a DLT_/LINKTYPE_ value as pcap_datalink() gives it. caplen bytes
 * are at `frame`, the frame was wire_len bytes long. Fills *out on DECODE_OK (out->t_ns and
 * out->number are left 0 for the caller to fill; the rest is set or zeroed). */
enum decode_result wire_decode(int link_type, const uint8_t *frame, size_t caplen, size_t wire_len,
			       struct packet *out);

/* The same, but ARP is DECODE_NOT_IP and neighbour discovery no more than ICMPv6, and tunnels are followed (IP in IP, GRE, VXLAN, Geneve, within bounds): *out is the
 * innermost packet. A fragment, the first as well, is PACKET_OTHER with the IP payload, to be put
 * together with the others. */
enum decode_result wire_decode_deep(int link_type, const uint8_t *frame, size_t caplen,
				    size_t wire_len, struct packet *out);

/* From the first byte of an IP header on, tunnels followed. */
enum decode_result wire_decode_ip_deep(const uint8_t *ip, size_t caplen, size_t wire_len,
				       struct packet *out);

bool wire_link_type_known(int link_type);

/* The options of a TCP header, which begin at `options`: has_mss and the like of *t, which must be
 * zeroed. `len` as the header says, `caplen` of them are there. */
void wire_tcp_options_of(const uint8_t *options, size_t caplen, size_t len, struct tcp_segment *t);

/* Where the packet began: the usual initial TTLs are 32, 64, 128, 255 (method.md section 4).
 * Returns the smallest of them that is >= ttl. The hop distance is that minus ttl. */
static inline unsigned wire_initial_ttl(unsigned ttl)
{
	return ttl <= 32 ? 32 : ttl <= 64 ? 64 : ttl <= 128 ? 128 : 255;
}

/* "TCP 10.0.0.2:40000 > 192.0.2.1:25 [S] seq 1 win 64240 mss 1460 ttl 64" for evidence and tests,
 * into out; returns out. */
const char *wire_text(const struct packet *p, char *out, size_t size);

#endif
