/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "case/redact.h"

static void reply(struct saved_case *c, enum session_stage stage, const char *text)
{
	struct event ev = {.t_ns = 1, .kind = EV_REPLY, .flow = 0};

	ev.reply = (struct ev_reply){.stage = stage, .code = 250, .text = text};
	event_log_add(&c->log, &ev);
}

static char *facts_of(const struct saved_case *c)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	struct err e;

	assert_int_equal(saved_case_write_facts(c, "1", out, &e), 0);
	fclose(out);
	return text;
}

static void test_names_go_and_stay_equal(void **unused)
{
	static const char *const secret[] = {"example", "bob", "alice", "myhost", "Acme", "dXNlcg", "5f5f"};
	struct saved_case c;
	struct err e;

	(void)unused;
	saved_case_init(&c);
	c.plan = (struct plan){.input = "bob@example.net", .name = "mx.example.net", .hostname = "myhost",
			       .auth_user = "alice", .n_ports = 1, .ports = {{25, true, false}}};
	addr_parse(&c.plan.target, "192.0.2.25");
	reply(&c, STAGE_GREETING, "mx.example.net ESMTP 3.7.11 at MYHOST (192.0.2.25)");
	reply(&c, STAGE_EHLO, "ot.example.net greets [192.0.2.1], alice");
	reply(&c, STAGE_RCPT, "<bob@example.net>: see https://www.example.net/bob.html");
	reply(&c, STAGE_AUTH, "2.7.0 dXNlcg== alice in");
	struct event tls = {.t_ns = 2, .kind = EV_TLS, .flow = 0};
	tls.tls = (struct ev_tls){.version = "TLSv1.3", .subject = "CN=mx.example.net,O=Acme Ltd",
				  .issuer = "CN=Acme CA", .spki_sha256 = "5f5f"};
	event_log_add(&c.log, &tls);
	assert_int_equal(saved_case_redact(&c, &e), 0);
	assert_true(c.redacted);

	char *text = facts_of(&c);
	for (size_t i = 0; i < sizeof(secret) / sizeof(secret[0]); i++)
		if (strcasestr(text, secret[i]))
			fail_msg("%s is still in %s", secret[i], text);
	free(text);
	/* the same name is the same everywhere, as long as before, and of the same domain */
	const char *greeting = c.log.events[0].reply.text, *ehlo = c.log.events[1].reply.text;
	assert_int_equal(strlen(greeting), strlen("mx.example.net ESMTP 3.7.11 at MYHOST (192.0.2.25)"));
	assert_memory_equal(greeting, c.plan.name, strlen(c.plan.name));
	assert_memory_equal(strchr(greeting, '.'), strchr(ehlo, '.'), strlen(".example.net"));
	assert_memory_not_equal(greeting, ehlo, 2);
	assert_non_null(strstr(greeting, " ESMTP 3.7.11 at "));
	assert_non_null(strstr(greeting, "(192.0.2.25)"));
	assert_memory_equal(c.log.events[4].tls.subject + 3, c.plan.name, strlen(c.plan.name));
	saved_case_clear(&c);
}

/* An SLL2 frame with IPv4 and TCP; the checksum is right. */
static size_t make_frame(uint8_t *out, const char *payload, size_t len)
{
	static const uint8_t head[] = {
		0x08, 0, 0, 0, 0, 0, 0, 2, 0, 1, 4, 6, 1, 2, 3, 4, 5, 6, 0, 0,   /* SLL2 */
		0x45, 0, 0, 0, 0, 1, 0x40, 0, 64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2,
		0x9c, 0x40, 0, 25, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 1, 0, 0, 0, 0, 0,
	};
	size_t total = sizeof(head) + len;

	memcpy(out, head, sizeof(head));
	memcpy(out + sizeof(head), payload, len);
	out[22] = (uint8_t)((total - 20) >> 8);
	out[23] = (uint8_t)(total - 20);
	return total;
}

static uint16_t tcp_sum(const uint8_t *frame, size_t total)
{
	uint32_t n = 6 + (uint32_t)(total - 40);

	for (size_t i = 32; i < total; i++)
		n += i % 2 ? frame[i] : (uint32_t)frame[i] << 8;
	while (n >> 16)
		n = (n & 0xffff) + (n >> 16);
	return (uint16_t)~n;
}

