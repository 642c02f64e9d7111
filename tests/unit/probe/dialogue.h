/* SPDX-License-Identifier: GPL-3.0-or-later */
/* For the tests of a session: a dialogue with a server in this very thread, on the loopback. */
#ifndef SB_TESTS_PROBE_DIALOGUE_H
#define SB_TESTS_PROBE_DIALOGUE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "probe/prober.h"
#include "probe/session.h"

#define WAIT_MS  2000
#define NAME     "mx.example.net"
#define GREETING "220 " NAME " ESMTP\r\n"
#define BIG      4096

struct fixture {
	struct plan plan;
	struct event_log log;
	struct tls *tls;
	struct session s;
	int client, server;
	SSL_CTX *server_ctx;
	SSL *ssl; /* the server's, NULL: in the clear */
	EVP_PKEY *key;
	X509 *cert;
};

/* ---- two ends of a connection ---- */

static inline void connect_pair(struct fixture *f, bool v6)
{
	struct sockaddr_storage sa;
	struct addr loopback;
	assert_true(addr_parse(&loopback, v6 ? "::1" : "127.0.0.1"));
	socklen_t len = addr_to_sockaddr(&loopback, 0, &sa);
	int listener = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(listener >= 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&sa, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&sa, &len), 0);
	f->client = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(f->client, (struct sockaddr *)&sa, len), 0);
	f->server = accept(listener, NULL, NULL);
	assert_true(f->server >= 0);
	assert_int_equal(fcntl(f->client, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(fcntl(f->server, F_SETFL, O_NONBLOCK), 0);
	close(listener);
}

static inline void wait_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
}

/* ---- the server ---- */

