/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is said: the server's replies and the client's commands, each put to
 * the stage of the other. Texts are kept as far as they may matter; what a
 * client says behind AUTH, and the messages, never.
 */
#include <stdio.h>
#include <string.h>

#include "conn/engine_private.h"

/* Kept of a reply's text, by what it is. */
#define EHLO_TEXT_MAX     1536
#define GREETING_TEXT_MAX 512
#define REFUSAL_TEXT_MAX  512
#define REPLY_TEXT_MAX    96
#define FIRST_BYTES_MAX   64
#define SEEKS_MAX         4 /* lines that are no reply until the server is taken for something else */

static enum talk_mode mode_of(const struct talk *k, enum conn_side side)
{
	return k->mode[side];
}

static void set_mode(struct talk *k, enum conn_side side, enum talk_mode mode)
{
	k->mode[side] = (uint8_t)mode;
}

static bool is_tls_record(const uint8_t *bytes, size_t len)
{
	return bytes[0] >= 20 && bytes[0] <= 23 && (len < 2 || bytes[1] == 3);
}

static bool is_digit(uint8_t b)
{
	return b >= '0' && b <= '9';
}

static bool is_reply(const uint8_t *b, size_t len)
{
	return len >= 4 && b[0] >= '2' && b[0] <= '5' && is_digit(b[1]) && is_digit(b[2]) &&
	       (b[3] == ' ' || b[3] == '-' || b[3] == '\r' || b[3] == '\n');
}

/* ---- is it SMTP at all? ---- */

bool talk_greets(const uint8_t *b, size_t len)
{
	if (!is_reply(b, len))
		return false;
	return memcmp(b, "220", 3) == 0 || memcmp(b, "421", 3) == 0 || memcmp(b, "554", 3) == 0;
}

bool talk_says_hello(const uint8_t *b, size_t len)
{
	return len >= 5 && b[4] == ' ' &&
	       (strncasecmp((const char *)b, "EHLO", 4) == 0 ||
		strncasecmp((const char *)b, "HELO", 4) == 0);
}

static bool contains(const char *text, size_t len, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i + n <= len; i++)
		if (strncasecmp(text + i, word, n) == 0)
			return true;
	return false;
}

static void weigh_greeting(struct track *t, const struct conn_reply *r)
{
	const char *text = t->body->text + r->text.at;

	if (t->proof != PROOF_NONE)
		return;
	t->proof = PROOF_MAYBE;
	if (contains(text, r->text.len, "SMTP") || contains(text, r->text.len, "****"))
		t->proof = PROOF_GREETED;
}

bool talk_may_be_smtp(const struct track *t)
{
	const struct talk *k = t->body->talk;

	return k && !conn_seen(k->smtp.not_smtp) && mode_of(k, CONN_SERVER) == TALK_SMTP;
}

/* ---- commands that wait for replies ---- */

static unsigned waiting(const struct talk *k)
{
	return k->queue_in - k->queue_out;
}

static void push(struct talk *k, unsigned stage)
{
	if (waiting(k) == TALK_QUEUE_MAX) {
		k->smtp.stopped = true;
		k->queue_out++;
	}
	k->queue[k->queue_in++ % TALK_QUEUE_MAX] = (uint8_t)stage;
}

static bool pop(struct talk *k, unsigned *stage)
{
	if (waiting(k) == 0)
		return false;
	*stage = k->queue[k->queue_out++ % TALK_QUEUE_MAX];
	return true;
}

/* ---- replies ---- */

static size_t text_max(unsigned stage, unsigned code)
{
	if (stage == STAGE_EHLO || stage == STAGE_EHLO_TLS)
		return EHLO_TEXT_MAX;
	if (stage == STAGE_GREETING)
		return GREETING_TEXT_MAX;
	return code >= 400 ? REFUSAL_TEXT_MAX : REPLY_TEXT_MAX;
}

/* The text of the reply that just ended stands last. It moves to where the stage's older reply had
 * its own, if that is not needed and the room is enough. */
