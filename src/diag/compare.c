/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "diag/compare.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "diag/compare_label.h"
#include "diag/compare_rules.h"
#include "diag/compare_suspects.h"
#include "diag/compare_words.h"

#define NAMED_MIN       0.45 /* below this no place is named ... */
#define NAMED_MIN_SHORT 0.30 /* ... or this, where two devices are left */
#define HOST_MIN        0.5  /* a report is about the machine itself from here on */
#define GAP_NOTED_NS    (600 * NS_PER_S)
#define MAX_CONCLUSIONS (2 * COMPARE_MAX_VIEWS)

/* What a report says of a port, as far as a comparison cares. */
enum fate {
	FATE_NONE, /* it did not judge that port */
	FATE_OPEN,
	FATE_SERVER, /* the destination itself answers: the network lets the port pass */
	FATE_HOST,
	FATE_STOPPED,
	FATE_UNDECIDED,
};

/* One port under comparison. */
struct look {
	struct comparison *c;
	struct arena *a;
	const struct line *lines;
	struct compared_port *port;
	enum fate fates[COMPARE_MAX_VIEWS];
	struct conclusion *conclusions;
	unsigned n;
};

static enum fate fate_of(const struct view_port *p)
{
	if (!p)
		return FATE_NONE;
	switch (p->state) {
	case STATE_OPEN: return FATE_OPEN;
	case STATE_REFUSED:
	case STATE_REJECTED:
	case STATE_NO_SERVICE: return FATE_SERVER;
	case STATE_BLOCKED:
	case STATE_INTERCEPTED:
	case STATE_UNREACHABLE:
		return p->n_stops && p->stops[0].place == PLACE_HOST &&
				       p->stops[0].confidence >= HOST_MIN
			       ? FATE_HOST
			       : FATE_STOPPED;
	case STATE_INCONCLUSIVE:
	case STATE_COUNT: break;
	}
	return FATE_UNDECIDED;
}

/* ---- lists of views ---- */

static struct view_list list_of(struct look *k, bool (*wanted)(const struct look *k, unsigned i))
{
	unsigned *at = arena_alloc(k->a, (k->c->n_views + 1) * sizeof(*at)), n = 0;

	for (unsigned i = 0; i < k->c->n_views; i++)
		if (wanted(k, i))
			at[n++] = i;
	return (struct view_list){at, n};
}

static bool is_open(const struct look *k, unsigned i)
{
	return k->fates[i] == FATE_OPEN;
}

static bool is_server(const struct look *k, unsigned i)
{
	return k->fates[i] == FATE_SERVER;
}

static bool is_host(const struct look *k, unsigned i)
{
	return k->fates[i] == FATE_HOST;
}

static bool is_undecided(const struct look *k, unsigned i)
{
	return k->fates[i] == FATE_UNDECIDED;
}

static bool is_decided(const struct look *k, unsigned i)
{
	return k->fates[i] != FATE_NONE && k->fates[i] != FATE_UNDECIDED;
}

/* Does a handshake get through, whatever comes of it then? */
static bool is_through(const struct look *k, unsigned i)
{
	return k->fates[i] == FATE_OPEN || k->fates[i] == FATE_SERVER;
}

static bool in_list(struct view_list l, unsigned i)
{
	for (unsigned k = 0; k < l.n; k++)
		if (l.at[k] == i)
			return true;
	return false;
}

/* What a block of that kind would have kept from passing. */
static struct view_list passing(struct look *k, enum mechanism m)
{
	switch (m) {
	case MECH_LOCAL_ERROR:
	case MECH_SILENT_DROP:
	case MECH_TCP_RESET:
	case MECH_ICMP_UNREACHABLE:
	case MECH_INTERCEPTION: return list_of(k, is_through);
	case MECH_SMTP_MANGLED:
	case MECH_STARTTLS_STRIPPED:
	case MECH_TLS_INTERCEPTED:
	case MECH_SESSION_RESET:
	case MECH_SESSION_CLOSE:
	case MECH_SESSION_STALL:
	case MECH_NOT_SMTP:
	case MECH_TLS_FAILED:
	case MECH_POLICY_REJECT:
	case MECH_UNKNOWN:
	case MECH_COUNT: break;
	}
	return list_of(k, is_open);
}

/* ---- facts ---- */

