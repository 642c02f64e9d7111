/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/overview.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/text.h"
#include "report/pen.h"
#include "report/phrase.h"
#include "report/text_page.h"

#define PORTS_MAX  32
#define PLACES_MAX 128 /* told apart; further ones are counted together */
#define PLACES_TOLD 10
#define NUMBER_MAX 32

struct port_counts {
	unsigned port;
	unsigned states[STATE_COUNT];
};

struct port_hits {
	unsigned port, targets;
	const struct report *last; /* counted last; for comparison only */
};

/* Where targets stop. */
struct place_count {
	enum place place;
	struct addr address; /* of the router; ADDR_NONE: none is known, or each target's own */
	unsigned ttl;        /* of that, 0 none */
	/* it is one of these, or stands between them: of the first target; one_range: of all of them. Not for
	 * a device that is known exactly. */
	struct hop_end from, to;
	bool range, one_range;
	const char *text;    /* PLACE_HOST: the rule, in the host's words */
	const char *words;   /* "your provider" */
	unsigned targets;
	const struct report *last; /* counted last; for comparison only */
	struct port_hits ports[PORTS_MAX];
	unsigned n_ports;
	bool mechanisms[MECH_COUNT];
	double least, most; /* confidence */
};

struct overview {
	struct arena arena;
	unsigned n_reports, n_failed;
	unsigned n_silent; /* unreachable on every port, and nothing shows where */
	struct port_counts ports[PORTS_MAX];
	unsigned n_ports;
	struct place_count *places;
	unsigned n_places, places_size, n_elsewhere;
};

struct overview *overview_new(void)
{
	return xcalloc(1, sizeof(struct overview));
}

void overview_free(struct overview *o)
{
	if (!o)
		return;
	free(o->places);
	arena_clear(&o->arena);
	free(o);
}

/* ---- counting ---- */

static void count_state(struct overview *o, const struct report_port *p)
{
	unsigned i = 0;

	while (i < o->n_ports && o->ports[i].port != p->port)
		i++;
	if (i == PORTS_MAX)
		return;
	if (i == o->n_ports)
		o->ports[o->n_ports++].port = p->port;
	o->ports[i].states[p->state]++;
}

static bool is_router(enum place place)
{
	return place == PLACE_GATEWAY || place == PLACE_ISP || place == PLACE_TRANSIT;
}

static struct place_count key_of(const struct finding *f)
{
	struct place_count key = {.place = f->place};

	if (f->place == PLACE_HOST)
		key.text = f->culprit.text;
	else if (is_router(f->place) && (f->culprit.kind == CULPRIT_HOP ||
					 f->culprit.kind == CULPRIT_MIDDLEBOX)) {
		key.address = f->culprit.address;
		key.ttl = f->culprit.ttl;
		key.range = key.one_range = f->has_hop && f->hop_from.ttl > 0 && f->hop_from.ttl < f->hop_to.ttl;
		key.from = f->hop_from;
		key.to = f->hop_to;
	}
	return key;
}

static struct place_count *place_of(struct overview *o, const struct report *r,
				    const struct finding *f)
{
	struct place_count key = key_of(f);

	for (unsigned i = 0; i < o->n_places; i++) {
		struct place_count *p = &o->places[i];
		if (p->place != key.place || !addr_equal(&p->address, &key.address) ||
		    (key.place == PLACE_HOST && !same_text(p->text, key.text)))
			continue;
		p->one_range &= key.range && addr_equal(&p->from.address, &key.from.address) &&
				addr_equal(&p->to.address, &key.to.address);
		p->range &= key.range; /* one that shows it exactly tells for all */
		return p;
	}
	if (o->n_places == PLACES_MAX)
		return NULL;
	o->places = array_grow(o->places, o->n_places, &o->places_size, sizeof(*o->places));
	key.text = arena_strdup(&o->arena, key.text);
	key.words = phrase_place(&o->arena, &r->vantage, f->place);
	if (f->place == PLACE_GATEWAY && addr_is_set(&key.address))
		key.words = "your gateway";
	key.least = 1;
	o->places[o->n_places] = key;
	return &o->places[o->n_places++];
}

