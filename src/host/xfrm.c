/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which IPsec policy decides about our packets: the kernel's own choice (the
 * lowest priority value, the older of two equals; net/xfrm/xfrm_policy.c) is
 * repeated over its list of policies. Where the winner can't be told, none is
 * named.
 */
#include <errno.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <netlink/msg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "host/ask.h"
#include "host/settings.h"
#include "host/sysctl.h"
#include "host/words.h"

#define XFRM_TIMEOUT_MS 500
#define TEMPLATES_MAX   6 /* XFRM_MAX_DEPTH */

enum match { MATCH_NO, MATCH_MAYBE, MATCH_YES };

struct policy {
	struct xfrm_userpolicy_info info;
	struct xfrm_user_tmpl templates[TEMPLATES_MAX];
	unsigned n_templates;
	struct xfrm_mark mark;
	uint8_t type;     /* XFRM_POLICY_TYPE_MAIN or _SUB: a packet has to pass one of each */
	enum match match; /* all but the ports */
};

struct search {
	const struct host_watch *w;
	struct addr local;   /* as w->local, or the source that the route gives */
	bool skip[2];        /* the interface is exempt; index: XFRM_POLICY_IN, _OUT */
	struct policy *list; /* that may match, the newest first */
	unsigned n, room;
	host_emit *emit;
	void *arg;
};

/* ---- reading ----------------------------------------------------------------------------- */

static struct addr addr_of(const xfrm_address_t *a, int family)
{
	return family == AF_INET ? addr_v4(&a->a4) : addr_v6(a->a6);
}

static enum match in_prefix(const xfrm_address_t *prefix, const struct xfrm_selector *sel,
			    unsigned len, const struct addr *a)
{
	struct addr p = addr_of(prefix, sel->family);

	if (len == 0)
		return MATCH_YES;
	if (!addr_is_set(a))
		return MATCH_MAYBE;
	return addr_common_prefix(&p, a) >= len ? MATCH_YES : MATCH_NO;
}

/* For IPv6 the lookup of a socket that is bound to no interface has none yet, and what comes in
 * may be compared with the interface or with the loopback: seen on Linux 6.18. */
static enum match match_interface(const struct search *s, const struct xfrm_userpolicy_info *p)
{
	if (!p->sel.ifindex)
		return MATCH_YES;
	if (!s->w->oif || p->dir == XFRM_POLICY_IN || p->sel.family == AF_INET6)
		return MATCH_MAYBE;
	return p->sel.ifindex == s->w->oif ? MATCH_YES : MATCH_NO;
}

static enum match worse(enum match a, enum match b)
{
	return a < b ? a : b;
}

static enum match match_all_but_ports(const struct search *s, const struct policy *p)
{
	const struct xfrm_selector *sel = &p->info.sel;
	bool in = p->info.dir == XFRM_POLICY_IN;
	const struct addr *src = in ? &s->w->remote : &s->local;
	const struct addr *dst = in ? &s->local : &s->w->remote;

	if (sel->family != netlink_family(&s->w->remote) ||
	    (sel->proto && sel->proto != IPPROTO_TCP))
		return MATCH_NO;
	/* our packets have no mark, unless a rule of netfilter gives them one */
	if (p->mark.v != 0)
		return MATCH_NO;
	return worse(worse(in_prefix(&sel->saddr, sel, sel->prefixlen_s, src),
			   in_prefix(&sel->daddr, sel, sel->prefixlen_d, dst)),
		     match_interface(s, &p->info));
}

static void read_templates(struct policy *p, const struct nlattr *a)
{
	const struct xfrm_user_tmpl *t = a ? nla_data(a) : NULL;
	size_t n = a ? (size_t)nla_len(a) / sizeof(*t) : 0;

	for (size_t i = 0; i < n && p->n_templates < TEMPLATES_MAX; i++)
		p->templates[p->n_templates++] = t[i];
}

static void keep(struct search *s, const struct policy *p)
{
	if (s->n == s->room) {
		s->room = s->room ? s->room * 2 : 16;
		s->list = xrealloc(s->list, s->room * sizeof(*s->list));
	}
	s->list[s->n++] = *p;
}

