/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "probe/path.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"

#define TCP_PROTO   6
#define RAW_SYN_MAX (100 + RAW_PAYLOAD_MAX) /* with all headers */
/* What a Linux SYN carries since 2.6: a SYN that looks otherwise is filtered by some boxes, and
 * would fake a block (method.md section 3). */
#define SYN_WINDOW 64240
#define SYN_WSCALE 7
#define DEFAULT_MTU 1500

struct path_sender {
	int raw4, raw6, packet; /* -1: this kernel has it not */
};

int path_sender_new(struct path_sender **out, struct err *e)
{
	struct path_sender *s = xcalloc(1, sizeof(*s));
	int one = 1;

	s->raw4 = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_RAW);
	int failed = errno;
	s->raw6 = socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_RAW);
	/* protocol 0: it sends only, nothing is queued on it */
	s->packet = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->raw4 < 0 && s->raw6 < 0) {
		path_sender_free(s);
		return err_set(e, ERR_RUN, "cannot open a raw socket: %s (needs CAP_NET_RAW)",
			       strerror(failed));
	}
	if (s->raw6 >= 0)
		setsockopt(s->raw6, IPPROTO_IPV6, IPV6_HDRINCL, &one, sizeof(one));
	*out = s;
	return 0;
}

void path_sender_free(struct path_sender *s)
{
	if (!s)
		return;
	if (s->raw4 >= 0)
		close(s->raw4);
	if (s->raw6 >= 0)
		close(s->raw6);
	if (s->packet >= 0)
		close(s->packet);
	free(s);
}

/* ---- the packet ---- */

static uint8_t *put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return p + 2;
}

static uint8_t *put32(uint8_t *p, uint32_t v)
{
	return put16(put16(p, v >> 16), v & 0xffff);
}

static uint32_t sum16(uint32_t sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	if (len & 1)
		sum += (uint32_t)(p[len - 1] << 8);
	return sum;
}

static unsigned fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

static uint8_t *put_timestamps(uint8_t *p, uint32_t val, uint32_t ecr)
{
	*p++ = 8, *p++ = 10;
	return put32(put32(p, val), ecr);
}

/* In the kernel's order: MSS, SACK permitted, timestamps, NOP, window scale. */
static uint8_t *put_syn_options(uint8_t *p, unsigned mss)
{
	*p++ = 2, *p++ = 4;
	p = put16(p, mss);
	*p++ = 4, *p++ = 2;
	p = put_timestamps(p, (uint32_t)(clock_mono_ns() / NS_PER_MS), 0);
	*p++ = 1;
	*p++ = 3, *p++ = 3, *p++ = SYN_WSCALE;
	return p;
}

static unsigned build_tcp(const struct raw_syn *syn, uint8_t *tcp)
{
	unsigned header = syn->dst.family == ADDR_V4 ? 40 : 60;
	unsigned mtu = syn->link_mtu > header + 88 ? syn->link_mtu : DEFAULT_MTU;
	unsigned addr_len = syn->dst.family == ADDR_V4 ? 4 : 16;
	static const uint16_t flags[] = {[RAW_SYN] = 0x02, [RAW_RST] = 0x04, [RAW_ACK] = 0x10};
	uint8_t *p = tcp;

	p = put16(p, syn->sport);
	p = put16(p, syn->dport);
	p = put32(p, syn->seq);
	p = put32(p, syn->ack);
	uint8_t *offset = p;
	p = put16(p, flags[syn->kind]);
	p = put16(p, syn->kind == RAW_SYN ? SYN_WINDOW : syn->window);
	uint8_t *checksum = p;
	p = put32(p, 0); /* checksum, urgent pointer */
	if (syn->kind == RAW_SYN)
		p = put_syn_options(p, mtu - header);
	if (syn->kind == RAW_ACK && syn->has_ts) {
		*p++ = 1, *p++ = 1;
		p = put_timestamps(p, syn->ts_val, syn->ts_ecr);
	}
	unsigned len = (unsigned)(p - tcp);
	offset[0] = (uint8_t)(len / 4 << 4);
	if (syn->kind == RAW_ACK && syn->payload_len && syn->payload_len <= RAW_PAYLOAD_MAX) {
		memcpy(p, syn->payload, syn->payload_len);
		offset[1] |= 0x08; /* PSH */
		len += syn->payload_len;
	}

	uint32_t sum = sum16(0, syn->src.bytes, addr_len);
	sum = sum16(sum, syn->dst.bytes, addr_len) + TCP_PROTO + len;
	put16(checksum, fold(sum16(sum, tcp, len)));
	return len;
}

