/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/phrase.h"

#include <string.h>

#include "base/text.h"

bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static const char *or_unnamed(const char *s)
{
	return s && *s ? s : "?";
}

const char *phrase_mechanism(enum mechanism m)
{
	switch (m) {
	case MECH_LOCAL_ERROR: return "refused before a packet left this machine";
	case MECH_SILENT_DROP: return "packets vanish without an answer";
	case MECH_TCP_RESET: return "the connection is refused with a RST";
	case MECH_ICMP_UNREACHABLE: return "turned away with an ICMP message";
	case MECH_INTERCEPTION: return "somebody else answers in the destination's place";
	case MECH_SMTP_MANGLED: return "the SMTP conversation is altered on the way";
	case MECH_STARTTLS_STRIPPED: return "the offer to encrypt (STARTTLS) is taken out";
	case MECH_TLS_INTERCEPTED: return "the encryption is opened on the way";
	case MECH_SESSION_RESET: return "the connection is reset after it was established";
	case MECH_SESSION_CLOSE: return "the connection is closed after it was established";
	case MECH_SESSION_STALL: return "the connection goes silent after it was established";
	case MECH_NOT_SMTP: return "what answers does not speak SMTP";
	case MECH_TLS_FAILED: return "TLS fails";
	case MECH_POLICY_REJECT: return "the server turns us away";
	case MECH_UNKNOWN: return "what happens is not clear";
	case MECH_COUNT: break;
	}
	return "";
}

const char *phrase_what(const struct report *r, const struct report_port *p, unsigned index)
{
	enum mechanism m = p->findings[index].mechanism;

	if (r->inspect && p->would == WOULD_MAYBE)
		return "only a packet can tell"; /* without one nothing has vanished yet */
	if (p->state == STATE_REFUSED && m == MECH_TCP_RESET)
		return "nothing listens there, the destination itself answers so (RST)";
	if (p->state == STATE_REFUSED && m == MECH_ICMP_UNREACHABLE)
		return "nothing listens there, the destination itself answers so (ICMP)";
	if (m == MECH_SESSION_STALL && p->findings[index].session.by_size)
		return "small packets pass, large ones get lost on the way";
	return phrase_mechanism(m);
}

static int percent_of(double confidence)
{
	int percent = (int)(confidence * 100 + 0.5);

	return percent >= 100 && confidence < 1 ? 99 : percent;
}

const char *phrase_percent(struct arena *a, double confidence)
{
	return arena_printf(a, "%d%%", percent_of(confidence));
}

/* Words of estimative probability by ICD 203 (ODNI, 2015), section D.6.e.(2)(a). */
const char *phrase_confidence(struct arena *a, double confidence)
{
	static const struct {
		double least;
		const char *words;
	} scale[] = {
		{1.00, "certain"},
		{0.95, "almost certain"},
		{0.80, "very likely"},
		{0.55, "likely"},
		{0.45, "an even chance"},
		{0.20, "unlikely"},
		{0.00, "very unlikely"},
	};

	for (unsigned i = 0; i < sizeof(scale) / sizeof(scale[0]); i++)
		if (confidence >= scale[i].least)
			return arena_printf(a, "%s (%s)", scale[i].words,
					    phrase_percent(a, confidence));
	return "not known";
}

const char *phrase_place(struct arena *a, const struct report_vantage *v, enum place p)
{
	char text[ADDR_TEXT_MAX];

	switch (p) {
	case PLACE_HOST: return "this machine";
	case PLACE_GATEWAY:
		if (!addr_is_set(&v->gateway))
			return "your gateway";
		return arena_printf(a, "your gateway %s", addr_text(&v->gateway, text));
	case PLACE_ISP:
		if (v->tunnel && v->interface)
			return arena_printf(a, "the provider behind the tunnel %s", v->interface);
		return "your provider";
	case PLACE_TRANSIT: return "transit";
	case PLACE_DESTINATION_NETWORK: return "the destination's network";
	case PLACE_DESTINATION: return "the destination itself";
	case PLACE_UNKNOWN:
	case PLACE_COUNT: break;
	}
	return "unknown";
}

static const char *hop_words(struct arena *a, const struct hop_end *end)
{
	char text[ADDR_TEXT_MAX];

	if (end->ttl == 0)
		return "this machine";
	return arena_printf(a, "hop %u (%s)", end->ttl,
			    addr_is_set(&end->address) ? addr_text(&end->address, text) : "silent");
}

