/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Ports of the kernel's expressions (net/netfilter/nft_*.c), each for values of
 * which some bits are not known. Where the kernel's own result would need a real
 * packet, or an attribute is not known here, the answer is "maybe".
 */
#include "host/nft_eval.h"

#include <endian.h>
#include <netinet/in.h> /* before the kernel's own */

#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "host/nfnl.h"

#define NOT_UNDERSTOOD "a kind of match that smtpblame does not understand"

/* Newer than the headers of some systems. */
#define CT_STATE_BIT(info) (1U << ((info) % IP_CT_IS_REPLY + 1))
#define CT_STATE_INVALID   1U
#define CT_STATE_UNTRACKED (1U << 6)
#define BITWISE_OP_AND     3
#define BITWISE_OP_OR      4
#define BITWISE_OP_XOR     5
#define BITWISE_SREG2      8

enum nft_tri nft_maybe(struct nft_packet *p, const char *why)
{
	p->why = why;
	return NFT_MAYBE;
}

enum nft_tri nft_maybe_of(struct nft_packet *p, const char *fmt, const char *name)
{
	char clean[64];

	watch_text(clean, sizeof(clean), name, strlen(name));
	p->why = arena_printf(p->text, "%s%s", fmt, clean);
	return NFT_MAYBE;
}

enum nft_tri nft_not(enum nft_tri t)
{
	return t == NFT_MAYBE ? NFT_MAYBE : t == NFT_NO ? NFT_YES : NFT_NO;
}

enum nft_tri nft_and(enum nft_tri a, enum nft_tri b)
{
	if (a == NFT_NO || b == NFT_NO)
		return NFT_NO;
	return a == NFT_MAYBE || b == NFT_MAYBE ? NFT_MAYBE : NFT_YES;
}

/* ---- words and bytes of which some bits are known */

enum nft_tri nft_word_equals(struct nft_packet *p, const struct nft_word *w, uint32_t mask,
			     uint32_t value)
{
	if (((w->value & mask) ^ value) & (w->known | ~mask))
		return NFT_NO;
	return (mask & ~w->known) == 0 ? NFT_YES : nft_maybe(p, w->why);
}

static bool certain(const struct nft_packet *p)
{
	return !p->maybe && !p->rule_maybe;
}

static const char *doubt(const struct nft_packet *p)
{
	return p->maybe ? p->maybe : p->rule_maybe;
}

/* Bits in mask become those of value, as far as they are not in unknown. When it is not certain
 * that this happens, only what is the same either way stays known. */
void nft_word_set(struct nft_packet *p, struct nft_word *w, uint32_t mask, uint32_t value,
		  uint32_t unknown, const char *why)
{
	uint32_t known = (w->known & ~mask) | (mask & ~unknown);
	uint32_t result = (w->value & ~mask) | (value & mask);

	if (!certain(p)) {
		known &= w->known & ~(w->value ^ result);
		why = doubt(p);
	}
	if (known != UINT32_MAX && (!w->why || known != w->known))
		w->why = why ? why : w->why;
	w->value = result & known;
	w->known = known;
}

static enum nft_tri bytes_equal(struct nft_packet *p, const struct nft_bytes *b, size_t at,
				const uint8_t *value, size_t len)
{
	const char *why = NULL;

	for (size_t i = 0; i < len; i++) {
		if ((b->value[at + i] ^ value[i]) & b->known[at + i])
			return NFT_NO;
		if (b->known[at + i] != 0xff && !why)
			why = b->why[at + i];
	}
	return why ? nft_maybe(p, why) : NFT_YES;
}

/* -1, 0, 1 as memcmp; the smallest (or largest) value that the bytes may have. */
static int extreme_compare(const struct nft_bytes *b, size_t at, const uint8_t *value, size_t len,
			   bool largest)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t v = b->value[at + i] & b->known[at + i];
		if (largest)
			v |= (uint8_t)~b->known[at + i];
		if (v != value[i])
			return v < value[i] ? -1 : 1;
	}
	return 0;
}

static const char *first_why(const struct nft_bytes *b, size_t at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (b->known[at + i] != 0xff && b->why[at + i])
			return b->why[at + i];
	return NOT_UNDERSTOOD;
}

/* value < bound (or <= with `equal`)? */
static enum nft_tri bytes_below(struct nft_packet *p, const struct nft_bytes *b, size_t at,
				const uint8_t *bound, size_t len, bool equal)
{
	if (extreme_compare(b, at, bound, len, true) < (equal ? 1 : 0))
		return NFT_YES;
	if (extreme_compare(b, at, bound, len, false) >= (equal ? 1 : 0))
		return NFT_NO;
	return nft_maybe(p, first_why(b, at, len));
}

enum nft_tri nft_in_range(struct nft_packet *p, const struct nft_bytes *b, size_t at, size_t len,
			  const uint8_t *low, const uint8_t *high)
{
	return nft_and(nft_not(bytes_below(p, b, at, low, len, false)),
		       bytes_below(p, b, at, high, len, true));
}

/* Our own port: one of the watch's, or any that the kernel may choose. */
static enum nft_tri own_port_within(struct nft_packet *p, uint16_t low, uint16_t high)
{
	const struct nft_surroundings *h = p->host;
	bool some = false, all = true;

	if (h->watch->n_lports) {
		for (unsigned i = 0; i < h->watch->n_lports; i++) {
			bool in = h->watch->lports[i] >= low && h->watch->lports[i] <= high;
			some |= in;
			all &= in;
		}
	} else {
		some = low <= high && low <= h->sport_max && high >= h->sport_min;
		all = low <= h->sport_min && high >= h->sport_max;
	}
	if (!some)
		return NFT_NO;
	return all ? NFT_YES : nft_maybe(p, "the source port");
}

enum nft_tri nft_port_within(struct nft_packet *p, bool destination, uint16_t low, uint16_t high)
{
	const uint8_t l[2] = {(uint8_t)(low >> 8), (uint8_t)low};
	const uint8_t h[2] = {(uint8_t)(high >> 8), (uint8_t)high};

	if (p->sport_list && destination == p->answer)
		return own_port_within(p, low, high);
	return nft_in_range(p, &p->tcp, destination ? 2 : 0, 2, l, h);
}

/* ---- registers */

static bool reg_at(const struct nlattr *a, size_t len, size_t *at)
{
	uint32_t reg = nft_u32(a, UINT32_MAX);

	if (reg >= NFT_REG_1 && reg <= NFT_REG_4)
		*at = (reg - NFT_REG_1) * 16;
	else if (reg >= NFT_REG32_00 && reg <= NFT_REG32_15)
		*at = (reg - NFT_REG32_00) * 4;
	else
		return false;
	return len <= NFT_REG_LEN - *at;
}

