/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/arena.h"
#include "capture/filter.h"
#include "run/segment.h"
#include "run/target.h"

/* Attempts of each port whose source ports are bound, and so filtered for, before the start. */
#define RESERVED_ATTEMPTS 4
/* ... and for those that find out a packet size. */
#define RESERVED_SMALL    20
#define RESERVED_MAX      48
/* The tap is read this long after the end, so that "nothing came" means it. */
#define SYNC_MS      200
/* An open port answers before, mostly. */
#define CONTROL_DELAY_NS (150 * NS_PER_MS)
/* In a crowd, between two looks whether the agent is free. */
#define QUEUE_NS     (20 * NS_PER_MS)
/* ... whether it is its turn to look at the way; who is drawn is told at once. */
#define LINE_NS      (250 * NS_PER_MS)
/* So long is waited for room for the few probes of one whose failure others have explained. */
#define CONFIRM_WAIT_NS (500 * NS_PER_MS)
#define TAKE_AT_ONCE 64
/* Kept of one run in a crowd: a server that floods us shall not take the memory of all. */
#define CROWD_EVENTS 4000
#define NO_TRACE_PORT "path: no source port is free for probes"
#define FULL_TTL     64 /* Linux's default: reaches every destination */

/* ---- the run ---- */

static int start_capture(struct run *r, struct err *e)
{
	uint16_t ports[RESERVED_MAX + PLAN_MAX_PORTS];
	size_t n = r->plan->n_ports * RESERVED_ATTEMPTS + RESERVED_SMALL;

	if (n > RESERVED_MAX)
		n = RESERVED_MAX;
	if (prober_reserve(r->prober, n, ports, e) != 0 ||
	    prober_hold(r->prober, r->trace_sport, e) != 0)
		return -1;
	size_t n_flow_ports = n;
	bool held = true;
	for (unsigned i = 0; i < r->plan->n_ports; i++) {
		held &= r->trace_sport[i] != 0;
		if (r->trace_sport[i])
			ports[n++] = r->trace_sport[i];
	}
	if (!held)
		look_add_not_looked(r, LOOK_PATH, NO_TRACE_PORT);
	char *filter = filter_for_probe(&r->plan->target, ports, n);
	int result = capture_start(r->live->capture, filter, e);
	free(filter);
	r->capturing = result == 0;
	if (result == 0)
		look_watch(r, ports, n_flow_ports);
	return result;
}

/* Below the firewall there is no routing either: the interface and the next hop are given. */
static void set_injection(const struct run *r, struct raw_syn *syn)
{
	syn->inject = true;
	syn->oif = r->egress;
	syn->next_hop_mac_len = r->neighbour.mac_len;
	memcpy(syn->next_hop_mac, r->neighbour.mac, sizeof(syn->next_hop_mac));
}

/* The kernel resets what it did not begin, but its RST may meet the very rule that stops the SYN:
 * so that no server is left waiting, one goes the way that the SYN went. */
static void reset_injected(struct run *r, const struct packet *p)
{
	bool ours = false;

	if (p->kind != PACKET_TCP || p->dir == PACKET_OUT ||
	    (p->tcp.flags & (TCP_SYN | TCP_ACK)) != (TCP_SYN | TCP_ACK))
		return;
	for (unsigned i = 0; i < r->plan->n_ports; i++)
		ours |= r->diag.tracker.path.trace[i].injected &&
			r->trace_sport[i] == p->tcp.dport && r->plan->ports[i].port == p->tcp.sport;
	if (!ours)
		return;
	struct raw_syn rst = {.src = p->dst,
			      .dst = p->src,
			      .sport = p->tcp.dport,
			      .dport = p->tcp.sport,
			      .seq = p->tcp.ack,
			      .ttl = FULL_TTL,
			      .ip_id = (uint16_t)(p->tcp.ack % 0xffff + 1),
			      .kind = RAW_RST};
	set_injection(r, &rst);
	path_send(r->live->sender, &rst);
}

