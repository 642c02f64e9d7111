/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/fields.h"

#include <string.h>

#include "base/text.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* clang-format off */
/* The type follows from the declaration; only what an enum and a struct are must be said. */
#define TYPE_OF(x) _Generic((x), \
	bool: FIELD_BOOL, uint8_t: FIELD_UINT, uint16_t: FIELD_UINT, uint32_t: FIELD_UINT, \
	uint64_t: FIELD_UINT, int: FIELD_INT, int64_t: FIELD_INT, uint8_t *: FIELD_BYTES, \
	char *: FIELD_CHARS, const char *: FIELD_STRING, const char *const *: FIELD_STRINGS, \
	struct addr: FIELD_ADDR, struct addr *: FIELD_ADDRS)
#define MEMBER(s, m)    ((struct s *)0)->m
#define ROW(s, m)       .name = #m, .offset = offsetof(struct s, m), .size = sizeof(MEMBER(s, m))
#define FIELD(s, m)     {ROW(s, m), .type = TYPE_OF(MEMBER(s, m))}
#define REQUIRED(s, m)  {ROW(s, m), .type = FIELD_STRING, .required = true}
#define ERRNO(s, m)     {ROW(s, m), .type = FIELD_ERRNO}
#define ENUM(s, m, e)   {ROW(s, m), .type = FIELD_ENUM, .words = &e##_words}
#define STRUCT(s, m, f) {ROW(s, m), .type = FIELD_STRUCT, .of = &f##_fields}
#define ARRAY(s, m, count, f) \
	{.name = #m, .type = FIELD_ARRAY, .offset = offsetof(struct s, m), \
	 .size = sizeof(MEMBER(s, m)[0]), .of = &f##_fields, \
	 .count_offset = offsetof(struct s, count), .max = COUNT(MEMBER(s, m))}
/* A member that no case holds: nothing here, a word for the reader and for the test. */
#define NOT_SAVED(s, m)

#define WORDS(e, ...) \
	static const char *const e##_list[] = {__VA_ARGS__}; \
	static const struct field_words e##_words = {e##_list, COUNT(e##_list)}
#define FIELDS(f, ...) \
	static const struct field f##_list[] = {__VA_ARGS__}; \
	static const struct fields f##_fields = {f##_list, COUNT(f##_list)}
/* clang-format on */

/* ---- words: part of the format of saved cases, so that none may change ---- */

WORDS(flow_role, [FLOW_TESTED] = "tested", [FLOW_CONTROL] = "control", [FLOW_REPEAT] = "repeat",
      [FLOW_TLS_TRY] = "tls-try", [FLOW_HELD] = "held", [FLOW_SMALL] = "small");

WORDS(session_stage, [STAGE_GREETING] = "greeting", [STAGE_EHLO] = "ehlo",
      [STAGE_STARTTLS] = "starttls", [STAGE_TLS] = "tls", [STAGE_EHLO_TLS] = "ehlo-tls",
      [STAGE_AUTH] = "auth", [STAGE_MAIL] = "mail", [STAGE_RCPT] = "rcpt", [STAGE_DATA] = "data",
      [STAGE_MESSAGE] = "message", [STAGE_QUIT] = "quit", [STAGE_UNOFFERED] = "unoffered");

WORDS(session_end, [SESSION_DONE] = "done", [SESSION_CLOSED] = "closed", [SESSION_RESET] = "reset",
      [SESSION_STALLED] = "stalled", [SESSION_NOT_SMTP] = "not-smtp",
      [SESSION_TLS_ERROR] = "tls-error", [SESSION_ICMP] = "icmp");

WORDS(probe_kind, [PROBE_TRACE] = "trace", [PROBE_FULL] = "full", [PROBE_BORDER] = "border",
      [PROBE_LOOK] = "look", [PROBE_CANARY] = "canary", [PROBE_ACK] = "ack", [PROBE_DATA] = "data",
      [PROBE_SIZE] = "size");

WORDS(dns_record, [DNS_RECORD_MX] = "mx", [DNS_RECORD_ADDRESS] = "address",
      [DNS_RECORD_CHECKED] = "checked", [DNS_RECORD_TLSA] = "tlsa",
      [DNS_RECORD_MTA_STS] = "mta-sts");

