/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Programs, filters and queueing disciplines in the way: tiny programs of a few instructions are
 * attached in a network namespace and a cgroup of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "netns.h"

#include <arpa/inet.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_gact.h>
#include <linux/tc_act/tc_mirred.h>
#include <net/if.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "host/netlink.h"
#include "host/programs.h"
#include "host/programs_private.h"

#define TCX_INGRESS 46
#define TCX_EGRESS  47

/* ---- what is emitted ---- */

struct seen {
	struct host_record list[64];
	unsigned n;
};

static void keep(void *arg, const struct host_record *r)
{
	struct seen *s = arg;

	assert_true(s->n < 64);
	s->list[s->n++] = *r;
}

static struct host_watch watch_of(const char *remote, const char *interface)
{
	struct host_watch w = {
		.lports = {40000, 40001}, .n_lports = 2, .rports = {25}, .n_rports = 1};

	assert_true(addr_parse(&w.remote, remote));
	assert_true(
		addr_parse(&w.local, w.remote.family == ADDR_V4 ? "10.0.0.2" : "2001:db8:1::2"));
	w.oif = (int)if_nametoindex(interface);
	snprintf(w.oif_name, sizeof(w.oif_name), "%s", interface);
	return w;
}

static struct seen look(const char *remote, const char *interface)
{
	struct host_watch w = watch_of(remote, interface);
	struct seen s = {.n = 0};

	programs_emit(&w, keep, &s);
	return s;
}

/* The only one at this hook whose name begins so; NULL: none. */
static const struct host_program *find(const struct seen *s, enum program_hook hook,
				       const char *name)
{
	const struct host_program *found = NULL;

	for (unsigned i = 0; i < s->n; i++) {
		const struct host_program *p = &s->list[i].program;
		if (s->list[i].kind != HOST_PROGRAM || p->hook != hook ||
		    strncmp(p->name, name, strlen(name)) != 0)
			continue;
		if (found)
			fail_msg("twice: %s", p->text);
		found = p;
	}
	return found;
}

static const struct host_program *must_find(const struct seen *s, enum program_hook hook,
					    const char *name)
{
	const struct host_program *p = find(s, hook, name);

	if (!p)
		fail_msg("%s is not found at hook %d", name, hook);
	return p;
}

/* ---- bpf(2) ---- */

static int sys_bpf(enum bpf_cmd cmd, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

/* r0 = result; exit. -1 with errno */
static int load(enum bpf_prog_type type, unsigned attach_type, const char *name, int result)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = result},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = type;
	attr.insns = (uintptr_t)insns;
	attr.insn_cnt = 2;
	attr.license = (uintptr_t) "GPL";
	attr.expected_attach_type = attach_type;
	snprintf(attr.prog_name, sizeof(attr.prog_name), "%s", name);
	return sys_bpf(BPF_PROG_LOAD, &attr);
}

static int must_load(enum bpf_prog_type type, unsigned attach_type, const char *name, int result)
{
	int fd = load(type, attach_type, name, result);

	if (fd < 0)
		fail_msg("BPF_PROG_LOAD %s: %s", name, strerror(errno));
	return fd;
}

static uint32_t id_of(int fd)
{
	struct bpf_prog_info info;
	union bpf_attr attr;

	memset(&info, 0, sizeof(info));
	memset(&attr, 0, sizeof(attr));
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof(info);
	attr.info.info = (uintptr_t)&info;
	assert_int_equal(sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr), 0);
	return info.id;
}

static int attach(int target, int fd, unsigned type, unsigned flags)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.target_fd = (uint32_t)target;
	attr.attach_bpf_fd = (uint32_t)fd;
	attr.attach_type = type;
	attr.attach_flags = flags;
	return sys_bpf(BPF_PROG_ATTACH, &attr);
}

/* ---- on an interface ---- */

static int answer_of(struct host *h, struct nl_msg *msg)
{
	struct err e = {.text = ""};
	int answer;

	if (netlink_ask(h, msg, NULL, NULL, &answer, &e) != 0)
		fail_msg("%s", e.text);
	return answer;
}

static int add_tc_program(struct host *h, const char *interface, bool egress, uint32_t pref, int fd)
{
	struct tcmsg t = {
		.tcm_ifindex = (int)if_nametoindex(interface),
		.tcm_parent = TC_H_MAKE(TC_H_CLSACT, egress ? TC_H_MIN_EGRESS : TC_H_MIN_INGRESS),
		.tcm_handle = 1,
		.tcm_info = TC_H_MAKE(pref << 16, htons(ETH_P_ALL))};
	const uint32_t flags = TCA_BPF_FLAG_ACT_DIRECT, program = (uint32_t)fd;
	struct nl_msg *msg = netlink_request(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK,
					     &t, sizeof(t));

	netlink_put(msg, TCA_KIND, "bpf", 4);
	struct nlattr *nest = nla_nest_start(msg, TCA_OPTIONS);
	netlink_put(msg, TCA_BPF_FD, &program, 4);
	netlink_put(msg, TCA_BPF_NAME, "tc_given", 9);
	netlink_put(msg, TCA_BPF_FLAGS, &flags, 4);
	nla_nest_end(msg, nest);
	return answer_of(h, msg);
}

