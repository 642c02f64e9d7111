/* SPDX-License-Identifier: GPL-3.0-or-later */
/* TLS as far as it is in the clear: record by record (RFC 8446 section 5, RFC 5246). */
#include <string.h>

#include "conn/engine_private.h"
#include "conn/x509.h"

enum record_type {
	RECORD_CHANGE_CIPHER = 20,
	RECORD_ALERT = 21,
	RECORD_HANDSHAKE = 22,
	RECORD_DATA = 23,
	RECORD_HEARTBEAT = 24,
};

enum message_type {
	MESSAGE_CLIENT_HELLO = 1,
	MESSAGE_SERVER_HELLO = 2,
	MESSAGE_CERTIFICATE = 11,
};

enum extension {
	EXTENSION_SERVER_NAME = 0,
	EXTENSION_SUPPORTED_VERSIONS = 43,
};

#define RECORD_MAX    (16384 + 2048) /* RFC 5246 section 6.2.3 */
#define VERSION_TLS13 0x0304
/* Kept of a message: a ClientHello with a post-quantum key has 2 KB, a certificate rarely 4. */
#define MESSAGE_KEPT_MAX 8192
#define SNI_MAX          255

/* ---- reading a message ---- */

struct reader {
	const uint8_t *at;
	size_t left;
	bool failed;
};

static const uint8_t *take(struct reader *r, size_t n)
{
	const uint8_t *at = r->at;

	if (r->failed || n > r->left) {
		r->failed = true;
		r->left = 0;
		return NULL;
	}
	r->at += n;
	r->left -= n;
	return at;
}

static uint32_t take_number(struct reader *r, size_t bytes)
{
	const uint8_t *b = take(r, bytes);
	uint32_t v = 0;

	for (size_t i = 0; b && i < bytes; i++)
		v = v << 8 | b[i];
	return v;
}

/* A vector whose length stands before it in so many bytes. */
static struct reader take_vector(struct reader *r, size_t length_bytes)
{
	size_t len = take_number(r, length_bytes);
	const uint8_t *at = take(r, len);

	return (struct reader){.at = at, .left = at ? len : 0, .failed = !at};
}

/* ---- hellos ---- */

static bool is_grease(uint32_t version)
{
	return (version & 0x0f0f) == 0x0a0a; /* RFC 8701 */
}

static void server_name(struct engine *e, struct track *t, struct reader body)
{
	struct conn_tls *tls = &t->body->cipher->tls;
	struct reader list = take_vector(&body, 2);
	uint32_t type = take_number(&list, 1);
	struct reader name = take_vector(&list, 2);

	if (!name.failed && type == 0 && name.left <= SNI_MAX && tls->sni.len == 0)
		tls->sni = text_add(e, t, name.at, name.left);
}

static void versions_offered(struct conn_tls *tls, struct reader body)
{
	struct reader list = take_vector(&body, 1);

	while (list.left >= 2) {
		uint32_t version = take_number(&list, 2);
		if (!is_grease(version) && version > tls->offered)
			tls->offered = (uint16_t)version;
	}
}

static void client_hello(struct engine *e, struct track *t, struct reader r)
{
	struct conn_tls *tls = &t->body->cipher->tls;

	if (!conn_seen(tls->client_hello))
		tls->client_hello = e->mark;
	tls->offered = (uint16_t)take_number(&r, 2);
	take(&r, 32);       /* random */
	take_vector(&r, 1); /* session id */
	take_vector(&r, 2); /* cipher suites */
	take_vector(&r, 1); /* compression */
	struct reader extensions = take_vector(&r, 2);
	while (extensions.left > 0) {
		uint32_t type = take_number(&extensions, 2);
		struct reader body = take_vector(&extensions, 2);
		if (body.failed)
			return;
		if (type == EXTENSION_SERVER_NAME)
			server_name(e, t, body);
		else if (type == EXTENSION_SUPPORTED_VERSIONS)
			versions_offered(tls, body);
	}
}

/* RFC 8446 section 4.1.3: a HelloRetryRequest is a ServerHello with this random. */
static const uint8_t retry_random[32] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11,
					 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
					 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e,
					 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

static void server_hello(struct engine *e, struct track *t, struct reader r)
{
	struct cipher *c = t->body->cipher;
	struct conn_tls *tls = &c->tls;
	uint32_t version = take_number(&r, 2);
	const uint8_t *random = take(&r, 32);
	bool retry = random && memcmp(random, retry_random, sizeof(retry_random)) == 0;

	take_vector(&r, 1); /* session id */
	uint32_t suite = take_number(&r, 2);
	take(&r, 1); /* compression */
	if (r.failed)
		return;
	struct reader extensions = {0};
	if (r.left)
		extensions = take_vector(&r, 2);
	while (extensions.left > 0) {
		uint32_t type = take_number(&extensions, 2);
		struct reader body = take_vector(&extensions, 2);
		if (type == EXTENSION_SUPPORTED_VERSIONS && body.left == 2)
			version = take_number(&body, 2);
	}
	tls->version = (uint16_t)version;
	tls->cipher = (uint16_t)suite;
	if (retry) {
		tls->retry = true;
		return;
	}
	c->server_chose = true;
	tls->server_hello = e->mark;
}

