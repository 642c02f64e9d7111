/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a rule asks of the packet and of what the kernel knows about it: headers, meta data, conntrack,
 * its socket, the routing tables. */
#include "host/nft_eval_private.h"

#include <endian.h>
#include <netinet/in.h> /* before the kernel's own */

#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "host/nfnl.h"

/* Newer than the headers of some systems. */
#define CT_STATE_BIT(info) (1U << ((info) % IP_CT_IS_REPLY + 1))
#define CT_STATE_INVALID   1U
#define CT_STATE_UNTRACKED (1U << 6)

/* ---- payload */

static struct nft_bytes *header(struct nft_packet *p, uint32_t base, size_t at, size_t len)
{
	if (base == NFT_PAYLOAD_NETWORK_HEADER && at <= p->net_len && len <= p->net_len - at)
		return &p->net;
	if (base == NFT_PAYLOAD_TRANSPORT_HEADER && at <= NFT_TCP_LEN && len <= NFT_TCP_LEN - at)
		return &p->tcp;
	return NULL;
}

static const char *beyond(uint32_t base)
{
	switch (base) {
	case NFT_PAYLOAD_LL_HEADER: return "the link layer's header";
	case NFT_PAYLOAD_NETWORK_HEADER:
	case NFT_PAYLOAD_TRANSPORT_HEADER: return "the packet's options";
	default: return "the packet's contents";
	}
}

static enum nft_tri payload_write(struct nft_packet *p, const struct nlattr **t, uint32_t base,
				  size_t at, size_t len)
{
	struct nft_bytes *h = header(p, base, at, len);
	size_t from;

	if (!h || !nft_reg_at(t[NFTA_PAYLOAD_SREG], len, &from))
		return NFT_YES;
	for (size_t i = 0; i < len; i++) {
		uint8_t known = p->regs.known[from + i];
		if (!nft_certain(p))
			known &= h->known[at + i] &
				 (uint8_t) ~(h->value[at + i] ^ p->regs.value[from + i]);
		h->value[at + i] = p->regs.value[from + i];
		h->known[at + i] = known;
		h->why[at + i] = nft_certain(p) ? p->regs.why[from + i] : nft_doubt(p);
	}
	if (h == &p->tcp && at < 4) {
		p->sport_list = false;
		p->turned = true;
	}
	if (h == &p->net && at + len > (p->host->v6 ? 8U : 12U))
		p->turned = true; /* another address */
	return NFT_YES;
}

enum nft_tri nft_eval_payload(struct nft_packet *p, const struct nlattr **t)
{
	uint32_t base = nft_u32(t[NFTA_PAYLOAD_BASE], UINT32_MAX);
	size_t at = nft_u32(t[NFTA_PAYLOAD_OFFSET], UINT32_MAX);
	size_t len = nft_u32(t[NFTA_PAYLOAD_LEN], 0), to;

	if (t[NFTA_PAYLOAD_SREG])
		return payload_write(p, t, base, at, len);
	const struct nft_bytes *h = header(p, base, at, len);
	if (!h)
		return nft_reg_forget(p, t[NFTA_PAYLOAD_DREG], len, beyond(base));
	if (!nft_reg_clear(p, t[NFTA_PAYLOAD_DREG], len, &to))
		return nft_maybe(p, NOT_UNDERSTOOD);
	memcpy(p->regs.value + to, h->value + at, len);
	memcpy(p->regs.known + to, h->known + at, len);
	memcpy(p->regs.why + to, h->why + at, len * sizeof(*h->why));
	p->reg_is_port[to / 4] = p->sport_list && base == NFT_PAYLOAD_TRANSPORT_HEADER &&
				 len == 2 && at == (p->answer ? 2 : 0);
	return NFT_YES;
}

/* ---- meta */

