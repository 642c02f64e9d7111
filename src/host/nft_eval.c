/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A rule, expression by expression, and its verdict. */
#include "host/nft_eval_private.h"

#include <endian.h>
#include <netinet/in.h> /* before the kernel's own */

#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <string.h>

#include "host/nfnl.h"

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
		d->port_known = nft_reg_at(t[NFTA_NAT_REG_PROTO_MIN], 2, &at) &&
				nft_all_known(&p->regs, at, 2) &&
				(!t[NFTA_NAT_REG_PROTO_MAX] ||
				 nft_u32(t[NFTA_NAT_REG_PROTO_MAX], 0) ==
					 nft_u32(t[NFTA_NAT_REG_PROTO_MIN], 1));
		if (d->port_known)
			d->to_port = (uint16_t)(p->regs.value[at] << 8 | p->regs.value[at + 1]);
	}
	if (t[NFTA_NAT_REG_ADDR_MIN]) {
		address =
			nft_reg_at(t[NFTA_NAT_REG_ADDR_MIN], len, &at) &&
			nft_all_known(&p->regs, at, len) &&
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
	if (nft_reg_at(t[NFTA_REDIR_REG_PROTO_MIN], 2, &at) && nft_all_known(&p->regs, at, 2)) {
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
	return nft_reg_forget(p, t[NFTA_NG_DREG], 4, "chance");
}

static enum nft_tri eval_hash(struct nft_packet *p, const struct nlattr **t)
{
	return nft_reg_forget(p, t[NFTA_HASH_DREG], 4, "a hash of the packet");
}

static enum nft_tri eval_osf(struct nft_packet *p, const struct nlattr **t)
{
	nft_reg_forget(p, t[NFTA_OSF_DREG], 16, "the sender's operating system");
	return nft_maybe(p, "the sender's operating system");
}

static enum nft_tri eval_xfrm(struct nft_packet *p, const struct nlattr **t)
{
	return nft_reg_forget(p, t[NFTA_XFRM_DREG], 16, "IPsec");
}

static enum nft_tri eval_tunnel(struct nft_packet *p, const struct nlattr **t)
{
	return nft_reg_forget(p, t[NFTA_TUNNEL_DREG], 4, "the tunnel that it comes by");
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
	{"payload", NFTA_PAYLOAD_MAX, nft_eval_payload},
	{"cmp", NFTA_CMP_MAX, nft_eval_cmp},
	{"meta", NFTA_META_MAX, nft_eval_meta},
	{"immediate", NFTA_IMMEDIATE_MAX, nft_eval_immediate},
	{"counter", NFTA_COUNTER_MAX, eval_nothing},
	{"match", NFTA_MATCH_MAX, eval_match},
	{"target", NFTA_TARGET_MAX, eval_target},
	{"lookup", NFTA_LOOKUP_MAX, nft_eval_lookup},
	{"bitwise", BITWISE_SREG2, nft_eval_bitwise},
	{"ct", NFTA_CT_MAX, nft_eval_ct},
	{"range", NFTA_RANGE_MAX, nft_eval_range},
	{"byteorder", NFTA_BYTEORDER_MAX, nft_eval_byteorder},
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
	{"notrack", 0, nft_eval_notrack},
	{"objref", NFTA_OBJREF_MAX, nft_eval_objref},
	{"dynset", NFTA_DYNSET_MAX, nft_eval_dynset},
	{"fib", NFTA_FIB_MAX, nft_eval_fib},
	{"rt", NFTA_RT_MAX, nft_eval_rt},
	{"socket", NFTA_SOCKET_MAX, nft_eval_socket},
	{"exthdr", NFTA_EXTHDR_MAX, nft_eval_exthdr},
	{"numgen", NFTA_NG_MAX, eval_numgen},
	{"hash", NFTA_HASH_MAX, eval_hash},
	{"osf", NFTA_OSF_MAX, eval_osf},
	{"xfrm", NFTA_XFRM_MAX, eval_xfrm},
	{"tunnel", NFTA_TUNNEL_MAX, eval_tunnel},
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
	/* that it then accepts is no promise: the packet may be another by then, or gone */
	if (strange && (p->doing.act == NFT_ACT_NONE || p->doing.act == NFT_ACT_ACCEPT))
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
