/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Ports with the same fate, told once: three times the same page helps nobody.
 * Shared by the renderers for people; everything is allocated in their arena.
 */
#ifndef SB_REPORT_GROUP_H
#define SB_REPORT_GROUP_H

#include "model/report.h"

struct group {
	const struct report_port *const *ports; /* at least one; their findings agree but for ports */
	unsigned n_ports;
};

/* The ports about which there is more to say than a line, in their order. */
unsigned group_all(struct arena *a, const struct report *r, const struct group **out);

/* What the findings at `index` say: sentences that differ in nothing but the port are one. */
unsigned group_summaries(struct arena *a, const struct group *g, unsigned index,
			 const char *const **out);

bool group_cites(const struct group *g, unsigned index, unsigned evidence);

/* A remedy that is a command, to be copied whole, and no sentence. */
bool group_is_command(const char *remedy);

/* A thing to do: a sentence and the commands below it, or either alone. */
struct group_step {
	const char *sentence; /* NULL: none. A command within it stands in `backquotes` */
	const char *const *commands;
	unsigned n_commands;
};

/* What to do about the findings at `index`: each sentence once, with the commands of every port. */
unsigned group_steps(struct arena *a, const struct group *g, unsigned index,
		     const struct group_step **out);

/* What the servers said: the same line of several ports is one. */
#define GROUP_LINES_MAX 16
struct group_line {
	const char *label, *text;
	const char *ports; /* "25, 587": of these alone; NULL: of all in the group */
};

/* `verbose`: all of it, times and keys too. At most GROUP_LINES_MAX a port. */
unsigned group_session(struct arena *a, const struct group *g, bool verbose,
		       const struct group_line **out);

/* "25, 465" */
const char *group_ports(struct arena *a, const struct group *g);


#endif
