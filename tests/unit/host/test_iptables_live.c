/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is said of legacy tables, asked of the kernel itself: for many matches, whether its counter moves
 * with our packet must be what was expected of it. */
#include "iptables.h"
#include "netns.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

#include "host/child.h"

static const char *tool(enum addr_family family)
{
	return family == ADDR_V4 ? "iptables-legacy" : "ip6tables-legacy";
}

static bool try_rule(enum addr_family family, const char *words)
{
	char command[1024];

	snprintf(command, sizeof(command), "%s %s >/dev/null 2>&1", tool(family), words);
	return system(command) == 0;
}

static void rule(enum addr_family family, const char *words)
{
	if (!try_rule(family, words))
		fail_msg("failed: %s %s", tool(family), words);
}

/* A peer in a namespace of its own, which listens on 25: 10.0.0.1 and 2001:db8:1::1 by v1. */
struct net {
	struct host *host;
	pid_t peer;
};

static void listen_on(int port)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any)) != 0 || listen(fd, 16) != 0)
		_exit(1);
}

static void be_peer(int ready, int go)
{
	char c = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (unshare(CLONE_NEWNET) != 0 || write(ready, &c, 1) != 1 || read(go, &c, 1) != 1)
		_exit(1);
	ip_do("link set lo up");
	ip_do("link set v1 up");
	ip_do("addr add 10.0.0.1/24 dev v1");
	ip_do("addr add 2001:db8:1::1/64 dev v1 nodad");
	listen_on(25);
	if (write(ready, &c, 1) != 1)
		_exit(1);
	pause();
	_exit(0);
}

static int live_setup(void **state)
{
	struct net *n = calloc(1, sizeof(*n));
	int ready[2], go[2];
	char words[64], c = 0;

	assert_non_null(n);
	netns_setup((void **)&n->host);
	*state = n;
	assert_true(pipe2(ready, O_CLOEXEC) == 0 && pipe2(go, O_CLOEXEC) == 0);
	n->peer = fork();
	assert_true(n->peer >= 0);
	if (n->peer == 0)
		be_peer(ready[1], go[0]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	snprintf(words, sizeof(words), "link set v1 netns %d", (int)n->peer);
	ip_do(words);
	assert_int_equal(write(go[1], &c, 1), 1);
	assert_int_equal(read(ready[0], &c, 1), 1);
	for (int i = 0; i < 2; i++) {
		close(ready[i]);
		close(go[i]);
	}
	return 0;
}

static int live_teardown(void **state)
{
	struct net *n = *state;

	kill(n->peer, SIGKILL);
	waitpid(n->peer, NULL, 0);
	netns_teardown((void **)&n->host);
	free(n);
	return 0;
}

static struct host_watch live_watch(enum addr_family family)
{
	struct host_watch w = {.remote = addr(family == ADDR_V4 ? "10.0.0.1" : "2001:db8:1::1"),
			       .local = addr(family == ADDR_V4 ? "10.0.0.2" : "2001:db8:1::2"),
			       .rports = {25},
			       .n_rports = 1,
			       .oif_name = "v0",
			       .uid = geteuid(),
			       .gid = getegid()};
	return w;
}

/* One connection; true when it came to be within some 100 ms. */
static bool connect_once(struct host_watch *w)
{
	struct sockaddr_storage to, from;
	int fd = socket(w->remote.family == ADDR_V4 ? AF_INET : AF_INET6,
			SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t len = addr_to_sockaddr(&w->remote, 25, &to), from_len = sizeof(from);
	int error = 0;
	socklen_t error_len = sizeof(error);

	assert_true(fd >= 0);
	connect(fd, (struct sockaddr *)&to, len);
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	poll(&p, 1, 100);
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_len);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&from, &from_len), 0);
	addr_from_sockaddr(&(struct addr){0}, &w->lports[0], (struct sockaddr *)&from);
	w->n_lports = 1;
	close(fd);
	return (p.revents & POLLOUT) && error == 0;
}

