/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conn/engine.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "conn/engine_private.h"
#include "wire/decode.h"

/* Idle ones are looked for, and the clock is set, once in so many packets. */
#define TICK_PACKETS FRAME_TICK
/* A time that differs by more from the last one is believed when so many ticks agree: one broken
 * stamp must not end every connection. */
#define JUMP_NS    (60 * NS_PER_S)
#define JUMP_TICKS 4
/* Connections looked at to find one that is idle, and given up to make room for one piece. */
#define RECLAIM_LOOKS 64
#define RECLAIM_TRIES 4

static const uint16_t default_ports[] = {25, 465, 587};

/* ---- lists ---- */

static void list_remove(struct engine *e, struct track *t)
{
	struct list *l = &e->lists[t->list];

	if (t->prev == NO_TRACK)
		l->head = t->next;
	else
		table_at(&e->table, t->prev)->next = t->next;
	if (t->next == NO_TRACK)
		l->tail = t->prev;
	else
		table_at(&e->table, t->next)->prev = t->prev;
}

static void list_append(struct engine *e, struct track *t, enum track_list list)
{
	struct list *l = &e->lists[list];

	t->list = (uint8_t)list;
	t->listed_ns = list == LIST_ENDED ? e->now_ns : t->last_ns;
	t->next = NO_TRACK;
	t->prev = l->tail;
	if (l->tail == NO_TRACK)
		l->head = t->id;
	else
		table_at(&e->table, l->tail)->next = t->id;
	l->tail = t->id;
}

static void list_move(struct engine *e, struct track *t, enum track_list list)
{
	list_remove(e, t);
	list_append(e, t, list);
}

void engine_going(struct engine *e, struct track *t)
{
	list_move(e, t, LIST_GOING);
}

void engine_end(struct engine *e, struct track *t, enum conn_end how)
{
	t->end = (uint8_t)how;
	list_move(e, t, LIST_ENDED);
}

void engine_revive(struct engine *e, struct track *t)
{
	t->end = CONN_OPEN;
	if (t->body)
		t->body->end_at = (struct conn_mark){0};
	list_move(e, t, t->body ? LIST_GOING : LIST_HALF_OPEN);
}

/* ---- the end of a connection ---- */

static struct ghost *ghost_of(const struct engine *e, const struct key *k)
{
	return &e->ghosts[table_key_plain(k) % GHOST_COUNT];
}

static void ghost_add(struct engine *e, const struct track *t)
{
	struct key k;

	table_key_of(&e->table, t, &k);
	*ghost_of(e, &k) = (struct ghost){.tag = (uint32_t)(k.hash >> 32),
							 .s = (uint32_t)(e->now_ns / NS_PER_S) | 1};
}

static bool is_ghost(const struct engine *e, const struct key *k)
{
	const struct ghost *g = ghost_of(e, k);
	uint32_t now = (uint32_t)(e->now_ns / NS_PER_S) | 1;

	return g->s && g->tag == (uint32_t)(k->hash >> 32) && now - g->s <= GHOST_NS / NS_PER_S;
}

static void free_body(struct engine *e, struct body *b)
{
	for (int side = 0; side < CONN_SIDES; side++)
		stream_clear(e, &b->stream[side]);
	if (b->notes)
		pool_give(&e->notes, b->notes);
	if (b->talk)
		pool_give(&e->talks, b->talk);
	if (b->cipher) {
		cipher_clear(e, b->cipher);
		pool_give(&e->ciphers, b->cipher);
	}
	if (b->text_size)
		blocks_give(&e->blocks, b->text, b->text_size);
	pool_give(&e->bodies, b);
}

/* Last things that are known only now. */
static void close_books(struct engine *e, struct track *t)
{
	struct body *b = t->body;

	for (int side = 0; side < CONN_SIDES; side++) {
		struct stream *s = &b->stream[side];
		struct conn_half *h = &b->half[side];

		stream_holes(e, t, side, true);
		if (h->stuck.bytes)
			h->stuck.bytes = s->next - s->una;
		if (h->stuck.bytes == 0)
			h->stuck = (struct conn_stuck){0};
	}
	talk_end(e, t);
}

