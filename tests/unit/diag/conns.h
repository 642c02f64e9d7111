/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Connections of a capture, made by hand for the tests of their judgement. */
#ifndef TESTS_DIAG_CONNS_H
#define TESTS_DIAG_CONNS_H

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "conn/conn.h"

#define SAMPLE_START 1769860800000000000LL /* 2026-01-31T12:00:00Z */

struct sample {
	struct conn c;
	struct conn_rst rsts[CONN_RSTS_MAX];
	struct conn_icmp icmp[CONN_ICMP_MAX];
	struct conn_smtp smtp;
	struct conn_tls tls;
	char text[4096];
};

static inline struct addr v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	uint8_t bytes[4] = {a, b, c, d};

	return addr_v4(bytes);
}

static inline struct conn_mark mark(uint32_t packet, double ms)
{
	return (struct conn_mark){packet, (uint32_t)(ms * 1000)};
}

static inline struct conn_text say(struct sample *s, const char *text)
{
	struct conn_text t = {(uint16_t)s->c.text_len, (uint16_t)strlen(text)};

	memcpy(s->text + t.at, text, t.len);
	s->c.text_len += t.len;
	return t;
}

static inline struct conn_print print_of(uint8_t ttl)
{
	return (struct conn_print){.ttl = ttl, .wscale = 7, .window = 64240, .mss = 1460, .df = true, .ts = true, .sack = true};
}

/* A SYN of a client whose link the capture was taken on; nothing else. */
static inline void sample_syn(struct sample *s)
{
	*s = (struct sample){0};
	s->c = (struct conn){
		.size = sizeof(*s), .first_packet = 1, .last_packet = 1, .start_ns = SAMPLE_START,
		.last_ns = SAMPLE_START, .until_ns = SAMPLE_START, .client = v4(10, 1, 0, 2), .server = v4(198, 51, 100, 25),
		.client_port = 40000, .server_port = 25, .interfaces = 1,
		.syn = mark(1, 0), .syn_last = mark(1, 0), .syns = 1, .syn_print = print_of(64),
		.rsts = s->rsts, .icmp = s->icmp, .text = s->text,
	};
	s->c.half[CONN_CLIENT] = (struct conn_half){.packets = 1, .ttl_min = 64, .ttl_max = 64, .ttl_last = 64,
						    .isn_known = true, .last = mark(1, 0), .last_new = mark(1, 0)};
}

static inline void sample_until(struct sample *s, double ms)
{
	s->c.until_ns = SAMPLE_START + (int64_t)(ms * 1e6);
	if (s->c.last_ns < s->c.until_ns && s->c.end != CONN_OPEN)
		s->c.last_ns = s->c.until_ns;
}

/* n SYNs, at 0, 1, 3, 7, ... s. */
static inline void sample_syns(struct sample *s, unsigned n)
{
	double at = ((1u << (n - 1)) - 1) * 1000.0;

	s->c.syns = (uint16_t)n;
	s->c.half[CONN_CLIENT].packets = n;
	s->c.syn_last = s->c.half[CONN_CLIENT].last = mark(n, at);
	s->c.last_ns = SAMPLE_START + (int64_t)(at * 1e6);
	sample_until(s, at + 500);
}

static inline void sample_synack(struct sample *s, double ms, uint8_t ttl)
{
	s->c.synack = s->c.synack_last = mark(2, ms);
	s->c.synacks = 1;
	s->c.synack_print = print_of(ttl);
	s->c.phase = CONN_PHASE_SYNACK;
	s->c.half[CONN_SERVER] = (struct conn_half){.packets = 1, .ttl_min = ttl, .ttl_max = ttl, .ttl_last = ttl,
						    .isn_known = true, .window_max = 64240, .window_last = 64240,
						    .last = mark(2, ms), .last_new = mark(2, ms)};
	sample_until(s, ms);
}

static inline void sample_connected(struct sample *s)
{
	sample_syn(s);
	sample_synack(s, 20, 57);
	s->c.established = s->c.half[CONN_CLIENT].last = s->c.half[CONN_CLIENT].last_new = mark(3, 20.1);
	s->c.half[CONN_CLIENT].packets = 2;
	s->c.phase = CONN_PHASE_ACK;
	sample_until(s, 20.1);
}

/* The server's data. */
static inline void sample_words(struct sample *s, struct conn_mark at, unsigned bytes)
{
	struct conn_half *server = &s->c.half[CONN_SERVER];

	if (!conn_seen(server->first_data))
		server->first_data = at;
	server->last_data = server->last = server->last_new = at;
	server->packets++;
	server->segments++;
	server->bytes += bytes;
	server->size_max = (uint16_t)bytes;
	s->c.smtp = &s->smtp;
	s->c.phase = s->c.phase < CONN_PHASE_GREETED ? CONN_PHASE_GREETED : s->c.phase;
	sample_until(s, at.t_us / 1000.0);
}

static inline void sample_reply(struct sample *s, enum session_stage stage, unsigned code, const char *text,
				struct conn_mark at)
{
	struct conn_reply *r = &s->smtp.replies[stage];

