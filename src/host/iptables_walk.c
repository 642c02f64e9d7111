/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A packet's way through the tables, as the kernel goes it: hook by hook, table
 * by table, with jumps and returns. `reach` says how sure it is that our packet
 * gets to a rule; a rule that may match splits the way in two, and both are
 * followed.
 *
 * With counters, a rule that did not move has not matched our packet. One that
 * must have matched and did not move shows that our packet never got there; but
 * not in nat, which the kernel passes over while nothing asks for conntrack.
 *
 * Left out, for the kernel leaves them out: nat for the answer (a connection's
 * first packet decides for all), nat PREROUTING and INPUT for packets of this
 * host's own.
 */
#include "host/iptables_walk.h"

#include <string.h>

#include "base/clock.h"

#define DEPTH_MAX 64

#define N(array) (sizeof(array) / sizeof((array)[0]))

static struct odds certainly(void)
{
	return (struct odds){IPT_YES, 0};
}

static struct odds never(void)
{
	return (struct odds){IPT_NO, 0};
}

static struct odds both(struct odds a, struct odds b)
{
	if (a.truth != b.truth)
		return a.truth < b.truth ? a : b;
	return (struct odds){a.truth, a.reasons | b.reasons};
}

static struct odds not(struct odds a)
{
	return (struct odds){ipt_not(a.truth), a.reasons};
}

static struct odds either(struct odds a, struct odds b)
{
	return not(both(not(a), not(b)));
}

/* What becomes of a packet in a chain, once it is in there. What is neither is at its end. */
struct fate {
	struct odds taken;   /* the chain, and those that called it, are done with it */
	struct odds stopped; /* ... and it goes nowhere */
};

/* A chain under way. */
struct frame {
	const struct ipt_chain *chain;
	unsigned depth;
	struct odds entry; /* that our packet came to be in here */
	struct odds here;  /* that, being in here, it has got to this rule */
	struct fate fate;
};

static uint64_t rule_moved(const struct walk *w, const struct ipt_rule *r)
{
	return w->m ? w->m->rules[r - w->table->rules] : 0;
}

static struct odds reach(const struct frame *f)
{
	return both(f->entry, f->here);
}

static struct odds fit_odds(const struct ipt_fit *fit)
{
	return (struct odds){fit->truth, fit->reasons};
}

static struct deed deed(const struct walk *w, const struct ipt_chain *c, const struct ipt_rule *r,
			enum fw_verdict verdict, struct odds odds)
{
	struct deed d = w->at;

	d.chain = c;
	d.rule = r;
	d.verdict = verdict;
	d.odds = odds;
	if (w->m) {
		d.moved = r ? rule_moved(w, r) : w->m->policies[c - w->table->chains];
		d.shaky = w->m->shaky;
	}
	return d;
}

static void note_accept(struct walk *w, const struct deed *d)
{
	if (d->odds.truth == IPT_NO || is_sure(w->accept.odds))
		return;
	if (d->odds.truth >= w->accept.odds.truth)
		w->accept = *d;
}

static void report_deed(struct walk *w, const struct deed *d)
{
	if (d->odds.truth == IPT_NO || (w->m && d->moved == 0))
		return;
	if (w->turns_only && d->verdict != FW_TPROXY)
		return;
	w->n_maybe += d->odds.truth == IPT_MAYBE;
	w->on_deed(w, d);
}

static void change_mark(struct walk *w, const struct ipt_fit *fit, enum ipt_truth how_sure)
{
	struct ipt_packet *p = &w->packet;

	w->marked |= how_sure >= IPT_MAYBE;
	if (!fit->mark_known) {
		p->mark_known = how_sure >= IPT_MAYBE ? 0 : p->mark_known;
	} else if (how_sure >= IPT_LIKELY) {
		p->mark = (p->mark & ~fit->mask) ^ fit->mark;
		p->mark_known |= fit->mask;
	} else if (how_sure == IPT_MAYBE) {
		p->mark_known &= ~(fit->mask | fit->mark);
	}
}

static void note_turn(struct walk *w, const struct ipt_fit *fit, enum ipt_truth how_sure)
{
	if (how_sure < IPT_MAYBE || fit->verdict == FW_TPROXY)
		return;
	w->n_turns++;
	if (how_sure > w->turned) {
		w->turned = how_sure;
		w->turn = *fit;
	}
}

