/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The one sentence of a report. Pure. */
#include "diag/overall.h"

#include <string.h>

#include "diag/login.h"
#include "model/plan.h"

static const char *port_list(struct arena *a, const struct report *r, const bool *in)
{
	const char *list = "";
	unsigned n = 0, total = 0;

	for (unsigned i = 0; i < r->n_ports; i++)
		total += in[i];
	for (unsigned i = 0; i < r->n_ports; i++) {
		if (!in[i])
			continue;
		list = arena_printf(a, "%s%s%u", list, n == 0 ? "" : n + 1 == total ? " and " : ", ",
				    r->ports[i].port);
		n++;
	}
	return arena_printf(a, "port%s %s", total > 1 ? "s" : "", list);
}

static const char *place_words(const struct report_port *p, enum place place)
{
	switch (place) {
	case PLACE_HOST: return " on this machine";
	case PLACE_GATEWAY: return " at the gateway";
	case PLACE_ISP: return " in the provider's network";
	case PLACE_TRANSIT: return " in transit";
	case PLACE_DESTINATION_NETWORK: return " in the destination's network";
	case PLACE_DESTINATION:
		return p->state == STATE_UNREACHABLE ? " at the destination" : " by the destination";
	case PLACE_UNKNOWN:
		return p->state == STATE_BLOCKED && p->upstream_tested ? " beyond this machine" : "";
	case PLACE_COUNT: break;
	}
	return "";
}

static const char *state_words(const struct report_port *p)
{
	switch (p->state) {
	case STATE_OPEN: return "open";
	case STATE_BLOCKED: return "blocked";
	case STATE_INTERCEPTED: return "intercepted";
	case STATE_REFUSED: return "refused";
	case STATE_REJECTED: return "rejected";
	case STATE_NO_SERVICE: return "without SMTP service";
	case STATE_UNREACHABLE: return "unreachable";
	case STATE_INCONCLUSIVE: return "not decided";
	case STATE_COUNT: break;
	}
	return "";
}

/* ", probably at the gateway"; where not even that is so, it says who else it may be. */
static const char *hedged(struct arena *a, const struct report_port *p, const char *where)
{
	const struct finding *f = &p->findings[0];

	if (f->confidence >= CONFIDENCE_SURE)
		return where;
	if (f->confidence >= CONFIDENCE_LIKELY)
		return arena_printf(a, ", probably%s", where);
	for (unsigned i = 0; i < f->n_candidates; i++)
		if (f->candidates[i].place != f->place && f->candidates[i].confidence >= CONFIDENCE_WORTH)
			return arena_printf(a, "%s or%s", where, place_words(p, f->candidates[i].place));
	return arena_printf(a, ", perhaps%s", where);
}

/* What sets a port apart from others in the same state. */
static const char *where_words(struct arena *a, const struct report_port *p)
{
	const char *where = p->n_findings && p->state != STATE_NO_SERVICE
				    ? place_words(p, p->findings[0].place) : "";

	if (*where && p->findings[0].place != PLACE_UNKNOWN)
		where = hedged(a, p, where);
	if (p->n_findings && p->state == STATE_REJECTED && p->findings[0].culprit.code / 100 == 4)
		where = arena_printf(a, "%s for now", where);
	if (!p->passed_first)
		return where;
	return arena_printf(a, "%s after %u connection%s that passed", where, p->passed_first,
			    p->passed_first > 1 ? "s" : "");
}

const char *report_overall(struct report *r)
{
	struct arena *a = &r->arena;
	bool done[PLAN_MAX_PORTS] = {false};
	const char *out = "";

	for (unsigned i = 0; i < r->n_ports; i++) {
		const struct report_port *p = &r->ports[i];
		bool in[PLAN_MAX_PORTS] = {false};
		unsigned n = 0;
		if (done[i])
			continue;
		for (unsigned k = i; k < r->n_ports; k++) {
			const struct report_port *q = &r->ports[k];
			if (q->state == p->state && strcmp(where_words(a, p), where_words(a, q)) == 0) {
				in[k] = done[k] = true;
				n++;
			}
		}
		out = arena_printf(a, "%s%s%s %s %s%s", out, out[0] ? "; " : "",
				   port_list(a, r, in), n > 1 ? "are" : "is", state_words(p),
				   where_words(a, p));
	}
	char *text = arena_printf(a, "%s%s.", out, login_overall(a, r));
	if (text[0] == 'p')
		text[0] = 'P';
	return text;
}
