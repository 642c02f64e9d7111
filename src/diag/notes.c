/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the reader of a report should know of how it came about, and what it is no finding of. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "diag/login.h"
#include "smtp/ehlo.h"

#define NOTES_MAX 64

static void add_note(struct builder *b, const char **list, const char *text)
{
	if (b->r->n_notes < NOTES_MAX)
		list[b->r->n_notes++] = text;
}

static unsigned port_of(const struct builder *b, unsigned i)
{
	return b->d->tracker.plan->ports[i].port;
}

static bool injected_any(const struct builder *b)
{
	for (unsigned i = 0; i < b->d->tracker.plan->n_ports; i++)
		if (b->d->tracker.path.trace[i].injected || b->d->tracker.path.trace[i].refused)
			return true;
	return false;
}

static bool injected_in_vain(const struct builder *b)
{
	const struct path_trace *traces = b->d->tracker.path.trace;

	for (unsigned i = 0; i < b->n_tested; i++)
		if ((traces[i].injected || traces[i].refused) && !traces[i].left)
			return true;
	return false;
}

static void note_injection(struct builder *b, const char **list)
{
	if (injected_any(b))
		add_note(b, list, "this machine blocks, so SYNs were sent below its firewall to see what "
				  "lies behind (--no-inject turns that off)");
	if (injected_in_vain(b))
		add_note(b, list, "they did not leave either: what stops them sits below netfilter, and "
				  "what lies behind was not seen");
	for (unsigned i = 0; i < b->n_tested; i++)
		if (b->has_injected[i] && !b->verdicts[i].rules[LAYER_PATH] &&
		    fact_seen(&b->injected[i], F_CONNECTED))
			add_note(b, list,
				 arena_printf(&b->r->arena,
					      "below this machine's firewall port %u is answered by the "
					      "destination: nothing else on the way stops it",
					      port_of(b, i)));
}

/* Why the hops beyond some router have no addresses, and a finding so wide a range. */
static void note_renewed_ttls(struct builder *b, const char **list)
{
	const struct tracker *t = &b->d->tracker;
	char text[ADDR_TEXT_MAX];

	for (unsigned i = 0; i < b->n_tested; i++) {
		const struct port_facts *f = &b->facts[i];
		if (b->verdicts[i].state == STATE_OPEN || (!f->ttl_renewed && !f->answers_renewed))
			continue;
		addr_text(&t->plan->target, text);
		if (f->ttl_renewed)
			add_note(b, list,
				 arena_printf(&b->r->arena,
					      "SYNs with a TTL of %u reach %s, whose answers come over %u hops: somebody "
					      "on the way sets TTLs anew, which hides the hops behind him",
					      f->dest_ttl, text, f->dest_hop));
		else
			add_note(b, list,
				 arena_printf(&b->r->arena,
					      "it takes a TTL of %u to reach %s, whose answers look as if they came from "
					      "nearer: somebody on the way sets their TTLs anew, so that these tell "
					      "nothing",
					      f->dest_ttl, text));
		return;
	}
}

/* The address of one interface, and the way out by another: routes do not look at the source by themselves. */
static void note_source(struct builder *b, const char **list)
{
	const struct tracker *t = &b->d->tracker;
	const struct plan *plan = t->plan;
	char text[ADDR_TEXT_MAX];

	if (!words_source_is_elsewhere(t))
		return;
	add_note(b, list,
		 arena_printf(&b->r->arena,
			      "packets leave by %s with %s, which is the address of %s: the network behind %s may drop "
			      "what bears an address that it has not given (anti-spoofing, BCP 38), and answers come in "
			      "elsewhere; to leave by %s, add -i %s, or make an ip rule for that source",
			      t->link.name, addr_text(&plan->source, text), plan->source_link, t->link.name,
			      plan->source_link, plan->source_link));
}

