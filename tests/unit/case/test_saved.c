/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "case/saved.h"
#include "model/fields.h"

#define T0 INT64_C(1769860800123456789)

/* ---- a case with something in every member ---- */

/* What may come from a network, a kernel or a name service; all but the first three are not clean. */
static const char *const texts[] = {
	"plain", "", "\xc3\xbc\\n \"quoted\" {\"a\":1}", "\xff\xfe", "cut \xe2\x82", "\x1b[31m", "a\tb\r\nc",
	"\xe2\x80\xae", "\xed\xa0\x80", "\x7f",
};
#define N_TEXTS (sizeof(texts) / sizeof(texts[0]))

static uint64_t next_number(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *state >> 11 ^ *state << 21;
}

static const char *next_text(uint64_t *state)
{
	return texts[next_number(state) % N_TEXTS];
}

static void fill(const struct fields *fields, char *data, uint64_t *state, struct arena *a);

static void fill_field(const struct field *f, char *data, uint64_t *state, struct arena *a)
{
	char *at = data + f->offset;
	uint64_t n = next_number(state);
	const char **list;

	switch (f->type) {
	case FIELD_BOOL: *(bool *)at = n & 1; break;
	case FIELD_UINT:
	case FIELD_INT:
		if (n % 4 == 0)
			n = n % 8 ? UINT64_MAX : UINT64_C(1) << 63;
		memcpy(at, &n, f->size); /* least significant byte first, or it is random anyway */
		break;
	case FIELD_ERRNO: *(int *)(void *)at = (int)(n % 200); break;
	case FIELD_ENUM: *(unsigned *)(void *)at = (unsigned)(n % f->words->n); break;
	case FIELD_STRING:
		if (f->required || n % 4)
			*(const char **)(void *)at = next_text(state);
		break;
	case FIELD_STRINGS:
		if (n % 4 == 0)
			break;
		list = arena_alloc(a, 4 * sizeof(*list));
		for (unsigned i = 0; i < n % 3; i++)
			list[i] = next_text(state);
		*(const char *const **)(void *)at = list;
		break;
	case FIELD_CHARS: snprintf(at, f->size, "%s", next_text(state)); break;
	case FIELD_BYTES:
		for (size_t i = 0; i < f->size; i++)
			at[i] = (char)next_number(state);
		break;
	case FIELD_ADDR:
		if (n % 3 == 0)
			*(struct addr *)(void *)at = addr_v4(&n);
		else if (n % 3 == 1)
			*(struct addr *)(void *)at = (struct addr){
				.family = ADDR_V6, .bytes = {0xfe, 0x80, [15] = (uint8_t)n}, .scope = (uint32_t)n};
		break;
	case FIELD_ADDRS:
		for (size_t i = 0; i < n % (f->size / sizeof(struct addr) + 1); i++)
			((struct addr *)(void *)at)[i] = addr_v4(&n);
		break;
	case FIELD_STRUCT: fill(f->of, at, state, a); break;
	case FIELD_ARRAY:
		*field_count(f, data) = (unsigned)(n % (f->max + 1));
		for (unsigned i = 0; i < n % (f->max + 1); i++)
			fill(f->of, at + i * f->size, state, a);
		break;
	}
}

static void fill(const struct fields *fields, char *data, uint64_t *state, struct arena *a)
{
	for (unsigned i = 0; i < fields->n; i++)
		fill_field(&fields->list[i], data, state, a);
}

static void add_fact(struct event_log *log, const struct fact_kind *kind, uint64_t *state)
{
	struct event ev;

	memset(&ev, 0, sizeof(ev));
	ev.kind = kind->event;
	ev.t_ns = T0 + (int64_t)log->n;
	ev.flow = next_number(state) % 2 ? NO_FLOW : (uint16_t)(next_number(state) % NO_FLOW);
	if (kind->size)
		*(void **)(void *)((char *)&ev + kind->offset) = arena_alloc(&log->arena, kind->size);
	if (kind->event == EV_HOST) {
		ev.host->kind = kind->record;
		ev.host->t_ns = ev.t_ns;
	}
	fill(kind->fields, fact_data(kind, &ev), state, &log->arena);
	event_log_add(log, &ev);
}

static void make_plan(struct plan *plan)
{
	*plan = (struct plan){
		.input = "mx.example.net",
		.name = "mx.example.net",
		.hostname = "client",
		.auth_user = "somebody",
		.auth_secret = "correct horse",
		.n_ports = 2,
		.ports = {{.port = 25, .tested = true}, {.port = 443}},
		.timeout_ns = 8000000000,
		.max_hops = 30,
	};
	assert_true(addr_parse(&plan->target, "198.51.100.25"));
}