static bool same_vantage(const struct view *a, const struct view *b)
{
	return compare_same_machine(a, b) && addr_equal(&a->target, &b->target) &&
	       (!a->interface || !b->interface || strcmp(a->interface, b->interface) == 0);
}

static bool one_nat(const struct view *a, const struct view *b)
{
	return addr_is_set(&a->gateway) && addr_equal(&a->gateway, &b->gateway) &&
	       addr_is_set(&a->seen_as) && addr_equal(&a->seen_as, &b->seen_as) &&
	       !addr_equal(&a->source, &b->source);
}

/* The gateway was in question, and another report passed it. */
static bool clears_gateway(const struct look *k, const struct suspect_set *s)
{
	const struct addr *gateway = &k->c->views[s->lines[0]]->gateway;

	for (unsigned i = 0; i < s->n_cleared; i++)
		if (addr_equal(&s->cleared[i], gateway))
			return true;
	return false;
}

static uint32_t facts_of_pairs(const struct look *k, struct view_list these, struct view_list pass)
{
	bool family = pass.n > 0, vantage = false, nat = false;

	for (unsigned i = 0; i < these.n; i++)
		for (unsigned j = 0; j < pass.n; j++) {
			const struct view *a = k->c->views[these.at[i]],
					  *b = k->c->views[pass.at[j]];
			family &= a->target.family != b->target.family;
			vantage |= same_vantage(a, b);
			nat |= one_nat(a, b);
		}
	return (family ? CMP_BIT(CMP_FAMILY) : 0) | (vantage ? CMP_BIT(CMP_SAME_VANTAGE) : 0) |
	       (nat ? CMP_BIT(CMP_ONE_NAT) : 0);
}

static uint32_t facts_of(struct look *k, enum compare_fact kind, struct view_list these,
			 struct view_list pass)
{
	uint32_t facts = CMP_BIT(kind) | facts_of_pairs(k, these, pass);
	bool every = true;

	for (unsigned i = 0; i < k->c->n_views; i++)
		every &= !is_decided(k, i) || in_list(these, i);
	facts |= every ? CMP_BIT(CMP_EVERY) : 0;
	facts |= these.n > 1 ? CMP_BIT(CMP_SEVERAL) : 0;
	facts |= k->c->ways ? CMP_BIT(CMP_WAYS) : 0;
	facts |= pass.n ? CMP_BIT(CMP_PASS) : 0;
	return facts;
}

/* ---- conclusions ---- */

static enum place common_place(const struct line *lines, const struct device *d)
{
	enum place place = lines[d->spots[0].line].at[d->spots[0].index].place;

	for (unsigned i = 1; i < d->n_spots; i++)
		if (lines[d->spots[i].line].at[d->spots[i].index].place != place)
			return PLACE_UNKNOWN;
	return place;
}

static int by_confidence(const void *x, const void *y)
{
	const struct candidate *a = x, *b = y;

	if (a->confidence != b->confidence)
		return a->confidence > b->confidence ? -1 : 1;
	return (int)a->place - (int)b->place;
}

static void take_suspects(struct look *k, const struct suspect_set *s, struct conclusion *c)
{
	struct suspect *list = arena_alloc(k->a, (s->n_devices + 1) * sizeof(*list));
	double mass = 0, by_place[PLACE_COUNT] = {0};

	for (unsigned i = 0; i < s->n_devices; i++)
		mass += s->devices[i].weight;
	for (unsigned i = 0; i < s->n_devices; i++) {
		const struct device *d = &s->devices[i];
		struct spot at = d->spots[0];
		const struct view_hop *hop = &k->lines[at.line].at[at.index];
		list[i] = (struct suspect){hop->address, at.index, hop->asn, hop->place};
		if (mass > 0)
			by_place[common_place(k->lines, d)] += d->weight / mass * s->trust;
	}
	for (int p = 0; p < PLACE_UNKNOWN; p++)
		if (by_place[p] > 0)
			c->candidates[c->n_candidates++] =
				(struct candidate){(enum place)p, by_place[p]};
	qsort(c->candidates, c->n_candidates, sizeof(c->candidates[0]), by_confidence);
	c->suspects = list;
	c->suspects_from = s->n_devices ? s->devices[0].spots[0].line : s->lines[0];
	c->n_suspects = s->n_devices;
	c->suspects_confidence = s->n_devices ? s->trust : CONFIDENCE_NONE;
	if (c->n_candidates &&
	    c->candidates[0].confidence >= (s->n_devices <= 2 ? NAMED_MIN_SHORT : NAMED_MIN)) {
		c->place = c->candidates[0].place;
		c->confidence = c->candidates[0].confidence;
	}
}

