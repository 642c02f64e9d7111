/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Remedies for rules that a program owns: what owns them writes them anew, so that its own commands
 * are the remedy; and where there are none, who will undo an exception. */
#include "diag/remedy_private.h"

#include <string.h>

static bool starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* The word behind the first of these marks in the rule, NULL: none is there, or it is none for a
 * command. */
static const char *word_behind(const struct remedy_list *l, const char *text,
			       const char *const *marks)
{
	for (; *marks; marks++) {
		const char *at = strstr(text, *marks);
		if (!at)
			continue;
		at += strlen(*marks);
		const char *word = arena_strndup(l->q->arena, at, strcspn(at, " \t,}"));
		return remedy_is_plain(word) ? word : NULL;
	}
	return NULL;
}

/* ---- ufw and firewalld ---- */

static bool ufw_is_on(const struct remedy_list *l)
{
	return named_setting(l->q->tracker, "firewall.ufw") != NULL;
}

/* Rules of the user's, and policies: what `ufw allow` comes before. Its before.rules do not. */
static bool is_ufw(const struct remedy_list *l, const struct host_rule *r)
{
	static const char *const chains[] = {"ufw-user-",        "ufw6-user-", "ufw-reject-",
					     "ufw6-reject-",     "ufw-after-", "ufw6-after-",
					     "ufw-skip-",        "ufw6-skip-", "ufw-logging-deny",
					     "ufw6-logging-deny"};

	if (r->backend == FW_NFT || strcmp(r->table, "filter") != 0 || l->q->inbound)
		return false;
	for (size_t i = 0; i < sizeof(chains) / sizeof(chains[0]); i++)
		if (starts(r->chain, chains[i]))
			return true;
	return r->policy && ufw_is_on(l);
}

static void ufw_commands(struct remedy_list *l)
{
	struct arena *a = l->q->arena;
	const char *rule =
		arena_printf(a, "allow out proto tcp to %s port %u", remedy_target(l), l->q->port);

	remedy_say(l, "The rule belongs to ufw. Let this address and port pass before it:");
	remedy_say(l, arena_printf(a, "ufw prepend %s", rule));
	remedy_say(l, REMEDY_UNDO);
	remedy_say(l, arena_printf(a, "ufw delete %s", rule));
}

