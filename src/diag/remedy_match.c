/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Remedies for what a rule looks at beside addresses and ports: whose packets they are, and how
 * many. */
#include "diag/remedy_private.h"

#include <string.h>

#include "diag/again.h"

/* ---- whose ---- */

struct whom {
	const char *who; /* NULL: the rule looks at nobody, or not in a word that a command takes */
	const char *key; /* as the rule spells it */
	bool others;     /* it is for everybody but these */
	bool group;
};

static const char *unquoted(struct arena *a, const char *word, size_t n)
{
	if (n >= 2 && word[0] == '"' && word[n - 1] == '"')
		return arena_strndup(a, word + 1, n - 2);
	return arena_strndup(a, word, n);
}

static struct whom whom_of(struct arena *a, const struct host_rule *r)
{
	static const struct {
		const char *key;
		bool group;
	} keys[] = {{"skuid ", false},
		    {"skgid ", true},
		    {"--uid-owner ", false},
		    {"--gid-owner ", true}};
	struct whom w = {.who = NULL};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]) && !w.who; i++) {
		const char *at = strstr(r->text, keys[i].key);
		if (!at)
			continue;
		const char *word = at + strlen(keys[i].key);
		w = (struct whom){.key = keys[i].key, .group = keys[i].group};
		w.others = strncmp(word, "!= ", 3) == 0 ||
			   (at - r->text >= 2 && strncmp(at - 2, "! ", 2) == 0);
		word += strncmp(word, "!= ", 3) == 0 ? 3 : 0;
		w.who = unquoted(a, word, strcspn(word, " "));
		if (!remedy_is_plain(w.who))
			return (struct whom){.who = NULL};
	}
	return w;
}

const char *remedy_for_whom(struct remedy_list *l, const struct host_rule *r)
{
	struct whom w = whom_of(l->q->arena, r);

	if (!w.who || w.others || l->q->inbound || r->policy)
		return "";
	return r->backend == FW_NFT ? arena_printf(l->q->arena, " meta %s%s", w.key, w.who)
				    : arena_printf(l->q->arena, " -m owner %s%s", w.key, w.who);
}

static const char *as_mail_user(const struct remedy_list *l)
{
	struct again again = {
		.plan = l->q->tracker->plan, .user = "USER", .target = remedy_target(l)};
	const char *command = again_command(l->q->arena, &again);

	return command ? arena_printf(l->q->arena, "`%s`", command) : "`--uid USER`, run again";
}

static void whom_hint(struct remedy_list *l, const struct host_rule *r)
{
	struct arena *a = l->q->arena;
	struct whom w = whom_of(a, r);
	const char *kind = w.group ? "group" : "user";
	const char *name = w.who && strcmp(w.who, "0") == 0 ? "0 (root)" : w.who;

	if (!w.who)
		remedy_say(
			l,
			arena_printf(
				a,
				"The rule looks at the user: another one may fare otherwise. Look "
				"at what the mail server's user meets: %s",
				as_mail_user(l)));
	else if (w.others)
		remedy_say(l, arena_printf(a,
					   "The rule lets the %s %s out and nobody else: hand mail "
					   "to the mail "
					   "server that runs so, and it passes. To see it: %s",
					   kind, name, as_mail_user(l)));
	else
		remedy_say(l, arena_printf(a,
					   "The rule is for the %s %s alone: what others send, it "
					   "leaves alone. Look "
					   "at what the mail server's user meets: %s",
					   kind, name, as_mail_user(l)));
}

/* ---- how many ---- */

/* From `key` on to the verdict, or what else is no part of it: "quota over 1 bytes". */
static const char *part_of(struct arena *a, const char *text, const char *key)
{
	static const char *const ends[] = {" drop",    " reject",   " counter",  " log",
					   " comment", " queue",    " jump",     " goto",
					   " return",  " accept",   " -j",       " -m",
					   " }",       " ct state", " redirect", " dnat"};
	const char *at = strstr(text, key);
	size_t n;

	if (!at)
		return NULL;
	n = strlen(at);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		const char *end = strstr(at + strlen(key), ends[i]);
		if (end && (size_t)(end - at) < n)
			n = (size_t)(end - at);
	}
	const char *part = arena_strndup(a, at, n);
	return strchr(part, '`') ? NULL : part;
}

static const char *first_part(struct arena *a, const char *text, const char *const *keys)
{
	for (; *keys; keys++) {
		const char *part = part_of(a, text, *keys);
		if (part)
			return part;
	}
	return NULL;
}

