/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The HTTP side of the exporter (libmicrohttpd), without a thread of its own: GET /probe, /metrics
 * and /healthz. A probe's request waits, suspended, until the caller answers it. Main thread only;
 * watch server_fd(), then call server_dispatch().
 *
 * Requests come from whoever can reach the port: their number, their size and what they may ask for
 * are bounded here.
 */
#ifndef SB_SERVE_SERVER_H
#define SB_SERVE_SERVER_H

#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/addr.h"
#include "base/err.h"
#include "model/report.h"
#include "serve/allow.h"

struct server;     /* opaque */
struct server_job; /* one GET /probe that waits for its answer; opaque */

#define SERVER_TARGET_MAX 253 /* RFC 1035: of a name */
#define SERVER_PORTS_MAX  8

/* What is asked for. Borrowed until server_answer(). Times are clock_mono_ns(). */
struct server_question {
	const char *target;     /* as it came, printable ASCII */
	uint16_t ports[SERVER_PORTS_MAX];
	unsigned n_ports;       /* 0: the usual ones */
	enum addr_family family; /* ADDR_NONE: both */
	int64_t deadline_ns;    /* the probe is to end then, decided or not */
	int64_t latest_ns;      /* ... and must be answered by then: soon the scraper waits no longer */
};

/* Why there is no verdict, or not the whole one. */
enum server_trouble {
	SERVER_FINE,
	SERVER_TARGET,   /* no host that can be asked for, or one that does not resolve */
	SERVER_TIME,     /* it was not done in time */
	SERVER_EXPORTER, /* no run could be made */
};

struct server_options {
	struct sockaddr_storage listen;
	unsigned max_waiting;   /* probes that wait or run; one more is answered with 503 */
	int64_t timeout_ns;     /* of a probe whose request names none */
	const char *version;
	/* A new question: to be answered once, from here or later. */
	void (*ask)(void *arg, struct server_job *job, const struct server_question *q);
	void *arg;
};

/* Listens. ERR_USAGE when the address can't be had. */
int server_new(struct server **out, const struct server_options *opt, struct err *e);
void server_free(struct server *s); /* what waits is answered with 503; NULL is fine */

int server_fd(const struct server *s);
/* Takes and answers what is there; *wake as in run/fleet.h. */
void server_dispatch(struct server *s, int64_t *wake);

/* Reports (borrowed, may be none); with a trouble, what it is in one line. */
void server_answer(struct server_job *job, struct report *const *reports, unsigned n,
		   enum server_trouble trouble, const char *error);
/* A probe is answered by the run of another one, too: for /metrics. */
void server_count_shared(struct server *s);
/* The target is not one that may be asked for: 403. */
void server_refuse(struct server_job *job, const char *why);

#endif
