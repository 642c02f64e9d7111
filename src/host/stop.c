/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Who stopped a route lookup. The kernel gives an errno and never the rule or
 * the route, so its walk is repeated here over the rules and, in each table
 * that a rule sends the packet to, over the routes that end a lookup.
 *
 * Only two types are asked for: the one that gives this errno, and throw,
 * which leaves a table. No others are needed: had the kernel met a usable
 * route of another type first, the lookup would have ended otherwise. For the
 * commonest failure, no route at all, no table is read. The kernel filters by
 * table and type (Linux 4.20), so that the routes of a full BGP table stay
 * there; it walks them, at some 150 ms for each type and million routes.
 */
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netlink/msg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "host/rule.h"
#include "host/words.h"

/* The type of route that makes a lookup fail so; RTN_UNSPEC: none does. */
static uint8_t type_by_errno(int error)
{
	switch (error) {
	case EINVAL: return RTN_BLACKHOLE;
	case EHOSTUNREACH: return RTN_UNREACHABLE;
	case EACCES: return RTN_PROHIBIT;
	default: return RTN_UNSPEC;
	}
}

static int errno_of_rule(unsigned action)
{
	switch (action) {
	case FR_ACT_BLACKHOLE: return EINVAL;
	case FR_ACT_UNREACHABLE: return ENETUNREACH;
	case FR_ACT_PROHIBIT: return EACCES;
	default: return 0;
	}
}

/* ---- one table --------------------------------------------------------------------------- */

struct table_search {
	uint32_t table;
	uint8_t type; /* RTN_*: this, or throw */
	bool no_throw;
	const struct addr *dst, *src;
	struct nlmsghdr *best; /* malloc'd copy, NULL: none */
	unsigned best_len, best_type;
	uint32_t best_metric;
};

static void forget_best(struct table_search *s)
{
	free(s->best);
	s->best = NULL;
}

static bool covers(const struct rtmsg *r, struct nlattr *const *a, const struct table_search *s)
{
	const struct addr dst = netlink_addr(r->rtm_family, a[RTA_DST]);
	const struct addr src = netlink_addr(r->rtm_family, a[RTA_SRC]);

	if (r->rtm_dst_len > 0 && addr_common_prefix(&dst, s->dst) < r->rtm_dst_len)
		return false;
	/* IPv6 subtrees: "from" a source */
	return r->rtm_src_len == 0 ||
	       (addr_is_set(s->src) && addr_common_prefix(&src, s->src) >= r->rtm_src_len);
}

static void on_route(const struct nlmsghdr *m, void *arg)
{
	struct table_search *s = arg;
	struct nlattr *a[RTA_MAX + 1];

	if (!m) {
		forget_best(s);
		return;
	}
	const struct rtmsg *r = nlmsg_data(m);
	if (m->nlmsg_type != RTM_NEWROUTE || !netlink_parse(m, sizeof(*r), a, RTA_MAX))
		return;
	uint32_t table = a[RTA_TABLE] ? netlink_u32(a[RTA_TABLE]) : r->rtm_table;
	uint32_t metric = netlink_u32(a[RTA_PRIORITY]);
	/* a kernel without strict checking sends everything; our packets have no tos */
	if (table != s->table || r->rtm_family != netlink_family(s->dst) ||
	    (r->rtm_type != s->type && (s->no_throw || r->rtm_type != RTN_THROW)) || r->rtm_tos != 0 ||
	    (r->rtm_flags & RTM_F_CLONED) || !covers(r, a, s))
		return;
	/* IPv6's own end of every table, not somebody's setting */
	if (r->rtm_family == AF_INET6 && r->rtm_dst_len == 0 && metric == UINT32_MAX)
		return;
	if (s->best && (r->rtm_dst_len < s->best_len ||
			(r->rtm_dst_len == s->best_len && metric >= s->best_metric)))
		return;
	forget_best(s);
	s->best = xcalloc(1, m->nlmsg_len);
	memcpy(s->best, m, m->nlmsg_len);
	s->best_len = r->rtm_dst_len;
	s->best_type = r->rtm_type;
	s->best_metric = metric;
}

static int search_table(struct host *h, struct table_search *s, struct err *e)
{
	const uint8_t types[] = {s->type, RTN_THROW};
	size_t n = h->strict && !s->no_throw ? sizeof(types) : 1;

	for (size_t i = 0; i < n; i++) {
		const struct rtmsg header = {
		    .rtm_family = (uint8_t)netlink_family(s->dst),
		    .rtm_type = h->strict ? types[i] : RTN_UNSPEC,
		};
		struct nl_msg *msg =
		    netlink_request(RTM_GETROUTE, NLM_F_DUMP, &header, sizeof(header));
		int answer;
		netlink_put(msg, RTA_TABLE, &s->table, sizeof(s->table));
		if (netlink_ask(h, msg, on_route, s, &answer, e) != 0)
			return -1;
		if (answer != 0 && answer != ENOENT) /* ENOENT: no such table */
			return err_set(e, ERR_RUN, "netlink: routes: %s", strerror(answer));
	}
	return 0;
}

