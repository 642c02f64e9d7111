/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What this host would do with SMTP to the target, from its own rules: no packet was sent. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "diag/builder.h"
#include "diag/named_private.h"
#include "diag/remedy.h"

/* That `place` is right: it is this host that the rule was read from. */
#define SURE_BY_RULE  0.97
#define SURE_BY_ROUTE 0.99
/* What only a packet can tell. */
#define SURE_MAYBE 0.5

#define INSPECT_MAX_FINDINGS 16

struct inspected {
	struct builder *b;
	unsigned index; /* in the plan */
	struct finding *findings;
	unsigned n;
	bool stops, turns, maybe;
};

static struct finding *add_finding(struct inspected *i, enum mechanism mechanism, double confidence,
				   const char *summary)
{
	struct report *r = i->b->r;

	if (i->n == INSPECT_MAX_FINDINGS)
		return NULL;
	struct finding *f = &i->findings[i->n++];
	*f = (struct finding){
		.mechanism = mechanism,
		.place = PLACE_HOST,
		.confidence = confidence,
		.candidates = {{PLACE_HOST, confidence}},
		.n_candidates = 1,
		.has_hop = true,
		.hop_from = {0, r->vantage.source},
		.hop_to = {0, r->vantage.source},
		.culprit = {.kind = CULPRIT_UNKNOWN, .text = summary},
		.summary = summary,
		.rule = "inspect",
	};
	return f;
}

static void cite_event(struct inspected *i, struct finding *f, size_t event)
{
	unsigned *list = arena_alloc(&i->b->r->arena, sizeof(*list));

	if (event == NO_EVENT || !i->b->number_of[event])
		return;
	list[0] = i->b->number_of[event];
	f->evidence = list;
	f->n_evidence = 1;
}

static void name(struct inspected *i, struct finding *f, const struct named *n, bool inbound)
{
	const struct tracker *t = &i->b->d->tracker;
	struct arena *a = &i->b->r->arena;
	const char **remedy = arena_alloc(a, REMEDY_MAX * sizeof(*remedy));
	struct remedy_query q = {a, t, t->plan->ports[i->index].port, inbound, n};

	build_named(i->b, n, &f->culprit);
	f->direction = inbound ? DIR_INBOUND : DIR_OUTBOUND;
	f->remedy = remedy;
	f->n_remedy = remedy_for(&q, remedy);
	cite_event(i, f, n->event);
}

static const char *port_text(const struct inspected *i)
{
	return arena_printf(&i->b->r->arena, "%u", i->b->d->tracker.plan->ports[i->index].port);
}

/* ---- routing ---- */

static void route_findings(struct inspected *i)
{
	const struct tracker *t = &i->b->d->tracker;
	const struct host_route *r = t->routes[i->index].route;
	struct arena *a = &i->b->r->arena;
	struct finding *f;

	if (!t->routes[i->index].has) {
		i->maybe = true;
		return;
	}
	if (!r->error)
		return;
	i->stops = true;
	const char *what = r->stop == ROUTE_STOP_RULE ? "A policy routing rule of this machine forbids port"
			   : r->stop == ROUTE_STOP_NO_ROUTE ? "This machine has no route for port"
							    : "This machine's routing table forbids port";
	f = add_finding(i, MECH_LOCAL_ERROR, SURE_BY_ROUTE,
			arena_printf(a, "%s %s: connect() would fail with %s.", what, port_text(i),
				     errno_name(r->error)));
	if (!f)
		return;
	f->culprit.kind = r->stop == ROUTE_STOP_RULE ? CULPRIT_IP_RULE : CULPRIT_ROUTE;
	f->culprit.error = r->error;
	f->culprit.type = r->stop_type[0] && strcmp(r->stop_type, "throw") != 0
				  ? arena_strdup(a, r->stop_type)
				  : "none";
	f->culprit.table = r->stop_table[0] ? arena_strdup(a, r->stop_table) : NULL;
	f->culprit.priority = r->stop_priority;
	f->culprit.text = arena_strdup(a, r->stop_text[0] ? r->stop_text : r->text);
	cite_event(i, f, t->routes[i->index].event);
	if ((r->stop != ROUTE_STOP_RULE && r->stop != ROUTE_STOP_ROUTE) || !remedy_is_safe(r->stop_text))
		return;
	const char **remedy = arena_alloc(a, 4 * sizeof(*remedy));
	const char *v6 = t->plan->target.family == ADDR_V6 ? "-6 " : "";
	bool rule = r->stop == ROUTE_STOP_RULE;
	const char *table = r->stop_table[0] && strcmp(r->stop_table, "main") != 0
				    ? arena_printf(a, " table %s", r->stop_table)
				    : "";
	remedy[0] = rule ? "Remove the rule if it is not wanted:" : "Remove the route if it is not wanted:";
	remedy[1] = rule ? arena_printf(a, "ip %srule del priority %u %s", v6, r->stop_priority,
					r->stop_text)
			 : arena_printf(a, "ip %sroute del %s%s", v6, r->stop_text, table);
	remedy[2] = "To undo that:";
	remedy[3] = rule ? arena_printf(a, "ip %srule add priority %u %s", v6, r->stop_priority,
					r->stop_text)
			 : arena_printf(a, "ip %sroute add %s%s", v6, r->stop_text, table);
	f->remedy = remedy;
	f->n_remedy = 4;
}

