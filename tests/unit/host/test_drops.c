/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernel's drop reasons: real packets, dropped by rules, programs and settings in a network
 * namespace of the test's own, between a client (v0, here) and a peer (v1, in another one). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "netns.h"

#include <arpa/inet.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <sys/capability.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/clock.h"
#include "host/drops.h"
#include "host/netlink.h"
#include "model/packet.h"

#define LPORT 41000
#define PEER4 "10.0.0.1"
#define PEER6 "2001:db8:1::1"

struct seen {
	struct host_record list[256];
	unsigned n;
};

static void keep(void *arg, const struct host_record *r)
{
	struct seen *s = arg;

	assert_true(s->n < 256);
	s->list[s->n++] = *r;
}

/* ---- the peer: a process in a network namespace of its own that listens on 25 ---- */

static pid_t peer;

static void run_peer(int ready)
{
	const int on = 1, off = 0;
	int s = socket(AF_INET6, SOCK_STREAM, 0);
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(25)};
	char c = 0;

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(s, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(s, 5) != 0)
		_exit(1);
	if (write(ready, &c, 1) != 1)
		_exit(1);
	for (;;) {
		int fd = accept(s, NULL, NULL);
		if (fd >= 0)
			close(fd);
	}
}

static int drops_setup(void **state)
{
	int made[2], ready[2];
	char c, words[128];

	netns_setup(state);
	assert_int_equal(pipe(made), 0);
	assert_int_equal(pipe(ready), 0);
	peer = fork();
	assert_true(peer >= 0);
	if (peer == 0) {
		if (unshare(CLONE_NEWNET) != 0 || write(ready[1], "x", 1) != 1 ||
		    read(made[0], &c, 1) != 1)
			_exit(1);
		ip_do("link set lo up");
		ip_do("link set v1 up");
		ip_do("addr add 10.0.0.1/24 dev v1");
		ip_do("addr add 2001:db8:1::1/64 dev v1 nodad");
		run_peer(ready[1]);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	snprintf(words, sizeof(words), "link set v1 netns %d", (int)peer);
	ip_do(words);
	assert_int_equal(write(made[1], "x", 1), 1);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(made[0]);
	close(made[1]);
	close(ready[0]);
	close(ready[1]);
	return 0;
}

static int drops_teardown(void **state)
{
	kill(peer, SIGKILL);
	waitpid(peer, NULL, 0);
	return netns_teardown(state);
}

/* ---- what is tried ---- */

static struct host_watch watch_of(const char *remote)
{
	struct host_watch w = {
		.lports = {LPORT, LPORT + 1}, .n_lports = 2, .rports = {25}, .n_rports = 1};

	assert_true(addr_parse(&w.remote, remote));
	return w;
}

static struct drops *open_drops(const struct host_watch *w)
{
	struct drops *d = NULL;
	struct err e = {.text = ""};

	if (drops_open(&d, w, &e) != 0) {
		print_message("skipped: %s\n", e.text);
		skip();
	}
	return d;
}

static int mark; /* of the sockets that connect */

/* A connect() from lport that has 300 ms. 0, or the errno; ETIMEDOUT: nothing came. */
static int try_connect(const char *remote, uint16_t lport, uint16_t port)
{
	struct sockaddr_storage local, to;
	const int on = 1;
	struct linger reset = {.l_onoff = 1};
	struct addr a, any;
	int error = 0;
	socklen_t len = sizeof(error);

	assert_true(addr_parse(&a, remote));
	assert_true(addr_parse(&any, a.family == ADDR_V4 ? "0.0.0.0" : "::"));
	socklen_t to_len = addr_to_sockaddr(&a, port, &to);
	int fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark));
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)); /* no TIME-WAIT */
	socklen_t local_len = addr_to_sockaddr(&any, lport, &local);
	assert_int_equal(bind(fd, (struct sockaddr *)&local, local_len), 0);
	if (connect(fd, (struct sockaddr *)&to, to_len) != 0) {
		struct pollfd p = {.fd = fd, .events = POLLOUT};
		error = errno;
		if (error == EINPROGRESS)
			error = poll(&p, 1, 300) == 1 ? 0 : ETIMEDOUT;
		if (error == 0)
			getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
	}
	close(fd);
	return error;
}

static struct seen drops_of(const char *remote, uint16_t lport, uint16_t port, int *error)
{
	struct host_watch w = watch_of(remote);
	struct drops *d = open_drops(&w);
	struct seen s = {.n = 0};

