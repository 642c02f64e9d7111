/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "diag/capture_pair.h"

#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/writer.h"
#include "diag/capture_words.h"
#include "smtp/ehlo.h"

/* Clocks of two machines differ, but not by more than that where anybody looks after them. */
#define SKEW_NS (30 * NS_PER_S)
#define WORDS_NS (5 * NS_PER_S)

static int64_t apart(const struct conn *a, const struct conn *b)
{
	int64_t d = a->start_ns - b->start_ns;

	return d < 0 ? -d : d;
}

static bool same_text(const struct conn *a, struct conn_text x, const struct conn *b, struct conn_text y)
{
	return x.len == y.len && memcmp(conn_text(a, x), conn_text(b, y), x.len) == 0;
}

static bool same_isns(const struct conn *a, const struct conn *b)
{
	const struct conn_half *ac = &a->half[CONN_CLIENT], *bc = &b->half[CONN_CLIENT];
	const struct conn_half *as = &a->half[CONN_SERVER], *bs = &b->half[CONN_SERVER];

	return ac->isn_known && bc->isn_known && ac->isn == bc->isn &&
	       (!as->isn_known || !bs->isn_known || as->isn == bs->isn);
}

enum capture_match capture_match(const struct conn *a, const struct conn *b)
{
	bool ends = addr_equal(&a->client, &b->client) && addr_equal(&a->server, &b->server) &&
		    a->client_port == b->client_port && a->server_port == b->server_port;

	if (same_isns(a, b) && (ends || apart(a, b) <= SKEW_NS))
		return MATCH_ISN;
	if (ends && apart(a, b) <= SKEW_NS)
		return MATCH_TUPLE;
	if (a->smtp && b->smtp && a->smtp->hello.len > 0 && apart(a, b) <= WORDS_NS &&
	    same_text(a, a->smtp->hello, b, b->smtp->hello))
		return MATCH_WORDS;
	return MATCH_NONE;
}

static int client_ttl(const struct conn *c)
{
	return c->syn_print.ttl ? c->syn_print.ttl : c->half[CONN_CLIENT].ttl_max;
}

static int server_ttl(const struct conn *c)
{
	return c->synack_print.ttl ? c->synack_print.ttl : c->half[CONN_SERVER].ttl_max;
}

bool capture_is_nearer(const struct conn *a, const struct conn *b)
{
	if (client_ttl(a) != client_ttl(b))
		return client_ttl(a) > client_ttl(b);
	return server_ttl(a) <= server_ttl(b);
}

/* ---- what happened in between ---- */

static bool offers_starttls(const struct conn *c)
{
	const struct conn_text t = c->smtp->replies[STAGE_EHLO].text;
	const char *text = conn_text(c, t);

	for (size_t i = 0; i + 9 <= t.len; i++)
		if (text[i] == '\n' && strncasecmp(text + i + 1, "STARTTLS", 8) == 0 &&
		    (i + 9 == t.len || text[i + 9] == '\n'))
			return true;
	return false;
}

static bool reply_differs(const struct conn *a, const struct conn *b, enum session_stage stage)
{
	const struct conn_reply *x = &a->smtp->replies[stage], *y = &b->smtp->replies[stage];

	return x->code && y->code && !x->cut && !y->cut && (x->code != y->code || !same_text(a, x->text, b, y->text));
}

static fact_set words_changed(const struct conn *near, const struct conn *far)
{
	fact_set facts = 0;

	if (!near->smtp || !far->smtp)
		return 0;
	if (reply_differs(near, far, STAGE_GREETING))
		facts |= FACT_BIT(CF_PAIR_GREETING);
	if (reply_differs(near, far, STAGE_EHLO)) {
		bool stripped = offers_starttls(far) && !offers_starttls(near);
		facts |= stripped ? FACT_BIT(CF_PAIR_STARTTLS) : FACT_BIT(CF_PAIR_EHLO);
	}
	return facts;
}

/* First RST in that side's name. */
static const struct conn_rst *rst_of(const struct conn *c, enum conn_side side)
{
	for (unsigned i = 0; i < c->n_rsts; i++)
		if (c->rsts[i].side == side)
			return &c->rsts[i];
	return NULL;
}

/* The capture shows all of it: nothing that it lacks is only its own loss. */
static bool is_whole(const struct conn *c)
{
	return c->end != CONN_EVICTED && c->half[CONN_CLIENT].hole_bytes == 0 &&
	       c->half[CONN_SERVER].hole_bytes == 0;
}

