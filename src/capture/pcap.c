/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The pcap format (draft-ietf-opsawg-pcap), and the variants of it that are met. */
#include "capture/reader_private.h"

#define MAGIC_MICRO 0xa1b2c3d4
#define MAGIC_NANO  0xa1b23c4d
#define MAGIC_PATCHED                                                                              \
	0xa1b2cd34 /* Kuznetzov's: interface, protocol and direction with each packet */

#define FILE_HEADER    24
#define RECORD_HEADER  16
#define RECORD_PATCHED 24

/* Each header tells where the next one is: without help they would be waited for one by one, above
 * all where another processor has read them. Measured. */
#define AHEAD_BYTES 512
#define AHEAD_LINES 4

/* Above that no snap length is meant in earnest. */
#define SNAPLEN_MAX (16 * 1024 * 1024)

static uint32_t magic_of(const uint8_t *bytes, bool *swapped)
{
	uint32_t v;

	memcpy(&v, bytes, sizeof(v));
	*swapped = false;
	if (v == MAGIC_MICRO || v == MAGIC_NANO || v == MAGIC_PATCHED)
		return v;
	*swapped = true;
	return __builtin_bswap32(v);
}

bool reader_is_pcap(const uint8_t *bytes)
{
	bool swapped;
	uint32_t v = magic_of(bytes, &swapped);

	return v == MAGIC_MICRO || v == MAGIC_NANO || v == MAGIC_PATCHED;
}

void reader_open_pcap(struct reader *r)
{
	const uint8_t *h = r->buffer;
	uint32_t magic = magic_of(h, &r->swapped);
	uint32_t version = (uint32_t)reader_u16(r, h + 4) << 16 | reader_u16(r, h + 6);
	uint32_t snaplen = reader_u32(r, h + 16);

	r->unit_ns = magic == MAGIC_NANO ? 1 : 1000;
	r->record_len = magic == MAGIC_PATCHED ? RECORD_PATCHED : RECORD_HEADER;
	r->old_lengths = version < (2u << 16 | 4);
	r->caplen_max = READER_FRAME_MAX;
	if (snaplen > READER_FRAME_MAX && snaplen <= SNAPLEN_MAX)
		r->caplen_max = snaplen;
	r->link_type = reader_u16(
		r, h + (r->swapped == (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__) ? 20 : 22));
	r->next = reader_next_pcap;
	reader_pass(r, FILE_HEADER);
}

static uint8_t patched_dir(uint8_t packet_type)
{
	return packet_type == 4 ? PACKET_OUT : packet_type < 4 ? PACKET_IN : PACKET_DIR_UNKNOWN;
}

static struct frame frame_of(const struct reader *r, const uint8_t *h, size_t head, uint32_t caplen,
			     uint32_t len)
{
	return (struct frame){
		.bytes = h + head,
		.caplen = caplen < READER_FRAME_MAX ? caplen : READER_FRAME_MAX,
		.wire_len = len > caplen ? len : caplen,
		.t_ns = reader_u32(r, h) * NS_PER_S + reader_u32(r, h + 4) * r->unit_ns,
		.link_type = r->link_type,
		.dir = head == RECORD_PATCHED ? patched_dir(h[22]) : PACKET_DIR_UNKNOWN,
	};
}

/* Nearly all records of nearly all files: whole ones in the buffer, in our byte order. What is left
 * is anything else. */
static size_t take_usual(struct reader *r, struct frame *out, size_t max)
{
	const uint8_t *begin = r->buffer + r->at, *at = begin, *end = r->buffer + r->end;
	const int64_t unit_ns = r->unit_ns;
	const uint16_t link_type = r->link_type;
	const struct port_set *ports = r->ports;
	uint64_t packets = r->packets;
	const uint8_t *left_out = NULL;
	size_t n = 0;

	if (r->skip || r->old_lengths || r->swapped || r->record_len != RECORD_HEADER)
		return 0;
	while (n < max && end - at >= RECORD_HEADER) {
		const uint8_t *record = at, *bytes = at + RECORD_HEADER;
		uint32_t h[4]; /* seconds, parts of a second, captured, on the wire */
		memcpy(h, record, sizeof(h));
		for (size_t line = 0; line < AHEAD_LINES; line++)
			__builtin_prefetch(record + AHEAD_BYTES + line * 64);
		if (h[2] > READER_FRAME_MAX || end - bytes < (ptrdiff_t)h[2])
			break;
		at = bytes + h[2];
		packets++;
		bool plain = false, tells_time = packets % FRAME_TICK == 0 || packets == 1;
		const uint8_t *tcp = ports ? wire_usual_ports(link_type, bytes, h[2], &plain) : NULL;
		bool wanted = tcp && wire_wants(tcp, ports);
		if (tcp && !wanted && !tells_time) {
			left_out = record;
			continue;
		}
		out[n] = (struct frame){
			.bytes = bytes,
			.number = packets,
			.caplen = h[2],
			.wire_len = h[3] > h[2] ? h[3] : h[2],
			.t_ns = h[0] * NS_PER_S + h[1] * unit_ns,
			.link_type = link_type,
			.plain = plain && wanted,
		};
		bool keep = wanted || reader_keeps(r, &out[n]);
		left_out = keep ? NULL : record;
		n += keep;
	}
	if (left_out)
		reader_left_out(r, packets, reader_u32(r, left_out) * NS_PER_S + reader_u32(r, left_out + 4) * unit_ns);
	else if (packets > r->packets)
		reader_left_out(r, 0, 0);
	r->packets = packets;
	reader_pass(r, (size_t)(at - begin));
	return n;
}

size_t reader_next_pcap(struct reader *r, struct frame *out, size_t max)
{
	size_t n = take_usual(r, out, max), head = r->record_len;

	while (n < max) {
		bool borrowed = r->held || n > 0;
		if (r->skip && !reader_skip(r, borrowed))
			break;
		if (reader_there(r) < head && (borrowed || !reader_fill(r, head)))
			break;
		const uint8_t *h = r->buffer + r->at;
		uint32_t caplen = reader_u32(r, h + 8), len = reader_u32(r, h + 12);
		if (r->old_lengths && caplen > len) {
			uint32_t other = caplen;
			caplen = len;
			len = other;
		}
		if (caplen > r->caplen_max) {
			if (!borrowed)
				return reader_broken(r, "a packet of %u bytes", caplen);
			break;
		}
		size_t take = caplen < READER_FRAME_MAX ? caplen : READER_FRAME_MAX;
		if (reader_there(r) < head + take) {
			if (borrowed || !reader_fill(r, head + take))
				break;
			h = r->buffer + r->at;
		}
		out[n] = frame_of(r, h, head, caplen, len);
		out[n].number = ++r->packets;
		if (reader_keeps(r, &out[n]))
			n++;
		else
			reader_left_out(r, out[n].number, out[n].t_ns);
		reader_pass(r, head + take);
		r->skip = caplen - take;
		n += take_usual(r, out + n, max - n);
	}
	return n > 0 || r->held ? n : reader_cut(r);
}
