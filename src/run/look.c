/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a run asks about this host: the kernel by netlink, and the agent. */
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "run/target.h"

#define NEIGHBOUR_LOOK_NS (200 * NS_PER_MS)
/* The tap is read this long before this host is asked. */
#define SYNC_MS 200
/* The privileged process gets no longer than this for one question, and no shorter. */
#define AGENT_MAX_MS  3000
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

/* -1 and nothing in *route when the kernel could not be asked. */
static int look_at_route(struct run *r, uint16_t port, int oif, struct host_route *route)
{
	struct event ev = {.flow = NO_FLOW};
	struct route_query q = {
		.dst = r->plan->target, .src = r->plan->source, .oif = oif, .dport = port};
	struct err e;

	if (host_get_route(r->live->host, &q, route, &e) != 0) {
		look_add_not_looked(r, LOOK_ROUTE, e.text);
		return -1;
	}
	route->port = port;
	ev.t_ns = clock_wall_ns();
	event_log_add_route(&r->log, &ev, route);
	return 0;
}

static void look_at_link(struct run *r, int ifindex, const char *name)
{
	struct event ev = {.kind = EV_LINK};
	struct err e;

	if (host_get_link(r->live->host, ifindex, name, &ev.link, &e) != 0) {
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
	if (host_get_neighbour(r->live->host, r->next_hop_ifindex, &r->next_hop, &ev.neighbour,
			       &e) != 0) {
		look_add_not_looked(r, LOOK_NEIGHBOUR, e.text);
		r->has_next_hop = false;
		return;
	}
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
	for (unsigned i = 0; i < plan->n_ports; i++)
		if (look_at_route(r, plan->ports[i].port, given.ifindex, &routes[i]) == 0 &&
		    !routes[i].error && !first)
			first = &routes[i];
	if (first) {
		r->has_next_hop = !first->local;
		r->next_hop_ifindex = first->oif;
		r->next_hop = addr_is_set(&first->gateway) ? first->gateway : plan->target;
		r->source = addr_is_set(&plan->source) ? plan->source : first->prefsrc;
		r->egress = first->oif;
		look_at_link(r, first->oif, NULL);
	} else if (plan->interface) {
		look_at_link(r, 0, plan->interface);
	}
	look_at_neighbour(r);
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

	if (left < -AGENT_MIN_MS) /* the grace is used up */
		return AGENT_LATE_MS;
	return left < AGENT_MIN_MS ? AGENT_MIN_MS : left > AGENT_MAX_MS ? AGENT_MAX_MS : (int)left;
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

int64_t look_closer_begin(struct run *r, uint32_t ports)
{
	int64_t wait = facts_answer_due_ns(&r->diag.tracker);

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

uint32_t look_at_culprits(struct run *r)
{
	struct agent *a = r->live->agent;

	if (!a)
		return 0;
	/* what the sockets know the tap may not have told yet, and then it would look blind */
	capture_sync(r->live->capture, SYNC_MS);
	target_take_packets(r);
	agent_collect(a, agent_time_ms(r), add_record, r);
	if (ports_wanting(r, DIAG_LOOK_PROGRAMS))
		agent_programs(a, agent_time_ms(r), add_record, r);
	return ports_wanting(r, DIAG_LOOK_CLOSER);
}

void look_at_the_rest(struct run *r)
{
	struct agent *a = r->live->agent;

	if (!a)
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
