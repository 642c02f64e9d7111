/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/watch_lines.h"

#include <jansson.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "report/phrase.h"

#define INPUT_MAX 300 /* bytes of a target in a line */

/* ---- text ---- */

static void put_local_time(FILE *out, int64_t t_ns)
{
	time_t s = (time_t)(t_ns / NS_PER_S);
	char text[40] = "";
	struct tm tm;

	if (localtime_r(&s, &tm))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z", &tm);
	fputs(text, out);
}

static void put_who(struct arena *a, FILE *out, const struct watch_port *p)
{
	char address[ADDR_TEXT_MAX];
	const char *input = text_clean(a, p->input, strlen(p->input), INPUT_MAX);

	addr_text(&p->address, address);
	if (strcmp(input, address) == 0)
		fprintf(out, "  %s", address);
	else
		fprintf(out, "  %s [%s]", input, address);
	if (p->way)
		fprintf(out, " %s", phrase_way(a, p->way));
	fprintf(out, " port %u: ", p->port);
}

/* "3 h 12 min" */
static const char *lasting(struct arena *a, int64_t ns)
{
	long long s = ns / NS_PER_S;

	if (s < 120)
		return arena_printf(a, "%lld s", s);
	if (s < 2LL * 3600)
		return arena_printf(a, "%lld min", s / 60);
	if (s < 48LL * 3600)
		return arena_printf(a, "%lld h %lld min", s / 3600, s / 60 % 60);
	return arena_printf(a, "%lld days", s / 86400);
}

/* "from 08:00 to 18:00", "from 22:00 to 06:00 and from 12:00 to 13:00": when it is not open. */
static const char *closed_hours(struct arena *a, const struct watch_port *p)
{
	const char *all = "";

	for (unsigned i = 0; i < WATCH_HOURS_OF_DAY; i++) {
		unsigned before = (i + WATCH_HOURS_OF_DAY - 1) % WATCH_HOURS_OF_DAY, end = i;
		if (!watch_bad_hour(p, i) || watch_bad_hour(p, before))
			continue;
		do
			end = (end + 1) % WATCH_HOURS_OF_DAY;
		while (watch_bad_hour(p, end) && end != i);
		all = arena_printf(a, "%s%sfrom %02u:00 to %02u:00", all, all[0] ? " and " : "", i, end);
	}
	return all;
}

static const char *pattern_words(struct arena *a, const struct watch_port *p)
{
	switch (p->pattern) {
	case WATCH_HOURS:
		return arena_printf(a, "not open %s (local time), day after day", closed_hours(a, p));
	case WATCH_LIMIT:
		return "each time about as many looks pass before it stops: a limit on connections";
	case WATCH_COMES_AND_GOES:
		return "it comes and goes: a limit on connections, a lossy way, or one of several servers";
	case WATCH_STEADY:
		break;
	}
	return NULL;
}

static int written(struct arena *a, FILE *out)
{
	arena_clear(a);
	return fflush(out) != 0 || ferror(out) ? -1 : 0;
}

int watch_change_text(const struct watch_change *c, FILE *out)
{
	const struct watch_port *p = c->port;
	struct arena a = {0};
	const char *pattern = pattern_words(&a, p);

	put_local_time(out, p->last_ns);
	put_who(&a, out, p);
	fprintf(out, "%s", state_name(p->now.state));
	if (!c->first)
		fprintf(out, ", after %s %s", lasting(&a, c->lasted_ns), state_name(c->from.state));
	if (p->now.state != STATE_OPEN && c->summary)
		fprintf(out, ". %s", text_clean(&a, c->summary, strlen(c->summary), 2000));
	if (pattern)
		fprintf(out, " (%s)", pattern);
	fputc('\n', out);
	return written(&a, out);
}

int watch_end_text(const struct watch_port *p, FILE *out)
{
	struct arena a = {0};
	const char *pattern = pattern_words(&a, p);

	put_local_time(out, p->last_ns);
	put_who(&a, out, p);
	fprintf(out, "%s for %s; open in %llu of %llu looks, %llu change%s%s%s\n", state_name(p->now.state),
		lasting(&a, p->last_ns - p->since_ns), (unsigned long long)p->open_looks,
		(unsigned long long)p->looks, (unsigned long long)p->changes, p->changes == 1 ? "" : "s",
		pattern ? "; " : "", pattern ? pattern : "");
	return written(&a, out);
}

/* ---- JSON ---- */

static json_t *text(struct arena *a, const char *s, size_t max)
{
	return s ? json_string_nocheck(text_clean(a, s, strlen(s), max)) : json_null();
}

static json_t *utc(int64_t t_ns)
{
	char out[CLOCK_TEXT_MAX];

	return json_string(clock_utc_text(t_ns, out));
}

static json_t *confidence(double c)
{
	return c >= 0 ? json_real((double)(int)(c * 1000 + 0.5) / 1000) : json_null();
}

static json_t *look(const struct watch_look *l)
{
	return json_pack("{s:s, s:s, s:s, s:o}", "state", state_name(l->state), "mechanism",
			 mechanism_name(l->mechanism), "place", place_name(l->place), "confidence",
			 confidence(l->confidence));
}

static json_t *target(struct arena *a, const struct watch_port *p)
{
	char address[ADDR_TEXT_MAX];

	json_t *o = json_pack("{s:o, s:s}", "input", text(a, p->input, INPUT_MAX), "address",
			      addr_text(&p->address, address));
	if (p->way)
		json_object_set_new(o, "way", text(a, p->way, INPUT_MAX));
	return o;
}

static json_t *pattern(struct arena *a, const struct watch_port *p)
{
	static const char *const names[] = {
		[WATCH_COMES_AND_GOES] = "comes-and-goes", [WATCH_LIMIT] = "limit", [WATCH_HOURS] = "hours"};

	if (p->pattern == WATCH_STEADY)
		return json_null();
	return json_pack("{s:s, s:o}", "kind", names[p->pattern], "text", text(a, pattern_words(a, p), 1000));
}

static int put(struct arena *a, json_t *root, FILE *out)
{
	int failed = !root || json_dumpf(root, out, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15)) != 0 ||
		     fputc('\n', out) == EOF;

	json_decref(root);
	return written(a, out) != 0 || failed ? -1 : 0;
}

int watch_change_json(const struct watch_change *c, FILE *out)
{
	const struct watch_port *p = c->port;
	struct arena a = {0};

	return put(&a, json_pack("{s:s, s:o, s:o, s:i, s:o, s:o, s:o, s:o, s:o}", "schema", "smtpblame.change/1",
				 "time", utc(p->last_ns), "target", target(&a, p), "port", (int)p->port,
				 "from", c->first ? json_null() : look(&c->from), "to", look(&p->now), "lasted_s",
				 c->first ? json_null() : json_real((double)(c->lasted_ns / NS_PER_MS) / 1000),
				 "pattern", pattern(&a, p), "summary", text(&a, c->summary, 2000)),
		   out);
}

int watch_end_json(const struct watch_port *p, FILE *out)
{
	struct arena a = {0};

	return put(&a, json_pack("{s:s, s:o, s:i, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:o}", "schema",
				 "smtpblame.watched/1", "target", target(&a, p), "port", (int)p->port, "now",
				 look(&p->now), "since", utc(p->since_ns), "first", utc(p->first_ns), "last",
				 utc(p->last_ns), "looks", (json_int_t)p->looks, "open", (json_int_t)p->open_looks,
				 "undecided", (json_int_t)p->undecided_looks, "changes", (json_int_t)p->changes,
				 "pattern", pattern(&a, p)),
		   out);
}
