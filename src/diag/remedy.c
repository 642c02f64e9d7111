/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "diag/remedy.h"

#include <stdlib.h>
#include <string.h>

#include "diag/again.h"

#define UNDO "To undo that:"

struct list {
	const struct remedy_query *q;
	const char **out;
	unsigned n;
};

static void say(struct list *l, const char *text)
{
	if (l->n < REMEDY_MAX)
		l->out[l->n++] = text;
}

static const char *target(const struct list *l)
{
	static const size_t size = ADDR_TEXT_MAX;
	char *text = arena_alloc(l->q->arena, size);

	return addr_text(&l->q->tracker->plan->target, text);
}

static bool is_v6(const struct list *l)
{
	return l->q->tracker->plan->target.family == ADDR_V6;
}

/* A name that neither a shell nor nft reads as anything else: names in the kernel may hold any
 * byte, and a command that is shown gets pasted. */
static bool is_plain(const char *s)
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

/* ---- nftables ---- */

static const char *nft_match(const struct list *l)
{
	return arena_printf(l->q->arena, "%s %s %s tcp %s %u", is_v6(l) ? "ip6" : "ip",
			    l->q->inbound ? "saddr" : "daddr", target(l),
			    l->q->inbound ? "sport" : "dport", l->q->port);
}

static void nft_commands(struct list *l, const struct host_rule *r)
{
	struct arena *a = l->q->arena;
	const char *where = arena_printf(a, "%s %s %s", r->family, r->table, r->chain);
	const char *mark = arena_printf(a, "smtpblame-%u%s", l->q->port, l->q->inbound ? "-in" : "");

	if (!is_plain_nft(r->table) || !is_plain_nft(r->chain)) {
		say(l, "Names in this rule set hold characters that a shell reads otherwise: find the "
		       "rule by `nft -a list ruleset`, and accept this address and port before it.");
		return;
	}
	say(l, r->policy ? "Let it pass narrowly, this address and port only:"
			 : "Let it pass narrowly, in front of that rule:");
	say(l, r->policy ? arena_printf(a, "nft 'insert rule %s %s accept comment \"%s\"'", where,
					nft_match(l), mark)
			 : arena_printf(a, "nft 'insert rule %s handle %llu %s accept comment \"%s\"'",
					where, (unsigned long long)r->handle, nft_match(l), mark));
	say(l, UNDO);
	say(l, arena_printf(a,
			    "nft delete rule %s handle $(nft -a list chain %s | sed -n 's/.*\"%s\" # "
			    "handle //p')",
			    where, where, mark));
}

/* ---- iptables ---- */

static const char *iptables_name(const struct list *l, const struct host_rule *r)
{
	return arena_printf(l->q->arena, "%s%s", is_v6(l) ? "ip6tables" : "iptables",
			    r->backend == FW_IPTABLES_LEGACY ? "-legacy" : "-nft");
}

static void iptables_commands(struct list *l, const struct host_rule *r)
{
	struct arena *a = l->q->arena;
	const char *match =
		arena_printf(a, "-p tcp %s %s --%s %u -j ACCEPT", l->q->inbound ? "-s" : "-d",
			     target(l), l->q->inbound ? "sport" : "dport", l->q->port);
	const char *number = r->number ? arena_printf(a, " %u", r->number) : "";

	if (!is_plain(r->table) || !is_plain(r->chain)) {
		say(l, "Names in this rule set hold characters that a shell reads otherwise: find the "
		       "rule by `iptables-save`, and accept this address and port before it.");
		return;
	}
	say(l, r->policy ? "Let it pass narrowly, this address and port only:"
			 : "Let it pass narrowly, in front of that rule:");
	say(l, arena_printf(a, "%s -w -t %s -I %s%s %s", iptables_name(l, r), r->table, r->chain,
			    number, match));
	say(l, UNDO);
	say(l, arena_printf(a, "%s -w -t %s -D %s %s", iptables_name(l, r), r->table, r->chain,
			    match));
}

/* ---- firewall managers: what they own, they write anew ---- */

static bool starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

static bool ufw_is_on(const struct list *l)
{
	return named_setting(l->q->tracker, "firewall.ufw") != NULL;
}

