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

/* Letters to be put in, left out, changed, or two to be swapped: whether one will do, two in a longer
 * word. */
static bool looks_like(const char *word, const char *name)
{
	enum { MAX = 10 };
	size_t n = strlen(word), m = strlen(name);
	unsigned d[MAX + 1][MAX + 1];

	if (n > MAX || m > MAX)
		return false;
	for (size_t i = 0; i <= n; i++)
		for (size_t k = 0; k <= m; k++) {
			if (i == 0 || k == 0) {
				d[i][k] = (unsigned)(i + k);
				continue;
			}
			unsigned least = d[i - 1][k - 1] + (word[i - 1] != name[k - 1]);
			if (d[i - 1][k] + 1 < least)
				least = d[i - 1][k] + 1;
			if (d[i][k - 1] + 1 < least)
				least = d[i][k - 1] + 1;
			if (i > 1 && k > 1 && word[i - 1] == name[k - 2] && word[i - 2] == name[k - 1] &&
			    d[i - 2][k - 2] + 1 < least)
				least = d[i - 2][k - 2] + 1;
			d[i][k] = least;
		}
	return d[n][m] <= (m > 5 ? 2U : 1U);
}

/* "raed x.pcap" has failed: as a host name, which it hardly was. */
static void suggest_verb(const char *word)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (looks_like(word, verbs[i].name)) {
			fprintf(stderr, "smtpblame: unknown command '%s'? Did you mean `%s`?\n", word, verbs[i].name);
			return;
		}
}

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
	const char *word = argc > 1 ? argv[1] : "";
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
			word = "";
			break;
		}
	if (verb->main(argc, argv, &status, &e) != 0 || flush_output(&e) != 0) {
		fprintf(stderr, "smtpblame: %s\n", e.text);
		status = e.status;
	}
	if (status == ERR_USAGE)
		suggest_verb(word);
	return status;
}
