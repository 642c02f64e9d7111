/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The kernel looks the socket up as it does for a packet (sock_diag), and tells
 * its inode; whose that is, only the descriptors of all processes tell.
 */
#include "host/owner.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netlink/msg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "host/ask.h"

#define SOCKET_TIMEOUT_MS 300
#define SEARCH_MS         200 /* some 200,000 descriptors */

/* net/tcp_states.h */
enum { STATE_LISTEN = 10 };

/* What stays on this host comes in by the loopback interface, the first of every namespace. */
enum { LOOPBACK_IFINDEX = 1 };

/* ---- the socket -------------------------------------------------------------------------- */

static bool on_socket(const struct nlmsghdr *m, void *arg)
{
	struct inet_diag_msg *out = arg;

	if (m && m->nlmsg_type == SOCK_DIAG_BY_FAMILY && m->nlmsg_len >= NLMSG_LENGTH(sizeof(*out)))
		memcpy(out, nlmsg_data(m), sizeof(*out));
	return true;
}

static bool ask_socket(const struct addr *local, uint16_t port, const struct addr *peer,
		       uint16_t peer_port, struct inet_diag_msg *out)
{
	struct inet_diag_req_v2 q = {
		.sdiag_family = (uint8_t)netlink_family(local),
		.sdiag_protocol = IPPROTO_TCP,
		.idiag_states = UINT32_MAX,
		.id = {.idiag_sport = htons(port),
		       .idiag_dport = htons(peer_port),
		       .idiag_if = LOOPBACK_IFINDEX,
		       .idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}},
	};
	struct err e;
	int answer;

	memcpy(q.id.idiag_src, local->bytes, netlink_addr_len(local));
	memcpy(q.id.idiag_dst, peer->bytes, netlink_addr_len(local));
	memset(out, 0, sizeof(*out));
	struct nl_msg *msg = netlink_request(SOCK_DIAG_BY_FAMILY, 0, &q, sizeof(q));
	return ask(NETLINK_SOCK_DIAG, msg, SOCKET_TIMEOUT_MS, on_socket, out, &answer, &e) == 0 &&
	       answer == 0 && out->idiag_family != 0;
}

/* A socket of IPv6 may hold an IPv4 address. */
static struct addr address_of(const struct inet_diag_msg *m)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	static const uint8_t any[16];
	const uint8_t *bytes = (const uint8_t *)m->id.idiag_src;
	const size_t len = m->idiag_family == AF_INET ? 4 : 16;

	if (memcmp(bytes, any, len) == 0)
		return (struct addr){.family = ADDR_NONE};
	if (len == 16 && memcmp(bytes, mapped, sizeof(mapped)) == 0)
		return addr_v4(bytes + sizeof(mapped));
	return len == 4 ? addr_v4(bytes) : addr_v6(bytes);
}

/* ---- the process ------------------------------------------------------------------------- */

static bool holds(int proc, const char *pid, uint32_t inode, int64_t deadline)
{
	char path[300], link[64], wanted[64];
	bool found = false;

	snprintf(wanted, sizeof(wanted), "socket:[%u]", inode);
	snprintf(path, sizeof(path), "%s/fd", pid);
	int fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (!dir && fd >= 0)
		close(fd);
	if (!dir)
		return false;
	for (struct dirent *d = readdir(dir); d && !found; d = readdir(dir)) {
		ssize_t n = readlinkat(fd, d->d_name, link, sizeof(link) - 1);
		if (n > 0) {
			link[n] = '\0';
			found = strcmp(link, wanted) == 0;
		}
		if (clock_mono_ns() > deadline)
			break;
	}
	closedir(dir);
	return found;
}

static void read_name(int proc, const char *pid, char *out, size_t size)
{
	char path[300], name[64];
	ssize_t n = -1;

	snprintf(path, sizeof(path), "%s/comm", pid);
	int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, name, sizeof(name));
		close(fd);
	}
	while (n > 0 && name[n - 1] == '\n')
		n--;
	if (n > 0)
		watch_text(out, size, name, (size_t)n);
}

/* The first process that has it: a server's own, before its children. */
static void find_process(uint32_t inode, struct host_owner *out)
{
	const int64_t deadline = clock_mono_ns() + SEARCH_MS * NS_PER_MS;
	DIR *proc = opendir("/proc");

	if (!proc)
		return;
	for (struct dirent *d = readdir(proc); d && clock_mono_ns() <= deadline;
	     d = readdir(proc)) {
		if (!isdigit((unsigned char)d->d_name[0]) ||
		    !holds(dirfd(proc), d->d_name, inode, deadline))
			continue;
		out->pid = (uint32_t)strtoul(d->d_name, NULL, 10);
		read_name(dirfd(proc), d->d_name, out->name, sizeof(out->name));
		break;
	}
	closedir(proc);
}

/* ---- both -------------------------------------------------------------------------------- */

bool owner_find(const struct addr *local, uint16_t port, const struct addr *peer,
		uint16_t peer_port, enum owner_match match, struct host_owner *out)
{
	struct inet_diag_msg m;

	memset(out, 0, sizeof(*out));
	if (local->family != peer->family)
		return false;
	/* no connection has port 0 at its other end: so only a listener can answer */
	if (!ask_socket(local, port, peer, match == OWNER_LISTENER ? 0 : peer_port, &m) ||
	    (m.idiag_state == STATE_LISTEN) != (match == OWNER_LISTENER))
		return false;
	out->address = address_of(&m);
	out->port = ntohs(m.id.idiag_sport);
	out->uid = m.idiag_uid;
	if (m.idiag_inode) /* 0: no program has accepted it yet, or it has closed it */
		find_process(m.idiag_inode, out);
	return true;
}
