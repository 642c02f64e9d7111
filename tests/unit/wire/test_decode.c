/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every decoder: each sample is its decoded line and, under it, the bytes. */
#include <stdio.h>

#include "bytes.h"

#define MACS "020000000001 020000000002 "

#define MAC3 "020000000001 020000000002 020000000003 "
#define SNAP4 "aaaa03 000000 0800 "
#define SNAP6 "aaaa03 000000 86dd "

/* The first four bytes, and what follows up to 64 */
#define PFLOG(first)                                                                               \
	first "00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 "  \
	      "00000000 00000000 00000000 00000000 00000000 00000000 "

#define PAD_84                                                                                     \
	"00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 "        \
	"00000000 "                                                                                \
	"00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 "        \
	"00000000 "                                                                                \
	"00000000 "

struct sample {
	int link_type;
	const char *text;
	const char *hex;
};

static const struct sample samples[] = {
	/* --- link layers --- */
	{LINK_ETHERNET, SYN4_TEXT, MACS "0800 " SYN4},
	{LINK_ETHERNET, SYN6_TEXT, MACS "86dd " SYN6},
	/* VLAN 125 */
	{LINK_ETHERNET, SYN4_TEXT, MACS "8100 007d 0800 " SYN4},
	/* 802.1ad VLAN 10, then VLAN 20 */
	{LINK_ETHERNET, SYN6_TEXT, MACS "88a8 000a 8100 0014 86dd " SYN6},
	/* QinQ before 802.1ad */
	{LINK_ETHERNET, SYN4_TEXT, MACS "9100 000a 8100 0014 0800 " SYN4},
	/* MPLS labels 16 and 17 (bottom) */
	{LINK_ETHERNET, SYN4_TEXT, MACS "8847 000100ff 000111ff " SYN4},
	{LINK_ETHERNET, SYN6_TEXT, MACS "8847 000101ff " SYN6},
	{LINK_ETHERNET, SYN4_TEXT, MACS "8848 000101ff " SYN4},
	/* as many VLAN tags and labels as are followed */
	{LINK_ETHERNET, SYN4_TEXT,
	 MACS "8100 0001 8100 0001 8100 0001 8100 0001 8100 0001 8100 0001 8100 0001 8100 0001 "
	      "0800 " SYN4},
	{LINK_ETHERNET, SYN4_TEXT,
	 MACS "8847 000100ff 000100ff 000100ff 000100ff 000100ff 000100ff 000100ff 000100ff "
	      "000100ff 000100ff 000100ff 000100ff 000100ff 000100ff 000100ff 000101ff " SYN4},
	/* PPPoE session 1, length 62, PPP IPv4 */
	{LINK_ETHERNET, SYN4_TEXT, MACS "8864 11 00 0001 003e 0021 " SYN4},
	/* VLAN 7, PPPoE session 1, length 82, PPP IPv6: what many DSL lines carry */
	{LINK_ETHERNET, SYN6_TEXT, MACS "8100 0007 8864 11 00 0001 0052 0057 " SYN6},
	/* 802.3 length 68, SNAP */
	{LINK_ETHERNET, SYN4_TEXT, MACS "0044 aaaa03 000000 0800 " SYN4},
	/* to us, ARPHRD_ETHER */
	{LINK_SLL, SYN4_TEXT, "0000 0001 0006 020000000001 0000 0800 " SYN4},
	{LINK_SLL, SYN6_TEXT, "0004 0001 0006 020000000001 0000 86dd " SYN6},
	/* VLAN 125 in the cooked header */
	{LINK_SLL, SYN4_TEXT, "0000 0001 0006 020000000001 0000 8100 007d 0800 " SYN4},
	/* ETH_P_802_2, SNAP */
	{LINK_SLL, SYN4_TEXT, "0000 0001 0006 020000000001 0000 0004 aaaa03 000000 0800 " SYN4},
	/* IPv4, interface 3, ARPHRD_ETHER, outgoing */
	{LINK_SLL2, SYN4_TEXT, "0800 0000 00000003 0001 04 06 020000000001 0000 " SYN4},
	{LINK_SLL2, SYN6_TEXT, "86dd 0000 00000003 0001 00 06 020000000001 0000 " SYN6},
	/* ARPHRD_NONE: tun, WireGuard */
	{LINK_SLL2, SYN4_TEXT, "0800 0000 00000005 fffe 04 00 0000000000000000 " SYN4},
	{LINK_RAW, SYN4_TEXT, SYN4},
	{LINK_RAW, SYN6_TEXT, SYN6},
	{LINK_RAW_OPENBSD, SYN4_TEXT, SYN4},
	{LINK_RAW_FILE, SYN6_TEXT, SYN6},
	{LINK_IPV4, SYN4_TEXT, SYN4},
	{LINK_IPV6, SYN6_TEXT, SYN6},
	/* AF_INET, AF_INET6 of FreeBSD; little endian, then big endian */
	{LINK_NULL, SYN4_TEXT, "02000000 " SYN4},
	{LINK_NULL, SYN6_TEXT, "1c000000 " SYN6},
	{LINK_NULL, SYN4_TEXT, "00000002 " SYN4},
	{LINK_NULL, SYN6_TEXT, "0000001e " SYN6},
	/* AF_INET6 of Linux and of Windows */
	{LINK_NULL, SYN6_TEXT, "0a000000 " SYN6},
	{LINK_NULL, SYN6_TEXT, "17000000 " SYN6},
	{LINK_LOOP, SYN4_TEXT, "00000002 " SYN4},
	{LINK_LOOP, SYN6_TEXT, "00000018 " SYN6},
	{LINK_PPP, SYN4_TEXT, "0021 " SYN4},
	{LINK_PPP, SYN6_TEXT, "ff03 0057 " SYN6},
	/* protocol field compressed (RFC 1661 section 6.5) */
	{LINK_PPP, SYN4_TEXT, "21 " SYN4},
	{LINK_PPP, SYN4_TEXT, "ff03 0281 000101ff " SYN4},
	{LINK_PPP, SYN4_TEXT, "ff03 0283 000101ff " SYN4},
	{LINK_PPP_SERIAL, SYN4_TEXT, "ff03 0021 " SYN4},
	{LINK_PPP_SERIAL, SYN4_TEXT, "0f00 0800 " SYN4},
	{LINK_PPP_SERIAL, SYN4_TEXT, "8f00 0800 " SYN4},
	{LINK_PPP_ETHER, SYN4_TEXT, "11 00 0001 003e 0021 " SYN4},
	{LINK_C_HDLC, SYN6_TEXT, "8f00 86dd " SYN6},

	/* one byte of direction: received, sent */
	{LINK_PPP_WITH_DIRECTION, SYN4_TEXT, "00 ff03 0021 " SYN4},
	{LINK_PPP_WITH_DIRECTION, SYN6_TEXT, "01 0057 " SYN6},
	/* AF_INET little endian, SPI, flags; AF_INET6 of OpenBSD big endian */
	{LINK_ENC, SYN4_TEXT, "02000000 00000001 00000001 " SYN4},
	{LINK_ENC, SYN6_TEXT, "00000018 00000001 00000001 " SYN6},
	/* FreeBSD's header of 61 bytes, padded to 64; AF_INET, blocked */
	{LINK_PFLOG, SYN4_TEXT, PFLOG("3d 02 01 00 ") SYN4},
	{LINK_PFLOG, SYN6_TEXT, PFLOG("40 18 00 00 ") SYN6},
	/* prefix "x" (length 6, padded), then the packet */
	{LINK_NFLOG, SYN4_TEXT, "02 00 0001 0600 0a00 7800 0000 4000 0900 " SYN4},
	{LINK_NFLOG, SYN6_TEXT, "0a 00 0001 0600 0a00 7800 0000 5400 0900 " SYN6},

	/* --- wireless: data to and from the access point, between two of them, with QoS --- */
	{LINK_IEEE80211, SYN4_TEXT, "0801 0000 " MAC3 "1000 " SNAP4 SYN4},
	{LINK_IEEE80211, SYN6_TEXT, "0802 0000 " MAC3 "1000 " SNAP6 SYN6},
	{LINK_IEEE80211, SYN4_TEXT, "0803 0000 " MAC3 "1000 020000000004 " SNAP4 SYN4},
	{LINK_IEEE80211, SYN4_TEXT, "8801 0000 " MAC3 "1000 0000 " SNAP4 SYN4},
	/* QoS with an HT control field */
	{LINK_IEEE80211, SYN4_TEXT, "8881 0000 " MAC3 "1000 0000 00000000 " SNAP4 SYN4},
	/* the first of an A-MSDU's frames */
	{LINK_IEEE80211, SYN4_TEXT, "8801 0000 " MAC3 "1000 8000 " MACS "0044 " SNAP4 SYN4},
	/* radiotap without a field; with TSFT and flags "padded": 26 bytes of header become 28 */
	{LINK_RADIOTAP, SYN4_TEXT, "00 00 0800 00000000 0801 0000 " MAC3 "1000 " SNAP4 SYN4},
	{LINK_RADIOTAP, SYN4_TEXT,
	 "00 00 1100 03000000 0000000000000000 20 8801 0000 " MAC3 "1000 0000 0000 " SNAP4 SYN4},
	/* a second word of fields: TSFT is aligned to 8 behind it */
	{LINK_RADIOTAP, SYN4_TEXT,
	 "00 00 1900 03000080 00000000 00000000 0000000000000000 00 0801 0000 " MAC3 "1000 " SNAP4
	 SYN4},

	/* --- IPv4 --- */
	/* 20 bytes of payload */
	{LINK_RAW, "TCP 192.0.2.1:25 > 10.0.0.2:40000 [P.] seq 7 ack 2 win 509 len 20 ttl 52",
	 "4500003c 00004000 34060000 c0000201 0a000002 "
	 "00199c40 00000007 00000002 501801fd 00000000 "
	 "32323020 6d782e65 78616d70 6c652045 53540d0a"},
	/* an ACK of 40 bytes, padded to the 60 of Ethernet */
	{LINK_ETHERNET, "TCP 10.0.0.2:40000 > 192.0.2.1:25 [.] seq 2 ack 8 win 502 ttl 64",
	 MACS "0800 45000028 1c474000 40060000 0a000002 c0000201 "
	      "9c400019 00000002 00000008 501001f6 00000000 "
	      "000000000000"},
	/* record route, 3 slots, and end of options */
	{LINK_RAW, "TCP 10.0.0.2:40000 > 192.0.2.1:25 [S] seq 1 win 64240 mss 1460 ttl 63",
	 "4900004c 1c464000 3f060000 0a000002 c0000201 070f04 00000000 00000000 00000000 "
	 "00 " SYN_TCP},
	/* all flags, window 0 */
	{LINK_RAW, "TCP 10.0.0.2:1 > 192.0.2.1:2 [FSRP.UEW] seq 4294967295 ack 5 win 0 ttl 1",
	 "45000028 00000000 01060000 0a000002 c0000201 00010002 ffffffff 00000005 50ff0000 "
	 "00000000"},
	/* a first fragment with the whole TCP header */
	{LINK_RAW, "TCP 10.0.0.2:40000 > 192.0.2.1:25 [.] seq 2 ack 8 win 502 len 4 frag 0+ ttl 64",
	 "4500002c 1c472000 40060000 0a000002 c0000201 9c400019 00000002 00000008 501001f6 "
	 "00000000 "
	 "61626364"},
	/* a later one: the bytes are no header */
	{LINK_RAW, "IP 10.0.0.2 > 192.0.2.1 proto 6 len 4 frag 1480 ttl 64",
	 "45000018 1c4700b9 40060000 0a000002 c0000201 61626364"},
	{LINK_RAW, "IP 10.0.0.2 > 192.0.2.1 proto 17 len 9 ttl 64",
	 "4500001d 1c470000 40110000 0a000002 c0000201 00350035 00090000 00"},

	{LINK_RAW, "IP 10.0.0.2 > 192.0.2.1 proto 17 ttl 64",
	 "45000014 1c470000 40110000 0a000002 c0000201"},

	/* --- IPv6 --- */
	/* hop-by-hop (router alert), destination options (PadN), routing (type 4, no segments left)
	 */
	{LINK_RAW, "TCP [2001:db8::2]:40000 > [2001:db8::1]:25 [S] seq 1 win 64240 mss 1460 ttl 64",
	 "60000000 0050 00 40 " ADDR6_2 ADDR6_1 "3c 00 05020000 0100 "
	 "2b 00 0104 00000000 "
	 "06 02 04 00 00000000 " ADDR6_1 SYN_TCP},
	/* Pad1 at the end of a hop-by-hop header */
	{LINK_RAW, SYN6_TEXT,
	 "60000000 0030 00 40 " ADDR6_2 ADDR6_1 "06 00 0502 0000 00 00 " SYN_TCP},
	/* as many extension headers as are followed */
	{LINK_RAW, "IP 2001:db8::2 > 2001:db8::1 proto 59 ttl 64",
	 "60000000 0080 3c 40 " ADDR6_2 ADDR6_1
	 "3c000104 00000000 3c000104 00000000 3c000104 00000000 3c000104 00000000 "
	 "3c000104 00000000 3c000104 00000000 3c000104 00000000 3c000104 00000000 "
	 "3c000104 00000000 3c000104 00000000 3c000104 00000000 3c000104 00000000 "
	 "3c000104 00000000 3c000104 00000000 3c000104 00000000 3b000104 00000000"},
	/* an atomic fragment (RFC 6946) is a whole packet */
	{LINK_RAW, SYN6_TEXT,
	 "60012345 0030 2c 40 " ADDR6_2 ADDR6_1 "06 00 0000 00000001 " SYN_TCP},
	/* first fragment */
	{LINK_RAW,
	 "TCP [2001:db8::2]:40000 > [2001:db8::1]:25 [.] seq 2 ack 8 win 502 len 4 frag 0+ ttl 64",
	 "60000000 0020 2c 40 " ADDR6_2 ADDR6_1 "06 00 0001 00000001 "
	 "9c400019 00000002 00000008 501001f6 00000000 61626364"},
	/* a later one, whose next header names what only the first fragment holds */
	{LINK_RAW, "IP 2001:db8::2 > 2001:db8::1 proto 60 len 4 frag 1448 ttl 64",
	 "60000000 000c 2c 40 " ADDR6_2 ADDR6_1 "3c 00 05a8 00000001 61626364"},
	/* AH with a 12-byte check value */
	{LINK_RAW, SYN6_TEXT,
	 "60000000 0040 33 40 " ADDR6_2 ADDR6_1
	 "06 04 0000 00000001 00000001 000000000000000000000000 " SYN_TCP},
	{LINK_RAW, "IP 2001:db8::2 > 2001:db8::1 proto 59 ttl 64",
	 "60000000 0000 3b 40 " ADDR6_2 ADDR6_1},
	/* ICMP of the other version is no ICMP */
	{LINK_RAW, "IP 2001:db8::2 > 2001:db8::1 proto 1 len 8 ttl 64",
	 "60000000 0008 01 40 " ADDR6_2 ADDR6_1 "08000000 00000000"},
	/* Home Address option: destination options before ESP */
	{LINK_RAW, "IP 2001:db8::2 > 2001:db8::1 proto 50 len 8 ttl 64",
	 "60000000 0010 3c 40 " ADDR6_2 ADDR6_1 "32 00 0104 00000000 00000001 00000001"},

	/* --- ICMP --- */
	{LINK_RAW, "ICMP 10.0.0.2 > 192.0.2.1 other (type 8 code 0) ttl 64",
	 "45000020 00000000 40010000 0a000002 c0000201 08000000 00010001 70696e67"},
	/* RFC 792: IP header and 8 bytes */
	{LINK_RAW,
	 "ICMP 198.51.100.1 > 10.0.0.2 time-exceeded (type 11 code 0) ttl 253, "
	 "quotes TCP 10.0.0.2:40000 > 192.0.2.1:25 seq 1 ttl 1",
	 "45c00038 00010000 fd010000 c6336401 0a000002 0b000000 00000000 "
	 "4500003c 1c464000 01060000 0a000002 c0000201 9c400019 00000001"},
	/* the same, padded to 128 bytes for RFC 4884 extensions (length 32 words): MPLS label 16 */
	{LINK_RAW,
	 "ICMP 198.51.100.1 > 10.0.0.2 time-exceeded (type 11 code 0) ttl 253, "
	 "quotes TCP 10.0.0.2:40000 > 192.0.2.1:25 seq 1 ttl 1",
	 "450000a8 00010000 fd010000 c6336401 0a000002 0b000000 00200000 "
	 "4500003c 1c464000 01060000 0a000002 c0000201 9c400019 00000001 "
	 "00000000000000000000000000000000000000000000000000000000000000000000000000000000"
	 "00000000000000000000000000000000000000000000000000000000000000000000000000000000"
	 "0000000000000000000000000000000000000000 "
	 "20000000 0008 01 01 000101ff"},
	/* the whole SYN, the MSS clamped on the way */
	{LINK_RAW,
	 "ICMP 198.51.100.1 > 10.0.0.2 admin-prohibited (type 3 code 13) ttl 253, "
	 "quotes TCP 10.0.0.2:40000 > 192.0.2.1:25 [S] seq 1 win 64240 mss 1412 ttl 61",
	 "45c00058 00010000 fd010000 c6336401 0a000002 030d0000 00000000 "
	 "4500003c 1c464000 3d060000 0a000002 c0000201 "
	 "9c400019 00000001 00000000 a002faf0 00000000 "
	 "02040584 0402 080a 00000010 00000000 01 030307"},
	/* ends behind the window: flags and window are not claimed, since the header isn't whole */
	{LINK_RAW,
	 "ICMP 198.51.100.1 > 10.0.0.2 port-unreachable (type 3 code 3) ttl 253, "
	 "quotes TCP 10.0.0.2:40000 > 192.0.2.1:25 seq 1 ttl 61",
	 "45c00040 00010000 fd010000 c6336401 0a000002 03030000 00000000 "
	 "4500003c 1c464000 3d060000 0a000002 c0000201 9c400019 00000001 00000000 a002faf0"},
	/* next hop MTU 1400 */
	{LINK_RAW,
	 "ICMP 198.51.100.1 > 10.0.0.2 fragmentation-needed (type 3 code 4) mtu 1400 ttl 253, "
	 "quotes TCP 10.0.0.2:40000 > 192.0.2.1:25 seq 1 ttl 61",
	 "45c00038 00010000 fd010000 c6336401 0a000002 03040000 00000578 "
	 "450005dc 1c464000 3d060000 0a000002 c0000201 9c400019 00000001"},
	/* quotes a packet with record route, 1 slot */
	{LINK_RAW,
	 "ICMP 198.51.100.1 > 10.0.0.2 time-exceeded (type 11 code 0) ttl 253, "
	 "quotes TCP 10.0.0.2:40000 > 192.0.2.1:25 seq 1 ttl 1",
	 "45c00040 00010000 fd010000 c6336401 0a000002 0b000000 00000000 "
	 "47000044 1c464000 01060000 0a000002 c0000201 070708 0a000001 00 9c400019 00000001"},
	/* quotes a later fragment, then UDP: no TCP ports */
	{LINK_RAW,
	 "ICMP 198.51.100.1 > 10.0.0.2 time-exceeded (type 11 code 0) ttl 253, "
	 "quotes IP 10.0.0.2 > 192.0.2.1 proto 6 ttl 1",
	 "45c00038 00010000 fd010000 c6336401 0a000002 0b000000 00000000 "
	 "4500003c 1c4600b9 01060000 0a000002 c0000201 9c400019 00000001"},
	{LINK_RAW,
	 "ICMP 198.51.100.1 > 10.0.0.2 host-unreachable (type 3 code 1) ttl 253, "
	 "quotes IP 10.0.0.2 > 192.0.2.1 proto 17 ttl 61",
	 "45c00038 00010000 fd010000 c6336401 0a000002 03010000 00000000 "
	 "4500001c 1c460000 3d110000 0a000002 c0000201 9c400035 00080000"},
	/* 4 bytes of TCP only, less than RFC 792 wants; no quote; half a quoted header */
	{LINK_RAW,
	 "ICMP 198.51.100.1 > 10.0.0.2 host-prohibited (type 3 code 10) ttl 253, "
	 "quotes IP 10.0.0.2 > 192.0.2.1 proto 6 ttl 61",
	 "45c00034 00010000 fd010000 c6336401 0a000002 030a0000 00000000 "
	 "4500003c 1c464000 3d060000 0a000002 c0000201 9c400019"},
	{LINK_RAW, "ICMP 198.51.100.1 > 10.0.0.2 host-unreachable (type 3 code 1) ttl 253",
	 "45c0001c 00010000 fd010000 c6336401 0a000002 03010000 00000000"},
	{LINK_RAW, "ICMP 198.51.100.1 > 10.0.0.2 host-unreachable (type 3 code 1) ttl 253",
	 "45c00028 00010000 fd010000 c6336401 0a000002 03010000 00000000 4500003c 1c464000 "
	 "3d060000"},
	/* code 4 of another type, and another code of type 3: no MTU */
	{LINK_RAW, "ICMP 198.51.100.1 > 10.0.0.2 reassembly-time-exceeded (type 11 code 4) ttl 253",
	 "45c0001c 00010000 fd010000 c6336401 0a000002 0b040000 00000578"},
	{LINK_RAW, "ICMP 198.51.100.1 > 10.0.0.2 host-unreachable (type 3 code 1) ttl 253",
	 "45c0001c 00010000 fd010000 c6336401 0a000002 03010000 00000578"},
	/* redirect to 10.0.0.254, source quench, parameter problem: errors that quote too; an echo
	 * reply doesn't */
	{LINK_RAW,
	 "ICMP 198.51.100.1 > 10.0.0.2 other (type 5 code 1) ttl 253, "
	 "quotes TCP 10.0.0.2:40000 > 192.0.2.1:25 seq 1 ttl 61",
	 "45c00038 00010000 fd010000 c6336401 0a000002 05010000 0a0000fe "
	 "4500003c 1c464000 3d060000 0a000002 c0000201 9c400019 00000001"},
	{LINK_RAW,
	 "ICMP 198.51.100.1 > 10.0.0.2 other (type 4 code 0) ttl 253, "
	 "quotes TCP 10.0.0.2:40000 > 192.0.2.1:25 seq 1 ttl 61",
	 "45c00038 00010000 fd010000 c6336401 0a000002 04000000 00000000 "
	 "4500003c 1c464000 3d060000 0a000002 c0000201 9c400019 00000001"},
	{LINK_RAW,
	 "ICMP 198.51.100.1 > 10.0.0.2 parameter-problem (type 12 code 0) ttl 253, "
	 "quotes TCP 10.0.0.2:40000 > 192.0.2.1:25 seq 1 ttl 61",
	 "45c00038 00010000 fd010000 c6336401 0a000002 0c000000 14000000 "
	 "4500003c 1c464000 3d060000 0a000002 c0000201 9c400019 00000001"},
	{LINK_RAW, "ICMP 198.51.100.1 > 10.0.0.2 other (type 0 code 0) ttl 253",
	 "45c00038 00010000 fd010000 c6336401 0a000002 00000000 14000000 "
	 "4500003c 1c464000 3d060000 0a000002 c0000201 9c400019 00000001"},
	/* quotes IPv6, which no ICMP does */
	{LINK_RAW, "ICMP 198.51.100.1 > 10.0.0.2 host-unreachable (type 3 code 1) ttl 253",
	 "45c00044 00010000 fd010000 c6336401 0a000002 03010000 00000000 "
	 "60000000 0000 3b 40 " ADDR6_2 ADDR6_1},

	/* --- who has an address, and who is it --- */
	{LINK_ETHERNET, "ARP 10.0.0.2 > 10.0.0.1 who has 10.0.0.1",
	 MACS "0806 0001 0800 06 04 0001 020000000002 0a000002 000000000000 0a000001"},
	{LINK_ETHERNET, "ARP 10.0.0.1 > 10.0.0.2 10.0.0.1 is here",
	 MACS "0806 0001 0800 06 04 0002 020000000001 0a000001 020000000002 0a000002"},
	/* VLAN 125, and a link whose addresses are 8 bytes long */
	{LINK_ETHERNET, "ARP 10.0.0.2 > 10.0.0.1 who has 10.0.0.1",
	 MACS "8100 007d 0806 0018 0800 08 04 0001 0200000000000002 0a000002 0000000000000000 0a000001"},
	{LINK_RAW, "ND 2001:db8::2 > 2001:db8::1 who has 2001:db8::1",
	 "60000000 0020 3a ff " ADDR6_2 ADDR6_1 "87000000 00000000 " ADDR6_1 "0101020000000002"},
	{LINK_RAW, "ND 2001:db8::1 > 2001:db8::2 2001:db8::1 is here",
	 "60000000 0018 3a ff " ADDR6_1 ADDR6_2 "88000000 60000000 " ADDR6_1},
	/* forwarded, so nobody's neighbour; another code */
	{LINK_RAW, "ICMPv6 2001:db8::1 > 2001:db8::2 other (type 136 code 0) ttl 254",
	 "60000000 0018 3a fe " ADDR6_1 ADDR6_2 "88000000 60000000 " ADDR6_1},
	{LINK_RAW, "ICMPv6 2001:db8::1 > 2001:db8::2 other (type 136 code 1) ttl 255",
	 "60000000 0018 3a ff " ADDR6_1 ADDR6_2 "88010000 60000000 " ADDR6_1},

	/* --- ICMPv6 --- */
	{LINK_RAW,
	 "ICMPv6 2001:db8::1 > 2001:db8::2 time-exceeded (type 3 code 0) ttl 62, "
	 "quotes TCP [2001:db8::2]:40000 > [2001:db8::1]:25 [S] seq 1 win 64240 mss 1460 ttl 1",
	 "60000000 0058 3a 3e " ADDR6_1 ADDR6_2 "03000000 00000000 "
	 "60012345 0028 06 01 " ADDR6_2 ADDR6_1 SYN_TCP},
	/* MTU 1280 */
	{LINK_RAW,
	 "ICMPv6 2001:db8::1 > 2001:db8::2 packet-too-big (type 2 code 0) mtu 1280 ttl 62, "
	 "quotes TCP [2001:db8::2]:40000 > [2001:db8::1]:25 seq 1 ttl 60",
	 "60000000 0038 3a 3e " ADDR6_1 ADDR6_2 "02000000 00000500 "
	 "60012345 0578 06 3c " ADDR6_2 ADDR6_1 "9c400019 00000001"},
	/* the quoted packet has a hop-by-hop and a fragment header (first fragment) */
	{LINK_RAW,
	 "ICMPv6 2001:db8::1 > 2001:db8::2 admin-prohibited (type 1 code 1) ttl 62, "
	 "quotes TCP [2001:db8::2]:40000 > [2001:db8::1]:25 seq 1 ttl 60",
	 "60000000 0048 3a 3e " ADDR6_1 ADDR6_2 "01010000 00000000 "
	 "60000000 0400 00 3c " ADDR6_2 ADDR6_1 "2c 00 05020000 0100 06 00 0001 00000001 "
	 "9c400019 00000001"},
	/* and one that ends within its hop-by-hop header */
	{LINK_RAW,
	 "ICMPv6 2001:db8::1 > 2001:db8::2 no-route (type 1 code 0) ttl 62, "
	 "quotes IP 2001:db8::2 > 2001:db8::1 proto 0 ttl 60",
	 "60000000 0034 3a 3e " ADDR6_1 ADDR6_2 "01000000 00000000 "
	 "60000000 0400 00 3c " ADDR6_2 ADDR6_1 "06 00 0502"},
	/* RFC 4884 length 16 words: the quote ends with its 88 bytes of destination options, and
	 * the ports that seem to follow are the extension structure */
	{LINK_RAW,
	 "ICMPv6 2001:db8::1 > 2001:db8::2 time-exceeded (type 3 code 0) ttl 62, "
	 "quotes IP 2001:db8::2 > 2001:db8::1 proto 6 ttl 1",
	 "60000000 0094 3a 3e " ADDR6_1 ADDR6_2 "03000000 10000000 "
	 "60000000 0080 3c 01 " ADDR6_2 ADDR6_1 "06 0a 0154 " PAD_84
	 "20000000 0008 01 01 000101ff"},
	/* the same with length 0, as before RFC 4884: port 8192 is wrong, and can't be known */
	{LINK_RAW,
	 "ICMPv6 2001:db8::1 > 2001:db8::2 time-exceeded (type 3 code 0) ttl 62, "
	 "quotes TCP [2001:db8::2]:8192 > [2001:db8::1]:0 seq 524545 ttl 1",
	 "60000000 0094 3a 3e " ADDR6_1 ADDR6_2 "03000000 00000000 "
	 "60000000 0080 3c 01 " ADDR6_2 ADDR6_1 "06 0a 0154 " PAD_84
	 "20000000 0008 01 01 000101ff"},
	/* lengths of 1 and of 255 words, which can't be: not believed */
	{LINK_RAW,
	 "ICMPv6 2001:db8::1 > 2001:db8::2 admin-prohibited (type 1 code 1) ttl 62, "
	 "quotes TCP [2001:db8::2]:40000 > [2001:db8::1]:25 seq 1 ttl 60",
	 "60000000 0038 3a 3e " ADDR6_1 ADDR6_2 "01010000 01000000 "
	 "60012345 0578 06 3c " ADDR6_2 ADDR6_1 "9c400019 00000001"},
	{LINK_RAW,
	 "ICMPv6 2001:db8::1 > 2001:db8::2 admin-prohibited (type 1 code 1) ttl 62, "
	 "quotes TCP [2001:db8::2]:40000 > [2001:db8::1]:25 seq 1 ttl 60",
	 "60000000 0038 3a 3e " ADDR6_1 ADDR6_2 "01010000 ff000000 "
	 "60012345 0578 06 3c " ADDR6_2 ADDR6_1 "9c400019 00000001"},
	/* pointer 40: no length, whatever its high byte */
	{LINK_RAW,
	 "ICMPv6 2001:db8::1 > 2001:db8::2 parameter-problem (type 4 code 0) ttl 62, "
	 "quotes TCP [2001:db8::2]:40000 > [2001:db8::1]:25 seq 1 ttl 60",
	 "60000000 0038 3a 3e " ADDR6_1 ADDR6_2 "04000000 00000028 "
	 "60012345 0578 06 3c " ADDR6_2 ADDR6_1 "9c400019 00000001"},
	/* type 1 has a length too */
	{LINK_RAW,
	 "ICMPv6 2001:db8::1 > 2001:db8::2 no-route (type 1 code 0) ttl 62, "
	 "quotes IP 2001:db8::2 > 2001:db8::1 proto 6 ttl 1",
	 "60000000 0094 3a 3e " ADDR6_1 ADDR6_2 "01000000 10000000 "
	 "60000000 0080 3c 01 " ADDR6_2 ADDR6_1 "06 0a 0154 " PAD_84
	 "20000000 0008 01 01 000101ff"},
	/* an echo request whose data look like a packet */
	{LINK_RAW, "ICMPv6 2001:db8::1 > 2001:db8::2 other (type 128 code 0) ttl 62",
	 "60000000 0038 3a 3e " ADDR6_1 ADDR6_2 "80000000 00010001 "
	 "60012345 0578 06 3c " ADDR6_2 ADDR6_1 "9c400019 00000001"},
	/* router solicitation */
	{LINK_RAW, "ICMPv6 2001:db8::1 > 2001:db8::2 other (type 133 code 0) ttl 255",
	 "60000000 0008 3a ff " ADDR6_1 ADDR6_2 "85000000 00000000"},
};

