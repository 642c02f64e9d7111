/* SPDX-License-Identifier: GPL-3.0-or-later */
/* AUTH: what is said of the password, to whom, and what of it comes into the log. */
#include "dialogue.h"

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

static void test_auth_not_offered(void **state)
{
	struct fixture *f = *state;

	ask_login(f);
	until_ehlo_tls(f, true);
	says(f, "250-" NAME "\r\n250 AUTH CRAM-MD5\r\n");
	hears(f, "QUIT\r\n");
	assert_reply(f, 4, STAGE_AUTH, 0, "not tried: the server offers neither PLAIN nor LOGIN");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_auth_plain),
		T(test_auth_plain_asked),
		T(test_auth_login),
		T(test_auth_echo_unfinished),
		T(test_auth_not_in_clear),
		T(test_auth_not_untrusted),
		T(test_auth_not_offered),
	};
#undef T

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
