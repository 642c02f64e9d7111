/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside host/: the TCP socket of this namespace that takes a packet, and whose it is. */
#ifndef SB_HOST_OWNER_H
#define SB_HOST_OWNER_H

#include "host/watch.h"

enum owner_match {
	OWNER_CONNECTED, /* only the socket of this very connection */
	OWNER_LISTENER,  /* only one that listens, there or at any address */
};

/* The socket to which the kernel gives a packet from peer:peer_port to local:port. Fills address
 * (ADDR_NONE: bound to any), port and uid; pid and name where one of the first processes that can
 * be looked at has it, within 0.2 s. False: there is none, or it can't be asked for. */
bool owner_find(const struct addr *local, uint16_t port, const struct addr *peer,
		uint16_t peer_port, enum owner_match match, struct host_owner *out);

#endif
