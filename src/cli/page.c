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
	int fd = open(p->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);

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

static int write_page(struct page_file *p, const struct read_summary *s, struct err *e)
{
	/* EINVAL: a pipe or a terminal, which holds nothing older */
	if (ftruncate(fileno(p->out), 0) != 0 && errno != EINVAL)
		return failed(p, e);
	if ((p->page ? html_finish(p->page, p->out) : html_connections_finish(p->connections, s, p->out)) != 0)
		return failed(p, e);
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
}
