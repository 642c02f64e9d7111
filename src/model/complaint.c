/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/complaint.h"

const char *complaint_stage(enum session_stage stage)
{
	static const char *const words[STAGE_COUNT] = {
		[STAGE_GREETING] = "before a greeting", [STAGE_EHLO] = "after EHLO",
		[STAGE_STARTTLS] = "after STARTTLS",    [STAGE_TLS] = "in the TLS handshake",
		[STAGE_EHLO_TLS] = "after EHLO inside TLS", [STAGE_AUTH] = "after AUTH",
		[STAGE_MAIL] = "after MAIL FROM",       [STAGE_RCPT] = "after RCPT TO",
		[STAGE_DATA] = "after DATA",            [STAGE_MESSAGE] = "after the message",
		[STAGE_QUIT] = "after QUIT",
		[STAGE_UNOFFERED] = "after QUIT",
	};

	return words[stage];
}

bool complaint_is_block(const struct complaint *c)
{
	switch (c->mechanism) {
	case MECH_LOCAL_ERROR:
	case MECH_SILENT_DROP:
	case MECH_TCP_RESET:
	case MECH_ICMP_UNREACHABLE:
	case MECH_UNKNOWN: return c->passed_first == 0;
	case MECH_INTERCEPTION:
	case MECH_SMTP_MANGLED:
	case MECH_STARTTLS_STRIPPED:
	case MECH_TLS_INTERCEPTED:
	case MECH_SESSION_RESET:
	case MECH_SESSION_CLOSE:
	case MECH_SESSION_STALL:
	case MECH_NOT_SMTP:
	case MECH_TLS_FAILED:
	case MECH_POLICY_REJECT:
	case MECH_COUNT: break;
	}
	return false;
}

/* What becomes of a connection beyond the limit. */
static const char *beyond(const struct complaint *c)
{
	switch (c->mechanism) {
	case MECH_SILENT_DROP: return "further SYNs are dropped";
	case MECH_TCP_RESET: return "further SYNs are answered with a RST";
	case MECH_ICMP_UNREACHABLE: return "further SYNs are answered with an ICMP error";
	case MECH_POLICY_REJECT: return "further ones are turned away";
	default: return "further ones are stopped";
	}
}

static const char *at_stage(struct arena *a, const struct complaint *c)
{
	return c->session.known ? arena_printf(a, " %s", complaint_stage(c->session.stage)) : "";
}

const char *complaint_subject(struct arena *a, const struct complaint *c)
{
	if (c->passed_first)
		return c->passed_first > 1 ? arena_printf(a, "only the first %u connections pass", c->passed_first)
					   : "only the first connection passes";
	switch (c->mechanism) {
	case MECH_SMTP_MANGLED: return "SMTP dialogue altered";
	case MECH_STARTTLS_STRIPPED: return "STARTTLS taken out";
	case MECH_TLS_INTERCEPTED: return "certificate replaced";
	case MECH_SESSION_RESET: return arena_printf(a, "sessions reset%s", at_stage(a, c));
	case MECH_SESSION_CLOSE: return arena_printf(a, "sessions closed%s", at_stage(a, c));
	case MECH_SESSION_STALL:
		return c->session.by_size ? "large packets get lost"
					  : arena_printf(a, "sessions stall%s", at_stage(a, c));
	default: return NULL;
	}
}

const char *complaint_what(struct arena *a, const struct complaint *c)
{
	const char *is = c->several ? "are" : "is";

	if (c->passed_first)
		return arena_printf(a, "on %s only the first %sconnection%s pass%s, then %s", c->ports,
				    c->passed_first > 1 ? arena_printf(a, "%u ", c->passed_first) : "",
				    c->passed_first > 1 ? "s" : "", c->passed_first > 1 ? "" : "es",
				    beyond(c));
	switch (c->mechanism) {
	case MECH_INTERCEPTION:
		return arena_printf(a, "connections to %s are answered by somebody else than the server", c->ports);
	case MECH_SMTP_MANGLED:
		return arena_printf(a, "the SMTP dialogue on %s is altered, or answered in the server's name", c->ports);
	case MECH_STARTTLS_STRIPPED:
		return arena_printf(a, "STARTTLS is taken out of the SMTP dialogue on %s", c->ports);
	case MECH_TLS_INTERCEPTED:
		return arena_printf(a, "the server's certificate on %s is replaced by another one", c->ports);
	case MECH_SESSION_RESET:
		return arena_printf(a, "sessions on %s are reset%s", c->ports, at_stage(a, c));
	case MECH_SESSION_CLOSE:
		return arena_printf(a, "sessions on %s are closed%s", c->ports, at_stage(a, c));
	case MECH_SESSION_STALL:
		return c->session.by_size
			       ? arena_printf(a, "sessions on %s stall%s, because large packets get lost",
					      c->ports, at_stage(a, c))
			       : arena_printf(a, "sessions on %s stall%s", c->ports, at_stage(a, c));
	case MECH_NOT_SMTP: return arena_printf(a, "what answers on %s does not speak SMTP", c->ports);
	case MECH_TLS_FAILED: return arena_printf(a, "TLS fails on %s", c->ports);
	case MECH_POLICY_REJECT: return arena_printf(a, "we are turned away on %s", c->ports);
	case MECH_LOCAL_ERROR:
	case MECH_SILENT_DROP:
	case MECH_TCP_RESET:
	case MECH_ICMP_UNREACHABLE:
	case MECH_UNKNOWN:
	case MECH_COUNT: break;
	}
	return arena_printf(a, "%s %s stopped", c->ports, is);
}

