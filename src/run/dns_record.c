/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Records as they come in answers: pure. */
#include "run/dns.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- exchangers ---- */

static bool host_byte(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_';
}

bool dns_name_text(const uint8_t *wire, size_t len, char out[DNS_NAME_MAX])
{
	size_t at = 0, n = 0;

	while (at < len && wire[at] != 0) {
		size_t label = wire[at++];
		if (label > 63 || label > len - at || n + label + 2 > DNS_NAME_MAX)
			return false;
		for (size_t i = 0; i < label; i++) {
			if (!host_byte(wire[at]))
				return false;
			out[n++] = (char)tolower(wire[at++]);
		}
		out[n++] = '.';
	}
	if (at >= len)
		return false;
	if (n == 0)
		out[n++] = '.';
	else
		n--; /* the dot at the end */
	out[n] = '\0';
	return true;
}

static int by_preference(const void *a, const void *b)
{
	const struct dns_exchanger *x = a, *y = b;

	return x->preference != y->preference ? x->preference - y->preference
					      : strcasecmp(x->name, y->name);
}

/* Keeps the list sorted and without doubles; the worst goes when it is full. */
static void insert(struct dns_mx *mx, const struct dns_exchanger *one)
{
	for (unsigned i = 0; i < mx->n; i++) {
		if (strcasecmp(mx->list[i].name, one->name) != 0)
			continue;
		if (one->preference < mx->list[i].preference)
			mx->list[i].preference = one->preference;
		goto sort;
	}
	if (mx->n < DNS_MAX_EXCHANGERS) {
		mx->list[mx->n++] = *one;
	} else {
		mx->left_out++;
		if (by_preference(one, &mx->list[mx->n - 1]) < 0)
			mx->list[mx->n - 1] = *one;
	}
sort:
	qsort(mx->list, mx->n, sizeof(mx->list[0]), by_preference);
}

void dns_mx_add(struct dns_mx *mx, const uint8_t *data, size_t len, bool *null_mx)
{
	struct dns_exchanger one;
	struct addr a;

	if (len < 3 || !dns_name_text(data + 2, len - 2, one.name)) {
		mx->unusable++;
		return;
	}
	one.preference = (uint16_t)(data[0] << 8 | data[1]);
	if (strcmp(one.name, ".") == 0)
		*null_mx = true;
	else if (addr_parse(&a, one.name)) /* an address where RFC 5321 section 5.1 wants a name */
		mx->unusable++;
	else
		insert(mx, &one);
}

/* ---- policies ---- */

/* The strings of a TXT record count as one. */
static size_t join_strings(const uint8_t *data, size_t len, char *out, size_t size)
{
	size_t n = 0;

	for (size_t at = 0; at < len;) {
		size_t part = data[at++];
		if (part > len - at)
			break;
		for (size_t i = 0; i < part && n + 1 < size; i++)
			out[n++] = (char)data[at + i];
		at += part;
	}
	out[n] = '\0';
	return n;
}

bool dns_mta_sts_parse(const uint8_t *data, size_t len, char id[33])
{
	char text[512];
	size_t n = join_strings(data, len, text, sizeof(text));
	char *rest = text;
	bool first = true, found = false;

	if (strlen(text) != n)
		return false;
	for (char *field; (field = strsep(&rest, ";")); first = false) {
		field += strspn(field, " \t");
		field[strcspn(field, " \t")] = '\0';
		if (first && strcmp(field, "v=STSv1") != 0)
			return false;
		if (found || strncmp(field, "id=", 3) != 0)
			continue;
		size_t letters = strspn(field + 3, "abcdefghijklmnopqrstuvwxyz"
						   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
		if (letters == 0 || letters > 32 || field[3 + letters])
			return false;
		memcpy(id, field + 3, letters + 1);
		found = true;
	}
	return found;
}
