/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where a port stops, who answers too early, whose network a hop is; and how often all that is
 * right, over many paths by lot. */
#include "net.h"

#define CONTROL 1 /* index in the plan */

static const struct path *path_of(const struct scene *s)
{
	return &s->diag->tracker.path;
}

/* ---- where a silent port stops ---- */

static struct path_stop where(const struct scene *s, unsigned dest_ttl)
{
	struct path_stop stop;

	path_where_silent(path_of(s), 0, CONTROL, dest_ttl, true, 1e-6, INT64_MAX, &stop);
	return stop;
}

static void expect_range(const struct path_stop *stop, unsigned from, unsigned to)
{
	double sum = 0;

	if (!stop->stops || stop->through || stop->from != from || stop->to != to)
		fail_msg("%s %u..%u, not %u..%u", stop->stops ? "stops" : "does not stop", stop->from,
			 stop->to, from, to);
	for (unsigned j = 0; j <= PLAN_MAX_HOPS; j++) {
		sum += stop->weight[j];
		assert_true(stop->weight[j] == 0 || (j >= from && j < PLAN_MAX_HOPS));
	}
	assert_true(sum > 0.999 && sum < 1.001);
}

static void test_where_silent(void **state)
{
	(void)state;
	for (unsigned n = 2; n <= 12; n += 5)
		for (unsigned at = 1; at <= n; at++)
			for (int outbound = 0; outbound < 2; outbound++) {
				struct scene *s = scene_new(n == 7);
				static struct net net;
				static struct sim m;
				net_plain(&net, s, n, at);
				net.filter = filter_new(DEED_DROP, at, outbound);
				sim_rounds(&m, s, &net, 6, 300, net.n + 2);
				struct path_stop stop = where(s, n + 1);
				if (outbound && at == n) {
					assert_true(stop.through && !stop.stops);
					assert_int_equal(stop.from, n);
				} else {
					expect_range(&stop, at - !outbound, at + outbound);
					assert_int_equal(stop.hops_beyond, n - stop.from);
					assert_int_equal(stop.next, stop.from + 1);
					assert_true(stop.probability < 1e-6);
				}
				scene_free(s);
			}
}

/* A router that never answers widens the range to what is known. */
static void test_where_silent_hops(void **state)
{
	static const struct {
		unsigned silent, at;
		bool outbound;
		unsigned from, to;
	} cases[] = {
		{4, 4, false, 3, 5}, /* it is the silent one itself */
		{4, 4, true, 3, 5},
		{4, 5, false, 3, 5}, /* behind it */
		{4, 3, true, 3, 5},  /* before it */
		{4, 3, false, 2, 3},
		{1, 2, false, 0, 2},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct scene *s = scene_new(false);
		static struct net net;
		static struct sim m;
		net_plain(&net, s, 8, i);
		net.router[cases[i].silent].silent = true;
		net.filter = filter_new(DEED_DROP, cases[i].at, cases[i].outbound);
		sim_rounds(&m, s, &net, 6, 300, net.n + 2);
		struct path_stop stop = where(s, 9);
		expect_range(&stop, cases[i].from, cases[i].to);
		scene_free(s);
	}
}

/* Where the control loses as much, silence proves nothing. */
static void test_where_silent_under_limits(void **state)
{
	struct scene *s = scene_new(false);
	static struct net net;
	static struct sim m;

	(void)state;
	net_plain(&net, s, 8, 3);
	for (unsigned i = 1; i <= 8; i++)
		net.router[i].per_second = 1;
	sim_rounds(&m, s, &net, 8, 50, net.n + 2); /* 16 probes in 400 ms, of which a router answers six */
	struct path_stop stop = where(s, 9);
	assert_true(!stop.stops || stop.probability > 0.01);
	scene_free(s);
}

static void test_nothing_sent(void **state)
{
	struct scene *s = scene_new(false);
	struct path_stop stop;

	(void)state;
	finish(s);
	path_where_silent(path_of(s), 0, CONTROL, 0, false, 1, 0, &stop);
	assert_false(stop.stops || stop.through);
	for (unsigned dest = 0; dest <= PLAN_MAX_HOPS + 1; dest++) {
		path_where_silent(path_of(s), 0, CONTROL, dest, true, 1, 0, &stop);
		assert_true(stop.probability == 1);
	}
	scene_free(s);
}

/* ---- who answered ---- */

