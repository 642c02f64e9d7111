/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a rule does with values that are in registers already: comparisons, bits, sets and maps. */
#include "host/nft_eval_private.h"

#include <stdlib.h>
#include <string.h>

#include "host/nfnl.h"

/* Newer than the headers of some systems. */
#define BITWISE_OP_AND     3
#define BITWISE_OP_OR      4
#define BITWISE_OP_XOR     5

/* ---- on registers */

enum nft_tri nft_eval_immediate(struct nft_packet *p, const struct nlattr **t)
{
	const struct nlattr *d[NFTA_DATA_MAX + 1];
	bool foreign = false;
	size_t len;

	if (nft_u32(t[NFTA_IMMEDIATE_DREG], UINT32_MAX) == NFT_REG_VERDICT) {
		if (!nft_nested(t[NFTA_IMMEDIATE_DATA], d, NFTA_DATA_MAX, &foreign))
			return nft_maybe(p, NOT_UNDERSTOOD);
		struct nft_verdict v = nft_read_verdict(p->rules, d[NFTA_DATA_VERDICT]);
		p->doing = nft_doing_of(&v);
		return NFT_YES;
	}
	const uint8_t *data = nft_data_of(t[NFTA_IMMEDIATE_DATA], &len);
	return data ? nft_reg_store(p, t[NFTA_IMMEDIATE_DREG], data, len)
		    : nft_reg_forget(p, t[NFTA_IMMEDIATE_DREG], 16, NOT_UNDERSTOOD);
}

static enum nft_tri port_compare(struct nft_packet *p, uint32_t op, const uint8_t *data)
{
	uint16_t v = (uint16_t)(data[0] << 8 | data[1]);

	switch (op) {
	case NFT_CMP_EQ: return nft_own_port_within(p, v, v);
	case NFT_CMP_NEQ: return nft_not(nft_own_port_within(p, v, v));
	case NFT_CMP_LT: return nft_not(nft_own_port_within(p, v, UINT16_MAX));
	case NFT_CMP_LTE: return nft_own_port_within(p, 0, v);
	case NFT_CMP_GT: return nft_not(nft_own_port_within(p, 0, v));
	case NFT_CMP_GTE: return nft_own_port_within(p, v, UINT16_MAX);
	default: return nft_maybe(p, NOT_UNDERSTOOD);
	}
}

enum nft_tri nft_eval_cmp(struct nft_packet *p, const struct nlattr **t)
{
	uint32_t op = nft_u32(t[NFTA_CMP_OP], UINT32_MAX);
	size_t len, at;
	const uint8_t *data = nft_data_of(t[NFTA_CMP_DATA], &len);

	if (!data || !nft_reg_at(t[NFTA_CMP_SREG], len, &at))
		return nft_maybe(p, NOT_UNDERSTOOD);
	if (len == 2 && p->reg_is_port[at / 4])
		return port_compare(p, op, data);
	switch (op) {
	case NFT_CMP_EQ: return nft_bytes_equal(p, &p->regs, at, data, len);
	case NFT_CMP_NEQ: return nft_not(nft_bytes_equal(p, &p->regs, at, data, len));
	case NFT_CMP_LT: return nft_bytes_below(p, &p->regs, at, data, len, false);
	case NFT_CMP_LTE: return nft_bytes_below(p, &p->regs, at, data, len, true);
	case NFT_CMP_GT: return nft_not(nft_bytes_below(p, &p->regs, at, data, len, true));
	case NFT_CMP_GTE: return nft_not(nft_bytes_below(p, &p->regs, at, data, len, false));
	default: return nft_maybe(p, NOT_UNDERSTOOD);
	}
}

