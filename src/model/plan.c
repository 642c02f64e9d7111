/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/plan.h"

#include <string.h>

#define BANNER_MAX 250 /* bytes */

/* Counts in braces multiply what they stand behind, and each other where they are nested; for what
 * refers back to a group the C library tries every way. All else takes time and memory in proportion
 * to the expression. */
const char *plan_banner_too_costly(const char *regex)
{
	const char *brace = strchr(regex, '{');

	if (strlen(regex) > BANNER_MAX)
		return "it is longer than 250 characters";
	if (brace && strchr(brace + 1, '{'))
		return "it has more than one count in braces";
	for (const char *p = regex; *p; p++)
		if (*p == '\\' && *++p >= '0' && *p <= '9')
			return "it refers back to a group";
		else if (!*p)
			break;
	return NULL;
}

int plan_port_index(const struct plan *plan, uint16_t port)
{
	for (unsigned i = 0; i < plan->n_ports; i++)
		if (plan->ports[i].port == port)
			return (int)i;
	return -1;
}
