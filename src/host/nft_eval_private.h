/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Inside nft_eval*.c: ports of the kernel's expressions (net/netfilter/nft_*.c), each for values of
 * which some bits are not known. Where the kernel's own result would need a real packet, or an
 * attribute is not known here, the answer is "maybe".
 */
#ifndef SB_HOST_NFT_EVAL_PRIVATE_H
#define SB_HOST_NFT_EVAL_PRIVATE_H

#include <linux/netfilter/nf_tables.h>

#include "host/nft_eval.h"

#define NOT_UNDERSTOOD "a kind of match that smtpblame does not understand"

/* Newer than the headers of some systems. */
#define BITWISE_SREG2 8

/* Is the rule reached for sure, and does it match so far? If not, why. */
bool nft_certain(const struct nft_packet *p);
const char *nft_doubt(const struct nft_packet *p);

/* ---- bytes of which some bits are known ---- */

bool nft_all_known(const struct nft_bytes *b, size_t at, size_t len);
enum nft_tri nft_bytes_equal(struct nft_packet *p, const struct nft_bytes *b, size_t at,
			     const uint8_t *value, size_t len);
enum nft_tri nft_bytes_below(struct nft_packet *p, const struct nft_bytes *b, size_t at,
			     const uint8_t *bound, size_t len, bool equal);
/* Why the first unknown one of these bytes is unknown. */
const char *nft_first_why(const struct nft_bytes *b, size_t at, size_t len);
/* Our own source port in [low, high]. */
enum nft_tri nft_own_port_within(struct nft_packet *p, uint16_t low, uint16_t high);

/* ---- registers ---- */

/* *at: where it begins in p->regs. False: no register, or not room for so much. */
bool nft_reg_at(const struct nlattr *a, size_t len, size_t *at);
bool nft_reg_clear(struct nft_packet *p, const struct nlattr *dreg, size_t len, size_t *at);
enum nft_tri nft_reg_store(struct nft_packet *p, const struct nlattr *dreg, const void *value,
			   size_t len);
enum nft_tri nft_reg_forget(struct nft_packet *p, const struct nlattr *dreg, size_t len,
			    const char *why);
enum nft_tri nft_reg_word(struct nft_packet *p, const struct nlattr *dreg,
			  const struct nft_word *w);
enum nft_tri nft_reg_u32(struct nft_packet *p, const struct nlattr *dreg, uint32_t v);
enum nft_tri nft_reg_u8(struct nft_packet *p, const struct nlattr *dreg, uint8_t v);
void nft_reg_read(const struct nft_packet *p, size_t at, struct nft_word *out);

/* The bytes of a data attribute; NULL: none, or too long. */
const uint8_t *nft_data_of(const struct nlattr *a, size_t *len);

/* ---- expressions: t are their attributes ---- */

enum nft_tri nft_eval_payload(struct nft_packet *p, const struct nlattr **t);
enum nft_tri nft_eval_meta(struct nft_packet *p, const struct nlattr **t);
enum nft_tri nft_eval_ct(struct nft_packet *p, const struct nlattr **t);
enum nft_tri nft_eval_notrack(struct nft_packet *p, const struct nlattr **t);
enum nft_tri nft_eval_socket(struct nft_packet *p, const struct nlattr **t);
enum nft_tri nft_eval_fib(struct nft_packet *p, const struct nlattr **t);
enum nft_tri nft_eval_rt(struct nft_packet *p, const struct nlattr **t);
enum nft_tri nft_eval_exthdr(struct nft_packet *p, const struct nlattr **t);

enum nft_tri nft_eval_lookup(struct nft_packet *p, const struct nlattr **t);
enum nft_tri nft_eval_dynset(struct nft_packet *p, const struct nlattr **t);
enum nft_tri nft_eval_objref(struct nft_packet *p, const struct nlattr **t);
enum nft_tri nft_eval_immediate(struct nft_packet *p, const struct nlattr **t);
enum nft_tri nft_eval_cmp(struct nft_packet *p, const struct nlattr **t);
enum nft_tri nft_eval_range(struct nft_packet *p, const struct nlattr **t);
enum nft_tri nft_eval_bitwise(struct nft_packet *p, const struct nlattr **t);
enum nft_tri nft_eval_byteorder(struct nft_packet *p, const struct nlattr **t);

#endif
