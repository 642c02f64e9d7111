/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Memory that lives and dies together: a run's event log, a report.
 *
 * Nothing is freed alone. Allocation never returns NULL: a tool that has no
 * few kilobytes left stops with a message (status 3), as if it were killed: what
 * it holds in the kernel goes with it, and what it has written so far stays. Not
 * thread-safe.
 */
#ifndef SB_BASE_ARENA_H
#define SB_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

struct arena {
	struct arena_block *head;
};

void arena_clear(struct arena *a); /* a zeroed struct is an empty arena */

/* As arena_clear(), but keeps a block for what comes next: for a loop that fills one anew each time. */
void arena_reset(struct arena *a);

void *arena_alloc(struct arena *a, size_t size); /* zeroed, aligned for any type */

/* Gives back what lies behind the first `size` bytes of the latest allocation; nothing may have been
 * written there. */
void arena_trim(struct arena *a, void *latest, size_t size);

char *arena_strdup(struct arena *a, const char *s);      /* NULL stays NULL */
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *a, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

/* malloc family for the rest of the program, with the same promise. */
void *xmalloc(size_t size);
void *xaligned_alloc(size_t align, size_t size);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);
/* Room for element n of an array that has *size of them: doubles it where needed. */
void *array_grow(void *array, unsigned n, unsigned *size, size_t element);

/* Ends the program: for where a library says that it has got no memory. */
_Noreturn void out_of_memory(void);

#endif
