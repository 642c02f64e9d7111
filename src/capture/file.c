/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "capture/capture.h"
#include "capture/source.h"
#include "wire/decode.h"

/* Few large reads instead of many small ones: a capture of gigabytes is read once, in order. */
#define READ_BUFFER (1024 * 1024)

/* Of standard input a duplicate: libpcap would leave stdin itself open, with our buffer in it. */
static FILE *open_for_reading(const char *path)
{
	if (strcmp(path, "-") != 0)
		return fopen(path, "rbe");
	int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	return fd < 0 ? NULL : fdopen(fd, "rb");
}

int capture_open_file(struct capture **out, const char *path, struct err *e)
{
	struct capture *c = xcalloc(1, sizeof(*c));
	char text[PCAP_ERRBUF_SIZE];
	FILE *f = open_for_reading(path);
	int rc = -1;

	if (!f) {
		err_set(e, ERR_USAGE, "%s: %s", path, strerror(errno));
		goto out;
	}
	c->read_buffer = xcalloc(1, READ_BUFFER); /* glibc ignores a size without a buffer */
	setvbuf(f, c->read_buffer, _IOFBF, READ_BUFFER);
	c->path = xcalloc(1, strlen(path) + 1);
	strcpy(c->path, path);
	c->pcap = pcap_fopen_offline_with_tstamp_precision(f, PCAP_TSTAMP_PRECISION_NANO, text);
	if (!c->pcap) {
		fclose(f);
		err_set(e, ERR_USAGE, "%s: %s", path, text);
		goto out;
	}
	c->link_type = pcap_datalink(c->pcap);
	if (!wire_link_type_known(c->link_type)) {
		const char *name = pcap_datalink_val_to_name(c->link_type);
		err_set(e, ERR_USAGE, "%s: link type %d (%s) is not supported", path, c->link_type,
			name ? name : "unknown");
		goto out;
	}
	*out = c;
	rc = 0;
out:
	if (rc != 0)
		capture_free(c);
	return rc;
}

int capture_next(struct capture *c, struct packet *out, struct err *e)
{
	struct pcap_pkthdr *h;
	const u_char *frame;

	for (;;) {
		switch (pcap_next_ex(c->pcap, &h, &frame)) {
		case 1:
			c->stats.received++;
			if (capture_decode(c, h, frame, out)) {
				c->frame = frame;
				c->frame_caplen = h->caplen;
				c->frame_len = h->len;
				return 1;
			}
			c->stats.undecodable++;
			break;
		case PCAP_ERROR_BREAK: /* end of file */ return 0;
		default: return err_set(e, ERR_USAGE, "%s: %s", c->path, pcap_geterr(c->pcap));
		}
	}
}

void capture_log_frame(const struct capture *c, const struct packet *p, struct frame_log *log)
{
	log->link_type = c->link_type;
	frame_log_add(log, p->t_ns, c->frame, c->frame_caplen, c->frame_len);
}
