/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The facts of a saved case: what can be read can be judged, and told in every form; and what is
 * written again reads as the same. */
#include <stdlib.h>
#include <string.h>

#include "case/saved.h"
#include "diag/diag.h"
#include "report/render.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static FILE *nowhere(void)
{
	static FILE *null;

	if (!null)
		null = fopen("/dev/null", "w");
	require(null != NULL);
	return null;
}

static char *facts_of(const struct saved_case *c, size_t *len)
{
	char *text = NULL;
	struct err e;
	FILE *out = open_memstream(&text, len);

	require(out && saved_case_write_facts(c, "0", out, &e) == 0 && fclose(out) == 0);
	return text;
}

static void tell(struct saved_case *c)
{
	struct report *r = diag_judge(&c->plan, &c->log, c->inspect, "0");
	const struct text_options text = {.width = 80, .verbose = true};

	require(render_json(r, nowhere()) == 0);
	if (!c->inspect)
		require(render_ticket(r, nowhere()) == 0);
	require(render_text(r, &text, nowhere()) == 0);
	report_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct saved_case c, again;
	struct err e;
	FILE *in = size ? fmemopen((void *)(uintptr_t)data, size, "r") : NULL;

	if (!in)
		return -1;
	saved_case_init(&c);
	int failed = saved_case_read_facts(&c, in, "facts.jsonl", &e);
	fclose(in);
	if (!failed) {
		size_t len, len_again;
		char *once = facts_of(&c, &len);
		saved_case_init(&again);
		in = fmemopen(once, len, "r");
		require(in && saved_case_read_facts(&again, in, "facts.jsonl", &e) == 0);
		fclose(in);
		char *twice = facts_of(&again, &len_again);
		require(len == len_again && memcmp(once, twice, len) == 0);
		saved_case_clear(&again);
		free(once);
		free(twice);
		tell(&c);
	}
	saved_case_clear(&c);
	return 0;
}
