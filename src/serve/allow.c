/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "serve/allow.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int add_network(struct allow_entry *entry, const char *text, struct err *e)
{
	const char *slash = strchr(text, '/');
	char address[ADDR_TEXT_MAX];
	size_t len = slash ? (size_t)(slash - text) : strlen(text);

	if (len >= sizeof(address))
		return -1;
	memcpy(address, text, len);
	address[len] = '\0';
	if (!addr_parse(&entry->network, address))
		return -1;
	unsigned most = entry->network.family == ADDR_V4 ? 32 : 128;
	entry->prefix = most;
	if (!slash)
		return 0;
	char *end;
	unsigned long prefix = strtoul(slash + 1, &end, 10);
	if (slash[1] < '0' || slash[1] > '9' || *end || prefix > most)
		return err_set(e, ERR_USAGE, "--allow: '%.100s': the prefix length is at most %u", text,
			       most);
	entry->prefix = (unsigned)prefix;
	return 0;
}

static bool is_name_pattern(const char *text)
{
	static const char charset[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_";
	const char *name = strncmp(text, "*.", 2) == 0 ? text + 2 : text;

	return strcmp(text, "*") == 0 || (*name && !name[strspn(name, charset)]);
}

int allow_add(struct allow *a, const char *text, struct err *e)
{
	struct allow_entry entry = {.name = NULL};

	if (a->n == ALLOW_MAX)
		return err_set(e, ERR_USAGE, "--allow: more than %d entries", ALLOW_MAX);
	e->text[0] = '\0';
	if (add_network(&entry, text, e) != 0) {
		if (e->text[0])
			return -1;
		if (strchr(text, '/') || !is_name_pattern(text))
			return err_set(e, ERR_USAGE,
				       "--allow: '%.100s' is no network (192.0.2.0/24) and no name "
				       "(mx.example.net, *.example.net, *)",
				       text);
		entry.name = text;
	}
	a->entries[a->n++] = entry;
	return 0;
}

static bool name_matches(const char *pattern, const char *name)
{
	size_t len = strlen(name);

	if (strcmp(pattern, "*") == 0)
		return true;
	if (len && name[len - 1] == '.')
		len--;
	if (strncmp(pattern, "*.", 2) == 0) {
		size_t tail = strlen(pattern) - 1; /* with its dot */
		return len > tail && strncasecmp(name + len - tail, pattern + 1, tail) == 0;
	}
	return len == strlen(pattern) && strncasecmp(name, pattern, len) == 0;
}

bool allow_name(const struct allow *a, const char *name)
{
	for (unsigned i = 0; i < a->n; i++)
		if (a->entries[i].name && name_matches(a->entries[i].name, name))
			return true;
	return false;
}

bool allow_address(const struct allow *a, const struct addr *address)
{
	for (unsigned i = 0; i < a->n; i++) {
		const struct allow_entry *entry = &a->entries[i];
		if (entry->name ? strcmp(entry->name, "*") == 0
				: entry->network.family == address->family &&
					  addr_common_prefix(&entry->network, address) >= entry->prefix)
			return true;
	}
	return false;
}
