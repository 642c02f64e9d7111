/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "diag/named.h"

#include <stdlib.h>
#include <string.h>

#include "wire/decode.h"

static const struct host_record *record(const struct tracker *t, unsigned i)
{
	return t->log->events[t->host[i]].host;
}

static const struct flow *flow_from(const struct tracker *t, int port_index, uint16_t lport)
{
	for (unsigned i = 0; i < t->n_flows; i++)
		if (t->flows[i].lport == lport &&
		    (port_index < 0 || t->flows[i].port_index == port_index))
			return &t->flows[i];
	return NULL;
}

static bool is_syn(uint8_t flags)
{
	return (flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN;
}

static bool is_syn_ack(uint8_t flags)
{
	return (flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK);
}

/* A packet of this port's attempts. Only the source ports are ours alone. */
static bool packet_is_of(const struct tracker *t, int port_index, const struct host_packet *p)
{
	return flow_from(t, port_index, p->inbound ? p->dport : p->sport) != NULL;
}

static bool packet_fits(const struct host_packet *p, enum named_what what)
{
	switch (what) {
	case NAMED_STOP_OUT:
		return p->stopped && !p->inbound && is_syn(p->tcp_flags);
	case NAMED_STOP_IN:
		return p->stopped && p->inbound &&
		       (is_syn_ack(p->tcp_flags) || (p->tcp_flags & TCP_RST));
	case NAMED_STOP_LATER:
		return p->stopped && !is_syn(p->tcp_flags) && !is_syn_ack(p->tcp_flags) &&
		       !(p->tcp_flags & TCP_RST);
	case NAMED_TURN:
		return p->turned && !p->inbound && p->turn.table[0]; /* else legacy nat did */
	case NAMED_NOTHING:
	case NAMED_DENY:
	case NAMED_PORTS:
		break;
	}
	return false;
}

static enum culprit_kind kind_of_rule(const struct host_rule *r)
{
	if (r->backend == FW_IPTABLES_LEGACY)
		return CULPRIT_IPTABLES_RULE;
	return r->policy ? CULPRIT_NFT_POLICY : CULPRIT_NFT_RULE;
}

static void name_rule(struct named *n, const struct host_rule *r, bool proven, size_t event)
{
	*n = (struct named){
		.kind = kind_of_rule(r), .proven = proven, .event = event, .rule = r};
}

/* ---- netfilter's trace, legacy counters, and what the rules themselves say ---- */

static bool find_packet(const struct tracker *t, int port_index, enum named_what what,
			struct named *out)
{
	for (unsigned i = 0; i < t->n_host; i++) {
		const struct host_record *r = record(t, i);
		if (r->kind != HOST_PACKET || !packet_fits(&r->packet, what) ||
		    !packet_is_of(t, port_index, &r->packet))
			continue;
		name_rule(out, what == NAMED_TURN ? &r->packet.turn : &r->packet.stop, true,
			  t->host[i]);
		return true;
	}
	return false;
}

static bool verdict_fits(enum fw_verdict v, enum named_what what)
{
	switch (v) {
	case FW_DROP:
	case FW_REJECT:
	case FW_QUEUE:
		return what != NAMED_TURN;
	case FW_REDIRECT:
	case FW_DNAT:
	case FW_TPROXY:
		return what == NAMED_TURN;
	case FW_ACCEPT:
		break;
	}
	return false;
}

static bool direction_fits(bool inbound, enum named_what what)
{
	return what == NAMED_STOP_LATER || inbound == (what == NAMED_STOP_IN);
}

static bool find_counted(const struct tracker *t, int port_index, enum named_what what, bool certain,
			 struct named *out)
{
	unsigned port = t->plan->ports[port_index].port;

	for (unsigned i = 0; i < t->n_host; i++) {
		const struct host_record *r = record(t, i);
		if (r->kind != HOST_COUNTED || r->counted.dport != port ||
		    r->counted.certain != certain ||
		    !verdict_fits(r->counted.rule.verdict, what) ||
		    !direction_fits(r->counted.inbound, what))
			continue;
		name_rule(out, &r->counted.rule, certain, t->host[i]);
		return true;
	}
	return false;
}

static bool find_sight(const struct tracker *t, int port_index, enum named_what what, bool sure,
		       struct named *out)
{
	unsigned port = t->plan->ports[port_index].port;

	for (unsigned i = 0; i < t->n_host; i++) {
		const struct host_record *r = record(t, i);
		if (r->kind != HOST_SIGHT || r->sight.port != port ||
		    (r->sight.would == WOULD_MAYBE) == sure || r->sight.would == WOULD_PASS ||
		    !verdict_fits(r->sight.rule.verdict, what) ||
		    !direction_fits(r->sight.inbound, what))
			continue;
		name_rule(out, &r->sight.rule, false, t->host[i]);
		return true;
	}
	return false;
}

/* ---- the kernel's drop reasons, and the programs that stand for them ---- */

static const struct host_kernel_drop *find_drop(const struct tracker *t, int port_index,
						enum named_what what, size_t *event)
{
	for (unsigned i = 0; i < t->n_host; i++) {
		const struct host_record *r = record(t, i);
		const struct host_kernel_drop *d = &r->kernel_drop;
		if (r->kind != HOST_KERNEL_DROP || !direction_fits(d->inbound, what) ||
		    !flow_from(t, port_index, d->inbound ? d->dport : d->sport))
			continue;
		if (what == NAMED_STOP_OUT ? !is_syn(d->tcp_flags)
					   : what == NAMED_STOP_IN && is_syn(d->tcp_flags))
			continue;
		*event = t->host[i];
		return d;
	}
	return NULL;
}

static enum culprit_kind kind_of_program(enum program_hook h)
{
	switch (h) {
	case PROG_TC_EGRESS:
	case PROG_TC_INGRESS:
	case PROG_TCX_EGRESS:
	case PROG_TCX_INGRESS:
	case PROG_QDISC:
		return CULPRIT_TC;
	case PROG_XDP:
		return CULPRIT_XDP;
	case PROG_CGROUP_CONNECT:
	case PROG_CGROUP_EGRESS:
	case PROG_CGROUP_INGRESS:
	case PROG_CGROUP_SOCK:
		return CULPRIT_CGROUP_BPF;
	case PROG_LSM:
	case PROG_NETFILTER:
		return CULPRIT_LSM;
	}
	return CULPRIT_UNKNOWN;
}

#define HOOK(h) (1u << (h))

static bool same_program(const struct host_program *a, const struct host_program *b)
{
	return a->hook == b->hook && a->id == b->id && a->pref == b->pref &&
	       a->handle == b->handle && strcmp(a->interface, b->interface) == 0 &&
	       strcmp(a->cgroup, b->cgroup) == 0;
}

/* A program at one of these hooks; *several when there is more than one that could be it. */
static const struct host_program *find_program(const struct tracker *t, int port_index,
					       unsigned hooks, const char *interface,
					       bool *several, size_t *event)
{
	unsigned port = t->plan->ports[port_index].port;
	const struct host_program *found = NULL;

	*several = false;
	for (unsigned i = 0; i < t->n_host; i++) {
		const struct host_record *r = record(t, i);
		const struct host_program *p = &r->program;
		if (r->kind != HOST_PROGRAM || !(hooks & HOOK(p->hook)) ||
		    (p->port && p->port != port) ||
		    (interface && p->interface[0] && strcmp(p->interface, interface) != 0))
			continue;
		if (found && found->drops && !p->drops)
			continue; /* one that surely drops beats those that can't be read */
		*several = found && found->drops == p->drops &&
			   (*several || !same_program(found, p));
		found = p;
		*event = t->host[i];
	}
	return found;
}

static bool name_program(const struct tracker *t, int port_index, unsigned hooks, const char *interface,
			 bool proven, struct named *out)
{
	bool several;
	size_t event = NO_EVENT;
	const struct host_program *p = find_program(t, port_index, hooks, interface, &several, &event);

	if (!p)
		return false;
	*out = (struct named){.kind = kind_of_program(p->hook),
			      .proven = proven && !several,
			      .event = event,
			      .program = p};
	return true;
}

const struct host_setting *named_setting(const struct tracker *t, const char *name)
{
	for (unsigned i = 0; i < t->n_host; i++)
		if (record(t, i)->kind == HOST_SETTING &&
		    strcmp(record(t, i)->setting.name, name) == 0)
			return &record(t, i)->setting;
	return NULL;
}

static size_t event_of_setting(const struct tracker *t, const struct host_setting *s)
{
	for (unsigned i = 0; i < t->n_host; i++)
		if (&record(t, i)->setting == s)
			return t->host[i];
	return NO_EVENT;
}

static bool counter_moved(const struct tracker *t, const char *name)
{
	for (unsigned i = 0; i < t->n_host; i++)
		if (record(t, i)->kind == HOST_COUNTER &&
		    strcmp(record(t, i)->counter.name, name) == 0)
			return true;
	return false;
}

static bool name_setting(const struct tracker *t, const struct host_setting *s,
			 enum culprit_kind kind, bool proven, struct named *out)
{
	if (!s)
		return false;
	*out = (struct named){.kind = kind,
			      .proven = proven,
			      .event = event_of_setting(t, s),
			      .setting = s};
	return true;
}

/* rp_filter of the interface on which the answer came. */
static bool name_rp_filter(const struct tracker *t, const char *interface, bool proven,
			   struct named *out)
{
	for (unsigned i = 0; i < t->n_host; i++) {
		const struct host_record *r = record(t, i);
		if (r->kind == HOST_SETTING && strstr(r->setting.name, ".rp_filter") &&
		    (!interface[0] || strcmp(r->setting.interface, interface) == 0))
			return name_setting(t, &r->setting, CULPRIT_SYSCTL, proven, out);
	}
	return false;
}

static bool conntrack_is_full(const struct tracker *t)
{
	const struct host_setting *count = named_setting(t, "net.netfilter.nf_conntrack_count");
	const struct host_setting *max = named_setting(t, "net.netfilter.nf_conntrack_max");

	return count && max && strtoull(count->value, NULL, 10) >= strtoull(max->value, NULL, 10);
}

static bool name_conntrack(const struct tracker *t, struct named *out)
{
	bool moved = counter_moved(t, "nf_conntrack.drop");

	if (!moved && !conntrack_is_full(t))
		return false;
	return name_setting(t, named_setting(t, "net.netfilter.nf_conntrack_max"),
			    CULPRIT_CONNTRACK, moved, out);
}

static bool name_xfrm(const struct tracker *t, int port_index, bool inbound, struct named *out)
{
	unsigned port = t->plan->ports[port_index].port;

	for (unsigned i = 0; i < t->n_host; i++) {
		const struct host_record *r = record(t, i);
		if (r->kind != HOST_XFRM || !r->xfrm.block || r->xfrm.inbound != inbound ||
		    r->xfrm.port != port)
			continue;
		*out = (struct named){.kind = CULPRIT_UNKNOWN,
				      .proven = true,
				      .event = t->host[i],
				      .xfrm = &r->xfrm};
		return true;
	}
	return false;
}

static bool starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* The kernel's reason (include/net/dropreason-core.h), and who stands behind it. */
static bool name_by_drop(const struct tracker *t, int port_index,
			 const struct host_kernel_drop *d, struct named *out)
{
	bool in = d->inbound;

	if (strcmp(d->reason, "TC_EGRESS") == 0)
		return name_program(t, port_index, HOOK(PROG_TC_EGRESS) | HOOK(PROG_TCX_EGRESS), d->interface,
				    true, out);
	if (strcmp(d->reason, "TC_INGRESS") == 0)
		return name_program(t, port_index, HOOK(PROG_TC_INGRESS) | HOOK(PROG_TCX_INGRESS), d->interface,
				    true, out);
	if (strcmp(d->reason, "XDP") == 0 || strstr(d->function, "xdp"))
		return name_program(t, port_index, HOOK(PROG_XDP), d->interface, true, out);
	if (strcmp(d->reason, "BPF_CGROUP_EGRESS") == 0)
		return name_program(t, port_index, HOOK(PROG_CGROUP_EGRESS), NULL, true, out);
	if (strcmp(d->reason, "SOCKET_FILTER") == 0 && in)
		return name_program(t, port_index, HOOK(PROG_CGROUP_INGRESS), NULL, true, out);
	if (strcmp(d->reason, "QDISC_DROP") == 0)
		return name_program(t, port_index, HOOK(PROG_QDISC), d->interface, true, out);
	if (strcmp(d->reason, "IP_RPFILTER") == 0)
		return name_rp_filter(t, d->interface, true, out);
	if (starts(d->reason, "XFRM_"))
		return name_xfrm(t, port_index, in, out);
	return false;
}

static bool traced_any(const struct tracker *t)
{
	for (unsigned i = 0; i < t->n_host; i++)
		if (record(t, i)->kind == HOST_PACKET)
			return true;
	return false;
}

/* Where the packet was seen last, when the kernel gives no reason. */
static bool name_by_waypoint(const struct tracker *t, int port_index, const struct port_facts *p,
			     enum named_what what, struct named *out)
{
	const struct host_packet *last = NULL;

	for (unsigned i = 0; i < t->n_host; i++) {
		const struct host_record *r = record(t, i);
		if (r->kind == HOST_PACKET && packet_is_of(t, port_index, &r->packet) &&
		    r->packet.inbound == (what == NAMED_STOP_IN) &&
		    (what == NAMED_STOP_IN ? is_syn_ack(r->packet.tcp_flags)
					   : is_syn(r->packet.tcp_flags)))
			last = &r->packet;
	}
	/* the tap saw the answer, and the first of our chains did not */
	if (!last && what == NAMED_STOP_IN && fact_seen(p, F_SYNACK) && traced_any(t))
		return name_program(t, port_index, HOOK(PROG_TC_INGRESS) | HOOK(PROG_TCX_INGRESS), NULL, false,
				    out);
	if (!last || last->stopped)
		return false;
	if (what == NAMED_STOP_IN) {
		if (last->last == WAY_IN_LAST)
			return name_program(t, port_index, HOOK(PROG_CGROUP_INGRESS), NULL, false, out);
		return false;
	}
	switch (last->last) {
	case WAY_EGRESS_LAST:
		return !fact_seen(p, F_SYN_LEFT) &&
		       name_program(t, port_index, HOOK(PROG_TC_EGRESS) | HOOK(PROG_TCX_EGRESS) | HOOK(PROG_QDISC),
				    last->oif, false, out);
	case WAY_POST_LAST:
		if (last->egress_watched)
			return name_program(t, port_index, HOOK(PROG_CGROUP_EGRESS), NULL, false, out);
		/* the kernel has no egress hook: everything below netfilter may be it */
		return name_program(t, port_index, HOOK(PROG_CGROUP_EGRESS) | HOOK(PROG_TC_EGRESS) |
					       HOOK(PROG_TCX_EGRESS) | HOOK(PROG_QDISC),
				    last->oif, false, out);
	case WAY_OUT_FIRST:
		return name_conntrack(t, out);
	case WAY_NONE:
	case WAY_OUT_TRACKED:
	case WAY_OUT_LAST:
	case WAY_POST_FIRST:
	case WAY_EGRESS_FIRST:
	case WAY_INGRESS:
	case WAY_INGRESS_LAST:
	case WAY_PRE_FIRST:
	case WAY_PRE_TRACKED:
	case WAY_PRE_LAST:
	case WAY_IN_FIRST:
	case WAY_IN_LAST:
	case WAY_COUNT:
		break;
	}
	return false;
}

/* A rule of the firewall gave our packet a mark, and an ip rule forbids that: the kernel looks the
 * route up again in the middle of the output hook. */
static bool name_mark_rule(const struct tracker *t, int port_index, enum named_what what,
			   struct named *out)
{
	unsigned port = t->plan->ports[port_index].port;

	for (unsigned i = 0; i < t->n_host && what == NAMED_STOP_OUT; i++) {
		const struct host_record *r = record(t, i);
		if (r->kind != HOST_MARK_RULE || r->mark_rule.port != port)
			continue;
		*out = (struct named){.kind = CULPRIT_IP_RULE,
				      .proven = false,
				      .event = t->host[i],
				      .mark_rule = &r->mark_rule};
		return true;
	}
	return false;
}

static void find_stop(const struct tracker *t, int port_index, const struct port_facts *p,
		      enum named_what what, struct named *out)
{
	size_t event = NO_EVENT;
	const struct host_kernel_drop *d = NULL;

	if (find_packet(t, port_index, what, out) ||
	    find_counted(t, port_index, what, true, out))
		return;
	if (what != NAMED_STOP_LATER)
		d = find_drop(t, port_index, what, &event);
	if (d && name_by_drop(t, port_index, d, out))
		return;
	/* sent to a place that swallows it: no next hop answers there, say */
	if (what == NAMED_STOP_OUT && find_packet(t, port_index, NAMED_TURN, out))
		return;
	if (name_by_waypoint(t, port_index, p, what, out) ||
	    (what == NAMED_STOP_OUT && name_conntrack(t, out)) ||
	    find_counted(t, port_index, what, false, out) ||
	    name_mark_rule(t, port_index, what, out) ||
	    name_xfrm(t, port_index, what == NAMED_STOP_IN, out) ||
	    find_sight(t, port_index, what, true, out))
		return;
	if (what == NAMED_STOP_IN && counter_moved(t, "TcpExtIPReversePathFilter") &&
	    name_rp_filter(t, "", false, out))
		return;
	if (d) {
		*out = (struct named){
			.kind = CULPRIT_KERNEL_DROP, .proven = true, .event = event, .drop = d};
		return;
	}
	find_sight(t, port_index, what, false, out);
}

static void find_turn(const struct tracker *t, int port_index, const struct port_facts *p,
		      struct named *out)
{
	if (fact_seen(p, F_PEER_DIFFERS) &&
	    name_program(t, port_index, HOOK(PROG_CGROUP_CONNECT), NULL, true, out))
		return;
	if (find_packet(t, port_index, NAMED_TURN, out) ||
	    find_counted(t, port_index, NAMED_TURN, true, out) ||
	    find_counted(t, port_index, NAMED_TURN, false, out) ||
	    find_sight(t, port_index, NAMED_TURN, true, out))
		return;
	find_sight(t, port_index, NAMED_TURN, false, out);
}

/* connect() was refused and routing is not to blame: an IPsec policy says so itself; a cgroup
 * program or a security module is what is left. */
static void find_denial(const struct tracker *t, int port_index, struct named *out)
{
	if (name_xfrm(t, port_index, false, out) ||
	    name_program(t, port_index, HOOK(PROG_CGROUP_CONNECT), NULL, false, out) ||
	    name_program(t, port_index, HOOK(PROG_LSM), NULL, false, out))
		return;
	if (t->n_host && !t->host_not_looked[HOST_LOOK_PROGRAMS])
		out->kind = CULPRIT_LSM;
}

void named_find(const struct tracker *t, int port_index, const struct port_facts *p,
		enum named_what what, struct named *out)
{
	*out = (struct named){.kind = CULPRIT_UNKNOWN, .event = NO_EVENT};
	switch (what) {
	case NAMED_NOTHING:
		return;
	case NAMED_STOP_OUT:
	case NAMED_STOP_IN:
	case NAMED_STOP_LATER:
		find_stop(t, port_index, p, what, out);
		return;
	case NAMED_TURN:
		find_turn(t, port_index, p, out);
		return;
	case NAMED_PORTS:
		name_setting(t, named_setting(t, "net.ipv4.ip_local_port_range"), CULPRIT_SYSCTL, true,
			     out);
		return;
	case NAMED_DENY:
		find_denial(t, port_index, out);
		return;
	}
}

const struct host_owner *named_owner(const struct tracker *t, const struct addr *a, uint16_t port)
{
	for (unsigned i = 0; i < t->n_host; i++) {
		const struct host_record *r = record(t, i);
		if (r->kind == HOST_OWNER && r->owner.port == port &&
		    (!addr_is_set(a) || !addr_is_set(&r->owner.address) ||
		     addr_equal(&r->owner.address, a)))
			return &r->owner;
	}
	return NULL;
}

/* ---- facts ---- */

void facts_of_records(const struct tracker *t, int port_index, struct port_facts *p)
{
	static const struct {
		enum named_what what;
		enum fact fact;
	} stops[] = {{NAMED_STOP_OUT, F_RULE_STOPS_OUT},
		     {NAMED_STOP_IN, F_RULE_STOPS_IN},
		     {NAMED_STOP_LATER, F_RULE_STOPS_SESSION}};
	struct named n;
	size_t dropped = NO_EVENT, ipsec = NO_EVENT, xdp = NO_EVENT;

	for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++) {
		bool seen = find_packet(t, port_index, stops[i].what, &n);
		fact_note(p, stops[i].fact, seen, seen ? n.event : NO_EVENT);
	}
	for (unsigned i = 0; i < t->n_host; i++) {
		const struct host_record *r = record(t, i);
		if (r->kind == HOST_XFRM && !r->xfrm.block && !r->xfrm.inbound &&
		    r->xfrm.port == t->plan->ports[port_index].port)
			ipsec = t->host[i];
		if (r->kind == HOST_PROGRAM && r->program.hook == PROG_XDP &&
		    strcmp(r->program.interface, t->link.name) == 0)
			xdp = t->host[i];
	}
	const struct host_kernel_drop *d = find_drop(t, port_index, NAMED_STOP_IN, &dropped);
	fact_note(p, F_IPSEC, ipsec != NO_EVENT, ipsec);
	fact_note(p, F_XDP_THERE, xdp != NO_EVENT, xdp);
	fact_note(p, F_ANSWER_DROPPED, d && is_syn_ack(d->tcp_flags), dropped);
}

