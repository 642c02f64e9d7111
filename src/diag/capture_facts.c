/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Facts of the handshake: who was heard, from where, and what the rest of the capture tells. */
#include "diag/capture_facts.h"

#include "base/clock.h"
#include "diag/capture_note.h"
#include "diag/loss.h"
#include "wire/decode.h"

/* ---- names ---- */

static const struct {
	const char *name, *text;
} words[CF_COUNT] = {
	[CF_AT_CLIENT] = {"at-client", "the capture was taken at the client or on its link: its packets have lost no TTL"},
	[CF_ON_LOOPBACK] = {"on-loopback", "the packets were seen on a loopback interface"},
	[CF_ONE_SIDED] = {"one-sided", "the capture shows one side's packets only"},
	[CF_NO_BEGINNING] = {"no-beginning", "the connection began before the capture"},
	[CF_CUT_OFF] = {"cut-off", "the capture ends while the connection goes on"},
	[CF_PROBES] = {"probes", "the SYNs have different TTLs, or few hops left, or belong to some that do: a path probe"},
	[CF_SYN] = {"syn", "the SYN was seen"},
	[CF_SILENT] = {"silent", "nothing came back"},
	[CF_SILENT_LONG] = {"silent-long", "loss alone does not explain the silence"},
	[CF_SYNACK] = {"syn-ack", "a SYN-ACK was seen"},
	[CF_SYN_AGAIN] = {"syn-again", "the client went on sending SYNs after the SYN-ACK, and never took it"},
	[CF_SYNACK_IN_VAIN] = {"syn-ack-in-vain", "the server repeated its SYN-ACK, and the client was not heard again"},
	[CF_CLIENT_GAVE_UP] = {"client-gave-up", "the client reset the connection before it stood"},
	[CF_TWO_ANSWERS] = {"two-answers", "two SYN-ACKs with different numbers came from different distances"},
	[CF_ANSWER_NEARER] = {"answer-nearer", "the SYN-ACK came from much nearer than those of the server's other ports"},
	[CF_ESTABLISHED] = {"established", "the handshake completed"},
	[CF_SERVER_ALIVE] = {"server-alive", "the server's address answered at that time"},
	[CF_OTHER_PORT_ALIVE] = {"other-port-alive", "another port of the server answered at that time"},
	[CF_ALL_PORTS_SILENT] = {"all-ports-silent", "several ports of the server were tried, and none answered"},
	[CF_PORT_DEAD_EVERYWHERE] = {"port-dead-everywhere", "none of several servers answers this client on this port"},
	[CF_CLIENT_ALIVE] = {"client-alive", "servers answer this client on other ports"},
	[CF_RST] = {"rst", "a RST came in the server's name"},
	[CF_RST_AT_SYN] = {"rst-at-syn", "that RST answers the SYN"},
	[CF_RST_BARE] = {"rst-bare", "that RST has no ACK, though it answers a SYN"},
	[CF_RST_BOTH_KINDS] = {"rst-both-kinds", "the SYN was answered by a RST and by a RST+ACK"},
	[CF_RST_THEN_SYNACK] = {"rst-then-syn-ack", "a SYN-ACK followed the RST"},
	[CF_RST_THEN_DATA] = {"rst-then-data", "the server went on after the RST"},
	[CF_RST_SEQ_CHANGE] = {"rst-seq-change", "a further RST lies beyond all that the server sent"},
	[CF_RST_ACK_CHANGE] = {"rst-ack-change", "several RSTs acknowledge different things, some of which were never sent"},
	[CF_RST_BURST] = {"rst-burst", "there are more RSTs than packets to answer"},
	[CF_RST_TOO_SOON] = {"rst-too-soon", "the RST acknowledges what cannot have reached the server yet"},
	[CF_RST_NEARER] = {"rst-nearer", "the RST came from fewer hops away than the server's packets"},
	[CF_RST_ON_LINK] = {"rst-on-link", "the RST came from the client's own link, where the server is not"},
	[CF_DISTANCES_SHOWN] = {"distances-shown", "other servers answer this client from beyond its link"},
	[CF_RST_ALIKE] = {"rst-alike", "the RST came from as many hops away as the server's packets"},
	[CF_RST_STRANGE] = {"rst-strange", "the RST differs from the server's packets in IP ID or DF"},
	[CF_CLIENT_RST] = {"client-rst", "the first RST bears the client's address"},
	[CF_CLIENT_RST_FORGED] = {"client-rst-forged", "that RST came from elsewhere than the client's packets, or the client went on"},
	[CF_ICMP] = {"icmp", "an ICMP error quotes the SYN"},
	[CF_ICMP_FROM_CLIENT] = {"icmp-from-client", "the client's own machine sent the ICMP error"},
	[CF_ICMP_FROM_SERVER] = {"icmp-from-server", "the server's own address sent the ICMP error"},
	[CF_ICMP_PLACED] = {"icmp-placed", "address or TTL tell where the ICMP error's sender is"},
	[CF_ICMP_FILTER] = {"icmp-filter", "the ICMP error tells of a filter: prohibited, or port unreachable"},
	[CF_ICMP_PORT] = {"icmp-port", "the ICMP error says port unreachable"},
	[CF_ICMP_EXPIRED] = {"icmp-expired", "the SYN's TTL ran out on the way"},
	[CF_SERVER_SPOKE] = {"server-spoke", "the server sent data"},
	[CF_GREETED] = {"greeted", "the server greeted with a 2xx code"},
	[CF_WORKS] = {"works", "the server speaks SMTP here: a good greeting, good replies, or a session inside TLS"},
	[CF_DONE] = {"done", "the client said QUIT, handed over its mail, or both sides closed in order"},
	[CF_GREETING_REJECT] = {"greeting-reject", "the server greeted with a 4xx or 5xx code"},
	[CF_EHLO_REJECT] = {"ehlo-reject", "the server refused EHLO and HELO"},
	[CF_AUTH_REJECT] = {"auth-reject", "the server refused the login"},
	[CF_POLICY_REJECT] = {"policy-reject", "the server refused the mail for reasons of policy"},
	[CF_STARTTLS_REJECT] = {"starttls-reject", "the server refused STARTTLS, and the client did not go on without"},
	[CF_NOT_SMTP] = {"not-smtp", "what answered does not speak SMTP"},
	[CF_IN_TLS] = {"in-tls", "a TLS handshake began"},
	[CF_TLS_UP] = {"tls-up", "the TLS handshake completed, and both sides spoke inside"},
	[CF_TLS_FAILED] = {"tls-failed", "the TLS handshake failed"},
	[CF_TLS_CLIENT_REFUSES] = {"tls-client-refuses", "the client ended the TLS handshake with an alert"},
	[CF_CLOSED] = {"closed", "the server closed while something was still owed"},
	[CF_WAITED] = {"waited", "the server stayed silent for long"},
	[CF_CLIENT_LEFT] = {"client-left", "the client went before the server had time to answer"},
	[CF_ZERO_WINDOW] = {"zero-window", "the server keeps its window shut"},
	[CF_DRIP] = {"drip", "the server's words come byte by byte"},
	[CF_CLIENT_STUCK] = {"client-stuck", "what the client sent was never acknowledged, however often it was sent"},
	[CF_SERVER_STUCK] = {"server-stuck", "what the server sent was never acknowledged, however often it was sent"},
	[CF_LARGE_STUCK] = {"large-stuck", "small packets pass, and large ones don't"},
	[CF_FRAG_NEEDED] = {"frag-needed", "a router says that packets are too large"},
	[CF_CLIENT_MUTE] = {"client-mute", "the client sent nothing since the server spoke, no acknowledgement either"},
	[CF_BANNER_MASKED] = {"banner-masked", "the greeting is overwritten by asterisks"},
	[CF_EHLO_MASKED] = {"ehlo-masked", "EHLO keywords are overwritten"},
	[CF_STARTTLS_MASKED] = {"starttls-masked", "STARTTLS is overwritten in the reply to EHLO"},
	[CF_TLS_INTERCEPTOR] = {"tls-interceptor", "the certificate was issued by a known interceptor"},
	[CF_PAIRED] = {"paired", "the connection was seen at two capture points"},
	[CF_PAIR_PROXY] = {"pair-proxy", "at the other point another TCP connection carries the same dialogue"},
	[CF_PAIR_GREETING] = {"pair-greeting", "the greeting differs between the two points"},
	[CF_PAIR_EHLO] = {"pair-ehlo", "the reply to EHLO differs between the two points"},
	[CF_PAIR_STARTTLS] = {"pair-starttls", "the server offers STARTTLS, and the client does not get the offer"},
	[CF_PAIR_RST] = {"pair-rst", "the RST in the server's name was not seen at the server's side"},
	[CF_PAIR_CLIENT_RST] = {"pair-client-rst", "the RST in the client's name was not seen at the client's side"},
	[CF_PAIR_SYN_LOST] = {"pair-syn-lost", "the other capture point saw nothing of the connection"},
	[CF_PAIR_ANSWER_LOST] = {"pair-answer-lost", "the SYN-ACK was seen at the server's side only"},
	[CF_PAIR_LOST_OUT] = {"pair-lost-out", "bytes of the client did not come to the other point"},
	[CF_PAIR_LOST_IN] = {"pair-lost-in", "bytes of the server did not come to the other point"},
};

