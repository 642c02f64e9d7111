/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rendered reports against golden/NAMESUFFIX.txt. */
#ifndef SB_TESTS_REPORT_GOLDEN_H
#define SB_TESTS_REPORT_GOLDEN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/report.h"

#define GOLDEN_PATH_MAX 400

typedef int golden_renderer(const struct report *r, const void *options, FILE *out);

/* not inlined: gcc 12 would take what open_memstream() gives for a local */
__attribute__((noinline)) static char *golden_render(const struct report *r,
						     golden_renderer *render, const void *options)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(render(r, options, out), 0);
	fclose(out);
	return text;
}

static void golden_path(const char *name, const char *suffix, char *out)
{
	snprintf(out, GOLDEN_PATH_MAX, SOURCE_DIR "/tests/unit/report/golden/%s%s", name, suffix);
}

static void golden_check(const char *name, const char *suffix, const struct report *r,
			 golden_renderer *render, const void *options)
{
	char path[GOLDEN_PATH_MAX], *want = NULL;
	size_t size = 0;

	golden_path(name, suffix, path);
	FILE *f = fopen(path, "r");
	if (!f)
		fail_msg("%s is missing: run this test with --update", path);
	if (getdelim(&want, &size, '\0', f) < 0 && want)
		want[0] = '\0';
	fclose(f);
	char *got = golden_render(r, render, options);
	if (strcmp(got, want) != 0)
		print_error("%s differs\n", path);
	assert_string_equal(got, want);
	free(want);
	free(got);
}

/* 0, or 1 after a message. */
static int golden_update(const char *name, const char *suffix, const struct report *r,
			 golden_renderer *render, const void *options)
{
	char path[GOLDEN_PATH_MAX];

	golden_path(name, suffix, path);
	FILE *f = fopen(path, "w");
	if (!f || render(r, options, f) != 0 || fclose(f) != 0) {
		perror(path);
		return 1;
	}
	return 0;
}

#endif
