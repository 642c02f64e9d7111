/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "case/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/text.h"
#include "case/saved.h"

#define NAME_SIZE   128
#define PART        ".part"
#define MESSAGE_MAX 300    /* bytes of a path in a message */

struct case_store {
	struct arena arena;
	const char *path; /* for messages: clean */
	const char *as_given;
	int fd;
	bool made;        /* by us: removed again when nothing comes of it */
	uid_t uid;
	gid_t gid;
	unsigned n; /* cases in it */
};

static int failed(const struct case_store *s, const char *name, struct err *e)
{
	return err_set(e, ERR_RUN, "--save %s%s%s: %s", s->path, name ? "/" : "", name ? name : "",
		       strerror(errno));
}

/* ---- making the folder ---- */

static bool is_empty(int fd)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;
	unsigned n = 0;

	if (!dir) {
		if (copy >= 0)
			close(copy);
		return false;
	}
	while (n <= 2 && (entry = readdir(dir)))
		n++;
	closedir(dir);
	return n <= 2; /* "." and ".." */
}

static int open_folder(struct case_store *s, uid_t uid, gid_t gid, struct err *e)
{
	struct stat st;

	s->made = mkdir(s->as_given, 0700) == 0;
	if (!s->made && errno != EEXIST)
		return err_set(e, ERR_USAGE, "--save %s: %s", s->path, strerror(errno));
	/* what was made here is no link, and a link that was there may be meant */
	s->fd = open(s->as_given, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (s->made ? O_NOFOLLOW : 0));
	if (s->fd < 0 || fstat(s->fd, &st) != 0)
		return err_set(e, ERR_USAGE, "--save %s: %s", s->path, strerror(errno));
	if (!is_empty(s->fd))
		return err_set(e, ERR_USAGE,
			       "--save %s: it has something in it already; give a new name", s->path);
	if (s->made && uid != (uid_t)-1 && st.st_uid == geteuid() && fchown(s->fd, uid, gid) == 0) {
		st.st_uid = uid;
		st.st_gid = gid;
	}
	s->uid = st.st_uid;
	s->gid = st.st_gid;
	return 0;
}

int case_store_create(struct case_store **out, const char *path, uid_t uid, gid_t gid,
		      struct err *e)
{
	struct case_store *s = xcalloc(1, sizeof(*s));

	s->fd = -1;
	s->as_given = arena_strdup(&s->arena, path);
	s->path = text_clean(&s->arena, path, strlen(path), MESSAGE_MAX);
	if (open_folder(s, uid, gid, e) != 0) {
		case_store_free(s);
		return -1;
	}
	*out = s;
	return 0;
}

int case_store_keep_owner(const struct case_store *s, struct err *e)
{
	if (geteuid() != 0 || s->uid == 0)
		return 0;
	if (setresgid((gid_t)-1, (gid_t)-1, s->gid) != 0 ||
	    setresuid((uid_t)-1, (uid_t)-1, s->uid) != 0)
		return err_set(e, ERR_RUN, "--save %s: cannot write as its owner: %s", s->path,
			       strerror(errno));
	return 0;
}

/* What case_store_keep_owner() has prepared; else it does nothing. */
static void become_owner(const struct case_store *s)
{
	setfsgid(s->gid);
	setfsuid(s->uid);
}

static void become_self(void)
{
	setfsuid(geteuid());
	setfsgid(getegid());
}

int case_store_check(const struct case_store *s, struct err *e)
{
	become_owner(s);
	int rc = faccessat(s->fd, ".", W_OK | X_OK, AT_EACCESS), error = errno;
	become_self();
	return rc ? err_set(e, ERR_USAGE, "--save %s: %s", s->path, strerror(error)) : 0;
}

void case_store_free(struct case_store *s)
{
	if (!s)
		return;
	if (s->fd >= 0)
		close(s->fd);
	if (s->made && s->n == 0)
		rmdir(s->as_given); /* fails where something is in it */
	arena_clear(&s->arena);
	free(s);
}

/* ---- adding a case ---- */

static int write_all(int fd, const void *bytes, size_t len)
{
	for (const char *at = bytes; len;) {
		ssize_t n = write(fd, at, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static const char *part_name(const char *name, char out[NAME_SIZE])
{
	snprintf(out, NAME_SIZE, "%s" PART, name);
	return out;
}

static int write_part(int dir, const struct case_file *file)
{
	char part[NAME_SIZE];
	int fd = openat(dir, part_name(file->name, part),
			O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int rc = 0;

	if (fd < 0)
		return -1;
	for (int i = 0; i < 2 && rc == 0; i++)
		rc = write_all(fd, file->bytes[i], file->len[i]);
	if (rc == 0)
		rc = fsync(fd);
	int error = errno;
	if (close(fd) != 0 && rc == 0)
		return -1;
	errno = error;
	return rc;
}

static void remove_files(int dir, const struct case_file *files, size_t n)
{
	char part[NAME_SIZE];

	for (size_t i = n; i-- > 0;) {
		unlinkat(dir, files[i].name, 0);
		unlinkat(dir, part_name(files[i].name, part), 0);
	}
}

/* The last one's name makes it a case. */
static int write_files(const struct case_store *s, int dir, const struct case_file *files, size_t n,
		       struct err *e)
{
	char part[NAME_SIZE];

	for (size_t i = 0; i < n; i++)
		if (write_part(dir, &files[i]) != 0) {
			failed(s, files[i].name, e);
			goto fail;
		}
	for (size_t i = 0; i < n; i++)
		if (renameat(dir, part_name(files[i].name, part), dir, files[i].name) != 0) {
			failed(s, files[i].name, e);
			goto fail;
		}
	if (fsync(dir) != 0) {
		failed(s, NULL, e);
		goto fail;
	}
	return 0;
fail:
	remove_files(dir, files, n);
	return -1;
}

static int make_folder(const struct case_store *s, const char *name, struct err *e)
{
	int fd = -1;

	if (mkdirat(s->fd, name, 0700) == 0)
		fd = openat(s->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		failed(s, name, e);
	return fd;
}

/* Colons are no part of a file's name everywhere, nor of scp's. */
static void name_case(char out[NAME_SIZE], unsigned number, const char *label)
{
	snprintf(out, NAME_SIZE, "%04u-%s", number, label);
	for (char *p = out; *p; p++)
		if (*p == ':' || *p == '/')
			*p = '-';
}

static int add(struct case_store *s, const char *label, const struct case_file *files, size_t n,
	       struct err *e)
{
	char name[NAME_SIZE];

	if (s->n == 0)
		return write_files(s, s->fd, files, n, e);
	name_case(name, s->n + 1, label);
	int dir = make_folder(s, name, e);
	if (dir < 0)
		return -1;
	int rc = write_files(s, dir, files, n, e);
	close(dir);
	if (rc != 0)
		unlinkat(s->fd, name, AT_REMOVEDIR);
	return rc;
}

int case_store_add(struct case_store *s, const char *label, const struct case_file *files,
		   size_t n, struct err *e)
{
	become_owner(s);
	int rc = add(s, label, files, n, e);
	become_self();
	if (rc == 0)
		s->n++;
	return rc;
}