static int set_xdp(struct host *h, const char *interface, int fd)
{
	const struct ifinfomsg i = {.ifi_index = (int)if_nametoindex(interface)};
	const uint32_t flags = XDP_FLAGS_SKB_MODE;
	struct nl_msg *msg = netlink_request(RTM_SETLINK, NLM_F_ACK, &i, sizeof(i));
	struct nlattr *nest = nla_nest_start(msg, IFLA_XDP);

	netlink_put(msg, IFLA_XDP_FD, &fd, 4);
	netlink_put(msg, IFLA_XDP_FLAGS, &flags, 4);
	nla_nest_end(msg, nest);
	return answer_of(h, msg);
}

/* Runs `tc WORDS`; its exit status. */
static int tc_run(const char *words)
{
	char copy[512], *argv[48] = {(char *)(uintptr_t) "tc"}, *save = NULL;
	int n = 1, status;

	snprintf(copy, sizeof(copy), "%s", words);
	for (char *w = strtok_r(copy, " ", &save); w && n < 47; w = strtok_r(NULL, " ", &save))
		argv[n++] = w;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		execvp("tc", argv);
		_exit(127);
	}
	assert_true(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void need_clsact(const char *interface)
{
	char words[64];

	snprintf(words, sizeof(words), "qdisc add dev %s clsact", interface);
	if (tc_run(words) != 0) {
		print_message("skipped: no clsact here\n");
		skip();
	}
}

static void test_tc_program(void **state)
{
	int out = must_load(BPF_PROG_TYPE_SCHED_CLS, 0, "t_egress", TC_ACT_SHOT);
	int in = must_load(BPF_PROG_TYPE_SCHED_CLS, 0, "t_ingress", TC_ACT_SHOT);

	need_clsact("v0");
	struct seen s = look("198.51.100.25", "v0");
	assert_null(find(&s, PROG_TC_EGRESS, ""));
	assert_int_equal(add_tc_program(*state, "v0", true, 7, out), 0);
	assert_int_equal(add_tc_program(*state, "v0", false, 9, in), 0);
	s = look("198.51.100.25", "v0");
	const struct host_program *p = must_find(&s, PROG_TC_EGRESS, "");
	assert_string_equal(p->name, "t_egress");
	assert_string_equal(p->interface, "v0");
	assert_string_equal(p->protocol, "all");
	assert_true(p->bpf);
	assert_false(p->drops);
	assert_int_equal(p->id, id_of(out));
	assert_int_equal(p->pref, 7);
	assert_int_equal(p->handle, 1);
	assert_true(strncmp(p->text, "filter protocol all pref 7 bpf chain 0 handle 0x1 tc_given",
			    58) == 0);
	assert_null(strchr(p->text, '\n'));
	p = must_find(&s, PROG_TC_INGRESS, "");
	assert_string_equal(p->name, "t_ingress");
	assert_int_equal(p->pref, 9);
	/* another interface's are no matter */
	s = look("198.51.100.25", "v1");
	assert_null(find(&s, PROG_TC_EGRESS, ""));
	close(out);
	close(in);
}

static void test_tcx(void **state)
{
	int out = must_load(BPF_PROG_TYPE_SCHED_CLS, 0, "t_tcx_out", TC_ACT_SHOT);
	int in = must_load(BPF_PROG_TYPE_SCHED_CLS, 0, "t_tcx_in", TC_ACT_SHOT);
	int v0 = (int)if_nametoindex("v0");

	(void)state;
	if (attach(v0, out, TCX_EGRESS, 0) != 0) {
		print_message("skipped: no tcx here: %s\n", strerror(errno));
		skip();
	}
	assert_int_equal(attach(v0, in, TCX_INGRESS, 0), 0);
	struct seen s = look("198.51.100.25", "v0");
	const struct host_program *p = must_find(&s, PROG_TCX_EGRESS, "");
	assert_string_equal(p->name, "t_tcx_out");
	assert_string_equal(p->interface, "v0");
	assert_string_equal(p->attach_type, "tcx_egress");
	assert_int_equal(p->id, id_of(out));
	p = must_find(&s, PROG_TCX_INGRESS, "");
	assert_int_equal(p->id, id_of(in));
	close(out);
	close(in);
}

static void test_xdp(void **state)
{
	int fd = must_load(BPF_PROG_TYPE_XDP, 0, "t_xdp", XDP_DROP);
	struct seen s = look("198.51.100.25", "v0");

	assert_null(find(&s, PROG_XDP, ""));
	assert_int_equal(set_xdp(*state, "v0", fd), 0);
	s = look("2001:db8::25", "v0");
	const struct host_program *p = must_find(&s, PROG_XDP, "");
	assert_string_equal(p->name, "t_xdp");
	assert_string_equal(p->interface, "v0");
	assert_string_equal(p->attach_type, "xdpgeneric");
	assert_int_equal(p->id, id_of(fd));
	char begin[32];
	snprintf(begin, sizeof(begin), "%u: xdp name t_xdp tag ", p->id);
	assert_true(strncmp(p->text, begin, strlen(begin)) == 0);
	assert_int_equal(ip_run("link set dev v0 xdpgeneric off", NULL, 0), 0);
	s = look("2001:db8::25", "v0");
	assert_null(find(&s, PROG_XDP, ""));
	close(fd);
}

/* What stands on the device of a VLAN, or on a bridge's, stops their packets, too. */
static void test_lower_device(void **state)
{
	int fd = must_load(BPF_PROG_TYPE_XDP, 0, "t_lower", XDP_DROP);
	bool vlan = ip_run("link add link v0 name v0.5 up type vlan id 5", NULL, 0) == 0;
	bool bridge = ip_run("link add name br9 up type bridge", NULL, 0) == 0;

	assert_int_equal(set_xdp(*state, "v0", fd), 0);
	if (vlan) {
		struct seen s = look("198.51.100.25", "v0.5");
		assert_string_equal(must_find(&s, PROG_XDP, "t_lower")->interface, "v0");
	}
	if (bridge) {
		ip_do("link set dev v0 master br9");
		struct seen s = look("198.51.100.25", "br9");
		assert_string_equal(must_find(&s, PROG_XDP, "t_lower")->interface, "v0");
	}
	close(fd);
	if (!vlan && !bridge) {
		print_message("skipped: neither VLANs nor bridges here\n");
		skip();
	}
}

static void test_blackhole_qdisc(void **state)
{
	(void)state;
	if (tc_run("qdisc add dev v0 root handle 8: blackhole") != 0) {
		print_message("skipped: no blackhole qdisc here\n");
		skip();
	}
	struct seen s = look("198.51.100.25", "v0");
	const struct host_program *p = must_find(&s, PROG_QDISC, "");
	assert_string_equal(p->name, "blackhole");
	assert_string_equal(p->interface, "v0");
	assert_string_equal(p->text, "qdisc blackhole 8: dev v0 root");
	assert_true(p->drops);
	assert_false(p->bpf);
}

/* With netem's loss, or a class that leads nowhere, a packet may or may not be lost. */
static void test_other_qdiscs(void **state)
{
	(void)state;
	bool netem = tc_run("qdisc add dev v0 root netem delay 1ms") == 0;
	if (netem) {
		struct seen s = look("198.51.100.25", "v0");
		assert_null(find(&s, PROG_QDISC, ""));
		assert_int_equal(tc_run("qdisc change dev v0 root netem loss 30%"), 0);
		s = look("198.51.100.25", "v0");
		assert_false(must_find(&s, PROG_QDISC, "netem")->drops);
		assert_int_equal(tc_run("qdisc change dev v0 root netem loss 100%"), 0);
		s = look("198.51.100.25", "v0");
		assert_true(must_find(&s, PROG_QDISC, "netem")->drops);
		assert_int_equal(tc_run("qdisc del dev v0 root"), 0);
	}
	bool htb = tc_run("qdisc add dev v0 root handle 1: htb default 10") == 0;
	if (htb) {
		assert_int_equal(tc_run("class add dev v0 parent 1: classid 1:10 htb rate 1mbit"),
				 0);
		assert_int_equal(tc_run("qdisc add dev v0 parent 1:10 handle 20: blackhole"), 0);
		struct seen s = look("198.51.100.25", "v0");
		const struct host_program *p = must_find(&s, PROG_QDISC, "blackhole");
		assert_false(p->drops);
		assert_string_equal(p->text, "qdisc blackhole 20: dev v0 parent 1:10");
	}
	if (!netem && !htb) {
		print_message("skipped: neither netem nor htb here\n");
		skip();
	}
}

static void test_u32_drop(void **state)
{
	(void)state;
	need_clsact("v0");
	if (tc_run("filter add dev v0 egress pref 3 protocol ip u32 match ip dport 25 0xffff "
		   "action drop") != 0) {
		print_message("skipped: no u32 filter with a drop action here\n");
		skip();
	}
	struct seen s = look("198.51.100.25", "v0");
	const struct host_program *p = must_find(&s, PROG_TC_EGRESS, "u32");
	assert_true(p->drops);
	assert_false(p->bpf);
	assert_int_equal(p->pref, 3);
	assert_non_null(strstr(p->text, "action drop"));
	assert_int_equal(tc_run("filter del dev v0 egress pref 3"), 0);
	assert_int_equal(tc_run("filter add dev v0 egress pref 3 protocol ip u32 match ip dport 80 "
				"0xffff action drop"),
			 0);
	s = look("198.51.100.25", "v0");
	assert_null(find(&s, PROG_TC_EGRESS, ""));
}

/* The kernel's own u32 messages, and tc's words for them: one that sends packets elsewhere may be
 * it, one for another port is not. */
static void test_u32_redirect(void **state)
{
	(void)state;
	need_clsact("v0");
	if (tc_run("filter add dev v0 egress pref 3 protocol ip u32 match ip dport 25 0xffff "
		   "action mirred egress redirect dev lo") != 0) {
		print_message("skipped: no u32 filter with a redirect here\n");
		skip();
	}
	assert_int_equal(tc_run("filter add dev v0 egress pref 4 protocol ip u32 match ip dport 80 "
				"0xffff action mirred egress redirect dev lo"),
			 0);
	struct seen s = look("198.51.100.25", "v0");
	const struct host_program *p = must_find(&s, PROG_TC_EGRESS, "");
	assert_string_equal(p->name, "u32");
	assert_false(p->drops);
	assert_int_equal(p->pref, 3);
	assert_string_equal(p->protocol, "ip");
	assert_true(strncmp(p->text, "filter protocol ip pref 3 u32 chain 0 fh ", 41) == 0);
	assert_non_null(strstr(p->text, " match 00000019/0000ffff at 20 "));
	assert_null(strstr(p->text, "00000050"));
	s = look("2001:db8::25", "v0");
	assert_null(find(&s, PROG_TC_EGRESS, ""));
}

/* ---- what a filter does, from its message ---- */

static struct nl_msg *filter_begin(const char *kind, uint32_t pref, uint16_t protocol,
				   struct nlattr **options)
{
	struct tcmsg t = {.tcm_handle = 0x80000800,
			  .tcm_info = TC_H_MAKE(pref << 16, htons(protocol))};
	struct nl_msg *msg = netlink_request(RTM_NEWTFILTER, 0, &t, sizeof(t));

	netlink_put(msg, TCA_KIND, kind, strlen(kind) + 1);
	*options = nla_nest_start(msg, TCA_OPTIONS);
	return msg;
}

static void put_u16(struct nl_msg *msg, int type, uint16_t value)
{
	uint16_t be = htons(value);

	netlink_put(msg, type, &be, 2);
}

static void put_gact(struct nl_msg *msg, int attribute, int action, bool chance)
{
	struct nlattr *list = nla_nest_start(msg, attribute), *one = nla_nest_start(msg, 1);
	const struct tc_gact gact = {.action = action};
	const struct tc_gact_p p = {.ptype = PGACT_NETRAND, .pval = 2};

	netlink_put(msg, TCA_ACT_KIND, "gact", 5);
	struct nlattr *options = nla_nest_start(msg, TCA_ACT_OPTIONS);
	netlink_put(msg, TCA_GACT_PARMS, &gact, sizeof(gact));
	if (chance)
		netlink_put(msg, TCA_GACT_PROB, &p, sizeof(p));
	nla_nest_end(msg, options);
	nla_nest_end(msg, one);
	nla_nest_end(msg, list);
}

static void put_mirred_then_drop(struct nl_msg *msg, int attribute, int eaction)
{
	struct nlattr *list = nla_nest_start(msg, attribute), *one = nla_nest_start(msg, 1);
	const struct tc_mirred mirred = {.action = TC_ACT_PIPE, .eaction = eaction, .ifindex = 3};
	const struct tc_gact gact = {.action = TC_ACT_SHOT};

	netlink_put(msg, TCA_ACT_KIND, "mirred", 7);
	struct nlattr *options = nla_nest_start(msg, TCA_ACT_OPTIONS);
	netlink_put(msg, TCA_MIRRED_PARMS, &mirred, sizeof(mirred));
	nla_nest_end(msg, options);
	nla_nest_end(msg, one);
	one = nla_nest_start(msg, 2);
	netlink_put(msg, TCA_ACT_KIND, "gact", 5);
	options = nla_nest_start(msg, TCA_ACT_OPTIONS);
	netlink_put(msg, TCA_GACT_PARMS, &gact, sizeof(gact));
	nla_nest_end(msg, options);
	nla_nest_end(msg, one);
	nla_nest_end(msg, list);
}

static struct tc_filter parse(struct nl_msg *msg, struct nlattr *options, const char *remote,
			      bool inbound)
{
	struct host_watch w = {
		.lports = {40000, 40001}, .n_lports = 2, .rports = {25}, .n_rports = 1};
	struct tc_filter f;

	nla_nest_end(msg, options);
	assert_true(addr_parse(&w.remote, remote));
	assert_true(
		addr_parse(&w.local, w.remote.family == ADDR_V4 ? "10.0.0.2" : "2001:db8:1::2"));
	assert_true(tc_filter_parse(nlmsg_hdr(msg), &w, inbound, &f));
	nlmsg_free(msg);
	return f;
}

#define V4 "198.51.100.25"
#define V6 "2001:db8::25"

enum flower_extra { NO_EXTRA, WITH_VLAN, SKIP_SW, ONE_SPORT };

static struct tc_filter flower(const char *remote, bool inbound, const char *dst, uint8_t dst_len,
			       uint16_t sport, uint16_t dport, enum flower_extra extra)
{
	struct nlattr *options;
	struct nl_msg *msg = filter_begin("flower", 1, ETH_P_ALL, &options);
	bool v4 = strchr(remote, ':') == NULL;
	const uint32_t skip_sw = TCA_CLS_FLAGS_SKIP_SW;

	put_u16(msg, TCA_FLOWER_KEY_ETH_TYPE, v4 ? ETH_P_IP : ETH_P_IPV6);
	netlink_put(msg, TCA_FLOWER_KEY_IP_PROTO, "\x06", 1);
	if (dst) {
		uint8_t mask[16] = {0};
		struct addr a;
		assert_true(addr_parse(&a, dst));
		for (unsigned i = 0; i < dst_len; i++)
			mask[i / 8] |= (uint8_t)(0x80 >> i % 8);
		netlink_put(msg, v4 ? TCA_FLOWER_KEY_IPV4_DST : TCA_FLOWER_KEY_IPV6_DST, a.bytes,
			    v4 ? 4 : 16);
		netlink_put(msg, v4 ? TCA_FLOWER_KEY_IPV4_DST_MASK : TCA_FLOWER_KEY_IPV6_DST_MASK,
			    mask, v4 ? 4 : 16);
	}
	if (sport) {
		put_u16(msg, TCA_FLOWER_KEY_TCP_SRC, sport);
		put_u16(msg, TCA_FLOWER_KEY_TCP_SRC_MASK, 0xffff);
	}
	if (dport) {
		put_u16(msg, TCA_FLOWER_KEY_TCP_DST, dport);
		put_u16(msg, TCA_FLOWER_KEY_TCP_DST_MASK, 0xffff);
	}
	if (extra == WITH_VLAN)
		put_u16(msg, TCA_FLOWER_KEY_VLAN_ID, 5);
	if (extra == SKIP_SW)
		netlink_put(msg, TCA_FLOWER_FLAGS, &skip_sw, 4);
	put_gact(msg, TCA_FLOWER_ACT, TC_ACT_SHOT, false);
	return parse(msg, options, remote, inbound);
}

static void test_flower(void **state)
{
	(void)state;
	struct tc_filter f = flower(V4, false, NULL, 0, 0, 25, NO_EXTRA);
	assert_int_equal(f.fit, TC_FIT_YES);
	assert_int_equal(f.end, TC_END_DROP);
	assert_true(tc_filter_drops(&f, 1, 0));
	assert_int_equal(flower(V4, false, NULL, 0, 0, 26, NO_EXTRA).fit, TC_FIT_NO);
	assert_int_equal(flower(V4, false, "198.51.100.0", 24, 0, 25, NO_EXTRA).fit, TC_FIT_YES);
	assert_int_equal(flower(V4, false, "198.51.101.0", 24, 0, 25, NO_EXTRA).fit, TC_FIT_NO);
	assert_int_equal(flower(V4, false, "198.51.101.0", 23, 0, 25, NO_EXTRA).fit, TC_FIT_YES);
	assert_int_equal(flower(V6, false, "2001:db8::", 32, 0, 25, NO_EXTRA).fit, TC_FIT_YES);
	assert_int_equal(flower(V6, false, "2001:db9::", 32, 0, 25, NO_EXTRA).fit, TC_FIT_NO);
	/* the answer: ports the other way round */
	assert_int_equal(flower(V4, true, NULL, 0, 25, 0, NO_EXTRA).fit, TC_FIT_YES);
	assert_int_equal(flower(V4, true, NULL, 0, 0, 25, NO_EXTRA).fit, TC_FIT_NO);
	assert_int_equal(flower(V4, true, "10.0.0.2", 32, 25, 0, NO_EXTRA).fit, TC_FIT_YES);
	/* what isn't understood, hardware only, one of our two source ports */
	assert_int_equal(flower(V4, false, NULL, 0, 0, 25, WITH_VLAN).fit, TC_FIT_MAYBE);
	assert_int_equal(flower(V4, false, NULL, 0, 0, 25, SKIP_SW).fit, TC_FIT_MAYBE);
	assert_int_equal(flower(V4, false, NULL, 0, 40001, 25, NO_EXTRA).fit, TC_FIT_MAYBE);
}

static struct tc_filter u32(const char *remote, const struct tc_u32_key *keys, unsigned n,
			    uint8_t flags, bool link)
{
	/* its keys follow it (a flexible array) */
	_Alignas(struct tc_u32_sel) uint8_t s[sizeof(struct tc_u32_sel) + 4 * sizeof(*keys)] = {0};
	struct tc_u32_sel *sel = (void *)s;
	struct nlattr *options;
	struct nl_msg *msg = filter_begin("u32", 1, ETH_P_ALL, &options);
	const uint32_t table = 0x80100000;

	sel->flags = flags;
	sel->nkeys = (unsigned char)n;
	memcpy(sel->keys, keys, n * sizeof(*keys));
	netlink_put(msg, TCA_U32_SEL, s, sizeof(*sel) + n * sizeof(*keys));
	if (link)
		netlink_put(msg, TCA_U32_LINK, &table, 4);
	put_gact(msg, TCA_U32_ACT, TC_ACT_SHOT, false);
	return parse(msg, options, remote, false);
}

static void test_u32(void **state)
{
	const struct tc_u32_key port25 = {.val = htonl(25), .mask = htonl(0xffff), .off = 20};
	const struct tc_u32_key port26 = {.val = htonl(26), .mask = htonl(0xffff), .off = 20};
	const struct tc_u32_key port25_v6 = {.val = htonl(25), .mask = htonl(0xffff), .off = 40};
	const struct tc_u32_key tos = {.val = 0, .mask = htonl(0x00ff0000), .off = 0};
	const struct tc_u32_key both[] = {tos, port26};
	const struct tc_u32_key next = {
		.val = htonl(25), .mask = htonl(0xffff), .off = 0, .offmask = -1};

	(void)state;
	assert_int_equal(u32(V4, &port25, 1, TC_U32_TERMINAL, false).fit, TC_FIT_YES);
	assert_int_equal(u32(V4, &port25, 1, TC_U32_TERMINAL, false).end, TC_END_DROP);
	assert_int_equal(u32(V4, &port26, 1, TC_U32_TERMINAL, false).fit, TC_FIT_NO);
	assert_int_equal(u32(V6, &port25_v6, 1, TC_U32_TERMINAL, false).fit, TC_FIT_YES);
	assert_int_equal(u32(V4, &tos, 1, TC_U32_TERMINAL, false).fit, TC_FIT_MAYBE);
	assert_int_equal(u32(V4, both, 2, TC_U32_TERMINAL, false).fit, TC_FIT_NO);
	assert_int_equal(u32(V4, &next, 1, TC_U32_TERMINAL, false).fit, TC_FIT_MAYBE);
	assert_int_equal(u32(V4, &port25, 1, TC_U32_VAROFFSET, false).fit, TC_FIT_MAYBE);
	assert_int_equal(u32(V4, &port25, 1, 0, true).fit, TC_FIT_MAYBE);
}

static struct tc_filter matchall(uint32_t pref, uint16_t protocol, int action, bool chance)
{
	struct nlattr *options;
	struct nl_msg *msg = filter_begin("matchall", pref, protocol, &options);

	put_gact(msg, TCA_MATCHALL_ACT, action, chance);
	return parse(msg, options, V4, false);
}

static void test_actions(void **state)
{
	struct nlattr *options;

	(void)state;
	assert_int_equal(matchall(1, ETH_P_ALL, TC_ACT_SHOT, false).end, TC_END_DROP);
	assert_int_equal(matchall(1, ETH_P_ALL, TC_ACT_SHOT, true).end, TC_END_UNKNOWN);
	assert_int_equal(matchall(1, ETH_P_ALL, TC_ACT_OK, false).end, TC_END_ACCEPT);
	assert_int_equal(matchall(1, ETH_P_ALL, TC_ACT_UNSPEC, false).end, TC_END_CONTINUE);
	assert_int_equal(matchall(1, ETH_P_ALL, TC_ACT_PIPE, false).end, TC_END_ACCEPT);
	assert_int_equal(matchall(1, ETH_P_IP, TC_ACT_SHOT, false).fit, TC_FIT_YES);
	assert_int_equal(matchall(1, ETH_P_IPV6, TC_ACT_SHOT, false).fit, TC_FIT_NO);
	struct nl_msg *msg = filter_begin("matchall", 1, ETH_P_ALL, &options);
	put_mirred_then_drop(msg, TCA_MATCHALL_ACT, TCA_EGRESS_MIRROR);
	assert_int_equal(parse(msg, options, V4, false).end, TC_END_DROP);
	msg = filter_begin("matchall", 1, ETH_P_ALL, &options);
	put_mirred_then_drop(msg, TCA_MATCHALL_ACT, TCA_EGRESS_REDIR);
	assert_int_equal(parse(msg, options, V4, false).end, TC_END_UNKNOWN);
	/* a kind that nobody has heard of */
	msg = filter_begin("whatever", 1, ETH_P_ALL, &options);
	struct tc_filter f = parse(msg, options, V4, false);
	assert_int_equal(f.fit, TC_FIT_MAYBE);
	assert_int_equal(f.end, TC_END_UNKNOWN);
}

/* Nobody is blamed whom another filter may come before. */
static void test_order(void **state)
{
	struct tc_filter f[3];

	(void)state;
	f[0] = matchall(1, ETH_P_ALL, TC_ACT_OK, false);
	f[1] = matchall(2, ETH_P_ALL, TC_ACT_SHOT, false);
	assert_false(tc_filter_drops(f, 2, 1));
	f[0] = matchall(1, ETH_P_ALL, TC_ACT_UNSPEC, false);
	assert_true(tc_filter_drops(f, 2, 1));
	f[0] = matchall(1, ETH_P_IPV6, TC_ACT_OK, false);
	assert_true(tc_filter_drops(f, 2, 1));
	f[0] = matchall(3, ETH_P_ALL, TC_ACT_OK, false);
	assert_true(tc_filter_drops(f, 2, 1));
	f[0] = flower(V4, false, NULL, 0, 0, 25, WITH_VLAN);
	assert_false(tc_filter_drops(f, 2, 1));
	f[0] = (struct tc_filter){.kind = "u32", .pref = 2, .table = true};
	f[2] = f[0];
	assert_true(tc_filter_drops(f, 2, 1));
	assert_false(tc_filter_drops(f, 3, 1));
}

static void test_filter_messages_that_lie(void **state)
{
	struct host_watch w = watch_of(V4, "v0");
	struct nlattr *options;
	struct tc_u32_sel sel = {.nkeys = 200, .flags = TC_U32_TERMINAL};
	struct nl_msg *msg = filter_begin("u32", 1, ETH_P_ALL, &options);
	struct tc_filter f;

	(void)state;
	netlink_put(msg, TCA_U32_SEL, &sel, sizeof(sel)); /* keys that aren't there */
	assert_int_equal(parse(msg, options, V4, false).fit, TC_FIT_MAYBE);
	msg = filter_begin("u32", 1, ETH_P_ALL, &options);
	netlink_put(msg, TCA_U32_SEL, &sel, 2);
	assert_int_equal(parse(msg, options, V4, false).fit, TC_FIT_MAYBE);
	msg = filter_begin("flower", 1, ETH_P_ALL, &options);
	netlink_put(msg, TCA_FLOWER_KEY_IPV4_DST, "x", 1);
	netlink_put(msg, TCA_FLOWER_KEY_IPV4_DST_MASK, "x", 1);
	assert_int_equal(parse(msg, options, V4, false).fit, TC_FIT_MAYBE);
	msg = filter_begin("flower", 1, ETH_P_ALL, &options);
	nla_nest_end(msg, options);
	nlmsg_hdr(msg)->nlmsg_type = RTM_NEWQDISC;
	assert_false(tc_filter_parse(nlmsg_hdr(msg), &w, false, &f));
	nlmsg_free(msg);
}

/* ---- in a cgroup of our own ---- */

static struct {
	char home[512], top[512], sub[600]; /* where we come from; ours, and the one in it */
} cgroups;

static bool cgroup_join(const char *folder)
{
	char path[700];

	snprintf(path, sizeof(path), "%s/cgroup.procs", folder);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, "0", 1) == 1;
	if (fd >= 0)
		close(fd);
	return ok;
}

