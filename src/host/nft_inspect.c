/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The walk of a packet through the base chains, as nf_tables does it
 * (nft_do_chain), with a packet that is known in part only. A rule that may
 * match splits the walk in two: what follows is then reached "maybe", until both
 * halves meet again. So nothing behind a rule that may accept is ever said to
 * stop the packet for sure.
 */
#include "host/nft_inspect.h"

#include <netinet/in.h> /* before the kernel's own */

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter_ipv4.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "host/nfnl.h"
#include "host/nft_packet.h"
#include "host/nft_text.h"

#define WALK_MS      1700 /* of the 2 s; the rest is for the rules' words */
#define TEXT_MS      2000
#define ATTEMPTS     3 /* when rules change meanwhile */
#define SIGHTS_MAX   1024
#define MAYBES_MAX   12  /* of one base chain, for one packet */
#define DEPTH_MAX    16  /* NFT_JUMP_STACK_SIZE */
#define CLOCK_EVERY  256 /* rules */
#define VERDICTS_MAX 512 /* of a map of which any element may be meant */

#define NOT_READ "rules that could not be read in time"

struct sights {
	struct host_sight *list;
	size_t n, size;
	bool full;
};

/* One packet through all hooks. */
struct walk {
	struct nft_ruleset *rules;
	struct nft_packet packet;
	struct sights *out;
	uint16_t port;
	bool turns_only; /* of a way that is not certain at all: see detour() */
	bool snatted;    /* perhaps: NAT gave it another source */
	bool stopped;    /* surely */
	unsigned n_rules;
	/* of the base chain */
	const struct nft_chain *base;
	const char *sticky; /* why it is not certain that the packet is still in this base chain */
	bool open;          /* something may happen to the packet here, or not all was read */
	unsigned n_maybes;
	bool accepted; /* by accept_chain's rule accept_handle */
	const struct nft_chain *accept_chain;
	uint64_t accept_handle;
	bool nat_done;
};

/* A chain that is being walked. */
struct frame {
	const struct nft_chain *chain;
	const char *entry; /* why it is not certain that the packet came here */
	const char *left;  /* ... that it did not go back by a return */
	unsigned depth;
};

enum flow {
	FLOW_ON,   /* to the next rule */
	FLOW_BACK, /* the packet, or a part of the possible ones, returns to the calling chain */
	FLOW_END,  /* no possible packet does */
};

/* ---- what was seen */

static const char *const hook_names[] = {
	[NFT_OUTPUT] = "output",   [NFT_POSTROUTING] = "postrouting", [NFT_EGRESS] = "egress",
	[NFT_INGRESS] = "ingress", [NFT_PREROUTING] = "prerouting",   [NFT_INPUT] = "input",
};

static void put_text(char *out, size_t size, const char *text)
{
	watch_text(out, size, text, strlen(text));
}

static void describe(const struct walk *w, const struct nft_chain *c, uint64_t handle,
		     enum fw_verdict verdict, struct host_rule *r)
{
	r->backend = FW_NFT;
	r->verdict = verdict;
	r->policy = handle == 0;
	put_text(r->family, sizeof(r->family), nfnl_family_name(c->family));
	put_text(r->table, sizeof(r->table), c->table);
	put_text(r->chain, sizeof(r->chain), c->name);
	put_text(r->base_chain, sizeof(r->base_chain), w->base->name);
	put_text(r->hook, sizeof(r->hook), hook_names[w->packet.stage]);
	r->priority = w->base->priority;
	r->handle = handle;
	if (r->policy)
		snprintf(r->text, sizeof(r->text), "policy %s",
			 verdict == FW_ACCEPT ? "accept" : "drop");
}

static void see(struct walk *w, enum host_would would, const struct nft_chain *c, uint64_t handle,
		enum fw_verdict verdict, const char *depends)
{
	struct host_sight s;

