/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the engine sees in captures, a line each: for looking at it by hand, and
 * for comparing two ways to the same record.
 *
 *   conn-dump [-a] [-q] [-m MEGABYTES] FILE...
 *
 * -a: on any port; -q: only the sums, to measure how fast they are had.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "run/read.h"

static const struct conn *of;
static struct arena *arena;

static void mark(const char *name, struct conn_mark m)
{
	if (conn_seen(m))
		printf(" %s=#%llu", name, (unsigned long long)conn_number(of, m));
}

static void text(const char *name, struct conn_text t)
{
	if (t.len)
		printf(" %s=\"%s\"", name, text_clean(arena, conn_text(of, t), t.len, 300));
}

static void number(const char *name, unsigned long long v)
{
	if (v)
		printf(" %s=%llu", name, v);
}

static void print(const struct conn_print *p)
{
	printf(" [ttl %u id %u win %u mss %u ws %d%s%s%s]", p->ttl, p->ip_id, p->window, p->mss,
	       p->wscale == CONN_NO_WSCALE ? -1 : p->wscale, p->df ? " df" : "", p->ts ? " ts" : "",
	       p->sack ? " sack" : "");
}

static void half(const char *name, const struct conn_half *h)
{
	printf("\n  %s: packets=%u", name, h->packets);
	number("segments", h->segments);
	number("bytes", h->bytes);
	mark("fin", h->fin);
	number("rsts", h->rsts);
	number("resent", h->resent);
	number("late", h->late);
	mark("hole", h->hole);
	number("hole_bytes", h->hole_bytes);
	mark("zero_window", h->zero_window);
	mark("after_rst", h->after_rst);
	number("size_max", h->size_max);
	number("size_acked", h->size_acked);
	if (h->stuck.bytes)
		printf(" stuck=%u(size %u repeats %u)", h->stuck.bytes, h->stuck.size,
		       h->stuck.repeats);
	if (h->packets)
		printf(" ttl=%u..%u window=%u", h->ttl_min, h->ttl_max, h->window_last);
	if (h->fin_acked)
		printf(" fin_acked");
	if (h->fragments)
		printf(" fragments");
	number("dir", h->dir);
}

static void smtp(const struct conn_smtp *s)
{
	static const char *const names[STAGE_COUNT] = {"greeting", "ehlo",    "starttls", "tls",
						       "ehlo-tls", "auth",    "mail",     "rcpt",
						       "data",     "message", "quit"};

	printf("\n  smtp: stage=%s", names[s->stage]);
	for (int i = 0; i < STAGE_COUNT; i++) {
		mark(names[i], s->asked[i]);
		if (s->replies[i].code) {
			printf(" -> %u", s->replies[i].code);
			text("", s->replies[i].text);
		}
	}
	number("bad", s->bad.code);
	if (s->unasked.code) {
		printf(" unasked=%u", s->unasked.code);
		text("", s->unasked.text);
	}
	mark("early", s->early);
	mark("not_smtp", s->not_smtp);
	number("commands", s->commands);
	number("answers", s->answers);
	number("unanswered", s->unanswered);
	number("stopped", s->stopped);
	number("rcpt_ok", s->rcpt_ok);
	number("messages_ok", s->messages_ok);
	text("hello", s->hello);
	text("odd", s->odd_command);
	text("auth", s->auth);
	text("partial", s->partial);
	text("server_first", s->server_first);
	text("client_first", s->client_first);
}

static void tls(const struct conn_tls *t)
{
	printf("\n  tls: offered=%04x version=%04x cipher=%04x", t->offered, t->version, t->cipher);
	mark("client_hello", t->client_hello);
	mark("server_hello", t->server_hello);
	mark("certificate", t->certificate);
	mark("client_data", t->app_data[0]);
	mark("server_data", t->app_data[1]);
	mark("broken", t->broken);
	text("broken_first", t->broken_first);
	number("immediate", t->immediate);
	number("retry", t->retry);
	number("cut", t->certificate_cut);
	text("sni", t->sni);
	text("subject", t->subject);
	text("issuer", t->issuer);
	for (unsigned i = 0; i < t->n_names; i++)
		text("name", t->names[i]);
	for (unsigned i = 0; i < t->n_alerts; i++)
		printf(" alert=%s:%u:%u", t->alerts[i].side ? "server" : "client",
		       t->alerts[i].level, t->alerts[i].description);
	number("not_after", (unsigned long long)t->not_after_s);
}

