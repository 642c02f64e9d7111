/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two bytes choose the link type and how much longer the frame was than the capture; the rest is
 * the frame. */
#include <stdlib.h>
#include <string.h>

#include "wire/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check(const struct packet *p, const uint8_t *frame, size_t len)
{
	static const size_t sizes[] = {0, 1, 40, 400};

	require(p->payload_caplen <= p->payload_len);
	require(p->truncated || p->payload_caplen == p->payload_len);
	if (p->payload_caplen > 0)
		require(p->payload >= frame && p->payload + p->payload_caplen <= frame + len);
	else
		require(p->payload == NULL);
	require(p->src.family == p->dst.family && addr_is_set(&p->src));
	require(p->frag_offset == 0 || p->kind == PACKET_OTHER);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char *text = malloc(sizes[i] + 1);
		wire_text(p, text, sizes[i]);
		require(sizes[i] == 0 || strlen(text) < sizes[i]);
		free(text);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int link_types[] = {0,   1,   9,   12,  14,  50,  51, 101,
					 104, 108, 113, 228, 229, 276, 105};
	struct packet p, shorter;

	if (size < 2)
		return 0;
	int link_type = link_types[data[0] % (sizeof(link_types) / sizeof(link_types[0]))];
	size_t len = size - 2;
	size_t wire_len = len + (size_t)data[1] * data[1] * 4;
	const uint8_t *frame = data + 2;

	enum decode_result r = wire_decode(link_type, frame, len, wire_len, &p);
	if (r == DECODE_OK)
		check(&p, frame, len);
	if (wire_decode_ip_deep(frame, len, wire_len, &shorter) == DECODE_OK)
		check(&shorter, frame, len);

	/* A shorter capture of the same frame never finds what the longer one did not. */
	uint8_t *half = malloc(len / 2 + 1);
	memcpy(half, frame, len / 2);
	if (wire_decode(link_type, half, len / 2, wire_len, &shorter) == DECODE_OK) {
		check(&shorter, half, len / 2);
		require(r == DECODE_OK);
		require(shorter.kind == p.kind && shorter.payload_len == p.payload_len);
	}
	free(half);
	return 0;
}
