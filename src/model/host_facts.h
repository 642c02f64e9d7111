/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the kernel says about this host, as values: link, route, rule, neighbour. */
#ifndef SB_MODEL_HOST_FACTS_H
#define SB_MODEL_HOST_FACTS_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

#define ROUTE_TEXT_MAX 256

struct host_link {
	int ifindex;
	char name[IFNAMSIZ];
	char kind[16];   /* "ethernet", "loopback", "wireguard", "tun", "vlan", "bridge", "veth", ... */
	uint16_t arphrd; /* linux/if_arp.h ARPHRD_* */
	unsigned mtu;    /* bytes */
	bool up;         /* IFF_UP: set so by the administrator */
	bool carrier;    /* IFF_LOWER_UP */
	bool loopback;
	bool tunnel;     /* carries its packets inside other packets: the path is the tunnel's */
	bool needs_neighbour; /* next hops have link-layer addresses (no IFF_NOARP) */
	uint8_t mac[8];
	uint8_t mac_len;
};

/* What stopped a lookup, in the words of `ip route` / `ip rule`. */
enum route_stop {
	ROUTE_STOP_NONE,
	ROUTE_STOP_ROUTE, /* a route of type prohibit, blackhole, unreachable, throw */
	ROUTE_STOP_RULE,  /* an ip rule with such an action */
	ROUTE_STOP_NO_ROUTE,
	ROUTE_STOP_OTHER, /* the lookup failed and neither list says why */
};

/* The kernel's own lookup for one destination, source, interface and port. */
struct host_route {
	uint16_t port;     /* destination port that was asked for, 0: none */
	int error;         /* 0, or the errno with which the lookup failed (positive) */
	bool local;        /* the destination is an address of this host */
	bool assumed_on_link; /* no table has a route by the interface given: the kernel tries the link */
	bool multipath;    /* several next hops: this lookup shows one of them */
	uint8_t prefix_len; /* of the route that fits; 0: a default route, or not known */
	uint32_t table;
	int oif;           /* egress interface index, 0 on error */
	struct addr gateway; /* next hop; ADDR_NONE when the destination is on the link */
	struct addr prefsrc; /* source address that the kernel picks */
	unsigned mtu;        /* of the route when set, else 0 */
	char text[ROUTE_TEXT_MAX]; /* as `ip route get` prints it, or the kernel's error */
	/* set when error is not 0 */
	enum route_stop stop;
	char stop_type[16];   /* "prohibit", "blackhole", "unreachable", "none" */
	char stop_table[32];  /* name or number of the table of a ROUTE_STOP_ROUTE */
	uint32_t stop_priority; /* of a ROUTE_STOP_RULE */
	char stop_text[ROUTE_TEXT_MAX]; /* the route or rule as iproute2 prints it */
	char would_text[ROUTE_TEXT_MAX]; /* the route that would be taken without it; "" none found */
};

struct host_neighbour {
	struct addr address;
	int ifindex;
	bool exists;    /* an entry is in the table */
	uint16_t state; /* linux/neighbour.h NUD_* */
	bool watched;   /* this run's tap sees what is said between this host and it about its address */
	uint8_t mac[8];
	uint8_t mac_len;
};

/* "reachable", "stale", "failed", "incomplete", "none", ... as `ip neigh` says. */
const char *neighbour_state_name(const struct host_neighbour *n);

/* False while or because the next hop's link-layer address is not known. */
bool neighbour_is_usable(const struct host_neighbour *n);

/* It was asked for its link-layer address, and has not answered. */
bool neighbour_is_silent(const struct host_neighbour *n);

#endif