enum nft_tri nft_eval_range(struct nft_packet *p, const struct nlattr **t)
{
	uint32_t op = nft_u32(t[NFTA_RANGE_OP], UINT32_MAX);
	size_t len = 0, len2 = 0, at;
	const uint8_t *low = nft_data_of(t[NFTA_RANGE_FROM_DATA], &len);
	const uint8_t *high = nft_data_of(t[NFTA_RANGE_TO_DATA], &len2);
	enum nft_tri in;

	if (!low || !high || len != len2 || !nft_reg_at(t[NFTA_RANGE_SREG], len, &at) ||
	    op > NFT_RANGE_NEQ)
		return nft_maybe(p, NOT_UNDERSTOOD);
	if (len == 2 && p->reg_is_port[at / 4])
		in = nft_own_port_within(p, (uint16_t)(low[0] << 8 | low[1]),
				     (uint16_t)(high[0] << 8 | high[1]));
	else
		in = nft_in_range(p, &p->regs, at, len, low, high);
	return op == NFT_RANGE_EQ ? in : nft_not(in);
}

/* Several words as the kernel shifts them: each in host order, the first the highest. */
static void shift(uint32_t *w, size_t n, uint32_t by, bool left)
{
	uint32_t carry = 0;

	if (by == 0 || by >= 32)
		return;
	if (left) {
		for (size_t i = n; i > 0; i--) {
			uint32_t v = w[i - 1];
			w[i - 1] = v << by | carry;
			carry = v >> (32 - by);
		}
		return;
	}
	for (size_t i = 0; i < n; i++) {
		uint32_t v = w[i];
		w[i] = carry | v >> by;
		carry = v << (32 - by);
	}
}

static void shift_bytes(uint8_t *bytes, size_t len, uint32_t by, bool left)
{
	uint32_t w[NFT_REG_LEN / 4];
	size_t n = (len + 3) / 4;

	memcpy(w, bytes, n * 4);
	shift(w, n, by, left);
	memcpy(bytes, w, n * 4);
}

struct operand {
	uint8_t value[NFT_REG_LEN], known[NFT_REG_LEN];
};

static void combine(uint32_t op, struct operand *a, const struct operand *b, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t av = a->value[i], ak = a->known[i], bv = b->value[i], bk = b->known[i];
		switch (op) {
		case BITWISE_OP_AND:
			a->value[i] = av & bv;
			a->known[i] = (ak & bk) | (ak & (uint8_t)~av) | (bk & (uint8_t)~bv);
			break;
		case BITWISE_OP_OR:
			a->value[i] = av | bv;
			a->known[i] = (ak & bk) | (ak & av) | (bk & bv);
			break;
		default: a->value[i] = av ^ bv; a->known[i] = ak & bk;
		}
	}
}

/* The other operand: constant data, or a register. */
static bool second_operand(struct nft_packet *p, const struct nlattr *data,
			   const struct nlattr *sreg2, size_t len, struct operand *out)
{
	size_t n, at;
	const uint8_t *d = nft_data_of(data, &n);

	memset(out->known, 0xff, sizeof(out->known));
	if (d && n >= len) {
		memcpy(out->value, d, len);
		return true;
	}
	if (!sreg2 || !nft_reg_at(sreg2, len, &at))
		return false;
	memcpy(out->value, p->regs.value + at, len);
	memcpy(out->known, p->regs.known + at, len);
	return true;
}

