/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wire/decode.h"

#include "wire/layers.h"

static enum decode_result finish(enum decode_result result, struct packet *p)
{
	if (result != DECODE_OK)
		*p = (struct packet){0};
	return result;
}

static enum decode_result decode(int link_type, struct cursor c, int tunnels, struct packet *out)
{
	uint8_t family = ADDR_NONE;

	*out = (struct packet){0};
	enum decode_result r = wire_link(link_type, &c, out, &family);
	if (r == DECODE_NOT_IP && out->kind == PACKET_NEIGHBOUR && tunnels < 0)
		return finish(wire_arp(&c, out), out);
	if (r == DECODE_OK)
		r = wire_ip(&c, family, tunnels, out);
	if (r == DECODE_OK)
		wire_link_loopback(link_type, out);
	return finish(r, out);
}

enum decode_result wire_decode(int link_type, const uint8_t *frame, size_t caplen, size_t wire_len,
			       struct packet *out)
{
	return decode(link_type, cursor_over(frame, caplen, wire_len), -1, out);
}

enum decode_result wire_decode_deep(int link_type, const uint8_t *frame, size_t caplen,
				    size_t wire_len, struct packet *out)
{
	return decode(link_type, cursor_over(frame, caplen, wire_len), TUNNELS_MAX, out);
}

enum decode_result wire_decode_ip_deep(const uint8_t *ip, size_t caplen, size_t wire_len,
				       struct packet *out)
{
	struct cursor c = cursor_over(ip, caplen, wire_len);

	*out = (struct packet){0};
	return finish(wire_ip(&c, ADDR_NONE, TUNNELS_MAX, out), out);
}

