/* SPDX-License-Identifier: GPL-3.0-or-later */
/* For the tests of counters, settings, IPsec policies, translations and owners: each claim is compared with
 * what really happens to a connection, and with what `ip` prints. */
#ifndef SB_TESTS_HOST_CALLS_H
#define SB_TESTS_HOST_CALLS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "host/ask.h"
#include "host/conntrack.h"
#include "host/settings.h"
#include "netns.h"

#define LPORT 40000
#define NEVER (-1)
/* a program calls itself what it likes */
#define SERVER_NAME  "sb \033[31m srv"
#define SERVER_CLEAN "sb \\x1b[31m srv"

/* ---- records ---- */

#define RECORDS_MAX 256

struct records {
	struct host_record list[RECORDS_MAX];
	unsigned n;
};

static inline void collect(void *arg, const struct host_record *r)
{
	struct records *out = arg;

	assert_true(out->n < RECORDS_MAX);
	assert_true(r->t_ns > 0);
	out->list[out->n++] = *r;
}

static inline const struct host_record *find(const struct records *r, enum host_record_kind kind)
{
	for (unsigned i = 0; i < r->n; i++)
		if (r->list[i].kind == kind)
			return &r->list[i];
	return NULL;
}

static inline unsigned count(const struct records *r, enum host_record_kind kind)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->n; i++)
		n += r->list[i].kind == kind;
	return n;
}

static inline const struct host_setting *setting(const struct records *r, const char *name,
					  const char *interface)
{
	for (unsigned i = 0; i < r->n; i++)
		if (r->list[i].kind == HOST_SETTING &&
		    strcmp(r->list[i].setting.name, name) == 0 &&
		    strcmp(r->list[i].setting.interface, interface) == 0)
			return &r->list[i].setting;
	return NULL;
}

static inline uint64_t moved(const struct records *r, const char *name)
{
	for (unsigned i = 0; i < r->n; i++)
		if (r->list[i].kind == HOST_COUNTER && strcmp(r->list[i].counter.name, name) == 0)
			return r->list[i].counter.moved;
	return 0;
}

static inline struct host_watch watch(const char *remote, const char *local)
{
	struct host_watch w = {.lports = {LPORT}, .n_lports = 1, .rports = {25}, .n_rports = 1};

	assert_true(addr_parse(&w.remote, remote));
	if (local)
		assert_true(addr_parse(&w.local, local));
	strcpy(w.oif_name, "v0");
	w.oif = (int)if_nametoindex("v0");
	assert_true(w.oif > 0);
	return w;
}

/* ---- the network ---- */

static inline bool is_v6(const char *address)
{
	return strchr(address, ':') != NULL;
}

static inline struct addr parsed(const char *text)
{
	struct addr a;

	assert_true(addr_parse(&a, text));
	return a;
}

/* Never blocks. Returns the socket; *error is what connect() said at once. */
static inline int call(const char *remote, uint16_t rport, uint16_t lport, int *error)
{
	int family = is_v6(remote) ? AF_INET6 : AF_INET, on = 1;
	struct sockaddr_storage to, from = {.ss_family = (sa_family_t)family};
	const struct addr a = parsed(remote);
	socklen_t len = addr_to_sockaddr(&a, rport, &to);
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (family == AF_INET)
		((struct sockaddr_in *)&from)->sin_port = htons(lport);
	else
		((struct sockaddr_in6 *)&from)->sin6_port = htons(lport);
	assert_int_equal(bind(fd, (struct sockaddr *)&from, len), 0);
	*error = connect(fd, (struct sockaddr *)&to, len) == 0 ? 0 : errno;
	return fd;
}

static inline int call_and_close(const char *remote, uint16_t rport)
{
	int error;

	close(call(remote, rport, LPORT, &error));
	return error;
}

static inline bool connects(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	int error = -1;
	socklen_t len = sizeof(error);

	return poll(&p, 1, 2000) == 1 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 &&
	       error == 0;
}

static inline int set_transparent(int fd, int family)
{
	const int on = 1;

	if (family == AF_INET)
		return setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof(on));
	return setsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &on, sizeof(on));
}

/* A process of its own that listens there, and after a while (NEVER) accepts what comes and keeps
 * it. */
