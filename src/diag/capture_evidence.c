/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The packets behind a verdict, in a sentence each. */
#include "base/clock.h"
#include "diag/capture_words.h"

#define NUMBER_ROOM sizeof("packet 18446744073709551615")

/* "packet 12" into out[NUMBER_ROOM]; number 0: too far away to be told. Returns the length. */
static size_t text_of_packet(char *out, uint64_t number)
{
	memcpy(out, "packet ", 7);
	if (number)
		return 7 + text_of_uint(out + 7, number);
	out[7] = '?';
	return 8;
}

static void put_packet(struct writer *w, const struct conn *c, struct conn_mark at)
{
	char *out = writer_reserve(w, NUMBER_ROOM);

	w->len += text_of_packet(out, conn_number(c, at));
}

static void put_print(struct writer *w, const struct conn *c, const struct conn_print *p)
{
	writer_put(w, ", ttl ", 6);
	writer_uint(w, p->ttl);
	writer_put(w, " (", 2);
	writer_uint(w, (uint64_t)(p->ttl ? capture_distance(p->ttl) : 0));
	writer_str(w, capture_distance(p->ttl) == 1 ? " hop)" : " hops)");
	if (c->client.family != ADDR_V4)
		return;
	writer_put(w, ", IP ID ", 8);
	writer_uint(w, p->ip_id);
	writer_str(w, p->df ? " DF" : "");
}

static void put_times(struct writer *w, const struct conn *c, unsigned n, struct conn_mark first,
		      struct conn_mark last)
{
	if (n < 2)
		return;
	writer_str(w, "; ");
	writer_uint(w, n);
	writer_str(w, " in all, the last ");
	put_packet(w, c, last);
	writer_str(w, " after ");
	writer_duration(w, conn_ns(c, last) - conn_ns(c, first));
}

/* ---- one function a kind; each begins with the packet's number ---- */

static struct conn_mark e_syn(struct writer *w, const struct capture_facts *f)
{
	const struct conn *c = f->conn;

	writer_str(w, ": SYN");
	put_print(w, c, &c->syn_print);
	put_times(w, c, c->syns, c->syn, c->syn_last);
	return c->syn;
}

static struct conn_mark e_synack(struct writer *w, const struct capture_facts *f)
{
	const struct conn *c = f->conn;

	writer_str(w, ": SYN-ACK");
	if (conn_before(c->syn, c->synack)) {
		writer_str(w, " after ");
		writer_duration(w, conn_ns(c, c->synack) - conn_ns(c, c->syn));
	}
	put_print(w, c, &c->synack_print);
	put_times(w, c, c->synacks, c->synack, c->synack_last);
	return c->synack;
}

static struct conn_mark e_syn_again(struct writer *w, const struct capture_facts *f)
{
	const struct conn *c = f->conn;

	writer_str(w, ": a SYN again, ");
	writer_duration(w, conn_ns(c, c->syn_after_synack) - conn_ns(c, c->synack));
	writer_str(w, " after the SYN-ACK");
	put_times(w, c, c->syns_after_synack, c->syn_after_synack, c->syn_last);
	return c->syn_after_synack;
}

static struct conn_mark e_synack_other(struct writer *w, const struct capture_facts *f)
{
	const struct conn *c = f->conn;

	writer_str(w, ": another SYN-ACK, with another sequence number");
	put_print(w, c, &c->synack_other_print);
	return c->synack_other;
}

static struct conn_mark e_icmp(struct writer *w, const struct capture_facts *f)
{
	const struct conn_icmp *i = f->icmp;

	if (!i)
		return (struct conn_mark){0};
	writer_str(w, ": ICMP ");
	writer_str(w, icmp_name(i->from.family, i->type, i->code));
	writer_str(w, " from ");
	writer_addr(w, &i->from);
	writer_str(w, ", ttl ");
	writer_uint(w, i->ttl);
	writer_str(w, ", about the SYN, which came there with ttl ");
	writer_uint(w, i->quoted_ttl);
	return i->at;
}

static struct conn_mark reply_evidence(struct writer *w, const struct capture_facts *f,
				       const struct conn_reply *r, const char *what)
{
	if (!r->code)
		return (struct conn_mark){0};
	writer_str(w, what);
	capture_put_reply(w, f->conn, r);
	return r->at;
}

