/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names to addresses with the system's resolver, bounded in time. */
#ifndef SB_RUN_RESOLVE_H
#define SB_RUN_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

#define RESOLVE_MAX 64

struct resolved {
	struct addr addresses[RESOLVE_MAX]; /* v4 first, each family in the resolver's order */
	unsigned n;
};

/* Both families unless one is asked for (enum addr_family, ADDR_NONE both). This is what every
 * program of this host gets: /etc/hosts, mDNS and what else nsswitch.conf(5) names. ERR_USAGE when
 * the name has no such address, or nothing came by deadline_ns (clock_mono_ns()); its words tell
 * a name that is not there, a resolver that fails or is silent, and DNSSEC apart. */
int resolve_name(const char *name, enum addr_family family, int64_t deadline_ns,
		 struct resolved *out, struct err *e);

#endif