fact_set capture_pair_facts(const struct conn *near, const struct conn *far, enum capture_match how)
{
	const struct conn_half *nc = &near->half[CONN_CLIENT], *fc = &far->half[CONN_CLIENT];
	const struct conn_half *ns = &near->half[CONN_SERVER], *fs = &far->half[CONN_SERVER];
	fact_set facts = FACT_BIT(CF_PAIRED) | words_changed(near, far);

	/* another connection's packets can't be compared one by one */
	if (how == MATCH_WORDS)
		return facts | FACT_BIT(CF_PAIR_PROXY);
	if (is_whole(far) && rst_of(near, CONN_SERVER) && fs->rsts == 0)
		facts |= FACT_BIT(CF_PAIR_RST);
	if (is_whole(near) && rst_of(far, CONN_CLIENT) && nc->rsts == 0)
		facts |= FACT_BIT(CF_PAIR_CLIENT_RST);
	if (conn_seen(far->synack) && !conn_seen(near->synack) && near->syns > 1)
		facts |= FACT_BIT(CF_PAIR_ANSWER_LOST);
	if (nc->stuck.bytes && nc->stuck.repeats >= CAPTURE_PAIR_REPEATS && fc->bytes < nc->bytes)
		facts |= FACT_BIT(CF_PAIR_LOST_OUT);
	if (fs->stuck.bytes && fs->stuck.repeats >= CAPTURE_PAIR_REPEATS && ns->bytes < fs->bytes)
		facts |= FACT_BIT(CF_PAIR_LOST_IN);
	return facts;
}

/* ---- in words ---- */

static void put_end(struct writer *w, const struct addr *a, uint16_t port)
{
	writer_addr(w, a);
	writer_str(w, " port ");
	writer_uint(w, port);
}

static const char *end_changed(struct arena *a, const char *what, const struct addr *x, uint16_t px,
			       const struct addr *y, uint16_t py)
{
	struct writer w;

	writer_begin(&w, a);
	writer_str(&w, what);
	put_end(&w, x, px);
	writer_str(&w, " becomes ");
	put_end(&w, y, py);
	return writer_end(&w);
}

static const char *reply_changed(struct arena *a, const struct conn *near, const struct conn *far,
				 enum session_stage stage, const char *what)
{
	struct writer w;

	writer_begin(&w, a);
	writer_str(&w, what);
	writer_str(&w, ": the server says \"");
	capture_put_reply(&w, far, &far->smtp->replies[stage]);
	writer_str(&w, "\", the client gets \"");
	capture_put_reply(&w, near, &near->smtp->replies[stage]);
	writer_str(&w, "\"");
	return writer_end(&w);
}

static const char *rst_changed(struct arena *a, const struct conn *c, const struct conn_rst *r, const char *whose)
{
	struct writer w;

	writer_begin(&w, a);
	writer_str(&w, "RST in the ");
	writer_str(&w, whose);
	writer_str(&w, "'s name (packet ");
	writer_uint(&w, conn_number(c, r->at));
	writer_str(&w, ", ttl ");
	writer_uint(&w, r->print.ttl);
	writer_str(&w, ") that the other point never saw");
	return writer_end(&w);
}

static const char *bytes_lost(struct arena *a, const char *what, uint64_t sent, uint64_t came)
{
	struct writer w;

	writer_begin(&w, a);
	writer_str(&w, what);
	writer_uint(&w, came);
	writer_str(&w, " of ");
	writer_uint(&w, sent);
	writer_str(&w, " bytes came through");
	return writer_end(&w);
}

static const char *hops_between(struct arena *a, int hops)
{
	struct writer w;

	writer_begin(&w, a);
	writer_uint(&w, (uint64_t)hops);
	writer_str(&w, hops == 1 ? " router between the two points" : " routers between the two points");
	return writer_end(&w);
}

unsigned capture_changes(struct arena *a, const struct conn *near, const struct conn *far,
			 enum capture_match how, const char **out)
{
	fact_set facts = capture_pair_facts(near, far, how);
	int hops = client_ttl(near) - client_ttl(far);
	unsigned n = 0;

	if (!addr_equal(&near->client, &far->client) || near->client_port != far->client_port)
		out[n++] = end_changed(a, "NAT: client ", &near->client, near->client_port, &far->client, far->client_port);
	if (!addr_equal(&near->server, &far->server) || near->server_port != far->server_port)
		out[n++] = end_changed(a, "NAT: server ", &near->server, near->server_port, &far->server, far->server_port);
	if (how != MATCH_WORDS && hops > 0 && n < CAPTURE_CHANGES_MAX)
		out[n++] = hops_between(a, hops);
	if (facts & FACT_BIT(CF_PAIR_GREETING))
		out[n++] = reply_changed(a, near, far, STAGE_GREETING, "greeting");
	if (facts & (FACT_BIT(CF_PAIR_STARTTLS) | FACT_BIT(CF_PAIR_EHLO)))
		out[n++] = reply_changed(a, near, far, STAGE_EHLO, "reply to EHLO");
	if (facts & FACT_BIT(CF_PAIR_RST))
		out[n++] = rst_changed(a, near, rst_of(near, CONN_SERVER), "server");
	if (facts & FACT_BIT(CF_PAIR_CLIENT_RST) && n < CAPTURE_CHANGES_MAX)
		out[n++] = rst_changed(a, far, rst_of(far, CONN_CLIENT), "client");
	if (facts & FACT_BIT(CF_PAIR_LOST_OUT) && n < CAPTURE_CHANGES_MAX)
		out[n++] = bytes_lost(a, "client to server: ", near->half[CONN_CLIENT].bytes, far->half[CONN_CLIENT].bytes);
	if (facts & FACT_BIT(CF_PAIR_LOST_IN) && n < CAPTURE_CHANGES_MAX)
		out[n++] = bytes_lost(a, "server to client: ", far->half[CONN_SERVER].bytes, near->half[CONN_SERVER].bytes);
	return n;
}
