/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The rule itself comes from the kernel; its words from `nft` or `iptables -S`,
 * which read far more than the one rule (nft its whole chain and all sets of
 * the table, iptables its whole table): where that is long, they are given a
 * copy of the rule alone.
 */
#include "host/nft_text.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "host/child.h"
#include "host/nfnl.h"
#include "host/nft_copy.h"
#include "host/watch.h"

#define ALL_MS     2000 /* everything */
#define DIRECT_MS  700  /* a list of the real table: some ms, unless a set is very large */
#define COPY_MS    900  /* a namespace, and a list of one rule */
#define NUMBER_MS  700
#define ASK_MS     300
#define LONG_RULES 2000   /* nft and iptables take some 50 us each */
#define RULES_MAX  200000 /* counted at all */
#define OUTPUT_MAX (4 << 20)

/* What iptables-nft makes without matches and targets of its own. iptables prints a foreign rule
 * without what it does not know, and so as one that stops more than it does: whatever is not
 * known here is left to nft, and what is known has to be seen in iptables' words. */
enum load { LOAD_OTHER, LOAD_PLAIN, LOAD_PORT, LOAD_MASKED };

static const struct field {
	int family; /* 0: both */
	int meta;   /* its key; -1: of the packet */
	uint32_t base, offset, len;
	enum load load;
	const char *words, *or_words;
} FIELDS[] = {
	{0, NFT_META_L4PROTO, 0, 0, 0, LOAD_PLAIN, " -p ", " -p "},
	{0, NFT_META_IIFNAME, 0, 0, 0, LOAD_PLAIN, " -i ", " -i "},
	{0, NFT_META_OIFNAME, 0, 0, 0, LOAD_PLAIN, " -o ", " -o "},
	{0, NFT_META_MARK, 0, 0, 0, LOAD_MASKED, " --mark ", " --mark "},
	{NFPROTO_IPV4, -1, NFT_PAYLOAD_NETWORK_HEADER, 9, 1, LOAD_PLAIN, " -p ", " -p "},
	{NFPROTO_IPV4, -1, NFT_PAYLOAD_NETWORK_HEADER, 12, 4, LOAD_MASKED, " -s ", " -s "},
	{NFPROTO_IPV4, -1, NFT_PAYLOAD_NETWORK_HEADER, 16, 4, LOAD_MASKED, " -d ", " -d "},
	{NFPROTO_IPV6, -1, NFT_PAYLOAD_NETWORK_HEADER, 8, 16, LOAD_MASKED, " -s ", " -s "},
	{NFPROTO_IPV6, -1, NFT_PAYLOAD_NETWORK_HEADER, 24, 16, LOAD_MASKED, " -d ", " -d "},
	{0, -1, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2, LOAD_PORT, " --sport ", " --sport "},
	{0, -1, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, LOAD_PORT, " --dport ", " --dport "},
	{0, -1, NFT_PAYLOAD_TRANSPORT_HEADER, 13, 1, LOAD_MASKED, " --syn ", " --tcp-flags "},
};
#define N_FIELDS (sizeof(FIELDS) / sizeof(FIELDS[0]))

struct makes {
	int family;
	bool counter; /* every rule of iptables counts */
	bool xt, foreign;
	enum load last;
	bool field[N_FIELDS];
	bool limit, log;
};

struct look {
	struct nfnl n;
	int64_t deadline;
	int family;
	struct host_rule *r;
	struct nft_rule rule; /* .message is ours */
	struct makes makes;
};

static int time_left(const struct look *l, int at_most)
{
	int64_t left = (l->deadline - clock_mono_ns()) / NS_PER_MS;

	return left < 1 ? 1 : left < at_most ? (int)left : at_most;
}

static int ask(struct look *l, struct nfnl_bytes *q, nfnl_handler *on, void *arg, struct err *e)
{
	int answer = -1;
	int rc = nfnl_ask(&l->n, q, on, arg, time_left(l, ASK_MS), &answer, e);

	nfnl_bytes_free(q);
	if (rc == 0 && answer != 0)
		rc = err_set(e, ERR_RUN, "the kernel says: %s", strerror(answer));
	return rc;
}

