/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "diag/words.h"

#include <string.h>

#include "diag/again.h"
#include "diag/remedy.h"
#include "diag/rules.h"
#include "diag/words_private.h"
#include "model/complaint.h"
#include "model/report.h"

const char *words_addr(struct arena *a, const struct addr *addr)
{
	char text[ADDR_TEXT_MAX];

	return arena_strdup(a, addr_text(addr, text));
}

const char *words_endpoint(struct arena *a, const struct addr *addr, unsigned port)
{
	return arena_printf(a, "%s port %u", words_addr(a, addr), port);
}

const char *words_icmp(struct arena *a, const struct addr *from, unsigned type, unsigned code)
{
	return arena_printf(a, "%s (type %u code %u)", icmp_name(from->family, type, code), type,
			    code);
}

const char *words_product(const struct tracker *t, enum signature_kind kind, const char *text)
{
	const struct signature *s = text ? signature_find(&t->plan->signatures, kind, text) : NULL;

	return s ? s->name : "";
}

/* ---- values of the placeholders ---- */

static const char *link_name(const struct words *w)
{
	return w->tracker->has_link ? w->tracker->link.name : "the interface";
}

static const struct host_route *route_of(const struct words *w)
{
	for (unsigned i = 0; i < w->tracker->plan->n_ports; i++)
		if (w->tracker->plan->ports[i].port == w->port && w->tracker->routes[i].has)
			return w->tracker->routes[i].route;
	return NULL;
}

static bool is_v6(const struct words *w)
{
	return w->tracker->plan->target.family == ADDR_V6;
}

static const char *w_target(const struct words *w)
{
	return words_addr(w->arena, &w->tracker->plan->target);
}

const char *words_target_brackets(const struct words *w)
{
	return is_v6(w) ? arena_printf(w->arena, "[%s]", w_target(w)) : w_target(w);
}

static const char *w_starttls_option(const struct words *w)
{
	int i = plan_port_index(w->tracker->plan, (uint16_t)w->port);

	return i >= 0 && w->tracker->plan->ports[i].implicit_tls ? "" : " -starttls smtp";
}

static const char *w_port(const struct words *w)
{
	return arena_printf(w->arena, "%u", w->port);
}

static const char *w_errno(const struct words *w)
{
	return errno_name(w->facts->flow ? w->facts->flow->error : 0);
}

static const char *w_ip_family(const struct words *w)
{
	return is_v6(w) ? "-6 " : "";
}

static const char *w_stop_text(const struct words *w)
{
	const struct host_route *r = route_of(w);

	/* a device may bear any name: what a shell would read is not put into a command */
	return r && remedy_is_safe(r->stop_text) ? arena_strdup(w->arena, r->stop_text) : "...";
}

/* " table 100" */
static const char *w_stop_table(const struct words *w)
{
	const struct host_route *r = route_of(w);

	return r && r->stop_table[0] && strcmp(r->stop_table, "main") != 0
		       ? arena_printf(w->arena, " table %s", r->stop_table)
		       : "";
}

static const char *w_stop_priority(const struct words *w)
{
	const struct host_route *r = route_of(w);

	return arena_printf(w->arena, "%u", r ? r->stop_priority : 0);
}

/* It goes into commands, too. */
static const char *w_link(const struct words *w)
{
	const char *name = link_name(w);

	return remedy_is_safe(name) ? name : "the interface";
}

static const char *w_link_state(const struct words *w)
{
	return w->tracker->link.up ? "without carrier" : "down";
}

static const char *w_link_remedy(const struct words *w)
{
	return w->tracker->link.up ? "The link is set up, and nothing answers at its other end: check the cable or the "
				     "radio, and whether the port of the switch, access point or virtual machine there is on."
				   : "Bring the link up:";
}

static const char *w_link_command(const struct words *w)
{
	return w->tracker->link.up ? "" : arena_printf(w->arena, "ip link set %s up", w_link(w));
}

static const char *w_link_mtu(const struct words *w)
{
	return arena_printf(w->arena, "%u", w->tracker->has_link ? w->tracker->link.mtu : 1500);
}

static const char *w_gateway(const struct words *w)
{
	const struct host_route *r = route_of(w);

	return r && addr_is_set(&r->gateway) ? words_addr(w->arena, &r->gateway) : "the gateway";
}

