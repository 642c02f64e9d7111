/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Preloaded: one thing that this kernel has and an older one, or one built without it, has not.
 *
 * FAULT_PROGRAM: only the program of that name sees it.
 * FAULT_SEEN: a file of SEEN_SIZE bytes, shared with all processes of the run: what could be missing,
 * one on a line, in the words that FAULT_LACKS takes.
 * FAULT_LACKS: what is missing.
 *
 *   option LEVEL NAME          of a socket: ENOPROTOOPT
 *   path /proc/...             a file or folder of /proc and /sys: ENOENT
 *   request PROTOCOL TYPE      of netlink: goes as a type that there is not, and the kernel says what it then says
 *   attribute PROTOCOL TYPE P  in netlink's answers: gets a type that nobody knows. P is the way to it through
 *                              the attributes around it; a string that stands first among its neighbours, as the
 *                              name of an nf_tables expression does, is part of the way
 *   bpf COMMAND                bpf(2): EINVAL
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SEEN_SIZE    (256 * 1024)
#define LINE_SIZE    200
#define UNKNOWN_TYPE 0x3ff0 /* of an attribute; its flags stay */

struct seen {
	pthread_mutex_t lock;
	uint32_t len;
	char text[SEEN_SIZE - sizeof(pthread_mutex_t) - sizeof(uint32_t)];
};

static struct seen *seen; /* NULL: another program */
static const char *lacks;

__attribute__((constructor)) static void start(void)
{
	const char *program = getenv("FAULT_PROGRAM"), *file = getenv("FAULT_SEEN");
	pthread_mutexattr_t shared;

	if (!program || !file || strcmp(program, program_invocation_short_name) != 0)
		return;
	int fd = (int)syscall(SYS_openat, AT_FDCWD, file, O_RDWR | O_CLOEXEC);
	void *p = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd >= 0)
		close(fd);
	if (p == MAP_FAILED)
		_exit(125);
	lacks = getenv("FAULT_LACKS");
	pthread_mutexattr_init(&shared);
	pthread_mutexattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&shared, PTHREAD_MUTEX_ROBUST); /* who holds it may be killed */
	pthread_mutex_init(&((struct seen *)p)->lock, &shared);
	seen = p;
}

/* Notes it, and tells whether it is what is missing. */
__attribute__((format(printf, 1, 2))) static bool is_missing(const char *format, ...)
{
	char line[LINE_SIZE + 2] = "";
	va_list args;

	if (!seen)
		return false;
	va_start(args, format);
	int n = vsnprintf(line, LINE_SIZE, format, args);
	va_end(args);
	if (n <= 0 || n >= LINE_SIZE)
		return false;
	bool missing = lacks && strcmp(line, lacks) == 0;
	line[n] = '\n';
	line[n + 1] = '\0';
	if (pthread_mutex_lock(&seen->lock) == EOWNERDEAD)
		pthread_mutex_consistent(&seen->lock);
	if (!strstr(seen->text, line) && seen->len + (size_t)n + 2 < sizeof(seen->text)) {
		memcpy(seen->text + seen->len, line, (size_t)n + 2);
		seen->len += (uint32_t)n + 1;
	}
	pthread_mutex_unlock(&seen->lock);
	return missing;
}

/* ---- netlink ----------------------------------------------------------------------------- */

/* -1: no netlink socket */
static int protocol_of(int fd)
{
	int domain = 0, protocol = 0, before = errno;
	socklen_t len = sizeof(domain);

	if (!seen)
		return -1;
	bool ok = syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_NETLINK &&
		  syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == 0;
	errno = before;
	return ok ? protocol : -1;
}

/* Of what stands before the attributes; 0: not known. */
static size_t header_size(int protocol, unsigned type)
{
	if (protocol == NETLINK_NETFILTER)
		return sizeof(struct nfgenmsg);
	if (protocol == NETLINK_XFRM)
		return type == XFRM_MSG_NEWPOLICY ? sizeof(struct xfrm_userpolicy_info) : 0;
	if (protocol != NETLINK_ROUTE)
		return 0;
	switch (type) {
	case RTM_NEWLINK: return 16;
	case RTM_NEWADDR: return sizeof(struct ifaddrmsg);
	case RTM_NEWROUTE: return sizeof(struct rtmsg);
	case RTM_NEWNEIGH: return sizeof(struct ndmsg);
	case RTM_NEWRULE: return 12;
	case RTM_NEWQDISC:
	case RTM_NEWTCLASS:
	case RTM_NEWTFILTER:
	case RTM_NEWCHAIN: return sizeof(struct tcmsg);
	default: return 0;
	}
}

