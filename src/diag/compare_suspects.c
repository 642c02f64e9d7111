/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "diag/compare_suspects.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "model/plan.h"

/*
 * How likely a device taken at random stops a mail port: orders of magnitude, for one question
 * only, whether two reports about ranges that overlap are about one device. High on purpose:
 * coincidences are not to look like proof. Access providers are told to filter port 25 of dynamic
 * customers (M3AAWG, "Managing Port 25 for Residential or Dynamic IP Space", 2005), so theirs is
 * the largest.
 */
static const double prior[PLACE_COUNT] = {
	[PLACE_HOST] = 0.10,
	[PLACE_GATEWAY] = 0.05,
	[PLACE_ISP] = 0.15,
	[PLACE_TRANSIT] = 0.02,
	[PLACE_DESTINATION_NETWORK] = 0.05,
	[PLACE_DESTINATION] = 0.10,
	[PLACE_UNKNOWN] = 0.05,
};

/* That a device stops one source address and lets another one of the same link through. Providers
 * tell customers apart by their address, firewalls of a site its machines ("only the mail server
 * may use port 25"), mail servers whom they have blocked; the core of the network hardly anybody.
 */
static const double by_source[PLACE_COUNT] = {
	[PLACE_HOST] = 1.0,
	[PLACE_GATEWAY] = 0.20,
	[PLACE_ISP] = 0.30,
	[PLACE_TRANSIT] = 0.05,
	[PLACE_DESTINATION_NETWORK] = 1.0, /* never cleared by another's success */
	[PLACE_DESTINATION] = 1.0,
	[PLACE_UNKNOWN] = 0.30,
};

#define OTHER_LINK                                                                                 \
	0.5 /* the same device, reached by another link: filters stand on links;                   \
	     * and the destination's side, which is known to decide by source */
#define LATER_NS        (3600 * NS_PER_S) /* reports farther apart than that clear nothing for good */
#define ONE_DEVICE      3.0               /* odds from which two sets are taken for one device */
#define OTHER_MECHANISM 0.3               /* one device seldom stops a port in two manners */
#define TRUST_MAX       0.98              /* no chain of reasons is surer than that */

/* Bits of an address that neighbours on one link share. */
#define LINK_BITS_V4 24
#define LINK_BITS_V6 64

/* Seen under two addresses outside: hardly behind one gateway. */
static bool outside_differs(const struct view *a, const struct view *b)
{
	return addr_is_set(&a->seen_as) && addr_is_set(&b->seen_as) &&
	       !addr_equal(&a->seen_as, &b->seen_as);
}

static bool is_given_again(const struct addr *a)
{
	return addr_is_private(a) || addr_is_shared(a) || addr_is_link_local(a);
}

/* The first hop behind the gateway whose address is nobody else's; within private networks any. */
static const struct addr *first_known(const struct view *v)
{
	for (unsigned i = 0; i < v->n_path; i++) {
		const struct view_hop *h = &v->path[i];
		if (h->ttl >= 2 && addr_is_set(&h->address) &&
		    (!is_given_again(&h->address) || is_given_again(&v->target)))
			return &h->address;
	}
	return NULL;
}

/* By the same way? Known from ways to one target alone. */
static bool way_differs(const struct view *a, const struct view *b)
{
	const struct addr *x = first_known(a), *y = first_known(b);

	return x && y && !addr_equal(x, y) && addr_equal(&a->target, &b->target);
}

bool compare_same_machine(const struct view *a, const struct view *b)
{
	/* names and private addresses are given again and again, too */
	return a->hostname && b->hostname && strcmp(a->hostname, b->hostname) == 0 &&
	       addr_is_set(&a->source) && addr_equal(&a->source, &b->source) &&
	       addr_equal(&a->gateway, &b->gateway) && !outside_differs(a, b) && !way_differs(a, b);
}

