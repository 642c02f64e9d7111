/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lookups that fail: the route or rule to blame, as `ip route` and `ip rule` print it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "netns.h"

static struct host_route route_from(struct host *h, const char *dst, const char *src, int oif,
				    uint16_t dport)
{
	struct route_query q = {.oif = oif, .dport = dport, .sport = 40000};
	struct host_route out;
	struct err e = {.text = ""};

	assert_true(addr_parse(&q.dst, dst));
	if (src)
		assert_true(addr_parse(&q.src, src));
	if (host_get_route(h, &q, &out, &e) != 0)
		fail_msg("%s", e.text);
	return out;
}

static struct host_route route(struct host *h, const char *dst, uint16_t dport)
{
	return route_from(h, dst, NULL, 0, dport);
}

static void assert_route(const struct host_route *r, int error, const char *type, const char *table,
			 const char *shown_by)
{
	assert_int_equal(r->error, error);
	assert_string_equal(r->text, strerror(error));
	assert_int_equal(r->stop, ROUTE_STOP_ROUTE);
	assert_string_equal(r->stop_type, type);
	assert_string_equal(r->stop_table, table);
	assert_true(strncmp(r->stop_text, type, strlen(type)) == 0);
	if (!ip_shows(shown_by, r->stop_text, 0))
		fail_msg("`ip %s` does not show \"%s\"", shown_by, r->stop_text);
}

static void assert_rule(const struct host_route *r, int error, const char *type, uint32_t priority,
			const char *shown_by)
{
	assert_int_equal(r->error, error);
	assert_int_equal(r->stop, ROUTE_STOP_RULE);
	assert_string_equal(r->stop_type, type);
	assert_int_equal(r->stop_priority, priority);
	if (!ip_shows(shown_by, r->stop_text, ':'))
		fail_msg("`ip %s` does not show \"%s\"", shown_by, r->stop_text);
}

static void test_routes_v4(void **state)
{
	struct host_route r;

	ip_do("route add prohibit 198.51.100.25 metric 1024");
	ip_do("route add blackhole 198.51.100.128/25 proto static");
	ip_do("route add unreachable 203.0.113.0/24 mtu 1400");
	r = route(*state, "198.51.100.25", 25);
	assert_route(&r, EACCES, "prohibit", "main", "route show");
	assert_string_equal(r.stop_text, "prohibit 198.51.100.25 metric 1024");
	assert_true(ip_shows("route show", r.would_text, 0)); /* what would be taken instead */
	assert_true(strncmp(r.would_text, "default", 7) == 0);
	r = route(*state, "198.51.100.200", 25);
	assert_route(&r, EINVAL, "blackhole", "main", "route show");
	r = route(*state, "203.0.113.9", 25);
	assert_route(&r, EHOSTUNREACH, "unreachable", "main", "route show");
	assert_int_equal(route(*state, "198.51.100.26", 25).error, 0);
}

static void test_routes_v6(void **state)
{
	struct host_route r;

	ip_do("-6 route add prohibit 2001:db8::25");
	ip_do("-6 route add blackhole 2001:db8:2::/48 proto static metric 7");
	ip_do("-6 route add unreachable 2001:db8:3::/48");
	r = route(*state, "2001:db8::25", 25);
	assert_route(&r, EACCES, "prohibit", "main", "-6 route show");
	r = route(*state, "2001:db8:2::25", 25);
	assert_route(&r, EINVAL, "blackhole", "main", "-6 route show");
	r = route(*state, "2001:db8:3::25", 25);
	assert_route(&r, EHOSTUNREACH, "unreachable", "main", "-6 route show");
}