static void settle_text(struct body *b, struct conn_smtp *smtp, const struct conn_reply *old,
			struct conn_reply *r, size_t max)
{
	bool shared = old->text.at == smtp->bad.text.at && smtp->bad.text.len;

	if (r->text.len > max) {
		r->text.len = (uint16_t)max;
		r->cut = true;
	}
	if (r->text.len == 0 || old->text.len < r->text.len || shared) {
		b->text_len = r->text.at + r->text.len;
		return;
	}
	b->text_len = r->text.at;
	memmove(b->text + old->text.at, b->text + r->text.at, r->text.len);
	r->text.at = old->text.at;
}

static void bump(uint16_t *count)
{
	if (*count < UINT16_MAX)
		(*count)++;
}

/* What a reply means for what comes next. */
static void follow(struct talk *k, unsigned stage, unsigned code)
{
	struct conn_smtp *smtp = &k->smtp;
	bool ok = code < 400;

	switch (stage) {
	case STAGE_EHLO:
	case STAGE_EHLO_TLS:
		if (smtp->hello_code == 0)
			smtp->hello_code = (uint16_t)code;
		break;
	case STAGE_STARTTLS: k->tls_next = code == 220; break;
	case STAGE_AUTH: k->auth_next = code == 334; break;
	case STAGE_RCPT: bump(ok ? &smtp->rcpt_ok : &smtp->rcpt_bad); break;
	case STAGE_DATA:
		if (!ok && mode_of(k, CONN_CLIENT) == TALK_MESSAGE)
			set_mode(k, CONN_CLIENT, TALK_SMTP);
		break;
	case STAGE_MESSAGE:
		bump(ok ? &smtp->messages_ok : &smtp->messages_bad);
		if (mode_of(k, CONN_CLIENT) == TALK_MESSAGE)
			set_mode(k, CONN_CLIENT, TALK_SMTP);
		break;
	}
}

/* To what the reply answers; false: to nothing that was seen. */
static bool stage_of_reply(const struct track *t, struct talk *k, unsigned code, unsigned *stage)
{
	bool first = !k->ever_replied;

	k->ever_replied = true;
	if (first && (t->begin != CONN_FROM_MIDDLE ||
		      (k->smtp.commands == 0 && (code == 220 || code == 421 || code == 554)))) {
		*stage = STAGE_GREETING;
		return true;
	}
	if (pop(k, stage))
		return true;
	/* in the middle of a message: it is refused, or its end was not seen */
	*stage = STAGE_MESSAGE;
	return mode_of(k, CONN_CLIENT) == TALK_MESSAGE && k->smtp.replies[STAGE_DATA].code == 354;
}

static void take_unasked(struct talk *k, struct body *b, struct conn_reply *r)
{
	struct conn_smtp *smtp = &k->smtp;

	k->unasked_open = smtp->unasked.code == 0;
	k->unasked_ack = b->stream[CONN_CLIENT].una;
	if (smtp->unasked.code)
		b->text_len = r->text.at;
	else
		smtp->unasked = *r;
}

static void assign(struct track *t, struct talk *k, struct conn_reply *r, unsigned stage)
{
	struct conn_smtp *smtp = &k->smtp;
	struct body *b = t->body;

	follow(k, stage, r->code);
	if (stage == STAGE_OTHER) {
		b->text_len = r->text.at;
		return;
	}
	settle_text(b, smtp, &smtp->replies[stage], r, text_max(stage, r->code));
	smtp->replies[stage] = *r;
	smtp->last_stage = (uint8_t)stage;
	if (r->code >= 400 && smtp->bad.code == 0) {
		smtp->bad = *r;
		smtp->bad_stage = (uint8_t)stage;
	}
	if (stage == STAGE_GREETING)
		weigh_greeting(t, r);
}

static void end_reply(struct engine *e, struct track *t, struct talk *k)
{
	const struct smtp_scan *s = &k->scan;
	struct conn_reply r = {
		.at = e->mark,
		.code = s->code,
		.lines = s->n_lines,
		.cut = k->reply_cut,
		.mixed_codes = s->mixed_codes,
		.bare_lf = s->bare_lf,
		.text = {.at = k->reply_at, .len = k->reply_len},
	};
	unsigned stage;

	bump(&k->smtp.answers);
	if (stage_of_reply(t, k, r.code, &stage))
		assign(t, k, &r, stage);
	else
		take_unasked(k, t->body, &r);
	k->scan = (struct smtp_scan){0};
}