/* ---- the walk ---------------------------------------------------------------------------- */

struct walk {
	struct host *h;
	struct rule_packet packet;
	struct host_route *out;
	enum { BLAME, WOULD, THROW } mode; /* who stops it; what would be taken without; who throws */
	bool uncertain; /* a rule that can't be judged came before */
	bool ended;
};

static void blame_route(struct walk *w, const struct table_search *s)
{
	struct host_route *out = w->out;

	out->stop = ROUTE_STOP_ROUTE;
	snprintf(out->stop_type, sizeof(out->stop_type), "%s", words_stop_type(s->best_type));
	words_table(s->table, out->stop_table, sizeof(out->stop_table));
	words_route(w->h, s->best, out->stop_text, sizeof(out->stop_text));
	w->ended = true;
}

static void blame_rule(struct walk *w, const struct rule *r)
{
	/* RTN_ types and FR_ACT_ actions share their numbers for these three */
	_Static_assert((int)FR_ACT_PROHIBIT == (int)RTN_PROHIBIT &&
			   (int)FR_ACT_BLACKHOLE == (int)RTN_BLACKHOLE &&
			   (int)FR_ACT_UNREACHABLE == (int)RTN_UNREACHABLE,
		       "linux/fib_rules.h");
	struct host_route *out = w->out;

	out->stop = ROUTE_STOP_RULE;
	out->stop_priority = r->priority;
	snprintf(out->stop_type, sizeof(out->stop_type), "%s", words_stop_type(r->action));
	rule_words(r, out->stop_text, sizeof(out->stop_text));
	w->ended = true;
}

/* Nothing that was found explains the errno: a source that is not ours, a link that is down, a
 * change meanwhile, or a selector that can't be judged. */
static void blame_nobody(struct walk *w)
{
	w->out->stop = ROUTE_STOP_OTHER;
	w->ended = true;
}

/* The best usable route of the table, whatever else is in there. */
static int visit_table_for_would(struct walk *w, uint32_t table, struct err *e)
{
	struct table_search s = {
	    .table = table, .type = RTN_UNICAST, .no_throw = true, .dst = &w->packet.dst,
	    .src = &w->packet.src};
	int rc = search_table(w->h, &s, e);

	if (rc == 0 && s.best && s.best_type == RTN_UNICAST) {
		words_route(w->h, s.best, w->out->would_text, sizeof(w->out->would_text));
		w->ended = true;
	}
	forget_best(&s);
	return rc;
}

/* The first throw route that covers the destination. */
static int visit_table_for_throw(struct walk *w, uint32_t table, struct err *e)
{
	struct table_search s = {
	    .table = table, .type = RTN_THROW, .dst = &w->packet.dst, .src = &w->packet.src};
	int rc = search_table(w->h, &s, e);

	if (rc == 0 && s.best)
		blame_route(w, &s);
	forget_best(&s);
	return rc;
}

static int visit_table(struct walk *w, uint32_t table, struct err *e)
{
	if (w->mode == WOULD)
		return visit_table_for_would(w, table, e);
	if (w->mode == THROW)
		return visit_table_for_throw(w, table, e);
	struct table_search s = {.table = table,
				 .type = type_by_errno(w->out->error),
				 .dst = &w->packet.dst,
				 .src = &w->packet.src};

	if (s.type == RTN_UNSPEC)
		return 0;
	int rc = search_table(w->h, &s, e);
	/* suppress_prefixlength and suppress_ifgroup look at routes that were found, never at those
	 * that end a lookup */
	if (rc == 0 && s.best && s.best_type != RTN_THROW) {
		if (w->uncertain)
			blame_nobody(w);
		else
			blame_route(w, &s);
	}
	forget_best(&s);
	return rc;
}

/* Index of the first rule with this priority, as the kernel resolves a goto; n: none. */
static size_t goto_target(const struct rules *rules, size_t from, uint32_t priority)
{
	size_t i = from + 1; /* only forward: the kernel refuses others */

	while (i < rules->n && rules->list[i].priority != priority)
		i++;
	return i;
}

