/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reports out of files: what can be read can be compared, and the comparison told in every form. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "case/report_read.h"
#include "diag/compare.h"
#include "report/comparison.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* Nothing leaves that a terminal would take for its own. */
static void require_clean(const char *text)
{
	char line[65536];

	for (; *text; text += strcspn(text, "\n"), text += *text == '\n') {
		size_t len = strcspn(text, "\n");
		if (len >= sizeof(line))
			continue;
		memcpy(line, text, len);
		line[len] = '\0';
		require(text_is_clean(line));
	}
}

static void tell(const struct comparison *c)
{
	const struct text_options whole = {.width = 80}, quiet = {.width = 80, .quiet = true};
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	require(out && comparison_text(c, &whole, out) == 0 && comparison_text(c, &quiet, out) == 0);
	require(comparison_json(c, out) == 0 && fclose(out) == 0);
	require_clean(text);
	free(text);
	for (unsigned i = 0; i < c->n_ports; i++) {
		require(c->ports[i].n_conclusions > 0);
		for (unsigned k = 0; k < c->ports[i].n_conclusions; k++) {
			const struct conclusion *one = &c->ports[i].conclusions[k];
			require(one->n_views > 0 && one->confidence <= 1 && one->suspects_confidence <= 1);
			require((one->place == PLACE_UNKNOWN) == (one->confidence < 0));
			for (unsigned v = 0; v < one->n_views; v++)
				require(one->views[v] < c->n_views && (v == 0 || one->views[v - 1] < one->views[v]));
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct views views = {.ways = size % 2};
	struct report *r;
	struct err e;
	FILE *in = size ? fmemopen((void *)(uintptr_t)data, size, "r") : NULL;
	struct report_reader reader = {.in = in, .path = "reports.json"};

	if (!in)
		return -1;
	while (report_read(&reader, &r, &e) > 0) {
		views_add(&views, r, "reports.json", reader.number);
		report_free(r);
	}
	fclose(in);
	const struct view **sorted = xcalloc(views.n + 1, sizeof(*sorted));
	unsigned *ends = xcalloc(views.n + 1, sizeof(*ends)), n = compare_group(&views, sorted, ends);
	for (unsigned i = 0; i < n; i++) {
		unsigned begin = i ? ends[i - 1] : 0;
		struct comparison *c = compare(&sorted[begin], ends[i] - begin, views.ways, "0");
		tell(c);
		comparison_free(c);
	}
	free(sorted);
	free(ends);
	views_clear(&views);
	return 0;
}
