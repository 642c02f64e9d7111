/* SPDX-License-Identifier: GPL-3.0-or-later */
/* bpf/probe.filter and its placeholders, against frames built here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/filter.h"

static const int link_types[] = {DLT_LINUX_SLL2, DLT_EN10MB, DLT_LINUX_SLL, DLT_RAW};
#define N_LINK_TYPES (sizeof(link_types) / sizeof(link_types[0]))

static struct addr parse(const char *text)
{
	struct addr a;

	assert_true(addr_parse(&a, text));
	return a;
}

/* ---- frames ------------------------------------------------------------------------------ */

struct frame {
	uint8_t bytes[256];
	size_t len;
};

static void put(struct frame *f, const void *bytes, size_t n)
{
	assert_true(f->len + n <= sizeof(f->bytes));
	memcpy(f->bytes + f->len, bytes, n);
	f->len += n;
}

static void put16(struct frame *f, unsigned v)
{
	const uint8_t b[2] = {(uint8_t)(v >> 8), (uint8_t)v};

	put(f, b, 2);
}

static void put_zeros(struct frame *f, size_t n)
{
	for (; n > 0; n--)
		put(f, "", 1);
}

static void put_link(struct frame *f, int link_type, bool v6)
{
	unsigned ethertype = v6 ? 0x86dd : 0x0800;

	f->len = 0;
	switch (link_type) {
	case DLT_LINUX_SLL2:
		put16(f, ethertype);
		put_zeros(f, 18);
		break;
	case DLT_LINUX_SLL:
		put_zeros(f, 14);
		put16(f, ethertype);
		break;
	case DLT_EN10MB:
		put_zeros(f, 12);
		put16(f, ethertype);
		break;
	case DLT_RAW: break;
	default: fail();
	}
}

/* ext: first next-header of an IPv6 packet when it is not `proto` itself, -1: none. One extension
 * header of ext_len bytes then comes in between. */
struct ip {
	const char *src, *dst;
	uint8_t proto;
	int ext;
	size_t ext_len;
	unsigned frag; /* IPv4 flags and fragment offset field */
};

static void put_ip(struct frame *f, const struct ip *ip)
{
	struct addr src = parse(ip->src), dst = parse(ip->dst);

	if (src.family == ADDR_V4) {
		put16(f, 0x4500);
		put16(f, 60); /* length: no filter looks */
		put16(f, 1);
		put16(f, ip->frag);
		put16(f, 64u << 8 | ip->proto);
		put16(f, 0);
		put(f, src.bytes, 4);
		put(f, dst.bytes, 4);
		return;
	}
	const uint8_t first = ip->ext >= 0 ? (uint8_t)ip->ext : ip->proto;
	put16(f, 0x6000);
	put16(f, 0);
	put16(f, 60);
	put(f, &first, 1);
	put(f, "\x40", 1);
	put(f, src.bytes, 16);
	put(f, dst.bytes, 16);
	if (ip->ext >= 0) {
		const uint8_t head[2] = {ip->proto, (uint8_t)(ip->ext_len / 8 - 1)};
		put(f, head, 2);
		put_zeros(f, ip->ext_len - 2);
	}
}

static void put_ports(struct frame *f, unsigned sport, unsigned dport)
{
	put16(f, sport);
	put16(f, dport);
	put_zeros(f, 16);
}

static void put_icmp(struct frame *f, unsigned type, unsigned code)
{
	put16(f, type << 8 | code);
	put_zeros(f, 34);
}

static bool passes(const char *filter, int link_type, const struct frame *f)
{
	struct bpf_program program;
	const struct pcap_pkthdr h = {.caplen = (bpf_u_int32)f->len, .len = (bpf_u_int32)f->len};
	pcap_t *dead = pcap_open_dead(link_type, 65535);

	assert_int_equal(pcap_compile(dead, &program, filter, 1, PCAP_NETMASK_UNKNOWN), 0);
	bool yes = pcap_offline_filter(&program, &h, f->bytes) != 0;
	pcap_freecode(&program);
	pcap_close(dead);
	return yes;
}

/* On every link type. */
static bool tcp_passes(const char *filter, struct ip ip, unsigned sport, unsigned dport)
{
	size_t n = 0;

	for (size_t i = 0; i < N_LINK_TYPES; i++) {
		struct frame f;
		put_link(&f, link_types[i], strchr(ip.src, ':') != NULL);
		put_ip(&f, &ip);
		put_ports(&f, sport, dport);
		n += passes(filter, link_types[i], &f);
	}
	assert_true(n == 0 || n == N_LINK_TYPES);
	return n > 0;
}

