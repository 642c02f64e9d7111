/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Whose RST is it? A stack's own resets are exact, single and come from where
 * its other packets come from; a device's, which races the two ends, are one of
 * these by luck only. Sources:
 *
 * [WSP] Weaver, Sommer, Paxson: Detecting Forged TCP Reset Packets, NDSS 2009:
 *       what follows a RST, and several RSTs of one sender.
 * [RAM] Raman et al.: Global, Passive Detection of Connection Tampering, SIGCOMM
 *       2023: signatures by stage, IP ID and TTL beside them.
 *
 * Raw TTLs of one host differ between its RSTs and its other packets, for they
 * begin with different values: only distances are compared.
 */
#include "base/clock.h"
#include "diag/capture_note.h"

/* Packets of one sender may overtake each other by about that much. */
#define REORDER_NS (20 * NS_PER_MS)

static bool is_server(const struct conn_rst *r)
{
	return r->side == CONN_SERVER;
}

/* The server had said its last word, or nobody had said any for long: then a reset is only untidy. */
static bool is_harmless(const struct conn *c, const struct conn_rst *r)
{
	const struct conn_smtp *s = c->smtp;

	if (!s || s->unanswered > 0 || s->answers == 0)
		return false;
	const struct conn_reply *last = &s->replies[s->last_stage];
	return last->code >= 400 || conn_ns(c, r->at) - conn_ns(c, last->at) >= CAPTURE_IDLE_NS;
}

/* The one that ended the dialogue: the first of all. What comes after a goodbye hurts nobody, and
 * after another reset it only answers late packets. */
static const struct conn_rst *first_rst(const struct capture_facts *f)
{
	const struct conn *c = f->conn;

	return c->n_rsts == 0 || c->rsts[0].phase == CONN_PHASE_CLOSING || capture_fact_seen(f, CF_DONE) ||
			       is_harmless(c, &c->rsts[0])
		       ? NULL
		       : &c->rsts[0];
}

/* ---- what follows a RST ---- */

/* [WSP] RST_SEQ_DATA: who has reset a connection says no more on it. Bytes beyond the RST's number
 * can't have been overtaken by it. */
static bool went_on(const struct conn *c, const struct conn_rst *r)
{
	const struct conn_half *half = &c->half[r->side];

	if (!conn_seen(half->after_rst))
		return false;
	if (r->seq_known && r->seq_off <= 0 && conn_before(r->at, half->last_data) &&
	    !conn_before(half->last_new, half->last_data))
		return true;
	return conn_before(r->at, half->last_new) &&
	       conn_ns(c, half->last_new) - conn_ns(c, r->at) > REORDER_NS;
}

/* ---- several of them ---- */

static bool both_kinds(const struct conn *c)
{
	bool bare = false, ack = false;

	for (unsigned i = 0; i < c->n_rsts; i++) {
		const struct conn_rst *r = &c->rsts[i];
		if (!is_server(r) || r->phase != CONN_PHASE_SYN)
			continue;
		bare |= !(r->flags & TCP_ACK);
		ack |= (r->flags & TCP_ACK) != 0;
	}
	return bare && ack;
}

/* [WSP] RST_SEQ_CHANGE: injectors guess ahead, lest the server's own bytes overtake them. A stack
 * resets at what it has sent, or at what it was acknowledged. */
static bool seq_changes(const struct conn *c)
{
	const struct conn_rst *before = NULL;

	if (conn_seen(c->half[CONN_SERVER].hole))
		return false; /* the capture itself misses bytes of the server */
	for (unsigned i = 0; i < c->n_rsts; i++) {
		const struct conn_rst *r = &c->rsts[i];
		if (!is_server(r) || r->phase == CONN_PHASE_SYN)
			continue;
		if (before && (int32_t)(r->seq - before->seq) > 0 && r->seq_known && r->seq_off > 0)
			return true;
		before = r;
	}
	return false;
}

/* [WSP] RST_ACK_CHANGE: they differ, and one lies outside all that the client ever sent. */
static bool ack_changes(const struct conn *c)
{
	const struct conn_rst *before = NULL;
	int64_t sent = (int64_t)c->half[CONN_CLIENT].bytes + 2; /* SYN and FIN count, too */
	bool outside = false;

	for (unsigned i = 0; i < c->n_rsts; i++) {
		const struct conn_rst *r = &c->rsts[i];
		if (!is_server(r) || !(r->flags & TCP_ACK) || !r->ack_known)
			continue;
		outside |= r->ack_off > 0 || r->ack_off < -sent;
		if (before && before->ack != r->ack && outside)
			return true;
		before = r;
	}
	return false;
}

