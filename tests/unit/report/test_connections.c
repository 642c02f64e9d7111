/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The hand-written JSON Lines against jansson's: what they share has one shape,
 * and every string survives. And the text of connections, and their page.
 *
 *   unit-report-connections --write DIR    pages (for page.py and tests/program/browser.py)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "report/connection_words.h"
#include "report/connections.h"
#include "samples.h"

static const unsigned cited[] = {1, 2};
static const char *const remedies[] = {"Ask \"them\".", "nft list ruleset"};
static const char *const keywords[] = {"STARTTLS", "SIZE 1000"};
static const char *const mechanisms[] = {"PLAIN"};
static const char *const names[] = {"mx.example.net"};

static struct finding finding_of(enum culprit_kind kind)
{
	struct finding f = {
		.mechanism = MECH_ICMP_UNREACHABLE, .place = PLACE_ISP, .confidence = 0.7, .direction = DIR_INBOUND,
		.candidates = {{PLACE_ISP, 0.7}, {PLACE_GATEWAY, 0.1}}, .n_candidates = 2,
		.has_icmp = true,
		.icmp = {.type = 3, .code = 13, .name = "admin-prohibited"},
		.culprit = {.kind = kind, .text = "its \\ words", .code = kind == CULPRIT_SERVER ? 554 : 0},
		.summary = "Ein \xc3\xa4rgerlicher Satz \xf0\x9f\x98\x80, \"so\".",
		.evidence = cited, .n_evidence = 2, .remedy = remedies, .n_remedy = 2, .rule = "some-rule",
	};

	addr_parse(&f.icmp.from, "2001:db8::1");
	addr_parse(&f.culprit.address, "203.0.113.9");
	return f;
}

static struct connection connection_of(enum culprit_kind kind)
{
	struct connection c = {
		.file = "x \"y\".pcap", .client = {.port = 40000, .packets = 9}, .server = {.port = 25, .packets = 7},
		.start_ns = 1769860800123456789LL, .duration_ms = 812.4, .first_packet = 3, .state = STATE_BLOCKED,
		.summary = "One sentence.", .stage = "ehlo", .end = "reset", .n_findings = 1, .has_smtp = true,
		.smtp = {.code = 220, .banner = "mx \\x1b", .ehlo = keywords, .n_ehlo = 2, .starttls = "ok",
			 .auth = mechanisms, .n_auth = 1, .has_tls = true,
			 .tls = {.version = "TLSv1.3", .subject = "CN=mx", .names = names, .n_names = 1, .error = "no"}},
		.evidence = {{.number = 1, .t_ms = 0, .source = SOURCE_CAPTURE, .port = 25, .text = "packet 3: SYN"},
			     {.number = 2, .t_ms = 12.3456, .source = SOURCE_SMTP, .port = 25, .text = "packet 4"}},
		.n_evidence = 2,
	};

	addr_parse(&c.client.address, "10.0.0.2");
	addr_parse(&c.server.address, "2001:db8::25");
	c.findings[0] = finding_of(kind);
	return c;
}

/* What json_lines_*() writes comes through a pipe. */
static json_t *line_of(const struct connection *c, const struct read_summary *s)
{
	FILE *f = tmpfile();
	struct json_lines l;
	char *text = NULL;
	size_t size = 0;

	json_lines_open(&l, fileno(f));
	if (c)
		json_lines_connection(&l, c);
	if (s)
		json_lines_summary(&l, s);
	assert_int_equal(json_lines_close(&l), 0);
	rewind(f);
	assert_true(getline(&text, &size, f) > 0);
	for (const char *p = text; *p; p++) /* ASCII, one line */
		assert_true((*p >= 0x20 && *p < 0x7f) || (*p == '\n' && !p[1]));
	json_error_t e;
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &e);
	if (!root)
		fail_msg("%s in %s", e.text, text);
	free(text);
	fclose(f);
	return root;
}

