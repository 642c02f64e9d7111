/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the kernel says of this host's firewall, programs and settings, one
 * plain value each: they cross from the privileged process to the rest of the
 * program as bytes, and enter the core as events. Strings are clean
 * (base/text.h) and end with NUL; integers are in host byte order.
 */
#ifndef SB_MODEL_HOST_RECORD_H
#define SB_MODEL_HOST_RECORD_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

#define RECORD_NAME_MAX 128 /* of a table, a chain, a program; longer ones are cut, ending in "..." */
#define RECORD_TEXT_MAX 768

enum fw_backend {
	FW_NFT,
	FW_IPTABLES_NFT,    /* nf_tables rules that iptables-nft made and prints */
	FW_IPTABLES_LEGACY, /* the old tables in the kernel */
};

enum fw_verdict {
	FW_DROP,
	FW_REJECT,
	FW_QUEUE,    /* to a program, which did not give it back */
	FW_ACCEPT,
	FW_REDIRECT, /* to this machine itself */
	FW_DNAT,     /* to another address */
	FW_TPROXY,
};

/* One rule, or the policy of a base chain. */
struct host_rule {
	enum fw_backend backend;
	enum fw_verdict verdict;
	bool policy;           /* no rule: the base chain's own policy */
	char family[8];        /* "ip", "ip6", "inet", "netdev", "bridge"; legacy: "ip", "ip6" */
	char table[RECORD_NAME_MAX];
	char chain[RECORD_NAME_MAX];      /* that holds the rule */
	char base_chain[RECORD_NAME_MAX]; /* from which it was reached; the same when in there */
	char hook[16];         /* "output", "postrouting", "input", "prerouting", "ingress", "egress" */
	int priority;          /* of the base chain */
	uint64_t handle;       /* nf_tables; 0 for a policy and for legacy rules */
	unsigned number;       /* of the rule in its chain, from 1, for both iptables; 0 unknown */
	char text[RECORD_TEXT_MAX]; /* as `nft` or `iptables -S` prints it ("-A OUTPUT ..."); for a
				   * policy "policy drop" or "-P OUTPUT DROP" */
};

/* The last of this run's own (empty) chains that a packet came by, in the order of a packet's way.
 * Whatever stopped it sits behind that one and at or before the next. */
enum waypoint {
	WAY_NONE,        /* none has seen it */
	WAY_OUT_FIRST,   /* output, before everything */
	WAY_OUT_TRACKED, /* output, behind conntrack (-200) */
	WAY_OUT_LAST,    /* output, behind everything */
	WAY_POST_FIRST,
	WAY_POST_LAST,
	WAY_EGRESS_FIRST, /* netdev egress, where the kernel has it (5.16) */
	WAY_EGRESS_LAST,
	WAY_INGRESS,     /* netdev ingress, before everything */
	WAY_INGRESS_LAST,
	WAY_PRE_FIRST,
	WAY_PRE_TRACKED,
	WAY_PRE_LAST,
	WAY_IN_FIRST,
	WAY_IN_LAST,
	WAY_COUNT,
};

/* HOST_PACKET: how netfilter treated one packet of ours (from its trace). */
struct host_packet {
	struct addr src, dst; /* as when first seen: before any translation */
	uint16_t sport, dport;
	uint8_t tcp_flags;    /* enum tcp_flag */
	bool inbound;
	char iif[IFNAMSIZ], oif[IFNAMSIZ]; /* "" where none */
	enum waypoint last;
	bool egress_watched;  /* `oif` has chains at the egress hook: a packet that leaves comes by them */
	bool stopped;         /* `stop` dropped, rejected or queued it */
	bool turned;          /* `turn` sent it to another place */
	struct host_rule stop, turn;
};

/* HOST_COUNTED: a legacy rule or policy whose counter moved with our packets, and that would stop
 * or turn them. */
struct host_counted {
	struct host_rule rule;
	bool inbound;
	uint16_t dport;       /* of the packets that were sent meanwhile: the port in question */
	uint64_t moved;       /* packets */
	bool certain;         /* every match of the rule is understood, and they fit our packet */
};

enum program_hook {
	PROG_TC_EGRESS,
	PROG_TC_INGRESS,
	PROG_TCX_EGRESS,
	PROG_TCX_INGRESS,
	PROG_XDP,
	PROG_CGROUP_CONNECT, /* connect4 or connect6, by the target's family */
	PROG_CGROUP_EGRESS,
	PROG_CGROUP_INGRESS,
	PROG_CGROUP_SOCK,    /* sock_create, sock_ops, ... : sees our sockets */
	PROG_LSM,            /* BPF LSM on socket_connect and the like */
	PROG_QDISC,          /* a queueing discipline that can drop everything (blackhole, ...) */
	PROG_NETFILTER,      /* BPF_PROG_TYPE_NETFILTER */
};

