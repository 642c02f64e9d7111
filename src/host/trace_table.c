/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/trace_table.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <limits.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"

/* Linux 5.12; the C library's copy of the kernel's headers may be older than the kernel. */
#define TABLE_OWNER 0x2

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

/* ---- batches ---- */

struct batch {
	char *bytes;
	size_t len;
	struct trace_table *t;
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
	struct nfgenmsg *g = nlmsg_data(m);

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
static int read_answers(struct trace_table *t, uint32_t last, uint32_t *failed)
{
	_Alignas(struct nlmsghdr) char buf[32768];
	int first = 0, result = -1;
	ssize_t got;

	while ((got = recv(nl_socket_get_fd(t->owner), buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		int len = (int)got;
		for (struct nlmsghdr *m = (void *)buf; nlmsg_ok(m, len); m = nlmsg_next(m, &len)) {
			const struct nlmsgerr *answer = nlmsg_data(m);
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
	nftnl_table_set_str(table, NFTNL_TABLE_NAME, b->t->name);
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
	nftnl_set_set_str(set, NFTNL_SET_TABLE, b->t->name);
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
	const struct addr *remote = &b->t->watch->remote;
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
	nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, b->t->name);
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
	const char *devices[TRACE_DEVICES_MAX + 1] = {NULL};

	if (!chain) {
		b->failed = true;
		return;
	}
	nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, b->t->name);
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

static bool has_chain(const struct trace_table *t, const struct way_chain *c)
{
	if (!c->netdev || t->netdev == NETDEV_BOTH)
		return true;
	return t->netdev == NETDEV_INGRESS && c->hook == NF_NETDEV_INGRESS;
}

static void fill_batch(struct batch *b)
{
	const struct host_watch *w = b->t->watch;

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
static int make_tables(struct trace_table *t, bool *about_table, bool *about_all)
{
	struct batch b = {.t = t, .bytes = xcalloc(1, BATCH_SIZE)};
	uint32_t failed;

	fill_batch(&b);
	/* the last message before the end is a rule: its answer says that all went well */
	uint32_t last = t->seq;
	struct nlmsghdr *m = (void *)b.bytes;
	for (int left = (int)b.len; nlmsg_ok(m, left); m = nlmsg_next(m, &left))
		if (m->nlmsg_seq == last)
			m->nlmsg_flags |= NLM_F_ACK;
	batch_mark(&b, NFNL_MSG_BATCH_END);
	int rc = batch_send(&b, last, &failed);
	*about_all = failed == b.begin;
	*about_table = failed == b.begin + 1;
	free(b.bytes);
	return rc;
}

static void add_device(struct trace_table *t, const char *name)
{
	for (unsigned i = 0; i < t->n_devices; i++)
		if (strcmp(t->devices[i], name) == 0)
			return;
	if (t->n_devices < TRACE_DEVICES_MAX && name[0])
		snprintf(t->devices[t->n_devices++], IFNAMSIZ, "%s", name);
}

/* The way out and lo come first, where there are too many. */
static void find_devices(struct trace_table *t)
{
	struct ifaddrs *all = NULL;

	t->n_devices = 0;
	if (getifaddrs(&all) != 0)
		return;
	for (int pass = 0; pass < 2; pass++)
		for (const struct ifaddrs *a = all; a; a = a->ifa_next) {
			bool first = strcmp(a->ifa_name, t->watch->oif_name) == 0 ||
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

int trace_table_make(struct trace_table *t, struct err *e)
{
	bool about_table = false, about_all = false;
	int rc = 0;

	find_devices(t);
	snprintf(t->name, sizeof(t->name), "smtpblame-%d", (int)getpid());
	for (int level = NETDEV_BOTH; level <= NETDEV_NONE; level++) {
		t->netdev = t->n_devices ? (enum netdev_use)level : NETDEV_NONE;
		rc = make_tables(t, &about_table, &about_all);
		if (rc == ENOENT) { /* a device went away meanwhile? */
			find_devices(t);
			rc = make_tables(t, &about_table, &about_all);
		}
		if (rc == EPERM || rc == EEXIST) {
			/* another pid namespace in this network namespace has the same number */
			snprintf(t->name, sizeof(t->name), "smtpblame-%d-%u", (int)getpid(),
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

/* ---- the socket that owns them ---- */

int trace_table_failed(struct err *e, const char *what, int rc)
{
	if (rc == -NLE_PERM)
		return err_set(e, ERR_RUN, "the nf_tables trace needs CAP_NET_ADMIN");
	if (rc == -NLE_PROTO_MISMATCH || rc == -NLE_AF_NOSUPPORT)
		return err_set(e, ERR_RUN, "this kernel has no netfilter netlink");
	return err_set(e, ERR_RUN, "%s: %s", what, nl_geterror(rc));
}

int trace_table_open(struct trace_table *t, const struct host_watch *w, struct err *e)
{
	const int on = 1, room = 1 << 20;
	int rc;

	*t = (struct trace_table){.watch = w};
	t->owner = nl_socket_alloc();
	if (!t->owner)
		return err_set(e, ERR_RUN, "netlink: out of memory");
	rc = nl_connect(t->owner, NETLINK_NETFILTER);
	if (rc < 0)
		return trace_table_failed(e, "netlink", rc);
	int fd = nl_socket_get_fd(t->owner);
	/* without these, a long batch or its many errors might not fit; no harm if they fail */
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	return 0;
}

void trace_table_close(struct trace_table *t)
{
	nl_socket_free(t->owner);
	t->owner = NULL;
}

/* ---- what is in them ---- */

enum waypoint trace_table_way(const struct trace_table *t, uint8_t family, const char *table,
			      const char *chain)
{
	if (strcmp(table, t->name) != 0)
		return WAY_NONE;
	for (size_t i = 0; i < N_WAY_CHAINS; i++)
		if (strcmp(WAY_CHAINS[i].name, chain) == 0 &&
		    family == (WAY_CHAINS[i].netdev ? NFPROTO_NETDEV : NFPROTO_INET))
			return WAY_CHAINS[i].way;
	return WAY_NONE;
}

bool trace_table_has_egress(const struct trace_table *t, uint32_t ifindex)
{
	char name[IFNAMSIZ]; /* as it is, not as it is shown */

	if (t->netdev != NETDEV_BOTH || !if_indextoname(ifindex, name))
		return false;
	for (unsigned i = 0; i < t->n_devices; i++)
		if (strcmp(t->devices[i], name) == 0)
			return true;
	return false;
}
