/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "capture/input.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "capture/unpack.h"

#define RAW_SIZE 65536

struct input {
	int fd;
	const struct unpacker *packing; /* NULL: none */
	uint64_t offset; /* read from fd */
	uint8_t *raw;    /* RAW_SIZE; what was read and not yet used */
	size_t at, end;
	bool raw_over; /* the file's end was read */
	bool over;
	char fault[200]; /* empty: none */
	struct unpacking unpacking;
};

static void fault(struct input *in, const char *what)
{
	uint64_t at = in->offset - (in->end - in->at);

	in->over = true;
	snprintf(in->fault, sizeof(in->fault), "%s at byte %llu", what, (unsigned long long)at);
}

static size_t read_fd(struct input *in, uint8_t *out, size_t size)
{
	ssize_t n;

	do
		n = read(in->fd, out, size);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		fault(in, strerror(errno));
	in->raw_over = n <= 0;
	in->offset += n > 0 ? (uint64_t)n : 0;
	return n > 0 ? (size_t)n : 0;
}

static size_t unpack(struct input *in, uint8_t *out, size_t size)
{
	struct unpacking *u = &in->unpacking;

	u->in = in->raw + in->at;
	u->left = in->end - in->at;
	u->in_over = in->raw_over;
	size_t n = in->packing->unpack(u, out, size);
	in->at = in->end - u->left;
	in->over = in->over || u->over;
	if (u->fault)
		fault(in, u->fault);
	return n;
}

static size_t read_packed(struct input *in, uint8_t *out, size_t size)
{
	for (;;) {
		if (in->at == in->end && !in->raw_over) {
			in->at = 0;
			in->end = read_fd(in, in->raw, RAW_SIZE);
		}
		bool last = in->at == in->end && in->raw_over;
		if (in->over || (last && !in->unpacking.amid)) {
			in->over = true;
			return 0;
		}
		size_t n = unpack(in, out, size);
		if (n > 0)
			return n;
		if (last && !in->over)
			fault(in, "compressed data ends in its middle");
	}
}

static size_t read_plain(struct input *in, uint8_t *out, size_t size)
{
	size_t n = in->end - in->at;

	if (n == 0)
		return in->over ? 0 : read_fd(in, out, size);
	if (n > size)
		n = size;
	memcpy(out, in->raw + in->at, n);
	in->at += n;
	return n;
}

size_t input_read(struct input *in, uint8_t *out, size_t size)
{
	return in->packing ? read_packed(in, out, size) : read_plain(in, out, size);
}

const char *input_fault(const struct input *in)
{
	return in->fault[0] ? in->fault : NULL;
}

/* ---- opening ---- */

static bool begins(const struct input *in, const char *magic, size_t len)
{
	return in->end >= len && memcmp(in->raw, magic, len) == 0;
}

static const struct unpacker *packing_of(const struct input *in)
{
	if (begins(in, "\x1f\x8b", 2))
		return &unpack_gzip;
	if (begins(in, "\x28\xb5\x2f\xfd", 4))
		return &unpack_zstd;
	/* a skippable frame, as parallel writers begin with */
	if (in->end >= 4 && (in->raw[0] & 0xf0) == 0x50 &&
	    begins(in, (char[]){(char)in->raw[0], 0x2a, 0x4d, 0x18}, 4))
		return &unpack_zstd;
	return begins(in,
		      "\xfd"
		      "7zXZ\0",
		      6)
		       ? &unpack_xz
		       : NULL;
}

/* -1 with *e; input_free() then ends what was started. */
static int start_unpacking(struct input *in, const struct unpacker *packing, const char *name,
			   struct err *e)
{
	if (!packing)
		return 0;
	if (!packing->start)
		return err_set(e, ERR_USAGE,
			       "%s: is compressed with %s, which this build cannot read (%s)", name,
			       packing->name, packing->library);
	in->packing = packing;
	in->unpacking.amid = true;
	return packing->start(&in->unpacking)
		       ? 0
		       : err_set(e, ERR_RUN, "%s: no memory to decompress it", name);
}

int input_open(struct input **out, int fd, const char *name, struct err *e)
{
	struct input *in = xcalloc(1, sizeof(*in));
	int rc = -1;

	in->fd = fd;
	in->raw = xcalloc(1, RAW_SIZE);
	while (in->end < 8 && !in->raw_over) /* a pipe may give it byte by byte */
		in->end += read_fd(in, in->raw + in->end, RAW_SIZE - in->end);
	if (in->end == 0) {
		err_set(e, ERR_USAGE, "%s: %s", name, in->fault[0] ? in->fault : "is empty");
		goto out;
	}
	if (start_unpacking(in, packing_of(in), name, e) != 0)
		goto out;
	*out = in;
	rc = 0;
out:
	if (rc != 0)
		input_free(in);
	return rc;
}

void input_free(struct input *in)
{
	if (!in)
		return;
	if (in->packing)
		in->packing->end(&in->unpacking);
	free(in->raw);
	free(in);
}
