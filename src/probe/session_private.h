/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the files of a session share: session.c moves bytes, takes replies and
 * shakes hands; session_command.c says what comes next; session_login.c logs in.
 */
#ifndef SB_PROBE_SESSION_PRIVATE_H
#define SB_PROBE_SESSION_PRIVATE_H

#include "probe/session.h"
#include "smtp/ehlo.h"

#define COMMAND_MAX 1024 /* a line that is said, its end included */

/* ---- session.c ---- */

/* Sends one command, and waits for the reply of that stage. */
void session_say(struct session *s, enum session_stage stage, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void session_send(struct session *s, const char *bytes, size_t len);

/* The dialogue goes on in TLS. */
void session_begin_tls(struct session *s);

/* The reply at hand in one line, clean. */
const char *session_reply_text(struct session *s);

/* Asked for, and not said, for a reason of ours. */
void session_not_tried(struct session *s, enum session_stage stage, const char *why);

/* EV_SESSION_END; session_end() says it unless that is done, and ends the session. */
void session_tell_end(struct session *s, enum session_end end, const char *text);
void session_end(struct session *s, enum session_end end, const char *text);

/* ---- session_command.c ---- */

/* What follows a reply at s->stage. */
void session_next_command(struct session *s, int code, const char *const *lines);

void session_ehlo(struct session *s, enum session_stage stage);

/* MAIL where the plan asks for it, else what comes after it. */
void session_mail(struct session *s, const struct smtp_ehlo *ehlo);

void session_quit(struct session *s);

/* ---- session_login.c ---- */

void session_login(struct session *s, const struct smtp_ehlo *ehlo);
void session_after_login(struct session *s, int code);

/* Servers that echo what they don't understand would bring the password into the report. */
bool session_repeats_secret(const struct session *s);

#endif
