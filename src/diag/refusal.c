/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The words come from the server and prove nothing; what they usually mean is
 * told, and where one gets off a list. Lists are named by their own domains,
 * which servers quote (Postfix: "blocked using NAME", Exim: "is in a black list
 * at NAME"); the rest is the common wording of Postfix, Exim, Sendmail and the
 * large mail hosts.
 */
#include "diag/refusal.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct refusal {
	const char *words; /* alternatives with '|' between, in lower case; any will do */
	const char *meaning;
};

/* The first that fits counts: a list's name before "blocked", a reason before a code. */
static const struct refusal refusals[] = {
	/* ---- block lists, by name ---- */
	{"spamhaus.org/returnc/pub|error: open resolver",
	 "The server asks Spamhaus through a public resolver and takes the error for a listing: its administrator must mend that, this address need not be listed at all."},
	{"pbl.spamhaus|spamhaus.org/pbl|spamhaus pbl",
	 "Spamhaus PBL: the range of this address is meant for homes and other end users, who send through their provider or mail host with a login (ports 465, 587); nobody here did wrong. A mail server with a fixed address of its own gets off it at https://check.spamhaus.org/"},
	{"xbl.spamhaus|spamhaus.org/xbl|cbl.abuseat|abuseat.org",
	 "Spamhaus XBL/CBL: something behind this address behaves as if infected, or says EHLO with a bad name. Find and clean that first, else it is listed again; then https://check.spamhaus.org/"},
	{"sbl.spamhaus|spamhaus.org/sbl|css.spamhaus|spamhaus.org/css",
	 "Spamhaus SBL/CSS: spam was seen from this address or its network. What sends it must end; https://check.spamhaus.org/ tells who may ask for removal (for SBL the provider)."},
	{"spamhaus",
	 "A list of Spamhaus (ZEN is all of them in one): https://check.spamhaus.org/ tells which, and how to get off it. PBL means end-user range (send with a login through the provider), XBL infected, SBL or CSS spam seen."},
	{"spamcop", "SpamCop: spam was reported from this address. The listing ends by itself about a day after the last report: https://www.spamcop.net/bl.shtml"},
	{"barracudacentral|barracudanetworks.com/reputation",
	 "Barracuda's list: ask for removal at https://www.barracudacentral.org/rbl/removal-request, once what sent the spam is found."},
	{"sorbs.net", "SORBS was shut down in June 2024: the server asks a list that is no more, and its administrator should take it out."},
	{"uceprotect", "UCEPROTECT: level 1 is this address, and ends a week after the last spam; levels 2 and 3 are whole networks of its provider, which cannot be mended from here: https://www.uceprotect.net/en/rblcheck.php"},
	{"psbl.surriel|psbl.org", "PSBL: take the address off at https://psbl.org/ once what sent the spam is found."},
	{"abusix", "Abusix: look the address up and have it taken off at https://lookup.abusix.com/"},
	{"spamrats|rats-dyna|rats-noptr", "SpamRATS lists addresses without a name, or with one that looks like a home's (NoPtr, Dyna): mend the reverse name first, then https://spamrats.com/removal.php"},
	{"ipcheck.proofpoint|proofpoint.com/ip", "Proofpoint blocks this address: look it up and ask for removal at https://ipcheck.proofpoint.com/"},
	{"cloudmark", "Cloudmark rates this address badly: ask for a reset at https://csi.cloudmark.com/en/reset/"},
	{"sender.office.com|delist@messaging.microsoft|banned sending ip", "Microsoft 365 has banned this address: take it off at https://sender.office.com/"},
	{"(s3140)|(s3150)|sendersupport|mail.live.com/mail/troubleshooting", "Outlook.com blocks this address or its network: https://sendersupport.olc.protection.outlook.com/pm/ has the form for it."},
	{"talosintelligence|senderbase|ironport", "Cisco Talos rates this address badly: https://talosintelligence.com/reputation_center shows it, and takes disputes."},
	{"tosa@rx.t-online", "t-online.de takes mail only from addresses that it knows: its words name whom to write to; the name of this address (PTR) and a page with an imprint are what it asks for."},

	/* ---- reasons ---- */
	{"greylist|graylist|grey-list|gray-list|greylisted|postgrey",
	 "Greylisting: an unknown sender is put off once, and the same mail passes some minutes later. A mail server tries again by itself: nothing to mend."},
	{"cannot find your hostname|cannot find your reverse|reverse dns|reverse hostname|reverse lookup|reverse name|ptr record|ptr resource|no ptr|missing ptr|bad dns ptr|rdns|dns ptr",
	 "This address has no name in the reverse DNS (PTR), or one that does not lead back to it. Whoever owns the address sets that: ask the provider or hoster for a PTR of the mail server's own name, with that name pointing back; from a home connection send through the provider with a login."},
	{"dynamic|dialup|dial-up|residential|dynablock|dul.|generic ptr|generic reverse|home user|end-user|consumer",
	 "It takes no mail straight from addresses of homes and other end users: send through the provider's or mail host's server with a login (ports 465, 587)."},
	{"must issue a starttls|starttls first|starttls required|tls required|tls is required|requires tls|encryption required|encryption needed|require encryption",
	 "It takes mail only over an encrypted connection: switch on TLS (STARTTLS, or SSL/TLS on port 465) for this server."},
	{"too many|connection limit|connection rate|rate limit|ratelimit|throttl|concurrent connections|maximum number of connections|exceeded the",
	 "A limit on connections or mails from this address: open fewer at a time and wait; it lets go by itself. `--repeat 6 --interval 1` shows how many pass."},
	{"relay access denied|relaying denied|relay not permitted|relaying not allowed|not permitted to relay|unable to relay|no relaying",
	 "It takes no mail for that recipient's domain from strangers: log in (ports 465, 587), or ask the exchanger that DNS names for the recipient's domain."},
	{"authentication required|authentication is required|must authenticate|auth required|authenticate first|5.7.0 must|smtp auth",
	 "It wants a login first: use port 587 or 465 with user name and password."},
	{"helo command rejected|ehlo command rejected|invalid helo|helo name|helo/ehlo|ehlo argument|invalid ehlo|fully-qualified|bad helo|helo hostname",
	 "It dislikes the name said with EHLO: a server that sends mail says its own public name, which leads to its address. `--ehlo NAME` tries another one."},
	{"spf|dmarc|dkim",
	 "The sender's domain does not allow this address to send for it (SPF, DKIM, DMARC): send through that domain's own server, or have the address put into its records."},
	{"user unknown|unknown user|no such user|no such recipient|mailbox unavailable|mailbox not found|does not exist|5.1.1",
	 "The recipient's address does not exist there: check its spelling."},
	{"mailbox full|over quota|quota exceeded|5.2.2|4.2.2",
	 "The recipient's mailbox is full: only the recipient can mend that."},
	{"blocked using|block list|blocklist|blacklist|black list|black-list|dnsbl|rbl|reputation|is listed|listed at|listed in|listed by|listed on|blocked -|blocked by|spam source",
	 "This address is on a block list: the words above name it, or the server's administrator can. Look it up there, find what sent the spam, then ask for removal; from a home connection send through the provider with a login."},
};

