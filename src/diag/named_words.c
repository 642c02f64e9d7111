/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The host's own records in words: the culprit's, and as evidence. Pure. */
#include "diag/named_private.h"

#include <string.h>

#include "diag/words.h"

static const char *rule_place(struct arena *a, const struct host_rule *r)
{
	bool iptables = r->backend != FW_NFT;
	const char *from = strcmp(r->chain, r->base_chain) && r->base_chain[0]
				   ? arena_printf(a, ", reached from %s", r->base_chain)
				   : "";

	if (iptables)
		return arena_printf(a, "%s%s, table %s%s",
				    strcmp(r->family, "ip6") == 0 ? "ip6tables" : "iptables",
				    r->backend == FW_IPTABLES_LEGACY ? "-legacy" : "-nft", r->table,
				    from);
	return arena_printf(a, "nftables, %s %s, chain %s%s", r->family, r->table, r->chain, from);
}

static const char *program_words(struct arena *a, const struct host_program *p)
{
	const char *id = p->bpf ? arena_printf(a, " (eBPF program %s, id %u)", p->name, p->id) : "";

	switch (p->hook) {
	case PROG_TC_EGRESS:
	case PROG_TC_INGRESS:
		return arena_printf(a, "the tc filter on %s %s%s: %s", p->interface,
				    p->hook == PROG_TC_EGRESS ? "egress" : "ingress", id, p->text);
	case PROG_TCX_EGRESS:
	case PROG_TCX_INGRESS:
		return arena_printf(a, "the tcx program on %s %s%s", p->interface,
				    p->hook == PROG_TCX_EGRESS ? "egress" : "ingress", id);
	case PROG_QDISC:
		return arena_printf(a, "the queueing discipline of %s: %s", p->interface, p->text);
	case PROG_XDP:
		return arena_printf(a, "the XDP program on %s%s", p->interface, id);
	case PROG_CGROUP_CONNECT:
	case PROG_CGROUP_EGRESS:
	case PROG_CGROUP_INGRESS:
	case PROG_CGROUP_SOCK:
		return arena_printf(a, "the %s program on cgroup %s%s", p->attach_type, p->cgroup,
				    id);
	case PROG_LSM:
		return arena_printf(a, "the security hook%s", id);
	case PROG_NETFILTER:
		return arena_printf(a, "the netfilter program%s", id);
	}
	return "";
}

const char *named_text(struct arena *a, const struct named *n)
{
	if (n->rule)
		return arena_strdup(a, n->rule->text);
	if (n->program)
		return arena_strdup(a, n->program->text[0] ? n->program->text
							    : program_words(a, n->program));
	if (n->setting)
		return arena_printf(a, "%s = %s", n->setting->name, n->setting->value);
	if (n->drop)
		return arena_printf(a, "kernel drop reason %s%s%s", n->drop->reason,
				    n->drop->function[0] ? " in " : "", n->drop->function);
	if (n->xfrm)
		return arena_strdup(a, n->xfrm->text);
	if (n->mark_rule)
		return arena_strdup(a, n->mark_rule->text);
	if (n->kind == CULPRIT_LSM)
		return "no route, rule or program that could be read refuses it: a security module "
		       "(SELinux, AppArmor), a seccomp filter or a Landlock sandbox of this process";
	return NULL;
}

const char *named_words(struct arena *a, const struct tracker *t, const struct named *n)
{
	const char *likely = n->proven ? "" : "most likely ";

	if (n->rule && n->rule->policy)
		return arena_printf(a, "%sthe policy of chain %s: no rule there accepts it (%s)",
				    likely, n->rule->chain, rule_place(a, n->rule));
	if (n->rule)
		return arena_printf(a, "%srule `%s` (%s)", likely, n->rule->text,
				    rule_place(a, n->rule));
	if (n->program)
		return arena_printf(a, "%s%s", likely, program_words(a, n->program));
	if (n->kind == CULPRIT_CONNTRACK) {
		const struct host_setting *count =
			named_setting(t, "net.netfilter.nf_conntrack_count");
		return arena_printf(a, "%sthe connection tracking table is full (%s of %s entries)",
				    likely, count ? count->value : "all", n->setting->value);
	}
	if (n->setting)
		return arena_printf(a, "%sthe setting %s = %s", likely, n->setting->name,
				    n->setting->value);
	if (n->xfrm)
		return arena_printf(a, "%sthe IPsec policy `%s`", likely, n->xfrm->text);
	if (n->mark_rule)
		return arena_printf(a, "%sthe firewall gives the packet a mark, and the ip rule `%s` "
				       "forbids packets with that mark", likely, n->mark_rule->text);
	if (n->drop)
		return arena_printf(a, "the kernel says %s%s%s", n->drop->reason,
				    n->drop->function[0] ? ", in " : "", n->drop->function);
	if (n->kind == CULPRIT_LSM)
		return "no route, rule or program forbids it, so a security module or a sandbox of "
		       "this process does";
	return "";
}

