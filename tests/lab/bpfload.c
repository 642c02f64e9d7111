/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * bpfload: tiny eBPF programs that stop or turn one TCP port, for the lab. It
 * needs no compiler for eBPF, no libbpf and no bpffs.
 *
 *     bpfload [-d] MODE TARGET [--port N] [--to ADDRESS:PORT] [--name NAME] [--pass]
 *
 * MODE                       TARGET
 *   tc-egress, tc-ingress      interface: filter of tc on clsact, direct-action
 *   tcx-egress, tcx-ingress    interface (Linux 6.6)
 *   xdp                        interface, generic (skb) mode
 *   cgroup-egress, cgroup-ingress   folder of a cgroup (version 2)
 *   cgroup-connect             the same: connect() gives EPERM
 *   rewrite-connect            the same: connect() goes to --to (127.0.0.1 or ::1, same port)
 *   lsm-connect                the same, by BPF LSM: connect() gives EPERM (Linux 6.0, lsm=...,bpf)
 *
 * Egress programs and connect look at the destination port, ingress ones (xdp
 * too) at the source port: what a client sends to N, and what comes back.
 * --pass: a program that lets everything pass. --name: of the program.
 *
 * What it attaches stays when it ends: until the interface or the cgroup goes,
 * or -d takes every program of that mode and name away. Prints "id N". Exit
 * status: 0; 1 failed; 77 this kernel has no such thing.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SKIP 77

/* Younger than some systems' headers. */
#define ATTACH_TCX_INGRESS 46
#define ATTACH_TCX_EGRESS  47
#define ATTACH_LSM_CGROUP  43

struct options {
	const char *mode, *target;
	uint16_t port, to_port;
	struct in_addr to4;
	struct in6_addr to6;
	bool has_to4, has_to6;
	char name[BPF_OBJ_NAME_LEN];
	bool pass, detach;
};

__attribute__((noreturn, format(printf, 2, 3))) static void die(int status, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "bpfload: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	exit(status);
}

