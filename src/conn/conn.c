/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conn/conn.h"

#include <string.h>

#include "base/arena.h"

/* The same place in another copy of the block; NULL stays NULL. */
static const void *moved(const void *p, const void *from, const void *to)
{
	return p ? (const char *)to + ((const char *)p - (const char *)from) : NULL;
}

struct conn *conn_move(void *to, const struct conn *c)
{
	struct conn *copy = memcpy(to, c, c->size);

	copy->rsts = moved(c->rsts, c, to);
	copy->icmp = moved(c->icmp, c, to);
	copy->twin = moved(c->twin, c, to);
	copy->smtp = moved(c->smtp, c, to);
	copy->tls = moved(c->tls, c, to);
	copy->text = moved(c->text, c, to);
	return copy;
}

struct conn *conn_copy(const struct conn *c)
{
	return conn_move(xcalloc(1, c->size), c);
}
