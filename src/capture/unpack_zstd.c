/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "capture/unpack.h"

#ifdef SMTPBLAME_ZSTD

#include <zstd.h>
#include <zstd_errors.h>

static bool start(struct unpacking *u)
{
	ZSTD_DStream *zstd = ZSTD_createDStream();

	u->state = zstd;
	return zstd && !ZSTD_isError(ZSTD_DCtx_setParameter(zstd, ZSTD_d_windowLogMax,
							    UNPACK_ZSTD_WINDOW_LOG_MAX));
}

static size_t unpack(struct unpacking *u, uint8_t *out, size_t size)
{
	ZSTD_inBuffer from = {u->in, u->left, 0};
	ZSTD_outBuffer to = {out, size, 0};
	size_t rc = ZSTD_decompressStream(u->state, &to, &from);

	u->in += from.pos;
	u->left -= from.pos;
	u->amid = rc != 0;
	if (!ZSTD_isError(rc))
		return to.pos;
	if (ZSTD_getErrorCode(rc) == ZSTD_error_frameParameter_windowTooLarge)
		u->fault = "zstd data asks for more than 128 MB of memory (compress without --ultra "
			   "or --long),";
	else
		u->fault = "zstd data is broken";
	return to.pos;
}

static void end(struct unpacking *u)
{
	ZSTD_freeDStream(u->state);
}

const struct unpacker unpack_zstd = {"zstd", "libzstd", start, unpack, end};

#else

const struct unpacker unpack_zstd = {.name = "zstd", .library = "libzstd"};

#endif
