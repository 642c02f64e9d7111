/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "diag/capture.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "diag/capture_facts.h"
#include "diag/capture_known.h"
#include "diag/capture_rules.h"
#include "diag/capture_words.h"

#define BANNER_MAX 300 /* bytes of foreign words in a field; a line of SMTP has 512 */
#define NAME_MAX_BYTES 255
#define KEYWORD_MAX 200

struct rule_templates {
	struct capture_template summary, remedy[RULE_MAX_REMEDIES];
	unsigned n_remedy;
};

/* What follows from a set of facts alone, kept from one connection to the next: most are like others. */
#define VERDICTS_LOG 8
#define VERDICTS     (1 << VERDICTS_LOG)

struct verdict {
	fact_set seen;
	const struct rule *first, *second; /* NULL: none; both: the entry is free */
	unsigned cited; /* kinds of evidence, as bits: that which the findings need */
	unsigned shown; /* that, and what is of interest in any case */
};

struct capture_judge {
	const struct signatures *signatures;
	struct capture_known *known;
	struct capture_ehlo ehlo;
	struct verdict verdicts[VERDICTS];
	struct arena keywords; /* those of out.keywords, which are of the reply: */
	unsigned keywords_of;  /* ehlo.number */
	struct rule_templates *templates; /* of the rule at the same index */
	struct arena for_ever, scratch;
	struct connection out;
	struct connection_pair pair;
};

struct capture_judge *capture_judge_new(const struct signatures *signatures, uint64_t seed)
{
	struct capture_judge *j = xcalloc(1, sizeof(*j));

	j->signatures = signatures;
	j->known = capture_known_new(seed);
	j->templates = arena_alloc(&j->for_ever, capture_rule_count * sizeof(*j->templates));
	for (unsigned i = 0; i < capture_rule_count; i++) {
		const struct rule *r = &capture_rule_table[i];
		struct rule_templates *t = &j->templates[i];
		capture_template_make(&t->summary, &j->for_ever, r->summary);
		for (; t->n_remedy < RULE_MAX_REMEDIES && r->remedy[t->n_remedy]; t->n_remedy++)
			capture_template_make(&t->remedy[t->n_remedy], &j->for_ever,
					      r->remedy[t->n_remedy]);
	}
	return j;
}

void capture_judge_free(struct capture_judge *j)
{
	if (!j)
		return;
	capture_known_free(j->known);
	arena_clear(&j->for_ever);
	arena_clear(&j->scratch);
	arena_clear(&j->keywords);
	free(j);
}

void capture_learn(struct capture_judge *j, const struct conn *c)
{
	capture_known_learn(j->known, c);
}

void capture_expect(const struct capture_judge *j, const struct conn *c)
{
	capture_known_expect(j->known, c);
}

void capture_forget(struct capture_judge *j)
{
	capture_known_clear(j->known);
}

/* ---- evidence ---- */

/* What a reader wants to see of every connection. */
#define ALWAYS (FACT_BIT(CF_SYNACK) | FACT_BIT(CF_GREETED))

static unsigned kinds_of(fact_set facts)
{
	unsigned kinds = 0;

	while (facts) {
		uint64_t low = (uint64_t)facts, high = (uint64_t)(facts >> 64);
		unsigned f = low ? (unsigned)__builtin_ctzll(low) : 64u + (unsigned)__builtin_ctzll(high);
		enum capture_evidence e = capture_evidence_of((enum capture_fact)f);
		facts &= facts - 1;
		if (e != CE_COUNT)
			kinds |= 1u << e;
	}
	return kinds;
}

static void add_evidence(struct capture_judge *j, const struct capture_facts *f, const struct verdict *v)
{
	struct connection *out = &j->out;
	unsigned cite = v->cited, all = v->shown;

	if (out->state == STATE_OPEN && f->conn->smtp && f->conn->smtp->bad.code)
		all |= 1u << CE_REFUSAL;
	if (!conn_seen(f->conn->synack))
		all |= 1u << CE_SYN;
	out->n_evidence = 0;
	for (unsigned e = 0; e < CE_COUNT && out->n_evidence < CONNECTION_MAX_EVIDENCE; e++) {
		struct conn_mark at;
		enum source source;
		if (!(all & 1u << e))
			continue;
		const char *text = capture_evidence_text((enum capture_evidence)e, &j->scratch, f, &at, &source);
		if (!text)
			continue;
		struct report_evidence *one = &out->evidence[out->n_evidence++];
		*one = (struct report_evidence){
			.number = out->n_evidence,
			.t_ms = at.t_us / 1000.0,
			.source = source,
			.port = out->server.port,
			.text = text,
		};
		for (unsigned i = 0; i < out->n_findings && (cite & 1u << e); i++)
			out->cited[i][out->findings[i].n_evidence++] = one->number;
	}
}

