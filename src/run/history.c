/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/history.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* So many turns within this are no change of heart, but a coming and going. */
#define TURNS_WITHIN_NS (24 * 3600 * NS_PER_S)
#define TURNS_MIN 4
/* Of a limit: each time about as many looks pass as the last time. */
#define LIMIT_RUNS 2

struct entry {
	struct watch_port port;
	unsigned undecided;            /* looks in a row */
	int64_t turns[HISTORY_TURNS];  /* latest times at which open became not open, or back */
	unsigned n_turns;
	unsigned run;                  /* open looks in a row so far */
	unsigned open_runs[HISTORY_TURNS]; /* lengths of the latest runs of open looks that ended */
	unsigned n_runs;
	int64_t day;                   /* of the hour being counted */
	unsigned hour, hour_looks, hour_bad;
};

struct history {
	struct entry **entries;
	unsigned n, size;
	bool full;
	struct arena arena;
};

struct history *history_new(void)
{
	return xcalloc(1, sizeof(struct history));
}

void history_free(struct history *h)
{
	if (!h)
		return;
	for (unsigned i = 0; i < h->n; i++)
		free(h->entries[i]);
	free(h->entries);
	arena_clear(&h->arena);
	free(h);
}

unsigned history_count(const struct history *h)
{
	return h->n;
}

const struct watch_port *history_port(const struct history *h, unsigned i)
{
	return &h->entries[i]->port;
}

bool history_full(const struct history *h)
{
	return h->full;
}

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static struct entry *entry_of(struct history *h, const struct history_subject *of, unsigned port)
{
	const struct watch_port *last = h->n ? &h->entries[h->n - 1]->port : NULL;

	for (unsigned i = 0; i < h->n; i++) {
		struct watch_port *p = &h->entries[i]->port;
		if (p->port == port && addr_equal(&p->address, &of->address) && same(p->input, of->input) &&
		    same(p->way, of->way))
			return h->entries[i];
	}
	if (h->n == HISTORY_MAX) {
		h->full = true;
		return NULL;
	}
	struct entry *e = xcalloc(1, sizeof(*e));
	e->port = (struct watch_port){
		.input = last && same(last->input, of->input) ? last->input : arena_strdup(&h->arena, of->input),
		.way = last && same(last->way, of->way) ? last->way : arena_strdup(&h->arena, of->way),
		.address = of->address,
		.port = port};
	h->entries = array_grow(h->entries, h->n, &h->size, sizeof(*h->entries));
	h->entries[h->n++] = e;
	return e;
}

static struct watch_look look_of(const struct report_port *p)
{
	const struct finding *f = p->n_findings ? &p->findings[0] : NULL;

	return (struct watch_look){
		.state = p->state,
		.mechanism = f ? f->mechanism : MECH_UNKNOWN,
		.place = f ? f->place : PLACE_UNKNOWN,
		.confidence = f && f->place != PLACE_UNKNOWN ? f->confidence : CONFIDENCE_NONE,
	};
}

static bool differs(const struct watch_look *a, const struct watch_look *b)
{
	if (a->state != b->state)
		return true;
	return a->place != b->place && a->confidence >= HISTORY_PLACE_SURE &&
	       b->confidence >= HISTORY_PLACE_SURE;
}

/* ---- patterns ---- */

static void push(unsigned *list, unsigned *n, unsigned value)
{
	if (*n == HISTORY_TURNS) {
		memmove(list, list + 1, (HISTORY_TURNS - 1) * sizeof(*list));
		(*n)--;
	}
	list[(*n)++] = value;
}

static void turn(struct entry *e, int64_t t_ns)
{
	if (e->n_turns == HISTORY_TURNS) {
		memmove(e->turns, e->turns + 1, (HISTORY_TURNS - 1) * sizeof(e->turns[0]));
		e->n_turns--;
	}
	e->turns[e->n_turns++] = t_ns;
}