/* The rest of the last word becomes 0, as in the kernel. */
static bool reg_clear(struct nft_packet *p, const struct nlattr *dreg, size_t len, size_t *at)
{
	if (len == 0 || !reg_at(dreg, len, at))
		return false;
	size_t words = (len + 3) / 4;
	memset(p->regs.value + *at, 0, words * 4);
	memset(p->regs.known + *at, 0xff, words * 4);
	memset(p->reg_is_port + *at / 4, 0, words * sizeof(bool));
	return true;
}

static enum nft_tri reg_store(struct nft_packet *p, const struct nlattr *dreg, const void *value,
			      size_t len)
{
	size_t at;

	if (!reg_clear(p, dreg, len, &at))
		return nft_maybe(p, NOT_UNDERSTOOD);
	memcpy(p->regs.value + at, value, len);
	return NFT_YES;
}

/* It is the expression that reads the register that can't be judged then. */
static enum nft_tri reg_forget(struct nft_packet *p, const struct nlattr *dreg, size_t len,
			       const char *why)
{
	size_t at;

	if (!reg_clear(p, dreg, len, &at))
		return nft_maybe(p, why);
	memset(p->regs.known + at, 0, len);
	for (size_t i = 0; i < len; i++)
		p->regs.why[at + i] = why;
	return NFT_YES;
}

static enum nft_tri reg_word(struct nft_packet *p, const struct nlattr *dreg,
			     const struct nft_word *w)
{
	size_t at;

	if (!reg_clear(p, dreg, 4, &at))
		return nft_maybe(p, NOT_UNDERSTOOD);
	memcpy(p->regs.value + at, &w->value, 4);
	memcpy(p->regs.known + at, &w->known, 4);
	for (size_t i = 0; i < 4; i++)
		p->regs.why[at + i] = w->why;
	return NFT_YES;
}

static enum nft_tri reg_u32(struct nft_packet *p, const struct nlattr *dreg, uint32_t v)
{
	return reg_store(p, dreg, &v, sizeof(v));
}

static enum nft_tri reg_u8(struct nft_packet *p, const struct nlattr *dreg, uint8_t v)
{
	return reg_store(p, dreg, &v, sizeof(v));
}

static void reg_read(const struct nft_packet *p, size_t at, struct nft_word *out)
{
	memcpy(&out->value, p->regs.value + at, 4);
	memcpy(&out->known, p->regs.known + at, 4);
	out->why = out->known == UINT32_MAX ? NULL : first_why(&p->regs, at, 4);
}

/* The bytes of a data attribute; NULL: none, or too long. */
static const uint8_t *data_of(const struct nlattr *a, size_t *len)
{
	const struct nlattr *t[NFTA_DATA_MAX + 1];
	bool foreign = false;

	if (!nft_nested(a, t, NFTA_DATA_MAX, &foreign) || !t[NFTA_DATA_VALUE])
		return NULL;
	*len = t[NFTA_DATA_VALUE]->nla_len - (size_t)NLA_HDRLEN;
	return *len && *len <= NFT_REG_LEN ? (const uint8_t *)t[NFTA_DATA_VALUE] + NLA_HDRLEN
					   : NULL;
}

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

	if (!h || !reg_at(t[NFTA_PAYLOAD_SREG], len, &from))
		return NFT_YES;
	for (size_t i = 0; i < len; i++) {
		uint8_t known = p->regs.known[from + i];
		if (!certain(p))
			known &= h->known[at + i] &
				 (uint8_t) ~(h->value[at + i] ^ p->regs.value[from + i]);
		h->value[at + i] = p->regs.value[from + i];
		h->known[at + i] = known;
		h->why[at + i] = certain(p) ? p->regs.why[from + i] : doubt(p);
	}
	if (h == &p->tcp && at < 4) {
		p->sport_list = false;
		p->turned = true;
	}
	if (h == &p->net && at + len > (p->host->v6 ? 8U : 12U))
		p->turned = true; /* another address */
	return NFT_YES;
}

static enum nft_tri eval_payload(struct nft_packet *p, const struct nlattr **t)
{
	uint32_t base = nft_u32(t[NFTA_PAYLOAD_BASE], UINT32_MAX);
	size_t at = nft_u32(t[NFTA_PAYLOAD_OFFSET], UINT32_MAX);
	size_t len = nft_u32(t[NFTA_PAYLOAD_LEN], 0), to;

	if (t[NFTA_PAYLOAD_SREG])
		return payload_write(p, t, base, at, len);
	const struct nft_bytes *h = header(p, base, at, len);
	if (!h)
		return reg_forget(p, t[NFTA_PAYLOAD_DREG], len, beyond(base));
	if (!reg_clear(p, t[NFTA_PAYLOAD_DREG], len, &to))
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
	case NFT_DEV_UNKNOWN: return reg_forget(p, dreg, name ? IFNAMSIZ : 4, "the interface");
	}
	return name ? reg_store(p, dreg, padded, IFNAMSIZ) : reg_u32(p, dreg, (uint32_t)index);
}

static enum nft_tri meta_device_type(struct nft_packet *p, const struct nlattr *dreg,
				     enum nft_device d)
{
	const uint16_t loopback = 772; /* ARPHRD_LOOPBACK */

	if (d == NFT_DEV_NONE)
		return NFT_NO;
	if (d == NFT_DEV_LO)
		return reg_store(p, dreg, &loopback, sizeof(loopback));
	if (d == NFT_DEV_OURS && p->host->if_type_known)
		return reg_store(p, dreg, &p->host->if_type, sizeof(p->host->if_type));
	return reg_forget(p, dreg, 2, "the interface's type");
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
		return reg_u32(p, dreg, w->uid);
	if (ours == NFT_YES && key == NFT_META_SKGID && p->host->ids_known)
		return reg_u32(p, dreg, w->gid);
	if (ours == NFT_YES && key == NFT_META_CGROUP && p->host->classid_known)
		return reg_u32(p, dreg, p->host->classid);
	/* that there is none makes the rule fail at once: not only the value is open */
	reg_forget(p, dreg, 4,
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
	if (!reg_at(sreg, 4, &at))
		return nft_maybe(p, NOT_UNDERSTOOD);
	reg_read(p, at, &v);
	nft_word_set(p, &p->mark, UINT32_MAX, v.value, ~v.known, v.why);
	return NFT_YES;
}

static uint8_t protocol_family(const struct nft_packet *p)
{
	return p->family == NFPROTO_NETDEV ? NFPROTO_NETDEV
	       : p->host->v6               ? NFPROTO_IPV6
					   : NFPROTO_IPV4;
}

static enum nft_tri eval_meta(struct nft_packet *p, const struct nlattr **t)
{
	const struct nlattr *dreg = t[NFTA_META_DREG];
	uint32_t key = nft_u32(t[NFTA_META_KEY], UINT32_MAX);
	const uint16_t ethertype = htobe16(p->host->v6 ? ETH_P_IPV6 : ETH_P_IP);

