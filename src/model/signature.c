/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/signature.h"

/* Without the locale's opinion: what is compared may come from anywhere. */
static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Where what follows a '*' can begin. */
static const char *next_try(const char *text, char first)
{
	if (first != '*' && first != '?')
		while (*text && lower(*text) != lower(first))
			text++;
	return text;
}

/* Only the latest '*' is ever tried again: an earlier one that took less has left the rest of the
 * pattern no more to choose from. So it takes pattern times text steps at most. */
static bool glob_fits(const char *pattern, const char *text)
{
	const char *star = NULL, *retry = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = ++pattern;
			retry = text;
		} else if (*pattern && (*pattern == '?' || lower(*pattern) == lower(*text))) {
			pattern++;
			text++;
		} else if (star) {
			if (!*star) /* it takes the rest */
				return true;
			pattern = star;
			text = retry = next_try(retry + 1, *star);
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

const struct signature *signature_find(const struct signatures *s, enum signature_kind kind,
				       const char *text)
{
	if (!text)
		return NULL;
	for (size_t i = 0; i < s->n; i++)
		if (s->list[i].kind == kind && glob_fits(s->list[i].pattern, text))
			return &s->list[i];
	return NULL;
}
