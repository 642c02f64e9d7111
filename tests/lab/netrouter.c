/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * netrouter: a userspace router for the lab, between two TUN devices.
 *
 *     netrouter LEFT RIGHT CONFIG
 *
 * LEFT is the TUN device towards the client, RIGHT the one towards the server;
 * both must exist in this network namespace. "out" is left to right. What is
 * read from one device is delayed, lost, dropped or answered as CONFIG says, and
 * else written to the other. The kernel forwards each packet into one device
 * and on from the other, which costs two TTLs; netrouter gives one back, so
 * that kernel and netrouter together are one hop. It ends with SIGTERM or with
 * its parent. Memory is bounded: at most QUEUE_MAX packets wait. Answers of its
 * own leave by raw sockets, so that their TTL is exactly the one asked for.
 *
 * CONFIG is text, a statement a line, # starts a comment:
 *
 *   seed N                       of the random numbers; equal seeds, equal decisions
 *   address4 A                   source of this router's ICMP errors
 *   address6 A
 *   link [out|in] SETTING...     both directions without out or in
 *       delay=TIME jitter=TIME   uniform in delay +- jitter, order kept (TIME: 20ms, 1.5s, 300us)
 *       loss=P% dup=P%
 *       reorder=P%:TIME          these packets come TIME later, others overtake them
 *       rate=N[k|m]bit           bits a second, queueing at most QUEUE_MAX packets
 *   rule MATCH... : ACTION       the first rule that matches decides
 *
 * MATCH, all must hold:
 *   dir=out|in  proto=tcp|udp|icmp|icmp6|N  version=4|6  src=ADDR[/N]  dst=ADDR[/N]
 *   sport=N[,N...]  dport=N[,N...]
 *   flags=SFRPA          exactly these TCP flags (ECN bits don't count)
 *   icmp=TYPE[/CODE]     an ICMP or ICMPv6 message of that type
 *   ttl=N ttl<N ttl>N    TTL or hop limit with which the packet came to this router
 *   payload              a TCP segment with data
 *   contains=TEXT        data that contains TEXT (no spaces; \xNN is a byte)
 *   len>N                an IP packet of more than N bytes
 *   prob=P%              by chance
 *   skip=N first=N       not the first N packets that match so far; only N of those after them
 *   over=N/s[:BURST]     only what exceeds N a second (BURST at once, N if not given)
 *
 * ACTION:
 *   drop
 *   pass                                    no further rule; link settings still apply
 *   rst [HOW...]                            to the sender, in the name of the destination
 *   synack [HOW...]                         the same with a SYN-ACK (for a SYN)
 *   say TEXT [close] [HOW...]               ... with these words (written as for contains), and a FIN
 *   fin [HOW...]                            ... with a FIN alone
 *   icmp TYPE/CODE [from=ADDR] [HOW...]     an ICMP error to the sender
 *   cut [race]           drop this packet and all that follow on its connection, both ways;
 *                        with race this packet still passes
 *   replace FROM TO      in its data, TO as long as FROM (written as for contains); it passes
 *   stars                so too, asterisks for all but 2, 0, space, CR, LF: a PIX's greeting
 *       ttl=N        with this TTL on leaving this router (64)
 *       ttl=mirror   with the TTL that the packet had when it came
 *       after=TIME   that much later
 *       race         and the packet itself is forwarded too
 *       copies=N     N times; RSTs with growing sequence numbers
 *       both         rst: one to the destination as well
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <math.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	RULES_MAX = 64,
	PORTS_MAX = 16,
	QUEUE_MAX = 8192,
	PACKET_MAX = 2048,        /* the devices' MTU is 1500 */
	QUOTE4_MAX = 548,         /* RFC 1812, 4.3.2.3: an ICMP error fits into 576 bytes */
	CUT_MAX = 256,            /* connections, of which the oldest is forgotten */
	TEXT_MAX = 64,
	QUOTE6_MAX = 1232,        /* RFC 4443, 2.4 (c): into the minimal IPv6 MTU */
	FLAG_MASK = 0x3f,         /* FIN SYN RST PSH ACK URG */
	DEFAULT_TTL = 64,
	READS_PER_WAKEUP = 256,
};

