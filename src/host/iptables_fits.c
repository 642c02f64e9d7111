/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What one rule says of one packet: its matches (iptables_match.h), and its target. An unknown match
 * makes the rule "maybe", an unknown target "may stop it".
 */
#include "host/iptables_match.h"

#include <stdio.h>
#include <string.h>

#define N(array) (sizeof(array) / sizeof((array)[0]))

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
	bool one = ipt_range(&value, '-', 65535, &lo, &hi) && lo == hi && lo > 0 && lo < 65536;

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

	if (!ipt_number(&value, &mark))
		return;
	if (*value == '/') {
		value++;
		if (!ipt_number(&value, &mask))
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

static bool add(struct ipt_eval *v, enum ipt_truth t, bool negated)
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

static enum ipt_truth basic(struct ipt_eval *v, char option, const char *value)
{
	const struct ipt_packet *p = v->p;

	switch (option) {
	case 's': return ipt_address_fits(v, &p->src, value);
	case 'd': return ipt_address_fits(v, &p->dst, value);
	case 'i': return ipt_interface_fits(v, p->iif, value);
	case 'o': return ipt_interface_fits(v, p->oif, value);
	case 'p': return ipt_protocol_fits(v, value);
	}
	return ipt_maybe(v, IPT_BY_UNKNOWN);
}

/* The value of an option, one word or two; false: there is none. */
static bool take_value(struct ipt_scan *s, const char *option, char value[2 * IPT_WORD_MAX],
		       bool *cut)
{
	*value = '\0';
	*cut = false;
	if (ipt_takes_none(option))
		return true;
	if (!ipt_word(s))
		return false;
	*cut = s->cut;
	size_t n = strlen(s->word);
	memcpy(value, s->word, n + 1);
	if (!ipt_takes_two(option))
		return true;
	if (!ipt_word(s))
		return false;
	*cut |= s->cut;
	value[n] = ' ';
	memcpy(value + n + 1, s->word, strlen(s->word) + 1);
	return true;
}

static enum ipt_truth match_option(struct ipt_eval *v, struct ipt_scan *s, const struct ipt_module *m)
{
	char name[IPT_WORD_MAX], value[2 * IPT_WORD_MAX];
	bool cut;

	memcpy(name, s->word, sizeof(name));
	if (!take_value(s, name, value, &cut))
		return ipt_maybe(v, IPT_BY_UNKNOWN);
	if (m->truth != IPT_YES && strcmp(m->name, "rpfilter") != 0)
		return IPT_YES; /* said already, and not to be turned by a "!" */
	const struct ipt_option *o = ipt_find_option(m->name, name);
	if (!o || (cut && o->fits != ipt_always))
		return ipt_maybe(v, IPT_BY_UNKNOWN);
	return o->fits(v, value);
}

static bool is_basic(const struct ipt_scan *s)
{
	const char *w = s->word;

	return !s->quoted && w[0] == '-' && w[1] != '\0' && w[2] == '\0' && strchr("sdiop", w[1]);
}

/* One more option of the rule. False: it can't match any more. */
static bool next_part(struct ipt_eval *v, struct ipt_scan *s, const struct ipt_module **m)
{
	bool negated = !s->quoted && strcmp(s->word, "!") == 0;
	char option;

	if (negated && !ipt_word(s))
		return add(v, ipt_maybe(v, IPT_BY_UNKNOWN), false);
	if (is_basic(s)) {
		option = s->word[1];
		if (!ipt_word(s) || s->cut)
			return add(v, ipt_maybe(v, IPT_BY_UNKNOWN), false);
		return add(v, basic(v, option, s->word), negated);
	}
	if (strcmp(s->word, "-f") == 0) /* a further fragment: ours are whole */
		return add(v, IPT_NO, negated);
	if (strcmp(s->word, "-m") == 0) {
		*m = ipt_word(s) ? ipt_find_module(s->word) : ipt_find_module("");
		v->why |= (*m)->reasons;
		return add(v, (*m)->truth, false);
	}
	if (s->quoted || strncmp(s->word, "--", 2) != 0)
		return add(v, ipt_maybe(v, IPT_BY_UNKNOWN), false);
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
	const struct ipt_module *m = ipt_find_module("");
	struct ipt_eval v = {.p = p, .rule = r, .out = out};

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
