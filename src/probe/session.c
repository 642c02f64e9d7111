/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "probe/session_private.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "probe/prober.h"

#define READ_CHUNK 4096
#define TEXT_KEPT  1024 /* of a reply, in the report */
#define LINES_KEPT 64   /* of a reply, each on its own */
#define LINE_KEPT  256

static void add_event(struct session *s, int64_t t_ns, struct event *ev)
{
	ev->t_ns = t_ns;
	ev->flow = s->setup.flow;
	event_log_add(s->setup.log, ev);
}

static struct arena *arena_of(struct session *s)
{
	return &s->setup.log->arena;
}

static void add_reply(struct session *s, enum session_stage stage, int code, const char *text,
		      const char *const *lines)
{
	struct event ev = {.kind = EV_REPLY,
			   .reply = {.stage = stage,
				     .code = code,
				     .text = text,
				     .lines = lines,
				     .helo = code && stage <= STAGE_EHLO_TLS && s->helo}};

	add_event(s, clock_wall_ns(), &ev);
}

void session_tell_end(struct session *s, enum session_end end, const char *text)
{
	struct event ev = {.kind = EV_SESSION_END,
			   .session_end = {.stage = s->stage,
					   .end = end,
					   .bytes = s->bytes,
					   .more = !s->over,
					   .in_clear = s->in_clear,
					   .text = text}};

	s->told = true;
	add_event(s, clock_wall_ns(), &ev);
}

void session_end(struct session *s, enum session_end end, const char *text)
{
	if (s->over)
		return;
	s->over = true;
	if (s->told) {
		add_reply(s, STAGE_UNOFFERED, s->late_code, s->late_text ? s->late_text : "no answer", NULL);
		return;
	}
	/* what is said after QUIT, or how the other side hangs up then, changes nothing */
	if (s->stage == STAGE_QUIT) {
		end = SESSION_DONE;
		text = NULL;
	}
	session_tell_end(s, end, text);
}

/* How what came at this stage begins. A password that went out may come back in it. */
static const char *first_bytes(struct session *s)
{
	if (!s->first_len || s->auth != AUTH_NONE)
		return NULL;
	size_t len = s->first_len;
	while (len > 0 && (s->first[len - 1] == '\r' || s->first[len - 1] == '\n'))
		len--;
	return text_clean(arena_of(s), s->first, len, sizeof(s->first));
}

static void end_not_smtp(struct session *s)
{
	const char *text = first_bytes(s);

	session_end(s, SESSION_NOT_SMTP, text ? text : "");
}

static enum session_end end_of_errno(int error)
{
	switch (error) {
	case ECONNRESET:
	case EPIPE: return SESSION_RESET;
	case ETIMEDOUT: return SESSION_STALLED;
	}
	return SESSION_ICMP;
}

/* The socket tells an error once: it may have told it to a command on its way out, or to a look. */
static void end_by_errno(struct session *s, int error)
{
	if (s->socket_error)
		error = s->socket_error;
	session_end(s, error ? end_of_errno(error) : SESSION_CLOSED, NULL);
}

/* ---- bytes in and out, in the clear or through TLS ---- */

enum io { IO_OK, IO_AGAIN, IO_ENDED };

static uint64_t tls_bytes(const struct session *s)
{
	return BIO_number_read(SSL_get_rbio(s->ssl));
}

static enum io ssl_result(struct session *s, int result)
{
	int saved = errno;