/* ---- the rule, from the kernel ---- */

static bool on_rule(const struct nlmsghdr *m, void *arg)
{
	struct nlattr *tb[NFTA_RULE_MAX + 1];
	struct look *l = arg;
	struct nlmsghdr *copy = xcalloc(1, m->nlmsg_len);

	memcpy(copy, m, m->nlmsg_len);
	if (!nfnl_parse(copy, tb, NFTA_RULE_MAX) ||
	    nfnl_u64(tb[NFTA_RULE_HANDLE]) != l->r->handle) {
		free(copy);
		return true;
	}
	free(l->rule.message);
	l->rule.message = copy;
	l->rule.expressions = tb[NFTA_RULE_EXPRESSIONS];
	l->rule.userdata = tb[NFTA_RULE_USERDATA];
	return true;
}

static void begin_rules(struct look *l, struct nfnl_bytes *q, int flags, bool of_chain)
{
	nfnl_begin(q, NFT_MSG_GETRULE, l->family, flags);
	nfnl_put_str(q, NFTA_RULE_TABLE, l->r->table);
	if (of_chain)
		nfnl_put_str(q, NFTA_RULE_CHAIN, l->r->chain);
}

static int get_rule(struct look *l, struct err *e)
{
	struct nfnl_bytes q = {0};
	uint64_t handle = htobe64(l->r->handle);

	begin_rules(l, &q, 0, true);
	nfnl_put(&q, NFTA_RULE_HANDLE, &handle, sizeof(handle));
	nfnl_end(&q);
	if (ask(l, &q, on_rule, l, e) != 0)
		return -1;
	l->rule.family = (uint8_t)l->family;
	l->rule.table = l->r->table;
	l->rule.chain = l->r->chain;
	return l->rule.message ? 0 : err_set(e, ERR_RUN, "the kernel gives another rule");
}

struct count {
	uint64_t handle; /* stops there; 0: nowhere */
	unsigned n, max;
	bool found;
};

static bool on_counted(const struct nlmsghdr *m, void *arg)
{
	struct nlattr *tb[NFTA_RULE_MAX + 1];
	struct count *c = arg;

	c->n++;
	c->found = c->handle && nfnl_parse(m, tb, NFTA_RULE_MAX) &&
		   nfnl_u64(tb[NFTA_RULE_HANDLE]) == c->handle;
	return !c->found && c->n < c->max;
}

/* Of the chain, or of the whole table. On any doubt, many. */
static bool many_rules(struct look *l, bool of_chain)
{
	struct count c = {.max = LONG_RULES};
	struct nfnl_bytes q = {0};
	struct err e;

	begin_rules(l, &q, NLM_F_DUMP, of_chain);
	nfnl_end(&q);
	return ask(l, &q, on_counted, &c, &e) != 0 || c.n >= c.max;
}

/* Of the rule in its chain, from 1; 0: not known. The kernel walks the chain from its beginning for
 * every 32 kB: 40 ms for 5,000 rules, half a second for 100,000. */
static unsigned find_number(struct look *l)
{
	struct count c = {.handle = l->r->handle, .max = RULES_MAX};
	int answer = EINTR;
	struct err e;

	for (int tries = 0; tries < 3 && answer == EINTR; tries++) { /* rules come and go */
		struct nfnl_bytes q = {0};
		c.n = 0;
		c.found = false;
		begin_rules(l, &q, NLM_F_DUMP, true);
		nfnl_end(&q);
		int rc = nfnl_ask(&l->n, &q, on_counted, &c, time_left(l, NUMBER_MS), &answer, &e);
		nfnl_bytes_free(&q);
		if (rc != 0)
			return 0;
	}
	return answer == 0 && c.found ? c.n : 0;
}

/* ---- what it does ---- */

static bool is_final(enum fw_verdict v)
{
	return v != FW_ACCEPT;
}

struct effect {
	bool known;
	enum fw_verdict verdict;
};

