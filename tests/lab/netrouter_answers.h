/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A part of netrouter.c, where that includes it. */
/* ---- answers in somebody's name ---------------------------------------------------- */

/* Writes an IP header for `len` bytes of payload; returns its length. */
static int put_ip(uint8_t *p, const struct addr *src, const struct addr *dst, int proto, int ttl, int len,
		  uint64_t *random)
{
	if (src->version == 4) {
		memset(p, 0, 20);
		p[0] = 0x45;
		put16(p + 2, (uint16_t)(20 + len));
		put16(p + 4, (uint16_t)random_next(random));
		p[8] = (uint8_t)ttl;
		p[9] = (uint8_t)proto;
		memcpy(p + 12, src->bytes, 4);
		memcpy(p + 16, dst->bytes, 4);
		put16(p + 10, fold(sum16(p, 20, 0)));
		return 20;
	}
	memset(p, 0, 40);
	p[0] = 0x60;
	put16(p + 4, (uint16_t)len);
	p[6] = (uint8_t)proto;
	p[7] = (uint8_t)ttl;
	memcpy(p + 8, src->bytes, 16);
	memcpy(p + 24, dst->bytes, 16);
	return 40;
}

static struct addr addr_of(const uint8_t *bytes, int version)
{
	struct addr a = {.version = version};

	memcpy(a.bytes, bytes, version == 4 ? 4 : 16);
	return a;
}

struct segment {
	uint16_t sport, dport, window;
	uint32_t seq, ack;
	uint8_t flags;
	bool mss;                 /* with an MSS option, as a SYN-ACK has */
	const struct text *data;  /* may be NULL */
};

static int put_tcp(uint8_t *out, const struct segment *s, const struct addr *src, const struct addr *dst, int ttl,
		   uint64_t *random)
{
	int header = s->mss ? 24 : 20, len = header + (s->data ? (int)s->data->len : 0);
	int head = put_ip(out, src, dst, IPPROTO_TCP, ttl, len, random);
	uint8_t *t = out + head;
	int addr_len = src->version == 4 ? 4 : 16;

	memset(t, 0, (size_t)len);
	put16(t, s->sport);
	put16(t + 2, s->dport);
	put32(t + 4, s->seq);
	put32(t + 8, s->ack);
	t[12] = (uint8_t)(header / 4 << 4);
	t[13] = s->flags;
	put16(t + 14, s->window);
	if (s->mss) {
		t[20] = TCPOPT_MAXSEG;
		t[21] = TCPOLEN_MAXSEG;
		put16(t + 22, 1460);
	}
	if (s->data)
		memcpy(t + header, s->data->bytes, s->data->len);
	put16(t + 16, fold(sum16(t, len, pseudo_sum(src->bytes, dst->bytes, addr_len, IPPROTO_TCP, len))));
	return head + len;
}

/* What the destination would answer (RFC 9293, 3.10.7.1): a RST or SYN-ACK, words or its end. */
static struct segment answer_to(const uint8_t *p, const struct view *v, const struct rule *r, int copy,
				uint64_t *random)
{
	const uint8_t *t = p + v->l4;
	uint32_t taken = (uint32_t)v->payload_len + !!(v->flags & TH_SYN) + !!(v->flags & TH_FIN);
	struct segment s = {.sport = get16(t + 2), .dport = get16(t), .ack = get32(t + 4) + taken};

	if (r->action == ACT_SYNACK) {
		s.seq = (uint32_t)random_next(random);
		s.flags = TH_SYN | TH_ACK;
		s.window = 65535;
		s.mss = true;
		return s;
	}
	if (r->action == ACT_SAY || r->action == ACT_FIN) {
		s.seq = get32(t + 8);
		s.flags = (uint8_t)(TH_ACK | (r->action == ACT_SAY ? TH_PUSH : 0) |
				    (r->action == ACT_FIN || r->close ? TH_FIN : 0));
		s.window = 65535;
		s.data = r->action == ACT_SAY ? &r->replaced : NULL;
		return s;
	}
	if (v->flags & TH_ACK) {
		s.seq = get32(t + 8) + (uint32_t)copy * 1460;
		s.ack = 0;
		s.flags = TH_RST;
	} else {
		s.seq = (uint32_t)copy * 1460;
		s.flags = TH_RST | TH_ACK;
	}
	return s;
}

static void answer_tcp(struct router *router, const uint8_t *p, const struct view *v,
		       const struct rule *r, int ttl)
{
	struct addr src = addr_of(v->src, v->version), dst = addr_of(v->dst, v->version);
	uint8_t out[128 + TEXT_MAX];
	int64_t due = r->after ? now_ns() + r->after : 0;

	if (v->flags < 0 || (v->flags & TH_RST))
		return;
	for (int copy = 0; copy < r->copies; copy++) {
		struct segment s = answer_to(p, v, r, copy, &router->random);
		int len = put_tcp(out, &s, &dst, &src, ttl, &router->random);

		send_at(router, RAW, out, len, due);
	}
	if (r->both) {
		struct segment s = {.sport = (uint16_t)v->sport, .dport = (uint16_t)v->dport, .flags = TH_RST,
				    .seq = get32(p + v->l4 + 4) + !!(v->flags & TH_SYN)};
		int len = put_tcp(out, &s, &src, &dst, ttl, &router->random);

		send_at(router, RAW, out, len, due);
	}
}

static void answer_icmp(struct router *router, const uint8_t *p, const struct view *v,
			const struct rule *r, int ttl)
{
	struct addr dst = addr_of(v->src, v->version);
	struct addr from = r->from.version ? r->from : v->version == 4 ? router->address4 : router->address6;
	int proto = v->version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	int limit = v->version == 4 ? QUOTE4_MAX : QUOTE6_MAX;
	int quote = v->len < limit ? v->len : limit;
	int len = 8 + quote;
	uint8_t out[PACKET_MAX];
	uint32_t sum = 0;
	int head;

	if (from.version != v->version)
		return;
	head = put_ip(out, &from, &dst, proto, ttl, len, &router->random);
	memset(out + head, 0, 8);
	out[head] = (uint8_t)r->reply_type;
	out[head + 1] = (uint8_t)r->reply_code;
	memcpy(out + head + 8, p, (size_t)quote);
	if (v->version == 6)
		sum = pseudo_sum(from.bytes, dst.bytes, 16, proto, len);
	put16(out + head + 2, fold(sum16(out + head, len, sum)));
	send_at(router, RAW, out, head + len, r->after ? now_ns() + r->after : 0);
}
