/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernel's own route lookup for one packet. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/host.h"
#include "host/netlink.h"
#include "host/rule.h"
#include "host/words.h"

struct lookup {
	bool found;
	unsigned type; /* RTN_* */
	uint8_t dst_len;
	uint32_t table;
	int oif;
	struct addr gateway, prefsrc;
	unsigned mtu;
	bool multipath;
};

/* A gateway of the other family (IPv4 through an IPv6 next hop, RFC 5549) comes as RTA_VIA. */
static struct addr gateway_of(int family, struct nlattr *const *a)
{
	struct addr out = netlink_addr(family, a[RTA_GATEWAY]);

	if (!addr_is_set(&out) && a[RTA_VIA] && nla_len(a[RTA_VIA]) >= 2) {
		const struct rtvia *via = nla_data(a[RTA_VIA]);
		size_t len = (size_t)nla_len(a[RTA_VIA]) - 2;
		if (via->rtvia_family == AF_INET && len == 4)
			out = addr_v4(via->rtvia_addr);
		if (via->rtvia_family == AF_INET6 && len == 16)
			out = addr_v6(via->rtvia_addr);
	}
	return out;
}

static void on_lookup(const struct nlmsghdr *m, void *arg)
{
	struct nlattr *a[RTA_MAX + 1], *metrics[RTAX_MAX + 1];
	struct lookup *l = arg;

	if (!m || m->nlmsg_type != RTM_NEWROUTE ||
	    !netlink_parse(m, sizeof(struct rtmsg), a, RTA_MAX))
		return;
	const struct rtmsg *r = nlmsg_data(m);
	l->found = true;
	l->type = r->rtm_type;
	l->table = a[RTA_TABLE] ? netlink_u32(a[RTA_TABLE]) : r->rtm_table;
	/* without rules of somebody's own IPv4 keeps both in one tree and calls it main */
	if (l->type == RTN_LOCAL && l->table == RT_TABLE_MAIN)
		l->table = RT_TABLE_LOCAL;
	l->oif = (int)netlink_u32(a[RTA_OIF]);
	l->dst_len = r->rtm_dst_len;
	l->gateway = gateway_of(r->rtm_family, a);
	if (addr_is_link_local(&l->gateway) && l->gateway.family == ADDR_V6)
		l->gateway.scope = (uint32_t)l->oif;
	l->prefsrc = netlink_addr(r->rtm_family, a[RTA_PREFSRC]);
	if (a[RTA_METRICS] && nla_parse_nested(metrics, RTAX_MAX, a[RTA_METRICS], NULL) == 0)
		l->mtu = netlink_u32(metrics[RTAX_MTU]);
	l->multipath = a[RTA_MULTIPATH] != NULL;
}

/* flags: RTM_F_FIB_MATCH for the route in the table instead of the next hop that was picked. */
static int ask(struct host *h, const struct route_query *q, const struct addr *src, unsigned flags,
	       struct lookup *l, int *answer, struct err *e)
{
	const uint8_t bits = (uint8_t)(8 * netlink_addr_len(&q->dst)), tcp = IPPROTO_TCP;
	const uint32_t uid = geteuid();
	const uint16_t sport = htons(q->sport), dport = htons(q->dport);
	/* IPv6 gives the table anyway, and refuses the flag under strict checking */
	if (q->dst.family == ADDR_V4)
		flags |= RTM_F_LOOKUP_TABLE;
	const struct rtmsg header = {.rtm_family = (uint8_t)netlink_family(&q->dst),
				     .rtm_dst_len = bits,
				     .rtm_src_len = addr_is_set(src) ? bits : 0,
				     .rtm_flags = flags};
	struct nl_msg *msg = netlink_request(RTM_GETROUTE, 0, &header, sizeof(header));

	netlink_put(msg, RTA_DST, q->dst.bytes, bits / 8);
	if (addr_is_set(src))
		netlink_put(msg, RTA_SRC, src->bytes, bits / 8);
	if (q->oif)
		netlink_put(msg, RTA_OIF, &q->oif, sizeof(q->oif));
	netlink_put(msg, RTA_UID, &uid, sizeof(uid));
	netlink_put(msg, RTA_IP_PROTO, &tcp, sizeof(tcp));
	if (q->sport)
		netlink_put(msg, RTA_SPORT, &sport, sizeof(sport));
	if (q->dport)
		netlink_put(msg, RTA_DPORT, &dport, sizeof(dport));
	memset(l, 0, sizeof(*l));
	if (netlink_ask(h, msg, on_lookup, l, answer, e) != 0)
		return -1;
	if (*answer == 0 && !l->found)
		return err_set(e, ERR_RUN, "netlink: a route lookup without an answer");
	return 0;
}

/*
 * The source that connect() would try when an IPv6 lookup without one fails:
 * it then picks one and looks again, so that rules on the source apply
 * (ip6_dst_lookup_tail()). connect() of a UDP socket does the same and sends
 * nothing.
 */