/* The packet itself: IP header, TCP header and options; returns its length. */
static unsigned build(const struct raw_syn *syn, uint8_t out[RAW_SYN_MAX])
{
	bool v4 = syn->dst.family == ADDR_V4;
	unsigned ip_len = v4 ? 20 : 40;
	uint8_t *p = out;

	memset(out, 0, RAW_SYN_MAX);
	unsigned tcp_len = build_tcp(syn, out + ip_len);
	if (v4) {
		*p++ = 0x45, *p++ = 0;
		p = put16(p, ip_len + tcp_len);
		p = put16(p, syn->ip_id);
		p = put16(p, 0x4000); /* DF */
		*p++ = syn->ttl, *p++ = TCP_PROTO;
		p = put16(p, 0);
		memcpy(p, syn->src.bytes, 4);
		memcpy(p + 4, syn->dst.bytes, 4);
		put16(out + 10, fold(sum16(0, out, 20)));
	} else {
		/* one flow label for the whole trace: balancers hash it (RFC 6438) */
		uint32_t label = syn->flow_label ? syn->flow_label : (uint32_t)syn->sport * 0x9e5u;
		p = put32(p, 0x60000000u | (label & 0xfffff));
		p = put16(p, tcp_len);
		*p++ = TCP_PROTO, *p++ = syn->ttl;
		memcpy(p, syn->src.bytes, 16);
		memcpy(p + 16, syn->dst.bytes, 16);
	}
	return ip_len + tcp_len;
}

/* ---- sending ---- */

static int send_below(struct path_sender *s, const struct raw_syn *syn, const uint8_t *packet,
		      unsigned len)
{
	struct sockaddr_ll ll = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(syn->dst.family == ADDR_V4 ? ETH_P_IP : ETH_P_IPV6),
		.sll_ifindex = syn->oif,
		.sll_halen = syn->next_hop_mac_len,
	};

	memcpy(ll.sll_addr, syn->next_hop_mac, sizeof(ll.sll_addr));
	return sendto(s->packet, packet, len, 0, (struct sockaddr *)&ll, sizeof(ll)) < 0 ? errno
											   : 0;
}

/* A control message that fixes the egress interface, as SO_BINDTODEVICE would. */
static void set_interface(struct msghdr *msg, char *control, bool v4, int oif)
{
	struct cmsghdr *c = (struct cmsghdr *)control;

	msg->msg_control = control;
	if (v4) {
		struct in_pktinfo info = {.ipi_ifindex = oif};
		*c = (struct cmsghdr){CMSG_LEN(sizeof(info)), IPPROTO_IP, IP_PKTINFO};
		memcpy(CMSG_DATA(c), &info, sizeof(info));
		msg->msg_controllen = CMSG_SPACE(sizeof(info));
	} else {
		struct in6_pktinfo info = {.ipi6_ifindex = (unsigned)oif};
		*c = (struct cmsghdr){CMSG_LEN(sizeof(info)), IPPROTO_IPV6, IPV6_PKTINFO};
		memcpy(CMSG_DATA(c), &info, sizeof(info));
		msg->msg_controllen = CMSG_SPACE(sizeof(info));
	}
}

int path_send(struct path_sender *s, const struct raw_syn *syn)
{
	uint8_t packet[RAW_SYN_MAX];
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct in6_pktinfo))] = {0};
	struct sockaddr_storage to;
	bool v4 = syn->dst.family == ADDR_V4;
	unsigned len = build(syn, packet);

	if (syn->inject)
		return s->packet < 0 ? EAFNOSUPPORT : send_below(s, syn, packet, len);
	int fd = v4 ? s->raw4 : s->raw6;
	if (fd < 0)
		return EAFNOSUPPORT;
	struct iovec iov = {packet, len};
	/* IPV6_HDRINCL takes no port in the address (raw(7)) */
	struct msghdr msg = {.msg_name = &to,
			     .msg_namelen = addr_to_sockaddr(&syn->dst, 0, &to),
			     .msg_iov = &iov,
			     .msg_iovlen = 1};
	if (syn->oif)
		set_interface(&msg, control, v4, syn->oif);
	return sendmsg(fd, &msg, 0) < 0 ? errno : 0;
}
