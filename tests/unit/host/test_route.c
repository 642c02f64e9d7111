/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Route lookups that succeed: what the kernel picks, and in whose words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "netns.h"

static struct host_route route(struct host *h, const char *dst, const char *src, int oif,
			       uint16_t dport)
{
	struct route_query q = {.oif = oif, .dport = dport};
	struct host_route out;
	struct err e = {.text = ""};

	assert_true(addr_parse(&q.dst, dst));
	if (src)
		assert_true(addr_parse(&q.src, src));
	if (host_get_route(h, &q, &out, &e) != 0)
		fail_msg("%s", e.text);
	return out;
}

static int index_of(struct host *h, const char *name)
{
	struct host_link l;
	struct err e = {.text = ""};

	if (host_get_link(h, 0, name, &l, &e) != 0)
		fail_msg("%s", e.text);
	return l.ifindex;
}

static void assert_addr(const struct addr *a, const char *text)
{
	char is[ADDR_TEXT_MAX];
	struct addr bare = *a;

	bare.scope = 0;
	assert_string_equal(addr_text(&bare, is), text);
}

static void test_default(void **state)
{
	struct host_route r = route(*state, "198.51.100.25", NULL, 0, 25);

	assert_int_equal(r.error, 0);
	assert_int_equal(r.stop, ROUTE_STOP_NONE);
	assert_int_equal(r.port, 25);
	assert_int_equal(r.table, 254);
	assert_int_equal(r.oif, index_of(*state, "v0"));
	assert_addr(&r.gateway, "10.0.0.1");
	assert_addr(&r.prefsrc, "10.0.0.2");
	assert_false(r.local);
	assert_false(r.multipath);
	assert_int_equal(r.mtu, 0);
	assert_string_equal(r.text, "198.51.100.25 via 10.0.0.1 dev v0 table main src 10.0.0.2");

	r = route(*state, "2001:db8::25", NULL, 0, 25);
	assert_addr(&r.gateway, "2001:db8:1::1");
	assert_addr(&r.prefsrc, "2001:db8:1::2");
	assert_string_equal(r.text,
			    "2001:db8::25 via 2001:db8:1::1 dev v0 table main src 2001:db8:1::2");
}

static void test_on_link_and_local(void **state)
{
	struct host_route r = route(*state, "10.0.0.77", NULL, 0, 25);

	assert_int_equal(r.gateway.family, ADDR_NONE);
	assert_string_equal(r.text, "10.0.0.77 dev v0 table main src 10.0.0.2");

	r = route(*state, "10.0.0.2", NULL, 0, 25);
	assert_true(r.local);
	assert_string_equal(r.text, "local 10.0.0.2 dev lo table local src 10.0.0.2");
	r = route(*state, "127.0.0.5", NULL, 0, 25);
	assert_true(r.local);
	r = route(*state, "::1", NULL, 0, 25);
	assert_true(r.local);
	r = route(*state, "2001:db8:1::2", NULL, 0, 25);
	assert_true(r.local);
}

static void test_mtu_and_multipath(void **state)
{
	ip_do("route add 192.0.2.0/24 mtu 1400 nexthop via 10.0.0.3 nexthop via 10.0.0.4");
	ip_do("-6 route add 2001:db8:2::/48 mtu 1280 nexthop via 2001:db8:1::3 "
	      "nexthop via 2001:db8:1::4");
	struct host_route r = route(*state, "192.0.2.1", NULL, 0, 25);
	assert_true(r.multipath);
	assert_int_equal(r.mtu, 1400);
	r = route(*state, "2001:db8:2::1", NULL, 0, 25);
	assert_true(r.multipath);
	assert_int_equal(r.mtu, 1280);
}

static void test_gateway_of_the_other_family(void **state)
{
	ip_do("route add 192.0.2.0/24 via inet6 fe80::1 dev v0");
	struct host_route r = route(*state, "192.0.2.1", NULL, 0, 25);
	assert_addr(&r.gateway, "fe80::1");
	assert_int_equal(r.gateway.scope, r.oif);
	assert_string_equal(r.text, "192.0.2.1 via inet6 fe80::1 dev v0 table main src 10.0.0.2");
}

