/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Many targets side by side: those that fare alike by the same reports are told once. */
#include <stdlib.h>
#include <string.h>

#include "report/comparison.h"
#include "report/pen.h"

#define FATES_MAX 64 /* told apart; further ones are counted together */
#define EXAMPLES  3

struct shared_fate {
	const char *summary, *where;
	unsigned targets;
	const char *examples[EXAMPLES];
};

struct comparison_digest {
	struct arena arena;
	struct shared_fate fates[FATES_MAX];
	unsigned n, elsewhere, targets;
};

struct comparison_digest *comparison_digest_new(void)
{
	return xcalloc(1, sizeof(struct comparison_digest));
}

void comparison_digest_free(struct comparison_digest *d)
{
	if (!d)
		return;
	arena_clear(&d->arena);
	free(d);
}

/* Where what is stopped stops, in a few words that targets can share: the routers, not each
 * target's own end. */
static const char *where(struct arena *a, const struct comparison *c)
{
	const char *out = "";
	char text[ADDR_TEXT_MAX];

	for (unsigned i = 0; i < c->n_ports; i++)
		for (unsigned k = 0; k < c->ports[i].n_conclusions; k++) {
			const struct conclusion *one = &c->ports[i].conclusions[k];
			if (!one->n_suspects)
				continue;
			out = arena_printf(a, "%s%sport %u: ", out, *out ? "; " : "",
					   c->ports[i].port);
			if (one->place == PLACE_DESTINATION) {
				out = arena_printf(a, "%sthe destination itself", out);
				continue;
			}
			const struct suspect *first = &one->suspects[0],
					     *last = &one->suspects[one->n_suspects - 1];
			out = arena_printf(a, "%s%s", out,
					   addr_is_set(&first->address)
						   ? addr_text(&first->address, text)
						   : "a silent hop");
			if (one->n_suspects > 1 && last->place != PLACE_DESTINATION)
				out = arena_printf(a, "%s to %s", out,
						   addr_is_set(&last->address)
							   ? addr_text(&last->address, text)
							   : "a silent hop");
		}
	return out;
}

void comparison_digest_add(struct comparison_digest *d, const struct comparison *c)
{
	struct arena scratch = {0};
	const char *at = where(&scratch, c);
	unsigned i = 0;

	d->targets++;
	while (i < d->n &&
	       (strcmp(d->fates[i].summary, c->summary) != 0 || strcmp(d->fates[i].where, at) != 0))
		i++;
	if (i == FATES_MAX) {
		d->elsewhere++;
	} else {
		struct shared_fate *f = &d->fates[i];
		if (i == d->n) {
			d->n++;
			f->summary = arena_strdup(&d->arena, c->summary);
			f->where = arena_strdup(&d->arena, at);
		}
		if (f->targets < EXAMPLES)
			f->examples[f->targets] =
				arena_strdup(&d->arena, comparison_target(&scratch, c));
		f->targets++;
	}
	arena_clear(&scratch);
}

static int by_targets(const void *x, const void *y)
{
	const struct shared_fate *a = x, *b = y;

	if (a->targets != b->targets)
		return a->targets > b->targets ? -1 : 1;
	return strcmp(a->summary, b->summary);
}

static void print_fate(struct pen *pen, const struct shared_fate *f)
{
	const char *examples = "";

	for (unsigned i = 0; i < f->targets && i < EXAMPLES; i++)
		examples = arena_printf(pen->scratch, "%s%s%s", examples, i ? ", " : "",
					f->examples[i]);
	pen_start(pen, 0, 2);
	pen_text(pen, STYLE_BOLD, "%u target%s:", f->targets, f->targets == 1 ? "" : "s");
	pen_text(pen, STYLE_PLAIN, " %s", f->summary);
	pen_end(pen);
	if (*f->where)
		pen_paragraph(pen, 2, STYLE_PLAIN,
			      arena_printf(pen->scratch, "Stopped at %s.", f->where));
	pen_paragraph(
		pen, 2, STYLE_PLAIN,
		arena_printf(pen->scratch, f->targets > EXAMPLES ? "%s, ..." : "%s", examples));
}

int comparison_digest_text(const struct comparison_digest *d, const struct text_options *opt,
			   FILE *out)
{
	struct arena scratch = {0};
	struct pen pen = {
		.out = out, .scratch = &scratch, .colour = opt->colour, .width = opt->width};
	struct shared_fate *sorted = arena_alloc(&scratch, (d->n + 1) * sizeof(*sorted));

	memcpy(sorted, d->fates, d->n * sizeof(*sorted));
	if (d->n)
		qsort(sorted, d->n, sizeof(*sorted), by_targets);
	pen_paragraph(&pen, 0, STYLE_BOLD,
		      arena_printf(&scratch, "%u targets side by side", d->targets));
	for (unsigned i = 0; i < d->n; i++)
		print_fate(&pen, &sorted[i]);
	if (d->elsewhere)
		pen_paragraph(
			&pen, 0, STYLE_PLAIN,
			arena_printf(&scratch, "%u more fare in still other ways.", d->elsewhere));
	pen_paragraph(&pen, 0, STYLE_PLAIN, "-v tells each target as a whole, with what to do.");
	int failed = fflush(out) != 0 || ferror(out);
	arena_clear(&scratch);
	return failed ? -1 : 0;
}
