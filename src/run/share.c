/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/share.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

#define FILE_MAX_BYTES (1u << 20)
#define ENTRIES_MAX    2000u
#define FIELD_MAX      256 /* bytes; matching takes pattern times text steps */
#define PATTERN_FIRM   4   /* letters a pattern needs beside * and ?: "*" would accuse everybody */
#define FIELDS         5

struct field {
	const char *at;
	size_t len;
};

/* Where a line comes from, for its errors, and where its entry goes. */
struct place {
	const char *file;
	unsigned line;
	struct arena *arena;
};

/* ---- one line ---- */

static int malformed(const struct place *p, struct err *e, const char *what)
{
	return err_set(e, ERR_USAGE, "%s:%u: %s", p->file, p->line, what);
}

static struct field trimmed(const char *at, size_t len)
{
	while (len && strchr(" \t\r", at[0]) && at[0]) {
		at++;
		len--;
	}
	while (len && strchr(" \t\r", at[len - 1]) && at[len - 1])
		len--;
	return (struct field){at, len};
}

static bool is(struct field f, const char *word)
{
	return f.len == strlen(word) && memcmp(f.at, word, f.len) == 0;
}

/* Returns how many there are, also beyond FIELDS. */
static unsigned split(struct field line, struct field fields[FIELDS])
{
	const char *at = line.at, *end = line.at + line.len;
	unsigned n = 0;

	for (;;) {
		const char *bar = memchr(at, '|', (size_t)(end - at));
		const char *stop = bar ? bar : end;
		if (n < FIELDS)
			fields[n] = trimmed(at, (size_t)(stop - at));
		n++;
		if (!bar)
			return n;
		at = bar + 1;
	}
}

/* What text_clean() would have to change does not belong into such a file. */
static int take_text(const struct place *p, struct field f, const char *what, const char **out,
		     struct err *e)
{
	if (!f.len || f.len > FIELD_MAX)
		return err_set(e, ERR_USAGE, "%s:%u: the %s is %s", p->file, p->line, what,
			       f.len ? "longer than 256 bytes" : "empty");
	char *clean = text_clean(p->arena, f.at, f.len, FIELD_MAX);
	if (strlen(clean) != f.len || memcmp(clean, f.at, f.len) != 0)
		return err_set(e, ERR_USAGE, "%s:%u: the %s has control characters or is no UTF-8",
			       p->file, p->line, what);
	*out = clean;
	return 0;
}

static int take_kind(const struct place *p, struct field f, enum signature_kind *out, struct err *e)
{
	if (is(f, "greeting"))
		*out = SIGNATURE_GREETING;
	else if (is(f, "ehlo"))
		*out = SIGNATURE_EHLO;
	else if (is(f, "issuer"))
		*out = SIGNATURE_ISSUER;
	else
		return malformed(p, e, "the kind is not one of greeting, ehlo, issuer");
	return 0;
}

static int take_pattern(const struct place *p, struct field f, const char **out, struct err *e)
{
	unsigned firm = 0;

	if (take_text(p, f, "pattern", out, e) != 0)
		return -1;
	for (size_t i = 0; i < f.len; i++)
		firm += f.at[i] != '*' && f.at[i] != '?' && f.at[i] != ' ';
	if (firm < PATTERN_FIRM)
		return malformed(p, e, "the pattern says too little: it fits nearly anything");
	return 0;
}

static int parse_entry(const struct place *p, struct field line, struct signature *out,
		       struct err *e)
{
	struct field f[FIELDS];
	unsigned n = split(line, f);

	if (n != FIELDS)
		return err_set(
			e, ERR_USAGE,
			"%s:%u: %u fields, not kind | pattern | product | interceptor | source",
			p->file, p->line, n);
	if (take_kind(p, f[0], &out->kind, e) != 0 ||
	    take_pattern(p, f[1], &out->pattern, e) != 0 ||
	    take_text(p, f[2], "product", &out->name, e) != 0 ||
	    take_text(p, f[4], "source", &out->source, e) != 0)
		return -1;
	if (!is(f[3], "yes") && !is(f[3], "no"))
		return malformed(p, e, "interceptor is neither yes nor no");
	out->interceptor = is(f[3], "yes");
	return 0;
}