static const char *w_arp(const struct words *w)
{
	return is_v6(w) ? "neighbour discovery" : "ARP";
}

static const char *w_source(const struct words *w)
{
	const struct flow *f = w->facts->flow;

	return f && addr_is_set(&f->local) ? words_addr(w->arena, &f->local) : "this address";
}

static const char *w_redirect(const struct words *w)
{
	for (unsigned i = 0; i < w->tracker->n_flows; i++) {
		const struct flow *f = &w->tracker->flows[i];
		if (f->port == w->port && f->redirected)
			return words_endpoint(w->arena, &f->redirect_dst, f->redirect_dport);
	}
	return "another place";
}

static const char *w_peer(const struct words *w)
{
	const struct flow *f = w->facts->flow;

	return f ? words_endpoint(w->arena, &f->peer, f->peer_port) : "";
}

static const char *w_icmp(const struct words *w)
{
	const struct icmp_answer *i = w->facts->icmp;

	return i ? words_icmp(w->arena, &i->from, i->msg.type, i->msg.code) : "";
}

static const char *w_icmp_from(const struct words *w)
{
	return w->facts->icmp ? words_addr(w->arena, &w->facts->icmp->from) : "";
}

/* An answer that has come past n routers is of hop n + 1, as the map of the way counts them. */
static const char *w_rst_hop(const struct words *w)
{
	return arena_printf(w->arena, "%d", w->facts->rst_distance + 1);
}

static const char *w_control_hop(const struct words *w)
{
	return arena_printf(w->arena, "%d", w->facts->control_distance + 1);
}

static const char *w_control_port(const struct words *w)
{
	int i = w->facts->control_port;

	return i < 0 ? "" : arena_printf(w->arena, "%u", w->tracker->plan->ports[i].port);
}

static const char *w_silent_syns(const struct words *w)
{
	return arena_printf(w->arena, "%u", w->facts->silent_syns);
}

const char *words_host_look(enum host_look look)
{
	static const char *const texts[HOST_LOOK_COUNT] = {
		[HOST_LOOK_TRACE] = "the trace of nf_tables rules",
		[HOST_LOOK_IPTABLES] = "legacy iptables",
		[HOST_LOOK_PROGRAMS] = "tc, XDP and cgroup programs",
		[HOST_LOOK_DROPS] = "the kernel's drop reasons",
		[HOST_LOOK_CONNTRACK] = "connection tracking",
		[HOST_LOOK_RULES] = "the nf_tables rules",
		[HOST_LOOK_XFRM] = "IPsec policies",
	};

	return texts[look];
}

static const char *w_ip(const struct words *w)
{
	return is_v6(w) ? "ip6" : "ip";
}

/* A name that may stand in a command, or NULL: names come from a user's file, or from DNS. */
static const char *safe_name(const struct words *w)
{
	const char *name = w->tracker->plan->name;

	return name && remedy_is_safe(name) ? name : NULL;
}

static const char *w_other_family(const struct words *w)
{
	const char *name = safe_name(w);

	return name ? arena_printf(w->arena, "Try the other address family: `smtpblame %s %s`",
				   is_v6(w) ? "-4" : "-6", name)
		    : "";
}

const char *words_ticket_command(struct arena *a, const struct tracker *t)
{
	struct words w = {.arena = a, .tracker = t};
	const char *name = safe_name(&w);
	struct again again = {
		.plan = t->plan, .ticket = true, .target = name ? name : w_target(&w), .family = name != NULL};

	return again_command(a, &again);
}

/* The sentence with the command that writes the text for whoever is asked. */
static const char *w_ticket(const struct words *w)
{
	const char *command = words_ticket_command(w->arena, w->tracker);

	if (!command)
		return "The text for that, with addresses, times, hops and packets, comes with "
		       "`--ticket`";
	return arena_printf(w->arena,
			    "The text for that, with addresses, times, hops and packets: `%s`", command);
}

const char *words_ticket(const struct words *w)
{
	return w_ticket(w);
}

struct session_point words_session(const struct words *w)
{
	const struct flow *f = w->facts->flow;
	const struct rule *r = w->rule;

