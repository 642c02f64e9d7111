/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "diag/rounds.h"

#include <string.h>

#include "diag/overall.h"
#include "model/plan.h"

/* A RST of the destination's own, after it has accepted as many as it liked: some firewall right in
 * front of it would look the same. */
#define SURE_OWN_RESET 0.8
#define REMEDIES_MAX   16

enum change {
	CHANGE_NONE,     /* every round came out alike, or the others are not decided */
	CHANGE_LIMIT,    /* the first ones passed, the last did not */
	CHANGE_UNSTEADY, /* it comes and goes */
};

struct merge {
	struct report *r; /* the last */
	struct report *const *earlier;
	unsigned n; /* rounds, the last included */
};

static const struct report *round_of(const struct merge *m, unsigned i)
{
	return i + 1 == m->n ? m->r : m->earlier[i];
}

static bool is_open(const struct report_port *p)
{
	return p->state == STATE_OPEN;
}

static bool is_stopped(const struct report_port *p)
{
	return p->state != STATE_OPEN && p->state != STATE_INCONCLUSIVE;
}

static unsigned open_rounds(const struct merge *m, unsigned port)
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->n; i++)
		n += is_open(&round_of(m, i)->ports[port]);
	return n;
}

/* Rounds before the first that was stopped. */
static unsigned passed_first(const struct merge *m, unsigned port)
{
	unsigned n = 0;

	while (n < m->n && !is_stopped(&round_of(m, n)->ports[port]))
		n++;
	return n;
}

static enum change change_of(const struct merge *m, unsigned port)
{
	const struct report_port *last = &m->r->ports[port];
	unsigned passed = passed_first(m, port);
	bool stopped = false, opened = false;

	for (unsigned i = 0; i < m->n; i++) {
		const struct report_port *p = &round_of(m, i)->ports[port];
		stopped |= is_stopped(p);
		opened |= is_open(p);
	}
	if (!stopped || !opened)
		return CHANGE_NONE;
	/* from the first that was stopped on, all are: it is not chance that ends there */
	for (unsigned i = passed; i < m->n; i++)
		if (is_open(&round_of(m, i)->ports[port]))
			return CHANGE_UNSTEADY;
	return is_stopped(last) ? CHANGE_LIMIT : CHANGE_UNSTEADY;
}

/* ---- the rounds themselves ---- */

static const char *round_text(struct arena *a, const struct report_port *p)
{
	if (!is_open(p) && p->n_findings) {
		const struct finding *f = &p->findings[0];
		if (f->mechanism == MECH_POLICY_REJECT)
			return arena_strdup(a, f->culprit.text);
		return arena_printf(a, "%s", mechanism_name(f->mechanism));
	}
	if (p->has_smtp && p->smtp.code)
		return arena_printf(a, "greeted with %d after %.0f ms", p->smtp.code, p->banner_ms);
	return state_name(p->state);
}

static void add_rounds(struct merge *m, unsigned port, struct report_port *out)
{
	struct arena *a = &m->r->arena;
	struct report_round *list = arena_alloc(a, m->n * sizeof(*list));
	int64_t start = round_of(m, 0)->started_ns;

	for (unsigned i = 0; i < m->n; i++) {
		const struct report *r = round_of(m, i);
		list[i] = (struct report_round){
			.t_ms = (double)(r->started_ns - start) / 1e6,
			.state = r->ports[port].state,
			.text = round_text(a, &r->ports[port]),
		};
	}
	out->rounds = list;
	out->n_rounds = m->n;
}

/* "connection 1 to 3 (at 0.0 s) open; 4 to 6 (at 6.0 s) blocked: silent-drop": one line of evidence for
 * each port. */
static const char *rounds_words(struct arena *a, const struct report_port *p)
{
	const char *text = "";
	unsigned from = 0;

	for (unsigned i = 1; i <= p->n_rounds; i++) {
		const struct report_round *first = &p->rounds[from];
		if (i < p->n_rounds && p->rounds[i].state == first->state)
			continue;
		const char *range = i - from > 1 ? arena_printf(a, "%u to %u", from + 1, i)
						 : arena_printf(a, "%u", from + 1);
		bool open = first->state == STATE_OPEN;
		text = arena_printf(a, "%s%s%s (at %.1f s) %s%s%s", text,
				    from ? "; " : "connection ", range, first->t_ms / 1e3,
				    state_name(first->state), open ? "" : ": ",
				    open ? "" : first->text);
		from = i;
	}
	return text;
}

