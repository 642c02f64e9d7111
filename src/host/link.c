/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Links, neighbours, addresses. */
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>

#include "host/host.h"
#include "host/netlink.h"

/* linux/if.h and linux/if_arp.h clash with net/if.h, which lacks these */
#define LOWER_UP      (1u << 16)
#define ARPHRD_RAWIP  519
#define ARPHRD_IP6GRE 823
#define ALT_NAME_MAX  128 /* ALTIFNAMSIZ */

/* ---- link -------------------------------------------------------------------------------- */

/* For links without IFLA_INFO_KIND: hardware, and old tunnels. */
static const struct {
	uint16_t arphrd;
	const char *kind;
} kind_of_arphrd[] = {
    {ARPHRD_ETHER, "ethernet"}, {ARPHRD_LOOPBACK, "loopback"}, {ARPHRD_PPP, "ppp"},
    {ARPHRD_TUNNEL, "ipip"},    {ARPHRD_TUNNEL6, "ip6tnl"},    {ARPHRD_SIT, "sit"},
    {ARPHRD_IPGRE, "gre"},      {ARPHRD_IP6GRE, "ip6gre"},     {ARPHRD_INFINIBAND, "infiniband"},
    {ARPHRD_RAWIP, "rawip"},    {ARPHRD_SLIP, "slip"},
};

static const char *const tunnel_kinds[] = {
    "tun",    "wireguard", "ipip",      "sit",     "gre",  "gretap", "erspan", "ip6tnl",
    "ip6gre", "ip6gretap", "ip6erspan", "vti",     "vti6", "xfrm",   "ppp",    "vxlan",
    "geneve", "ovpn",      "ovpn-dco",  "bareudp", "gtp",  "slip",
};

static void set_kind(struct host_link *l, const struct nlattr *info)
{
	struct nlattr *in[IFLA_INFO_MAX + 1] = {NULL};
	const char *kind = "other";

	for (size_t i = 0; i < sizeof(kind_of_arphrd) / sizeof(kind_of_arphrd[0]); i++)
		if (kind_of_arphrd[i].arphrd == l->arphrd)
			kind = kind_of_arphrd[i].kind;
	if (info &&
	    nla_parse_nested(in, IFLA_INFO_MAX, (struct nlattr *)(uintptr_t)info, NULL) == 0 &&
	    in[IFLA_INFO_KIND])
		kind = nla_data(in[IFLA_INFO_KIND]);
	/* the driver calls both tun; a tap carries Ethernet frames, often for a virtual machine */
	if (strcmp(kind, "tun") == 0 && l->arphrd == ARPHRD_ETHER)
		kind = "tap";
	snprintf(l->kind, sizeof(l->kind), "%.*s", (int)sizeof(l->kind) - 1, kind);
	for (size_t i = 0; i < sizeof(tunnel_kinds) / sizeof(tunnel_kinds[0]); i++)
		if (strcmp(l->kind, tunnel_kinds[i]) == 0)
			l->tunnel = true;
}

struct link_answer {
	struct host_link *link;
	bool found;
};

static void on_link(const struct nlmsghdr *m, void *arg)
{
	struct nlattr *a[IFLA_MAX + 1];
	struct link_answer *answer = arg;
	struct host_link *l = answer->link;

	if (!m || m->nlmsg_type != RTM_NEWLINK ||
	    !netlink_parse(m, sizeof(struct ifinfomsg), a, IFLA_MAX))
		return;
	const struct ifinfomsg *header = nlmsg_data(m);
	memset(l, 0, sizeof(*l));
	l->ifindex = header->ifi_index;
	l->arphrd = header->ifi_type;
	l->up = header->ifi_flags & IFF_UP;
	l->carrier = header->ifi_flags & LOWER_UP;
	l->loopback = header->ifi_flags & IFF_LOOPBACK;
	l->needs_neighbour = !(header->ifi_flags & (IFF_NOARP | IFF_LOOPBACK | IFF_POINTOPOINT));
	l->mtu = netlink_u32(a[IFLA_MTU]);
	if (a[IFLA_IFNAME])
		nla_strlcpy(l->name, a[IFLA_IFNAME], sizeof(l->name));
	if (a[IFLA_ADDRESS] && nla_len(a[IFLA_ADDRESS]) <= (int)sizeof(l->mac)) {
		l->mac_len = (uint8_t)nla_len(a[IFLA_ADDRESS]);
		memcpy(l->mac, nla_data(a[IFLA_ADDRESS]), l->mac_len);
	}
	set_kind(l, a[IFLA_LINKINFO]);
	answer->found = true;
}

