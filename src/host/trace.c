/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/trace.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <libnftnl/trace.h>
#include <limits.h>
#include <linux/if_ether.h>
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
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "host/nft_text.h"
#include "model/packet.h"

/* Linux 5.12; the C library's copy of the kernel's headers may be older than the kernel. */
#define TABLE_OWNER 0x2

#define DEVICES_MAX  16  /* with hooks of their own; others are seen from prerouting on */
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
#define TEXTS_NS       (3 * NS_PER_S) /* for the words of all rules of one answer */

#define BATCH_SIZE  (256 << 10)
#define MESSAGE_MAX 8192 /* the largest one that is put into a batch */

static const struct way_chain {
	enum waypoint way;
	const char *name;
	bool netdev;
	uint32_t hook;
	int32_t priority;
} WAY_CHAINS[] = {
	{WAY_OUT_FIRST, "out-first", false, NF_INET_LOCAL_OUT, INT_MIN},
	{WAY_OUT_TRACKED, "out-tracked", false, NF_INET_LOCAL_OUT, -199},
	{WAY_OUT_LAST, "out-last", false, NF_INET_LOCAL_OUT, INT_MAX},
	{WAY_POST_FIRST, "post-first", false, NF_INET_POST_ROUTING, INT_MIN},
	{WAY_POST_LAST, "post-last", false, NF_INET_POST_ROUTING, INT_MAX},
	{WAY_EGRESS_FIRST, "egress-first", true, NF_NETDEV_EGRESS, INT_MIN},
	{WAY_EGRESS_LAST, "egress-last", true, NF_NETDEV_EGRESS, INT_MAX},
	{WAY_INGRESS, "ingress-first", true, NF_NETDEV_INGRESS, INT_MIN},
	{WAY_INGRESS_LAST, "ingress-last", true, NF_NETDEV_INGRESS, INT_MAX},
	{WAY_PRE_FIRST, "pre-first", false, NF_INET_PRE_ROUTING, INT_MIN},
	{WAY_PRE_TRACKED, "pre-tracked", false, NF_INET_PRE_ROUTING, -199},
	{WAY_PRE_LAST, "pre-last", false, NF_INET_PRE_ROUTING, INT_MAX},
	{WAY_IN_FIRST, "in-first", false, NF_INET_LOCAL_IN, INT_MIN},
	{WAY_IN_LAST, "in-last", false, NF_INET_LOCAL_IN, INT_MAX},
};
#define N_WAY_CHAINS (sizeof(WAY_CHAINS) / sizeof(WAY_CHAINS[0]))

/* How much of netdev the kernel has. */
enum netdev_use { NETDEV_BOTH, NETDEV_INGRESS, NETDEV_NONE };

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
	char table[HOST_NAME_MAX];
	char chain[HOST_NAME_MAX];
	char base[HOST_NAME_MAX];
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
	struct nl_sock *owner; /* of the tables: they go with it */
	struct nl_sock *events;
	char table[48];
	enum netdev_use netdev;
	unsigned n_devices;
	char devices[DEVICES_MAX][IFNAMSIZ];
	uint32_t seq;
	bool lost, tell_loss;
	unsigned n_packets; /* in the order in which they came */
	struct traced packets[PACKETS_MAX];
	unsigned n_known;
	struct known_rule known[RULES_KNOWN];
	unsigned passed[WATCH_MAX_LOCAL][2], stopped[WATCH_MAX_LOCAL][2]; /* records told */
};

/* ---- asking nf_tables ---- */

struct batch {
	char *bytes;
	size_t len;
	struct trace *t;
	uint32_t begin; /* sequence number of the first message */
	bool failed;    /* out of memory */
};

static struct nlmsghdr *batch_message(struct batch *b, uint16_t type, int family, uint16_t flags)
{
	if (b->len + MESSAGE_MAX > BATCH_SIZE) {
		b->failed = true;
		b->len = 0; /* harmless: it is not sent */
	}
	return nftnl_nlmsg_build_hdr(b->bytes + b->len, type, (uint16_t)family, flags, ++b->t->seq);
}

static void batch_end_message(struct batch *b, const struct nlmsghdr *m)
{
	b->len += NLMSG_ALIGN(m->nlmsg_len);
}