/* HOST_PROGRAM: something in force where our packets pass. That it is there, not what it did. */
struct host_program {
	uint16_t port;                /* destination port of the plan for which `drops` holds; 0 all */
	enum program_hook hook;
	bool bpf;                     /* false: a tc action, a qdisc */
	char interface[IFNAMSIZ];     /* tc, xdp, qdisc */
	char cgroup[RECORD_NAME_MAX];   /* path below the root of the cgroup tree, "/" for the root */
	uint32_t id;                  /* of the BPF program; 0 none */
	char name[RECORD_NAME_MAX];     /* of the BPF program, or the kind of filter or qdisc */
	char attach_type[32];         /* as bpftool names it: "cgroup_inet4_connect", "cgroup_inet_egress" */
	uint32_t pref, handle;        /* tc filter; 0 none */
	char protocol[16];            /* tc filter: "all", "ip" */
	bool drops;                   /* a tc action that drops (gact), for a filter that is known to
				       * match our packets; else it may. Never set for BPF, which can't
				       * be read */
	char text[RECORD_TEXT_MAX];     /* as tc or bpftool prints it, in one line */
};

/* HOST_KERNEL_DROP: the kernel freed a packet of ours and says why (skb:kfree_skb). */
struct host_kernel_drop {
	struct addr src, dst;
	uint16_t sport, dport;
	uint8_t tcp_flags;
	bool inbound;
	char interface[IFNAMSIZ];
	char reason[48];   /* "NETFILTER_DROP" */
	char function[64]; /* kernel symbol that freed it, "" unknown */
};

/* HOST_SETTING: a value in force, where it bears on our packets. */
struct host_setting {
	char name[96];   /* "net.ipv4.conf.eth0.rp_filter" */
	char value[32];
	char interface[IFNAMSIZ]; /* "" where not of one */
};

/* HOST_COUNTER: a counter of the kernel that moved while our packets were under way. */
struct host_counter {
	char name[64];   /* "TcpExtTCPRetransFail", "TcpExtIPReversePathFilter", "nf_conntrack.drop" */
	uint64_t moved;
};

/* HOST_TRANSLATION: conntrack's entry of a connection of ours whose answers come from somewhere
 * else than the place that was called. */
struct host_translation {
	uint16_t lport;       /* our source port */
	struct addr called;
	uint16_t called_port;
	struct addr actual;
	uint16_t actual_port;
	bool local;           /* `actual` is an address of this host */
};

/* HOST_OWNER: who listens (or owns the other end) on this host where our packets were sent. */
struct host_owner {
	struct addr address; /* ADDR_NONE: any */
	uint16_t port;
	uint32_t pid;        /* 0 unknown */
	uint32_t uid;
	bool transparent;    /* TPROXY: owns an address that is not this host's */
	char name[64];       /* of the program */
};

/* HOST_XFRM: an IPsec policy that matches our packets. */
struct host_xfrm {
	bool inbound;
	bool block;          /* false: they are to be encrypted; a tap sees ESP only */
	uint16_t port;       /* destination port of the plan for which it decides */
	char text[RECORD_TEXT_MAX]; /* as `ip xfrm policy` prints it, in one line */
};

/* HOST_MARK_RULE: an ip rule that forbids what bears a mark, which our packets don't unless the
 * firewall gives them one. */
struct host_mark_rule {
	uint16_t port;     /* destination port of the plan for which it would decide */
	uint32_t priority;
	char type[16];     /* "prohibit", "blackhole", "unreachable" */
	char text[256];    /* as `ip rule` prints it */
};

/* HOST_SIGHT: from `inspect`, without a packet: a rule that would decide about our SYN, or its
 * answer. In the order of the packet's way. */
enum host_would {
	WOULD_PASS,     /* a base chain lets it pass: `rule` is that chain with its accepting rule or policy */
	WOULD_STOP,
	WOULD_REDIRECT,
	WOULD_MAYBE,    /* only a packet can tell: `depends` says on what; rule.verdict what then */
};

struct host_sight {
	uint16_t port;       /* destination port of the plan */
	bool inbound;        /* our SYN's answer */
	enum host_would would;
	struct host_rule rule;
	char depends[128];   /* "the packet's mark", "a rate limit", "" */
};

/* What could not be looked at, and why. */
enum host_look {
	HOST_LOOK_TRACE,     /* nf_tables trace */
	HOST_LOOK_IPTABLES,  /* legacy iptables */
	HOST_LOOK_PROGRAMS,  /* tc, XDP, cgroup programs */
	HOST_LOOK_DROPS,     /* kernel drop reasons */
	HOST_LOOK_CONNTRACK,
	HOST_LOOK_RULES,     /* nf_tables rules, for inspect */
	HOST_LOOK_XFRM,
	HOST_LOOK_COUNT,
};

struct host_not_looked {
	enum host_look what;
	char why[256];
};

enum host_record_kind {
	HOST_PACKET,
	HOST_COUNTED,
	HOST_PROGRAM,
	HOST_KERNEL_DROP,
	HOST_SETTING,
	HOST_COUNTER,
	HOST_TRANSLATION,
	HOST_OWNER,
	HOST_XFRM,
	HOST_MARK_RULE,
	HOST_SIGHT,
	HOST_NOT_LOOKED,
};

struct host_record {
	int64_t t_ns; /* wall clock */
	enum host_record_kind kind;
	union {
		struct host_packet packet;
		struct host_counted counted;
		struct host_program program;
		struct host_kernel_drop kernel_drop;
		struct host_setting setting;
		struct host_counter counter;
		struct host_translation translation;
		struct host_owner owner;
		struct host_xfrm xfrm;
		struct host_mark_rule mark_rule;
		struct host_sight sight;
		struct host_not_looked not_looked;
	};
};

/* Takes one record; it is borrowed for the call. */
typedef void host_emit(void *arg, const struct host_record *r);

#endif