	if (t[NFTA_META_SREG])
		return meta_set(p, t[NFTA_META_SREG], key);
	switch (key) {
	case NFT_META_PROTOCOL: return reg_store(p, dreg, &ethertype, sizeof(ethertype));
	case NFT_META_NFPROTO: return reg_u8(p, dreg, protocol_family(p));
	case NFT_META_L4PROTO: return reg_u8(p, dreg, IPPROTO_TCP);
	case NFT_META_MARK: return reg_word(p, dreg, &p->mark);
	case NFT_META_IIF: return meta_device(p, dreg, p->in, false);
	case NFT_META_OIF: return meta_device(p, dreg, p->out, false);
	case NFT_META_IIFNAME: return meta_device(p, dreg, p->in, true);
	case NFT_META_OIFNAME: return meta_device(p, dreg, p->out, true);
	case NFT_META_IIFTYPE: return meta_device_type(p, dreg, p->in);
	case NFT_META_OIFTYPE: return meta_device_type(p, dreg, p->out);
	case NFT_META_SKUID:
	case NFT_META_SKGID:
	case NFT_META_CGROUP: return meta_of_socket(p, dreg, key);
	case NFT_META_PKTTYPE: return reg_u8(p, dreg, 0); /* PACKET_HOST, outbound too */
	default:
		/* some of them end the rule where there is no interface, no route, ... */
		reg_forget(p, dreg, meta_len(key), meta_why(key));
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
	p->tracking = sure && certain(p) && p->tracking == NFT_UNSEEN ? NFT_UNTRACKED
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
	if (!reg_at(t[NFTA_CT_SREG], 4, &at))
		return nft_maybe(p, NOT_UNDERSTOOD);
	reg_read(p, at, &v);
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
		return reg_store(p, t[NFTA_CT_DREG], port, 2);
	}
	if (direction == IP_CT_DIR_ORIGINAL &&
	    (key == NFT_CT_DST || key == NFT_CT_DST_IP || key == NFT_CT_DST_IP6))
		return reg_store(p, t[NFTA_CT_DREG], w->remote.bytes, len);
	if (direction == IP_CT_DIR_ORIGINAL && addr_is_set(&w->local) &&
	    (key == NFT_CT_SRC || key == NFT_CT_SRC_IP || key == NFT_CT_SRC_IP6))
		return reg_store(p, t[NFTA_CT_DREG], w->local.bytes, len);
	return reg_forget(p, t[NFTA_CT_DREG], len, "conntrack's view of the connection");
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
		return state ? reg_u32(p, dreg, state)
			     : reg_forget(p, dreg, 4, "conntrack's state");
	case NFT_CT_DIRECTION:
		return reg_u8(p, dreg, p->answer ? IP_CT_DIR_REPLY : IP_CT_DIR_ORIGINAL);
	case NFT_CT_STATUS: return reg_word(p, dreg, &p->ct_status);
	case NFT_CT_MARK: return reg_word(p, dreg, &p->ct_mark);
	case NFT_CT_L3PROTOCOL: return reg_u8(p, dreg, p->host->v6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
	case NFT_CT_PROTOCOL: return reg_u8(p, dreg, IPPROTO_TCP);
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
	case NFT_CT_AVGPKT: return reg_forget(p, dreg, 8, "how much the connection carried");
	default:
		/* a helper, labels, ...: without them the rule ends */
		reg_forget(p, dreg, key == NFT_CT_HELPER || key == NFT_CT_LABELS ? 16 : 4,
			   "conntrack's view of the connection");
		return nft_maybe(p, "conntrack's view of the connection");
	}
}

static enum nft_tri eval_ct(struct nft_packet *p, const struct nlattr **t)
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

static enum nft_tri eval_notrack(struct nft_packet *p, const struct nlattr **t)
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

static enum nft_tri eval_socket(struct nft_packet *p, const struct nlattr **t)
{
	const struct nlattr *dreg = t[NFTA_SOCKET_DREG];
	uint32_t key = nft_u32(t[NFTA_SOCKET_KEY], UINT32_MAX);
	uint64_t id;

	if (key != NFT_SOCKET_CGROUPV2) {
		reg_forget(p, dreg, key == NFT_SOCKET_MARK ? 4 : 1, "the socket's settings");
		return nft_maybe(p, "the socket's settings");
	}
	if (has_our_socket(p) == NFT_YES) {
		int rc = ancestor_cgroup(p->host, nft_u32(t[NFTA_SOCKET_LEVEL], 0), &id);
		if (rc == 0)
			return NFT_NO;
		if (rc == 1)
			return reg_store(p, dreg, &id, sizeof(id));
	}
	reg_forget(p, dreg, 8, "the program's cgroup");
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

static enum nft_tri eval_fib(struct nft_packet *p, const struct nlattr **t)
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
			return reg_u32(p, dreg, type);
		return reg_forget(p, dreg, 4, "what kind of address it is");
	}
	/* where that is certain, no ip rule looks at marks */
	bool way_back = p->answer && source && !p->turned && p->host->reverse_path &&
			!p->host->loopback && p->in == NFT_DEV_OURS;
	if (!way_back) {
		/* without a route, the rule goes on with a zero; that is for who reads it */
		return reg_forget(p, dreg, result == NFT_FIB_RESULT_OIFNAME ? IFNAMSIZ : 4,
				  "the routing table");
	}
	if (flags & NFTA_FIB_F_PRESENT)
		return reg_u8(p, dreg, 1);
	return meta_device(p, dreg, NFT_DEV_OURS, result == NFT_FIB_RESULT_OIFNAME);
}

static enum nft_tri eval_rt(struct nft_packet *p, const struct nlattr **t)
{
	reg_forget(p, t[NFTA_RT_DREG], nft_u32(t[NFTA_RT_KEY], 0) == NFT_RT_NEXTHOP6 ? 16 : 4,
		   "the route");
	return nft_maybe(p, "the route");
}

static enum nft_tri eval_exthdr(struct nft_packet *p, const struct nlattr **t)
{
	uint32_t op = nft_u32(t[NFTA_EXTHDR_OP], NFT_EXTHDR_OP_IPV6);
	bool present = nft_u32(t[NFTA_EXTHDR_FLAGS], 0) & NFT_EXTHDR_F_PRESENT;

