/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The kernel's answers about this host, some of their bytes changed on their way to whoever asks:
 * links, routes, ip rules, neighbours, nf_tables (its rules followed for a packet), IPsec policies,
 * connection tracking, sockets. Names and comments in them are anybody's; lengths are the kernel's, and
 * a newer one's may be others.
 *
 * The input is a list of four bytes each: how many bytes of all answers are left as they are before
 * the next change (16 bits), what is done, and with which value. Needs root: a namespace of its own.
 */
#include <dlfcn.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "host/conntrack.h"
#include "host/host.h"
#include "host/nft_inspect.h"
#include "host/owner.h"
#include "host/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct {
	const uint8_t *data;
	size_t size, at; /* of the list */
	size_t until;    /* bytes left before the next change */
} changes;

static void load_next(void)
{
	if (changes.at + 4 <= changes.size)
		changes.until = (size_t)changes.data[changes.at] << 8 | changes.data[changes.at + 1];
}

/* All of it but what belongs an answer to its question. */
static void change(uint8_t *bytes, size_t len)
{
	while (changes.at + 4 <= changes.size && changes.until < len) {
		uint8_t what = changes.data[changes.at + 2], value = changes.data[changes.at + 3];
		uint8_t *b = bytes + changes.until;
		bool keeps = changes.until >= 8 && changes.until < 16; /* number and port of the first */
		if (!keeps)
			*b = what & 1 ? value : what & 2 ? *b ^ value : (uint8_t)(*b + value);
		size_t done = changes.until + 1;
		changes.at += 4;
		load_next();
		changes.until += done;
	}
	changes.until = changes.until > len ? changes.until - len : 0;
}

static bool is_netlink(int fd)
{
	int domain = 0;
	socklen_t len = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_NETLINK;
}

/* ---- instead of the C library's ---- */

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
	ssize_t n = REAL(recvmsg)(fd, m, flags);

	if (n > 0 && m->msg_iovlen == 1 && !(flags & MSG_PEEK) && is_netlink(fd))
		change(m->msg_iov[0].iov_base, (size_t)n < m->msg_iov[0].iov_len ? (size_t)n : m->msg_iov[0].iov_len);
	return n;
}

ssize_t recv(int fd, void *buf, size_t size, int flags)
{
	ssize_t n = REAL(recv)(fd, buf, size, flags);

	if (n > 0 && !(flags & MSG_PEEK) && is_netlink(fd))
		change(buf, (size_t)n < size ? (size_t)n : size);
	return n;
}

ssize_t recvfrom(int fd, void *buf, size_t size, int flags, struct sockaddr *from, socklen_t *len)
{
	ssize_t n = REAL(recvfrom)(fd, buf, size, flags, from, len);

	if (n > 0 && !(flags & MSG_PEEK) && is_netlink(fd))
		change(buf, (size_t)n < size ? (size_t)n : size);
	return n;
}

/* A changed answer may be none, and nobody wants to wait a second for another. */
#define PATIENCE_MS 15

int poll(struct pollfd *fds, nfds_t n, int timeout)
{
	return REAL(poll)(fds, n, timeout < 0 || timeout > PATIENCE_MS ? PATIENCE_MS : timeout);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	const struct timeval limit = {.tv_usec = PATIENCE_MS * 1000};

	if (level == SOL_SOCKET && name == SO_RCVTIMEO)
		return REAL(setsockopt)(fd, level, name, &limit, sizeof(limit));
	return REAL(setsockopt)(fd, level, name, value, len);
}

/* ---- the host that is asked about ---- */