static void decodes_to_its_line(void **state)
{
	char text[400];
	struct packet p;

	(void)state;
	for (size_t i = 0; i < COUNT(samples); i++) {
		assert_int_equal(decode_hex(samples[i].link_type, samples[i].hex, &p), DECODE_OK);
		assert_string_equal(wire_text(&p, text, sizeof(text)), samples[i].text);
		assert_false(p.truncated);
	}
}

/* What a shorter capture tells must be what the whole one tells, or less. */
static void assert_tcp_less(const struct tcp_segment *less, const struct tcp_segment *all)
{
	assert_int_equal(less->sport, all->sport);
	assert_int_equal(less->dport, all->dport);
	assert_int_equal(less->seq, all->seq);
	assert_int_equal(less->ack, all->ack);
	assert_int_equal(less->flags, all->flags);
	assert_int_equal(less->window, all->window);
	assert_int_equal(less->mss, less->has_mss ? all->mss : 0);
	assert_int_equal(less->wscale, less->has_wscale ? all->wscale : 0);
	assert_int_equal(less->ts_val, less->has_ts ? all->ts_val : 0);
	assert_int_equal(less->ts_ecr, less->has_ts ? all->ts_ecr : 0);
	assert_true(less->has_mss <= all->has_mss && less->has_wscale <= all->has_wscale);
	assert_true(less->has_ts <= all->has_ts && less->sack_permitted <= all->sack_permitted);
	assert_true(less->options_malformed <= all->options_malformed);
}

