/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The fast way through a capture: a look at a frame's fixed offsets that throws
 * away what is of no interest, and takes TCP apart where nothing unusual is in
 * between. What it can't tell at once is left to the whole decoder.
 */
#ifndef SB_WIRE_PEEK_H
#define SB_WIRE_PEEK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/frame.h"
#include "model/packet.h"

/* Of which ports TCP is of interest, as source or destination: a bit each. */
struct port_set {
	uint64_t bits[65536 / 64];
};

static inline bool port_in(const struct port_set *s, uint16_t port)
{
	return s->bits[port / 64] >> (port % 64) & 1;
}

/* A TCP segment whose fields are read and whose options, payload and addresses still lie in the
 * frame. */
struct segment {
	const uint8_t *src, *dst; /* 4 or 16 bytes by `family` */
	const uint8_t *options;   /* options_len of them are there, options_claimed should be */
	const struct tcp_segment *decoded; /* they are read already; or NULL */
	const uint8_t *payload;            /* payload_cap bytes are there, of payload_len */
	uint32_t payload_len, payload_cap;
	uint32_t seq, ack;
	uint16_t sport, dport;
	uint16_t window;
	uint16_t ip_id;
	uint16_t around;    /* enum packet_around */
	uint16_t interface; /* that saw it: of the file, or the link layer's own (SLL2) */
	uint8_t options_len, options_claimed;
	uint8_t family; /* enum addr_family */
	uint8_t ttl, outer_ttl;
	uint8_t flags; /* enum tcp_flag */
	uint8_t dir;   /* enum packet_dir */
	bool df, ip_options, loopback, fragments;
};

enum peek {
	PEEK_NOTHING, /* certainly no TCP of these ports, and nothing that may quote or hold it */
	PEEK_SEGMENT, /* *out is filled */
	PEEK_DECODE,  /* only wire_decode_deep() can tell */
};

enum peek wire_peek(const struct frame *f, const struct port_set *ports, struct segment *out);

/* Of n frames, 64 at most, those for which wire_peek() may say something else than PEEK_NOTHING: a bit each. */
uint64_t wire_sift(const struct frame *frames, size_t n, const struct port_set *ports);

#endif
