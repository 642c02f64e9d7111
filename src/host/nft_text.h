/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Inside host/: one nf_tables rule, found by its handle, in the words of the
 * program that made it: `nft` or `iptables -S`.
 *
 * The kernel gives one rule at once, however long its chain is; `nft` lists
 * whole chains only. So a long chain's rule is printed in a namespace of its
 * own that holds a copy of nothing else.
 */
#ifndef SB_HOST_NFT_TEXT_H
#define SB_HOST_NFT_TEXT_H

#include "base/err.h"
#include "model/host_record.h"

/* In: family, table, chain and handle (or policy) of *r. Fills backend, verdict (drop and reject
 * told apart, redirect, dnat, tproxy), number, text. When the words can't be had, text says so and
 * names the handle; -1 then. Bounded: about 2 s at worst. */
int nft_text_fill(struct host_rule *r, struct err *e);

#endif
