/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"

#define BLOCK_SIZE 8192
#define KEEP_MAX 65536 /* a larger block was somebody's exception: it arena_reset() drops it */

struct arena_block {
	struct arena_block *next;
	size_t used, size;
	_Alignas(max_align_t) char data[];
};

void out_of_memory(void)
{
	static const char text[] = "smtpblame: out of memory\n";

	/* no stream: another thread may hold its lock */
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(ERR_RUN);
}

void *xmalloc(size_t size)
{
	void *p = malloc(size);

	if (!p && size)
		out_of_memory();
	return p;
}

void *xaligned_alloc(size_t align, size_t size)
{
	void *p = aligned_alloc(align, size);

	if (!p)
		out_of_memory();
	return p;
}

void *xcalloc(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (!p)
		out_of_memory();
	return p;
}

void *xrealloc(void *p, size_t size)
{
	void *q = realloc(p, size);

	if (!q && size)
		out_of_memory();
	return q;
}

char *xstrdup(const char *s)
{
	size_t size = strlen(s) + 1;

	return memcpy(xmalloc(size), s, size);
}

void *array_grow(void *array, unsigned n, unsigned *size, size_t element)
{
	if (n < *size)
		return array;
	*size = *size ? *size * 2 : 8;
	return xrealloc(array, *size * element);
}

static size_t round_up(size_t size)
{
	const size_t align = _Alignof(max_align_t);

	return (size + align - 1) / align * align;
}

void *arena_alloc(struct arena *a, size_t size)
{
	struct arena_block *b = a->head;

	size = round_up(size);
	if (!b || b->size - b->used < size) {
		size_t want = size > BLOCK_SIZE ? size : BLOCK_SIZE;
		b = xcalloc(1, sizeof(*b) + want);
		b->size = want;
		b->next = a->head;
		a->head = b;
	}
	void *p = b->data + b->used;
	b->used += size;
	return p;
}

void arena_clear(struct arena *a)
{
	while (a->head) {
		struct arena_block *next = a->head->next;
		free(a->head);
		a->head = next;
	}
}

void arena_reset(struct arena *a)
{
	struct arena_block *keep = a->head;

	if (!keep)
		return;
	a->head = keep->next;
	arena_clear(a);
	if (keep->size > KEEP_MAX) {
		free(keep);
		return;
	}
	memset(keep->data, 0, keep->used);
	keep->used = 0;
	keep->next = NULL;
	a->head = keep;
}

void arena_trim(struct arena *a, void *latest, size_t size)
{
	struct arena_block *b = a->head;

	b->used = (size_t)((char *)latest - b->data) + round_up(size);
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	char *out = arena_alloc(a, n + 1);

	memcpy(out, s, n);
	return out;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return s ? arena_strndup(a, s, strlen(s)) : NULL;
}

char *arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
	va_list again;

	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	char *out = arena_alloc(a, (size_t)(n > 0 ? n : 0) + 1);
	if (n > 0)
		vsnprintf(out, (size_t)n + 1, fmt, again);
	va_end(again);
	return out;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	char *out = arena_vprintf(a, fmt, ap);
	va_end(ap);
	return out;
}
