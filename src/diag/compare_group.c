/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which reports are about one target. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "diag/compare.h"

/* A view that is to be sorted. */
struct item {
	const struct view *view;
	unsigned order;
	unsigned first; /* order of its group's first; sorts groups */
};

static int by_target(const void *x, const void *y)
{
	const struct item *a = x, *b = y;
	const struct addr *s = &a->view->target, *t = &b->view->target;

	if (s->family != t->family)
		return (int)s->family - (int)t->family;
	int differ = memcmp(s->bytes, t->bytes, sizeof(s->bytes));
	return differ ? differ : a->order < b->order ? -1 : 1;
}

static int by_name(const void *x, const void *y)
{
	const struct item *a = x, *b = y;
	int differ =
		strcasecmp(a->view->name ? a->view->name : "", b->view->name ? b->view->name : "");

	return differ ? differ : a->order < b->order ? -1 : 1;
}

static int by_first(const void *x, const void *y)
{
	const struct item *a = x, *b = y;

	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	return a->order < b->order ? -1 : 1;
}

static bool same_name(const struct view *a, const struct view *b)
{
	return a->name && b->name && strcasecmp(a->name, b->name) == 0;
}

unsigned compare_group(const struct views *v, const struct view **sorted, unsigned *groups)
{
	struct item *items = xcalloc(v->n + 1, sizeof(*items)),
		    *alone = xcalloc(v->n + 1, sizeof(*items));
	unsigned n_alone = 0, n_rest = 0, n_groups = 0;

	for (unsigned i = 0; i < v->n; i++)
		items[i] = (struct item){&v->list[i], i, 0};
	if (v->n)
		qsort(items, v->n, sizeof(*items), by_target);
	for (unsigned i = 0, end; i < v->n; i = end) {
		for (end = i + 1;
		     end < v->n && addr_equal(&items[end].view->target, &items[i].view->target);)
			end++;
		for (unsigned k = i; k < end; k++) {
			items[k].first = items[i].order;
			if (end - i == 1)
				alone[n_alone++] = items[k];
			else
				items[n_rest++] = items[k];
		}
	}
	/* of those that nobody else reached: the same name, at another address */
	if (n_alone)
		qsort(alone, n_alone, sizeof(*alone), by_name);
	for (unsigned i = 0; i < n_alone; i++) {
		if (i && same_name(alone[i].view, alone[i - 1].view))
			alone[i].first = alone[i - 1].first;
		items[n_rest++] = alone[i];
	}
	if (v->n)
		qsort(items, v->n, sizeof(*items), by_first);
	for (unsigned i = 0; i < v->n; i++) {
		sorted[i] = items[i].view;
		if (i + 1 == v->n || items[i + 1].first != items[i].first)
			groups[n_groups++] = i + 1;
	}
	free(items);
	free(alone);
	return n_groups;
}