static void let_go(struct engine *e, struct track *t)
{
	list_remove(e, t);
	if (t->body)
		free_body(e, t->body);
	table_remove(&e->table, t->id);
}

/* Hands it over and forgets it. */
static void finish(struct engine *e, struct track *t)
{
	e->keeps_all = true; /* the last words of one that goes are not worth another one */
	e->mark = track_mark(e, t);
	if (t->body)
		close_books(e, t);
	e->keeps_all = false;
	if (t->proof == PROOF_LISTED || t->proof >= PROOF_GREETED) {
		ghost_add(e, t);
		e->stats.connections++;
		e->done(e->ctx, record_of(e, t));
	}
	let_go(e, t);
}

/* ---- time ---- */

/* The time of the capture, deaf to single stamps that are far off. */
static void set_clock(struct engine *e)
{
	int64_t off = e->t_ns - e->now_ns;

	if (e->now_ns != 0 && (off > JUMP_NS || off < -JUMP_NS)) {
		int64_t again = e->t_ns - e->jump_ns;
		bool agrees = again > -JUMP_NS && again < JUMP_NS;
		e->jumps = agrees ? e->jumps + 1 : 1;
		e->jump_ns = e->t_ns;
		if (e->jumps < JUMP_TICKS)
			return;
	} else if (off < 0) {
		e->jumps = 0;
		return; /* a little out of order */
	}
	e->jumps = 0;
	e->now_ns = e->t_ns;
}

/* The first of the list that has been silent since `before`; those that were not take their place
 * at its end, so that each is looked at once in the time that it may be idle. */
static struct track *idle_since(struct engine *e, enum track_list list, int64_t before)
{
	struct list *l = &e->lists[list];

	while (l->head != NO_TRACK) {
		struct track *t = table_at(&e->table, l->head);

		if (t->listed_ns > before)
			return NULL;
		if (t->last_ns <= before)
			return t;
		list_move(e, t, list);
	}
	return NULL;
}

static void prefetch(const void *at, size_t size)
{
	for (size_t i = 0; i < size; i += 64)
		__builtin_prefetch((const char *)at + i);
}

static const struct track *next_of(const struct engine *e, const struct track *t)
{
	return t && t->next != NO_TRACK ? table_at(&e->table, t->next) : NULL;
}

/* The last packet of those that come after `t` is seconds old, and they have left the caches. One is
 * asked for while those before it are handed over: its track, its body, what that leads to. */
static void prefetch_behind(const struct engine *e, const struct track *t)
{
	const struct track *first = next_of(e, t), *second = next_of(e, first),
			   *third = next_of(e, second);

	if (first) {
		struct key k;
		table_key_of(&e->table, first, &k);
		__builtin_prefetch(ghost_of(e, &k), 1);
		table_prefetch(&e->table, &k);
	}
	if (first && first->body) {
		const struct body *b = first->body;
		if (b->talk)
			prefetch(b->talk, sizeof(*b->talk));
		if (b->cipher)
			prefetch(b->cipher, sizeof(*b->cipher));
		prefetch(b->text, b->text_len);
	}
	if (second && second->body)
		prefetch(second->body, sizeof(*second->body));
	if (third)
		prefetch(third, sizeof(*third));
}

static void finish_ended(struct engine *e, struct track *t)
{
	prefetch_behind(e, t);
	finish(e, t);
}

static void expire(struct engine *e)
{
	static const int64_t patience[] = {
		[LIST_HALF_OPEN] = CONN_IDLE_SYN_NS,
		[LIST_GOING] = CONN_IDLE_NS,
	};
	struct track *t;

	for (int list = LIST_HALF_OPEN; list <= LIST_GOING; list++)
		while ((t = idle_since(e, list, e->now_ns - patience[list])))
			engine_end(e, t, CONN_IDLE);
	while (e->lists[LIST_ENDED].head != NO_TRACK) {
		t = table_at(&e->table, e->lists[LIST_ENDED].head);
		if (t->listed_ns > e->now_ns - CONN_LINGER_NS && t->listed_ns <= e->now_ns)
			break;
		finish_ended(e, t);
	}
}

