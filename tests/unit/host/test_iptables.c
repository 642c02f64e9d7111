/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The walk through saved tables: what moved between two of them, and what one would do. */
#include "iptables.h"

#include <stdio.h>
#include <time.h>

/* ---- what moved ---- */

/* "[5+2:0]": 5 before, 7 after. A line that begins with '+' or '-' is there after or before only.
 */
static char *before_or_after(const char *text, bool after)
{
	char *out = calloc(2, strlen(text) + 64), *to = out;

	assert_non_null(out);
	for (bool start = true; *text; text++) {
		if (start && (*text == '+' || *text == '~')) {
			bool wanted = (*text == '+') == after;
			if (!wanted) {
				text += strcspn(text, "\n");
				continue;
			}
			text++;
		}
		start = *text == '\n';
		if (*text == '[' && text[1] >= '0' && text[1] <= '9') {
			char *end;
			uint64_t n = strtoull(text + 1, &end, 10), plus = 0;
			if (*end == '+')
				plus = strtoull(end + 1, &end, 10);
			to += sprintf(to, "[%llu", (unsigned long long)(after ? n + plus : n));
			text = end - 1;
			continue;
		}
		*to++ = *text;
	}
	*to = '\0';
	return out;
}

static void compare_texts(const char *text, const struct host_watch *w, uint16_t port,
			  struct records *out)
{
	enum addr_family family = w->remote.family;
	char *before = before_or_after(text, false), *after = before_or_after(text, true);
	struct iptables *a = parse(family, before), *b = parse(family, after);

	out->n = 0;
	iptables_compare(a, b, w, port, collect, out);
	iptables_free(a);
	iptables_free(b);
	free(before);
	free(after);
}

static void test_counted(void **state)
{
	static struct records r;
	struct host_watch w = watch_v4();

	(void)state;
	compare_texts(FILTER "[5+2:0] -A OUTPUT -p tcp -m tcp --dport 443 -j DROP\n"
			     "[5+3:0] -A OUTPUT -p tcp -m tcp --dport 25 -j DROP\n" COMMIT,
		      &w, 25, &r);
	assert_int_equal(r.n, 1);
	assert_counted(&r, 0, "-A OUTPUT -p tcp -m tcp --dport 25 -j DROP", true);
	const struct host_counted *c = counted(&r, 0);
	assert_int_equal(c->moved, 3);
	assert_int_equal(c->dport, 25);
	assert_false(c->inbound);
	assert_int_equal(c->rule.verdict, FW_DROP);
	assert_false(c->rule.policy);
	assert_int_equal(c->rule.number, 2);
	assert_string_equal(c->rule.family, "ip");
	assert_string_equal(c->rule.table, "filter");
	assert_string_equal(c->rule.chain, "OUTPUT");
	assert_string_equal(c->rule.base_chain, "OUTPUT");
	assert_string_equal(c->rule.hook, "output");
	/* the other port has another culprit */
	compare_texts(FILTER "[5+2:0] -A OUTPUT -p tcp -m tcp --dport 443 -j DROP\n"
			     "[5+3:0] -A OUTPUT -p tcp -m tcp --dport 25 -j DROP\n" COMMIT,
		      &w, 443, &r);
	assert_int_equal(r.n, 1);
	assert_counted(&r, 0, "-A OUTPUT -p tcp -m tcp --dport 443 -j DROP", true);
}

