/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writes a capture of SMTP connections of every outcome among other traffic, and
 * its truth: a line for each connection, with what was made of it. The same seed
 * gives the same bytes.
 *
 *   gencap [-n CONNECTIONS] [-b BACKGROUND-PACKETS-PER-SMTP-PACKET] [-r PER-SECOND]
 *          [-s SEED] [-6 PERCENT] CAPTURE TRUTH
 *
 * The defaults make 200,000 connections, about 5 million packets, 1 GB. Truth:
 * client address, port, server address, port, kind, hops between the capture and
 * whoever forges resets (negative where none does), tab-separated.
 */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MS 1000ull
#define S  1000000ull

enum flag { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

/* Who forges a reset is so many hops nearer than the server. */
#define FORGER_NEARER 9

/* What a step sends: flags with data, or something that needs more. */
enum special {
	PLAIN,
	FORGED,    /* a RST by somebody nearer */
	ICMP_ADMIN, /* from a router on the way */
	ICMP_PORT,  /* from the server */
	ICMP_HOST,  /* from the last router */
	ZERO_WINDOW,
	AGAIN,     /* the same segment once more */
	LAST,
};

struct step {
	uint64_t delay; /* microseconds after the step before */
	char who;       /* 'c' or 's'; 0: the end */
	uint8_t flags;
	enum special special;
	const char *data;
	size_t len; /* of data, when it holds NULs */
};

#define C(delay, flags)	     {delay, 'c', flags, PLAIN, NULL, 0}
#define D(delay, text)	     {delay, 'c', PSH | ACK, PLAIN, text, 0}
#define V(delay, flags)	     {delay, 's', flags, PLAIN, NULL, 0}
#define R(delay, text)	     {delay, 's', PSH | ACK, PLAIN, text, 0}
#define B(who, delay, bytes) {delay, who, PSH | ACK, PLAIN, bytes, sizeof(bytes) - 1}
#define X(delay, who, flags, special) {delay, who, flags, special, NULL, 0}
#define HANDSHAKE            C(0, SYN), V(20 * MS, SYN | ACK), C(1, ACK)
#define GREETING             R(15 * MS, "220 mx.example.net ESMTP Postfix\r\n"), C(20, ACK)
#define EHLO                 D(300, "EHLO client.example.org\r\n")
#define EHLO_OK                                                                                    \
	R(21 * MS, "250-mx.example.net\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250-STARTTLS\r\n" \
		   "250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250 CHUNKING\r\n")
#define GOODBYE                                                                                    \
	D(300, "QUIT\r\n"), R(20 * MS, "221 2.0.0 Bye\r\n"), V(10, FIN | ACK), C(50, FIN | ACK),   \
		V(20 * MS, ACK)

#define CLIENT_HELLO                                                                               \
	"\x16\x03\x01\x00\x52\x01\x00\x00\x4e\x03\x03"                                             \
	"0123456789abcdef0123456789abcdef\x00\x00\x02\x13\x02\x01\x00\x00\x23"                     \
	"\x00\x00\x00\x13\x00\x11\x00\x00\x0emx.example.net\x00\x2b\x00\x05\x04\x03\x04\x03\x03"    \
	"\xff\x01\x00\x00"
#define SERVER_HELLO                                                                               \
	"\x16\x03\x03\x00\x32\x02\x00\x00\x2e\x03\x03"                                             \
	"fedcba9876543210fedcba9876543210\x00\x13\x02\x00\x00\x06\x00\x2b\x00\x02\x03\x04"          \
	"\x14\x03\x03\x00\x01\x01\x17\x03\x03\x00\x10"                                             \
	"0123456789abcdef"
#define CLIENT_DATA "\x14\x03\x03\x00\x01\x01\x17\x03\x03\x00\x10" "abcdef0123456789"

static const struct step open_mail[] = {
	HANDSHAKE, GREETING, EHLO, EHLO_OK, D(300, "MAIL FROM:<a@example.org>\r\n"),
	R(20 * MS, "250 2.1.0 Ok\r\n"), D(300, "RCPT TO:<b@example.net>\r\n"),
	R(25 * MS, "250 2.1.5 Ok\r\n"), D(300, "DATA\r\n"), R(20 * MS, "354 End data\r\n"),
	D(400, "Subject: greetings\r\n\r\nHow do you do?\r\n.\r\n"),
	R(30 * MS, "250 2.0.0 Ok: queued as 4711\r\n"), GOODBYE, {0}};
static const struct step open_quit[] = {HANDSHAKE, GREETING, EHLO, EHLO_OK, GOODBYE, {0}};
static const struct step open_tls[] = {
	HANDSHAKE, GREETING, EHLO, EHLO_OK, D(300, "STARTTLS\r\n"),
	R(20 * MS, "220 2.0.0 Ready to start TLS\r\n"), B('c', 400, CLIENT_HELLO),
	B('s', 22 * MS, SERVER_HELLO), B('c', 500, CLIENT_DATA), B('s', 20 * MS, "\x17\x03\x03\x00\x04" "1234"),
	C(300, FIN | ACK), V(20 * MS, FIN | ACK), C(30, ACK), {0}};
static const struct step silent[] = {C(0, SYN), C(1 * S, SYN), C(2 * S, SYN), C(4 * S, SYN),
				     C(8 * S, SYN), C(16 * S, SYN), {0}};
static const struct step refused[] = {C(0, SYN), V(20 * MS, RST | ACK), {0}};
static const struct step icmp_admin[] = {C(0, SYN), X(4 * MS, 's', 0, ICMP_ADMIN), C(1 * S, SYN),
					 X(4 * MS, 's', 0, ICMP_ADMIN), {0}};
static const struct step icmp_port[] = {C(0, SYN), X(20 * MS, 's', 0, ICMP_PORT), {0}};
static const struct step icmp_host[] = {C(0, SYN), X(3 * S, 's', 0, ICMP_HOST), C(10 * MS, SYN), {0}};
static const struct step own_firewall[] = {
	C(0, SYN), V(20 * MS, SYN | ACK), C(980 * MS, SYN), V(20 * MS, SYN | ACK), C(1980 * MS, SYN),
	V(20 * MS, SYN | ACK), C(3980 * MS, SYN), V(20 * MS, SYN | ACK), {0}};
static const struct step forged_syn[] = {C(0, SYN), X(3 * MS, 's', RST | ACK, FORGED),
					 V(17 * MS, SYN | ACK), C(2, RST), {0}};
static const struct step greeting_554[] = {
	HANDSHAKE, R(15 * MS, "554 5.7.1 mx.example.net: no mail from dynamic addresses\r\n"), C(20, ACK),
	D(200, "QUIT\r\n"), R(20 * MS, "221 Bye\r\n"), V(10, FIN | ACK), C(50, FIN | ACK), V(20 * MS, ACK), {0}};
static const struct step greeting_421[] = {
	HANDSHAKE, R(15 * MS, "421 4.7.0 mx.example.net: too many connections\r\n"), V(10, FIN | ACK),
	C(50, FIN | ACK), V(20 * MS, ACK), {0}};
static const struct step ehlo_550[] = {HANDSHAKE, GREETING, EHLO,
				       R(21 * MS, "550 5.7.1 Client host rejected: cannot find your hostname\r\n"),
				       GOODBYE, {0}};
static const struct step masked[] = {
	HANDSHAKE, R(15 * MS, "220 *****************************************\r\n"), C(20, ACK), EHLO,
	R(21 * MS, "250-mx.example.net\r\n250-XXXXXXXA\r\n250 8BITMIME\r\n"), GOODBYE, {0}};
static const struct step starttls_masked[] = {
	HANDSHAKE, GREETING, EHLO,
	R(21 * MS, "250-mx.example.net\r\n250-PIPELINING\r\n250-XXXXXXXA\r\n250 8BITMIME\r\n"), GOODBYE, {0}};
static const struct step reset_forged[] = {HANDSHAKE, GREETING, EHLO, X(3 * MS, 's', RST | ACK, FORGED),
					   R(18 * MS, "250 mx.example.net\r\n"), C(5, RST), {0}};
static const struct step reset_server[] = {HANDSHAKE, GREETING, EHLO, V(21 * MS, RST | ACK), {0}};
static const struct step closed[] = {HANDSHAKE, V(15 * MS, FIN | ACK), C(50, FIN | ACK), V(20 * MS, ACK), {0}};
static const struct step no_greeting[] = {HANDSHAKE, C(60 * S, FIN | ACK), V(20 * MS, ACK), V(100, FIN | ACK), C(40, ACK), {0}};
static const struct step not_smtp[] = {HANDSHAKE, R(15 * MS, "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"), C(20, ACK),
				       C(300, FIN | ACK), V(20 * MS, FIN | ACK), C(40, ACK), {0}};
static const struct step tls_alert[] = {
	HANDSHAKE, GREETING, EHLO, EHLO_OK, D(300, "STARTTLS\r\n"),
	R(20 * MS, "220 2.0.0 Ready to start TLS\r\n"), B('c', 400, CLIENT_HELLO),
	B('s', 22 * MS, "\x15\x03\x03\x00\x02\x02\x28"), V(10, FIN | ACK), C(50, FIN | ACK), V(20 * MS, ACK), {0}};

static const struct kind {
	const char *name;
	const struct step *steps;
	unsigned weight;
} kinds[] = {
	{"open-mail", open_mail, 30},	  {"open-quit", open_quit, 20},
	{"open-tls", open_tls, 20},	  {"silent", silent, 5},
	{"refused", refused, 6},	  {"icmp-admin", icmp_admin, 3},
	{"icmp-port", icmp_port, 2},	  {"icmp-host", icmp_host, 2},
	{"own-firewall", own_firewall, 3}, {"forged-syn", forged_syn, 3},
	{"greeting-554", greeting_554, 4}, {"greeting-421", greeting_421, 3},
	{"ehlo-550", ehlo_550, 3},	  {"masked", masked, 3},
	{"starttls-masked", starttls_masked, 3}, {"reset-forged", reset_forged, 3},
	{"reset-server", reset_server, 3}, {"closed", closed, 3},
	{"no-greeting", no_greeting, 2},  {"not-smtp", not_smtp, 3},
	{"tls-alert", tls_alert, 3},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct connection {
	uint64_t at; /* of its next step */
	const struct step *step;
	uint32_t number;
	uint32_t seq[2]; /* client, server: next to send */
	uint16_t id[2];
	uint16_t port;
	uint8_t ttl[2];
	bool v6;
	bool syn_sent[2];
};

static FILE *out;
static uint64_t random_state;
static uint8_t frame[2048];
static size_t frame_len;

static uint64_t draw(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 0x2545f4914f6cdd1d;
}

/* ---- packets ---- */

static void put8(unsigned v)
{
	frame[frame_len++] = (uint8_t)v;
}

static void put16(unsigned v)
{
	put8(v >> 8);
	put8(v & 0xff);
}

static void put32(uint32_t v)
{
	put16(v >> 16);
	put16(v & 0xffff);
}

static void put(const void *bytes, size_t len)
{
	memcpy(frame + frame_len, bytes, len);
	frame_len += len;
}

static void write_frame(uint64_t t)
{
	const uint64_t epoch = 1760000000;
	uint32_t head[4] = {(uint32_t)(epoch + t / S), (uint32_t)(t % S), (uint32_t)frame_len, (uint32_t)frame_len};

	fwrite(head, sizeof(head), 1, out);
	fwrite(frame, frame_len, 1, out);
}

static void ethernet(bool v6)
{
	frame_len = 0;
	put("\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02", 12);
	put16(v6 ? 0x86dd : 0x0800);
}

static uint32_t client_v4(uint32_t n)
{
	return 0x0a000000 | (n / 40000 * 7 + n % 97) % 0xffff00;
}

static uint32_t server_v4(uint32_t n)
{
	return 0xc6336400 | (n % 241 + 1) | (n / 241 % 64) << 10;
}

static void address(bool v6, bool server, uint32_t n)
{
	if (v6) {
		put32(0x20010db8);
		put32(server ? 0x00020000 : 0x00010000);
		put32(0);
	}
	put32(server ? server_v4(n) : client_v4(n));
}

static void ip(const struct connection *c, bool from_server, size_t len, unsigned proto, unsigned ttl, unsigned id)
{
	ethernet(c->v6);
	if (c->v6) {
		put32(0x60000000);
		put16((unsigned)len);
		put8(proto);
		put8(ttl);
	} else {
		put16(0x4500);
		put16((unsigned)len + 20);
		put16(id);
		put16(0x4000);
		put8(ttl);
		put8(proto);
		put16(0);
	}
	address(c->v6, from_server, c->number);
	address(c->v6, !from_server, c->number);
}

static void tcp_ports(const struct connection *c, bool from_server)
{
	put16(from_server ? 25 : c->port);
	put16(from_server ? c->port : 25);
}

static void tcp(struct connection *c, const struct step *s)
{
	static const uint8_t options[] = {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 1, 2, 3, 0, 0, 0, 0, 1, 3, 3, 7};
	bool server = s->who == 's';
	size_t len = s->data ? (s->len ? s->len : strlen(s->data)) : 0;
	bool syn = s->flags & SYN;
	bool forged = s->special == FORGED;
	size_t header = syn ? 40 : 20;
	uint32_t seq = c->seq[server];
	/* SYNs and SYN-ACKs come again with their own number */
	bool again = syn && c->syn_sent[server];

	if (again)
		seq--;
	if (syn)
		c->syn_sent[server] = true;
	unsigned ttl = forged ? c->ttl[1] + FORGER_NEARER : c->ttl[server];
	unsigned id = forged ? (unsigned)(draw() & 0xffff) : c->id[server]++;
	ip(c, server, header + len, 6, ttl, id);
	tcp_ports(c, server);
	/* a RST in answer to a SYN has no number of its own */
	put32(server && (s->flags & RST) && !c->syn_sent[1] ? 0 : seq);
	put32(s->flags & ACK ? c->seq[!server] : 0);
	put8((unsigned)header / 4 << 4);
	put8(s->flags);
	put16(s->flags & RST ? 0 : 64240);
	put32(0);
	if (syn)
		put(options, sizeof(options));
	if (len)
		put(s->data, len);
	write_frame(c->at);
	if (!again && !(s->flags & RST))
		c->seq[server] += (uint32_t)len + (syn ? 1 : 0) + (s->flags & FIN ? 1 : 0);
}

static void icmp(const struct connection *c, enum special special)
{
	static const uint8_t code4[] = {[ICMP_ADMIN] = 13, [ICMP_PORT] = 3, [ICMP_HOST] = 1};
	static const uint8_t code6[] = {[ICMP_ADMIN] = 1, [ICMP_PORT] = 4, [ICMP_HOST] = 3};
	size_t quoted = c->v6 ? 40 + 20 : 20 + 20;
	size_t from = special == ICMP_PORT ? 1 : 0;

	ip(c, true, 8 + quoted, c->v6 ? 58 : 1, special == ICMP_PORT ? c->ttl[1] : 62, (unsigned)(draw() & 0xffff));
	if (!from) { /* a router: another address in the place of the server's */
		size_t at = 14 + (c->v6 ? 8 : 12);
		memcpy(frame + at, c->v6 ? "\x20\x01\x0d\xb8\x00\x09\x00\x00\x00\x00\x00\x00" : "\xcb\x00\x71\x01", c->v6 ? 12 : 4);
	}
	put8(c->v6 ? 1 : 3);
	put8(c->v6 ? code6[special] : code4[special]);
	put16(0);
	put32(0);
	uint8_t icmp_frame[256];
	size_t len = frame_len;
	memcpy(icmp_frame, frame, len);
	ip(c, false, 40, 6, 60, 1);
	tcp_ports(c, false);
	put32(c->seq[0] - 1);
	put32(0);
	put8(0xa0);
	put8(SYN);
	put16(64240);
	put32(0);
	memcpy(icmp_frame + len, frame + 14, frame_len - 14);
	len += frame_len - 14;
	memcpy(frame, icmp_frame, len);
	frame_len = len;
	write_frame(c->at);
}

/* ---- connections by the time of their next step ---- */

static struct connection *heap;
static size_t heap_len;

static void sift_down(size_t i)
{
	for (;;) {
		size_t least = i, left = 2 * i + 1;
		for (size_t j = left; j < left + 2 && j < heap_len; j++)
			if (heap[j].at < heap[least].at ||
			    (heap[j].at == heap[least].at && heap[j].number < heap[least].number))
				least = j;
		if (least == i)
			return;
		struct connection c = heap[i];
		heap[i] = heap[least];
		heap[least] = c;
		i = least;
	}
}

static void push(const struct connection *c)
{
	size_t i = heap_len++;

	heap[i] = *c;
	while (i > 0 && heap[(i - 1) / 2].at > heap[i].at) {
		struct connection up = heap[(i - 1) / 2];
		heap[(i - 1) / 2] = heap[i];
		heap[i] = up;
		i = (i - 1) / 2;
	}
}

/* Is one of its resets forged? */
static bool is_forged(const struct kind *k)
{
	for (const struct step *s = k->steps; s->who; s++)
		if (s->special == FORGED)
			return true;
	return false;
}

static const struct kind *draw_kind(void)
{
	unsigned sum = 0;

	for (size_t i = 0; i < KINDS; i++)
		sum += kinds[i].weight;
	unsigned at = (unsigned)(draw() % sum);
	for (size_t i = 0;; i++) {
		if (at < kinds[i].weight)
			return &kinds[i];
		at -= kinds[i].weight;
	}
}

static void begin(uint32_t n, uint64_t at, unsigned v6_percent, FILE *truth)
{
	/* the first of each kind come in order, so that a small capture has them all */
	const struct kind *k = n < KINDS ? &kinds[n] : draw_kind();
	struct connection c = {
		.at = at,
		.step = k->steps,
		.number = n,
		.seq = {(uint32_t)draw(), (uint32_t)draw()},
		.id = {(uint16_t)draw(), (uint16_t)draw()},
		.port = (uint16_t)(20000 + n % 40000),
		.ttl = {64, (uint8_t)(64 - 5 - server_v4(n) * 7 % 20)}, /* a server's distance is its own */
		.v6 = draw() % 100 < v6_percent,
	};
	char client[64], server[64];
	uint32_t a = htonl(client_v4(n)), b = htonl(server_v4(n));

	inet_ntop(AF_INET, &a, client, sizeof(client));
	inet_ntop(AF_INET, &b, server, sizeof(server));
	if (c.v6) {
		uint8_t six[16] = {0x20, 1, 0x0d, 0xb8, 0, 1};
		memcpy(six + 12, &a, 4);
		inet_ntop(AF_INET6, six, client, sizeof(client));
		six[5] = 2;
		memcpy(six + 12, &b, 4);
		inet_ntop(AF_INET6, six, server, sizeof(server));
	}
	int hops = is_forged(k) ? 64 - c.ttl[1] - FORGER_NEARER : -1;
	fprintf(truth, "%s\t%u\t%s\t25\t%s\t%d\n", client, c.port, server, k->name, hops);
	push(&c);
}

/* Web pages, names, other things: long and short packets. */
static void background(uint64_t t)
{
	static const uint8_t filler[1448];
	struct connection c = {.number = (uint32_t)(draw() % 5000), .port = (uint16_t)(1024 + draw() % 30000)};
	uint64_t what = draw() % 100;
	bool server = draw() % 2;
	size_t len;

	if (what < 12) { /* DNS */
		len = 30 + draw() % 120;
		ip(&c, server, 8 + len, 17, 60, (unsigned)draw() & 0xffff);
		put16(server ? 53 : c.port);
		put16(server ? c.port : 53);
		put16((unsigned)len + 8);
		put16(0);
	} else {
		len = what < 55 ? 0 : what < 75 ? draw() % 300 : 600 + draw() % 848;
		ip(&c, server, 32 + len, 6, 58, (unsigned)draw() & 0xffff);
		put16(server ? 443 : c.port);
		put16(server ? c.port : 443);
		put32((uint32_t)draw());
		put32((uint32_t)draw());
		put16(0x8000 | ACK);
		put16(501);
		put32(0);
		put("\x01\x01\x08\x0a\x00\x00\x00\x01\x00\x00\x00\x02", 12);
	}
	put(filler, len);
	write_frame(t);
}

int main(int argc, char **argv)
{
	static const uint32_t header[6] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 262144, 1};
	uint32_t n = 200000, started = 0;
	double ratio = 1.02, owed = 0, rate = 200;
	unsigned v6_percent = 10;
	uint64_t t = 0, seed = 1;
	int opt;

	while ((opt = getopt(argc, argv, "n:b:r:s:6:")) != -1) {
		switch (opt) {
		case 'n': n = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 'b': ratio = strtod(optarg, NULL); break;
		case 'r': rate = strtod(optarg, NULL); break;
		case 's': seed = strtoull(optarg, NULL, 10); break;
		case '6': v6_percent = (unsigned)strtoul(optarg, NULL, 10); break;
		default: return 2;
		}
	}
	if (argc - optind != 2) {
		fprintf(stderr, "usage: gencap [OPTIONS] CAPTURE TRUTH\n");
		return 2;
	}
	out = fopen(argv[optind], "wb");
	FILE *truth = fopen(argv[optind + 1], "w");
	heap = malloc(((size_t)n + 1) * sizeof(*heap));
	if (!out || !truth || !heap) {
		perror("gencap");
		return 1;
	}
	setvbuf(out, NULL, _IOFBF, 1 << 20);
	random_state = seed * 0x9e3779b97f4a7c15 | 1;
	fwrite(header, sizeof(header), 1, out);
	while (started < n || heap_len > 0) {
		uint64_t next_start = (uint64_t)(started * (double)S / rate);
		if (started < n && (heap_len == 0 || heap[0].at >= next_start)) {
			begin(started++, next_start, v6_percent, truth);
			continue;
		}
		struct connection *c = &heap[0];
		for (owed += ratio; owed >= 1; owed--)
			background(t + (c->at - t) / 2);
		t = c->at;
		if (c->step->special >= ICMP_ADMIN && c->step->special <= ICMP_HOST)
			icmp(c, c->step->special);
		else
			tcp(c, c->step);
		c->step++;
		c->at += c->step->delay;
		if (c->step->who == 0)
			*c = heap[--heap_len];
		sift_down(0);
	}
	bool failed = fclose(out) != 0;
	failed = fclose(truth) != 0 || failed;
	free(heap);
	if (failed)
		perror("gencap");
	return failed;
}