static void add_port(struct place_count *p, const struct report *r, unsigned port)
{
	unsigned i = 0;

	while (i < p->n_ports && p->ports[i].port != port)
		i++;
	if (i == PORTS_MAX)
		return;
	if (i == p->n_ports)
		p->ports[p->n_ports++] = (struct port_hits){.port = port};
	p->ports[i].targets += p->ports[i].last != r;
	p->ports[i].last = r;
}

/* Of several findings each has its place: two blocks behind each other are two. */
static bool count_place(struct overview *o, const struct report *r, const struct report_port *port,
			const struct finding *f)
{
	bool stops = port->state == STATE_BLOCKED || port->state == STATE_INTERCEPTED ||
		     port->state == STATE_UNREACHABLE;

	if (!stops || f->place == PLACE_UNKNOWN)
		return false;
	struct place_count *p = place_of(o, r, f);
	if (!p) {
		o->n_elsewhere++;
		return true;
	}
	p->targets += p->last != r;
	p->last = r;
	add_port(p, r, port->port);
	p->mechanisms[f->mechanism] = true;
	p->least = f->confidence < p->least ? f->confidence : p->least;
	p->most = f->confidence > p->most ? f->confidence : p->most;
	return true;
}

static bool is_silent(const struct report *r)
{
	for (unsigned i = 0; i < r->n_ports; i++) {
		const struct report_port *p = &r->ports[i];
		if (p->state != STATE_UNREACHABLE || !p->n_findings || p->findings[0].place != PLACE_UNKNOWN ||
		    p->findings[0].mechanism != MECH_SILENT_DROP)
			return false;
	}
	return r->n_ports > 0;
}

void overview_add(struct overview *o, const struct report *r)
{
	bool stopped = false;

	o->n_reports++;
	o->n_silent += is_silent(r);
	for (unsigned i = 0; i < r->n_ports; i++) {
		count_state(o, &r->ports[i]);
		for (unsigned k = 0; k < r->ports[i].n_findings; k++)
			stopped |= count_place(o, r, &r->ports[i], &r->ports[i].findings[k]);
	}
	/* the next report may come to lie where this one did */
	for (unsigned i = 0; stopped && i < o->n_places; i++) {
		o->places[i].last = NULL;
		for (unsigned k = 0; k < o->places[i].n_ports; k++)
			o->places[i].ports[k].last = NULL;
	}
}

void overview_add_failed(struct overview *o)
{
	o->n_failed++;
}

static int by_targets(const void *left, const void *right)
{
	const struct place_count *a = left, *b = right;

	if (a->targets != b->targets)
		return a->targets > b->targets ? -1 : 1;
	if (a->place != b->place)
		return (int)a->place - (int)b->place;
	return memcmp(a->address.bytes, b->address.bytes, sizeof(a->address.bytes));
}

/* Those of most targets first. */
static struct place_count *sorted(const struct overview *o, struct arena *a)
{
	struct place_count *places = arena_alloc(a, (o->n_places + 1) * sizeof(*places));

	for (unsigned i = 0; i < o->n_places; i++)
		places[i] = o->places[i];
	if (o->n_places)
		qsort(places, o->n_places, sizeof(*places), by_targets);
	return places;
}

/* ---- words ---- */

/* "9,998" */
static const char *number(struct arena *a, unsigned n)
{
	char digits[NUMBER_MAX], out[NUMBER_MAX];
	int len = snprintf(digits, sizeof(digits), "%u", n), at = 0;

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			out[at++] = ',';
		out[at++] = digits[i];
	}
	return arena_strndup(a, out, (size_t)at);
}

static const char *where(struct arena *a, const struct place_count *p)
{
	char text[ADDR_TEXT_MAX];

	if (p->place == PLACE_HOST)
		return arena_printf(a, "this machine%s%s", p->text ? ": " : "", p->text ? p->text : "");
	if (!addr_is_set(&p->address))
		return p->words;
	if (p->one_range && addr_is_set(&p->from.address) && addr_is_set(&p->to.address)) {
		char to[ADDR_TEXT_MAX];
		return arena_printf(a, "between %s and %s, %s", addr_text(&p->from.address, text),
				    addr_text(&p->to.address, to), p->words);
	}
	if (p->range)
		return arena_printf(a, "at or next to %s, %s", addr_text(&p->address, text), p->words);
	return arena_printf(a, "%s, %s", addr_text(&p->address, text), p->words);
}