/* The packet as it is behind the base chain that turned it. */
static void turn_packet(struct walk *w)
{
	static const uint8_t localhost[4] = {127, 0, 0, 1}, one[16] = {[15] = 1};
	const struct ipt_fit *fit = &w->turn;
	struct ipt_packet *p = &w->packet;
	bool sure = w->turned >= IPT_LIKELY;

	if (w->n_turns == 0)
		return;
	p->turned = ipt_or(p->turned, w->turned);
	p->oif = NULL;
	w->turned_port = fit->to_port;
	if (!fit->to_port_kept || !sure)
		p->dport = (struct ipt_ports){&w->turned_port, sure && fit->to_port > 0};
	w->turned_to = fit->to;
	if (fit->verdict == FW_REDIRECT && !addr_is_set(&fit->to))
		w->turned_to = w->t->family == ADDR_V4 ? addr_v4(localhost) : addr_v6(one);
	p->dst = sure ? w->turned_to : (struct addr){0};
}

static struct fate walk_chain(struct walk *w, const struct ipt_chain *c, struct odds entry,
			      unsigned depth);

/* Targets that name a chain of the table are jumps, whatever else could have that name. */
static const struct ipt_chain *jump_target(const struct walk *w, struct ipt_fit *fit)
{
	bool called = fit->kind == IPT_JUMP || fit->kind == IPT_GOTO;
	const struct ipt_chain *c = NULL;

	if (fit->target[0] && fit->kind != IPT_ACCEPT && fit->kind != IPT_RETURN)
		c = ipt_chain(w->table, fit->target);
	if (c && !called)
		fit->kind = IPT_JUMP;
	if (!c && called) {
		fit->kind = IPT_PERHAPS;
		fit->verdict = FW_DROP;
	}
	return c;
}

/* The packet ends here with odds `t` (given that it is here): the chain is done with it. */
static void take(struct frame *f, struct odds t, bool stops)
{
	struct odds out = both(f->here, t);

	f->fate.taken = either(f->fate.taken, out);
	if (stops)
		f->fate.stopped = either(f->fate.stopped, out);
	f->here = both(f->here, not(t));
}

static void call(struct walk *w, struct frame *f, const struct ipt_chain *to,
		 const struct ipt_fit *fit)
{
	struct odds t = fit_odds(fit);
	struct fate fate = walk_chain(w, to, both(reach(f), t), f->depth + 1);
	struct odds in = both(f->here, t);

	f->fate.taken = either(f->fate.taken, both(in, fate.taken));
	f->fate.stopped = either(f->fate.stopped, both(in, fate.stopped));
	/* behind a goto, it goes on where this chain was called */
	f->here = both(f->here, not(fit->kind == IPT_GOTO ? t : both(t, fate.taken)));
}

static void obey_stop(struct walk *w, struct frame *f, const struct ipt_rule *r,
		      const struct ipt_fit *fit)
{
	struct odds t = fit_odds(fit);

	if (fit->kind == IPT_PERHAPS)
		t = both(t, (struct odds){IPT_MAYBE, IPT_BY_TARGET});
	struct deed d = deed(w, f->chain, r, fit->verdict, both(reach(f), t));
	report_deed(w, &d);
	/* Without counters, the rest is told as if a rule that only may stop it had not: it would
	 * stop it then, or has been stopped. */
	if (w->m || is_sure(d.odds))
		take(f, t, true);
}

static void obey_queue(struct walk *w, struct frame *f, const struct ipt_rule *r,
		       const struct ipt_fit *fit)
{
	const struct odds given_back = {IPT_MAYBE, IPT_BY_QUEUE};
	struct deed d =
		deed(w, f->chain, r, FW_QUEUE, both(both(reach(f), fit_odds(fit)), given_back));

	d.queue = true;
	report_deed(w, &d);
	take(f, fit_odds(fit), false); /* counters behind it will show */
}

