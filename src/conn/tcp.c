/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What one segment says about its connection. */
#include <string.h>

#include "conn/engine_private.h"
#include "wire/decode.h"

/* A sequence number that is farther off than any window of a mail session belongs to nobody. */
#define PLAUSIBLE (1 << 26)

/* Two sights of one packet: with the same IPv4 ID, or by two interfaces, or after a router, it may
 * have waited in a queue between them; else it comes from a switch that mirrors both ways. The
 * quickest genuine repetition takes 2 ms (tail loss probes of Linux). */
#define SIGHT_QUEUED_US 1000000
#define SIGHT_MIRROR_US 1000
/* A SYN is repeated after a second (RFC 6298), by the hastiest after a third of it. */
#define SYN_TWICE_US 200000

static int32_t diff(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

static uint16_t clip16(uint32_t v)
{
	return v < UINT16_MAX ? (uint16_t)v : UINT16_MAX;
}

static void bump(uint16_t *count)
{
	if (*count < UINT16_MAX)
		(*count)++;
}

struct conn_mark track_mark(const struct engine *e, const struct track *t)
{
	uint64_t packets = e->number - t->first_packet + 1;
	uint64_t us = e->t_ns > t->start_ns ? (uint64_t)(e->t_ns - t->start_ns) / 1000 : 0;

	return (struct conn_mark){
		.packet = packets < CONN_FAR ? (uint32_t)packets : CONN_FAR,
		.t_us = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX,
	};
}

enum conn_phase track_phase(const struct track *t)
{
	const struct body *b = t->body;

	if (!b)
		return CONN_PHASE_SYN;
	const struct conn_half *client = &b->half[CONN_CLIENT], *server = &b->half[CONN_SERVER];
	if (client->fins || server->fins)
		return CONN_PHASE_CLOSING;
	if (client->segments)
		return client->segments == 1 ? CONN_PHASE_ONE : CONN_PHASE_MORE;
	if (server->segments)
		return CONN_PHASE_GREETED;
	if (conn_seen(b->established) || t->begin == CONN_FROM_MIDDLE)
		return CONN_PHASE_ACK;
	return conn_seen(b->synack) ? CONN_PHASE_SYNACK : CONN_PHASE_SYN;
}

/* In place: see put_end() in record.c. */
static void put_print(struct conn_print *p, const struct segment *s)
{
	struct tcp_segment read = {0};
	const struct tcp_segment *tcp = s->decoded;

	if (!tcp) {
		wire_tcp_options_of(s->options, s->options_len, s->options_claimed, &read);
		tcp = &read;
	}
	p->ttl = s->ttl;
	p->wscale = tcp->has_wscale ? tcp->wscale : CONN_NO_WSCALE;
	p->ip_id = s->ip_id;
	p->window = s->window;
	p->mss = tcp->has_mss ? tcp->mss : 0;
	p->ts_val = tcp->ts_val;
	p->df = s->df;
	p->ts = tcp->has_ts;
	p->sack = tcp->sack_permitted;
	p->ip_options = s->ip_options;
	p->bad_options = tcp->options_malformed;
}

/* ---- the parts ---- */

void track_client_half(const struct track *t, struct conn_half *h)
{
	*h = (struct conn_half){0};
	if (t->syns == 0)
		return;
	h->packets = t->syns;
	h->isn = t->isn;
	h->isn_known = true;
	h->last = t->syn_last;
	h->last_new = t->syn;
	h->ip_id_first = h->ip_id_last = t->syn_print.ip_id;
	h->ip_id_zero = t->syn_print.ip_id == 0;
	h->ttl_min = h->ttl_max = h->ttl_last = t->syn_print.ttl;
	h->dir = t->client_dir;
}

struct body *track_body(struct engine *e, struct track *t)
{
	if (t->body)
		return t->body;
	struct body *b = engine_take(e, &e->bodies);
	if (!b)
		return NULL;
	memset(b, 0, sizeof(*b));
	b->text = e->no_text;
	t->body = b;
	b->heard[CONN_SERVER] = t->syns < UINT8_MAX ? (uint8_t)t->syns : UINT8_MAX;
	track_client_half(t, &b->half[CONN_CLIENT]);
	if (t->syns)
		stream_begin(&b->stream[CONN_CLIENT], t->isn + 1);
	return b;
}

struct notes *track_notes(struct engine *e, struct track *t)
{
	struct body *b = track_body(e, t);

	if (!b || b->notes)
		return b ? b->notes : NULL;
	b->notes = engine_take(e, &e->notes);
	if (b->notes)
		memset(b->notes, 0, sizeof(*b->notes));
	return b->notes;
}

void track_twin(struct engine *e, struct track *t, const struct track *other)
{
	struct notes *n = track_notes(e, t);
	uint64_t later = other->first_packet - t->first_packet + 1;

	if (!n || n->has_twin)
		return;
	n->has_twin = true;
	n->twin = (struct conn_twin){
		.client = track_address(other, other->client),
		.server = track_address(other, !other->client),
		.client_port = other->port[other->client],
		.server_port = other->port[!other->client],
		.ttl = other->syn_print.ttl,
	};
	if (other->first_packet > t->first_packet && later < CONN_FAR)
		n->twin.at = (struct conn_mark){
			.packet = (uint32_t)later,
			.t_us = (uint32_t)((other->start_ns - t->start_ns) / 1000),
		};
}

/* ---- every packet ---- */

static uint32_t sum_of(const struct segment *s)
{
	uint32_t sum = (s->seq * 31 + s->ack) * 31 + (uint32_t)(s->flags << 16 | s->window);

	return sum * 31 + s->payload_len;
}

static void note_sight(struct stream *st, const struct segment *s, uint32_t sum, struct conn_mark m)
{
	st->sights[st->sight++ % SIGHT_COUNT] = (struct sight){
		.sum = sum,
		.t_us = m.t_us,
		.interface = s->interface,
		.ip_id = s->ip_id,
		.ttl = s->ttl ? s->ttl : 1,
	};
}

/* True when the capture shows this packet for the second time, which only one that says nothing new
 * `may`. */
static bool seen_twice(struct stream *st, const struct segment *s, struct conn_mark m, bool may)
{
	uint32_t sum = sum_of(s);

	for (unsigned i = 0; may && i < SIGHT_COUNT; i++) {
		const struct sight *old = &st->sights[i];
		bool same = old->sum == sum && old->ip_id == s->ip_id && old->ttl;
		bool moved = old->interface != s->interface || old->ttl != s->ttl || s->ip_id;
		if (same && m.t_us - old->t_us <= (moved ? SIGHT_QUEUED_US : SIGHT_MIRROR_US))
			return true;
	}
	note_sight(st, s, sum, m);
	return false;
}

static void note_heard(struct body *b, enum conn_side side)
{
	b->heard[side] = 0;
	if (b->heard[!side] < UINT8_MAX)
		b->heard[!side]++;
}

/* Of packets that are no RST. */
static void note_header(struct conn_half *h, const struct segment *s, struct conn_mark m)
{
	if (h->ttl_last == 0) {
		h->ttl_min = h->ttl_max = s->ttl;
		h->ip_id_first = s->ip_id;
		h->ip_id_zero = s->ip_id == 0;
	}
	if (h->packets == 0)
		h->dir = s->dir;
	if (s->ttl < h->ttl_min)
		h->ttl_min = s->ttl;
	if (s->ttl > h->ttl_max)
		h->ttl_max = s->ttl;
	h->ttl_last = s->ttl;
	h->ip_id_last = s->ip_id;
	if (s->ip_id)
		h->ip_id_zero = false;
	if (s->fragments)
		h->fragments = true;
	h->packets++;
	h->last = m;
	if (h->rsts && !conn_seen(h->after_rst))
		h->after_rst = m;
}

/* ---- SYN and SYN-ACK ---- */

static void first_syn(struct track *t, const struct segment *s, struct conn_mark m)
{
	t->isn = s->seq;
	t->syn = t->syn_last = m;
	t->syns = 1;
	put_print(&t->syn_print, s);
	t->syn_payload = clip16(s->payload_len);
	t->client_dir = s->dir;
}

static void syn(struct engine *e, struct track *t, const struct segment *s, struct conn_mark m)
{
	struct body *b = t->body;

	if (t->syns && m.t_us - t->syn_last.t_us < SYN_TWICE_US) {
		t->duplicates++;
		return;
	}
	if (t->syns == 0) {
		first_syn(t, s, m);
		if (b && !b->stream[CONN_CLIENT].known)
			stream_begin(&b->stream[CONN_CLIENT], s->seq + 1);
		if (b) {
			b->half[CONN_CLIENT].isn = s->seq;
			b->half[CONN_CLIENT].isn_known = true;
		}
	} else {
		bump(&t->syns);
		t->syn_last = m;
	}
	if (b) {
		note_header(&b->half[CONN_CLIENT], s, m);
		if (conn_seen(b->synack)) {
			if (b->syns_after_synack == 0)
				b->syn_after_synack = m;
			bump(&b->syns_after_synack);
		}
	}
	if (t->list == LIST_ENDED)
		engine_revive(e, t); /* its sender did not take the reset */
}

static void synack(struct track *t, const struct segment *s, struct conn_mark m)
{
	struct body *b = t->body;
	struct conn_half *h = &b->half[CONN_SERVER];
	struct stream *client = &b->stream[CONN_CLIENT];

	if (seen_twice(&b->stream[CONN_SERVER], s, m, true)) {
		t->duplicates++;
		return;
	}
	note_header(h, s, m);
	if (!client->known)
		stream_begin(client, s->ack);
	if (diff(s->ack, client->base) < 0 || diff(s->ack, client->base) > t->syn_payload) {
		if (!conn_seen(b->synack_stray))
			b->synack_stray = m;
		return;
	}
	if (b->synacks == 0) {
		b->synack = m;
		b->synack_seq = h->isn = s->seq;
		h->isn_known = true;
		h->last_new = m;
		put_print(&b->synack_print, s);
		if (!b->stream[CONN_SERVER].known)
			stream_begin(&b->stream[CONN_SERVER], s->seq + 1);
	} else if (s->seq != b->synack_seq) {
		if (b->synacks_other == 0) {
			b->synack_other = m;
			put_print(&b->synack_other_print, s);
		}
		bump(&b->synacks_other);
		return;
	}
	bump(&b->synacks);
	b->synack_last = m;
}

/* ---- RST ---- */

static void keep_rst(struct notes *n, const struct conn_rst *rst)
{
	if (n->n_rsts < CONN_RSTS_MAX)
		n->n_rsts++;
	n->rsts[n->n_rsts - 1] = *rst;
}

static void rst(struct engine *e, struct track *t, const struct segment *s, enum conn_side side,
		struct conn_mark m)
{
	struct body *b = t->body;
	struct conn_half *h = &b->half[side];
	struct stream *own = &b->stream[side], *other = &b->stream[!side];

	if (seen_twice(own, s, m, true)) {
		t->duplicates++;
		return;
	}
	struct conn_rst r = {
		.at = m,
		.side = (uint8_t)side,
		.flags = s->flags,
		.phase = (uint8_t)track_phase(t),
		.provoked = b->heard[side],
		.seq_known = own->known,
		.ack_known = other->known && (s->flags & TCP_ACK),
		.seq = s->seq,
		.ack = s->ack,
		.payload = clip16(s->payload_len),
		.has_prev = h->ttl_last != 0,
		.prev_ttl = h->ttl_last,
		.prev_ip_id = h->ip_id_last,
	};
	put_print(&r.print, s);
	if (r.seq_known)
		r.seq_off = diff(s->seq, own->fin_known ? own->fin_seq + 1 : own->next);
	if (r.ack_known)
		r.ack_off = diff(s->ack, other->fin_known ? other->fin_seq + 1 : other->next);
	if (h->packets == 0)
		h->dir = s->dir;
	h->packets++;
	h->last = m;
	bump(&h->rsts);
	struct notes *n = track_notes(e, t);
	if (n)
		keep_rst(n, &r);

	bool nobodys = r.seq_known && (r.seq_off > PLAUSIBLE || r.seq_off < -PLAUSIBLE);
	if (t->list != LIST_ENDED && !nobodys) {
		b->end_at = m;
		b->end_side = (uint8_t)side;
		engine_end(e, t, CONN_RST);
	}
}

/* ---- data and acknowledgements ---- */

/* Data of this side that is new: sets what would be stuck if it were never acknowledged. */
static inline void sent_new(struct conn_half *h, struct stream *st, const struct segment *s,
		     struct conn_mark m)
{
	uint32_t end = s->seq + s->payload_len;

	if (st->una == st->next || h->stuck.bytes == 0) {
		st->oldest = s->seq;
		h->stuck = (struct conn_stuck){
			.first = m, .last = m, .size = clip16(s->payload_len), .bytes = 1};
	}
	if (s->payload_len > st->flight)
		st->flight = s->payload_len;
	h->bytes += end - st->next;
	h->last_new = m;
	st->next = end;
}

static void sent_again(struct conn_half *h, struct stream *st, const struct segment *s,
		       struct conn_mark m)
{
	uint32_t end = s->seq + s->payload_len;

	if (diff(end, st->parsed) > 0)
		bump(&h->late);
	else
		bump(&h->resent);
	if (h->stuck.bytes && diff(s->seq, st->oldest) <= 0 && diff(end, st->oldest) > 0) {
		bump(&h->stuck.repeats);
		h->stuck.last = m;
		if (s->payload_len > h->stuck.size)
			h->stuck.size = clip16(s->payload_len);
	}
}

static inline void acknowledged(struct conn_half *h, struct stream *st, uint32_t ack, struct conn_mark m)
{
	if (st->fin_known && ack == st->fin_seq + 1) {
		h->fin_acked = true;
		ack--;
	}
	if (diff(ack, st->next) > 0) { /* what the capture doesn't show */
		h->bytes += ack - st->next;
		st->next = ack;
	}
	st->una = ack;
	st->acked = true;
	if (st->una == st->next) {
		if (st->flight > h->size_acked)
			h->size_acked = clip16(st->flight);
		st->flight = 0;
		h->stuck = (struct conn_stuck){0};
	} else if (diff(st->una, st->oldest) > 0) {
		st->oldest = st->una;
		h->stuck = (struct conn_stuck){.first = m, .last = m, .bytes = 1};
	}
}

/* True when it acknowledged something new. */
static bool take_ack(struct body *b, const struct segment *s, enum conn_side side,
		     struct conn_mark m)
{
	struct stream *st = &b->stream[!side];
	struct conn_half *h = &b->half[!side];

	if (!st->known)
		stream_begin(st, s->ack);
	int32_t ahead = diff(s->ack, st->una);
	if (ahead < 0 || ahead > PLAUSIBLE)
		return false;
	if (ahead == 0 && !(st->fin_known && s->ack == st->fin_seq + 1)) {
		st->acked = true;
		return false;
	}
	acknowledged(h, st, s->ack, m);
	return true;
}

static void take_window(struct conn_half *h, const struct segment *s, struct conn_mark m)
{
	h->window_last = s->window;
	if (s->window > h->window_max)
		h->window_max = s->window;
	if (s->window != 0)
		return;
	if (h->zero_windows == 0)
		h->zero_window = m;
	bump(&h->zero_windows);
}

static void take_fin(struct engine *e, struct track *t, const struct segment *s,
		     enum conn_side side, struct conn_mark m)
{
	struct body *b = t->body;
	struct conn_half *h = &b->half[side];

	if (h->fins == 0) {
		h->fin = m;
		h->last_new = m;
		b->stream[side].fin_known = true;
		b->stream[side].fin_seq = s->seq + s->payload_len;
	}
	bump(&h->fins);
	if (b->half[!side].fins && t->list != LIST_ENDED) {
		b->end_at = m;
		engine_end(e, t, CONN_FIN);
	}
}

/* Keep-alive probes repeat the last byte, or none. */
static bool is_keepalive(const struct stream *st, const struct segment *s)
{
	return st->una == st->next && s->seq == st->next - 1 && s->payload_len <= 1 &&
	       !(s->flags & (TCP_SYN | TCP_FIN | TCP_RST)) && diff(s->seq, st->base) >= 0;
}

static bool nothing_new(const struct stream *st, const struct stream *other,
			const struct segment *s)
{
	bool fin = (s->flags & TCP_FIN) && !st->fin_known;
	bool ack = (s->flags & TCP_ACK) && other->known && diff(s->ack, other->una) > 0;

	return !fin && !ack && diff(s->seq + s->payload_len, st->next) <= 0;
}

static inline void note_payload(struct conn_half *h, const struct segment *s, struct conn_mark m)
{
	if (h->segments++ == 0)
		h->first_data = m;
	h->last_data = m;
	if (s->payload_len > h->size_max)
		h->size_max = clip16(s->payload_len);
}

static void take_payload(struct engine *e, struct track *t, const struct segment *s,
			 enum conn_side side, struct conn_mark m)
{
	struct body *b = t->body;
	struct conn_half *h = &b->half[side];
	struct stream *st = &b->stream[side];
	int32_t ahead = diff(s->seq + s->payload_len, st->next);

	note_payload(h, s, m);
	if (ahead > 0)
		sent_new(h, st, s, m);
	else
		sent_again(h, st, s, m);
	/* the receiver of a reset that goes on did not take it */
	if (ahead > 0 && t->list == LIST_ENDED && t->end == CONN_RST && b->end_side != side)
		engine_revive(e, t);
	stream_bytes(e, t, side, s->seq, s->payload, s->payload_cap, s->payload_len);
}

/* Something was acknowledged that the dialogue has not seen. */
static bool misses_bytes(const struct stream *s)
{
	return s->hole || (s->acked && diff(s->una, s->parsed) > 0);
}

static void segment(struct engine *e, struct track *t, const struct segment *s, enum conn_side side,
		    struct conn_mark m)
{
	struct body *b = t->body;
	struct conn_half *h = &b->half[side];
	struct stream *st = &b->stream[side], *other = &b->stream[!side];

	if (!st->known)
		stream_begin(st, s->seq);
	if (seen_twice(st, s, m, nothing_new(st, other, s))) {
		t->duplicates++;
		return;
	}
	note_header(h, s, m);
	if (t->list == LIST_ENDED && t->end == CONN_IDLE)
		engine_revive(e, t);
	int32_t off = diff(s->seq, st->next);
	if (off > PLAUSIBLE || off < -PLAUSIBLE)
		return; /* nobody's; counted, no more */

	if (s->flags & TCP_ACK) {
		if (take_ack(b, s, side, m))
			h->last_new = m;
		if (side == CONN_CLIENT && !conn_seen(b->established) &&
		    t->begin != CONN_FROM_MIDDLE && diff(s->ack, other->base) >= 0)
			b->established = m;
		take_window(h, s, m);
	}
	if (is_keepalive(st, s))
		h->keepalive = true;
	else if (s->payload_len)
		take_payload(e, t, s, side, m);
	if (s->flags & TCP_FIN)
		take_fin(e, t, s, side, m);
	if (misses_bytes(st))
		stream_holes(e, t, side, false);
	if (misses_bytes(other))
		stream_holes(e, t, !side, false);
}

/* ---- the usual segment ---- */

static bool is_in_order(const struct stream *s, const struct conn_half *h)
{
	return s->known && s->parsed == s->next && !s->early && !s->hole && !s->fin_known &&
	       h->rsts == 0;
}

/* Nothing is missing, early or unread of what either side sent, and nobody has begun to close. */
static void note_order(const struct track *t)
{
	struct body *b = t->body;

	b->in_order = t->list == LIST_GOING && conn_seen(b->established) &&
		      is_in_order(&b->stream[CONN_CLIENT], &b->half[CONN_CLIENT]) &&
		      is_in_order(&b->stream[CONN_SERVER], &b->half[CONN_SERVER]);
}

/* Most segments just continue what stands in order: they need none of the questions that segment()
 * asks, and mean the same to it. False: something is different. */
static bool usual_segment(struct engine *e, struct track *t, const struct segment *s,
			  enum conn_side side, struct conn_mark m)
{
	struct body *b = t->body;

	if (!b || !b->in_order || t->list != LIST_GOING || s->window == 0 ||
	    (s->flags & (TCP_SYN | TCP_FIN | TCP_RST | TCP_ACK)) != TCP_ACK)
		return false;
	struct conn_half *h = &b->half[side];
	struct stream *st = &b->stream[side], *other = &b->stream[!side];
	bool acks_all = s->ack == other->next, acks_new = s->ack != other->una;
	if (s->seq != st->next || (acks_new && !acks_all) || (!acks_new && s->payload_len == 0))
		return false;

	note_heard(b, side);
	note_sight(st, s, sum_of(s), m);
	note_header(h, s, m);
	if (acks_new) {
		acknowledged(&b->half[!side], other, s->ack, m);
		h->last_new = m;
	}
	other->acked = true;
	h->window_last = s->window;
	if (s->window > h->window_max)
		h->window_max = s->window;
	if (s->payload_len) { /* as take_payload() takes what is next in order */
		note_payload(h, s, m);
		sent_new(h, st, s, m);
		stream_next(e, t, side, s->payload, s->payload_cap, s->payload_len);
	}
	return true;
}

void track_segment(struct engine *e, struct track *t, const struct segment *s, enum conn_side side)
{
	struct conn_mark m = e->mark = track_mark(e, t);
	uint8_t kind = s->flags & (TCP_SYN | TCP_ACK | TCP_RST);

	if (e->t_ns > t->last_ns)
		t->last_ns = e->t_ns;
	t->last_packet = e->number;
	t->around |= s->around;
	t->interfaces |= (uint8_t)(1 << (s->interface & 7));
	if (s->outer_ttl)
		t->tunnel_ttl = s->outer_ttl;
	if (s->loopback)
		t->loopback = true;
	if (t->begin == CONN_FROM_ICMP)
		t->begin = kind == TCP_SYN ? CONN_FROM_SYN : CONN_FROM_MIDDLE;
	if (usual_segment(e, t, s, side, m))
		return;
	if (kind == TCP_SYN && side == CONN_CLIENT) {
		if (t->body)
			note_heard(t->body, side);
		syn(e, t, s, m);
		return;
	}
	if (!track_body(e, t)) {
		t->text_full = true;
		return;
	}
	t->body->in_order = false;
	if (!(kind & TCP_RST))
		note_heard(t->body, side);
	if (kind & TCP_RST)
		rst(e, t, s, side, m);
	else if (kind == (TCP_SYN | TCP_ACK) && side == CONN_SERVER)
		synack(t, s, m);
	else
		segment(e, t, s, side, m);
	if (t->list == LIST_HALF_OPEN)
		engine_going(e, t);
	note_order(t);
}
