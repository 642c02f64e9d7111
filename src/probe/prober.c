/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "probe/prober.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "probe/session.h"
#include "probe/tls.h"

#define RESERVED_MAX 64
#define ATTEMPTS_MAX 512
#define EVENTS_AT_ONCE 32

enum attempt_state { CONNECTING, TALKING, CLOSED };

struct attempt {
	int fd;
	uint16_t flow;
	unsigned port_index;
	enum flow_role role;
	enum attempt_state state;
	struct session session;
};

struct prober {
	const struct plan *plan;
	struct event_log *log;
	int epoll;
	SSL_CTX *tls;     /* made when the first port wants it */
	const char *ca_file;
	int reserved[RESERVED_MAX];
	uint16_t reserved_port[RESERVED_MAX];
	size_t n_reserved, next_reserved;
	int held[PLAN_MAX_PORTS];
	unsigned n_held;
	struct attempt *attempts[ATTEMPTS_MAX];
	unsigned n_attempts;
	unsigned per_port[PLAN_MAX_PORTS];   /* attempts made */
	bool talked[PLAN_MAX_PORTS];         /* a dialogue was begun */
};

static void add_event(struct prober *p, uint16_t flow, int64_t t_ns, struct event *ev)
{
	ev->t_ns = t_ns;
	ev->flow = flow;
	event_log_add(p->log, ev);
}

/* ---- sockets ---- */

static int bound_socket(const struct plan *plan, uint16_t *port, struct err *e)
{
	bool v6 = plan->target.family == ADDR_V6;
	struct sockaddr_storage sa;
	int one = 1;
	char text[ADDR_TEXT_MAX];

	int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set(e, ERR_RUN, "cannot make a TCP socket: %s", strerror(errno));
	if (plan->interface &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, plan->interface,
		       (socklen_t)strlen(plan->interface)) != 0) {
		err_set(e, ERR_RUN, "cannot bind to interface %s: %s (needs CAP_NET_RAW)",
			plan->interface, strerror(errno));
		goto out;
	}
	/* v4 queues ICMP errors in SYN_SENT by itself; v6 must be asked */
	if (v6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &one, sizeof(one));

	struct addr source = plan->source;
	if (!addr_is_set(&source))
		source.family = plan->target.family;
	socklen_t len = addr_to_sockaddr(&source, 0, &sa);
	if (bind(fd, (struct sockaddr *)&sa, len) != 0) {
		if (addr_is_set(&plan->source) && errno == EADDRNOTAVAIL)
			err_set(e, ERR_USAGE, "source address %s is not one of this host's",
				addr_text(&plan->source, text));
		else
			err_set(e, ERR_RUN, "cannot reserve a source port: %s", strerror(errno));
		goto out;
	}
	len = sizeof(sa);
	if (getsockname(fd, (struct sockaddr *)&sa, &len) != 0 ||
	    !addr_from_sockaddr(&source, port, (struct sockaddr *)&sa)) {
		err_set(e, ERR_RUN, "getsockname: %s", strerror(errno));
		goto out;
	}
	return fd;
out:
	close(fd);
	return -1;
}

int prober_reserve(struct prober *p, size_t n, uint16_t *ports, struct err *e)
{
	for (size_t i = 0; i < n && p->n_reserved < RESERVED_MAX; i++) {
		uint16_t *port = &p->reserved_port[p->n_reserved];
		int fd = bound_socket(p->plan, port, e);
		if (fd < 0)
			return -1;
		p->reserved[p->n_reserved++] = fd;
		ports[i] = *port;
	}
	return 0;
}

int prober_hold(struct prober *p, uint16_t *ports, struct err *e)
{
	for (unsigned i = 0; i < p->plan->n_ports; i++) {
		int fd = bound_socket(p->plan, &ports[i], e);
		if (fd < 0)
			return -1;
		p->held[p->n_held++] = fd;
	}
	return 0;
}

void prober_warm_up(void)
{
	struct err ignored;
	SSL_CTX *ctx = NULL;

	if (tls_context_new(&ctx, NULL, &ignored) == 0)
		SSL_free(SSL_new(ctx));
	SSL_CTX_free(ctx);
}

int prober_new(struct prober **out, const struct plan *plan, struct event_log *log,
	       const char *ca_file, struct err *e)
{
	struct prober *p = xcalloc(1, sizeof(*p));

	p->plan = plan;
	p->log = log;
	p->ca_file = ca_file;
	/* trust anchors that somebody names must be good before anything is sent */
	if (ca_file && tls_context_new(&p->tls, ca_file, e) != 0) {
		free(p);
		return -1;
	}
	p->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (p->epoll < 0) {
		SSL_CTX_free(p->tls);
		free(p);
		return err_set(e, ERR_RUN, "epoll: %s", strerror(errno));
	}
	*out = p;
	return 0;
}

