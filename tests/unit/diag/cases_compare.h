/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who answers, by comparison: with other ports, other addresses, the DNS. Included by cases.h. */
#ifndef SB_TESTS_DIAG_CASES_COMPARE_H
#define SB_TESTS_DIAG_CASES_COMPARE_H

/* ---- addresses that are nobody's ---- */

static inline struct addr nobody(const struct scene *s, unsigned which)
{
	static const char *const v4[] = {"192.0.2.140", "203.0.113.150", "192.0.2.200"};
	static const char *const v6[] = {"3fff:1::1", "3fff:2:3::4", "3fff:5::6"};

	return ip(is_v6(s) ? v6[which] : v4[which]);
}

static inline void canaries_are(struct scene *s)
{
	struct ev_canary *c = &add_event(s, EV_CANARY, NO_FLOW)->canary;

	for (unsigned i = 0; i < 3; i++)
		c->address[i] = nobody(s, i);
}

/* A SYN to one of them. ttl: of the SYN-ACK that answers, 0: none does. */
static inline void canary_called(struct scene *s, unsigned which, unsigned port, unsigned ttl)
{
	unsigned id = probe(s, PROBE_CANARY, port, 64, nobody(s, which));

	pass(s, 3);
	if (ttl)
		probe_syn_ack(s, id, ttl);
}

/* The target's port 25 is answered with that TTL, the canaries' with 63, from the second hop. */
static inline unsigned captured_25(struct scene *s, unsigned ttl, unsigned control_ttl)
{
	usual_host(s);
	canaries_are(s);
	answered(s, 443, FARTTL);
	unsigned f = answered(s, 25, ttl);
	canary_called(s, 0, 25, 63);
	canary_called(s, 1, 25, 63);
	canary_called(s, 0, CANARY_CONTROL_PORT, control_ttl);
	pass(s, 500);
	return f;
}

static inline void canary_taken(struct scene *s)
{
	open_dialogue(s, captured_25(s, 63, 0));
}

/* A captive portal: silence where a greeting is due. */
static inline void canary_any(struct scene *s)
{
	unsigned f = captured_25(s, 63, 63);

	session_end(s, f, STAGE_GREETING, SESSION_CLOSED, NULL);
}

/* A device that takes every connection and passes on what the server says. */
static inline void canary_any_speaks(struct scene *s)
{
	open_dialogue(s, captured_25(s, 63, 63));
}

/* The target is exempt: its own answer comes from farther. */
static inline void canary_others(struct scene *s)
{
	open_dialogue(s, captured_25(s, FARTTL, 0));
}

/* One address answers, as a host of a laboratory would; the other one does not. */
static inline void canary_is_host(struct scene *s)
{
	usual_host(s);
	canaries_are(s);
	answered(s, 443, FARTTL);
	unsigned f = answered(s, 25, FARTTL);
	canary_called(s, 0, 25, FARTTL);
	canary_called(s, 1, 25, 0);
	canary_called(s, 0, CANARY_CONTROL_PORT, 0);
	pass(s, 500);
	open_dialogue(s, f);
}

/* Every address of such a network takes mail; it is as far away as the target. */
static inline void canary_is_network(struct scene *s)
{
	usual_host(s);
	canaries_are(s);
	answered(s, 443, FARTTL);
	unsigned f = answered(s, 25, FARTTL);
	canary_called(s, 0, 25, FARTTL);
	canary_called(s, 1, 25, FARTTL);
	canary_called(s, 0, CANARY_CONTROL_PORT, 0);
	pass(s, 500);
	open_dialogue(s, f);
}

/* Both answer, but one is of the network of a hop. */
static inline void canary_of_path(struct scene *s)
{
	unsigned f = captured_25(s, 63, 0);

	probe_te(s, trace_probe(s, 443, 1), ip("203.0.113.1"));
	open_dialogue(s, f);
}

/* ---- STARTTLS and certificates ---- */

/* Not offered, taken all the same. */
static inline void session_taken(struct scene *s)
{
	unsigned f = greeted(s, "mx.example.com ESMTP", 250, bare_ehlo);

	session_end(s, f, STAGE_QUIT, SESSION_DONE, NULL);
	pass(s, 5);
	shown(s, f, "CN=mx.example.com", "CN=Some Root", "aa", true);
	said(s, f, STAGE_UNOFFERED, 220, "go ahead", NULL);
}

