/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who on this host is named from the kernel's own records, and the commands that let a port pass. */
#include "build.h"

#include "diag/remedy.h"

static void set(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%s", text);
}

#define SET(field, text) set(field, sizeof(field), text)

/* A SYN that never left, and a control that answers. */
static unsigned stopped_syn(struct scene *s)
{
	usual_host(s);
	unsigned f = flow(s, 25);
	answered(s, 443, 55);
	at(s, 600);
	return f;
}

/* A SYN-ACK that came in and was not taken. */
static unsigned stopped_answer(struct scene *s)
{
	usual_host(s);
	unsigned f = start(s, 25);
	answered(s, 443, 55);
	syn_ack(s, f, 55);
	at(s, 1500);
	return f;
}

static const struct finding *first(struct scene *s)
{
	const struct report *r = finish(s);

	assert_true(r->ports[0].n_findings > 0);
	return &r->ports[0].findings[0];
}

static void expect_remedy(const struct finding *f, const char *command)
{
	for (unsigned i = 0; i < f->n_remedy; i++)
		if (strcmp(f->remedy[i], command) == 0)
			return;
	for (unsigned i = 0; i < f->n_remedy; i++)
		print_error("  %s\n", f->remedy[i]);
	fail_msg("no such remedy: %s", command);
}

static void expect_kind(const struct finding *f, enum culprit_kind kind, const char *text)
{
	if (f->culprit.kind != kind || !strstr(f->culprit.text, text))
		fail_msg("%s: %s, not %s: %s", culprit_kind_name(f->culprit.kind), f->culprit.text,
			 culprit_kind_name(kind), text);
	assert_true(f->n_evidence > 0);
}

static void test_nft_rule(void **state)
{
	struct scene *s = scene_new(false);
	unsigned f = stopped_syn(s);

	(void)state;
	stopped_by(s, f, TCP_SYN, false, nft_rule("output", FW_DROP, "tcp dport 25 drop"));
	const struct finding *found = first(s);
	expect_kind(found, CULPRIT_NFT_RULE, "tcp dport 25 drop");
	assert_string_equal(found->culprit.family, "inet");
	assert_string_equal(found->culprit.table, "filter");
	assert_string_equal(found->culprit.verdict, "drop");
	assert_int_equal(found->culprit.handle, 7);
	expect_remedy(found, "nft 'insert rule inet filter output handle 7 ip daddr 198.51.100.25 tcp "
			     "dport 25 accept comment \"smtpblame-25\"'");
	expect_remedy(found, "nft delete rule inet filter output handle $(nft -a list chain inet filter "
			     "output | sed -n 's/.*\"smtpblame-25\" # handle //p')");
	scene_free(s);
}

/* A slash is usual in nftables' names, and harmless in a command. */
static void test_name_with_slash(void **state)
{
	struct scene *s = scene_new(false);
	unsigned f = stopped_syn(s);
	struct host_rule r = nft_rule("out/mail", FW_DROP, "drop");

	(void)state;
	stopped_by(s, f, TCP_SYN, false, r);
	expect_remedy(first(s), "nft 'insert rule inet filter out/mail handle 7 ip daddr 198.51.100.25 "
				"tcp dport 25 accept comment \"smtpblame-25\"'");
	scene_free(s);
}

/* A name is whatever somebody put into the kernel: no command is made of one that a shell reads. */
static void test_hostile_names(void **state)
{
	static const char *const names[] = {"a; rm -rf /", "/etc/x", "$(id)", "a'b", "-x", "a b", "", "a..."};

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		for (int iptables = 0; iptables < 2; iptables++) {
			struct scene *s = scene_new(false);
			unsigned f = stopped_syn(s);
			struct host_rule r = nft_rule("output", FW_DROP, "drop");
			SET(r.chain, names[i]);
			r.backend = iptables ? FW_IPTABLES_NFT : FW_NFT;
			stopped_by(s, f, TCP_SYN, false, r);
			const struct finding *found = first(s);
			assert_true(found->n_remedy > 0);
			for (unsigned k = 0; k < found->n_remedy; k++)
				assert_true(found->remedy[k][0] >= 'A' && found->remedy[k][0] <= 'Z');
			scene_free(s);
		}
	}
}