/* ---- the certificate ---- */

struct names {
	struct engine *e;
	struct track *t;
};

static void keep_name(void *ctx, const char *name, size_t len)
{
	const struct names *k = ctx;
	struct conn_tls *tls = &k->t->body->cipher->tls;

	if (tls->n_names == CONN_NAMES_MAX)
		return;
	struct conn_text text = text_add(k->e, k->t, name, len);
	if (text.len)
		tls->names[tls->n_names++] = text;
}

static void certificate(struct engine *e, struct track *t, struct reader r)
{
	struct conn_tls *tls = &t->body->cipher->tls;
	struct names names = {e, t};
	struct x509 x;

	if (conn_seen(tls->certificate))
		return;
	tls->certificate = e->mark;
	take_number(&r, 3); /* of the whole chain, of which only the first is needed */
	struct reader der = take_vector(&r, 3);
	if (der.failed || x509_read(&x, der.at, der.left) != 0) {
		tls->certificate_cut = true;
		return;
	}
	tls->subject = text_add(e, t, x.subject, x.subject_len);
	tls->issuer = text_add(e, t, x.issuer, x.issuer_len);
	tls->not_before_s = x.not_before_s;
	tls->not_after_s = x.not_after_s;
	x509_names(der.at, der.left, keep_name, &names);
}

/* ---- handshake messages ---- */

static bool is_wanted(uint8_t type)
{
	return type == MESSAGE_CLIENT_HELLO || type == MESSAGE_SERVER_HELLO ||
	       type == MESSAGE_CERTIFICATE;
}

static void message(struct engine *e, struct track *t, enum conn_side side, uint8_t type,
		    const uint8_t *body, size_t len)
{
	struct reader r = {.at = body, .left = len};

	if (type == MESSAGE_CLIENT_HELLO && side == CONN_CLIENT)
		client_hello(e, t, r);
	else if (type == MESSAGE_SERVER_HELLO && side == CONN_SERVER)
		server_hello(e, t, r);
	else if (type == MESSAGE_CERTIFICATE && side == CONN_SERVER)
		certificate(e, t, r);
}

static void drop_message(struct engine *e, struct records *r)
{
	if (r->message)
		blocks_give(&e->blocks, r->message, r->message_got);
	r->message = NULL;
}

/* A header is whole: the body follows, perhaps in pieces. */
static void begin_message(struct records *r)
{
	uint8_t type = r->head[0];

	r->message_left = (uint32_t)r->head[1] << 16 | (uint32_t)r->head[2] << 8 | r->head[3];
	r->message_len = 0;
	r->message_want = r->message_left < MESSAGE_KEPT_MAX ? r->message_left : MESSAGE_KEPT_MAX;
	if (!is_wanted(type))
		r->message_want = 0;
	if (r->message_left == 0)
		r->head_len = 0;
}

static void more_of_message(struct engine *e, struct track *t, enum conn_side side,
			    const uint8_t *bytes, size_t len)
{
	struct records *r = &t->body->cipher->side[side];
	size_t want = r->message_want - r->message_len;
	size_t n = len < want ? len : want;

	r->message_left -= (uint32_t)len;
	if (want == 0)
		return;
	if (r->message_len == 0 && n == want) { /* in one piece: no copy */
		r->message_len = (uint32_t)n;
		message(e, t, side, r->head[0], bytes, n);
		return;
	}
	if (!r->message)
		r->message = engine_take_block(e, r->message_want, &r->message_got);
	if (!r->message) {
		r->message_want = r->message_len; /* no memory: it is passed over */
		if (r->head[0] == MESSAGE_CERTIFICATE)
			t->body->cipher->tls.certificate_cut = true;
		return;
	}
	memcpy(r->message + r->message_len, bytes, n);
	r->message_len += (uint32_t)n;
	if (r->message_len == r->message_want) {
		message(e, t, side, r->head[0], r->message, r->message_len);
		drop_message(e, r);
	}
}

