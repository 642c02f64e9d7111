/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "case/saved.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "case/codec.h"

#define SCHEMA       "smtpblame.case/"
#define SCHEMA_OWN   "1"
#define LINE_MAX     (1u << 20)
#define FACTS_MAX    50000
#define TIME_MAX     (INT64_MAX / 2) /* the year 2116: differences of times fit, too */
#define LINKTYPE_SLL2 276
#define SHOWN_MAX    60              /* bytes of what is wrong, in a message */

void saved_case_init(struct saved_case *c)
{
	*c = (struct saved_case){0};
	event_log_init(&c->log);
	c->frames.link_type = LINKTYPE_SLL2; /* as the tap's */
}

void saved_case_clear(struct saved_case *c)
{
	if (c->has_banner)
		regfree(&c->banner);
	c->has_banner = false;
	event_log_clear(&c->log);
	frame_log_clear(&c->frames);
}

/* ---- writing ---- */

/* Signatures that fit nothing that was seen decide nothing. */
struct search {
	const struct signatures *all;
	bool *used;
};

static const char *mark_used(void *arg, const struct field *f, const char *s)
{
	struct search *search = arg;

	(void)f;
	for (size_t i = 0; i < search->all->n; i++) {
		const struct signatures one = {&search->all->list[i], 1};
		search->used[i] |= signature_find(&one, one.list->kind, s) != NULL;
	}
	return s;
}

static bool *find_used(const struct saved_case *c)
{
	struct search search = {&c->plan.signatures,
				xcalloc(c->plan.signatures.n + 1, sizeof(bool))};

	for (size_t i = 0; i < c->log.n; i++) {
		const struct fact_kind *kind = fact_kind_of(&c->log.events[i]);
		if (kind)
			fields_each_string(kind->fields, fact_data(kind, &c->log.events[i]),
					   mark_used, &search, NULL);
	}
	return search.used;
}

/* Takes the object. -1: no memory, or out can't be written. */
static int write_line(json_t *line, FILE *out)
{
	int failed = !line || json_dumpf(line, out, JSON_COMPACT | JSON_ENSURE_ASCII) != 0 ||
		     fputc('\n', out) == EOF;

	json_decref(line);
	return failed ? -1 : 0;
}

/* Takes the object, too. */
static int write_struct(json_t *line, const struct fields *f, const void *data, FILE *out)
{
	if (line && codec_encode(line, f, data) == 0)
		return write_line(line, out);
	json_decref(line);
	return -1;
}

static int write_header(const struct saved_case *c, const char *tool_version, size_t n_facts,
			FILE *out)
{
	json_t *line = json_pack("{s:s, s:{s:s, s:s}, s:s, s:I, s:I}", "schema", SCHEMA SCHEMA_OWN,
				 "tool", "name", "smtpblame", "version", tool_version, "verb",
				 c->inspect ? "inspect" : "check", "packets",
				 (json_int_t)c->frames.n, "facts", (json_int_t)n_facts);

	if (line && c->redacted && json_object_set_new(line, "redacted", json_true()) != 0) {
		json_decref(line);
		return -1;
	}
	return write_line(line, out);
}

static int write_event(struct event *ev, FILE *out)
{
	const struct fact_kind *kind = fact_kind_of(ev);

	if (!kind)
		return 0;
	json_t *line = json_pack("{s:I, s:s}", "t_ns", (json_int_t)ev->t_ns, "fact", kind->name);
	if (line && ev->flow != NO_FLOW &&
	    json_object_set_new(line, "flow", json_integer(ev->flow)) != 0) {
		json_decref(line);
		return -1;
	}
	return write_struct(line, kind->fields, fact_data(kind, ev), out);
}

static int write_facts(const struct saved_case *c, const char *tool_version, const bool *used,
		       FILE *out)
{
	size_t n = 1; /* the plan */

	for (size_t i = 0; i < c->plan.signatures.n; i++)
		n += used[i];
	for (size_t i = 0; i < c->log.n; i++)
		n += c->log.events[i].kind != EV_PACKET;
	if (write_header(c, tool_version, n, out) != 0 ||
	    write_struct(json_pack("{s:s}", "fact", "plan"), model_plan, &c->plan, out) != 0)
		return -1;
	for (size_t i = 0; i < c->plan.signatures.n; i++)
		if (used[i] && write_struct(json_pack("{s:s}", "fact", "signature"),
					    model_signature, &c->plan.signatures.list[i], out) != 0)
			return -1;
	for (size_t i = 0; i < c->log.n; i++)
		if (write_event(&c->log.events[i], out) != 0)
			return -1;
	return 0;
}

int saved_case_write_facts(const struct saved_case *c, const char *tool_version, FILE *out,
			   struct err *e)
{
	bool *used = find_used(c);
	int failed = write_facts(c, tool_version, used, out) != 0 || fflush(out) != 0;

