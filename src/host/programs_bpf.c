/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * bpf(2), without libbpf, so that every build has it: programs on the cgroup of
 * this process and its ancestors, on tcx, as BPF LSM and in netfilter.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/bpf.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/arena.h"
#include "host/programs_private.h"

/* Younger than the headers of some systems that this is built on. */
#define PROG_TYPE_NETFILTER 32
#define ATTACH_LSM_CGROUP   43
#define ATTACH_TCX_INGRESS  46
#define ATTACH_TCX_EGRESS   47
#define LINK_TYPE_NETFILTER 10

#define PROGRAMS_MAX  64   /* on one hook: as many as the kernel allows */
#define LINKS_MAX     4096 /* looked at */
#define BTF_MAX       (64 << 20)
#define DEPTH_MAX     64 /* of the cgroup tree */
#define ANCESTORS_MAX 32 /* of this process */

static int sys_bpf(enum bpf_cmd cmd, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

/* ---- information by descriptor ---- */

static int open_id(enum bpf_cmd cmd, uint32_t id)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_id = id; /* the same place for a link's and a BTF object's */
	return sys_bpf(cmd, &attr);
}

static int get_info(int fd, void *info, uint32_t size)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = size;
	attr.info.info = (uintptr_t)info;
	return sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr);
}

static bool program_info(uint32_t id, struct bpf_prog_info *info)
{
	int fd = open_id(BPF_PROG_GET_FD_BY_ID, id);

	memset(info, 0, sizeof(*info));
	bool ok = fd >= 0 && get_info(fd, info, sizeof(*info)) == 0;
	if (fd >= 0)
		close(fd);
	return ok;
}

/* ---- names in type information (BTF) ---- */

/* Bytes behind the common head of a type of this kind with so many members; linux/btf.h. -1:
 * a kind that isn't known here. */
static long btf_rest(unsigned kind, unsigned members)
{
	switch (kind) {
	case 1:
	case 14:
	case 17: return 4; /* INT, VAR, DECL_TAG */
	case 2:
	case 7:
	case 8:
	case 9:
	case 10:
	case 11:
	case 12:
	case 16:
	case 18: return 0; /* PTR, FWD, ... FUNC, FLOAT, TYPE_TAG */
	case 3: return 12; /* ARRAY */
	case 4:
	case 5:
	case 15:
	case 19: /* STRUCT, UNION, DATASEC, ENUM64 */ return 12L * members;
	case 6:
	case 13: return 8L * members; /* ENUM, FUNC_PROTO */
	default: return -1;
	}
}

static void btf_find_name(const char *raw, size_t len, uint32_t base, uint32_t want, char *out,
			  size_t size)
{
	uint32_t h[6]; /* magic and flags, hdr_len, type_off, type_len, str_off, str_len */

	if (len < sizeof(h))
		return;
	memcpy(h, raw, sizeof(h));
	size_t at = (size_t)h[1] + h[2], end = at + h[3], strings = (size_t)h[1] + h[4];
	if (end > len || strings + h[5] > len)
		return;
	for (uint32_t id = base; at + 12 <= end; id++) {
		uint32_t t[3];
		memcpy(t, raw + at, sizeof(t));
		if (id == want && t[0] < h[5])
			watch_text(out, size, raw + strings + t[0],
				   strnlen(raw + strings + t[0], h[5] - t[0]));
		long rest = btf_rest(t[1] >> 24 & 31, t[1] & 0xffff);
		if (id == want || rest < 0)
			return;
		at += 12 + (size_t)rest;
	}
}

/* Name of a type of a BTF object of the kernel's; leaves out as it is when there is none. */
static void btf_name(uint32_t object, uint32_t type, char *out, size_t size)
{
	struct bpf_btf_info info = {0};
	int fd = object && type ? open_id(BPF_BTF_GET_FD_BY_ID, object) : -1;
	char *raw = NULL;

	if (fd < 0)
		return;
	if (get_info(fd, &info, sizeof(info)) == 0 && info.btf_size && info.btf_size <= BTF_MAX) {
		uint32_t len = info.btf_size;
		raw = xcalloc(1, len);
		info = (struct bpf_btf_info){.btf = (uintptr_t)raw, .btf_size = len};
		if (get_info(fd, &info, sizeof(info)) == 0 && info.btf_size <= len)
			btf_find_name(raw, info.btf_size, 1, type, out, size);
	}
	free(raw);
	close(fd);
}

