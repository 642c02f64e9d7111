/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The file of signatures: its format, its limits, where it is looked for, and what it says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run/share.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct fixture {
	struct arena arena;
	struct signatures s;
	struct err err;
	char dir[40];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/smtpblame-share-XXXXXX");
	unsetenv("SMTPBLAME_SHARE");
	*state = f;
	return mkdtemp(f->dir) ? 0 : -1;
}

static char *in_dir(struct fixture *f, const char *name)
{
	return arena_printf(&f->arena, "%s/%s", f->dir, name);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	unsetenv("SMTPBLAME_SHARE");
	unlink(in_dir(f, "signatures"));
	rmdir(in_dir(f, "signatures"));
	rmdir(f->dir);
	arena_clear(&f->arena);
	free(f);
	return 0;
}

static int parse(struct fixture *f, const char *text)
{
	/* a copy without a NUL at its end: what reads beyond it is found by the sanitizers */
	size_t len = strlen(text);
	char *bytes = malloc(len + !len);

	memcpy(bytes, text, len);
	int r = share_parse_signatures(&f->s, bytes, len, "file", &f->arena, &f->err);
	free(bytes);
	return r;
}

/* ---- the format ---- */

static void test_entries(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(parse(f, ""), 0);
	assert_int_equal(f->s.n, 0);
	assert_int_equal(parse(f, "\n  \n# a|b\n   # more\n\r\n"), 0);
	assert_int_equal(f->s.n, 0);
	assert_int_equal(parse(f, "# one\n"
				  " issuer|*CN=A b CA*|Prod uct|yes|RFC 1\r\n"
				  "\n"
				  "greeting\t| * prod? *  |  P |no | http://x/?a=b#c"),
			 0);
	assert_int_equal(f->s.n, 2);
	const struct signature *one = &f->s.list[0], *two = &f->s.list[1];
	assert_int_equal(one->kind, SIGNATURE_ISSUER);
	assert_string_equal(one->pattern, "*CN=A b CA*");
	assert_string_equal(one->name, "Prod uct");
	assert_true(one->interceptor);
	assert_string_equal(one->source, "RFC 1");
	assert_int_equal(two->kind, SIGNATURE_GREETING);
	assert_string_equal(two->pattern, "* prod? *");
	assert_false(two->interceptor);
	assert_string_equal(two->source, "http://x/?a=b#c");
	assert_int_equal(parse(f, "ehlo|X-\xc3\xa4\\x00|a|no|b"), 0);
	assert_string_equal(f->s.list[0].pattern, "X-\xc3\xa4\\x00");
}

static const struct {
	const char *text, *error;
} bad[] = {
	{"x", "file:1: 1 fields, not kind"},
	{"\n\nissuer|abcd|p|yes", "file:3: 4 fields, not kind"},
	{"issuer|abcd|p|yes|s|t", "file:1: 6 fields, not kind"},
	{"||||", "file:1: the kind is not"},
	{"Issuer|abcd|p|yes|s", "file:1: the kind is not"},
	{"banner|abcd|p|yes|s", "file:1: the kind is not"},
	{"issuer||p|yes|s", "file:1: the pattern is empty"},
	{"issuer|*|p|yes|s", "file:1: the pattern says too little"},
	{"issuer|*CN=*|p|yes|s", "file:1: the pattern says too little"},
	{"issuer|??? ????* |p|yes|s", "file:1: the pattern says too little"},
	{"issuer|abcd| |yes|s", "file:1: the product is empty"},
	{"issuer|abcd|p|Yes|s", "file:1: interceptor is neither"},
	{"issuer|abcd|p||s", "file:1: interceptor is neither"},
	{"issuer|abcd|p|yes|", "file:1: the source is empty"},
	{"issuer|ab\x1b[0mcd|p|yes|s", "file:1: the pattern has control"},
	{"issuer|ab\tcd|p|yes|s", "file:1: the pattern has control"},
	{"issuer|abcd|p\xff|yes|s", "file:1: the product has control"},
	{"issuer|abcd|p\xe2\x80\xae|yes|s", "file:1: the product has control"},
	{"issuer|abcd|p|yes|s\x7f", "file:1: the source has control"},
	{"\xef\xbb\xbfissuer|abcd|p|yes|s", "file:1: the kind is not"},
};

