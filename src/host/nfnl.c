/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/nfnl.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/msg.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"

/* The kernel's largest piece of a dump, and more than its largest attribute. */
#define RECEIVE_SIZE (128 << 10)
#define SEND_BUFFER  (8 << 20)

/* ---- writing ---- */

static void *add(struct nfnl_bytes *b, size_t len)
{
	size_t padded = NLMSG_ALIGN(len);

	while (b->len + padded > b->size) {
		b->size = b->size ? b->size * 2 : 1024;
		b->data = xrealloc(b->data, b->size);
	}
	void *p = b->data + b->len;
	memset(p, 0, padded);
	b->len += padded;
	return p;
}

static void begin(struct nfnl_bytes *b, uint16_t type, uint8_t family, uint16_t res_id, int flags)
{
	b->message = b->len;
	struct nlmsghdr *m = add(b, NLMSG_HDRLEN);
	m->nlmsg_type = type;
	m->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	struct nfgenmsg *g = add(b, sizeof(*g));
	g->nfgen_family = family;
	g->version = NFNETLINK_V0;
	g->res_id = htons(res_id);
}

void nfnl_begin(struct nfnl_bytes *b, int type, int family, int flags)
{
	begin(b, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), (uint8_t)family, 0, flags);
}

void nfnl_end(struct nfnl_bytes *b)
{
	struct nlmsghdr *m = (void *)(b->data + b->message);

	m->nlmsg_len = (uint32_t)(b->len - b->message);
}

void nfnl_put(struct nfnl_bytes *b, int attribute, const void *data, size_t len)
{
	if (len > UINT16_MAX - NLA_HDRLEN) {
		b->too_long = true;
		return;
	}
	struct nlattr *a = add(b, NLA_HDRLEN + len);
	a->nla_type = (uint16_t)attribute;
	a->nla_len = (uint16_t)(NLA_HDRLEN + len);
	if (len)
		memcpy((char *)a + NLA_HDRLEN, data, len);
}

void nfnl_put_str(struct nfnl_bytes *b, int attribute, const char *s)
{
	nfnl_put(b, attribute, s, strlen(s) + 1);
}

void nfnl_put_u32(struct nfnl_bytes *b, int attribute, uint32_t v)
{
	v = htonl(v);
	nfnl_put(b, attribute, &v, sizeof(v));
}

void nfnl_put_attr(struct nfnl_bytes *b, const struct nlattr *a)
{
	if (a)
		nfnl_put(b, a->nla_type, nla_data(a), (size_t)nla_len(a));
}

size_t nfnl_nest(struct nfnl_bytes *b, int attribute)
{
	size_t nest = b->len;

	nfnl_put(b, attribute | NLA_F_NESTED, NULL, 0);
	return nest;
}

void nfnl_nest_end(struct nfnl_bytes *b, size_t nest)
{
	struct nlattr *a = (void *)(b->data + nest);

	if (b->len - nest > UINT16_MAX)
		b->too_long = true;
	else
		a->nla_len = (uint16_t)(b->len - nest);
}

void nfnl_bytes_free(struct nfnl_bytes *b)
{
	free(b->data);
	*b = (struct nfnl_bytes){0};
}

/* ---- the socket ---- */

int nfnl_open(struct nfnl *n, struct err *e)
{
	const struct sockaddr_nl any = {.nl_family = AF_NETLINK};
	const int buffer = SEND_BUFFER;

	n->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	if (n->fd < 0 || bind(n->fd, (const struct sockaddr *)&any, sizeof(any)) != 0) {
		err_set(e, ERR_RUN, "netfilter's netlink: %s", strerror(errno));
		nfnl_close(n);
		return -1;
	}
	/* without the privilege a large batch fails later, and says so */
	setsockopt(n->fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof(buffer));
	return 0;
}

void nfnl_close(struct nfnl *n)
{
	if (n->fd >= 0)
		close(n->fd);
	n->fd = -1;
}