bool compare_one_site(const struct view *a, const struct view *b, bool *assumed)
{
	bool v6 = a->source.family == ADDR_V6,
	     same_gateway = addr_is_set(&a->gateway) && addr_equal(&a->gateway, &b->gateway);

	if (assumed)
		*assumed = false;
	if (!same_gateway || outside_differs(a, b))
		return false;
	if (addr_is_set(&a->seen_as) && addr_is_set(&b->seen_as))
		return true;
	if (compare_same_machine(a, b))
		return true;
	const struct addr *x = first_known(a), *y = first_known(b);
	bool neighbours =
		!addr_equal(&a->source, &b->source) &&
		addr_common_prefix(&a->source, &b->source) >= (v6 ? LINK_BITS_V6 : LINK_BITS_V4) &&
		x && y && addr_equal(x, y);
	if (assumed)
		*assumed = neighbours;
	return neighbours;
}

/* ---- the way as a line ---- */

static void put_hop(struct line *l, unsigned ttl, const struct addr *address, enum place place)
{
	for (; l->n <= ttl; l->n++)
		l->at[l->n] = (struct view_hop){.ttl = l->n, .place = PLACE_UNKNOWN};
	if (!addr_is_set(&l->at[ttl].address) && address)
		l->at[ttl].address = *address;
	if (l->at[ttl].place == PLACE_UNKNOWN)
		l->at[ttl].place = place;
}

/* A silent hop is taken to lie where the one before it does. */
static void place_silent(struct line *l)
{
	for (unsigned i = 2; i + 1 < l->n; i++)
		if (l->at[i].place == PLACE_UNKNOWN)
			l->at[i].place = l->at[i - 1].place;
}

static struct line line_of(struct arena *a, const struct view *v)
{
	struct line l = {.view = v, .at = arena_alloc(a, (PLAN_MAX_HOPS + 4) * sizeof(*l.at))};

	put_hop(&l, 0, &v->source, PLACE_HOST);
	for (unsigned i = 0; i < v->n_path && v->path[i].ttl <= PLAN_MAX_HOPS; i++) {
		const struct view_hop *h = &v->path[i];
		if (h->ttl == 0)
			continue;
		put_hop(&l, h->ttl, &h->address, h->place);
		l.at[h->ttl].asn = h->asn;
		if (addr_equal(&h->address, &v->target))
			break;
	}
	/* what findings say of hops beyond the path */
	for (unsigned p = 0; p < v->n_ports; p++)
		for (unsigned s = 0; s < v->ports[p].n_stops; s++) {
			const struct view_stop *stop = &v->ports[p].stops[s];
			if (!stop->has_hop || stop->hop_to.ttl > PLAN_MAX_HOPS)
				continue;
			bool one = stop->hop_from.ttl == stop->hop_to.ttl;
			put_hop(&l, stop->hop_from.ttl, &stop->hop_from.address,
				one ? stop->place : PLACE_UNKNOWN);
			put_hop(&l, stop->hop_to.ttl, &stop->hop_to.address,
				one ? stop->place : PLACE_UNKNOWN);
		}
	if (l.n == 1 && addr_is_set(&v->gateway) && !v->tunnel)
		put_hop(&l, 1, &v->gateway, PLACE_GATEWAY);
	if (!addr_equal(&l.at[l.n - 1].address, &v->target)) {
		put_hop(&l, l.n, NULL,
			PLACE_UNKNOWN); /* any number of hops that nobody looked at */
		put_hop(&l, l.n, &v->target, PLACE_DESTINATION);
	}
	l.at[l.n - 1].place = PLACE_DESTINATION;
	place_silent(&l);
	return l;
}

static int by_address(const void *x, const void *y)
{
	const struct addr *a = x, *b = y;

	return a->family != b->family ? (int)a->family - (int)b->family
				      : memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

/* The addresses on all lines, each once, in order. Returns how many. */
static unsigned all_addresses(struct arena *a, const struct line *lines, unsigned n,
			      struct addr **out)
{
	unsigned size = 0, used = 0, kept = 0;

	for (unsigned i = 0; i < n; i++)
		size += lines[i].n;
	struct addr *list = arena_alloc(a, (size + 1) * sizeof(*list));
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < lines[i].n; k++)
			if (addr_is_set(&lines[i].at[k].address))
				list[used++] = lines[i].at[k].address;
	if (used)
		qsort(list, used, sizeof(*list), by_address);
	for (unsigned i = 0; i < used; i++)
		if (kept == 0 || by_address(&list[i], &list[kept - 1]) != 0)
			list[kept++] = list[i];
	*out = list;
	return kept;
}

