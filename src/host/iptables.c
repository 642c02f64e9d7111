/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading the tables, and what a walk through them (iptables_walk.c) finds, as records. */
#include "host/iptables.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "host/child.h"
#include "host/iptables_walk.h"

#define READ_MS    2000
#define READ_BYTES (64u << 20)

/* A chain that is jumped to from many places is walked each time: hostile rules could take for
 * ever. */
#define WALK_NS (1500 * NS_PER_MS)

#define COUNTED_MAX 8  /* records for one port */
#define MAYBES_MAX  12 /* for one packet: beyond that nobody reads them */

/* ---- reading ---- */

/* Without it the tables' list is not there either, which is how a kernel without tables looks. */
bool iptables_can_be_seen(void)
{
	return access("/proc/thread-self/net/dev", F_OK) == 0;
}

bool iptables_present(enum addr_family family)
{
	const char *path = family == ADDR_V4 ? "/proc/thread-self/net/ip_tables_names"
					     : "/proc/thread-self/net/ip6_tables_names";
	char c;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) /* unreadable: iptables_read() will say why */
		return errno != ENOENT || !iptables_can_be_seen();
	bool some = read(fd, &c, 1) == 1;
	close(fd);
	return some;
}

/* nf_tables rules by iptables' name: not what was asked for. */
static bool is_nft(const struct child_output *o)
{
	size_t line = strcspn(o->text, "\n");

	return memmem(o->text, line, "nf_tables", 9) != NULL;
}

int iptables_read(struct iptables **out, enum addr_family family, struct err *e)
{
	bool v4 = family == ADDR_V4;
	const char *const programs[][4] = {
		{v4 ? "iptables-legacy-save" : "ip6tables-legacy-save", "-c"},
		{"xtables-legacy-multi", v4 ? "iptables-save" : "ip6tables-save", "-c"},
		{v4 ? "iptables-save" : "ip6tables-save", "-c"},
	};
	const size_t n = sizeof(programs) / sizeof(programs[0]);
	struct child_output o;
	size_t i = 0;

	if (!iptables_can_be_seen())
		return err_set(e, ERR_RUN, "/proc is not there, or tells nothing");
	while (i + 1 < n && !child_exists(programs[i][0]))
		i++;
	if (child_run(programs[i], NULL, READ_MS, READ_BYTES, &o, e) != 0)
		return -1;
	if (is_nft(&o)) {
		child_output_free(&o);
		return err_set(e, ERR_RUN, "%s is not installed", programs[0][0]);
	}
	return ipt_take(out, family, o.text, o.len, e);
}

/* ---- what moved ---- */

static uint64_t difference(struct moved *m, uint64_t before, uint64_t after)
{
	if (after >= before)
		return after - before;
	if (before > UINT64_MAX / 2 && after < UINT64_MAX / 2)
		return after - before; /* wrapped */
	m->shaky = true;
	return after;
}

