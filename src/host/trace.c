/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/trace.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/trace.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/clock.h"
#include "host/nfnl.h"
#include "host/nft_text.h"
#include "host/trace_table.h"
#include "model/packet.h"

#define PACKETS_MAX  128 /* under way, or of interest and not yet told */
#define LOCAL_RULES  4   /* that a packet met in prerouting: candidates for a transparent proxy */
#define TELL_PASSED  4   /* records for each source port and direction */
#define TELL_STOPPED 8
#define RULES_KNOWN  8

/* About 1.3 kB of socket memory an event, ten events a packet: a second of a whole dialogue with
 * a large set of matching rules. */
#define EVENTS_BUFFER (16 << 20)
#define READ_AT_ONCE  8192

/* From a packet's first hook to its last no time passes, unless a program holds it. */
#define SETTLED_NS     (3 * NS_PER_MS)
#define SETTLE_TRIES   10
#define QUEUE_PATIENCE (200 * NS_PER_MS)
/* A packet whose id changes on its way (it does with the interface) is known by its headers, for
 * less time than any retransmission takes. */
#define SAME_PACKET_NS (50 * NS_PER_MS)
/* For the words of all rules of one answer. One that is begun may take 2 s, and whoever asked waits
 * 3 s for the answer. */
#define TEXTS_NS (900 * NS_PER_MS)

struct headers {
	struct addr src, dst;
	uint16_t sport, dport;
	uint32_t seq, ack;
	uint8_t flags; /* enum tcp_flag */
};

/* A rule, or the policy of a base chain. Compared as bytes: zeroed before it is filled. */
struct rule_ref {
	uint8_t family; /* NFPROTO_* */
	bool policy;
	uint64_t handle;
	char table[RECORD_NAME_MAX];
	char chain[RECORD_NAME_MAX];
	char base[RECORD_NAME_MAX];
};

struct traced {
	uint32_t id;
	bool live; /* `id` is its own still: no other packet's headers came with it since */
	bool inbound;
	unsigned lport;  /* index into the watch */
	int64_t t_ns;    /* first seen: wall clock */
	int64_t touched; /* last seen: monotonic clock */
	struct headers first, now;
	uint32_t iif, oif;
	enum waypoint at;   /* where it was seen last */
	enum waypoint last; /* the farthest: through stacked devices it goes by some twice */
	uint32_t in_device, out_device; /* of netdev's hooks, as last seen; 0: none */
	struct rule_ref base;           /* the base chain that it is in */
	bool stopped, queued;           /* queued: by `stop`, and not seen since */
	struct rule_ref stop;
	struct rule_ref accepted; /* the rule that ended the last chain; handle 0: none did */
	bool turned;
	struct rule_ref turn; /* handle 0: not known */
	struct rule_ref local[LOCAL_RULES];
	unsigned n_local;
	bool told, told_stop, told_turn;
};

/* What the kernel and nft say of a rule. */
struct known_rule {
	struct rule_ref ref;
	bool nat; /* in a base chain of that type */
	bool asked;
	int answer;
	struct host_rule rule;
};

struct trace {
	struct host_watch watch;
	struct trace_table table;
	struct nl_sock *events;
	bool lost, tell_loss;
	unsigned n_packets; /* in the order in which they came */
	struct traced packets[PACKETS_MAX];
	unsigned n_known;
	struct known_rule known[RULES_KNOWN];
	unsigned passed[WATCH_MAX_LOCAL][2], stopped[WATCH_MAX_LOCAL][2]; /* records told */
};

/* ---- opening and closing ---- */

static int on_event(struct nl_msg *msg, void *arg);

static int open_events(struct trace *t, struct err *e)
{
	const int room = EVENTS_BUFFER;
	int rc;

	t->events = nl_socket_alloc();
	if (!t->events)
		return err_set(e, ERR_RUN, "netlink: out of memory");
	nl_socket_disable_seq_check(t->events);
	nl_socket_modify_cb(t->events, NL_CB_VALID, NL_CB_CUSTOM, on_event, t);
	rc = nl_connect(t->events, NETLINK_NETFILTER);
	if (rc < 0)
		return trace_table_failed(e, "netlink", rc);
	int fd = nl_socket_get_fd(t->events);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) != 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	nl_socket_set_msg_buf_size(t->events, 16384);
	nl_socket_disable_msg_peek(t->events);
	rc = nl_socket_add_membership(t->events, NFNLGRP_NFTRACE);
	if (rc < 0)
		return trace_table_failed(e, "nf_tables trace", rc);
	nl_socket_set_nonblocking(t->events);
	return 0;
}

