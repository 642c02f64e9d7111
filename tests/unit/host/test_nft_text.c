/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A rule's words are those of the program that lists it, whether its chain is short or long. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "netns.h"

#include "base/clock.h"
#include "host/child.h"
#include "host/nft_text.h"

#define OUTPUT_MAX (64 << 20)
#define FILL       2500 /* more rules than are listed to find one */
#define NFT_LIST                                                                                   \
	{                                                                                          \
		"nft", "-a", "-s", "list", "chain", family, table, chain, NULL                     \
	}

static struct child_output run(const char *const argv[], const char *input)
{
	struct child_output out;
	struct err e = {.text = ""};

	if (child_run(argv, input, 30000, OUTPUT_MAX, &out, &e) != 0)
		fail_msg("%s %s: %s", argv[0], argv[1], e.text);
	return out;
}

static void nft(const char *commands)
{
	const char *argv[] = {"nft", "-f", "-", NULL};
	struct child_output out = run(argv, commands);

	child_output_free(&out);
}

/* Does this kernel take it? */
static bool nft_try(const char *commands)
{
	const char *argv[] = {"nft", "-f", "-", NULL};
	struct child_output out;
	struct err e;

	if (child_run(argv, commands, 5000, OUTPUT_MAX, &out, &e) != 0) {
		print_message("not tested here: %s (%s)\n", commands, e.text);
		return false;
	}
	child_output_free(&out);
	return true;
}

/* The listing with each rule on one line. */
static char *list_joined(const char *family, const char *table, const char *chain)
{
	const char *argv[] = NFT_LIST;
	struct child_output out = run(argv, NULL);
	char *to = out.text;

	for (const char *from = out.text; *from; from++) {
		if (*from == '\n' && strncmp(from + 1, "\t\t\t", 3) == 0) {
			while (from[1] == '\t' || from[1] == ' ')
				from++;
			*to++ = ' ';
		} else {
			*to++ = *from;
		}
	}
	*to = '\0';
	return out.text;
}

static struct host_rule ask_for(const char *family, const char *table, const char *chain,
				uint64_t handle)
{
	struct host_rule r;

	memset(&r, 0, sizeof(r));
	snprintf(r.family, sizeof(r.family), "%s", family);
	snprintf(r.table, sizeof(r.table), "%s", table);
	snprintf(r.chain, sizeof(r.chain), "%s", chain);
	snprintf(r.base_chain, sizeof(r.base_chain), "%s", chain);
	r.handle = handle;
	r.policy = handle == 0;
	return r;
}

static struct host_rule fill(const char *family, const char *table, const char *chain,
			     uint64_t handle)
{
	struct host_rule r = ask_for(family, table, chain, handle);
	struct err e = {.text = ""};

	if (nft_text_fill(&r, &e) != 0)
		fail_msg("%s %s %s %llu: %s", family, table, chain, (unsigned long long)handle,
			 e.text);
	return r;
}

/* Every rule of the listing; returns how many. */
static unsigned check_all(const char *listing, const char *family, const char *table,
			  const char *chain, const enum fw_verdict *verdicts, unsigned max)
{
	static const char mark[] = " # handle ";
	unsigned n = 0;

	for (const char *line = listing; line && *line && n < max; line = strchr(line, '\n')) {
		line += *line == '\n';
		const char *end = strchr(line, '\n'), *at = NULL;
		if (!end)
			break;
		for (const char *p = line; (p = strstr(p, mark)) && p < end; p++)
			at = p;
		if (strncmp(line, "\t\t", 2) != 0 || !at)
			continue;
		struct host_rule r =
			fill(family, table, chain, strtoull(at + strlen(mark), NULL, 10));
		char *want = strndup(line + 2, (size_t)(at - line - 2));
		assert_string_equal(r.text, want);
		free(want);
		assert_int_equal(r.backend, FW_NFT);
		assert_int_equal(r.number, 0);
		if (verdicts && r.verdict != verdicts[n])
			fail_msg("verdict %d of \"%s\"", r.verdict, r.text);
		n++;
	}
	return n;
}

static void make_long(const char *family, const char *table, const char *chain, unsigned n)
{
	size_t size = 256 + (size_t)n * 64, len = 0;
	char *text = malloc(size);

	for (unsigned i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, size - len, "add rule %s %s %s meta mark %u\n",
					family, table, chain, i + 1000);
	nft(text);
	free(text);
}

