/* SPDX-License-Identifier: GPL-3.0-or-later */
/* argv to verb to exit status. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/check.h"
#include "cli/read.h"
#include "cli/replay.h"
#include "cli/serve.h"
#include "cli/watch.h"

static const struct verb {
	const char *name;
	int (*main)(int argc, char **argv, int *status, struct err *e);
} verbs[] = {
	{"check", check_main},
	{"inspect", inspect_main},
	{"read", read_main},
	{"replay", replay_main},
	{"serve", serve_main},
	{"watch", watch_main},
};

int main(int argc, char **argv)
{
	struct err e = {0};
	const struct verb *verb = &verbs[0];
	int status = 0;

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(argv[1], verbs[i].name) == 0) {
			verb = &verbs[i];
			argc--;
			argv++;
			break;
		}
	if (verb->main(argc, argv, &status, &e) != 0) {
		fprintf(stderr, "smtpblame: %s\n", e.text);
		return e.status;
	}
	return status;
}
