/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The rule table: every row is reached, says what it should, and hides no other. */
#include "cases.h"

#include "diag/words.h"

/* All of a table's faults are told at once. */
static unsigned faults;

#define COMPLAIN(...) (print_error(__VA_ARGS__), print_error("\n"), faults++)

static void expect_words(const char *rule, const char *text)
{
	if (!text || !text[0] || strchr(text, '{') || strstr(text, "(null)") ||
	    strstr(text, " ."))
		COMPLAIN("%s: bad words: %s", rule, text ? text : "(none)");
}

static const struct rule *row(const char *id)
{
	const struct rule *r;

	for (unsigned i = 0; (r = rule_row(i)) != NULL; i++)
		if (strcmp(r->id, id) == 0)
			return r;
	fail_msg("%s is no row", id);
	return NULL;
}

/* A sentence that names a place says when it is not sure of it. */
static bool names_a_place(const struct rule *r)
{
	static const char *const words[] = {"{place-words}", "{at-place}", "omebody}"};

	for (size_t i = 0; i < COUNT(words); i++)
		if (r->summary && strstr(r->summary, words[i]))
			return true;
	return false;
}

/* "probably" where it is likely and not sure; below that no such word, but who else it may be. */
static bool doubt_is_told(const char *text, double confidence)
{
	bool probably = strstr(text, "probably") != NULL, less = strstr(text, "perhaps") || strstr(text, " or ");

	return confidence >= CONFIDENCE_SURE     ? !probably
	       : confidence >= CONFIDENCE_LIKELY ? probably
						 : less && !probably;
}

static void expect_doubt(const struct report *r, const struct finding *f)
{
	bool known = f->place != PLACE_UNKNOWN, sure = known && f->confidence >= CONFIDENCE_SURE;

	if (names_a_place(row(f->rule)) && !doubt_is_told(f->summary, known ? f->confidence : 1))
		COMPLAIN("%s at %.2f says: %s", f->rule, f->confidence, f->summary);
	if (sure && strstr(f->summary, "probably"))
		COMPLAIN("%s is sure and says: %s", f->rule, f->summary);
	if (f == r->ports[0].findings && r->ports[0].state != STATE_NO_SERVICE && r->n_ports == 1 &&
	    known && !doubt_is_told(r->summary, f->confidence))
		COMPLAIN("%s at %.2f: %s", f->rule, f->confidence, r->summary);
}

static void expect_finding(const struct rule_case *c, const struct report *r,
			   const struct finding *f)
{
	double sum = 0;

	if (f->mechanism != c->mechanism || f->place != c->place || f->direction != c->direction ||
	    f->culprit.kind != c->culprit)
		COMPLAIN("%s: %s %s %s %s", c->rule, mechanism_name(f->mechanism),
			 place_name(f->place), direction_name(f->direction),
			 culprit_kind_name(f->culprit.kind));
	for (unsigned i = 0; i < f->n_candidates; i++)
		sum += f->candidates[i].confidence;
	/* contract: null exactly when the place is unknown */
	if (f->place == PLACE_UNKNOWN ? f->confidence != CONFIDENCE_NONE || f->n_candidates
				      : f->confidence <= 0 || f->confidence >= 1 || sum > 1.0001 ||
						!f->n_candidates ||
						f->candidates[0].place != f->place)
		COMPLAIN("%s: confidence and candidates disagree", c->rule);
	if (f->has_icmp != (c->mechanism == MECH_ICMP_UNREACHABLE))
		COMPLAIN("%s: icmp", c->rule);
	for (unsigned i = 0; i < f->n_evidence; i++)
		if (!f->evidence[i] || f->evidence[i] > r->n_evidence)
			COMPLAIN("%s: evidence e%u", c->rule, f->evidence[i]);
	if (!f->n_evidence || !f->n_remedy)
		COMPLAIN("%s: %u evidence, %u remedies", c->rule, f->n_evidence, f->n_remedy);
	expect_doubt(r, f);
	expect_words(c->rule, f->summary);
	expect_words(c->rule, f->culprit.text);
	for (unsigned i = 0; i < f->n_remedy; i++)
		expect_words(c->rule, f->remedy[i]);
}

