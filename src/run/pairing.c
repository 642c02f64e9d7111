/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/pairing.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"

#define COVER_NS (2 * NS_PER_S) /* clocks of the two points may differ by that much */

bool pairing_take(struct pairing *p, const struct conn *c, unsigned file)
{
	if (p->n == PAIRING_MAX || p->bytes + c->size > PAIRING_BYTES)
		return false;
	p->list = array_grow(p->list, p->n, &p->size, sizeof(*p->list));
	p->list[p->n++] = (struct held){.conn = conn_copy(c), .file = file, .other = -1, .missed_in = -1};
	p->bytes += c->size;
	return true;
}

void pairing_clear(struct pairing *p)
{
	for (unsigned i = 0; i < p->n; i++)
		free(p->list[i].conn);
	free(p->list);
	*p = (struct pairing){0};
}

static int64_t apart(const struct held *a, const struct held *b)
{
	int64_t d = a->conn->start_ns - b->conn->start_ns;

	return d < 0 ? -d : d;
}

/* The pieces of one connection in files that follow each other are no two views of it. */
static bool follows(const struct conn *a, const struct conn *b)
{
	return a->last_ns < b->start_ns || b->last_ns < a->start_ns;
}

static enum capture_match match(const struct held *a, const struct held *b)
{
	enum capture_match how = capture_match(a->conn, b->conn);

	return how == MATCH_TUPLE && follows(a->conn, b->conn) ? MATCH_NONE : how;
}

static void match_one(struct pairing *p, unsigned i)
{
	struct held *one = &p->list[i], *best = NULL;
	enum capture_match how = MATCH_NONE;

	for (unsigned k = i + 1; k < p->n; k++) {
		struct held *other = &p->list[k];
		if (other->file == one->file || other->other >= 0)
			continue;
		enum capture_match this = match(one, other);
		if (this == MATCH_NONE || this < how || (this == how && apart(one, other) >= apart(one, best)))
			continue;
		best = other;
		how = this;
	}
	if (!best)
		return;
	one->other = (int)(best - p->list);
	best->other = (int)i;
	one->how = best->how = how;
}

static bool is_at_server(const struct conn *c)
{
	uint8_t ttl = c->synack_print.ttl;

	return ttl == 64 || ttl == 128 || ttl == 255;
}

/* Does that record show that its capture would have seen the connection `c`, had it come by? It was
 * taken at the very server, or it saw other connections of that client and that capture. */
static bool is_witness(const struct pairing *p, const struct held *w, const struct held *one)
{
	const struct conn *c = one->conn;

	if (!addr_equal(&w->conn->server, &c->server))
		return false;
	if (w->conn->start_ns > c->start_ns + COVER_NS && w->other < 0)
		return false;
	if (is_at_server(w->conn) && c->synack_print.ttl == 0 && !capture_is_nearer(w->conn, c))
		return true;
	return w->other >= 0 && p->list[w->other].file == one->file &&
	       addr_equal(&p->list[w->other].conn->client, &c->client);
}

/* From when to when a capture looked, as far as its connections tell. */
struct span {
	bool known;
	int64_t from, until;
};

/* By the files' numbers; free(). */
static struct span *spans_of(const struct pairing *p)
{
	unsigned n_files = 0;

	for (unsigned i = 0; i < p->n; i++)
		n_files = p->list[i].file >= n_files ? p->list[i].file + 1 : n_files;
	struct span *spans = xcalloc(n_files + 1, sizeof(*spans));
	for (unsigned i = 0; i < p->n; i++) {
		const struct conn *c = p->list[i].conn;
		struct span *s = &spans[p->list[i].file];
		s->from = !s->known || c->start_ns < s->from ? c->start_ns : s->from;
		s->until = !s->known || c->until_ns > s->until ? c->until_ns : s->until;
		s->known = true;
	}
	return spans;
}

static bool covers(const struct span *s, int64_t t_ns)
{
	return s->known && t_ns >= s->from - COVER_NS && t_ns <= s->until + COVER_NS;
}

static void look_for_witness(struct pairing *p, const struct span *spans, struct held *one)
{
	for (unsigned k = 0; k < p->n && one->missed_in < 0; k++) {
		const struct held *w = &p->list[k];
		if (w->file != one->file && covers(&spans[w->file], one->conn->start_ns) &&
		    is_witness(p, w, one))
			one->missed_in = (int)w->file;
	}
}

void pairing_match(struct pairing *p)
{
	struct span *spans = spans_of(p);

	for (unsigned i = 0; i < p->n; i++)
		if (p->list[i].other < 0)
			match_one(p, i);
	for (unsigned i = 0; i < p->n; i++)
		if (p->list[i].other < 0 && p->list[i].conn->half[CONN_SERVER].packets == 0)
			look_for_witness(p, spans, &p->list[i]);
	free(spans);
}