static void test_devices(void **state)
{
	static const enum deed deeds[] = {DEED_RST, DEED_INTERCEPT};
	static const uint8_t ttls[] = {64, 128, 255, 0}; /* 0: mirrors */

	(void)state;
	for (size_t d = 0; d < COUNT(deeds); d++)
		for (size_t k = 0; k < COUNT(ttls); k++)
			for (unsigned at = 1; at <= 9; at++)
				for (int outbound = 0; outbound < 2; outbound++) {
					bool syn_ack = deeds[d] == DEED_INTERCEPT;
					struct scene *s = scene_new(false);
					static struct net net;
					static struct sim m;
					net_plain(&net, s, 10, at);
					net.filter = filter_new(deeds[d], at, outbound);
					net.filter.ttl = ttls[k];
					net.filter.mirrors = ttls[k] == 0;
					s->plan.max_hops = 30;
					sim_rounds(&m, s, &net, 2, 300, 22);
					const struct path_trace *t = &path_of(s)->trace[0];
					unsigned first = syn_ack ? path_first_syn_ack(t) : path_first_rst(t);
					if (!first) { /* mirrored, and spent on the way back */
						fail_msg("no answer of the device at %u", at);
					}
					struct path_range r = path_device(t, first, syn_ack);
					if (!r.known || r.from > at || r.to < at || r.to - r.from > 1)
						fail_msg("%s at %u%s, TTL %u: %u..%u",
							 syn_ack ? "SYN-ACK" : "RST", at,
							 outbound ? " outbound" : "", ttls[k], r.from, r.to);
					int arrived = syn_ack ? t->cell[first].synack_ttl
							      : t->cell[first].rst_ttl;
					assert_true(path_is_early(path_of(s), 0, CONTROL, first, arrived, 54));
					scene_free(s);
				}
}

/* The target's own answers are not early, on branches of unequal length neither. */
static void test_not_early(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 60; seed++) {
		struct lots l = lots_new(seed);
		struct scene *s = scene_new(seed & 1);
		static struct net net;
		static struct sim m;
		net_plain(&net, s, pick(&l, 1, 14), seed);
		net.services[0].service = seed & 2 ? SERVICE_OPEN : SERVICE_CLOSED;
		net.rst_ttl = net.syn_ack_ttl = seed % 5 == 0 ? 128 : seed % 7 == 0 ? 255 : 64;
		net.branch = seed & 4;
		net.branch_salt = (uint32_t)seed * 2246822519u;
		net.back_salt = seed & 8 ? net.branch_salt : ~net.branch_salt * 3266489917u;
		net.branch_at = pick(&l, 1, net.n);
		sim_rounds(&m, s, &net, 2, 300, net.n + 2);
		const struct path_trace *t = &path_of(s)->trace[0], *c = &path_of(s)->trace[CONTROL];
		bool open = seed & 2;
		unsigned first = open ? path_first_syn_ack(t) : path_first_rst(t);
		unsigned control = path_first_syn_ack(c);
		if (!first || !control)
			fail_msg("seed %u: no arrival", seed);
		int one = open ? t->cell[first].synack_ttl : t->cell[first].rst_ttl;
		if (path_is_early(path_of(s), 0, CONTROL, first, one, c->cell[control].synack_ttl))
			fail_msg("seed %u: the target's own answer is early", seed);
		scene_free(s);
	}
}

static void test_time_exceeded_and_reset(void **state)
{
	struct scene *s = scene_new(false);
	static struct net net;
	static struct sim m;

	(void)state;
	/* an observer beside router 4 forges, and the SYN goes on */
	net_plain(&net, s, 9, 5);
	net.filter = filter_new(DEED_INJECT, 4, false);
	sim_rounds(&m, s, &net, 2, 300, net.n + 2);
	const struct path_trace *t = &path_of(s)->trace[0];
	assert_int_equal(path_first_rst(t), 4);
	assert_true(t->cell[4].te_and_rst && t->cell[5].te_and_rst);
	assert_false(t->cell[3].te_and_rst);
	struct path_range r = path_device(t, 4, false);
	assert_true(r.from <= 4 && r.to == 4);
	assert_true(path_is_early(path_of(s), 0, CONTROL, 4, 61, 55));
	scene_free(s);
}

static void test_distance(void **state)
{
	(void)state;
	assert_int_equal(path_distance(0), -1);
	assert_int_equal(path_distance(64), 0);
	assert_int_equal(path_distance(55), 9);
	assert_int_equal(path_distance(120), 8);
	assert_int_equal(path_distance(250), 5);
	assert_int_equal(path_distance(30), 2);
}

/* ---- matching ---- */