/* The rules one by one, in the chain as it is, and in one that is too long to be listed. */
static void check_short_and_long(const char *family, const char *table, const char *chain,
				 const enum fw_verdict *verdicts, unsigned n)
{
	char *listing = list_joined(family, table, chain);

	assert_int_equal(check_all(listing, family, table, chain, verdicts, n), n);
	make_long(family, table, chain, FILL);
	assert_int_equal(check_all(listing, family, table, chain, verdicts, n), n);
	free(listing);
}

static int new_netns(void **state)
{
	(void)state;
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	return 0;
}

/* Nothing that it started is left. */
static int no_children(void **state)
{
	(void)state;
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	return 0;
}

/* ---- nft ---- */

struct rule_case {
	const char *rule;
	enum fw_verdict verdict;
};

static void check_rules(const char *family, const char *before, const char *chain_type,
			const struct rule_case *cases, unsigned n)
{
	enum fw_verdict verdicts[64];
	char text[512];
	unsigned taken = 0;

	snprintf(text, sizeof(text), "add table %s t\n%sadd chain %s t other\nadd chain %s t c%s\n",
		 family, before, family, family, chain_type);
	nft(text);
	for (unsigned i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "add rule %s t c %s\n", family, cases[i].rule);
		if (nft_try(text))
			verdicts[taken++] = cases[i].verdict;
	}
	assert_true(taken > 0 && taken * 2 >= n);
	check_short_and_long(family, "t", "c", verdicts, taken);
}

#define N(a) ((unsigned)(sizeof(a) / sizeof((a)[0])))

static void test_plain(void **state)
{
	static const struct rule_case cases[] = {
		{"tcp dport 25 drop", FW_DROP},
		{"tcp dport 25 counter drop comment \"no \\\\ mail # handle 3\"", FW_DROP},
		{"ip daddr 192.0.2.25 tcp dport 25 reject with tcp reset", FW_REJECT},
		{"tcp dport 26 reject", FW_REJECT},
		{"tcp dport 26 reject with icmpx admin-prohibited", FW_REJECT},
		{"ip6 daddr 2001:db8::25 reject with icmpv6 port-unreachable", FW_REJECT},
		{"tcp dport 25 limit rate over 10/minute burst 7 packets drop", FW_DROP},
		{"tcp dport 25 quota over 20 mbytes drop", FW_DROP},
		{"ct state established,related accept", FW_ACCEPT},
		{"ct state invalid counter drop", FW_DROP},
		{"tcp dport 25 meta skuid != { 0, 101 } drop", FW_DROP},
		{"meta skuid 0 tcp dport 25 drop", FW_DROP},
		{"meta mark 0x00000007 drop", FW_DROP},
		{"meta mark and 0xff == 0x12 tcp flags & (syn | ack) == syn drop", FW_DROP},
		{"tcp dport 25 log prefix \"mail: \" level info drop", FW_DROP},
		{"oifname \"eth*\" tcp dport { 25, 465, 587 } drop", FW_DROP},
		{"oif \"lo\" tcp dport 25 drop", FW_DROP},
		{"tcp dport 25 queue num 3 bypass", FW_QUEUE},
		{"tcp dport 25 jump other", FW_DROP},
		{"tcp dport 25 goto other", FW_DROP},
		{"meta time < \"2030-01-01 00:00:00\" drop", FW_DROP},
		{"fib daddr type local drop", FW_DROP},
		{"tcp option maxseg size 0-500 drop", FW_DROP},
		{"ct count over 20 drop", FW_DROP},
		{"numgen random mod 2 0 drop", FW_DROP},
	};

	(void)state;
	check_rules("inet", "", " { type filter hook output priority 0; }", cases, N(cases));
}

