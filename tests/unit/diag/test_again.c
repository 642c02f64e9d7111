/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The command that makes a run once more: with its options, and safe to paste. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "diag/again.h"

static struct plan usual(void)
{
	return (struct plan){
		.target = {.family = ADDR_V4, .bytes = {198, 51, 100, 25}},
		.ports = {{.port = 25, .tested = true}, {.port = 465, .tested = true, .implicit_tls = true},
			  {.port = 587, .tested = true}, {.port = 443}, {.port = 80}},
		.n_ports = 5};
}

static void expect(const struct plan *plan, const char *user, const char *command)
{
	struct arena a = {0};
	struct again again = {.plan = plan, .ticket = !user, .user = user,
			      .target = "mx.example.com", .family = true};
	const char *text = again_command(&a, &again);

	if (command)
		assert_string_equal(text, command);
	else
		assert_null(text);
	arena_clear(&a);
}

static void test_the_usual(void **state)
{
	struct plan plan = usual();

	(void)state;
	expect(&plan, NULL, "smtpblame --ticket -4 mx.example.com");
	plan.target.family = ADDR_V6;
	expect(&plan, NULL, "smtpblame --ticket -6 mx.example.com");
	plan.repeat = 1;
	expect(&plan, "USER", "smtpblame --uid USER -6 mx.example.com");
}

static void test_options(void **state)
{
	struct plan plan = usual();

	(void)state;
	plan.ports[1] = (struct plan_port){.port = 2525, .tested = true, .implicit_tls = true};
	plan.ports[2] = (struct plan_port){.port = 8443};
	plan.n_ports = 3;
	plan.interface = "eth1";
	plan.source = (struct addr){.family = ADDR_V4, .bytes = {192, 0, 2, 7}};
	plan.user = "postfix";
	plan.netns = "vpn";
	plan.repeat = 6;
	plan.interval_ns = 3 * NS_PER_S / 2;
	plan.expect_name = "example.com";
	plan.starttls_required = true;
	expect(&plan, NULL,
	       "smtpblame --ticket --uid postfix -4 -p 25,2525/tls --control 8443 -i eth1 -s 192.0.2.7 "
	       "--netns vpn --repeat 6 --interval 1.5 --expect-name example.com --starttls-required "
	       "mx.example.com");
	expect(&plan, "USER",
	       "smtpblame --uid USER -4 -p 25,2525/tls --control 8443 -i eth1 -s 192.0.2.7 "
	       "--netns vpn --repeat 6 --interval 1.5 --expect-name example.com --starttls-required "
	       "mx.example.com");
}

/* A tested port is no control any more: what is left is the usual. */
static void test_tested_controls(void **state)
{
	struct plan plan = usual();

	(void)state;
	plan.ports[0] = (struct plan_port){.port = 443, .tested = true};
	plan.ports[1] = (struct plan_port){.port = 80};
	plan.n_ports = 2;
	expect(&plan, NULL, "smtpblame --ticket -4 -p 443 mx.example.com");
}

static void test_words_stay_words(void **state)
{
	struct plan plan = usual();

	(void)state;
	plan.expect_banner = "^mx; it's $(HOME)";
	plan.interface = "-x";
	expect(&plan, NULL,
	       "smtpblame --ticket -4 -i-x --expect-banner '^mx; it'\\''s $(HOME)' mx.example.com");
	plan.interface = NULL;
	plan.expect_banner = "--all";
	expect(&plan, NULL, "smtpblame --ticket -4 --expect-banner=--all mx.example.com");
	plan.expect_banner = "a`b";
	expect(&plan, NULL, NULL);
	plan.expect_banner = "a\033b";
	expect(&plan, NULL, NULL);
	plan.expect_banner = "";
	expect(&plan, NULL, "smtpblame --ticket -4 --expect-banner '' mx.example.com");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_usual),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_tested_controls),
		cmocka_unit_test(test_words_stay_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
