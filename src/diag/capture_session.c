/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Facts of the dialogue: how far it came, who ended it, and who looks to have been in between. */
#include <string.h>

#include "base/clock.h"
#include "diag/capture_note.h"

#define TLS_ALERT_CLOSE_NOTIFY 0   /* RFC 8446 section 6: no error */
#define TLS_ALERT_USER_CANCELED 90
#define TLS_1_3 0x0304
#define TLS_HANDSHAKE 0x16 /* record type, RFC 8446 5.1 */

static bool is_good(const struct conn_reply *r)
{
	return r->code >= 200 && r->code < 400;
}

/* ---- how far it came ---- */

/* Application data both ways. In TLS 1.3 the end of the handshake looks like that too, and so does
 * the alert by which a client refuses the certificate: the server must have said more after it. */
static bool tls_is_up(const struct conn *c)
{
	const struct conn_tls *t = c->tls;

	if (!t || !conn_seen(t->app_data[CONN_CLIENT]) || !conn_seen(t->app_data[CONN_SERVER]))
		return false;
	return (t->version && t->version < TLS_1_3) ||
	       conn_before(t->app_data[CONN_CLIENT], c->half[CONN_SERVER].last_data);
}

static bool good_answers(const struct conn *c)
{
	/* "221 Bye" says every server, whatever it thinks of the client */
	for (unsigned stage = STAGE_EHLO; stage < STAGE_QUIT; stage++)
		if (is_good(&c->smtp->replies[stage]))
			return true;
	return false;
}

static bool mail_begun(const struct conn *c)
{
	const struct conn_smtp *s = c->smtp;

	return s && (s->rcpt_ok > 0 || s->messages_ok > 0 || is_good(&s->replies[STAGE_MAIL]));
}

/* Nothing that either side does after this keeps mail from anybody. */
static bool is_done(const struct conn *c)
{
	const struct conn_smtp *s = c->smtp;

	if (!s)
		return false;
	return conn_seen(s->asked[STAGE_QUIT]) || (s->messages_ok > 0 && s->unanswered == 0);
}

static bool in_tls(const struct conn *c)
{
	const struct conn_smtp *s = c->smtp;

	return (c->tls && conn_seen(c->tls->client_hello)) ||
	       (s && is_good(&s->replies[STAGE_STARTTLS]) && !s->clear_after_starttls);
}

static enum session_stage stage_of(const struct conn *c)
{
	const struct conn_smtp *s = c->smtp;

	if (in_tls(c))
		return tls_is_up(c) ? STAGE_EHLO_TLS : STAGE_TLS;
	if (!s || s->replies[STAGE_GREETING].code == 0)
		return s && s->commands > 0 ? (enum session_stage)s->stage : STAGE_GREETING;
	return s->unanswered > 0 || s->answers <= 1 ? (enum session_stage)s->stage
						    : (enum session_stage)s->last_stage;
}

/* ---- waiting for the server ---- */

/* Since when the server owes its next word; not seen: it owes none. */
static struct conn_mark owed_since(const struct capture_facts *f)
{
	const struct conn *c = f->conn;
	const struct conn_smtp *s = c->smtp;
	struct conn_mark none = {0};

	if (in_tls(c) && !tls_is_up(c)) {
		bool hello = c->tls && conn_seen(c->tls->client_hello) && !conn_seen(c->tls->server_hello);
		return hello ? c->tls->client_hello : none;
	}
	if (s && s->unanswered > 0)
		return s->last_command;
	return c->half[CONN_SERVER].bytes == 0 ? c->established : none;
}

/* By whom, and when, the waiting ended: the client's own farewell, or the end of what was seen. */
static int64_t waited_until(const struct capture_facts *f, bool *client_left)
{
	const struct conn *c = f->conn;
	struct conn_mark end = c->half[CONN_CLIENT].fin;

	for (unsigned i = 0; i < c->n_rsts && !conn_seen(end); i++)
		if (c->rsts[i].side == CONN_CLIENT)
			end = c->rsts[i].at;
	*client_left = conn_seen(end);
	return *client_left ? conn_ns(c, end) : f->until_ns;
}

