/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/ticket.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/stream.h"
#include "base/text.h"
#include "model/complaint.h"
#include "report/group.h"
#include "report/pen.h"
#include "report/phrase.h"
#include "report/render.h"
#include "report/way.h"

#define TICKET_WIDTH 74 /* a mail's lines, with room for "> > " (RFC 3676 section 4.2) */
#define LABEL_COLUMN 16
#define CELL_COLUMNS 14 /* "10/10 SYN-ACK" */
#define TABLE_PORTS  4

/* Who can do something about it. */
enum desk {
	DESK_NONE, /* the reader */
	DESK_GATEWAY,
	DESK_PROVIDER,
	DESK_CARRIER, /* the provider too, about a network behind its own */
	DESK_DESTINATION,
	DESK_ANY, /* where is not known: the provider, whose customer one is */
};

struct writer {
	struct arena *a;
	const struct report *r;
	const struct group *g;
	unsigned findings; /* bits: the indices of those that go to this desk */
	const struct finding *f; /* the first of them: it says where */
	enum desk desk;
	struct complaint complaint; /* of f */
	struct pen pen;
};

static enum desk desk_of(const struct report_port *p, const struct finding *f)
{
	if (p->state == STATE_OPEN || p->state == STATE_INCONCLUSIVE)
		return DESK_NONE;
	switch (f->place) {
	case PLACE_HOST: return DESK_NONE;
	case PLACE_GATEWAY: return DESK_GATEWAY;
	case PLACE_ISP: return DESK_PROVIDER;
	case PLACE_TRANSIT: return DESK_CARRIER;
	case PLACE_DESTINATION_NETWORK:
	case PLACE_DESTINATION: return DESK_DESTINATION;
	case PLACE_UNKNOWN:
	case PLACE_COUNT: break;
	}
	return DESK_ANY;
}

static const char *desk_name(enum desk d)
{
	switch (d) {
	case DESK_GATEWAY: return "whoever runs the gateway (your network team)";
	case DESK_PROVIDER:
	case DESK_CARRIER: return "your provider";
	case DESK_DESTINATION: return "the destination's postmaster";
	case DESK_ANY: return "your provider, to begin with";
	case DESK_NONE: break;
	}
	return "";
}

static const char *address(struct arena *a, const struct addr *addr)
{
	char text[ADDR_TEXT_MAX];

	return arena_strdup(a, addr_text(addr, text));
}

static bool is_public(const struct addr *a)
{
	return addr_is_set(a) && !addr_is_private(a) && !addr_is_shared(a) &&
	       !addr_is_link_local(a) && !addr_is_loopback(a);
}

/* "TCP port 25", "TCP ports 25, 465" */
static const char *ports(const struct writer *w)
{
	return arena_printf(w->a, "TCP port%s %s", w->g->n_ports > 1 ? "s" : "",
			    group_ports(w->a, w->g));
}

static const char *is(const struct writer *w)
{
	return w->g->n_ports > 1 ? "are" : "is";
}

/* The name that a reader knows, else the address. */
static const char *destination(const struct writer *w)
{
	return w->r->target_name ? w->r->target_name : address(w->a, &w->r->target);
}

/* A place in words that mean the same to whoever reads them. */
static const char *place(const struct writer *w, enum place p)
{
	switch (p) {
	case PLACE_HOST: return "our own machine";
	case PLACE_GATEWAY:
		return addr_is_set(&w->r->vantage.gateway)
			       ? arena_printf(w->a, "our gateway %s",
					      address(w->a, &w->r->vantage.gateway))
			       : "our gateway";
	case PLACE_ISP: return "our access provider's network";
	case PLACE_TRANSIT: return "a network between our provider's and the destination's";
	case PLACE_DESTINATION_NETWORK: return "the destination's network";
	case PLACE_DESTINATION: return "the destination itself";
	case PLACE_UNKNOWN:
	case PLACE_COUNT: break;
	}
	return "not known";
}

/* --- what is asked for ------------------------------------------------------ */

/* Ports of one fate may still differ in how far they came: then that is left out. */
static struct complaint complaint_of(const struct writer *w)
{
	const struct report_port *first = w->g->ports[0];
	struct complaint c = {.mechanism = w->f->mechanism,
			      .session = w->f->session,
			      .passed_first = first->passed_first,
			      .port = first->port,
			      .target = w->r->target,
			      .ports = ports(w),
			      .several = w->g->n_ports > 1};