/* The line's beginning, which the parser took apart, and what followed. */
static struct conn_text odd_bytes(struct engine *e, struct track *t, const struct smtp_scan *s,
				  const uint8_t *rest, size_t len)
{
	char bytes[FIRST_BYTES_MAX];
	size_t n = s->line_len < sizeof(s->digits) ? s->line_len : sizeof(s->digits);

	memcpy(bytes, s->digits, n);
	if (s->line_len > sizeof(s->digits))
		bytes[n++] = s->separator;
	if (len > sizeof(bytes) - n)
		len = sizeof(bytes) - n;
	memcpy(bytes + n, rest, len);
	return text_add(e, t, bytes, n + len);
}

/* The byte before `rest` is what no reply holds in this place. */
static void end_smtp(struct engine *e, struct track *t, struct talk *k, const uint8_t *rest,
		     size_t len)
{
	t->body->text_len = k->reply_at;
	if (!conn_seen(k->smtp.not_smtp)) {
		k->smtp.not_smtp = e->mark;
		k->smtp.server_first = odd_bytes(e, t, &k->scan, rest - 1, len + 1);
	}
	k->scan = (struct smtp_scan){0};
	set_mode(k, CONN_SERVER, k->seeks++ < SEEKS_MAX ? TALK_SEEK : TALK_OPAQUE);
}

/* Makes sure that the text of the reply in progress stands last. */
static void resume_text(struct engine *e, struct track *t, struct talk *k)
{
	struct body *b = t->body;

	if (k->reply_at + k->reply_len == b->text_len)
		return;
	if (text_room(e, t, k->reply_len) < k->reply_len) {
		k->reply_len = 0;
		k->reply_cut = true;
	}
	memmove(b->text + b->text_len, b->text + k->reply_at, k->reply_len);
	k->reply_at = (uint16_t)b->text_len;
	b->text_len += k->reply_len;
}

static size_t reply_bytes(struct engine *e, struct track *t, struct talk *k, const uint8_t *bytes,
			  size_t len)
{
	struct body *b = t->body;

	if (k->scan.bytes == 0) {
		k->reply_at = (uint16_t)b->text_len;
		k->reply_len = 0;
		k->reply_cut = false;
	} else {
		resume_text(e, t, k);
	}
	size_t want = EHLO_TEXT_MAX - k->reply_len;
	size_t room = text_room(e, t, len < want ? len : want);
	struct smtp_sink sink = {
		.text = b->text + k->reply_at,
		.len = k->reply_len,
		.size = k->reply_len + (room < want ? room : want),
	};
	size_t used = 0;
	if (k->scan.bytes == 0)
		used = smtp_scan_whole(&k->scan, (const char *)bytes, len, &sink);
	if (used == 0)
		used = smtp_scan(&k->scan, (const char *)bytes, len, &sink);
	k->reply_len = (uint16_t)sink.len;
	k->reply_cut = k->reply_cut || sink.cut;
	b->text_len = k->reply_at + k->reply_len;
	switch ((enum smtp_status)k->scan.status) {
	case SMTP_MORE: break;
	case SMTP_REPLY: end_reply(e, t, k); break;
	case SMTP_NOT_SMTP: end_smtp(e, t, k, bytes + used, len - used); break;
	case SMTP_TOO_LONG:
		k->smtp.stopped = true;
		set_mode(k, CONN_SERVER, TALK_OPAQUE);
		break;
	}
	return used;
}

/* ---- commands ---- */

struct word {
	char verb[9];
	uint8_t stage;
};

