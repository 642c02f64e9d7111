/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Inside host/: what nf_tables would do with a SYN of the watch and its answer,
 * by following the rules' own expressions, without a packet. What only a packet
 * can tell (rate limits, marks, counters of others) stays open and is named.
 */
#ifndef SB_HOST_NFT_INSPECT_H
#define SB_HOST_NFT_INSPECT_H

#include "host/watch.h"

/* HOST_SIGHT for each rport, chain by chain in the order of the packet's way: WOULD_PASS only for
 * base chains that hold rules, and only where nothing is left open; a direction ends with its first
 * WOULD_STOP. Nothing at all where the kernel has no nf_tables or no chains. HOST_NOT_LOOKED when
 * rules can't be read, or not all of them: the kernel's time to list one chain grows with the
 * square of its length (5,000 rules: 17 ms; 100,000: 2 to 4 s), and what is not read by then makes
 * nothing certain. Bounded: 2 s, and the words of the last rule. */
void nft_inspect(const struct host_watch *w, host_emit *emit, void *arg);

#endif