const char *complaint_passes(const struct complaint *c)
{
	if (complaint_is_block(c) || c->passed_first)
		return "";
	switch (c->mechanism) {
	case MECH_SESSION_RESET:
	case MECH_SESSION_CLOSE:
	case MECH_SESSION_STALL:
		if (!c->session.known || c->session.stage == STAGE_GREETING ||
		    ((c->session.tls_first || c->mixed) && c->session.stage == STAGE_TLS))
			return "The connection itself is accepted: that it can be made shows nothing.";
		if (c->session.stage == STAGE_STARTTLS || c->session.stage == STAGE_TLS)
			return c->several ? "The ports are open and greet, and SMTP without TLS passes: that they greet "
					    "shows nothing."
					  : "The port is open and greets, and SMTP without TLS passes: that it greets "
					    "shows nothing.";
		return c->several ? "The ports are open, and what is said before passes: that they greet shows nothing."
				  : "The port is open, and what is said before passes: that it greets shows nothing.";
	case MECH_SMTP_MANGLED:
	case MECH_STARTTLS_STRIPPED:
	case MECH_TLS_INTERCEPTED:
		return c->several ? "The ports are open: that they answer shows nothing."
				  : "The port is open: that it answers shows nothing.";
	default: return "";
	}
}

const char *complaint_request(const struct complaint *c)
{
	if (c->passed_first)
		return "raise that limit for this address";
	switch (c->mechanism) {
	case MECH_INTERCEPTION: return "let these connections go to the server itself";
	case MECH_SMTP_MANGLED: return "leave what the two ends say to each other as it is";
	case MECH_STARTTLS_STRIPPED: return "leave STARTTLS in what the server says";
	case MECH_TLS_INTERCEPTED: return "let TLS go to the server itself, unopened";
	case MECH_SESSION_RESET: return "stop that";
	case MECH_SESSION_CLOSE: return "stop that";
	case MECH_SESSION_STALL:
		return c->session.by_size ? "let packets of every size pass, or ICMP tell which do"
					  : "let these sessions go on";
	default: return "mend that";
	}
}

const char *complaint_command(struct arena *a, const struct complaint *c)
{
	char text[ADDR_TEXT_MAX];
	const char *target = addr_text(&c->target, text);
	bool v6 = c->target.family == ADDR_V6;
	bool tls = c->session.tls_first || c->mechanism == MECH_TLS_INTERCEPTED ||
		   c->mechanism == MECH_TLS_FAILED ||
		   (c->session.known && c->session.stage >= STAGE_STARTTLS &&
		    c->session.stage <= STAGE_EHLO_TLS && c->mechanism != MECH_STARTTLS_STRIPPED);

	if (complaint_is_block(c) || (c->mechanism == MECH_POLICY_REJECT && !c->passed_first))
		return "";
	if (c->passed_first)
		return arena_printf(a, "seq %u | xargs -I_ nc -zvw5 %s %u",
				    c->passed_first + 3, target, c->port);
	if (tls)
		return arena_printf(a, "openssl s_client%s -connect %s%s%s:%u",
				    c->session.tls_first ? "" : " -starttls smtp", v6 ? "[" : "", target,
				    v6 ? "]" : "", c->port);
	return arena_printf(a, "telnet %s %u", target, c->port);
}

const char *complaint_then(const struct complaint *c)
{
	if (c->passed_first)
		return "";
	switch (c->mechanism) {
	case MECH_TLS_INTERCEPTED: return ", and look at who issued the certificate";
	case MECH_STARTTLS_STRIPPED: return ", then EHLO: no STARTTLS in the reply, where the server offers it";
	case MECH_SMTP_MANGLED:
		return ", then EHLO, MAIL FROM and RCPT TO: the replies are not what the server itself says elsewhere";
	case MECH_INTERCEPTION: return ": what greets is not the server";
	case MECH_SESSION_RESET:
	case MECH_SESSION_CLOSE:
	case MECH_SESSION_STALL: break;
	default: return "";
	}
	if (!c->session.known)
		return "";
	switch (c->session.stage) {
	case STAGE_EHLO: return ", then EHLO";
	case STAGE_EHLO_TLS: return ", then EHLO";
	case STAGE_AUTH: return ", then EHLO and AUTH";
	case STAGE_MAIL: return ", then EHLO and MAIL FROM";
	case STAGE_RCPT: return ", then EHLO, MAIL FROM and RCPT TO";
	case STAGE_DATA:
	case STAGE_MESSAGE: return ", then a mail";
	default: return "";
	}
}
