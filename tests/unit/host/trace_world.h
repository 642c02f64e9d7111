/* SPDX-License-Identifier: GPL-3.0-or-later */
/* For the tests of the trace: v0 of this namespace leads to a peer with a listener. */
#ifndef SB_TESTS_HOST_TRACE_WORLD_H
#define SB_TESTS_HOST_TRACE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "netns.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "host/trace.h"
#include "model/packet.h"

#define REMOTE4 "198.51.100.25"
#define REMOTE6 "2001:db8:2::25"
#define RECORDS 64

/* Stops port 25 in a chain within a chain. */
#define NESTED_DROP                                                                                \
	"table inet f { chain deep { counter; ip protocol tcp counter drop; }; "                   \
	"chain mid { jump deep; }; "                                                               \
	"chain o { type filter hook output priority 1; counter; tcp dport 25 jump mid; accept; }; }"

struct world {
	pid_t peer;
	bool v6;
	int sock; /* bound to `lport`, connected later */
	uint16_t lport;
	struct host_watch watch;
	struct trace *trace;
	unsigned n;
	struct host_record records[RECORDS];
};

static inline int shell(const char *command)
{
	int status = system(command); /* the test's own words only */

	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline void shell_do(const char *command)
{
	if (shell(command) != 0)
		fail_msg("failed: %s", command);
}

static inline void output_of(const char *command, char *out, size_t size)
{
	FILE *f = popen(command, "re");

	assert_non_null(f);
	size_t n = fread(out, 1, size - 1, f);
	out[n] = '\0';
	pclose(f);
}

/* ---- the peer ---- */

static inline int listener(const char *text)
{
	struct sockaddr_storage sa;
	struct addr a;
	const int on = 1;
	int fd;

	if (!addr_parse(&a, text))
		_exit(1);
	socklen_t len = addr_to_sockaddr(&a, 25, &sa);
	fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&sa, len) != 0 || listen(fd, 8) != 0)
		_exit(1);
	return fd;
}

static inline void be_peer(int ready, int go)
{
	char c;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (unshare(CLONE_NEWNET) != 0 || write(ready, "x", 1) != 1 || read(go, &c, 1) != 1)
		_exit(1);
	if (shell("ip link set lo up && ip link set v1 up && ip addr add 10.0.0.1/24 dev v1 && "
		  "ip addr add 2001:db8:1::1/64 dev v1 nodad && "
		  "ip addr add " REMOTE4 "/32 dev lo && ip addr add " REMOTE6 "/128 dev lo nodad"))
		_exit(1);
	int fds[] = {listener(REMOTE4), listener(REMOTE6)};
	if (write(ready, "y", 1) != 1)
		_exit(1);
	for (;;) {
		struct pollfd p[] = {{.fd = fds[0], .events = POLLIN},
				     {.fd = fds[1], .events = POLLIN}};
		poll(p, 2, -1);
		for (int i = 0; i < 2; i++)
			if (p[i].revents & POLLIN)
				accept4(fds[i], NULL, NULL, SOCK_CLOEXEC); /* kept open */
	}
}

static inline int make_world(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	int ready[2], go[2];
	char c, words[96];

	assert_non_null(w);
	w->sock = -1;
	*state = w;
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	ip_do("link set lo up");
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	w->peer = fork();
	assert_true(w->peer >= 0);
	if (w->peer == 0)
		be_peer(ready[1], go[0]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	ip_do("link add name v0 type veth peer name v1");
	snprintf(words, sizeof(words), "link set v1 netns %d", (int)w->peer);
	ip_do(words);
	ip_do("link set v0 up");
	assert_int_equal(write(go[1], "x", 1), 1);
	ip_do("addr add 10.0.0.2/24 dev v0");
	ip_do("addr add 2001:db8:1::2/64 dev v0 nodad");
	ip_do("route add default via 10.0.0.1");
	ip_do("-6 route add default via 2001:db8:1::1");
	assert_int_equal(read(ready[0], &c, 1), 1);
	for (int i = 0; i < 2; i++) {
		close(ready[i]);
		close(go[i]);
	}
	return 0;
}

static inline void close_attempt(struct world *w)
{
	trace_close(w->trace);
	w->trace = NULL;
	if (w->sock >= 0)
		close(w->sock);
	w->sock = -1;
}

static inline int end_world(void **state)
{
	struct world *w = *state;

	close_attempt(w);
	kill(w->peer, SIGKILL);
	waitpid(w->peer, NULL, 0);
	free(w);
	return 0;
}

/* ---- one connection ---- */

static inline void take_record(void *arg, const struct host_record *r)
{
	struct world *w = arg;

	assert_true(w->n < RECORDS);
	w->records[w->n++] = *r;
}

/* A bound socket, and the trace of its packets. */
static inline void prepare(struct world *w, bool v6, const char *remote)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	struct addr any = {.family = v6 ? ADDR_V6 : ADDR_V4}, unused;
	struct err e = {.text = ""};

	close_attempt(w);
	w->v6 = v6;
	memset(&w->watch, 0, sizeof(w->watch));
	assert_true(addr_parse(&w->watch.remote, remote));
	w->sock = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(w->sock >= 0);
	len = addr_to_sockaddr(&any, 0, &sa);
	assert_int_equal(bind(w->sock, (struct sockaddr *)&sa, len), 0);
	len = sizeof(sa);
	assert_int_equal(getsockname(w->sock, (struct sockaddr *)&sa, &len), 0);
	assert_true(addr_from_sockaddr(&unused, &w->lport, (struct sockaddr *)&sa));
	w->watch.lports[0] = 9; /* discard: another attempt's */
	w->watch.lports[1] = w->lport;
	w->watch.n_lports = 2;
	w->watch.rports[0] = 25;
	w->watch.rports[1] = 587;
	w->watch.n_rports = 2;
	if (trace_open(&w->trace, &w->watch, &e) != 0)
		fail_msg("%s", e.text);
}