	if (!f || !r || r->layer != LAYER_SESSION || f->end_stage >= STAGE_COUNT)
		return (struct session_point){0};
	struct session_point s = {.known = true, .stage = f->end_stage};
	const struct plan *plan = w->tracker->plan;
	for (unsigned i = 0; i < plan->n_ports; i++)
		s.tls_first |= plan->ports[i].port == w->port && plan->ports[i].implicit_tls;
	s.by_size = r->mechanism == MECH_SESSION_STALL &&
		    ((r->need & FACT_BIT(F_LARGE_LOST)) || (r->need & FACT_BIT(F_SMALL_PASSES)));
	return s;
}

static struct complaint complaint_of(const struct words *w)
{
	return (struct complaint){
		.mechanism = w->rule ? w->rule->mechanism : MECH_UNKNOWN,
		.session = words_session(w),
		.port = w->port,
		.target = w->tracker->plan->target,
		.ports = arena_printf(w->arena, "TCP port %u", w->port),
	};
}

/* "To see it: `telnet ...`, then EHLO. " */
static const char *how_to_see(const struct words *w, const struct complaint *c)
{
	const char *command = complaint_command(w->arena, c);

	return *command ? arena_printf(w->arena, " To see it: `%s`%s.", command, complaint_then(c)) : "";
}

static enum place placed_at(const struct words *w)
{
	return w->facts->placed.known ? w->facts->placed.place : PLACE_UNKNOWN;
}

static const char *place_words(enum place place)
{
	switch (place) {
	case PLACE_HOST: return "on this machine";
	case PLACE_GATEWAY: return "at your gateway";
	case PLACE_ISP: return "in your provider's network";
	case PLACE_TRANSIT: return "in transit, beyond your provider";
	case PLACE_DESTINATION_NETWORK: return "in the destination's network";
	case PLACE_DESTINATION: return "by the destination";
	case PLACE_UNKNOWN:
	case PLACE_COUNT: break;
	}
	return "on the way";
}

/* Another place that the port may be stopped at, likely enough to be worth a word: the likeliest of them. */
static enum place second_place(const struct words *w)
{
	const struct placed *p = &w->facts->placed;
	enum place best = PLACE_UNKNOWN;

	for (int i = 0; i < PLACE_UNKNOWN && placed_at(w) != PLACE_UNKNOWN; i++)
		if ((enum place)i != p->place && p->weight[i] >= CONFIDENCE_WORTH &&
		    (best == PLACE_UNKNOWN || p->weight[i] > p->weight[best]))
			best = (enum place)i;
	return best;
}

/* The place, behind `sure`; or behind `unsure` with "probably" before it. Where it is not even likely, who else it
 * may be is told. */
static const char *place_told(const struct words *w, const char *sure, const char *unsure)
{
	double confidence = placed_at(w) == PLACE_UNKNOWN ? 1 : w->facts->placed.confidence;
	const char *place = place_words(placed_at(w));

	if (confidence >= CONFIDENCE_SURE)
		return arena_printf(w->arena, "%s%s", sure, place);
	if (confidence >= CONFIDENCE_LIKELY)
		return arena_printf(w->arena, "%sprobably %s", unsure, place);
	enum place second = second_place(w);
	return second == PLACE_UNKNOWN ? arena_printf(w->arena, "%sperhaps %s", unsure, place)
				       : arena_printf(w->arena, "%s%s or %s", sure, place, place_words(second));
}

static const char *w_place_words(const struct words *w)
{
	return place_told(w, "", "");
}

/* What follows a verb: " at your gateway", ", probably at your gateway". */
static const char *w_at_place(const struct words *w)
{
	return place_told(w, " ", ", ");
}

/* "somebody at your gateway", "somebody, probably at your gateway," */
static const char *w_somebody(const struct words *w)
{
	const char *at = w_at_place(w);

	return arena_printf(w->arena, "somebody%s%s", at, at[0] == ',' ? "," : "");
}

static const char *w_somebody_first(const struct words *w)
{
	return arena_printf(w->arena, "S%s", w_somebody(w) + 1);
}

static const char *w_place_owner(const struct words *w)
{
	switch (placed_at(w)) {
	case PLACE_HOST: return "this machine's administrator";
	case PLACE_GATEWAY: return "whoever runs the gateway";
	case PLACE_ISP: return "your provider";
	case PLACE_TRANSIT: return "your provider, which can ask its transit,";
	case PLACE_DESTINATION_NETWORK:
	case PLACE_DESTINATION: return "the destination's administrator";
	case PLACE_UNKNOWN:
	case PLACE_COUNT: break;
	}
	return "the provider of this connection";
}

