/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What one rule says of one packet. What is not understood is never a yes: an
 * unknown match makes the rule "maybe", an unknown target "may stop it".
 */
#include "host/iptables_rules.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* tcp flags as in the header's byte */
#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define PSH 0x08
#define ACK 0x10
#define URG 0x20

struct eval {
	const struct ipt_packet *p;
	const struct ipt_rule *rule;
	struct ipt_fit *out;
	uint32_t why; /* reasons of the option under way */
};

static enum ipt_truth truth(bool yes)
{
	return yes ? IPT_YES : IPT_NO;
}

static enum ipt_truth maybe(struct eval *v, enum ipt_reason reason)
{
	v->why |= (uint32_t)reason;
	return IPT_MAYBE;
}

/* A number (0x.. too), and what follows it. */
static bool number(const char **s, uint64_t *out)
{
	char *end;

	if (**s < '0' || **s > '9')
		return false;
	*out = strtoull(*s, &end, 0);
	*s = end;
	return true;
}

/* "N", "N:", ":M", "N:M" (or another separator) */
static bool range(const char **s, char separator, uint64_t top, uint64_t *lo, uint64_t *hi)
{
	*lo = 0;
	*hi = top;
	bool first = number(s, lo);
	if (**s != separator) {
		*hi = *lo;
		return first;
	}
	(*s)++;
	return number(s, hi) || first;
}

/* ---- addresses ---- */

static bool parse_mask(enum addr_family family, const char *text, struct addr *mask)
{
	unsigned long bits, top = family == ADDR_V4 ? 32 : 128;
	char *end;

	if (strpbrk(text, ".:"))
		return addr_parse(mask, text) && mask->family == family;
	bits = strtoul(text, &end, 10);
	if (*text == '\0' || *end != '\0' || bits > top)
		return false;
	*mask = (struct addr){.family = (uint8_t)family};
	for (unsigned i = 0; i < bits; i++)
		mask->bytes[i / 8] |= (uint8_t)(0x80u >> (i % 8));
	return true;
}

static enum ipt_truth address_fits(struct eval *v, const struct addr *a, const char *value)
{
	char text[IPT_WORD_MAX];
	struct addr want, mask;

	snprintf(text, sizeof(text), "%s", value);
	char *slash = strchr(text, '/');
	if (slash)
		*slash++ = '\0';
	if (!addr_parse(&want, text) || want.family != v->p->family ||
	    !parse_mask(v->p->family,
			slash                     ? slash
			: v->p->family == ADDR_V4 ? "32"
						  : "128",
			&mask))
		return maybe(v, IPT_BY_UNKNOWN);
	bool any = true, equal = true;
	for (size_t i = 0; i < sizeof(mask.bytes); i++) {
		any &= mask.bytes[i] == 0;
		equal &= ((a->bytes[i] ^ want.bytes[i]) & mask.bytes[i]) == 0;
	}
	if (any)
		return IPT_YES;
	return addr_is_set(a) ? truth(equal) : maybe(v, IPT_BY_ADDRESS);
}

/* "192.0.2.1-192.0.2.9" */
static enum ipt_truth address_between(struct eval *v, const struct addr *a, const char *value)
{
	char text[IPT_WORD_MAX];
	struct addr lo, hi;

	snprintf(text, sizeof(text), "%s", value);
	char *dash = strchr(text, '-');
	if (dash)
		*dash++ = '\0';
	if (!addr_parse(&lo, text) || !addr_parse(&hi, dash ? dash : text) ||
	    lo.family != v->p->family || hi.family != v->p->family)
		return maybe(v, IPT_BY_UNKNOWN);
	if (!addr_is_set(a))
		return maybe(v, IPT_BY_ADDRESS);
	return truth(memcmp(a->bytes, lo.bytes, sizeof(lo.bytes)) >= 0 &&
		     memcmp(a->bytes, hi.bytes, sizeof(hi.bytes)) <= 0);
}

static enum ipt_truth source_range(struct eval *v, const char *value)
{
	return address_between(v, &v->p->src, value);
}

static enum ipt_truth destination_range(struct eval *v, const char *value)
{
	return address_between(v, &v->p->dst, value);
}

static bool goes_to_itself(const struct ipt_packet *p)
{
	return addr_is_loopback(&p->dst) || (p->oif && strcmp(p->oif, "lo") == 0) ||
	       (p->iif && strcmp(p->iif, "lo") == 0);
}