WORDS(dns_status, [DNS_FOUND] = "found", [DNS_NO_DATA] = "no-data", [DNS_NO_NAME] = "no-name",
      [DNS_BOGUS] = "bogus", [DNS_FAILED] = "failed", [DNS_SILENT] = "silent");

WORDS(dns_trust, [DNS_UNCHECKED] = "unchecked", [DNS_UNSIGNED] = "unsigned",
      [DNS_SECURE] = "secure", [DNS_FORGED] = "forged");

WORDS(ailment, [AILMENT_OTHER] = "other", [AILMENT_SILENT] = "silent", [AILMENT_ICMP] = "icmp",
      [AILMENT_UNANSWERED] = "unanswered");

WORDS(place, [PLACE_HOST] = "host", [PLACE_GATEWAY] = "gateway", [PLACE_ISP] = "isp",
      [PLACE_TRANSIT] = "transit", [PLACE_DESTINATION_NETWORK] = "destination-network",
      [PLACE_DESTINATION] = "destination", [PLACE_UNKNOWN] = "unknown");

WORDS(look, [LOOK_CAPTURE] = "capture", [LOOK_ROUTE] = "route", [LOOK_LINK] = "link",
      [LOOK_NEIGHBOUR] = "neighbour", [LOOK_PATH] = "path", [LOOK_CONNECT] = "connect", [LOOK_DNS] = "dns");

WORDS(route_stop, [ROUTE_STOP_NONE] = "none", [ROUTE_STOP_ROUTE] = "route",
      [ROUTE_STOP_RULE] = "rule", [ROUTE_STOP_NO_ROUTE] = "no-route", [ROUTE_STOP_OTHER] = "other");

WORDS(fw_backend, [FW_NFT] = "nft", [FW_IPTABLES_NFT] = "iptables-nft",
      [FW_IPTABLES_LEGACY] = "iptables-legacy");

WORDS(fw_verdict, [FW_DROP] = "drop", [FW_REJECT] = "reject", [FW_QUEUE] = "queue",
      [FW_ACCEPT] = "accept", [FW_REDIRECT] = "redirect", [FW_DNAT] = "dnat",
      [FW_TPROXY] = "tproxy");

WORDS(waypoint, [WAY_NONE] = "none", [WAY_OUT_FIRST] = "out-first",
      [WAY_OUT_TRACKED] = "out-tracked", [WAY_OUT_LAST] = "out-last",
      [WAY_POST_FIRST] = "post-first", [WAY_POST_LAST] = "post-last",
      [WAY_EGRESS_FIRST] = "egress-first", [WAY_EGRESS_LAST] = "egress-last",
      [WAY_INGRESS] = "ingress", [WAY_INGRESS_LAST] = "ingress-last", [WAY_PRE_FIRST] = "pre-first",
      [WAY_PRE_TRACKED] = "pre-tracked", [WAY_PRE_LAST] = "pre-last", [WAY_IN_FIRST] = "in-first",
      [WAY_IN_LAST] = "in-last");

WORDS(program_hook, [PROG_TC_EGRESS] = "tc-egress", [PROG_TC_INGRESS] = "tc-ingress",
      [PROG_TCX_EGRESS] = "tcx-egress", [PROG_TCX_INGRESS] = "tcx-ingress", [PROG_XDP] = "xdp",
      [PROG_CGROUP_CONNECT] = "cgroup-connect", [PROG_CGROUP_EGRESS] = "cgroup-egress",
      [PROG_CGROUP_INGRESS] = "cgroup-ingress", [PROG_CGROUP_SOCK] = "cgroup-sock",
      [PROG_LSM] = "lsm", [PROG_QDISC] = "qdisc", [PROG_NETFILTER] = "netfilter");

WORDS(host_would, [WOULD_PASS] = "pass", [WOULD_STOP] = "stop", [WOULD_REDIRECT] = "redirect",
      [WOULD_MAYBE] = "maybe");

WORDS(host_look, [HOST_LOOK_TRACE] = "trace", [HOST_LOOK_IPTABLES] = "iptables",
      [HOST_LOOK_PROGRAMS] = "programs", [HOST_LOOK_DROPS] = "drops",
      [HOST_LOOK_CONNTRACK] = "conntrack", [HOST_LOOK_RULES] = "rules", [HOST_LOOK_XFRM] = "xfrm");

