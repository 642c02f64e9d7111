/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside conn/: the engine itself. */
#ifndef SB_CONN_ENGINE_PRIVATE_H
#define SB_CONN_ENGINE_PRIVATE_H

#include "conn/engine.h"
#include "conn/fragment.h"
#include "conn/table.h"
#include "conn/track.h"

/* Connections that are over, as hashes: stragglers make no new ones. */
#define GHOST_COUNT 65536
#define GHOST_NS    (300 * NS_PER_S)

struct ghost {
	uint32_t tag;
	uint32_t s; /* when, in seconds; 0: empty */
};

/* The latest SYNs by what a NAT leaves alone: other addresses, same connection. */
#define TWIN_COUNT 1024
#define TWIN_NS    (3 * NS_PER_S)

struct twin_seen {
	uint64_t first_packet; /* of the track; 0: empty */
	uint32_t track;
	uint32_t key;
};

struct list {
	uint32_t head, tail;
};

struct engine {
	struct engine_options options;
	conn_done *done;
	engine_room *room; /* or NULL */
	void *ctx;
	struct port_set ports;  /* listed ones */
	struct port_set wanted; /* those, or all */

	/* the packet at hand */
	uint64_t number;
	int64_t t_ns;
	struct conn_mark mark;  /* it, as its track counts */
	uint32_t at_hand; /* the track that it belongs to: not to be given up for memory */
	char no_text[1];        /* what body.text is while there is none */
	bool keeps_all;         /* no connection is given up for memory */
	/* the clock: packet times without their outliers */
	int64_t now_ns;
	int64_t jump_ns;
	unsigned jumps;

	struct budget budget;
	struct table table;
	struct pool bodies, notes, talks, ciphers;
	struct blocks blocks;
	size_t early_bytes; /* held in early segments of all connections */
	struct list lists[LIST_COUNT];
	struct fragments *fragments;
	struct ghost *ghosts;
	struct twin_seen *twins;
	struct engine_stats stats;

	/* of record_of() */
	_Alignas(16) uint8_t
		record[sizeof(struct conn) + sizeof(struct notes) + sizeof(struct conn_smtp) +
		       sizeof(struct conn_tls) + CONN_TEXT_MAX + 128];
};

#endif