static json_t *report_of(const struct connection *c)
{
	struct report_port port = {.port = 25, .state = c->state, .findings = c->findings, .n_findings = 1,
				   .has_smtp = true, .smtp = c->smtp, .connect_ms = -1, .banner_ms = -1, .tls_ms = -1};
	struct report r = {.ports = &port, .n_ports = 1, .evidence = c->evidence, .n_evidence = c->n_evidence};
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(render_json(&r, out), 0);
	fclose(out);
	json_t *root = json_loads(text, 0, NULL);
	free(text);
	return root;
}

/* A connection that went on is not called by the word for a port that is fine. */
static void the_end_is_no_state(void **state)
{
	struct connection c = connection_of(CULPRIT_HOP);
	struct arena a = {0};

	(void)state;
	c.end = "open";
	assert_non_null(strstr(connection_seen(&a, &c), ", not over when the capture ended"));
	arena_clear(&a);
}

static void both_writers_agree(void **state)
{
	static const enum culprit_kind culprits[] = {CULPRIT_HOP, CULPRIT_MIDDLEBOX, CULPRIT_SERVER, CULPRIT_UNKNOWN};

	(void)state;
	for (size_t i = 0; i < sizeof(culprits) / sizeof(culprits[0]); i++) {
		struct connection c = connection_of(culprits[i]);
		json_t *mine = line_of(&c, NULL), *theirs = report_of(&c);
		json_t *port = json_array_get(json_object_get(theirs, "ports"), 0);
		json_t *smtp = json_object_get(mine, "smtp");
		assert_true(json_equal(json_object_get(mine, "findings"), json_object_get(port, "findings")));
		assert_true(json_equal(json_object_get(mine, "evidence"), json_object_get(theirs, "evidence")));
		json_object_del(json_object_get(smtp, "tls"), "sni"); /* a live run asks for one name always */
		assert_true(json_equal(smtp, json_object_get(port, "smtp")));
		assert_string_equal(json_string_value(json_object_get(mine, "start")), "2026-01-31T12:00:00.123456Z");
		assert_string_equal(json_string_value(json_object_get(mine, "file")), "x \"y\".pcap");
		assert_true(json_real_value(json_object_get(mine, "duration_ms")) == 812.4);
		json_decref(mine);
		json_decref(theirs);
	}
}

/* Every kind of character at every place of the blocks that are copied whole. */
static void strings_survive(void **state)
{
	static const char *const odd[] = {"\"", "\\", "\x7f", "\x01", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "x"};

	(void)state;
	for (size_t k = 0; k < sizeof(odd) / sizeof(odd[0]); k++)
		for (size_t at = 0; at < 70; at++) {
			char text[128];
			struct connection c = connection_of(CULPRIT_UNKNOWN);
			memset(text, 'a', sizeof(text));
			memcpy(text + at, odd[k], strlen(odd[k]));
			text[at + 40] = '\0';
			c.summary = text;
			json_t *root = line_of(&c, NULL);
			assert_string_equal(json_string_value(json_object_get(root, "summary")), text);
			json_decref(root);
		}
}

/* Not clean, which its maker promises not to happen: it is JSON all the same. */
static void broken_strings_do_no_harm(void **state)
{
	static const char *const broken[] = {"\xff", "\xc3", "\xe2\x82", "a\xf0\x9f\x98", "\xed\xa0\x80", "\x80\x80"};

	(void)state;
	for (size_t k = 0; k < sizeof(broken) / sizeof(broken[0]); k++) {
		struct connection c = connection_of(CULPRIT_UNKNOWN);
		c.summary = broken[k];
		json_decref(line_of(&c, NULL));
	}
}

