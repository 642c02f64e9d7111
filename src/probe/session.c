/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "probe/session.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "probe/prober.h"
#include "probe/tls.h"

#define READ_CHUNK 4096
#define TEXT_KEPT 1024 /* of a reply, in the report */

static void add_event(struct session *s, struct event *ev)
{
	ev->t_ns = clock_wall_ns();
	ev->flow = s->flow;
	event_log_add(s->log, ev);
}

static void end_session(struct session *s, enum session_end end, const char *text)
{
	if (s->over)
		return;
	s->over = true;
	/* what is said after QUIT, or how the other side hangs up then, changes nothing */
	if (s->stage == STAGE_QUIT && end != SESSION_STALLED)
		end = SESSION_DONE;
	struct event ev = {.kind = EV_SESSION_END,
			   .session_end = {.stage = s->stage,
					   .end = end,
					   .bytes = s->bytes,
					   .text = text}};
	add_event(s, &ev);
}

static void end_not_smtp(struct session *s)
{
	end_session(s, SESSION_NOT_SMTP,
		    text_clean(&s->log->arena, s->first, s->first_len, sizeof(s->first)));
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

/* ---- bytes in and out, in the clear or through TLS ---- */

enum io { IO_OK, IO_AGAIN, IO_ENDED };

static enum io ssl_result(struct session *s, int result)
{
	int saved = errno;

	switch (SSL_get_error(s->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		s->want_write = false;
		return IO_AGAIN;
	case SSL_ERROR_WANT_WRITE:
		s->want_write = true;
		return IO_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		end_session(s, SESSION_CLOSED, NULL);
		return IO_ENDED;
	case SSL_ERROR_SYSCALL:
		ERR_clear_error();
		end_session(s, saved ? end_of_errno(saved) : SESSION_CLOSED, NULL);
		return IO_ENDED;
	}
	end_session(s, SESSION_TLS_ERROR, tls_error_text(&s->log->arena));
	return IO_ENDED;
}

static enum io read_some(struct session *s, void *buf, size_t size, size_t *got)
{
	if (s->ssl) {
		errno = 0;
		int n = SSL_read(s->ssl, buf, (int)size);
		if (n <= 0)
			return ssl_result(s, n);
		*got = (size_t)n;
		return IO_OK;
	}
	ssize_t n = recv(s->fd, buf, size, 0);
	if (n > 0) {
		*got = (size_t)n;
		return IO_OK;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return IO_AGAIN;
	end_session(s, n == 0 ? SESSION_CLOSED : end_of_errno(errno), NULL);
	return IO_ENDED;
}

/* A command of a few bytes fits any fresh send buffer: no queue of our own is needed. */
static void send_quit(struct session *s)
{
	static const char quit[] = "QUIT\r\n";

	s->stage = STAGE_QUIT;
	smtp_parser_init(&s->parser);
	if (s->ssl)
		(void)SSL_write(s->ssl, quit, sizeof(quit) - 1);
	else
		(void)send(s->fd, quit, sizeof(quit) - 1, MSG_NOSIGNAL);
	ERR_clear_error();
}

/* ---- the dialogue ---- */

static void take_reply(struct session *s)
{
	struct smtp_parser *p = &s->parser;

	for (size_t i = 0; i < p->text_len; i++)
		if (p->text[i] == '\n')
			p->text[i] = ' ';
	struct event ev = {
		.kind = EV_REPLY,
		.reply = {.stage = s->stage,
			  .code = p->code,
			  .text = text_clean(&s->log->arena, p->text, p->text_len, TEXT_KEPT)}};
	add_event(s, &ev);
	if (s->stage == STAGE_QUIT)
		end_session(s, SESSION_DONE, NULL);
	else
		send_quit(s);
}

static void take_bytes(struct session *s, const char *buf, size_t len)
{
	size_t room = sizeof(s->first) - s->first_len, keep = len < room ? len : room;

	memcpy(s->first + s->first_len, buf, keep);
	s->first_len += keep;
	s->bytes += (uint32_t)len;
	while (len && !s->over) {
		size_t used = 0;
		switch (smtp_feed(&s->parser, buf, len, &used)) {
		case SMTP_MORE:
			break;
		case SMTP_REPLY:
			take_reply(s);
			break;
		case SMTP_NOT_SMTP:
		case SMTP_TOO_LONG:
			end_not_smtp(s);
			break;
		}
		buf += used;
		len -= used;
	}
	if (s->bytes > SESSION_BYTES_MAX && !s->over)
		end_not_smtp(s);
}

/* Plain SMTP where TLS is expected is the commonest mix-up of ports: say so, not "wrong version". */
static bool greets_in_clear(struct session *s)
{
	char peek[4];
	ssize_t n = recv(s->fd, peek, sizeof(peek), MSG_PEEK | MSG_DONTWAIT);

	return n >= 3 && peek[0] >= '2' && peek[0] <= '5' && peek[1] >= '0' && peek[1] <= '9' &&
	       peek[2] >= '0' && peek[2] <= '9';
}

static bool advance_tls(struct session *s)
{
	if (greets_in_clear(s)) {
		end_session(s, SESSION_TLS_ERROR,
			    "the server greets in the clear where TLS is expected (plain SMTP or "
			    "STARTTLS on this port)");
		return false;
	}
	ERR_clear_error();
	errno = 0;
	int done = SSL_do_handshake(s->ssl);
	if (done != 1)
		return ssl_result(s, done) == IO_OK;
	struct event ev = {.kind = EV_TLS};
	tls_describe(s->ssl, s->own_anchors, &s->log->arena, &ev.tls);
	add_event(s, &ev);
	s->stage = STAGE_GREETING;
	s->want_write = false;
	return true;
}

void session_advance(struct session *s)
{
	char buf[READ_CHUNK];
	size_t got = 0;
	int one = 1;

	if (s->stage == STAGE_TLS && !advance_tls(s))
		return;
	/* A server with Nagle's algorithm holds its greeting back until its session tickets are
	 * acknowledged, which our kernel would put off for 40 ms. The option wears off by itself. */
	if (s->ssl)
		setsockopt(s->fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one));
	while (!s->over && read_some(s, buf, sizeof(buf), &got) == IO_OK)
		take_bytes(s, buf, got);
}

void session_begin(struct session *s, int fd, uint16_t flow, struct event_log *log, SSL_CTX *tls,
		   bool own_anchors, const char *name, const struct addr *address)
{
	*s = (struct session){.fd = fd,
			      .flow = flow,
			      .log = log,
			      .stage = STAGE_GREETING,
			      .own_anchors = own_anchors};
	smtp_parser_init(&s->parser);
	if (!tls)
		return;
	s->stage = STAGE_TLS;
	s->ssl = tls_connection_new(tls, fd, name, address);
	if (!s->ssl)
		end_session(s, SESSION_TLS_ERROR, "OpenSSL cannot set up a connection");
}

void session_stall(struct session *s)
{
	/* half a greeting, or one without end, is worth showing */
	const char *text = s->first_len ? text_clean(&s->log->arena, s->first, s->first_len,
						     sizeof(s->first))
					: NULL;

	end_session(s, SESSION_STALLED, text);
}

void session_clear(struct session *s)
{
	SSL_free(s->ssl);
	s->ssl = NULL;
}
