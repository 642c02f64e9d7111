/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What one run judges: one address, over one way out, and the ports. */
#ifndef SB_MODEL_PLAN_H
#define SB_MODEL_PLAN_H

#include <regex.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "model/dns.h"
#include "model/signature.h"

#define PLAN_MAX_PORTS 32 /* tested and control ports of one target */
#define PLAN_MAX_HOPS  64 /* the longest path that is traced */

/* Greetings write names as they like. */
#define PLAN_BANNER_REGEX (REG_EXTENDED | REG_NOSUB | REG_ICASE)

/* NULL, or what makes a regular expression one that may take endless time or memory. It may come
 * from a case that somebody else has saved. */
const char *plan_banner_too_costly(const char *regex);

struct plan_port {
	uint16_t port;
	bool tested;       /* judged and reported; false: serves as control only */
	bool implicit_tls; /* TLS before the greeting (RFC 8314): 465 */
};

struct plan {
	const char *input; /* the target as the user wrote it, cleaned */
	const char *name;  /* host name, NULL for a literal */
	struct addr target;
	const char *domain; /* whose exchanger it is, or NULL: not known */
	const char *mx_words, *address_words; /* what the DNS said on the way to it, or NULL */
	enum dns_trust mx_trust; /* of mx_words */
	/* An exchanger of the same domain that was looked at before this one, with another address, and the
	 * host that it greets as where that is none of the domain's exchangers; or NULL. */
	const char *sibling, *sibling_greeting;
	const char *interface;   /* -i, or NULL: by route */
	struct addr source;      /* -s, or ADDR_NONE: by route */
	const char *source_link; /* the interface that has it; NULL: none in particular */
	const char *way;         /* of several -i or -s, by each of which the target is judged, this one; or NULL */
	const char *netns;       /* --netns, or NULL */
	const char *hostname;    /* of this machine */
	struct plan_port ports[PLAN_MAX_PORTS]; /* tested ones first, in the order given */
	unsigned n_ports;
	int64_t timeout_ns;      /* -t */
	bool no_path;            /* --no-path */
	bool thrifty;            /* one of many targets: the way is traced where something shows there */
	bool no_inject;          /* --no-inject */
	bool no_canary;          /* --no-canary */
	bool no_trace;           /* --no-trace */
	const char *ehlo_name;   /* --ehlo, or NULL: the host's name, else its address */
	bool starttls_required;  /* --starttls-required */
	const char *auth_user;   /* --auth, or NULL */
	const char *auth_secret; /* its password; never in a report, an event or a file */
	struct signatures signatures; /* of known devices; empty: none were found */
	/* what the server is known to say, or NULL */
	const char *expect_banner;    /* --expect-banner, and the same compiled with PLAN_BANNER_REGEX */
	const regex_t *expect_banner_regex;
	const char *expect_name;      /* --expect-name: a host, or a domain of hosts */
	const char *mail_from, *rcpt_to; /* --mail-from, --rcpt-to, or NULL: not asked */
	const char *user;        /* --uid: as whom the connections are made, or NULL: the caller */
	unsigned repeat;         /* --repeat, 0 or 1: once; each round is a run of its own, no case holds it */
	int64_t interval_ns;     /* --interval, of these */
	const char *sandbox;     /* what of the sandbox does not hold, and why; NULL: all does */
	bool packets;            /* the report is to hold its packets, for a page or a ticket */
	unsigned max_hops;       /* --max-hops, at most PLAN_MAX_HOPS */
};

/* -1: it is none of the plan's. */
int plan_port_index(const struct plan *plan, uint16_t port);

#endif
