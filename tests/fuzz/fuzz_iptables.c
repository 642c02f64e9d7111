/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Saved tables as text, one byte before them for the packet. What is parsed can be walked; every
 * record is whole; and tables that did not change accuse nobody. */
#include <stdlib.h>
#include <string.h>

#include "host/iptables.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static bool ends(const char *s, size_t size)
{
	return memchr(s, '\0', size) != NULL;
}

static void check_rule(const struct host_rule *r)
{
	require(r->backend == FW_IPTABLES_LEGACY && r->policy == (r->number == 0));
	require(ends(r->family, sizeof(r->family)) && ends(r->table, sizeof(r->table)));
	require(ends(r->chain, sizeof(r->chain)) && ends(r->base_chain, sizeof(r->base_chain)));
	require(ends(r->hook, sizeof(r->hook)) && r->hook[0] && ends(r->text, sizeof(r->text)));
	require(!strpbrk(r->text, "\n\r\x1b"));
	require(strncmp(r->text, r->policy ? "-P " : "-A ", 3) == 0);
}

static void check(void *arg, const struct host_record *r)
{
	bool same = *(const bool *)arg;

	if (r->kind == HOST_COUNTED) {
		require(!same && r->counted.moved > 0);
		check_rule(&r->counted.rule);
	} else if (r->kind == HOST_SIGHT) {
		check_rule(&r->sight.rule);
		require(ends(r->sight.depends, sizeof(r->sight.depends)));
		require((r->sight.would == WOULD_MAYBE) == (r->sight.depends[0] != '\0'));
	} else {
		require(r->kind == HOST_NOT_LOOKED);
	}
}

static struct host_watch watch(uint8_t byte, enum addr_family family)
{
	struct host_watch w = {.rports = {25, 587}, .n_rports = 2, .uid = byte & 4 ? 0 : 1000};

	w.n_lports = (byte >> 3) & 3;
	for (unsigned i = 0; i < w.n_lports; i++)
		w.lports[i] = (uint16_t)(40000 + i);
	addr_parse(&w.remote, family == ADDR_V4 ? "198.51.100.25" : "2001:db8::25");
	if (byte & 32)
		addr_parse(&w.local, family == ADDR_V4 ? "10.0.0.2" : "2001:db8:1::2");
	if (byte & 64)
		strcpy(w.oif_name, byte & 128 ? "lo" : "eth0");
	return w;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct iptables *t = NULL, *empty = NULL;
	bool same = true, changed = false;
	struct err e;

	if (size < 1)
		return 0;
	enum addr_family family = data[0] & 1 ? ADDR_V6 : ADDR_V4;
	struct host_watch w = watch(data[0], family);
	if (iptables_parse(&t, family, (const char *)data + 1, size - 1, &e) != 0) {
		require(e.text[0] != '\0');
		return 0;
	}
	require(iptables_parse(&empty, family, "", 0, &e) == 0);
	iptables_compare(t, t, &w, 25, check, &same);
	iptables_compare(empty, t, &w, 25, check, &changed);
	iptables_inspect(t, &w, check, &same);
	iptables_free(t);
	iptables_free(empty);
	return 0;
}