WORDS(signature_kind, [SIGNATURE_GREETING] = "greeting", [SIGNATURE_EHLO] = "ehlo",
      [SIGNATURE_ISSUER] = "issuer");

/* ---- the plan ---- */

FIELDS(plan_port, FIELD(plan_port, port), FIELD(plan_port, tested), FIELD(plan_port, implicit_tls));

FIELDS(plan, REQUIRED(plan, input), FIELD(plan, name), FIELD(plan, target), FIELD(plan, domain),
       FIELD(plan, mx_words), FIELD(plan, address_words), ENUM(plan, mx_trust, dns_trust),
       FIELD(plan, sibling), FIELD(plan, sibling_greeting),
       FIELD(plan, interface), FIELD(plan, source), FIELD(plan, source_link), FIELD(plan, netns),
       FIELD(plan, hostname),
       ARRAY(plan, ports, n_ports, plan_port), FIELD(plan, timeout_ns), FIELD(plan, no_path),
       FIELD(plan, thrifty), FIELD(plan, no_inject), FIELD(plan, no_trace), FIELD(plan, no_canary),
       FIELD(plan, ehlo_name), FIELD(plan, starttls_required), FIELD(plan, auth_user),
       FIELD(plan, expect_banner), FIELD(plan, expect_name), FIELD(plan, mail_from),
       FIELD(plan, rcpt_to), FIELD(plan, user), FIELD(plan, sandbox), FIELD(plan, packets),
       FIELD(plan, max_hops));
NOT_SAVED(plan, auth_secret)
NOT_SAVED(plan, way)                 /* a case is one run, and is replayed alone */
NOT_SAVED(plan, repeat)              /* a round is a run of its own */
NOT_SAVED(plan, interval_ns)
NOT_SAVED(plan, signatures)          /* a line each */
NOT_SAVED(plan, expect_banner_regex) /* compiled anew */

FIELDS(signature, ENUM(signature, kind, signature_kind), REQUIRED(signature, pattern),
       REQUIRED(signature, name), FIELD(signature, interceptor), REQUIRED(signature, source));

const struct fields *const model_plan = &plan_fields;
const struct fields *const model_signature = &signature_fields;

/* ---- events ---- */

FIELDS(host_link, FIELD(host_link, ifindex), FIELD(host_link, name), FIELD(host_link, kind),
       FIELD(host_link, arphrd), FIELD(host_link, mtu), FIELD(host_link, up),
       FIELD(host_link, carrier), FIELD(host_link, loopback), FIELD(host_link, tunnel),
       FIELD(host_link, needs_neighbour), FIELD(host_link, mac), FIELD(host_link, mac_len));

FIELDS(host_route, FIELD(host_route, port), ERRNO(host_route, error), FIELD(host_route, local),
       FIELD(host_route, assumed_on_link), FIELD(host_route, multipath), FIELD(host_route, table),
       FIELD(host_route, oif), FIELD(host_route, gateway), FIELD(host_route, prefsrc),
       FIELD(host_route, prefix_len), FIELD(host_route, mtu), FIELD(host_route, text),
       ENUM(host_route, stop, route_stop), FIELD(host_route, stop_type),
       FIELD(host_route, stop_table), FIELD(host_route, stop_priority),
       FIELD(host_route, stop_text), FIELD(host_route, would_text));

FIELDS(host_neighbour, FIELD(host_neighbour, address), FIELD(host_neighbour, ifindex),
       FIELD(host_neighbour, exists), FIELD(host_neighbour, state), FIELD(host_neighbour, watched), FIELD(host_neighbour, mac),
       FIELD(host_neighbour, mac_len));

FIELDS(ev_flow_start, ENUM(ev_flow_start, role, flow_role), FIELD(ev_flow_start, attempt),
       FIELD(ev_flow_start, local), FIELD(ev_flow_start, remote), FIELD(ev_flow_start, lport),
       FIELD(ev_flow_start, rport));

FIELDS(ev_connect, ERRNO(ev_connect, error), FIELD(ev_connect, at_once), FIELD(ev_connect, peer),
       FIELD(ev_connect, peer_port), FIELD(ev_connect, local));