/* ---- what follows from a change ---- */

static const char *count_words(const struct merge *m, unsigned port, enum change change)
{
	struct arena *a = &m->r->arena;
	unsigned number = m->r->ports[port].port, passed = passed_first(m, port);

	if (change == CHANGE_UNSTEADY)
		return arena_printf(a, "%u of %u connections to port %u passed, and others did not: it comes and goes.",
				    open_rounds(m, port), m->n, number);
	return arena_printf(a, "The first %s%s to port %u passed, and then no more (%u of %u): that is a limit on connections, no general block.",
			    passed > 1 ? arena_printf(a, "%u ", passed) : "",
			    passed > 1 ? "connections" : "connection", number, m->n - passed, m->n);
}

/* "Ask your provider to open TCP port 25 ...": but it is open, for a while. */
static bool asks_with_ticket(const struct finding *f, const char *remedy)
{
	size_t n = strlen(remedy), end = f->ticket ? strlen(f->ticket) : 0;

	return end && n >= end && strcmp(remedy + n - end, f->ticket) == 0;
}

static bool has_ticket(const struct finding *f)
{
	for (unsigned i = 0; i < f->n_remedy; i++)
		if (asks_with_ticket(f, f->remedy[i]))
			return true;
	return false;
}

static void take_remedies(struct merge *m, struct finding *f, const char *const *first,
			  unsigned n_first, bool keep)
{
	const char **list = arena_alloc(&m->r->arena, REMEDIES_MAX * sizeof(*list));
	unsigned n = 0;

	while (n < n_first) {
		list[n] = first[n];
		n++;
	}
	/* nor is anybody told to count by --repeat what that has just counted */
	for (unsigned i = 0; keep && i < f->n_remedy && n < REMEDIES_MAX; i++)
		if (!asks_with_ticket(f, f->remedy[i]) && !strstr(f->remedy[i], "`--repeat "))
			list[n++] = f->remedy[i];
	f->remedy = list;
	f->n_remedy = n;
}

/* Its own RST is no "nothing listens" when it has listened a moment ago. */
static void limit_by_reset(struct merge *m, const char *count, struct finding *f)
{
	struct arena *a = &m->r->arena;

	f->summary = arena_printf(a, "%s Now a RST that looks like the destination's own answers every SYN.", count);
	f->culprit.text = f->summary;
	if (f->place != PLACE_DESTINATION || f->confidence <= SURE_OWN_RESET)
		return;
	f->confidence = SURE_OWN_RESET;
	f->n_candidates = 1;
	f->candidates[0] = (struct candidate){PLACE_DESTINATION, SURE_OWN_RESET};
}

static void cite(struct merge *m, struct finding *f, unsigned number)
{
	unsigned *list = arena_alloc(&m->r->arena, (f->n_evidence + 1) * sizeof(*list));

	if (f->n_evidence)
		memcpy(list, f->evidence, f->n_evidence * sizeof(*list));
	list[f->n_evidence++] = number;
	f->evidence = list;
}

static void tell_limit(struct merge *m, unsigned port, unsigned evidence, struct report_port *out)
{
	const char *advice[] = {
		"Open fewer connections to it, farther apart, and send several mails on one (most mail servers can be told so for a destination); such a limit lets go by itself, after minutes or an hour.",
		"If that many connections are needed, ask whoever sets the limit to raise it for this address, with the times below.",
	};
	const char *count = count_words(m, port, CHANGE_LIMIT);
	struct finding *f = arena_alloc(&m->r->arena, out->n_findings * sizeof(*f));
	bool refused = out->state == STATE_REFUSED;

	memcpy(f, out->findings, out->n_findings * sizeof(*f));
	out->findings = f;
	out->passed_first = passed_first(m, port);
	if (refused)
		limit_by_reset(m, count, f);
	else
		f->summary = arena_printf(&m->r->arena, "%s Now: %s", count, f->summary);
	/* an address that has just answered is not down: something shuts us out */
	bool silent = out->state == STATE_UNREACHABLE && f->mechanism == MECH_SILENT_DROP &&
		      f->place == PLACE_UNKNOWN;
	if (refused || silent)
		out->state = STATE_BLOCKED;
	if (has_ticket(f))
		advice[1] = arena_printf(&m->r->arena, "%s %s", advice[1], f->ticket);
	take_remedies(m, f, advice, sizeof(advice) / sizeof(advice[0]), !refused);
	cite(m, f, evidence);
	out->summary = f->summary;
}

