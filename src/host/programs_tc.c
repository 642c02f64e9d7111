/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a filter of tc does with our packets. Known are the SYN that leaves and
 * the SYN-ACK that comes back, as an image of their headers in which each bit is
 * known or not; a filter's keys are held against it. Whatever isn't understood
 * makes it "maybe", never "yes".
 */
#include <arpa/inet.h>
#include <linux/gen_stats.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_bpf.h>
#include <linux/tc_act/tc_gact.h>
#include <linux/tc_act/tc_mirred.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "host/netlink.h"
#include "host/programs_private.h"
#include "model/packet.h"

/* IPv6 and TCP without options; the longest. */
#define IMAGE_MAX 60

struct image {
	uint8_t bytes[IMAGE_MAX], known[IMAGE_MAX];
	uint16_t protocol;                        /* ETH_P_* */
	size_t src, dst, address_len, proto, tcp; /* offsets */
};

static void know(struct image *p, size_t offset, const void *bytes, size_t len)
{
	memcpy(p->bytes + offset, bytes, len);
	memset(p->known + offset, 0xff, len);
}

static void know_byte(struct image *p, size_t offset, uint8_t value, uint8_t mask)
{
	p->bytes[offset] = value;
	p->known[offset] = mask;
}

static void know_port(struct image *p, size_t offset, uint16_t port)
{
	uint16_t be = htons(port);

	know(p, offset, &be, sizeof(be));
}

static struct image make_image(const struct host_watch *w, bool inbound, uint16_t lport,
			       uint16_t rport)
{
	bool v4 = w->remote.family == ADDR_V4;
	struct image p = {.protocol = v4 ? ETH_P_IP : ETH_P_IPV6,
			  .src = v4 ? 12 : 8,
			  .dst = v4 ? 16 : 24,
			  .address_len = v4 ? 4 : 16,
			  .proto = v4 ? 9 : 6,
			  .tcp = v4 ? 20 : 40};
	size_t local = inbound ? p.dst : p.src, remote = inbound ? p.src : p.dst;

	/* without options or extension headers, as hosts send them */
	know_byte(&p, 0, v4 ? 0x45 : 0x60, v4 ? 0xff : 0xf0);
	know_byte(&p, p.proto, IPPROTO_TCP, 0xff);
	know(&p, remote, w->remote.bytes, p.address_len);
	if (w->local.family == w->remote.family)
		know(&p, local, w->local.bytes, p.address_len);
	know_port(&p, p.tcp, inbound ? rport : lport);
	know_port(&p, p.tcp + 2, inbound ? lport : rport);
	/* congestion bits differ by setting */
	know_byte(&p, p.tcp + 13, inbound ? TCP_SYN | TCP_ACK : TCP_SYN, 0x3f);
	return p;
}

static enum tc_fit worse(enum tc_fit a, enum tc_fit b)
{
	return a < b ? a : b;
}

static enum tc_fit fit_bytes(const struct image *p, size_t offset, const void *value,
			     const void *mask, size_t len)
{
	const uint8_t *v = value, *m = mask;
	enum tc_fit fit = TC_FIT_YES;

	for (size_t i = 0; i < len; i++) {
		if (offset + i >= IMAGE_MAX) {
			fit = worse(fit, m[i] ? TC_FIT_MAYBE : TC_FIT_YES);
			continue;
		}
		if ((v[i] ^ p->bytes[offset + i]) & m[i] & p->known[offset + i])
			return TC_FIT_NO;
		if (m[i] & (uint8_t)~p->known[offset + i])
			fit = TC_FIT_MAYBE;
	}
	return fit;
}

/* ---- u32 ---- */

static enum tc_fit fit_u32(const struct image *p, struct nlattr *const *a)
{
	enum tc_fit fit = TC_FIT_YES;
	struct tc_u32_sel sel;

