/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lines of a reply to EHLO, separated by NULs; the first serves as a greeting, too, and as the text
 * of a signature whose pattern is the second. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model/signature.h"
#include "smtp/ehlo.h"

#define LINES_MAX 64 /* as many as an event holds */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_ehlo(const char *const *lines)
{
	struct smtp_ehlo e;

	smtp_ehlo_parse(&e, lines);
	require(e.n_keywords <= EHLO_MAX_KEYWORDS && e.n_auth <= EHLO_MAX_AUTH);
	for (unsigned i = 0; i < e.n_keywords; i++)
		require(e.keywords[i][0] != '\0');
	for (unsigned i = 0; i < e.n_auth; i++) {
		size_t len = strnlen(e.auth[i], sizeof(e.auth[i]));
		require(len > 0 && len < sizeof(e.auth[i]));
		for (unsigned k = 0; k < i; k++)
			require(strcmp(e.auth[i], e.auth[k]) != 0);
	}
	require(!e.starttls_masked || (e.masked && !e.starttls));
}

static void check_greeting(const char *text)
{
	char name[64];

	if (!smtp_greeting_name(text, name, sizeof(name)))
		return;
	require(strnlen(name, sizeof(name)) < sizeof(name) && strstr(text, name));
	require(!smtp_greeting_masked(text));
}

static void check_signature(const char *text, const char *pattern)
{
	struct signature list[] = {{.kind = SIGNATURE_EHLO, .pattern = pattern},
				   {.kind = SIGNATURE_EHLO, .pattern = "*"}};
	struct signatures s = {list, 2};

	require(signature_find(&s, SIGNATURE_EHLO, text) != NULL);
	require(signature_find(&s, SIGNATURE_ISSUER, text) == NULL);
	if (!strpbrk(text, "*?")) {
		list[0].pattern = text;
		require(signature_find(&s, SIGNATURE_EHLO, text) == &list[0]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *lines[LINES_MAX + 1];
	size_t n = 0;
	char *copy = malloc(size + 1);

	if (!copy)
		abort();
	if (size)
		memcpy(copy, data, size);
	copy[size] = '\0';
	for (size_t at = 0; at <= size && n < LINES_MAX; at += strlen(copy + at) + 1)
		lines[n++] = copy + at;
	lines[n] = NULL;
	check_ehlo(lines);
	check_greeting(lines[0]);
	check_signature(lines[0], n > 1 ? lines[1] : "");
	free(copy);
	return 0;
}