static void test_sets(void **state)
{
	static const struct rule_case cases[] = {
		{"ip daddr @named tcp dport 25 drop", FW_DROP},
		{"ip daddr @ranges drop", FW_DROP},
		{"ip daddr . tcp dport @pairs drop", FW_DROP},
		{"tcp dport vmap @verdicts", FW_DROP},
		{"ip daddr { 192.0.2.1, 192.0.2.2, 198.51.100.1 } drop", FW_DROP},
		{"ip daddr { 10.0.0.0/8, 172.16.0.0/12, 192.0.2.1-192.0.2.9 } drop", FW_DROP},
		{"ip daddr != { 10.0.0.0/8, 11.0.0.0/8 } drop", FW_DROP},
		{"ip6 daddr { 2001:db8::1, 2001:db8::2, 2001:db8:1:2:3:4:5:6, 2001:db8::4 } drop",
		 FW_DROP},
		{"tcp dport vmap { 25 : drop, 465 : jump other, 587 : goto third }", FW_DROP},
		{"tcp dport vmap { 1-24 : accept, 25-26 : drop, 27-100 : jump other }", FW_DROP},
		{"ip daddr . tcp dport { 192.0.2.1 . 25, 192.0.2.2 . 465 } drop", FW_DROP},
		{"ip daddr . tcp dport { 10.0.0.0/8 . 25-30, 192.0.2.0/24 . 465 } drop", FW_DROP},
		{"ip daddr . tcp dport vmap { 192.0.2.1 . 25 : drop, 192.0.2.2 . 25 : jump other }",
		 FW_DROP},
		{"meta mark set tcp dport map { 25 : 0x00000001, 465 : 0x00000002 }", FW_DROP},
		{"add @seen { ip daddr timeout 1m limit rate 3/second } drop", FW_DROP},
		{"counter name \"mail\" drop", FW_DROP},
		{"tcp dport 25 quota name \"month\" drop", FW_DROP},
		{"counter name tcp dport map { 25 : \"mail\", 465 : \"mail\" }", FW_DROP},
		{"limit name \"few\" drop", FW_DROP},
		{"tcp dport { 1, 2, 3, 4, 5, 6, 7, 8, 9, 25, 110, 143, 465, 587, 993, 995, 2525 } "
		 "drop",
		 FW_DROP},
	};

	(void)state;
	check_rules("inet",
		    "add set inet t named { type ipv4_addr; elements = { 192.0.2.7 } }\n"
		    "add set inet t ranges { type ipv4_addr; flags interval; }\n"
		    "add set inet t pairs { type ipv4_addr . inet_service; }\n"
		    "add map inet t verdicts { type inet_service : verdict; }\n"
		    "add set inet t seen { type ipv4_addr; size 100; flags dynamic,timeout; }\n"
		    "add counter inet t mail\nadd quota inet t month { over 5 mbytes }\n"
		    "add limit inet t few { rate 5/minute }\nadd chain inet t third\n",
		    "", cases, N(cases));
}

static void test_turns(void **state)
{
	static const struct rule_case nat[] = {
		{"tcp dport 25 meta skuid != 0 redirect to :2525", FW_REDIRECT},
		{"tcp dport 25 redirect", FW_REDIRECT},
		{"ip daddr 192.0.2.25 tcp dport 25 dnat ip to 127.0.0.1:2525", FW_DNAT},
		{"dnat ip to tcp dport map { 25 : 127.0.0.1, 465 : 127.0.0.2 }", FW_DNAT},
	};
	static const struct rule_case mangle[] = {
		{"tcp dport 25 tproxy ip to 127.0.0.1:50025 accept", FW_TPROXY},
		{"meta l4proto tcp tproxy to :50025 meta mark set 1 accept", FW_TPROXY},
	};

	(void)state;
	check_rules("inet", "", " { type nat hook output priority -100; }", nat, N(nat));
	nft("flush ruleset");
	check_rules("inet", "", " { type filter hook prerouting priority -150; }", mangle,
		    N(mangle));
}

static void test_families(void **state)
{
	static const struct rule_case ip[] = {
		{"ip daddr 192.0.2.0/24 tcp dport 25 drop", FW_DROP},
		{"ip protocol tcp reject with icmp host-prohibited", FW_REJECT}};
	static const struct rule_case ip6[] = {
		{"ip6 daddr 2001:db8::/32 tcp dport 25 drop", FW_DROP}};
	static const struct rule_case netdev[] = {{"ip daddr 192.0.2.1 tcp dport 25 drop", FW_DROP},
						  {"ether type ip6 drop", FW_DROP}};
	static const struct rule_case bridge[] = {
		{"ether type ip tcp dport 25 drop", FW_DROP},
		{"ip saddr 192.0.2.1 reject with icmp port-unreachable", FW_REJECT}};

	(void)state;
	check_rules("ip", "", " { type filter hook output priority 0; }", ip, N(ip));
	check_rules("ip6", "", " { type filter hook output priority 0; }", ip6, N(ip6));
	check_rules("netdev", "", " { type filter hook ingress device \"lo\" priority 0; }", netdev,
		    N(netdev));
	if (nft_try("add table bridge probe"))
		check_rules("bridge", "", " { type filter hook input priority 0; }", bridge,
			    N(bridge));
}