static struct conn_mark e_greeting(struct writer *w, const struct capture_facts *f)
{
	const struct conn_smtp *s = f->conn->smtp;

	return s ? reply_evidence(w, f, &s->replies[STAGE_GREETING], ": greeting ") : (struct conn_mark){0};
}

static struct conn_mark e_ehlo(struct writer *w, const struct capture_facts *f)
{
	const struct conn_smtp *s = f->conn->smtp;

	return s ? reply_evidence(w, f, &s->replies[STAGE_EHLO], ": reply to EHLO ") : (struct conn_mark){0};
}

static struct conn_mark e_refusal(struct writer *w, const struct capture_facts *f)
{
	const struct conn_smtp *s = f->conn->smtp;

	if (!s)
		return (struct conn_mark){0};
	if (capture_fact_seen(f, CF_AUTH_REJECT))
		return reply_evidence(w, f, &s->replies[STAGE_AUTH], ": refused: ");
	if (capture_fact_seen(f, CF_STARTTLS_REJECT))
		return reply_evidence(w, f, &s->replies[STAGE_STARTTLS], ": refused: ");
	return reply_evidence(w, f, &s->bad, ": refused: ");
}

static struct conn_mark e_mail(struct writer *w, const struct capture_facts *f)
{
	const struct conn_smtp *s = f->conn->smtp;
	const struct conn_reply *r = s ? &s->replies[STAGE_MESSAGE] : NULL;

	return r && r->code < 400 ? reply_evidence(w, f, r, ": message taken: ") : (struct conn_mark){0};
}

static struct conn_mark e_bytes(struct writer *w, const struct capture_facts *f)
{
	const struct conn *c = f->conn;

	if (!c->smtp)
		return (struct conn_mark){0};
	writer_str(w, ": the server's bytes are no reply: \"");
	writer_clean(w, conn_text(c, c->smtp->server_first), c->smtp->server_first.len, 80);
	writer_str(w, "\"");
	return c->smtp->not_smtp;
}

static struct conn_mark e_tls(struct writer *w, const struct capture_facts *f)
{
	const struct conn_tls *t = f->conn->tls;
	const char *version = t ? capture_tls_version(t->version) : NULL;

	if (!t)
		return (struct conn_mark){0};
	writer_str(w, ": ClientHello");
	if (t->sni.len) {
		writer_str(w, " for ");
		writer_clean(w, conn_text(f->conn, t->sni), t->sni.len, 100);
	}
	if (conn_seen(t->server_hello)) {
		writer_str(w, ", answered in ");
		put_packet(w, f->conn, t->server_hello);
		writer_str(w, version ? " with " : "");
		writer_str(w, version ? version : "");
	} else {
		writer_str(w, ", not answered by a ServerHello");
	}
	return t->client_hello;
}

static struct conn_mark e_alert(struct writer *w, const struct capture_facts *f)
{
	const struct conn_tls *t = f->conn->tls;

	if (!t || (t->n_alerts == 0 && !conn_seen(t->broken)))
		return (struct conn_mark){0};
	if (t->n_alerts == 0) {
		writer_str(w, ": what should be a TLS record is none");
		return t->broken;
	}
	const struct conn_alert *a = &t->alerts[0];
	const char *name = a->level ? capture_tls_alert(a->description) : NULL;
	writer_str(w, a->side == CONN_SERVER ? ": TLS alert of the server: " : ": TLS alert of the client: ");
	if (name)
		writer_str(w, name);
	else if (a->level)
		writer_uint(w, a->description);
	else
		writer_str(w, "encrypted");
	return a->at;
}

static struct conn_mark e_stuck(struct writer *w, const struct capture_facts *f)
{
	bool client = capture_fact_seen(f, CF_CLIENT_STUCK);
	const struct conn_stuck *s = &f->conn->half[client ? CONN_CLIENT : CONN_SERVER].stuck;

	if (!s->bytes)
		return (struct conn_mark){0};
	writer_str(w, client ? ": the client's " : ": the server's ");
	writer_uint(w, s->size);
	writer_str(w, " bytes, sent again ");
	writer_uint(w, s->repeats);
	writer_str(w, s->repeats == 1 ? " time until " : " times until ");
	put_packet(w, f->conn, s->last);
	writer_str(w, ", never acknowledged");
	return s->first;
}

