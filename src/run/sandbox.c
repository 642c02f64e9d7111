/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/arena.h"

#ifdef SMTPBLAME_SECCOMP
#include <seccomp.h>
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static void miss(struct sandbox_held *held, const char *what, const char *why)
{
	size_t n = strlen(held->missing);

	snprintf(held->missing + n, sizeof(held->missing) - n, "%s%s: %s", n ? "; " : "", what, why);
}

#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))

/* ---- system calls ---- */

#ifdef SMTPBLAME_SECCOMP

/* By name, for not every architecture has each. Threads, memory, time, reading and writing. */
static const char *const always[] = {
	"alarm", "arch_prctl", "brk", "clock_getres", "clock_gettime", "clock_nanosleep", "close",
	"close_range", "dup", "dup2", "dup3", "epoll_create1", "epoll_ctl", "epoll_pwait",
	"epoll_pwait2", "epoll_wait", "eventfd2", "exit", "exit_group", "fallocate", "fcntl", "fdatasync",
	"fstat", "fsync", "ftruncate", "futex", "futex_wait", "futex_wake", "getcpu", "getcwd",
	"getdents", "getdents64", "getegid", "geteuid", "getgid", "getgroups", "getpgrp", "getpid", "getppid",
	"getrandom", "getresgid", "getresuid", "getrlimit", "getrusage", "getsid", "gettid",
	"gettimeofday", "getuid", "lseek", "madvise", "membarrier", "mmap", "mprotect",
	"mremap", "munmap", "nanosleep", "newfstatat", "pipe2", "poll", "ppoll", "prctl", "pread64",
	"preadv", "pselect6", "pwrite64", "read", "readv", "restart_syscall", "rseq",
	"rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait",
	"sched_getaffinity", "sched_yield", "select", "setitimer", "set_robust_list", "set_tid_address",
	"sigaltstack", "signalfd4", "sysinfo", "time", "timerfd_create",
	"timerfd_gettime", "timerfd_settime", "times", "uname", "wait4", "waitid", "write", "writev",
	/* what there is; what may be opened is landlock's matter */
	"access", "faccessat", "faccessat2", "fstatfs", "lstat", "readlink", "readlinkat", "stat",
	"statfs", "statx", "umask",
};

static const char *const for_sockets[] = {
	"bind", "connect", "getpeername", "getsockname", "getsockopt", "recvfrom", "recvmmsg",
	"recvmsg", "sendmmsg", "sendmsg", "sendto", "setsockopt", "shutdown", "socketpair",
};

static const char *const for_listening[] = {"accept", "accept4", "listen"};

static const char *const for_writing[] = {
	"open", "openat", /* in any way */
	"fchmod", "fchown", "linkat", "mkdir", "mkdirat", "rename", "renameat", "renameat2",
	"rmdir", "unlink", "unlinkat",
	/* to its saved id, not to any: whose the files are */
	"setfsgid", "setfsuid",
};

/* A leak checker stops its own threads as a debugger would. */
static const char *const for_sanitizers[] = {
	"clone", "kill", "personality", "process_vm_readv", "ptrace", "sched_setaffinity",
};

/* Of a terminal, an interface or a socket: what they are. Above all not TIOCSTI, which types into the
 * caller's shell. */
static const unsigned long ioctls[] = {
	TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, SIOCGIFNAME, SIOCGIFINDEX, SIOCGIFFLAGS, SIOCGIFMTU,
	SIOCGIFCONF, SIOCGIFADDR,
};

static const int domains[] = {AF_INET, AF_INET6, AF_NETLINK};

static int allow(scmp_filter_ctx ctx, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int number = seccomp_syscall_resolve_name(names[i]);
		int rc = number == __NR_SCMP_ERROR
				 ? 0
				 : seccomp_rule_add(ctx, SCMP_ACT_ALLOW, number, 0);
		/* -EDOM: this architecture has no such call */
		if (rc != 0 && rc != -EDOM)
			return rc;
	}
	return 0;
}

/* One call for one value of an argument, of which the kernel looks at `bits`. */
static int allow_value(scmp_filter_ctx ctx, int number, unsigned argument, uint64_t bits, uint64_t value)
{
	struct scmp_arg_cmp is = {
		.arg = argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = bits, .datum_b = value};

	return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, number, 1, &is);
}

#define INT_BITS UINT64_C(0xffffffff)

/* Daemons that trust root listen on Unix sockets, and an empty capability set does not keep root from
 * them: names are then looked up in files and by the DNS alone. */
