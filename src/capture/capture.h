/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Packets from a live tap or a file, as decoded packets.
 *
 * LOCKING MODEL. Between capture_start() and capture_stop() the capture thread
 * alone touches the pcap handle and the -w file; the main thread touches them
 * at all other times (starting and joining the thread orders the two). The
 * thread decodes, writes the -w file, and puts packets into a bounded queue.
 * Everything that both threads touch (queue, counters, requests to stop or to
 * sync) is guarded by one mutex, `lock` in live.c; nothing blocks while it is
 * held. An eventfd tells the main thread that packets wait, another one tells
 * the capture thread of a request. A full queue drops and counts: lost packets
 * withdraw claims of absence, they never block the tap. All functions are for
 * the main thread.
 *
 * COST (kernel 6.18, two cores). Open 10-30 ms, free 20-55 ms: the kernel waits
 * for an RCU grace period, so open one tap and keep it for all targets. Start
 * and stop together below 1 ms with a small filter, and no privilege needed.
 */
#ifndef SB_CAPTURE_CAPTURE_H
#define SB_CAPTURE_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/frame_log.h"
#include "model/packet.h"

struct capture; /* opaque */

/* How much is kept, and for how many packets there is room: see live.c for what it costs. */
struct capture_room {
	unsigned snaplen; /* bytes of a frame */
	size_t buffer;    /* bytes of the kernel's ring */
	size_t queue;     /* packets */
	unsigned nap_us;  /* so long the thread lets packets gather that come one upon the other */
};
/* One run; a whole frame of a 1500-byte link. */
extern const struct capture_room capture_room_one;
/* Many runs at once: headers only, or whole frames for a file. */
extern const struct capture_room capture_room_many, capture_room_many_whole, capture_room_lasting;

/* Opens the tap on every interface of the current network namespace (DLT_LINUX_SLL2: interface
 * index and direction come with each packet, and a SYN-ACK on the wrong interface is seen too).
 * Immediate mode, nanosecond stamps; Captures nothing until capture_start(). Needs CAP_NET_RAW; -1 with
 * ERR_RUN and how to grant it otherwise. This is the only call that needs a privilege. */
int capture_open_live(struct capture **out, const struct capture_room *room, struct err *e);

/* Writes every packet that passes the filter to this pcap file too (nanosecond stamps, SLL2) and
 * lets packet->number begin anew, so that it is the packet's number in the file. What it holds stays
 * until capture_start(). ERR_USAGE when it can't be created. Call before privileges are dropped and
 * while stopped; a second call ends the first file. */
int capture_write_to(struct capture *c, const char *path, struct err *e);

/* Flushes it; for when nothing more is to come. -1 with ERR_RUN when it could not be written whole:
 * that is said at the end, for it takes nothing from what was found out. */
int capture_written(struct capture *c, struct err *e);

/* From now on a copy of its frame comes with each packet. Call while stopped. */
void capture_keep_frames(struct capture *c);

/* Sets the filter (pcap-filter text, see capture/filter.h) and starts the thread. When it returns
 * 0, every later packet is seen: no probe may leave before. Forgets what an earlier run left in
 * the queue, and its counters. */
int capture_start(struct capture *c, const char *filter, struct err *e);

/* Readable when packets wait, and once when the capture fails (capture_sync() is false from then
 * on, and capture_stop() says why); for epoll. Owned by the capture. */
int capture_fd(const struct capture *c);

/* A frame as it was captured. */
struct frame_copy {
	size_t caplen, wire_len;
	uint8_t bytes[];
};

/* Takes up to max packets out, oldest first; returns how many. Never blocks. Their payload is
 * NULL: the frame is gone. With capture_keep_frames(), frames (NULL: not wanted) gets a copy of each,
 * free() it; without, NULLs. */
size_t capture_take(struct capture *c, struct packet *out, struct frame_copy **frames, size_t max);

/* Returns when every packet that the tap had seen before the call is in the queue (bounded: false
 * after timeout_ms, or when the capture has failed). A claim of absence is made only after this,
 * and only when nothing was dropped. */
bool capture_sync(struct capture *c, int timeout_ms);

/* The same without waiting: asks for it, and gives a number that capture_synced() knows; capture_fd()
 * becomes readable when it is so far. */
uint64_t capture_sync_ask(struct capture *c);
bool capture_synced(struct capture *c, uint64_t number); /* or the capture has failed */
bool capture_has_failed(struct capture *c);

struct capture_stats {
	uint64_t received;       /* passed the filter */
	uint64_t dropped_kernel; /* no room in the kernel's ring (ps_drop + ps_ifdrop) */
	uint64_t dropped_queue;  /* no room in ours */
	uint64_t undecodable;
};
/* Since capture_start(), or since the file was opened. Exact after a sync and after capture_stop(). */
void capture_get_stats(struct capture *c, struct capture_stats *out);

/* Stops and joins the thread, reads what is left into the queue (capture_take() still works),
 * flushes the -w file. -1 with ERR_RUN when reading the tap failed. May be started again with another
 * filter. Nothing to do when not running: 0. */
int capture_stop(struct capture *c, struct err *e);

void capture_free(struct capture *c); /* stops if needed; NULL is fine */

/* A file (pcap or pcapng; "-" is stdin) through the same decoder, no thread. ERR_USAGE when it
 * can't be read, is no capture, or has a link type that wire/ does not know. */
int capture_open_file(struct capture **out, const char *path, struct err *e);
/* 1: one packet in *out (payload borrowed until the next call), 0: end, -1: error (ERR_USAGE)
 * after what was read. Frames that hold no decodable IP are counted in stats.undecodable and
 * passed over. */
int capture_next(struct capture *c, struct packet *out, struct err *e);
/* Adds the frame of the packet that capture_next() gave last. */
void capture_log_frame(const struct capture *c, const struct packet *p, struct frame_log *log);

#endif