/* Rules of the user's, and policies: what `ufw allow` comes before. Its before.rules do not. */
static bool is_ufw(const struct list *l, const struct host_rule *r)
{
	static const char *const chains[] = {"ufw-user-", "ufw6-user-", "ufw-reject-",
					     "ufw6-reject-", "ufw-after-", "ufw6-after-",
					     "ufw-skip-", "ufw6-skip-", "ufw-logging-deny",
					     "ufw6-logging-deny"};

	if (r->backend == FW_NFT || strcmp(r->table, "filter") != 0 || l->q->inbound)
		return false;
	for (size_t i = 0; i < sizeof(chains) / sizeof(chains[0]); i++)
		if (starts(r->chain, chains[i]))
			return true;
	return r->policy && ufw_is_on(l);
}

static void ufw_commands(struct list *l)
{
	struct arena *a = l->q->arena;
	const char *rule =
		arena_printf(a, "allow out proto tcp to %s port %u", target(l), l->q->port);

	say(l, "The rule belongs to ufw. Let this address and port pass before it:");
	say(l, arena_printf(a, "ufw prepend %s", rule));
	say(l, UNDO);
	say(l, arena_printf(a, "ufw delete %s", rule));
}

/* "filter_OUT_policy_NAME_deny" holds the rules of firewalld's policy NAME. */
static const char *firewalld_policy(const struct list *l, const struct host_rule *r)
{
	static const char *const ends[] = {"_pre", "_log", "_deny", "_allow", "_post"};
	const char *at = strstr(r->chain, "_policy_");

	if (strcmp(r->table, "firewalld") != 0 || !at || !is_plain(r->chain))
		return NULL;
	char *name = arena_strdup(l->q->arena, at + strlen("_policy_"));
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		size_t n = strlen(name), e = strlen(ends[i]);
		if (n > e && strcmp(name + n - e, ends[i]) == 0) {
			name[n - e] = '\0';
			break;
		}
	}
	return name;
}

static void firewalld_commands(struct list *l, const char *policy)
{
	struct arena *a = l->q->arena;
	const char *rule = arena_printf(
		a,
		"rule priority=\"-32000\" family=\"%s\" destination address=\"%s\" port port=\"%u\" "
		"protocol=\"tcp\" accept",
		is_v6(l) ? "ipv6" : "ipv4", target(l), l->q->port);

	say(l, arena_printf(a, "The rule belongs to firewalld's policy %s. Let this address and port "
			       "pass before it:", policy));
	say(l, arena_printf(a, "firewall-cmd --policy=%s --add-rich-rule='%s'", policy, rule));
	say(l, UNDO);
	say(l, arena_printf(a, "firewall-cmd --policy=%s --remove-rich-rule='%s'", policy, rule));
	say(l, "Add `--permanent` to a second call to keep it over a restart.");
}

/* ---- hints that a rule's text gives ---- */

static const char *as_mail_user(const struct list *l)
{
	struct again again = {.plan = l->q->tracker->plan, .user = "USER", .target = target(l)};
	const char *command = again_command(l->q->arena, &again);

	return command ? arena_printf(l->q->arena, "`%s`", command) : "`--uid USER`, run again";
}

static void rule_hints(struct list *l, const struct host_rule *r)
{
	struct arena *a = l->q->arena;
	bool by_user = strstr(r->text, "skuid") || strstr(r->text, "skgid") ||
		       strstr(r->text, "-owner");

	bool mail = l->q->port == 25 || l->q->port == 465 || l->q->port == 587;

	if (r->verdict == FW_REDIRECT && mail)
		say(l, arena_printf(a, "Hosting panels do this on purpose (\"SMTP restrictions\"): everybody's "
				       "mail but that of the mail server's users is sent to the local mail "
				       "server. Send through that, or look at what the mail server's own user "
				       "meets: %s",
				    as_mail_user(l)));
	else if (by_user)
		say(l, arena_printf(a, "The rule looks at the user: another one may fare otherwise. Look "
				       "at what the mail server's user meets: %s",
				    as_mail_user(l)));
	if (strstr(r->text, "cgroup"))
		say(l, "The rule looks at the cgroup of the sender: a service may fare otherwise than "
		       "this shell.");
	if (r->verdict == FW_QUEUE)
		say(l, "The rule hands packets to a program that does not give them back: see whether "
		       "that program (an intrusion prevention system, say) runs.");
}

/* What bears the mark comes back on loopback, and without the proxy nobody is there to take it: the
 * exception belongs to where the mark is given. */