static bool bitwise(struct nft_packet *p, const struct nlattr **t, struct operand *a, size_t len)
{
	uint32_t op = nft_u32(t[NFTA_BITWISE_OP], NFT_BITWISE_BOOL);
	struct operand b;
	size_t n;

	switch (op) {
	case NFT_BITWISE_BOOL:
		if (!second_operand(p, t[NFTA_BITWISE_MASK], NULL, len, &b))
			return false;
		combine(BITWISE_OP_AND, a, &b, len);
		if (!second_operand(p, t[NFTA_BITWISE_XOR], NULL, len, &b))
			return false;
		combine(BITWISE_OP_XOR, a, &b, len);
		return true;
	case NFT_BITWISE_LSHIFT:
	case NFT_BITWISE_RSHIFT: {
		const uint8_t *data = nft_data_of(t[NFTA_BITWISE_DATA], &n);
		uint32_t by;
		if (!data || n < sizeof(by))
			return false;
		memcpy(&by, data, sizeof(by));
		shift_bytes(a->value, len, by, op == NFT_BITWISE_LSHIFT);
		/* bits that come in are zeros, and known */
		for (size_t i = 0; i < sizeof(a->known); i++)
			a->known[i] = (uint8_t)~a->known[i];
		shift_bytes(a->known, len, by, op == NFT_BITWISE_LSHIFT);
		for (size_t i = 0; i < sizeof(a->known); i++)
			a->known[i] = (uint8_t)~a->known[i];
		return true;
	}
	case BITWISE_OP_AND:
	case BITWISE_OP_OR:
	case BITWISE_OP_XOR:
		if (!second_operand(p, t[NFTA_BITWISE_DATA], t[BITWISE_SREG2], len, &b))
			return false;
		combine(op, a, &b, len);
		return true;
	default: return false;
	}
}

static enum nft_tri set_result(struct nft_packet *p, const struct nlattr *dreg, const struct operand *a, size_t len,
			       const char *why)
{
	size_t to;

	if (!nft_reg_clear(p, dreg, len, &to))
		return nft_maybe(p, NOT_UNDERSTOOD);
	memcpy(p->regs.value + to, a->value, len);
	memcpy(p->regs.known + to, a->known, len);
	for (size_t i = 0; i < len; i++)
		p->regs.why[to + i] = why;
	return NFT_YES;
}

enum nft_tri nft_eval_bitwise(struct nft_packet *p, const struct nlattr **t)
{
	size_t len = nft_u32(t[NFTA_BITWISE_LEN], 0), from;
	struct operand a;

	if (len == 0 || !nft_reg_at(t[NFTA_BITWISE_SREG], len, &from))
		return nft_maybe(p, NOT_UNDERSTOOD);
	const char *why = nft_first_why(&p->regs, from, len);
	memset(&a, 0, sizeof(a));
	memcpy(a.value, p->regs.value + from, (len + 3) / 4 * 4);
	memcpy(a.known, p->regs.known + from, (len + 3) / 4 * 4);
	if (!bitwise(p, t, &a, len))
		return nft_reg_forget(p, t[NFTA_BITWISE_DREG], len, NOT_UNDERSTOOD);
	return set_result(p, t[NFTA_BITWISE_DREG], &a, len, why);
}

static void reverse(uint8_t *b, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		uint8_t x = b[i];
		b[i] = b[n - 1 - i];
		b[n - 1 - i] = x;
	}
}

enum nft_tri nft_eval_byteorder(struct nft_packet *p, const struct nlattr **t)
{
	size_t len = nft_u32(t[NFTA_BYTEORDER_LEN], 0);
	size_t size = nft_u32(t[NFTA_BYTEORDER_SIZE], 0), from;
	struct operand a;

	if (len == 0 || (size != 2 && size != 4 && size != 8) || len % size ||
	    !nft_reg_at(t[NFTA_BYTEORDER_SREG], len, &from))
		return nft_maybe(p, NOT_UNDERSTOOD);
	const char *why = nft_first_why(&p->regs, from, len);
	memcpy(a.value, p->regs.value + from, len);
	memcpy(a.known, p->regs.known + from, len);
	for (size_t i = 0; i < len && __BYTE_ORDER == __LITTLE_ENDIAN; i += size) {
		reverse(a.value + i, size);
		reverse(a.known + i, size);
	}
	return set_result(p, t[NFTA_BYTEORDER_DREG], &a, len, why);
}

/* ---- sets */

#define STORED_MAX 4096 /* elements of a set that are looked at one by one */

struct stored_key {
	uint8_t key[NFT_DATA_MAX];
	bool end, conditional;
};