static int send_all(struct nfnl *n, const struct nfnl_bytes *b, struct err *e)
{
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

	if (b->too_long)
		return err_set(e, ERR_RUN, "netfilter's netlink: longer than a message can be");
	if (sendto(n->fd, b->data, b->len, 0, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return err_set(e, ERR_RUN, "netfilter's netlink: %s", strerror(errno));
	return 0;
}

struct reading {
	uint32_t seq;
	nfnl_handler *on;
	void *arg;
	bool done, enough;
	int answer;
};

static void read_message(struct reading *r, const struct nlmsghdr *m)
{
	const struct nlmsgerr *error = nlmsg_data(m);

	if (m->nlmsg_seq != r->seq || r->done || r->enough)
		return;
	if (m->nlmsg_flags & NLM_F_DUMP_INTR)
		r->answer = EINTR;
	if (m->nlmsg_type == NLMSG_ERROR && m->nlmsg_len >= NLMSG_LENGTH(sizeof(*error))) {
		r->answer = -error->error;
		r->done = true;
	} else if (m->nlmsg_type == NLMSG_DONE) {
		r->done = true;
	} else if (m->nlmsg_type >= NLMSG_MIN_TYPE) {
		r->enough = !r->on(m, r->arg);
	}
}

/* One datagram. False: none came in time. */
static bool receive(struct nfnl *n, struct reading *r, char *buf, int64_t deadline)
{
	struct pollfd fd = {.fd = n->fd, .events = POLLIN};
	int64_t left = (deadline - clock_mono_ns()) / NS_PER_MS;

	int ready = left > 0 ? poll(&fd, 1, (int)left) : 0;
	if (ready <= 0)
		return ready < 0 && errno == EINTR;
	ssize_t got = recv(n->fd, buf, RECEIVE_SIZE, MSG_DONTWAIT);
	if (got < 0)
		return errno == EINTR || errno == EAGAIN;
	int len = (int)got;
	for (struct nlmsghdr *m = (void *)buf; nlmsg_ok(m, len); m = nlmsg_next(m, &len))
		read_message(r, m);
	return true;
}

/* What is left of an answer that nobody wants would come before the next one. */
static int open_again(struct nfnl *n, struct err *e)
{
	nfnl_close(n);
	return nfnl_open(n, e);
}

int nfnl_ask(struct nfnl *n, struct nfnl_bytes *b, nfnl_handler *on, void *arg, int timeout_ms,
	     int *answer, struct err *e)
{
	int64_t deadline = clock_mono_ns() + timeout_ms * NS_PER_MS;
	struct nlmsghdr *m = (void *)(b->data + b->message);
	struct reading r = {.seq = ++n->seq, .on = on, .arg = arg};
	char *buf;

	*answer = 0;
	m->nlmsg_seq = r.seq;
	if ((m->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
		m->nlmsg_flags |= NLM_F_ACK; /* it says when the answer is over */
	if (send_all(n, b, e) != 0)
		return -1;
	buf = xcalloc(1, RECEIVE_SIZE);
	while (!r.done && !r.enough && receive(n, &r, buf, deadline))
		;
	free(buf);
	*answer = r.answer;
	if (r.done)
		return 0;
	if (open_again(n, e) != 0)
		return -1;
	return r.enough ? 0 : err_set(e, ERR_RUN, "the kernel took too long to answer");
}

static bool ignore(const struct nlmsghdr *m, void *arg)
{
	(void)m;
	(void)arg;
	return true;
}

/* The kernel answers a failed message each, and the last one, as asked, if none failed. */
int nfnl_commit(struct nfnl *n, const struct nfnl_bytes *b, int *answer, struct err *e)
{
	int64_t deadline = clock_mono_ns() + NS_PER_S;
	struct reading r = {.seq = ++n->seq, .on = ignore};
	struct nfnl_bytes all = {0};
	char *buf;
	int rc;

	begin(&all, NFNL_MSG_BATCH_BEGIN, AF_UNSPEC, NFNL_SUBSYS_NFTABLES, 0);
	nfnl_end(&all);
	if (b->len)
		memcpy(add(&all, b->len), b->data, b->len);
	size_t end = all.len;
	begin(&all, NFNL_MSG_BATCH_END, AF_UNSPEC, NFNL_SUBSYS_NFTABLES, 0);
	nfnl_end(&all);
	for (size_t at = 0; at < all.len;) {
		struct nlmsghdr *m = (void *)(all.data + at);
		m->nlmsg_seq = r.seq;
		at += NLMSG_ALIGN(m->nlmsg_len);
		if (at == end)
			m->nlmsg_flags |= NLM_F_ACK;
	}
	all.too_long = b->too_long;
	rc = send_all(n, &all, e);
	nfnl_bytes_free(&all);
	if (rc != 0)
		return -1;
	buf = xcalloc(1, RECEIVE_SIZE);
	while (!r.done && receive(n, &r, buf, deadline))
		;
	free(buf);
	*answer = r.answer;
	return r.done ? 0 : err_set(e, ERR_RUN, "the kernel took too long to answer");
}

/* ---- reading ---- */

bool nfnl_parse(const struct nlmsghdr *m, struct nlattr **table, int max)
{
	const size_t header = NLMSG_LENGTH(sizeof(struct nfgenmsg));

	if (m->nlmsg_len < header)
		return false;
	/* libnl's parser takes a pointer to what it does not change */
	struct nlattr *first = (struct nlattr *)(uintptr_t)((const char *)m + NLMSG_ALIGN(header));
	return nla_parse(table, max, first, (int)(m->nlmsg_len - header), NULL) == 0;
}

bool nfnl_parse_nested(const struct nlattr *a, struct nlattr **table, int max)
{
	memset(table, 0, ((size_t)max + 1) * sizeof(struct nlattr *));
	return a && nla_parse(table, max, nla_data(a), nla_len(a), NULL) == 0;
}

uint32_t nfnl_u32(const struct nlattr *a)
{
	uint32_t v;

	if (!a || nla_len(a) < (int)sizeof(v))
		return 0;
	memcpy(&v, nla_data(a), sizeof(v));
	return ntohl(v);
}

uint64_t nfnl_u64(const struct nlattr *a)
{
	uint64_t v;

	if (!a || nla_len(a) < (int)sizeof(v))
		return 0;
	memcpy(&v, nla_data(a), sizeof(v));
	return be64toh(v);
}

const char *nfnl_str(const struct nlattr *a)
{
	return a && nla_len(a) > 0 && memchr(nla_data(a), '\0', (size_t)nla_len(a)) ? nla_data(a)
										    : "";
}

/* ---- families */

static const struct {
	const char *name;
	int number;
} FAMILIES[] = {{"ip", NFPROTO_IPV4},       {"ip6", NFPROTO_IPV6},      {"inet", NFPROTO_INET},
		{"netdev", NFPROTO_NETDEV}, {"bridge", NFPROTO_BRIDGE}, {"arp", NFPROTO_ARP}};
#define N_FAMILIES (sizeof(FAMILIES) / sizeof(FAMILIES[0]))

const char *nfnl_family_name(int family)
{
	for (size_t i = 0; i < N_FAMILIES; i++)
		if (FAMILIES[i].number == family)
			return FAMILIES[i].name;
	return "";
}

int nfnl_family_number(const char *name)
{
	for (size_t i = 0; i < N_FAMILIES; i++)
		if (strcmp(FAMILIES[i].name, name) == 0)
			return FAMILIES[i].number;
	return -1;
}
