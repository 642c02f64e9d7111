/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What each match says of one packet. What is not understood is never a yes, but "maybe". */
#include "host/iptables_match.h"

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

#define N(array) (sizeof(array) / sizeof((array)[0]))

static enum ipt_truth truth(bool yes)
{
	return yes ? IPT_YES : IPT_NO;
}

enum ipt_truth ipt_maybe(struct ipt_eval *v, enum ipt_reason reason)
{
	v->why |= (uint32_t)reason;
	return IPT_MAYBE;
}

bool ipt_number(const char **s, uint64_t *out)
{
	char *end;

	if (**s < '0' || **s > '9')
		return false;
	*out = strtoull(*s, &end, 0);
	*s = end;
	return true;
}

bool ipt_range(const char **s, char separator, uint64_t top, uint64_t *lo, uint64_t *hi)
{
	*lo = 0;
	*hi = top;
	bool first = ipt_number(s, lo);
	if (**s != separator) {
		*hi = *lo;
		return first;
	}
	(*s)++;
	return ipt_number(s, hi) || first;
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

enum ipt_truth ipt_address_fits(struct ipt_eval *v, const struct addr *a, const char *value)
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
		return ipt_maybe(v, IPT_BY_UNKNOWN);
	bool any = true, equal = true;
	for (size_t i = 0; i < sizeof(mask.bytes); i++) {
		any &= mask.bytes[i] == 0;
		equal &= ((a->bytes[i] ^ want.bytes[i]) & mask.bytes[i]) == 0;
	}
	if (any)
		return IPT_YES;
	return addr_is_set(a) ? truth(equal) : ipt_maybe(v, IPT_BY_ADDRESS);
}

/* "192.0.2.1-192.0.2.9" */
static enum ipt_truth address_between(struct ipt_eval *v, const struct addr *a, const char *value)
{
	char text[IPT_WORD_MAX];
	struct addr lo, hi;

	snprintf(text, sizeof(text), "%s", value);
	char *dash = strchr(text, '-');
	if (dash)
		*dash++ = '\0';
	if (!addr_parse(&lo, text) || !addr_parse(&hi, dash ? dash : text) ||
	    lo.family != v->p->family || hi.family != v->p->family)
		return ipt_maybe(v, IPT_BY_UNKNOWN);
	if (!addr_is_set(a))
		return ipt_maybe(v, IPT_BY_ADDRESS);
	return truth(memcmp(a->bytes, lo.bytes, sizeof(lo.bytes)) >= 0 &&
		     memcmp(a->bytes, hi.bytes, sizeof(hi.bytes)) <= 0);
}

static enum ipt_truth source_range(struct ipt_eval *v, const char *value)
{
	return address_between(v, &v->p->src, value);
}

static enum ipt_truth destination_range(struct ipt_eval *v, const char *value)
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

static enum ipt_truth has_type(struct ipt_eval *v, bool destination, const char *list)
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

static enum ipt_truth source_type(struct ipt_eval *v, const char *value)
{
	return has_type(v, false, value);
}

static enum ipt_truth destination_type(struct ipt_eval *v, const char *value)
{
	return has_type(v, true, value);
}

static enum ipt_truth unicast(struct ipt_eval *v, const char *value)
{
	(void)v;
	return strcmp(value, "unicast") == 0 ? IPT_LIKELY : IPT_UNLIKELY;
}

/* ---- interfaces ---- */

enum ipt_truth ipt_interface_fits(struct ipt_eval *v, const char *have, const char *want)
{
	size_t n = strlen(want);
	bool prefix = n > 0 && want[n - 1] == '+';

	if (prefix && n == 1)
		return IPT_YES;
	if (!have)
		return ipt_maybe(v, IPT_BY_INTERFACE);
	bool same = prefix ? strncmp(have, want, n - 1) == 0 : strcmp(have, want) == 0;
	/* an answer may come in by another interface than the one by which its SYN left */
	if (v->p->inbound && have == v->p->iif && *have)
		return same ? IPT_LIKELY : IPT_UNLIKELY;
	return truth(same);
}

/* ---- ports ---- */

/* Nobody told: connect() takes one from the ephemeral range, which is never below 1024. */
static enum ipt_truth unknown_port(struct ipt_eval *v, bool ephemeral, uint64_t lo, uint64_t hi)
{
	if (lo == 0 && hi >= 65535)
		return IPT_YES;
	if (ephemeral && lo <= 1024 && hi >= 65535)
		return IPT_LIKELY;
	if (ephemeral && hi < 1024)
		return IPT_UNLIKELY;
	return ipt_maybe(v, IPT_BY_PORT);
}

static enum ipt_truth port_between(struct ipt_eval *v, bool source, uint64_t lo, uint64_t hi)
{
	const struct ipt_ports *ports = source ? &v->p->sport : &v->p->dport;
	unsigned in = 0;

