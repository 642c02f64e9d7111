/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The pcapng format (draft-ietf-opsawg-pcapng). */
#include "capture/reader_private.h"

enum block_type {
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET = 2, /* obsolete */
	BLOCK_SIMPLE = 3,
	BLOCK_ENHANCED = 6,
	BLOCK_SECTION = 0x0a0d0d0a, /* the same in both byte orders */
};

enum option_code {
	OPTION_END = 0,
	OPTION_EPB_FLAGS = 2,
	OPTION_IF_TSRESOL = 9,
	OPTION_IF_TSOFFSET = 14,
};

#define BYTE_ORDER_MAGIC 0x1a2b3c4d
#define BLOCK_HEADER     8
#define BLOCK_LEN_MIN    12
/* What no writer makes: the length is broken. */
#define BLOCK_LEN_MAX   (UINT32_C(1) << 28)
#define LINK_TYPE_NONE  UINT16_MAX
#define TSRESOL_DEFAULT 6

bool reader_is_pcapng(const uint8_t *bytes)
{
	uint32_t v;

	memcpy(&v, bytes, sizeof(v));
	return v == BLOCK_SECTION;
}

/* ---- stamps ---- */

static int64_t clip(unsigned __int128 ns)
{
	/* far from the edge, so that sums of times still fit */
	return ns < INT64_MAX / 2 ? (int64_t)ns : INT64_MAX / 2;
}

static int64_t stamp_ns(const struct stamp_unit *u, uint64_t stamp)
{
	unsigned exponent = u->resolution & 0x7f;
	unsigned __int128 ns = stamp;

	if (u->resolution & 0x80) {
		ns = exponent < 64 ? ns * NS_PER_S >> exponent : 0;
	} else if (exponent <= 9) {
		for (; exponent < 9; exponent++)
			ns *= 10;
	} else {
		for (; exponent > 9 && ns > 0; exponent--)
			ns /= 10;
	}
	int64_t offset = u->offset_s;
	int64_t t = clip(ns);
	if (offset > 0 && offset < (INT64_MAX / 2 - t) / NS_PER_S)
		t += offset * NS_PER_S;
	else if (offset < 0 && offset > -(t / NS_PER_S))
		t += offset * NS_PER_S;
	return t;
}

/* ---- sections and interfaces ---- */

/* The value of an option of this length, or NULL. */
static const uint8_t *option(const struct reader *r, const uint8_t *at, size_t left, uint16_t code,
			     uint16_t len)
{
	while (left >= 4) {
		uint16_t this_code = reader_u16(r, at), this_len = reader_u16(r, at + 2);
		size_t padded = (this_len + (size_t)3) / 4 * 4;

		if (this_code == OPTION_END || padded > left - 4)
			return NULL;
		if (this_code == code && this_len == len)
			return at + 4;
		at += 4 + padded;
		left -= 4 + padded;
	}
	return NULL;
}

static void add_interface(struct reader *r, const uint8_t *block, size_t len)
{
	if (r->n_interfaces == INTERFACES_MAX || len < 20)
		return;
	const uint8_t *options = block + 16;
	size_t left = len - 20;
	const uint8_t *resolution = option(r, options, left, OPTION_IF_TSRESOL, 1);
	const uint8_t *offset = option(r, options, left, OPTION_IF_TSOFFSET, 8);
	uint64_t seconds = 0;

	if (offset) {
		memcpy(&seconds, offset, sizeof(seconds));
		if (r->swapped)
			seconds = __builtin_bswap64(seconds);
	}
	r->interfaces[r->n_interfaces++] = (struct interface){
		.link_type = reader_u16(r, block + 8),
		.snaplen = reader_u32(r, block + 12),
		.unit = {.resolution = resolution ? *resolution : TSRESOL_DEFAULT,
			 .offset_s = (int64_t)seconds},
	};
}

/* A new section may have another byte order. False: its magic is none. */
static bool begin_section(struct reader *r, const uint8_t *block)
{
	uint32_t magic;

	memcpy(&magic, block + 8, sizeof(magic));
	if (magic != BYTE_ORDER_MAGIC && magic != __builtin_bswap32(BYTE_ORDER_MAGIC))
		return false;
	r->swapped = magic != BYTE_ORDER_MAGIC;
	r->first_interface += r->n_interfaces;
	r->n_interfaces = 0;
	return true;
}

/* ---- packets ---- */

/* epb_flags: the two lowest bits tell the direction. */
static uint8_t direction(const struct reader *r, const uint8_t *options, size_t left)
{
	const uint8_t *flags = option(r, options, left, OPTION_EPB_FLAGS, 4);

	switch (flags ? reader_u32(r, flags) & 3 : 0) {
	case 1: return PACKET_IN;
	case 2: return PACKET_OUT;
	default: return PACKET_DIR_UNKNOWN;
	}
}

/* The frame of a block that begins at `b`, `len` bytes long, of which `there` are in the buffer.
 * False: its lengths contradict each other. */