static void test_malformed(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_int_equal(parse(f, bad[i].text), -1);
		assert_int_equal(f->err.status, ERR_USAGE);
		assert_int_equal(f->s.n, 0);
		if (strncmp(f->err.text, bad[i].error, strlen(bad[i].error)) != 0)
			fail_msg("%s: '%s'", bad[i].text, f->err.text);
	}
	const char nul[] = "issuer|ab\0cd|p|yes|s";
	assert_int_equal(
		share_parse_signatures(&f->s, nul, sizeof(nul) - 1, "file", &f->arena, &f->err),
		-1);
	assert_non_null(strstr(f->err.text, "file:1: the pattern has control"));
}

static char *repeated(struct fixture *f, const char *line, unsigned n)
{
	size_t len = strlen(line);
	char *text = arena_alloc(&f->arena, len * n + 1);

	for (unsigned i = 0; i < n; i++)
		memcpy(text + i * len, line, len);
	return text;
}

static void test_limits(void **state)
{
	struct fixture *f = *state;
	char *x = repeated(f, "x", 256);

	assert_int_equal(parse(f, repeated(f, "ehlo|abcd|p|no|s\n", 2000)), 0);
	assert_int_equal(f->s.n, 2000);
	assert_string_equal(f->s.list[1999].pattern, "abcd");
	assert_int_equal(parse(f, repeated(f, "ehlo|abcd|p|no|s\n", 2001)), -1);
	assert_string_equal(f->err.text, "file:2001: more than 2000 entries");
	assert_int_equal(parse(f, arena_printf(&f->arena, "ehlo|%s|%s|no|%s", x, x, x)), 0);
	assert_int_equal(parse(f, arena_printf(&f->arena, "ehlo|%sx|p|no|s", x)), -1);
	assert_string_equal(f->err.text, "file:1: the pattern is longer than 256 bytes");
}

/* ---- where it lies ---- */