/* Neither open nor blocked: what was seen of the rounds that were stopped, without a place. */
static void tell_unsteady(struct merge *m, unsigned port, unsigned evidence,
			  struct report_port *out)
{
	static const char *const advice[] = {
		"One of several servers behind this address may be out of order, or a limit on connections lets go in between. See how it goes on: `--repeat 20 --interval 5`",
	};
	struct arena *a = &m->r->arena;
	const struct report_port *stopped = &round_of(m, passed_first(m, port))->ports[port];
	struct finding *f = arena_alloc(a, sizeof(*f));

	*f = (struct finding){
		.mechanism = stopped->findings[0].mechanism,
		.place = PLACE_UNKNOWN,
		.confidence = CONFIDENCE_NONE,
		.culprit = {.kind = CULPRIT_UNKNOWN},
		.rule = "rounds-unsteady",
		.summary = arena_printf(a, "%s One that did not: %s",
					count_words(m, port, CHANGE_UNSTEADY), stopped->summary),
	};
	f->culprit.text = f->summary;
	if (stopped->findings[0].has_icmp) {
		f->has_icmp = true;
		f->icmp = stopped->findings[0].icmp;
		f->icmp.name = arena_strdup(a, f->icmp.name);
	}
	take_remedies(m, f, advice, 1, false);
	cite(m, f, evidence);
	out->state = STATE_INCONCLUSIVE;
	out->findings = f;
	out->n_findings = 1;
	out->summary = f->summary;
}

/* ---- the report ---- */

/* Times count from the first round; room for one line of evidence a port. */
static struct report_evidence *shift_times(struct merge *m)
{
	struct report *r = m->r;
	int64_t start = round_of(m, 0)->started_ns;
	double shift = (double)(r->started_ns - start) / 1e6;
	struct report_evidence *evidence =
		arena_alloc(&r->arena, (r->n_evidence + r->n_ports) * sizeof(*evidence));
	struct report_packet *packets =
		arena_alloc(&r->arena, (r->n_packets + 1) * sizeof(*packets));

	for (unsigned i = 0; i < r->n_evidence; i++) {
		evidence[i] = r->evidence[i];
		evidence[i].t_ms += shift;
	}
	for (unsigned i = 0; i < r->n_packets; i++) {
		packets[i] = r->packets[i];
		packets[i].t_ms += shift;
	}
	r->packets = packets;
	r->started_ns = start;
	r->elapsed_ms += shift;
	return evidence;
}

static void add_note(struct report *r, const char *text)
{
	const char **notes = arena_alloc(&r->arena, (r->n_notes + 1) * sizeof(*notes));

	for (unsigned i = 0; i < r->n_notes; i++)
		notes[i] = r->notes[i];
	notes[r->n_notes++] = text;
	r->notes = notes;
}

static void merge_port(struct merge *m, unsigned port, struct report_evidence *evidence,
		       struct report_port *out)
{
	struct report *r = m->r;
	unsigned number = r->n_evidence + 1;
	enum change change = change_of(m, port);

	evidence[r->n_evidence++] = (struct report_evidence){
		.number = number,
		.t_ms = r->elapsed_ms,
		.source = SOURCE_SOCKET,
		.port = out->port,
		.text = rounds_words(&r->arena, out),
	};
	if (change == CHANGE_LIMIT)
		tell_limit(m, port, number, out);
	else if (change == CHANGE_UNSTEADY)
		tell_unsteady(m, port, number, out);
}

void rounds_merge(struct report *last, struct report *const *earlier, unsigned n_earlier,
		  unsigned asked)
{
	struct merge m = {.r = last, .earlier = earlier, .n = n_earlier + 1};
	struct report_port *ports = arena_alloc(&last->arena, last->n_ports * sizeof(*ports));

	memcpy(ports, last->ports, last->n_ports * sizeof(*ports));
	for (unsigned i = 0; i < last->n_ports; i++)
		add_rounds(&m, i, &ports[i]);
	struct report_evidence *evidence = shift_times(&m);
	for (unsigned i = 0; i < last->n_ports; i++)
		merge_port(&m, i, evidence, &ports[i]);
	last->evidence = evidence;
	last->ports = ports;
	if (m.n < asked)
		add_note(last, arena_printf(&last->arena, "the time was enough for %u of %u rounds: give more with --timeout", m.n, asked));
	last->summary = report_overall(last);
}
