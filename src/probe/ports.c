/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "probe/ports.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"

struct ports {
	struct port_range range;
	unsigned cursor;
	void *owner[]; /* by port - range.low */
};

struct ports *ports_new(struct port_range range)
{
	unsigned width = port_range_width(range);
	struct ports *p = xcalloc(1, sizeof(*p) + width * sizeof(p->owner[0]));

	p->range = range;
	/* not where the last call began: a router may still remember that one's connections */
	p->cursor = (unsigned)(clock_mono_ns() / NS_PER_MS) % width;
	return p;
}

void ports_free(struct ports *p)
{
	free(p);
}

/* Once around before a number comes again: late packets of its last owner are gone by then. */
uint16_t ports_take(struct ports *p, void *owner)
{
	unsigned width = port_range_width(p->range);

	for (unsigned n = 0; n < width; n++) {
		unsigned at = p->cursor;
		p->cursor = at + 1 < width ? at + 1 : 0;
		if (p->owner[at])
			continue;
		p->owner[at] = owner;
		return (uint16_t)(p->range.low + at);
	}
	return 0;
}

void ports_give_back(struct ports *p, uint16_t port)
{
	if (port_range_has(p->range, port))
		p->owner[port - p->range.low] = NULL;
}

void *ports_owner(const struct ports *p, uint16_t port)
{
	return port_range_has(p->range, port) ? p->owner[port - p->range.low] : NULL;
}
