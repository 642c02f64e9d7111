/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "build.h"

#include "conn/fragment.h"

static void whole_dialogue(void **state)
{
	static const struct pkt packets[] = {
		SYN,
		SYNACK,
		ACKED,
		SAYS(true, 40, 1, 1, GREETING),
		SAYS(false, 41, 1, 23, "EHLO me\r\n"),
		SAYS(true, 60, 23, 10, "250-mx.example\r\n250 STARTTLS\r\n"),
		SAYS(false, 61, 10, 53, "QUIT\r\n"),
		SAYS(true, 80, 53, 16, "221 Bye\r\n"),
		{.server = true, .flags = TCP_FIN | TCP_ACK, .ms = 80, .seq = 62, .ack = 16},
		{.flags = TCP_FIN | TCP_ACK, .ms = 81, .seq = 16, .ack = 63},
		{.server = true, .flags = TCP_ACK, .ms = 100, .seq = 63, .ack = 17},
	};
	struct net n;

	(void)state;
	net_run(&n, packets, COUNT(packets));
	assert_int_equal(n.n, 1);
	const struct conn *c = n.records[0];
	assert_int_equal(c->begin, CONN_FROM_SYN);
	assert_int_equal(c->end, CONN_FIN);
	assert_int_equal(c->client_port, 40000);
	assert_int_equal(c->server_port, 25);
	assert_int_equal(c->first_packet, 1);
	assert_int_equal(c->last_packet, 11);
	assert_int_equal(conn_number(c, c->synack), 2);
	assert_int_equal(conn_number(c, c->established), 3);
	assert_int_equal(conn_number(c, c->end_at), 10);
	assert_int_equal(conn_ns(c, c->end_at), EPOCH + 81 * MS);
	assert_int_equal(c->half[CONN_CLIENT].packets, 5);
	assert_int_equal(c->half[CONN_SERVER].packets, 6);
	assert_int_equal(c->half[CONN_CLIENT].bytes, 15);
	assert_int_equal(c->half[CONN_SERVER].bytes, 61);
	assert_true(c->half[CONN_CLIENT].fin_acked && c->half[CONN_SERVER].fin_acked);
	assert_int_equal(c->half[CONN_SERVER].stuck.bytes, 0);
	const struct conn_smtp *s = c->smtp;
	assert_int_equal(s->replies[STAGE_GREETING].code, 220);
	assert_text(c, s->replies[STAGE_GREETING].text, "mx.example ESMTP");
	assert_text(c, s->replies[STAGE_EHLO].text, "mx.example\nSTARTTLS");
	assert_int_equal(s->replies[STAGE_EHLO].lines, 2);
	assert_text(c, s->hello, "EHLO me");
	assert_int_equal(s->replies[STAGE_QUIT].code, 221);
	assert_int_equal(s->stage, STAGE_QUIT);
	assert_int_equal(s->commands, 2);
	assert_int_equal(s->answers, 3);
	assert_int_equal(s->unanswered, 0);
	assert_null(c->tls);
	net_clear(&n);
}

/* Lost, doubled, in another order, cut into single bytes: the dialogue is the same. */
static void order_does_not_matter(void **state)
{
	static const struct pkt packets[] = {
		SYN,
		SYNACK,
		ACKED,
		SAYS(true, 41, 9, 1, "xample ESMTP\r\n"),
		SAYS(true, 40, 1, 1, "220 mx.e"),
		SAYS(true, 42, 1, 1, "220 mx.e"),
		SAYS(false, 50, 1, 23, "EH"),
		SAYS(false, 51, 4, 23, "O me\r\n"),
		SAYS(false, 52, 3, 23, "L"),
		SAYS(true, 60, 23, 10, "250 ok\r\n"),
	};
	struct net n;

	(void)state;
	net_run(&n, packets, COUNT(packets));
	const struct conn *c = n.records[0];
	assert_text(c, c->smtp->replies[STAGE_GREETING].text, "mx.example ESMTP");
	assert_text(c, c->smtp->hello, "EHLO me");
	assert_int_equal(c->smtp->replies[STAGE_EHLO].code, 250);
	assert_int_equal(c->half[CONN_SERVER].hole_bytes, 0);
	assert_int_equal(c->half[CONN_SERVER].late, 1);
	assert_int_equal(c->half[CONN_SERVER].resent, 1);
	assert_int_equal(c->half[CONN_SERVER].bytes, 30);
	net_clear(&n);
}