static void test_cases(void **state)
{
	(void)state;
	faults = 0;
	for (size_t i = 0; i < COUNT(rule_cases); i++) {
		const struct rule_case *c = &rule_cases[i];
		struct scene *s = scene_of(c);
		const struct report *r = finish(s);
		unsigned findings = c->state == STATE_OPEN ? 0 : 1 + c->also;
		const struct finding *f = finding_of(r, 25, c->rule);
		if (state_of(r, 25) != c->state || r->ports[0].n_findings != findings ||
		    (!f && findings))
			COMPLAIN("case %zu, %s, is %s", i, c->rule, said_of(r, 25));
		if (f)
			expect_finding(c, r, f);
		expect_words(c->rule, r->summary);
		for (unsigned k = 0; k < r->n_evidence; k++)
			expect_words(c->rule, r->evidence[k].text);
		scene_free(s);
	}
	assert_int_equal(faults, 0);
}

/* A port that is open gives no finding: the row shows in the verdict only. */
static void test_open_row(void **state)
{
	struct scene *s = scene_new(false);
	struct port_facts facts;
	struct port_verdict v;

	(void)state;
	session_open(s);
	finish(s);
	facts_of_port(&s->diag->tracker, 0, s->now, &facts);
	diag_judge_port(&facts, NULL, &v);
	assert_string_equal(v.rules[LAYER_SESSION]->id, "session-open");
	assert_null(v.rules[LAYER_HOST]);
	assert_null(v.rules[LAYER_PATH]);
	scene_free(s);
}

static void test_every_row_has_a_case(void **state)
{
	const struct rule *r;

	(void)state;
	for (unsigned i = 0; (r = rule_row(i)) != NULL; i++) {
		bool found = false;
		for (size_t k = 0; k < COUNT(rule_cases) && !found; k++)
			found = strcmp(rule_cases[k].rule, r->id) == 0;
		if (!found)
			fail_msg("no case reaches %s", r->id);
	}
	for (size_t k = 0; k < COUNT(rule_cases); k++)
		row(rule_cases[k].rule);
}

static void test_rows_are_sound(void **state)
{
	const struct rule *r;

	(void)state;
	for (unsigned i = 0; (r = rule_row(i)) != NULL; i++) {
		const char *prefix = layer_name(r->layer);
		for (unsigned k = 0; k < i; k++)
			if (strcmp(rule_row(k)->id, r->id) == 0)
				fail_msg("%s stands twice", r->id);
		if (strncmp(r->id, prefix, strlen(prefix)) != 0)
			fail_msg("%s is no name for the layer %s", r->id, prefix);
		if (i && rule_row(i - 1)->layer > r->layer)
			fail_msg("%s stands among another layer's", r->id);
		if (r->need & r->absent)
			fail_msg("%s needs what must be absent", r->id);
		if (!r->need || !r->summary || !r->why)
			fail_msg("%s: a part is missing", r->id);
		if (r->place != PLACE_UNKNOWN && (r->placed || r->confidence <= 0 || r->confidence >= 1))
			fail_msg("%s: confidence and place disagree", r->id);
		if (r->place == PLACE_UNKNOWN && r->confidence != CONFIDENCE_NONE)
			fail_msg("%s: confidence of no place", r->id);
		if (r->state != STATE_OPEN && !r->remedy[0])
			fail_msg("%s: no remedy", r->id);
		if (r->place != PLACE_UNKNOWN && r->confidence < CONFIDENCE_SURE &&
		    !strstr(r->summary, "probably") && !strstr(r->summary, ", or "))
			fail_msg("%s doubts its place and does not say so", r->id);
	}
}

/* ---- shadows ---- */