	for (unsigned i = 1; i < w->g->n_ports; i++) {
		const struct report_port *p = w->g->ports[i];
		const struct session_point *s = &p->findings[w->f - first->findings].session;
		c.session.known &= s->known && s->stage == c.session.stage;
		c.session.by_size &= s->by_size;
		c.mixed |= s->tls_first != c.session.tls_first;
		if (p->passed_first < c.passed_first)
			c.passed_first = p->passed_first;
	}
	return c;
}

static const char *hedge(const struct finding *f)
{
	return f->confidence >= CONFIDENCE_SURE ? "" : f->confidence >= CONFIDENCE_LIKELY ? "probably " : "perhaps ";
}

/* "our mail to mx.example.com does not get through: sessions on TCP port 25 are reset after EHLO,
 * probably in your network, as far as we can see. The port is open ... Please ..." */
static const char *ask_by_mechanism(const struct writer *w)
{
	const struct complaint *c = &w->complaint;
	const char *likely = hedge(w->f), *where = "", *then;

	switch (w->desk) {
	case DESK_GATEWAY:
		where = addr_is_set(&w->r->vantage.gateway)
				? arena_printf(w->a, ", %sat the gateway %s", likely,
					       address(w->a, &w->r->vantage.gateway))
				: arena_printf(w->a, ", %sat the gateway", likely);
		break;
	case DESK_PROVIDER: where = arena_printf(w->a, ", %sin your network", likely); break;
	case DESK_CARRIER: where = arena_printf(w->a, ", %sbehind your network", likely); break;
	case DESK_DESTINATION: where = arena_printf(w->a, ", %sin your network", likely); break;
	case DESK_ANY:
	case DESK_NONE: break;
	}
	if (w->desk == DESK_CARRIER)
		then = arena_printf(w->a,
				    "Please take this up with the network that carries our packets there, "
				    "and ask it to %s.",
				    complaint_request(c));
	else if (w->desk == DESK_ANY)
		then = arena_printf(w->a,
				    "From our side it cannot be seen where. Please check whether a device "
				    "in your network does that, and if so, %s.",
				    complaint_request(c));
	else
		then = arena_printf(w->a,
				    "Please check which device does that, and %s, or tell us what we have "
				    "to do for that.",
				    complaint_request(c));
	const char *passes = complaint_passes(c);
	return arena_printf(w->a, "our mail to %s does not get through as it should: %s%s%s. %s%s%s",
			    destination(w), complaint_what(w->a, c), where,
			    *where ? ", as far as we can see" : "", passes, *passes ? " " : "", then);
}

static const char *ask_destination(const struct writer *w)
{
	const char *where = arena_printf(w->a, "%s (%s)", destination(w), address(w->a, &w->r->target));

	switch (w->g->ports[0]->state) {
	case STATE_REJECTED:
		return arena_printf(w->a,
				    "your server %s turns us away on %s, in the words below. Please "
				    "tell us what this rests on, and what we have to do to be accepted.",
				    where, ports(w));
	case STATE_REFUSED:
		return arena_printf(w->a,
				    "your server %s itself refuses connections to %s: nothing seems to "
				    "listen there. Please check that the mail service runs.",
				    where, ports(w));
	case STATE_NO_SERVICE:
		return arena_printf(w->a,
				    "your server %s accepts connections to %s, but no usable SMTP "
				    "session comes of them. Please check the service.",
				    where, ports(w));
	case STATE_OPEN:
	case STATE_BLOCKED:
	case STATE_INTERCEPTED:
	case STATE_UNREACHABLE:
	case STATE_INCONCLUSIVE:
	case STATE_COUNT:
		break;
	}
	if (!complaint_is_block(&w->complaint))
		return ask_by_mechanism(w);
	return arena_printf(w->a,
			    "we cannot reach your server %s on %s: as far as we can see, the packets "
			    "get as far as your network and are stopped there. Please check whether a "
			    "filter of yours stops us, and let us through, or tell us the reason.",
			    where, ports(w));
}

static const char *ask_provider(const struct writer *w)
{
	const char *likely = hedge(w->f);

	if (w->f->mechanism == MECH_INTERCEPTION)
		return arena_printf(w->a,
				    "a device in your network, as far as we can see, answers or alters "
				    "our connections to %s in the place of the server that we call, %s. "
				    "Please tell us why, and take our connection out of it.",
				    ports(w), destination(w));
	return arena_printf(w->a,
			    "our mail to %s does not get through: %s %s stopped %sin your network, as "
			    "far as we can see. Please check whether you filter that for our "
			    "connection; if so, please open it, or tell us what we have to do for that.",
			    destination(w), ports(w), is(w), likely);
}

