/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/nft_ask.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/msg.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"

void nft_ask_begin(struct nft_ruleset *r, struct nft_request *q, int type, int flags, uint8_t family)
{
	struct nlmsghdr h = {
		.nlmsg_len = NLMSG_LENGTH(sizeof(struct nfgenmsg)),
		.nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type),
		.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
		.nlmsg_seq = ++r->seq,
	};
	struct nfgenmsg g = {.nfgen_family = family, .version = NFNETLINK_V0};

	memset(q, 0, sizeof(*q));
	memcpy(q->bytes, &h, sizeof(h));
	memcpy(q->bytes + NLMSG_HDRLEN, &g, sizeof(g));
}

static uint32_t length(const struct nft_request *q)
{
	uint32_t len;

	memcpy(&len, q->bytes, sizeof(len));
	return len;
}

size_t nft_ask_put(struct nft_request *q, int type, const void *data, size_t len)
{
	uint32_t at = length(q);
	uint32_t end = at + (uint32_t)(NLA_HDRLEN + len);
	struct nlattr a = {.nla_len = (uint16_t)(NLA_HDRLEN + len), .nla_type = (uint16_t)type};

	if (NLMSG_ALIGN(end) > sizeof(q->bytes))
		return at;
	memcpy(q->bytes + at, &a, sizeof(a));
	if (len)
		memcpy(q->bytes + at + NLA_HDRLEN, data, len);
	end = NLMSG_ALIGN(end); /* a nest ends with its last attribute's padding */
	memcpy(q->bytes, &end, sizeof(end));
	return at;
}

void nft_ask_string(struct nft_request *q, int type, const char *s)
{
	nft_ask_put(q, type, s, strlen(s) + 1);
}

void nft_ask_end_nest(struct nft_request *q, size_t at)
{
	uint16_t len = (uint16_t)(length(q) - at);

	memcpy(q->bytes + at, &len, sizeof(len));
}

int nft_ask_open(struct err *e)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

	if (fd < 0)
		err_set(e, ERR_RUN, "netlink: %s", strerror(errno));
	return fd;
}

int nft_ask_send(int fd, const struct nft_request *q, struct err *e)
{
	if (send(fd, q->bytes, length(q), 0) < 0)
		return err_set(e, ERR_RUN, "nf_tables: %s", strerror(errno));
	return 0;
}

size_t nft_ask_receive(struct nft_ruleset *r, int fd)
{
	for (;;) {
		int64_t left = r->deadline - clock_mono_ns();
		struct pollfd p = {.fd = fd, .events = POLLIN};
		if (left <= 0)
			return 0;
		int rc = poll(&p, 1, (int)(left / NS_PER_MS) + 1);
		if (rc == 0 || (rc < 0 && errno != EINTR))
			return 0;
		ssize_t n = recv(fd, r->buffer, NFT_RECEIVE_SIZE, MSG_DONTWAIT | MSG_TRUNC);
		if (n > NFT_RECEIVE_SIZE || n == 0)
			return 0;
		if (n > 0)
			return (size_t)n;
		if (errno != EINTR && errno != EAGAIN)
			return 0;
	}
}

int nft_ask_errno(const struct nlmsghdr *m)
{
	int32_t code = 0;

	if (m->nlmsg_len >= NLMSG_LENGTH(sizeof(code)))
		memcpy(&code, nlmsg_data(m), sizeof(code));
	return -code;
}

int nft_ask(struct nft_ruleset *r, const struct nft_request *q, nft_on_message *on, void *arg,
		    int *answer, struct err *e)
{
	const struct nlmsghdr *asked = (const void *)q->bytes;
	bool dump = asked->nlmsg_flags & NLM_F_DUMP;

	*answer = EAGAIN;
	if (nft_ask_send(r->fd, q, e) != 0)
		return -1;
	for (;;) {
		size_t n = nft_ask_receive(r, r->fd);
		if (n == 0)
			return 0;
		int left = (int)n;
		for (struct nlmsghdr *m = (void *)r->buffer; nlmsg_ok(m, left);
		     m = nlmsg_next(m, &left)) {
			if (m->nlmsg_seq != asked->nlmsg_seq)
				continue; /* the rest of an answer that came too late */
			if (m->nlmsg_flags & NLM_F_DUMP_INTR)
				r->changed = true;
			if (m->nlmsg_type == NLMSG_ERROR || m->nlmsg_type == NLMSG_DONE) {
				*answer = nft_ask_errno(m);
				return 0;
			}
			on(r, m, arg);
			if (!dump) {
				*answer = 0;
				return 0;
			}
		}
	}
}