static bool is_name(const struct nlattr *a)
{
	const char *s = (const char *)(a + 1);
	size_t len = a->nla_len - sizeof(*a);

	if (len < 3 || s[len - 1] != '\0' || len > 20)
		return false;
	for (size_t i = 0; i + 1 < len; i++)
		if (s[i] < '0' || s[i] > 'z')
			return false;
	return true;
}

/* Whether these bytes are nothing but attributes. */
static bool are_attributes(const char *p, size_t len)
{
	size_t at = 0;

	while (at + sizeof(struct nlattr) <= len) {
		const struct nlattr *a = (const struct nlattr *)(const void *)(p + at);
		unsigned type = a->nla_type & NLA_TYPE_MASK;
		if (a->nla_len < sizeof(*a) || a->nla_len > len - at || type > 255)
			return false;
		at += NLA_ALIGN(a->nla_len);
	}
	return at > sizeof(struct nlattr) && at >= len;
}

static void change_attributes(char *p, size_t len, const char *way)
{
	const char *name = "";

	for (size_t at = 0; at + sizeof(struct nlattr) <= len;) {
		struct nlattr *a = (struct nlattr *)(void *)(p + at);
		if (a->nla_len < sizeof(*a) || a->nla_len > len - at)
			return;
		unsigned type = a->nla_type & NLA_TYPE_MASK;
		char here[LINE_SIZE];
		if (at == 0 && is_name(a) && strchr(way, '/'))
			name = (const char *)(a + 1);
		int n = snprintf(here, sizeof(here), "%s%s%s/%u", way, *name ? ":" : "", name, type);
		if (n <= 0 || (size_t)n >= sizeof(here))
			return;
		char *inner = (char *)(a + 1);
		size_t inner_len = a->nla_len - sizeof(*a);
		if (are_attributes(inner, inner_len))
			change_attributes(inner, inner_len, here);
		if (is_missing("%s", here))
			a->nla_type = (uint16_t)((a->nla_type & ~NLA_TYPE_MASK) | UNKNOWN_TYPE);
		at += NLA_ALIGN(a->nla_len);
	}
}

static void change_answer(int protocol, char *bytes, size_t len)
{
	for (size_t at = 0; at + sizeof(struct nlmsghdr) <= len;) {
		struct nlmsghdr *m = (struct nlmsghdr *)(void *)(bytes + at);
		if (m->nlmsg_len < sizeof(*m) || m->nlmsg_len > len - at)
			return;
		size_t header = sizeof(*m) + NLMSG_ALIGN(header_size(protocol, m->nlmsg_type));
		char way[64];
		snprintf(way, sizeof(way), "attribute %d %u ", protocol, m->nlmsg_type);
		if (m->nlmsg_type >= NLMSG_MIN_TYPE && header > sizeof(*m) && header < m->nlmsg_len)
			change_attributes((char *)m + header, m->nlmsg_len - header, way);
		at += NLMSG_ALIGN(m->nlmsg_len);
	}
}

static void change_questions(int protocol, char *bytes, size_t len)
{
	for (size_t at = 0; at + sizeof(struct nlmsghdr) <= len;) {
		struct nlmsghdr *m = (struct nlmsghdr *)(void *)(bytes + at);
		if (m->nlmsg_len < sizeof(*m) || m->nlmsg_len > len - at)
			return;
		if (m->nlmsg_type >= NLMSG_MIN_TYPE && is_missing("request %d %u", protocol, m->nlmsg_type))
			m->nlmsg_type = protocol == NETLINK_NETFILTER ? (uint16_t)(m->nlmsg_type | 0xff) : 0xfff;
		at += NLMSG_ALIGN(m->nlmsg_len);
	}
}

ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
	ssize_t n = syscall(SYS_recvmsg, fd, m, flags);
	int protocol = n > 0 && m->msg_iovlen == 1 && !(flags & MSG_PEEK) ? protocol_of(fd) : -1;

	if (protocol >= 0)
		change_answer(protocol, m->msg_iov[0].iov_base,
			      (size_t)n < m->msg_iov[0].iov_len ? (size_t)n : m->msg_iov[0].iov_len);
	return n;
}