/* The sequence number alone tells which probe is answered: not the order, not the source. */
static void test_answers_by_sequence(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	usual_host(s);
	unsigned a = trace_probe(s, 25, 3), b = trace_probe(s, 443, 3), c = trace_probe(s, 25, 4);
	pass(s, 5);
	probe_te(s, c, hop(s, 4));
	probe_te(s, b, hop(s, 3));
	struct packet *p = probe_te(s, a, hop(s, 3)); /* a translator's quote */
	p->icmp.quote.src = ip("203.0.113.50");
	p->icmp.quote.sport = 1234;
	probe_te(s, a, hop(s, 3))->icmp.quote.seq += 1; /* nobody's */
	probe_te(s, a, hop(s, 3));			 /* twice: still one answer */
	probe_te(s, b, hop(s, 3))->dir = PACKET_OUT;
	finish(s);
	const struct path *path = path_of(s);
	assert_int_equal(path->trace[0].cell[3].time_exceeded, 1);
	assert_int_equal(path->trace[0].cell[3].answered, 1);
	assert_int_equal(path->trace[0].cell[4].time_exceeded, 1);
	assert_int_equal(path->trace[1].cell[3].time_exceeded, 1);
	assert_int_equal(path_last_hop(path, &path->trace[0]), 4);
	assert_int_equal(path->trace[0].cell[3].rtt_ns, 5 * NS_PER_MS);
	scene_free(s);
}

static void test_border(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	usual_host(s);
	unsigned a = probe(s, PROBE_BORDER, 25, 64, hop(s, 3));
	unsigned b = probe(s, PROBE_BORDER, 443, 64, hop(s, 3));
	pass(s, 5);
	probe_icmp(s, a, hop(s, 2), 3, 13); /* somebody before it: not its own stack */
	probe_te(s, a, hop(s, 3));
	probe_rst(s, b, 62);
	finish(s);
	const struct path *path = path_of(s);
	assert_int_equal(path->border[0][0].sent, 1);
	assert_int_equal(path->border[0][0].answered, 0);
	assert_int_equal(path->border[1][0].answered, 1);
	for (unsigned i = 0; i < PATH_MAX_BORDERS + 2; i++) /* more routers than there is room for */
		probe(s, PROBE_BORDER, 25, 64, hop(s, 3 + i));
	finish(s);
	scene_free(s);
}

static void test_probe_that_was_not_sent(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	usual_host(s);
	trace_probe(s, 25, 3);
	s->log.events[s->log.n - 2].probe.error = EPERM;
	finish(s);
	assert_int_equal(path_of(s)->refused, 1);
	assert_int_equal(path_of(s)->trace[0].sent, 0);
	scene_free(s);
}

/* ---- whose network ---- */

struct places_case {
	const char *hops[8]; /* "-": silent */
	const char *expected; /* a letter each: g i t n d u */
	unsigned dest_ttl;
	const char *source, *target;
	bool tunnel;
	uint32_t as[8]; /* of hop 1.., 0 none; the target's last */
	uint32_t target_as;
};

static char letter_of(enum place p)
{
	return "hgitndu"[p];
}

static const struct places_case places_cases[] = {
	{{"10.1.0.1"}, "gd", 2, NULL, NULL, 0, {0}, 0},
	{{"10.1.0.1", "203.0.113.1"}, "gid", 3, NULL, NULL, 0, {0}, 0},
	{{"10.1.0.1", "100.64.0.1", "203.0.113.1", "192.0.2.1", "192.0.2.65"}, "giitnd", 6, NULL, NULL,
	 0, {0}, 0},
	{{"10.1.0.1", "10.200.0.1", "100.64.0.1", "203.0.113.1", "192.0.2.1", "198.18.0.1"}, "giiitnd",
	 7, NULL, NULL, 0, {0}, 0},
	/* what shares the target's prefix is of its network */
	{{"10.1.0.1", "203.0.113.1", "192.0.2.1", "198.51.100.1", "198.51.100.2"}, "gitnnd", 6, NULL,
	 NULL, 0, {0}, 0},
	/* silent ones */
	{{"10.1.0.1", "-", "100.64.0.1", "203.0.113.1", "192.0.2.1", "192.0.2.65"}, "giiitnd", 7, NULL,
	 NULL, 0, {0}, 0},
	{{"10.1.0.1", "203.0.113.1", "-", "192.0.2.1", "-"}, "giutnd", 6, NULL, NULL, 0, {0}, 0},
	/* the tunnel's far end is a provider, no gateway */
	{{"10.8.0.1", "203.0.113.1", "192.0.2.1", "192.0.2.65"}, "iitnd", 5, NULL, NULL, 1, {0}, 0},
	/* IPv6: all addresses are public, our own tells the provider's */
	{{"2a02:1000:1::1", "2a02:1000:ff::1", "2a02:1000:fe::1", "2001:1900::1", "2600:5000::9"},
	 "giitnd", 6, "2a02:1000:1::2", "2600:5000:5::25", 0, {0}, 0},
	/* AS data: the provider's network ends with its AS, the destination's begins with its */
	{{"10.1.0.1", "203.0.113.1", "203.0.113.9", "192.0.2.1", "198.18.0.1", "198.18.0.5"},
	 "giitnnd", 7, NULL, NULL, 0, {0, 64500, 64500, 64510, 64520, 64520}, 64520},
	{{"10.1.0.1", "-", "203.0.113.9", "192.0.2.1", "-", "198.18.0.5"}, "giitund", 7, NULL, NULL, 0,
	 {0, 0, 64500, 64510, 0, 64520}, 64520},
};