static int cgroup_setup(void **state)
{
	const char *root = access("/sys/fs/cgroup/cgroup.procs", F_OK) == 0
				   ? "/sys/fs/cgroup"
				   : "/sys/fs/cgroup/unified";
	FILE *f = fopen("/proc/self/cgroup", "re");
	char line[256];

	memset(&cgroups, 0, sizeof(cgroups));
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "0::/", 4) == 0)
			snprintf(cgroups.home, sizeof(cgroups.home), "%s%s", root, line + 3);
	}
	if (f)
		fclose(f);
	snprintf(cgroups.top, sizeof(cgroups.top), "%s/smtpblame-test-%d", root, getpid());
	snprintf(cgroups.sub, sizeof(cgroups.sub), "%s/sub", cgroups.top);
	if (!cgroups.home[0] || mkdir(cgroups.top, 0755) != 0 || mkdir(cgroups.sub, 0755) != 0 ||
	    !cgroup_join(cgroups.sub))
		cgroups.sub[0] = '\0';
	return netns_setup(state);
}

static int cgroup_teardown(void **state)
{
	char sub[700];

	cgroup_join(cgroups.home);
	snprintf(sub, sizeof(sub), "%s/sub", cgroups.top);
	rmdir(sub);
	rmdir(cgroups.top);
	return netns_teardown(state);
}

