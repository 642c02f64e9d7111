/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conn/fragment.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"

#define ROWS        16
#define WAYS        4
#define BLOCK       8 /* the unit of fragment offsets */
#define HEADER_ROOM 40
#define DATA_MAX    65535
#define TIMEOUT_NS  (30 * NS_PER_S) /* Linux: net.ipv4.ipfrag_time */

struct datagram {
	bool used, spoilt;
	struct addr src, dst;
	uint8_t proto, ttl;
	bool df;
	uint32_t id;
	int64_t t_ns;
	uint32_t len;    /* of the payload; 0: the last fragment is missing */
	uint32_t filled; /* bytes that came, */
	uint32_t end;    /* and where the farthest of them ends */
	uint32_t cut_at; /* the snap length left nothing from here on */
	size_t size;     /* of data */
	uint8_t *data;   /* HEADER_ROOM, then the payload */
	uint8_t there[DATA_MAX / BLOCK / 8 + 1]; /* a bit for each block */
};

struct fragments {
	struct budget *budget;
	struct datagram rows[ROWS][WAYS];
};

struct fragments *fragments_new(struct budget *b)
{
	struct fragments *f;

	if (budget_take(b, sizeof(*f)) != 0)
		return NULL;
	f = xcalloc(1, sizeof(*f));
	f->budget = b;
	return f;
}

static void drop(struct fragments *f, struct datagram *d)
{
	if (d->data) {
		free(d->data);
		budget_give(f->budget, d->size);
	}
	d->data = NULL;
	d->size = 0;
	d->used = false;
}

void fragments_free(struct fragments *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < ROWS; i++)
		for (size_t j = 0; j < WAYS; j++)
			drop(f, &f->rows[i][j]);
	budget_give(f->budget, sizeof(*f));
	free(f);
}

/* Without a random seed: which datagram gives way is the same in every run. */
static size_t row_of(const struct packet *p)
{
	uint64_t h = p->frag_id;

	for (size_t i = 0; i < sizeof(p->src.bytes); i++)
		h = (h ^ p->src.bytes[i] ^ (uint64_t)p->dst.bytes[i] << 8) * 0x9e3779b97f4a7c15;
	return h >> 60; /* ROWS */
}

static bool matches(const struct datagram *d, const struct packet *p)
{
	return d->used && d->id == p->frag_id && d->proto == p->proto &&
	       addr_equal(&d->src, &p->src) && addr_equal(&d->dst, &p->dst);
}

static struct datagram *datagram_of(struct fragments *f, const struct packet *p)
{
	struct datagram *row = f->rows[row_of(p)], *oldest = &row[0];

	for (size_t i = 0; i < WAYS; i++) {
		if (matches(&row[i], p) && p->t_ns - row[i].t_ns < TIMEOUT_NS)
			return &row[i];
		if (!row[i].used || (oldest->used && row[i].t_ns < oldest->t_ns))
			oldest = &row[i];
	}
	drop(f, oldest);
	*oldest = (struct datagram){.used = true,
				    .src = p->src,
				    .dst = p->dst,
				    .proto = p->proto,
				    .ttl = p->ttl,
				    .df = p->df,
				    .id = p->frag_id,
				    .t_ns = p->t_ns,
				    .cut_at = UINT32_MAX};
	return oldest;
}

static int make_room(struct fragments *f, struct datagram *d, size_t end)
{
	size_t size = HEADER_ROOM + (end + 2047) / 2048 * 2048;

	if (size <= d->size)
		return 0;
	if (budget_take(f->budget, size - d->size) != 0)
		return -1;
	d->data = xrealloc(d->data, size);
	d->size = size;
	return 0;
}

static bool has_block(const struct datagram *d, size_t i)
{
	return d->there[i / 8] >> (i % 8) & 1;
}

/* How many of the blocks from..to are there. */
static size_t blocks_there(const struct datagram *d, size_t from, size_t to)
{
	size_t n = 0;

	for (size_t i = from; i < to; i++)
		n += has_block(d, i);
	return n;
}

/* -1: the datagram can't come out right any more. */
static int put(struct fragments *f, struct datagram *d, const struct packet *p)
{
	size_t from = p->frag_offset / BLOCK, len = p->payload_len, end = p->frag_offset + len;
	size_t to = (end + BLOCK - 1) / BLOCK;

	if (end > DATA_MAX || len == 0 || (p->more_fragments && len % BLOCK))
		return -1;
	if ((d->len && end > d->len) || (!p->more_fragments && d->len && end != d->len))
		return -1;
	/* behind the last fragment: its bytes would count for others that are missing */
	if (!p->more_fragments && end < d->end)
		return -1;
	size_t old = blocks_there(d, from, to);
	if (old == to - from)
		return 0; /* seen twice */
	if (old > 0 || make_room(f, d, end) != 0)
		return -1;

	for (size_t i = from; i < to; i++)
		d->there[i / 8] |= (uint8_t)(1 << (i % 8));
	if (p->payload_caplen)
		memcpy(d->data + HEADER_ROOM + p->frag_offset, p->payload, p->payload_caplen);
	if (p->payload_caplen < len && p->frag_offset + p->payload_caplen < d->cut_at)
		d->cut_at = p->frag_offset + p->payload_caplen;
	d->filled += (uint32_t)len;
	if (end > d->end)
		d->end = (uint32_t)end;
	if (!p->more_fragments)
		d->len = (uint32_t)end;
	if (p->frag_offset == 0)
		d->ttl = p->ttl;
	return 0;
}

static size_t write_ipv4(const struct datagram *d, uint8_t *at)
{
	uint16_t total = (uint16_t)(d->len + 20);
	uint8_t header[20] = {0x45,
			      0,
			      (uint8_t)(total >> 8),
			      (uint8_t)total,
			      (uint8_t)(d->id >> 8),
			      (uint8_t)d->id,
			      d->df ? 0x40 : 0,
			      0,
			      d->ttl,
			      d->proto};

	memcpy(header + 12, d->src.bytes, 4);
	memcpy(header + 16, d->dst.bytes, 4);
	memcpy(at - sizeof(header), header, sizeof(header));
	return sizeof(header);
}

static size_t write_ipv6(const struct datagram *d, uint8_t *at)
{
	uint8_t header[40] = {0x60,     0,     0, 0, (uint8_t)(d->len >> 8), (uint8_t)d->len,
			      d->proto, d->ttl};

	memcpy(header + 8, d->src.bytes, 16);
	memcpy(header + 24, d->dst.bytes, 16);
	memcpy(at - sizeof(header), header, sizeof(header));
	return sizeof(header);
}

static bool finish(struct datagram *d, struct whole *out)
{
	uint8_t *payload = d->data + HEADER_ROOM;
	size_t cap = d->cut_at < d->len ? d->cut_at : d->len;
	bool v4 = d->src.family == ADDR_V4;

	if (v4 && d->len + 20 > UINT16_MAX)
		return false;
	size_t header = v4 ? write_ipv4(d, payload) : write_ipv6(d, payload);
	*out = (struct whole){
		.ip = payload - header, .caplen = header + cap, .len = header + d->len};
	return true;
}

bool fragments_add(struct fragments *f, const struct packet *p, struct whole *out)
{
	struct datagram *d = datagram_of(f, p);

	if (d->spoilt)
		return false;
	if (put(f, d, p) != 0) {
		d->spoilt = true;
		return false;
	}
	if (d->len == 0 || d->filled < d->len)
		return false;
	/* It stays until its row needs the room: *out lies in it. */
	d->spoilt = true;
	return finish(d, out);
}
