/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One of many targets: what traces to the others say of it, and when its own answers say otherwise. */
#include "build.h"

#define FAR_TTL (64 - 6)

static void silent(struct scene *s)
{
	usual_host(s);
	silence_beside(s, 25, 443, FAR_TTL, 12);
}

static const struct finding *found(struct scene *s)
{
	const struct report *r = finish(s);

	assert_int_equal(r->ports[0].n_findings, 1);
	return &r->ports[0].findings[0];
}

static double confidence(unsigned traced)
{
	struct scene *s = scene_new(false);

	silent(s);
	alike(s, 25, AILMENT_SILENT, traced);
	pass(s, 500);
	const struct finding *f = found(s);
	assert_string_equal(f->rule, "path-alike");
	assert_int_equal(f->place, PLACE_ISP);
	double c = f->confidence;
	scene_free(s);
	return c;
}

/* The more were traced, the surer; never as sure as they themselves. */
static void test_sample(void **state)
{
	(void)state;
	assert_true(confidence(1) < 0.65);
	assert_true(confidence(3) < 0.80);
	assert_true(confidence(3) < confidence(10));
	assert_true(confidence(10) > 0.85);
	assert_true(confidence(60000) < 0.961);
}

/* A control's SYN that gets lost after the silence was proven, and told, takes nothing back. */
static void test_late_loss(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	usual_host(s);
	silence_beside(s, 25, 443, FAR_TTL, 5);
	alike(s, 25, AILMENT_SILENT, 10);
	start(s, 443);
	pass(s, 1500);
	assert_string_equal(found(s)->rule, "path-alike");
	struct port_facts p;
	facts_of_port(&s->diag->tracker, 0, s->now, &p);
	assert_true(p.silence_probability > SILENCE_MAX_PROBABILITY);
	scene_free(s);
}

/* What its few probes say, in the order of sending: this port behind the last hop, a control there,
 * this port at the hop before. */
static void probe_it(struct scene *s, struct addr beyond, bool passes, struct addr before)
{
	unsigned own = trace_probe(s, 25, 3), control = trace_probe(s, 443, 3);

	pass(s, 3);
	if (addr_is_set(&beyond))
		probe_te(s, control, beyond);
	if (passes)
		probe_te(s, own, beyond);
	own = trace_probe(s, 25, 2);
	pass(s, 3);
	if (addr_is_set(&before))
		probe_te(s, own, before);
	pass(s, 1500);
}

static void test_confirmed(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	silent(s);
	alike(s, 25, AILMENT_SILENT, 3);
	probe_it(s, hop(s, 3), false, hop(s, 2));
	const struct finding *f = found(s);
	assert_string_equal(f->rule, "path-alike");
	assert_true(f->confidence > confidence(3) + 0.05);
	assert_true(f->confidence < 0.96);
	scene_free(s);
}

/* No answer is none: neither for nor against. */
static void test_unanswered(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	silent(s);
	alike(s, 25, AILMENT_SILENT, 3);
	probe_it(s, (struct addr){0}, false, (struct addr){0});
	const struct finding *f = found(s);
	assert_string_equal(f->rule, "path-alike");
	assert_true(f->confidence < confidence(3) + 0.001);
	scene_free(s);
}

static void expect_own(struct scene *s)
{
	const struct report *r = finish(s);

	assert_int_equal(state_of(r, 25), STATE_BLOCKED);
	assert_null(finding_of(r, 25, "path-alike"));
	assert_int_not_equal(r->ports[0].findings[0].place, PLACE_ISP);
	scene_free(s);
}

/* Its SYN gets to the hop where those of the others ended. */
static void test_passes(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	silent(s);
	alike(s, 25, AILMENT_SILENT, 100);
	probe_it(s, hop(s, 3), true, hop(s, 2));
	expect_own(s);
}

/* Another router is there: another way. */
static void test_other_way(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	silent(s);
	alike(s, 25, AILMENT_SILENT, 100);
	probe_it(s, ip("192.0.2.77"), false, (struct addr){0});
	expect_own(s);
}

