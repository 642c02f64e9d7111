/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The rows of the rule table, a file a topic, and the words that they share.
 * For rules.c and the files with the rows.
 */
#ifndef SB_DIAG_RULE_ROWS_H
#define SB_DIAG_RULE_ROWS_H

#include "diag/rules.h"
#include "model/report.h"

struct rule_rows {
	const struct rule *rows; /* for ever */
	unsigned n;
};

#define RULE_ROWS(array) {(array), sizeof(array) / sizeof((array)[0])}

extern const struct rule_rows rules_host;    /* this machine stops it */
extern const struct rule_rows rules_path;    /* the SYN does not come through, or somebody else answers it */
extern const struct rule_rows rules_altered; /* a session that somebody rewrites or decrypts */
extern const struct rule_rows rules_forged;  /* a session that is ended in the server's name, or by the server */
extern const struct rule_rows rules_session; /* the rest of what may become of a session */

#define B(f) FACT_BIT(f)
#define NOWHERE CONFIDENCE_NONE

#define REMEDY_SUBMISSION "{works-instead}"
/* Narrow, and where the rule stands: FAMILY TABLE CHAIN are for the reader to fill in. */
#define ALLOW \
	"Let it pass narrowly, in the table and chain that hold the rule:", \
	"nft insert rule FAMILY TABLE CHAIN {ip} daddr {target} tcp dport {port} accept", \
	"{ip}tables -I OUTPUT -p tcp -d {target} --dport {port} -j ACCEPT  # undo: -D for -I"
#define REMEDY_MTU \
	"Often a link on the way (PPPoE, a tunnel) takes smaller packets than the ends believe, and the ICMP " \
	"message that would tell them is lost. Try with a smaller MTU:", \
	"ip link set {link} mtu 1280", "To undo that:", "ip link set {link} mtu {link-mtu}", \
	"If that helps, mend it for all on the gateway: set the MTU of its line to what that takes, turn on its " \
	"\"MSS clamping\", on Linux by `{ip}tables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS " \
	"--clamp-mss-to-pmtu`; and let ICMP type 3 code 4 (IPv6: packet too big) pass."
#define REMEDY_CLAMP \
	"Let this machine ask {target} for packets that fit (of at most {mtu} bytes):", \
	"{ip}tables -t mangle -I OUTPUT -p tcp -d {target} --tcp-flags SYN,RST SYN -j TCPMSS --set-mss {mss}", \
	"To undo that:", \
	"{ip}tables -t mangle -D OUTPUT -p tcp -d {target} --tcp-flags SYN,RST SYN -j TCPMSS --set-mss {mss}", \
	"Better, for all behind it: on the gateway set the MTU of its line to {mtu}, or its \"MSS clamping\" to " \
	"{mss}, on Linux by `{ip}tables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss " \
	"{mss}`; and let ICMP type 3 code 4 (IPv6: packet too big) pass everywhere, which tells the server. " \
	"Where it is not your own link that is smaller, only who runs the server's side of the way can mend that."
#define REMEDY_PROVIDER \
	"{ask-provider}"

#endif