/* ---- the finding ---- */

static void fill_candidates(const struct placed *placed, struct finding *f)
{
	for (int i = 0; i < PLACE_UNKNOWN; i++) {
		double weight = placed->weight[i];
		unsigned k = f->n_candidates;
		if (weight <= 0)
			continue;
		for (; k > 0 && f->candidates[k - 1].confidence < weight; k--)
			f->candidates[k] = f->candidates[k - 1];
		f->candidates[k] = (struct candidate){(enum place)i, weight};
		f->n_candidates++;
	}
}

static void fill_place(const struct rule *rule, const struct capture_facts *facts, struct finding *f)
{
	f->place = rule->place;
	f->direction = rule->direction;
	f->confidence = rule->confidence;
	if (rule->placed && facts->placed.known) {
		f->place = facts->placed.place;
		f->confidence = facts->placed.confidence;
		fill_candidates(&facts->placed, f);
	} else if (rule->place != PLACE_UNKNOWN) {
		f->candidates[0] = (struct candidate){rule->place, rule->confidence};
		f->n_candidates = 1;
	}
}

static const char *own_words(struct capture_judge *j, const struct conn *c, const struct conn_reply *r)
{
	struct writer w;

	writer_begin(&w, &j->scratch);
	capture_put_reply(&w, c, r);
	return writer_end(&w);
}

static void fill_culprit(struct capture_judge *j, const struct rule *rule,
			 const struct capture_facts *facts, struct finding *f)
{
	const struct conn *c = facts->conn;
	struct culprit *k = &f->culprit;

	k->kind = rule->culprit;
	k->text = rule->culprit == CULPRIT_UNKNOWN ? "" : rule->why;
	if (rule->culprit == CULPRIT_HOP && facts->icmp)
		k->address = facts->icmp->from;
	if (rule->state == STATE_REJECTED && c->smtp) {
		const struct conn_reply *greeting = &c->smtp->replies[STAGE_GREETING];
		const struct conn_reply *r = greeting->code >= 400 ? greeting : &c->smtp->bad;
		k->code = r->code;
		k->text = own_words(j, c, r);
	}
	if (facts->icmp && rule->mechanism == MECH_ICMP_UNREACHABLE) {
		const struct conn_icmp *i = facts->icmp;
		f->has_icmp = true;
		f->icmp = (struct report_icmp){.type = i->type, .code = i->code, .from = i->from,
					       .name = icmp_name(i->from.family, i->type, i->code)};
	}
}

static void add_finding(struct capture_judge *j, const struct rule *rule, const struct capture_facts *facts)
{
	const struct rule_templates *t = &j->templates[rule - capture_rule_table];
	unsigned n = j->out.n_findings++;
	struct finding *f = &j->out.findings[n];

	*f = (struct finding){.mechanism = rule->mechanism, .rule = rule->id, .evidence = j->out.cited[n],
			      .remedy = j->out.remedies[n]};
	f->summary = capture_template_fill(&t->summary, &j->scratch, facts);
	fill_place(rule, facts, f);
	fill_culprit(j, rule, facts, f);
	for (unsigned i = 0; i < t->n_remedy; i++)
		j->out.remedies[n][i] = capture_template_fill(&t->remedy[i], &j->scratch, facts);
	f->n_remedy = t->n_remedy;
}

/* Who answers in the server's place and alters what it says does two things. */
static const struct rule *second_rule(const struct rule *first, fact_set seen)
{
	if (first->mechanism != MECH_INTERCEPTION)
		return NULL;
	for (const struct rule *r = first + 1; r < capture_rule_table + capture_rule_count; r++)
		if (r->layer == LAYER_SESSION && r->state == STATE_INTERCEPTED && !(r->need & ~seen) &&
		    !(r->absent & seen))
			return r;
	return NULL;
}