/* "tproxy to :25 accept", "redirect" and then nothing: the first that does more than accept. */
static void note_effect(struct effect *f, enum fw_verdict v)
{
	if (f->known && is_final(f->verdict))
		return;
	*f = (struct effect){true, v};
}

static void note_immediate(struct effect *f, const struct nlattr *data)
{
	struct nlattr *tb[NFTA_IMMEDIATE_MAX + 1], *value[NFTA_DATA_MAX + 1];
	struct nlattr *verdict[NFTA_VERDICT_MAX + 1];

	if (!nfnl_parse_nested(data, tb, NFTA_IMMEDIATE_MAX) ||
	    !nfnl_parse_nested(tb[NFTA_IMMEDIATE_DATA], value, NFTA_DATA_MAX) ||
	    !nfnl_parse_nested(value[NFTA_DATA_VERDICT], verdict, NFTA_VERDICT_MAX) ||
	    !verdict[NFTA_VERDICT_CODE])
		return;
	switch ((int)nfnl_u32(verdict[NFTA_VERDICT_CODE])) {
	case NF_DROP: note_effect(f, FW_DROP); break;
	case NF_ACCEPT: note_effect(f, FW_ACCEPT); break;
	}
}

static void note_expr(void *arg, const struct nft_expr *x)
{
	static const struct {
		const char *expr, *target;
		enum fw_verdict verdict;
	} effects[] = {
		{"reject", "REJECT", FW_REJECT}, {"redir", "REDIRECT", FW_REDIRECT},
		{"queue", "NFQUEUE", FW_QUEUE},  {"tproxy", "TPROXY", FW_TPROXY},
		{"", "QUEUE", FW_QUEUE},         {"", "DNAT", FW_DNAT},
	};
	struct nlattr *nat[NFTA_NAT_MAX + 1], *target[NFTA_TARGET_MAX + 1];
	const char *name = "";
	struct effect *f = arg;

	if (strcmp(x->name, "immediate") == 0)
		note_immediate(f, x->data);
	if (strcmp(x->name, "nat") == 0 && nfnl_parse_nested(x->data, nat, NFTA_NAT_MAX) &&
	    nat[NFTA_NAT_TYPE] && nfnl_u32(nat[NFTA_NAT_TYPE]) == NFT_NAT_DNAT)
		note_effect(f, FW_DNAT);
	if (strcmp(x->name, "target") == 0 && nfnl_parse_nested(x->data, target, NFTA_TARGET_MAX))
		name = nfnl_str(target[NFTA_TARGET_NAME]);
	for (size_t i = 0; i < sizeof(effects) / sizeof(effects[0]); i++)
		if ((*x->name && strcmp(x->name, effects[i].expr) == 0) ||
		    (*name && strcmp(name, effects[i].target) == 0))
			note_effect(f, effects[i].verdict);
}

/* ---- is it iptables'? ---- */

static const struct builtin {
	const char *table, *chain;
	uint32_t hook;
	int priority;
} BUILTIN[] = {
	{"filter", "INPUT", NF_INET_LOCAL_IN, 0},
	{"filter", "FORWARD", NF_INET_FORWARD, 0},
	{"filter", "OUTPUT", NF_INET_LOCAL_OUT, 0},
	{"nat", "PREROUTING", NF_INET_PRE_ROUTING, -100},
	{"nat", "INPUT", NF_INET_LOCAL_IN, 100},
	{"nat", "OUTPUT", NF_INET_LOCAL_OUT, -100},
	{"nat", "POSTROUTING", NF_INET_POST_ROUTING, 100},
	{"mangle", "PREROUTING", NF_INET_PRE_ROUTING, -150},
	{"mangle", "INPUT", NF_INET_LOCAL_IN, -150},
	{"mangle", "FORWARD", NF_INET_FORWARD, -150},
	{"mangle", "OUTPUT", NF_INET_LOCAL_OUT, -150},
	{"mangle", "POSTROUTING", NF_INET_POST_ROUTING, -150},
	{"raw", "PREROUTING", NF_INET_PRE_ROUTING, -300},
	{"raw", "OUTPUT", NF_INET_LOCAL_OUT, -300},
	{"security", "INPUT", NF_INET_LOCAL_IN, 50},
	{"security", "FORWARD", NF_INET_FORWARD, 50},
	{"security", "OUTPUT", NF_INET_LOCAL_OUT, 50},
};
#define N_BUILTIN (sizeof(BUILTIN) / sizeof(BUILTIN[0]))