static void waiting(struct capture_facts *f)
{
	const struct conn *c = f->conn;
	struct conn_mark since = owed_since(f);
	bool client_left = false;
	int64_t until = waited_until(f, &client_left);

	/* who hangs up is not silent, and that comes from the other side: see CF_CLOSED, CF_RST */
	if (!conn_seen(since) || conn_before(since, c->half[CONN_SERVER].fin) ||
	    (c->n_rsts > 0 && c->rsts[0].side == CONN_SERVER))
		return;
	f->waited_ns = until - conn_ns(c, since);
	bool waited = f->waited_ns >= (client_left ? CAPTURE_WAIT_CLIENT_NS : CAPTURE_WAIT_OPEN_NS);
	capture_note(f, CF_WAITED, waited);
	capture_note(f, CF_CLIENT_LEFT, client_left && !waited);
}

static void closing(struct capture_facts *f)
{
	const struct conn *c = f->conn;
	const struct conn_smtp *s = c->smtp;
	struct conn_mark server = c->half[CONN_SERVER].fin, client = c->half[CONN_CLIENT].fin;
	struct conn_mark since = owed_since(f);
	bool first = conn_seen(server) && !conn_before(client, server);
	/* what the client said to a closed door was not owed an answer, and one that makes no sense is one */
	bool spoke = conn_before(since, c->half[CONN_SERVER].last_data);
	bool owed = (conn_seen(since) && !conn_before(server, since) && !spoke) || (in_tls(c) && !tls_is_up(c));
	/* a refusal, then the door: the refusal is what counts */
	bool goodbye = s && s->answers > 0 && s->replies[s->last_stage].code >= 400;

	capture_note(f, CF_CLOSED, first && owed && !goodbye && !is_done(c));
}

/* ---- what does not get through ---- */

static bool lost_elsewhere(const struct conn *c, enum conn_side stuck)
{
	const struct conn_half *half = &c->half[stuck], *other = &c->half[!stuck];

	return half->resent > half->stuck.repeats || half->late > 0 || other->resent > 0 || other->late > 0;
}

static bool is_stuck(const struct conn *c, enum conn_side side)
{
	const struct conn_stuck *s = &c->half[side].stuck;
	unsigned least = lost_elsewhere(c, side) ? STALL_MIN_REPEATS : CAPTURE_STUCK_REPEATS;

	return s->bytes > 0 && s->repeats >= least;
}

static bool is_large_only(const struct conn_half *half)
{
	return half->stuck.size >= CAPTURE_LARGE_BYTES && half->size_acked < CAPTURE_LARGE_BYTES;
}

static void flow(struct capture_facts *f)
{
	const struct conn *c = f->conn;
	const struct conn_half *client = &c->half[CONN_CLIENT], *server = &c->half[CONN_SERVER];
	bool client_stuck = is_stuck(c, CONN_CLIENT), server_stuck = is_stuck(c, CONN_SERVER);
	bool shut = server->zero_windows > 0 && server->window_last == 0;

	capture_note(f, CF_CLIENT_STUCK, client_stuck && !shut);
	capture_note(f, CF_SERVER_STUCK, server_stuck);
	capture_note(f, CF_LARGE_STUCK, (client_stuck && is_large_only(client)) ||
						(server_stuck && is_large_only(server)));
	capture_note(f, CF_CLIENT_MUTE, conn_seen(server->first_data) && client->packets > 0 &&
						!conn_before(server->first_data, client->last));
	capture_note(f, CF_ZERO_WINDOW, shut);
	capture_note(f, CF_DRIP, server->bytes >= CAPTURE_DRIP_BYTES && server->segments > server->bytes / 2);
}

/* ---- refusals ---- */

static unsigned digits(const char **p, const char *end, unsigned max)
{
	unsigned n = 0, value = 0;

	for (; *p < end && **p >= '0' && **p <= '9' && n < max; (*p)++, n++)
		value = value * 10 + (unsigned)(**p - '0');
	return n ? value : UINT32_MAX;
}

