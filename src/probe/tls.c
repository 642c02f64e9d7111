/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "probe/tls.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define NAME_MAX_BYTES 256 /* kept of a subject, an issuer, a name */
#define CHAIN_MAX 4  /* certificates of a chain that a TLSA record may name */
#define TLSA_FORMS 6 /* of one certificate: two selectors, three matching types */
#define NAMES_MAX 64       /* names of one certificate that are reported */

int tls_new(struct tls **out, const char *ca_file, struct err *e)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (!ctx)
		return err_set(e, ERR_RUN, "OpenSSL cannot set up a TLS client");
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS);
	/* comes back after each record: a server may send tickets or key updates without end */
	SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
	/* a server that closes without close_notify is common, and no failure of TLS */
	SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_RENEGOTIATION);
	if (ca_file && SSL_CTX_load_verify_locations(ctx, ca_file, NULL) != 1) {
		SSL_CTX_free(ctx);
		return err_set(e, ERR_USAGE, "--ca-file %s: cannot read PEM certificates from it",
			       ca_file);
	}
	/* The hashed directory is read as needed. The bundle file costs tens of milliseconds, in the
	 * middle of the measurements: it is asked last, see verify_with_bundle(). */
	if (!ca_file)
		SSL_CTX_set_default_verify_dir(ctx);
	*out = xcalloc(1, sizeof(**out));
	**out = (struct tls){.ctx = ctx, .own_anchors = ca_file != NULL};
	return 0;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	X509_STORE_free(t->bundle);
	SSL_CTX_free(t->ctx);
	free(t);
}

SSL *tls_connection_new(struct tls *t, int fd, const char *name, const struct addr *address)
{
	SSL *ssl = SSL_new(t->ctx);

	if (!ssl || SSL_set_fd(ssl, fd) != 1) {
		SSL_free(ssl);
		return NULL;
	}
	if (name) {
		/* OpenSSL's macro takes no const, and copies it */
		SSL_set_tlsext_host_name(ssl, (char *)(uintptr_t)name);
		SSL_set1_host(ssl, name);
	} else {
		X509_VERIFY_PARAM_set1_ip(SSL_get0_param(ssl), address->bytes,
					  address->family == ADDR_V4 ? 4 : 16);
	}
	SSL_set_connect_state(ssl);
	return ssl;
}

static char *x509_name_text(struct arena *a, const X509_NAME *name)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *bytes, *out = NULL;

	if (!bio)
		return NULL;
	X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
	long len = BIO_get_mem_data(bio, &bytes);
	if (len >= 0)
		out = text_clean(a, bytes, (size_t)len, NAME_MAX_BYTES);
	BIO_free(bio);
	return out;
}

static const char *general_name_text(struct arena *a, const GENERAL_NAME *g)
{
	if (g->type == GEN_DNS)
		return text_clean(a, ASN1_STRING_get0_data(g->d.dNSName),
				  (size_t)ASN1_STRING_length(g->d.dNSName), NAME_MAX_BYTES);
	if (g->type == GEN_IPADD) {
		int len = ASN1_STRING_length(g->d.iPAddress);
		const uint8_t *bytes = ASN1_STRING_get0_data(g->d.iPAddress);
		char text[ADDR_TEXT_MAX];
		if (len != 4 && len != 16)
			return NULL;
		struct addr addr = len == 4 ? addr_v4(bytes) : addr_v6(bytes);
		return arena_strdup(a, addr_text(&addr, text));
	}
	return NULL;
}

static const char *const *certificate_names(struct arena *a, X509 *cert)
{
	GENERAL_NAMES *list = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	const char **out = arena_alloc(a, (NAMES_MAX + 1) * sizeof(*out));
	unsigned n = 0;

	for (int i = 0; list && i < sk_GENERAL_NAME_num(list) && n < NAMES_MAX; i++) {
		const char *name = general_name_text(a, sk_GENERAL_NAME_value(list, i));
		if (name)
			out[n++] = name;
	}
	GENERAL_NAMES_free(list);
	return out;
}

/* The certificate, or its public key, as bytes; NULL: it has none. free(). OpenSSL's own allocation
 * would have to be freed by a macro that puts the path of this file into the program. */
static unsigned char *der_of(X509 *cert, bool key_only, size_t *size)
{
	X509_PUBKEY *key = X509_get_X509_PUBKEY(cert);
	int len = key_only ? i2d_X509_PUBKEY(key, NULL) : i2d_X509(cert, NULL);
	unsigned char *der = len > 0 ? xcalloc(1, (size_t)len) : NULL, *end = der;

	if (der)
		len = key_only ? i2d_X509_PUBKEY(key, &end) : i2d_X509(cert, &end);
	*size = len > 0 ? (size_t)len : 0;
	return der;
}

static void put_hex(char *out, const unsigned char *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
	*out = '\0';
}