static const struct word words[] = {
	{"EHLO", STAGE_EHLO},         {"HELO", STAGE_EHLO},     {"LHLO", STAGE_EHLO},
	{"MAIL", STAGE_MAIL},         {"RCPT", STAGE_RCPT},     {"DATA", STAGE_DATA},
	{"QUIT", STAGE_QUIT},         {"AUTH", STAGE_AUTH},     {"BDAT", STAGE_DATA},
	{"STARTTLS", STAGE_STARTTLS}, {"RSET", STAGE_OTHER},    {"NOOP", STAGE_OTHER},
	{"VRFY", STAGE_OTHER},        {"EXPN", STAGE_OTHER},    {"HELP", STAGE_OTHER},
	{"ETRN", STAGE_OTHER},        {"XCLIENT", STAGE_OTHER}, {"XFORWARD", STAGE_OTHER},
};

static const struct word *word_of(const char verb[8])
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (memcmp(verb, words[i].verb, 8) == 0) /* padded with NULs, both */
			return &words[i];
	return NULL;
}

/* Letters of the first word in upper case; returns its length. */
static size_t read_verb(const char *line, size_t len, char verb[8])
{
	size_t n = 0;

	memset(verb, 0, 8);
	while (n < len && ((line[n] | 0x20) >= 'a' && (line[n] | 0x20) <= 'z')) {
		if (n < 8)
			verb[n] = (char)(line[n] & ~0x20);
		n++;
	}
	if (n > 8)
		memset(verb, 0, 8); /* none that is known is so long */
	return n;
}

/* "BDAT 1000 LAST" */
static unsigned begin_chunk(struct talk *k, const char *arg, size_t len)
{
	uint64_t size = 0;
	size_t n = 0;

	for (; n < len && is_digit((uint8_t)arg[n]) && size < UINT32_MAX; n++)
		size = size * 10 + (uint64_t)(arg[n] - '0');
	k->left = size;
	if (size)
		set_mode(k, CONN_CLIENT, TALK_CHUNK);
	return contains(arg + n, len - n, "LAST") ? STAGE_MESSAGE : STAGE_DATA;
}

static void keep_hello(struct engine *e, struct track *t, struct talk *k, const char *line,
		       size_t len, const char *verb)
{
	struct conn_smtp *smtp = &k->smtp;

	smtp->helo = verb[0] == 'H';
	if (smtp->hello.len >= len) {
		memcpy(t->body->text + smtp->hello.at, line, len);
		smtp->hello.len = (uint16_t)len;
	} else {
		smtp->hello = text_add(e, t, line, len);
	}
	if (t->proof != PROOF_LISTED)
		t->proof = PROOF_SPOKEN;
}

/* What belongs to the command besides its stage; returns that, which may differ by its argument. */
static unsigned obey(struct engine *e, struct track *t, struct talk *k, const struct word *w,
		     const char *line, size_t len, size_t verb_len)
{
	const char *arg = line + verb_len;
	size_t arg_len = len - verb_len;

	while (arg_len && *arg == ' ') {
		arg++;
		arg_len--;
	}
	switch (w->stage) {
	case STAGE_EHLO:
		keep_hello(e, t, k, line, len, w->verb);
		return k->smtp.clear_after_starttls ? STAGE_EHLO_TLS : STAGE_EHLO;
	case STAGE_AUTH: {
		char mechanism[8];
		size_t n = read_verb(arg, arg_len, mechanism);
		/* only as far as it is a word: never what follows */
		if (k->smtp.auth.len == 0)
			k->smtp.auth = text_add(e, t, arg, n < 24 ? n : 24);
		return STAGE_AUTH;
	}
	case STAGE_DATA:
		if (w->verb[0] == 'B')
			return begin_chunk(k, arg, arg_len);
		set_mode(k, CONN_CLIENT, TALK_MESSAGE);
		k->tail = 0x0d0a;
		return STAGE_DATA;
	default: return w->stage;
	}
}

/* A command that the capture shows after its reply. */
static bool was_answered(struct track *t, struct talk *k)
{
	const struct stream *s = &t->body->stream[CONN_CLIENT];

	return k->unasked_open && (int32_t)(k->unasked_ack - s->parsed) >= 0;
}