/* Kept is what is judged: the log takes no more than it has room for. */
void target_take_packet(struct run *r, const struct packet *p, const struct frame_copy *frame)
{
	struct event ev = {.kind = EV_PACKET, .t_ns = p->t_ns, .flow = NO_FLOW, .packet = *p};

	if (p->kind == PACKET_NEIGHBOUR && !(r->has_next_hop && addr_equal(&p->neighbour.about, &r->next_hop)))
		return; /* of a busy network's others */
	ev.packet.payload = NULL;
	if (event_log_add(&r->log, &ev) && frame)
		frame_log_add(&r->frames, ev.t_ns, frame->bytes, frame->caplen, frame->wire_len);
	reset_injected(r, p);
	/* what came was sent for, so by now the next hop has an address: a run that a reject rule
	 * ends at once would not get to know it */
	if (p->dir == PACKET_IN && !neighbour_is_usable(&r->neighbour))
		r->next_neighbour_look = 0;
}

void target_take_packets(struct run *r)
{
	struct packet packets[TAKE_AT_ONCE];
	struct frame_copy *frames[TAKE_AT_ONCE];
	size_t n;

	while ((n = capture_take(r->live->capture, packets, frames, TAKE_AT_ONCE)) > 0)
		for (size_t i = 0; i < n; i++) {
			target_take_packet(r, &packets[i], frames[i]);
			free(frames[i]);
		}
}

static const struct flow *flow_by_id(const struct tracker *t, uint16_t id)
{
	for (unsigned i = 0; i < t->n_flows; i++)
		if (t->flows[i].id == id)
			return &t->flows[i];
	return NULL;
}

static void repeat_ack(struct run *r, const struct flow *f)
{
	struct raw_syn ack;

	if (!segment_ack(f, &r->plan->target, &ack))
		return;
	ack.oif = r->oif;
	path_send(r->live->sender, &ack);
}

/* The oldest segment that nobody has acknowledged, or something else of its size. */
static size_t said_last(const struct run *r, const struct flow *f, enum probe_kind kind,
			uint8_t payload[RAW_PAYLOAD_MAX])
{
	size_t size = f->talk.stuck_len < RAW_PAYLOAD_MAX ? f->talk.stuck_len : RAW_PAYLOAD_MAX;

	if (f->role == FLOW_HELD) /* the tap saw nothing of it that could have arrived */
		size = RAW_PAYLOAD_MAX;
	if (kind == PROBE_ACK)
		return 0;
	if (kind == PROBE_DATA)
		return prober_sent(r->prober, f->id, f->talk.acked - (f->isn + 1), payload, size);
	memset(payload, ' ', size);
	return size;
}

/* On a connection that our kernel holds. */
static void send_on_flow(struct run *r, const struct diag_probe *probe)
{
	const struct flow *f = flow_by_id(&r->diag.tracker, probe->flow);
	struct event ev = {.kind = EV_PROBE, .flow = probe->flow};
	uint8_t payload[RAW_PAYLOAD_MAX] = {0};
	struct raw_syn raw;
	bool ready = f != NULL;

	if (ready && probe->kind == PROBE_LOOK) {
		/* the other side may wait to hear that we have all, and a keep-alive's number is too
		 * low for that to count */
		repeat_ack(r, f);
		ready = segment_look(f, &r->plan->target, &raw);
	} else if (ready) {
		size_t size = said_last(r, f, probe->kind, payload);
		ready = segment_copy(f, &r->plan->target, probe->ttl, payload, (unsigned)size, &raw) &&
			(size || probe->kind == PROBE_ACK);
		raw.ip_id = (uint16_t)(r->next_seq % 0xffff + 1);
		r->next_seq += 3;
	}
	if (!ready)
		return;
	raw.oif = r->oif;
	ev.probe = (struct ev_probe){.kind = probe->kind,
				     .port = f->port,
				     .dst = r->plan->target,
				     .sport = f->lport,
				     .ttl = raw.ttl,
				     .seq = raw.seq,
				     .window = raw.window,
				     .ip_id = raw.ip_id};
	ev.t_ns = clock_wall_ns();
	ev.probe.error = path_send(r->live->sender, &raw);
	event_log_add(&r->log, &ev);
}

/* In a crowd most runs send no raw probe, and source ports are for those who do. */
static bool has_trace_port(struct run *r)
{
	if (r->live->crowd && !r->trace_sport[0] && !r->no_trace_port) {
		prober_hold_shared(r->prober, r->trace_sport);
		r->no_trace_port = !r->trace_sport[0];
		if (r->no_trace_port)
			look_add_not_looked(r, LOOK_PATH, NO_TRACE_PORT);
	}
	return !r->no_trace_port;
}

/* Sequence numbers rise from probe to probe: a stateful router takes a SYN with an older number on
 * the same ports for an invalid one, and might not translate it. */
