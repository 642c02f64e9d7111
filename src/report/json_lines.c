/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/writer.h"
#include "report/connections.h"

#define FLUSH_BYTES (64u << 10)
/* "\u007f" for a byte of a string; "\ud83d\ude00" for four. */
#define ESCAPE_GROWTH 6
#define ROUND_LIMIT 1e12 /* as in json.c: larger times are no times */

/* ---- bytes ---- */

void json_lines_open(struct json_lines *l, int fd)
{
	*l = (struct json_lines){.fd = fd, .size = FLUSH_BYTES * 2};
	l->bytes = xcalloc(1, l->size);
}

void json_lines_flush(struct json_lines *l)
{
	size_t done = 0;

	while (done < l->len && !l->error) {
		ssize_t n = write(l->fd, l->bytes + done, l->len - done);
		if (n < 0 && errno != EINTR)
			l->error = errno;
		else if (n > 0)
			done += (size_t)n;
	}
	l->len = 0;
}

int json_lines_close(struct json_lines *l)
{
	json_lines_flush(l);
	free(l->bytes);
	l->bytes = NULL;
	return l->error ? -1 : 0;
}

/*
 * What is written goes to `out`, a position in l->bytes that each function takes and gives back, so that it
 * stays in a register. Behind it there is room for ROOM bytes, more than a whole line has but for its
 * strings, which make room for themselves and as much again.
 */
#define ROOM 16384

static __attribute__((noinline)) char *grow(struct json_lines *l, char *out, size_t n)
{
	size_t len = (size_t)(out - l->bytes);

	l->size = l->size * 2 > len + n ? l->size * 2 : len + n;
	l->bytes = xrealloc(l->bytes, l->size);
	return l->bytes + len;
}

/* Makes room for n bytes and what follows them. */
static inline char *reserve(struct json_lines *l, char *out, size_t n)
{
	size_t there = (size_t)(l->bytes + l->size - out);

	return n + ROOM > there ? grow(l, out, n + ROOM) : out;
}

static inline char *put(char *out, const char *bytes, size_t n)
{
	memcpy(out, bytes, n);
	return out + n;
}

/* A literal: its length is known when it is compiled. */
#define PUT(out, literal) put(out, literal, sizeof(literal) - 1)

static inline char *put_uint(char *out, uint64_t n)
{
	return out + text_of_uint(out, n);
}

/* ---- strings ---- */

static bool is_plain(uint8_t c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static size_t escape_code(char *out, uint32_t code)
{
	static const char hex[] = "0123456789abcdef";

	memcpy(out, "\\u", 2);
	for (int i = 0; i < 4; i++)
		out[2 + i] = hex[code >> (12 - 4 * i) & 15];
	return 6;
}

/* The code point at p, whose string is clean UTF-8 by its maker's promise; what is not becomes U+FFFD. */
static size_t decode(const uint8_t *p, size_t left, uint32_t *code)
{
	size_t n = (p[0] & 0xe0) == 0xc0 ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 : (p[0] & 0xf8) == 0xf0 ? 4 : 1;
	uint32_t c = n == 1 ? p[0] : p[0] & (0x7fu >> n);

	*code = 0xfffd;
	if (n > left || (n == 1 && p[0] >= 0x80))
		return 1;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 1;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c <= 0x10ffff && !(c >= 0xd800 && c <= 0xdfff))
		*code = c;
	return n;
}

static size_t escape(char *out, const uint8_t *p, size_t left, size_t *used)
{
	uint32_t code;

	*used = decode(p, left, &code);
	if (code == '"' || code == '\\') {
		out[0] = '\\';
		out[1] = (char)code;
		return 2;
	}
	if (code < 0x10000)
		return escape_code(out, code);
	code -= 0x10000;
	escape_code(out, 0xd800 + (code >> 10));
	return 6 + escape_code(out + 6, 0xdc00 + (code & 0x3ff));
}

static char *put_escaped(char *out, const char *s, size_t len)
{
	const uint8_t *p = (const uint8_t *)s;

	for (size_t i = 0, used = 1; i < len; i += used) {
		used = 1;
		if (is_plain(p[i]))
			*out++ = (char)p[i];
		else
			out += escape(out, p + i, len - i, &used);
	}
	return out;
}

