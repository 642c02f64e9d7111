/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "capture/input.h"

#include <errno.h>
#include <lzma.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/arena.h"

#define RAW_SIZE 65536
/* What `zstd` itself agrees to by default, and what `xz -9` needs and its double. */
#define ZSTD_WINDOW_LOG_MAX 27
#define XZ_MEMORY_MAX       (UINT64_C(128) << 20)

enum packing {
	PACKING_NONE,
	PACKING_GZIP,
	PACKING_ZSTD,
	PACKING_XZ,
};

struct input {
	int fd;
	enum packing packing;
	uint64_t offset; /* read from fd */
	uint8_t *raw;    /* RAW_SIZE; what was read and not yet used */
	size_t at, end;
	bool raw_over; /* the file's end was read */
	bool over;
	bool amid;       /* the compressed data is not at the end of a stream */
	char fault[200]; /* empty: none */
	union {
		z_stream gzip;
		ZSTD_DStream *zstd;
		lzma_stream xz;
	};
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

/* ---- one decoder each: consumes raw bytes, returns how many it wrote ---- */

static size_t unpack_gzip(struct input *in, uint8_t *out, size_t size)
{
	z_stream *z = &in->gzip;

	z->next_in = in->raw + in->at;
	z->avail_in = (uInt)(in->end - in->at);
	z->next_out = out;
	z->avail_out = (uInt)size;
	if (!in->amid && z->avail_in) { /* a further member, or padding behind the last */
		if (*z->next_in != 0x1f) {
			in->over = true;
			return 0;
		}
		inflateReset(z);
		in->amid = true;
	}
	int rc = inflate(z, Z_NO_FLUSH);
	in->at = in->end - z->avail_in;
	if (rc == Z_STREAM_END)
		in->amid = false;
	else if (rc != Z_OK && rc != Z_BUF_ERROR)
		fault(in, "gzip data is broken");
	return size - z->avail_out;
}

static size_t unpack_zstd(struct input *in, uint8_t *out, size_t size)
{
	ZSTD_inBuffer from = {in->raw, in->end, in->at};
	ZSTD_outBuffer to = {out, size, 0};
	size_t rc = ZSTD_decompressStream(in->zstd, &to, &from);

	in->at = from.pos;
	in->amid = rc != 0;
	if (!ZSTD_isError(rc))
		return to.pos;
	if (ZSTD_getErrorCode(rc) == ZSTD_error_frameParameter_windowTooLarge)
		fault(in, "zstd data asks for more than 128 MB of memory (compress without --ultra "
			  "or --long),");
	else
		fault(in, "zstd data is broken");
	return to.pos;
}

static size_t unpack_xz(struct input *in, uint8_t *out, size_t size)
{
	lzma_stream *x = &in->xz;

	x->next_in = in->raw + in->at;
	x->avail_in = in->end - in->at;
	x->next_out = out;
	x->avail_out = size;
	lzma_ret rc = lzma_code(x, in->raw_over ? LZMA_FINISH : LZMA_RUN);
	in->at = in->end - x->avail_in;
	in->amid = rc != LZMA_STREAM_END;
	if (rc == LZMA_STREAM_END)
		in->over = true;
	else if (rc == LZMA_MEMLIMIT_ERROR)
		fault(in, "xz data asks for more than 128 MB of memory");
	else if (rc != LZMA_OK && rc != LZMA_BUF_ERROR)
		fault(in, "xz data is broken");
	return size - x->avail_out;
}

static size_t unpack(struct input *in, uint8_t *out, size_t size)
{
	switch (in->packing) {
	case PACKING_GZIP: return unpack_gzip(in, out, size);
	case PACKING_ZSTD: return unpack_zstd(in, out, size);
	case PACKING_XZ: return unpack_xz(in, out, size);
	case PACKING_NONE: break;
	}
	return 0;
}

static size_t read_packed(struct input *in, uint8_t *out, size_t size)
{
	for (;;) {
		if (in->at == in->end && !in->raw_over) {
			in->at = 0;
			in->end = read_fd(in, in->raw, RAW_SIZE);
		}
		bool last = in->at == in->end && in->raw_over;
		if (in->over || (last && !in->amid)) {
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
	return in->packing == PACKING_NONE ? read_plain(in, out, size) : read_packed(in, out, size);
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

static enum packing packing_of(const struct input *in)
{
	if (begins(in, "\x1f\x8b", 2))
		return PACKING_GZIP;
	if (begins(in, "\x28\xb5\x2f\xfd", 4))
		return PACKING_ZSTD;
	/* a skippable frame, as parallel writers begin with */
	if (in->end >= 4 && (in->raw[0] & 0xf0) == 0x50 &&
	    begins(in, (char[]){(char)in->raw[0], 0x2a, 0x4d, 0x18}, 4))
		return PACKING_ZSTD;
	return begins(in,
		      "\xfd"
		      "7zXZ\0",
		      6)
		       ? PACKING_XZ
		       : PACKING_NONE;
}

static bool start_unpacking(struct input *in)
{
	switch (in->packing) {
	case PACKING_GZIP: return inflateInit2(&in->gzip, 15 + 16) == Z_OK;
	case PACKING_ZSTD:
		in->zstd = ZSTD_createDStream();
		return in->zstd && !ZSTD_isError(ZSTD_DCtx_setParameter(
					   in->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX));
	case PACKING_XZ:
		in->xz = (lzma_stream)LZMA_STREAM_INIT;
		return lzma_stream_decoder(&in->xz, XZ_MEMORY_MAX, LZMA_CONCATENATED) == LZMA_OK;
	case PACKING_NONE: break;
	}
	return true;
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
	in->packing = packing_of(in);
	in->amid = in->packing != PACKING_NONE;
	if (!start_unpacking(in)) {
		err_set(e, ERR_RUN, "%s: no memory to decompress it", name);
		goto out;
	}
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
	switch (in->packing) {
	case PACKING_GZIP: inflateEnd(&in->gzip); break;
	case PACKING_ZSTD: ZSTD_freeDStream(in->zstd); break;
	case PACKING_XZ: lzma_end(&in->xz); break;
	case PACKING_NONE: break;
	}
	free(in->raw);
	free(in);
}
