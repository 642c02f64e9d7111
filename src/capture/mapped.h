/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A plain file in memory, without the copy that read() makes of it: a third of
 * the time that reading takes.
 *
 * Who shortens a file while it is mapped takes the pages away from under the
 * reader, which the kernel tells by SIGBUS, as it does of a disk that fails. A
 * handler puts zeros in the place of all that follows, and mapped_is_torn() is
 * true from then on. There is one handler in a process, so one mapping at a time.
 */
#ifndef SB_CAPTURE_MAPPED_H
#define SB_CAPTURE_MAPPED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mapped; /* opaque */

/* NULL: no regular file, an empty one, there is a mapping already, or the kernel refuses: read it
 * then. */
struct mapped *mapped_open(int fd);
void mapped_free(struct mapped *m); /* NULL is fine */

const uint8_t *mapped_bytes(const struct mapped *m);
size_t mapped_size(const struct mapped *m);

/* The bytes from .. to are needed soon: from the disk, and into this process' tables. Any thread. */
void mapped_ahead(const struct mapped *m, size_t from, size_t to);
/* They are not needed any more: they go out of this process' tables. */
void mapped_behind(const struct mapped *m, size_t from, size_t to);

/* To be asked by the thread that looks at the bytes. */
bool mapped_is_torn(const struct mapped *m);

#endif
