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
	/* keywords with their parameters: "SIZE 10240000", "STARTTLS". They point into the lines
	 * that were given, as the server wrote them, or at constants: known ones without parameters
	 * are upper-case */
	const char *keywords[EHLO_MAX_KEYWORDS];
	unsigned n_keywords;
	char auth[EHLO_MAX_AUTH][24]; /* mechanisms of "AUTH ..." and "AUTH=...", upper-case */
	unsigned n_auth;
	bool starttls;
	bool chunking, pipelining, size, utf8;
	unsigned masked; /* keywords overwritten with X, maybe but for a last letter ("XXXXXXXA") */
	/* one of them is as long as STARTTLS and ends in A, as firewalls write it, or in X (then it
	 * may have been CHUNKING or SMTPUTF8, too), and STARTTLS itself is not there */
	bool starttls_masked;
};

/* lines: of the reply to EHLO, without codes, NULL at the end; the first is the server's name, no
 * keyword. NULL is an empty reply. */
void smtp_ehlo_parse(struct smtp_ehlo *out, const char *const *lines);

/* A greeting overwritten by asterisks, as PIX and ASA do: "****************0*2****", with or
 * without code. Asterisks among readable words are decoration ("mx.example.com ESMTP *** hi ***").
 */
bool smtp_greeting_masked(const char *text);

/* The host name at the beginning of a greeting or EHLO reply ("mx.example.com ESMTP ..."), written
 * to out; false when the first word is no host name with a dot, or address literal. */
bool smtp_greeting_name(const char *text, char *out, size_t size);

#endif