static enum nft_tri meta_device(struct nft_packet *p, const struct nlattr *dreg, enum nft_device d,
				bool name)
{
	const struct host_watch *w = p->host->watch;
	char padded[IFNAMSIZ] = "";
	int index = 0;

	switch (d) {
	case NFT_DEV_NONE: break;
	case NFT_DEV_OURS:
		snprintf(padded, sizeof(padded), "%s", w->oif_name);
		index = w->oif;
		break;
	case NFT_DEV_LO:
		strcpy(padded, "lo");
		index = 1;
		break;
	case NFT_DEV_UNKNOWN: return nft_reg_forget(p, dreg, name ? IFNAMSIZ : 4, "the interface");
	}
	return name ? nft_reg_store(p, dreg, padded, IFNAMSIZ) : nft_reg_u32(p, dreg, (uint32_t)index);
}

static enum nft_tri meta_device_type(struct nft_packet *p, const struct nlattr *dreg,
				     enum nft_device d)
{
	const uint16_t loopback = 772; /* ARPHRD_LOOPBACK */

	if (d == NFT_DEV_NONE)
		return NFT_NO;
	if (d == NFT_DEV_LO)
		return nft_reg_store(p, dreg, &loopback, sizeof(loopback));
	if (d == NFT_DEV_OURS && p->host->if_type_known)
		return nft_reg_store(p, dreg, &p->host->if_type, sizeof(p->host->if_type));
	return nft_reg_forget(p, dreg, 2, "the interface's type");
}

/* Has the packet a socket here, and is it ours? The SYN's until it leaves; the answer meets none
 * before the input hook, and there only where early demultiplexing is on. */
static enum nft_tri has_our_socket(const struct nft_packet *p)
{
	if (p->host->loopback)
		return NFT_MAYBE;
	switch (p->stage) {
	case NFT_OUTPUT:
	case NFT_POSTROUTING:
	case NFT_EGRESS: return p->answer ? NFT_NO : NFT_YES;
	case NFT_INGRESS:
	case NFT_PREROUTING: return NFT_NO;
	case NFT_INPUT: return NFT_MAYBE;
	}
	return NFT_MAYBE;
}

static enum nft_tri meta_of_socket(struct nft_packet *p, const struct nlattr *dreg, uint32_t key)
{
	const struct host_watch *w = p->host->watch;
	enum nft_tri ours = has_our_socket(p);

	if (ours == NFT_NO)
		return NFT_NO;
	if (ours == NFT_YES && key == NFT_META_SKUID && p->host->ids_known)
		return nft_reg_u32(p, dreg, w->uid);
	if (ours == NFT_YES && key == NFT_META_SKGID && p->host->ids_known)
		return nft_reg_u32(p, dreg, w->gid);
	if (ours == NFT_YES && key == NFT_META_CGROUP && p->host->classid_known)
		return nft_reg_u32(p, dreg, p->host->classid);
	/* that there is none makes the rule fail at once: not only the value is open */
	nft_reg_forget(p, dreg, 4,
		   key == NFT_META_CGROUP ? "the program's net_cls class" : "the socket's owner");
	return ours == NFT_YES ? NFT_YES : nft_maybe(p, "the socket that the packet belongs to");
}

static const char *meta_why(uint32_t key)
{
	switch (key) {
	case NFT_META_LEN: return "the packet's length";
	case NFT_META_PRIORITY: return "the packet's priority";
	case NFT_META_IIFGROUP:
	case NFT_META_OIFGROUP: return "the interface's group";
	case NFT_META_IIFKIND:
	case NFT_META_OIFKIND: return "the interface's kind";
	case NFT_META_RTCLASSID: return "the route's realm";
	case NFT_META_SECMARK: return "the packet's security mark";
	case NFT_META_SECPATH: return "whether IPsec applies";
	case NFT_META_CPU: return "the processor";
	case NFT_META_PRANDOM: return "chance";
	case NFT_META_TIME_NS:
	case NFT_META_TIME_DAY:
	case NFT_META_TIME_HOUR: return "the time";
	case NFT_META_SDIF:
	case NFT_META_SDIFNAME: return "the VRF";
	default: return NOT_UNDERSTOOD;
	}
}

