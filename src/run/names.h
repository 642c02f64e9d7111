/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Names and mail exchangers of many targets, looked up side by side by a few
 * threads, so that one that is slow keeps nobody waiting.
 *
 * Threads and main thread share nothing but two lists of requests, under one
 * mutex (names.c); a request belongs to whoever took it off its list. All
 * functions are for the main thread.
 */
#ifndef SB_RUN_NAMES_H
#define SB_RUN_NAMES_H

#include "run/dns.h"
#include "run/resolve.h"

#define NAMES_WORKERS  16
#define NAMES_TEXT_MAX 320

struct names; /* opaque */

enum name_kind { NAME_HOST, NAME_DOMAIN };

struct name_request {
	enum name_kind kind;
	char text[NAMES_TEXT_MAX];
	enum addr_family family; /* NAME_HOST: ADDR_NONE both */
	int64_t timeout_ns;
	void *arg; /* the caller's */
	/* the answer */
	bool failed; /* `error` says why */
	struct err error;
	struct resolved addresses; /* NAME_HOST */
	struct dns_mx mx;          /* NAME_DOMAIN */
	int64_t took_ns;
	struct name_request *next;
};

/* Call it when privileges are given up: the threads have what this one has. */
int names_new(struct names **out, struct err *e);
/* Does not wait for a lookup under way: its thread is left to the end of the process. */
void names_free(struct names *n);

/* The request (malloc'd) is the threads' until names_take() gives it back. */
void names_ask(struct names *n, struct name_request *r);
/* One that is answered, or NULL; free() it. Never waits. */
struct name_request *names_take(struct names *n);
/* Readable when names_take() has something. */
int names_fd(const struct names *n);

#endif