static void summary_line(void **state)
{
	static const char *const warnings[] = {"x.pcap: cut at byte 100"};
	static struct read_summary s = {.files = 2, .packets = 5120000, .connections = 3, .undecodable = 1, .truncated = true,
				 .warnings = warnings, .n_warnings = 1, .n_groups = 1};

	(void)state;
	s.states[STATE_OPEN] = 2;
	s.states[STATE_BLOCKED] = 1;
	s.groups[0] = (struct read_group){.state = STATE_BLOCKED, .mechanism = MECH_SILENT_DROP, .place = PLACE_UNKNOWN,
					  .connections = 1, .n_servers = 1};
	addr_parse(&s.groups[0].servers[0].address, "192.0.2.7");
	s.groups[0].servers[0].port = 25;
	s.groups[0].servers[0].connections = 1;
	json_t *root = line_of(NULL, &s);
	assert_int_equal(json_integer_value(json_object_get(root, "packets")), 5120000);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(root, "states"), "open")), 2);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(root, "states"), "refused")), 0);
	assert_true(json_is_true(json_object_get(root, "truncated")));
	json_t *group = json_array_get(json_object_get(root, "groups"), 0);
	assert_string_equal(json_string_value(json_object_get(group, "mechanism")), "silent-drop");
	json_decref(root);
}

static char *text_of(unsigned n, bool brief, unsigned width)
{
	static struct read_summary s = {.files = 1, .packets = 20};
	struct text_options opt = {.width = width};
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	struct text_connections *t = text_connections_new(&opt, out);

	s.connections = n;
	s.states[STATE_BLOCKED] = n;
	for (unsigned i = 0; i < n && !brief; i++) {
		struct connection c = connection_of(CULPRIT_HOP);
		text_connection(t, &c);
	}
	assert_int_equal(text_connections_end(t, &s, brief), 0);
	text_connections_free(t);
	fclose(out);
	return text;
}

/* Commands of advice stand alone, as they are typed; options and what is in brackets don't. */
static void advice_can_be_copied(void **state)
{
	static const char *const advice[] = {
		"Look from there: `smtpblame 192.0.2.1`.", "Try again with `--timeout 60`.",
		"Turn it off (Cisco: `no inspect esmtp`)."};
	struct text_options opt = {.width = 80};
	struct read_summary s = {.connections = 1};
	char *text = NULL;
	size_t size = 0;

	(void)state;
	struct connection c = connection_of(CULPRIT_HOP);
	c.findings[0].remedy = advice;
	c.findings[0].n_remedy = 3;
	FILE *out = open_memstream(&text, &size);
	struct text_connections *t = text_connections_new(&opt, out);
	text_connection(t, &c);
	assert_int_equal(text_connections_end(t, &s, false), 0);
	text_connections_free(t);
	fclose(out);
	assert_non_null(strstr(text, "\n  - Look from there:\n      smtpblame 192.0.2.1\n"));
	assert_non_null(strstr(text, "\n  - Try again with --timeout 60.\n"));
	assert_non_null(strstr(text, "\n  - Turn it off (Cisco: no inspect esmtp).\n"));
	free(text);
}

static void text_of_one_and_of_many(void **state)
{
	(void)state;
	char *none = text_of(0, false, 80), *one = text_of(1, false, 80), *two = text_of(2, false, 80);
	assert_string_equal(none, "0 SMTP connections in 20 packets, 1 file\n");
	assert_non_null(strstr(one, "What to do"));
	assert_non_null(strstr(one, "packet 3: SYN"));
	assert_null(strstr(two, "What to do"));
	assert_non_null(strstr(two, "2026-01-31, UTC\n12:00:00  blocked"));
	assert_null(strchr(one, '\x7f'));
	free(none);
	free(one);
	free(two);
}

/* ---- the page ---- */

#define HOSTILE "<script>alert(1)</script>\"'&amp; \xe2\x80\xae" "exe.gpj \x1b[2J</bdi><img src=x onerror=alert(1)>"

static const char *const hostile_list[] = {HOSTILE, HOSTILE};

static struct connection hostile_connection(void)
{
	static const struct connection_pair pair = {
		.file = HOSTILE, .found = true, .changes = {HOSTILE, HOSTILE}, .n_changes = 2};
	struct connection c = connection_of(CULPRIT_SERVER);

