/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The path matrix: what each TTL of each port's trace drew, and where a port
 * stops. Pure.
 *
 * One row of cells (a trace) for each port of the plan, one cell for each TTL.
 * A port's trace is read against the control's: what the control's probes meet
 * on the same path, in the same second, is the only measure of what silence
 * means there.
 */
#ifndef SB_DIAG_PATH_H
#define SB_DIAG_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "diag/loss.h"
#include "model/event.h"
#include "model/names.h"
#include "model/plan.h"

#define PATH_MAX_PROBES 2048
#define PATH_MAX_AS     128 /* addresses whose AS is known */

struct path_cell {
	/* rst: of PROBE_DATA also what else ends the dialogue, a FIN or a reply (path_feed_drawn()) */
	uint16_t sent, time_exceeded, syn_ack, rst, unreachable;
	uint16_t answered; /* probes that drew any answer at all */
	int64_t last_sent_ns, heard_ns; /* heard: the latest answer */
	struct addr te_from;      /* first sender of a time exceeded */
	struct addr unreach_from;
	uint8_t unreach_type, unreach_code;
	uint8_t rst_ttl, synack_ttl; /* on arrival, of the first */
	bool te_and_rst;   /* one probe drew both: the RST was injected on the path */
	int64_t rtt_ns;    /* smallest, 0 none */
	size_t event;      /* of the first answer */
};

struct path_trace {
	unsigned sent;
	unsigned rounds;         /* most probes that one cell got */
	struct path_cell cell[PLAN_MAX_HOPS + 1]; /* by TTL; 0: those with the usual TTL */
	bool injected;           /* below this host's own firewall */
	unsigned refused;        /* injected ones that the kernel would not send */
	unsigned left;           /* ... and those that the tap saw leave */
};

/* SYNs to a router's own address: does its stack get this port? */
struct path_border {
	struct addr router;
	unsigned sent, answered;
	int64_t last_sent_ns;
	size_t event;
};

#define PATH_MAX_BORDERS 4

struct path_probe {
	uint32_t seq;
	uint16_t port;
	uint16_t ip_id, window; /* of those on a connection */
	uint8_t trace, ttl;
	uint8_t port_index;     /* in the plan */
	enum probe_kind kind;
	uint8_t border;
	bool answered, got_te, got_rst;
	int64_t t_ns;
};

struct path {
	struct addr target;
	/* Four times n_ports, see path_trace_of(): SYNs by plan index, then what was sent on the port's
	 * connection. Empty ones, for reading only, until a probe was sent. */
	struct path_trace *trace;
	struct path_border (*border)[PATH_MAX_BORDERS];
	unsigned n_ports;
	struct path_probe *probes;
	unsigned n_probes, probes_size;
	struct {
		struct addr address;
		uint32_t asn;
		const char *name; /* the log's */
	} *as;
	unsigned n_as, as_size;
	unsigned refused; /* sends that failed with EPERM: the host's own output rule */
	unsigned sent;
};

/* Index of the trace that probes of this kind make for a port. */
static inline int path_trace_of(const struct path *p, enum probe_kind kind, int port)
{
	return port + (int)p->n_ports *
			      (kind == PROBE_ACK ? 1 : kind == PROBE_DATA ? 2 : kind == PROBE_SIZE ? 3 : 0);
}

/* A segment on a connection of this run, with a small TTL. */
bool path_is_on_connection(enum probe_kind kind);

static inline unsigned path_n_traces(const struct path *p)
{
	return 4 * p->n_ports;
}

void path_init(struct path *p, const struct addr *target, unsigned n_ports);
void path_clear(struct path *p);
void path_feed_probe(struct path *p, const struct event *ev, int port);
void path_feed_asn(struct path *p, const struct ev_asn *asn);
/* A SYN that leaves: true when it is one of our probes. */
bool path_feed_own(struct path *p, const struct packet *packet);
/* True when the packet answers one of our probes. */
bool path_feed_packet(struct path *p, const struct packet *packet, size_t event);

/* A RST, a FIN or a reply on a connection whose words go out as PROBE_DATA, one TTL after another: the
 * latest drew it. Unless that one reached the target, only where it is sure that nothing of the target's
 * own came in between. False: it counts for nothing. */