static void assert_quote_less(const struct icmp_quote *less, const struct icmp_quote *all)
{
	assert_true(less->present <= all->present && less->has_ports <= all->has_ports);
	assert_true(less->has_tcp_rest <= all->has_tcp_rest && less->has_mss <= all->has_mss);
	if (less->present) {
		assert_true(addr_equal(&less->src, &all->src) && addr_equal(&less->dst, &all->dst));
		assert_int_equal(less->ttl, all->ttl);
		assert_int_equal(less->ip_id, all->ip_id);
		assert_int_equal(less->ip_len, all->ip_len);
	}
	if (less->has_ports) {
		assert_int_equal(less->proto, all->proto);
		assert_int_equal(less->sport, all->sport);
		assert_int_equal(less->dport, all->dport);
		assert_int_equal(less->seq, all->seq);
	}
	if (less->has_tcp_rest) {
		assert_int_equal(less->ack, all->ack);
		assert_int_equal(less->flags, all->flags);
		assert_int_equal(less->window, all->window);
	}
	assert_int_equal(less->mss, less->has_mss ? all->mss : 0);
}

static void assert_less(const struct packet *less, const struct packet *all)
{
	assert_int_equal(less->kind, all->kind);
	assert_true(addr_equal(&less->src, &all->src) && addr_equal(&less->dst, &all->dst));
	assert_int_equal(less->ifindex, all->ifindex);
	assert_int_equal(less->dir, all->dir);
	assert_int_equal(less->loopback, all->loopback);
	assert_int_equal(less->ttl, all->ttl);
	assert_int_equal(less->proto, all->proto);
	assert_int_equal(less->ip_id, all->ip_id);
	assert_int_equal(less->flow_label, all->flow_label);
	assert_int_equal(less->df, all->df);
	assert_int_equal(less->more_fragments, all->more_fragments);
	assert_int_equal(less->frag_offset, all->frag_offset);
	assert_int_equal(less->has_ip_options, all->has_ip_options);
	assert_int_equal(less->payload_len, all->payload_len);
	assert_true(less->payload_caplen <= all->payload_caplen);
	switch (less->kind) {
	case PACKET_TCP: assert_tcp_less(&less->tcp, &all->tcp); break;
	case PACKET_ICMP:
		assert_int_equal(less->icmp.type, all->icmp.type);
		assert_int_equal(less->icmp.code, all->icmp.code);
		assert_int_equal(less->icmp.mtu, all->icmp.mtu);
		assert_quote_less(&less->icmp.quote, &all->icmp.quote);
		break;
	case PACKET_NEIGHBOUR:
	case PACKET_OTHER: break;
	}
}

