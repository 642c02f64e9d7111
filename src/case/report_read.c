/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "case/report_read.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/text.h"

#define SCHEMA       "smtpblame.report/"
#define SCHEMA_OWN   "1"
#define WORD_MAX     300  /* bytes of a name */
#define TEXT_MAX     1000 /* of a sentence, a rule */
#define LIST_MAX     256  /* hops, ports */
#define FINDINGS_MAX 16
#define TTL_MAX      255
#define YEARS_MAX    2200
#define SHOWN_MAX    60

/* One document: the first thing that is wrong stays (`what`). */
struct doc {
	struct arena *arena;
	const char *what; /* NULL: nothing so far */
	const char *key;
};

static void bad(struct doc *d, const char *key, const char *what)
{
	if (d->what)
		return;
	d->key = key;
	d->what = what;
}

/* ---- values ---- */

static const char *clean(struct doc *d, const json_t *s, size_t max)
{
	return text_clean(d->arena, json_string_value(s), json_string_length(s), max);
}

/* Missing and null: NULL. */
static const char *word(struct doc *d, const json_t *o, const char *key, size_t max)
{
	const json_t *v = json_object_get(o, key);

	if (!v || json_is_null(v))
		return NULL;
	if (!json_is_string(v)) {
		bad(d, key, "no string");
		return NULL;
	}
	return clean(d, v, max);
}

static const json_t *object(struct doc *d, const json_t *o, const char *key, bool required)
{
	const json_t *v = json_object_get(o, key);

	if (json_is_object(v))
		return v;
	if (required || (v && !json_is_null(v)))
		bad(d, key, v ? "no object" : "missing");
	return NULL;
}

/* Empty where it is missing. */
static size_t array(struct doc *d, const json_t *o, const char *key, bool required, size_t max,
		    const json_t **out)
{
	const json_t *v = json_object_get(o, key);

	*out = v;
	if (!v && !required)
		return 0;
	if (!json_is_array(v)) {
		bad(d, key, v ? "no array" : "missing");
		return 0;
	}
	if (json_array_size(v) > max) {
		bad(d, key, "too many of them");
		return 0;
	}
	return json_array_size(v);
}

/* Missing and null: 0. */
static uint32_t number(struct doc *d, const json_t *o, const char *key, json_int_t least,
		       json_int_t most)
{
	const json_t *v = json_object_get(o, key);

	if (!v || json_is_null(v))
		return 0;
	if (!json_is_integer(v) || json_integer_value(v) < least || json_integer_value(v) > most) {
		bad(d, key, "no number in its range");
		return 0;
	}
	return (uint32_t)json_integer_value(v);
}

static double probability(struct doc *d, const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	if (!v || json_is_null(v))
		return CONFIDENCE_NONE;
	if (!json_is_number(v) || !(json_number_value(v) >= 0 && json_number_value(v) <= 1)) {
		bad(d, key, "no probability");
		return CONFIDENCE_NONE;
	}
	return json_number_value(v);
}

/* Missing and null: none. */
static struct addr address(struct doc *d, const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);
	struct addr a = {0};

	if (!v || json_is_null(v))
		return a;
	if (!json_is_string(v) || json_string_length(v) >= ADDR_TEXT_MAX ||
	    !addr_parse(&a, json_string_value(v)))
		bad(d, key, "no address");
	return a;
}

/* A word of one of the report's lists; the index, or -1. */
static int of_list(struct doc *d, const json_t *o, const char *key, int n,
		   const char *(*name)(int i))
{
	const char *s = json_string_value(json_object_get(o, key));

	for (int i = 0; s && i < n; i++)
		if (strcmp(s, name(i)) == 0)
			return i;
	bad(d, key, "not a word that this version knows");
	return -1;
}

static const char *state_at(int i)
{
	return state_name((enum state)i);
}

static const char *mechanism_at(int i)
{
	return mechanism_name((enum mechanism)i);
}

static const char *place_at(int i)
{
	return place_name((enum place)i);
}

static enum place place(struct doc *d, const json_t *o)
{
	int i = of_list(d, o, "place", PLACE_COUNT, place_at);

	return i < 0 ? PLACE_UNKNOWN : (enum place)i;
}

/* ---- time ---- */

/* Days from 1970 to the day, by the proleptic Gregorian calendar. */
static int64_t days_to(int year, int month, int day)
{
	int y = month > 2 ? year : year - 1;
	int of_era = y % 400, of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return (int64_t)(y / 400) * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year -
	       719468;
}