static const char *ask(const struct writer *w)
{
	bool taken = w->desk == DESK_PROVIDER && w->f->mechanism == MECH_INTERCEPTION;

	if (!complaint_is_block(&w->complaint) && w->desk != DESK_DESTINATION && !taken)
		return ask_by_mechanism(w);
	switch (w->desk) {
	case DESK_GATEWAY:
		return arena_printf(w->a,
				    "our mail to %s does not get out: %s %s stopped at the gateway %s, as "
				    "far as we can see. Please look at what it lets out, and allow %s from "
				    "%s (to %s alone, if you prefer that).",
				    destination(w), ports(w), is(w),
				    addr_is_set(&w->r->vantage.gateway)
					    ? address(w->a, &w->r->vantage.gateway)
					    : "",
				    ports(w), address(w->a, &w->r->vantage.source),
				    address(w->a, &w->r->target));
	case DESK_PROVIDER: return ask_provider(w);
	case DESK_CARRIER:
		return arena_printf(w->a,
				    "our mail to %s does not get through: %s %s stopped behind your "
				    "network, as far as we can see. Please take this up with the network "
				    "that carries our packets there, or route around it.",
				    destination(w), ports(w), is(w));
	case DESK_DESTINATION: return ask_destination(w);
	case DESK_ANY:
	case DESK_NONE:
		break;
	}
	if (w->g->ports[0]->state == STATE_UNREACHABLE)
		return arena_printf(w->a,
				    "nothing that we send to %s (%s) is answered, whatever the port. Please "
				    "check whether the address can be reached from your network, and how "
				    "far our packets get.",
				    destination(w), address(w->a, &w->r->target));
	return arena_printf(w->a,
			    "our mail to %s does not get through: %s %s stopped on the way, and from our "
			    "side it cannot be seen where. Please check whether that is filtered in your "
			    "network, and if not, how far our packets get.",
			    destination(w), ports(w), is(w));
}

static const char *subject(const struct writer *w)
{
	const struct report_vantage *v = &w->r->vantage;
	bool outside = addr_is_set(&v->seen_as) && w->desk != DESK_GATEWAY;
	const struct addr *own = outside ? &v->seen_as : &v->source;
	const char *from = addr_is_set(own) ? arena_printf(w->a, " from %s", address(w->a, own)) : "";

	const char *what = complaint_subject(w->a, &w->complaint);

	if (what)
		return arena_printf(w->a, "%s: %s,%s to %s", ports(w), what, from,
				    address(w->a, &w->r->target));
	return arena_printf(w->a, "%s %s%s to %s", ports(w), state_name(w->g->ports[0]->state), from,
			    address(w->a, &w->r->target));
}

/* --- the facts -------------------------------------------------------------- */

static void label(struct writer *w, const char *name)
{
	pen_start(&w->pen, 2, LABEL_COLUMN);
	pen_text(&w->pen, STYLE_PLAIN, "%s", name);
	pen_column(&w->pen, LABEL_COLUMN);
}

static void fact(struct writer *w, const char *name, const char *text)
{
	if (!text || !*text)
		return;
	label(w, name);
	pen_text(&w->pen, STYLE_PLAIN, "%s", text);
	pen_end(&w->pen);
}

/* "2026-01-31 12:00:00.123", without the milliseconds if they are not wanted. */
static const char *utc(struct arena *a, int64_t t_ns, bool with_ms)
{
	char text[CLOCK_TEXT_MAX];

	clock_utc_text(t_ns, text);
	text[10] = ' ';
	text[with_ms ? 23 : 19] = '\0';
	return arena_strdup(a, text);
}

static int64_t after(const struct report *r, double ms)
{
	return r->started_ns + (int64_t)(ms * 1e6);
}

static void our_address(struct writer *w)
{
	const struct report_vantage *v = &w->r->vantage;
	bool translated = addr_is_set(&v->seen_as) && !addr_equal(&v->seen_as, &v->source);

	if (addr_is_set(&v->source))
		fact(w, "From", address(w->a, &v->source));
	if (translated)
		fact(w, "Seen as",
		     arena_printf(w->a, "%s (our address behind translation, by the server's words)",
				  address(w->a, &v->seen_as)));
	else if (addr_is_set(&v->source) && !is_public(&v->source) && w->desk != DESK_GATEWAY)
		fact(w, "Seen as", "(please fill in the public address of this connection)");
}

