/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Programs, filters and queueing disciplines of interfaces: the one by which our
 * packets leave, those below it (a VLAN's device, a bond's members), and lo, by
 * which they go when something turns them to this host.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "host/child.h"
#include "host/netlink.h"
#include "host/programs_private.h"

#define INTERFACES_MAX 16
#define FILTERS_MAX    256 /* of one hook */
#define TC_TIMEOUT_MS  1000
#define TC_OUTPUT_MAX  (1 << 20)

struct interface {
	int index, lower; /* lower: of a VLAN and the like, 0 none */
	char name[IFNAMSIZ];
	bool own; /* not below the egress interface, and not beside it */
	bool has_members;
	bool found;
	bool clsact, ingress;
	uint32_t root;    /* handle of the root qdisc, 0: none that could hold filters */
	uint8_t xdp_mode; /* enum of IFLA_XDP_ATTACHED */
	uint32_t xdp[4];  /* by mode; [0]: the only one */
};

struct links {
	struct programs_look *l;
	struct host *h;
	struct interface list[INTERFACES_MAX];
	unsigned n;
};

static void say_failed(struct links *s, const char *what, const char *why)
{
	watch_not_looked(s->l->emit, s->l->arg, HOST_LOOK_PROGRAMS, "%s: %s", what, why);
}

static bool ask(struct links *s, struct nl_msg *msg, netlink_handler *on, void *arg,
		const char *what)
{
	struct err e;
	int answer;

	if (netlink_ask(s->h, msg, on, arg, &answer, &e) != 0) {
		say_failed(s, what, e.text);
		return false;
	}
	return answer == 0;
}

/* ---- interfaces ---- */

static bool is_one_of(const struct nlattr *kind, const char *const *names)
{
	for (; *names; names++)
		if (nla_strcmp(kind, *names) == 0)
			return true;
	return false;
}

static void read_xdp(struct nlattr *nest, struct interface *i)
{
	struct nlattr *a[IFLA_XDP_MAX + 1] = {NULL};

	if (!nest || nla_parse_nested(a, IFLA_XDP_MAX, nest, NULL) != 0)
		return;
	i->xdp_mode = netlink_u8(a[IFLA_XDP_ATTACHED]);
	i->xdp[0] = netlink_u32(a[IFLA_XDP_PROG_ID]);
	i->xdp[XDP_ATTACHED_DRV] = netlink_u32(a[IFLA_XDP_DRV_PROG_ID]);
	i->xdp[XDP_ATTACHED_SKB] = netlink_u32(a[IFLA_XDP_SKB_PROG_ID]);
	i->xdp[XDP_ATTACHED_HW] = netlink_u32(a[IFLA_XDP_HW_PROG_ID]);
}

static void on_link(const struct nlmsghdr *m, void *arg)
{
	static const char *const on_top[] = {"vlan", "macvlan", "ipvlan", "macsec", NULL};
	static const char *const of_members[] = {"bond", "team", "bridge", NULL};
	struct nlattr *a[IFLA_MAX + 1], *info[IFLA_INFO_MAX + 1] = {NULL};
	struct interface *i = arg;

	if (!m || m->nlmsg_type != RTM_NEWLINK ||
	    !netlink_parse(m, sizeof(struct ifinfomsg), a, IFLA_MAX) || !a[IFLA_IFNAME])
		return;
	i->found = true;
	i->index = ((const struct ifinfomsg *)nlmsg_data(m))->ifi_index;
	watch_text(i->name, sizeof(i->name), nla_data(a[IFLA_IFNAME]),
		   strnlen(nla_data(a[IFLA_IFNAME]), (size_t)nla_len(a[IFLA_IFNAME])));
	read_xdp(a[IFLA_XDP], i);
	if (!a[IFLA_LINKINFO] ||
	    nla_parse_nested(info, IFLA_INFO_MAX, a[IFLA_LINKINFO], NULL) != 0 ||
	    !info[IFLA_INFO_KIND])
		return;
	i->has_members = is_one_of(info[IFLA_INFO_KIND], of_members);
	/* a veth's IFLA_LINK is its peer; one in another network namespace is out of reach */
	if (is_one_of(info[IFLA_INFO_KIND], on_top) && !a[IFLA_LINK_NETNSID])
		i->lower = (int)netlink_u32(a[IFLA_LINK]);
}

static void add_interface(struct links *s, int index, const char *name, bool own)
{
	const struct ifinfomsg header = {.ifi_index = index};
	struct interface *i = &s->list[s->n];

	if (s->n == INTERFACES_MAX)
		return;
	for (unsigned k = 0; k < s->n; k++)
		if (index ? s->list[k].index == index : strcmp(s->list[k].name, name) == 0)
			return;
	struct nl_msg *msg = netlink_request(RTM_GETLINK, 0, &header, sizeof(header));
	if (name)
		netlink_put(msg, IFLA_IFNAME, name, strlen(name) + 1);
	*i = (struct interface){.own = own};
	if (ask(s, msg, on_link, i, "interfaces") && i->found)
		s->n++;
}

