/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Inside host/: questions to nf_tables and their answers, for the files that
 * read the ruleset.
 */
#ifndef SB_HOST_NFT_ASK_H
#define SB_HOST_NFT_ASK_H

#include <linux/netlink.h>

#include "base/err.h"
#include "host/nft_ruleset.h"

#define NFT_RECEIVE_SIZE 65536 /* the kernel fills 32 KiB of a dump at once, when it may */

struct nft_request {
	_Alignas(8) uint8_t bytes[1024];
};

void nft_ask_begin(struct nft_ruleset *r, struct nft_request *q, int type, int flags,
		   uint8_t family);

/* Returns where the attribute begins. What would not fit is left out: the kernel refuses then. */
size_t nft_ask_put(struct nft_request *q, int type, const void *data, size_t len);
void nft_ask_string(struct nft_request *q, int type, const char *s);
void nft_ask_end_nest(struct nft_request *q, size_t at);

int nft_ask_open(struct err *e);
int nft_ask_send(int fd, const struct nft_request *q, struct err *e);

/* One datagram into r->buffer; 0: the time is over, or the socket failed. */
size_t nft_ask_receive(struct nft_ruleset *r, int fd);

/* ERROR's or DONE's errno. */
int nft_ask_errno(const struct nlmsghdr *m);

typedef void nft_on_message(struct nft_ruleset *r, const struct nlmsghdr *m, void *arg);

/* Asks q of r->fd; every message of the answer goes to `on`. *answer: 0 or an errno; EAGAIN when it
 * is not whole. */
int nft_ask(struct nft_ruleset *r, const struct nft_request *q, nft_on_message *on, void *arg,
	    int *answer, struct err *e);

#endif