static struct conn_mark e_window(struct writer *w, const struct capture_facts *f)
{
	const struct conn_half *server = &f->conn->half[CONN_SERVER];

	writer_str(w, ": the server's window is 0, in ");
	writer_uint(w, server->zero_windows);
	writer_str(w, server->zero_windows == 1 ? " packet" : " packets");
	return server->zero_window;
}

static struct conn_mark e_drip(struct writer *w, const struct capture_facts *f)
{
	const struct conn_half *server = &f->conn->half[CONN_SERVER];

	writer_str(w, ": the server's first byte; ");
	writer_uint(w, server->bytes);
	writer_str(w, " bytes came in ");
	writer_uint(w, server->segments);
	writer_str(w, " packets, the last of them ");
	writer_duration(w, conn_ns(f->conn, server->last_data) - conn_ns(f->conn, server->first_data));
	writer_str(w, " later");
	return server->first_data;
}

static struct conn_mark e_wait(struct writer *w, const struct capture_facts *f)
{
	const struct conn *c = f->conn;
	struct conn_mark since = c->smtp && c->smtp->unanswered ? c->smtp->last_command : c->established;

	if (c->tls && conn_seen(c->tls->client_hello) && !conn_seen(c->tls->server_hello))
		since = c->tls->client_hello;
	writer_str(w, ": nothing of the server's program for ");
	writer_duration(w, f->waited_ns);
	writer_str(w, " from then on");
	return since;
}

static struct conn_mark e_fin(struct writer *w, const struct capture_facts *f)
{
	writer_str(w, ": the server's FIN");
	return f->conn->half[CONN_SERVER].fin;
}

static void put_numbers(struct writer *w, const struct conn_rst *r)
{
	if (r->seq_known && r->seq_off != 0) {
		writer_str(w, ", sequence number ");
		writer_uint(w, (uint64_t)(r->seq_off < 0 ? -(int64_t)r->seq_off : r->seq_off));
		writer_str(w, r->seq_off < 0 ? " behind" : " beyond");
		writer_str(w, " what its side had sent");
	}
	if ((r->flags & TCP_ACK) && r->ack_known && r->ack_off != 0) {
		writer_str(w, ", acknowledges ");
		writer_uint(w, (uint64_t)(r->ack_off < 0 ? -(int64_t)r->ack_off : r->ack_off));
		writer_str(w, r->ack_off < 0 ? " bytes less" : " bytes more");
		writer_str(w, " than were sent");
	}
}

static void put_rst(struct writer *w, const struct capture_facts *f, const struct conn_rst *r)
{
	writer_str(w, r->flags & TCP_ACK ? ": RST+ACK" : ": RST");
	writer_str(w, r->side == CONN_SERVER ? " in the server's name" : " in the client's name");
	put_print(w, f->conn, &r->print);
	put_numbers(w, r);
	if (r->has_prev) {
		writer_str(w, "; the packet before that had ttl ");
		writer_uint(w, r->prev_ttl);
		if (f->conn->client.family == ADDR_V4) {
			writer_str(w, ", IP ID ");
			writer_uint(w, r->prev_ip_id);
		}
	}
}

static struct conn_mark e_rst(struct writer *w, const struct capture_facts *f)
{
	const struct conn_rst *r = f->rst ? f->rst : f->rst_client;

	if (!r)
		return (struct conn_mark){0};
	put_rst(w, f, r);
	return r->at;
}

static struct conn_mark e_rsts(struct writer *w, const struct capture_facts *f)
{
	const struct conn *c = f->conn;
	const struct conn_rst *last = NULL;

	for (unsigned i = 0; i < c->n_rsts; i++)
		if (&c->rsts[i] != f->rst && c->rsts[i].side == CONN_SERVER)
			last = &c->rsts[i];
	if (!last)
		return (struct conn_mark){0};
	put_rst(w, f, last);
	writer_str(w, "; ");
	writer_uint(w, c->half[CONN_SERVER].rsts);
	writer_str(w, " in all");
	return last->at;
}

static struct conn_mark e_after_rst(struct writer *w, const struct capture_facts *f)
{
	const struct conn *c = f->conn;
	const struct conn_rst *r = f->rst ? f->rst : f->rst_client;

