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

#include "base/arena.h"
#include "base/clock.h"
#include "probe/session.h"
#include "probe/source.h"
#include "probe/tls.h"

#define RESERVED_MAX 64
#define ATTEMPTS_MAX 512
#define EVENTS_AT_ONCE 256
#define ROUNDS_AT_ONCE 64
/* Ports bound before the start are kept from everybody else: no more than one in so many. */
#define BIND_SHARE 4
#define HOLD_TRIES 64
/* Ports of a shared range that somebody else may have, one after the other. */
#define RANGE_TRIES 256
/* Tries to share a port when none is free; a try takes some 3 us. */
#define SHARE_TRIES 4096
/* Linux forgets an unanswered SYN after 120 s (nf_conntrack_tcp_timeout_syn_sent). */
#define TRACE_REST_NS (180 * 1000 * NS_PER_MS)

enum attempt_state { CONNECTING, TALKING, CLOSED };

struct attempt {
	struct prober *prober;
	int fd;
	uint16_t flow;
	uint16_t lport; /* 0: it got none */
	unsigned port_index;
	enum flow_role role;
	enum attempt_state state;
	uint32_t watched;        /* events that epoll watches for */
	struct addr local;       /* of the socket */
	struct session *session; /* once it talks */
};

/* A source port that the capture knows. */
struct reserved {
	int fd;        /* bound to it; -1: not for us alone, but connect() may get it */
	uint16_t port; /* 0: used up */
};

struct prober_share {
	int epoll;
	const char *ca_file;
	struct tls *tls;  /* made when the first port connects */
	struct port_range ephemeral, traces;
	struct ports *connections, *trace_ports; /* NULL: each prober by itself */
};

struct prober {
	struct prober_share *share;
	const struct plan *plan;
	struct event_log *log;
	void *owner;
	struct port_range ephemeral, traces;
	unsigned cursor; /* of next_number() */
	struct reserved reserved[RESERVED_MAX];
	size_t n_reserved;
	int held[PLAN_MAX_PORTS];
	unsigned n_held;
	uint16_t held_shared; /* 0: none */
	struct attempt **attempts;
	unsigned n_attempts, attempts_size;
	unsigned n_busy; /* not CLOSED */
	unsigned per_port[PLAN_MAX_PORTS];   /* attempts made */
	bool talked[PLAN_MAX_PORTS];         /* a dialogue was begun */
	bool no_socket_said;                 /* that there was none to connect with */
	enum session_stage hold_stage[PLAN_MAX_PORTS]; /* of FLOW_HELD */
	uint16_t mss;                        /* of the FLOW_SMALL that is begun now, else 0 */
};

static void add_event(struct prober *p, uint16_t flow, int64_t t_ns, struct event *ev)
{
	ev->t_ns = t_ns;
	ev->flow = flow;
	event_log_add(p->log, ev);
}

/* ---- source ports ---- */

/* A port of connect()'s range that is none of ours yet, 0 when there is none. */
static uint16_t next_number(struct prober *p)
{
	unsigned width = port_range_width(p->ephemeral);

	for (unsigned n = 0; n < width; n++) {
		uint16_t port = (uint16_t)(p->ephemeral.low + p->cursor++ % width);
		bool ours = false;
		for (size_t i = 0; i < p->n_reserved; i++)
			ours |= p->reserved[i].port == port;
		for (unsigned i = 0; i < p->n_attempts; i++)
			ours |= p->attempts[i]->lport == port;
		if (!ours && !port_range_has(p->traces, port))
			return port;
	}
	return 0;
}

/* Returns 0 or an errno; *fd is -1 then. */
static int bind_any(struct prober *p, int *fd, uint16_t *port, struct err *e)
{
	int error = 0;

	for (int tries = 0; tries < 8; tries++) {
		*fd = source_socket(p->plan, e);
		if (*fd < 0)
			return EMFILE;
		error = source_bind(*fd, p->plan, 0, port);
		/* the two ranges are one when connect() has all ports */
		if (!error && !port_range_has(p->traces, *port))
			return 0;
		close(*fd);
		*fd = -1;
		if (error)
			break;
	}
	return error ? error : EADDRINUSE;
}

/* What is left belongs to others: keeps a socket for each port only. The numbers stay. */
static void release_repeats(struct prober *p)
{
	for (size_t i = p->plan->n_ports; i < p->n_reserved; i++) {
		if (p->reserved[i].fd >= 0)
			close(p->reserved[i].fd);
		p->reserved[i].fd = -1;
	}
}

