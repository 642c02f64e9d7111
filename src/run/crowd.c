/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/crowd.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "capture/filter.h"
#include "run/target.h"

/* Of connect()'s range, what a crowd takes at most: others need ports, too. */
#define SHARE_OF_PORTS(width) ((width) / 4 * 3)
#define PORTS_MIN             256
/* Descriptors of this process beside those of runs. */
#define OWN_DESCRIPTORS 64

/* A port has so many attempts at most; one descriptor each. */
static unsigned attempts_of_run(unsigned n_ports)
{
	return n_ports * MAX_ATTEMPTS;
}

static unsigned descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 1024;
	if (limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
		getrlimit(RLIMIT_NOFILE, &limit);
	}
	return limit.rlim_cur > 1 << 20 ? 1 << 20 : (unsigned)limit.rlim_cur;
}

/* A piece of connect()'s range, as large as is needed: what others have of it comes by the tap,
 * too. */
static struct port_range choose_range(struct port_range all, unsigned needed)
{
	unsigned width = SHARE_OF_PORTS(port_range_width(all));

	if (needed < PORTS_MIN)
		needed = PORTS_MIN;
	if (needed < width)
		width = needed;
	return (struct port_range){(uint16_t)(all.high - width + 1), all.high};
}

int crowd_begin(struct crowd *c, struct live *l, const uint16_t *ports, unsigned n_ports,
		unsigned wanted, struct err *e)
{
	struct port_range all = source_ephemeral(), traces = source_for_traces(all);
	unsigned each = attempts_of_run(n_ports), files = descriptors();
	unsigned spare = files > OWN_DESCRIPTORS ? files - OWN_DESCRIPTORS : 0;

	if (all.high >= traces.low && all.low <= traces.high) /* who gave all ports to connect() */
		all.high = (uint16_t)(traces.low - 1u);
	struct port_range connections = choose_range(all, wanted * each);
	c->most = port_range_width(connections) / each;
	if (spare / (each + 1) < c->most)
		c->most = spare / (each + 1);
	if (c->most > wanted)
		c->most = wanted;
	if (c->most < 1)
		c->most = 1;
	turns_init(&c->turns);
	c->connections = ports_new(connections);
	c->traces = ports_new(traces);
	event_log_init(&c->programs);
	prober_share_ports(l->probers, c->connections, c->traces);
	l->crowd = c;
	char *filter =
		filter_for_crowd((struct filter_range){connections.low, connections.high},
				 (struct filter_range){traces.low, traces.high}, ports, n_ports);
	int result = capture_start(l->capture, filter, e);
	free(filter);
	return result;
}

void crowd_end(struct crowd *c, struct live *l)
{
	struct err ignored;

	capture_stop(l->capture, &ignored);
	prober_share_ports(l->probers, NULL, NULL);
	ports_free(c->connections);
	ports_free(c->traces);
	event_log_clear(&c->programs);
	turns_clear(&c->turns);
	l->crowd = NULL;
}

/* ---- whose? ---- */

static unsigned bucket_of(const struct addr *a)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < (a->family == ADDR_V4 ? 4u : 16u); i++)
		hash = (hash ^ a->bytes[i]) * 16777619u;
	return (hash ^ hash >> 16) % CROWD_BUCKETS;
}

void crowd_join(struct crowd *c, struct run *r)
{
	struct run **head = &c->by_target[bucket_of(&r->plan->target)];

	r->next_of_bucket = *head;
	*head = r;
	if (c->n_begun++ == 0 || (c->lasting && r->sample && c->sampling == 0))
		c->sample_until = clock_mono_ns() + CROWD_SAMPLE_NS;
	c->sampling += r->sample;
}

void crowd_leave(struct crowd *c, struct run *r)
{
	struct run **at = &c->by_target[bucket_of(&r->plan->target)];

	while (*at && *at != r)
		at = &(*at)->next_of_bucket;
	if (*at)
		*at = r->next_of_bucket;
	c->sampling -= r->sample;
	turns_leave(&c->turns, &r->turn, clock_mono_ns());
}

