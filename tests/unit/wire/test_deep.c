/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tunnels: what is inside, what was around it, and where following them ends. */
#include <stdio.h>

#include "bytes.h"

#define MACS "020000000001 020000000002 "
#define ETHER4 MACS "0800 " SYN4
#define ETHER6 MACS "86dd " SYN6

/* Around it: a packet of `length` (4 digits) from 203.0.113.1 to 203.0.113.9, TTL 250. */
#define OUTER4(length, proto) "4500" length " 00010000 fa" proto "0000 cb007101 cb007109 "
#define OUTER6(length, next)  "60000000 " length " " next " fa " ADDR6_1 ADDR6_2
#define UDP(port)	      "c000 " port " 0000 0000 "

static const struct {
	const char *what;
	unsigned around;
	unsigned outer_ttl;
	const char *text;
	const char *hex; /* from an IP header on */
} samples[] = {
	{"no tunnel", 0, 0, SYN4_TEXT, SYN4},
	{"IP in IP", AROUND_IPIP, 250, SYN4_TEXT, OUTER4("0050", "04") SYN4},
	{"6in4", AROUND_IPIP, 250, SYN6_TEXT, OUTER4("0064", "29") SYN6},
	{"4in6", AROUND_IPIP, 250, SYN4_TEXT, OUTER6("003c", "04") SYN4},
	{"6in6 behind an extension header", AROUND_IPIP, 250, SYN6_TEXT,
	 OUTER6("0058", "3c") "29 00 0104 00000000 " SYN6},
	{"GRE", AROUND_GRE, 250, SYN4_TEXT, OUTER4("0054", "2f") "0000 0800 " SYN4},
	{"GRE with IPv6", AROUND_GRE, 250, SYN6_TEXT, OUTER4("0068", "2f") "0000 86dd " SYN6},
	{"GRE with checksum, key and number", AROUND_GRE, 250, SYN4_TEXT,
	 OUTER4("0060", "2f") "b000 0800 00000000 00000001 00000002 " SYN4},
	{"GRE with a frame", AROUND_GRE, 250, SYN4_TEXT, OUTER4("0062", "2f") "0000 6558 " ETHER4},
	{"PPTP", AROUND_GRE, 250, SYN4_TEXT,
	 OUTER4("0060", "2f") "3081 880b 00400001 00000001 00000001 0021 " SYN4},
	{"ERSPAN type I", AROUND_GRE, 250, SYN4_TEXT, OUTER4("0062", "2f") "0000 88be " ETHER4},
	{"ERSPAN type II", AROUND_GRE, 250, SYN4_TEXT,
	 OUTER4("006e", "2f") "1000 88be 00000001 1000000100000000 " ETHER4},
	{"ERSPAN type III", AROUND_GRE, 250, SYN4_TEXT,
	 OUTER4("0072", "2f") "1000 22eb 00000001 200000010000000000000000 " ETHER4},
	{"ERSPAN type III with a subheader", AROUND_GRE, 250, SYN4_TEXT,
	 OUTER4("007a", "2f") "1000 22eb 00000001 200000010000000000000001 0000000000000000 " ETHER4},
	{"VXLAN", AROUND_VXLAN, 250, SYN4_TEXT,
	 OUTER4("006e", "11") UDP("12b5") "08000000 00000100 " ETHER4},
	{"VXLAN on Linux's old port", AROUND_VXLAN, 250, SYN6_TEXT,
	 OUTER4("0082", "11") UDP("2118") "08000000 00000100 " ETHER6},
	{"Geneve with a frame and 4 bytes of options", AROUND_GENEVE, 250, SYN4_TEXT,
	 OUTER4("0072", "11") UDP("17c1") "0100 6558 00000100 00000000 " ETHER4},
	{"Geneve with IP", AROUND_GENEVE, 250, SYN6_TEXT,
	 OUTER6("0060", "11") UDP("17c1") "0000 86dd 00000100 " SYN6},
	{"IP in IP in GRE: the outermost TTL", AROUND_GRE | AROUND_IPIP, 250, SYN4_TEXT,
	 OUTER4("0068", "2f") "0000 0800 45000050 00010000 3c040000 0a090001 0a090002 " SYN4},
};

static enum decode_result deep(const char *hex, struct packet *p)
{
	struct bytes b = bytes_of(hex);
	enum decode_result r = decode_with(wire_decode_deep, LINK_RAW, b.at, b.len, b.len, p);

	free(b.at);
	return r;
}

static void tells_the_inner_packet(void **state)
{
	char text[400];
	struct packet p;

	(void)state;
	for (size_t i = 0; i < COUNT(samples); i++) {
		if (deep(samples[i].hex, &p) != DECODE_OK)
			fail_msg("%s: not decoded", samples[i].what);
		assert_string_equal(wire_text(&p, text, sizeof(text)), samples[i].text);
		if (p.around != samples[i].around || p.outer_ttl != samples[i].outer_ttl)
			fail_msg("%s: around %x, ttl %u", samples[i].what, p.around, p.outer_ttl);
	}
}