int trace_open(struct trace **out, const struct host_watch *w, struct err *e)
{
	struct trace *t;

	*out = NULL;
	if (!addr_is_set(&w->remote) || w->n_lports == 0 || w->n_rports == 0)
		return err_set(e, ERR_RUN, "nf_tables trace: no packets to watch");
	t = xcalloc(1, sizeof(*t));
	t->watch = *w;
	if (trace_table_open(&t->table, &t->watch, e) != 0 || open_events(t, e) != 0 ||
	    trace_table_make(&t->table, e) != 0)
		goto out;
	*out = t;
	return 0;
out:
	trace_close(t);
	return -1;
}

void trace_close(struct trace *t)
{
	if (!t)
		return;
	trace_table_close(&t->table); /* the tables first: no event that nobody reads */
	nl_socket_free(t->events);
	free(t);
}

int trace_fd(const struct trace *t)
{
	return nl_socket_get_fd(t->events);
}

/* ---- events ---- */

struct event {
	uint32_t id;
	bool headed; /* the first one in a base chain: it has the fields of this block */
	struct headers h;
	uint32_t iif, oif; /* 0: none */

	uint8_t family; /* NFPROTO_* of the table */
	const char *table, *chain;
	enum waypoint way; /* WAY_NONE: not our table */
	bool policy;
	uint64_t handle;  /* 0: not a rule */
	uint32_t verdict; /* NF_* or NFT_* */
};

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)be16(p) << 16 | be16(p + 2);
}

static bool read_headers(const struct nftnl_trace *n, struct headers *h)
{
	uint32_t ip_len = 0, tcp_len = 0;
	const uint8_t *ip = nftnl_trace_get_data(n, NFTNL_TRACE_NETWORK_HEADER, &ip_len);
	const uint8_t *tcp = nftnl_trace_get_data(n, NFTNL_TRACE_TRANSPORT_HEADER, &tcp_len);

	if (!ip || !tcp || ip_len < 20 || tcp_len < 20)
		return false;
	if (ip[0] >> 4 == 4 && ip[9] == IPPROTO_TCP) {
		h->src = addr_v4(ip + 12);
		h->dst = addr_v4(ip + 16);
	} else if (ip[0] >> 4 == 6 && ip_len >= 40 && ip[6] == IPPROTO_TCP) {
		h->src = addr_v6(ip + 8);
		h->dst = addr_v6(ip + 24);
	} else {
		return false;
	}
	h->sport = be16(tcp);
	h->dport = be16(tcp + 2);
	h->seq = be32(tcp + 4);
	h->ack = be32(tcp + 8);
	h->flags = tcp[13];
	return true;
}

static bool read_event(const struct trace *t, const struct nftnl_trace *n, struct event *ev)
{
	memset(ev, 0, sizeof(*ev));
	ev->table = nftnl_trace_get_str(n, NFTNL_TRACE_TABLE);
	ev->chain = nftnl_trace_get_str(n, NFTNL_TRACE_CHAIN);
	if (!ev->table || !ev->chain || !nftnl_trace_is_set(n, NFTNL_TRACE_ID))
		return false;
	ev->id = nftnl_trace_get_u32(n, NFTNL_TRACE_ID);
	ev->family = (uint8_t)nftnl_trace_get_u32(n, NFTNL_TRACE_FAMILY);
	ev->way = trace_table_way(&t->table, ev->family, ev->table, ev->chain);
	ev->policy = nftnl_trace_get_u32(n, NFTNL_TRACE_TYPE) == NFT_TRACETYPE_POLICY;
	if (nftnl_trace_is_set(n, NFTNL_TRACE_RULE_HANDLE))
		ev->handle = nftnl_trace_get_u64(n, NFTNL_TRACE_RULE_HANDLE);
	if (ev->policy)
		ev->verdict = nftnl_trace_get_u32(n, NFTNL_TRACE_POLICY);
	else if (nftnl_trace_is_set(n, NFTNL_TRACE_VERDICT))
		ev->verdict = nftnl_trace_get_u32(n, NFTNL_TRACE_VERDICT);
	else
		ev->verdict = (uint32_t)NFT_CONTINUE;
	/* what has a network header but is no TCP that can be read still begins a base chain */
	ev->headed = nftnl_trace_is_set(n, NFTNL_TRACE_NETWORK_HEADER);
	if (ev->headed && !read_headers(n, &ev->h))
		memset(&ev->h, 0, sizeof(ev->h));
	if (nftnl_trace_is_set(n, NFTNL_TRACE_IIF))
		ev->iif = nftnl_trace_get_u32(n, NFTNL_TRACE_IIF);
	if (nftnl_trace_is_set(n, NFTNL_TRACE_OIF))
		ev->oif = nftnl_trace_get_u32(n, NFTNL_TRACE_OIF);
	return true;
}