/* Of a device that answers in the server's place: what comes of what one says there, and what to do.
 * Only where a certificate verified is TLS a way past it; what it alters is told beside this. */
static const char *w_read_on_way(const struct words *w)
{
	if (fact_seen(w->facts, F_TLS_VERIFIED))
		return arena_printf(w->arena,
				    "passes through that device, which can read what is not encrypted. Ask %s why; until "
				    "then use TLS with certificate checks only: the server's own certificate came through.",
				    w_place_owner(w));
	return arena_printf(w->arena,
			    "ends at that device, which can read all of it, and no certificate there vouches for the "
			    "server. Ask %s why; until then send no password through.", w_place_owner(w));
}

static const char *hop_words(const struct words *w, unsigned ttl, const struct addr *a)
{
	if (ttl == 0)
		return "this machine";
	if (ttl == w->facts->dest_hop)
		return arena_printf(w->arena, "the destination %s", w_target(w));
	if (!addr_is_set(a))
		return arena_printf(w->arena, "hop %u (silent)", ttl);
	return arena_printf(w->arena, "hop %u (%s)", ttl, words_addr(w->arena, a));
}

static const char *w_hop_words(const struct words *w)
{
	const struct placed *p = &w->facts->placed;

	/* one device: it has answered, if not for an expired TTL */
	if (p->from == p->to && p->from && !addr_is_set(&p->to_addr) && p->to != w->facts->dest_hop)
		return arena_printf(w->arena, "hop %u (of unknown address)", p->to);
	if (p->from == p->to)
		return hop_words(w, p->to, &p->to_addr);
	return arena_printf(w->arena, "after %s and at or before %s",
			    hop_words(w, p->from, &p->from_addr), hop_words(w, p->to, &p->to_addr));
}

/* ... as the subject of a sentence. */
static const char *w_hop_subject(const struct words *w)
{
	bool one = w->facts->placed.from == w->facts->placed.to;

	return one ? w_hop_words(w) : arena_printf(w->arena, "a device %s", w_hop_words(w));
}

/* Why an early answer's TTL and its hop are not one number. */
static const char *w_answer_ttl(const struct words *w)
{
	int port = plan_port_index(w->tracker->plan, (uint16_t)w->port);
	const struct path_trace *trace = port >= 0 ? &w->tracker->path.trace[port] : NULL;
	const struct placed *p = &w->facts->placed;
	bool connected = fact_seen(w->facts, F_CONNECTED);
	unsigned first = !trace ? 0 : connected ? path_first_syn_ack(trace) : path_first_rst(trace);

	if (!first)
		return "";
	if (w->facts->ttl_renewed)
		return first < p->to ? arena_printf(w->arena,
						    " (a TTL of %u is enough: somebody before it sets TTLs anew)",
						    first)
				     : "";
	if (p->from == p->to && first == p->to + 1)
		return arena_printf(w->arena,
				    " (from a TTL of %u on: at a router the TTL runs out before its filter is asked)",
				    first);
	if (p->from < p->to && first > p->to)
		return arena_printf(w->arena,
				    " (from a TTL of %u on: the answer bears what is left of it, and with less does not "
				    "get back here)",
				    first);
	return "";
}

/* The farthest hop that answers anything, 0 none. */
static unsigned reach_of(const struct words *w)
{
	const struct path *path = &w->tracker->path;
	unsigned last = 0;

	for (unsigned i = 0; i < w->tracker->plan->n_ports; i++) {
		unsigned one = path_last_hop(path, &path->trace[i]);
		last = one > last ? one : last;
	}
	return last;
}

/* How far anything gets, where nothing gets through. */
static const char *w_reach(const struct words *w)
{
	unsigned last = reach_of(w);

	if (!last)
		return "";
	struct addr a = path_hop_address(&w->tracker->path, last);
	return arena_printf(w->arena, " Probes of every port get as far as %s and no farther.",
			    hop_words(w, last, &a));
}