static struct iptables *live_read(enum addr_family family)
{
	struct iptables *t = NULL;
	struct err e = {.text = ""};

	if (iptables_read(&t, family, &e) != 0)
		fail_msg("%s", e.text);
	return t;
}

static bool live_look(enum addr_family family, struct records *out, struct records *sights)
{
	struct host_watch w = live_watch(family);
	struct iptables *a = live_read(family);
	bool connected = connect_once(&w);
	struct iptables *b = live_read(family);

	out->n = sights->n = 0;
	iptables_compare(a, b, &w, 25, collect, out);
	iptables_inspect(b, &w, collect, sights);
	iptables_free(a);
	iptables_free(b);
	return connected;
}

/* iptables' own line N of a chain */
static void assert_listed(enum addr_family family, const char *table, const struct host_rule *r)
{
	char command[256], line[1024] = "";

	snprintf(command, sizeof(command), "%s -t %s -S %s %u", tool(family), table, r->chain,
		 r->number);
	FILE *f = popen(command, "r");
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	pclose(f);
	line[strcspn(line, "\n")] = '\0';
	assert_string_equal(r->text, line);
}

static void live_stops(enum addr_family family, const char *table, const char *words,
		       enum fw_verdict verdict, bool inbound)
{
	static struct records r, sights;
	char add[512];

	snprintf(add, sizeof(add), "-t %s -A %s", table, words);
	rule(family, add);
	assert_false(live_look(family, &r, &sights));
	assert_int_equal(r.n, 1);
	const struct host_counted *c = counted(&r, 0);
	assert_true(c->certain);
	assert_int_equal(c->rule.verdict, verdict);
	assert_int_equal(c->inbound, inbound);
	assert_true(c->moved >= 1);
	assert_listed(family, table, &c->rule);
	bool seen = false;
	for (unsigned i = 0; i < sights.n; i++)
		seen |= sights.list[i].kind == HOST_SIGHT &&
			sights.list[i].sight.would == WOULD_STOP &&
			strcmp(sights.list[i].sight.rule.text, c->rule.text) == 0;
	assert_true(seen);
	snprintf(add, sizeof(add), "-t %s -D %s", table, words);
	rule(family, add);
	assert_true(live_look(family, &r, &sights));
	assert_int_equal(r.n, 0);
}

static void test_live_stops(void **state)
{
	static const enum addr_family families[] = {ADDR_V4, ADDR_V6};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		enum addr_family f = families[i];
		rule(f, "-A OUTPUT -p tcp --dport 443 -j REJECT");
		rule(f, "-A INPUT -p tcp --dport 25 -j DROP");
		live_stops(f, "filter", "OUTPUT -p tcp --dport 25 -j DROP", FW_DROP, false);
		live_stops(f, "filter",
			   "OUTPUT -p tcp --dport 25 -j REJECT --reject-with tcp-reset", FW_REJECT,
			   false);
		live_stops(f, "filter", "INPUT -p tcp --sport 25 -j DROP", FW_DROP, true);
		live_stops(f, "filter", "INPUT -m state --state ESTABLISHED -j DROP", FW_DROP,
			   true);
		live_stops(f, "raw", "OUTPUT -o v0 -p tcp -m multiport --dports 24:26 -j DROP",
			   FW_DROP, false);
		live_stops(f, "raw", "PREROUTING -i v0 -p tcp --tcp-flags SYN,ACK SYN,ACK -j DROP",
			   FW_DROP, true);
		live_stops(f, "mangle", "POSTROUTING -p tcp --syn -j DROP", FW_DROP, false);
		rule(f, "-N mine");
		rule(f, "-A mine -p udp -j RETURN");
		rule(f, "-A OUTPUT -p tcp -g mine");
		live_stops(f, "filter",
			   "mine -m owner --uid-owner 0 -m comment --comment 'a \"b'"
			   " -j DROP",
			   FW_DROP, false);
	}
}