static void where(struct writer *w)
{
	const struct finding *f = w->f;
	const char *hops = phrase_hops(w->a, f, true), *others = "";

	fact(w, "Where", hops);
	if (f->culprit.asn)
		fact(w, "AS", arena_printf(w->a, "AS%u%s%s", (unsigned)f->culprit.asn,
					   f->culprit.as_name ? " " : "",
					   f->culprit.as_name ? f->culprit.as_name : ""));
	if (f->place == PLACE_UNKNOWN)
		return;
	for (unsigned i = 0; i < f->n_candidates; i++)
		if (f->candidates[i].place != f->place)
			others = arena_printf(w->a, "%s%s%s (%s)", others, *others ? ", " : "",
					      place(w, f->candidates[i].place),
					      phrase_percent(w->a, f->candidates[i].confidence));
	const char *rest = phrase_rest(w->a, f);
	if (rest)
		others = arena_printf(w->a, "%s%s%s", others, *others ? ", " : "", rest);
	fact(w, "How sure", arena_printf(w->a, "%s: %s%s%s", place(w, f->place),
					 phrase_confidence(w->a, f->confidence),
					 *others ? "; otherwise " : "", others));
}

/* How the others fare: what works shows that the address and the way are fine. */
static void other_ports(struct writer *w)
{
	const struct report *r = w->r;
	const char *all = "";

	for (unsigned i = 0; i < r->n_ports; i++) {
		bool ours = false;
		for (unsigned k = 0; k < w->g->n_ports; k++)
			ours |= w->g->ports[k] == &r->ports[i];
		if (!ours)
			all = arena_printf(w->a, "%s%s%u %s", all, *all ? ", " : "", r->ports[i].port,
					   state_name(r->ports[i].state));
	}
	for (unsigned i = 0; i < r->n_controls; i++)
		all = arena_printf(w->a, "%s%s%u %s", all, *all ? ", " : "", r->controls[i].port,
				   r->controls[i].outcome ? r->controls[i].outcome : "?");
	fact(w, "Other ports", all);
}

/* "packets vanish without an answer; then ..." */
static const char *what_happens(const struct writer *w)
{
	const struct report_port *p = w->g->ports[0];
	const char *all = "";

	for (unsigned i = 0; i < p->n_findings; i++)
		if (w->findings & (1u << i))
			all = arena_printf(w->a, "%s%s%s", all, *all ? "; " : "",
					   phrase_mechanism(p->findings[i].mechanism));
	const struct complaint *c = &w->complaint;
	if (c->passed_first)
		return complaint_what(w->a, c);
	bool session = c->mechanism == MECH_SESSION_RESET || c->mechanism == MECH_SESSION_CLOSE ||
		       c->mechanism == MECH_SESSION_STALL;
	if (session && c->session.known)
		all = arena_printf(w->a, "%s (%s)", all, complaint_stage(c->session.stage));
	if (w->f->direction == DIR_INBOUND && w->f->mechanism == MECH_SILENT_DROP)
		all = arena_printf(w->a, "%s, on the way back to us", all);
	return all;
}

static void facts(struct writer *w)
{
	const struct report *r = w->r;
	const struct finding *f = w->f;

	our_address(w);
	fact(w, "To", arena_printf(w->a, "%s%s%s, %s", r->target_name ? r->target_name : "",
				   r->target_name ? ", " : "", address(w->a, &r->target), ports(w)));
	fact(w, "When (UTC)", arena_printf(w->a, "%s to %s", utc(w->a, r->started_ns, false),
					   utc(w->a, after(r, r->elapsed_ms), false) + 11));
	fact(w, "What happens", what_happens(w));
	const char *command = complaint_command(w->a, &w->complaint);
	if (*command)
		fact(w, "To see it", arena_printf(w->a, "%s%s", command, complaint_then(&w->complaint)));
	if (f->has_icmp)
		fact(w, "ICMP",
		     arena_printf(w->a, "%s (type %u code %u)%s%s", f->icmp.name ? f->icmp.name : "other",
				  f->icmp.type, f->icmp.code, addr_is_set(&f->icmp.from) ? " from " : "",
				  addr_is_set(&f->icmp.from) ? address(w->a, &f->icmp.from) : ""));
	if (f->culprit.kind == CULPRIT_SERVER && f->culprit.code)
		fact(w, "Its words", f->culprit.text);
	where(w);
	other_ports(w);
}

