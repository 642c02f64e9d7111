/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside capture/ (and its tests): what the two sources share. */
#ifndef SB_CAPTURE_SOURCE_H
#define SB_CAPTURE_SOURCE_H

#include <pcap/pcap.h>

#include "capture/capture.h"

struct live; /* live.c */

struct capture {
	pcap_t *pcap;
	int link_type;
	uint64_t number;            /* frames read so far */
	struct capture_stats stats; /* of a live capture: under its lock */
	struct live *live;          /* NULL for a file */
	const uint8_t *frame;       /* of a file: of the packet that was handed out last */
	size_t frame_caplen, frame_len;
	char *path;                 /* of the file that is read, for messages */
	char *read_buffer;          /* stdio's, while that file is open */
};

/* One frame through wire/, with its time and number. False: no IP packet that can be judged. */
bool capture_decode(struct capture *c, const struct pcap_pkthdr *h, const uint8_t *frame,
		    struct packet *out);

/* Stops and frees c->live and closes its -w file. */
void live_free(struct capture *c);

#endif