static int allow_domains(scmp_filter_ctx ctx)
{
	int rc = geteuid() == 0 ? 0 : allow_value(ctx, SCMP_SYS(socket), 0, INT_BITS, AF_UNIX);

	for (size_t i = 0; i < LENGTH(domains) && rc == 0; i++)
		rc = allow_value(ctx, SCMP_SYS(socket), 0, INT_BITS, (uint64_t)domains[i]);
	return rc;
}

/* Reading only, also where there is no landlock. openat2() has its flags in memory, where a filter
 * can't look. */
static int allow_reading(scmp_filter_ctx ctx)
{
	const uint64_t writes = O_ACCMODE | O_CREAT | O_TRUNC;
	int rc = allow_value(ctx, SCMP_SYS(open), 1, writes, O_RDONLY);

	return rc ? rc : allow_value(ctx, SCMP_SYS(openat), 2, writes, O_RDONLY);
}

/* Signals and limits of this process, not of others of the same user. */
static int allow_own(scmp_filter_ctx ctx)
{
	int rc = allow_value(ctx, SCMP_SYS(tgkill), 0, INT_BITS, (uint64_t)getpid());

	if (rc == 0)
		rc = allow_value(ctx, SCMP_SYS(prlimit64), 0, INT_BITS, 0);
	for (size_t i = 0; i < LENGTH(ioctls) && rc == 0; i++)
		rc = allow_value(ctx, SCMP_SYS(ioctl), 1, INT_BITS, ioctls[i]);
	return rc;
}

/* A thread, and no process. What clone3() is to do stands in memory, where a filter can't look: the
 * C library takes ENOSYS for an old kernel, and falls back on clone(). */
static int allow_threads(scmp_filter_ctx ctx)
{
	int rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);

	if (rc == 0 && !SANITIZED)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				      SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	return rc;
}

static int add_rules(scmp_filter_ctx ctx, unsigned uses)
{
	int rc = allow(ctx, always, LENGTH(always));

	if (rc == 0)
		rc = allow_own(ctx);
	if (rc == 0 && !(uses & SANDBOX_WRITE))
		rc = allow_reading(ctx);
	if (rc == 0)
		rc = allow_threads(ctx);
	if (rc == 0 && uses & (SANDBOX_CONNECT | SANDBOX_LISTEN))
		rc = allow(ctx, for_sockets, LENGTH(for_sockets));
	if (rc == 0 && uses & (SANDBOX_CONNECT | SANDBOX_LISTEN))
		rc = allow_domains(ctx);
	if (rc == 0 && uses & SANDBOX_LISTEN)
		rc = allow(ctx, for_listening, LENGTH(for_listening));
	if (rc == 0 && uses & SANDBOX_WRITE)
		rc = allow(ctx, for_writing, LENGTH(for_writing));
	if (rc == 0 && SANITIZED)
		rc = allow(ctx, for_sanitizers, LENGTH(for_sanitizers));
	return rc;
}

/* More than a filter takes, while it can be said that there is none: libseccomp 2.5 frees twice what it
 * could not allocate, or leaves a rule out without a word. */
static void make_sure_of_memory(void)
{
	void *pieces[32];

	for (size_t i = 0; i < LENGTH(pieces); i++)
		pieces[i] = xmalloc(16384);
	for (size_t i = 0; i < LENGTH(pieces); i++)
		free(pieces[i]);
}

static void filter_calls(unsigned uses, struct sandbox_held *held)
{
	make_sure_of_memory();
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int rc = ctx ? add_rules(ctx, uses) : -ENOMEM;

	/* a hash of numbers rather than a list: these calls are what the program does all day */
	if (rc == 0)
		seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (rc == 0)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	held->seccomp = rc == 0;
	if (rc != 0)
		miss(held, "seccomp", strerror(-rc));
}

#else

static void filter_calls(unsigned uses, struct sandbox_held *held)
{
	(void)uses;
	miss(held, "seccomp", "not built in (libseccomp)");
}

#endif

/* ---- files ---- */

/* As the kernel has it since ABI 6 (linux/landlock.h of Linux 6.12); older ones take its beginning. */
struct ruleset {
	uint64_t handled_access_fs, handled_access_net, scoped;
};

#define FS_REFER    (UINT64_C(1) << 13) /* ABI 2 */
#define FS_TRUNCATE (UINT64_C(1) << 14) /* ABI 3 */
#define SCOPE_ABSTRACT_UNIX_SOCKET (UINT64_C(1) << 0)
#define SCOPE_SIGNAL (UINT64_C(1) << 1) /* ABI 6 */