const char *capture_fact_name(unsigned f)
{
	return words[f].name;
}

const char *capture_fact_text(unsigned f)
{
	return words[f].text;
}

/* ---- where the capture was taken ---- */

/* 32 is left out: it is rather 64 with 32 hops behind it than an initial TTL of this century. */
static bool is_initial(uint8_t ttl)
{
	return ttl == 64 || ttl == 128 || ttl == 255;
}

/* The smaller of two distances of which any may be unknown. */
static int nearer(int a, int b)
{
	return a < 0 ? b : b < 0 || a < b ? a : b;
}

static int distance_of(const struct conn_half *half, const struct conn_print *first)
{
	int d = nearer(capture_distance(half->ttl_min), capture_distance(half->ttl_max));

	return nearer(d, capture_distance(first->ttl));
}

bool capture_is_probe(const struct conn *c)
{
	const struct conn_half *client = &c->half[CONN_CLIENT];
	/* each may be a connection of its own, for probes keep their number where the reply returns it */
	bool short_lived = c->syn_print.ttl && c->syn_print.ttl <= CAPTURE_PROBE_TTL;
	bool changing = c->syns > 1 && client->ttl_min != client->ttl_max;

	return (short_lived || changing) && !conn_seen(c->established);
}

static void vantage(struct capture_facts *f)
{
	const struct conn *c = f->conn;
	const struct conn_half *client = &c->half[CONN_CLIENT];
	uint8_t ttl = c->syn_print.ttl ? c->syn_print.ttl : client->ttl_max;

	f->client_distance = distance_of(client, &c->syn_print);
	f->server_distance = distance_of(&c->half[CONN_SERVER], &c->synack_print);
	if (f->server_distance < 0)
		f->server_distance = f->context->distance;
	capture_note(f, CF_AT_CLIENT, client->dir == PACKET_OUT || (client->dir != PACKET_IN && is_initial(ttl)));
	capture_note(f, CF_ON_LOOPBACK, c->loopback);
	/* whoever probes a path with one port asks others with it, too: the canary, a router itself */
	bool with_them = f->context->prober && c->syns == 1 && client->bytes == 0 && !conn_seen(c->established);
	capture_note(f, CF_PROBES, capture_is_probe(c) || with_them);
}

