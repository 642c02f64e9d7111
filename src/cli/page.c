/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/page.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int page_open(struct page_file *p, const char *path, struct err *e)
{
	int fd;

	*p = (struct page_file){.path = path};
	if (!path)
		return 0;
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0 || !(p->out = fdopen(fd, "w"))) {
		err_set(e, ERR_USAGE, "--html %s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	p->page = html_begin();
	return p->page ? 0 : err_set(e, ERR_RUN, "--html: no temporary file: %s", strerror(errno));
}

int page_write(struct page_file *p, struct err *e)
{
	if (!p->path)
		return 0;
	/* EINVAL: a pipe or a terminal, which holds nothing older */
	if (ftruncate(fileno(p->out), 0) != 0 && errno != EINVAL)
		return err_set(e, ERR_RUN, "--html %s: %s", p->path, strerror(errno));
	if (html_finish(p->page, p->out) != 0)
		return err_set(e, ERR_RUN, "--html %s: %s", p->path, strerror(errno));
	int failed = fclose(p->out);
	p->out = NULL;
	return failed ? err_set(e, ERR_RUN, "--html %s: %s", p->path, strerror(errno)) : 0;
}

void page_close(struct page_file *p)
{
	html_free(p->page);
	if (p->out)
		fclose(p->out);
}
