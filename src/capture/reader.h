/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Capture files frame by frame: pcap and pcapng in every byte order and
 * resolution, of interfaces that differ (which libpcap refuses), from a file or
 * a pipe, compressed or not. One pass; nothing but the buffer is allocated, and
 * that does not grow.
 *
 * A file that ends too early or is broken gives what came before; then
 * reader_fault() says what is wrong, and where.
 */
#ifndef SB_CAPTURE_READER_H
#define SB_CAPTURE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/frame.h"
#include "wire/peek.h"

struct reader; /* opaque */

/* `fd` stays the caller's, and open as long as the reader is used; `name` is for messages.
 * ERR_USAGE when it can't be read, is empty, or is no capture. */
int reader_open(struct reader **out, int fd, const char *name, struct err *e);
void reader_free(struct reader *r); /* NULL is fine */

/* Leaves out, see FRAME_TICK, what certainly is no TCP of these ports, and neither quotes nor holds it.
 * ports: borrowed, NULL for all frames. Before the first frame. */
void reader_sift(struct reader *r, const struct port_set *ports);

#define READER_FRAME_MAX 262144 /* libpcap's own maximum */

/* Up to `max` frames, whose bytes are valid until the next call; 0: the end. A frame longer than
 * READER_FRAME_MAX is cut to that. */
size_t reader_next(struct reader *r, struct frame *out, size_t max);

/* For whoever wants to keep frames without copying them: the frames of reader_next() and of all reader_more()
 * that follow lie in one buffer, which reader_turn() exchanges for another one, so that they stay. */
#define READER_BUFFER (READER_FRAME_MAX + 256 * 1024 + 64)

/* From now on the data is read into this buffer, of READER_BUFFER bytes; what is left of the old one goes there.
 * Borrowed until the next turn. */
void reader_turn(struct reader *r, uint8_t *buffer);

/* Further frames as far as they are there already; 0: only reader_next() can tell. */
size_t reader_more(struct reader *r, struct frame *out, size_t max);

/* Valid at the end. NULL: the file is whole; else a text with the byte offset (in what comes out of
 * the decompression). *truncated: it merely ends too early. */
const char *reader_fault(const struct reader *r, bool *truncated);

#endif