/* Is it this host's own address? The routing table knows; so do we, mostly. */
static enum ipt_truth is_local(const struct ipt_packet *p, bool destination)
{
	if (destination ? !addr_is_set(&p->dst) : !addr_is_set(&p->src))
		return IPT_MAYBE;
	if (goes_to_itself(p))
		return IPT_LIKELY;
	return destination == p->inbound ? IPT_LIKELY : IPT_UNLIKELY;
}

static enum ipt_truth has_type(struct eval *v, bool destination, const char *list)
{
	enum ipt_truth t = IPT_NO, local = is_local(v->p, destination);
	char copy[IPT_WORD_MAX], *save = NULL;

	snprintf(copy, sizeof(copy), "%s", list);
	for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		if (strcmp(w, "LOCAL") == 0)
			t = ipt_or(t, local);
		else if (strcmp(w, "UNICAST") == 0)
			t = ipt_or(t, ipt_not(local));
		else if (strcmp(w, "BROADCAST") == 0 || strcmp(w, "MULTICAST") == 0)
			t = ipt_or(t, IPT_UNLIKELY);
		else
			t = ipt_or(t, IPT_MAYBE);
	}
	v->why |= IPT_BY_ROUTE;
	return t;
}

static enum ipt_truth source_type(struct eval *v, const char *value)
{
	return has_type(v, false, value);
}

static enum ipt_truth destination_type(struct eval *v, const char *value)
{
	return has_type(v, true, value);
}

static enum ipt_truth unicast(struct eval *v, const char *value)
{
	(void)v;
	return strcmp(value, "unicast") == 0 ? IPT_LIKELY : IPT_UNLIKELY;
}

/* ---- interfaces ---- */

static enum ipt_truth interface_fits(struct eval *v, const char *have, const char *want)
{
	size_t n = strlen(want);
	bool prefix = n > 0 && want[n - 1] == '+';

	if (prefix && n == 1)
		return IPT_YES;
	if (!have)
		return maybe(v, IPT_BY_INTERFACE);
	bool same = prefix ? strncmp(have, want, n - 1) == 0 : strcmp(have, want) == 0;
	/* an answer may come in by another interface than the one by which its SYN left */
	if (v->p->inbound && have == v->p->iif && *have)
		return same ? IPT_LIKELY : IPT_UNLIKELY;
	return truth(same);
}

/* ---- ports ---- */

/* Nobody told: connect() takes one from the ephemeral range, which is never below 1024. */
static enum ipt_truth unknown_port(struct eval *v, bool ephemeral, uint64_t lo, uint64_t hi)
{
	if (lo == 0 && hi >= 65535)
		return IPT_YES;
	if (ephemeral && lo <= 1024 && hi >= 65535)
		return IPT_LIKELY;
	if (ephemeral && hi < 1024)
		return IPT_UNLIKELY;
	return maybe(v, IPT_BY_PORT);
}

static enum ipt_truth port_between(struct eval *v, bool source, uint64_t lo, uint64_t hi)
{
	const struct ipt_ports *ports = source ? &v->p->sport : &v->p->dport;
	unsigned in = 0;

	if (ports->n == 0)
		return unknown_port(v, source != v->p->reply, lo, hi);
	for (unsigned i = 0; i < ports->n; i++)
		in += ports->list[i] >= lo && ports->list[i] <= hi;
	return in == 0 ? IPT_NO : in == ports->n ? IPT_YES : maybe(v, IPT_BY_PORT);
}

static enum ipt_truth port_range(struct eval *v, bool source, const char *value)
{
	uint64_t lo, hi;

	if (!range(&value, ':', 65535, &lo, &hi) || *value)
		return maybe(v, IPT_BY_UNKNOWN);
	return port_between(v, source, lo, hi);
}

static enum ipt_truth source_port(struct eval *v, const char *value)
{
	return port_range(v, true, value);
}

static enum ipt_truth destination_port(struct eval *v, const char *value)
{
	return port_range(v, false, value);
}

/* "25,465,587:600" */
static enum ipt_truth port_list(struct eval *v, bool source, const char *value)
{
	enum ipt_truth t = IPT_NO;
	uint64_t lo, hi;

	for (;;) {
		if (!range(&value, ':', 65535, &lo, &hi))
			return maybe(v, IPT_BY_UNKNOWN);
		t = ipt_or(t, port_between(v, source, lo, hi));
		if (*value == '\0')
			return t;
		if (*value++ != ',')
			return maybe(v, IPT_BY_UNKNOWN);
	}
}

static enum ipt_truth source_ports(struct eval *v, const char *value)
{
	return port_list(v, true, value);
}

static enum ipt_truth destination_ports(struct eval *v, const char *value)
{
	return port_list(v, false, value);
}