static inline pid_t serve(const char *address, uint16_t port, bool transparent, int accepts_after_ms)
{
	const struct addr a = parsed(address);
	struct sockaddr_storage at;
	socklen_t len = addr_to_sockaddr(&a, port, &at);
	int ready[2], on = 1;
	char byte;

	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, SERVER_NAME);
		int fd = socket(at.ss_family, SOCK_STREAM, 0);
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		if (transparent && set_transparent(fd, at.ss_family) != 0)
			_exit(1);
		if (bind(fd, (struct sockaddr *)&at, len) != 0 || listen(fd, 8) != 0 ||
		    write(ready[1], "x", 1) != 1)
			_exit(1);
		usleep(accepts_after_ms > 0 ? (useconds_t)accepts_after_ms * 1000 : 0);
		while (accepts_after_ms != NEVER && accept(fd, NULL, NULL) >= 0)
			;
		pause();
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static inline void end_server(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_true(waitpid(pid, NULL, 0) == pid);
}

/* Waits until the server has accepted: so long, the connection is nobody's. */
static inline void let_accept(void)
{
	usleep(50000);
}

/* False: this kernel, or this machine, lacks what the words need; never because of the words. `}`
 * ends a line. */
static inline bool nft(const char *words)
{
	char lines[1024], error[512] = "";
	size_t n = 0;
	int status, fds[2];

	for (const char *c = words; *c; c++) {
		assert_true(n + 3 < sizeof(lines));
		lines[n++] = *c;
		if (*c == '}')
			lines[n++] = '\n';
	}
	lines[n] = '\0';
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(fds[1], STDERR_FILENO);
		execlp("nft", "nft", lines, (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	if (read(fds[0], error, sizeof(error) - 1) < 0)
		error[0] = '\0';
	close(fds[0]);
	assert_true(waitpid(pid, &status, 0) == pid);
	if (strstr(error, "syntax error"))
		fail_msg("%s", error);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

#define NEEDS(what, why)                                                                           \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			print_message("skipped: %s\n", why);                                       \
			skip();                                                                    \
		}                                                                                  \
	} while (0)

static inline void no_capability(void)
{
	cap_t none = cap_init();

	if (!none || cap_set_proc(none) != 0)
		_exit(99);
	cap_free(none);
}

static inline void compare(struct counters *before, struct records *out)
{
	struct counters *after = counters_read();

	out->n = 0;
	counters_compare(before, after, collect, out);
	counters_free(before);
	counters_free(after);
}

static inline uint16_t checksum(const void *data, size_t len, uint32_t sum)
{
	const uint8_t *p = data;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* A bare RST from src to dst, as if it had come in by v0. */
static inline void come_in(const char *src, const char *dst)
{
	struct {
		struct iphdr ip;
		struct tcphdr tcp;
	} p = {.ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_TCP}};
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_IP),
				 .sll_ifindex = (int)if_nametoindex("v1"),
				 .sll_halen = 6,
				 .sll_addr = {2, 0, 0, 0, 0, 2}};
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	p.ip.tot_len = htons(sizeof(p));
	p.ip.saddr = inet_addr(src);
	p.ip.daddr = inet_addr(dst);
	p.ip.check = checksum(&p.ip, sizeof(p.ip), 0);
	p.tcp.source = htons(25);
	p.tcp.dest = htons(LPORT);
	p.tcp.seq = htonl(77);
	p.tcp.doff = 5;
	p.tcp.rst = 1;
	uint32_t pseudo = IPPROTO_TCP + sizeof(p.tcp);
	pseudo += ntohs((uint16_t)p.ip.saddr) + ntohs((uint16_t)(p.ip.saddr >> 16));
	pseudo += ntohs((uint16_t)p.ip.daddr) + ntohs((uint16_t)(p.ip.daddr >> 16));
	p.tcp.check = checksum(&p.tcp, sizeof(p.tcp), pseudo);
	assert_true(sendto(fd, &p, sizeof(p), 0, (struct sockaddr *)&to, sizeof(to)) ==
		    (ssize_t)sizeof(p));
	close(fd);
	usleep(20000); /* the peer takes it in a softirq */
}

static inline void assert_owner(const struct records *r, pid_t pid, const char *address, uint16_t port,
			 bool transparent)
{
	const struct host_record *o = find(r, HOST_OWNER);

	assert_non_null(o);
	assert_int_equal(count(r, HOST_OWNER), 1);
	if (address) {
		const struct addr a = parsed(address);
		assert_true(addr_equal(&o->owner.address, &a));
	} else {
		assert_false(addr_is_set(&o->owner.address));
	}
	assert_int_equal(o->owner.port, port);
	assert_int_equal(o->owner.pid, pid);
	assert_int_equal(o->owner.uid, getuid());
	assert_int_equal(o->owner.transparent, transparent);
	if (pid)
		assert_string_equal(o->owner.name, SERVER_CLEAN);
}

#endif