#define NS_PER_S 1000000000LL

enum dir { OUT, IN };

enum action { ACT_PASS, ACT_DROP, ACT_RST, ACT_SYNACK, ACT_ICMP, ACT_CUT, ACT_REPLACE, ACT_STARS, ACT_SAY, ACT_FIN };

enum ttl_op { TTL_ANY, TTL_EQUAL, TTL_LESS, TTL_MORE };

/* An IPv4 or IPv6 address; version 0: not set. */
struct addr {
	int version;
	uint8_t bytes[16];
	int prefix;
};

/* Bytes to look for or to write. */
struct text {
	char bytes[TEXT_MAX];
	size_t len;
};

struct rule {
	int dir;                  /* enum dir, -1 any */
	int proto;                /* -1 any */
	int version;              /* 0 any */
	struct addr src, dst;
	uint16_t sport[PORTS_MAX], dport[PORTS_MAX];
	int sports, dports;
	int flags;                /* -1 any */
	int icmp_type, icmp_code; /* -1 any */
	enum ttl_op ttl_op;
	int ttl;
	bool payload;
	struct text contains;
	int longer_than;          /* -1 any */
	double prob;
	long skip, first;         /* first -1: no limit */
	double over_rate, over_burst;

	enum action action;
	int reply_ttl;            /* -1: mirror */
	int64_t after;
	bool race, both, close;
	int copies;
	int reply_type, reply_code;
	struct addr from;
	struct text replaced, replacement;

	long matched;
	double tokens;
	int64_t tokens_at;
};

struct link {
	int64_t delay, jitter, reorder_by;
	double loss, dup, reorder;
	double rate;              /* bits a second, 0: unlimited */
	int64_t last_due;         /* keeps the order under jitter */
	int64_t free_at;          /* when the rate limit lets the next packet begin */
	uint64_t random;
};

/* What the rules ask of a packet. Offsets into the packet's bytes; -1 where it has none. */
struct view {
	int version;
	const uint8_t *src, *dst;
	int addr_len;
	int proto;
	int ttl;                  /* as it came to this router */
	int l4, len;
	int payload, payload_len;
	int sport, dport, flags;
	int icmp_type, icmp_code;
};

/* A connection that is cut, as the packet that caused it was addressed. */
struct flow {
	int addr_len;             /* 0: none */
	uint8_t src[16], dst[16];
	int sport, dport;
};

enum { RAW = -1 };                /* instead of a device: send by a raw socket */

struct waiting {
	int64_t due;
	uint64_t order;           /* equal due times keep their order */
	int fd;                   /* a device, or RAW */
	int len;
	uint8_t *data;
};

struct router {
	int fd[2];                /* indexed by the direction that is read from it: fd[OUT] is LEFT */
	int raw4, raw6;
	struct link link[2];
	struct rule rules[RULES_MAX];
	int rule_count;
	struct addr address4, address6;
	struct flow cut[CUT_MAX];
	int cut_next;
	uint64_t random;
	struct waiting queue[QUEUE_MAX]; /* binary heap, the earliest first */
	int queued;
	uint64_t order;
};

__attribute__((format(printf, 1, 2))) static void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("netrouter: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* splitmix64: small, seedable, good enough for losing packets. */
static uint64_t random_next(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static double random_unit(uint64_t *state)
{
	return (double)(random_next(state) >> 11) * 0x1.0p-53;
}

static bool chance(uint64_t *state, double p)
{
	return p > 0 && random_unit(state) < p;
}

/* ---- bytes -------------------------------------------------------------- */

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, (uint16_t)(v >> 16));
	put16(p + 2, (uint16_t)v);
}