static void number_line(struct arena *a, struct line *l, const struct addr *list, unsigned n)
{
	unsigned next = 0;

	l->id = arena_alloc(a, l->n * sizeof(*l->id));
	l->next_id = arena_alloc(a, l->n * sizeof(*l->next_id));
	l->has = arena_alloc(a, n + 1);
	for (unsigned i = l->n; i-- > 0;) {
		const struct addr *address = &l->at[i].address;
		const struct addr *found =
			addr_is_set(address) ? bsearch(address, list, n, sizeof(*list), by_address)
					     : NULL;
		l->id[i] = found ? (unsigned)(found - list) + 1 : 0;
		l->next_id[i] = next;
		next = l->id[i] ? l->id[i] : next;
		if (i) /* the machine's own address is no router's */
			l->has[l->id[i]] = 1;
	}
	l->has[0] = 0;
}

struct line *lines_of(struct arena *a, const struct view *const *views, unsigned n)
{
	struct line *lines = arena_alloc(a, (n + 1) * sizeof(*lines));
	struct addr *list;

	for (unsigned i = 0; i < n; i++)
		lines[i] = line_of(a, views[i]);
	unsigned n_ids = all_addresses(a, lines, n, &list);
	for (unsigned i = 0; i < n; i++) {
		number_line(a, &lines[i], list, n_ids);
		lines[i].number = i;
		lines[i].one_site = arena_alloc(a, n * sizeof(bool));
		for (unsigned k = 0; k < n; k++)
			lines[i].one_site[k] = compare_one_site(views[i], views[k], NULL);
	}
	return lines;
}

static const struct view_hop *hop_at(const struct line *lines, struct spot s)
{
	return &lines[s.line].at[s.index];
}

/* Where this device of `a` stands on b; -1: nowhere. */
static int find_on(const struct line *b, const struct line *a, unsigned index)
{
	unsigned id = a->id[index];

	for (unsigned i = 1; b->has[id] && i < b->n; i++)
		if (b->id[i] == id)
			return (int)i;
	return -1;
}

static bool same_target(const struct line *a, const struct line *b)
{
	return addr_equal(&a->view->target, &b->view->target);
}

/* The same device beyond doubt. */
static bool surely_same(const struct line *a, unsigned i, const struct line *b, unsigned j)
{
	return a->id[i] && a->id[i] == b->id[j] &&
	       (a->one_site[b->number] || !is_given_again(&a->at[i].address));
}

/*
 * May the two be one device? A router answers with the address of the link by which it was reached:
 * where two ways meet, it has two. So devices with different addresses, or without one, may be one
 * when the next that answers behind them is the same on both ways.
 */
static bool maybe_same(const struct line *lines, struct spot x, struct spot y)
{
	const struct line *a = &lines[x.line], *b = &lines[y.line];
	unsigned id = a->id[x.index], other = b->id[y.index];

	if (!same_target(a, b))
		return false;
	if (x.index == 0 || y.index == 0)
		return x.index == y.index && compare_same_machine(a->view, b->view);
	if (surely_same(a, x.index, b, y.index))
		return true;
	if (x.index == 1 && y.index == 1 && outside_differs(a->view, b->view))
		return false;
	/* it stands elsewhere on the other's way, so it is not this one */
	if (id != other && ((b->has[id] && !is_given_again(&a->at[x.index].address)) ||
			    (a->has[other] && !is_given_again(&b->at[y.index].address))))
		return false;
	return a->next_id[x.index] && a->next_id[x.index] == b->next_id[y.index];
}

/* ---- from a finding ---- */

static double confidence_of(const struct view_stop *stop, enum place place)
{
	for (unsigned i = 0; i < stop->n_candidates; i++)
		if (stop->candidates[i].place == place)
			return stop->candidates[i].confidence;
	return stop->n_candidates == 0 && stop->place == place && stop->confidence > 0
		       ? stop->confidence
		       : 0;
}

