/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is still worth asking on a connection that stands still? */
#include "diag/advise_session.h"

#include "base/clock.h"
#include "diag/stall.h"

/* A dialogue that goes on is left alone. */
#define LOOK_AFTER_NS (600 * NS_PER_MS)
/* Linux answers keep-alives no more often than twice a second (net.ipv4.tcp_invalid_ratelimit). */
#define LOOK_EVERY_NS (550 * NS_PER_MS)
/* The other side's stack has shown itself: from time to time is enough. */
#define LOOK_AGAIN_NS (1500 * NS_PER_MS)
#define LOOKS_ENOUGH  6
#define LOOKS_MAX     64

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

bool advise_is_talking(const struct tracker *t, const struct flow *f)
{
	return f && f->talk.own.seen && f->has_result && !f->error && !f->has_end &&
	       !f->translated && !f->redirected && !f->syn_on_lo && !t->not_looked[LOOK_PATH];
}

static int64_t look_due_ns(const struct tracker *t, const struct flow *f)
{
	const struct talk *k = &f->talk;
	int64_t answer = facts_answer_due_ns(t);

	/* one is under way, or was lost */
	if (f->looked_ns > k->heard_ns)
		return f->looked_ns + later(LOOK_EVERY_NS, answer);
	if (k->looks_answered > LOOKS_ENOUGH)
		return k->heard_ns + later(LOOK_AGAIN_NS, answer);
	if (k->looks_answered)
		return f->looked_ns + later(LOOK_EVERY_NS, answer);
	return later(k->heard_ns, f->last_heard_ns) + later(LOOK_AFTER_NS, answer);
}

static void ask(struct diag_advice *advice, struct diag_probe probe)
{
	if (advice->n_probes < DIAG_MAX_PROBES)
		advice->probes[advice->n_probes++] = probe;
}

static void wake_at(struct diag_advice *advice, int64_t t_ns)
{
	if (t_ns < advice->again_ns)
		advice->again_ns = t_ns;
}

int advise_witness(const struct tracker *t, const struct port_facts *p)
{
	int own = p->flow ? p->flow->port_index : -1, best = p->control_port, best_score = 0;

	for (int i = 0; i < (int)t->plan->n_ports; i++) {
		const struct flow *f = tracker_main_flow(t, i);
		const struct plan_port *port = &t->plan->ports[i];
		int score = !port->tested ? 3 : port->port != 25 ? 2 : 1;
		if (i == own || !f || !f->synack.seen || f->synack.on_lo || f->redirected ||
		    f->syn_on_lo || score <= best_score)
			continue;
		best = i;
		best_score = score;
	}
	return best;
}

/* A port that is known to answer is called anew: what it meets in the same seconds is what silence on
 * the connection is measured by. By connect() where nobody speaks on that port, else by a bare SYN. */
static void ask_witness(const struct tracker *t, const struct port_facts *p, int64_t now,
			struct diag_advice *advice)
{
	int port = advise_witness(t, p);
	int64_t last = 0;
	unsigned n = 0;

	if (port < 0)
		return;
	for (unsigned i = 0; i < t->n_flows; i++) {
		n += t->flows[i].port_index == port && t->flows[i].role != FLOW_SMALL;
		if (t->flows[i].port_index == port)
			last = later(last, t->flows[i].start_ns);
	}
	const struct path_cell *full = &t->path.trace[port].cell[0];
	last = later(last, full->last_sent_ns) + LOOK_EVERY_NS;
	if (n + full->sent >= MAX_ATTEMPTS)
		return;
	for (unsigned i = 0; i < advice->n_repeat; i++)
		if (advice->repeat[i] == port)
			return;
	if (now < last)
		wake_at(advice, last);
	else if (t->plan->ports[port].tested)
		ask(advice, (struct diag_probe){.kind = PROBE_FULL,
						.port_index = port,
						.dst = t->plan->target,
						.flow = NO_FLOW});
	else if (advice->n_repeat < PLAN_MAX_PORTS)
		advice->repeat[advice->n_repeat++] = port;
}

/* ---- who resets it, closes it, turns it away? ---- */

/* A further connection, and each step on it, gets no longer than this. */
#define HELD_MAX_NS (3 * NS_PER_S)
#define HELD_PATIENCE_NS (20 * NS_PER_MS)
#define HELD_STEP_MAX_NS (250 * NS_PER_MS)

/* Words that can be said again, and that a device on the way can hear. */
static bool can_say_again(enum session_stage stage)
{
	return stage == STAGE_EHLO || stage == STAGE_STARTTLS || stage == STAGE_TLS ||
	       stage == STAGE_EHLO_TLS || stage == STAGE_MAIL || stage == STAGE_RCPT;
}

/* The words that this session was reset, closed or turned away for: somebody on the way may have done
 * so in the server's name. STAGE_COUNT: none, or nobody else can have. */
static enum session_stage stage_in_question(const struct tracker *t, const struct flow *f)
{
	enum session_stage stage = facts_refused_in_clear(f);
	bool ended = f->end == SESSION_RESET || f->end == SESSION_CLOSED;

	if (!f->has_end || !f->synack.seen || f->synack.on_lo || f->translated || f->redirected ||
	    t->plan->no_path || t->not_looked[LOOK_PATH] || !tracker_capture_whole(t))
		return STAGE_COUNT;
	if (stage == STAGE_COUNT && ended)
		stage = f->end_stage;
	/* a server that is asked by the hundred is not asked twice for what is its own right */
	if (stage == STAGE_COUNT || (t->plan->thrifty && f->end != SESSION_RESET))
		return STAGE_COUNT;
	return can_say_again(stage) ? stage : STAGE_COUNT;
}

