/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "diag/compare_rules.h"

#include <stddef.h>

#define B(f) CMP_BIT(CMP_##f)
#define ASK  "{ask}"
#define OTHER_WAY                                                                                  \
	"{other-way}", "{other-way-command}", "{other-way-undo}", "{other-way-undo-command}"

/* clang-format off */
const struct compare_rule compare_rule_table[] = {
	{
		.id = "undecided-everywhere", .need = B(UNDECIDED) | B(EVERY),
		.summary = "Port {port} was decided by none of the reports.",
		.next = {"Check again, with more time (-t 30)."},
		.why = "nothing follows from reports that do not decide",
	},
	{
		.id = "undecided", .need = B(UNDECIDED),
		.summary = "Port {port} was not decided {from-these}: that contradicts none of the others.",
		.why = "an undecided report says neither that a device stops the port nor that it lets it pass",
	},
	{
		.id = "open-everywhere", .need = B(OPEN) | B(EVERY),
		.summary = "Port {port} is open {from-these}.",
		.why = "all that decide agree",
	},
	{
		.id = "open", .need = B(OPEN),
		.summary = "Port {port} is open {from-these}.",
		.why = "told beside those that are not",
	},
	{
		.id = "host-everywhere", .need = B(HOST) | B(EVERY) | B(SEVERAL) | B(WAYS), .placed = true,
		.summary = "This machine stops port {port} itself, whichever way it is to leave: {who}.",
		.next = {"What to do about it is in each report. Another way out does not help until then."},
		.why = "each report names the machine itself",
	},
	{
		.id = "host", .need = B(HOST), .placed = true,
		.summary = "Port {port} is stopped {from-these} by the machine itself: {who}.{but-pass}",
		.next = {"What to do about it is in that report. It says nothing about the way beyond."},
		.why = "the report names the machine itself; what its packets would meet outside they did not show",
	},
	/* one machine by one way, and two answers: nothing but time lies between */
	{
		.id = "changed", .need = B(SAME_VANTAGE), .absent = B(WAYS) | B(SERVER),
		.summary = "Port {port} was {state} {from-these}, and at another time not, {same-way}: it has changed in between, or it comes and goes{gap}.",
		.next = {"Watch it: `smtpblame watch {target}` says when it changes, and tells limits and hours of the day."},
		.why = "two reports by the same way differ in nothing but their time",
	},
	{
		.id = "server-decides-by-source", .need = B(SERVER) | B(PASS), .placed = true,
		.summary = "The server itself answers {from-these} with \"{state}\" on port {port}, and serves it {from-passing}: it decides by the client's address, several servers share the address, or it has changed in between{gap}.",
		.next = {"Show the server's side both reports, and ask about {addresses}: block lists, rate limits and access rules work by address.", OTHER_WAY},
		.why = "the answer is the destination's own in one report, and another one in the other",
	},
	{
		.id = "server-alike", .need = B(SERVER), .placed = true,
		.summary = "The server itself answers {from-these} with \"{state}\" on port {port}.",
		.next = {"Another way to it does not help: it is the server's side that has to change."},
		.why = "the answer is the destination's own in each of these reports",
	},
	/* another report passes where this one is stopped */
	{
		.id = "gateway-by-client", .need = B(CONTRADICTED) | B(ONE_NAT), .at_gateway = true, .confidence = 0.8,
		.summary = "Port {port} is {state} {from-these} and passes {from-passing}, through the same gateway {gateway} and under the same address outside ({nat}): what lies behind the gateway can't tell the two apart. So the gateway has probably a rule for {addresses}{gap}.",
		.next = {"Look in {gateway} for a rule about {addresses} and port {port}: a site's firewall often lets its mail server alone out on port 25."},
		.why = "address translation hides from everybody behind the gateway which machine it is; what is left is a change in the time between, and the machine's own cable",
	},
	{
		.id = "decided-by-source", .need = B(CONTRADICTED),
		.summary = "Port {port} is {state} {from-these}, but the devices in question ({cleared}) let it pass {from-passing}. So one of them decides by source address, or it has changed in between{gap}: no place follows.",
		.next = {"Check again from both at the same time.", "If it stays: ask who runs {cleared} for a rule about {addresses}."},
		.why = "a device that passes a port for one source and stops it for another can't be told from one that has been changed",
	},
	{
		.id = "destination-by-source", .need = B(RANGE) | B(PASS) | B(FAR_SIDE), .absent = B(FAMILY), .placed = true,
		.summary = "The destination's side lets port {port} in {from-passing} and stops it {from-these} ({where}): it decides by source address, or it has changed in between{gap}.",
		.next = {"Ask the destination's side whether it blocks {addresses}: fail2ban, a block by country, a list.", OTHER_WAY},
		.why = "all suspects are the destination's, whose service is up for others",
	},
	{
		.id = "by-one-family", .need = B(RANGE) | B(FAMILY), .placed = true,
		.summary = "Port {port} is {state} over {family} only: {where}. Over {other-family} it is open.",
		.next = {"Mail gets through over {other-family} meanwhile. Postfix: `postconf -e smtp_address_preference={other-family-word}`, then `postfix reload`.", ASK},
		.why = "the two families have routers and filters of their own, so one says nothing about the devices of the other",
	},
	{
		.id = "by-one-family-unplaced", .need = B(UNPLACED) | B(FAMILY),
		.summary = "Port {port} is {state} over {family} only; where, the reports do not say. Over {other-family} it is open.",
		.next = {"Mail gets through over {other-family} meanwhile. Postfix: `postconf -e smtp_address_preference={other-family-word}`, then `postfix reload`."},
		.why = "the two families have routers and filters of their own",
	},
	{
		.id = "by-one-way", .need = B(RANGE) | B(PASS) | B(WAYS), .placed = true,
		.summary = "Port {port} is {state} {from-these} only: {where}. {Passing} it is {passing-state}.",
		.next = {OTHER_WAY, ASK},
		.why = "one machine, two ways: what differs is the way. The devices that the open one passes are left out of the range",
	},
	{
		.id = "shared-by-these", .need = B(RANGE) | B(PASS) | B(SEVERAL), .placed = true,
		.summary = "Port {port} is {state} {from-these} and {passing-state} {from-passing}. What stops the former lies {where}{if-one}.",
		.next = {ASK},
		.why = "ranges of several reports overlap in these devices; that one device explains all of them is at least three times as likely as two by chance",
	},
	{
		.id = "not-where-others-pass", .need = B(RANGE) | B(PASS) | B(NARROWED), .placed = true,
		.summary = "Port {port} is {state} {from-these} and {passing-state} {from-passing}, which passes {cleared}. What is left lies {where}.",
		.next = {ASK},
		.why = "a device that passes this port to this target, in and out by the same links, stops it for others only where it decides by source address",
	},
	{
		.id = "stopped-here-open-there", .need = B(RANGE) | B(PASS), .placed = true,
		.summary = "Port {port} is {state} {from-these}: {where}. {Passing} it is {passing-state}.",
		.next = {ASK},
		.why = "the other report does not go by these devices, in and out by the same links, so it clears none of them; it shows that the destination serves the port",
	},
	/* nothing passes */
	{
		.id = "destination-side", .need = B(RANGE) | B(EVERY) | B(SEVERAL) | B(FAR_SIDE), .placed = true,
		.summary = "Port {port} is {state} {from-these}, at the end that their ways share: {where}{if-one}. That is the destination's side; no other way there helps.",
		.next = {"Tell who runs {target}: none of several networks gets through."},
		.why = "ranges of several reports overlap in the destination's own devices",
	},
	{
		.id = "same-for-all", .need = B(RANGE) | B(EVERY) | B(SEVERAL), .placed = true,
		.summary = "Port {port} is {state} {from-these}, where their ways are one: {where}{if-one}.",
		.next = {ASK, "A way that does not lead through there would tell, and help."},
		.why = "ranges of several reports overlap in these devices",
	},
	{
		.id = "one-or-several", .need = B(RANGE) | B(MAYBE_MORE), .placed = true,
		.summary = "Port {port} is {state} {from-these}: {where}. Whether the same device stops the others, too, the reports do not say.",
		.next = {ASK, "Compare with a report by a way that avoids what they share."},
		.why = "the ranges overlap, but are so wide that two devices are as likely as one",
	},
	{
		.id = "place-of-its-own", .need = B(RANGE), .absent = B(EVERY), .placed = true,
		.summary = "Port {port} is {state} {from-these} at a place of its own: {where}.",
		.next = {ASK},
		.why = "the ranges have no device in common",
	},
	{
		.id = "alone", .need = B(RANGE), .placed = true,
		.summary = "Port {port} is {state} {from-these}: {where}. No other report decides.",
		.next = {ASK},
		.why = "there is nothing to compare with",
	},
	{
		.id = "unplaced-open-there", .need = B(UNPLACED) | B(PASS),
		.summary = "Port {port} is {state} {from-these} and {passing-state} {from-passing}; where it is stopped, the reports do not say.",
		.next = {OTHER_WAY, "Check again {from-these} without --no-path, and with more time (-t 30): that may tell where."},
		.why = "without a place there is no range to narrow",
	},
	{
		.id = "unplaced", .need = B(UNPLACED),
		.summary = "Port {port} is {state} {from-these}; where, the reports do not say.",
		.next = {"Check again without --no-path, and with more time (-t 30)."},
		.why = "without a place there is no range to narrow",
	},
};
/* clang-format on */

