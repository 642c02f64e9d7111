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

/* A client context that completes a handshake whatever the certificate says: judging it is the
 * report's business. ca_file or the system's trust anchors. ERR_USAGE for an unreadable file. */
int tls_context_new(SSL_CTX **out, const char *ca_file, struct err *e);

/* A connection on fd; name or address are checked against the certificate. NULL: out of memory. */
SSL *tls_connection_new(SSL_CTX *ctx, int fd, const char *name, const struct addr *address);

/* What the completed handshake agreed on. own_anchors: --ca-file, and nothing else, is trusted.
 * Strings in `a`. */
void tls_describe(SSL *ssl, bool own_anchors, struct arena *a, struct ev_tls *out);

/* OpenSSL's words for the latest error of this thread, or a plain "connection closed". */
char *tls_error_text(struct arena *a);

#endif
