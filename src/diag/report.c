/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From facts and matched rules to the finished report. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "diag/builder.h"
#include "diag/client.h"
#include "diag/diag.h"
#include "diag/overall.h"
#include "diag/remedy.h"
#include "diag/words.h"
#include "smtp/ehlo.h"

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

void build_events_as_evidence(struct builder *b)
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

static const char *path_evidence(struct builder *b, const struct port_facts *p)
{
	struct arena *a = &b->r->arena;
	unsigned control = b->d->tracker.plan->ports[p->control_trace].port;

	if (fact_seen(p, F_CUT_THROUGH))
		return arena_printf(a,
				    "copies of this connection's packets with small TTLs are answered by every "
				    "hop up to %u, the last one before the target",
				    p->placed.from);
	if (fact_seen(p, F_PATH_CUT))
		return arena_printf(a,
				    "copies of this connection's packets with small TTLs are answered up to "
				    "hop %u; SYNs to port %u by %u hop%s beyond, too; that this is chance "
				    "has a probability of %.1g",
				    p->placed.from, control, p->placed.hops_beyond,
				    p->placed.hops_beyond > 1 ? "s" : "", p->placed.probability);
	if (p->placed.hops_beyond == 0)
		return arena_printf(a,
				    "probes of this port are answered up to hop %u, those of port %u "
				    "by the same hops and by the target",
				    p->placed.from, control);
	return arena_printf(a,
			    "probes of this port are answered up to hop %u; those of port %u by %u "
			    "hop%s beyond, too; that this is chance has a probability of %.1g",
			    p->placed.from, control, p->placed.hops_beyond,
			    p->placed.hops_beyond > 1 ? "s" : "", p->placed.probability);
}

/* A fact that is a sum, or an absence: said as of the end of the run. */
static unsigned evidence_of_sum(struct builder *b, unsigned port, const struct port_facts *p,
				enum fact fact)
{
	struct arena *a = &b->r->arena;
	const char *text = NULL;
	enum source source = SOURCE_CAPTURE;

	switch ((int)fact) {
	case F_SILENT:
		text = arena_printf(a, "no answer of any kind to %u SYNs", p->silent_syns);
		break;
	case F_SILENCE_PROVEN:
		text = arena_printf(a,
				    "%u of %u SYNs to other ports were answered: that %u in a row "
				    "get lost by chance has a probability of %.1g",
				    p->control.answered, p->control.sent, p->silent_syns,
				    p->silence_probability);
		break;
	case F_ALL_SILENT:
		text = arena_printf(a, "no port of the address answered within %.1f s",
				    since_start_ms(b, b->d->tracker.end_ns) / 1e3);
		break;
	case F_SOCKET_SILENT:
		break;
	case F_RESET_EARLY:
	case F_RESET_OWN:
	case F_REPLY_EARLY:
	case F_REPLY_OWN:
		source = SOURCE_PATH;
		text = words_drawn(a, &b->d->tracker, p);
		break;
	case F_PEER_ALIVE:
	case F_PEER_GONE:
	case F_UNHEARD:
	case F_REPLY_LOST:
	case F_SMALL_PASSES:
	case F_LARGE_LOST:
		text = words_stall(a, p, fact);
		break;
	case F_PATH_CUT:
	case F_CUT_THROUGH:
	case F_PATH_STOPS:
	case F_PATH_THROUGH:
		source = SOURCE_PATH;
		text = path_evidence(b, p);
		break;
	case F_SYN_LEFT:
		text = fact_seen(p, F_SYN_LEFT)
			       ? "SYNs were sent below this host's firewall"
			       : "no SYN was seen leaving by any interface, and the capture lost nothing";
		break;
	}
	return text ? build_evidence(b, b->d->tracker.end_ns, source, port, text) : 0;
}

