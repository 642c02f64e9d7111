/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Three-valued answers, and values of which some bits are not known: words, bytes of headers, ports,
 * registers. */
#include "host/nft_eval_private.h"

#include <stdio.h>
#include <string.h>

#include "host/nfnl.h"

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

bool nft_certain(const struct nft_packet *p)
{
	return !p->maybe && !p->rule_maybe;
}

const char *nft_doubt(const struct nft_packet *p)
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

	if (!nft_certain(p)) {
		known &= w->known & ~(w->value ^ result);
		why = nft_doubt(p);
	}
	if (known != UINT32_MAX && (!w->why || known != w->known))
		w->why = why ? why : w->why;
	w->value = result & known;
	w->known = known;
}

enum nft_tri nft_bytes_equal(struct nft_packet *p, const struct nft_bytes *b, size_t at,
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

const char *nft_first_why(const struct nft_bytes *b, size_t at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (b->known[at + i] != 0xff && b->why[at + i])
			return b->why[at + i];
	return NOT_UNDERSTOOD;
}

/* value < bound (or <= with `equal`)? */
enum nft_tri nft_bytes_below(struct nft_packet *p, const struct nft_bytes *b, size_t at,
				const uint8_t *bound, size_t len, bool equal)
{
	if (extreme_compare(b, at, bound, len, true) < (equal ? 1 : 0))
		return NFT_YES;
	if (extreme_compare(b, at, bound, len, false) >= (equal ? 1 : 0))
		return NFT_NO;
	return nft_maybe(p, nft_first_why(b, at, len));
}

enum nft_tri nft_in_range(struct nft_packet *p, const struct nft_bytes *b, size_t at, size_t len,
			  const uint8_t *low, const uint8_t *high)
{
	return nft_and(nft_not(nft_bytes_below(p, b, at, low, len, false)),
		       nft_bytes_below(p, b, at, high, len, true));
}

/* Our own port: one of the watch's, or any that the kernel may choose. */
enum nft_tri nft_own_port_within(struct nft_packet *p, uint16_t low, uint16_t high)
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
		return nft_own_port_within(p, low, high);
	return nft_in_range(p, &p->tcp, destination ? 2 : 0, 2, l, h);
}

/* ---- registers */

bool nft_reg_at(const struct nlattr *a, size_t len, size_t *at)
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
bool nft_reg_clear(struct nft_packet *p, const struct nlattr *dreg, size_t len, size_t *at)
{
	if (len == 0 || !nft_reg_at(dreg, len, at))
		return false;
	size_t words = (len + 3) / 4;
	memset(p->regs.value + *at, 0, words * 4);
	memset(p->regs.known + *at, 0xff, words * 4);
	memset(p->reg_is_port + *at / 4, 0, words * sizeof(bool));
	return true;
}

enum nft_tri nft_reg_store(struct nft_packet *p, const struct nlattr *dreg, const void *value,
			      size_t len)
{
	size_t at;

	if (!nft_reg_clear(p, dreg, len, &at))
		return nft_maybe(p, NOT_UNDERSTOOD);
	memcpy(p->regs.value + at, value, len);
	return NFT_YES;
}

/* It is the expression that reads the register that can't be judged then. */
enum nft_tri nft_reg_forget(struct nft_packet *p, const struct nlattr *dreg, size_t len,
			       const char *why)
{
	size_t at;

	if (!nft_reg_clear(p, dreg, len, &at))
		return nft_maybe(p, why);
	memset(p->regs.known + at, 0, len);
	for (size_t i = 0; i < len; i++)
		p->regs.why[at + i] = why;
	return NFT_YES;
}

enum nft_tri nft_reg_word(struct nft_packet *p, const struct nlattr *dreg,
			     const struct nft_word *w)
{
	size_t at;

	if (!nft_reg_clear(p, dreg, 4, &at))
		return nft_maybe(p, NOT_UNDERSTOOD);
	memcpy(p->regs.value + at, &w->value, 4);
	memcpy(p->regs.known + at, &w->known, 4);
	for (size_t i = 0; i < 4; i++)
		p->regs.why[at + i] = w->why;
	return NFT_YES;
}

enum nft_tri nft_reg_u32(struct nft_packet *p, const struct nlattr *dreg, uint32_t v)
{
	return nft_reg_store(p, dreg, &v, sizeof(v));
}

enum nft_tri nft_reg_u8(struct nft_packet *p, const struct nlattr *dreg, uint8_t v)
{
	return nft_reg_store(p, dreg, &v, sizeof(v));
}

void nft_reg_read(const struct nft_packet *p, size_t at, struct nft_word *out)
{
	memcpy(&out->value, p->regs.value + at, 4);
	memcpy(&out->known, p->regs.known + at, 4);
	out->why = out->known == UINT32_MAX ? NULL : nft_first_why(&p->regs, at, 4);
}

/* The bytes of a data attribute; NULL: none, or too long. */
const uint8_t *nft_data_of(const struct nlattr *a, size_t *len)
{
	const struct nlattr *t[NFTA_DATA_MAX + 1];
	bool foreign = false;

	if (!nft_nested(a, t, NFTA_DATA_MAX, &foreign) || !t[NFTA_DATA_VALUE])
		return NULL;
	*len = t[NFTA_DATA_VALUE]->nla_len - (size_t)NLA_HDRLEN;
	return *len && *len <= NFT_REG_LEN ? (const uint8_t *)t[NFTA_DATA_VALUE] + NLA_HDRLEN
					   : NULL;
}

bool nft_all_known(const struct nft_bytes *b, size_t at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (b->known[at + i] != 0xff)
			return false;
	return true;
}
