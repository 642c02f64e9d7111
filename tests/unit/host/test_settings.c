/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Counters, settings, IPsec policies, translations and owners, against what the kernel does: each
 * claim is compared with what really happens to a connection, and with what `ip` prints. */
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

static void collect(void *arg, const struct host_record *r)
{
	struct records *out = arg;

	assert_true(out->n < RECORDS_MAX);
	assert_true(r->t_ns > 0);
	out->list[out->n++] = *r;
}

static const struct host_record *find(const struct records *r, enum host_record_kind kind)
{
	for (unsigned i = 0; i < r->n; i++)
		if (r->list[i].kind == kind)
			return &r->list[i];
	return NULL;
}

static unsigned count(const struct records *r, enum host_record_kind kind)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->n; i++)
		n += r->list[i].kind == kind;
	return n;
}

static const struct host_setting *setting(const struct records *r, const char *name,
					  const char *interface)
{
	for (unsigned i = 0; i < r->n; i++)
		if (r->list[i].kind == HOST_SETTING &&
		    strcmp(r->list[i].setting.name, name) == 0 &&
		    strcmp(r->list[i].setting.interface, interface) == 0)
			return &r->list[i].setting;
	return NULL;
}

static uint64_t moved(const struct records *r, const char *name)
{
	for (unsigned i = 0; i < r->n; i++)
		if (r->list[i].kind == HOST_COUNTER && strcmp(r->list[i].counter.name, name) == 0)
			return r->list[i].counter.moved;
	return 0;
}

static struct host_watch watch(const char *remote, const char *local)
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

static bool is_v6(const char *address)
{
	return strchr(address, ':') != NULL;
}

static struct addr parsed(const char *text)
{
	struct addr a;

	assert_true(addr_parse(&a, text));
	return a;
}

/* Never blocks. Returns the socket; *error is what connect() said at once. */
static int call(const char *remote, uint16_t rport, uint16_t lport, int *error)
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

static int call_and_close(const char *remote, uint16_t rport)
{
	int error;

	close(call(remote, rport, LPORT, &error));
	return error;
}

static bool connects(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	int error = -1;
	socklen_t len = sizeof(error);

	return poll(&p, 1, 2000) == 1 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 &&
	       error == 0;
}

static int set_transparent(int fd, int family)
{
	const int on = 1;

	if (family == AF_INET)
		return setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof(on));
	return setsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &on, sizeof(on));
}

/* A process of its own that listens there, and after a while (NEVER) accepts what comes and keeps
 * it. */
static pid_t serve(const char *address, uint16_t port, bool transparent, int accepts_after_ms)
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

static void end_server(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_true(waitpid(pid, NULL, 0) == pid);
}

/* Waits until the server has accepted: so long, the connection is nobody's. */
static void let_accept(void)
{
	usleep(50000);
}

/* False: this kernel, or this machine, lacks what the words need; never because of the words. `}`
 * ends a line. */
static bool nft(const char *words)
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

static void no_capability(void)
{
	cap_t none = cap_init();

	if (!none || cap_set_proc(none) != 0)
		_exit(99);
	cap_free(none);
}

/* ---- counters ---- */

static void compare(struct counters *before, struct records *out)
{
	struct counters *after = counters_read();

	out->n = 0;
	counters_compare(before, after, collect, out);
	counters_free(before);
	counters_free(after);
}

static void test_counters_of_routes_and_policies(void **state)
{
	static struct records r;
	struct counters *before = counters_read();

	(void)state;
	compare(before, &r);
	assert_int_equal(r.n, 0); /* nothing happens in a network of one */

	before = counters_read();
	ip_do("route del default");
	ip_do("-6 route del default");
	assert_int_equal(call_and_close("198.51.100.25", 25), ENETUNREACH);
	assert_int_equal(call_and_close("198.51.100.25", 25), ENETUNREACH);
	assert_int_equal(call_and_close("2001:db8:9::25", 25), ENETUNREACH);
	compare(before, &r);
	assert_int_equal(moved(&r, "IpOutNoRoutes"), 2);
	assert_true(moved(&r, "Ip6OutNoRoutes") >= 1);
	assert_int_equal(moved(&r, "TcpExtIPReversePathFilter"), 0);
}

static void test_counters_of_xfrm(void **state)
{
	static struct records r;

	(void)state;
	NEEDS(access("/proc/self/net/xfrm_stat", R_OK) == 0, "no CONFIG_XFRM_STATISTICS");
	NEEDS(ip_run("xfrm policy add dst 198.51.100.0/24 dir out action block", NULL, 0) == 0,
	      "no IPsec policies here");
	struct counters *before = counters_read();
	assert_int_equal(call_and_close("198.51.100.25", 25), EPERM);
	compare(before, &r);
	assert_true(moved(&r, "XfrmOutPolBlock") >= 1);
}

