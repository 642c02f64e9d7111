/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is said on one connection: TLS first where the port wants it, then the
 * server's greeting (the server always speaks first), then QUIT in one segment.
 * Private to probe/.
 */
#ifndef SB_PROBE_SESSION_H
#define SB_PROBE_SESSION_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#include "model/event.h"
#include "smtp/reply.h"

struct session {
	int fd;          /* borrowed, connected, non-blocking */
	uint16_t flow;
	struct event_log *log;
	enum session_stage stage;
	SSL *ssl;        /* NULL: in the clear */
	bool own_anchors; /* --ca-file */
	bool want_write; /* ask epoll for EPOLLOUT too */
	bool over;       /* EV_SESSION_END is in the log */
	uint32_t bytes;
	char first[64];  /* first bytes of what came, for the report */
	size_t first_len;
	struct smtp_parser parser;
};

/* tls: a context to begin with TLS at once, or NULL. name: for SNI and the certificate's check, or
 * NULL; address: the same for a literal. */
void session_begin(struct session *s, int fd, uint16_t flow, struct event_log *log, SSL_CTX *tls,
		   bool own_anchors, const char *name, const struct addr *address);

/* Goes on as far as the socket lets. */
void session_advance(struct session *s);

/* The time given is over. */
void session_stall(struct session *s);

void session_clear(struct session *s);

#endif