	if (t[NFTA_EXTHDR_SREG] || !t[NFTA_EXTHDR_DREG])
		return op == NFT_EXTHDR_OP_TCPOPT ? NFT_YES : nft_maybe(p, NOT_UNDERSTOOD);
	if (op == NFT_EXTHDR_OP_TCPOPT) {
		reg_forget(p, t[NFTA_EXTHDR_DREG], nft_u32(t[NFTA_EXTHDR_LEN], 1), "a TCP option");
		return nft_maybe(p, "a TCP option");
	}
	/* nobody's SYN and SYN-ACK have them */
	return present ? reg_u8(p, t[NFTA_EXTHDR_DREG], 0) : NFT_NO;
}

/* ---- on registers */

static enum nft_tri eval_immediate(struct nft_packet *p, const struct nlattr **t)
{
	const struct nlattr *d[NFTA_DATA_MAX + 1];
	bool foreign = false;
	size_t len;

	if (nft_u32(t[NFTA_IMMEDIATE_DREG], UINT32_MAX) == NFT_REG_VERDICT) {
		if (!nft_nested(t[NFTA_IMMEDIATE_DATA], d, NFTA_DATA_MAX, &foreign))
			return nft_maybe(p, NOT_UNDERSTOOD);
		struct nft_verdict v = nft_read_verdict(p->rules, d[NFTA_DATA_VERDICT]);
		p->doing = nft_doing_of(&v);
		return NFT_YES;
	}
	const uint8_t *data = data_of(t[NFTA_IMMEDIATE_DATA], &len);
	return data ? reg_store(p, t[NFTA_IMMEDIATE_DREG], data, len)
		    : nft_maybe(p, NOT_UNDERSTOOD);
}

static enum nft_tri port_compare(struct nft_packet *p, uint32_t op, const uint8_t *data)
{
	uint16_t v = (uint16_t)(data[0] << 8 | data[1]);

	switch (op) {
	case NFT_CMP_EQ: return own_port_within(p, v, v);
	case NFT_CMP_NEQ: return nft_not(own_port_within(p, v, v));
	case NFT_CMP_LT: return nft_not(own_port_within(p, v, UINT16_MAX));
	case NFT_CMP_LTE: return own_port_within(p, 0, v);
	case NFT_CMP_GT: return nft_not(own_port_within(p, 0, v));
	case NFT_CMP_GTE: return own_port_within(p, v, UINT16_MAX);
	default: return nft_maybe(p, NOT_UNDERSTOOD);
	}
}

static enum nft_tri eval_cmp(struct nft_packet *p, const struct nlattr **t)
{
	uint32_t op = nft_u32(t[NFTA_CMP_OP], UINT32_MAX);
	size_t len, at;
	const uint8_t *data = data_of(t[NFTA_CMP_DATA], &len);

	if (!data || !reg_at(t[NFTA_CMP_SREG], len, &at))
		return nft_maybe(p, NOT_UNDERSTOOD);
	if (len == 2 && p->reg_is_port[at / 4])
		return port_compare(p, op, data);
	switch (op) {
	case NFT_CMP_EQ: return bytes_equal(p, &p->regs, at, data, len);
	case NFT_CMP_NEQ: return nft_not(bytes_equal(p, &p->regs, at, data, len));
	case NFT_CMP_LT: return bytes_below(p, &p->regs, at, data, len, false);
	case NFT_CMP_LTE: return bytes_below(p, &p->regs, at, data, len, true);
	case NFT_CMP_GT: return nft_not(bytes_below(p, &p->regs, at, data, len, true));
	case NFT_CMP_GTE: return nft_not(bytes_below(p, &p->regs, at, data, len, false));
	default: return nft_maybe(p, NOT_UNDERSTOOD);
	}
}

static enum nft_tri eval_range(struct nft_packet *p, const struct nlattr **t)
{
	uint32_t op = nft_u32(t[NFTA_RANGE_OP], UINT32_MAX);
	size_t len = 0, len2 = 0, at;
	const uint8_t *low = data_of(t[NFTA_RANGE_FROM_DATA], &len);
	const uint8_t *high = data_of(t[NFTA_RANGE_TO_DATA], &len2);
	enum nft_tri in;

	if (!low || !high || len != len2 || !reg_at(t[NFTA_RANGE_SREG], len, &at) ||
	    op > NFT_RANGE_NEQ)
		return nft_maybe(p, NOT_UNDERSTOOD);
	if (len == 2 && p->reg_is_port[at / 4])
		in = own_port_within(p, (uint16_t)(low[0] << 8 | low[1]),
				     (uint16_t)(high[0] << 8 | high[1]));
	else
		in = nft_in_range(p, &p->regs, at, len, low, high);
	return op == NFT_RANGE_EQ ? in : nft_not(in);
}

/* Several words as the kernel shifts them: each in host order, the first the highest. */
static void shift(uint32_t *w, size_t n, uint32_t by, bool left)
{
	uint32_t carry = 0;

	if (by == 0 || by >= 32)
		return;
	if (left) {
		for (size_t i = n; i > 0; i--) {
			uint32_t v = w[i - 1];
			w[i - 1] = v << by | carry;
			carry = v >> (32 - by);
		}
		return;
	}
	for (size_t i = 0; i < n; i++) {
		uint32_t v = w[i];
		w[i] = carry | v >> by;
		carry = v << (32 - by);
	}
}

static void shift_bytes(uint8_t *bytes, size_t len, uint32_t by, bool left)
{
	uint32_t w[NFT_REG_LEN / 4];
	size_t n = (len + 3) / 4;

	memcpy(w, bytes, n * 4);
	shift(w, n, by, left);
	memcpy(bytes, w, n * 4);
}

struct operand {
	uint8_t value[NFT_REG_LEN], known[NFT_REG_LEN];
};

static void combine(uint32_t op, struct operand *a, const struct operand *b, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t av = a->value[i], ak = a->known[i], bv = b->value[i], bk = b->known[i];
		switch (op) {
		case BITWISE_OP_AND:
			a->value[i] = av & bv;
			a->known[i] = (ak & bk) | (ak & (uint8_t)~av) | (bk & (uint8_t)~bv);
			break;
		case BITWISE_OP_OR:
			a->value[i] = av | bv;
			a->known[i] = (ak & bk) | (ak & av) | (bk & bv);
			break;
		default: a->value[i] = av ^ bv; a->known[i] = ak & bk;
		}
	}
}

/* The other operand: constant data, or a register. */
static bool second_operand(struct nft_packet *p, const struct nlattr *data,
			   const struct nlattr *sreg2, size_t len, struct operand *out)
{
	size_t n, at;
	const uint8_t *d = data_of(data, &n);

	memset(out->known, 0xff, sizeof(out->known));
	if (d && n >= len) {
		memcpy(out->value, d, len);
		return true;
	}
	if (!sreg2 || !reg_at(sreg2, len, &at))
		return false;
	memcpy(out->value, p->regs.value + at, len);
	memcpy(out->known, p->regs.known + at, len);
	return true;
}

