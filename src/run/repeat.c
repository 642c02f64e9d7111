/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/repeat.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/arena.h"
#include "base/clock.h"
#include "diag/rounds.h"

/* What a last round needs to place a silence: the others end before. */
#define LAST_ROUND_NS (2500 * NS_PER_MS)

static void wait_until(int64_t mono_ns)
{
	struct timespec t = {.tv_sec = mono_ns / NS_PER_S, .tv_nsec = mono_ns % NS_PER_S};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

static bool is_last(unsigned done, unsigned rounds, int64_t next, int64_t deadline_ns)
{
	return done + 1 == rounds || next + LAST_ROUND_NS >= deadline_ns;
}

int run_repeat(struct live *l, const struct plan *plan, unsigned rounds, int64_t interval_ns,
	       int64_t deadline_ns, struct report **out, struct err *e)
{
	struct report **earlier = xcalloc(rounds, sizeof(*earlier));
	struct plan brief = *plan;
	unsigned n = 0;
	bool last = false;
	int result = -1;

	brief.no_path = brief.no_inject = brief.no_canary = true;
	while (!last) {
		int64_t begin = clock_mono_ns();
		last = is_last(n, rounds, begin + interval_ns, deadline_ns);
		int64_t until = last ? deadline_ns : deadline_ns - LAST_ROUND_NS;
		struct report **to = last ? out : &earlier[n++];
		if (run_judge(l, last ? plan : &brief, until, NULL, to, e) != 0)
			goto out;
		if (!last)
			wait_until(begin + interval_ns);
	}
	rounds_merge(*out, earlier, n, rounds);
	result = 0;
out:
	for (unsigned i = 0; i < rounds; i++)
		report_free(earlier[i]);
	free(earlier);
	return result;
}
