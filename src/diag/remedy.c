/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "diag/remedy_private.h"

#include <stdlib.h>
#include <string.h>

void remedy_say(struct remedy_list *l, const char *text)
{
	if (l->n < REMEDY_MAX)
		l->out[l->n++] = text;
}

const char *remedy_target(const struct remedy_list *l)
{
	static const size_t size = ADDR_TEXT_MAX;
	char *text = arena_alloc(l->q->arena, size);

	return addr_text(&l->q->tracker->plan->target, text);
}

bool remedy_is_v6(const struct remedy_list *l)
{
	return l->q->tracker->plan->target.family == ADDR_V6;
}

bool remedy_is_plain(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");

	return n > 0 && s[n] == '\0' && s[0] != '-' && !strstr(s, "...");
}

/* A name in nftables: a slash may be in it, but not begin it. */
static bool is_plain_nft(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/");

	return n > 0 && s[n] == '\0' && s[0] != '-' && s[0] != '/' && !strstr(s, "...");
}

/* Words with blanks between them, that a shell reads as nothing else. */
static bool is_plain_text(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/:, ");

	return n > 0 && s[n] == '\0' && s[0] != '-' && !strstr(s, "...");
}

bool remedy_is_safe(const char *text)
{
	return is_plain_text(text);
}

/* ... with slashes, for the path of a cgroup. */
static bool is_plain_path(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/@:");

	return n > 0 && s[n] == '\0' && s[0] == '/' && !strstr(s, "...");
}

static bool starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* ---- nftables ---- */

/* What is said before an exception. */
static const char *narrowly(const struct host_rule *r, const char *whom)
{
	return r->policy ? "Let it pass narrowly, this address and port only:"
	       : *whom   ? "Let it pass narrowly, for those alone that the rule is for, in front of it:"
			 : "Let it pass narrowly, in front of that rule:";
}

static const char *nft_match(const struct remedy_list *l, const char *whom)
{
	return arena_printf(l->q->arena, "%s%s%s %s %s tcp %s %u", *whom ? whom + 1 : "",
			    *whom ? " " : "", remedy_is_v6(l) ? "ip6" : "ip",
			    l->q->inbound ? "saddr" : "daddr", remedy_target(l),
			    l->q->inbound ? "sport" : "dport", l->q->port);
}

static void nft_commands(struct remedy_list *l, const struct host_rule *r)
{
	struct arena *a = l->q->arena;
	const char *where = arena_printf(a, "%s %s %s", r->family, r->table, r->chain);
	const char *whom = remedy_for_whom(l, r);
	const char *mark = arena_printf(a, "smtpblame-%u%s", l->q->port, l->q->inbound ? "-in" : "");

	if (!is_plain_nft(r->table) || !is_plain_nft(r->chain)) {
		remedy_say(l, "Names in this rule set hold characters that a shell reads "
			      "otherwise: find the "
			      "rule by `nft -a list ruleset`, and accept this address and port "
			      "before it.");
		return;
	}
	remedy_say(l, narrowly(r, whom));
	remedy_say(l,
		   r->policy
			   ? arena_printf(a, "nft 'insert rule %s %s accept comment \"%s\"'", where,
					  nft_match(l, whom), mark)
			   : arena_printf(
				     a, "nft 'insert rule %s handle %llu %s accept comment \"%s\"'",
				     where, (unsigned long long)r->handle, nft_match(l, whom),
				     mark));
	remedy_say(l, REMEDY_UNDO);
	remedy_say(
		l,
		arena_printf(
			a,
			"nft delete rule %s handle $(nft -a list chain %s | sed -n 's/.*\"%s\" # "
			"handle //p')",
			where, where, mark));
}

/* ---- iptables ---- */

static const char *iptables_name(const struct remedy_list *l, const struct host_rule *r)
{
	return arena_printf(l->q->arena, "%s%s", remedy_is_v6(l) ? "ip6tables" : "iptables",
			    r->backend == FW_IPTABLES_LEGACY ? "-legacy" : "-nft");
}

