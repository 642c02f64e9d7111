/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/way.h"

#include <string.h>

const struct report_hop_port *way_replies(const struct report_hop *h, unsigned port)
{
	for (unsigned i = 0; i < h->n_ports; i++)
		if (h->ports[i].port == port)
			return &h->ports[i];
	return NULL;
}

static bool holds(const struct way_columns *c, unsigned port)
{
	for (unsigned i = 0; i < c->n; i++)
		if (c->ports[i] == port)
			return true;
	return false;
}

static void add_port(struct way_columns *c, unsigned port)
{
	if (c->n < WAY_MAX_PORTS && !holds(c, port))
		c->ports[c->n++] = port;
}

struct way_columns way_columns(const struct report *r)
{
	struct way_columns c = {.n = 0};

	for (unsigned i = 0; i < r->n_ports; i++)
		for (unsigned k = 0; k < r->n_path; k++)
			if (way_replies(&r->path[k], r->ports[i].port))
				add_port(&c, r->ports[i].port);
	for (unsigned k = 0; k < r->n_path; k++)
		for (unsigned i = 0; i < r->path[k].n_ports; i++)
			add_port(&c, r->path[k].ports[i].port);
	return c;
}

bool way_connected(const struct report *r, const struct report_hop *h, unsigned port)
{
	for (unsigned i = 0; i < r->n_ports; i++)
		if (r->ports[i].port == port)
			return r->ports[i].state == STATE_OPEN && addr_equal(&h->address, &r->target);
	return false;
}

const char *way_hop_address(struct arena *a, const struct report_hop *h)
{
	char text[ADDR_TEXT_MAX];

	if (addr_is_set(&h->address))
		return arena_strdup(a, addr_text(&h->address, text));
	if (h->hidden)
		return "(hidden)";
	for (unsigned i = 0; i < h->n_ports; i++)
		if (h->ports[i].syn_ack)
			return "(answers in the target's name)";
	return "(silent)";
}

const char *way_hidden_words(const struct report *r)
{
	for (unsigned i = 0; i < r->n_path; i++)
		if (r->path[i].hidden)
			return "Hidden: somebody on the way sets TTLs anew, so that a SYN with this TTL runs on to "
			       "the target, and which router stands here does not show.";
	return NULL;
}

/* ---- where ports end ---- */

/* How a sentence about a port goes on where it meets what stops it, for one and for several. */
struct end {
	const char *before, *one, *several, *after;
	bool syn; /* SYNs come no farther, or are answered here: what the rows behind show is not theirs */
};

static const struct end *end_of(enum mechanism m)
{
	/* who forges a RST may let the SYN itself go on */
	static const struct end ends = {"", "ends here", "end here", "", true},
				reset = {"", "is reset here", "are reset here", "", true},
				rejected = {"", "is turned away here", "are turned away here", "", true},
				answered = {"", "is answered here", "are answered here",
					    ", in the server's place", true},
				cut = {"sessions on ", "are cut here", "are cut here", ", while SYNs pass",
				       false},
				stuck = {"sessions on ", "get stuck here", "get stuck here", ", while SYNs pass",
					 false},
				altered = {"sessions on ", "are altered here", "are altered here", "", false};

	switch (m) {
	case MECH_INTERCEPTION: return &answered;
	case MECH_SESSION_RESET:
	case MECH_SESSION_CLOSE:
	case MECH_POLICY_REJECT:
	case MECH_NOT_SMTP:
	case MECH_TLS_FAILED: return &cut;
	case MECH_SESSION_STALL: return &stuck;
	case MECH_SMTP_MANGLED:
	case MECH_STARTTLS_STRIPPED:
	case MECH_TLS_INTERCEPTED: return &altered;
	case MECH_TCP_RESET: return &reset;
	case MECH_ICMP_UNREACHABLE: return &rejected;
	case MECH_LOCAL_ERROR:
	case MECH_SILENT_DROP:
	case MECH_UNKNOWN:
	case MECH_COUNT: break;
	}
	return &ends;
}

