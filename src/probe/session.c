/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "probe/session.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "probe/prober.h"
#include "smtp/ehlo.h"

#define READ_CHUNK      4096
#define TEXT_KEPT       1024 /* of a reply, in the report */
#define LINES_KEPT      64   /* of a reply, each on its own */
#define LINE_KEPT       256
#define COMMAND_MAX     1024
#define NAME_SIZE       256 /* of our own name */
#define ADDRESS_MAX     320 /* of a mail address: RFC 5321 4.5.3.1, local part, '@' and domain */
#define CREDENTIALS_MAX 512 /* of user and password */

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

static void tell_end(struct session *s, enum session_end end, const char *text)
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

static void end_session(struct session *s, enum session_end end, const char *text)
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
	tell_end(s, end, text);
}

/* How what came at this stage begins. A password that went out may come back in it. */
static const char *first_bytes(struct session *s)
{
	if (!s->first_len || s->auth != AUTH_NONE)
		return NULL;
	return text_clean(arena_of(s), s->first, s->first_len, sizeof(s->first));
}

static void end_not_smtp(struct session *s)
{
	const char *text = first_bytes(s);

	end_session(s, SESSION_NOT_SMTP, text ? text : "");
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
	end_session(s, error ? end_of_errno(error) : SESSION_CLOSED, NULL);
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
		end_session(s, SESSION_TLS_ERROR, "records without end and without content");
		return IO_ENDED;
	case SSL_ERROR_WANT_WRITE: s->want_write = true; return IO_AGAIN;
	case SSL_ERROR_ZERO_RETURN: end_by_errno(s, 0); return IO_ENDED;
	case SSL_ERROR_SYSCALL:
		ERR_clear_error();
		end_by_errno(s, saved);
		return IO_ENDED;
	}
	end_session(s, SESSION_TLS_ERROR, tls_error_text(arena_of(s)));
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
static void send_bytes(struct session *s, const char *bytes, size_t len)
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