/* Cut by the snap length: a header is missing, or the packet says that it is cut. */
static void prefix_tells_less(void **state)
{
	struct packet all, less;

	(void)state;
	for (size_t i = 0; i < COUNT(samples); i++) {
		const struct sample *s = &samples[i];
		struct bytes b = bytes_of(s->hex);
		bool decoded = false;

		decode_exactly(s->link_type, b.at, b.len, b.len, &all);
		for (size_t n = 0; n < b.len; n++) {
			enum decode_result r = decode_exactly(s->link_type, b.at, n, b.len, &less);
			assert_true(r == DECODE_OK || (r == DECODE_TRUNCATED && !decoded));
			if (r != DECODE_OK)
				continue;
			decoded = true;
			assert_less(&less, &all);
			assert_true(less.truncated || less.payload_caplen == all.payload_caplen);
		}
		free(b.at);
	}
}

/* The frame itself is short, as after a writer that cut both lengths: any answer without overread,
 * and never a field that isn't there. */
static void short_frame_tells_less(void **state)
{
	struct packet all, less;

	(void)state;
	for (size_t i = 0; i < COUNT(samples); i++) {
		const struct sample *s = &samples[i];
		struct bytes b = bytes_of(s->hex);

		decode_exactly(s->link_type, b.at, b.len, b.len, &all);
		for (size_t n = 0; n < b.len; n++) {
			if (decode_exactly(s->link_type, b.at, n, n, &less) == DECODE_OK)
				assert_less(&less, &all);
			/* a file that claims more bytes captured than sent */
			if (decode_exactly(s->link_type, b.at, n, n / 2, &less) == DECODE_OK)
				assert_less(&less, &all);
		}
		free(b.at);
	}
}

