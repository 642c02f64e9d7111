/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Live runs: where sockets, the tap and the kernel's answers meet the core.
 *
 * run_open() does everything that needs a privilege; run_drop_privileges()
 * gives them up; only then does anything from the network get parsed.
 */
#ifndef SB_RUN_LIVE_H
#define SB_RUN_LIVE_H

#include <net/if.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "case/saved.h"
#include "model/plan.h"
#include "model/report.h"
#include "run/sandbox.h"

struct live; /* opaque */

/* As whom connections are made. */
struct run_user {
	const char *name; /* as given; NULL: as the caller */
	uid_t uid;
	gid_t gid;
};

struct live_options {
	const char *netns;      /* name or PID, NULL: the caller's */
	const char *write_file; /* -w, or NULL */
	bool save;              /* runs are to be saved: run_judge() may be given a case */
	const char *ca_file;    /* --ca-file, or NULL */
	const struct run_user *user; /* --uid, or NULL: raw packets are that user's, too */
	bool many;              /* runs at the same time (fleet.h): room for their packets, */
	bool lasting;           /* ... in a process that stays: less of it */
	bool inspect;           /* nothing is to be sent: no capture, no raw socket */
	const char *asn_db;     /* --asn-db, NULL: one that is installed */
	const char *tool_version;
};

/* Strings of opt are borrowed until run_free(). */
int run_open(struct live **out, const struct live_options *opt, struct err *e);
void run_free(struct live *l); /* NULL is fine */

/* Flushes the -w file. -1 when it could not be written whole. */
int run_finish(struct live *l, struct err *e);

/* A name or a number. ERR_USAGE: there is no such user. */
int run_find_user(const char *name, struct run_user *out, struct err *e);

/* Gives up every capability for good (no_new_privs, too), and enters the sandbox (NULL: none). Firewall
 * rules and policy routes match the user id: it stays the caller's, so that the verdict holds for the
 * caller, or becomes `user`. The process that asks the kernel keeps its own. */
int run_drop_privileges(const struct run_user *user, const struct sandbox *sandbox,
			struct sandbox_held *held, struct err *e);

/* For what reads files alone, which are open by now: not even to be root, and in the sandbox. */
int run_become_nobody(struct sandbox_held *held, struct err *e);

/* Judges one address. deadline_ns: clock_mono_ns() time at which everything is over. saved gets all
 * that the verdict was derived from (its plan borrows from *plan), or is NULL. */
int run_judge(struct live *l, const struct plan *plan, int64_t deadline_ns,
	      struct saved_case *saved, struct report **out, struct err *e);

/* What this host would do with connections to that address, without a packet. */
int run_inspect(struct live *l, const struct plan *plan, int64_t deadline_ns,
		struct saved_case *saved, struct report **out, struct err *e);

/* ERR_USAGE when there is no such interface in this network namespace. */
int run_check_interface(struct live *l, const char *name, struct err *e);
/* ERR_USAGE when the address is not one of this host's. link_name gets the interface that has it, "" where it
 * belongs to none in particular. */
int run_check_source(struct live *l, const struct addr *a, char link_name[IFNAMSIZ], struct err *e);

#endif
