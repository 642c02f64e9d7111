/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The report as one line of JSON, by docs/report.schema.json. The order of the
 * keys is that of the contract: people read these lines too.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "report/render.h"

/* Any decimal of up to 15 digits survives the way through a double (C17 5.2.4.2.2, DBL_DIG), so
 * that a value rounded to three places prints as written: 812.4, never 812.39999999999998. */
#define REAL_DIGITS 15

/* Beyond this a double has no three decimals left, and its value times 1000 no int64_t. */
#define ROUND_LIMIT 1e12

struct doc {
	struct arena scratch;
	bool failed; /* sticky: jansson had no memory for some value */
};

static void put(struct doc *d, json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new_nocheck(object, key, value) != 0)
		d->failed = true;
}

static void add(struct doc *d, json_t *array, json_t *value)
{
	if (json_array_append_new(array, value) != 0)
		d->failed = true;
}

/* NULL is null. Cleans once more: jansson refuses strings that are not UTF-8, and lets DEL by. */
static json_t *text(struct doc *d, const char *s)
{
	if (!s)
		return json_null();
	size_t len = strlen(s);
	return json_string_nocheck(text_clean(&d->scratch, s, len, len));
}

static json_t *texts(struct doc *d, const char *const *strings, unsigned n)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < n; i++)
		add(d, array, text(d, strings[i]));
	return array;
}

static json_t *address(const struct addr *a)
{
	char out[ADDR_TEXT_MAX];

	return addr_is_set(a) ? json_string(addr_text(a, out)) : json_null();
}

/* To 0.001. Negative (TIME_NONE, CONFIDENCE_NONE) and what is no number are null. */
static json_t *real(double value)
{
	if (!(value >= 0 && value < ROUND_LIMIT))
		return json_null();
	return json_real((double)(int64_t)(value * 1000 + 0.5) / 1000);
}

static json_t *nonzero(json_int_t value)
{
	return value ? json_integer(value) : json_null();
}

static json_t *evidence_id(struct doc *d, unsigned number)
{
	return json_string_nocheck(arena_printf(&d->scratch, "e%u", number));
}

static void put_nft_chain(struct doc *d, json_t *o, const struct culprit *c)
{
	put(d, o, "family", text(d, c->family));
	put(d, o, "table", text(d, c->table));
	put(d, o, "chain", text(d, c->chain));
	put(d, o, "hook", text(d, c->hook));
}

static void put_program(struct doc *d, json_t *o, const struct culprit *c)
{
	bool in_cgroup = c->cgroup || (!c->interface && (c->kind == CULPRIT_CGROUP_BPF ||
							 c->kind == CULPRIT_LSM));

	if (in_cgroup)
		put(d, o, "cgroup", text(d, c->cgroup));
	else
		put(d, o, "interface", text(d, c->interface));
	put(d, o, "id", json_integer(c->id));
	put(d, o, "name", text(d, c->name));
}

static void put_hop_culprit(struct doc *d, json_t *o, const struct culprit *c)
{
	put(d, o, "ttl", nonzero(c->ttl)); /* a capture knows no hops */
	put(d, o, "address", address(&c->address));
	put(d, o, "asn", nonzero(c->asn));
	put(d, o, "as_name", text(d, c->as_name));
}