/* What stood still, contradicts our packet or is of another family is never named. */
static void test_counted_nobody(void **state)
{
	static const char *const texts[] = {
		FILTER "[5:0] -A OUTPUT -p tcp -m tcp --dport 25 -j DROP\n" COMMIT,
		FILTER "[5+9:0] -A OUTPUT -p udp -m udp --dport 25 -j DROP\n" COMMIT,
		FILTER
		"[5+9:0] -A OUTPUT -d 192.0.2.0/24 -p tcp -m tcp --dport 25 -j DROP\n" COMMIT,
		FILTER "[5+9:0] -A OUTPUT -p tcp -m tcp --dport 25 -m owner --uid-owner 8 -j "
		       "DROP\n" COMMIT,
		FILTER "[5+9:0] -A FORWARD -p tcp -m tcp --dport 25 -j DROP\n" COMMIT,
		FILTER "[5+9:0] -A INPUT -p tcp -m tcp --dport 25 -j DROP\n" COMMIT,
		FILTER "[5+9:0] -A OUTPUT -p tcp -m tcp --dport 25 -j LOG\n" COMMIT,
		FILTER "[5+9:0] -A OUTPUT -p tcp -m tcp --dport 25 -j ACCEPT\n"
		       "[5+9:0] -A OUTPUT -p tcp -j DROP\n" COMMIT,
		/* an unused chain */
		FILTER ":mine - [0:0]\n"
		       "[5+9:0] -A mine -p tcp -m tcp --dport 25 -j DROP\n" COMMIT,
		/* jumped to by others */
		FILTER ":mine - [0:0]\n"
		       "[5+9:0] -A OUTPUT -o lo -j mine\n"
		       "[5+9:0] -A mine -j DROP\n" COMMIT,
		/* our SYN never got here: another rule must have counted it first */
		FILTER "[5:0] -A OUTPUT -p tcp -m tcp --dport 25 -j LOG\n"
		       "[5+9:0] -A OUTPUT -j DROP\n" COMMIT,
		/* an unknown table, and nat for answers */
		"*broute\n:OUTPUT ACCEPT [0:0]\n[0+9:0] -A OUTPUT -j DROP\n" COMMIT,
		"*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT DROP [0+9:0]\n[0+9:0] -A PREROUTING -p "
		"tcp -m tcp --sport 25 -j REDIRECT\n" COMMIT,
	};
	static struct records r;
	struct host_watch w = watch_v4(), w6 = watch_v6();

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		compare_texts(texts[i], &w, 25, &r);
		if (r.n)
			fail_msg("%s names %s", texts[i], r.list[0].counted.rule.text);
	}
	struct iptables *t = parse(ADDR_V4, "*filter\n:OUTPUT DROP [0:0]\n" COMMIT);
	iptables_compare(t, t, &w6, 25, collect, &r);
	assert_int_equal(r.n, 0);
	iptables_free(t);
}

static void test_counted_chains(void **state)
{
	static struct records r;
	struct host_watch w = watch_v4();

	(void)state;
	compare_texts(FILTER ":a - [0:0]\n:b - [0:0]\n:c - [0:0]\n"
			     "[0+1:0] -A OUTPUT -p tcp -j a\n"
			     "[0+5:0] -A OUTPUT -p tcp -j REJECT --reject-with tcp-reset\n"
			     "[0+1:0] -A a -p tcp -m tcp --dport 25 -j b\n"
			     "[0+9:0] -A a -j DROP\n"
			     "[0+1:0] -A b -g c\n"
			     "[0+9:0] -A b -j DROP\n"
			     "[0:0] -A c -p udp -j DROP\n"
			     "[0+1:0] -A c -d 198.51.100.25/32 -j RETURN\n"
			     "[0+9:0] -A c -j DROP\n" COMMIT,
		      &w, 25, &r);
	/* c returns to a, for b was left for good */
	assert_int_equal(r.n, 1);
	assert_counted(&r, 0, "-A a -j DROP", true);
	assert_int_equal(counted(&r, 0)->rule.number, 2);
	assert_string_equal(counted(&r, 0)->rule.chain, "a");
	assert_string_equal(counted(&r, 0)->rule.base_chain, "OUTPUT");

	compare_texts(FILTER ":a - [0:0]\n"
			     "[0+1:0] -A OUTPUT -g a\n"
			     "[0+9:0] -A OUTPUT -p tcp -j DROP\n"
			     "[0:0] -A a -p udp -j DROP\n" COMMIT,
		      &w, 25, &r);
	assert_int_equal(r.n, 0); /* from behind a goto to the policy */

	/* a chain may be called like a target that this iptables does not know */
	compare_texts(FILTER ":STEAL - [0:0]\n"
			     "[0+1:0] -A OUTPUT -j STEAL\n"
			     "[0+1:0] -A OUTPUT -j DROP\n"
			     "[0:0] -A STEAL -p udp -j DROP\n" COMMIT,
		      &w, 25, &r);
	assert_counted(&r, 0, "-A OUTPUT -j DROP", true);
}

