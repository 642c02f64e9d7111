/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where connections are turned to, and whose sockets take them. */
#include "calls.h"

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

#define TEST(name) cmocka_unit_test_setup_teardown(name, netns_setup, netns_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_redirect),
		TEST(test_redirect_to_listener),
		TEST(test_dnat),
		TEST(test_no_translation),
		TEST(test_tproxy),
		TEST(test_own_target),
	};

	return netns_main(tests, sizeof(tests) / sizeof(tests[0]));
}