static void finding_evidence(struct builder *b, unsigned port, const struct port_facts *p,
			     const struct rule *rule, struct finding *f)
{
	unsigned *list = arena_alloc(&b->r->arena, (F_COUNT + 2) * sizeof(*list));
	unsigned n = 0;

	for (int i = 0; i < F_COUNT; i++) {
		unsigned number = 0;
		if ((rule->need & FACT_BIT(i)) && p->why[i] != NO_EVENT)
			number = b->number_of[p->why[i]];
		else if ((rule->need & FACT_BIT(i)) ||
			 (i == F_SYN_LEFT && (rule->absent & FACT_BIT(i))))
			number = evidence_of_sum(b, port, p, (enum fact)i);
		for (unsigned k = 0; k < n && number; k++)
			if (list[k] == number)
				number = 0;
		if (number)
			list[n++] = number;
	}
	f->evidence = list;
	f->n_evidence = n;
}

static const struct host_route *route_of(const struct builder *b, int port_index)
{
	return b->d->tracker.routes[port_index].route;
}

static const char *verdict_word(enum fw_verdict v)
{
	static const char *const words[] = {
		[FW_DROP] = "drop",	    [FW_REJECT] = "reject", [FW_QUEUE] = "queue",
		[FW_ACCEPT] = "accept", [FW_REDIRECT] = "redirect", [FW_DNAT] = "dnat",
		[FW_TPROXY] = "tproxy",
	};

	return words[v];
}

static void fill_named_rule(struct arena *a, const struct host_rule *r, struct culprit *c)
{
	c->family = arena_strdup(a, r->family);
	c->table = arena_strdup(a, r->table);
	c->chain = arena_strdup(a, r->chain);
	c->hook = arena_strdup(a, r->hook);
	c->verdict = verdict_word(r->verdict);
	c->handle = r->handle;
	c->number = r->number;
}

void build_named(struct builder *b, const struct named *n, struct culprit *c)
{
	struct arena *a = &b->r->arena;
	const char *text = named_text(a, n);

	c->kind = n->kind;
	if (text && text[0])
		c->text = text;
	if (n->rule)
		fill_named_rule(a, n->rule, c);
	if (n->program) {
		c->interface = n->program->interface[0] ? arena_strdup(a, n->program->interface) : NULL;
		c->cgroup = n->program->cgroup[0] ? arena_strdup(a, n->program->cgroup) : NULL;
		c->id = n->program->id;
		c->name = n->program->name[0] ? arena_strdup(a, n->program->name) : NULL;
	}
	if (n->setting) {
		c->name = arena_strdup(a, n->setting->name);
		c->value = arena_strdup(a, n->setting->value);
	}
	if (n->mark_rule)
		c->priority = n->mark_rule->priority;
	if (n->drop) {
		c->reason = arena_strdup(a, n->drop->reason);
		c->function = n->drop->function[0] ? arena_strdup(a, n->drop->function) : NULL;
	}
}

