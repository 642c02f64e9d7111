/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a run asks about this host: the kernel by netlink, and the agent. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "run/target.h"

#define NEIGHBOUR_LOOK_NS (200 * NS_PER_MS)
/* In a crowd, how long an answer about links and rules is good. */
#define LINK_GOOD_NS      (1 * NS_PER_S)
/* In a crowd: how long an answer about programs on an interface is good. */
#define PROGRAMS_LOOK_NS (10 * NS_PER_S)
/* ... and the source ports of attempts that are looked at closer. */
#define CROWD_LPORTS 16
/* The privileged process gets no longer than this for one question, and no shorter. */
#define AGENT_MAX_MS  3000
#define AGENT_MAX_CROWD_MS 500 /* all others wait meanwhile */
#define AGENT_MIN_MS  200
#define AGENT_LATE_MS 20
/* What this host does to a packet of its own, it has done by then. */
#define OWN_DOING_NS (60 * NS_PER_MS)

/* ---- events of the host ---- */

void look_add(struct run *r, struct event *ev)
{
	ev->t_ns = clock_wall_ns();
	ev->flow = NO_FLOW;
	event_log_add(&r->log, ev);
}

void look_add_not_looked(struct run *r, enum look what, const char *why)
{
	struct event ev = {.kind = EV_NOT_LOOKED,
			   .not_looked = {what, arena_strdup(&r->log.arena, why)}};

	look_add(r, &ev);
}

static bool rules_see_ports(struct run *r)
{
	struct crowd *c = r->live->crowd;
	enum addr_family family = r->plan->target.family;
	int which = family == ADDR_V6;
	int64_t now = clock_mono_ns();

	if (!c)
		return true;
	if (!c->rules[which].known || now >= c->rules[which].until) {
		c->rules[which].known = true;
		c->rules[which].see_ports = host_rules_see_ports(r->live->host, family);
		c->rules[which].until = now + LINK_GOOD_NS;
	}
	return c->rules[which].see_ports;
}

/* -1 and nothing in *route when the kernel could not be asked. same: what it said of another port,
 * or NULL. */
static int look_at_route(struct run *r, uint16_t port, int oif, const struct host_route *same,
			 struct host_route *route)
{
	struct event ev = {.flow = NO_FLOW};
	struct route_query q = {
		.dst = r->plan->target, .src = r->plan->source, .oif = oif, .dport = port};
	struct err e;

	if (same)
		*route = *same;
	else if (host_get_route(r->live->host, &q, route, &e) != 0) {
		look_add_not_looked(r, LOOK_ROUTE, e.text);
		return -1;
	}
	route->port = port;
	ev.t_ns = clock_wall_ns();
	event_log_add_route(&r->log, &ev, route);
	return 0;
}

/* In a crowd an answer of the kernel is good for a moment: most targets share the link. */
static int get_link(struct run *r, int ifindex, const char *name, struct host_link *link,
		    struct err *e)
{
	struct crowd *c = r->live->crowd;
	int64_t now = clock_mono_ns();

	if (c && ifindex && c->link.ifindex == ifindex && now < c->link.until) {
		*link = c->link.link;
		return 0;
	}
	if (host_get_link(r->live->host, ifindex, name, link, e) != 0)
		return -1;
	if (c) {
		c->link.ifindex = link->ifindex;
		c->link.link = *link;
		c->link.until = now + LINK_GOOD_NS;
	}
	return 0;
}

static int get_neighbour(struct run *r, struct host_neighbour *neighbour, struct err *e)
{
	struct crowd *c = r->live->crowd;
	int64_t now = clock_mono_ns();

	if (c && c->neighbour.ifindex == r->next_hop_ifindex && now < c->neighbour.until &&
	    addr_equal(&c->neighbour.address, &r->next_hop)) {
		*neighbour = c->neighbour.neighbour;
		return 0;
	}
	if (host_get_neighbour(r->live->host, r->next_hop_ifindex, &r->next_hop, neighbour, e) != 0)
		return -1;
	/* one that is not resolved yet may be so at any moment */
	if (c && neighbour_is_usable(neighbour)) {
		c->neighbour.ifindex = r->next_hop_ifindex;
		c->neighbour.address = r->next_hop;
		c->neighbour.neighbour = *neighbour;
		c->neighbour.until = now + NEIGHBOUR_LOOK_NS;
	}
	return 0;
}