static char *put_string(struct json_lines *l, char *out, const char *s, size_t len)
{
	out = reserve(l, out, len * ESCAPE_GROWTH + 2);
	*out++ = '"';
	out = text_copy_quotable(out, s, len) ? out + len : put_escaped(out, s, len);
	*out++ = '"';
	return out;
}

static char *put_text(struct json_lines *l, char *out, const char *s)
{
	return s ? put_string(l, out, s, strlen(s)) : PUT(out, "null");
}

/* A word of ours: short, and nothing to escape. */
static inline char *put_name(char *out, const char *s)
{
	size_t len = strlen(s);

	*out++ = '"';
	out = put(out, s, len);
	*out++ = '"';
	return out;
}

static char *put_texts(struct json_lines *l, char *out, const char *const *list, unsigned n)
{
	*out++ = '[';
	for (unsigned i = 0; i < n; i++) {
		if (i)
			*out++ = ',';
		out = put_text(l, out, list[i]);
	}
	*out++ = ']';
	return out;
}

/* ---- other values ---- */

/* To 0.001; negative and what is no number are null. */
static char *put_real(char *out, double value)
{
	if (!(value >= 0 && value < ROUND_LIMIT))
		return PUT(out, "null");
	uint64_t thousandths = (uint64_t)(value * 1000 + 0.5);
	unsigned part = (unsigned)(thousandths % 1000);

	out = put_uint(out, thousandths / 1000);
	*out++ = '.';
	*out++ = (char)('0' + part / 100);
	if (part % 100) {
		*out++ = (char)('0' + part / 10 % 10);
		if (part % 10)
			*out++ = (char)('0' + part % 10);
	}
	return out;
}

static inline char *put_count_or_null(char *out, uint64_t n)
{
	return n ? put_uint(out, n) : PUT(out, "null");
}

static inline char *put_bool(char *out, bool b)
{
	return b ? PUT(out, "true") : PUT(out, "false");
}

static char *put_address(char *out, const struct addr *a)
{
	if (!addr_is_set(a))
		return PUT(out, "null");
	*out++ = '"';
	out += text_of_addr(out, a);
	*out++ = '"';
	return out;
}

static void put_two(char *out, unsigned n)
{
	out[0] = (char)('0' + n / 10);
	out[1] = (char)('0' + n % 10);
}

/* As clock_utc_text(), which is asked once a day of the capture. */
static char *put_time(struct json_lines *l, char *out, int64_t ns)
{
	int64_t day = ns / (86400 * NS_PER_S);
	unsigned s = (unsigned)(ns / NS_PER_S % 86400), us = (unsigned)(ns % NS_PER_S / 1000);
	char text[CLOCK_TEXT_MAX];

	if (ns < 0)
		return PUT(out, "\"1970-01-01T00:00:00.000000Z\"");
	if (!l->date[0] || day != l->day) {
		memcpy(l->date, clock_utc_text(ns, text), sizeof(l->date));
		l->day = day;
	}
	out[0] = '"';
	memcpy(out + 1, l->date, sizeof(l->date));
	put_two(out + 12, s / 3600);
	out[14] = ':';
	put_two(out + 15, s / 60 % 60);
	out[17] = ':';
	put_two(out + 18, s % 60);
	out[20] = '.';
	put_two(out + 21, us / 10000);
	put_two(out + 23, us / 100 % 100);
	put_two(out + 25, us % 100);
	out[27] = 'Z';
	out[28] = '"';
	return out + 29;
}

/* ---- findings, as json.c has them ---- */