	free(used);
	return failed ? err_set(e, ERR_RUN, "%s: %s", CASE_FACTS, strerror(errno)) : 0;
}

/* ---- reading ---- */

struct reader {
	struct saved_case *c;
	struct arena *arena;
	FILE *in;
	const char *path;
	char *buffer; /* LINE_MAX bytes and a NUL */
	unsigned line;
	bool has_plan;
	struct signature *signatures;
	size_t n_signatures;
	size_t n_facts;
};

static int at_line(const struct reader *r, struct err *e)
{
	char place[sizeof(e->text)];

	snprintf(place, sizeof(place), "%.300s:%u", r->path, r->line);
	return err_prefix(e, place);
}

static int bad_line(const struct reader *r, struct err *e, const char *what)
{
	err_set(e, ERR_USAGE, "%s", what);
	return at_line(r, e);
}

/* 1: *line, 0: there is none left, -1: *e. */
static int next_line(struct reader *r, json_t **line, struct err *e)
{
	json_error_t ignored;

	errno = 0;
	if (!fgets(r->buffer, LINE_MAX + 1, r->in))
		return ferror(r->in) ? err_set(e, ERR_USAGE, "%s: %s", r->path, strerror(errno)) : 0;
	r->line++;
	size_t len = strlen(r->buffer);
	if (len == LINE_MAX)
		return bad_line(r, e, "longer than 1 MB");
	if (len == 0 || r->buffer[len - 1] != '\n')
		return bad_line(r, e, "the line is cut off, or holds a NUL");
	*line = json_loadb(r->buffer, len, JSON_REJECT_DUPLICATES, &ignored);
	if (json_is_object(*line))
		return 1;
	json_decref(*line);
	return bad_line(r, e, "not a JSON object");
}

static const char *shown(const struct reader *r, const char *s)
{
	return s ? text_clean(r->arena, s, strlen(s), SHOWN_MAX) : "";
}

static int take_header(struct reader *r, const json_t *line, struct err *e)
{
	static const char *const verbs[] = {"check", "inspect"};
	const char *schema = json_string_value(json_object_get(line, "schema"));
	const char *verb = json_string_value(json_object_get(line, "verb"));
	const json_t *packets = json_object_get(line, "packets"),
		     *facts = json_object_get(line, "facts");

	if (!schema || strncmp(schema, SCHEMA, strlen(SCHEMA)) != 0)
		return bad_line(r, e, "no saved case of smtpblame");
	if (strcmp(schema, SCHEMA SCHEMA_OWN) != 0) {
		const json_t *tool = json_object_get(line, "tool");
		err_set(e, ERR_USAGE, "saved as %s, by version %s; this version reads " SCHEMA SCHEMA_OWN,
			shown(r, schema),
			shown(r, json_string_value(json_object_get(tool, "version"))));
		return at_line(r, e);
	}
	if (!verb || (strcmp(verb, verbs[0]) != 0 && strcmp(verb, verbs[1]) != 0))
		return bad_line(r, e, "verb: neither check nor inspect");
	if (!json_is_integer(packets) || json_integer_value(packets) < 0 ||
	    json_integer_value(packets) > EVENT_LOG_MAX)
		return bad_line(r, e, "packets: not a number in its range");
	if (!json_is_integer(facts) || json_integer_value(facts) < 1 ||
	    json_integer_value(facts) > FACTS_MAX)
		return bad_line(r, e, "facts: not a number in its range");
	r->c->inspect = strcmp(verb, verbs[1]) == 0;
	r->c->redacted = json_is_true(json_object_get(line, "redacted"));
	r->c->n_packets = (uint64_t)json_integer_value(packets);
	r->n_facts = (size_t)json_integer_value(facts);
	return 0;
}

/* What every part of the core takes for granted. */
static const char *why_no_plan(const struct plan *plan)
{
	if (!addr_is_set(&plan->target))
		return "target: missing";
	if (!plan->n_ports || !plan->ports[0].tested)
		return "ports: the first one is not tested";
	for (unsigned i = 0; i < plan->n_ports; i++) {
		if (!plan->ports[i].port)
			return "ports: one has no number";
		if (i && plan->ports[i].tested && !plan->ports[i - 1].tested)
			return "ports: a control stands before a tested one";
		for (unsigned k = 0; k < i; k++)
			if (plan->ports[k].port == plan->ports[i].port)
				return "ports: one is there twice";
	}
	if (plan->max_hops > PLAN_MAX_HOPS)
		return "max_hops: too large";
	return NULL;
}

static const char *compile_banner(struct saved_case *c)
{
	if (plan_banner_too_costly(c->plan.expect_banner) ||
	    regcomp(&c->banner, c->plan.expect_banner, PLAN_BANNER_REGEX) != 0)
		return "expect_banner: no regular expression, or one that costs too much";
	c->has_banner = true;
	c->plan.expect_banner_regex = &c->banner;
	return NULL;
}