int prober_reserve(struct prober *p, size_t n, uint16_t *ports, struct err *e)
{
	size_t may_bind = port_range_width(p->ephemeral) / BIND_SHARE;
	char text[ADDR_TEXT_MAX];

	if (may_bind < p->plan->n_ports)
		may_bind = p->plan->n_ports;
	for (size_t i = 0; i < n && p->n_reserved < RESERVED_MAX; i++) {
		struct reserved r = {.fd = -1};
		if (p->n_reserved < may_bind) {
			int error = bind_any(p, &r.fd, &r.port, e);
			if (error == EMFILE)
				return -1;
			if (error == EADDRNOTAVAIL && addr_is_set(&p->plan->source))
				return err_set(e, ERR_USAGE,
					       "source address %s is not one of this host's",
					       addr_text(&p->plan->source, text));
			if (error) {
				may_bind = 0;
				release_repeats(p);
			}
		}
		if (r.fd < 0)
			r.port = next_number(p);
		/* with fewer ports than we like, one is named twice: it does no harm in a filter */
		ports[i] = r.port || i == 0 ? r.port : ports[0];
		p->reserved[p->n_reserved++] = r;
	}
	return 0;
}

static int hold_one(struct prober *p, unsigned *at, uint16_t *port, struct err *e)
{
	int fd = source_socket(p->plan, e), error = EADDRINUSE;

	*port = 0;
	if (fd < 0)
		return -1;
	for (int tries = 0; tries < HOLD_TRIES && error == EADDRINUSE; tries++) {
		unsigned offset = (*at)++ % port_range_width(p->traces);
		error = source_bind(fd, p->plan, (uint16_t)(p->traces.low + offset), port);
	}
	if (error)
		close(fd);
	else
		p->held[p->n_held++] = fd;
	return 0;
}

int prober_hold(struct prober *p, uint16_t *ports, struct err *e)
{
	/* once around in TRACE_REST: a later run takes none that a router may still remember */
	unsigned at = (unsigned)(clock_mono_ns() % TRACE_REST_NS /
				 (TRACE_REST_NS / port_range_width(p->traces)));

	for (unsigned i = 0; i < p->plan->n_ports; i++)
		if (hold_one(p, &at, &ports[i], e) != 0)
			return -1;
	return 0;
}

size_t prober_reserve_shared(struct prober *p, size_t n, uint16_t *ports)
{
	size_t got = 0;

	while (got < n && p->n_reserved < RESERVED_MAX) {
		uint16_t port = ports_take(p->share->connections, p->owner);
		if (!port)
			break;
		ports[got++] = port;
		p->reserved[p->n_reserved++] = (struct reserved){.fd = -1, .port = port};
	}
	return got;
}

void prober_hold_shared(struct prober *p, uint16_t *ports)
{
	struct prober_share *share = p->share;
	struct err ignored;
	uint16_t port = 0;
	int fd = source_socket(p->plan, &ignored), error = EADDRINUSE;

	for (int tries = 0; fd >= 0 && tries < HOLD_TRIES && error == EADDRINUSE; tries++) {
		p->held_shared = ports_take(share->trace_ports, p->owner);
		error = p->held_shared ? source_bind(fd, p->plan, p->held_shared, &port)
				       : EADDRNOTAVAIL;
		if (error)
			ports_give_back(share->trace_ports, p->held_shared);
	}
	if (error)
		p->held_shared = port = 0;
	if (fd >= 0 && error)
		close(fd);
	else if (fd >= 0)
		p->held[p->n_held++] = fd;
	for (unsigned i = 0; i < p->plan->n_ports; i++)
		ports[i] = port;
}

/* ---- what all share ---- */

int prober_share_new(struct prober_share **out, const char *ca_file, struct err *e)
{
	struct prober_share *s = xcalloc(1, sizeof(*s));

	s->ca_file = ca_file;
	s->ephemeral = source_ephemeral();
	s->traces = source_for_traces(s->ephemeral);
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll < 0) {
		free(s);
		return err_set(e, ERR_RUN, "epoll: %s", strerror(errno));
	}
	*out = s;
	return 0;
}

void prober_share_free(struct prober_share *s)
{
	if (!s)
		return;
	tls_free(s->tls);
	close(s->epoll);
	free(s);
}

