/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Texts written into memory by stdio, with the promise of base/arena.h: where there is none left, the
 * program ends. A text that is silently cut off would be taken for a whole one.
 */
#ifndef SB_BASE_STREAM_H
#define SB_BASE_STREAM_H

#include <stdio.h>

/* As open_memstream(3); *text is malloc'd and belongs to the caller once the stream is closed. */
FILE *stream_to_memory(char **text, size_t *len);

/* Closes it; text as above. */
void stream_to_memory_end(FILE *f, char *const *text);

#endif
