/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The two clocks, in nanoseconds. Only sources and the run loop read them: diag/ never does. */
#ifndef SB_BASE_CLOCK_H
#define SB_BASE_CLOCK_H

#include <stdint.h>

#define NS_PER_MS 1000000LL
#define NS_PER_S  1000000000LL

#define CLOCK_TEXT_MAX 40

int64_t clock_wall_ns(void); /* since 1970 UTC: the clock of packet stamps and events */
int64_t clock_mono_ns(void); /* for timers: never steps */

/* "2026-01-31T12:00:00.123456Z" into out[CLOCK_TEXT_MAX]; returns out. */

const char *clock_utc_text(int64_t wall_ns, char *out);

#endif
