/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/turns.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"

/* Probes of runs that are told: a second, to begin with, at most and at least. */
#define CONFIRM_FIRST 50.0
#define CONFIRM_MOST  400.0
#define CONFIRM_LEAST 1.0
#define CONFIRM_BURST 8.0
#define CONFIRM_MORE  2.0 /* a second more for each that was answered; half of it for one that was not */
#define CLEAN_PER_SLOT 4
/* Routers keep their habits longer than blocks their places. */
#define LIMITED_FACTOR 5
/* A trace's share in the mean. */
#define MEAN_SHARE 0.2

void turns_init(struct turns *s)
{
	*s = (struct turns){.at_once = 1, .per_second = CONFIRM_FIRST, .tokens = CONFIRM_BURST};
}

void turns_clear(struct turns *s)
{
	free(s->line);
	*s = (struct turns){0};
}

/* ---- groups ---- */

static bool same_failure(const struct failure *a, const struct failure *b)
{
	return a->port == b->port && a->ailment == b->ailment && a->egress == b->egress &&
	       addr_equal(&a->icmp_from, &b->icmp_from) && addr_equal(&a->next_hop, &b->next_hop);
}

static struct turns_group *group_of(struct turns *s, const struct failure *f)
{
	for (unsigned i = 0; i < s->n_groups; i++)
		if (same_failure(&s->groups[i].failure, f))
			return &s->groups[i];
	return NULL;
}

static void add_group(struct turns *s, const struct failure *f, int64_t now)
{
	if (f->ailment == AILMENT_OTHER || s->n_groups == TURNS_GROUPS || group_of(s, f))
		return;
	s->groups[s->n_groups++] = (struct turns_group){.failure = *f, .since = now};
}

static void forget_old(struct turns *s, int64_t now)
{
	if (!s->good_ns)
		return;
	for (unsigned i = s->n_groups; i-- > 0;)
		if (now - s->groups[i].since >= s->good_ns)
			s->groups[i] = s->groups[--s->n_groups];
	if (s->limited && now - s->limited_ns >= LIMITED_FACTOR * s->good_ns) {
		s->limited = false;
		s->clean = 0;
	}
}

/* Its place is that of others, too. An ICMP error has a sender: who it is need be found out once. */
static bool is_settled(const struct turns_group *g)
{
	if (g->failure.ailment == AILMENT_UNANSWERED)
		return false; /* hosts that are down have nothing in common */
	return !g->unlike && g->placed >= (g->failure.ailment == AILMENT_ICMP ? 1 : TURNS_SAMPLE);
}

/* More traces would show nothing new, or each something of its own. Where there is no end, those that
 * wait have a deadline, and the line is no longer than they are many. */
static bool is_hopeless(const struct turns *s, const struct turns_group *g)
{
	return (g->placed == 0 && g->unplaced >= TURNS_MAX_UNPLACED) ||
	       (!s->good_ns && g->unlike && g->placed + g->unplaced >= TURNS_MAX_UNLIKE);
}

/* ---- what a trace has shown ---- */

/* Blocks on the way are everybody's; one at the destination is that destination's. */
static bool can_be_shared(enum place place)
{
	return place == PLACE_GATEWAY || place == PLACE_ISP || place == PLACE_TRANSIT;
}

static bool same_hop(const struct addr *a, const struct addr *b)
{
	return !addr_is_set(a) || !addr_is_set(b) || addr_equal(a, b);
}

/* Ranges overlap, and no hop in both has two addresses. */
static bool same_place(const struct ev_alike *a, const struct ev_alike *b)
{
	if (a->place != b->place || a->from_ttl > b->to_ttl || b->from_ttl > a->to_ttl)
		return false;
	if (a->from_ttl == b->from_ttl && !same_hop(&a->from, &b->from))
		return false;
	return a->to_ttl != b->to_ttl || same_hop(&a->to, &b->to);
}