/* --- the hops --------------------------------------------------------------- */

static void take_port(const struct report *r, unsigned port, unsigned *list, unsigned *n)
{
	for (unsigned i = 0; i < *n; i++)
		if (list[i] == port)
			return;
	for (unsigned i = 0; i < r->n_path && *n < TABLE_PORTS; i++)
		if (way_replies(&r->path[i], port)) {
			list[(*n)++] = port;
			return;
		}
}

/* The ports in question, then those to compare with. */
static unsigned table_ports(const struct writer *w, unsigned *list)
{
	const struct report *r = w->r;
	unsigned n = 0;

	for (unsigned i = 0; i < w->g->n_ports; i++)
		take_port(r, w->g->ports[i]->port, list, &n);
	for (unsigned i = 0; i < r->n_path; i++)
		for (unsigned k = r->path[i].n_ports; k-- > 0;) /* controls stand last */
			take_port(r, r->path[i].ports[k].port, list, &n);
	return n;
}

static const char *cell(struct arena *a, const struct report_hop_port *p)
{
	if (!p || !p->sent)
		return "-";
	unsigned answers = p->time_exceeded + p->syn_ack + p->rst + p->unreachable;
	return arena_printf(a, "%u/%u%s", answers, p->sent,
			    p->rst ? " RST" : p->syn_ack ? " SYN-ACK" : p->unreachable ? " ICMP" : "");
}

static void hops(struct writer *w)
{
	const struct report *r = w->r;
	unsigned list[TABLE_PORTS], n = table_ports(w, list), wide = 18;
	struct pen *pen = &w->pen;

	if (!n)
		return;
	if (r->target.family == ADDR_V6)
		wide = 41; /* an address in full */
	while (n > 1 && 6 + wide + n * CELL_COLUMNS > TICKET_WIDTH)
		n--;
	pen_blank(pen);
	pen_paragraph(pen, 0, STYLE_PLAIN,
		      "Hops, by TCP SYNs with growing TTL (answers/probes, - for none sent; RST, "
		      "SYN-ACK and ICMP unreachable are named, all other answers are \"time "
		      "exceeded\"):");
	pen_blank(pen);
	pen_start(pen, 2, 2);
	pen_text(pen, STYLE_PLAIN, "hop");
	for (unsigned i = 0; i < n; i++) {
		pen_column(pen, 7 + wide + i * CELL_COLUMNS);
		pen_text(pen, STYLE_PLAIN, "port %u", list[i]);
	}
	pen_end(pen);
	for (unsigned i = 0; i < r->n_path; i++) {
		const struct report_hop *h = &r->path[i];
		pen_start(pen, h->ttl < 10 ? 4 : 3, 2);
		pen_text(pen, STYLE_PLAIN, "%u", h->ttl);
		pen_column(pen, 7);
		pen_text(pen, STYLE_PLAIN, "%s",
			 way_hop_address(w->a, h));
		for (unsigned k = 0; k < n; k++) {
			pen_column(pen, 7 + wide + k * CELL_COLUMNS);
			pen_text(pen, STYLE_PLAIN, "%s", cell(w->a, way_replies(h, list[k])));
		}
		pen_end(pen);
	}
	if (way_hidden_words(r)) {
		pen_blank(pen);
		pen_paragraph(pen, 0, STYLE_PLAIN, way_hidden_words(r));
	}
}

/* --- the packets ------------------------------------------------------------ */

static bool cited(const struct writer *w, unsigned evidence)
{
	for (unsigned i = 0; i < w->g->ports[0]->n_findings; i++)
		if ((w->findings & (1u << i)) && group_cites(w->g, i, evidence))
			return true;
	return false;
}

/* The desk finds these in its own logs: SYNs of ours that went the whole way without an answer, and
 * what came instead of one. Those with small TTLs are in the table of hops. */
#define PACKETS_MAX 12