static int cgroup_attach(const char *folder, enum bpf_prog_type type, unsigned attach_type,
			 const char *name)
{
	int fd = must_load(type, attach_type, name, 1);
	int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(dir >= 0);
	if (attach(dir, fd, attach_type, BPF_F_ALLOW_MULTI) != 0)
		fail_msg("BPF_PROG_ATTACH: %s", strerror(errno));
	close(dir);
	return fd;
}

static void need_cgroup(void)
{
	if (cgroups.sub[0])
		return;
	print_message("skipped: no cgroup (version 2) can be made here\n");
	skip();
}

static void assert_cgroup(const struct host_program *p, int fd, const char *folder_end)
{
	size_t len = strlen(p->cgroup), end = strlen(folder_end);

	assert_int_equal(p->id, id_of(fd));
	assert_true(p->bpf);
	assert_true(p->cgroup[0] == '/' && len > end);
	assert_string_equal(p->cgroup + len - end, folder_end);
}

static void test_cgroup(void **state)
{
	char top[64], sub[80];

	(void)state;
	need_cgroup();
	snprintf(top, sizeof(top), "smtpblame-test-%d", getpid());
	snprintf(sub, sizeof(sub), "%s/sub", top);
	int connect4 = cgroup_attach(cgroups.sub, BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
				     BPF_CGROUP_INET4_CONNECT, "t_connect4");
	int connect6 = cgroup_attach(cgroups.sub, BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
				     BPF_CGROUP_INET6_CONNECT, "t_connect6");
	int egress = cgroup_attach(cgroups.top, BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS,
				   "t_egress");
	int ingress = cgroup_attach(cgroups.sub, BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_INGRESS,
				    "t_ingress");
	int create = cgroup_attach(cgroups.top, BPF_PROG_TYPE_CGROUP_SOCK,
				   BPF_CGROUP_INET_SOCK_CREATE, "t_create");
	struct seen s = look(V4, "v0");
	const struct host_program *p = must_find(&s, PROG_CGROUP_CONNECT, "t_");
	assert_cgroup(p, connect4, sub);
	assert_string_equal(p->name, "t_connect4");
	assert_string_equal(p->attach_type, "cgroup_inet4_connect");
	p = must_find(&s, PROG_CGROUP_EGRESS, "t_");
	assert_cgroup(p, egress, top);
	assert_string_equal(p->attach_type, "cgroup_inet_egress");
	assert_cgroup(must_find(&s, PROG_CGROUP_INGRESS, "t_"), ingress, sub);
	assert_cgroup(must_find(&s, PROG_CGROUP_SOCK, "t_"), create, top);
	s = look(V6, "v0");
	assert_cgroup(must_find(&s, PROG_CGROUP_CONNECT, "t_"), connect6, sub);
	/* from elsewhere there is nothing of it */
	assert_true(cgroup_join(cgroups.home));
	s = look(V4, "v0");
	assert_null(find(&s, PROG_CGROUP_CONNECT, "t_"));
	assert_null(find(&s, PROG_CGROUP_EGRESS, "t_"));
	close(connect4);
	close(connect6);
	close(egress);
	close(ingress);
	close(create);
}

