/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What follows from reports side by side: the table of rules, small cases, and networks drawn by lot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "diag/compare.h"
#include "diag/compare_rules.h"
#include "diag/compare_words.h"

#define TARGET "198.51.100.25"
#define NOON   (1000000 * NS_PER_S)

static struct addr address(const char *text)
{
	struct addr a = {0};

	if (text)
		assert_true(addr_parse(&a, text));
	return a;
}

/* ---- reports by hand ---- */

#define MAX_VIEWS 8

struct bench {
	struct view views[MAX_VIEWS];
	const struct view *list[MAX_VIEWS];
	struct view_hop hops[MAX_VIEWS][16];
	struct view_port ports[MAX_VIEWS][2];
	struct view_stop stops[MAX_VIEWS][2];
	unsigned n;
	bool ways;
	struct comparison *c;
};

/* path: addresses by TTL, "*" silent; a place's letter stands before each: g i t n d. */
static struct view *add_view(struct bench *b, const char *label, const char *source, const char *const *path)
{
	static const char letters[] = {[PLACE_HOST] = 'h', [PLACE_GATEWAY] = 'g', [PLACE_ISP] = 'i',
				       [PLACE_TRANSIT] = 't', [PLACE_DESTINATION_NETWORK] = 'n',
				       [PLACE_DESTINATION] = 'd'};
	struct view *v = &b->views[b->n];

	*v = (struct view){.from = "", .label = "", .hostname = label, .interface = b->ways ? label : "eth0",
			   .input = TARGET, .target = address(TARGET), .source = address(source),
			   .started_ns = NOON, .ports = b->ports[b->n], .path = b->hops[b->n]};
	for (unsigned i = 0; path && path[i]; i++) {
		struct view_hop *h = &b->hops[b->n][v->n_path++];
		*h = (struct view_hop){.ttl = i + 1, .address = address(path[i][1] == '*' ? NULL : path[i] + 1)};
		for (unsigned p = 0; p < sizeof(letters); p++)
			if (letters[p] == path[i][0])
				h->place = (enum place)p;
	}
	if (v->n_path && v->path[0].place == PLACE_GATEWAY)
		v->gateway = v->path[0].address;
	b->list[b->n] = v;
	b->n++;
	return v;
}

static void judged(struct bench *b, struct view *v, enum state state)
{
	unsigned i = (unsigned)(v - b->views);

	b->ports[i][0] = (struct view_port){25, state, b->stops[i], 0};
	v->n_ports = 1;
}

/* Stopped in the range of TTLs, at `place` and perhaps at `other`. */
static void stopped(struct bench *b, struct view *v, enum place place, double confidence, enum place other,
		    double rest, unsigned from, unsigned to)
{
	unsigned i = (unsigned)(v - b->views);
	struct view_stop *s = &b->stops[i][b->ports[i][0].n_stops];

	if (!v->n_ports)
		judged(b, v, STATE_BLOCKED);
	*s = (struct view_stop){.mechanism = MECH_SILENT_DROP, .place = place, .confidence = confidence,
				.candidates = {{place, confidence}, {other, rest}},
				.n_candidates = place == PLACE_UNKNOWN ? 0 : rest > 0 ? 2 : 1,
				.has_hop = place != PLACE_UNKNOWN, .who = "a rule"};
	s->hop_from = (struct hop_end){from, from && from <= v->n_path ? v->path[from - 1].address : v->source};
	s->hop_to = (struct hop_end){to, to && to <= v->n_path ? v->path[to - 1].address : v->source};
	b->ports[i][0].n_stops++;
}

static const struct compared_port *compared(struct bench *b)
{
	comparison_free(b->c);
	b->c = compare(b->list, b->n, b->ways, "1");
	assert_int_equal(b->c->n_ports, 1);
	return &b->c->ports[0];
}

static const struct conclusion *conclusion(const struct compared_port *p, const char *rule)
{
	for (unsigned i = 0; i < p->n_conclusions; i++)
		if (strcmp(p->conclusions[i].rule, rule) == 0)
			return &p->conclusions[i];
	for (unsigned i = 0; i < p->n_conclusions; i++)
		print_message("  has %s: %s\n", p->conclusions[i].rule, p->conclusions[i].summary);
	fail_msg("no conclusion by %s", rule);
	return NULL;
}

