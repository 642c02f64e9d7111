/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One frame as a capture file holds it. */
#ifndef SB_MODEL_FRAME_H
#define SB_MODEL_FRAME_H

#include <stdbool.h>
#include <stdint.h>

/* Where frames of no interest are left out, the first and the last one and each FRAME_TICKth stay, without
 * their bytes: for their time. */
#define FRAME_TICK 64

/* A plain frame, as most of most captures are: Ethernet, an IPv4 header without options that is no fragment, and TCP of
 * a port that is of interest, whose first 20 bytes are there and belong to the IP packet. */

struct frame {
	const uint8_t *bytes; /* borrowed from whoever gave the frame, caplen of them; NULL: they are of
			       * no interest, and the frame only tells its time */
	uint64_t number;      /* in the file, from 1; 0: it follows the one before */
	uint32_t caplen;
	uint32_t wire_len;  /* how long it was before the snap length cut it */
	int64_t t_ns;       /* since 1970 UTC; 0 unknown */
	uint16_t link_type; /* LINKTYPE_ value */
	uint16_t interface; /* of the file, from 0; several sections count on */
	uint8_t dir;        /* enum packet_dir, where the file says it */
	bool plain;         /* whoever gave the frame has looked, and it is plain; false: nobody knows */
};

#endif