	if (w->turns_only && verdict != FW_REDIRECT && verdict != FW_DNAT && verdict != FW_TPROXY)
		return;
	if (would == WOULD_MAYBE && ++w->n_maybes > MAYBES_MAX)
		return;
	memset(&s, 0, sizeof(s));
	s.port = w->port;
	s.inbound = w->packet.answer;
	s.would = would;
	describe(w, c, handle, verdict, &s.rule);
	if (depends)
		put_text(s.depends, sizeof(s.depends), depends);
	/* a chain can be reached on several ways */
	for (size_t i = w->out->n; i > 0 && w->out->list[i - 1].port == s.port; i--)
		if (memcmp(&w->out->list[i - 1], &s, sizeof(s)) == 0)
			return;
	if (w->out->n >= SIGHTS_MAX) {
		w->out->full = true;
		return;
	}
	if (w->out->n == w->out->size) {
		w->out->size = w->out->size ? w->out->size * 2 : 32;
		w->out->list = xrealloc(w->out->list, w->out->size * sizeof(s));
	}
	w->out->list[w->out->n++] = s;
}

/* ---- one rule's doing */

static const char *doubt_of(const struct walk *w, const struct frame *f)
{
	return w->sticky ? w->sticky : f->entry ? f->entry : f->left;
}

/* There are rules here that nobody has looked at. */
static void miss(struct walk *w, const char *why)
{
	w->open = true;
	if (!w->sticky)
		w->sticky = why;
}

/* The packet, as far as it came here, goes no further in this base chain. */
static enum flow ends(const struct frame *f, const char *match)
{
	if (match)
		return FLOW_ON; /* it may just as well not have matched */
	return f->left ? FLOW_BACK : FLOW_END;
}

static enum flow accepts(struct walk *w, const struct frame *f, uint64_t handle, const char *match,
			 const char *doubt)
{
	if (doubt && !w->sticky)
		w->sticky = doubt;
	if (!match) {
		w->accepted = true;
		w->accept_chain = f->chain;
		w->accept_handle = handle;
	}
	return ends(f, match);
}

static enum flow stop(struct walk *w, const struct frame *f, uint64_t handle,
		      enum fw_verdict verdict, const char *match, const char *doubt)
{
	/* without it no chain of type nat is called; one that does translate turns it on */
	if (!doubt && strcmp(w->base->type, "nat") == 0)
		doubt = "whether conntrack is in use";
	see(w, doubt ? WOULD_MAYBE : WOULD_STOP, f->chain, handle, verdict, doubt);
	if (!doubt)
		w->stopped = true;
	else
		w->open = true;
	return ends(f, match);
}

/* DNAT to where it goes anyway. */
static bool changes_nothing(const struct nft_packet *p)
{
	const struct nft_doing *d = &p->doing;
	uint16_t port = (uint16_t)(p->tcp.value[2] << 8 | p->tcp.value[3]);

	return d->act == NFT_ACT_DNAT && !p->turned && d->target_known && d->port_known &&
	       (!addr_is_set(&d->to) || addr_equal(&d->to, &p->host->watch->remote)) &&
	       (!d->to_port || d->to_port == port);
}

static enum flow turn(struct walk *w, const struct frame *f, uint64_t handle,
		      enum fw_verdict verdict, const char *match, const char *doubt)
{
	if (changes_nothing(&w->packet))
		return accepts(w, f, handle, match, doubt);
	see(w, doubt ? WOULD_MAYBE : WOULD_REDIRECT, f->chain, handle, verdict, doubt);
	nft_packet_turn(&w->packet, doubt);
	w->open = true;
	if (!doubt)
		w->nat_done = true;
	return accepts(w, f, handle, match, doubt);
}

/* Which of these queues has a program behind it: all, none, or some. */
static enum nft_tri queue_is_served(const struct nft_doing *d)
{
	FILE *f = fopen("/proc/thread-self/net/netfilter/nfnetlink_queue", "re");
	char line[256];
	unsigned n = 0, number;

	if (d->queues == 0)
		return NFT_MAYBE;
	if (!f)
		return access("/proc/thread-self/net/netfilter", X_OK) == 0 &&
				       access("/proc/thread-self/net/netfilter/nfnetlink_queue",
					      F_OK) != 0
			       ? NFT_NO
			       : NFT_MAYBE;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%u", &number) == 1 && number >= d->queue &&
		    number < (unsigned)d->queue + d->queues)
			n++;
	fclose(f);
	return n == 0 ? NFT_NO : n >= d->queues ? NFT_YES : NFT_MAYBE;
}

