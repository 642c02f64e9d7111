/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The sieve may keep too much, and never loses a frame that the decoder would find a use for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/decode.h"
#include "wire/peek.h"

#define ROUNDS 200000

static const uint8_t v4_tcp[] = {
	2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0,
	0x45, 0, 0, 44, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 192, 0, 2, 1,
	0x9c, 0x40, 0, 25, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x18, 0xfa, 0xf0, 0, 0, 0, 0, 'E', 'H', 'L', 'O'};
static const uint8_t v6_tcp[] = {
	2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x86, 0xdd,
	0x60, 0, 0, 0, 0, 20, 6, 64, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
	0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2,
	0x9c, 0x40, 1, 0xbb, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x10, 0xfa, 0xf0, 0, 0, 0, 0};
static const uint8_t v4_udp[] = {
	2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0,
	0x45, 0, 0, 32, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 192, 0, 2, 1,
	0x9c, 0x40, 0, 53, 0, 12, 0, 0, 1, 2, 3, 4};
static const uint8_t vlan_tcp[] = {
	2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x81, 0, 0, 7, 8, 0,
	0x45, 0, 0, 40, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 192, 0, 2, 1,
	0, 25, 0x9c, 0x40, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x10, 0xfa, 0xf0, 0, 0, 0, 0};

static const struct {
	const uint8_t *bytes;
	size_t len;
	bool kept;
} samples[] = {
	{v4_tcp, sizeof(v4_tcp), true},
	{v6_tcp, sizeof(v6_tcp), false},
	{v4_udp, sizeof(v4_udp), false},
	{vlan_tcp, sizeof(vlan_tcp), true},
};

static struct port_set smtp_port(void)
{
	struct port_set ports = {0};

	ports.bits[25 / 64] |= UINT64_C(1) << (25 % 64);
	return ports;
}

static struct frame frame_of(const uint8_t *bytes, size_t len)
{
	return (struct frame){.bytes = bytes, .caplen = (uint32_t)len, .wire_len = (uint32_t)len, .link_type = 1};
}

static void known_frames(void **state)
{
	struct port_set ports = smtp_port();

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct frame f = frame_of(samples[i].bytes, samples[i].len);
		assert_int_equal(wire_matters(&f, &ports), samples[i].kept);
	}
}

/* Whole, the frame would be TCP of a wanted port, or it may quote or hold that. */
static bool matters(const struct frame *f, const struct port_set *ports)
{
	struct packet p;

	if (wire_decode_deep(f->link_type, f->bytes, f->caplen, f->wire_len, &p) != DECODE_OK)
		return false;
	if (p.kind == PACKET_TCP)
		return port_in(ports, p.tcp.sport) || port_in(ports, p.tcp.dport);
	return p.kind == PACKET_ICMP && p.icmp.quote.has_ports &&
	       (port_in(ports, p.icmp.quote.sport) || port_in(ports, p.icmp.quote.dport));
}

/* Of the exact length, so that a sanitizer sees who reads beyond it. */
static void broken_frames(void **state)
{
	struct port_set ports = smtp_port();
	unsigned seed = 1, kept = 0;

	(void)state;
	for (unsigned n = 0; n < ROUNDS; n++) {
		size_t which = n % 4, len = samples[which].len;
		if (rand_r(&seed) % 4 == 0)
			len = (size_t)rand_r(&seed) % (len + 1);
		uint8_t *bytes = malloc(len ? len : 1);
		memcpy(bytes, samples[which].bytes, len);
		for (int i = rand_r(&seed) % 4; i > 0 && len > 0; i--)
			bytes[(size_t)rand_r(&seed) % len] = (uint8_t)(rand_r(&seed) % 3 ? rand_r(&seed) : 25);
		struct frame f = frame_of(bytes, len);
		struct segment s;
		bool keep = wire_matters(&f, &ports);
		assert_true(keep || !matters(&f, &ports));
		assert_true(keep || wire_peek(&f, &ports, &s) == PEEK_NOTHING);
		kept += keep;
		free(bytes);
	}
	assert_in_range(kept, ROUNDS / 10, ROUNDS - ROUNDS / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_frames),
		cmocka_unit_test(broken_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