/* Every fact is looked at: is there a set of seen facts that row `target` matches and none of
 * rows[i..] does? `seen` and `unseen` are what was chosen so far. */
static bool escapes(unsigned i, unsigned target, fact_set seen, fact_set unseen)
{
	const struct rule *a = rule_row(i);

	if (i == target)
		return true;
	if (a->layer != rule_row(target)->layer || (a->need & unseen) || (a->absent & seen))
		return escapes(i + 1, target, seen, unseen);
	for (int f = 0; f < F_COUNT; f++) {
		fact_set bit = FACT_BIT(f);
		if ((a->need & bit & ~seen) && escapes(i + 1, target, seen, unseen | bit))
			return true;
		if ((a->absent & bit & ~unseen) && escapes(i + 1, target, seen | bit, unseen))
			return true;
	}
	return false;
}

static void test_no_row_is_shadowed(void **state)
{
	const struct rule *r;

	(void)state;
	for (unsigned i = 0; (r = rule_row(i)) != NULL; i++)
		if (!escapes(0, i, r->need, r->absent))
			fail_msg("an earlier row takes all that %s matches", r->id);
}

/* The matcher itself, on facts by hand. */
static void test_match(void **state)
{
	struct port_facts p = {0};
	fact_set missing;

	(void)state;
	assert_null(rules_match(LAYER_HOST, &p, &missing));
	assert_int_equal(missing, 0); /* nothing was seen: no row is near */

	p.seen = FACT_BIT(F_CONNECTED) | FACT_BIT(F_GREETING_OK);
	p.looked = p.seen;
	assert_null(rules_match(LAYER_SESSION, &p, &missing));
	assert_true(missing & FACT_BIT(F_PEER_DIFFERS));
	p.looked = ~(fact_set)0;
	assert_string_equal(rules_match(LAYER_SESSION, &p, &missing)->id, "session-open");
	p.looked = p.seen | FACT_BIT(F_PEER_DIFFERS);
	assert_null(rules_match(LAYER_PATH, &p, &missing));

	p.looked = ~(fact_set)0;
	p.seen |= FACT_BIT(F_PEER_DIFFERS);
	assert_null(rules_match(LAYER_SESSION, &p, &missing));
	assert_int_equal(missing, 0); /* denied, not undecided */
}

/* ---- notes ---- */

static void expect_login(int code, const char *text, bool tls, const char *note, const char *summary)
{
	struct scene *s = scene_new(false);

	s->plan.auth_user = "me";
	unsigned f = greeted(s, "mx.example.com ESMTP", 250, tls ? plain_ehlo : bare_ehlo);
	if (tls) {
		said(s, f, STAGE_STARTTLS, 220, "go ahead", NULL);
		shown(s, f, "CN=mx.example.com", "CN=mx.example.com", "aa", false);
	}
	said(s, f, STAGE_AUTH, code, text, NULL);
	session_end(s, f, STAGE_QUIT, SESSION_DONE, NULL);
	const struct report *r = finish(s);
	assert_int_equal(r->ports[0].state, STATE_OPEN); /* it is about the port */
	assert_int_equal(r->n_notes, 1);
	assert_string_equal(r->notes[0], note);
	assert_string_equal(r->summary, summary);
	assert_true(r->ports[0].login.asked);
	assert_int_equal(r->ports[0].login.works, code == 235);
	scene_free(s);
}

/* In the sentence above all, too: "open" alone would be taken for a login that works. */
static void test_login_is_told(void **state)
{
	(void)state;
	expect_login(235, "ok", false, "the login works on port 25", "Port 25 is open; the login works.");
	expect_login(0, "not tried: the connection is not encrypted", false,
		     "the login on port 25 was not tried, and open says nothing of it: the connection is not "
		     "encrypted; to try it, try a port with TLS (-p 465,587): the password is never sent in the clear",
		     "Port 25 is open; the login was not tried: the connection is not encrypted.");
	expect_login(0, "not tried: the certificate is not trusted", true,
		     "the login on port 25 was not tried, and open says nothing of it: the certificate is not trusted "
		     "(unable to get local issuer certificate); to try it, give the certificate of the authority that has "
		     "signed it by --ca-file FILE, if you know that it is the right one",
		     "Port 25 is open; the login was not tried: the certificate is not trusted (unable to get local "
		     "issuer certificate).");
}