static enum flow queue(struct walk *w, const struct frame *f, uint64_t handle, const char *match,
		       const char *doubt)
{
	const struct nft_doing *d = &w->packet.doing;
	enum nft_tri served = queue_is_served(d);

	if (served == NFT_NO && d->bypass)
		return accepts(w, f, handle, match, doubt);
	if (served == NFT_NO)
		return stop(w, f, handle, FW_QUEUE, match, doubt);
	const char *why = arena_printf(w->packet.text, "the program behind queue %u", d->queue);
	stop(w, f, handle, FW_QUEUE, why, why);
	/* what it gives back goes on behind this chain */
	return accepts(w, f, handle, match, doubt);
}

static bool walk_chain(struct walk *w, struct nft_chain *c, const char *entry, unsigned depth);

static enum flow call(struct walk *w, struct frame *f, const char *name, bool comes_back,
		      const char *match, const char *doubt)
{
	struct nft_chain *c = nft_find_chain(w->rules, f->chain->family, f->chain->table, name);

	if (!c || f->depth >= DEPTH_MAX) {
		miss(w, NOT_READ);
		w->rules->changed |= !c;
		return FLOW_ON;
	}
	bool ended = walk_chain(w, c, doubt, f->depth + 1);
	if (match) {
		if (!comes_back && !f->left)
			f->left = doubt;
		return FLOW_ON;
	}
	if (ended)
		return f->left ? FLOW_BACK : FLOW_END;
	return comes_back ? FLOW_ON : FLOW_BACK;
}

static void hide_source(struct walk *w)
{
	w->snatted = true;
	w->packet.ct_status.known &= ~(uint32_t)IPS_SRC_NAT;
	if (w->packet.stage == NFT_POSTROUTING)
		nft_packet_hide_own(&w->packet, "what NAT makes of our address");
}

static enum flow apply_any(struct walk *w, struct frame *f, uint64_t handle, const char *match,
			   const char *doubt);

/* match: why the rule may not match, NULL when it does; doubt: that, or why it may not be
 * reached. */
static enum flow apply(struct walk *w, struct frame *f, uint64_t handle, const char *match,
		       const char *doubt)
{
	const struct nft_doing *d = &w->packet.doing;

	switch (d->act) {
	case NFT_ACT_NONE: return FLOW_ON;
	case NFT_ACT_SNAT:
		hide_source(w);
		if (!doubt)
			w->nat_done = true;
		return accepts(w, f, handle, match, doubt);
	case NFT_ACT_ACCEPT: return accepts(w, f, handle, match, doubt);
	case NFT_ACT_DROP: return stop(w, f, handle, FW_DROP, match, doubt);
	case NFT_ACT_REJECT: return stop(w, f, handle, FW_REJECT, match, doubt);
	case NFT_ACT_QUEUE: return queue(w, f, handle, match, doubt);
	case NFT_ACT_JUMP: return call(w, f, d->chain, true, match, doubt);
	case NFT_ACT_GOTO: return call(w, f, d->chain, false, match, doubt);
	case NFT_ACT_RETURN:
		if (!match)
			return FLOW_BACK;
		if (!f->left)
			f->left = doubt;
		return FLOW_ON;
	case NFT_ACT_REDIRECT: return turn(w, f, handle, FW_REDIRECT, match, doubt);
	case NFT_ACT_DNAT: return turn(w, f, handle, FW_DNAT, match, doubt);
	case NFT_ACT_TPROXY: return turn(w, f, handle, FW_TPROXY, match, doubt);
	case NFT_ACT_STEAL:
		match = doubt ? doubt : "what becomes of it where the rule sends it";
		stop(w, f, handle, FW_DROP, match, match);
		return accepts(w, f, handle, match, match);
	case NFT_ACT_UNKNOWN:
		match = doubt ? doubt : "what the rule does, which smtpblame does not know";
		if (w->turns_only)
			return turn(w, f, handle, FW_TPROXY, match, match);
		stop(w, f, handle, FW_DROP, match, match);
		return accepts(w, f, handle, match, match);
	case NFT_ACT_ANY: return apply_any(w, f, handle, match, doubt);
	}
	return FLOW_ON;
}

struct verdicts {
	struct nft_verdict list[VERDICTS_MAX];
	size_t n;
};

