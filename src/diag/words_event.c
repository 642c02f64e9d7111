/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Evidence in words: what an event says, and what many of them say together. Pure. */
#include "diag/words.h"

#include "model/complaint.h"
#include "model/report.h"
#include "wire/decode.h"

/* ---- facts that are sums ---- */

const char *words_odds(struct arena *a, double probability)
{
	static const struct {
		double size;
		const char *name;
	} scales[] = {{1e9, " billion"}, {1e6, " million"}};

	if (probability <= 1e-12)
		return "less than 1 in a trillion";
	if (probability >= 0.1) /* "1 in 1" would be no words for 70% */
		return arena_printf(a, "%.0f%%", 100 * probability);
	/* two digits: the estimate behind it has no more */
	double in = 1 / probability, unit = 1;
	while (in / unit >= 99.5)
		unit *= 10;
	in = unit * (double)(long)(in / unit + 0.5);
	for (size_t i = 0; i < sizeof(scales) / sizeof(scales[0]); i++)
		if (in >= scales[i].size)
			return arena_printf(a, "1 in %.3g%s", in / scales[i].size, scales[i].name);
	unsigned long n = (unsigned long)in;
	return n < 1000 ? arena_printf(a, "1 in %lu", n)
			: arena_printf(a, "1 in %lu,%03lu", n / 1000, n % 1000);
}

static const char *times_words(struct arena *a, unsigned n)
{
	return n == 1 ? "once" : arena_printf(a, "%u times", n);
}

const char *words_drawn(struct arena *a, const struct tracker *t, const struct port_facts *p)
{
	int port = p->flow->port_index;
	const struct path_trace *trace = &t->path.trace[path_trace_of(&t->path, PROBE_DATA, port)];
	const struct flow *held = tracker_held(t, port);
	unsigned first = path_first_rst(trace);
	const char *what = held->drawn.words ? "a reply" : held->drawn.fin ? "a FIN" : "a RST";

	return arena_printf(a,
			    "on a further connection the same words drew %s with TTL %u (arrived with %u), "
			    "and none with a smaller one; %s is reached with %u",
			    what, first, trace->cell[first].rst_ttl,
			    words_addr(a, &t->plan->target), p->dest_ttl);
}

const char *words_stall(struct arena *a, const struct port_facts *p, enum fact fact)
{
	const struct talk *k = &p->flow->talk;
	const struct mtu *m = &p->mtu;

	if (fact == F_SMALL_PASSES)
		return arena_printf(a,
				    "on %u further connection%s the SYN asked for small segments, and with "
				    "them the dialogue went on: of the server's packets the largest that came "
				    "has %u bytes%s",
				    m->connections, m->connections > 1 ? "s" : "", m->largest_in,
				    m->smallest_lost ? arena_printf(a, ", the smallest that did not has %u",
								    m->smallest_lost)
						     : "");
	if (fact == F_LARGE_LOST)
		fact = talk_stuck(k) ? F_UNHEARD : F_REPLY_LOST;
	switch ((int)fact) {
	case F_PEER_ALIVE:
		return arena_printf(a,
				    "all that was said is acknowledged, keep-alives were answered %s, and "
				    "the answers show that nothing more was sent",
				    times_words(a, k->looks_answered));
	case F_PEER_GONE:
		return arena_printf(a,
				    "%u packets in a row that the other side's stack must answer drew "
				    "nothing; the odds that this is mere loss: %s",
				    k->in_vain, words_odds(a, p->stall_probability));
	case F_UNHEARD:
		return arena_printf(a,
				    "%u bytes left %s and were never acknowledged%s; the odds that this "
				    "is mere loss: %s",
				    talk_stuck(k), times_words(a, k->stuck_times),
				    k->looks_answered ? ", while keep-alives were answered" : "",
				    words_odds(a, p->stall_probability));
	case F_REPLY_LOST:
		return arena_printf(a,
				    "the other side's packets say that it has sent %u bytes more than "
				    "came; the odds that this is mere loss: %s",
				    talk_missing(k), words_odds(a, p->stall_probability));
	}
	return NULL;
}

/* ---- events as evidence ---- */

static const struct flow *flow_of(const struct tracker *t, uint16_t id)
{
	for (unsigned i = 0; i < t->n_flows; i++)
		if (t->flows[i].id == id)
			return &t->flows[i];
	return NULL;
}