static void tick(struct engine *e)
{
	set_clock(e);
	expire(e);
}

/* ---- memory ---- */

/* The first of the list that was not active since it came there; the others take their place at the
 * end: nearly the oldest, without a list in order of activity that every packet would have to mend.
 */
static struct track *not_active(struct engine *e, enum track_list list)
{
	struct list *l = &e->lists[list];

	for (int i = 0; i < RECLAIM_LOOKS && l->head != NO_TRACK; i++) {
		struct track *t = table_at(&e->table, l->head);

		if (t->last_ns <= t->listed_ns && t->id != e->at_hand)
			return t;
		list_move(e, t, list);
	}
	return l->head != NO_TRACK && l->head != e->at_hand ? table_at(&e->table, l->head) : NULL;
}

/* Of the living connections nearly the one that has been silent for longest, not the one at hand.
 */
static struct track *oldest(struct engine *e)
{
	struct track *half_open = not_active(e, LIST_HALF_OPEN);
	struct track *going = not_active(e, LIST_GOING);

	if (!half_open || !going)
		return half_open ? half_open : going;
	return half_open->last_ns < going->last_ns ? half_open : going;
}

/* What has ended goes first. False when there is nobody left. */
static bool give_up_one(struct engine *e)
{
	struct list *ended = &e->lists[LIST_ENDED];
	struct track *t = ended->head != NO_TRACK ? table_at(&e->table, ended->head) : NULL;

	if (t && t->id == e->at_hand)
		t = t->next != NO_TRACK ? table_at(&e->table, t->next) : NULL;
	if (t) {
		e->stats.flushed++;
		finish(e, t);
		return true;
	}
	t = oldest(e);
	if (!t)
		return false;
	if (t->proof == PROOF_LISTED || t->proof >= PROOF_GREETED)
		e->stats.evicted++;
	t->end = CONN_EVICTED;
	finish(e, t);
	return true;
}

static bool reclaim(struct engine *e)
{
	struct conn_mark mark = e->mark;

	if (e->keeps_all)
		return false;
	bool done = give_up_one(e);

	e->mark = mark;
	return done;
}

void *engine_take(struct engine *e, struct pool *p)
{
	void *piece = pool_take(p);

	for (int i = 0; !piece && i < RECLAIM_TRIES && reclaim(e); i++)
		piece = pool_take(p);
	return piece;
}

void *engine_take_block(struct engine *e, size_t size, size_t *got)
{
	void *block = blocks_take(&e->blocks, size, got);

	for (int i = 0; !block && size <= BLOCK_MAX && i < RECLAIM_TRIES && reclaim(e); i++)
		block = blocks_take(&e->blocks, size, got);
	return block;
}

/* ---- new connections ---- */

/* Links this SYN with one just seen that has other addresses and the same numbers. */
static void look_for_twin(struct engine *e, struct track *t)
{
	uint32_t key = t->isn ^ t->syn_print.ts_val * 0x9e3779b9u;
	struct twin_seen *seen = &e->twins[key % TWIN_COUNT];

	if (seen->first_packet && seen->key == key) {
		struct track *other = table_at(&e->table, seen->track);
		bool alive = other->family != ADDR_NONE && other->first_packet == seen->first_packet &&
			     other->syns && other->isn == t->isn && other->id != t->id;
		if (alive && e->t_ns - other->start_ns < TWIN_NS) {
			e->keeps_all = true; /* neither makes room for the other by going */
			track_twin(e, t, other);
			track_twin(e, other, t);
			e->keeps_all = false;
		}
	}
	*seen = (struct twin_seen){.first_packet = t->first_packet, .track = t->id, .key = key};
}

static bool listed(const struct engine *e, uint16_t port)
{
	return port_in(&e->ports, port);
}