/* What a device that answers in the server's place reads depends on the certificate that comes through. */
static void expect_advice_on_the_way(bool verified, const char *words)
{
	struct scene *s = scene_new(false);

	usual_host(s);
	answered(s, 443, FARTTL);
	unsigned f = answered(s, 25, 62);
	said(s, f, STAGE_GREETING, 220, "mx.example.com ESMTP", NULL);
	said(s, f, STAGE_EHLO, 250, "mx.example.com", plain_ehlo);
	said(s, f, STAGE_STARTTLS, 220, "go ahead", NULL);
	shown(s, f, "CN=mx.example.com", "CN=ca", "aa", verified);
	session_end(s, f, STAGE_QUIT, SESSION_DONE, NULL);
	early_syn_acks(s);
	const struct finding *first = &finish(s)->ports[0].findings[0];
	assert_string_equal(first->rule, "path-intercepted");
	assert_non_null(strstr(first->remedy[0], words));
	scene_free(s);
}

static void test_advice_fits_what_came_through(void **state)
{
	(void)state;
	expect_advice_on_the_way(true, "use TLS with certificate checks only");
	expect_advice_on_the_way(false, "no certificate there vouches for the server");
}

/* Who answers for everybody answers for the controls, too: they show nothing of the destination. */
static void test_controls_of_a_portal(void **state)
{
	struct scene *s = scene_new(false);
	unsigned taken = 0;

	(void)state;
	canary_any(s);
	const struct report *r = finish(s);
	assert_string_equal(r->ports[0].findings[0].rule, "path-canary-any");
	for (unsigned i = 0; i < r->n_controls; i++) {
		assert_string_not_equal(r->controls[i].outcome, "answers");
		taken += strcmp(r->controls[i].outcome, "answered on the way as well") == 0;
	}
	assert_true(taken > 0);
	scene_free(s);
	s = scene_new(false);
	canary_any_speaks(s);
	r = finish(s);
	assert_string_equal(r->controls[0].outcome, "answers");
	scene_free(s);
}

/* Who is to mend a forgotten record needs both: what stands there, and what would have to. */
static void test_both_halves_of_a_dane_mismatch(void **state)
{
	struct scene *s = scene_new(false);
	bool wanted = false, shown = false;

	(void)state;
	dane_mismatch(s);
	const struct report *r = finish(s);
	const struct finding *f = &r->ports[0].findings[0];
	assert_string_equal(f->rule, "session-dane-mismatch");
	for (unsigned i = 0; i < f->n_evidence; i++) {
		const char *text = r->evidence[f->evidence[i] - 1].text;
		wanted |= strstr(text, "TLSA") != NULL;
		shown |= strstr(text, "would need a record like") && strstr(text, other_record[0]);
	}
	assert_true(wanted);
	assert_true(shown);
	scene_free(s);
}

/* A greeting that proves nothing is told where no certificate vouches for the server. */
static void expect_greeting_note(const char *text, bool verified, const char *note)
{
	static const struct signature known[] = {
		{SIGNATURE_GREETING, "* Some Proxy *", "Some Proxy", false, "test"}};
	struct scene *s = scene_new(false);

	s->plan.signatures = (struct signatures){known, COUNT(known)};
	unsigned f = greeted(s, text, 250, plain_ehlo);
	said(s, f, STAGE_STARTTLS, 220, "go ahead", NULL);
	shown(s, f, "CN=mx.example.com", "CN=ca", "aa", verified);
	session_end(s, f, STAGE_QUIT, SESSION_DONE, NULL);
	const struct report *r = finish(s);
	assert_int_equal(r->ports[0].state, STATE_OPEN);
	assert_int_equal(r->n_notes, note ? 1 : 0);
	if (note && !strstr(r->notes[0], note))
		fail_msg("%s", r->notes[0]);
	scene_free(s);
}

