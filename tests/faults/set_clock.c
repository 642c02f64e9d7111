/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Preloaded: somebody sets the clock while the program runs.
 *
 * FAULT_AFTER_MS: so long after its start; FAULT_SECONDS: by so many, forward or (negative) back. What
 * the kernel stamps by itself keeps its time.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int64_t begin_ms, after_ms;
static time_t step;

static int64_t mono_ms(void)
{
	struct timespec t;

	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

__attribute__((constructor)) static void start(void)
{
	const char *after = getenv("FAULT_AFTER_MS"), *seconds = getenv("FAULT_SECONDS");

	if (!after || !seconds || strcmp(program_invocation_short_name, "smtpblame") != 0)
		return;
	after_ms = strtol(after, NULL, 10);
	step = strtol(seconds, NULL, 10);
	begin_ms = mono_ms();
}

static time_t set_by(void)
{
	return step && mono_ms() - begin_ms >= after_ms ? step : 0;
}

int clock_gettime(clockid_t id, struct timespec *t)
{
	if (syscall(SYS_clock_gettime, id, t) != 0)
		return -1;
	if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
		t->tv_sec += set_by();
	return 0;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone)
{
	struct timespec now;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &now);
	*t = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
	return 0;
}

time_t time(time_t *out)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (out)
		*out = now.tv_sec;
	return now.tv_sec;
}
