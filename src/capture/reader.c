/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "capture/reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "capture/reader_private.h"

bool reader_fill(struct reader *r, size_t need)
{
	size_t there = reader_there(r);

	if (there >= need)
		return true;
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
	r->buffer = r->own = xmalloc(READER_BUFFER);
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
	free(r->interfaces);
	free(r->own);
	free(r);
}

void reader_sift(struct reader *r, const struct port_set *ports)
{
	r->ports = ports;
}

size_t reader_next(struct reader *r, struct frame *out, size_t max)
{
	size_t n = r->over || max == 0 ? 0 : r->next(r, out, max);

	if (n > 0 || r->left_out.number == 0 || max == 0)
		return n;
	out[0] = (struct frame){.number = r->left_out.number, .t_ns = r->left_out.t_ns};
	r->left_out.number = 0;
	return 1;
}

size_t reader_more(struct reader *r, struct frame *out, size_t max)
{
	if (r->over || max == 0)
		return 0;
	r->held = true;
	size_t n = r->next(r, out, max);
	r->held = false;
	return n;
}

void reader_turn(struct reader *r, uint8_t *buffer)
{
	size_t there = reader_there(r);

	memcpy(buffer, r->buffer + r->at, there);
	r->buffer = buffer;
	r->at = 0;
	r->end = there;
}

const char *reader_fault(const struct reader *r, bool *truncated)
{
	*truncated = r->truncated;
	return r->fault[0] ? r->fault : NULL;
}
