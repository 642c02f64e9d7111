/* SPDX-License-Identifier: GPL-3.0-or-later */
/* For the tests of host/: a network namespace a test, made with `ip`, gone with the process. */
#ifndef SB_TESTS_HOST_NETNS_H
#define SB_TESTS_HOST_NETNS_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "host/host.h"

/* Runs `ip WORDS`, split at blanks, no shell. Standard output goes to out[size] when out is not
 * NULL. Returns the exit status. */
static inline int ip_run(const char *words, char *out, size_t size)
{
	char copy[512], *argv[48] = {(char *)(uintptr_t) "ip"}, *save = NULL;
	int n = 1, status, pipe_fd[2];
	size_t len = 0;
	ssize_t got;

	assert_true(strlen(words) < sizeof(copy));
	strcpy(copy, words);
	for (char *w = strtok_r(copy, " ", &save); w && n < 47; w = strtok_r(NULL, " ", &save))
		argv[n++] = w;
	assert_int_equal(pipe2(pipe_fd, O_CLOEXEC), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(pipe_fd[1], STDOUT_FILENO);
		execvp("ip", argv);
		_exit(127);
	}
	close(pipe_fd[1]);
	char rest[4096];
	while ((got = read(pipe_fd[0], rest, sizeof(rest))) > 0)
		for (ssize_t i = 0; i < got && out && len + 1 < size; i++)
			out[len++] = rest[i];
	if (out)
		out[len] = '\0';
	close(pipe_fd[0]);
	assert_true(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline void ip_do(const char *words)
{
	if (ip_run(words, NULL, 0) != 0)
		fail_msg("failed: ip %s", words);
}

/* Is `text` a line of what `ip WORDS` prints? Blanks count as one, those at an end as none; with
 * `after`, only what follows the first such character of a line is compared. */
static inline bool ip_shows(const char *words, const char *text, char after)
{
	static char out[1 << 16];
	char *save = NULL;

	assert_int_equal(ip_run(words, out, sizeof(out)), 0);
	for (char *l = strtok_r(out, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		char clean[512];
		size_t n = 0;
		char *from = after && strchr(l, after) ? strchr(l, after) + 1 : l;
		for (; *from && n + 1 < sizeof(clean); from++) {
			char c = *from == '\t' ? ' ' : *from;
			if (c != ' ' || (n > 0 && clean[n - 1] != ' '))
				clean[n++] = c;
		}
		while (n > 0 && clean[n - 1] == ' ')
			n--;
		clean[n] = '\0';
		if (strcmp(clean, text) == 0)
			return true;
	}
	return false;
}

static inline void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
	close(fd);
}

/* As root, else as root of a user namespace where the kernel lets us. False: skip. */
static inline bool netns_possible(void)
{
	char map[64];

	if (unshare(CLONE_NEWNET) == 0)
		return true;
	snprintf(map, sizeof(map), "0 %u 1", (unsigned)getuid());
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
		return false;
	write_file("/proc/self/setgroups", "deny");
	write_file("/proc/self/uid_map", map);
	return true;
}

static inline bool have_veth(void)
{
	return ip_run("link add name probe0 type veth peer name probe1", NULL, 0) == 0;
}

static inline struct host *open_host(void)
{
	struct host *h = NULL;
	struct err e = {.text = ""};

	if (host_open(&h, &e) != 0)
		fail_msg("%s", e.text);
	return h;
}

/* Each test: v0 (10.0.0.2/24, 2001:db8:1::2/64, default routes by .1 and ::1) and its peer v1. */
static inline int netns_setup(void **state)
{
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	ip_do("link set lo up");
	ip_do("link add name v0 address 02:00:00:00:00:02 type veth peer name v1");
	ip_do("link set v1 up");
	ip_do("link set v0 up");
	ip_do("addr add 10.0.0.2/24 dev v0");
	ip_do("addr add 2001:db8:1::2/64 dev v0 nodad");
	ip_do("route add default via 10.0.0.1");
	ip_do("-6 route add default via 2001:db8:1::1");
	*state = open_host();
	return 0;
}

static inline int netns_teardown(void **state)
{
	host_free(*state);
	return 0;
}

static inline int netns_main(const struct CMUnitTest *tests, size_t n)
{
	if (!netns_possible()) {
		printf("skipped: no network namespace of our own: %s\n", strerror(errno));
		return 77;
	}
	if (!have_veth()) {
		printf("skipped: `ip` can't make a veth pair here\n");
		return 77;
	}
	return _cmocka_run_group_tests("host", tests, n, NULL, NULL);
}

#endif