static void tproxy_hints(struct list *l)
{
	struct arena *a = l->q->arena;

	say(l, arena_printf(a, "The packets get there by a mark: a rule of the output hook sets it, and an "
			       "ip rule turns what bears it back to this machine. Exempt %s port %u at "
			       "the rule that sets the mark:",
			    target(l), l->q->port));
	say(l, arena_printf(a, "ip %srule", is_v6(l) ? "-6 " : ""));
	say(l, "nft -a list ruleset | grep -n 'mark set'");
	say(l, "iptables-save -t mangle | grep -e '-j MARK'");
}

static void rule_remedy(struct list *l)
{
	const struct host_rule *r = l->q->named->rule;
	const char *policy = firewalld_policy(l, r);

	if (r->verdict == FW_TPROXY && !l->q->inbound)
		tproxy_hints(l);
	else if (policy && !l->q->inbound)
		firewalld_commands(l, policy);
	else if (is_ufw(l, r))
		ufw_commands(l);
	else if (r->backend == FW_NFT)
		nft_commands(l, r);
	else
		iptables_commands(l, r);
	rule_hints(l, r);
}

/* ---- programs ---- */

#define PIN "/sys/fs/bpf/smtpblame-"

static void tc_remedy(struct list *l, const struct host_program *p)
{
	if (!is_plain(p->interface)) {
		say(l, "See what stands at the interface (its name is no plain word):");
		say(l, "tc qdisc show");
		return;
	}
	struct arena *a = l->q->arena;
	const char *side = p->hook == PROG_TC_EGRESS ? "egress" : "ingress";
	const char *proto = is_v6(l) ? "ipv6" : "ip", *family = is_v6(l) ? "ip6" : "ip";

	if (p->hook == PROG_QDISC) {
		say(l, "Look at the queueing discipline, and who set it:");
		say(l, arena_printf(a, "tc -s qdisc show dev %s", p->interface));
		return;
	}
	if (p->hook == PROG_TCX_EGRESS || p->hook == PROG_TCX_INGRESS) {
		say(l, "A program attached in this way belongs to another program that runs, which can "
		       "let this address and port pass; see which:");
		say(l, arena_printf(a, "bpftool net show dev %s", p->interface));
		return;
	}
	if (p->pref < 2) {
		say(l, "Look at the filters; one that lets this address and port pass has to come "
		       "before that one:");
		say(l, arena_printf(a, "tc filter show dev %s %s", p->interface, side));
		return;
	}
	const char *at = arena_printf(a, "dev %s %s protocol %s pref %u", p->interface, side, proto,
				      p->pref - 1);
	say(l, "Let this address and port pass before that filter:");
	/* u32: every kernel with tc has it; a class is all that it needs to let a packet go on */
	say(l, arena_printf(a, "tc filter add %s u32 match %s protocol 6 0xff match %s %s %s/%u match "
			       "%s %s %u 0xffff flowid 1:1",
			    at, family, family, l->q->inbound ? "src" : "dst", target(l),
			    is_v6(l) ? 128 : 32, family, l->q->inbound ? "sport" : "dport",
			    l->q->port));
	say(l, UNDO);
	say(l, arena_printf(a, "tc filter del %s", at));
}

static void xdp_remedy(struct list *l, const struct host_program *p)
{
	struct arena *a = l->q->arena;

	if (!is_plain(p->interface))
		return;
	say(l, "The program can't be told to make an exception from here: see whose it is, and take it "
	       "off only if nothing needs it (kept, so that it can be put back):");
	say(l, arena_printf(a, "bpftool prog pin id %u " PIN "%u", p->id, p->id));
	/* xdpgeneric, xdpdrv or xdpoffload: the kernel takes off what bears the same word */
	const char *mode = starts(p->attach_type, "xdp") ? p->attach_type : "xdp";
	say(l, arena_printf(a, "ip link set dev %s %s off", p->interface, mode));
	say(l, UNDO);
	say(l, arena_printf(a, "ip link set dev %s %s pinned " PIN "%u", p->interface, mode, p->id));
	say(l, arena_printf(a, "rm " PIN "%u", p->id));
}

