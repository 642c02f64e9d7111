/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One decoded packet: what wire/ makes of a frame, and what diag/ judges.
 * All integers in host byte order. A value type; `payload` alone is borrowed.
 */
#ifndef SB_MODEL_PACKET_H
#define SB_MODEL_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/* As the link layer saw it (SLL, SLL2 packet type); Ethernet alone does not know. */
enum packet_dir {
	PACKET_DIR_UNKNOWN,
	PACKET_IN,  /* received, also every packet on lo */
	PACKET_OUT, /* sent by this host */
};

enum packet_kind {
	PACKET_OTHER, /* IP, but none of the next ones; a later fragment too */
	PACKET_TCP,
	PACKET_ICMP, /* ICMP or ICMPv6 by src.family */
	PACKET_NEIGHBOUR, /* ARP, or ICMPv6's neighbour solicitation and advertisement */
};

/* What lay around the IP packet; bits of packet.around. */
enum packet_around {
	AROUND_VLAN = 1 << 0,
	AROUND_MPLS = 1 << 1,
	AROUND_PPPOE = 1 << 2,
	AROUND_WIFI = 1 << 3,
	AROUND_IPIP = 1 << 4, /* any of 4in4, 6in4, 4in6, 6in6 */
	AROUND_GRE = 1 << 5,
	AROUND_VXLAN = 1 << 6,
	AROUND_GENEVE = 1 << 7,
};

enum tcp_flag {
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_URG = 0x20,
	TCP_ECE = 0x40,
	TCP_CWR = 0x80,
};

/* In tcp_segment.option_order: the option's own kind; what ends the list is not in it. */
enum tcp_option_order {
	OPTION_NOP = 1,
	OPTION_MSS = 2,
	OPTION_WSCALE = 3,
	OPTION_SACK_PERMITTED = 4,
	OPTION_TIMESTAMPS = 8,
	OPTION_OTHER = 15,
};

#define OPTION_ORDER_MAX 16

struct tcp_segment {
	uint16_t sport, dport;
	uint32_t seq, ack;
	uint8_t flags; /* enum tcp_flag */
	uint16_t window;
	/* options; has_x is false when absent, malformed or cut by the snap length */
	bool has_mss, has_wscale, has_ts, sack_permitted;
	bool options_malformed;
	uint16_t mss;
	uint8_t wscale;
	uint32_t ts_val, ts_ecr;
	/* kinds of the options in their order, four bits each from the lowest on: OPTION_*; the first 16 */
	uint64_t option_order;
};

/* The packet that an ICMP error quotes, as far as the quote reaches (RFC 792: IP header + 8 bytes). */
struct icmp_quote {
	bool present; /* the quoted IP header is whole */
	struct addr src, dst;
	uint8_t ttl; /* with which the quoted packet reached the sender of the error */
	uint8_t proto;
	uint16_t ip_id; /* IPv4 */
	uint16_t ip_len;
	bool has_ports; /* sport, dport, seq are there (proto 6, first fragment) */
	uint16_t sport, dport;
	uint32_t seq;
	bool has_tcp_rest; /* the quote holds the fixed TCP header: ack, flags, window */
	uint32_t ack;
	uint8_t flags;
	uint16_t window;
	bool has_mss; /* and the MSS option */
	uint16_t mss;
};

struct icmp_message {
	uint8_t type, code;
	uint16_t mtu; /* fragmentation needed / packet too big (v6: clipped to 65535) */
	struct icmp_quote quote; /* errors only */
};

/* Who has this address, and: it is here (RFC 826, RFC 4861). ARP has no IP header: src and dst are its
 * protocol addresses. */
struct neighbour_message {
	bool answers;
	struct addr about;
};

struct packet {
	int64_t t_ns;        /* wall clock, since 1970 UTC */
	uint64_t number;     /* 1-based position in its capture; 0 unknown */
	int ifindex;         /* where captured; 0 unknown */
	enum packet_dir dir;
	bool loopback;       /* captured on a loopback interface (link type or ARPHRD) */
	struct addr src, dst;
	uint8_t ttl;         /* or hop limit, on arrival at the tap */
	uint8_t proto;       /* upper-layer protocol after extension headers */
	uint16_t ip_id;      /* IPv4 */
	uint32_t flow_label; /* IPv6 */
	uint32_t frag_id;    /* of a fragment: the IPv4 ID, or that of IPv6's fragment header */
	uint16_t around;     /* enum packet_around */
	uint8_t outer_ttl;   /* of the outermost IP header where there are several, else 0 */
	bool df;             /* IPv4 */
	bool more_fragments;
	uint16_t frag_offset; /* bytes; not 0: a later fragment, kind is PACKET_OTHER */
	bool has_ip_options; /* IPv4 options or IPv6 extension headers */
	bool truncated;      /* the snap length cut headers or payload */
	enum packet_kind kind;
	union {
		struct tcp_segment tcp;
		struct icmp_message icmp;
		struct neighbour_message neighbour;
	};
	uint32_t payload_len;   /* upper-layer payload by the IP length, not by the snap length */
	const uint8_t *payload; /* borrowed from the frame: valid during the call only, then NULL */
	uint32_t payload_caplen; /* bytes of it that are there */
};

#endif
