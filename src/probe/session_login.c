/* SPDX-License-Identifier: GPL-3.0-or-later */
/* AUTH, where the plan asks for it: only over TLS with a certificate that verifies. */
#include "probe/session_private.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define CREDENTIALS_MAX 512 /* of user and password */

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
	session_send(s, line, (size_t)n + 2);
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

void session_login(struct session *s, const struct smtp_ehlo *ehlo)
{
	const char *why = why_no_login(s, ehlo, &s->auth);

	if (why) {
		session_not_tried(s, STAGE_AUTH, why);
		session_mail(s, ehlo);
	} else if (s->auth == AUTH_PLAIN) {
		say_plain(s, "AUTH PLAIN ");
	} else {
		session_say(s, STAGE_AUTH, "AUTH LOGIN\r\n");
	}
}

/* PLAIN is asked for its message by servers that overlook the one in the command; LOGIN asks for
 * user, then password. */
void session_after_login(struct session *s, int code)
{
	static const struct smtp_ehlo unknown = {0};
	const struct plan *plan = s->setup.plan;
	unsigned step = s->auth_step++;

	if (code >= 200 && code < 300)
		session_mail(s, &unknown);
	else if (code == 334 && s->auth == AUTH_PLAIN && step == 0)
		say_plain(s, "");
	else if (code == 334 && s->auth == AUTH_LOGIN && step == 0)
		say_base64(s, "", plan->auth_user, strlen(plan->auth_user));
	else if (code == 334 && s->auth == AUTH_LOGIN && step == 1)
		say_base64(s, "", plan->auth_secret, strlen(plan->auth_secret));
	else
		session_quit(s);
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
bool session_repeats_secret(const struct session *s)
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