static void collect(void *arg, const struct nft_stored *e)
{
	const struct nft_verdict *v = &e->value.verdict;
	struct verdicts *l = arg;

	if (e->interval_end)
		return; /* the end of an interval carries none */
	for (size_t i = 0; i < l->n; i++)
		if (l->list[i].code == v->code && l->list[i].queue == v->queue &&
		    strcmp(l->list[i].chain ? l->list[i].chain : "", v->chain ? v->chain : "") == 0)
			return;
	l->list[l->n++] = *v;
}

/* A verdict map whose key is not known: each of its verdicts may come. */
static enum flow apply_any(struct walk *w, struct frame *f, uint64_t handle, const char *match,
			   const char *doubt)
{
	struct verdicts *l = xcalloc(1, sizeof(*l));
	const struct nft_set *set = w->packet.doing.any;
	bool all = nft_each_element(w->rules, set, VERDICTS_MAX, collect, l);

	if (!match)
		match = doubt = doubt ? doubt : "a verdict map";
	for (size_t i = 0; i < l->n; i++) {
		w->packet.doing = nft_doing_of(&l->list[i]);
		if (w->packet.doing.act != NFT_ACT_ANY)
			apply(w, f, handle, match, doubt);
	}
	if (!all)
		miss(w, doubt);
	free(l);
	return FLOW_ON;
}

/* ---- chains */

static bool is_late(struct walk *w)
{
	if (++w->n_rules % CLOCK_EVERY == 0 && clock_mono_ns() > w->rules->deadline)
		w->rules->cut = true;
	return w->rules->cut && clock_mono_ns() > w->rules->deadline;
}

/* True: no possible packet comes out of it at its end. */
static bool walk_chain(struct walk *w, struct nft_chain *c, const char *entry, unsigned depth)
{
	struct frame f = {.chain = c, .entry = entry, .depth = depth};
	const struct nlmsghdr *rule;
	size_t offset = 0;

	while ((rule = nft_next_rule(w->rules, c, &offset))) {
		struct nft_packet *p = &w->packet;
		uint64_t handle = nft_rule_handle(rule);
		const char *reached = doubt_of(w, &f);
		p->maybe = reached;
		enum nft_tri match = nft_eval_rule(p, rule);
		if (is_late(w))
			break;
		if (match == NFT_NO)
			continue;
		const char *why = match == NFT_MAYBE ? p->why : NULL;
		switch (apply(w, &f, handle, why, why ? why : reached)) {
		case FLOW_ON: break;
		case FLOW_BACK: return false;
		case FLOW_END: return true;
		}
	}
	if (rule || !c->whole)
		miss(w, NOT_READ);
	return false;
}

static bool is_empty(struct nft_ruleset *r, struct nft_chain *c)
{
	size_t offset = 0;

	return !nft_next_rule(r, c, &offset) && c->whole;
}

static void end_of_base(struct walk *w, bool ended)
{
	if (!ended && w->base->policy_drop) {
		see(w, w->sticky ? WOULD_MAYBE : WOULD_STOP, w->base, 0, FW_DROP, w->sticky);
		w->stopped |= !w->sticky;
	} else if (!ended && !w->open) {
		see(w, WOULD_PASS, w->base, 0, FW_ACCEPT, NULL);
	} else if (w->accepted && !w->open && !w->stopped) {
		see(w, WOULD_PASS, w->accept_chain, w->accept_handle, FW_ACCEPT, NULL);
	}
}

static void walk_base(struct walk *w, struct nft_chain *c, const char *entry)
{
	struct nft_packet *p = &w->packet;

	w->base = c;
	w->sticky = entry;
	w->open = false;
	w->n_maybes = 0;
	w->accepted = false;
	p->family = c->family;
	p->table = c->table;
	if (is_empty(w->rules, c)) {
		if (c->policy_drop)
			end_of_base(w, false);
		return;
	}
	struct nft_word mark = p->mark;
	bool ended = walk_chain(w, c, NULL, 0);
	end_of_base(w, ended);
	/* such a chain has the packet routed anew when its mark has changed */
	if (strcmp(c->type, "route") == 0 && p->stage == NFT_OUTPUT &&
	    (mark.value != p->mark.value || mark.known != p->mark.known)) {
		p->rerouted = true;
		p->out = p->out == NFT_DEV_LO ? NFT_DEV_LO : NFT_DEV_UNKNOWN;
	}
}

/* ---- hooks */

