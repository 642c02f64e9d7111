/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Inside host/: nf_tables questions and batches as the bytes that the kernel
 * takes and gives, so that what was read of one namespace can be written into
 * another without being understood.
 */
#ifndef SB_HOST_NFNL_H
#define SB_HOST_NFNL_H

#include <linux/netlink.h>
#include <netlink/attr.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Messages behind each other. Zero is empty; nfnl_bytes_free(). */
struct nfnl_bytes {
	char *data;
	size_t len, size;
	size_t message; /* where the one under way begins */
	bool too_long;  /* an attribute or a message has no room in its length field: not to be sent
			 */
};

/* type: NFT_MSG_*. flags: NLM_F_* beside REQUEST. */
void nfnl_begin(struct nfnl_bytes *b, int type, int family, int flags);
void nfnl_put(struct nfnl_bytes *b, int attribute, const void *data, size_t len);
void nfnl_put_str(struct nfnl_bytes *b, int attribute, const char *s);
void nfnl_put_u32(struct nfnl_bytes *b, int attribute, uint32_t v); /* becomes big-endian */
void nfnl_put_attr(struct nfnl_bytes *b, const struct nlattr *a);   /* as it is; NULL: nothing */
size_t nfnl_nest(struct nfnl_bytes *b, int attribute);
void nfnl_nest_end(struct nfnl_bytes *b, size_t nest);
void nfnl_end(struct nfnl_bytes *b);
void nfnl_bytes_free(struct nfnl_bytes *b);

struct nfnl {
	int fd;
	uint32_t seq;
};

int nfnl_open(struct nfnl *n, struct err *e);
void nfnl_close(struct nfnl *n);

/* Called for each message of the answer. False: enough, no more of it. */
typedef bool nfnl_handler(const struct nlmsghdr *message, void *arg);

/* Asks the one question in `b`. 0: *answer is 0 or the kernel's errno (positive; EINTR: what is
 * listed changed meanwhile). -1 with ERR_RUN: the socket failed, or timeout_ms are over. */
int nfnl_ask(struct nfnl *n, struct nfnl_bytes *b, nfnl_handler *on, void *arg, int timeout_ms,
	     int *answer, struct err *e);

/* All of `b`, or nothing, as one transaction. */
int nfnl_commit(struct nfnl *n, const struct nfnl_bytes *b, int *answer, struct err *e);

/* The attributes of a message of nf_tables, or of an attribute that holds others; false: malformed.
 * `a` NULL: none. */
bool nfnl_parse(const struct nlmsghdr *m, struct nlattr **table, int max);
bool nfnl_parse_nested(const struct nlattr *a, struct nlattr **table, int max);

/* Values of attributes that may be absent or too short: 0 and "" then. */
uint32_t nfnl_u32(const struct nlattr *a);
uint64_t nfnl_u64(const struct nlattr *a);
const char *nfnl_str(const struct nlattr *a);

/* "inet" for NFPROTO_INET, as nft calls it, "" for others than nft's; and back, -1: no such. */
const char *nfnl_family_name(int family);
int nfnl_family_number(const char *name);

#endif