static bool same_text(const struct ipt_rule *a, const struct ipt_rule *b)
{
	return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

/* Rules are added and taken away one at a time; the rest stays in its order. */
#define LOOK_AHEAD 64

static void compare_rules(struct moved *m, const struct ipt_chain *a, const struct ipt_chain *b)
{
	uint64_t *out = m->rules + (b->rules - m->table->rules);
	size_t ia = 0;

	for (size_t i = 0; i < b->n_rules; i++) {
		size_t j = ia;
		while (j < a->n_rules && j < ia + LOOK_AHEAD &&
		       !same_text(&a->rules[j], &b->rules[i]))
			j++;
		bool found = j < a->n_rules && j < ia + LOOK_AHEAD;
		m->shaky |= !found || j != ia;
		out[i] = difference(m, found ? a->rules[j].packets : 0, b->rules[i].packets);
		if (found)
			ia = j + 1;
	}
	m->shaky |= ia != a->n_rules;
}

static struct moved compare_table(const struct iptables *before, const struct ipt_table *t)
{
	static const struct ipt_chain none;
	struct moved m = {.table = t};
	const struct ipt_table *old = ipt_table(before, t->name);

	m.shaky = !old || old->n_chains != t->n_chains;
	m.rules = xcalloc(t->n_rules + 1, sizeof(*m.rules));
	m.policies = xcalloc(t->n_chains + 1, sizeof(*m.policies));
	for (size_t i = 0; i < t->n_chains; i++) {
		const struct ipt_chain *b = &t->chains[i];
		const struct ipt_chain *a = old ? ipt_chain(old, b->name) : NULL;
		m.shaky |= !a || strcmp(a->policy, b->policy) != 0;
		m.policies[i] = difference(&m, a ? a->packets : 0, b->packets);
		if (b->n_rules || (a && a->n_rules))
			compare_rules(&m, a ? a : &none, b);
	}
	return m;
}

/* ---- records ---- */

#define N(array) (sizeof(array) / sizeof((array)[0]))

static void fill_rule(const struct iptables *t, const struct deed *d, struct host_rule *out)
{
	char policy[IPT_NAME_MAX + 24];

	out->backend = FW_IPTABLES_LEGACY;
	out->verdict = d->verdict;
	out->policy = !d->rule;
	out->priority = d->priority;
	snprintf(out->family, sizeof(out->family), "%s", t->family == ADDR_V4 ? "ip" : "ip6");
	snprintf(out->hook, sizeof(out->hook), "%s", d->hook);
	watch_text(out->table, sizeof(out->table), d->table->name, strlen(d->table->name));
	watch_text(out->base_chain, sizeof(out->base_chain), d->base->name, strlen(d->base->name));
	if (d->rule) {
		watch_text(out->chain, sizeof(out->chain), d->chain->name, strlen(d->chain->name));
		watch_text(out->text, sizeof(out->text), d->rule->text, d->rule->len);
		out->number = (unsigned)(d->rule - d->chain->rules) + 1;
	} else {
		memcpy(out->chain, out->base_chain, sizeof(out->chain));
		int n = snprintf(policy, sizeof(policy), "-P %s %s", d->base->name,
				 d->base->policy);
		watch_text(out->text, sizeof(out->text), policy, (size_t)n);
	}
}

/* ---- with counters ---- */

struct suspects {
	struct deed list[COUNTED_MAX];
	unsigned n;
};

/* The surest first; as sure, in the order of the packet's way. */
static void suspect(struct walk *w, const struct deed *d)
{
	struct suspects *s = w->arg;
	unsigned at = s->n;

	while (at > 0 && s->list[at - 1].odds.truth < d->odds.truth)
		at--;
	if (at == COUNTED_MAX)
		return;
	unsigned behind = s->n < COUNTED_MAX ? s->n - at : COUNTED_MAX - 1 - at;
	memmove(&s->list[at + 1], &s->list[at], behind * sizeof(*d));
	s->list[at] = *d;
	if (s->n < COUNTED_MAX)
		s->n++;
}

static bool is_certain(const struct deed *d)
{
	return is_sure(d->odds) && !d->shaky;
}

/* Our packet was given to a program, is in no counter behind that, and nobody else can have it: it
 * was kept. */
static void settle_queue(struct suspects *s, unsigned missed)
{
	struct deed *d = &s->list[0];

	if (s->n == 1 && d->queue && missed > 0 && d->odds.truth == IPT_MAYBE &&
	    d->odds.reasons == IPT_BY_QUEUE)
		d->odds.truth = IPT_LIKELY;
}

static void emit_suspects(const struct walk *w, const struct suspects *s, uint16_t dport,
			  host_emit *emit, void *arg)
{
	for (unsigned i = 0; i < s->n; i++) {
		const struct deed *d = &s->list[i];
		struct host_record r = watch_record(HOST_COUNTED);
		fill_rule(w->t, d, &r.counted.rule);
		r.counted.inbound = d->inbound;
		r.counted.dport = dport;
		r.counted.moved = d->moved;
		r.counted.certain = is_certain(d);
		emit(arg, &r);
	}
}

/* Somebody who surely stopped it, so that nothing came back. */
static bool surely_stopped(const struct suspects *s)
{
	for (unsigned i = 0; i < s->n; i++)
		if (is_certain(&s->list[i]) && s->list[i].verdict <= FW_QUEUE)
			return true;
	return false;
}

static void compare_port(struct walk *w, const struct host_watch *watch, uint16_t dport,
			 host_emit *emit, void *arg)
{
	struct suspects out = {.n = 0}, in = {.n = 0};

	w->arg = &out;
	ipt_walk_out(w, watch, &dport);
	settle_queue(&out, w->missed);
	emit_suspects(w, &out, dport, emit, arg);
	if (surely_stopped(&out))
		return;
	w->missed = 0;
	w->arg = &in;
	ipt_walk_in(w, watch, &dport, w->packet.turned, w->packet.untracked);
	settle_queue(&in, w->missed);
	emit_suspects(w, &in, dport, emit, arg);
}

static void not_followed(host_emit *emit, void *arg)
{
	watch_not_looked(emit, arg, HOST_LOOK_IPTABLES,
			 "too many rules to follow them all");
}

void iptables_compare(const struct iptables *a, const struct iptables *b,
		      const struct host_watch *w, uint16_t dport, host_emit *emit, void *arg)
{
	struct moved moved[IPT_TABLES_MAX];
	struct walk walk = {.t = b, .moved = moved, .on_deed = suspect};

	walk.deadline = clock_mono_ns() + WALK_NS;
	for (size_t i = 0; i < b->n_tables; i++)
		moved[i] = compare_table(a, &b->tables[i]);
	if (w->remote.family == b->family)
		compare_port(&walk, w, dport, emit, arg);
	if (walk.exhausted)
		not_followed(emit, arg);
	for (size_t i = 0; i < b->n_tables; i++) {
		free(moved[i].rules);
		free(moved[i].policies);
	}
}

/* ---- without ---- */

struct look {
	uint16_t port;
	unsigned n_maybe;
	host_emit *emit;
	void *arg;
};

static void join_reasons(uint32_t reasons, char *out, size_t size)
{
	static const char *const words[] = {
		"the packet's address",
		"the source port",
		"the interface",
		"the socket's owner",
		"conntrack's entry",
		"the packet's mark",
		"a rate limit",
		"an ipset",
		"a list of recent addresses",
		"chance",
		"a quota",
		"the number of connections",
		"the time",
		"the program's cgroup",
		"the packet's header",
		"the packet's bytes",
		"an IPsec policy",
		"the route",
		"the sender's MAC address",
		"the receiving socket",
		"the program that the packet is handed to",
		"a target that is not understood",
		"a match that is not understood",
	};
	size_t len = 0;

	*out = '\0';
	for (size_t i = 0; i < N(words); i++)
		if (reasons & (UINT32_C(1) << i) && len + strlen(words[i]) + 3 < size)
			len += (size_t)snprintf(out + len, size - len, "%s%s", len ? ", " : "",
						words[i]);
}

static enum host_would would_of(const struct deed *d)
{
	if (!is_sure(d->odds))
		return WOULD_MAYBE;
	switch (d->verdict) {
	case FW_REDIRECT:
	case FW_DNAT:
	case FW_TPROXY: return WOULD_REDIRECT;
	case FW_ACCEPT: return WOULD_PASS;
	case FW_DROP:
	case FW_REJECT:
	case FW_QUEUE: break;
	}
	return WOULD_STOP;
}

static void emit_sight(const struct walk *w, const struct deed *d)
{
	struct look *l = w->arg;
	struct host_record r = watch_record(HOST_SIGHT);

	r.sight.port = l->port;
	r.sight.inbound = d->inbound;
	r.sight.would = would_of(d);
	fill_rule(w->t, d, &r.sight.rule);
	if (r.sight.would == WOULD_MAYBE)
		join_reasons(d->odds.reasons, r.sight.depends, sizeof(r.sight.depends));
	l->emit(l->arg, &r);
}

static void see_deed(struct walk *w, const struct deed *d)
{
	struct look *l = w->arg;

	if (d->odds.truth <= IPT_UNLIKELY)
		return;
	if (!is_sure(d->odds) && l->n_maybe++ >= MAYBES_MAX)
		return;
	emit_sight(w, d);
}

static void see_pass(struct walk *w)
{
	struct deed d = w->accept;

	if (!d.base || w->n_maybe > 0 || w->turns_only)
		return;
	d.odds = (struct odds){IPT_YES, 0}; /* not that this rule accepts it, but that one does */
	emit_sight(w, &d);
}

static void inspect_port(struct walk *w, const struct host_watch *watch, struct look *l)
{
	w->arg = l;
	ipt_walk_out(w, watch, &l->port);
	l->n_maybe = 0;
	/* the answer of one that was turned comes from elsewhere, by ways of its own */
	if (w->packet.turned < IPT_LIKELY)
		ipt_walk_in(w, watch, &l->port, w->packet.turned, w->packet.untracked);
}

void iptables_inspect(const struct iptables *t, const struct host_watch *w, host_emit *emit,
		      void *arg)
{
	struct walk walk = {.t = t, .on_deed = see_deed, .on_pass = see_pass};
	struct look look = {.emit = emit, .arg = arg};

	walk.deadline = clock_mono_ns() + WALK_NS;
	for (unsigned i = 0; i < w->n_rports && w->remote.family == t->family; i++) {
		look.port = w->rports[i];
		look.n_maybe = 0;
		inspect_port(&walk, w, &look);
	}
	if (walk.exhausted)
		not_followed(emit, arg);
}