static const char *connect_words(struct arena *a, const struct event *ev, const struct flow *f)
{
	double ms = f ? (double)(ev->t_ns - f->start_ns) / 1e6 : 0;

	if (ev->connect.error == 0)
		return arena_printf(a, "connected after %.1f ms", ms);
	if (ev->connect.at_once)
		return arena_printf(a, "connect() failed at once with %s",
				    errno_name(ev->connect.error));
	return arena_printf(a, "connect() ended with %s after %.1f ms",
			    errno_name(ev->connect.error), ms);
}

static const char *session_end_words(struct arena *a, const struct event *ev)
{
	const char *where = complaint_stage(ev->session_end.stage);
	const char *text = ev->session_end.text ? ev->session_end.text : "";

	switch (ev->session_end.end) {
	case SESSION_DONE:
		return NULL;
	case SESSION_CLOSED:
		return ev->session_end.stage == STAGE_QUIT
			       ? NULL
			       : arena_printf(a, "the other side closed %s", where);
	case SESSION_RESET:
		return arena_printf(a, "the connection was reset %s", where);
	case SESSION_STALLED:
		return arena_printf(a, "nothing more came %s", where);
	case SESSION_NOT_SMTP:
		return arena_printf(a, "no SMTP: %s", text);
	case SESSION_TLS_ERROR:
		return arena_printf(a, "TLS failed: %s", text);
	case SESSION_ICMP:
		return arena_printf(a, "an ICMP error ended the connection %s", where);
	}
	return NULL;
}

static const char *reply_words(struct arena *a, const struct tracker *t, const struct event *ev)
{
	static const char *const to[STAGE_COUNT] = {
		[STAGE_GREETING] = "greeting",	 [STAGE_EHLO] = "EHLO",
		[STAGE_STARTTLS] = "STARTTLS",	 [STAGE_EHLO_TLS] = "EHLO inside TLS",
		[STAGE_AUTH] = "AUTH",		 [STAGE_MAIL] = "MAIL FROM",
		[STAGE_RCPT] = "RCPT TO",	 [STAGE_UNOFFERED] = "STARTTLS, not offered",
	};
	const char *what = ev->reply.helo ? "HELO" : to[ev->reply.stage];

	if (what && ev->reply.code == 0)
		return arena_printf(a, "%s: %s", what, ev->reply.text);
	const char *product = ev->reply.stage == STAGE_GREETING
				      ? words_product(t, SIGNATURE_GREETING, ev->reply.text)
				      : "";
	return !what        ? NULL
	       : product[0] ? arena_printf(a, "%s: %d %s (so greets %s)", what, ev->reply.code,
					   ev->reply.text, product)
			    : arena_printf(a, "%s: %d %s", what, ev->reply.code, ev->reply.text);
}

static const char *neighbour_words(struct arena *a, const struct host_neighbour *n)
{
	return arena_printf(a, "next hop %s: neighbour state %s", words_addr(a, &n->address),
			    neighbour_state_name(n));
}

static const char *link_words(struct arena *a, const struct host_link *l)
{
	return arena_printf(a, "%s: %s, mtu %u, %s%s%s", l->name, l->kind, l->mtu,
			    l->up ? "up" : "down", l->up && !l->carrier ? ", no carrier" : "",
			    l->tunnel ? ", a tunnel: the path below is the tunnel's" : "");
}

static const char *stats_words(struct arena *a, const struct ev_capture_stats *s)
{
	return arena_printf(a, "%llu packets captured, %llu lost",
			    (unsigned long long)s->received,
			    (unsigned long long)(s->dropped_kernel + s->dropped_queue));
}

/* The first answer of its TTL, unless it is a router's "time exceeded": that is what they are for. */
static const char *probe_words(struct arena *a, const struct tracker *t, const struct event *ev,
			       unsigned *port)
{
	const struct packet *p = &ev->packet;
	const struct path_probe *probe = path_probe_of(&t->path, p);
	size_t index = (size_t)(ev - t->log->events);
	char text[256];

	if (!probe || probe->kind == PROBE_BORDER || p->dir == PACKET_OUT ||
	    t->path.trace[probe->trace].cell[probe->ttl].event != index ||
	    (p->kind == PACKET_ICMP && p->icmp.type == (p->src.family == ADDR_V4 ? 11 : 3)))
		return NULL;
	*port = probe->port;
	wire_text(p, text, sizeof(text));
	if (path_is_on_connection(probe->kind))
		return arena_printf(a, "a copy with TTL %u of what was said drew an answer: %s", probe->ttl,
				    text);
	return probe->kind == PROBE_FULL
		       ? arena_printf(a, "a raw SYN was answered: %s", text)
		       : arena_printf(a, "a SYN with TTL %u was answered: %s", probe->ttl, text);
}

