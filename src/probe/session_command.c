/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is said next, and by which name. */
#include "probe/session_private.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define NAME_SIZE   256 /* of our own name */
#define ADDRESS_MAX 320 /* of a mail address: RFC 5321 4.5.3.1, local part, '@' and domain */

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

void session_quit(struct session *s)
{
	if (s->unoffered && !s->told && !s->setup.brief) {
		s->stage = STAGE_QUIT;
		session_tell_end(s, SESSION_DONE, NULL);
		session_say(s, STAGE_UNOFFERED, "STARTTLS\r\n");
		return;
	}
	session_say(s, STAGE_QUIT, "QUIT\r\n");
	session_end(s, SESSION_DONE, NULL);
}

/* Takes back what MAIL and RCPT began; its reply tells nothing, but one command comes at a time. */
static void say_rset(struct session *s)
{
	s->resetting = true;
	session_say(s, STAGE_QUIT, "RSET\r\n");
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

void session_mail(struct session *s, const struct smtp_ehlo *ehlo)
{
	const struct plan *plan = s->setup.plan;
	const char *to = plan->rcpt_to ? plan->rcpt_to : "";

	if (!plan->mail_from) {
		session_quit(s);
		return;
	}
	if (!is_address(plan->mail_from) || !is_address(to)) {
		session_not_tried(s, STAGE_MAIL, "no address that can be sent as it is");
		session_quit(s);
		return;
	}
	bool utf8 = ehlo->utf8 && (!is_ascii(plan->mail_from) || !is_ascii(to));
	session_say(s, STAGE_MAIL, "MAIL FROM:<%s>%s\r\n", plan->mail_from, utf8 ? " SMTPUTF8" : "");
}

static void after_mail(struct session *s, int code)
{
	const struct plan *plan = s->setup.plan;

	if (code >= 300)
		session_quit(s);
	else if (s->stage == STAGE_MAIL && plan->rcpt_to)
		session_say(s, STAGE_RCPT, "RCPT TO:<%s>\r\n", plan->rcpt_to);
	else
		say_rset(s);
}

/* ---- names and encryption ---- */

void session_ehlo(struct session *s, enum session_stage stage)
{
	char name[NAME_SIZE];

	own_name(s, name);
	s->helo = false;
	session_say(s, stage, "EHLO %s\r\n", name);
}

static void say_helo(struct session *s)
{
	char name[NAME_SIZE];

	own_name(s, name);
	s->helo = true;
	session_say(s, s->stage, "HELO %s\r\n", name);
}

static void after_ehlo(struct session *s, int code, const char *const *lines)
{
	struct smtp_ehlo ehlo;

	smtp_ehlo_parse(&ehlo, s->helo ? NULL : lines);
	s->unoffered = code < 300 && !s->helo && !s->ssl && !ehlo.starttls;
	if (!s->helo && (code == 500 || code == 502 || code == 504))
		say_helo(s);
	else if (code >= 300)
		session_quit(s);
	else if (!s->ssl && ehlo.starttls)
		session_say(s, STAGE_STARTTLS, "STARTTLS\r\n");
	else if (s->setup.brief)
		session_quit(s);
	else if (s->setup.plan->auth_user)
		session_login(s, &ehlo);
	else
		session_mail(s, &ehlo);
}

static void after_unoffered(struct session *s, int code)
{
	s->late_code = code;
	s->late_text = session_reply_text(s);
	/* no other code than RFC 3207's: some answer "250" to whatever they hear */
	if (code == 220)
		session_begin_tls(s);
	else
		session_quit(s);
}

static void after_starttls(struct session *s, int code)
{
	if (code < 300) {
		session_begin_tls(s);
		return;
	}
	if (s->setup.plan->auth_user && !s->setup.brief)
		session_not_tried(s, STAGE_AUTH, "the server refuses STARTTLS");
	session_quit(s);
}

void session_next_command(struct session *s, int code, const char *const *lines)
{
	switch (s->stage) {
	case STAGE_GREETING:
		if (code < 300)
			session_ehlo(s, STAGE_EHLO);
		else
			session_quit(s);
		break;
	case STAGE_EHLO:
	case STAGE_EHLO_TLS: after_ehlo(s, code, lines); break;
	case STAGE_STARTTLS: after_starttls(s, code); break;
	case STAGE_AUTH: session_after_login(s, code); break;
	case STAGE_MAIL:
	case STAGE_RCPT: after_mail(s, code); break;
	case STAGE_UNOFFERED: after_unoffered(s, code); break;
	case STAGE_TLS:
	case STAGE_DATA:
	case STAGE_MESSAGE:
	case STAGE_QUIT:
	case STAGE_COUNT: session_quit(s); break;
	}
}
