/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Inside host/: what nf_tables would do with a SYN of the watch and its answer,
 * by following the rules' own expressions, without a packet. What only a packet
 * can tell (rate limits, marks, counters of others) stays open and is named.
 */
#ifndef SB_HOST_NFT_INSPECT_H
#define SB_HOST_NFT_INSPECT_H

#include "host/watch.h"

/* HOST_SIGHT for each rport, chain by chain in the order of the packet's way. HOST_NOT_LOOKED when
 * rules can't be read. Bounded: 2 s. */
void nft_inspect(const struct host_watch *w, host_emit *emit, void *arg);

#endif