static void close_hour(struct entry *e)
{
	struct watch_hour *h = &e->port.hours[e->hour];

	if (!e->hour_looks)
		return;
	h->days += h->days < UINT16_MAX;
	h->bad_days += h->bad_days < UINT16_MAX && e->hour_bad * 2 > e->hour_looks;
}

static void count_hour(struct entry *e, unsigned hour, int64_t day, bool bad)
{
	if (e->hour != hour || e->day != day) {
		close_hour(e);
		e->hour_looks = e->hour_bad = 0;
	}
	e->hour = hour;
	e->day = day;
	e->hour_looks++;
	e->hour_bad += bad;
}

/* Some hours bad on nearly every day, and the others good on nearly every one. */
static bool by_the_clock(const struct watch_port *p)
{
	unsigned bad = 0, good = 0, mixed = 0;

	for (unsigned i = 0; i < WATCH_HOURS_OF_DAY; i++) {
		const struct watch_hour *h = &p->hours[i];
		if (h->days < WATCH_DAYS_MIN)
			continue;
		if (watch_bad_hour(p, i))
			bad++;
		else if (h->bad_days * 5 <= h->days)
			good++;
		else
			mixed++;
	}
	return bad && good && mixed <= 2; /* its beginning and its end may lie within an hour */
}

/* As many looks pass each time before it stops: somebody counts. */
static bool counted(const struct entry *e)
{
	unsigned n = e->n_runs, last;

	if (n < LIMIT_RUNS + 1)
		return false;
	last = e->open_runs[n - 1];
	for (unsigned i = 2; i <= LIMIT_RUNS + 1; i++) {
		unsigned other = e->open_runs[n - i];
		if (other > last + 1 || last > other + 1)
			return false;
	}
	return true;
}

static enum watch_pattern pattern_of(const struct entry *e, int64_t t_ns)
{
	unsigned recent = 0;

	if (by_the_clock(&e->port))
		return WATCH_HOURS;
	for (unsigned i = 0; i < e->n_turns; i++)
		recent += t_ns - e->turns[i] <= TURNS_WITHIN_NS;
	if (recent < TURNS_MIN)
		return WATCH_STEADY;
	return counted(e) ? WATCH_LIMIT : WATCH_COMES_AND_GOES;
}

static void count_runs(struct entry *e, bool open, int64_t t_ns)
{
	if (open) {
		if (e->run == 0 && e->port.looks > 1)
			turn(e, t_ns);
		e->run++;
	} else if (e->run > 0) {
		push(e->open_runs, &e->n_runs, e->run);
		turn(e, t_ns);
		e->run = 0;
	}
}

/* ---- one look ---- */

bool history_add(struct history *h, const struct history_subject *of, const struct report_port *p,
		 int64_t t_ns, unsigned hour, int64_t day, struct watch_change *out)
{
	struct entry *e = entry_of(h, of, p->port);
	struct watch_look now = look_of(p);

	if (!e)
		return false;
	struct watch_port *w = &e->port;
	bool first = w->looks == 0, open = now.state == STATE_OPEN, undecided = now.state == STATE_INCONCLUSIVE;
	w->looks++;
	w->open_looks += open;
	w->undecided_looks += undecided;
	w->last_ns = t_ns;
	e->undecided = undecided ? e->undecided + 1 : 0;
	if (!undecided) {
		count_runs(e, open, t_ns);
		count_hour(e, hour % WATCH_HOURS_OF_DAY, day, !open);
		w->pattern = pattern_of(e, t_ns);
	}
	if (first) {
		w->first_ns = w->since_ns = t_ns;
		w->now = now;
		*out = (struct watch_change){.port = w, .first = true, .summary = p->summary};
		return true;
	}
	if (undecided && e->undecided < HISTORY_UNDECIDED)
		return false;
	if (!differs(&w->now, &now)) {
		if (now.confidence > w->now.confidence)
			w->now = now; /* the surer word on the same */
		return false;
	}
	*out = (struct watch_change){
		.port = w, .from = w->now, .lasted_ns = t_ns - w->since_ns, .summary = p->summary};
	w->now = now;
	w->since_ns = t_ns;
	w->changes++;
	return true;
}
