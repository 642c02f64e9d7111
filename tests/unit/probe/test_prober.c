/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Source ports: reserved, held, shared with others, exhausted. On the loopback of a namespace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "../host/netns.h"
#include "probe/prober.h"
#include "probe/source.h"

#define LOW       40000
#define WIDTH     10
#define NARROW    "40000 40009"
#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51
#endif
#define LISTENERS 6 /* on ports 2000, 2001, ... */
#define MINE      5 /* of them in the plan; the last is the others' */
#define OTHERS    40
#define WIDER     "40000 40039"

static void set_range(const char *text)
{
	int fd = open("/proc/sys/net/ipv4/ip_local_port_range", O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static int tcp_socket(int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	return fd;
}

/* To all addresses of both families. 0 or an errno. */
static int bind_to(int fd, uint16_t port)
{
	struct sockaddr_in6 sa = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	return bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 ? 0 : errno;
}

/* Linux 6.3 and later: a socket can be told the port that connect() takes. */
static bool can_choose(void)
{
	uint32_t range = (uint32_t)LOW << 16 | LOW;
	int fd = tcp_socket(AF_INET);
	bool can = setsockopt(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, &range, sizeof(range)) == 0;

	close(fd);
	return can;
}

struct fixture {
	int listener[LISTENERS];
	int others[OTHERS]; /* sockets of other programs, -1: none */
	struct plan plan;
	struct event_log log;
	struct prober_share *share;
	struct prober *p;
};

/* Listeners answer without being accepted: the kernel does the handshake. */
static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int one = 1;

	assert_non_null(f);
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	ip_do("link set lo up");
	for (int i = 0; i < LISTENERS; i++) {
		f->listener[i] = tcp_socket(AF_INET6);
		setsockopt(f->listener[i], SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		assert_int_equal(bind_to(f->listener[i], (uint16_t)(2000 + i)), 0);
		assert_int_equal(listen(f->listener[i], 64), 0);
	}
	memset(f->others, 0xff, sizeof(f->others));
	f->plan = (struct plan){.input = "127.0.0.1", .n_ports = MINE};
	assert_true(addr_parse(&f->plan.target, "127.0.0.1"));
	for (int i = 0; i < MINE; i++) /* as controls: connected to, not spoken to */
		f->plan.ports[i].port = (uint16_t)(2000 + i);
	event_log_init(&f->log);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	prober_free(f->p);
	prober_share_free(f->share);
	event_log_clear(&f->log);
	for (int i = 0; i < LISTENERS; i++)
		close(f->listener[i]);
	for (int i = 0; i < OTHERS; i++)
		if (f->others[i] >= 0)
			close(f->others[i]);
	free(f);
	return 0;
}

static void make(struct fixture *f)
{
	struct err e = {.text = ""};

	prober_share_free(f->share);
	f->share = NULL;
	if (prober_share_new(&f->share, NULL, &e) != 0 ||
	    prober_new(&f->p, f->share, &f->plan, &f->log, NULL, &e) != 0)
		fail_msg("%s", e.text);
}

static void reserve(struct fixture *f, size_t n, uint16_t *ports)
{
	struct err e = {.text = ""};

	if (prober_reserve(f->p, n, ports, &e) != 0)
		fail_msg("%s", e.text);
}

/* n connections of other programs, to `port`: connect() chooses as it likes. */
static void take_by_connect(struct fixture *f, int n, uint16_t port)
{
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(&f->plan.target, port, &sa);

	for (int i = 0; i < n; i++) {
		f->others[i] = tcp_socket(sa.ss_family);
		int failed = connect(f->others[i], (struct sockaddr *)&sa, len) != 0;
		assert_true(!failed || errno == EINPROGRESS);
	}
}

static void take_by_bind(struct fixture *f, int n)
{
	for (int i = 0; i < n; i++) {
		f->others[i] = tcp_socket(AF_INET6);
		assert_int_equal(bind_to(f->others[i], (uint16_t)(LOW + i)), 0);
	}
}

static bool can_bind(uint16_t port)
{
	int fd = tcp_socket(AF_INET6);
	int error = bind_to(fd, port);

	assert_true(error == 0 || error == EADDRINUSE);
	close(fd);
	return error == 0;
}

static void touched(void *owner)
{
	(void)owner;
}

/* Starts each plan port once and waits for all results. */
static void run_all(struct fixture *f, enum flow_role role)
{
	size_t first = f->log.n, results = 0;

	for (unsigned i = 0; i < f->plan.n_ports; i++)
		prober_start(f->p, i, role);
	for (int tries = 0; tries < 20 && results < f->plan.n_ports; tries++) {
		struct pollfd pfd = {.fd = prober_share_fd(f->share), .events = POLLIN};
		poll(&pfd, 1, 50);
		prober_share_dispatch(f->share, touched);
		results = 0;
		for (size_t i = first; i < f->log.n; i++)
			results += f->log.events[i].kind == EV_CONNECT;
	}
}

static const struct event *event_of(const struct fixture *f, enum event_kind kind, unsigned flow)
{
	for (size_t i = 0; i < f->log.n; i++)
		if (f->log.events[i].kind == kind && f->log.events[i].flow == flow)
			return &f->log.events[i];
	return NULL;
}

/* All flows connected, each from a port of its own in the range. */
static void assert_connected(const struct fixture *f, unsigned flows)
{
	for (unsigned i = 0; i < flows; i++) {
		const struct event *start = event_of(f, EV_FLOW_START, i);
		const struct event *result = event_of(f, EV_CONNECT, i);
		assert_non_null(start);
		assert_non_null(result);
		assert_int_equal(result->connect.error, 0);
		assert_in_range(start->flow_start.lport, source_ephemeral().low,
				source_ephemeral().high);
		for (unsigned k = 0; k < i; k++)
			assert_int_not_equal(event_of(f, EV_FLOW_START, k)->flow_start.lport,
					     start->flow_start.lport);
	}
}

static bool names(const uint16_t *ports, size_t n, uint16_t port)
{
	for (size_t i = 0; i < n; i++)
		if (ports[i] == port)
			return true;
	return false;
}

/* ---- which range ---- */

static void test_ranges(void **state)
{
	static const struct {
		struct port_range given, traces;
	} cases[] = {
		{{32768, 60999}, {61000, 65535}}, /* the kernel's default */
		{{1024, 65535}, {61440, 65535}},  /* no room: the last ones */
		{{15000, 65000}, {10000, 14999}}, /* too few above */
		{{10500, 65535}, {61440, 65535}}, /* too few on either side */
		{{32768, 65535}, {10000, 29999}},
		{{1024, 5000}, {5001, 65535}},
		{{64512, 65535}, {10000, 29999}},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct port_range r = source_for_traces(cases[i].given);
		assert_int_equal(r.low, cases[i].traces.low);
		assert_int_equal(r.high, cases[i].traces.high);
	}
	set_range(NARROW);
	struct port_range r = source_ephemeral();
	assert_int_equal(r.low, LOW);
	assert_int_equal(r.high, LOW + WIDTH - 1);
}

/* ---- ports of raw probes ---- */

static void test_hold(void **state)
{
	struct fixture *f = *state;
	uint16_t ports[MINE];
	struct err e;

	make(f);
	assert_int_equal(prober_hold(f->p, ports, &e), 0);
	struct port_range ephemeral = source_ephemeral();
	for (int i = 0; i < MINE; i++) {
		assert_false(port_range_has(ephemeral, ports[i]));
		assert_false(names(ports, (size_t)i, ports[i]));
		assert_false(can_bind(ports[i]));
	}
	/* the next run does not take them, though they are free again */
	prober_free(f->p);
	usleep(60000); /* a port's turn lasts some 40 ms */
	make(f);
	uint16_t next[MINE];
	assert_int_equal(prober_hold(f->p, next, &e), 0);
	for (int i = 0; i < MINE; i++)
		assert_int_not_equal(next[i], ports[i]);
}

static void test_hold_beside_others(void **state)
{
	struct fixture *f = *state;
	uint16_t ports[MINE], more[MINE];
	struct prober *second = NULL;
	struct err e;

	make(f);
	assert_int_equal(prober_new(&second, f->share, &f->plan, &f->log, NULL, &e), 0);
	assert_int_equal(prober_hold(f->p, ports, &e), 0);
	assert_int_equal(prober_hold(second, more, &e), 0);
	for (int i = 0; i < MINE; i++) {
		assert_int_not_equal(more[i], 0);
		assert_false(names(ports, MINE, more[i]));
	}
	prober_free(second);
}

/* connect() has all ports: what we bind for connections keeps clear of what traces use. */
static void test_hold_in_the_range(void **state)
{
	struct fixture *f = *state;
	uint16_t held[MINE], ports[MINE * 8];
	struct err e;

	set_range("1024 65535");
	make(f);
	reserve(f, MINE * 8, ports);
	assert_int_equal(prober_hold(f->p, held, &e), 0);
	for (size_t i = 0; i < MINE; i++)
		assert_in_range(held[i], 61440, 65535);
	for (size_t i = 0; i < MINE * 8; i++)
		assert_in_range(ports[i], 1024, 61439);
}

/* ---- ports of connections ---- */

static void test_reserve(void **state)
{
	struct fixture *f = *state;
	uint16_t ports[MINE * 4];

	make(f);
	reserve(f, MINE * 4, ports);
	for (size_t i = 0; i < MINE * 4; i++)
		assert_false(names(ports, i, ports[i]));
	run_all(f, FLOW_CONTROL);
	for (unsigned i = 0; i < MINE; i++) {
		assert_int_equal(event_of(f, EV_CONNECT, i)->connect.error, 0);
		assert_int_equal(event_of(f, EV_FLOW_START, i)->flow_start.lport, ports[i]);
	}
}

/* Ten ports in all: five are ours, others keep getting theirs. */
static void test_narrow(void **state)
{
	struct fixture *f = *state;
	uint16_t ports[MINE * 4];

	set_range(NARROW);
	make(f);
	reserve(f, MINE * 4, ports);
	assert_true(can_bind(0));
	for (size_t i = 0; i < WIDTH; i++)
		assert_false(names(ports, i, ports[i]));
	run_all(f, FLOW_CONTROL);
	assert_connected(f, MINE);
	for (unsigned i = 0; i < MINE; i++)
		assert_true(
			names(ports, MINE * 4, event_of(f, EV_FLOW_START, i)->flow_start.lport));
}

static void test_few_free(void **state)
{
	struct fixture *f = *state;
	uint16_t ports[MINE * 4];

	set_range(WIDER);
	take_by_bind(f, 32); /* eight are left, and ten we would take of so many */
	make(f);
	reserve(f, MINE * 4, ports);
	for (int i = 0; i < 8 - MINE; i++)
		f->others[32 + i] = tcp_socket(AF_INET6);
	for (int i = 0; i < 8 - MINE; i++)
		assert_int_equal(bind_to(f->others[32 + i], 0), 0);
	assert_false(can_bind(0));
	run_all(f, FLOW_CONTROL);
	assert_connected(f, MINE);
}

/* Every port has a connection to elsewhere: bind() gets none, connect() does, and so do we. The
 * filter knows the port before. */
static void share(struct fixture *f)
{
	uint16_t ports[MINE * 4];

	if (!can_choose()) {
		print_message("skipped: this kernel has no IP_LOCAL_PORT_RANGE\n");
		skip();
	}
	set_range(NARROW);
	take_by_connect(f, WIDTH, 2000 + LISTENERS - 1);
	assert_false(can_bind(0));
	make(f);
	reserve(f, MINE * 4, ports);
	run_all(f, FLOW_CONTROL);
	assert_connected(f, MINE);
	for (unsigned i = 0; i < MINE; i++) {
		uint16_t lport = event_of(f, EV_FLOW_START, i)->flow_start.lport;
		if (!names(ports, MINE * 4, lport))
			fail_msg("port %u was not announced", lport);
	}
}

static void test_shared(void **state)
{
	share(*state);
}

static void test_shared_v6(void **state)
{
	struct fixture *f = *state;

	assert_true(addr_parse(&f->plan.target, "::1"));
	share(f);
}

static void test_shared_with_source(void **state)
{
	struct fixture *f = *state;

	assert_true(addr_parse(&f->plan.source, "127.0.0.9"));
	share(f);
	for (unsigned i = 0; i < MINE; i++)
		assert_true(addr_equal(&event_of(f, EV_CONNECT, i)->connect.local,
				       &f->plan.source));
}

/* Each first attempt of a port ends with what an application would get; a repeat is left out. */
static void assert_exhausted(struct fixture *f)
{
	uint16_t ports[MINE * 4];
	struct err e = {.text = ""};
	uint16_t held[MINE];

	make(f);
	reserve(f, MINE * 4, ports);
	assert_int_equal(prober_hold(f->p, held, &e), 0);
	for (int i = 0; i < MINE; i++)
		assert_int_not_equal(held[i], 0); /* raw probes need no port of that range */
	run_all(f, FLOW_CONTROL);
	for (unsigned i = 0; i < MINE; i++) {
		const struct event *result = event_of(f, EV_CONNECT, i);
		assert_non_null(result);
		assert_int_equal(result->connect.error, EADDRNOTAVAIL);
		assert_true(result->connect.at_once);
		assert_int_equal(event_of(f, EV_FLOW_START, i)->flow_start.lport, 0);
	}
	size_t before = f->log.n;
	prober_start(f->p, 0, FLOW_REPEAT);
	assert_int_equal(f->log.n, before);
}

static void test_exhausted_by_bind(void **state)
{
	struct fixture *f = *state;

	set_range(NARROW);
	take_by_bind(f, WIDTH);
	assert_exhausted(f);
}

/* All connections go to one of our ports: that one alone is out of reach. */
static void test_exhausted_to_one_port(void **state)
{
	struct fixture *f = *state;
	uint16_t ports[MINE * 4];

	set_range(NARROW);
	take_by_connect(f, WIDTH, 2002);
	make(f);
	reserve(f, MINE * 4, ports);
	run_all(f, FLOW_CONTROL);
	for (unsigned i = 0; i < MINE; i++)
		assert_int_equal(event_of(f, EV_CONNECT, i)->connect.error,
				 i == 2 ? EADDRNOTAVAIL : 0);
}

static void test_source_not_ours(void **state)
{
	struct fixture *f = *state;
	uint16_t ports[MINE];
	struct err e;

	assert_true(addr_parse(&f->plan.source, "192.0.2.1"));
	make(f);
	assert_int_equal(prober_reserve(f->p, MINE, ports, &e), -1);
	assert_int_equal(e.status, ERR_USAGE);
	assert_non_null(strstr(e.text, "192.0.2.1"));
}

/* ---- --uid ---- */

static void as_nobody(struct fixture *f)
{
	uint16_t ports[MINE * 4], held[MINE];
	struct err e;

	if (setgroups(0, NULL) != 0 || setresgid(65534, 65534, 65534) != 0 ||
	    setresuid(65534, 65534, 65534) != 0)
		_exit(77);
	if (prober_share_new(&f->share, NULL, &e) != 0 ||
	    prober_new(&f->p, f->share, &f->plan, &f->log, NULL, &e) != 0 ||
	    prober_reserve(f->p, MINE * 4, ports, &e) != 0 ||
	    prober_hold(f->p, held, &e) != 0) {
		fprintf(stderr, "%s\n", e.text);
		_exit(1);
	}
	run_all(f, FLOW_CONTROL);
	for (unsigned i = 0; i < MINE; i++)
		if (!held[i] || !event_of(f, EV_CONNECT, i) ||
		    event_of(f, EV_CONNECT, i)->connect.error)
			_exit(2);
	_exit(0);
}

/* No capability, and bound to an interface, which kernels before 5.7 allow with CAP_NET_RAW only. */
static void test_unprivileged(void **state)
{
	int status;

	((struct fixture *)*state)->plan.interface = "lo";
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		as_nobody(*state);
	assert_true(waitpid(pid, &status, 0) == pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_message("skipped: no other user here\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_ranges),
		T(test_hold),
		T(test_hold_beside_others),
		T(test_hold_in_the_range),
		T(test_reserve),
		T(test_narrow),
		T(test_few_free),
		T(test_shared),
		T(test_shared_v6),
		T(test_shared_with_source),
		T(test_exhausted_by_bind),
		T(test_exhausted_to_one_port),
		T(test_source_not_ours),
		T(test_unprivileged),
	};
#undef T

	if (!netns_possible()) {
		printf("skipped: no network namespace of our own: %s\n", strerror(errno));
		return 77;
	}
	return cmocka_run_group_tests_name("prober", tests, NULL, NULL);
}