/* What was acknowledged and is not in the capture. */
static void holes(void **state)
{
	static const struct pkt packets[] = {
		SYN,
		SYNACK,
		ACKED,
		SAYS(true, 40, 1, 1, GREETING),
		SAYS(false, 41, 1, 23, "EHLO me\r\n"),
		/* the reply, 30 bytes, is missing */
		SAYS(false, 200, 10, 53, "MAIL FROM:<>\r\n"),
		SAYS(true, 220, 53, 24, "250 sender ok\r\n"),
		SAYS(false, 400, 24, 68, "QUIT\r\n"),
	};
	struct net n;

	(void)state;
	net_run(&n, packets, COUNT(packets));
	const struct conn *c = n.records[0];
	assert_int_equal(c->half[CONN_SERVER].hole_bytes, 30);
	assert_true(conn_seen(c->half[CONN_SERVER].hole));
	assert_true(c->smtp->stopped);
	assert_int_equal(c->half[CONN_CLIENT].hole_bytes, 0);
	assert_int_equal(c->end, CONN_OPEN);
	net_clear(&n);
}

static void captured_twice(void **state)
{
	struct pkt packets[] = {SYN,
				SYN,
				SYNACK,
				SYNACK,
				ACKED,
				ACKED,
				SAYS(true, 40, 1, 1, GREETING),
				SAYS(true, 40, 1, 1, GREETING)};
	struct net n;

	(void)state;
	for (size_t i = 0; i < COUNT(packets); i++) {
		packets[i].id = (uint16_t)(100 + i / 2);
		packets[i].ttl = i % 2 ? 60 : 61;
	}
	net_run(&n, packets, COUNT(packets));
	const struct conn *c = n.records[0];
	assert_int_equal(c->duplicates, 4);
	assert_int_equal(c->syns, 1);
	assert_int_equal(c->synacks, 1);
	assert_int_equal(c->half[CONN_CLIENT].packets, 2);
	assert_int_equal(c->half[CONN_SERVER].packets, 2);
	assert_int_equal(c->half[CONN_SERVER].resent, 0);
	net_clear(&n);
}

static void own_firewall(void **state)
{
	static const struct pkt packets[] = {
		SYN,
		SYNACK,
		{.flags = TCP_SYN, .ms = 1000},
		{.server = true, .flags = TCP_SYN | TCP_ACK, .ms = 1020, .ack = 1},
		{.flags = TCP_SYN, .ms = 3000}};
	struct net n;

	(void)state;
	net_run(&n, packets, COUNT(packets));
	const struct conn *c = n.records[0];
	assert_int_equal(c->syns, 3);
	assert_int_equal(c->syns_after_synack, 2);
	assert_int_equal(conn_number(c, c->syn_after_synack), 3);
	assert_int_equal(c->synacks, 2);
	assert_int_equal(c->phase, CONN_PHASE_SYNACK);
	assert_false(conn_seen(c->established));
	net_clear(&n);
}

