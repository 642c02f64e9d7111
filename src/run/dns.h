/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the DNS says about mail beyond addresses: exchangers, DANE, MTA-STS, and
 * why a name does not resolve. libunbound asks the resolvers of /etc/resolv.conf
 * and checks signatures itself, from the root's trust anchor.
 *
 * Addresses come from run/resolve.h. Nothing here sends anywhere but to those
 * resolvers, and no call lasts longer than its deadline.
 */
#ifndef SB_RUN_DNS_H
#define SB_RUN_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "model/dns.h"

#define DNS_NAME_MAX       256 /* a name as text: letters, digits, '-', '_', dots, and a NUL */
#define DNS_MAX_EXCHANGERS 16
#define DNS_MAX_TLSA       16
#define DNS_TLSA_DATA_MAX  64 /* SHA-512; of a whole certificate or key (matching 0) its SHA-256 */

struct dns;

/* anchor_file: trust anchors in zone file form, or NULL: the first of the usual places that can be
 * read; without any nothing is validated. ERR_USAGE when a given file cannot be read. */
int dns_open(struct dns **out, const char *anchor_file, struct err *e);
void dns_close(struct dns *d);

struct dns_exchanger {
	uint16_t preference;
	char name[DNS_NAME_MAX];
};

struct dns_mx {
	struct dns_exchanger list[DNS_MAX_EXCHANGERS]; /* by preference, then by name */
	unsigned n;
	unsigned left_out; /* beyond the first DNS_MAX_EXCHANGERS */
	unsigned unusable; /* names that no host can have, "." beside others among them */
	bool implicit;     /* no MX record: the domain stands for itself (RFC 5321 section 5.1) */
	enum dns_trust trust;
};

/* The exchangers of a domain, in ASCII (xn--...). ERR_USAGE in words for a person: no such domain,
 * a null MX (RFC 7505), no usable exchanger, DNSSEC, a resolver that fails or is silent. */
int dns_mx(struct dns *d, const char *domain, int64_t deadline_ns, struct dns_mx *out,
	   struct err *e);

/* Why addresses of a name cannot be had: asks for them again, with signatures checked. FOUND where
 * there are some after all. why gets the validator's words when DNS_BOGUS, else "". */
enum dns_status dns_explain(struct dns *d, const char *name, int64_t deadline_ns, char *why,
			    size_t why_size);

struct dns_tlsa {
	uint8_t usage, selector, matching;
	uint16_t len; /* of the data in the record */
	uint8_t data[DNS_TLSA_DATA_MAX];
};

/* What came of one question. */
struct dns_said {
	bool asked;
	enum dns_status status;
	enum dns_trust trust;
};

/* What the DNS promises about a server. A TLSA record or a policy promises STARTTLS; only a secure
 * TLSA record is believed (RFC 7672 section 2.2). */
struct dns_facts {
	struct dns_said said[DNS_RECORD_COUNT]; /* CHECKED, TLSA, MTA_STS */
	unsigned n_tlsa;      /* of _PORT._tcp.NAME, usable forms (usage 2 or 3) or not */
	struct dns_tlsa tlsa[DNS_MAX_TLSA];
	bool mta_sts;         /* exactly one _mta-sts.DOMAIN TXT with v=STSv1 (RFC 8461 section 3.1) */
	char mta_sts_id[33];
};

struct dns_question {
	const char *name;         /* of the server */
	enum addr_family address; /* look up its addresses of that family, too; ADDR_NONE: don't */
	uint16_t port;            /* for TLSA; 0: don't */
	const char *domain;       /* whose mail it is, or NULL: no policy is looked up then */
};

/* Begins all lookups and returns at once; NULL when the names are no names, or
 * this host has no resolver. Neither d nor the
 * resolvers are waited for, before dns_end(). */
struct dns_pending;
struct dns_pending *dns_begin(struct dns *d, const struct dns_question *q);
/* Takes what has come; true: there is nothing more to wait for. Never blocks. */
bool dns_step(struct dns *d, struct dns_pending *p);
/* Ends it, with what has come by now. */
void dns_end(struct dns *d, struct dns_pending *p, struct dns_facts *out);

/* ---- records as they come (dns_record.c) ---- */

/* A name in wire form as text, in lower case, without the last dot; "." for the root. False for
 * what is no host name, or broken. */
bool dns_name_text(const uint8_t *wire, size_t len, char out[DNS_NAME_MAX]);

/* Adds one MX record's data; *null_mx for "." */
void dns_mx_add(struct dns_mx *mx, const uint8_t *data, size_t len, bool *null_mx);

/* One TXT record's data: an MTA-STS record, and its id (cut to fit). */
bool dns_mta_sts_parse(const uint8_t *data, size_t len, char id[33]);

#endif