static bool suspects(const struct conclusion *c, const char *text)
{
	struct addr a = address(text);

	for (unsigned i = 0; i < c->n_suspects; i++)
		if (addr_equal(&c->suspects[i].address, &a))
			return true;
	return false;
}

static void finish(struct bench *b)
{
	comparison_free(b->c);
	b->c = NULL;
}

/* The ways of the lab: two clients behind one provider, one behind another. */
static const char *const way_a[] = {"g10.0.0.1", "i100.64.0.1", "i203.0.113.2", "t203.0.113.6", "n203.0.113.10",
				    "d" TARGET, NULL};
static const char *const way_b[] = {"g10.5.0.1", "i100.64.0.1", "i203.0.113.2", "t203.0.113.6", "n203.0.113.10",
				    "d" TARGET, NULL};
static const char *const way_c[] = {"g10.9.0.1", "i203.0.113.34", "t203.0.113.38", "n203.0.113.10", "d" TARGET, NULL};
static const char *const way_d[] = {"g10.7.0.1", "i192.0.2.1", "i192.0.2.5", "t192.0.2.9", "n203.0.113.10",
				    "d" TARGET, NULL};

static void test_same_gateway_one_blocked(void **state)
{
	struct bench b = {0};
	struct view *v = add_view(&b, "desk", "10.0.0.3", way_a), *w = add_view(&b, "mail", "10.0.0.2", way_a);

	(void)state;
	stopped(&b, v, PLACE_GATEWAY, 0.6, PLACE_ISP, 0.35, 1, 2);
	judged(&b, w, STATE_OPEN);
	const struct conclusion *c = conclusion(compared(&b), "decided-by-source");
	assert_int_equal(c->place, PLACE_UNKNOWN);
	assert_true(c->confidence < 0);
	assert_int_equal(c->n_cleared, 2);
	assert_non_null(strstr(c->summary, "decides by source"));
	assert_non_null(strstr(c->summary, "10.0.0.1"));
	assert_non_null(strstr(b.c->notes[0], "taken for one and the same"));
	/* seen outside under one address, nobody but the gateway can tell them apart */
	v->seen_as = w->seen_as = address("100.64.0.2");
	c = conclusion(compared(&b), "gateway-by-client");
	assert_int_equal(c->place, PLACE_GATEWAY);
	assert_true(c->confidence < 0.9);
	assert_non_null(strstr(c->next[0], "10.0.0.3"));
	/* unless a day lies between them: that clears nothing for good */
	v->started_ns += 86400 * NS_PER_S;
	c = conclusion(compared(&b), "stopped-here-open-there");
	assert_int_equal(c->n_cleared, 0);
	assert_non_null(strstr(b.c->notes[0], "24 hours"));
	finish(&b);
}

/* Every other home has the gateway 192.168.1.1. */
static void test_private_addresses_prove_nothing(void **state)
{
	static const char *const home[] = {"g192.168.1.1", "i100.64.0.1", "i203.0.113.2", "t203.0.113.6", "d" TARGET, NULL};
	static const char *const farm[] = {"g192.168.1.1", "i100.64.0.1", "i203.0.113.77", "t203.0.113.6", "d" TARGET, NULL};
	struct bench b = {0};
	struct view *v = add_view(&b, "pi", "192.168.1.10", home), *w = add_view(&b, "pi", "192.168.1.10", farm);

	(void)state;
	v->seen_as = address("203.0.113.200");
	w->seen_as = address("203.0.113.201");
	stopped(&b, v, PLACE_GATEWAY, 0.9, PLACE_UNKNOWN, 0, 1, 1);
	judged(&b, w, STATE_OPEN);
	/* neither the same machine, nor behind the same gateway */
	const struct conclusion *c = conclusion(compared(&b), "stopped-here-open-there");
	assert_int_equal(c->n_cleared, 0);
	assert_int_equal(c->place, PLACE_GATEWAY);
	assert_true(c->confidence > 0.85);
	/* both stopped: there are two of them */
	judged(&b, w, STATE_BLOCKED);
	stopped(&b, w, PLACE_GATEWAY, 0.9, PLACE_UNKNOWN, 0, 1, 1);
	assert_int_equal(compared(&b)->n_conclusions, 2);
	/* not known to be seen under different addresses: still nothing that proves them one */
	v->seen_as = w->seen_as = (struct addr){0};
	w->source = address("192.168.1.11");
	b.ports[1][0].n_stops = 0;
	judged(&b, w, STATE_OPEN);
	c = conclusion(compared(&b), "stopped-here-open-there");
	assert_int_equal(c->n_cleared, 0);
	finish(&b);
}

