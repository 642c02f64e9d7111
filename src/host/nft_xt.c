/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Matches and targets of iptables inside nf_tables rules (`xt match`, as
 * iptables-nft makes them): those that decide about mail in practice. Their
 * parameters are the blobs of linux/netfilter/xt_*.h, in host byte order but for
 * addresses.
 */
#include <endian.h>
#include <netinet/in.h> /* before the kernel's own */

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_CT.h>
#include <linux/netfilter/xt_MARK.h>
#include <linux/netfilter/xt_NFQUEUE.h>
#include <linux/netfilter/xt_addrtype.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_dscp.h>
#include <linux/netfilter/xt_iprange.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter/xt_multiport.h>
#include <linux/netfilter/xt_owner.h>
#include <linux/netfilter/xt_pkttype.h>
#include <linux/netfilter/xt_state.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "host/nft_eval.h"

static enum nft_tri invert(enum nft_tri t, bool inverted)
{
	return inverted ? nft_not(t) : t;
}

static enum nft_tri or (enum nft_tri a, enum nft_tri b) {
	return nft_not(nft_and(nft_not(a), nft_not(b)));
}

/* ---- matches: `info` holds at least x->size bytes */

static enum nft_tri match_yes(struct nft_packet *p, const void *info)
{
	(void)p, (void)info;
	return NFT_YES;
}

static enum nft_tri match_no(struct nft_packet *p, const void *info)
{
	(void)p, (void)info;
	return NFT_NO;
}

static enum nft_tri match_tcp(struct nft_packet *p, const void *info)
{
	struct xt_tcp x;
	enum nft_tri r;

	memcpy(&x, info, sizeof(x));
	r = invert(nft_port_within(p, false, x.spts[0], x.spts[1]), x.invflags & XT_TCP_INV_SRCPT);
	r = nft_and(r, invert(nft_port_within(p, true, x.dpts[0], x.dpts[1]),
			      x.invflags & XT_TCP_INV_DSTPT));
	if (x.flg_mask) {
		uint8_t known = p->tcp.known[13], flags = p->tcp.value[13];
		enum nft_tri f =
			((flags ^ x.flg_cmp) & x.flg_mask & known) || (x.flg_cmp & ~x.flg_mask)
				? NFT_NO
			: (x.flg_mask & ~known) ? nft_maybe(p, p->tcp.why[13])
						: NFT_YES;
		r = nft_and(r, invert(f, x.invflags & XT_TCP_INV_FLAGS));
	}
	if (x.option)
		r = nft_and(r, nft_maybe(p, "a TCP option"));
	return r;
}

static enum nft_tri one_port(struct nft_packet *p, uint8_t which, uint16_t low, uint16_t high)
{
	enum nft_tri source = nft_port_within(p, false, low, high);
	enum nft_tri destination = nft_port_within(p, true, low, high);

	switch (which) {
	case XT_MULTIPORT_SOURCE: return source;
	case XT_MULTIPORT_DESTINATION: return destination;
	default: return or (source, destination);
	}
}

static enum nft_tri match_multiport(struct nft_packet *p, const void *info)
{
	struct xt_multiport_v1 x;
	enum nft_tri r = NFT_NO;

	memcpy(&x, info, sizeof(x));
	for (unsigned i = 0; i < x.count && i < XT_MULTI_PORTS; i++) {
		uint16_t low = x.ports[i], high = low;
		if (x.pflags[i] && i + 1 < XT_MULTI_PORTS)
			high = x.ports[++i];
		r = or (r, one_port(p, x.flags, low, high));
	}
	return invert(r, x.invert);
}

/* In the compatibility matches' numbers. */
static uint32_t xt_state_of(struct nft_packet *p)
{
	if (p->tracking == NFT_UNTRACKED)
		return XT_CONNTRACK_STATE_UNTRACKED;
	return nft_ct_state(p); /* 1, 2, 4, 8 are the same */
}

static enum nft_tri state_in(struct nft_packet *p, uint32_t mask, uint32_t untracked_bit)
{
	uint32_t state = xt_state_of(p);
	enum nft_tri r;

