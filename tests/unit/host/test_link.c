/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Links, neighbours, addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/neighbour.h>

#include "netns.h"

static struct host_link link_by_name(struct host *h, const char *name)
{
	struct host_link l;
	struct err e = {.text = ""};

	if (host_get_link(h, 0, name, &l, &e) != 0)
		fail_msg("%s", e.text);
	return l;
}

static void test_link(void **state)
{
	struct host_link l = link_by_name(*state, "v0"), again;
	struct err e;

	assert_string_equal(l.name, "v0");
	assert_string_equal(l.kind, "veth");
	assert_int_equal(l.arphrd, 1);
	assert_int_equal(l.mtu, 1500);
	assert_true(l.up && l.carrier && l.needs_neighbour);
	assert_false(l.loopback || l.tunnel);
	assert_int_equal(l.mac_len, 6);
	assert_memory_equal(l.mac, "\x02\0\0\0\0\x02", 6);
	assert_int_equal(host_get_link(*state, l.ifindex, NULL, &again, &e), 0);
	assert_memory_equal(&l, &again, sizeof(l));

	ip_do("link set v1 down");
	l = link_by_name(*state, "v0");
	assert_true(l.up);
	assert_false(l.carrier);
	ip_do("link set v0 down mtu 1400");
	l = link_by_name(*state, "v0");
	assert_false(l.up);
	assert_int_equal(l.mtu, 1400);
	ip_do("link set v0 arp off");
	assert_false(link_by_name(*state, "v0").needs_neighbour);

	l = link_by_name(*state, "lo");
	assert_string_equal(l.kind, "loopback");
	assert_true(l.loopback);
	assert_false(l.needs_neighbour || l.tunnel);
	assert_int_equal(l.ifindex, 1);
}

static void test_no_such_link(void **state)
{
	static const char *const names[] = {"nosuch", "", "a-name-of-more-than-fifteen-bytes"};
	struct host_link l;
	struct err e;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(host_get_link(*state, 0, names[i], &l, &e), -1);
		assert_int_equal(e.status, ERR_USAGE);
		assert_non_null(strstr(e.text, "no such interface"));
	}
	for (int i = -1; i <= 9999; i += 10000 / 2)
		if (i <= 0 || i > 100)
			assert_int_equal(host_get_link(*state, i, NULL, &l, &e), -1);
	char name[500];
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(host_get_link(*state, 0, name, &l, &e), -1);
}

static void test_other_name(void **state)
{
	if (ip_run("link property add dev v0 altname uplink-to-the-provider", NULL, 0) != 0)
		skip();
	assert_string_equal(link_by_name(*state, "uplink-to-the-provider").name, "v0");
}

/* Those that this kernel can make. */
static void test_kinds(void **state)
{
	static const struct {
		const char *add, *kind;
		bool tunnel, needs_neighbour;
	} links[] = {
	    {"link add k0 type wireguard", "wireguard", true, false},
	    {"link add k0 type ipip local 10.0.0.2 remote 10.0.0.9", "ipip", true, false},
	    {"link add k0 type sit local 10.0.0.2 remote 10.0.0.9", "sit", true, false},
	    {"link add k0 type gre local 10.0.0.2 remote 10.0.0.9", "gre", true, false},
	    {"link add k0 type gretap local 10.0.0.2 remote 10.0.0.9", "gretap", true, true},
	    {"link add k0 type ip6tnl local 2001:db8:1::2 remote 2001:db8:1::9", "ip6tnl", true,
	     false},
	    {"link add k0 type vti local 10.0.0.2 remote 10.0.0.9 key 1", "vti", true, false},
	    {"link add k0 type vxlan id 1 dstport 4789 dev v0", "vxlan", true, true},
	    {"link add k0 type geneve id 1 remote 10.0.0.9", "geneve", true, true},
	    {"link add k0 type bridge", "bridge", false, true},
	    {"link add k0 link v0 type vlan id 5", "vlan", false, true},
	    {"link add k0 link v0 type macvlan", "macvlan", false, true},
	    {"tuntap add dev k0 mode tun", "tun", true, false},
	    {"tuntap add dev k0 mode tap", "tap", false, true},
	};
	size_t made = 0;

	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		if (ip_run(links[i].add, NULL, 0) != 0) {
			print_message("not here: %s\n", links[i].kind);
			continue;
		}
		struct host_link l = link_by_name(*state, "k0");
		assert_string_equal(l.kind, links[i].kind);
		assert_int_equal(l.tunnel, links[i].tunnel);
		assert_int_equal(l.needs_neighbour, links[i].needs_neighbour);
		ip_do("link del k0");
		made++;
	}
	print_message("%zu kinds tried\n", made);
}