static uint16_t checksum(const void *data, size_t len, uint32_t sum)
{
	const uint8_t *p = data;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* A bare RST from src to dst, as if it had come in by v0. */
static void come_in(const char *src, const char *dst)
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

static void test_counter_of_rp_filter(void **state)
{
	static struct records r;

	(void)state;
	ip_do("route add 10.9.0.0/16 dev v1");
	write_file("/proc/sys/net/ipv4/conf/v0/rp_filter", "1");
	struct counters *before = counters_read();
	come_in("10.9.9.9", "10.0.0.2");
	compare(before, &r);
	assert_int_equal(moved(&r, "TcpExtIPReversePathFilter"), 1);
	write_file("/proc/sys/net/ipv4/conf/v0/rp_filter", "0");
	before = counters_read();
	come_in("10.9.9.9", "10.0.0.2");
	compare(before, &r);
	assert_int_equal(moved(&r, "TcpExtIPReversePathFilter"), 0);
}

/* A RST that belongs to nothing. */
static void come_in_alone(void)
{
	come_in("198.51.100.25", "10.0.0.2");
}

/* Returns on how many: the kernel counts on each by itself. */
static unsigned on_each_processor(void (*body)(void))
{
	cpu_set_t all, one;
	unsigned n = 0;

	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	for (int i = 0; i < CPU_SETSIZE && n < 4; i++) {
		if (!CPU_ISSET(i, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(i, &one);
		assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
		body();
		n++;
	}
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
	return n;
}

/* In the file, and where the kernel has none, by netlink. */
static void test_counters_of_conntrack(void **state)
{
	static struct records r;
	char path[64];

	(void)state;
	NEEDS(nft("table ip t { chain in { type filter hook input priority 0; ct state new; } }"),
	      "nft can't use conntrack here");
	snprintf(path, sizeof(path), "/proc/%d/net", (int)getpid());
	for (int hidden = 0; hidden < 2; hidden++) {
		if (hidden) {
			NEEDS(unshare(CLONE_NEWNS) == 0 &&
				      mount("", "/", "", MS_REC | MS_PRIVATE, NULL) == 0 &&
				      mount("none", path, "tmpfs", 0, NULL) == 0,
			      "can't hide the file");
			assert_int_not_equal(access("/proc/self/net/stat/nf_conntrack", F_OK), 0);
		}
		struct counters *before = counters_read();
		unsigned n = on_each_processor(come_in_alone);
		compare(before, &r);
		assert_int_equal(moved(&r, "nf_conntrack.invalid"), n);
		assert_int_equal(moved(&r, "nf_conntrack.drop"), 0);
	}
	umount2(path, MNT_DETACH);
}

/* ---- settings ---- */

static void test_rp_filter(void **state)
{
	static struct records r;
	const struct host_watch w = watch("198.51.100.25", NULL);
	/* all, v0: what is in force, whose */
	static const struct {
		const char *all, *own, *value, *name;
	} cases[] = {
		{"0", "0", NULL, ""},
		{"0", "1", "1", "net.ipv4.conf.v0.rp_filter"},
		{"1", "0", "1", "net.ipv4.conf.all.rp_filter"},
		{"1", "1", "1", "net.ipv4.conf.v0.rp_filter"},
		{"2", "1", "2", "net.ipv4.conf.all.rp_filter"},
		{"1", "2", "2", "net.ipv4.conf.v0.rp_filter"},
	};

	(void)state;
	ip_do("link add name v0.7 type veth peer name v0.8");
	ip_do("link set v0.8 up");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_file("/proc/sys/net/ipv4/conf/all/rp_filter", cases[i].all);
		write_file("/proc/sys/net/ipv4/conf/v0/rp_filter", cases[i].own);
		write_file("/proc/sys/net/ipv4/conf/v1/rp_filter", "0");
		write_file("/proc/sys/net/ipv4/conf/v0.7/rp_filter", "1"); /* down: never told */
		r.n = 0;
		settings_emit(&w, collect, &r);
		for (unsigned k = 0; k < r.n; k++)
			assert_string_not_equal(r.list[k].setting.interface, "v0.7");
		if (!cases[i].value) {
			for (unsigned k = 0; k < r.n; k++)
				assert_null(strstr(r.list[k].setting.name, "rp_filter"));
			continue;
		}
		const struct host_setting *s = setting(&r, cases[i].name, "v0");
		assert_non_null(s);
		assert_string_equal(s->value, cases[i].value);
	}
	/* a name with a dot, as `sysctl` wants it */
	ip_do("link set v0.7 up");
	write_file("/proc/sys/net/ipv4/conf/all/rp_filter", "0");
	r.n = 0;
	settings_emit(&w, collect, &r);
	assert_non_null(setting(&r, "net.ipv4.conf.v0/7.rp_filter", "v0.7"));
	assert_string_equal(r.list[0].setting.interface, "v0.7"); /* strict ones come first */
}

static void test_other_settings(void **state)
{
	static struct records r;
	const struct host_watch w = watch("198.51.100.25", NULL);

	(void)state;
	write_file("/proc/sys/net/ipv4/ip_local_port_range", "40000 40100");
	write_file("/proc/sys/net/ipv4/ip_local_reserved_ports", "40005,40007-40009");
	r.n = 0;
	settings_emit(&w, collect, &r);
	const struct host_setting *s = setting(&r, "net.ipv4.ip_local_port_range", "");
	assert_non_null(s);
	assert_string_equal(s->value, "40000 40100");
	s = setting(&r, "net.ipv4.ip_local_reserved_ports", "");
	assert_non_null(s);
	assert_string_equal(s->value, "40005,40007-40009");
	NEEDS(conntrack_present(), "no connection tracking in this kernel");
	s = setting(&r, "net.netfilter.nf_conntrack_count", "");
	assert_non_null(s);
	s = setting(&r, "net.netfilter.nf_conntrack_max", "");
	assert_non_null(s);
	assert_true(strtoul(s->value, NULL, 10) > 0);
}

static void test_ipv6_off(void **state)
{
	static struct records r;
	struct host_watch w = watch("2001:db8:9::25", NULL);

	(void)state;
	write_file("/proc/sys/net/ipv4/conf/all/rp_filter", "1");
	settings_emit(&w, collect, &r);
	for (unsigned i = 0; i < r.n; i++) { /* the filter is IPv4's */
		assert_null(strstr(r.list[i].setting.name, "disable_ipv6"));
		assert_null(strstr(r.list[i].setting.name, "rp_filter"));
	}
	write_file("/proc/sys/net/ipv6/conf/v1/disable_ipv6", "1"); /* not our way */
	r.n = 0;
	settings_emit(&w, collect, &r);
	assert_null(setting(&r, "net.ipv6.conf.v1.disable_ipv6", "v1"));
	write_file("/proc/sys/net/ipv6/conf/v0/disable_ipv6", "1");
	r.n = 0;
	settings_emit(&w, collect, &r);
	assert_non_null(setting(&r, "net.ipv6.conf.v0.disable_ipv6", "v0"));
	assert_null(setting(&r, "net.ipv6.conf.all.disable_ipv6", ""));
	w.oif = 0; /* without IPv6 there is no route either */
	r.n = 0;
	settings_emit(&w, collect, &r);
	assert_non_null(setting(&r, "net.ipv6.conf.v0.disable_ipv6", "v0"));
	write_file("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
	r.n = 0;
	settings_emit(&w, collect, &r);
	assert_non_null(setting(&r, "net.ipv6.conf.all.disable_ipv6", ""));
	/* one interface turned on again: "all" has no force */
	write_file("/proc/sys/net/ipv6/conf/v0/disable_ipv6", "0");
	w.oif = (int)if_nametoindex("v0");
	r.n = 0;
	settings_emit(&w, collect, &r);
	assert_null(setting(&r, "net.ipv6.conf.all.disable_ipv6", ""));
}

/* ---- IPsec ---- */

/* Does `ip xfrm policy` print that, blanks and lines aside? */
static bool xfrm_shows(const char *text)
{
	static char out[1 << 16];
	size_t n = 0;

	assert_int_equal(ip_run("xfrm policy", out, sizeof(out)), 0);
	for (char *c = out; *c; c++)
		if (!strchr(" \t\n", *c))
			out[n++] = *c;
		else if (n > 0 && out[n - 1] != ' ')
			out[n++] = ' ';
	out[n] = '\0';
	return strstr(out, text) != NULL;
}

struct policy_case {
	const char *words[4]; /* `ip xfrm policy add` ... */
	const char *remote;
	const char *decides; /* NULL: none is to be named */
	bool block;
};

static void add_policies(const struct policy_case *c)
{
	char line[256];

	ip_do("xfrm policy flush");
	for (size_t k = 0; k < 4 && c->words[k]; k++) {
		snprintf(line, sizeof(line), "xfrm policy add %s", c->words[k]);
		ip_do(line);
	}
}

static const struct host_xfrm *outbound(const struct records *r)
{
	for (unsigned i = 0; i < r->n; i++)
		if (r->list[i].kind == HOST_XFRM && !r->list[i].xfrm.inbound)
			return &r->list[i].xfrm;
	return NULL;
}

static void test_xfrm_out(void **state)
{
	static const struct policy_case cases[] = {
		{{NULL}, "198.51.100.25", NULL, false},
		{{"dst 198.51.100.25 proto tcp dport 25 dir out action block"},
		 "198.51.100.25",
		 "proto tcp dport 25 dir out action block",
		 true},
		{{"dst 198.51.100.25 proto tcp dport 26 dir out action block"},
		 "198.51.100.25",
		 NULL,
		 false},
		{{"dst 198.51.100.25 proto udp dir out action block"}, "198.51.100.25", NULL, false},
		{{"dst 198.51.100.0/24 proto tcp sport 40000 dir out action block"},
		 "198.51.100.25",
		 "sport 40000",
		 true},
		{{"dst 198.51.100.0/24 proto tcp sport 40001 dir out action block"},
		 "198.51.100.25",
		 NULL,
		 false},
		{{"src 10.0.0.0/24 dst 0.0.0.0/0 dir out action block"},
		 "198.51.100.25",
		 "src 10.0.0.0/24 dst 0.0.0.0/0",
		 true},
		{{"src 10.0.1.0/24 dst 0.0.0.0/0 dir out action block"}, "198.51.100.25", NULL, false},
		/* lowest value of priority first, whatever is more specific */
		{{"dst 198.51.100.25 dir out action block priority 20",
		  "dst 198.51.100.0/24 dir out priority 10"},
		 "198.51.100.25",
		 NULL,
		 false},
		{{"dst 198.51.100.25 dir out priority 20",
		  "dst 198.51.100.0/24 dir out action block priority 10"},
		 "198.51.100.25",
		 "dst 198.51.100.0/24 dir out action block priority 10",
		 true},
		/* of equals, the older */
		{{"dst 198.51.100.0/24 dir out action block priority 7",
		  "dst 198.51.100.0/25 dir out priority 7"},
		 "198.51.100.25",
		 "dst 198.51.100.0/24",
		 true},
		{{"dst 198.51.100.0/24 dir out priority 7",
		  "dst 198.51.100.0/25 dir out action block priority 7"},
		 "198.51.100.25",
		 NULL,
		 false},
		{{"dst 198.51.100.0/24 dir out priority 7",
		  "src 10.0.0.2 dst 198.51.100.25 dir out action block priority 7"},
		 "198.51.100.25",
		 NULL,
		 false},
		{{"dst 198.51.100.0/24 dir fwd action block"}, "198.51.100.25", NULL, false},
		{{"dst 198.51.100.0/24 dir out mark 5 mask 0xff action block"},
		 "198.51.100.25",
		 NULL,
		 false},
		{{"dst 198.51.100.0/24 dir out mark 0 mask 0xff action block"},
		 "198.51.100.25",
		 "mark 0/0xff",
		 true},
		{{"dst 198.51.100.0/24 dir out if_id 7 action block"}, "198.51.100.25", NULL, false},
		{{"dst 198.51.100.0/24 dev v0 dir out action block"}, "198.51.100.25", "dev v0", true},
		{{"dst 198.51.100.0/24 dev v1 dir out action block"}, "198.51.100.25", NULL, false},
		{{"src ::/0 dst 2001:db8:9::/64 proto tcp dport 25 dir out action block"},
		 "2001:db8:9::25",
		 "dst 2001:db8:9::/64 proto tcp dport 25",
		 true},
		{{"dst 0.0.0.0/0 dir out action block"}, "2001:db8:9::25", NULL, false},
		{{"src 2001:db8:1::/64 dst ::/0 dir out action block"},
		 "2001:db8:9::25",
		 "src 2001:db8:1::/64 dst ::/0",
		 true},
		{{"src ::/0 dst 2001:db8:9::/64 dev v0 dir out action block"},
		 "2001:db8:9::25",
		 NULL,
		 false},
	};

	(void)state;
	NEEDS(ip_run("xfrm policy", NULL, 0) == 0, "no IPsec policies here");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		/* known source, and one that the route has to tell */
		for (int k = 0; k < 2; k++) {
			static struct records r;
			const char *local = is_v6(cases[i].remote) ? "2001:db8:1::2" : "10.0.0.2";
			const struct host_watch w = watch(cases[i].remote, k ? local : NULL);
			add_policies(&cases[i]);
			r.n = 0;
			xfrm_emit(&w, collect, &r);
			const struct host_xfrm *x = outbound(&r);
			bool refused = call_and_close(cases[i].remote, 25) == EPERM;
			if (refused != cases[i].block || (x && x->block) != refused)
				fail_msg("case %zu: refused %d, told %d", i, refused, x && x->block);
			assert_int_equal(r.n, cases[i].decides ? 1 : 0);
			if (!cases[i].decides)
				continue;
			if (!strstr(x->text, cases[i].decides) || !xfrm_shows(x->text))
				fail_msg("case %zu: \"%s\"", i, x->text);
		}
	}
}

/* A policy of the second type is asked besides the others. */
static void test_xfrm_sub_policy(void **state)
{
	static struct records r;
	const struct host_watch w = watch("198.51.100.25", "10.0.0.2");

	(void)state;
	NEEDS(ip_run("xfrm policy add dst 198.51.100.0/24 dir out action block ptype sub priority 9",
		     NULL, 0) == 0,
	      "no CONFIG_XFRM_SUB_POLICY");
	ip_do("xfrm policy add dst 198.51.100.0/24 dir out priority 1");
	xfrm_emit(&w, collect, &r);
	assert_int_equal(call_and_close("198.51.100.25", 25), EPERM);
	assert_int_equal(r.n, 1);
	assert_true(xfrm_shows(r.list[0].xfrm.text));
	assert_non_null(strstr(r.list[0].xfrm.text, "ptype sub"));
}

static void test_xfrm_exempt(void **state)
{
	static struct records r;
	const struct host_watch w = watch("198.51.100.25", "10.0.0.2");
	static const char *const whose[] = {"v0", "all"};
	char path[64];

	(void)state;
	NEEDS(ip_run("xfrm policy add dst 198.51.100.0/24 dir out action block", NULL, 0) == 0,
	      "no IPsec policies here");
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/disable_xfrm", whose[i]);
		write_file(path, "1");
		r.n = 0;
		xfrm_emit(&w, collect, &r);
		bool refused = call_and_close("198.51.100.25", 25) == EPERM;
		/* kernels that don't look at "all": we say nothing, which is no wrong claim */
		assert_int_equal(r.n, 0);
		assert_true(!refused || i == 1);
		write_file(path, "0");
	}
	r.n = 0;
	xfrm_emit(&w, collect, &r);
	assert_int_equal(call_and_close("198.51.100.25", 25), EPERM);
	assert_int_equal(r.n, 1);
}

static void test_xfrm_encryption(void **state)
{
	static struct records r;
	struct host_watch w = watch("198.51.100.25", "10.0.0.2");

	(void)state;
	NEEDS(ip_run("xfrm policy add src 10.0.0.2 dst 198.51.100.0/24 dir out priority 5 tmpl "
		     "src 10.0.0.2 dst 10.0.0.1 proto esp reqid 1 mode tunnel",
		     NULL, 0) == 0,
	      "no IPsec policies here");
	ip_do("xfrm policy add src 198.51.100.0/24 dst 10.0.0.2 dir in priority 5 tmpl src 10.0.0.1 "
	      "dst 10.0.0.2 proto esp reqid 1 mode tunnel");
	xfrm_emit(&w, collect, &r);
	assert_int_equal(r.n, 2);
	for (unsigned i = 0; i < r.n; i++) {
		assert_int_equal(r.list[i].kind, HOST_XFRM);
		assert_false(r.list[i].xfrm.block);
		assert_int_equal(r.list[i].xfrm.inbound, strstr(r.list[i].xfrm.text, "dir in") != NULL);
		if (!xfrm_shows(r.list[i].xfrm.text))
			fail_msg("\"%s\"", r.list[i].xfrm.text);
	}
	/* the state is optional: packets may as well go as they are */
	ip_do("xfrm policy flush");
	ip_do("xfrm policy add src 10.0.0.2 dst 198.51.100.0/24 dir out priority 5 tmpl src 10.0.0.2 "
	      "dst 10.0.0.1 proto esp reqid 1 mode transport level use");
	r.n = 0;
	xfrm_emit(&w, collect, &r);
	assert_int_equal(r.n, 0);
	/* each port is told by which it is decided */
	ip_do("xfrm policy flush");
	ip_do("xfrm policy add dst 198.51.100.25 proto tcp dport 25 dir out action block priority 1");
	ip_do("xfrm policy add dst 198.51.100.25 dir out action block priority 2");
	w.n_rports = 3;
	w.rports[1] = 465;
	w.rports[2] = 587;
	w.n_lports = 0; /* not known */
	r.n = 0;
	xfrm_emit(&w, collect, &r);
	assert_int_equal(r.n, 3);
	for (unsigned i = 0; i < r.n; i++) {
		assert_int_equal(r.list[i].xfrm.port, w.rports[i]);
		assert_true((strstr(r.list[i].xfrm.text, "dport 25") != NULL) == (i == 0));
	}
}

static void test_xfrm_in(void **state)
{
	static struct records r;
	struct host_watch w = watch("198.51.100.25", "10.0.0.2");

	(void)state;
	NEEDS(ip_run("xfrm policy add src 198.51.100.0/24 dst 10.0.0.2 proto tcp sport 25 dport 40000 "
		     "dir in action block",
		     NULL, 0) == 0,
	      "no IPsec policies here");
	xfrm_emit(&w, collect, &r);
	assert_int_equal(r.n, 1);
	assert_true(r.list[0].xfrm.inbound && r.list[0].xfrm.block);
	assert_true(xfrm_shows(r.list[0].xfrm.text));
	struct counters *before = counters_read();
	come_in("198.51.100.25", "10.0.0.2");
	static struct records c;
	compare(before, &c);
	if (access("/proc/self/net/xfrm_stat", R_OK) == 0)
		assert_int_equal(moved(&c, "XfrmInPolBlock"), 1);
	w.rports[0] = 587;
	r.n = 0;
	xfrm_emit(&w, collect, &r);
	assert_int_equal(r.n, 0);
}

static void test_xfrm_default(void **state)
{
	static struct records r;
	const struct host_watch w = watch("198.51.100.25", "10.0.0.2");

	(void)state;
	NEEDS(ip_run("xfrm policy setdefault out block", NULL, 0) == 0, "no default policy (5.15)");
	xfrm_emit(&w, collect, &r);
	assert_int_equal(call_and_close("198.51.100.25", 25), EPERM);
	assert_int_equal(r.n, 1);
	assert_true(r.list[0].xfrm.block && !r.list[0].xfrm.inbound);
	assert_string_equal(r.list[0].xfrm.text, "default policy out block");
	/* any policy comes before it */
	ip_do("xfrm policy add dst 198.51.100.25 dir out");
	r.n = 0;
	xfrm_emit(&w, collect, &r);
	assert_int_not_equal(call_and_close("198.51.100.25", 25), EPERM);
	assert_int_equal(r.n, 0);
	ip_do("xfrm policy setdefault in block");
	r.n = 0;
	xfrm_emit(&w, collect, &r);
	assert_int_equal(r.n, 1);
	assert_true(r.list[0].xfrm.inbound);
}

/* ---- translations and owners ---- */

static void assert_owner(const struct records *r, pid_t pid, const char *address, uint16_t port,
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

static void assert_translation(const struct records *r, const char *called, const char *actual,
			       uint16_t port, bool local)
{
	const struct host_record *t = find(r, HOST_TRANSLATION);
	const struct addr to = parsed(called), at = parsed(actual);

	assert_non_null(t);
	assert_int_equal(count(r, HOST_TRANSLATION), 1);
	assert_int_equal(t->translation.lport, LPORT);
	assert_true(addr_equal(&t->translation.called, &to));
	assert_int_equal(t->translation.called_port, 25);
	assert_true(addr_equal(&t->translation.actual, &at));
	assert_int_equal(t->translation.actual_port, port);
	assert_int_equal(t->translation.local, local);
}

static const char *const source_of_family[] = {"10.0.0.2", "2001:db8:1::2"};

static void test_redirect(void **state)
{
	static const char *const remotes[] = {"198.51.100.25", "2001:db8:9::25"};
	static const char *const loopbacks[] = {"127.0.0.1", "::1"};

	(void)state;
	NEEDS(nft("table inet t { chain out { type nat hook output priority -100; tcp dport 25 "
		  "redirect to :2525; } }"),
	      "nft can't redirect here");
	for (int i = 0; i < 4; i++) {
		static struct records r;
		const char *local = i < 2 ? source_of_family[i] : NULL;
		const struct host_watch w = watch(remotes[i % 2], local);
		pid_t server = serve(loopbacks[i % 2], 2525, false, 0);
		int error, fd = call(remotes[i % 2], 25, LPORT, &error);
		assert_true(connects(fd));
		let_accept();
		r.n = 0;
		translation_emit(&w, LPORT, 25, collect, &r);
		assert_translation(&r, remotes[i % 2], loopbacks[i % 2], 2525, true);
		assert_owner(&r, server, loopbacks[i % 2], 2525, false);
		assert_int_equal(r.n, 2);
		/* a connection that is not ours */
		r.n = 0;
		translation_emit(&w, LPORT + 1, 25, collect, &r);
		assert_int_equal(r.n, 0);
		close(fd);
		end_server(server);
	}
}

/* A server that listens at every address, for both families: before and after it has accepted. */
static void test_redirect_to_listener(void **state)
{
	static struct records r;
	const struct host_watch w = watch("198.51.100.25", "10.0.0.2");

	(void)state;
	NEEDS(nft("table ip t { chain out { type nat hook output priority -100; tcp dport 25 "
		  "redirect to :2525; } }"),
	      "nft can't redirect here");
	for (int accepts = NEVER; accepts <= 0; accepts++) {
		pid_t server = serve("::", 2525, false, accepts);
		int error, fd = call("198.51.100.25", 25, LPORT, &error);
		assert_true(connects(fd));
		let_accept();
		r.n = 0;
		translation_emit(&w, LPORT, 25, collect, &r);
		assert_translation(&r, "198.51.100.25", "127.0.0.1", 2525, true);
		assert_owner(&r, server, accepts == NEVER ? NULL : "127.0.0.1", 2525, false);
		close(fd);
		end_server(server);
	}
}

/* To another machine: nobody here has it. */
static void test_dnat(void **state)
{
	static struct records r;
	const struct host_watch w = watch("198.51.100.25", "10.0.0.2");
	int error;

	(void)state;
	NEEDS(nft("table ip t { chain out { type nat hook output priority -100; ip daddr "
		  "198.51.100.25 tcp dport 25 dnat to 10.0.0.9:2500; } }"),
	      "nft can't translate here");
	ip_do("neigh add 10.0.0.9 lladdr 02:00:00:00:00:99 dev v0 nud permanent");
	int fd = call("198.51.100.25", 25, LPORT, &error);
	translation_emit(&w, LPORT, 25, collect, &r);
	assert_translation(&r, "198.51.100.25", "10.0.0.9", 2500, false);
	assert_int_equal(r.n, 1);
	close(fd);
	/* the same, in a zone of conntrack's */
	assert_true(nft("flush ruleset"));
	assert_true(nft("table ip t { chain raw { type filter hook output priority -300; ct zone set "
			"7; } chain out { type nat hook output priority -100; tcp dport 25 dnat to "
			"10.0.0.9:2501; } }"));
	const struct host_watch z = watch("198.51.100.26", "10.0.0.2");
	fd = call("198.51.100.26", 25, LPORT, &error);
	r.n = 0;
	translation_emit(&z, LPORT, 25, collect, &r);
	assert_translation(&r, "198.51.100.26", "10.0.0.9", 2501, false);
	close(fd);
}

/* Among many entries that are not ours; and masqueraded ones are no translation. */
static void test_no_translation(void **state)
{
	static struct records r;
	const struct host_watch w = watch("198.51.100.25", NULL);
	int error, fds[200];

	(void)state;
	NEEDS(nft("table ip t { chain post { type nat hook postrouting priority 100; tcp dport 25 "
		  "snat to 10.0.0.77; } }"),
	      "nft can't translate here");
	ip_do("neigh add 10.0.0.1 lladdr 02:00:00:00:00:99 dev v0 nud permanent");
	for (int i = 0; i < 200; i++)
		fds[i] = call("198.51.100.25", 25, (uint16_t)(LPORT + i), &error);
	translation_emit(&w, LPORT, 25, collect, &r);
	assert_int_equal(r.n, 0);
	struct conntrack_flow reply;
	struct err e;
	assert_int_equal(conntrack_find(&w, LPORT + 100, 25, &reply, &e), 1); /* it is there */
	assert_int_equal(reply.dport, LPORT + 100);
	assert_int_equal(conntrack_find(&w, LPORT + 500, 25, &reply, &e), 0);
	for (int i = 0; i < 200; i++)
		close(fds[i]);
}

/* Asked before the program accepts, which may take it some milliseconds, we wait for it. A busy
 * machine may be too slow for that, now and then. */
static void check_late_accept(const struct host_watch *w, const char *remote, const char *loopback)
{
	static struct records r;
	bool found = false;

	for (int i = 0; i < 5 && !found; i++) {
		pid_t server = serve(loopback, 2525, true, 10);
		uint16_t lport = (uint16_t)(LPORT + 10 + i);
		int error, fd = call(remote, 25, lport, &error);
		assert_true(connects(fd));
		r.n = 0;
		translation_emit(w, lport, 25, collect, &r);
		assert_non_null(find(&r, HOST_OWNER));
		found = find(&r, HOST_OWNER)->owner.pid == (uint32_t)server;
		close(fd);
		end_server(server);
	}
	assert_true(found);
}

static void check_tproxy(const char *remote, const char *local, const char *any,
			 const char *loopback)
{
	static struct records r;
	const struct host_watch w = watch(remote, local), unknown = watch(remote, NULL);
	pid_t other = serve(any, 25, false, 0); /* the packets never reach this one */
	pid_t server = serve(loopback, 2525, true, 0);
	int error, fd = call(remote, 25, LPORT, &error);

	assert_true(connects(fd));
	let_accept();
	r.n = 0;
	translation_emit(&w, LPORT, 25, collect, &r);
	assert_int_equal(r.n, 1);
	assert_owner(&r, server, remote, 25, true);
	r.n = 0;
	translation_emit(&unknown, LPORT, 25, collect, &r);
	assert_owner(&r, server, remote, 25, true);
	r.n = 0; /* a listener at that port has no address of others */
	translation_emit(&w, LPORT + 1, 25, collect, &r);
	assert_int_equal(r.n, 0);
	close(fd);
	end_server(server);
	check_late_accept(&w, remote, loopback);
	/* one that never accepts: that there is a socket is told all the same */
	server = serve(loopback, 2525, true, NEVER);
	fd = call(remote, 25, LPORT + 2, &error);
	assert_true(connects(fd));
	r.n = 0;
	translation_emit(&w, LPORT + 2, 25, collect, &r);
	assert_owner(&r, 0, remote, 25, true);
	close(fd);
	end_server(server);
	end_server(other);
}

static void test_tproxy(void **state)
{
	(void)state;
	NEEDS(nft("table inet t { chain out { type route hook output priority -150; tcp dport 25 "
		  "meta mark set 1; } chain pre { type filter hook prerouting priority -150; "
		  "iifname lo meta nfproto ipv4 tcp dport 25 tproxy ip to 127.0.0.1:2525 meta mark "
		  "set 1; iifname lo meta nfproto ipv6 tcp dport 25 tproxy ip6 to [::1]:2525 meta "
		  "mark set 1; } }"),
	      "nft has no tproxy here");
	ip_do("rule add fwmark 1 lookup 100");
	ip_do("route add local default dev lo table 100");
	ip_do("-6 rule add fwmark 1 lookup 100");
	ip_do("-6 route add local default dev lo table 100");
	check_tproxy("198.51.100.25", "10.0.0.2", "0.0.0.0", "127.0.0.1");
	check_tproxy("2001:db8:9::25", "2001:db8:1::2", "::", "::1");
}

/* The target is this machine. */
static void test_own_target(void **state)
{
	static struct records r;
	const struct host_watch w = watch("10.0.0.2", "10.0.0.2");
	int error;

	(void)state;
	pid_t server = serve("10.0.0.2", 25, false, 0);
	int fd = call("10.0.0.2", 25, LPORT, &error);
	assert_true(connects(fd));
	let_accept();
	translation_emit(&w, LPORT, 25, collect, &r);
	assert_int_equal(r.n, 1);
	assert_owner(&r, server, "10.0.0.2", 25, false);
	r.n = 0;
	translation_emit(&w, LPORT, 26, collect, &r);
	assert_int_equal(r.n, 0);
	close(fd);
	end_server(server);
}

/* ---- without privileges ---- */

/* Runs `body` in a process without capabilities; its records come back. */
static void without_privileges(void (*body)(struct records *), struct records *out)
{
	int fds[2], status;
	size_t got = 0;

	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		static struct records r;
		no_capability();
		body(&r);
		_exit(write(fds[1], &r, sizeof(r)) == (ssize_t)sizeof(r) ? 0 : 1);
	}
	close(fds[1]);
	while (got < sizeof(*out)) {
		ssize_t n = read(fds[0], (char *)out + got, sizeof(*out) - got);
		if (n <= 0)
			break;
		got += (size_t)n;
	}
	close(fds[0]);
	assert_true(waitpid(pid, &status, 0) == pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(got, sizeof(*out));
}

static void look_at_everything(struct records *out)
{
	const struct host_watch w = watch("10.0.0.2", "10.0.0.2");
	struct counters *before = counters_read();

	call_and_close("203.0.113.1", 25);
	struct counters *after = counters_read();
	counters_compare(before, after, collect, out);
	counters_free(before);
	counters_free(after);
	settings_emit(&w, collect, out);
	xfrm_emit(&w, collect, out);
	translation_emit(&w, LPORT, 25, collect, out);
}

static const char *not_looked(const struct records *r, enum host_look what)
{
	for (unsigned i = 0; i < r->n; i++)
		if (r->list[i].kind == HOST_NOT_LOOKED && r->list[i].not_looked.what == what)
			return r->list[i].not_looked.why;
	return NULL;
}

static void test_without_privileges(void **state)
{
	static struct records r;
	int error;

	(void)state;
	ip_do("route add unreachable 203.0.113.0/24");
	write_file("/proc/sys/net/ipv4/conf/v0/rp_filter", "1");
	pid_t server = serve("10.0.0.2", 25, false, 0);
	int fd = call("10.0.0.2", 25, LPORT, &error);
	assert_true(connects(fd));
	let_accept();
	without_privileges(look_at_everything, &r);
	assert_non_null(setting(&r, "net.ipv4.conf.v0.rp_filter", "v0"));
	if (ask_possible(NETLINK_XFRM)) {
		assert_non_null(not_looked(&r, HOST_LOOK_XFRM));
		assert_string_equal(not_looked(&r, HOST_LOOK_XFRM),
				    "needs CAP_NET_ADMIN");
	}
	if (conntrack_present())
		assert_string_equal(not_looked(&r, HOST_LOOK_CONNTRACK),
				    "Operation not permitted");
	assert_owner(&r, 0, "10.0.0.2", 25, false); /* whose it is, nobody tells us */
	assert_string_equal(find(&r, HOST_OWNER)->owner.name, "");
	close(fd);
	end_server(server);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, netns_setup, netns_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_counters_of_routes_and_policies),
		TEST(test_counters_of_xfrm),
		TEST(test_counter_of_rp_filter),
		TEST(test_counters_of_conntrack),
		TEST(test_rp_filter),
		TEST(test_other_settings),
		TEST(test_ipv6_off),
		TEST(test_xfrm_out),
		TEST(test_xfrm_sub_policy),
		TEST(test_xfrm_exempt),
		TEST(test_xfrm_encryption),
		TEST(test_xfrm_in),
		TEST(test_xfrm_default),
		TEST(test_redirect),
		TEST(test_redirect_to_listener),
		TEST(test_dnat),
		TEST(test_no_translation),
		TEST(test_tproxy),
		TEST(test_own_target),
		TEST(test_without_privileges),
	};

	return netns_main(tests, sizeof(tests) / sizeof(tests[0]));
}