static void look_at_link(struct run *r, int ifindex, const char *name)
{
	struct event ev = {.kind = EV_LINK};
	struct err e;

	if (get_link(r, ifindex, name, &ev.link, &e) != 0) {
		look_add_not_looked(r, LOOK_LINK, e.text);
		return;
	}
	look_add(r, &ev);
	r->mtu = ev.link.mtu;
	if (!ev.link.needs_neighbour)
		r->has_next_hop = false;
}

void look_at_neighbour(struct run *r)
{
	struct event ev = {.kind = EV_NEIGHBOUR};
	struct err e;

	if (!r->has_next_hop)
		return;
	r->next_neighbour_look = clock_wall_ns() + NEIGHBOUR_LOOK_NS;
	if (get_neighbour(r, &ev.neighbour, &e) != 0) {
		look_add_not_looked(r, LOOK_NEIGHBOUR, e.text);
		r->has_next_hop = false;
		return;
	}
	ev.neighbour.watched = true; /* both filters let ARP and neighbour discovery through */
	uint16_t state = ev.neighbour.exists ? ev.neighbour.state : 0xffff;
	if (state != r->last_neighbour_state)
		look_add(r, &ev);
	r->neighbour = ev.neighbour;
	r->last_neighbour_state = state;
}

static void look_up_asn(struct run *r, const struct addr *a)
{
	struct event ev = {.kind = EV_ASN, .asn = {.address = *a}};
	char name[ASN_NAME_MAX];

	if (!addr_is_set(a) || path_asn(&r->diag.tracker.path, a, NULL) ||
	    !asn_db_lookup(r->live->asn_db, a, &ev.asn.asn, name))
		return;
	ev.asn.name = text_clean(&r->log.arena, name, strlen(name), sizeof(name));
	look_add(r, &ev);
}

void look_up_path(struct run *r)
{
	if (!r->live->asn_db || !r->diag.tracker.path.sent)
		return;
	look_up_asn(r, &r->plan->target);
	look_up_asn(r, &r->source);
	for (unsigned ttl = 1; ttl <= PLAN_MAX_HOPS; ttl++) {
		struct addr a = path_hop_address(&r->diag.tracker.path, ttl);
		look_up_asn(r, &a);
	}
	diag_feed(&r->diag);
}

void look_at_host(struct run *r)
{
	const struct plan *plan = r->plan;
	const struct host_route *first = NULL;
	struct host_route routes[PLAN_MAX_PORTS];
	struct host_link given = {0};
	struct err e;

	if (plan->interface && host_get_link(r->live->host, 0, plan->interface, &given, &e) == 0)
		r->oif = given.ifindex;
	for (unsigned i = 0; i < plan->n_ports; i++) {
		const struct host_route *same =
			first && !first->multipath && !rules_see_ports(r) ? first : NULL;
		if (look_at_route(r, plan->ports[i].port, given.ifindex, same, &routes[i]) == 0 &&
		    !routes[i].error && !first)
			first = &routes[i];
	}
	if (first) {
		r->has_next_hop = !first->local;
		r->next_hop_ifindex = first->oif;
		r->next_hop = addr_is_set(&first->gateway) ? first->gateway : plan->target;
		r->source = addr_is_set(&plan->source) ? plan->source : first->prefsrc;
		r->egress = first->oif;
		if (!first->local && !addr_is_set(&r->source)) /* nobody could answer */
			look_add_not_looked(r, LOOK_PATH, "path: the kernel names no source address for probes");
		look_at_link(r, first->oif, NULL);
	} else if (plan->interface) {
		look_at_link(r, 0, plan->interface);
	}
	look_at_neighbour(r);
}

/* ---- what has become of it ---- */

static const char *link_change(struct run *r, const struct host_link *before)
{
	struct host_link now;
	struct err e;

	if (!before->up)
		return NULL;
	if (host_get_link(r->live->host, before->ifindex, NULL, &now, &e) != 0)
		return arena_printf(&r->log.arena, "interface %s is gone", before->name);
	if (!now.up)
		return arena_printf(&r->log.arena, "interface %s was turned off", before->name);
	if (before->carrier && !now.carrier)
		return arena_printf(&r->log.arena, "interface %s lost its carrier", before->name);
	return NULL;
}

static const char *route_change(struct run *r, const struct host_route *before)
{
	struct route_query q = {
		.dst = r->plan->target, .src = r->plan->source, .oif = r->oif, .dport = before->port};
	struct host_route now;
	struct err e;

	if (host_get_route(r->live->host, &q, &now, &e) != 0)
		return NULL;
	bool same = now.error == before->error && now.stop == before->stop;
	/* of several next hops a lookup shows one or the other */
	if (!before->multipath)
		same = same && now.oif == before->oif && addr_equal(&now.gateway, &before->gateway) &&
		       addr_equal(&now.prefsrc, &before->prefsrc);
	return same ? NULL
		    : arena_printf(&r->log.arena, "the route was `%s` and is `%s`", before->text, now.text);
}

