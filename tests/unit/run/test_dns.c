/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Records as they come, without a resolver. What resolvers do is in
 * tests/program/dns.py, for which this program looks up one name:
 *   unit-run-dns --facts NAME PORT DOMAIN SECONDS
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "run/dns.h"
#include "run/resolve.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define BYTES(s) (const uint8_t *)(s), sizeof(s) - 1 /* with the literal's explicit zeros only */

static void names(void **state)
{
	static const struct {
		const uint8_t *wire;
		size_t len;
		const char *text; /* NULL: none */
	} table[] = {
		{BYTES("\2mx\7example\3net\0"), "mx.example.net"},
		{BYTES("\0"), "."},
		{BYTES("\1A\0"), "a"},
		{BYTES("\4_dmz\2m-\0"), "_dmz.m-"},
		/* broken */
		{BYTES(""), NULL},
		{BYTES("\2mx"), NULL},
		{BYTES("\3mx"), NULL},
		{BYTES("\2mx\100"), NULL},
		{BYTES("\300\14"), NULL}, /* a compression pointer */
		/* no host name */
		{BYTES("\3m\0x\0"), NULL},
		{BYTES("\3m.x\0"), NULL},
		{BYTES("\3m\33x\0"), NULL},
		{BYTES("\3m\377x\0"), NULL},
		{BYTES("\3m x\0"), NULL},
	};
	char out[DNS_NAME_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		bool ok = dns_name_text(table[i].wire, table[i].len, out);
		assert_int_equal(ok, table[i].text != NULL);
		if (ok)
			assert_string_equal(out, table[i].text);
	}
}

/* The longest name there can be fits, and one that is longer than any is refused. */
static void long_names(void **state)
{
	uint8_t wire[400];
	char out[DNS_NAME_MAX];
	size_t at = 0;

	(void)state;
	for (int label = 0; label < 4; label++) {
		uint8_t size = label < 3 ? 63 : 61;
		wire[at++] = size;
		memset(wire + at, 'x', size);
		at += size;
	}
	wire[at++] = 0;
	assert_int_equal(at, 255);
	assert_true(dns_name_text(wire, at, out));
	assert_int_equal(strlen(out), 253);
	for (at = 0; at + 64 <= sizeof(wire); at += 64) {
		wire[at] = 63;
		memset(wire + at + 1, 'x', 63);
	}
	wire[at] = 0;
	assert_false(dns_name_text(wire, at + 1, out));
}

static void add(struct dns_mx *mx, unsigned preference, const char *one_label, bool *null_mx)
{
	uint8_t data[80] = {(uint8_t)(preference >> 8), (uint8_t)preference};
	size_t n = strlen(one_label);

	data[2] = (uint8_t)n;
	memcpy(data + 3, one_label, n);
	dns_mx_add(mx, data, n ? n + 4 : 3, null_mx);
}

static void exchangers_in_order(void **state)
{
	struct dns_mx mx = {0};
	bool null_mx = false;

	(void)state;
	add(&mx, 300, "c", &null_mx);
	add(&mx, 10, "b", &null_mx);
	add(&mx, 10, "a", &null_mx);
	add(&mx, 5, "C", &null_mx); /* the same host once more, and better */
	assert_int_equal(mx.n, 3);
	assert_string_equal(mx.list[0].name, "c");
	assert_int_equal(mx.list[0].preference, 5);
	assert_string_equal(mx.list[1].name, "a");
	assert_string_equal(mx.list[2].name, "b");
	assert_false(null_mx);
	add(&mx, 0, "", &null_mx);
	assert_true(null_mx);
	assert_int_equal(mx.n, 3);
	assert_int_equal(mx.unusable, 0);
}

/* However many there are, the best are kept. */
static void many_exchangers(void **state)
{
	struct dns_mx mx = {0};
	bool null_mx = false;
	char name[16];

	(void)state;
	for (unsigned i = 0; i < 250; i++) {
		snprintf(name, sizeof(name), "m%03u", i);
		add(&mx, 1000 - i, name, &null_mx);
	}
	assert_int_equal(mx.n, DNS_MAX_EXCHANGERS);
	assert_int_equal(mx.left_out, 250 - DNS_MAX_EXCHANGERS);
	for (unsigned i = 0; i < mx.n; i++)
		assert_int_equal(mx.list[i].preference, 1000 - 249 + i);
}

static void unusable_exchangers(void **state)
{
	struct dns_mx mx = {0};
	bool null_mx = false;

	(void)state;
	dns_mx_add(&mx, BYTES("\0\12\3192\1" "0\1" "2\2" "25\0"), &null_mx); /* 192.0.2.25. */
	dns_mx_add(&mx, BYTES("\0\12"), &null_mx);
	dns_mx_add(&mx, BYTES(""), &null_mx);
	dns_mx_add(&mx, BYTES("\0\12\2\33["), &null_mx);
	assert_int_equal(mx.n, 0);
	assert_int_equal(mx.unusable, 4);
	assert_false(null_mx);
}

