/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conn/table.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

#define SLOTS_MIN  1024
#define CHUNK_SIZE (TRACKS_PER_CHUNK * sizeof(struct track))
/* Rows of `chunks`: 16 million connections, more than any ceiling worth setting holds. */
#define CHUNKS_MAX 65536

static struct slot *new_slots(struct budget *b, size_t n)
{
	if (budget_take(b, n * sizeof(struct slot)) != 0)
		return NULL;
	struct slot *slots = xmalloc(n * sizeof(*slots));
	memset(slots, 0xff, n * sizeof(*slots)); /* NO_TRACK */
	return slots;
}

int table_init(struct table *t, struct budget *b, const uint64_t seed[2])
{
	*t = (struct table){.budget = b,
			    .seed = {seed[0], seed[1]},
			    .slots = new_slots(b, SLOTS_MIN),
			    .mask = SLOTS_MIN - 1,
			    .max_chunks = CHUNKS_MAX,
			    .free = NO_TRACK};
	t->chunks = xmalloc(CHUNKS_MAX * sizeof(struct track *));
	return t->slots ? 0 : -1;
}

void table_clear(struct table *t)
{
	for (uint32_t i = 0; i < t->n_chunks; i++)
		free(t->chunks[i]);
	free(t->chunks);
	free(t->slots);
	*t = (struct table){0};
}

/* ---- keys ---- */

/* Both halves of the product of 64 by 64 bits: one multiplication that reaches every bit. */
static inline uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint64_t hash_v4(const struct table *t, uint32_t first, uint32_t second, uint64_t ports)
{
	return mix(((uint64_t)first << 32 | second) ^ t->seed[0], mix(ports ^ t->seed[1], 0x9e3779b97f4a7c15));
}

static inline uint64_t ports_of(const struct key *k)
{
	return (uint64_t)k->port[0] << 16 | k->port[1];
}

static inline uint64_t hash_v6(const struct table *t, const struct key *k, uint64_t ports)
{
	const uint64_t *seed = t->seed;
	uint64_t h = mix(get64(k->addr[0]) ^ seed[0], get64(k->addr[0] + 8) ^ seed[1]);

	h = mix(get64(k->addr[1]) ^ h, get64(k->addr[1] + 8) ^ seed[0]);
	return mix(ports ^ seed[1], h ^ 0x9e3779b97f4a7c15);
}

/* Without branches: which end sends is as good as random. */
static inline void key_v4(const struct table *t, const uint8_t *src, uint16_t sport, const uint8_t *dst,
			  uint16_t dport, struct key *out)
{
	uint32_t a = get32(src), b = get32(dst);
	/* any order will do, as long as it is always the same */
	bool swap = ((uint64_t)a << 16 | sport) > ((uint64_t)b << 16 | dport);
	uint32_t first = swap ? b : a, second = swap ? a : b;

	memcpy(out->addr[0], &first, sizeof(first));
	memcpy(out->addr[1], &second, sizeof(second));
	out->port[0] = swap ? dport : sport;
	out->port[1] = swap ? sport : dport;
	out->family = ADDR_V4;
	out->src = swap;
	out->hash = hash_v4(t, first, second, ports_of(out));
}

static void key_v6(const struct table *t, const uint8_t *src, uint16_t sport, const uint8_t *dst,
		   uint16_t dport, struct key *out)
{
	int order = memcmp(src, dst, 16);
	unsigned first = order < 0 || (order == 0 && sport <= dport) ? 0 : 1;

	memcpy(out->addr[first], src, 16);
	memcpy(out->addr[!first], dst, 16);
	out->port[first] = sport;
	out->port[!first] = dport;
	out->family = ADDR_V6;
	out->src = (uint8_t)first;
	out->hash = hash_v6(t, out, ports_of(out));
}

void table_key(const struct table *t, uint8_t family, const uint8_t *src, uint16_t sport,
	       const uint8_t *dst, uint16_t dport, struct key *out)
{
	if (family == ADDR_V4)
		key_v4(t, src, sport, dst, dport, out);
	else
		key_v6(t, src, sport, dst, dport, out);
}

void table_key_of(const struct table *t, const struct track *track, struct key *out)
{
	memcpy(out->addr, track->addr, sizeof(out->addr));
	memcpy(out->port, track->port, sizeof(out->port));
	out->family = track->family;
	out->src = 0;
	out->hash = out->family == ADDR_V4
			    ? hash_v4(t, get32(out->addr[0]), get32(out->addr[1]), ports_of(out))
			    : hash_v6(t, out, ports_of(out));
}