	switch (SSL_get_error(s->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		s->want_write = false;
		if (tls_bytes(s) <= SESSION_BYTES_MAX)
			return IO_AGAIN;
		session_end(s, SESSION_TLS_ERROR, "records without end and without content");
		return IO_ENDED;
	case SSL_ERROR_WANT_WRITE: s->want_write = true; return IO_AGAIN;
	case SSL_ERROR_ZERO_RETURN: end_by_errno(s, 0); return IO_ENDED;
	case SSL_ERROR_SYSCALL:
		ERR_clear_error();
		end_by_errno(s, saved);
		return IO_ENDED;
	}
	session_end(s, SESSION_TLS_ERROR, tls_error_text(arena_of(s)));
	return IO_ENDED;
}

static enum io read_tls(struct session *s, void *buf, size_t size, size_t *got)
{
	for (;;) {
		uint64_t before = tls_bytes(s);
		ERR_clear_error();
		errno = 0;
		int n = SSL_read(s->ssl, buf, (int)size);
		if (n > 0) {
			*got = (size_t)n;
			return IO_OK;
		}
		enum io io = ssl_result(s, n);
		/* a ticket has been read: there may be more behind it */
		if (io != IO_AGAIN || s->want_write || tls_bytes(s) == before)
			return io;
	}
}

static enum io read_some(struct session *s, void *buf, size_t size, size_t *got)
{
	if (s->ssl)
		return read_tls(s, buf, size, got);
	ssize_t n = recv(s->setup.fd, buf, size, 0);
	if (n > 0) {
		*got = (size_t)n;
		return IO_OK;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return IO_AGAIN;
	end_by_errno(s, n < 0 ? errno : 0);
	return IO_ENDED;
}

/* The kernel has it then, with its numbers and its copy, and nobody behind the first hop hears it. */
static void hold_back(struct session *s)
{
	struct event ev = {.kind = EV_HELD, .held = {.stage = s->stage}};
	int one = 1;

	if (s->held || s->stage != s->setup.hold)
		return;
	s->held = true;
	setsockopt(s->setup.fd, IPPROTO_IP, IP_TTL, &one, sizeof(one));
	setsockopt(s->setup.fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &one, sizeof(one));
	add_event(s, clock_wall_ns(), &ev);
}

static void note_written(struct session *s, const void *bytes, size_t len)
{
	const uint8_t *b = bytes;

	for (size_t i = 0; i < len; i++)
		s->sent[s->sent_total++ % SENT_KEPT] = b[i];
}

/* What TLS writes to the socket, as it goes out. */
static long on_bio(BIO *bio, int op, const char *bytes, size_t len, int unused, long unused_too,
		   int result, size_t *processed)
{
	(void)unused, (void)unused_too, (void)len;
	if (op == (BIO_CB_WRITE | BIO_CB_RETURN) && result > 0 && processed)
		note_written((struct session *)BIO_get_callback_arg(bio), bytes, *processed);
	return result;
}

/* A command fits the send buffer, for all before it is acknowledged: no queue of our own is needed.
 * Where the connection is gone, reading tells how, after what came before that. */
void session_send(struct session *s, const char *bytes, size_t len)
{
	hold_back(s);
	errno = 0;
	bool sent = s->ssl ? SSL_write(s->ssl, bytes, (int)len) > 0
			   : send(s->setup.fd, bytes, len, MSG_NOSIGNAL) >= 0;
	if (!sent && errno != EAGAIN)
		s->socket_error = errno;
	if (sent && !s->ssl)
		note_written(s, bytes, len);
	ERR_clear_error();
	smtp_parser_init(&s->parser);
	s->first_len = 0;
}

void session_say(struct session *s, enum session_stage stage, const char *fmt, ...)
{
	char line[COMMAND_MAX];
	va_list ap;

	va_start(ap, fmt);
	int len = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	s->stage = stage;
	session_send(s, line, (size_t)len < sizeof(line) ? (size_t)len : sizeof(line) - 1);
}

/* ---- what goes into the log ---- */

const char *session_reply_text(struct session *s)
{
	const struct smtp_parser *p = &s->parser;
	char joined[TEXT_KEPT + sizeof(" / ")];
	size_t n = 0;

	for (size_t i = 0; i < p->text_len && n <= TEXT_KEPT; i++) {
		if (p->text[i] == '\n') {
			memcpy(joined + n, " / ", 3);
			n += 3;
		} else {
			joined[n++] = p->text[i];
		}
	}
	return text_clean(arena_of(s), joined, n, TEXT_KEPT);
}

static const char *const *reply_lines(struct session *s)
{
	const struct smtp_parser *p = &s->parser;
	const char **lines = arena_alloc(arena_of(s), (LINES_KEPT + 1) * sizeof(*lines));
	size_t at = 0;

	for (size_t n = 0; n < LINES_KEPT && at <= p->text_len; n++) {
		const char *line = p->text + at;
		const char *end = memchr(line, '\n', p->text_len - at);
		size_t len = end ? (size_t)(end - line) : p->text_len - at;
		lines[n] = text_clean(arena_of(s), line, len, LINE_KEPT);
		at += len + 1;
	}
	return lines;
}

/* Asked for, and not said, for a reason of ours. */
void session_not_tried(struct session *s, enum session_stage stage, const char *why)
{
	add_reply(s, stage, 0, arena_printf(arena_of(s), "not tried: %s", why), NULL);
}

/* ---- replies ---- */

/* RFC 3207 section 4: nothing may be said between the reply to STARTTLS and the handshake. Whoever
 * puts something there wants it to be taken for what comes encrypted. */
static size_t drop_injected(struct session *s)
{
	char buf[READ_CHUNK];
	ssize_t n = recv(s->setup.fd, buf, sizeof(buf), MSG_DONTWAIT);

	if (n < 0 && errno != EAGAIN)
		s->socket_error = errno;
	return n > 0 ? (size_t)n : 0;
}

/* behind: bytes that came in one piece with the reply. */
static void take_reply(struct session *s, size_t behind)
{
	int code = s->parser.code;
	const char *text = NULL, *const *lines = NULL;

	if (s->resetting) {
		s->resetting = false;
		session_quit(s);
		return;
	}
	if (session_repeats_secret(s)) {
		text = "(withheld: it may repeat the password)";
	} else {
		text = session_reply_text(s);
		lines = reply_lines(s);
	}
	if (s->stage == STAGE_STARTTLS && code < 300) {
		size_t injected = behind + drop_injected(s);
		if (injected)
			text = arena_printf(arena_of(s),
					    "%s (and %zu bytes in the clear behind it, before TLS: "
					    "thrown away)",
					    text, injected);
	}
	if (s->stage != STAGE_UNOFFERED)
		add_reply(s, s->stage, code, text, lines);
	session_next_command(s, code, lines);
}

/* A reply that came before the command it would answer is none: a second greeting must not pass for
 * an EHLO reply without STARTTLS. Being turned away (421) needs no command. */
static void take_or_drop(struct session *s, size_t behind)
{
	if (s->unasked && s->parser.code < 400) {
		smtp_parser_init(&s->parser);
		s->first_len = 0;
	} else {
		take_reply(s, behind);
	}
	s->unasked = behind > 0 && s->stage != STAGE_TLS;
}

static void take_bytes(struct session *s, const char *buf, size_t len)
{
	s->bytes += (uint32_t)len;
	while (len && !s->over && s->stage != STAGE_TLS) {
		size_t room = sizeof(s->first) - s->first_len, keep = len < room ? len : room;
		size_t used = 0;

		memcpy(s->first + s->first_len, buf, keep);
		s->first_len += keep;
		switch (smtp_feed(&s->parser, buf, len, &used)) {
		case SMTP_MORE: break;
		case SMTP_REPLY: take_or_drop(s, len - used); break;
		case SMTP_NOT_SMTP:
		case SMTP_TOO_LONG: end_not_smtp(s); break;
		}
		buf += used;
		len -= used;
	}
	if (s->bytes > SESSION_BYTES_MAX && !s->over)
		end_not_smtp(s);
}

/* ---- TLS ---- */

void session_begin_tls(struct session *s)
{
	const struct plan *plan = s->setup.plan;

	s->stage = STAGE_TLS;
	if (s->setup.tls)
		s->ssl = tls_connection_new(s->setup.tls, s->setup.fd,
					    plan->expect_name ? plan->expect_name : plan->name,
					    &plan->target);
	if (!s->ssl) {
		session_end(s, SESSION_TLS_ERROR, "OpenSSL cannot set up a connection");
		return;
	}
	BIO_set_callback_arg(SSL_get_wbio(s->ssl), (char *)s);
	BIO_set_callback_ex(SSL_get_wbio(s->ssl), on_bio);
}

/* Plain SMTP where TLS is expected is the commonest mix-up of ports, and after STARTTLS a sign of
 * somebody who let it through and did not understand it: say so, not "wrong version". Only before
 * TLS has got any byte: later ones may look like anything. */
static bool answers_in_clear(struct session *s)
{
	char peek[sizeof(s->first)];

	if (tls_bytes(s) > 0)
		return false;
	ssize_t n = recv(s->setup.fd, peek, sizeof(peek), MSG_PEEK | MSG_DONTWAIT);
	if (n < 0 && errno != EAGAIN)
		s->socket_error = errno;
	if (n < 3 || peek[0] < '2' || peek[0] > '5' || peek[1] < '0' || peek[1] > '9' ||
	    peek[2] < '0' || peek[2] > '9')
		return false;
	const char *end = memchr(peek, '\n', (size_t)n);
	size_t len = end ? (size_t)(end - peek) : (size_t)n;
	len -= len > 0 && peek[len - 1] == '\r';
	s->in_clear = true;
	session_end(s, SESSION_TLS_ERROR,
		    arena_printf(arena_of(s), "%s: %s",
				 s->setup.implicit_tls
					 ? "the server answers in the clear where TLS is expected"
					 : "the server agrees to STARTTLS, and then answers in the clear",
				 text_clean(arena_of(s), peek, len, sizeof(peek))));
	return true;
}

/* OpenSSL would read at once behind its ClientHello, and take a greeting in the clear that has just
 * come, before anybody could look at it. */
static void say_hello(struct session *s)
{
	BIO *socket = SSL_get_rbio(s->ssl), *nothing = BIO_new(BIO_s_mem());

	if (!nothing || BIO_up_ref(socket) != 1) {
		BIO_free(nothing);
		session_end(s, SESSION_TLS_ERROR, "OpenSSL is out of memory");
		return;
	}
	BIO_set_mem_eof_return(nothing, -1);
	SSL_set0_rbio(s->ssl, nothing);
	ERR_clear_error();
	errno = 0;
	(void)ssl_result(s, SSL_do_handshake(s->ssl));
	SSL_set0_rbio(s->ssl, socket);
	s->hello_said = !s->want_write;
}

/* False: not yet, or over. */
static bool shake_hands(struct session *s)
{
	if (answers_in_clear(s))
		return false;
	hold_back(s);
	if (!s->hello_said) {
		say_hello(s);
		return false;
	}
	ERR_clear_error();
	errno = 0;
	int done = SSL_do_handshake(s->ssl);
	if (done != 1) {
		(void)ssl_result(s, done);
		return false;
	}
	int64_t t_ns = clock_wall_ns();
	s->want_write = false;
	/* the certificate is looked at while our words travel */
	if (s->told)
		session_say(s, STAGE_QUIT, "QUIT\r\n");
	else if (s->setup.implicit_tls)
		s->stage = STAGE_GREETING;
	else
		session_ehlo(s, STAGE_EHLO_TLS);
	struct event ev = {.kind = EV_TLS};
	tls_describe(s->setup.tls, s->ssl, arena_of(s), &ev.tls);
	s->verified = ev.tls.verified;
	add_event(s, t_ns, &ev);
	if (s->told)
		session_end(s, SESSION_DONE, NULL);
	return true;
}

/* ---- for the caller ---- */

/* False: nothing to do before more comes, or over. */
static bool advance_once(struct session *s)
{
	char buf[READ_CHUNK];
	size_t got = 0;

	if (s->stage == STAGE_TLS)
		return shake_hands(s);
	if (read_some(s, buf, sizeof(buf), &got) != IO_OK)
		return false;
	take_bytes(s, buf, got);
	return true;
}

void session_advance(struct session *s)
{
	int one = 1;

	while (!s->over && advance_once(s))
		;
	/* A server with Nagle's algorithm that writes in pieces, or sends session tickets first,
	 * holds the rest back until the first is acknowledged, which our kernel would put off for
	 * 40 ms. The option wears off by itself, with what we say: so it comes last. */
	setsockopt(s->setup.fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one));
}

void session_begin(struct session *s, const struct session_setup *setup)
{
	int one = 1;

	*s = (struct session){.setup = *setup, .stage = STAGE_GREETING};
	smtp_parser_init(&s->parser);
	/* the end of a handshake and the EHLO behind it are two writes in a row */
	setsockopt(setup->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (setup->implicit_tls)
		session_begin_tls(s);
}

void session_stall(struct session *s)
{
	/* half a greeting, or one without end, is worth showing */
	session_end(s, SESSION_STALLED, first_bytes(s));
}

size_t session_sent(const struct session *s, uint64_t from, uint8_t *out, size_t size)
{
	size_t n = 0;

	if (from > s->sent_total || s->sent_total - from > SENT_KEPT)
		return 0;
	for (; n < size && from + n < s->sent_total; n++)
		out[n] = s->sent[(from + n) % SENT_KEPT];
	return n;
}

void session_clear(struct session *s)
{
	SSL_free(s->ssl);
	s->ssl = NULL;
}
