/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Many runs behind one tap: whose a packet is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>

#include "run/target.h"

#define RUNS 3

struct fixture {
	struct crowd crowd;
	struct plan plan[RUNS];
	struct run run[RUNS];
	uint16_t port[RUNS], trace_port[RUNS];
};

static unsigned given[RUNS]; /* packets that each run got */
static struct run *first_run;

static void give(struct run *r, const struct packet *p, const struct frame_copy *frame)
{
	(void)p;
	(void)frame;
	given[r - first_run]++;
}

static struct addr ip(const char *text)
{
	struct addr a;

	assert_true(addr_parse(&a, text));
	return a;
}

/* The first two call one address. */
static int setup(void **state)
{
	static const char *const targets[RUNS] = {"198.51.100.25", "198.51.100.25", "198.51.100.26"};
	struct fixture *f = calloc(1, sizeof(*f));

	turns_init(&f->crowd.turns);
	f->crowd.connections = ports_new((struct port_range){40000, 40999});
	f->crowd.traces = ports_new((struct port_range){20000, 20999});
	for (unsigned i = 0; i < RUNS; i++) {
		f->plan[i].target = ip(targets[i]);
		f->run[i].plan = &f->plan[i];
		f->port[i] = ports_take(f->crowd.connections, &f->run[i]);
		f->trace_port[i] = ports_take(f->crowd.traces, &f->run[i]);
		crowd_join(&f->crowd, &f->run[i]);
		given[i] = 0;
	}
	first_run = f->run;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	ports_free(f->crowd.connections);
	ports_free(f->crowd.traces);
	turns_clear(&f->crowd.turns);
	free(f);
	return 0;
}

static struct packet tcp(enum packet_dir dir, const char *src, uint16_t sport, const char *dst,
			 uint16_t dport)
{
	struct packet p = {.kind = PACKET_TCP, .dir = dir, .src = ip(src), .dst = ip(dst)};

	p.tcp.sport = sport;
	p.tcp.dport = dport;
	return p;
}

static void expect(struct fixture *f, const struct packet *p, unsigned a, unsigned b, unsigned c)
{
	memset(given, 0, sizeof(given));
	crowd_give(&f->crowd, p, NULL, give);
	assert_int_equal(given[0], a);
	assert_int_equal(given[1], b);
	assert_int_equal(given[2], c);
}

static void test_by_port(void **state)
{
	struct fixture *f = *state;
	struct packet p = tcp(PACKET_OUT, "10.0.0.2", f->port[1], "198.51.100.25", 25);

	expect(f, &p, 0, 1, 0);
	p = tcp(PACKET_IN, "198.51.100.25", 25, "10.0.0.2", f->port[0]);
	expect(f, &p, 1, 0, 0);
	p = tcp(PACKET_IN, "198.51.100.26", 25, "10.0.0.2", f->trace_port[2]);
	expect(f, &p, 0, 0, 1);
	/* redirected by this host: the port tells, not the address */
	p = tcp(PACKET_OUT, "127.0.0.1", f->port[2], "127.0.0.1", 2525);
	p.loopback = true;
	expect(f, &p, 0, 0, 1);
}

/* Where this host's masquerading has changed the port, the address is left. */
static void test_by_target(void **state)
{
	struct fixture *f = *state;
	struct packet p = tcp(PACKET_IN, "198.51.100.26", 25, "10.0.0.2", 1234);

	expect(f, &p, 0, 0, 1);
	p = tcp(PACKET_OUT, "10.0.0.2", 1234, "198.51.100.25", 25);
	expect(f, &p, 1, 1, 0);
	p = tcp(PACKET_IN, "192.0.2.1", 25, "10.0.0.2", 1234);
	expect(f, &p, 0, 0, 0);
}