static const char *packet_name(const struct host_packet *p)
{
	if (named_is_syn(p->tcp_flags))
		return "SYN";
	if (named_is_syn_ack(p->tcp_flags))
		return "SYN-ACK";
	return p->tcp_flags & TCP_RST ? "RST" : "packet of the session";
}

static const char *waypoint_words(enum waypoint w)
{
	static const char *const names[WAY_COUNT] = {
		[WAY_NONE] = "nowhere",
		[WAY_OUT_FIRST] = "before the output hook",
		[WAY_OUT_TRACKED] = "in the output hook, behind conntrack",
		[WAY_OUT_LAST] = "behind the output hook",
		[WAY_POST_FIRST] = "before the postrouting hook",
		[WAY_POST_LAST] = "behind the postrouting hook",
		[WAY_EGRESS_FIRST] = "before the egress hook",
		[WAY_EGRESS_LAST] = "behind the egress hook",
		[WAY_INGRESS] = "before the ingress hook",
		[WAY_INGRESS_LAST] = "behind the ingress hook",
		[WAY_PRE_FIRST] = "before the prerouting hook",
		[WAY_PRE_TRACKED] = "in the prerouting hook, behind conntrack",
		[WAY_PRE_LAST] = "behind the prerouting hook",
		[WAY_IN_FIRST] = "before the input hook",
		[WAY_IN_LAST] = "behind the input hook",
	};

	return names[w];
}

/* Of packets that passed, the first of its kind tells all. */
static bool is_first_of_kind(const struct tracker *t, const struct host_packet *p, unsigned port)
{
	for (unsigned i = 0; i < t->n_host; i++) {
		const struct host_packet *q = &named_record(t, i)->packet;
		if (named_record(t, i)->kind != HOST_PACKET || q->stopped || q->turned ||
		    q->inbound != p->inbound)
			continue;
		const struct flow *f = named_flow(t, -1, q->inbound ? q->dport : q->sport);
		if (f && f->port == port)
			return q == p;
	}
	return true;
}

static const char *host_packet_words(struct arena *a, const struct tracker *t,
				     const struct host_packet *p, unsigned port)
{
	const char *what = packet_name(p);
	const struct host_rule *r = p->stopped ? &p->stop : &p->turn;

	if (p->stopped)
		return arena_printf(a, "netfilter stopped the %s in hook %s: %s (%s)", what, r->hook,
				    r->text, rule_place(a, r));
	if (p->turned && !r->table[0])
		return arena_printf(a, "the %s was sent to another place, by no nftables rule", what);
	if (p->turned)
		return arena_printf(a, "netfilter sent the %s to another place: %s (%s)", what,
				    r->text, rule_place(a, r));
	if ((!named_is_syn(p->tcp_flags) && !named_is_syn_ack(p->tcp_flags)) || !is_first_of_kind(t, p, port))
		return NULL;
	return arena_printf(a, "no nftables rule stopped the %s; seen last %s", what,
			    waypoint_words(p->last));
}

static const char *sight_words(struct arena *a, const struct host_sight *s)
{
	static const char *const would[] = {[WOULD_PASS] = "passes",
					    [WOULD_STOP] = "would be stopped by",
					    [WOULD_REDIRECT] = "would be sent elsewhere by",
					    [WOULD_MAYBE] = "may meet"};

	return arena_printf(a, "hook %s: the %s %s %s (%s)%s%s", s->rule.hook,
			    s->inbound ? "SYN-ACK" : "SYN", would[s->would],
			    s->rule.text[0] ? s->rule.text : s->rule.chain, rule_place(a, &s->rule),
			    s->depends[0] ? "; that depends on " : "", s->depends);
}