	*error = try_connect(remote, lport, port);
	drops_emit(d, keep, &s);
	drops_close(d);
	return s;
}

static const struct host_kernel_drop *first(const struct seen *s, bool inbound)
{
	for (unsigned i = 0; i < s->n; i++) {
		assert_int_equal(s->list[i].kind, HOST_KERNEL_DROP);
		if (s->list[i].kernel_drop.inbound == inbound)
			return &s->list[i].kernel_drop;
	}
	fail_msg("nothing %s was dropped", inbound ? "inbound" : "outbound");
	return NULL;
}

static void assert_flow(const struct host_kernel_drop *k, const char *remote, bool inbound)
{
	bool v4 = strchr(remote, ':') == NULL;
	struct addr local, other;

	assert_true(addr_parse(&other, remote));
	assert_true(addr_parse(&local, v4 ? "10.0.0.2" : "2001:db8:1::2"));
	assert_true(addr_equal(inbound ? &k->src : &k->dst, &other));
	assert_true(addr_equal(inbound ? &k->dst : &k->src, &local));
	assert_int_equal(inbound ? k->dport : k->sport, LPORT);
	assert_int_equal(inbound ? k->sport : k->dport, 25);
	assert_int_equal(k->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST),
			 inbound ? TCP_SYN | TCP_ACK : TCP_SYN);
	assert_int_equal(k->inbound, inbound);
}

