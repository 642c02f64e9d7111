/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Real rules against real connections: what stops or turns a packet. */
#include "trace_world.h"

/* ---- stops ---- */

struct stop_case {
	const char *rules; /* for nft -f - */
	const char *words; /* of the rule to blame; NULL: the policy */
	const char *family, *table, *chain, *base, *hook;
	int priority;
	bool inbound, v6;
	enum waypoint last;
};

static const struct stop_case STOPS[] = {
	{"table inet f { chain o { type filter hook output priority 0; tcp dport 25 drop; }; }",
	 "tcp dport 25 drop", "inet", "f", "o", "o", "output", 0, false, false, WAY_OUT_TRACKED},
	{"table ip6 f { chain o { type filter hook output priority 5; tcp dport 25 drop; }; }",
	 "tcp dport 25 drop", "ip6", "f", "o", "o", "output", 5, false, true, WAY_OUT_TRACKED},
	{"table ip f { chain o { type filter hook output priority 0; policy drop; "
	 "tcp dport 80 accept; counter; }; }",
	 NULL, "ip", "f", "o", "o", "output", 0, false, false, WAY_OUT_TRACKED},
	{"table inet f { chain o { type filter hook output priority -300; tcp dport 25 "
	 "counter reject with tcp reset; }; }",
	 "reject with tcp reset", "inet", "f", "o", "o", "output", -300, false, false,
	 WAY_OUT_FIRST},
	{NESTED_DROP,
	 "ip protocol tcp counter", "inet", "f", "deep", "o", "output", 1, false, false,
	 WAY_OUT_TRACKED},
	{"table inet f { chain deep { meta l4proto tcp drop; }; "
	 "chain o { type filter hook output priority 0; policy accept; goto deep; }; }",
	 "meta l4proto tcp drop", "inet", "f", "deep", "o", "output", 0, false, true,
	 WAY_OUT_TRACKED},
	{"table inet f { chain empty { }; "
	 "chain o { type filter hook output priority 0; policy drop; tcp dport 25 goto empty; }; }",
	 NULL, "inet", "f", "o", "o", "output", 0, false, false, WAY_OUT_TRACKED},
	{"table inet f { chain o { type filter hook output priority 0; "
	 "tcp dport vmap { 25 : drop, 80 : accept }; }; }",
	 "tcp dport vmap", "inet", "f", "o", "o", "output", 0, false, false, WAY_OUT_TRACKED},
	{"table inet f { set s { type ipv4_addr; flags interval; elements = { 198.51.100.0/24 } ; "
	 "}; "
	 "chain o { type filter hook output priority 0; ip daddr @s drop; }; }",
	 "ip daddr @s drop", "inet", "f", "o", "o", "output", 0, false, false, WAY_OUT_TRACKED},
	{"table inet f { chain p { type filter hook postrouting priority 0; tcp dport 25 drop; }; "
	 "chain o { type filter hook output priority 0; accept; }; }",
	 "tcp dport 25 drop", "inet", "f", "p", "p", "postrouting", 0, false, true, WAY_POST_FIRST},
	{"table netdev f { chain e { type filter hook egress device v0 priority 0; "
	 "tcp dport 25 drop; }; }",
	 "tcp dport 25 drop", "netdev", "f", "e", "e", "egress", 0, false, false, WAY_EGRESS_FIRST},
	{"table netdev f { chain i { type filter hook ingress device v0 priority 0; "
	 "tcp sport 25 drop; }; }",
	 "tcp sport 25 drop", "netdev", "f", "i", "i", "ingress", 0, true, false, WAY_INGRESS},
	{"table inet f { chain i { type filter hook input priority 0; tcp sport 25 drop; }; }",
	 "tcp sport 25 drop", "inet", "f", "i", "i", "input", 0, true, false, WAY_IN_FIRST},
	{"table inet f { chain i { type filter hook input priority 0; policy drop; "
	 "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept; }; }",
	 NULL, "inet", "f", "i", "i", "input", 0, true, true, WAY_IN_FIRST},
	{"table ip6 f { chain r { type filter hook prerouting priority raw; tcp sport 25 drop; }; "
	 "}",
	 "tcp sport 25 drop", "ip6", "f", "r", "r", "prerouting", -300, true, true, WAY_PRE_FIRST},
	{"table ip f { chain r { type filter hook prerouting priority -150; ct state established "
	 "drop; }; }",
	 "ct state established drop", "ip", "f", "r", "r", "prerouting", -150, true, false,
	 WAY_PRE_TRACKED},
	/* the trace that a rule takes away is put back by the next chain of ours */
	{"table inet f { chain o { type filter hook output priority -300; meta nftrace set 0; }; "
	 "chain p { type filter hook postrouting priority 0; tcp dport 25 drop; }; }",
	 "tcp dport 25 drop", "inet", "f", "p", "p", "postrouting", 0, false, false,
	 WAY_POST_FIRST},
};