static void take_late_reply(struct talk *k, unsigned stage)
{
	struct conn_smtp *smtp = &k->smtp;
	struct conn_reply r = smtp->unasked;

	smtp->unasked = (struct conn_reply){0};
	k->unasked_open = false;
	follow(k, stage, r.code);
	if (stage == STAGE_OTHER)
		return;
	smtp->replies[stage] = r;
	smtp->last_stage = (uint8_t)stage;
	if (r.code >= 400 && smtp->bad.code == 0) {
		smtp->bad = r;
		smtp->bad_stage = (uint8_t)stage;
	}
}

static void asked(struct engine *e, struct track *t, struct talk *k, unsigned stage)
{
	struct conn_smtp *smtp = &k->smtp;

	smtp->last_command = e->mark;
	if (stage != STAGE_OTHER) {
		smtp->asked[stage] = smtp->last_command;
		if (stage > smtp->stage)
			smtp->stage = (uint8_t)stage;
	}
	if (was_answered(t, k))
		take_late_reply(k, stage);
	else
		push(k, stage);
	k->unasked_open = false;
}

static void odd_command(struct engine *e, struct track *t, struct talk *k, const char *line,
			size_t len)
{
	if (k->smtp.odd_command.len == 0)
		k->smtp.odd_command = text_add(e, t, line, len);
}

static void command(struct engine *e, struct track *t, struct talk *k, const char *line, size_t len)
{
	struct conn_smtp *smtp = &k->smtp;
	char verb[8];

	if (len && line[len - 1] == '\r')
		len--;
	if (k->auth_next) {
		k->auth_next = false;
		asked(e, t, k, STAGE_AUTH);
		return;
	}
	size_t verb_len = read_verb(line, len, verb);
	const struct word *w = word_of(verb);
	bump(&smtp->commands);
	memcpy(smtp->verb, verb, sizeof(smtp->verb));
	if (!k->ever_replied && t->begin != CONN_FROM_MIDDLE && !conn_seen(smtp->early))
		smtp->early = e->mark;
	if (!w)
		odd_command(e, t, k, line, len);
	asked(e, t, k, w ? obey(e, t, k, w, line, len, verb_len) : STAGE_OTHER);
}

/* Up to the end of a line; what is kept of it is its beginning. */
static size_t command_bytes(struct engine *e, struct track *t, struct talk *k, const uint8_t *bytes,
			    size_t len)
{
	const uint8_t *lf = memchr(bytes, '\n', len);
	size_t n = lf ? (size_t)(lf - bytes) : len;

	if (lf && k->line_len == 0) {
		command(e, t, k, (const char *)bytes, n < TALK_LINE_MAX ? n : TALK_LINE_MAX);
		return n + 1;
	}
	size_t room = k->line_len < TALK_LINE_MAX ? TALK_LINE_MAX - k->line_len : 0;
	memcpy(k->line + (TALK_LINE_MAX - room), bytes, n < room ? n : room);
	k->line_len = (uint16_t)(k->line_len + n < UINT16_MAX ? k->line_len + n : UINT16_MAX);
	if (!lf)
		return n;
	size_t kept = k->line_len < TALK_LINE_MAX ? k->line_len : TALK_LINE_MAX;
	k->line_len = 0;
	command(e, t, k, k->line, kept);
	return n + 1;
}

/* ---- messages ---- */

static const char end_of_message[] = "\r\n.\r\n";

#define END_LEN  (sizeof(end_of_message) - 1)
#define TAIL_LEN (END_LEN - 1)

static void keep_tail(struct talk *k, const uint8_t *bytes, size_t len)
{
	for (size_t i = len > TAIL_LEN ? len - TAIL_LEN : 0; i < len; i++)
		k->tail = k->tail << 8 | bytes[i];
}