	c.file = c.summary = c.end = c.sni = HOSTILE;
	c.findings[0].summary = c.findings[0].culprit.text = HOSTILE;
	c.findings[0].remedy = hostile_list;
	c.smtp.banner = c.smtp.tls.subject = c.smtp.tls.issuer = c.smtp.tls.version = c.smtp.tls.cipher = HOSTILE;
	c.smtp.ehlo = c.smtp.auth = c.smtp.tls.names = hostile_list;
	c.smtp.n_ehlo = c.smtp.n_auth = c.smtp.tls.n_names = 2;
	c.evidence[0].text = c.evidence[1].text = HOSTILE;
	c.pair = &pair;
	return c;
}

static int write_connections(FILE *out, const struct connection *c, unsigned n)
{
	static const char *const warnings[] = {HOSTILE};
	struct html_connections *p = html_connections_begin();
	struct read_summary *s = calloc(1, sizeof(*s));

	assert_true(p && s && out);
	s->files = 1;
	s->packets = 16 * n;
	s->connections = n;
	s->states[c->state] = n;
	s->undecodable = 3;
	s->warnings = warnings;
	s->n_warnings = 1;
	s->groups[0] = (struct read_group){.state = c->state, .mechanism = MECH_SILENT_DROP,
					   .place = PLACE_ISP, .connections = n, .n_servers = 1};
	s->groups[0].servers[0].address = c->server.address;
	s->n_groups = 1;
	for (unsigned i = 0; i < n; i++)
		html_connection(p, c);
	int failed = html_connections_finish(p, s, out);
	html_connections_free(p);
	free(s);
	return failed;
}

static int write_page(const char *folder, const char *name, const struct connection *c, unsigned n)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s.html", folder, name);
	FILE *out = fopen(path, "w");
	if (!out) {
		perror(path);
		return 1;
	}
	int failed = write_connections(out, c, n);
	return fclose(out) != 0 || failed;
}

static int write_pages(const char *folder)
{
	struct connection plain = connection_of(CULPRIT_HOP), theirs = hostile_connection();
	struct connection open = plain;

	open.state = STATE_OPEN;
	open.n_findings = 0;
	return write_page(folder, "connections", &plain, 4) ||
	       write_page(folder, "connections-open", &open, 2) ||
	       write_page(folder, "connections-hostile", &theirs, 3);
}

/* Of a great many the first are told, and how many more there are. */
static void a_page_of_very_many_is_bounded(void **state)
{
	struct connection c = connection_of(CULPRIT_HOP);
	FILE *out = tmpfile();
	char *text = calloc(1, 8000000);

	(void)state;
	assert_int_equal(write_connections(out, &c, 50000), 0);
	assert_in_range(ftell(out), 1000000, 7000000);
	rewind(out);
	assert_true(fread(text, 1, 7999999, out) > 0);
	assert_non_null(strstr(text, "45000 more are counted above"));
	assert_non_null(strstr(text, "49500 that are not open have no more"));
	free(text);
	fclose(out);
}

static void a_full_disk_is_told(void **state)
{
	struct connection c = connection_of(CULPRIT_HOP);
	FILE *full = fopen("/dev/full", "w");

	(void)state;
	if (!full)
		skip();
	assert_int_equal(write_connections(full, &c, 1), -1);
	fclose(full);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_writers_agree),
		cmocka_unit_test(the_end_is_no_state),
		cmocka_unit_test(strings_survive),
		cmocka_unit_test(broken_strings_do_no_harm),
		cmocka_unit_test(summary_line),
		cmocka_unit_test(text_of_one_and_of_many), cmocka_unit_test(advice_can_be_copied),
		cmocka_unit_test(a_page_of_very_many_is_bounded),
		cmocka_unit_test(a_full_disk_is_told),
	};

	if (argc == 3 && strcmp(argv[1], "--write") == 0)
		return write_pages(argv[2]);

	return cmocka_run_group_tests(tests, NULL, NULL);
}