/* Runs `nft WORDS`; its exit status. */
static int nft(const char *words)
{
	char *argv[] = {(char *)(uintptr_t) "nft", (char *)(uintptr_t)words, NULL};
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		execvp("nft", argv);
		_exit(127);
	}
	assert_true(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void need_nft(const char *words)
{
	if (nft(words) == 0)
		return;
	print_message("skipped: nft does not work here\n");
	skip();
}

/* ---- tests ---- */

static void test_netfilter_out(void **state)
{
	int error;

	(void)state;
	need_nft("add table inet t; add chain inet t o { type filter hook output priority 0; };"
		 "add rule inet t o tcp dport 25 drop");
	struct seen s = drops_of(PEER4, LPORT, 25, &error);
	assert_int_equal(error, ETIMEDOUT);
	const struct host_kernel_drop *k = first(&s, false);
	assert_flow(k, PEER4, false);
	assert_string_equal(k->reason, "NETFILTER_DROP");
	assert_string_equal(k->interface, "v0");
	s = drops_of(PEER6, LPORT, 25, &error);
	k = first(&s, false);
	assert_flow(k, PEER6, false);
	assert_string_equal(k->reason, "NETFILTER_DROP");
	/* when: now */
	assert_in_range(clock_wall_ns() - s.list[0].t_ns, 0, 2 * NS_PER_S);
}

static void test_netfilter_in(void **state)
{
	int error;

	(void)state;
	need_nft("add table inet t; add chain inet t i { type filter hook input priority 0; };"
		 "add rule inet t i tcp sport 25 drop");
	struct seen s = drops_of(PEER4, LPORT, 25, &error);
	assert_int_equal(error, ETIMEDOUT);
	const struct host_kernel_drop *k = first(&s, true);
	assert_flow(k, PEER4, true);
	assert_string_equal(k->reason, "NETFILTER_DROP");
	assert_string_equal(k->interface, "v0");
	s = drops_of(PEER6, LPORT, 25, &error);
	assert_flow(first(&s, true), PEER6, true);
}

/* What the kernel frees in a healthy connection is no drop. */
static void test_healthy(void **state)
{
	int error;

	(void)state;
	struct seen s = drops_of(PEER4, LPORT, 25, &error);
	assert_int_equal(error, 0);
	for (unsigned i = 0; i < s.n; i++)
		print_message("%s %s\n", s.list[i].kernel_drop.reason,
			      s.list[i].kernel_drop.function);
	assert_int_equal(s.n, 0);
	s = drops_of(PEER6, LPORT, 25, &error);
	assert_int_equal(error, 0);
	assert_int_equal(s.n, 0);
}

/* Other ports, other addresses, other network namespaces. */
static void test_only_ours(void **state)
{
	int error;

	(void)state;
	need_nft("add table inet t; add chain inet t o { type filter hook output priority 0; };"
		 "add rule inet t o tcp dport { 25, 26 } drop");
	struct seen s = drops_of(PEER4, LPORT + 2, 25, &error);
	assert_int_equal(s.n, 0);
	s = drops_of(PEER4, LPORT, 26, &error);
	assert_int_equal(s.n, 0);
	struct host_watch w = watch_of("10.0.0.3");
	struct drops *d = open_drops(&w);
	try_connect(PEER4, LPORT, 25);
	drops_emit(d, keep, &s);
	assert_int_equal(s.n, 0);
	drops_close(d);
	/* the very same addresses and ports in another namespace */
	w = watch_of(PEER4);
	d = open_drops(&w);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (unshare(CLONE_NEWNET) != 0)
			_exit(77);
		ip_do("link add name v0 type veth peer name v1");
		ip_do("addr add 10.0.0.2/24 dev v0");
		ip_do("link set v0 up");
		ip_do("link set v1 up");
		ip_do("neigh add 10.0.0.1 lladdr 02:00:00:00:00:01 dev v0");
		need_nft("add table inet t; add chain inet t o { type filter hook output priority "
			 "0; }; add rule inet t o tcp dport 25 drop");
		try_connect(PEER4, LPORT, 25);
		_exit(0);
	}
	int status;
	assert_true(waitpid(pid, &status, 0) == pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	drops_emit(d, keep, &s);
	assert_int_equal(s.n, 0);
	try_connect(PEER4, LPORT, 25);
	drops_emit(d, keep, &s);
	assert_true(s.n > 0);
	drops_close(d);
}

static void test_rp_filter(void **state)
{
	int error;

	(void)state;
	/* the SYN leaves by v0, for it has a mark; the way back is looked up without one, and would
	 * be by another interface */
	ip_do("link add name w0 type veth peer name w1");
	ip_do("link set w0 up");
	ip_do("link set w1 up");
	ip_do("route add 10.0.0.1/32 dev w0");
	ip_do("rule add fwmark 5 lookup 100");
	ip_do("route add 10.0.0.1/32 dev v0 src 10.0.0.2 table 100");
	write_file("/proc/sys/net/ipv4/conf/all/rp_filter", "1");
	struct host_watch w = watch_of(PEER4);
	struct drops *d = open_drops(&w);
	struct seen s = {.n = 0};
	mark = 5;
	error = try_connect(PEER4, LPORT, 25);
	mark = 0;
	drops_emit(d, keep, &s);
	drops_close(d);
	assert_int_equal(error, ETIMEDOUT);
	const struct host_kernel_drop *k = first(&s, true);
	assert_flow(k, PEER4, true);
	assert_string_equal(k->interface, "v0");
	if (strcmp(k->reason, "NOT_SPECIFIED") != 0) /* older kernels have no name for it */
		assert_string_equal(k->reason, "IP_RPFILTER");
}

static int sys_bpf(enum bpf_cmd cmd, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static int load_xdp_drop(void)
{
	/* drops TCP from port 25: Ethernet, IPv4 without options */
	const struct bpf_insn insns[] = {
		{.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = 2, .src_reg = 1, .off = 0},
		{.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = 3, .src_reg = 1, .off = 4},
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 4, .src_reg = 2},
		{.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 4, .imm = 38},
		{.code = BPF_JMP | BPF_JGT | BPF_X, .dst_reg = 4, .src_reg = 3, .off = 4},
		{.code = BPF_LDX | BPF_MEM | BPF_H, .dst_reg = 5, .src_reg = 2, .off = 34},
		{.code = BPF_JMP | BPF_JNE | BPF_K, .dst_reg = 5, .off = 2, .imm = htons(25)},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = XDP_DROP},
		{.code = BPF_JMP | BPF_EXIT},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_XDP;
	attr.insns = (uintptr_t)insns;
	attr.insn_cnt = sizeof(insns) / sizeof(insns[0]);
	attr.license = (uintptr_t) "GPL";
	return sys_bpf(BPF_PROG_LOAD, &attr);
}

static void test_xdp(void **state)
{
	const struct ifinfomsg i = {.ifi_index = (int)if_nametoindex("v0")};
	const uint32_t flags = XDP_FLAGS_SKB_MODE;
	struct nl_msg *msg = netlink_request(RTM_SETLINK, NLM_F_ACK, &i, sizeof(i));
	struct nlattr *nest = nla_nest_start(msg, IFLA_XDP);
	int fd = load_xdp_drop(), answer, error;
	struct err e;

	assert_true(fd >= 0);
	netlink_put(msg, IFLA_XDP_FD, &fd, 4);
	netlink_put(msg, IFLA_XDP_FLAGS, &flags, 4);
	nla_nest_end(msg, nest);
	assert_int_equal(netlink_ask(*state, msg, NULL, NULL, &answer, &e), 0);
	assert_int_equal(answer, 0);
	struct seen s = drops_of(PEER4, LPORT, 25, &error);
	assert_int_equal(error, ETIMEDOUT);
	const struct host_kernel_drop *k = first(&s, true);
	assert_flow(k, PEER4, true);
	/* the reason has a name, but not in every mode of every kernel; the function tells, too */
	assert_true(strcmp(k->reason, "XDP") == 0 || strstr(k->function, "xdp"));
	assert_string_equal(k->interface, "v0");
	close(fd);
}

/* ---- what stays ---- */

/* Is a program of this name in the kernel? */
static bool program_is_there(const char *name)
{
	union bpf_attr attr;
	uint32_t id = 0;

	for (;;) {
		struct bpf_prog_info info;
		memset(&attr, 0, sizeof(attr));
		attr.start_id = id;
		if (sys_bpf(BPF_PROG_GET_NEXT_ID, &attr) != 0)
			return false;
		id = attr.next_id;
		memset(&attr, 0, sizeof(attr));
		attr.prog_id = id;
		int fd = sys_bpf(BPF_PROG_GET_FD_BY_ID, &attr);
		if (fd < 0)
			continue;
		memset(&info, 0, sizeof(info));
		memset(&attr, 0, sizeof(attr));
		attr.info.bpf_fd = (uint32_t)fd;
		attr.info.info_len = sizeof(info);
		attr.info.info = (uintptr_t)&info;
		int rc = sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr);
		close(fd);
		if (rc == 0 && strcmp(info.name, name) == 0)
			return true;
	}
}

