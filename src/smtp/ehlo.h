/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a greeting and an EHLO reply say about the server, and about somebody in
 * between: capabilities, masked words. No I/O. Used live and on captures.
 */
#ifndef SB_SMTP_EHLO_H
#define SB_SMTP_EHLO_H

#include <stdbool.h>
#include <stddef.h>

#define EHLO_MAX_KEYWORDS 48
#define EHLO_MAX_AUTH     16

struct smtp_ehlo {
	/* keywords, upper-case, with their parameters: "SIZE 10240000", "STARTTLS"; point into the
	 * lines that were given, or at constants */
	const char *keywords[EHLO_MAX_KEYWORDS];
	unsigned n_keywords;
	char auth[EHLO_MAX_AUTH][24]; /* mechanisms of "AUTH ..." and "AUTH=...", upper-case */
	unsigned n_auth;
	bool starttls;
	bool chunking, pipelining, size, utf8;
	unsigned masked;      /* keywords overwritten by one repeated letter ("XXXXXXXA", "XXXX") */
	bool starttls_masked; /* one of them is as long as STARTTLS and ends as firewalls write it */
};

/* lines: of the reply to EHLO, without codes, NULL at the end; the first is the server's name, no
 * keyword. */
void smtp_ehlo_parse(struct smtp_ehlo *out, const char *const *lines);

/* A greeting overwritten by asterisks, as PIX and ASA do: "220 ****************". */
bool smtp_greeting_masked(const char *text);

/* The host name at the beginning of a greeting or EHLO reply ("mx.example.com ESMTP ..."), written
 * to out; false when the first word is no host name or address literal. */
bool smtp_greeting_name(const char *text, char *out, size_t size);

#endif