uint64_t table_key_plain(const struct key *k)
{
	uint64_t ports = ports_of(k) ^ 0x9e3779b97f4a7c15;

	if (k->family == ADDR_V4)
		return mix((uint64_t)get32(k->addr[0]) << 32 | get32(k->addr[1]), ports);
	return mix(mix(get64(k->addr[0]), get64(k->addr[0] + 8) ^ ports) ^ get64(k->addr[1]), get64(k->addr[1] + 8) ^ ports);
}

bool table_matches(const struct track *t, const struct key *k)
{
	const uint8_t *a = t->addr[0], *b = k->addr[0];
	bool near = get32(a) == get32(b) && get32(a + 16) == get32(b + 16) && t->port[0] == k->port[0] &&
		    t->port[1] == k->port[1] && t->family == k->family;

	return near && (t->family == ADDR_V4 || memcmp(a, b, sizeof(t->addr)) == 0);
}

/* ---- the slots ---- */

struct track *table_find(const struct table *t, const struct key *k)
{
	uint32_t tag = (uint32_t)k->hash;

	for (uint32_t i = tag & t->mask;; i = (i + 1) & t->mask) {
		const struct slot *s = &t->slots[i];

		if (s->id == NO_TRACK)
			return NULL;
		if (s->tag == tag && table_matches(table_at(t, s->id), k))
			return table_at(t, s->id);
	}
}

static void put(struct table *t, struct slot new)
{
	uint32_t i = new.tag & t->mask;

	while (t->slots[i].id != NO_TRACK)
		i = (i + 1) & t->mask;
	t->slots[i] = new;
}

static int grow(struct table *t)
{
	size_t old_n = (size_t)t->mask + 1;
	struct slot *old = t->slots, *slots = new_slots(t->budget, old_n * 2);

	if (!slots)
		return -1;
	t->slots = slots;
	t->mask = (uint32_t)(old_n * 2 - 1);
	for (size_t i = 0; i < old_n; i++)
		if (old[i].id != NO_TRACK)
			put(t, old[i]);
	free(old);
	budget_give(t->budget, old_n * sizeof(*old));
	return 0;
}

static int add_chunk(struct table *t)
{
	if (t->n_chunks == t->max_chunks || budget_take(t->budget, CHUNK_SIZE) != 0)
		return -1;
	struct track *chunk = xaligned_alloc(64, CHUNK_SIZE);
	uint32_t first = t->n_chunks * TRACKS_PER_CHUNK;
	t->chunks[t->n_chunks++] = chunk;
	for (uint32_t i = TRACKS_PER_CHUNK; i-- > 0;) {
		chunk[i].next = t->free;
		t->free = first + i;
	}
	return 0;
}

uint32_t table_add(struct table *t, const struct key *k)
{
	/* A table that can't grow may fill up to seven eighths: longer searches, but no end. */
	size_t slots = (size_t)t->mask + 1;
	if (t->n + 1 > slots / 2 && grow(t) != 0 && t->n + 1 > slots / 8 * 7)
		return NO_TRACK;
	if (t->free == NO_TRACK && add_chunk(t) != 0)
		return NO_TRACK;

	uint32_t id = t->free;
	struct track *track = table_at(t, id);
	t->free = track->next;
	memset(track, 0, sizeof(*track));
	for (unsigned end = 0; end < 2; end++)
		memcpy(track->addr[end], k->addr[end], k->family == ADDR_V4 ? 4 : 16);
	memcpy(track->port, k->port, sizeof(track->port));
	track->family = k->family;
	track->id = id;
	track->tag = (uint32_t)k->hash;
	put(t, (struct slot){.tag = track->tag, .id = id});
	t->n++;
	return id;
}

void table_remove(struct table *t, uint32_t id)
{
	struct track *track = table_at(t, id);
	uint32_t hole = track->tag & t->mask;

	while (t->slots[hole].id != id)
		hole = (hole + 1) & t->mask;
	/* Those behind it that may stand nearer to their home move up. */
	for (uint32_t i = (hole + 1) & t->mask; t->slots[i].id != NO_TRACK; i = (i + 1) & t->mask) {
		uint32_t home = t->slots[i].tag & t->mask;

		if (((i - home) & t->mask) < ((i - hole) & t->mask))
			continue;
		t->slots[hole] = t->slots[i];
		hole = i;
	}
	t->slots[hole].id = NO_TRACK;
	track->family = ADDR_NONE; /* matches nobody any more */
	track->next = t->free;
	t->free = id;
	t->n--;
}