static int sys_bpf(enum bpf_cmd cmd, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

/* ---- assembling ---- */

/* A program under construction. Jumps to LABEL_* are patched at the end. */
struct code {
	struct bpf_insn insns[128];
	unsigned n;
	int labels[4]; /* instruction index, -1: none yet */
	struct {
		unsigned at;
		int label;
	} jumps[32];
	unsigned n_jumps;
};

enum { LABEL_PASS, LABEL_STOP, LABEL_V6, LABEL_TCP };

static void insn(struct code *c, uint8_t op, uint8_t dst, uint8_t src, int16_t off, int32_t imm)
{
	c->insns[c->n++] = (struct bpf_insn){
		.code = op, .dst_reg = dst & 15, .src_reg = src & 15, .off = off, .imm = imm};
}

static void mov(struct code *c, uint8_t dst, int32_t imm)
{
	insn(c, BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, imm);
}

static void mov_reg(struct code *c, uint8_t dst, uint8_t src)
{
	insn(c, BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0);
}

static void alu(struct code *c, uint8_t op, uint8_t dst, int32_t imm)
{
	insn(c, BPF_ALU64 | op | BPF_K, dst, 0, 0, imm);
}

static void load(struct code *c, uint8_t size, uint8_t dst, uint8_t src, int off)
{
	insn(c, BPF_LDX | BPF_MEM | size, dst, src, (int16_t)off, 0);
}

static void jump(struct code *c, uint8_t op, uint8_t dst, int32_t imm, int label)
{
	c->jumps[c->n_jumps].at = c->n;
	c->jumps[c->n_jumps++].label = label;
	insn(c, BPF_JMP | op | BPF_K, dst, 0, 0, imm);
}

static void jump_reg(struct code *c, uint8_t op, uint8_t dst, uint8_t src, int label)
{
	c->jumps[c->n_jumps].at = c->n;
	c->jumps[c->n_jumps++].label = label;
	insn(c, BPF_JMP | op | BPF_X, dst, src, 0, 0);
}

static void set_label(struct code *c, int which)
{
	c->labels[which] = (int)c->n;
}

static bool jumps_to(const struct code *c, int label)
{
	for (unsigned i = 0; i < c->n_jumps; i++)
		if (c->jumps[i].label == label)
			return true;
	return false;
}

/* The two ends: pass and stop with these return values. */
static void finish(struct code *c, int pass, int stop)
{
	set_label(c, LABEL_PASS);
	mov(c, BPF_REG_0, pass);
	insn(c, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	set_label(c, LABEL_STOP);
	if (jumps_to(c, LABEL_STOP)) { /* the verifier takes no dead code */
		mov(c, BPF_REG_0, stop);
		insn(c, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	}
	for (unsigned i = 0; i < c->n_jumps; i++) {
		unsigned at = c->jumps[i].at;
		c->insns[at].off = (int16_t)(c->labels[c->jumps[i].label] - (int)at - 1);
	}
}

/* size bytes at `offset` (or register r8 + offset) of the network header to the stack; passes
 * what is shorter. */
static void load_packet(struct code *c, bool from_r8, int offset, int size)
{
	mov_reg(c, BPF_REG_1, BPF_REG_6);
	if (from_r8)
		mov_reg(c, BPF_REG_2, BPF_REG_8);
	else
		mov(c, BPF_REG_2, 0);
	alu(c, BPF_ADD, BPF_REG_2, offset);
	mov_reg(c, BPF_REG_3, BPF_REG_10);
	alu(c, BPF_ADD, BPF_REG_3, -8);
	mov(c, BPF_REG_4, size);
	mov(c, BPF_REG_5, BPF_HDR_START_NET);
	insn(c, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_skb_load_bytes_relative);
	jump(c, BPF_JNE, BPF_REG_0, 0, LABEL_PASS);
	load(c, size == 2 ? BPF_H : BPF_B, BPF_REG_7, BPF_REG_10, -8);
}

/* tc, tcx, cgroup skb */
static void skb_program(struct code *c, const struct options *o, bool egress, int pass, int stop)
{
	if (o->pass) {
		finish(c, pass, pass);
		return;
	}
	mov_reg(c, BPF_REG_6, BPF_REG_1);
	load(c, BPF_W, BPF_REG_7, BPF_REG_6, offsetof(struct __sk_buff, protocol));
	jump(c, BPF_JEQ, BPF_REG_7, htons(ETH_P_IPV6), LABEL_V6);
	jump(c, BPF_JNE, BPF_REG_7, htons(ETH_P_IP), LABEL_PASS);
	load_packet(c, false, 9, 1);
	jump(c, BPF_JNE, BPF_REG_7, IPPROTO_TCP, LABEL_PASS);
	load_packet(c, false, 0, 1);
	alu(c, BPF_AND, BPF_REG_7, 15);
	alu(c, BPF_LSH, BPF_REG_7, 2);
	mov_reg(c, BPF_REG_8, BPF_REG_7);
	jump(c, BPF_JA, 0, 0, LABEL_TCP);
	set_label(c, LABEL_V6);
	load_packet(c, false, 6, 1);
	jump(c, BPF_JNE, BPF_REG_7, IPPROTO_TCP, LABEL_PASS);
	mov(c, BPF_REG_8, 40);
	set_label(c, LABEL_TCP);
	load_packet(c, true, egress ? 2 : 0, 2);
	jump(c, BPF_JEQ, BPF_REG_7, htons(o->port), LABEL_STOP);
	finish(c, pass, stop);
}

/* Ethernet frames only. */
static void xdp_program(struct code *c, const struct options *o)
{
	if (o->pass) {
		finish(c, XDP_PASS, XDP_PASS);
		return;
	}
	load(c, BPF_W, BPF_REG_2, BPF_REG_1, offsetof(struct xdp_md, data));
	load(c, BPF_W, BPF_REG_3, BPF_REG_1, offsetof(struct xdp_md, data_end));
	mov_reg(c, BPF_REG_4, BPF_REG_2);
	alu(c, BPF_ADD, BPF_REG_4, 14 + 20);
	jump_reg(c, BPF_JGT, BPF_REG_4, BPF_REG_3, LABEL_PASS);
	load(c, BPF_H, BPF_REG_7, BPF_REG_2, 12);
	jump(c, BPF_JEQ, BPF_REG_7, htons(ETH_P_IPV6), LABEL_V6);
	jump(c, BPF_JNE, BPF_REG_7, htons(ETH_P_IP), LABEL_PASS);
	load(c, BPF_B, BPF_REG_7, BPF_REG_2, 14 + 9);
	jump(c, BPF_JNE, BPF_REG_7, IPPROTO_TCP, LABEL_PASS);
	load(c, BPF_B, BPF_REG_8, BPF_REG_2, 14);
	alu(c, BPF_AND, BPF_REG_8, 15);
	alu(c, BPF_LSH, BPF_REG_8, 2);
	jump(c, BPF_JA, 0, 0, LABEL_TCP);
	set_label(c, LABEL_V6);
	load(c, BPF_B, BPF_REG_7, BPF_REG_2, 14 + 6);
	jump(c, BPF_JNE, BPF_REG_7, IPPROTO_TCP, LABEL_PASS);
	mov(c, BPF_REG_8, 40);
	set_label(c, LABEL_TCP);
	insn(c, BPF_ALU64 | BPF_ADD | BPF_X, BPF_REG_2, BPF_REG_8, 0, 0);
	alu(c, BPF_ADD, BPF_REG_2, 14);
	mov_reg(c, BPF_REG_4, BPF_REG_2);
	alu(c, BPF_ADD, BPF_REG_4, 2);
	jump_reg(c, BPF_JGT, BPF_REG_4, BPF_REG_3, LABEL_PASS);
	load(c, BPF_H, BPF_REG_7, BPF_REG_2, 0);
	jump(c, BPF_JEQ, BPF_REG_7, htons(o->port), LABEL_STOP);
	finish(c, XDP_PASS, XDP_DROP);
}

/* connect4, connect6: 1 lets pass, 0 is EPERM */
static void connect_program(struct code *c, const struct options *o, bool v6, bool rewrite)
{
	if (!o->pass) {
		load(c, BPF_W, BPF_REG_7, BPF_REG_1, offsetof(struct bpf_sock_addr, user_port));
		jump(c, rewrite ? BPF_JNE : BPF_JEQ, BPF_REG_7, htons(o->port),
		     rewrite ? LABEL_PASS : LABEL_STOP);
	}
	if (!o->pass && rewrite) {
		uint16_t port = o->to_port ? o->to_port : o->port;
		uint32_t words[4];
		int n = v6 ? 4 : 1;
		size_t at = v6 ? offsetof(struct bpf_sock_addr, user_ip6)
			       : offsetof(struct bpf_sock_addr, user_ip4);
		memcpy(words, v6 ? (const void *)&o->to6 : (const void *)&o->to4,
		       sizeof(uint32_t) * (size_t)n);
		for (int i = 0; i < n; i++) {
			mov(c, BPF_REG_2, (int32_t)words[i]);
			insn(c, BPF_STX | BPF_MEM | BPF_W, BPF_REG_1, BPF_REG_2,
			     (int16_t)(at + 4 * (size_t)i), 0);
		}
		mov(c, BPF_REG_2, htons(port));
		insn(c, BPF_STX | BPF_MEM | BPF_W, BPF_REG_1, BPF_REG_2,
		     offsetof(struct bpf_sock_addr, user_port), 0);
	}
	finish(c, 1, 0);
}

/* socket_connect(sock, address, addrlen): the port is in sa_data[0..1], in v4 and v6 alike. In a
 * cgroup 1 lets pass, 0 is EPERM. */
static void lsm_program(struct code *c, const struct options *o)
{
	if (!o->pass) {
		load(c, BPF_DW, BPF_REG_2, BPF_REG_1, 8);
		load(c, BPF_B, BPF_REG_3, BPF_REG_2, 2);
		load(c, BPF_B, BPF_REG_4, BPF_REG_2, 3);
		jump(c, BPF_JNE, BPF_REG_3, o->port >> 8, LABEL_PASS);
		jump(c, BPF_JEQ, BPF_REG_4, o->port & 255, LABEL_STOP);
	}
	finish(c, 1, 0);
}

static int load_program(const struct code *c, const struct options *o, enum bpf_prog_type type,
			unsigned attach_type, uint32_t btf_id)
{
	static char log[65536];
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = type;
	attr.insns = (uintptr_t)c->insns;
	attr.insn_cnt = c->n;
	attr.license = (uintptr_t) "GPL";
	attr.expected_attach_type = attach_type;
	attr.attach_btf_id = btf_id;
	memcpy(attr.prog_name, o->name, sizeof(o->name));
	int fd = sys_bpf(BPF_PROG_LOAD, &attr);
	if (fd >= 0)
		return fd;
	int error = errno;
	attr.log_buf = (uintptr_t)log;
	attr.log_size = sizeof(log);
	attr.log_level = 1;
	if (sys_bpf(BPF_PROG_LOAD, &attr) < 0)
		fprintf(stderr, "%s", log);
	/* EPERM: root, but a kernel that was made to take no program of this type */
	bool lacks = error == EINVAL || error == EOPNOTSUPP || (error == EPERM && geteuid() == 0);
	die(lacks ? SKIP : 1, "load: %s", strerror(error));
}

static struct bpf_prog_info program_info(int fd)
{
	struct bpf_prog_info info;
	union bpf_attr attr;

	memset(&info, 0, sizeof(info));
	memset(&attr, 0, sizeof(attr));
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof(info);
	attr.info.info = (uintptr_t)&info;
	if (sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) != 0)
		die(1, "info: %s", strerror(errno));
	return info;
}

/* ---- netlink ---- */

struct request {
	struct nlmsghdr header;
	char body[512];
};

static void put(struct request *r, const void *data, size_t len)
{
	memcpy((char *)r + NLMSG_ALIGN(r->header.nlmsg_len), data, len);
	r->header.nlmsg_len = (uint32_t)(NLMSG_ALIGN(r->header.nlmsg_len) + len);
}

static struct rtattr *put_attr(struct request *r, int type, const void *data, size_t len)
{
	struct rtattr a = {.rta_len = (unsigned short)RTA_LENGTH(len),
			   .rta_type = (unsigned short)type};
	struct rtattr *at = (struct rtattr *)((char *)r + NLMSG_ALIGN(r->header.nlmsg_len));

	put(r, &a, sizeof(a));
	put(r, data, len);
	return at;
}

static void end_nest(struct request *r, struct rtattr *nest)
{
	nest->rta_len =
		(unsigned short)((char *)r + NLMSG_ALIGN(r->header.nlmsg_len) - (char *)nest);
}

/* 0 or the kernel's errno. */
static int ask(struct request *r, int type, int flags)
{
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char rest[4096];
	} answer;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	r->header.nlmsg_type = (uint16_t)type;
	r->header.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	if (fd < 0 || send(fd, r, r->header.nlmsg_len, 0) < 0 ||
	    recv(fd, &answer, sizeof(answer), 0) < (ssize_t)(NLMSG_HDRLEN + sizeof(int)))
		die(1, "netlink: %s", strerror(errno));
	close(fd);
	return -answer.error.error;
}

static struct request tc_request(int ifindex, uint32_t parent, uint32_t handle, uint32_t info)
{
	struct request r = {.header = {.nlmsg_len = NLMSG_HDRLEN}};
	struct tcmsg m = {.tcm_ifindex = ifindex,
			  .tcm_parent = parent,
			  .tcm_handle = handle,
			  .tcm_info = info};

	put(&r, &m, sizeof(m));
	return r;
}

#define TC_PREF 7

static uint32_t tc_parent(bool egress)
{
	return TC_H_MAKE(TC_H_CLSACT, egress ? TC_H_MIN_EGRESS : TC_H_MIN_INGRESS);
}

static void tc_attach(int ifindex, bool egress, int fd, const char *name)
{
	struct request r = tc_request(ifindex, TC_H_CLSACT, TC_H_MAKE(TC_H_CLSACT, 0), 0);
	uint32_t flags = TCA_BPF_FLAG_ACT_DIRECT, program = (uint32_t)fd;

	put_attr(&r, TCA_KIND, "clsact", sizeof("clsact"));
	int error = ask(&r, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL);
	if (error && error != EEXIST)
		die(SKIP, "clsact: %s", strerror(error));
	r = tc_request(ifindex, tc_parent(egress), 1,
		       TC_H_MAKE((uint32_t)TC_PREF << 16, htons(ETH_P_ALL)));
	put_attr(&r, TCA_KIND, "bpf", sizeof("bpf"));
	struct rtattr *nest = put_attr(&r, TCA_OPTIONS, "", 0);
	put_attr(&r, TCA_BPF_FD, &program, sizeof(program));
	put_attr(&r, TCA_BPF_NAME, name, strlen(name) + 1);
	put_attr(&r, TCA_BPF_FLAGS, &flags, sizeof(flags));
	end_nest(&r, nest);
	error = ask(&r, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL);
	if (error)
		die(error == ENOENT ? SKIP : 1, "filter: %s", strerror(error));
}

static void tc_detach(int ifindex, bool egress)
{
	struct request r = tc_request(ifindex, tc_parent(egress), 0,
				      TC_H_MAKE((uint32_t)TC_PREF << 16, htons(ETH_P_ALL)));
	int error;

	put_attr(&r, TCA_KIND, "bpf", sizeof("bpf"));
	error = ask(&r, RTM_DELTFILTER, 0);
	if (error)
		die(1, "filter: %s", strerror(error));
}

/* fd -1 takes it away */
static void xdp_attach(int ifindex, int fd)
{
	struct request r = {.header = {.nlmsg_len = NLMSG_HDRLEN}};
	struct ifinfomsg m = {.ifi_index = ifindex};
	uint32_t flags = XDP_FLAGS_SKB_MODE;

	put(&r, &m, sizeof(m));
	struct rtattr *nest = put_attr(&r, IFLA_XDP | NLA_F_NESTED, "", 0);
	put_attr(&r, IFLA_XDP_FD, &fd, sizeof(fd));
	put_attr(&r, IFLA_XDP_FLAGS, &flags, sizeof(flags));
	end_nest(&r, nest);
	int error = ask(&r, RTM_SETLINK, 0);
	if (error)
		die(1, "xdp: %s", strerror(error));
}

/* ---- bpf(2) attachment ---- */

static void attach(int target, int fd, unsigned type, unsigned flags)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.target_fd = (uint32_t)target;
	attr.attach_bpf_fd = (uint32_t)fd;
	attr.attach_type = type;
	attr.attach_flags = flags;
	if (sys_bpf(BPF_PROG_ATTACH, &attr) != 0)
		die(errno == EINVAL || errno == EOPNOTSUPP ? SKIP : 1, "attach: %s",
		    strerror(errno));
}