static const char *sentence(struct arena *a, const struct overview *o, const struct place_count *p)
{
	bool own = p->place == PLACE_DESTINATION || p->place == PLACE_DESTINATION_NETWORK;
	const char *of = arena_printf(a, "%s of %s target%s stop%s", number(a, p->targets),
				      number(a, o->n_reports), o->n_reports == 1 ? "" : "s",
				      p->targets == 1 ? "s" : "");

	if (own)
		return arena_printf(a, "%s at %s", of, p->place == PLACE_DESTINATION
							       ? "the destination itself"
							       : "the destination's own network");
	if (p->targets == 1)
		return arena_printf(a, "%s %s%s", of, p->range && addr_is_set(&p->address) ? "" : "at ", where(a, p));
	if (p->place != PLACE_HOST && !addr_is_set(&p->address))
		return arena_printf(a, "%s in %s, at a hop that is not known exactly", of, p->words);
	return arena_printf(a, "%s at the same place: %s", of, where(a, p));
}

/* "ports 25, 587"; where not all of them stop on each: "port 25 of 9 targets, 587 of 3". */
static const char *port_list(struct arena *a, const struct place_count *p)
{
	bool alike = true;
	const char *out;

	for (unsigned i = 0; i < p->n_ports; i++)
		alike &= p->ports[i].targets == p->targets;
	out = p->n_ports == 1 || !alike ? "port " : "ports ";
	for (unsigned i = 0; i < p->n_ports; i++) {
		out = arena_printf(a, "%s%s%u", out, i ? ", " : "", p->ports[i].port);
		if (!alike)
			out = arena_printf(a, "%s of %s%s", out, number(a, p->ports[i].targets),
					   i ? "" : p->ports[i].targets == 1 ? " target" : " targets");
	}
	return out;
}

static const char *details(struct arena *a, const struct place_count *p)
{
	const char *out = port_list(a, p), *before = ": ";

	for (int i = 0; i < MECH_COUNT; i++)
		if (p->mechanisms[i]) {
			out = arena_printf(a, "%s%s%s", out, before,
					   phrase_mechanism((enum mechanism)i));
			before = ", ";
		}
	const char *least = phrase_percent(a, p->least), *most = phrase_percent(a, p->most);
	return strcmp(least, most) == 0
		       ? arena_printf(a, "%s; %s sure", out, most)
		       : arena_printf(a, "%s; %s to %s sure", out, least, most);
}

/* Of those that answer nothing, "" for none. That nobody at all answers has one reason, and not here. */
static const char *silent(struct arena *a, const struct overview *o)
{
	if (!o->n_silent)
		return "";
	if (o->n_silent == o->n_reports && o->n_reports > 1)
		return arena_printf(a,
				    "None of the %s targets answers on any of its ports: that is hardly theirs. Look "
				    "first at this machine's way out, and at its gateway",
				    number(a, o->n_reports));
	bool one = o->n_silent == 1;
	return arena_printf(a,
			    "%s of %s target%s %s not answer at all, on whatever port was tried: %s down, or cut off, "
			    "and nothing shows where",
			    number(a, o->n_silent), number(a, o->n_reports), o->n_reports == 1 ? "" : "s",
			    one ? "does" : "do", one ? "it is" : "they are");
}

/* The first line of the summary, and its whole where nothing is stopped. */
static const char *headline(struct arena *a, const struct overview *o,
			    const struct overview_end *end)
{
	double seconds = end->elapsed_ms / 1000;
	const char *out = arena_printf(a, "%s target%s judged in %.1f s", number(a, o->n_reports),
				       o->n_reports == 1 ? "" : "s", seconds);

	if (seconds > 0 && o->n_reports > 1)
		out = arena_printf(a, "%s, %.0f a second", out, o->n_reports / seconds);
	if (o->n_failed)
		out = arena_printf(a, "%s; %s could not be judged", out, number(a, o->n_failed));
	if (end->interrupted)
		out = arena_printf(a, "%s; interrupted, %s not begun", out, number(a, end->left));
	return out;
}

/* ---- text ---- */