struct stored_keys {
	struct stored_key *list;
	size_t n, key_len;
	bool odd; /* something is there that can't be compared here */
	bool all; /* a `*` element */
};

static void keep_key(void *arg, const struct nft_stored *e)
{
	struct stored_keys *k = arg;

	if (!e->key || e->fields) {
		k->all |= !e->key && !e->fields && !e->value.conditional;
		k->odd |= !k->all;
		return;
	}
	struct stored_key *x = &k->list[k->n++];
	memcpy(x->key, e->key, k->key_len);
	x->end = e->interval_end;
	x->conditional = e->value.conditional;
}

/* The end of an interval before the beginning of the next one. */
static int by_key(const void *a, const void *b)
{
	const struct stored_key *x = a, *y = b;
	int d = memcmp(x->key, y->key, sizeof(x->key));

	return d ? d : (int)y->end - (int)x->end;
}

/* The last key before this one. */
static void decrement(uint8_t *key, size_t len)
{
	while (len-- > 0)
		if (key[len]-- != 0)
			return;
}

static enum nft_tri between(struct nft_packet *p, size_t at, size_t len, const uint8_t *low,
			    const uint8_t *high)
{
	if (len == 2 && p->reg_is_port[at / 4])
		return nft_own_port_within(p, (uint16_t)(low[0] << 8 | low[1]),
				       (uint16_t)(high[0] << 8 | high[1]));
	return nft_in_range(p, &p->regs, at, len, low, high);
}

/* Could the key, of which not all is known, be one of these? */
static enum nft_tri among(struct nft_packet *p, const struct nft_set *s, struct stored_keys *k,
			  size_t at)
{
	bool intervals = s->flags & NFT_SET_INTERVAL;
	enum nft_tri result = NFT_NO;

	if (intervals)
		qsort(k->list, k->n, sizeof(*k->list), by_key);
	for (size_t i = 0; i < k->n && result != NFT_YES; i++) {
		uint8_t high[NFT_DATA_MAX];
		if (k->list[i].end)
			continue;
		memcpy(high, k->list[i].key, s->key_len);
		if (intervals && i + 1 < k->n) {
			memcpy(high, k->list[i + 1].key, s->key_len);
			decrement(high, s->key_len);
		} else if (intervals) {
			memset(high, 0xff, s->key_len);
		}
		enum nft_tri in = between(p, at, s->key_len, k->list[i].key, high);
		if (in == NFT_YES && !k->list[i].conditional)
			result = NFT_YES;
		else if (in != NFT_NO)
			result = NFT_MAYBE;
	}
	return result;
}

static enum nft_tri in_set_partly(struct nft_packet *p, const struct nft_set *s, size_t at)
{
	const char *why = nft_first_why(&p->regs, at, s->key_len);
	struct stored_keys k = {.key_len = s->key_len};
	enum nft_tri result = NFT_MAYBE;

	k.list = xcalloc(STORED_MAX, sizeof(*k.list));
	if (nft_each_element(p->rules, s, STORED_MAX, keep_key, &k) && !k.odd)
		result = k.all ? NFT_YES : among(p, s, &k, at);
	free(k.list);
	return result == NFT_MAYBE ? nft_maybe(p, why) : result;
}

/* Is the key at `at` in the set? */
static enum nft_tri in_set(struct nft_packet *p, struct nft_set *s, size_t at,
			   struct nft_element *out)
{
	if (!nft_all_known(&p->regs, at, s->key_len))
		return in_set_partly(p, s, at);
	switch (nft_find_element(p->rules, s, p->regs.value + at, out)) {
	case NFT_ABSENT: return NFT_NO;
	case NFT_FOUND:
		return out->conditional ? nft_maybe_of(p, "the limits in set ", s->name) : NFT_YES;
	case NFT_UNKNOWN: break;
	}
	return nft_maybe_of(p, "the contents of set ", s->name);
}