/* Exactly the fields of the kind: a stray one in the struct is not the kind's business. */
static void put_culprit_fields(struct doc *d, json_t *o, const struct culprit *c)
{
	switch (c->kind) {
	case CULPRIT_NFT_RULE:
		put_nft_chain(d, o, c);
		put(d, o, "handle", json_integer((json_int_t)c->handle));
		put(d, o, "verdict", text(d, c->verdict));
		break;
	case CULPRIT_NFT_POLICY:
		put_nft_chain(d, o, c);
		break;
	case CULPRIT_IPTABLES_RULE:
		put(d, o, "table", text(d, c->table));
		put(d, o, "chain", text(d, c->chain));
		put(d, o, "number", json_integer(c->number));
		break;
	case CULPRIT_ROUTE:
		put(d, o, "type", text(d, c->type));
		put(d, o, "table", text(d, c->table));
		break;
	case CULPRIT_IP_RULE:
		put(d, o, "priority", json_integer(c->priority));
		break;
	case CULPRIT_NEIGHBOUR:
		put(d, o, "address", address(&c->address));
		put(d, o, "interface", text(d, c->interface));
		put(d, o, "state", text(d, c->state));
		break;
	case CULPRIT_LINK:
		put(d, o, "interface", text(d, c->interface));
		put(d, o, "state", text(d, c->state));
		break;
	case CULPRIT_SYSCTL:
		put(d, o, "name", text(d, c->name));
		put(d, o, "value", text(d, c->value));
		break;
	case CULPRIT_TC:
	case CULPRIT_XDP:
	case CULPRIT_CGROUP_BPF:
	case CULPRIT_LSM:
		put_program(d, o, c);
		break;
	case CULPRIT_KERNEL_DROP:
		put(d, o, "reason", text(d, c->reason));
		put(d, o, "function", text(d, c->function));
		break;
	case CULPRIT_HOP:
	case CULPRIT_MIDDLEBOX:
		put_hop_culprit(d, o, c);
		break;
	case CULPRIT_SERVER:
		put(d, o, "code", nonzero(c->code));
		break;
	case CULPRIT_CONNTRACK:
	case CULPRIT_UNKNOWN:
	case CULPRIT_COUNT:
		break;
	}
}

static json_t *culprit(struct doc *d, const struct finding *f)
{
	const struct culprit *c = &f->culprit;
	json_t *o = json_object();

	put(d, o, "kind", text(d, culprit_kind_name(c->kind)));
	put(d, o, "text", text(d, c->text ? c->text : ""));
	put_culprit_fields(d, o, c);
	if (f->mechanism == MECH_LOCAL_ERROR)
		put(d, o, "errno", c->error ? text(d, errno_name(c->error)) : json_null());
	return o;
}

static json_t *candidates(struct doc *d, const struct finding *f)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < f->n_candidates; i++) {
		json_t *o = json_object();
		put(d, o, "place", text(d, place_name(f->candidates[i].place)));
		put(d, o, "confidence", real(f->candidates[i].confidence));
		add(d, array, o);
	}
	return array;
}

static json_t *hop_end(struct doc *d, const struct hop_end *end)
{
	json_t *o = json_object();

	put(d, o, "ttl", json_integer(end->ttl));
	put(d, o, "address", address(&end->address));
	return o;
}

static json_t *hop_range(struct doc *d, const struct finding *f)
{
	if (!f->has_hop)
		return json_null();
	json_t *o = json_object();
	put(d, o, "from", hop_end(d, &f->hop_from));
	put(d, o, "to", hop_end(d, &f->hop_to));
	return o;
}

static json_t *icmp(struct doc *d, const struct finding *f)
{
	if (!f->has_icmp)
		return json_null();
	json_t *o = json_object();
	put(d, o, "type", json_integer(f->icmp.type));
	put(d, o, "code", json_integer(f->icmp.code));
	put(d, o, "name", text(d, f->icmp.name ? f->icmp.name : "other"));
	put(d, o, "from", address(&f->icmp.from));
	return o;
}

static json_t *finding(struct doc *d, const struct finding *f)
{
	json_t *o = json_object();
	json_t *evidence = json_array();
	bool placed = f->place != PLACE_UNKNOWN;

	put(d, o, "mechanism", text(d, mechanism_name(f->mechanism)));
	put(d, o, "place", text(d, place_name(f->place)));
	put(d, o, "direction", text(d, direction_name(f->direction)));
	put(d, o, "confidence", placed ? real(f->confidence) : json_null());
	put(d, o, "candidates", candidates(d, f));
	put(d, o, "hop", hop_range(d, f));
	put(d, o, "icmp", icmp(d, f));
	put(d, o, "culprit", culprit(d, f));
	put(d, o, "summary", text(d, f->summary ? f->summary : ""));
	for (unsigned i = 0; i < f->n_evidence; i++)
		add(d, evidence, evidence_id(d, f->evidence[i]));
	put(d, o, "evidence", evidence);
	put(d, o, "remedy", texts(d, f->remedy, f->n_remedy));
	put(d, o, "rule", text(d, f->rule));
	return o;
}

