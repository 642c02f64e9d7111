/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside cli/: one call of check or inspect, and what its parts share. */
#ifndef SB_CLI_CALL_H
#define SB_CLI_CALL_H

#include "case/saved.h"
#include "case/store.h"
#include "cli/options.h"
#include "cli/page.h"
#include "cli/password.h"
#include "model/comparison.h"
#include "model/report.h"
#include "report/nagios.h"
#include "report/overview.h"
#include "run/dns.h"
#include "run/live.h"
#include "run/resolve.h"

#define CALL_TARGET_MAX 300 /* RFC 1035: a name has 253 characters at most */

struct call {
	struct options opt;
	bool inspect; /* the verb: no packet is to be sent */
	struct run_user user;
	struct sandbox_held sandbox;
	char password[PASSWORD_MAX];
	struct live *live;
	struct case_store *store; /* NULL: nothing is saved */
	struct signatures signatures;
	struct dns *dns; /* opened with the first target that needs it */
	char hostname[256];
	char source_link[OPTIONS_MAX_WAYS][IFNAMSIZ]; /* of each source address the interface that has it, or "" */
	struct page_file page; /* --html */
	bool progress;
	unsigned n_reports;
	bool compare;              /* the ways of each target, side by side */
	struct views views;        /* of what is not compared yet */
	struct overview *overview; /* of many targets at once, else NULL */
	bool unsaved;              /* a case that --save wants, and why the first one */
	struct err why_unsaved;
	int status;
	struct arena *arena;     /* of what lasts for one target; NULL: opt.arena */
	char greeted_as[256];      /* the host that the latest report's server greets as; "" none */
	struct addr greeted_from;
	struct nagios *nagios;     /* --nagios: tells all reports at the end; or NULL */
	struct watching *watching; /* `watch`: who takes the reports, instead of standard output; or NULL */
};

/* One of the ways out that were asked for; with none, one that leaves all to the routes. */
struct way {
	const char *interface; /* or NULL */
	struct addr source;    /* or ADDR_NONE */
	const char *source_link; /* the interface that has it; NULL: none in particular */
};
unsigned call_n_ways(const struct call *c);
struct way call_way(const struct call *c, unsigned i);

/* What is known of a target, beside its address. Strings are borrowed; NULL: nothing. */
struct call_target {
	const char *input;  /* as it was given */
	const char *name;   /* a host's */
	const char *domain; /* whose mail it takes */
	/* what the DNS said on the way here */
	const char *mx_words, *address_words;
	enum dns_trust mx_trust;
	/* as in struct plan; of an exchanger with another address than `sibling_address` */
	const char *sibling, *sibling_greeting;
	struct addr sibling_address;
};

/* Strings are borrowed, or in `a`. */
struct plan call_plan(const struct call *c, struct arena *a, const struct call_target *target,
		      const struct addr *address, const struct way *way);

/* What no name and no address looks like, before a resolver is bothered with it; NULL: fine. */
const char *call_why_no_target(const char *input);
/* "user@[192.0.2.25]" and "192.0.2.25" are addresses (RFC 5321 section 4.1.3). */
bool call_is_address(const char *input, struct addr *out);
/* The first of each family, unless all are asked for; only what a source address can reach. */
unsigned call_choose(const struct options *o, const struct resolved *all, struct resolved *out);

/* Targets under way at the same time. A few go one after the other, each with everything for itself:
 * the trace of this host's own rules is for one at a time. */
#define CALL_IN_TURN 8
#define CALL_AT_ONCE 256
unsigned call_concurrency(const struct call *c);

enum addr_family call_family(const struct call *c); /* that names are asked for, ADDR_NONE both */
const char *call_address_words(struct arena *a, const struct resolved *all);
const char *call_mx_words(struct arena *a, const struct dns_mx *mx);

/* Opens what the run needs, and gives up privileges. uses: of the sandbox. */
int call_open(struct call *c, unsigned uses, struct err *e);
/* Tested and control ports, of all plans; returns how many. */
unsigned call_all_ports(const struct call *c, uint16_t ports[PLAN_MAX_PORTS]);

void call_close(struct call *c);

/* ---- output ---- */

/* Exit status and summary; whoever prints it. */
void call_count(struct call *c, const struct report *r);
/* Counts it, prints it, and puts it into the store when `saved` is not NULL: call_saved() tells at the end
 * whether that went well each time. */
int call_report(struct call *c, const struct report *r, struct saved_case *saved,
		struct err *e);
int call_saved(const struct call *c, struct err *e);
/* Several ways out: what the reports since the last time say side by side. */
int call_compare(struct call *c, struct err *e);
/* Said on stderr, and as a line of JSON. */
void call_target_failed(struct call *c, const char *input, const char *why);
#define CALL_NO_ADDRESS "it has no address of the family that was asked for"
/* Why none of the addresses of a target is taken. */
const char *call_no_address(const struct options *o, const char *input);
/* name: NULL where it is what was typed. */
void call_unresolved(struct call *c, const char *input, const char *name, const char *why);
void call_no_exchangers(struct call *c, const char *input, const char *why);
void call_check_exchangers(struct call *c, const char *input, const struct dns_mx *mx);
/* One line on a terminal; "" wipes it. */
void call_progress(const struct call *c, const char *what);

/* ---- the two ways through the targets ---- */

/* One after the other, each with everything for itself. */
int call_in_turn(struct call *c, struct err *e);
/* Many at once (crowd.c). */
int call_in_crowd(struct call *c, struct err *e);

#endif
