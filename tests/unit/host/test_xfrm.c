/* SPDX-License-Identifier: GPL-3.0-or-later */
/* IPsec policies. */
#include "calls.h"

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

#define TEST(name) cmocka_unit_test_setup_teardown(name, netns_setup, netns_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_xfrm_out),
		TEST(test_xfrm_sub_policy),
		TEST(test_xfrm_exempt),
		TEST(test_xfrm_encryption),
		TEST(test_xfrm_in),
		TEST(test_xfrm_default),
	};

	return netns_main(tests, sizeof(tests) / sizeof(tests[0]));
}