static enum ipt_truth either_ports(struct eval *v, const char *value)
{
	return ipt_or(port_list(v, true, value), port_list(v, false, value));
}

/* ---- flags ---- */

static bool parse_flags(const char *list, unsigned *out)
{
	static const struct {
		const char *name;
		unsigned bits;
	} names[] = {{"FIN", FIN}, {"SYN", SYN}, {"RST", RST},  {"PSH", PSH},
		     {"ACK", ACK}, {"URG", URG}, {"ALL", 0x3f}, {"NONE", 0}};
	char copy[IPT_WORD_MAX], *save = NULL;

	*out = 0;
	snprintf(copy, sizeof(copy), "%s", list);
	for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		size_t i = 0, n = sizeof(names) / sizeof(names[0]);
		while (i < n && strcmp(names[i].name, w) != 0)
			i++;
		if (i == n)
			return false;
		*out |= names[i].bits;
	}
	return true;
}

/* value: "FIN,SYN,RST,ACK SYN" */
static enum ipt_truth flags_fit(struct eval *v, const char *value)
{
	char mask_text[IPT_WORD_MAX];
	unsigned mask, want, have = v->p->reply ? SYN | ACK : SYN;
	size_t n = strcspn(value, " ");

	snprintf(mask_text, sizeof(mask_text), "%.*s", (int)n, value);
	if (value[n] != ' ' || !parse_flags(mask_text, &mask) || !parse_flags(value + n + 1, &want))
		return maybe(v, IPT_BY_UNKNOWN);
	return truth((have & mask) == want);
}

static enum ipt_truth is_syn(struct eval *v, const char *value)
{
	(void)value;
	return truth(!v->p->reply);
}

/* ---- the socket ---- */

static enum ipt_truth id_between(struct eval *v, uint64_t id, const char *value)
{
	uint64_t lo, hi;

	/* inbound rules can't ask; a user chain that is shared may */
	if (!v->p->own)
		return maybe(v, IPT_BY_OWNER);
	if (!range(&value, '-', UINT32_MAX, &lo, &hi) || *value)
		return maybe(v, IPT_BY_UNKNOWN);
	return truth(id >= lo && id <= hi);
}

static enum ipt_truth owner_uid(struct eval *v, const char *value)
{
	return id_between(v, v->p->uid, value);
}

static enum ipt_truth owner_gid(struct eval *v, const char *value)
{
	static const char others[] = "--suppl-groups"; /* comes behind */
	enum ipt_truth t = id_between(v, v->p->gid, value);

	if (t == IPT_NO && memmem(v->rule->text, v->rule->len, others, sizeof(others) - 1))
		return maybe(v, IPT_BY_OWNER);
	return t;
}

static enum ipt_truth owner_exists(struct eval *v, const char *value)
{
	(void)value;
	return v->p->own ? IPT_YES : maybe(v, IPT_BY_OWNER);
}

/* ---- conntrack ---- */

static enum ipt_truth one_state(const struct ipt_packet *p, const char *name)
{
	enum ipt_truth tracked = ipt_not(p->untracked);
	bool reply = p->reply;

	if (strcmp(name, "UNTRACKED") == 0)
		return ipt_or(p->untracked, IPT_UNLIKELY);
	if (strcmp(name, "NEW") == 0)
		return reply ? IPT_UNLIKELY : ipt_and(tracked, IPT_LIKELY);
	if (strcmp(name, "ESTABLISHED") == 0)
		return reply ? ipt_and(tracked, IPT_LIKELY) : IPT_UNLIKELY;
	if (strcmp(name, "DNAT") == 0)
		return ipt_or(ipt_and(p->turned, IPT_LIKELY), IPT_UNLIKELY);
	if (strcmp(name, "SNAT") == 0)
		return reply ? IPT_MAYBE : IPT_UNLIKELY;
	if (strcmp(name, "INVALID") == 0 || strcmp(name, "RELATED") == 0)
		return IPT_UNLIKELY;
	return IPT_MAYBE;
}

static enum ipt_truth state_fits(struct eval *v, const char *list)
{
	char copy[IPT_WORD_MAX], *save = NULL;
	enum ipt_truth t = IPT_NO;

	snprintf(copy, sizeof(copy), "%s", list);
	for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save))
		t = ipt_or(t, one_state(v->p, w));
	v->why |= IPT_BY_CONNTRACK;
	return t;
}

static enum ipt_truth protocol_fits(struct eval *v, const char *value)
{
	(void)v;
	return truth(strcmp(value, "tcp") == 0 || strcmp(value, "6") == 0 ||
		     strcmp(value, "all") == 0 || strcmp(value, "0") == 0);
}

