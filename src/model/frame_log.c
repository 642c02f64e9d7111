/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/frame_log.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"

#define PCAP_MAGIC_NS    0xa1b23c4d /* pcap-savefile(5) */
#define PCAP_SNAPLEN_MAX 262144     /* libpcap's largest for these link types */

struct record {
	uint32_t s, ns, caplen, wire_len;
};

void frame_log_clear(struct frame_log *l)
{
	free(l->bytes);
	*l = (struct frame_log){0};
}

void frame_log_add(struct frame_log *l, int64_t t_ns, const uint8_t *frame, size_t caplen,
		   size_t wire_len)
{
	struct record r = {.s = (uint32_t)(t_ns / NS_PER_S),
			   .ns = (uint32_t)(t_ns % NS_PER_S),
			   .caplen = (uint32_t)caplen,
			   .wire_len = (uint32_t)wire_len};
	size_t more = sizeof(r) + caplen;

	if (l->size - l->len < more) {
		l->size = (l->size + more) * 2;
		l->bytes = xrealloc(l->bytes, l->size);
	}
	memcpy(l->bytes + l->len, &r, sizeof(r));
	memcpy(l->bytes + l->len + sizeof(r), frame, caplen);
	l->len += more;
	l->n++;
}

bool frame_log_next(const struct frame_log *l, size_t *at, struct logged_frame *out)
{
	struct record r;

	if (*at == l->len)
		return false;
	memcpy(&r, l->bytes + *at, sizeof(r));
	*out = (struct logged_frame){l->bytes + *at + sizeof(r), r.caplen, r.wire_len};
	*at += sizeof(r) + r.caplen;
	return true;
}

void frame_log_header(const struct frame_log *l, uint8_t out[FRAME_LOG_HEADER])
{
	const uint16_t version[] = {2, 4};
	const uint32_t words[] = {0, 0, PCAP_SNAPLEN_MAX, (uint32_t)l->link_type};
	const uint32_t magic = PCAP_MAGIC_NS;

	memcpy(out, &magic, sizeof(magic));
	memcpy(out + 4, version, sizeof(version));
	memcpy(out + 8, words, sizeof(words));
}
