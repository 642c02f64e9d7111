/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Inside host/: the rules of nf_tables in this network namespace, as the kernel
 * tells them. Chains are read when somebody comes by, and as far as he comes;
 * sets are asked for one key at a time. Attributes are read as they are, without
 * libnftnl: what a newer kernel adds to an expression must be seen, not skipped.
 *
 * Bounded in time (a deadline) and memory; what is cut off stays marked.
 */
#ifndef SB_HOST_NFT_RULESET_H
#define SB_HOST_NFT_RULESET_H

#include <linux/netlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

#define NFT_DATA_MAX   64 /* bytes of the longest key and of the longest value */
#define NFT_RULES_MAX  200000
#define NFT_MEMORY_MAX (160U << 20)

struct nft_table {
	uint8_t family; /* NFPROTO_* */
	const char *name;
	uint64_t handle;
	bool dormant;
};

struct nft_chain {
	uint8_t family;
	const char *table, *name;
	const struct nft_table *in;
	uint64_t handle;
	bool base;     /* the rest only then */
	uint32_t hook; /* NF_INET_* or NF_NETDEV_* */
	int32_t priority;
	bool policy_drop;
	const char *type;          /* "filter", "nat", "route" */
	char (*devices)[IFNAMSIZ]; /* ends in '*': every name that begins so */
	unsigned n_devices;
	/* its rules as far as they were read */
	uint8_t *rules;
	size_t len, size;
	int fd; /* of the dump under way, -1 none */
	bool begun, whole;
};

enum nft_code { /* of a verdict */
		NFT_GO_ON,
		NFT_ACCEPTS,
		NFT_DROPS,
		NFT_QUEUES,
		NFT_JUMPS,
		NFT_GOES,
		NFT_RETURNS,
		NFT_OTHER, /* not known to this program */
};

struct nft_verdict {
	enum nft_code code;
	const char *chain; /* JUMPS, GOES; borrowed from the ruleset */
	uint16_t queue;    /* QUEUES */
	bool bypass;
};

struct nft_set {
	uint8_t family;
	const char *table, *name;
	uint32_t flags; /* NFT_SET_* */
	uint32_t key_len, data_len;
	bool verdicts; /* a map to verdicts */
	bool objects;  /* a map to objects */
	int catchall;  /* 1, 0, -1: not asked yet */
};

struct nft_element {
	bool conditional; /* it carries a limit, a quota, ...: it counts for some packets only */
	struct nft_verdict verdict;
	uint8_t data[NFT_DATA_MAX];
	size_t data_len;
};

struct nft_ruleset {
	int fd; /* single questions */
	uint32_t seq;
	int64_t deadline; /* clock_mono_ns() */
	uint8_t *buffer;  /* the last datagram */
	uint32_t generation;
	struct arena names;
	struct nft_table *tables;
	size_t n_tables, size_tables;
	struct nft_chain *chains; /* sorted: nft_find_chain() */
	size_t n_chains, size_chains;
	struct nft_set **sets; /* a hash of those that were asked for */
	size_t n_sets, size_sets;
	unsigned n_rules, n_dumps;
	size_t memory;
	bool cut;     /* time or room was over before everything was read */
	bool foreign; /* something came without what says where it belongs: it could be anywhere */
	bool changed; /* somebody changed the rules meanwhile */
};

/* Reads tables and chains. 0; 1: this kernel has no nf_tables; -1: ERR_RUN. nft_ruleset_close() in
 * any case. */
int nft_ruleset_open(struct nft_ruleset *r, int64_t deadline, struct err *e);
void nft_ruleset_close(struct nft_ruleset *r);

/* Is it still the ruleset of the beginning? False also when that can't be told. */
bool nft_ruleset_same(struct nft_ruleset *r);

struct nft_chain *nft_find_chain(struct nft_ruleset *r, uint8_t family, const char *table,
				 const char *name);

/* The rule at *offset of its rules (0: the first), and *offset behind it; reads on from the kernel
 * as needed. NULL: there is none, or (chain not whole) reading was cut. Valid until the next call
 * for this chain. */
const struct nlmsghdr *nft_next_rule(struct nft_ruleset *r, struct nft_chain *c, size_t *offset);

/* NULL: there is none, or it can't be asked for. Lives as long as r. */
struct nft_set *nft_find_set(struct nft_ruleset *r, uint8_t family, const char *table,
			     const char *name);

enum nft_found { NFT_ABSENT, NFT_FOUND, NFT_UNKNOWN };

/* Is the key (set->key_len bytes, as in registers) in the set, or its `*` element? */
enum nft_found nft_find_element(struct nft_ruleset *r, struct nft_set *set, const uint8_t *key,
				struct nft_element *out);

/* An element as it is stored: intervals are two, the second of which is the first key behind. */
struct nft_stored {
	const uint8_t *key; /* set->key_len bytes; NULL: the `*` element */
	bool interval_end;
	bool fields; /* a range in each field of a concatenation, not read here */
	struct nft_element value;
};

/* Every element, at most `max`; false when there are more, or they can't be read. Nothing may be
 * asked of r meanwhile. */
bool nft_each_element(struct nft_ruleset *r, const struct nft_set *set, unsigned max,
		      void (*each)(void *arg, const struct nft_stored *e), void *arg);

/* ---- attributes, beside those of nfnl.h: all integers of nf_tables are big endian */

static inline size_t nft_payload(const struct nlattr *a)
{
	return a->nla_len - (size_t)NLA_HDRLEN;
}

static inline const void *nft_content(const struct nlattr *a)
{
	return (const uint8_t *)a + NLA_HDRLEN;
}

/* Into table[max + 1]; *foreign is set when there are types above max. False: malformed. */
bool nft_attributes(const void *head, size_t len, const struct nlattr **table, int max,
		    bool *foreign);
bool nft_nested(const struct nlattr *nest, const struct nlattr **table, int max, bool *foreign);
const struct nlattr *nft_rule_attributes(const struct nlmsghdr *m, size_t *len);
uint32_t nft_u32(const struct nlattr *a, uint32_t absent);
struct nft_verdict nft_read_verdict(struct nft_ruleset *r, const struct nlattr *verdict);

#endif
