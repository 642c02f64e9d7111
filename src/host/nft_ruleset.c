/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/nft_ask.h"

#include <endian.h>
#include <errno.h>
#include <netinet/in.h> /* before the kernel's own */

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/msg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "host/nfnl.h"

#define DUMPS_MAX    32    /* chains that are read in part, each with a socket */
#define CHAINS_MAX   100000
#define TABLES_MAX   4096
#define DEVICES_MAX  256

/* ---- tables and chains */

static void grow(void **list, size_t n, size_t *size, size_t one)
{
	if (n < *size)
		return;
	*size = *size ? *size * 2 : 32;
	*list = xrealloc(*list, *size * one);
}

static void on_generation(struct nft_ruleset *r, const struct nlmsghdr *m, void *arg)
{
	const struct nlattr *t[NFTA_GEN_MAX + 1];
	bool foreign = false;
	size_t len;
	const struct nlattr *a = nft_rule_attributes(m, &len);

	(void)r;
	if (nft_attributes(a, len, t, NFTA_GEN_MAX, &foreign))
		*(uint32_t *)arg = nft_u32(t[NFTA_GEN_ID], 0);
}

static int ask_generation(struct nft_ruleset *r, uint32_t *out, int *answer, struct err *e)
{
	struct nft_request q;

	nft_ask_begin(r, &q, NFT_MSG_GETGEN, 0, AF_UNSPEC);
	return nft_ask(r, &q, on_generation, out, answer, e);
}

static void on_table(struct nft_ruleset *r, const struct nlmsghdr *m, void *arg)
{
	const struct nlattr *t[NFTA_TABLE_MAX + 1];
	const struct nfgenmsg *g = nlmsg_data(m);
	bool foreign = false;
	size_t len;
	const struct nlattr *a = nft_rule_attributes(m, &len);

	(void)arg;
	if (!nft_attributes(a, len, t, NFTA_TABLE_MAX, &foreign))
		return;
	r->foreign |= !t[NFTA_TABLE_NAME];
	if (r->n_tables >= TABLES_MAX) {
		r->cut = true;
		return;
	}
	grow((void **)&r->tables, r->n_tables, &r->size_tables, sizeof(*r->tables));
	r->tables[r->n_tables++] = (struct nft_table){
		.family = g->nfgen_family,
		.name = arena_strdup(&r->names, nfnl_str(t[NFTA_TABLE_NAME])),
		.handle = nfnl_u64(t[NFTA_TABLE_HANDLE]),
		.dormant = nft_u32(t[NFTA_TABLE_FLAGS], 0) & NFT_TABLE_F_DORMANT,
	};
}

static void add_device(struct nft_ruleset *r, struct nft_chain *c, const struct nlattr *a,
		       bool prefix)
{
	const char *name = nfnl_str(a);
	size_t n = a ? nft_payload(a) : 0;

	/* a prefix comes without its NUL */
	if (!a || c->n_devices >= DEVICES_MAX || (!prefix && !*name) || n == 0)
		return;
	if (!c->devices)
		c->devices = arena_alloc(&r->names, DEVICES_MAX * sizeof(*c->devices));
	char *out = c->devices[c->n_devices++];
	if (prefix) {
		n = strnlen(nft_content(a), n);
		snprintf(out, IFNAMSIZ, "%.*s*", (int)(n > IFNAMSIZ - 2 ? IFNAMSIZ - 2 : n),
			 (const char *)nft_content(a));
	} else {
		snprintf(out, IFNAMSIZ, "%s", name);
	}
}

static void read_hook(struct nft_ruleset *r, struct nft_chain *c, const struct nlattr *hook)
{
	const struct nlattr *t[NFTA_HOOK_MAX + 1];
	bool foreign = false;

	if (!nft_nested(hook, t, NFTA_HOOK_MAX, &foreign)) {
		r->foreign = true;
		return;
	}
	r->foreign |= !t[NFTA_HOOK_HOOKNUM] || !t[NFTA_HOOK_PRIORITY];
	c->base = true;
	c->hook = nft_u32(t[NFTA_HOOK_HOOKNUM], UINT32_MAX);
	c->priority = (int32_t)nft_u32(t[NFTA_HOOK_PRIORITY], 0);
	add_device(r, c, t[NFTA_HOOK_DEV], false);
	if (!t[NFTA_HOOK_DEVS])
		return;
	const uint8_t *p = nft_content(t[NFTA_HOOK_DEVS]);
	size_t len = nft_payload(t[NFTA_HOOK_DEVS]);
	while (len >= NLA_HDRLEN) {
		const struct nlattr *a = (const void *)p;
		size_t step = NLA_ALIGN(a->nla_len);
		if (a->nla_len < NLA_HDRLEN || a->nla_len > len)
			break;
		/* 2: NFTA_DEVICE_PREFIX, newer than some systems' headers */
		add_device(r, c, a, (a->nla_type & NLA_TYPE_MASK) == 2);
		if (step >= len)
			break;
		p += step;
		len -= step;
	}
}