/* A chain that can't stop it changes nothing, however unsure it is that it was entered. */
static void test_counted_harmless_chain(void **state)
{
	static struct records r;
	struct host_watch w = watch_v4();

	(void)state;
	compare_texts(FILTER ":log - [0:0]\n"
			     "[0+1:0] -A OUTPUT -m limit --limit 3/min -j log\n"
			     "[0+1:0] -A OUTPUT -j DROP\n"
			     "[0+1:0] -A log -m recent --set --name x -j RETURN\n"
			     "[0+1:0] -A log -j LOG\n" COMMIT,
		      &w, 25, &r);
	assert_int_equal(r.n, 1);
	assert_counted(&r, 0, "-A OUTPUT -j DROP", true);
}

static void test_counted_policy(void **state)
{
	static struct records r;
	struct host_watch w = watch_v4();

	(void)state;
	compare_texts("*filter\n:INPUT ACCEPT [0:0]\n:OUTPUT DROP [7+2:0]\n"
		      "[0+2:0] -A OUTPUT -p tcp -m tcp --dport 443 -j ACCEPT\n" COMMIT,
		      &w, 25, &r);
	assert_int_equal(r.n, 1);
	assert_counted(&r, 0, "-P OUTPUT DROP", true);
	const struct host_counted *c = counted(&r, 0);
	assert_true(c->rule.policy);
	assert_int_equal(c->rule.number, 0);
	assert_int_equal(c->moved, 2);
	assert_string_equal(c->rule.chain, "OUTPUT");

	/* moved by others: the port is accepted, or ours can't have met the policy */
	compare_texts("*filter\n:INPUT ACCEPT [0+2:0]\n:OUTPUT DROP [7+2:0]\n"
		      "[0+2:0] -A OUTPUT -p tcp -m tcp --dport 25 -j ACCEPT\n" COMMIT,
		      &w, 25, &r);
	assert_int_equal(r.n, 0);
	compare_texts("*filter\n:INPUT ACCEPT [0+2:0]\n:OUTPUT DROP [7+2:0]\n"
		      "[3:0] -A OUTPUT -p tcp -m tcp --dport 25 -j ACCEPT\n" COMMIT,
		      &w, 25, &r);
	assert_int_equal(r.n, 0);
}

static void test_counted_inbound(void **state)
{
	static struct records r;
	struct host_watch w = watch_v4();

	(void)state;
	compare_texts("*raw\n:PREROUTING ACCEPT [0+5:0]\n:OUTPUT ACCEPT [0+5:0]\n" COMMIT
		      "*filter\n:INPUT DROP [0+3:0]\n:OUTPUT ACCEPT [0+9:0]\n"
		      "[0+7:0] -A INPUT -i lo -j ACCEPT\n"
		      "[0+7:0] -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\n" COMMIT,
		      &w, 25, &r);
	assert_int_equal(r.n, 1);
	assert_counted(&r, 0, "-P INPUT DROP", true);
	assert_true(counted(&r, 0)->inbound);
	assert_string_equal(counted(&r, 0)->rule.hook, "input");
	compare_texts("*mangle\n:PREROUTING ACCEPT [0+5:0]\n"
		      "[0+1:0] -A PREROUTING -p tcp -m tcp --sport 25 -j DROP\n" COMMIT,
		      &w, 25, &r);
	assert_counted(&r, 0, "-A PREROUTING -p tcp -m tcp --sport 25 -j DROP", true);
	assert_string_equal(counted(&r, 0)->rule.hook, "prerouting");
	/* established, and so accepted */
	compare_texts(
		"*filter\n:INPUT DROP [0+3:0]\n:OUTPUT ACCEPT [0+9:0]\n"
		"[0+7:0] -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n" COMMIT,
		&w, 25, &r);
	for (unsigned i = 0; i < r.n; i++)
		assert_false(counted(&r, i)->certain);
	/* what stopped the SYN leaves no answer */
	compare_texts("*filter\n:INPUT DROP [0+3:0]\n:OUTPUT DROP [0+9:0]\n" COMMIT, &w, 25, &r);
	assert_int_equal(r.n, 1);
	assert_counted(&r, 0, "-P OUTPUT DROP", true);
}