static void close_attempt(struct attempt *a)
{
	if (a->state == TALKING)
		session_clear(&a->session);
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
	a->state = CLOSED;
}

void prober_free(struct prober *p)
{
	if (!p)
		return;
	for (unsigned i = 0; i < p->n_attempts; i++) {
		close_attempt(p->attempts[i]);
		free(p->attempts[i]);
	}
	for (unsigned i = 0; i < p->n_held; i++)
		close(p->held[i]);
	while (p->next_reserved < p->n_reserved)
		close(p->reserved[p->next_reserved++]);
	SSL_CTX_free(p->tls);
	close(p->epoll);
	free(p);
}

int prober_fd(const struct prober *p)
{
	return p->epoll;
}

/* ---- one attempt ---- */

static void watch(struct prober *p, struct attempt *a, uint32_t events, int op)
{
	struct epoll_event ev = {.events = events, .data.ptr = a};

	epoll_ctl(p->epoll, op, a->fd, &ev);
}

static struct addr local_address(int fd)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	struct addr a = {0};

	if (getsockname(fd, (struct sockaddr *)&sa, &len) == 0)
		addr_from_sockaddr(&a, NULL, (struct sockaddr *)&sa);
	return a;
}

static void note_result(struct prober *p, struct attempt *a, int error, bool at_once, int64_t t_ns)
{
	struct event ev = {.kind = EV_CONNECT, .connect = {.error = error, .at_once = at_once}};
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);

	if (error == 0) {
		ev.connect.local = local_address(a->fd);
		if (getpeername(a->fd, (struct sockaddr *)&sa, &len) == 0)
			addr_from_sockaddr(&ev.connect.peer, &ev.connect.peer_port,
					   (struct sockaddr *)&sa);
	}
	add_event(p, a->flow, t_ns, &ev);
}

/* The SSL context is made late: most runs never see 465 connect before the rest is decided. */
static SSL_CTX *tls_context(struct prober *p)
{
	struct err ignored;

	if (!p->tls)
		tls_context_new(&p->tls, p->ca_file, &ignored);
	return p->tls;
}

/* A tested port is spoken to once, by whichever attempt connects first. */
static void on_connected(struct prober *p, struct attempt *a)
{
	const struct plan_port *port = &p->plan->ports[a->port_index];
	int zero = 0;

	note_result(p, a, 0, false, clock_wall_ns());
	if (!port->tested || p->talked[a->port_index]) {
		close_attempt(a);
		return;
	}
	p->talked[a->port_index] = true;
	/* from here on an ICMP error is a hint, as for any other connection (RFC 5927) */
	setsockopt(a->fd, IPPROTO_IPV6, IPV6_RECVERR, &zero, sizeof(zero));
	a->state = TALKING;
	session_begin(&a->session, a->fd, a->flow, p->log,
		      port->implicit_tls ? tls_context(p) : NULL, p->ca_file != NULL,
		      p->plan->name, &p->plan->target);
	for (unsigned i = 0; i < p->n_attempts; i++) /* the other attempts have no purpose left */
		if (p->attempts[i]->port_index == a->port_index &&
		    p->attempts[i]->state == CONNECTING)
			close_attempt(p->attempts[i]);
}

static void on_connected_and_reset(struct prober *p, struct attempt *a)
{
	const struct plan_port *port = &p->plan->ports[a->port_index];
	struct event ev = {.kind = EV_SESSION_END,
			   .session_end = {.stage = port->implicit_tls ? STAGE_TLS : STAGE_GREETING,
					   .end = SESSION_RESET}};

	note_result(p, a, 0, false, clock_wall_ns());
	if (port->tested && !p->talked[a->port_index]) {
		p->talked[a->port_index] = true;
		add_event(p, a->flow, clock_wall_ns(), &ev);
	}
	close_attempt(a);
}

