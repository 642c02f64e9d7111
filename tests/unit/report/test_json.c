/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The JSON report.
 *
 *   unit-report-json --print    prints the samples' documents, for validate.py
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "report/render.h"
#include "samples.h"

static char *rendered(const struct report *r)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(render_json(r, out), 0);
	fclose(out);
	return text;
}

static json_t *parsed(const struct report *r)
{
	char *text = rendered(r);
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	assert_non_null(root);
	free(text);
	return root;
}

/* The value at a path such as "ports.0.smtp.code", which must be there. */
static json_t *at(json_t *value, const char *path)
{
	char *copy = strdup(path), *rest = copy, *key;

	while ((key = strsep(&rest, "."))) {
		value = json_is_array(value) ? json_array_get(value, (size_t)atoi(key))
					     : json_object_get(value, key);
		if (!value)
			fail_msg("%s: no %s", path, key);
	}
	free(copy);
	return value;
}

static const char *text_at(json_t *value, const char *path)
{
	const char *text = json_string_value(at(value, path));

	if (!text)
		fail_msg("%s is no string", path);
	return text;
}

/* Whole and literal: key order, nulls and the form of the numbers are what others rely on. */
static void blocked_is_as_in_the_contract(void **state)
{
	static const char want[] =
		"{\"schema\":\"smtpblame.report/1\","
		"\"tool\":{\"name\":\"smtpblame\",\"version\":\"0.1.0\"},"
		"\"started\":\"2026-01-31T12:00:00.123456Z\",\"elapsed_ms\":640.0,"
		"\"target\":{\"input\":\"mx.example.com\",\"name\":\"mx.example.com\","
		"\"address\":\"198.51.100.25\",\"family\":\"ipv4\"},"
		"\"vantage\":{\"hostname\":\"night\",\"interface\":\"eth0\",\"link\":\"ethernet\","
		"\"source\":\"10.1.0.2\",\"seen_as\":null,\"gateway\":\"10.1.0.1\","
		"\"gateway_state\":\"reachable\",\"mtu\":1500,\"netns\":null,\"tunnel\":false,\"user\":null},"
		"\"ports\":[{\"port\":25,\"service\":\"smtp\",\"state\":\"blocked\","
		"\"summary\":\"Two blocks stand behind each other: this machine's firewall, then the "
		"provider.\",\"findings\":["
		"{\"mechanism\":\"silent-drop\",\"place\":\"host\",\"direction\":\"outbound\","
		"\"confidence\":1.0,\"candidates\":[{\"place\":\"host\",\"confidence\":1.0}],"
		"\"hop\":null,\"icmp\":null,"
		"\"culprit\":{\"kind\":\"nft-rule\",\"text\":\"tcp dport { 25, 465 } meta skuid != "
		"\\\"postfix\\\" counter drop comment \\\"only the mail server may send mail\\\"\","
		"\"family\":\"inet\",\"table\":\"filter\",\"chain\":\"output\",\"hook\":\"output\","
		"\"handle\":12,\"verdict\":\"drop\"},"
		"\"summary\":\"A rule of this machine's firewall drops the SYN before it leaves.\","
		"\"evidence\":[\"e1\"],"
		"\"remedy\":[\"Let port 25 to this server through:\","
		"\"nft insert rule inet filter output ip daddr 198.51.100.25 tcp dport 25 accept\","
		"\"To undo it, see `nft -a list chain inet filter output` for the new rule's handle, "
		"then: `nft delete rule inet filter output handle HANDLE`.\"],"
		"\"rule\":\"host-nft-drop\"},"
		"{\"mechanism\":\"icmp-unreachable\",\"place\":\"isp\",\"direction\":\"outbound\","
		"\"confidence\":0.97,\"candidates\":[{\"place\":\"isp\",\"confidence\":0.97},"
		"{\"place\":\"transit\",\"confidence\":0.02}],"
		"\"hop\":{\"from\":{\"ttl\":3,\"address\":\"203.0.113.2\"},"
		"\"to\":{\"ttl\":3,\"address\":\"203.0.113.2\"}},"
		"\"icmp\":{\"type\":3,\"code\":13,\"name\":\"admin-prohibited\","
		"\"from\":\"203.0.113.2\"},"
		"\"culprit\":{\"kind\":\"hop\",\"text\":\"its ICMP says that the packet is prohibited\","
		"\"ttl\":3,\"address\":\"203.0.113.2\",\"asn\":null,\"as_name\":null},"
		"\"summary\":\"A SYN sent below the firewall is turned away by the provider's "
		"router.\",\"evidence\":[\"e2\"],"
		"\"remedy\":[\"Ask the provider to lift its filter on port 25.\"],"
		"\"rule\":\"path-icmp-prohibited\"}],"
		"\"upstream_tested\":true,\"smtp\":null,"
		"\"timing_ms\":{\"connect\":null,\"banner\":null,\"tls\":null},\"client\":null}],"
		"\"controls\":[],\"path\":[],"
		"\"evidence\":[{\"id\":\"e1\",\"t_ms\":0.1,\"source\":\"nftrace\",\"port\":25,"
		"\"text\":\"inet filter output: rule handle 12 says drop\"},"
		"{\"id\":\"e2\",\"t_ms\":14.25,\"source\":\"capture\",\"port\":25,"
		"\"text\":\"ICMP type 3 code 13 from 203.0.113.2\"}],"
		"\"notes\":[],\"not_looked\":[],"
		"\"summary\":\"Port 25 is blocked by this machine's firewall and, behind it, by your "
		"provider.\"}\n";
	char *got = rendered(&firewall);

	(void)state;
	assert_string_equal(got, want);
	free(got);
}

