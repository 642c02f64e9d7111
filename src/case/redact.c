/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "case/redact.h"

#include <ctype.h>
#include <string.h>

#include "model/fields.h"

#define LABELS_MAX   4096
#define LABEL_SIZE   64
#define KNOWN_MAX    16

/* A name's labels become others of the same length: what was equal stays equal. */
struct label {
	const char *was, *is;
};

struct redactor {
	struct saved_case *c;
	struct arena *arena;
	struct label *labels;
	unsigned n_labels;
	unsigned of_length[LABEL_SIZE];
	const char *known[KNOWN_MAX]; /* names without a dot */
	unsigned n_known;
};

static const char *new_label(struct redactor *r, const char *was)
{
	static const char digits[] = "xabcdefghijklmnopqrstuvwyz";
	size_t len = strlen(was);
	unsigned n = r->of_length[len < LABEL_SIZE ? len : 0]++;
	char *is = arena_strndup(r->arena, was, len);

	for (size_t i = len; i-- > 0; n /= 26)
		is[i] = digits[n % 26];
	return is;
}

static void put_label(struct redactor *r, char *at, size_t len)
{
	const char *was = arena_strndup(r->arena, at, len);
	const char *is = NULL;

	for (unsigned i = 0; i < r->n_labels && !is; i++)
		if (strcasecmp(r->labels[i].was, was) == 0)
			is = r->labels[i].is;
	if (!is) {
		is = new_label(r, was);
		if (r->n_labels < LABELS_MAX)
			r->labels[r->n_labels++] = (struct label){was, is};
	}
	memcpy(at, is, len);
}

/* Its last label tells too little to be anybody's name. */
static void put_name(struct redactor *r, char *at, size_t len, bool keep_last)
{
	size_t i = 0;

	while (i < len) {
		size_t n = 0;
		while (i + n < len && at[i + n] != '.' && at[i + n] != '@')
			n++;
		bool last = i + n == len;
		if (n && !(last && keep_last))
			put_label(r, at + i, n);
		i += n + 1;
	}
}

static bool in_name(char c)
{
	return isalnum((unsigned char)c) || (unsigned char)c >= 0x80 || (c && strchr("._%+@-*=", c));
}

/* "mx.example.net", "a@b": what ends in a label of two letters or more. */
static bool is_name(const char *at, size_t len)
{
	size_t last = len;

	while (last > 0 && at[last - 1] != '.' && at[last - 1] != '@')
		last--;
	if (memchr(at, '@', len))
		return true;
	if (last < 2 || len - last < 2)
		return false;
	for (size_t i = last; i < len; i++)
		if (!isalpha((unsigned char)at[i]))
			return strncasecmp(at + last, "xn--", 4) == 0;
	return true;
}

static bool is_known(const struct redactor *r, const char *at, size_t len)
{
	for (unsigned i = 0; i < r->n_known; i++)
		if (strlen(r->known[i]) == len && strncasecmp(r->known[i], at, len) == 0)
			return true;
	return false;
}

static void put_word(struct redactor *r, char *at, size_t len)
{
	char *equals = memchr(at, '=', len);

	if (equals) { /* "CN=mx.example.net", "FROM:<a=b@c>" */
		put_word(r, at, (size_t)(equals - at));
		put_word(r, equals + 1, len - (size_t)(equals + 1 - at));
		return;
	}
	while (len && strchr(".-*", at[len - 1]))
		len--;
	while (len && strchr(".-*", at[0])) {
		at++;
		len--;
	}
	if (len && is_name(at, len))
		put_name(r, at, len, true);
	else if (len && is_known(r, at, len))
		put_name(r, at, len, false);
}

static char *hidden(struct redactor *r, const char *s)
{
	char *copy = arena_strdup(r->arena, s), *at = copy;

	while (*at) {
		size_t n = 0;
		while (in_name(at[n]))
			n++;
		put_word(r, at, n);
		at += n ? n : 1;
	}
	return copy;
}

static char *masked(struct redactor *r, const char *s)
{
	char *copy = arena_strdup(r->arena, s);

	for (char *at = copy; *at; at++)
		if (isalnum((unsigned char)*at) || (unsigned char)*at >= 0x80)
			*at = 'x';
	return copy;
}

