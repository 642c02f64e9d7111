/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside host/: one rtnetlink socket, one question at a time. */
#ifndef SB_HOST_NETLINK_H
#define SB_HOST_NETLINK_H

#include <linux/netlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdbool.h>

#include "base/addr.h"
#include "base/err.h"
#include "host/host.h"

struct host {
	struct nl_sock *sock;
	bool strict; /* the kernel filters dumps by the request's header and attributes (4.20) */
	int udp6;    /* asks the kernel which source it takes; see route.c. -1: no IPv6 */
	bool done;   /* the rest: state of the question under way, see netlink.c */
	bool interrupted;
	int answer;
	uint32_t seq;
	void (*on_message)(const struct nlmsghdr *, void *);
	void *arg;
};

/* Called for each message of the answer. A dump that the kernel had to begin anew starts with
 * NULL: forget what has come so far. */
typedef void netlink_handler(const struct nlmsghdr *message, void *arg);

/* An empty request with room for `header`; never NULL (exits as xcalloc does). */
struct nl_msg *netlink_request(int type, int flags, const void *header, size_t len);

/* nla_put() into a request that has room. */
void netlink_put(struct nl_msg *msg, int attribute, const void *data, size_t len);

/* Sends msg, frees it, and hands over the answer. 0: *answer is 0 or the kernel's errno (positive).
 * -1 with ERR_RUN: the socket failed, or no answer came within a second. */
int netlink_ask(struct host *h, struct nl_msg *msg, netlink_handler *on, void *arg, int *answer,
		struct err *e);

/* Attribute table of a message with a header of header_len bytes; false: malformed. */
bool netlink_parse(const struct nlmsghdr *m, size_t header_len, struct nlattr **table, int max);

/* Values of attributes that may be absent or too short: 0 then. */
uint32_t netlink_u32(const struct nlattr *a);
uint16_t netlink_u16(const struct nlattr *a);
uint8_t netlink_u8(const struct nlattr *a);

/* 4 or 16 bytes as an address of this AF_ family; ADDR_NONE when absent or of another length. */
struct addr netlink_addr(int family, const struct nlattr *a);
int netlink_family(const struct addr *a); /* AF_INET or AF_INET6 */
size_t netlink_addr_len(const struct addr *a);

/* Name of an interface of the namespace of `h`, "ifN" when it has none; returns out. */
const char *netlink_link_name(struct host *h, int ifindex, char out[IFNAMSIZ]);

/* Is it a VRF or enslaved to one? False for 0 and on any doubt. */
bool netlink_link_in_vrf(struct host *h, int ifindex);

/* ---- who stopped a lookup (stop.c) */

/* Fills the stop fields of *out for a lookup that failed with out->error. `source` is what the
 * kernel had as source address, ADDR_NONE: none. ROUTE_STOP_OTHER when the kernel's lists can't be
 * read or don't explain the errno. */
void stop_find(struct host *h, const struct route_query *q, const struct addr *source,
	       struct host_route *out);

#endif