static const struct verdict *verdict_of(struct capture_judge *j, fact_set seen)
{
	uint64_t hash = ((uint64_t)seen ^ (uint64_t)(seen >> 64) * 0x9e3779b97f4a7c15) * 0xd6e8feb86659fd93;
	struct verdict *v = &j->verdicts[hash >> (64 - VERDICTS_LOG)];

	if (v->first && v->seen == seen)
		return v;
	v->seen = seen;
	v->first = capture_rule_of(seen);
	v->second = second_rule(v->first, seen);
	v->cited = kinds_of((v->first->need | (v->second ? v->second->need : 0)) & seen);
	v->shown = v->cited | kinds_of(ALWAYS & seen);
	return v;
}

/* ---- what was said ---- */

static const char *starttls_word(const struct capture_facts *f)
{
	const struct conn_smtp *s = f->conn->smtp;

	if (f->conn->tls && f->conn->tls->immediate)
		return NULL;
	if (capture_fact_seen(f, CF_STARTTLS_MASKED))
		return "stripped";
	if (s && s->replies[STAGE_STARTTLS].code)
		return capture_fact_seen(f, CF_TLS_UP) ? "ok"
		       : capture_fact_seen(f, CF_CUT_OFF) && s->replies[STAGE_STARTTLS].code < 400
			       ? "offered"
			       : "failed";
	if (!f->ehlo)
		return NULL;
	return f->ehlo->starttls ? "offered" : "absent";
}

static void fill_tls(struct capture_judge *j, const struct capture_facts *f)
{
	const struct conn *c = f->conn;
	const struct conn_tls *t = c->tls;
	struct report_tls *out = &j->out.smtp.tls;

	*out = (struct report_tls){
		.version = capture_tls_version(t->version),
		.cipher = capture_tls_cipher(&j->scratch, t->cipher),
		.names = j->out.names,
		.error = "not verified: read from a capture",
	};
	if (t->subject.len)
		out->subject = capture_text(&j->scratch, c, t->subject, BANNER_MAX);
	if (t->issuer.len)
		out->issuer = capture_text(&j->scratch, c, t->issuer, BANNER_MAX);
	for (; out->n_names < t->n_names; out->n_names++)
		j->out.names[out->n_names] = capture_text(&j->scratch, c, t->names[out->n_names], NAME_MAX_BYTES);
	if (t->sni.len)
		j->out.sni = capture_text(&j->scratch, c, t->sni, NAME_MAX_BYTES);
}

/* f->ehlo is the latest reply that was taken apart, and mostly the one before, too. */
static void fill_keywords(struct capture_judge *j, const struct smtp_ehlo *ehlo)
{
	j->out.keywords_of = j->ehlo.number;
	j->out.smtp.n_ehlo = ehlo->n_keywords;
	j->out.smtp.n_auth = ehlo->n_auth;
	if (j->keywords_of == j->ehlo.number)
		return;
	j->keywords_of = j->ehlo.number;
	arena_reset(&j->keywords);
	for (unsigned i = 0; i < ehlo->n_keywords; i++)
		j->out.keywords[i] = text_clean(&j->keywords, ehlo->keywords[i], strlen(ehlo->keywords[i]), KEYWORD_MAX);
	for (unsigned i = 0; i < ehlo->n_auth; i++)
		j->out.mechanisms[i] = ehlo->auth[i];
}

static void fill_smtp(struct capture_judge *j, const struct capture_facts *f)
{
	const struct conn *c = f->conn;
	struct report_smtp *out = &j->out.smtp;

	j->out.sni = NULL;
	j->out.has_smtp = c->smtp || c->tls;
	*out = (struct report_smtp){.ehlo = j->out.keywords, .auth = j->out.mechanisms, .starttls = starttls_word(f)};
	if (c->smtp && c->smtp->replies[STAGE_GREETING].code) {
		const struct conn_reply *greeting = &c->smtp->replies[STAGE_GREETING];
		out->code = greeting->code;
		out->banner = capture_text(&j->scratch, c, greeting->text, BANNER_MAX);
	}
	j->out.keywords_of = 0;
	if (f->ehlo)
		fill_keywords(j, f->ehlo);
	out->has_tls = c->tls != NULL;
	if (c->tls)
		fill_tls(j, f);
}