	if (ports->n == 0)
		return unknown_port(v, source != v->p->reply, lo, hi);
	for (unsigned i = 0; i < ports->n; i++)
		in += ports->list[i] >= lo && ports->list[i] <= hi;
	return in == 0 ? IPT_NO : in == ports->n ? IPT_YES : ipt_maybe(v, IPT_BY_PORT);
}

static enum ipt_truth port_range(struct ipt_eval *v, bool source, const char *value)
{
	uint64_t lo, hi;

	if (!ipt_range(&value, ':', 65535, &lo, &hi) || *value)
		return ipt_maybe(v, IPT_BY_UNKNOWN);
	return port_between(v, source, lo, hi);
}

static enum ipt_truth source_port(struct ipt_eval *v, const char *value)
{
	return port_range(v, true, value);
}

static enum ipt_truth destination_port(struct ipt_eval *v, const char *value)
{
	return port_range(v, false, value);
}

/* "25,465,587:600" */
static enum ipt_truth port_list(struct ipt_eval *v, bool source, const char *value)
{
	enum ipt_truth t = IPT_NO;
	uint64_t lo, hi;

	for (;;) {
		if (!ipt_range(&value, ':', 65535, &lo, &hi))
			return ipt_maybe(v, IPT_BY_UNKNOWN);
		t = ipt_or(t, port_between(v, source, lo, hi));
		if (*value == '\0')
			return t;
		if (*value++ != ',')
			return ipt_maybe(v, IPT_BY_UNKNOWN);
	}
}

static enum ipt_truth source_ports(struct ipt_eval *v, const char *value)
{
	return port_list(v, true, value);
}

static enum ipt_truth destination_ports(struct ipt_eval *v, const char *value)
{
	return port_list(v, false, value);
}

static enum ipt_truth either_ports(struct ipt_eval *v, const char *value)
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
static enum ipt_truth flags_fit(struct ipt_eval *v, const char *value)
{
	char mask_text[IPT_WORD_MAX];
	unsigned mask, want, have = v->p->reply ? SYN | ACK : SYN;
	size_t n = strcspn(value, " ");

	snprintf(mask_text, sizeof(mask_text), "%.*s", (int)n, value);
	if (value[n] != ' ' || !parse_flags(mask_text, &mask) || !parse_flags(value + n + 1, &want))
		return ipt_maybe(v, IPT_BY_UNKNOWN);
	return truth((have & mask) == want);
}

static enum ipt_truth is_syn(struct ipt_eval *v, const char *value)
{
	(void)value;
	return truth(!v->p->reply);
}

/* ---- the socket ---- */

static enum ipt_truth id_between(struct ipt_eval *v, uint64_t id, const char *value)
{
	uint64_t lo, hi;

	/* inbound rules can't ask; a user chain that is shared may */
	if (!v->p->own)
		return ipt_maybe(v, IPT_BY_OWNER);
	if (!ipt_range(&value, '-', UINT32_MAX, &lo, &hi) || *value)
		return ipt_maybe(v, IPT_BY_UNKNOWN);
	return truth(id >= lo && id <= hi);
}

static enum ipt_truth owner_uid(struct ipt_eval *v, const char *value)
{
	return id_between(v, v->p->uid, value);
}

static enum ipt_truth owner_gid(struct ipt_eval *v, const char *value)
{
	static const char others[] = "--suppl-groups"; /* comes behind */
	enum ipt_truth t = id_between(v, v->p->gid, value);

	if (t == IPT_NO && memmem(v->rule->text, v->rule->len, others, sizeof(others) - 1))
		return ipt_maybe(v, IPT_BY_OWNER);
	return t;
}

static enum ipt_truth owner_exists(struct ipt_eval *v, const char *value)
{
	(void)value;
	return v->p->own ? IPT_YES : ipt_maybe(v, IPT_BY_OWNER);
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

static enum ipt_truth state_fits(struct ipt_eval *v, const char *list)
{
	char copy[IPT_WORD_MAX], *save = NULL;
	enum ipt_truth t = IPT_NO;

	snprintf(copy, sizeof(copy), "%s", list);
	for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save))
		t = ipt_or(t, one_state(v->p, w));
	v->why |= IPT_BY_CONNTRACK;
	return t;
}

enum ipt_truth ipt_protocol_fits(struct ipt_eval *v, const char *value)
{
	(void)v;
	return truth(strcmp(value, "tcp") == 0 || strcmp(value, "6") == 0 ||
		     strcmp(value, "all") == 0 || strcmp(value, "0") == 0);
}

static enum ipt_truth ct_protocol(struct ipt_eval *v, const char *value)
{
	return ipt_and(ipt_protocol_fits(v, value), IPT_LIKELY);
}