/* The kernel keeps 15 characters of a name; the type of the program's function has it whole. */
static void whole_name(uint32_t id, const struct bpf_prog_info *info, char *out, size_t size)
{
	struct bpf_prog_info more = {.nr_func_info = 1,
				     .func_info_rec_size = info->func_info_rec_size};
	struct {
		uint32_t offset, type;
		uint8_t rest[56];
	} function = {0};
	char whole[RECORD_NAME_MAX] = "";
	size_t len = strnlen(info->name, sizeof(info->name));

	if (len < BPF_OBJ_NAME_LEN - 1 || info->nr_func_info == 0 || info->func_info_rec_size < 8 ||
	    info->func_info_rec_size > sizeof(function))
		return;
	more.func_info = (uintptr_t)&function;
	int fd = open_id(BPF_PROG_GET_FD_BY_ID, id);
	if (fd < 0)
		return;
	if (get_info(fd, &more, sizeof(more)) == 0)
		btf_name(info->btf_id, function.type, whole, sizeof(whole));
	close(fd);
	if (strncmp(whole, info->name, len) == 0)
		snprintf(out, size, "%s", whole);
}

/* ---- words ---- */

/* As bpftool calls them. */
static const char *type_name(uint32_t type)
{
	switch (type) {
	case BPF_PROG_TYPE_SCHED_CLS: return "sched_cls";
	case BPF_PROG_TYPE_SCHED_ACT: return "sched_act";
	case BPF_PROG_TYPE_XDP: return "xdp";
	case BPF_PROG_TYPE_CGROUP_SKB: return "cgroup_skb";
	case BPF_PROG_TYPE_CGROUP_SOCK: return "cgroup_sock";
	case BPF_PROG_TYPE_SOCK_OPS: return "sock_ops";
	case BPF_PROG_TYPE_CGROUP_SOCK_ADDR: return "cgroup_sock_addr";
	case BPF_PROG_TYPE_EXT: return "ext";
	case BPF_PROG_TYPE_LSM: return "lsm";
	case PROG_TYPE_NETFILTER: return "netfilter";
	default: return "bpf";
	}
}

static void say_denied(struct programs_look *l, const char *what, const char *capability)
{
	if (!l->denied)
		watch_not_looked(l->emit, l->arg, HOST_LOOK_PROGRAMS, "%s: %s is missing", what,
				 capability);
	l->denied = true;
}

/* What `bpftool prog show id N` begins with. */
static void describe(struct programs_look *l, uint32_t id, struct bpf_prog_info *info,
		     struct host_program *p)
{
	char tag[2 * BPF_TAG_SIZE + 1] = "", name[RECORD_NAME_MAX] = "";

	p->id = id;
	p->bpf = true;
	if (!program_info(id, info)) {
		if (errno == EPERM)
			say_denied(l, "names of eBPF programs", "CAP_SYS_ADMIN");
		snprintf(p->text, sizeof(p->text), "%u: eBPF program", id);
		return;
	}
	for (int i = 0; i < BPF_TAG_SIZE; i++)
		snprintf(tag + 2 * i, 3, "%02x", info->tag[i]);
	watch_text(name, sizeof(name), info->name, strnlen(info->name, sizeof(info->name)));
	whole_name(id, info, name, sizeof(name));
	memcpy(p->name, name, sizeof(p->name));
	snprintf(p->text, sizeof(p->text), "%u: %s%s%s tag %s%s", id, type_name(info->type),
		 name[0] ? " name " : "", name, tag, info->gpl_compatible ? " gpl" : "");
}

void programs_describe(struct programs_look *l, uint32_t id, struct host_program *p)
{
	struct bpf_prog_info info;

	if (id)
		describe(l, id, &info, p);
}

/* "bpf_lsm_socket_connect" and others that see a TCP connection; what a program does to files is
 * no matter of ours. */