/* A rule holds the number of an interface; its name is not that of the copy's namespace. */
static void test_interface(void **state)
{
	(void)state;
	if (!have_veth()) {
		print_message("not tested here: `ip` can't make a veth pair\n");
		skip();
	}
	nft("add table inet t\nadd chain inet t c\n"
	    "add rule inet t c oif \"probe1\" tcp dport 25 drop\n"
	    "add rule inet t c iif != \"probe0\" drop comment \"not iif 2 at all\"\n");
	check_short_and_long("inet", "t", "c", NULL, 2);
}

/* Bytes of an address that would be the end of a line in a comment. */
static void test_address_like_text(void **state)
{
	(void)state;
	nft("add table inet t\nadd chain inet t c\n"
	    "add rule inet t c ip daddr 10.9.9.1 drop\n"
	    "add rule inet t c ip daddr { 10.9.9.1, 10.9.9.2 } drop\n");
	check_short_and_long("inet", "t", "c", NULL, 2);
}

/* nft shows the path that the kernel's number has where the tree is mounted. */
static void test_cgroup(void **state)
{
	char rule[400] = "";
	DIR *root = opendir("/sys/fs/cgroup");

	(void)state;
	nft("add table inet t\nadd chain inet t c\n");
	for (struct dirent *d; root && !rule[0] && (d = readdir(root));)
		if (d->d_type == DT_DIR && d->d_name[0] != '.')
			snprintf(rule, sizeof(rule),
				 "add rule inet t c socket cgroupv2 level 1 \"%s\" drop",
				 d->d_name);
	if (root)
		closedir(root);
	if (!rule[0] || !nft_try(rule)) {
		print_message("not tested here: no control groups (v2)\n");
		skip();
	}
	check_short_and_long("inet", "t", "c", NULL, 1);
}

static void test_policy(void **state)
{
	struct host_rule r;

	(void)state;
	nft("table inet t {\nchain c { type filter hook output priority 5; policy drop; }\n"
	    "chain d { type filter hook input priority 5; }\n}\n");
	r = fill("inet", "t", "c", 0);
	assert_string_equal(r.text, "policy drop");
	assert_int_equal(r.verdict, FW_DROP);
	assert_int_equal(r.backend, FW_NFT);
	r = fill("inet", "t", "d", 0);
	assert_string_equal(r.text, "policy accept");
	assert_int_equal(r.verdict, FW_ACCEPT);
}

static void assert_no_words(const char *family, const char *table, const char *chain,
			    uint64_t handle, const char *begin)
{
	struct host_rule r = ask_for(family, table, chain, handle);
	struct err e = {.text = ""};

	assert_int_equal(nft_text_fill(&r, &e), -1);
	if (strncmp(r.text, begin, strlen(begin)) != 0)
		fail_msg("\"%s\" does not begin with \"%s\"", r.text, begin);
	assert_true(e.text[0]);
}

static void test_gone(void **state)
{
	(void)state;
	nft("add table inet t\nadd chain inet t c\nadd rule inet t c drop");
	assert_no_words("inet", "t", "c", 4711, "rule with handle 4711 in inet t c (");
	assert_no_words("inet", "t", "gone", 2, "rule with handle 2 in inet t gone (");
	assert_no_words("inet", "gone", "c", 2, "rule with handle 2 in inet gone c (");
	assert_no_words("frog", "t", "c", 2, "rule with handle 2 in frog t c (");
	assert_no_words("inet", "t", "gone", 0, "policy drop");
}