/* The command with which the rule is looked at, and can be written anew. */
static const char *look(const struct remedy_list *l, const struct host_rule *r)
{
	struct arena *a = l->q->arena;

	if (!remedy_is_plain(r->table) || !remedy_is_plain(r->chain))
		return "";
	if (r->backend == FW_NFT)
		return arena_printf(a, ": `nft -a list chain %s %s %s`", r->family, r->table,
				    r->chain);
	return arena_printf(
		a, ": `%s%s -w -t %s -S %s`", remedy_is_v6(l) ? "ip6tables" : "iptables",
		r->backend == FW_IPTABLES_LEGACY ? "-legacy" : "-nft", r->table, r->chain);
}

static void quota_hint(struct remedy_list *l, const struct host_rule *r, const char *quota)
{
	struct arena *a = l->q->arena;
	const char *at = arena_printf(a, "%s %s %s", r->family, r->table, r->chain), *again = "";
	bool plain = r->backend == FW_NFT && remedy_is_plain(r->table) && remedy_is_plain(r->chain);
	const char *name = strncmp(quota, "quota name ", 11) == 0
				   ? unquoted(a, quota + 11, strlen(quota + 11))
				   : NULL;

	if (plain && name && remedy_is_plain(name))
		again = arena_printf(a, "nft reset quota %s %s %s", r->family, r->table, name);
	else if (plain && !name &&
		 r->handle) /* nft prints what is used up, and would take it back */
		again = arena_printf(a,
				     "nft \"replace rule %s handle %llu $(nft -a list chain %s | "
				     "sed -n 's/ used "
				     "[0-9]* [a-z]*//; s/ # handle %llu$//p')\"",
				     at, (unsigned long long)r->handle, at,
				     (unsigned long long)r->handle);
	if (*again)
		remedy_say(l, arena_printf(a,
					   "The rule stops what goes beyond its quota (%s), which "
					   "is used up. In "
					   "place of an exception it can begin to count anew "
					   "(there is no undo for that): `%s`",
					   quota, again));
	else
		remedy_say(l, arena_printf(a,
					   "The rule stops what goes beyond its quota (%s), which "
					   "is used up: it "
					   "counts anew when the rule is written anew%s",
					   quota, look(l, r)));
}

static void amount_hints(struct remedy_list *l, const struct host_rule *r)
{
	static const char *const quotas[] = {"quota over", "quota name", "! --quota", NULL},
				 *const at_once[] = {"ct count over", "--connlimit-above",
						     "! --connlimit-upto", NULL},
				 *const rates[] = {"limit rate over",    "--hashlimit-above",
						   "! --hashlimit-upto", "limit name",
						   "--hitcount",         NULL};
	struct arena *a = l->q->arena;
	const char *part;

	if ((part = first_part(a, r->text, quotas)))
		quota_hint(l, r, part);
	else if ((part = first_part(a, r->text, at_once)))
		remedy_say(l, arena_printf(a,
					   "The rule allows so many connections at a time and no "
					   "more (%s): see who "
					   "holds them by `ss -tanp dport = :%u`, or raise the "
					   "number in the rule%s",
					   part, l->q->port, look(l, r)));
	else if ((part = first_part(a, r->text, rates)))
		remedy_say(l, arena_printf(a,
					   "The rule stops what exceeds its limit (%s): after a "
					   "pause so much passes "
					   "again. If that is not enough for the mail of this "
					   "machine, raise it in the "
					   "rule%s",
					   part, look(l, r)));
}

void remedy_match_hints(struct remedy_list *l, const struct host_rule *r)
{
	struct arena *a = l->q->arena;
	bool by_user =
		strstr(r->text, "skuid") || strstr(r->text, "skgid") || strstr(r->text, "-owner");

	bool mail = l->q->port == 25 || l->q->port == 465 || l->q->port == 587;

	if (r->verdict == FW_REDIRECT && mail)
		remedy_say(l, arena_printf(a,
					   "Hosting panels do this on purpose (\"SMTP "
					   "restrictions\"): everybody's "
					   "mail but that of the mail server's users is sent to "
					   "the local mail "
					   "server. Send through that, or look at what the mail "
					   "server's own user "
					   "meets: %s",
					   as_mail_user(l)));
	else if (by_user)
		whom_hint(l, r);
	if (r->verdict != FW_REDIRECT)
		amount_hints(l, r);
	if (strstr(r->text, "cgroup"))
		remedy_say(l, "The rule looks at the cgroup of the sender: a service may fare "
			      "otherwise than "
			      "this shell.");
	if (r->verdict == FW_QUEUE)
		remedy_say(l, "The rule hands packets to a program that does not give them back: "
			      "see whether "
			      "that program (an intrusion prevention system, say) runs.");
}
