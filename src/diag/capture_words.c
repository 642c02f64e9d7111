/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "diag/capture_words.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "diag/refusal.h"
#include "diag/words.h"
#include "model/complaint.h"
#include "model/report.h"

#define QUOTE_MAX 240 /* bytes of foreign words in one sentence */
#define SIGNATURE_MAX 4 /* RSTs named in one */

/* ---- pieces ---- */

static void put_plural(struct writer *w, uint64_t n, const char *what)
{
	writer_uint(w, n);
	writer_put(w, " ", 1);
	writer_str(w, what);
	if (n != 1)
		writer_put(w, "s", 1);
}

static void put_distance(struct writer *w, int distance)
{
	if (distance < 0)
		writer_str(w, "an unknown number of");
	else
		writer_uint(w, (uint64_t)distance);
}

/* Foreign words in one line: the newlines between the lines of a reply become " / ". */
static void put_lines(struct writer *w, const char *bytes, size_t len, size_t max_bytes)
{
	bool cut = len > max_bytes;

	if (cut)
		len = max_bytes;
	for (;;) {
		const char *end = memchr(bytes, '\n', len);
		size_t n = end ? (size_t)(end - bytes) : len;
		writer_clean(w, bytes, n, n);
		if (!end)
			break;
		writer_put(w, " / ", 3);
		bytes += n + 1;
		len -= n + 1;
	}
	if (cut)
		writer_put(w, "...", 3);
}

void capture_put_reply(struct writer *w, const struct conn *c, const struct conn_reply *r)
{
	if (r->code) {
		writer_uint(w, r->code);
		writer_put(w, " ", 1);
	}
	put_lines(w, conn_text(c, r->text), r->text.len, QUOTE_MAX);
}

const char *capture_text(struct arena *a, const struct conn *c, struct conn_text t, size_t max_bytes)
{
	struct writer w;

	writer_begin(&w, a);
	put_lines(&w, conn_text(c, t), t.len, max_bytes);
	return writer_end(&w);
}

static void put_icmp(struct writer *w, const struct conn_icmp *i)
{
	writer_str(w, icmp_name(i->from.family, i->type, i->code));
	writer_str(w, " (type ");
	writer_uint(w, i->type);
	writer_str(w, " code ");
	writer_uint(w, i->code);
	writer_put(w, ")", 1);
}

/* The reply that a refusal is told by. */
static const struct conn_reply *refusal_of(const struct capture_facts *f)
{
	const struct conn_smtp *s = f->conn->smtp;

	if (!s)
		return NULL;
	if (capture_fact_seen(f, CF_GREETING_REJECT))
		return &s->replies[STAGE_GREETING];
	if (capture_fact_seen(f, CF_EHLO_REJECT))
		return &s->replies[STAGE_EHLO];
	if (capture_fact_seen(f, CF_AUTH_REJECT))
		return &s->replies[STAGE_AUTH];
	if (capture_fact_seen(f, CF_STARTTLS_REJECT))
		return &s->replies[STAGE_STARTTLS];
	return s->bad.code ? &s->bad : NULL;
}

/* ---- the values of the {words} ---- */

static void w_server(struct writer *w, const struct capture_facts *f)
{
	writer_addr(w, &f->conn->server);
}

static void w_server_brackets(struct writer *w, const struct capture_facts *f)
{
	bool v6 = f->conn->server.family == ADDR_V6;

	writer_put(w, "[", v6);
	w_server(w, f);
	writer_put(w, "]", v6);
}

static void w_port(struct writer *w, const struct capture_facts *f)
{
	writer_uint(w, f->conn->server_port);
}

static void w_client(struct writer *w, const struct capture_facts *f)
{
	writer_addr(w, &f->conn->client);
}

static void w_syns(struct writer *w, const struct capture_facts *f)
{
	writer_uint(w, f->conn->syns);
}

static void w_syns_words(struct writer *w, const struct capture_facts *f)
{
	put_plural(w, f->conn->syns, "SYN");
}

static void w_silence(struct writer *w, const struct capture_facts *f)
{
	writer_duration(w, f->until_ns - f->conn->start_ns);
}

static void w_waited(struct writer *w, const struct capture_facts *f)
{
	writer_duration(w, f->waited_ns);
}