static bool packet(struct reader *r, uint32_t type, const uint8_t *b, size_t len, size_t there,
		   struct frame *f)
{
	size_t head = type == BLOCK_SIMPLE ? 12 : 28;
	uint32_t interface = 0, caplen, wire_len;

	if (len < head + 4)
		return false;
	if (type == BLOCK_SIMPLE) {
		wire_len = reader_u32(r, b + 8);
		uint32_t snaplen = r->n_interfaces ? r->interfaces[0].snaplen : 0;
		caplen = snaplen && snaplen < wire_len ? snaplen : wire_len;
		if (caplen > len - head - 4)
			caplen = (uint32_t)(len - head - 4);
	} else {
		interface = type == BLOCK_ENHANCED ? reader_u32(r, b + 8) : reader_u16(r, b + 8);
		caplen = reader_u32(r, b + 20);
		wire_len = reader_u32(r, b + 24);
		if (caplen > len - head - 4)
			return false;
	}
	const struct interface *i = interface < r->n_interfaces ? &r->interfaces[interface] : NULL;
	if (type != BLOCK_SIMPLE && i) {
		uint64_t high = reader_u32(r, b + 12), low = reader_u32(r, b + 16);
		r->last_ns = stamp_ns(&i->unit, high << 32 | low);
	}
	size_t options = head + (caplen + (size_t)3) / 4 * 4;
	*f = (struct frame){
		.bytes = b + head,
		.caplen = caplen < there - head ? caplen : (uint32_t)(there - head),
		.wire_len = wire_len > caplen ? wire_len : caplen,
		.t_ns = r->last_ns,
		.link_type = i ? i->link_type : LINK_TYPE_NONE,
		.interface = (uint16_t)(r->first_interface + interface),
	};
	if (type == BLOCK_ENHANCED && len > options + 4 && there == len)
		f->dir = direction(r, b + options, len - options - 4);
	return true;
}

/* ---- blocks ---- */

enum step {
	STEP_FRAME, /* *f is filled */
	STEP_OTHER, /* a block without packet */
	STEP_WAIT,  /* the buffer must be filled first */
	STEP_END,
};

static enum step need(struct reader *r, size_t n, bool borrowed)
{
	if (reader_there(r) >= n)
		return STEP_OTHER;
	if (borrowed)
		return STEP_WAIT;
	return reader_fill(r, n) ? STEP_OTHER : STEP_END;
}

/* Must be called again, without borrowed frames, before it says what is broken. */
static enum step broken(struct reader *r, bool borrowed, const char *what)
{
	if (borrowed)
		return STEP_WAIT;
	reader_broken(r, "%s", what);
	return STEP_END;
}

static enum step block(struct reader *r, bool borrowed, struct frame *f)
{
	if (r->skip && !reader_skip(r, borrowed))
		return borrowed ? STEP_WAIT : STEP_END;
	enum step s = need(r, BLOCK_LEN_MIN, borrowed);
	if (s != STEP_OTHER)
		return s;
	const uint8_t *b = r->buffer + r->at;
	uint32_t type = reader_u32(r, b);
	if (type == BLOCK_SECTION) {
		if (borrowed) /* they may need the old section's byte order to be read again */
			return STEP_WAIT;
		if (!begin_section(r, b))
			return broken(r, borrowed, "a section of unknown byte order");
	}
	size_t len = reader_u32(r, b + 4);
	if (len < BLOCK_LEN_MIN || len % 4 || len > BLOCK_LEN_MAX)
		return broken(r, borrowed, "a block of impossible length");

	size_t there = len;
	bool wanted = type == BLOCK_ENHANCED || type == BLOCK_SIMPLE || type == BLOCK_PACKET;
	if (there > HEAD_MAX + READER_FRAME_MAX)
		there = HEAD_MAX + READER_FRAME_MAX;
	if (wanted || type == BLOCK_INTERFACE) {
		s = need(r, there, borrowed);
		if (s != STEP_OTHER)
			return s;
		b = r->buffer + r->at;
		if (there == len && reader_u32(r, b + len - 4) != len)
			return broken(r, borrowed, "the two lengths of a block differ");
	} else {
		there = BLOCK_LEN_MIN;
	}
	if (wanted && !packet(r, type, b, len, there, f))
		return broken(r, borrowed, "a packet longer than its block");
	if (type == BLOCK_INTERFACE)
		add_interface(r, b, there == len ? len : 20);
	reader_pass(r, there);
	r->skip = len - there;
	return wanted ? STEP_FRAME : STEP_OTHER;
}

size_t reader_next_pcapng(struct reader *r, struct frame *out, size_t max)
{
	size_t n = 0;
	enum step s = STEP_OTHER;

	while (n < max && s != STEP_WAIT && s != STEP_END) {
		s = block(r, r->held || n > 0, &out[n]);
		if (s != STEP_FRAME)
			continue;
		out[n].number = ++r->packets;
		if (reader_keeps(r, &out[n]))
			n++;
		else
			reader_left_out(r, out[n].number, out[n].t_ns);
	}
	return n > 0 || r->over || r->held ? n : reader_cut(r);
}
