/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows of the rule table: who resets a session, closes it or turns it away, where its distance or the TTL that
 * draws it tells. */
#include "diag/rule_rows.h"

/* clang-format off */
static const struct rule rows[] = {
	{
		.id = "session-reset-early", .layer = LAYER_SESSION,
		.need = B(F_CONNECTED) | B(F_RESET) | B(F_RESET_EARLY), .absent = B(F_RULE_STOPS_SESSION) | B(F_PEER_DIFFERS),
		.state = STATE_BLOCKED, .mechanism = MECH_SESSION_RESET, .placed = true,
		.place = PLACE_UNKNOWN, .culprit = CULPRIT_MIDDLEBOX, .confidence = NOWHERE,
		.summary = "{Somebody} resets port {port} {stage}: {hop-words}; the same words draw a RST with a TTL that does not reach {target}.",
		.remedy = {"{ask-owner}", "{ask-other}", REMEDY_SUBMISSION},
		.why = "on a further connection the words that it was reset for went out with growing TTLs: what answers before the server can hear them is not the server",
	},
	{
		.id = "session-reset-nearer", .layer = LAYER_SESSION,
		.need = B(F_CONNECTED) | B(F_RESET) | B(F_RESET_NEARER), .absent = B(F_RULE_STOPS_SESSION) | B(F_PEER_DIFFERS),
		.state = STATE_BLOCKED, .mechanism = MECH_SESSION_RESET, .place = PLACE_UNKNOWN,
		.culprit = CULPRIT_MIDDLEBOX, .confidence = NOWHERE,
		.summary = "Somebody on the way resets port {port} {stage}: the RST came from fewer hops away than the server's own packets.",
		.remedy = {REMEDY_PROVIDER, REMEDY_SUBMISSION},
		.why = "RST and SYN-ACK of one connection come from different distances",
	},
	{
		.id = "session-reset-forged", .layer = LAYER_SESSION,
		.need = B(F_CONNECTED) | B(F_RESET) | B(F_RESET_FORGED), .absent = B(F_RULE_STOPS_SESSION) | B(F_PEER_DIFFERS),
		.state = STATE_BLOCKED, .mechanism = MECH_SESSION_RESET, .place = PLACE_UNKNOWN,
		.culprit = CULPRIT_MIDDLEBOX, .confidence = NOWHERE,
		.summary = "Somebody else than the server resets port {port} {stage}: the RST is one that no stack sends for a connection of its own.",
		.remedy = {REMEDY_PROVIDER, REMEDY_SUBMISSION},
		.why = "who has reset a connection says no more on it, and resets at what it has sent (RST_SEQ_DATA, RST_SEQ_CHANGE, RST_ACK_CHANGE: Weaver, Sommer, Paxson 2009); a filter on the server itself may do so, too",
	},
	{
		.id = "session-close-early", .layer = LAYER_SESSION,
		.need = B(F_CONNECTED) | B(F_CLOSED) | B(F_REPLY_EARLY), .absent = B(F_ANSWERED_ON_WAY) | B(F_PEER_DIFFERS),
		.state = STATE_BLOCKED, .mechanism = MECH_SESSION_CLOSE, .placed = true,
		.place = PLACE_UNKNOWN, .culprit = CULPRIT_MIDDLEBOX, .confidence = NOWHERE,
		.summary = "{Somebody} closes port {port} {stage} in the server's name: {hop-words}; the same words draw an end with a TTL that does not reach {target}.",
		.remedy = {"{ask-owner}", "{ask-other}", REMEDY_SUBMISSION},
		.why = "on a further connection the words that it was closed for went out with growing TTLs: what answers before the server can hear them is not the server",
	},
	{
		.id = "session-close-nearer", .layer = LAYER_SESSION,
		.need = B(F_CONNECTED) | B(F_CLOSED) | B(F_CLOSE_NEARER), .absent = B(F_ANSWERED_ON_WAY) | B(F_PEER_DIFFERS),
		.state = STATE_BLOCKED, .mechanism = MECH_SESSION_CLOSE, .placed = true,
		.place = PLACE_UNKNOWN, .culprit = CULPRIT_MIDDLEBOX, .confidence = NOWHERE,
		.summary = "Somebody on the way closes port {port} {stage} in the server's name: the FIN came from fewer hops away than the server's SYN-ACK.",
		.remedy = {REMEDY_PROVIDER, REMEDY_SUBMISSION},
		.why = "FIN and SYN-ACK of one connection come from different distances, and the FIN not from the destination's network",
	},
	{
		.id = "session-reply-early", .layer = LAYER_SESSION,
		.need = B(F_CONNECTED) | B(F_REPLY_EARLY), .absent = B(F_CLOSED) | B(F_ANSWERED_ON_WAY) | B(F_PEER_DIFFERS),
		.state = STATE_INTERCEPTED, .mechanism = MECH_SMTP_MANGLED, .placed = true,
		.place = PLACE_UNKNOWN, .culprit = CULPRIT_MIDDLEBOX, .confidence = NOWHERE,
		.summary = "{Somebody} turns port {port} away in the server's name: {hop-words}; the same words draw a reply with a TTL that does not reach {target}. It said: {server-words}",
		.remedy = {"Those are not the server's words: its administrator can't help. {ask-owner}", "{ask-other}", REMEDY_SUBMISSION},
		.why = "on a further connection the words that it was turned away for went out with growing TTLs: what answers before the server can hear them is not the server",
	},
	{
		.id = "session-reply-nearer", .layer = LAYER_SESSION,
		.need = B(F_CONNECTED) | B(F_REPLY_NEARER), .absent = B(F_CLOSED) | B(F_ANSWERED_ON_WAY) | B(F_PEER_DIFFERS),
		.state = STATE_INTERCEPTED, .mechanism = MECH_SMTP_MANGLED, .placed = true,
		.place = PLACE_UNKNOWN, .culprit = CULPRIT_MIDDLEBOX, .confidence = NOWHERE,
		.summary = "Somebody on the way turns port {port} away in the server's name: the refusal came from fewer hops away than the rest of the connection. It said: {server-words}",
		.remedy = {"Those may not be the server's words: ask its administrator whether it knows them. {ask-owner}", "{ask-other}", REMEDY_SUBMISSION},
		.why = "refusal and SYN-ACK of one connection come from different distances, and the refusal not from the destination's network, whose gateways speak for the server",
	},
	{
		.id = "session-closed-own", .layer = LAYER_SESSION,
		.need = B(F_CONNECTED) | B(F_CLOSED) | B(F_REPLY_OWN), .absent = B(F_PEER_DIFFERS),
		.state = STATE_NO_SERVICE, .mechanism = MECH_SESSION_CLOSE, .place = PLACE_DESTINATION,
		.culprit = CULPRIT_SERVER, .confidence = 0.9,
		.summary = "{target} accepts port {port} and closes the connection {stage}: every hop before it lets the same words pass.",
		.remedy = {"Often an access list of the server, or a service that is just starting: try again, then ask its administrator about {source}.", REMEDY_SUBMISSION},
		.why = "on a further connection the same words, with growing TTLs, drew an end only when they reached the target, from as far as its other packets",
	},
	{
		.id = "session-reply-untold", .layer = LAYER_SESSION,
		.need = B(F_CONNECTED) | B(F_GREETING_OK) | B(F_HELD_IN_VAIN), .absent = B(F_RESET) | B(F_CLOSED) | B(F_ANSWERED_ON_WAY) | B(F_PEER_DIFFERS),
		.state = STATE_INCONCLUSIVE, .mechanism = MECH_POLICY_REJECT, .place = PLACE_UNKNOWN,
		.culprit = CULPRIT_SERVER, .confidence = NOWHERE,
		.summary = "Port {port} is turned away, by {target} or by somebody on the way in its name: the same words, said again, did not show by whom. It said: {server-words}",
		.remedy = {"Try again; or compare from another network, where the server would say the same.", "{reply-meaning}", REMEDY_SUBMISSION},
		.why = "on a further connection the words that it was turned away for went out with growing TTLs, and no answer of that kind came, or too late to tell for which",
	},
	{
		.id = "session-reset-untold", .layer = LAYER_SESSION,
		.need = B(F_CONNECTED) | B(F_RESET) | B(F_HELD_IN_VAIN), .absent = B(F_RULE_STOPS_SESSION) | B(F_PEER_DIFFERS),
		.state = STATE_NO_SERVICE, .mechanism = MECH_SESSION_RESET, .place = PLACE_UNKNOWN,
		.culprit = CULPRIT_UNKNOWN, .confidence = NOWHERE,
		.summary = "Port {port} takes the connection and it is reset {stage}, by {target} or by somebody on the way: the same words, said again, did not show by whom.",
		.remedy = {"Try again; or compare from another network, where the server would do the same.", "Often an access list of the server (TCP wrappers, connection limit): ask its administrator about {source}.", REMEDY_SUBMISSION},
		.why = "on a further connection the words that it was reset for went out with growing TTLs, and no RST came, or too late to tell for which",
	},
	{
		.id = "session-close-untold", .layer = LAYER_SESSION,
		.need = B(F_CONNECTED) | B(F_CLOSED) | B(F_HELD_IN_VAIN), .absent = B(F_ANSWERED_ON_WAY) | B(F_PEER_DIFFERS),
		.state = STATE_NO_SERVICE, .mechanism = MECH_SESSION_CLOSE, .place = PLACE_UNKNOWN,
		.culprit = CULPRIT_UNKNOWN, .confidence = NOWHERE,
		.summary = "Port {port} takes the connection and it is closed {stage}, by {target} or by somebody on the way: the same words, said again, did not show by whom.",
		.remedy = {"Try again; or compare from another network, where the server would do the same.", "Often an access list of the server, or a service that is just starting: ask its administrator about {source}.", REMEDY_SUBMISSION},
		.why = "on a further connection the words that it was closed for went out with growing TTLs, and no FIN came, or too late to tell for which",
	},
};
/* clang-format on */

const struct rule_rows rules_forged = RULE_ROWS(rows);