static void w_stage(struct writer *w, const struct capture_facts *f)
{
	bool stood = capture_fact_seen(f, CF_ESTABLISHED) || capture_fact_seen(f, CF_SERVER_SPOKE);

	writer_str(w, stood ? complaint_stage(f->stage) : "in the handshake");
}

/* The name of a connection's fate in Raman et al.: what was seen, and what ended it. */
static void w_signature(struct writer *w, const struct capture_facts *f)
{
	static const char *const phases[] = {
		[CONN_PHASE_SYN] = "SYN",
		[CONN_PHASE_SYNACK] = "SYN",
		[CONN_PHASE_ACK] = "SYN; ACK",
		[CONN_PHASE_GREETED] = "SYN; ACK; greeting",
		[CONN_PHASE_ONE] = "SYN; ACK; PSH+ACK",
		[CONN_PHASE_MORE] = "SYN; ACK; PSH+ACK; data",
		[CONN_PHASE_CLOSING] = "FIN",
	};
	const struct conn *c = f->conn;
	const struct conn_rst *first = f->rst ? f->rst : f->rst_client, *before = NULL;
	unsigned n = 0;

	if (!first)
		return;
	writer_str(w, phases[first->phase]);
	writer_str(w, " -> ");
	for (unsigned i = 0; i < c->n_rsts && n < SIGNATURE_MAX; i++) {
		const struct conn_rst *r = &c->rsts[i];
		if (r->side != first->side)
			continue;
		if (before)
			writer_str(w, (before->flags | r->flags) & TCP_ACK ? "; "
				      : before->ack == r->ack		       ? " = "
										: " != ");
		writer_str(w, r->flags & TCP_ACK ? "RST+ACK" : "RST");
		before = r;
		n++;
	}
	if (c->half[first->side].rsts > n)
		writer_str(w, "; ...");
}

static void put_hops(struct writer *w, int distance)
{
	put_distance(w, distance);
	writer_str(w, distance == 1 ? " hop" : " hops");
}

static void w_rst_hops(struct writer *w, const struct capture_facts *f)
{
	put_hops(w, f->rst_distance);
}

static void w_server_hops(struct writer *w, const struct capture_facts *f)
{
	put_hops(w, f->server_distance);
}

static void w_server_distance(struct writer *w, const struct capture_facts *f)
{
	put_distance(w, f->server_distance);
}

static void w_other_distance(struct writer *w, const struct capture_facts *f)
{
	put_distance(w, f->context->other_distance);
}

static void w_other_port(struct writer *w, const struct capture_facts *f)
{
	writer_uint(w, f->context->other_port);
}

/* Since what the RST answers. */
static void w_rst_delay(struct writer *w, const struct capture_facts *f)
{
	const struct conn *c = f->conn;
	const struct conn_half *client = &c->half[CONN_CLIENT];
	struct conn_mark said = f->rst->phase == CONN_PHASE_SYN ? c->syn
				: conn_before(client->last_data, f->rst->at) ? client->last_data
									     : client->first_data;

	writer_duration(w, conn_ns(c, f->rst->at) - conn_ns(c, said));
}

static void w_rtt(struct writer *w, const struct capture_facts *f)
{
	writer_duration(w, f->rtt_ns);
}

static void w_icmp(struct writer *w, const struct capture_facts *f)
{
	if (f->icmp)
		put_icmp(w, f->icmp);
}

static void w_icmp_from(struct writer *w, const struct capture_facts *f)
{
	if (f->icmp)
		writer_addr(w, &f->icmp->from);
}

static void w_place_words(struct writer *w, const struct capture_facts *f)
{
	static const char *const words[PLACE_COUNT] = {
		[PLACE_HOST] = "the client's own machine",
		[PLACE_GATEWAY] = "the client's gateway",
		[PLACE_ISP] = "a router of the client's provider",
		[PLACE_TRANSIT] = "a router in transit",
		[PLACE_DESTINATION_NETWORK] = "a router of the destination's network",
		[PLACE_DESTINATION] = "the destination itself",
		[PLACE_UNKNOWN] = "a router on the way",
	};
	enum place place = f->placed.known ? f->placed.place : PLACE_UNKNOWN;

	if (place != PLACE_UNKNOWN && f->placed.confidence < CONFIDENCE_SURE)
		writer_str(w, "probably ");
	writer_str(w, words[place]);
}