static void handshake(struct engine *e, struct track *t, enum conn_side side, const uint8_t *bytes,
		      size_t len)
{
	struct records *r = &t->body->cipher->side[side];

	while (len > 0) {
		if (r->head_len < sizeof(r->head)) {
			r->head[r->head_len++] = *bytes++;
			len--;
			if (r->head_len == sizeof(r->head))
				begin_message(r);
			continue;
		}
		size_t n = len < r->message_left ? len : r->message_left;
		more_of_message(e, t, side, bytes, n);
		bytes += n;
		len -= n;
		if (r->message_left == 0)
			r->head_len = 0;
	}
}

/* ---- records ---- */

static void add_alert(struct engine *e, struct track *t, enum conn_side side, uint8_t level,
		      uint8_t description)
{
	struct conn_tls *tls = &t->body->cipher->tls;

	if (tls->n_alerts == CONN_ALERTS_MAX)
		return;
	tls->alerts[tls->n_alerts++] = (struct conn_alert){.at = e->mark,
							   .side = (uint8_t)side,
							   .level = level,
							   .description = description};
}

/* `rest` is what follows the header in this packet. */
static void keep_broken(struct engine *e, struct track *t, const uint8_t header[5],
			const uint8_t *rest, size_t len)
{
	uint8_t bytes[64];

	memcpy(bytes, header, 5);
	if (len > sizeof(bytes) - 5)
		len = sizeof(bytes) - 5;
	memcpy(bytes + 5, rest, len);
	t->body->cipher->tls.broken_first = text_add(e, t, bytes, 5 + len);
}

static void begin_record(struct engine *e, struct track *t, enum conn_side side,
			 const uint8_t *rest, size_t len)
{
	struct cipher *c = t->body->cipher;
	struct records *r = &c->side[side];
	uint8_t type = r->header[0];

	r->left = (uint16_t)(r->header[3] << 8 | r->header[4]);
	if (type < RECORD_CHANGE_CIPHER || type > RECORD_HEARTBEAT || r->header[1] != 3 ||
	    r->left > RECORD_MAX) {
		r->broken = true;
		if (!conn_seen(c->tls.broken)) {
			c->tls.broken = e->mark;
			c->tls.broken_side = (uint8_t)side;
			keep_broken(e, t, r->header, rest, len);
		}
		return;
	}
	r->alert_len = 0;
	if (r->left == 0)
		r->header_len = 0;
	if (type == RECORD_DATA && !conn_seen(c->tls.app_data[side]))
		c->tls.app_data[side] = e->mark;
	/* In TLS 1.3 it means nothing, and after a HelloRetryRequest another hello follows it. */
	if (type == RECORD_CHANGE_CIPHER && !(c->tls.retry && !c->server_chose))
		r->ciphered = true;
	if (type == RECORD_ALERT && (r->ciphered || r->left != sizeof(r->alert)))
		add_alert(e, t, side, 0, 0);
}

static void record_bytes(struct engine *e, struct track *t, enum conn_side side,
			 const uint8_t *bytes, size_t len)
{
	struct records *r = &t->body->cipher->side[side];
	uint8_t type = r->header[0];
	bool clear_alert = type == RECORD_ALERT && !r->ciphered;

	if (type == RECORD_HANDSHAKE && !r->ciphered)
		handshake(e, t, side, bytes, len);
	for (size_t i = 0; clear_alert && i < len && r->alert_len < sizeof(r->alert); i++)
		r->alert[r->alert_len++] = bytes[i];
	r->left -= (uint16_t)len;
	if (r->left > 0)
		return;
	r->header_len = 0;
	if (clear_alert && r->alert_len == sizeof(r->alert)) {
		add_alert(e, t, side, r->alert[0], r->alert[1]);
		r->alert_len = 0;
	}
}

void cipher_bytes(struct engine *e, struct track *t, enum conn_side side, const uint8_t *bytes,
		  size_t len)
{
	struct records *r = &t->body->cipher->side[side];

	while (len > 0 && !r->broken) {
		if (r->header_len < sizeof(r->header)) {
			r->header[r->header_len++] = *bytes++;
			len--;
			if (r->header_len == sizeof(r->header))
				begin_record(e, t, side, bytes, len);
			continue;
		}
		size_t n = len < r->left ? len : r->left;
		record_bytes(e, t, side, bytes, n);
		bytes += n;
		len -= n;
	}
}

void cipher_hole(struct engine *e, struct track *t, enum conn_side side)
{
	struct records *r = &t->body->cipher->side[side];

	if (side == CONN_SERVER && r->head_len == sizeof(r->head) &&
	    r->head[0] == MESSAGE_CERTIFICATE && r->message_want)
		t->body->cipher->tls.certificate_cut = true;
	drop_message(e, r);
	r->broken = true; /* where the next record begins is not known; not `tls.broken` */
}

void cipher_clear(struct engine *e, struct cipher *c)
{
	for (int side = 0; side < CONN_SIDES; side++)
		drop_message(e, &c->side[side]);
}
