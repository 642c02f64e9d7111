/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside host/programs*.c: one look, and the parts it is made of. */
#ifndef SB_HOST_PROGRAMS_PRIVATE_H
#define SB_HOST_PROGRAMS_PRIVATE_H

#include <linux/netlink.h>

#include "host/watch.h"

struct programs_look {
	const struct host_watch *w;
	host_emit *emit;
	void *arg;
	bool denied; /* "not looked at" has been said for want of privilege */
};

/* ---- programs_bpf.c: bpf(2) ---- */

/* id, name (whole, where the program's own type information has it) and text of *p, as far as the
 * kernel tells; 0 leaves *p as it is. */
void programs_describe(struct programs_look *l, uint32_t id, struct host_program *p);

void programs_cgroup(struct programs_look *l);
/* True: there are some on this hook. */
bool programs_tcx(struct programs_look *l, int ifindex, const char *name, bool egress);
/* BPF LSM and netfilter programs of the whole machine. */
void programs_links(struct programs_look *l);

/* ---- programs_link.c: rtnetlink ---- */

void programs_interfaces(struct programs_look *l);

/* ---- programs_tc.c: what a tc filter does with our packets; pure ---- */

enum tc_fit {
	TC_FIT_NO,
	TC_FIT_MAYBE, /* it asks for something that isn't known here */
	TC_FIT_YES,
};

enum tc_end {
	TC_END_CONTINUE, /* the next filter decides */
	TC_END_ACCEPT,
	TC_END_DROP,
	TC_END_UNKNOWN, /* a program, a chance, another interface */
};

struct tc_filter {
	char kind[16];
	uint32_t pref, handle, chain;
	uint16_t protocol; /* ETH_P_* */
	bool table;        /* u32: not a filter but the table that holds them */
	bool bpf;          /* a program decides, as classifier or as action */
	uint32_t prog_id;
	char prog_name[RECORD_NAME_MAX]; /* as given to tc */
	enum tc_fit fit; /* all the watch's packets of this direction: none, all, or not sure */
	enum tc_end end; /* for a packet that fits */
};

/* From a message of a RTM_GETTFILTER dump. False: none in it. */
bool tc_filter_parse(const struct nlmsghdr *m, const struct host_watch *w, bool inbound,
		     struct tc_filter *out);

/* Does f[which], of the filters of one hook in the kernel's order, surely drop our packets, with
 * nobody before it that could decide otherwise? */
bool tc_filter_drops(const struct tc_filter *f, unsigned n, unsigned which);

#endif