struct code_meaning {
	int code;
	const char *meaning;
};

static const struct code_meaning codes[] = {
	{421, "421: the service is not available now; it may be overloaded, or limit connections from this address. Try again later; if it stays so, ask its administrator."},
	{450, "A temporary refusal: try again later; greylisting or a block list that is checked anew may lift it."},
	{451, "A temporary refusal: try again later; greylisting or a block list that is checked anew may lift it."},
	{454, "454: its TLS or login is out of order for now: try again later, or tell its administrator."},
	{521, "This host never accepts mail (RFC 7504): use the mail exchanger that DNS names for the domain."},
	{530, "530: it wants a login, or encryption, first: use port 587 or 465 with user name and password."},
	{535, "535: user name or password is wrong; some providers want an application password."},
	{550, "550: turned away by a rule of its own, as the words say; its administrator can tell which."},
	{554, "554: this address is not welcome (RFC 5321 3.1), usually by a block list, a dynamic-address list or a missing reverse name: check the address on the lists that the words above name."},
	{556, "This domain takes no mail (RFC 7504, a null MX): check the address for a typing error."},
};

static bool holds(const char *text, const char *word, size_t len)
{
	for (; *text; text++)
		if (strncasecmp(text, word, len) == 0)
			return true;
	return false;
}

static bool fits(const char *words, const char *text)
{
	for (;;) {
		size_t len = strcspn(words, "|");
		if (holds(text, words, len))
			return true;
		if (!words[len])
			return false;
		words += len + 1;
	}
}

const char *refusal_meaning(int code, const char *text)
{
	for (size_t i = 0; text && i < sizeof(refusals) / sizeof(refusals[0]); i++)
		if (fits(refusals[i].words, text))
			return refusals[i].meaning;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].code == code)
			return codes[i].meaning;
	return code >= 500 ? "A lasting refusal: its administrator can tell why; the words above are the server's own."
			   : "A temporary refusal: try again later; the words above are the server's own.";
}
