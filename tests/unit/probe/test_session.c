/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The dialogue in the clear: what is said, when, and what the log has. */
#include "dialogue.h"

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

/* ---- MAIL, RCPT ---- */

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
		T(test_mail),
		T(test_mail_taken_back),
		T(test_reset_at_rset),
		T(test_mail_bad_address),
	};
#undef T

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