static void check_stop(struct world *w, const struct stop_case *c)
{
	prepare(w, c->v6, c->v6 ? REMOTE6 : REMOTE4);
	go(w, 25, 60);
	const struct host_packet *p = packet_of(w, c->inbound, true);
	if (!p) {
		show(w);
		fail_msg("no stop by %s", c->rules);
	}
	assert_same_packet(w, p);
	assert_string_equal(p->stop.family, c->family);
	assert_string_equal(p->stop.table, c->table);
	assert_string_equal(p->stop.chain, c->chain);
	assert_string_equal(p->stop.base_chain, c->base);
	assert_string_equal(p->stop.hook, c->hook);
	assert_int_equal(p->stop.priority, c->priority);
	assert_int_equal(p->stop.policy, !c->words);
	assert_int_equal(p->stop.handle == 0, !c->words);
	assert_int_equal(p->last, c->last);
	assert_false(p->turned);
	assert_string_equal(c->inbound ? p->iif : p->oif, "v0");
	if (c->words)
		assert_handle(&p->stop, c->words);
	if (!strstr(p->stop.text, c->words ? c->words : "policy drop"))
		fail_msg("the words are \"%s\"", p->stop.text);
	bool reject = c->words && strstr(c->words, "reject");
	assert_int_equal(p->stop.verdict, reject ? FW_REJECT : FW_DROP);
	/* the way out was free, when it is the answer that was stopped */
	p = packet_of(w, false, false);
	assert_int_equal(p != NULL, c->inbound);
	if (p)
		assert_int_equal(p->last, WAY_EGRESS_LAST);
}

static void test_stops(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(STOPS) / sizeof(STOPS[0]); i++) {
		shell_do("nft flush ruleset");
		if (load(STOPS[i].rules) != 0) {
			print_message("not known to this nft or kernel: %s\n", STOPS[i].rules);
			continue;
		}
		check_stop(w, &STOPS[i]);
	}
}

/* Beside other rules, in other families and chains, that let it pass. */
static void test_open(void **state)
{
	static const char RULES[] =
		"table inet f { chain o { type filter hook output priority 0; policy drop; "
		"tcp dport 25 accept; ip6 nexthdr icmpv6 accept; }; "
		"chain i { type filter hook input priority 0; policy accept; counter; }; "
		"chain n { type nat hook postrouting priority 100; masquerade; }; }";
	struct world *w = *state;

	shell_do("nft flush ruleset");
	assert_int_equal(load(RULES), 0);
	for (int v6 = 0; v6 < 2; v6++) {
		prepare(w, v6, v6 ? REMOTE6 : REMOTE4);
		assert_int_equal(go(w, 25, 1000), 0);
		assert_int_equal(w->n, 2); /* SYN and SYN-ACK, and not the ACK */
		const struct host_packet *p = packet_of(w, false, false);
		assert_non_null(p);
		assert_same_packet(w, p);
		assert_int_equal(p->last, WAY_EGRESS_LAST);
		assert_false(p->turned);
		p = packet_of(w, true, false);
		assert_non_null(p);
		assert_same_packet(w, p);
		assert_int_equal(p->last, WAY_IN_LAST);
		assert_false(p->turned);
		w->n = 0;
		trace_emit(w->trace, take_record, w); /* told once */
		assert_int_equal(w->n, 0);
	}
}

/* A refusal of the far end's comes in and passes. */
static void test_refused(void **state)
{
	struct world *w = *state;

	shell_do("nft flush ruleset");
	prepare(w, false, REMOTE4);
	assert_int_equal(go(w, 587, 1000), ECONNREFUSED);
	assert_int_equal(w->n, 2);
	const struct host_packet *p = packet_of(w, true, false);
	assert_non_null(p);
	assert_true(p->tcp_flags & TCP_RST);
	assert_int_equal(p->last, WAY_IN_LAST);
	assert_string_equal(p->iif, "v0");
}