static enum ipt_truth ct_protocol(struct eval *v, const char *value)
{
	return ipt_and(protocol_fits(v, value), IPT_LIKELY);
}

static enum ipt_truth ct_direction(struct eval *v, const char *value)
{
	(void)v;
	return (strcmp(value, "REPLY") == 0) == v->p->reply ? IPT_LIKELY : IPT_UNLIKELY;
}

static enum ipt_truth ct_entry(struct eval *v, const char *value)
{
	(void)value;
	return maybe(v, IPT_BY_CONNTRACK);
}

/* ---- the rest ---- */

static enum ipt_truth mark_fits(struct eval *v, const char *value)
{
	uint64_t want, mask = UINT32_MAX;

	if (!number(&value, &want))
		return maybe(v, IPT_BY_UNKNOWN);
	if (*value == '/') {
		value++;
		if (!number(&value, &mask))
			return maybe(v, IPT_BY_UNKNOWN);
	}
	v->why |= IPT_BY_MARK;
	if ((v->p->mark ^ want) & mask & v->p->mark_known)
		return IPT_UNLIKELY;
	return mask & ~(uint64_t)v->p->mark_known ? IPT_MAYBE : IPT_LIKELY;
}

/* A SYN or SYN-ACK: two headers, up to 40 bytes of options, no data. */
static enum ipt_truth length_fits(struct eval *v, const char *value)
{
	uint64_t lo, hi, least = v->p->family == ADDR_V4 ? 40 : 60, most = least + 40;

	if (!range(&value, ':', 65535, &lo, &hi) || *value)
		return maybe(v, IPT_BY_UNKNOWN);
	if (lo <= least && hi >= most)
		return IPT_YES;
	return hi < least || lo > most ? IPT_NO : maybe(v, IPT_BY_HEADER);
}

static enum ipt_truth ipsec_policy(struct eval *v, const char *value)
{
	(void)v;
	return strcmp(value, "none") == 0 ? IPT_LIKELY : IPT_UNLIKELY;
}

static enum ipt_truth always(struct eval *v, const char *value)
{
	(void)v, (void)value;
	return IPT_YES;
}

static enum ipt_truth unknown_route(struct eval *v, const char *value)
{
	(void)value;
	return maybe(v, IPT_BY_ROUTE);
}

/* No bridge's port for our packets; a valid source, by the reverse path. */
static enum ipt_truth unlikely(struct eval *v, const char *value)
{
	(void)v, (void)value;
	return IPT_UNLIKELY;
}

static enum ipt_truth unknown_header(struct eval *v, const char *value)
{
	(void)value;
	return maybe(v, IPT_BY_HEADER);
}

/* ---- the tables ---- */

/* A match as a whole. truth: YES: as its options say; else what it comes to whatever they say. */
static const struct module {
	const char *name;
	enum ipt_truth truth;
	uint32_t reasons;
} modules[] = {
	{"tcp", IPT_YES, 0},
	{"multiport", IPT_YES, 0},
	{"comment", IPT_YES, 0},
	{"owner", IPT_YES, 0},
	{"conntrack", IPT_YES, 0},
	{"state", IPT_YES, 0},
	{"mark", IPT_YES, 0},
	{"addrtype", IPT_YES, 0},
	{"pkttype", IPT_YES, 0},
	{"iprange", IPT_YES, 0},
	{"length", IPT_YES, 0},
	{"policy", IPT_YES, 0},
	{"physdev", IPT_YES, 0},
	{"rpfilter", IPT_LIKELY, IPT_BY_ROUTE},
	{"udp", IPT_NO, 0},
	{"udplite", IPT_NO, 0},
	{"icmp", IPT_NO, 0},
	{"icmp6", IPT_NO, 0},
	{"sctp", IPT_NO, 0},
	{"dccp", IPT_NO, 0},
	{"esp", IPT_NO, 0},
	{"ah", IPT_NO, 0},
	{"limit", IPT_MAYBE, IPT_BY_RATE},
	{"hashlimit", IPT_MAYBE, IPT_BY_RATE},
	{"rateest", IPT_MAYBE, IPT_BY_RATE},
	{"connlimit", IPT_MAYBE, IPT_BY_COUNT},
	{"connbytes", IPT_MAYBE, IPT_BY_CONNTRACK},
	{"connlabel", IPT_MAYBE, IPT_BY_CONNTRACK},
	{"connmark", IPT_MAYBE, IPT_BY_CONNTRACK},
	{"helper", IPT_MAYBE, IPT_BY_CONNTRACK},
	{"set", IPT_MAYBE, IPT_BY_SET},
	{"recent", IPT_MAYBE, IPT_BY_RECENT},
	{"statistic", IPT_MAYBE, IPT_BY_CHANCE},
	{"cpu", IPT_MAYBE, IPT_BY_CHANCE},
	{"cluster", IPT_MAYBE, IPT_BY_CHANCE},
	{"quota", IPT_MAYBE, IPT_BY_QUOTA},
	{"nfacct", IPT_MAYBE, IPT_BY_QUOTA},
	{"time", IPT_MAYBE, IPT_BY_TIME},
	{"cgroup", IPT_MAYBE, IPT_BY_CGROUP},
	{"socket", IPT_MAYBE, IPT_BY_SOCKET},
	{"string", IPT_MAYBE, IPT_BY_CONTENT},
	{"u32", IPT_MAYBE, IPT_BY_CONTENT},
	{"bpf", IPT_MAYBE, IPT_BY_CONTENT},
	{"osf", IPT_MAYBE, IPT_BY_HEADER},
	{"ttl", IPT_MAYBE, IPT_BY_HEADER},
	{"hl", IPT_MAYBE, IPT_BY_HEADER},
	{"tos", IPT_MAYBE, IPT_BY_HEADER},
	{"dscp", IPT_MAYBE, IPT_BY_HEADER},
	{"ecn", IPT_MAYBE, IPT_BY_HEADER},
	{"tcpmss", IPT_MAYBE, IPT_BY_HEADER},
	{"ipv6header", IPT_MAYBE, IPT_BY_HEADER},
	{"mac", IPT_MAYBE, IPT_BY_MAC},
	{"eui64", IPT_MAYBE, IPT_BY_MAC},
	{"realm", IPT_MAYBE, IPT_BY_ROUTE},
	{"devgroup", IPT_MAYBE, IPT_BY_INTERFACE},
};