static bool is_builtin(const char *table, const char *chain, uint32_t hook, int priority)
{
	for (size_t i = 0; i < N_BUILTIN; i++)
		if (strcmp(BUILTIN[i].table, table) == 0 && strcmp(BUILTIN[i].chain, chain) == 0 &&
		    BUILTIN[i].hook == hook && BUILTIN[i].priority == priority)
			return true;
	return false;
}

struct chains {
	const struct host_rule *r;
	unsigned builtin, others; /* base chains of the table */
	bool policy_known;        /* of the chain in question */
	enum fw_verdict policy;
};

static bool on_chain(const struct nlmsghdr *m, void *arg)
{
	struct nlattr *tb[NFTA_CHAIN_MAX + 1], *hook[NFTA_HOOK_MAX + 1];
	struct chains *c = arg;

	if (!nfnl_parse(m, tb, NFTA_CHAIN_MAX) ||
	    strcmp(nfnl_str(tb[NFTA_CHAIN_TABLE]), c->r->table) != 0 ||
	    !nfnl_parse_nested(tb[NFTA_CHAIN_HOOK], hook, NFTA_HOOK_MAX))
		return true;
	const char *name = nfnl_str(tb[NFTA_CHAIN_NAME]);
	if (is_builtin(c->r->table, name, nfnl_u32(hook[NFTA_HOOK_HOOKNUM]),
		       (int)nfnl_u32(hook[NFTA_HOOK_PRIORITY])))
		c->builtin++;
	else
		c->others++;
	if (strcmp(name, c->r->chain) == 0 && tb[NFTA_CHAIN_POLICY]) {
		c->policy_known = true;
		c->policy = nfnl_u32(tb[NFTA_CHAIN_POLICY]) == NF_ACCEPT ? FW_ACCEPT : FW_DROP;
	}
	return true;
}

static int get_chains(struct look *l, struct chains *out, struct err *e)
{
	struct nfnl_bytes q = {0};

	*out = (struct chains){.r = l->r};
	nfnl_begin(&q, NFT_MSG_GETCHAIN, l->family, NLM_F_DUMP);
	nfnl_put_str(&q, NFTA_CHAIN_TABLE, l->r->table);
	nfnl_end(&q);
	return ask(l, &q, on_chain, out, e);
}

static bool is_field(const struct field *f, const struct nft_expr *x, int family)
{
	struct nlattr *meta[NFTA_META_MAX + 1], *load[NFTA_PAYLOAD_MAX + 1];

	if (f->family != 0 && f->family != family)
		return false;
	if (strcmp(x->name, "meta") == 0)
		return nfnl_parse_nested(x->data, meta, NFTA_META_MAX) && meta[NFTA_META_DREG] &&
		       f->meta == (int)nfnl_u32(meta[NFTA_META_KEY]);
	if (f->meta >= 0 || strcmp(x->name, "payload") != 0 ||
	    !nfnl_parse_nested(x->data, load, NFTA_PAYLOAD_MAX) || !load[NFTA_PAYLOAD_DREG])
		return false;
	uint32_t len = nfnl_u32(load[NFTA_PAYLOAD_LEN]);
	bool address = f->len >= 4; /* a prefix of whole bytes is loaded as so many bytes */
	return nfnl_u32(load[NFTA_PAYLOAD_BASE]) == f->base &&
	       nfnl_u32(load[NFTA_PAYLOAD_OFFSET]) == f->offset &&
	       (len == f->len || (address && len >= 1 && len < f->len));
}