static void send_probe(struct run *r, const struct diag_probe *probe)
{
	if (probe->flow == NO_FLOW && !has_trace_port(r))
		return;
	struct event ev = {.kind = EV_PROBE,
			   .probe = {.kind = probe->kind,
				     .port = probe->dport ? probe->dport
							  : r->plan->ports[probe->port_index].port,
				     .dst = probe->dst,
				     .sport = r->trace_sport[probe->port_index],
				     .ttl = probe->ttl && probe->kind != PROBE_FULL ? probe->ttl : FULL_TTL,
				     .seq = r->next_seq,
				     .ip_id = (uint16_t)(r->next_seq % 0xffff + 1)}};
	struct raw_syn syn = {.src = r->source,
			      .dst = probe->dst,
			      .sport = ev.probe.sport,
			      .dport = ev.probe.port,
			      .seq = ev.probe.seq,
			      .ttl = ev.probe.ttl,
			      .ip_id = ev.probe.ip_id,
			      .link_mtu = r->mtu,
			      .oif = r->oif};

	if (probe->flow != NO_FLOW) {
		send_on_flow(r, probe);
		return;
	}
	if (probe->inject) {
		set_injection(r, &syn);
		ev.probe.injected = true;
	}
	r->next_seq += 3;
	ev.t_ns = clock_wall_ns();
	ev.flow = NO_FLOW;
	ev.probe.error = path_send(r->live->sender, &syn);
	event_log_add(&r->log, &ev);
}

/* Nothing but the server's own SYN-ACK timer (1 s, 3 s, 7 s) mends a lost last ACK of the handshake
 * while the client must wait for the greeting. The same ACK once more costs nothing. */
static void repeat_acks(struct run *r, int64_t now)
{
	static const int64_t after_ms[] = {250, 600, 1300, 2600, 5000};
	const struct tracker *t = &r->diag.tracker;

	for (unsigned i = 0; i < t->n_flows && r->live->sender; i++) {
		const struct flow *f = &t->flows[i];
		unsigned *n = &r->acks_repeated[f->port_index];
		bool waiting = f->has_result && !f->error && !f->has_reply && !f->has_end &&
			       !f->has_tls && r->plan->ports[f->port_index].tested;
		if (!waiting || !f->synack.seen || !f->syn_out || f->translated || f->redirected ||
		    *n == sizeof(after_ms) / sizeof(after_ms[0]) ||
		    now - f->result_ns < after_ms[*n] * NS_PER_MS)
			continue;
		repeat_ack(r, f);
		++*n;
	}
}

static void start_ports(struct run *r, bool tested)
{
	for (unsigned i = 0; i < r->plan->n_ports; i++)
		if (r->plan->ports[i].tested == tested)
			prober_start(r->prober, i, tested ? FLOW_TESTED : FLOW_CONTROL);
}

/* Among many targets a control is called where something is to be compared with it. */
static bool wants_controls(struct run *r, int64_t now)
{
	const struct answer *first = NULL;

	for (unsigned i = 0; i < r->plan->n_ports && r->plan->ports[i].tested; i++) {
		const struct flow *f = tracker_main_flow(&r->diag.tracker, (int)i);
		if (!f || f->error || f->n_icmp || f->rst.seen ||
		    (!f->has_result && now - f->start_ns >= CONTROL_DELAY_NS))
			return true;
		if (f->synack.seen && first && f->synack.ttl != first->ttl)
			return true; /* one address, two distances */
		if (f->synack.seen && !first)
			first = &f->synack;
	}
	return false;
}

/* Alone: takes what the tap still holds, and stops it. In a crowd that was waited for. */
static int end_capture(struct run *r, struct capture_stats *stats, struct err *e)
{
	struct live *l = r->live;

	if (l->crowd) {
		capture_get_stats(l->capture, stats);
		stats->received -= r->before.received;
		stats->dropped_kernel -= r->before.dropped_kernel;
		stats->dropped_queue -= r->before.dropped_queue;
		return 0;
	}
	r->capturing = false;
	if (capture_stop(l->capture, e) != 0)
		return -1;
	target_take_packets(r);
	capture_get_stats(l->capture, stats);
	return 0;
}

