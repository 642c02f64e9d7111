/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <endian.h>
#include <errno.h>
#include <netinet/in.h> /* before the kernel's own */

#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>

#include "host/nfnl.h"
#include "host/nft_ask.h"

#define SETS_MAX 65536

static size_t hash(uint8_t family, const char *table, const char *name)
{
	size_t h = 1469598103934665603ULL ^ family;

	for (const char *p = table; *p; p++)
		h = (h ^ (uint8_t)*p) * 1099511628211ULL;
	for (const char *p = name; *p; p++)
		h = (h ^ (uint8_t)*p) * 1099511628211ULL;
	return h;
}

/* Where it is, or would be. */
static size_t slot(const struct nft_ruleset *r, uint8_t family, const char *table, const char *name)
{
	size_t i = hash(family, table, name) & (r->size_sets - 1);

	for (; r->sets[i]; i = (i + 1) & (r->size_sets - 1))
		if (r->sets[i]->family == family && strcmp(r->sets[i]->name, name) == 0 &&
		    strcmp(r->sets[i]->table, table) == 0)
			break;
	return i;
}

static void grow_sets(struct nft_ruleset *r)
{
	struct nft_set **old = r->sets;
	size_t n = r->size_sets;

	if (r->n_sets * 2 < r->size_sets)
		return;
	r->size_sets = n ? n * 2 : 64;
	r->sets = xcalloc(r->size_sets, sizeof(struct nft_set *));
	for (size_t i = 0; i < n; i++)
		if (old[i])
			r->sets[slot(r, old[i]->family, old[i]->table, old[i]->name)] = old[i];
	free(old);
}

static void on_set(struct nft_ruleset *r, const struct nlmsghdr *m, void *arg)
{
	const struct nlattr *t[NFTA_SET_MAX + 1];
	struct nft_set *s = arg;
	bool foreign = false;
	size_t len;
	const struct nlattr *a = nft_rule_attributes(m, &len);

	(void)r;
	if (!nft_attributes(a, len, t, NFTA_SET_MAX, &foreign))
		return;
	s->flags = nft_u32(t[NFTA_SET_FLAGS], 0);
	s->key_len = nft_u32(t[NFTA_SET_KEY_LEN], 0);
	s->data_len = nft_u32(t[NFTA_SET_DATA_LEN], 0);
	s->verdicts =
		(s->flags & NFT_SET_MAP) && nft_u32(t[NFTA_SET_DATA_TYPE], 0) == NFT_DATA_VERDICT;
	s->objects = s->flags & NFT_SET_OBJECT;
}

struct nft_set *nft_find_set(struct nft_ruleset *r, uint8_t family, const char *table,
			     const char *name)
{
	struct nft_request q;
	struct err e;
	int answer;

	grow_sets(r);
	size_t i = slot(r, family, table, name);
	if (!r->sets[i]) {
		if (r->n_sets >= SETS_MAX)
			return NULL;
		struct nft_set *s = arena_alloc(&r->names, sizeof(*s));
		s->family = family;
		s->table = arena_strdup(&r->names, table);
		s->name = arena_strdup(&r->names, name);
		s->catchall = -1;
		nft_ask_begin(r, &q, NFT_MSG_GETSET, 0, family);
		nft_ask_string(&q, NFTA_SET_TABLE, table);
		nft_ask_string(&q, NFTA_SET_NAME, name);
		if (nft_ask(r, &q, on_set, s, &answer, &e) != 0 || answer != 0)
			s->key_len = 0;
		r->sets[i] = s;
		r->n_sets++;
	}
	return r->sets[i]->key_len && r->sets[i]->key_len <= NFT_DATA_MAX ? r->sets[i] : NULL;
}

static bool counts_only(const struct nlattr *expr)
{
	const struct nlattr *t[NFTA_EXPR_MAX + 1];
	bool foreign = false;

	if (!nft_nested(expr, t, NFTA_EXPR_MAX, &foreign))
		return false;
	const char *name = nfnl_str(t[NFTA_EXPR_NAME]);
	return strcmp(name, "counter") == 0 || strcmp(name, "last") == 0;
}

static bool all_count_only(const struct nlattr *list)
{
	const uint8_t *p = nft_content(list);
	size_t len = nft_payload(list);

	while (len >= NLA_HDRLEN) {
		const struct nlattr *a = (const void *)p;
		size_t step = NLA_ALIGN(a->nla_len);
		if (a->nla_len < NLA_HDRLEN || a->nla_len > len || !counts_only(a))
			return false;
		if (step >= len)
			break;
		p += step;
		len -= step;
	}
	return true;
}