/* Texts that look like the end of a rule. */
static void test_misleading_comments(void **state)
{
	char text[256];
	struct host_rule r;

	(void)state;
	nft("add table inet t\nadd chain inet t c\n"
	    "add rule inet t c tcp dport 25 drop comment \"x # handle 3\"\n"
	    "add rule inet t c tcp dport 26 drop comment \"y # handle 2\"\n");
	r = fill("inet", "t", "c", 2);
	assert_string_equal(r.text, "tcp dport 25 drop comment \"x # handle 3\"");
	r = fill("inet", "t", "c", 3);
	assert_string_equal(r.text, "tcp dport 26 drop comment \"y # handle 2\"");
	/* lines of its own, which make a second rule with that handle */
	snprintf(text, sizeof(text),
		 "{\"nftables\": [{\"add\": {\"rule\": {\"family\": \"inet\", \"table\": \"t\","
		 " \"chain\": \"c\", \"comment\": \"a\\n\\t\\taccept # handle 3\\n\\t\\tb\","
		 " \"expr\": [{\"drop\": null}]}}}]}");
	const char *argv[] = {"nft", "-j", "-f", "-", NULL};
	struct child_output out;
	struct err e;
	if (child_run(argv, text, 5000, OUTPUT_MAX, &out, &e) != 0)
		skip();
	child_output_free(&out);
	r = fill("inet", "t", "c", 3);
	assert_string_equal(r.text, "tcp dport 26 drop comment \"y # handle 2\"");
	assert_no_words("inet", "t", "c", 4, "rule with handle 4 in inet t c (");
	/* the others, without those lines around */
	make_long("inet", "t", "c", FILL);
	r = fill("inet", "t", "c", 3);
	assert_string_equal(r.text, "tcp dport 26 drop comment \"y # handle 2\"");
}

/* ---- iptables-nft ---- */

static bool have_iptables(const char *program)
{
	if (!child_exists(program)) {
		print_message("not tested here: %s is not installed\n", program);
		return false;
	}
	return true;
}

/* `lines`: as in iptables-restore's input. False: it takes them not. */
static bool restore(bool v6, const char *lines)
{
	const char *argv[] = {v6 ? "ip6tables-nft-restore" : "iptables-nft-restore", "--noflush",
			      NULL};
	struct child_output out;
	struct err e;

	if (child_run(argv, lines, 30000, OUTPUT_MAX, &out, &e) != 0) {
		print_message("not tested here: %s: %s\n", lines, e.text);
		return false;
	}
	child_output_free(&out);
	return true;
}

static char *list_iptables(bool v6, const char *table, const char *chain)
{
	const char *argv[] = {
		v6 ? "ip6tables-nft" : "iptables-nft", "-t", table, "-S", chain, NULL};

	return run(argv, NULL).text;
}

/* Line n of the listing, behind those that are no rules. */
static void get_line(const char *listing, unsigned n, char *out, size_t size)
{
	const char *at = strstr(listing, "-A ");

	for (unsigned i = 1; i < n && at; i++)
		at = strstr(at, "\n-A ") ? strstr(at, "\n-A ") + 1 : NULL;
	assert_non_null(at);
	snprintf(out, size, "%.*s", (int)strcspn(at, "\n"), at);
}

/* Handles of the rules of a chain, in its order. */
static unsigned get_handles(const char *family, const char *table, const char *chain,
			    uint64_t *handles, unsigned max)
{
	const char *argv[] = NFT_LIST;
	struct child_output out = run(argv, NULL);
	unsigned n = 0;
	char *save = NULL;

	for (char *l = strtok_r(out.text, "\n", &save); l && n < max;
	     l = strtok_r(NULL, "\n", &save)) {
		const char *at = strstr(l, " # handle ");
		if (strncmp(l, "\t\t", 2) == 0 && at)
			handles[n++] = strtoull(at + 10, NULL, 10);
	}
	child_output_free(&out);
	return n;
}

struct iptables_case {
	const char *words; /* behind -A OUTPUT */
	enum fw_verdict verdict;
};

static void check_iptables(bool v6, const char *table, const char *listing, const uint64_t *handles,
			   const enum fw_verdict *verdicts, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char want[1024];
		struct host_rule r = fill(v6 ? "ip6" : "ip", table, "OUTPUT", handles[i]);
		get_line(listing, i + 1, want, sizeof(want));
		assert_string_equal(r.text, want);
		assert_int_equal(r.backend, FW_IPTABLES_NFT);
		assert_int_equal(r.number, i + 1);
		if (r.verdict != verdicts[i])
			fail_msg("verdict %d of \"%s\"", r.verdict, r.text);
	}
}

