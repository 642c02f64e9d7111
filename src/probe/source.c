/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "probe/source.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51 /* linux/in.h since 6.3 */
#endif

/* Room enough that the ports of one run come round again only after REST (prober.c). */
#define TRACE_RANGE_MIN 1024

struct port_range source_ephemeral(void)
{
	struct port_range r = {32768, 60999}; /* the kernel's default */
	unsigned low, high;
	FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");

	if (!f)
		return r;
	if (fscanf(f, "%5u %5u", &low, &high) == 2 && low > 0 && low <= high && high <= 65535)
		r = (struct port_range){(uint16_t)low, (uint16_t)high};
	fclose(f);
	return r;
}

/* A stateful router remembers a SYN for two minutes. A connection that takes the same ports in that
 * time with an older sequence number finds the SYN-ACK mistaken for a late one: it connects, and
 * its own ACK is lost. So raw SYNs come from ports that connect() never chooses: above its range,
 * where RFC 6335 puts dynamic ports, or below it, short of 30000, where Kubernetes puts services.
 * Who gave all ports to connect() shares the last ones with us. */
struct port_range source_for_traces(struct port_range ephemeral)
{
	struct port_range above = {(uint16_t)(ephemeral.high + 1u), 65535};
	struct port_range below = {10000, 29999};

	if (ephemeral.high < 65535 && port_range_width(above) >= TRACE_RANGE_MIN)
		return above;
	if (ephemeral.low <= below.high)
		below.high = (uint16_t)(ephemeral.low - 1u);
	if (below.high >= below.low + TRACE_RANGE_MIN)
		return below;
	return (struct port_range){61440, 65535};
}

int source_socket(const struct plan *plan, struct err *e)
{
	bool v6 = plan->target.family == ADDR_V6;
	int one = 1;

	int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set(e, ERR_RUN, "cannot make a TCP socket: %s", strerror(errno));
	if (plan->interface &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, plan->interface,
		       (socklen_t)strlen(plan->interface)) != 0) {
		err_set(e, ERR_RUN, "cannot bind to interface %s: %s%s", plan->interface,
			strerror(errno), errno == EPERM ? " (needs CAP_NET_RAW)" : "");
		close(fd);
		return -1;
	}
	/* v4 queues ICMP errors in SYN_SENT by itself; v6 must be asked */
	if (v6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &one, sizeof(one));
	return fd;
}

static uint16_t local_port(int fd)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	struct addr ignored;
	uint16_t port = 0;

	if (getsockname(fd, (struct sockaddr *)&sa, &len) == 0)
		addr_from_sockaddr(&ignored, &port, (struct sockaddr *)&sa);
	return port;
}

int source_bind(int fd, const struct plan *plan, uint16_t port, uint16_t *got)
{
	struct addr source = plan->source;
	struct sockaddr_storage sa;

	if (!addr_is_set(&source))
		source.family = plan->target.family;
	socklen_t len = addr_to_sockaddr(&source, port, &sa);
	if (bind(fd, (struct sockaddr *)&sa, len) != 0)
		return errno;
	*got = port ? port : local_port(fd);
	return 0;
}

/* -s without a port: that one is the connection's. */
static int bind_source_only(int fd, const struct plan *plan)
{
	uint16_t none;
	int one = 1;

	if (!addr_is_set(&plan->source))
		return 0;
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	int error = source_bind(fd, plan, 0, &none);
	return error == EINVAL ? 0 : error; /* bound by an earlier try */
}

int source_connect(int fd, const struct plan *plan, uint16_t to, uint16_t port, uint16_t *got)
{
	uint32_t range = (uint32_t)port << 16 | port;
	struct sockaddr_storage sa;

	*got = 0;
	if (setsockopt(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, &range, sizeof(range)) != 0 && port)
		return ENOPROTOOPT;
	int error = bind_source_only(fd, plan);
	if (error)
		return error;
	socklen_t len = addr_to_sockaddr(&plan->target, to, &sa);
	if (connect(fd, (struct sockaddr *)&sa, len) != 0 && errno != EINPROGRESS)
		error = errno;
	if (error != EADDRNOTAVAIL)
		*got = local_port(fd);
	return error;
}
