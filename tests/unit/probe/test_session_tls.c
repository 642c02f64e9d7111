/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The dialogue in TLS, and on the way there. */
#include "dialogue.h"

#include <openssl/pem.h>

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

/* ---- whose certificate ---- */

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

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
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
		T(test_anchor_in_bundle_alone),
	};
#undef T

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