/* RFC 3463 section 2: "5.7.1 text". False where there is none. */
static bool enhanced_code(const struct conn *c, const struct conn_reply *r, unsigned *subject,
			  unsigned *detail)
{
	const char *p = conn_text(c, r->text), *end = p + r->text.len;
	unsigned class = digits(&p, end, 1);

	if ((class != 2 && class != 4 && class != 5) || p == end || *p++ != '.')
		return false;
	*subject = digits(&p, end, 3);
	if (*subject == UINT32_MAX || p == end || *p++ != '.')
		return false;
	*detail = digits(&p, end, 3);
	return *detail != UINT32_MAX;
}

/* Did the server send that reply for reasons of policy (RFC 3463 X.7.x, RFC 5321 421, 521, 554)? */
static bool reply_is_policy(const struct conn *c, const struct conn_reply *r)
{
	unsigned subject, detail;

	if (r->code < 400)
		return false;
	if (enhanced_code(c, r, &subject, &detail))
		return subject == 7 || (subject == 3 && detail == 2); /* X.3.2: accepts no messages */
	return r->code == 421 || r->code == 521 || r->code == 554;
}

/* The server's own idle timeout: nobody had asked it anything. */
static bool is_idle_timeout(const struct conn *c, const struct conn_reply *r)
{
	const struct conn_smtp *s = c->smtp;
	unsigned subject, detail;

	if (r->code != 421)
		return false;
	if (enhanced_code(c, r, &subject, &detail) && subject == 4 && detail == 2)
		return true;
	return conn_seen(s->last_command) &&
	       conn_ns(c, r->at) - conn_ns(c, s->last_command) >= CAPTURE_IDLE_NS;
}

static void refusals(struct capture_facts *f)
{
	const struct conn *c = f->conn;
	const struct conn_smtp *s = c->smtp;
	const struct conn_reply *greeting = &s->replies[STAGE_GREETING], *hello = &s->replies[STAGE_EHLO];
	bool mail = mail_begun(c), timeout = is_idle_timeout(c, &s->bad);
	bool client_hello = s->client_first.len > 0 && (uint8_t)conn_text(c, s->client_first)[0] == TLS_HANDSHAKE;
	bool policy = s->bad_stage >= STAGE_EHLO && reply_is_policy(c, &s->bad) && !timeout;

	capture_note(f, CF_GREETED, is_good(greeting));
	capture_note(f, CF_GREETING_REJECT, greeting->code >= 400 && !good_answers(c));
	capture_note(f, CF_EHLO_REJECT, hello->code >= 400 && !mail && !(hello->code == 421 && timeout));
	capture_note(f, CF_AUTH_REJECT, s->replies[STAGE_AUTH].code >= 400 && !mail);
	capture_note(f, CF_POLICY_REJECT, policy && s->messages_ok == 0 && s->bad_stage >= STAGE_MAIL);
	capture_note(f, CF_STARTTLS_REJECT, s->replies[STAGE_STARTTLS].code >= 400 && !mail &&
						    !conn_seen(s->asked[STAGE_AUTH]) &&
						    !conn_seen(s->asked[STAGE_MAIL]));
	/* a ClientHello where the server waits for words */
	capture_note(f, CF_TLS_FAILED, client_hello && !good_answers(c));
	capture_note(f, CF_NOT_SMTP, conn_seen(s->not_smtp) && !is_good(greeting) && !good_answers(c));
}

/* ---- TLS ---- */