static bool in_range(const struct line *l, const struct view_stop *stop, unsigned index)
{
	if (stop->place == PLACE_HOST)
		return index == 0;
	if (stop->has_hop)
		return index >= stop->hop_from.ttl && index <= stop->hop_to.ttl;
	if (stop->place == PLACE_DESTINATION)
		return index == l->n - 1;
	return index > 0 && confidence_of(stop, l->at[index].place) > 0;
}

bool suspects_of(struct arena *a, const struct line *lines, unsigned line,
		 const struct view_port *port, const struct view_stop *stop,
		 struct suspect_set *out)
{
	const struct line *l = &lines[line];
	double total = 0;
	unsigned of_place[PLACE_COUNT] = {0};

	*out = (struct suspect_set){
		.lines = arena_alloc(a, COMPARE_MAX_VIEWS * sizeof(*out->lines)),
		.n_lines = 1,
		.devices = arena_alloc(a, (l->n + 1) * sizeof(*out->devices)),
		.cleared = arena_alloc(a, (l->n + 1) * sizeof(*out->cleared)),
		.mechanism = stop->mechanism,
		.all_ports = port->state == STATE_UNREACHABLE,
	};
	out->lines[0] = line;
	if (stop->place == PLACE_UNKNOWN)
		return false;
	for (unsigned i = 0; i < l->n; i++)
		of_place[l->at[i].place] += in_range(l, stop, i);
	for (int p = 0; p < PLACE_COUNT; p++)
		total += of_place[p] ? confidence_of(stop, (enum place)p) : 0;
	for (unsigned i = 0; i < l->n; i++) {
		if (!in_range(l, stop, i))
			continue;
		enum place place = l->at[i].place;
		struct device *d = &out->devices[out->n_devices++];
		d->spots = arena_alloc(a, COMPARE_MAX_VIEWS * sizeof(*d->spots));
		d->spots[d->n_spots++] = (struct spot){line, i};
		d->weight = confidence_of(stop, place) / of_place[place];
	}
	out->trust = total < TRUST_MAX ? total : TRUST_MAX;
	return out->n_devices > 0 && total > 0;
}

/* ---- what another way clears ---- */

/* In by the same link, and out by the same. */
static bool same_links(const struct line *a, unsigned i, const struct line *b, unsigned j)
{
	bool in = (i == 1 && j == 1) || surely_same(a, i - 1, b, j - 1);
	unsigned n = i + 1, m = j + 1;

	while (n + 1 < a->n && !a->id[n])
		n++;
	while (m + 1 < b->n && !b->id[m])
		m++;
	return in && surely_same(a, i, b, j) && n < a->n && m < b->n && surely_same(a, n, b, m);
}

static bool is_far(const struct view *a, const struct view *b)
{
	int64_t gap = a->started_ns - b->started_ns;

	return gap > LATER_NS || gap < -LATER_NS;
}

enum clearance { NOT_CLEARED, HALF_CLEARED, CLEARED };

/* How well the way `by`, on which the port passes, speaks for this device. */
static enum clearance clearance(const struct line *l, unsigned index, const struct line *by)
{
	enum place place = l->at[index].place;
	int j = index && same_target(l, by) ? find_on(by, l, index) : -1;

	if (j < 0)
		return NOT_CLEARED;
	if (place == PLACE_DESTINATION || place == PLACE_DESTINATION_NETWORK)
		return HALF_CLEARED;
	return is_far(l->view, by->view) || !same_links(l, index, by, (unsigned)j) ? HALF_CLEARED
										   : CLEARED;
}