static void make_table_long(bool v6, const char *table, unsigned n)
{
	size_t size = 256 + (size_t)n * 64, len = 0;
	char *text = malloc(size);

	len += (size_t)snprintf(text, size, "*%s\n", table);
	for (unsigned i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, size - len, "-A OUTPUT -p tcp --dport %u\n",
					1000 + i % 60000);
	snprintf(text + len, size - len, "COMMIT\n");
	assert_true(restore(v6, text));
	free(text);
}

static void check_iptables_rules(bool v6, const char *table, const struct iptables_case *cases,
				 unsigned n)
{
	enum fw_verdict verdicts[32];
	uint64_t handles[32];
	unsigned taken = 0;
	char text[512];

	for (unsigned i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "*%s\n:user - [0:0]\n-A OUTPUT %s\nCOMMIT\n", table,
			 cases[i].words);
		if (restore(v6, text))
			verdicts[taken++] = cases[i].verdict;
	}
	assert_true(taken > 0 && taken * 2 >= n);
	assert_int_equal(get_handles(v6 ? "ip6" : "ip", table, "OUTPUT", handles, 32), taken);
	char *listing = list_iptables(v6, table, "OUTPUT");
	check_iptables(v6, table, listing, handles, verdicts, taken);
	make_table_long(v6, table, FILL);
	check_iptables(v6, table, listing, handles, verdicts, taken);
	free(listing);
}

static void test_iptables(void **state)
{
	static const struct iptables_case filter[] = {
		{"-p tcp -m tcp --dport 25 -j DROP", FW_DROP},
		{"-p tcp -d 192.0.2.25 -j DROP", FW_DROP},
		{"-d 192.0.2.0/24 ! -o lo -p tcp --dport 25:26 -j DROP", FW_DROP},
		{"-p tcp -m multiport --dports 25,465,587 -j REJECT", FW_REJECT},
		{"-p tcp --dport 25 -j REJECT --reject-with tcp-reset", FW_REJECT},
		{"-p tcp --dport 25 -m comment --comment \"a \\\"b\\\" c # handle 3\" -j DROP",
		 FW_DROP},
		{"-p tcp --dport 25 -m owner ! --uid-owner 0 -j DROP", FW_DROP},
		{"-p tcp --dport 25 --syn -j DROP", FW_DROP},
		{"-p tcp --dport 25 -m conntrack --ctstate NEW -j DROP", FW_DROP},
		{"-m conntrack --ctstate INVALID -j DROP", FW_DROP},
		{"-p tcp --dport 25 -m mark --mark 0x7 -j DROP", FW_DROP},
		{"-p tcp --dport 25 -m limit --limit 3/min --limit-burst 2 -j ACCEPT", FW_ACCEPT},
		{"-p tcp --dport 25 -m hashlimit --hashlimit-above 3/min --hashlimit-name mail "
		 "-j DROP",
		 FW_DROP},
		{"-p tcp --dport 25 -m addrtype ! --dst-type LOCAL -j user", FW_DROP},
		{"! -p udp -m string --string HELO --algo bm -j DROP", FW_DROP},
		{"-p tcp --dport 25 -j LOG --log-prefix \"mail \"", FW_DROP},
		{"-p tcp --dport 25 -j NFQUEUE --queue-num 3", FW_QUEUE},
		{"-j DROP", FW_DROP},
	};
	static const struct iptables_case nat[] = {
		{"-p tcp --dport 25 -m owner ! --uid-owner 0 -j REDIRECT --to-ports 2525",
		 FW_REDIRECT},
		{"-d 192.0.2.25 -p tcp -m tcp --dport 25 -j DNAT --to-destination 127.0.0.1:2525",
		 FW_DNAT},
	};

	(void)state;
	if (!have_iptables("iptables-nft"))
		skip();
	check_iptables_rules(false, "filter", filter, N(filter));
	check_iptables_rules(false, "nat", nat, N(nat));
}

static void test_ip6tables(void **state)
{
	static const struct iptables_case cases[] = {
		{"-d 2001:db8::25 -p tcp -m tcp --dport 25 -j DROP", FW_DROP},
		{"-d 2001:db8::/32 -p tcp -m multiport --dports 25,465 -j REJECT --reject-with "
		 "icmp6-adm-prohibited",
		 FW_REJECT},
		{"-p tcp -j DROP", FW_DROP},
	};

	(void)state;
	if (!have_iptables("ip6tables-nft"))
		skip();
	check_iptables_rules(true, "filter", cases, N(cases));
	check_iptables_rules(true, "mangle", cases, 1);
}