static json_t *tls(struct doc *d, const struct report_tls *t)
{
	json_t *o = json_object();

	put(d, o, "version", text(d, t->version));
	put(d, o, "cipher", text(d, t->cipher));
	put(d, o, "subject", text(d, t->subject));
	put(d, o, "issuer", text(d, t->issuer));
	put(d, o, "names", texts(d, t->names, t->n_names));
	put(d, o, "spki_sha256", text(d, t->spki_sha256));
	put(d, o, "verified", json_boolean(t->verified));
	put(d, o, "error", text(d, t->error));
	return o;
}

static json_t *smtp(struct doc *d, const struct report_smtp *s)
{
	json_t *o = json_object();

	put(d, o, "code", nonzero(s->code));
	put(d, o, "banner", text(d, s->banner));
	put(d, o, "ehlo", texts(d, s->ehlo, s->n_ehlo));
	put(d, o, "starttls", text(d, s->starttls));
	put(d, o, "auth", texts(d, s->auth, s->n_auth));
	put(d, o, "tls", s->has_tls ? tls(d, &s->tls) : json_null());
	return o;
}

static json_t *findings(struct doc *d, const struct report_port *p)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < p->n_findings; i++)
		add(d, array, finding(d, &p->findings[i]));
	return array;
}

static json_t *client(struct doc *d, const struct report_port *p)
{
	json_t *o = json_object();

	put(d, o, "host", text(d, p->client.host));
	put(d, o, "port", json_integer(p->port));
	put(d, o, "security", text(d, p->client.security));
	put(d, o, "auth", texts(d, p->smtp.auth, p->smtp.n_auth));
	put(d, o, "certificate", text(d, p->client.certificate));
	put(d, o, "certificate_error", text(d, p->client.certificate_error));
	return o;
}

static json_t *login(struct doc *d, const struct report_login *l)
{
	json_t *o = json_object();

	put(d, o, "state", json_string(l->works ? "works" : "not-tried"));
	put(d, o, "reason", text(d, l->why));
	put(d, o, "advice", text(d, l->how));
	return o;
}

static json_t *rounds(struct doc *d, const struct report_port *p)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < p->n_rounds; i++) {
		json_t *o = json_object();
		put(d, o, "attempt", json_integer(i + 1));
		put(d, o, "t_ms", real(p->rounds[i].t_ms));
		put(d, o, "state", text(d, state_name(p->rounds[i].state)));
		put(d, o, "text", text(d, p->rounds[i].text));
		add(d, array, o);
	}
	return array;
}

static json_t *port(struct doc *d, const struct report_port *p)
{
	json_t *o = json_object();
	json_t *timing = json_object();

	put(d, o, "port", json_integer(p->port));
	put(d, o, "service", text(d, p->service ? p->service : ""));
	put(d, o, "state", text(d, state_name(p->state)));
	put(d, o, "summary", text(d, p->summary ? p->summary : ""));
	put(d, o, "findings", findings(d, p));
	put(d, o, "upstream_tested", json_boolean(p->upstream_tested));
	put(d, o, "smtp", p->has_smtp ? smtp(d, &p->smtp) : json_null());
	put(d, timing, "connect", real(p->connect_ms));
	put(d, timing, "banner", real(p->banner_ms));
	put(d, timing, "tls", real(p->tls_ms));
	put(d, o, "timing_ms", timing);
	put(d, o, "client", p->has_client ? client(d, p) : json_null());
	if (p->login.asked)
		put(d, o, "login", login(d, &p->login));
	if (p->n_rounds)
		put(d, o, "repeats", rounds(d, p));
	return o;
}