/* How many bytes there are up to the end of the message; 0: it is not among them. */
static size_t find_end(const struct talk *k, const uint8_t *bytes, size_t len)
{
	uint8_t seam[2 * TAIL_LEN];
	size_t n = len < TAIL_LEN ? len : TAIL_LEN;

	for (size_t i = 0; i < TAIL_LEN; i++)
		seam[i] = (uint8_t)(k->tail >> (8 * (TAIL_LEN - 1 - i)));
	memcpy(seam + TAIL_LEN, bytes, n);
	const uint8_t *at = memmem(seam, TAIL_LEN + n, end_of_message, END_LEN);
	if (at)
		return (size_t)(at - seam) + END_LEN - TAIL_LEN;
	at = memmem(bytes, len, end_of_message, END_LEN);
	return at ? (size_t)(at - bytes) + END_LEN : 0;
}

static size_t message_bytes(struct engine *e, struct track *t, struct talk *k, const uint8_t *bytes,
			    size_t len)
{
	size_t end = find_end(k, bytes, len);

	if (end == 0) {
		keep_tail(k, bytes, len);
		return len;
	}
	set_mode(k, CONN_CLIENT, TALK_SMTP);
	asked(e, t, k, STAGE_MESSAGE);
	return end;
}

static size_t chunk_bytes(struct talk *k, size_t len)
{
	size_t n = k->left < len ? (size_t)k->left : len;

	k->left -= n;
	if (k->left == 0)
		set_mode(k, CONN_CLIENT, TALK_SMTP);
	return n;
}

/* ---- bytes ---- */

static void begin_tls(struct engine *e, struct track *t, struct talk *k)
{
	struct body *b = t->body;

	set_mode(k, CONN_CLIENT, TALK_TLS);
	set_mode(k, CONN_SERVER, TALK_TLS);
	if (k->smtp.stage < STAGE_TLS)
		k->smtp.stage = STAGE_TLS;
	if (b->cipher)
		return;
	b->cipher = engine_take(e, &e->ciphers);
	if (!b->cipher)
		return;
	memset(b->cipher, 0, sizeof(*b->cipher));
	b->cipher->tls.immediate = !k->tls_next;
}

/* TLS where it can begin: instead of everything, after STARTTLS, or anywhere when the capture began
 * in the middle. */
static bool turns_to_tls(const struct track *t, const struct talk *k, const uint8_t *bytes,
			 size_t len)
{
	bool early = !k->ever_replied && k->smtp.commands == 0;

	return is_tls_record(bytes, len) &&
	       (k->tls_next || early || t->begin == CONN_FROM_MIDDLE || k->smtp.stopped);
}

static void seek(struct talk *k, enum conn_side side, const uint8_t **bytes, size_t *len)
{
	const uint8_t *lf = memchr(*bytes, '\n', *len);
	size_t n = lf ? (size_t)(lf - *bytes) + 1 : *len;

	*bytes += n;
	*len -= n;
	if (lf)
		set_mode(k, side, TALK_SMTP);
}

/* Keeps how the client's side of something else begins. */
static void client_is_odd(struct engine *e, struct track *t, struct talk *k, const uint8_t *bytes,
			  size_t len)
{
	k->smtp.client_first = text_add(e, t, bytes, len < FIRST_BYTES_MAX ? len : FIRST_BYTES_MAX);
	set_mode(k, CONN_CLIENT, TALK_OPAQUE);
}

static size_t smtp_bytes(struct engine *e, struct track *t, struct talk *k, enum conn_side side,
			 const uint8_t *bytes, size_t len)
{
	bool between = side == CONN_SERVER ? k->scan.bytes == 0 : k->line_len == 0;

	if (between && turns_to_tls(t, k, bytes, len)) {
		begin_tls(e, t, k);
		return 0;
	}
	if (side == CONN_SERVER)
		return reply_bytes(e, t, k, bytes, len);
	if (between && k->tls_next) {
		k->tls_next = false;
		k->smtp.clear_after_starttls = true;
	}
	if (between && k->smtp.commands == 0 &&
	    (bytes[0] < ' ' && bytes[0] != '\r' && bytes[0] != '\n')) {
		client_is_odd(e, t, k, bytes, len);
		return len;
	}
	return command_bytes(e, t, k, bytes, len);
}

