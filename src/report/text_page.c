/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/text_page.h"

#include "report/phrase.h"

#define LABEL_COLUMN 12 /* "  Evidence  " */

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