static void take_cleared(const struct suspect_set *s, struct conclusion *c)
{
	c->cleared = s->cleared;
	c->n_cleared = s->n_cleared;
}

/* By the machine's own, or the destination's own word: no range is needed. */
static void take_own_place(const struct look *k, struct view_list these, enum place place,
			   struct conclusion *c)
{
	double least = 1;

	for (unsigned i = 0; i < these.n; i++) {
		const struct view_port *p = k->port->views[these.at[i]];
		if (!p->n_stops || p->stops[0].place != place)
			return; /* the reports don't agree on that */
		least = p->stops[0].confidence < least ? p->stops[0].confidence : least;
	}
	if (least < NAMED_MIN)
		return;
	c->place = place;
	c->confidence = least;
	c->candidates[c->n_candidates++] = (struct candidate){place, least};
}

static void write_texts(struct look *k, const struct compare_rule *rule, struct compare_words *w,
			struct conclusion *c)
{
	const char **next = arena_alloc(k->a, COMPARE_MAX_NEXT * sizeof(*next));

	c->rule = rule->id;
	c->summary = compare_fill(w, rule->summary);
	for (unsigned i = 0; i < COMPARE_MAX_NEXT && rule->next[i]; i++) {
		next[c->n_next] = compare_fill(w, rule->next[i]);
		c->n_next += *next[c->n_next] != '\0';
	}
	c->next = next;
}

static void conclude(struct look *k, enum compare_fact kind, struct view_list these,
		     struct view_list pass, const struct suspect_set *set)
{
	uint32_t facts = facts_of(k, kind, these, pass);
	struct conclusion *c = &k->conclusions[k->n];

	if (k->n == MAX_CONCLUSIONS)
		return;
	*c = (struct conclusion){.views = these.at,
				 .n_views = these.n,
				 .place = PLACE_UNKNOWN,
				 .confidence = CONFIDENCE_NONE,
				 .suspects_confidence = CONFIDENCE_NONE};
	if (set) {
		bool far_side = set->n_devices > 0;
		for (unsigned i = 0; i < set->n_devices; i++) {
			enum place p = common_place(k->lines, &set->devices[i]);
			far_side &= p == PLACE_DESTINATION || p == PLACE_DESTINATION_NETWORK;
		}
		facts |= far_side ? CMP_BIT(CMP_FAR_SIDE) : 0;
		facts |= set->joined ? CMP_BIT(CMP_JOINED) : 0;
		facts |= set->narrowed ? CMP_BIT(CMP_NARROWED) : 0;
		facts |= set->maybe_more ? CMP_BIT(CMP_MAYBE_MORE) : 0;
		take_cleared(set, c);
		/* only who stands before the address translation can tell the two apart; and
		 * where the port got past that, it did not */
		if (!clears_gateway(k, set))
			facts &= ~CMP_BIT(CMP_ONE_NAT);
	}
	const struct compare_rule *rule = compare_rule_for(facts);
	if (!rule)
		return; /* the test of the table shows that there is one for all */
	if (rule->placed && set)
		take_suspects(k, set, c);
	else if (rule->placed)
		take_own_place(k, these, kind == CMP_HOST ? PLACE_HOST : PLACE_DESTINATION, c);
	if (rule->at_gateway) {
		c->place = PLACE_GATEWAY;
		c->confidence = rule->confidence;
		c->candidates[c->n_candidates++] =
			(struct candidate){PLACE_GATEWAY, rule->confidence};
	}
	struct compare_words w = {k->a, k->c, k->port, these, pass, c, set};
	write_texts(k, rule, &w, c);
	k->n++;
}

/* ---- one port ---- */

static struct view_list lines_of_set(const struct suspect_set *s)
{
	return (struct view_list){s->lines, s->n_lines};
}

