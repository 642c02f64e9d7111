/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every packet that the kernel drops comes by the tracepoint skb:kfree_skb, with
 * the reason and the place. This program hands over those of one run: TCP, in
 * one network namespace, between its local ports and the ports of one address.
 *
 * The kernel's structures are declared as far as they are used; the loader puts
 * in the offsets of the running kernel (CO-RE).
 */
typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

enum { BPF_MAP_TYPE_RINGBUF = 27 }; /* linux/bpf.h, which needs the system's headers */

/* clang-format off: in this order */
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
/* clang-format on */

#include "drops.h"

#define KERNEL __attribute__((preserve_access_index))

struct ns_common {
	__u32 inum;
} KERNEL;

struct net {
	struct ns_common ns;
} KERNEL;

typedef struct {
	struct net *net;
} possible_net_t;

struct net_device {
	int ifindex;
	possible_net_t nd_net;
} KERNEL;

struct sock_common {
	possible_net_t skc_net;
} KERNEL;

struct sock {
	struct sock_common __sk_common;
} KERNEL;

struct dst_entry {
	struct net_device *dev;
} KERNEL;

struct sk_buff {
	struct net_device *dev;
	struct sock *sk;
	unsigned long _skb_refdst;
	__u16 network_header;
	unsigned char *head;
} KERNEL;

/* Of this kernel's own values, which differ by version. */
enum skb_drop_reason {
	SKB_CONSUMED = 1,
	SKB_DROP_REASON_QUEUE_PURGE,
};

const volatile struct drops_config config;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 65536);
} drops_records SEC(".maps");

/* What is compared of the headers. */
struct flow {
	__u8 src[16], dst[16];
	__u16 sport, dport;
	__u8 flags;
};

/* The third argument came with the enum (Linux 5.17). */
static __always_inline __u32 reason_of(const __u64 *args)
{
	return bpf_core_type_exists(enum skb_drop_reason) ? (__u32)args[2] : 0;
}

/* No drop: used up, or still queued when its socket went. */
static __always_inline int is_noise(__u32 reason)
{
	return (bpf_core_enum_value_exists(enum skb_drop_reason, SKB_CONSUMED) &&
		reason == bpf_core_enum_value(enum skb_drop_reason, SKB_CONSUMED)) ||
	       (bpf_core_enum_value_exists(enum skb_drop_reason, SKB_DROP_REASON_QUEUE_PURGE) &&
		reason == bpf_core_enum_value(enum skb_drop_reason, SKB_DROP_REASON_QUEUE_PURGE));
}

static __always_inline int has_port(const volatile __u8 *set, __u16 port)
{
	return set[port >> 3] >> (port & 7) & 1;
}

static __always_inline int is_remote(const __u8 *address)
{
	for (int i = 0; i < 16; i++)
		if (address[i] != config.remote[i])
			return 0;
	return 1;
}

/* By the headers' own words: skb->protocol and the transport header are not set yet everywhere. */
static __always_inline int read_flow(struct sk_buff *skb, struct flow *f)
{
	unsigned char *ip = BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, network_header);
	__u8 h[40], tcp[14];
	long length;

	if (bpf_probe_read_kernel(h, sizeof(h), ip))
		return 0;
	if (config.family == 4) {
		if (h[0] >> 4 != 4 || h[9] != 6)
			return 0;
		__builtin_memcpy(f->src, h + 12, 4);
		__builtin_memcpy(f->dst, h + 16, 4);
		length = (h[0] & 15) * 4;
	} else {
		if (h[0] >> 4 != 6 || h[6] != 6)
			return 0;
		__builtin_memcpy(f->src, h + 8, 16);
		__builtin_memcpy(f->dst, h + 24, 16);
		length = 40;
	}
	if (bpf_probe_read_kernel(tcp, sizeof(tcp), ip + length))
		return 0;
	f->sport = (__u16)(tcp[0] << 8 | tcp[1]);
	f->dport = (__u16)(tcp[2] << 8 | tcp[3]);
	f->flags = tcp[13];
	return 1;
}

/* Where the kernel numbers of namespaces begin (PROC_DYNAMIC_FIRST, less those of the first ones):
 * what is read by way of anything that is no device has other numbers. */
#define NETNS_FIRST 0xefffff00u

static __always_inline __u32 netns_of_device(struct net_device *dev)
{
	return dev ? BPF_CORE_READ(dev, nd_net.net, ns.inum) : 0;
}

/* On its way out a packet has no device at first, but a route. In TCP's queue for repeats the place
 * of the device holds something else. */
static __always_inline struct net_device *device_of(struct sk_buff *skb)
{
	struct net_device *dev = BPF_CORE_READ(skb, dev);
	unsigned long route;

	if (netns_of_device(dev) >= NETNS_FIRST)
		return dev;
	route = BPF_CORE_READ(skb, _skb_refdst) & ~1UL; /* SKB_DST_NOREF */
	return route ? BPF_CORE_READ((struct dst_entry *)route, dev) : 0;
}

/* The device says where a packet is; its socket, where it comes from: it may have crossed into
 * another namespace since. */
static __always_inline int is_elsewhere(struct sk_buff *skb, struct net_device *dev)
{
	__u32 netns = netns_of_device(dev);
	struct sock *sk;

	if (netns < NETNS_FIRST) {
		sk = BPF_CORE_READ(skb, sk);
		netns = sk ? BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum) : 0;
	}
	/* nobody's: the addresses and ports have to do */
	return netns >= NETNS_FIRST && netns != config.netns;
}

SEC("raw_tp/kfree_skb")
int smtpblame_drops(__u64 *args)
{
	struct sk_buff *skb = (struct sk_buff *)args[0];
	struct net_device *dev;
	struct drops_record *r;
	struct flow f = {0};
	int inbound;

	if (is_noise(reason_of(args)) || !read_flow(skb, &f))
		return 0;
	if (has_port(config.lports, f.sport) && has_port(config.rports, f.dport) &&
	    is_remote(f.dst))
		inbound = 0;
	else if (has_port(config.lports, f.dport) && has_port(config.rports, f.sport) &&
		 is_remote(f.src))
		inbound = 1;
	else
		return 0;
	dev = device_of(skb);
	if (is_elsewhere(skb, dev))
		return 0;
	r = bpf_ringbuf_reserve(&drops_records, sizeof(*r), 0);
	if (!r)
		return 0;
	__builtin_memset(r, 0, sizeof(*r));
	r->time = bpf_ktime_get_ns();
	r->location = args[1];
	r->reason = reason_of(args);
	r->ifindex = dev ? (__u32)BPF_CORE_READ(dev, ifindex) : 0;
	__builtin_memcpy(r->local, inbound ? f.dst : f.src, 16);
	r->lport = inbound ? f.dport : f.sport;
	r->rport = inbound ? f.sport : f.dport;
	r->tcp_flags = f.flags;
	r->inbound = (__u8)inbound;
	bpf_ringbuf_submit(r, 0);
	return 0;
}

/* bpf_probe_read_kernel() is only for programs that say so */
char gpl[] SEC("license") = "GPL";