static bool tells(const struct writer *w, const struct report_packet *p)
{
	static const char *const rest[] = {"SYN-ACK", "ACK", "FIN", "time exceeded"};
	bool ours = false;

	for (unsigned i = 0; i < w->g->n_ports; i++)
		ours = ours || w->g->ports[i]->port == p->port;
	if (!ours || p->trace || (p->evidence && cited(w, p->evidence)))
		return false;
	for (size_t i = 0; p->inbound && i < sizeof(rest) / sizeof(rest[0]); i++)
		if (same_text(p->label, rest[i]))
			return false;
	return p->inbound ? !strstr(p->label, "bytes") : p->unanswered;
}

static const char *packet_words(const struct writer *w, const struct report_packet *p)
{
	return arena_printf(w->a, "%s%s: %s", p->label, p->inbound ? " came" : " left, no answer", p->text);
}

static void seen_one(struct writer *w, bool *begun, double t_ms, const char *text)
{
	struct pen *pen = &w->pen;

	if (!*begun) {
		pen_blank(pen);
		pen_paragraph(pen, 0, STYLE_PLAIN, "Seen on our side (UTC):");
		pen_blank(pen);
	}
	*begun = true;
	pen_start(pen, 2, LABEL_COLUMN);
	pen_text(pen, STYLE_PLAIN, "%s", utc(w->a, after(w->r, t_ms), true) + 11);
	pen_column(pen, LABEL_COLUMN);
	pen_text(pen, STYLE_PLAIN, "%s", text ? text : "");
	pen_end(pen);
}

static void seen(struct writer *w)
{
	const struct report *r = w->r;
	unsigned shown = 0, more = 0, at = 0;
	bool begun = false;

	for (unsigned i = 0; i <= r->n_evidence; i++) {
		const struct report_evidence *e = i < r->n_evidence ? &r->evidence[i] : NULL;
		if (e && !cited(w, e->number))
			continue;
		for (; at < r->n_packets && (!e || r->packets[at].t_ms <= e->t_ms); at++) {
			if (!tells(w, &r->packets[at]))
				continue;
			if (shown++ < PACKETS_MAX)
				seen_one(w, &begun, r->packets[at].t_ms, packet_words(w, &r->packets[at]));
			else
				more++;
		}
		if (e && e->port && w->g->n_ports > 1)
			seen_one(w, &begun, e->t_ms, arena_printf(w->a, "port %u: %s", e->port, e->text));
		else if (e)
			seen_one(w, &begun, e->t_ms, e->text);
	}
	if (more)
		pen_paragraph(&w->pen, 2, STYLE_PLAIN, arena_printf(w->a, "and %u more packets like these", more));
}

/* --- all of it -------------------------------------------------------------- */

static void write_text(struct writer *w)
{
	struct pen *pen = &w->pen;

	pen_paragraph(pen, 0, STYLE_PLAIN, arena_printf(w->a, "Subject: %s", subject(w)));
	pen_blank(pen);
	pen_paragraph(pen, 0, STYLE_PLAIN, "Hello,");
	pen_blank(pen);
	pen_paragraph(pen, 0, STYLE_PLAIN, ask(w));
	pen_blank(pen);
	facts(w);
	hops(w);
	seen(w);
	pen_blank(pen);
	pen_paragraph(pen, 0, STYLE_PLAIN,
		      arena_printf(w->a,
				   "Measured with smtpblame %s. We can repeat it at a time of your "
				   "choice, and send the packets.",
				   w->r->tool_version ? w->r->tool_version : ""));
	pen_blank(pen);
	pen_paragraph(pen, 0, STYLE_PLAIN, "Thank you");
	pen_paragraph(pen, 0, STYLE_PLAIN, "(your name, and your customer number if you have one)");
}

/* Not inlined: gcc 12 would take what comes of the stream for a local. */
__attribute__((noinline)) static const char *text_of(struct writer *w)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = stream_to_memory(&text, &size);

	w->pen = (struct pen){.out = out, .scratch = w->a, .width = TICKET_WIDTH};
	write_text(w);
	stream_to_memory_end(out, &text);
	const char *copy = arena_strdup(w->a, text);
	free(text);
	return copy;
}

/* A ticket for each desk. What is found on top of something, and nobody knows where (the alteration
 * by an interceptor), goes to the same one. */
static unsigned tickets_of_group(struct arena *a, const struct report *r, const struct group *g,
				 struct ticket *out)
{
	const struct report_port *p = g->ports[0];
	unsigned n = 0;