static bool has_port(const uint16_t *ports, unsigned n, uint16_t port, unsigned *at)
{
	for (unsigned i = 0; i < n; i++)
		if (ports[i] == port) {
			*at = i;
			return true;
		}
	return false;
}

/* Is it a packet of the watch, untranslated? */
static bool is_ours(const struct host_watch *w, const struct headers *h, bool *inbound,
		    unsigned *lport)
{
	unsigned unused;

	*inbound = addr_equal(&h->src, &w->remote) &&
		   has_port(w->lports, w->n_lports, h->dport, lport) &&
		   has_port(w->rports, w->n_rports, h->sport, &unused);
	if (*inbound)
		return true;
	return addr_equal(&h->dst, &w->remote) &&
	       has_port(w->lports, w->n_lports, h->sport, lport) &&
	       has_port(w->rports, w->n_rports, h->dport, &unused);
}

static void set_ref(struct rule_ref *r, const struct traced *p, const struct event *ev)
{
	memset(r, 0, sizeof(*r));
	r->family = ev->family;
	r->policy = ev->policy;
	r->handle = ev->handle;
	watch_text(r->table, sizeof(r->table), ev->table, strlen(ev->table));
	watch_text(r->chain, sizeof(r->chain), ev->chain, strlen(ev->chain));
	if (p)
		memcpy(r->base, p->base.chain, sizeof(r->base));
}

/* ---- which packet an event is about ---- */

static bool same_segment(const struct headers *a, const struct headers *b)
{
	return a->seq == b->seq && a->ack == b->ack && a->flags == b->flags &&
	       a->src.family == b->src.family;
}

static bool same_tuple(const struct headers *a, const struct headers *b)
{
	return addr_equal(&a->src, &b->src) && addr_equal(&a->dst, &b->dst) &&
	       a->sport == b->sport && a->dport == b->dport;
}

static bool way_is_egress(enum waypoint w)
{
	return w == WAY_EGRESS_FIRST || w == WAY_EGRESS_LAST;
}

static bool way_is_ingress(enum waypoint w)
{
	return w == WAY_INGRESS || w == WAY_INGRESS_LAST;
}

static bool way_is_before_routing(enum waypoint w)
{
	return w >= WAY_INGRESS && w <= WAY_PRE_LAST;
}

/* A packet does not come back to where it was: this is another one (a retransmission, with the
 * same numbers). Devices may be stacked, though: a bond and its port, a bridge and its own; and
 * bridges call prerouting before they hand a packet to their own device (br_netfilter). */
static bool begins_anew(const struct traced *p, const struct event *ev)
{
	if (p->stopped)
		return true;
	if (ev->way == WAY_NONE || ev->way > p->at)
		return false;
	if (way_is_egress(ev->way) && way_is_egress(p->at))
		return ev->oif == p->out_device;
	if (!way_is_before_routing(ev->way) || !way_is_before_routing(p->at))
		return true;
	if (way_is_ingress(ev->way))
		return ev->iif == p->in_device;
	return p->in_device != 0 || ev->id == p->id;
}

static bool vanished(const struct traced *p)
{
	return p->last < (p->inbound ? WAY_IN_LAST : WAY_POST_LAST);
}

static bool opens_or_resets(const struct traced *p)
{
	return p->first.flags & (TCP_SYN | TCP_RST);
}

/* What is more than one of many packets that simply passed. */
static bool has_news(const struct traced *p)
{
	if (((p->stopped || p->queued) && !p->told_stop) || (p->turned && !p->told_turn))
		return true;
	return !p->told && (opens_or_resets(p) || vanished(p));
}