static void test_live_policy(void **state)
{
	static struct records r, sights;

	(void)state;
	rule(ADDR_V4, "-P OUTPUT DROP");
	assert_false(live_look(ADDR_V4, &r, &sights));
	assert_int_equal(r.n, 1);
	assert_counted(&r, 0, "-P OUTPUT DROP", true);
	rule(ADDR_V4, "-P OUTPUT ACCEPT");
	rule(ADDR_V4, "-P INPUT DROP");
	assert_false(live_look(ADDR_V4, &r, &sights));
	assert_int_equal(r.n, 1);
	assert_counted(&r, 0, "-P INPUT DROP", true);
	rule(ADDR_V4, "-A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT");
	assert_true(live_look(ADDR_V4, &r, &sights));
	assert_int_equal(r.n, 0);
}

static void test_live_turns(void **state)
{
	static struct records r, sights;

	(void)state;
	if (!try_rule(ADDR_V4, "-t nat -A OUTPUT -p tcp --dport 25 -j REDIRECT --to-ports 2525"))
		skip();
	assert_false(live_look(ADDR_V4, &r, &sights));
	assert_int_equal(r.n, 1);
	assert_true(counted(&r, 0)->certain);
	assert_int_equal(counted(&r, 0)->rule.verdict, FW_REDIRECT);
	assert_listed(ADDR_V4, "nat", &counted(&r, 0)->rule);
	assert_int_equal(sights.list[0].sight.would, WOULD_REDIRECT);
	rule(ADDR_V4, "-t nat -F OUTPUT");

	if (!try_rule(ADDR_V4, "-t mangle -A PREROUTING -p tcp --dport 25 -j TPROXY --on-port 2525 "
			       "--on-ip 127.0.0.1 --tproxy-mark 1/1"))
		skip();
	rule(ADDR_V4, "-t mangle -A OUTPUT -p tcp --dport 25 -j MARK --set-mark 1");
	ip_do("rule add fwmark 1 lookup 100");
	ip_do("route add local default dev lo table 100");
	assert_false(live_look(ADDR_V4, &r, &sights));
	assert_int_equal(r.n, 1);
	assert_int_equal(counted(&r, 0)->rule.verdict, FW_TPROXY);
	assert_listed(ADDR_V4, "mangle", &counted(&r, 0)->rule);
}

static void test_live_queue(void **state)
{
	static struct records r, sights;

	(void)state;
	rule(ADDR_V4, "-t mangle -A POSTROUTING -p udp -j ACCEPT");
	if (!try_rule(ADDR_V4, "-A OUTPUT -p tcp --dport 25 -j NFQUEUE --queue-num 77"))
		skip();
	assert_false(live_look(ADDR_V4, &r, &sights));
	assert_int_equal(r.n, 1);
	assert_true(counted(&r, 0)->certain);
	assert_int_equal(counted(&r, 0)->rule.verdict, FW_QUEUE);
	rule(ADDR_V4, "-F OUTPUT");
	rule(ADDR_V4, "-A OUTPUT -p tcp --dport 25 -j NFQUEUE --queue-num 77 --queue-bypass");
	assert_true(live_look(ADDR_V4, &r, &sights));
	for (unsigned i = 0; i < r.n; i++)
		assert_false(counted(&r, i)->certain);
}

/* Looking makes no tables. */
static void test_live_absent(void **state)
{
	struct iptables *t;

	(void)state;
	assert_false(iptables_present(ADDR_V4));
	assert_false(iptables_present(ADDR_V6));
	t = live_read(ADDR_V4);
	assert_int_equal(t->n_tables, 0);
	iptables_free(t);
	assert_false(iptables_present(ADDR_V4));
	rule(ADDR_V4, "-t raw -A OUTPUT -p udp -j ACCEPT");
	assert_true(iptables_present(ADDR_V4));
	assert_false(iptables_present(ADDR_V6));
}