/* 587 is tested, too, and the server itself answers it, over TLS. */
static inline void with_587(struct scene *s, const char *const *tlsa, bool verified)
{
	s->plan.ports[1] = (struct plan_port){.port = 587, .tested = true};
	s->plan.ports[2] = (struct plan_port){.port = 443};
	s->plan.n_ports = 3;
	usual_host(s);
	answered(s, 443, FARTTL);
	unsigned f = answered(s, 587, FARTTL);
	greeting(s, f, 220, "mx.example.com ESMTP");
	said(s, f, STAGE_EHLO, 250, "mx.example.com", plain_ehlo);
	said(s, f, STAGE_STARTTLS, 220, "go ahead", NULL);
	shown(s, f, "CN=mx.example.com", "CN=Some Root", "aa", verified);
	s->log.events[s->log.n - 1].tls.tlsa = tlsa;
	session_end(s, f, STAGE_QUIT, SESSION_DONE, NULL);
}

static inline void with_good_587(struct scene *s)
{
	with_587(s, NULL, true);
}

/* The second hop answers 25 in the server's place; 587 is the server's own. */
static inline unsigned intercepted_25(struct scene *s)
{
	with_good_587(s);
	unsigned f = answered(s, 25, 62);
	greeting(s, f, 220, "mx.example.com ESMTP");
	early_syn_acks(s);
	return f;
}

static inline void interceptor_strips(struct scene *s)
{
	unsigned f = intercepted_25(s);

	said(s, f, STAGE_EHLO, 250, "mx.example.com", bare_ehlo);
	session_end(s, f, STAGE_QUIT, SESSION_DONE, NULL);
}

static inline void interceptor_decrypts(struct scene *s)
{
	unsigned f = intercepted_25(s);

	said(s, f, STAGE_EHLO, 250, "mx.example.com", plain_ehlo);
	said(s, f, STAGE_STARTTLS, 220, "go ahead", NULL);
	shown(s, f, "CN=mx.example.com", "CN=Nobody", "bb", false);
	session_end(s, f, STAGE_QUIT, SESSION_DONE, NULL);
}

static inline void scanner_greets(struct scene *s)
{
	static const struct signature known[] = {
		{SIGNATURE_GREETING, "Some Scanner *", "a mail scanner", true, "test"}};

	s->plan.signatures = (struct signatures){known, COUNT(known)};
	unsigned f = session(s);
	greeting(s, f, 220, "Some Scanner 1.0");
	session_end(s, f, STAGE_QUIT, SESSION_DONE, NULL);
}

/* By another line of the reply to EHLO. */
static inline void scanner_in_ehlo(struct scene *s)
{
	static const struct signature known[] = {
		{SIGNATURE_GREETING, "mx.*", "a server", false, "test"},
		{SIGNATURE_EHLO, "XSCANNER", "a mail scanner", true, "test"}};
	static const char *const lines[] = {"mx.example.com", "STARTTLS", "XSCANNER", NULL};

	s->plan.signatures = (struct signatures){known, COUNT(known)};
	session_end(s, greeted(s, "mx.example.com ESMTP", 250, lines), STAGE_QUIT, SESSION_DONE, NULL);
}

static inline void expect(struct scene *s, const char *banner, const char *name)
{
	s->plan.expect_name = name;
	s->plan.expect_banner = banner;
	if (!banner)
		return;
	assert_int_equal(regcomp(&s->expected, banner, PLAN_BANNER_REGEX), 0);
	s->plan.expect_banner_regex = &s->expected;
}

static inline void banner_unlike(struct scene *s)
{
	expect(s, "mx\\.example\\.com.*Exim", "mx.example.com");
	session_end(s, greeted(s, "mx.example.com ESMTP Postfix", 250, plain_ehlo), STAGE_QUIT,
		    SESSION_DONE, NULL);
}

static const char *const relay_ehlo[] = {"relay.isp.example", "STARTTLS", NULL};

