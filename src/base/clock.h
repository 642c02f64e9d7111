/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The two clocks, in nanoseconds. Only sources and the run loop read them: diag/ never does. */
#ifndef SB_BASE_CLOCK_H
#define SB_BASE_CLOCK_H

#include <stdint.h>

#define NS_PER_MS 1000000LL
#define NS_PER_S  1000000000LL

#define CLOCK_TEXT_MAX 40

/* Since 1970 UTC, the clock of packet stamps and events: as it was set when this process (or the one
 * that it is a copy of) began, so that it never steps; setting the clock moves no event. */
int64_t clock_wall_ns(void);
/* The kernel's stamp of something that has just happened, on that clock. */
int64_t clock_of_stamp(int64_t stamp_ns);
/* The same, told what the time is on that clock, and by how much the kernel's is ahead of it now: the
 * stamp may be from before or after the clock was set. */
int64_t clock_corrected(int64_t stamp_ns, int64_t now_ns, int64_t ahead_ns);
int64_t clock_set_ns(void); /* as the clock is set now: for people */
int64_t clock_mono_ns(void); /* for timers: never steps */

/* "2026-01-31T12:00:00.123456Z" into out[CLOCK_TEXT_MAX]; returns out. */

const char *clock_utc_text(int64_t wall_ns, char *out);

#endif