	if (!a[TCA_U32_SEL] || nla_len(a[TCA_U32_SEL]) < (int)sizeof(sel))
		return TC_FIT_MAYBE;
	memcpy(&sel, nla_data(a[TCA_U32_SEL]), sizeof(sel));
	if (nla_len(a[TCA_U32_SEL]) < (int)(sizeof(sel) + sel.nkeys * sizeof(struct tc_u32_key)))
		return TC_FIT_MAYBE;
	/* marks, a given input interface, links to other tables, offsets read from the packet */
	if (a[TCA_U32_MARK] || a[TCA_U32_INDEV] || a[TCA_U32_LINK] ||
	    (netlink_u32(a[TCA_U32_FLAGS]) & TCA_CLS_FLAGS_SKIP_SW) ||
	    (sel.flags & (TC_U32_VAROFFSET | TC_U32_OFFSET)))
		fit = TC_FIT_MAYBE;
	for (unsigned i = 0; i < sel.nkeys; i++) {
		struct tc_u32_key key;
		memcpy(&key, (const char *)nla_data(a[TCA_U32_SEL]) + sizeof(sel) + i * sizeof(key),
		       sizeof(key));
		if (key.offmask || key.off < 0)
			fit = worse(fit, TC_FIT_MAYBE);
		else
			fit = worse(fit, fit_bytes(p, (size_t)key.off, &key.val, &key.mask, 4));
	}
	return fit;
}

/* ---- flower ---- */

static enum tc_fit fit_masked(const struct image *p, size_t offset, struct nlattr *key,
			      struct nlattr *mask, size_t len)
{
	uint8_t all[16];

	if (!key)
		return TC_FIT_YES;
	memset(all, 0xff, sizeof(all));
	if (nla_len(key) < (int)len || (mask && nla_len(mask) < (int)len))
		return TC_FIT_MAYBE;
	return fit_bytes(p, offset, nla_data(key), mask ? nla_data(mask) : all, len);
}

static enum tc_fit fit_range(const struct image *p, size_t offset, struct nlattr *min,
			     struct nlattr *max)
{
	uint16_t port = (uint16_t)(p->bytes[offset] << 8 | p->bytes[offset + 1]);

	if (!min && !max)
		return TC_FIT_YES;
	if (!min || !max)
		return TC_FIT_MAYBE;
	return port >= ntohs(netlink_u16(min)) && port <= ntohs(netlink_u16(max)) ? TC_FIT_YES
										  : TC_FIT_NO;
}

/* Keys that are understood, and what is no key. */
static bool flower_known(int type, bool v4)
{
	switch (type) {
	case TCA_FLOWER_CLASSID:
	case TCA_FLOWER_ACT:
	case TCA_FLOWER_FLAGS:
	case TCA_FLOWER_IN_HW_COUNT:
	case TCA_FLOWER_KEY_ETH_TYPE:
	case TCA_FLOWER_KEY_IP_PROTO:
	case TCA_FLOWER_KEY_TCP_SRC:
	case TCA_FLOWER_KEY_TCP_SRC_MASK:
	case TCA_FLOWER_KEY_TCP_DST:
	case TCA_FLOWER_KEY_TCP_DST_MASK:
	case TCA_FLOWER_KEY_PORT_SRC_MIN:
	case TCA_FLOWER_KEY_PORT_SRC_MAX:
	case TCA_FLOWER_KEY_PORT_DST_MIN:
	case TCA_FLOWER_KEY_PORT_DST_MAX: return true;
	case TCA_FLOWER_KEY_IPV4_SRC:
	case TCA_FLOWER_KEY_IPV4_SRC_MASK:
	case TCA_FLOWER_KEY_IPV4_DST:
	case TCA_FLOWER_KEY_IPV4_DST_MASK: return v4;
	case TCA_FLOWER_KEY_IPV6_SRC:
	case TCA_FLOWER_KEY_IPV6_SRC_MASK:
	case TCA_FLOWER_KEY_IPV6_DST:
	case TCA_FLOWER_KEY_IPV6_DST_MASK: return !v4;
	default: return false;
	}
}

static bool flower_all_known(struct nlattr *options, bool v4)
{
	struct nlattr *at;
	int left;

	if (!options)
		return true;
	nla_for_each_nested(at, options, left) if (!flower_known(nla_type(at), v4)) return false;
	return true;
}