/* What a rule does that may match. */
static void obey(struct walk *w, struct frame *f, const struct ipt_rule *r, struct ipt_fit *fit)
{
	const struct ipt_chain *to = jump_target(w, fit);
	struct odds in = both(reach(f), fit_odds(fit));
	struct deed d = deed(w, f->chain, r, fit->verdict, in);

	switch (fit->kind) {
	case IPT_GO_ON: return;
	case IPT_ACCEPT:
		note_accept(w, &d);
		take(f, fit_odds(fit), false);
		return;
	case IPT_RETURN: f->here = both(f->here, not(fit_odds(fit))); return;
	case IPT_JUMP:
	case IPT_GOTO: call(w, f, to, fit); return;
	case IPT_STOP:
	case IPT_PERHAPS: obey_stop(w, f, r, fit); return;
	case IPT_QUEUE: obey_queue(w, f, r, fit); return;
	case IPT_TURN:
		report_deed(w, &d);
		note_turn(w, fit, in.truth);
		take(f, fit_odds(fit), false);
		return;
	case IPT_MARK: change_mark(w, fit, in.truth); return;
	case IPT_UNTRACK: w->packet.untracked = ipt_or(w->packet.untracked, in.truth); return;
	}
}

/* By the counters: did it match our packet after all? */
static void weigh(struct walk *w, struct frame *f, const struct ipt_rule *r, struct ipt_fit *fit)
{
	if (!w->m || rule_moved(w, r) > 0)
		return;
	if (w->m->shaky) {
		fit->truth = ipt_and(fit->truth, IPT_MAYBE);
		return;
	}
	if (fit->truth >= IPT_LIKELY && !w->is_nat) {
		w->missed += is_sure(reach(f));
		take(f, fit_odds(fit), true); /* ended before */
	} else if (fit->truth >= IPT_LIKELY && fit->kind == IPT_TURN) {
		/* such a rule asks for conntrack; yet nf_tables may have made it untracked */
		take(f, (struct odds){IPT_MAYBE, IPT_BY_CONNTRACK}, true);
	}
	fit->truth = IPT_NO;
}

static bool out_of_time(struct walk *w)
{
	if (++w->steps % 1024 == 0 && clock_mono_ns() > w->deadline)
		w->exhausted = true;
	return w->exhausted;
}

static struct fate walk_chain(struct walk *w, const struct ipt_chain *c, struct odds entry,
			      unsigned depth)
{
	struct frame f = {.chain = c,
			  .depth = depth,
			  .entry = entry,
			  .here = certainly(),
			  .fate = {never(), never()}};

	w->exhausted |= depth > DEPTH_MAX;
	for (size_t i = 0; i < c->n_rules && reach(&f).truth > IPT_NO; i++) {
		struct ipt_fit fit;
		if (out_of_time(w))
			break;
		ipt_fits(&c->rules[i], &w->packet, &fit);
		weigh(w, &f, &c->rules[i], &fit);
		if (fit.truth > IPT_NO)
			obey(w, &f, &c->rules[i], &fit);
	}
	return f.fate;
}

static void meet_policy(struct walk *w, const struct ipt_chain *c, struct odds entry,
			struct fate *fate)
{
	bool accepts = strcmp(c->policy, "ACCEPT") == 0;
	struct odds met = not(fate->taken), in = both(entry, met);
	struct deed d = deed(w, c, NULL, accepts ? FW_ACCEPT : FW_DROP, in);
	bool stood = w->m && d.moved == 0 && !w->m->shaky && !w->is_nat;

	if (stood)
		w->missed += is_sure(in);
	else if (accepts)
		note_accept(w, &d);
	else
		report_deed(w, &d);
	if (stood || !accepts)
		fate->stopped = either(fate->stopped, met);
}

struct stop_at {
	const char *table, *chain, *hook;
	int priority;
};

/* The way through one base chain; how sure it goes on from there. */
static struct odds walk_base(struct walk *w, const struct stop_at *s, struct odds entry)
{
	const struct ipt_table *t = ipt_table(w->t, s->table);
	const struct ipt_chain *c = t ? ipt_chain(t, s->chain) : NULL;

	if (!c || !c->builtin || entry.truth == IPT_NO)
		return entry;
	w->table = t;
	w->is_nat = strcmp(t->name, "nat") == 0;
	if (w->is_nat && w->packet.untracked >= IPT_LIKELY)
		return entry;
	w->m = w->moved ? &w->moved[t - w->t->tables] : NULL;
	w->at = (struct deed){.table = t,
			      .base = c,
			      .hook = s->hook,
			      .priority = s->priority,
			      .inbound = w->packet.inbound};
	w->accept = (struct deed){0};
	w->n_maybe = w->n_turns = 0;
	w->turned = IPT_NO;
	struct fate fate = walk_chain(w, c, entry, 0);
	if (w->exhausted)
		return never();
	meet_policy(w, c, entry, &fate);
	struct odds out = both(entry, not(fate.stopped));
	if (w->on_pass && is_sure(out) && (c->n_rules || strcmp(c->policy, "ACCEPT") != 0))
		w->on_pass(w);
	turn_packet(w);
	return out;
}