static uint32_t sum16(const uint8_t *p, int len, uint32_t sum)
{
	for (; len > 1; p += 2, len -= 2)
		sum += get16(p);
	if (len)
		sum += (uint32_t)p[0] << 8;
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Sum over the pseudo-header; equal in value for IPv4 and IPv6 (RFC 8200, 8.1). */
static uint32_t pseudo_sum(const uint8_t *src, const uint8_t *dst, int addr_len, int proto, int len)
{
	return sum16(src, addr_len, sum16(dst, addr_len, 0)) + (uint32_t)proto + (uint32_t)len;
}

/* ---- reading a packet ----------------------------------------------------- */

static bool parse_ip(const uint8_t *p, int len, struct view *v)
{
	int version = len > 0 ? p[0] >> 4 : 0;

	memset(v, 0, sizeof(*v));
	v->len = len;
	v->payload = v->sport = v->dport = v->flags = v->icmp_type = v->icmp_code = -1;
	v->version = version;
	if (version == 4 && len >= 20) {
		v->src = p + 12;
		v->dst = p + 16;
		v->addr_len = 4;
		v->proto = p[9];
		v->ttl = p[8] + 1;
		v->l4 = (p[0] & 15) * 4;
		return v->l4 >= 20 && v->l4 <= len;
	}
	if (version == 6 && len >= 40) {
		v->src = p + 8;
		v->dst = p + 24;
		v->addr_len = 16;
		v->proto = p[6]; /* extension headers: forwarded, but matched by no port */
		v->ttl = p[7] + 1;
		v->l4 = 40;
		return true;
	}
	return false;
}

static void parse_l4(const uint8_t *p, struct view *v)
{
	const uint8_t *l4 = p + v->l4;
	int left = v->len - v->l4;
	bool fragment = v->version == 4 && (get16(p + 6) & 0x1fff);

	if (fragment)
		return;
	if ((v->proto == IPPROTO_TCP && left >= 20) || (v->proto == IPPROTO_UDP && left >= 8)) {
		v->sport = get16(l4);
		v->dport = get16(l4 + 2);
	}
	if (v->proto == IPPROTO_TCP && left >= 20) {
		v->flags = l4[13] & FLAG_MASK;
		v->payload = v->l4 + (l4[12] >> 4) * 4;
		v->payload_len = v->len > v->payload ? v->len - v->payload : 0;
	}
	if ((v->proto == IPPROTO_ICMP || v->proto == IPPROTO_ICMPV6) && left >= 8) {
		v->icmp_type = l4[0];
		v->icmp_code = l4[1];
	}
}

/* Neighbour discovery and multicast are the link's own affair: TUN devices get some from the kernel. */
static bool is_link_local(const struct view *v)
{
	if (v->version == 4)
		return v->dst[0] >= 224;
	return v->dst[0] == 0xff || (v->dst[0] == 0xfe && (v->dst[1] & 0xc0) == 0x80);
}

/* ---- rules ------------------------------------------------------------------ */

static bool prefix_holds(const struct addr *a, const uint8_t *bytes, int version)
{
	if (a->version == 0)
		return true;
	if (a->version != version)
		return false;
	for (int bit = 0; bit < a->prefix; bit += 8) {
		int left = a->prefix - bit;
		uint8_t mask = (uint8_t)(left >= 8 ? 0xff : 0xff << (8 - left));

		if ((a->bytes[bit / 8] ^ bytes[bit / 8]) & mask)
			return false;
	}
	return true;
}

static bool port_listed(const uint16_t *ports, int count, int port)
{
	if (count == 0)
		return true;
	for (int i = 0; i < count; i++)
		if (ports[i] == port)
			return true;
	return false;
}

static bool ttl_holds(const struct rule *r, int ttl)
{
	switch (r->ttl_op) {
	case TTL_ANY: return true;
	case TTL_EQUAL: return ttl == r->ttl;
	case TTL_LESS: return ttl < r->ttl;
	case TTL_MORE: return ttl > r->ttl;
	}
	return false;
}

static bool contents_hold(const struct rule *r, const uint8_t *p, const struct view *v)
{
	if (v->len <= r->longer_than)
		return false;
	if ((r->payload || r->contains.len) && v->payload_len == 0)
		return false;
	return !r->contains.len ||
	       memmem(p + v->payload, (size_t)v->payload_len, r->contains.bytes, r->contains.len);
}

/* True for a packet above the rate; others take a token. */
static bool over_rate(struct rule *r)
{
	int64_t now = now_ns();

	if (r->over_rate <= 0)
		return true;
	r->tokens += (double)(now - r->tokens_at) / NS_PER_S * r->over_rate;
	r->tokens_at = now;
	if (r->tokens > r->over_burst)
		r->tokens = r->over_burst;
	if (r->tokens < 1)
		return true;
	r->tokens -= 1;
	return false;
}

/* The conditions that keep a state come last, so that only packets that match all others count. */
static bool rule_matches(struct router *router, struct rule *r, enum dir dir, const uint8_t *p,
			 const struct view *v)
{
	if ((r->dir >= 0 && r->dir != (int)dir) || (r->proto >= 0 && r->proto != v->proto) ||
	    (r->version && r->version != v->version) ||
	    !prefix_holds(&r->src, v->src, v->version) || !prefix_holds(&r->dst, v->dst, v->version) ||
	    !port_listed(r->sport, r->sports, v->sport) || !port_listed(r->dport, r->dports, v->dport) ||
	    (r->flags >= 0 && r->flags != v->flags) ||
	    (r->icmp_type >= 0 && r->icmp_type != v->icmp_type) ||
	    (r->icmp_code >= 0 && r->icmp_code != v->icmp_code) ||
	    !ttl_holds(r, v->ttl) || !contents_hold(r, p, v))
		return false;
	if (r->prob < 1 && !chance(&router->random, r->prob))
		return false;
	if (!over_rate(r))
		return false;
	r->matched++;
	return r->matched > r->skip && (r->first < 0 || r->matched <= r->skip + r->first);
}

/* ---- sending, now or later ------------------------------------------------------ */

static bool earlier(const struct waiting *a, const struct waiting *b)
{
	return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void swap(struct waiting *a, struct waiting *b)
{
	struct waiting t = *a;

	*a = *b;
	*b = t;
}

static void queue_push(struct router *router, int fd, const uint8_t *data, int len, int64_t due)
{
	struct waiting *q = router->queue;
	int i = router->queued;
	uint8_t *copy;

	if (router->queued == QUEUE_MAX || !(copy = malloc((size_t)len)))
		return; /* as a full router does: the newest is lost */
	memcpy(copy, data, (size_t)len);
	q[i] = (struct waiting){.due = due, .order = router->order++, .fd = fd, .len = len, .data = copy};
	router->queued++;
	for (; i && earlier(&q[i], &q[(i - 1) / 2]); i = (i - 1) / 2)
		swap(&q[i], &q[(i - 1) / 2]);
}

static void queue_pop(struct router *router)
{
	struct waiting *q = router->queue;
	int i = 0;

	free(q[0].data);
	q[0] = q[--router->queued];
	for (;;) {
		int least = i;

		for (int child = 2 * i + 1; child <= 2 * i + 2 && child < router->queued; child++)
			if (earlier(&q[child], &q[least]))
				least = child;
		if (least == i)
			return;
		swap(&q[i], &q[least]);
		i = least;
	}
}

static void raw_write(const struct router *router, const uint8_t *data, int len)
{
	if (data[0] >> 4 == 4) {
		struct sockaddr_in to = {.sin_family = AF_INET};

		memcpy(&to.sin_addr, data + 16, 4);
		sendto(router->raw4, data, (size_t)len, 0, (struct sockaddr *)&to, sizeof(to));
	} else {
		struct sockaddr_in6 to = {.sin6_family = AF_INET6};

		memcpy(&to.sin6_addr, data + 24, 16);
		sendto(router->raw6, data, (size_t)len, 0, (struct sockaddr *)&to, sizeof(to));
	}
}

static void send_now(const struct router *router, int fd, const uint8_t *data, int len)
{
	if (fd == RAW)
		raw_write(router, data, len);
	/* A full or downed device loses the packet, as a wire would. */
	else if (write(fd, data, (size_t)len) < 0 && errno != EAGAIN && errno != EIO && errno != ENOBUFS &&
		 errno != EINVAL)
		fail("write: %s", strerror(errno));
}

static void send_at(struct router *router, int fd, const uint8_t *data, int len, int64_t due)
{
	if (due <= now_ns())
		send_now(router, fd, data, len);
	else
		queue_push(router, fd, data, len, due);
}

static void send_due(struct router *router)
{
	while (router->queued && router->queue[0].due <= now_ns()) {
		send_now(router, router->queue[0].fd, router->queue[0].data, router->queue[0].len);
		queue_pop(router);
	}
}

/* When a packet that enters the link now comes out at its other end. */
static int64_t link_due(struct link *link, int len)
{
	int64_t now = now_ns(), due = now + link->delay;

	if (link->rate > 0) {
		int64_t begin = link->free_at > now ? link->free_at : now;

		link->free_at = begin + (int64_t)(len * 8.0 / link->rate * NS_PER_S);
		due += link->free_at - now;
	}
	if (link->jitter)
		due += (int64_t)((2 * random_unit(&link->random) - 1) * (double)link->jitter);
	if (chance(&link->random, link->reorder))
		return due + link->reorder_by; /* late, and nobody waits for it */
	if (due < link->last_due)
		due = link->last_due;
	link->last_due = due;
	return due;
}

static void forward(struct router *router, enum dir dir, uint8_t *p, int len)
{
	struct link *link = &router->link[dir];
	int64_t due;

	if (chance(&link->random, link->loss))
		return;
	if (link->delay == 0 && link->jitter == 0 && link->rate <= 0 && link->reorder <= 0)
		due = 0;
	else
		due = link_due(link, len);
	send_at(router, router->fd[!dir], p, len, due);
	if (chance(&link->random, link->dup))
		send_at(router, router->fd[!dir], p, len, due);
}

/* Give back the TTL that the kernel will take when it forwards the packet a second time. */
static void restore_ttl(uint8_t *p, int version)
{
	if (version == 6) {
		p[7]++;
		return;
	}
	p[8]++;
	put16(p + 10, 0);
	put16(p + 10, fold(sum16(p, (p[0] & 15) * 4, 0)));
}

#include "netrouter_answers.h"

/* ---- connections cut, data rewritten -------------------------------------------------- */

static bool flow_is(const struct flow *f, const struct view *v, bool turned)
{
	const uint8_t *src = turned ? v->dst : v->src, *dst = turned ? v->src : v->dst;

	int sport = turned ? v->dport : v->sport, dport = turned ? v->sport : v->dport;

	return f->addr_len == v->addr_len && f->sport == sport && f->dport == dport &&
	       !memcmp(f->src, src, (size_t)v->addr_len) && !memcmp(f->dst, dst, (size_t)v->addr_len);
}

static bool is_cut(const struct router *router, const struct view *v)
{
	for (int i = 0; i < CUT_MAX; i++)
		if (flow_is(&router->cut[i], v, false) || flow_is(&router->cut[i], v, true))
			return true;
	return false;
}

static void cut(struct router *router, const struct view *v)
{
	struct flow *f = &router->cut[router->cut_next++ % CUT_MAX];

	*f = (struct flow){.addr_len = v->addr_len, .sport = v->sport, .dport = v->dport};
	memcpy(f->src, v->src, (size_t)v->addr_len);
	memcpy(f->dst, v->dst, (size_t)v->addr_len);
}

static void put_stars(uint8_t *p, int len)
{
	for (int i = 0; i < len; i++)
		if (!p[i] || !strchr("20 \r\n", p[i]))
			p[i] = '*';
}

static void rewrite(uint8_t *p, const struct view *v, const struct rule *r)
{
	uint8_t *t = p + v->l4, *data = p + v->payload, *end = p + v->len, *at;
	int len = v->len - v->l4;
	uint32_t sum;

	if (v->payload_len == 0)
		return;
	if (r->action == ACT_STARS)
		put_stars(data, v->payload_len);
	else
		while ((at = memmem(data, (size_t)(end - data), r->replaced.bytes, r->replaced.len))) {
			memcpy(at, r->replacement.bytes, r->replacement.len);
			data = at + r->replacement.len;
		}
	put16(t + 16, 0);
	sum = pseudo_sum(v->src, v->dst, v->addr_len, IPPROTO_TCP, len);
	put16(t + 16, fold(sum16(t, len, sum)));
}

static void route(struct router *router, enum dir dir, uint8_t *p, int len)
{
	struct view v;

	if (!parse_ip(p, len, &v) || is_link_local(&v))
		return;
	parse_l4(p, &v);
	if (is_cut(router, &v))
		return;
	for (int i = 0; i < router->rule_count; i++) {
		struct rule *r = &router->rules[i];
		int ttl = r->reply_ttl < 0 ? v.ttl : r->reply_ttl;

		if (!rule_matches(router, r, dir, p, &v))
			continue;
		switch (r->action) {
		case ACT_PASS: goto forward;
		case ACT_DROP: return;
		case ACT_RST:
		case ACT_SAY:
		case ACT_FIN:
		case ACT_SYNACK: answer_tcp(router, p, &v, r, ttl); break;
		case ACT_ICMP: answer_icmp(router, p, &v, r, ttl); break;
		case ACT_CUT: cut(router, &v); break;
		case ACT_REPLACE:
		case ACT_STARS: rewrite(p, &v, r); goto forward;
		}
		if (!r->race)
			return;
		break;
	}
forward:
	restore_ttl(p, v.version);
	forward(router, dir, p, len);
}

#include "netrouter_config.h"

/* ---- the loop ------------------------------------------------------------------------------ */

static int tun_open(const char *name)
{
	struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		fail("/dev/net/tun: %s", strerror(errno));
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &request) < 0)
		fail("%s: %s", name, strerror(errno));
	return fd;
}

