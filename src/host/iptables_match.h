/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside host/: the matches of iptables rules, for iptables_fits.c, which goes through a rule. */
#ifndef SB_HOST_IPTABLES_MATCH_H
#define SB_HOST_IPTABLES_MATCH_H

#include "host/iptables_rules.h"

struct ipt_eval {
	const struct ipt_packet *p;
	const struct ipt_rule *rule;
	struct ipt_fit *out;
	uint32_t why; /* reasons of the option under way */
};

/* A match as a whole. truth: YES: as its options say; else what it comes to whatever they say. */
struct ipt_module {
	const char *name;
	enum ipt_truth truth;
	uint32_t reasons;
};

struct ipt_option {
	const char *module, *name;
	enum ipt_truth (*fits)(struct ipt_eval *v, const char *value);
};

/* The unknown one for a name that is not known; NULL for an option. */
const struct ipt_module *ipt_find_module(const char *name);
const struct ipt_option *ipt_find_option(const char *module, const char *name);

/* How many values an option has: none, two, else one. */
bool ipt_takes_none(const char *option);
bool ipt_takes_two(const char *option);

/* Matches whatever its value is. */
enum ipt_truth ipt_always(struct ipt_eval *v, const char *value);

enum ipt_truth ipt_maybe(struct ipt_eval *v, enum ipt_reason reason);

/* A number (0x.. too), and what follows it. */
bool ipt_number(const char **s, uint64_t *out);
/* "N", "N:", ":M", "N:M" (or another separator) */
bool ipt_range(const char **s, char separator, uint64_t top, uint64_t *lo, uint64_t *hi);

/* -s and -d, -i and -o, -p */
enum ipt_truth ipt_address_fits(struct ipt_eval *v, const struct addr *a, const char *value);
enum ipt_truth ipt_interface_fits(struct ipt_eval *v, const char *have, const char *want);
enum ipt_truth ipt_protocol_fits(struct ipt_eval *v, const char *value);

#endif
