/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/rule.h"

#include <endian.h>
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netdb.h>
#include <netlink/msg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "host/words.h"

/* Selectors of kernels that are newer than the headers this may be built with. */
#define RULE_FRA_DSCP           25 /* Linux 6.13 */
#define RULE_FRA_FLOWLABEL      26 /* 6.14 */
#define RULE_FRA_FLOWLABEL_MASK 27
#define RULE_FRA_SPORT_MASK     28 /* 6.15 */
#define RULE_FRA_DPORT_MASK     29
#define RULE_FRA_DSCP_MASK      30
#define RULE_FRA_LAST_KNOWN     30
#define RULE_FRA_MAX            60

#define DSCP_ALL  0x3f
#define LABEL_ALL 0xfffff

/* ---- reading ----------------------------------------------------------------------------- */

static struct port_range range_of(const struct nlattr *a, const struct nlattr *mask)
{
	struct port_range out = {.mask = netlink_u16(mask)};
	struct fib_rule_port_range range;

	if (a && nla_len(a) >= (int)sizeof(range)) {
		memcpy(&range, nla_data(a), sizeof(range));
		out.start = range.start;
		out.end = range.end;
	}
	return out;
}

static int number_or_none(const struct nlattr *a)
{
	return a ? (int)netlink_u32(a) : -1; /* the kernel says 0xffffffff for none */
}

static bool rule_parse(struct rule *r, const struct nlmsghdr *m)
{
	struct nlattr *a[RULE_FRA_MAX + 1];
	const struct fib_rule_hdr *header = nlmsg_data(m);

	if (!netlink_parse(m, sizeof(*header), a, RULE_FRA_MAX))
		return false;
	memset(r, 0, sizeof(*r));
	r->family = header->family;
	r->flags = header->flags;
	r->action = header->action;
	r->tos = header->tos;
	r->src_len = header->src_len;
	r->dst_len = header->dst_len;
	r->src = netlink_addr(r->family, a[FRA_SRC]);
	r->dst = netlink_addr(r->family, a[FRA_DST]);
	r->priority = netlink_u32(a[FRA_PRIORITY]);
	r->table = a[FRA_TABLE] ? netlink_u32(a[FRA_TABLE]) : header->table;
	r->ip_proto = netlink_u8(a[FRA_IP_PROTO]);
	r->protocol = netlink_u8(a[FRA_PROTOCOL]);
	if (a[FRA_IIFNAME])
		nla_strlcpy(r->iif, a[FRA_IIFNAME], sizeof(r->iif));
	if (a[FRA_OIFNAME])
		nla_strlcpy(r->oif, a[FRA_OIFNAME], sizeof(r->oif));
	r->has_mark = a[FRA_FWMARK] || a[FRA_FWMASK];
	r->mark = netlink_u32(a[FRA_FWMARK]);
	r->has_mask = a[FRA_FWMASK] && netlink_u32(a[FRA_FWMASK]) != UINT32_MAX;
	r->mask = a[FRA_FWMASK] ? netlink_u32(a[FRA_FWMASK]) : UINT32_MAX;
	if (a[FRA_UID_RANGE] &&
	    nla_len(a[FRA_UID_RANGE]) >= (int)sizeof(struct fib_rule_uid_range)) {
		const struct fib_rule_uid_range *uids = nla_data(a[FRA_UID_RANGE]);
		r->has_uids = true;
		r->uid_start = uids->start;
		r->uid_end = uids->end;
	}
	if (a[FRA_TUN_ID] && nla_len(a[FRA_TUN_ID]) >= 8) {
		uint64_t be;
		memcpy(&be, nla_data(a[FRA_TUN_ID]), sizeof(be));
		r->tunnel = be64toh(be);
		r->has_tunnel = true;
	}
	r->sport = range_of(a[FRA_SPORT_RANGE], a[RULE_FRA_SPORT_MASK]);
	r->dport = range_of(a[FRA_DPORT_RANGE], a[RULE_FRA_DPORT_MASK]);
	r->suppress_prefixlen = number_or_none(a[FRA_SUPPRESS_PREFIXLEN]);
	r->suppress_ifgroup = number_or_none(a[FRA_SUPPRESS_IFGROUP]);
	r->l3mdev = netlink_u8(a[FRA_L3MDEV]) != 0;
	r->target = netlink_u32(a[FRA_GOTO]);
	r->realms = netlink_u32(a[FRA_FLOW]);
	r->has_dscp = a[RULE_FRA_DSCP] != NULL;
	r->dscp = netlink_u8(a[RULE_FRA_DSCP]);
	r->dscp_mask = a[RULE_FRA_DSCP_MASK] ? netlink_u8(a[RULE_FRA_DSCP_MASK]) : DSCP_ALL;
	r->has_label = a[RULE_FRA_FLOWLABEL] != NULL;
	r->label = be32toh(netlink_u32(a[RULE_FRA_FLOWLABEL]));
	r->label_mask = be32toh(netlink_u32(a[RULE_FRA_FLOWLABEL_MASK]));
	for (int i = RULE_FRA_LAST_KNOWN + 1; i <= RULE_FRA_MAX; i++)
		if (a[i])
			r->unknown = true;
	return true;
}

