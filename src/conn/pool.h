/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Memory of the engine: pieces of one size each, cut from slabs that are given
 * back only at the end, all under one ceiling. Nothing here is zeroed.
 */
#ifndef SB_CONN_POOL_H
#define SB_CONN_POOL_H

#include <stddef.h>
#include <stdint.h>

struct budget {
	size_t used, peak, max;
};

/* Accounts for `size` bytes that the caller is about to get elsewhere; -1: no room. */
int budget_take(struct budget *b, size_t size);
void budget_give(struct budget *b, size_t size);

struct pool {
	struct budget *budget;
	size_t size; /* of a piece */
	struct piece *free;
	struct slab *slabs;
	uint8_t *next, *end; /* of the newest slab: not yet used */
};

void pool_init(struct pool *p, struct budget *b, size_t size);
void pool_clear(struct pool *p);
void *pool_take(struct pool *p); /* NULL: no room */
void pool_give(struct pool *p, void *piece);

/* Blocks of 128 bytes to 16 KB, in powers of two. */
#define BLOCK_MIN     128
#define BLOCK_MAX     16384
#define BLOCK_CLASSES 8

struct blocks {
	struct pool classes[BLOCK_CLASSES];
};

void blocks_init(struct blocks *b, struct budget *budget);
void blocks_clear(struct blocks *b);
/* At least `size` bytes; *got is how many. NULL: no room, or more than BLOCK_MAX. */
void *blocks_take(struct blocks *b, size_t size, size_t *got);
void blocks_give(struct blocks *b, void *block, size_t got);

#endif
