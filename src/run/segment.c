/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/segment.h"

bool segment_ack(const struct flow *f, const struct addr *target, struct raw_syn *out)
{
	const struct talk *t = &f->talk;

	/* The timestamp stays: one that runs ahead of our kernel's clock would make its next packets
	 * look old (RFC 7323 5.3). */
	*out = (struct raw_syn){
		.kind = RAW_ACK,
		.src = f->local,
		.dst = *target,
		.sport = f->lport,
		.dport = f->port,
		.seq = t->said_end,
		.ack = t->own.ack,
		.window = t->own.window,
		.ttl = f->syn_ttl,
		.ip_id = (uint16_t)(f->isn % 0xffff + 1),
		.has_ts = t->own.has_ts,
		.ts_val = t->own.ts_val,
		.ts_ecr = t->own.ts_ecr,
		.flow_label = t->own.flow_label,
	};
	return t->own.seen;
}

bool segment_look(const struct flow *f, const struct addr *target, struct raw_syn *out)
{
	bool seen = segment_ack(f, target, out);

	out->seq = f->talk.acked - 1;
	return seen;
}

bool segment_copy(const struct flow *f, const struct addr *target, uint8_t ttl, const uint8_t *payload,
		  unsigned size, struct raw_syn *out)
{
	bool seen = segment_ack(f, target, out);

	out->ttl = ttl;
	out->window = (uint16_t)(out->window < 0x8000 ? out->window + ttl : out->window - ttl);
	if (size)
		out->seq = f->talk.acked;
	out->payload = payload;
	out->payload_len = size;
	return seen;
}