/* ---- completeness ---- */

static void coverage(struct capture_facts *f)
{
	const struct conn *c = f->conn;
	const struct conn_half *client = &c->half[CONN_CLIENT], *server = &c->half[CONN_SERVER];
	bool only_client = server->packets == 0 && server->rsts == 0 && c->n_icmp == 0 &&
			   client->packets > c->syns;
	bool only_server = client->packets == 0 && client->rsts == 0 && server->packets > c->synacks;

	capture_note(f, CF_NO_BEGINNING, c->begin == CONN_FROM_MIDDLE);
	capture_note(f, CF_ONE_SIDED, only_client || only_server);
	capture_note(f, CF_CUT_OFF, c->end == CONN_OPEN || c->end == CONN_EVICTED);
}

/* ---- the handshake ---- */

static void round_trip(struct capture_facts *f)
{
	const struct conn *c = f->conn;

	f->rtt_ns = f->context->rtt_ns;
	/* a SYN that was sent again makes it ambiguous (Karn) */
	if (c->syns != 1 || !conn_seen(c->synack) || !conn_before(c->syn, c->synack))
		return;
	int64_t own = conn_ns(c, c->synack) - conn_ns(c, c->syn);
	if (f->rtt_ns == 0 || own < f->rtt_ns)
		f->rtt_ns = own;
}