/* `ip netns exec` puts a fresh /sys over the one with the tree in it. */
static void test_cgroup_hidden(void **state)
{
	int status;

	(void)state;
	need_cgroup();
	int fd = cgroup_attach(cgroups.sub, BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
			       BPF_CGROUP_INET4_CONNECT, "t_hidden");
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (unshare(CLONE_NEWNS) != 0 || mount("", "/", "none", MS_SLAVE | MS_REC, NULL) ||
		    umount2("/sys", MNT_DETACH) || mount("s", "/sys", "sysfs", 0, NULL))
			_exit(77);
		struct seen s = look(V4, "v0");
		const struct host_program *p = find(&s, PROG_CGROUP_CONNECT, "t_hidden");
		_exit(p && strstr(p->cgroup, "/sub") && access(cgroups.sub, F_OK) != 0 ? 0 : 1);
	}
	assert_true(waitpid(pid, &status, 0) == pid);
	close(fd);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		print_message("skipped: no mount of our own\n");
		skip();
	}
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* ---- names ---- */

/* int NAME(void), as type information */
static int load_btf(const char *name)
{
	struct {
		uint16_t magic;
		uint8_t version, flags;
		uint32_t hdr_len, type_off, type_len, str_off, str_len;
		uint32_t types[4 + 3 + 3];
		char strings[64];
	} b = {.magic = 0xeb9f,
	       .version = 1,
	       .hdr_len = 24,
	       .type_len = 40,
	       .str_off = 40,
	       .types = {1, 1u << 24, 4, 0x01000020, /* int, signed, 32 bits */
			 0, 13u << 24, 1,            /* a function that returns it */
			 5, 12u << 24 | 1, 2}};      /* NAME, global */
	union bpf_attr attr;

	memcpy(b.strings, "\0int", 5);
	strcpy(b.strings + 5, name);
	b.str_len = (uint32_t)(5 + strlen(name) + 1);
	memset(&attr, 0, sizeof(attr));
	attr.btf = (uintptr_t)&b;
	attr.btf_size = 24 + 40 + b.str_len;
	return sys_bpf(BPF_BTF_LOAD, &attr);
}