static bool is_nat(const struct nft_chain *c)
{
	return strcmp(c->type, "nat") == 0;
}

/* Chains of type nat are called by the NAT hook, at its own place. */
static int place_of(const struct nft_chain *c, enum nft_stage stage)
{
	if (!is_nat(c))
		return c->priority;
	return stage == NFT_OUTPUT || stage == NFT_PREROUTING ? NF_IP_PRI_NAT_DST
							      : NF_IP_PRI_NAT_SRC;
}

static bool has_device(const struct nft_chain *c, const char *name)
{
	for (unsigned i = 0; i < c->n_devices; i++) {
		size_t n = strlen(c->devices[i]);
		if (strcmp(c->devices[i], name) == 0 ||
		    (n && c->devices[i][n - 1] == '*' && strncmp(c->devices[i], name, n - 1) == 0))
			return true;
	}
	return false;
}

static bool is_at(const struct nft_chain *c, enum nft_stage stage, bool v6, const char *device)
{
	bool inet = c->family == NFPROTO_INET || c->family == (v6 ? NFPROTO_IPV6 : NFPROTO_IPV4);

	switch (stage) {
	case NFT_OUTPUT: return inet && c->hook == NF_INET_LOCAL_OUT;
	case NFT_POSTROUTING: return inet && c->hook == NF_INET_POST_ROUTING;
	case NFT_PREROUTING: return inet && c->hook == NF_INET_PRE_ROUTING;
	case NFT_INPUT: return inet && c->hook == NF_INET_LOCAL_IN;
	case NFT_EGRESS:
		return c->family == NFPROTO_NETDEV && c->hook == NF_NETDEV_EGRESS &&
		       has_device(c, device);
	case NFT_INGRESS:
		return ((c->family == NFPROTO_NETDEV && c->hook == NF_NETDEV_INGRESS) ||
			(c->family == NFPROTO_INET && c->hook == NF_INET_NUMHOOKS)) &&
		       has_device(c, device);
	}
	return false;
}

struct turn_of {
	struct nft_chain *chain;
	int place;
};

/* With equal priorities, the kernel calls the newer chain first; inside NAT by their own. */
static int by_turn(const void *a, const void *b)
{
	const struct turn_of *x = a, *y = b;

	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	if (x->chain->priority != y->chain->priority)
		return x->chain->priority < y->chain->priority ? -1 : 1;
	if (x->chain->in != y->chain->in && x->chain->in && y->chain->in)
		return x->chain->in->handle > y->chain->in->handle ? -1 : 1;
	return x->chain->handle > y->chain->handle ? -1 : x->chain->handle < y->chain->handle;
}

/* Conntrack is called at -200; at the same priority, nobody knows who is first. */
static enum nft_tracking tracking_at(const struct walk *w, int place, enum nft_tracking before,
				     enum nft_tracking of_syn)
{
	const struct nft_packet *p = &w->packet;

	if (before != NFT_UNSEEN || p->stage == NFT_INGRESS)
		return before;
	if (place < NF_IP_PRI_CONNTRACK && (p->stage == NFT_OUTPUT || p->stage == NFT_PREROUTING))
		return before;
	if (p->answer && of_syn != NFT_TRACKED)
		return NFT_TRACKING_UNKNOWN;
	return NFT_TRACKED;
}

static void walk_nat(struct walk *w, struct nft_chain *c, const char *entry)
{
	struct nft_packet *p = &w->packet;

	/* for a connection's first packet, and once for each kind of translation */
	if (p->answer || w->nat_done || p->tracking == NFT_UNTRACKED ||
	    (p->host->loopback && p->stage >= NFT_INGRESS) || w->turns_only)
		return;
	if (p->tracking == NFT_TRACKING_UNKNOWN && !entry)
		entry = "whether conntrack knows the packet";
	walk_base(w, c, entry);
}