/* The longest prefix, the lowest metric, the first table; throw leaves a table; tos is not ours. */
static void test_which_route(void **state)
{
	struct host_route r;

	ip_do("route add prohibit 198.51.100.0/24");
	ip_do("route add prohibit 198.51.0.0/16");
	ip_do("route add prohibit 198.51.100.0/24 metric 50");
	ip_do("route add blackhole 198.51.100.25 tos 0x10");
	r = route(*state, "198.51.100.25", 25);
	assert_route(&r, EACCES, "prohibit", "main", "route show");
	assert_string_equal(r.stop_text, "prohibit 198.51.100.0/24");

	ip_do("route add unreachable default table 100");
	ip_do("route add throw 198.51.100.0/24 table 100");
	ip_do("route add blackhole 198.51.100.0/24 table 200");
	ip_do("rule add pref 10 lookup 100");
	ip_do("rule add pref 11 lookup 200");
	r = route(*state, "198.51.100.25", 25);
	assert_route(&r, EINVAL, "blackhole", "200", "route show table 200");
	r = route(*state, "192.0.2.1", 25);
	assert_route(&r, EHOSTUNREACH, "unreachable", "100", "route show table 100");

	ip_do("-6 route add unreachable default table 100");
	ip_do("-6 route add throw 2001:db8::/32 table 100");
	ip_do("-6 route add prohibit 2001:db8::/48 table 200");
	ip_do("-6 rule add pref 10 lookup 100");
	ip_do("-6 rule add pref 11 lookup 200");
	r = route(*state, "2001:db8::25", 25);
	assert_route(&r, EACCES, "prohibit", "200", "-6 route show table 200");
	r = route(*state, "2001:db9::25", 25);
	assert_route(&r, EHOSTUNREACH, "unreachable", "100", "-6 route show table 100");
}

/* A dead next hop makes the kernel fall back to the last resort behind it. */
static void test_last_resort(void **state)
{
	struct host_route r;

	ip_do("route add unreachable default metric 4278198272");
	ip_do("-6 route add unreachable default metric 4278198272");
	assert_int_equal(route(*state, "198.51.100.25", 25).error, 0);
	ip_do("link set v0 down");
	r = route(*state, "198.51.100.25", 25);
	assert_route(&r, EHOSTUNREACH, "unreachable", "main", "route show");
	assert_string_equal(r.stop_text, "unreachable default metric 4278198272");
	r = route(*state, "2001:db8::25", 25);
	assert_route(&r, EHOSTUNREACH, "unreachable", "main", "-6 route show");
}

static void test_suppress(void **state)
{
	struct host_route r;

	/* routes that end a lookup are not suppressed */
	ip_do("route add prohibit default table 100");
	ip_do("rule add pref 10 lookup 100 suppress_prefixlength 0");
	r = route(*state, "198.51.100.25", 25);
	assert_int_equal(r.error, EACCES);
	assert_route(&r, EACCES, "prohibit", "100", "route show table 100");
	/* but others are */
	ip_do("route del prohibit default table 100");
	ip_do("route add default via 10.0.0.1 table 100");
	ip_do("rule add pref 11 blackhole");
	r = route(*state, "198.51.100.25", 25);
	assert_rule(&r, EINVAL, "blackhole", 11, "rule show");

	ip_do("-6 route add prohibit default table 100");
	ip_do("-6 rule add pref 10 lookup 100 suppress_prefixlength 0");
	r = route(*state, "2001:db8::25", 25);
	assert_route(&r, EACCES, "prohibit", "100", "-6 route show table 100");
}

static void test_no_route(void **state)
{
	struct host_route r;

	ip_do("route del default");
	ip_do("-6 route del default");
	r = route(*state, "198.51.100.25", 25);
	assert_int_equal(r.error, ENETUNREACH);
	assert_int_equal(r.stop, ROUTE_STOP_NO_ROUTE);
	assert_string_equal(r.stop_type, "none");
	assert_string_equal(r.stop_table, "main");
	assert_string_equal(r.stop_text, "no route to 198.51.100.25");
	r = route(*state, "2001:db8::25", 25);
	assert_int_equal(r.error, ENETUNREACH);
	assert_int_equal(r.stop, ROUTE_STOP_NO_ROUTE);
}

static void test_nothing_found(void **state)
{
	/* a source that is not ours is refused too: no list names a culprit */
	struct host_route r = route_from(*state, "198.51.100.25", "10.9.9.9", 0, 25);

	assert_true(r.error == ENETUNREACH || r.error == EINVAL); /* by kernel version */
	assert_int_equal(r.stop, ROUTE_STOP_OTHER);
	assert_string_equal(r.stop_text, "");
}

/* In a user namespace with one user in it, no range of others can be named. */
static bool add_rule(const char *words)
{
	if (strstr(words, "uidrange") && ip_run(words, NULL, 0) != 0) {
		print_message("refused here: ip %s\n", words);
		return false;
	}
	if (!strstr(words, "uidrange"))
		ip_do(words);
	return true;
}

