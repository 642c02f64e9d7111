/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "smtp/ehlo.h"

#include <string.h>

void smtp_ehlo_parse(struct smtp_ehlo *out, const char *const *lines)
{
	(void)lines;
	memset(out, 0, sizeof(*out));
}

bool smtp_greeting_masked(const char *text)
{
	(void)text;
	return false;
}

bool smtp_greeting_name(const char *text, char *out, size_t size)
{
	(void)text, (void)out, (void)size;
	return false;
}
