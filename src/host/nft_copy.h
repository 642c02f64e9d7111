/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside host/: one nf_tables rule with nothing beside it, for programs that read whole tables. */
#ifndef SB_HOST_NFT_COPY_H
#define SB_HOST_NFT_COPY_H

#include <linux/netlink.h>
#include <netlink/attr.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "host/child.h"
#include "host/nfnl.h"

/* As the kernel gave it: the attributes point into `message`. */
struct nft_rule {
	uint8_t family; /* NFPROTO_* */
	const char *table, *chain;
	struct nlmsghdr *message;
	const struct nlattr *expressions, *userdata;
};

/* One expression of a rule. */
struct nft_expr {
	const char *name;
	struct nlattr *data; /* nested, as NFTA_<its name>_*; may be NULL */
};
typedef void nft_expr_visit(void *arg, const struct nft_expr *x);
void nft_rule_each(const struct nft_rule *r, nft_expr_visit *visit, void *arg);

/* Does it hold text that can pass for the beginning of a line of nft's list? */
bool nft_has_line(const struct nlattr *a);

/* What argv prints in a new network namespace that holds a copy of this rule, of its chain and
 * table, of the sets, objects and chains that it names, and nothing else; the namespace is gone
 * when this returns. Sets with names are empty there. hooked: its chain is a base chain there
 * if it is one here. n: the namespace in which the rule is. Interfaces have no names there.
 * -1 (ERR_RUN): no privilege for namespaces, not to be copied, or as child_run(). */
int nft_copy_list(struct nfnl *n, const struct nft_rule *r, bool hooked, const char *const argv[],
		  int timeout_ms, struct child_output *out, struct err *e);

#endif
