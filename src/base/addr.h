/* SPDX-License-Identifier: GPL-3.0-or-later */
/* IPv4 and IPv6 addresses as one value type. */
#ifndef SB_BASE_ADDR_H
#define SB_BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

enum addr_family {
	ADDR_NONE = 0, /* "no address"; what a zeroed struct means */
	ADDR_V4 = 4,
	ADDR_V6 = 6,
};

struct addr {
	uint8_t family;     /* enum addr_family */
	uint8_t bytes[16];  /* network byte order; v4 uses the first four, the rest is 0 */
	uint32_t scope;     /* interface index of a link-local v6 address, else 0 */
};

#define ADDR_TEXT_MAX 80 /* "[v6]%interface" and its NUL fit */

struct addr addr_v4(const void *four_bytes);
struct addr addr_v6(const void *sixteen_bytes);

/* From a literal ("192.0.2.1", "2001:db8::1", "fe80::1%eth0", "[2001:db8::1]"). */
bool addr_parse(struct addr *a, const char *text);

/* Writes the text form (no brackets, no zone: which number an interface has is no matter of the
 * address) to out[ADDR_TEXT_MAX] and returns out. */
const char *addr_text(const struct addr *a, char *out);

/* ignores scope */
static inline bool addr_equal(const struct addr *a, const struct addr *b)
{
	uint64_t x[2], y[2];

	memcpy(x, a->bytes, sizeof(x));
	memcpy(y, b->bytes, sizeof(y));
	return a->family == b->family && x[0] == y[0] && x[1] == y[1];
}

bool addr_is_set(const struct addr *a);

/* What the address alone tells about whose it is. */
bool addr_is_loopback(const struct addr *a);
bool addr_is_private(const struct addr *a);       /* RFC 1918, RFC 4193 */
bool addr_is_shared(const struct addr *a);        /* 100.64.0.0/10, RFC 6598 */
bool addr_is_link_local(const struct addr *a);    /* 169.254/16, fe80::/10 */

/* Number of leading bits that a and b share; 0 for different families. */
unsigned addr_common_prefix(const struct addr *a, const struct addr *b);

/* port in host byte order. Returns the sockaddr's length. */
socklen_t addr_to_sockaddr(const struct addr *a, uint16_t port, struct sockaddr_storage *out);
bool addr_from_sockaddr(struct addr *a, uint16_t *port, const struct sockaddr *sa);

#endif
