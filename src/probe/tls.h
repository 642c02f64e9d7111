/* SPDX-License-Identifier: GPL-3.0-or-later */
/* OpenSSL, as far as the dialogue needs it. Private to probe/. */
#ifndef SB_PROBE_TLS_H
#define SB_PROBE_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "base/addr.h"
#include "base/arena.h"
#include "base/err.h"
#include "model/event.h"

/* What the connections of one run share. */
struct tls {
	SSL_CTX *ctx;
	bool own_anchors;   /* --ca-file, and nothing else, is trusted */
	X509_STORE *bundle; /* the system's bundle file, once it has been asked */
};

/* A client that completes a handshake whatever the certificate says: judging it is the report's
 * business. ca_file or the system's trust anchors. ERR_USAGE for an unreadable file. */
int tls_new(struct tls **out, const char *ca_file, struct err *e);
void tls_free(struct tls *t); /* NULL is fine */

/* A connection on fd; name or address are checked against the certificate. NULL: out of memory. */
SSL *tls_connection_new(struct tls *t, int fd, const char *name, const struct addr *address);

/* What the completed handshake agreed on. Strings in `a`. May take some 20 ms, once, where the
 * issuer is not in the system's directory. */
void tls_describe(struct tls *t, SSL *ssl, struct arena *a, struct ev_tls *out);

/* TLSA records of matching type 0 hold a whole certificate or key (RFC 6698 2.1.3): as text its digest
 * stands for it, "3 1 0 sha256:0a1b...". */
#define TLS_WHOLE "sha256:"
#define TLS_SHA256_SIZE 32
void tls_sha256(const void *data, size_t len, uint8_t out[TLS_SHA256_SIZE]);

/* OpenSSL's words for the latest error of this thread, or a plain "connection closed". */
char *tls_error_text(struct arena *a);

#endif
