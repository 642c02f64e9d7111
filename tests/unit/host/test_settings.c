/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Counters and settings, and what is said of all that without privileges. */
#include "calls.h"

/* ---- counters ---- */

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
		TEST(test_without_privileges),
	};

	return netns_main(tests, sizeof(tests) / sizeof(tests[0]));
}
