/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wire/layers.h"

enum tcp_option {
	OPT_END = 0,
	OPT_NOP = 1,
	OPT_MSS = 2,
	OPT_WSCALE = 3,
	OPT_SACK_PERMITTED = 4,
	OPT_TIMESTAMPS = 8,
};

size_t wire_tcp_fixed(struct cursor *c, struct tcp_segment *t)
{
	t->sport = cursor_u16(c);
	t->dport = cursor_u16(c);
	t->seq = cursor_u32(c);
	t->ack = cursor_u32(c);
	size_t header_len = (size_t)(cursor_u8(c) >> 4) * 4;
	t->flags = cursor_u8(c);
	t->window = cursor_u16(c);
	cursor_u16(c); /* checksum: partial on own traffic */
	cursor_u16(c); /* urgent pointer */
	if (header_len >= 20)
		return header_len - 20;
	cursor_fail(c, DECODE_MALFORMED);
	return 0;
}

static bool whole(const struct cursor *data)
{
	return data->fault == DECODE_OK && data->left == 0;
}

/* The four options by RFC 9293 section 3.2, RFC 7323 and RFC 2018. A wrong length spoils its own
 * option only; of one that comes twice the last counts, as in Linux. */
static void option(uint8_t kind, struct cursor *data, struct tcp_segment *t)
{
	uint32_t first, second;

	switch (kind) {
	case OPT_MSS:
		first = cursor_u16(data);
		if (whole(data)) {
			t->has_mss = true;
			t->mss = (uint16_t)first;
		}
		break;
	case OPT_WSCALE:
		first = cursor_u8(data);
		if (whole(data)) {
			t->has_wscale = true;
			t->wscale = (uint8_t)first;
		}
		break;
	case OPT_SACK_PERMITTED:
		if (whole(data))
			t->sack_permitted = true;
		break;
	case OPT_TIMESTAMPS:
		first = cursor_u32(data);
		second = cursor_u32(data);
		if (whole(data)) {
			t->has_ts = true;
			t->ts_val = first;
			t->ts_ecr = second;
		}
		break;
	default: return;
	}
	if (!whole(data) && data->fault != DECODE_TRUNCATED)
		t->options_malformed = true;
}

static void note_order(uint8_t kind, unsigned n, struct tcp_segment *t)
{
	uint64_t code = kind == OPT_NOP || kind == OPT_MSS || kind == OPT_WSCALE ||
					kind == OPT_SACK_PERMITTED || kind == OPT_TIMESTAMPS
				? kind
				: OPTION_OTHER;

	if (n < OPTION_ORDER_MAX)
		t->option_order |= code << (4 * n);
}

static uint32_t u32_at(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* A SYN of Linux, which most are: MSS, SACK permitted, timestamps, NOP, window scale. False: it is another
 * one. */
static bool usual_options(const struct cursor *c, struct tcp_segment *t)
{
	enum { LEN = 20, SACK_AND_TS = 0x0402080a, NOP_AND_WSCALE = 0x010303 };
	const uint8_t *o = c->at;

	if (c->left != LEN || c->cap != LEN || c->fault != DECODE_OK || o[0] != OPT_MSS || o[1] != 4 ||
	    u32_at(o + 4) != SACK_AND_TS || u32_at(o + 16) >> 8 != NOP_AND_WSCALE)
		return false;
	t->has_mss = t->sack_permitted = t->has_ts = t->has_wscale = true;
	t->mss = (uint16_t)(o[2] << 8 | o[3]);
	t->ts_val = u32_at(o + 8);
	t->ts_ecr = u32_at(o + 12);
	t->wscale = o[19];
	t->option_order = OPT_MSS | OPT_SACK_PERMITTED << 4 | OPT_TIMESTAMPS << 8 | OPT_NOP << 12 | OPT_WSCALE << 16;
	return true;
}

void wire_tcp_options(struct cursor c, struct tcp_segment *t)
{
	unsigned n = 0;

	if (usual_options(&c, t))
		return;
	while (c.left > 0) {
		uint8_t kind = cursor_u8(&c);

		if (c.fault == DECODE_OK && kind == OPT_END)
			return;
		if (c.fault == DECODE_OK)
			note_order(kind, n++, t);
		if (kind == OPT_NOP)
			continue;
		uint8_t len = cursor_u8(&c);
		if (c.fault == DECODE_OK && len < 2)
			cursor_fail(&c, DECODE_MALFORMED);
		struct cursor data = cursor_sub(&c, len - (size_t)2);
		if (c.fault == DECODE_OK)
			option(kind, &data, t);
	}
	if (c.fault == DECODE_MALFORMED)
		t->options_malformed = true;
}

void wire_tcp(struct cursor *c, struct tcp_segment *t)
{
	size_t options_len = wire_tcp_fixed(c, t);
	struct cursor options = cursor_sub(c, options_len);

	if (c->fault == DECODE_OK)
		wire_tcp_options(options, t);
}

void wire_tcp_options_of(const uint8_t *options, size_t caplen, size_t len, struct tcp_segment *t)
{
	wire_tcp_options(cursor_over(options, caplen, len), t);
}
