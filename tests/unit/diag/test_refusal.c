/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Servers' words as they are seen in the field, and what is told about them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "diag/refusal.h"

static void test_words(void **state)
{
	static const struct {
		int code;
		const char *text, *means;
	} cases[] = {
		{554, "5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/192.0.2.1", "check.spamhaus.org"},
		{550, "5.7.1 Service unavailable; client [192.0.2.1] blocked using pbl.spamhaus.org", "end users"},
		{554, "5.7.1 Dynamic address, listed at pbl.spamhaus.org", "Spamhaus PBL"},
		{554, "5.7.1 Service unavailable; Client host [192.0.2.1] blocked using xbl.spamhaus.org", "infected"},
		{554, "5.7.1 blocked using zen.spamhaus.org; Error: open resolver; https://check.spamhaus.org/returnc/pub/192.0.2.53/", "public resolver"},
		{550, "rejected because 192.0.2.1 is in a black list at bl.spamcop.net", "SpamCop"},
		{554, "Service unavailable; Client host [192.0.2.1] blocked using Barracuda Reputation; http://www.barracudanetworks.com/reputation/?r=1&ip=192.0.2.1", "barracudacentral.org/rbl"},
		{550, "5.7.606 Access denied, banned sending IP [192.0.2.1]. To request removal from this list please visit https://sender.office.com/", "Microsoft 365"},
		{550, "5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3140).", "Outlook.com"},
		{450, "4.7.25 Client host rejected: cannot find your hostname, [192.0.2.1]", "PTR"},
		{554, "No SMTP service / IP address is black listed or Bad DNS PTR resource record.", "PTR"},
		{554, "5.7.1 mail from dynamic addresses is not accepted", "homes"},
		{530, "5.7.0 Must issue a STARTTLS command first", "encrypted"},
		{450, "4.2.0 <a@example.net>: Recipient address rejected: Greylisted, see https://postgrey.example.net/", "Greylisting"},
		{421, "4.7.0 mx.example.net Error: too many connections from 192.0.2.1", "limit on connections"},
		{554, "5.7.1 <a@example.org>: Relay access denied", "exchanger"},
		{550, "Access denied - Invalid HELO name (See RFC2821 4.1.1.1)", "EHLO"},
		{550, "5.7.23 The message was rejected because of Sender Policy Framework violation; SPF fail", "SPF"},
		{550, "5.1.1 <nobody@example.net>: Recipient address rejected: User unknown", "spelling"},
		{554, "5.7.1 You are on our blacklist", "block list"},
		{521, "5.3.2 mx.example.net does not accept mail", "RFC 7504"},
		{421, "4.3.2 Service not available", "overloaded"},
		{554, "no", "554"},
		{552, "no", "lasting"},
		{452, "no", "temporary"},
		{554, "", "554"},
		{421, NULL, "421"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *meaning = refusal_meaning(cases[i].code, cases[i].text);
		if (!strstr(meaning, cases[i].means))
			fail_msg("%d %s: %s", cases[i].code, cases[i].text ? cases[i].text : "",
				 meaning);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_words)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