/* Devices on devices: the packet comes by netdev's hooks twice, and by the bridge's own. */
static void test_bridge(void **state)
{
	struct world *w = *state;
	const struct host_packet *p;

	shell_do("nft flush ruleset");
	if (shell("ip link add br0 type bridge 2>/dev/null") != 0 ||
	    load("table bridge f { chain o { type filter hook output priority 0; counter; }; "
		 "chain i { type filter hook input priority 0; counter; }; }") != 0) {
		print_message("skipped: no bridges\n");
		skip();
	}
	ip_do("link set v0 master br0");
	ip_do("link set br0 up");
	ip_do("addr del 10.0.0.2/24 dev v0");
	ip_do("addr add 10.0.0.2/24 dev br0");
	ip_do("route add default via 10.0.0.1");
	prepare(w, false, REMOTE4);
	assert_int_equal(go(w, 25, 1000), 0);
	assert_int_equal(w->n, 2);
	p = packet_of(w, false, false);
	assert_non_null(p);
	assert_int_equal(p->last, WAY_EGRESS_LAST);
	p = packet_of(w, true, false);
	assert_non_null(p);
	assert_int_equal(p->last, WAY_IN_LAST);

	assert_int_equal(load("table bridge f { chain o { tcp dport 25 drop; }; }"), 0);
	prepare(w, false, REMOTE4);
	assert_int_equal(go(w, 25, 60), ETIMEDOUT);
	assert_int_equal(w->n, 1);
	p = packet_of(w, false, true);
	assert_non_null(p);
	assert_string_equal(p->stop.family, "bridge");
	assert_string_equal(p->stop.hook, "output");
	assert_int_equal(p->last, WAY_EGRESS_LAST);
	assert_handle(&p->stop, "tcp dport 25 drop");
}

/* Each of a few retransmissions is told; data packets that are stopped too. */
static void test_retransmissions_and_data(void **state)
{
	struct world *w = *state;
	unsigned n = 0;

	shell_do("nft flush ruleset");
	assert_int_equal(load("table ip f { chain o { type filter hook output priority 0; "
			      "tcp dport 25 tcp flags syn drop; }; }"),
			 0);
	prepare(w, false, REMOTE4);
	assert_int_equal(go(w, 25, 1200), ETIMEDOUT);
	for (unsigned i = 0; i < w->n; i++)
		n += w->records[i].packet.stopped;
	assert_int_equal(n, 2);
	assert_int_equal(w->n, 2);

	shell_do("nft flush ruleset");
	assert_int_equal(load("table ip f { chain o { type filter hook output priority 0; "
			      "tcp dport 25 tcp flags & psh == psh drop; }; }"),
			 0);
	prepare(w, false, REMOTE4);
	assert_int_equal(go(w, 25, 1000), 0);
	assert_null(packet_of(w, false, true));
	assert_int_equal(send(w->sock, "QUIT\r\n", 6, MSG_NOSIGNAL), 6);
	w->n = 0;
	trace_emit(w->trace, take_record, w);
	const struct host_packet *p = packet_of(w, false, true);
	assert_non_null(p);
	assert_true(p->tcp_flags & TCP_PSH);
	assert_handle(&p->stop, "drop");
}

/* A program that does not give a packet back; nobody listens: the kernel drops it. */
static void test_queue(void **state)
{
	struct world *w = *state;

	shell_do("nft flush ruleset");
	if (shell("iptables-nft -A OUTPUT -p tcp --dport 25 -j NFQUEUE --queue-num 7") != 0) {
		print_message("skipped: no NFQUEUE\n");
		skip();
	}
	prepare(w, false, REMOTE4);
	assert_int_equal(go(w, 25, 300), ETIMEDOUT);
	const struct host_packet *p = packet_of(w, false, true);
	if (!p) {
		show(w);
		fail_msg("no stop by queue");
	}
	assert_int_equal(p->stop.verdict, FW_QUEUE);
	assert_string_equal(p->stop.chain, "OUTPUT");
	assert_true(p->stop.handle != 0);
	assert_int_equal(p->last, WAY_OUT_TRACKED);

	/* where it need not be answered, it is no stop, however long ago */
	shell_do(
		"iptables-nft -F && "
		"iptables-nft -A OUTPUT -p tcp --dport 25 -j NFQUEUE --queue-num 7 --queue-bypass");
	prepare(w, false, REMOTE4);
	assert_int_equal(go(w, 25, 300), 0);
	poll(NULL, 0, 300);
	trace_emit(w->trace, take_record, w);
	assert_null(packet_of(w, false, true));
}

