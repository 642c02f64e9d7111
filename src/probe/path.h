/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Raw SYNs with a TTL of our choice, made like the kernel's own, and the two other segments that
 * go with them.
 *
 * They leave through the host's output hooks as a connection's would (raw
 * socket), or below them (packet socket) when asked to. Answers come through
 * the capture, never through these sockets. Main thread only.
 */
#ifndef SB_PROBE_PATH_H
#define SB_PROBE_PATH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

struct path_sender; /* opaque */

/* Needs CAP_NET_RAW. A family that this host lacks fails at the send, not here. */
int path_sender_new(struct path_sender **out, struct err *e);
void path_sender_free(struct path_sender *s);

enum raw_kind {
	RAW_SYN,
	RAW_RST, /* ends what an injected SYN began */
	RAW_ACK, /* on a connection: our kernel's last ACK once more, or one like it; with payload, data */
};

#define RAW_PAYLOAD_MAX 1440 /* with all headers: an Ethernet's MTU */

struct raw_syn {
	enum raw_kind kind;
	struct addr src, dst;
	uint16_t sport, dport;
	uint32_t seq;
	uint8_t ttl;
	uint16_t ip_id;    /* IPv4; must not be 0, or the kernel fills in its own */
	unsigned link_mtu; /* for the MSS option */
	uint32_t ack;      /* RAW_ACK */
	uint16_t window;   /* RAW_ACK: as it stands in the header */
	const uint8_t *payload; /* RAW_ACK; borrowed */
	unsigned payload_len;   /* at most RAW_PAYLOAD_MAX */
	bool has_ts;       /* RAW_ACK: with the timestamps option */
	uint32_t ts_val, ts_ecr;
	uint32_t flow_label; /* IPv6; 0: one that is the same for all of this source port */
	int oif;           /* egress interface, 0: by route */
	/* below the firewall: out of interface oif, to this next hop */
	bool inject;
	uint8_t next_hop_mac[8];
	uint8_t next_hop_mac_len; /* 0 on links without link-layer addresses */
};

/* 0, or the errno of the send: EPERM is the sign of an output rule. */
int path_send(struct path_sender *s, const struct raw_syn *syn);

#endif