static enum ipt_truth ct_direction(struct ipt_eval *v, const char *value)
{
	(void)v;
	return (strcmp(value, "REPLY") == 0) == v->p->reply ? IPT_LIKELY : IPT_UNLIKELY;
}

static enum ipt_truth ct_entry(struct ipt_eval *v, const char *value)
{
	(void)value;
	return ipt_maybe(v, IPT_BY_CONNTRACK);
}

/* ---- the rest ---- */

static enum ipt_truth mark_fits(struct ipt_eval *v, const char *value)
{
	uint64_t want, mask = UINT32_MAX;

	if (!ipt_number(&value, &want))
		return ipt_maybe(v, IPT_BY_UNKNOWN);
	if (*value == '/') {
		value++;
		if (!ipt_number(&value, &mask))
			return ipt_maybe(v, IPT_BY_UNKNOWN);
	}
	v->why |= IPT_BY_MARK;
	if ((v->p->mark ^ want) & mask & v->p->mark_known)
		return IPT_UNLIKELY;
	return mask & ~(uint64_t)v->p->mark_known ? IPT_MAYBE : IPT_LIKELY;
}

/* A SYN or SYN-ACK: two headers, up to 40 bytes of options, no data. */
static enum ipt_truth length_fits(struct ipt_eval *v, const char *value)
{
	uint64_t lo, hi, least = v->p->family == ADDR_V4 ? 40 : 60, most = least + 40;

	if (!ipt_range(&value, ':', 65535, &lo, &hi) || *value)
		return ipt_maybe(v, IPT_BY_UNKNOWN);
	if (lo <= least && hi >= most)
		return IPT_YES;
	return hi < least || lo > most ? IPT_NO : ipt_maybe(v, IPT_BY_HEADER);
}

static enum ipt_truth ipsec_policy(struct ipt_eval *v, const char *value)
{
	(void)v;
	return strcmp(value, "none") == 0 ? IPT_LIKELY : IPT_UNLIKELY;
}

enum ipt_truth ipt_always(struct ipt_eval *v, const char *value)
{
	(void)v, (void)value;
	return IPT_YES;
}

static enum ipt_truth unknown_route(struct ipt_eval *v, const char *value)
{
	(void)value;
	return ipt_maybe(v, IPT_BY_ROUTE);
}

/* No bridge's port for our packets; a valid source, by the reverse path. */
static enum ipt_truth unlikely(struct ipt_eval *v, const char *value)
{
	(void)v, (void)value;
	return IPT_UNLIKELY;
}

static enum ipt_truth unknown_header(struct ipt_eval *v, const char *value)
{
	(void)value;
	return ipt_maybe(v, IPT_BY_HEADER);
}

/* ---- the tables ---- */

static const struct ipt_module modules[] = {
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

static const struct ipt_option options[] = {
	{"tcp", "--sport", source_port},
	{"tcp", "--dport", destination_port},
	{"tcp", "--tcp-flags", flags_fit},
	{"tcp", "--syn", is_syn},
	{"tcp", "--tcp-option", unknown_header},
	{"multiport", "--sports", source_ports},
	{"multiport", "--dports", destination_ports},
	{"multiport", "--ports", either_ports},
	{"comment", "--comment", ipt_always},
	{"owner", "--uid-owner", owner_uid},
	{"owner", "--gid-owner", owner_gid},
	{"owner", "--socket-exists", owner_exists},
	{"owner", "--suppl-groups", ipt_always},
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
	{"policy", "--dir", ipt_always},
	{"policy", "--pol", ipsec_policy},
	{"physdev", "--physdev-in", unlikely},
	{"physdev", "--physdev-out", unlikely},
	{"physdev", "--physdev-is-in", unlikely},
	{"physdev", "--physdev-is-out", unlikely},
	{"physdev", "--physdev-is-bridged", unlikely},
	{"rpfilter", "--loose", ipt_always},
	{"rpfilter", "--validmark", ipt_always},
	{"rpfilter", "--accept-local", ipt_always},
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

bool ipt_takes_none(const char *option)
{
	for (size_t i = 0; i < N(bare); i++)
		if (strcmp(bare[i], option) == 0)
			return true;
	return false;
}

bool ipt_takes_two(const char *option)
{
	return strcmp(option, "--tcp-flags") == 0 || strcmp(option, "--match-set") == 0;
}

const struct ipt_module *ipt_find_module(const char *name)
{
	static const struct ipt_module unknown = {"", IPT_MAYBE, IPT_BY_UNKNOWN};

	for (size_t i = 0; i < N(modules); i++)
		if (strcmp(modules[i].name, name) == 0)
			return &modules[i];
	return &unknown;
}

const struct ipt_option *ipt_find_option(const char *module, const char *name)
{
	for (size_t i = 0; i < N(options); i++)
		if (strcmp(options[i].module, module) == 0 && strcmp(options[i].name, name) == 0)
			return &options[i];
	return NULL;
}