/* It is not silent like the others: it answers, or nothing shows that it would have to. */
static void test_other_failure(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	usual_host(s);
	alike(s, 25, AILMENT_SILENT, 100);
	unsigned f = answered(s, 25, FAR_TTL);
	open_dialogue(s, f);
	answered(s, 443, FAR_TTL);
	assert_int_equal(state_of(finish(s), 25), STATE_OPEN);
	scene_free(s);

	s = scene_new(false);
	usual_host(s);
	silence(s, 25, 12);
	alike(s, 25, AILMENT_SILENT, 100);
	assert_null(finding_of(finish(s), 25, "path-alike"));
	scene_free(s);
}

static void errors_from(struct scene *s, struct addr from)
{
	usual_host(s);
	answered(s, 443, FAR_TTL);
	unsigned f = start(s, 25);
	pass(s, 3);
	icmp(s, f, from, 3, 13, 2);
	failed(s, f, EHOSTUNREACH);
	alike(s, 25, AILMENT_ICMP, 1);
	pass(s, 1500);
}

/* One router, one place; another router's error is another matter. */
static void test_icmp(void **state)
{
	struct scene *s = scene_new(false);

	(void)state;
	errors_from(s, hop(s, 3));
	const struct finding *f = found(s);
	assert_int_equal(f->mechanism, MECH_ICMP_UNREACHABLE);
	assert_int_equal(f->place, PLACE_ISP);
	assert_int_equal(f->hop_to.ttl, 3);
	assert_true(f->confidence > 0.95);
	scene_free(s);

	s = scene_new(false);
	errors_from(s, ip("192.0.2.77"));
	f = found(s);
	assert_true(!f->has_hop || f->hop_to.ttl != 3);
	scene_free(s);
}

/* ---- advice ---- */

static unsigned advise(struct scene *s, enum diag_way way, struct diag_advice *out)
{
	struct diag d;

	diag_init(&d, &s->plan, &s->log);
	d.way = way;
	diag_feed(&d);
	diag_advise(&d, s->now, out);
	diag_clear(&d);
	return out->n_probes;
}

/* While the way is somebody else's no probe goes out, and the wish is told. */
static void test_turns(void **state)
{
	struct scene *s = scene_new(false);
	static struct diag_advice advice;

	(void)state;
	silent(s);
	pass(s, 500);
	assert_true(advise(s, DIAG_WAY_FREE, &advice) > 0);
	assert_true(advice.way_busy && !advice.way_ports);
	assert_int_equal(advise(s, DIAG_WAY_TAKEN, &advice), 0);
	assert_int_equal(advice.way_ports, 1);
	assert_int_equal(advise(s, DIAG_WAY_NEVER, &advice), 0);
	assert_int_equal(advice.way_ports, 0);
	/* told, it wants no more than a few probes, where there is room for them */
	struct ev_alike *a = alike(s, 25, AILMENT_SILENT, 3);
	assert_int_equal(advise(s, DIAG_WAY_TAKEN, &advice), 0);
	assert_int_equal(advice.way_ports, 0);
	a->confirm = true;
	assert_int_equal(advise(s, DIAG_WAY_TAKEN, &advice), 3);
	assert_int_equal(advice.way_ports, 0);
	probe_it(s, hop(s, 3), true, hop(s, 2));
	assert_int_equal(advise(s, DIAG_WAY_TAKEN, &advice), 0);
	assert_int_equal(advice.way_ports, 1);
	scene_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sample),	    cmocka_unit_test(test_confirmed),
		cmocka_unit_test(test_unanswered),  cmocka_unit_test(test_passes),
		cmocka_unit_test(test_other_way),   cmocka_unit_test(test_other_failure),
		cmocka_unit_test(test_icmp),	    cmocka_unit_test(test_turns),
		cmocka_unit_test(test_late_loss),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