static void test_foreign_greeting_is_told(void **state)
{
	(void)state;
	expect_greeting_note("mx.example.com Some Proxy ready", false, "greets as Some Proxy does");
	expect_greeting_note("mx.example.com Some Proxy ready", true, NULL);
	expect_greeting_note("relay.elsewhere.net ESMTP", false, "greets as relay.elsewhere.net");
	expect_greeting_note("relay.elsewhere.net ESMTP", true, NULL);
	expect_greeting_note("out7.example.com ESMTP", false, NULL);
	expect_greeting_note("Example.COM ESMTP", false, NULL);
	expect_greeting_note("ready", false, NULL);
}

/* Two exchangers that greet as the same third host: told, where no certificate vouches for it. */
static void expect_sibling_note(const char *greeting, bool verified, bool told)
{
	struct scene *s = scene_new(false);

	s->plan.sibling = "mx1.example.com";
	s->plan.sibling_greeting = "relay.example.com";
	unsigned f = greeted(s, greeting, 250, plain_ehlo);
	said(s, f, STAGE_STARTTLS, 220, "go ahead", NULL);
	shown(s, f, "CN=mx.example.com", "CN=ca", "aa", verified);
	session_end(s, f, STAGE_QUIT, SESSION_DONE, NULL);
	const struct report *r = finish(s);
	assert_int_equal(r->ports[0].state, STATE_OPEN);
	assert_int_equal(r->n_notes, told);
	if (told)
		assert_non_null(strstr(r->notes[0], ", just as mx1.example.com does"));
	scene_free(s);
}

static void test_one_banner_behind_several(void **state)
{
	(void)state;
	expect_sibling_note("Relay.Example.com ESMTP", false, true);
	expect_sibling_note("relay.example.com ESMTP", true, false);
	expect_sibling_note("relay2.example.com ESMTP", false, false);
	expect_sibling_note("mx.example.com ESMTP", false, false);
}

/* ---- words ---- */

static void test_no_template_has_an_unknown_placeholder(void **state)
{
	struct scene *s = scene_new(false);
	struct port_facts facts;

	(void)state;
	icmp_hop(s);
	finish(s);
	facts_of_port(&s->diag->tracker, 0, s->now, &facts);
	struct words w = {.arena = &s->report->arena, .tracker = &s->diag->tracker, .facts = &facts,
			  .port = 25, .works_instead = "Port 587 works."};
	const struct rule *r;
	for (unsigned i = 0; (r = rule_row(i)) != NULL; i++) {
		if (strchr(words_expand(&w, r->summary), '{'))
			fail_msg("%s: %s", r->id, r->summary);
		w.rule = r;
		for (int k = 0; k < RULE_MAX_REMEDIES && r->remedy[k]; k++) {
			const char *text = words_expand(&w, r->remedy[k]);
			if (strchr(text, '{'))
				fail_msg("%s: %s", r->id, r->remedy[k]);
			/* whoever is asked to open a port that answers closes the ticket */
			if (r->layer == LAYER_SESSION &&
			    (strstr(text, "to open TCP port") || strstr(text, "filters TCP port")))
				fail_msg("%s: %s", r->id, text);
		}
	}
	assert_string_equal(words_expand(&w, "{no-such}x{port}{"), "{no-such}x25{");
	scene_free(s);
}

