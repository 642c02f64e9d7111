/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Private to host/iptables*.c: saved tables as they were parsed, and what one
 * rule says of one packet.
 *
 * "As far as we know" has five steps, ordered, so that `and` is the lower of
 * two, `or` the higher, and `not` the mirror image.
 */
#ifndef SB_HOST_IPTABLES_RULES_H
#define SB_HOST_IPTABLES_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "host/iptables.h"

/* ---- saved tables ---- */

/* of a table, a chain, a target, with its NUL; the kernel's are shorter */
#define IPT_NAME_MAX 64
#define IPT_WORD_MAX 256

struct ipt_rule {
	const char *text; /* "-A CHAIN ...", borrowed from the reading; no NUL at its end */
	size_t len;
	uint64_t packets;
};

struct ipt_chain {
	char name[IPT_NAME_MAX];
	bool builtin;
	char policy[16];  /* of a built-in chain: "ACCEPT", "DROP" */
	uint64_t packets; /* that met the policy */
	const struct ipt_rule *rules;
	size_t n_rules;
};

struct ipt_table {
	char name[IPT_NAME_MAX];
	struct ipt_chain *chains; /* by name, for bsearch() */
	size_t n_chains;
	struct ipt_rule *rules; /* of all chains, chain by chain */
	size_t n_rules;
};

#define IPT_TABLES_MAX 8

struct iptables {
	enum addr_family family;
	char *text; /* owned */
	struct ipt_table tables[IPT_TABLES_MAX];
	size_t n_tables;
};

/* iptables_parse() of a malloc'd text, which it takes, also on failure. */
int ipt_take(struct iptables **out, enum addr_family family, char *text, size_t len, struct err *e);

/* NULL: none of this name. */
const struct ipt_table *ipt_table(const struct iptables *t, const char *name);
const struct ipt_chain *ipt_chain(const struct ipt_table *t, const char *name);

/* ---- words of a rule, as iptables-save quotes them ---- */

struct ipt_scan {
	const char *p, *end;
	char word[IPT_WORD_MAX]; /* without quotes and escapes */
	bool quoted;             /* was: not an option, whatever it looks like */
	bool cut;                /* longer than `word` */
	bool broken;             /* a quote that never ends */
	bool plain_next; /* what follows is never quoted: names of chains, interfaces, ... */
};

/* The next word of this line; false at the line's end, where `p` then is. */
bool ipt_word(struct ipt_scan *s);

/* ---- one rule, one packet ---- */

enum ipt_truth {
	IPT_NO,
	IPT_UNLIKELY, /* no, unless something out of sight interferes */
	IPT_MAYBE,    /* only the packet can tell */
	IPT_LIKELY,   /* yes, unless something out of sight interferes */
	IPT_YES,
};

static inline enum ipt_truth ipt_and(enum ipt_truth a, enum ipt_truth b)
{
	return a < b ? a : b;
}

static inline enum ipt_truth ipt_or(enum ipt_truth a, enum ipt_truth b)
{
	return a > b ? a : b;
}

static inline enum ipt_truth ipt_not(enum ipt_truth a)
{
	return (enum ipt_truth)(IPT_YES - a);
}

/* Why something is not sure: bits, for more than one may be the reason. */
enum ipt_reason {
	IPT_BY_ADDRESS = 1 << 0,
	IPT_BY_PORT = 1 << 1,
	IPT_BY_INTERFACE = 1 << 2,
	IPT_BY_OWNER = 1 << 3,
	IPT_BY_CONNTRACK = 1 << 4,
	IPT_BY_MARK = 1 << 5,
	IPT_BY_RATE = 1 << 6,
	IPT_BY_SET = 1 << 7,
	IPT_BY_RECENT = 1 << 8,
	IPT_BY_CHANCE = 1 << 9,
	IPT_BY_QUOTA = 1 << 10,
	IPT_BY_COUNT = 1 << 11,
	IPT_BY_TIME = 1 << 12,
	IPT_BY_CGROUP = 1 << 13,
	IPT_BY_HEADER = 1 << 14,
	IPT_BY_CONTENT = 1 << 15,
	IPT_BY_IPSEC = 1 << 16,
	IPT_BY_ROUTE = 1 << 17,
	IPT_BY_MAC = 1 << 18,
	IPT_BY_SOCKET = 1 << 19,
	IPT_BY_QUEUE = 1 << 20,   /* the program that it is handed to */
	IPT_BY_TARGET = 1 << 21,  /* a target that is not understood */
	IPT_BY_UNKNOWN = 1 << 22, /* a match that is not understood */
};

struct ipt_ports {
	const uint16_t *list; /* the packet's is one of these */
	unsigned n;           /* 0: unknown */
};

struct ipt_packet {
	enum addr_family family;
	bool inbound;
	bool reply;           /* a SYN-ACK; false: a SYN */
	bool own;             /* has its socket: as it leaves */
	struct addr src, dst; /* ADDR_NONE: unknown */
	struct ipt_ports sport, dport;
	const char *iif, *oif; /* "": none (as in OUTPUT for -i), NULL: unknown */
	uid_t uid;
	gid_t gid;
	uint32_t mark, mark_known; /* bits of the mark that follow from what was seen */
	enum ipt_truth untracked;  /* conntrack was told to pass it over */
	enum ipt_truth turned;     /* its destination was changed */
};

enum ipt_kind {
	IPT_GO_ON, /* no target, or one that lets the packet go on */
	IPT_ACCEPT,
	IPT_RETURN,
	IPT_JUMP,
	IPT_GOTO,
	IPT_STOP,
	IPT_PERHAPS, /* not understood: may stop it */
	IPT_QUEUE,
	IPT_TURN,
	IPT_MARK,
	IPT_UNTRACK,
};

struct ipt_fit {
	enum ipt_truth truth;
	uint32_t reasons; /* enum ipt_reason: what it depends on */
	enum ipt_kind kind;
	enum fw_verdict verdict;   /* of STOP, PERHAPS, QUEUE, TURN */
	char target[IPT_NAME_MAX]; /* the chain, or the target's name; "" none */
	uint32_t mark, mask; /* MARK: (old & ~mask) ^ mark; all of it unknown with !mark_known */
	bool mark_known;
	struct addr to;    /* TURN: ADDR_NONE unknown */
	uint16_t to_port;  /* TURN: 0 unknown or as it was */
	bool to_port_kept; /* TURN: as it was */
};

void ipt_fits(const struct ipt_rule *r, const struct ipt_packet *p, struct ipt_fit *out);

#endif
