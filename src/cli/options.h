/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The options of the verbs: one table each drives parsing and help. Everything is
 * checked here, before anything is opened or sent.
 */
#ifndef SB_CLI_OPTIONS_H
#define SB_CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/addr.h"
#include "base/arena.h"
#include "base/err.h"
#include "model/plan.h"

#define OPTIONS_MAX_WAYS       8 /* interfaces, or source addresses */
#define OPTIONS_MAX_ALLOW      256
#define OPTIONS_MAX_TESTED     24 /* judged ports; the rest of a plan is for controls */

enum when { WHEN_AUTO, WHEN_ALWAYS, WHEN_NEVER };

struct port_list {
	uint16_t ports[PLAN_MAX_PORTS];
	bool tls[PLAN_MAX_PORTS]; /* "2525/tls": TLS before the greeting */
	unsigned n;
};

struct options {
	struct port_list tested, control;
	bool control_given; /* --control, which else has its default */
	bool only_v4, only_v6, all_addresses;
	const char *interfaces[OPTIONS_MAX_WAYS];
	unsigned n_interfaces;
	struct addr sources[OPTIONS_MAX_WAYS];
	unsigned n_sources;
	const char *netns, *user, *ca_file, *write_file, *save_dir, *html_file, *asn_db;
	const char *expect_banner, *expect_name;
	regex_t *expect_banner_regex; /* the same, compiled */
	const char *ehlo_name, *auth_user, *password_file, *mail_from, *rcpt_to;
	int password_fd; /* -1: none */
	bool starttls_required;
	int64_t timeout_ns;
	unsigned repeat; /* --repeat, 1: once */
	int64_t interval_ns;
	unsigned count;       /* watch: looks, 0 without end */
	unsigned concurrency; /* targets at a time; 0: not given */
	double rate;          /* targets a second, 0: no limit */
	bool json, text, ticket, nagios, quiet, verbose, no_progress;
	bool no_path, no_trace, no_inject, no_canary, no_sandbox; /* what can be turned off */
	unsigned max_hops;
	enum when colour;
	bool any_port; /* read */
	bool summary;  /* and nothing else */
	const char *listen;     /* serve: ADDRESS:PORT, NULL the usual one */
	const char *allow[OPTIONS_MAX_ALLOW];
	unsigned n_allow;
	unsigned queue;         /* serve: probes that wait or run */
	bool redact;            /* of what --save keeps */
	const char *redact_dir; /* replay */
	bool help, version;
	const char **targets;
	unsigned n_targets;
	struct arena arena; /* owns targets, and what -f read */
};

/* argv[0] is skipped. ERR_USAGE names the option. options_clear() even after -1. */
int options_parse(struct options *o, int argc, char **argv, struct err *e);
void options_clear(struct options *o);

void options_print_help(FILE *out);

/* One option, as the manual page and the shells' completions tell it (tools/cli_docs.c). */
struct option_help {
	const char *name;
	char letter;          /* 0: none */
	const char *argument; /* "FILE", "LIST", ...; NULL: takes none */
	const char *help;
};

/* The options of "check" (and inspect) or of another verb; at most `max` of them. */
size_t options_of(const char *verb, struct option_help *out, size_t max);

/* The same for `read`: `targets` are its files, `tested` its ports. */
int options_parse_read(struct options *o, int argc, char **argv, struct err *e);
void options_print_read_help(FILE *out);

/* And for `replay`: `targets` are folders. */
int options_parse_replay(struct options *o, int argc, char **argv, struct err *e);
void options_print_replay_help(FILE *out);

/* And for `compare`: `targets` are files of reports. */
int options_parse_compare(struct options *o, int argc, char **argv, struct err *e);
void options_print_compare_help(FILE *out);

/* And for `serve`, which takes no targets. */
int options_parse_serve(struct options *o, int argc, char **argv, struct err *e);
void options_print_serve_help(FILE *out);

/* And for `watch`. */
int options_parse_watch(struct options *o, int argc, char **argv, struct err *e);
void options_print_watch_help(FILE *out);

#endif