static const char *stage_name(const struct capture_facts *f)
{
	static const char *const names[STAGE_COUNT] = {
		[STAGE_GREETING] = "greeting", [STAGE_EHLO] = "ehlo", [STAGE_STARTTLS] = "starttls",
		[STAGE_TLS] = "tls", [STAGE_EHLO_TLS] = "tls-session", [STAGE_AUTH] = "auth",
		[STAGE_MAIL] = "mail", [STAGE_RCPT] = "rcpt", [STAGE_DATA] = "data",
		[STAGE_MESSAGE] = "message", [STAGE_QUIT] = "quit",
	};

	if (capture_fact_seen(f, CF_SERVER_SPOKE) || f->conn->smtp || f->conn->tls)
		return names[f->stage];
	return capture_fact_seen(f, CF_ESTABLISHED) ? "greeting" : "handshake";
}

static const char *end_name(const struct conn *c)
{
	switch ((enum conn_end)c->end) {
	case CONN_OPEN: return "open";
	case CONN_FIN: return "closed";
	case CONN_RST: return "reset";
	case CONN_IDLE: return "idle";
	case CONN_REPLACED: return "replaced";
	case CONN_EVICTED: return "evicted";
	}
	return "open";
}

/* ---- two capture points ---- */

static struct connection_side side_of(const struct conn *c, enum conn_side side)
{
	return side == CONN_CLIENT
		       ? (struct connection_side){c->client, c->client_port, c->half[side].packets}
		       : (struct connection_side){c->server, c->server_port, c->half[side].packets};
}

static void compare(struct capture_judge *j, const struct conn *c, const struct capture_other *other,
		    struct capture_context *context)
{
	struct connection_pair *p = &j->pair;

	j->out.pair = NULL;
	if (!other)
		return;
	context->other_file = other->file;
	*p = (struct connection_pair){.file = other->file, .found = other->conn != NULL};
	j->out.pair = p;
	if (!other->conn) {
		context->pair = FACT_BIT(CF_PAIR_SYN_LOST);
		return;
	}
	bool nearer = capture_is_nearer(c, other->conn);
	const struct conn *near = nearer ? c : other->conn, *far = nearer ? other->conn : c;
	context->pair = capture_pair_facts(near, far, other->how);
	p->client = side_of(other->conn, CONN_CLIENT);
	p->server = side_of(other->conn, CONN_SERVER);
	p->first_packet = other->conn->first_packet;
	p->is_client_side = !nearer;
	p->n_changes = capture_changes(&j->scratch, near, far, other->how, p->changes);
}

const struct connection *capture_judge(struct capture_judge *j, const struct conn *c, const char *file,
				       const struct capture_other *other)
{
	struct connection *out = &j->out;
	struct capture_context context;
	struct capture_facts f;

	arena_reset(&j->scratch);
	capture_known_context(j->known, c, &context);
	compare(j, c, other, &context);
	capture_facts_of(c, &context, j->signatures, &j->ehlo, &f);
	const struct verdict *v = verdict_of(j, f.seen);
	const struct rule *rule = v->first;
	const struct rule_templates *t = &j->templates[rule - capture_rule_table];

	out->file = file;
	out->client = side_of(c, CONN_CLIENT);
	out->server = side_of(c, CONN_SERVER);
	out->start_ns = c->start_ns;
	out->duration_ms = (double)(c->last_ns - c->start_ns) / 1e6;
	out->first_packet = c->first_packet;
	out->state = rule->state;
	out->path_probe = rule->need & FACT_BIT(CF_PROBES);
	out->stage = stage_name(&f);
	out->end = end_name(c);
	out->n_findings = 0;
	if (rule->state == STATE_OPEN) {
		out->summary = capture_template_fill(&t->summary, &j->scratch, &f);
	} else {
		add_finding(j, rule, &f);
		out->summary = out->findings[0].summary;
	}
	if (v->second)
		add_finding(j, v->second, &f);
	fill_smtp(j, &f);
	add_evidence(j, &f, v);
	return out;
}