static void tls(struct capture_facts *f, const struct signatures *signatures)
{
	const struct conn *c = f->conn;
	const struct conn_tls *t = c->tls;
	bool server = false, client = false;
	char issuer[512];

	for (unsigned i = 0; i < t->n_alerts; i++) {
		const struct conn_alert *a = &t->alerts[i];
		bool harmless = a->description == TLS_ALERT_CLOSE_NOTIFY ||
				a->description == TLS_ALERT_USER_CANCELED;
		if (harmless)
			continue;
		server |= a->side == CONN_SERVER && !client;
		client |= a->side == CONN_CLIENT && !server;
	}
	bool up = tls_is_up(c), broken = conn_seen(t->broken) && t->broken_side == CONN_SERVER;
	capture_note(f, CF_TLS_FAILED, !up && conn_seen(t->client_hello) && (server || broken));
	capture_note(f, CF_TLS_CLIENT_REFUSES, !up && client && conn_seen(t->server_hello));
	if (t->issuer.len == 0 || t->issuer.len >= sizeof(issuer))
		return;
	memcpy(issuer, conn_text(c, t->issuer), t->issuer.len);
	issuer[t->issuer.len] = '\0';
	const struct signature *known = signature_find(signatures, SIGNATURE_ISSUER, issuer);
	f->interceptor = known && known->interceptor ? known : NULL;
	capture_note(f, CF_TLS_INTERCEPTOR, f->interceptor != NULL);
}

/* ---- masks ---- */

static bool greeting_masked(const struct conn *c)
{
	const struct conn_reply *r = &c->smtp->replies[STAGE_GREETING];
	char text[256];
	size_t n = r->text.len < sizeof(text) - 1 ? r->text.len : sizeof(text) - 1;

	if (n == 0 || !memchr(conn_text(c, r->text), '*', n))
		return false;
	memcpy(text, conn_text(c, r->text), n);
	text[n] = '\0';
	for (char *p = text; *p; p++)
		if (*p == '\n') /* as the live dialogue joins its lines */
			*p = '/';
	return smtp_greeting_masked(text);
}

const struct smtp_ehlo *capture_ehlo_of(struct capture_ehlo *e, const struct conn *c)
{
	const struct conn_reply *r = c->smtp ? &c->smtp->replies[STAGE_EHLO] : NULL;
	unsigned n_lines = 1;

	if (!r || !is_good(r))
		return NULL;
	const char *text = conn_text(c, r->text), *keywords = memchr(text, '\n', r->text.len);
	size_t n = keywords ? (size_t)(text + r->text.len - keywords) : 0;
	if (n > sizeof(e->raw))
		n = sizeof(e->raw);
	if (e->number > 0 && e->len == n && (n == 0 || memcmp(e->raw, keywords, n) == 0))
		return &e->parsed;
	e->number++;
	e->len = n;
	if (n > 0)
		memcpy(e->raw, keywords, n);
	memcpy(e->text, e->raw, n);
	e->text[n] = '\0';
	e->lines[0] = "";
	for (char *p = e->text; (p = memchr(p, '\n', n - (size_t)(p - e->text))) != NULL;) {
		*p++ = '\0';
		if (n_lines == CAPTURE_EHLO_LINES)
			break;
		e->lines[n_lines++] = p;
	}
	e->lines[n_lines] = NULL;
	smtp_ehlo_parse(&e->parsed, e->lines);
	return &e->parsed;
}

static void masks(struct capture_facts *f)
{
	capture_note(f, CF_BANNER_MASKED, greeting_masked(f->conn));
	capture_note(f, CF_EHLO_MASKED, f->ehlo && f->ehlo->masked > 0);
	capture_note(f, CF_STARTTLS_MASKED, f->ehlo && f->ehlo->starttls_masked);
}

void capture_session_facts(struct capture_facts *f, const struct signatures *signatures)
{
	const struct conn *c = f->conn;
	bool up = tls_is_up(c);

	f->stage = stage_of(c);
	capture_note(f, CF_SERVER_SPOKE, c->half[CONN_SERVER].bytes > 0);
	capture_note(f, CF_DONE, is_done(c));
	capture_note(f, CF_IN_TLS, in_tls(c));
	capture_note(f, CF_TLS_UP, up);
	capture_note(f, CF_WORKS, up || (c->smtp && (is_good(&c->smtp->replies[STAGE_GREETING]) || good_answers(c))));
	waiting(f);
	closing(f);
	flow(f);
	if (c->smtp) {
		refusals(f);
		masks(f);
	}
	if (c->tls)
		tls(f, signatures);
}