static void mta_sts(void **state)
{
	static const struct {
		const uint8_t *data;
		size_t len;
		const char *id; /* NULL: no MTA-STS record */
	} table[] = {
		{BYTES("\32v=STSv1; id=20160831085700"), "20160831085700"},
		{BYTES("\11v=STSv1; \7id=1; \t"), "1"}, /* two strings */
		{BYTES("\15v=STSv1;id=aZ"), "aZ"},
		{BYTES("\23v=STSv1; x=y; id=2;"), "2"},
		{BYTES("\14v=STSv1; id="), NULL},
		{BYTES("\15v=STSv1; id=-"), NULL},
		{BYTES("\7v=STSv1"), NULL},
		{BYTES("\15v=STSv2; id=1"), NULL},
		{BYTES("\15id=1; v=STSv1"), NULL},
		{BYTES("\16v=spf1 mx -all"), NULL},
		{BYTES("\17v=STSv1;\0 id=1;"), NULL},
		{BYTES("\377v=STSv1; id=1"), NULL}, /* longer than the record */
		{BYTES(""), NULL},
		{BYTES("\57v=STSv1; id=123456789012345678901234567890123;"), NULL},
	};
	char id[33];

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		bool is = dns_mta_sts_parse(table[i].data, table[i].len, id);
		assert_int_equal(is, table[i].id != NULL);
		if (is)
			assert_string_equal(id, table[i].id);
	}
}

/* Names that the hosts file has need no resolver, and no time. */
static void names_of_this_host(void **state)
{
	struct resolved r;
	struct err e;
	int64_t begin = clock_mono_ns();

	(void)state;
	assert_int_equal(resolve_name("localhost", ADDR_NONE, begin + NS_PER_S, &r, &e), 0);
	assert_true(r.n > 0);
	for (unsigned i = 0; i < r.n; i++)
		assert_true(addr_is_loopback(&r.addresses[i]));
	assert_true(clock_mono_ns() - begin < 500 * NS_PER_MS);
}

static void anchor_file(void **state)
{
	struct dns *d = NULL;
	struct err e;

	(void)state;
	assert_int_equal(dns_open(&d, "/nonexistent/root.key", &e), -1);
	assert_null(d);
#ifdef SMTPBLAME_DNS
	assert_int_equal(e.status, ERR_USAGE);
	assert_non_null(strstr(e.text, "/nonexistent/root.key"));
#else
	assert_int_equal(e.status, ERR_RUN);
	assert_non_null(strstr(e.text, "not built in"));
#endif
	dns_close(NULL);
}

/* ---- for tests/program/dns.py ---- */

static int print_facts(char **words)
{
	int64_t deadline = clock_mono_ns() + atoi(words[3]) * NS_PER_S;
	bool validated = true, forged = false, incomplete = false;
	struct dns_facts f;
	struct dns *d;
	struct err e;

	if (dns_open(&d, NULL, &e) != 0)
		return 1;
	struct dns_question q = {
		.name = words[0], .port = (uint16_t)atoi(words[1]), .domain = words[2]};
	struct dns_pending *p = dns_begin(d, &q);
	if (!p)
		return 1;
	while (!dns_step(d, p) && clock_mono_ns() < deadline)
		usleep(2000);
	dns_end(d, p, &f);
	dns_close(d);
	for (int i = 0; i < DNS_RECORD_COUNT; i++) {
		const struct dns_said *said = &f.said[i];
		bool came = said->status <= DNS_NO_NAME;
		if (!said->asked)
			continue;
		validated = validated && came && said->trust != DNS_UNCHECKED;
		forged = forged || said->trust == DNS_FORGED;
		incomplete = incomplete || !came;
	}
	bool secure = f.n_tlsa > 0 && f.said[DNS_RECORD_TLSA].trust == DNS_SECURE;
	printf("validated=%d forged=%d incomplete=%d n_tlsa=%u tlsa_secure=%d mta_sts=%d id=%s\n",
	       validated, forged, incomplete, f.n_tlsa, secure, f.mta_sts, f.mta_sts_id);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(long_names),
		cmocka_unit_test(exchangers_in_order),
		cmocka_unit_test(many_exchangers),
		cmocka_unit_test(unusable_exchangers),
		cmocka_unit_test(mta_sts),
		cmocka_unit_test(names_of_this_host),
		cmocka_unit_test(anchor_file),
	};

	if (argc == 6 && strcmp(argv[1], "--facts") == 0)
		return print_facts(argv + 2);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
