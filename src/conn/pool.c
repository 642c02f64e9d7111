/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conn/pool.h"

#include <stdlib.h>

#include "base/arena.h"

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, size)   ((void)(at), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#endif

#define SLAB_SIZE 65536
#define SLAB_HEAD 64 /* keeps pieces on cache lines of their own */

struct piece {
	struct piece *next;
};

struct slab {
	struct slab *next;
};

int budget_take(struct budget *b, size_t size)
{
	if (size > b->max - b->used)
		return -1;
	b->used += size;
	if (b->used > b->peak)
		b->peak = b->used;
	return 0;
}

void budget_give(struct budget *b, size_t size)
{
	b->used -= size;
}

void pool_init(struct pool *p, struct budget *b, size_t size)
{
	*p = (struct pool){.budget = b, .size = (size + 15) / 16 * 16};
}

void pool_clear(struct pool *p)
{
	while (p->slabs) {
		struct slab *next = p->slabs->next;
		ASAN_UNPOISON_MEMORY_REGION(p->slabs, SLAB_SIZE);
		free(p->slabs);
		p->slabs = next;
	}
	p->free = NULL;
	p->next = p->end = NULL;
}

static int add_slab(struct pool *p)
{
	if (budget_take(p->budget, SLAB_SIZE) != 0)
		return -1;
	struct slab *slab = xaligned_alloc(SLAB_HEAD, SLAB_SIZE);
	slab->next = p->slabs;
	p->slabs = slab;
	p->next = (uint8_t *)slab + SLAB_HEAD;
	p->end = (uint8_t *)slab + SLAB_SIZE;
	ASAN_POISON_MEMORY_REGION(p->next, SLAB_SIZE - SLAB_HEAD);
	return 0;
}

void *pool_take(struct pool *p)
{
	struct piece *piece = p->free;

	if (piece) {
		ASAN_UNPOISON_MEMORY_REGION(piece, p->size);
		p->free = piece->next;
		return piece;
	}
	if ((size_t)(p->end - p->next) < p->size && add_slab(p) != 0)
		return NULL;
	piece = (void *)p->next;
	p->next += p->size;
	ASAN_UNPOISON_MEMORY_REGION(piece, p->size);
	return piece;
}

void pool_give(struct pool *p, void *piece)
{
	struct piece *freed = piece;

	freed->next = p->free;
	p->free = freed;
	ASAN_POISON_MEMORY_REGION(piece, p->size);
}

void blocks_init(struct blocks *b, struct budget *budget)
{
	for (size_t i = 0; i < BLOCK_CLASSES; i++)
		pool_init(&b->classes[i], budget, (size_t)BLOCK_MIN << i);
}

void blocks_clear(struct blocks *b)
{
	for (size_t i = 0; i < BLOCK_CLASSES; i++)
		pool_clear(&b->classes[i]);
}

static size_t class_of(size_t size)
{
	size_t class = 0;

	while ((size_t)BLOCK_MIN << class < size)
		class ++;
	return class;
}

void *blocks_take(struct blocks *b, size_t size, size_t *got)
{
	if (size > BLOCK_MAX)
		return NULL;
	size_t class = class_of(size);
	*got = (size_t)BLOCK_MIN << class;
	return pool_take(&b->classes[class]);
}

void blocks_give(struct blocks *b, void *block, size_t got)
{
	pool_give(&b->classes[class_of(got)], block);
}