static void test_places(void **state)
{
	unsigned faults = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(places_cases); i++) {
		const struct places_case *c = &places_cases[i];
		struct scene *s = scene_new(c->target != NULL);
		struct path_places places;
		char got[PLAN_MAX_HOPS] = "";
		if (c->target) {
			s->plan.target = ip(c->target);
			s->source = ip(c->source);
		}
		usual_host(s);
		if (c->target_as)
			asn_is(s, s->plan.target, c->target_as);
		for (unsigned k = 0; k < 8 && c->hops[k]; k++) {
			unsigned id = trace_probe(s, 443, k + 1);
			if (c->hops[k][0] == '-')
				continue;
			probe_te(s, id, ip(c->hops[k]));
			if (c->as[k])
				asn_is(s, ip(c->hops[k]), c->as[k]);
		}
		finish(s);
		path_assign_places(path_of(s), c->dest_ttl, &s->source, c->tunnel, &places);
		assert_int_equal(places.place[0], PLACE_HOST);
		for (unsigned k = 1; k <= c->dest_ttl; k++)
			got[k - 1] = letter_of(places.place[k]);
		if (strcmp(got, c->expected) != 0) {
			print_error("row %zu: %s, not %s\n", i, got, c->expected);
			faults++;
		}
		scene_free(s);
	}
	assert_int_equal(faults, 0);
}

static void test_places_of_nothing(void **state)
{
	struct scene *s = scene_new(false);
	struct path_places places;

	(void)state;
	finish(s);
	for (unsigned dest = 0; dest <= 130; dest++)
		path_assign_places(path_of(s), dest, &s->source, false, &places);
	scene_free(s);
}

static const enum deed farther_deeds[] = {DEED_NONE, DEED_DROP, DEED_RST, DEED_ICMP, DEED_INTERCEPT};

/* Answers and quotes whose TTL nobody begins with seem to come from farther than any path is long: they
 * tell nothing of where somebody is, and nothing else is the worse for it. */
static void test_farther_than_any_path(void **state)
{
	static struct net net;
	static struct sim m;

	(void)state;
	for (unsigned i = 0; i < 2 * COUNT(farther_deeds); i++)
		for (unsigned ttl = 8; ttl < 256; ttl += 7) {
			struct scene *s = scene_new(false);
			net_plain(&net, s, 7, ttl);
			net.with_as = i % 2;
			for (unsigned k = 1; k <= net.n; k++)
				net.router[k].asn = k < 2 ? 0 : k < 5 ? 64500 : 64520;
			net.syn_ack_ttl = net.rst_ttl = (uint8_t)ttl;
			net.filter = filter_new(farther_deeds[i / 2], 3, true);
			net.filter.ttl = net.filter.quotes = (uint8_t)ttl;
			net.router[3].silent = ttl % 2;
			if (net.with_as)
				asn_is(s, s->plan.target, 64520);
			const struct report *r = sim_run(&m, s, &net);
			for (unsigned k = 0; k < r->n_path; k++)
				assert_true(r->path[k].ttl <= PLAN_MAX_HOPS && r->path[k].place < PLACE_COUNT);
			const struct finding *f = r->ports[0].n_findings ? &r->ports[0].findings[0] : NULL;
			if (f && f->has_hop)
				assert_true(f->hop_to.ttl <= PLAN_MAX_HOPS);
			if (farther_deeds[i / 2] == DEED_DROP)
				assert_true(r->ports[0].state == STATE_BLOCKED &&
					    (f->place == PLACE_ISP || f->place == PLACE_UNKNOWN));
			scene_free(s);
		}
}

/* The target answers connections, and no probe of a trace: how far it is, nobody knows. The hops show
 * where the port stops all the same. */