/* The last two labels: hosts of one operator share them, mostly. */
static const char *domain_of(const char *name)
{
	size_t at = strlen(name);
	unsigned dots = 0;

	at -= at > 0 && name[at - 1] == '.';
	while (at > 0 && (name[at - 1] != '.' || ++dots < 2))
		at--;
	return name + at;
}

/* A product that is known to stand in between as well as at the server's own side, or a host of another
 * domain: neither proves anything, and who wonders should know. True if there was something to tell. */
static bool note_greeting(struct builder *b, const char **list, unsigned i)
{
	const struct tracker *t = &b->d->tracker;
	const struct port_facts *p = &b->facts[i];
	const struct flow *f = p->flow;
	struct arena *a = &b->r->arena;
	char host[256];

	if (!f || !fact_seen(p, F_GREETING_OK) || fact_seen(p, F_TLS_VERIFIED) ||
	    b->verdicts[i].state == STATE_INTERCEPTED)
		return false;
	unsigned before = b->r->n_notes;
	/* Several exchangers behind one banner (method.md section 5): a device on the way would answer for
	 * all of them, and so does many an operator's one machine. Who answers, TTLs and canary tell. */
	if (t->plan->sibling_greeting && smtp_greeting_name(f->reply_text, host, sizeof(host)) &&
	    strcasecmp(host, t->plan->sibling_greeting) == 0) {
		add_note(b, list,
			 arena_printf(a,
				      "port %u greets as %s, just as %s does, another exchanger of this domain "
				      "with another address, and no certificate vouches for it: one machine of "
				      "the operator's behind both, or one on the way that answers for all; "
				      "compare the greetings from another network",
				      port_of(b, i), host, t->plan->sibling));
		return true;
	}
	const struct signature *s = signature_find(&t->plan->signatures, SIGNATURE_GREETING, f->reply_text);
	if (s)
		add_note(b, list,
			 arena_printf(a,
				      "port %u greets as %s does, which may be the server's own or stand in "
				      "between, and no certificate vouches for it: compare the greeting from "
				      "another network, or give what the server says by --expect-banner",
				      port_of(b, i), s->name));
	else if (t->plan->name && strchr(t->plan->name, '.') && !t->plan->expect_name &&
		 smtp_greeting_name(f->reply_text, host, sizeof(host)) && strchr(host, '.') &&
		 strcasecmp(domain_of(host), domain_of(t->plan->name)) != 0)
		add_note(b, list,
			 arena_printf(a,
				      "port %u greets as %s, a host of another domain than %s, and no "
				      "certificate vouches for it: most often the operator's own name; who "
				      "doubts it compares from another network, or checks with --expect-name",
				      port_of(b, i), host, t->plan->name));
	return b->r->n_notes > before;
}

static void note_session(struct builder *b, const char **list, unsigned i)
{
	const struct port_facts *p = &b->facts[i];
	bool unlike = fact_seen(p, F_BANNER_UNLIKE) || fact_seen(p, F_NAME_UNLIKE);

	if (fact_seen(p, F_CANARY_OTHERS))
		add_note(b, list, arena_printf(&b->r->arena,
					       "port %u of other addresses is answered by somebody on the "
					       "way, even of addresses that are nobody's; this one answers "
					       "for itself",
					       port_of(b, i)));
	if (fact_seen(p, F_TLSA_OTHER) && fact_seen(p, F_TLS_VERIFIED))
		add_note(b, list, arena_printf(&b->r->arena,
					       "the certificate of port %u verifies, but no TLSA record of "
					       "the server fits it: senders that check DANE deliver "
					       "nothing there",
					       port_of(b, i)));
	if (unlike && fact_seen(p, F_TLS_VERIFIED))
		add_note(b, list, arena_printf(&b->r->arena,
					       "port %u greets otherwise than expected, but its certificate "
					       "verifies: it is the server itself",
					       port_of(b, i)));
}