void prober_share_ports(struct prober_share *s, struct ports *connections, struct ports *traces)
{
	s->connections = connections;
	s->trace_ports = traces;
}

/* Made late, where it is not warmed up: many runs never see a port connect before all is decided. */
static struct tls *tls_of(struct prober_share *s)
{
	struct err ignored;

	if (!s->tls)
		tls_new(&s->tls, s->ca_file, &ignored);
	return s->tls;
}

void prober_share_warm_up(struct prober_share *s)
{
	/* a file that somebody names is read when privileges are dropped */
	if (!s->ca_file && tls_of(s))
		SSL_free(SSL_new(s->tls->ctx));
}

int prober_share_fd(const struct prober_share *s)
{
	return s->epoll;
}

int prober_new(struct prober **out, struct prober_share *share, const struct plan *plan,
	       struct event_log *log, void *owner, struct err *e)
{
	/* trust anchors that somebody names must be good before anything is sent */
	if (share->ca_file && !share->tls && tls_new(&share->tls, share->ca_file, e) != 0)
		return -1;
	struct prober *p = xcalloc(1, sizeof(*p));
	*p = (struct prober){.share = share,
			     .plan = plan,
			     .log = log,
			     .owner = owner,
			     .ephemeral = share->ephemeral,
			     .traces = share->traces,
			     .cursor = (unsigned)(clock_mono_ns() / 1000)};
	*out = p;
	return 0;
}

static void close_attempt(struct attempt *a)
{
	struct prober *p = a->prober;

	if (a->session) {
		session_clear(a->session);
		free(a->session);
		a->session = NULL;
	}
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
	p->n_busy -= a->state != CLOSED;
	a->state = CLOSED;
}

void prober_free(struct prober *p)
{
	if (!p)
		return;
	for (unsigned i = 0; i < p->n_attempts; i++) {
		close_attempt(p->attempts[i]);
		if (p->share->connections)
			ports_give_back(p->share->connections, p->attempts[i]->lport);
		free(p->attempts[i]);
	}
	free(p->attempts);
	for (unsigned i = 0; i < p->n_held; i++)
		close(p->held[i]);
	if (p->held_shared)
		ports_give_back(p->share->trace_ports, p->held_shared);
	for (size_t i = 0; i < p->n_reserved; i++) {
		if (p->reserved[i].fd >= 0)
			close(p->reserved[i].fd);
		if (p->share->connections)
			ports_give_back(p->share->connections, p->reserved[i].port);
	}
	free(p);
}

bool prober_is_idle(const struct prober *p)
{
	return p->n_busy == 0;
}

/* ---- one attempt ---- */

static void watch(struct prober *p, struct attempt *a, uint32_t events, int op)
{
	struct epoll_event ev = {.events = events, .data.ptr = a};

	if (a->watched == events)
		return;
	a->watched = events;
	epoll_ctl(p->share->epoll, op, a->fd, &ev);
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
		ev.connect.local = a->local;
		if (getpeername(a->fd, (struct sockaddr *)&sa, &len) == 0)
			addr_from_sockaddr(&ev.connect.peer, &ev.connect.peer_port,
					   (struct sockaddr *)&sa);
	}
	add_event(p, a->flow, t_ns, &ev);
}

/* Begun beside a dialogue, or after it, to explain it. */
static bool is_further(enum flow_role role)
{
	return role == FLOW_TLS_TRY || role == FLOW_HELD || role == FLOW_SMALL;
}