static void any_byte_may_be_wrong(void **state)
{
	static const uint8_t values[] = {0x00, 0x01, 0x0f, 0x45, 0x60, 0x7f, 0x80, 0xff};
	struct packet p;

	(void)state;
	for (size_t i = 0; i < COUNT(samples); i++) {
		struct bytes b = bytes_of(samples[i].hex);

		for (size_t at = 0; at < b.len; at++) {
			uint8_t was = b.at[at];
			for (size_t v = 0; v < COUNT(values); v++) {
				b.at[at] = values[v];
				decode_exactly(samples[i].link_type, b.at, b.len, b.len, &p);
			}
			b.at[at] = was;
		}
		free(b.at);
	}
}

/* 64 attributes of 4 bytes */
#define NFLOG_8	 "0400 0100 0400 0100 0400 0100 0400 0100 0400 0100 0400 0100 0400 0100 0400 0100 "
#define NFLOG_64 "02 00 0001 " NFLOG_8 NFLOG_8 NFLOG_8 NFLOG_8 NFLOG_8 NFLOG_8 NFLOG_8 NFLOG_8

static const struct {
	enum decode_result result;
	const char *why;
	int link_type;
	const char *hex;
} refused[] = {
	{DECODE_NOT_IP, "ARP of another protocol", LINK_ETHERNET, MACS "0806 0001 86dd 06 10 0001"},
	{DECODE_NOT_IP, "reverse ARP", LINK_ETHERNET,
	 MACS "0806 0001 0800 06 04 0003 020000000002 0a000002 000000000000 0a000001"},
	{DECODE_MALFORMED, "ARP that ends too soon", LINK_ETHERNET, MACS "0806 0001 0800 06 04 0001"},
	{DECODE_MALFORMED, "ND that ends too soon", LINK_RAW,
	 "60000000 0010 3a ff " ADDR6_1 ADDR6_2 "88000000 60000000 2001 0db8 00000000"},
	{DECODE_NOT_IP, "LLDP", LINK_ETHERNET, MACS "88cc 0207"},
	{DECODE_NOT_IP, "802.3 with spanning tree", LINK_ETHERNET, MACS "0026 424203 0000000000"},
	{DECODE_NOT_IP, "SNAP of another organisation", LINK_ETHERNET,
	 MACS "0044 aaaa03 00000c 0800 " SYN4},
	{DECODE_NOT_IP, "SAPs of SNAP, another control", LINK_ETHERNET,
	 MACS "0044 aaaa07 000000 0800 " SYN4},
	{DECODE_NOT_IP, "control of SNAP, other SAPs", LINK_ETHERNET,
	 MACS "0044 aaab03 000000 0800 " SYN4},
	{DECODE_NOT_IP, "SNAP within SNAP", LINK_ETHERNET, MACS "0026 aaaa03 000000 0026 " SYN4},
	{DECODE_NOT_IP, "PPPoE discovery", LINK_ETHERNET, MACS "8863 11 09 0000 0000"},
	{DECODE_NOT_IP, "PPPoE session stage, code of discovery", LINK_PPP_ETHER,
	 "11 a7 0001 0000"},
	{DECODE_NOT_IP, "PPP LCP", LINK_PPP, "ff03 c021 01010004"},
	{DECODE_MALFORMED, "SLL ARP that ends too soon", LINK_SLL, "0000 0001 0006 020000000001 0000 0806 0001"},
	{DECODE_NOT_IP, "SLL netlink", LINK_SLL, "0004 0338 0000 0000000000000000 0800 " SYN4},
	{DECODE_NOT_IP, "SLL CAN", LINK_SLL, "0000 0118 0000 0000000000000000 000c " SYN4},
	{DECODE_NOT_IP, "AF_UNSPEC", LINK_NULL, "00000000 " SYN4},
	{DECODE_NOT_IP, "AF_INET in the wrong order", LINK_LOOP, "02000000 " SYN4},

	{DECODE_UNSUPPORTED, "pseudowire", LINK_ETHERNET,
	 MACS "8847 000101ff 00000000 " MACS "0800"},
	{DECODE_UNSUPPORTED, "MACsec", LINK_ETHERNET, MACS "88e5 2000"},
	{DECODE_UNSUPPORTED, "9 tags", LINK_ETHERNET,
	 MACS "8100 0001 8100 0001 8100 0001 8100 0001 8100 0001 8100 0001 8100 0001 8100 0001 "
	      "8100 0001 0800 " SYN4},
	{DECODE_UNSUPPORTED, "PPP with compressed TCP", LINK_PPP, "ff03 002d 00"},
	{DECODE_UNSUPPORTED, "uncompressed TCP of RFC 1144", LINK_PPP, "ff03 002f " SYN4},
	{DECODE_UNSUPPORTED, "PPP multilink", LINK_PPP, "ff03 003d c0000000 0021 " SYN4},
	{DECODE_UNSUPPORTED, "PPP compressed", LINK_PPP, "ff03 00fd 00"},
	{DECODE_UNSUPPORTED, "17 labels", LINK_ETHERNET,
	 MACS "8847 000100ff 000100ff 000100ff 000100ff 000100ff 000100ff 000100ff 000100ff "
	      "000100ff 000100ff 000100ff 000100ff 000100ff 000100ff 000100ff 000100ff "
	      "000101ff " SYN4},
	{DECODE_UNSUPPORTED, "SLL frame relay", LINK_SLL,
	 "0000 0302 0006 020000000001 0000 0800 " SYN4},
	{DECODE_UNSUPPORTED, "SLL IEEE 802.11", LINK_SLL,
	 "0000 0321 0006 020000000001 0000 0800 " SYN4},
	{DECODE_UNSUPPORTED, "SLL radiotap", LINK_SLL,
	 "0000 0323 0006 020000000001 0000 0800 " SYN4},
	{DECODE_UNSUPPORTED, "USB", 189, SYN4},
	{DECODE_UNSUPPORTED, "no link type", -1, SYN4},

	{DECODE_NOT_IP, "802.11 beacon", LINK_IEEE80211, "8000 0000 " MAC3 "1000 " SNAP4 SYN4},
	{DECODE_NOT_IP, "802.11 null data", LINK_IEEE80211, "4801 0000 " MAC3 "1000 " SNAP4 SYN4},
	{DECODE_NOT_IP, "802.11 with a bad checksum", LINK_RADIOTAP,
	 "00 00 0900 02000000 40 0801 0000 " MAC3 "1000 " SNAP4 SYN4},
	{DECODE_UNSUPPORTED, "802.11 encrypted", LINK_IEEE80211,
	 "0841 0000 " MAC3 "1000 " SNAP4 SYN4},
	{DECODE_UNSUPPORTED, "802.11, more fragments", LINK_IEEE80211,
	 "0805 0000 " MAC3 "1000 " SNAP4 SYN4},
	{DECODE_UNSUPPORTED, "802.11, the second fragment", LINK_IEEE80211,
	 "0801 0000 " MAC3 "1100 " SNAP4 SYN4},
	{DECODE_NOT_IP, "nflog without a packet", LINK_NFLOG, NFLOG_64},

	{DECODE_MALFORMED, "A-MSDU shorter than its first header", LINK_IEEE80211,
	 "8801 0000 " MAC3 "1000 8000 020000000001"},
	{DECODE_MALFORMED, "radiotap version 1", LINK_RADIOTAP,
	 "01 00 0800 00000000 0801 0000 " MAC3 "1000 " SNAP4 SYN4},
	{DECODE_MALFORMED, "radiotap of 4 bytes", LINK_RADIOTAP, "00 00 0400 " SYN4},
	{DECODE_MALFORMED, "radiotap fields past its length", LINK_RADIOTAP,
	 "00 00 0800 01000000 0801 0000 " MAC3 "1000 " SNAP4 SYN4},
	{DECODE_MALFORMED, "pflog of 3 bytes", LINK_PFLOG, "03 02 01 00 " SYN4},
	{DECODE_MALFORMED, "nflog attribute of 2 bytes", LINK_NFLOG, "02 00 0001 0200 0a00 " SYN4},
	{DECODE_MALFORMED, "nothing", LINK_RAW, ""},
	{DECODE_MALFORMED, "shorter than its header", LINK_ETHERNET, "020000000001"},
	{DECODE_MALFORMED, "PPPoE version 2", LINK_PPP_ETHER, "21 00 0001 003e 0021 " SYN4},
	{DECODE_MALFORMED, "IP version 5", LINK_RAW,
	 "55000014 00000000 40060000 0a000002 c0000201"},
	{DECODE_MALFORMED, "IPv6 where IPv4 was announced", LINK_ETHERNET, MACS "0800 " SYN6},
	{DECODE_MALFORMED, "IPv4 where IPv6 was announced", LINK_IPV6, SYN4},
	{DECODE_MALFORMED, "header length 4", LINK_RAW,
	 "44000028 00000000 40060000 0a000002 c0000201"},
	{DECODE_MALFORMED, "total length below the header", LINK_RAW,
	 "45000013 00000000 40060000 0a000002 c0000201 9c400019 00000001"},
	{DECODE_MALFORMED, "total length within the options", LINK_RAW,
	 "46000017 00000000 40060000 0a000002 c0000201 01010101"},
	{DECODE_MALFORMED, "TCP of 8 bytes", LINK_RAW,
	 "4500001c 00000000 40060000 0a000002 c0000201 9c400019 00000001"},
	{DECODE_MALFORMED, "tiny first fragment (RFC 1858)", LINK_RAW,
	 "4500001c 00002000 40060000 0a000002 c0000201 9c400019 00000001"},
	{DECODE_MALFORMED, "TCP data offset 4", LINK_RAW,
	 "45000028 00000000 40060000 0a000002 c0000201 9c400019 00000001 00000000 4002faf0 "
	 "00000000"},
	{DECODE_MALFORMED, "TCP data offset past the end", LINK_RAW,
	 "45000028 00000000 40060000 0a000002 c0000201 9c400019 00000001 00000000 6002faf0 "
	 "00000000"},
	{DECODE_MALFORMED, "ICMP of 4 bytes", LINK_RAW,
	 "45000018 00000000 40010000 0a000002 c0000201 03010000"},
	{DECODE_MALFORMED, "extension header past the payload length", LINK_RAW,
	 "60000000 0008 00 40 " ADDR6_2 ADDR6_1 "06 01 0104 00000000 0000000000000000"},
	{DECODE_MALFORMED, "hop-by-hop option past its header", LINK_RAW,
	 "60000000 0030 00 40 " ADDR6_2 ADDR6_1 "06 00 0105 00000000 " SYN_TCP},
	{DECODE_MALFORMED, "jumbo option beside a payload length", LINK_RAW,
	 "60000000 0030 00 40 " ADDR6_2 ADDR6_1 "06 00 c204 00010000 " SYN_TCP},
	{DECODE_MALFORMED, "jumbo length below 65536", LINK_RAW,
	 "60000000 0000 00 40 " ADDR6_2 ADDR6_1 "06 00 c204 0000ffff " SYN_TCP},
	{DECODE_MALFORMED, "jumbo option of 2 bytes", LINK_RAW,
	 "60000000 0000 00 40 " ADDR6_2 ADDR6_1 "06 00 c202 0001 0100 " SYN_TCP},
	{DECODE_MALFORMED, "17 extension headers", LINK_RAW,
	 "60000000 0088 3c 40 " ADDR6_2 ADDR6_1
	 "3c000104 00000000 3c000104 00000000 3c000104 00000000 3c000104 00000000 "
	 "3c000104 00000000 3c000104 00000000 3c000104 00000000 3c000104 00000000 "
	 "3c000104 00000000 3c000104 00000000 3c000104 00000000 3c000104 00000000 "
	 "3c000104 00000000 3c000104 00000000 3c000104 00000000 3c000104 00000000 "
	 "3b000104 00000000"},
};