#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_WRITE                                                                                 \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                          \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG)
#define FS_NEVER                                                                                 \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_SOCK | \
	 LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)

/* Libraries and their data, name resolution, trust anchors. Of /etc only what everybody may read. */
static const char *const system_paths[] = {
	"/usr", "/lib", "/lib32", "/lib64", "/opt", "/nix/store", "/gnu/store", "/proc", "/sys",
	/* whatever their mode: root reads them everywhere else, too */
	"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf",
	"/dev/null", "/dev/random", "/run/systemd/resolve", "/run/resolvconf",
	"/run/NetworkManager", "/run/nscd", "/run/connman", "/run/dhcpcd",
	"/var/lib/ca-certificates", "/var/lib/unbound", "/var/lib/sss", "/var/cache/nscd",
};

static void add_path(int ruleset, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = access,
						  .parent_fd = open(path, O_PATH | O_CLOEXEC)};
	struct stat st;

	if (rule.parent_fd < 0) /* not every system has each */
		return;
	if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed_access &= LANDLOCK_ACCESS_FS_READ_FILE |
				       LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE;
	syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	close(rule.parent_fd);
}

/* Root owns its files without any capability: what is not for everybody stays closed. A file that is
 * replaced later stays closed, too, where others get the folder. */
static void add_public_entries(int ruleset, const char *folder)
{
	DIR *dir = geteuid() == 0 ? opendir(folder) : NULL;
	char path[512];
	struct stat st;

	for (struct dirent *d = dir ? readdir(dir) : NULL; d; d = readdir(dir)) {
		int n = snprintf(path, sizeof(path), "%s/%s", folder, d->d_name);
		if (d->d_name[0] != '.' && n > 0 && (size_t)n < sizeof(path) &&
		    stat(path, &st) == 0 && st.st_mode & S_IROTH)
			add_path(ruleset, path, FS_READ);
	}
	if (dir)
		closedir(dir);
	else
		add_path(ruleset, folder, FS_READ);
}

/* Whoever names other trust anchors to OpenSSL has these two (SSL_CTX_set_default_verify_paths(3)). */
static void add_environment(int ruleset)
{
	static const char *const names[] = {"SSL_CERT_FILE", "SSL_CERT_DIR"};

	for (size_t i = 0; i < LENGTH(names); i++) {
		const char *path = getenv(names[i]);
		if (path)
			add_path(ruleset, path, FS_READ);
	}
}

static void limit_files(const struct sandbox *s, struct sandbox_held *held)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	uint64_t newer = (abi >= 2 ? FS_REFER : 0) | (abi >= 3 ? FS_TRUNCATE : 0);
	struct ruleset attr = {
		.handled_access_fs = FS_READ | FS_WRITE | FS_NEVER | newer,
		.scoped = abi >= 6 ? SCOPE_SIGNAL | SCOPE_ABSTRACT_UNIX_SOCKET : 0,
	};

	if (abi < 1) {
		miss(held, "landlock", strerror(errno));
		return;
	}
	size_t size = abi >= 6 ? sizeof(attr) : sizeof(attr.handled_access_fs);
	int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (ruleset < 0) {
		miss(held, "landlock", strerror(errno));
		return;
	}
	if (s->uses & (SANDBOX_CONNECT | SANDBOX_LISTEN)) {
		for (size_t i = 0; i < LENGTH(system_paths); i++)
			add_path(ruleset, system_paths[i], FS_READ);
		add_public_entries(ruleset, "/etc");
		add_environment(ruleset);
	}
	/* keyed hashes, also of what reads no file */
	add_path(ruleset, "/dev/urandom", FS_READ);
	if (SANITIZED) /* a leak checker looks up its threads */
		add_path(ruleset, "/proc", FS_READ);
	for (int i = 0; i < SANDBOX_MAX_PATHS && s->read[i]; i++)
		add_path(ruleset, s->read[i], FS_READ);
	for (int i = 0; i < SANDBOX_MAX_PATHS && s->write[i]; i++)
		add_path(ruleset, s->write[i], FS_READ | FS_WRITE | newer);
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) == 0)
		held->landlock = true;
	else
		miss(held, "landlock", strerror(errno));
	close(ruleset);
}

void sandbox_enter(const struct sandbox *s, struct sandbox_held *held)
{
	*held = (struct sandbox_held){0};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
		miss(held, "no_new_privs", strerror(errno));
		return;
	}
	limit_files(s, held);
	filter_calls(s->uses, held);
}
