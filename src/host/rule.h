/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside host/: ip rules, by hand: libnl's rtnl_rule knows neither `not` nor uidrange. */
#ifndef SB_HOST_RULE_H
#define SB_HOST_RULE_H

#include "host/netlink.h"

struct port_range {
	uint16_t start, end; /* host byte order; 0, 0: any */
	uint16_t mask;       /* not 0: `start` under this mask instead of a range */
};

struct rule {
	uint32_t priority, table, flags; /* FIB_RULE_* */
	uint8_t action;                  /* FR_ACT_* */
	uint8_t family;
	uint8_t tos, ip_proto, protocol;
	uint8_t src_len, dst_len;
	struct addr src, dst;
	char iif[IFNAMSIZ], oif[IFNAMSIZ]; /* "": any */
	bool has_mark, has_mask, has_uids, has_tunnel, has_dscp, has_label, l3mdev;
	bool unknown; /* has a selector that this program can't judge */
	uint8_t dscp, dscp_mask;
	uint32_t label, label_mask; /* IPv6 flow label */
	uint32_t mark, mask;
	uint32_t uid_start, uid_end;
	uint64_t tunnel;
	struct port_range sport, dport;
	int suppress_prefixlen, suppress_ifgroup; /* -1: none */
	uint32_t target;                          /* of FR_ACT_GOTO */
	uint32_t realms;
};

struct rules {
	struct rule *list; /* in the order in which the kernel tries them */
	size_t n, size;
	int family;
};

/* All rules of a family. A kernel without policy routing gives the three that it acts by. */
int rules_read(struct host *h, int family, struct rules *out, struct err *e);
void rules_clear(struct rules *r);

/* What a lookup is made with, as far as rules can look at it. */
struct rule_packet {
	struct addr src, dst; /* src ADDR_NONE: the kernel has not chosen one yet */
	const char *oif;      /* name; NULL: not bound to an interface */
	bool in_vrf;          /* oif is a VRF or belongs to one */
	uint32_t uid;
	uint8_t ip_proto;
	uint16_t sport, dport;
};

enum rule_match {
	RULE_NO,
	RULE_YES,
	RULE_MAYBE, /* depends on a selector that can't be judged here */
};

/* Port of the kernel's fib_rule_match() for a packet of our own, without mark or tos. */
enum rule_match rule_match(const struct rule *r, const struct rule_packet *p);

/* What `ip rule` prints after "PRIORITY:\t". */
void rule_words(const struct rule *r, char *out, size_t size);

#endif
