/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside host/: which packets a look at this host is about. A plain value. */
#ifndef SB_HOST_WATCH_H
#define SB_HOST_WATCH_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"
#include "model/host_record.h"

#define WATCH_MAX_LOCAL  64
#define WATCH_MAX_REMOTE 32

/* Connections from any of lports to any of rports at `remote`: this run's, and no others, for the
 * source ports are bound before anything is watched. */
struct host_watch {
	struct addr remote;
	struct addr local;   /* source address; ADDR_NONE: not known */
	uint16_t lports[WATCH_MAX_LOCAL];
	unsigned n_lports;
	uint16_t rports[WATCH_MAX_REMOTE];
	unsigned n_rports;
	int oif;             /* egress interface by route, 0 unknown */
	char oif_name[IFNAMSIZ];
	uid_t uid;           /* as whom the connections are made */
	gid_t gid;
};

/* Emits a "not looked at" record, stamped now. */
void watch_not_looked(host_emit *emit, void *arg, enum host_look what, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* A record of this kind, stamped now, everything else zero. */
struct host_record watch_record(enum host_record_kind kind);

/* Foreign bytes (kernel, child program) into a record's string: cleaned (base/text.h), cut with
 * "..." when too long. */
void watch_text(char *out, size_t size, const char *bytes, size_t len);

/* Name of an interface of this namespace, clean; "" when there is none of that number. */
void watch_interface(char out[IFNAMSIZ], unsigned ifindex);

#endif