/* A tested port is spoken to once, by whichever attempt connects first. */
static void on_connected(struct prober *p, struct attempt *a)
{
	const struct plan_port *port = &p->plan->ports[a->port_index];
	int zero = 0;

	note_result(p, a, 0, false, clock_wall_ns());
	bool tls_try = a->role == FLOW_TLS_TRY, held = a->role == FLOW_HELD;
	if (!port->tested || (p->talked[a->port_index] && !is_further(a->role))) {
		close_attempt(a);
		return;
	}
	p->talked[a->port_index] = true;
	/* from here on an ICMP error is a hint, as for any other connection (RFC 5927) */
	if (p->plan->target.family == ADDR_V6)
		setsockopt(a->fd, IPPROTO_IPV6, IPV6_RECVERR, &zero, sizeof(zero));
	a->state = TALKING;
	a->session = xcalloc(1, sizeof(*a->session));
	session_begin(a->session, &(struct session_setup){.fd = a->fd,
							    .flow = a->flow,
							    .log = p->log,
							    .plan = p->plan,
							    .tls = tls_of(p->share),
							    .implicit_tls = port->implicit_tls || tls_try,
							    .brief = a->role == FLOW_SMALL,
							    .hold = held ? p->hold_stage[a->port_index]
									 : STAGE_COUNT});
	for (unsigned i = 0; i < p->n_attempts; i++) /* the other attempts have no purpose left */
		if (p->attempts[i]->port_index == a->port_index &&
		    p->attempts[i]->state == CONNECTING && p->attempts[i]->role != FLOW_SMALL)
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

/* No port is free for us alone: one that has connections to other destinations will do, as for any
 * program that lets connect() choose. 0 or an errno. */
static int connect_shared(struct prober *p, int fd, uint16_t to, enum flow_role role,
			  uint16_t *lport)
{
	unsigned width = port_range_width(p->ephemeral);
	int error = EADDRNOTAVAIL;
	uint16_t port = 0;

	for (unsigned n = 0; n < SHARE_TRIES && n < width && error == EADDRNOTAVAIL; n++) {
		port = next_number(p);
		if (!port)
			break;
		error = source_connect(fd, p->plan, to, port, lport);
	}
	if (error != EADDRNOTAVAIL && error != ENOPROTOOPT)
		return error;
	/* chooses for itself, so that its word is the last; but a repeat may lack only what the
	 * first attempts have taken */
	return role == FLOW_REPEAT ? EADDRNOTAVAIL : source_connect(fd, p->plan, to, 0, lport);
}

static uint16_t next_of_range(struct prober *p)
{
	for (size_t i = 0; i < p->n_reserved; i++) {
		uint16_t port = p->reserved[i].port;
		p->reserved[i].port = 0;
		if (port)
			return port;
	}
	return ports_take(p->share->connections, p->owner);
}

/* The MSS of the SYN: what the other side may send at once. */
static void ask_for_small(const struct prober *p, int fd)
{
	int mss = p->mss;

	if (mss)
		setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &mss, sizeof(mss));
}

/* What no connection was made for tells nothing. */
static int say_no_socket(struct prober *p, const struct err *why)
{
	struct event ev = {.kind = EV_NOT_LOOKED};

	if (!p->no_socket_said) {
		ev.not_looked = (struct ev_not_looked){LOOK_CONNECT, arena_strdup(&p->log->arena, why->text)};
		add_event(p, NO_FLOW, clock_wall_ns(), &ev);
	}
	p->no_socket_said = true;
	return EMFILE;
}

/* From the next port of the shared range. Nobody else is kept from these numbers: they are bound as
 * SO_REUSEADDR lets, and connections to other destinations may have them still. */
static int connect_from_range(struct prober *p, uint16_t to, int *fd, uint16_t *lport)
{
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(&p->plan->target, to, &sa);
	int one = 1, error = EADDRINUSE;
	struct err no_socket;

	*fd = source_socket(p->plan, &no_socket);
	if (*fd < 0)
		return say_no_socket(p, &no_socket);
	setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	ask_for_small(p, *fd);
	for (int tries = 0; tries < RANGE_TRIES && error == EADDRINUSE; tries++) {
		uint16_t port = next_of_range(p);
		if (!port)
			return EADDRNOTAVAIL;
		error = source_bind(*fd, p->plan, port, lport);
		if (error)
			ports_give_back(p->share->connections, port);
	}
	if (error)
		return error == EADDRINUSE ? EADDRNOTAVAIL : error;
	return connect(*fd, (struct sockaddr *)&sa, len) != 0 ? errno : 0;
}

/* 0 or an errno, as connect() says it; *fd is -1 when there is no socket for it. */
static int connect_attempt(struct prober *p, uint16_t to, enum flow_role role, int *fd,
			   uint16_t *lport)
{
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(&p->plan->target, to, &sa);
	struct err no_socket;
	int error;

	if (p->share->connections)
		return connect_from_range(p, to, fd, lport);
	*fd = -1;
	for (size_t i = 0; i < p->n_reserved && *fd < 0; i++) {
		if (p->reserved[i].fd < 0)
			continue;
		*fd = p->reserved[i].fd;
		*lport = p->reserved[i].port;
		p->reserved[i] = (struct reserved){.fd = -1};
	}
	if (*fd >= 0) {
		ask_for_small(p, *fd);
		return connect(*fd, (struct sockaddr *)&sa, len) != 0 ? errno : 0;
	}
	*fd = source_socket(p->plan, &no_socket);
	if (*fd < 0)
		return say_no_socket(p, &no_socket);
	ask_for_small(p, *fd);
	for (size_t i = 0; i < p->n_reserved; i++) {
		if (!p->reserved[i].port)
			continue;
		error = source_connect(*fd, p->plan, to, p->reserved[i].port, lport);
		if (error == ENOPROTOOPT)
			break;
		if (error != EADDRNOTAVAIL) {
			p->reserved[i].port = 0;
			return error;
		}
	}
	if (source_bind(*fd, p->plan, 0, lport) == 0)
		return connect(*fd, (struct sockaddr *)&sa, len) != 0 ? errno : 0;
	return connect_shared(p, *fd, to, role, lport);
}