/* Where nothing shows that it is the provider. */
static const char *w_ask_provider(const struct words *w)
{
	struct complaint c = complaint_of(w);

	if (complaint_is_block(&c))
		return arena_printf(w->arena,
				    "Ask the provider of this connection whether it filters TCP port %u. %s",
				    w->port, w_ticket(w));
	return arena_printf(w->arena,
			    "Tell the provider of this connection that %s; ask them whether a device of "
			    "theirs does that, and to %s.%s %s",
			    complaint_what(w->arena, &c), complaint_request(&c), how_to_see(w, &c),
			    w_ticket(w));
}

bool words_source_is_elsewhere(const struct tracker *t)
{
	const struct plan *plan = t->plan;

	/* translated on its way out it bears the right one */
	for (unsigned i = 0; i < t->n_flows; i++)
		if (t->flows[i].translated && !addr_equal(&t->flows[i].translated_src, &plan->source))
			return false;
	return addr_is_set(&plan->source) && plan->source_link && t->has_link && !t->link.loopback &&
	       strcmp(t->link.name, plan->source_link) != 0;
}

/* The first thing to try where nothing comes back. */
static const char *w_own_source(const struct words *w)
{
	const struct plan *plan = w->tracker->plan;

	if (!words_source_is_elsewhere(w->tracker))
		return "";
	return arena_printf(w->arena,
			    "First of all: %s is the address of %s, and packets with it leave by %s, where the next "
			    "network may drop them for that. Leave by %s with it (add -i %s), or take an address of %s.",
			    words_addr(w->arena, &plan->source), plan->source_link, link_name(w), plan->source_link,
			    plan->source_link, link_name(w));
}

static bool has_gateway(const struct words *w)
{
	const struct host_route *r = route_of(w);

	return r && addr_is_set(&r->gateway);
}

/* Where nothing at all passes: what to look at first, from here outwards. */
static const char *w_silent_first(const struct words *w)
{
	unsigned last = reach_of(w);
	struct addr a = path_hop_address(&w->tracker->path, last);

	if (last)
		return arena_printf(w->arena,
				    "See whether it is this address alone: call another server. If none behind %s "
				    "answers, the network fails from there on: look at your provider's status page, or "
				    "tell them this hop. If others answer, it is %s or its own network.",
				    hop_words(w, last, &a), w_target(w));
	return arena_printf(w->arena,
			    "Nothing comes back at all: begin at this machine. Is that the way that packets should "
			    "take%s?",
			    has_gateway(w) ? ", and does its gateway answer" : "");
}

static const char *w_silent_route(const struct words *w)
{
	const struct addr *source = &w->tracker->plan->source;

	if (reach_of(w))
		return "";
	return arena_printf(w->arena, "ip %sroute get %s%s%s", w_ip_family(w), w_target(w),
			    addr_is_set(source) ? " from " : "",
			    addr_is_set(source) ? words_addr(w->arena, source) : "");
}

static const char *w_silent_ping(const struct words *w)
{
	const struct host_route *r = route_of(w);

	if (reach_of(w) || !has_gateway(w))
		return "";
	if (!addr_is_link_local(&r->gateway) || !w->tracker->has_link)
		return arena_printf(w->arena, "ping -c 3 %s", words_addr(w->arena, &r->gateway));
	return remedy_is_safe(link_name(w)) ? arena_printf(w->arena, "ping -c 3 -I %s %s", link_name(w),
							   words_addr(w->arena, &r->gateway))
					    : "";
}

static const char *w_silent_then(const struct words *w)
{
	if (reach_of(w) || !has_gateway(w))
		return "";
	return "If it does not answer, look at the cable or the radio, and at the gateway itself. If it does, and no "
	       "other server answers either, its own line is down, or it lets this machine out nowhere: look at its "
	       "status page and its firewall, then at your provider's status page.";
}