/* Everything that ICMP told this socket. Returns the errno of the last one, 0 none. */
static int drain_error_queue(struct prober *p, struct attempt *a)
{
	int error = 0;

	for (int i = 0; i < 8; i++) {
		char data[256], control[512];
		struct iovec iov = {data, sizeof(data)};
		struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
				     .msg_controllen = sizeof(control)};
		if (recvmsg(a->fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			break;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
			bool v4 = c->cmsg_level == SOL_IP && c->cmsg_type == IP_RECVERR;
			bool v6 = c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_RECVERR;
			if (!v4 && !v6)
				continue;
			struct sock_extended_err see;
			memcpy(&see, CMSG_DATA(c), sizeof(see));
			if (see.ee_origin != SO_EE_ORIGIN_ICMP && see.ee_origin != SO_EE_ORIGIN_ICMP6)
				continue;
			struct sockaddr_storage from;
			memcpy(&from, CMSG_DATA(c) + sizeof(see),
			       v4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
			struct event ev = {.kind = EV_ICMP_ERROR,
					   .icmp_error = {.error = (int)see.ee_errno,
							  .type = see.ee_type,
							  .code = see.ee_code}};
			addr_from_sockaddr(&ev.icmp_error.from, NULL, (struct sockaddr *)&from);
			add_event(p, a->flow, clock_wall_ns(), &ev);
			error = (int)see.ee_errno;
		}
	}
	return error;
}

static void advance_connecting(struct prober *p, struct attempt *a)
{
	int error = 0;
	socklen_t len = sizeof(error);
	struct tcp_info info;
	socklen_t info_len = sizeof(info);

	/* SO_ERROR first: reading the error queue can clear it */
	getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	int icmp_error = drain_error_queue(p, a);
	memset(&info, 0, sizeof(info));
	if (getsockopt(a->fd, IPPROTO_TCP, TCP_INFO, &info, &info_len) != 0)
		info.tcpi_state = TCP_CLOSE;
	switch (info.tcpi_state) {
	case TCP_SYN_SENT:
	case TCP_SYN_RECV:
		if (!error)
			return;
		break;
	case TCP_CLOSE:
		/* SYN_SENT ends in ECONNREFUSED: ECONNRESET means connected, and reset since */
		if (error == ECONNRESET || error == EPIPE) {
			on_connected_and_reset(p, a);
			return;
		}
		if (!error)
			error = icmp_error ? icmp_error : ECONNABORTED;
		break;
	default: /* established, or already half closed by the other side */
		on_connected(p, a);
		return;
	}
	note_result(p, a, error, false, clock_wall_ns());
	close_attempt(a);
}

void prober_start(struct prober *p, unsigned port_index, enum flow_role role)
{
	struct err ignored;
	struct sockaddr_storage sa;
	uint16_t lport = 0;
	int fd;

	if (p->n_attempts == ATTEMPTS_MAX || p->talked[port_index])
		return;
	if (p->next_reserved < p->n_reserved) {
		lport = p->reserved_port[p->next_reserved];
		fd = p->reserved[p->next_reserved++];
	} else {
		fd = bound_socket(p->plan, &lport, &ignored);
		if (fd < 0)
			return;
	}
	struct attempt *a = xcalloc(1, sizeof(*a));
	*a = (struct attempt){.fd = fd,
			      .flow = (uint16_t)p->n_attempts,
			      .port_index = port_index,
			      .role = role};
	p->attempts[p->n_attempts++] = a;

	uint16_t port = p->plan->ports[port_index].port;
	socklen_t len = addr_to_sockaddr(&p->plan->target, port, &sa);
	int64_t before = clock_wall_ns();
	int failed = connect(fd, (struct sockaddr *)&sa, len) != 0 ? errno : 0;
	struct event ev = {.kind = EV_FLOW_START,
			   .flow_start = {.role = role,
					  .attempt = (uint16_t)p->per_port[port_index]++,
					  .local = local_address(fd),
					  .remote = p->plan->target,
					  .lport = lport,
					  .rport = port}};
	add_event(p, a->flow, before, &ev);
	if (failed && failed != EINPROGRESS) {
		note_result(p, a, failed, true, clock_wall_ns());
		close_attempt(a);
		return;
	}
	watch(p, a, EPOLLIN | EPOLLOUT | EPOLLERR, EPOLL_CTL_ADD);
}

static void advance(struct prober *p, struct attempt *a)
{
	if (a->state == CONNECTING)
		advance_connecting(p, a);
	if (a->state != TALKING)
		return;
	session_advance(&a->session);
	if (a->session.over) {
		close_attempt(a);
		return;
	}
	/* connecting watched for EPOLLOUT, a dialogue mostly waits for the server */
	watch(p, a, EPOLLIN | (a->session.want_write ? EPOLLOUT : 0u), EPOLL_CTL_MOD);
}

void prober_dispatch(struct prober *p)
{
	struct epoll_event ready[EVENTS_AT_ONCE];
	int n = epoll_wait(p->epoll, ready, EVENTS_AT_ONCE, 0);

	for (int i = 0; i < n; i++)
		advance(p, ready[i].data.ptr);
}

void prober_finish(struct prober *p)
{
	for (unsigned i = 0; i < p->n_attempts; i++) {
		struct attempt *a = p->attempts[i];
		if (a->state == CONNECTING)
			drain_error_queue(p, a);
		if (a->state == TALKING)
			session_stall(&a->session);
		close_attempt(a);
	}
}