static enum tc_fit fit_flower(const struct image *p, struct nlattr *const *a,
			      struct nlattr *options)
{
	bool v4 = p->protocol == ETH_P_IP;
	enum tc_fit fit = flower_all_known(options, v4) ? TC_FIT_YES : TC_FIT_MAYBE;
	uint16_t type = htons(p->protocol);

	if (netlink_u32(a[TCA_FLOWER_FLAGS]) & TCA_CLS_FLAGS_SKIP_SW)
		fit = TC_FIT_MAYBE;
	if (a[TCA_FLOWER_KEY_ETH_TYPE] && netlink_u16(a[TCA_FLOWER_KEY_ETH_TYPE]) != type)
		return TC_FIT_NO;
	if (a[TCA_FLOWER_KEY_IP_PROTO] && netlink_u8(a[TCA_FLOWER_KEY_IP_PROTO]) != IPPROTO_TCP)
		return TC_FIT_NO;
	fit = worse(fit,
		    fit_masked(p, p->src, a[v4 ? TCA_FLOWER_KEY_IPV4_SRC : TCA_FLOWER_KEY_IPV6_SRC],
			       a[v4 ? TCA_FLOWER_KEY_IPV4_SRC_MASK : TCA_FLOWER_KEY_IPV6_SRC_MASK],
			       p->address_len));
	fit = worse(fit,
		    fit_masked(p, p->dst, a[v4 ? TCA_FLOWER_KEY_IPV4_DST : TCA_FLOWER_KEY_IPV6_DST],
			       a[v4 ? TCA_FLOWER_KEY_IPV4_DST_MASK : TCA_FLOWER_KEY_IPV6_DST_MASK],
			       p->address_len));
	fit = worse(fit, fit_masked(p, p->tcp, a[TCA_FLOWER_KEY_TCP_SRC],
				    a[TCA_FLOWER_KEY_TCP_SRC_MASK], 2));
	fit = worse(fit, fit_masked(p, p->tcp + 2, a[TCA_FLOWER_KEY_TCP_DST],
				    a[TCA_FLOWER_KEY_TCP_DST_MASK], 2));
	fit = worse(fit, fit_range(p, p->tcp, a[TCA_FLOWER_KEY_PORT_SRC_MIN],
				   a[TCA_FLOWER_KEY_PORT_SRC_MAX]));
	return worse(fit, fit_range(p, p->tcp + 2, a[TCA_FLOWER_KEY_PORT_DST_MIN],
				    a[TCA_FLOWER_KEY_PORT_DST_MAX]));
}

/* ---- actions ---- */

static enum tc_end end_of_verdict(int verdict)
{
	switch (verdict) {
	case TC_ACT_UNSPEC: return TC_END_CONTINUE;
	case TC_ACT_OK: return TC_END_ACCEPT;
	case TC_ACT_SHOT: return TC_END_DROP;
	default: return TC_END_UNKNOWN;
	}
}

/* What the action makes of the packet; TC_ACT_PIPE: the next action decides. */
static bool verdict_of_action(const char *kind, struct nlattr *options, int *verdict)
{
	struct nlattr *a[16 + 1] = {NULL};
	struct tc_mirred mirred;
	struct tc_gact gact;

	if (!options || nla_parse_nested(a, 16, options, NULL) != 0)
		return false;
	if (strcmp(kind, "gact") == 0 && a[TCA_GACT_PARMS] && !a[TCA_GACT_PROB] &&
	    nla_len(a[TCA_GACT_PARMS]) >= (int)sizeof(gact)) {
		memcpy(&gact, nla_data(a[TCA_GACT_PARMS]), sizeof(gact));
		*verdict = gact.action;
		return true;
	}
	if (strcmp(kind, "mirred") == 0 && a[TCA_MIRRED_PARMS] &&
	    nla_len(a[TCA_MIRRED_PARMS]) >= (int)sizeof(mirred)) {
		memcpy(&mirred, nla_data(a[TCA_MIRRED_PARMS]), sizeof(mirred));
		*verdict = mirred.action;
		return mirred.eaction == TCA_EGRESS_MIRROR || mirred.eaction == TCA_INGRESS_MIRROR;
	}
	return false;
}