static int64_t time_of(struct doc *d, const json_t *o, const char *key)
{
	static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	const char *s = json_string_value(json_object_get(o, key));
	int year, month, day, hour, minute, second, used = 0;
	int64_t fraction = 0, unit = NS_PER_S;

	if (!s ||
	    sscanf(s, "%4d-%2d-%2dT%2d:%2d:%2d%n", &year, &month, &day, &hour, &minute, &second,
		   &used) != 6 ||
	    used != 19 || year < 1970 || year > YEARS_MAX || month < 1 || month > 12 || day < 1 ||
	    day > days[month - 1] || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
	    second < 0 || second > 60) {
		bad(d, key, "no time");
		return 0;
	}
	s += used;
	if (*s == '.')
		for (s++; isdigit((unsigned char)*s) && unit > 1; s++) {
			unit /= 10;
			fraction += (*s - '0') * unit;
		}
	if (strcmp(s, "Z") != 0)
		bad(d, key, "no time in UTC");
	return (((days_to(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * NS_PER_S +
	       fraction;
}

/* ---- parts of a report ---- */

static struct hop_end hop_end(struct doc *d, const json_t *range, const char *key)
{
	const json_t *o = object(d, range, key, true);

	return (struct hop_end){number(d, o, "ttl", 0, TTL_MAX), address(d, o, "address")};
}

static void read_hop(struct doc *d, const json_t *o, struct finding *f)
{
	const json_t *range = object(d, o, "hop", false);

	if (!range)
		return;
	f->has_hop = true;
	f->hop_from = hop_end(d, range, "from");
	f->hop_to = hop_end(d, range, "to");
	if (f->hop_from.ttl > f->hop_to.ttl)
		bad(d, "hop", "from is behind to");
}

static void read_candidates(struct doc *d, const json_t *o, struct finding *f)
{
	const json_t *list;
	size_t n = array(d, o, "candidates", false, PLACE_COUNT, &list);

	for (size_t i = 0; i < n; i++) {
		const json_t *one = json_array_get(list, i);
		struct candidate c = {place(d, one), probability(d, one, "confidence")};
		if (c.confidence < 0)
			bad(d, "confidence", "missing");
		for (unsigned k = 0; k < f->n_candidates; k++)
			if (f->candidates[k].place == c.place)
				bad(d, "candidates", "a place is there twice");
		f->candidates[f->n_candidates++] = c;
	}
}

static void read_finding(struct doc *d, const json_t *o, struct finding *f)
{
	int mechanism = of_list(d, o, "mechanism", MECH_COUNT, mechanism_at);

	f->mechanism = mechanism < 0 ? MECH_UNKNOWN : (enum mechanism)mechanism;
	f->place = place(d, o);
	f->confidence = probability(d, o, "confidence");
	if (f->place != PLACE_UNKNOWN && f->confidence < 0)
		bad(d, "confidence", "missing");
	read_candidates(d, o, f);
	read_hop(d, o, f);
	f->culprit.text = word(d, object(d, o, "culprit", true), "text", TEXT_MAX);
}

static void read_port(struct doc *d, const json_t *o, struct report_port *p)
{
	const json_t *list;
	int state = of_list(d, o, "state", STATE_COUNT, state_at);
	size_t n = array(d, o, "findings", true, FINDINGS_MAX, &list);
	struct finding *findings = arena_alloc(d->arena, (n + 1) * sizeof(*findings));

	p->port = number(d, o, "port", 1, 65535);
	if (!p->port)
		bad(d, "port", "missing");
	p->state = state < 0 ? STATE_INCONCLUSIVE : (enum state)state;
	for (size_t i = 0; i < n; i++)
		read_finding(d, json_array_get(list, i), &findings[i]);
	p->findings = findings;
	p->n_findings = (unsigned)n;
	p->upstream_tested = json_is_true(json_object_get(o, "upstream_tested"));
}

static void read_ports(struct doc *d, const json_t *root, struct report *r)
{
	const json_t *list;
	size_t n = array(d, root, "ports", true, LIST_MAX, &list);
	struct report_port *ports = arena_alloc(d->arena, (n + 1) * sizeof(*ports));

	for (size_t i = 0; i < n; i++) {
		read_port(d, json_array_get(list, i), &ports[i]);
		for (size_t k = 0; k < i; k++)
			if (ports[k].port == ports[i].port)
				bad(d, "ports", "one is there twice");
	}
	if (n == 0)
		bad(d, "ports", "none");
	r->ports = ports;
	r->n_ports = (unsigned)n;
}

static void read_path(struct doc *d, const json_t *root, struct report *r)
{
	const json_t *list;
	size_t n = array(d, root, "path", true, LIST_MAX, &list);
	struct report_hop *path = arena_alloc(d->arena, (n + 1) * sizeof(*path));

	for (size_t i = 0; i < n; i++) {
		const json_t *o = json_array_get(list, i);
		path[i].ttl = number(d, o, "ttl", 1, TTL_MAX);
		path[i].address = address(d, o, "address");
		path[i].asn = number(d, o, "asn", 1, UINT32_MAX);
		path[i].place = place(d, o);
		if (!path[i].ttl || (i && path[i].ttl <= path[i - 1].ttl))
			bad(d, "path", "TTLs do not grow");
	}
	r->path = path;
	r->n_path = (unsigned)n;
}

static void read_vantage(struct doc *d, const json_t *root, struct report_vantage *v)
{
	const json_t *o = object(d, root, "vantage", true);

	v->hostname = word(d, o, "hostname", WORD_MAX);
	v->interface = word(d, o, "interface", WORD_MAX);
	v->user = word(d, o, "user", WORD_MAX);
	v->netns = word(d, o, "netns", WORD_MAX);
	v->source = address(d, o, "source");
	v->gateway = address(d, o, "gateway");
	v->seen_as = address(d, o, "seen_as");
	v->tunnel = json_is_true(json_object_get(o, "tunnel"));
}

static void read_root(struct doc *d, const json_t *root, struct report *r)
{
	const json_t *target = object(d, root, "target", true);

	r->tool_version = word(d, object(d, root, "tool", true), "version", WORD_MAX);
	r->started_ns = time_of(d, root, "started");
	r->target_input = word(d, target, "input", WORD_MAX);
	r->target_name = word(d, target, "name", WORD_MAX);
	r->target = address(d, target, "address");
	if (!addr_is_set(&r->target))
		bad(d, "address", "missing");
	read_vantage(d, root, &r->vantage);
	read_ports(d, root, r);
	read_path(d, root, r);
}

/* ---- documents ---- */

static int at_document(const struct report_reader *r, struct err *e)
{
	char place[sizeof(e->text)];
	struct arena scratch = {0};

	snprintf(place, sizeof(place), "%.300s: document %u",
		 text_clean(&scratch, r->path, strlen(r->path), WORD_MAX), r->number);
	arena_clear(&scratch);
	return err_prefix(e, place);
}

struct intake {
	FILE *in;
	size_t n;
	bool too_long;
};

/* A byte at a time: what follows the document belongs to the next one. */
static size_t take_byte(void *buffer, size_t size, void *data)
{
	struct intake *s = data;
	int c;

	(void)size;
	if (s->n++ >= REPORT_READ_MAX) {
		s->too_long = true;
		return (size_t)-1;
	}
	c = getc_unlocked(s->in);
	if (c == EOF)
		return 0;
	*(char *)buffer = (char)c;
	return 1;
}

static int skip_blanks(FILE *in)
{
	int c;

	do
		c = getc_unlocked(in);
	while (c == ' ' || c == '\t' || c == '\n' || c == '\r');
	return c == EOF ? EOF : ungetc(c, in);
}

/* 1: *root, 0: the file is at its end, -1: *e. */
static int next_document(struct report_reader *r, json_t **root, struct err *e)
{
	struct intake intake = {.in = r->in};
	json_error_t why;

	errno = 0;
	if (skip_blanks(r->in) == EOF) {
		if (!ferror(r->in))
			return 0;
		err_set(e, ERR_USAGE, "%s", strerror(errno));
		r->number++;
		return at_document(r, e);
	}
	r->number++;
	*root = json_load_callback(take_byte, &intake,
				   JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK, &why);
	if (json_is_object(*root))
		return 1;
	if (intake.too_long)
		err_set(e, ERR_USAGE, "longer than %u MB", REPORT_READ_MAX >> 20);
	else if (!*root && feof(r->in))
		err_set(e, ERR_USAGE, "it is cut off");
	else
		err_set(e, ERR_USAGE, "not a JSON object");
	json_decref(*root);
	return at_document(r, e);
}

/* 1: a report, 0: to be passed over, -1: *e. */
static int take_schema(struct report_reader *r, const json_t *root, struct err *e)
{
	static const char *const others[] = {"smtpblame.summary/", "smtpblame.comparison/",
					     "smtpblame.error/"};
	const json_t *value = json_object_get(root, "schema");
	const char *schema = json_string_value(value);
	struct arena scratch = {0};
	int result = -1;

	if (!schema) {
		err_set(e, ERR_USAGE, "no report of smtpblame");
		return at_document(r, e);
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strncmp(schema, others[i], strlen(others[i])) == 0) {
			r->failed += i == 2;
			result = 0;
		}
	if (strcmp(schema, SCHEMA SCHEMA_OWN) == 0)
		result = 1;
	if (result < 0) {
		err_set(e, ERR_USAGE,
			"%s: this version compares " SCHEMA SCHEMA_OWN
			", as check --json prints it",
			text_clean(&scratch, schema, json_string_length(value), SHOWN_MAX));
		arena_clear(&scratch);
		return at_document(r, e);
	}
	return result;
}

int report_read(struct report_reader *r, struct report **out, struct err *e)
{
	json_t *root = NULL;
	int found;

	do {
		json_decref(root);
		root = NULL;
		found = next_document(r, &root, e);
		if (found <= 0)
			return found;
		found = take_schema(r, root, e);
	} while (found == 0);
	if (found > 0) {
		struct report *report = xcalloc(1, sizeof(*report));
		struct doc d = {.arena = &report->arena};
		read_root(&d, root, report);
		if (d.what) {
			err_set(e, ERR_USAGE, "%s: %s", d.key, d.what);
			found = at_document(r, e);
			report_free(report);
		} else {
			*out = report;
		}
	}
	json_decref(root);
	return found;
}