static void silence(struct capture_facts *f)
{
	const struct conn *c = f->conn;
	const struct conn_half *client = &c->half[CONN_CLIENT];
	bool silent = c->syns > 0 && c->half[CONN_SERVER].packets == 0 && c->half[CONN_SERVER].rsts == 0 &&
		      c->n_icmp == 0 && client->packets == c->syns && client->rsts == 0;

	f->silence_probability = f->context->alive ? loss_silence_probability(f->context->loss, c->syns) : 1;
	capture_note(f, CF_SILENT, silent);
	capture_note(f, CF_SILENT_LONG,
		     silent && c->syns >= CAPTURE_SILENCE_MIN_SYNS &&
			     (!f->context->alive || f->silence_probability < CAPTURE_SILENCE_PROBABILITY));
}

static void handshake(struct capture_facts *f)
{
	const struct conn *c = f->conn;
	const struct conn_half *client = &c->half[CONN_CLIENT];
	bool stood = conn_seen(c->established);
	/* the last of them, for the first may have crossed the answer */
	bool again = c->syns_after_synack > 0 &&
		     conn_ns(c, c->syn_last) - conn_ns(c, c->synack) >= CAPTURE_SYN_AGAIN_NS;
	bool reset = c->n_rsts > 0 && c->rsts[0].side == CONN_CLIENT;
	int other = capture_distance(c->synack_other_print.ttl), first = capture_distance(c->synack_print.ttl);

	capture_note(f, CF_SYN, conn_seen(c->syn));
	capture_note(f, CF_SYNACK, conn_seen(c->synack));
	capture_note(f, CF_ESTABLISHED, stood || (c->begin == CONN_FROM_MIDDLE && client->segments > 0 &&
						  c->half[CONN_SERVER].segments > 0));
	capture_note(f, CF_SYN_AGAIN, again && !stood);
	capture_note(f, CF_SYNACK_IN_VAIN, c->synacks >= CAPTURE_SYNACKS_IN_VAIN && !stood && !again &&
						   !reset && client->packets == c->syns);
	capture_note(f, CF_CLIENT_GAVE_UP, reset && !stood && c->begin != CONN_FROM_MIDDLE);
	capture_note(f, CF_TWO_ANSWERS, conn_seen(c->synack_other) &&
						(other + RST_NEARER_HOPS <= first || first + RST_NEARER_HOPS <= other));
}

/* One address, two machines: behind the client's own link or the next one answers somebody for this
 * port, and from far away for another. A server that forwards ports to its neighbours differs by a hop
 * or two, and odd initial TTLs make hosts look farther, never this near. */
static void answer_place(struct capture_facts *f)
{
	const struct conn *c = f->conn;
	const struct capture_context *k = f->context;
	int d = capture_distance(c->synack_print.ttl);
	bool at_hand = capture_fact_seen(f, CF_AT_CLIENT) && c->synack_print.ttl > 32 && d <= 1;
	bool quicker = f->rtt_ns > 0 && k->other_rtt_ns >= CAPTURE_SOON_RTT_NS &&
		       f->rtt_ns < k->other_rtt_ns / CAPTURE_SOON_PART;

	if (!conn_seen(c->synack) || c->loopback || !k->other_port || d + CAPTURE_PROXY_HOPS > k->other_distance)
		return;
	capture_note(f, CF_ANSWER_NEARER, at_hand || quicker);
	if (capture_fact_seen(f, CF_ANSWER_NEARER))
		capture_place_by_distance(f, d);
}