static void test_odds(void **state)
{
	static const struct {
		double probability;
		const char *words;
	} cases[] = {
		{1, "100%"},		     {0.304, "30%"},	       {0.1, "10%"},
		{0.0999, "1 in 10"},	     {0.003, "1 in 330"},      {1.0 / 999, "1 in 1,000"},
		{1.0 / 4210, "1 in 4,200"},  {1e-5, "1 in 100,000"},   {1.0 / 999999, "1 in 1 million"},
		{6e-8, "1 in 17 million"},   {1e-8, "1 in 100 million"}, {2e-10, "1 in 5 billion"},
		{1.1e-12, "1 in 910 billion"}, {1e-12, "less than 1 in a trillion"},
		{0, "less than 1 in a trillion"},
	};
	struct arena a = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_string_equal(words_odds(&a, cases[i].probability), cases[i].words);
	arena_clear(&a);
}

static void test_every_fact_has_words(void **state)
{
	(void)state;
	for (int f = 0; f < F_COUNT; f++) {
		assert_non_null(fact_name((enum fact)f));
		assert_non_null(fact_text((enum fact)f));
		for (int g = 0; g < f; g++)
			assert_string_not_equal(fact_name((enum fact)f), fact_name((enum fact)g));
	}
}

/* ---- several ports, several layers ---- */

/* A link that is set up already gains nothing by "ip link set ... up". */
static const struct finding *finding_said(struct scene *s, const char *rule)
{
	const struct finding *f = finding_of(finish(s), 25, rule);

	if (!f)
		fail_msg("no finding by %s", rule);
	return f;
}

static bool advises(const struct finding *f, const char *words)
{
	for (unsigned i = 0; i < f->n_remedy; i++)
		if (strstr(f->remedy[i], words))
			return true;
	return false;
}

/* Right behind the gateway either side of that border may be the one: both are named, and what to do for each. */
static void test_second_place(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	usual_host(s);
	silence_beside(s, 25, 443, FARTTL, 5);
	two_traces(s, 25, 1, 443, HOPS, 6);
	pass(s, 500);
	const struct finding *f = finding_said(s, "path-stops");
	assert_int_equal(f->place, PLACE_ISP);
	assert_int_equal(f->candidates[1].place, PLACE_GATEWAY);
	assert_non_null(strstr(f->summary, " in your provider's network or at your gateway: "));
	assert_true(advises(f, "Ask your provider whether something there stops TCP port 25"));
	assert_true(advises(f, "It may also be your gateway (4"));
	assert_true(advises(f, "`tcpdump -ni any host 198.51.100.25 and tcp port 25`"));
	assert_non_null(strstr(s->report->summary, "blocked in the provider's network or at the gateway"));
	scene_free(s);
	/* sure of it: nobody else is asked */
	s = scene_new(false);
	path_stops(s);
	f = finding_said(s, "path-stops");
	assert_true(f->confidence >= CONFIDENCE_SURE);
	assert_false(advises(f, "gateway"));
	assert_false(advises(f, "If "));
	scene_free(s);
}

/* The TTL that draws an answer, how far the answer has come and the hop that is named are three numbers: the
 * report counts hops in one way, and says why a TTL is another. */
static void test_one_hop_number(void **state)
{
	struct scene *s = scene_new(false);
	bool told = false;

	(void)state;
	reset_early(s);
	const struct finding *f = finding_said(s, "path-reset-early");
	assert_int_equal(f->hop_to.ttl, 2);
	assert_non_null(strstr(f->summary, ": hop 2 ("));
	assert_non_null(strstr(f->summary, "(from a TTL of 3 on: "));
	for (unsigned i = 0; i < s->report->n_evidence; i++)
		told |= strstr(s->report->evidence[i].text, "RST: TTL 254 (as from hop 2)") != NULL;
	assert_true(told);
	scene_free(s);
}