static void test_where_silent_without_a_distance(void **state)
{
	(void)state;
	for (unsigned ttl = 130; ttl < 191; ttl += 30) {
		struct scene *s = scene_new(false);
		usual_host(s);
		silence_beside(s, 25, 443, ttl, 6);
		for (unsigned i = 0; i < 6; i++, pass(s, 300)) {
			hops_answer(s, 25, 1, 3);
			hops_silent(s, 25, 4, 7);
			hops_answer(s, 443, 1, 6);
			hops_silent(s, 443, 7, 7);
		}
		const struct report *r = finish(s);
		const struct finding *f = &r->ports[0].findings[0];
		assert_true(r->ports[0].state == STATE_BLOCKED && f->has_hop);
		assert_true(f->hop_from.ttl == 3 && f->hop_to.ttl == 4);
		scene_free(s);
	}
}

/* A routing loop: hops answer as far as anybody asks. */
static void test_as_far_as_asked(void **state)
{
	struct scene *s = scene_new(false);
	struct path_stop stop;

	(void)state;
	usual_host(s);
	for (unsigned ttl = 1; ttl <= PLAN_MAX_HOPS; ttl++) {
		probe_te(s, trace_probe(s, 25, ttl), hop(s, 1 + ttl % 2));
		probe_te(s, trace_probe(s, 443, ttl), hop(s, 1 + ttl % 2));
	}
	finish(s);
	path_where_silent(path_of(s), 0, CONTROL, 0, false, 1, s->now, &stop);
	assert_int_equal(stop.from, PLAN_MAX_HOPS);
	assert_false(stop.stops || stop.through);
	struct addr beyond = path_hop_address(path_of(s), PLAN_MAX_HOPS + 1);
	assert_false(addr_is_set(&beyond));
	scene_free(s);
}

/* ---- by lot ---- */

struct truth {
	enum state state;
	enum place place; /* PLACE_UNKNOWN: nobody blocks */
	unsigned at;      /* hop */
};

/* The places by the contract's own words, with full knowledge of the path. */
static void draw_routers(struct net *net, struct scene *s, struct lots *l)
{
	unsigned inside = pick(l, 0, 2), own = net->with_as ? pick(l, 1, 3) : 1;
	unsigned transit = pick(l, 0, 5), theirs = net->with_as ? pick(l, 1, 2) : 1;
	unsigned i = 1;
	bool v6 = is_v6(s);
	char text[80];

	if (v6) { /* every address is public: the first hop behind the gateway is the provider's */
		inside = 0;
		s->source = ip("2a02:1000:1::2");
		s->plan.target = ip("2600:5000:5::25");
	}
	net->router[i++] = (struct router){.address = ip(v6 ? "2a02:1000:1::1" : "10.1.0.1"),
					   .place = PLACE_GATEWAY, .asn = v6 ? 64500 : 0};
	for (unsigned k = 0; k < inside; k++, i++) {
		snprintf(text, sizeof(text), chance(l, 0.5) ? "100.64.%u.1" : "10.200.%u.1", k);
		net->router[i] = (struct router){.address = ip(text), .place = PLACE_ISP};
	}
	for (unsigned k = 0; k < own; k++, i++) {
		snprintf(text, sizeof(text), v6 ? "2a02:1000:f%u::1" : "203.0.113.%u", k + 1);
		net->router[i] = (struct router){.address = ip(text), .place = PLACE_ISP, .asn = 64500};
	}
	for (unsigned k = 0; k < transit; k++, i++) {
		snprintf(text, sizeof(text), v6 ? "2001:1900:%u::1" : "192.0.%u.1", k + 2);
		net->router[i] = (struct router){.address = ip(text), .place = PLACE_TRANSIT,
						 .asn = 64510 + k / 2};
	}
	bool near = chance(l, 0.5);
	for (unsigned k = 0; k < theirs; k++, i++) {
		snprintf(text, sizeof(text), v6 ? near ? "2600:5000:5::%u" : "2600:5000:a::%u"
						: near ? "198.51.100.%u" : "198.18.7.%u", k + 1);
		net->router[i] = (struct router){.address = ip(text),
						 .place = PLACE_DESTINATION_NETWORK, .asn = 64520};
	}
	net->n = i - 1;
}

