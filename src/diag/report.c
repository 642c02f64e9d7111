/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From facts and matched rules to the finished report. */
#include <stdlib.h>
#include <string.h>

#include "diag/builder.h"
#include "diag/client.h"
#include "diag/login.h"
#include "diag/overall.h"

static double since_start_ms(const struct builder *b, int64_t t_ns)
{
	return (double)(t_ns - b->d->tracker.start_ns) / 1e6;
}

unsigned build_evidence(struct builder *b, int64_t t_ns, enum source source, unsigned port,
			const char *text)
{
	if (b->n_evidence == EVIDENCE_MAX)
		return 0;
	struct report_evidence *e = &b->evidence[b->n_evidence++];
	*e = (struct report_evidence){.number = b->n_evidence,
				      .t_ms = since_start_ms(b, t_ns),
				      .source = source,
				      .port = port,
				      .text = text};
	return e->number;
}

static void events_as_evidence(struct builder *b)
{
	const struct event_log *log = b->d->tracker.log;

	for (size_t i = 0; i < log->n; i++) {
		enum source source;
		unsigned port;
		const char *text = words_event(&b->r->arena, &b->d->tracker, &log->events[i],
					       &source, &port);
		if (text)
			b->number_of[i] =
				build_evidence(b, log->events[i].t_ns, source, port, text);
	}
}

/* What RST and SYN-ACK look like beside others, where that is worth a look. */
static void build_prints(struct builder *b, int port_index, unsigned port)
{
	const struct port_facts *p = &b->facts[port_index];
	fact_set unlike = FACT_BIT(F_SYNACK_UNLIKE) | FACT_BIT(F_SYNACK_NEARER) | FACT_BIT(F_SYNACK_FASTER);
	fact_set reset = FACT_BIT(F_RESET) | FACT_BIT(F_RST);
	const char *text;

	if (p->seen & unlike) {
		text = words_synack(&b->r->arena, &b->d->tracker, p);
		if (text)
			b->synack_evidence[port_index] =
				build_evidence(b, p->flow->synack.t_ns, SOURCE_CAPTURE, port, text);
	}
	if (p->seen & reset) {
		text = words_rst(&b->r->arena, &b->d->tracker, p);
		if (text)
			b->rst_evidence[port_index] =
				build_evidence(b, p->flow->rst.t_ns, SOURCE_CAPTURE, port, text);
	}
}

/* "Ports 465 and 587 work: ..." for the remedies of the others. */
static const char *works_instead(struct builder *b)
{
	const char *list = "";
	unsigned n = 0;

	for (unsigned i = 0; i < b->n_tested; i++) {
		unsigned port = b->d->tracker.plan->ports[i].port;
		if (b->verdicts[i].state == STATE_OPEN && port != 25) {
			list = arena_printf(&b->r->arena, "%s%s%u", list, n ? " and " : "", port);
			n++;
		}
	}
	if (!n)
		return "";
	return arena_printf(&b->r->arena,
			    "Port%s %s work%s: send through %s with a login (submission), or "
			    "through a relay that allows it.",
			    n > 1 ? "s" : "", list, n > 1 ? "" : "s", n > 1 ? "them" : "it");
}

