/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/live.h"

#include <errno.h>
#include <grp.h>
#include <linux/neighbour.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/epoll.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "capture/capture.h"
#include "capture/filter.h"
#include "diag/diag.h"
#include "host/agent.h"
#include "host/asn.h"
#include "host/host.h"
#include "probe/path.h"
#include "probe/prober.h"
#include "run/netns.h"

/* Attempts of each port whose source ports are bound, and so filtered for, before the start. */
#define RESERVED_ATTEMPTS 4
#define RESERVED_MAX      48
/* The tap is read this long after the end, so that "nothing came" means it. */
#define SYNC_MS           200
#define NEIGHBOUR_LOOK_NS (200 * NS_PER_MS)
#define TAKE_AT_ONCE      64
/* The privileged process gets no longer than this for one question, and no shorter. */
#define AGENT_MAX_MS 3000
#define AGENT_MIN_MS 200
#define AGENT_LATE_MS 20
/* What this host does to a packet of its own, it has done by then. */
#define OWN_DOING_NS (60 * NS_PER_MS)
#define FULL_TTL          64 /* Linux's default: reaches every destination */

struct live {
	struct live_options opt;
	struct capture *capture;
	struct host *host;
	struct agent *agent; /* NULL: no process could be made */
	struct asn_db *asn_db; /* NULL: none installed */
	struct path_sender *sender; /* NULL: no raw sockets here */
	char no_sender[200];        /* why */
};

/* One run. */
struct run {
	struct live *live;
	const struct plan *plan;
	struct event_log log;
	struct prober *prober;
	struct diag diag;
	int epoll;
	bool capturing;
	struct diag_advice advice;
	uint16_t trace_sport[PLAN_MAX_PORTS];
	uint32_t next_seq;
	unsigned acks_repeated[PLAN_MAX_PORTS];
	struct addr source; /* of raw probes */
	unsigned mtu;
	int oif;            /* of raw probes, 0: by route */
	bool has_next_hop;
	int next_hop_ifindex;
	struct addr next_hop;
	int64_t next_neighbour_look;
	uint16_t last_neighbour_state;
	struct host_neighbour neighbour;
	int egress;         /* interface index of the route */
	int64_t deadline;   /* clock_mono_ns() */
};

static void *close_sender(void *sender)
{
	path_sender_free(sender);
	return NULL;
}

static void *warm_up_tls(void *unused)
{
	prober_warm_up();
	return unused;
}

/* Rules and routes match the user of a raw socket as it was when that was made. */
static int open_sender(struct live *l, struct err *e)
{
	const struct run_user *user = l->opt.user;

	if (user && user->name) {
		setfsgid(user->gid);
		setfsuid(user->uid);
	}
	int failed = path_sender_new(&l->sender, e);
	setfsuid(geteuid());
	setfsgid(getegid());
	return failed;
}

int run_open(struct live **out, const struct live_options *opt, struct err *e)
{
	struct live *l = xcalloc(1, sizeof(*l));
	pthread_t warm_up;

	l->opt = *opt;
	if (opt->netns && netns_enter(opt->netns, e) != 0)
		goto out;
	/* a copy of this process while it is small and has no thread */
	struct err no_agent;
	if (agent_start(&l->agent, &no_agent) != 0)
		l->agent = NULL;
	/* joined before privileges are dropped: they belong to each thread */
	bool warming =
		!opt->inspect && pthread_create(&warm_up, NULL, warm_up_tls, NULL) == 0;
	int opened = host_open(&l->host, e) == 0 &&
		     (opt->inspect || capture_open_live(&l->capture, e) == 0);
	if (warming)
		pthread_join(warm_up, NULL);
	if (!opened)
		goto out;
	struct err raw;
	if (!opt->inspect && open_sender(l, &raw) != 0)
		snprintf(l->no_sender, sizeof(l->no_sender), "path: %.180s", raw.text);
	if (asn_db_open(&l->asn_db, opt->asn_db, e) != 0)
		goto out;
	if (opt->write_file && l->capture && capture_write_to(l->capture, opt->write_file, e) != 0)
		goto out;
	*out = l;
	return 0;
out:
	run_free(l);
	return -1;
}

