/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/terminal.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct text_options terminal_text_options(const struct options *o)
{
	struct winsize w;
	bool tty = isatty(STDOUT_FILENO);
	unsigned width = 80;
	const char *columns = getenv("COLUMNS");

	if (tty && ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col)
		width = w.ws_col;
	else if (columns && atoi(columns) > 0)
		width = (unsigned)atoi(columns);
	bool auto_colour = tty && !getenv("NO_COLOR");
	return (struct text_options){
		.colour = o->colour == WHEN_ALWAYS || (o->colour == WHEN_AUTO && auto_colour),
		.width = width < 40 ? 40 : width > 120 ? 120 : width,
		.quiet = o->quiet,
		.verbose = o->verbose,
	};
}

void terminal_tell_sandbox(const struct sandbox_held *held)
{
	if (held->missing[0])
		fprintf(stderr, "smtpblame: the sandbox does not hold: %s\n", held->missing);
}