static bool icmp_passes(const char *filter, struct ip ip, unsigned type)
{
	size_t n = 0;

	ip.proto = strchr(ip.src, ':') ? 58 : 1;
	for (size_t i = 0; i < N_LINK_TYPES; i++) {
		struct frame f;
		put_link(&f, link_types[i], ip.proto == 58);
		put_ip(&f, &ip);
		put_icmp(&f, type, 0);
		n += passes(filter, link_types[i], &f);
	}
	assert_true(n == 0 || n == N_LINK_TYPES);
	return n > 0;
}

/* ---- tests ------------------------------------------------------------------------------- */

static void test_expand(void **state)
{
	const struct filter_var vars[] = {{"A", "host 192.0.2.1"}, {"AB", "x"}};
	struct err e;

	(void)state;
	char *text =
	    filter_expand("# ${UNKNOWN} in a comment\n\n  \t# indented\n ${A} or ${AB}${A}\n"
			  "last # stays",
			  vars, 2, &e);
	assert_string_equal(text, " host 192.0.2.1 or xhost 192.0.2.1\nlast # stays\n");
	free(text);

	text = filter_expand("", vars, 2, &e);
	assert_string_equal(text, "");
	free(text);
}

static void test_expand_errors(void **state)
{
	const struct filter_var vars[] = {{"A", "x"}};
	struct err e;

	(void)state;
	assert_null(filter_expand("tcp\nport ${B}\n", vars, 1, &e));
	assert_int_equal(e.status, ERR_RUN);
	assert_non_null(strstr(e.text, "${B}"));
	assert_null(filter_expand("${A} ${A\n}", vars, 1, &e));
	assert_non_null(strstr(e.text, "\"${A} ${A\""));
}

static void test_check(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(filter_check("tcp port 25", DLT_LINUX_SLL2, &e), 0);
	assert_int_equal(filter_check("tcp prot 25", DLT_LINUX_SLL2, &e), -1);
	assert_int_equal(e.status, ERR_RUN);
	assert_int_equal(filter_check("ether host 2:0:0:0:0:1", DLT_EN10MB, &e), 0);
	assert_int_equal(filter_check("ether host 2:0:0:0:0:1", DLT_LINUX_SLL2, &e), -1);
}

/* 64 ports keep well below what old kernels let one socket have for its filter: 20 KiB of
 * optmem_max, 16 bytes an instruction after translation. */
static void test_compiles_small(void **state)
{
	const char *targets[] = {"198.51.100.25", "2001:db8::25"};
	uint16_t ports[64];

	(void)state;
	for (size_t i = 0; i < 64; i++)
		ports[i] = (uint16_t)(32768 + i * 437);
	for (size_t t = 0; t < 2; t++) {
		for (size_t n = 0; n <= 64; n = n ? n * 4 : 1) {
			struct addr target = parse(targets[t]);
			char *filter = filter_for_probe(&target, ports, n);
			assert_null(strchr(filter, '#'));
			for (size_t l = 0; l < N_LINK_TYPES; l++) {
				struct bpf_program program;
				struct err e;
				assert_int_equal(filter_check(filter, link_types[l], &e), 0);
				pcap_t *dead = pcap_open_dead(link_types[l], 65535);
				assert_int_equal(
				    pcap_compile(dead, &program, filter, 1, PCAP_NETMASK_UNKNOWN),
				    0);
				assert_in_range(program.bf_len, 1, 512);
				pcap_freecode(&program);
				pcap_close(dead);
			}
			free(filter);
		}
	}
}

static void test_zone_is_dropped(void **state)
{
	struct addr target = parse("fe80::1");
	struct err e;

	(void)state;
	target.scope = 1; /* lo: always there */
	char *filter = filter_for_probe(&target, NULL, 0);
	assert_non_null(strstr(filter, "host fe80::1)"));
	assert_int_equal(filter_check(filter, DLT_LINUX_SLL2, &e), 0);
	free(filter);
}