static bool source_of_connect(struct host *h, const struct route_query *q, struct addr *src)
{
	const struct sockaddr none = {.sa_family = AF_UNSPEC};
	struct sockaddr_storage to, own;
	socklen_t len = sizeof(own);
	struct addr found;

	if (h->udp6 < 0 || q->oif)
		return false;
	socklen_t to_len = addr_to_sockaddr(&q->dst, q->dport ? q->dport : 25, &to);
	bool ok = connect(h->udp6, (const struct sockaddr *)&to, to_len) == 0 &&
		  getsockname(h->udp6, (struct sockaddr *)&own, &len) == 0 &&
		  addr_from_sockaddr(&found, NULL, (const struct sockaddr *)&own);
	if (connect(h->udp6, &none, sizeof(none)) != 0) /* unbinds it for the next time */
		ok = false;
	if (ok)
		*src = found;
	return ok;
}

/* The lookups that connect() makes, with the source that it ends up with in *src. */
static int lookup_as_connect(struct host *h, const struct route_query *q, struct addr *src,
			     struct lookup *l, int *answer, struct err *e)
{
	*src = q->src;
	if (ask(h, q, src, 0, l, answer, e) != 0)
		return -1;
	if (addr_is_set(src))
		return 0;
	if (q->dst.family == ADDR_V6) {
		if (*answer == 0)
			*src = l->prefsrc;
		else if (source_of_connect(h, q, src))
			return ask(h, q, src, 0, l, answer, e);
		return 0;
	}
	if (*answer != 0)
		return 0;
	/* IPv4 looks a second time with the source of the first (ip_route_connect()), and rules on
	 * the source apply only then */
	*src = l->prefsrc;
	if (!addr_is_set(src) || l->type == RTN_LOCAL)
		return 0;
	return ask(h, q, src, 0, l, answer, e);
}

static void describe(struct host *h, const struct route_query *q, struct host_route *out)
{
	struct line line = line_into(out->text, sizeof(out->text));
	struct addr dst = q->dst, via = out->gateway;
	char text[ADDR_TEXT_MAX], name[IFNAMSIZ];

	dst.scope = via.scope = 0; /* the device is named anyway */
	if (out->local)
		line_add(&line, "local");
	line_add(&line, "%s", addr_text(&dst, text));
	if (addr_is_set(&via))
		line_add(&line, "via %s%s", via.family != dst.family ? "inet6 " : "",
			 addr_text(&via, text));
	if (out->oif)
		line_add(&line, "dev %s", netlink_link_name(h, out->oif, name));
	if (out->table) {
		words_table(out->table, text, sizeof(text));
		line_add(&line, "table %s", text);
	}
	if (addr_is_set(&out->prefsrc))
		line_add(&line, "src %s", addr_text(&out->prefsrc, text));
	if (out->mtu)
		line_add(&line, "mtu %u", out->mtu);
}

bool host_rules_see_ports(struct host *h, enum addr_family family)
{
	struct rules rules;
	struct err ignored;
	bool see = false;

	if (rules_read(h, family == ADDR_V6 ? AF_INET6 : AF_INET, &rules, &ignored) != 0)
		return true;
	for (size_t i = 0; i < rules.n; i++) {
		const struct rule *r = &rules.list[i];
		see |= r->unknown || r->sport.start || r->sport.mask || r->dport.start || r->dport.mask;
	}
	rules_clear(&rules);
	return see;
}

/* It was not routing that said so: this kernel, or who guards it, does not answer the question. */
static bool is_no_lookup(int error)
{
	return error == EOPNOTSUPP || error == EPERM || error == ENOMEM || error == ENOBUFS;
}

int host_get_route(struct host *h, const struct route_query *query, struct host_route *out,
		   struct err *e)
{
	struct route_query bound = *query;
	const struct route_query *q = &bound;
	struct lookup l, match;
	struct addr src;
	int ignored;

	if (bound.oif == 0) /* a link-local address names its link */
		bound.oif = (int)bound.dst.scope;
	memset(out, 0, sizeof(*out));
	out->port = q->dport;
	if (lookup_as_connect(h, q, &src, &l, &out->error, e) != 0)
		return -1;
	if (is_no_lookup(out->error))
		return err_set(e, ERR_RUN, "netlink: the kernel looks no route up: %s", strerror(out->error));
	if (out->error != 0) {
		snprintf(out->text, sizeof(out->text), "%s", strerror(out->error));
		stop_find(h, q, &src, out);
		return 0;
	}
	out->local = l.type == RTN_LOCAL;
	out->table = l.table;
	out->oif = l.oif;
	out->gateway = l.gateway;
	out->prefsrc = addr_is_set(&src) ? src : l.prefsrc;
	out->mtu = l.mtu;
	/* refused before Linux 4.13: then it stays unknown, and false */
	if (ask(h, q, &src, RTM_F_FIB_MATCH, &match, &ignored, e) != 0)
		return -1;
	out->multipath = ignored == 0 && match.multipath;
	out->prefix_len = ignored == 0 ? match.dst_len : 0;
	out->assumed_on_link = q->oif && !query->dst.scope &&
			       (ignored == ENETUNREACH || ignored == EHOSTUNREACH) && !out->local &&
			       !addr_is_set(&out->gateway);
	describe(h, q, out);
	return 0;
}
