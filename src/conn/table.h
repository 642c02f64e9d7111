/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Tracks by their two ends. Open addressing with linear probing over slots of
 * eight bytes, at most half full, without tombstones; the hash is keyed, so
 * that nobody can write a capture whose connections collide.
 */
#ifndef SB_CONN_TABLE_H
#define SB_CONN_TABLE_H

#include "conn/track.h"

struct key {
	uint8_t addr[2][16]; /* the smaller end (address, port) first; of IPv4 the first four bytes, the rest is
			      * undefined */
	uint16_t port[2];
	uint8_t family;
	uint8_t src; /* which of the two ends sent the packet */
	uint64_t hash;
};

struct slot {
	uint32_t tag; /* the hash's lower half: says the home slot as well */
	uint32_t id;  /* NO_TRACK: empty */
};

struct table {
	struct budget *budget;
	uint64_t seed[2];
	struct slot *slots;
	uint32_t mask;
	uint32_t n; /* tracks in use */
	struct track **chunks;
	uint32_t n_chunks, max_chunks;
	uint32_t free; /* list of unused ids, by track.next */
};

/* -1: the budget is too small for the smallest table. */
int table_init(struct table *t, struct budget *b, const uint64_t seed[2]);
void table_clear(struct table *t);

/* Addresses are 4 or 16 bytes by `family`. */
void table_key(const struct table *t, uint8_t family, const uint8_t *src, uint16_t sport,
	       const uint8_t *dst, uint16_t dport, struct key *out);
void table_key_of(const struct table *t, const struct track *track, struct key *out);
/* A hash without the seed: for a table of fixed size whose entries push each other out, so that the same file
 * has the same ones pushed out in every run. */
uint64_t table_key_plain(const struct key *k);

struct track *table_find(const struct table *t, const struct key *k); /* NULL: none */
/* A zeroed track with its ends filled; the key must not be there. NO_TRACK: no room. */
uint32_t table_add(struct table *t, const struct key *k);
void table_remove(struct table *t, uint32_t id);

#define TRACKS_PER_CHUNK 256

static inline struct track *table_at(const struct table *t, uint32_t id)
{
	return &t->chunks[id / TRACKS_PER_CHUNK][id % TRACKS_PER_CHUNK];
}

/* The track in the key's home slot: most often the one that table_find() finds, and nothing but a
 * guess what to prefetch. NULL: who knows. */
static inline struct track *table_likely(const struct table *t, const struct key *k)
{
	const struct slot *s = &t->slots[(uint32_t)k->hash & t->mask];

	return s->tag == (uint32_t)k->hash && s->id != NO_TRACK ? table_at(t, s->id) : NULL;
}

/* Whether a track, maybe one that is gone, has these ends. */
bool table_matches(const struct track *t, const struct key *k);

/* The same as table_find(), whatever the guess is; NULL is fine. */
static inline struct track *table_find_near(const struct table *t, const struct key *k, struct track *guess)
{
	return guess && table_matches(guess, k) ? guess : table_find(t, k);
}

static inline void table_prefetch(const struct table *t, const struct key *k)
{
	__builtin_prefetch(&t->slots[(uint32_t)k->hash & t->mask]);
}

#endif