/* Address translation hides who it is from the provider, but the port got past the gateway here. */
static void test_past_the_translation(void **state)
{
	struct bench b = {0};
	struct view *v = add_view(&b, "desk", "10.0.0.3", way_a), *w = add_view(&b, "mail", "10.0.0.2", way_a);

	(void)state;
	v->seen_as = w->seen_as = address("100.64.0.2");
	stopped(&b, v, PLACE_ISP, 0.9, PLACE_UNKNOWN, 0, 2, 3);
	judged(&b, w, STATE_OPEN);
	assert_int_equal(conclusion(compared(&b), "decided-by-source")->place, PLACE_UNKNOWN);
	finish(&b);
}

static void test_gateway_cleared(void **state)
{
	static const char *const behind[] = {"g10.0.0.1", "i100.64.0.9", "t203.0.113.6", "n203.0.113.10", "d" TARGET, NULL};
	struct bench b = {0};
	struct view *v = add_view(&b, "one", "10.0.0.3", way_a), *w = add_view(&b, "two", "10.0.0.2", behind);

	(void)state;
	/* two providers behind one gateway: it lets port 25 pass, but by another link: not taken out */
	stopped(&b, v, PLACE_ISP, 0.6, PLACE_GATEWAY, 0.3, 1, 2);
	judged(&b, w, STATE_OPEN);
	const struct conclusion *c = conclusion(compared(&b), "stopped-here-open-there");
	assert_true(suspects(c, "10.0.0.1") && suspects(c, "100.64.0.1"));
	assert_int_equal(c->place, PLACE_ISP);
	assert_true(c->confidence > 0.6 && c->confidence < 0.9);
	finish(&b);
}

static void test_shared_provider(void **state)
{
	struct bench b = {0};
	struct view *v = add_view(&b, "a", "10.0.0.2", way_a), *w = add_view(&b, "b", "10.5.0.2", way_b),
		    *x = add_view(&b, "c", "10.9.0.2", way_c);

	(void)state;
	stopped(&b, v, PLACE_ISP, 0.55, PLACE_GATEWAY, 0.4, 1, 2);
	stopped(&b, w, PLACE_ISP, 0.55, PLACE_GATEWAY, 0.4, 1, 2);
	judged(&b, x, STATE_OPEN);
	const struct conclusion *c = conclusion(compared(&b), "shared-by-these");
	assert_int_equal(c->n_views, 2);
	assert_int_equal(c->place, PLACE_ISP);
	/* both gateways stand before the same router, so they might be one device with two addresses */
	assert_true(suspects(c, "100.64.0.1") && suspects(c, "10.0.0.1"));
	/* but hardly when the two are seen outside under addresses of their own */
	v->seen_as = address("192.0.2.70");
	w->seen_as = address("192.0.2.71");
	c = conclusion(compared(&b), "shared-by-these");
	assert_int_equal(c->n_suspects, 1);
	assert_true(suspects(c, "100.64.0.1"));
	assert_true(c->confidence > 0.55); /* surer than each alone */
	assert_non_null(strstr(c->summary, "if one device"));
	assert_int_equal(b.c->ports[0].agreement, AGREE_DIFFERS);
	finish(&b);
}

static void test_destination_side(void **state)
{
	struct bench b = {0};
	struct view *v = add_view(&b, "a", "10.0.0.2", way_a), *w = add_view(&b, "c", "10.9.0.2", way_c),
		    *x = add_view(&b, "d", "10.7.0.2", way_d), *y = add_view(&b, "e", "10.5.0.2", way_b);

	(void)state;
	stopped(&b, v, PLACE_DESTINATION, 0.65, PLACE_DESTINATION_NETWORK, 0.3, 5, 6);
	stopped(&b, w, PLACE_DESTINATION, 0.65, PLACE_DESTINATION_NETWORK, 0.3, 4, 5);
	stopped(&b, x, PLACE_DESTINATION, 0.65, PLACE_DESTINATION_NETWORK, 0.3, 5, 6);
	judged(&b, y, STATE_INCONCLUSIVE);
	const struct compared_port *p = compared(&b);
	const struct conclusion *c = conclusion(p, "destination-side");
	assert_int_equal(c->n_views, 3);
	assert_int_equal(c->place, PLACE_DESTINATION);
	assert_true(suspects(c, "203.0.113.10") && suspects(c, TARGET));
	assert_int_equal(c->n_suspects, 2);
	/* the undecided one contradicts nothing */
	c = conclusion(p, "undecided");
	assert_non_null(strstr(c->summary, "from e"));
	assert_int_equal(p->agreement, AGREE_SAME);
	finish(&b);
}