static void note_program(struct tc_filter *out, struct nlattr *id, struct nlattr *name)
{
	out->bpf = true;
	if (out->prog_id == 0)
		out->prog_id = netlink_u32(id);
	if (!out->prog_name[0] && name)
		watch_text(out->prog_name, sizeof(out->prog_name), nla_data(name),
			   strnlen(nla_data(name), (size_t)nla_len(name)));
}

static void read_actions(struct nlattr *list, struct tc_filter *out)
{
	int verdict = TC_ACT_PIPE;
	struct nlattr *act;
	int left;

	out->end = TC_END_ACCEPT; /* the last one says "pipe", with nothing behind it */
	nla_for_each_nested(act, list, left)
	{
		struct nlattr *a[TCA_ACT_MAX + 1] = {NULL}, *o[16 + 1] = {NULL};
		if (nla_parse_nested(a, TCA_ACT_MAX, act, NULL) != 0 || !a[TCA_ACT_KIND]) {
			verdict = TC_ACT_STOLEN;
			break;
		}
		if (nla_strcmp(a[TCA_ACT_KIND], "bpf") == 0 && a[TCA_ACT_OPTIONS] &&
		    nla_parse_nested(o, 16, a[TCA_ACT_OPTIONS], NULL) == 0)
			note_program(out, o[TCA_ACT_BPF_ID], o[TCA_ACT_BPF_NAME]);
		if (!verdict_of_action(nla_data(a[TCA_ACT_KIND]), a[TCA_ACT_OPTIONS], &verdict))
			verdict = TC_ACT_STOLEN;
		if (verdict != TC_ACT_PIPE)
			break;
	}
	if (verdict != TC_ACT_PIPE)
		out->end = end_of_verdict(verdict);
}

/* ---- kinds ---- */

#define OPTIONS_MAX 160 /* more than any kind has attributes */

static enum tc_fit fit_kind(const struct tc_filter *f, const struct image *p,
			    struct nlattr *const *a, struct nlattr *options)
{
	if (f->protocol != ETH_P_ALL && f->protocol != p->protocol)
		return TC_FIT_NO;
	if (f->chain != 0)
		return TC_FIT_MAYBE; /* only by a jump */
	if (strcmp(f->kind, "u32") == 0)
		return fit_u32(p, a);
	if (strcmp(f->kind, "flower") == 0)
		return fit_flower(p, a, options);
	if (strcmp(f->kind, "matchall") == 0)
		return netlink_u32(a[TCA_MATCHALL_FLAGS]) & TCA_CLS_FLAGS_SKIP_SW ? TC_FIT_MAYBE
										  : TC_FIT_YES;
	if (strcmp(f->kind, "basic") == 0)
		return a[TCA_BASIC_EMATCHES] ? TC_FIT_MAYBE : TC_FIT_YES;
	return TC_FIT_MAYBE;
}

/* Over every packet of the watch: the same for all, or "maybe". */
static enum tc_fit fit_watch(const struct tc_filter *f, const struct host_watch *w, bool inbound,
			     struct nlattr *const *a, struct nlattr *options)
{
	enum tc_fit fit = TC_FIT_MAYBE;

	for (unsigned r = 0; r < w->n_rports; r++) {
		for (unsigned l = 0; l < w->n_lports; l++) {
			struct image p = make_image(w, inbound, w->lports[l], w->rports[r]);
			enum tc_fit this = fit_kind(f, &p, a, options);
			if (r == 0 && l == 0)
				fit = this;
			if (this != fit)
				return TC_FIT_MAYBE;
		}
	}
	return fit;
}

/* The attribute that holds the actions; 0: this kind isn't known. */
static int actions_of_kind(const char *kind)
{
	static const struct {
		const char *kind;
		int attribute;
	} kinds[] = {{"u32", TCA_U32_ACT},           {"flower", TCA_FLOWER_ACT},
		     {"matchall", TCA_MATCHALL_ACT}, {"basic", TCA_BASIC_ACT},
		     {"bpf", TCA_BPF_ACT},           {"fw", TCA_FW_ACT},
		     {"route", TCA_ROUTE4_ACT},      {"cgroup", TCA_CGROUP_ACT},
		     {"flow", TCA_FLOW_ACT}};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].kind, kind) == 0)
			return kinds[i].attribute;
	return 0;
}

