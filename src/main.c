/* SPDX-License-Identifier: GPL-3.0-or-later */
/* argv to verb to exit status. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "cli/check.h"
#include "cli/compare.h"
#include "cli/read.h"
#include "cli/replay.h"
#include "cli/serve.h"
#include "cli/watch.h"

static const struct verb {
	const char *name;
	int (*main)(int argc, char **argv, int *status, struct err *e);
} verbs[] = {
	{"check", check_main},
	{"compare", compare_main},
	{"inspect", inspect_main},
	{"read", read_main},
	{"replay", replay_main},
	{"serve", serve_main},
	{"watch", watch_main},
};

static void *crypto_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return size ? xmalloc(size) : NULL;
}

static void *crypto_realloc(void *p, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	if (size)
		return xrealloc(p, size);
	free(p);
	return NULL;
}

static void crypto_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	free(p);
}

/* A document that lacks a member, or a handshake that fails, for want of memory would be taken for
 * what the other side has done: libraries that let themselves be given memory get what ends the
 * program instead. */
static void give_memory(void)
{
	json_set_alloc_funcs(xmalloc, free);
	CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free);
}

/* What would be opened in the place of a closed one would get what is meant for that: a report in the
 * midst of a capture file. Opened for reading alone, standard output says EBADF to who writes. */
static void hold_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
		    open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
			_exit(ERR_RUN);
}

/* What no verb has noticed, the text of --help for one. */
static int flush_output(struct err *e)
{
	errno = 0;
	int failed = ferror(stdout);

	return fflush(stdout) != 0 || failed
		       ? err_set(e, ERR_RUN, "cannot write: %s", errno ? strerror(errno) : "output is lost")
		       : 0;
}

int main(int argc, char **argv)
{
	struct err e = {0};
	const struct verb *verb = &verbs[0];
	int status = 0;

	signal(SIGPIPE, SIG_IGN);
	give_memory();
	hold_standard_descriptors();
	clock_wall_ns(); /* from now on: before there is a second process */
	for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(argv[1], verbs[i].name) == 0) {
			verb = &verbs[i];
			argc--;
			argv++;
			break;
		}
	if (verb->main(argc, argv, &status, &e) != 0 || flush_output(&e) != 0) {
		fprintf(stderr, "smtpblame: %s\n", e.text);
		return e.status;
	}
	return status;
}
