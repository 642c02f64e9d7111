/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/ask.h"

#include <errno.h>
#include <netlink/msg.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define DUMP_RETRIES 3

/* One receive: what the kernel puts into one datagram of a dump at most. */
#define RECEIVE_SIZE 32768

bool ask_possible(int protocol)
{
	FILE *f = fopen("/proc/self/net/netlink", "re");
	char line[256];
	bool found = false;

	if (!f)
		return true;
	while (!found && fgets(line, sizeof(line), f)) {
		int proto;
		unsigned port;
		/* sk, Eth (the protocol), Pid (the port: 0 is the kernel's own end) */
		found = sscanf(line, "%*s %d %u", &proto, &port) == 2 && proto == protocol &&
			port == 0;
	}
	fclose(f);
	return found;
}

struct exchange {
	int fd;
	uint32_t seq;
	int64_t deadline;
	ask_handler *on;
	void *arg;
	int answer;
	bool done, interrupted;
};

static int timed_out(struct err *e)
{
	return err_set(e, ERR_RUN, "netlink: no whole answer from the kernel in time");
}

static int wait_for_answer(const struct exchange *x, struct err *e)
{
	int64_t left = (x->deadline - clock_mono_ns()) / NS_PER_MS;
	struct pollfd p = {.fd = x->fd, .events = POLLIN};

	if (left <= 0 || poll(&p, 1, (int)left) == 0)
		return timed_out(e);
	return 0;
}

static void take_message(struct exchange *x, const struct nlmsghdr *m)
{
	const struct nlmsgerr *error = nlmsg_data(m);

	if (m->nlmsg_seq != x->seq)
		return;
	x->interrupted |= (m->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
	switch (m->nlmsg_type) {
	case NLMSG_NOOP: return;
	case NLMSG_ERROR:
		x->answer = m->nlmsg_len >= NLMSG_LENGTH(sizeof(*error)) ? -error->error : EBADMSG;
		x->done = true;
		return;
	case NLMSG_DONE: /* with the dump's errno, where it failed on the way */
		if (m->nlmsg_len >= NLMSG_LENGTH(sizeof(int))) {
			int result;
			memcpy(&result, nlmsg_data(m), sizeof(result));
			x->answer = result < 0 ? -result : 0;
		}
		x->done = true;
		return;
	default:
		if (!x->on(m, x->arg) || !(m->nlmsg_flags & NLM_F_MULTI))
			x->done = true;
	}
}

static int receive(struct exchange *x, struct err *e)
{
	static const size_t size = RECEIVE_SIZE;
	_Alignas(struct nlmsghdr) char buffer[RECEIVE_SIZE];

	while (!x->done) {
		if (wait_for_answer(x, e) != 0)
			return -1;
		struct sockaddr_nl from;
		socklen_t from_len = sizeof(from);
		ssize_t n = recvfrom(x->fd, buffer, size, MSG_DONTWAIT, (struct sockaddr *)&from,
				     &from_len);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return err_set(e, ERR_RUN, "netlink: %s", strerror(errno));
		if (from_len != sizeof(from) || from.nl_pid != 0) /* not from the kernel */
			continue;
		int len = (int)n;
		for (struct nlmsghdr *m = (void *)buffer; !x->done && nlmsg_ok(m, len);
		     m = nlmsg_next(m, &len))
			take_message(x, m);
	}
	return 0;
}

static int exchange(struct exchange *x, struct nlmsghdr *m, struct err *e)
{
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

	m->nlmsg_seq = ++x->seq;
	m->nlmsg_pid = 0;
	m->nlmsg_flags |= NLM_F_REQUEST;
	x->done = x->interrupted = false;
	x->answer = 0;
	if (sendto(x->fd, m, m->nlmsg_len, 0, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return err_set(e, ERR_RUN, "netlink: %s", strerror(errno));
	return receive(x, e);
}

int ask(int protocol, struct nl_msg *msg, int timeout_ms, ask_handler *on, void *arg, int *answer,
	struct err *e)
{
	struct exchange x = {
		.deadline = clock_mono_ns() + timeout_ms * NS_PER_MS, .on = on, .arg = arg};
	int rc = -1;

	x.fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	if (x.fd < 0) {
		err_set(e, ERR_RUN, "netlink: %s", strerror(errno));
		goto out;
	}
	for (int i = 0; i < DUMP_RETRIES; i++) {
		rc = exchange(&x, nlmsg_hdr(msg), e);
		if (rc != 0 || !x.interrupted)
			break;
		on(NULL, arg);
		rc = err_set(e, ERR_RUN, "netlink: tables change faster than they can be read");
	}
out:
	if (x.fd >= 0)
		close(x.fd);
	nlmsg_free(msg);
	*answer = x.answer;
	return rc;
}

struct addr ask_source(const struct host_watch *w)
{
	const struct route_query q = {
		.dst = w->remote,
		.sport = w->n_lports ? w->lports[0] : 0,
		.dport = w->n_rports ? w->rports[0] : 0,
	};
	struct host_route route = {.prefsrc = {.family = ADDR_NONE}};
	struct addr source = w->local;
	struct host *h = NULL;
	struct err e;

	if (addr_is_set(&source) || host_open(&h, &e) != 0)
		return source;
	if (host_get_route(h, &q, &route, &e) == 0 && route.error == 0)
		source = route.prefsrc;
	host_free(h);
	return source;
}
