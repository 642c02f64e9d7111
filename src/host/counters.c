/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Counters of the kernel (RFC 1213 and Linux's own, /proc/net) that move when it
 * drops a packet of a connection. They count everybody's packets: that one moved
 * supports an explanation, and proves none.
 */
#include <inttypes.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "host/ask.h"
#include "host/conntrack.h"
#include "host/settings.h"

#define STATS_TIMEOUT_MS 300

/* Names as nstat prints them; those of conntrack as `conntrack -S`. */
enum counter {
	TCP_RETRANS_FAIL,
	REVERSE_PATH_FILTER,
	LISTEN_OVERFLOWS,
	LISTEN_DROPS,
	IP_IN_NO_ROUTES,
	IP_OUT_NO_ROUTES,
	IP_OUT_DISCARDS,
	IP_IN_DISCARDS,
	IP_IN_ADDR_ERRORS,
	TCP_IN_CSUM_ERRORS,
	IP6_IN_NO_ROUTES,
	IP6_OUT_NO_ROUTES,
	IP6_OUT_DISCARDS,
	IP6_IN_DISCARDS,
	IP6_IN_ADDR_ERRORS,
	XFRM_OUT_POL_BLOCK,
	XFRM_OUT_NO_STATES,
	XFRM_OUT_POL_ERROR,
	XFRM_IN_POL_BLOCK,
	XFRM_IN_NO_POLS,
	XFRM_IN_TMPL_MISMATCH,
	CT_DROP,
	CT_EARLY_DROP,
	CT_INSERT_FAILED,
	CT_INVALID,
	CT_ERROR,
	CT_CHAIN_TOO_LONG,
	COUNTERS,
};

static const char *const names[COUNTERS] = {
	[TCP_RETRANS_FAIL] = "TcpExtTCPRetransFail",
	[REVERSE_PATH_FILTER] = "TcpExtIPReversePathFilter",
	[LISTEN_OVERFLOWS] = "TcpExtListenOverflows",
	[LISTEN_DROPS] = "TcpExtListenDrops",
	[IP_IN_NO_ROUTES] = "IpExtInNoRoutes",
	[IP_OUT_NO_ROUTES] = "IpOutNoRoutes",
	[IP_OUT_DISCARDS] = "IpOutDiscards",
	[IP_IN_DISCARDS] = "IpInDiscards",
	[IP_IN_ADDR_ERRORS] = "IpInAddrErrors",
	[TCP_IN_CSUM_ERRORS] = "TcpInCsumErrors",
	[IP6_IN_NO_ROUTES] = "Ip6InNoRoutes",
	[IP6_OUT_NO_ROUTES] = "Ip6OutNoRoutes",
	[IP6_OUT_DISCARDS] = "Ip6OutDiscards",
	[IP6_IN_DISCARDS] = "Ip6InDiscards",
	[IP6_IN_ADDR_ERRORS] = "Ip6InAddrErrors",
	[XFRM_OUT_POL_BLOCK] = "XfrmOutPolBlock",
	[XFRM_OUT_NO_STATES] = "XfrmOutNoStates",
	[XFRM_OUT_POL_ERROR] = "XfrmOutPolError",
	[XFRM_IN_POL_BLOCK] = "XfrmInPolBlock",
	[XFRM_IN_NO_POLS] = "XfrmInNoPols",
	[XFRM_IN_TMPL_MISMATCH] = "XfrmInTmplMismatch",
	[CT_DROP] = "nf_conntrack.drop",
	[CT_EARLY_DROP] = "nf_conntrack.early_drop",
	[CT_INSERT_FAILED] = "nf_conntrack.insert_failed",
	[CT_INVALID] = "nf_conntrack.invalid",
	[CT_ERROR] = "nf_conntrack.error",
	[CT_CHAIN_TOO_LONG] = "nf_conntrack.chaintoolong",
};

struct counters {
	uint64_t value[COUNTERS];
	bool known[COUNTERS];
};

static void note(struct counters *c, const char *prefix, const char *name, uint64_t value)
{
	size_t n = strlen(prefix);

	for (unsigned i = 0; i < COUNTERS; i++) {
		if (strncmp(names[i], prefix, n) != 0 || strcmp(names[i] + n, name) != 0)
			continue;
		c->value[i] += value; /* conntrack counts by processor */
		c->known[i] = true;
	}
}

/* "Tcp: Name Name ..." and below it "Tcp: 1 2 ...". */
static void note_pair(struct counters *c, char *head, char *values)
{
	char *in_head = NULL, *in_values = NULL;
	char *prefix = strtok_r(head, " \n", &in_head);
	char *again = strtok_r(values, " \n", &in_values);

	if (!prefix || !again || strcmp(prefix, again) != 0)
		return;
	prefix[strcspn(prefix, ":")] = '\0';
	for (;;) {
		char *name = strtok_r(NULL, " \n", &in_head);
		char *value = strtok_r(NULL, " \n", &in_values);
		if (!name || !value)
			return;
		note(c, prefix, name, strtoull(value, NULL, 10));
	}
}

static void read_pairs(struct counters *c, const char *path)
{
	FILE *f = fopen(path, "re");
	char *head = NULL, *values = NULL;
	size_t head_size = 0, values_size = 0;

	if (!f)
		return;
	while (getline(&head, &head_size, f) > 0 && getline(&values, &values_size, f) > 0)
		note_pair(c, head, values);
	free(head);
	free(values);
	fclose(f);
}

/* "Name value", a line each. */
static void read_lines(struct counters *c, const char *path)
{
	FILE *f = fopen(path, "re");
	char line[256], name[64];
	uint64_t value;

	if (!f)
		return;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%63s %" SCNu64, name, &value) == 2)
			note(c, "", name, value);
	fclose(f);
}

/* ---- conntrack --------------------------------------------------------------------------- */

#define COLUMNS 32

/* The names that /proc/net/stat/nf_conntrack has above its columns. */
static int column_counter(const char *name)
{
	static const struct {
		const char *name;
		enum counter counter;
	} columns[] = {
		{"drop", CT_DROP},
		{"early_drop", CT_EARLY_DROP},
		{"insert_failed", CT_INSERT_FAILED},
		{"invalid", CT_INVALID},
		{"icmp_error", CT_ERROR},
		{"error", CT_ERROR},
		{"chainlength", CT_CHAIN_TOO_LONG},
	};

	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		if (strcmp(columns[i].name, name) == 0)
			return (int)columns[i].counter;
	return -1;
}

static void note_row(struct counters *c, const int *column, char *line)
{
	char *save = NULL;
	char *word = strtok_r(line, " \n", &save);

	for (int i = 0; word && i < COLUMNS; i++) {
		if (column[i] >= 0) {
			c->value[column[i]] += strtoull(word, NULL, 16);
			c->known[column[i]] = true;
		}
		word = strtok_r(NULL, " \n", &save);
	}
}

static bool read_conntrack_file(struct counters *c)
{
	FILE *f = fopen("/proc/self/net/stat/nf_conntrack", "re");
	char *line = NULL, *save = NULL;
	size_t size = 0;
	int column[COLUMNS], n = 0;

	if (!f)
		return false;
	if (getline(&line, &size, f) > 0)
		for (char *w = strtok_r(line, " \n", &save); w && n < COLUMNS;
		     w = strtok_r(NULL, " \n", &save))
			column[n++] = column_counter(w);
	while (n < COLUMNS)
		column[n++] = -1;
	while (getline(&line, &size, f) > 0) /* one for each processor */
		note_row(c, column, line);
	free(line);
	fclose(f);
	return true;
}

static bool on_processor(const struct nlmsghdr *m, void *arg)
{
	static const struct {
		int attribute;
		enum counter counter;
	} wanted[] = {
		{CTA_STATS_DROP, CT_DROP},
		{CTA_STATS_EARLY_DROP, CT_EARLY_DROP},
		{CTA_STATS_INSERT_FAILED, CT_INSERT_FAILED},
		{CTA_STATS_INVALID, CT_INVALID},
		{CTA_STATS_ERROR, CT_ERROR},
		{CTA_STATS_CHAIN_TOOLONG, CT_CHAIN_TOO_LONG},
	};
	struct counters *c = arg;
	struct nlattr *a[CTA_STATS_MAX + 1];

	if (m && !netlink_parse(m, sizeof(struct nfgenmsg), a, CTA_STATS_MAX))
		return true;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		enum counter k = wanted[i].counter;
		if (!m) {
			c->value[k] = 0;
			c->known[k] = false;
		} else if (a[wanted[i].attribute]) {
			c->value[k] += ntohl(netlink_u32(a[wanted[i].attribute]));
			c->known[k] = true;
		}
	}
	return true;
}