/* "filter_OUT_policy_NAME_deny" holds the rules of firewalld's policy NAME. */
static const char *firewalld_policy(const struct remedy_list *l, const struct host_rule *r)
{
	static const char *const ends[] = {"_pre", "_log", "_deny", "_allow", "_post"};
	const char *at = strstr(r->chain, "_policy_");

	if (strcmp(r->table, "firewalld") != 0 || l->q->inbound || !at ||
	    !remedy_is_plain(r->chain))
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

static void firewalld_commands(struct remedy_list *l, const char *policy)
{
	struct arena *a = l->q->arena;
	const char *rule =
		arena_printf(a,
			     "rule priority=\"-32000\" family=\"%s\" destination address=\"%s\" "
			     "port port=\"%u\" "
			     "protocol=\"tcp\" accept",
			     remedy_is_v6(l) ? "ipv6" : "ipv4", remedy_target(l), l->q->port);

	remedy_say(
		l,
		arena_printf(a,
			     "The rule belongs to firewalld's policy %s. Let this address and port "
			     "pass before it:",
			     policy));
	remedy_say(l,
		   arena_printf(a, "firewall-cmd --policy=%s --add-rich-rule='%s'", policy, rule));
	remedy_say(l, REMEDY_UNDO);
	remedy_say(l, arena_printf(a, "firewall-cmd --policy=%s --remove-rich-rule='%s'", policy,
				   rule));
	remedy_say(l, "Add `--permanent` to a second call to keep it over a restart.");
}

/* ---- who bans addresses ---- */

/*
 * fail2ban: the table f2b-table with a set for each jail (addr-set-JAIL), or a chain of iptables or
 * an ipset (f2b-JAIL). Its action may bear another name than its jail, which is unusual.
 */
static bool is_fail2ban(const struct host_rule *r)
{
	return starts(r->table, "f2b-") || starts(r->chain, "f2b-") || strstr(r->text, "@f2b-") ||
	       strstr(r->text, "--match-set f2b-");
}

static const char *fail2ban_jail(const struct remedy_list *l, const struct host_rule *r)
{
	static const char *const sets[] = {"@addr-set-", "@addr6-set-", "@f2b-", NULL},
				 *const ipsets[] = {"--match-set f2b-", NULL};
	const char *jail = word_behind(l, r->text, sets);

	if (jail)
		return jail;
	jail = word_behind(l, r->text, ipsets);
	size_t n = jail ? strlen(jail) : 0;
	if (n > 1 && remedy_is_v6(l) && jail[n - 1] == '6') /* of IPv6 addresses */
		return arena_strndup(l->q->arena, jail, n - 1);
	if (jail)
		return jail;
	bool own_chain = starts(r->chain, "f2b-") && strcmp(r->chain, "f2b-chain") != 0;
	return own_chain && remedy_is_plain(r->chain + 4) ? arena_strdup(l->q->arena, r->chain + 4)
							  : NULL;
}

static bool by_fail2ban(struct remedy_list *l, const struct host_rule *r)
{
	struct arena *a = l->q->arena;
	const char *jail = fail2ban_jail(l, r), *address = remedy_target(l);

	if (!is_fail2ban(r))
		return false;
	if (!jail) {
		remedy_say(l, arena_printf(a,
					   "The rule is fail2ban's, which has banned %s. See in which jail, and take it out "
					   "of that by `fail2ban-client set JAIL unbanip %s`:",
					   address, address));
		remedy_say(l, arena_printf(a, "fail2ban-client banned %s", address));
		return true;
	}
	remedy_say(l, arena_printf(a,
				   "The rule is fail2ban's, whose jail %s has banned %s. Unban it there; a change to the "
				   "rule would not last:",
				   jail, address));
	remedy_say(l, arena_printf(a, "fail2ban-client set %s unbanip %s", jail, address));
	remedy_say(l, REMEDY_UNDO);
	remedy_say(l, arena_printf(a, "fail2ban-client set %s banip %s", jail, address));
	remedy_say(l, arena_printf(a,
				   "Should it be banned again, see why by `fail2ban-client status %s` and in "
				   "/var/log/fail2ban.log; it is spared by `fail2ban-client set %s addignoreip %s`, and for good "
				   "by ignoreip in jail.local.",
				   jail, jail, address));
	return true;
}

/* CrowdSec's bouncers: tables crowdsec and crowdsec6, or ipsets of that name. */
static bool by_crowdsec(struct remedy_list *l, const struct host_rule *r)
{
	struct arena *a = l->q->arena;
	const char *address = remedy_target(l);

	if (!starts(r->table, "crowdsec") && !starts(r->chain, "crowdsec") &&
	    !starts(r->chain, "CROWDSEC") && !strstr(r->text, "@crowdsec") &&
	    !strstr(r->text, "--match-set crowdsec"))
		return false;
	remedy_say(l, arena_printf(a,
				   "CrowdSec has decided against %s. A change to its bouncer's "
				   "rules would not last; "
				   "delete the decision (the bouncer follows within seconds):",
				   address));
	remedy_say(l, arena_printf(a, "cscli decisions delete --ip %s", address));
	remedy_say(l, REMEDY_UNDO);
	remedy_say(l, arena_printf(a, "cscli decisions add --ip %s", address));
	remedy_say(l, arena_printf(a,
				   "What it was for, and whether it is a whole network's (then "
				   "`--range`), says "
				   "`cscli decisions list --ip %s`; asked before it is deleted.",
				   address));
	return true;
}

bool remedy_by_owner(struct remedy_list *l, const struct host_rule *r)
{
	const char *policy = firewalld_policy(l, r);

	if (policy)
		firewalld_commands(l, policy);
	else if (is_ufw(l, r))
		ufw_commands(l);
	else
		return by_fail2ban(l, r) || by_crowdsec(l, r);
	return true;
}

/* ---- who writes a chain anew ---- */

static const struct {
	const char *table, *chain; /* how its name begins, NULL: any */
	const char *hint;
} owners[] = {
	{"firewalld", NULL,
	 "The table is firewalld's, which writes it anew when it is reloaded: to last, the "
	 "exception has to be "
	 "made there. See what it holds: `firewall-cmd --list-all-zones` and `firewall-cmd "
	 "--list-all-policies`"},
	{NULL, "ufw-before-",
	 "The chain is ufw's, and the rule stands in /etc/ufw/before.rules (IPv6: before6.rules): "
	 "to last over "
	 "`ufw reload`, the exception belongs there, in front of it."},
	{NULL, "ufw6-before-",
	 "The chain is ufw's, and the rule stands in /etc/ufw/before6.rules: to last over `ufw "
	 "reload`, the "
	 "exception belongs there, in front of it."},
	{NULL, "DOCKER",
	 "The chain is Docker's, which writes it anew when it starts: to last, an exception "
	 "belongs into the "
	 "chain DOCKER-USER, which Docker asks first and leaves alone."},
	{NULL, "KUBE-",
	 "The chain is kube-proxy's, which writes it anew all the time. What it rejects is mostly "
	 "the address of "
	 "a service without endpoints: `kubectl get services,endpointslices -A`"},
	{"kube-proxy", NULL,
	 "The table is kube-proxy's, which writes it anew all the time. What it rejects is mostly "
	 "the address of "
	 "a service without endpoints: `kubectl get services,endpointslices -A`"},
	{NULL, "cali-",
	 "The chain is Calico's, which writes it anew from the network policies: to last, allow it "
	 "there: "
	 "`kubectl get networkpolicies,globalnetworkpolicies -A`"},
	{NULL, "LIBVIRT_",
	 "The chain is libvirt's, which writes it anew when one of its networks starts."},
	{"libvirt_network", NULL,
	 "The table is libvirt's, which writes it anew when one of its networks starts."},
	{NULL, "NETAVARK",
	 "The chain is Podman's (netavark), which writes it anew with every container."},
	/* ConfigServer Security & Firewall: its SMTP_BLOCK jumps from SMTPOUTPUT to LOGDROPOUT */
	{NULL, "SMTPOUTPUT",
	 "The chain is csf's: see SMTP_BLOCK and SMTP_ALLOWUSER in /etc/csf/csf.conf, then `csf "
	 "-r`; "
	 "an exception here is gone with that."},
	{NULL, "LOGDROPOUT",
	 "The chain is csf's: see TCP_OUT, SMTP_BLOCK and SMTP_ALLOWUSER in /etc/csf/csf.conf, "
	 "then "
	 "`csf -r`; an exception here is gone with that."},
	{NULL, "DENYOUT",
	 "The chain is csf's, which takes addresses from /etc/csf/csf.deny; an exception here is "
	 "gone "
	 "with its next start."},
	{NULL, "DENYIN",
	 "The chain is csf's, which takes addresses from /etc/csf/csf.deny; an exception here is "
	 "gone "
	 "with its next start."},
};

void remedy_owner_hint(struct remedy_list *l, const struct host_rule *r)
{
	for (size_t i = 0; i < sizeof(owners) / sizeof(owners[0]); i++)
		if ((!owners[i].table || strcmp(r->table, owners[i].table) == 0) &&
		    (!owners[i].chain || starts(r->chain, owners[i].chain))) {
			remedy_say(l, owners[i].hint);
			return;
		}
}
