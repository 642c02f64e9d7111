/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The packets of a report, and the address under which the server knows us. */
#include "build.h"

static const struct report_packet *packet_with(const struct report *r, unsigned port, unsigned lane,
					       const char *label)
{
	for (unsigned i = 0; i < r->n_packets; i++)
		if (r->packets[i].port == port && r->packets[i].lane == lane &&
		    strcmp(r->packets[i].label, label) == 0)
			return &r->packets[i];
	fail_msg("no %s of port %u at lane %u", label, port, lane);
	return NULL;
}

static const struct report *finish_with_packets(struct scene *s)
{
	s->plan.packets = true;
	return finish(s);
}

static void test_lanes(bool v6)
{
	struct scene *s = scene_new(v6);

	usual_host(s);
	start(s, 25);
	answered(s, 443, 60);
	two_traces(s, 25, 2, 443, 4, 3);
	const struct report *r = finish_with_packets(s);

	const struct report_packet *p = packet_with(r, 25, LANE_TARGET, "SYN");
	assert_true(!p->inbound && p->unanswered && !p->probe);
	assert_true(p->evidence > 0); /* "SYN left" */
	assert_non_null(strstr(r->evidence[p->evidence - 1].text, p->text));
	p = packet_with(r, 443, LANE_TARGET, "SYN-ACK");
	assert_true(p->inbound && !p->probe && p->evidence > 0);

	p = packet_with(r, 25, 2, "SYN");
	assert_true(p->probe && !p->inbound && !p->unanswered);
	p = packet_with(r, 25, 2, "time exceeded");
	assert_true(p->probe && p->inbound);
	p = packet_with(r, 25, 3, "SYN");
	assert_true(p->probe && p->unanswered);
	/* its answer says how far that SYN came, whatever address it bears */
	packet_with(r, 443, 5, "SYN-ACK");
	for (unsigned i = 1; i < r->n_packets; i++)
		assert_true(r->packets[i - 1].t_ms <= r->packets[i].t_ms);
	scene_free(s);
}

static void test_lanes_v4(void **state)
{
	(void)state;
	test_lanes(false);
}

static void test_lanes_v6(void **state)
{
	(void)state;
	test_lanes(true);
}

static void test_errors_come_from_their_hop(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	usual_host(s);
	unsigned f = start(s, 25);
	answered(s, 443, 60);
	two_traces(s, 443, 4, 443, 4, 1);
	icmp(s, f, hop(s, 3), 3, 13, 61);
	icmp(s, f, ip("192.0.2.200"), 3, 13, 61);
	const struct report *r = finish_with_packets(s);
	assert_true(packet_with(r, 25, 3, "admin-prohibited")->inbound);
	packet_with(r, 25, LANE_UNKNOWN, "admin-prohibited");
	scene_free(s);
}

/* What a redirect turns to loopback never left. */
static void test_loopback(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	usual_host(s);
	unsigned f = flow(s, 25);
	on_lo(syn(s, f));
	on_lo(rst(s, f, 64));
	answered(s, 443, 60);
	const struct report *r = finish_with_packets(s);
	assert_false(packet_with(r, 25, 0, "SYN")->inbound);
	assert_true(packet_with(r, 25, 0, "RST")->inbound);
	scene_free(s);
}

static void test_only_where_asked_for(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	usual_host(s);
	answered(s, 25, 60);
	assert_int_equal(finish(s)->n_packets, 0);
	scene_free(s);
}

/* However many packets there are: the page is bounded, and what was left out is counted. */
static void test_bounded(void **state)
{
	struct scene *s = scene_new(false);
	unsigned all = 4; /* those of answered() */

	(void)state;
	usual_host(s);
	unsigned f = answered(s, 25, 60);
	answered(s, 443, 60);
	for (; all < 2000; all++) {
		struct packet *p = answer(s, f, 60, TCP_ACK);
		p->payload_len = 1;
	}
	const struct report *r = finish_with_packets(s);
	assert_in_range(r->n_packets, 100, 600);
	assert_int_equal(r->n_packets + r->packets_left_out, all);
	scene_free(s);
}

/* ---- our address, as the server sees it ---- */

static void seen_as(const char *ehlo, const char *want)
{
	struct scene *s = scene_new(strchr(want, ':') != NULL);
	const char *const lines[] = {ehlo, "PIPELINING", NULL};

	usual_host(s);
	unsigned f = answered(s, 25, 60);
	answered(s, 443, 60);
	greeting(s, f, 220, "mx.example.com ESMTP");
	said(s, f, STAGE_EHLO, 250, ehlo, lines);
	session_end(s, f, STAGE_QUIT, SESSION_DONE, NULL);
	struct addr none = {0}, a = *want ? ip(want) : none;
	const struct report *r = finish(s);
	if (!addr_equal(&r->vantage.seen_as, &a))
		fail_msg("%s: not %s", ehlo, want);
	scene_free(s);
}

static void test_seen_as(void **state)
{
	(void)state;
	seen_as("mx.example.com Hello night.example [203.0.113.7], pleased to meet you", "203.0.113.7");
	seen_as("mx.google.com at your service, [203.0.113.7]", "203.0.113.7");
	seen_as("mx.example.com Hello [IPv6:2001:db8:7::7]", "2001:db8:7::7");
	seen_as("mx.example.com Hello [v6] [2001:db8:7::7]", "2001:db8:7::7");
	seen_as("mx.example.com", "");
	seen_as("[198.51.100.7] greets you", "");               /* its own name */
	seen_as("mx.example.com this is [198.51.100.25]", "");  /* its own address */
	seen_as("mx.example.com Hello [2001:db8::7]", "");      /* of the other family */
	seen_as("mx.example.com Hello [127.0.0.1]", "");
	seen_as("mx.example.com Hello [fe80::1%lo]", "");
	seen_as("mx.example.com Hello [203.0.113.7", "203.0.113.7"); /* cut short */
}

static void test_seen_as_in_a_refusal(void **state)
{
	struct scene *s = scene_new(false);
	struct addr want = ip("203.0.113.7");

	(void)state;
	usual_host(s);
	unsigned f = answered(s, 25, 60);
	answered(s, 443, 60);
	greeting(s, f, 554, "5.7.1 <unknown[203.0.113.7]>: Client host rejected: Access denied");
	session_end(s, f, STAGE_GREETING, SESSION_CLOSED, NULL);
	const struct report *r = finish(s);
	assert_int_equal(state_of(r, 25), STATE_REJECTED);
	assert_true(addr_equal(&r->vantage.seen_as, &want));
	scene_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lanes_v4),
		cmocka_unit_test(test_lanes_v6),
		cmocka_unit_test(test_errors_come_from_their_hop),
		cmocka_unit_test(test_loopback),
		cmocka_unit_test(test_only_where_asked_for),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_seen_as),
		cmocka_unit_test(test_seen_as_in_a_refusal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