static void say(struct session *s, enum session_stage stage, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void say(struct session *s, enum session_stage stage, const char *fmt, ...)
{
	char line[COMMAND_MAX];
	va_list ap;

	va_start(ap, fmt);
	int len = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	s->stage = stage;
	send_bytes(s, line, (size_t)len < sizeof(line) ? (size_t)len : sizeof(line) - 1);
}

/* ---- what goes into the log ---- */

static const char *reply_text(struct session *s)
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
static void not_tried(struct session *s, enum session_stage stage, const char *why)
{
	add_reply(s, stage, 0, arena_printf(arena_of(s), "not tried: %s", why), NULL);
}

/* ---- our name ---- */

static bool is_printable(const char *word)
{
	for (; *word; word++)
		if ((unsigned char)*word <= ' ' || *word == 0x7f)
			return false;
	return true;
}

/* A name by which others may know this host: some servers turn away those that are nobody's. */
static bool is_public_name(const char *name)
{
	static const char charset[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-";
	static const char nobodys[] = ".localdomain";
	char checked[NAME_SIZE];
	size_t len = strlen(name);

	if (name[strspn(name, charset)] || !smtp_greeting_name(name, checked, sizeof(checked)) ||
	    strcmp(name, checked) != 0)
		return false;
	return strncasecmp(name, "localhost.", strlen("localhost.")) != 0 &&
	       (len < sizeof(nobodys) || strcasecmp(name + len - strlen(nobodys), nobodys) != 0);
}

/* RFC 5321 4.1.4: an address literal where there is no name. */
static void own_name(const struct session *s, char out[NAME_SIZE])
{
	const struct plan *plan = s->setup.plan;
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	struct addr local = {0};
	char text[ADDR_TEXT_MAX];
	const char *name = NULL;

	if (plan->ehlo_name && plan->ehlo_name[0] && is_printable(plan->ehlo_name))
		name = plan->ehlo_name;
	else if (plan->hostname && is_public_name(plan->hostname))
		name = plan->hostname;
	if (name && strlen(name) < NAME_SIZE) {
		snprintf(out, NAME_SIZE, "%s", name);
		return;
	}
	if (getsockname(s->setup.fd, (struct sockaddr *)&sa, &len) == 0)
		addr_from_sockaddr(&local, NULL, (struct sockaddr *)&sa);
	local.scope = 0; /* an interface's name means nothing to the server */
	if (!addr_is_set(&local))
		local = addr_v4("\x7f\0\0\1");
	snprintf(out, NAME_SIZE, "[%s%s]", local.family == ADDR_V6 ? "IPv6:" : "",
		 addr_text(&local, text));
}

/* ---- the dialogue, from its end to its beginning ---- */

static void say_quit(struct session *s)
{
	if (s->unoffered && !s->told && !s->setup.brief) {
		s->stage = STAGE_QUIT;
		tell_end(s, SESSION_DONE, NULL);
		say(s, STAGE_UNOFFERED, "STARTTLS\r\n");
		return;
	}
	say(s, STAGE_QUIT, "QUIT\r\n");
	end_session(s, SESSION_DONE, NULL);
}

/* Takes back what MAIL and RCPT began; its reply tells nothing, but one command comes at a time. */
static void say_rset(struct session *s)
{
	s->resetting = true;
	say(s, STAGE_QUIT, "RSET\r\n");
}

/* What may stand between "<" and ">" without becoming anything else. */
static bool is_address(const char *text)
{
	return strlen(text) <= ADDRESS_MAX && is_printable(text) && !strpbrk(text, "<>");
}

static bool is_ascii(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text >= 0x80)
			return false;
	return true;
}

static void say_mail(struct session *s, const struct smtp_ehlo *ehlo)
{
	const struct plan *plan = s->setup.plan;
	const char *to = plan->rcpt_to ? plan->rcpt_to : "";

	if (!plan->mail_from) {
		say_quit(s);
		return;
	}
	if (!is_address(plan->mail_from) || !is_address(to)) {
		not_tried(s, STAGE_MAIL, "no address that can be sent as it is");
		say_quit(s);
		return;
	}
	bool utf8 = ehlo->utf8 && (!is_ascii(plan->mail_from) || !is_ascii(to));
	say(s, STAGE_MAIL, "MAIL FROM:<%s>%s\r\n", plan->mail_from, utf8 ? " SMTPUTF8" : "");
}

static void after_mail(struct session *s, int code)
{
	const struct plan *plan = s->setup.plan;

	if (code >= 300)
		say_quit(s);
	else if (s->stage == STAGE_MAIL && plan->rcpt_to)
		say(s, STAGE_RCPT, "RCPT TO:<%s>\r\n", plan->rcpt_to);
	else
		say_rset(s);
}

/* ---- login ---- */

/* RFC 4616: authorization identity (none), user, password, with NULs between. */
static size_t plain_message(const struct plan *plan, char out[CREDENTIALS_MAX])
{
	size_t user = strlen(plan->auth_user), secret = strlen(plan->auth_secret);

	out[0] = '\0';
	memcpy(out + 1, plan->auth_user, user + 1);
	memcpy(out + user + 2, plan->auth_secret, secret);
	return user + secret + 2;
}

static void say_base64(struct session *s, const char *command, const char *bytes, size_t len)
{
	char line[COMMAND_MAX];
	int n = snprintf(line, sizeof(line), "%s", command);

	n += EVP_EncodeBlock((unsigned char *)line + n, (const unsigned char *)bytes, (int)len);
	memcpy(line + n, "\r\n", 2);
	s->stage = STAGE_AUTH;
	send_bytes(s, line, (size_t)n + 2);
	OPENSSL_cleanse(line, sizeof(line));
}

static void say_plain(struct session *s, const char *command)
{
	char message[CREDENTIALS_MAX];
	size_t len = plain_message(s->setup.plan, message);

	say_base64(s, command, message, len);
	OPENSSL_cleanse(message, sizeof(message));
}

static const char *why_no_login(const struct session *s, const struct smtp_ehlo *ehlo,
				enum auth_way *way)
{
	const struct plan *plan = s->setup.plan;
	bool login = false;

	*way = AUTH_NONE;
	if (!s->ssl)
		return "the connection is not encrypted";
	/* who would get it? Somebody in between has a certificate, too */
	if (!s->verified)
		return "the certificate is not trusted";
	if (!plan->auth_secret ||
	    strlen(plan->auth_user) + strlen(plan->auth_secret) + 2 > CREDENTIALS_MAX)
		return "no password, or one too long";
	for (unsigned i = 0; i < ehlo->n_auth; i++) {
		if (strcmp(ehlo->auth[i], "PLAIN") == 0)
			*way = AUTH_PLAIN;
		login |= strcmp(ehlo->auth[i], "LOGIN") == 0;
	}
	if (*way == AUTH_NONE && login)
		*way = AUTH_LOGIN;
	return *way == AUTH_NONE ? "the server offers neither PLAIN nor LOGIN" : NULL;
}

static void say_auth(struct session *s, const struct smtp_ehlo *ehlo)
{
	const char *why = why_no_login(s, ehlo, &s->auth);

	if (why) {
		not_tried(s, STAGE_AUTH, why);
		say_mail(s, ehlo);
	} else if (s->auth == AUTH_PLAIN) {
		say_plain(s, "AUTH PLAIN ");
	} else {
		say(s, STAGE_AUTH, "AUTH LOGIN\r\n");
	}
}

/* PLAIN is asked for its message by servers that overlook the one in the command; LOGIN asks for
 * user, then password. */
static void after_auth(struct session *s, int code)
{
	static const struct smtp_ehlo unknown = {0};
	const struct plan *plan = s->setup.plan;
	unsigned step = s->auth_step++;

	if (code >= 200 && code < 300)
		say_mail(s, &unknown);
	else if (code == 334 && s->auth == AUTH_PLAIN && step == 0)
		say_plain(s, "");
	else if (code == 334 && s->auth == AUTH_LOGIN && step == 0)
		say_base64(s, "", plan->auth_user, strlen(plan->auth_user));
	else if (code == 334 && s->auth == AUTH_LOGIN && step == 1)
		say_base64(s, "", plan->auth_secret, strlen(plan->auth_secret));
	else
		say_quit(s);
}

static bool holds(const struct smtp_parser *p, const char *bytes, size_t len)
{
	return len && memmem(p->text, p->text_len, bytes, len);
}

static bool holds_base64(const struct smtp_parser *p, const char *bytes, size_t len)
{
	char text[COMMAND_MAX];
	int n = EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)bytes, (int)len);
	bool found = holds(p, text, (size_t)n);

	OPENSSL_cleanse(text, sizeof(text));
	return found;
}

