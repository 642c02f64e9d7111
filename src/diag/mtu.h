/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Small packets of the server come in and large ones don't: is it their size, and which?
 *
 * The MSS option of a SYN says how large the segments may be that the other side sends. So the same
 * dialogue is begun again on further connections that ask for small ones: where it goes on, size was
 * what stopped it. A few more, three at a time, find the size. Pure.
 */
#ifndef SB_DIAG_MTU_H
#define SB_DIAG_MTU_H

#include "diag/diag.h"

/* Bytes of this connection's packets that are no payload. */
unsigned mtu_overhead(const struct tracker *t, const struct flow *f);

/* What the connections of one port show, as of `now`. */
void mtu_of(const struct tracker *t, int port_index, int64_t now, struct mtu *out);

/* Further connections that are worth it; `done` is taken back while they are. */
void advise_mtu(const struct tracker *t, const struct port_facts *facts, unsigned n_tested,
		int64_t now, struct diag_advice *advice);

#endif