	if (!r || !conn_seen(c->half[r->side].after_rst))
		return (struct conn_mark){0};
	writer_str(w, r->side == CONN_SERVER ? ": the server goes on " : ": the client goes on ");
	writer_duration(w, conn_ns(c, c->half[r->side].after_rst) - conn_ns(c, r->at));
	writer_str(w, " after the RST in its name");
	return c->half[r->side].after_rst;
}

static struct conn_mark e_end(struct writer *w, const struct capture_facts *f)
{
	const struct conn *c = f->conn;
	const struct conn_half *client = &c->half[CONN_CLIENT], *server = &c->half[CONN_SERVER];

	writer_str(w, ": the last packet of the connection");
	return conn_before(client->last, server->last) ? server->last : client->last;
}

/* Without a packet of this connection. */
static struct conn_mark e_context(struct writer *w, const struct capture_facts *f)
{
	const struct capture_context *k = f->context;

	if (k->alive) {
		writer_str(w, "other connections of the capture: the server answers on port ");
		writer_uint(w, k->alive_port);
		if (capture_fact_seen(f, CF_SILENT)) {
			writer_str(w, "; ");
			writer_uint(w, k->loss.answered);
			writer_str(w, " of ");
			writer_uint(w, k->loss.sent);
			writer_str(w, " packets to it arrived");
		}
	} else if (k->dead_servers) {
		writer_str(w, "other connections of the capture: ");
		writer_uint(w, k->dead_servers);
		writer_str(w, " servers in a row did not answer this client on this port");
	}
	return (struct conn_mark){0};
}

typedef struct conn_mark evidence_fn(struct writer *w, const struct capture_facts *f);

static const struct {
	evidence_fn *put;
	enum source source;
} kinds[CE_COUNT] = {
	[CE_SYN] = {e_syn, SOURCE_CAPTURE},
	[CE_SYNACK] = {e_synack, SOURCE_CAPTURE},
	[CE_SYN_AGAIN] = {e_syn_again, SOURCE_CAPTURE},
	[CE_SYNACK_OTHER] = {e_synack_other, SOURCE_CAPTURE},
	[CE_CONTEXT] = {e_context, SOURCE_CAPTURE},
	[CE_ICMP] = {e_icmp, SOURCE_CAPTURE},
	[CE_GREETING] = {e_greeting, SOURCE_SMTP},
	[CE_EHLO] = {e_ehlo, SOURCE_SMTP},
	[CE_REFUSAL] = {e_refusal, SOURCE_SMTP},
	[CE_MAIL] = {e_mail, SOURCE_SMTP},
	[CE_BYTES] = {e_bytes, SOURCE_SMTP},
	[CE_TLS] = {e_tls, SOURCE_TLS},
	[CE_ALERT] = {e_alert, SOURCE_TLS},
	[CE_STUCK] = {e_stuck, SOURCE_CAPTURE},
	[CE_WINDOW] = {e_window, SOURCE_CAPTURE},
	[CE_DRIP] = {e_drip, SOURCE_CAPTURE},
	[CE_WAIT] = {e_wait, SOURCE_CAPTURE},
	[CE_FIN] = {e_fin, SOURCE_CAPTURE},
	[CE_RST] = {e_rst, SOURCE_CAPTURE},
	[CE_RSTS] = {e_rsts, SOURCE_CAPTURE},
	[CE_AFTER_RST] = {e_after_rst, SOURCE_CAPTURE},
	[CE_END] = {e_end, SOURCE_CAPTURE},
};

/* The sentence is written first, for only its maker knows the packet; the packet's number goes into the
 * room that is left before it. */
const char *capture_evidence_text(enum capture_evidence e, struct arena *a,
				  const struct capture_facts *f, struct conn_mark *at,
				  enum source *source)
{
	struct writer w;

	*source = kinds[e].source;
	writer_begin(&w, a);
	w.len = NUMBER_ROOM;
	*at = kinds[e].put(&w, f);
	char *text = writer_end(&w) + NUMBER_ROOM;
	if (!conn_seen(*at))
		return e == CE_CONTEXT && text[0] ? text : NULL;
	char number[NUMBER_ROOM];
	size_t len = text_of_packet(number, conn_number(f->conn, *at));
	return memcpy(text - len, number, len);
}