/* The policer that u32, basic and fw had before there were actions. */
static bool has_old_policer(const char *kind, struct nlattr *const *a)
{
	return (strcmp(kind, "u32") == 0 && a[TCA_U32_POLICE]) ||
	       (strcmp(kind, "basic") == 0 && a[TCA_BASIC_POLICE]) ||
	       (strcmp(kind, "fw") == 0 && a[TCA_FW_POLICE]);
}

static void read_end(struct tc_filter *out, struct nlattr *const *a)
{
	int actions = actions_of_kind(out->kind);
	struct tc_u32_sel sel = {0};

	out->end = TC_END_ACCEPT; /* without an action: it only gives it a class */
	if (actions == 0 || has_old_policer(out->kind, a))
		out->end = TC_END_UNKNOWN;
	else if (a[actions])
		read_actions(a[actions], out);
	else if (strcmp(out->kind, "u32") == 0 && a[TCA_U32_SEL] &&
		 nla_len(a[TCA_U32_SEL]) >= (int)sizeof(sel)) {
		memcpy(&sel, nla_data(a[TCA_U32_SEL]), sizeof(sel));
		if (!(sel.flags & TC_U32_TERMINAL))
			out->end = TC_END_CONTINUE;
	}
	if (strcmp(out->kind, "bpf") != 0)
		return;
	note_program(out, a[TCA_BPF_ID], a[TCA_BPF_NAME]);
	if (netlink_u32(a[TCA_BPF_FLAGS]) & TCA_BPF_FLAG_ACT_DIRECT)
		out->end = TC_END_UNKNOWN;
}

bool tc_filter_parse(const struct nlmsghdr *m, const struct host_watch *w, bool inbound,
		     struct tc_filter *out)
{
	struct nlattr *top[TCA_MAX + 1], *a[OPTIONS_MAX + 1] = {NULL};
	const struct tcmsg *tc = nlmsg_data(m);

	*out = (struct tc_filter){0};
	if (m->nlmsg_type != RTM_NEWTFILTER || !netlink_parse(m, sizeof(*tc), top, TCA_MAX) ||
	    !top[TCA_KIND] || tc->tcm_handle == 0)
		return false;
	if (top[TCA_OPTIONS] && nla_parse_nested(a, OPTIONS_MAX, top[TCA_OPTIONS], NULL) != 0)
		return false;
	watch_text(out->kind, sizeof(out->kind), nla_data(top[TCA_KIND]),
		   strnlen(nla_data(top[TCA_KIND]), (size_t)nla_len(top[TCA_KIND])));
	out->pref = tc->tcm_info >> 16;
	out->protocol = ntohs((uint16_t)tc->tcm_info);
	out->handle = tc->tcm_handle;
	out->chain = netlink_u32(top[TCA_CHAIN]);
	out->table = strcmp(out->kind, "u32") == 0 && a[TCA_U32_DIVISOR];
	if (out->table)
		return true;
	read_end(out, a);
	out->fit = fit_watch(out, w, inbound, a, top[TCA_OPTIONS]);
	return true;
}

/* u32 with more than one table at the same preference: which ones a packet comes by is not
 * followed. */
static bool many_tables(const struct tc_filter *f, unsigned n, uint32_t pref)
{
	unsigned tables = 0;

	for (unsigned i = 0; i < n; i++)
		tables += f[i].table && f[i].pref == pref;
	return tables > 1;
}

bool tc_filter_drops(const struct tc_filter *f, unsigned n, unsigned which)
{
	if (f[which].table || f[which].fit != TC_FIT_YES || f[which].end != TC_END_DROP ||
	    many_tables(f, n, f[which].pref))
		return false;
	for (unsigned i = 0; i < n; i++) {
		bool before =
			f[i].pref < f[which].pref || (f[i].pref == f[which].pref && i != which);
		if (before && !f[i].table && f[i].fit != TC_FIT_NO && f[i].end != TC_END_CONTINUE)
			return false;
	}
	return true;
}