const char *phrase_hops(struct arena *a, const struct finding *f, bool with_addresses)
{
	if (!f->has_hop || f->hop_to.ttl == 0)
		return NULL;
	if (f->hop_from.ttl == f->hop_to.ttl)
		return with_addresses ? hop_words(a, &f->hop_to)
				      : arena_printf(a, "hop %u", f->hop_to.ttl);
	if (!with_addresses && f->hop_from.ttl == 0)
		return arena_printf(a, "up to hop %u", f->hop_to.ttl);
	if (!with_addresses)
		return arena_printf(a, "hop %u to %u", f->hop_from.ttl, f->hop_to.ttl);
	/* the device may be `to` itself: "between" would leave that out */
	return arena_printf(a, "past %s, no farther than %s", hop_words(a, &f->hop_from),
			    hop_words(a, &f->hop_to));
}

const char *phrase_rest(struct arena *a, const struct finding *f)
{
	bool others = f->place == PLACE_UNKNOWN, unsure = f->confidence < CONFIDENCE_SURE;
	int rest = 100;

	for (unsigned i = 0; i < f->n_candidates; i++) {
		rest -= percent_of(f->candidates[i].confidence);
		others |= f->candidates[i].place != f->place;
	}
	return f->n_candidates && rest > 0 && (others || unsure) ? arena_printf(a, "not known where (%d%%)", rest)
								 : NULL;
}

const struct candidate *phrase_second(const struct finding *f)
{
	if (f->place == PLACE_UNKNOWN || f->confidence >= CONFIDENCE_LIKELY)
		return NULL;
	for (unsigned i = 0; i < f->n_candidates; i++)
		if (f->candidates[i].place != f->place && f->candidates[i].confidence >= CONFIDENCE_WORTH)
			return &f->candidates[i];
	return NULL;
}

const char *phrase_where(struct arena *a, const struct report *r, const struct finding *f)
{
	const struct candidate *second = phrase_second(f);
	const char *place = phrase_place(a, &r->vantage, f->place);

	return second ? arena_printf(a, "%s or %s", place, phrase_place(a, &r->vantage, second->place)) : place;
}

/* iptables numbers its rules from 1; what a chain does behind the last one has no number. */
static bool is_policy(const struct culprit *c)
{
	return c->number == 0;
}

/* A queueing discipline drops by itself, without any filter. */
static const char *tc_words(const struct culprit *c)
{
	return c->text && strncmp(c->text, "qdisc ", 6) == 0 ? "queueing discipline" : "tc filter";
}

const char *phrase_culprit_brief(struct arena *a, const struct culprit *c)
{
	switch (c->kind) {
	case CULPRIT_NFT_RULE: return "nftables rule";
	case CULPRIT_NFT_POLICY: return "nftables policy";
	case CULPRIT_IPTABLES_RULE: return is_policy(c) ? "iptables policy" : "iptables rule";
	case CULPRIT_ROUTE: return "routing";
	case CULPRIT_IP_RULE: return "ip rule";
	case CULPRIT_NEIGHBOUR: return "neighbour";
	case CULPRIT_LINK: return arena_printf(a, "link %s", or_unnamed(c->interface));
	case CULPRIT_SYSCTL: return "sysctl";
	case CULPRIT_CONNTRACK: return "connection tracking";
	case CULPRIT_TC: return tc_words(c);
	case CULPRIT_XDP: return "XDP program";
	case CULPRIT_CGROUP_BPF: return "cgroup BPF program";
	case CULPRIT_LSM: return "security module";
	case CULPRIT_KERNEL_DROP: return "kernel";
	case CULPRIT_MIDDLEBOX: return "middlebox";
	case CULPRIT_SERVER: return c->code ? arena_printf(a, "code %d", c->code) : NULL;
	case CULPRIT_HOP:
	case CULPRIT_UNKNOWN:
	case CULPRIT_COUNT: break;
	}
	return NULL;
}

static const char *nft_chain(struct arena *a, const struct culprit *c)
{
	return arena_printf(a, "table %s %s, chain %s (hook %s)", or_unnamed(c->family),
			    or_unnamed(c->table), or_unnamed(c->chain), or_unnamed(c->hook));
}