static void note_load(struct makes *m, const struct nft_expr *x)
{
	m->last = LOAD_OTHER;
	for (size_t i = 0; i < N_FIELDS; i++) {
		if (is_field(&FIELDS[i], x, m->family)) {
			m->field[i] = true;
			m->last = FIELDS[i].load;
		}
	}
	m->foreign |= m->last == LOAD_OTHER;
}

static void note_cmp(struct makes *m, const struct nft_expr *x)
{
	struct nlattr *tb[NFTA_CMP_MAX + 1];

	if (!nfnl_parse_nested(x->data, tb, NFTA_CMP_MAX)) {
		m->foreign = true;
		return;
	}
	switch (nfnl_u32(tb[NFTA_CMP_OP])) {
	case NFT_CMP_EQ:
	case NFT_CMP_NEQ: return;
	case NFT_CMP_LTE:
	case NFT_CMP_GTE: m->foreign |= m->last != LOAD_PORT; return;
	}
	m->foreign = true;
}

static void note_maker(void *arg, const struct nft_expr *x)
{
	struct makes *m = arg;

	if (strcmp(x->name, "counter") == 0)
		m->counter = true;
	else if (strcmp(x->name, "match") == 0 || strcmp(x->name, "target") == 0)
		m->xt = true;
	else if (strcmp(x->name, "meta") == 0 || strcmp(x->name, "payload") == 0)
		note_load(m, x);
	else if (strcmp(x->name, "cmp") == 0)
		note_cmp(m, x);
	else if (strcmp(x->name, "bitwise") == 0)
		m->foreign |= m->last != LOAD_MASKED;
	else if (strcmp(x->name, "range") == 0)
		m->foreign |= m->last != LOAD_PORT;
	else if (strcmp(x->name, "limit") == 0)
		m->limit = true;
	else if (strcmp(x->name, "log") == 0)
		m->log = true;
	else if (strcmp(x->name, "immediate") != 0)
		m->foreign = true;
}

static bool says_all(const struct makes *m, const char *words)
{
	for (size_t i = 0; i < N_FIELDS; i++)
		if (m->field[i] && !strstr(words, FIELDS[i].words) &&
		    !strstr(words, FIELDS[i].or_words))
			return false;
	return (!m->limit || strstr(words, " -m limit ")) &&
	       (!m->log || strstr(words, " -j NFLOG"));
}

static const char *iptables_program(const struct look *l)
{
	return l->family == NFPROTO_IPV6 ? "ip6tables-nft" : "iptables-nft";
}

/* Chains that iptables would take for an option or a number are not its own. */
static bool may_be_iptables(const struct look *l, const struct chains *c)
{
	bool family = l->family == NFPROTO_IPV4 || l->family == NFPROTO_IPV6;

	return family && c->builtin > 0 && c->others == 0 &&
	       isalnum((unsigned char)l->r->chain[0]) && child_exists(iptables_program(l));
}

static bool rule_is_iptables(struct look *l)
{
	struct chains c;
	struct err e;

	l->makes = (struct makes){.family = l->family};
	nft_rule_each(&l->rule, note_maker, &l->makes);
	if (!l->makes.xt && (l->makes.foreign || !l->makes.counter))
		return false;
	return get_chains(l, &c, &e) == 0 && may_be_iptables(l, &c);
}

/* ---- words ---- */

struct words {
	char *bytes;
	size_t len;
};

static void words_add(struct words *w, const char *from, size_t n)
{
	w->bytes = xrealloc(w->bytes, w->len + n + 1);
	memcpy(w->bytes + w->len, from, n);
	w->len += n;
	w->bytes[w->len] = '\0';
}

static bool is_rule_begin(const char *line, size_t len)
{
	return len > 2 && line[0] == '\t' && line[1] == '\t' && line[2] != '\t' && line[2] != ' ';
}

/* Length of the line without " # handle N"; 0: it doesn't end so. */
static size_t before_handle(const char *line, size_t len, uint64_t handle)
{
	char end[40];
	size_t n = (size_t)snprintf(end, sizeof(end), " # handle %" PRIu64, handle);

	return len > n && memcmp(line + len - n, end, n) == 0 ? len - n : 0;
}