static void w_place_owner(struct writer *w, const struct capture_facts *f)
{
	static const char *const words[PLACE_COUNT] = {
		[PLACE_HOST] = "the client's administrator",
		[PLACE_GATEWAY] = "whoever runs the client's gateway",
		[PLACE_ISP] = "the client's provider",
		[PLACE_TRANSIT] = "the client's provider, which can ask its transit",
		[PLACE_DESTINATION_NETWORK] = "the destination's administrator",
		[PLACE_DESTINATION] = "the destination's administrator",
		[PLACE_UNKNOWN] = "the client's provider",
	};

	writer_str(w, words[f->placed.known ? f->placed.place : PLACE_UNKNOWN]);
}

static void w_alive_port(struct writer *w, const struct capture_facts *f)
{
	writer_uint(w, f->context->alive_port);
}

/* "others on this port": by whom the address is known to be there. */
static void w_alive_words(struct writer *w, const struct capture_facts *f)
{
	if (f->context->alive_port == f->conn->server_port) {
		writer_str(w, "on this port at other times, or others");
		return;
	}
	writer_str(w, "on port ");
	w_alive_port(w, f);
}

static void w_dead_servers(struct writer *w, const struct capture_facts *f)
{
	writer_uint(w, f->context->dead_servers);
}

static void w_server_words(struct writer *w, const struct capture_facts *f)
{
	const struct conn_reply *r = refusal_of(f);

	if (r)
		capture_put_reply(w, f->conn, r);
}

static void w_reply_meaning(struct writer *w, const struct capture_facts *f)
{
	const struct conn_reply *r = refusal_of(f);

	if (r)
		writer_str(w, refusal_meaning(r->code, NULL)); /* by words, each would cost its time */
}

static void w_first_bytes(struct writer *w, const struct capture_facts *f)
{
	const struct conn *c = f->conn;
	struct conn_text t = c->smtp ? c->smtp->server_first : (struct conn_text){0};

	if (t.len == 0) {
		writer_str(w, "its first bytes begin no reply");
		return;
	}
	const char *bytes = conn_text(c, t);
	size_t len = t.len;
	while (len > 0 && (bytes[len - 1] == '\r' || bytes[len - 1] == '\n'))
		len--;
	writer_put(w, "\"", 1);
	writer_clean(w, bytes, len, 60);
	writer_put(w, "\"", 1);
}

static const struct conn_alert *telling_alert(const struct conn_tls *t)
{
	for (unsigned i = 0; t && i < t->n_alerts; i++)
		if (t->alerts[i].description != 0)
			return &t->alerts[i];
	return NULL;
}

static void w_tls_words(struct writer *w, const struct capture_facts *f)
{
	const struct conn_tls *t = f->conn->tls;
	const struct conn_alert *a = telling_alert(t);

	if (a) {
		const char *name = capture_tls_alert(a->description);
		writer_str(w, a->side == CONN_SERVER ? "the server's alert says " : "its alert says ");
		if (name)
			writer_str(w, name);
		else
			writer_uint(w, a->description);
	} else if (t && conn_seen(t->broken)) {
		writer_str(w, "what comes is no TLS");
	} else {
		writer_str(w, "an encrypted alert does not say why");
	}
}

static void w_starttls_option(struct writer *w, const struct capture_facts *f)
{
	if (!f->conn->tls || !f->conn->tls->immediate)
		writer_str(w, " -starttls smtp");
}

static void w_interceptor(struct writer *w, const struct capture_facts *f)
{
	const struct conn *c = f->conn;

	writer_str(w, f->interceptor ? f->interceptor->name : "somebody else");
	if (!c->tls || c->tls->issuer.len == 0)
		return;
	writer_str(w, " (\"");
	writer_clean(w, conn_text(c, c->tls->issuer), c->tls->issuer.len, QUOTE_MAX);
	writer_str(w, "\")");
}