static char *spki_sha256(struct arena *a, X509 *cert)
{
	unsigned char hash[SHA256_DIGEST_LENGTH];
	size_t len;
	unsigned char *der = der_of(cert, true, &len);
	char *out = arena_alloc(a, 2 * sizeof(hash) + 1);

	if (!der)
		return NULL;
	SHA256(der, len, hash);
	free(der);
	put_hex(out, hash, sizeof(hash));
	return out;
}

static const char *digest_text(struct arena *a, unsigned usage, unsigned selector, X509 *cert,
			       const EVP_MD *md, unsigned matching)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	size_t size;
	unsigned char *der = der_of(cert, selector != 0, &size);

	if (!der || EVP_Digest(der, size, hash, &len, md, NULL) != 1)
		len = 0;
	free(der);
	char *out = arena_printf(a, "%u %u %u %s%*s", usage, selector, matching,
				 matching ? "" : TLS_WHOLE, (int)(2 * len), "");
	char *hex = out + strlen(out) - 2 * (size_t)len;
	put_hex(hex, hash, len);
	return out;
}

/* RFC 6698 section 2.1: the records that would fit, for the server's own certificate (usage 3) and
 * for any of its chain (usage 2). */
static const char *const *tlsa_records(struct arena *a, SSL *ssl, X509 *cert)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
	int n = chain ? sk_X509_num(chain) : 0;
	const char **out = arena_alloc(a, (((size_t)CHAIN_MAX + 1) * TLSA_FORMS + 1) * sizeof(*out));
	unsigned k = 0;

	for (int i = -1; i < n && i < CHAIN_MAX; i++)
		for (unsigned form = 0; form < TLSA_FORMS; form++)
			out[k++] = digest_text(a, i < 0 ? 3 : 2, form / 3,
					       i < 0 ? cert : sk_X509_value(chain, i),
					       form % 3 == 2 ? EVP_sha512() : EVP_sha256(), form % 3);
	return out;
}

static X509_STORE *bundle_of(struct tls *t)
{
	if (t->bundle)
		return t->bundle;
	t->bundle = X509_STORE_new();
	if (t->bundle)
		X509_STORE_set_default_paths(t->bundle); /* without any, nothing verifies */
	return t->bundle;
}

/* All is well with the chain but that it ends in nothing that is trusted: in an issuer that is not there,
 * or in a root of its own, which servers may send along. */
static bool lacks_anchor(long verify)
{
	return verify == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
	       verify == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT ||
	       verify == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN ||
	       verify == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT;
}

/* The chain again, with the system's bundle file: where trust anchors are kept in that alone. */
static long verify_with_bundle(struct tls *t, SSL *ssl, X509 *cert)
{
	X509_STORE *store = bundle_of(t);
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	long result = X509_V_ERR_OUT_OF_MEM;

	if (store && ctx &&
	    X509_STORE_CTX_init(ctx, store, cert, SSL_get_peer_cert_chain(ssl)) == 1) {
		X509_STORE_CTX_set_default(ctx, "ssl_server");
		X509_VERIFY_PARAM_inherit(X509_STORE_CTX_get0_param(ctx), SSL_get0_param(ssl));
		X509_verify_cert(ctx);
		result = X509_STORE_CTX_get_error(ctx);
	}
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
	return result;
}

void tls_describe(struct tls *t, SSL *ssl, struct arena *a, struct ev_tls *out)
{
	X509 *cert = SSL_get1_peer_certificate(ssl);
	long verify = SSL_get_verify_result(ssl);

	/* the handshake's own context has the file already when --ca-file named one */
	if (cert && !t->own_anchors && lacks_anchor(verify))
		verify = verify_with_bundle(t, ssl, cert);
	*out = (struct ev_tls){
		.version = arena_strdup(a, SSL_get_version(ssl)),
		.cipher = arena_strdup(a, SSL_get_cipher_name(ssl)),
		.verified = cert && verify == X509_V_OK,
	};
	if (!out->verified)
		out->error = cert ? arena_strdup(a, X509_verify_cert_error_string(verify))
				  : "no certificate";
	if (!cert)
		return;
	out->subject = x509_name_text(a, X509_get_subject_name(cert));
	out->issuer = x509_name_text(a, X509_get_issuer_name(cert));
	out->names = certificate_names(a, cert);
	out->spki_sha256 = spki_sha256(a, cert);
	out->tlsa = tlsa_records(a, ssl, cert);
	X509_free(cert);
}

void tls_sha256(const void *data, size_t len, uint8_t out[TLS_SHA256_SIZE])
{
	SHA256(data, len, out);
}

char *tls_error_text(struct arena *a)
{
	unsigned long code = ERR_get_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;

	ERR_clear_error();
	if (!code)
		return arena_strdup(a, "the connection was closed");
	return reason ? arena_strdup(a, reason) : arena_printf(a, "OpenSSL error %lx", code);
}