static void walk_stage(struct walk *w, enum nft_stage stage, enum nft_tracking of_syn,
		       const char *entry)
{
	struct nft_packet *p = &w->packet;
	struct nft_ruleset *r = w->rules;
	const char *device = p->host->loopback ? "lo" : p->host->watch->oif_name;
	struct turn_of *turns = xcalloc(r->n_chains + 1, sizeof(*turns));
	size_t n = 0;

	p->stage = stage;
	w->nat_done = false;
	for (size_t i = 0; i < r->n_chains; i++) {
		struct nft_chain *c = &r->chains[i];
		if (c->base && c->in && !c->in->dormant && is_at(c, stage, p->host->v6, device))
			turns[n++] = (struct turn_of){.chain = c, .place = place_of(c, stage)};
	}
	qsort(turns, n, sizeof(*turns), by_turn);
	for (size_t i = 0; i < n && !w->stopped; i++) {
		enum nft_tracking before = p->tracking;
		p->tracking = tracking_at(w, turns[i].place, before, of_syn);
		bool both = before == NFT_UNSEEN && turns[i].place == NF_IP_PRI_CONNTRACK &&
			    p->tracking != NFT_UNSEEN;
		if (both)
			p->tracking = NFT_TRACKING_UNKNOWN;
		if (is_nat(turns[i].chain))
			walk_nat(w, turns[i].chain, entry);
		else
			walk_base(w, turns[i].chain, entry);
		if (both && p->tracking == NFT_TRACKING_UNKNOWN)
			p->tracking = before; /* the next one sees it tracked */
	}
	/* behind the hook, with chains or without */
	p->tracking = tracking_at(w, INT32_MAX, p->tracking, of_syn);
	free(turns);
}

static enum nft_device ours(const struct walk *w)
{
	const struct nft_packet *p = &w->packet;

	if (p->host->loopback)
		return NFT_DEV_LO;
	return p->host->watch->oif && !p->turned && !p->rerouted ? NFT_DEV_OURS : NFT_DEV_UNKNOWN;
}

/* A mark can send our SYN to this host itself, where a TPROXY rule waits for it. */
static void detour(const struct walk *w)
{
	struct walk d = *w;

	d.turns_only = true;
	d.packet.in = NFT_DEV_LO;
	d.packet.out = NFT_DEV_NONE;
	walk_stage(&d, NFT_PREROUTING, NFT_TRACKED, "the route for its mark");
}

static void walk_out(struct walk *w, enum nft_tracking of_syn)
{
	struct nft_packet *p = &w->packet;

	p->in = NFT_DEV_NONE;
	p->out = ours(w);
	walk_stage(w, NFT_OUTPUT, of_syn, NULL);
	if (p->rerouted && !w->stopped && !p->answer)
		detour(w);
	if (!w->stopped)
		walk_stage(w, NFT_POSTROUTING, of_syn, NULL);
	/* what goes another way does not come by this interface */
	if (!w->stopped)
		walk_stage(w, NFT_EGRESS, of_syn,
			   p->turned || p->rerouted ? "where an earlier rule sends it" : NULL);
}

static void walk_in(struct walk *w, enum nft_tracking of_syn)
{
	struct nft_packet *p = &w->packet;

	p->in = ours(w);
	p->out = NFT_DEV_NONE;
	if (!w->stopped)
		walk_stage(w, NFT_INGRESS, of_syn,
			   p->turned || p->rerouted ? "where an earlier rule sends it" : NULL);
	if (!w->stopped)
		walk_stage(w, NFT_PREROUTING, of_syn, NULL);
	if (p->answer && w->snatted && !w->stopped)
		nft_packet_restore_own(p);
	if (!w->stopped)
		walk_stage(w, NFT_INPUT, of_syn, NULL);
}

static void walk_port(struct nft_ruleset *r, const struct nft_surroundings *host, uint16_t port,
		      struct arena *text, struct sights *out)
{
	struct walk w = {.rules = r, .out = out, .port = port};
	struct walk back = w;

	nft_packet_syn(&w.packet, host, r, text, port);
	walk_out(&w, NFT_TRACKED);
	if (host->loopback)
		walk_in(&w, NFT_TRACKED);
	nft_packet_answer(&back.packet, &w.packet, w.snatted, port);
	back.snatted = w.snatted;
	/* a packet that is not let out is no reason to say that conntrack would not know it */
	enum nft_tracking of_syn = w.packet.tracking;
	if (host->loopback)
		walk_out(&back, of_syn);
	walk_in(&back, of_syn);
}

/* ---- the result */

static bool same_rule(const struct host_rule *a, const struct host_rule *b)
{
	return a->handle == b->handle && strcmp(a->family, b->family) == 0 &&
	       strcmp(a->table, b->table) == 0 && strcmp(a->chain, b->chain) == 0;
}