#define PROGRAM "smtpblame_drops" /* 15 characters: what the kernel keeps */

/* The kernel frees them a moment after the descriptors are closed. */
static bool program_goes(void)
{
	for (int i = 0; i < 200; i++) {
		if (!program_is_there(PROGRAM))
			return true;
		usleep(10000);
	}
	return false;
}

static void test_nothing_stays(void **state)
{
	struct host_watch w = watch_of(PEER4);
	int ready[2];
	char c;

	(void)state;
	assert_true(program_goes());
	struct drops *d = open_drops(&w);
	assert_true(program_is_there(PROGRAM));
	drops_close(d);
	assert_true(program_goes());
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct err e;
		if (drops_open(&d, &w, &e) == 0 && write(ready[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_true(program_is_there(PROGRAM));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_true(program_goes());
	close(ready[0]);
	close(ready[1]);
}

static void test_no_privilege(void **state)
{
	struct host_watch w = watch_of(PEER4);
	int status;

	(void)state;
	drops_close(open_drops(&w)); /* works with all of them, or skips */
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct err e = {.text = ""};
		cap_t none = cap_init();
		struct drops *d = NULL;
		if (cap_set_proc(none) != 0)
			_exit(77);
		cap_free(none);
		_exit(drops_open(&d, &w, &e) == -1 && !d && strstr(e.text, "CAP_BPF") ? 0 : 1);
	}
	assert_true(waitpid(pid, &status, 0) == pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Not longer than a run can wait; typically a tenth of it. */
static void test_open_time(void **state)
{
	struct host_watch w = watch_of(PEER4);
	int64_t start = clock_mono_ns();
	struct drops *d = open_drops(&w);
	int64_t opened = clock_mono_ns();

	(void)state;
	drops_close(d);
	print_message("open %.1f ms, close %.1f ms\n", (double)(opened - start) / 1e6,
		      (double)(clock_mono_ns() - opened) / 1e6);
	assert_in_range(opened - start, 0, 2 * NS_PER_S);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, drops_setup, drops_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_netfilter_out), TEST(test_netfilter_in), TEST(test_healthy),
		TEST(test_only_ours),     TEST(test_rp_filter),    TEST(test_xdp),
		TEST(test_nothing_stays), TEST(test_no_privilege), TEST(test_open_time),
	};
	struct host_watch w = {.remote = {.family = ADDR_V4}};
	struct drops *d = NULL;
	struct err e;

	if (drops_open(&d, &w, &e) != 0) {
		printf("skipped: %s\n", e.text);
		return 77;
	}
	drops_close(d);
	return netns_main(tests, sizeof(tests) / sizeof(tests[0]));
}
