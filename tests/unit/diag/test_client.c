/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a mail program is told, from a port as it is reported. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "diag/client.h"

static struct report_port port_with(unsigned number, const char *starttls, bool tls, bool verified)
{
	return (struct report_port){
		.port = number,
		.state = STATE_OPEN,
		.has_smtp = true,
		.smtp = {.starttls = starttls,
			 .has_tls = tls,
			 .tls = {.verified = verified,
				 .error = verified ? NULL : "certificate has expired"}},
	};
}

static void expect(struct report *r, struct report_port p, const char *security,
		   const char *certificate)
{
	client_settings(r, &p);
	assert_true(p.has_client);
	assert_string_equal(p.client.security, security);
	assert_string_equal(p.client.certificate, certificate);
	assert_int_equal(p.client.certificate_error != NULL, certificate[0] == 'b');
}

static void test_settings(void **state)
{
	struct report r = {.target_name = "mx.example.net"};

	(void)state;
	expect(&r, port_with(465, NULL, true, true), "ssl-tls", "good");
	expect(&r, port_with(465, NULL, true, false), "ssl-tls", "bad");
	expect(&r, port_with(587, "ok", true, true), "starttls", "good");
	expect(&r, port_with(587, "absent", false, false), "none", "none");
	expect(&r, port_with(2525, "ok", true, false), "starttls", "bad");
	arena_clear(&r.arena);
}

static void test_none(void **state)
{
	struct report r = {.target_name = "mx.example.net"};
	struct report_port server = port_with(25, "ok", true, true),
			   closed = port_with(587, NULL, false, false),
			   mute = port_with(465, NULL, true, true);

	(void)state;
	closed.state = STATE_BLOCKED;
	mute.has_smtp = false;
	client_settings(&r, &server);
	client_settings(&r, &closed);
	client_settings(&r, &mute);
	assert_false(server.has_client || closed.has_client || mute.has_client);
}

static void test_host(void **state)
{
	struct report r = {.target_input = "192.0.2.25"};
	struct report_port p = port_with(587, "ok", true, true);

	(void)state;
	assert_true(addr_parse(&r.target, "192.0.2.25"));
	client_settings(&r, &p);
	assert_string_equal(p.client.host, "192.0.2.25");
	r.target_name = "mx.example.net";
	client_settings(&r, &p);
	assert_string_equal(p.client.host, "mx.example.net");
	arena_clear(&r.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
