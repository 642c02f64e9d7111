/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/host_facts.h"

#include <linux/neighbour.h>

const char *neighbour_state_name(const struct host_neighbour *n)
{
	if (!n->exists)
		return "none";
	switch (n->state) {
	case NUD_INCOMPLETE: return "incomplete";
	case NUD_REACHABLE: return "reachable";
	case NUD_STALE: return "stale";
	case NUD_DELAY: return "delay";
	case NUD_PROBE: return "probe";
	case NUD_FAILED: return "failed";
	case NUD_NOARP: return "noarp";
	case NUD_PERMANENT: return "permanent";
	}
	return "none";
}

bool neighbour_is_silent(const struct host_neighbour *n)
{
	return n->exists && !neighbour_is_usable(n);
}

bool neighbour_is_usable(const struct host_neighbour *n)
{
	return n->exists && (n->state & (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE |
					 NUD_NOARP | NUD_PERMANENT));
}