static bool on_policy(const struct nlmsghdr *m, void *arg)
{
	struct search *s = arg;
	struct nlattr *a[XFRMA_MAX + 1];
	struct policy p = {.type = XFRM_POLICY_TYPE_MAIN};

	if (!m) {
		s->n = 0;
		return true;
	}
	if (m->nlmsg_type != XFRM_MSG_NEWPOLICY ||
	    m->nlmsg_len < NLMSG_LENGTH(sizeof(struct xfrm_userpolicy_info)) ||
	    !netlink_parse(m, sizeof(p.info), a, XFRMA_MAX))
		return true;
	memcpy(&p.info, nlmsg_data(m), sizeof(p.info));
	/* forwarding, and policies of single sockets, are not ours; nor are xfrm interfaces' */
	if ((p.info.dir != XFRM_POLICY_IN && p.info.dir != XFRM_POLICY_OUT) ||
	    s->skip[p.info.dir] || netlink_u32(a[XFRMA_IF_ID]))
		return true;
	if (a[XFRMA_MARK] && nla_len(a[XFRMA_MARK]) >= (int)sizeof(p.mark))
		memcpy(&p.mark, nla_data(a[XFRMA_MARK]), sizeof(p.mark));
	if (a[XFRMA_POLICY_TYPE]) /* struct xfrm_userpolicy_type begins with it */
		p.type = netlink_u8(a[XFRMA_POLICY_TYPE]);
	read_templates(&p, a[XFRMA_TMPL]);
	p.match = match_all_but_ports(s, &p);
	if (p.match != MATCH_NO)
		keep(s, &p);
	return true;
}

/* ---- words ------------------------------------------------------------------------------- */

static void add_prefix(struct line *l, const char *word, const xfrm_address_t *x, int family,
		       unsigned len)
{
	struct addr a = addr_of(x, family);
	char text[ADDR_TEXT_MAX];

	line_add(l, "%s %s/%u", word, addr_text(&a, text), len);
}

static void add_port(struct line *l, const char *word, __be16 port, __be16 mask)
{
	if (!mask)
		return;
	if (mask == UINT16_MAX)
		line_add(l, "%s %u", word, ntohs(port));
	else
		line_add(l, "%s %u/0x%x", word, ntohs(port), ntohs(mask));
}

static const char *mode_name(uint8_t mode)
{
	static const char *const names[] = {"transport",  "tunnel", "ro",
					    "in_trigger", "beet",   "iptfs"};

	return mode < sizeof(names) / sizeof(names[0]) ? names[mode] : "unknown";
}

static const char *proto_name(uint8_t proto, char out[16])
{
	switch (proto) {
	case IPPROTO_ESP: return "esp";
	case IPPROTO_AH: return "ah";
	case IPPROTO_COMP: return "comp";
	}
	snprintf(out, 16, "%u", proto);
	return out;
}

static void add_template(struct line *l, const struct xfrm_user_tmpl *t)
{
	struct addr src = addr_of(&t->saddr, t->family), dst = addr_of(&t->id.daddr, t->family);
	char a[ADDR_TEXT_MAX], b[ADDR_TEXT_MAX], proto[16];

	line_add(l, "tmpl src %s dst %s proto %s", addr_text(&src, a), addr_text(&dst, b),
		 proto_name(t->id.proto, proto));
	if (t->id.spi)
		line_add(l, "spi 0x%08x", ntohl(t->id.spi));
	line_add(l, "reqid %u mode %s", t->reqid, mode_name(t->mode));
	if (t->optional)
		line_add(l, "level use");
}