	if (!state)
		return nft_maybe(p, "conntrack's state");
	if (state == XT_CONNTRACK_STATE_UNTRACKED)
		state = untracked_bit;
	r = (state & mask) ? NFT_YES : NFT_NO;
	if (r == NFT_NO && p->tracking == NFT_TRACKED && (mask & XT_CONNTRACK_STATE_DNAT))
		r = nft_word_equals(p, &p->ct_status, IPS_DST_NAT, IPS_DST_NAT);
	if (r == NFT_NO && p->tracking == NFT_TRACKED && (mask & XT_CONNTRACK_STATE_SNAT))
		r = nft_word_equals(p, &p->ct_status, IPS_SRC_NAT, IPS_SRC_NAT);
	return r;
}

static enum nft_tri match_state(struct nft_packet *p, const void *info)
{
	struct xt_state_info x;
	uint32_t state = xt_state_of(p);

	memcpy(&x, info, sizeof(x));
	if (!state)
		return nft_maybe(p, "conntrack's state");
	if (state == XT_CONNTRACK_STATE_UNTRACKED)
		return x.statemask & XT_STATE_UNTRACKED ? NFT_YES : NFT_NO;
	return x.statemask & state ? NFT_YES : NFT_NO;
}

static enum nft_tri match_conntrack_state(struct nft_packet *p, unsigned flags, unsigned states, unsigned inverted)
{
	if (flags & ~(XT_CONNTRACK_STATE | XT_CONNTRACK_STATE_ALIAS))
		return nft_maybe(p, "conntrack's view of the connection");
	if (!(flags & XT_CONNTRACK_STATE))
		return NFT_YES;
	return invert(state_in(p, states, XT_CONNTRACK_STATE_UNTRACKED), inverted & XT_CONNTRACK_STATE);
}

static enum nft_tri match_conntrack(struct nft_packet *p, const void *info)
{
	struct xt_conntrack_mtinfo3 x;

	/* revision 2 is its beginning */
	memset(&x, 0, sizeof(x));
	memcpy(&x, info, sizeof(struct xt_conntrack_mtinfo2));
	return match_conntrack_state(p, x.match_flags, x.state_mask, x.invert_flags);
}

/* Revision 1 has narrower masks; `-m state` is made of it. */
static enum nft_tri match_conntrack1(struct nft_packet *p, const void *info)
{
	struct xt_conntrack_mtinfo1 x;

	memcpy(&x, info, sizeof(x));
	return match_conntrack_state(p, x.match_flags, x.state_mask, x.invert_flags);
}

static enum nft_tri match_owner(struct nft_packet *p, const void *info)
{
	const struct host_watch *w = p->host->watch;
	struct xt_owner_match_info x;

	memcpy(&x, info, sizeof(x));
	if (p->answer || p->host->loopback || p->stage > NFT_POSTROUTING || !p->host->ids_known)
		return nft_maybe(p, "the socket's owner");
	if ((x.match & XT_OWNER_SOCKET) && (x.invert & XT_OWNER_SOCKET))
		return NFT_NO; /* the packets that have none */
	if ((x.match & XT_OWNER_UID) &&
	    (w->uid >= x.uid_min && w->uid <= x.uid_max) == !!(x.invert & XT_OWNER_UID))
		return NFT_NO;
	if ((x.match & XT_OWNER_GID)) {
		bool in = w->gid >= x.gid_min && w->gid <= x.gid_max;
		if (!in && (x.match & XT_OWNER_SUPPL_GROUPS))
			return nft_maybe(p, "the program's groups");
		if (in == !!(x.invert & XT_OWNER_GID))
			return NFT_NO;
	}
	return NFT_YES;
}

static enum nft_tri match_mark(struct nft_packet *p, const void *info)
{
	struct xt_mark_mtinfo1 x;

	memcpy(&x, info, sizeof(x));
	return invert(nft_word_equals(p, &p->mark, x.mask, x.mark), x.invert);
}

static enum nft_tri match_connmark(struct nft_packet *p, const void *info)
{
	struct xt_mark_mtinfo1 x; /* the same three */

	memcpy(&x, info, sizeof(x));
	if (p->tracking == NFT_UNSEEN || p->tracking == NFT_UNTRACKED)
		return NFT_NO;
	if (p->tracking == NFT_TRACKING_UNKNOWN)
		return nft_maybe(p, "whether conntrack knows the packet");
	return invert(nft_word_equals(p, &p->ct_mark, x.mask, x.mark), x.invert);
}

