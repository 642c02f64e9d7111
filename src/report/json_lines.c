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

static __attribute__((noinline)) void grow(struct json_lines *l, size_t n)
{
	l->size = l->size * 2 > l->len + n ? l->size * 2 : l->len + n;
	l->bytes = xrealloc(l->bytes, l->size);
}

static inline char *reserve(struct json_lines *l, size_t n)
{
	if (l->size - l->len < n)
		grow(l, n);
	return l->bytes + l->len;
}

static inline void put(struct json_lines *l, const char *bytes, size_t n)
{
	memcpy(reserve(l, n), bytes, n);
	l->len += n;
}

/* A literal: its length is known when it is compiled. */
#define PUT(l, literal) put(l, literal, sizeof(literal) - 1)

static void put_uint(struct json_lines *l, uint64_t n)
{
	char *out = reserve(l, 20);

	l->len += text_of_uint(out, n);
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

static void put_escaped(struct json_lines *l, const char *s, size_t len)
{
	const uint8_t *p = (const uint8_t *)s;
	char *out = reserve(l, len * ESCAPE_GROWTH), *start = out;

	for (size_t i = 0, used = 1; i < len; i += used) {
		used = 1;
		if (is_plain(p[i]))
			*out++ = (char)p[i];
		else
			out += escape(out, p + i, len - i, &used);
	}
	l->len += (size_t)(out - start);
}

/* Between quotation marks as it stands. */
static void put_quoted(struct json_lines *l, const char *s, size_t len)
{
	char *out = reserve(l, len + 2);

	out[0] = '"';
	memcpy(out + 1, s, len);
	out[1 + len] = '"';
	l->len += len + 2;
}

/* A word of ours, which has nothing to escape. */
static void put_name(struct json_lines *l, const char *s)
{
	put_quoted(l, s, strlen(s));
}

static void put_text(struct json_lines *l, const char *s)
{
	size_t len = s ? strlen(s) : 0;

	if (!s) {
		PUT(l, "null");
	} else if (text_is_quotable(s, len)) {
		put_quoted(l, s, len);
	} else {
		PUT(l, "\"");
		put_escaped(l, s, len);
		PUT(l, "\"");
	}
}

static void put_texts(struct json_lines *l, const char *const *list, unsigned n)
{
	PUT(l, "[");
	for (unsigned i = 0; i < n; i++) {
		if (i)
			PUT(l, ",");
		put_text(l, list[i]);
	}
	PUT(l, "]");
}

/* ---- other values ---- */

/* To 0.001; negative and what is no number are null. */
static void put_real(struct json_lines *l, double value)
{
	if (!(value >= 0 && value < ROUND_LIMIT)) {
		PUT(l, "null");
		return;
	}
	uint64_t thousandths = (uint64_t)(value * 1000 + 0.5);
	char *out = reserve(l, 24);
	size_t n = text_of_uint(out, thousandths / 1000);
	unsigned part = (unsigned)(thousandths % 1000);
	out[n++] = '.';
	out[n++] = (char)('0' + part / 100);
	if (part % 100) {
		out[n++] = (char)('0' + part / 10 % 10);
		if (part % 10)
			out[n++] = (char)('0' + part % 10);
	}
	l->len += n;
}

static void put_count_or_null(struct json_lines *l, uint64_t n)
{
	if (n)
		put_uint(l, n);
	else
		PUT(l, "null");
}

static void put_bool(struct json_lines *l, bool b)
{
	if (b)
		PUT(l, "true");
	else
		PUT(l, "false");
}

static void put_address(struct json_lines *l, const struct addr *a)
{
	if (!addr_is_set(a)) {
		PUT(l, "null");
		return;
	}
	PUT(l, "\"");
	char *out = reserve(l, ADDR_TEXT_MAX);
	l->len += text_of_addr(out, a);
	PUT(l, "\"");
}

static void put_two(char *out, unsigned n)
{
	out[0] = (char)('0' + n / 10);
	out[1] = (char)('0' + n % 10);
}

/* As clock_utc_text(), which is asked once a day of the capture. */
static void put_time(struct json_lines *l, int64_t ns)
{
	int64_t day = ns / (86400 * NS_PER_S);
	unsigned s = (unsigned)(ns / NS_PER_S % 86400), us = (unsigned)(ns % NS_PER_S / 1000);
	char text[CLOCK_TEXT_MAX];

	if (ns < 0) {
		PUT(l, "\"1970-01-01T00:00:00.000000Z\"");
		return;
	}
	if (!l->date[0] || day != l->day) {
		memcpy(l->date, clock_utc_text(ns, text), sizeof(l->date));
		l->day = day;
	}
	char *out = reserve(l, 32);
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
	l->len += 29;
}

/* ---- findings, as json.c has them ---- */

static void put_culprit(struct json_lines *l, const struct finding *f)
{
	const struct culprit *k = &f->culprit;

	PUT(l, "{\"kind\":");
	put_name(l, culprit_kind_name(k->kind));
	PUT(l, ",\"text\":");
	put_text(l, k->text ? k->text : "");
	if (k->kind == CULPRIT_HOP || k->kind == CULPRIT_MIDDLEBOX) {
		PUT(l, ",\"ttl\":");
		put_count_or_null(l, k->ttl);
		PUT(l, ",\"address\":");
		put_address(l, &k->address);
		PUT(l, ",\"asn\":null,\"as_name\":null");
	} else if (k->kind == CULPRIT_SERVER) {
		PUT(l, ",\"code\":");
		put_count_or_null(l, (uint64_t)k->code);
	}
	PUT(l, "}");
}

static void put_candidates(struct json_lines *l, const struct finding *f)
{
	PUT(l, "[");
	for (unsigned i = 0; i < f->n_candidates; i++) {
		if (i)
			PUT(l, ",");
		PUT(l, "{\"place\":");
		put_name(l, place_name(f->candidates[i].place));
		PUT(l, ",\"confidence\":");
		put_real(l, f->candidates[i].confidence);
		PUT(l, "}");
	}
	PUT(l, "]");
}

static void put_icmp(struct json_lines *l, const struct finding *f)
{
	if (!f->has_icmp) {
		PUT(l, "null");
		return;
	}
	PUT(l, "{\"type\":");
	put_uint(l, f->icmp.type);
	PUT(l, ",\"code\":");
	put_uint(l, f->icmp.code);
	PUT(l, ",\"name\":");
	put_text(l, f->icmp.name);
	PUT(l, ",\"from\":");
	put_address(l, &f->icmp.from);
	PUT(l, "}");
}

static void put_finding(struct json_lines *l, const struct finding *f)
{
	PUT(l, "{\"mechanism\":");
	put_name(l, mechanism_name(f->mechanism));
	PUT(l, ",\"place\":");
	put_name(l, place_name(f->place));
	PUT(l, ",\"direction\":");
	put_name(l, direction_name(f->direction));
	PUT(l, ",\"confidence\":");
	put_real(l, f->place != PLACE_UNKNOWN ? f->confidence : CONFIDENCE_NONE);
	PUT(l, ",\"candidates\":");
	put_candidates(l, f);
	PUT(l, ",\"hop\":null,\"icmp\":"); /* a capture knows no hops */
	put_icmp(l, f);
	PUT(l, ",\"culprit\":");
	put_culprit(l, f);
	PUT(l, ",\"summary\":");
	put_text(l, f->summary);
	PUT(l, ",\"evidence\":[");
	for (unsigned i = 0; i < f->n_evidence; i++) {
		if (i)
			PUT(l, ",");
		PUT(l, "\"e");
		put_uint(l, f->evidence[i]);
		PUT(l, "\"");
	}
	PUT(l, "],\"remedy\":");
	put_texts(l, f->remedy, f->n_remedy);
	PUT(l, ",\"rule\":");
	put_text(l, f->rule);
	PUT(l, "}");
}

static void put_tls(struct json_lines *l, const struct connection *c)
{
	const struct report_tls *t = &c->smtp.tls;

	PUT(l, "{\"version\":");
	put_text(l, t->version);
	PUT(l, ",\"cipher\":");
	put_text(l, t->cipher);
	PUT(l, ",\"subject\":");
	put_text(l, t->subject);
	PUT(l, ",\"issuer\":");
	put_text(l, t->issuer);
	PUT(l, ",\"names\":");
	put_texts(l, t->names, t->n_names);
	PUT(l, ",\"spki_sha256\":");
	put_text(l, t->spki_sha256);
	PUT(l, ",\"verified\":");
	put_bool(l, t->verified);
	PUT(l, ",\"error\":");
	put_text(l, t->error);
	PUT(l, ",\"sni\":");
	put_text(l, c->sni);
	PUT(l, "}");
}

/* One server says the same to all. */
static void put_ehlo(struct json_lines *l, const struct connection *c)
{
	size_t before = l->len;

	if (c->keywords_of && c->keywords_of == l->ehlo_of) {
		put(l, l->ehlo, l->ehlo_len);
		return;
	}
	put_texts(l, c->smtp.ehlo, c->smtp.n_ehlo);
	l->ehlo_len = l->len - before;
	l->ehlo_of = l->ehlo_len <= sizeof(l->ehlo) ? c->keywords_of : 0;
	if (l->ehlo_of)
		memcpy(l->ehlo, l->bytes + before, l->ehlo_len);
}

static void put_smtp(struct json_lines *l, const struct connection *c)
{
	const struct report_smtp *s = &c->smtp;

	if (!c->has_smtp) {
		PUT(l, "null");
		return;
	}
	PUT(l, "{\"code\":");
	put_count_or_null(l, (uint64_t)s->code);
	PUT(l, ",\"banner\":");
	put_text(l, s->banner);
	PUT(l, ",\"ehlo\":");
	put_ehlo(l, c);
	PUT(l, ",\"starttls\":");
	put_text(l, s->starttls);
	PUT(l, ",\"auth\":");
	put_texts(l, s->auth, s->n_auth);
	PUT(l, ",\"tls\":");
	if (s->has_tls)
		put_tls(l, c);
	else
		PUT(l, "null");
	PUT(l, "}");
}

static void put_evidence(struct json_lines *l, const struct connection *c)
{
	PUT(l, "[");
	for (unsigned i = 0; i < c->n_evidence; i++) {
		const struct report_evidence *e = &c->evidence[i];
		if (i)
			PUT(l, ",");
		PUT(l, "{\"id\":\"e");
		put_uint(l, e->number);
		PUT(l, "\",\"t_ms\":");
		put_real(l, e->t_ms);
		PUT(l, ",\"source\":");
		put_name(l, source_name(e->source));
		PUT(l, ",\"port\":");
		put_count_or_null(l, e->port);
		PUT(l, ",\"text\":");
		put_text(l, e->text);
		PUT(l, "}");
	}
	PUT(l, "]");
}

static void put_side(struct json_lines *l, const struct connection_side *s)
{
	PUT(l, "{\"address\":");
	put_address(l, &s->address);
	PUT(l, ",\"port\":");
	put_uint(l, s->port);
	PUT(l, "}");
}

static void put_pair(struct json_lines *l, const struct connection_pair *p)
{
	PUT(l, ",\"pair\":{\"file\":");
	put_text(l, p->file);
	PUT(l, ",\"seen\":");
	put_bool(l, p->found);
	if (p->found) {
		PUT(l, ",\"side\":");
		put_text(l, p->is_client_side ? "client" : "server");
		PUT(l, ",\"client\":");
		put_side(l, &p->client);
		PUT(l, ",\"server\":");
		put_side(l, &p->server);
		PUT(l, ",\"first_packet\":");
		put_uint(l, p->first_packet);
	}
	PUT(l, ",\"changes\":");
	put_texts(l, p->changes, p->n_changes);
	PUT(l, "}");
}

void json_lines_connection(struct json_lines *l, const struct connection *c)
{
	PUT(l, "{\"schema\":\"smtpblame.connection/1\",\"file\":");
	put_text(l, c->file);
	PUT(l, ",\"client\":");
	put_side(l, &c->client);
	PUT(l, ",\"server\":");
	put_side(l, &c->server);
	PUT(l, ",\"start\":");
	put_time(l, c->start_ns);
	PUT(l, ",\"duration_ms\":");
	put_real(l, c->duration_ms);
	PUT(l, ",\"packets\":{\"client\":");
	put_uint(l, c->client.packets);
	PUT(l, ",\"server\":");
	put_uint(l, c->server.packets);
	PUT(l, "},\"first_packet\":");
	put_uint(l, c->first_packet);
	PUT(l, ",\"state\":");
	put_name(l, state_name(c->state));
	PUT(l, ",\"summary\":");
	put_text(l, c->summary);
	PUT(l, ",\"stage\":");
	put_text(l, c->stage);
	PUT(l, ",\"end\":");
	put_text(l, c->end);
	PUT(l, ",\"findings\":[");
	for (unsigned i = 0; i < c->n_findings; i++) {
		if (i)
			PUT(l, ",");
		put_finding(l, &c->findings[i]);
	}
	PUT(l, "],\"smtp\":");
	put_smtp(l, c);
	PUT(l, ",\"evidence\":");
	put_evidence(l, c);
	if (c->pair)
		put_pair(l, c->pair);
	PUT(l, "}\n");
	if (l->len >= FLUSH_BYTES)
		json_lines_flush(l);
}

static void put_group(struct json_lines *l, const struct read_group *g)
{
	PUT(l, "{\"state\":");
	put_name(l, state_name(g->state));
	PUT(l, ",\"mechanism\":");
	put_text(l, g->state == STATE_OPEN ? NULL : mechanism_name(g->mechanism));
	PUT(l, ",\"place\":");
	put_text(l, g->state == STATE_OPEN ? NULL : place_name(g->place));
	PUT(l, ",\"connections\":");
	put_uint(l, g->connections);
	PUT(l, ",\"servers\":[");
	for (unsigned i = 0; i < g->n_servers && i < READ_GROUP_SHOWN; i++) {
		if (i)
			PUT(l, ",");
		PUT(l, "{\"address\":");
		put_address(l, &g->servers[i].address);
		PUT(l, ",\"port\":");
		put_uint(l, g->servers[i].port);
		PUT(l, ",\"connections\":");
		put_uint(l, g->servers[i].connections);
		PUT(l, "}");
	}
	PUT(l, "]}");
}

void json_lines_summary(struct json_lines *l, const struct read_summary *s)
{
	PUT(l, "{\"schema\":\"smtpblame.read-summary/1\",\"files\":");
	put_uint(l, s->files);
	PUT(l, ",\"packets\":");
	put_uint(l, s->packets);
	PUT(l, ",\"connections\":");
	put_uint(l, s->connections);
	PUT(l, ",\"states\":{");
	for (int i = 0; i < STATE_COUNT; i++) {
		if (i)
			PUT(l, ",");
		put_name(l, state_name((enum state)i));
		PUT(l, ":");
		put_uint(l, s->states[i]);
	}
	PUT(l, "},\"undecodable_packets\":");
	put_uint(l, s->undecodable);
	PUT(l, ",\"truncated\":");
	put_bool(l, s->truncated);
	PUT(l, ",\"warnings\":");
	put_texts(l, s->warnings, s->n_warnings);
	PUT(l, ",\"evicted\":");
	put_uint(l, s->evicted);
	PUT(l, ",\"path_probes\":");
	put_uint(l, s->path_probes);
	PUT(l, ",\"groups\":[");
	for (unsigned i = 0; i < s->n_groups; i++) {
		if (i)
			PUT(l, ",");
		put_group(l, &s->groups[i]);
	}
	PUT(l, "]}\n");
	json_lines_flush(l);
}