/* Each action, and each selector alone: it stops our packet, and only that. */
static void test_rules(void **state)
{
	static const struct {
		const char *rule, *type;
		int error;
	} stops[] = {
	    {"dport 25 prohibit", "prohibit", EACCES},
	    {"dport 25 blackhole", "blackhole", EINVAL},
	    {"dport 25 unreachable", "unreachable", ENETUNREACH},
	    {"dport 20-30 prohibit", "prohibit", EACCES},
	    {"ipproto tcp dport 25 prohibit", "prohibit", EACCES},
	    {"sport 40000 dport 25 prohibit", "prohibit", EACCES},
	    {"sport 39999-40001 dport 25 prohibit", "prohibit", EACCES},
	    {"iif lo dport 25 prohibit", "prohibit", EACCES},
	    {"uidrange 0-4294967294 dport 25 prohibit", "prohibit", EACCES},
	    {"fwmark 0/0xff dport 25 prohibit", "prohibit", EACCES},
	    {"not dport 26 prohibit", "prohibit", EACCES},
	    {"not fwmark 5 dport 25 prohibit", "prohibit", EACCES},
	    {"dport 25 prohibit proto static", "prohibit", EACCES},
	};
	static const char *const passes[] = {
	    "dport 26 prohibit",
	    "dport 26-30 prohibit",
	    "ipproto udp dport 25 prohibit",
	    "sport 40001 prohibit",
	    "iif v0 prohibit",
	    "iif nosuch prohibit",
	    "oif v0 dport 25 prohibit", /* our socket is bound to none */
	    "uidrange 4000000000-4000000001 prohibit",
	    "fwmark 0x1 prohibit",
	    "fwmark 0x10/0xf0 prohibit",
	    "tos 0x10 prohibit",
	    "not dport 25 prohibit",
	    "nop",
	    "dport 26 goto 32766",
	};
	static const char *const families[] = {"", "-6 "};
	static const char *const targets[] = {"198.51.100.25", "2001:db8::25"};
	char words[160], show[32];

	for (size_t f = 0; f < 2; f++) {
		snprintf(show, sizeof(show), "%srule show", families[f]);
		/* those that pass stay, before all others */
		for (size_t i = 0; i < sizeof(passes) / sizeof(passes[0]); i++) {
			snprintf(words, sizeof(words), "%srule add pref %zu %s", families[f],
				 10 + i, passes[i]);
			add_rule(words);
		}
		assert_int_equal(route(*state, targets[f], 25).error, 0);
		for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++) {
			snprintf(words, sizeof(words), "%srule add pref 100 %s", families[f],
				 stops[i].rule);
			if (!add_rule(words))
				continue;
			struct host_route r = route(*state, targets[f], 25);
			assert_rule(&r, stops[i].error, stops[i].type, 100, show);
			assert_true(strncmp(r.would_text, "default", 7) == 0);
			snprintf(words, sizeof(words), "%srule del pref 100", families[f]);
			ip_do(words);
		}
	}
}

static void test_rules_on_addresses(void **state)
{
	struct host_route r;

	ip_do("rule add pref 10 to 198.51.100.0/24 dport 25 prohibit");
	r = route(*state, "198.51.100.25", 25);
	assert_rule(&r, EACCES, "prohibit", 10, "rule show");
	assert_string_equal(r.stop_text, "from all to 198.51.100.0/24 dport 25 prohibit");
	assert_int_equal(route(*state, "198.51.101.25", 25).error, 0);

	/* matches only once the source is known: connect()'s second lookup */
	ip_do("rule add pref 11 from 10.0.0.2 to 192.0.2.1 blackhole");
	r = route(*state, "192.0.2.1", 25);
	assert_rule(&r, EINVAL, "blackhole", 11, "rule show");

	ip_do("-6 rule add pref 10 from 2001:db8:1::/64 to 2001:db8::25 prohibit");
	r = route_from(*state, "2001:db8::25", "2001:db8:1::2", 0, 25);
	assert_rule(&r, EACCES, "prohibit", 10, "-6 rule show");
}

