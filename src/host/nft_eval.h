/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Inside host/: one rule of nf_tables against a packet of which only some bits
 * are known. Answers are three-valued, and a "maybe" has a reason in words. What
 * this program does not understand is a maybe, never a yes or a no.
 */
#ifndef SB_HOST_NFT_EVAL_H
#define SB_HOST_NFT_EVAL_H

#include "host/nft_ruleset.h"
#include "host/watch.h"

enum nft_tri { NFT_NO, NFT_YES, NFT_MAYBE };

/* Bytes of which some bits may be unknown, each unknown byte with a reason. */
#define NFT_NET_LEN 40 /* the longest network header without options */
#define NFT_TCP_LEN 20
#define NFT_REG_LEN 64 /* all registers: 16 of 32 bits */

struct nft_bytes {
	uint8_t value[NFT_REG_LEN], known[NFT_REG_LEN]; /* known: a bit each */
	const char *why[NFT_REG_LEN];
};

/* A word of the packet that rules may change. */
struct nft_word {
	uint32_t value, known;
	const char *why;
};

enum nft_stage {
	NFT_OUTPUT,
	NFT_POSTROUTING,
	NFT_EGRESS,
	NFT_INGRESS,
	NFT_PREROUTING,
	NFT_INPUT,
};

enum nft_tracking {
	NFT_UNSEEN, /* conntrack has not come yet */
	NFT_TRACKED,
	NFT_UNTRACKED, /* a rule said so */
	NFT_TRACKING_UNKNOWN,
};

enum nft_device { NFT_DEV_NONE, NFT_DEV_OURS, NFT_DEV_LO, NFT_DEV_UNKNOWN };

/* What the host is like, as far as rules ask: the same for all packets. */
struct nft_surroundings {
	const struct host_watch *watch;
	bool v6;
	bool loopback;                 /* the target is on this host */
	bool no_ecn;                   /* our SYNs never ask for ECN */
	bool ids_known;                /* rules count users as this process does */
	uint16_t sport_min, sport_max; /* when the watch has no list */
	bool legacy_unknown;           /* legacy tables may change marks and addresses */
	uint32_t classid;              /* net_cls */
	bool classid_known;
	char cgroup[1024]; /* of this process, below the root; "" unknown */
	enum nft_tri remote_is_local;
	bool reverse_path; /* the route back to the target is by the same interface, for sure */
	uint16_t if_type;  /* ARPHRD_* of the interface, when known */
	bool if_type_known;
};

/* What a rule can do with a packet. */
enum nft_act {
	NFT_ACT_NONE,
	NFT_ACT_ACCEPT,
	NFT_ACT_DROP,
	NFT_ACT_REJECT,
	NFT_ACT_QUEUE,
	NFT_ACT_JUMP,
	NFT_ACT_GOTO,
	NFT_ACT_RETURN,
	NFT_ACT_REDIRECT, /* to this host itself */
	NFT_ACT_DNAT,
	NFT_ACT_TPROXY,
	NFT_ACT_SNAT,    /* accepts, with another source */
	NFT_ACT_STEAL,   /* takes it out of here: fwd, synproxy */
	NFT_ACT_ANY,     /* of the verdict map `any` one, and it can't be told which */
	NFT_ACT_UNKNOWN, /* something that this program doesn't know */
};

struct nft_doing {
	enum nft_act act;
	const char *chain; /* JUMP, GOTO */
	uint16_t queue, queues;
	bool bypass;
	struct nft_set *any;
	bool target_known; /* DNAT: to this address and port */
	struct addr to;
	uint16_t to_port; /* 0: as it was */
	bool port_known;
};

/* A packet on its way, and the rule under examination. */
struct nft_packet {
	const struct nft_surroundings *host;
	struct nft_ruleset *rules;
	struct arena *text;        /* for reasons */
	bool answer;               /* the SYN-ACK */
	struct nft_bytes net, tcp; /* headers: the first NET_LEN and TCP_LEN bytes */
	size_t net_len;
	bool sport_list; /* the SYN's source port (the answer's destination port) is one of the
			  * watch's, or within its range: see nft_values.c */
	struct nft_word mark, ct_mark, ct_status;
	enum nft_tracking tracking;
	bool turned;   /* perhaps sent elsewhere by an earlier rule */
	bool rerouted; /* perhaps routed anew, by its mark */
	/* of the base chain under examination */
	enum nft_stage stage;
	uint8_t family; /* of the chain: NFPROTO_* */
	const char *table;
	enum nft_device in, out;
	/* of the rule */
	const char *maybe;      /* why it is not certain that this rule is reached */
	const char *rule_maybe; /* ... that it matches, as far as its expressions were looked at */
	struct nft_bytes regs;
	bool reg_is_port[NFT_REG_LEN / 4]; /* holds our own port and nothing else */
	const char *why;                   /* of the last maybe */
	struct nft_doing doing;
};

/* Does the rule match, and what does it do then (p->doing)? Applies what it does to marks and the
 * like. On NFT_MAYBE, p->why says on what it depends. */
enum nft_tri nft_eval_rule(struct nft_packet *p, const struct nlmsghdr *rule);

/* Its handle. */
uint64_t nft_rule_handle(const struct nlmsghdr *rule);

/* For verdicts out of maps. */
struct nft_doing nft_doing_of(const struct nft_verdict *v);

/* ---- for the compatibility expressions (nft_xt.c) */

/* A reason that lives as long as the packet. */
enum nft_tri nft_maybe(struct nft_packet *p, const char *why);
enum nft_tri nft_maybe_of(struct nft_packet *p, const char *fmt, const char *name);
enum nft_tri nft_not(enum nft_tri t);
enum nft_tri nft_and(enum nft_tri a, enum nft_tri b);

enum nft_tri nft_in_range(struct nft_packet *p, const struct nft_bytes *b, size_t at, size_t len,
			  const uint8_t *low, const uint8_t *high);
/* Header fields: port in [low, high]. */
enum nft_tri nft_port_within(struct nft_packet *p, bool destination, uint16_t low, uint16_t high);
enum nft_tri nft_word_equals(struct nft_packet *p, const struct nft_word *w, uint32_t mask,
			     uint32_t value);
void nft_word_set(struct nft_packet *p, struct nft_word *w, uint32_t mask, uint32_t value,
		  uint32_t unknown, const char *why);
/* Bits of `ct state` (NF_CT_STATE_*), 0: not known. */
uint32_t nft_ct_state(struct nft_packet *p);
void nft_untrack(struct nft_packet *p, bool certain);

enum nft_tri nft_xt_match(struct nft_packet *p, const char *name, uint32_t revision,
			  const void *info, size_t len);
/* Fills p->doing, or leaves it alone when the target lets the packet go on. */
enum nft_tri nft_xt_target(struct nft_packet *p, const char *name, uint32_t revision,
			   const void *info, size_t len);

#endif