static const char *program(struct arena *a, const char *what, const struct culprit *c)
{
	if (c->interface)
		what = arena_printf(a, "%s on %s", what, c->interface);
	else if (c->cgroup)
		what = arena_printf(a, "%s of cgroup %s", what, c->cgroup);
	if (c->name)
		what = arena_printf(a, "%s, %s", what, c->name);
	return c->id ? arena_printf(a, "%s, id %u", what, (unsigned)c->id) : what;
}

static const char *device(struct arena *a, const char *what, const struct culprit *c)
{
	char text[ADDR_TEXT_MAX];

	if (addr_is_set(&c->address))
		what = arena_printf(a, "%s %s", what, addr_text(&c->address, text));
	else
		what = arena_printf(a, "a %s of unknown address", what);
	if (c->ttl)
		what = arena_printf(a, "%s, hop %u", what, c->ttl);
	if (c->asn)
		what = arena_printf(a, "%s, AS%u", what, (unsigned)c->asn);
	return c->as_name ? arena_printf(a, "%s (%s)", what, c->as_name) : what;
}

static const char *culprit_words(struct arena *a, const struct culprit *c)
{
	char text[ADDR_TEXT_MAX];

	switch (c->kind) {
	case CULPRIT_NFT_RULE:
		return arena_printf(a, "nftables rule in %s, handle %llu, verdict %s",
				    nft_chain(a, c), (unsigned long long)c->handle,
				    or_unnamed(c->verdict));
	case CULPRIT_NFT_POLICY:
		return arena_printf(a, "policy of the nftables %s", nft_chain(a, c));
	case CULPRIT_IPTABLES_RULE:
		if (is_policy(c))
			return arena_printf(a, "policy of iptables' table %s, chain %s",
					    or_unnamed(c->table), or_unnamed(c->chain));
		return arena_printf(a, "iptables rule %u in table %s, chain %s", c->number,
				    or_unnamed(c->table), or_unnamed(c->chain));
	case CULPRIT_ROUTE:
		/* "none": there is no route, and no table to name */
		return arena_printf(a, "routing: %s%s%s", or_unnamed(c->type),
				    c->table ? ", table " : "", c->table ? c->table : "");
	case CULPRIT_IP_RULE:
		return arena_printf(a, "ip rule, priority %u", (unsigned)c->priority);
	case CULPRIT_NEIGHBOUR:
		return arena_printf(a, "neighbour %s on %s is %s",
				    addr_is_set(&c->address) ? addr_text(&c->address, text) : "?",
				    or_unnamed(c->interface), or_unnamed(c->state));
	case CULPRIT_LINK:
		return arena_printf(a, "link %s is %s", or_unnamed(c->interface),
				    or_unnamed(c->state));
	case CULPRIT_SYSCTL:
		return arena_printf(a, "sysctl %s = %s", or_unnamed(c->name),
				    or_unnamed(c->value));
	case CULPRIT_CONNTRACK: return "connection tracking";
	case CULPRIT_TC: return program(a, tc_words(c), c);
	case CULPRIT_XDP: return program(a, "XDP program", c);
	case CULPRIT_CGROUP_BPF: return program(a, "BPF program", c);
	case CULPRIT_LSM: return program(a, "security module", c);
	case CULPRIT_KERNEL_DROP:
		return arena_printf(a, "the kernel, reason %s in %s", or_unnamed(c->reason),
				    or_unnamed(c->function));
	case CULPRIT_HOP: return device(a, "router", c);
	case CULPRIT_MIDDLEBOX: return device(a, "middlebox", c);
	case CULPRIT_SERVER:
		return c->code ? arena_printf(a, "the server, code %d", c->code) : "the server";
	case CULPRIT_UNKNOWN:
	case CULPRIT_COUNT: break;
	}
	return "not known";
}

/* An end of a range: the device there, or the target itself. */
static const char *end_words(struct arena *a, const struct report *r, const struct hop_end *end)
{
	char text[ADDR_TEXT_MAX];

	if (addr_is_set(&end->address) && addr_equal(&end->address, &r->target))
		return arena_printf(a, "the destination %s", addr_text(&end->address, text));
	return hop_words(a, end);
}

