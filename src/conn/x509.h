/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Names and dates of a certificate (RFC 5280), for telling whose it is; nothing
 * is verified. Pure; every byte is hostile.
 */
#ifndef SB_CONN_X509_H
#define SB_CONN_X509_H

#include <stddef.h>
#include <stdint.h>

#define X509_NAME_MAX 255

struct x509 {
	char subject[X509_NAME_MAX +
		     1]; /* RFC 2253 text, raw bytes where RFC 2253 wants no escape */
	char issuer[X509_NAME_MAX + 1];
	size_t subject_len, issuer_len;
	int64_t not_before_s, not_after_s; /* since 1970 UTC; 0 unknown */
};

/* -1: this is no certificate. */
int x509_read(struct x509 *out, const uint8_t *der, size_t len);

/* Calls `name` for each DNS name and address among the subject's alternative names. */
void x509_names(const uint8_t *der, size_t len,
		void (*name)(void *ctx, const char *text, size_t len), void *ctx);

#endif
