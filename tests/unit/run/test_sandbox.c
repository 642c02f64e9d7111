/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the sandbox takes away, and what it leaves: each in a child, for nothing gives it back. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <netdb.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "run/sandbox.h"

static char folder[] = "/tmp/smtpblame-sandbox-XXXXXX";
static bool has_landlock;
#ifdef SMTPBLAME_SECCOMP
static const bool has_seccomp = true;
#else
static const bool has_seccomp = false; /* not built in */
#endif

/* Runs in the child; returns NULL or what is wrong. */
typedef const char *check(void);

static void in_sandbox(const struct sandbox *s, check *c)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct sandbox_held held;
		sandbox_enter(s, &held);
		const char *wrong = held.seccomp == has_seccomp && held.landlock == has_landlock
					    ? c()
					    : held.missing;
		if (wrong)
			fprintf(stderr, "wrong: %s (errno %d)\n", wrong, errno);
		_exit(wrong ? 1 : 0);
	}
	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static bool denied(long result, int error)
{
	return result < 0 && errno == error;
}

static const char *nothing_forbidden(void)
{
	char *argv[] = {(char *)(uintptr_t)"/bin/true", NULL};
	union bpf_attr bpf = {0};
	struct rlimit limit;

	if (!denied(execv(argv[0], argv), EPERM))
		return "a program may be started";
	if (!denied(syscall(SYS_execveat, AT_FDCWD, argv[0], argv, argv + 1, 0), EPERM))
		return "a program may be started by execveat()";
	if (!denied(socket(AF_PACKET, SOCK_RAW, 0), EPERM))
		return "packet sockets";
	if (!denied(syscall(SYS_bpf, BPF_MAP_CREATE, &bpf, sizeof(bpf)), EPERM))
		return "bpf()";
	if (!denied(mount("none", "/mnt", "tmpfs", 0, NULL), EPERM))
		return "mount()";
	if (!denied(syscall(SYS_unshare, 0), EPERM))
		return "unshare()";
	if (!denied(syscall(SYS_init_module, NULL, 0, ""), EPERM))
		return "init_module()";
	if (!denied(syscall(SYS_keyctl, 0, 0, 0, 0, 0), EPERM))
		return "keyctl()";
	if (!denied(syscall(SYS_setuid, 0), EPERM))
		return "setuid()";
	/* what would reach others of the same user, or the caller's shell */
	if (!denied(syscall(SYS_tgkill, getppid(), getppid(), 0), EPERM))
		return "tgkill() of another process";
	if (tgkill(getpid(), gettid(), 0) != 0)
		return "may not even signal itself";
	if (!denied(prlimit(getppid(), RLIMIT_NOFILE, NULL, &limit), EPERM))
		return "prlimit() of another process";
	if (prlimit(0, RLIMIT_NOFILE, NULL, &limit) != 0)
		return "may not see its own limits";
	if (!denied(ioctl(0, TIOCSTI, "x"), EPERM))
		return "may type into the terminal";
	if (geteuid() == 0 && !denied(socket(AF_UNIX, SOCK_STREAM, 0), EPERM))
		return "root may talk to daemons that trust it";
	/* without landlock, too */
	if (!denied(open("/dev/null", O_WRONLY), EPERM) || !denied(open("/dev/null", O_RDWR), EPERM) ||
	    !denied(open("/dev/null", O_RDONLY | O_TRUNC), EPERM) ||
	    !denied(open(folder, O_RDWR | O_TMPFILE, 0600), EPERM) || !denied(creat("/dev/null", 0600), EPERM))
		return "files may be written to";
	if (!denied(syscall(SYS_openat2, AT_FDCWD, "/dev/null", NULL, 0), EPERM))
		return "openat2()";
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return "no_new_privs is not set";
	return NULL;
}

static const char *no_way_out(void)
{
	const char *wrong = nothing_forbidden();

	if (wrong)
		return wrong;
	if (!denied(socket(AF_INET, SOCK_STREAM, 0), EPERM))
		return "sockets, though it is to read files only";
	if (has_landlock && !denied(open("/etc/passwd", O_RDONLY), EACCES))
		return "files may be opened";
	return NULL;
}

static const char *files_are_closed(void)
{
	char path[sizeof(folder) + 10];

	snprintf(path, sizeof(path), "%s/new", folder);
	if (!denied(open(path, O_WRONLY | O_CREAT, 0600), has_seccomp ? EPERM : EACCES))
		return "a file may be made";
	snprintf(path, sizeof(path), "%s/there", folder);
	if (!denied(open(path, O_RDONLY), EACCES))
		return "any file may be read";
	if (!denied(open("/etc/shadow", O_RDONLY), EACCES))
		return "/etc/shadow may be read";
	if (open("/etc/hosts", O_RDONLY) < 0)
		return "/etc/hosts may not be read";
	return NULL;
}