/* Who called whom, when no SYN says it: the listed port is the server's; of two, the greeting's. */
static void guess_role(const struct engine *e, struct track *t, unsigned src, bool greets)
{
	bool src_listed = listed(e, t->port[src]), dst_listed = listed(e, t->port[!src]);

	t->role = src_listed != dst_listed ? CONN_ROLE_PORT : CONN_ROLE_GUESS;
	t->client = (uint8_t)(src_listed && (!dst_listed || greets) ? !src : src);
	if (!src_listed && !dst_listed) {
		t->role = CONN_ROLE_WORDS;
		t->client = (uint8_t)(greets ? !src : src);
	}
}

static struct track *new_track(struct engine *e, const struct key *k)
{
	uint32_t id = table_add(&e->table, k);

	for (int i = 0; id == NO_TRACK && i < RECLAIM_TRIES && reclaim(e); i++)
		id = table_add(&e->table, k);
	if (id == NO_TRACK) {
		e->stats.unseen++;
		return NULL;
	}
	struct track *t = table_at(&e->table, id);
	bool is_listed = listed(e, k->port[0]) || listed(e, k->port[1]);
	t->proof = is_listed ? PROOF_LISTED : PROOF_NONE;
	t->first_packet = t->last_packet = e->number;
	t->start_ns = t->last_ns = e->t_ns;
	list_append(e, t, LIST_HALF_OPEN);
	e->at_hand = id;
	return t;
}

static struct track *from_segment(struct engine *e, const struct key *k, const struct segment *s)
{
	uint8_t kind = s->flags & (TCP_SYN | TCP_ACK | TCP_RST);
	bool greets = talk_greets(s->payload, s->payload_cap);
	bool is_listed = listed(e, s->sport) || listed(e, s->dport);

	if (kind != TCP_SYN) {
		if (is_ghost(e, k))
			return NULL;
		if (!is_listed && kind != (TCP_SYN | TCP_ACK) && !greets &&
		    !talk_says_hello(s->payload, s->payload_cap))
			return NULL;
	}
	struct track *t = new_track(e, k);
	if (!t)
		return NULL;
	if (kind == TCP_SYN) {
		t->begin = CONN_FROM_SYN;
		t->client = k->src;
	} else if (kind == (TCP_SYN | TCP_ACK)) {
		t->begin = CONN_FROM_SYNACK;
		t->client = !k->src;
	} else {
		t->begin = CONN_FROM_MIDDLE;
		guess_role(e, t, k->src, greets);
	}
	return t;
}