static const char *const setup[] = {
	"ip link set lo up",
	"ip link add name v0 type veth peer name v1",
	"ip link set v0 up && ip link set v1 up",
	"ip addr add 10.0.0.2/24 dev v0 && ip addr add 2001:db8:1::2/64 dev v0 nodad",
	"ip route add default via 10.0.0.1 && ip route add prohibit 203.0.113.0/24",
	"ip rule add ipproto tcp dport 25 to 203.0.113.9 prohibit",
	"ip rule add fwmark 7 blackhole",
	"ip neigh add 10.0.0.1 lladdr 02:00:00:00:00:01 dev v0",
	"ip xfrm policy add src 10.0.0.2/32 dst 192.0.2.0/24 dir out action block",
	"nft -f - <<'END'\n"
	"table inet f {\n"
	"  set ports { type inet_service; flags interval; elements = { 25, 400-500, 587 } }\n"
	"  map m { type inet_service : verdict; elements = { 26 : drop, 2525 : jump later } }\n"
	"  chain later { tcp flags & (syn | ack) == syn limit rate 5/second accept; reject with tcp reset; }\n"
	"  chain out { type filter hook output priority 0; policy accept;\n"
	"    ct state established accept\n"
	"    oifname \"v0\" ip daddr 192.0.2.0/24 tcp dport @ports counter jump later comment \"a comment\"\n"
	"    tcp dport vmap @m\n"
	"    meta skuid 0 meta mark 0x7 ip protocol tcp log prefix \"x\" drop; }\n"
	"  chain in { type filter hook input priority 0; policy drop; iifname \"lo\" accept; }\n"
	"}\n"
	"table ip n { chain o { type nat hook output priority -100; tcp dport 587 redirect to :2587; }; }\n"
	"END",
};

static const struct host_watch watch = {
	.remote = {.family = ADDR_V4, .bytes = {192, 0, 2, 25}},
	.local = {.family = ADDR_V4, .bytes = {10, 0, 0, 2}},
	.lports = {40000, 40001},
	.n_lports = 2,
	.rports = {25, 465, 587},
	.n_rports = 3,
	.oif = 2,
	.oif_name = "v0",
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	if (unshare(CLONE_NEWNET) != 0) {
		fputs("fuzz_netlink: needs root, for a network namespace of its own\n", stderr);
		exit(77);
	}
	for (size_t i = 0; i < sizeof(setup) / sizeof(setup[0]); i++)
		if (system(setup[i]) != 0) {
			fprintf(stderr, "fuzz_netlink: this kernel or machine lacks: %s\n", setup[i]);
			exit(77);
		}
	return 0;
}

/* ---- what is asked ---- */

static void sound(const char *s, size_t size)
{
	if (!memchr(s, '\0', size) || strpbrk(s, "\n\r\x1b"))
		abort();
}

static void on_record(void *arg, const struct host_record *r)
{
	(void)arg;
	if (r->kind == HOST_SIGHT) {
		const struct host_rule *rule = &r->sight.rule;
		sound(rule->table, sizeof(rule->table));
		sound(rule->chain, sizeof(rule->chain));
		sound(rule->text, sizeof(rule->text));
	}
}

static void ask_routes(const struct addr *dst)
{
	const struct route_query q = {.dst = *dst, .sport = 40000, .dport = 25};
	struct host_mark_rule mark;
	struct host_neighbour neighbour;
	struct host_route route;
	struct host_link link;
	struct host *h = NULL;
	struct err e;
	bool yes;

	if (host_open(&h, &e) != 0)
		return;
	if (host_get_route(h, &q, &route, &e) == 0 && route.oif > 0)
		host_get_link(h, route.oif, NULL, &link, &e);
	host_get_link(h, 0, "v0", &link, &e);
	host_rules_see_ports(h, dst->family);
	host_get_mark_rule(h, &q, &mark);
	host_get_neighbour(h, 2, &(struct addr){.family = ADDR_V4, .bytes = {10, 0, 0, 1}}, &neighbour, &e);
	host_has_address(h, &watch.local, &yes, NULL, &e);
	host_free(h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct addr forbidden = {.family = ADDR_V4, .bytes = {203, 0, 113, 9}};
	struct conntrack_flow reply;
	struct err e;

	if (size < 1)
		return -1;
	changes.data = data + 1;
	changes.size = size - 1;
	changes.at = changes.until = 0;
	load_next();
	switch (data[0] & 3) {
	case 0:
		ask_routes(&watch.remote);
		break;
	case 1:
		ask_routes(&forbidden);
		break;
	case 2:
		nft_inspect(&watch, on_record, NULL);
		break;
	default:
		xfrm_emit(&watch, on_record, NULL);
		conntrack_find(&watch, 40000, 25, &reply, &e);
		translation_emit(&watch, 40000, 587, on_record, NULL);
		break;
	}
	return 0;
}
