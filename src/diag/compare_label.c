/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "diag/compare_label.h"

#include <string.h>

#include "base/clock.h"

#define LABEL_MAX 40 /* columns; longer ones are no short names */

static const char *family(const struct view *v)
{
	return v->target.family == ADDR_V6 ? "IPv6" : "IPv4";
}

static const char *source(struct arena *a, const struct view *v)
{
	char text[ADDR_TEXT_MAX];

	return addr_is_set(&v->source) ? arena_strdup(a, addr_text(&v->source, text)) : "";
}

static const char *both(struct arena *a, const char *x, const char *y)
{
	return x && *x && *y ? arena_printf(a, "%s %s", x, y) : "";
}

static const char *own(const char *s)
{
	return s ? s : "";
}

/* Without its folders, and without what every file ends with. */
static const char *file(struct arena *a, const struct view *v)
{
	const char *slash = strrchr(v->from, '/');
	const char *name = slash && slash[1] ? slash + 1 : v->from;
	size_t len = strlen(name);

	return len > 5 && strcmp(name + len - 5, ".json") == 0 ? arena_strndup(a, name, len - 5)
							       : name;
}

static const char *at_time(struct arena *a, const struct view *v)
{
	char text[CLOCK_TEXT_MAX];

	return both(a, v->hostname,
		    arena_printf(a, "at %.19s", clock_utc_text(v->started_ns, text)));
}

/* In the order in which they are tried: the first under which all differ is taken. */
static const char *label(struct arena *a, const struct view *v, bool ways, unsigned kind)
{
	if (ways)
		switch (kind) {
		case 0: return own(v->interface);
		case 1: return family(v);
		case 2: return source(a, v);
		case 3: return both(a, v->interface, family(v));
		case 4: return both(a, v->interface, source(a, v));
		default: return NULL;
		}
	switch (kind) {
	case 0: return own(v->hostname);
	case 1: return both(a, v->hostname, family(v));
	case 2: return both(a, v->hostname, source(a, v));
	case 3: return file(a, v);
	case 4: return v->from;
	case 5: return at_time(a, v);
	case 6: return *v->from ? arena_printf(a, "%s:%u", v->from, v->number) : "";
	default: return NULL;
	}
}

static bool all_differ(const struct view *views, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (!*views[i].label || strlen(views[i].label) > LABEL_MAX)
			return false;
		for (unsigned k = 0; k < i; k++)
			if (strcmp(views[i].label, views[k].label) == 0)
				return false;
	}
	return true;
}

const struct view *const *compare_label(struct arena *a, const struct view *const *views,
					unsigned n, bool ways)
{
	struct view *copies = arena_alloc(a, (n + 1) * sizeof(*copies));
	const struct view **out = arena_alloc(a, (n + 1) * sizeof(*out));
	bool given = true;

	for (unsigned i = 0; i < n; i++)
		copies[i] = *views[i];
	for (unsigned kind = 0; given; kind++) {
		for (unsigned i = 0; i < n && given; i++) {
			copies[i].label = label(a, &copies[i], ways, kind);
			given = copies[i].label != NULL;
		}
		if (given && all_differ(copies, n))
			break;
	}
	for (unsigned i = 0; i < n; i++) {
		if (!given)
			copies[i].label = arena_printf(a, "report %u", i + 1);
		out[i] = &copies[i];
	}
	return out;
}