/* A SYN on known ends: the same connection, or the next one? */
static bool starts_anew(const struct track *t, const struct segment *s, enum conn_side side)
{
	if ((s->flags & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN)
		return false;
	if (side == CONN_SERVER)
		return t->list == LIST_ENDED || t->syns == 0;
	if (t->syns)
		return s->seq != t->isn;
	const struct stream *st = t->body ? &t->body->stream[CONN_CLIENT] : NULL;
	return st && st->known && st->base != s->seq + 1;
}

/* t: of this key, or NULL. */
static void take_segment(struct engine *e, struct track *t, const struct key *k, const struct segment *s)
{
	e->at_hand = t ? t->id : NO_TRACK;
	if (t && starts_anew(t, s, k->src == t->client ? CONN_CLIENT : CONN_SERVER)) {
		if (t->list != LIST_ENDED)
			t->end = CONN_REPLACED;
		finish(e, t);
		t = NULL;
	}
	if (!t)
		t = from_segment(e, k, s);
	if (!t)
		return;
	bool first = t->first_packet == e->number && t->syns == 0;
	track_segment(e, t, s, k->src == t->client ? CONN_CLIENT : CONN_SERVER);
	if (first && t->syns)
		look_for_twin(e, t);
	if (t->proof == PROOF_NONE && t->body && t->body->half[CONN_SERVER].segments &&
	    !talk_may_be_smtp(t))
		let_go(e, t);
}

/* ---- packets ---- */

static void take_icmp(struct engine *e, const struct packet *p)
{
	const struct icmp_quote *q = &p->icmp.quote;
	struct key k;

	if (!q->has_ports || (!port_in(&e->wanted, q->sport) && !port_in(&e->wanted, q->dport)))
		return;
	table_key(&e->table, q->src.family, q->src.bytes, q->sport, q->dst.bytes, q->dport, &k);
	struct track *t = table_find(&e->table, &k);
	if (!t) {
		/* Only of a packet to a listed port can it be said that it was mail. */
		if (!listed(e, q->dport) || is_ghost(e, &k))
			return;
		t = new_track(e, &k);
		if (!t)
			return;
		t->begin = CONN_FROM_ICMP;
		t->role = CONN_ROLE_PORT;
		t->client = k.src;
	}
	e->at_hand = t->id;
	track_icmp(e, t, p, k.src == t->client ? CONN_CLIENT : CONN_SERVER);
}

static void take_tcp(struct engine *e, const struct packet *p, const struct frame *f,
		     bool fragments)
{
	const struct tcp_segment *tcp = &p->tcp;
	struct key k;

	if (!port_in(&e->wanted, tcp->sport) && !port_in(&e->wanted, tcp->dport))
		return;
	struct segment s = {
		.src = p->src.bytes,
		.dst = p->dst.bytes,
		.decoded = tcp,
		.payload = p->payload ? p->payload : p->src.bytes, /* none: of no length */
		.payload_len = p->payload_len,
		.payload_cap = p->payload_caplen,
		.seq = tcp->seq,
		.ack = tcp->ack,
		.sport = tcp->sport,
		.dport = tcp->dport,
		.window = tcp->window,
		.ip_id = p->ip_id,
		.around = p->around,
		.interface = p->ifindex ? (uint16_t)p->ifindex : f->interface,
		.family = p->src.family,
		.ttl = p->ttl,
		.outer_ttl = p->outer_ttl,
		.flags = tcp->flags,
		.dir = p->dir ? (uint8_t)p->dir : f->dir,
		.df = p->df,
		.ip_options = p->has_ip_options,
		.loopback = p->loopback,
		.fragments = fragments,
	};
	table_key(&e->table, s.family, s.src, s.sport, s.dst, s.dport, &k);
	take_segment(e, table_find(&e->table, &k), &k, &s);
}

static void take_packet(struct engine *e, struct packet *p, const struct frame *f, bool fragments)
{
	switch (p->kind) {
	case PACKET_TCP: take_tcp(e, p, f, fragments); break;
	case PACKET_ICMP: take_icmp(e, p); break;
	case PACKET_NEIGHBOUR:
	case PACKET_OTHER: break;
	}
}

static bool may_hold_tcp(uint8_t proto)
{
	enum { ICMP = 1, IPV4 = 4, TCP = 6, IPV6 = 41, GRE = 47, ICMPV6 = 58 };

	return proto == TCP || proto == ICMP || proto == ICMPV6 || proto == IPV4 || proto == IPV6 ||
	       proto == GRE;
}

static void take_fragment(struct engine *e, struct packet *p, const struct frame *f)
{
	struct packet whole;
	struct whole w;

	if (!may_hold_tcp(p->proto))
		return;
	if (!e->fragments)
		e->fragments = fragments_new(&e->budget);
	p->t_ns = e->t_ns;
	if (!e->fragments || !fragments_add(e->fragments, p, &w))
		return;
	if (wire_decode_ip_deep(w.ip, w.caplen, w.len, &whole) != DECODE_OK) {
		e->stats.undecodable++;
		return;
	}
	whole.around |= p->around;
	whole.ifindex = p->ifindex;
	whole.dir = p->dir;
	whole.loopback = p->loopback;
	/* fragments within a tunnel that was fragmented itself: enough is enough */
	if (!whole.frag_offset && !whole.more_fragments)
		take_packet(e, &whole, f, true);
}

static void undecodable(struct engine *e, const struct frame *f)
{
	e->stats.undecodable++;
	if (wire_link_type_known(f->link_type))
		return;
	if (e->stats.unknown_link++ == 0)
		e->stats.link_type = f->link_type;
}

static void decode(struct engine *e, const struct frame *f)
{
	struct packet p;

	switch (wire_decode_deep(f->link_type, f->bytes, f->caplen, f->wire_len, &p)) {
	case DECODE_OK:
		if (p.frag_offset || p.more_fragments)
			take_fragment(e, &p, f);
		else
			take_packet(e, &p, f, false);
		break;
	case DECODE_NOT_IP: break;
	case DECODE_MALFORMED:
	case DECODE_TRUNCATED:
	case DECODE_UNSUPPORTED: undecodable(e, f); break;
	}
}

/* ---- many packets at a time ---- */

/*
 * A packet's track is rarely in the cache, and what it points to neither. So a
 * batch goes through several passes, each of which asks for the memory that
 * the next one looks at: slots, tracks, bodies; then all is taken in order.
 */
/* Frames may have been read by another processor. */
#define FRAMES_AHEAD 8

struct sighted {
	enum peek peek;
	uint32_t frame; /* index in the batch */
	uint64_t number;
	struct track *track; /* probably; or NULL */
	struct segment segment;
	struct key key;
};

static uint64_t number_of(const struct frame *f, uint64_t before)
{
	return f->number ? f->number : before + 1;
}

static size_t sight(struct engine *e, const struct frame *frames, size_t n, struct sighted *out)
{
	uint64_t number = e->number;
	size_t found = 0;

	for (size_t i = 0; i < n; i++) {
		struct sighted *x = &out[found];
		struct segment *s = &x->segment;

		if (i + FRAMES_AHEAD < n && frames[i + FRAMES_AHEAD].bytes)
			prefetch(frames[i + FRAMES_AHEAD].bytes, 128);
		number = number_of(&frames[i], number);
		if (!frames[i].bytes)
			continue;
		x->number = number;
		x->peek = wire_peek(&frames[i], &e->wanted, s);
		if (x->peek == PEEK_NOTHING)
			continue;
		x->frame = (uint32_t)i;
		found++;
		if (x->peek != PEEK_SEGMENT)
			continue;
		table_key(&e->table, s->family, s->src, s->sport, s->dst, s->dport, &x->key);
		table_prefetch(&e->table, &x->key);
	}
	return found;
}

static void prefetch_tracks(const struct engine *e, struct sighted *x, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		x[i].track = x[i].peek == PEEK_SEGMENT ? table_likely(&e->table, &x[i].key) : NULL;
		if (x[i].track)
			prefetch(x[i].track, sizeof(*x[i].track));
	}
}