/* Those whose whole range another report passes are told in one. */
static void merge_contradicted(struct look *k, struct suspect_set *sets, unsigned *n)
{
	struct suspect_set *into = NULL;
	unsigned kept = 0;

	for (unsigned i = 0; i < *n; i++) {
		struct suspect_set *s = &sets[i];
		if (!s->contradicted || !into || s->mechanism != into->mechanism) {
			sets[kept] = *s;
			if (s->contradicted && !into)
				into = &sets[kept];
			kept++;
			continue;
		}
		unsigned *lines = arena_alloc(k->a, (into->n_lines + 1) * sizeof(*lines));
		struct addr *cleared =
			arena_alloc(k->a, (into->n_cleared + s->n_cleared + 1) * sizeof(*cleared));
		memcpy(lines, into->lines, into->n_lines * sizeof(*lines));
		if (lines[into->n_lines - 1] != s->lines[0])
			lines[into->n_lines++] = s->lines[0];
		memcpy(cleared, into->cleared, into->n_cleared * sizeof(*cleared));
		for (unsigned j = 0; j < s->n_cleared; j++) {
			bool told = false;
			for (unsigned m = 0; m < into->n_cleared; m++)
				told |= addr_equal(&cleared[m], &s->cleared[j]);
			if (!told)
				cleared[into->n_cleared++] = s->cleared[j];
		}
		into->lines = lines;
		into->cleared = cleared;
	}
	*n = kept;
}

static void conclude_stopped(struct look *k)
{
	struct suspect_set *sets = arena_alloc(k->a, (MAX_CONCLUSIONS + 1) * sizeof(*sets));
	unsigned *nowhere = arena_alloc(k->a, (k->c->n_views + 1) * sizeof(*nowhere)),
		 n_nowhere = 0, n = 0;
	enum mechanism first = MECH_UNKNOWN;

	for (unsigned i = 0; i < k->c->n_views; i++) {
		const struct view_port *p = k->port->views[i];
		bool placed = false;
		if (k->fates[i] != FATE_STOPPED && k->fates[i] != FATE_HOST)
			continue;
		for (unsigned s = 0; s < p->n_stops && n < MAX_CONCLUSIONS; s++) {
			if (p->stops[s].place == PLACE_HOST ||
			    !suspects_of(k->a, k->lines, i, p, &p->stops[s], &sets[n]))
				continue;
			struct view_list pass = passing(k, p->stops[s].mechanism);
			suspects_clear(k->lines, &sets[n++], pass.at, pass.n);
			placed = true;
		}
		if (placed || k->fates[i] == FATE_HOST)
			continue;
		first = n_nowhere == 0 && p->n_stops ? p->stops[0].mechanism : first;
		nowhere[n_nowhere++] = i;
	}
	n = suspects_join(k->a, k->lines, sets, n);
	merge_contradicted(k, sets, &n);
	for (unsigned i = 0; i < n; i++)
		conclude(k, sets[i].contradicted ? CMP_CONTRADICTED : CMP_RANGE,
			 lines_of_set(&sets[i]), passing(k, sets[i].mechanism), &sets[i]);
	if (n_nowhere)
		conclude(k, CMP_UNPLACED, (struct view_list){nowhere, n_nowhere}, passing(k, first),
			 NULL);
}

/* The same state is told once, whoever reports it. */
static void conclude_server(struct look *k)
{
	struct view_list server = list_of(k, is_server);
	bool told[STATE_COUNT] = {false};

	for (unsigned i = 0; i < server.n; i++) {
		enum state state = k->port->views[server.at[i]]->state;
		unsigned *at = arena_alloc(k->a, (server.n + 1) * sizeof(*at)), n = 0;
		if (told[state])
			continue;
		told[state] = true;
		for (unsigned j = i; j < server.n; j++)
			if (k->port->views[server.at[j]]->state == state)
				at[n++] = server.at[j];
		conclude(k, CMP_SERVER, (struct view_list){at, n}, list_of(k, is_open), NULL);
	}
}

static enum agreement agreement_of(const struct look *k)
{
	const struct view_port *first = NULL;
	unsigned n = 0;
	bool differ = false;

	for (unsigned i = 0; i < k->c->n_views; i++) {
		if (!is_decided(k, i))
			continue;
		n++;
		first = first ? first : k->port->views[i];
		differ |= k->port->views[i]->state != first->state;
	}
	return n < 2 ? AGREE_UNDECIDED : differ ? AGREE_DIFFERS : AGREE_SAME;
}

