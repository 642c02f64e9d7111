/* SPDX-License-Identifier: GPL-3.0-or-later */
/* When is a port decided, and when is one more SYN worth sending? */
#include <linux/neighbour.h>
#include <string.h>

#include "base/clock.h"
#include "diag/advise_path.h"
#include "diag/advise_session.h"
#include "diag/diag.h"
#include "diag/mtu.h"
#include "diag/stall.h"

/* A first further SYN after this: long before the kernel's own retransmission at 1 s. */
#define REPEAT_FLOOR_NS (150 * NS_PER_MS)
#define REPEAT_CEILING_NS (500 * NS_PER_MS)
/* So long a RST or ICMP error waits for a control to be compared with. */
#define CONTROL_WAIT_NS (1 * NS_PER_S)

/* Two times an answer's: a reply, and a TLS handshake behind it. */
#define LATE_ANSWER_DUES 2

/* A port that has accepted and says nothing for so long may wait for TLS. */
#define TLS_TRY_NS (1500 * NS_PER_MS)

/* A resolver that has to ask others takes some hundreds of milliseconds. */
#define DNS_PATIENCE_NS       (1500 * NS_PER_MS)
#define DNS_PATIENCE_SHORT_NS (500 * NS_PER_MS)

enum need {
	NEED_NOTHING, /* decided */
	NEED_WAIT,    /* something is under way: an answer, a dialogue */
	NEED_REPEAT,  /* nothing came: another SYN tells more than waiting */
};

static unsigned attempts_of(const struct tracker *t, int port_index, int64_t *last)
{
	unsigned n = 0;

	for (unsigned i = 0; i < t->n_flows; i++) {
		if (t->flows[i].port_index != port_index)
			continue;
		n++;
		if (t->flows[i].start_ns > *last)
			*last = t->flows[i].start_ns;
	}
	return n;
}

static int64_t repeat_interval_ns(const struct tracker *t)
{
	int64_t due = facts_answer_due_ns(t) * 2 / ANSWER_DUE_RTTS;

	return due < REPEAT_FLOOR_NS ? REPEAT_FLOOR_NS
	       : due > REPEAT_CEILING_NS ? REPEAT_CEILING_NS : due;
}

static bool seen_any(const struct port_facts *p, fact_set facts)
{
	return (p->seen & facts) != 0;
}

/* A RST or ICMP error is compared with the control's answer, and a forged RST with the genuine
 * SYN-ACK that follows it: give both their time. */
static enum need need_of_answer(const struct port_facts *p, int64_t since, int64_t now,
				int64_t grace)
{
	if (now - since < grace)
		return NEED_WAIT;
	if (fact_seen(p, F_CONTROL_ANSWERS) || now - since >= CONTROL_WAIT_NS)
		return NEED_NOTHING;
	return p->looked & FACT_BIT(F_CONTROL_ANSWERS) ? NEED_NOTHING : NEED_WAIT;
}

/* The answer to STARTTLS that was not offered: the dialogue is over, so nobody waits for long. */
static bool late_answer_due(const struct tracker *t, const struct flow *f, int64_t now)
{
	const struct stage_reply *late = &f->replies[STAGE_UNOFFERED];
	int64_t patience = facts_answer_due_ns(t) * LATE_ANSWER_DUES;

	return f->more && !late->t_ns && now - t->log->events[f->end_event].t_ns < patience;
}

/* Not on port 25: there servers make strangers wait, and take it amiss when these speak first. */
static bool deserves_tls_try(const struct tracker *t, int port_index, const struct port_facts *p,
			     int64_t now)
{
	const struct flow *f = p->flow;
	const struct plan_port *port = &t->plan->ports[port_index];

	return f && port->port != 25 && !port->implicit_tls && fact_seen(p, F_CONNECTED) &&
	       !fact_seen(p, F_PEER_DIFFERS) && !f->has_reply && !f->has_end && !f->talk.bytes_in &&
	       f->talk.left && now - f->result_ns >= TLS_TRY_NS && !tracker_tls_try(t, port_index);
}

/* What is known of the server by its own words can wait a while for what the DNS knows of it. */
static bool dns_due(const struct tracker *t, int port_index, const struct port_facts *p, int64_t now)
{
	int64_t asked = t->log->events[t->dns[DNS_RECORD_TLSA].event].t_ns;
	/* self-signed certificates are common, missing STARTTLS is not */
	int64_t patience = fact_seen(p, F_STARTTLS_ABSENT) ? DNS_PATIENCE_NS : DNS_PATIENCE_SHORT_NS;

	return facts_await_dns(t, port_index, p) && now - asked < patience;
}

/* A whole dialogue may be over before the tap's first packet of it has come to us: without that nobody
 * asks who answered. */
static bool tap_lags(const struct tracker *t, const struct flow *f, int64_t now)
{
	return tracker_capture_whole(t) && f->has_result && !f->error && !f->synack.seen &&
	       now - t->log->events[f->end_event].t_ns < TAP_LAG_NS;
}