/* ---- turns ---- */

static const struct turn_case {
	const char *rules, *words, *table, *chain;
	bool v6, local;
} TURNS[] = {
	{"table ip n { chain o { type nat hook output priority -100; tcp dport 25 redirect to "
	 ":2525; }; }",
	 "redirect to :2525", "n", "o", false, true},
	{"table ip6 n { chain d { tcp dport 25 counter redirect to :2525; }; "
	 "chain o { type nat hook output priority -100; meta l4proto tcp jump d; }; }",
	 "redirect to :2525", "n", "d", true, true},
	{"table inet n { chain o { type nat hook output priority -100; tcp dport 25 dnat ip to "
	 "10.0.0.1:2525; }; "
	 "chain f { type filter hook output priority 0; counter accept; }; }",
	 "dnat ip to 10.0.0.1:2525", "n", "o", false, false},
	{"table inet n { chain o { type nat hook output priority -100; dnat ip6 to ip6 daddr map "
	 "{ " REMOTE6 " : 2001:db8:1::1 }; }; }",
	 "dnat ip6 to", "n", "o", true, false},
};

static void test_turns(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(TURNS) / sizeof(TURNS[0]); i++) {
		const struct turn_case *c = &TURNS[i];
		shell_do("nft flush ruleset");
		assert_int_equal(load(c->rules), 0);
		prepare(w, c->v6, c->v6 ? REMOTE6 : REMOTE4);
		go(w, 25, 60);
		const struct host_packet *p = packet_of(w, false, false);
		if (!p || !p->turned) {
			show(w);
			fail_msg("no turn by %s", c->rules);
		}
		assert_same_packet(w, p); /* as it was */
		assert_string_equal(p->turn.table, c->table);
		assert_string_equal(p->turn.chain, c->chain);
		assert_string_equal(p->turn.base_chain, "o");
		assert_string_equal(p->turn.hook, "output");
		assert_int_equal(p->turn.priority, -100);
		assert_int_equal(p->turn.verdict, c->local ? FW_REDIRECT : FW_DNAT);
		assert_handle(&p->turn, c->words);
		assert_non_null(strstr(p->turn.text, c->words));
		assert_int_equal(p->last, c->local ? WAY_IN_LAST : WAY_EGRESS_LAST);
		assert_string_equal(p->oif, c->local ? "lo" : "v0");
		assert_null(packet_of(w, false, true));
	}
}

/* A turned packet that is then stopped: both. */
static void test_turned_and_stopped(void **state)
{
	struct world *w = *state;

	shell_do("nft flush ruleset");
	assert_int_equal(load("table ip n { chain o { type nat hook output priority -100; "
			      "tcp dport 25 redirect to :2525; }; "
			      "chain i { type filter hook input priority 0; iif lo drop; }; }"),
			 0);
	prepare(w, false, REMOTE4);
	assert_int_equal(go(w, 25, 60), ETIMEDOUT);
	const struct host_packet *p = packet_of(w, false, true);
	assert_non_null(p);
	assert_true(p->turned);
	assert_string_equal(p->turn.chain, "o");
	assert_string_equal(p->stop.chain, "i");
	assert_int_equal(p->last, WAY_IN_FIRST);
}

/* The way of a transparent proxy on this host: back in by lo, and to nobody's address of ours. */
static void test_tproxy(void **state)
{
	struct world *w = *state;

	shell_do("nft flush ruleset");
	shell_do("ip rule add fwmark 1 lookup 100 && ip route add local default dev lo table 100");
	assert_int_equal(load("table ip m { chain o { type route hook output priority -150; "
			      "tcp dport 25 meta mark set 1; }; "
			      "chain p { type filter hook prerouting priority -150; counter; "
			      "iif lo tcp dport 25 tproxy to 127.0.0.1:2525; counter accept; }; }"),
			 0);
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_port = htons(2525),
				 .sin_addr = {htonl(INADDR_LOOPBACK)}};
	const int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(setsockopt(fd, SOL_IP, IP_TRANSPARENT, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 8), 0);
	prepare(w, false, REMOTE4);
	assert_int_equal(go(w, 25, 1000), 0);
	close(fd);
	const struct host_packet *p = packet_of(w, false, false);
	assert_non_null(p);
	if (!p->turned) {
		show(w);
		fail_msg("no turn");
	}
	assert_int_equal(p->turn.verdict, FW_TPROXY);
	assert_string_equal(p->turn.chain, "p");
	assert_string_equal(p->turn.hook, "prerouting");
	assert_handle(&p->turn, "tproxy to 127.0.0.1:2525");
	assert_int_equal(p->last, WAY_IN_LAST);
}