static int take_plan(struct reader *r, const json_t *line, struct err *e)
{
	static const char *const others[] = {"fact", NULL};
	struct plan *plan = &r->c->plan;

	if (r->has_plan)
		return err_set(e, ERR_USAGE, "a second plan");
	r->has_plan = true;
	if (codec_decode(line, model_plan, others, plan, r->arena, e) != 0)
		return -1;
	fields_clean(model_plan, plan, r->arena);
	const char *why = why_no_plan(plan);
	if (!why && plan->expect_banner)
		why = compile_banner(r->c);
	return why ? err_set(e, ERR_USAGE, "%s", why) : 0;
}

static int take_signature(struct reader *r, const json_t *line, struct err *e)
{
	static const char *const others[] = {"fact", NULL};
	struct signature *s = &r->signatures[r->n_signatures];

	if (codec_decode(line, model_signature, others, s, r->arena, e) != 0)
		return -1;
	fields_clean(model_signature, s, r->arena);
	r->n_signatures++;
	return 0;
}

static const struct fact_kind *kind_by_name(const char *name)
{
	for (unsigned i = 0; i < n_fact_kinds; i++)
		if (strcmp(fact_kinds[i].name, name) == 0)
			return &fact_kinds[i];
	return NULL;
}

static int take_event(struct reader *r, const json_t *line, const struct fact_kind *kind,
		      struct err *e)
{
	static const char *const others[] = {"t_ns", "fact", "flow", NULL};
	const json_t *t = json_object_get(line, "t_ns"), *flow = json_object_get(line, "flow");
	struct event ev;

	if (!json_is_integer(t) || json_integer_value(t) < 0 || json_integer_value(t) > TIME_MAX)
		return err_set(e, ERR_USAGE, "t_ns: not a time in its range");
	if (flow && (!json_is_integer(flow) || json_integer_value(flow) < 0 ||
		     json_integer_value(flow) >= NO_FLOW))
		return err_set(e, ERR_USAGE, "flow: not a number in its range");
	memset(&ev, 0, sizeof(ev)); /* its longest member, too */
	ev.kind = kind->event;
	ev.t_ns = json_integer_value(t);
	ev.flow = flow ? (uint16_t)json_integer_value(flow) : NO_FLOW;
	if (kind->size)
		*(void **)(void *)((char *)&ev + kind->offset) = arena_alloc(r->arena, kind->size);
	if (ev.kind == EV_HOST) {
		ev.host->kind = kind->record;
		ev.host->t_ns = ev.t_ns;
	}
	if (codec_decode(line, kind->fields, others, fact_data(kind, &ev), r->arena, e) != 0)
		return -1;
	event_log_add(&r->c->log, &ev);
	return 0;
}

static int take_fact(struct reader *r, const json_t *line, struct err *e)
{
	const char *name = json_string_value(json_object_get(line, "fact"));
	const struct fact_kind *kind = name ? kind_by_name(name) : NULL;
	int failed;

	if (!name)
		return bad_line(r, e, "fact: missing");
	if (strcmp(name, "plan") == 0)
		failed = take_plan(r, line, e);
	else if (strcmp(name, "signature") == 0)
		failed = take_signature(r, line, e);
	else if (kind)
		failed = take_event(r, line, kind, e);
	else
		failed = err_set(e, ERR_USAGE, "this version knows no such fact");
	if (!failed)
		return 0;
	err_prefix(e, shown(r, name));
	return at_line(r, e);
}

static int read_lines(struct reader *r, struct err *e)
{
	json_t *line;
	int n = next_line(r, &line, e), failed;

	if (n <= 0)
		return n ? -1 : err_set(e, ERR_USAGE, "%s: empty", r->path);
	failed = take_header(r, line, e);
	json_decref(line);
	if (failed)
		return -1;
	r->signatures = arena_alloc(r->arena, r->n_facts * sizeof(*r->signatures));
	for (size_t i = 0; i < r->n_facts; i++) {
		n = next_line(r, &line, e);
		if (n <= 0)
			return n ? -1 : bad_line(r, e, "ends before the facts that its first line announces");
		failed = take_fact(r, line, e);
		json_decref(line);
		if (failed)
			return -1;
	}
	n = next_line(r, &line, e);
	if (n < 0)
		return -1;
	if (n > 0) {
		json_decref(line);
		return bad_line(r, e, "more facts than its first line announces");
	}
	return r->has_plan ? 0 : bad_line(r, e, "no plan in the file");
}

int saved_case_read_facts(struct saved_case *out, FILE *in, const char *path, struct err *e)
{
	struct reader r = {.c = out, .arena = &out->log.arena, .in = in, .path = path};

	r.buffer = xcalloc(1, LINE_MAX + 1);
	int failed = read_lines(&r, e);
	free(r.buffer);
	out->plan.signatures = (struct signatures){r.signatures, r.n_signatures};
	return failed;
}
