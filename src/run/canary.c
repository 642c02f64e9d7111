/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which documentation addresses can stand for "anybody beyond our next hop"? */
#include <string.h>
#include <sys/random.h>

#include "run/target.h"

/* A route to such an address that is more special than this knows its network: it may be somebody's
 * here. VPNs split the default route in two, IPv6's may be 2000::/3. */
#define GENERAL_V4 8
#define GENERAL_V6 16

struct range {
	const char *first;
	unsigned bits;
};

static const struct range ranges_v4[] = {
	{"192.0.2.0", 24}, {"198.51.100.0", 24}, {"203.0.113.0", 24}}; /* RFC 5737 */
static const struct range ranges_v6[] = {{"3fff::", 20}, {"2001:db8::", 32}}; /* RFC 9637, 3849 */

static bool is_in(const struct addr *a, const struct addr *first, unsigned bits)
{
	return addr_is_set(a) && addr_common_prefix(a, first) >= bits;
}

/* Where the first and last numbers of a network are, routers and servers are. */
static void choose_host(struct addr *a, unsigned bits, const uint8_t random[16], bool again)
{
	unsigned len = a->family == ADDR_V4 ? 4 : 16;

	for (unsigned i = bits / 8; i < len; i++) {
		uint8_t kept = i == bits / 8 ? (uint8_t)(0xff00u >> bits % 8) : 0;
		a->bytes[i] = (uint8_t)((a->bytes[i] & kept) | (random[i] & ~kept));
	}
	if (a->family == ADDR_V4) /* the second of a range differs from the first */
		a->bytes[3] = (uint8_t)((again ? 190 : 130) + random[3] % 60);
}

/* Does it leave this host just as the target does, by a route that knows nothing of it? */
static bool leaves_alike(struct run *r, const struct addr *a)
{
	struct route_query q = {.dst = *a,
				.src = r->plan->source,
				.oif = r->oif,
				.dport = r->plan->ports[0].port};
	bool by_gateway = r->has_next_hop && !addr_equal(&r->next_hop, &r->plan->target);
	struct host_route route;
	struct err ignored;

	if (host_get_route(r->live->host, &q, &route, &ignored) != 0 || route.error || route.local ||
	    route.assumed_on_link || route.oif != r->egress ||
	    route.prefix_len > (a->family == ADDR_V4 ? GENERAL_V4 : GENERAL_V6))
		return false;
	/* a tunnel has no next hop's address, and no neighbours */
	return by_gateway ? addr_equal(&route.gateway, &r->next_hop)
			  : !r->has_next_hop && !addr_is_set(&route.gateway);
}

void look_for_canary(struct run *r)
{
	bool v4 = r->plan->target.family == ADDR_V4;
	const struct range *ranges = v4 ? ranges_v4 : ranges_v6;
	size_t n = v4 ? sizeof(ranges_v4) / sizeof(ranges_v4[0]) : sizeof(ranges_v6) / sizeof(ranges_v6[0]);
	struct event ev = {.kind = EV_CANARY};
	uint8_t random[16 * CANARY_ADDRESSES];
	unsigned found = 0;

	if (r->plan->no_canary || !r->live->sender || !r->egress ||
	    getrandom(random, sizeof(random), 0) != sizeof(random))
		return;
	/* twice around: two from each range, in case that one turns out to be in use on the way */
	for (size_t i = 0; i < 2 * n && found < CANARY_ADDRESSES; i++) {
		const struct range *range = &ranges[i % n];
		struct addr *a = &ev.canary.address[found];
		addr_parse(a, range->first);
		bool in_use = is_in(&r->plan->target, a, range->bits) ||
			      is_in(&r->source, a, range->bits) || is_in(&r->next_hop, a, range->bits);
		choose_host(a, range->bits, random + 16 * found, i >= n);
		if (!in_use && leaves_alike(r, a))
			found++;
		else
			*a = (struct addr){0};
	}
	if (found >= 2)
		look_add(r, &ev);
}