static void says_why_not(void **state)
{
	struct packet p;

	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++) {
		enum decode_result r = decode_hex(refused[i].link_type, refused[i].hex, &p);
		if (r != refused[i].result)
			fail_msg("%s: %d, not %d", refused[i].why, r, refused[i].result);
	}
}

static void cooked_header_tells_where(void **state)
{
	static const struct {
		int link_type, ifindex;
		enum packet_dir dir;
		bool loopback;
		const char *hex;
	} table[] = {
		/* packet type host, broadcast, multicast, otherhost, outgoing, 6 */
		{LINK_SLL2, 3, PACKET_IN, false, "0800 0000 00000003 0001 00 06 0200000000010000 "},
		{LINK_SLL2, 3, PACKET_IN, false, "0800 0000 00000003 0001 01 06 0200000000010000 "},
		{LINK_SLL2, 3, PACKET_IN, false, "0800 0000 00000003 0001 02 06 0200000000010000 "},
		{LINK_SLL2, 3, PACKET_IN, false, "0800 0000 00000003 0001 03 06 0200000000010000 "},
		{LINK_SLL2, 3, PACKET_OUT, false,
		 "0800 0000 00000003 0001 04 06 0200000000010000 "},
		{LINK_SLL2, 3, PACKET_DIR_UNKNOWN, false,
		 "0800 0000 00000003 0001 06 06 0200000000010000 "},
		/* ARPHRD_LOOPBACK, host and outgoing */
		{LINK_SLL2, 1, PACKET_IN, true, "0800 0000 00000001 0304 00 06 0000000000000000 "},
		{LINK_SLL2, 1, PACKET_IN, true, "0800 0000 00000001 0304 04 06 0000000000000000 "},
		/* an index that no kernel gives */
		{LINK_SLL2, 0, PACKET_IN, false, "0800 0000 ffffffff 0001 00 06 0200000000010000 "},
		{LINK_SLL, 0, PACKET_IN, false, "0000 0001 0006 0200000000010000 0800 "},
		{LINK_SLL, 0, PACKET_OUT, false, "0004 0001 0006 0200000000010000 0800 "},
		{LINK_SLL, 0, PACKET_IN, true, "0004 0304 0006 0000000000000000 0800 "},
		{LINK_SLL, 0, PACKET_DIR_UNKNOWN, false, "0104 0001 0006 0200000000010000 0800 "},
		{LINK_RAW, 0, PACKET_DIR_UNKNOWN, false, ""},
		/* Linux's lo has no Ethernet addresses; one half of none is no sign */
		{LINK_ETHERNET, 0, PACKET_IN, true, "000000000000 000000000000 0800 "},
		{LINK_ETHERNET, 0, PACKET_DIR_UNKNOWN, false, "000000000000 020000000002 0800 "},
		{LINK_ETHERNET, 0, PACKET_DIR_UNKNOWN, false, "020000000001 000000000000 0800 "},
		/* also what BSD tunnels use: no loopback without a loopback address */
		{LINK_NULL, 0, PACKET_DIR_UNKNOWN, false, "02000000 "},
	};
	struct packet p;

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		char hex[400];
		snprintf(hex, sizeof(hex), "%s%s", table[i].hex, SYN4);
		assert_int_equal(decode_hex(table[i].link_type, hex, &p), DECODE_OK);
		assert_int_equal(p.ifindex, table[i].ifindex);
		assert_int_equal(p.dir, table[i].dir);
		assert_int_equal(p.loopback, table[i].loopback);
	}
	static const char *const looped[] = {
		/* 127.0.0.1 > 192.0.2.1, 192.0.2.1 > 127.0.0.1, 192.0.2.1 > 192.0.2.1 */
		"02000000 4500003c 1c464000 40060000 7f000001 c0000201 " SYN_TCP,
		"02000000 4500003c 1c464000 40060000 c0000201 7f000001 " SYN_TCP,
		"02000000 4500003c 1c464000 40060000 c0000201 c0000201 " SYN_TCP,
	};
	for (size_t i = 0; i < COUNT(looped); i++) {
		assert_int_equal(decode_hex(LINK_NULL, looped[i], &p), DECODE_OK);
		assert_true(p.loopback);
		assert_int_equal(p.dir, PACKET_IN);
	}
}