static void forged_reset(void **state)
{
	static const struct pkt packets[] = {SYN,
					     {.server = true,
					      .flags = TCP_RST | TCP_ACK,
					      .ms = 5,
					      .seq = 0u - SERVER_ISN,
					      .ack = 1,
					      .ttl = 62},
					     SYNACK,
					     {.flags = TCP_RST, .ms = 21, .seq = 1}};
	struct net n;

	(void)state;
	net_run(&n, packets, COUNT(packets));
	const struct conn *c = n.records[0];
	assert_int_equal(c->end, CONN_RST);
	assert_int_equal(conn_number(c, c->end_at), 2);
	assert_int_equal(c->n_rsts, 2);
	assert_int_equal(c->rsts[0].side, CONN_SERVER);
	assert_int_equal(c->rsts[0].phase, CONN_PHASE_SYN);
	assert_int_equal(c->rsts[0].print.ttl, 62);
	assert_false(c->rsts[0].seq_known);
	assert_true(c->rsts[0].ack_known);
	assert_int_equal(c->rsts[0].ack_off, 0);
	assert_int_equal(c->rsts[1].side, CONN_CLIENT);
	assert_int_equal(conn_number(c, c->half[CONN_SERVER].after_rst), 3);
	assert_int_equal(conn_number(c, c->synack), 3);
	net_clear(&n);
}

/* A SYN with another number on the same ports is the next connection. */
static void ports_used_again(void **state)
{
	static const struct pkt packets[] = {SYN,
					     SYNACK,
					     ACKED,
					     {.server = true, .flags = TCP_RST, .ms = 50, .seq = 1},
					     {.flags = TCP_SYN, .ms = 100, .isn = 77000},
					     {.flags = TCP_SYN, .ms = 1100, .isn = 77000},
					     {.flags = TCP_SYN, .ms = 1200, .isn = 99000}};
	struct net n;

	(void)state;
	net_run(&n, packets, COUNT(packets));
	assert_int_equal(n.n, 3);
	assert_int_equal(n.records[0]->end, CONN_RST);
	assert_int_equal(n.records[1]->end, CONN_REPLACED);
	assert_int_equal(n.records[1]->syns, 2);
	assert_int_equal(n.records[2]->end, CONN_OPEN);
	assert_int_equal(n.records[2]->first_packet, 7);
	net_clear(&n);
}

static void begins_in_the_middle(void **state)
{
	static const struct pkt packets[] = {SAYS(true, 0, 500, 300, "me\r\n250 STARTTLS\r\n"),
					     SAYS(false, 5, 300, 518, "STARTTLS\r\n"),
					     SAYS(true, 25, 518, 310, "220 go ahead\r\n")};
	struct net n;

	(void)state;
	net_run(&n, packets, COUNT(packets));
	const struct conn *c = n.records[0];
	assert_int_equal(c->begin, CONN_FROM_MIDDLE);
	assert_int_equal(c->role, CONN_ROLE_PORT);
	assert_int_equal(c->server_port, 25);
	assert_int_equal(c->smtp->replies[STAGE_STARTTLS].code, 220);
	assert_false(conn_seen(c->smtp->not_smtp));
	net_clear(&n);
}

/* Stragglers make no connections of their own. */
static void stragglers(void **state)
{
	static const struct pkt packets[] = {
		SYN,
		SYNACK,
		ACKED,
		{.server = true, .flags = TCP_FIN | TCP_ACK, .ms = 50, .seq = 1, .ack = 1},
		{.flags = TCP_FIN | TCP_ACK, .ms = 60, .seq = 1, .ack = 2}};
	struct net n;

	(void)state;
	net_begin(&n, &(struct engine_options){.seed = {1, 2}});
	net_add_all(&n, packets, COUNT(packets));
	for (int i = 0; i < 200; i++) /* time goes on: other ports */
		net_add(&n, &(struct pkt){.flags = TCP_ACK,
					  .ms = 1000 + i * 100,
					  .server_port = 80,
					  .seq = 1});
	assert_int_equal(n.n, 1);
	net_add(&n, &(struct pkt){.server = true,
				  .flags = TCP_FIN | TCP_ACK,
				  .ms = 30000,
				  .seq = 1,
				  .ack = 2});
	net_add(&n, &(struct pkt){.flags = TCP_RST, .ms = 30001, .seq = 2});
	net_end(&n);
	assert_int_equal(n.n, 1);
	net_clear(&n);
}