/* The last looks, then how far the tap can be trusted. */
static int close_books(struct run *r, struct err *e)
{
	struct event stats = {.kind = EV_CAPTURE_STATS}, end = {.kind = EV_RUN_END};
	struct capture_stats s;

	witness_end(r);
	if (!r->kept_up)
		look_add_not_looked(r, LOOK_CAPTURE, "the capture thread did not keep up");
	prober_finish(r->prober);
	look_at_neighbour(r);
	diag_feed(&r->diag);
	look_up_path(r);
	if (end_capture(r, &s, e) != 0)
		return -1;
	look_for_changes(r);
	stats.capture_stats = (struct ev_capture_stats){
		.received = s.received,
		.dropped_kernel = s.dropped_kernel,
		.dropped_queue = s.dropped_queue + r->log.overflow,
	};
	look_add(r, &stats);
	look_add(r, &end);
	r->phase = PHASE_OVER;
	return 0;
}

/* ---- the way, in a crowd ---- */

static void note_failures(struct run *r, uint32_t ports)
{
	struct turn *turn = &r->turn;

	turn->n_failures = 0;
	turn->owner = r;
	for (unsigned i = 0; i < r->plan->n_ports; i++) {
		if (!(ports & UINT32_C(1) << i))
			continue;
		struct failure *f = &turn->failures[turn->n_failures++];
		*f = (struct failure){.port = r->plan->ports[i].port,
				      .egress = r->egress,
				      .next_hop = r->next_hop};
		f->ailment = diag_ailment(&r->diag, (int)i, clock_wall_ns(), &f->icmp_from);
	}
}

/* The time that it stood in line is not its own. */
static void end_waiting(struct run *r, int64_t mono)
{
	if (r->waits_since && r->live->crowd->patience_ns)
		r->deadline += mono - r->waits_since;
	r->waits_since = 0;
}

static void never_look(struct run *r, const char *why)
{
	r->diag.way = DIAG_WAY_NEVER;
	turns_leave(&r->live->crowd->turns, &r->turn, clock_mono_ns());
	look_add_not_looked(r, LOOK_PATH, why);
	diag_feed(&r->diag);
}

static void tell(struct run *r, bool confirm)
{
	for (unsigned i = 0; i < r->turn.n_failures; i++) {
		struct event ev = {.kind = EV_ALIKE};
		turns_tell(&r->live->crowd->turns, &r->turn, i, confirm, &ev.alike);
		look_add(r, &ev);
	}
	r->told = true;
	r->told_confirm = confirm;
	diag_feed(&r->diag);
}

/* True: there is room for its few probes, or it has waited for that long enough. */
static bool may_be_told(struct run *r, int64_t mono, bool *confirm)
{
	struct turns *turns = &r->live->crowd->turns;

	*confirm = turns_may_confirm(turns, mono);
	if (!r->turn.may_confirm_until)
		r->turn.may_confirm_until = mono + CONFIRM_WAIT_NS;
	return *confirm || turns->limited || mono >= r->turn.may_confirm_until;
}

/* The answer is waited for, and an open port's way may be left alone. */
static bool waits_in_vain(const struct run *r, int64_t mono)
{
	if (!r->live->crowd->lasting || mono - r->waits_since < CROWD_OPEN_WAIT_NS)
		return false;
	for (unsigned i = 0; i < r->turn.n_failures; i++)
		if (r->turn.failures[i].ailment != AILMENT_OTHER)
			return false;
	return true;
}

/* True: something has changed, and the core is to be asked again. */
static bool ask_for_way(struct run *r, uint32_t ports, int64_t mono)
{
	struct crowd *crowd = r->live->crowd;
	bool confirm;

	if (!r->waits_since)
		r->waits_since = mono;
	if (r->hurried || (crowd->patience_ns && mono - r->waits_since >= crowd->patience_ns)) {
		end_waiting(r, mono);
		never_look(r, r->hurried ? "path: interrupted"
					 : "path: too many targets wait for their turn");
		return true;
	}
	note_failures(r, ports);
	r->turn.own = r->told;
	switch (turns_ask(&crowd->turns, &r->turn, mono)) {
	case TURNS_YOURS:
		r->diag.way = DIAG_WAY_FREE;
		break;
	case TURNS_KNOWN:
		if (!may_be_told(r, mono, &confirm))
			return false;
		tell(r, confirm);
		break;
	case TURNS_NEVER:
		never_look(r, "path: many targets of this call fail like this, and traces to some of "
			      "them have shown nothing in common; ask for this one alone");
		break;
	case TURNS_LATER:
		if (!waits_in_vain(r, mono))
			return false;
		never_look(r, "path: too many targets wait for their turn");
		break;
	}
	end_waiting(r, mono);
	return true;
}