static void test_v4(void **state)
{
	const struct addr target = parse("198.51.100.25");
	const uint16_t ports[] = {40000, 40001};
	char *filter = filter_for_probe(&target, ports, 2);
	const struct ip there = {"10.0.0.2", "198.51.100.25", 6, -1, 0, 0};
	const struct ip back = {"198.51.100.25", "10.0.0.2", 6, -1, 0, 0};
	const struct ip other = {"10.0.0.2", "203.0.113.1", 6, -1, 0, 0};
	const struct ip router = {"203.0.113.1", "10.0.0.2", 1, -1, 0, 0};
	const struct ip v6 = {"2001:db8::2", "2001:db8::1", 6, -1, 0, 0};

	(void)state;
	assert_true(tcp_passes(filter, there, 1234, 25));
	assert_true(tcp_passes(filter, back, 25, 1234));
	assert_false(tcp_passes(filter, other, 1234, 25));
	assert_true(tcp_passes(filter, other, 40001, 25));
	assert_true(tcp_passes(filter, other, 25, 40000));
	assert_true(tcp_passes(filter, v6, 40000, 25));
	assert_false(tcp_passes(filter, v6, 1234, 25));

	struct ip udp = there;
	udp.proto = 17;
	assert_false(tcp_passes(filter, udp, 40000, 25));
	struct ip later_fragment = other;
	later_fragment.frag = 100; /* what looks like ports is payload */
	assert_false(tcp_passes(filter, later_fragment, 40000, 25));

	for (unsigned type = 0; type < 20; type++)
		assert_int_equal(icmp_passes(filter, router, type),
				 type == 3 || type == 5 || type == 11 || type == 12);
	free(filter);
}

static void test_v6(void **state)
{
	const struct addr target = parse("2001:db8::25");
	const uint16_t ports[] = {40000};
	char *filter = filter_for_probe(&target, ports, 1);
	const struct ip there = {"2001:db8:1::2", "2001:db8::25", 6, -1, 0, 0};
	const struct ip back = {"2001:db8::25", "2001:db8:1::2", 6, -1, 0, 0};
	const struct ip other = {"2001:db8:1::2", "2001:db8::26", 6, -1, 0, 0};
	const struct ip router = {"2001:db8:9::1", "2001:db8:1::2", 58, -1, 0, 0};
	const struct ip v4 = {"10.0.0.2", "198.51.100.25", 6, -1, 0, 0};

	(void)state;
	assert_true(tcp_passes(filter, there, 1234, 25));
	assert_true(tcp_passes(filter, back, 25, 1234));
	assert_false(tcp_passes(filter, other, 1234, 25));
	assert_true(tcp_passes(filter, other, 40000, 25));
	assert_true(tcp_passes(filter, v4, 40000, 25));
	for (unsigned type = 0; type < 160; type++)
		assert_int_equal(icmp_passes(filter, router, type),
				 (type >= 1 && type <= 4) || type == 135 || type == 136);
	free(filter);
}

static void test_v6_extension_headers(void **state)
{
	const struct addr target = parse("2001:db8::25");
	char *filter = filter_for_probe(&target, NULL, 0);
	const int hop_by_hop = 0, destination = 60, routing = 43;
	struct ip there = {"2001:db8:1::2", "2001:db8::25", 6, hop_by_hop, 8, 0};
	struct ip other = {"2001:db8:1::2", "2001:db8::26", 6, destination, 8, 0};
	struct ip router = {"2001:db8:9::1", "2001:db8:1::2", 58, hop_by_hop, 8, 0};

	(void)state;
	assert_true(tcp_passes(filter, there, 1234, 25));
	there.ext = destination;
	there.ext_len = 32;
	assert_true(tcp_passes(filter, there, 1234, 25));
	assert_false(tcp_passes(filter, other, 1234, 25));

	assert_true(icmp_passes(filter, router, 1));
	assert_true(icmp_passes(filter, router, 4));
	assert_false(icmp_passes(filter, router, 143)); /* multicast listener report */
	router.ext_len = 24;
	assert_true(icmp_passes(filter, router, 3));
	assert_false(icmp_passes(filter, router, 130));
	router.ext = routing; /* a known limit: nobody sends errors like this */
	assert_false(icmp_passes(filter, router, 3));
	free(filter);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_expand),
	    cmocka_unit_test(test_expand_errors),
	    cmocka_unit_test(test_check),
	    cmocka_unit_test(test_compiles_small),
	    cmocka_unit_test(test_zone_is_dropped),
	    cmocka_unit_test(test_v4),
	    cmocka_unit_test(test_v6),
	    cmocka_unit_test(test_v6_extension_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