/* Long sets are printed over several lines, each but the first further in. */
static void join_lines(struct words *w, const char *from, const char *end)
{
	w->len = 0;
	for (const char *at = from; at < end;) {
		const char *nl = memchr(at, '\n', (size_t)(end - at));
		size_t n = (size_t)((nl ? nl : end) - at);
		const char *line = at;
		while (n && (*line == '\t' || *line == ' '))
			line++, n--;
		while (n && line[n - 1] == ' ' && nl)
			n--;
		if (w->len)
			words_add(w, " ", 1);
		words_add(w, line, n);
		at = nl ? nl + 1 : end;
	}
}

/* The one rule with this handle in what `nft -a list` printed. Comments hold any text, even such
 * that looks like a rule: two are none. */
static int find_rule(const struct child_output *out, uint64_t handle, struct words *w,
		     struct err *e)
{
	const char *end = out->text + out->len, *rule = NULL;
	unsigned found = 0;

	for (const char *at = out->text; at < end;) {
		const char *nl = memchr(at, '\n', (size_t)(end - at));
		size_t len = (size_t)((nl ? nl : end) - at);
		if (is_rule_begin(at, len))
			rule = at;
		size_t n = before_handle(at, len, handle);
		if (n && rule) {
			join_lines(w, rule, at + n);
			found++;
		}
		at = nl ? nl + 1 : end;
	}
	if (found != 1)
		return err_set(e, ERR_RUN, "nft's list is not clear about it");
	return 0;
}

/* Numbers may happen to hold the same bytes; names, prefixes and comments stand elsewhere. */
static void note_line(void *arg, const struct nft_expr *x)
{
	static const char *const numbers[] = {"cmp", "range", "bitwise", "immediate"};
	bool *found = arg;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (strcmp(x->name, numbers[i]) == 0)
			return;
	*found |= nft_has_line(x->data);
}

/* A comment or log prefix with lines of its own could pass for more than one rule. */
static bool has_lines_inside(const struct nft_rule *r)
{
	bool found = nft_has_line(r->userdata);

	nft_rule_each(r, note_line, &found);
	return found;
}

/* nft takes its words for a program: only what it can't take for another one is passed on. */
static bool is_plain_name(const char *name)
{
	if (!isalpha((unsigned char)*name) && *name != '_')
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("_-./", *name))
			return false;
	return true;
}

static int nft_direct(struct look *l, struct words *w, struct err *e)
{
	const char *argv[] = {"nft",        "-a",        "-s",        "list", "chain",
			      l->r->family, l->r->table, l->r->chain, NULL};
	struct child_output out;

	if (!is_plain_name(l->r->table) || !is_plain_name(l->r->chain))
		return err_set(e, ERR_RUN, "nft does not take the chain's name");
	if (many_rules(l, true))
		return err_set(e, ERR_RUN, "its chain is too long to be listed");
	if (child_run(argv, NULL, time_left(l, DIRECT_MS), OUTPUT_MAX, &out, e) != 0)
		return -1;
	int rc = find_rule(&out, l->r->handle, w, e);
	child_output_free(&out);
	return rc;
}

/* In a namespace of its own, an interface's number has no name. */
static void name_interfaces(struct words *w)
{
	static const char *const keys[] = {"iif ",    "oif ",    "sdif ",
					   "iif != ", "oif != ", "sdif != "};
	struct words named = {0};
	char name[IF_NAMESIZE], quoted[IF_NAMESIZE + 3];
	bool quotes = false;

	for (char *at = w->bytes; *at;) {
		size_t n = 0, digits = 0;
		quotes ^= *at == '"';
		bool word = !quotes && (at == w->bytes || at[-1] == ' ');
		for (size_t i = 0; word && i < sizeof(keys) / sizeof(keys[0]); i++)
			if (strncmp(at, keys[i], strlen(keys[i])) == 0)
				n = strlen(keys[i]);
		if (n)
			digits = strspn(at + n, "0123456789");
		words_add(&named, at, n ? n : 1);
		at += n ? n : 1;
		if (digits && (at[digits] == ' ' || !at[digits]) &&
		    if_indextoname((unsigned)strtoul(at, NULL, 10), name)) {
			snprintf(quoted, sizeof(quoted), "\"%s\"", name);
			words_add(&named, quoted, strlen(quoted));
			at += digits;
		}
	}
	free(w->bytes);
	*w = named;
}