/* The hop behind which the line stands: SYNs that were answered for their TTL within the range came that
 * far. */
static unsigned ends_behind(const struct report *r, unsigned port, const struct finding *f)
{
	unsigned ttl = f->hop_from.ttl;

	for (unsigned i = 0; i < r->n_path && end_of(f->mechanism)->syn; i++) {
		const struct report_hop_port *p = way_replies(&r->path[i], port);
		if (p && p->time_exceeded && r->path[i].ttl > ttl && r->path[i].ttl <= f->hop_to.ttl)
			ttl = r->path[i].ttl;
	}
	return ttl;
}

/* The first finding of this port whose place on the way is known, NULL none. */
static const struct finding *end_finding(const struct report_port *p)
{
	for (unsigned i = 0; i < p->n_findings; i++)
		if (p->findings[i].has_hop && p->findings[i].hop_to.ttl > 0)
			return &p->findings[i];
	return NULL;
}

static const char *range_words(struct arena *a, const struct finding *f, unsigned ttl)
{
	return f->hop_to.ttl > ttl + 1 ? arena_printf(a, ", or anywhere up to hop %u", f->hop_to.ttl) : "";
}

unsigned way_ends(struct arena *a, const struct report *r, const struct way_columns *of, unsigned ttl,
		  const char *lines[WAY_MAX_PORTS])
{
	const struct finding *found[WAY_MAX_PORTS] = {NULL};
	unsigned n_ports = r->n_ports < WAY_MAX_PORTS ? r->n_ports : WAY_MAX_PORTS, n = 0;

	for (unsigned i = 0; i < n_ports; i++) {
		const struct finding *f = holds(of, r->ports[i].port) ? end_finding(&r->ports[i]) : NULL;
		found[i] = f && ends_behind(r, r->ports[i].port, f) == ttl ? f : NULL;
	}
	for (unsigned i = 0; i < n_ports; i++) {
		if (!found[i])
			continue;
		const struct end *end = end_of(found[i]->mechanism);
		const char *range = range_words(a, found[i], ttl), *ports = "";
		unsigned several = 0;
		for (unsigned k = n_ports; k-- > i;) {
			if (!found[k] || end_of(found[k]->mechanism) != end ||
			    strcmp(range_words(a, found[k], ttl), range) != 0)
				continue;
			ports = arena_printf(a, "%u%s%s", r->ports[k].port, several++ ? ", " : "", ports);
			if (k > i)
				found[k] = NULL;
		}
		lines[n++] = arena_printf(a, "%sport%s %s %s%s%s", end->before, several > 1 ? "s" : "", ports,
					  several > 1 ? end->several : end->one, range, end->after);
	}
	return n;
}

static unsigned answers_behind(const struct report *r, const struct report_port *port)
{
	const struct finding *f = end_finding(port);
	unsigned signs = 0;

	if (!f || !end_of(f->mechanism)->syn)
		return 0;
	unsigned end = ends_behind(r, port->port, f);
	for (unsigned i = 0; i < r->n_path; i++) {
		const struct report_hop_port *p = way_replies(&r->path[i], port->port);
		if (!p || r->path[i].ttl <= end)
			continue;
		signs |= (p->rst ? WAY_RST : 0u) | (p->syn_ack ? WAY_SYN_ACK : 0u) |
			 (p->unreachable ? WAY_UNREACHABLE : 0u);
	}
	return signs;
}

unsigned way_answers_behind(struct arena *a, const struct report *r, const char **ports)
{
	unsigned signs = 0, n = 0;

	*ports = "";
	for (unsigned i = 0; i < r->n_ports; i++) {
		unsigned own = answers_behind(r, &r->ports[i]);
		signs |= own;
		if (own)
			*ports = arena_printf(a, "%s%s%u", *ports, n++ ? ", " : "", r->ports[i].port);
	}
	*ports = arena_printf(a, "port%s %s", n > 1 ? "s" : "", *ports);
	return signs;
}