struct members {
	uint32_t master;
	int list[INTERFACES_MAX];
	unsigned n;
};

static void on_member(const struct nlmsghdr *m, void *arg)
{
	struct members *s = arg;
	struct nlattr *a[IFLA_MAX + 1];

	if (!m) {
		s->n = 0;
		return;
	}
	if (m->nlmsg_type == RTM_NEWLINK && s->n < INTERFACES_MAX &&
	    netlink_parse(m, sizeof(struct ifinfomsg), a, IFLA_MAX) &&
	    netlink_u32(a[IFLA_MASTER]) == s->master)
		s->list[s->n++] = ((const struct ifinfomsg *)nlmsg_data(m))->ifi_index;
}

static void add_members(struct links *s, int master)
{
	const struct ifinfomsg header = {0};
	struct members found = {.master = (uint32_t)master};
	struct nl_msg *msg = netlink_request(RTM_GETLINK, NLM_F_DUMP, &header, sizeof(header));

	netlink_put(msg, IFLA_MASTER, &found.master, sizeof(found.master));
	if (!ask(s, msg, on_member, &found, "interfaces"))
		return;
	for (unsigned i = 0; i < found.n; i++)
		add_interface(s, found.list[i], NULL, false);
}

static void find_interfaces(struct links *s)
{
	if (s->l->w->oif)
		add_interface(s, s->l->w->oif, NULL, true);
	for (unsigned i = 0; i < s->n; i++) { /* the list grows meanwhile */
		if (s->list[i].lower)
			add_interface(s, s->list[i].lower, NULL, false);
		if (s->list[i].has_members)
			add_members(s, s->list[i].index);
	}
	add_interface(s, 0, "lo", false);
}

/* ---- XDP ---- */

static void emit_xdp(struct links *s, const struct interface *i)
{
	/* as `ip link set` takes them to remove it */
	static const char *const modes[] = {[0] = "xdp",
					    [XDP_ATTACHED_DRV] = "xdpdrv",
					    [XDP_ATTACHED_SKB] = "xdpgeneric",
					    [XDP_ATTACHED_HW] = "xdpoffload"};

	for (unsigned mode = 0; mode < 4; mode++) {
		struct host_record r = watch_record(HOST_PROGRAM);
		struct host_program *p = &r.program;
		unsigned shown = mode ? mode : i->xdp_mode < 4 ? i->xdp_mode : 0;
		if (i->xdp[mode] == 0 || (mode > 0 && i->xdp[mode] == i->xdp[0]))
			continue;
		p->hook = PROG_XDP;
		snprintf(p->interface, sizeof(p->interface), "%s", i->name);
		snprintf(p->attach_type, sizeof(p->attach_type), "%s", modes[shown]);
		programs_describe(s->l, i->xdp[mode], p);
		s->l->emit(s->l->arg, &r);
	}
}

/* ---- queueing disciplines ---- */

static bool netem_loses(struct nlattr *options, bool *all)
{
	struct nlattr *a[TCA_NETEM_MAX + 1] = {NULL};
	struct tc_netem_qopt q;

	if (!options || nla_len(options) < (int)sizeof(q))
		return false;
	memcpy(&q, nla_data(options), sizeof(q));
	size_t head = NLA_ALIGN(sizeof(q));
	if (nla_len(options) > (int)head)
		nla_parse(a, TCA_NETEM_MAX, (struct nlattr *)((char *)nla_data(options) + head),
			  nla_len(options) - (int)head, NULL);
	*all = q.loss == UINT32_MAX && !a[TCA_NETEM_LOSS];
	return q.loss != 0 || a[TCA_NETEM_LOSS];
}

static void emit_qdisc(struct links *s, const struct interface *i, const struct tcmsg *tc,
		       struct nlattr *const *a)
{
	struct host_record r = watch_record(HOST_PROGRAM);
	struct host_program *p = &r.program;
	bool root = tc->tcm_parent == TC_H_ROOT, all = true;

