/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The file of --html: opened before anything is sent, written at the end. */
#ifndef SB_CLI_PAGE_H
#define SB_CLI_PAGE_H

#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"
#include "report/connections.h"
#include "report/render.h"

struct page_file {
	const char *path; /* borrowed; NULL: no page is wanted */
	FILE *out;
	bool made; /* by us, and nothing has been written to it */
	struct html_page *page;               /* takes the reports ... */
	struct html_connections *connections; /* or the connections; both NULL like path */
};

/* path NULL is fine. What the file holds stays there until it is written, also when there is no room
 * for the page. ERR_USAGE names it. */
int page_open(struct page_file *p, const char *path, struct err *e);
int page_open_connections(struct page_file *p, const char *path, struct err *e);
int page_write(struct page_file *p, struct err *e);
int page_write_connections(struct page_file *p, const struct read_summary *s, struct err *e);
void page_close(struct page_file *p);

#endif