static void read_element(struct nft_ruleset *r, const struct nft_set *set,
			 const struct nlattr *element, struct nft_stored *out)
{
	const struct nlattr *t[NFTA_SET_ELEM_MAX + 1], *d[NFTA_DATA_MAX + 1];
	struct nft_element *v = &out->value;
	bool foreign = false;

	*out = (struct nft_stored){.value = {.verdict = {.code = NFT_OTHER}}};
	if (!nft_nested(element, t, NFTA_SET_ELEM_MAX, &foreign)) {
		v->conditional = true;
		return;
	}
	out->interval_end = nft_u32(t[NFTA_SET_ELEM_FLAGS], 0) & NFT_SET_ELEM_INTERVAL_END;
	out->fields = t[NFTA_SET_ELEM_KEY_END];
	if (nft_nested(t[NFTA_SET_ELEM_KEY], d, NFTA_DATA_MAX, &foreign) && d[NFTA_DATA_VALUE] &&
	    nft_payload(d[NFTA_DATA_VALUE]) == set->key_len)
		out->key = nft_content(d[NFTA_DATA_VALUE]);
	v->conditional =
		foreign || (t[NFTA_SET_ELEM_EXPR] && !counts_only(t[NFTA_SET_ELEM_EXPR])) ||
		(t[NFTA_SET_ELEM_EXPRESSIONS] && !all_count_only(t[NFTA_SET_ELEM_EXPRESSIONS]));
	if (!nft_nested(t[NFTA_SET_ELEM_DATA], d, NFTA_DATA_MAX, &foreign))
		return;
	if (d[NFTA_DATA_VERDICT])
		v->verdict = nft_read_verdict(r, d[NFTA_DATA_VERDICT]);
	if (d[NFTA_DATA_VALUE] && nft_payload(d[NFTA_DATA_VALUE]) <= sizeof(v->data)) {
		v->data_len = nft_payload(d[NFTA_DATA_VALUE]);
		memcpy(v->data, nft_content(d[NFTA_DATA_VALUE]), v->data_len);
	}
}

struct elements {
	const struct nft_set *set;
	struct nft_element *first; /* of a single question */
	unsigned n, max;
	void (*each)(void *arg, const struct nft_stored *e);
	void *arg;
};

static void on_elements(struct nft_ruleset *r, const struct nlmsghdr *m, void *arg)
{
	const struct nlattr *t[NFTA_SET_ELEM_LIST_MAX + 1];
	struct elements *l = arg;
	bool foreign = false;
	size_t len;
	const struct nlattr *attributes = nft_rule_attributes(m, &len);

	if (!nft_attributes(attributes, len, t, NFTA_SET_ELEM_LIST_MAX, &foreign) ||
	    !t[NFTA_SET_ELEM_LIST_ELEMENTS])
		return;
	const uint8_t *p = nft_content(t[NFTA_SET_ELEM_LIST_ELEMENTS]);
	len = nft_payload(t[NFTA_SET_ELEM_LIST_ELEMENTS]);
	while (len >= NLA_HDRLEN && l->n <= l->max) {
		const struct nlattr *a = (const void *)p;
		size_t step = NLA_ALIGN(a->nla_len);
		struct nft_stored e;
		if (a->nla_len < NLA_HDRLEN || a->nla_len > len)
			return;
		read_element(r, l->set, a, &e);
		if (l->first && l->n == 0)
			*l->first = e.value;
		if (++l->n <= l->max && l->each)
			l->each(l->arg, &e);
		if (step >= len)
			break;
		p += step;
		len -= step;
	}
}

static int ask_element(struct nft_ruleset *r, const struct nft_set *s, const uint8_t *key,
		       struct nft_element *out)
{
	const uint32_t catchall = htobe32(NFT_SET_ELEM_CATCHALL);
	struct elements l = {.set = s, .first = out, .max = 1};
	struct nft_request q;
	struct err e;
	int answer;

	nft_ask_begin(r, &q, NFT_MSG_GETSETELEM, 0, s->family);
	nft_ask_string(&q, NFTA_SET_ELEM_LIST_TABLE, s->table);
	nft_ask_string(&q, NFTA_SET_ELEM_LIST_SET, s->name);
	size_t list = nft_ask_put(&q, NLA_F_NESTED | NFTA_SET_ELEM_LIST_ELEMENTS, NULL, 0);
	size_t elem = nft_ask_put(&q, NLA_F_NESTED | NFTA_LIST_ELEM, NULL, 0);
	if (key) {
		size_t at = nft_ask_put(&q, NLA_F_NESTED | NFTA_SET_ELEM_KEY, NULL, 0);
		nft_ask_put(&q, NFTA_DATA_VALUE, key, s->key_len);
		nft_ask_end_nest(&q, at);
	} else {
		nft_ask_put(&q, NFTA_SET_ELEM_FLAGS, &catchall, sizeof(catchall));
	}
	nft_ask_end_nest(&q, elem);
	nft_ask_end_nest(&q, list);
	if (nft_ask(r, &q, on_elements, &l, &answer, &e) != 0)
		return EIO;
	return answer == 0 && l.n == 0 ? EIO : answer;
}

enum nft_found nft_find_element(struct nft_ruleset *r, struct nft_set *set, const uint8_t *key,
				struct nft_element *out)
{
	int answer = ask_element(r, set, key, out);

	if (answer == 0)
		return NFT_FOUND;
	if (answer != ENOENT)
		return NFT_UNKNOWN;
	if (set->catchall == 0)
		return NFT_ABSENT;
	answer = ask_element(r, set, NULL, out);
	/* EINVAL: a kernel that knows of no such elements (before 5.13) */
	set->catchall = answer != ENOENT && answer != EINVAL;
	if (answer == 0)
		return NFT_FOUND;
	return set->catchall ? NFT_UNKNOWN : NFT_ABSENT;
}

bool nft_each_element(struct nft_ruleset *r, const struct nft_set *set, unsigned max,
		      void (*each)(void *arg, const struct nft_stored *e), void *arg)
{
	struct elements l = {.set = set, .max = max, .each = each, .arg = arg};
	struct nft_request q;
	struct err e;
	int answer;

	nft_ask_begin(r, &q, NFT_MSG_GETSETELEM, NLM_F_DUMP, set->family);
	nft_ask_string(&q, NFTA_SET_ELEM_LIST_TABLE, set->table);
	nft_ask_string(&q, NFTA_SET_ELEM_LIST_SET, set->name);
	return nft_ask(r, &q, on_elements, &l, &answer, &e) == 0 && answer == 0 && l.n <= max;
}