static void test_wide_ranges_are_not_one(void **state)
{
	struct bench b = {0};
	struct view *v = add_view(&b, "a", "10.0.0.2", way_a), *w = add_view(&b, "d", "10.7.0.2", way_d);

	(void)state;
	/* each may be its own provider: that they share the far end proves nothing */
	stopped(&b, v, PLACE_ISP, 0.4, PLACE_DESTINATION, 0.3, 1, 6);
	stopped(&b, w, PLACE_ISP, 0.4, PLACE_DESTINATION, 0.3, 1, 6);
	const struct compared_port *p = compared(&b);
	const struct conclusion *c = conclusion(p, "one-or-several");
	assert_int_equal(p->n_conclusions, 2);
	assert_int_equal(c->n_suspects, 6);
	finish(&b);
}

static void test_separate(void **state)
{
	struct bench b = {0};
	struct view *v = add_view(&b, "a", "10.0.0.2", way_a), *w = add_view(&b, "d", "10.7.0.2", way_d);

	(void)state;
	stopped(&b, v, PLACE_ISP, 0.95, PLACE_UNKNOWN, 0, 2, 3);
	stopped(&b, w, PLACE_ISP, 0.95, PLACE_UNKNOWN, 0, 2, 2);
	const struct compared_port *p = compared(&b);
	assert_int_equal(p->n_conclusions, 2);
	assert_string_equal(p->conclusions[0].rule, "place-of-its-own");
	assert_string_equal(p->conclusions[1].rule, "place-of-its-own");
	assert_int_equal(p->conclusions[1].place, PLACE_ISP);
	finish(&b);
}

static void test_narrowed_by_the_open_one(void **state)
{
	/* another address of the same provider: shares two of the three hops, in and out by the same links */
	static const char *const stub[] = {"g10.0.0.1", "i100.64.0.1", "i203.0.113.2", "t203.0.113.50", "n203.0.113.10",
					   "d" TARGET, NULL};
	struct bench b = {0};
	struct view *v = add_view(&b, "a", "10.0.0.2", way_a), *w = add_view(&b, "b", "10.0.0.4", stub);

	(void)state;
	stopped(&b, v, PLACE_ISP, 0.6, PLACE_TRANSIT, 0.3, 2, 4);
	judged(&b, w, STATE_OPEN);
	const struct conclusion *c = conclusion(compared(&b), "not-where-others-pass");
	assert_false(suspects(c, "100.64.0.1"));   /* passed by the other one */
	assert_true(suspects(c, "203.0.113.2"));   /* it leaves by another link there */
	assert_true(suspects(c, "203.0.113.6"));
	assert_int_equal(c->n_cleared, 1);
	finish(&b);
}

static void test_ways(void **state)
{
	struct bench b = {.ways = true};
	struct view *v = add_view(&b, "eth0", "10.0.0.2", way_a), *w = add_view(&b, "wg0", "10.9.0.2", way_c);

	(void)state;
	stopped(&b, v, PLACE_ISP, 0.6, PLACE_TRANSIT, 0.35, 3, 4);
	judged(&b, w, STATE_OPEN);
	const struct conclusion *c = conclusion(compared(&b), "by-one-way");
	assert_non_null(strstr(c->summary, "through eth0 only"));
	assert_non_null(strstr(c->summary, "Through wg0 it is open."));
	assert_string_equal(c->next[1], "ip route add 198.51.100.25/32 via 10.9.0.1 dev wg0 src 10.9.0.2");
	/* a name that a shell would read gets into no command */
	w->interface = "wg0;reboot";
	c = conclusion(compared(&b), "by-one-way");
	for (unsigned i = 0; i < c->n_next; i++)
		assert_null(strstr(c->next[i], "ip route"));
	finish(&b);
}