static void draw_net(struct net *net, struct scene *s, struct lots *l, uint64_t seed)
{
	*net = (struct net){.lots = lots_new(seed * 31 + 7),
			    .services = {{25, SERVICE_OPEN}, {443, SERVICE_OPEN}},
			    .n_services = 2,
			    .syn_ack_ttl = chance(l, 0.8) ? 64 : 128,
			    .rtt_ns = (int64_t)pick(l, 3, 120) * NS_PER_MS,
			    .jitter_ns = (int64_t)pick(l, 0, 3) * NS_PER_MS,
			    .greeting_ns = (int64_t)pick(l, 1, 200) * NS_PER_MS,
			    .with_as = chance(l, 0.4)};
	net->rst_ttl = chance(l, 0.8) ? net->syn_ack_ttl : 255;
	draw_routers(net, s, l);
	net->target_back = chance(l, 0.1) ? pick(l, 1, 3) : 0;
	net->branch = chance(l, 0.1);
	net->branch_salt = (uint32_t)(uniform(l) * 4e9);
	net->back_salt = chance(l, 0.5) ? net->branch_salt : (uint32_t)(uniform(l) * 4e9);
	net->branch_at = pick(l, 1, net->n);
	if (chance(l, 0.5)) {
		net->loss_out = uniform(l) * 0.15;
		net->loss_back = uniform(l) * 0.15;
	}
	net->loss_link = pick(l, 0, net->n);
	for (unsigned i = 1; i <= net->n; i++) {
		struct router *r = &net->router[i];
		r->silent = chance(l, 0.07);
		r->deaf = chance(l, 0.3);
		r->per_second = chance(l, 0.25) ? pick(l, 1, 10) : 0;
		r->back = chance(l, 0.05) ? 1 : 0;
	}
}

/* A place first, then one of its routers: long stretches of transit block no more than others. */
static unsigned draw_hop(const struct net *net, struct lots *l)
{
	static const struct {
		enum place place;
		double share;
	} shares[] = {{PLACE_GATEWAY, 0.25}, {PLACE_ISP, 0.45}, {PLACE_TRANSIT, 0.1},
		      {PLACE_DESTINATION_NETWORK, 0.2}};

	for (;;) {
		double u = uniform(l);
		unsigned k = 0, n = 0, at[NET_MAX_HOPS];
		while (k < COUNT(shares) - 1 && u >= shares[k].share)
			u -= shares[k++].share;
		for (unsigned i = 1; i <= net->n; i++)
			if (net->router[i].place == shares[k].place)
				at[n++] = i;
		if (n)
			return at[pick(l, 0, n - 1)];
	}
}

static struct truth draw_filter(struct net *net, struct lots *l)
{
	static const uint8_t ttls[] = {64, 64, 255, 128};
	double u = uniform(l);
	struct truth t = {STATE_BLOCKED, PLACE_DESTINATION, net->n + 1};

	if (u < 0.15)
		return (struct truth){STATE_OPEN, PLACE_UNKNOWN, 0};
	if (u < 0.23) {
		net->services[0].service = SERVICE_CLOSED;
		t.state = STATE_REFUSED;
		return t;
	}
	if (u < 0.28) {
		net->services[0].service = SERVICE_FILTERED;
		return t;
	}
	unsigned at = draw_hop(net, l);
	enum deed deed = u < 0.65 ? DEED_DROP : u < 0.78 ? DEED_RST : u < 0.88 ? DEED_ICMP
			 : u < 0.93 ? DEED_INJECT : DEED_INTERCEPT;
	if (deed == DEED_INTERCEPT && net->router[at].place == PLACE_DESTINATION_NETWORK)
		at = 1; /* there it would be the destination's own gateway */
	net->filter = filter_new(deed, at, chance(l, 0.5));
	net->filter.ttl = ttls[pick(l, 0, 3)];
	net->filter.mirrors = chance(l, 0.1);
	net->filter.spares_own = chance(l, 0.3);
	t.state = deed == DEED_INTERCEPT ? STATE_INTERCEPTED : STATE_BLOCKED;
	t.place = net->router[at].place;
	t.at = at;
	return t;
}

#define BINS 8

static const double bin_from[BINS + 1] = {0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.94, 0.96, 1.01};

struct tally {
	unsigned runs, undecided, right_state;
	unsigned placed, unplaced;
	unsigned n[BINS], right[BINS];
	double claimed[BINS];
	unsigned sure, sure_right;
	unsigned healthy, healthy_open, healthy_undecided;
	unsigned in_range, ranges;
	struct {
		const char *rule;
		enum place place;
		unsigned n, right;
		double claimed;
	} by_rule[64];
	unsigned n_rules;
};

