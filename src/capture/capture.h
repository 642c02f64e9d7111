/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Packets from a live tap or a file, as decoded packets.
 *
 * LOCKING MODEL. One capture thread reads libpcap and nothing else touches the
 * pcap handle while it runs, except pcap_breakloop-free control through
 * `control` fields guarded by `lock`. It decodes, writes the -w file, and puts
 * packets into a bounded queue under `lock`; the main thread is woken by an
 * eventfd and takes them out under `lock`. A full queue drops and counts:
 * lost packets withdraw claims of absence, they never block the tap.
 */
#ifndef SB_CAPTURE_CAPTURE_H
#define SB_CAPTURE_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/packet.h"

struct capture; /* opaque */

/* Opens the tap on every interface of the current network namespace (DLT_LINUX_SLL2: interface
 * index and direction come with each packet, and a SYN-ACK on the wrong interface is seen too).
 * Immediate mode, nanosecond stamps; snap length and buffer are chosen together, see
 * CAPTURE_SNAPLEN in capture.c. Captures nothing until capture_start(). Needs CAP_NET_RAW; -1 with
 * ERR_RUN and how to grant it otherwise. This is the only call that needs a privilege. */
int capture_open_live(struct capture **out, struct err *e);

/* Writes every packet that passes the filter to this pcap file too (nanosecond stamps, SLL2).
 * ERR_USAGE when it can't be created. Call before privileges are dropped and before start. */
int capture_write_to(struct capture *c, const char *path, struct err *e);

/* Sets the filter (pcap-filter text, see capture/filter.h) and starts the thread. When it returns
 * 0, every later packet is seen: no probe may leave before. */
int capture_start(struct capture *c, const char *filter, struct err *e);

/* Readable when packets wait; for epoll. Owned by the capture. */
int capture_fd(const struct capture *c);

/* Takes up to max packets out, oldest first; returns how many. Never blocks. */
size_t capture_take(struct capture *c, struct packet *out, size_t max);

/* Returns when every packet that the tap had seen before the call is in the queue (bounded: false
 * after timeout_ms). A claim of absence is made only after this. */
bool capture_sync(struct capture *c, int timeout_ms);

struct capture_stats {
	uint64_t received;       /* passed the filter */
	uint64_t dropped_kernel; /* no room in the kernel's ring (ps_drop + ps_ifdrop) */
	uint64_t dropped_queue;  /* no room in ours */
	uint64_t undecodable;
};
void capture_get_stats(struct capture *c, struct capture_stats *out);

/* Stops and joins the thread, reads what is left into the queue, flushes the -w file.
 * -1 when that file could not be written whole (ERR_RUN). May be started again with another filter. */
int capture_stop(struct capture *c, struct err *e);

void capture_free(struct capture *c); /* stops if needed; NULL is fine */

/* A file (pcap or pcapng) through the same decoder, no thread. */
int capture_open_file(struct capture **out, const char *path, struct err *e);
/* 1: one packet in *out (payload borrowed until the next call), 0: end, -1: error after what was
 * read. Frames that hold no decodable IP are counted in stats.undecodable and passed over. */
int capture_next(struct capture *c, struct packet *out, struct err *e);

#endif