static void test_host(void **state)
{
	struct bench b = {.ways = true};
	struct view *v = add_view(&b, "eth0", "10.0.0.2", way_a), *w = add_view(&b, "eth1", "10.9.0.2", way_c);

	(void)state;
	stopped(&b, v, PLACE_HOST, 0.99, PLACE_UNKNOWN, 0, 0, 0);
	stopped(&b, w, PLACE_HOST, 0.97, PLACE_UNKNOWN, 0, 0, 0);
	const struct conclusion *c = conclusion(compared(&b), "host-everywhere");
	assert_int_equal(c->place, PLACE_HOST);
	assert_true(c->confidence == 0.97);
	assert_non_null(strstr(c->summary, "a rule"));
	/* on machines of their own, each is its own */
	b.ways = false;
	judged(&b, w, STATE_OPEN);
	b.ports[1][0].n_stops = 0;
	c = conclusion(compared(&b), "host");
	assert_int_equal(c->n_views, 1);
	assert_non_null(strstr(c->summary, "From eth1 it is open."));
	/* what lies behind the host's own block counts as well */
	stopped(&b, v, PLACE_ISP, 0.9, PLACE_UNKNOWN, 0, 2, 2);
	assert_int_equal(conclusion(compared(&b), "stopped-here-open-there")->place, PLACE_ISP);
	finish(&b);
}

static void test_changed(void **state)
{
	struct bench b = {0};
	struct view *v = add_view(&b, "a", "10.0.0.2", way_a), *w = add_view(&b, "a", "10.0.0.2", way_a);

	(void)state;
	stopped(&b, v, PLACE_ISP, 0.6, PLACE_TRANSIT, 0.35, 3, 4);
	judged(&b, w, STATE_OPEN);
	w->started_ns += 3 * 3600 * NS_PER_S;
	const struct conclusion *c = conclusion(compared(&b), "changed");
	assert_int_equal(c->place, PLACE_UNKNOWN);
	assert_non_null(strstr(c->summary, "3 hours lie between"));
	assert_string_not_equal(b.c->views[0]->label, b.c->views[1]->label);
	finish(&b);
}

static void test_server_decides(void **state)
{
	struct bench b = {0};
	struct view *v = add_view(&b, "a", "10.0.0.2", way_a), *w = add_view(&b, "c", "10.9.0.2", way_c);

	(void)state;
	judged(&b, v, STATE_REJECTED);
	stopped(&b, v, PLACE_DESTINATION, 0.95, PLACE_UNKNOWN, 0, 6, 6);
	judged(&b, w, STATE_OPEN);
	v->seen_as = address("192.0.2.77");
	const struct conclusion *c = conclusion(compared(&b), "server-decides-by-source");
	assert_int_equal(c->place, PLACE_DESTINATION);
	assert_non_null(strstr(c->next[0], "192.0.2.77"));
	judged(&b, w, STATE_REJECTED);
	stopped(&b, w, PLACE_DESTINATION, 0.95, PLACE_UNKNOWN, 0, 5, 5);
	conclusion(compared(&b), "server-alike");
	/* silence at the destination, which serves somebody else */
	b.ports[0][0].n_stops = 0;
	judged(&b, v, STATE_BLOCKED);
	stopped(&b, v, PLACE_DESTINATION, 0.8, PLACE_DESTINATION_NETWORK, 0.1, 5, 6);
	judged(&b, w, STATE_OPEN);
	c = conclusion(compared(&b), "destination-by-source");
	assert_int_equal(c->place, PLACE_DESTINATION);
	finish(&b);
}

static void test_families(void **state)
{
	static const char *const six[] = {"g2001:db8:1::1", "i2001:db8:2::1", "d2001:db8:25::25", NULL};
	struct bench b = {.ways = true};
	struct view *v = add_view(&b, "eth0", "10.0.0.2", way_a), *w = add_view(&b, "eth0", "2001:db8:1::2", six);

	(void)state;
	v->name = w->name = "mx.example.net";
	w->target = address("2001:db8:25::25");
	stopped(&b, v, PLACE_ISP, 0.6, PLACE_TRANSIT, 0.35, 3, 4);
	judged(&b, w, STATE_OPEN);
	const struct conclusion *c = conclusion(compared(&b), "by-one-family");
	assert_non_null(strstr(c->summary, "over IPv4 only"));
	assert_non_null(strstr(c->next[0], "smtp_address_preference=ipv6"));
	assert_string_equal(b.c->views[0]->label, "IPv4");
	assert_false(addr_is_set(&b.c->target));
	/* stopped over both: whether by one device nobody can tell, for its addresses would differ anyway */
	judged(&b, w, STATE_BLOCKED);
	stopped(&b, w, PLACE_ISP, 0.9, PLACE_UNKNOWN, 0, 2, 2);
	c = conclusion(compared(&b), "one-or-several");
	assert_int_equal(b.c->ports[0].n_conclusions, 2);
	finish(&b);
}