static bool bitwise(struct nft_packet *p, const struct nlattr **t, struct operand *a, size_t len)
{
	uint32_t op = nft_u32(t[NFTA_BITWISE_OP], NFT_BITWISE_BOOL);
	struct operand b;
	size_t n;

	switch (op) {
	case NFT_BITWISE_BOOL:
		if (!second_operand(p, t[NFTA_BITWISE_MASK], NULL, len, &b))
			return false;
		combine(BITWISE_OP_AND, a, &b, len);
		if (!second_operand(p, t[NFTA_BITWISE_XOR], NULL, len, &b))
			return false;
		combine(BITWISE_OP_XOR, a, &b, len);
		return true;
	case NFT_BITWISE_LSHIFT:
	case NFT_BITWISE_RSHIFT: {
		const uint8_t *data = data_of(t[NFTA_BITWISE_DATA], &n);
		uint32_t by;
		if (!data || n < sizeof(by))
			return false;
		memcpy(&by, data, sizeof(by));
		shift_bytes(a->value, len, by, op == NFT_BITWISE_LSHIFT);
		/* bits that come in are zeros, and known */
		for (size_t i = 0; i < sizeof(a->known); i++)
			a->known[i] = (uint8_t)~a->known[i];
		shift_bytes(a->known, len, by, op == NFT_BITWISE_LSHIFT);
		for (size_t i = 0; i < sizeof(a->known); i++)
			a->known[i] = (uint8_t)~a->known[i];
		return true;
	}
	case BITWISE_OP_AND:
	case BITWISE_OP_OR:
	case BITWISE_OP_XOR:
		if (!second_operand(p, t[NFTA_BITWISE_DATA], t[BITWISE_SREG2], len, &b))
			return false;
		combine(op, a, &b, len);
		return true;
	default: return false;
	}
}

static enum nft_tri eval_bitwise(struct nft_packet *p, const struct nlattr **t)
{
	size_t len = nft_u32(t[NFTA_BITWISE_LEN], 0), from, to;
	struct operand a;

	if (len == 0 || !reg_at(t[NFTA_BITWISE_SREG], len, &from))
		return nft_maybe(p, NOT_UNDERSTOOD);
	const char *why = first_why(&p->regs, from, len);
	memset(&a, 0, sizeof(a));
	memcpy(a.value, p->regs.value + from, (len + 3) / 4 * 4);
	memcpy(a.known, p->regs.known + from, (len + 3) / 4 * 4);
	if (!bitwise(p, t, &a, len))
		return reg_forget(p, t[NFTA_BITWISE_DREG], len, NOT_UNDERSTOOD);
	if (!reg_clear(p, t[NFTA_BITWISE_DREG], len, &to))
		return nft_maybe(p, NOT_UNDERSTOOD);
	memcpy(p->regs.value + to, a.value, len);
	memcpy(p->regs.known + to, a.known, len);
	for (size_t i = 0; i < len; i++)
		p->regs.why[to + i] = why;
	return NFT_YES;
}

static void reverse(uint8_t *b, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		uint8_t x = b[i];
		b[i] = b[n - 1 - i];
		b[n - 1 - i] = x;
	}
}

static enum nft_tri eval_byteorder(struct nft_packet *p, const struct nlattr **t)
{
	size_t len = nft_u32(t[NFTA_BYTEORDER_LEN], 0);
	size_t size = nft_u32(t[NFTA_BYTEORDER_SIZE], 0), from, to;
	struct operand a;

	if (len == 0 || (size != 2 && size != 4 && size != 8) || len % size ||
	    !reg_at(t[NFTA_BYTEORDER_SREG], len, &from))
		return nft_maybe(p, NOT_UNDERSTOOD);
	const char *why = first_why(&p->regs, from, len);
	memcpy(a.value, p->regs.value + from, len);
	memcpy(a.known, p->regs.known + from, len);
	for (size_t i = 0; i < len && __BYTE_ORDER == __LITTLE_ENDIAN; i += size) {
		reverse(a.value + i, size);
		reverse(a.known + i, size);
	}
	if (!reg_clear(p, t[NFTA_BYTEORDER_DREG], len, &to))
		return nft_maybe(p, NOT_UNDERSTOOD);
	memcpy(p->regs.value + to, a.value, len);
	memcpy(p->regs.known + to, a.known, len);
	for (size_t i = 0; i < len; i++)
		p->regs.why[to + i] = why;
	return NFT_YES;
}

/* ---- sets */

static bool all_known(const struct nft_bytes *b, size_t at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (b->known[at + i] != 0xff)
			return false;
	return true;
}

#define STORED_MAX 4096 /* elements of a set that are looked at one by one */

struct stored_key {
	uint8_t key[NFT_DATA_MAX];
	bool end, conditional;
};

struct stored_keys {
	struct stored_key *list;
	size_t n, key_len;
	bool odd; /* something is there that can't be compared here */
	bool all; /* a `*` element */
};

static void keep_key(void *arg, const struct nft_stored *e)
{
	struct stored_keys *k = arg;

	if (!e->key || e->fields) {
		k->all |= !e->key && !e->fields && !e->value.conditional;
		k->odd |= !k->all;
		return;
	}
	struct stored_key *x = &k->list[k->n++];
	memcpy(x->key, e->key, k->key_len);
	x->end = e->interval_end;
	x->conditional = e->value.conditional;
}

/* The end of an interval before the beginning of the next one. */
static int by_key(const void *a, const void *b)
{
	const struct stored_key *x = a, *y = b;
	int d = memcmp(x->key, y->key, sizeof(x->key));

	return d ? d : (int)y->end - (int)x->end;
}

/* The last key before this one. */
static void decrement(uint8_t *key, size_t len)
{
	while (len-- > 0)
		if (key[len]-- != 0)
			return;
}

static enum nft_tri between(struct nft_packet *p, size_t at, size_t len, const uint8_t *low,
			    const uint8_t *high)
{
	if (len == 2 && p->reg_is_port[at / 4])
		return own_port_within(p, (uint16_t)(low[0] << 8 | low[1]),
				       (uint16_t)(high[0] << 8 | high[1]));
	return nft_in_range(p, &p->regs, at, len, low, high);
}

