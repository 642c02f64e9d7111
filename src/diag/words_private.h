/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What words.c, which fills templates in, shares with words_session.c. */
#ifndef SB_DIAG_WORDS_PRIVATE_H
#define SB_DIAG_WORDS_PRIVATE_H

#include "diag/words.h"

/* {name} in a template; the value lies in the arena of *w, or lasts for ever. */
struct placeholder {
	const char *name;
	const char *(*value)(const struct words *w);
};

/* A row without a name ends it. */
extern const struct placeholder words_of_session[];

/* The target as it stands before a port: "[2001:db8::25]" */
const char *words_target_brackets(const struct words *w);

#endif