static void tell_tally(const char *name, const struct tally *t)
{
	print_message("%s: %u runs, state right in %u, undecided in %u; %u findings placed, %u not; "
		      "healthy %u, of these open %u, undecided %u; truth within the hops named: %u of %u\n",
		      name, t->runs, t->right_state, t->undecided, t->placed, t->unplaced, t->healthy,
		      t->healthy_open, t->healthy_undecided, t->in_range, t->ranges);
	print_message("  confidence      n  claimed  observed\n");
	for (int i = 0; i < BINS; i++)
		if (t->n[i])
			print_message("  %.2f..%.2f  %5u    %.3f     %.3f\n", bin_from[i],
				      bin_from[i + 1] > 1 ? 1.0 : bin_from[i + 1], t->n[i],
				      t->claimed[i] / t->n[i], (double)t->right[i] / t->n[i]);
	for (unsigned i = 0; i < t->n_rules; i++)
		print_message("  %-20s %-20s %5u    %.3f     %.3f\n", t->by_rule[i].rule,
			      place_name(t->by_rule[i].place), t->by_rule[i].n,
			      t->by_rule[i].claimed / t->by_rule[i].n,
			      (double)t->by_rule[i].right / t->by_rule[i].n);
	print_message("  >= 0.90: %u of %u right (%.2f %%)\n", t->sure_right, t->sure,
		      t->sure ? 100.0 * t->sure_right / t->sure : 100.0);
}

static const char *truth_words(const struct net *net, const struct truth *t)
{
	static char text[200];

	snprintf(text, sizeof(text),
		 "%s at %s, hop %u%s of %u (deed %d%s, ttl %u%s)%s loss %.2f %.2f link %u",
		 state_name(t->state), place_name(t->place), t->at, net->filter.outbound ? " outbound" : "",
		 net->n, net->filter.deed, net->filter.mirrors ? " mirrored" : "", net->filter.ttl,
		 net->filter.spares_own ? " spares own" : "", net->branch ? " branch" : "", net->loss_out,
		 net->loss_back, net->loss_link);
	return text;
}

static void count_finding(struct tally *t, const struct finding *f, bool right)
{
	unsigned i = 0;
	int bin = 0;

	while (f->confidence >= bin_from[bin + 1])
		bin++;
	while (i < t->n_rules && (strcmp(t->by_rule[i].rule, f->rule) != 0 ||
				  t->by_rule[i].place != f->place))
		i++;
	if (i == t->n_rules && i < COUNT(t->by_rule))
		t->n_rules++;
	assert_true(i < COUNT(t->by_rule));
	t->by_rule[i].rule = f->rule; /* of the rule table */
	t->by_rule[i].place = f->place;
	t->by_rule[i].n++;
	t->by_rule[i].right += right;
	t->by_rule[i].claimed += f->confidence;
	t->placed++;
	t->n[bin]++;
	t->right[bin] += right;
	t->claimed[bin] += f->confidence;
	if (f->confidence >= 0.9) {
		t->sure++;
		t->sure_right += right;
	}
}

/* Every router sends one error a second, as Linux does, and a run just before this one has left it some
 * of its first six. */
static void spend_limits(struct net *net, const struct scene *s, struct lots *l)
{
	for (unsigned i = 1; i <= net->n; i++) {
		net->router[i].per_second = 1;
		net->router[i].tokens = pick(l, 0, 3);
		net->router[i].refilled_ns = s->now;
	}
}

/* Somebody sets TTLs anew: on the way there, seldom on the way back. */
static void renew(struct net *net, struct lots *l)
{
	bool back = chance(l, 0.2);
	unsigned at = chance(l, 0.7) ? 1 : pick(l, 1, net->n < 3 ? net->n : 3);

	if (back)
		net->renews_back = at;
	else
		net->renews = at;
	net->renews_first = chance(l, 0.3);
}

enum kind_of_path {
	PATH_PLAIN,
	PATH_SPENT,
	PATH_RENEWED,
};