FIELDS(ev_icmp_error, ERRNO(ev_icmp_error, error), FIELD(ev_icmp_error, type),
       FIELD(ev_icmp_error, code), FIELD(ev_icmp_error, from));

FIELDS(ev_reply, ENUM(ev_reply, stage, session_stage), FIELD(ev_reply, code),
       REQUIRED(ev_reply, text), FIELD(ev_reply, lines), FIELD(ev_reply, helo));

FIELDS(ev_tls, FIELD(ev_tls, version), FIELD(ev_tls, cipher), FIELD(ev_tls, subject),
       FIELD(ev_tls, issuer), FIELD(ev_tls, names), FIELD(ev_tls, spki_sha256),
       FIELD(ev_tls, verified), FIELD(ev_tls, error), FIELD(ev_tls, tlsa));

FIELDS(ev_session_end, ENUM(ev_session_end, stage, session_stage),
       ENUM(ev_session_end, end, session_end), FIELD(ev_session_end, bytes),
       FIELD(ev_session_end, text), FIELD(ev_session_end, more), FIELD(ev_session_end, in_clear));

FIELDS(ev_probe, ENUM(ev_probe, kind, probe_kind), FIELD(ev_probe, port), FIELD(ev_probe, dst),
       FIELD(ev_probe, sport), FIELD(ev_probe, ttl), FIELD(ev_probe, seq), FIELD(ev_probe, ip_id),
       FIELD(ev_probe, window), FIELD(ev_probe, injected), ERRNO(ev_probe, error));

FIELDS(ev_held, ENUM(ev_held, stage, session_stage));
FIELDS(ev_dns, ENUM(ev_dns, record, dns_record), FIELD(ev_dns, asked), REQUIRED(ev_dns, name),
       ENUM(ev_dns, status, dns_status), ENUM(ev_dns, trust, dns_trust), FIELD(ev_dns, text),
       FIELD(ev_dns, tlsa));

FIELDS(ev_canary, FIELD(ev_canary, address));

FIELDS(ev_alike, FIELD(ev_alike, port), ENUM(ev_alike, ailment, ailment), FIELD(ev_alike, traced),
       ENUM(ev_alike, place, place), FIELD(ev_alike, permille), FIELD(ev_alike, from_ttl),
       FIELD(ev_alike, to_ttl), FIELD(ev_alike, culprit_ttl), FIELD(ev_alike, from), FIELD(ev_alike, to),
       FIELD(ev_alike, confirm));

FIELDS(ev_asn, FIELD(ev_asn, address), FIELD(ev_asn, asn), FIELD(ev_asn, name));

FIELDS(ev_capture_stats, FIELD(ev_capture_stats, received), FIELD(ev_capture_stats, dropped_kernel),
       FIELD(ev_capture_stats, dropped_queue));

FIELDS(ev_not_looked, ENUM(ev_not_looked, what, look), REQUIRED(ev_not_looked, why));

static const struct fields run_end_fields = {NULL, 0};

/* ---- records of the host ---- */

FIELDS(host_rule, ENUM(host_rule, backend, fw_backend), ENUM(host_rule, verdict, fw_verdict),
       FIELD(host_rule, policy), FIELD(host_rule, family), FIELD(host_rule, table),
       FIELD(host_rule, chain), FIELD(host_rule, base_chain), FIELD(host_rule, hook),
       FIELD(host_rule, priority), FIELD(host_rule, handle), FIELD(host_rule, number),
       FIELD(host_rule, text));

FIELDS(host_packet, FIELD(host_packet, src), FIELD(host_packet, dst), FIELD(host_packet, sport),
       FIELD(host_packet, dport), FIELD(host_packet, tcp_flags), FIELD(host_packet, inbound),
       FIELD(host_packet, iif), FIELD(host_packet, oif), ENUM(host_packet, last, waypoint),
       FIELD(host_packet, egress_watched), FIELD(host_packet, stopped), FIELD(host_packet, turned),
       STRUCT(host_packet, stop, host_rule), STRUCT(host_packet, turn, host_rule));

FIELDS(host_counted, STRUCT(host_counted, rule, host_rule), FIELD(host_counted, inbound),
       FIELD(host_counted, dport), FIELD(host_counted, moved), FIELD(host_counted, certain));