/* ---- comparing ---- */

static void assert_text(const char *name, const char *a, const char *b)
{
	if (!a != !b || (a && strcmp(a, b) != 0))
		fail_msg("%s: '%s' came back as '%s'", name, a ? a : "NULL", b ? b : "NULL");
	assert_true(!b || text_is_clean(b));
}

static void assert_texts(const char *name, const char *const *a, const char *const *b)
{
	assert_int_equal(!a, !b);
	for (size_t i = 0; a; i++) {
		assert_text(name, a[i], b[i]);
		if (!a[i])
			break;
	}
}

static void assert_same(const struct fields *fields, char *a, char *b)
{
	for (unsigned i = 0; i < fields->n; i++) {
		const struct field *f = &fields->list[i];
		char *x = a + f->offset, *y = b + f->offset;

		if (f->type == FIELD_STRING) {
			assert_text(f->name, *(const char **)(void *)x, *(const char **)(void *)y);
		} else if (f->type == FIELD_STRINGS) {
			assert_texts(f->name, *(const char *const **)(void *)x,
				     *(const char *const **)(void *)y);
		} else if (f->type == FIELD_CHARS) {
			assert_text(f->name, x, y);
		} else if (f->type == FIELD_STRUCT) {
			assert_same(f->of, x, y);
		} else if (f->type == FIELD_ARRAY) {
			assert_int_equal(*field_count(f, a), *field_count(f, b));
			for (unsigned k = 0; k < *field_count(f, a); k++)
				assert_same(f->of, x + k * f->size, y + k * f->size);
		} else if (memcmp(x, y, f->size) != 0) {
			fail_msg("%s is not the same", f->name);
		}
	}
}

static char *written(const struct saved_case *c)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	struct err e;

	assert_int_equal(saved_case_write_facts(c, "1.2.3", out, &e), 0);
	fclose(out);
	return text;
}

static int parsed(struct saved_case *c, const char *text, size_t len, struct err *e)
{
	FILE *in = fmemopen((void *)(uintptr_t)text, len, "r");

	saved_case_init(c);
	int rc = saved_case_read_facts(c, in, "DIR/facts.jsonl", e);
	fclose(in);
	return rc;
}

/* ---- tests ---- */

static void test_every_fact_comes_back(void **unused)
{
	struct saved_case c, back;
	uint64_t state = 1;
	struct err e;

	(void)unused;
	saved_case_init(&c);
	make_plan(&c.plan);
	for (unsigned round = 0; round < 50; round++)
		for (unsigned i = 0; i < n_fact_kinds; i++)
			add_fact(&c.log, &fact_kinds[i], &state);
	char *text = written(&c);
	if (parsed(&back, text, strlen(text), &e) != 0)
		fail_msg("%s", e.text);

	assert_int_equal(back.log.n, c.log.n);
	for (size_t i = 0; i < c.log.n; i++) {
		struct event *x = &c.log.events[i], *y = &back.log.events[i];
		const struct fact_kind *kind = fact_kind_of(x);
		assert_ptr_equal(kind, fact_kind_of(y));
		assert_int_equal(x->t_ns, y->t_ns);
		assert_int_equal(x->flow, y->flow);
		assert_same(kind->fields, fact_data(kind, x), fact_data(kind, y));
	}
	free(text);
	saved_case_clear(&c);
	saved_case_clear(&back);
}

static void test_plan_comes_back_without_the_password(void **unused)
{
	static const struct signature list[] = {
		{SIGNATURE_GREETING, "*never seen*", "other", true, "x"},
		{SIGNATURE_GREETING, "*horse*", "Horse Mail", true, "its manual"},
	};
	struct saved_case c, back;
	struct err e;

	(void)unused;
	saved_case_init(&c);
	make_plan(&c.plan);
	c.plan.signatures = (struct signatures){list, 2};
	struct event reply = {.t_ns = T0, .kind = EV_REPLY, .flow = 0};
	reply.reply = (struct ev_reply){.code = 220, .text = "a horse of mine"};
	event_log_add(&c.log, &reply);
	c.inspect = true;
	for (int i = 0; i < 7; i++)
		frame_log_add(&c.frames, T0, (const uint8_t *)"frame", 5, 100);
	char *text = written(&c);
	assert_null(strstr(text, "correct"));
	assert_int_equal(parsed(&back, text, strlen(text), &e), 0);

	assert_same(model_plan, (char *)&c.plan, (char *)&back.plan);
	assert_null(back.plan.auth_secret);
	assert_true(back.inspect);
	assert_false(back.redacted);
	assert_int_equal(back.n_packets, 7);
	/* only what fits something that was seen */
	assert_int_equal(back.plan.signatures.n, 1);
	assert_string_equal(back.plan.signatures.list[0].name, "Horse Mail");
	assert_true(back.plan.signatures.list[0].interceptor);
	free(text);
	saved_case_clear(&c);
	saved_case_clear(&back);
}

