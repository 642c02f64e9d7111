/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is said about a connection of a capture: the {words} in the templates of
 * capture_rules.c, and the sentences of evidence with their packet numbers.
 */
#ifndef SB_DIAG_CAPTURE_WORDS_H
#define SB_DIAG_CAPTURE_WORDS_H

#include "base/writer.h"
#include "diag/capture_facts.h"
#include "model/report.h"

/* A template taken apart once, for it is filled in a hundred thousand times. */
struct capture_template {
	unsigned n;
	struct capture_piece *pieces;
};

/* Takes it apart, into the arena. An unknown {word} stays as it stands. */
void capture_template_make(struct capture_template *t, struct arena *a, const char *text);
const char *capture_template_fill(const struct capture_template *t, struct arena *a,
				  const struct capture_facts *f);

/* Kinds of evidence, in the order in which they are told. */
enum capture_evidence {
	CE_SYN,
	CE_SYNACK,
	CE_SYN_AGAIN,
	CE_SYNACK_OTHER,
	CE_CONTEXT,   /* what other connections tell */
	CE_ICMP,
	CE_GREETING,
	CE_EHLO,
	CE_REFUSAL,
	CE_MAIL,
	CE_BYTES,     /* of what is no SMTP */
	CE_TLS,
	CE_ALERT,
	CE_STUCK,
	CE_WINDOW,
	CE_DRIP,
	CE_WAIT,
	CE_FIN,
	CE_RST,
	CE_RSTS,      /* those behind the first */
	CE_AFTER_RST,
	CE_END,
	CE_COUNT,
};

/* That which shows a fact; CE_COUNT: none, the fact needs no showing. */
enum capture_evidence capture_evidence_of(enum capture_fact fact);

/* The sentence, or NULL where the capture has nothing of that kind. *at gets the packet that it is
 * about. */
const char *capture_evidence_text(enum capture_evidence e, struct arena *a,
				  const struct capture_facts *f, struct conn_mark *at,
				  enum source *source);

/* A reply in the server's words: "554 5.7.1 go away / really", cleaned and cut. */
void capture_put_reply(struct writer *w, const struct conn *c, const struct conn_reply *r);

/* Clean copy of a text of the connection; lines are joined by " / ". */
const char *capture_text(struct arena *a, const struct conn *c, struct conn_text t, size_t max_bytes);

const char *capture_tls_version(unsigned version); /* "TLSv1.2"; NULL unknown */
const char *capture_tls_cipher(struct arena *a, unsigned cipher); /* OpenSSL's name, or "0xc02f" */
const char *capture_tls_alert(unsigned description);

#endif
