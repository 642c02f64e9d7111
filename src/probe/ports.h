/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Source ports of many runs at once: who has which. A port is one run's at a
 * time, so that a packet's port alone tells whose it is, whatever a translation
 * made of the addresses.
 */
#ifndef SB_PROBE_PORTS_H
#define SB_PROBE_PORTS_H

#include <stdint.h>

#include "probe/source.h"

struct ports; /* opaque */

struct ports *ports_new(struct port_range range);
void ports_free(struct ports *p); /* NULL is fine */

/* The one that has been free for the longest time, 0 when all are taken. `owner`: not NULL. */
uint16_t ports_take(struct ports *p, void *owner);
void ports_give_back(struct ports *p, uint16_t port);

/* NULL: nobody's, or outside of the range. */
void *ports_owner(const struct ports *p, uint16_t port);

#endif
