/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Marks by which known devices and programs betray themselves in a session:
 * greetings, EHLO replies, certificate issuers. Data, from share/signatures.
 */
#ifndef SB_MODEL_SIGNATURE_H
#define SB_MODEL_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>

enum signature_kind {
	SIGNATURE_GREETING,    /* text of the greeting */
	SIGNATURE_EHLO,        /* any line of the reply to EHLO */
	SIGNATURE_ISSUER,      /* issuer of the certificate (RFC 2253 text) */
};

struct signature {
	enum signature_kind kind;
	const char *pattern;   /* glob: * and ?, case-insensitive, over the whole text */
	const char *name;      /* of the product */
	bool interceptor;      /* sits in between and re-signs or rewrites; false: also used as the
				* receiving side's own gateway, told but no interception */
	const char *source;    /* where this is written */
};

struct signatures {
	const struct signature *list;
	size_t n;
};

/* The first that matches, or NULL. Pure; bounded (no backtracking beyond the text's length squared). */
const struct signature *signature_find(const struct signatures *s, enum signature_kind kind,
				       const char *text);

#endif
