/* SPDX-License-Identifier: GPL-3.0-or-later */
/* For the tests of host/'s iptables: saved tables, and the records that come of them. */
#ifndef SB_TESTS_HOST_IPTABLES_H
#define SB_TESTS_HOST_IPTABLES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/iptables.h"
#include "host/iptables_rules.h"

/* ---- collecting records ---- */

#define RECORDS_MAX 256

struct records {
	struct host_record list[RECORDS_MAX];
	unsigned n;
};

static inline void collect(void *arg, const struct host_record *r)
{
	struct records *out = arg;

	assert_true(out->n < RECORDS_MAX);
	out->list[out->n++] = *r;
}

static inline struct addr addr(const char *text)
{
	struct addr a;

	assert_true(addr_parse(&a, text));
	return a;
}

static inline struct host_watch watch_v4(void)
{
	struct host_watch w = {.remote = addr("198.51.100.25"),
			       .local = addr("10.0.0.2"),
			       .lports = {40001, 40002},
			       .n_lports = 2,
			       .rports = {25},
			       .n_rports = 1,
			       .oif_name = "eth0",
			       .uid = 1000,
			       .gid = 100};
	return w;
}

static inline struct host_watch watch_v6(void)
{
	struct host_watch w = watch_v4();

	w.remote = addr("2001:db8::25");
	w.local = addr("2001:db8:1::2");
	return w;
}

static inline struct iptables *parse(enum addr_family family, const char *text)
{
	struct iptables *t = NULL;
	struct err e = {.text = ""};

	if (iptables_parse(&t, family, text, strlen(text), &e) != 0)
		fail_msg("%s", e.text);
	return t;
}

#define FILTER "*filter\n:INPUT ACCEPT [0+9:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n"
#define COMMIT "COMMIT\n"

static inline const struct host_counted *counted(const struct records *r, unsigned i)
{
	if (i >= r->n)
		fail_msg("only %u records", r->n);
	assert_int_equal(r->list[i].kind, HOST_COUNTED);
	assert_true(r->list[i].t_ns > 0);
	return &r->list[i].counted;
}

static inline void assert_counted(const struct records *r, unsigned i, const char *text, bool certain)
{
	const struct host_counted *c = counted(r, i);

	assert_string_equal(c->rule.text, text);
	assert_int_equal(c->certain, certain);
	assert_int_equal(c->rule.backend, FW_IPTABLES_LEGACY);
}

#endif
