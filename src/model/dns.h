/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the DNS said, as values. */
#ifndef SB_MODEL_DNS_H
#define SB_MODEL_DNS_H

enum dns_status {
	DNS_FOUND,
	DNS_NO_DATA, /* the name is there, not this kind of record */
	DNS_NO_NAME, /* NXDOMAIN */
	DNS_BOGUS,   /* the resolvers refuse, and signatures do not hold: DNSSEC is to blame */
	DNS_FAILED,  /* the resolvers report a failure */
	DNS_SILENT,  /* no answer by the deadline */
	DNS_STATUS_COUNT,
};

/* How far an answer can be trusted. */
enum dns_trust {
	DNS_UNCHECKED, /* no trust anchor, or the resolvers strip signatures */
	DNS_UNSIGNED,  /* proven: this zone is not signed */
	DNS_SECURE,    /* signatures hold, from the root down */
	DNS_FORGED,    /* the resolvers gave it, although its signatures do not hold (often a network's
			* own view of a public name); DANE must not be believed then */
	DNS_TRUST_COUNT,
};

enum dns_record {
	DNS_RECORD_MX,      /* of the domain whose exchanger the target is */
	DNS_RECORD_ADDRESS, /* of the target's name, as this host's programs get it */
	DNS_RECORD_CHECKED, /* the same asked again, with signatures checked */
	DNS_RECORD_TLSA,    /* of _25._tcp and the target's name (DANE, RFC 7672) */
	DNS_RECORD_MTA_STS, /* _mta-sts of the domain (RFC 8461) */
	DNS_RECORD_COUNT,
};

#endif