static json_t *ports(struct doc *d, const struct report *r)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < r->n_ports; i++)
		add(d, array, port(d, &r->ports[i]));
	return array;
}

static json_t *controls(struct doc *d, const struct report *r)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < r->n_controls; i++) {
		json_t *o = json_object();
		put(d, o, "port", json_integer(r->controls[i].port));
		put(d, o, "outcome", text(d, r->controls[i].outcome));
		add(d, array, o);
	}
	return array;
}

static json_t *replies(struct doc *d, const struct report_hop_port *p)
{
	json_t *o = json_object();

	put(d, o, "sent", json_integer(p->sent));
	put(d, o, "time_exceeded", json_integer(p->time_exceeded));
	put(d, o, "syn_ack", json_integer(p->syn_ack));
	put(d, o, "rst", json_integer(p->rst));
	put(d, o, "unreachable", json_integer(p->unreachable));
	put(d, o, "rtt_ms", real(p->rtt_ms));
	return o;
}

static json_t *hop(struct doc *d, const struct report_hop *h)
{
	json_t *o = json_object();
	json_t *by_port = json_object();

	put(d, o, "ttl", json_integer(h->ttl));
	put(d, o, "address", address(&h->address));
	put(d, o, "name", text(d, h->name));
	put(d, o, "asn", nonzero(h->asn));
	put(d, o, "place", text(d, place_name(h->place)));
	for (unsigned i = 0; i < h->n_ports; i++)
		put(d, by_port, arena_printf(&d->scratch, "%u", h->ports[i].port),
		    replies(d, &h->ports[i]));
	put(d, o, "replies", by_port);
	return o;
}

static json_t *path(struct doc *d, const struct report *r)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < r->n_path; i++)
		add(d, array, hop(d, &r->path[i]));
	return array;
}

static json_t *evidence(struct doc *d, const struct report *r)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < r->n_evidence; i++) {
		const struct report_evidence *e = &r->evidence[i];
		json_t *o = json_object();
		put(d, o, "id", evidence_id(d, e->number));
		put(d, o, "t_ms", real(e->t_ms));
		put(d, o, "source", text(d, source_name(e->source)));
		put(d, o, "port", nonzero(e->port));
		put(d, o, "text", text(d, e->text ? e->text : ""));
		add(d, array, o);
	}
	return array;
}

static json_t *tool(struct doc *d, const struct report *r)
{
	json_t *o = json_object();

	put(d, o, "name", json_string("smtpblame"));
	put(d, o, "version", text(d, r->tool_version ? r->tool_version : ""));
	return o;
}

static json_t *target(struct doc *d, const struct report *r)
{
	json_t *o = json_object();
	const char *family = r->target.family == ADDR_V6 ? "ipv6" : "ipv4";

	put(d, o, "input", text(d, r->target_input ? r->target_input : ""));
	put(d, o, "name", text(d, r->target_name));
	put(d, o, "address", address(&r->target));
	put(d, o, "family", addr_is_set(&r->target) ? json_string(family) : json_null());
	return o;
}

static json_t *vantage(struct doc *d, const struct report_vantage *v)
{
	json_t *o = json_object();

	put(d, o, "hostname", text(d, v->hostname));
	put(d, o, "interface", text(d, v->interface));
	put(d, o, "link", text(d, v->link));
	put(d, o, "source", address(&v->source));
	put(d, o, "seen_as", address(&v->seen_as));
	put(d, o, "gateway", address(&v->gateway));
	put(d, o, "gateway_state", text(d, v->gateway_state));
	put(d, o, "mtu", nonzero(v->mtu));
	put(d, o, "netns", text(d, v->netns));
	put(d, o, "tunnel", json_boolean(v->tunnel));
	put(d, o, "user", text(d, v->user));
	return o;
}