static const char *hide(void *arg, const struct field *f, const char *s)
{
	struct redactor *r = arg;

	if (strcmp(f->name, "spki_sha256") == 0) {
		char *zeros = arena_strdup(r->arena, s); /* public logs find a name by it */
		return memset(zeros, '0', strlen(zeros));
	}
	return hidden(r, s);
}

static const char *mask_all(void *arg, const struct field *f, const char *s)
{
	(void)f;
	return masked(arg, s);
}

/* "CN=mx.example.net,O=Some Company": of what is no host only its length stays. */
static const char *hidden_subject(struct redactor *r, const char *s)
{
	char *out = hidden(r, s);
	const char *end = out + strlen(out);

	for (char *at = out; at < end;) {
		size_t part = strcspn(at, ",+/");
		char *value = memchr(at, '=', part);
		bool host = value && value - at >= 2 && strncasecmp(value - 2, "CN", 2) == 0 &&
			    memchr(value, '.', part - (size_t)(value - at));
		for (char *p = value; value && !host && p < at + part; p++)
			if (isalnum((unsigned char)*p) || (unsigned char)*p >= 0x80)
				*p = 'x';
		at += part + 1;
	}
	return out;
}

static void know(struct redactor *r, const char *name)
{
	if (name && *name && !strchr(name, '.') && r->n_known < KNOWN_MAX)
		r->known[r->n_known++] = name;
}

static void redact_event(struct redactor *r, struct event *ev)
{
	const struct fact_kind *kind = fact_kind_of(ev);
	struct signatures *signatures = &r->c->plan.signatures;
	const char *subject = NULL, *issuer = NULL;

	if (!kind || (ev->kind == EV_HOST && (kind->record == HOST_SETTING ||
					      kind->record == HOST_COUNTER ||
					      kind->record == HOST_KERNEL_DROP)))
		return; /* the kernel's own words */
	if (ev->kind == EV_REPLY && ev->reply.stage == STAGE_AUTH) {
		fields_each_string(kind->fields, fact_data(kind, ev), mask_all, r, r->arena);
		return;
	}
	if (ev->kind == EV_TLS && ev->tls.subject)
		subject = hidden_subject(r, ev->tls.subject);
	if (ev->kind == EV_TLS && ev->tls.issuer)
		issuer = signature_find(signatures, SIGNATURE_ISSUER, ev->tls.issuer)
				 ? ev->tls.issuer
				 : hidden_subject(r, ev->tls.issuer);
	fields_each_string(kind->fields, fact_data(kind, ev), hide, r, r->arena);
	if (ev->kind == EV_TLS) {
		ev->tls.subject = subject;
		ev->tls.issuer = issuer;
	}
	if (ev->kind == EV_LINK)
		memset(ev->link.mac, 0, sizeof(ev->link.mac));
	if (ev->kind == EV_NEIGHBOUR)
		memset(ev->neighbour.mac, 0, sizeof(ev->neighbour.mac));
}

int saved_case_redact(struct saved_case *c, struct err *e)
{
	struct redactor r = {.c = c, .arena = &c->log.arena};
	struct logged_frame frame;
	size_t at = 0;

	if (c->plan.expect_banner)
		return err_set(e, ERR_USAGE, "--redact: a verdict by --expect-banner cannot be had "
					     "without the names in it");
	r.labels = arena_alloc(r.arena, LABELS_MAX * sizeof(*r.labels));
	know(&r, c->plan.hostname);
	know(&r, c->plan.name);
	know(&r, c->plan.user);
	know(&r, c->plan.netns);
	know(&r, c->plan.ehlo_name);
	know(&r, c->plan.auth_user);
	know(&r, c->plan.mail_from);
	know(&r, c->plan.rcpt_to);
	fields_each_string(model_plan, &c->plan, hide, &r, r.arena);
	for (size_t i = 0; i < c->log.n; i++)
		redact_event(&r, &c->log.events[i]);
	while (frame_log_next(&c->frames, &at, &frame))
		redact_frame(c->frames.link_type, frame.bytes, frame.caplen, frame.wire_len);
	c->redacted = true;
	return 0;
}
