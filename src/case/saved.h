/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A saved case: all that a verdict was derived from. On disk a folder of three
 * files, see docs/cases.md.
 */
#ifndef SB_CASE_SAVED_H
#define SB_CASE_SAVED_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "model/event.h"
#include "model/frame_log.h"
#include "model/plan.h"

#define CASE_FACTS   "facts.jsonl"
#define CASE_PACKETS "packets.pcap"
#define CASE_REPORT  "report.json"

struct saved_case {
	bool inspect;           /* no packet was sent: what the host would do */
	bool redacted;
	struct plan plan;       /* strings: the caller's in a live run, else log.arena's */
	struct event_log log;   /* sorted; with the packets after a live run, without in facts.jsonl */
	struct frame_log frames; /* of its packets */
	bool has_banner;        /* plan.expect_banner_regex is `banner`: the struct must not move */
	regex_t banner;
	uint64_t n_packets;     /* so many packets.pcap is to hold, by facts.jsonl */
};

void saved_case_init(struct saved_case *c);
void saved_case_clear(struct saved_case *c);

/* facts.jsonl: everything but the packets. -1 with ERR_RUN when out can't be written. */
int saved_case_write_facts(const struct saved_case *c, const char *tool_version, FILE *out,
			   struct err *e);

/* Of a file that anybody may have made: bounded in memory and time; strings are clean. The plan is
 * one that the core can judge. ERR_USAGE names `path` and the line. *out as saved_case_init() made
 * it; saved_case_clear() it even after -1. */
int saved_case_read_facts(struct saved_case *out, FILE *in, const char *path, struct err *e);

#endif
