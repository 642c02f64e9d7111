/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/stream.h"

#include "base/arena.h"

FILE *stream_to_memory(char **text, size_t *len)
{
	FILE *f = open_memstream(text, len);

	if (!f)
		out_of_memory();
	return f;
}

void stream_to_memory_end(FILE *f, char *const *text)
{
	int failed = ferror(f);

	/* glibc tells by the pointer alone that it could not cut the text to its size */
	if (fclose(f) != 0 || failed || !*text)
		out_of_memory();
}