static void test_counted_unsure(void **state)
{
	static struct records r;
	struct host_watch w = watch_v4();

	(void)state;
	compare_texts(FILTER "[0+1:0] -A OUTPUT -m set --match-set bad dst -j DROP\n"
			     "[0+1:0] -A OUTPUT -m limit --limit 3/min -j LOG\n"
			     "[0+1:0] -A OUTPUT -m conntrack --ctstate INVALID -j DROP\n"
			     "[0+1:0] -A OUTPUT -p tcp -j TARPIT\n" COMMIT,
		      &w, 25, &r);
	assert_int_equal(r.n, 3);
	assert_counted(&r, 0, "-A OUTPUT -m set --match-set bad dst -j DROP", false);
	assert_counted(&r, 1, "-A OUTPUT -p tcp -j TARPIT", false);
	assert_counted(&r, 2, "-A OUTPUT -m conntrack --ctstate INVALID -j DROP", false);
	/* the certain one first, whatever else moved */
	compare_texts(FILTER "[0+1:0] -A OUTPUT -m conntrack --ctstate INVALID -j DROP\n"
			     "[0+1:0] -A OUTPUT -p tcp -m tcp --dport 25 -j DROP\n" COMMIT,
		      &w, 25, &r);
	assert_counted(&r, 0, "-A OUTPUT -p tcp -m tcp --dport 25 -j DROP", true);
}

static void test_counted_marks(void **state)
{
	static struct records r;
	struct host_watch w = watch_v4();

	(void)state;
	compare_texts(
		"*mangle\n:OUTPUT ACCEPT [0+1:0]\n:POSTROUTING ACCEPT [0+1:0]\n"
		"[0+1:0] -A OUTPUT -p tcp -m tcp --dport 25 -j MARK --set-xmark 0x8/0xf\n" COMMIT
			FILTER "[0+1:0] -A OUTPUT -m mark --mark 0x8/0x8 -j DROP\n" COMMIT,
		&w, 25, &r);
	assert_counted(&r, 0, "-A OUTPUT -m mark --mark 0x8/0x8 -j DROP", true);
	/* the usual kill switch of a VPN */
	compare_texts(FILTER
		      "[0+1:0] -A OUTPUT ! -o wg0 -m mark ! --mark 0xca6c -m addrtype ! "
		      "--dst-type LOCAL -j REJECT --reject-with icmp-port-unreachable\n" COMMIT,
		      &w, 25, &r);
	assert_int_equal(r.n, 1);
	assert_true(counted(&r, 0)->certain);
	assert_int_equal(counted(&r, 0)->rule.verdict, FW_REJECT);
}

static void test_counted_turns(void **state)
{
	static struct records r;
	struct host_watch w = watch_v4();
	static const char nat[] =
		"*nat\n:OUTPUT ACCEPT [0+1:0]\n:POSTROUTING ACCEPT [0+1:0]\n"
		"[0+1:0] -A OUTPUT -p tcp -m tcp --dport 25 -m owner ! --uid-owner 8 -j REDIRECT "
		"--to-ports 2525\n" COMMIT FILTER
		"[0+1:0] -A OUTPUT -p tcp -m tcp --dport 25 -j DROP\n"
		"[0+1:0] -A OUTPUT -d 127.0.0.1/32 -p tcp -m tcp --dport 2525 -j DROP\n" COMMIT;

	(void)state;
	compare_texts(nat, &w, 25, &r);
	assert_int_equal(r.n, 2);
	assert_int_equal(counted(&r, 0)->rule.verdict, FW_REDIRECT);
	assert_true(counted(&r, 0)->certain);
	assert_counted(&r, 1, "-A OUTPUT -d 127.0.0.1/32 -p tcp -m tcp --dport 2525 -j DROP", true);
	w.uid = 8;
	compare_texts(nat, &w, 25, &r);
	assert_int_equal(r.n, 1);
	assert_counted(&r, 0, "-A OUTPUT -p tcp -m tcp --dport 25 -j DROP", true);

	compare_texts("*nat\n:OUTPUT ACCEPT [0:0]\n"
		      "[0+1:0] -A OUTPUT -p tcp -m tcp --dport 25 -j DNAT --to-destination "
		      "192.0.2.1:26\n" COMMIT,
		      &w, 25, &r);
	assert_int_equal(counted(&r, 0)->rule.verdict, FW_DNAT);
	assert_true(counted(&r, 0)->certain);

	/* of packets that a mark sends back to this host */
	compare_texts("*mangle\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0+1:0]\n"
		      "[0+1:0] -A PREROUTING -p tcp -m tcp --dport 25 -j TPROXY --on-port 2525 "
		      "--on-ip 127.0.0.1 --tproxy-mark 0x1/0x1\n"
		      "[0+1:0] -A OUTPUT -p tcp -m tcp --dport 25 -j MARK --set-xmark "
		      "0x1/0xffffffff\n" COMMIT,
		      &w, 25, &r);
	assert_int_equal(r.n, 1);
	assert_int_equal(counted(&r, 0)->rule.verdict, FW_TPROXY);
	assert_false(counted(&r, 0)->inbound);
}

