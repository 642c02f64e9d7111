/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <endian.h>
#include <netinet/in.h> /* before the kernel's own */

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#include "host/nfnl.h"
#include "host/nft_ruleset.h"

bool nft_attributes(const void *head, size_t len, const struct nlattr **table, int max,
		    bool *foreign)
{
	const uint8_t *p = head;

	memset(table, 0, sizeof(*table) * ((size_t)max + 1));
	while (len >= NLA_HDRLEN) {
		const struct nlattr *a = (const struct nlattr *)(const void *)p;
		size_t step = NLA_ALIGN(a->nla_len);
		int type = a->nla_type & NLA_TYPE_MASK;
		if (a->nla_len < NLA_HDRLEN || a->nla_len > len)
			return false;
		if (type <= max)
			table[type] = a;
		else
			*foreign = true;
		if (step >= len)
			break;
		p += step;
		len -= step;
	}
	return true;
}

bool nft_nested(const struct nlattr *nest, const struct nlattr **table, int max, bool *foreign)
{
	if (!nest) {
		memset(table, 0, sizeof(*table) * ((size_t)max + 1));
		return false;
	}
	return nft_attributes(nft_content(nest), nft_payload(nest), table, max, foreign);
}

uint32_t nft_u32(const struct nlattr *a, uint32_t absent)
{
	uint32_t v;

	if (!a || nft_payload(a) < sizeof(v))
		return absent;
	memcpy(&v, nft_content(a), sizeof(v));
	return be32toh(v);
}

struct nft_verdict nft_read_verdict(struct nft_ruleset *r, const struct nlattr *verdict)
{
	const struct nlattr *t[NFTA_VERDICT_MAX + 1];
	struct nft_verdict v = {.code = NFT_OTHER};
	bool foreign = false;

	if (!nft_nested(verdict, t, NFTA_VERDICT_MAX, &foreign) || !t[NFTA_VERDICT_CODE])
		return v;
	int code = (int)nft_u32(t[NFTA_VERDICT_CODE], 0);
	switch (code) {
	case NFT_CONTINUE: v.code = NFT_GO_ON; break;
	case NFT_JUMP: v.code = NFT_JUMPS; break;
	case NFT_GOTO: v.code = NFT_GOES; break;
	case NFT_RETURN: v.code = NFT_RETURNS; break;
	case NF_ACCEPT: v.code = NFT_ACCEPTS; break;
	case NF_DROP: v.code = NFT_DROPS; break;
	default:
		if (code >= 0 && (code & NF_VERDICT_MASK) == NF_QUEUE) {
			v.code = NFT_QUEUES;
			v.queue = (uint16_t)((unsigned)code >> NF_VERDICT_QBITS);
			v.bypass = code & NF_VERDICT_FLAG_QUEUE_BYPASS;
		}
	}
	if (v.code == NFT_JUMPS || v.code == NFT_GOES)
		v.chain = arena_strdup(&r->names, nfnl_str(t[NFTA_VERDICT_CHAIN]));
	return v;
}

const struct nlattr *nft_rule_attributes(const struct nlmsghdr *m, size_t *len)
{
	const size_t head = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct nfgenmsg));

	*len = m->nlmsg_len > head ? m->nlmsg_len - head : 0;
	return (const struct nlattr *)(const void *)((const uint8_t *)m + head);
}