static const struct option {
	const char *module, *name;
	enum ipt_truth (*fits)(struct eval *v, const char *value);
} options[] = {
	{"tcp", "--sport", source_port},
	{"tcp", "--dport", destination_port},
	{"tcp", "--tcp-flags", flags_fit},
	{"tcp", "--syn", is_syn},
	{"tcp", "--tcp-option", unknown_header},
	{"multiport", "--sports", source_ports},
	{"multiport", "--dports", destination_ports},
	{"multiport", "--ports", either_ports},
	{"comment", "--comment", always},
	{"owner", "--uid-owner", owner_uid},
	{"owner", "--gid-owner", owner_gid},
	{"owner", "--socket-exists", owner_exists},
	{"owner", "--suppl-groups", always},
	{"conntrack", "--ctstate", state_fits},
	{"conntrack", "--ctproto", ct_protocol},
	{"conntrack", "--ctdir", ct_direction},
	{"conntrack", "--ctstatus", ct_entry},
	{"conntrack", "--ctexpire", ct_entry},
	{"conntrack", "--ctorigsrc", ct_entry},
	{"conntrack", "--ctorigdst", ct_entry},
	{"conntrack", "--ctreplsrc", ct_entry},
	{"conntrack", "--ctrepldst", ct_entry},
	{"conntrack", "--ctorigsrcport", ct_entry},
	{"conntrack", "--ctorigdstport", ct_entry},
	{"conntrack", "--ctreplsrcport", ct_entry},
	{"conntrack", "--ctrepldstport", ct_entry},
	{"state", "--state", state_fits},
	{"mark", "--mark", mark_fits},
	{"addrtype", "--src-type", source_type},
	{"addrtype", "--dst-type", destination_type},
	{"addrtype", "--limit-iface-in", unknown_route},
	{"addrtype", "--limit-iface-out", unknown_route},
	{"pkttype", "--pkt-type", unicast},
	{"iprange", "--src-range", source_range},
	{"iprange", "--dst-range", destination_range},
	{"length", "--length", length_fits},
	{"policy", "--dir", always},
	{"policy", "--pol", ipsec_policy},
	{"physdev", "--physdev-in", unlikely},
	{"physdev", "--physdev-out", unlikely},
	{"physdev", "--physdev-is-in", unlikely},
	{"physdev", "--physdev-is-out", unlikely},
	{"physdev", "--physdev-is-bridged", unlikely},
	{"rpfilter", "--loose", always},
	{"rpfilter", "--validmark", always},
	{"rpfilter", "--accept-local", always},
	{"rpfilter", "--invert", unlikely},
};