void run_free(struct live *l)
{
	if (!l)
		return;
	agent_end(l->agent);
	/* closing a packet socket waits for the kernel (RCU) some 20 ms each: the two at once */
	pthread_t closing;
	bool beside = l->sender && pthread_create(&closing, NULL, close_sender, l->sender) == 0;
	capture_free(l->capture);
	if (beside)
		pthread_join(closing, NULL);
	else
		path_sender_free(l->sender);
	agent_stop(l->agent);
	host_free(l->host);
	asn_db_close(l->asn_db);
	free(l);
}

int run_finish(struct live *l, struct err *e)
{
	return l->capture ? capture_stop(l->capture, e) : 0;
}

int run_find_user(const char *name, struct run_user *out, struct err *e)
{
	char *end;
	unsigned long number = strtoul(name, &end, 10);
	const struct passwd *p = getpwnam(name);

	if (!p && name[0] >= '0' && name[0] <= '9' && !*end && number < UINT32_MAX) {
		p = getpwuid((uid_t)number);
		*out = (struct run_user){name, (uid_t)number, p ? p->pw_gid : (gid_t)number};
		return 0;
	}
	if (!p)
		return err_set(e, ERR_USAGE, "--uid '%.60s': there is no such user", name);
	*out = (struct run_user){name, p->pw_uid, p->pw_gid};
	return 0;
}

static int become_user(const struct run_user *user, struct err *e)
{
	const struct passwd *p = getpwuid(user->uid);
	int failed = p ? initgroups(p->pw_name, user->gid) : setgroups(0, NULL);

	if (failed || setresgid(user->gid, user->gid, user->gid) != 0 ||
	    setresuid(user->uid, user->uid, user->uid) != 0)
		return err_set(e, ERR_RUN, "--uid %s: %s: needs root, or CAP_SETUID and CAP_SETGID",
			       user->name, strerror(errno));
	return 0;
}

int run_drop_privileges(const struct run_user *user, const struct sandbox *sandbox,
			struct sandbox_held *held, struct err *e)
{
	if (user->name && become_user(user, e) != 0)
		return -1;
	cap_t none = cap_init();
	bool ok = none && cap_set_proc(none) == 0;
	int failed = errno;

	if (none)
		cap_free(none);
	if (!ok)
		return err_set(e, ERR_RUN, "cannot give up capabilities: %s", strerror(failed));
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (sandbox)
		sandbox_enter(sandbox, held);
	return 0;
}

int run_check_interface(struct live *l, const char *name, struct err *e)
{
	struct host_link link;

	return host_get_link(l->host, 0, name, &link, e);
}

int run_check_source(struct live *l, const struct addr *a, struct err *e)
{
	bool yes = false;
	char text[ADDR_TEXT_MAX];

	if (host_has_address(l->host, a, &yes, e) != 0)
		return -1;
	return yes ? 0
		   : err_set(e, ERR_USAGE, "source address %s is not one of this host's",
			     addr_text(a, text));
}

/* ---- events of the host ---- */

static void add(struct run *r, struct event *ev)
{
	ev->t_ns = clock_wall_ns();
	ev->flow = NO_FLOW;
	event_log_add(&r->log, ev);
}

static void add_not_looked(struct run *r, enum look what, const char *why)
{
	struct event ev = {.kind = EV_NOT_LOOKED,
			   .not_looked = {what, arena_strdup(&r->log.arena, why)}};

	add(r, &ev);
}

/* -1 and nothing in *route when the kernel could not be asked. */
static int look_at_route(struct run *r, uint16_t port, int oif, struct host_route *route)
{
	struct event ev = {.kind = EV_ROUTE};
	struct route_query q = {
		.dst = r->plan->target, .src = r->plan->source, .oif = oif, .dport = port};
	struct err e;

	if (host_get_route(r->live->host, &q, &ev.route, &e) != 0) {
		add_not_looked(r, LOOK_ROUTE, e.text);
		return -1;
	}
	ev.route.port = port;
	*route = ev.route;
	add(r, &ev);
	return 0;
}

static void look_at_link(struct run *r, int ifindex, const char *name)
{
	struct event ev = {.kind = EV_LINK};
	struct err e;

	if (host_get_link(r->live->host, ifindex, name, &ev.link, &e) != 0) {
		add_not_looked(r, LOOK_LINK, e.text);
		return;
	}
	add(r, &ev);
	r->mtu = ev.link.mtu;
	if (!ev.link.needs_neighbour)
		r->has_next_hop = false;
}