void look_for_changes(struct run *r)
{
	const char *change = NULL;
	bool each = rules_see_ports(r), route = false;

	/* without its link a route is gone, too */
	for (size_t i = 0; i < r->log.n && !change; i++)
		if (r->log.events[i].kind == EV_LINK)
			change = link_change(r, &r->log.events[i].link);
	for (size_t i = 0; i < r->log.n && !change && (each || !route); i++)
		if (r->log.events[i].kind == EV_ROUTE) {
			change = route_change(r, r->log.events[i].route);
			route = true;
		}
	if (change)
		look_add_not_looked(
			r, LOOK_CAPTURE,
			arena_printf(&r->log.arena, "this machine's own network changed during the run: %s",
				     change));
}

/* ---- what the privileged process knows ---- */

static void add_record(void *run, const struct host_record *record)
{
	struct run *r = run;

	event_log_add_host(&r->log, record);
}

static int agent_time_ms(const struct run *r)
{
	int64_t left = (r->deadline - clock_mono_ns()) / NS_PER_MS;

	int64_t max = r->live->crowd ? AGENT_MAX_CROWD_MS : AGENT_MAX_MS;

	if (left < -AGENT_MIN_MS) /* the grace is used up */
		return AGENT_LATE_MS;
	return (int)(left < AGENT_MIN_MS ? AGENT_MIN_MS : left > max ? max : left);
}

static void fill_watch(const struct run *r, const uint16_t *lports, size_t n, struct host_watch *w)
{
	struct host_link link;
	struct err ignored;

	memset(w, 0, sizeof(*w)); /* all of it: it crosses a socket as bytes */
	w->remote = r->plan->target;
	w->local = r->source;
	w->uid = getuid();
	w->gid = getgid();
	w->oif = r->egress;
	if (host_get_link(r->live->host, r->egress, NULL, &link, &ignored) == 0)
		memcpy(w->oif_name, link.name, sizeof(w->oif_name));
	for (size_t i = 0; i < n && i < WATCH_MAX_LOCAL; i++)
		w->lports[w->n_lports++] = lports[i];
	for (unsigned i = 0; i < r->plan->n_ports && i < WATCH_MAX_REMOTE; i++)
		w->rports[w->n_rports++] = r->plan->ports[i].port;
}

void look_watch(struct run *r, const uint16_t *lports, size_t n)
{
	struct host_watch w;

	if (!r->live->agent)
		return;
	fill_watch(r, lports, n, &w);
	agent_watch(r->live->agent, &w, !r->plan->no_trace, agent_time_ms(r), add_record, r);
}

void look_unwatch(struct run *r)
{
	struct crowd *crowd = r->live->crowd;

	if (crowd && crowd->looking != r)
		return;
	if (r->live->agent)
		agent_unwatch(r->live->agent);
	if (crowd)
		crowd->looking = NULL;
}

/* ---- who on this host? ---- */

static unsigned n_tested(const struct plan *plan)
{
	unsigned n = 0;

	while (n < plan->n_ports && plan->ports[n].tested)
		n++;
	return n;
}

/* Bits of the tested ports for which that is wanted. */
static uint32_t ports_wanting(struct run *r, enum diag_look look)
{
	uint32_t wanting = 0;

	diag_feed(&r->diag);
	for (unsigned i = 0; i < n_tested(r->plan); i++)
		if (diag_wanted_look(&r->diag, (int)i, clock_wall_ns()) == look)
			wanting |= UINT32_C(1) << i;
	return wanting;
}

void look_for_mark_rules(struct run *r, uint32_t ports)
{
	for (unsigned i = 0; i < r->plan->n_ports; i++) {
		struct host_record record = {.t_ns = clock_wall_ns(), .kind = HOST_MARK_RULE};
		struct route_query q = {
			.dst = r->plan->target, .src = r->source, .dport = r->plan->ports[i].port};
		if ((ports & (UINT32_C(1) << i)) &&
		    host_get_mark_rule(r->live->host, &q, &record.mark_rule))
			event_log_add_host(&r->log, &record);
	}
}

enum look_turn look_closer_turn(const struct run *r)
{
	return r->live->crowd ? crowd_look_turn(r->live->crowd) : LOOK_NOW;
}