static inline void name_unlike(struct scene *s)
{
	unsigned f = session(s);

	expect(s, "ESMTP", "example.com");
	greeting(s, f, 220, "relay.isp.example ESMTP");
	said(s, f, STAGE_EHLO, 250, "relay.isp.example / STARTTLS", relay_ehlo);
	session_end(s, f, STAGE_QUIT, SESSION_DONE, NULL);
}

/* A relay in the name of the server turns us away: it is not the server's policy. */
static inline void name_unlike_rejects(struct scene *s)
{
	unsigned f = session(s);

	expect(s, NULL, "mx.example.com");
	greeting(s, f, 554, "relay.isp.example not from here");
	session_end(s, f, STAGE_QUIT, SESSION_DONE, NULL);
}

/* ---- against the DNS ---- */

static const char *const pinned_record[] = {"3 1 1 aa", NULL};
static const char *const other_record[] = {"3 1 1 bb", "2 0 2 cc", NULL};

static inline void dns_says(struct scene *s, enum dns_record record, enum dns_status status,
			    enum dns_trust trust, const char *const *tlsa)
{
	add_event(s, EV_DNS, NO_FLOW)->dns = (struct ev_dns){
		.record = record, .asked = true, .name = "_25._tcp.mx.example.com"};
	add_event(s, EV_DNS, NO_FLOW)->dns =
		(struct ev_dns){.record = record, .name = "_25._tcp.mx.example.com",
				.status = status, .trust = trust, .tlsa = tlsa};
}

static inline void pinned(struct scene *s)
{
	dns_says(s, DNS_RECORD_TLSA, DNS_FOUND, DNS_SECURE, pinned_record);
}

static inline void in_clear(struct scene *s)
{
	session_end(s, greeted(s, "mx.example.com ESMTP", 250, bare_ehlo), STAGE_QUIT, SESSION_DONE,
		    NULL);
}

static inline void dane_promises(struct scene *s)
{
	in_clear(s);
	pinned(s);
}

static inline void policy_promises(struct scene *s)
{
	in_clear(s);
	dns_says(s, DNS_RECORD_MTA_STS, DNS_FOUND, DNS_UNSIGNED, NULL);
}

/* Port 25 in TLS with this certificate; fits: the TLSA records that it fulfils. */
static inline void encrypted_25(struct scene *s, unsigned f, const char *const *fits, bool verified)
{
	said(s, f, STAGE_EHLO, 250, "mx.example.com", plain_ehlo);
	said(s, f, STAGE_STARTTLS, 220, "go ahead", NULL);
	add_event(s, EV_TLS, f)->tls = (struct ev_tls){
		.version = "TLSv1.3", .cipher = "TLS_AES_256_GCM_SHA384", .subject = "CN=mx.example.com",
		.issuer = "CN=Nobody", .spki_sha256 = fits[0], .verified = verified, .tlsa = fits,
		.error = verified ? NULL : "self-signed certificate"};
	session_end(s, f, STAGE_QUIT, SESSION_DONE, NULL);
}

static inline void dane_elsewhere(struct scene *s)
{
	with_587(s, pinned_record, false);
	unsigned f = answered(s, 25, FARTTL);
	greeting(s, f, 220, "mx.example.com ESMTP");
	encrypted_25(s, f, other_record, false);
	pinned(s);
}

static inline void dane_decrypted(struct scene *s)
{
	usual_host(s);
	answered(s, 443, FARTTL);
	unsigned f = answered(s, 25, 62);
	greeting(s, f, 220, "mx.example.com ESMTP");
	encrypted_25(s, f, other_record, false);
	early_syn_acks(s);
	pinned(s);
}

static inline void dane_mismatch(struct scene *s)
{
	unsigned f = session(s);

	greeting(s, f, 220, "mx.example.com ESMTP");
	encrypted_25(s, f, other_record, false);
	pinned(s);
}

/* ---- what must not be taken for it ---- */

static inline void dane_fits(struct scene *s)
{
	unsigned f = session(s);

	greeting(s, f, 220, "mx.example.com ESMTP");
	encrypted_25(s, f, pinned_record, false);
	pinned(s);
}