static void iptables_commands(struct remedy_list *l, const struct host_rule *r)
{
	struct arena *a = l->q->arena;
	const char *whom = remedy_for_whom(l, r);
	const char *match =
		arena_printf(a, "-p tcp %s %s --%s %u%s -j ACCEPT", l->q->inbound ? "-s" : "-d",
			     remedy_target(l), l->q->inbound ? "sport" : "dport", l->q->port, whom);
	const char *number = r->number ? arena_printf(a, " %u", r->number) : "";

	if (!remedy_is_plain(r->table) || !remedy_is_plain(r->chain)) {
		remedy_say(l,
			   "Names in this rule set hold characters that a shell reads otherwise: "
			   "find the "
			   "rule by `iptables-save`, and accept this address and port before it.");
		return;
	}
	remedy_say(l, narrowly(r, whom));
	remedy_say(l, arena_printf(a, "%s -w -t %s -I %s%s %s", iptables_name(l, r), r->table,
				   r->chain, number, match));
	remedy_say(l, REMEDY_UNDO);
	remedy_say(l, arena_printf(a, "%s -w -t %s -D %s %s", iptables_name(l, r), r->table,
				   r->chain, match));
}

/* What bears the mark comes back on loopback, and without the proxy nobody is there to take it: the
 * exception belongs to where the mark is given. */
static void tproxy_hints(struct remedy_list *l)
{
	struct arena *a = l->q->arena;

	remedy_say(l,
		   arena_printf(
			   a,
			   "The packets get there by a mark: a rule of the output hook sets it, "
			   "and an "
			   "ip rule turns what bears it back to this machine. Exempt %s port %u at "
			   "the rule that sets the mark:",
			   remedy_target(l), l->q->port));
	remedy_say(l, arena_printf(a, "ip %srule", remedy_is_v6(l) ? "-6 " : ""));
	remedy_say(l, "nft -a list ruleset | grep -n 'mark set'");
	remedy_say(l, "iptables-save -t mangle | grep -e '-j MARK'");
}

static void rule_remedy(struct remedy_list *l)
{
	const struct host_rule *r = l->q->named->rule;

	if (r->verdict == FW_TPROXY && !l->q->inbound) {
		tproxy_hints(l);
	} else if (!remedy_by_owner(l, r)) {
		if (r->backend == FW_NFT)
			nft_commands(l, r);
		else
			iptables_commands(l, r);
		remedy_owner_hint(l, r);
	}
	remedy_match_hints(l, r);
}

/* ---- programs ---- */

#define PIN "/sys/fs/bpf/smtpblame-"

static void tc_remedy(struct remedy_list *l, const struct host_program *p)
{
	if (!remedy_is_plain(p->interface)) {
		remedy_say(l, "See what stands at the interface (its name is no plain word):");
		remedy_say(l, "tc qdisc show");
		return;
	}
	struct arena *a = l->q->arena;
	const char *side = p->hook == PROG_TC_EGRESS ? "egress" : "ingress";
	const char *proto = remedy_is_v6(l) ? "ipv6" : "ip",
		   *family = remedy_is_v6(l) ? "ip6" : "ip";

	if (p->hook == PROG_QDISC) {
		remedy_say(l, "Look at the queueing discipline, and who set it:");
		remedy_say(l, arena_printf(a, "tc -s qdisc show dev %s", p->interface));
		return;
	}
	if (p->hook == PROG_TCX_EGRESS || p->hook == PROG_TCX_INGRESS) {
		remedy_say(l, "A program attached in this way belongs to another program that "
			      "runs, which can "
			      "let this address and port pass; see which:");
		remedy_say(l, arena_printf(a, "bpftool net show dev %s", p->interface));
		return;
	}
	if (p->pref < 2) {
		remedy_say(
			l,
			"Look at the filters; one that lets this address and port pass has to come "
			"before that one:");
		remedy_say(l, arena_printf(a, "tc filter show dev %s %s", p->interface, side));
		return;
	}
	const char *at = arena_printf(a, "dev %s %s protocol %s pref %u", p->interface, side, proto,
				      p->pref - 1);
	remedy_say(l, "Let this address and port pass before that filter:");
	/* u32: every kernel with tc has it; a class is all that it needs to let a packet go on */
	remedy_say(l,
		   arena_printf(
			   a,
			   "tc filter add %s u32 match %s protocol 6 0xff match %s %s %s/%u match "
			   "%s %s %u 0xffff flowid 1:1",
			   at, family, family, l->q->inbound ? "src" : "dst", remedy_target(l),
			   remedy_is_v6(l) ? 128 : 32, family, l->q->inbound ? "sport" : "dport",
			   l->q->port));
	remedy_say(l, REMEDY_UNDO);
	remedy_say(l, arena_printf(a, "tc filter del %s", at));
}