static void test_oif_and_vrf(void **state)
{
	struct host_link v0;
	struct host_route r;
	struct err e;

	assert_int_equal(host_get_link(*state, 0, "v0", &v0, &e), 0);
	ip_do("-6 rule add pref 10 l3mdev"); /* as any VRF leaves it behind; v0 is in none */
	ip_do("-6 rule add pref 11 oif v0 dport 25 prohibit");
	r = route_from(*state, "2001:db8::25", NULL, v0.ifindex, 25);
	assert_rule(&r, EACCES, "prohibit", 11, "-6 rule show");
	assert_int_equal(route(*state, "2001:db8::25", 25).error, 0);

	/* IPv4 bound to an interface never fails for want of a route: it takes the destination as
	 * on the link, whatever rules and tables say */
	ip_do("rule add pref 11 oif v0 dport 25 prohibit");
	r = route_from(*state, "198.51.100.25", NULL, v0.ifindex, 25);
	assert_int_equal(r.error, 0);
	assert_int_equal(r.table, 0);
	assert_false(addr_is_set(&r.gateway));
	assert_string_equal(r.text, "198.51.100.25 dev v0 src 10.0.0.2");
}

static void test_goto(void **state)
{
	struct host_route r;

	ip_do("rule add pref 10 dport 25 goto 30");
	ip_do("rule add pref 20 prohibit");
	ip_do("rule add pref 30 blackhole");
	ip_do("rule add pref 40 unreachable");
	r = route(*state, "198.51.100.25", 25);
	assert_rule(&r, EINVAL, "blackhole", 30, "rule show");
	r = route(*state, "198.51.100.25", 26);
	assert_rule(&r, EACCES, "prohibit", 20, "rule show");
	ip_do("rule del pref 30"); /* unresolved: passed over */
	r = route(*state, "198.51.100.25", 25);
	assert_rule(&r, EACCES, "prohibit", 20, "rule show");
}

/* Every word that `ip rule` can print, by rules that stop. */
static void test_rule_words(void **state)
{
	static const char *const rules[] = {
	    ("from 10.0.0.0/8 to 198.51.100.25 fwmark 0x0/0xff iif lo ipproto tcp sport 1-65534 "
	     "dport 25 uidrange 0-4294967294 prohibit proto static"),
	    "not from 192.0.2.0/24 to 192.0.2.1 tos 0x10 fwmark 0x7 oif v0 ipproto gre prohibit",
	    "not iif nosuch ipproto 253 prohibit",
	    "not oif nosuch tun_id 5 prohibit",
	    "realms 4/5 prohibit",
	    "realms 5 prohibit proto dhcp",
	};
	char words[256];

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		snprintf(words, sizeof(words), "rule add pref 10 %s", rules[i]);
		if (ip_run(words, NULL, 0) != 0) {
			print_message("not known to this ip or kernel: %s\n", rules[i]);
			continue;
		}
		struct host_route r = route_from(*state, "198.51.100.25", "10.0.0.2", 0, 25);
		assert_rule(&r, EACCES, "prohibit", 10, "rule show");
		ip_do("rule del pref 10");
	}
}

/* Tables are named by number where no file names them; many routes cost little. */
static void test_large_table(void **state)
{
	const int n = 20000;
	char path[] = "/tmp/smtpblame-test-XXXXXX", words[64];
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	FILE *f = fdopen(fd, "w");
	assert_non_null(f);
	for (int i = 0; i < n; i++)
		fprintf(f, "route add 20.%d.%d.%d/32 via 10.0.0.1 table 100\n", i >> 16 & 255,
			i >> 8 & 255, i & 255);
	fprintf(f, "route add prohibit 198.51.100.25 table 100\n");
	fclose(f);
	snprintf(words, sizeof(words), "-batch %s", path);
	ip_do(words);
	unlink(path);
	ip_do("rule add pref 10 lookup 100");
	struct host_route r = route(*state, "198.51.100.25", 25);
	assert_int_equal(r.stop, ROUTE_STOP_ROUTE);
	assert_string_equal(r.stop_table, "100");
	assert_string_equal(r.stop_text, "prohibit 198.51.100.25");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, netns_setup, netns_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_routes_v4),     TEST(test_routes_v6), TEST(test_which_route),
	    TEST(test_last_resort),   TEST(test_suppress),  TEST(test_no_route),
	    TEST(test_nothing_found), TEST(test_rules),     TEST(test_rules_on_addresses),
	    TEST(test_oif_and_vrf),   TEST(test_goto),      TEST(test_rule_words),
	    TEST(test_large_table),
	};

	return netns_main(tests, sizeof(tests) / sizeof(tests[0]));
}