static void test_long_name(void **state)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};
	const struct bpf_func_info function = {.type_id = 3};
	const char *name = "mail_guard_of_the_panel_v2";
	int btf = load_btf(name);
	union bpf_attr attr;

	if (btf < 0) {
		print_message("skipped: BPF_BTF_LOAD: %s\n", strerror(errno));
		skip();
	}
	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_XDP;
	attr.insns = (uintptr_t)insns;
	attr.insn_cnt = 2;
	attr.license = (uintptr_t) "GPL";
	memcpy(attr.prog_name, name, BPF_OBJ_NAME_LEN - 1);
	attr.prog_btf_fd = (uint32_t)btf;
	attr.func_info = (uintptr_t)&function;
	attr.func_info_cnt = 1;
	attr.func_info_rec_size = sizeof(function);
	int fd = sys_bpf(BPF_PROG_LOAD, &attr);
	if (fd < 0)
		fail_msg("BPF_PROG_LOAD: %s", strerror(errno));
	assert_int_equal(set_xdp(*state, "v0", fd), 0);
	struct seen s = look(V4, "v0");
	assert_string_equal(must_find(&s, PROG_XDP, "")->name, name);
	close(fd);
	close(btf);
}

/* ---- without privilege ---- */

static void test_no_privilege(void **state)
{
	int status;

	(void)state;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		cap_t none = cap_init();
		if (cap_set_proc(none) != 0)
			_exit(77);
		cap_free(none);
		struct seen s = look(V4, "v0");
		bool said = false;
		for (unsigned i = 0; i < s.n; i++)
			said |= s.list[i].kind == HOST_NOT_LOOKED &&
				s.list[i].not_looked.what == HOST_LOOK_PROGRAMS &&
				s.list[i].not_looked.why[0];
		_exit(said ? 0 : 1);
	}
	assert_true(waitpid(pid, &status, 0) == pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define TEST(f)        cmocka_unit_test_setup_teardown(f, netns_setup, netns_teardown)
#define CGROUP_TEST(f) cmocka_unit_test_setup_teardown(f, cgroup_setup, cgroup_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_tc_program),
		TEST(test_tcx),
		TEST(test_xdp),
		TEST(test_lower_device),
		TEST(test_blackhole_qdisc),
		TEST(test_other_qdiscs),
		TEST(test_u32_drop),
		TEST(test_u32_redirect),
		TEST(test_flower),
		TEST(test_u32),
		TEST(test_actions),
		TEST(test_order),
		TEST(test_filter_messages_that_lie),
		CGROUP_TEST(test_cgroup),
		CGROUP_TEST(test_cgroup_hidden),
		TEST(test_long_name),
		TEST(test_no_privilege),
	};
	int probe = load(BPF_PROG_TYPE_XDP, 0, "t_probe", XDP_PASS);

	if (probe < 0) {
		printf("skipped: no eBPF program can be loaded here: %s\n", strerror(errno));
		return 77;
	}
	close(probe);
	return netns_main(tests, sizeof(tests) / sizeof(tests[0]));
}