static void test_iptables_chain_and_policy(void **state)
{
	const char *all[] = {"nft", "-a", "list", "ruleset", NULL};
	struct child_output before, after;
	uint64_t handles[4];
	struct host_rule r;

	(void)state;
	if (!have_iptables("iptables-nft"))
		skip();
	assert_true(restore(false, "*filter\n:OUTPUT DROP [0:0]\n:drop - [0:0]\n:mail - [0:0]\n"
				   "-A mail -j ACCEPT\n-A mail -p tcp -m tcp --dport 25 -j DROP\n"
				   "-A OUTPUT -j mail\nCOMMIT\n"));
	assert_int_equal(get_handles("ip", "filter", "mail", handles, 4), 2);
	before = run(all, NULL);
	r = fill("ip", "filter", "mail", handles[1]);
	assert_string_equal(r.text, "-A mail -p tcp -m tcp --dport 25 -j DROP");
	assert_int_equal(r.number, 2);
	r = fill("ip", "filter", "OUTPUT", 0);
	assert_string_equal(r.text, "-P OUTPUT DROP");
	assert_int_equal(r.backend, FW_IPTABLES_NFT);
	assert_int_equal(r.verdict, FW_DROP);
	/* nothing was changed by asking */
	after = run(all, NULL);
	assert_string_equal(before.text, after.text);
	child_output_free(&before);
	child_output_free(&after);
}

/* Rules that only look like those of iptables, which would print them as more than they do. */
static void test_not_iptables(void **state)
{
	static const struct rule_case cases[] = {
		{"meta cgroup 5 counter drop", FW_DROP},
		{"tcp dport 25 drop", FW_DROP},
		{"tcp dport { 25, 465 } counter drop", FW_DROP},
		{"ct state new counter drop", FW_DROP},
		{"ip ttl 7 counter drop", FW_DROP},
		{"tcp window 7 counter drop", FW_DROP},
	};
	uint64_t handles[8];

	(void)state;
	for (unsigned i = 0; i < N(cases); i++) {
		char text[256];
		nft("add table ip filter\n"
		    "add chain ip filter OUTPUT { type filter hook output priority 0; }");
		snprintf(text, sizeof(text), "add rule ip filter OUTPUT %s", cases[i].rule);
		nft(text);
		assert_int_equal(get_handles("ip", "filter", "OUTPUT", handles, 8), 1);
		struct host_rule r = fill("ip", "filter", "OUTPUT", handles[0]);
		assert_string_equal(r.text, cases[i].rule);
		assert_int_equal(r.backend, FW_NFT);
		nft("flush ruleset");
	}
	/* another hook, and a chain of nft's beside */
	nft("add table ip filter\n"
	    "add chain ip filter OUTPUT { type filter hook output priority 1; }\n"
	    "add rule ip filter OUTPUT tcp dport 25 counter drop");
	assert_int_equal(fill("ip", "filter", "OUTPUT", 2).backend, FW_NFT);
	assert_int_equal(fill("ip", "filter", "OUTPUT", 0).backend, FW_NFT);
}

/* nft can't be asked for a chain of this name: it is one of its words. */
static void test_reserved_name(void **state)
{
	uint64_t handle = 0;

	(void)state;
	if (!have_iptables("iptables-nft"))
		skip();
	assert_true(restore(false, "*filter\n:drop - [0:0]\n-A drop -p tcp -j DROP\nCOMMIT\n"));
	nft("add chain ip filter odd { type filter hook output priority 7; }"); /* none of its own
										 */
	for (uint64_t h = 1; h < 12 && !handle; h++) {
		struct host_rule r = ask_for("ip", "filter", "drop", h);
		struct err e;
		if (nft_text_fill(&r, &e) == 0) {
			handle = h;
			assert_string_equal(r.text, "meta l4proto tcp counter drop");
			assert_int_equal(r.backend, FW_NFT);
		}
	}
	assert_true(handle);
}

/* ---- large ---- */

static void assert_quick(const char *what, struct host_rule *r, const char *text, int64_t since)
{
	double ms = (double)(clock_mono_ns() - since) / 1e6;

	print_message("%s: %.0f ms\n", what, ms);
	assert_string_equal(r->text, text);
	assert_true(ms < 2500);
}

