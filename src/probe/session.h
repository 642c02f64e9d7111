/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is said on one connection. The server always speaks first; one command
 * at a time, whole in one segment, the next when the reply is there:
 *
 *     [TLS]  greeting  EHLO or HELO  STARTTLS, TLS, EHLO  AUTH  MAIL  RCPT, RSET  QUIT
 *
 * TLS first where the port wants it, STARTTLS where it is offered, AUTH, MAIL
 * and RCPT where the plan asks for them. What turns us away ends in QUIT, and
 * nobody waits for the answer to that. A port with TLS first has STAGE_GREETING
 * and STAGE_EHLO inside it; STAGE_EHLO_TLS is the second EHLO, after STARTTLS.
 *
 * Every reply is an EV_REPLY; so is, with the code 0, why AUTH, MAIL or RCPT was
 * asked for and not tried.
 *
 * Where the reply to EHLO offers no STARTTLS, it is said all the same when the
 * rest is over (EV_SESSION_END is in the log), in the place of QUIT: a server
 * that takes it had its offer taken out on the way. Private to probe/.
 */
#ifndef SB_PROBE_SESSION_H
#define SB_PROBE_SESSION_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#include "model/event.h"
#include "model/plan.h"
#include "probe/tls.h"
#include "smtp/reply.h"

/* All borrowed, and longer-lived than the session. */
struct session_setup {
	int fd; /* connected, non-blocking */
	uint16_t flow;
	struct event_log *log;
	const struct plan *plan;
	struct tls *tls; /* NULL: OpenSSL has failed */
	bool implicit_tls;
	bool brief;  /* FLOW_SMALL: QUIT where the login and the mail would come */
	enum session_stage hold; /* FLOW_HELD: what is said at this stage goes out with TTL 1; else STAGE_COUNT */
};

#define SENT_KEPT 4096 /* a ClientHello, and more */

enum auth_way { AUTH_NONE, AUTH_PLAIN, AUTH_LOGIN };

struct session {
	struct session_setup setup;
	enum session_stage stage;
	SSL *ssl;        /* NULL: in the clear */
	bool verified;   /* the certificate is good */
	bool want_write; /* ask epoll for EPOLLOUT too */
	bool held;       /* setup.hold was reached */
	bool over;       /* nothing more comes of it */
	bool told;       /* EV_SESSION_END is in the log */
	bool unoffered;  /* EHLO was taken, and its reply offers no STARTTLS */
	bool helo;       /* EHLO is not known */
	bool hello_said; /* our ClientHello is on its way */
	bool in_clear;   /* what answers a ClientHello is plain SMTP */
	bool unasked;    /* what the parser has came before the command that it would answer */
	bool resetting;  /* RSET is said, and QUIT comes after its reply */
	int late_code;   /* of the reply to STARTTLS that was not offered, 0: none yet */
	const char *late_text;
	enum auth_way auth;
	unsigned auth_step;
	int socket_error; /* errno that the socket has told already, elsewhere than to a read */
	uint8_t sent[SENT_KEPT]; /* the latest bytes that were written, byte n of all at n % SENT_KEPT */
	uint64_t sent_total;
	uint32_t bytes;
	char first[64];  /* first bytes that came at this stage, for the report */
	size_t first_len;
	struct smtp_parser parser;
};

void session_begin(struct session *s, const struct session_setup *setup);

/* Goes on as far as the socket lets. */
void session_advance(struct session *s);

/* The time given is over. */
void session_stall(struct session *s);

/* Bytes that were written, from the one at `from` on, as they are on the wire; returns how many. */
size_t session_sent(const struct session *s, uint64_t from, uint8_t *out, size_t size);

void session_clear(struct session *s);

#endif