/* Options that take no value. All others take one, or, below, two. */
static const char *const bare[] = {"--syn",
				   "--socket-exists",
				   "--suppl-groups",
				   "--rcheck",
				   "--update",
				   "--set",
				   "--remove",
				   "--rttl",
				   "--rsource",
				   "--rdest",
				   "--reap",
				   "--transparent",
				   "--nowildcard",
				   "--restore-skmark",
				   "--loose",
				   "--validmark",
				   "--accept-local",
				   "--invert",
				   "--physdev-is-in",
				   "--physdev-is-out",
				   "--physdev-is-bridged",
				   "--limit-iface-in",
				   "--limit-iface-out",
				   "--kerneltz",
				   "--contiguous",
				   "--utc",
				   "--localtz",
				   "--ecn-tcp-cwr",
				   "--ecn-tcp-ece",
				   "--connlimit-saddr",
				   "--connlimit-daddr",
				   "--icase",
				   "--hashlimit-rate-match",
				   "--return-nomatch",
				   "--update-counters",
				   "--update-subcounters",
				   "--soft",
				   "--strict",
				   "--next",
				   "--rt-0-res",
				   "--rt-0-not-strict",
				   "--ahres",
				   "--fragres",
				   "--fragfirst",
				   "--fragmore",
				   "--fraglast",
				   "--rateest-delta"};

#define N(array) (sizeof(array) / sizeof((array)[0]))

static bool takes_none(const char *option)
{
	for (size_t i = 0; i < N(bare); i++)
		if (strcmp(bare[i], option) == 0)
			return true;
	return false;
}

static bool takes_two(const char *option)
{
	return strcmp(option, "--tcp-flags") == 0 || strcmp(option, "--match-set") == 0;
}

static const struct module *find_module(const char *name)
{
	static const struct module unknown = {"", IPT_MAYBE, IPT_BY_UNKNOWN};

	for (size_t i = 0; i < N(modules); i++)
		if (strcmp(modules[i].name, name) == 0)
			return &modules[i];
	return &unknown;
}

static const struct option *find_option(const char *module, const char *name)
{
	for (size_t i = 0; i < N(options); i++)
		if (strcmp(options[i].module, module) == 0 && strcmp(options[i].name, name) == 0)
			return &options[i];
	return NULL;
}

/* ---- targets ---- */

static const struct target {
	const char *name;
	enum ipt_kind kind;
	enum fw_verdict verdict;
} targets[] = {
	{"ACCEPT", IPT_ACCEPT, FW_ACCEPT},     {"DROP", IPT_STOP, FW_DROP},
	{"REJECT", IPT_STOP, FW_REJECT},       {"STEAL", IPT_STOP, FW_DROP},
	{"RETURN", IPT_RETURN, FW_ACCEPT},     {"QUEUE", IPT_QUEUE, FW_QUEUE},
	{"NFQUEUE", IPT_QUEUE, FW_QUEUE},      {"REDIRECT", IPT_TURN, FW_REDIRECT},
	{"DNAT", IPT_TURN, FW_DNAT},           {"NETMAP", IPT_TURN, FW_DNAT},
	{"TPROXY", IPT_TURN, FW_TPROXY},       {"SNAT", IPT_ACCEPT, FW_ACCEPT},
	{"MASQUERADE", IPT_ACCEPT, FW_ACCEPT}, {"MARK", IPT_MARK, FW_ACCEPT},
	{"CONNMARK", IPT_MARK, FW_ACCEPT},     {"HMARK", IPT_MARK, FW_ACCEPT},
	{"NOTRACK", IPT_UNTRACK, FW_ACCEPT},   {"CT", IPT_GO_ON, FW_ACCEPT},
	{"LOG", IPT_GO_ON, FW_ACCEPT},         {"NFLOG", IPT_GO_ON, FW_ACCEPT},
	{"ULOG", IPT_GO_ON, FW_ACCEPT},        {"AUDIT", IPT_GO_ON, FW_ACCEPT},
	{"TRACE", IPT_GO_ON, FW_ACCEPT},       {"TEE", IPT_GO_ON, FW_ACCEPT},
	{"TCPMSS", IPT_GO_ON, FW_ACCEPT},      {"TCPOPTSTRIP", IPT_GO_ON, FW_ACCEPT},
	{"TOS", IPT_GO_ON, FW_ACCEPT},         {"DSCP", IPT_GO_ON, FW_ACCEPT},
	{"ECN", IPT_GO_ON, FW_ACCEPT},         {"TTL", IPT_GO_ON, FW_ACCEPT},
	{"HL", IPT_GO_ON, FW_ACCEPT},          {"SET", IPT_GO_ON, FW_ACCEPT},
	{"CLASSIFY", IPT_GO_ON, FW_ACCEPT},    {"SECMARK", IPT_GO_ON, FW_ACCEPT},
	{"CONNSECMARK", IPT_GO_ON, FW_ACCEPT}, {"CHECKSUM", IPT_GO_ON, FW_ACCEPT},
	{"RATEEST", IPT_GO_ON, FW_ACCEPT},     {"IDLETIMER", IPT_GO_ON, FW_ACCEPT},
	{"LED", IPT_GO_ON, FW_ACCEPT},         {"ACCOUNT", IPT_GO_ON, FW_ACCEPT},
};

