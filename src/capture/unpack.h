/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Inside capture/: compressed files as a stream of bytes, a file for each form. A form whose library
 * this build lacks is known by its name only.
 */
#ifndef SB_CAPTURE_UNPACK_H
#define SB_CAPTURE_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What `zstd` itself agrees to by default, and what `xz -9` needs and its double. */
#define UNPACK_ZSTD_WINDOW_LOG_MAX 27
#define UNPACK_XZ_MEMORY_MAX       (UINT64_C(128) << 20)

struct unpacking {
	void *state;
	const uint8_t *in; /* what was read and not yet used: `left` bytes */
	size_t left;
	bool in_over; /* the file ends behind them */
	bool amid;    /* the compressed data is not at the end of a stream */
	bool over;
	const char *fault; /* in words, borrowed for ever; NULL: none */
};

struct unpacker {
	const char *name, *library;
	bool (*start)(struct unpacking *u); /* NULL: not built in. False: no memory */
	/* Takes from `in`, returns how many bytes it wrote to out[size]. */
	size_t (*unpack)(struct unpacking *u, uint8_t *out, size_t size);
	void (*end)(struct unpacking *u);
};

extern const struct unpacker unpack_gzip, unpack_zstd, unpack_xz;

#endif
