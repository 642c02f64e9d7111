/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Link layers. Values of DLT_ and LINKTYPE_ by their numbers: wire/ does not
 * know libpcap (https://www.tcpdump.org/linktypes.html).
 */
#include "wire/layers.h"

enum link_type {
	LINK_NULL = 0,
	LINK_ETHERNET = 1,
	LINK_PPP = 9,
	LINK_RAW = 12,         /* DLT_RAW on Linux */
	LINK_RAW_OPENBSD = 14, /* DLT_RAW there */
	LINK_PPP_SERIAL = 50,  /* with HDLC framing */
	LINK_PPP_ETHER = 51,   /* from the PPPoE header on */
	LINK_RAW_FILE = 101,   /* LINKTYPE_RAW */
	LINK_C_HDLC = 104,
	LINK_IEEE80211 = 105,
	LINK_LOOP = 108,
	LINK_ENC = 109, /* OpenBSD: behind IPsec */
	LINK_LINUX_SLL = 113,
	LINK_PFLOG = 117,
	LINK_IEEE80211_RADIOTAP = 127,
	LINK_PPP_WITH_DIRECTION = 204,
	LINK_IPV4 = 228,
	LINK_IPV6 = 229,
	LINK_NFLOG = 239,
	LINK_LINUX_SLL2 = 276,
};

enum ethertype {
	ETHERTYPE_LLC_SLL = 0x0004, /* Linux ETH_P_802_2, in SLL and SLL2 */
	ETHERTYPE_IPV4 = 0x0800,
	ETHERTYPE_ARP = 0x0806,
	ETHERTYPE_VLAN = 0x8100,
	ETHERTYPE_IPV6 = 0x86dd,
	ETHERTYPE_MPLS = 0x8847,
	ETHERTYPE_MPLS_MULTICAST = 0x8848,
	ETHERTYPE_PPPOE_SESSION = 0x8864,
	ETHERTYPE_QINQ = 0x88a8,
	ETHERTYPE_MACSEC = 0x88e5,
	ETHERTYPE_QINQ_OLD = 0x9100,
};

enum arphrd {
	ARPHRD_FRAME_RELAY = 770,
	ARPHRD_LO = 772,
	ARPHRD_IEEE80211_FIRST = 801, /* plain, prism and radiotap headers */
	ARPHRD_IEEE80211_LAST = 803,
	ARPHRD_NETLINK_MSG = 824,
};

#define LLC_LENGTH_MAX 1500 /* IEEE 802.3: up to here a length, from 0x600 on a type */
#define TAGS_MAX       8
#define LABELS_MAX     16

static enum decode_result mpls(struct cursor *c, struct packet *p)
{
	p->around |= AROUND_MPLS;
	for (int i = 0; i < LABELS_MAX; i++) {
		if (!(cursor_u32(c) & 0x100))
			continue;
		/* RFC 4928: the payload has no type; a nibble of 0 is a pseudowire's. */
		uint8_t version = cursor_peek(c) >> 4;
		if (c->fault != DECODE_OK)
			return c->fault;
		return version == 4 || version == 6 ? DECODE_OK : DECODE_UNSUPPORTED;
	}
	return c->fault != DECODE_OK ? c->fault : DECODE_UNSUPPORTED;
}

enum decode_result wire_ppp(struct cursor *c, struct packet *p, uint8_t *family)
{
	uint16_t proto;

	if (cursor_peek(c) == 0xff) /* RFC 1662 address and control; no protocol is 0xff */
		cursor_u16(c);
	/* RFC 1661 section 6.5: the low bit ends the field, one byte when compressed */
	proto = cursor_u8(c);
	if (!(proto & 1))
		proto = (uint16_t)(proto << 8 | cursor_u8(c));
	if (c->fault != DECODE_OK)
		return c->fault;

	switch (proto) {
	case 0x0021: *family = ADDR_V4; return DECODE_OK;
	case 0x0057: *family = ADDR_V6; return DECODE_OK;
	case 0x0281:
	case 0x0283: return mpls(c, p);
	case 0x002d: /* RFC 1144 compressed TCP, and what it sends uncompressed */
	case 0x002f:
	case 0x003d: /* RFC 1990 multilink */
	case 0x00fd: /* RFC 1962 compressed datagram */ return DECODE_UNSUPPORTED;
	default: return DECODE_NOT_IP;
	}
}

/* RFC 2516 section 4 */
static enum decode_result pppoe(struct cursor *c, struct packet *p, uint8_t *family)
{
	uint8_t version_type = cursor_u8(c);
	uint8_t code = cursor_u8(c);

	p->around |= AROUND_PPPOE;
	cursor_u16(c); /* session */
	cursor_u16(c); /* length: the IP header's own is the one that counts */
	if (c->fault != DECODE_OK)
		return c->fault;
	if (version_type != 0x11)
		return DECODE_MALFORMED;
	return code == 0 ? wire_ppp(c, p, family) : DECODE_NOT_IP;
}

/* IEEE 802.2 with SNAP (RFC 1042); any other LLC holds no IP. */
static enum decode_result llc(struct cursor *c, uint16_t *type)
{
	uint16_t saps = cursor_u16(c);
	uint8_t control = cursor_u8(c);

	if (c->fault != DECODE_OK)
		return c->fault;
	if (saps != 0xaaaa || control != 3)
		return DECODE_NOT_IP;
	uint8_t oui_high = cursor_u8(c);
	uint16_t oui_low = cursor_u16(c);
	*type = cursor_u16(c);
	if (c->fault != DECODE_OK)
		return c->fault;
	return oui_high == 0 && oui_low == 0 && *type > LLC_LENGTH_MAX ? DECODE_OK : DECODE_NOT_IP;
}

enum decode_result wire_by_ethertype(struct cursor *c, uint16_t type, struct packet *p,
				     uint8_t *family)
{
	enum decode_result r;

	for (int i = 0; i <= TAGS_MAX; i++) {
		if (c->fault != DECODE_OK)
			return c->fault;
		switch (type) {
		case ETHERTYPE_IPV4: *family = ADDR_V4; return DECODE_OK;
		case ETHERTYPE_IPV6: *family = ADDR_V6; return DECODE_OK;
		case ETHERTYPE_VLAN:
		case ETHERTYPE_QINQ:
		case ETHERTYPE_QINQ_OLD:
			p->around |= AROUND_VLAN;
			cursor_u16(c);
			type = cursor_u16(c);
			continue;
		case ETHERTYPE_MPLS:
		case ETHERTYPE_MPLS_MULTICAST: return mpls(c, p);
		case ETHERTYPE_PPPOE_SESSION: return pppoe(c, p, family);
		case ETHERTYPE_MACSEC: return DECODE_UNSUPPORTED;
		case ETHERTYPE_ARP: p->kind = PACKET_NEIGHBOUR; return DECODE_NOT_IP;
		}
		if (type > LLC_LENGTH_MAX)
			return DECODE_NOT_IP;
		r = llc(c, &type);
		if (r != DECODE_OK)
			return r;
	}
	return DECODE_UNSUPPORTED;
}

enum decode_result wire_ethernet(struct cursor *c, struct packet *p, uint8_t *family)
{
	cursor_take(c, 12);
	return wire_by_ethertype(c, cursor_u16(c), p, family);
}

static enum packet_dir dir_of(uint8_t packet_type)
{
	enum { HOST, BROADCAST, MULTICAST, OTHERHOST, OUTGOING }; /* linux/if_packet.h */

	switch (packet_type) {
	case HOST:
	case BROADCAST:
	case MULTICAST:
	case OTHERHOST: return PACKET_IN;
	case OUTGOING: return PACKET_OUT;
	default: return PACKET_DIR_UNKNOWN;
	}
}

/* What SLL and SLL2 share: the meaning of the protocol depends on the hardware type. */
static enum decode_result cooked(struct cursor *c, struct packet *p, uint16_t hardware,
				 uint8_t packet_type, uint16_t proto, uint8_t *family)
{
	if (c->fault != DECODE_OK)
		return c->fault;
	p->loopback = hardware == ARPHRD_LO;
	p->dir = p->loopback ? PACKET_IN : dir_of(packet_type);
	if (hardware == ARPHRD_NETLINK_MSG)
		return DECODE_NOT_IP;
	if (hardware == ARPHRD_FRAME_RELAY ||
	    (hardware >= ARPHRD_IEEE80211_FIRST && hardware <= ARPHRD_IEEE80211_LAST))
		return DECODE_UNSUPPORTED;
	if (proto <= LLC_LENGTH_MAX && proto != ETHERTYPE_LLC_SLL)
		return DECODE_NOT_IP;
	return wire_by_ethertype(c, proto, p, family);
}

static enum decode_result linux_sll(struct cursor *c, struct packet *p, uint8_t *family)
{
	uint16_t packet_type = cursor_u16(c);
	uint16_t hardware = cursor_u16(c);

	cursor_take(c, 10); /* address length, address */
	uint16_t proto = cursor_u16(c);
	return cooked(c, p, hardware, packet_type > 255 ? 255 : (uint8_t)packet_type, proto,
		      family);
}

static enum decode_result linux_sll2(struct cursor *c, struct packet *p, uint8_t *family)
{
	uint16_t proto = cursor_u16(c);

	cursor_u16(c); /* reserved */
	uint32_t ifindex = cursor_u32(c);
	uint16_t hardware = cursor_u16(c);
	uint8_t packet_type = cursor_u8(c);
	cursor_take(c, 9); /* address length, address */
	p->ifindex = ifindex <= INT32_MAX ? (int)ifindex : 0;
	return cooked(c, p, hardware, packet_type, proto, family);
}

/* AF_INET is 2 everywhere; AF_INET6 is not. */
static enum decode_result by_bsd_family(struct cursor *c, uint32_t af, uint8_t *family)
{
	if (c->fault != DECODE_OK)
		return c->fault;
	switch (af) {
	case 2: *family = ADDR_V4; return DECODE_OK;
	case 10: /* Linux */
	case 23: /* Windows */
	case 24: /* NetBSD, OpenBSD */
	case 28: /* FreeBSD */
	case 30: /* Darwin */ *family = ADDR_V6; return DECODE_OK;
	default: return DECODE_NOT_IP;
	}
}

/* In the byte order of the machine that captured, which a file does not tell. */
static enum decode_result bsd_null(struct cursor *c, struct packet *p, uint8_t *family)
{
	uint32_t af = cursor_u32(c);

	(void)p;
	if (af & 0xffff0000)
		af = __builtin_bswap32(af);
	return by_bsd_family(c, af, family);
}

static enum decode_result bsd_loop(struct cursor *c, struct packet *p, uint8_t *family)
{
	(void)p;
	return by_bsd_family(c, cursor_u32(c), family);
}

static enum decode_result raw(struct cursor *c, struct packet *p, uint8_t *family)
{
	(void)c;
	(void)p;
	*family = ADDR_NONE;
	return DECODE_OK;
}

static enum decode_result raw_v4(struct cursor *c, struct packet *p, uint8_t *family)
{
	(void)c;
	(void)p;
	*family = ADDR_V4;
	return DECODE_OK;
}

static enum decode_result raw_v6(struct cursor *c, struct packet *p, uint8_t *family)
{
	(void)c;
	(void)p;
	*family = ADDR_V6;
	return DECODE_OK;
}

static enum decode_result cisco_hdlc(struct cursor *c, struct packet *p, uint8_t *family)
{
	cursor_u16(c); /* address and control */
	return wire_by_ethertype(c, cursor_u16(c), p, family);
}

static enum decode_result ppp_serial(struct cursor *c, struct packet *p, uint8_t *family)
{
	uint8_t address = cursor_peek(c);

	if (address == 0x0f || address == 0x8f)
		return cisco_hdlc(c, p, family);
	return wire_ppp(c, p, family);
}

/* One byte before the PPP frame: 0 received, else sent. */
static enum decode_result ppp_with_direction(struct cursor *c, struct packet *p, uint8_t *family)
{
	p->dir = cursor_u8(c) ? PACKET_OUT : PACKET_IN;
	return wire_ppp(c, p, family);
}

/* Family in the capturing machine's byte order, SPI, flags. */
static enum decode_result bsd_enc(struct cursor *c, struct packet *p, uint8_t *family)
{
	enum decode_result r = bsd_null(c, p, family);

	cursor_take(c, 8);
	return c->fault != DECODE_OK ? c->fault : r;
}

/* OpenBSD and FreeBSD: the header's own length, padded to 4 bytes, then family, action, reason. */
static enum decode_result pflog(struct cursor *c, struct packet *p, uint8_t *family)
{
	size_t length = cursor_u8(c);
	uint8_t af = cursor_u8(c);

	(void)p;
	if (c->fault == DECODE_OK && length < 4)
		return DECODE_MALFORMED;
	cursor_take(c, (length + 3) / 4 * 4 - 2);
	return by_bsd_family(c, af, family);
}

static uint16_t host_u16(struct cursor *c)
{
	uint16_t v;

	cursor_bytes(c, &v, sizeof(v));
	return v;
}

/* Netfilter's log: a family and attributes, in the byte order of the machine that captured, of
 * which one is the packet. Nearly every such machine is little-endian, as ours. */
static enum decode_result nflog(struct cursor *c, struct packet *p, uint8_t *family)
{
	enum { PAYLOAD = 9, ATTRIBUTES_MAX = 64 };
	uint8_t af = cursor_u8(c);

	(void)p;
	cursor_take(c, 3); /* version, resource id */
	for (int i = 0; i < ATTRIBUTES_MAX && c->fault == DECODE_OK; i++) {
		size_t len = host_u16(c);
		uint16_t type = host_u16(c) & 0x7fff;

		if (c->fault == DECODE_OK && len < 4)
			return DECODE_MALFORMED;
		if (c->fault == DECODE_OK && type == PAYLOAD)
			return by_bsd_family(c, af, family);
		cursor_take(c, (len + 3) / 4 * 4 - 4);
	}
	return c->fault != DECODE_OK ? c->fault : DECODE_NOT_IP;
}

struct link_layer {
	enum link_type type;
	enum decode_result (*decode)(struct cursor *c, struct packet *p, uint8_t *family);
};

/* Linux gives the frames of `lo` an Ethernet header without addresses (net/ethernet/eth.c, eth_header()
 * for a loopback device), which no frame on a wire has. */
static enum decode_result outer_ethernet(struct cursor *c, struct packet *p, uint8_t *family)
{
	static const uint8_t none[12];

	p->loopback = c->cap >= sizeof(none) && memcmp(c->at, none, sizeof(none)) == 0;
	if (p->loopback)
		p->dir = PACKET_IN;
	return wire_ethernet(c, p, family);
}

static const struct link_layer *layer_of(int link_type)
{
	static const struct link_layer table[] = {
		{LINK_NULL, bsd_null},
		{LINK_ETHERNET, outer_ethernet},
		{LINK_PPP, wire_ppp},
		{LINK_RAW, raw},
		{LINK_RAW_OPENBSD, raw},
		{LINK_PPP_SERIAL, ppp_serial},
		{LINK_PPP_ETHER, pppoe},
		{LINK_RAW_FILE, raw},
		{LINK_C_HDLC, cisco_hdlc},
		{LINK_IEEE80211, wire_wifi},
		{LINK_LOOP, bsd_loop},
		{LINK_ENC, bsd_enc},
		{LINK_LINUX_SLL, linux_sll},
		{LINK_PFLOG, pflog},
		{LINK_IEEE80211_RADIOTAP, wire_radiotap},
		{LINK_PPP_WITH_DIRECTION, ppp_with_direction},
		{LINK_IPV4, raw_v4},
		{LINK_IPV6, raw_v6},
		{LINK_NFLOG, nflog},
		{LINK_LINUX_SLL2, linux_sll2},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if ((int)table[i].type == link_type)
			return &table[i];
	return NULL;
}

bool wire_link_type_known(int link_type)
{
	return layer_of(link_type) != NULL;
}

enum decode_result wire_link(int link_type, struct cursor *c, struct packet *p, uint8_t *family)
{
	const struct link_layer *layer = layer_of(link_type);

	return layer ? layer->decode(c, p, family) : DECODE_UNSUPPORTED;
}

void wire_link_loopback(int link_type, struct packet *p)
{
	if (link_type != LINK_NULL && link_type != LINK_LOOP)
		return;
	/* BSD and Darwin use these link types for tunnels too, and a packet falsely put on loopback
	 * would accuse the host: believe the addresses only. Misses a host that talks to itself
	 * between two of its addresses. */
	p->loopback = addr_is_loopback(&p->src) || addr_is_loopback(&p->dst) ||
		      addr_equal(&p->src, &p->dst);
	if (p->loopback)
		p->dir = PACKET_IN;
}
