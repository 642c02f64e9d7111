/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Samples as hexadecimal text, decoded from heap copies of the exact size: ASan sees overreads. */
#ifndef SB_TEST_WIRE_BYTES_H
#define SB_TEST_WIRE_BYTES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/decode.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum {
	LINK_NULL = 0,
	LINK_ETHERNET = 1,
	LINK_PPP = 9,
	LINK_RAW = 12,
	LINK_RAW_OPENBSD = 14,
	LINK_PPP_SERIAL = 50,
	LINK_PPP_ETHER = 51,
	LINK_RAW_FILE = 101,
	LINK_C_HDLC = 104,
	LINK_IEEE80211 = 105,
	LINK_LOOP = 108,
	LINK_ENC = 109,
	LINK_SLL = 113,
	LINK_PFLOG = 117,
	LINK_RADIOTAP = 127,
	LINK_PPP_WITH_DIRECTION = 204,
	LINK_IPV4 = 228,
	LINK_IPV6 = 229,
	LINK_NFLOG = 239,
	LINK_SLL2 = 276,
};

struct bytes {
	uint8_t *at; /* owned */
	size_t len;
};

static inline unsigned hex_digit(char c)
{
	assert_true((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'));
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static inline struct bytes bytes_of(const char *hex)
{
	struct bytes b = {.at = malloc(strlen(hex) / 2 + 1)};

	while (*hex) {
		if (*hex == ' ') {
			hex++;
			continue;
		}
		b.at[b.len++] = (uint8_t)(hex_digit(hex[0]) << 4 | hex_digit(hex[1]));
		hex += 2;
	}
	return b;
}

typedef enum decode_result (*decoder)(int link_type, const uint8_t *frame, size_t caplen,
				      size_t wire_len, struct packet *out);

/* Decodes a copy of exactly n bytes and checks that the payload lies within; the payload pointer
 * does not outlive the copy. */
static inline enum decode_result decode_with(decoder decode, int link_type, const uint8_t *bytes,
					     size_t n, size_t wire_len, struct packet *p)
{
	uint8_t *block = malloc(n + 1);
	uint8_t *copy = block + 1; /* n = 0 keeps a pointer that may not be read */

	memcpy(copy, bytes, n);
	enum decode_result r = decode(link_type, copy, n, wire_len, p);
	if (r == DECODE_OK) {
		assert_true(p->payload_caplen <= p->payload_len);
		assert_true(p->truncated || p->payload_caplen == p->payload_len);
		if (p->payload_caplen > 0) {
			assert_true(p->payload >= copy);
			assert_true(p->payload + p->payload_caplen <= copy + n);
		} else {
			assert_null(p->payload);
		}
	} else {
		struct packet none = {0};
		assert_memory_equal(p, &none, sizeof(none));
	}
	p->payload = NULL;
	free(block);
	return r;
}

static inline enum decode_result decode_exactly(int link_type, const uint8_t *bytes, size_t n,
						size_t wire_len, struct packet *p)
{
	return decode_with(wire_decode, link_type, bytes, n, wire_len, p);
}

static inline enum decode_result decode_hex(int link_type, const char *hex, struct packet *p)
{
	struct bytes b = bytes_of(hex);
	enum decode_result r = decode_exactly(link_type, b.at, b.len, b.len, p);

	free(b.at);
	return r;
}

/* The packets that the link layer tests wrap */

#define SYN4_TEXT "TCP 10.0.0.2:40000 > 192.0.2.1:25 [S] seq 1 win 64240 mss 1460 ttl 64"
#define SYN4_IP   "4500003c 1c464000 40060000 0a000002 c0000201 "
#define SYN_TCP                                                                                    \
	"9c400019 00000001 00000000 a002faf0 00000000 "                                            \
	"020405b4 0402 080a 00000010 00000000 01 030307 "
#define SYN4 SYN4_IP SYN_TCP

#define SYN6_TEXT "TCP [2001:db8::2]:40000 > [2001:db8::1]:25 [S] seq 1 win 64240 mss 1460 ttl 64"
#define ADDR6_2   "20010db8 00000000 00000000 00000002 "
#define ADDR6_1   "20010db8 00000000 00000000 00000001 "
#define SYN6      "60012345 0028 06 40 " ADDR6_2 ADDR6_1 SYN_TCP

#endif