/* ---- what nf_tables did not do: the last waypoint tells where ---- */

/* What a program of one instruction does: TC_ACT_SHOT. */
#define TC(way)                                                                                    \
	"tc qdisc add dev v0 clsact && tc filter add dev v0 " way                                  \
	" protocol ip bpf da bytecode '1,6 0 0 2,'"

static const struct way_case {
	const char *what, *on, *off;
	bool inbound, v6;
	enum waypoint last;
} WAYS[] = {
	{"legacy OUTPUT", "iptables-legacy -A OUTPUT -p tcp --dport 25 -j DROP",
	 "iptables-legacy -F OUTPUT", false, false, WAY_OUT_TRACKED},
	{"legacy v6 OUTPUT", "ip6tables-legacy -A OUTPUT -p tcp --dport 25 -j DROP",
	 "ip6tables-legacy -F OUTPUT", false, true, WAY_OUT_TRACKED},
	{"legacy INPUT", "iptables-legacy -A INPUT -p tcp --sport 25 -j DROP",
	 "iptables-legacy -F INPUT", true, false, WAY_IN_FIRST},
	{"legacy raw OUTPUT", "iptables-legacy -t raw -A OUTPUT -p tcp --dport 25 -j DROP",
	 "iptables-legacy -t raw -F OUTPUT", false, false, WAY_OUT_FIRST},
	{"legacy mangle POSTROUTING",
	 "iptables-legacy -t mangle -A POSTROUTING -p tcp --dport 25 -j DROP",
	 "iptables-legacy -t mangle -F POSTROUTING", false, false, WAY_POST_FIRST},
	{"legacy raw PREROUTING", "iptables-legacy -t raw -A PREROUTING -p tcp --sport 25 -j DROP",
	 "iptables-legacy -t raw -F PREROUTING", true, false, WAY_PRE_FIRST},
	{"legacy mangle PREROUTING",
	 "iptables-legacy -t mangle -A PREROUTING -p tcp --sport 25 -j DROP",
	 "iptables-legacy -t mangle -F PREROUTING", true, false, WAY_PRE_TRACKED},
	{"tc egress", TC("egress"), "tc qdisc del dev v0 clsact", false, false, WAY_EGRESS_LAST},
	{"tc ingress", TC("ingress"), "tc qdisc del dev v0 clsact", true, false, WAY_NONE},
	{"rp_filter",
	 "ip link add d0 type veth peer name d1 && ip link set d1 up && ip link set d0 up && "
	 "ip route del default && ip route add default dev d0 && "
	 "ip route add default via 10.0.0.1 dev v0 metric 9 && "
	 "echo 1 > /proc/sys/net/ipv4/conf/v0/rp_filter",
	 "true", true, false, WAY_PRE_LAST},
};

static void test_ways(void **state)
{
	struct world *w = *state;

	shell_do("nft flush ruleset");
	for (size_t i = 0; i < sizeof(WAYS) / sizeof(WAYS[0]); i++) {
		const struct way_case *c = &WAYS[i];
		char quiet[512];
		snprintf(quiet, sizeof(quiet), "(%s) 2>/dev/null", c->on);
		if (shell(quiet) != 0) {
			print_message("not possible here: %s\n", c->what);
			continue;
		}
		prepare(w, c->v6, c->v6 ? REMOTE6 : REMOTE4);
		assert_int_equal(setsockopt(w->sock, SOL_SOCKET, SO_BINDTODEVICE, "v0", 3), 0);
		int rc = go(w, 25, 60);
		if (rc != ETIMEDOUT) {
			show(w);
			fail_msg("%s: it was not dropped: %s", c->what, strerror(rc));
		}
		const struct host_packet *p = packet_of(w, c->inbound, false);
		if (c->last == WAY_NONE ? p != NULL : !p || p->last != c->last) {
			show(w);
			fail_msg("%s: last %d", c->what, p ? (int)p->last : -1);
		}
		assert_null(packet_of(w, c->inbound, true));
		if (c->inbound) {
			p = packet_of(w, false, false);
			assert_non_null(p);
			assert_int_equal(p->last, WAY_EGRESS_LAST);
		}
		shell_do(c->off);
	}
}