static enum need need_of_port(const struct tracker *t, int port_index, const struct port_facts *p,
			      int64_t now)
{
	const struct flow *f = p->flow;
	int64_t last = 0;
	unsigned attempts = attempts_of(t, port_index, &last);
	int64_t grace = facts_answer_due_ns(t) / 2;

	if (!f)
		return NEED_WAIT;
	if (f->has_end)
		return late_answer_due(t, f, now) || dns_due(t, port_index, p, now) || tap_lags(t, f, now)
			       ? NEED_WAIT
			       : NEED_NOTHING;
	if (fact_seen(p, F_ERROR_AT_ONCE))
		return NEED_NOTHING;
	const struct flow *tls_try = tracker_tls_try(t, port_index);
	if (fact_seen(p, F_TLS_AT_ONCE) && tls_try->has_end)
		return NEED_NOTHING;
	if (fact_seen(p, F_CONNECTED)) {
		struct stall s;
		stall_of(t, f, now, &s);
		return stall_is_blamed(&s) ? NEED_NOTHING : NEED_WAIT;
	}
	if (seen_any(p, FACT_BIT(F_LINK_DOWN)))
		return NEED_NOTHING;
	if (fact_seen(p, F_SYN_REDIRECTED) && (f->has_result || now - f->start_ns >= SYN_DUE_NS))
		return NEED_NOTHING;
	if (seen_any(p, FACT_BIT(F_RST_ON_LO) | FACT_BIT(F_ICMP_ON_LO)))
		return NEED_NOTHING;
	if (fact_seen(p, F_RST))
		return need_of_answer(p, f->rst.t_ns, now,
				      grace > RST_GRACE_FLOOR_NS ? grace : RST_GRACE_FLOOR_NS);
	if (fact_seen(p, F_ICMP))
		return need_of_answer(p, p->icmp->t_ns, now, RST_GRACE_FLOOR_NS);
	if (f->has_result) /* the socket heard it first: the tap's packet is on its way to us */
		return now - f->result_ns < TAP_LAG_NS ? NEED_WAIT : NEED_NOTHING;
	if (fact_seen(p, F_NEXT_HOP_SILENT)) /* the kernel gives up after three tries, about 3 s */
		return t->neighbour.state == NUD_FAILED ? NEED_NOTHING : NEED_WAIT;
	if (fact_seen(p, F_SYNACK) && now - f->synack.t_ns >= SYNACK_ACCEPT_NS)
		return attempts >= 2 ? NEED_NOTHING : NEED_REPEAT;
	if (!fact_seen(p, F_SYN_LEFT) && (p->looked & FACT_BIT(F_SYN_LEFT)))
		return attempts < 2 ? NEED_REPEAT : now - last < SYN_DUE_NS ? NEED_WAIT : NEED_NOTHING;
	if (seen_any(p, FACT_BIT(F_SILENCE_PROVEN) | FACT_BIT(F_ALL_SILENT) |
				FACT_BIT(F_PATH_STOPS) | FACT_BIT(F_PATH_THROUGH) | FACT_BIT(F_ALIKE_STOPS)))
		return NEED_NOTHING;
	return attempts < MAX_ATTEMPTS ? NEED_REPEAT : NEED_WAIT;
}

/* The control meets the same loss: its record is what makes silence mean something. */
static void repeat_controls(const struct tracker *t, int control, bool all_silent,
			    struct diag_advice *out)
{
	const struct plan *plan = t->plan;

	if (!out->n_repeat)
		return;
	if (control >= 0 && out->n_repeat < PLAN_MAX_PORTS) {
		bool there = false;
		for (unsigned i = 0; i < out->n_repeat; i++)
			there |= out->repeat[i] == control;
		if (!there)
			out->repeat[out->n_repeat++] = control;
	}
	for (unsigned i = 0; all_silent && i < plan->n_ports; i++) {
		int64_t last = 0;
		if (!plan->ports[i].tested && attempts_of(t, (int)i, &last) < MAX_ATTEMPTS / 2 &&
		    out->n_repeat < PLAN_MAX_PORTS)
			out->repeat[out->n_repeat++] = (int)i;
	}
}

void diag_advise(const struct diag *d, int64_t now, struct diag_advice *out)
{
	const struct tracker *t = &d->tracker;
	const struct plan *plan = t->plan;
	int64_t interval = repeat_interval_ns(t);
	struct port_facts facts[PLAN_MAX_PORTS];
	unsigned n_tested = 0;
	int control = -1;
	bool all_silent = true;

	out->done = true;
	out->n_repeat = out->n_probes = out->n_tls_try = out->n_held = out->n_small = 0;
	out->way_ports = 0;
	out->way_busy = false;
	out->again_ns = now + interval / 2;
	for (unsigned i = 0; i < plan->n_ports && plan->ports[i].tested; i++, n_tested++) {
		facts_of_port(t, (int)i, now, &facts[i]);
		const struct port_facts *p = &facts[i];
		enum need need = need_of_port(t, (int)i, p, now);
		if (need != NEED_NOTHING)
			out->done = false;
		if (deserves_tls_try(t, (int)i, p, now))
			out->tls_try[out->n_tls_try++] = (int)i;
		int64_t last = 0;
		if (need != NEED_REPEAT || attempts_of(t, (int)i, &last) >= MAX_ATTEMPTS)
			continue;
		if (now - last < interval) {
			if (last + interval < out->again_ns)
				out->again_ns = last + interval;
			continue;
		}
		out->repeat[out->n_repeat++] = (int)i;
		if (p->control_port >= 0)
			control = advise_witness(t, p);
		all_silent &= p->control_port < 0;
	}
	repeat_controls(t, control, all_silent, out);
	advise_path(t, facts, n_tested, now, d->way, out);
	advise_session(t, facts, n_tested, now, out);
	advise_mtu(t, facts, n_tested, now, out);
	advise_canary(t, facts, n_tested, now, out);
}
