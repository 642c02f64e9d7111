/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * IEEE 802.11 data frames, and radiotap before them
 * (https://www.radiotap.org). Fields are little-endian, unlike the rest.
 */
#include "wire/layers.h"

#define FC_TYPE_DATA      0x08 /* of the two type bits 0x0c */
#define FC_NO_DATA        0x40 /* subtype bits */
#define FC_QOS            0x80
#define FC_TO_DS          0x0100
#define FC_FROM_DS        0x0200
#define FC_FRAGMENTED     0x0400
#define FC_PROTECTED      0x4000
#define FC_ORDER          0x8000 /* in QoS data: an HT control field follows */
#define QOS_AMSDU         0x0080
#define SEQUENCE_FRAGMENT 0x000f

#define RADIOTAP_TSFT  (1u << 0)
#define RADIOTAP_FLAGS (1u << 1)
#define RADIOTAP_MORE  (1u << 31)
#define FLAG_PADDED    0x20 /* the frame's header is padded to 4 bytes */
#define FLAG_BAD_FCS   0x40

static uint16_t le16(struct cursor *c)
{
	return __builtin_bswap16(cursor_u16(c));
}

static uint32_t le32(struct cursor *c)
{
	return __builtin_bswap32(cursor_u32(c));
}

static enum decode_result data_frame(struct cursor *c, bool padded, struct packet *p,
				     uint8_t *family)
{
	size_t before = c->left;
	uint16_t control = le16(c);

	p->around |= AROUND_WIFI;
	cursor_take(c, 20); /* duration, three addresses */
	uint16_t sequence = le16(c);
	if ((control & FC_TO_DS) && (control & FC_FROM_DS))
		cursor_take(c, 6);
	uint16_t qos = control & FC_QOS ? le16(c) : 0;
	if ((control & FC_QOS) && (control & FC_ORDER))
		cursor_take(c, 4);
	if (padded)
		cursor_take(c, -(before - c->left) & 3);
	if (c->fault != DECODE_OK)
		return c->fault;
	/* encrypted, or a piece of a frame, which hardware puts together before it hands it up */
	if ((control & (FC_PROTECTED | FC_FRAGMENTED)) || (sequence & SEQUENCE_FRAGMENT))
		return DECODE_UNSUPPORTED;
	if (qos & QOS_AMSDU)
		cursor_take(c, 14); /* the first of several: its addresses and length */
	return wire_by_ethertype(c, 0, p, family); /* LLC and SNAP tell the type */
}

static enum decode_result frame(struct cursor *c, bool padded, struct packet *p, uint8_t *family)
{
	uint8_t control = cursor_peek(c);

	if (c->fault != DECODE_OK)
		return c->fault;
	/* management, control; version 0 is the only one; data frames without data */
	if ((control & 0x0f) != FC_TYPE_DATA || (control & FC_NO_DATA))
		return DECODE_NOT_IP;
	return data_frame(c, padded, p, family);
}

enum decode_result wire_wifi(struct cursor *c, struct packet *p, uint8_t *family)
{
	return frame(c, false, p, family);
}

enum decode_result wire_radiotap(struct cursor *c, struct packet *p, uint8_t *family)
{
	uint8_t version = cursor_u8(c);

	cursor_u8(c); /* pad */
	size_t length = le16(c);
	if (c->fault == DECODE_OK && (version != 0 || length < 8))
		return DECODE_MALFORMED;
	struct cursor header = cursor_sub(c, length - 4);
	if (c->fault != DECODE_OK)
		return c->fault;

	/* Only the second field is of interest; the first is 8 bytes, aligned from the header on.
	 */
	uint32_t present = le32(&header), more = present;
	size_t at = 8;
	while (header.fault == DECODE_OK && (more & RADIOTAP_MORE)) {
		more = le32(&header);
		at += 4;
	}
	if (present & RADIOTAP_TSFT)
		cursor_take(&header, (-at & 7) + 8);
	uint8_t flags = present & RADIOTAP_FLAGS ? cursor_u8(&header) : 0;
	if (header.fault != DECODE_OK)
		return header.fault;
	if (flags & FLAG_BAD_FCS)
		return DECODE_NOT_IP; /* noise */
	return frame(c, flags & FLAG_PADDED, p, family);
}
