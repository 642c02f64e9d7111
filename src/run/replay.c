/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "capture/capture.h"

#define MESSAGE_MAX 300 /* bytes of a path in a message */

/* A path of the folder, and how it is shown. */
struct member {
	char *path;
	const char *shown;
};

static struct member member_of(const char *folder, const char *name, struct arena *a)
{
	struct member m = {.path = arena_printf(a, "%s/%s", folder, name)};

	m.shown = text_clean(a, m.path, strlen(m.path), MESSAGE_MAX);
	return m;
}

/* Without O_NONBLOCK a FIFO would keep us waiting for its other end. */
static int open_regular(const struct member *m, struct err *e)
{
	int fd = open(m->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0)
		return err_set(e, ERR_USAGE, "%s: %s", m->shown, strerror(errno));
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	close(fd);
	return err_set(e, ERR_USAGE, "%s: not a regular file", m->shown);
}

static int load_facts(const struct member *m, struct saved_case *out, struct err *e)
{
	int fd = open_regular(m, e);
	FILE *in = fd < 0 ? NULL : fdopen(fd, "r");

	if (fd < 0)
		return -1;
	if (!in)
		out_of_memory();
	int failed = saved_case_read_facts(out, in, m->shown, e);
	fclose(in);
	return failed;
}

static int read_packets(struct capture *c, const struct member *m, bool with_frames,
			struct saved_case *out, struct err *e)
{
	struct event ev = {.kind = EV_PACKET, .flow = NO_FLOW};
	uint64_t n = 0;
	int rc;

	while ((rc = capture_next(c, &ev.packet, e)) == 1 && ++n <= out->n_packets) {
		if (with_frames)
			capture_log_frame(c, &ev.packet, &out->frames);
		ev.t_ns = ev.packet.t_ns;
		ev.packet.payload = NULL; /* as a tap's: its bytes are not judged */
		ev.packet.payload_caplen = 0;
		event_log_add(&out->log, &ev);
	}
	if (rc < 0)
		return -1;
	if (n != out->n_packets)
		return err_set(e, ERR_USAGE, "%s: it has %s the %llu packets that " CASE_FACTS " announces",
			       m->shown, n > out->n_packets ? "more than" : "not all",
			       (unsigned long long)out->n_packets);
	return 0;
}

static int load_packets(const struct member *m, bool with_frames, struct saved_case *out,
			struct err *e)
{
	struct capture *c = NULL;
	int fd = open_regular(m, e);

	if (fd < 0)
		return -1;
	close(fd);
	if (capture_open_file(&c, m->path, e) != 0)
		return -1;
	out->log.max = SIZE_MAX; /* how many there may be, facts.jsonl has said */
	int failed = read_packets(c, m, with_frames, out, e);
	capture_free(c);
	return failed;
}

int replay_load(const char *folder, bool with_frames, struct saved_case *out, struct err *e)
{
	struct member facts = member_of(folder, CASE_FACTS, &out->log.arena),
		      packets = member_of(folder, CASE_PACKETS, &out->log.arena);

	if (load_facts(&facts, out, e) != 0)
		return -1;
	return load_packets(&packets, with_frames, out, e);
}