/* A gateway that sets TTLs anew: what its TTL reaches is the target, and no hop is called so but the target's. */
static void test_renewed_ttls(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	usual_host(s);
	silence_beside(s, 25, 443, FARTTL, 5);
	for (unsigned round = 0; round < 6; round++) {
		hops_answer(s, 443, 1, 1);
		hops_answer(s, 25, 1, 1);
		for (unsigned ttl = 2; ttl <= 4; ttl++) {
			trace_probe(s, 25, ttl);
			probe_syn_ack(s, trace_probe(s, 443, ttl), FARTTL);
		}
		pass(s, 150);
	}
	pass(s, 500);
	const struct report *r = finish(s);
	assert_true(r->n_path >= 4);
	assert_int_equal(r->path[0].place, PLACE_GATEWAY);
	assert_false(r->path[0].hidden);
	for (unsigned i = 1; i < 4; i++) {
		assert_true(r->path[i].hidden);
		assert_int_not_equal(r->path[i].place, PLACE_DESTINATION);
		assert_false(addr_is_set(&r->path[i].address));
	}
	for (unsigned i = 4; i < r->n_path; i++)
		assert_int_equal(r->path[i].hidden, r->path[i].ttl < HOPS + 1);
	scene_free(s);
}

/* Packets that are too large: how large they may be, for this machine and for a gateway. */
static void test_sizes_are_told(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct scene *s = scene_new(v6);
		unsigned mtu = 0, gateway = 0;
		session_mtu_in(s);
		const struct finding *f = finding_said(s, "session-mtu-in");
		assert_int_equal(sscanf(strstr(f->remedy[0], "at most "), "at most %u bytes", &mtu), 1);
		assert_true(mtu > 0);
		char command[80];
		snprintf(command, sizeof(command), "--set-mss %u", mtu - (v6 ? 60 : 40));
		assert_non_null(strstr(f->remedy[1], command));
		assert_int_equal(sscanf(strstr(f->remedy[4], "its line to "), "its line to %u,", &gateway), 1);
		assert_int_equal(gateway, mtu);
		assert_non_null(strstr(f->remedy[4], command));
		assert_true(f->session.by_size);
		scene_free(s);
	}
}

/* Where nothing passes at all: from this machine outwards, by what has answered. */
static void test_nothing_passes(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	all_silent(s);
	const struct finding *f = finding_said(s, "path-all-silent");
	assert_true(advises(f, "begin at this machine"));
	assert_true(advises(f, "ip route get 198.51.100.25"));
	assert_true(advises(f, "ping -c 3 10.1.0.1"));
	assert_true(advises(f, "If it does not answer, look at the cable"));
	assert_false(advises(f, "First of all:"));
	scene_free(s);

	/* three hops answer: it is not this machine's line */
	s = scene_new(false);
	s->plan.source = s->source;
	s->plan.source_link = "eth1";
	all_silent(s);
	hops_answer(s, 25, 1, 3);
	f = finding_said(s, "path-all-silent");
	assert_string_equal(f->remedy[0], "First of all: 10.1.0.2 is the address of eth1, and packets with it leave by "
					  "eth0, where the next network may drop them for that. Leave by eth1 with it "
					  "(add -i eth1), or take an address of eth0.");
	assert_true(advises(f, "call another server. If none behind hop 3 ("));
	assert_false(advises(f, "ping"));
	scene_free(s);
}

static bool notes_say(const struct report *r, const char *words)
{
	for (unsigned i = 0; i < r->n_notes; i++)
		if (strstr(r->notes[i], words))
			return true;
	return false;
}

/* The address of another interface than that by which packets leave: told, unless it is translated here. */
static void test_source_of_another_link(void **state)
{
	static const struct {
		const char *link;
		bool translated, told;
	} cases[] = {{"eth1", false, true}, {"eth0", false, false}, {NULL, false, false}, {"eth1", true, false}};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct scene *s = scene_new(false);
		s->plan.source = ip("10.9.0.2");
		s->plan.source_link = cases[i].link;
		s->source = ip("10.9.0.2");
		usual_host(s);
		struct packet *p = syn(s, flow(s, 25));
		if (cases[i].translated)
			p->src = ip("10.1.0.2");
		at(s, 3000);
		const struct report *r = finish(s);
		assert_int_equal(notes_say(r, "packets leave by eth0 with 10.9.0.2, which is the address of eth1:"),
				 cases[i].told);
		scene_free(s);
	}
}