static void look_at(struct comparison *c, const struct line *lines, struct compared_port *port)
{
	struct look k = {.c = c, .a = &c->arena, .lines = lines, .port = port};
	struct view_list none = {NULL, 0};

	k.conclusions = arena_alloc(k.a, (MAX_CONCLUSIONS + 1) * sizeof(*k.conclusions));
	for (unsigned i = 0; i < c->n_views; i++)
		k.fates[i] = fate_of(port->views[i]);
	port->agreement = agreement_of(&k);
	struct view_list host = list_of(&k, is_host), open = list_of(&k, is_open),
			 undecided = list_of(&k, is_undecided);
	if (host.n)
		conclude(&k, CMP_HOST, host, list_of(&k, is_through), NULL);
	conclude_stopped(&k);
	conclude_server(&k);
	/* what is stopped says itself where it is open */
	if (open.n && (k.n == 0 || open.n > 1))
		conclude(&k, CMP_OPEN, open, none, NULL);
	if (undecided.n)
		conclude(&k, CMP_UNDECIDED, undecided, none, NULL);
	port->conclusions = k.conclusions;
	port->n_conclusions = k.n;
}

/* ---- all ports ---- */

static const struct view_port *port_in(const struct view *v, unsigned port)
{
	for (unsigned i = 0; i < v->n_ports; i++)
		if (v->ports[i].port == port)
			return &v->ports[i];
	return NULL;
}

/* Those that two views judged at least, ascending. */
static unsigned common_ports(const struct comparison *c, unsigned out[VIEW_MAX_PORTS])
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->n_views; i++)
		for (unsigned p = 0; p < c->views[i]->n_ports; p++) {
			unsigned port = c->views[i]->ports[p].port, judged = 0, at = 0;
			for (unsigned k = 0; k < c->n_views; k++)
				judged += port_in(c->views[k], port) != NULL;
			while (at < n && out[at] < port)
				at++;
			if (judged < 2 || n == VIEW_MAX_PORTS || (at < n && out[at] == port))
				continue;
			memmove(&out[at + 1], &out[at], (n - at) * sizeof(*out));
			out[at] = port;
			n++;
		}
	return n;
}

static void compare_ports(struct comparison *c)
{
	unsigned ports[VIEW_MAX_PORTS];
	struct line *lines = lines_of(&c->arena, c->views, c->n_views);
	struct compared_port *out;

	c->n_ports = common_ports(c, ports);
	out = arena_alloc(&c->arena, (c->n_ports + 1) * sizeof(*out));
	for (unsigned i = 0; i < c->n_ports; i++) {
		const struct view_port **views =
			arena_alloc(&c->arena, c->n_views * sizeof(*views));
		for (unsigned k = 0; k < c->n_views; k++)
			views[k] = port_in(c->views[k], ports[i]);
		out[i] = (struct compared_port){.port = ports[i], .views = views};
		look_at(c, lines, &out[i]);
	}
	c->ports = out;
}

/* ---- as a whole ---- */

static const char *port_words(struct arena *a, const unsigned *ports, unsigned n)
{
	const char **words = arena_alloc(a, (n + 1) * sizeof(*words));

	for (unsigned i = 0; i < n; i++)
		words[i] = arena_printf(a, "%u", ports[i]);
	return arena_printf(a, "%s %s", n == 1 ? "port" : "ports", compare_listed(a, words, n, UINT_MAX));
}

/* "blocked through eth0, open through wg0": by state, in the order of the views. */
static const char *states_words(struct comparison *c, const struct compared_port *p)
{
	struct arena *a = &c->arena;
	const char *out = "";
	bool told[STATE_COUNT] = {false};

	for (unsigned i = 0; i < c->n_views; i++) {
		unsigned at[COMPARE_MAX_VIEWS], n = 0;
		if (!p->views[i] || told[p->views[i]->state])
			continue;
		told[p->views[i]->state] = true;
		for (unsigned k = i; k < c->n_views; k++)
			if (p->views[k] && p->views[k]->state == p->views[i]->state)
				at[n++] = k;
		const char *from = n < c->n_views ? compare_from(a, c, (struct view_list){at, n})
				   : c->ways      ? "by every way"
						  : "in all of them";
		out = arena_printf(a, "%s%s%s %s", out, *out ? ", " : "",
				   state_name(p->views[i]->state), from);
	}
	return out;
}