static void one_path(uint64_t seed, struct tally *t, enum kind_of_path kind, bool whole_report)
{
	struct lots l = lots_new(seed);
	struct scene *s = scene_new(chance(&l, 0.3));
	static struct net net;
	static struct sim m;

	draw_net(&net, s, &l, seed);
	struct truth truth = draw_filter(&net, &l);
	if (kind == PATH_SPENT)
		spend_limits(&net, s, &l);
	else if (kind == PATH_RENEWED)
		renew(&net, &l);
	if (net.with_as) {
		asn_is(s, s->plan.target, 64520);
		if (is_v6(s))
			asn_is(s, s->source, 64500);
	}
	const struct report *r = sim_run(&m, s, &net);
	const struct report_port *p = &r->ports[0];
	const struct finding *f = p->n_findings ? &p->findings[0] : NULL;
	bool right = p->state == truth.state;
	t->runs++;
	t->right_state += right;
	t->undecided += p->state == STATE_INCONCLUSIVE;
	if (truth.state == STATE_OPEN) {
		t->healthy++;
		t->healthy_open += p->state == STATE_OPEN;
		t->healthy_undecided += p->state == STATE_INCONCLUSIVE;
	}
	if (f && p->state != STATE_INCONCLUSIVE) {
		bool placed_right = right && f->place == truth.place;
		if (f->place == PLACE_UNKNOWN)
			t->unplaced++;
		else
			count_finding(t, f, placed_right);
		if (f->has_hop && f->hop_to.ttl && truth.at) {
			t->ranges++;
			t->in_range += f->hop_from.ttl <= truth.at && truth.at <= f->hop_to.ttl;
		}
		if (f->place != PLACE_UNKNOWN && f->confidence >= 0.9 && !placed_right)
			print_message("seed %llu: %s\n    truth: %s\n", (unsigned long long)seed,
				      said_of(r, 25), truth_words(&net, &truth));
	}
	if (whole_report) {
		print_message("truth: %s\n", truth_words(&net, &truth));
		render_text(r, &(struct text_options){.width = 100, .verbose = true}, stdout);
	} else if (!right && p->state != STATE_INCONCLUSIVE)
		print_message("seed %llu: %s\n    truth: %s\n", (unsigned long long)seed, said_of(r, 25),
			      truth_words(&net, &truth));
	scene_free(s);
}

/* SB_SEED=n (SB_SEED_SPENT=n, SB_SEED_RENEWED=n below) repeats one path and tells of it, SB_PATHS=n draws so many. */
static void test_calibration(void **state)
{
	const char *one = getenv("SB_SEED"), *many = getenv("SB_PATHS");
	struct tally t = {0};
	unsigned n = many ? (unsigned)atoi(many) : 2000;

	(void)state;
	if (one) {
		one_path(strtoull(one, NULL, 10), &t, PATH_PLAIN, true);
		return;
	}
	for (unsigned seed = 0; seed < n; seed++)
		one_path(seed, &t, PATH_PLAIN, false);
	tell_tally("paths by lot", &t);
	assert_int_equal(t.healthy_open + t.healthy_undecided, t.healthy);
	assert_true(t.sure_right * 50 >= t.sure * 49);
}

/* Answers of a router that limits them are no independent ones: what one port gets, another lacks. */
static void test_calibration_of_spent_limits(void **state)
{
	const char *one = getenv("SB_SEED_SPENT");
	struct tally t = {0};

	(void)state;
	if (one) {
		one_path(strtoull(one, NULL, 10), &t, PATH_SPENT, true);
		return;
	}
	for (unsigned seed = 0; seed < 1000; seed++)
		one_path(seed, &t, PATH_SPENT, false);
	tell_tally("paths whose routers have spent their errors", &t);
	assert_int_equal(t.healthy_open + t.healthy_undecided, t.healthy);
	assert_true(t.sure_right * 50 >= t.sure * 49);
}

/* Behind whoever sets TTLs anew every TTL reaches the target, and its answers tell how far that is. */
static void test_calibration_of_renewed_ttls(void **state)
{
	const char *one = getenv("SB_SEED_RENEWED");
	struct tally t = {0};

	(void)state;
	if (one) {
		one_path(strtoull(one, NULL, 10), &t, PATH_RENEWED, true);
		return;
	}
	for (unsigned seed = 0; seed < 1000; seed++)
		one_path(seed, &t, PATH_RENEWED, false);
	tell_tally("paths on which TTLs are renewed", &t);
	assert_int_equal(t.healthy_open + t.healthy_undecided, t.healthy);
	assert_true(t.sure_right * 20 >= t.sure * 19);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_where_silent),
		cmocka_unit_test(test_where_silent_hops),
		cmocka_unit_test(test_where_silent_under_limits),
		cmocka_unit_test(test_nothing_sent),
		cmocka_unit_test(test_devices),
		cmocka_unit_test(test_not_early),
		cmocka_unit_test(test_time_exceeded_and_reset),
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_answers_by_sequence),
		cmocka_unit_test(test_border),
		cmocka_unit_test(test_probe_that_was_not_sent),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_places_of_nothing),
		cmocka_unit_test(test_farther_than_any_path),
		cmocka_unit_test(test_where_silent_without_a_distance),
		cmocka_unit_test(test_as_far_as_asked),
		cmocka_unit_test(test_calibration),
		cmocka_unit_test(test_calibration_of_spent_limits),
		cmocka_unit_test(test_calibration_of_renewed_ttls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