static void fill_culprit(struct builder *b, int port_index, const struct port_facts *p,
			 const struct rule *rule, struct finding *f)
{
	const struct tracker *t = &b->d->tracker;
	struct arena *a = &b->r->arena;
	struct culprit *c = &f->culprit;
	const struct host_route *route = route_of(b, port_index);

	c->kind = rule->culprit;
	c->text = f->summary;
	if (rule->mechanism == MECH_LOCAL_ERROR && p->flow)
		c->error = p->flow->error;
	switch (rule->culprit) {
	case CULPRIT_ROUTE:
		/* a throw route leaves the lookup without one */
		c->type = route->stop_type[0] && strcmp(route->stop_type, "throw") != 0
				  ? arena_strdup(a, route->stop_type)
				  : "none";
		c->table = route->stop_table[0] ? arena_strdup(a, route->stop_table) : NULL;
		c->text = arena_strdup(a, route->stop_text[0] ? route->stop_text : route->text);
		break;
	case CULPRIT_IP_RULE:
		c->priority = route->stop_priority;
		c->text = arena_strdup(a, route->stop_text);
		break;
	case CULPRIT_NEIGHBOUR:
		c->address = t->neighbour.address;
		c->interface = arena_strdup(a, t->link.name);
		c->state = neighbour_state_name(&t->neighbour);
		break;
	case CULPRIT_LINK:
		c->interface = arena_strdup(a, t->link.name);
		c->state = t->link.up ? "no-carrier" : "down";
		break;
	case CULPRIT_HOP:
	case CULPRIT_MIDDLEBOX:
		c->ttl = p->placed.culprit;
		c->address = !c->ttl			  ? c->address
			     : c->ttl == p->placed.from ? p->placed.from_addr
							: p->placed.to_addr;
		if (!c->ttl && p->icmp)
			c->address = p->icmp->from;
		c->asn = path_asn(&t->path, &c->address, &c->as_name);
		c->as_name = arena_strdup(a, c->as_name);
		break;
	case CULPRIT_SERVER:
		for (int stage = 0; p->flow && stage < STAGE_QUIT; stage++) {
			const struct stage_reply *r = &p->flow->replies[stage];
			bool refused = r->code >= 400;
			if (!r->code || (c->code >= 400 && !refused) || (stage && !refused))
				continue;
			c->code = r->code;
			c->text = arena_printf(a, "%d %s", r->code, r->text);
		}
		break;
	case CULPRIT_NFT_RULE:
	case CULPRIT_NFT_POLICY:
	case CULPRIT_IPTABLES_RULE:
	case CULPRIT_SYSCTL:
	case CULPRIT_CONNTRACK:
	case CULPRIT_TC:
	case CULPRIT_XDP:
	case CULPRIT_CGROUP_BPF:
	case CULPRIT_LSM:
	case CULPRIT_KERNEL_DROP:
	case CULPRIT_UNKNOWN:
	case CULPRIT_COUNT:
		break;
	}
}

/* Candidates by weight, most likely first; what is left of 1 belongs to nobody in particular. */
static void fill_candidates(const struct placed *placed, struct finding *f)
{
	for (int i = 0; i < PLACE_UNKNOWN; i++) {
		double w = placed->weight[i];
		unsigned k = f->n_candidates;
		if (w < 0.005)
			continue;
		while (k > 0 && f->candidates[k - 1].confidence < w) {
			f->candidates[k] = f->candidates[k - 1];
			k--;
		}
		f->candidates[k] = (struct candidate){(enum place)i, w};
		f->n_candidates++;
	}
}

static void fill_place(const struct rule *rule, const struct port_facts *p, struct finding *f)
{
	f->place = rule->place;
	f->direction = rule->direction;
	f->confidence = rule->confidence;
	if (rule->placed && p->placed.known) {
		f->place = p->placed.place;
		f->confidence = p->placed.confidence;
		fill_candidates(&p->placed, f);
	} else if (rule->place != PLACE_UNKNOWN) {
		f->candidates[0] = (struct candidate){rule->place, rule->confidence};
		f->n_candidates = 1;
	}
	if (rule->placed && p->placed.to) {
		f->has_hop = true;
		f->hop_from = (struct hop_end){p->placed.from, p->placed.from_addr};
		f->hop_to = (struct hop_end){p->placed.to, p->placed.to_addr};
	}
	if (rule->place == PLACE_HOST)
		f->has_hop = true; /* ttl 0 is this host */
	if (f->has_hop && f->hop_from.ttl == 0 && p->flow)
		f->hop_from.address = p->flow->local;
	if (f->has_hop && f->hop_to.ttl == 0 && p->flow)
		f->hop_to.address = p->flow->local;
}

/* Those of the named culprit if it has any, else the row's. */
static void fill_remedy(const struct rule *rule, const struct words *w, struct finding *f)
{
	const char **remedy =
		arena_alloc(w->arena, (RULE_MAX_REMEDIES + REMEDY_MAX) * sizeof(*remedy));
	struct remedy_query q = {.arena = w->arena,
				 .tracker = w->tracker,
				 .port = w->port,
				 .inbound = rule->direction == DIR_INBOUND,
				 .named = w->named};

	f->remedy = remedy;
	if (w->named)
		f->n_remedy = remedy_for(&q, remedy);
	if (f->n_remedy)
		return;
	for (int i = 0; i < RULE_MAX_REMEDIES && rule->remedy[i]; i++) {
		const char *text = words_expand(w, rule->remedy[i]);
		if (text[0])
			remedy[f->n_remedy++] = text;
	}
}