static bool sees_connections(const char *hook)
{
	static const char *const prefixes[] = {"bpf_lsm_socket_", "bpf_lsm_sk_",
					       "bpf_lsm_inet_conn", "bpf_lsm_xfrm_"};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (strncmp(hook, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return hook[0] == '\0'; /* unknown */
}

/* The LSM hook of a program, behind its text; false: it does not concern us. */
static bool add_lsm_hook(const struct bpf_prog_info *info, struct host_program *p)
{
	char hook[RECORD_NAME_MAX] = "";
	size_t len = strlen(p->text);

	btf_name(info->attach_btf_obj_id, info->attach_btf_id, hook, sizeof(hook));
	if (!sees_connections(hook))
		return false;
	if (hook[0])
		snprintf(p->text + len, sizeof(p->text) - len, " on %s", hook);
	return true;
}

/* ---- queries ---- */

struct program_ids {
	uint32_t ids[PROGRAMS_MAX];
	unsigned n;
};

/* -1 with errno */
static int query(int target, unsigned type, unsigned flags, struct program_ids *out)
{
	uint32_t attach_flags[PROGRAMS_MAX];
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.query.target_fd = (uint32_t)target; /* or an interface's index: the same place */
	attr.query.attach_type = type;
	attr.query.query_flags = flags;
	attr.query.prog_ids = (uintptr_t)out->ids;
	attr.query.prog_cnt = PROGRAMS_MAX;
	if (type == ATTACH_LSM_CGROUP && !(flags & BPF_F_QUERY_EFFECTIVE)) /* which insists */
		attr.query.prog_attach_flags = (uintptr_t)attach_flags;
	out->n = 0;
	int rc = sys_bpf(BPF_PROG_QUERY, &attr);
	if (rc != 0 && errno != ENOSPC)
		return rc;
	/* ENOSPC: there are more than fit; those that fit are there */
	out->n = attr.query.prog_cnt < PROGRAMS_MAX ? attr.query.prog_cnt : PROGRAMS_MAX;
	return 0;
}

static bool contains(const struct program_ids *p, uint32_t id)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->ids[i] == id)
			return true;
	return false;
}

/* ---- cgroup ---- */

static const struct {
	unsigned type;
	enum program_hook hook;
	uint8_t family; /* enum addr_family; ADDR_NONE: both */
	const char *name;
} attach_points[] = {
	{BPF_CGROUP_INET4_CONNECT, PROG_CGROUP_CONNECT, ADDR_V4, "cgroup_inet4_connect"},
	{BPF_CGROUP_INET6_CONNECT, PROG_CGROUP_CONNECT, ADDR_V6, "cgroup_inet6_connect"},
	{BPF_CGROUP_INET_EGRESS, PROG_CGROUP_EGRESS, ADDR_NONE, "cgroup_inet_egress"},
	{BPF_CGROUP_INET_INGRESS, PROG_CGROUP_INGRESS, ADDR_NONE, "cgroup_inet_ingress"},
	{BPF_CGROUP_INET_SOCK_CREATE, PROG_CGROUP_SOCK, ADDR_NONE, "cgroup_inet_sock_create"},
	{BPF_CGROUP_INET4_BIND, PROG_CGROUP_SOCK, ADDR_V4, "cgroup_inet4_bind"},
	{BPF_CGROUP_INET6_BIND, PROG_CGROUP_SOCK, ADDR_V6, "cgroup_inet6_bind"},
	{BPF_CGROUP_INET4_POST_BIND, PROG_CGROUP_SOCK, ADDR_V4, "cgroup_inet4_post_bind"},
	{BPF_CGROUP_INET6_POST_BIND, PROG_CGROUP_SOCK, ADDR_V6, "cgroup_inet6_post_bind"},
	{BPF_CGROUP_SOCK_OPS, PROG_CGROUP_SOCK, ADDR_NONE, "cgroup_sock_ops"},
	{ATTACH_LSM_CGROUP, PROG_LSM, ADDR_NONE, "lsm_cgroup"},
};

#define N_ATTACH_POINTS (sizeof(attach_points) / sizeof(attach_points[0]))

/* This process' place in the tree of cgroup version 2, and the folder of that and of each above. */
struct cgroup_path {
	char path[PATH_MAX];       /* "/a/b" */
	int fds[DEPTH_MAX];        /* the own one first, the root last */
	size_t lengths[DEPTH_MAX]; /* of its path, within `path` */
	unsigned n;
};

static bool read_own_path(char out[PATH_MAX])
{
	FILE *f = fopen("/proc/self/cgroup", "re");
	char line[PATH_MAX + 64];
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		/* ".." leads out of this cgroup namespace, to where its tree does not reach */
		if (strncmp(line, "0::/", 4) == 0 && strncmp(line + 3, "/..", 3) != 0)
			found = snprintf(out, PATH_MAX, "%s", line + 3) < PATH_MAX;
	}
	if (f)
		fclose(f);
	return found;
}