static void xdp_remedy(struct remedy_list *l, const struct host_program *p)
{
	struct arena *a = l->q->arena;

	if (!remedy_is_plain(p->interface))
		return;
	remedy_say(l, "The program can't be told to make an exception from here: see whose it is, "
		      "and take it "
		      "off only if nothing needs it (kept, so that it can be put back):");
	remedy_say(l, arena_printf(a, "bpftool prog pin id %u " PIN "%u", p->id, p->id));
	/* xdpgeneric, xdpdrv or xdpoffload: the kernel takes off what bears the same word */
	const char *mode = starts(p->attach_type, "xdp") ? p->attach_type : "xdp";
	remedy_say(l, arena_printf(a, "ip link set dev %s %s off", p->interface, mode));
	remedy_say(l, REMEDY_UNDO);
	remedy_say(l, arena_printf(a, "ip link set dev %s %s pinned " PIN "%u", p->interface, mode,
				   p->id));
	remedy_say(l, arena_printf(a, "rm " PIN "%u", p->id));
}

static void cgroup_remedy(struct remedy_list *l, const struct host_program *p)
{
	struct arena *a = l->q->arena;

	if (starts(p->name, "sd_fw_")) {
		remedy_say(l, "systemd made this program, for IPAddressDeny= or IPAddressAllow= of "
			      "the unit. "
			      "Allow the address there:");
		const char *unit = strrchr(p->cgroup, '/');
		unit = unit && unit[1] ? unit + 1 : "UNIT";
		if (remedy_is_plain(unit))
			remedy_say(l,
				   arena_printf(
					   a,
					   "systemctl set-property --runtime %s IPAddressAllow=%s",
					   unit, remedy_target(l)));
		return;
	}
	if (!is_plain_path(p->cgroup) || !remedy_is_plain(p->attach_type)) {
		remedy_say(l, "See whose program it is:");
		remedy_say(l, "bpftool cgroup tree");
		return;
	}
	const char *path = arena_printf(a, "/sys/fs/cgroup%s",
					strcmp(p->cgroup, "/") == 0 ? "" : p->cgroup);
	remedy_say(l, "The program can't be told to make an exception from here: see whose it is, "
		      "and take it "
		      "off only if nothing needs it (kept, so that it can be put back):");
	remedy_say(l, arena_printf(a, "bpftool prog pin id %u " PIN "%u", p->id, p->id));
	remedy_say(l, arena_printf(a, "bpftool cgroup detach %s %s id %u", path, p->attach_type,
				   p->id));
	remedy_say(l, REMEDY_UNDO);
	remedy_say(l, arena_printf(a, "bpftool cgroup attach %s %s pinned " PIN "%u", path,
				   p->attach_type, p->id));
	remedy_say(l, arena_printf(a, "rm " PIN "%u", p->id));
}

static void lsm_remedy(struct remedy_list *l)
{
	remedy_say(l, "Try from a plain root shell: what is denied may be this process or its "
		      "service only.");
	remedy_say(l, "Then look for the denial in the logs of the security modules:");
	remedy_say(l, "ausearch -m avc,user_avc -ts recent");
	remedy_say(l, "journalctl -k --since -5min --grep 'apparmor|audit|denied'");
}

static void program_remedy(struct remedy_list *l)
{
	const struct host_program *p = l->q->named->program;

	if (l->q->named->kind == CULPRIT_TC)
		tc_remedy(l, p);
	else if (l->q->named->kind == CULPRIT_XDP)
		xdp_remedy(l, p);
	else if (l->q->named->kind == CULPRIT_CGROUP_BPF)
		cgroup_remedy(l, p);
	else
		lsm_remedy(l);
}

