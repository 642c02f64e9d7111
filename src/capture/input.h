/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The bytes of a file or a pipe, in order, decompressed when they begin like
 * gzip, zstd or xz. Memory is bounded whatever the file asks for.
 */
#ifndef SB_CAPTURE_INPUT_H
#define SB_CAPTURE_INPUT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct input; /* opaque */

/* `fd` stays the caller's, and open as long as the input is used; `name` is for messages.
 * ERR_USAGE when nothing can be read from it. */
int input_open(struct input **out, int fd, const char *name, struct err *e);
void input_free(struct input *in); /* NULL is fine */

/* Up to `size` bytes; 0: the end, also that of what can be read: input_fault() tells. */
size_t input_read(struct input *in, uint8_t *out, size_t size);

/* Why the end came too early, with the offset in the file as it lies there; NULL: it did not. */
const char *input_fault(const struct input *in);

#endif
