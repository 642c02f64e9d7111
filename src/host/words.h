/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside host/: routes and numbers in the words of iproute2, so that a user finds them again. */
#ifndef SB_HOST_WORDS_H
#define SB_HOST_WORDS_H

#include "host/netlink.h"

/* A line of words with one blank between them, cut at the end of its buffer. */
struct line {
	char *out;
	size_t size, len;
};

struct line line_into(char *out, size_t size); /* borrows out */
void line_add(struct line *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* WORD (may be "") and "10.0.0.0/8", or "10.0.0.1" for a host. */
void words_prefix(struct line *l, const char *word, const struct addr *a, unsigned len);

/* What `ip route show table T` prints for a route that stops a lookup, or has one next hop. Asks for link names: not
 * from within a netlink_handler. */
void words_route(struct host *h, const struct nlmsghdr *m, char *out, size_t size);

/* A number by /etc/iproute2/FILE; false when there is no name for it. */
bool words_lookup(const char *file, uint32_t number, char *out, size_t size);

/* These fall back to the number. */
void words_table(uint32_t table, char *out, size_t size);
void words_protocol(uint8_t protocol, char *out, size_t size);
void words_tos(uint8_t tos, char *out, size_t size);

/* "prohibit", ... for RTN_ types that stop a lookup, NULL for others. */
const char *words_stop_type(unsigned rtn_type);

#endif