static void on_chain(struct nft_ruleset *r, const struct nlmsghdr *m, void *arg)
{
	const struct nlattr *t[NFTA_CHAIN_MAX + 1];
	const struct nfgenmsg *g = nlmsg_data(m);
	bool foreign = false;
	size_t len;
	const struct nlattr *a = nft_rule_attributes(m, &len);

	(void)arg;
	if (!nft_attributes(a, len, t, NFTA_CHAIN_MAX, &foreign))
		return;
	bool base = t[NFTA_CHAIN_HOOK];
	r->foreign |= !t[NFTA_CHAIN_TABLE] || !t[NFTA_CHAIN_NAME] || base != (t[NFTA_CHAIN_POLICY] != NULL) ||
		      base != (t[NFTA_CHAIN_TYPE] != NULL);
	if (r->n_chains >= CHAINS_MAX) {
		r->cut = true;
		return;
	}
	grow((void **)&r->chains, r->n_chains, &r->size_chains, sizeof(*r->chains));
	struct nft_chain *c = &r->chains[r->n_chains++];
	*c = (struct nft_chain){
		.family = g->nfgen_family,
		.table = arena_strdup(&r->names, nfnl_str(t[NFTA_CHAIN_TABLE])),
		.name = arena_strdup(&r->names, nfnl_str(t[NFTA_CHAIN_NAME])),
		.handle = nfnl_u64(t[NFTA_CHAIN_HANDLE]),
		.policy_drop = nft_u32(t[NFTA_CHAIN_POLICY], NF_ACCEPT) == NF_DROP,
		.type = arena_strdup(&r->names, nfnl_str(t[NFTA_CHAIN_TYPE])),
		.fd = -1,
	};
	if (t[NFTA_CHAIN_HOOK])
		read_hook(r, c, t[NFTA_CHAIN_HOOK]);
}

static int by_place(const void *a, const void *b)
{
	const struct nft_chain *x = a, *y = b;

	if (x->family != y->family)
		return x->family < y->family ? -1 : 1;
	int d = strcmp(x->table, y->table);
	return d ? d : strcmp(x->name, y->name);
}

static void join_tables(struct nft_ruleset *r)
{
	for (size_t i = 0; i < r->n_chains; i++)
		for (size_t j = 0; j < r->n_tables && !r->chains[i].in; j++)
			if (r->tables[j].family == r->chains[i].family &&
			    strcmp(r->tables[j].name, r->chains[i].table) == 0)
				r->chains[i].in = &r->tables[j];
}

static int dump_all(struct nft_ruleset *r, int type, nft_on_message *on, struct err *e)
{
	struct nft_request q;
	int answer;

	nft_ask_begin(r, &q, type, NLM_F_DUMP, AF_UNSPEC);
	if (nft_ask(r, &q, on, NULL, &answer, e) != 0)
		return -1;
	if (answer == EAGAIN)
		r->cut = true;
	else if (answer)
		return err_set(e, ERR_RUN, "nf_tables: %s", strerror(answer));
	return 0;
}

/* Without nf_tables, every question about it is as unknown as the first. */
static bool has_no_tables(struct nft_ruleset *r)
{
	struct err e;

	return dump_all(r, NFT_MSG_GETTABLE, on_table, &e) != 0;
}

int nft_ruleset_open(struct nft_ruleset *r, int64_t deadline, struct err *e)
{
	int answer;

	*r = (struct nft_ruleset){.deadline = deadline, .buffer = xcalloc(1, NFT_RECEIVE_SIZE)};
	r->fd = nft_ask_open(e);
	if (r->fd < 0)
		return errno == EPROTONOSUPPORT || errno == EAFNOSUPPORT ? 1 : -1;
	if (ask_generation(r, &r->generation, &answer, e) != 0)
		return -1;
	if (answer == EPERM)
		return err_set(e, ERR_RUN, "needs CAP_NET_ADMIN");
	if (answer == EINVAL || answer == EOPNOTSUPP)
		return has_no_tables(r) ? 1 : err_set(e, ERR_RUN, "nf_tables: this kernel tells no generation of its rules");
	if (answer)
		return err_set(e, ERR_RUN, "nf_tables: %s", strerror(answer));
	if (dump_all(r, NFT_MSG_GETTABLE, on_table, e) != 0 ||
	    dump_all(r, NFT_MSG_GETCHAIN, on_chain, e) != 0)
		return -1;
	if (r->n_chains)
		qsort(r->chains, r->n_chains, sizeof(*r->chains), by_place);
	join_tables(r);
	return 0;
}

void nft_ruleset_close(struct nft_ruleset *r)
{
	for (size_t i = 0; i < r->n_chains; i++) {
		if (r->chains[i].fd >= 0)
			close(r->chains[i].fd);
		free(r->chains[i].rules);
	}
	free(r->buffer);
	free(r->tables);
	free(r->chains);
	free(r->sets);
	arena_clear(&r->names);
	if (r->fd >= 0)
		close(r->fd);
	*r = (struct nft_ruleset){.fd = -1};
}

