/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/addr.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

struct addr addr_v4(const void *four_bytes)
{
	struct addr a = {.family = ADDR_V4};

	memcpy(a.bytes, four_bytes, 4);
	return a;
}

struct addr addr_v6(const void *sixteen_bytes)
{
	struct addr a = {.family = ADDR_V6};

	memcpy(a.bytes, sixteen_bytes, 16);
	return a;
}

bool addr_parse(struct addr *a, const char *text)
{
	char copy[ADDR_TEXT_MAX];
	size_t len = strlen(text);
	struct addr out = {0};

	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (len == 0 || len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';

	if (inet_pton(AF_INET, copy, out.bytes) == 1) {
		out.family = ADDR_V4;
		*a = out;
		return true;
	}
	char *zone = strchr(copy, '%');
	if (zone) {
		*zone++ = '\0';
		out.scope = if_nametoindex(zone);
		if (out.scope == 0)
			return false;
	}
	if (inet_pton(AF_INET6, copy, out.bytes) != 1)
		return false;
	out.family = ADDR_V6;
	*a = out;
	return true;
}

const char *addr_text(const struct addr *a, char *out)
{
	switch ((enum addr_family)a->family) {
	case ADDR_V4:
		inet_ntop(AF_INET, a->bytes, out, ADDR_TEXT_MAX);
		return out;
	case ADDR_V6:
		inet_ntop(AF_INET6, a->bytes, out, ADDR_TEXT_MAX);
		return out;
	case ADDR_NONE:
		break;
	}
	snprintf(out, ADDR_TEXT_MAX, "none");
	return out;
}

bool addr_is_set(const struct addr *a)
{
	return a->family != ADDR_NONE;
}

bool addr_is_loopback(const struct addr *a)
{
	static const uint8_t one[16] = {[15] = 1};

	if (a->family == ADDR_V4)
		return a->bytes[0] == 127;
	return a->family == ADDR_V6 && memcmp(a->bytes, one, 16) == 0;
}

bool addr_is_private(const struct addr *a)
{
	const uint8_t *b = a->bytes;

	if (a->family == ADDR_V4)
		return b[0] == 10 || (b[0] == 172 && (b[1] & 0xf0) == 16) ||
		       (b[0] == 192 && b[1] == 168);
	return a->family == ADDR_V6 && (b[0] & 0xfe) == 0xfc;
}

bool addr_is_shared(const struct addr *a)
{
	return a->family == ADDR_V4 && a->bytes[0] == 100 && (a->bytes[1] & 0xc0) == 64;
}

bool addr_is_link_local(const struct addr *a)
{
	const uint8_t *b = a->bytes;

	if (a->family == ADDR_V4)
		return b[0] == 169 && b[1] == 254;
	return a->family == ADDR_V6 && b[0] == 0xfe && (b[1] & 0xc0) == 0x80;
}

unsigned addr_common_prefix(const struct addr *a, const struct addr *b)
{
	unsigned max = a->family == ADDR_V4 ? 32 : 128, bits = 0;

	if (a->family != b->family)
		return 0;
	while (bits < max) {
		unsigned byte = bits / 8, mask = 0x80u >> (bits % 8);
		if ((a->bytes[byte] ^ b->bytes[byte]) & mask)
			break;
		bits++;
	}
	return bits;
}

socklen_t addr_to_sockaddr(const struct addr *a, uint16_t port, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	if (a->family == ADDR_V4) {
		struct sockaddr_in *in = (struct sockaddr_in *)out;
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		memcpy(&in->sin_addr, a->bytes, 4);
		return sizeof(*in);
	}
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	in6->sin6_scope_id = a->scope;
	memcpy(&in6->sin6_addr, a->bytes, 16);
	return sizeof(*in6);
}

bool addr_from_sockaddr(struct addr *a, uint16_t *port, const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)sa;
		*a = addr_v4(&in->sin_addr);
		if (port)
			*port = ntohs(in->sin_port);
		return true;
	}
	if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;
		*a = addr_v6(&in6->sin6_addr);
		a->scope = addr_is_link_local(a) ? in6->sin6_scope_id : 0;
		if (port)
			*port = ntohs(in6->sin6_port);
		return true;
	}
	return false;
}