static void dump(void *ctx, const struct conn *c)
{
	static const char *const ends[] = {"open", "fin", "rst", "idle", "replaced", "evicted"};
	static const char *const begins[] = {"syn", "synack", "middle", "icmp"};
	char a[ADDR_TEXT_MAX], b[ADDR_TEXT_MAX], t[CLOCK_TEXT_MAX];

	(void)ctx;
	of = c;
	printf("%s:%u > %s:%u #%llu..#%llu %s %.3f ms from %s, %s, role %u phase %u",
	       addr_text(&c->client, a), c->client_port, addr_text(&c->server, b), c->server_port,
	       (unsigned long long)c->first_packet, (unsigned long long)c->last_packet,
	       clock_utc_text(c->start_ns, t), (double)(c->last_ns - c->start_ns) / 1e6,
	       begins[c->begin], ends[c->end], c->role, c->phase);
	number("around", c->around);
	number("dup", c->duplicates);
	number("lo", c->loopback);
	number("cut", c->snap_cut);
	number("full", c->text_full);
	number("interfaces", c->interfaces > 1 ? c->interfaces : 0);
	mark("end", c->end_at);
	if (c->syns) {
		printf("\n  syns=%u", c->syns);
		print(&c->syn_print);
	}
	number("after_synack", c->syns_after_synack);
	if (c->synacks) {
		mark("synack", c->synack);
		printf(" synacks=%u", c->synacks);
		print(&c->synack_print);
	}
	mark("synack_other", c->synack_other);
	mark("synack_stray", c->synack_stray);
	mark("established", c->established);
	for (int i = 0; i < c->n_rsts; i++) {
		const struct conn_rst *r = &c->rsts[i];
		printf("\n  rst by %s", r->side ? "server" : "client");
		mark("at", r->at);
		print(&r->print);
		printf(" flags %02x phase %u", r->flags, r->phase);
		if (r->seq_known)
			printf(" seq%+d", r->seq_off);
		if (r->ack_known)
			printf(" ack%+d", r->ack_off);
	}
	for (int i = 0; i < c->n_icmp; i++) {
		const struct conn_icmp *m = &c->icmp[i];
		printf("\n  icmp %u/%u from %s count %u quoted %s ttl %u mtu %u sent %d", m->type,
		       m->code, addr_text(&m->from, a), m->count, m->side ? "server" : "client",
		       m->quoted_ttl, m->mtu, m->seq_known ? m->seq_sent : -1);
		mark("at", m->at);
	}
	if (c->twin)
		printf("\n  twin %s:%u > %s:%u ttl %u", addr_text(&c->twin->client, a),
		       c->twin->client_port, addr_text(&c->twin->server, b), c->twin->server_port,
		       c->twin->ttl);
	half("client", &c->half[CONN_CLIENT]);
	half("server", &c->half[CONN_SERVER]);
	if (c->smtp)
		smtp(c->smtp);
	if (c->tls)
		tls(c->tls);
	printf("\n");
	arena_clear(arena);
}

static void nothing(void *ctx, const struct conn *c)
{
	(void)ctx;
	(void)c;
}

int main(int argc, char **argv)
{
	struct engine_options o = {.seed = {1, 2}};
	struct read_totals totals = {0};
	struct arena texts = {0};
	struct err e;
	conn_done *done = dump;
	int opt, rc = 0;

	arena = &texts;
	while ((opt = getopt(argc, argv, "aqm:")) != -1) {
		if (opt == 'a')
			o.any_port = true;
		if (opt == 'q')
			done = nothing;
		if (opt == 'm')
			o.max_memory = (size_t)atoi(optarg) << 20;
	}
	for (int i = optind; i < argc; i++) {
		int fd = strcmp(argv[i], "-") == 0 ? STDIN_FILENO : open(argv[i], O_RDONLY | O_CLOEXEC);
		if (fd < 0) {
			perror(argv[i]);
			rc = 2;
			continue;
		}
		if (read_fd(fd, argv[i], &o, &(struct relay_sink){.done = done}, &totals, &e) != 0) {
			fprintf(stderr, "%s\n", e.text);
			rc = 2;
		}
		close(fd);
	}
	printf("files=%u packets=%llu connections=%llu undecodable=%llu evicted=%llu flushed=%llu "
	       "unseen=%llu truncated=%d\n",
	       totals.files, (unsigned long long)totals.packets,
	       (unsigned long long)totals.connections, (unsigned long long)totals.undecodable,
	       (unsigned long long)totals.evicted, (unsigned long long)totals.flushed,
	       (unsigned long long)totals.unseen, totals.truncated);
	for (unsigned i = 0; i < totals.n_warnings; i++)
		printf("warning: %s\n", totals.warnings[i]);
	read_totals_clear(&totals);
	return rc;
}