static enum nft_tri map_result(struct nft_packet *p, const struct nlattr **t, struct nft_set *s,
			       enum nft_tri in, const struct nft_element *e, bool known)
{
	if (nft_u32(t[NFTA_LOOKUP_DREG], UINT32_MAX) == NFT_REG_VERDICT) {
		p->doing = known ? nft_doing_of(&e->verdict)
				 : (struct nft_doing){.act = NFT_ACT_ANY, .any = s};
		return in;
	}
	if (known && e->data_len)
		nft_reg_store(p, t[NFTA_LOOKUP_DREG], e->data, e->data_len);
	else
		nft_reg_forget(p, t[NFTA_LOOKUP_DREG], s->data_len, p->why ? p->why : "a map");
	return in;
}

enum nft_tri nft_eval_lookup(struct nft_packet *p, const struct nlattr **t)
{
	const char *name = nfnl_str(t[NFTA_LOOKUP_SET]);
	struct nft_set *s = nft_find_set(p->rules, p->family, p->table, name);
	bool inverted = nft_u32(t[NFTA_LOOKUP_FLAGS], 0) & NFT_LOOKUP_F_INV;
	struct nft_element e = {.data_len = 0};
	size_t at;

	if (!s || !nft_reg_at(t[NFTA_LOOKUP_SREG], s->key_len, &at))
		return nft_maybe_of(p, "the contents of set ", name);
	enum nft_tri in = in_set(p, s, at, &e);
	if (in == NFT_NO || !t[NFTA_LOOKUP_DREG])
		return inverted ? nft_not(in) : in;
	/* else the key is not known in full, and any of its values may come */
	bool found = e.data_len || e.verdict.code != NFT_GO_ON;
	return map_result(p, t, s, in, &e, found);
}

enum nft_tri nft_eval_dynset(struct nft_packet *p, const struct nlattr **t)
{
	if (nft_u32(t[NFTA_DYNSET_OP], 0) == NFT_DYNSET_OP_DELETE)
		return NFT_YES;
	/* a full set ends the rule, and so does a limit that an element carries */
	if (t[NFTA_DYNSET_EXPR] || t[NFTA_DYNSET_EXPRESSIONS])
		return nft_maybe_of(p, "the limits in set ", nfnl_str(t[NFTA_DYNSET_SET_NAME]));
	return nft_maybe_of(p, "whether there is room in set ",
			    nfnl_str(t[NFTA_DYNSET_SET_NAME]));
}

enum nft_tri nft_eval_objref(struct nft_packet *p, const struct nlattr **t)
{
	uint32_t type = nft_u32(t[NFTA_OBJREF_IMM_TYPE], 0);

	if (t[NFTA_OBJREF_SET_NAME])
		return nft_maybe_of(p, "the contents of set ", nfnl_str(t[NFTA_OBJREF_SET_NAME]));
	switch (type) {
	case NFT_OBJECT_COUNTER:
	case NFT_OBJECT_CT_HELPER:
	case NFT_OBJECT_CT_TIMEOUT:
	case NFT_OBJECT_CT_EXPECT:
	case NFT_OBJECT_SECMARK:
	case NFT_OBJECT_TUNNEL: return NFT_YES;
	case NFT_OBJECT_QUOTA:
		return nft_maybe_of(p, "quota ", nfnl_str(t[NFTA_OBJREF_IMM_NAME]));
	case NFT_OBJECT_LIMIT:
		return nft_maybe_of(p, "limit ", nfnl_str(t[NFTA_OBJREF_IMM_NAME]));
	case NFT_OBJECT_CONNLIMIT: return nft_maybe(p, "the number of connections");
	case NFT_OBJECT_SYNPROXY: p->doing.act = NFT_ACT_STEAL; return NFT_YES;
	default: return nft_maybe(p, NOT_UNDERSTOOD);
	}
}