static void every_field(void **state)
{
	struct packet p;

	(void)state;
	assert_int_equal(decode_hex(LINK_RAW, SYN4, &p), DECODE_OK);
	assert_int_equal(p.t_ns, 0);
	assert_int_equal(p.number, 0);
	assert_int_equal(p.proto, 6);
	assert_int_equal(p.ip_id, 0x1c46);
	assert_true(p.df && !p.more_fragments && !p.has_ip_options);
	assert_true(p.tcp.has_mss && p.tcp.has_wscale && p.tcp.has_ts && p.tcp.sack_permitted);
	assert_false(p.tcp.options_malformed);
	assert_int_equal(p.tcp.wscale, 7);
	assert_int_equal(p.tcp.ts_val, 16);
	assert_int_equal(p.tcp.ts_ecr, 0);

	assert_int_equal(decode_hex(LINK_RAW, SYN6, &p), DECODE_OK);
	assert_int_equal(p.flow_label, 0x12345);
	assert_true(!p.df && !p.has_ip_options);

	/* quoted: id 1c46, total length 60, ack 0, flags S */
	assert_int_equal(
		decode_hex(LINK_RAW,
			   "45c00058 00010000 fd010000 c6336401 0a000002 030d0000 00000000 " SYN4,
			   &p),
		DECODE_OK);
	assert_int_equal(p.icmp.quote.ip_id, 0x1c46);
	assert_int_equal(p.icmp.quote.ip_len, 60);
	assert_int_equal(p.icmp.quote.flags, TCP_SYN);
	assert_int_equal(p.payload_len, 60);

	/* packet too big, MTU 0x12345: clipped; quoted payload length 65535: clipped too */
	assert_int_equal(decode_hex(LINK_RAW,
				    "60000000 0030 3a 3e " ADDR6_1 ADDR6_2 "02000000 00012345 "
				    "60000000 ffff 06 3c " ADDR6_2 ADDR6_1,
				    &p),
			 DECODE_OK);
	assert_int_equal(p.icmp.mtu, 65535);
	assert_int_equal(p.icmp.quote.ip_len, 65535);
	assert_true(p.icmp.quote.present && !p.icmp.quote.has_ports);
	assert_int_equal(p.icmp.quote.proto, 6);
}