/* "; hop 2 is of AS64500 (Example Access)" */
static const char *as_words(struct arena *a, const struct culprit *c)
{
	if (!c->asn || !c->ttl)
		return "";
	return arena_printf(a, "; hop %u is of AS%u%s%s%s", c->ttl, (unsigned)c->asn, c->as_name ? " (" : "",
			    c->as_name ? c->as_name : "", c->as_name ? ")" : "");
}

const char *phrase_who(struct arena *a, const struct report *r, const struct finding *f)
{
	const struct hop_end *from = &f->hop_from, *to = &f->hop_to;
	bool device = f->culprit.kind == CULPRIT_HOP || f->culprit.kind == CULPRIT_MIDDLEBOX;

	if (device && f->has_hop && from->ttl == 0 && to->ttl > 0)
		return arena_printf(a, "not known exactly: %s, or a device before it", end_words(a, r, to));
	if (device && f->has_hop && from->ttl < to->ttl)
		return arena_printf(a, "not known exactly: %s, %s or a device between them%s",
				    end_words(a, r, from), end_words(a, r, to), as_words(a, &f->culprit));
	return culprit_words(a, &f->culprit);
}

bool phrase_culprit_is_code(enum culprit_kind k)
{
	switch (k) {
	case CULPRIT_NFT_RULE:
	case CULPRIT_IPTABLES_RULE:
	case CULPRIT_ROUTE:
	case CULPRIT_IP_RULE:
	case CULPRIT_TC:
	case CULPRIT_XDP:
	case CULPRIT_CGROUP_BPF:
		return true;
	case CULPRIT_NFT_POLICY:
	case CULPRIT_NEIGHBOUR:
	case CULPRIT_LINK:
	case CULPRIT_SYSCTL:
	case CULPRIT_CONNTRACK:
	case CULPRIT_LSM:
	case CULPRIT_KERNEL_DROP:
	case CULPRIT_HOP:
	case CULPRIT_MIDDLEBOX:
	case CULPRIT_SERVER:
	case CULPRIT_UNKNOWN:
	case CULPRIT_COUNT:
		break;
	}
	return false;
}

const char *phrase_state(const struct report *r, const struct report_port *p)
{
	if (!r->inspect)
		return state_name(p->state);
	switch (p->would) {
	case WOULD_STOP: return "stopped";
	case WOULD_REDIRECT: return "redirected";
	case WOULD_MAYBE: return "unknown";
	case WOULD_PASS: break;
	}
	return "passes";
}

const char *phrase_ms(struct arena *a, double ms)
{
	if (ms < 10)
		return arena_printf(a, "%.1f ms", ms);
	if (ms < 1000)
		return arena_printf(a, "%.0f ms", ms);
	return arena_printf(a, "%.1f s", ms / 1000);
}

const char *phrase_list(struct arena *a, const char *const *strings, unsigned n)
{
	const char *all = "";

	for (unsigned i = 0; i < n; i++)
		all = arena_printf(a, "%s%s%s", all, i ? ", " : "", strings[i]);
	return all;
}

const char *phrase_times(struct arena *a, const struct report_port *p)
{
	const char *all = "";

	if (p->connect_ms >= 0)
		all = arena_printf(a, "connect %s", phrase_ms(a, p->connect_ms));
	if (p->banner_ms >= 0)
		all = arena_printf(a, "%s%sgreeting %s", all, *all ? ", " : "",
				   phrase_ms(a, p->banner_ms));
	if (p->tls_ms >= 0)
		all = arena_printf(a, "%s%sTLS %s", all, *all ? ", " : "", phrase_ms(a, p->tls_ms));
	return all;
}

const char *phrase_target(struct arena *a, const struct report *r)
{
	char text[ADDR_TEXT_MAX];
	const char *address =
		addr_is_set(&r->target) ? arena_strdup(a, addr_text(&r->target, text)) : NULL;
	const char *name = r->target_name;
	const char *one;

	if (!name || same_text(name, address)) /* a literal, "[::1]" perhaps */
		return address ? address : r->target_input ? r->target_input : "(no target)";
	one = address ? arena_printf(a, "%s [%s]", name, address) : name;
	/* a mail domain: name its exchanger, but begin with what the user typed */
	if (r->target_input && !same_text(r->target_input, name) &&
	    !same_text(r->target_input, address))
		one = arena_printf(a, "%s, %s", r->target_input, one);
	return one;
}

const char *phrase_way(struct arena *a, const char *way)
{
	struct addr source;

	return arena_printf(a, "%s %s", addr_parse(&source, way) ? "from" : "through",
			    text_clean(a, way, strlen(way), strlen(way)));
}

