/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/conntrack.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/ask.h"
#include "host/nfnl.h"
#include "host/sysctl.h"

#define EXACT_TIMEOUT_MS 300
#define DUMP_TIMEOUT_MS  500

/* Parts of CTA_FILTER_ORIG_FLAGS, not in the kernel's public headers; its own list begins with
 * these (net/netfilter/nf_internals.h). Kernels before 5.8 know no filter and send everything. */
#define FILTER_IP_DST      (UINT32_C(1) << 1)
#define FILTER_PROTO_NUM   (UINT32_C(1) << 3)
#define FILTER_SOURCE_PORT (UINT32_C(1) << 4)
#define FILTER_DEST_PORT   (UINT32_C(1) << 5)

bool conntrack_present(void)
{
	char value[32];

	return sysctl_read("net/netfilter/nf_conntrack_max", value, sizeof(value)) ||
	       access("/proc/self/net/stat/nf_conntrack", F_OK) == 0 ||
	       access("/proc/self/net/nf_conntrack", F_OK) == 0;
}

/* ---- the question ------------------------------------------------------------------------ */

struct search {
	struct conntrack_flow original; /* src ADDR_NONE: any */
	struct conntrack_flow reply;
	bool found;
};

static struct nlattr *nest(struct nl_msg *msg, int attribute)
{
	/* without the bit, some kernels refuse it */
	return nla_nest_start(msg, attribute | NLA_F_NESTED);
}

static void put_port(struct nl_msg *msg, int attribute, uint16_t port)
{
	const uint16_t be = htons(port);

	netlink_put(msg, attribute, &be, sizeof(be));
}

static void put_tuple(struct nl_msg *msg, const struct conntrack_flow *f)
{
	const bool v4 = f->dst.family == ADDR_V4;
	const uint8_t tcp = IPPROTO_TCP;
	struct nlattr *tuple = nest(msg, CTA_TUPLE_ORIG);
	struct nlattr *ip = nest(msg, CTA_TUPLE_IP);

	/* a filter that does not ask for the source has to name one all the same */
	netlink_put(msg, v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, f->src.bytes,
		    netlink_addr_len(&f->dst));
	netlink_put(msg, v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, f->dst.bytes,
		    netlink_addr_len(&f->dst));
	nla_nest_end(msg, ip);
	struct nlattr *proto = nest(msg, CTA_TUPLE_PROTO);
	netlink_put(msg, CTA_PROTO_NUM, &tcp, sizeof(tcp));
	put_port(msg, CTA_PROTO_SRC_PORT, f->sport);
	put_port(msg, CTA_PROTO_DST_PORT, f->dport);
	nla_nest_end(msg, proto);
	nla_nest_end(msg, tuple);
}

/* Not by IPv6 addresses: Linux then leaves out the very entries that have them (seen on 6.18). */
static void put_filter(struct nl_msg *msg, bool v4)
{
	const uint32_t flags =
		(v4 ? FILTER_IP_DST : 0) | FILTER_PROTO_NUM | FILTER_SOURCE_PORT | FILTER_DEST_PORT;
	const uint32_t none = 0;
	struct nlattr *filter = nest(msg, CTA_FILTER);

	netlink_put(msg, CTA_FILTER_ORIG_FLAGS, &flags, sizeof(flags));
	netlink_put(msg, CTA_FILTER_REPLY_FLAGS, &none, sizeof(none));
	nla_nest_end(msg, filter);
}

static struct nl_msg *question(const struct conntrack_flow *f, bool dump)
{
	const struct nfgenmsg header = {.nfgen_family = (uint8_t)netlink_family(&f->dst),
					.version = NFNETLINK_V0};
	struct nl_msg *msg = netlink_request(NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET,
					     dump ? NLM_F_DUMP : 0, &header, sizeof(header));

	put_tuple(msg, f);
	if (dump)
		put_filter(msg, f->dst.family == ADDR_V4);
	return msg;
}

/* ---- the answer -------------------------------------------------------------------------- */

static bool read_tuple(struct nlattr *a, int family, struct conntrack_flow *out)
{
	const bool v4 = family == AF_INET;
	struct nlattr *tuple[CTA_TUPLE_MAX + 1], *ip[CTA_IP_MAX + 1], *proto[CTA_PROTO_MAX + 1];

	if (!nfnl_parse_nested(a, tuple, CTA_TUPLE_MAX) ||
	    !nfnl_parse_nested(tuple[CTA_TUPLE_IP], ip, CTA_IP_MAX) ||
	    !nfnl_parse_nested(tuple[CTA_TUPLE_PROTO], proto, CTA_PROTO_MAX) ||
	    netlink_u8(proto[CTA_PROTO_NUM]) != IPPROTO_TCP)
		return false;
	out->src = netlink_addr(family, ip[v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC]);
	out->dst = netlink_addr(family, ip[v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST]);
	out->sport = ntohs(netlink_u16(proto[CTA_PROTO_SRC_PORT]));
	out->dport = ntohs(netlink_u16(proto[CTA_PROTO_DST_PORT]));
	return addr_is_set(&out->src) && addr_is_set(&out->dst);
}

static bool is_ours(const struct search *s, const struct conntrack_flow *f)
{
	const struct conntrack_flow *o = &s->original;

	return f->sport == o->sport && f->dport == o->dport && addr_equal(&f->dst, &o->dst) &&
	       (!addr_is_set(&o->src) || addr_equal(&f->src, &o->src));
}

static bool is_translated(const struct search *s, const struct conntrack_flow *reply)
{
	return reply->sport != s->original.dport || !addr_equal(&reply->src, &s->original.dst);
}

static bool on_entry(const struct nlmsghdr *m, void *arg)
{
	const int family = netlink_family(&((struct search *)arg)->original.dst);
	struct search *s = arg;
	struct nlattr *a[CTA_MAX + 1];
	struct conntrack_flow original, reply;

	if (!m) {
		s->found = false;
		return true;
	}
	if (m->nlmsg_type != (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW) ||
	    !netlink_parse(m, sizeof(struct nfgenmsg), a, CTA_MAX) ||
	    !read_tuple(a[CTA_TUPLE_ORIG], family, &original) || !is_ours(s, &original) ||
	    !read_tuple(a[CTA_TUPLE_REPLY], family, &reply))
		return true;
	s->found = true;
	s->reply = reply;
	return !is_translated(s, &reply);
}

/* 0, or the kernel's errno; -1 and *e. */
static int search(struct search *s, bool dump, struct err *e)
{
	int answer, timeout = dump ? DUMP_TIMEOUT_MS : EXACT_TIMEOUT_MS;

	s->found = false;
	if (ask(NETLINK_NETFILTER, question(&s->original, dump), timeout, on_entry, s, &answer,
		e) != 0)
		return -1;
	return answer;
}

int conntrack_find(const struct host_watch *w, uint16_t lport, uint16_t rport,
		   struct conntrack_flow *reply, struct err *e)
{
	struct search s = {
		.original = {.src = w->local, .dst = w->remote, .sport = lport, .dport = rport}};
	int answer = ENOENT;

	if (!conntrack_present())
		return 0;
	if (addr_is_set(&w->local))
		answer = search(&s, false, e);
	if (answer == ENOENT) /* another source, or another zone */
		answer = search(&s, true, e);
	if (answer < 0)
		return -1;
	if (answer > 0 && answer != ENOENT)
		return err_set(e, ERR_RUN, "%s", strerror(answer));
	*reply = s.reply;
	return s.found ? 1 : 0;
}