static void print_states(struct pen *pen, struct arena *a, const struct port_counts *p)
{
	const char *before = "";

	pen_start(pen, p->port < 10 ? 5 : p->port < 100 ? 4 : p->port < 1000 ? 3 : 2, 9);
	pen_text(pen, STYLE_PLAIN, "%u", p->port);
	pen_column(pen, 9);
	for (int i = 0; i < STATE_COUNT; i++) {
		if (!p->states[i])
			continue;
		pen_text(pen, STYLE_PLAIN, "%s%s ", before, number(a, p->states[i]));
		pen_text(pen, page_state_style((enum state)i), "%s", state_name((enum state)i));
		before = ", ";
	}
	pen_end(pen);
}

int overview_text(const struct overview *o, const struct overview_end *end,
		  const struct text_options *opt, FILE *out)
{
	struct arena scratch = {0};
	struct pen pen = {.out = out, .scratch = &scratch, .colour = opt->colour, .width = opt->width};
	const struct place_count *places = sorted(o, &scratch);

	pen_blank(&pen);
	pen_paragraph(&pen, 0, STYLE_BOLD, headline(&scratch, o, end));
	for (unsigned i = 0; i < o->n_ports; i++)
		print_states(&pen, &scratch, &o->ports[i]);
	for (unsigned i = 0; i < o->n_places && i < PLACES_TOLD; i++) {
		if (i == 0)
			pen_blank(&pen);
		pen_paragraph(&pen, 0, STYLE_PLAIN,
			      arena_printf(&scratch, "%s.", sentence(&scratch, o, &places[i])));
		pen_paragraph(&pen, 2, STYLE_PLAIN, details(&scratch, &places[i]));
	}
	if (o->n_silent) {
		if (!o->n_places)
			pen_blank(&pen);
		pen_paragraph(&pen, 0, STYLE_PLAIN, arena_printf(&scratch, "%s.", silent(&scratch, o)));
	}
	if (o->n_silent == o->n_reports && o->n_reports > 1) {
		pen_code(&pen, PEN_CODE_INDENT, "ip route");
		pen_code(&pen, PEN_CODE_INDENT, "ip neigh");
	}
	if (o->n_places > PLACES_TOLD || o->n_elsewhere)
		pen_paragraph(&pen, 0, STYLE_PLAIN,
			      "Others stop elsewhere: their lines above say where.");
	int failed = fflush(out) != 0 || ferror(out);
	arena_clear(&scratch);
	return failed ? -1 : 0;
}

/* ---- JSON ---- */

static json_t *text(struct arena *a, const char *s)
{
	return json_string(text_clean(a, s, strlen(s), strlen(s)));
}

static json_t *states_of(const struct port_counts *p)
{
	json_t *o = json_object();

	for (int i = 0; i < STATE_COUNT; i++)
		json_object_set_new(o, state_name((enum state)i), json_integer(p->states[i]));
	return o;
}

static json_t *place_object(struct arena *a, const struct overview *o, const struct place_count *p)
{
	json_t *one = json_object(), *ports = json_array(), *mechanisms = json_array();
	char address[ADDR_TEXT_MAX];

	for (unsigned i = 0; i < p->n_ports; i++)
		json_array_append_new(ports, json_integer(p->ports[i].port));
	for (int i = 0; i < MECH_COUNT; i++)
		if (p->mechanisms[i])
			json_array_append_new(mechanisms, json_string(mechanism_name((enum mechanism)i)));
	json_object_set_new(one, "targets", json_integer(p->targets));
	json_object_set_new(one, "place", json_string(place_name(p->place)));
	json_object_set_new(one, "address",
			    addr_is_set(&p->address) ? json_string(addr_text(&p->address, address))
						     : json_null());
	json_object_set_new(one, "ttl", p->ttl ? json_integer(p->ttl) : json_null());
	json_object_set_new(one, "text", p->text ? text(a, p->text) : json_null());
	json_object_set_new(one, "ports", ports);
	json_object_set_new(one, "mechanisms", mechanisms);
	json_object_set_new(one, "confidence_min", json_real(p->least));
	json_object_set_new(one, "confidence_max", json_real(p->most));
	json_object_set_new(one, "summary", text(a, sentence(a, o, p)));
	return one;
}