static void test_icmp(void **state)
{
	struct fixture *f = *state;
	struct packet p = {.kind = PACKET_ICMP, .dir = PACKET_IN, .src = ip("203.0.113.2"),
			   .dst = ip("10.0.0.2")};

	expect(f, &p, 0, 0, 0); /* it quotes nothing */
	p.icmp.quote.present = p.icmp.quote.has_ports = true;
	p.icmp.quote.dst = ip("198.51.100.25");
	p.icmp.quote.sport = f->trace_port[1];
	expect(f, &p, 0, 1, 0);
	p.icmp.quote.sport = 1234;
	expect(f, &p, 1, 1, 0);
	p.icmp.quote.has_ports = false;
	p.icmp.quote.dst = ip("198.51.100.26");
	expect(f, &p, 0, 0, 1);
	p.kind = PACKET_OTHER;
	expect(f, &p, 0, 0, 0);
}

static void test_neighbour(void **state)
{
	struct fixture *f = *state;
	struct packet p = {.kind = PACKET_NEIGHBOUR, .dir = PACKET_IN, .src = ip("10.0.0.1"),
			   .dst = ip("10.0.0.2"), .neighbour = {.answers = true, .about = ip("10.0.0.1")}};

	expect(f, &p, 1, 1, 1);
	p.neighbour.answers = false; /* somebody else of the network asks */
	expect(f, &p, 0, 0, 0);
	p.dir = PACKET_OUT;
	expect(f, &p, 1, 1, 1);
}

/* Who has left gets nothing more, and the others of the same address go on. */
static void test_leave(void **state)
{
	struct fixture *f = *state;
	struct packet p = tcp(PACKET_IN, "198.51.100.25", 25, "10.0.0.2", 1234);

	crowd_leave(&f->crowd, &f->run[0]);
	expect(f, &p, 0, 1, 0);
	crowd_leave(&f->crowd, &f->run[1]);
	expect(f, &p, 0, 0, 0);
	ports_give_back(f->crowd.connections, f->port[0]);
	p.tcp.dport = f->port[0];
	expect(f, &p, 0, 0, 0);
}

/* Samples: the first runs of a call; of an exporter some of those under way, whenever that is. */
static void test_samples(void **state)
{
	struct fixture *f = *state;
	struct crowd *c = &f->crowd;

	c->n_begun = CROWD_SAMPLES;
	assert_false(crowd_wants_sample(c));
	c->lasting = true;
	assert_true(crowd_wants_sample(c));
	c->sampling = 1;
	assert_true(crowd_wants_sample(c));
	c->turns.limited = true; /* their errors are for those who need them */
	assert_false(crowd_wants_sample(c));
	c->turns.limited = false;
	c->sampling = CROWD_SAMPLES;
	assert_false(crowd_wants_sample(c));
	/* others wait for the first samples only, and not for ever */
	c->sample_until = 1000;
	assert_true(crowd_waits(c, 999));
	assert_false(crowd_waits(c, 1000));
	c->known_until = 900;
	assert_true(crowd_waits(c, 950));
	c->known_until = 960;
	assert_false(crowd_waits(c, 950));
	c->sampling = 0;
}

static void test_looks(void **state)
{
	struct fixture *f = *state;
	struct crowd *c = &f->crowd;

	assert_int_equal(crowd_look_turn(c), LOOK_NOW);
	c->looking = &f->run[0];
	c->looks = 1;
	assert_int_equal(crowd_look_turn(c), LOOK_LATER);
	c->looking = NULL;
	c->looks = CROWD_LOOKS;
	assert_int_equal(crowd_look_turn(c), LOOK_NEVER);
	/* an exporter gets them back, one after the other */
	c->lasting = true;
	c->looks_ns = clock_mono_ns() - CROWD_LOOK_AGAIN_NS;
	assert_int_equal(crowd_look_turn(c), LOOK_NOW);
	c->looks = CROWD_LOOKS;
	assert_int_equal(crowd_look_turn(c), LOOK_NEVER);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_by_port),
		TEST(test_by_target),
		TEST(test_icmp),
		TEST(test_neighbour),
		TEST(test_leave),
		TEST(test_samples),
		TEST(test_looks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
