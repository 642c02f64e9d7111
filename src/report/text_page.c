/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/text_page.h"

#include <string.h>

#include "report/phrase.h"

#define LABEL_COLUMN 12 /* "  Evidence  " */

bool page_same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

enum style page_state_style(enum state s)
{
	switch (s) {
	case STATE_OPEN: return STYLE_GREEN;
	case STATE_BLOCKED:
	case STATE_INTERCEPTED: return STYLE_RED;
	case STATE_REFUSED:
	case STATE_REJECTED:
	case STATE_NO_SERVICE:
	case STATE_UNREACHABLE:
	case STATE_INCONCLUSIVE:
	case STATE_COUNT: break;
	}
	return STYLE_YELLOW;
}

void page_heading(struct page *pg, const char *text)
{
	pen_blank(&pg->pen);
	pen_start(&pg->pen, 0, 2);
	pen_text(&pg->pen, STYLE_BOLD, "%s", text);
	pen_end(&pg->pen);
}

void page_label(struct page *pg, const char *text)
{
	pen_start(&pg->pen, 2, LABEL_COLUMN);
	pen_text(&pg->pen, STYLE_PLAIN, "%s", text);
	pen_column(&pg->pen, LABEL_COLUMN);
}

void page_labelled(struct page *pg, const char *name, const char *text)
{
	if (!text || !*text)
		return;
	page_label(pg, name);
	pen_text(&pg->pen, STYLE_PLAIN, "%s", text);
	pen_end(&pg->pen);
}

const char *page_join(struct arena *a, const char *const *strings, unsigned n)
{
	const char *all = "";

	for (unsigned i = 0; i < n; i++)
		all = arena_printf(a, "%s%s%s", all, i ? ", " : "", strings[i]);
	return all;
}

const char *page_times(struct page *pg, const struct report_port *p)
{
	struct arena *a = &pg->scratch;
	const char *all = "";

	if (p->connect_ms >= 0)
		all = arena_printf(a, "connect %s", phrase_ms(a, p->connect_ms));
	if (p->banner_ms >= 0)
		all = arena_printf(a, "%s%sgreeting %s", all, *all ? ", " : "",
				   phrase_ms(a, p->banner_ms));
	if (p->tls_ms >= 0)
		all = arena_printf(a, "%s%sTLS %s", all, *all ? ", " : "", phrase_ms(a, p->tls_ms));
	return all;
}

bool page_cites(const struct finding *f, unsigned number)
{
	for (unsigned i = 0; i < f->n_evidence; i++)
		if (f->evidence[i] == number)
			return true;
	return false;
}