static void prefetch_bodies(const struct sighted *x, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct body *b = x[i].track ? x[i].track->body : NULL;
		if (b)
			prefetch(b, sizeof(*b));
	}
}

static void prefetch_talks(const struct sighted *x, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct body *b = x[i].track && x[i].segment.payload_len ? x[i].track->body : NULL;
		if (b && b->talk)
			prefetch(b->talk, sizeof(*b->talk));
	}
}

/* Up to TICK_PACKETS frames, and to the next tick. */
static void take_batch(struct engine *e, const struct frame *frames, size_t n)
{
	struct sighted x[TICK_PACKETS];
	size_t found = sight(e, frames, n, x);

	prefetch_tracks(e, x, found);
	prefetch_bodies(x, found);
	prefetch_talks(x, found);
	for (size_t i = 0; i < found; i++) {
		const struct frame *f = &frames[x[i].frame];

		e->number = x[i].number;
		e->t_ns = f->t_ns;
		if (x[i].peek == PEEK_SEGMENT)
			take_segment(e, table_find_near(&e->table, &x[i].key, x[i].track), &x[i].key, &x[i].segment);
		else
			decode(e, f);
	}
}

void engine_frames(struct engine *e, const struct frame *frames, size_t n)
{
	if (e->now_ns == 0 && n > 0)
		e->now_ns = frames[0].t_ns;
	while (n > 0) {
		uint64_t number = e->number;
		size_t batch = 0;

		do
			number = number_of(&frames[batch++], number);
		while (batch < n && batch < TICK_PACKETS && number % TICK_PACKETS != 0);
		take_batch(e, frames, batch);
		frames += batch;
		n -= batch;
		e->number = e->stats.packets = number;
		e->t_ns = frames[-1].t_ns;
		if (number % TICK_PACKETS == 0)
			tick(e);
	}
}

