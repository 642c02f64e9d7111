/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "capture/unpack.h"

#ifdef SMTPBLAME_ZLIB

#include <stdlib.h>
#include <zlib.h>

#include "base/arena.h"

static bool start(struct unpacking *u)
{
	u->state = xcalloc(1, sizeof(z_stream));
	return inflateInit2((z_stream *)u->state, 15 + 16) == Z_OK;
}

static size_t unpack(struct unpacking *u, uint8_t *out, size_t size)
{
	z_stream *z = u->state;

	if (!u->amid && u->left) { /* a further member, or padding behind the last */
		if (*u->in != 0x1f) {
			u->over = true;
			return 0;
		}
		inflateReset(z);
		u->amid = true;
	}
	/* zlib's member is not const, though it changes nothing there */
	z->next_in = (uint8_t *)(uintptr_t)u->in;
	z->avail_in = (uInt)u->left;
	z->next_out = out;
	z->avail_out = (uInt)size;
	int rc = inflate(z, Z_NO_FLUSH);
	u->in = z->next_in;
	u->left = z->avail_in;
	if (rc == Z_STREAM_END)
		u->amid = false;
	else if (rc != Z_OK && rc != Z_BUF_ERROR)
		u->fault = "gzip data is broken";
	return size - z->avail_out;
}

static void end(struct unpacking *u)
{
	inflateEnd(u->state);
	free(u->state);
}

const struct unpacker unpack_gzip = {"gzip", "zlib", start, unpack, end};

#else

const struct unpacker unpack_gzip = {.name = "gzip", .library = "zlib"};

#endif