/* Could the key, of which not all is known, be one of these? */
static enum nft_tri among(struct nft_packet *p, const struct nft_set *s, struct stored_keys *k,
			  size_t at)
{
	bool intervals = s->flags & NFT_SET_INTERVAL;
	enum nft_tri result = NFT_NO;

	if (intervals)
		qsort(k->list, k->n, sizeof(*k->list), by_key);
	for (size_t i = 0; i < k->n && result != NFT_YES; i++) {
		uint8_t high[NFT_DATA_MAX];
		if (k->list[i].end)
			continue;
		memcpy(high, k->list[i].key, s->key_len);
		if (intervals && i + 1 < k->n) {
			memcpy(high, k->list[i + 1].key, s->key_len);
			decrement(high, s->key_len);
		} else if (intervals) {
			memset(high, 0xff, s->key_len);
		}
		enum nft_tri in = between(p, at, s->key_len, k->list[i].key, high);
		if (in == NFT_YES && !k->list[i].conditional)
			result = NFT_YES;
		else if (in != NFT_NO)
			result = NFT_MAYBE;
	}
	return result;
}

static enum nft_tri in_set_partly(struct nft_packet *p, const struct nft_set *s, size_t at)
{
	const char *why = first_why(&p->regs, at, s->key_len);
	struct stored_keys k = {.key_len = s->key_len};
	enum nft_tri result = NFT_MAYBE;

	k.list = xcalloc(STORED_MAX, sizeof(*k.list));
	if (nft_each_element(p->rules, s, STORED_MAX, keep_key, &k) && !k.odd)
		result = k.all ? NFT_YES : among(p, s, &k, at);
	free(k.list);
	return result == NFT_MAYBE ? nft_maybe(p, why) : result;
}

/* Is the key at `at` in the set? */
static enum nft_tri in_set(struct nft_packet *p, struct nft_set *s, size_t at,
			   struct nft_element *out)
{
	if (!all_known(&p->regs, at, s->key_len))
		return in_set_partly(p, s, at);
	switch (nft_find_element(p->rules, s, p->regs.value + at, out)) {
	case NFT_ABSENT: return NFT_NO;
	case NFT_FOUND:
		return out->conditional ? nft_maybe_of(p, "the limits in set ", s->name) : NFT_YES;
	case NFT_UNKNOWN: break;
	}
	return nft_maybe_of(p, "the contents of set ", s->name);
}

static enum nft_tri map_result(struct nft_packet *p, const struct nlattr **t, struct nft_set *s,
			       enum nft_tri in, const struct nft_element *e, bool known)
{
	if (nft_u32(t[NFTA_LOOKUP_DREG], UINT32_MAX) == NFT_REG_VERDICT) {
		p->doing = known ? nft_doing_of(&e->verdict)
				 : (struct nft_doing){.act = NFT_ACT_ANY, .any = s};
		return in;
	}
	if (known && e->data_len)
		reg_store(p, t[NFTA_LOOKUP_DREG], e->data, e->data_len);
	else
		reg_forget(p, t[NFTA_LOOKUP_DREG], s->data_len, p->why ? p->why : "a map");
	return in;
}

static enum nft_tri eval_lookup(struct nft_packet *p, const struct nlattr **t)
{
	const char *name = nfnl_str(t[NFTA_LOOKUP_SET]);
	struct nft_set *s = nft_find_set(p->rules, p->family, p->table, name);
	bool inverted = nft_u32(t[NFTA_LOOKUP_FLAGS], 0) & NFT_LOOKUP_F_INV;
	struct nft_element e = {.data_len = 0};
	size_t at;

	if (!s || !reg_at(t[NFTA_LOOKUP_SREG], s->key_len, &at))
		return nft_maybe_of(p, "the contents of set ", name);
	enum nft_tri in = in_set(p, s, at, &e);
	if (in == NFT_NO || !t[NFTA_LOOKUP_DREG])
		return inverted ? nft_not(in) : in;
	/* else the key is not known in full, and any of its values may come */
	bool found = e.data_len || e.verdict.code != NFT_GO_ON;
	return map_result(p, t, s, in, &e, found);
}

static enum nft_tri eval_dynset(struct nft_packet *p, const struct nlattr **t)
{
	if (nft_u32(t[NFTA_DYNSET_OP], 0) == NFT_DYNSET_OP_DELETE)
		return NFT_YES;
	/* a full set ends the rule, and so does a limit that an element carries */
	if (t[NFTA_DYNSET_EXPR] || t[NFTA_DYNSET_EXPRESSIONS])
		return nft_maybe_of(p, "the limits in set ", nfnl_str(t[NFTA_DYNSET_SET_NAME]));
	return nft_maybe_of(p, "whether there is room in set ",
			    nfnl_str(t[NFTA_DYNSET_SET_NAME]));
}

static enum nft_tri eval_objref(struct nft_packet *p, const struct nlattr **t)
{
	uint32_t type = nft_u32(t[NFTA_OBJREF_IMM_TYPE], 0);

	if (t[NFTA_OBJREF_SET_NAME])
		return nft_maybe_of(p, "the contents of set ", nfnl_str(t[NFTA_OBJREF_SET_NAME]));
	switch (type) {
	case NFT_OBJECT_COUNTER:
	case NFT_OBJECT_CT_HELPER:
	case NFT_OBJECT_CT_TIMEOUT:
	case NFT_OBJECT_CT_EXPECT:
	case NFT_OBJECT_SECMARK:
	case NFT_OBJECT_TUNNEL: return NFT_YES;
	case NFT_OBJECT_QUOTA:
		return nft_maybe_of(p, "quota ", nfnl_str(t[NFTA_OBJREF_IMM_NAME]));
	case NFT_OBJECT_LIMIT:
		return nft_maybe_of(p, "limit ", nfnl_str(t[NFTA_OBJREF_IMM_NAME]));
	case NFT_OBJECT_CONNLIMIT: return nft_maybe(p, "the number of connections");
	case NFT_OBJECT_SYNPROXY: p->doing.act = NFT_ACT_STEAL; return NFT_YES;
	default: return nft_maybe(p, NOT_UNDERSTOOD);
	}
}

/* ---- verdicts */

struct nft_doing nft_doing_of(const struct nft_verdict *v)
{
	struct nft_doing d = {.act = NFT_ACT_NONE};

	switch (v->code) {
	case NFT_GO_ON: break;
	case NFT_ACCEPTS: d.act = NFT_ACT_ACCEPT; break;
	case NFT_DROPS: d.act = NFT_ACT_DROP; break;
	case NFT_RETURNS: d.act = NFT_ACT_RETURN; break;
	case NFT_JUMPS: d.act = NFT_ACT_JUMP; break;
	case NFT_GOES: d.act = NFT_ACT_GOTO; break;
	case NFT_QUEUES: d.act = NFT_ACT_QUEUE; break;
	case NFT_OTHER: d.act = NFT_ACT_UNKNOWN; break;
	}
	d.chain = v->chain;
	d.queue = v->queue;
	d.queues = 1;
	d.bypass = v->bypass;
	return d;
}

static enum nft_tri eval_reject(struct nft_packet *p, const struct nlattr **t)
{
	(void)t;
	p->doing.act = NFT_ACT_REJECT;
	return NFT_YES;
}