static const char *const asked[] = {
	"-p tcp",
	"! -p tcp",
	"-p udp",
	"! -p udp -s 10.0.0.2/31",
	"-d 10.0.0.1",
	"-s 10.0.0.1",
	"! -d 10.0.0.0/8",
	"! -s 192.168.0.0/16",
	"-p tcp --dport 25",
	"-p tcp ! --dport 25",
	"-p tcp --sport 25",
	"-p tcp --sport 1024:65535",
	"-p tcp --dport :25",
	"-p tcp --dport 26:",
	"-p tcp --syn",
	"-p tcp ! --syn",
	"-p tcp --tcp-flags ALL SYN",
	"-p tcp --tcp-flags ALL SYN,ACK",
	"-p tcp --tcp-flags RST,FIN NONE",
	"-p tcp -m multiport --dports 20:30,99",
	"-p tcp -m multiport ! --dports 25",
	"-p tcp -m multiport --ports 25",
	"-p tcp -m multiport --sports 25,26",
	"-m iprange --dst-range 10.0.0.1-10.0.0.9",
	"-m iprange ! --src-range 10.0.0.1-10.0.0.1",
	"-m conntrack --ctstate NEW",
	"-m conntrack --ctstate ESTABLISHED,RELATED",
	"-m conntrack ! --ctstate NEW,INVALID",
	"-m conntrack --ctstate UNTRACKED",
	"-m conntrack --ctstate DNAT",
	"-m conntrack --ctdir ORIGINAL",
	"-m conntrack --ctdir REPLY",
	"-m conntrack --ctproto tcp",
	"-m state --state NEW",
	"-m state ! --state NEW",
	"-m mark --mark 0",
	"-m mark ! --mark 7",
	"-m mark --mark 0x8/0x8",
	"-m addrtype --dst-type LOCAL",
	"-m addrtype --src-type LOCAL",
	"-m addrtype --dst-type UNICAST",
	"-m addrtype ! --src-type UNICAST",
	"-m addrtype --dst-type BROADCAST,MULTICAST",
	"-m pkttype --pkt-type unicast",
	"-m pkttype ! --pkt-type unicast",
	"-m pkttype --pkt-type multicast",
	"-m length --length 40:100",
	"-m length ! --length 40:100",
	"-m length --length 0:39",
	"-m policy --dir in --pol none",
	"-m policy --dir in --pol ipsec",
	"-m physdev ! --physdev-is-bridged",
	"-m comment --comment x",
	"! -f",
	"-f",
	/* one direction each: the kernel refuses them in the other's chains */
	"-o v0",
	"-o v+",
	"! -o v0",
	"-o lo",
	"-i v0",
	"! -i v+",
	"-i lo",
	"-m owner --uid-owner 0",
	"-m owner ! --uid-owner 0-5",
	"-m owner --uid-owner 7",
	"-m owner --gid-owner 0",
	"-m owner --gid-owner 9",
	"-m owner --socket-exists",
	"-m policy --dir out --pol none",
};

static void ask_kernel(const char *chain, unsigned *n)
{
	char words[512];

	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		snprintf(words, sizeof(words), "-t mangle -A %s %s", chain, asked[i]);
		*n += try_rule(ADDR_V4, words);
	}
}