static void assert_masked(const char *payload, size_t len, const char *wanted)
{
	uint8_t frame[1000];
	size_t total = make_frame(frame, payload, len);
	uint16_t sum = tcp_sum(frame, total);

	frame[56] = (uint8_t)(sum >> 8);
	frame[57] = (uint8_t)sum;
	assert_int_equal(tcp_sum(frame, total), 0);
	redact_frame(276, frame, total, total);
	if (memcmp(frame + 60, wanted, len) != 0)
		fail_msg("'%.*s' is not '%s'", (int)len, (char *)frame + 60, wanted);
	uint16_t after = tcp_sum(frame, total);
	assert_true(after == 0 || after == 0xffff);
	for (int i = 12; i < 20; i++)
		assert_int_equal(frame[i], 0);
}

static void test_payload(void **unused)
{
	static const struct {
		const char *was, *is;
	} cases[] = {
		{"220 mx.example.net ESMTP Postfix\r\n", "220 xxxxxxxxxxxxxx ESMTP Postfix\r\n"},
		{"250-mx.example.net\r\n250-SIZE 1000\r\n250 STARTTLS\r\n",
		 "250-xxxxxxxxxxxxxx\r\n250-SIZE xxxx\r\n250 STARTTLS\r\n"},
		{"EHLO client\r\n", "EHLO xxxxxx\r\n"},
		{"AUTH PLAIN AGJvYgBzZWNyZXQ=\r\n", "AUTH PLAIN xxxxxxxxxxxxxxxx\r\n"},
		{"MAIL FROM:<bob@example.net>\r\n", "MAIL FROM:<xxxxxxxxxxxxxxx>\r\n"},
		{"secret letter\r\nof two lines", "xxxxxx xxxxxx\r\nxx xxx xxxxx"},
		{"mple.net>\r\n", "xxxxxxxx>\r\n"}, /* what began in another segment */
		{"\x16\x03\x01 mx.example.net\r\n", "xxxxxxxxxxxxxxxxxxxx"},
		{"odd", "xxx"},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_masked(cases[i].was, strlen(cases[i].was), cases[i].is);
}

/* Cut anywhere, nothing is read or written beyond. */
static void test_frames_that_are_cut(void **unused)
{
	uint8_t whole[200], *cut;
	size_t total = make_frame(whole, "220 mx.example.net\r\n", 20);

	(void)unused;
	for (size_t n = 0; n <= total; n++) {
		cut = malloc(n ? n : 1);
		memcpy(cut, whole, n);
		redact_frame(276, cut, n, total);
		free(cut);
	}
}

/* Whole, cut anywhere, and with a length that leads beyond its end. */
static void test_arp(void **unused)
{
	static const uint8_t frame[] = {
		0x08, 0x06, 0, 0, 0, 0, 0, 2, 0, 1, 4, 6, 2, 0, 0, 0, 0, 2, 0, 0, /* SLL2 */
		0, 1, 0x08, 0, 6, 4, 0, 1,
		2, 0, 0, 0, 0, 2, 10, 0, 0, 2,
		2, 0, 0, 0, 0, 1, 10, 0, 0, 1};
	static const uint8_t masked[] = {0, 0, 0, 0, 0, 0, 10, 0, 0, 2, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1};
	uint8_t whole[sizeof(frame)];

	(void)unused;
	memcpy(whole, frame, sizeof(frame));
	redact_frame(276, whole, sizeof(whole), sizeof(whole));
	assert_memory_equal(whole + 28, masked, sizeof(masked));
	for (size_t n = 0; n <= sizeof(frame); n++) {
		uint8_t *cut = malloc(n ? n : 1);
		memcpy(cut, frame, n);
		if (n > 24)
			cut[24] = 7;
		redact_frame(276, cut, n, sizeof(frame));
		free(cut);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_go_and_stay_equal),
		cmocka_unit_test(test_payload),
		cmocka_unit_test(test_frames_that_are_cut),
		cmocka_unit_test(test_arp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
