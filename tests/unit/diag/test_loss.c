/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How likely silence is to be mere loss: by hand, and by drawing lots. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>

#include "diag/loss.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
	struct loss_sample record;
	unsigned n;
	double probability;
} by_hand[] = {
	{{0, 0}, 0, 1},
	{{0, 0}, 1, 0.5},
	{{0, 0}, 2, 0.5 * 0.75},
	{{0, 0}, 3, 5.0 / 16},
	{{1, 1}, 0, 1},
	{{1, 1}, 1, 0.25},
	{{1, 1}, 2, 0.125},
	{{1, 0}, 1, 0.75},
	{{3, 3}, 3, 0.5 / 4 * 1.5 / 5 * 2.5 / 6},
	{{8, 8}, 3, 0.5 / 9 * 1.5 / 10 * 2.5 / 11},
	{{8, 8}, 4, 0.5 / 9 * 1.5 / 10 * 2.5 / 11 * 3.5 / 12},
	{{10, 5}, 1, 0.5},
	{{10, 5}, 2, 0.5 * 6.5 / 12},
	{{4, 0}, 1, 0.9},
	{{100, 99}, 1, 1.5 / 101},
};

static void test_by_hand(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(by_hand); i++) {
		double off = loss_silence_probability(by_hand[i].record, by_hand[i].n) -
			     by_hand[i].probability;
		if (off > 1e-12 || off < -1e-12)
			fail_msg("row %zu is off by %g", i, off);
	}
}

/* More silence makes loss less likely, a worse record more likely; it is always a probability. */
static void test_monotone(void **state)
{
	(void)state;
	for (unsigned sent = 0; sent <= 20; sent++)
		for (unsigned answered = 0; answered <= sent; answered++) {
			struct loss_sample r = {sent, answered};
			double last = 1, shown = 1;
			for (unsigned n = 1; n <= 20; n++) {
				double p = loss_silence_probability(r, n);
				assert_true(p > 0 && p < last);
				if (answered < sent)
					assert_true(loss_silence_probability(
							    (struct loss_sample){sent, answered + 1},
							    n) < p);
				/* never less than what the record itself shows */
				shown *= sent ? (double)(sent - answered) / sent : 0;
				assert_true(2 * answered < sent || p >= shown);
				last = p;
			}
		}
}

static double uniform(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (double)(*seed >> 11) / 9007199254740992.0;
}

static unsigned lost_of(unsigned n, double loss, uint64_t *seed)
{
	unsigned lost = 0;

	for (unsigned i = 0; i < n; i++)
		lost += uniform(seed) < loss;
	return lost;
}

/* Jeffreys' prior of a loss is the arcsine law: that of u^2 / (u^2 + v^2) for a point in a disc. */
static double some_loss(uint64_t *seed)
{
	double u, v;

	do {
		u = uniform(seed);
		v = uniform(seed);
	} while (u * u + v * v > 1 || u * u + v * v < 1e-12);
	return u * u / (u * u + v * v);
}

/* Paths with such a loss: of those that show this record, in how
 * many do n further round trips all fail? */
static void test_by_lot(void **state)
{
	static const struct {
		struct loss_sample record;
		unsigned n;
	} cases[] = {{{0, 0}, 3}, {{1, 1}, 2}, {{3, 3}, 3}, {{6, 6}, 4}, {{6, 5}, 3}, {{8, 6}, 5},
		     {{4, 2}, 6}, {{5, 0}, 2}};
	uint64_t seed = 88172645463325252;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct loss_sample r = cases[i].record;
		unsigned same = 0, silent = 0;
		for (unsigned k = 0; k < 400000; k++) {
			double loss = some_loss(&seed);
			if (lost_of(r.sent, loss, &seed) != r.sent - r.answered)
				continue;
			same++;
			silent += lost_of(cases[i].n, loss, &seed) == cases[i].n;
		}
		double p = loss_silence_probability(r, cases[i].n);
		double off = (double)silent / same - p;
		if (off * off > 4 * 4 * p * (1 - p) / same)
			fail_msg("%u of %u, then %u silent: %.5f, by lot %.5f", r.answered, r.sent,
				 cases[i].n, p, (double)silent / same);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_hand),
		cmocka_unit_test(test_monotone),
		cmocka_unit_test(test_by_lot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