#define HEADER(n) "{\"schema\":\"smtpblame.case/1\",\"verb\":\"check\",\"packets\":0,\"facts\":" #n "}\n"
#define PLAN \
	"{\"fact\":\"plan\",\"input\":\"x\",\"target\":\"192.0.2.1\",\"ports\":[{\"port\":25,\"tested\":true}]}\n"
#define PORTS(p) "{\"fact\":\"plan\",\"input\":\"x\",\"target\":\"192.0.2.1\",\"ports\":[" p "]}\n"
#define FACT(f) HEADER(2) PLAN "{\"t_ns\":1,\"fact\":" f "}\n"

static void test_what_is_refused(void **unused)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{"", "DIR/facts.jsonl: empty"},
		{"\n", ":1: not a JSON object"},
		{"[1]\n", ":1: not a JSON object"},
		{"{\"schema\":\"smtpblame.report/1\"}\n", ":1: no saved case"},
		{"{\"schema\":\"smtpblame.case/2\",\"tool\":{\"version\":\"9.0\"}}\n",
		 ":1: saved as smtpblame.case/2, by version 9.0; this version reads smtpblame.case/1"},
		{"{\"schema\":\"smtpblame.case/1\\u001b[2J\",\"tool\":3}\n", "case/1\\x1b[2J, by version ;"},
		{"{\"schema\":\"smtpblame.case/1\",\"verb\":\"guess\",\"packets\":0,\"facts\":1}\n", "verb"},
		{"{\"schema\":\"smtpblame.case/1\",\"verb\":\"check\",\"packets\":1e9,\"facts\":1}\n", "packets"},
		{"{\"schema\":\"smtpblame.case/1\",\"verb\":\"check\",\"packets\":-1,\"facts\":1}\n", "packets"},
		{"{\"schema\":\"smtpblame.case/1\",\"verb\":\"check\",\"packets\":0,\"facts\":99999999}\n",
		 "facts"},
		{HEADER(1), ":1: ends before"},
		{HEADER(2) PLAN, ":2: ends before"},
		{HEADER(1) PLAN "{}\n", ":3: more facts"},
		{HEADER(2) PLAN PLAN, ":3: plan: a second plan"},
		{HEADER(1) "{\"t_ns\":1,\"fact\":\"run-end\"}\n", "no plan"},
		{HEADER(1) "{\"fact\":\"plan\",\"input\":\"x\"}\n", ":2: plan: target: missing"},
		{HEADER(1) "{\"fact\":\"plan\",\"target\":\"192.0.2.1\"}\n", ":2: plan: input: missing"},
		{HEADER(1) PORTS(""), "not tested"},
		{HEADER(1) PORTS("{\"port\":25}"), "not tested"},
		{HEADER(1) PORTS("{\"tested\":true}"), "no number"},
		{HEADER(1) PORTS("{\"port\":25,\"tested\":true},{\"port\":25}"), "twice"},
		{HEADER(1) PORTS("{\"port\":25,\"tested\":true},{\"port\":1},{\"port\":2,\"tested\":true}"),
		 "control stands before"},
		{HEADER(1) PORTS("{\"port\":65536,\"tested\":true}"), "plan: ports: port: not in its range"},
		{HEADER(1) PORTS("7"), "plan: ports: not a JSON object"},
		{FACT("\"run-end\",\"more\":1"), ":3: run-end: 'more' is nothing that this version knows"},
		{FACT("\"run-end\",\"\\u009b2J\":1"), "'\\u{009b}2J'"},
		{FACT("\"new-thing\""), ":3: new-thing: this version knows no such fact"},
		{FACT("7"), ":3: fact: missing"},
		{HEADER(2) PLAN "{\"fact\":\"run-end\"}\n", "t_ns"},
		{HEADER(2) PLAN "{\"fact\":\"run-end\",\"t_ns\":9223372036854775807}\n", "t_ns"},
		{HEADER(2) PLAN "{\"fact\":\"run-end\",\"t_ns\":-1}\n", "t_ns"},
		{FACT("\"run-end\",\"flow\":65535"), "flow"},
		{FACT("\"probe\",\"kind\":\"sideways\""), ":3: probe: kind: not one of the words"},
		{FACT("\"probe\",\"ttl\":256"), "ttl: not in its range"},
		{FACT("\"probe\",\"ttl\":-1"), "ttl: not a whole number"},
		{FACT("\"probe\",\"ttl\":1.5"), "ttl: not a whole number"},
		{FACT("\"probe\",\"injected\":1"), "injected: not true or false"},
		{FACT("\"probe\",\"dst\":\"192.0.2\""), "dst: not an address"},
		{FACT("\"probe\",\"dst\":\"fe80::1%x\""), "dst: not an address"},
		{FACT("\"connect\",\"error\":\"EWHATEVER\""), "error: not an error that"},
		{FACT("\"reply\""), ":3: reply: text: missing"},
		{FACT("\"reply\",\"text\":null"), "text: not text"},
		{FACT("\"reply\",\"text\":\"a\\u0000b\""), ":3: not a JSON object"},
		{FACT("\"reply\",\"text\":\"a\",\"text\":\"b\""), ":3: not a JSON object"},
		{FACT("\"reply\",\"text\":\"a\",\"lines\":[\"x\",1]"), "lines: not text"},
		{FACT("\"link\",\"name\":\"longer than an interface\""), "name: not text, or too long"},
		{FACT("\"link\",\"mac\":\"0011\""), "mac: not bytes"},
		{FACT("\"counter\",\"moved\":\"18446744073709551616\""), "moved: not a whole number"},
		{FACT("\"trace\",\"stop\":{\"verdict\":\"maybe\"}"), ":3: trace: stop: verdict: not one"},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct saved_case c;
		struct err e = {0};
		int rc = parsed(&c, cases[i].text, strlen(cases[i].text), &e);
		saved_case_clear(&c);
		if (rc != -1 || e.status != ERR_USAGE || !strstr(e.text, cases[i].says) ||
		    !text_is_clean(e.text))
			fail_msg("%s is told as: %s", cases[i].text, e.text);
	}
}

