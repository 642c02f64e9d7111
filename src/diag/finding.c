/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One finding: a row of the rule table with who, where, what to do and on which evidence. */
#include <string.h>

#include "diag/builder.h"
#include "diag/remedy.h"

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
				    "hop %u; SYNs to port %u by %u hop%s beyond, too; the odds that this is "
				    "chance: %s",
				    p->placed.from, control, p->placed.hops_beyond,
				    p->placed.hops_beyond > 1 ? "s" : "", words_odds(a, p->placed.probability));
	if (p->placed.hops_beyond == 0)
		return arena_printf(a,
				    "probes of this port are answered up to hop %u, those of port %u "
				    "by the same hops and by the target",
				    p->placed.from, control);
	return arena_printf(a,
			    "probes of this port are answered up to hop %u; those of port %u by %u "
			    "hop%s beyond, too; the odds that this is chance: %s",
			    p->placed.from, control, p->placed.hops_beyond,
			    p->placed.hops_beyond > 1 ? "s" : "", words_odds(a, p->placed.probability));
}

/* A fact that is a sum, or an absence: said as of the end of the run. */
static unsigned evidence_of_sum(struct builder *b, unsigned port, const struct port_facts *p,
				enum fact fact)
{
	struct arena *a = &b->r->arena;
	const char *text = NULL;
	enum source source = SOURCE_CAPTURE;

	switch ((int)fact) {
	case F_TLSA_OTHER:
		source = SOURCE_TLS;
		text = words_tlsa(a, &b->d->tracker, p);
		break;
	case F_SILENT:
		text = arena_printf(a, "no answer of any kind to %u SYNs", p->silent_syns);
		break;
	case F_SILENCE_PROVEN:
		text = arena_printf(a,
				    "%u of %u SYNs to other ports were answered; the odds that %u in "
				    "a row get lost by chance: %s",
				    p->control.answered, p->control.sent, p->silent_syns,
				    words_odds(a, p->silence_probability));
		break;
	case F_ALL_SILENT:
		text = arena_printf(a, "no port of the address answered within %.1f s",
				    (double)(b->d->tracker.end_ns - b->d->tracker.start_ns) / 1e9);
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
	/* the record alone shows half of it: what would have had to stand there is the other half */
	bool unlike_record = rule->need & FACT_BIT(F_TLSA_OTHER);

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
		if (i == F_TLSA_OTHER && unlike_record && (number = evidence_of_sum(b, port, p, F_TLSA_OTHER)))
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

struct finding build_finding(struct builder *b, int port_index, const struct rule *rule,
			     struct words *w)
{
	const struct port_facts *p = w->facts;
	struct finding f = {.mechanism = rule->mechanism, .rule = rule->id};
	struct named named;

	named_find(&b->d->tracker, port_index, p, rule->named, &named);
	w->named = named_has(&named) ? &named : NULL;
	w->rule = rule;
	f.session = words_session(w);
	f.ticket = words_ticket(w);
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

/* What took facts away from every port, or NULL. */
static const char *why_nothing_told(const struct tracker *t)
{
	if (t->not_looked[LOOK_CAPTURE])
		return t->not_looked[LOOK_CAPTURE];
	if (!tracker_capture_whole(t))
		return "the capture lost packets, so that what was not seen tells nothing";
	return t->not_looked[LOOK_CONNECT];
}

/* The finding of an undecided port: what is missing. */
struct finding build_undecided(struct builder *b, const struct words *w, fact_set missing)
{
	struct arena *a = w->arena;
	const char *broken = why_nothing_told(&b->d->tracker), *why = broken, *text = "";

	/* of one target alone there are no others that could have been traced */
	int port = plan_port_index(b->d->tracker.plan, (uint16_t)w->port);
	if (port < 0 || !b->d->tracker.alike[port])
		missing &= ~FACT_BIT(F_ALIKE_STOPS);
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
	if (!why && !text[0])
		why = "no answer came that would tell, in the time given";
	f.summary = arena_printf(a, "The facts do not decide port %u%s%s.%s%s%s", w->port, why ? ": " : "",
				 why ? why : "", text[0] ? " Not known: whether " : "", text, text[0] ? "." : "");
	f.culprit.text = f.summary;
	const char **remedy = arena_alloc(a, sizeof(*remedy));
	remedy[0] = broken ? "Run it again, and with fewer targets at a time (--concurrency) or on a quieter machine if it comes back."
			: "Give it more time: --timeout 20.";
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