void prober_start(struct prober *p, unsigned port_index, enum flow_role role)
{
	uint16_t port = p->plan->ports[port_index].port, lport = 0;
	int fd;

	if (p->n_attempts == ATTEMPTS_MAX ||
	    (p->talked[port_index] && !is_further(role)))
		return;
	int64_t before = clock_wall_ns();
	int failed = connect_attempt(p, port, role, &fd, &lport);
	if (fd < 0)
		return;
	if (failed == EADDRNOTAVAIL && !lport && role == FLOW_REPEAT) {
		close(fd);
		return;
	}
	struct attempt *a = xcalloc(1, sizeof(*a));
	*a = (struct attempt){.prober = p,
			      .fd = fd,
			      .flow = (uint16_t)p->n_attempts,
			      .lport = lport,
			      .port_index = port_index,
			      .role = role,
			      .local = local_address(fd)};
	p->attempts = array_grow(p->attempts, p->n_attempts, &p->attempts_size, sizeof(*p->attempts));
	p->attempts[p->n_attempts++] = a;
	p->n_busy++;

	struct event ev = {.kind = EV_FLOW_START,
			   .flow_start = {.role = role,
					  .attempt = (uint16_t)p->per_port[port_index]++,
					  .local = a->local,
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

void prober_start_held(struct prober *p, unsigned port_index, enum session_stage stage)
{
	p->hold_stage[port_index] = stage;
	prober_start(p, port_index, FLOW_HELD);
}

void prober_start_small(struct prober *p, unsigned port_index, uint16_t mss)
{
	p->mss = mss;
	prober_start(p, port_index, FLOW_SMALL);
	p->mss = 0;
}

static void advance(struct prober *p, struct attempt *a)
{
	if (a->state == CONNECTING)
		advance_connecting(p, a);
	if (a->state != TALKING)
		return;
	session_advance(a->session);
	if (a->session->over) {
		close_attempt(a);
		return;
	}
	/* connecting watched for EPOLLOUT, a dialogue mostly waits for the server */
	watch(p, a, EPOLLIN | (a->session->want_write ? EPOLLOUT : 0u), EPOLL_CTL_MOD);
}

/* All that is ready now, not only the first of them: what the tap tells is judged against what the
 * sockets know, and these must not be behind. */
void prober_share_dispatch(struct prober_share *s, void (*touched)(void *owner))
{
	struct epoll_event ready[EVENTS_AT_ONCE];
	int n = EVENTS_AT_ONCE;

	for (int rounds = 0; n == EVENTS_AT_ONCE && rounds < ROUNDS_AT_ONCE; rounds++) {
		n = epoll_wait(s->epoll, ready, EVENTS_AT_ONCE, 0);
		for (int i = 0; i < n; i++) {
			struct attempt *a = ready[i].data.ptr;
			/* a sibling that connected may have ended it meanwhile */
			if (a->state == CLOSED)
				continue;
			advance(a->prober, a);
			touched(a->prober->owner);
		}
	}
}

size_t prober_sent(const struct prober *p, uint16_t flow, uint32_t from, uint8_t *out, size_t size)
{
	for (unsigned i = 0; i < p->n_attempts; i++)
		if (p->attempts[i]->flow == flow && p->attempts[i]->state == TALKING)
			return session_sent(p->attempts[i]->session, from, out, size);
	return 0;
}

void prober_finish(struct prober *p)
{
	for (unsigned i = 0; i < p->n_attempts; i++) {
		struct attempt *a = p->attempts[i];
		if (a->state == CONNECTING)
			drain_error_queue(p, a);
		if (a->state == TALKING)
			session_stall(a->session);
		close_attempt(a);
	}
}