/* Anything else is a chain, when its table has one of that name. */
static void set_target(struct ipt_fit *out, const char *name, bool is_goto)
{
	snprintf(out->target, sizeof(out->target), "%.*s", IPT_NAME_MAX - 1, name);
	out->kind = is_goto ? IPT_GOTO : IPT_JUMP;
	for (size_t i = 0; !is_goto && i < N(targets); i++)
		if (strcmp(targets[i].name, name) == 0) {
			out->kind = targets[i].kind;
			out->verdict = targets[i].verdict;
		}
	out->to_port_kept = true;
}

/* "2525", "2525-2530", "2525 random" */
static void redirect_ports(struct ipt_fit *out, const char *value)
{
	uint64_t lo, hi;
	bool one = range(&value, '-', 65535, &lo, &hi) && lo == hi && lo > 0 && lo < 65536;

	out->to_port = one ? (uint16_t)lo : 0;
	out->to_port_kept = false;
}

/* "192.0.2.1", "192.0.2.1:2525", "[2001:db8::1]:2525", ":2525"; ranges stay unknown */
static void destination(struct ipt_fit *out, const char *value)
{
	char text[IPT_WORD_MAX];
	char *port;

	snprintf(text, sizeof(text), "%s", value);
	if (text[0] == '[') {
		port = strchr(text, ']');
		port = port && port[1] == ':' ? port + 1 : NULL;
	} else {
		port = strchr(text, ':');
		if (port && strchr(port + 1, ':')) /* IPv6 without a port */
			port = NULL;
	}
	if (port) {
		*port++ = '\0';
		redirect_ports(out, port);
	}
	if (!addr_parse(&out->to, text))
		out->to = (struct addr){0};
	if (addr_is_loopback(&out->to))
		out->verdict = FW_REDIRECT;
}

static void set_mark(struct ipt_fit *out, const char *value)
{
	uint64_t mark, mask = UINT32_MAX;

	if (!number(&value, &mark))
		return;
	if (*value == '/') {
		value++;
		if (!number(&value, &mask))
			return;
	}
	out->mark = (uint32_t)mark;
	out->mask = (uint32_t)mask;
	out->mark_known = true;
}

/* --and-mark and --or-mark are saved as --set-xmark */
static void target_option(struct ipt_fit *out, struct ipt_scan *s, const char *target)
{
	char option[IPT_WORD_MAX];

	memcpy(option, s->word, sizeof(option));
	if (strcmp(option, "--notrack") == 0 && strcmp(target, "CT") == 0) {
		out->kind = IPT_UNTRACK;
	} else if (strcmp(option, "--to-ports") == 0 && out->verdict == FW_REDIRECT) {
		if (ipt_word(s))
			redirect_ports(out, s->word);
	} else if (strcmp(option, "--to-destination") == 0 && out->verdict == FW_DNAT) {
		if (ipt_word(s))
			destination(out, s->word);
	} else if (strcmp(option, "--set-xmark") == 0 && strcmp(target, "MARK") == 0) {
		if (ipt_word(s))
			set_mark(out, s->word);
	} else if (strcmp(target, "CONNMARK") == 0 && strcmp(option, "--restore-mark") != 0 &&
		   strcmp(option, "--nfmask") != 0 && strcmp(option, "--ctmask") != 0 &&
		   strncmp(option, "--", 2) == 0) {
		out->kind = IPT_GO_ON; /* writes the connection's mark, not the packet's */
	}
}

/* ---- one rule ---- */

static bool add(struct eval *v, enum ipt_truth t, bool negated)
{
	struct ipt_fit *out = v->out;

	if (negated)
		t = ipt_not(t);
	if (t == IPT_MAYBE)
		out->reasons |= v->why;
	v->why = 0;
	out->truth = ipt_and(out->truth, t);
	return out->truth != IPT_NO;
}

static enum ipt_truth basic(struct eval *v, char option, const char *value)
{
	const struct ipt_packet *p = v->p;

