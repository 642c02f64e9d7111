/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "host/drops.h"
#include "host/iptables.h"
#include "host/nft_inspect.h"
#include "host/programs.h"
#include "host/settings.h"
#include "host/trace.h"

/* Records of one answer: more than any real host gives, less than would fill a report. */
#define ANSWER_MAX 2048
/* A new target waits this long for the end of an answer that was given up. */
#define LATE_MS 500

/* The agent's descriptors, behind the standard ones. */
enum { AGENT_FD = STDERR_FILENO + 1, LIFE_FD };

enum operation {
	OP_WATCH,
	OP_COLLECT,
	OP_PROGRAMS,
	OP_LOOK_BEGIN,
	OP_LOOK_END,
	OP_TRANSLATION,
	OP_INSPECT,
	OP_UNWATCH,
};

struct request {
	uint32_t number; /* of the request: answers to one that was given up are passed over */
	enum operation op;
	bool trace;
	uint16_t lport, rport; /* OP_TRANSLATION */
	uint32_t tried;        /* OP_LOOK_END */
	struct host_watch watch;
};

struct answer {
	uint32_t number;
	bool end; /* nothing follows; the record is empty */
	struct host_record record;
};

/* ---- the agent's side ---- */

struct server {
	int fd;
	uint32_t number; /* of the request under way */
	unsigned sent;
	uint16_t port; /* of look_at_programs() */
	struct host_watch watch;
	struct trace *trace;
	struct drops *drops;
	struct counters *counters;
	struct iptables *tables; /* as the look began */
};

static void send_answer(struct server *s, const struct host_record *r)
{
	struct answer a;

	memset(&a, 0, sizeof(a));
	a.number = s->number;
	a.end = !r;
	if (r && s->sent++ >= ANSWER_MAX)
		return;
	if (r)
		a.record = *r;
	/* a record as short as its kind allows would save little: they are few */
	if (send(s->fd, &a, sizeof(a), MSG_NOSIGNAL) < 0 && errno != EINTR)
		_exit(1);
}

static void emit_answer(void *server, const struct host_record *r)
{
	send_answer(server, r);
}

static void end_look(struct server *s)
{
	drops_close(s->drops);
	s->drops = NULL;
	counters_free(s->counters);
	s->counters = NULL;
	iptables_free(s->tables);
	s->tables = NULL;
}

static void end_watch(struct server *s)
{
	end_look(s);
	trace_close(s->trace);
	s->trace = NULL;
}

static void serve_watch(struct server *s, const struct request *q)
{
	struct err e;

	end_watch(s);
	s->watch = q->watch;
	managers_emit(emit_answer, s);
	if (q->trace && trace_open(&s->trace, &s->watch, &e) != 0)
		watch_not_looked(emit_answer, s, HOST_LOOK_TRACE, "%.250s", e.text);
}

static void serve_look_begin(struct server *s)
{
	enum addr_family family = s->watch.remote.family;
	struct err e;

	end_look(s);
	s->counters = counters_read();
	/* the attempt that comes may have to use a source port that nobody knew of before; the core knows
	 * which are ours */
	struct host_watch any = s->watch;
	any.n_lports = 0;
	if (drops_open(&s->drops, &any, &e) != 0)
		watch_not_looked(emit_answer, s, HOST_LOOK_DROPS, "%.250s", e.text);
	if (iptables_present(family) && iptables_read(&s->tables, family, &e) != 0)
		watch_not_looked(emit_answer, s, HOST_LOOK_IPTABLES, "%.250s", e.text);
}

static void compare_tables(struct server *s, uint32_t tried)
{
	struct iptables *now = NULL;
	struct err e;

	if (!s->tables)
		return;
	if (iptables_read(&now, s->watch.remote.family, &e) != 0)
		watch_not_looked(emit_answer, s, HOST_LOOK_IPTABLES, "%.250s", e.text);
	for (unsigned i = 0; now && i < s->watch.n_rports; i++)
		if (tried & (UINT32_C(1) << i))
			iptables_compare(s->tables, now, &s->watch, s->watch.rports[i],
					 emit_answer, s);
	iptables_free(now);
}

/* Sets the port, for which alone the programs were looked at. */
static void emit_program(void *server, const struct host_record *r)
{
	struct server *s = server;
	struct host_record one = *r;

	if (one.kind == HOST_PROGRAM)
		one.program.port = s->port;
	send_answer(s, &one);
}