static char *put_culprit(struct json_lines *l, char *out, const struct finding *f)
{
	const struct culprit *k = &f->culprit;

	out = PUT(out, "{\"kind\":");
	out = put_name(out, culprit_kind_name(k->kind));
	out = PUT(out, ",\"text\":");
	out = put_text(l, out, k->text ? k->text : "");
	if (k->kind == CULPRIT_HOP || k->kind == CULPRIT_MIDDLEBOX) {
		out = PUT(out, ",\"ttl\":");
		out = put_count_or_null(out, k->ttl);
		out = PUT(out, ",\"address\":");
		out = put_address(out, &k->address);
		out = PUT(out, ",\"asn\":null,\"as_name\":null");
	} else if (k->kind == CULPRIT_SERVER) {
		out = PUT(out, ",\"code\":");
		out = put_count_or_null(out, (uint64_t)k->code);
	}
	*out++ = '}';
	return out;
}

static char *put_candidates(char *out, const struct finding *f)
{
	*out++ = '[';
	for (unsigned i = 0; i < f->n_candidates; i++) {
		if (i)
			*out++ = ',';
		out = PUT(out, "{\"place\":");
		out = put_name(out, place_name(f->candidates[i].place));
		out = PUT(out, ",\"confidence\":");
		out = put_real(out, f->candidates[i].confidence);
		*out++ = '}';
	}
	*out++ = ']';
	return out;
}

static char *put_icmp(struct json_lines *l, char *out, const struct finding *f)
{
	if (!f->has_icmp)
		return PUT(out, "null");
	out = PUT(out, "{\"type\":");
	out = put_uint(out, f->icmp.type);
	out = PUT(out, ",\"code\":");
	out = put_uint(out, f->icmp.code);
	out = PUT(out, ",\"name\":");
	out = put_text(l, out, f->icmp.name);
	out = PUT(out, ",\"from\":");
	out = put_address(out, &f->icmp.from);
	*out++ = '}';
	return out;
}

static char *put_finding(struct json_lines *l, char *out, const struct finding *f)
{
	out = PUT(out, "{\"mechanism\":");
	out = put_name(out, mechanism_name(f->mechanism));
	out = PUT(out, ",\"place\":");
	out = put_name(out, place_name(f->place));
	out = PUT(out, ",\"direction\":");
	out = put_name(out, direction_name(f->direction));
	out = PUT(out, ",\"confidence\":");
	out = put_real(out, f->place != PLACE_UNKNOWN ? f->confidence : CONFIDENCE_NONE);
	out = PUT(out, ",\"candidates\":");
	out = put_candidates(out, f);
	out = PUT(out, ",\"hop\":null,\"icmp\":"); /* a capture knows no hops */
	out = put_icmp(l, out, f);
	out = PUT(out, ",\"culprit\":");
	out = put_culprit(l, out, f);
	out = PUT(out, ",\"summary\":");
	out = put_text(l, out, f->summary);
	out = PUT(out, ",\"evidence\":[");
	for (unsigned i = 0; i < f->n_evidence; i++) {
		if (i)
			*out++ = ',';
		out = PUT(out, "\"e");
		out = put_uint(out, f->evidence[i]);
		*out++ = '"';
	}
	out = PUT(out, "],\"remedy\":");
	out = put_texts(l, out, f->remedy, f->n_remedy);
	out = PUT(out, ",\"rule\":");
	out = put_text(l, out, f->rule);
	*out++ = '}';
	return out;
}

static char *put_tls(struct json_lines *l, char *out, const struct connection *c)
{
	const struct report_tls *t = &c->smtp.tls;

	out = PUT(out, "{\"version\":");
	out = put_text(l, out, t->version);
	out = PUT(out, ",\"cipher\":");
	out = put_text(l, out, t->cipher);
	out = PUT(out, ",\"subject\":");
	out = put_text(l, out, t->subject);
	out = PUT(out, ",\"issuer\":");
	out = put_text(l, out, t->issuer);
	out = PUT(out, ",\"names\":");
	out = put_texts(l, out, t->names, t->n_names);
	out = PUT(out, ",\"spki_sha256\":");
	out = put_text(l, out, t->spki_sha256);
	out = PUT(out, ",\"verified\":");
	out = put_bool(out, t->verified);
	out = PUT(out, ",\"error\":");
	out = put_text(l, out, t->error);
	out = PUT(out, ",\"sni\":");
	out = put_text(l, out, c->sni);
	*out++ = '}';
	return out;
}

