/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "capture/mapped.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* Linux 5.14 */
#endif

struct mapped {
	uint8_t *bytes;
	size_t size;
	size_t page;
	struct sigaction before;
	volatile sig_atomic_t torn;
};

/* What a signal handler can know is global. */
static struct mapped *_Atomic guarded;

static void on_bus_error(int signal_number, siginfo_t *info, void *context)
{
	struct mapped *m = guarded;
	uint8_t *at = info->si_addr;
	(void)context;

	if (m && at >= m->bytes && at < m->bytes + m->size) {
		uint8_t *from = at - (uintptr_t)at % m->page;
		size_t rest = (size_t)(m->bytes + m->size - from);
		if (mmap(from, rest, PROT_READ, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == from) {
			m->torn = 1;
			return;
		}
	}
	signal(signal_number, SIG_DFL); /* not ours: as if nobody had asked for it */
}

static bool guard(struct mapped *m)
{
	struct sigaction act = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
	struct mapped *nobody = NULL;

	if (!atomic_compare_exchange_strong(&guarded, &nobody, m))
		return false;
	sigaction(SIGBUS, &act, &m->before);
	return true;
}

struct mapped *mapped_open(int fd)
{
	struct mapped m = {.page = (size_t)sysconf(_SC_PAGESIZE)};
	struct stat st;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size <= 0)
		return NULL;
	m.size = (size_t)st.st_size;
	m.bytes = mmap(NULL, m.size, PROT_READ, MAP_SHARED, fd, 0);
	if (m.bytes == MAP_FAILED)
		return NULL;
	struct mapped *out = xcalloc(1, sizeof(*out));
	*out = m;
	if (!guard(out)) {
		munmap(m.bytes, m.size);
		free(out);
		return NULL;
	}
	return out;
}

void mapped_free(struct mapped *m)
{
	if (!m)
		return;
	sigaction(SIGBUS, &m->before, NULL);
	guarded = NULL;
	munmap(m->bytes, m->size);
	free(m);
}

const uint8_t *mapped_bytes(const struct mapped *m)
{
	return m->bytes;
}

size_t mapped_size(const struct mapped *m)
{
	return m->size;
}

/* To whole pages: outwards what is to come, inwards what is to go. */
void mapped_ahead(const struct mapped *m, size_t from, size_t to)
{
	from -= from % m->page;
	/* may fail where the kernel is older, or the file shorter by now: then each page comes when it is
	 * looked at */
	madvise(m->bytes + from, to - from, MADV_POPULATE_READ);
}

void mapped_behind(const struct mapped *m, size_t from, size_t to)
{
	from += (m->page - from % m->page) % m->page;
	to -= to % m->page;
	if (from < to)
		madvise(m->bytes + from, to - from, MADV_DONTNEED);
}

bool mapped_is_torn(const struct mapped *m)
{
	return m->torn;
}