static bool is_narrower(const struct ev_alike *a, const struct ev_alike *b)
{
	return a->to_ttl - a->from_ttl < b->to_ttl - b->from_ttl;
}

static const struct report_port *port_of(const struct report *r, uint16_t port)
{
	for (unsigned i = 0; i < r->n_ports; i++)
		if (r->ports[i].port == port)
			return &r->ports[i];
	return NULL;
}

static const struct finding *finding_of(const struct report_port *port, enum mechanism mechanism)
{
	for (unsigned i = 0; port && i < port->n_findings; i++)
		if (port->findings[i].mechanism == mechanism && port->findings[i].has_hop &&
		    port->findings[i].place != PLACE_HOST)
			return &port->findings[i];
	return NULL;
}

static void learn(struct turns_group *g, const struct report *r)
{
	bool icmp = g->failure.ailment == AILMENT_ICMP;
	const struct report_port *port = port_of(r, g->failure.port);
	const struct finding *f =
		finding_of(port, icmp ? MECH_ICMP_UNREACHABLE : MECH_SILENT_DROP);

	if (!f || f->place == PLACE_UNKNOWN || f->confidence <= 0) {
		g->unplaced++;
		return;
	}
	struct ev_alike a = {
		.port = g->failure.port,
		.ailment = g->failure.ailment,
		.place = f->place,
		.permille = (uint16_t)(f->confidence * 1000),
		.from_ttl = (uint8_t)f->hop_from.ttl,
		.to_ttl = (uint8_t)f->hop_to.ttl,
		.from = f->hop_from.ttl ? f->hop_from.address : (struct addr){0},
		.to = f->hop_to.address,
	};
	if (f->culprit.kind == CULPRIT_HOP || f->culprit.kind == CULPRIT_MIDDLEBOX)
		a.culprit_ttl = (uint8_t)f->culprit.ttl;
	bool first = g->placed++ == 0;
	g->unlike |= !can_be_shared(a.place) || (!first && !same_place(&a, &g->place));
	if (g->unlike)
		return;
	uint16_t least = first || a.permille < g->place.permille ? a.permille : g->place.permille;
	if (first || is_narrower(&a, &g->place))
		g->place = a;
	g->place.permille = least;
}

/* ---- the line ---- */

static void leave_line(struct turns *s, struct turn *turn)
{
	if (!turn->waiting)
		return;
	turn->waiting = false;
	if (s->drawn == turn)
		s->drawn = NULL;
	s->line[turn->index] = s->line[--s->n_line];
	s->line[turn->index]->index = turn->index;
}

static void join_line(struct turns *s, struct turn *turn, int64_t now)
{
	if (turn->waiting)
		return;
	s->line = array_grow(s->line, s->n_line, &s->line_size, sizeof(*s->line));
	turn->waiting = true;
	turn->since = now;
	turn->index = s->n_line;
	s->line[s->n_line++] = turn;
}

static bool there_is_room(const struct turns *s, int64_t now)
{
	return s->tracing < s->at_once && now >= s->rest_until;
}

/* So long it takes until all in line have been traced. */
static double line_ns(const struct turns *s)
{
	double each = s->mean_ns + (s->limited ? (double)TURNS_REST_NS : 0);

	return each * (s->n_line + s->tracing) / s->at_once;
}

static bool all_settled(struct turns *s, const struct turn *turn)
{
	bool all = turn->n_failures > 0;

	for (unsigned i = 0; i < turn->n_failures; i++) {
		const struct turns_group *g = group_of(s, &turn->failures[i]);
		all &= g && is_settled(g);
	}
	return all;
}

static bool all_hopeless(struct turns *s, const struct turn *turn)
{
	bool all = turn->n_failures > 0;

	for (unsigned i = 0; i < turn->n_failures; i++) {
		const struct turns_group *g = group_of(s, &turn->failures[i]);
		all &= g && is_hopeless(s, g);
	}
	return all;
}