/* The only line of all that ends with a handle and stands that far in is the rule. */
static int find_only_rule(const struct child_output *out, struct words *w, struct err *e)
{
	const char *end = out->text + out->len;

	for (const char *at = out->text; at < end;) {
		const char *nl = memchr(at, '\n', (size_t)(end - at));
		size_t len = (size_t)((nl ? nl : end) - at), digits = len;
		while (digits && isdigit((unsigned char)at[digits - 1]))
			digits--;
		bool in = len > 2 && at[0] == '\t' && at[1] == '\t';
		if (in && digits < len && digits >= 10 &&
		    memcmp(at + digits - 10, " # handle ", 10) == 0)
			return find_rule(out, strtoull(at + digits, NULL, 10), w, e);
		at = nl ? nl + 1 : end;
	}
	return err_set(e, ERR_RUN, "nft does not list a copy of it");
}

static int nft_copied(struct look *l, struct words *w, struct err *e)
{
	static const char *const argv[] = {"nft", "-a", "-s", "list", "ruleset", NULL};
	struct child_output out;

	if (nft_copy_list(&l->n, &l->rule, false, argv, time_left(l, COPY_MS), &out, e) != 0)
		return -1;
	int rc = find_only_rule(&out, w, e);
	child_output_free(&out);
	if (rc == 0)
		name_interfaces(w);
	return rc;
}

static int nft_words(struct look *l, struct words *w, struct err *e)
{
	struct err first;

	if (!child_exists("nft"))
		return err_set(e, ERR_RUN, "nft is not installed");
	if (has_lines_inside(&l->rule))
		return err_set(e, ERR_RUN, "its comment has several lines");
	if (nft_direct(l, w, &first) == 0 || nft_copied(l, w, e) == 0)
		return 0;
	return -1;
}

/* What `iptables -S CHAIN N` printed: one rule, or nothing that is one. */
static int take_iptables(const struct look *l, const struct child_output *out, struct words *w,
			 struct err *e)
{
	char begin[RECORD_NAME_MAX + 8];
	int n = snprintf(begin, sizeof(begin), "-A %s ", l->r->chain);
	size_t len = out->len;

	if (len && out->text[len - 1] == '\n')
		len--;
	if (len <= (size_t)n || memcmp(out->text, begin, (size_t)n) != 0)
		return err_set(e, ERR_RUN, "iptables does not list it");
	if (!l->makes.xt && !says_all(&l->makes, out->text))
		return err_set(e, ERR_RUN, "iptables does not know all of it");
	w->len = 0;
	words_add(w, out->text, len);
	return 0;
}

static int iptables_direct(struct look *l, unsigned number, struct words *w, struct err *e)
{
	char position[16];
	const char *argv[] = {iptables_program(l), "-t",     l->r->table, "-S",
			      l->r->chain,         position, NULL};
	struct child_output out;

	if (number == 0 || many_rules(l, false))
		return err_set(e, ERR_RUN, "its table is too long to be listed");
	snprintf(position, sizeof(position), "%u", number);
	if (child_run(argv, NULL, time_left(l, DIRECT_MS), OUTPUT_MAX, &out, e) != 0)
		return -1;
	int rc = take_iptables(l, &out, w, e);
	child_output_free(&out);
	/* it counts, and rules come and go */
	if (rc == 0 && find_number(l) != number)
		rc = err_set(e, ERR_RUN, "the chain changes");
	return rc;
}