const char *phrase_target_and_way(struct arena *a, const struct report *r)
{
	const char *target = phrase_target(a, r);

	return r->way ? arena_printf(a, "%s %s", target, phrase_way(a, r->way)) : target;
}

const char *phrase_encryption(struct arena *a, const struct report_port *p)
{
	const struct report_smtp *s = &p->smtp;
	bool tls = s->has_tls && s->tls.version;

	if (!p->has_smtp || (!tls && !s->starttls))
		return NULL;
	if (!tls)
		return same_text(s->starttls, "offered") ? "STARTTLS is offered" : "no encryption";
	return arena_printf(a, "%s (%s%s)", s->starttls ? "STARTTLS" : "SSL/TLS", s->tls.version,
			    s->tls.verified ? "" : ", certificate not verified");
}

static bool offers(const struct report_smtp *s, const char *mechanism)
{
	for (unsigned i = 0; i < s->n_auth; i++)
		if (strncmp(s->auth[i], mechanism, strlen(mechanism)) == 0)
			return true;
	return false;
}

/* As mail programs call it. */
static const char *login_words(const struct report_smtp *s)
{
	if (offers(s, "PLAIN") || offers(s, "LOGIN"))
		return "normal password";
	if (offers(s, "CRAM-MD5") || offers(s, "DIGEST-MD5") || offers(s, "SCRAM-"))
		return "encrypted password";
	return offers(s, "XOAUTH2") || offers(s, "OAUTHBEARER") ? "OAuth2" : "Kerberos or NTLM";
}

static const char *security_words(const struct report_client *c)
{
	return same_text(c->security, "none")	  ? "no encryption"
	       : same_text(c->security, "starttls") ? "STARTTLS"
						    : "SSL/TLS";
}

/* A mail program logs in by this port. */
static bool takes_login(const struct report *r, const struct report_port *p)
{
	return p->has_client && p->smtp.n_auth > 0 && r->target_name;
}

const char *phrase_mail_program_brief(struct arena *a, const struct report *r)
{
	const char *ports = "", *login = NULL, *warning = "";

	for (unsigned i = 0; i < r->n_ports; i++) {
		const struct report_port *p = &r->ports[i];
		if (!takes_login(r, p))
			continue;
		ports = arena_printf(a, "%s%s%u %s", ports, login ? " or " : "", p->port,
				     security_words(&p->client));
		login = login ? login : login_words(&p->smtp);
		if (same_text(p->client.certificate, "bad") && !*warning)
			warning = arena_printf(a, "; it will warn of the certificate (%s)",
					       p->client.certificate_error ? p->client.certificate_error : "not verified");
	}
	return login ? arena_printf(a, "Mail program: %s, %s, %s%s", r->target_name, ports, login,
				    warning)
		     : NULL;
}

const char *phrase_mail_program(struct arena *a, const struct report *r,
				const struct report_port *p)
{
	const struct report_client *c = &p->client;

	if (!takes_login(r, p))
		return NULL;
	const char *warning = same_text(c->security, "none") ? " (readable on the way)" : "";
	if (same_text(c->certificate, "bad"))
		warning = arena_printf(a, "; it will warn of the certificate: %s",
				       c->certificate_error ? c->certificate_error : "not verified");
	return arena_printf(a, "In the mail program: server %s, port %u, %s, %s%s", c->host, p->port,
			    security_words(c), login_words(&p->smtp), warning);
}

const char *phrase_login(struct arena *a, const struct report_port *p)
{
	if (!p->login.asked)
		return NULL;
	return p->login.works ? phrase_login_brief(p)
			      : arena_printf(a, "%s: %s", phrase_login_brief(p), p->login.why);
}

const char *phrase_login_brief(const struct report_port *p)
{
	return !p->login.asked ? NULL : p->login.works ? "login works" : "login not tried";
}

bool phrase_cited(const struct report *r, unsigned evidence)
{
	for (unsigned i = 0; i < r->n_ports; i++)
		for (unsigned k = 0; k < r->ports[i].n_findings; k++)
			for (unsigned m = 0; m < r->ports[i].findings[k].n_evidence; m++)
				if (r->ports[i].findings[k].evidence[m] == evidence)
					return true;
	return false;
}
