/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

#define SAMPLES    5
#define SET_MIN_NS (5 * NS_PER_MS) /* less than that is this process being kept from its processor */

/* Slewing moves both clocks alike: only setting changes their difference. The two are read one after
 * the other; the narrowest of several pairs is the truest. */
static int64_t real_minus_mono(unsigned samples)
{
	int64_t best = INT64_MAX, difference = 0;

	for (unsigned i = 0; i < samples; i++) {
		int64_t before = read_clock(CLOCK_MONOTONIC), real = read_clock(CLOCK_REALTIME),
			took = read_clock(CLOCK_MONOTONIC) - before;
		if (took >= best)
			continue;
		best = took;
		difference = real - before - took / 2;
	}
	return difference;
}

/* What two processes and all threads agree on; written once. */
static int64_t as_it_was_set(void)
{
	static _Atomic int64_t anchor;
	int64_t set = atomic_load_explicit(&anchor, memory_order_relaxed), none = 0;

	if (set)
		return set;
	set = real_minus_mono(SAMPLES);
	return atomic_compare_exchange_strong(&anchor, &none, set) ? set : none;
}

int64_t clock_wall_ns(void)
{
	return read_clock(CLOCK_MONOTONIC) + as_it_was_set();
}

int64_t clock_set_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}

int64_t clock_corrected(int64_t stamp_ns, int64_t now_ns, int64_t ahead_ns)
{
	int64_t later = stamp_ns - ahead_ns;

	return llabs(now_ns - stamp_ns) <= llabs(now_ns - later) ? stamp_ns : later;
}

int64_t clock_of_stamp(int64_t stamp_ns)
{
	int64_t ahead = real_minus_mono(1) - as_it_was_set();

	if (llabs(ahead) >= SET_MIN_NS)
		ahead = real_minus_mono(SAMPLES) - as_it_was_set();
	return llabs(ahead) < SET_MIN_NS ? stamp_ns : clock_corrected(stamp_ns, clock_wall_ns(), ahead);
}

int64_t clock_mono_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

const char *clock_utc_text(int64_t wall_ns, char *out)
{
	time_t s = (time_t)(wall_ns / NS_PER_S);
	struct tm tm;
	char date[24];

	gmtime_r(&s, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out, CLOCK_TEXT_MAX, "%s.%06dZ", date, (int)(wall_ns % NS_PER_S / 1000));
	return out;
}
