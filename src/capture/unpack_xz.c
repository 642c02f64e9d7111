/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "capture/unpack.h"

#ifdef SMTPBLAME_LZMA

#include <lzma.h>
#include <stdlib.h>

#include "base/arena.h"

static bool start(struct unpacking *u)
{
	u->state = xcalloc(1, sizeof(lzma_stream));
	return lzma_stream_decoder(u->state, UNPACK_XZ_MEMORY_MAX, LZMA_CONCATENATED) == LZMA_OK;
}

static size_t unpack(struct unpacking *u, uint8_t *out, size_t size)
{
	lzma_stream *x = u->state;

	x->next_in = u->in;
	x->avail_in = u->left;
	x->next_out = out;
	x->avail_out = size;
	lzma_ret rc = lzma_code(x, u->in_over ? LZMA_FINISH : LZMA_RUN);
	u->in = x->next_in;
	u->left = x->avail_in;
	u->amid = rc != LZMA_STREAM_END;
	if (rc == LZMA_STREAM_END)
		u->over = true;
	else if (rc == LZMA_MEMLIMIT_ERROR)
		u->fault = "xz data asks for more than 128 MB of memory";
	else if (rc != LZMA_OK && rc != LZMA_BUF_ERROR)
		u->fault = "xz data is broken";
	return size - x->avail_out;
}

static void end(struct unpacking *u)
{
	lzma_end(u->state);
	free(u->state);
}

const struct unpacker unpack_xz = {"xz", "liblzma", start, unpack, end};

#else

const struct unpacker unpack_xz = {.name = "xz", .library = "liblzma"};

#endif