FIELDS(host_program, FIELD(host_program, port), ENUM(host_program, hook, program_hook),
       FIELD(host_program, bpf), FIELD(host_program, interface), FIELD(host_program, cgroup),
       FIELD(host_program, id), FIELD(host_program, name), FIELD(host_program, attach_type),
       FIELD(host_program, pref), FIELD(host_program, handle), FIELD(host_program, protocol),
       FIELD(host_program, drops), FIELD(host_program, text));

FIELDS(host_kernel_drop, FIELD(host_kernel_drop, src), FIELD(host_kernel_drop, dst),
       FIELD(host_kernel_drop, sport), FIELD(host_kernel_drop, dport),
       FIELD(host_kernel_drop, tcp_flags), FIELD(host_kernel_drop, inbound),
       FIELD(host_kernel_drop, interface), FIELD(host_kernel_drop, reason),
       FIELD(host_kernel_drop, function));

FIELDS(host_setting, FIELD(host_setting, name), FIELD(host_setting, value),
       FIELD(host_setting, interface));

FIELDS(host_counter, FIELD(host_counter, name), FIELD(host_counter, moved));

FIELDS(host_translation, FIELD(host_translation, lport), FIELD(host_translation, called),
       FIELD(host_translation, called_port), FIELD(host_translation, actual),
       FIELD(host_translation, actual_port), FIELD(host_translation, local));

FIELDS(host_owner, FIELD(host_owner, address), FIELD(host_owner, port), FIELD(host_owner, pid),
       FIELD(host_owner, uid), FIELD(host_owner, transparent), FIELD(host_owner, name));

FIELDS(host_xfrm, FIELD(host_xfrm, inbound), FIELD(host_xfrm, block), FIELD(host_xfrm, port),
       FIELD(host_xfrm, text));

FIELDS(host_mark_rule, FIELD(host_mark_rule, port), FIELD(host_mark_rule, priority),
       FIELD(host_mark_rule, type), FIELD(host_mark_rule, text));

FIELDS(host_sight, FIELD(host_sight, port), FIELD(host_sight, inbound),
       ENUM(host_sight, would, host_would), STRUCT(host_sight, rule, host_rule),
       FIELD(host_sight, depends));

FIELDS(host_not_looked, ENUM(host_not_looked, what, host_look), FIELD(host_not_looked, why));

/* ---- kinds of facts ---- */

/* clang-format off */
#define EVENT(word, k, m, f)  {word, k, HOST_PACKET, offsetof(struct event, m), 0, 0, &f##_fields}
#define RECORD(word, k, m, f) {word, EV_HOST, k, offsetof(struct event, host), \
			       sizeof(struct host_record), offsetof(struct host_record, m), &f##_fields}

const struct fact_kind fact_kinds[] = {
	EVENT("link", EV_LINK, link, host_link),
	{"route", EV_ROUTE, HOST_PACKET, offsetof(struct event, route), sizeof(struct host_route), 0,
	 &host_route_fields},
	EVENT("neighbour", EV_NEIGHBOUR, neighbour, host_neighbour),
	EVENT("flow-start", EV_FLOW_START, flow_start, ev_flow_start),
	EVENT("connect", EV_CONNECT, connect, ev_connect),
	EVENT("icmp-error", EV_ICMP_ERROR, icmp_error, ev_icmp_error),
	EVENT("reply", EV_REPLY, reply, ev_reply),
	EVENT("tls", EV_TLS, tls, ev_tls),
	EVENT("session-end", EV_SESSION_END, session_end, ev_session_end),
	EVENT("held", EV_HELD, held, ev_held),
	EVENT("probe", EV_PROBE, probe, ev_probe),
	EVENT("dns", EV_DNS, dns, ev_dns),
	EVENT("canary", EV_CANARY, canary, ev_canary),
	EVENT("alike", EV_ALIKE, alike, ev_alike),
	EVENT("asn", EV_ASN, asn, ev_asn),
	EVENT("capture-stats", EV_CAPTURE_STATS, capture_stats, ev_capture_stats),
	EVENT("not-looked", EV_NOT_LOOKED, not_looked, ev_not_looked),
	EVENT("run-end", EV_RUN_END, link, run_end),
	RECORD("trace", HOST_PACKET, packet, host_packet),
	RECORD("counted-rule", HOST_COUNTED, counted, host_counted),
	RECORD("program", HOST_PROGRAM, program, host_program),
	RECORD("kernel-drop", HOST_KERNEL_DROP, kernel_drop, host_kernel_drop),
	RECORD("setting", HOST_SETTING, setting, host_setting),
	RECORD("counter", HOST_COUNTER, counter, host_counter),
	RECORD("translation", HOST_TRANSLATION, translation, host_translation),
	RECORD("owner", HOST_OWNER, owner, host_owner),
	RECORD("xfrm", HOST_XFRM, xfrm, host_xfrm),
	RECORD("mark-rule", HOST_MARK_RULE, mark_rule, host_mark_rule),
	RECORD("sight", HOST_SIGHT, sight, host_sight),
	RECORD("host-not-looked", HOST_NOT_LOOKED, not_looked, host_not_looked),
};
/* clang-format on */
const unsigned n_fact_kinds = COUNT(fact_kinds);