bool crowd_wants_sample(const struct crowd *c)
{
	/* routers that spare their errors have none for the ways of open ports */
	return c->lasting ? c->sampling < (c->turns.limited ? 1 : CROWD_SAMPLES)
			  : c->n_begun < CROWD_SAMPLES;
}

bool crowd_is_thorough(const struct crowd *c)
{
	return c->thorough && (!c->lasting || clock_mono_ns() < c->thorough_until);
}

enum look_turn crowd_look_turn(struct crowd *c)
{
	int64_t now = clock_mono_ns();

	if (c->lasting && c->looks > 0 && now - c->looks_ns >= CROWD_LOOK_AGAIN_NS) {
		c->looks--;
		c->looks_ns = now;
	}
	if (c->looks >= CROWD_LOOKS)
		return LOOK_NEVER;
	return c->looking ? LOOK_LATER : LOOK_NOW;
}

bool crowd_waits(const struct crowd *c, int64_t now)
{
	if (c->lasting)
		return !crowd_wants_sample(c) && now >= c->known_until && now < c->sample_until;
	return c->n_begun >= CROWD_SAMPLES && c->sampling > 0 && now < c->sample_until;
}

/* Who answers in the place of one target may do so for all. */
void crowd_learn(struct crowd *c, struct run *run, const struct report *r)
{
	int64_t until = clock_mono_ns() + CROWD_GOOD_NS;

	target_way_over(run, r);
	if (run->sample)
		c->known_until = until;
	for (unsigned i = 0; i < r->n_ports; i++)
		if (r->ports[i].state == STATE_INTERCEPTED) {
			c->thorough = true;
			c->thorough_until = until;
		}
}

static struct run *by_port(const struct crowd *c, uint16_t port)
{
	struct run *r = ports_owner(c->connections, port);

	return r ? r : ports_owner(c->traces, port);
}

static void give_by_target(struct crowd *c, const struct addr *target, const struct packet *p,
			   const struct frame_copy *frame, crowd_taker *give)
{
	for (struct run *r = c->by_target[bucket_of(target)]; r; r = r->next_of_bucket)
		if (addr_equal(&r->plan->target, target))
			give(r, p, frame);
}

static void give_tcp(struct crowd *c, const struct packet *p, const struct frame_copy *frame,
		     crowd_taker *give)
{
	bool out = p->dir != PACKET_IN || p->loopback, in = p->dir != PACKET_OUT || p->loopback;
	struct run *r = out ? by_port(c, p->tcp.sport) : NULL;

	if (!r && in)
		r = by_port(c, p->tcp.dport);
	if (r)
		give(r, p, frame);
	if (!r && out)
		give_by_target(c, &p->dst, p, frame, give);
	if (!r && in)
		give_by_target(c, &p->src, p, frame, give);
}

static void give_icmp(struct crowd *c, const struct packet *p, const struct frame_copy *frame,
		      crowd_taker *give)
{
	const struct icmp_quote *q = &p->icmp.quote;
	struct run *r = q->present && q->has_ports ? by_port(c, q->sport) : NULL;

	if (r)
		give(r, p, frame);
	else if (q->present)
		give_by_target(c, &q->dst, p, frame, give);
}

/* Most runs have the same next hop, and each knows its own. What others of the network ask is nobody's. */
static void give_neighbour(struct crowd *c, const struct packet *p, const struct frame_copy *frame,
			   crowd_taker *give)
{
	if (p->dir != PACKET_OUT && !p->neighbour.answers)
		return;
	for (size_t i = 0; i < CROWD_BUCKETS; i++)
		for (struct run *r = c->by_target[i]; r; r = r->next_of_bucket)
			give(r, p, frame);
}

void crowd_give(struct crowd *c, const struct packet *p, const struct frame_copy *frame,
		crowd_taker *give)
{
	switch (p->kind) {
	case PACKET_TCP: give_tcp(c, p, frame, give); break;
	case PACKET_ICMP: give_icmp(c, p, frame, give); break;
	case PACKET_NEIGHBOUR: give_neighbour(c, p, frame, give); break;
	case PACKET_OTHER: break;
	}
}