static int iptables_copied(struct look *l, struct words *w, struct err *e)
{
	const char *argv[] = {iptables_program(l), "-t", l->r->table, "-S", l->r->chain, "1", NULL};
	struct child_output out;

	if (nft_copy_list(&l->n, &l->rule, true, argv, time_left(l, COPY_MS), &out, e) != 0)
		return -1;
	int rc = take_iptables(l, &out, w, e);
	child_output_free(&out);
	return rc;
}

static int iptables_words(struct look *l, struct words *w, struct err *e)
{
	struct err first;
	unsigned number = find_number(l);

	if (iptables_direct(l, number, w, &first) != 0 && iptables_copied(l, w, e) != 0)
		return -1;
	l->r->number = number;
	l->r->backend = FW_IPTABLES_NFT;
	return 0;
}

/* ---- all of it ---- */

static int no_words(struct host_rule *r, const struct err *e)
{
	snprintf(r->text, sizeof(r->text),
		 "rule with handle %" PRIu64 " in %s %s %s (its words can't be had: %.300s)",
		 r->handle, r->family, r->table, r->chain, e->text);
	return -1;
}

static int fill_rule(struct look *l, struct err *e)
{
	struct words w = {0};
	struct effect f = {0};
	int rc = -1;

	l->r->backend = FW_NFT;
	l->r->number = 0;
	if (get_rule(l, e) == 0) {
		nft_rule_each(&l->rule, note_expr, &f);
		if (f.known)
			l->r->verdict = f.verdict;
		if (rule_is_iptables(l))
			rc = iptables_words(l, &w, e);
		if (rc != 0)
			rc = nft_words(l, &w, e);
	}
	if (rc == 0)
		watch_text(l->r->text, sizeof(l->r->text), w.bytes, w.len);
	free(w.bytes);
	free(l->rule.message);
	return rc == 0 ? 0 : no_words(l->r, e);
}

/* iptables says no more than "incompatible" when it can't handle the chain; a number that no rule
 * has spares its list. */
static bool policy_is_iptables(struct look *l, const struct chains *c)
{
	const char *argv[] = {iptables_program(l), "-t",         l->r->table, "-S",
			      l->r->chain,         "2000000000", NULL};
	struct child_output out;
	struct err e;

	if (!may_be_iptables(l, c))
		return false;
	if (many_rules(l, false)) /* takes too long */
		return true;
	if (child_run(argv, NULL, time_left(l, DIRECT_MS), OUTPUT_MAX, &out, &e) != 0)
		return false;
	child_output_free(&out);
	return true;
}

static int fill_policy(struct look *l, struct err *e)
{
	struct host_rule *r = l->r;
	struct chains c;
	int rc = get_chains(l, &c, e);

	r->backend = FW_NFT;
	r->number = 0;
	if (rc == 0 && !c.policy_known)
		rc = err_set(e, ERR_RUN, "%s %s %s has no policy", r->family, r->table, r->chain);
	if (rc == 0)
		r->verdict = c.policy;
	bool accept = r->verdict == FW_ACCEPT;
	if (rc == 0 && policy_is_iptables(l, &c)) {
		r->backend = FW_IPTABLES_NFT;
		snprintf(r->text, sizeof(r->text), "-P %s %s", r->chain,
			 accept ? "ACCEPT" : "DROP");
	} else {
		snprintf(r->text, sizeof(r->text), "policy %s", accept ? "accept" : "drop");
	}
	return rc;
}

int nft_text_fill(struct host_rule *r, struct err *e)
{
	struct look l = {.deadline = clock_mono_ns() + ALL_MS * NS_PER_MS, .r = r};
	int rc;

	l.family = nfnl_family_number(r->family);
	l.n.fd = -1;
	if (l.family < 0) {
		err_set(e, ERR_RUN, "no such family of tables");
		return no_words(r, e);
	}
	if (nfnl_open(&l.n, e) != 0)
		return no_words(r, e);
	rc = r->policy ? fill_policy(&l, e) : fill_rule(&l, e);
	nfnl_close(&l.n);
	return rc;
}