ssize_t recvfrom(int fd, void *buf, size_t size, int flags, struct sockaddr *from, socklen_t *len)
{
	ssize_t n = syscall(SYS_recvfrom, fd, buf, size, flags, from, len);
	int protocol = n > 0 && !(flags & MSG_PEEK) ? protocol_of(fd) : -1;

	if (protocol >= 0)
		change_answer(protocol, buf, (size_t)n < size ? (size_t)n : size);
	return n;
}

ssize_t recv(int fd, void *buf, size_t size, int flags)
{
	return recvfrom(fd, buf, size, flags, NULL, NULL);
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	int protocol = protocol_of(fd);

	for (size_t i = 0; protocol >= 0 && i < m->msg_iovlen; i++)
		change_questions(protocol, m->msg_iov[i].iov_base, m->msg_iov[i].iov_len);
	return syscall(SYS_sendmsg, fd, m, flags);
}

ssize_t sendto(int fd, const void *buf, size_t size, int flags, const struct sockaddr *to, socklen_t len)
{
	int protocol = protocol_of(fd);

	if (protocol >= 0)
		change_questions(protocol, (char *)(uintptr_t)buf, size);
	return syscall(SYS_sendto, fd, buf, size, flags, to, len);
}

ssize_t send(int fd, const void *buf, size_t size, int flags)
{
	return sendto(fd, buf, size, flags, NULL, 0);
}

/* ---- sockets ----------------------------------------------------------------------------- */

int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	if (is_missing("option %d %d", level, name)) {
		errno = ENOPROTOOPT;
		return -1;
	}
	return (int)syscall(SYS_setsockopt, fd, level, name, value, len);
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	if (is_missing("option %d %d", level, name)) {
		errno = ENOPROTOOPT;
		return -1;
	}
	return (int)syscall(SYS_getsockopt, fd, level, name, value, len);
}

/* ---- files ------------------------------------------------------------------------------- */

static bool lacks_path(const char *path)
{
	char general[LINE_SIZE];
	size_t n = 0;

	if (!path || (strncmp(path, "/proc/", 6) != 0 && strncmp(path, "/sys/", 5) != 0))
		return false;
	for (const char *p = path; *p && n + 1 < sizeof(general); p++)
		if (strchr("0123456789", *p) && p[-1] == '/') {
			general[n++] = 'N'; /* whose process it is */
			p += strspn(p, "0123456789") - 1;
		} else {
			general[n++] = *p;
		}
	general[n] = '\0';
	if (!is_missing("path %s", general))
		return false;
	errno = ENOENT;
	return true;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

FILE *fopen(const char *path, const char *mode)
{
	return lacks_path(path) ? NULL : REAL(fopen)(path, mode);
}

FILE *fopen64(const char *path, const char *mode)
{
	return lacks_path(path) ? NULL : REAL(fopen64)(path, mode);
}

int open(const char *path, int flags, ...)
{
	va_list args;

	va_start(args, flags);
	mode_t mode = va_arg(args, mode_t);
	va_end(args);
	return lacks_path(path) ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	va_list args;

	va_start(args, flags);
	mode_t mode = va_arg(args, mode_t);
	va_end(args);
	return lacks_path(path) ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int access(const char *path, int mode)
{
	return lacks_path(path) ? -1 : (int)syscall(SYS_faccessat, AT_FDCWD, path, mode);
}

int stat(const char *path, struct stat *out)
{
	return lacks_path(path) ? -1 : REAL(stat)(path, out);
}

ssize_t readlink(const char *path, char *out, size_t size)
{
	return lacks_path(path) ? -1 : (ssize_t)syscall(SYS_readlinkat, AT_FDCWD, path, out, size);
}

/* ---- eBPF -------------------------------------------------------------------------------- */

/* libbpf's way to bpf(2). */
long syscall(long number, ...)
{
	static long (*real)(long, ...);
	long a[6];
	va_list args;

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (number == SYS_bpf && is_missing("bpf %ld", a[0])) {
		errno = EINVAL;
		return -1;
	}
	if (!real)
		real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
