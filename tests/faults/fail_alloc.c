/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Preloaded: the n-th allocation of a run fails, whoever in the program or its libraries asks for it.
 *
 * FAULT_PROGRAM: only the program of that name is counted (what it starts is not).
 * FAULT_COUNTER: a file of 8 bytes, shared with all processes of the run: how many were counted.
 * FAULT_SPARE: part of a library's name, whose own allocations are neither counted nor failed.
 * FAULT_ALLOC: "N" fails the N-th, "N+" that one and all that follow; absent, none.
 */
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t),
	*__libc_memalign(size_t, size_t);

static _Atomic uint64_t *counter; /* NULL: not counted */
static uint64_t first;            /* 0: none fails */
static int all_that_follow;
static uintptr_t spared_from, spared_to;

static int find_spared(struct dl_phdr_info *library, size_t size, void *name)
{
	(void)size;
	if (!strstr(library->dlpi_name, name))
		return 0;
	for (int i = 0; i < library->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &library->dlpi_phdr[i];
		if (p->p_type == PT_LOAD && p->p_flags & PF_X) {
			spared_from = library->dlpi_addr + p->p_vaddr;
			spared_to = spared_from + p->p_memsz;
		}
	}
	return 1;
}

__attribute__((constructor)) static void start(void)
{
	const char *program = getenv("FAULT_PROGRAM"), *file = getenv("FAULT_COUNTER"), *which = getenv("FAULT_ALLOC");

	if (!program || !file || strcmp(program, program_invocation_short_name) != 0)
		return;
	int fd = open(file, O_RDWR | O_CLOEXEC);
	void *p = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*counter), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd >= 0)
		close(fd);
	if (p == MAP_FAILED)
		_exit(125);
	if (getenv("FAULT_SPARE"))
		dl_iterate_phdr(find_spared, getenv("FAULT_SPARE"));
	if (which) {
		first = strtoull(which, NULL, 10);
		all_that_follow = strchr(which, '+') != NULL;
	}
	counter = p;
}

static int fails(const void *caller)
{
	if (!counter || ((uintptr_t)caller >= spared_from && (uintptr_t)caller < spared_to))
		return 0;
	uint64_t n = atomic_fetch_add(counter, 1) + 1;
	if (!first || (all_that_follow ? n < first : n != first))
		return 0;
	errno = ENOMEM;
	return 1;
}

void *malloc(size_t size)
{
	return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(p, size);
}

void *memalign(size_t align, size_t size)
{
	return fails(__builtin_return_address(0)) ? NULL : __libc_memalign(align, size);
}

void *aligned_alloc(size_t align, size_t size)
{
	return fails(__builtin_return_address(0)) ? NULL : __libc_memalign(align, size);
}

int posix_memalign(void **out, size_t align, size_t size)
{
	void *p = fails(__builtin_return_address(0)) ? NULL : __libc_memalign(align, size);

	if (!p)
		return ENOMEM;
	*out = p;
	return 0;
}
