/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Preloaded: sockets that hear from the kernel get the smallest buffer there is, however much the program asks
 * for, so that what comes at once does not fit (ENOBUFS).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int bind(int fd, const struct sockaddr *sa, socklen_t len)
{
	const int small = 1;

	if (sa->sa_family == AF_NETLINK && strcmp(program_invocation_short_name, "smtpblame") == 0)
		syscall(SYS_setsockopt, fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	return (int)syscall(SYS_bind, fd, sa, len);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	if (level == SOL_SOCKET && (name == SO_RCVBUF || name == SO_RCVBUFFORCE) &&
	    strcmp(program_invocation_short_name, "smtpblame") == 0)
		return 0;
	return (int)syscall(SYS_setsockopt, fd, level, name, value, len);
}