static void numbers_print_as_measured(void **state)
{
	/* what a double holds, and what is to be read */
	static const struct {
		double ms;
		const char *want;
	} cases[] = {
		{812.4, "812.4"},
		{812.39999999999998, "812.4"},
		{0.1 + 0.2, "0.3"},
		{1.23456, "1.235"},
		{0.0004, "0.0"},
		{86399999.999, "86399999.999"},
		{TIME_NONE, "null"},
		{0.0 / 0.0, "null"},
		{1.0 / 0.0, "null"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct report r = bare;
		char want[64];
		r.elapsed_ms = cases[i].ms;
		char *text = rendered(&r);
		snprintf(want, sizeof(want), "\"elapsed_ms\":%s,", cases[i].want);
		if (!strstr(text, want))
			fail_msg("not %s: %s", want, text);
		free(text);
	}
}

static void unknown_place_has_no_confidence(void **state)
{
	struct finding f = undecided_finding[0];
	struct report_port p = undecided_ports[0];
	struct report r = undecided;

	(void)state;
	f.confidence = 0.5; /* nobody may read this as the probability of "unknown" */
	p.findings = &f;
	r.ports = &p;
	json_t *root = parsed(&r);
	assert_string_equal(text_at(root, "ports.0.findings.0.place"), "unknown");
	assert_true(json_is_null(at(root, "ports.0.findings.0.confidence")));
	json_decref(root);
}

static void local_error_names_its_errno(void **state)
{
	json_t *root = parsed(&local_error);

	(void)state;
	assert_string_equal(text_at(root, "ports.1.findings.0.culprit.errno"), "EACCES");
	assert_string_equal(text_at(root, "ports.1.findings.0.culprit.type"), "prohibit");
	assert_string_equal(text_at(root, "target.family"), "ipv6");
	assert_true(json_is_null(at(root, "target.name")));
	assert_true(json_is_null(at(root, "vantage.source")));
	assert_true(json_is_null(at(root, "vantage.mtu")));
	assert_true(json_is_null(at(root, "evidence.0.port")));
	json_decref(root);
	root = parsed(&blocked);
	assert_null(json_object_get(at(root, "ports.0.findings.0.culprit"), "errno"));
	json_decref(root);
}

static void path_is_by_port(void **state)
{
	json_t *root = parsed(&blocked);

	(void)state;
	assert_int_equal(json_integer_value(at(root, "path.1.replies.587.time_exceeded")), 3);
	assert_true(json_is_null(at(root, "path.1.replies.25.rtt_ms")));
	assert_true(json_is_null(at(root, "path.2.address")));
	assert_true(json_is_null(at(root, "path.0.asn")));
	assert_int_equal(json_integer_value(at(root, "path.1.asn")), 64500);
	assert_string_equal(text_at(root, "path.3.place"), "destination");
	assert_string_equal(text_at(root, "controls.0.outcome"), "answers");
	json_decref(root);
}

static void session_is_told(void **state)
{
	json_t *root = parsed(&intercepted);

	(void)state;
	assert_int_equal(json_integer_value(at(root, "ports.0.smtp.code")), 220);
	assert_true(json_is_false(at(root, "ports.0.smtp.tls.verified")));
	assert_string_equal(text_at(root, "ports.0.smtp.tls.error"),
			    "self-signed certificate in chain");
	assert_true(json_is_true(at(root, "vantage.tunnel")));
	json_decref(root);
	root = parsed(&healthy);
	assert_int_equal(json_array_size(at(root, "ports.0.findings")), 0);
	assert_true(json_is_null(at(root, "ports.1.smtp.starttls")));
	assert_true(json_is_null(at(root, "ports.0.smtp.tls.error")));
	assert_string_equal(text_at(root, "ports.2.smtp.auth.1"), "LOGIN");
	json_decref(root);
}

/* The fields of each kind by the contract, and not one more. */
static void culprits_have_the_fields_of_their_kind(void **state)
{
	static const char *const fields[CULPRIT_COUNT] = {
		[CULPRIT_NFT_RULE] = "family table chain hook handle verdict",
		[CULPRIT_NFT_POLICY] = "family table chain hook",
		[CULPRIT_IPTABLES_RULE] = "table chain number",
		[CULPRIT_ROUTE] = "type table",
		[CULPRIT_IP_RULE] = "priority",
		[CULPRIT_NEIGHBOUR] = "address interface state",
		[CULPRIT_LINK] = "interface state",
		[CULPRIT_SYSCTL] = "name value",
		[CULPRIT_CONNTRACK] = "",
		[CULPRIT_TC] = "interface id name",
		[CULPRIT_XDP] = "interface id name",
		[CULPRIT_CGROUP_BPF] = "cgroup id name",
		[CULPRIT_LSM] = "cgroup id name",
		[CULPRIT_KERNEL_DROP] = "reason function",
		[CULPRIT_HOP] = "ttl address asn as_name",
		[CULPRIT_MIDDLEBOX] = "ttl address asn as_name",
		[CULPRIT_SERVER] = "code",
		[CULPRIT_UNKNOWN] = "",
	};
	json_t *root = parsed(&kinds);

	(void)state;
	for (unsigned i = 0; i < CULPRIT_COUNT; i++) {
		json_t *culprit = at(at(at(root, "ports.0.findings"), (char[]){(char)('0' + i / 10),
			(char)('0' + i % 10), '\0'}), "culprit");
		char got[100] = "";
		const char *key;
		json_t *value;
		json_object_foreach(culprit, key, value) {
			if (strcmp(key, "kind") == 0 || strcmp(key, "text") == 0)
				continue;
			strcat(got, *got ? " " : "");
			strcat(got, key);
		}
		assert_string_equal(text_at(culprit, "kind"), culprit_kind_name(i));
		assert_string_equal(got, fields[i]);
		text_at(culprit, "text");
	}
	json_decref(root);
}

static void foreign_bytes_do_no_harm(void **state)
{
	char *text = rendered(&hostile);

	(void)state;
	for (const char *p = text; *p; p++)
		assert_true((*p >= 0x20 && *p < 0x7f) || (*p == '\n' && p[1] == '\0'));
	json_t *root = json_loads(text, 0, NULL);
	assert_non_null(root);
	assert_non_null(strstr(text_at(root, "ports.0.smtp.banner"), "\\x1b[31mred"));
	json_decref(root);
	free(text);
}

static void each_is_one_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(samples); i++) {
		char *text = rendered(samples[i].report);
		assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
		free(text);
	}
}