static enum nft_tri type_in(struct nft_packet *p, bool source, uint16_t mask)
{
	bool local = source != p->answer;
	const uint16_t never = (uint16_t) ~(XT_ADDRTYPE_LOCAL | XT_ADDRTYPE_UNICAST);

	if (p->turned || (!local && p->host->remote_is_local == NFT_MAYBE))
		return (mask & ~never) || p->turned ? nft_maybe(p, "what kind of address it is")
						    : NFT_NO;
	if (!local)
		local = p->host->remote_is_local == NFT_YES;
	return mask & (local ? XT_ADDRTYPE_LOCAL : XT_ADDRTYPE_UNICAST) ? NFT_YES : NFT_NO;
}

/* IPv6 counts a local address as unicast as well, and knows of routes that reject. */
static enum nft_tri address_types(struct nft_packet *p, uint16_t source, uint16_t destination,
				  bool not_source, bool not_destination)
{
	enum nft_tri r = NFT_YES;

	if (p->host->v6 && ((source | destination) & ~XT_ADDRTYPE_LOCAL))
		return nft_maybe(p, "what kind of address it is");
	if (source)
		r = invert(type_in(p, true, source), not_source);
	if (destination)
		r = nft_and(r, invert(type_in(p, false, destination), not_destination));
	return r;
}

static enum nft_tri match_addrtype(struct nft_packet *p, const void *info)
{
	struct xt_addrtype_info_v1 x;

	memcpy(&x, info, sizeof(x));
	if (x.flags & (XT_ADDRTYPE_LIMIT_IFACE_IN | XT_ADDRTYPE_LIMIT_IFACE_OUT))
		return nft_maybe(p, "what kind of address it is");
	return address_types(p, x.source, x.dest, x.flags & XT_ADDRTYPE_INVERT_SOURCE,
			     x.flags & XT_ADDRTYPE_INVERT_DEST);
}

static enum nft_tri match_addrtype0(struct nft_packet *p, const void *info)
{
	struct xt_addrtype_info x;

	memcpy(&x, info, sizeof(x));
	return address_types(p, x.source, x.dest, x.invert_source, x.invert_dest);
}

static enum nft_tri match_iprange(struct nft_packet *p, const void *info)
{
	struct xt_iprange_mtinfo x;
	size_t len = p->host->v6 ? 16 : 4, src = p->host->v6 ? 8 : 12;
	enum nft_tri r = NFT_YES;

	memcpy(&x, info, sizeof(x));
	if (x.flags & IPRANGE_SRC)
		r = invert(nft_in_range(p, &p->net, src, len, (const uint8_t *)&x.src_min,
					(const uint8_t *)&x.src_max),
			   x.flags & IPRANGE_SRC_INV);
	if (x.flags & IPRANGE_DST)
		r = nft_and(r, invert(nft_in_range(p, &p->net, src + len, len,
						   (const uint8_t *)&x.dst_min,
						   (const uint8_t *)&x.dst_max),
				      x.flags & IPRANGE_DST_INV));
	return r;
}

static enum nft_tri match_pkttype(struct nft_packet *p, const void *info)
{
	struct xt_pkttype_info x;

	(void)p;
	memcpy(&x, info, sizeof(x));
	return invert(x.pkttype == 0 ? NFT_YES : NFT_NO, x.invert); /* PACKET_HOST */
}