/* Nothing is learnt of an open port's way: others need not wait for the rest of this run. */
static void give_way(struct run *r)
{
	for (unsigned i = 0; i < r->turn.n_failures; i++)
		if (r->turn.failures[i].ailment != AILMENT_OTHER)
			return;
	target_way_over(r, NULL);
	r->diag.way = DIAG_WAY_TAKEN;
}

void target_way_over(struct run *r, const struct report *report)
{
	struct turns *turns = &r->live->crowd->turns;
	const struct path *path = &r->diag.tracker.path;
	int64_t settled = clock_wall_ns() - facts_answer_due_ns(&r->diag.tracker);

	if (r->turn.has)
		turns_over(turns, &r->turn, clock_mono_ns(), path_limits_show(path, settled), report);
	else if (r->told_confirm && path->sent)
		turns_confirmed(turns, !path_limits_show(path, settled) && path_reach(path) > 0);
	turns_leave(turns, &r->turn, clock_mono_ns());
}

/* ---- the phases ---- */

/* True: the core has nothing more to ask for, or the time is over. */
static bool probe(struct run *r, int64_t *wake)
{
	struct diag_advice advice;
	int64_t mono = clock_mono_ns(), now = clock_wall_ns();

	if (now >= r->next_neighbour_look)
		look_at_neighbour(r);
	diag_feed(&r->diag);
	look_up_path(r);
	repeat_acks(r, now);
	if (!r->controls && wants_controls(r, now)) {
		r->controls = true;
		start_ports(r, false);
		diag_feed(&r->diag);
	}
	bool waits;
	do {
		diag_advise(&r->diag, now, &advice);
		waits = advice.way_ports != 0;
	} while (waits && ask_for_way(r, advice.way_ports, mono));
	if (r->turn.has && !advice.way_busy)
		give_way(r);
	if (!waits && r->waits_since) { /* what failed has come right */
		end_waiting(r, mono);
		turns_leave(&r->live->crowd->turns, &r->turn, mono);
	}
	bool late = mono >= r->deadline && !(waits && r->live->crowd->patience_ns);
	if ((advice.done && !waits) || late)
		return true;
	for (unsigned i = 0; i < advice.n_repeat; i++)
		prober_start(r->prober, (unsigned)advice.repeat[i], FLOW_REPEAT);
	for (unsigned i = 0; i < advice.n_tls_try; i++)
		prober_start(r->prober, (unsigned)advice.tls_try[i], FLOW_TLS_TRY);
	for (unsigned i = 0; i < advice.n_held; i++)
		prober_start_held(r->prober, (unsigned)advice.held[i].port_index,
				  advice.held[i].stage);
	for (unsigned i = 0; i < advice.n_small; i++)
		prober_start_small(r->prober, (unsigned)advice.small[i].port_index,
				   advice.small[i].mss);
	for (unsigned i = 0; i < advice.n_probes; i++)
		send_probe(r, &advice.probes[i]);
	int64_t until = mono + (advice.again_ns - now);
	if (waits)
		*wake = advice.done || until > mono + LINE_NS ? mono + LINE_NS : until;
	else
		*wake = until < r->deadline ? until : r->deadline;
	witness_step(r, wake);
	return false;
}

/* The tap is to tell all that it has seen by now. Alone, that is waited for here. */
static void begin_sync(struct run *r, enum phase phase)
{
	r->phase = phase;
	if (r->live->crowd) {
		r->sync = capture_sync_ask(r->live->capture);
		r->sync_until = clock_mono_ns() + SYNC_MS * NS_PER_MS;
		r->syncing = true;
	} else {
		r->kept_up = capture_sync(r->live->capture, SYNC_MS);
		target_take_packets(r);
	}
}

/* False: it has time to tell, still. */
static bool is_synced(struct run *r, int64_t *wake)
{
	struct capture *c = r->live->capture;

	if (!r->live->crowd)
		return true;
	*wake = r->sync_until;
	r->kept_up = capture_synced(c, r->sync) && !capture_has_failed(c);
	r->syncing = !r->kept_up && clock_mono_ns() < r->sync_until;
	return !r->syncing;
}

static void begin_closer_look(struct run *r)
{
	int64_t until = clock_mono_ns() + look_closer_begin(r, r->looking_at);

	r->look_until = until < r->deadline ? until : r->deadline;
	r->phase = PHASE_LOOKING;
}

/* Each returns whether the next phase may begin at once; if not, *wake is set. */