	sample_words(s, at, (unsigned)strlen(text) + 6);
	*r = (struct conn_reply){.at = at, .code = (uint16_t)code, .lines = 1, .text = say(s, text)};
	s->smtp.answers++;
	s->smtp.last_stage = (uint8_t)stage;
	if (s->smtp.unanswered)
		s->smtp.unanswered--;
	if (code >= 400 && !s->smtp.bad.code) {
		s->smtp.bad = *r;
		s->smtp.bad_stage = (uint8_t)stage;
	}
}

static inline void sample_greeted(struct sample *s)
{
	sample_connected(s);
	sample_reply(s, STAGE_GREETING, 220, "mx.example.net ESMTP", mark(4, 45));
	s->c.half[CONN_CLIENT].last = s->c.half[CONN_CLIENT].last_new = mark(5, 45.1);
}

static inline void sample_command(struct sample *s, enum session_stage stage, unsigned bytes, struct conn_mark at)
{
	struct conn_half *client = &s->c.half[CONN_CLIENT];

	s->smtp.asked[stage] = s->smtp.last_command = at;
	s->smtp.stage = (uint8_t)stage;
	s->smtp.commands++;
	s->smtp.unanswered++;
	if (!conn_seen(client->first_data))
		client->first_data = at;
	client->last_data = client->last = client->last_new = at;
	client->packets++;
	client->segments++;
	client->bytes += bytes;
	client->size_acked = client->size_max = (uint16_t)bytes;
	s->c.phase = s->smtp.commands > 1 ? CONN_PHASE_MORE : CONN_PHASE_ONE;
	sample_until(s, at.t_us / 1000.0);
}

#define SAMPLE_EHLO "mx.example.net\nPIPELINING\nSIZE 10240000\nSTARTTLS\nAUTH PLAIN LOGIN\n8BITMIME"

static inline void sample_ehlo(struct sample *s)
{
	sample_greeted(s);
	sample_command(s, STAGE_EHLO, 24, mark(6, 46));
	sample_reply(s, STAGE_EHLO, 250, SAMPLE_EHLO, mark(7, 66));
}

static inline struct conn_rst *sample_rst(struct sample *s, enum conn_side side, unsigned flags, uint8_t ttl,
					  struct conn_mark at)
{
	struct conn_rst *r = &s->rsts[s->c.n_rsts++];
	struct conn_half *half = &s->c.half[side];

	*r = (struct conn_rst){.at = at, .print = print_of(ttl), .side = (uint8_t)side, .flags = (uint8_t)flags,
			       .phase = s->c.phase, .provoked = 2, .seq_known = true, .ack_known = true};
	half->packets++;
	half->rsts++;
	half->last = at;
	if (s->c.end == CONN_OPEN)
		s->c.end_at = at;
	s->c.end = CONN_RST;
	sample_until(s, at.t_us / 1000.0);
	return r;
}

static inline struct conn_icmp *sample_icmp(struct sample *s, struct addr from, unsigned type, unsigned code,
					    uint8_t ttl, uint8_t quoted_ttl)
{
	struct conn_icmp *i = &s->icmp[s->c.n_icmp++];

	*i = (struct conn_icmp){.at = mark(2, 3), .from = from, .type = (uint8_t)type, .code = (uint8_t)code, .ttl = ttl,
				.quoted_ttl = quoted_ttl, .side = CONN_CLIENT, .phase = CONN_PHASE_SYN,
				.quoted_len = 60, .count = 1, .seq_known = true, .seq_sent = true};
	sample_until(s, 3);
	return i;
}

static inline void sample_fin(struct sample *s, enum conn_side side, struct conn_mark at)
{
	s->c.half[side].fin = s->c.half[side].last = at;
	s->c.half[side].fins = 1;
	s->c.half[side].packets++;
	if (conn_seen(s->c.half[!side].fin)) {
		s->c.end = CONN_FIN;
		s->c.end_at = at;
	}
	sample_until(s, at.t_us / 1000.0);
}

static inline void sample_stuck(struct sample *s, enum conn_side side, unsigned bytes, unsigned repeats,
				struct conn_mark first, struct conn_mark last)
{
	struct conn_half *half = &s->c.half[side];

	half->stuck = (struct conn_stuck){.first = first, .last = last, .repeats = (uint16_t)repeats,
					  .size = (uint16_t)bytes, .bytes = bytes};
	half->resent = (uint16_t)repeats;
	half->size_max = (uint16_t)bytes;
	half->last = last;
	half->packets += repeats;
	sample_until(s, last.t_us / 1000.0 + 100);
}

static inline void sample_hello(struct sample *s, struct conn_mark at)
{
	s->c.tls = &s->tls;
	s->tls.client_hello = at;
	s->tls.offered = 0x0304;
	s->c.half[CONN_CLIENT].last_data = s->c.half[CONN_CLIENT].last = at;
	s->c.half[CONN_CLIENT].segments++;
	s->c.half[CONN_CLIENT].bytes += 300;
	s->c.phase = CONN_PHASE_MORE;
	sample_until(s, at.t_us / 1000.0);
}

static inline void sample_starttls(struct sample *s)
{
	sample_ehlo(s);
	sample_command(s, STAGE_STARTTLS, 10, mark(8, 67));
	sample_reply(s, STAGE_STARTTLS, 220, "go ahead", mark(9, 87));
	sample_hello(s, mark(10, 88));
}

#endif