/* Kernels without the file (CONFIG_NF_CONNTRACK_PROCFS). */
static void ask_conntrack(struct counters *c)
{
	const struct nfgenmsg header = {.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0};
	int answer, type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET_STATS_CPU;
	struct err e;

	if (!conntrack_present())
		return;
	struct nl_msg *msg = netlink_request(type, NLM_F_DUMP, &header, sizeof(header));
	if (ask(NETLINK_NETFILTER, msg, STATS_TIMEOUT_MS, on_processor, c, &answer, &e) != 0)
		on_processor(NULL, c); /* half a sum is none */
}

/* ---- the readings ------------------------------------------------------------------------ */

struct counters *counters_read(void)
{
	struct counters *c = xcalloc(1, sizeof(*c));

	read_pairs(c, "/proc/self/net/snmp");
	read_pairs(c, "/proc/self/net/netstat");
	read_lines(c, "/proc/self/net/snmp6");
	read_lines(c, "/proc/self/net/xfrm_stat");
	if (!read_conntrack_file(c))
		ask_conntrack(c);
	return c;
}

void counters_free(struct counters *c)
{
	free(c);
}

void counters_compare(const struct counters *a, const struct counters *b, host_emit *emit,
		      void *arg)
{
	for (unsigned i = 0; i < COUNTERS; i++) {
		if (!a->known[i] || !b->known[i] || b->value[i] <= a->value[i])
			continue;
		struct host_record r = watch_record(HOST_COUNTER);
		snprintf(r.counter.name, sizeof(r.counter.name), "%s", names[i]);
		r.counter.moved = b->value[i] - a->value[i];
		emit(arg, &r);
	}
}