void suspects_clear(const struct line *lines, struct suspect_set *s, const unsigned *by, unsigned n)
{
	double left = 0, cleared = 0;
	unsigned kept = 0;

	for (unsigned i = 0; i < s->n_devices; i++) {
		struct device *d = &s->devices[i];
		const struct line *l = &lines[d->spots[0].line];
		const struct view_hop *hop = &l->at[d->spots[0].index];
		enum clearance best = NOT_CLEARED;
		for (unsigned k = 0; k < n; k++) {
			enum clearance c = clearance(l, d->spots[0].index, &lines[by[k]]);
			best = c > best ? c : best;
		}
		if (best == CLEARED) {
			cleared += d->weight * by_source[hop->place];
			s->cleared[s->n_cleared++] = hop->address;
			continue;
		}
		if (best == HALF_CLEARED)
			d->weight *= OTHER_LINK;
		left += d->weight;
		s->devices[kept++] = *d;
	}
	s->narrowed = s->n_cleared > 0;
	s->n_devices = kept;
	s->contradicted = s->n_cleared && left <= cleared;
	s->trust = left > 0 ? s->trust * left / (left + cleared) : 0;
}

/* ---- what several share ---- */

static double prior_of(const struct line *lines, const struct suspect_set *s)
{
	double sum = 0;

	for (unsigned i = 0; i < s->n_devices; i++)
		sum += prior[hop_at(lines, s->devices[i].spots[0])->place];
	return sum < 1 ? sum : 1;
}

static double mass_of(const struct suspect_set *s)
{
	double sum = 0;

	for (unsigned i = 0; i < s->n_devices; i++)
		sum += s->devices[i].weight;
	return sum;
}

/*
 * Which of x's devices y may have, too: for each the first of y's, one with the same address before
 * all others. Returns how many. A device that stands for several reports is told by its own, the
 * first: which of another report's it is may be a guess, and a guess may exclude nothing.
 */
static unsigned common(const struct line *lines, const struct suspect_set *x,
		       const struct suspect_set *y, int *partner)
{
	unsigned n = 0;

	for (unsigned i = 0; i < x->n_devices; i++) {
		struct spot own = x->devices[i].spots[0];
		partner[i] = -1;
		for (unsigned k = 0; k < y->n_devices; k++) {
			struct spot its = y->devices[k].spots[0];
			if (surely_same(&lines[own.line], own.index, &lines[its.line], its.index))
				partner[i] = (int)k;
			else if (partner[i] < 0 && maybe_same(lines, own, its))
				partner[i] = (int)k;
		}
		n += partner[i] >= 0;
	}
	return n;
}

static bool share_a_line(const struct suspect_set *x, const struct suspect_set *y)
{
	for (unsigned i = 0; i < x->n_lines; i++)
		for (unsigned k = 0; k < y->n_lines; k++)
			if (x->lines[i] == y->lines[k])
				return true;
	return false;
}

struct match {
	int *partner, *back; /* for each device of x one of y, and the other way round; -1: none */
	unsigned n, n_back;  /* devices that have one */
	double odds;         /* that the two sets are about one device */
};

static struct match match(struct arena *a, const struct line *lines, const struct suspect_set *x,
			  const struct suspect_set *y)
{
	struct match m = {0};
	double shared = 0;

	if (share_a_line(x, y) || x->all_ports != y->all_ports || x->contradicted ||
	    y->contradicted)
		return m;
	m.partner = arena_alloc(a, (x->n_devices + 1) * sizeof(int));
	m.back = arena_alloc(a, (y->n_devices + 1) * sizeof(int));
	m.n = common(lines, x, y, m.partner);
	m.n_back = common(lines, y, x, m.back);
	for (unsigned i = 0; i < x->n_devices; i++)
		if (m.partner[i] >= 0)
			shared += prior[hop_at(lines, x->devices[i].spots[0])->place];
	if (m.n)
		m.odds = shared / (prior_of(lines, x) * prior_of(lines, y));
	if (x->mechanism != y->mechanism)
		m.odds *= OTHER_MECHANISM;
	return m;
}

static void add_line(struct suspect_set *s, unsigned line)
{
	unsigned i = s->n_lines++;

	for (; i > 0 && s->lines[i - 1] > line; i--)
		s->lines[i] = s->lines[i - 1];
	s->lines[i] = line;
}

/*
 * x becomes what both share, told by the devices of that side which has fewer of them. The weights
 * of both count alike: they stem from the same reasons, seen twice, so multiplying them would count
 * those twice.
 */