/* The rules look at the very packet: port, source, user. */
static void test_policy(void **state)
{
	ip_do("route add default via 10.0.0.9 table 100");
	ip_do("rule add ipproto tcp dport 25 lookup 100");
	assert_int_equal(route(*state, "198.51.100.25", NULL, 0, 25).table, 100);
	assert_int_equal(route(*state, "198.51.100.25", NULL, 0, 26).table, 254);
	ip_do("rule del ipproto tcp dport 25 lookup 100");

	ip_do("addr add 10.0.0.5/24 dev v0");
	ip_do("rule add from 10.0.0.5 lookup 100");
	assert_int_equal(route(*state, "198.51.100.25", NULL, 0, 25).table, 254);
	struct host_route r = route(*state, "198.51.100.25", "10.0.0.5", 0, 25);
	assert_string_equal(r.text, "198.51.100.25 via 10.0.0.9 dev v0 table 100 src 10.0.0.5");
	ip_do("rule del from 10.0.0.5 lookup 100");

	/* connect() looks a second time with the source of the first: so do we */
	ip_do("rule add from 10.0.0.2 lookup 100");
	assert_int_equal(route(*state, "198.51.100.25", NULL, 0, 25).table, 100);
	ip_do("rule del from 10.0.0.2 lookup 100");

	char rule[64];
	snprintf(rule, sizeof(rule), "rule add uidrange %u-%u lookup 100", geteuid(), geteuid());
	ip_do(rule);
	assert_int_equal(route(*state, "198.51.100.25", NULL, 0, 25).table, 100);
}

/* IPv6 takes a source and looks again when the first lookup fails. */
static void test_v6_source_routing(void **state)
{
	ip_do("-6 route del default");
	ip_do("-6 route add default via 2001:db8:1::9 table 100");
	ip_do("-6 rule add from 2001:db8:1::/64 lookup 100");
	struct host_route r = route(*state, "2001:db8::25", NULL, 0, 25);
	assert_int_equal(r.error, 0);
	assert_int_equal(r.table, 100);
	assert_addr(&r.prefsrc, "2001:db8:1::2");
	r = route(*state, "2001:db8::26", NULL, 0, 25); /* and once more */
	assert_int_equal(r.error, 0);
}

static void test_interface(void **state)
{
	ip_do("addr add 10.1.0.2/24 dev v1");
	int v1 = index_of(*state, "v1");
	struct host_route r = route(*state, "10.1.0.7", NULL, v1, 25);
	assert_int_equal(r.error, 0);
	assert_int_equal(r.oif, v1);
	assert_addr(&r.prefsrc, "10.1.0.2");

	struct route_query q = {.dport = 25};
	struct host_route out;
	struct err e;
	assert_true(addr_parse(&q.dst, "fe80::1"));
	q.dst.scope = (uint32_t)v1;
	assert_int_equal(host_get_route(*state, &q, &out, &e), 0);
	assert_int_equal(out.error, 0);
	assert_int_equal(out.oif, v1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_default, netns_setup, netns_teardown),
	    cmocka_unit_test_setup_teardown(test_on_link_and_local, netns_setup, netns_teardown),
	    cmocka_unit_test_setup_teardown(test_mtu_and_multipath, netns_setup, netns_teardown),
	    cmocka_unit_test_setup_teardown(test_gateway_of_the_other_family, netns_setup,
					    netns_teardown),
	    cmocka_unit_test_setup_teardown(test_policy, netns_setup, netns_teardown),
	    cmocka_unit_test_setup_teardown(test_v6_source_routing, netns_setup, netns_teardown),
	    cmocka_unit_test_setup_teardown(test_interface, netns_setup, netns_teardown),
	};

	return netns_main(tests, sizeof(tests) / sizeof(tests[0]));
}