static void test_unplaced(void **state)
{
	struct bench b = {0};
	struct view *v = add_view(&b, "a", "10.0.0.2", NULL), *w = add_view(&b, "c", "10.9.0.2", way_c);

	(void)state;
	stopped(&b, v, PLACE_UNKNOWN, -1, PLACE_UNKNOWN, 0, 0, 0);
	judged(&b, w, STATE_OPEN);
	conclusion(compared(&b), "unplaced-open-there");
	judged(&b, w, STATE_INCONCLUSIVE);
	const struct compared_port *p = compared(&b);
	conclusion(p, "unplaced");
	conclusion(p, "undecided");
	assert_int_equal(p->agreement, AGREE_UNDECIDED);
	judged(&b, v, STATE_INCONCLUSIVE);
	b.ports[0][0].n_stops = 0;
	conclusion(compared(&b), "undecided-everywhere");
	judged(&b, v, STATE_OPEN);
	judged(&b, w, STATE_OPEN);
	p = compared(&b);
	assert_int_equal(p->n_conclusions, 1);
	assert_string_equal(p->conclusions[0].rule, "open-everywhere");
	finish(&b);
}

static void test_groups(void **state)
{
	struct bench b = {0};
	struct views views = {0};
	const struct view *sorted[6];
	unsigned ends[6];

	(void)state;
	for (unsigned i = 0; i < 6; i++)
		judged(&b, add_view(&b, "a", "10.0.0.2", NULL), STATE_OPEN);
	b.views[1].target = address("198.51.100.30");
	b.views[1].name = "Pool.example";
	b.views[3].target = address("198.51.100.31");
	b.views[3].name = "pool.EXAMPLE";
	b.views[4].target = address("198.51.100.32");
	views.list = b.views;
	views.n = 6;
	/* 0, 2 and 5 by address; 1 and 3 by name; 4 alone */
	assert_int_equal(compare_group(&views, sorted, ends), 3);
	assert_int_equal(ends[0], 3);
	assert_int_equal(ends[1], 5);
	assert_int_equal(ends[2], 6);
	assert_ptr_equal(sorted[2], &b.views[5]);
	assert_ptr_equal(sorted[4], &b.views[3]);
	views.n = 0;
	assert_int_equal(compare_group(&views, sorted, ends), 0);
}

/* ---- the table ---- */

static void test_table(void **state)
{
	static const enum compare_fact kinds[] = {CMP_OPEN, CMP_UNDECIDED, CMP_HOST, CMP_SERVER, CMP_RANGE,
						  CMP_CONTRADICTED, CMP_UNPLACED};
	bool *reached = calloc(compare_rule_count, sizeof(bool));

	(void)state;
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
		for (uint32_t rest = 0; rest < 1u << (CMP_FACT_COUNT - CMP_EVERY); rest++) {
			const struct compare_rule *r = compare_rule_for(CMP_BIT(kinds[k]) | rest << CMP_EVERY);
			assert_non_null(r);
			reached[r - compare_rule_table] = true;
		}
	for (unsigned i = 0; i < compare_rule_count; i++) {
		if (!reached[i])
			fail_msg("%s: an earlier row is always taken", compare_rule_table[i].id);
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(compare_rule_table[i].id, compare_rule_table[k].id);
		assert_true(compare_rule_table[i].why && *compare_rule_table[i].why);
	}
	for (int f = 0; f < CMP_FACT_COUNT; f++)
		assert_true(*compare_fact_name((enum compare_fact)f) && *compare_fact_text((enum compare_fact)f));
	free(reached);
}

