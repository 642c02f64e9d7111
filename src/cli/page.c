/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/page.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int failed(const struct page_file *p, struct err *e)
{
	return err_set(e, ERR_RUN, "--html %s: %s", p->path, strerror(errno));
}

static int open_file(struct page_file *p, struct err *e)
{
	int fd = open(p->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

	p->made = fd >= 0;
	if (fd < 0 && errno == EEXIST)
		fd = open(p->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	if (fd >= 0 && (p->out = fdopen(fd, "w")))
		return 0;
	err_set(e, ERR_USAGE, "--html %s: %s", p->path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static int no_temporary_file(struct err *e)
{
	return err_set(e, ERR_RUN, "--html: no temporary file: %s", strerror(errno));
}

int page_open(struct page_file *p, const char *path, struct err *e)
{
	*p = (struct page_file){.path = path};
	if (!path)
		return 0;
	if (open_file(p, e) != 0)
		return -1;
	p->page = html_begin();
	return p->page ? 0 : no_temporary_file(e);
}

int page_open_connections(struct page_file *p, const char *path, struct err *e)
{
	*p = (struct page_file){.path = path};
	if (!path)
		return 0;
	if (open_file(p, e) != 0)
		return -1;
	p->connections = html_connections_begin();
	return p->connections ? 0 : no_temporary_file(e);
}

static int print(struct page_file *p, const struct read_summary *s, FILE *out)
{
	return p->page ? html_finish(p->page, out) : html_connections_finish(p->connections, s, out);
}

static ssize_t count(void *size, const char *bytes, size_t n)
{
	(void)bytes;
	*(off_t *)size += (off_t)n;
	return (ssize_t)n;
}

/* -1: what was gathered for it can't be read again. */
static off_t size_of_page(struct page_file *p, const struct read_summary *s)
{
	off_t size = 0;
	FILE *out = fopencookie(&size, "w", (cookie_io_functions_t){.write = count});

	if (!out)
		return -1;
	int failed = print(p, s, out);
	return fclose(out) != 0 || failed ? -1 : size;
}

/* Room before anything older is overwritten. Where a file system, or what is no file, can't keep
 * room, the write itself will tell. */
static bool has_room(FILE *out, off_t size)
{
	return fallocate(fileno(out), FALLOC_FL_KEEP_SIZE, 0, size) == 0 ||
	       (errno != ENOSPC && errno != EDQUOT && errno != EFBIG);
}

static int write_page(struct page_file *p, const struct read_summary *s, struct err *e)
{
	off_t size = size_of_page(p, s);

	if (size < 0 || !has_room(p->out, size))
		return failed(p, e);
	p->made = false;
	int rc = print(p, s, p->out);
	/* EINVAL: a pipe or a terminal, which holds nothing older */
	if (rc == 0 && ftruncate(fileno(p->out), size) != 0 && errno != EINVAL)
		rc = -1;
	if (rc != 0) {
		failed(p, e);
		(void)!ftruncate(fileno(p->out), 0); /* half a page looks whole to a browser */
		return -1;
	}
	FILE *out = p->out;
	p->out = NULL;
	return fclose(out) != 0 ? failed(p, e) : 0;
}

int page_write(struct page_file *p, struct err *e)
{
	return p->path ? write_page(p, NULL, e) : 0;
}

int page_write_connections(struct page_file *p, const struct read_summary *s, struct err *e)
{
	return p->path ? write_page(p, s, e) : 0;
}

void page_close(struct page_file *p)
{
	html_free(p->page);
	html_connections_free(p->connections);
	if (p->out)
		fclose(p->out);
	/* once in the sandbox it stays, empty: there nothing can be removed */
	if (p->made)
		unlink(p->path);
}