const struct fact_kind *fact_kind_of(const struct event *ev)
{
	for (unsigned i = 0; i < n_fact_kinds; i++) {
		const struct fact_kind *k = &fact_kinds[i];
		if (k->event == ev->kind && (ev->kind != EV_HOST || k->record == ev->host->kind))
			return k;
	}
	return NULL;
}

void *fact_data(const struct fact_kind *kind, struct event *ev)
{
	char *at = (char *)ev + kind->offset;

	if (!kind->size)
		return at;
	return *(char **)at ? *(char **)at + kind->inner : NULL;
}

/* ---- strings ---- */

struct walk {
	fields_visit *visit;
	void *arg;
	struct arena *arena;
};

/* A list whose strings stay the same stays where it is. */
static const char *const *walk_list(const struct walk *w, const struct field *f,
				    const char *const *list)
{
	const char **copy = NULL;
	size_t n = 0;

	while (list && list[n])
		n++;
	for (size_t i = 0; i < n; i++) {
		const char *now = w->visit(w->arg, f, list[i]);
		if (now == list[i])
			continue;
		if (!copy) {
			copy = arena_alloc(w->arena, (n + 1) * sizeof(*copy));
			memcpy(copy, list, n * sizeof(*copy));
		}
		copy[i] = now;
	}
	return copy ? copy : list;
}

/* What is cut to its array must not end amid a character. */
static void walk_chars(const struct walk *w, const struct field *f, char *s)
{
	if (!memchr(s, '\0', f->size))
		s[f->size - 1] = '\0';
	const char *now = w->visit(w->arg, f, s);
	if (now == s)
		return;
	size_t len = strlen(now);
	if (len >= f->size)
		for (len = f->size - 1; len && ((uint8_t)now[len] & 0xc0) == 0x80;)
			len--;
	memmove(s, now, len);
	memset(s + len, 0, f->size - len);
}

static void walk(const struct walk *w, const struct fields *fields, char *data)
{
	for (unsigned i = 0; i < fields->n; i++) {
		const struct field *f = &fields->list[i];
		char *at = data + f->offset;
		const char **string = (const char **)at;
		const char *const **strings = (const char *const **)at;

		if (f->type == FIELD_STRING && *string)
			*string = w->visit(w->arg, f, *string);
		else if (f->type == FIELD_STRINGS)
			*strings = walk_list(w, f, *strings);
		else if (f->type == FIELD_CHARS)
			walk_chars(w, f, at);
		else if (f->type == FIELD_STRUCT)
			walk(w, f->of, at);
		else if (f->type == FIELD_ARRAY)
			for (unsigned k = 0; k < *field_count(f, data); k++)
				walk(w, f->of, at + k * f->size);
	}
}

unsigned *field_count(const struct field *f, void *data)
{
	return (unsigned *)((char *)data + f->count_offset);
}

void fields_each_string(const struct fields *f, void *data, fields_visit *visit, void *arg,
			struct arena *a)
{
	struct walk w = {visit, arg, a};

	walk(&w, f, data);
}

static const char *clean(void *arena, const struct field *f, const char *s)
{
	size_t len = strlen(s);

	(void)f;
	return text_is_clean(s) ? s : text_clean(arena, s, len, len);
}

void fields_clean(const struct fields *f, void *data, struct arena *a)
{
	fields_each_string(f, data, clean, a, a);
}