const unsigned compare_rule_count = sizeof(compare_rule_table) / sizeof(compare_rule_table[0]);

const struct compare_rule *compare_rule_for(uint32_t facts)
{
	for (unsigned i = 0; i < compare_rule_count; i++) {
		const struct compare_rule *r = &compare_rule_table[i];
		if ((facts & r->need) == r->need && !(facts & r->absent))
			return r;
	}
	return NULL;
}

static const struct {
	const char *name, *text;
} facts[CMP_FACT_COUNT] = {
	[CMP_OPEN] = {"open", "these are open"},
	[CMP_UNDECIDED] = {"undecided", "these are inconclusive"},
	[CMP_HOST] = {"host", "these are stopped by the machine that they were made on"},
	[CMP_SERVER] = {"server", "the destination itself refuses, turns away or gives no service"},
	[CMP_RANGE] = {"range", "these are stopped on the way, within a range of devices"},
	[CMP_CONTRADICTED] = {"contradicted",
			      "the same, and another report passed nearly all of that range"},
	[CMP_UNPLACED] = {"unplaced", "these are stopped, and their reports do not say where"},
	[CMP_EVERY] = {"every", "no other report decides anything else about the port"},
	[CMP_SEVERAL] = {"several", "these are two or more"},
	[CMP_WAYS] = {"ways", "all reports are of one call on one machine, by several ways out"},
	[CMP_PASS] = {"pass", "in another report the port is open, or at least the server talks"},
	[CMP_FAMILY] =
		{"family",
		 "all these are over IPv4 and all that pass over IPv6, or the other way round"},
	[CMP_SAME_VANTAGE] = {"same-vantage",
			      "one that passes is of the same machine, by the same way"},
	[CMP_ONE_NAT] = {"one-nat", "one that passes is of another machine behind the same "
				    "gateway, seen outside under the same address"},
	[CMP_FAR_SIDE] = {"far-side", "all suspects are the destination's or its network's"},
	[CMP_JOINED] = {"joined", "the range is what several reports share"},
	[CMP_NARROWED] = {"narrowed", "devices that another report passed have been taken out"},
	[CMP_MAYBE_MORE] = {"maybe-more", "the ranges of other stopped reports overlap, without "
					  "showing that it is one device"},
};

const char *compare_fact_name(enum compare_fact f)
{
	return facts[f].name;
}

const char *compare_fact_text(enum compare_fact f)
{
	return facts[f].text;
}