static void neighbourhood(struct capture_facts *f)
{
	const struct capture_context *k = f->context;

	capture_note(f, CF_SERVER_ALIVE, k->alive);
	capture_note(f, CF_OTHER_PORT_ALIVE, k->other_port_alive);
	capture_note(f, CF_ALL_PORTS_SILENT, k->all_ports_silent);
	capture_note(f, CF_PORT_DEAD_EVERYWHERE, k->port_dead);
	capture_note(f, CF_CLIENT_ALIVE, k->client_alive);
	capture_note(f, CF_DISTANCES_SHOWN, k->far_seen);
}

/* ---- places ---- */

/* Two addresses of different networks, as far as they alone can tell: never true for neighbours. */
bool capture_far_apart(const struct addr *a, const struct addr *b)
{
	bool local_a = addr_is_private(a) || addr_is_shared(a) || addr_is_link_local(a);
	bool local_b = addr_is_private(b) || addr_is_shared(b) || addr_is_link_local(b);

	return local_a != local_b || addr_common_prefix(a, b) < (a->family == ADDR_V4 ? 16u : 48u);
}

static bool same_site(const struct addr *a, const struct addr *b)
{
	return addr_common_prefix(a, b) >= (a->family == ADDR_V4 ? 24u : 48u);
}

static void put_place(struct placed *p, enum place place, double confidence)
{
	p->known = true;
	p->place = place;
	p->confidence = confidence;
	p->weight[place] = confidence;
}

/* The sender of something has `distance` hops behind it: which of the places is that, seen from the
 * client's link? What can't be told stays unknown. TTLs may be chosen freely, so never too sure. */
void capture_place_by_distance(struct capture_facts *f, int distance)
{
	int hop = distance + 1; /* the first router sends with no hop behind it */

	if (!capture_fact_seen(f, CF_AT_CLIENT) || distance < 0)
		return;
	if (hop == 1) {
		put_place(&f->placed, PLACE_GATEWAY, 0.75);
		f->placed.weight[PLACE_ISP] = 0.1;
		f->placed.weight[PLACE_HOST] = 0.1;
	} else if (f->server_distance >= 4 && hop >= f->server_distance) {
		put_place(&f->placed, PLACE_DESTINATION_NETWORK, 0.6);
		f->placed.weight[PLACE_TRANSIT] = 0.2;
		f->placed.weight[PLACE_DESTINATION] = 0.1;
	} else if (hop == 2) {
		put_place(&f->placed, PLACE_ISP, 0.65);
		f->placed.weight[PLACE_GATEWAY] = 0.15;
		f->placed.weight[PLACE_TRANSIT] = 0.1;
	}
}

/* An ICMP error bears its sender's address, and its quote tells how far the SYN came. */
static void place_icmp(struct capture_facts *f)
{
	const struct conn *c = f->conn;
	const struct conn_icmp *i = f->icmp;
	int distance = capture_distance(i->ttl);
	int hops = c->syn_print.ttl > i->quoted_ttl ? c->syn_print.ttl - i->quoted_ttl : 0;
	bool local = addr_is_private(&i->from) || addr_is_shared(&i->from) || addr_is_link_local(&i->from);
	bool at_client = capture_fact_seen(f, CF_AT_CLIENT);
	/* without a SYN to compare with, the TTL of the error alone decides */
	bool agree = !c->syn_print.ttl || !i->quoted_ttl || (hops - distance >= 0 && hops - distance <= 2);

	f->placed = (struct placed){0};
	if (same_site(&i->from, &c->server) && capture_far_apart(&c->client, &c->server)) {
		put_place(&f->placed, PLACE_DESTINATION_NETWORK, 0.8);
		f->placed.weight[PLACE_TRANSIT] = 0.1;
	} else if (at_client && distance == 0 && agree) {
		put_place(&f->placed, PLACE_GATEWAY, 0.85);
		f->placed.weight[PLACE_ISP] = 0.1;
	} else if (at_client && agree && (distance == 1 || (local && distance <= 4))) {
		put_place(&f->placed, PLACE_ISP, local ? 0.75 : 0.7);
		f->placed.weight[PLACE_TRANSIT] = 0.1;
		f->placed.weight[PLACE_GATEWAY] = 0.1;
	} else {
		capture_place_by_distance(f, agree ? distance : -1);
	}
}