static struct host_neighbour neighbour(struct host *h, int ifindex, const char *address)
{
	struct host_neighbour n;
	struct err e = {.text = ""};
	struct addr a;

	assert_true(addr_parse(&a, address));
	if (host_get_neighbour(h, ifindex, &a, &n, &e) != 0)
		fail_msg("%s", e.text);
	return n;
}

static void test_neighbour(void **state)
{
	struct host_link v0 = link_by_name(*state, "v0");
	struct host_neighbour n;

	ip_do("neigh add 10.0.0.1 lladdr 02:00:00:00:00:01 dev v0 nud permanent");
	ip_do("neigh add 10.0.0.1 lladdr 02:00:00:00:00:09 dev v1 nud permanent");
	ip_do("neigh add 2001:db8:1::1 lladdr 02:00:00:00:00:06 dev v0 nud reachable");
	ip_do("neigh add 10.0.0.3 dev v0 nud failed");
	n = neighbour(*state, v0.ifindex, "10.0.0.1");
	assert_true(n.exists);
	assert_int_equal(n.state, NUD_PERMANENT);
	assert_int_equal(n.mac_len, 6);
	assert_memory_equal(n.mac, "\x02\0\0\0\0\x01", 6);
	assert_true(neighbour_is_usable(&n));
	n = neighbour(*state, v0.ifindex, "2001:db8:1::1");
	assert_true(n.exists);
	assert_string_equal(neighbour_state_name(&n), "reachable");
	n = neighbour(*state, v0.ifindex, "10.0.0.3");
	assert_true(n.exists);
	assert_string_equal(neighbour_state_name(&n), "failed");
	assert_false(neighbour_is_usable(&n));
	n = neighbour(*state, v0.ifindex, "10.0.0.4");
	assert_false(n.exists);
	assert_string_equal(neighbour_state_name(&n), "none");
	n = neighbour(*state, 9999, "10.0.0.1");
	assert_false(n.exists);
}

static bool has(struct host *h, const char *address)
{
	struct err e = {.text = ""};
	struct addr a;
	bool yes;

	assert_true(addr_parse(&a, address));
	if (host_has_address(h, &a, &yes, NULL, &e) != 0)
		fail_msg("%s", e.text);
	return yes;
}

static void test_addresses(void **state)
{
	ip_do("addr add 10.7.0.1 peer 10.7.0.2 dev v1");
	assert_true(has(*state, "10.0.0.2"));
	assert_false(has(*state, "10.0.0.1"));
	assert_false(has(*state, "10.0.0.255"));
	assert_true(has(*state, "10.7.0.1"));
	assert_false(has(*state, "10.7.0.2"));
	assert_true(has(*state, "127.9.9.9"));
	assert_true(has(*state, "::1"));
	assert_true(has(*state, "2001:db8:1::2"));
	assert_false(has(*state, "2001:db8:1::3"));
	assert_true(has(*state, "fe80::ff:fe00:2"));
}

/* The socket stays in the namespace in which it was opened. */
static void test_stays_in_its_namespace(void **state)
{
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_true(has(*state, "10.0.0.2"));
	assert_string_equal(link_by_name(*state, "v0").name, "v0");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, netns_setup, netns_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_link),
	    TEST(test_no_such_link),
	    TEST(test_other_name),
	    TEST(test_kinds),
	    TEST(test_neighbour),
	    TEST(test_addresses),
	    TEST(test_stays_in_its_namespace),
	};

	return netns_main(tests, sizeof(tests) / sizeof(tests[0]));
}