enum capture_evidence capture_evidence_of(enum capture_fact fact)
{
	switch (fact) {
	case CF_SYN:
	case CF_SILENT:
	case CF_SILENT_LONG:
	case CF_PROBES: return CE_SYN;
	case CF_SYNACK:
	case CF_ANSWER_NEARER:
	case CF_SYNACK_IN_VAIN: return CE_SYNACK;
	case CF_SYN_AGAIN: return CE_SYN_AGAIN;
	case CF_TWO_ANSWERS: return CE_SYNACK_OTHER;
	case CF_SERVER_ALIVE:
	case CF_OTHER_PORT_ALIVE:
	case CF_ALL_PORTS_SILENT:
	case CF_PORT_DEAD_EVERYWHERE:
	case CF_CLIENT_ALIVE: return CE_CONTEXT;
	case CF_RST:
	case CF_RST_AT_SYN:
	case CF_RST_BARE:
	case CF_RST_TOO_SOON:
	case CF_RST_NEARER:
	case CF_RST_ON_LINK:
	case CF_RST_ALIKE:
	case CF_RST_STRANGE:
	case CF_CLIENT_GAVE_UP:
	case CF_CLIENT_RST: return CE_RST;
	case CF_RST_BOTH_KINDS:
	case CF_RST_SEQ_CHANGE:
	case CF_RST_ACK_CHANGE:
	case CF_RST_BURST: return CE_RSTS;
	case CF_RST_THEN_SYNACK: return CE_SYNACK;
	case CF_PAIR_RST:
	case CF_PAIR_CLIENT_RST: return CE_RST;
	case CF_PAIR_GREETING: return CE_GREETING;
	case CF_PAIR_EHLO:
	case CF_PAIR_STARTTLS: return CE_EHLO;
	case CF_PAIR_SYN_LOST:
	case CF_PAIR_ANSWER_LOST: return CE_SYN;
	case CF_PAIR_LOST_OUT:
	case CF_PAIR_LOST_IN: return CE_STUCK;
	case CF_PAIR_PROXY: return CE_SYNACK;
	case CF_RST_THEN_DATA:
	case CF_CLIENT_RST_FORGED: return CE_AFTER_RST;
	case CF_ICMP:
	case CF_ICMP_FROM_CLIENT:
	case CF_ICMP_FROM_SERVER:
	case CF_ICMP_PLACED:
	case CF_ICMP_FILTER:
	case CF_ICMP_PORT:
	case CF_ICMP_EXPIRED: return CE_ICMP;
	case CF_GREETED:
	case CF_GREETING_REJECT:
	case CF_BANNER_MASKED: return CE_GREETING;
	case CF_DRIP: return CE_DRIP;
	case CF_EHLO_REJECT:
	case CF_EHLO_MASKED:
	case CF_STARTTLS_MASKED: return CE_EHLO;
	case CF_AUTH_REJECT:
	case CF_POLICY_REJECT:
	case CF_STARTTLS_REJECT: return CE_REFUSAL;
	case CF_NOT_SMTP: return CE_BYTES;
	case CF_TLS_INTERCEPTOR:
	case CF_IN_TLS: return CE_TLS;
	case CF_TLS_FAILED:
	case CF_TLS_CLIENT_REFUSES: return CE_ALERT;
	case CF_CLOSED: return CE_FIN;
	case CF_WAITED:
	case CF_CLIENT_LEFT: return CE_WAIT;
	case CF_ZERO_WINDOW: return CE_WINDOW;
	case CF_CLIENT_STUCK:
	case CF_SERVER_STUCK:
	case CF_LARGE_STUCK:
	case CF_CLIENT_MUTE: return CE_STUCK;
	case CF_ONE_SIDED:
	case CF_NO_BEGINNING:
	case CF_CUT_OFF: return CE_END;
	case CF_AT_CLIENT:
	case CF_ON_LOOPBACK:
	case CF_ESTABLISHED:
	case CF_SERVER_SPOKE:
	case CF_WORKS:
	case CF_DONE:
	case CF_TLS_UP:
	case CF_FRAG_NEEDED:
	case CF_DISTANCES_SHOWN:
	case CF_PAIRED:
	case CF_COUNT: break;
	}
	return CE_COUNT;
}