int overview_json(const struct overview *o, const struct overview_end *end, FILE *out)
{
	struct arena a = {0};
	const struct place_count *places = sorted(o, &a);
	json_t *root = json_object(), *ports = json_array(), *common = json_array();
	json_t *tool = json_object();

	for (unsigned i = 0; i < o->n_ports; i++) {
		json_t *one = json_object();
		json_object_set_new(one, "port", json_integer(o->ports[i].port));
		json_object_set_new(one, "states", states_of(&o->ports[i]));
		json_array_append_new(ports, one);
	}
	for (unsigned i = 0; i < o->n_places; i++)
		json_array_append_new(common, place_object(&a, o, &places[i]));
	json_object_set_new(tool, "name", json_string("smtpblame"));
	json_object_set_new(tool, "version", json_string(end->tool_version));
	json_object_set_new(root, "schema", json_string("smtpblame.summary/1"));
	json_object_set_new(root, "tool", tool);
	json_object_set_new(root, "targets", json_integer(o->n_reports));
	json_object_set_new(root, "failed", json_integer(o->n_failed));
	json_object_set_new(root, "interrupted", json_boolean(end->interrupted));
	json_object_set_new(root, "not_begun", json_integer(end->left));
	json_object_set_new(root, "elapsed_ms", json_real(end->elapsed_ms));
	json_object_set_new(root, "ports", ports);
	json_object_set_new(root, "places", common);
	json_object_set_new(root, "summary",
			    text(&a, o->n_places ? sentence(&a, o, &places[0])
				     : o->n_silent ? silent(&a, o) : headline(&a, o, end)));
	int failed = json_dumpf(root, out, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(7)) ||
		     fputc('\n', out) == EOF || fflush(out) != 0;
	json_decref(root);
	arena_clear(&a);
	return failed ? -1 : 0;
}

/* ---- one line ---- */

static const char *fate(struct arena *a, const struct report *r, const struct report_port *p)
{
	const struct finding *f = p->n_findings ? &p->findings[0] : NULL;

	if (p->state == STATE_OPEN || !f)
		return "";
	if (f->place == PLACE_UNKNOWN)
		return p->state == STATE_INCONCLUSIVE ? "" : ": place not known";
	const char *hops = phrase_hops(a, f, false), *who = phrase_culprit_brief(a, &f->culprit);
	const char *more = f->place == PLACE_HOST || f->culprit.kind == CULPRIT_SERVER ? who : hops;
	const struct candidate *second = phrase_second(f);
	if (second)
		return arena_printf(a, ": %s (%s) or %s (%s)%s%s", phrase_place(a, &r->vantage, f->place),
				    phrase_percent(a, f->confidence), phrase_place(a, &r->vantage, second->place),
				    phrase_percent(a, second->confidence), more ? ", " : "", more ? more : "");
	return arena_printf(a, ": %s%s%s (%s)", phrase_place(a, &r->vantage, f->place),
			    more ? ", " : "", more ? more : "", phrase_percent(a, f->confidence));
}

int render_row(const struct report *r, const struct text_options *opt, FILE *out)
{
	struct arena a = {0};
	struct pen pen = {.out = out, .scratch = &a, .colour = opt->colour, .width = opt->width};
	bool told[PORTS_MAX] = {false};
	const char *before = "";

	pen_start(&pen, 0, 4);
	pen_text(&pen, STYLE_PLAIN, "%s  ", phrase_target_and_way(&a, r));
	for (unsigned i = 0; i < r->n_ports && i < PORTS_MAX; i++) {
		const struct report_port *p = &r->ports[i];
		const char *own = fate(&a, r, p), *ports = "";
		for (unsigned k = i; k < r->n_ports && k < PORTS_MAX; k++) {
			if (told[k] || r->ports[k].state != p->state ||
			    strcmp(fate(&a, r, &r->ports[k]), own) != 0)
				continue;
			told[k] = true;
			ports = arena_printf(&a, "%s%s%u", ports, *ports ? ", " : "", r->ports[k].port);
		}
		if (!*ports)
			continue;
		pen_text(&pen, STYLE_PLAIN, "%s%s ", before, ports);
		pen_text(&pen, page_state_style(p->state), "%s", phrase_state(r, p));
		pen_text(&pen, STYLE_PLAIN, "%s", own);
		before = "; ";
	}
	pen_end(&pen);
	arena_clear(&a);
	return ferror(out) ? -1 : 0;
}