/* Every word of every row is known. */
static void test_words(void **state)
{
	struct bench b = {.ways = true};
	struct view *v = add_view(&b, "eth0", "10.0.0.2", way_a), *w = add_view(&b, "wg0", "10.9.0.2", way_c);
	static const unsigned zero[] = {0}, one[] = {1};
	struct conclusion c = {.place = PLACE_ISP, .confidence = 0.5};

	(void)state;
	stopped(&b, v, PLACE_ISP, 0.6, PLACE_TRANSIT, 0.35, 3, 4);
	judged(&b, w, STATE_OPEN);
	const struct compared_port *p = compared(&b);
	struct compare_words words = {&b.c->arena, b.c, p, {zero, 1}, {one, 1}, &c, NULL};
	for (unsigned i = 0; i < compare_rule_count; i++) {
		const struct compare_rule *r = &compare_rule_table[i];
		assert_null(strchr(compare_fill(&words, r->summary), '?'));
		for (unsigned k = 0; k < COMPARE_MAX_NEXT && r->next[k]; k++)
			assert_null(strchr(compare_fill(&words, r->next[k]), '?'));
	}
	assert_string_equal(compare_fill(&words, "a {no-such} b"), "a ? b");
	finish(&b);
}

/* ---- networks drawn by lot ---- */

#define ROUTERS   14
#define VANTAGES  6
#define NETWORKS  2000

static uint32_t seed;