/* ---- settings ---- */

static void sysctl_commands(struct remedy_list *l, const char *name, const char *value,
			    const char *old)
{
	if (!is_plain_text(name) || !is_plain_text(old))
		return;
	struct arena *a = l->q->arena;

	remedy_say(l, arena_printf(a, "sysctl -w '%s=%s'", name, value));
	remedy_say(l, REMEDY_UNDO);
	remedy_say(l, arena_printf(a, "sysctl -w '%s=%s'", name, old));
}

static void setting_remedy(struct remedy_list *l)
{
	const struct host_setting *s = l->q->named->setting;
	struct arena *a = l->q->arena;

	if (strstr(s->name, ".rp_filter")) {
		/* the larger of "all" and the interface's is in force, and 2 (loose) is the largest */
		const char *own = s->interface[0] ? arena_printf(a, "net.ipv4.conf.%s.rp_filter",
								 s->interface)
						  : s->name;
		const struct host_setting *was = named_setting(l->q->tracker, own);
		remedy_say(l, "The answer comes in by another interface than the one by which "
			      "packets to that "
			      "address leave. Mend the routing, or let this interface take such "
			      "answers:");
		sysctl_commands(l, own, "2", was ? was->value : "0");
	} else if (l->q->named->kind == CULPRIT_CONNTRACK) {
		unsigned long long max = strtoull(s->value, NULL, 10);
		remedy_say(l, "Give the table more room (an entry takes about 320 bytes):");
		sysctl_commands(l, s->name, arena_printf(a, "%llu", max ? max * 4 : 262144), s->value);
	} else if (strstr(s->name, "ip_local_port_range")) {
		remedy_say(l, "See who holds the ports:");
		remedy_say(l, "ss -tanp");
		remedy_say(l, "A wider range helps for the moment:");
		sysctl_commands(l, s->name, "1024 65535", s->value);
	} else if (strstr(s->name, "disable_ipv6")) {
		remedy_say(l, "IPv6 is turned off there; if it should not be:");
		sysctl_commands(l, s->name, "0", s->value);
	}
}

static void mark_remedy(struct remedy_list *l)
{
	const struct host_mark_rule *m = l->q->named->mark_rule;
	struct arena *a = l->q->arena;
	const char *family = remedy_is_v6(l) ? "-6 " : "";

	remedy_say(
		l,
		"Remove the ip rule if it is not wanted, or let the firewall not mark this port:");
	if (!is_plain_text(m->text)) {
		remedy_say(l, arena_printf(a, "ip %srule", family));
		return;
	}
	remedy_say(l,
		   arena_printf(a, "ip %srule del priority %u %s", family, m->priority, m->text));
	remedy_say(l, REMEDY_UNDO);
	remedy_say(l,
		   arena_printf(a, "ip %srule add priority %u %s", family, m->priority, m->text));
}

/* A row about a whole session doesn't know which way the packet went that was stopped. */
static bool stopped_inbound(const struct remedy_query *q)
{
	const struct event_log *log = q->tracker->log;
	const struct named *n = q->named;

	if (n->event == NO_EVENT || log->events[n->event].kind != EV_HOST ||
	    log->events[n->event].host->kind != HOST_PACKET)
		return q->inbound;
	return log->events[n->event].host->packet.inbound;
}

unsigned remedy_for(const struct remedy_query *query, const char *out[REMEDY_MAX])
{
	struct remedy_query own = *query;
	struct remedy_list l = {&own, out, 0};
	const struct named *n = own.named;

	own.inbound = stopped_inbound(query);

	if (n->rule) {
		rule_remedy(&l);
	} else if (n->program) {
		program_remedy(&l);
	} else if (n->setting) {
		setting_remedy(&l);
	} else if (n->mark_rule) {
		mark_remedy(&l);
	} else if (n->xfrm) {
		remedy_say(&l, "Look at the IPsec policies, and at the program that made them "
			       "(strongSwan, "
			       "libreswan, ...):");
		remedy_say(&l, "ip xfrm policy");
	} else if (n->kind == CULPRIT_LSM) {
		lsm_remedy(&l);
	}
	return l.n;
}