static void *set_one(void *arg)
{
	*(int *)arg = 1;
	return arg;
}

static const char *network_works(void)
{
	struct addrinfo *list = NULL;
	pthread_t thread;
	int done = 0, fds[2];

	if (socket(AF_INET, SOCK_STREAM, 0) < 0 || socket(AF_INET6, SOCK_STREAM, 0) < 0)
		return "no socket";
	if (getaddrinfo("localhost", "25", NULL, &list) != 0)
		return "localhost does not resolve";
	freeaddrinfo(list);
	if (pthread_create(&thread, NULL, set_one, &done) != 0 ||
	    pthread_join(thread, NULL) != 0 || !done)
		return "no thread";
	if (pipe2(fds, O_CLOEXEC) != 0)
		return "no pipe";
	if (!denied(listen(socket(AF_INET, SOCK_STREAM, 0), 1), EPERM))
		return "may listen";
	return NULL;
}

static const char *writes_beneath(void)
{
	char path[sizeof(folder) + 10], other[sizeof(folder) + 10];
	int fd;

	snprintf(path, sizeof(path), "%s/a", folder);
	snprintf(other, sizeof(other), "%s/b", folder);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, "x", 1) != 1 || fsync(fd) != 0 || rename(path, other) != 0 ||
	    unlink(other) != 0)
		return "cannot write where it may";
	if (has_landlock && !denied(open("/tmp/smtpblame-elsewhere", O_WRONLY | O_CREAT, 0600), EACCES))
		return "may write elsewhere";
	return NULL;
}

static const char *no_signals(void)
{
	return denied(kill(getppid(), 0), EPERM) ? NULL : "may signal others";
}

static void without_seccomp_skip(void)
{
	if (has_seccomp)
		return;
	print_message("skipped: built without libseccomp\n");
	skip();
}

/* What does not hold is named, and only that. */
static const char *missing_is_said(void)
{
	struct sandbox_held held;

	sandbox_enter(&(struct sandbox){.uses = SANDBOX_CONNECT}, &held);
	if (held.seccomp != !strstr(held.missing, "seccomp"))
		return "seccomp";
	return held.landlock == !strstr(held.missing, "landlock") ? NULL : "landlock";
}

static void test_missing_is_said(void **state)
{
	static const struct sandbox network = {.uses = SANDBOX_CONNECT};

	(void)state;
	in_sandbox(&network, missing_is_said);
}

static void test_forbidden(void **state)
{
	static const struct sandbox network = {.uses = SANDBOX_CONNECT};

	(void)state;
	without_seccomp_skip();
	in_sandbox(&network, nothing_forbidden);
	in_sandbox(&network, no_signals);
}

static void test_files_only(void **state)
{
	static const struct sandbox none = {0};

	(void)state;
	without_seccomp_skip();
	in_sandbox(&none, no_way_out);
}

static void test_files_are_closed(void **state)
{
	static const struct sandbox network = {.uses = SANDBOX_CONNECT};

	(void)state;
	if (!has_landlock) {
		print_message("skipped: this kernel has no landlock\n");
		skip();
	}
	in_sandbox(&network, files_are_closed);
}

static void test_network_works(void **state)
{
	static const struct sandbox network = {.uses = SANDBOX_CONNECT};

	(void)state;
	without_seccomp_skip(); /* it is to keep from listening */
	in_sandbox(&network, network_works);
}

static void test_writes_beneath(void **state)
{
	struct sandbox writing = {.uses = SANDBOX_WRITE, .write = {folder}};

	(void)state;
	in_sandbox(&writing, writes_beneath);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forbidden),	 cmocka_unit_test(test_files_only),
		cmocka_unit_test(test_files_are_closed), cmocka_unit_test(test_network_works),
		cmocka_unit_test(test_writes_beneath),	 cmocka_unit_test(test_missing_is_said),
	};
	char path[sizeof(folder) + 10];

	if (!mkdtemp(folder))
		return 1;
	snprintf(path, sizeof(path), "%s/there", folder);
	close(open(path, O_WRONLY | O_CREAT, 0644));
	has_landlock = syscall(SYS_landlock_create_ruleset, NULL, 0, 1) > 0;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	rmdir(folder);
	return failed;
}