/* NFNL_MSG_BATCH_BEGIN or _END */
static void batch_mark(struct batch *b, uint16_t type)
{
	struct nlmsghdr *m = (struct nlmsghdr *)(void *)(b->bytes + b->len);
	struct nfgenmsg *g = NLMSG_DATA(m);

	memset(m, 0, NLMSG_SPACE(sizeof(*g)));
	m->nlmsg_len = NLMSG_LENGTH(sizeof(*g));
	m->nlmsg_type = type;
	m->nlmsg_flags = NLM_F_REQUEST;
	m->nlmsg_seq = ++b->t->seq;
	g->nfgen_family = AF_UNSPEC;
	g->version = NFNETLINK_V0;
	g->res_id = htons(NFNL_SUBSYS_NFTABLES);
	batch_end_message(b, m);
}

/* The answers to what was just sent: the kernel gives them before sending returns. The first errno
 * and its message's number; -1 when `last` got none. */
static int read_answers(struct trace *t, uint32_t last, uint32_t *failed)
{
	_Alignas(struct nlmsghdr) char buf[32768];
	int first = 0, result = -1;
	ssize_t got;

	while ((got = recv(nl_socket_get_fd(t->owner), buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		int len = (int)got;
		for (struct nlmsghdr *m = (void *)buf; NLMSG_OK(m, len); m = NLMSG_NEXT(m, len)) {
			const struct nlmsgerr *answer = NLMSG_DATA(m);
			if (m->nlmsg_type != NLMSG_ERROR ||
			    m->nlmsg_len < NLMSG_LENGTH(sizeof(*answer)))
				continue;
			if (answer->error != 0 && first == 0) {
				first = -answer->error;
				*failed = m->nlmsg_seq;
			}
			if (m->nlmsg_seq == last)
				result = 0;
		}
	}
	return first ? first : result;
}

static int batch_send(struct batch *b, uint32_t last, uint32_t *failed)
{
	*failed = 0;
	if (b->failed)
		return ENOMEM;
	int rc = nl_sendto(b->t->owner, b->bytes, b->len);
	if (rc < 0)
		return rc == -NLE_PERM ? EPERM : EIO;
	rc = read_answers(b->t, last, failed);
	return rc < 0 ? EIO : rc;
}

/* ---- our tables ---- */

static void add_table(struct batch *b, int family)
{
	struct nftnl_table *table = nftnl_table_alloc();

	if (!table) {
		b->failed = true;
		return;
	}
	nftnl_table_set_str(table, NFTNL_TABLE_NAME, b->t->table);
	nftnl_table_set_u32(table, NFTNL_TABLE_FLAGS, TABLE_OWNER);
	struct nlmsghdr *m = batch_message(b, NFT_MSG_NEWTABLE, family, NLM_F_CREATE | NLM_F_EXCL);
	nftnl_table_nlmsg_build_payload(m, table);
	batch_end_message(b, m);
	nftnl_table_free(table);
}

static bool add_port(struct nftnl_set *set, uint16_t port)
{
	struct nftnl_set_elem *elem = nftnl_set_elem_alloc();
	uint16_t key = htons(port);

	if (!elem)
		return false;
	nftnl_set_elem_set(elem, NFTNL_SET_ELEM_KEY, &key, sizeof(key));
	nftnl_set_elem_add(set, elem);
	return true;
}

static void add_ports(struct batch *b, int family, const char *name, uint32_t id,
		      const uint16_t *ports, unsigned n)
{
	enum { INET_SERVICE = 13 }; /* nft's number of this type, for who lists our table */
	struct nftnl_set *set = nftnl_set_alloc();
	struct nlmsghdr *m;

	if (!set) {
		b->failed = true;
		return;
	}
	nftnl_set_set_str(set, NFTNL_SET_TABLE, b->t->table);
	nftnl_set_set_str(set, NFTNL_SET_NAME, name);
	nftnl_set_set_u32(set, NFTNL_SET_ID, id);
	nftnl_set_set_u32(set, NFTNL_SET_FAMILY, (uint32_t)family);
	nftnl_set_set_u32(set, NFTNL_SET_KEY_TYPE, INET_SERVICE);
	nftnl_set_set_u32(set, NFTNL_SET_KEY_LEN, sizeof(uint16_t));
	nftnl_set_set_u32(set, NFTNL_SET_DESC_SIZE, n);
	m = batch_message(b, NFT_MSG_NEWSET, family, NLM_F_CREATE | NLM_F_EXCL);
	nftnl_set_nlmsg_build_payload(m, set);
	batch_end_message(b, m);
	for (unsigned i = 0; i < n; i++) {
		bool twice = false;
		for (unsigned k = 0; k < i; k++)
			twice |= ports[k] == ports[i];
		if (!twice && !add_port(set, ports[i]))
			b->failed = true;
	}
	m = batch_message(b, NFT_MSG_NEWSETELEM, family, NLM_F_CREATE);
	nftnl_set_elems_nlmsg_build_payload(m, set);
	batch_end_message(b, m);
	nftnl_set_free(set);
}

static struct nftnl_expr *add_expr(struct batch *b, struct nftnl_rule *rule, const char *name)
{
	struct nftnl_expr *x = nftnl_expr_alloc(name);

	if (x)
		nftnl_rule_add_expr(rule, x);
	else
		b->failed = true;
	return x;
}

static void add_cmp(struct batch *b, struct nftnl_rule *rule, const void *data, uint32_t len)
{
	struct nftnl_expr *x = add_expr(b, rule, "cmp");

	if (!x)
		return;
	nftnl_expr_set_u32(x, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(x, NFTNL_EXPR_CMP_OP, NFT_CMP_EQ);
	nftnl_expr_set(x, NFTNL_EXPR_CMP_DATA, data, len);
}

static void add_meta_is(struct batch *b, struct nftnl_rule *rule, uint32_t key, const void *data,
			uint32_t len)
{
	struct nftnl_expr *x = add_expr(b, rule, "meta");

	if (!x)
		return;
	nftnl_expr_set_u32(x, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(x, NFTNL_EXPR_META_DREG, NFT_REG_1);
	add_cmp(b, rule, data, len);
}

static void add_payload(struct batch *b, struct nftnl_rule *rule, uint32_t base, uint32_t offset,
			uint32_t len)
{
	struct nftnl_expr *x = add_expr(b, rule, "payload");

	if (!x)
		return;
	nftnl_expr_set_u32(x, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(x, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(x, NFTNL_EXPR_PAYLOAD_LEN, len);
	nftnl_expr_set_u32(x, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
}

enum { SET_LOCAL = 1, SET_REMOTE };

static const char *set_name(uint32_t id)
{
	return id == SET_LOCAL ? "local-ports" : "remote-ports";
}

static void add_port_in(struct batch *b, struct nftnl_rule *rule, uint32_t offset, uint32_t set)
{
	add_payload(b, rule, NFT_PAYLOAD_TRANSPORT_HEADER, offset, sizeof(uint16_t));
	struct nftnl_expr *x = add_expr(b, rule, "lookup");

	if (!x)
		return;
	nftnl_expr_set_u32(x, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
	nftnl_expr_set_str(x, NFTNL_EXPR_LOOKUP_SET, set_name(set));
	nftnl_expr_set_u32(x, NFTNL_EXPR_LOOKUP_SET_ID, set);
}

/* The cheapest and most telling first: other packets are to pay next to nothing. */
static void add_match(struct batch *b, struct nftnl_rule *rule, bool netdev, bool inbound)
{
	const struct addr *remote = &b->t->watch.remote;
	bool v4 = remote->family == ADDR_V4;
	uint16_t ethertype = htons(v4 ? ETH_P_IP : ETH_P_IPV6);
	uint8_t nfproto = v4 ? NFPROTO_IPV4 : NFPROTO_IPV6, tcp = IPPROTO_TCP;

	if (netdev)
		add_meta_is(b, rule, NFT_META_PROTOCOL, &ethertype, sizeof(ethertype));
	else
		add_meta_is(b, rule, NFT_META_NFPROTO, &nfproto, sizeof(nfproto));
	add_meta_is(b, rule, NFT_META_L4PROTO, &tcp, sizeof(tcp));
	if (v4) {
		add_payload(b, rule, NFT_PAYLOAD_NETWORK_HEADER, inbound ? 12 : 16, 4);
		add_cmp(b, rule, remote->bytes, 4);
	} else {
		add_payload(b, rule, NFT_PAYLOAD_NETWORK_HEADER, inbound ? 8 : 24, 16);
		add_cmp(b, rule, remote->bytes, 16);
	}
	add_port_in(b, rule, inbound ? 2 : 0, SET_LOCAL);
	add_port_in(b, rule, inbound ? 0 : 2, SET_REMOTE);
}

static void add_mark(struct batch *b, struct nftnl_rule *rule)
{
	const uint8_t on = 1;
	struct nftnl_expr *x = add_expr(b, rule, "immediate");

	if (!x)
		return;
	nftnl_expr_set_u32(x, NFTNL_EXPR_IMM_DREG, NFT_REG_1);
	nftnl_expr_set(x, NFTNL_EXPR_IMM_DATA, &on, sizeof(on));
	x = add_expr(b, rule, "meta");
	if (!x)
		return;
	nftnl_expr_set_u32(x, NFTNL_EXPR_META_KEY, NFT_META_NFTRACE);
	nftnl_expr_set_u32(x, NFTNL_EXPR_META_SREG, NFT_REG_1);
}

enum rule_kind { RULE_OUTBOUND, RULE_INBOUND, RULE_PASS };

/* Marked in every chain, for a rule of the user's may take the mark away, and so does a change of
 * device. "accept": one event for each chain, where the end of an empty one gives two. */
static void add_rule(struct batch *b, const struct way_chain *c, enum rule_kind kind)
{
	int family = c->netdev ? NFPROTO_NETDEV : NFPROTO_INET;
	struct nftnl_rule *rule = nftnl_rule_alloc();
	struct nftnl_expr *x;

	if (!rule) {
		b->failed = true;
		return;
	}
	nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, b->t->table);
	nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, c->name);
	if (kind != RULE_PASS) {
		add_match(b, rule, c->netdev, kind == RULE_INBOUND);
		add_mark(b, rule);
	}
	x = add_expr(b, rule, "immediate");
	if (x) {
		nftnl_expr_set_u32(x, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
		nftnl_expr_set_u32(x, NFTNL_EXPR_IMM_VERDICT, NF_ACCEPT);
	}
	struct nlmsghdr *m = batch_message(b, NFT_MSG_NEWRULE, family, NLM_F_CREATE | NLM_F_APPEND);
	nftnl_rule_nlmsg_build_payload(m, rule);
	batch_end_message(b, m);
	nftnl_rule_free(rule);
}

static void add_chain(struct batch *b, const struct way_chain *c)
{
	struct nftnl_chain *chain = nftnl_chain_alloc();
	const char *devices[DEVICES_MAX + 1] = {NULL};

	if (!chain) {
		b->failed = true;
		return;
	}
	nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, b->t->table);
	nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, c->name);
	nftnl_chain_set_str(chain, NFTNL_CHAIN_TYPE, "filter");
	nftnl_chain_set_u32(chain, NFTNL_CHAIN_HOOKNUM, c->hook);
	nftnl_chain_set_s32(chain, NFTNL_CHAIN_PRIO, c->priority);
	nftnl_chain_set_u32(chain, NFTNL_CHAIN_POLICY, NF_ACCEPT);
	for (unsigned i = 0; i < b->t->n_devices; i++)
		devices[i] = b->t->devices[i];
	if (c->netdev)
		nftnl_chain_set_array(chain, NFTNL_CHAIN_DEVICES, devices);
	struct nlmsghdr *m =
		batch_message(b, NFT_MSG_NEWCHAIN, c->netdev ? NFPROTO_NETDEV : NFPROTO_INET,
			      NLM_F_CREATE | NLM_F_EXCL);
	nftnl_chain_nlmsg_build_payload(m, chain);
	batch_end_message(b, m);
	nftnl_chain_free(chain);
	add_rule(b, c, RULE_OUTBOUND);
	add_rule(b, c, RULE_INBOUND);
	add_rule(b, c, RULE_PASS);
}

static bool has_chain(const struct trace *t, const struct way_chain *c)
{
	if (!c->netdev || t->netdev == NETDEV_BOTH)
		return true;
	return t->netdev == NETDEV_INGRESS && c->hook == NF_NETDEV_INGRESS;
}

static void fill_batch(struct batch *b)
{
	const struct host_watch *w = &b->t->watch;

	batch_mark(b, NFNL_MSG_BATCH_BEGIN);
	b->begin = b->t->seq;
	for (int i = 0; i < (b->t->netdev == NETDEV_NONE ? 1 : 2); i++) {
		int family = i == 0 ? NFPROTO_INET : NFPROTO_NETDEV;
		add_table(b, family);
		add_ports(b, family, set_name(SET_LOCAL), SET_LOCAL, w->lports, w->n_lports);
		add_ports(b, family, set_name(SET_REMOTE), SET_REMOTE, w->rports, w->n_rports);
	}
	for (size_t i = 0; i < N_WAY_CHAINS; i++)
		if (has_chain(b->t, &WAY_CHAINS[i]))
			add_chain(b, &WAY_CHAINS[i]);
}

/* 0 or an errno, and what it was about: nf_tables altogether, a table with an owner, or neither. */
static int make_tables(struct trace *t, bool *about_table, bool *about_all)
{
	struct batch b = {.t = t, .bytes = xcalloc(1, BATCH_SIZE)};
	uint32_t failed;

	fill_batch(&b);
	/* the last message before the end is a rule: its answer says that all went well */
	uint32_t last = t->seq;
	struct nlmsghdr *m = (void *)b.bytes;
	for (int left = (int)b.len; NLMSG_OK(m, left); m = NLMSG_NEXT(m, left))
		if (m->nlmsg_seq == last)
			m->nlmsg_flags |= NLM_F_ACK;
	batch_mark(&b, NFNL_MSG_BATCH_END);
	int rc = batch_send(&b, last, &failed);
	*about_all = failed == b.begin;
	*about_table = failed == b.begin + 1;
	free(b.bytes);
	return rc;
}

static void add_device(struct trace *t, const char *name)
{
	for (unsigned i = 0; i < t->n_devices; i++)
		if (strcmp(t->devices[i], name) == 0)
			return;
	if (t->n_devices < DEVICES_MAX && name[0])
		snprintf(t->devices[t->n_devices++], IFNAMSIZ, "%s", name);
}

/* The way out and lo come first, where there are too many. */
static void find_devices(struct trace *t)
{
	struct ifaddrs *all = NULL;

	t->n_devices = 0;
	if (getifaddrs(&all) != 0)
		return;
	for (int pass = 0; pass < 2; pass++)
		for (const struct ifaddrs *a = all; a; a = a->ifa_next) {
			bool first = strcmp(a->ifa_name, t->watch.oif_name) == 0 ||
				     (a->ifa_flags & IFF_LOOPBACK);
			if ((a->ifa_flags & IFF_UP) && (pass == 1 || first) &&
			    strlen(a->ifa_name) < IFNAMSIZ && !strchr(a->ifa_name, ':'))
				add_device(t, a->ifa_name);
		}
	freeifaddrs(all);
}

static int refused(struct err *e, int rc, bool about_table, bool about_all)
{
	if (rc == EPERM)
		return err_set(e, ERR_RUN, "the nf_tables trace needs CAP_NET_ADMIN");
	if (about_all && (rc == EOPNOTSUPP || rc == EINVAL))
		return err_set(e, ERR_RUN, "this kernel has no nf_tables");
	if (about_table && (rc == EOPNOTSUPP || rc == EINVAL))
		return err_set(e, ERR_RUN,
			       "this kernel's nf_tables has no tables that go with their owner "
			       "(Linux 5.12 has)");
	return err_set(e, ERR_RUN, "nf_tables: %s", strerror(rc));
}

static int make_tables_as_possible(struct trace *t, struct err *e)
{
	bool about_table = false, about_all = false;
	int rc = 0;

	find_devices(t);
	snprintf(t->table, sizeof(t->table), "smtpblame-%d", (int)getpid());
	for (int level = NETDEV_BOTH; level <= NETDEV_NONE; level++) {
		t->netdev = t->n_devices ? (enum netdev_use)level : NETDEV_NONE;
		rc = make_tables(t, &about_table, &about_all);
		if (rc == ENOENT) { /* a device went away meanwhile? */
			find_devices(t);
			rc = make_tables(t, &about_table, &about_all);
		}
		if (rc == EPERM || rc == EEXIST) {
			/* another pid namespace in this network namespace has the same number */
			snprintf(t->table, sizeof(t->table), "smtpblame-%d-%u", (int)getpid(),
				 nl_socket_get_local_port(t->owner));
			rc = make_tables(t, &about_table, &about_all);
		}
		if (rc == 0)
			return 0;
		if (rc == EPERM || about_all || about_table)
			break;
	}
	return refused(e, rc, about_table, about_all);
}

/* ---- opening and closing ---- */

static int on_event(struct nl_msg *msg, void *arg);

static int nl_failed(struct err *e, const char *what, int rc)
{
	if (rc == -NLE_PERM)
		return err_set(e, ERR_RUN, "the nf_tables trace needs CAP_NET_ADMIN");
	if (rc == -NLE_PROTO_MISMATCH || rc == -NLE_AF_NOSUPPORT)
		return err_set(e, ERR_RUN, "this kernel has no netfilter netlink");
	return err_set(e, ERR_RUN, "%s: %s", what, nl_geterror(rc));
}

static int open_owner(struct trace *t, struct err *e)
{
	const int on = 1, room = 1 << 20;
	int rc;

	t->owner = nl_socket_alloc();
	if (!t->owner)
		return err_set(e, ERR_RUN, "netlink: out of memory");
	rc = nl_connect(t->owner, NETLINK_NETFILTER);
	if (rc < 0)
		return nl_failed(e, "netlink", rc);
	int fd = nl_socket_get_fd(t->owner);
	/* without these, a long batch or its many errors might not fit; no harm if they fail */
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	return 0;
}

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
		return nl_failed(e, "netlink", rc);
	int fd = nl_socket_get_fd(t->events);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) != 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	nl_socket_set_msg_buf_size(t->events, 16384);
	nl_socket_disable_msg_peek(t->events);
	rc = nl_socket_add_membership(t->events, NFNLGRP_NFTRACE);
	if (rc < 0)
		return nl_failed(e, "nf_tables trace", rc);
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
	if (open_owner(t, e) != 0 || open_events(t, e) != 0)
		goto out;
	if (make_tables_as_possible(t, e) != 0)
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
	nl_socket_free(t->owner); /* the tables first: no event that nobody reads */
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

static enum waypoint way_of(const struct trace *t, uint8_t family, const char *table,
			    const char *chain)
{
	if (strcmp(table, t->table) != 0)
		return WAY_NONE;
	for (size_t i = 0; i < N_WAY_CHAINS; i++)
		if (strcmp(WAY_CHAINS[i].name, chain) == 0 &&
		    family == (WAY_CHAINS[i].netdev ? NFPROTO_NETDEV : NFPROTO_INET))
			return WAY_CHAINS[i].way;
	return WAY_NONE;
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
	ev->way = way_of(t, ev->family, ev->table, ev->chain);
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

static int on_event(struct nl_msg *msg, void *arg)
{
	struct trace *t = arg;
	const struct nlmsghdr *m = nlmsg_hdr(msg);
	struct event ev;

	if (m->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_TRACE))
		return NL_OK;
	struct nftnl_trace *n = nftnl_trace_alloc();
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

static const char *family_name(uint8_t family)
{
	switch (family) {
	case NFPROTO_INET: return "inet";
	case NFPROTO_IPV4: return "ip";
	case NFPROTO_IPV6: return "ip6";
	case NFPROTO_ARP: return "arp";
	case NFPROTO_NETDEV: return "netdev";
	case NFPROTO_BRIDGE: return "bridge";
	default: return "";
	}
}

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
	struct nlmsghdr *m = nftnl_nlmsg_build_hdr(buf, NFT_MSG_GETCHAIN, ref->family, 0, ++t->seq);
	nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, ref->table);
	nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, ref->base);
	nftnl_chain_nlmsg_build_payload(m, chain);
	nftnl_chain_free(chain);
	if (nl_sendto(t->owner, buf, m->nlmsg_len) < 0)
		return;
	while ((got = recv(nl_socket_get_fd(t->owner), buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		int len = (int)got;
		for (m = (void *)buf; NLMSG_OK(m, len); m = NLMSG_NEXT(m, len))
			if (m->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN) &&
			    m->nlmsg_seq == t->seq)
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
	snprintf(k->rule.family, sizeof(k->rule.family), "%s", family_name(ref->family));
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

static bool is_watched(const struct trace *t, const char *device)
{
	for (unsigned i = 0; i < t->n_devices; i++)
		if (strcmp(t->devices[i], device) == 0)
			return true;
	return false;
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
	if (p->iif)
		if_indextoname(p->iif, out->iif);
	if (p->oif)
		if_indextoname(p->oif, out->oif);
	out->egress_watched = t->netdev == NETDEV_BOTH && is_watched(t, out->oif);
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