/* A certificate for NAME; trusted: as if its issuer were known to us. */
static inline void make_server_tls(struct fixture *f, bool trusted)
{
	f->key = EVP_EC_gen("P-256");
	f->cert = X509_new();
	assert_non_null(f->key);
	X509_set_version(f->cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(f->cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(f->cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(f->cert), 3600);
	X509_set_pubkey(f->cert, f->key);
	X509_NAME *name = X509_get_subject_name(f->cert);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)NAME, -1, -1,
				   0);
	X509_set_issuer_name(f->cert, name);
	X509_EXTENSION *san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:" NAME);
	assert_non_null(san);
	X509_add_ext(f->cert, san, -1);
	X509_EXTENSION_free(san);
	assert_true(X509_sign(f->cert, f->key, EVP_sha256()) > 0);
	f->server_ctx = SSL_CTX_new(TLS_server_method());
	assert_int_equal(SSL_CTX_use_certificate(f->server_ctx, f->cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(f->server_ctx, f->key), 1);
	if (trusted)
		X509_STORE_add_cert(SSL_CTX_get_cert_store(f->tls->ctx), f->cert);
}

static inline void shake_hands(struct fixture *f)
{
	int done = 0;

	f->ssl = SSL_new(f->server_ctx);
	assert_int_equal(SSL_set_fd(f->ssl, f->server), 1);
	SSL_set_accept_state(f->ssl);
	for (int tries = 0; tries < 100 && done != 1; tries++) {
		done = SSL_do_handshake(f->ssl);
		struct pollfd p[2] = {{.fd = f->client, .events = POLLIN},
				      {.fd = f->server, .events = POLLIN}};
		poll(p, 2, 20);
		session_advance(&f->s);
	}
	assert_int_equal(done, 1);
}

static inline void says_bytes(struct fixture *f, const char *bytes, size_t len)
{
	if (f->ssl)
		assert_int_equal(SSL_write(f->ssl, bytes, (int)len), (int)len);
	else
		assert_int_equal(send(f->server, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
	wait_readable(f->client);
	session_advance(&f->s);
}

static inline void says(struct fixture *f, const char *bytes)
{
	says_bytes(f, bytes, strlen(bytes));
}

static inline size_t hear(struct fixture *f, char *buf, size_t size)
{
	for (int tries = 0; tries < 100; tries++) {
		int n = f->ssl ? SSL_read(f->ssl, buf, (int)size - 1)
			       : (int)recv(f->server, buf, size - 1, 0);
		if (n > 0) {
			buf[n] = '\0';
			return (size_t)n;
		}
		struct pollfd p = {.fd = f->server, .events = POLLIN};
		poll(&p, 1, WAIT_MS / 100);
	}
	return 0;
}

/* Exactly that was said: one command, and whole. */
static inline void hears(struct fixture *f, const char *command)
{
	char buf[BIG];

	if (!hear(f, buf, sizeof(buf)))
		fail_msg("nothing was said, instead of %s", command);
	assert_string_equal(buf, command);
}

static inline void hears_nothing(struct fixture *f)
{
	char buf[BIG];

	assert_int_equal(recv(f->server, buf, sizeof(buf), MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}

static inline void hangs_up(struct fixture *f, bool reset)
{
	struct linger at_once = {.l_onoff = 1};

	if (reset)
		setsockopt(f->server, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(f->server);
	f->server = -1;
	wait_readable(f->client);
	session_advance(&f->s);
}

/* ---- the log ---- */

static inline const struct event *nth(const struct fixture *f, enum event_kind kind, unsigned n)
{
	for (size_t i = 0; i < f->log.n; i++)
		if (f->log.events[i].kind == kind && n-- == 0)
			return &f->log.events[i];
	return NULL;
}

static inline const struct ev_reply *reply(const struct fixture *f, unsigned n)
{
	const struct event *ev = nth(f, EV_REPLY, n);

	assert_non_null(ev);
	assert_int_equal(ev->flow, 7);
	return &ev->reply;
}

static inline void assert_reply(const struct fixture *f, unsigned n, enum session_stage stage, int code,
			 const char *text)
{
	const struct ev_reply *r = reply(f, n);

	assert_int_equal(r->stage, stage);
	assert_int_equal(r->code, code);
	if (text)
		assert_string_equal(r->text, text);
}

static inline void assert_end(const struct fixture *f, enum session_stage stage, enum session_end end,
		       const char *text)
{
	const struct event *ev = nth(f, EV_SESSION_END, 0);

	assert_non_null(ev);
	assert_null(nth(f, EV_SESSION_END, 1));
	assert_true(f->s.over);
	if (ev->session_end.end != end || ev->session_end.stage != stage)
		fail_msg("ended at stage %d with %d (%s)", ev->session_end.stage,
			 ev->session_end.end, ev->session_end.text ? ev->session_end.text : "");
	if (text)
		assert_non_null(strstr(ev->session_end.text, text));
}

static inline void assert_not_over(const struct fixture *f)
{
	assert_false(f->s.over);
	assert_null(nth(f, EV_SESSION_END, 0));
}

static inline bool log_holds(const struct fixture *f, const char *text)
{
	for (size_t i = 0; i < f->log.n; i++) {
		const struct event *ev = &f->log.events[i];
		const char *const *lines = ev->kind == EV_REPLY ? ev->reply.lines : NULL;
		const char *first = ev->kind == EV_REPLY         ? ev->reply.text
				    : ev->kind == EV_SESSION_END ? ev->session_end.text
								 : NULL;
		if (first && strstr(first, text))
			return true;
		for (; lines && *lines; lines++)
			if (strstr(*lines, text))
				return true;
	}
	return false;
}

/* ---- each test ---- */

static inline int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err e;

	assert_non_null(f);
	f->plan = (struct plan){.name = NAME, .ehlo_name = "client.example"};
	assert_true(addr_parse(&f->plan.target, "127.0.0.1"));
	event_log_init(&f->log);
	assert_int_equal(tls_new(&f->tls, NULL, &e), 0);
	f->server = f->client = -1;
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	session_clear(&f->s);
	SSL_free(f->ssl);
	SSL_CTX_free(f->server_ctx);
	X509_free(f->cert);
	EVP_PKEY_free(f->key);
	tls_free(f->tls);
	event_log_clear(&f->log);
	if (f->client >= 0)
		close(f->client);
	if (f->server >= 0)
		close(f->server);
	free(f);
	return 0;
}

static inline void begin_as(struct fixture *f, bool v6, bool implicit_tls)
{
	connect_pair(f, v6);
	session_begin(&f->s, &(struct session_setup){.fd = f->client,
						     .flow = 7,
						     .log = &f->log,
						     .plan = &f->plan,
						     .tls = f->tls,
						     .implicit_tls = implicit_tls});
	session_advance(&f->s);
}

static inline void begin(struct fixture *f)
{
	begin_as(f, false, false);
}

static inline void until_ehlo(struct fixture *f)
{
	begin(f);
	says(f, GREETING);
	hears(f, "EHLO client.example\r\n");
}

static inline void until_starttls(struct fixture *f)
{
	until_ehlo(f);
	says(f, "250-" NAME "\r\n250 STARTTLS\r\n");
	hears(f, "STARTTLS\r\n");
}

/* In TLS, with EHLO said again. */
static inline void until_ehlo_tls(struct fixture *f, bool trusted)
{
	make_server_tls(f, trusted);
	until_starttls(f);
	says(f, "220 go\r\n");
	shake_hands(f);
	hears(f, "EHLO client.example\r\n");
}

/* The dialogue is over, and STARTTLS, which was not offered, is refused. */
static inline void refuses_unoffered(struct fixture *f)
{
	hears(f, "STARTTLS\r\n");
	assert_non_null(nth(f, EV_SESSION_END, 0));
	assert_true(nth(f, EV_SESSION_END, 0)->session_end.more);
	assert_false(f->s.over);
	says(f, "502 5.5.1 no\r\n");
	hears(f, "QUIT\r\n");
}

#endif