const struct port_set *engine_ports(const struct engine *e)
{
	return &e->wanted;
}

/* ---- begin and end ---- */

struct engine *engine_new(const struct engine_options *o, conn_done *done, void *ctx)
{
	struct engine *e = xcalloc(1, sizeof(*e));
	unsigned n = o->n_ports ? o->n_ports : sizeof(default_ports) / sizeof(default_ports[0]);
	const uint16_t *ports = o->n_ports ? o->ports : default_ports;

	e->options = *o;
	e->done = done;
	e->ctx = ctx;
	for (unsigned i = 0; i < n; i++)
		e->ports.bits[ports[i] / 64] |= UINT64_C(1) << (ports[i] % 64);
	e->wanted = e->ports;
	if (o->any_port)
		memset(e->wanted.bits, 0xff, sizeof(e->wanted.bits));
	e->budget.max = o->max_memory ? o->max_memory : CONN_MEMORY_DEFAULT;
	pool_init(&e->bodies, &e->budget, sizeof(struct body));
	pool_init(&e->notes, &e->budget, sizeof(struct notes));
	pool_init(&e->talks, &e->budget, sizeof(struct talk));
	pool_init(&e->ciphers, &e->budget, sizeof(struct cipher));
	blocks_init(&e->blocks, &e->budget);
	for (int list = 0; list < LIST_COUNT; list++)
		e->lists[list] = (struct list){NO_TRACK, NO_TRACK};
	e->ghosts = xcalloc(GHOST_COUNT, sizeof(*e->ghosts));
	e->twins = xcalloc(TWIN_COUNT, sizeof(*e->twins));
	table_init(&e->table, &e->budget, o->seed);
	return e;
}

void engine_set_room(struct engine *e, engine_room *room)
{
	e->room = room;
}

static int by_begin(const void *a, const void *b)
{
	const struct track *const *x = a, *const *y = b;

	return (*x)->first_packet < (*y)->first_packet ? -1 : 1;
}

/* Those still open, in the order in which they began. */
static void finish_open(struct engine *e)
{
	size_t n = 0, max = e->table.n;
	struct track **open = xcalloc(max + 1, sizeof(*open));

	for (int list = LIST_HALF_OPEN; list <= LIST_GOING; list++)
		for (uint32_t id = e->lists[list].head; id != NO_TRACK && n < max;
		     id = table_at(&e->table, id)->next)
			open[n++] = table_at(&e->table, id);
	qsort(open, n, sizeof(struct track *), by_begin);
	for (size_t i = 0; i < n; i++)
		finish(e, open[i]);
	free(open);
}

void engine_finish(struct engine *e)
{
	struct list *ended = &e->lists[LIST_ENDED];

	e->at_hand = NO_TRACK;
	while (ended->head != NO_TRACK)
		finish_ended(e, table_at(&e->table, ended->head));
	finish_open(e);
}

void engine_get_stats(const struct engine *e, struct engine_stats *out)
{
	*out = e->stats;
	out->memory_peak = e->budget.peak;
}

void engine_free(struct engine *e)
{
	if (!e)
		return;
	for (int list = 0; list < LIST_COUNT; list++)
		while (e->lists[list].head != NO_TRACK)
			let_go(e, table_at(&e->table, e->lists[list].head));
	fragments_free(e->fragments);
	table_clear(&e->table);
	pool_clear(&e->bodies);
	pool_clear(&e->notes);
	pool_clear(&e->talks);
	pool_clear(&e->ciphers);
	blocks_clear(&e->blocks);
	free(e->ghosts);
	free(e->twins);
	free(e);
}
