/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Routes and numbers in the words of iproute2, so that a user finds them again. */
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "host/words.h"

struct line line_into(char *out, size_t size)
{
	out[0] = '\0';
	return (struct line){.out = out, .size = size};
}

void line_add(struct line *l, const char *fmt, ...)
{
	va_list ap;

	if (l->len > 0 && l->len + 1 < l->size) {
		l->out[l->len++] = ' ';
		l->out[l->len] = '\0';
	}
	va_start(ap, fmt);
	int n = vsnprintf(l->out + l->len, l->size - l->len, fmt, ap);
	va_end(ap);
	l->len += n > 0 ? (size_t)n : 0;
	if (l->len >= l->size)
		l->len = l->size - 1;
}

/* ---- names ------------------------------------------------------------------------------- */

struct number_name {
	uint32_t number;
	const char *name;
};

static const struct number_name tables[] = {
    {0, "unspec"}, {253, "default"}, {254, "main"}, {255, "local"}};

/* iproute2 knows these without its file */
static const struct number_name protocols[] = {
    {0, "none"},  {1, "redirect"}, {2, "kernel"}, {3, "boot"},        {4, "static"},
    {8, "gated"}, {9, "ra"},       {10, "mrt"},   {11, "zebra"},      {12, "bird"},
    {14, "xorp"}, {15, "ntk"},     {16, "dhcp"},  {18, "keepalived"}, {42, "babel"},
    {186, "bgp"}, {187, "isis"},   {188, "ospf"}, {189, "rip"},       {192, "eigrp"}};

static bool lookup_in(const char *path, uint32_t number, char *out, size_t size)
{
	FILE *f = fopen(path, "re");
	char line[256], name[64];
	bool found = false;

	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f)) {
		char *end;
		size_t blanks = strspn(line, " \t");
		unsigned long n = strtoul(line + blanks, &end, 0);
		if (end == line + blanks || n != number || sscanf(end, " %63[^ \t\n#]", name) != 1)
			continue; /* a comment has no number */
		snprintf(out, size, "%s", name);
		found = true;
	}
	fclose(f);
	return found;
}

bool words_lookup(const char *file, uint32_t number, char *out, size_t size)
{
	/* the administrator's first, then where distributions put their own */
	static const char *const folders[] = {"/etc/iproute2", "/usr/share/iproute2",
					      "/usr/lib/iproute2"};
	char path[80];

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", folders[i], file);
		if (lookup_in(path, number, out, size))
			return true;
	}
	return false;
}

static void name_of(const char *file, const struct number_name *known, size_t n, uint32_t number,
		    char *out, size_t size)
{
	if (words_lookup(file, number, out, size))
		return;
	snprintf(out, size, "%u", number);
	for (size_t i = 0; i < n; i++)
		if (known[i].number == number)
			snprintf(out, size, "%s", known[i].name);
}

void words_table(uint32_t table, char *out, size_t size)
{
	name_of("rt_tables", tables, sizeof(tables) / sizeof(tables[0]), table, out, size);
}

void words_protocol(uint8_t protocol, char *out, size_t size)
{
	name_of("rt_protos", protocols, sizeof(protocols) / sizeof(protocols[0]), protocol, out,
		size);
}

void words_tos(uint8_t tos, char *out, size_t size)
{
	if (!words_lookup("rt_dsfield", tos, out, size))
		snprintf(out, size, "0x%02x", tos);
}

const char *words_stop_type(unsigned rtn_type)
{
	switch (rtn_type) {
	case RTN_BLACKHOLE: return "blackhole";
	case RTN_UNREACHABLE: return "unreachable";
	case RTN_PROHIBIT: return "prohibit";
	case RTN_THROW: return "throw";
	default: return NULL; /* a number of the kernel's, not an enum of ours */
	}
}

/* ---- routes ------------------------------------------------------------------------------ */