/* Reads events as they come until `fd` is writable. False: not within `ms`. */
static inline bool wait_for(struct world *w, int fd, int ms)
{
	int64_t end = clock_mono_ns() + ms * NS_PER_MS, left;

	while ((left = end - clock_mono_ns()) > 0) {
		struct pollfd fds[] = {{.fd = fd, .events = POLLOUT},
				       {.fd = trace_fd(w->trace), .events = POLLIN}};
		poll(fds, 2, (int)(left / NS_PER_MS) + 1);
		if (fds[1].revents)
			trace_read(w->trace);
		if (fds[0].revents)
			return true;
	}
	return false;
}

/* Connects, waits for its end or for `ms`, and takes the records. Returns errno, ETIMEDOUT too. */
static inline int go(struct world *w, uint16_t port, int ms)
{
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(&w->watch.remote, port, &sa);
	int error = 0;

	w->n = 0;
	if (connect(w->sock, (struct sockaddr *)&sa, len) != 0 && errno != EINPROGRESS)
		error = errno;
	else if (!wait_for(w, w->sock, ms))
		error = ETIMEDOUT;
	len = sizeof(error);
	if (error == 0)
		getsockopt(w->sock, SOL_SOCKET, SO_ERROR, &error, &len);
	trace_read(w->trace);
	trace_emit(w->trace, take_record, w);
	return error;
}

static inline const struct host_packet *packet_of(const struct world *w, bool inbound, bool stopped)
{
	for (unsigned i = 0; i < w->n; i++) {
		const struct host_record *r = &w->records[i];
		if (r->kind == HOST_PACKET && r->packet.inbound == inbound &&
		    r->packet.stopped == stopped)
			return &r->packet;
	}
	return NULL;
}

static inline void show(const struct world *w)
{
	for (unsigned i = 0; i < w->n; i++) {
		const struct host_record *r = &w->records[i];
		const struct host_packet *p = &r->packet;
		if (r->kind == HOST_NOT_LOOKED)
			print_message("  not looked: %s\n", r->not_looked.why);
		else
			print_message("  %s flags %#x %s>%s last %d stop %d [%s %s %s/%s %s %d "
				      "#%llu %s] turn %d [%s %s #%llu]\n",
				      p->inbound ? "in" : "out", p->tcp_flags, p->iif, p->oif,
				      p->last, p->stopped, p->stop.family, p->stop.table,
				      p->stop.chain, p->stop.base_chain, p->stop.hook,
				      p->stop.priority, (unsigned long long)p->stop.handle,
				      p->stop.text, p->turned, p->turn.table, p->turn.chain,
				      (unsigned long long)p->turn.handle);
	}
}

static inline void assert_same_packet(const struct world *w, const struct host_packet *p)
{
	const struct addr *far = p->inbound ? &p->src : &p->dst;

	assert_true(addr_equal(far, &w->watch.remote));
	assert_int_equal(p->inbound ? p->sport : p->dport, 25);
	assert_int_equal(p->inbound ? p->dport : p->sport, w->lport);
	assert_int_equal(p->tcp_flags & (TCP_SYN | TCP_ACK),
			 p->inbound ? TCP_SYN | TCP_ACK : TCP_SYN);
	assert_true(clock_wall_ns() - w->records[0].t_ns < 5 * NS_PER_S);
}

/* What `nft` itself says: the line with this handle has these words. */
static inline void assert_handle(const struct host_rule *r, const char *words)
{
	static char out[1 << 20];
	char command[320], tail[48], *save = NULL;

	snprintf(command, sizeof(command), "nft -a list chain %s %s %s", r->family, r->table,
		 r->chain);
	output_of(command, out, sizeof(out));
	snprintf(tail, sizeof(tail), "# handle %llu", (unsigned long long)r->handle);
	for (char *l = strtok_r(out, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		const char *at = strstr(l, tail);
		if (at && at[strlen(tail)] == '\0' && strstr(l, words))
			return;
	}
	fail_msg("handle %s is not \"%s\"", tail, words);
}

static inline int load(const char *rules)
{
	char command[1024];

	snprintf(command, sizeof(command), "echo '%s' | nft -f - 2>/dev/null", rules);
	return shell(command);
}

#endif