/* The socket hears of the end first: the tap's packet may still be on its way to us. */
static bool end_is_seen(const struct flow *f)
{
	return f->end == SESSION_RESET    ? f->rst.seen && !f->rst.on_lo
	       : f->end == SESSION_CLOSED ? f->fin.seen
					  : true;
}

/* How long the refusal took when it came the first time: it will take no less. */
static int64_t refusal_took_ns(const struct flow *f)
{
	enum session_stage stage = facts_refused_in_clear(f);
	int64_t before = f->result_ns;

	if (stage == STAGE_COUNT)
		return 0;
	for (int i = 0; i < STAGE_COUNT; i++)
		if (f->replies[i].code && f->replies[i].t_ns < f->replies[stage].t_ns)
			before = later(before, f->replies[i].t_ns);
	return f->replies[stage].t_ns - before;
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* The same words with growing TTLs, one after another: whoever resets the connection shows himself at
 * the smallest that reaches him, and the server only at its own. True while that goes on. */
static bool step_held(const struct tracker *t, const struct flow *first, const struct flow *held,
		      unsigned dest, int64_t now, struct diag_advice *advice)
{
	int port = held->port_index;
	const struct path_trace *trace = &t->path.trace[path_trace_of(&t->path, PROBE_DATA, port)];
	int64_t rtt = held->synack.t_ns - held->first_syn_ns, since = held->held_ns;
	int64_t took = refusal_took_ns(first) * 3 / 2;
	unsigned ttl = 1;

	if (held->has_end || held->rst.seen || held->drawn.words || held->drawn.fin ||
	    (held->has_result && held->error))
		return false;
	if (!held->held_ns) {
		wake_at(advice, held->start_ns + HELD_MAX_NS);
		return now - held->start_ns < HELD_MAX_NS;
	}
	for (unsigned i = 1; i <= HELD_FULL_TTL; i++) {
		if (trace->cell[i].sent)
			since = trace->cell[i].last_sent_ns;
		if (trace->cell[i].sent)
			ttl = i + 1 < dest ? i + 1 : HELD_FULL_TTL;
	}
	if (trace->cell[HELD_FULL_TTL].sent) {
		int64_t due = since + sooner(later(facts_answer_due_ns(t), took), HELD_MAX_NS);
		wake_at(advice, due);
		return now < due;
	}
	int64_t wait = later(rtt * 3 / 2, sooner(took, HELD_STEP_MAX_NS)) + HELD_PATIENCE_NS;
	int64_t next = trace->sent ? since + wait : now;
	if (now < next)
		wake_at(advice, next);
	else
		ask(advice, (struct diag_probe){.kind = PROBE_DATA,
						.port_index = port,
						.ttl = (uint8_t)ttl,
						.dst = t->plan->target,
						.flow = held->id});
	return true;
}

static void advise_held(const struct tracker *t, int port, const struct port_facts *p, int64_t now,
			struct diag_advice *advice)
{
	const struct flow *held = tracker_held(t, port);
	unsigned dest = p->dest_ttl;
	enum session_stage stage = p->flow ? stage_in_question(t, p->flow) : STAGE_COUNT;

	if (stage == STAGE_COUNT)
		return;
	int64_t end = t->log->events[p->flow->end_event].t_ns;
	if (!held && (!end_is_seen(p->flow) || !dest)) {
		/* how far the target is, the control's answer tells */
		int64_t until = end + (dest ? TAP_LAG_NS : later(TAP_LAG_NS, facts_answer_due_ns(t)));
		if (now < until) {
			advice->done = false;
			wake_at(advice, until);
		}
		return;
	}
	if (dest < 2 || dest > HELD_FULL_TTL)
		return;
	if (!held && now - end < HELD_MAX_NS) {
		advice->held[advice->n_held].port_index = port;
		advice->held[advice->n_held++].stage = stage;
		advice->done = false;
	} else if (held && step_held(t, p->flow, held, dest, now, advice)) {
		advice->done = false;
	}
}

void advise_look(const struct tracker *t, const struct flow *f, int64_t now,
		 struct diag_advice *advice)
{
	if (!advise_is_talking(t, f))
		return;
	int64_t due = look_due_ns(t, f);
	if (now < due)
		wake_at(advice, due);
	else if (f->n_looks < LOOKS_MAX)
		ask(advice, (struct diag_probe){.kind = PROBE_LOOK,
						.port_index = f->port_index,
						.flow = f->id});
}

void advise_session(const struct tracker *t, const struct port_facts *facts, unsigned n_tested,
		    int64_t now, struct diag_advice *advice)
{
	for (unsigned i = 0; i < n_tested; i++) {
		const struct flow *f = facts[i].flow;
		struct stall s;
		advise_held(t, (int)i, &facts[i], now, advice);
		if (!advise_is_talking(t, f))
			continue;
		advise_look(t, f, now, advice);
		stall_of(t, f, now, &s);
		bool still = f->talk.looks || talk_stuck(&f->talk) || talk_missing(&f->talk);
		if (s.looked && s.open && still && f->n_looks)
			ask_witness(t, &facts[i], now, advice);
	}
}
