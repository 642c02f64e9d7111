/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/netlink.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/arena.h"

#define ANSWER_TIMEOUT_S 1
#define DUMP_RETRIES     3

/* One receive: what the kernel puts into one datagram of a dump at most. */
#define RECEIVE_SIZE 32768

int host_open(struct host **out, struct err *e)
{
	const struct timeval limit = {.tv_sec = ANSWER_TIMEOUT_S};
	struct host *h = xcalloc(1, sizeof(*h));
	const int on = 1;
	int rc;

	h->udp6 = -1;
	h->sock = nl_socket_alloc();
	if (!h->sock) {
		err_set(e, ERR_RUN, "netlink: out of memory");
		goto out;
	}
	rc = nl_connect(h->sock, NETLINK_ROUTE);
	if (rc < 0) {
		err_set(e, ERR_RUN, "netlink: %s", nl_geterror(rc));
		goto out;
	}
	nl_socket_set_msg_buf_size(h->sock, RECEIVE_SIZE);
	nl_socket_disable_msg_peek(h->sock);
	int fd = nl_socket_get_fd(h->sock);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0) {
		err_set(e, ERR_RUN, "netlink: SO_RCVTIMEO: %s", strerror(errno));
		goto out;
	}
	h->strict = setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on)) == 0;
	h->udp6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	*out = h;
	return 0;
out:
	host_free(h);
	return -1;
}

void host_free(struct host *h)
{
	if (!h)
		return;
	if (h->udp6 >= 0)
		close(h->udp6);
	nl_socket_free(h->sock);
	free(h);
}

struct nl_msg *netlink_request(int type, int flags, const void *header, size_t len)
{
	struct nl_msg *msg = nlmsg_alloc_simple(type, NLM_F_REQUEST | flags);
	void *p = msg ? nlmsg_reserve(msg, len, NLMSG_ALIGNTO) : NULL;

	if (!p) {
		nlmsg_free(msg);
		xcalloc(SIZE_MAX, 1); /* ends the program with the usual words */
		abort();
	}
	memcpy(p, header, len);
	return msg;
}

void netlink_put(struct nl_msg *msg, int attribute, const void *data, size_t len)
{
	if (nla_put(msg, attribute, (int)len, data) != 0) /* a page of room, a few small ones */
		abort();
}

static int on_valid(struct nl_msg *msg, void *arg)
{
	struct nlmsghdr *m = nlmsg_hdr(msg);
	struct host *h = arg;

	h->on_message(m, h->arg);
	if (!(m->nlmsg_flags & NLM_F_MULTI))
		h->done = true;
	return NL_OK;
}

static int on_finish(struct nl_msg *msg, void *arg)
{
	struct host *h = arg;

	(void)msg;
	h->done = true;
	return NL_STOP;
}

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *error, void *arg)
{
	struct host *h = arg;

	(void)from;
	h->answer = -error->error;
	h->done = true;
	return NL_STOP;
}

static int on_interrupted(struct nl_msg *msg, void *arg)
{
	struct host *h = arg;

	(void)msg;
	h->interrupted = true;
	return NL_OK;
}

/* The late answer to a question that timed out is nobody's. */
static int check_seq(struct nl_msg *msg, void *arg)
{
	const struct host *h = arg;

	return nlmsg_hdr(msg)->nlmsg_seq == h->seq ? NL_OK : NL_SKIP;
}

static int receive(struct host *h, struct err *e)
{
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	int rc = 0;

	if (!cb)
		return err_set(e, ERR_RUN, "netlink: out of memory");
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_valid, h);
	nl_cb_set(cb, NL_CB_FINISH, NL_CB_CUSTOM, on_finish, h);
	nl_cb_set(cb, NL_CB_ACK, NL_CB_CUSTOM, on_finish, h);
	nl_cb_set(cb, NL_CB_DUMP_INTR, NL_CB_CUSTOM, on_interrupted, h);
	nl_cb_set(cb, NL_CB_SEQ_CHECK, NL_CB_CUSTOM, check_seq, h);
	nl_cb_err(cb, NL_CB_CUSTOM, on_error, h);
	while (!h->done && rc >= 0)
		rc = nl_recvmsgs(h->sock, cb);
	nl_cb_put(cb);
	if (h->done)
		return 0;
	if (rc == -NLE_AGAIN)
		return err_set(e, ERR_RUN, "netlink: no answer from the kernel within %d s",
			       ANSWER_TIMEOUT_S);
	return err_set(e, ERR_RUN, "netlink: %s", nl_geterror(rc));
}

int netlink_ask(struct host *h, struct nl_msg *msg, netlink_handler *on, void *arg, int *answer,
		struct err *e)
{
	int rc = -1;

	h->on_message = on;
	h->arg = arg;
	for (int i = 0; i < DUMP_RETRIES; i++) {
		h->done = h->interrupted = false;
		h->answer = 0;
		nlmsg_hdr(msg)->nlmsg_seq = NL_AUTO_SEQ;
		rc = nl_send_auto(h->sock, msg);
		if (rc < 0) {
			rc = err_set(e, ERR_RUN, "netlink: %s", nl_geterror(rc));
			break;
		}
		h->seq = nlmsg_hdr(msg)->nlmsg_seq;
		rc = receive(h, e);
		if (rc != 0 || !h->interrupted)
			break;
		on(NULL, arg);
		rc = err_set(e, ERR_RUN, "netlink: tables change faster than they can be read");
	}
	nlmsg_free(msg);
	*answer = h->answer;
	return rc;
}

bool netlink_parse(const struct nlmsghdr *m, size_t header_len, struct nlattr **table, int max)
{
	/* libnl's parser takes a pointer to what it does not change */
	struct nlmsghdr *writable = (struct nlmsghdr *)(uintptr_t)m;

	return nlmsg_parse(writable, (int)header_len, table, max, NULL) == 0;
}

uint32_t netlink_u32(const struct nlattr *a)
{
	return a && nla_len(a) >= 4 ? nla_get_u32(a) : 0;
}

uint16_t netlink_u16(const struct nlattr *a)
{
	return a && nla_len(a) >= 2 ? nla_get_u16(a) : 0;
}

uint8_t netlink_u8(const struct nlattr *a)
{
	return a && nla_len(a) >= 1 ? nla_get_u8(a) : 0;
}

struct addr netlink_addr(int family, const struct nlattr *a)
{
	const struct addr none = {.family = ADDR_NONE};

	if (a && family == AF_INET && nla_len(a) == 4)
		return addr_v4(nla_data(a));
	if (a && family == AF_INET6 && nla_len(a) == 16)
		return addr_v6(nla_data(a));
	return none;
}

int netlink_family(const struct addr *a)
{
	return a->family == ADDR_V4 ? AF_INET : AF_INET6;
}

size_t netlink_addr_len(const struct addr *a)
{
	return a->family == ADDR_V4 ? 4 : 16;
}

const char *netlink_link_name(struct host *h, int ifindex, char out[IFNAMSIZ])
{
	struct host_link link;
	struct err e;

	if (host_get_link(h, ifindex, NULL, &link, &e) == 0)
		memcpy(out, link.name, IFNAMSIZ);
	else
		snprintf(out, IFNAMSIZ, "if%d", ifindex); /* as iproute2 does */
	return out;
}