/* Servers that echo what they don't understand would bring the password into the report. */
static bool repeats_secret(const struct session *s)
{
	const struct smtp_parser *p = &s->parser;
	const char *secret = s->setup.plan->auth_secret;
	char message[CREDENTIALS_MAX];

	if (s->auth == AUTH_NONE)
		return false;
	size_t len = plain_message(s->setup.plan, message);
	bool found = p->text_cut || holds(p, secret, strlen(secret)) ||
		     holds_base64(p, secret, strlen(secret)) || holds_base64(p, message, len);
	OPENSSL_cleanse(message, sizeof(message));
	return found;
}

/* ---- names and encryption ---- */

static void say_ehlo(struct session *s, enum session_stage stage)
{
	char name[NAME_SIZE];

	own_name(s, name);
	s->helo = false;
	say(s, stage, "EHLO %s\r\n", name);
}

static void say_helo(struct session *s)
{
	char name[NAME_SIZE];

	own_name(s, name);
	s->helo = true;
	say(s, s->stage, "HELO %s\r\n", name);
}

static void after_ehlo(struct session *s, int code, const char *const *lines)
{
	struct smtp_ehlo ehlo;

	smtp_ehlo_parse(&ehlo, s->helo ? NULL : lines);
	s->unoffered = code < 300 && !s->helo && !s->ssl && !ehlo.starttls;
	if (!s->helo && (code == 500 || code == 502 || code == 504))
		say_helo(s);
	else if (code >= 300)
		say_quit(s);
	else if (!s->ssl && ehlo.starttls)
		say(s, STAGE_STARTTLS, "STARTTLS\r\n");
	else if (s->setup.brief)
		say_quit(s);
	else if (s->setup.plan->auth_user)
		say_auth(s, &ehlo);
	else
		say_mail(s, &ehlo);
}

