/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Packets of one connection as raw IPv4 frames, and what the engine makes of them. */
#ifndef SB_TEST_CONN_BUILD_H
#define SB_TEST_CONN_BUILD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conn/engine.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define LINK_RAW 101
#define MS       NS_PER_MS
#define EPOCH    (1700000000 * NS_PER_S)

#define CLIENT_ISN 1000u
#define SERVER_ISN 5000u

/* One packet; zeros mean the usual: see made(). */
struct pkt {
	bool server; /* who sends it */
	uint8_t flags;
	int64_t ms;        /* since the begin */
	uint32_t seq, ack; /* relative to the ISNs */
	const char *data;
	uint8_t ttl;
	uint16_t id, window;
	uint16_t port; /* the client's */
	uint32_t isn;  /* the client's */
	uint16_t cut;  /* the capture kept so many bytes of the payload; 0: all */
	uint16_t server_port;
};

struct net {
	struct engine *engine;
	struct conn *records[64];
	size_t n;
	uint64_t ids;
};

static inline void net_done(void *ctx, const struct conn *c)
{
	struct net *n = ctx;

	assert_true(n->n < COUNT(n->records));
	assert_true(c->size >= sizeof(*c));
	n->records[n->n++] = conn_copy(c);
}

static inline void net_begin(struct net *n, const struct engine_options *o)
{
	*n = (struct net){0};
	n->engine = engine_new(o, net_done, n);
}

static inline void net_end(struct net *n)
{
	engine_finish(n->engine);
	engine_free(n->engine);
}

static inline void net_clear(struct net *n)
{
	for (size_t i = 0; i < n->n; i++)
		free(n->records[i]);
}

static inline void be16(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static inline void be32(uint8_t *at, uint32_t v)
{
	be16(at, v >> 16);
	be16(at + 2, v & 0xffff);
}

/* Writes the packet to out; returns its length. */
static inline size_t made(const struct pkt *p, uint64_t number, uint8_t *out)
{
	size_t len = p->data ? strlen(p->data) : 0;
	uint16_t client = p->port ? p->port : 40000, server = p->server_port ? p->server_port : 25;
	uint32_t client_isn = p->isn ? p->isn : CLIENT_ISN;

	memset(out, 0, 40);
	out[0] = 0x45;
	be16(out + 2, (unsigned)(40 + len));
	be16(out + 4, p->id ? p->id : (unsigned)number + 1);
	out[6] = 0x40;
	out[8] = p->ttl ? p->ttl : p->server ? 57 : 64;
	out[9] = 6;
	memcpy(out + 12,
	       p->server ? "\xc0\x00\x02\x19\x0a\x00\x00\x02" : "\x0a\x00\x00\x02\xc0\x00\x02\x19",
	       8);
	be16(out + 20, p->server ? server : client);
	be16(out + 22, p->server ? client : server);
	be32(out + 24, p->seq + (p->server ? SERVER_ISN : client_isn));
	if (p->flags & TCP_ACK)
		be32(out + 28, p->ack + (p->server ? client_isn : SERVER_ISN));
	out[32] = 0x50;
	out[33] = p->flags;
	be16(out + 34, p->window ? p->window : 64240);
	if (len)
		memcpy(out + 40, p->data, len);
	return 40 + len;
}

/* Frames from heap copies of the exact size, so that ASan sees what is read beyond. */
static inline void net_add(struct net *n, const struct pkt *p)
{
	uint8_t bytes[4096];
	size_t len = made(p, n->ids++, bytes), cap = p->cut ? 40u + p->cut : len;
	uint8_t *exact = malloc(cap);

	memcpy(exact, bytes, cap);
	engine_frames(n->engine,
		      &(struct frame){.bytes = exact,
				      .caplen = (uint32_t)cap,
				      .wire_len = (uint32_t)len,
				      .t_ns = EPOCH + p->ms * MS,
				      .link_type = LINK_RAW},
		      1);
	free(exact);
}

static inline void net_add_all(struct net *n, const struct pkt *p, size_t count)
{
	for (size_t i = 0; i < count; i++)
		net_add(n, &p[i]);
}

/* What the engine makes of these packets. */
static inline void net_run(struct net *n, const struct pkt *p, size_t count)
{
	net_begin(n, &(struct engine_options){.seed = {1, 2}});
	net_add_all(n, p, count);
	net_end(n);
}

static inline void assert_text(const struct conn *c, struct conn_text t, const char *is)
{
	assert_int_equal(t.len, strlen(is));
	assert_memory_equal(conn_text(c, t), is, t.len);
}

#define SYN                                                                                        \
	{                                                                                          \
		.flags = TCP_SYN                                                                   \
	}
#define SYNACK                                                                                     \
	{                                                                                          \
		.server = true, .flags = TCP_SYN | TCP_ACK, .ms = 20, .ack = 1                     \
	}
#define ACKED                                                                                      \
	{                                                                                          \
		.flags = TCP_ACK, .ms = 20, .seq = 1, .ack = 1                                     \
	}
#define SAYS(who_server, at, s, a, text)                                                           \
	{                                                                                          \
		.server = who_server, .flags = TCP_ACK | TCP_PSH, .ms = at, .seq = s, .ack = a,    \
		.data = text                                                                       \
	}
#define GREETING "220 mx.example ESMTP\r\n" /* 22 bytes */

#endif