static size_t meta_len(uint32_t key)
{
	switch (key) {
	case NFT_META_TIME_NS: return 8;
	case NFT_META_IIFKIND:
	case NFT_META_OIFKIND:
	case NFT_META_SDIFNAME:
	case NFT_META_BRI_IIFNAME:
	case NFT_META_BRI_OIFNAME: return IFNAMSIZ;
	default: return 4;
	}
}

static enum nft_tri meta_set(struct nft_packet *p, const struct nlattr *sreg, uint32_t key)
{
	struct nft_word v;
	size_t at;

	if (key != NFT_META_MARK)
		return NFT_YES; /* priority, nftrace, pkttype, ...: nothing of that is relied on */
	if (!nft_reg_at(sreg, 4, &at))
		return nft_maybe(p, NOT_UNDERSTOOD);
	nft_reg_read(p, at, &v);
	nft_word_set(p, &p->mark, UINT32_MAX, v.value, ~v.known, v.why);
	return NFT_YES;
}

static uint8_t protocol_family(const struct nft_packet *p)
{
	return p->family == NFPROTO_NETDEV ? NFPROTO_NETDEV
	       : p->host->v6               ? NFPROTO_IPV6
					   : NFPROTO_IPV4;
}

enum nft_tri nft_eval_meta(struct nft_packet *p, const struct nlattr **t)
{
	const struct nlattr *dreg = t[NFTA_META_DREG];
	uint32_t key = nft_u32(t[NFTA_META_KEY], UINT32_MAX);
	const uint16_t ethertype = htobe16(p->host->v6 ? ETH_P_IPV6 : ETH_P_IP);

	if (t[NFTA_META_SREG])
		return meta_set(p, t[NFTA_META_SREG], key);
	switch (key) {
	case NFT_META_PROTOCOL: return nft_reg_store(p, dreg, &ethertype, sizeof(ethertype));
	case NFT_META_NFPROTO: return nft_reg_u8(p, dreg, protocol_family(p));
	case NFT_META_L4PROTO: return nft_reg_u8(p, dreg, IPPROTO_TCP);
	case NFT_META_MARK: return nft_reg_word(p, dreg, &p->mark);
	case NFT_META_IIF: return meta_device(p, dreg, p->in, false);
	case NFT_META_OIF: return meta_device(p, dreg, p->out, false);
	case NFT_META_IIFNAME: return meta_device(p, dreg, p->in, true);
	case NFT_META_OIFNAME: return meta_device(p, dreg, p->out, true);
	case NFT_META_IIFTYPE: return meta_device_type(p, dreg, p->in);
	case NFT_META_OIFTYPE: return meta_device_type(p, dreg, p->out);
	case NFT_META_SKUID:
	case NFT_META_SKGID:
	case NFT_META_CGROUP: return meta_of_socket(p, dreg, key);
	case NFT_META_PKTTYPE: return nft_reg_u8(p, dreg, 0); /* PACKET_HOST, outbound too */
	default:
		/* some of them end the rule where there is no interface, no route, ... */
		nft_reg_forget(p, dreg, meta_len(key), meta_why(key));
		return nft_maybe(p, meta_why(key));
	}
}

/* ---- conntrack */

uint32_t nft_ct_state(struct nft_packet *p)
{
	switch (p->tracking) {
	case NFT_UNSEEN: return CT_STATE_INVALID;
	case NFT_UNTRACKED: return CT_STATE_UNTRACKED;
	case NFT_TRACKED:
		return p->answer ? CT_STATE_BIT(IP_CT_ESTABLISHED) : CT_STATE_BIT(IP_CT_NEW);
	case NFT_TRACKING_UNKNOWN: return 0;
	}
	return 0;
}

