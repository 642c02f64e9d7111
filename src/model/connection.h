/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One judged connection of a capture, and the summary of a whole reading: the
 * contract's `read --json` as structs. Strings are clean UTF-8 (base/text.h); who
 * owns them says the function that fills the struct.
 */
#ifndef SB_MODEL_CONNECTION_H
#define SB_MODEL_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "model/report.h"

#define CONNECTION_MAX_FINDINGS 2
#define CONNECTION_MAX_EVIDENCE 16
#define CONNECTION_MAX_KEYWORDS 48

struct connection_side {
	struct addr address;
	uint16_t port;
	uint32_t packets;
};

/* The same connection at another capture point. */
struct connection_pair {
	const char *file;
	bool found;            /* false: that point saw nothing of it */
	struct connection_side client, server; /* as they are there */
	uint64_t first_packet;
	bool is_client_side;   /* the other point is nearer to the client */
	const char *changes[8]; /* from the client's side to the server's, in words */
	unsigned n_changes;
};

struct connection {
	const char *file;
	struct connection_side client, server;
	int64_t start_ns;      /* wall clock */
	double duration_ms;
	uint64_t first_packet; /* number in the file */
	enum state state;
	bool path_probe;       /* no connection: to be counted, and left out */
	const char *summary;   /* one sentence, also when it is open */
	const char *stage;     /* how far it came: "syn", "handshake", "greeting", "ehlo", ... */
	const char *end;       /* how it ended: "closed", "reset", "silent", "open", ... */
	struct finding findings[CONNECTION_MAX_FINDINGS];
	unsigned n_findings;
	bool has_smtp;
	struct report_smtp smtp;
	unsigned keywords_of;  /* not 0: same number, same smtp.ehlo and smtp.auth, for who keeps what it made of them */
	const char *sni;       /* what the client asked for in its ClientHello, NULL nothing */
	struct report_evidence evidence[CONNECTION_MAX_EVIDENCE];
	unsigned n_evidence;
	const struct connection_pair *pair; /* NULL: seen at one point only */
	/* behind the strings' pointers above */
	unsigned cited[CONNECTION_MAX_FINDINGS][CONNECTION_MAX_EVIDENCE];
	const char *remedies[CONNECTION_MAX_FINDINGS][8];
	const char *keywords[CONNECTION_MAX_KEYWORDS], *mechanisms[16], *names[16];
};

/* Connections that share a fate, and the servers that are met most often among them. */
#define READ_GROUPS_MAX 64
#define READ_GROUP_SERVERS 16
#define READ_GROUP_SHOWN 5

struct read_group {
	enum state state;
	enum mechanism mechanism; /* of the first finding; none where the state is open */
	enum place place;
	uint64_t connections;
	struct {
		struct addr address;
		uint16_t port;
		uint64_t connections;
	} servers[READ_GROUP_SERVERS]; /* most frequent first, when the reading is over */
	unsigned n_servers;
	unsigned first_least; /* no server before that one has `least` connections, */
	uint64_t least;       /* ... and none has fewer */
};

/* All files together. */
struct read_summary {
	unsigned files;
	uint64_t packets, connections, undecodable;
	uint64_t states[STATE_COUNT];
	uint64_t path_probes;  /* SYNs with which somebody looks at a path; not among the connections */
	uint64_t evicted;      /* connections that were given up for lack of memory */
	bool truncated;        /* a file ended amid a packet */
	const char *const *warnings;
	unsigned n_warnings;
	struct read_group groups[READ_GROUPS_MAX]; /* largest first */
	unsigned n_groups;
};

#endif