/* What `ip xfrm policy` prints. */
static void policy_words(const struct policy *p, char *out, size_t size)
{
	const struct xfrm_selector *sel = &p->info.sel;
	struct line l = line_into(out, size);
	char name[IFNAMSIZ];

	add_prefix(&l, "src", &sel->saddr, sel->family, sel->prefixlen_s);
	add_prefix(&l, "dst", &sel->daddr, sel->family, sel->prefixlen_d);
	if (sel->proto)
		line_add(&l, "proto tcp");
	add_port(&l, "sport", sel->sport, sel->sport_mask);
	add_port(&l, "dport", sel->dport, sel->dport_mask);
	if (sel->ifindex && if_indextoname((unsigned)sel->ifindex, name))
		line_add(&l, "dev %s", name);
	line_add(&l, "dir %s", p->info.dir == XFRM_POLICY_IN ? "in" : "out");
	if (p->info.action == XFRM_POLICY_BLOCK)
		line_add(&l, "action block");
	line_add(&l, "priority %u ptype %s", p->info.priority,
		 p->type == XFRM_POLICY_TYPE_SUB ? "sub" : "main");
	if (p->mark.v || p->mark.m)
		line_add(&l, "mark %#x/%#x", p->mark.v, p->mark.m);
	for (unsigned i = 0; i < p->n_templates; i++)
		add_template(&l, &p->templates[i]);
}

/* ---- judging ----------------------------------------------------------------------------- */

/* Port 0: not known yet, so that any may come. */
static bool port_fits(__be16 want, __be16 mask, uint16_t port)
{
	return port == 0 || ((want ^ htons(port)) & mask) == 0;
}

static bool ports_fit(const struct policy *p, uint16_t lport, uint16_t rport)
{
	const struct xfrm_selector *sel = &p->info.sel;
	bool in = p->info.dir == XFRM_POLICY_IN;

	return port_fits(sel->sport, sel->sport_mask, in ? rport : lport) &&
	       port_fits(sel->dport, sel->dport_mask, in ? lport : rport);
}

static const struct policy *winner(const struct search *s, unsigned dir, unsigned type,
				   uint16_t lport, uint16_t rport)
{
	const struct policy *best = NULL;

	for (unsigned i = 0; i < s->n; i++) {
		const struct policy *p = &s->list[i];
		if (p->info.dir == dir && p->type == type && ports_fit(p, lport, rport) &&
		    (!best || p->info.priority <= best->info.priority))
			best = p;
	}
	return best;
}

/* A policy without templates, or whose states are optional, lets packets go as they are. */
static bool encrypts(const struct policy *p)
{
	for (unsigned i = 0; i < p->n_templates; i++)
		if (!p->templates[i].optional)
			return true;
	return false;
}

static bool is_certain(const struct policy *p, uint16_t lport)
{
	const struct xfrm_selector *sel = &p->info.sel;
	__be16 mask = p->info.dir == XFRM_POLICY_IN ? sel->dport_mask : sel->sport_mask;

	return p->match == MATCH_YES && (lport != 0 || mask == 0);
}

static void emit_text(const struct search *s, bool inbound, bool block, uint16_t rport,
		      const char *text)
{
	struct host_record r = watch_record(HOST_XFRM);

	r.xfrm.inbound = inbound;
	r.xfrm.block = block;
	r.xfrm.port = rport;
	watch_text(r.xfrm.text, sizeof(r.xfrm.text), text, strlen(text));
	s->emit(s->arg, &r);
}

/* True where a policy decides, be it that it lets the packets pass. */
static bool judge_ports(struct search *s, unsigned dir, unsigned type, bool *told, uint16_t lport,
			uint16_t rport)
{
	const struct policy *p = winner(s, dir, type, lport, rport);
	char text[RECORD_TEXT_MAX];

	if (!p)
		return false;
	bool block = p->info.action == XFRM_POLICY_BLOCK;
	size_t i = (size_t)(p - s->list);
	if (!is_certain(p, lport) || (!block && !encrypts(p)) || told[i])
		return true;
	told[i] = true;
	policy_words(p, text, sizeof(text));
	emit_text(s, dir == XFRM_POLICY_IN, block, rport, text);
	return true;
}

/* True when each of our connections meets a policy. */
static bool judge(struct search *s, unsigned dir)
{
	bool *told = xcalloc(s->n + 1, sizeof(*told));
	const unsigned n = s->w->n_lports ? s->w->n_lports : 1;
	bool every = true;

	for (unsigned i = 0; i < s->w->n_rports * n; i++) {
		if (i % n == 0) /* once for each destination port */
			memset(told, 0, (s->n + 1) * sizeof(*told));
		uint16_t lport = s->w->n_lports ? s->w->lports[i % n] : 0;
		uint16_t rport = s->w->rports[i / n];
		bool main = judge_ports(s, dir, XFRM_POLICY_TYPE_MAIN, told, lport, rport);
		bool sub = judge_ports(s, dir, XFRM_POLICY_TYPE_SUB, told, lport, rport);
		every &= main || sub;
	}
	free(told);
	return every;
}