/* Nobody is blamed for a certificate; but one that is out of date was good, and somebody forgot it. */
static const char *out_of_date(const struct report_port *p)
{
	const char *error = p->state == STATE_OPEN && p->smtp.has_tls ? p->smtp.tls.error : NULL;

	return !error				? NULL
	       : strstr(error, "expired")	? "has expired"
	       : strstr(error, "not yet valid") ? "is not valid yet (or this machine's clock is wrong)"
						: NULL;
}

static void note_certificates(struct builder *b, const char **list)
{
	const char *ports = "", *what = NULL;
	unsigned n = 0;

	for (unsigned i = 0; i < b->r->n_ports; i++) {
		const char *own = out_of_date(&b->r->ports[i]);
		if (!own || (what && strcmp(own, what) != 0))
			continue;
		what = own;
		ports = arena_printf(&b->r->arena, "%s%s%u", ports, n++ ? ", " : "", b->r->ports[i].port);
	}
	if (n)
		add_note(b, list,
			 arena_printf(&b->r->arena,
				      "the certificate on port%s %s %s: mail programs warn of it, and servers that check "
				      "certificates deliver nothing there", n > 1 ? "s" : "", ports, what));
}

/* What was asked for beyond the greeting, and became no finding. */
static void note_asked(struct builder *b, const char **list, unsigned i)
{
	const struct flow *f = b->facts[i].flow;
	const struct stage_reply *mail = f ? &f->replies[STAGE_MAIL] : NULL;
	struct arena *a = &b->r->arena;
	const char *login = login_note(a, b->r, i);

	if (login)
		add_note(b, list, login);
	if (mail && mail->t_ns && !mail->code)
		add_note(b, list, arena_printf(a, "mail on port %u %s", port_of(b, i), mail->text));
}

/* What a name stands for decides who is judged: a portal's or a network's own answer is told. */
static void note_address(struct builder *b, const char **list)
{
	const struct tracker *t = &b->d->tracker;
	const struct plan *plan = t->plan;
	const struct addr *a = &plan->target;
	const struct ev_dns *checked = tracker_dns(t, DNS_RECORD_CHECKED);
	bool inside = addr_is_private(a) || addr_is_shared(a) || addr_is_link_local(a);
	char text[ADDR_TEXT_MAX];

	if (!plan->name)
		return;
	if (addr_is_set(&b->r->vantage.gateway) && addr_equal(a, &b->r->vantage.gateway))
		add_note(b, list,
			 arena_printf(&b->r->arena,
				      "the name %s leads to %s, the gateway itself: its DNS answers so, as "
				      "captive portals do",
				      plan->name, addr_text(a, text)));
	else if (addr_is_loopback(a) || inside)
		add_note(b, list,
			 arena_printf(&b->r->arena,
				      "the name %s leads to %s, %s address: that is this network's own "
				      "view of it",
				      plan->name, addr_text(a, text),
				      addr_is_loopback(a) ? "a loopback" : "a private"));
	if (checked && checked->trust == DNS_FORGED)
		add_note(b, list,
			 arena_printf(&b->r->arena,
				      "the resolver's address for %s is not what its signed zone says: a "
				      "portal, a filter or this network's own view leads elsewhere",
				      plan->name));
}

void build_notes(struct builder *b)
{
	const char **list = arena_alloc(&b->r->arena, NOTES_MAX * sizeof(*list));
	const char *sandbox = b->d->tracker.plan->sandbox;

	note_address(b, list);
	note_injection(b, list);
	note_renewed_ttls(b, list);
	note_source(b, list);
	if (sandbox)
		add_note(b, list, arena_printf(&b->r->arena, "without the whole sandbox: %s", sandbox));
	for (unsigned i = 0; i < b->n_tested; i++)
		note_session(b, list, i);
	for (unsigned i = 0; i < b->n_tested && !note_greeting(b, list, i); i++)
		; /* one server, one name: what is told of one port goes for the others */
	note_certificates(b, list);
	for (unsigned i = 0; i < b->n_tested; i++)
		note_asked(b, list, i);
	b->r->notes = list;
}