/* A stack sends one RST by itself, and one for each packet that comes after. */
static bool burst(const struct conn *c)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->n_rsts; i++) {
		const struct conn_rst *r = &c->rsts[i];
		if (is_server(r) && ++n > r->provoked + 1u)
			return true;
	}
	return false;
}

/* ---- where it comes from ---- */

/* It acknowledges bytes that were on their way to the server for less than half a round trip. */
static bool too_soon(const struct capture_facts *f, const struct conn_rst *r)
{
	const struct conn *c = f->conn;
	const struct conn_half *client = &c->half[CONN_CLIENT];
	struct conn_mark said = r->phase == CONN_PHASE_SYN ? c->syn
				: conn_before(client->last_data, r->at) ? client->last_data
									 : client->first_data;

	if (f->rtt_ns < CAPTURE_SOON_RTT_NS || !(r->flags & TCP_ACK) || !r->ack_known || r->ack_off != 0 ||
	    !conn_before(said, r->at) || (r->phase == CONN_PHASE_SYN && c->syns != 1))
		return false;
	return conn_ns(c, r->at) - conn_ns(c, said) < f->rtt_ns / CAPTURE_SOON_PART;
}

/* [RAM] section 4.3 looks at both. A counter goes on, and a stack that sets DF does so always; RSTs
 * of no socket have the ID 0 with Linux. */
static bool is_strange(const struct conn *c, const struct conn_rst *r)
{
	const struct conn_half *server = &c->half[CONN_SERVER];
	bool counts = server->segments > 1 && !server->ip_id_zero &&
		      (uint16_t)(server->ip_id_last - server->ip_id_first) < CAPTURE_IP_ID_NEAR;

	if (c->server.family != ADDR_V4 || !r->has_prev || !conn_seen(c->synack))
		return false;
	if (c->synack_print.df && !r->print.df)
		return true;
	return counts && r->print.ip_id != 0 && r->prev_ip_id != 0 &&
	       (uint16_t)(r->print.ip_id - r->prev_ip_id) >= CAPTURE_IP_ID_NEAR;
}

static void server_reset(struct capture_facts *f, const struct conn_rst *r)
{
	const struct conn *c = f->conn;
	bool at_syn = r->phase == CONN_PHASE_SYN;
	int d = f->rst_distance = capture_distance(r->print.ttl), server = f->server_distance;
	bool not_there = server >= RST_NEARER_HOPS || (server < 0 && capture_far_apart(&c->client, &c->server));
	bool on_link = capture_fact_seen(f, CF_AT_CLIENT) && !c->loopback && d == 0 && not_there;
	bool near = server >= 0 && d >= 0 && d + RST_NEARER_HOPS <= server;

	f->rst = r;
	capture_note(f, CF_RST, true);
	capture_note(f, CF_RST_AT_SYN, at_syn);
	capture_note(f, CF_RST_BARE, at_syn && !(r->flags & TCP_ACK));
	capture_note(f, CF_RST_BOTH_KINDS, both_kinds(c));
	capture_note(f, CF_RST_THEN_SYNACK, at_syn && conn_before(r->at, c->synack));
	capture_note(f, CF_RST_THEN_DATA, !at_syn && went_on(c, r));
	capture_note(f, CF_RST_SEQ_CHANGE, seq_changes(c));
	capture_note(f, CF_RST_ACK_CHANGE, ack_changes(c));
	capture_note(f, CF_RST_BURST, burst(c));
	capture_note(f, CF_RST_TOO_SOON, too_soon(f, r));
	capture_note(f, CF_RST_ON_LINK, on_link);
	capture_note(f, CF_RST_NEARER, near);
	capture_note(f, CF_RST_ALIKE, server >= 0 && d >= 0 && d + RST_NEARER_HOPS > server && d < server + RST_NEARER_HOPS);
	capture_note(f, CF_RST_STRANGE, is_strange(c, r));
	if (near || on_link)
		capture_place_by_distance(f, d);
}

/* At the client's own machine a RST of its own is what it looks like. */
static void client_reset(struct capture_facts *f, const struct conn_rst *r)
{
	const struct conn *c = f->conn;
	int d = capture_distance(r->print.ttl), own = f->client_distance;
	bool elsewhere = !capture_fact_seen(f, CF_AT_CLIENT) && d >= 0 && own >= 0 && d + RST_NEARER_HOPS <= own;

	f->rst_client = r;
	capture_note(f, CF_CLIENT_RST, true);
	capture_note(f, CF_CLIENT_RST_FORGED, elsewhere || (r->phase > CONN_PHASE_SYNACK && went_on(c, r)));
}

void capture_reset_facts(struct capture_facts *f)
{
	const struct conn_rst *r = first_rst(f);

	if (r && is_server(r))
		server_reset(f, r);
	else if (r)
		client_reset(f, r);
}