/* A frame that segmentation offload has not cut yet: head and then text up to wire_len. */
static void gso(const char *head, size_t caplen, size_t wire_len, struct packet *p)
{
	struct bytes b = bytes_of(head);
	uint8_t *frame = malloc(caplen);

	memset(frame, 'x', caplen);
	memcpy(frame, b.at, b.len);
	assert_int_equal(decode_exactly(LINK_RAW, frame, caplen, wire_len, p), DECODE_OK);
	free(frame);
	free(b.at);
}

#define DATA_TCP "9c400019 00000001 00000001 501001f6 00000000 "

static void segments_not_yet_cut(void **state)
{
	struct packet p;

	(void)state;
	/* total length 65232 */
	gso("4500fed0 1c464000 40060000 0a000002 c0000201 " DATA_TCP, 65232, 65232, &p);
	assert_int_equal(p.payload_len, 65192);
	assert_false(p.truncated);
	/* total length 0: IPv4 BIG TCP, and older drivers; the frame tells */
	gso("45000000 1c464000 40060000 0a000002 c0000201 " DATA_TCP, 200, 185000, &p);
	assert_int_equal(p.payload_len, 184960);
	assert_int_equal(p.payload_caplen, 160);
	assert_true(p.truncated);
	/* IPv6 BIG TCP: payload length 0, jumbo length 131092 */
	gso("60000000 0000 00 40 " ADDR6_2 ADDR6_1 "06 00 c204 00020014 " DATA_TCP, 200, 131132,
	    &p);
	assert_int_equal(p.payload_len, 131092 - 8 - 20);
	assert_true(p.truncated && p.has_ip_options);
	/* the same without the option, as kernels without the hop-by-hop header show it */
	gso("60000000 0000 06 40 " ADDR6_2 ADDR6_1 DATA_TCP, 131112, 131112, &p);
	assert_int_equal(p.payload_len, 131052);
	assert_false(p.truncated);
}

static void frame_shorter_than_ip_says(void **state)
{
	struct packet p;

	(void)state;
	/* total length 1500, but a frame of 60 */
	assert_int_equal(
		decode_hex(LINK_RAW, "450005dc 1c464000 40060000 0a000002 c0000201 " SYN_TCP, &p),
		DECODE_OK);
	assert_true(p.truncated);
	assert_int_equal(p.payload_len, 1440);
	assert_int_equal(p.payload_caplen, 0);
}

static void from_the_ip_header(void **state)
{
	struct bytes b = bytes_of(SYN6);
	struct packet p;

	(void)state;
	assert_int_equal(wire_decode_ip_deep(b.at, b.len, b.len, &p), DECODE_OK);
	assert_int_equal(p.kind, PACKET_TCP);
	assert_int_equal(p.dir, PACKET_DIR_UNKNOWN);
	assert_int_equal(wire_decode_ip_deep(b.at, 59, b.len, &p), DECODE_TRUNCATED);
	assert_int_equal(wire_decode_ip_deep(b.at, 0, 0, &p), DECODE_MALFORMED);
	free(b.at);
}

static void link_types(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(samples); i++)
		assert_true(wire_link_type_known(samples[i].link_type));
	assert_false(wire_link_type_known(189)); /* USB */
	assert_false(wire_link_type_known(-1));
	assert_false(wire_link_type_known(2));
}

static void initial_ttl(void **state)
{
	static const unsigned table[][2] = {{0, 32},   {1, 32},    {32, 32},   {33, 64},  {64, 64},
					    {65, 128}, {128, 128}, {129, 255}, {255, 255}};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++)
		assert_int_equal(wire_initial_ttl(table[i][0]), table[i][1]);
}

static void text_fits_anywhere(void **state)
{
	char whole[400];
	struct packet p;

	(void)state;
	for (size_t i = 0; i < COUNT(samples); i++) {
		assert_int_equal(decode_hex(samples[i].link_type, samples[i].hex, &p), DECODE_OK);
		size_t len = strlen(wire_text(&p, whole, sizeof(whole)));
		for (size_t size = 0; size <= len; size++) {
			char *out = malloc(size + (size == 0));
			wire_text(&p, out, size);
			if (size > 0) {
				assert_int_equal(strlen(out), size - 1);
				assert_memory_equal(out, whole, size - 1);
			}
			free(out);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_to_its_line),
		cmocka_unit_test(prefix_tells_less),
		cmocka_unit_test(short_frame_tells_less),
		cmocka_unit_test(any_byte_may_be_wrong),
		cmocka_unit_test(says_why_not),
		cmocka_unit_test(cooked_header_tells_where),
		cmocka_unit_test(every_field),
		cmocka_unit_test(segments_not_yet_cut),
		cmocka_unit_test(frame_shorter_than_ip_says),
		cmocka_unit_test(from_the_ip_header),
		cmocka_unit_test(link_types),
		cmocka_unit_test(initial_ttl),
		cmocka_unit_test(text_fits_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
