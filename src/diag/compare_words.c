/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "diag/compare_words.h"

#include <ctype.h>
#include <string.h>

#include "base/clock.h"
#include "diag/remedy.h"
#include "model/report.h"

#define GAP_TOLD_NS                                                                                \
	(600 * NS_PER_S) /* reports nearer than that are of the same time, as people see it */
#define LISTED_MAX 8

static const struct view *view_at(const struct compare_words *w, unsigned i)
{
	return w->comparison->views[i];
}

static const char *address(struct arena *a, const struct addr *addr)
{
	char text[ADDR_TEXT_MAX];

	return arena_strdup(a, addr_text(addr, text));
}

const char *compare_listed(struct arena *a, const char *const *words, unsigned n, unsigned most)
{
	const char *out = "";
	unsigned shown = n > most ? most - 1 : n;

	for (unsigned i = 0; i < shown; i++)
		out = arena_printf(a, "%s%s%s", out,
				   i == 0       ? ""
				   : i + 1 == n ? " and "
						: ", ",
				   words[i]);
	return shown < n ? arena_printf(a, "%s and %u more", out, n - shown) : out;
}

/* ---- reports ---- */

/* The ways are told apart by nothing but the family. */
static bool by_family(const struct comparison *c)
{
	bool v4 = false, v6 = false;

	for (unsigned i = 0; i < c->n_views; i++) {
		v4 |= strcmp(c->views[i]->label, "IPv4") == 0;
		v6 |= strcmp(c->views[i]->label, "IPv6") == 0;
	}
	return v4 || v6;
}

const char *compare_from(struct arena *a, const struct comparison *c, struct view_list these)
{
	const char **labels = arena_alloc(a, (these.n + 1) * sizeof(*labels));

	for (unsigned i = 0; i < these.n; i++)
		labels[i] = c->views[these.at[i]]->label;
	return arena_printf(a, "%s %s",
			    !c->ways       ? "from"
			    : by_family(c) ? "over"
					   : "through",
			    compare_listed(a, labels, these.n, LISTED_MAX));
}

static const char *capital(struct arena *a, const char *s)
{
	char *out = arena_strdup(a, s);

	*out = (char)toupper((unsigned char)*out);
	return out;
}

