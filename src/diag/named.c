/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "diag/named_private.h"

#include <stdlib.h>
#include <string.h>

const struct flow *named_flow(const struct tracker *t, int port_index, uint16_t lport)
{
	for (unsigned i = 0; i < t->n_flows; i++)
		if (t->flows[i].lport == lport &&
		    (port_index < 0 || t->flows[i].port_index == port_index))
			return &t->flows[i];
	return NULL;
}

/* A packet of this port's attempts. Only the source ports are ours alone. */
static bool packet_is_of(const struct tracker *t, int port_index, const struct host_packet *p)
{
	return named_flow(t, port_index, p->inbound ? p->dport : p->sport) != NULL;
}

static bool packet_fits(const struct host_packet *p, enum named_what what)
{
	switch (what) {
	case NAMED_STOP_OUT:
		return p->stopped && !p->inbound && named_is_syn(p->tcp_flags);
	case NAMED_STOP_IN:
		return p->stopped && p->inbound &&
		       (named_is_syn_ack(p->tcp_flags) || (p->tcp_flags & TCP_RST));
	case NAMED_STOP_LATER:
		return p->stopped && !named_is_syn(p->tcp_flags) && !named_is_syn_ack(p->tcp_flags) &&
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
		const struct host_record *r = named_record(t, i);
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
		const struct host_record *r = named_record(t, i);
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
		const struct host_record *r = named_record(t, i);
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
		const struct host_record *r = named_record(t, i);
		const struct host_kernel_drop *d = &r->kernel_drop;
		if (r->kind != HOST_KERNEL_DROP || !direction_fits(d->inbound, what) ||
		    !named_flow(t, port_index, d->inbound ? d->dport : d->sport))
			continue;
		if (what == NAMED_STOP_OUT ? !named_is_syn(d->tcp_flags)
					   : what == NAMED_STOP_IN && named_is_syn(d->tcp_flags))
			continue;
		*event = t->host[i];
		return d;
	}
	return NULL;
}

enum culprit_kind named_kind_of_program(enum program_hook h)
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

bool named_same_program(const struct host_program *a, const struct host_program *b)
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
		const struct host_record *r = named_record(t, i);
		const struct host_program *p = &r->program;
		if (r->kind != HOST_PROGRAM || !(hooks & HOOK(p->hook)) ||
		    (p->port && p->port != port) ||
		    (interface && p->interface[0] && strcmp(p->interface, interface) != 0))
			continue;
		if (found && found->drops && !p->drops)
			continue; /* one that surely drops beats those that can't be read */
		*several = found && found->drops == p->drops &&
			   (*several || !named_same_program(found, p));
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
	*out = (struct named){.kind = named_kind_of_program(p->hook),
			      .proven = proven && !several,
			      .event = event,
			      .program = p};
	return true;
}

const struct host_setting *named_setting(const struct tracker *t, const char *name)
{
	for (unsigned i = 0; i < t->n_host; i++)
		if (named_record(t, i)->kind == HOST_SETTING &&
		    strcmp(named_record(t, i)->setting.name, name) == 0)
			return &named_record(t, i)->setting;
	return NULL;
}

static size_t event_of_setting(const struct tracker *t, const struct host_setting *s)
{
	for (unsigned i = 0; i < t->n_host; i++)
		if (&named_record(t, i)->setting == s)
			return t->host[i];
	return NO_EVENT;
}

static bool counter_moved(const struct tracker *t, const char *name)
{
	for (unsigned i = 0; i < t->n_host; i++)
		if (named_record(t, i)->kind == HOST_COUNTER &&
		    strcmp(named_record(t, i)->counter.name, name) == 0)
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
		const struct host_record *r = named_record(t, i);
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
		const struct host_record *r = named_record(t, i);
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
		if (named_record(t, i)->kind == HOST_PACKET)
			return true;
	return false;
}

/* Where the packet was seen last, when the kernel gives no reason. */
static bool name_by_waypoint(const struct tracker *t, int port_index, const struct port_facts *p,
			     enum named_what what, struct named *out)
{
	const struct host_packet *last = NULL;

	for (unsigned i = 0; i < t->n_host; i++) {
		const struct host_record *r = named_record(t, i);
		if (r->kind == HOST_PACKET && packet_is_of(t, port_index, &r->packet) &&
		    r->packet.inbound == (what == NAMED_STOP_IN) &&
		    (what == NAMED_STOP_IN ? named_is_syn_ack(r->packet.tcp_flags)
					   : named_is_syn(r->packet.tcp_flags)))
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
		const struct host_record *r = named_record(t, i);
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
		const struct host_record *r = named_record(t, i);
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
		const struct host_record *r = named_record(t, i);
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
	fact_note(p, F_ANSWER_DROPPED, d && named_is_syn_ack(d->tcp_flags), dropped);
}