/* Rules without target: their counters say what the kernel thinks of our packet. */
static void test_live_matches(void **state)
{
	struct host_watch w = live_watch(ADDR_V4);
	unsigned n = 0, yes = 0, no = 0;

	(void)state;
	ask_kernel("OUTPUT", &n);
	ask_kernel("INPUT", &n);
	assert_true(n > 80);
	/* nothing but our SYN and its answer: the handshake's end goes no further */
	rule(ADDR_V4, "-t raw -A OUTPUT -p tcp ! --syn -j DROP");
	rule(ADDR_V4, "-t raw -A OUTPUT -p icmp -j DROP");
	rule(ADDR_V4, "-t raw -A PREROUTING ! -p tcp -j DROP");
	rule(ADDR_V4, "-t raw -A PREROUTING -p tcp ! --sport 25 -j DROP");
	assert_true(connect_once(&w));
	struct iptables *t = live_read(ADDR_V4);
	const struct ipt_packet packets[] = {
		{.family = ADDR_V4,
		 .own = true,
		 .src = w.local,
		 .dst = w.remote,
		 .sport = {w.lports, 1},
		 .dport = {w.rports, 1},
		 .iif = "",
		 .oif = "v0",
		 .uid = w.uid,
		 .gid = w.gid,
		 .mark_known = UINT32_MAX},
		{.family = ADDR_V4,
		 .inbound = true,
		 .reply = true,
		 .src = w.remote,
		 .dst = w.local,
		 .sport = {w.rports, 1},
		 .dport = {w.lports, 1},
		 .iif = "v0",
		 .oif = "",
		 .mark_known = UINT32_MAX},
	};
	for (int i = 0; i < 2; i++) {
		const struct ipt_chain *c =
			ipt_chain(ipt_table(t, "mangle"), i ? "INPUT" : "OUTPUT");
		for (size_t k = 0; k < c->n_rules; k++) {
			struct ipt_fit fit;
			ipt_fits(&c->rules[k], &packets[i], &fit);
			bool moved = c->rules[k].packets > 0;
			yes += fit.truth >= IPT_LIKELY;
			no += fit.truth <= IPT_UNLIKELY;
			if (fit.truth == IPT_MAYBE || (fit.truth >= IPT_LIKELY) != moved)
				fail_msg("%.*s: expected %d, counted %d", (int)c->rules[k].len,
					 c->rules[k].text, fit.truth, (int)c->rules[k].packets);
		}
	}
	assert_true(yes > 30 && no > 30);
	iptables_free(t);
}

static void test_live_large(void **state)
{
	static struct records r, sights;
	struct timespec a, b;

	(void)state;
	FILE *f = popen("iptables-legacy-restore", "w");
	assert_non_null(f);
	fprintf(f, "*filter\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n");
	for (int i = 0; i < 20000; i++)
		fprintf(f, "-A OUTPUT -d 172.16.%d.%d/32 -p tcp -m tcp --dport 25 -j DROP\n",
			i >> 8 & 255, i & 255);
	fprintf(f, "-A OUTPUT -p tcp -m tcp --dport 25 -j DROP\nCOMMIT\n");
	assert_int_equal(pclose(f), 0);
	clock_gettime(CLOCK_MONOTONIC, &a);
	assert_false(live_look(ADDR_V4, &r, &sights));
	clock_gettime(CLOCK_MONOTONIC, &b);
	print_message("20,001 rules, read twice and compared: %ld ms\n",
		      (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000);
	assert_int_equal(r.n, 1);
	assert_true(counted(&r, 0)->certain);
	assert_int_equal(counted(&r, 0)->rule.number, 20001);
}

#define LIVE(name) cmocka_unit_test_setup_teardown(name, live_setup, live_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE(test_live_absent), LIVE(test_live_stops), LIVE(test_live_policy),
		LIVE(test_live_turns),  LIVE(test_live_queue), LIVE(test_live_matches),
		LIVE(test_live_large),
	};

	if (!child_exists("iptables-legacy-save") || !child_exists("iptables-legacy")) {
		printf("skipped: iptables-legacy is not installed\n");
		return 77;
	}
	if (!netns_possible()) {
		printf("skipped: no network namespace of our own: %s\n", strerror(errno));
		return 77;
	}
	if (!have_veth() || !try_rule(ADDR_V4, "-S") || !try_rule(ADDR_V6, "-S")) {
		printf("skipped: no veth pair, or no legacy tables in this kernel\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