void nft_untrack(struct nft_packet *p, bool sure)
{
	if (p->tracking == NFT_UNTRACKED || p->tracking == NFT_TRACKED)
		return; /* it comes too late */
	p->tracking = sure && nft_certain(p) && p->tracking == NFT_UNSEEN ? NFT_UNTRACKED
								      : NFT_TRACKING_UNKNOWN;
}

static enum nft_tri ct_set(struct nft_packet *p, const struct nlattr **t, uint32_t key)
{
	struct nft_word v;
	size_t at;

	if (key == NFT_CT_ZONE && p->tracking == NFT_UNSEEN)
		p->tracking = NFT_TRACKING_UNKNOWN; /* a template: it counts as an entry */
	if (key != NFT_CT_MARK)
		return NFT_YES;
	if (!nft_reg_at(t[NFTA_CT_SREG], 4, &at))
		return nft_maybe(p, NOT_UNDERSTOOD);
	nft_reg_read(p, at, &v);
	nft_word_set(p, &p->ct_mark, UINT32_MAX, v.value, ~v.known, v.why);
	return NFT_YES;
}

/* Our SYN's own tuple, before any translation. */
static enum nft_tri ct_tuple(struct nft_packet *p, const struct nlattr **t, uint32_t key)
{
	const struct host_watch *w = p->host->watch;
	bool v6 = p->host->v6;
	uint8_t direction = UINT8_MAX;
	size_t len = key == NFT_CT_PROTO_SRC || key == NFT_CT_PROTO_DST ? 2 : v6 ? 16 : 4;

	if (t[NFTA_CT_DIRECTION] && t[NFTA_CT_DIRECTION]->nla_len > NLA_HDRLEN)
		direction = *((const uint8_t *)t[NFTA_CT_DIRECTION] + NLA_HDRLEN);
	if ((key == NFT_CT_SRC_IP || key == NFT_CT_DST_IP) && v6)
		return NFT_NO;
	if ((key == NFT_CT_SRC_IP6 || key == NFT_CT_DST_IP6) && !v6)
		return NFT_NO;
	if (direction == IP_CT_DIR_ORIGINAL && key == NFT_CT_PROTO_DST && !p->turned) {
		const uint8_t *port = (p->answer ? p->tcp.value : p->tcp.value + 2);
		return nft_reg_store(p, t[NFTA_CT_DREG], port, 2);
	}
	if (direction == IP_CT_DIR_ORIGINAL &&
	    (key == NFT_CT_DST || key == NFT_CT_DST_IP || key == NFT_CT_DST_IP6))
		return nft_reg_store(p, t[NFTA_CT_DREG], w->remote.bytes, len);
	if (direction == IP_CT_DIR_ORIGINAL && addr_is_set(&w->local) &&
	    (key == NFT_CT_SRC || key == NFT_CT_SRC_IP || key == NFT_CT_SRC_IP6))
		return nft_reg_store(p, t[NFTA_CT_DREG], w->local.bytes, len);
	return nft_reg_forget(p, t[NFTA_CT_DREG], len, "conntrack's view of the connection");
}

/* What needs an entry ends the rule when there is none. */
static enum nft_tri has_entry(struct nft_packet *p)
{
	switch (p->tracking) {
	case NFT_TRACKED: return NFT_YES;
	case NFT_UNSEEN:
	case NFT_UNTRACKED: return NFT_NO;
	case NFT_TRACKING_UNKNOWN: return nft_maybe(p, "whether conntrack knows the packet");
	}
	return NFT_MAYBE;
}

static enum nft_tri ct_get(struct nft_packet *p, const struct nlattr **t, uint32_t key)
{
	const struct nlattr *dreg = t[NFTA_CT_DREG];
	uint32_t state = nft_ct_state(p);