/* attribute: which kind of name, 0: by index */
static int ask_link(struct host *h, int ifindex, int attribute, const char *name,
		    struct link_answer *found, int *answer, struct err *e)
{
	const struct ifinfomsg header = {.ifi_index = ifindex};
	struct nl_msg *msg = netlink_request(RTM_GETLINK, 0, &header, sizeof(header));

	if (attribute)
		netlink_put(msg, attribute, name, strlen(name) + 1);
	return netlink_ask(h, msg, on_link, found, answer, e);
}

int host_get_link(struct host *h, int ifindex, const char *name, struct host_link *out,
		  struct err *e)
{
	struct link_answer found = {.link = out};
	int answer = ENODEV, rc = 0;

	if (!name)
		rc = ifindex > 0 ? ask_link(h, ifindex, 0, NULL, &found, &answer, e) : 0;
	else if (*name && strlen(name) < IFNAMSIZ)
		rc = ask_link(h, 0, IFLA_IFNAME, name, &found, &answer, e);
	if (rc == 0 && name && !found.found && strlen(name) < ALT_NAME_MAX)
		rc = ask_link(h, 0, IFLA_ALT_IFNAME, name, &found, &answer, e);
	if (rc != 0)
		return -1;
	if (found.found)
		return 0;
	if (name)
		return err_set(e, ERR_USAGE, "no such interface: %s", name);
	return err_set(e, ERR_USAGE, "no such interface: index %d", ifindex);
}

static void on_vrf(const struct nlmsghdr *m, void *arg)
{
	static const int kinds[] = {IFLA_INFO_KIND, IFLA_INFO_SLAVE_KIND};
	struct nlattr *a[IFLA_MAX + 1], *in[IFLA_INFO_MAX + 1];
	bool *yes = arg;

	if (!m || m->nlmsg_type != RTM_NEWLINK ||
	    !netlink_parse(m, sizeof(struct ifinfomsg), a, IFLA_MAX) || !a[IFLA_LINKINFO] ||
	    nla_parse_nested(in, IFLA_INFO_MAX, a[IFLA_LINKINFO], NULL) != 0)
		return;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (in[kinds[i]] && nla_strcmp(in[kinds[i]], "vrf") == 0)
			*yes = true;
}

bool netlink_link_in_vrf(struct host *h, int ifindex)
{
	const struct ifinfomsg header = {.ifi_index = ifindex};
	bool yes = false;
	struct err e;
	int answer;

	if (ifindex == 0)
		return false;
	struct nl_msg *msg = netlink_request(RTM_GETLINK, 0, &header, sizeof(header));
	return netlink_ask(h, msg, on_vrf, &yes, &answer, &e) == 0 && yes;
}

/* ---- neighbour --------------------------------------------------------------------------- */