static void cgroup_remedy(struct list *l, const struct host_program *p)
{
	struct arena *a = l->q->arena;

	if (starts(p->name, "sd_fw_")) {
		say(l, "systemd made this program, for IPAddressDeny= or IPAddressAllow= of the unit. "
		       "Allow the address there:");
		const char *unit = strrchr(p->cgroup, '/');
		unit = unit && unit[1] ? unit + 1 : "UNIT";
		if (is_plain(unit))
			say(l, arena_printf(a, "systemctl set-property --runtime %s IPAddressAllow=%s",
					    unit, target(l)));
		return;
	}
	if (!is_plain_path(p->cgroup) || !is_plain(p->attach_type)) {
		say(l, "See whose program it is:");
		say(l, "bpftool cgroup tree");
		return;
	}
	const char *path = arena_printf(a, "/sys/fs/cgroup%s",
					strcmp(p->cgroup, "/") == 0 ? "" : p->cgroup);
	say(l, "The program can't be told to make an exception from here: see whose it is, and take it "
	       "off only if nothing needs it (kept, so that it can be put back):");
	say(l, arena_printf(a, "bpftool prog pin id %u " PIN "%u", p->id, p->id));
	say(l, arena_printf(a, "bpftool cgroup detach %s %s id %u", path, p->attach_type, p->id));
	say(l, UNDO);
	say(l, arena_printf(a, "bpftool cgroup attach %s %s pinned " PIN "%u", path, p->attach_type,
			    p->id));
	say(l, arena_printf(a, "rm " PIN "%u", p->id));
}

static void lsm_remedy(struct list *l)
{
	say(l, "Try from a plain root shell: what is denied may be this process or its service only.");
	say(l, "Then look for the denial in the logs of the security modules:");
	say(l, "ausearch -m avc,user_avc -ts recent");
	say(l, "journalctl -k --since -5min --grep 'apparmor|audit|denied'");
}

static void program_remedy(struct list *l)
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

static void sysctl_commands(struct list *l, const char *name, const char *value, const char *old)
{
	if (!is_plain_text(name) || !is_plain_text(old))
		return;
	struct arena *a = l->q->arena;

	say(l, arena_printf(a, "sysctl -w '%s=%s'", name, value));
	say(l, UNDO);
	say(l, arena_printf(a, "sysctl -w '%s=%s'", name, old));
}

static void setting_remedy(struct list *l)
{
	const struct host_setting *s = l->q->named->setting;
	struct arena *a = l->q->arena;

	if (strstr(s->name, ".rp_filter")) {
		/* the larger of "all" and the interface's is in force, and 2 (loose) is the largest */
		const char *own = s->interface[0] ? arena_printf(a, "net.ipv4.conf.%s.rp_filter",
								 s->interface)
						  : s->name;
		const struct host_setting *was = named_setting(l->q->tracker, own);
		say(l, "The answer comes in by another interface than the one by which packets to that "
		       "address leave. Mend the routing, or let this interface take such answers:");
		sysctl_commands(l, own, "2", was ? was->value : "0");
	} else if (l->q->named->kind == CULPRIT_CONNTRACK) {
		unsigned long long max = strtoull(s->value, NULL, 10);
		say(l, "Give the table more room (an entry takes about 320 bytes):");
		sysctl_commands(l, s->name, arena_printf(a, "%llu", max ? max * 4 : 262144), s->value);
	} else if (strstr(s->name, "ip_local_port_range")) {
		say(l, "See who holds the ports:");
		say(l, "ss -tanp");
		say(l, "A wider range helps for the moment:");
		sysctl_commands(l, s->name, "1024 65535", s->value);
	} else if (strstr(s->name, "disable_ipv6")) {
		say(l, "IPv6 is turned off there; if it should not be:");
		sysctl_commands(l, s->name, "0", s->value);
	}
}

static void mark_remedy(struct list *l)
{
	const struct host_mark_rule *m = l->q->named->mark_rule;
	struct arena *a = l->q->arena;
	const char *family = is_v6(l) ? "-6 " : "";

	say(l, "Remove the ip rule if it is not wanted, or let the firewall not mark this port:");
	if (!is_plain_text(m->text)) {
		say(l, arena_printf(a, "ip %srule", family));
		return;
	}
	say(l, arena_printf(a, "ip %srule del priority %u %s", family, m->priority, m->text));
	say(l, UNDO);
	say(l, arena_printf(a, "ip %srule add priority %u %s", family, m->priority, m->text));
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
	struct list l = {&own, out, 0};
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
		say(&l, "Look at the IPsec policies, and at the program that made them (strongSwan, "
			"libreswan, ...):");
		say(&l, "ip xfrm policy");
	} else if (n->kind == CULPRIT_LSM) {
		lsm_remedy(&l);
	}
	return l.n;
}