/* What became of one SYN to an address that is nobody's. */
static const char *canary_words(struct arena *a, const struct tracker *t, const struct event *ev)
{
	const char *end = "no answer";

	for (unsigned i = 0; i < t->canary.n; i++) {
		const struct canary_syn *s = &t->canary.syn[i];
		if (s->seq == ev->probe.seq)
			end = s->taken ? "answered by a SYN-ACK" : s->refused ? "turned away" : end;
	}
	return arena_printf(a, "SYN to the documentation address %s, which is nobody's: %s",
			    words_addr(a, &ev->probe.dst), end);
}

/* Packets that tell something: our first SYN, and what answers a SYN. */
static const char *packet_words(struct arena *a, const struct tracker *t, const struct event *ev,
				enum source *source, unsigned *port)
{
	size_t index = (size_t)(ev - t->log->events);
	const char *what = NULL;
	char text[256];

	if (ev->packet.kind == PACKET_NEIGHBOUR) /* of no port */
		return t->neighbour_answered != index + 1 ? NULL
			       : arena_printf(a, "the next hop answers: %s",
					      wire_text(&ev->packet, text, sizeof(text)));
	for (unsigned i = 0; i < t->n_flows && !what; i++) {
		const struct flow *f = &t->flows[i];
		*port = f->port;
		if (f->syn_out && f->syn_event == index)
			what = "SYN left";
		else if ((f->redirected || f->syn_on_lo) && f->redirect_event == index)
			what = f->redirected ? "SYN went elsewhere" : "SYN turned back on loopback";
		else if (f->synack.seen && f->synack.event == index)
			what = "SYN-ACK came";
		else if (f->rst.seen && f->rst.event == index && !f->has_reply)
			what = f->rst.on_lo ? "RST came on loopback" : "RST came";
		for (unsigned k = 0; k < f->n_icmp && !what; k++)
			if (!f->icmp[k].from_errqueue && f->icmp[k].event == index)
				what = f->icmp[k].on_lo ? "ICMP error of this host to itself"
							: "ICMP error came";
	}
	for (unsigned i = 0; i < t->canary.n && !what; i++) {
		const struct canary_syn *s = &t->canary.syn[i];
		if (!s->taken || s->event != index)
			continue;
		what = "SYN-ACK came in the name of nobody";
		*port = s->port;
		*source = SOURCE_CANARY;
	}
	if (!what)
		return probe_words(a, t, ev, port);
	return arena_printf(a, "%s: %s", what, wire_text(&ev->packet, text, sizeof(text)));
}

static const char *dns_words(struct arena *a, const struct event *ev)
{
	static const char *const of[DNS_RECORD_COUNT] = {
		[DNS_RECORD_MX] = "mail exchangers", [DNS_RECORD_ADDRESS] = "addresses",
		[DNS_RECORD_CHECKED] = "addresses, with signatures checked",
		[DNS_RECORD_TLSA] = "TLSA", [DNS_RECORD_MTA_STS] = "MTA-STS",
	};
	static const char *const without[DNS_STATUS_COUNT] = {
		[DNS_FOUND] = "found",	       [DNS_NO_DATA] = "none",
		[DNS_NO_NAME] = "none",	       [DNS_BOGUS] = "refused, for its signatures do not hold",
		[DNS_FAILED] = "the resolver reports a failure", [DNS_SILENT] = "no answer in time",
	};
	static const char *const trust[DNS_TRUST_COUNT] = {
		[DNS_UNCHECKED] = "signatures not checked", [DNS_UNSIGNED] = "its zone is not signed",
		[DNS_SECURE] = "its signatures hold", [DNS_FORGED] = "its signatures do not hold",
	};
	const struct ev_dns *d = &ev->dns;

	if (d->asked)
		return NULL;
	const char *what = d->text ? d->text : without[d->status];
	/* what the C library or a file said has no signatures */
	if (d->record == DNS_RECORD_ADDRESS || d->status > DNS_NO_NAME)
		return arena_printf(a, "%s: %s: %s", d->name, of[d->record], what);
	return arena_printf(a, "%s: %s: %s (%s)", d->name, of[d->record], what, trust[d->trust]);
}