static void test_link_remedy(void **state)
{
	(void)state;
	for (int up = 0; up < 2; up++) {
		struct scene *s = scene_new(false);
		struct host_link *l = link_is(s);
		l->up = up;
		l->carrier = false;
		routes_are(s);
		flow(s, 25);
		flow(s, 443);
		at(s, 3000);
		const struct report *r = finish(s);
		const struct finding *f = finding_of(r, 25, "host-link-down");
		assert_non_null(f);
		assert_int_equal(f->n_remedy, up ? 1 : 2);
		assert_non_null(strstr(f->remedy[0], up ? "check the cable" : "Bring the link up"));
		if (!up)
			assert_string_equal(f->remedy[1], "ip link set eth0 up");
		scene_free(s);
	}
}

static void test_what_works_instead(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	s->plan.ports[0] = (struct plan_port){.port = 25, .tested = true};
	s->plan.ports[1] = (struct plan_port){.port = 465, .tested = true};
	s->plan.ports[2] = (struct plan_port){.port = 587, .tested = true};
	s->plan.n_ports = 3;
	usual_host(s);
	open_dialogue(s, answered(s, 465, FARTTL));
	silence_beside(s, 25, 465, FARTTL, 12);
	open_dialogue(s, answered(s, 587, FARTTL));
	pass(s, 500);
	const struct report *r = finish(s);
	assert_int_equal(state_of(r, 465), STATE_OPEN);
	assert_int_equal(state_of(r, 587), STATE_OPEN);
	const struct finding *f = finding_of(r, 25, "path-silence");
	if (!f)
		fail_msg("%s", said_of(r, 25));
	bool said = false;
	for (unsigned i = 0; i < f->n_remedy; i++)
		said |= strstr(f->remedy[i], "Ports 465 and 587 work") != NULL;
	assert_true(said);
	assert_string_equal(r->summary,
			    "Port 25 is blocked beyond this machine; ports 465 and 587 are open.");
	scene_free(s);
}

static void test_two_blocks_give_two_findings(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	host_drop_and_path(s);
	const struct report *r = finish(s);
	assert_int_equal(r->ports[0].n_findings, 2);
	assert_string_equal(r->ports[0].findings[0].rule, "host-drop-out"); /* the nearest first */
	assert_string_equal(r->ports[0].findings[1].rule, "path-stops");
	assert_true(r->ports[0].upstream_tested);
	scene_free(s);

	s = scene_new(false);
	host_drop_out(s);
	assert_false(finish(s)->ports[0].upstream_tested);
	scene_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_open_row),
		cmocka_unit_test(test_every_row_has_a_case),
		cmocka_unit_test(test_rows_are_sound),
		cmocka_unit_test(test_no_row_is_shadowed),
		cmocka_unit_test(test_login_is_told),
		cmocka_unit_test(test_both_halves_of_a_dane_mismatch),
		cmocka_unit_test(test_controls_of_a_portal),
		cmocka_unit_test(test_advice_fits_what_came_through),
		cmocka_unit_test(test_foreign_greeting_is_told),
		cmocka_unit_test(test_one_banner_behind_several),
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_no_template_has_an_unknown_placeholder),
		cmocka_unit_test(test_odds),
		cmocka_unit_test(test_every_fact_has_words),
		cmocka_unit_test(test_second_place),
		cmocka_unit_test(test_one_hop_number),
		cmocka_unit_test(test_renewed_ttls),
		cmocka_unit_test(test_sizes_are_told),
		cmocka_unit_test(test_nothing_passes),
		cmocka_unit_test(test_source_of_another_link),
		cmocka_unit_test(test_link_remedy),
		cmocka_unit_test(test_what_works_instead),
		cmocka_unit_test(test_two_blocks_give_two_findings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