bool path_feed_drawn(struct path *p, int port, const struct packet *packet, size_t event, bool sure);

/* The probe that this packet is, or that it answers; NULL: neither. */
const struct path_probe *path_probe_of(const struct path *p, const struct packet *packet);

/* ---- reading the matrix ---- */

/* The router that answers at this TTL, from any trace; ADDR_NONE: silent so far, or farther than anybody
 * looks. */
struct addr path_hop_address(const struct path *p, unsigned ttl);

/* AS of an address, 0 unknown; *name (may be NULL) gets its organisation or NULL. */
uint32_t path_asn(const struct path *p, const struct addr *a, const char **name);

/* Largest TTL for which a router answered this trace; 0 none. */
unsigned path_last_hop(const struct path *p, const struct path_trace *t);

/* ... any trace. */
unsigned path_reach(const struct path *p);

/* Some hop has answered, but not always. Probes sent later than settled_before are not counted yet. */
bool path_limits_show(const struct path *p, int64_t settled_before);

/* Smallest TTL that drew such an answer; 0 none. */
unsigned path_first_syn_ack(const struct path_trace *t);
unsigned path_first_rst(const struct path_trace *t);
unsigned path_first_unreachable(const struct path_trace *t);
/* ... any answer that can only come from the target's end of the path (or who poses as it). */
unsigned path_first_arrival(const struct path_trace *t, const struct addr *target);

/* The smallest TTL, from `from` on, that may reach whoever answers this trace: smaller ones were sent, and that
 * their silence is mere loss is too unlikely. `from` where nobody answers. */
unsigned path_may_reach(const struct path *p, int trace, unsigned from, int64_t settled_before);

/*
 * Where a silent port stops. The block lies behind hop j or in front of hop
 * j + 1, for some j from the last hop that answered this port on: the hops
 * between that did answer the control would have had to lose their answers to
 * this port by chance, and how likely that is weighs each j.
 */
struct path_stop {
	bool stops;        /* the control goes on where the port does not */
	bool through;      /* every hop lets it through: the destination alone is silent */
	unsigned from, to; /* after hop `from`, at or before hop `to`, with PATH_RANGE_WEIGHT */
	double weight[PLAN_MAX_HOPS + 1]; /* of each j; the sum is 1 when stops */
	double probability;   /* that all this silence is mere loss */
	unsigned hops_beyond; /* hops after `from` that answer the control */
	unsigned next;        /* first of them, 0 none */
	double next_probability; /* that its silence alone is mere loss */
};

/* `to` is the smallest TTL with at least this weight at or before it. */
#define PATH_RANGE_WEIGHT 0.95

/* dest_ttl: TTL at which the target is reached, 0 unknown. control_answers: the target answers the
 * control's connection; target_probability: that the target's own silence is mere loss.
 * settled_before: probes sent later than this are not counted yet. */
void path_where_silent(const struct path *p, int port, int control, unsigned dest_ttl,
		       bool control_answers, double target_probability, int64_t settled_before,
		       struct path_stop *out);

/* Who sent the early answer of a trace: the hop by its smallest TTL, narrowed by the TTL with which
 * it arrived; from = to when both agree. */
struct path_range {
	bool known;
	unsigned from, to;
};
struct path_range path_device(const struct path_trace *t, unsigned first_ttl, bool syn_ack);

/* Hops that an answer has come: by the nearest usual initial TTL above its own; -1 for none. */
int path_distance(int arrival_ttl);

/* Is an answer for `first` on `port` too early to be the target's own? */
bool path_is_early(const struct path *p, int port, int control, unsigned first, int arrival_ttl,
		   int control_arrival_ttl);

/* ---- places ---- */

struct path_places {
	enum place place[PLAN_MAX_HOPS + 2]; /* by TTL */
	unsigned dest_ttl; /* 0 unknown */
	bool by_as;        /* from AS data, not from addresses and positions */
};

/* dest_ttl: one beyond PLAN_MAX_HOPS is as good as unknown. source: our own address as the path sees it,
 * ADDR_NONE unknown. tunnel: the first hop is the tunnel's far end, not a router of this network. */
void path_assign_places(const struct path *p, unsigned dest_ttl, const struct addr *source,
			bool tunnel, struct path_places *out);

#endif