	switch (key) {
	case NFT_CT_STATE:
		return state ? nft_reg_u32(p, dreg, state)
			     : nft_reg_forget(p, dreg, 4, "conntrack's state");
	case NFT_CT_DIRECTION:
		return nft_reg_u8(p, dreg, p->answer ? IP_CT_DIR_REPLY : IP_CT_DIR_ORIGINAL);
	case NFT_CT_STATUS: return nft_reg_word(p, dreg, &p->ct_status);
	case NFT_CT_MARK: return nft_reg_word(p, dreg, &p->ct_mark);
	case NFT_CT_L3PROTOCOL: return nft_reg_u8(p, dreg, p->host->v6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
	case NFT_CT_PROTOCOL: return nft_reg_u8(p, dreg, IPPROTO_TCP);
	case NFT_CT_SRC:
	case NFT_CT_DST:
	case NFT_CT_PROTO_SRC:
	case NFT_CT_PROTO_DST:
	case NFT_CT_SRC_IP:
	case NFT_CT_DST_IP:
	case NFT_CT_SRC_IP6:
	case NFT_CT_DST_IP6: return ct_tuple(p, t, key);
	case NFT_CT_BYTES:
	case NFT_CT_PKTS:
	case NFT_CT_AVGPKT: return nft_reg_forget(p, dreg, 8, "how much the connection carried");
	default:
		/* a helper, labels, ...: without them the rule ends */
		nft_reg_forget(p, dreg, key == NFT_CT_HELPER || key == NFT_CT_LABELS ? 16 : 4,
			   "conntrack's view of the connection");
		return nft_maybe(p, "conntrack's view of the connection");
	}
}

enum nft_tri nft_eval_ct(struct nft_packet *p, const struct nlattr **t)
{
	uint32_t key = nft_u32(t[NFTA_CT_KEY], UINT32_MAX);
	enum nft_tri entry;

	if (t[NFTA_CT_SREG])
		return ct_set(p, t, key);
	/* with two priorities alike it can't be told whose turn is first */
	entry = key == NFT_CT_STATE ? NFT_YES : has_entry(p);
	if (entry == NFT_NO)
		return NFT_NO;
	return nft_and(entry, ct_get(p, t, key));
}

enum nft_tri nft_eval_notrack(struct nft_packet *p, const struct nlattr **t)
{
	(void)t;
	nft_untrack(p, true);
	return NFT_YES;
}

/* ---- socket, fib, rt, exthdr */

/* The id of the ancestor at `level`; 0: there is none so deep; -1: not known. */
static int ancestor_cgroup(const struct nft_surroundings *h, uint32_t level, uint64_t *id)
{
	static const char *const roots[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
	char path[1200];
	struct statfs fs;
	struct stat st;
	size_t end = 0;

	if (h->cgroup[0] != '/' || strstr(h->cgroup, "/.."))
		return -1;
	if (h->cgroup[1] == '\0')
		return level ? 0 : -1;
	for (uint32_t i = 0; i < level; i++) {
		if (h->cgroup[end] == '\0')
			return 0;
		end += 1 + strcspn(h->cgroup + end + 1, "/");
	}
	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		snprintf(path, sizeof(path), "%s%.*s", roots[i], (int)end, h->cgroup);
		if (statfs(path, &fs) == 0 && fs.f_type == 0x63677270 && stat(path, &st) == 0) {
			*id = st.st_ino;
			return 1;
		}
	}
	return -1;
}

enum nft_tri nft_eval_socket(struct nft_packet *p, const struct nlattr **t)
{
	const struct nlattr *dreg = t[NFTA_SOCKET_DREG];
	uint32_t key = nft_u32(t[NFTA_SOCKET_KEY], UINT32_MAX);
	uint64_t id;