static void forget(struct trace *t, unsigned i)
{
	t->n_packets--;
	memmove(&t->packets[i], &t->packets[i + 1], (t->n_packets - i) * sizeof(t->packets[0]));
}

/* NULL: full of what is still to be told. */
static struct traced *new_packet(struct trace *t)
{
	int64_t now = clock_mono_ns();

	for (int pass = 0; pass < 2 && t->n_packets == PACKETS_MAX; pass++)
		for (unsigned i = 0; i < t->n_packets; i++) {
			const struct traced *p = &t->packets[i];
			if (now - p->touched >= SETTLED_NS && !has_news(p)) {
				forget(t, i);
				break;
			}
		}
	if (t->n_packets == PACKETS_MAX)
		return NULL;
	struct traced *p = &t->packets[t->n_packets++];
	memset(p, 0, sizeof(*p));
	return p;
}

/* By id, and then by its headers: the id changes when the packet comes back by lo. */
static struct traced *find_packet(struct trace *t, const struct event *ev, int64_t now)
{
	for (unsigned i = t->n_packets; i-- > 0;) {
		struct traced *p = &t->packets[i];
		if (!p->live || p->id != ev->id)
			continue;
		if (same_segment(&p->now, &ev->h) && !begins_anew(p, ev))
			return p;
		p->live = false; /* the id is another packet's from now on */
	}
	for (unsigned i = t->n_packets; i-- > 0;) {
		struct traced *p = &t->packets[i];
		if (same_segment(&p->now, &ev->h) && same_tuple(&p->now, &ev->h))
			return now - p->touched < SAME_PACKET_NS && !begins_anew(p, ev) ? p : NULL;
	}
	return NULL;
}

static struct traced *packet_of_headers(struct trace *t, const struct event *ev)
{
	int64_t now = clock_mono_ns();
	struct traced *p = find_packet(t, ev, now);
	bool inbound;
	unsigned lport;

	if (!p) {
		if (ev->way == WAY_NONE || !is_ours(&t->watch, &ev->h, &inbound, &lport))
			return NULL;
		p = new_packet(t);
		if (!p)
			return NULL;
		p->t_ns = clock_wall_ns();
		p->inbound = inbound;
		p->lport = lport;
		p->first = p->now = ev->h;
	}
	p->id = ev->id;
	p->live = true;
	p->touched = now;
	return p;
}

static struct traced *packet_of_id(struct trace *t, const struct event *ev)
{
	for (unsigned i = t->n_packets; i-- > 0;) {
		struct traced *p = &t->packets[i];
		if (!p->live || p->id != ev->id)
			continue;
		/* a jump stays in its table: otherwise something was missed */
		if (p->stopped || p->base.family != ev->family ||
		    strncmp(p->base.table, ev->table, sizeof(p->base.table) - 4) != 0)
			return NULL;
		p->touched = clock_mono_ns();
		return p;
	}
	return NULL;
}

/* ---- what happened to it ---- */

/* The destination is translated behind the chain that decided on it: the packet shows it in the
 * next one. Later packets of a connection are translated without any rule being asked. */
static void note_turn(struct trace *t, struct traced *p, const struct headers *h)
{
	if (p->inbound || p->turned || !(p->first.flags & TCP_SYN))
		return;
	if (addr_equal(&h->dst, &p->now.dst) && h->dport == p->now.dport)
		return;
	p->turned = true;
	p->turn = p->accepted;
	for (unsigned i = 0; i < t->n_packets && p->turn.handle == 0; i++) {
		const struct traced *q = &t->packets[i];
		if (q != p && q->turned && same_tuple(&q->first, &p->first) &&
		    addr_equal(&q->now.dst, &h->dst) && q->now.dport == h->dport)
			p->turn = q->turn;
	}
}

static void begin_chain(struct trace *t, struct traced *p, const struct event *ev)
{
	note_turn(t, p, &ev->h);
	p->now = ev->h;
	if (ev->iif)
		p->iif = ev->iif;
	if (ev->oif)
		p->oif = ev->oif;
	set_ref(&p->base, NULL, ev);
	if (ev->way == WAY_NONE) /* ours stand between the rule and where its work shows */
		memset(&p->accepted, 0, sizeof(p->accepted));
}