static const struct match {
	const char *name;
	uint32_t min, max; /* revisions */
	size_t size;
	enum nft_tri (*eval)(struct nft_packet *p, const void *info);
} matches[] = {
	{"tcp", 0, 0, sizeof(struct xt_tcp), match_tcp},
	{"udp", 0, 0, 0, match_no},
	{"icmp", 0, 0, 0, match_no},
	{"icmp6", 0, 0, 0, match_no},
	{"udplite", 0, 0, 0, match_no},
	{"sctp", 0, 0, 0, match_no},
	{"dccp", 0, 0, 0, match_no},
	/* IPv6 extension headers: SYN and SYN-ACK have none */
	{"rt", 0, 0, 0, match_no},
	{"frag", 0, 0, 0, match_no},
	{"hbh", 0, 0, 0, match_no},
	{"dst", 0, 0, 0, match_no},
	{"ah", 0, 0, 0, match_no},
	{"esp", 0, 0, 0, match_no},
	{"mh", 0, 0, 0, match_no},
	{"comment", 0, 0, 0, match_yes},
	{"multiport", 1, 1, sizeof(struct xt_multiport_v1), match_multiport},
	{"state", 0, 0, sizeof(struct xt_state_info), match_state},
	{"conntrack", 1, 1, sizeof(struct xt_conntrack_mtinfo1), match_conntrack1},
	{"conntrack", 2, 3, sizeof(struct xt_conntrack_mtinfo2), match_conntrack},
	{"owner", 1, 1, sizeof(struct xt_owner_match_info), match_owner},
	{"mark", 1, 1, sizeof(struct xt_mark_mtinfo1), match_mark},
	{"connmark", 1, 1, sizeof(struct xt_mark_mtinfo1), match_connmark},
	{"addrtype", 1, 1, sizeof(struct xt_addrtype_info_v1), match_addrtype},
	{"addrtype", 0, 0, sizeof(struct xt_addrtype_info), match_addrtype0},
	{"iprange", 1, 1, sizeof(struct xt_iprange_mtinfo), match_iprange},
	{"pkttype", 0, 0, sizeof(struct xt_pkttype_info), match_pkttype},
};