/* The kernel runs nat for what conntrack sees, and counts nothing there for the rest. */
static void test_counted_untracked(void **state)
{
	static struct records r;
	struct host_watch w = watch_v4();

	(void)state;
	compare_texts("*nat\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n" COMMIT FILTER
		      "[0+1:0] -A OUTPUT -p tcp -m tcp --dport 25 -j DROP\n" COMMIT,
		      &w, 25, &r);
	assert_int_equal(r.n, 1);
	assert_true(counted(&r, 0)->certain);
	compare_texts(
		"*raw\n:OUTPUT ACCEPT [0+1:0]\n[0+1:0] -A OUTPUT -p tcp -j CT --notrack\n" COMMIT
		"*nat\n:OUTPUT ACCEPT [0+1:0]\n"
		"[0+1:0] -A OUTPUT -p tcp -j REDIRECT\n" COMMIT,
		&w, 25, &r);
	assert_int_equal(r.n, 0);
	compare_texts("*nat\n:OUTPUT ACCEPT [0:0]\n[0:0] -A OUTPUT -p tcp -j ACCEPT\n" COMMIT FILTER
		      "[0+1:0] -A OUTPUT -p tcp -m tcp --dport 25 -j DROP\n" COMMIT,
		      &w, 25, &r);
	assert_int_equal(r.n, 1);
	assert_true(counted(&r, 0)->certain);
	compare_texts(
		"*nat\n:OUTPUT ACCEPT [0:0]\n[0:0] -A OUTPUT -p tcp -j REDIRECT\n" COMMIT FILTER
		"[0+1:0] -A OUTPUT -p tcp -m tcp --dport 25 -j DROP\n" COMMIT,
		&w, 25, &r);
	assert_int_equal(r.n, 1);
	assert_false(counted(&r, 0)->certain);
}

/* Given to a program: kept, if nothing behind it has counted our packet. */
static void test_counted_queue(void **state)
{
	static struct records r;
	struct host_watch w = watch_v4();

	(void)state;
	compare_texts(
		"*mangle\n:OUTPUT ACCEPT [0+1:0]\n:POSTROUTING ACCEPT [0:0]\n" COMMIT FILTER
		"[0+1:0] -A OUTPUT -p tcp -m tcp --dport 25 -j NFQUEUE --queue-num 3\n" COMMIT,
		&w, 25, &r);
	assert_int_equal(r.n, 1);
	assert_int_equal(counted(&r, 0)->rule.verdict, FW_QUEUE);
	assert_true(counted(&r, 0)->certain);
	compare_texts(
		"*mangle\n:OUTPUT ACCEPT [0+1:0]\n:POSTROUTING ACCEPT [0+1:0]\n" COMMIT FILTER
		"[0+1:0] -A OUTPUT -p tcp -m tcp --dport 25 -j NFQUEUE --queue-num 3\n" COMMIT,
		&w, 25, &r);
	assert_int_equal(r.n, 1);
	assert_false(counted(&r, 0)->certain);
}

