/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * IP fragments put together. Bounded: so many datagrams at a time, each of 64
 * KB at most; the oldest of its row gives way. Fragments that overlap without
 * being the same spoil their datagram (RFC 5722; Linux does so for IPv4, too).
 */
#ifndef SB_CONN_FRAGMENT_H
#define SB_CONN_FRAGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conn/pool.h"
#include "model/packet.h"

struct fragments; /* opaque */

struct fragments *fragments_new(struct budget *b);
void fragments_free(struct fragments *f); /* NULL is fine */

struct whole {
	const uint8_t *ip; /* from a header made anew on; valid until the next call */
	size_t caplen, len;
};

/* One fragment, as wire_decode_deep() gives it. True when it was the last that was missing. */
bool fragments_add(struct fragments *f, const struct packet *p, struct whole *out);

#endif