static void look_at_neighbour(struct run *r)
{
	struct event ev = {.kind = EV_NEIGHBOUR};
	struct err e;

	if (!r->has_next_hop)
		return;
	r->next_neighbour_look = clock_wall_ns() + NEIGHBOUR_LOOK_NS;
	if (host_get_neighbour(r->live->host, r->next_hop_ifindex, &r->next_hop, &ev.neighbour,
			       &e) != 0) {
		add_not_looked(r, LOOK_NEIGHBOUR, e.text);
		r->has_next_hop = false;
		return;
	}
	uint16_t state = ev.neighbour.exists ? ev.neighbour.state : 0xffff;
	if (state != r->last_neighbour_state)
		add(r, &ev);
	r->neighbour = ev.neighbour;
	r->last_neighbour_state = state;
}

static void look_up_asn(struct run *r, const struct addr *a)
{
	struct event ev = {.kind = EV_ASN, .asn = {.address = *a}};
	char name[ASN_NAME_MAX];

	if (!addr_is_set(a) || path_asn(&r->diag.tracker.path, a, NULL) ||
	    !asn_db_lookup(r->live->asn_db, a, &ev.asn.asn, name))
		return;
	ev.asn.name = text_clean(&r->log.arena, name, strlen(name), sizeof(name));
	add(r, &ev);
}

/* Of every router that has answered, our own address and the target. */
static void look_up_path(struct run *r)
{
	if (!r->live->asn_db || !r->diag.tracker.path.sent)
		return;
	look_up_asn(r, &r->plan->target);
	look_up_asn(r, &r->source);
	for (unsigned ttl = 1; ttl <= PLAN_MAX_HOPS; ttl++) {
		struct addr a = path_hop_address(&r->diag.tracker.path, ttl);
		look_up_asn(r, &a);
	}
	diag_feed(&r->diag);
}

static void look_at_host(struct run *r)
{
	const struct plan *plan = r->plan;
	const struct host_route *first = NULL;
	struct host_route routes[PLAN_MAX_PORTS];
	struct host_link given = {0};
	struct err e;

	if (plan->interface && host_get_link(r->live->host, 0, plan->interface, &given, &e) == 0)
		r->oif = given.ifindex;
	for (unsigned i = 0; i < plan->n_ports; i++)
		if (look_at_route(r, plan->ports[i].port, given.ifindex, &routes[i]) == 0 &&
		    !routes[i].error && !first)
			first = &routes[i];
	if (first) {
		r->has_next_hop = !first->local;
		r->next_hop_ifindex = first->oif;
		r->next_hop = addr_is_set(&first->gateway) ? first->gateway : plan->target;
		r->source = addr_is_set(&plan->source) ? plan->source : first->prefsrc;
		r->egress = first->oif;
		look_at_link(r, first->oif, NULL);
	} else if (plan->interface) {
		look_at_link(r, 0, plan->interface);
	}
	look_at_neighbour(r);
}

/* ---- what the privileged process knows ---- */

static void add_record(void *run, const struct host_record *record)
{
	struct run *r = run;

	event_log_add_host(&r->log, record);
}

static int agent_time_ms(const struct run *r)
{
	int64_t left = (r->deadline - clock_mono_ns()) / NS_PER_MS;

	if (left < -AGENT_MIN_MS) /* the grace is used up */
		return AGENT_LATE_MS;
	return left < AGENT_MIN_MS ? AGENT_MIN_MS : left > AGENT_MAX_MS ? AGENT_MAX_MS : (int)left;
}

static void fill_watch(const struct run *r, const uint16_t *lports, size_t n,
		       struct host_watch *w)
{
	struct host_link link;
	struct err ignored;

	memset(w, 0, sizeof(*w)); /* all of it: it crosses a socket as bytes */
	w->remote = r->plan->target;
	w->local = r->source;
	w->uid = getuid();
	w->gid = getgid();
	w->oif = r->egress;
	if (host_get_link(r->live->host, r->egress, NULL, &link, &ignored) == 0)
		memcpy(w->oif_name, link.name, sizeof(w->oif_name));
	for (size_t i = 0; i < n && i < WATCH_MAX_LOCAL; i++)
		w->lports[w->n_lports++] = lports[i];
	for (unsigned i = 0; i < r->plan->n_ports && i < WATCH_MAX_REMOTE; i++)
		w->rports[w->n_rports++] = r->plan->ports[i].port;
}