/* ---- words ---- */

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

static const char *endpoint(struct arena *a, const struct addr *addr, unsigned port)
{
	char text[ADDR_TEXT_MAX];

	return arena_printf(a, "%s port %u", addr_text(addr, text), port);
}

static const char *packet_name(const struct host_packet *p)
{
	if (is_syn(p->tcp_flags))
		return "SYN";
	if (is_syn_ack(p->tcp_flags))
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
		const struct host_packet *q = &record(t, i)->packet;
		if (record(t, i)->kind != HOST_PACKET || q->stopped || q->turned ||
		    q->inbound != p->inbound)
			continue;
		const struct flow *f = flow_from(t, -1, q->inbound ? q->dport : q->sport);
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
	if ((!is_syn(p->tcp_flags) && !is_syn_ack(p->tcp_flags)) || !is_first_of_kind(t, p, port))
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

/* It is looked at for each port anew. */
static bool is_told(const struct tracker *t, const struct host_program *p)
{
	for (unsigned i = 0; i < t->n_host; i++) {
		const struct host_record *r = record(t, i);
		if (r->kind == HOST_PROGRAM && &r->program == p)
			return false;
		if (r->kind == HOST_PROGRAM && same_program(&r->program, p))
			return true;
	}
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
		f = flow_from(t, -1, r->packet.inbound ? r->packet.dport : r->packet.sport);
		*port = f ? f->port : 0;
		return host_packet_words(a, t, &r->packet, *port);
	case HOST_COUNTED:
		*source = SOURCE_IPTABLES;
		*port = r->counted.dport;
		return arena_printf(a, "its counter moved by %llu with our packets: %s (%s)",
				    (unsigned long long)r->counted.moved, r->counted.rule.text,
				    rule_place(a, &r->counted.rule));
	case HOST_PROGRAM:
		return is_told(t, &r->program) ? NULL
					       : arena_printf(a, "in force: %s",
							      program_words(a, &r->program));
	case HOST_KERNEL_DROP:
		f = flow_from(t, -1,
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
		f = flow_from(t, -1, r->translation.lport);
		*port = f ? f->port : 0;
		return arena_printf(a, "connection tracking: %s was translated to %s",
				    endpoint(a, &r->translation.called, r->translation.called_port),
				    endpoint(a, &r->translation.actual,
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
		return arena_printf(a, "not looked: %s", r->not_looked.why);
	}
	return NULL;
}