/* One server says the same to all. */
static char *put_ehlo(struct json_lines *l, char *out, const struct connection *c)
{
	if (c->keywords_of && c->keywords_of == l->ehlo_of)
		return put(reserve(l, out, l->ehlo_len), l->ehlo, l->ehlo_len);
	size_t before = (size_t)(out - l->bytes);
	out = put_texts(l, out, c->smtp.ehlo, c->smtp.n_ehlo);
	l->ehlo_len = (size_t)(out - l->bytes) - before;
	l->ehlo_of = l->ehlo_len <= sizeof(l->ehlo) ? c->keywords_of : 0;
	if (l->ehlo_of)
		memcpy(l->ehlo, l->bytes + before, l->ehlo_len);
	return out;
}

static char *put_smtp(struct json_lines *l, char *out, const struct connection *c)
{
	const struct report_smtp *s = &c->smtp;

	if (!c->has_smtp)
		return PUT(out, "null");
	out = PUT(out, "{\"code\":");
	out = put_count_or_null(out, (uint64_t)s->code);
	out = PUT(out, ",\"banner\":");
	out = put_text(l, out, s->banner);
	out = PUT(out, ",\"ehlo\":");
	out = put_ehlo(l, out, c);
	out = PUT(out, ",\"starttls\":");
	out = put_text(l, out, s->starttls);
	out = PUT(out, ",\"auth\":");
	out = put_texts(l, out, s->auth, s->n_auth);
	out = PUT(out, ",\"tls\":");
	if (s->has_tls)
		out = put_tls(l, out, c);
	else
		out = PUT(out, "null");
	*out++ = '}';
	return out;
}

static char *put_evidence(struct json_lines *l, char *out, const struct connection *c)
{
	*out++ = '[';
	for (unsigned i = 0; i < c->n_evidence; i++) {
		const struct report_evidence *e = &c->evidence[i];
		if (i)
			*out++ = ',';
		out = PUT(out, "{\"id\":\"e");
		out = put_uint(out, e->number);
		out = PUT(out, "\",\"t_ms\":");
		out = put_real(out, e->t_ms);
		out = PUT(out, ",\"source\":");
		out = put_name(out, source_name(e->source));
		out = PUT(out, ",\"port\":");
		out = put_count_or_null(out, e->port);
		out = PUT(out, ",\"text\":");
		out = put_text(l, out, e->text);
		*out++ = '}';
	}
	*out++ = ']';
	return out;
}

static char *put_side(char *out, const struct connection_side *s)
{
	out = PUT(out, "{\"address\":");
	out = put_address(out, &s->address);
	out = PUT(out, ",\"port\":");
	out = put_uint(out, s->port);
	*out++ = '}';
	return out;
}

static char *put_pair(struct json_lines *l, char *out, const struct connection_pair *p)
{
	out = PUT(out, ",\"pair\":{\"file\":");
	out = put_text(l, out, p->file);
	out = PUT(out, ",\"seen\":");
	out = put_bool(out, p->found);
	if (p->found) {
		out = PUT(out, ",\"side\":");
		out = put_text(l, out, p->is_client_side ? "client" : "server");
		out = PUT(out, ",\"client\":");
		out = put_side(out, &p->client);
		out = PUT(out, ",\"server\":");
		out = put_side(out, &p->server);
		out = PUT(out, ",\"first_packet\":");
		out = put_uint(out, p->first_packet);
	}
	out = PUT(out, ",\"changes\":");
	out = put_texts(l, out, p->changes, p->n_changes);
	*out++ = '}';
	return out;
}