static void snap_length(void **state)
{
	static const struct pkt packets[] = {SYN,
					     SYNACK,
					     ACKED,
					     {.server = true,
					      .flags = TCP_ACK,
					      .ms = 40,
					      .seq = 1,
					      .ack = 1,
					      .data = GREETING,
					      .cut = 8},
					     SAYS(false, 41, 1, 23, "EHLO me\r\n")};
	struct net n;

	(void)state;
	net_run(&n, packets, COUNT(packets));
	const struct conn *c = n.records[0];
	assert_true(c->snap_cut);
	assert_true(c->smtp->stopped);
	assert_int_equal(c->smtp->replies[STAGE_GREETING].code, 0);
	assert_int_equal(c->half[CONN_SERVER].bytes, 22);
	assert_int_equal(c->half[CONN_SERVER].hole_bytes, 0);
	assert_text(c, c->smtp->hello, "EHLO me");
	net_clear(&n);
}

static void not_smtp(void **state)
{
	static const struct pkt packets[] = {SYN, SYNACK, ACKED,
					     SAYS(true, 40, 1, 1, "SSH-2.0-OpenSSH_9.2\r\n")};
	struct net n;

	(void)state;
	net_run(&n, packets, COUNT(packets));
	const struct conn *c = n.records[0];
	assert_int_equal(conn_number(c, c->smtp->not_smtp), 4);
	assert_text(c, c->smtp->server_first, "SSH-2.0-OpenSSH_9.2\r\n");
	net_clear(&n);
}

static void stuck_data(void **state)
{
	static const struct pkt packets[] = {SYN,
					     SYNACK,
					     ACKED,
					     SAYS(true, 40, 1, 1, GREETING),
					     SAYS(false, 41, 1, 23, "EHLO me\r\n"),
					     SAYS(false, 300, 1, 23, "EHLO me\r\n"),
					     SAYS(false, 900, 1, 23, "EHLO me\r\n")};
	struct net n;

	(void)state;
	net_run(&n, packets, COUNT(packets));
	const struct conn_stuck *s = &n.records[0]->half[CONN_CLIENT].stuck;
	assert_int_equal(s->bytes, 9);
	assert_int_equal(s->size, 9);
	assert_int_equal(s->repeats, 2);
	assert_int_equal(conn_number(n.records[0], s->first), 5);
	assert_int_equal(conn_number(n.records[0], s->last), 7);
	assert_int_equal(n.records[0]->half[CONN_SERVER].stuck.bytes, 0);
	net_clear(&n);
}

/* Other ports only by the look of the greeting, and FTP's is not enough. */
static void any_port(void **state)
{
	static const char *const greetings[] = {GREETING, "220 FTP server ready\r\n",
						"HTTP/1.1 200\r\n"};

	(void)state;
	for (size_t i = 0; i < COUNT(greetings); i++) {
		struct pkt packets[] = {SYN, SYNACK, ACKED, SAYS(true, 40, 1, 1, greetings[i])};
		struct net n;
		net_begin(&n, &(struct engine_options){.any_port = true, .seed = {1, 2}});
		for (size_t p = 0; p < COUNT(packets); p++) {
			packets[p].server_port = 2525;
			net_add(&n, &packets[p]);
		}
		net_end(&n);
		assert_int_equal(n.n, i == 0 ? 1 : 0);
		net_clear(&n);
	}
}

struct counts {
	size_t n, evicted, open;
	size_t largest;
};

static void count(void *ctx, const struct conn *c)
{
	struct counts *k = ctx;

	k->n++;
	k->evicted += c->end == CONN_EVICTED;
	k->open += c->end == CONN_OPEN;
}

/* Whom a SYN looks like may be gone: one that turned out to be no mail leaves without a word. (A second one
 * that leaves keeps its place from being taken by the SYN.) */