static struct rule *append(struct rules *out)
{
	if (out->n == out->size) {
		out->size = out->size ? 2 * out->size : 8;
		out->list = xrealloc(out->list, out->size * sizeof(*out->list));
	}
	return &out->list[out->n++];
}

static void on_rule(const struct nlmsghdr *m, void *arg)
{
	struct rules *out = arg;
	struct rule r;

	if (!m) {
		out->n = 0;
		return;
	}
	/* a dump of one family gave others too */
	if (m->nlmsg_type == RTM_NEWRULE && rule_parse(&r, m) && r.family == out->family)
		*append(out) = r;
}

static void built_in_rules(struct rules *out)
{
	static const uint32_t order[] = {RT_TABLE_LOCAL, RT_TABLE_MAIN, RT_TABLE_DEFAULT};

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		*append(out) = (struct rule){.family = (uint8_t)out->family,
					     .action = FR_ACT_TO_TBL,
					     .table = order[i],
					     .suppress_prefixlen = -1,
					     .suppress_ifgroup = -1};
}

int rules_read(struct host *h, int family, struct rules *out, struct err *e)
{
	const struct fib_rule_hdr header = {.family = (uint8_t)family};
	struct nl_msg *msg = netlink_request(RTM_GETRULE, NLM_F_DUMP, &header, sizeof(header));
	int answer;

	*out = (struct rules){.family = family};
	if (netlink_ask(h, msg, on_rule, out, &answer, e) != 0) {
		rules_clear(out);
		return -1;
	}
	if (answer == EOPNOTSUPP || answer == EAFNOSUPPORT)
		built_in_rules(out);
	else if (answer != 0)
		return err_set(e, ERR_RUN, "netlink: rules: %s", strerror(answer));
	return 0;
}

void rules_clear(struct rules *r)
{
	free(r->list);
	memset(r, 0, sizeof(*r));
}

/* ---- matching ---------------------------------------------------------------------------- */

static bool in_prefix(const struct addr *prefix, unsigned len, const struct addr *a)
{
	if (len == 0)
		return true;
	return addr_is_set(a) && addr_common_prefix(prefix, a) >= len;
}

static bool in_range(const struct port_range *r, uint16_t port)
{
	if (r->start == 0 && r->end == 0)
		return true;
	if (r->mask) /* then start is the one value */
		return ((r->start ^ port) & r->mask) == 0;
	return port >= r->start && port <= r->end;
}

static bool selectors_match(const struct rule *r, const struct rule_packet *p)
{
	/* what this host sends comes "from lo" */
	if (r->iif[0] && strcmp(r->iif, "lo") != 0)
		return false;
	if (r->oif[0] && (!p->oif || strcmp(r->oif, p->oif) != 0))
		return false;
	if (r->mark & r->mask) /* our mark is 0 */
		return false;
	if (r->has_tunnel && r->tunnel != 0)
		return false;
	if (r->has_uids && (p->uid < r->uid_start || p->uid > r->uid_end))
		return false;
	/* without a source yet such a rule matches, and the source is compared afterwards */
	bool source_later = (r->flags & FIB_RULE_FIND_SADDR) && !addr_is_set(&p->src);
	if (!source_later && !in_prefix(&r->src, r->src_len, &p->src))
		return false;
	if (!in_prefix(&r->dst, r->dst_len, &p->dst))
		return false;
	/* tos, DSCP and flow label of what we send are 0 when the route is chosen */
	if (r->tos != 0 || (r->dscp & r->dscp_mask) || (r->label & r->label_mask))
		return false;
	if (r->ip_proto && r->ip_proto != p->ip_proto)
		return false;
	return in_range(&r->sport, p->sport) && in_range(&r->dport, p->dport);
}

enum rule_match rule_match(const struct rule *r, const struct rule_packet *p)
{
	bool yes = selectors_match(r, p);

	if (yes && (r->unknown || (r->l3mdev && p->in_vrf)))
		return RULE_MAYBE;
	if (r->l3mdev && !p->in_vrf)
		yes = false;
	return yes != ((r->flags & FIB_RULE_INVERT) != 0) ? RULE_YES : RULE_NO;
}

/* ---- words ------------------------------------------------------------------------------- */