static struct odds walk_hooks(struct walk *w, const struct stop_at *s, size_t n, struct odds entry)
{
	for (size_t i = 0; i < n; i++)
		entry = walk_base(w, &s[i], entry);
	return entry;
}

static const struct stop_at outbound[] = {
	{"raw", "OUTPUT", "output", -300},          {"mangle", "OUTPUT", "output", -150},
	{"nat", "OUTPUT", "output", -100},          {"filter", "OUTPUT", "output", 0},
	{"security", "OUTPUT", "output", 50},       {"mangle", "POSTROUTING", "postrouting", -150},
	{"nat", "POSTROUTING", "postrouting", 100},
};

static const struct stop_at inbound[] = {
	{"raw", "PREROUTING", "prerouting", -300}, {"mangle", "PREROUTING", "prerouting", -150},
	{"mangle", "INPUT", "input", -150},        {"filter", "INPUT", "input", 0},
	{"security", "INPUT", "input", 50},
};

static struct ipt_packet packet_of(const struct iptables *t, const struct host_watch *w)
{
	struct ipt_packet p = {.family = t->family, .uid = w->uid, .gid = w->gid};

	/* a socket's mark is 0 unless it asks for another; ours does not */
	p.mark_known = UINT32_MAX;
	return p;
}

static const char *interface_of(const struct host_watch *w)
{
	return w->oif_name[0] ? w->oif_name : NULL;
}

static void be_syn(struct walk *w, const struct host_watch *watch, const uint16_t *rport)
{
	w->packet = packet_of(w->t, watch);
	w->packet.own = true;
	w->packet.src = watch->local;
	w->packet.dst = watch->remote;
	w->packet.sport = (struct ipt_ports){watch->lports, watch->n_lports};
	w->packet.dport = (struct ipt_ports){rport, 1};
	w->packet.iif = "";
	w->packet.oif = interface_of(watch);
	w->marked = false;
	w->turned_to = (struct addr){0};
}

static void be_answer(struct walk *w, const struct host_watch *watch, const uint16_t *rport)
{
	w->packet = packet_of(w->t, watch);
	w->packet.inbound = w->packet.reply = true;
	w->packet.src = watch->remote;
	w->packet.dst = watch->local;
	w->packet.sport = (struct ipt_ports){rport, 1};
	w->packet.dport = (struct ipt_ports){watch->lports, watch->n_lports};
	w->packet.iif = interface_of(watch);
	w->packet.oif = "";
	w->turns_only = false;
}

/* A SYN to this host itself comes in again by lo; one that a mark sends there, too. */
static void walk_loop(struct walk *w, const struct host_watch *watch, struct odds entry)
{
	bool to_lo = strcmp(watch->oif_name, "lo") == 0 || addr_is_loopback(&w->turned_to);

	if (!to_lo && !w->marked)
		return;
	if (!to_lo)
		entry = both(entry, (struct odds){IPT_MAYBE, IPT_BY_ROUTE});
	w->turns_only = !to_lo;
	w->packet.own = false;
	w->packet.iif = "lo";
	w->packet.oif = "";
	walk_hooks(w, inbound, N(inbound), entry);
	w->turns_only = false;
}

void ipt_walk_out(struct walk *w, const struct host_watch *watch, const uint16_t *rport)
{
	be_syn(w, watch, rport);
	walk_loop(w, watch, walk_hooks(w, outbound, N(outbound), certainly()));
}

void ipt_walk_in(struct walk *w, const struct host_watch *watch, const uint16_t *rport,
		 enum ipt_truth turned, enum ipt_truth untracked)
{
	be_answer(w, watch, rport);
	if (turned >= IPT_MAYBE) {
		w->packet.src = (struct addr){0};
		w->packet.sport.n = 0;
		w->packet.iif = NULL;
	}
	/* what was not tracked on its way out has no entry that its answer could belong to */
	w->packet.untracked = untracked >= IPT_MAYBE ? IPT_MAYBE : IPT_NO;
	walk_hooks(w, inbound, N(inbound), certainly());
}