static bool says_the_same(const struct host_record *a, const struct host_record *b)
{
	if (a->kind != b->kind)
		return false;
	return a->kind == HOST_PROGRAM
		       ? named_same_program(&a->program, &b->program)
		       : a->not_looked.what == b->not_looked.what &&
				 strcmp(a->not_looked.why, b->not_looked.why) == 0;
}

/* Programs are looked at for each port anew, with the same answer, or for the same reason none. */
static bool is_told(const struct tracker *t, const struct host_record *r)
{
	for (unsigned i = 0; i < t->n_host && named_record(t, i) != r; i++)
		if (says_the_same(named_record(t, i), r))
			return true;
	return false;
}

const char *named_record_words(struct arena *a, const struct tracker *t,
			       const struct host_record *r, enum source *source, unsigned *port)
{
	const struct flow *f;

	*port = 0;
	*source = SOURCE_KERNEL;
	switch (r->kind) {
	case HOST_PACKET:
		*source = SOURCE_NFTRACE;
		f = named_flow(t, -1, r->packet.inbound ? r->packet.dport : r->packet.sport);
		*port = f ? f->port : 0;
		return host_packet_words(a, t, &r->packet, *port);
	case HOST_COUNTED:
		*source = SOURCE_IPTABLES;
		*port = r->counted.dport;
		return arena_printf(a, "its counter moved by %llu with our packets: %s (%s)",
				    (unsigned long long)r->counted.moved, r->counted.rule.text,
				    rule_place(a, &r->counted.rule));
	case HOST_PROGRAM:
		return is_told(t, r) ? NULL
				     : arena_printf(a, "in force: %s", program_words(a, &r->program));
	case HOST_KERNEL_DROP:
		f = named_flow(t, -1,
			      r->kernel_drop.inbound ? r->kernel_drop.dport : r->kernel_drop.sport);
		*port = f ? f->port : 0;
		return arena_printf(a, "the kernel dropped the %s: %s%s%s",
				    r->kernel_drop.inbound ? "answer" : "SYN", r->kernel_drop.reason,
				    r->kernel_drop.function[0] ? " in " : "",
				    r->kernel_drop.function);
	case HOST_SETTING:
		if (strcmp(r->setting.name, "firewall.ufw") == 0)
			return "ufw manages this machine's firewall";
		return arena_printf(a, "%s = %s", r->setting.name, r->setting.value);
	case HOST_COUNTER:
		return arena_printf(a, "the kernel's counter %s moved by %llu", r->counter.name,
				    (unsigned long long)r->counter.moved);
	case HOST_TRANSLATION:
		f = named_flow(t, -1, r->translation.lport);
		*port = f ? f->port : 0;
		return arena_printf(a, "connection tracking: %s was translated to %s",
				    words_endpoint(a, &r->translation.called, r->translation.called_port),
				    words_endpoint(a, &r->translation.actual,
					     r->translation.actual_port));
	case HOST_OWNER:
		return arena_printf(a, "port %u here belongs to %s%s", r->owner.port,
				    r->owner.name[0] ? r->owner.name : "a program without a name",
				    r->owner.pid ? arena_printf(a, " (pid %u, uid %u)", r->owner.pid,
								r->owner.uid)
						 : "");
	case HOST_XFRM:
		*port = r->xfrm.port;
		return arena_printf(a, "IPsec policy: %s", r->xfrm.text);
	case HOST_MARK_RULE:
		*source = SOURCE_ROUTE;
		*port = r->mark_rule.port;
		return arena_printf(a, "packets with a mark are forbidden: %s (priority %u)",
				    r->mark_rule.text, r->mark_rule.priority);
	case HOST_SIGHT:
		*source = r->sight.rule.backend == FW_IPTABLES_LEGACY ? SOURCE_IPTABLES : SOURCE_NFT;
		*port = r->sight.port;
		return sight_words(a, &r->sight);
	case HOST_NOT_LOOKED:
		return is_told(t, r) ? NULL : arena_printf(a, "not looked at %s: %s",
							      words_host_look(r->not_looked.what), r->not_looked.why);
	}
	return NULL;
}
