/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Whose hand SYN-ACK, RST, FIN and refusal show, by what they look like. Pure.
 *
 * A stack gives its SYN-ACKs one order of options and one initial TTL, whatever
 * the port; what changes by itself is left out: window, scale and MSS follow a
 * socket's own buffers, and cookies under a flood of SYNs drop scale and SACK.
 * One address may still stand for several stacks (balancers, forwarded ports, a
 * site's own SYN proxy), so another stack alone accuses nobody: only together
 * with an answer that is nearer and sooner than such a site can be.
 *
 * RSTs: Weaver, Sommer, Paxson: Detecting Forged TCP Reset Packets, NDSS 2009.
 */
#include "base/clock.h"
#include "diag/facts.h"
#include "diag/words.h"
#include "wire/decode.h"

/* The control's smallest round trip is one of so many at least: a single one may have waited
 * anywhere. */
#define FASTER_MIN_SAMPLES 2

static bool came_from_wire(const struct flow *f)
{
	return f && f->synack.seen && !f->synack.on_lo && f->synack.acks_our_syn &&
	       !f->redirected && !f->syn_on_lo;
}

/* One stack's? Only what no socket and no load on it changes. */
static bool is_alike(const struct answer *a, const struct answer *b)
{
	bool order = a->option_order == b->option_order;
	bool cookie = !a->has_wscale || !b->has_wscale || !a->sack || !b->sack;

	return wire_initial_ttl(a->ttl) == wire_initial_ttl(b->ttl) &&
	       (order || (cookie && a->has_ts == b->has_ts));
}

struct control_prints {
	const struct flow *nearest; /* NULL: nothing to compare with */
	int distance;
	bool any_alike;
	int64_t rtt_ns; /* smallest, 0 none */
	unsigned samples;
};

static void note_rtt(struct control_prints *c, int64_t rtt)
{
	if (rtt <= 0)
		return;
	c->samples++;
	if (!c->rtt_ns || rtt < c->rtt_ns)
		c->rtt_ns = rtt;
}

/* Repeated, the SYN that was answered is not known (Karn). */
static int64_t rtt_of(const struct flow *f)
{
	return f->syn_out == 1 ? f->synack.t_ns - f->first_syn_ns : 0;
}

static void look_at_control(const struct tracker *t, int port, const struct answer *own,
			    struct control_prints *c)
{
	const struct flow *f = tracker_main_flow(t, port);
	int distance = path_distance(f->synack.ttl);

	c->any_alike |= is_alike(own, &f->synack);
	if (!c->nearest || distance < c->distance) {
		c->nearest = f;
		c->distance = distance;
	}
	note_rtt(c, rtt_of(f));
	for (unsigned ttl = 0; ttl <= PLAN_MAX_HOPS; ttl++)
		if (t->path.trace[port].cell[ttl].syn_ack)
			note_rtt(c, t->path.trace[port].cell[ttl].rtt_ns);
}

/* Who sits in between takes all mail ports, so these are compared with only where no other answers.
 */
static struct control_prints controls_of(const struct tracker *t, int port,
					 const struct answer *own)
{
	struct control_prints c = {0};

	for (int tested = 0; tested < 2 && !c.nearest; tested++)
		for (int i = 0; i < (int)t->plan->n_ports; i++)
			if (i != port && t->plan->ports[i].tested == (tested == 1) &&
			    came_from_wire(tracker_main_flow(t, i)))
				look_at_control(t, i, own, &c);
	return c;
}

void facts_of_synack(const struct tracker *t, int port_index, int64_t now, struct port_facts *p)
{
	const struct flow *f = p->flow;
	const struct answer *own = &f->synack;

	if (!came_from_wire(f))
		return;
	struct control_prints c = controls_of(t, port_index, own);
	if (!c.nearest)
		return;
	int distance = path_distance(own->ttl);
	int64_t rtt = rtt_of(f);
	fact_note(p, F_SYNACK_UNLIKE, !c.any_alike, own->event);
	fact_note(p, F_SYNACK_NEARER, distance + RST_NEARER_HOPS <= c.distance, own->event);
	if (rtt && c.samples >= FASTER_MIN_SAMPLES)
		fact_note(p, F_SYNACK_FASTER, rtt * 2 + FASTER_MIN_NS <= c.rtt_ns, own->event);
	/* SYNs of this port that ran out farther away were not taken there */
	bool goes_on = path_last_hop(&t->path, &t->path.trace[port_index]) > (unsigned)distance + 1;
	fact_note(p, F_SYNACK_NEAR_SIDE, distance * 2 <= c.distance && !goes_on, own->event);
	fact_set all = FACT_BIT(F_SYNACK_UNLIKE) | FACT_BIT(F_SYNACK_NEARER) |
		       FACT_BIT(F_SYNACK_FASTER) | FACT_BIT(F_SYNACK_NEAR_SIDE);
	if ((p->seen & all) == all && !p->placed.known &&
	    facts_distance_holds(t, port_index, own->ttl, now))
		facts_place_by_distance(t, port_index, own->ttl,
					p->dest_hop ? p->dest_hop : (unsigned)c.distance + 1, p);
}

/* ---- RST, FIN, refusal ---- */

/* Raw TTLs of a host differ between its RSTs and its SYN-ACKs; distances by the nearest usual
 * initial TTL don't (method, "RST: whose?"). */
static bool is_nearer(const struct flow *f, uint8_t ttl)
{
	return ttl && f->synack.seen && !f->synack.on_lo &&
	       path_distance(ttl) + RST_NEARER_HOPS <= path_distance(f->synack.ttl);
}

/* The stage of the last refusal in the clear; STAGE_COUNT: none. The greeting's, too. */
static enum session_stage refusal_stage(const struct flow *f)
{
	static const enum session_stage stages[] = {STAGE_RCPT, STAGE_MAIL, STAGE_STARTTLS,
						    STAGE_EHLO, STAGE_GREETING};

	for (unsigned i = 0; i < sizeof(stages) / sizeof(stages[0]) && !f->has_tls; i++)
		if (f->replies[stages[i]].code >= 400)
			return stages[i];
	return STAGE_COUNT;
}

void facts_of_reset(const struct tracker *t, struct port_facts *p)
{
	const struct flow *f = p->flow;
	const struct rst_signs *s = &f->signs;
	bool reset = fact_seen(p, F_RESET), closed = fact_seen(p, F_CLOSED);

	if (!f->has_end || !f->has_result || f->error)
		return;
	fact_note(p, F_RESET_NEARER,
		  reset && f->rst.seen && !f->rst.on_lo && is_nearer(f, f->rst.ttl), f->rst.event);
	/* what was sent and what was acknowledged is known only where the tap saw all of it */
	bool counted = s->seq_change || s->ack_change, whole = tracker_capture_whole(t);
	bool forged = s->seq_data || (counted && whole);
	if (forged || whole || !counted)
		fact_note(p, F_RESET_FORGED, reset && f->rst.seen && !f->rst.on_lo && forged,
			  s->seq_data ? s->data_event : s->change_event);
	fact_note(p, F_CLOSE_NEARER, closed && f->fin.seen && is_nearer(f, f->fin.ttl),
		  f->fin.event);
	/* nothing is to be tried again */
	if (!closed && facts_refused_in_clear(f) == STAGE_COUNT)
		fact_note(p, F_REPLY_EARLY, false, NO_EVENT);
	enum session_stage stage = refusal_stage(f);
	const struct stage_reply *r = stage < STAGE_COUNT ? &f->replies[stage] : NULL;
	/* the greeting, where there was one before, came from where the SYN-ACK did */
	bool before = stage != STAGE_GREETING && f->payload_ttl && !is_nearer(f, f->payload_ttl);
	fact_note(p, F_REPLY_NEARER,
		  r && is_nearer(f, r->ttl) && (before || stage == STAGE_GREETING),
		  r ? r->packet : NO_EVENT);
}

/* ---- in words ---- */

static const char *options_words(struct arena *a, const struct answer *s)
{
	const char *out = "";

	for (unsigned i = 0; i < OPTION_ORDER_MAX; i++) {
		const char *name = NULL;
		switch ((s->option_order >> (4 * i)) & 15) {
		case OPTION_NOP: name = "nop"; break;
		case OPTION_MSS: name = arena_printf(a, "mss %u", s->mss); break;
		case OPTION_WSCALE: name = arena_printf(a, "wscale %u", s->wscale); break;
		case OPTION_SACK_PERMITTED: name = "sackOK"; break;
		case OPTION_TIMESTAMPS: name = "timestamps"; break;
		case OPTION_OTHER: name = "another"; break;
		}
		if (!name)
			break;
		out = arena_printf(a, "%s%s%s", out, out[0] ? ", " : "", name);
	}
	return out[0] ? out : "none";
}

static const char *hops_words(struct arena *a, const struct answer *s)
{
	/* as the map of the way counts them: the first router is hop 1, and takes nothing off what it sends itself */
	return arena_printf(a, "TTL %u (as from hop %d)", s->ttl, path_distance(s->ttl) + 1);
}

/* ", IP ID 0, DF": IPv6 has neither. */
static const char *ip_words(struct arena *a, const struct tracker *t, const struct answer *s)
{
	return t->plan->target.family == ADDR_V6
		       ? ""
		       : arena_printf(a, ", IP ID %u%s", s->ip_id, s->df ? ", DF" : "");
}

static const char *synack_words(struct arena *a, const struct tracker *t, const struct answer *s)
{
	return arena_printf(a, "%s%s, window %u, options: %s", hops_words(a, s), ip_words(a, t, s),
			    s->window, options_words(a, s));
}

const char *words_synack(struct arena *a, const struct tracker *t, const struct port_facts *p)
{
	struct control_prints c = controls_of(t, p->flow->port_index, &p->flow->synack);
	bool faster = fact_seen(p, F_SYNACK_FASTER);
	fact_set strong = FACT_BIT(F_SYNACK_NEARER) | FACT_BIT(F_SYNACK_NEAR_SIDE);

	if (!c.nearest)
		return NULL;
	const char *times =
		faster ? arena_printf(a, "; it came after %.1f ms, those never before %.1f ms",
				      (double)rtt_of(p->flow) / 1e6, (double)c.rtt_ns / 1e6)
		       : "";
	bool proven = fact_seen(p, F_ANSWERED_ON_WAY) || fact_seen(p, F_PATH_SYNACK_EARLY) ||
		      (faster && (p->seen & strong) == strong);
	const char *means =
		proven ? "" : " (balancers and forwarded ports make such differences, too)";
	return arena_printf(a, "the SYN-ACK differs from that of port %u: %s; %s%s%s",
			    c.nearest->port, synack_words(a, t, &p->flow->synack),
			    synack_words(a, t, &c.nearest->synack), times, means);
}

const char *words_rst(struct arena *a, const struct tracker *t, const struct port_facts *p)
{
	const struct flow *f = p->flow;
	const struct answer *rst = &f->rst;
	const struct answer *other = f->synack.seen ? &f->synack
				     : p->control_flow && p->control_flow->synack.seen
					     ? &p->control_flow->synack
					     : NULL;
	const struct rst_signs *s = &f->signs;

	if (!rst->seen || rst->on_lo || !other || other->on_lo)
		return NULL;
	unsigned n = s->n > rst->count ? s->n : rst->count;
	return arena_printf(
		a, "RST%s: %s%s, window %u, %s; SYN-ACK%s: %s%s, window %u, %s%s%s%s",
		n > 1 ? arena_printf(a, " (first of %u)", n) : "", hops_words(a, rst),
		ip_words(a, t, rst), rst->window, rst->has_ts ? "timestamps" : "no timestamps",
		other == &f->synack ? "" : arena_printf(a, " of port %u", p->control_flow->port),
		hops_words(a, other), ip_words(a, t, other), other->window,
		other->has_ts ? "timestamps" : "no timestamps",
		s->seq_data ? "; data of the connection followed the RST" : "",
		s->seq_change ? "; the RSTs run ahead of all that was sent" : "",
		s->ack_change ? "; it acknowledges what was never sent" : "");
}