static void build_port(struct builder *b, unsigned i, const char *instead, struct report_port *out)
{
	const struct tracker *t = &b->d->tracker;
	const struct port_facts *p = &b->facts[i];
	const struct port_verdict *v = &b->verdicts[i];
	unsigned port = t->plan->ports[i].port;
	struct words w = {.arena = &b->r->arena, .tracker = t, .facts = p, .port = port, .works_instead = instead};
	struct finding *findings = arena_alloc(&b->r->arena, LAYER_COUNT * sizeof(*findings));

	*out = (struct report_port){.port = port, .service = service_name(port), .state = v->state};
	build_prints(b, (int)i, port);
	for (int l = 0; l < LAYER_COUNT; l++) {
		const struct rule *rule = v->rules[l];
		w.facts = l == LAYER_PATH && b->has_injected[i] ? &b->injected[i] : p;
		if (!rule || rule->state == STATE_OPEN)
			continue;
		findings[out->n_findings++] = build_finding(b, (int)i, rule, &w);
	}
	if (v->state == STATE_INCONCLUSIVE && out->n_findings == 0)
		findings[out->n_findings++] = build_undecided(b, &w, v->missing);
	out->findings = findings;
	out->summary = out->n_findings ? findings[0].summary
				       : words_expand(&w, v->rules[LAYER_SESSION]->summary);
	w.facts = p;
	/* an injected SYN that got an answer, or a finding of its own, has looked behind the host */
	const struct port_facts *up = &b->injected[i];
	bool tested = b->has_injected[i] && (fact_seen(up, F_CONNECTED) || v->rules[LAYER_PATH]);
	out->upstream_tested = tested || !(v->rules[LAYER_HOST] && !fact_seen(p, F_SYN_LEFT));
	build_smtp(b, p, out);
	client_settings(b->r, out);
	login_of_port(b, p, out);
}

/* Somebody completes every handshake: what a control answers is not the destination's, either. */
static bool answers_for_all(const struct builder *b)
{
	for (unsigned i = 0; i < b->n_tested; i++)
		if (fact_seen(&b->facts[i], F_CANARY_ANY) && b->verdicts[i].state == STATE_INTERCEPTED)
			return true;
	return false;
}

static const char *control_outcome(const struct builder *b, int port_index)
{
	const struct tracker *t = &b->d->tracker;
	const struct flow *f = tracker_main_flow(t, port_index);

	if (!f)
		return "not tried";
	if (f->redirected || f->syn_on_lo)
		return "redirected by this machine";
	if (f->synack.seen || (f->has_result && !f->error))
		return answers_for_all(b) ? "answered on the way as well" : "answers";
	if (f->rst.seen)
		return f->rst.on_lo ? "reset by this machine" : "refuses";
	if (f->n_icmp)
		return "unreachable";
	if (f->has_result)
		return errno_name(f->error);
	return "silent";
}

static void fill_vantage(struct builder *b)
{
	const struct tracker *t = &b->d->tracker;
	struct arena *a = &b->r->arena;
	struct report_vantage *v = &b->r->vantage;
	const struct host_route *route = NULL;

	for (unsigned i = 0; i < t->plan->n_ports && !route; i++)
		if (t->routes[i].has && !t->routes[i].route->error)
			route = t->routes[i].route;
	v->hostname = arena_strdup(a, t->plan->hostname);
	v->netns = arena_strdup(a, t->plan->netns);
	v->user = arena_strdup(a, t->plan->user);
	v->source = t->plan->source;
	if (t->has_link) {
		v->interface = arena_strdup(a, t->link.name);
		/* one end of a virtual cable is an Ethernet like any other to whoever asks */
		v->link = strcmp(t->link.kind, "veth") == 0 ? "ethernet"
							    : arena_strdup(a, t->link.kind);
		v->mtu = route && route->mtu ? route->mtu : t->link.mtu;
		v->tunnel = t->link.tunnel;
	}
	if (route) {
		v->gateway = route->gateway;
		if (!addr_is_set(&v->source))
			v->source = route->prefsrc;
	}
	if (t->has_neighbour && addr_is_set(&v->gateway))
		v->gateway_state = neighbour_state_name(&t->neighbour);
}

static void fill_controls(struct builder *b)
{
	const struct tracker *t = &b->d->tracker;
	struct report_control *list =
		arena_alloc(&b->r->arena, PLAN_MAX_PORTS * sizeof(*list));
	unsigned n = 0;

	for (unsigned i = b->n_tested; i < t->plan->n_ports; i++)
		list[n++] = (struct report_control){t->plan->ports[i].port, control_outcome(b, (int)i)};
	b->r->controls = list;
	b->r->n_controls = n;
}

/* The DNS promises STARTTLS and a certificate: it is missed where these could have been compared. */
static bool misses_promises(const struct tracker *t)
{
	for (unsigned i = 0; i < t->n_flows; i++)
		if (t->flows[i].port == 25 && (t->flows[i].replies[STAGE_EHLO].code || t->flows[i].has_tls))
			return true;
	return false;
}