/* A live run takes a tunnel's packet for what it is: not ours. */
static void only_the_deep_one_follows(void **state)
{
	struct packet p;

	(void)state;
	for (size_t i = 1; i < COUNT(samples); i++) {
		assert_int_equal(decode_hex(LINK_RAW, samples[i].hex, &p), DECODE_OK);
		assert_int_equal(p.kind, PACKET_OTHER);
	}
}

/* Cut anywhere: no overread, and never another packet than the whole one's. */
static void cut_anywhere(void **state)
{
	struct packet p, whole;

	(void)state;
	for (size_t i = 0; i < COUNT(samples); i++) {
		struct bytes b = bytes_of(samples[i].hex);
		decode_with(wire_decode_deep, LINK_RAW, b.at, b.len, b.len, &whole);
		for (size_t n = 0; n < b.len; n++) {
			if (decode_with(wire_decode_deep, LINK_RAW, b.at, n, b.len, &p) != DECODE_OK ||
			    p.kind != PACKET_TCP)
				continue;
			assert_int_equal(p.tcp.dport, whole.tcp.dport);
			assert_int_equal(p.tcp.seq, whole.tcp.seq);
		}
		free(b.at);
	}
}

static const struct {
	enum decode_result result;
	const char *what, *hex;
} outer_only[] = {
	/* what is no tunnel, or none that is known, stays the packet that it is */
	{DECODE_OK, "DNS", OUTER4("0020", "11") "c000 0035 000c 0000 00000000"},
	{DECODE_OK, "VXLAN without its flag", OUTER4("006e", "11") UDP("12b5") "00000000 00000100 " ETHER4},
	{DECODE_OK, "Geneve of another version", OUTER4("006e", "11") UDP("17c1") "4000 6558 00000100 " ETHER4},
	{DECODE_OK, "GRE with routing", OUTER4("0054", "2f") "4000 0800 " SYN4},
	{DECODE_OK, "GRE version 2", OUTER4("0054", "2f") "0002 0800 " SYN4},
	{DECODE_OK, "ESP", OUTER4("001c", "32") "00000001 00000001"},
};

static void stays_the_outer_packet(void **state)
{
	struct packet p;

	(void)state;
	for (size_t i = 0; i < COUNT(outer_only); i++) {
		enum decode_result r = deep(outer_only[i].hex, &p);
		if (r == DECODE_OK && p.kind == PACKET_TCP)
			fail_msg("%s: taken for what is inside", outer_only[i].what);
		assert_true(r == DECODE_OK || r == DECODE_NOT_IP || r == DECODE_UNSUPPORTED);
	}
}

/* A packet that wraps itself 60 times: an end, and no innermost SYN. */
static void not_for_ever(void **state)
{
	char hex[60 * 48 + 400] = "";
	size_t length = 60 + 60 * 20, at = 0;
	struct packet p;

	(void)state;
	for (int i = 0; i < 60; i++, length -= 20)
		at += (size_t)snprintf(hex + at, sizeof(hex) - at,
				       "4500%04zx 00010000 fa040000 cb007101 cb007109 ", length);
	snprintf(hex + at, sizeof(hex) - at, "%s", SYN4);
	enum decode_result r = deep(hex, &p);
	assert_false(r == DECODE_OK && p.kind == PACKET_TCP);
}

/* A fragment is the IP payload, to be put together: its bytes are no header. */
static void fragments_keep_their_payload(void **state)
{
	struct packet p;

	(void)state;
	assert_int_equal(deep("4500002c 1c472000 40060000 0a000002 c0000201 9c400019 00000002 00000008 "
			      "501001f6 00000000 61626364", &p), DECODE_OK);
	assert_int_equal(p.kind, PACKET_OTHER);
	assert_int_equal(p.payload_len, 24);
	assert_int_equal(deep("60000000 0020 2c 40 " ADDR6_2 ADDR6_1 "06 00 0001 00000001 "
			      "9c400019 00000002 00000008 501001f6 00000000 61626364", &p), DECODE_OK);
	assert_int_equal(p.kind, PACKET_OTHER);
	assert_int_equal(p.payload_len, 24);
	/* in a tunnel, too */
	assert_int_equal(deep(OUTER4("0040", "04")
			      "4500002c 1c472000 40060000 0a000002 c0000201 9c400019 00000002 00000008 "
			      "501001f6 00000000 61626364", &p), DECODE_OK);
	assert_int_equal(p.kind, PACKET_OTHER);
	assert_int_equal(p.around, AROUND_IPIP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_the_inner_packet),
		cmocka_unit_test(only_the_deep_one_follows),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(stays_the_outer_packet),
		cmocka_unit_test(not_for_ever),
		cmocka_unit_test(fragments_keep_their_payload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