	watch_text(p->name, sizeof(p->name), nla_data(a[TCA_KIND]),
		   strnlen(nla_data(a[TCA_KIND]), (size_t)nla_len(a[TCA_KIND])));
	if (strcmp(p->name, "blackhole") != 0 &&
	    !(strcmp(p->name, "netem") == 0 && netem_loses(a[TCA_OPTIONS], &all)))
		return;
	p->hook = PROG_QDISC;
	p->handle = tc->tcm_handle;
	p->drops = all && root && i->own;
	snprintf(p->interface, sizeof(p->interface), "%s", i->name);
	snprintf(p->text, sizeof(p->text), "qdisc %s %x: dev %s ", p->name, tc->tcm_handle >> 16,
		 i->name);
	size_t len = strlen(p->text);
	if (root)
		snprintf(p->text + len, sizeof(p->text) - len, "root");
	else
		snprintf(p->text + len, sizeof(p->text) - len, "parent %x:%x", tc->tcm_parent >> 16,
			 tc->tcm_parent & 0xffff);
	s->l->emit(s->l->arg, &r);
}

static void on_qdisc(const struct nlmsghdr *m, void *arg)
{
	struct nlattr *a[TCA_MAX + 1];
	struct links *s = arg;

	if (!m || m->nlmsg_type != RTM_NEWQDISC ||
	    !netlink_parse(m, sizeof(struct tcmsg), a, TCA_MAX) || !a[TCA_KIND])
		return;
	const struct tcmsg *tc = nlmsg_data(m);
	for (unsigned k = 0; k < s->n; k++) {
		struct interface *i = &s->list[k];
		if (i->index != tc->tcm_ifindex)
			continue;
		if (nla_strcmp(a[TCA_KIND], "clsact") == 0)
			i->clsact = true;
		else if (nla_strcmp(a[TCA_KIND], "ingress") == 0)
			i->ingress = true;
		else if (tc->tcm_parent == TC_H_ROOT)
			i->root = tc->tcm_handle;
		emit_qdisc(s, i, tc, a);
	}
}

static bool find_qdiscs(struct links *s)
{
	const struct tcmsg header = {.tcm_family = AF_UNSPEC};

	return ask(s, netlink_request(RTM_GETQDISC, NLM_F_DUMP, &header, sizeof(header)), on_qdisc,
		   s, "queueing disciplines");
}

/* ---- filters ---- */

struct hook {
	const struct interface *i;
	const struct host_watch *w;
	const char *name; /* "egress", "ingress", "root" */
	bool inbound;
	struct tc_filter filters[FILTERS_MAX];
	unsigned n;
	bool overflow;
};

static void on_filter(const struct nlmsghdr *m, void *arg)
{
	struct hook *k = arg;

	if (!m) {
		k->n = 0;
		k->overflow = false;
	} else if (k->n == FILTERS_MAX) {
		k->overflow = true;
	} else if (tc_filter_parse(m, k->w, k->inbound, &k->filters[k->n])) {
		k->n++;
	}
}

static void protocol_name(uint16_t protocol, char *out, size_t size)
{
	switch (protocol) {
	case ETH_P_ALL: snprintf(out, size, "all"); break;
	case ETH_P_IP: snprintf(out, size, "ip"); break;
	case ETH_P_IPV6: snprintf(out, size, "ipv6"); break;
	case ETH_P_8021Q: snprintf(out, size, "802.1Q"); break;
	default: snprintf(out, size, "0x%04x", protocol);
	}
}

/* u32 handles are written as table:bucket:node, the bucket only when it is not 0. */
static void handle_words(const struct tc_filter *f, char *out, size_t size)
{
	uint32_t bucket = f->handle >> 12 & 0xff;

	if (strcmp(f->kind, "u32") != 0)
		snprintf(out, size, "handle 0x%x ", f->handle);
	else if (bucket)
		snprintf(out, size, "fh %x:%x:%x ", f->handle >> 20, bucket, f->handle & 0xfff);
	else
		snprintf(out, size, "fh %x::%x ", f->handle >> 20, f->handle & 0xfff);
}

/* What tc prints of this filter: the line that names it and the indented ones after it, as one. */
static bool find_words(const char *shown, const struct tc_filter *f, char *out, size_t size)
{
	char pref[24], handle[32];
	const char *next;

	snprintf(pref, sizeof(pref), " pref %u ", f->pref);
	handle_words(f, handle, sizeof(handle));
	for (const char *l = shown; *l; l = next) {
		size_t len = strcspn(l, "\n");
		next = l + len + (l[len] == '\n');
		const char *p = memmem(l, len, pref, strlen(pref));
		if (strncmp(l, "filter ", 7) != 0 || !p || !memmem(l, len, handle, strlen(handle)))
			continue;
		while (*next == '\t' || *next == ' ' || *next == '\n') {
			size_t more = strcspn(next, "\n");
			next += more + (next[more] == '\n');
		}
		char *copy = strndup(l, (size_t)(next - l));
		size_t n = 0;
		for (size_t i = 0; copy && copy[i]; i++) {
			char c = copy[i] == '\t' || copy[i] == '\n' ? ' ' : copy[i];
			if (c != ' ' || (n > 0 && copy[n - 1] != ' '))
				copy[n++] = c;
		}
		while (copy && n > 0 && copy[n - 1] == ' ')
			n--;
		if (copy)
			watch_text(out, size, copy, n);
		free(copy);
		return n > 0;
	}
	return false;
}