/* Counters that wrap or are reset, rules that come and go meanwhile. */
static void test_counted_changes(void **state)
{
	static struct records r;
	struct host_watch w = watch_v4();
	static const char reset_before[] =
		FILTER "[9:0] -A OUTPUT -p tcp -m tcp --dport 25 -j DROP\n" COMMIT;
	static const char reset_after[] =
		FILTER "[2:0] -A OUTPUT -p tcp -m tcp --dport 25 -j DROP\n" COMMIT;

	(void)state;
	compare_texts(FILTER "[18446744073709551614+3:0] -A OUTPUT -p tcp -m tcp --dport 25 -j "
			     "DROP\n" COMMIT,
		      &w, 25, &r);
	assert_int_equal(r.n, 1);
	assert_int_equal(counted(&r, 0)->moved, 3);
	assert_true(counted(&r, 0)->certain);

	struct iptables *a = parse(ADDR_V4, "*filter\n:OUTPUT ACCEPT [0:0]\n" COMMIT);
	char *before = before_or_after(reset_before, false);
	char *after = before_or_after(reset_after, true);
	struct iptables *b = parse(ADDR_V4, before), *c = parse(ADDR_V4, after);
	r.n = 0;
	iptables_compare(b, c, &w, 25, collect, &r);
	assert_int_equal(r.n, 1);
	assert_int_equal(counted(&r, 0)->moved, 2);
	assert_false(counted(&r, 0)->certain);
	r.n = 0;
	iptables_compare(a, c, &w, 25, collect, &r); /* the rule is new */
	assert_int_equal(r.n, 1);
	assert_false(counted(&r, 0)->certain);
	iptables_free(a);
	iptables_free(b);
	iptables_free(c);
	free(before);
	free(after);

	compare_texts(FILTER "+[1:0] -A OUTPUT -d 192.0.2.1/32 -j REJECT\n"
			     "~[4:0] -A OUTPUT -d 192.0.2.2/32 -j REJECT\n"
			     "[7+1:0] -A OUTPUT -p tcp -m tcp --dport 25 -j DROP\n"
			     "[7:0] -A OUTPUT -p tcp -m tcp --dport 25 -j REJECT\n" COMMIT,
		      &w, 25, &r);
	assert_int_equal(r.n, 1);
	assert_int_equal(counted(&r, 0)->moved, 1);
	assert_int_equal(counted(&r, 0)->rule.number, 2);
	assert_false(counted(&r, 0)->certain);
}

static void test_counted_v6(void **state)
{
	static struct records r;
	struct host_watch w = watch_v6();

	(void)state;
	compare_texts(FILTER "[0+1:0] -A OUTPUT ! -d 2001:db8::/32 -j DROP\n"
			     "[0+1:0] -A OUTPUT -d 2001:db8::/64 -p tcp -m multiport --dports "
			     "25,465 -j REJECT --reject-with icmp6-adm-prohibited\n" COMMIT,
		      &w, 25, &r);
	assert_int_equal(r.n, 1);
	assert_true(counted(&r, 0)->certain);
	assert_string_equal(counted(&r, 0)->rule.family, "ip6");
	assert_int_equal(counted(&r, 0)->rule.number, 2);
}

/* Text of the kernel is clean and fits. */
static void test_counted_text(void **state)
{
	static struct records r;
	struct host_watch w = watch_v4();
	char text[4096];

	(void)state;
	compare_texts(FILTER
		      "[0+1:0] -A OUTPUT -m comment --comment \"a\n\x1b[31m\" -j DROP\n" COMMIT,
		      &w, 25, &r);
	assert_counted(&r, 0, "-A OUTPUT -m comment --comment \"a\\x0a\\x1b[31m\" -j DROP", true);
	snprintf(text, sizeof(text),
		 FILTER "[0+1:0] -A OUTPUT -m comment --comment \"%0900d\" -j DROP\n" COMMIT, 0);
	compare_texts(text, &w, 25, &r);
	assert_true(counted(&r, 0)->certain);
	assert_int_equal(strlen(counted(&r, 0)->rule.text), RECORD_TEXT_MAX - 1);
}

/* ---- without a packet ---- */

static void inspect_text(const char *text, const struct host_watch *w, struct records *out)
{
	struct iptables *t = parse(w->remote.family, text);

	out->n = 0;
	iptables_inspect(t, w, collect, out);
	iptables_free(t);
}

static void assert_sight(const struct records *r, unsigned i, bool inbound, enum host_would would,
			 const char *text, const char *depends)
{
	if (i >= r->n)
		fail_msg("only %u records", r->n);
	assert_int_equal(r->list[i].kind, HOST_SIGHT);
	const struct host_sight *s = &r->list[i].sight;
	assert_string_equal(s->rule.text, text);
	assert_int_equal(s->would, would);
	assert_int_equal(s->inbound, inbound);
	assert_string_equal(s->depends, depends);
}

#define QUIET "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n"