static void on_neighbour(const struct nlmsghdr *m, void *arg)
{
	struct host_neighbour *n = arg;
	struct nlattr *a[NDA_MAX + 1];

	if (!m) {
		n->exists = false;
		return;
	}
	if (m->nlmsg_type != RTM_NEWNEIGH || !netlink_parse(m, sizeof(struct ndmsg), a, NDA_MAX))
		return;
	const struct ndmsg *header = nlmsg_data(m);
	const struct addr address = netlink_addr(header->ndm_family, a[NDA_DST]);
	if (header->ndm_ifindex != n->ifindex || !addr_equal(&address, &n->address))
		return;
	n->exists = true;
	n->state = header->ndm_state;
	n->mac_len = 0;
	if (a[NDA_LLADDR] && nla_len(a[NDA_LLADDR]) <= (int)sizeof(n->mac)) {
		n->mac_len = (uint8_t)nla_len(a[NDA_LLADDR]);
		memcpy(n->mac, nla_data(a[NDA_LLADDR]), n->mac_len);
	}
}

int host_get_neighbour(struct host *h, int ifindex, const struct addr *a,
		       struct host_neighbour *out, struct err *e)
{
	const uint8_t family = (uint8_t)netlink_family(a);
	const struct ndmsg one = {.ndm_family = family, .ndm_ifindex = ifindex};
	const struct ndmsg all = {.ndm_family = family};
	int answer;

	memset(out, 0, sizeof(*out));
	out->address = *a;
	out->ifindex = ifindex;

	struct nl_msg *msg = netlink_request(RTM_GETNEIGH, 0, &one, sizeof(one));
	netlink_put(msg, NDA_DST, a->bytes, netlink_addr_len(a));
	if (netlink_ask(h, msg, on_neighbour, out, &answer, e) != 0)
		return -1;
	if (answer == 0 || answer == ENOENT)
		return 0;

	/* before Linux 5.0 there are only dumps */
	msg = netlink_request(RTM_GETNEIGH, NLM_F_DUMP, &all, sizeof(all));
	netlink_put(msg, NDA_IFINDEX, &ifindex, sizeof(ifindex));
	if (netlink_ask(h, msg, on_neighbour, out, &answer, e) != 0)
		return -1;
	/* the interface has gone meanwhile, and its entries with it */
	if (answer != 0 && answer != ENODEV)
		return err_set(e, ERR_RUN, "netlink: neighbours: %s", strerror(answer));
	return 0;
}

/* ---- addresses --------------------------------------------------------------------------- */

struct address_search {
	struct addr wanted;
	bool found;
	int ifindex; /* that has it */
};

static void on_address(const struct nlmsghdr *m, void *arg)
{
	struct address_search *search = arg;
	struct nlattr *a[IFA_MAX + 1];

	if (!m || m->nlmsg_type != RTM_NEWADDR ||
	    !netlink_parse(m, sizeof(struct ifaddrmsg), a, IFA_MAX))
		return;
	const struct ifaddrmsg *header = nlmsg_data(m);
	/* on point-to-point links IFA_ADDRESS is the peer's */
	const struct nlattr *own = a[IFA_LOCAL] ? a[IFA_LOCAL] : a[IFA_ADDRESS];
	const struct addr address = netlink_addr(header->ifa_family, own);
	if (!addr_equal(&address, &search->wanted))
		return;
	if (search->wanted.scope == 0 || search->wanted.scope == header->ifa_index)
		search->found = true;
	if (search->found && !search->ifindex)
		search->ifindex = (int)header->ifa_index;
}

int host_has_address(struct host *h, const struct addr *a, bool *yes, int *ifindex, struct err *e)
{
	const struct ifaddrmsg header = {.ifa_family = (uint8_t)netlink_family(a)};
	struct address_search search = {.wanted = *a};
	int answer;

	if (ifindex)
		*ifindex = 0;
	*yes = addr_is_loopback(a); /* the whole of 127/8, though only one is listed */
	if (*yes)
		return 0;
	struct nl_msg *msg = netlink_request(RTM_GETADDR, NLM_F_DUMP, &header, sizeof(header));
	if (netlink_ask(h, msg, on_address, &search, &answer, e) != 0)
		return -1;
	if (answer != 0)
		return err_set(e, ERR_RUN, "netlink: addresses: %s", strerror(answer));
	*yes = search.found;
	if (ifindex)
		*ifindex = search.ifindex;
	return 0;
}
