/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/report.h"

#include <stdlib.h>

void report_free(struct report *r)
{
	if (!r)
		return;
	/* the struct itself may not live in the arena that it owns */
	arena_clear(&r->arena);
	free(r);
}

int exit_status_worse(int a, int b)
{
	static const int order[] = {3, 2, 1, 4, 0};

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (a == order[i] || b == order[i])
			return order[i];
	return a;
}

int report_exit_status(const struct report *r)
{
	int status = 0;

	for (unsigned i = 0; i < r->n_ports; i++) {
		enum state s = r->ports[i].state;
		int one = s == STATE_OPEN ? 0 : s == STATE_INCONCLUSIVE ? 4 : 1;
		status = exit_status_worse(status, one);
	}
	return status;
}
