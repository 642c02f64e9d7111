/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Frames as they were captured: what a saved case keeps of the packets. In the
 * form of a pcap file (nanoseconds, this machine's byte order), so that a file
 * is its header and these bytes.
 */
#ifndef SB_MODEL_FRAME_LOG_H
#define SB_MODEL_FRAME_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct frame_log {
	int link_type; /* of all frames: a DLT_ value */
	uint8_t *bytes;
	size_t len, size;
	uint64_t n;
};

void frame_log_clear(struct frame_log *l); /* a zeroed struct is an empty log */

/* Copies the caplen bytes there are of a frame that had wire_len. */
void frame_log_add(struct frame_log *l, int64_t t_ns, const uint8_t *frame, size_t caplen,
		   size_t wire_len);

struct logged_frame {
	uint8_t *bytes; /* in the log */
	size_t caplen, wire_len;
};

/* The frame at *at, which moves on to the next one; begins with 0. False: there is none. */
bool frame_log_next(const struct frame_log *l, size_t *at, struct logged_frame *out);

#define FRAME_LOG_HEADER 24

/* The header of the file that these frames make. */
void frame_log_header(const struct frame_log *l, uint8_t out[FRAME_LOG_HEADER]);

#endif