static const char *w_ask_owner(const struct words *w)
{
	struct complaint c = complaint_of(w);
	bool gateway = placed_at(w) == PLACE_GATEWAY;

	if (!complaint_is_block(&c) && gateway)
		return arena_printf(w->arena,
				    "Look at the gateway's own firewall and mail filter first: %s; let it %s.%s",
				    complaint_what(w->arena, &c), complaint_request(&c),
				    how_to_see(w, &c));
	if (!complaint_is_block(&c))
		return arena_printf(w->arena, "Tell %s that %s, and ask them to %s.%s %s", w_place_owner(w),
				    complaint_what(w->arena, &c), complaint_request(&c),
				    how_to_see(w, &c), w_ticket(w));
	if (gateway)
		return arena_printf(w->arena,
				    "Look at the gateway's own firewall first: outgoing TCP port %u "
				    "must be allowed for %s.", w->port, w_source(w));
	if (placed_at(w) == PLACE_UNKNOWN)
		return w_ask_provider(w);
	if (w->facts->placed.confidence < CONFIDENCE_LIKELY)
		return arena_printf(w->arena,
				    "Ask %s whether something there stops TCP port %u from %s, and if so, to open it. %s",
				    w_place_owner(w), w->port, w_source(w), w_ticket(w));
	return arena_printf(w->arena,
			    "Ask %s to open TCP port %u for %s. %s", w_place_owner(w), w->port,
			    w_source(w), w_ticket(w));
}

static bool is_server_side(enum place place)
{
	return place == PLACE_DESTINATION_NETWORK || place == PLACE_DESTINATION;
}

/* What to do if it is not the place that was named, but the next likely one: of another owner. */
static const char *w_ask_other(const struct words *w)
{
	struct complaint c = complaint_of(w);
	enum place place = placed_at(w), second = second_place(w);
	bool block = complaint_is_block(&c);

	if (second == PLACE_UNKNOWN || (is_server_side(place) && is_server_side(second)))
		return "";
	int percent = (int)(w->facts->placed.weight[second] * 100 + 0.5);
	switch (second) {
	case PLACE_GATEWAY:
		if (!block)
			return arena_printf(w->arena,
					    "It may also be your gateway (%d%%), which is nearer to look at: see whether "
					    "its own firewall or mail filter does that, and if so, make it %s.",
					    percent, complaint_request(&c));
		return arena_printf(w->arena,
				    "It may also be your gateway (%d%%), which is nearer to look at: its own firewall must "
				    "let TCP port %u from %s out.",
				    percent, w->port, w_source(w));
	case PLACE_ISP:
		return arena_printf(w->arena, "If that is not it, it is your provider, most likely (%d%%): ask there to %s.",
				    percent,
				    block ? arena_printf(w->arena, "let TCP port %u from %s out", w->port, w_source(w))
					  : complaint_request(&c));
	case PLACE_TRANSIT:
		return arena_printf(w->arena,
				    "If your provider does not do it, the network behind does, most likely (%d%%): ask "
				    "your provider to take it up with the one that it hands your packets to.",
				    percent);
	case PLACE_DESTINATION_NETWORK:
	case PLACE_DESTINATION:
		return arena_printf(w->arena,
				    "If it is not that, it is the destination's side, most likely (%d%%): ask the "
				    "administrator of %s, by another way than this, whether a filter there stops %s.",
				    percent, w_target(w), w_source(w));
	case PLACE_HOST:
	case PLACE_UNKNOWN:
	case PLACE_COUNT: break;
	}
	return "";
}

/* Where the gateway may be the one: how whoever runs it sees that, or that it is not. */
static const char *w_gateway_look(const struct words *w)
{
	struct complaint c = complaint_of(w);
	bool gateway = placed_at(w) == PLACE_GATEWAY || second_place(w) == PLACE_GATEWAY ||
		       (w->rule && w->rule->place == PLACE_GATEWAY);

	if (!gateway || !complaint_is_block(&c))
		return "";
	return arena_printf(w->arena,
			    "To see whether it is the gateway, where that has a shell: `tcpdump -ni any host %s and tcp "
			    "port %u`. A SYN that comes in there and does not go out is stopped by the gateway itself: "
			    "look in its firewall (Linux: nft list ruleset, iptables-save), or in its menus for outgoing "
			    "connections. Without a shell: put another gateway, or this machine, in its place, and run "
			    "this again.",
			    w_target(w), w->port);
}

static const char *w_named(const struct words *w)
{
	return w->named ? named_words(w->arena, w->tracker, w->named) : "";
}