static const struct conn_stuck *stuck_of(const struct capture_facts *f)
{
	const struct conn_half *half = f->conn->half;

	return &half[capture_fact_seen(f, CF_CLIENT_STUCK) ? CONN_CLIENT : CONN_SERVER].stuck;
}

static void w_repeats(struct writer *w, const struct capture_facts *f)
{
	writer_uint(w, stuck_of(f)->repeats + 1u);
}

static void w_stuck_words(struct writer *w, const struct capture_facts *f)
{
	const struct conn_stuck *s = stuck_of(f);

	put_plural(w, s->bytes, "byte");
	writer_str(w, capture_fact_seen(f, CF_CLIENT_STUCK) ? " of the client" : " of the server");
	writer_str(w, s->bytes == 1 ? " was" : " were");
	writer_str(w, " sent ");
	put_plural(w, s->repeats + 1u, "time");
	writer_str(w, " in ");
	writer_duration(w, (int64_t)(s->last.t_us - s->first.t_us) * 1000);
}

static void w_other_file(struct writer *w, const struct capture_facts *f)
{
	writer_str(w, f->context->other_file ? f->context->other_file : "the other capture");
}

/* ---- templates ---- */

typedef void word_fn(struct writer *w, const struct capture_facts *f);

static const struct {
	const char *name;
	word_fn *put;
} placeholders[] = {
	{"server", w_server},
	{"server-brackets", w_server_brackets},
	{"port", w_port},
	{"client", w_client},
	{"syns", w_syns},
	{"syns-words", w_syns_words},
	{"silence", w_silence},
	{"waited", w_waited},
	{"stage", w_stage},
	{"signature", w_signature},
	{"rst-hops", w_rst_hops},
	{"server-hops", w_server_hops},
	{"server-distance", w_server_distance},
	{"other-distance", w_other_distance},
	{"other-port", w_other_port},
	{"rst-delay", w_rst_delay},
	{"rtt", w_rtt},
	{"icmp", w_icmp},
	{"icmp-from", w_icmp_from},
	{"place-words", w_place_words},
	{"place-owner", w_place_owner},
	{"alive-port", w_alive_port},
	{"alive-words", w_alive_words},
	{"dead-servers", w_dead_servers},
	{"server-words", w_server_words},
	{"reply-meaning", w_reply_meaning},
	{"first-bytes", w_first_bytes},
	{"tls-words", w_tls_words},
	{"starttls-option", w_starttls_option},
	{"interceptor", w_interceptor},
	{"repeats", w_repeats},
	{"stuck-words", w_stuck_words},
	{"other-file", w_other_file},
};

/* Some text, then a word; either may be missing. */
struct capture_piece {
	const char *text;
	size_t len;
	word_fn *put;
};

static word_fn *word_of(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(placeholders) / sizeof(placeholders[0]); i++)
		if (strlen(placeholders[i].name) == len && memcmp(placeholders[i].name, name, len) == 0)
			return placeholders[i].put;
	return NULL;
}

static size_t count(const char *text, char c)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == c;
	return n;
}

void capture_template_make(struct capture_template *t, struct arena *a, const char *text)
{
	t->n = 0;
	t->pieces = arena_alloc(a, (count(text, '{') + 1) * sizeof(*t->pieces));
	while (*text) {
		struct capture_piece *p = &t->pieces[t->n++];
		const char *open = strchr(text, '{'), *close = open ? strchr(open, '}') : NULL;
		*p = (struct capture_piece){.text = text, .len = strlen(text)};
		if (!close)
			break;
		p->put = word_of(open + 1, (size_t)(close - open - 1));
		p->len = (size_t)((p->put ? open : close + 1) - text);
		text = close + 1;
	}
}

const char *capture_template_fill(const struct capture_template *t, struct arena *a,
				  const struct capture_facts *f)
{
	struct writer w;

	if (t->n == 1 && !t->pieces[0].put) /* nothing to fill in, and a literal ends with a NUL */
		return t->pieces[0].text;
	writer_begin(&w, a);
	for (unsigned i = 0; i < t->n; i++) {
		writer_put(&w, t->pieces[i].text, t->pieces[i].len);
		if (t->pieces[i].put)
			t->pieces[i].put(&w, f);
	}
	return writer_end(&w);
}