static void write_file(struct fixture *f, const char *text)
{
	FILE *file = fopen(in_dir(f, "signatures"), "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
	setenv("SMTPBLAME_SHARE", f->dir, 1);
}

static int load(struct fixture *f)
{
	return share_load_signatures(&f->s, &f->arena, &f->err);
}

static void test_where(void **state)
{
	struct fixture *f = *state;

	/* this test runs from the build directory */
	assert_int_equal(load(f), 0);
	assert_true(f->s.n >= 40);
	size_t own = f->s.n;
	setenv("SMTPBLAME_SHARE", "", 1);
	assert_int_equal(load(f), 0);
	assert_int_equal(f->s.n, own);
	setenv("SMTPBLAME_SHARE", f->dir, 1);
	assert_int_equal(load(f), 0); /* there is none: the next */
	assert_int_equal(f->s.n, own);
	write_file(f, "ehlo|abcd|p|no|s\n");
	assert_int_equal(load(f), 0);
	assert_int_equal(f->s.n, 1);
	write_file(f, "");
	assert_int_equal(load(f), 0); /* an empty one is one */
	assert_int_equal(f->s.n, 0);
}

static void test_bad_file(void **state)
{
	struct fixture *f = *state;
	const char *name = in_dir(f, "signatures");

	write_file(f, "# one\nehlo|abcd\n");
	assert_int_equal(load(f), -1);
	assert_int_equal(f->err.status, ERR_USAGE);
	assert_true(strncmp(f->err.text, name, strlen(name)) == 0);
	assert_non_null(strstr(f->err.text, "signatures:2: 2 fields"));
	assert_int_equal(f->s.n, 0);
	write_file(f, repeated(f, "#\n", (1u << 19)));
	assert_int_equal(load(f), 0);
	write_file(f, repeated(f, "#\n", (1u << 19) + 1));
	assert_int_equal(load(f), -1);
	assert_non_null(strstr(f->err.text, "longer than 1 MB"));
	assert_int_equal(unlink(name), 0);
	assert_int_equal(mkfifo(name, 0600), 0); /* nobody writes: must not wait */
	assert_int_equal(load(f), -1);
	assert_non_null(strstr(f->err.text, "not a regular file"));
	assert_int_equal(unlink(name), 0);
	assert_int_equal(mkdir(name, 0700), 0);
	assert_int_equal(load(f), -1);
	assert_int_equal(rmdir(name), 0);
	assert_int_equal(symlink("signatures", name), 0);
	assert_int_equal(load(f), -1);
	assert_int_equal(f->err.status, ERR_USAGE);
}

/* ---- what it says ---- */

/* The shortest text that fits the pattern must find that very entry: none is hidden by another. */
static void test_none_hidden(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(load(f), 0);
	for (size_t i = 0; i < f->s.n; i++) {
		const struct signature *s = &f->s.list[i];
		char text[300];
		size_t n = 0;
		for (const char *p = s->pattern; *p; p++)
			if (*p != '*')
				text[n++] = *p == '?' ? 'x' : *p;
		text[n] = '\0';
		if (signature_find(&f->s, s->kind, text) != s)
			fail_msg("'%s' is hidden by an entry before it", s->pattern);
	}
}

/* product is its beginning; NULL: must match nothing. */
/* clang-format off */
static const struct {
	enum signature_kind kind;
	const char *text, *product;
	bool interceptor;
} seen[] = {
	{SIGNATURE_ISSUER, "CN=avast! Web/Mail Shield Root,O=avast! Web/Mail Shield,OU=generated by avast! antivirus for SSL scanning", "Avast", true},
	{SIGNATURE_ISSUER, "OU=generated by Avast Antivirus for untrusted server certificates,O=Avast Web/Mail Shield,CN=Avast Web/Mail Shield Untrusted Root", "Avast", true},
	{SIGNATURE_ISSUER, "OU=generated by AVG Antivirus for SSL/TLS scanning,O=AVG Web/Mail Shield,CN=AVG Web/Mail Shield Root", "AVG", true},
	{SIGNATURE_ISSUER, "OU=generated by Norton Antivirus for SSL/TLS scanning,O=Norton Web/Mail Shield,CN=Norton Web/Mail Shield Root", "Norton", true},
	{SIGNATURE_ISSUER, "C=US,O=Bitdefender,OU=IDS,CN=Bitdefender Personal CA.Net-Defender", "Bitdefender", true},
	{SIGNATURE_ISSUER, "CN=ESET SSL Filter CA,O=ESET\\, spol. s r. o.,C=SK", "ESET", true},
	{SIGNATURE_ISSUER, "O=AO Kaspersky Lab,CN=Kaspersky Anti-Virus Personal Root Certificate", "Kaspersky", true},
	{SIGNATURE_ISSUER, "emailAddress=support@fortinet.com,CN=FortiGate CA,OU=Certificate Authority,O=Fortinet,L=Sunnyvale,ST=California,C=US", "Fortinet FortiGate", true},
	{SIGNATURE_ISSUER, "emailAddress=support@fortinet.com,CN=FG6H0FTB00000000,OU=Certificate Authority,O=Fortinet,L=Sunnyvale,ST=California,C=US", "Fortinet FortiGate", true},
	{SIGNATURE_ISSUER, "emailAddress=support@sophos.com,CN=Sophos SSL CA_C0000000000000,OU=NSG,O=Sophos,L=Abingdon,ST=Oxfordshire,C=GB", "Sophos Firewall", true},
	{SIGNATURE_ISSUER, "CN=SonicWALL Firewall DPI-SSL,O=SonicWALL Inc.,ST=CA,C=US", "SonicWall", true},
	{SIGNATURE_ISSUER, "CN=Zscaler Intermediate Root CA (zscalerthree.net) (t),OU=Zscaler Inc.,O=Zscaler Inc.,ST=California,C=US", "Zscaler", true},
	{SIGNATURE_ISSUER, "CN=Cisco Umbrella Secondary SubCA ams-SG,O=Cisco", "Cisco Umbrella", true},
	{SIGNATURE_ISSUER, "CN=ca.example.goskope.com,O=Example Ltd", "Netskope", true},
	{SIGNATURE_ISSUER, "O=mitmproxy,CN=mitmproxy", "mitmproxy", true},
	/* a gateway's own certificate, and its neighbours among the public authorities */
	{SIGNATURE_ISSUER, "emailAddress=support@fortinet.com,CN=fortinet-subca2001,OU=Certificate Authority,O=Fortinet,L=Sunnyvale,ST=California,C=US", "Fortinet device", false},
	{SIGNATURE_ISSUER, "emailAddress=support@fortinet.com,CN=support,OU=Certificate Authority,O=Fortinet,L=Sunnyvale,ST=California,C=US", NULL, false},
	{SIGNATURE_ISSUER, "CN=FE-2KB0000000000,OU=FortiMail,O=Fortinet,L=Sunnyvale,ST=California,C=US", NULL, false},
	{SIGNATURE_ISSUER, "CN=Sophos_CA_C0000000000000,OU=OU,O=Example,L=NA,ST=NA,C=DE", "Sophos Firewall (its own", false},
	{SIGNATURE_ISSUER, "CN=Trend Micro CA,O=Trend Micro Inc,C=US", NULL, false},
	{SIGNATURE_ISSUER, "emailAddress=sales@barracuda.com,CN=Barracuda/,OU=Engineering,O=Barracuda Networks,C=US", NULL, false},
	{SIGNATURE_ISSUER, "CN=Symantec Class 3 Secure Server CA - G4,OU=Symantec Trust Network,O=Symantec Corporation,C=US", NULL, false},
	{SIGNATURE_ISSUER, "CN=HydrantID Server CA O1,OU=HydrantID Trusted Certificate Service,O=IdenTrust,C=US", NULL, false},
	{SIGNATURE_ISSUER, "CN=Cloudflare Inc ECC CA-3,O=Cloudflare\\, Inc.,C=US", NULL, false},
	{SIGNATURE_ISSUER, "CN=R11,O=Let's Encrypt,C=US", NULL, false},
	{SIGNATURE_ISSUER, "CN=DigiCert Global G2 TLS RSA SHA256 2020 CA1,O=DigiCert Inc,C=US", NULL, false},
	{SIGNATURE_ISSUER, "CN=WE2,O=Google Trust Services,C=US", NULL, false},
	{SIGNATURE_ISSUER, "CN=mx.example.net", NULL, false},
	{SIGNATURE_ISSUER, "CN=localhost.localdomain,OU=SomeOrganizationalUnit,O=SomeOrganization", NULL, false},
	{SIGNATURE_ISSUER, "CN=internal-ca", NULL, false},
	{SIGNATURE_ISSUER, "", NULL, false},

	{SIGNATURE_GREETING, "AVG ESMTP Proxy Server 7.0.300/7.0.308 [265.8.7]", "AVG", true},
	{SIGNATURE_GREETING, "mypc avast! SMTP proxy ready.", "avast!", true},
	{SIGNATURE_GREETING, "concurrent connections limit in avast exceeded", "avast!", true},
	{SIGNATURE_GREETING, "concurrent connection limit in avast! exceeded(pass:0, processes:x[1])", "avast!", true},
	{SIGNATURE_GREETING, "mx0b-00000000.pphosted.com ESMTP mfa-m0000000", "Proofpoint", false},
	{SIGNATURE_GREETING, "eu-smtp-inbound-1.mimecast.com ESMTP; Sat, 27 Jul 2024 09:26:38 +0100", "Mimecast", false},
	{SIGNATURE_GREETING, "BN1BFFO11FD038.mail.protection.outlook.com Microsoft ESMTP MAIL Service ready at Mon, 18 Apr 2016 07:36:51 +0000", "Microsoft Exchange Online", false},
	{SIGNATURE_GREETING, "mail.example.net Microsoft ESMTP MAIL Service, Version: 10.0.17763.1697 ready at Mon, 1 Jan 2024 00:00:00 +0000", "Microsoft Exchange or", false},
	{SIGNATURE_GREETING, "mx.google.com ESMTP er3sm124327888pbb.40 - gsmtp", "Google", false},
	{SIGNATURE_GREETING, "barracuda.example.net ESMTP (0a8d40ef45300cc1bd0f16ced5c9e6f1)", "Barracuda", false},
	{SIGNATURE_GREETING, "mx.example.net ESMTP / mx.example.net AsyncOS", "Cisco", false},
	{SIGNATURE_GREETING, "mx.example.net ESMTP Smtpd; Mon, 1 Jan 2024 00:00:00 +0100", "Fortinet FortiMail", false},
	{SIGNATURE_GREETING, "mx.example.net ESMTP SonicWall (9.1.1.3113)", "SonicWall", false},
	{SIGNATURE_GREETING, "CheckPoint FireWall-1 secure ESMTP server", "Check Point", false},
	{SIGNATURE_GREETING, "mx.example.net ESMTP Postfix", NULL, false},
	{SIGNATURE_GREETING, "mx.example.net ESMTP Postfix (Debian/GNU)", NULL, false},
	{SIGNATURE_GREETING, "mx.example.net ESMTP Exim 4.96 Mon, 01 Jan 2024 00:00:00 +0000", NULL, false},
	{SIGNATURE_GREETING, "mx.example.net ESMTP OpenSMTPD", NULL, false},
	{SIGNATURE_GREETING, "mx.example.net ESMTP Service ready", NULL, false},
	{SIGNATURE_GREETING, "mx.example.net ESMTP (mail for avast users)", NULL, false},
	{SIGNATURE_GREETING, "****************************", NULL, false},
	{SIGNATURE_GREETING, "", NULL, false},

	{SIGNATURE_EHLO, "X-EXPS GSSAPI NTLM", "Microsoft Exchange", false},
	{SIGNATURE_EHLO, "XEXCH50", "Microsoft Exchange", false},
	{SIGNATURE_EHLO, "mx.google.com at your service, [192.0.2.1]", "Google", false},
	{SIGNATURE_EHLO, "XXXXXXXA", NULL, false},
	{SIGNATURE_EHLO, "XCLIENT NAME ADDR", NULL, false},
	{SIGNATURE_EHLO, "STARTTLS", NULL, false},
	{SIGNATURE_EHLO, "PIPELINING", NULL, false},
};
/* clang-format on */

static void test_seen(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(load(f), 0);
	for (size_t i = 0; i < COUNT(seen); i++) {
		const struct signature *s = signature_find(&f->s, seen[i].kind, seen[i].text);
		if (!s && seen[i].product)
			fail_msg("'%s' is nobody's", seen[i].text);
		if (s && !seen[i].product)
			fail_msg("'%s' is taken for %s", seen[i].text, s->name);
		if (!s)
			continue;
		if (strncmp(s->name, seen[i].product, strlen(seen[i].product)) != 0 ||
		    s->interceptor != seen[i].interceptor)
			fail_msg("'%s': %s, %d", seen[i].text, s->name, s->interceptor);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_entries, setup, teardown),
		cmocka_unit_test_setup_teardown(test_malformed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_where, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_none_hidden, setup, teardown),
		cmocka_unit_test_setup_teardown(test_seen, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