static void test_lines_are_bounded(void **unused)
{
	size_t len = (1u << 20) + 10;
	char *text = malloc(len);
	struct saved_case c;
	struct err e;

	(void)unused;
	memset(text, ' ', len);
	assert_int_equal(parsed(&c, text, len, &e), -1);
	assert_string_equal(e.text, "DIR/facts.jsonl:1: longer than 1 MB");
	saved_case_clear(&c);
	memset(text, '[', len);
	text[len / 2] = '\n';
	assert_int_equal(parsed(&c, text, len, &e), -1);
	assert_string_equal(e.text, "DIR/facts.jsonl:1: not a JSON object");
	saved_case_clear(&c);
	memcpy(text, "{}", 3);
	assert_int_equal(parsed(&c, text, 3, &e), -1); /* the last line has no end */
	assert_string_equal(e.text, "DIR/facts.jsonl:1: the line is cut off, or holds a NUL");
	saved_case_clear(&c);
	free(text);
}

static void test_order_does_not_depend_on_arrival(void **unused)
{
	struct event_log log;

	(void)unused;
	event_log_init(&log);
	for (int i = 0; i < 100; i++) {
		struct event ev = {.t_ns = T0 + (i * 37 % 100) / 4, .flow = (uint16_t)i};
		ev.kind = i % 3 == 0 ? EV_PACKET : EV_RUN_END;
		event_log_add(&log, &ev);
	}
	event_log_sort(&log);
	for (int i = 1; i < 100; i++) {
		const struct event *a = &log.events[i - 1], *b = &log.events[i];
		assert_true(a->t_ns <= b->t_ns);
		if (a->t_ns < b->t_ns)
			continue;
		assert_false(a->kind == EV_PACKET && b->kind != EV_PACKET);
		assert_true(a->kind != b->kind || a->flow < b->flow);
	}
	event_log_clear(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_fact_comes_back),
		cmocka_unit_test(test_plan_comes_back_without_the_password),
		cmocka_unit_test(test_what_is_refused),
		cmocka_unit_test(test_lines_are_bounded),
		cmocka_unit_test(test_order_does_not_depend_on_arrival),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