static void cite(struct finding *f, unsigned number)
{
	for (unsigned i = 0; i < f->n_evidence; i++)
		if (f->evidence[i] == number)
			return;
	/* finding_evidence() leaves room for two more */
	((unsigned *)(uintptr_t)f->evidence)[f->n_evidence++] = number;
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

/* A row about a whole session doesn't know which way the packet went that was stopped. */
static enum direction direction_of(const struct builder *b, const struct named *n,
				   enum direction otherwise)
{
	const struct event_log *log = b->d->tracker.log;

	if (n->event == NO_EVENT || log->events[n->event].kind != EV_HOST ||
	    log->events[n->event].host->kind != HOST_PACKET)
		return otherwise;
	return log->events[n->event].host->packet.inbound ? DIR_INBOUND : DIR_OUTBOUND;
}

static struct finding make_finding(struct builder *b, int port_index, const struct rule *rule,
				   struct words *w)
{
	const struct port_facts *p = w->facts;
	struct finding f = {.mechanism = rule->mechanism, .rule = rule->id};
	struct named named;

	named_find(&b->d->tracker, port_index, p, rule->named, &named);
	w->named = named_has(&named) ? &named : NULL;
	fill_place(rule, p, &f);
	f.summary = words_expand(w, w->named && rule->named_summary ? rule->named_summary
								    : rule->summary);
	fill_remedy(rule, w, &f);
	if (p->icmp && (rule->need & (FACT_BIT(F_ICMP) | FACT_BIT(F_ICMP_ON_LO)))) {
		f.has_icmp = true;
		f.icmp = (struct report_icmp){p->icmp->msg.type, p->icmp->msg.code,
					      icmp_name(p->icmp->from.family, p->icmp->msg.type,
							p->icmp->msg.code),
					      p->icmp->from};
	}
	fill_culprit(b, port_index, p, rule, &f);
	finding_evidence(b, w->port, p, rule, &f);
	bool reset = rule->mechanism == MECH_SESSION_RESET || rule->mechanism == MECH_TCP_RESET;
	if (reset && b->rst_evidence[port_index])
		cite(&f, b->rst_evidence[port_index]);
	else if (rule->mechanism == MECH_INTERCEPTION && b->synack_evidence[port_index])
		cite(&f, b->synack_evidence[port_index]);
	if (w->named) {
		build_named(b, &named, &f.culprit);
		f.direction = direction_of(b, &named, f.direction);
		if (named.event != NO_EVENT && b->number_of[named.event])
			cite(&f, b->number_of[named.event]);
	}
	w->named = NULL;
	return f;
}

/* The finding of an undecided port: what is missing. */
static struct finding undecided_finding(struct builder *b, const struct words *w, fact_set missing)
{
	struct arena *a = w->arena;
	const char *text = "";

	for (int i = 0; i < F_COUNT; i++)
		if (missing & FACT_BIT(i))
			text = arena_printf(a, "%s%s%s", text, text[0] ? "; " : "",
					    fact_text((enum fact)i));
	struct finding f = {
		.mechanism = MECH_UNKNOWN,
		.place = PLACE_UNKNOWN,
		.confidence = CONFIDENCE_NONE,
		.rule = "undecided",
		.culprit = {.kind = CULPRIT_UNKNOWN},
	};
	f.summary = text[0] ? arena_printf(a,
					   "The facts do not decide port %u. Not known: whether %s.",
					   w->port, text)
			    : arena_printf(a,
					   "The facts do not decide port %u: no answer came that "
					   "would tell, in the time given.",
					   w->port);
	f.culprit.text = f.summary;
	const char **remedy = arena_alloc(a, sizeof(*remedy));
	remedy[0] = "Give it more time: --timeout 20; if packets were lost by the capture, try again on a quieter machine.";
	f.remedy = remedy;
	f.n_remedy = 1;
	unsigned *evidence = arena_alloc(a, sizeof(*evidence));
	evidence[0] = build_evidence(b, b->d->tracker.end_ns, SOURCE_CAPTURE, w->port,
				   arena_printf(a, "%u SYNs of this port have no answer so far",
						w->facts->silent_syns));
	f.evidence = evidence;
	f.n_evidence = evidence[0] ? 1 : 0;
	return f;
}

static double ms_between(int64_t from, int64_t to)
{
	return (double)(to - from) / 1e6;
}

/* "ok", "offered", "absent", "stripped" or "failed"; NULL where nobody asked, or TLS came first. */
static const char *starttls_word(const struct port_facts *p, const struct smtp_ehlo *in_clear)
{
	const struct flow *f = p->flow;
	bool removed = fact_seen(p, F_STARTTLS_ELSEWHERE) && fact_seen(p, F_ANSWERED_ON_WAY);

	if (!f->replies[STAGE_EHLO].code)
		return NULL;
	if (f->has_tls && f->replies[STAGE_STARTTLS].code)
		return "ok";
	if (f->replies[STAGE_STARTTLS].code || f->end_stage == STAGE_STARTTLS)
		return "failed";
	if (in_clear->starttls)
		return "offered";
	return in_clear->starttls_masked || fact_seen(p, F_STARTTLS_TAKEN) || removed ? "stripped" : "absent";
}

static void fill_ehlo(struct builder *b, const struct port_facts *p, struct report_port *out)
{
	const struct flow *f = p->flow;
	struct arena *a = &b->r->arena;
	const struct stage_reply *reply = facts_ehlo(f);
	struct smtp_ehlo *in_clear = arena_alloc(a, sizeof(*in_clear)),
			 *last = arena_alloc(a, sizeof(*last));

	/* on a port with TLS first every EHLO is inside it: nothing is offered in the clear */
	bool tls_first = f->has_tls && !f->replies[STAGE_STARTTLS].code;
	if (f->replies[STAGE_EHLO].lines && f->replies[STAGE_EHLO].code < 400)
		smtp_ehlo_parse(in_clear, f->replies[STAGE_EHLO].lines);
	if (!tls_first)
		out->smtp.starttls = starttls_word(p, in_clear);
	if (!reply->lines || reply->code >= 400)
		return;
	smtp_ehlo_parse(last, reply->lines);
	const char **ehlo = arena_alloc(a, EHLO_MAX_KEYWORDS * sizeof(*ehlo));
	const char **auth = arena_alloc(a, EHLO_MAX_AUTH * sizeof(*auth));
	for (unsigned i = 0; i < last->n_keywords; i++)
		ehlo[i] = arena_strdup(a, last->keywords[i]);
	for (unsigned i = 0; i < last->n_auth; i++)
		auth[i] = last->auth[i];
	out->smtp.ehlo = ehlo;
	out->smtp.n_ehlo = last->n_keywords;
	out->smtp.auth = auth;
	out->smtp.n_auth = last->n_auth;
}

static void fill_smtp(struct builder *b, const struct port_facts *p, struct report_port *out)
{
	const struct flow *f = p->flow;

	out->connect_ms = out->banner_ms = out->tls_ms = TIME_NONE;
	if (!f || !f->has_result || f->error)
		return;
	out->connect_ms = ms_between(f->start_ns, f->result_ns);
	if (f->has_reply) {
		out->banner_ms = ms_between(f->start_ns, f->reply_ns);
		out->has_smtp = true;
		out->smtp.code = f->reply_code;
		out->smtp.banner = arena_strdup(&b->r->arena, f->reply_text);
	}
	fill_ehlo(b, p, out);
	if (!f->has_tls)
		return;
	const struct ev_tls *tls = &b->d->tracker.log->events[f->tls_event].tls;
	struct arena *a = &b->r->arena;
	out->tls_ms = ms_between(f->start_ns, f->tls_ns);
	out->has_smtp = true;
	out->smtp.has_tls = true;
	out->smtp.tls = (struct report_tls){
		.version = arena_strdup(a, tls->version),
		.cipher = arena_strdup(a, tls->cipher),
		.subject = arena_strdup(a, tls->subject),
		.issuer = arena_strdup(a, tls->issuer),
		.spki_sha256 = arena_strdup(a, tls->spki_sha256),
		.verified = tls->verified,
		.error = arena_strdup(a, tls->error),
	};
	unsigned n = 0;
	while (tls->names && tls->names[n])
		n++;
	const char **names = arena_alloc(a, (n + 1) * sizeof(*names));
	for (unsigned i = 0; i < n; i++)
		names[i] = arena_strdup(a, tls->names[i]);
	out->smtp.tls.names = names;
	out->smtp.tls.n_names = n;
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
	struct words w = {&b->r->arena, t, p, port, NULL, instead};
	struct finding *findings = arena_alloc(&b->r->arena, LAYER_COUNT * sizeof(*findings));

	*out = (struct report_port){.port = port, .service = service_name(port), .state = v->state};
	build_prints(b, (int)i, port);
	for (int l = 0; l < LAYER_COUNT; l++) {
		const struct rule *rule = v->rules[l];
		w.facts = l == LAYER_PATH && b->has_injected[i] ? &b->injected[i] : p;
		if (!rule || rule->state == STATE_OPEN)
			continue;
		findings[out->n_findings++] = make_finding(b, (int)i, rule, &w);
	}
	if (v->state == STATE_INCONCLUSIVE && out->n_findings == 0)
		findings[out->n_findings++] = undecided_finding(b, &w, v->missing);
	out->findings = findings;
	out->summary = out->n_findings ? findings[0].summary
				       : words_expand(&w, v->rules[LAYER_SESSION]->summary);
	w.facts = p;
	/* an injected SYN that got an answer, or a finding of its own, has looked behind the host */
	const struct port_facts *up = &b->injected[i];
	bool tested = b->has_injected[i] && (fact_seen(up, F_CONNECTED) || v->rules[LAYER_PATH]);
	out->upstream_tested = tested || !(v->rules[LAYER_HOST] && !fact_seen(p, F_SYN_LEFT));
	fill_smtp(b, p, out);
	client_settings(b->r, out);
}

static const char *control_outcome(const struct tracker *t, int port_index)
{
	const struct flow *f = tracker_main_flow(t, port_index);

	if (!f)
		return "not tried";
	if (f->redirected || f->syn_on_lo)
		return "redirected by this machine";
	if (f->synack.seen || (f->has_result && !f->error))
		return "answers";
	if (f->rst.seen)
		return f->rst.on_lo ? "reset by this machine" : "refuses";
	if (f->n_icmp)
		return "unreachable";
	if (f->has_result)
		return errno_name(f->error);
	return "silent";
}

void build_vantage(struct builder *b)
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

/* ---- the path matrix ---- */

static bool trace_shown(const struct builder *b, unsigned i)
{
	return b->d->tracker.path.trace[i].sent > 0;
}

/* The last TTL that is worth a row: the target's, or the last that anybody answered. */
static unsigned last_row(const struct builder *b)
{
	const struct path *path = &b->d->tracker.path;
	unsigned last = 0;

	for (unsigned i = 0; i < b->d->tracker.plan->n_ports; i++) {
		unsigned hop = path_last_hop(path, &path->trace[i]);
		unsigned end = path_first_arrival(&path->trace[i], &path->target);
		last = hop > last ? hop : last;
		last = end > last ? end : last;
	}
	for (unsigned i = 0; i < b->n_tested; i++)
		if (b->facts[i].placed.to > last)
			last = b->facts[i].placed.to;
	return last;
}

static void fill_hop(struct builder *b, unsigned ttl, const struct path_places *places,
		     struct report_hop *out)
{
	const struct tracker *t = &b->d->tracker;
	struct report_hop_port *ports =
		arena_alloc(&b->r->arena, t->plan->n_ports * sizeof(*ports));

	out->ttl = ttl;
	out->address = path_hop_address(&t->path, ttl);
	out->place = places->place[ttl];
	for (unsigned i = 0; i < t->plan->n_ports; i++) {
		const struct path_cell *c = &t->path.trace[i].cell[ttl];
		if (!trace_shown(b, i))
			continue;
		if (!addr_is_set(&out->address) && (c->syn_ack || c->rst) &&
		    ttl == places->dest_ttl)
			out->address = t->plan->target;
		ports[out->n_ports++] = (struct report_hop_port){
			t->plan->ports[i].port, c->sent, c->time_exceeded, c->syn_ack, c->rst,
			c->unreachable, c->rtt_ns ? (double)c->rtt_ns / 1e6 : TIME_NONE};
	}
	if (addr_is_set(&out->address))
		out->asn = path_asn(&t->path, &out->address, NULL);
	out->ports = ports;
}

static void fill_path(struct builder *b)
{
	const struct tracker *t = &b->d->tracker;
	unsigned last = t->path.sent ? last_row(b) : 0, dest_ttl = 0;
	struct path_places places;

	for (unsigned i = 0; i < b->n_tested; i++)
		if (b->facts[i].dest_ttl)
			dest_ttl = b->facts[i].dest_ttl;
	path_assign_places(&t->path, dest_ttl, &b->r->vantage.source,
			   t->has_link && t->link.tunnel, &places);
	struct report_hop *hops = arena_alloc(&b->r->arena, (last + 1) * sizeof(*hops));
	for (unsigned ttl = 1; ttl <= last; ttl++)
		fill_hop(b, ttl, &places, &hops[ttl - 1]);
	b->r->path = hops;
	b->r->n_path = last;
}

static void fill_controls(struct builder *b)
{
	const struct tracker *t = &b->d->tracker;
	struct report_control *list =
		arena_alloc(&b->r->arena, PLAN_MAX_PORTS * sizeof(*list));
	unsigned n = 0;

	for (unsigned i = b->n_tested; i < t->plan->n_ports; i++)
		list[n++] = (struct report_control){t->plan->ports[i].port,
						    control_outcome(t, (int)i)};
	b->r->controls = list;
	b->r->n_controls = n;
}

static const char *host_look_text(enum host_look look)
{
	static const char *const texts[HOST_LOOK_COUNT] = {
		[HOST_LOOK_TRACE] = "the trace of nf_tables rules",
		[HOST_LOOK_IPTABLES] = "legacy iptables",
		[HOST_LOOK_PROGRAMS] = "tc, XDP and cgroup programs",
		[HOST_LOOK_DROPS] = "the kernel's drop reasons",
		[HOST_LOOK_CONNTRACK] = "connection tracking",
		[HOST_LOOK_RULES] = "the nf_tables rules",
		[HOST_LOOK_XFRM] = "IPsec policies",
	};

	return texts[look];
}

void build_not_looked(struct builder *b)
{
	const struct tracker *t = &b->d->tracker;
	const char **list = arena_alloc(&b->r->arena, (LOOK_COUNT + HOST_LOOK_COUNT + 1) * sizeof(*list));
	unsigned n = 0;

	for (int i = 0; i < LOOK_COUNT; i++)
		if (t->not_looked[i])
			list[n++] = arena_strdup(&b->r->arena, t->not_looked[i]);
	for (int i = 0; i < HOST_LOOK_COUNT; i++)
		if (t->host_not_looked[i])
			list[n++] = arena_printf(&b->r->arena, "%s: %s", host_look_text((enum host_look)i),
						 t->host_not_looked[i]);
	if (!t->not_looked[LOOK_CAPTURE] && !tracker_capture_whole(t))
		list[n++] = "the capture lost packets: nothing is claimed from what was not seen";
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
	build_vantage(b);
	build_events_as_evidence(b);
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
	fill_path(b);
	fill_controls(b);
	build_notes(b);
	build_not_looked(b);
	build_seen_as(b);
	if (t->plan->packets)
		build_packets(b);
	r->evidence = b->evidence;
	r->n_evidence = b->n_evidence;
	r->summary = report_overall(r);
	free(b);
	return r;
}