/* A public authority vouches for the server: its record is out of date. */
static inline void dane_stale_but_verified(struct scene *s)
{
	unsigned f = session(s);

	greeting(s, f, 220, "mx.example.com ESMTP");
	encrypted_25(s, f, other_record, true);
	pinned(s);
}

/* A record that nobody signed is no promise, nor is one whose signature does not hold. */
static inline void dane_unsigned(struct scene *s)
{
	in_clear(s);
	dns_says(s, DNS_RECORD_TLSA, DNS_FOUND, DNS_UNSIGNED, pinned_record);
	dns_says(s, DNS_RECORD_MTA_STS, DNS_FOUND, DNS_FORGED, NULL);
}

/* One record names a whole certificate, which is not compared: then nothing is said. */
static inline void dane_whole_certificate(struct scene *s)
{
	static const char *const records[] = {"3 1 1 aa", "3 0 0 3082", NULL};
	unsigned f = session(s);

	greeting(s, f, 220, "mx.example.com ESMTP");
	encrypted_25(s, f, other_record, false);
	dns_says(s, DNS_RECORD_TLSA, DNS_FOUND, DNS_SECURE, records);
}

static inline void dns_without_answer(struct scene *s)
{
	in_clear(s);
	dns_says(s, DNS_RECORD_TLSA, DNS_NO_NAME, DNS_SECURE, NULL);
	dns_says(s, DNS_RECORD_MTA_STS, DNS_SILENT, DNS_UNCHECKED, NULL);
}

static inline void as_expected(struct scene *s)
{
	expect(s, "^mx[0-9]?\\.EXAMPLE\\.com", "example.com.");
	session_end(s, greeted(s, "mx.example.com ESMTP Postfix", 250, plain_ehlo), STAGE_QUIT,
		    SESSION_DONE, NULL);
}

/* Its greeting names nobody, its reply to EHLO does. */
static inline void nameless_greeting(struct scene *s)
{
	expect(s, "^220 ESMTP", "mx.example.com");
	session_end(s, greeted(s, "ESMTP ready", 250, plain_ehlo), STAGE_QUIT, SESSION_DONE, NULL);
}

/* The certificate vouches for the server: then the expectation is out of date. */
static inline void unlike_but_verified(struct scene *s)
{
	unsigned f = greeted(s, "relay.isp.example ESMTP", 250, relay_ehlo);

	expect(s, "Exim", "mx.example.com");
	said(s, f, STAGE_STARTTLS, 220, "go ahead", NULL);
	shown(s, f, "CN=mx.example.com", "CN=Some Root", "aa", true);
	session_end(s, f, STAGE_QUIT, SESSION_DONE, NULL);
}

/* No STARTTLS on 25 alone, and it is refused when said: such a server is not rare. */
static inline void clear_on_25(struct scene *s)
{
	with_good_587(s);
	unsigned f = answered(s, 25, FARTTL);
	greeting(s, f, 220, "mx.example.com ESMTP");
	said(s, f, STAGE_EHLO, 250, "mx.example.com", bare_ehlo);
	session_end(s, f, STAGE_QUIT, SESSION_DONE, NULL);
	said(s, f, STAGE_UNOFFERED, 502, "5.5.1 command not implemented", NULL);
}

/* It says 220 to whatever it hears, and knows no TLS. */
static inline void yes_man(struct scene *s)
{
	unsigned f = greeted(s, "mx.example.com ESMTP", 250, bare_ehlo);

	session_end(s, f, STAGE_QUIT, SESSION_DONE, NULL);
	said(s, f, STAGE_UNOFFERED, 220, "whatever you say", NULL);
}

/* A private certificate on 25, a public one on 587. */
static inline void private_on_25(struct scene *s)
{
	with_good_587(s);
	unsigned f = answered(s, 25, FARTTL);
	greeting(s, f, 220, "mx.example.com ESMTP");
	said(s, f, STAGE_EHLO, 250, "mx.example.com", plain_ehlo);
	said(s, f, STAGE_STARTTLS, 220, "go ahead", NULL);
	shown(s, f, "CN=mx.example.com", "CN=Our Company", "bb", false);
	session_end(s, f, STAGE_QUIT, SESSION_DONE, NULL);
}

#endif