static uint16_t u16(const struct nlattr *a, uint16_t absent)
{
	uint16_t v;

	if (!a || a->nla_len < NLA_HDRLEN + sizeof(v))
		return absent;
	memcpy(&v, (const uint8_t *)a + NLA_HDRLEN, sizeof(v));
	return be16toh(v);
}

static enum nft_tri eval_queue(struct nft_packet *p, const struct nlattr **t)
{
	p->doing.act = NFT_ACT_QUEUE;
	p->doing.queue = u16(t[NFTA_QUEUE_NUM], 0);
	p->doing.queues = t[NFTA_QUEUE_SREG_QNUM] ? 0 : u16(t[NFTA_QUEUE_TOTAL], 1);
	p->doing.bypass = u16(t[NFTA_QUEUE_FLAGS], 0) & NFT_QUEUE_FLAG_BYPASS;
	return NFT_YES;
}

static void read_target(struct nft_packet *p, const struct nlattr **t)
{
	struct nft_doing *d = &p->doing;
	size_t len = p->host->v6 ? 16 : 4, at;
	bool address = true;

	d->port_known = true;
	d->to = (struct addr){.family = ADDR_NONE};
	if (t[NFTA_NAT_REG_PROTO_MIN]) {
		d->port_known = reg_at(t[NFTA_NAT_REG_PROTO_MIN], 2, &at) &&
				all_known(&p->regs, at, 2) &&
				(!t[NFTA_NAT_REG_PROTO_MAX] ||
				 nft_u32(t[NFTA_NAT_REG_PROTO_MAX], 0) ==
					 nft_u32(t[NFTA_NAT_REG_PROTO_MIN], 1));
		if (d->port_known)
			d->to_port = (uint16_t)(p->regs.value[at] << 8 | p->regs.value[at + 1]);
	}
	if (t[NFTA_NAT_REG_ADDR_MIN]) {
		address =
			reg_at(t[NFTA_NAT_REG_ADDR_MIN], len, &at) &&
			all_known(&p->regs, at, len) &&
			(!t[NFTA_NAT_REG_ADDR_MAX] || nft_u32(t[NFTA_NAT_REG_ADDR_MAX], 0) ==
							      nft_u32(t[NFTA_NAT_REG_ADDR_MIN], 1));
		if (address)
			d->to = p->host->v6 ? addr_v6(p->regs.value + at)
					    : addr_v4(p->regs.value + at);
	}
	d->target_known = address;
}

static enum nft_tri eval_nat(struct nft_packet *p, const struct nlattr **t)
{
	uint32_t family = nft_u32(t[NFTA_NAT_FAMILY], 0);

	/* in an inet table, a rule for the other family lets it go on */
	if (p->family == NFPROTO_INET && family != NFPROTO_INET &&
	    family != (p->host->v6 ? NFPROTO_IPV6 : NFPROTO_IPV4))
		return NFT_YES;
	if (nft_u32(t[NFTA_NAT_TYPE], UINT32_MAX) == NFT_NAT_SNAT) {
		p->doing.act = NFT_ACT_SNAT;
		return NFT_YES;
	}
	p->doing.act = NFT_ACT_DNAT;
	read_target(p, t);
	if (nft_u32(t[NFTA_NAT_FLAGS], 0) & NF_NAT_RANGE_NETMAP)
		p->doing.target_known = false;
	return NFT_YES;
}

static enum nft_tri eval_masq(struct nft_packet *p, const struct nlattr **t)
{
	(void)t;
	p->doing.act = NFT_ACT_SNAT;
	return NFT_YES;
}

static enum nft_tri eval_redir(struct nft_packet *p, const struct nlattr **t)
{
	size_t at;

	p->doing.act = NFT_ACT_REDIRECT;
	p->doing.port_known = !t[NFTA_REDIR_REG_PROTO_MIN];
	if (reg_at(t[NFTA_REDIR_REG_PROTO_MIN], 2, &at) && all_known(&p->regs, at, 2)) {
		p->doing.port_known = true;
		p->doing.to_port = (uint16_t)(p->regs.value[at] << 8 | p->regs.value[at + 1]);
	}
	return NFT_YES;
}

static enum nft_tri eval_tproxy(struct nft_packet *p, const struct nlattr **t)
{
	(void)t;
	if (p->answer)
		return NFT_NO; /* it finds our own socket, which is of another kind */
	p->doing.act = NFT_ACT_TPROXY;
	return nft_maybe(p, "whether a program listens for it");
}

static enum nft_tri eval_steal(struct nft_packet *p, const struct nlattr **t)
{
	(void)t;
	p->doing.act = NFT_ACT_STEAL;
	return NFT_YES;
}

/* ---- what a packet alone can tell, and what does nothing to it */

static enum nft_tri eval_nothing(struct nft_packet *p, const struct nlattr **t)
{
	(void)p, (void)t;
	return NFT_YES;
}

static enum nft_tri eval_limit(struct nft_packet *p, const struct nlattr **t)
{
	(void)t;
	return nft_maybe(p, "a rate limit");
}

static enum nft_tri eval_quota(struct nft_packet *p, const struct nlattr **t)
{
	(void)t;
	return nft_maybe(p, "a quota");
}

static enum nft_tri eval_connlimit(struct nft_packet *p, const struct nlattr **t)
{
	(void)t;
	return nft_maybe(p, "the number of connections");
}

static enum nft_tri eval_flow_offload(struct nft_packet *p, const struct nlattr **t)
{
	(void)t;
	return nft_maybe(p, "whether the flow is offloaded");
}

static enum nft_tri eval_numgen(struct nft_packet *p, const struct nlattr **t)
{
	return reg_forget(p, t[NFTA_NG_DREG], 4, "chance");
}

static enum nft_tri eval_hash(struct nft_packet *p, const struct nlattr **t)
{
	return reg_forget(p, t[NFTA_HASH_DREG], 4, "a hash of the packet");
}

static enum nft_tri eval_osf(struct nft_packet *p, const struct nlattr **t)
{
	reg_forget(p, t[NFTA_OSF_DREG], 16, "the sender's operating system");
	return nft_maybe(p, "the sender's operating system");
}

static const void *blob(const struct nlattr *a, size_t *len)
{
	*len = a ? a->nla_len - (size_t)NLA_HDRLEN : 0;
	return a ? (const uint8_t *)a + NLA_HDRLEN : NULL;
}

static enum nft_tri eval_match(struct nft_packet *p, const struct nlattr **t)
{
	size_t len;
	const void *info = blob(t[NFTA_MATCH_INFO], &len);

	return nft_xt_match(p, nfnl_str(t[NFTA_MATCH_NAME]), nft_u32(t[NFTA_MATCH_REV], 0), info,
			    len);
}