bool nft_ruleset_same(struct nft_ruleset *r)
{
	uint32_t now = 0;
	struct err e;
	int answer;

	if (r->changed)
		return false;
	/* a moment for this one, however late it is */
	if (r->deadline < clock_mono_ns() + 50 * NS_PER_MS)
		r->deadline = clock_mono_ns() + 50 * NS_PER_MS;
	return ask_generation(r, &now, &answer, &e) == 0 && answer == 0 && now == r->generation;
}

struct nft_chain *nft_find_chain(struct nft_ruleset *r, uint8_t family, const char *table,
				 const char *name)
{
	const struct nft_chain key = {.family = family, .table = table, .name = name};

	if (!r->n_chains || !name)
		return NULL;
	return bsearch(&key, r->chains, r->n_chains, sizeof(*r->chains), by_place);
}

/* ---- rules */

static void begin_chain(struct nft_ruleset *r, struct nft_chain *c)
{
	struct nft_request q;
	struct err e;

	c->begun = true;
	c->fd = nft_ask_open(&e);
	nft_ask_begin(r, &q, NFT_MSG_GETRULE, NLM_F_DUMP, c->family);
	nft_ask_string(&q, NFTA_RULE_TABLE, c->table);
	nft_ask_string(&q, NFTA_RULE_CHAIN, c->name);
	if (c->fd >= 0 && nft_ask_send(c->fd, &q, &e) == 0) {
		r->n_dumps++;
		return;
	}
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	r->cut = true;
}

static void end_dump(struct nft_ruleset *r, struct nft_chain *c)
{
	close(c->fd);
	c->fd = -1;
	r->n_dumps--;
}

/* A kernel that doesn't filter by chain sends all of them. */
static bool is_of(struct nft_ruleset *r, const struct nft_chain *c, const struct nlmsghdr *m)
{
	const struct nlattr *t[NFTA_RULE_MAX + 1];
	const struct nfgenmsg *g = nlmsg_data(m);
	bool foreign = false;
	size_t len;
	const struct nlattr *a = nft_rule_attributes(m, &len);

	if ((m->nlmsg_type & 0xff) != NFT_MSG_NEWRULE || g->nfgen_family != c->family ||
	    !nft_attributes(a, len, t, NFTA_RULE_MAX, &foreign))
		return false;
	r->foreign |= !t[NFTA_RULE_TABLE] || !t[NFTA_RULE_CHAIN] || !t[NFTA_RULE_HANDLE] || !t[NFTA_RULE_EXPRESSIONS];
	return strcmp(nfnl_str(t[NFTA_RULE_TABLE]), c->table) == 0 &&
	       strcmp(nfnl_str(t[NFTA_RULE_CHAIN]), c->name) == 0;
}

static bool keep_rule(struct nft_ruleset *r, struct nft_chain *c, const struct nlmsghdr *m)
{
	size_t step = NLMSG_ALIGN(m->nlmsg_len);

	if (r->n_rules >= NFT_RULES_MAX)
		return false;
	if (c->len + step > c->size) {
		size_t size = c->size ? c->size * 2 : 4096;
		while (size < c->len + step)
			size *= 2;
		if (r->memory - c->size + size > NFT_MEMORY_MAX)
			return false;
		r->memory += size - c->size;
		c->rules = xrealloc(c->rules, size);
		c->size = size;
	}
	memset(c->rules + c->len, 0, step);
	memcpy(c->rules + c->len, m, m->nlmsg_len);
	c->len += step;
	r->n_rules++;
	return true;
}

static void read_more(struct nft_ruleset *r, struct nft_chain *c)
{
	size_t n = nft_ask_receive(r, c->fd);
	int left = (int)n;

	for (struct nlmsghdr *m = (void *)r->buffer; nlmsg_ok(m, left); m = nlmsg_next(m, &left)) {
		if (m->nlmsg_flags & NLM_F_DUMP_INTR)
			r->changed = true;
		if (m->nlmsg_type == NLMSG_DONE || m->nlmsg_type == NLMSG_ERROR) {
			int code = nft_ask_errno(m);
			c->whole = code == 0;
			r->changed |= code == ENOENT; /* the chain is gone */
			r->cut |= code != 0;
			end_dump(r, c);
			return;
		}
		if (is_of(r, c, m) && !keep_rule(r, c, m)) {
			n = 0;
			break;
		}
	}
	if (n == 0) {
		r->cut = true;
		end_dump(r, c);
	}
}

const struct nlmsghdr *nft_next_rule(struct nft_ruleset *r, struct nft_chain *c, size_t *offset)
{
	if (!c->begun)
		begin_chain(r, c);
	/* sockets are few: with many chains in part, each is read to its end */
	while (c->fd >= 0 && (*offset >= c->len || r->n_dumps > DUMPS_MAX))
		read_more(r, c);
	if (*offset >= c->len)
		return NULL;
	const struct nlmsghdr *m = (const void *)(c->rules + *offset);
	*offset += NLMSG_ALIGN(m->nlmsg_len);
	return m;
}