static void link_findings(struct inspected *i)
{
	const struct tracker *t = &i->b->d->tracker;
	struct arena *a = &i->b->r->arena;

	if (!t->has_link || (t->link.up && t->link.carrier))
		return;
	i->stops = true;
	const char *state = t->link.up ? "no-carrier" : "down";
	struct finding *f = add_finding(
		i, MECH_SILENT_DROP, SURE_BY_RULE,
		arena_printf(a, "The link %s is %s: nothing can leave that way.", t->link.name,
			     t->link.up ? "without carrier" : "down"));
	if (!f)
		return;
	f->culprit.kind = CULPRIT_LINK;
	f->culprit.interface = arena_strdup(a, t->link.name);
	f->culprit.state = state;
	cite_event(i, f, t->link_event);
}

/* ---- firewall ---- */

static enum mechanism mechanism_of(const struct host_rule *r)
{
	switch (r->verdict) {
	case FW_REDIRECT:
	case FW_DNAT:
	case FW_TPROXY:
		return MECH_INTERCEPTION;
	case FW_REJECT:
		return strstr(r->text, "tcp-reset") || strstr(r->text, "tcp reset")
			       ? MECH_TCP_RESET
			       : MECH_ICMP_UNREACHABLE;
	case FW_DROP:
	case FW_QUEUE:
	case FW_ACCEPT:
		break;
	}
	return MECH_SILENT_DROP;
}

static const char *verb_of(const struct host_rule *r)
{
	switch (r->verdict) {
	case FW_REDIRECT: return "sent to this machine itself";
	case FW_DNAT: return "sent to another address";
	case FW_TPROXY: return "handed to a transparent proxy here";
	case FW_REJECT: return "rejected";
	case FW_QUEUE: return "handed to a program, which decides";
	case FW_DROP:
	case FW_ACCEPT: break;
	}
	return "dropped";
}

static void sight_finding(struct inspected *i, const struct host_sight *s, size_t event)
{
	struct arena *a = &i->b->r->arena;
	const struct tracker *t = &i->b->d->tracker;
	bool legacy = s->rule.backend == FW_IPTABLES_LEGACY;
	struct named n = {.kind = legacy	   ? CULPRIT_IPTABLES_RULE
				  : s->rule.policy ? CULPRIT_NFT_POLICY
						   : CULPRIT_NFT_RULE,
			  .proven = true,
			  .event = event,
			  .rule = &s->rule};
	bool maybe = s->would == WOULD_MAYBE;

	i->maybe |= maybe;
	i->turns |= s->would == WOULD_REDIRECT;
	i->stops |= s->would == WOULD_STOP;
	const char *condition = maybe ? arena_printf(a, " Whether it does depends on %s: only a packet "
							"can tell.",
						     s->depends[0] ? s->depends : "the packet")
				      : "";
	struct finding *f = add_finding(
		i, mechanism_of(&s->rule), maybe ? SURE_MAYBE : SURE_BY_RULE,
		arena_printf(a, "%s to port %s %s be %s, by %s.%s",
			     s->inbound ? "The answer of a connection" : "A connection", port_text(i),
			     maybe ? "may" : "would", verb_of(&s->rule), named_words(a, t, &n),
			     condition));
	if (f)
		name(i, f, &n, s->inbound);
}