/* ", where master (pid 12) listens" */
static const char *w_redirect_owner(const struct words *w)
{
	const struct flow *f = w->facts->flow;
	struct addr any = {0};

	if (!f)
		return "";
	uint16_t port = f->redirected ? f->redirect_dport
			: fact_seen(w->facts, F_PEER_DIFFERS) ? f->peer_port : f->port;
	const struct host_owner *o = named_owner(w->tracker, &any, port);
	if (!o || !o->name[0])
		return "";
	return arena_printf(w->arena, ", to the program %s (pid %u)", o->name, o->pid);
}

/* The interface on which the answer came in, where that is known. */
static const char *w_answer_link(const struct words *w)
{
	const struct flow *f = w->facts->flow;

	if (!f || !f->synack.seen || f->synack.ifindex == f->syn_ifindex)
		return link_name(w);
	for (unsigned i = 0; i < w->tracker->n_host; i++) {
		const struct host_record *r = w->tracker->log->events[w->tracker->host[i]].host;
		if (r->kind == HOST_PACKET && r->packet.inbound && r->packet.iif[0] &&
		    r->packet.dport == f->lport)
			return arena_strdup(w->arena, r->packet.iif);
	}
	return "another interface";
}

static const char *w_works_instead(const struct words *w)
{
	return w->works_instead;
}

static const struct placeholder placeholders[] = {
	{"target", w_target},
	{"target-brackets", words_target_brackets},
	{"port", w_port},
	{"starttls-option", w_starttls_option},
	{"errno", w_errno},
	{"ip-family", w_ip_family},
	{"stop-text", w_stop_text},
	{"stop-priority", w_stop_priority},
	{"stop-table", w_stop_table},
	{"link", w_link},
	{"link-state", w_link_state},
	{"link-remedy", w_link_remedy},
	{"link-command", w_link_command},
	{"link-mtu", w_link_mtu},
	{"gateway", w_gateway},
	{"arp", w_arp},
	{"source", w_source},
	{"redirect", w_redirect},
	{"peer", w_peer},
	{"icmp", w_icmp},
	{"icmp-from", w_icmp_from},
	{"rst-hop", w_rst_hop},
	{"control-hop", w_control_hop},
	{"control-port", w_control_port},
	{"silent-syns", w_silent_syns},
	{"ip", w_ip},
	{"other-family", w_other_family},
	{"ticket", w_ticket},
	{"works-instead", w_works_instead},
	{"named", w_named},
	{"redirect-owner", w_redirect_owner},
	{"answer-link", w_answer_link},
	{"place-words", w_place_words},
	{"at-place", w_at_place},
	{"somebody", w_somebody},
	{"Somebody", w_somebody_first},
	{"place-owner", w_place_owner},
	{"read-on-way", w_read_on_way},
	{"hop-words", w_hop_words},
	{"hop-subject", w_hop_subject},
	{"answer-ttl", w_answer_ttl},
	{"ask-owner", w_ask_owner},
	{"ask-other", w_ask_other},
	{"gateway-look", w_gateway_look},
	{"ask-provider", w_ask_provider},
	{"reach", w_reach},
	{"own-source", w_own_source},
	{"silent-first", w_silent_first},
	{"silent-route", w_silent_route},
	{"silent-ping", w_silent_ping},
	{"silent-then", w_silent_then},
	{0},
};

static const struct placeholder *find(const struct placeholder *list, const char *name, size_t len)
{
	while (list->name && (strlen(list->name) != len || memcmp(list->name, name, len) != 0))
		list++;
	return list->name ? list : NULL;
}

static const char *placeholder_value(const struct words *w, const char *name, size_t len)
{
	const struct placeholder *p = find(placeholders, name, len);

	if (!p)
		p = find(words_of_session, name, len);
	return p ? p->value(w) : NULL;
}

const char *words_expand(const struct words *w, const char *template)
{
	const char *out = "";

	while (*template) {
		const char *open = strchr(template, '{'), *close = open ? strchr(open, '}') : NULL;
		if (!close)
			return arena_printf(w->arena, "%s%s", out, template);
		const char *value = placeholder_value(w, open + 1, (size_t)(close - open - 1));
		if (value)
			out = arena_printf(w->arena, "%s%.*s%s", out, (int)(open - template),
					   template, value);
		else
			out = arena_printf(w->arena, "%s%.*s", out, (int)(close + 1 - template),
					   template);
		template = close + 1;
	}
	return out;
}