void build_not_looked(struct builder *b)
{
	const struct tracker *t = &b->d->tracker;
	const char **list = arena_alloc(&b->r->arena, (LOOK_COUNT + HOST_LOOK_COUNT + 1) * sizeof(*list));
	unsigned n = 0;

	for (int i = 0; i < LOOK_DNS; i++)
		if (t->not_looked[i])
			list[n++] = arena_printf(&b->r->arena, "%s%s", t->not_looked[i],
						 i == LOOK_CAPTURE ? ": nothing is claimed from what was not seen" : "");
	for (int i = 0; i < HOST_LOOK_COUNT; i++)
		if (t->host_not_looked[i])
			list[n++] = arena_printf(&b->r->arena, "%s: %s", words_host_look((enum host_look)i),
						 t->host_not_looked[i]);
	if (t->not_looked[LOOK_DNS] && misses_promises(t))
		list[n++] = arena_printf(&b->r->arena, "%s: %s", WORDS_DNS_PROMISES, t->not_looked[LOOK_DNS]);
	if (!t->not_looked[LOOK_CAPTURE] && !tracker_capture_whole(t))
		list[n++] = arena_printf(&b->r->arena,
					 "the capture lost packets (%llu): nothing is claimed from what was not seen",
					 (unsigned long long)tracker_capture_lost(t));
	b->r->not_looked = list;
	b->r->n_not_looked = n;
}

static void judge_tested(struct builder *b, unsigned i)
{
	const struct tracker *t = &b->d->tracker;

	facts_of_injected(t, (int)i, t->end_ns, &b->facts[i], &b->injected[i]);
	b->has_injected[i] = t->path.trace[i].injected && facts_host_stops(&b->facts[i]);
	diag_judge_port(&b->facts[i], b->has_injected[i] ? &b->injected[i] : NULL,
			&b->verdicts[i]);
}

struct report *build_begin(struct builder *b, const struct diag *d, const char *tool_version)
{
	const struct tracker *t = &d->tracker;
	struct report *r = xcalloc(1, sizeof(*r));

	b->d = d;
	b->r = r;
	b->evidence = arena_alloc(&r->arena, EVIDENCE_MAX * sizeof(*b->evidence));
	b->number_of = arena_alloc(&r->arena, (t->log->n + 1) * sizeof(*b->number_of));
	r->tool_version = arena_strdup(&r->arena, tool_version);
	r->started_ns = t->start_ns;
	r->elapsed_ms = since_start_ms(b, t->end_ns);
	r->target_input = arena_strdup(&r->arena, t->plan->input);
	r->target_name = arena_strdup(&r->arena, t->plan->name);
	r->target = t->plan->target;
	r->way = arena_strdup(&r->arena, t->plan->way);
	fill_vantage(b);
	events_as_evidence(b);
	return r;
}

struct report *diag_report(const struct diag *d, const char *tool_version)
{
	const struct tracker *t = &d->tracker;
	struct builder *b = xcalloc(1, sizeof(*b));
	struct report *r = build_begin(b, d, tool_version);

	while (b->n_tested < t->plan->n_ports && t->plan->ports[b->n_tested].tested) {
		facts_of_port(t, (int)b->n_tested, t->end_ns, &b->facts[b->n_tested]);
		judge_tested(b, b->n_tested);
		b->n_tested++;
	}
	const char *instead = works_instead(b);
	struct report_port *ports = arena_alloc(&r->arena, (b->n_tested + 1) * sizeof(*ports));
	for (unsigned i = 0; i < b->n_tested; i++)
		build_port(b, i, instead, &ports[i]);
	r->ports = ports;
	r->n_ports = b->n_tested;
	build_path(b);
	fill_controls(b);
	build_notes(b);
	build_not_looked(b);
	build_seen_as(b);
	if (t->plan->packets)
		build_packets(b);
	r->evidence = b->evidence;
	r->n_evidence = b->n_evidence;
	r->summary = report_overall(r);
	r->ticket_command = words_ticket_command(&r->arena, t);
	free(b);
	return r;
}