/* What a tc filter does depends on the port. */
static void look_at_programs(struct server *s, uint32_t ports)
{
	for (unsigned i = 0; i < s->watch.n_rports; i++) {
		struct host_watch one = s->watch;
		if (!(ports & (UINT32_C(1) << i)))
			continue;
		s->port = one.rports[0] = s->watch.rports[i];
		one.n_rports = 1;
		programs_emit(&one, emit_program, s);
	}
}

static void serve_look_end(struct server *s, uint32_t tried)
{
	compare_tables(s, tried);
	if (s->drops)
		drops_emit(s->drops, emit_answer, s);
	if (s->counters) {
		struct counters *after = counters_read();
		counters_compare(s->counters, after, emit_answer, s);
		counters_free(after);
	}
	look_at_programs(s, tried);
	settings_emit(&s->watch, emit_answer, s);
	xfrm_emit(&s->watch, emit_answer, s);
	end_look(s);
}

static void serve_inspect(struct server *s, const struct request *q)
{
	struct iptables *tables = NULL;
	enum addr_family family = q->watch.remote.family;
	struct err e;

	s->watch = q->watch;
	managers_emit(emit_answer, s);
	nft_inspect(&s->watch, emit_answer, s);
	if (iptables_present(family)) {
		if (iptables_read(&tables, family, &e) == 0)
			iptables_inspect(tables, &s->watch, emit_answer, s);
		else
			watch_not_looked(emit_answer, s, HOST_LOOK_IPTABLES, "%.250s", e.text);
		iptables_free(tables);
	}
	look_at_programs(s, UINT32_MAX);
	settings_emit(&s->watch, emit_answer, s);
	xfrm_emit(&s->watch, emit_answer, s);
}

static void serve(struct server *s, const struct request *q)
{
	s->number = q->number;
	s->sent = 0;
	switch (q->op) {
	case OP_WATCH:
		serve_watch(s, q);
		break;
	case OP_COLLECT:
		if (s->trace) {
			trace_read(s->trace);
			trace_emit(s->trace, emit_answer, s);
		}
		break;
	case OP_PROGRAMS:
		programs_emit(&s->watch, emit_answer, s);
		break;
	case OP_LOOK_BEGIN:
		serve_look_begin(s);
		break;
	case OP_LOOK_END:
		serve_look_end(s, q->tried);
		break;
	case OP_TRANSLATION:
		translation_emit(&s->watch, q->lport, q->rport, emit_answer, s);
		break;
	case OP_INSPECT:
		serve_inspect(s, q);
		break;
	case OP_UNWATCH:
		end_watch(s);
		return; /* nobody waits for this one */
	}
	send_answer(s, NULL);
}

static bool request_is_sound(const struct request *q, ssize_t len)
{
	return len == (ssize_t)sizeof(*q) && q->op <= OP_UNWATCH &&
	       q->watch.n_lports <= WATCH_MAX_LOCAL && q->watch.n_rports <= WATCH_MAX_REMOTE &&
	       memchr(q->watch.oif_name, '\0', sizeof(q->watch.oif_name));
}

static void serve_until_end(struct server *s)
{
	for (;;) {
		struct pollfd fds[2] = {
			{.fd = s->fd, .events = POLLIN},
			{.fd = s->trace ? trace_fd(s->trace) : -1, .events = POLLIN},
		};
		struct request q;
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return;
		if (fds[1].revents)
			trace_read(s->trace);
		if (!fds[0].revents)
			continue;
		ssize_t n = recv(s->fd, &q, sizeof(q), 0);
		if (n == 0 || (n < 0 && errno != EINTR))
			return;
		if (n > 0 && request_is_sound(&q, n))
			serve(s, &q);
	}
}

/* Nothing that the kernel's answers don't need: above all no CAP_SYS_MODULE, so that asking loads
 * no module, and no CAP_DAC_OVERRIDE. False: it has more than that still. */
static bool keep_capabilities(void)
{
	static const cap_value_t wanted[] = {
		CAP_NET_ADMIN, CAP_NET_RAW,   CAP_SYS_ADMIN,	 CAP_BPF,    CAP_PERFMON,
		CAP_SYSLOG,    CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_SYS_RESOURCE,
	};
	cap_t now = cap_get_proc(), kept = cap_init();
	bool done = false;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (!now || !kept)
		goto out;
	for (cap_value_t c = 0;; c++) {
		int bounded = prctl(PR_CAPBSET_READ, c, 0, 0, 0);
		cap_flag_value_t has = CAP_CLEAR;
		if (bounded < 0)
			break;
		bool want = false;
		for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
			want |= wanted[i] == c;
		cap_get_flag(now, c, CAP_PERMITTED, &has);
		if (!want)
			prctl(PR_CAPBSET_DROP, c, 0, 0, 0);
		if (!want || has != CAP_SET)
			continue;
		cap_set_flag(kept, CAP_PERMITTED, 1, &c, CAP_SET);
		cap_set_flag(kept, CAP_EFFECTIVE, 1, &c, CAP_SET);
		if (bounded) /* the kernel lets nothing else be inherited */
			cap_set_flag(kept, CAP_INHERITABLE, 1, &c, CAP_SET);
	}
	done = cap_set_proc(kept) == 0;
	if (done) /* for `nft` and its like, when the user is not root */
		prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_ADMIN, 0, 0);