static void begin_tls(struct session *s)
{
	const struct plan *plan = s->setup.plan;

	s->stage = STAGE_TLS;
	if (s->setup.tls)
		s->ssl = tls_connection_new(s->setup.tls, s->setup.fd,
					    plan->expect_name ? plan->expect_name : plan->name,
					    &plan->target);
	if (!s->ssl) {
		end_session(s, SESSION_TLS_ERROR, "OpenSSL cannot set up a connection");
		return;
	}
	BIO_set_callback_arg(SSL_get_wbio(s->ssl), (char *)s);
	BIO_set_callback_ex(SSL_get_wbio(s->ssl), on_bio);
}

static void after_unoffered(struct session *s, int code)
{
	s->late_code = code;
	s->late_text = reply_text(s);
	/* no other code than RFC 3207's: some answer "250" to whatever they hear */
	if (code == 220)
		begin_tls(s);
	else
		say_quit(s);
}

static void after_starttls(struct session *s, int code)
{
	if (code < 300) {
		begin_tls(s);
		return;
	}
	if (s->setup.plan->auth_user && !s->setup.brief)
		not_tried(s, STAGE_AUTH, "the server refuses STARTTLS");
	say_quit(s);
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

static void next_command(struct session *s, int code, const char *const *lines)
{
	switch (s->stage) {
	case STAGE_GREETING:
		if (code < 300)
			say_ehlo(s, STAGE_EHLO);
		else
			say_quit(s);
		break;
	case STAGE_EHLO:
	case STAGE_EHLO_TLS: after_ehlo(s, code, lines); break;
	case STAGE_STARTTLS: after_starttls(s, code); break;
	case STAGE_AUTH: after_auth(s, code); break;
	case STAGE_MAIL:
	case STAGE_RCPT: after_mail(s, code); break;
	case STAGE_UNOFFERED: after_unoffered(s, code); break;
	case STAGE_TLS:
	case STAGE_DATA:
	case STAGE_MESSAGE:
	case STAGE_QUIT:
	case STAGE_COUNT: say_quit(s); break;
	}
}

/* behind: bytes that came in one piece with the reply. */
static void take_reply(struct session *s, size_t behind)
{
	int code = s->parser.code;
	const char *text = NULL, *const *lines = NULL;

	if (s->resetting) {
		s->resetting = false;
		say_quit(s);
		return;
	}
	if (repeats_secret(s)) {
		text = "(withheld: it may repeat the password)";
	} else {
		text = reply_text(s);
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
	next_command(s, code, lines);
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
	end_session(s, SESSION_TLS_ERROR,
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
		end_session(s, SESSION_TLS_ERROR, "OpenSSL is out of memory");
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
		say(s, STAGE_QUIT, "QUIT\r\n");
	else if (s->setup.implicit_tls)
		s->stage = STAGE_GREETING;
	else
		say_ehlo(s, STAGE_EHLO_TLS);
	struct event ev = {.kind = EV_TLS};
	tls_describe(s->setup.tls, s->ssl, arena_of(s), &ev.tls);
	s->verified = ev.tls.verified;
	add_event(s, t_ns, &ev);
	if (s->told)
		end_session(s, SESSION_DONE, NULL);
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
		begin_tls(s);
}

void session_stall(struct session *s)
{
	/* half a greeting, or one without end, is worth showing */
	end_session(s, SESSION_STALLED, first_bytes(s));
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