const char *compare_gap_text(struct arena *a, int64_t gap_ns)
{
	static const struct {
		int64_t s;
		const char *unit;
	} units[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
	int64_t s = (gap_ns < 0 ? -gap_ns : gap_ns) / NS_PER_S;
	unsigned u = 0;

	while (u < 3 && s < 2 * units[u].s)
		u++;
	int64_t n = s / units[u].s;
	return arena_printf(a, "%lld %s%s", (long long)n, units[u].unit, n == 1 ? "" : "s");
}

/* The largest, between one of these and one that passes. */
static int64_t gap(const struct compare_words *w)
{
	int64_t most = 0;

	for (unsigned i = 0; i < w->these.n; i++)
		for (unsigned k = 0; k < w->passing.n; k++) {
			int64_t g = view_at(w, w->these.at[i])->started_ns -
				    view_at(w, w->passing.at[k])->started_ns;
			g = g < 0 ? -g : g;
			most = g > most ? g : most;
		}
	return most;
}

static const char *w_gap(const struct compare_words *w)
{
	int64_t g = gap(w);

	return g < GAP_TOLD_NS ? ""
			       : arena_printf(w->arena, "; %s lie between the reports",
					      compare_gap_text(w->arena, g));
}

static const struct view_port *port_of(const struct compare_words *w, struct view_list l)
{
	return l.n ? w->port->views[l.at[0]] : NULL;
}

/* "blocked"; "stopped" where they differ. */
static const char *state_of(const struct compare_words *w, struct view_list l, const char *mixed)
{
	const struct view_port *first = port_of(w, l);

	if (!first)
		return "";
	for (unsigned i = 1; i < l.n; i++)
		if (w->port->views[l.at[i]]->state != first->state)
			return mixed;
	return state_name(first->state);
}

static const char *w_state(const struct compare_words *w)
{
	return state_of(w, w->these, "stopped");
}

static const char *w_passing_state(const struct compare_words *w)
{
	return state_of(w, w->passing, "let through");
}

static const char *w_from_these(const struct compare_words *w)
{
	return compare_from(w->arena, w->comparison, w->these);
}

static const char *w_from_passing(const struct compare_words *w)
{
	return w->passing.n ? compare_from(w->arena, w->comparison, w->passing) : "";
}

static const char *w_passing(const struct compare_words *w)
{
	return capital(w->arena, w_from_passing(w));
}

static const char *w_but_pass(const struct compare_words *w)
{
	return w->passing.n
		       ? arena_printf(w->arena, " %s it is %s.", w_passing(w), w_passing_state(w))
		       : "";
}

static const char *w_port(const struct compare_words *w)
{
	return arena_printf(w->arena, "%u", w->port->port);
}

static const char *w_target(const struct compare_words *w)
{
	const struct comparison *c = w->comparison;

	if (c->name)
		return c->name;
	return addr_is_set(&c->target) ? address(w->arena, &c->target) : c->input;
}

static const char *family_of(const struct compare_words *w, struct view_list l)
{
	if (!l.n)
		return "";
	return view_at(w, l.at[0])->target.family == ADDR_V6 ? "IPv6" : "IPv4";
}

static const char *w_family(const struct compare_words *w)
{
	return family_of(w, w->these);
}

static const char *w_other_family(const struct compare_words *w)
{
	return family_of(w, w->passing);
}

static const char *w_other_family_word(const struct compare_words *w)
{
	return strcmp(w_other_family(w), "IPv6") == 0 ? "ipv6" : "ipv4";
}

/* What the host's own reports name, each once. */
static const char *w_who(const struct compare_words *w)
{
	const char *words[LISTED_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < w->these.n && n < LISTED_MAX; i++) {
		const struct view_port *p = w->port->views[w->these.at[i]];
		const char *who = p->n_stops && *p->stops[0].who ? p->stops[0].who
								 : "its report says by what";
		bool told = false;
		for (unsigned k = 0; k < n; k++)
			told |= strcmp(words[k], who) == 0;
		if (!told)
			words[n++] = who;
	}
	return compare_listed(w->arena, words, n, LISTED_MAX);
}

/* Whose traffic is stopped: as seen from outside, where that is known. */
static const char *w_addresses(const struct compare_words *w)
{
	const char *words[COMPARE_MAX_VIEWS];
	unsigned n = 0;

	for (unsigned i = 0; i < w->these.n; i++) {
		const struct view *v = view_at(w, w->these.at[i]);
		bool inside = w->conclusion && w->conclusion->place == PLACE_GATEWAY;
		const struct addr *from =
			addr_is_set(&v->seen_as) && !inside ? &v->seen_as : &v->source;
		const char *text = addr_is_set(from) ? address(w->arena, from) : v->label;
		bool told = false;
		for (unsigned k = 0; k < n; k++)
			told |= strcmp(words[k], text) == 0;
		if (!told)
			words[n++] = text;
	}
	return compare_listed(w->arena, words, n, LISTED_MAX);
}

static const char *w_gateway(const struct compare_words *w)
{
	const struct view *v = view_at(w, w->these.at[0]);

	return addr_is_set(&v->gateway) ? address(w->arena, &v->gateway) : "the gateway";
}

static const char *w_nat(const struct compare_words *w)
{
	return address(w->arena, &view_at(w, w->these.at[0])->seen_as);
}

static const char *w_same_way(const struct compare_words *w)
{
	return w->these.n == 1 ? "from the same machine by the same way"
			       : "from one of these machines by the same way";
}

/* ---- devices ---- */

static const char *w_cleared(const struct compare_words *w)
{
	const struct conclusion *c = w->conclusion;
	const char **words = arena_alloc(w->arena, (c->n_cleared + 1) * sizeof(*words));

	for (unsigned i = 0; i < c->n_cleared; i++)
		words[i] = address(w->arena, &c->cleared[i]);
	return compare_listed(w->arena, words, c->n_cleared, LISTED_MAX);
}

/* Hop numbers mean something on one way only. */
static const char *suspect_words(const struct compare_words *w, const struct suspect *s)
{
	bool one = w->these.n == 1;

	if (s->ttl == 0)
		return one ? "the machine itself" : "the machines themselves";
	if (s->place == PLACE_DESTINATION && addr_is_set(&s->address))
		return arena_printf(w->arena, "the destination %s", address(w->arena, &s->address));
	if (!addr_is_set(&s->address))
		return one ? arena_printf(w->arena, "hop %u, which does not answer", s->ttl)
			   : "a router that does not answer";
	if (!one)
		return address(w->arena, &s->address);
	return arena_printf(w->arena, "hop %u (%s)", s->ttl, address(w->arena, &s->address));
}

static const char *place_words(const struct compare_words *w, enum place p)
{
	const char *label = view_at(w, w->these.at[0])->label;

	switch (p) {
	case PLACE_HOST: return w->comparison->ways ? "on this machine" : "on the machine itself";
	case PLACE_GATEWAY: return arena_printf(w->arena, "in the gateway %s", w_gateway(w));
	case PLACE_ISP:
		return w->these.n > 1 || (w->comparison->ways && by_family(w->comparison))
			       ? "in the provider's network"
			       : arena_printf(w->arena, "in the network of the provider of %s",
					      label);
	case PLACE_TRANSIT: return "in a network between the provider's and the destination's";
	case PLACE_DESTINATION_NETWORK: return "in the destination's network";
	case PLACE_DESTINATION: return "at the destination itself";
	case PLACE_UNKNOWN:
	case PLACE_COUNT: break;
	}
	return "";
}

/* The one that answers at this end of the range, where any does. */
static const char *w_where(const struct compare_words *w)
{
	const struct conclusion *c = w->conclusion;
	const char *range = "", *place = "";

	if (c->n_suspects == 1)
		range = arena_printf(w->arena, "at %s", suspect_words(w, &c->suspects[0]));
	else if (c->n_suspects)
		range = arena_printf(w->arena, "at or between %s and %s",
				     suspect_words(w, &c->suspects[0]),
				     suspect_words(w, &c->suspects[c->n_suspects - 1]));
	bool told = c->n_suspects == 1 && (c->place == PLACE_DESTINATION || c->place == PLACE_HOST);
	if (told)
		return arena_printf(w->arena, "%s%s (%.0f%%)",
				    c->confidence < CONFIDENCE_SURE ? "probably " : "", range,
				    c->confidence * 100);
	if (c->place != PLACE_UNKNOWN)
		place = arena_printf(w->arena, "%s%s (%.0f%%)",
				     c->confidence < CONFIDENCE_SURE ? "probably " : "",
				     place_words(w, c->place), c->confidence * 100);
	return arena_printf(w->arena, "%s%s%s", range, *range && *place ? ", " : "", place);
}

static const char *w_if_one(const struct compare_words *w)
{
	return w->set && w->set->joined ? ", if one device stops them all" : "";
}

/* ---- what to do ---- */

/* A word of a command: a name from a report may be anybody's. */
static bool is_plain(const char *s)
{
	return s && *s && *s != '-' && remedy_is_safe(s) && !strpbrk(s, " \t");
}

static const char *ticket_command(const struct compare_words *w)
{
	const struct comparison *c = w->comparison;
	const struct view *v = view_at(w, w->these.at[0]);
	const char *target = w_target(w);

	if (v->ticket_command) /* by this very run, whose options it has */
		return arena_printf(w->arena, " `%s` writes the text.", v->ticket_command);
	if (!is_plain(target))
		return "";
	if (!c->ways)
		return arena_printf(
			w->arena, " `smtpblame --ticket %s`, run there, writes the text.", target);
	if (by_family(c))
		return arena_printf(w->arena, " `smtpblame --ticket %s %s` writes the text.",
				    v->target.family == ADDR_V6 ? "-6" : "-4", target);
	if (!is_plain(v->label))
		return "";
	return arena_printf(w->arena, " `smtpblame --ticket %s %s %s` writes the text.",
			    v->interface && strcmp(v->interface, v->label) == 0 ? "-i" : "-s",
			    v->label, target);
}

static const char *w_ask(const struct compare_words *w)
{
	switch (w->conclusion->place) {
	case PLACE_HOST: return "";
	case PLACE_GATEWAY:
		return arena_printf(w->arena, "Look in %s for a filter of outgoing port %u.",
				    w_gateway(w), w->port->port);
	case PLACE_ISP:
		if (w->comparison->ways && by_family(w->comparison))
			return arena_printf(
				w->arena,
				"Ask the provider whether it filters TCP port %u over %s.%s",
				w->port->port, w->these.n > 1 ? "both" : w_family(w),
				ticket_command(w));
		return arena_printf(
			w->arena, "Ask the provider %s whether it filters TCP port %u.%s",
			w->these.n > 1 ? "that they share"
				       : arena_printf(w->arena, "of %s",
						      view_at(w, w->these.at[0])->label),
			w->port->port, ticket_command(w));
	case PLACE_TRANSIT:
	case PLACE_UNKNOWN:
		return arena_printf(w->arena,
				    "Ask the provider to pass it on: the device is not known to be "
				    "its own.%s",
				    ticket_command(w));
	case PLACE_DESTINATION_NETWORK:
	case PLACE_DESTINATION: return arena_printf(w->arena, "Ask who runs %s.", w_target(w));
	case PLACE_COUNT: break;
	}
	return "";
}

/* An open way out of this machine, that differs from the stopped one by its interface. */
static const struct view *other_way(const struct compare_words *w)
{
	const struct view *stopped = view_at(w, w->these.at[0]);

	for (unsigned i = 0; w->comparison->ways && i < w->passing.n; i++) {
		const struct view *v = view_at(w, w->passing.at[i]);
		if (w->port->views[w->passing.at[i]]->state == STATE_OPEN &&
		    addr_equal(&v->target, &stopped->target))
			return v;
	}
	return NULL;
}

static const char *route(const struct compare_words *w, const struct view *v)
{
	bool v6 = v->target.family == ADDR_V6;
	const char *via = addr_is_set(&v->gateway) ? arena_printf(w->arena, " via %s",
								  address(w->arena, &v->gateway))
						   : "";

	if (!is_plain(v->interface))
		return "";
	return arena_printf(w->arena, "%s/%u%s dev %s%s", address(w->arena, &v->target),
			    v6 ? 128 : 32, via, v->interface,
			    addr_is_set(&v->source) ? arena_printf(w->arena, " src %s",
								   address(w->arena, &v->source))
						    : "");
}

static const char *route_command(const struct compare_words *w, const char *verb)
{
	const struct view *v = other_way(w);
	const char *words = v ? route(w, v) : "";

	if (!*words)
		return "";
	return arena_printf(w->arena, "ip %sroute %s %s", v->target.family == ADDR_V6 ? "-6 " : "",
			    verb, words);
}

static const char *w_other_way(const struct compare_words *w)
{
	const struct view *v = other_way(w);

	if (!v)
		return "";
	return arena_printf(w->arena, "Meanwhile send through %s%s", v->label,
			    *route_command(w, "add") ? ", for this server alone:" : ".");
}

static const char *w_other_way_command(const struct compare_words *w)
{
	return route_command(w, "add");
}

static const char *w_other_way_undo(const struct compare_words *w)
{
	return *route_command(w, "del") ? "To undo that:" : "";
}

static const char *w_other_way_undo_command(const struct compare_words *w)
{
	return route_command(w, "del");
}

/* ---- filling in ---- */

static const struct {
	const char *name;
	const char *(*words)(const struct compare_words *w);
} all_words[] = {
	{"addresses", w_addresses},
	{"ask", w_ask},
	{"but-pass", w_but_pass},
	{"cleared", w_cleared},
	{"family", w_family},
	{"from-passing", w_from_passing},
	{"from-these", w_from_these},
	{"gap", w_gap},
	{"gateway", w_gateway},
	{"if-one", w_if_one},
	{"nat", w_nat},
	{"other-family", w_other_family},
	{"other-family-word", w_other_family_word},
	{"other-way", w_other_way},
	{"other-way-command", w_other_way_command},
	{"other-way-undo", w_other_way_undo},
	{"other-way-undo-command", w_other_way_undo_command},
	{"Passing", w_passing},
	{"passing-state", w_passing_state},
	{"port", w_port},
	{"same-way", w_same_way},
	{"state", w_state},
	{"target", w_target},
	{"where", w_where},
	{"who", w_who},
};

static const char *word(const struct compare_words *w, const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(all_words) / sizeof(all_words[0]); i++)
		if (strlen(all_words[i].name) == len && memcmp(all_words[i].name, name, len) == 0)
			return all_words[i].words(w);
	return NULL;
}

const char *compare_fill(const struct compare_words *w, const char *template)
{
	const char *out = "", *open;

	while ((open = strchr(template, '{'))) {
		size_t len = strcspn(open + 1, "}");
		const char *value = word(w, open + 1, len);
		out = arena_printf(w->arena, "%s%.*s%s", out, (int)(open - template), template,
				   value ? value : "?");
		template = open + 1 + len + 1;
	}
	return arena_printf(w->arena, "%s%s", out, template);
}