/* ---- the run ---- */

static int start_capture(struct run *r, struct err *e)
{
	uint16_t ports[RESERVED_MAX + PLAN_MAX_PORTS];
	size_t n = r->plan->n_ports * RESERVED_ATTEMPTS;

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
		add_not_looked(r, LOOK_PATH, "path: no source port is free for probes");
	char *filter = filter_for_probe(&r->plan->target, ports, n);
	int result = capture_start(r->live->capture, filter, e);
	free(filter);
	r->capturing = result == 0;
	if (result == 0 && r->live->agent) {
		struct host_watch w;
		fill_watch(r, ports, n_flow_ports, &w);
		agent_watch(r->live->agent, &w, !r->plan->no_trace, agent_time_ms(r), add_record, r);
	}
	return result;
}

static int watch(struct run *r, int fd, struct err *e)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

	if (epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &ev) != 0)
		return err_set(e, ERR_RUN, "epoll: %s", strerror(errno));
	return 0;
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
			      .ttl = 64,
			      .ip_id = (uint16_t)(p->tcp.ack % 0xffff + 1),
			      .kind = RAW_RST};
	set_injection(r, &rst);
	path_send(r->live->sender, &rst);
}

static void take_packets(struct run *r)
{
	struct packet packets[TAKE_AT_ONCE];
	size_t n;

	while ((n = capture_take(r->live->capture, packets, TAKE_AT_ONCE)) > 0)
		for (size_t i = 0; i < n; i++) {
			struct event ev = {.kind = EV_PACKET,
					   .t_ns = packets[i].t_ns,
					   .flow = NO_FLOW,
					   .packet = packets[i]};
			ev.packet.payload = NULL;
			event_log_add(&r->log, &ev);
			reset_injected(r, &packets[i]);
			/* what came was sent for, so by now the next hop has an address: a run
			 * that a reject rule ends at once would not get to know it */
			if (packets[i].dir == PACKET_IN && !neighbour_is_usable(&r->neighbour))
				r->next_neighbour_look = 0;
		}
}

/* Sequence numbers rise from probe to probe: a stateful router takes a SYN with an older number on
 * the same ports for an invalid one, and might not translate it. */