/* ---- the file ---- */

int share_parse_signatures(struct signatures *out, const char *text, size_t len, const char *file,
			   struct arena *a, struct err *e)
{
	struct place p = {.file = file, .line = 0, .arena = a};
	struct signature *list = NULL;
	unsigned n = 0, room = 0;

	*out = (struct signatures){0};
	for (const char *at = text, *end = text + len; at < end;) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *stop = newline ? newline : end;
		struct field line = trimmed(at, (size_t)(stop - at));
		at = newline ? newline + 1 : end;
		p.line++;
		if (!line.len || line.at[0] == '#')
			continue;
		if (n == ENTRIES_MAX)
			return malformed(&p, e, "more than 2000 entries");
		if (n == room) {
			room = room ? room * 2 : 128;
			struct signature *wider = arena_alloc(a, room * sizeof(*wider));
			if (n)
				memcpy(wider, list, n * sizeof(*wider));
			list = wider;
		}
		if (parse_entry(&p, line, &list[n], e) != 0)
			return -1;
		n++;
	}
	*out = (struct signatures){.list = list, .n = n};
	return 0;
}

/* A file that grows meanwhile is cut off by its limit. */
static int read_whole(int fd, const char *path, char **bytes, size_t *len, struct err *e)
{
	char *buf = xcalloc(1, FILE_MAX_BYTES + 1);
	size_t n = 0;

	while (n <= FILE_MAX_BYTES) {
		ssize_t got = read(fd, buf + n, FILE_MAX_BYTES + 1 - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			err_set(e, ERR_USAGE, "%s: %s", path, strerror(errno));
			goto fail;
		}
		if (got == 0)
			break;
		n += (size_t)got;
	}
	if (n > FILE_MAX_BYTES) {
		err_set(e, ERR_USAGE, "%s: longer than 1 MB", path);
		goto fail;
	}
	*bytes = buf;
	*len = n;
	return 0;
fail:
	free(buf);
	return -1;
}

/* 1: taken from there, 0: there is no such file, -1: *e. */
static int load_from(const char *dir, struct signatures *out, struct arena *a, struct err *e)
{
	const char *path = arena_printf(a, "%s/signatures", dir);
	char *bytes = NULL;
	size_t len = 0;
	struct stat st;
	int r = -1;

	/* without O_NONBLOCK a FIFO would keep us waiting for its other end */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int failed = errno;
	/* the name may come from the environment, and goes into messages */
	path = text_clean(a, path, strlen(path), FIELD_MAX);
	if (fd < 0) {
		if (failed == ENOENT || failed == ENOTDIR)
			return 0;
		return err_set(e, ERR_USAGE, "%s: %s", path, strerror(failed));
	}
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		err_set(e, ERR_USAGE, "%s: not a regular file", path);
		goto out;
	}
	if (read_whole(fd, path, &bytes, &len, e) != 0 ||
	    share_parse_signatures(out, bytes, len, path, a, e) != 0)
		goto out;
	r = 1;
out:
	free(bytes);
	close(fd);
	return r;
}

/* The directory that the build and the installation put at the same place, seen from the program:
 * SMTPBLAME_SHARE_DIR is relative, so that an installed tree can be moved. NULL without /proc. */
static const char *beside_program(struct arena *a)
{
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe));
	const char *slash = n > 0 && (size_t)n < sizeof(exe) ? memrchr(exe, '/', (size_t)n) : NULL;

	if (!slash)
		return NULL;
	return arena_printf(a, "%.*s/%s", (int)(slash - exe), exe, SMTPBLAME_SHARE_DIR);
}

int share_load_signatures(struct signatures *out, struct arena *a, struct err *e)
{
	/* not for a program that has more rights than its caller */
	const char *own = secure_getenv("SMTPBLAME_SHARE");
	const char *installed = beside_program(a);
	int r = 0;

	*out = (struct signatures){0};
	if (own && *own)
		r = load_from(own, out, a, e);
	if (r == 0 && installed)
		r = load_from(installed, out, a, e);
	return r < 0 ? -1 : 0;
}
