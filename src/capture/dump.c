/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "capture/dump.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"

struct dump {
	char *path;
	FILE *file;          /* NULL once pcap has it */
	pcap_dumper_t *pcap; /* NULL: not begun */
	bool made;           /* by us */
	int error;           /* of the first write that failed */
};

int dump_open(struct dump **out, const char *path, struct err *e)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	bool made = fd >= 0;

	if (fd < 0 && errno == EEXIST)
		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "wb");
	if (!file) {
		err_set(e, ERR_USAGE, "%s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	struct dump *d = xcalloc(1, sizeof(*d));
	*d = (struct dump){.path = xstrdup(path), .file = file, .made = made};
	*out = d;
	return 0;
}

void dump_begin(struct dump *d, pcap_t *p)
{
	if (d->pcap || d->error)
		return;
	/* EINVAL: a pipe or a terminal, which holds nothing older */
	if (ftruncate(fileno(d->file), 0) != 0 && errno != EINVAL) {
		d->error = errno;
		return;
	}
	errno = 0;
	d->pcap = pcap_dump_fopen(p, d->file);
	if (!d->pcap)
		d->error = errno ? errno : EIO;
	d->file = NULL; /* libpcap has it, or has closed it */
}

void dump_write(struct dump *d, const struct pcap_pkthdr *h, const u_char *frame)
{
	if (!d->pcap || d->error)
		return;
	errno = 0;
	pcap_dump((u_char *)d->pcap, h, frame);
	if (ferror(pcap_dump_file(d->pcap)))
		d->error = errno ? errno : EIO;
}

int dump_flush(struct dump *d, struct err *e)
{
	if (d->pcap && d->error == 0 && pcap_dump_flush(d->pcap) != 0)
		d->error = errno;
	return d->error ? err_set(e, ERR_RUN, "-w %s: %s", d->path, strerror(d->error)) : 0;
}

void dump_close(struct dump *d)
{
	if (!d)
		return;
	if (d->pcap)
		pcap_dump_close(d->pcap);
	if (d->file)
		fclose(d->file);
	if (!d->pcap && d->made)
		unlink(d->path);
	free(d->path);
	free(d);
}