out:
	cap_free(now);
	cap_free(kept);
	return done;
}

/* Standard error stays, for what a sanitizer has to say. */
static bool keep_descriptors(int fd, int life)
{
	/* the caller's standard ones may be closed, and these two have their numbers */
	int fd_above = fcntl(fd, F_DUPFD, LIFE_FD + 1), life_above = fcntl(life, F_DUPFD, LIFE_FD + 1);
	int null = open("/dev/null", O_RDWR);

	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
	}
	bool ok = dup2(fd_above, AGENT_FD) >= 0 && dup2(life_above, LIFE_FD) >= 0;
	syscall(SYS_close_range, LIFE_FD + 1, ~0U, 0);
	fcntl(AGENT_FD, F_SETFD, FD_CLOEXEC);
	fcntl(LIFE_FD, F_SETFD, FD_CLOEXEC);
	return ok;
}

/* SIGKILL when the other half closes its end, or dies. Neither kill() nor PR_SET_PDEATHSIG does it
 * with --uid: the kernel asks whether that user may send signals to this process. */
static bool die_with(int life)
{
	struct pollfd p = {.fd = life};

	return fcntl(life, F_SETOWN, getpid()) == 0 && fcntl(life, F_SETSIG, SIGKILL) == 0 &&
	       fcntl(life, F_SETFL, O_ASYNC) == 0 && poll(&p, 1, 0) == 0;
}

static void become_agent(int fd, int life)
{
	struct server s = {.fd = AGENT_FD};

	prctl(PR_SET_NAME, "smtpblame-agent");
	/* a terminal's Ctrl-C is for the other half, and that takes this one with it */
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	if (keep_descriptors(fd, life) && die_with(LIFE_FD) && keep_capabilities())
		serve_until_end(&s);
	end_watch(&s);
	_exit(0);
}

/* ---- the run's side ---- */

struct agent {
	pid_t pid;
	int fd;
	int life;        /* closed: it is killed */
	uint32_t number; /* of the last request */
	bool late;       /* that was given up, and its answer has not ended */
	bool dead;
};

static void close_both(const int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

int agent_start(struct agent **out, struct err *e)
{
	int fds[2], life[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0)
		return err_set(e, ERR_RUN, "socketpair: %s", strerror(errno));
	if (pipe2(life, O_CLOEXEC) != 0) {
		err_set(e, ERR_RUN, "pipe: %s", strerror(errno));
		close_both(fds);
		return -1;
	}
	pid_t pid = fork();
	if (pid < 0) {
		err_set(e, ERR_RUN, "fork: %s", strerror(errno));
		close_both(fds);
		close_both(life);
		return -1;
	}
	if (pid == 0) {
		close(fds[0]);
		close(life[1]);
		become_agent(fds[1], life[0]);
	}
	close(fds[1]);
	close(life[0]);
	struct agent *a = xcalloc(1, sizeof(*a));
	*a = (struct agent){.pid = pid, .fd = fds[0], .life = life[1]};
	*out = a;
	return 0;
}

void agent_end(struct agent *a)
{
	if (!a || a->fd < 0)
		return;
	/* whatever it holds in the kernel goes with its descriptors */
	close(a->life);
	close(a->fd);
	a->fd = -1;
}

void agent_stop(struct agent *a)
{
	if (!a)
		return;
	agent_end(a);
	while (waitpid(a->pid, NULL, 0) < 0 && errno == EINTR)
		;
	free(a);
}

static enum host_look look_of(enum operation op)
{
	switch (op) {
	case OP_WATCH:
	case OP_COLLECT:
	case OP_UNWATCH:
		return HOST_LOOK_TRACE;
	case OP_PROGRAMS:
	case OP_LOOK_BEGIN:
	case OP_LOOK_END:
		return HOST_LOOK_PROGRAMS;
	case OP_TRANSLATION:
		return HOST_LOOK_CONNTRACK;
	case OP_INSPECT:
		return HOST_LOOK_RULES;
	}
	return HOST_LOOK_RULES;
}

enum taking { TAKEN, TOO_LATE, ENDED };

/* Hands the records of the last request over, until its answer's end. emit NULL: to nobody. */
static enum taking take_answer(struct agent *a, int64_t deadline, host_emit *emit, void *arg)
{
	for (;;) {
		struct pollfd fd = {.fd = a->fd, .events = POLLIN};
		struct answer answer;
		int64_t left = (deadline - clock_mono_ns()) / NS_PER_MS;
		int ready = poll(&fd, 1, left > 0 ? (int)left : 0);
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0)
			return TOO_LATE;
		if (recv(a->fd, &answer, sizeof(answer), 0) != (ssize_t)sizeof(answer))
			return ENDED;
		if (answer.number != a->number)
			continue;
		if (answer.end)
			return TAKEN;
		if (emit)
			emit(arg, &answer.record);
	}
}