static void test_inspect_stop(void **state)
{
	static struct records r;
	struct host_watch w = watch_v4();

	(void)state;
	w.rports[1] = 587;
	w.n_rports = 2;
	inspect_text(QUIET COMMIT, &w, &r);
	assert_int_equal(r.n, 0); /* no rules: nothing to say */
	inspect_text(QUIET "[0:0] -A OUTPUT -p tcp -m tcp --dport 25 -j DROP\n"
			   "[0:0] -A OUTPUT -p tcp -m tcp --dport 587 -j ACCEPT\n" COMMIT,
		     &w, &r);
	assert_int_equal(r.n, 2);
	assert_sight(&r, 0, false, WOULD_STOP, "-A OUTPUT -p tcp -m tcp --dport 25 -j DROP", "");
	assert_int_equal(r.list[0].sight.port, 25);
	assert_sight(&r, 1, false, WOULD_PASS, "-A OUTPUT -p tcp -m tcp --dport 587 -j ACCEPT", "");
	assert_int_equal(r.list[1].sight.port, 587);
	assert_int_equal(r.list[1].sight.rule.verdict, FW_ACCEPT);
}

static void test_inspect_policies(void **state)
{
	static struct records r;
	struct host_watch w = watch_v4();

	(void)state;
	inspect_text("*filter\n:INPUT DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n"
		     "[0:0] -A INPUT -i lo -j ACCEPT\n"
		     "[0:0] -A INPUT -m conntrack --ctstate INVALID -j DROP\n"
		     "[0:0] -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"
		     "[0:0] -A OUTPUT -o lo -j ACCEPT\n" COMMIT,
		     &w, &r);
	assert_int_equal(r.n, 2);
	assert_sight(&r, 0, false, WOULD_PASS, "-P OUTPUT ACCEPT", "");
	assert_true(r.list[0].sight.rule.policy);
	assert_sight(&r, 1, true, WOULD_PASS,
		     "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", "");
	inspect_text("*filter\n:INPUT DROP [0:0]\n:OUTPUT DROP [0:0]\n"
		     "[0:0] -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\n"
		     "[0:0] -A OUTPUT -p tcp -m tcp --dport 443 -j ACCEPT\n" COMMIT,
		     &w, &r);
	assert_int_equal(r.n, 2);
	assert_sight(&r, 0, false, WOULD_STOP, "-P OUTPUT DROP", "");
	assert_sight(&r, 1, true, WOULD_STOP, "-P INPUT DROP", "");
}

static void test_inspect_maybe(void **state)
{
	static struct records r;
	struct host_watch w = watch_v4();

	(void)state;
	inspect_text(QUIET "[0:0] -A OUTPUT -m set --match-set bad dst -m limit --limit 5/min -j "
			   "DROP\n" COMMIT,
		     &w, &r);
	assert_int_equal(r.n, 1);
	assert_sight(&r, 0, false, WOULD_MAYBE,
		     "-A OUTPUT -m set --match-set bad dst -m limit --limit 5/min -j DROP",
		     "a rate limit, an ipset");
	assert_int_equal(r.list[0].sight.rule.verdict, FW_DROP);
	/* what may stop it does not make a sure stop behind it any less sure */
	inspect_text(QUIET "[0:0] -A OUTPUT -m set --match-set bad dst -j DROP\n"
			   "[0:0] -A OUTPUT -p tcp -m tcp --dport 25 -j DROP\n" COMMIT,
		     &w, &r);
	assert_int_equal(r.n, 2);
	assert_int_equal(r.list[0].sight.would, WOULD_MAYBE);
	assert_int_equal(r.list[1].sight.would, WOULD_STOP);
	/* but what may accept it does */
	inspect_text(QUIET "[0:0] -A OUTPUT -m set --match-set good dst -j ACCEPT\n"
			   "[0:0] -A OUTPUT -p tcp -m tcp --dport 25 -j DROP\n" COMMIT,
		     &w, &r);
	assert_int_equal(r.n, 1);
	assert_sight(&r, 0, false, WOULD_MAYBE, "-A OUTPUT -p tcp -m tcp --dport 25 -j DROP",
		     "an ipset");
	/* and accepted by either is accepted */
	inspect_text(QUIET "[0:0] -A OUTPUT -m set --match-set good dst -j ACCEPT\n"
			   "[0:0] -A OUTPUT -m limit --limit 3/min -j LOG\n" COMMIT,
		     &w, &r);
	assert_int_equal(r.n, 1);
	assert_sight(&r, 0, false, WOULD_PASS, "-P OUTPUT ACCEPT", "");
	inspect_text(QUIET "[0:0] -A OUTPUT -p tcp -j NFQUEUE --queue-num 0\n" COMMIT, &w, &r);
	assert_int_equal(r.n, 1);
	assert_sight(&r, 0, false, WOULD_MAYBE, "-A OUTPUT -p tcp -j NFQUEUE --queue-num 0",
		     "the program that the packet is handed to");
	assert_int_equal(r.list[0].sight.rule.verdict, FW_QUEUE);
}