static const char *alike_words(struct arena *a, const struct ev_alike *ev)
{
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX];
	const char *where =
		arena_printf(a, "behind hop %u (%s), no farther than hop %u (%s)", ev->from_ttl,
			     !ev->from_ttl ? "this host"
			     : addr_is_set(&ev->from) ? addr_text(&ev->from, from) : "silent",
			     ev->to_ttl, addr_is_set(&ev->to) ? addr_text(&ev->to, to) : "silent");

	return arena_printf(a, "not traced itself: %u other target%s of this call that fail%s alike "
			    "%s, and %s %s", ev->traced, ev->traced == 1 ? "" : "s",
			    ev->traced == 1 ? "s" : "", ev->traced == 1 ? "was" : "were",
			    ev->traced == 1 ? "stops" : "all stop", where);
}

const char *words_event(struct arena *a, const struct tracker *t, const struct event *ev,
			enum source *source, unsigned *port)
{
	const struct flow *f = flow_of(t, ev->flow);

	*port = f ? f->port : 0;
	*source = SOURCE_SOCKET;
	switch (ev->kind) {
	case EV_LINK:
		*source = SOURCE_LINK;
		return link_words(a, &ev->link);
	case EV_ROUTE:
		*source = SOURCE_ROUTE;
		*port = ev->route->port;
		if (ev->route->error && ev->route->stop_text[0])
			return arena_printf(a, "%s; stopped by: %s%s%s", ev->route->text,
					    ev->route->stop_text,
					    ev->route->would_text[0] ? "; without that it would take: " : "",
					    ev->route->would_text);
		return arena_strdup(a, ev->route->text);
	case EV_NEIGHBOUR:
		*source = SOURCE_NEIGHBOUR;
		return neighbour_words(a, &ev->neighbour);
	case EV_FLOW_START:
		return NULL;
	case EV_CONNECT:
		return connect_words(a, ev, f);
	case EV_ICMP_ERROR:
		return arena_printf(a, "the socket was told: ICMP %s from %s",
				    words_icmp(a, &ev->icmp_error.from, ev->icmp_error.type,
					       ev->icmp_error.code),
				    words_addr(a, &ev->icmp_error.from));
	case EV_PACKET:
		*source = SOURCE_CAPTURE;
		return packet_words(a, t, ev, source, port);
	case EV_REPLY:
		*source = SOURCE_SMTP;
		return reply_words(a, t, ev);
	case EV_TLS:
		*source = SOURCE_TLS;
		return arena_printf(a, "%s %s, certificate of %s, %s", ev->tls.version,
				    ev->tls.cipher, ev->tls.subject ? ev->tls.subject : "nobody",
				    ev->tls.verified ? "verified" : ev->tls.error);
	case EV_SESSION_END:
		*source = ev->session_end.end == SESSION_TLS_ERROR ? SOURCE_TLS : SOURCE_SMTP;
		return session_end_words(a, ev);
	case EV_CAPTURE_STATS:
		*source = SOURCE_CAPTURE;
		return stats_words(a, &ev->capture_stats);
	case EV_NOT_LOOKED:
		if (ev->not_looked.what == LOOK_DNS) {
			*source = SOURCE_DNS;
			return arena_printf(a, "not looked up: %s: %s", WORDS_DNS_PROMISES,
					    ev->not_looked.why);
		}
		*source = SOURCE_KERNEL;
		return arena_printf(a, "not looked: %s", ev->not_looked.why);
	case EV_HOST:
		return named_record_words(a, t, ev->host, source, port);
	case EV_HELD:
		return NULL;
	case EV_PROBE: /* others are summed up in the path */
		*source = SOURCE_CANARY;
		*port = ev->probe.port;
		return ev->probe.kind == PROBE_CANARY ? canary_words(a, t, ev) : NULL;
	case EV_DNS:
		*source = SOURCE_DNS;
		return dns_words(a, ev);
	case EV_ALIKE:
		*source = SOURCE_PATH;
		*port = ev->alike.port;
		return alike_words(a, &ev->alike);
	case EV_CANARY:
	case EV_ASN:
	case EV_RUN_END:
		return NULL;
	}
	return NULL;
}
