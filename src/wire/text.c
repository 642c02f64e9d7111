/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdarg.h>
#include <stdio.h>

#include "model/names.h"
#include "wire/decode.h"

#define ENDPOINT_MAX (ADDR_TEXT_MAX + 8)
#define FLAGS_MAX    9

struct line {
	char *out;
	size_t size, len;
};

static void add(struct line *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void add(struct line *l, const char *fmt, ...)
{
	va_list ap;

	if (l->len >= l->size)
		return;
	va_start(ap, fmt);
	int n = vsnprintf(l->out + l->len, l->size - l->len, fmt, ap);
	va_end(ap);
	l->len += n > 0 ? (size_t)n : 0;
}

static const char *endpoint(const struct addr *a, uint16_t port, char *out)
{
	char text[ADDR_TEXT_MAX];

	snprintf(out, ENDPOINT_MAX, a->family == ADDR_V6 ? "[%s]:%u" : "%s:%u", addr_text(a, text),
		 port);
	return out;
}

/* tcpdump's letters, in its order */
static const char *flags_text(uint8_t flags, char *out)
{
	static const struct {
		enum tcp_flag flag;
		char letter;
	} letters[] = {{TCP_FIN, 'F'}, {TCP_SYN, 'S'}, {TCP_RST, 'R'}, {TCP_PSH, 'P'},
		       {TCP_ACK, '.'}, {TCP_URG, 'U'}, {TCP_ECE, 'E'}, {TCP_CWR, 'W'}};
	size_t n = 0;

	for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
		if (flags & letters[i].flag)
			out[n++] = letters[i].letter;
	out[n] = '\0';
	return out;
}

static void tcp_numbers(struct line *l, uint8_t flags, uint32_t seq, uint32_t ack, uint16_t window)
{
	char letters[FLAGS_MAX];

	add(l, " [%s] seq %u", flags_text(flags, letters), seq);
	if (flags & TCP_ACK)
		add(l, " ack %u", ack);
	add(l, " win %u", window);
}

static void tcp(struct line *l, const struct packet *p)
{
	const struct tcp_segment *t = &p->tcp;
	char from[ENDPOINT_MAX], to[ENDPOINT_MAX];

	add(l, "TCP %s > %s", endpoint(&p->src, t->sport, from), endpoint(&p->dst, t->dport, to));
	tcp_numbers(l, t->flags, t->seq, t->ack, t->window);
	if (t->has_mss)
		add(l, " mss %u", t->mss);
	if (t->options_malformed)
		add(l, " bad-options");
	if (p->payload_len)
		add(l, " len %u", p->payload_len);
}

static void quote(struct line *l, const struct icmp_quote *q)
{
	char from[ENDPOINT_MAX], to[ENDPOINT_MAX];

	if (!q->present)
		return;
	if (q->has_ports) {
		add(l, ", quotes TCP %s > %s", endpoint(&q->src, q->sport, from),
		    endpoint(&q->dst, q->dport, to));
		if (q->has_tcp_rest)
			tcp_numbers(l, q->flags, q->seq, q->ack, q->window);
		else
			add(l, " seq %u", q->seq);
		if (q->has_mss)
			add(l, " mss %u", q->mss);
	} else {
		add(l, ", quotes IP %s > %s", addr_text(&q->src, from), addr_text(&q->dst, to));
		add(l, " proto %u", q->proto);
	}
	add(l, " ttl %u", q->ttl);
}

static void icmp(struct line *l, const struct packet *p)
{
	const struct icmp_message *m = &p->icmp;
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX];

	add(l, "ICMP%s %s > %s", p->src.family == ADDR_V6 ? "v6" : "", addr_text(&p->src, from),
	    addr_text(&p->dst, to));
	add(l, " %s (type %u code %u)", icmp_name(p->src.family, m->type, m->code), m->type,
	    m->code);
	if (m->mtu)
		add(l, " mtu %u", m->mtu);
}

/* "ARP 10.0.0.2 > 10.0.0.1 who has 10.0.0.1" */
static void neighbour(struct line *l, const struct packet *p)
{
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX], about[ADDR_TEXT_MAX];

	add(l, "%s %s > %s", p->src.family == ADDR_V4 ? "ARP" : "ND", addr_text(&p->src, from),
	    addr_text(&p->dst, to));
	add(l, p->neighbour.answers ? " %s is here" : " who has %s", addr_text(&p->neighbour.about, about));
}

static void other(struct line *l, const struct packet *p)
{
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX];

	add(l, "IP %s > %s proto %u", addr_text(&p->src, from), addr_text(&p->dst, to), p->proto);
	if (p->payload_len)
		add(l, " len %u", p->payload_len);
}

const char *wire_text(const struct packet *p, char *out, size_t size)
{
	struct line l = {.out = out, .size = size};

	if (size > 0)
		out[0] = '\0';
	switch (p->kind) {
	case PACKET_TCP: tcp(&l, p); break;
	case PACKET_ICMP: icmp(&l, p); break;
	case PACKET_NEIGHBOUR: neighbour(&l, p); return out; /* a TTL says nothing of it */
	case PACKET_OTHER: other(&l, p); break;
	}
	if (p->frag_offset || p->more_fragments)
		add(&l, " frag %u%s", p->frag_offset, p->more_fragments ? "+" : "");
	add(&l, " ttl %u", p->ttl);
	if (p->kind == PACKET_ICMP)
		quote(&l, &p->icmp.quote);
	return out;
}