enum turns_answer turns_ask(struct turns *s, struct turn *turn, int64_t now)
{
	if (turn->has)
		return TURNS_YOURS;
	forget_old(s, now);
	for (unsigned i = 0; i < turn->n_failures; i++)
		add_group(s, &turn->failures[i], now);
	join_line(s, turn, now);
	if (!turn->own && all_settled(s, turn) && line_ns(s) > (double)TURNS_SHORT_NS) {
		leave_line(s, turn);
		return TURNS_KNOWN;
	}
	if (all_hopeless(s, turn)) {
		leave_line(s, turn);
		return TURNS_NEVER;
	}
	if (!there_is_room(s, now) || (s->drawn != turn && s->n_line > 1))
		return TURNS_LATER;
	leave_line(s, turn);
	turn->has = true;
	turn->since = now;
	s->tracing++;
	return TURNS_YOURS;
}

struct turn *turns_draw(struct turns *s, int64_t now, uint32_t random)
{
	if (!s->drawn && s->n_line && there_is_room(s, now))
		s->drawn = s->line[random % s->n_line];
	return s->drawn;
}

void turns_tell(struct turns *s, const struct turn *turn, unsigned i, bool confirm,
		struct ev_alike *out)
{
	const struct turns_group *g = group_of(s, &turn->failures[i]);

	*out = g->place;
	out->traced = g->placed < UINT16_MAX ? (uint16_t)g->placed : UINT16_MAX;
	out->confirm = confirm;
}

bool turns_may_confirm(struct turns *s, int64_t now)
{
	double seconds = (double)(now - s->filled_ns) / (double)NS_PER_S;

	s->tokens += s->filled_ns ? seconds * s->per_second : 0;
	if (s->tokens > CONFIRM_BURST)
		s->tokens = CONFIRM_BURST;
	s->filled_ns = now;
	/* the traces come first */
	if (s->tokens < 1 || s->limited)
		return false;
	s->tokens -= 1;
	return true;
}

void turns_confirmed(struct turns *s, bool answered)
{
	s->per_second = answered ? s->per_second + CONFIRM_MORE : s->per_second / 2;
	if (s->per_second > CONFIRM_MOST)
		s->per_second = CONFIRM_MOST;
	if (s->per_second < CONFIRM_LEAST)
		s->per_second = CONFIRM_LEAST;
}

static void give_back(struct turns *s, struct turn *turn, int64_t now)
{
	double took = (double)(now - turn->since);

	s->mean_ns = s->mean_ns > 0 ? s->mean_ns * (1 - MEAN_SHARE) + took * MEAN_SHARE : took;
	turn->has = false;
	s->tracing--;
}

/* More at once, where all routers have answered everything. A look at an open port's way asks them for
 * little, and shows less of their limits than one for a silent port. */
static void grow(struct turns *s, const struct turn *turn)
{
	bool failed = turn->n_failures > 0;

	for (unsigned i = 0; i < turn->n_failures; i++)
		failed &= turn->failures[i].ailment != AILMENT_OTHER;
	s->clean += failed ? CLEAN_PER_SLOT : 1;
	s->at_once = 1 + s->clean / CLEAN_PER_SLOT;
	if (s->at_once > TURNS_AT_ONCE)
		s->at_once = TURNS_AT_ONCE;
}

void turns_over(struct turns *s, struct turn *turn, int64_t now, bool limited,
		const struct report *r)
{
	if (!turn->has)
		return;
	give_back(s, turn, now);
	if (limited)
		s->limited_ns = now;
	s->limited |= limited;
	if (s->limited) {
		s->at_once = 1;
		s->rest_until = now + TURNS_REST_NS;
	} else {
		grow(s, turn);
	}
	for (unsigned i = 0; r && i < turn->n_failures; i++) {
		struct turns_group *g = group_of(s, &turn->failures[i]);
		if (g)
			learn(g, r);
	}
}

void turns_leave(struct turns *s, struct turn *turn, int64_t now)
{
	leave_line(s, turn);
	if (turn->has)
		give_back(s, turn, now);
}
