/* SPDX-License-Identifier: GPL-3.0-or-later */
/* TCP options, the well-formed and the other ones: what is found, and above it nothing. */
#include <stdio.h>

#include "bytes.h"

static const struct {
	const char *text;
	const char *hex; /* a multiple of 4 bytes */
} table[] = {
	{"", ""},
	{"", "01010101"},
	/* end of options: what follows doesn't count */
	{"", "00 020405b4 000000"},
	{"mss 1460", "020405b4"},
	{"wscale 14", "03030e 01"},
	{"sack", "0402 0101"},
	{"ts 1 2", "080a 00000001 00000002 0101"},
	{"mss 1440 sack ts 4294967295 0 wscale 9",
	 "020405a0 0402 080a ffffffff 00000000 01 030309"},
	/* SACK block, fast open cookie, experimental: skipped */
	{"mss 1460", "050a 00000001 00000002 020405b4 0101"},
	{"mss 1460", "2206 00000000 fd04 f989 020405b4 0101"},
	/* the last of two counts, as in Linux */
	{"mss 536", "020405b4 02040218"},
	/* length 0 and 1, past the end, without a length byte */
	{"bad", "02000000"},
	{"bad", "fe010000"},
	{"mss 1460 bad", "020405b4 0808 0000"},
	{"mss 1460 bad", "020405b4 010101 02"},
	/* MSS of 3 and 6 bytes, window scale of 4, SACK permitted of 3, timestamps of 8: each its
	 * own fault, what follows is still read */
	{"wscale 7 bad", "020305 030307 0101"},
	{"wscale 7 bad", "0206 05b40000 030307 010101"},
	{"mss 1460 bad", "03040700 020405b4"},
	{"mss 1460 bad", "040300 01 020405b4"},
	{"mss 1460 bad", "0808 00000001 0000 020405b4"},
	/* a bad copy does not undo the good one */
	{"mss 1460 bad", "020405b4 020305 01"},
};

static void describe(const struct tcp_segment *t, char *out, size_t size)
{
	char mss[20] = "", ts[40] = "", wscale[20] = "";

	if (t->has_mss)
		snprintf(mss, sizeof(mss), " mss %u", t->mss);
	if (t->has_ts)
		snprintf(ts, sizeof(ts), " ts %u %u", t->ts_val, t->ts_ecr);
	if (t->has_wscale)
		snprintf(wscale, sizeof(wscale), " wscale %u", t->wscale);
	snprintf(out, size, "%s%s%s%s%s", mss, t->sack_permitted ? " sack" : "", ts, wscale,
		 t->options_malformed ? " bad" : "");
}

/* IPv4 and TCP around the options, with their lengths */
static struct bytes segment(const char *options_hex)
{
	struct bytes options = bytes_of(options_hex);
	struct bytes head = bytes_of("45000000 00000000 40060000 0a000002 c0000201 "
				     "9c400019 00000001 00000000 0002faf0 00000000");

	assert_int_equal(options.len % 4, 0);
	head.at = realloc(head.at, head.len + options.len);
	memcpy(head.at + head.len, options.at, options.len);
	head.at[32] = (uint8_t)((5 + options.len / 4) << 4);
	head.len += options.len;
	head.at[3] = (uint8_t)head.len;
	free(options.at);
	return head;
}

static void finds_options(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct bytes b = segment(table[i].hex);
		struct packet p;
		char text[120];

		assert_int_equal(decode_exactly(LINK_RAW, b.at, b.len, b.len, &p), DECODE_OK);
		describe(&p.tcp, text, sizeof(text));
		assert_string_equal(text[0] ? text + 1 : text, table[i].text);
		assert_int_equal(p.payload_len, 0);
		free(b.at);
	}
}

/* The snap length is nobody's fault: no "bad" but for what the bytes before the cut show. */
static void cut_is_not_malformed(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct bytes b = segment(table[i].hex);
		struct packet all, less;

		decode_exactly(LINK_RAW, b.at, b.len, b.len, &all);
		for (size_t n = 40; n < b.len; n++) {
			assert_int_equal(decode_exactly(LINK_RAW, b.at, n, b.len, &less),
					 DECODE_OK);
			assert_true(less.truncated);
			assert_true(less.tcp.options_malformed <= all.tcp.options_malformed);
			assert_true(less.tcp.has_mss <= all.tcp.has_mss);
			assert_true(less.tcp.has_ts <= all.tcp.has_ts);
			assert_true(less.tcp.has_wscale <= all.tcp.has_wscale);
		}
		free(b.at);
	}
}

/* The order of the kinds, the first in the lowest four bits: what a fingerprint is made of. */
static void keeps_order(void **state)
{
	static const struct {
		const char *hex;
		uint64_t order;
	} orders[] = {
		{"", 0},
		{"020405b4", 0x2},
		{"020405b4 0402 080a 00000001 00000002 01 030307", 0x31842},
		{"020405b4 01 030308 01 01 0402", 0x411312},
		{"fd04f989 020405b4 00 030307", 0x2f},
		/* what is no option is none, and of more than 16 the first count */
		{"020405b4 08000000", 0x82},
		{"01010101 01010101 01010101 01010101 020405b4", 0x1111111111111111},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(orders); i++) {
		struct bytes b = segment(orders[i].hex);
		struct packet p;
		assert_int_equal(decode_exactly(LINK_RAW, b.at, b.len, b.len, &p), DECODE_OK);
		assert_int_equal(p.tcp.option_order, orders[i].order);
		free(b.at);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_options),
		cmocka_unit_test(keeps_order),
		cmocka_unit_test(cut_is_not_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