static void twin_that_is_gone(void **state)
{
	static const struct pkt packets[] = {
		{.flags = TCP_SYN},
		{.server = true, .flags = TCP_SYN | TCP_ACK, .ack = 1},
		{.flags = TCP_ACK, .seq = 1, .ack = 1},
		{.server = true, .flags = TCP_ACK, .seq = 1, .ack = 1, .data = "HTTP/1.0 400 Bad Request\r\n"},
	};
	struct net n;

	(void)state;
	net_begin(&n, &(struct engine_options){.any_port = true, .seed = {1, 2}});
	for (size_t i = 0; i < COUNT(packets); i++)
		for (uint16_t k = 0; k < 2; k++) {
			struct pkt p = packets[i];
			p.port = (uint16_t)(40000 + k);
			p.server_port = 8080;
			p.isn = CLIENT_ISN + k;
			net_add(&n, &p);
		}
	net_add(&n, &(struct pkt){.flags = TCP_SYN, .ms = 4, .port = 40002});
	net_end(&n);
	assert_int_equal(n.n, 1);
	assert_int_equal(n.records[0]->server_port, 25);
	assert_null(n.records[0]->twin);
	net_clear(&n);
}

/* A flood of half-open connections: each is told, none twice, and the ceiling holds. */
static void flood(void **state)
{
	enum { FLOOD = 60000 };
	struct counts k = {0};
	struct engine_stats stats;
	uint8_t bytes[64];

	(void)state;
	struct engine *e = engine_new(
		&(struct engine_options){.max_memory = (size_t)2 << 20, .seed = {3, 4}}, count, &k);
	for (uint32_t i = 0; i < FLOOD; i++) {
		struct pkt p = {.flags = TCP_SYN, .port = (uint16_t)(1 + i % 60000), .isn = i + 1};
		size_t len = made(&p, i, bytes);
		be32(bytes + 12, 0x0a000000 + i);
		engine_frames(e,
			      &(struct frame){.bytes = bytes,
					      .caplen = (uint32_t)len,
					      .wire_len = (uint32_t)len,
					      .t_ns = EPOCH + i,
					      .link_type = LINK_RAW},
			      1);
	}
	engine_finish(e);
	engine_get_stats(e, &stats);
	engine_free(e);
	assert_int_equal(k.n, FLOOD);
	assert_int_equal(stats.connections, FLOOD);
	assert_int_equal(stats.evicted, k.evicted);
	assert_int_equal(k.evicted + k.open, FLOOD);
	assert_true(k.evicted > 0 && k.open > 1000);
	assert_true(stats.memory_peak <= (size_t)2 << 20);
}

/* Connections that need memory to the last: each has the beginning of a greeting to be told. */
static void crowd(void **state)
{
	enum { CROWD = 3000 };
	/* so long that what is told of it asks for a larger block */
	static const char half[] =
		"220-0123456789012345678901234567890123456789012345678901234567890123456789"
		"0123456789012345678901234567890123456789";
	struct counts k = {0};
	struct engine_stats stats;
	uint8_t bytes[256];

	(void)state;
	struct engine *e = engine_new(
		&(struct engine_options){.max_memory = 600 << 10, .seed = {3, 4}}, count, &k);
	for (uint32_t i = 0; i < CROWD; i++) {
		struct pkt packets[] = {SYN, SYNACK, ACKED, SAYS(true, 40, 1, 1, half)};
		for (size_t j = 0; j < COUNT(packets); j++) {
			packets[j].port = (uint16_t)(1000 + i);
			size_t len = made(&packets[j], j, bytes);
			engine_frames(e,
				      &(struct frame){.bytes = bytes,
						      .caplen = (uint32_t)len,
						      .wire_len = (uint32_t)len,
						      .t_ns = EPOCH + i * MS,
						      .link_type = LINK_RAW},
				      1);
		}
	}
	engine_finish(e);
	engine_get_stats(e, &stats);
	engine_free(e);
	assert_int_equal(k.n, CROWD);
	assert_int_equal(k.evicted + k.open, CROWD);
	assert_true(k.evicted > 0);
	assert_true(stats.memory_peak <= 600 << 10);
}