	for (unsigned i = 0; i < p->n_findings;) {
		struct writer w = {.a = a, .r = r, .g = g, .f = &p->findings[i],
				   .desk = desk_of(p, &p->findings[i])};
		do
			w.findings |= 1u << i;
		while (++i < p->n_findings &&
		       (desk_of(p, &p->findings[i]) == w.desk ||
			(w.desk != DESK_NONE && p->findings[i].place == PLACE_UNKNOWN)));
		w.complaint = complaint_of(&w);
		if (w.desk != DESK_NONE)
			out[n++] = (struct ticket){
				.desk = desk_name(w.desk),
				.about = arena_printf(a, "port%s %s", g->n_ports > 1 ? "s" : "",
						      group_ports(a, g)),
				.text = text_of(&w)};
	}
	return n;
}

unsigned ticket_all(struct arena *a, const struct report *r, const struct ticket **out)
{
	const struct group *groups;
	unsigned n_groups = group_all(a, r, &groups), n = 0, most = 0;

	for (unsigned i = 0; i < n_groups; i++)
		most += groups[i].ports[0]->n_findings;
	struct ticket *tickets = arena_alloc(a, (most + 1) * sizeof(*tickets));
	*out = tickets;
	for (unsigned i = 0; i < n_groups && !r->inspect; i++)
		n += tickets_of_group(a, r, &groups[i], &tickets[n]);
	return n;
}

static const char *remark(struct arena *a, const struct group *g)
{
	const struct report_port *p = g->ports[0];
	const char *what = arena_printf(a, "%s %s", g->n_ports > 1 ? "Ports" : "Port",
					group_ports(a, g));
	bool here = false, elsewhere = false;

	if (p->state == STATE_INCONCLUSIVE || p->n_findings == 0)
		return arena_printf(a,
				    "%s: not decided. A ticket would have nothing to show yet; the "
				    "report says what is missing.",
				    what);
	for (unsigned i = 0; i < p->n_findings; i++) {
		here |= p->findings[i].place == PLACE_HOST;
		elsewhere |= p->findings[i].place != PLACE_HOST;
	}
	if (here && elsewhere)
		return arena_printf(a,
				    "%s: this machine itself stops it, too. Mend that as well: the report "
				    "says how.",
				    what);
	return here ? arena_printf(a,
				   "%s: no ticket is needed. This machine itself is to blame; the report "
				   "says by what, and how to mend it.",
				   what)
		    : NULL;
}

unsigned ticket_remarks(struct arena *a, const struct report *r, const char *const **out)
{
	const struct group *groups;
	unsigned n_groups = group_all(a, r, &groups), n = 0;
	const char **remarks = arena_alloc(a, (n_groups + 1) * sizeof(*remarks));

	*out = remarks;
	for (unsigned i = 0; i < n_groups; i++)
		if ((remarks[n] = remark(a, &groups[i])))
			n++;
	return n;
}

/* --- as the whole output ---------------------------------------------------- */

static bool all_open(const struct report *r)
{
	for (unsigned i = 0; i < r->n_ports; i++)
		if (r->ports[i].state != STATE_OPEN)
			return false;
	return r->n_ports > 0;
}

int render_ticket(const struct report *r, FILE *out)
{
	struct arena a = {0};
	struct pen pen = {.out = out, .scratch = &a, .width = TICKET_WIDTH};
	const struct ticket *tickets;
	const char *const *remarks;
	unsigned n = ticket_all(&a, r, &tickets), n_remarks = ticket_remarks(&a, r, &remarks);

	if (all_open(r))
		pen_paragraph(&pen, 0, STYLE_PLAIN,
			      arena_printf(&a, "%s: no ticket is needed, all ports are open.",
					   phrase_target_and_way(&a, r)));
	for (unsigned i = 0; i < n_remarks; i++)
		pen_paragraph(&pen, 0, STYLE_PLAIN,
			      arena_printf(&a, "%s: %s", phrase_target_and_way(&a, r), remarks[i]));
	for (unsigned i = 0; i < n; i++) {
		if (i || n_remarks)
			pen_blank(&pen);
		pen_paragraph(&pen, 0, STYLE_PLAIN,
			      arena_printf(&a, "--- For %s: %s of %s", tickets[i].desk,
					   tickets[i].about, phrase_target_and_way(&a, r)));
		pen_blank(&pen);
		fputs(tickets[i].text, out);
	}
	arena_clear(&a);
	return fflush(out) != 0 || ferror(out) ? -1 : 0;
}