static void test_inbound(void **state)
{
	struct scene *s = scene_new(true);
	unsigned f = stopped_answer(s);

	(void)state;
	stopped_by(s, f, TCP_SYN | TCP_ACK, true, nft_rule("input", FW_DROP, "ct state invalid drop"));
	const struct finding *found = first(s);
	expect_kind(found, CULPRIT_NFT_RULE, "ct state invalid drop");
	assert_int_equal(found->direction, DIR_INBOUND);
	expect_remedy(found, "nft 'insert rule inet filter input handle 7 ip6 saddr 2001:db8:5::25 tcp "
			     "sport 25 accept comment \"smtpblame-25-in\"'");
	scene_free(s);
}

static void test_iptables(void **state)
{
	static const struct {
		enum fw_backend backend;
		bool v6;
		const char *command, *undo;
	} cases[] = {
		{FW_IPTABLES_NFT, false,
		 "iptables-nft -w -t filter -I OUTPUT 3 -p tcp -d 198.51.100.25 --dport 25 -j ACCEPT",
		 "iptables-nft -w -t filter -D OUTPUT -p tcp -d 198.51.100.25 --dport 25 -j ACCEPT"},
		{FW_IPTABLES_NFT, true,
		 "ip6tables-nft -w -t filter -I OUTPUT 3 -p tcp -d 2001:db8:5::25 --dport 25 -j ACCEPT",
		 "ip6tables-nft -w -t filter -D OUTPUT -p tcp -d 2001:db8:5::25 --dport 25 -j ACCEPT"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct scene *s = scene_new(cases[i].v6);
		unsigned f = stopped_syn(s);
		struct host_rule r = nft_rule("output", FW_DROP, "-A OUTPUT -p tcp -j DROP");
		SET(r.chain, "OUTPUT");
		SET(r.base_chain, "OUTPUT");
		SET(r.family, cases[i].v6 ? "ip6" : "ip");
		r.backend = cases[i].backend;
		r.number = 3;
		stopped_by(s, f, TCP_SYN, false, r);
		const struct finding *found = first(s);
		expect_kind(found, CULPRIT_NFT_RULE, "-A OUTPUT");
		expect_remedy(found, cases[i].command);
		expect_remedy(found, cases[i].undo);
		scene_free(s);
	}
}

/* Legacy rules speak by their counters: a certain one beats a drop reason, which beats a guess. */
static void test_legacy(void **state)
{
	struct scene *s = scene_new(false);
	unsigned f = stopped_syn(s);
	struct host_rule r = nft_rule("output", FW_DROP, "-A OUTPUT -p tcp -m tcp --dport 25 -j DROP");

	(void)state;
	SET(r.chain, "OUTPUT");
	SET(r.base_chain, "OUTPUT");
	kernel_dropped(s, f, TCP_SYN, false, "NETFILTER_DROP", "nf_hook_slow");
	counted(s, 25, true, r);
	const struct finding *found = first(s);
	expect_kind(found, CULPRIT_IPTABLES_RULE, "--dport 25 -j DROP");
	assert_int_equal(found->culprit.number, 3);
	expect_remedy(found, "iptables-legacy -w -t filter -I OUTPUT 3 -p tcp -d 198.51.100.25 --dport "
			     "25 -j ACCEPT");
	scene_free(s);

	s = scene_new(false);
	stopped_syn(s);
	counted(s, 465, true, r); /* another port's */
	expect_kind(first(s), CULPRIT_UNKNOWN, "");
	scene_free(s);
}

static void test_ufw(void **state)
{
	struct scene *s = scene_new(false);
	unsigned f = stopped_syn(s);
	struct host_rule r = nft_rule("output", FW_DROP, "-A ufw-user-output -p tcp --dport 25 -j DROP");

	(void)state;
	SET(r.chain, "ufw-user-output");
	SET(r.base_chain, "OUTPUT");
	r.backend = FW_IPTABLES_NFT;
	stopped_by(s, f, TCP_SYN, false, r);
	const struct finding *found = first(s);
	expect_remedy(found, "ufw prepend allow out proto tcp to 198.51.100.25 port 25");
	expect_remedy(found, "ufw delete allow out proto tcp to 198.51.100.25 port 25");
	scene_free(s);

	/* what its before.rules hold comes before all that `ufw allow` can say */
	s = scene_new(false);
	f = stopped_syn(s);
	SET(r.chain, "ufw-before-output");
	stopped_by(s, f, TCP_SYN, false, r);
	found = first(s);
	for (unsigned i = 0; i < found->n_remedy; i++)
		assert_null(strstr(found->remedy[i], "ufw prepend"));
	scene_free(s);
}

static void test_firewalld(void **state)
{
	struct scene *s = scene_new(false);
	unsigned f = stopped_syn(s);
	struct host_rule r = nft_rule("output", FW_REJECT, "tcp dport 25 reject");

	(void)state;
	SET(r.table, "firewalld");
	SET(r.chain, "filter_OUT_policy_no_mail_deny");
	stopped_by(s, f, TCP_SYN, false, r);
	expect_remedy(first(s),
		      "firewall-cmd --policy=no_mail --add-rich-rule='rule priority=\"-32000\" "
		      "family=\"ipv4\" destination address=\"198.51.100.25\" port port=\"25\" "
		      "protocol=\"tcp\" accept'");
	scene_free(s);
}

static bool advises(const struct finding *f, const char *words)
{
	for (unsigned i = 0; i < f->n_remedy; i++)
		if (strstr(f->remedy[i], words))
			return true;
	return false;
}

/* Who bans addresses adds and removes rules himself: the remedy is his own command, and no rule is touched. */
static void test_bans(void **state)
{
	static const struct {
		enum fw_backend backend;
		const char *table, *chain, *text, *command, *undo;
	} cases[] = {
		{FW_NFT, "f2b-table", "f2b-chain", "tcp dport @x ip saddr @addr-set-postfix-sasl drop",
		 "fail2ban-client set postfix-sasl unbanip 198.51.100.25",
		 "fail2ban-client set postfix-sasl banip 198.51.100.25"},
		{FW_NFT, "filter", "input", "ip saddr @f2b-recidive drop",
		 "fail2ban-client set recidive unbanip 198.51.100.25",
		 "fail2ban-client set recidive banip 198.51.100.25"},
		{FW_IPTABLES_NFT, "filter", "f2b-postfix", "-A f2b-postfix -s 198.51.100.25/32 -j REJECT",
		 "fail2ban-client set postfix unbanip 198.51.100.25",
		 "fail2ban-client set postfix banip 198.51.100.25"},
		{FW_IPTABLES_NFT, "filter", "INPUT", "-A INPUT -m set --match-set f2b-dovecot src -j DROP",
		 "fail2ban-client set dovecot unbanip 198.51.100.25",
		 "fail2ban-client set dovecot banip 198.51.100.25"},
		{FW_NFT, "f2b-table", "f2b-chain", "ip saddr @addr-set-$(id) drop",
		 "fail2ban-client banned 198.51.100.25", NULL},
		{FW_NFT, "crowdsec", "crowdsec-chain-input", "ip saddr @crowdsec-blacklists-CAPI drop",
		 "cscli decisions delete --ip 198.51.100.25", "cscli decisions add --ip 198.51.100.25"},
		{FW_IPTABLES_NFT, "filter", "CROWDSEC_CHAIN",
		 "-A CROWDSEC_CHAIN -m set --match-set crowdsec-blacklists-0 src -j DROP",
		 "cscli decisions delete --ip 198.51.100.25", "cscli decisions add --ip 198.51.100.25"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct scene *s = scene_new(false);
		unsigned f = stopped_answer(s);
		struct host_rule r = nft_rule("input", FW_DROP, cases[i].text);
		r.backend = cases[i].backend;
		SET(r.table, cases[i].table);
		SET(r.chain, cases[i].chain);
		stopped_by(s, f, TCP_SYN | TCP_ACK, true, r);
		const struct finding *found = first(s);
		expect_remedy(found, cases[i].command);
		if (cases[i].undo)
			expect_remedy(found, cases[i].undo);
		assert_false(advises(found, "insert rule") || advises(found, "-I "));
		/* a command begins with a lower-case letter, and a sentence never does */
		for (unsigned k = 0; k < found->n_remedy; k++)
			assert_true(found->remedy[k][0] < 'a' || strncmp(found->remedy[k], "fail2ban-client ", 16) == 0 ||
				    strncmp(found->remedy[k], "cscli ", 6) == 0);
		scene_free(s);
	}
}

/* What is written anew by its owner is lost: the exception says so, and where it has to stand. */
static void test_owner_is_told(void **state)
{
	static const struct {
		const char *table, *chain, *hint;
	} cases[] = {
		{"firewalld", "filter_OUTPUT", "firewalld's"},	   {"filter", "ufw-before-output", "/etc/ufw/before.rules"},
		{"filter", "DOCKER-ISOLATION-STAGE-1", "DOCKER-USER"}, {"filter", "KUBE-SERVICES", "kube-proxy's"},
		{"kube-proxy", "service-endpoints-check", "kube-proxy's"},
		{"filter", "cali-OUTPUT", "Calico's"},		   {"filter", "SMTPOUTPUT", "SMTP_ALLOWUSER"},
		{"filter", "output", NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct scene *s = scene_new(false);
		unsigned f = stopped_syn(s);
		struct host_rule r = nft_rule("output", FW_DROP, "drop");
		SET(r.table, cases[i].table);
		SET(r.chain, cases[i].chain);
		stopped_by(s, f, TCP_SYN, false, r);
		const struct finding *found = first(s);
		assert_true(advises(found, "nft 'insert rule inet "));
		if (cases[i].hint ? !advises(found, cases[i].hint) : found->n_remedy != 4)
			fail_msg("%s %s: %u remedies", cases[i].table, cases[i].chain, found->n_remedy);
		scene_free(s);
	}
}

/* Whose packets a rule stops, and how many it lets pass: the exception is no wider, and the advice is about that. */
static void test_matches(void **state)
{
	static const struct {
		enum fw_backend backend;
		const char *text, *command, *hint;
	} cases[] = {
		{FW_NFT, "meta skuid 0 tcp dport 25 drop",
		 "nft 'insert rule inet filter output handle 7 meta skuid 0 ip daddr 198.51.100.25 tcp dport 25 accept "
		 "comment \"smtpblame-25\"'",
		 "for the user 0 (root) alone"},
		{FW_NFT, "meta skgid \"www\" drop",
		 "nft 'insert rule inet filter output handle 7 meta skgid www ip daddr 198.51.100.25 tcp dport 25 accept "
		 "comment \"smtpblame-25\"'",
		 "for the group www alone"},
		{FW_IPTABLES_NFT, "-A output -m owner --uid-owner 1000-2000 -j DROP",
		 "iptables-nft -w -t filter -I output 3 -p tcp -d 198.51.100.25 --dport 25 -m owner --uid-owner 1000-2000 -j "
		 "ACCEPT",
		 "for the user 1000-2000 alone"},
		{FW_NFT, "meta skuid != 101 tcp dport 25 drop", NULL, "lets the user 101 out and nobody else"},
		{FW_IPTABLES_NFT, "-A output -m owner ! --gid-owner mail -j DROP", NULL,
		 "lets the group mail out and nobody else"},
		{FW_NFT, "meta skuid { 0, 33 } drop", NULL, "The rule looks at the user"},
		{FW_NFT, "tcp dport 25 quota over 1 mbytes drop", NULL, "(quota over 1 mbytes), which is used up"},
		{FW_NFT, "quota name \"mail\" drop", NULL, "`nft reset quota inet filter mail`"},
		{FW_NFT, "tcp dport 25 ct state new limit rate over 10/hour burst 5 packets counter drop", NULL,
		 "(limit rate over 10/hour burst 5 packets): after a pause"},
		{FW_NFT, "tcp dport 25 ct count over 3 reject", NULL, "no more (ct count over 3)"},
		{FW_IPTABLES_NFT, "-A output -m connlimit --connlimit-above 4 -j REJECT", NULL,
		 "no more (--connlimit-above 4)"},
		{FW_IPTABLES_NFT, "-A output -m hashlimit --hashlimit-above 5/min -j DROP", NULL,
		 "(--hashlimit-above 5/min): after a pause"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct scene *s = scene_new(false);
		unsigned f = stopped_syn(s);
		struct host_rule r = nft_rule("output", FW_DROP, cases[i].text);
		r.backend = cases[i].backend;
		r.number = 3;
		stopped_by(s, f, TCP_SYN, false, r);
		const struct finding *found = first(s);
		if (cases[i].command)
			expect_remedy(found, cases[i].command);
		else
			assert_false(advises(found, "meta sk") || advises(found, "-m owner"));
		if (!advises(found, cases[i].hint)) {
			for (unsigned k = 0; k < found->n_remedy; k++)
				print_error("  %s\n", found->remedy[k]);
			fail_msg("%s: no %s", cases[i].text, cases[i].hint);
		}
		scene_free(s);
	}
}

static void test_programs(void **state)
{
	static const struct {
		enum program_hook hook;
		const char *reason, *function;
		bool inbound;
		enum culprit_kind kind;
		const char *remedy;
	} cases[] = {
		{PROG_TC_EGRESS, "TC_EGRESS", "__dev_queue_xmit", false, CULPRIT_TC,
		 "tc filter add dev eth0 egress protocol ip pref 48 u32 match ip protocol 6 0xff "
		 "match ip dst 198.51.100.25/32 match ip dport 25 0xffff flowid 1:1"},
		{PROG_TC_INGRESS, "TC_INGRESS", "__netif_receive_skb_core", true, CULPRIT_TC,
		 "tc filter del dev eth0 ingress protocol ip pref 48"},
		{PROG_TCX_EGRESS, "TC_EGRESS", "", false, CULPRIT_TC, "bpftool net show dev eth0"},
		{PROG_CGROUP_EGRESS, "BPF_CGROUP_EGRESS", "ip_finish_output", false,
		 CULPRIT_CGROUP_BPF, "bpftool cgroup detach /sys/fs/cgroup/mail.slice "
				     "cgroup_inet4_connect id 42"},
		{PROG_CGROUP_INGRESS, "SOCKET_FILTER", "tcp_v4_rcv", true, CULPRIT_CGROUP_BPF,
		 "bpftool prog pin id 42 /sys/fs/bpf/smtpblame-42"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct scene *s = scene_new(false);
		unsigned f = cases[i].inbound ? stopped_answer(s) : stopped_syn(s);
		bool cgroup = cases[i].kind == CULPRIT_CGROUP_BPF;
		struct host_record p = program_of(s, cases[i].hook, cgroup ? "" : "eth0",
						  cgroup ? "/mail.slice" : "");
		struct host_record other = program_of(s, PROG_CGROUP_SOCK, "", "/");
		p.program.pref = 49;
		add_record(s, &other);
		add_record(s, &p);
		kernel_dropped(s, f, cases[i].inbound ? TCP_SYN | TCP_ACK : TCP_SYN,
			       cases[i].inbound, cases[i].reason, cases[i].function);
		const struct finding *found = first(s);
		expect_kind(found, cases[i].kind, "filter_mail");
		assert_int_equal(found->culprit.id, 42);
		expect_remedy(found, cases[i].remedy);
		scene_free(s);
	}
}

/* Without drop reasons, the last chain that saw the packet still tells the hook. */
static void test_waypoints(void **state)
{
	static const struct {
		enum waypoint last;
		enum program_hook hook;
		enum culprit_kind kind;
	} cases[] = {
		{WAY_EGRESS_LAST, PROG_TC_EGRESS, CULPRIT_TC},
		{WAY_POST_LAST, PROG_CGROUP_EGRESS, CULPRIT_CGROUP_BPF},
		/* a program behind the place where it was seen last is not named */
		{WAY_OUT_FIRST, PROG_TC_EGRESS, CULPRIT_UNKNOWN},
		{WAY_POST_LAST, PROG_TC_INGRESS, CULPRIT_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct scene *s = scene_new(false);
		unsigned f = stopped_syn(s);
		struct host_record p = program_of(s, cases[i].hook,
						  cases[i].kind == CULPRIT_CGROUP_BPF ? "" : "eth0",
						  "/x");
		add_record(s, &p);
		passed(s, f, TCP_SYN, false, cases[i].last);
		expect_kind(first(s), cases[i].kind, "");
		scene_free(s);
	}
}

static void test_rp_filter(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	usual_host(s);
	unsigned f = start(s, 25);
	answered(s, 443, 55);
	on_other(syn_ack(s, f, 55));
	at(s, 1500);
	setting_is(s, "net.ipv4.conf.eth1.rp_filter", "1", "eth1");
	kernel_dropped(s, f, TCP_SYN | TCP_ACK, true, "IP_RPFILTER", "ip_rcv_finish_core");
	struct host_record *drop =
		(struct host_record *)(uintptr_t)s->log.events[s->log.n - 1].host;
	SET(drop->kernel_drop.interface, "eth1");
	const struct finding *found = first(s);
	expect_kind(found, CULPRIT_SYSCTL, "rp_filter = 1");
	assert_string_equal(found->culprit.name, "net.ipv4.conf.eth1.rp_filter");
	expect_remedy(found, "sysctl -w 'net.ipv4.conf.eth1.rp_filter=2'");
	expect_remedy(found, "sysctl -w 'net.ipv4.conf.eth1.rp_filter=1'");
	scene_free(s);
}

static void test_conntrack_full(void **state)
{
	struct scene *s = scene_new(false);
	unsigned f = stopped_syn(s);
	struct host_record moved = record_of(s, HOST_COUNTER);

	(void)state;
	passed(s, f, TCP_SYN, false, WAY_OUT_FIRST);
	setting_is(s, "net.netfilter.nf_conntrack_count", "128", "");
	setting_is(s, "net.netfilter.nf_conntrack_max", "128", "");
	SET(moved.counter.name, "nf_conntrack.drop");
	moved.counter.moved = 2;
	add_record(s, &moved);
	const struct finding *found = first(s);
	expect_kind(found, CULPRIT_CONNTRACK, "nf_conntrack_max");
	assert_non_null(strstr(found->summary, "128 of 128"));
	expect_remedy(found, "sysctl -w 'net.netfilter.nf_conntrack_max=512'");
	expect_remedy(found, "sysctl -w 'net.netfilter.nf_conntrack_max=128'");
	scene_free(s);
}

/* A reason with nobody behind it is told as the kernel tells it. */
static void test_kernel_drop(void **state)
{
	struct scene *s = scene_new(false);
	unsigned f = stopped_syn(s);

	(void)state;
	kernel_dropped(s, f, TCP_SYN, false, "NOT_SPECIFIED", "nf_queue");
	const struct finding *found = first(s);
	expect_kind(found, CULPRIT_KERNEL_DROP, "NOT_SPECIFIED");
	assert_string_equal(found->culprit.function, "nf_queue");
	scene_free(s);
}

static void test_hosting_panel(void **state)
{
	struct scene *s = scene_new(false);
	struct host_record owner = record_of(s, HOST_OWNER);
	bool said = false;

	(void)state;
	usual_host(s);
	unsigned f = flow(s, 25);
	struct packet *p = on_lo(syn(s, f));
	p->dst = ip("127.0.0.1");
	pass(s, 1);
	connected(s, f);
	struct host_rule r = nft_rule("output", FW_REDIRECT,
				      "-A OUTPUT -p tcp --dport 25 -m owner ! --uid-owner 8 -j REDIRECT");
	r.backend = FW_IPTABLES_NFT;
	SET(r.table, "nat");
	SET(r.chain, "OUTPUT");
	turned_by(s, f, r);
	owner.owner.port = 25;
	owner.owner.pid = 99;
	SET(owner.owner.name, "exim4");
	add_record(s, &owner);
	open_dialogue(s, f);
	const struct finding *found = first(s);
	expect_kind(found, CULPRIT_NFT_RULE, "REDIRECT");
	assert_non_null(strstr(found->summary, "exim4 (pid 99)"));
	for (unsigned i = 0; i < found->n_remedy; i++)
		said |= strstr(found->remedy[i], "SMTP restrictions") != NULL;
	assert_true(said);
	scene_free(s);
}

/* Rules that stop other traffic, programs that stand elsewhere: an open port names nobody. */
static void test_open_names_nobody(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	usual_host(s);
	unsigned f = answered(s, 25, 55);
	struct host_record p = program_of(s, PROG_CGROUP_EGRESS, "", "/");
	add_record(s, &p);
	passed(s, f, TCP_SYN, false, WAY_EGRESS_LAST);
	passed(s, f, TCP_SYN | TCP_ACK, true, WAY_IN_LAST);
	open_dialogue(s, f);
	answered(s, 443, 55);
	const struct report *r = finish(s);
	assert_int_equal(r->ports[0].state, STATE_OPEN);
	assert_int_equal(r->ports[0].n_findings, 0);
	scene_free(s);
}

/* A rate limit stopped the first SYN, the second passed: that is open. */
static void test_a_limit_that_lets_the_second_pass(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	usual_host(s);
	unsigned f = flow(s, 25);
	stopped_by(s, f, TCP_SYN, false, nft_rule("output", FW_DROP, "limit rate over 1/second drop"));
	at(s, 300);
	open_dialogue(s, answered(s, 25, 55));
	answered(s, 443, 55);
	assert_int_equal(state_of(finish(s), 25), STATE_OPEN);
	scene_free(s);
}

/* IPsec takes the packets: that no SYN was seen proves nothing. */
static void test_ipsec_blinds_the_tap(void **state)
{
	struct scene *s = scene_new(false);
	struct host_record x = record_of(s, HOST_XFRM);

	(void)state;
	stopped_syn(s);
	x.xfrm.port = 25;
	SET(x.xfrm.text, "src 0.0.0.0/0 dst 198.51.100.0/24 dir out");
	add_record(s, &x);
	const struct report *r = finish(s);
	assert_int_equal(state_of(r, 25), STATE_INCONCLUSIVE);
	scene_free(s);
}

/* Asked for each port anew; the same answer, or the same reason for none, is said once. */
static void test_not_looked_is_told_once(void **state)
{
	struct scene *s = scene_new(false);
	struct host_record none = record_of(s, HOST_NOT_LOOKED);
	unsigned told = 0, other = 0;

	(void)state;
	stopped_syn(s);
	none.not_looked.what = HOST_LOOK_PROGRAMS;
	SET(none.not_looked.why, "eBPF programs: no privilege");
	for (int port = 0; port < 3; port++)
		add_record(s, &none);
	SET(none.not_looked.why, "tc filters: no privilege");
	add_record(s, &none);
	const struct report *r = finish(s);
	for (unsigned i = 0; i < r->n_evidence; i++) {
		told += strstr(r->evidence[i].text, "not looked at tc, XDP and cgroup programs: eBPF programs") != NULL;
		other += strstr(r->evidence[i].text, "not looked at tc, XDP and cgroup programs: tc filters") != NULL;
	}
	assert_int_equal(told, 1);
	assert_int_equal(other, 1);
	scene_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nft_rule),
		cmocka_unit_test(test_hostile_names),
		cmocka_unit_test(test_name_with_slash),
		cmocka_unit_test(test_inbound),
		cmocka_unit_test(test_iptables),
		cmocka_unit_test(test_legacy),
		cmocka_unit_test(test_ufw),
		cmocka_unit_test(test_firewalld),
		cmocka_unit_test(test_bans),
		cmocka_unit_test(test_owner_is_told),
		cmocka_unit_test(test_matches),
		cmocka_unit_test(test_programs),
		cmocka_unit_test(test_waypoints),
		cmocka_unit_test(test_rp_filter),
		cmocka_unit_test(test_conntrack_full),
		cmocka_unit_test(test_kernel_drop),
		cmocka_unit_test(test_hosting_panel),
		cmocka_unit_test(test_open_names_nobody),
		cmocka_unit_test(test_a_limit_that_lets_the_second_pass),
		cmocka_unit_test(test_ipsec_blinds_the_tap),
		cmocka_unit_test(test_not_looked_is_told_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