static const char *known_reason(const char *name)
{
	static const struct {
		const char *name, *why;
	} reasons[] = {
		{"limit", "a rate limit"},
		{"hashlimit", "a rate limit"},
		{"connlimit", "the number of connections"},
		{"connbytes", "how much the connection carried"},
		{"quota", "a quota"},
		{"statistic", "chance"},
		{"set", "an ipset"},
		{"recent", "a list of recent addresses"},
		{"time", "the time"},
		{"cgroup", "the program's cgroup"},
		{"socket", "the socket's settings"},
		{"length", "the packet's length"},
		{"ttl", "the packet's TTL"},
		{"hl", "the packet's hop limit"},
		{"mac", "the sender's link address"},
		{"geoip", "a list of countries"},
		{"policy", "whether IPsec applies"},
		{"rpfilter", "the routing table"},
		{"string", "the packet's contents"},
		{"u32", "the packet's contents"},
		{"bpf", "a BPF program in the rule"},
		{"physdev", "the bridge port"},
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (strcmp(reasons[i].name, name) == 0)
			return reasons[i].why;
	return NULL;
}

enum nft_tri nft_xt_match(struct nft_packet *p, const char *name, uint32_t revision,
			  const void *info, size_t len)
{
	for (size_t i = 0; i < sizeof(matches) / sizeof(matches[0]); i++) {
		const struct match *x = &matches[i];
		if (strcmp(x->name, name) == 0 && revision >= x->min && revision <= x->max &&
		    len >= x->size)
			return x->eval(p, info);
	}
	const char *why = known_reason(name);
	return why ? nft_maybe(p, why) : nft_maybe_of(p, "iptables' match ", name);
}

/* ---- targets */

static void target_mark(struct nft_packet *p, uint32_t revision, const void *info, size_t len)
{
	struct xt_mark_tginfo2 x;

	if (revision != 2 || len < sizeof(x)) {
		nft_word_set(p, &p->mark, UINT32_MAX, 0, UINT32_MAX, "the packet's mark");
		return;
	}
	memcpy(&x, info, sizeof(x));
	/* mark = (mark & ~mask) ^ value: bits of the value outside of the mask flip the old ones */
	nft_word_set(p, &p->mark, x.mask | x.mark, (p->mark.value & ~x.mask) ^ x.mark,
		     ~p->mark.known & ~x.mask, "the packet's mark");
}

static void target_connmark(struct nft_packet *p)
{
	nft_word_set(p, &p->mark, UINT32_MAX, 0, UINT32_MAX, "the packet's mark");
	nft_word_set(p, &p->ct_mark, UINT32_MAX, 0, UINT32_MAX, "the connection's mark");
}

static void target_ct(struct nft_packet *p, const void *info, size_t len)
{
	struct xt_ct_target_info_v1 x;

	if (len < sizeof(x)) {
		nft_untrack(p, false);
		return;
	}
	memcpy(&x, info, sizeof(x));
	nft_untrack(p, x.flags & XT_CT_NOTRACK);
}

static bool target_queue(struct nft_packet *p, uint32_t revision, const void *info, size_t len)
{
	struct xt_NFQ_info_v3 x;

	memset(&x, 0, sizeof(x));
	if (revision > 3 || len < sizeof(struct xt_NFQ_info))
		return false;
	memcpy(&x, info, len < sizeof(x) ? len : sizeof(x));
	p->doing.act = NFT_ACT_QUEUE;
	p->doing.queue = x.queuenum;
	p->doing.queues = revision >= 1 ? x.queues_total : 1;
	p->doing.bypass = revision >= 2 && (x.flags & NFQ_FLAG_BYPASS);
	return true;
}

/* What changes nothing that is relied on. */
static bool is_harmless(const char *name)
{
	static const char *const names[] = {
		"LOG",     "NFLOG",       "ULOG",    "AUDIT",       "CHECKSUM",  "CLASSIFY",
		"TCPMSS",  "TCPOPTSTRIP", "TRACE",   "TEE",         "IDLETIMER", "LED",
		"RATEEST", "SET",         "SECMARK", "CONNSECMARK", "NFACCT",    "TTL",
		"HL",      "DSCP",        "TOS",     "ECN",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* These change a byte of the header of which only a "maybe" is left, then. */
static void forget_tos(struct nft_packet *p, const char *name)
{
	if (strcmp(name, "DSCP") == 0 || strcmp(name, "TOS") == 0 || strcmp(name, "ECN") == 0) {
		p->net.known[1] = 0;
		p->net.why[1] = "the packet's DSCP";
		if (p->host->v6)
			p->net.known[0] &= 0xf0;
		p->net.why[0] = "the packet's DSCP";
	}
	if (strcmp(name, "ECN") == 0 || strcmp(name, "TCPOPTSTRIP") == 0) {
		p->tcp.known[13] &= 0x3f;
		p->tcp.why[13] = "the packet's ECN flags";
	}
}

enum nft_tri nft_xt_target(struct nft_packet *p, const char *name, uint32_t revision,
			   const void *info, size_t len)
{
	static const struct {
		const char *name;
		enum nft_act act;
	} acts[] = {
		{"REJECT", NFT_ACT_REJECT},     {"DNAT", NFT_ACT_DNAT},
		{"REDIRECT", NFT_ACT_REDIRECT}, {"SNAT", NFT_ACT_SNAT},
		{"MASQUERADE", NFT_ACT_SNAT},   {"SYNPROXY", NFT_ACT_STEAL},
		{"TARPIT", NFT_ACT_STEAL},      {"NETMAP", NFT_ACT_UNKNOWN},
	};

	if (is_harmless(name)) {
		forget_tos(p, name);
		return NFT_YES;
	}
	if (strcmp(name, "MARK") == 0) {
		target_mark(p, revision, info, len);
		return NFT_YES;
	}
	if (strcmp(name, "CONNMARK") == 0) {
		target_connmark(p);
		return NFT_YES;
	}
	if (strcmp(name, "CT") == 0 || strcmp(name, "NOTRACK") == 0) {
		if (name[0] == 'N')
			nft_untrack(p, true);
		else
			target_ct(p, info, len);
		return NFT_YES;
	}
	if (strcmp(name, "NFQUEUE") == 0 && target_queue(p, revision, info, len))
		return NFT_YES;
	if (strcmp(name, "TPROXY") == 0) {
		/* it drops what has a socket of another kind, or none */
		p->doing.act = p->answer ? NFT_ACT_DROP : NFT_ACT_TPROXY;
		return nft_maybe(p, "whether a program listens for it");
	}
	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
		if (strcmp(acts[i].name, name) == 0) {
			p->doing.act = acts[i].act;
			return NFT_YES;
		}
	}
	p->doing.act = NFT_ACT_UNKNOWN;
	return nft_maybe_of(p, "what iptables' target does: ", name);
}
