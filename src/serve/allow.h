/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which targets a server probes for others: a list of networks and of names. Pure. */
#ifndef SB_SERVE_ALLOW_H
#define SB_SERVE_ALLOW_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/err.h"

#define ALLOW_MAX 256

struct allow_entry {
	const char *name;       /* a pattern, or NULL: a network */
	struct addr network;
	unsigned prefix;
};

struct allow {
	struct allow_entry entries[ALLOW_MAX];
	unsigned n;
};

/* "192.0.2.0/24", "2001:db8::1", "mx.example.net", "*.example.net" (any name below it, not itself),
 * "*" (everything). The text is borrowed. ERR_USAGE when it is none of these, or one too many. */
int allow_add(struct allow *a, const char *entry, struct err *e);

/* A name as it was asked for: whatever it resolves to, then. */
bool allow_name(const struct allow *a, const char *name);
bool allow_address(const struct allow *a, const struct addr *address);

#endif
