/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/settings.h"

#include "base/arena.h"

struct counters {
	int unused;
};

struct counters *counters_read(void)
{
	return xcalloc(1, sizeof(struct counters));
}

void counters_free(struct counters *c)
{
	(void)c;
}

void counters_compare(const struct counters *a, const struct counters *b, host_emit *emit,
		      void *arg)
{
	(void)a, (void)b, (void)emit, (void)arg;
}

void settings_emit(const struct host_watch *w, host_emit *emit, void *arg)
{
	(void)w, (void)emit, (void)arg;
}

void xfrm_emit(const struct host_watch *w, host_emit *emit, void *arg)
{
	(void)w, (void)emit, (void)arg;
}

void translation_emit(const struct host_watch *w, uint16_t lport, uint16_t rport, host_emit *emit,
		      void *arg)
{
	(void)w, (void)lport, (void)rport, (void)emit, (void)arg;
}
