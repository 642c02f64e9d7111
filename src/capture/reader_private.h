/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside capture/: the buffer that the two formats are read from. */
#ifndef SB_CAPTURE_READER_PRIVATE_H
#define SB_CAPTURE_READER_PRIVATE_H

#include <string.h>

#include "base/clock.h"
#include "capture/input.h"
#include "capture/reader.h"
#include "model/packet.h"

/* How much is asked of the kernel at a time: the buffers of a reader's owner fit the second-level cache. */
#define READ_CHUNK (256 * 1024)
/* Bytes before a frame, of either format. */
#define HEAD_MAX 64
_Static_assert(HEAD_MAX + READER_FRAME_MAX + READ_CHUNK <= READER_BUFFER, "reader.h promises it");

#define INTERFACES_MAX 1024 /* of one section; packets of further ones are not understood */

/* How the stamps of a pcapng interface become nanoseconds. */
struct stamp_unit {
	uint8_t resolution; /* if_tsresol */
	int64_t offset_s;
};

struct interface {
	uint16_t link_type;
	uint32_t snaplen;
	struct stamp_unit unit;
};

struct reader {
	struct input *in;
	uint8_t *buffer; /* READER_BUFFER bytes */
	uint8_t *own;    /* the one that it begins with */
	size_t at, end;
	uint64_t offset;  /* of `at` in the data */
	uint64_t skip;    /* bytes to pass over, beyond `at` */
	uint64_t packets; /* passed so far */
	const struct port_set *ports; /* only these are of interest; or NULL */
	struct frame left_out;        /* the latest that was; number 0: it was not */
	bool input_over, over, truncated;
	bool held; /* frames of earlier calls lie in the buffer, which must stay as it is */
	bool swapped; /* the file's byte order is not ours */
	char fault[300];
	size_t (*next)(struct reader *r, struct frame *out, size_t max);

	/* pcap */
	uint16_t link_type;
	uint8_t record_len; /* of the header before each packet */
	bool old_lengths;   /* before version 2.4 the two may stand the other way round */
	uint32_t caplen_max;
	int64_t unit_ns;

	/* pcapng */
	struct interface *interfaces;
	unsigned n_interfaces, first_interface; /* of this section; those of the sections before */
	int64_t last_ns;                        /* for packets without time */
};

/* Makes `need` bytes stand at `at`, which moves. False: there are fewer. */
bool reader_fill(struct reader *r, size_t need);

/* Passes over r->skip; false: more has to be read than may be now (`borrowed`: frames that were
 * given lie in the buffer), or the data ended. */
bool reader_skip(struct reader *r, bool borrowed);

/* The end of what can be read, for the reader's caller; returns 0. */
size_t reader_cut(struct reader *r);
size_t reader_broken(struct reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

void reader_open_pcap(struct reader *r);
size_t reader_next_pcap(struct reader *r, struct frame *out, size_t max);
bool reader_is_pcap(const uint8_t *bytes);

size_t reader_next_pcapng(struct reader *r, struct frame *out, size_t max);
bool reader_is_pcapng(const uint8_t *bytes);

static inline uint32_t reader_u32(const struct reader *r, const uint8_t *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return r->swapped ? __builtin_bswap32(v) : v;
}

static inline uint16_t reader_u16(const struct reader *r, const uint8_t *at)
{
	uint16_t v;

	memcpy(&v, at, sizeof(v));
	return r->swapped ? __builtin_bswap16(v) : v;
}

/* True: the frame belongs into the reader's result, maybe without bytes. */
static inline bool reader_keeps(struct reader *r, struct frame *f)
{
	r->left_out.number = 0;
	if (!r->ports || wire_matters(f, r->ports))
		return true;
	if (f->number % FRAME_TICK != 0 && f->number != 1)
		return false;
	f->bytes = NULL;
	f->caplen = 0;
	f->plain = false;
	return true;
}

/* The latest frame does not; number 0: it does. */
static inline void reader_left_out(struct reader *r, uint64_t number, int64_t t_ns)
{
	r->left_out.number = number;
	r->left_out.t_ns = t_ns;
}

static inline size_t reader_there(const struct reader *r)
{
	return r->end - r->at;
}

static inline void reader_pass(struct reader *r, size_t n)
{
	r->at += n;
	r->offset += n;
}

#endif
