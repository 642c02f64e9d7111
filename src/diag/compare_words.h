/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside the comparison: the {words} of compare_rules.c. Pure. */
#ifndef SB_DIAG_COMPARE_WORDS_H
#define SB_DIAG_COMPARE_WORDS_H

#include "diag/compare_suspects.h"

/* Indexes of views, ascending. */
struct view_list {
	const unsigned *at;
	unsigned n;
};

/* What a sentence is about. */
struct compare_words {
	struct arena *arena;
	const struct comparison *comparison;
	const struct compared_port *port;
	struct view_list these, passing;
	const struct conclusion *conclusion; /* its place and suspects */
	const struct suspect_set *set;       /* NULL: no range */
};

/* "Port {port} is ..." with its words filled in. */
const char *compare_fill(const struct compare_words *w, const char *template);

/* "a", "a and b", "a, b and c"; of more than `most`: "a, b and 7 more". */
const char *compare_listed(struct arena *a, const char *const *words, unsigned n, unsigned most);

/* "through eth0", "from a and b", "over IPv4". */
const char *compare_from(struct arena *a, const struct comparison *c, struct view_list these);

/* "3 hours", "2 days". */
const char *compare_gap_text(struct arena *a, int64_t gap_ns);

#endif