static void add_range(struct line *l, const char *word, const struct port_range *r)
{
	if (r->start == 0 && r->end == 0)
		return;
	if (r->mask && r->mask != UINT16_MAX)
		line_add(l, "%s %u/0x%x", word, r->start, r->mask);
	else if (r->start == r->end)
		line_add(l, "%s %u", word, r->start);
	else
		line_add(l, "%s %u-%u", word, r->start, r->end);
}

static void add_ip_proto(struct line *l, uint8_t number)
{
	struct protoent entry, *found = NULL;
	char buf[1024];

	if (getprotobynumber_r(number, &entry, buf, sizeof(buf), &found) == 0 && found)
		line_add(l, "ipproto %s", found->p_name);
	else
		line_add(l, "ipproto ipproto-%u", number);
}

static void add_realms(struct line *l, uint32_t realms)
{
	char from[64], to[64];

	if (!words_lookup("rt_realms", realms >> 16, from, sizeof(from)))
		snprintf(from, sizeof(from), "%u", realms >> 16);
	if (!words_lookup("rt_realms", realms & 0xffff, to, sizeof(to)))
		snprintf(to, sizeof(to), "%u", realms & 0xffff);
	if (realms >> 16)
		line_add(l, "realms %s/%s", from, to);
	else
		line_add(l, "realms %s", to);
}

static void add_action(struct line *l, const struct rule *r)
{
	switch (r->action) {
	case FR_ACT_TO_TBL: break;
	case FR_ACT_GOTO:
		line_add(l, "goto %u%s", r->target,
			 r->flags & FIB_RULE_UNRESOLVED ? " [unresolved]" : "");
		break;
	case FR_ACT_NOP: line_add(l, "nop"); break;
	case FR_ACT_BLACKHOLE: line_add(l, "blackhole"); break;
	case FR_ACT_UNREACHABLE: line_add(l, "unreachable"); break;
	case FR_ACT_PROHIBIT: line_add(l, "prohibit"); break;
	default: line_add(l, "%u", r->action); /* a number of the kernel's, not an enum of ours */
	}
}

void rule_words(const struct rule *r, char *out, size_t size)
{
	struct line l = line_into(out, size);
	char text[64];

	if (r->flags & FIB_RULE_INVERT)
		line_add(&l, "not");
	if (addr_is_set(&r->src) || r->src_len)
		words_prefix(&l, "from", &r->src, r->src_len);
	else
		line_add(&l, "from all");
	if (addr_is_set(&r->dst) || r->dst_len)
		words_prefix(&l, "to", &r->dst, r->dst_len);
	if (r->tos) {
		words_tos(r->tos, text, sizeof(text));
		line_add(&l, "tos %s", text);
	}
	if (r->has_mark && r->has_mask)
		line_add(&l, "fwmark %#x/%#x", r->mark, r->mask);
	else if (r->has_mark)
		line_add(&l, "fwmark %#x", r->mark);
	if (r->iif[0])
		line_add(&l, "iif %s%s", r->iif,
			 r->flags & FIB_RULE_IIF_DETACHED ? " [detached]" : "");
	if (r->oif[0])
		line_add(&l, "oif %s%s", r->oif,
			 r->flags & FIB_RULE_OIF_DETACHED ? " [detached]" : "");
	if (r->l3mdev)
		line_add(&l, "lookup [l3mdev-table]");
	if (r->has_uids)
		line_add(&l, "uidrange %u-%u", r->uid_start, r->uid_end);
	if (r->ip_proto)
		add_ip_proto(&l, r->ip_proto);
	add_range(&l, "sport", &r->sport);
	add_range(&l, "dport", &r->dport);
	if (r->has_tunnel)
		line_add(&l, "tun_id %llu", (unsigned long long)r->tunnel);
	if (r->has_dscp && r->dscp_mask != DSCP_ALL)
		line_add(&l, "dscp 0x%02x/0x%02x", r->dscp, r->dscp_mask);
	else if (r->has_dscp)
		line_add(&l, "dscp %u", r->dscp);
	if (r->has_label && r->label_mask != LABEL_ALL)
		line_add(&l, "flowlabel 0x%x/0x%x", r->label, r->label_mask);
	else if (r->has_label)
		line_add(&l, "flowlabel 0x%x", r->label);
	if (r->table) {
		words_table(r->table, text, sizeof(text));
		line_add(&l, "lookup %s", text);
		if (r->suppress_prefixlen != -1)
			line_add(&l, "suppress_prefixlength %d", r->suppress_prefixlen);
		if (r->suppress_ifgroup != -1)
			line_add(&l, "suppress_ifgroup %d", r->suppress_ifgroup);
	}
	if (r->realms)
		add_realms(&l, r->realms);
	add_action(&l, r);
	if (r->protocol > RTPROT_BOOT) {
		words_protocol(r->protocol, text, sizeof(text));
		line_add(&l, "proto %s", text);
	}
}