/* ---- ICMP ---- */

enum icmp_class {
	ICMP_FILTERED,    /* administratively prohibited, or policy */
	ICMP_NO_PORT,
	ICMP_UNREACHABLE, /* no way there */
	ICMP_EXPIRED,
	ICMP_TOO_LARGE,
	ICMP_OTHER,
};

/* RFC 792, 1122, 1812, 4443 */
static enum icmp_class class_of(const struct conn_icmp *i)
{
	if (i->from.family == ADDR_V4) {
		if (i->type == 11)
			return ICMP_EXPIRED;
		if (i->type != 3)
			return ICMP_OTHER;
		switch (i->code) {
		case 3: return ICMP_NO_PORT;
		case 4: return ICMP_TOO_LARGE;
		case 9:
		case 10:
		case 13: return ICMP_FILTERED;
		}
		return ICMP_UNREACHABLE;
	}
	if (i->type == 2)
		return ICMP_TOO_LARGE;
	if (i->type == 3)
		return ICMP_EXPIRED;
	if (i->type != 1)
		return ICMP_OTHER;
	switch (i->code) {
	case 1:
	case 5:
	case 6: return ICMP_FILTERED;
	case 4: return ICMP_NO_PORT;
	}
	return ICMP_UNREACHABLE;
}

/* Only what quotes the client's SYN decides: later ones are soft errors (RFC 1122 4.2.3.9), and one
 * whose quote was never sent is somebody's forgery. */
static const struct conn_icmp *deciding_icmp(const struct conn *c)
{
	for (unsigned n = 0; n < c->n_icmp; n++) {
		const struct conn_icmp *i = &c->icmp[n];
		enum icmp_class class = class_of(i);
		if (i->side == CONN_CLIENT && i->phase == CONN_PHASE_SYN && class != ICMP_TOO_LARGE &&
		    class != ICMP_OTHER && !(i->seq_known && !i->seq_sent))
			return i;
	}
	return NULL;
}

static void icmp(struct capture_facts *f)
{
	const struct conn *c = f->conn;
	const struct conn_icmp *i = f->icmp = deciding_icmp(c);
	bool too_large = false;

	for (unsigned n = 0; n < c->n_icmp; n++)
		too_large |= class_of(&c->icmp[n]) == ICMP_TOO_LARGE;
	capture_note(f, CF_FRAG_NEEDED, too_large);
	if (!i)
		return;
	enum icmp_class class = class_of(i);
	capture_note(f, CF_ICMP, true);
	capture_note(f, CF_ICMP_FROM_CLIENT, c->loopback || addr_equal(&i->from, &c->client));
	capture_note(f, CF_ICMP_FROM_SERVER, addr_equal(&i->from, &c->server));
	capture_note(f, CF_ICMP_FILTER, class == ICMP_FILTERED || class == ICMP_NO_PORT);
	capture_note(f, CF_ICMP_PORT, class == ICMP_NO_PORT);
	capture_note(f, CF_ICMP_EXPIRED, class == ICMP_EXPIRED);
	if (class == ICMP_FILTERED || class == ICMP_NO_PORT || class == ICMP_UNREACHABLE)
		place_icmp(f);
	capture_note(f, CF_ICMP_PLACED, f->placed.known);
}

void capture_facts_of(const struct conn *c, const struct capture_context *context,
		      const struct signatures *signatures, struct capture_ehlo *ehlo,
		      struct capture_facts *out)
{
	*out = (struct capture_facts){
		.conn = c, .context = context, .rst_distance = -1, .until_ns = c->until_ns,
		.ehlo = capture_ehlo_of(ehlo, c),
	};
	vantage(out);
	coverage(out);
	round_trip(out);
	silence(out);
	handshake(out);
	neighbourhood(out);
	answer_place(out);
	icmp(out);
	capture_session_facts(out, signatures);
	capture_reset_facts(out);
	out->seen |= context->pair;
}