/* An answer that was given up has to end before anything else is asked. Where a new target begins
 * that is worth some time: what follows depends on it. */
static void wait_for_late(struct agent *a, enum operation op, int timeout_ms)
{
	bool begins = op == OP_WATCH || op == OP_INSPECT;
	int ms = !begins ? 0 : timeout_ms < LATE_MS ? timeout_ms : LATE_MS;
	enum taking taking = take_answer(a, clock_mono_ns() + ms * NS_PER_MS, NULL, NULL);

	a->late = taking == TOO_LATE;
	a->dead = taking == ENDED;
}

static void ask(struct agent *a, struct request *q, int timeout_ms, host_emit *emit, void *arg)
{
	int64_t deadline = clock_mono_ns() + timeout_ms * NS_PER_MS;

	if (a->late && !a->dead)
		wait_for_late(a, q->op, timeout_ms);
	if (!a->late && !a->dead) {
		q->number = ++a->number;
		a->dead = send(a->fd, q, sizeof(*q), MSG_NOSIGNAL) != (ssize_t)sizeof(*q);
		if (!a->dead && emit) {
			enum taking taking = take_answer(a, deadline, emit, arg);
			a->late = taking == TOO_LATE;
			a->dead = taking == ENDED;
		}
	}
	if (emit && a->dead)
		watch_not_looked(emit, arg, look_of(q->op),
				 "the process that asks the kernel has ended");
	else if (emit && a->late)
		watch_not_looked(emit, arg, look_of(q->op),
				 "the kernel took too long to answer");
}

static struct request request(enum operation op)
{
	struct request q;

	memset(&q, 0, sizeof(q)); /* all of it: it crosses a socket as bytes */
	q.op = op;
	return q;
}

void agent_watch(struct agent *a, const struct host_watch *w, bool trace, int timeout_ms,
		 host_emit *emit, void *arg)
{
	struct request q = request(OP_WATCH);

	q.watch = *w;
	q.trace = trace;
	ask(a, &q, timeout_ms, emit, arg);
}

void agent_collect(struct agent *a, int timeout_ms, host_emit *emit, void *arg)
{
	struct request q = request(OP_COLLECT);

	ask(a, &q, timeout_ms, emit, arg);
}

void agent_programs(struct agent *a, int timeout_ms, host_emit *emit, void *arg)
{
	struct request q = request(OP_PROGRAMS);

	ask(a, &q, timeout_ms, emit, arg);
}

void agent_look_begin(struct agent *a, int timeout_ms, host_emit *emit, void *arg)
{
	struct request q = request(OP_LOOK_BEGIN);

	ask(a, &q, timeout_ms, emit, arg);
}

void agent_look_end(struct agent *a, uint32_t tried, int timeout_ms, host_emit *emit, void *arg)
{
	struct request q = request(OP_LOOK_END);

	q.tried = tried;
	ask(a, &q, timeout_ms, emit, arg);
}

void agent_translation(struct agent *a, uint16_t lport, uint16_t rport, int timeout_ms,
		       host_emit *emit, void *arg)
{
	struct request q = request(OP_TRANSLATION);

	q.lport = lport;
	q.rport = rport;
	ask(a, &q, timeout_ms, emit, arg);
}

void agent_inspect(struct agent *a, const struct host_watch *w, int timeout_ms, host_emit *emit,
		   void *arg)
{
	struct request q = request(OP_INSPECT);

	q.watch = *w;
	ask(a, &q, timeout_ms, emit, arg);
}

void agent_unwatch(struct agent *a)
{
	struct request q = request(OP_UNWATCH);

	ask(a, &q, 0, NULL, NULL);
}