void json_lines_connection(struct json_lines *l, const struct connection *c)
{
	char *out = reserve(l, l->bytes + l->len, 0);

	out = PUT(out, "{\"schema\":\"smtpblame.connection/1\",\"file\":");
	out = put_text(l, out, c->file);
	out = PUT(out, ",\"client\":");
	out = put_side(out, &c->client);
	out = PUT(out, ",\"server\":");
	out = put_side(out, &c->server);
	out = PUT(out, ",\"start\":");
	out = put_time(l, out, c->start_ns);
	out = PUT(out, ",\"duration_ms\":");
	out = put_real(out, c->duration_ms);
	out = PUT(out, ",\"packets\":{\"client\":");
	out = put_uint(out, c->client.packets);
	out = PUT(out, ",\"server\":");
	out = put_uint(out, c->server.packets);
	out = PUT(out, "},\"first_packet\":");
	out = put_uint(out, c->first_packet);
	out = PUT(out, ",\"state\":");
	out = put_name(out, state_name(c->state));
	out = PUT(out, ",\"summary\":");
	out = put_text(l, out, c->summary);
	out = PUT(out, ",\"stage\":");
	out = put_text(l, out, c->stage);
	out = PUT(out, ",\"end\":");
	out = put_text(l, out, c->end);
	out = PUT(out, ",\"findings\":[");
	for (unsigned i = 0; i < c->n_findings; i++) {
		if (i)
			*out++ = ',';
		out = put_finding(l, out, &c->findings[i]);
	}
	out = PUT(out, "],\"smtp\":");
	out = put_smtp(l, out, c);
	out = PUT(out, ",\"evidence\":");
	out = put_evidence(l, out, c);
	if (c->pair)
		out = put_pair(l, out, c->pair);
	out = PUT(out, "}\n");
	l->len = (size_t)(out - l->bytes);
	if (l->len >= FLUSH_BYTES)
		json_lines_flush(l);
}

static char *put_group(struct json_lines *l, char *out, const struct read_group *g)
{
	out = reserve(l, out, 0);
	out = PUT(out, "{\"state\":");
	out = put_name(out, state_name(g->state));
	out = PUT(out, ",\"mechanism\":");
	out = put_text(l, out, g->state == STATE_OPEN ? NULL : mechanism_name(g->mechanism));
	out = PUT(out, ",\"place\":");
	out = put_text(l, out, g->state == STATE_OPEN ? NULL : place_name(g->place));
	out = PUT(out, ",\"connections\":");
	out = put_uint(out, g->connections);
	out = PUT(out, ",\"servers\":[");
	for (unsigned i = 0; i < g->n_servers && i < READ_GROUP_SHOWN; i++) {
		if (i)
			*out++ = ',';
		out = PUT(out, "{\"address\":");
		out = put_address(out, &g->servers[i].address);
		out = PUT(out, ",\"port\":");
		out = put_uint(out, g->servers[i].port);
		out = PUT(out, ",\"connections\":");
		out = put_uint(out, g->servers[i].connections);
		*out++ = '}';
	}
	return PUT(out, "]}");
}

void json_lines_summary(struct json_lines *l, const struct read_summary *s)
{
	char *out = reserve(l, l->bytes + l->len, 0);

	out = PUT(out, "{\"schema\":\"smtpblame.read-summary/1\",\"files\":");
	out = put_uint(out, s->files);
	out = PUT(out, ",\"packets\":");
	out = put_uint(out, s->packets);
	out = PUT(out, ",\"connections\":");
	out = put_uint(out, s->connections);
	out = PUT(out, ",\"states\":{");
	for (int i = 0; i < STATE_COUNT; i++) {
		if (i)
			*out++ = ',';
		out = put_name(out, state_name((enum state)i));
		*out++ = ':';
		out = put_uint(out, s->states[i]);
	}
	out = PUT(out, "},\"undecodable_packets\":");
	out = put_uint(out, s->undecodable);
	out = PUT(out, ",\"truncated\":");
	out = put_bool(out, s->truncated);
	out = PUT(out, ",\"warnings\":");
	out = put_texts(l, out, s->warnings, s->n_warnings);
	out = PUT(out, ",\"evicted\":");
	out = put_uint(out, s->evicted);
	out = PUT(out, ",\"path_probes\":");
	out = put_uint(out, s->path_probes);
	out = PUT(out, ",\"groups\":[");
	for (unsigned i = 0; i < s->n_groups; i++) {
		if (i)
			*out++ = ',';
		out = put_group(l, out, &s->groups[i]);
	}
	out = PUT(out, "]}\n");
	l->len = (size_t)(out - l->bytes);
	json_lines_flush(l);
}