	if (key != NFT_SOCKET_CGROUPV2) {
		nft_reg_forget(p, dreg, key == NFT_SOCKET_MARK ? 4 : 1, "the socket's settings");
		return nft_maybe(p, "the socket's settings");
	}
	if (has_our_socket(p) == NFT_YES) {
		int rc = ancestor_cgroup(p->host, nft_u32(t[NFTA_SOCKET_LEVEL], 0), &id);
		if (rc == 0)
			return NFT_NO;
		if (rc == 1)
			return nft_reg_store(p, dreg, &id, sizeof(id));
	}
	nft_reg_forget(p, dreg, 8, "the program's cgroup");
	return nft_maybe(p, "the program's cgroup");
}

/* Of which kind is the address: RTN_LOCAL, RTN_UNICAST; RTN_UNSPEC: not known. */
static uint32_t address_type(const struct nft_packet *p, bool source)
{
	if (p->turned)
		return RTN_UNSPEC;
	if (source != p->answer)
		return RTN_LOCAL;
	switch (p->host->remote_is_local) {
	case NFT_YES: return RTN_LOCAL;
	case NFT_NO: return RTN_UNICAST;
	case NFT_MAYBE: break;
	}
	return RTN_UNSPEC;
}

enum nft_tri nft_eval_fib(struct nft_packet *p, const struct nlattr **t)
{
	const struct nlattr *dreg = t[NFTA_FIB_DREG];
	uint32_t result = nft_u32(t[NFTA_FIB_RESULT], UINT32_MAX);
	uint32_t flags = nft_u32(t[NFTA_FIB_FLAGS], 0);
	bool by_interface = flags & (NFTA_FIB_F_IIF | NFTA_FIB_F_OIF);
	bool source = flags & NFTA_FIB_F_SADDR;

	if (result == NFT_FIB_RESULT_ADDRTYPE) {
		uint32_t type = address_type(p, source);
		/* bound to an interface, a local address may be somebody else's */
		if (type != RTN_UNSPEC && !by_interface)
			return nft_reg_u32(p, dreg, type);
		return nft_reg_forget(p, dreg, 4, "what kind of address it is");
	}
	/* where that is certain, no ip rule looks at marks */
	bool way_back = p->answer && source && !p->turned && p->host->reverse_path &&
			!p->host->loopback && p->in == NFT_DEV_OURS;
	if (!way_back) {
		/* without a route, the rule goes on with a zero; that is for who reads it */
		return nft_reg_forget(p, dreg, result == NFT_FIB_RESULT_OIFNAME ? IFNAMSIZ : 4,
				  "the routing table");
	}
	if (flags & NFTA_FIB_F_PRESENT)
		return nft_reg_u8(p, dreg, 1);
	return meta_device(p, dreg, NFT_DEV_OURS, result == NFT_FIB_RESULT_OIFNAME);
}

enum nft_tri nft_eval_rt(struct nft_packet *p, const struct nlattr **t)
{
	nft_reg_forget(p, t[NFTA_RT_DREG], nft_u32(t[NFTA_RT_KEY], 0) == NFT_RT_NEXTHOP6 ? 16 : 4,
		   "the route");
	return nft_maybe(p, "the route");
}

enum nft_tri nft_eval_exthdr(struct nft_packet *p, const struct nlattr **t)
{
	uint32_t op = nft_u32(t[NFTA_EXTHDR_OP], NFT_EXTHDR_OP_IPV6);
	bool present = nft_u32(t[NFTA_EXTHDR_FLAGS], 0) & NFT_EXTHDR_F_PRESENT;

	if (t[NFTA_EXTHDR_SREG] || !t[NFTA_EXTHDR_DREG])
		return op == NFT_EXTHDR_OP_TCPOPT ? NFT_YES : nft_maybe(p, NOT_UNDERSTOOD);
	if (op == NFT_EXTHDR_OP_TCPOPT) {
		nft_reg_forget(p, t[NFTA_EXTHDR_DREG], nft_u32(t[NFTA_EXTHDR_LEN], 1), "a TCP option");
		return nft_maybe(p, "a TCP option");
	}
	/* nobody's SYN and SYN-ACK have them */
	return present ? nft_reg_u8(p, t[NFTA_EXTHDR_DREG], 0) : NFT_NO;
}