static void test_inspect_turns(void **state)
{
	static struct records r;
	struct host_watch w = watch_v4();
	static const char panel[] = "*nat\n:OUTPUT ACCEPT [0:0]\n"
				    "[0:0] -A OUTPUT -p tcp -m multiport --dports 25,465,587 -m "
				    "owner --gid-owner 12 -j RETURN\n"
				    "[0:0] -A OUTPUT -p tcp -m multiport --dports 25,465,587 -j "
				    "REDIRECT\n" COMMIT;

	(void)state;
	inspect_text(panel, &w, &r);
	assert_int_equal(r.n, 1);
	assert_int_equal(r.list[0].sight.would, WOULD_REDIRECT);
	assert_int_equal(r.list[0].sight.rule.verdict, FW_REDIRECT);
	w.gid = 12;
	inspect_text(panel, &w, &r);
	assert_int_equal(r.n, 1);
	assert_sight(&r, 0, false, WOULD_PASS, "-P OUTPUT ACCEPT", "");
}

/* Rules that would take for ever are given up, and that is said. */
static void test_bounded(void **state)
{
	static struct records r;
	struct host_watch w = watch_v4();
	static char text[1 << 16];
	size_t n = 0;
	struct timespec a, b;

	(void)state;
	n += (size_t)sprintf(text, QUIET);
	for (int i = 0; i < 40; i++)
		n += (size_t)sprintf(text + n, ":c%d - [0:0]\n", i);
	n += (size_t)sprintf(text + n, "[0:0] -A OUTPUT -j c0\n");
	for (int i = 0; i < 39; i++)
		n += (size_t)sprintf(text + n, "[0:0] -A c%d -j c%d\n[0:0] -A c%d -j c%d\n", i,
				     i + 1, i, i + 1);
	n += (size_t)sprintf(text + n, "[0:0] -A c39 -p udp -j DROP\n");
	strcpy(text + n, COMMIT);
	clock_gettime(CLOCK_MONOTONIC, &a);
	inspect_text(text, &w, &r);
	clock_gettime(CLOCK_MONOTONIC, &b);
	assert_true(b.tv_sec - a.tv_sec < 5);
	assert_true(r.n > 0);
	assert_int_equal(r.list[r.n - 1].kind, HOST_NOT_LOOKED);
	assert_int_equal(r.list[r.n - 1].not_looked.what, HOST_LOOK_IPTABLES);
	/* no kernel has a circle, but a text may */
	strcpy(text + n, "[0:0] -A c39 -j c0\n" COMMIT);
	inspect_text(text, &w, &r);
	assert_int_equal(r.list[r.n - 1].kind, HOST_NOT_LOOKED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counted),
		cmocka_unit_test(test_counted_nobody),
		cmocka_unit_test(test_counted_chains),
		cmocka_unit_test(test_counted_harmless_chain),
		cmocka_unit_test(test_counted_policy),
		cmocka_unit_test(test_counted_inbound),
		cmocka_unit_test(test_counted_unsure),
		cmocka_unit_test(test_counted_marks),
		cmocka_unit_test(test_counted_turns),
		cmocka_unit_test(test_counted_untracked),
		cmocka_unit_test(test_counted_queue),
		cmocka_unit_test(test_counted_changes),
		cmocka_unit_test(test_counted_v6),
		cmocka_unit_test(test_counted_text),
		cmocka_unit_test(test_inspect_stop),
		cmocka_unit_test(test_inspect_policies),
		cmocka_unit_test(test_inspect_maybe),
		cmocka_unit_test(test_inspect_turns),
		cmocka_unit_test(test_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