static void write_summary(struct comparison *c)
{
	struct arena *a = &c->arena;
	const char **words = arena_alloc(a, (c->n_ports + 1) * sizeof(*words)), *out = "";
	bool *told = arena_alloc(a, c->n_ports + 1);

	for (unsigned i = 0; i < c->n_ports; i++)
		words[i] = states_words(c, &c->ports[i]);
	for (unsigned i = 0; i < c->n_ports; i++) {
		unsigned ports[VIEW_MAX_PORTS], n = 0;
		for (unsigned k = i; k < c->n_ports; k++)
			if (!told[k] && strcmp(words[i], words[k]) == 0) {
				told[k] = true;
				ports[n++] = c->ports[k].port;
			}
		if (n)
			out = arena_printf(a, "%s%s%s: %s", out, *out ? "; " : "",
					   port_words(a, ports, n), words[i]);
	}
	c->summary =
		*out ? arena_printf(a, "P%s.", out + 1) : "The reports have no port in common.";
}

/* What was taken for one router without proof; "" none. */
static const char *neighbours_words(struct comparison *c)
{
	char gateway[ADDR_TEXT_MAX];
	bool assumed;

	for (unsigned i = 0; i < c->n_views; i++)
		for (unsigned k = i + 1; k < c->n_views; k++)
			if (compare_one_site(c->views[i], c->views[k], &assumed) && assumed)
				return arena_printf(&c->arena,
						    "The gateway %s of %s and %s is taken for one "
						    "and the same: their "
						    "addresses are neighbours, and so are their "
						    "ways behind it.",
						    addr_text(&c->views[i]->gateway, gateway),
						    c->views[i]->label, c->views[k]->label);
	return "";
}

static void write_notes(struct comparison *c, unsigned left_out)
{
	struct arena *a = &c->arena;
	const char **notes = arena_alloc(a, 6 * sizeof(*notes));
	int64_t first = c->views[0]->started_ns, last = first;
	bool undecided = false;
	const char *addresses = "";

	for (unsigned i = 0; i < c->n_views; i++) {
		const struct view *v = c->views[i];
		char text[ADDR_TEXT_MAX];
		first = v->started_ns < first ? v->started_ns : first;
		last = v->started_ns > last ? v->started_ns : last;
		bool told = false;
		for (unsigned k = 0; k < i; k++)
			told |= addr_equal(&c->views[k]->target, &v->target);
		if (!told)
			addresses = arena_printf(a, "%s%s%s", addresses, *addresses ? ", " : "",
						 addr_text(&v->target, text));
		undecided |= v->n_path == 0;
	}
	if (last - first >= GAP_NOTED_NS)
		notes[c->n_notes++] =
			arena_printf(a,
				     "%s lie between the first report and the last: what "
				     "differs may have changed meanwhile.",
				     compare_gap_text(a, last - first));
	if (!addr_is_set(&c->target))
		notes[c->n_notes++] =
			arena_printf(a,
				     "The reports reached different addresses (%s): what one "
				     "of them passes clears no device of another's way.",
				     addresses);
	if (undecided)
		notes[c->n_notes++] =
			"At least one report has not looked at its path: what is shared with "
			"it can't be told.";
	const char *neighbours = neighbours_words(c);
	if (*neighbours)
		notes[c->n_notes++] = neighbours;
	if (left_out)
		notes[c->n_notes++] =
			arena_printf(a,
				     "%u more reports on this target were left out: %d are "
				     "compared at most.",
				     left_out, COMPARE_MAX_VIEWS);
	c->notes = notes;
}

struct comparison *compare(const struct view *const *views, unsigned n, bool ways,
			   const char *tool_version)
{
	struct comparison *c = xcalloc(1, sizeof(*c));
	unsigned left_out = n > COMPARE_MAX_VIEWS ? n - COMPARE_MAX_VIEWS : 0;

	n -= left_out;
	c->views = compare_label(&c->arena, views, n, ways);
	c->n_views = n;
	c->ways = ways;
	c->tool_version = tool_version;
	c->input = views[0]->input;
	c->name = views[0]->name;
	c->target = views[0]->target;
	for (unsigned i = 1; i < n; i++)
		if (!addr_equal(&views[i]->target, &c->target))
			c->target = (struct addr){0};
	compare_ports(c);
	write_summary(c);
	write_notes(c, left_out);
	return c;
}
