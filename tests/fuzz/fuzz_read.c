/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A capture file through reader and engine, on listed ports and on any, with little memory; every
 * record must be sound. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture/reader.h"
#include "conn/engine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_text(const struct conn *c, struct conn_text t)
{
	require((size_t)t.at + t.len <= c->text_len);
}

static void check_smtp(const struct conn *c, const struct conn_smtp *s)
{
	for (int i = 0; i < STAGE_COUNT; i++)
		check_text(c, s->replies[i].text);
	check_text(c, s->bad.text);
	check_text(c, s->unasked.text);
	check_text(c, s->hello);
	check_text(c, s->odd_command);
	check_text(c, s->auth);
	check_text(c, s->partial);
	check_text(c, s->server_first);
	check_text(c, s->client_first);
	require(s->stage < STAGE_COUNT);
}

static void check(void *ctx, const struct conn *c)
{
	const char *begin = (const char *)c, *end = begin + c->size;

	(void)ctx;
	require(c->text >= begin && c->text + c->text_len <= end && c->text_len <= CONN_TEXT_MAX);
	require(c->n_rsts <= CONN_RSTS_MAX && c->n_icmp <= CONN_ICMP_MAX);
	require(addr_is_set(&c->client) && c->client.family == c->server.family);
	require(c->last_ns >= c->start_ns && c->last_packet >= c->first_packet);
	if (c->smtp)
		check_smtp(c, c->smtp);
	if (c->tls) {
		require(c->tls->n_names <= CONN_NAMES_MAX && c->tls->n_alerts <= CONN_ALERTS_MAX);
		for (unsigned i = 0; i < c->tls->n_names; i++)
			check_text(c, c->tls->names[i]);
		check_text(c, c->tls->sni);
		check_text(c, c->tls->subject);
		check_text(c, c->tls->issuer);
	}
	free(conn_copy(c));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	struct frame frames[64];
	struct reader *r;
	struct err e;
	bool truncated;
	size_t n;

	if (fd < 0)
		fd = memfd_create("capture", MFD_CLOEXEC);
	if (ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		return 0;
	lseek(fd, 0, SEEK_SET);
	if (reader_open(&r, fd, "fuzz", &e) != 0)
		return 0;
	struct engine *listed = engine_new(&(struct engine_options){.seed = {1, 2}}, check, NULL);
	struct engine *any = engine_new(
		&(struct engine_options){.any_port = true, .max_memory = 400 << 10, .seed = {3, 4}},
		check, NULL);
	while ((n = reader_next(r, frames, 64)) > 0) {
		engine_frames(listed, frames, n);
		engine_frames(any, frames, n);
	}
	reader_fault(r, &truncated);
	engine_finish(listed);
	engine_finish(any);
	engine_free(listed);
	engine_free(any);
	reader_free(r);
	return 0;
}
