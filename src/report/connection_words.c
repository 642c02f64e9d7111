/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/connection_words.h"

#include "base/clock.h"
#include "report/phrase.h"

const char *connection_endpoint(struct arena *a, const struct connection_side *s)
{
	char text[ADDR_TEXT_MAX];
	bool v6 = s->address.family == ADDR_V6;

	addr_text(&s->address, text);
	return arena_printf(a, "%s%s%s:%u", v6 ? "[" : "", text, v6 ? "]" : "", s->port);
}

const char *connection_place(enum place p)
{
	switch (p) {
	case PLACE_HOST: return "the client's own machine";
	case PLACE_GATEWAY: return "the client's gateway";
	case PLACE_ISP: return "the client's provider";
	case PLACE_TRANSIT: return "transit";
	case PLACE_DESTINATION_NETWORK: return "the destination's network";
	case PLACE_DESTINATION: return "the destination itself";
	case PLACE_UNKNOWN:
	case PLACE_COUNT: break;
	}
	return "the capture does not tell";
}

const char *connection_candidates(struct arena *a, const struct finding *f)
{
	const char *all = "";

	for (unsigned i = 1; i < f->n_candidates; i++)
		all = arena_printf(a, "%s%s%s %s", all, i > 1 ? ", " : "",
				   connection_place(f->candidates[i].place),
				   phrase_percent(a, f->candidates[i].confidence));
	return all;
}

static const char *count(struct arena *a, uint64_t n, const char *what)
{
	return arena_printf(a, "%llu %s%s", (unsigned long long)n, what, n == 1 ? "" : "s");
}

/* Not the JSON's words: "open" would be taken for the state. */
static const char *end_words(const char *end)
{
	static const struct {
		const char *end, *words;
	} list[] = {
		{"open", "not over when the capture ended"},
		{"closed", "then closed"},
		{"reset", "then reset"},
		{"idle", "then nothing more"},
		{"replaced", "then another connection took its ports"},
		{"evicted", "then given up for lack of memory"},
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (same_text(end, list[i].end))
			return list[i].words;
	return end;
}

const char *connection_seen(struct arena *a, const struct connection *c)
{
	char start[CLOCK_TEXT_MAX];

	return arena_printf(a, "%s from packet %llu on, %s of the client and %u of the server in %s, %s",
			    clock_utc_text(c->start_ns, start), (unsigned long long)c->first_packet,
			    count(a, c->client.packets, "packet"), c->server.packets, phrase_ms(a, c->duration_ms), end_words(c->end));
}

/* ---- lines ---- */

struct lines {
	struct group_line *list;
	unsigned n;
};

static struct lines lines_in(struct arena *a)
{
	return (struct lines){arena_alloc(a, GROUP_LINES_MAX * sizeof(struct group_line)), 0};
}

static void add(struct lines *l, const char *label, const char *text)
{
	if (text && *text && l->n < GROUP_LINES_MAX)
		l->list[l->n++] = (struct group_line){.label = label, .text = text};
}

static void add_tls(struct lines *l, struct arena *a, const struct connection *c)
{
	const struct report_tls *tls = &c->smtp.tls;

	add(l, "TLS", arena_printf(a, "%s%s%s%s%s", tls->version ? tls->version : "no answer",
				   tls->cipher ? ", " : "", tls->cipher ? tls->cipher : "",
				   c->sni ? ", asked for " : "", c->sni ? c->sni : ""));
	add(l, "Subject", tls->subject);
	add(l, "Issuer", tls->issuer);
	add(l, "Names", phrase_list(a, tls->names, tls->n_names));
}

unsigned connection_smtp(struct arena *a, const struct connection *c, const struct group_line **out)
{
	const struct report_smtp *s = &c->smtp;
	struct lines l = lines_in(a);

	*out = l.list;
	if (!c->has_smtp)
		return 0;
	if (s->code)
		add(&l, "Greeting", arena_printf(a, "%d %s", s->code, s->banner ? s->banner : ""));
	add(&l, "EHLO", phrase_list(a, s->ehlo, s->n_ehlo));
	add(&l, "STARTTLS", s->starttls);
	add(&l, "Login", phrase_list(a, s->auth, s->n_auth));
	if (s->has_tls)
		add_tls(&l, a, c);
	return l.n;
}

unsigned connection_other_point(struct arena *a, const struct connection_pair *p,
				const struct group_line **out)
{
	struct lines l = lines_in(a);

	*out = l.list;
	add(&l, "File", p->file);
	if (!p->found) {
		add(&l, "Seen", "nothing of this connection");
		return l.n;
	}
	add(&l, "Seen", arena_printf(a, "on the %s's side, as %s > %s, from packet %llu on",
				     p->is_client_side ? "client" : "server",
				     connection_endpoint(a, &p->client), connection_endpoint(a, &p->server),
				     (unsigned long long)p->first_packet));
	add(&l, "Between", p->n_changes ? p->changes[0] : "nothing changed");
	for (unsigned i = 1; i < p->n_changes; i++)
		add(&l, " ", p->changes[i]);
	return l.n;
}

/* ---- all of them ---- */

const char *connection_count(struct arena *a, const struct read_summary *s)
{
	return count(a, s->connections, "SMTP connection");
}

const char *connection_count_of(struct arena *a, const struct read_summary *s)
{
	return arena_printf(a, " in %s, %s", count(a, s->packets, "packet"), count(a, s->files, "file"));
}

const char *connection_fate(struct arena *a, const struct read_group *g)
{
	if (g->state == STATE_OPEN)
		return "";
	if (g->place == PLACE_UNKNOWN)
		return arena_printf(a, ", %s", mechanism_name(g->mechanism));
	return arena_printf(a, ", %s, at %s", mechanism_name(g->mechanism), connection_place(g->place));
}

const char *connection_servers(struct arena *a, const struct read_group *g)
{
	const char *all = "";

	for (unsigned i = 0; i < g->n_servers && i < READ_GROUP_SHOWN; i++) {
		struct connection_side s = {.address = g->servers[i].address, .port = g->servers[i].port};
		all = arena_printf(a, "%s%s%s (%llu)", all, i ? ", " : "", connection_endpoint(a, &s),
				   (unsigned long long)g->servers[i].connections);
	}
	return all;
}

const char *connection_undecodable(struct arena *a, const struct read_summary *s)
{
	return s->undecodable ? arena_printf(a, "%s could not be decoded.", count(a, s->undecodable, "packet"))
			      : NULL;
}

const char *connection_probes(struct arena *a, const struct read_summary *s)
{
	return s->path_probes ? arena_printf(a, "Left out: %s of the kind that traceroute and smtpblame send.",
					     count(a, s->path_probes, "path probe"))
			      : NULL;
}

const char *connection_evicted(struct arena *a, const struct read_summary *s)
{
	return s->evicted ? arena_printf(a, "%s given up for lack of memory while still going on.",
					 count(a, s->evicted, "connection"))
			  : NULL;
}