static bool settle(struct run *r, int64_t *wake)
{
	if (!is_synced(r, wake))
		return false;
	if (!look_at_culprits(r, &r->looking_at)) {
		*wake = clock_mono_ns() + QUEUE_NS;
		return false;
	}
	if (r->looking_at && clock_mono_ns() < r->deadline) {
		r->phase = PHASE_QUEUEING;
		return true;
	}
	look_at_the_rest(r);
	begin_sync(r, PHASE_CLOSING);
	return true;
}

static bool queue(struct run *r, int64_t *wake)
{
	enum look_turn turn = look_closer_turn(r);

	*wake = clock_mono_ns() + QUEUE_NS;
	if (turn == LOOK_LATER && clock_mono_ns() < r->deadline)
		return false;
	if (turn == LOOK_NOW) {
		begin_closer_look(r);
		return true;
	}
	look_not_closer(r);
	begin_sync(r, PHASE_CLOSING);
	return true;
}

static bool look(struct run *r, int64_t *wake)
{
	*wake = r->look_until;
	if (clock_mono_ns() < r->look_until)
		return false;
	look_closer_end(r, r->looking_at);
	look_at_the_rest(r);
	begin_sync(r, PHASE_CLOSING);
	return true;
}

int target_step(struct run *r, int64_t *wake, struct err *e)
{
	for (;;) {
		bool on = true;
		switch (r->phase) {
		case PHASE_PROBING:
			on = probe(r, wake);
			if (on)
				begin_sync(r, PHASE_SETTLING);
			break;
		case PHASE_SETTLING: on = settle(r, wake); break;
		case PHASE_QUEUEING: on = queue(r, wake); break;
		case PHASE_LOOKING: on = look(r, wake); break;
		case PHASE_CLOSING:
			on = is_synced(r, wake);
			if (on && close_books(r, e) != 0)
				return -1;
			break;
		case PHASE_OVER: return 0;
		}
		if (!on)
			return 0;
	}
}

void target_hurry(struct run *r)
{
	int64_t now = clock_mono_ns();

	r->hurried = true;
	if (r->deadline > now)
		r->deadline = now;
}

void target_init(struct run *r, struct live *l, const struct plan *plan, int64_t deadline_ns)
{
	*r = (struct run){.live = l, .plan = plan, .deadline = deadline_ns};
	event_log_init(&r->log);
	diag_init(&r->diag, plan, &r->log);
}

int target_start(struct run **out, struct live *l, const struct plan *plan, int64_t deadline_ns,
		 struct err *e)
{
	struct run *r = *out = xcalloc(1, sizeof(*r));

	target_init(r, l, plan, deadline_ns);
	if (getrandom(&r->next_seq, sizeof(r->next_seq), 0) < 0)
		r->next_seq = (uint32_t)clock_mono_ns();
	if (!l->sender)
		look_add_not_looked(r, LOOK_PATH, l->no_sender);
	look_at_host(r);
	look_for_canary(r);
	if (prober_new(&r->prober, l->probers, plan, &r->log, r, e) != 0)
		return -1;
	if (!l->crowd && start_capture(r, e) != 0)
		return -1;
	if (l->crowd) {
		r->diag.way = DIAG_WAY_TAKEN;
		r->log.max = CROWD_EVENTS;
		capture_get_stats(l->capture, &r->before);
	}
	start_ports(r, true);
	r->controls = !plan->thrifty;
	if (r->controls)
		start_ports(r, false);
	witness_begin(r);
	return 0;
}

void target_clear(struct run *r)
{
	diag_clear(&r->diag);
	event_log_clear(&r->log);
	frame_log_clear(&r->frames);
}

struct report *target_report(struct run *r)
{
	return diag_judge(r->plan, &r->log, false, r->live->opt.tool_version);
}

void target_save(struct run *r, struct saved_case *out)
{
	saved_case_clear(out);
	saved_case_init(out);
	out->plan = *r->plan;
	out->log = r->log;
	r->log = (struct event_log){0};
	if (r->frames.n == 0)
		return;
	r->frames.link_type = out->frames.link_type;
	out->frames = r->frames;
	r->frames = (struct frame_log){0};
}

void target_free(struct run *r)
{
	struct err ignored;

	if (!r)
		return;
	witness_end(r);
	if (r->capturing)
		capture_stop(r->live->capture, &ignored);
	look_unwatch(r);
	prober_free(r->prober);
	target_clear(r);
	free(r);
}