static void note_local_rule(struct traced *p, const struct event *ev)
{
	if (p->inbound || p->at < WAY_PRE_FIRST || p->at >= WAY_PRE_LAST || ev->handle == 0)
		return;
	if (p->n_local == LOCAL_RULES) {
		memmove(&p->local[0], &p->local[1], (LOCAL_RULES - 1) * sizeof(p->local[0]));
		p->n_local--;
	}
	set_ref(&p->local[p->n_local++], p, ev);
}

static void note_verdict(struct traced *p, const struct event *ev)
{
	bool rule_or_policy = ev->handle != 0 || ev->policy;

	switch (ev->verdict & NF_VERDICT_MASK) {
	case NF_DROP: p->stopped = rule_or_policy; break;
	case NF_QUEUE: p->queued = rule_or_policy; break;
	case NF_ACCEPT:
		if (ev->handle)
			set_ref(&p->accepted, p, ev);
		note_local_rule(p, ev);
		return;
	default: /* NFT_CONTINUE and the like; NF_STOLEN: sent on, or answered, by the rule */
		note_local_rule(p, ev);
		return;
	}
	set_ref(&p->stop, p, ev);
}

static void take_event(struct trace *t, const struct event *ev)
{
	struct traced *p = ev->headed ? packet_of_headers(t, ev) : packet_of_id(t, ev);

	if (!p)
		return;
	p->queued = false; /* it came back */
	if (ev->headed)
		begin_chain(t, p, ev);
	if (ev->way == WAY_NONE) {
		note_verdict(p, ev);
		return;
	}
	p->at = ev->way;
	if (p->last < ev->way)
		p->last = ev->way;
	if (way_is_ingress(ev->way))
		p->in_device = ev->iif;
	else if (way_is_egress(ev->way))
		p->out_device = ev->oif;
}

/* libnftnl ends the process where one of these is missing. */
static bool is_complete(const struct nlmsghdr *m)
{
	struct nlattr *tb[NFTA_TRACE_MAX + 1], *verdict[NFTA_VERDICT_MAX + 1];

	if (!nfnl_parse(m, tb, NFTA_TRACE_MAX) || !tb[NFTA_TRACE_ID] || !tb[NFTA_TRACE_TYPE])
		return false;
	if (!tb[NFTA_TRACE_VERDICT])
		return true;
	if (!nfnl_parse_nested(tb[NFTA_TRACE_VERDICT], verdict, NFTA_VERDICT_MAX) || !verdict[NFTA_VERDICT_CODE])
		return false;
	int code = (int)nfnl_u32(verdict[NFTA_VERDICT_CODE]);
	return verdict[NFTA_VERDICT_CHAIN] || (code != NFT_JUMP && code != NFT_GOTO);
}

static int on_event(struct nl_msg *msg, void *arg)
{
	struct trace *t = arg;
	const struct nlmsghdr *m = nlmsg_hdr(msg);
	struct event ev;

	if (m->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_TRACE))
		return NL_OK;
	struct nftnl_trace *n = is_complete(m) ? nftnl_trace_alloc() : NULL;
	if (!n) {
		t->lost = true;
		return NL_OK;
	}
	if (nftnl_trace_nlmsg_parse(m, n) == 0 && read_event(t, n, &ev))
		take_event(t, &ev);
	nftnl_trace_free(n);
	return NL_OK;
}

/* Of a packet whose events are not whole, only that a rule stopped it is certain. */
static void forget_unsure(struct trace *t)
{
	for (unsigned i = t->n_packets; i-- > 0;) {
		t->packets[i].live = false;
		if (!t->packets[i].stopped)
			forget(t, i);
	}
	t->lost = false;
	t->tell_loss = true;
}

void trace_read(struct trace *t)
{
	for (int i = 0; i < READ_AT_ONCE; i++) {
		int rc = nl_recvmsgs_default(t->events);
		if (rc == -NLE_NOMEM) {
			t->lost = true; /* behind what the socket still holds */
		} else if (rc < 0) {
			if (t->lost)
				forget_unsure(t);
			return;
		}
	}
}

/* ---- the rules' names ---- */