/* The words of a rule, from one that has them already or by asking; `late`: without. */
static void fill_text(struct sights *s, size_t at, bool late)
{
	struct host_rule *r = &s->list[at].rule;
	enum fw_verdict verdict = r->verdict;
	struct err e;

	for (size_t i = 0; i < at; i++) {
		const struct host_sight *x = &s->list[i];
		if (x->would == WOULD_PASS || !same_rule(&x->rule, r))
			continue;
		r->backend = x->rule.backend;
		r->number = x->rule.number;
		memcpy(r->text, x->rule.text, sizeof(r->text));
		return;
	}
	if (late || nft_text_fill(r, &e) != 0) {
		if (!r->text[0])
			snprintf(r->text, sizeof(r->text), "rule handle %llu",
				 (unsigned long long)r->handle);
	}
	r->verdict = verdict; /* what it would do was judged here */
}

static void emit_all(struct sights *s, int64_t begin, host_emit *emit, void *arg)
{
	for (size_t i = 0; i < s->n; i++) {
		bool late = clock_mono_ns() - begin > TEXT_MS * NS_PER_MS;
		struct host_record r = watch_record(HOST_SIGHT);
		if (s->list[i].would != WOULD_PASS)
			fill_text(s, i, late);
		r.sight = s->list[i];
		emit(arg, &r);
	}
}

/* Frames of a bridge's own packets come by tables of another family, which are not followed. */
static void mention_bridge(const struct nft_ruleset *r, const struct host_watch *w, host_emit *emit,
			   void *arg)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/class/net/%.16s/bridge", w->oif_name);
	if (!w->oif_name[0] || access(path, F_OK) != 0)
		return;
	for (size_t i = 0; i < r->n_chains; i++) {
		if (!r->chains[i].base || r->chains[i].family != NFPROTO_BRIDGE)
			continue;
		watch_not_looked(emit, arg, HOST_LOOK_RULES,
				 "rules of family bridge are not followed, and %s is a bridge",
				 w->oif_name);
		return;
	}
}

/* 1: the rules changed meanwhile. */
static int inspect_once(const struct host_watch *w, int64_t begin, host_emit *emit, void *arg)
{
	struct nft_surroundings host;
	struct nft_ruleset rules;
	struct sights sights = {.list = NULL};
	struct arena text = {0};
	struct err e;
	int rc;

	rc = nft_ruleset_open(&rules, begin + WALK_MS * NS_PER_MS, &e);
	if (rc != 0) {
		if (rc < 0)
			watch_not_looked(emit, arg, HOST_LOOK_RULES, "%.250s", e.text);
		rc = 0;
		goto out;
	}
	if (rules.n_chains == 0 && !rules.cut && !rules.foreign)
		goto out;
	nft_surroundings_read(&host, w);
	for (unsigned i = 0; i < w->n_rports; i++)
		walk_port(&rules, &host, w->rports[i], &text, &sights);
	if (!nft_ruleset_same(&rules)) {
		rc = 1;
		goto out;
	}
	if (rules.foreign) {
		watch_not_looked(emit, arg, HOST_LOOK_RULES, "the kernel tells of them in a way that is not known here");
		goto out;
	}
	emit_all(&sights, begin, emit, arg);
	if (rules.cut)
		watch_not_looked(emit, arg, HOST_LOOK_RULES,
				 "not all rules could be read: %u in the time or room given",
				 rules.n_rules);
	else if (sights.full)
		watch_not_looked(emit, arg, HOST_LOOK_RULES, "more rules than can be listed");
	mention_bridge(&rules, w, emit, arg);
out:
	free(sights.list);
	arena_clear(&text);
	nft_ruleset_close(&rules);
	return rc;
}

void nft_inspect(const struct host_watch *w, host_emit *emit, void *arg)
{
	int64_t begin = clock_mono_ns();

	if (w->remote.family == ADDR_NONE)
		return;
	for (int i = 0; i < ATTEMPTS; i++) {
		if (inspect_once(w, begin, emit, arg) == 0)
			return;
		if (clock_mono_ns() - begin > WALK_MS * NS_PER_MS)
			break;
	}
	watch_not_looked(emit, arg, HOST_LOOK_RULES,
			 "the rules change faster than they can be read");
}
