/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What named.c, which finds the culprit among the host's records, shares with named_words.c. */
#ifndef SB_DIAG_NAMED_PRIVATE_H
#define SB_DIAG_NAMED_PRIVATE_H

#include "diag/named.h"
#include "wire/decode.h"

static inline const struct host_record *named_record(const struct tracker *t, unsigned i)
{
	return t->log->events[t->host[i]].host;
}

static inline bool named_is_syn(uint8_t flags)
{
	return (flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN;
}

static inline bool named_is_syn_ack(uint8_t flags)
{
	return (flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK);
}

/* The attempt with this source port, of this port or (-1) of any; NULL: none of ours. */
const struct flow *named_flow(const struct tracker *t, int port_index, uint16_t lport);

/* The culprit's kind of what stands at that hook. */
enum culprit_kind named_kind_of_program(enum program_hook h);

bool named_same_program(const struct host_program *a, const struct host_program *b);

#endif
