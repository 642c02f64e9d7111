/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"

static const char *const directories[] = {"/usr/sbin", "/usr/bin", "/sbin", "/bin",
					  "/usr/local/sbin"};

#define N_DIRECTORIES (sizeof(directories) / sizeof(directories[0]))
#define STDERR_MAX    512 /* kept of it, for the error's text */

static bool find_program(const char *name, char out[64])
{
	for (size_t i = 0; i < N_DIRECTORIES; i++) {
		int n = snprintf(out, 64, "%s/%s", directories[i], name);
		if (n > 0 && n < 64 && access(out, X_OK) == 0)
			return true;
	}
	return false;
}

bool child_exists(const char *name)
{
	char path[64];

	return find_program(name, path);
}

struct child {
	pid_t pid;
	int in, out, err; /* our ends; -1 closed */
};

/* In the new process: only what an execve() needs, and nothing that allocates. */
static void become(const char *path, const char *const argv[], const int in[2], const int out[2],
		   const int err[2], pid_t parent)
{
	static char *const environment[] = {
		(char *)(uintptr_t) "LC_ALL=C",
		(char *)(uintptr_t) "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	signal(SIGPIPE, SIG_DFL);
	if (dup2(in[0], STDIN_FILENO) < 0 || dup2(out[1], STDOUT_FILENO) < 0 ||
	    dup2(err[1], STDERR_FILENO) < 0)
		_exit(127);
	syscall(SYS_close_range, 3, ~0U, 0);
	execve(path, (char *const *)(uintptr_t)argv, environment);
	_exit(127);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int start(struct child *c, const char *path, const char *const argv[], struct err *e)
{
	int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1};

	if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0)
		goto failed;
	pid_t parent = getpid();
	c->pid = fork();
	if (c->pid < 0)
		goto failed;
	if (c->pid == 0)
		become(path, argv, in, out, err, parent);
	close(in[0]);
	close(out[1]);
	close(err[1]);
	*c = (struct child){.pid = c->pid, .in = in[1], .out = out[0], .err = err[0]};
	fcntl(c->in, F_SETFL, O_NONBLOCK);
	fcntl(c->out, F_SETFL, O_NONBLOCK);
	fcntl(c->err, F_SETFL, O_NONBLOCK);
	return 0;
failed:
	err_set(e, ERR_RUN, "%s: %s", argv[0], strerror(errno));
	for (int i = 0; i < 2; i++) {
		close_fd(&in[i]);
		close_fd(&out[i]);
		close_fd(&err[i]);
	}
	return -1;
}

/* What comes out, until both ends close. */
struct talk {
	const char *input;
	size_t input_left;
	char *text;
	size_t len, size, max;
	char error[STDERR_MAX];
	size_t error_len;
	bool too_much;
};

static void read_text(struct child *c, struct talk *t)
{
	if (t->len == t->size) {
		t->size = t->size ? t->size * 2 : 16384;
		t->text = xrealloc(t->text, t->size + 1);
	}
	ssize_t n = read(c->out, t->text + t->len, t->size - t->len);
	if (n > 0)
		t->len += (size_t)n;
	else if (n == 0 || errno != EAGAIN)
		close_fd(&c->out);
	t->too_much = t->len > t->max;
}

static void read_error(struct child *c, struct talk *t)
{
	char rest[256];
	size_t room = sizeof(t->error) - 1 - t->error_len;
	ssize_t n = read(c->err, room ? t->error + t->error_len : rest, room ? room : sizeof(rest));

	if (n > 0 && room)
		t->error_len += (size_t)n;
	else if (n == 0 || (n < 0 && errno != EAGAIN))
		close_fd(&c->err);
}

static void write_input(struct child *c, struct talk *t)
{
	ssize_t n = write(c->in, t->input, t->input_left);

	if (n > 0) {
		t->input += n;
		t->input_left -= (size_t)n;
	}
	if (t->input_left == 0 || (n < 0 && errno != EAGAIN))
		close_fd(&c->in);
}

/* False: the time is over, or it says too much. */
static bool talk(struct child *c, struct talk *t, int64_t deadline)
{
	while (c->out >= 0 || c->err >= 0) {
		struct pollfd fds[3] = {{.fd = c->out, .events = POLLIN},
					{.fd = c->err, .events = POLLIN},
					{.fd = c->in, .events = POLLOUT}};
		int64_t left = (deadline - clock_mono_ns()) / NS_PER_MS;
		if (left <= 0 || t->too_much)
			return false;
		if (poll(fds, 3, (int)left) < 0 && errno != EINTR)
			return false;
		if (fds[0].revents)
			read_text(c, t);
		if (fds[1].revents)
			read_error(c, t);
		if (fds[2].revents)
			write_input(c, t);
	}
	return !t->too_much;
}

/* 0 when it did not end by then: it may have closed its output and go on. */
static pid_t wait_until(pid_t pid, int *status, int64_t deadline)
{
	const struct timespec pause = {.tv_nsec = NS_PER_MS};
	pid_t got;

	while ((got = waitpid(pid, status, WNOHANG)) == 0 && clock_mono_ns() < deadline)
		nanosleep(&pause, NULL);
	return got;
}

int child_run(const char *const argv[], const char *input, int timeout_ms, size_t max_output,
	      struct child_output *out, struct err *e)
{
	int64_t deadline = clock_mono_ns() + timeout_ms * NS_PER_MS;
	struct talk t = {.input = input ? input : "", .max = max_output};
	struct child c = {0};
	char path[64];
	int status = 0;

	*out = (struct child_output){0};
	if (!find_program(argv[0], path))
		return err_set(e, ERR_RUN, "%s is not installed", argv[0]);
	if (start(&c, path, argv, e) != 0)
		return -1;
	t.input_left = strlen(t.input);
	if (t.input_left == 0)
		close_fd(&c.in);
	bool whole = talk(&c, &t, deadline);
	close_fd(&c.in);
	close_fd(&c.out);
	close_fd(&c.err);
	if (!whole || wait_until(c.pid, &status, deadline) == 0) {
		whole = false;
		kill(c.pid, SIGKILL);
		while (waitpid(c.pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	t.error[t.error_len] = '\0';
	t.error[strcspn(t.error, "\n")] = '\0';
	if (whole && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		if (!t.text)
			t.text = xcalloc(1, 1);
		t.text[t.len] = '\0';
		*out = (struct child_output){t.text, t.len};
		return 0;
	}
	free(t.text);
	if (!whole)
		return err_set(e, ERR_RUN, "%s %s", argv[0],
			       t.too_much ? "printed too much" : "took too long");
	return err_set(e, ERR_RUN, "%s failed%s%.300s", argv[0], t.error[0] ? ": " : "", t.error);
}

void child_output_free(struct child_output *out)
{
	free(out->text);
	*out = (struct child_output){0};
}