/* ---- programs ---- */

/* A program can't be read: it may do anything to a packet that passes it. */
static void program_finding(struct inspected *i, const struct host_program *p, size_t event)
{
	struct arena *a = &i->b->r->arena;
	const struct tracker *t = &i->b->d->tracker;
	bool inbound = p->hook == PROG_TC_INGRESS || p->hook == PROG_TCX_INGRESS ||
		       p->hook == PROG_XDP || p->hook == PROG_CGROUP_INGRESS;
	struct named n = {.kind = named_kind_of_program(p->hook),
			  .proven = true,
			  .event = event,
			  .program = p};

	i->maybe |= p->hook == PROG_NETFILTER; /* perhaps another namespace's */
	/* the latter two see no packet: the making of sockets, and calls */
	if (p->hook == PROG_NETFILTER || p->hook == PROG_CGROUP_SOCK || p->hook == PROG_LSM)
		return;
	if ((p->port && p->port != t->plan->ports[i->index].port) ||
	    (p->interface[0] && t->has_link && strcmp(p->interface, t->link.name) != 0))
		return;
	i->stops |= p->drops;
	i->maybe |= !p->drops;
	struct finding *f = add_finding(
		i, MECH_SILENT_DROP, p->drops ? SURE_BY_RULE : SURE_MAYBE,
		p->drops ? arena_printf(a, "A connection to port %s would be dropped, by %s.",
					port_text(i), named_words(a, t, &n))
			 : arena_printf(a, "What becomes of port %s depends on %s, which can't be read: "
					   "only a packet can tell.",
					port_text(i), named_words(a, t, &n)));
	if (f)
		name(i, f, &n, inbound);
}

static void xfrm_finding(struct inspected *i, const struct host_xfrm *x, size_t event)
{
	const struct tracker *t = &i->b->d->tracker;
	struct arena *a = &i->b->r->arena;
	struct named n = {.kind = CULPRIT_UNKNOWN, .proven = true, .event = event, .xfrm = x};

	if (!x->block || x->port != t->plan->ports[i->index].port)
		return;
	i->stops = true;
	struct finding *f = add_finding(i, x->inbound ? MECH_SILENT_DROP : MECH_LOCAL_ERROR, SURE_BY_RULE,
					arena_printf(a, "An IPsec policy of this machine blocks port %s: %s",
						     port_text(i), x->text));
	if (f)
		name(i, f, &n, x->inbound);
}

/* A rule that sets the mark may be anybody's: only a packet tells. */
static void mark_finding(struct inspected *i, const struct host_mark_rule *m, size_t event)
{
	const struct tracker *t = &i->b->d->tracker;
	struct arena *a = &i->b->r->arena;
	struct named n = {
		.kind = CULPRIT_IP_RULE, .proven = true, .event = event, .mark_rule = m};

	if (m->port != t->plan->ports[i->index].port)
		return;
	i->maybe = true;
	struct finding *f = add_finding(
		i, MECH_SILENT_DROP, SURE_MAYBE,
		arena_printf(a, "The ip rule `%s` forbids packets with that mark: whether the firewall "
				"gives it to port %s only a packet can tell.",
			     m->text, port_text(i)));
	if (f)
		name(i, f, &n, false);
}

static void record_findings(struct inspected *i)
{
	const struct tracker *t = &i->b->d->tracker;
	unsigned port = t->plan->ports[i->index].port;

	for (unsigned k = 0; k < t->n_host; k++) {
		const struct host_record *r = t->log->events[t->host[k]].host;
		if (r->kind == HOST_SIGHT && r->sight.port == port && r->sight.would != WOULD_PASS)
			sight_finding(i, &r->sight, t->host[k]);
		else if (r->kind == HOST_PROGRAM)
			program_finding(i, &r->program, t->host[k]);
		else if (r->kind == HOST_MARK_RULE)
			mark_finding(i, &r->mark_rule, t->host[k]);
		else if (r->kind == HOST_XFRM)
			xfrm_finding(i, &r->xfrm, t->host[k]);
	}
	i->maybe |= t->host_not_looked[HOST_LOOK_RULES] || t->host_not_looked[HOST_LOOK_IPTABLES] ||
		    t->host_not_looked[HOST_LOOK_PROGRAMS] || t->host_not_looked[HOST_LOOK_XFRM];
}