static char *show_filters(const struct hook *k, uint32_t parent)
{
	struct child_output shown;
	char handle[16];
	struct err e;

	snprintf(handle, sizeof(handle), "%x:", k->i->root >> 16);
	const char *const at_hook[] = {"tc", "filter", "show", "dev", k->i->name, k->name, NULL};
	const char *const at_root[] = {"tc",       "filter", "show", "dev",
				       k->i->name, "parent", handle, NULL};
	bool root = parent == k->i->root;
	if (child_run(root ? at_root : at_hook, NULL, TC_TIMEOUT_MS, TC_OUTPUT_MAX, &shown, &e) !=
	    0)
		return NULL;
	return shown.text;
}

static void emit_filter(struct links *s, const struct hook *k, unsigned which, bool alone,
			const char *shown)
{
	const struct tc_filter *f = &k->filters[which];
	struct host_record r = watch_record(HOST_PROGRAM);
	struct host_program *p = &r.program;
	char words[64];

	p->hook = k->inbound ? PROG_TC_INGRESS : PROG_TC_EGRESS;
	snprintf(p->interface, sizeof(p->interface), "%s", k->i->name);
	snprintf(p->attach_type, sizeof(p->attach_type), "%s", k->name);
	p->pref = f->pref;
	p->handle = f->handle;
	protocol_name(f->protocol, p->protocol, sizeof(p->protocol));
	programs_describe(s->l, f->prog_id, p);
	p->bpf = f->bpf;
	if (!p->name[0])
		snprintf(p->name, sizeof(p->name), "%s", f->prog_name[0] ? f->prog_name : f->kind);
	p->drops = alone && tc_filter_drops(k->filters, k->n, which);
	if (!shown || !find_words(shown, f, p->text, sizeof(p->text))) {
		handle_words(f, words, sizeof(words));
		snprintf(p->text, sizeof(p->text), "filter protocol %s pref %u %s chain %u %s%s",
			 p->protocol, f->pref, f->kind, f->chain, words, f->prog_name);
	}
	s->l->emit(s->l->arg, &r);
}

/* Could it stop or turn our packets? */
static bool matters(const struct tc_filter *f)
{
	return !f->table && f->fit != TC_FIT_NO &&
	       (f->bpf || f->end == TC_END_DROP || f->end == TC_END_UNKNOWN);
}

/* before: a tcx program sees the packets first. */
static void look_at_hook(struct links *s, const struct interface *i, uint32_t parent,
			 const char *name, bool before)
{
	const struct tcmsg header = {.tcm_ifindex = i->index, .tcm_parent = parent};
	struct hook *k = xcalloc(1, sizeof(*k));
	char *shown = NULL;
	bool any = false;

	*k = (struct hook){
		.i = i, .w = s->l->w, .name = name, .inbound = strcmp(name, "ingress") == 0};
	if (!ask(s, netlink_request(RTM_GETTFILTER, NLM_F_DUMP, &header, sizeof(header)), on_filter,
		 k, "tc filters"))
		k->n = 0;
	for (unsigned f = 0; f < k->n; f++)
		any |= matters(&k->filters[f]);
	if (any)
		shown = show_filters(k, parent);
	for (unsigned f = 0; f < k->n; f++)
		if (matters(&k->filters[f]))
			emit_filter(s, k, f, i->own && !before && !k->overflow, shown);
	if (k->overflow)
		say_failed(s, "tc filters", "there are too many");
	free(shown);
	free(k);
}

static void look_at_interface(struct links *s, const struct interface *i)
{
	emit_xdp(s, i);
	bool in = programs_tcx(s->l, i->index, i->name, false);
	bool out = programs_tcx(s->l, i->index, i->name, true);
	if (i->clsact || i->ingress)
		look_at_hook(s, i, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS), "ingress", in);
	if (i->clsact)
		look_at_hook(s, i, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS), "egress", out);
	if (i->root)
		look_at_hook(s, i, i->root, "root", out || i->clsact);
}

void programs_interfaces(struct programs_look *l)
{
	struct links *s = xcalloc(1, sizeof(*s));
	struct err e;

	s->l = l;
	if (host_open(&s->h, &e) != 0) {
		say_failed(s, "interfaces", e.text);
		free(s);
		return;
	}
	find_interfaces(s);
	if (find_qdiscs(s))
		for (unsigned i = 0; i < s->n; i++)
			look_at_interface(s, &s->list[i]);
	host_free(s->h);
	free(s);
}