/* Does this cgroup hold this process? */
static bool holds_us(int fd)
{
	int procs = openat(fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	FILE *f = procs >= 0 ? fdopen(procs, "r") : NULL;
	long pid, own = getpid();
	bool found = false;

	if (!f && procs >= 0)
		close(procs);
	while (f && !found && fscanf(f, "%ld", &pid) == 1)
		found = pid == own;
	if (f)
		fclose(f);
	return found;
}

static void close_cgroups(struct cgroup_path *c)
{
	while (c->n > 0)
		close(c->fds[--c->n]);
}

/* Opens the own cgroup and those above it, below this mount. */
static bool open_cgroups(const char *mount, struct cgroup_path *c)
{
	size_t len = strlen(c->path);
	struct statfs fs;

	if (statfs(mount, &fs) != 0 || fs.f_type != CGROUP2_SUPER_MAGIC)
		return false;
	while (c->n < DEPTH_MAX) {
		char folder[2 * PATH_MAX];
		snprintf(folder, sizeof(folder), "%s%.*s", mount, (int)len, c->path);
		int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			break;
		c->fds[c->n] = fd;
		c->lengths[c->n++] = len;
		if (len <= 1)
			break;
		while (len > 1 && c->path[len - 1] != '/')
			len--;
		len = len > 1 ? len - 1 : 1; /* "/a" ends with "/" */
	}
	/* another cgroup namespace's tree, or a part of it, may be mounted there */
	if (c->n > 0 && c->lengths[c->n - 1] <= 1 && holds_us(c->fds[0]))
		return true;
	close_cgroups(c);
	return false;
}

static pid_t parent_of(pid_t pid)
{
	char path[32], line[512] = "";
	const char *rest;
	int parent = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	FILE *f = fopen(path, "re");
	if (f && fgets(line, sizeof(line), f) && (rest = strrchr(line, ')')))
		sscanf(rest + 1, " %*c %d", &parent);
	if (f)
		fclose(f);
	return parent;
}

static bool open_below(const char *root, struct cgroup_path *c)
{
	static const char *const mounts[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
	char path[96];

	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", root, mounts[i]);
		if (open_cgroups(path, c))
			return true;
	}
	return false;
}

/* `ip netns exec` hides the tree under a fresh /sys; those who started it still see it. A mount of
 * our own would do it too, but the kernel takes the options of the latest mount (nsdelegate, ...)
 * for the whole machine. */
static bool find_cgroups(struct cgroup_path *c)
{
	pid_t pid = getpid();
	char root[32];

	c->n = 0;
	if (!read_own_path(c->path))
		return false;
	if (open_below("", c))
		return true;
	for (int i = 0; i < ANCESTORS_MAX && pid > 1; i++) {
		pid = parent_of(pid);
		snprintf(root, sizeof(root), "/proc/%d/root", (int)pid);
		if (pid > 0 && open_below(root, c))
			return true;
	}
	return false;
}

/* On which cgroup it was put; "" when on none that is visible from here. */
static void find_place(const struct cgroup_path *c, unsigned type, uint32_t id,
		       struct host_program *p)
{
	struct program_ids there;

	for (unsigned i = 0; i < c->n; i++) {
		if (query(c->fds[i], type, 0, &there) != 0 || !contains(&there, id))
			continue;
		watch_text(p->cgroup, sizeof(p->cgroup), c->path, c->lengths[i]);
		return;
	}
}

static void emit_effective(struct programs_look *l, const struct cgroup_path *c, size_t point,
			   const struct program_ids *ids)
{
	for (unsigned i = 0; i < ids->n; i++) {
		struct host_record r = watch_record(HOST_PROGRAM);
		struct host_program *p = &r.program;
		struct bpf_prog_info info;
		p->hook = attach_points[point].hook;
		snprintf(p->attach_type, sizeof(p->attach_type), "%s", attach_points[point].name);
		describe(l, ids->ids[i], &info, p);
		find_place(c, attach_points[point].type, ids->ids[i], p);
		if (p->hook != PROG_LSM || add_lsm_hook(&info, p))
			l->emit(l->arg, &r);
	}
}

/* Programs on the oldest of these hooks can be loaded: there may be some. */
static bool can_be_filtered(void)
{
	static const struct bpf_insn accept[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_CGROUP_SKB;
	attr.insns = (uintptr_t)accept;
	attr.insn_cnt = sizeof(accept) / sizeof(accept[0]);
	attr.license = (uintptr_t) "";
	int fd = sys_bpf(BPF_PROG_LOAD, &attr);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

void programs_cgroup(struct programs_look *l)
{
	struct cgroup_path *c = xcalloc(1, sizeof(*c)); /* large */
	struct program_ids ids;

	if (!find_cgroups(c)) {
		watch_not_looked(l->emit, l->arg, HOST_LOOK_PROGRAMS,
				 "eBPF programs of the cgroup: its folder is not visible here");
		free(c);
		return;
	}
	for (size_t i = 0; i < N_ATTACH_POINTS; i++) {
		uint8_t family = attach_points[i].family;
		if (family != ADDR_NONE && family != l->w->remote.family)
			continue;
		if (query(c->fds[0], attach_points[i].type, BPF_F_QUERY_EFFECTIVE, &ids) == 0)
			emit_effective(l, c, i, &ids);
		else if (errno == EPERM)
			say_denied(l, "eBPF programs of the cgroup", "CAP_NET_ADMIN");
		else if (attach_points[i].type == BPF_CGROUP_INET_EGRESS && can_be_filtered())
			watch_not_looked(l->emit, l->arg, HOST_LOOK_PROGRAMS,
					 "eBPF programs of the cgroup: this kernel does not list them (Linux 4.15 does)");
		/* else: this kernel has no such hook, and so nothing on it */
	}
	close_cgroups(c);
	free(c);
}

/* ---- tcx ---- */

bool programs_tcx(struct programs_look *l, int ifindex, const char *name, bool egress)
{
	struct program_ids ids;

	if (query(ifindex, egress ? ATTACH_TCX_EGRESS : ATTACH_TCX_INGRESS, 0, &ids) != 0) {
		if (errno == EPERM)
			say_denied(l, "tcx programs", "CAP_NET_ADMIN");
		return false;
	}
	for (unsigned i = 0; i < ids.n; i++) {
		struct host_record r = watch_record(HOST_PROGRAM);
		struct host_program *p = &r.program;
		p->hook = egress ? PROG_TCX_EGRESS : PROG_TCX_INGRESS;
		snprintf(p->interface, sizeof(p->interface), "%s", name);
		snprintf(p->attach_type, sizeof(p->attach_type), "%s",
			 egress ? "tcx_egress" : "tcx_ingress");
		programs_describe(l, ids.ids[i], p);
		l->emit(l->arg, &r);
	}
	return ids.n > 0;
}

/* ---- links: LSM and netfilter ---- */

/* The kernel's struct bpf_link_info, as far as it is needed. */
struct link_info {
	uint32_t type, id, prog_id, pad;
	union {
		struct {
			uint32_t attach_type;
		} tracing;
		struct {
			uint32_t family, hook;
			int32_t priority;
			uint32_t flags;
		} netfilter;
		uint8_t room[64];
	};
};

static void emit_lsm(struct programs_look *l, const struct link_info *k)
{
	struct host_record r = watch_record(HOST_PROGRAM);
	struct bpf_prog_info info;

	r.program.hook = PROG_LSM;
	snprintf(r.program.attach_type, sizeof(r.program.attach_type), "lsm_mac");
	describe(l, k->prog_id, &info, &r.program);
	if (add_lsm_hook(&info, &r.program))
		l->emit(l->arg, &r);
}

/* A link does not tell its network namespace: the text says so. */
static void emit_netfilter(struct programs_look *l, const struct link_info *k)
{
	static const char *const hooks[] = {"prerouting", "input", "forward", "output",
					    "postrouting"};
	struct host_record r = watch_record(HOST_PROGRAM);
	struct host_program *p = &r.program;
	uint32_t ours = l->w->remote.family == ADDR_V4 ? AF_INET : AF_INET6; /* NFPROTO_ too */
	size_t len;

	if (k->netfilter.family != ours || k->netfilter.hook == 2 || k->netfilter.hook > 4)
		return;
	p->hook = PROG_NETFILTER;
	snprintf(p->attach_type, sizeof(p->attach_type), "netfilter");
	programs_describe(l, k->prog_id, p);
	len = strlen(p->text);
	snprintf(p->text + len, sizeof(p->text) - len,
		 " on %s %s prio %d, in a network namespace that the kernel does not tell",
		 ours == AF_INET ? "ip" : "ip6", hooks[k->netfilter.hook], k->netfilter.priority);
	l->emit(l->arg, &r);
}

void programs_links(struct programs_look *l)
{
	uint32_t id = 0;

	for (int i = 0; i < LINKS_MAX; i++) {
		struct link_info k = {0};
		union bpf_attr attr;
		memset(&attr, 0, sizeof(attr));
		attr.start_id = id;
		if (sys_bpf(BPF_LINK_GET_NEXT_ID, &attr) != 0) {
			if (errno == EPERM)
				say_denied(l, "eBPF programs of security hooks", "CAP_SYS_ADMIN");
			return; /* ENOENT: that was the last */
		}
		id = attr.next_id;
		int fd = open_id(BPF_LINK_GET_FD_BY_ID, id);
		bool ok = fd >= 0 && get_info(fd, &k, sizeof(k)) == 0;
		if (fd >= 0)
			close(fd);
		if (ok && k.type == BPF_LINK_TYPE_TRACING && k.tracing.attach_type == BPF_LSM_MAC)
			emit_lsm(l, &k);
		else if (ok && k.type == LINK_TYPE_NETFILTER)
			emit_netfilter(l, &k);
	}
}