static const char *hook_name(uint8_t family, uint32_t hook)
{
	static const char *const INET[] = {"prerouting", "input",       "forward",
					   "output",     "postrouting", "ingress"};

	if (family == NFPROTO_NETDEV)
		return hook == NF_NETDEV_INGRESS ? "ingress" : "egress";
	return hook < sizeof(INET) / sizeof(INET[0]) ? INET[hook] : "";
}

static void take_chain(const struct nlmsghdr *m, const struct rule_ref *ref, struct known_rule *k)
{
	struct nftnl_chain *chain = nftnl_chain_alloc();

	if (!chain)
		return;
	if (nftnl_chain_nlmsg_parse(m, chain) == 0 &&
	    nftnl_chain_is_set(chain, NFTNL_CHAIN_HOOKNUM)) {
		const char *type = nftnl_chain_get_str(chain, NFTNL_CHAIN_TYPE);
		const char *hook =
			hook_name(ref->family, nftnl_chain_get_u32(chain, NFTNL_CHAIN_HOOKNUM));
		snprintf(k->rule.hook, sizeof(k->rule.hook), "%s", hook);
		k->rule.priority = nftnl_chain_get_s32(chain, NFTNL_CHAIN_PRIO);
		k->nat = type && strcmp(type, "nat") == 0;
	}
	nftnl_chain_free(chain);
}

/* Hook, priority and type of the base chain: one question, however many chains there are. */
static void ask_base_chain(struct trace *t, const struct rule_ref *ref, struct known_rule *k)
{
	_Alignas(struct nlmsghdr) char buf[16384];
	struct nftnl_chain *chain = nftnl_chain_alloc();
	ssize_t got;

	if (!chain)
		return;
	struct nlmsghdr *m = nftnl_nlmsg_build_hdr(buf, NFT_MSG_GETCHAIN, ref->family, 0, ++t->table.seq);
	nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, ref->table);
	nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, ref->base);
	nftnl_chain_nlmsg_build_payload(m, chain);
	nftnl_chain_free(chain);
	if (nl_sendto(t->table.owner, buf, m->nlmsg_len) < 0)
		return;
	while ((got = recv(nl_socket_get_fd(t->table.owner), buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		int len = (int)got;
		for (m = (void *)buf; nlmsg_ok(m, len); m = nlmsg_next(m, &len))
			if (m->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN) &&
			    m->nlmsg_seq == t->table.seq)
				take_chain(m, ref, k);
	}
}

/* A rule's number names one rule for ever: nothing here gets old. */
static struct known_rule *known_rule(struct trace *t, const struct rule_ref *ref)
{
	for (unsigned i = 0; i < t->n_known && i < RULES_KNOWN; i++)
		if (memcmp(&t->known[i].ref, ref, sizeof(*ref)) == 0)
			return &t->known[i];
	struct known_rule *k = &t->known[t->n_known++ % RULES_KNOWN];
	memset(k, 0, sizeof(*k));
	k->ref = *ref;
	snprintf(k->rule.family, sizeof(k->rule.family), "%s", nfnl_family_name(ref->family));
	memcpy(k->rule.table, ref->table, sizeof(k->rule.table));
	memcpy(k->rule.chain, ref->chain, sizeof(k->rule.chain));
	memcpy(k->rule.base_chain, ref->base, sizeof(k->rule.base_chain));
	k->rule.handle = ref->handle;
	k->rule.policy = ref->policy;
	k->rule.verdict = FW_DROP;
	ask_base_chain(t, ref, k);
	return k;
}

/* The words are looked up once. `until`: when there is no time for more. -1: none. */
static int fill_words(struct known_rule *k, int64_t until)
{
	struct err e;

	if (!k->asked && clock_mono_ns() < until) {
		k->asked = true;
		k->answer = nft_text_fill(&k->rule, &e); /* says in `text` when it can't */
	}
	return k->asked ? k->answer : -1;
}

static void copy_rule(struct host_rule *out, const struct known_rule *k)
{
	*out = k->rule;
	if (!k->asked)
		snprintf(out->text, sizeof(out->text), "handle %llu (no time left to print it)",
			 (unsigned long long)out->handle);
}

/* ---- records ---- */