static void send_probe(struct run *r, const struct diag_probe *probe)
{
	struct event ev = {
		.kind = EV_PROBE,
		.probe = {.kind = probe->kind,
			  .port = r->plan->ports[probe->port_index].port,
			  .dst = probe->dst,
			  .sport = r->trace_sport[probe->port_index],
			  .ttl = probe->kind == PROBE_FULL ? FULL_TTL : probe->ttl,
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
static void repeat_ack(struct run *r, const struct flow *f)
{
	struct raw_syn ack = {
		.kind = RAW_ACK,
		.src = f->local,
		.dst = r->plan->target,
		.sport = f->lport,
		.dport = f->port,
		.seq = f->isn + 1,
		.ack = f->synack.seq + 1,
		.ttl = FULL_TTL,
		.ip_id = (uint16_t)(f->isn % 0xffff + 1),
		.has_ts = f->synack.has_ts,
		.ts_val = f->syn_ts_val + (uint32_t)((clock_wall_ns() - f->first_syn_ns) / NS_PER_MS),
		.ts_ecr = f->synack.ts_val,
		.oif = r->oif,
	};

	path_send(r->live->sender, &ack);
}

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

static void start_all(struct run *r)
{
	for (unsigned i = 0; i < r->plan->n_ports; i++)
		prober_start(r->prober, i,
			     r->plan->ports[i].tested ? FLOW_TESTED : FLOW_CONTROL);
}

/* Waits for whatever comes first: a packet, a socket, the advice's time, the end. */
static int wait_for_something(struct run *r, int64_t until_mono, struct err *e)
{
	struct epoll_event ready[4];
	int64_t left = until_mono - clock_mono_ns();
	int ms = left <= 0 ? 0 : (int)((left + NS_PER_MS - 1) / NS_PER_MS);

	if (epoll_wait(r->epoll, ready, 4, ms) < 0 && errno != EINTR)
		return err_set(e, ERR_RUN, "epoll: %s", strerror(errno));
	take_packets(r);
	prober_dispatch(r->prober);
	return 0;
}

static int loop(struct run *r, int64_t deadline, struct err *e)
{
	for (;;) {
		struct diag_advice *advice = &r->advice;
		int64_t mono = clock_mono_ns(), now = clock_wall_ns();

		if (now >= r->next_neighbour_look)
			look_at_neighbour(r);
		diag_feed(&r->diag);
		look_up_path(r);
		repeat_acks(r, now);
		diag_advise(&r->diag, now, advice);
		if (advice->done || mono >= deadline)
			return 0;
		for (unsigned i = 0; i < advice->n_repeat; i++)
			prober_start(r->prober, (unsigned)advice->repeat[i], FLOW_REPEAT);
		for (unsigned i = 0; i < advice->n_probes; i++)
			send_probe(r, &advice->probes[i]);
		int64_t until = mono + (advice->again_ns - now);
		if (wait_for_something(r, until < deadline ? until : deadline, e) != 0)
			return -1;
	}
}

/* ---- who on this host? ---- */

static unsigned n_tested(const struct plan *plan)
{
	unsigned n = 0;

	while (n < plan->n_ports && plan->ports[n].tested)
		n++;
	return n;
}

/* Bits of the tested ports for which that is wanted. */
static uint32_t ports_wanting(struct run *r, enum diag_look look)
{
	uint32_t wanting = 0;

	diag_feed(&r->diag);
	for (unsigned i = 0; i < n_tested(r->plan); i++)
		if (diag_wanted_look(&r->diag, (int)i, clock_wall_ns()) == look)
			wanting |= UINT32_C(1) << i;
	return wanting;
}

static int wait_ns(struct run *r, int64_t ns, struct err *e)
{
	int64_t until = clock_mono_ns() + ns;

	if (until > r->deadline)
		until = r->deadline;
	while (clock_mono_ns() < until)
		if (wait_for_something(r, until, e) != 0)
			return -1;
	return 0;
}

static void look_for_mark_rules(struct run *r, uint32_t ports)
{
	for (unsigned i = 0; i < r->plan->n_ports; i++) {
		struct host_record record = {.t_ns = clock_wall_ns(), .kind = HOST_MARK_RULE};
		struct route_query q = {.dst = r->plan->target,
					.src = r->source,
					.dport = r->plan->ports[i].port};
		if ((ports & (UINT32_C(1) << i)) &&
		    host_get_mark_rule(r->live->host, &q, &record.mark_rule))
			event_log_add_host(&r->log, &record);
	}
}

/* One more attempt for each of these ports while the kernel is made to tell. */
static int look_closer(struct run *r, uint32_t ports, struct err *e)
{
	struct agent *a = r->live->agent;
	int64_t wait = facts_answer_due_ns(&r->diag.tracker);

	agent_look_begin(a, agent_time_ms(r), add_record, r);
	for (unsigned i = 0; i < r->plan->n_ports; i++)
		if (ports & (UINT32_C(1) << i))
			prober_start(r->prober, i, FLOW_REPEAT);
	bool left = false;
	for (unsigned i = 0; i < r->diag.tracker.n_flows; i++)
		left |= r->diag.tracker.flows[i].syn_out > 0;
	if (wait_ns(r, left ? wait : OWN_DOING_NS, e) != 0)
		return -1;
	agent_look_end(a, ports, agent_time_ms(r), add_record, r);
	look_for_mark_rules(r, ports);
	agent_collect(a, agent_time_ms(r), add_record, r);
	return 0;
}

static void look_for_rules(struct run *r)
{
	struct host_watch w;

	fill_watch(r, NULL, 0, &w);
	agent_inspect(r->live->agent, &w, agent_time_ms(r), add_record, r);
}

static int look_at_culprits(struct run *r, struct err *e)
{
	struct agent *a = r->live->agent;

	if (!a)
		return 0;
	/* what the sockets know the tap may not have told yet, and then it would look blind */
	capture_sync(r->live->capture, SYNC_MS);
	take_packets(r);
	agent_collect(a, agent_time_ms(r), add_record, r);
	if (ports_wanting(r, DIAG_LOOK_PROGRAMS))
		agent_programs(a, agent_time_ms(r), add_record, r);
	uint32_t closer = ports_wanting(r, DIAG_LOOK_CLOSER);
	if (closer && clock_mono_ns() < r->deadline && look_closer(r, closer, e) != 0)
		return -1;
	if (ports_wanting(r, DIAG_LOOK_CLOSER))
		look_for_rules(r);
	diag_feed(&r->diag);
	for (unsigned i = 0; i < n_tested(r->plan); i++) {
		const struct flow *f = diag_turned_flow(&r->diag, (int)i, clock_wall_ns());
		if (f)
			agent_translation(a, f->lport, f->port, agent_time_ms(r), add_record, r);
	}
	return 0;
}

/* Takes what the tap still holds, then says how far it can be trusted. */
static int close_books(struct run *r, struct err *e)
{
	struct event stats = {.kind = EV_CAPTURE_STATS}, end = {.kind = EV_RUN_END};
	struct capture_stats s;

	if (!capture_sync(r->live->capture, SYNC_MS))
		add_not_looked(r, LOOK_CAPTURE, "the capture thread did not keep up");
	take_packets(r);
	prober_finish(r->prober);
	look_at_neighbour(r);
	diag_feed(&r->diag);
	look_up_path(r);
	r->capturing = false;
	if (capture_stop(r->live->capture, e) != 0)
		return -1;
	take_packets(r);
	capture_get_stats(r->live->capture, &s);
	stats.capture_stats = (struct ev_capture_stats){
		.received = s.received,
		.dropped_kernel = s.dropped_kernel,
		.dropped_queue = s.dropped_queue + r->log.overflow,
	};
	add(r, &stats);
	add(r, &end);
	return 0;
}

int run_judge(struct live *l, const struct plan *plan, int64_t deadline_ns, struct report **out,
	       struct err *e)
{
	struct run *r = xcalloc(1, sizeof(*r));
	struct err ignored;
	int result = -1;

	*r = (struct run){.live = l,
			  .plan = plan,
			  .deadline = deadline_ns,
			  .epoll = epoll_create1(EPOLL_CLOEXEC)};
	event_log_init(&r->log);
	diag_init(&r->diag, plan, &r->log);
	if (r->epoll < 0) {
		err_set(e, ERR_RUN, "epoll: %s", strerror(errno));
		goto out;
	}
	if (getrandom(&r->next_seq, sizeof(r->next_seq), 0) < 0)
		r->next_seq = (uint32_t)clock_mono_ns();
	if (!l->sender)
		add_not_looked(r, LOOK_PATH, l->no_sender);
	look_at_host(r);
	if (prober_new(&r->prober, plan, &r->log, l->opt.ca_file, e) != 0 ||
	    start_capture(r, e) != 0 || watch(r, prober_fd(r->prober), e) != 0 ||
	    watch(r, capture_fd(l->capture), e) != 0)
		goto out;
	start_all(r);
	if (loop(r, deadline_ns, e) != 0 || look_at_culprits(r, e) != 0 ||
	    close_books(r, e) != 0)
		goto out;
	event_log_sort(&r->log);
	diag_init(&r->diag, plan, &r->log);
	diag_feed(&r->diag);
	*out = diag_report(&r->diag, l->opt.tool_version);
	result = 0;
out:
	if (r->capturing)
		capture_stop(l->capture, &ignored);
	if (l->agent)
		agent_unwatch(l->agent);
	prober_free(r->prober);
	event_log_clear(&r->log);
	if (r->epoll >= 0)
		close(r->epoll);
	free(r);
	return result;
}

int run_inspect(struct live *l, const struct plan *plan, int64_t deadline_ns, struct report **out,
		struct err *e)
{
	struct run *r = xcalloc(1, sizeof(*r));
	struct event end = {.kind = EV_RUN_END};

	(void)e; /* what can't be looked at is part of the report */
	*r = (struct run){.live = l, .plan = plan, .deadline = deadline_ns, .epoll = -1};
	event_log_init(&r->log);
	diag_init(&r->diag, plan, &r->log);
	look_at_host(r);
	look_for_mark_rules(r, UINT32_MAX);
	if (l->agent) {
		look_for_rules(r);
	} else {
		struct host_record none = {.t_ns = clock_wall_ns(), .kind = HOST_NOT_LOOKED};
		none.not_looked.what = HOST_LOOK_RULES;
		snprintf(none.not_looked.why, sizeof(none.not_looked.why), "no process could be made");
		event_log_add_host(&r->log, &none);
	}
	add(r, &end);
	event_log_sort(&r->log);
	diag_feed(&r->diag);
	*out = diag_inspect(&r->diag, l->opt.tool_version);
	event_log_clear(&r->log);
	free(r);
	return 0;
}
