/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "capture/reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "capture/reader_private.h"

/* What is left of the old block moves before the new one, unless the two are neighbours. */
static void append_block(struct reader *r, const struct reader_block *b)
{
	size_t there = reader_there(r);

	if (b->bytes == r->buffer + r->end) {
		r->end += b->len;
		return;
	}
	memcpy(b->bytes - there, r->buffer + r->at, there);
	r->buffer = b->bytes - there;
	r->at = 0;
	r->end = there + b->len;
}

static bool fill_from_blocks(struct reader *r, size_t need)
{
	while (reader_there(r) < need && !r->input_over) {
		const struct reader_block *b = r->next_block(r->next_ctx);

		r->input_over = !b || (r->mapped && mapped_is_torn(r->mapped));
		if (!r->input_over)
			append_block(r, b);
	}
	return reader_there(r) >= need;
}

bool reader_fill(struct reader *r, size_t need)
{
	size_t there = reader_there(r);

	if (there >= need)
		return true;
	if (r->next_block)
		return fill_from_blocks(r, need);
	memmove(r->buffer, r->buffer + r->at, there);
	r->at = 0;
	r->end = there;
	while (r->end < need && !r->input_over) {
		size_t n = input_read(r->in, r->buffer + r->end, READ_CHUNK);
		r->end += n;
		r->input_over = n == 0;
	}
	return r->end >= need;
}

bool reader_skip(struct reader *r, bool borrowed)
{
	while (r->skip > 0) {
		size_t n = reader_there(r) < r->skip ? reader_there(r) : (size_t)r->skip;

		reader_pass(r, n);
		r->skip -= n;
		if (r->skip > 0 && (borrowed || !reader_fill(r, 1)))
			return false;
	}
	return true;
}

size_t reader_cut(struct reader *r)
{
	const char *fault = input_fault(r->in);

	if (r->mapped && mapped_is_torn(r->mapped))
		fault = "became shorter, or unreadable, while it was read";
	r->over = true;
	if (fault) {
		r->truncated = true;
		snprintf(r->fault, sizeof(r->fault), "%s: what follows packet %llu is lost", fault,
			 (unsigned long long)r->packets);
	} else if (reader_there(r) > 0 || r->skip > 0) {
		r->truncated = true;
		snprintf(r->fault, sizeof(r->fault),
			 "ends in the middle of a record that begins at byte %llu, behind packet "
			 "%llu",
			 (unsigned long long)r->offset, (unsigned long long)r->packets);
	}
	return 0;
}

size_t reader_broken(struct reader *r, const char *fmt, ...)
{
	char what[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	r->over = true;
	snprintf(r->fault, sizeof(r->fault), "is broken at byte %llu, behind packet %llu: %s",
		 (unsigned long long)r->offset, (unsigned long long)r->packets, what);
	return 0;
}

int reader_open(struct reader **out, int fd, const char *name, struct err *e)
{
	struct reader *r = xcalloc(1, sizeof(*r));
	int rc = -1;

	if (input_open(&r->in, fd, name, e) != 0)
		goto out;
	r->buffer = r->own = malloc(HEAD_MAX + READER_FRAME_MAX + READ_CHUNK);
	if (!r->own) {
		err_set(e, ERR_RUN, "no memory");
		goto out;
	}
	bool whole = reader_fill(r, 24); /* the shorter one's header */
	if (whole && reader_is_pcap(r->buffer)) {
		reader_open_pcap(r);
	} else if (reader_there(r) >= 12 && reader_is_pcapng(r->buffer)) {
		r->interfaces = xcalloc(INTERFACES_MAX, sizeof(*r->interfaces));
		r->next = reader_next_pcapng;
	} else {
		const char *fault = input_fault(r->in);
		bool begins =
			reader_there(r) >= 4 && (reader_is_pcap(r->buffer) || reader_is_pcapng(r->buffer));
		err_set(e, ERR_USAGE, "%s: %s", name,
			fault    ? fault
			: begins ? "ends within its header (byte 0)"
				 : "is neither pcap nor pcapng (byte 0)");
		goto out;
	}
	*out = r;
	rc = 0;
out:
	if (rc != 0)
		reader_free(r);
	return rc;
}

void reader_free(struct reader *r)
{
	if (!r)
		return;
	input_free(r->in);
	mapped_free(r->mapped);
	free(r->interfaces);
	free(r->own);
	free(r);
}

/* ---- blocks ---- */

/* How much of a mapped file is made ready at a time. */
#define MAPPED_BYTES ((size_t)1 << 20)

bool reader_map(struct reader *r)
{
	uint64_t from;

	if (!input_is_plain(r->in, &from))
		return false;
	r->mapped = mapped_open(input_fd(r->in));
	if (!r->mapped)
		return false;
	/* all of it anew, from behind what was used */
	r->buffer = (uint8_t *)(uintptr_t)mapped_bytes(r->mapped); /* neighbours: never written to */
	r->at = r->end = r->mapped_at = (size_t)(from + r->offset);
	r->input_over = r->at >= mapped_size(r->mapped);
	return true;
}

void reader_ahead(struct reader *r, struct reader_block *b)
{
	if (!r->mapped) {
		b->bytes = b->room;
		b->len = input_read(r->in, b->room, b->room_size);
		return;
	}
	size_t from = r->mapped_at, to = (from / MAPPED_BYTES + 1) * MAPPED_BYTES;
	if (to > mapped_size(r->mapped))
		to = mapped_size(r->mapped);
	b->bytes = r->buffer + from;
	b->len = from < to ? to - from : 0;
	r->mapped_at = to;
	if (b->len > 0)
		mapped_ahead(r->mapped, from, to);
}

void reader_behind(struct reader *r, const struct reader_block *b)
{
	if (r->mapped)
		mapped_behind(r->mapped, (size_t)(b->bytes - r->buffer), (size_t)(b->bytes - r->buffer) + b->len);
}

void reader_take_blocks(struct reader *r, reader_next_block *next, void *ctx)
{
	r->next_block = next;
	r->next_ctx = ctx;
}

size_t reader_next(struct reader *r, struct frame *out, size_t max)
{
	return r->over || max == 0 ? 0 : r->next(r, out, max);
}

const char *reader_fault(const struct reader *r, bool *truncated)
{
	*truncated = r->truncated;
	return r->fault[0] ? r->fault : NULL;
}