static void test_hundred_thousand(void **state)
{
	struct host_rule r;
	uint64_t handle;
	int64_t t;

	(void)state;
	nft("add table inet t\nadd chain inet t c { type filter hook output priority 0; }\n"
	    "add rule inet t c tcp dport { 25, 465 } counter reject comment \"first\"\n");
	assert_int_equal(get_handles("inet", "t", "c", &handle, 1), 1);
	make_long("inet", "t", "c", 50000);
	make_long("inet", "t", "c", 50000);
	t = clock_mono_ns();
	r = fill("inet", "t", "c", handle);
	assert_quick("a rule of nft among 100,000", &r,
		     "tcp dport { 25, 465 } counter reject comment \"first\"", t);
	nft("flush ruleset");
	if (!have_iptables("iptables-nft"))
		return;
	make_table_long(false, "filter", 100000);
	assert_true(restore(false, "*filter\n-A OUTPUT -m multiport -p tcp --dports 25,26 -j DROP\n"
				   "COMMIT\n"));
	t = clock_mono_ns();
	/* chain 1, rules from 2 */
	r = fill("ip", "filter", "OUTPUT", 100002);
	assert_quick("a rule of iptables-nft behind 100,000", &r,
		     "-A OUTPUT -p tcp -m multiport --dports 25,26 -j DROP", t);
	assert_true(r.number == 100001 || r.number == 0); /* 0: no time to count */
	print_message("its number: %u\n", r.number);
	nft("flush ruleset");
}

static void test_large_set(void **state)
{
	const unsigned n = 100000;
	size_t size = (size_t)n * 20 + 256, len;
	char *text = malloc(size);
	struct host_rule r;
	int64_t t;

	(void)state;
	len = (size_t)snprintf(text, size,
			       "add table inet t\nadd chain inet t c\n"
			       "add set inet t s { type ipv4_addr; }\n"
			       "add element inet t s { 10.0.0.0");
	for (unsigned i = 1; i < n; i++)
		len += (size_t)snprintf(text + len, size - len, ",10.%u.%u.%u", i >> 16,
					i >> 8 & 255, i & 255);
	snprintf(text + len, size - len, "}\nadd rule inet t c ip daddr @s tcp dport 25 drop\n");
	nft(text);
	free(text);
	t = clock_mono_ns();
	r = fill("inet", "t", "c", 3);
	assert_quick("a rule beside 100,000 elements", &r, "ip daddr @s tcp dport 25 drop", t);
	nft("flush ruleset");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_plain, new_netns, no_children),
		cmocka_unit_test_setup_teardown(test_sets, new_netns, no_children),
		cmocka_unit_test_setup_teardown(test_turns, new_netns, no_children),
		cmocka_unit_test_setup_teardown(test_families, new_netns, no_children),
		cmocka_unit_test_setup_teardown(test_interface, new_netns, no_children),
		cmocka_unit_test_setup_teardown(test_address_like_text, new_netns, no_children),
		cmocka_unit_test_setup_teardown(test_cgroup, new_netns, no_children),
		cmocka_unit_test_setup_teardown(test_policy, new_netns, no_children),
		cmocka_unit_test_setup_teardown(test_gone, new_netns, no_children),
		cmocka_unit_test_setup_teardown(test_misleading_comments, new_netns, no_children),
		cmocka_unit_test_setup_teardown(test_iptables, new_netns, no_children),
		cmocka_unit_test_setup_teardown(test_ip6tables, new_netns, no_children),
		cmocka_unit_test_setup_teardown(test_iptables_chain_and_policy, new_netns,
						no_children),
		cmocka_unit_test_setup_teardown(test_not_iptables, new_netns, no_children),
		cmocka_unit_test_setup_teardown(test_reserved_name, new_netns, no_children),
		cmocka_unit_test_setup_teardown(test_hundred_thousand, new_netns, no_children),
		cmocka_unit_test_setup_teardown(test_large_set, new_netns, no_children),
	};

	if (!netns_possible()) {
		printf("skipped: no network namespace of our own: %s\n", strerror(errno));
		return 77;
	}
	if (!child_exists("nft")) {
		printf("skipped: nft is not installed\n");
		return 77;
	}
	return cmocka_run_group_tests_name("host", tests, NULL, NULL);
}