static struct talk *talk_of(struct engine *e, struct track *t, enum conn_side side,
			    const uint8_t *bytes, size_t len)
{
	struct body *b = t->body;

	if (b->talk)
		return b->talk;
	struct talk *k = b->talk = engine_take(e, &e->talks);
	if (!k) {
		t->text_full = true;
		return NULL;
	}
	memset(k, 0, sizeof(*k));
	/* In the middle of what? Of a line, unless it looks like the beginning of one. */
	if (t->begin == CONN_FROM_MIDDLE || t->begin == CONN_FROM_ICMP) {
		char verb[8];
		read_verb((const char *)bytes, len, verb);
		bool client = side == CONN_CLIENT && word_of(verb);
		bool server = side == CONN_SERVER && is_reply(bytes, len);
		set_mode(k, CONN_CLIENT, client || side == CONN_SERVER ? TALK_SMTP : TALK_SEEK);
		set_mode(k, CONN_SERVER, server || side == CONN_CLIENT ? TALK_SMTP : TALK_SEEK);
		if (is_tls_record(bytes, len))
			begin_tls(e, t, k);
	}
	return k;
}

void talk_bytes(struct engine *e, struct track *t, enum conn_side side, const uint8_t *bytes,
		size_t len)
{
	struct talk *k = talk_of(e, t, side, bytes, len);

	while (k && len > 0) {
		size_t n = len;
		switch (mode_of(k, side)) {
		case TALK_SMTP: n = smtp_bytes(e, t, k, side, bytes, len); break;
		case TALK_MESSAGE: n = message_bytes(e, t, k, bytes, len); break;
		case TALK_CHUNK: n = chunk_bytes(k, len); break;
		case TALK_SEEK:
			seek(k, side, &bytes, &len);
			n = 0;
			break;
		case TALK_TLS:
			if (t->body->cipher)
				cipher_bytes(e, t, side, bytes, len);
			break;
		case TALK_OPAQUE: break;
		}
		bytes += n;
		len -= n;
	}
}

void talk_hole(struct engine *e, struct track *t, enum conn_side side, uint32_t len)
{
	struct talk *k = t->body->talk;

	if (!k)
		return;
	switch (mode_of(k, side)) {
	case TALK_SMTP:
	case TALK_SEEK:
		k->smtp.stopped = true;
		set_mode(k, side, TALK_SEEK);
		k->line_len = side == CONN_CLIENT ? 0 : k->line_len;
		if (side == CONN_SERVER) {
			if (k->scan.bytes && k->reply_at + k->reply_len == t->body->text_len)
				t->body->text_len = k->reply_at;
			k->scan = (struct smtp_scan){0};
			k->queue_out = k->queue_in;
		}
		break;
	case TALK_MESSAGE: k->tail = 0; break;
	case TALK_CHUNK: chunk_bytes(k, len); break;
	case TALK_TLS:
		if (t->body->cipher)
			cipher_hole(e, t, side);
		break;
	case TALK_OPAQUE: break;
	}
}

/* The reply in progress as it came, code included. */
static struct conn_text unfinished(struct engine *e, struct track *t, const struct talk *k)
{
	const struct smtp_scan *s = &k->scan;
	char bytes[FIRST_BYTES_MAX];
	size_t n = s->line_len < sizeof(s->digits) ? s->line_len : sizeof(s->digits);

	memcpy(bytes, s->digits, n);
	if (s->n_lines > 0)
		n = (size_t)snprintf(bytes, sizeof(bytes), "%u-", s->code);
	else if (s->line_len > sizeof(s->digits))
		bytes[n++] = s->separator;
	size_t len = k->reply_len < sizeof(bytes) - n ? k->reply_len : sizeof(bytes) - n;
	if (len)
		memcpy(bytes + n, t->body->text + k->reply_at, len);
	return text_add(e, t, bytes, n + len);
}

void talk_end(struct engine *e, struct track *t)
{
	struct talk *k = t->body->talk;

	if (!k)
		return;
	k->smtp.unanswered = (uint16_t)waiting(k);
	if (k->scan.bytes && k->scan.status == SMTP_MORE)
		k->smtp.partial = unfinished(e, t, k);
}