static void detach_named(int target, unsigned type, const char *name)
{
	uint32_t ids[64], flags[64];
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.query.target_fd = (uint32_t)target;
	attr.query.attach_type = type;
	attr.query.prog_ids = (uintptr_t)ids;
	attr.query.prog_cnt = 64;
	if (type == ATTACH_LSM_CGROUP) /* which insists */
		attr.query.prog_attach_flags = (uintptr_t)flags;
	if (sys_bpf(BPF_PROG_QUERY, &attr) != 0)
		die(1, "query: %s", strerror(errno));
	unsigned n = attr.query.prog_cnt;
	for (unsigned i = 0; i < n; i++) {
		memset(&attr, 0, sizeof(attr));
		attr.prog_id = ids[i];
		int fd = sys_bpf(BPF_PROG_GET_FD_BY_ID, &attr);
		if (fd < 0 || strcmp(program_info(fd).name, name) != 0)
			continue;
		memset(&attr, 0, sizeof(attr));
		attr.target_fd = (uint32_t)target;
		attr.attach_bpf_fd = (uint32_t)fd;
		attr.attach_type = type;
		if (sys_bpf(BPF_PROG_DETACH, &attr) != 0)
			die(1, "detach: %s", strerror(errno));
		close(fd);
	}
}

/* Id of the kernel function `name` in the kernel's own BTF; 0: none. */
static uint32_t btf_function(const char *name)
{
	static char raw[16 << 20];
	int fd = open("/sys/kernel/btf/vmlinux", O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;

	while (fd >= 0 && len < sizeof(raw) && (n = read(fd, raw + len, sizeof(raw) - len)) > 0)
		len += (size_t)n;
	if (fd >= 0)
		close(fd);
	if (len < 24)
		return 0;
	const uint32_t *h = (const uint32_t *)(const void *)raw; /* magic.., hdr_len, type_off... */
	uint32_t hdr = h[1], type_off = h[2], type_len = h[3], str_off = h[4];
	const char *p = raw + hdr + type_off, *end = p + type_len, *strings = raw + hdr + str_off;
	for (uint32_t id = 1; p + 12 <= end; id++) {
		const uint32_t *t = (const uint32_t *)(const void *)p;
		uint32_t kind = t[1] >> 24 & 31, vlen = t[1] & 0xffff;
		static const uint8_t fixed[32] = {[1] = 4, [3] = 12, [14] = 4, [17] = 4};
		static const uint8_t each[32] = {
			[4] = 12, [5] = 12, [6] = 8, [13] = 8, [15] = 12, [19] = 12};
		if (kind == 12 && strcmp(strings + t[0], name) == 0)
			return id;
		p += 12 + fixed[kind] + each[kind] * vlen;
	}
	return 0;
}

/* ---- modes ---- */

enum target { IFACE, CGROUP };
enum how { BY_TC, BY_XDP, BY_ATTACH };

struct mode {
	const char *name;
	enum target target;
	enum how how;
	enum bpf_prog_type type;
	unsigned attach; /* enum bpf_attach_type */
	bool egress, v6, rewrite;
};

/* Modes of the same name are done one after the other. */
static const struct mode modes[] = {
	{"tc-egress", IFACE, BY_TC, BPF_PROG_TYPE_SCHED_CLS, 0, .egress = true},
	{"tc-ingress", IFACE, BY_TC, BPF_PROG_TYPE_SCHED_CLS, 0, .egress = false},
	{"tcx-egress", IFACE, BY_ATTACH, BPF_PROG_TYPE_SCHED_CLS, ATTACH_TCX_EGRESS,
	 .egress = true},
	{"tcx-ingress", IFACE, BY_ATTACH, BPF_PROG_TYPE_SCHED_CLS, ATTACH_TCX_INGRESS,
	 .egress = false},
	{"xdp", IFACE, BY_XDP, BPF_PROG_TYPE_XDP, 0, .egress = false},
	{"cgroup-egress", CGROUP, BY_ATTACH, BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS,
	 .egress = true},
	{"cgroup-ingress", CGROUP, BY_ATTACH, BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_INGRESS,
	 .egress = false},
	{"cgroup-connect", CGROUP, BY_ATTACH, BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
	 BPF_CGROUP_INET4_CONNECT, .v6 = false},
	{"cgroup-connect", CGROUP, BY_ATTACH, BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
	 BPF_CGROUP_INET6_CONNECT, .v6 = true},
	{"rewrite-connect", CGROUP, BY_ATTACH, BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
	 BPF_CGROUP_INET4_CONNECT, .rewrite = true},
	{"rewrite-connect", CGROUP, BY_ATTACH, BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
	 BPF_CGROUP_INET6_CONNECT, .v6 = true, .rewrite = true},
	{"lsm-connect", CGROUP, BY_ATTACH, BPF_PROG_TYPE_LSM, ATTACH_LSM_CGROUP, .v6 = false},
};

static int make_program(const struct mode *m, const struct options *o)
{
	struct code c = {.labels = {-1, -1, -1, -1}};
	uint32_t btf_id = 0;

	switch ((int)m->type) {
	case BPF_PROG_TYPE_SCHED_CLS: skb_program(&c, o, m->egress, -1, TC_ACT_SHOT); break;
	case BPF_PROG_TYPE_CGROUP_SKB: skb_program(&c, o, m->egress, 1, 0); break;
	case BPF_PROG_TYPE_XDP: xdp_program(&c, o); break;
	case BPF_PROG_TYPE_LSM:
		lsm_program(&c, o);
		btf_id = btf_function("bpf_lsm_socket_connect");
		if (!btf_id)
			die(SKIP, "no BTF of bpf_lsm_socket_connect");
		break;
	default: connect_program(&c, o, m->v6, m->rewrite);
	}
	return load_program(&c, o, m->type, m->attach, btf_id);
}

static int open_target(const struct mode *m, const char *name)
{
	int target = m->target == IFACE ? (int)if_nametoindex(name)
					: open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (target < 0 || (m->target == IFACE && target == 0))
		die(1, "%s: %s", name, strerror(errno));
	return target;
}

static void run(const struct mode *m, const struct options *o)
{
	int target = open_target(m, o->target);

	if (o->detach) {
		switch (m->how) {
		case BY_TC: tc_detach(target, m->egress); break;
		case BY_XDP: xdp_attach(target, -1); break;
		case BY_ATTACH: detach_named(target, m->attach, o->name); break;
		}
		return;
	}
	int fd = make_program(m, o);
	switch (m->how) {
	case BY_TC: tc_attach(target, m->egress, fd, o->name); break;
	case BY_XDP: xdp_attach(target, fd); break;
	case BY_ATTACH:
		attach(target, fd, m->attach, m->target == CGROUP ? BPF_F_ALLOW_MULTI : 0);
		break;
	}
	printf("id %u\n", program_info(fd).id);
}

static void parse_to(struct options *o, const char *text)
{
	char copy[80];
	char *colon;

	snprintf(copy, sizeof(copy), "%s", text);
	colon = strrchr(copy, ':');
	if (!colon)
		die(1, "--to ADDRESS:PORT");
	*colon = '\0';
	o->to_port = (uint16_t)atoi(colon + 1);
	if (inet_pton(AF_INET, copy, &o->to4) == 1)
		o->has_to4 = true;
	else if (inet_pton(AF_INET6, copy, &o->to6) == 1)
		o->has_to6 = true;
	else
		die(1, "--to: %s is no address", copy);
}

static struct options parse(int argc, char **argv)
{
	struct options o = {.port = 25, .name = "smtp_guard"};
	int i = 1;

	o.to4.s_addr = htonl(INADDR_LOOPBACK);
	o.to6 = in6addr_loopback;
	if (i < argc && strcmp(argv[i], "-d") == 0) {
		o.detach = true;
		i++;
	}
	if (argc - i < 2)
		die(1, "usage: bpfload [-d] MODE TARGET [--port N] [--to ADDRESS:PORT] "
		       "[--name NAME] [--pass]");
	o.mode = argv[i++];
	o.target = argv[i++];
	for (; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;
		if (strcmp(argv[i], "--pass") == 0) {
			o.pass = true;
			continue;
		}
		if (!value)
			die(1, "%s needs a value", argv[i]);
		if (strcmp(argv[i], "--port") == 0)
			o.port = (uint16_t)atoi(value);
		else if (strcmp(argv[i], "--name") == 0)
			snprintf(o.name, sizeof(o.name), "%s", value);
		else if (strcmp(argv[i], "--to") == 0)
			parse_to(&o, value);
		else
			die(1, "unknown option %s", argv[i]);
		i++;
	}
	return o;
}

int main(int argc, char **argv)
{
	struct options o = parse(argc, argv);
	bool found = false;

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		const struct mode *m = &modes[i];
		if (strcmp(m->name, o.mode) != 0)
			continue;
		found = true;
		if (m->rewrite && ((m->v6 && o.has_to4) || (!m->v6 && o.has_to6)))
			continue; /* --to is of the other family */
		run(m, &o);
	}
	if (!found)
		die(1, "unknown mode %s", o.mode);
	return 0;
}