	switch (option) {
	case 's': return address_fits(v, &p->src, value);
	case 'd': return address_fits(v, &p->dst, value);
	case 'i': return interface_fits(v, p->iif, value);
	case 'o': return interface_fits(v, p->oif, value);
	case 'p': return protocol_fits(v, value);
	}
	return maybe(v, IPT_BY_UNKNOWN);
}

/* The value of an option, one word or two; false: there is none. */
static bool take_value(struct ipt_scan *s, const char *option, char value[2 * IPT_WORD_MAX],
		       bool *cut)
{
	*value = '\0';
	*cut = false;
	if (takes_none(option))
		return true;
	if (!ipt_word(s))
		return false;
	*cut = s->cut;
	size_t n = strlen(s->word);
	memcpy(value, s->word, n + 1);
	if (!takes_two(option))
		return true;
	if (!ipt_word(s))
		return false;
	*cut |= s->cut;
	value[n] = ' ';
	memcpy(value + n + 1, s->word, strlen(s->word) + 1);
	return true;
}

static enum ipt_truth match_option(struct eval *v, struct ipt_scan *s, const struct module *m)
{
	char name[IPT_WORD_MAX], value[2 * IPT_WORD_MAX];
	bool cut;

	memcpy(name, s->word, sizeof(name));
	if (!take_value(s, name, value, &cut))
		return maybe(v, IPT_BY_UNKNOWN);
	if (m->truth != IPT_YES && strcmp(m->name, "rpfilter") != 0)
		return IPT_YES; /* said already, and not to be turned by a "!" */
	const struct option *o = find_option(m->name, name);
	if (!o || (cut && o->fits != always))
		return maybe(v, IPT_BY_UNKNOWN);
	return o->fits(v, value);
}

static bool is_basic(const struct ipt_scan *s)
{
	const char *w = s->word;

	return !s->quoted && w[0] == '-' && w[1] != '\0' && w[2] == '\0' && strchr("sdiop", w[1]);
}

/* One more option of the rule. False: it can't match any more. */
static bool next_part(struct eval *v, struct ipt_scan *s, const struct module **m)
{
	bool negated = !s->quoted && strcmp(s->word, "!") == 0;
	char option;

	if (negated && !ipt_word(s))
		return add(v, maybe(v, IPT_BY_UNKNOWN), false);
	if (is_basic(s)) {
		option = s->word[1];
		if (!ipt_word(s) || s->cut)
			return add(v, maybe(v, IPT_BY_UNKNOWN), false);
		return add(v, basic(v, option, s->word), negated);
	}
	if (strcmp(s->word, "-f") == 0) /* a further fragment: ours are whole */
		return add(v, IPT_NO, negated);
	if (strcmp(s->word, "-m") == 0) {
		*m = ipt_word(s) ? find_module(s->word) : find_module("");
		v->why |= (*m)->reasons;
		return add(v, (*m)->truth, false);
	}
	if (s->quoted || strncmp(s->word, "--", 2) != 0)
		return add(v, maybe(v, IPT_BY_UNKNOWN), false);
	/* of a match whose options don't count, a "!" does not count either */
	bool counts = (*m)->truth == IPT_YES || strcmp((*m)->name, "rpfilter") == 0;
	return add(v, match_option(v, s, *m), negated && counts);
}

static bool is_target(const struct ipt_scan *s)
{
	return !s->quoted && (strcmp(s->word, "-j") == 0 || strcmp(s->word, "-g") == 0);
}

void ipt_fits(const struct ipt_rule *r, const struct ipt_packet *p, struct ipt_fit *out)
{
	struct ipt_scan s = {.p = r->text, .end = r->text + r->len};
	const struct module *m = find_module("");
	struct eval v = {.p = p, .rule = r, .out = out};

	*out = (struct ipt_fit){.truth = IPT_YES, .kind = IPT_GO_ON};
	bool more = ipt_word(&s) && ipt_word(&s) && ipt_word(&s); /* behind "-A CHAIN" */
	while (more && !is_target(&s)) {
		if (!next_part(&v, &s, &m))
			return; /* does not match: whatever it would do */
		more = ipt_word(&s);
	}
	if (out->truth != IPT_MAYBE)
		out->reasons = 0;
	if (!more)
		return; /* no target: it only counts */
	bool is_goto = s.word[1] == 'g';
	char target[IPT_WORD_MAX];
	if (!ipt_word(&s))
		return;
	memcpy(target, s.word, sizeof(target));
	set_target(out, target, is_goto);
	while (ipt_word(&s))
		target_option(out, &s, target);
	if (!out->mark_known)
		out->mask = UINT32_MAX;
}