static uint32_t draw(uint32_t n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

/* Routers in a tree towards the target, whose number is ROUTERS; what answers, and by which address. */
struct network {
	unsigned parent[ROUTERS];
	bool silent[ROUTERS], one_address[ROUTERS];
	bool common[ROUTERS]; /* has an address that others have, too */
	unsigned blocker;   /* a router, or ROUTERS */
	int link_from;      /* stops only what comes from there; -1: everything */
};

static struct addr router_address(const struct network *n, unsigned router, unsigned from)
{
	if (router == ROUTERS)
		return address(TARGET);
	if (n->common[router] && !n->silent[router])
		return address(router % 2 ? "192.168.1.1" : "100.64.0.1");
	uint8_t bytes[4] = {203, 0, (uint8_t)router, (uint8_t)(n->one_address[router] ? 1 : from + 2)};

	return n->silent[router] ? (struct addr){0} : addr_v4(bytes);
}

static void draw_network(struct network *n)
{
	*n = (struct network){.link_from = -1};
	for (unsigned r = 0; r < ROUTERS; r++) {
		/* a higher number is nearer to the target */
		n->parent[r] = r + 1 + draw(r + 4 > ROUTERS ? ROUTERS - r : 4);
		n->silent[r] = draw(5) == 0;
		n->one_address[r] = draw(2);
		n->common[r] = r < 8 && draw(4) == 0;
	}
	n->blocker = draw(ROUTERS + 1);
}

/* A view from behind router `first`; its path and how it fares. Returns the TTL of the blocker, 0 none. */
static unsigned draw_view(struct bench *b, struct network *n, unsigned first, unsigned number)
{
	char *label = (char *)(uintptr_t)&"a\0b\0c\0d\0e\0f"[2 * number];
	char source[32];
	unsigned from = 20 + number, ttl = 0, stop = 0;

	snprintf(source, sizeof(source), "10.%u.0.2", number);
	struct view *v = add_view(b, label, source, NULL);
	for (unsigned r = first;; from = r, r = n->parent[r]) {
		struct view_hop *h = &b->hops[number][v->n_path++];
		ttl++;
		*h = (struct view_hop){.ttl = ttl, .address = router_address(n, r, from),
				       .place = r == ROUTERS ? PLACE_DESTINATION : ttl == 1 ? PLACE_GATEWAY
					      : ttl == 2 ? PLACE_ISP : PLACE_TRANSIT};
		if (r == n->blocker && (n->link_from < 0 || n->link_from == (int)from))
			stop = ttl;
		if (r == ROUTERS)
			break;
	}
	return stop;
}

/* A report that is right: its range holds the blocker, its places are likely by the range's devices. */
static void report_stop(struct bench *b, unsigned number, unsigned stop)
{
	struct view *v = &b->views[number];
	unsigned before = draw(3), behind = draw(3);
	unsigned from = stop > before ? stop - before : 1, to = stop + behind > v->n_path ? v->n_path : stop + behind;
	double by_place[PLACE_COUNT] = {0};
	int best = 0;

	for (unsigned i = from; i <= to; i++)
		by_place[v->path[i - 1].place] += 0.97 / (to - from + 1);
	for (int p = 0; p < PLACE_COUNT; p++)
		best = by_place[p] > by_place[best] ? p : best;
	stopped(b, v, (enum place)best, by_place[best], PLACE_UNKNOWN, 0, from, to);
	struct view_stop *s = &b->stops[number][0];
	for (int p = 0; p < PLACE_COUNT; p++)
		if (p != best && by_place[p] > 0)
			s->candidates[s->n_candidates++] = (struct candidate){(enum place)p, by_place[p]};
}

struct score {
	unsigned narrowed, joined, conclusions, sure, sure_right;
};

static void check_network(struct bench *b, const unsigned *stops, struct score *score)
{
	const struct compared_port *p = compared(b);

	for (unsigned i = 0; i < p->n_conclusions; i++) {
		const struct conclusion *c = &p->conclusions[i];
		unsigned first = c->n_suspects ? c->suspects_from : 0;
		if (!c->n_suspects)
			continue;
		bool holds = false;
		for (unsigned k = 0; k < c->n_suspects; k++)
			holds |= c->suspects[k].ttl == stops[first];
		if (!holds)
			fail_msg("%s: hop %u of %s stops it, and is no suspect", c->rule, stops[first],
				 b->c->views[first]->label);
		/* at least as far as each single report */
		for (unsigned k = 0; k < c->n_views; k++) {
			const struct view_stop *s = &b->stops[c->views[k]][0];
			assert_true(c->n_suspects <= s->hop_to.ttl - s->hop_from.ttl + 1);
		}
		const struct view_stop *own = &b->stops[first][0];
		score->conclusions++;
		score->joined += c->n_views > 1;
		score->narrowed += c->n_suspects < own->hop_to.ttl - own->hop_from.ttl + 1;
		if (c->place == PLACE_UNKNOWN || c->confidence < 0.9)
			continue;
		score->sure++;
		score->sure_right += c->place == b->views[first].path[stops[first] - 1].place;
	}
}

static void run_networks(bool by_link, struct score *score)
{
	for (unsigned i = 0; i < NETWORKS; i++) {
		struct bench b = {0};
		struct network n;
		unsigned stops[VANTAGES], starts[VANTAGES];
		seed = i * 7919 + (by_link ? 1 : 0);
		draw_network(&n);
		for (unsigned k = 0; k < VANTAGES; k++)
			starts[k] = draw(6);
		if (by_link && n.blocker > 0) { /* some router before it, if any leads there */
			for (unsigned r = 0; r < ROUTERS; r++)
				if (n.parent[r] == n.blocker && draw(2))
					n.link_from = (int)r;
		}
		for (unsigned k = 0; k < VANTAGES; k++) {
			stops[k] = draw_view(&b, &n, starts[k], k);
			if (draw(8) == 0) {
				judged(&b, &b.views[k], STATE_INCONCLUSIVE);
				stops[k] = 0;
			} else if (stops[k]) {
				report_stop(&b, k, stops[k]);
			} else {
				judged(&b, &b.views[k], STATE_OPEN);
			}
		}
		check_network(&b, stops, score);
		finish(&b);
	}
}

static void test_networks(void **state)
{
	struct score score = {0};

	(void)state;
	run_networks(false, &score);
	run_networks(true, &score);
	print_message("%u conclusions: %u of several reports, %u narrower than the report; %u places at 0.9, %u right\n",
		      score.conclusions, score.joined, score.narrowed, score.sure, score.sure_right);
	assert_true(score.narrowed * 4 > score.conclusions); /* it is of use */
	assert_true(score.joined * 4 > score.conclusions);
	assert_true(score.sure_right * 10 >= score.sure * 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_gateway_one_blocked),
		cmocka_unit_test(test_private_addresses_prove_nothing),
		cmocka_unit_test(test_past_the_translation),
		cmocka_unit_test(test_gateway_cleared),
		cmocka_unit_test(test_shared_provider),
		cmocka_unit_test(test_destination_side),
		cmocka_unit_test(test_wide_ranges_are_not_one),
		cmocka_unit_test(test_separate),
		cmocka_unit_test(test_narrowed_by_the_open_one),
		cmocka_unit_test(test_ways),
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_server_decides),
		cmocka_unit_test(test_families),
		cmocka_unit_test(test_unplaced),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_networks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