static void error_line(void **state)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	assert_int_equal(render_json_error("mx.\x1b.example", "no such name", out), 0);
	fclose(out);
	assert_string_equal(text, "{\"schema\":\"smtpblame.error/1\","
				  "\"target\":{\"input\":\"mx.\\\\x1b.example\"},"
				  "\"error\":\"no such name\"}\n");
	free(text);
}

static void a_full_disk_is_told(void **state)
{
	FILE *full = fopen("/dev/full", "w");

	(void)state;
	if (!full)
		skip();
	assert_int_equal(render_json(&blocked, full), -1);
	fclose(full);
}

/* Documents without ports or address are for this file's tests only: none can come from a run. */
static int print_documents(void)
{
	for (size_t i = 0; i < COUNT(samples); i++)
		if (samples[i].report->n_ports > 0 && render_json(samples[i].report, stdout) != 0)
			return 1;
	return render_json_error("mx.nowhere.example", "no such name", stdout) != 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocked_is_as_in_the_contract),
		cmocka_unit_test(numbers_print_as_measured),
		cmocka_unit_test(unknown_place_has_no_confidence),
		cmocka_unit_test(local_error_names_its_errno),
		cmocka_unit_test(path_is_by_port),
		cmocka_unit_test(session_is_told),
		cmocka_unit_test(culprits_have_the_fields_of_their_kind),
		cmocka_unit_test(foreign_bytes_do_no_harm),
		cmocka_unit_test(each_is_one_line),
		cmocka_unit_test(error_line),
		cmocka_unit_test(a_full_disk_is_told),
	};

	if (argc == 2 && strcmp(argv[1], "--print") == 0)
		return print_documents();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