/* The greeting in two IP fragments, the later one first. */
static void fragments(void **state)
{
	static const struct pkt packets[] = {SYN, SYNACK, ACKED};
	struct pkt p = SAYS(true, 40, 1, 1, GREETING "220");
	uint8_t whole[256], piece[256];
	struct net n;

	(void)state;
	net_begin(&n, &(struct engine_options){.seed = {1, 2}});
	net_add_all(&n, packets, COUNT(packets));
	p.data = GREETING;
	size_t len = made(&p, 9, whole);
	for (int later = 1; later >= 0; later--) {
		size_t from = later ? 32 : 0, to = later ? len - 20 : 32;
		memcpy(piece, whole, 20);
		memcpy(piece + 20, whole + 20 + from, to - from);
		be16(piece + 2, (unsigned)(20 + to - from));
		be16(piece + 6, (unsigned)(from / 8 | (later ? 0 : 0x2000)));
		engine_frames(n.engine,
			      &(struct frame){.bytes = piece,
					      .caplen = (uint32_t)(20 + to - from),
					      .wire_len = (uint32_t)(20 + to - from),
					      .t_ns = EPOCH + 40 * MS,
					      .link_type = LINK_RAW},
			      1);
	}
	net_end(&n);
	assert_int_equal(n.records[0]->smtp->replies[STAGE_GREETING].code, 220);
	assert_true(n.records[0]->half[CONN_SERVER].fragments);
	net_clear(&n);
}

/* What lies behind the last fragment fills no hole before it. */
static void fragments_with_a_hole(void **state)
{
	static const struct {
		uint16_t offset, len;
		bool more;
	} orders[][3] = {
		{{104, 96, true}, {8, 8, false}, {0, 0, false}},  /* 0..7 never comes */
		{{8, 8, false}, {104, 96, true}, {0, 0, false}},
		{{16, 8, true}, {8, 8, false}, {0, 8, true}},     /* ... or it does: a forged datagram all the same */
	};
	static const uint8_t bytes[128];

	(void)state;
	for (size_t i = 0; i < COUNT(orders); i++) {
		struct budget budget = {.max = 1 << 24};
		struct fragments *f = fragments_new(&budget);
		assert_non_null(f);
		for (size_t k = 0; k < 3 && orders[i][k].len; k++) {
			struct packet p = {.kind = PACKET_OTHER, .proto = 6, .ttl = 60, .frag_id = 9,
					   .src = addr_v4("\x0a\x01\x00\x02"), .dst = addr_v4("\xc6\x33\x64\x19"),
					   .frag_offset = orders[i][k].offset, .more_fragments = orders[i][k].more,
					   .payload = bytes, .payload_len = orders[i][k].len,
					   .payload_caplen = orders[i][k].len};
			struct whole w;
			assert_false(fragments_add(f, &p, &w));
		}
		fragments_free(f);
		assert_int_equal(budget.used, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_dialogue),
		cmocka_unit_test(order_does_not_matter),
		cmocka_unit_test(holes),
		cmocka_unit_test(captured_twice),
		cmocka_unit_test(own_firewall),
		cmocka_unit_test(forged_reset),
		cmocka_unit_test(ports_used_again),
		cmocka_unit_test(begins_in_the_middle),
		cmocka_unit_test(stragglers),
		cmocka_unit_test(snap_length),
		cmocka_unit_test(not_smtp),
		cmocka_unit_test(stuck_data),
		cmocka_unit_test(any_port),
		cmocka_unit_test(twin_that_is_gone),
		cmocka_unit_test(flood),
		cmocka_unit_test(fragments),
		cmocka_unit_test(fragments_with_a_hole),
		cmocka_unit_test(crowd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