static enum nft_tri eval_target(struct nft_packet *p, const struct nlattr **t)
{
	size_t len;
	const void *info = blob(t[NFTA_TARGET_INFO], &len);

	return nft_xt_target(p, nfnl_str(t[NFTA_TARGET_NAME]), nft_u32(t[NFTA_TARGET_REV], 0),
			     info, len);
}

static const struct expression {
	const char *name;
	int max; /* attributes */
	enum nft_tri (*eval)(struct nft_packet *p, const struct nlattr **t);
} expressions[] = {
	{"payload", NFTA_PAYLOAD_MAX, eval_payload},
	{"cmp", NFTA_CMP_MAX, eval_cmp},
	{"meta", NFTA_META_MAX, eval_meta},
	{"immediate", NFTA_IMMEDIATE_MAX, eval_immediate},
	{"counter", NFTA_COUNTER_MAX, eval_nothing},
	{"match", NFTA_MATCH_MAX, eval_match},
	{"target", NFTA_TARGET_MAX, eval_target},
	{"lookup", NFTA_LOOKUP_MAX, eval_lookup},
	{"bitwise", BITWISE_SREG2, eval_bitwise},
	{"ct", NFTA_CT_MAX, eval_ct},
	{"range", NFTA_RANGE_MAX, eval_range},
	{"byteorder", NFTA_BYTEORDER_MAX, eval_byteorder},
	{"reject", NFTA_REJECT_MAX, eval_reject},
	{"limit", NFTA_LIMIT_MAX, eval_limit},
	{"quota", NFTA_QUOTA_MAX, eval_quota},
	{"connlimit", NFTA_CONNLIMIT_MAX, eval_connlimit},
	{"log", NFTA_LOG_MAX, eval_nothing},
	{"last", 8, eval_nothing},
	{"nat", NFTA_NAT_MAX, eval_nat},
	{"masq", NFTA_MASQ_MAX, eval_masq},
	{"redir", NFTA_REDIR_MAX, eval_redir},
	{"tproxy", NFTA_TPROXY_MAX, eval_tproxy},
	{"queue", NFTA_QUEUE_MAX, eval_queue},
	{"notrack", 0, eval_notrack},
	{"objref", NFTA_OBJREF_MAX, eval_objref},
	{"dynset", NFTA_DYNSET_MAX, eval_dynset},
	{"fib", NFTA_FIB_MAX, eval_fib},
	{"rt", NFTA_RT_MAX, eval_rt},
	{"socket", NFTA_SOCKET_MAX, eval_socket},
	{"exthdr", NFTA_EXTHDR_MAX, eval_exthdr},
	{"numgen", NFTA_NG_MAX, eval_numgen},
	{"hash", NFTA_HASH_MAX, eval_hash},
	{"osf", NFTA_OSF_MAX, eval_osf},
	{"dup", NFTA_DUP_MAX, eval_nothing},
	{"fwd", NFTA_FWD_MAX, eval_steal},
	{"synproxy", NFTA_SYNPROXY_MAX, eval_steal},
	{"flow_offload", 8, eval_flow_offload},
};

#define TABLE_MAX 31 /* at least the longest of all those */

static enum nft_tri eval_expression(struct nft_packet *p, const struct nlattr *a, bool *strange)
{
	const struct nlattr *t[NFTA_EXPR_MAX + 1], *data[TABLE_MAX + 1];
	bool foreign = false;

	if (nft_nested(a, t, NFTA_EXPR_MAX, &foreign)) {
		const char *name = nfnl_str(t[NFTA_EXPR_NAME]);
		for (size_t i = 0; i < sizeof(expressions) / sizeof(expressions[0]); i++) {
			const struct expression *x = &expressions[i];
			if (strcmp(x->name, name) != 0)
				continue;
			if (t[NFTA_EXPR_DATA] &&
			    !nft_nested(t[NFTA_EXPR_DATA], data, x->max, &foreign))
				break;
			if (!t[NFTA_EXPR_DATA])
				memset(data, 0, sizeof(data));
			if (foreign)
				break;
			return x->eval(p, data);
		}
	}
	/* whatever it stored, and whatever it does */
	*strange = true;
	memset(p->regs.known, 0, sizeof(p->regs.known));
	for (size_t i = 0; i < NFT_REG_LEN; i++)
		p->regs.why[i] = NOT_UNDERSTOOD;
	memset(p->reg_is_port, 0, sizeof(p->reg_is_port));
	return nft_maybe(p, NOT_UNDERSTOOD);
}

enum nft_tri nft_eval_rule(struct nft_packet *p, const struct nlmsghdr *rule)
{
	const struct nlattr *t[NFTA_RULE_MAX + 1];
	bool foreign = false, strange = false;
	size_t len;
	const struct nlattr *attributes = nft_rule_attributes(rule, &len);

	p->rule_maybe = p->why = NULL;
	p->doing = (struct nft_doing){.act = NFT_ACT_NONE};
	if (!nft_attributes(attributes, len, t, NFTA_RULE_MAX, &foreign) ||
	    !t[NFTA_RULE_EXPRESSIONS])
		return NFT_YES; /* a rule may be empty */
	const uint8_t *at = (const uint8_t *)t[NFTA_RULE_EXPRESSIONS] + NLA_HDRLEN;
	len = t[NFTA_RULE_EXPRESSIONS]->nla_len - (size_t)NLA_HDRLEN;
	while (len >= NLA_HDRLEN && p->doing.act == NFT_ACT_NONE) {
		const struct nlattr *a = (const void *)at;
		size_t step = NLA_ALIGN(a->nla_len);
		if (a->nla_len < NLA_HDRLEN || a->nla_len > len)
			break;
		enum nft_tri match = eval_expression(p, a, &strange);
		if (match == NFT_NO)
			return NFT_NO;
		if (match == NFT_MAYBE && !p->rule_maybe)
			p->rule_maybe = p->why ? p->why : NOT_UNDERSTOOD;
		if (step >= len)
			break;
		at += step;
		len -= step;
	}
	if (strange && p->doing.act == NFT_ACT_NONE)
		p->doing.act = NFT_ACT_UNKNOWN;
	p->why = p->rule_maybe;
	return p->rule_maybe ? NFT_MAYBE : NFT_YES;
}

uint64_t nft_rule_handle(const struct nlmsghdr *rule)
{
	const struct nlattr *t[NFTA_RULE_MAX + 1];
	bool foreign = false;
	size_t len;
	const struct nlattr *attributes = nft_rule_attributes(rule, &len);

	return nft_attributes(attributes, len, t, NFTA_RULE_MAX, &foreign)
		       ? nfnl_u64(t[NFTA_RULE_HANDLE])
		       : 0;
}