void look_not_closer(struct run *r)
{
	struct host_record none = {.t_ns = clock_wall_ns(), .kind = HOST_NOT_LOOKED};

	none.not_looked.what = HOST_LOOK_TRACE;
	snprintf(none.not_looked.why, sizeof(none.not_looked.why),
		 "of many targets at once only %d that this machine stops are looked at closer",
		 CROWD_LOOKS);
	event_log_add_host(&r->log, &none);
}

/* In a crowd the agent begins with this run only now. */
static void take_agent(struct run *r)
{
	uint16_t lports[CROWD_LPORTS];

	r->live->crowd->looking = r;
	r->live->crowd->looks++;
	look_watch(r, lports, prober_reserve_shared(r->prober, CROWD_LPORTS, lports));
}

int64_t look_closer_begin(struct run *r, uint32_t ports)
{
	int64_t wait = facts_answer_due_ns(&r->diag.tracker);

	if (r->live->crowd)
		take_agent(r);
	r->looked = true;
	agent_look_begin(r->live->agent, agent_time_ms(r), add_record, r);
	for (unsigned i = 0; i < r->plan->n_ports; i++)
		if (ports & (UINT32_C(1) << i))
			prober_start(r->prober, i, FLOW_REPEAT);
	bool left = false;
	for (unsigned i = 0; i < r->diag.tracker.n_flows; i++)
		left |= r->diag.tracker.flows[i].syn_out > 0;
	return left ? wait : OWN_DOING_NS;
}

void look_closer_end(struct run *r, uint32_t ports)
{
	struct agent *a = r->live->agent;

	agent_look_end(a, ports, agent_time_ms(r), add_record, r);
	look_for_mark_rules(r, ports);
	agent_collect(a, agent_time_ms(r), add_record, r);
}

void look_for_rules(struct run *r)
{
	struct host_watch w;

	fill_watch(r, NULL, 0, &w);
	agent_inspect(r->live->agent, &w, agent_time_ms(r), add_record, r);
}

static void add_program(void *crowd, const struct host_record *record)
{
	struct crowd *c = crowd;

	event_log_add_host(&c->programs, record);
}

/* What stands on the interface itself is the same for all runs: it is asked for now and then. */
static void look_at_programs_for_all(struct run *r)
{
	struct crowd *c = r->live->crowd;
	struct agent *a = r->live->agent;
	int64_t now = clock_mono_ns();
	struct host_watch w;

	if (c->programs_ifindex != r->egress || now - c->programs_ns > PROGRAMS_LOOK_NS ||
	    !c->programs_ns) {
		event_log_clear(&c->programs);
		event_log_init(&c->programs);
		fill_watch(r, NULL, 0, &w);
		agent_watch(a, &w, false, agent_time_ms(r), add_program, c);
		agent_programs(a, agent_time_ms(r), add_program, c);
		agent_unwatch(a);
		c->programs_ifindex = r->egress;
		c->programs_ns = now;
	}
	for (size_t i = 0; i < c->programs.n; i++) {
		struct host_record record = *c->programs.events[i].host;
		bool for_all = record.kind == HOST_NOT_LOOKED ||
			       (record.kind == HOST_PROGRAM && record.program.hook == PROG_XDP);
		record.t_ns = clock_wall_ns();
		if (for_all)
			event_log_add_host(&r->log, &record);
	}
}

bool look_at_culprits(struct run *r, uint32_t *closer)
{
	struct crowd *crowd = r->live->crowd;
	struct agent *a = r->live->agent;

	*closer = 0;
	if (!a)
		return true;
	if (!crowd)
		agent_collect(a, agent_time_ms(r), add_record, r);
	if (ports_wanting(r, DIAG_LOOK_PROGRAMS)) {
		if (crowd && crowd->looking)
			return false;
		if (crowd)
			look_at_programs_for_all(r);
		else
			agent_programs(a, agent_time_ms(r), add_record, r);
	}
	*closer = ports_wanting(r, DIAG_LOOK_CLOSER);
	return true;
}

void look_at_the_rest(struct run *r)
{
	struct agent *a = r->live->agent;

	if (!a || (r->live->crowd && !r->looked))
		return;
	if (ports_wanting(r, DIAG_LOOK_CLOSER))
		look_for_rules(r);
	diag_feed(&r->diag);
	for (unsigned i = 0; i < n_tested(r->plan); i++) {
		const struct flow *f = diag_turned_flow(&r->diag, (int)i, clock_wall_ns());
		if (f)
			agent_translation(a, f->lport, f->port, agent_time_ms(r), add_record, r);
	}
}