static void wait_until_settled(struct trace *t)
{
	for (int i = 0; i < SETTLE_TRIES; i++) {
		struct pollfd fd = {.fd = trace_fd(t), .events = POLLIN};
		int64_t now = clock_mono_ns(), youngest = 0;
		trace_read(t);
		for (unsigned k = 0; k < t->n_packets; k++)
			if (!t->packets[k].stopped && t->packets[k].touched > youngest)
				youngest = t->packets[k].touched;
		if (youngest == 0 || now - youngest >= SETTLED_NS)
			return;
		poll(&fd, 1, (int)(SETTLED_NS / NS_PER_MS));
	}
}

static void fill_turn(struct trace *t, const struct traced *p, struct host_packet *out,
		      int64_t until)
{
	bool here = addr_is_loopback(&p->now.dst) || addr_equal(&p->now.dst, &p->now.src);
	enum fw_verdict guess = here ? FW_REDIRECT : FW_DNAT;
	struct known_rule *k = p->turn.handle ? known_rule(t, &p->turn) : NULL;

	out->turned = true;
	out->turn.verdict = guess;
	if (!k || !k->nat)
		return; /* legacy iptables' nat, or a rule that writes into the packet */
	int rc = fill_words(k, until);
	bool turns = k->rule.verdict == FW_REDIRECT || k->rule.verdict == FW_DNAT;
	if (rc == 0 && !turns)
		return; /* it accepted, and something without a trace of its own came next */
	copy_rule(&out->turn, k);
	if (!turns)
		out->turn.verdict = guess;
}

/* A packet that is not for this host and yet arrives at it: is there a rule that says so? */
static void fill_tproxy(struct trace *t, const struct traced *p, struct host_packet *out,
			int64_t until)
{
	if (p->inbound || p->turned || p->last < WAY_IN_FIRST)
		return;
	for (unsigned i = p->n_local; i-- > 0;) {
		struct known_rule *k = known_rule(t, &p->local[i]);
		if (fill_words(k, until) != 0 || k->rule.verdict != FW_TPROXY)
			continue;
		out->turned = true;
		copy_rule(&out->turn, k);
		return;
	}
}

static void emit_packet(struct trace *t, struct traced *p, int64_t until, host_emit *emit,
			void *arg)
{
	struct host_record r = watch_record(HOST_PACKET);
	struct host_packet *out = &r.packet;

	r.t_ns = p->t_ns;
	out->src = p->first.src;
	out->dst = p->first.dst;
	out->sport = p->first.sport;
	out->dport = p->first.dport;
	out->tcp_flags = p->first.flags;
	out->inbound = p->inbound;
	out->last = p->last;
	watch_interface(out->iif, p->iif);
	watch_interface(out->oif, p->oif);
	out->egress_watched = trace_table_has_egress(&t->table, p->oif);
	if (p->stopped || p->queued) {
		struct known_rule *k = known_rule(t, &p->stop);
		fill_words(k, until);
		out->stopped = true;
		copy_rule(&out->stop, k);
		if (p->queued)
			out->stop.verdict = FW_QUEUE;
	}
	if (p->turned)
		fill_turn(t, p, out, until);
	else
		fill_tproxy(t, p, out, until);
	emit(arg, &r);
}

/* Enough of these were told for its port and direction? Counts this one. */
static bool is_enough(struct trace *t, const struct traced *p)
{
	bool passed = !p->stopped && !p->queued && !p->turned;
	unsigned *n = passed ? &t->passed[p->lport][p->inbound] : &t->stopped[p->lport][p->inbound];

	return (*n)++ >= (passed ? TELL_PASSED : TELL_STOPPED);
}

void trace_emit(struct trace *t, host_emit *emit, void *arg)
{
	int64_t now, until;

	wait_until_settled(t);
	now = clock_mono_ns();
	until = now + TEXTS_NS;
	if (t->lost)
		forget_unsure(t);
	if (t->tell_loss)
		watch_not_looked(emit, arg, HOST_LOOK_TRACE,
				 "more events of the nf_tables trace than could be read");
	t->tell_loss = false;
	for (unsigned i = 0; i < t->n_packets; i++) {
		struct traced *p = &t->packets[i];
		if (!has_news(p) || (p->queued && now - p->touched < QUEUE_PATIENCE))
			continue;
		if (!is_enough(t, p))
			emit_packet(t, p, until, emit, arg);
		p->told = true;
		p->told_stop |= p->stopped || p->queued;
		p->told_turn |= p->turned;
	}
}