static void unite(struct suspect_set *x, const struct suspect_set *y, const struct match *m)
{
	bool of_y = m->n_back < m->n;
	const struct suspect_set *base = of_y ? y : x, *other = of_y ? x : y;
	const int *partner = of_y ? m->back : m->partner;
	double whole = mass_of(base), whole_other = mass_of(other), left = 0, left_other = 0;
	/* with as many on both sides no assumption is made: each says the same by itself */
	bool smaller = m->n < x->n_devices || m->n_back < y->n_devices;
	unsigned n = 0;

	for (unsigned k = 0; k < other->n_devices; k++)
		left_other += (of_y ? m->partner : m->back)[k] >= 0 ? other->devices[k].weight : 0;
	for (unsigned i = 0; i < base->n_devices; i++) {
		if (partner[i] < 0)
			continue;
		struct device d = base->devices[i];
		const struct device *e = &other->devices[partner[i]];
		left += d.weight;
		d.weight = ((whole > 0 ? d.weight / whole : 0) +
			    (whole_other > 0 ? e->weight / whole_other : 0)) /
			   2;
		for (unsigned k = 0; k < e->n_spots; k++)
			d.spots[d.n_spots++] = e->spots[k];
		base->devices[n++] = d;
	}
	double one = m->odds / (1 + m->odds);
	double both = whole > 0 && whole_other > 0 ? left / whole * left_other / whole_other : 0;
	x->trust = (x->trust < y->trust ? x->trust : y->trust) *
		   (smaller ? one + (1 - one) * both : 1);
	x->devices = base->devices;
	x->n_devices = n;
	x->joined |= smaller;
	x->narrowed |= y->narrowed;
	for (unsigned i = 0; i < y->n_lines; i++)
		add_line(x, y->lines[i]);
}

/* Odds of each pair are worked out once, and anew only for a set that has changed. */
static void fill_row(struct arena *a, const struct line *lines, const struct suspect_set *sets,
		     unsigned n, struct match *odds, unsigned stride, unsigned row)
{
	for (unsigned k = 0; k < n; k++)
		if (k != row)
			odds[(row < k ? row : k) * stride + (row < k ? k : row)] =
				match(a, lines, &sets[row < k ? row : k], &sets[row < k ? k : row]);
}

static void drop_row(struct match *odds, unsigned stride, unsigned n, unsigned row)
{
	for (unsigned i = 0; i < n; i++)
		memmove(&odds[i * stride + row], &odds[i * stride + row + 1],
			(n - row - 1) * sizeof(*odds));
	memmove(&odds[row * stride], &odds[(row + 1) * stride],
		(n - row - 1) * stride * sizeof(*odds));
}

unsigned suspects_join(struct arena *a, const struct line *lines, struct suspect_set *sets,
		       unsigned n)
{
	unsigned stride = n;
	struct match *odds = arena_alloc(a, ((size_t)n * n + 1) * sizeof(*odds));

	for (unsigned i = 0; i < n; i++)
		for (unsigned k = i + 1; k < n; k++)
			odds[i * stride + k] = match(a, lines, &sets[i], &sets[k]);
	while (n > 1) {
		unsigned x = 0, y = 1;
		for (unsigned i = 0; i < n; i++)
			for (unsigned k = i + 1; k < n; k++)
				if (odds[i * stride + k].odds > odds[x * stride + y].odds) {
					x = i;
					y = k;
				}
		if (odds[x * stride + y].odds < ONE_DEVICE)
			break;
		unite(&sets[x], &sets[y], &odds[x * stride + y]);
		memmove(&sets[y], &sets[y + 1], (n - y - 1) * sizeof(*sets));
		drop_row(odds, stride, n--, y);
		fill_row(a, lines, sets, n, odds, stride, x);
	}
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = i + 1; k < n; k++)
			/* of two targets, or of two families, devices can't be compared */
			if (odds[i * stride + k].n ||
			    !same_target(&lines[sets[i].lines[0]], &lines[sets[k].lines[0]])) {
				sets[i].maybe_more = true;
				sets[k].maybe_more = true;
			}
	return n;
}