static int raw_open(int family)
{
	int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW); /* packets come with their IP header */

	if (fd < 0)
		fail("raw socket: %s", strerror(errno));
	return fd;
}

static void read_some(struct router *router, enum dir dir)
{
	uint8_t packet[PACKET_MAX];

	for (int i = 0; i < READS_PER_WAKEUP; i++) {
		ssize_t len = read(router->fd[dir], packet, sizeof(packet));

		if (len <= 0)
			return;
		route(router, dir, packet, (int)len);
	}
}

static void wait_for_work(struct router *router, struct pollfd *polls)
{
	struct timespec timeout, *limit = NULL;

	if (router->queued) {
		int64_t left = router->queue[0].due - now_ns();

		if (left < 0)
			left = 0;
		timeout = (struct timespec){.tv_sec = left / NS_PER_S, .tv_nsec = left % NS_PER_S};
		limit = &timeout;
	}
	if (ppoll(polls, 2, limit, NULL) < 0 && errno != EINTR)
		fail("ppoll: %s", strerror(errno));
}

int main(int argc, char **argv)
{
	static struct router router;
	struct pollfd polls[2];
	pid_t parent = getppid();

	if (argc != 4) {
		fprintf(stderr, "usage: netrouter LEFT RIGHT CONFIG\n");
		return 2;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		return 1; /* it died before the line above */
	read_config(&router, argv[3]);
	router.raw4 = raw_open(AF_INET);
	router.raw6 = raw_open(AF_INET6);
	for (int dir = OUT; dir <= IN; dir++) {
		router.fd[dir] = tun_open(argv[1 + dir]);
		polls[dir] = (struct pollfd){.fd = router.fd[dir], .events = POLLIN};
	}
	for (;;) {
		wait_for_work(&router, polls);
		for (int dir = OUT; dir <= IN; dir++)
			if (polls[dir].revents)
				read_some(&router, (enum dir)dir);
		send_due(&router);
	}
}