static json_t *inspect_document(struct doc *d, const struct report *r)
{
	json_t *o = json_object(), *list = json_array();
	char started[CLOCK_TEXT_MAX];

	for (unsigned i = 0; i < r->n_ports; i++) {
		const struct report_port *p = &r->ports[i];
		json_t *one = json_object();
		put(d, one, "port", json_integer(p->port));
		put(d, one, "service", text(d, p->service));
		put(d, one, "would", text(d, would_name(p->would)));
		put(d, one, "summary", text(d, p->summary));
		put(d, one, "findings", findings(d, p));
		add(d, list, one);
	}
	put(d, o, "schema", json_string("smtpblame.inspect/1"));
	put(d, o, "tool", tool(d, r));
	put(d, o, "started", json_string(clock_utc_text(r->started_ns, started)));
	put(d, o, "target", target(d, r));
	put(d, o, "vantage", vantage(d, &r->vantage));
	put(d, o, "ports", list);
	put(d, o, "evidence", evidence(d, r));
	put(d, o, "not_looked", texts(d, r->not_looked, r->n_not_looked));
	put(d, o, "summary", text(d, r->summary ? r->summary : ""));
	return o;
}

static json_t *document(struct doc *d, const struct report *r)
{
	json_t *o = json_object();
	char started[CLOCK_TEXT_MAX];

	put(d, o, "schema", json_string("smtpblame.report/1"));
	put(d, o, "tool", tool(d, r));
	put(d, o, "started", json_string(clock_utc_text(r->started_ns, started)));
	put(d, o, "elapsed_ms", real(r->elapsed_ms));
	put(d, o, "target", target(d, r));
	put(d, o, "vantage", vantage(d, &r->vantage));
	put(d, o, "ports", ports(d, r));
	put(d, o, "controls", controls(d, r));
	put(d, o, "path", path(d, r));
	put(d, o, "evidence", evidence(d, r));
	put(d, o, "notes", texts(d, r->notes, r->n_notes));
	put(d, o, "not_looked", texts(d, r->not_looked, r->n_not_looked));
	put(d, o, "summary", text(d, r->summary ? r->summary : ""));
	return o;
}

struct line {
	char *bytes;
	size_t len, size;
};

/* Jansson gives a document in hundreds of pieces. */
static int take_piece(const char *piece, size_t n, void *data)
{
	struct line *l = data;

	if (l->size - l->len < n) {
		l->size = (l->size + n) * 2;
		l->bytes = xrealloc(l->bytes, l->size);
	}
	memcpy(l->bytes + l->len, piece, n);
	l->len += n;
	return 0;
}

/* Prints and frees `root`. Nothing reaches `out` of a document that is not whole. */
static int finish(struct doc *d, json_t *root, FILE *out)
{
	/* ASCII only: no code point of a foreign banner reaches the terminal as itself */
	size_t flags = JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(REAL_DIGITS);
	struct line l = {0};
	int ret = -1;

	if (!d->failed && json_dump_callback(root, take_piece, &l, flags) == 0 &&
	    take_piece("\n", 1, &l) == 0 && fwrite(l.bytes, 1, l.len, out) == l.len &&
	    fflush(out) == 0)
		ret = 0;
	free(l.bytes);
	json_decref(root);
	arena_clear(&d->scratch);
	return ret;
}

int render_json(const struct report *r, FILE *out)
{
	struct doc d = {0};

	return finish(&d, r->inspect ? inspect_document(&d, r) : document(&d, r), out);
}

int render_json_error(const char *input, const char *error, FILE *out)
{
	struct doc d = {0};
	json_t *root = json_object();
	json_t *who = json_object();

	put(&d, root, "schema", json_string("smtpblame.error/1"));
	put(&d, who, "input", text(&d, input ? input : ""));
	put(&d, root, "target", who);
	put(&d, root, "error", text(&d, error ? error : ""));
	return finish(&d, root, out);
}