/* ---- what holds where no policy does ------------------------------------------------------ */

static bool on_default(const struct nlmsghdr *m, void *arg)
{
	struct xfrm_userpolicy_default *out = arg;

	if (m && m->nlmsg_type == XFRM_MSG_GETDEFAULT && m->nlmsg_len >= NLMSG_LENGTH(sizeof(*out)))
		memcpy(out, nlmsg_data(m), sizeof(*out));
	return true;
}

/* Before Linux 5.15 there is none: what no policy matches passes. */
static struct xfrm_userpolicy_default ask_default(void)
{
	struct xfrm_userpolicy_default d = {0};
	struct nl_msg *msg = netlink_request(XFRM_MSG_GETDEFAULT, 0, &d, sizeof(d));
	struct err e;
	int answer;

	if (ask(NETLINK_XFRM, msg, XFRM_TIMEOUT_MS, on_default, &d, &answer, &e) != 0 || answer)
		memset(&d, 0, sizeof(d));
	return d;
}

static void emit_default(const struct search *s, bool inbound, const char *text)
{
	for (unsigned i = 0; i < s->w->n_rports; i++)
		emit_text(s, inbound, true, s->w->rports[i], text);
}

static void judge_both(struct search *s)
{
	const struct xfrm_userpolicy_default d = ask_default();
	bool in = judge(s, XFRM_POLICY_IN);
	bool out = judge(s, XFRM_POLICY_OUT);

	/* an interface's exemption (disable_policy) holds against the default too, on the way in */
	if (!in && !s->skip[XFRM_POLICY_IN] && d.in == XFRM_USERPOLICY_BLOCK)
		emit_default(s, true, "default policy in block");
	if (!out && d.out == XFRM_USERPOLICY_BLOCK)
		emit_default(s, false, "default policy out block");
}

/* ---- the question ------------------------------------------------------------------------ */

static bool exempt(const struct search *s, const char *name)
{
	const char *family = s->w->remote.family == ADDR_V4 ? "ipv4" : "ipv6";

	return (s->w->oif_name[0] && sysctl_of_interface(family, s->w->oif_name, name) == 1) ||
	       (s->w->remote.family == ADDR_V4 && sysctl_of_interface(family, "all", name) == 1);
}

void xfrm_emit(const struct host_watch *w, host_emit *emit, void *arg)
{
	struct search s = {.w = w, .local = ask_source(w), .emit = emit, .arg = arg};
	const struct xfrm_userpolicy_id header = {0};
	struct err e;
	int answer;

	/* nobody can have set a policy; or by PF_KEY alone, which can't be read here */
	if (!ask_possible(NETLINK_XFRM)) {
		if (access("/proc/self/net/pfkey", F_OK) == 0)
			watch_not_looked(emit, arg, HOST_LOOK_XFRM,
					 "the kernel tells them by PF_KEY only");
		return;
	}
	s.skip[XFRM_POLICY_IN] = exempt(&s, "disable_policy");
	s.skip[XFRM_POLICY_OUT] = exempt(&s, "disable_xfrm");
	struct nl_msg *msg =
		netlink_request(XFRM_MSG_GETPOLICY, NLM_F_DUMP, &header, sizeof(header));
	if (ask(NETLINK_XFRM, msg, XFRM_TIMEOUT_MS, on_policy, &s, &answer, &e) != 0)
		watch_not_looked(emit, arg, HOST_LOOK_XFRM, "%.200s", e.text);
	else if (answer != 0)
		watch_not_looked(emit, arg, HOST_LOOK_XFRM, "%s",
				 answer == EPERM ? "needs CAP_NET_ADMIN" : strerror(answer));
	else
		judge_both(&s);
	free(s.list);
}