static void inspect_port(struct builder *b, unsigned index, struct report_port *out)
{
	struct inspected i = {.b = b, .index = index};
	unsigned port = b->d->tracker.plan->ports[index].port;

	i.findings = arena_alloc(&b->r->arena, INSPECT_MAX_FINDINGS * sizeof(*i.findings));
	route_findings(&i);
	link_findings(&i);
	record_findings(&i);
	*out = (struct report_port){
		.port = port,
		.service = service_name(port),
		.would = i.stops ? WOULD_STOP : i.turns ? WOULD_REDIRECT : i.maybe ? WOULD_MAYBE : WOULD_PASS,
		.findings = i.findings,
		.n_findings = i.n,
		.connect_ms = TIME_NONE,
		.banner_ms = TIME_NONE,
		.tls_ms = TIME_NONE,
	};
	out->state = out->would == WOULD_STOP	    ? STATE_BLOCKED
		     : out->would == WOULD_REDIRECT ? STATE_INTERCEPTED
		     : out->would == WOULD_MAYBE    ? STATE_INCONCLUSIVE
						    : STATE_OPEN;
	out->summary = i.n	? i.findings[0].summary
		       : i.maybe ? "nothing that was read stops it; not all could be read"
				 : "nothing on this machine stops it";
}

/* Something could not be looked at, for lack of a privilege. */
static bool lacks_privilege(const struct tracker *t)
{
	static const enum host_look looks[] = {HOST_LOOK_RULES, HOST_LOOK_IPTABLES, HOST_LOOK_PROGRAMS,
					       HOST_LOOK_XFRM};

	for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
		const char *why = t->host_not_looked[looks[i]];
		if (why && (strstr(why, "CAP_") || strstr(why, strerror(EPERM)) || strstr(why, strerror(EACCES))))
			return true;
	}
	return false;
}

static const char *would_words(enum host_would w, bool for_root)
{
	switch (w) {
	case WOULD_STOP: return "would be stopped on this machine";
	case WOULD_REDIRECT: return "would be sent elsewhere by this machine";
	case WOULD_MAYBE:
		return for_root ? "can't be told without root (run it by sudo)" : "can't be told without a packet";
	case WOULD_PASS: break;
	}
	return "would pass this machine";
}

static const char *inspect_summary(struct builder *b)
{
	static const enum host_would order[] = {WOULD_STOP, WOULD_REDIRECT, WOULD_MAYBE, WOULD_PASS};
	struct arena *a = &b->r->arena;
	const char *out = "";

	for (size_t k = 0; k < sizeof(order) / sizeof(order[0]); k++) {
		const char *list = "";
		unsigned n = 0;
		bool for_root = lacks_privilege(&b->d->tracker);
		for (unsigned i = 0; i < b->r->n_ports; i++)
			if (b->r->ports[i].would == order[k]) {
				list = arena_printf(a, "%s%s%u", list, n++ ? ", " : "",
						    b->r->ports[i].port);
				for_root &= b->r->ports[i].n_findings == 0;
			}
		if (n)
			out = arena_printf(a, "%s%s%s%s %s %s", out, out[0] ? "; " : "",
					   out[0] ? "port" : "Port", n > 1 ? "s" : "", list,
					   would_words(order[k], for_root));
	}
	return arena_printf(a, "%s. No packet was sent.", out);
}

struct report *diag_inspect(const struct diag *d, const char *tool_version)
{
	const struct plan *plan = d->tracker.plan;
	struct builder *b = xcalloc(1, sizeof(*b));
	struct report *r = build_begin(b, d, tool_version);
	struct report_port *ports;
	unsigned n = 0;

	r->inspect = true;
	while (n < plan->n_ports && plan->ports[n].tested)
		n++;
	ports = arena_alloc(&r->arena, (n + 1) * sizeof(*ports));
	for (unsigned i = 0; i < n; i++)
		inspect_port(b, i, &ports[i]);
	r->ports = ports;
	r->n_ports = n;
	build_not_looked(b);
	r->evidence = b->evidence;
	r->n_evidence = b->n_evidence;
	r->summary = inspect_summary(b);
	free(b);
	return r;
}