static const char *const metric_names[RTAX_MAX + 1] = {
    [RTAX_MTU] = "mtu",           [RTAX_WINDOW] = "window",     [RTAX_SSTHRESH] = "ssthresh",
    [RTAX_CWND] = "cwnd",         [RTAX_ADVMSS] = "advmss",     [RTAX_REORDERING] = "reordering",
    [RTAX_HOPLIMIT] = "hoplimit", [RTAX_INITCWND] = "initcwnd", [RTAX_INITRWND] = "initrwnd",
    [RTAX_QUICKACK] = "quickack"};

static void add_metrics(struct line *l, struct nlattr *metrics)
{
	struct nlattr *m[RTAX_MAX + 1];

	if (!metrics || nla_parse_nested(m, RTAX_MAX, metrics, NULL) != 0)
		return;
	uint32_t locked = netlink_u32(m[RTAX_LOCK]);
	for (int i = 0; i <= RTAX_MAX; i++)
		if (m[i] && metric_names[i])
			line_add(l, "%s%s %u", metric_names[i], locked & (1u << i) ? " lock" : "",
				 netlink_u32(m[i]));
}

void words_prefix(struct line *l, const char *word, const struct addr *a, unsigned len)
{
	char text[ADDR_TEXT_MAX + 8];

	if (addr_is_set(a))
		addr_text(a, text);
	else
		snprintf(text, sizeof(text), "0/%u", len);
	if (addr_is_set(a) && len != netlink_addr_len(a) * 8)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "/%u", len);
	if (*word)
		line_add(l, "%s", word);
	line_add(l, "%s", text);
}

void words_route(struct host *h, const struct nlmsghdr *m, char *out, size_t size)
{
	static const char *const preferences[4] = {"medium", "high", "2", "low"}; /* RFC 4191 */
	const struct rtmsg *r = nlmsg_data(m);
	struct line l = line_into(out, size);
	struct nlattr *a[RTA_MAX + 1];
	char text[80];

	if (!netlink_parse(m, sizeof(*r), a, RTA_MAX))
		return;
	const struct addr dst = netlink_addr(r->rtm_family, a[RTA_DST]);
	const struct addr src = netlink_addr(r->rtm_family, a[RTA_SRC]);
	if (words_stop_type(r->rtm_type))
		line_add(&l, "%s", words_stop_type(r->rtm_type));
	if (!a[RTA_DST] && r->rtm_dst_len == 0)
		line_add(&l, "default");
	else
		words_prefix(&l, "", &dst, r->rtm_dst_len);
	if (a[RTA_SRC] || r->rtm_src_len)
		words_prefix(&l, "from", &src, r->rtm_src_len);
	if (r->rtm_tos) {
		words_tos(r->rtm_tos, text, sizeof(text));
		line_add(&l, "tos %s", text);
	}
	const struct addr via = netlink_addr(r->rtm_family, a[RTA_GATEWAY]);
	if (addr_is_set(&via))
		line_add(&l, "via %s", addr_text(&via, text));
	if (a[RTA_OIF])
		line_add(&l, "dev %s", netlink_link_name(h, (int)netlink_u32(a[RTA_OIF]), text));
	if (r->rtm_protocol != RTPROT_BOOT) {
		words_protocol(r->rtm_protocol, text, sizeof(text));
		line_add(&l, "proto %s", text);
	}
	if (a[RTA_PRIORITY])
		line_add(&l, "metric %u", netlink_u32(a[RTA_PRIORITY]));
	if (r->rtm_family == AF_INET6 && a[RTA_CACHEINFO] &&
	    nla_len(a[RTA_CACHEINFO]) >= (int)sizeof(struct rta_cacheinfo)) {
		const struct rta_cacheinfo *c = nla_data(a[RTA_CACHEINFO]);
		if (c->rta_error)
			line_add(&l, "error %d", (int)c->rta_error);
	}
	add_metrics(&l, a[RTA_METRICS]);
	if (a[RTA_PREF])
		line_add(&l, "pref %s", preferences[netlink_u8(a[RTA_PREF]) & 3]);
}