/* ---- iptables over nf_tables ---- */

static void test_iptables_nft(void **state)
{
	struct world *w = *state;
	const struct host_packet *p;

	shell_do("nft flush ruleset");
	if (shell("iptables-nft -N MAIL && iptables-nft -A OUTPUT -p tcp -j MAIL && "
		  "iptables-nft -A MAIL -p tcp --dport 25 -j REJECT --reject-with tcp-reset") !=
	    0) {
		print_message("skipped: no iptables-nft\n");
		skip();
	}
	prepare(w, false, REMOTE4);
	assert_int_equal(go(w, 25, 1000), ECONNREFUSED);
	p = packet_of(w, false, true);
	assert_non_null(p);
	assert_string_equal(p->stop.family, "ip");
	assert_string_equal(p->stop.table, "filter");
	assert_string_equal(p->stop.chain, "MAIL");
	assert_string_equal(p->stop.base_chain, "OUTPUT");
	assert_true(p->stop.handle != 0);
	assert_int_equal(p->stop.backend, FW_IPTABLES_NFT);
	assert_int_equal(p->stop.verdict, FW_REJECT);
	assert_non_null(strstr(p->stop.text, "-A MAIL -p tcp"));
	/* and the reset that this host makes itself: from lo */
	p = packet_of(w, true, false);
	assert_non_null(p);
	assert_true(p->tcp_flags & TCP_RST);
	assert_string_equal(p->oif, "lo");
	assert_string_equal(p->iif, "lo");

	shell_do("iptables-nft -F && iptables-nft -t nat -A OUTPUT -p tcp --dport 25 -j REDIRECT "
		 "--to-ports 2525");
	prepare(w, false, REMOTE4);
	assert_int_equal(go(w, 25, 1000), ECONNREFUSED);
	p = packet_of(w, false, false);
	assert_non_null(p);
	assert_true(p->turned);
	assert_string_equal(p->turn.table, "nat");
	assert_string_equal(p->turn.chain, "OUTPUT");
	assert_int_equal(p->turn.verdict, FW_REDIRECT);
}

/* Legacy's nat leaves no trace: turned, and nobody is accused, not even who accepted just before.
 */
static void test_legacy_redirect(void **state)
{
	struct world *w = *state;

	shell_do("nft flush ruleset");
	assert_int_equal(load("table ip m { chain o { type filter hook output priority -150; "
			      "tcp dport 25 accept; }; }"),
			 0);
	if (shell("iptables-legacy -t nat -A OUTPUT -p tcp --dport 25 -j REDIRECT --to-ports 2525 "
		  "2>/dev/null") != 0) {
		print_message("skipped: no legacy nat\n");
		skip();
	}
	prepare(w, false, REMOTE4);
	assert_int_equal(go(w, 25, 1000), ECONNREFUSED);
	const struct host_packet *p = packet_of(w, false, false);
	assert_non_null(p);
	assert_true(p->turned);
	assert_string_equal(p->turn.table, "");
	assert_int_equal(p->turn.handle, 0);
	assert_int_equal(p->turn.verdict, FW_REDIRECT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_world, end_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_open),
		TEST(test_refused),
		TEST(test_stops),
		TEST(test_retransmissions_and_data),
		TEST(test_queue),
		TEST(test_turns),
		TEST(test_turned_and_stopped),
		TEST(test_bridge),
		TEST(test_tproxy),
		TEST(test_ways),
		TEST(test_iptables_nft),
		TEST(test_legacy_redirect),
	};

	if (netns_possible() &&
	    shell("nft -f /dev/null 2>/dev/null && nft add table inet probe 2>/dev/null") != 0) {
		printf("skipped: no nft, or no nf_tables for us\n");
		return 77;
	}
	return netns_main(tests, sizeof(tests) / sizeof(tests[0]));
}
