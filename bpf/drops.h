/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What bpf/drops.bpf.c and src/host/drops.c say to each other. Includes nothing:
 * each side has its own fixed-width types.
 */
#ifndef SB_BPF_DROPS_H
#define SB_BPF_DROPS_H

#define DROPS_PORT_BYTES (65536 / 8)

/* Set before the program is loaded; constant for the verifier. */
struct drops_config {
	__u32 family;    /* 4, 6 */
	__u32 netns;     /* inode */
	__u8 remote[16]; /* network byte order; v4 uses the first four */
	__u8 lports[DROPS_PORT_BYTES], rports[DROPS_PORT_BYTES]; /* bit port % 8 of byte port / 8 */
};

struct drops_record {
	__u64 time;     /* CLOCK_MONOTONIC, ns */
	__u64 location; /* kernel address */
	__u32 reason;   /* enum skb_drop_reason of this kernel; 0: it gives none (before 5.17) */
	__u32 ifindex;  /* 0 unknown */
	__u8 local[16];
	__u16 lport, rport; /* host byte order */
	__u8 tcp_flags;
	__u8 inbound;
	__u8 unused[2];
};

#endif