static int walk_rules(struct walk *w, const struct rules *rules, struct err *e)
{
	uint32_t visited = UINT32_MAX; /* rules for one table often come in rows */

	for (size_t i = 0; i < rules->n && !w->ended;) {
		const struct rule *r = &rules->list[i];
		enum rule_match match = rule_match(r, &w->packet);
		size_t next = i + 1;

		if (match == RULE_MAYBE)
			w->uncertain = true;
		if (match == RULE_YES) {
			switch (r->action) {
			case FR_ACT_TO_TBL:
				if (r->table != visited && visit_table(w, r->table, e) != 0)
					return -1;
				visited = r->table;
				break;
			case FR_ACT_GOTO:
				next = goto_target(rules, i, r->target);
				if (next == rules->n) /* unresolved: as if it were not there */
					next = i + 1;
				break;
			case FR_ACT_NOP: break;
			default:
				if (w->mode != BLAME)
					break;
				if (errno_of_rule(r->action) == w->out->error && !w->uncertain)
					blame_rule(w, r);
				else
					blame_nobody(w);
			}
		}
		i = next;
	}
	return 0;
}

static void blame_absence(struct walk *w, const struct route_query *q)
{
	struct host_route *out = w->out;
	char address[ADDR_TEXT_MAX], name[IFNAMSIZ];
	struct addr dst = q->dst;

	dst.scope = 0;
	addr_text(&dst, address);
	out->stop = ROUTE_STOP_NO_ROUTE;
	snprintf(out->stop_type, sizeof(out->stop_type), "none");
	words_table(RT_TABLE_MAIN, out->stop_table, sizeof(out->stop_table));
	if (q->oif)
		snprintf(out->stop_text, sizeof(out->stop_text), "no route to %s dev %s", address,
			 netlink_link_name(w->h, q->oif, name));
	else
		snprintf(out->stop_text, sizeof(out->stop_text), "no route to %s", address);
}

static void walk_again(struct walk *w, const struct rules *rules, int mode)
{
	struct err ignored;

	w->mode = mode;
	w->ended = false;
	walk_rules(w, rules, &ignored);
}

/* No route, since a throw route keeps the lookup from the one that its table has? */
static void blame_throw(struct walk *w, const struct rules *rules)
{
	struct host_route none = *w->out;

	walk_again(w, rules, THROW);
	if (w->out->stop != ROUTE_STOP_ROUTE)
		return;
	walk_again(w, rules, WOULD);
	if (!w->out->would_text[0])
		*w->out = none;
}

bool host_get_mark_rule(struct host *h, const struct route_query *q, struct host_mark_rule *out)
{
	struct rules rules = {0};
	struct rule_packet packet = {.src = q->src,
				     .dst = q->dst,
				     .uid = geteuid(),
				     .ip_proto = IPPROTO_TCP,
				     .dport = q->dport};
	struct err ignored;
	bool found = false;

	if (rules_read(h, netlink_family(&q->dst), &rules, &ignored) != 0)
		return false;
	for (size_t i = 0; i < rules.n && !found; i++) {
		struct rule unmarked = rules.list[i];
		bool marks = unmarked.has_mark && unmarked.mark != 0;
		unmarked.has_mark = unmarked.has_mask = false;
		unmarked.mark = unmarked.mask = 0;
		found = marks && errno_of_rule(unmarked.action) &&
			rule_match(&unmarked, &packet) == RULE_YES;
		if (!found)
			continue;
		*out = (struct host_mark_rule){.port = q->dport, .priority = unmarked.priority};
		snprintf(out->type, sizeof(out->type), "%s", words_stop_type(unmarked.action));
		rule_words(&rules.list[i], out->text, sizeof(out->text));
	}
	rules_clear(&rules);
	return found;
}

void stop_find(struct host *h, const struct route_query *q, const struct addr *source,
	       struct host_route *out)
{
	struct walk w = {.h = h, .out = out};
	struct rules rules = {0};
	char oif[IFNAMSIZ];
	struct err e;

	w.packet = (struct rule_packet){.src = *source,
					.dst = q->dst,
					.uid = geteuid(),
					.ip_proto = IPPROTO_TCP,
					.sport = q->sport,
					.dport = q->dport};
	if (q->oif) {
		w.packet.oif = netlink_link_name(h, q->oif, oif);
		w.packet.in_vrf = netlink_link_in_vrf(h, q->oif);
	}
	bool own_source = true;
	int rc = rules_read(h, netlink_family(&q->dst), &rules, &e);
	if (rc == 0)
		rc = walk_rules(&w, &rules, &e);
	/* IPv4 refuses a source that is not its own before it looks at any table */
	if (rc == 0 && !w.ended && q->src.family == ADDR_V4)
		rc = host_has_address(h, &q->src, &own_source, NULL, &e);
	if (rc == 0 && !w.ended && out->error == ENETUNREACH && own_source && !w.uncertain)
		blame_absence(&w, q);
	else if (!w.ended)
		blame_nobody(&w);
	if (rc == 0 && out->stop == ROUTE_STOP_NO_ROUTE)
		blame_throw(&w, &rules);
	else if (rc == 0 && (out->stop == ROUTE_STOP_ROUTE || out->stop == ROUTE_STOP_RULE))
		walk_again(&w, &rules, WOULD);
	rules_clear(&rules);
}
