/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The dialogue, against a server in this very thread: what is said, when, and what the log has. On
 * the loopback. */
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

static void connect_pair(struct fixture *f, bool v6)
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

static void wait_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
}

/* ---- the server ---- */

/* A certificate for NAME; trusted: as if its issuer were known to us. */
static void make_server_tls(struct fixture *f, bool trusted)
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

static void shake_hands(struct fixture *f)
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

static void says_bytes(struct fixture *f, const char *bytes, size_t len)
{
	if (f->ssl)
		assert_int_equal(SSL_write(f->ssl, bytes, (int)len), (int)len);
	else
		assert_int_equal(send(f->server, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
	wait_readable(f->client);
	session_advance(&f->s);
}

static void says(struct fixture *f, const char *bytes)
{
	says_bytes(f, bytes, strlen(bytes));
}

static size_t hear(struct fixture *f, char *buf, size_t size)
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
static void hears(struct fixture *f, const char *command)
{
	char buf[BIG];

	if (!hear(f, buf, sizeof(buf)))
		fail_msg("nothing was said, instead of %s", command);
	assert_string_equal(buf, command);
}

static void hears_nothing(struct fixture *f)
{
	char buf[BIG];

	assert_int_equal(recv(f->server, buf, sizeof(buf), MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}

static void hangs_up(struct fixture *f, bool reset)
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

static const struct event *nth(const struct fixture *f, enum event_kind kind, unsigned n)
{
	for (size_t i = 0; i < f->log.n; i++)
		if (f->log.events[i].kind == kind && n-- == 0)
			return &f->log.events[i];
	return NULL;
}

static const struct ev_reply *reply(const struct fixture *f, unsigned n)
{
	const struct event *ev = nth(f, EV_REPLY, n);

	assert_non_null(ev);
	assert_int_equal(ev->flow, 7);
	return &ev->reply;
}

static void assert_reply(const struct fixture *f, unsigned n, enum session_stage stage, int code,
			 const char *text)
{
	const struct ev_reply *r = reply(f, n);

	assert_int_equal(r->stage, stage);
	assert_int_equal(r->code, code);
	if (text)
		assert_string_equal(r->text, text);
}

static void assert_end(const struct fixture *f, enum session_stage stage, enum session_end end,
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

static void assert_not_over(const struct fixture *f)
{
	assert_false(f->s.over);
	assert_null(nth(f, EV_SESSION_END, 0));
}

static bool log_holds(const struct fixture *f, const char *text)
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

static int setup(void **state)
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

static int teardown(void **state)
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

static void begin_as(struct fixture *f, bool v6, bool implicit_tls)
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

static void begin(struct fixture *f)
{
	begin_as(f, false, false);
}

static void until_ehlo(struct fixture *f)
{
	begin(f);
	says(f, GREETING);
	hears(f, "EHLO client.example\r\n");
}

static void until_starttls(struct fixture *f)
{
	until_ehlo(f);
	says(f, "250-" NAME "\r\n250 STARTTLS\r\n");
	hears(f, "STARTTLS\r\n");
}

/* In TLS, with EHLO said again. */
static void until_ehlo_tls(struct fixture *f, bool trusted)
{
	make_server_tls(f, trusted);
	until_starttls(f);
	says(f, "220 go\r\n");
	shake_hands(f);
	hears(f, "EHLO client.example\r\n");
}

/* The dialogue is over, and STARTTLS, which was not offered, is refused. */
static void refuses_unoffered(struct fixture *f)
{
	hears(f, "STARTTLS\r\n");
	assert_non_null(nth(f, EV_SESSION_END, 0));
	assert_true(nth(f, EV_SESSION_END, 0)->session_end.more);
	assert_false(f->s.over);
	says(f, "502 5.5.1 no\r\n");
	hears(f, "QUIT\r\n");
}

/* ---- in the clear ---- */

static void test_plain(void **state)
{
	struct fixture *f = *state;

	begin(f);
	hears_nothing(f); /* the server speaks first */
	says(f, "220-" NAME);
	hears_nothing(f);
	says(f, " ESMTP\r\n220 welcome\r\n");
	hears(f, "EHLO client.example\r\n");
	says(f, "250-" NAME "\r\n250-SIZE 1\r\n");
	hears_nothing(f);
	assert_not_over(f);
	says(f, "250 HELP\r\n");
	refuses_unoffered(f);
	/* nobody waits for the answer to that */
	assert_end(f, STAGE_QUIT, SESSION_DONE, NULL);
	assert_reply(f, 0, STAGE_GREETING, 220, NAME " ESMTP / welcome");
	assert_reply(f, 1, STAGE_EHLO, 250, NAME " / SIZE 1 / HELP");
	assert_false(reply(f, 1)->helo);
	assert_string_equal(reply(f, 1)->lines[1], "SIZE 1");
	assert_null(reply(f, 1)->lines[3]);
	assert_reply(f, 2, STAGE_UNOFFERED, 502, "5.5.1 no");
	assert_null(nth(f, EV_REPLY, 3));
}

static void test_helo(void **state)
{
	static const char *const unknown[] = {"500 what?\r\n", "502 no\r\n", "504 no\r\n"};
	struct fixture *f = *state;

	for (size_t i = 0; i < 3; i++) {
		until_ehlo(f);
		says(f, unknown[i]);
		hears(f, "HELO client.example\r\n");
		/* no keywords in the answer to HELO */
		says(f, "250-" NAME "\r\n250 STARTTLS\r\n");
		hears(f, "QUIT\r\n");
		unsigned n = (unsigned)i * 3;
		assert_reply(f, n + 1, STAGE_EHLO, atoi(unknown[i]), NULL);
		assert_false(reply(f, n + 1)->helo);
		assert_reply(f, n + 2, STAGE_EHLO, 250, NULL);
		assert_true(reply(f, n + 2)->helo);
		close(f->client);
		close(f->server);
	}
	f->client = f->server = -1;
}

static void test_turned_away(void **state)
{
	struct fixture *f = *state;

	begin(f);
	says(f, "554 5.7.1 no\r\n");
	hears(f, "QUIT\r\n");
	assert_reply(f, 0, STAGE_GREETING, 554, "5.7.1 no");
	assert_end(f, STAGE_QUIT, SESSION_DONE, NULL);
}

static void test_turned_away_at_ehlo(void **state)
{
	struct fixture *f = *state;

	until_ehlo(f);
	says(f, "550 5.7.1 dynamic address\r\n");
	hears(f, "QUIT\r\n");
	assert_reply(f, 1, STAGE_EHLO, 550, NULL);
	assert_end(f, STAGE_QUIT, SESSION_DONE, NULL);
}

static void test_turned_away_at_helo(void **state)
{
	struct fixture *f = *state;

	until_ehlo(f);
	says(f, "502 no\r\n");
	hears(f, "HELO client.example\r\n");
	says(f, "500 no\r\n");
	hears(f, "QUIT\r\n");
	assert_end(f, STAGE_QUIT, SESSION_DONE, NULL);
}

/* A second greeting in one piece with the first must not pass for an EHLO reply. */
static void test_unasked(void **state)
{
	struct fixture *f = *state;

	begin(f);
	says(f, GREETING "220 another\r\n220-and");
	hears(f, "EHLO client.example\r\n");
	says(f, " one\r\n220 more\r\n");
	hears_nothing(f);
	says(f, "250 " NAME "\r\n");
	refuses_unoffered(f);
	assert_reply(f, 1, STAGE_EHLO, 250, NAME);
	assert_null(nth(f, EV_REPLY, 3));
}

static void test_unasked_goodbye(void **state)
{
	struct fixture *f = *state;

	begin(f);
	says(f, GREETING "421 too busy\r\n");
	assert_reply(f, 1, STAGE_EHLO, 421, "too busy");
	assert_end(f, STAGE_QUIT, SESSION_DONE, NULL);
}

static void test_own_name(void **state)
{
	static const struct {
		const char *ehlo, *host, *name; /* NULL: a literal */
	} cases[] = {
		{NULL, "pc.example.org", "pc.example.org"},
		{NULL, "pc", NULL},
		{NULL, NULL, NULL},
		{NULL, "pc_1.example.org", NULL},
		{NULL, "pc.example.org.", NULL},
		{NULL, "10.0.0.2", NULL},
		{NULL, "localhost.localdomain", NULL},
		{NULL, "pc.localdomain", NULL},
		{NULL, "a.b\r\nRSET", NULL},
		{"chosen", "pc.example.org", "chosen"},
		{"bad name", "pc.example.org", "pc.example.org"},
		{"bad\r\nRSET", "pc", NULL},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		char command[300];
		bool v6 = i % 2;
		const char *name = cases[i / 2].name;
		f->plan.ehlo_name = cases[i / 2].ehlo;
		f->plan.hostname = cases[i / 2].host;
		begin_as(f, v6, false);
		says(f, GREETING);
		snprintf(command, sizeof(command), "EHLO %s\r\n",
			 name ? name
			 : v6 ? "[IPv6:::1]"
			      : "[127.0.0.1]");
		hears(f, command);
		close(f->client);
		close(f->server);
	}
	f->client = f->server = -1;
}

/* ---- how it ends too early ---- */

static void test_ends(void **state)
{
	struct fixture *f = *state;

	begin(f);
	hangs_up(f, false);
	assert_end(f, STAGE_GREETING, SESSION_CLOSED, NULL);
}

static void test_reset_at_ehlo(void **state)
{
	struct fixture *f = *state;

	until_ehlo(f);
	hangs_up(f, true);
	assert_end(f, STAGE_EHLO, SESSION_RESET, NULL);
}

/* The RST is there before the command goes out: send() hears of it, and recv() does not again. */
static void test_reset_before_command(void **state)
{
	struct linger at_once = {.l_onoff = 1};
	struct fixture *f = *state;

	begin(f);
	assert_int_equal(send(f->server, GREETING, strlen(GREETING), 0), strlen(GREETING));
	setsockopt(f->server, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(f->server);
	f->server = -1;
	usleep(20000);
	session_advance(&f->s);
	assert_true(f->s.over);
	const struct event *ev = nth(f, EV_SESSION_END, 0);
	assert_int_equal(ev->session_end.end, SESSION_RESET);
	assert_int_equal(ev->session_end.stage, nth(f, EV_REPLY, 0) ? STAGE_EHLO : STAGE_GREETING);
}

static void test_closed_at_starttls(void **state)
{
	struct fixture *f = *state;

	until_starttls(f);
	hangs_up(f, false);
	assert_end(f, STAGE_STARTTLS, SESSION_CLOSED, NULL);
}

static void test_stall(void **state)
{
	struct fixture *f = *state;

	until_ehlo(f);
	says(f, "250-half an answ");
	session_stall(&f->s);
	assert_end(f, STAGE_EHLO, SESSION_STALLED, "250-half an answ");
}

static void test_not_smtp(void **state)
{
	struct fixture *f = *state;

	until_ehlo(f);
	says(f, "HTTP/1.1 400 \x1b[31mBad\r\n");
	assert_end(f, STAGE_EHLO, SESSION_NOT_SMTP, "HTTP/1.1 400 \\x1b[31mBad");
}

static void test_hostile_lines(void **state)
{
	char line[2000], bytes[BIG * 8];
	struct fixture *f = *state;
	size_t len = 0;

	until_ehlo(f);
	memset(line, 'x', sizeof(line));
	memcpy(line, "250-a\0\x1b", 7);
	memcpy(line + sizeof(line) - 2, "\r\n", 2);
	says_bytes(f, line, sizeof(line));
	for (int i = 0; i < 100; i++)
		len += (size_t)snprintf(bytes + len, sizeof(bytes) - len, "250-%d\r\n", i);
	snprintf(bytes + len, sizeof(bytes) - len, "250 end\r\n");
	says(f, bytes);
	const struct ev_reply *r = reply(f, 1);
	unsigned n = 0;
	while (r->lines[n])
		n++;
	assert_int_equal(n, 64);
	assert_true(strncmp(r->lines[0], "a\\x00\\x1bxx", 11) == 0);
	assert_in_range(strlen(r->lines[0]), 250, 280);
	assert_string_equal(r->lines[63], "62");
	assert_in_range(strlen(r->text), 1000, 1100);
}

static void test_endless(void **state)
{
	static char bytes[BIG];
	struct fixture *f = *state;

	until_ehlo(f);
	memset(bytes, 'x', sizeof(bytes));
	memcpy(bytes, "250 ", 4);
	for (int i = 0; i < 100 && !f->s.over; i++)
		says_bytes(f, bytes, sizeof(bytes));
	assert_end(f, STAGE_EHLO, SESSION_NOT_SMTP, "250 xxx");
}

/* ---- TLS ---- */

static void test_starttls(void **state)
{
	struct fixture *f = *state;

	until_ehlo_tls(f, true);
	assert_not_over(f);
	const struct ev_tls *tls = &nth(f, EV_TLS, 0)->tls;
	assert_true(tls->verified);
	assert_string_equal(tls->names[0], NAME);
	/* offered again, and not taken again */
	says(f, "250-" NAME "\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n");
	hears(f, "QUIT\r\n");
	assert_reply(f, 2, STAGE_STARTTLS, 220, "go");
	assert_reply(f, 3, STAGE_EHLO_TLS, 250, NULL);
	assert_end(f, STAGE_QUIT, SESSION_DONE, NULL);
}

/* ---- STARTTLS that is not offered ---- */

static void until_unoffered(struct fixture *f)
{
	make_server_tls(f, false);
	until_ehlo(f);
	says(f, "250-" NAME "\r\n250 HELP\r\n");
	hears(f, "STARTTLS\r\n");
}

/* What came of it: nothing of the dialogue's own end changes. */
static void assert_late(const struct fixture *f, int code, bool tls)
{
	assert_reply(f, 2, STAGE_UNOFFERED, code, NULL);
	assert_null(nth(f, EV_REPLY, 3));
	assert_end(f, STAGE_QUIT, SESSION_DONE, NULL);
	assert_int_equal(nth(f, EV_TLS, 0) != NULL, tls);
}

static void test_unoffered_taken(void **state)
{
	struct fixture *f = *state;

	until_unoffered(f);
	says(f, "220 go\r\n");
	shake_hands(f);
	hears(f, "QUIT\r\n");
	assert_late(f, 220, true);
	/* the certificate stands before the reply that ends it */
	assert_true(nth(f, EV_TLS, 0) < nth(f, EV_REPLY, 2));
}

static void test_unoffered_no_tls(void **state)
{
	struct fixture *f = *state;

	until_unoffered(f);
	says(f, "220 go\r\n");
	says(f, "220 whatever you say\r\n");
	assert_late(f, 220, false);
}

/* Some answer so to whatever they hear. */
static void test_unoffered_250(void **state)
{
	struct fixture *f = *state;

	until_unoffered(f);
	says(f, "250 ok\r\n");
	hears(f, "QUIT\r\n");
	assert_late(f, 250, false);
}

static void test_unoffered_reset(void **state)
{
	struct fixture *f = *state;

	until_unoffered(f);
	hangs_up(f, true);
	assert_late(f, 0, false);
}

static void test_unoffered_silent(void **state)
{
	struct fixture *f = *state;

	until_unoffered(f);
	session_stall(&f->s);
	assert_late(f, 0, false);
}

static void test_implicit(void **state)
{
	struct fixture *f = *state;

	make_server_tls(f, false);
	begin_as(f, false, true);
	shake_hands(f);
	assert_false(nth(f, EV_TLS, 0)->tls.verified);
	says(f, GREETING);
	hears(f, "EHLO client.example\r\n");
	says(f, "250-" NAME "\r\n250 STARTTLS\r\n");
	hears(f, "QUIT\r\n");
	assert_reply(f, 0, STAGE_GREETING, 220, NULL);
	assert_reply(f, 1, STAGE_EHLO, 250, NULL);
	assert_end(f, STAGE_QUIT, SESSION_DONE, NULL);
}

/* RFC 3207: what comes behind the 220 is not heard, in one piece with it or just after. */
static void test_injection(void **state)
{
	struct fixture *f = *state;

	make_server_tls(f, false);
	until_starttls(f);
	says(f, "220 go\r\n250 injected\r\n");
	assert_non_null(strstr(reply(f, 2)->text, "go (and 14 bytes in the clear"));
	shake_hands(f);
	hears(f, "EHLO client.example\r\n");
	says(f, "250 " NAME "\r\n");
	hears(f, "QUIT\r\n");
	assert_reply(f, 3, STAGE_EHLO_TLS, 250, NAME);
	assert_null(nth(f, EV_REPLY, 4));
}

static void test_starttls_refused(void **state)
{
	struct fixture *f = *state;

	until_starttls(f);
	says(f, "454 not now\r\n");
	hears(f, "QUIT\r\n");
	assert_reply(f, 2, STAGE_STARTTLS, 454, "not now");
	assert_end(f, STAGE_QUIT, SESSION_DONE, NULL);
}

static void test_clear_after_starttls(void **state)
{
	char hello[BIG];
	struct fixture *f = *state;

	until_starttls(f);
	says(f, "220 go\r\n");
	assert_true(hear(f, hello, sizeof(hello)) > 0 && hello[0] == 0x16);
	says(f, "500 5.5.1 command\x1b unrecognized\r\n");
	assert_end(f, STAGE_TLS, SESSION_TLS_ERROR, "in the clear: 500 5.5.1 command\\x1b unrec");
}

static void test_clear_on_tls_port(void **state)
{
	struct fixture *f = *state;

	begin_as(f, false, true);
	says(f, GREETING);
	assert_end(f, STAGE_TLS, SESSION_TLS_ERROR, "in the clear where TLS is expected: 220");
}

static void test_tls_garbage(void **state)
{
	struct fixture *f = *state;

	until_starttls(f);
	says(f, "220 go\r\n");
	says(f, "garbage that is no record\r\n");
	assert_end(f, STAGE_TLS, SESSION_TLS_ERROR, NULL);
}

static void test_reset_in_handshake(void **state)
{
	struct fixture *f = *state;

	until_starttls(f);
	says(f, "220 go\r\n");
	hangs_up(f, true);
	assert_end(f, STAGE_TLS, SESSION_RESET, NULL);
}

static void test_closed_in_tls(void **state)
{
	struct fixture *f = *state;

	until_ehlo_tls(f, false);
	hangs_up(f, false);
	assert_end(f, STAGE_EHLO_TLS, SESSION_CLOSED, NULL);
}

/* A server that sends tickets for ever is not listened to for ever. */
static void test_tickets(void **state)
{
	struct fixture *f = *state;

	until_ehlo_tls(f, false);
	for (int i = 0; i < 3000 && !f->s.over; i++) {
		SSL_new_session_ticket(f->ssl);
		SSL_do_handshake(f->ssl);
		session_advance(&f->s);
	}
	assert_end(f, STAGE_EHLO_TLS, SESSION_TLS_ERROR, "without end");
}

/* ---- AUTH, MAIL, RCPT ---- */

/* base64 of NUL user NUL secret-word, and of both alone */
#define PLAIN_B64  "AHVzZXIAc2VjcmV0LXdvcmQ="
#define USER_B64   "dXNlcg=="
#define SECRET_B64 "c2VjcmV0LXdvcmQ="

static void ask_login(struct fixture *f)
{
	f->plan.auth_user = "user";
	f->plan.auth_secret = "secret-word";
}

static void test_auth_plain(void **state)
{
	struct fixture *f = *state;

	ask_login(f);
	until_ehlo_tls(f, true);
	says(f, "250-" NAME "\r\n250 AUTH LOGIN PLAIN\r\n");
	hears(f, "AUTH PLAIN " PLAIN_B64 "\r\n");
	says(f, "235 2.7.0 ok\r\n");
	hears(f, "QUIT\r\n");
	assert_reply(f, 4, STAGE_AUTH, 235, "2.7.0 ok");
}

static void test_auth_plain_asked(void **state)
{
	struct fixture *f = *state;

	ask_login(f);
	until_ehlo_tls(f, true);
	says(f, "250-" NAME "\r\n250 AUTH PLAIN\r\n");
	hears(f, "AUTH PLAIN " PLAIN_B64 "\r\n");
	says(f, "334 \r\n");
	hears(f, PLAIN_B64 "\r\n");
	says(f, "334 \r\n"); /* again: enough */
	hears(f, "QUIT\r\n");
}

/* The password comes back, and stays out of the log. */
static void test_auth_login(void **state)
{
	struct fixture *f = *state;

	ask_login(f);
	until_ehlo_tls(f, true);
	says(f, "250-" NAME "\r\n250 AUTH=LOGIN\r\n");
	hears(f, "AUTH LOGIN\r\n");
	says(f, "334 VXNlcm5hbWU6\r\n");
	hears(f, USER_B64 "\r\n");
	says(f, "334 UGFzc3dvcmQ6\r\n");
	hears(f, SECRET_B64 "\r\n");
	says(f, "535-" SECRET_B64 "\r\n535 wrong: secret-word\r\n");
	hears(f, "QUIT\r\n");
	assert_reply(f, 6, STAGE_AUTH, 535, "(withheld: it may repeat the password)");
	assert_false(log_holds(f, "secret-word"));
	assert_false(log_holds(f, SECRET_B64));
}

static void test_auth_echo_unfinished(void **state)
{
	struct fixture *f = *state;

	ask_login(f);
	until_ehlo_tls(f, true);
	says(f, "250-" NAME "\r\n250 AUTH PLAIN\r\n");
	hears(f, "AUTH PLAIN " PLAIN_B64 "\r\n");
	says(f, "535 " PLAIN_B64);
	session_stall(&f->s);
	assert_end(f, STAGE_AUTH, SESSION_STALLED, NULL);
	assert_false(log_holds(f, PLAIN_B64));
}

static void test_auth_not_in_clear(void **state)
{
	struct fixture *f = *state;

	ask_login(f);
	until_ehlo(f);
	says(f, "250-" NAME "\r\n250 AUTH PLAIN LOGIN\r\n");
	refuses_unoffered(f);
	assert_reply(f, 2, STAGE_AUTH, 0, "not tried: the connection is not encrypted");
	assert_null(reply(f, 2)->lines);
}

static void test_auth_not_untrusted(void **state)
{
	struct fixture *f = *state;

	ask_login(f);
	until_ehlo_tls(f, false);
	says(f, "250-" NAME "\r\n250 AUTH PLAIN LOGIN\r\n");
	hears(f, "QUIT\r\n");
	assert_reply(f, 4, STAGE_AUTH, 0, "not tried: the certificate is not trusted");
}

/* The root that signed the server's certificate, which the server sends along. */
static X509 *sign_by_root(struct fixture *f)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *root = X509_new();
	X509_NAME *name = X509_get_subject_name(root);

	X509_set_version(root, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(root), 2);
	X509_gmtime_adj(X509_getm_notBefore(root), -3600);
	X509_gmtime_adj(X509_getm_notAfter(root), 3600);
	X509_set_pubkey(root, key);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"Example Root", -1, -1, 0);
	X509_set_issuer_name(root, name);
	X509_EXTENSION *ca = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
	X509_add_ext(root, ca, -1);
	X509_EXTENSION_free(ca);
	assert_true(X509_sign(root, key, EVP_sha256()) > 0);
	X509_set_issuer_name(f->cert, name);
	assert_true(X509_sign(f->cert, key, EVP_sha256()) > 0);
	EVP_PKEY_free(key);
	assert_int_equal(SSL_CTX_use_certificate(f->server_ctx, f->cert), 1);
	X509_up_ref(root);
	assert_int_equal(SSL_CTX_add_extra_chain_cert(f->server_ctx, root), 1);
	return root;
}

/* Where trust anchors are kept in the bundle file alone: a root that the server sends, a certificate that
 * is its own root; and neither where the file holds another one. */
static void test_anchor_in_bundle_alone(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 4; i++) {
		bool own_root = i & 1, known = i & 2;
		char path[] = "/tmp/smtpblame-bundle-XXXXXX";
		int fd = mkstemp(path);
		assert_true(fd >= 0);
		FILE *bundle = fdopen(fd, "w");
		make_server_tls(f, false);
		X509 *root = own_root ? NULL : sign_by_root(f);
		X509 *anchor = own_root ? f->cert : root;
		if (known)
			assert_int_equal(PEM_write_X509(bundle, anchor), 1);
		fclose(bundle);
		assert_int_equal(setenv("SSL_CERT_FILE", path, 1), 0);
		until_starttls(f);
		says(f, "220 go\r\n");
		shake_hands(f);
		assert_int_equal(nth(f, EV_TLS, 0)->tls.verified, known);
		unsetenv("SSL_CERT_FILE");
		unlink(path);
		X509_free(root);
		teardown(state);
		setup(state);
		f = *state;
	}
}

static void test_auth_not_offered(void **state)
{
	struct fixture *f = *state;

	ask_login(f);
	until_ehlo_tls(f, true);
	says(f, "250-" NAME "\r\n250 AUTH CRAM-MD5\r\n");
	hears(f, "QUIT\r\n");
	assert_reply(f, 4, STAGE_AUTH, 0, "not tried: the server offers neither PLAIN nor LOGIN");
}

static void test_mail(void **state)
{
	struct fixture *f = *state;

	f->plan.mail_from = "";
	f->plan.rcpt_to = "somebody@example.net";
	until_ehlo(f);
	says(f, "250 " NAME "\r\n");
	hears(f, "MAIL FROM:<>\r\n");
	says(f, "250 ok\r\n");
	hears(f, "RCPT TO:<somebody@example.net>\r\n");
	says(f, "550 5.1.1 who?\r\n");
	refuses_unoffered(f);
	assert_reply(f, 2, STAGE_MAIL, 250, "ok");
	assert_reply(f, 3, STAGE_RCPT, 550, "5.1.1 who?");
	assert_end(f, STAGE_QUIT, SESSION_DONE, NULL);
}

static void test_mail_taken_back(void **state)
{
	struct fixture *f = *state;

	f->plan.mail_from = "\xc3\xa4@example.org";
	f->plan.rcpt_to = "somebody@example.net";
	until_ehlo(f);
	says(f, "250-" NAME "\r\n250 SMTPUTF8\r\n");
	hears(f, "MAIL FROM:<\xc3\xa4@example.org> SMTPUTF8\r\n");
	says(f, "250 ok\r\n");
	hears(f, "RCPT TO:<somebody@example.net>\r\n");
	says(f, "250 ok\r\n");
	hears(f, "RSET\r\n");
	assert_not_over(f);
	says(f, "250 ok\r\n");
	refuses_unoffered(f);
	assert_reply(f, 4, STAGE_UNOFFERED, 502, NULL);
	assert_end(f, STAGE_QUIT, SESSION_DONE, NULL);
}

/* Once RSET is said all that was asked is known. */
static void test_reset_at_rset(void **state)
{
	struct fixture *f = *state;

	f->plan.mail_from = "";
	until_ehlo(f);
	says(f, "250 " NAME "\r\n");
	hears(f, "MAIL FROM:<>\r\n");
	says(f, "250 ok\r\n");
	hears(f, "RSET\r\n");
	hangs_up(f, true);
	assert_end(f, STAGE_QUIT, SESSION_DONE, NULL);
}

static void test_mail_bad_address(void **state)
{
	static const char *const bad[] = {"a@b>\r\nDATA", "a b@c", "<a@b>", "a@b\n"};
	struct fixture *f = *state;

	for (size_t i = 0; i < 4; i++) {
		f->plan.mail_from = i % 2 ? "" : bad[i];
		f->plan.rcpt_to = i % 2 ? bad[i] : NULL;
		until_ehlo(f);
		says(f, "250 " NAME "\r\n");
		hears(f, "STARTTLS\r\n");
		assert_reply(f, (unsigned)i * 3 + 2, STAGE_MAIL, 0, NULL);
		close(f->client);
		close(f->server);
	}
	f->client = f->server = -1;
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_plain),
		T(test_helo),
		T(test_turned_away),
		T(test_turned_away_at_ehlo),
		T(test_turned_away_at_helo),
		T(test_unasked),
		T(test_unasked_goodbye),
		T(test_own_name),
		T(test_ends),
		T(test_reset_at_ehlo),
		T(test_reset_before_command),
		T(test_closed_at_starttls),
		T(test_stall),
		T(test_not_smtp),
		T(test_hostile_lines),
		T(test_endless),
		T(test_starttls),
		T(test_unoffered_taken),
		T(test_unoffered_no_tls),
		T(test_unoffered_250),
		T(test_unoffered_reset),
		T(test_unoffered_silent),
		T(test_implicit),
		T(test_injection),
		T(test_starttls_refused),
		T(test_clear_after_starttls),
		T(test_clear_on_tls_port),
		T(test_tls_garbage),
		T(test_reset_in_handshake),
		T(test_closed_in_tls),
		T(test_tickets),
		T(test_auth_plain),
		T(test_auth_plain_asked),
		T(test_auth_login),
		T(test_auth_echo_unfinished),
		T(test_auth_not_in_clear),
		T(test_auth_not_untrusted),
		T(test_anchor_in_bundle_alone),
		T(test_auth_not_offered),
		T(test_mail),
		T(test_mail_taken_back),
		T(test_reset_at_rset),
		T(test_mail_bad_address),
	};
#undef T

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
