/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The vocabulary of the report: each enum with the words of docs/report.schema.json. */
#ifndef SB_MODEL_NAMES_H
#define SB_MODEL_NAMES_H

#include "model/host_record.h"

enum state {
	STATE_OPEN,
	STATE_BLOCKED,
	STATE_INTERCEPTED,
	STATE_REFUSED,
	STATE_REJECTED,
	STATE_NO_SERVICE,
	STATE_UNREACHABLE,
	STATE_INCONCLUSIVE,
	STATE_COUNT,
};

enum mechanism {
	MECH_LOCAL_ERROR,
	MECH_SILENT_DROP,
	MECH_TCP_RESET,
	MECH_ICMP_UNREACHABLE,
	MECH_INTERCEPTION,
	MECH_SMTP_MANGLED,
	MECH_STARTTLS_STRIPPED,
	MECH_TLS_INTERCEPTED,
	MECH_SESSION_RESET,
	MECH_SESSION_CLOSE,
	MECH_SESSION_STALL,
	MECH_NOT_SMTP,
	MECH_TLS_FAILED,
	MECH_POLICY_REJECT,
	MECH_UNKNOWN,
	MECH_COUNT,
};

/* How far the conversation got, in its order. */
enum session_stage {
	STAGE_GREETING, /* waiting for the server's first words; on a port with TLS first, inside it */
	STAGE_EHLO,     /* said EHLO, or HELO where EHLO is not known */
	STAGE_STARTTLS, /* said STARTTLS */
	STAGE_TLS,      /* in a TLS handshake, at once or after STARTTLS */
	STAGE_EHLO_TLS, /* said EHLO again, inside TLS */
	STAGE_AUTH,
	STAGE_MAIL,
	STAGE_RCPT,
	STAGE_DATA,     /* said DATA or BDAT */
	STAGE_MESSAGE,  /* sent the message's end; captures only, we never send one */
	STAGE_QUIT,     /* said goodbye: whatever ends it now is fine */
	STAGE_UNOFFERED, /* after the dialogue: STARTTLS all the same, see ev_session_end.more */
	STAGE_COUNT,
};

/* In the order of a packet's way out. */
enum place {
	PLACE_HOST,
	PLACE_GATEWAY,
	PLACE_ISP,
	PLACE_TRANSIT,
	PLACE_DESTINATION_NETWORK,
	PLACE_DESTINATION,
	PLACE_UNKNOWN,
	PLACE_COUNT,
};

enum direction {
	DIR_OUTBOUND,
	DIR_INBOUND,
	DIR_COUNT,
};

enum culprit_kind {
	CULPRIT_NFT_RULE,
	CULPRIT_NFT_POLICY,
	CULPRIT_IPTABLES_RULE,
	CULPRIT_ROUTE,
	CULPRIT_IP_RULE,
	CULPRIT_NEIGHBOUR,
	CULPRIT_LINK,
	CULPRIT_SYSCTL,
	CULPRIT_CONNTRACK,
	CULPRIT_TC,
	CULPRIT_XDP,
	CULPRIT_CGROUP_BPF,
	CULPRIT_LSM,
	CULPRIT_KERNEL_DROP,
	CULPRIT_HOP,
	CULPRIT_MIDDLEBOX,
	CULPRIT_SERVER,
	CULPRIT_UNKNOWN,
	CULPRIT_COUNT,
};

enum source {
	SOURCE_SOCKET,
	SOURCE_CAPTURE,
	SOURCE_ROUTE,
	SOURCE_LINK,
	SOURCE_NEIGHBOUR,
	SOURCE_NFT,
	SOURCE_NFTRACE,
	SOURCE_IPTABLES,
	SOURCE_KERNEL,
	SOURCE_PATH,
	SOURCE_SMTP,
	SOURCE_TLS,
	SOURCE_DNS,
	SOURCE_CANARY,
	SOURCE_COUNT,
};

const char *state_name(enum state s);
const char *mechanism_name(enum mechanism m);
const char *place_name(enum place p);
const char *direction_name(enum direction d);
const char *culprit_kind_name(enum culprit_kind k);
const char *source_name(enum source s);
const char *would_name(enum host_would w); /* "pass", "stop", "redirect", "unknown" */

/* "smtp", "smtps", "submission", "https", ... by IANA; "" for a port without such a name. */
const char *service_name(unsigned port);

/* "EHOSTUNREACH" for errno values that connect() gives; "errno 71" style text for others. */
const char *errno_name(int error);

/* "admin-prohibited", "port-unreachable", ...; "type 3 code 99" is in the report's icmp object,
 * so an unlisted pair is just "other". family: enum addr_family. */
const char *icmp_name(unsigned family, unsigned type, unsigned code);

#endif
