/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One TCP connection as a capture shows it: everything that a judgement can
 * need, and nothing judged. Made by conn/engine.h, one record a connection.
 *
 * A record is one block of memory without inner copies: pointers lead into the
 * same block, texts are offsets into `text`. It is the maker's and valid during
 * the call that hands it over; conn_copy() keeps it. Texts are raw bytes of the
 * wire, hostile and no C strings: base/text.h cleans them.
 *
 * Absence means "the capture doesn't show it". Whether the capture could have
 * shown it is told by `begin`, `end`, `holes`, `snap_cut` and `text_full`.
 */
#ifndef SB_CONN_CONN_H
#define SB_CONN_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "model/event.h"
#include "model/packet.h"

/* ---- where and when: the evidence of each observation ---- */

/* One packet, relative to the connection's first one: half the size of absolute values, and there
 * are many. Use conn_seen(), conn_number(), conn_ns(). */
struct conn_mark {
	uint32_t packet; /* 1 + packets of the file since the first; 0: did not happen */
	uint32_t t_us;   /* microseconds since the first; UINT32_MAX: 71 minutes or more */
};

#define CONN_FAR UINT32_MAX /* of .packet: beyond what the number can tell */

/* A run of bytes in conn.text; len 0: nothing was seen or kept. */
struct conn_text {
	uint16_t at, len;
};

/* ---- one packet's header: whose stack wrote it? ---- */

#define CONN_NO_WSCALE 0xff

struct conn_print {
	uint8_t ttl;
	uint8_t wscale;       /* CONN_NO_WSCALE: no such option */
	uint16_t ip_id;       /* IPv4 */
	uint16_t window;      /* as it stands, not scaled */
	uint16_t mss;         /* 0: no such option */
	uint32_t ts_val;
	bool df : 1, ts : 1, sack : 1;
	bool ip_options : 1;  /* or IPv6 extension headers */
	bool bad_options : 1; /* malformed TCP options */
};

/* ---- the two halves ---- */

enum conn_side {
	CONN_CLIENT,
	CONN_SERVER,
	CONN_SIDES,
};

/* The oldest data that this side sent and the other never acknowledged, as of the end. */
struct conn_stuck {
	struct conn_mark first, last; /* sent (when it became the oldest), and sent again for the last time */
	uint16_t repeats;  /* times sent again */
	uint16_t size;     /* bytes of that segment, the largest form it took */
	uint32_t bytes;    /* unacknowledged in all; 0: nothing is stuck, the rest is empty */
};

/* What one side sent. */
struct conn_half {
	uint32_t packets;         /* duplicates of the capture not counted */
	uint32_t segments;        /* of them with payload */
	uint64_t bytes;           /* of the stream, each once, whether the capture has them or not */
	struct conn_mark first_data, last_data; /* packets with payload */
	struct conn_mark last;    /* packet of any kind, RST included */
	struct conn_mark last_new; /* latest that brought or acknowledged something new */
	struct conn_mark fin;     /* first FIN */
	struct conn_mark zero_window; /* first window of 0 after the handshake (not in a RST) */
	struct conn_mark after_rst; /* first packet that is no RST, after this side's own first RST */
	struct conn_mark hole;    /* first byte that is missing in the capture */
	struct conn_stuck stuck;
	uint32_t isn;             /* if isn_known */
	uint32_t hole_bytes;      /* acknowledged by the other side, never seen: the capture lost them */
	uint16_t resent;          /* segments seen again: lost behind the tap, or thought so */
	uint16_t late;            /* segments that filled a hole: lost before the tap, or reordered */
	uint16_t fins, rsts;
	uint16_t zero_windows;
	uint16_t window_max;      /* largest window after the handshake, not scaled */
	uint16_t window_last;
	uint16_t size_max;        /* largest payload of one packet; 65535: that or more (GSO) */
	uint16_t size_acked;      /* largest payload that the other side acknowledged */
	uint16_t ip_id_first, ip_id_last; /* of packets that are no RST */
	uint8_t ttl_min, ttl_max, ttl_last; /* of packets that are no RST; 0: none */
	uint8_t dir;              /* enum packet_dir of its first packet: PACKET_OUT at the sender */
	bool isn_known;
	bool fin_acked;
	bool keepalive;           /* keep-alive probes were seen */
	bool ip_id_zero;          /* all of its IPv4 IDs are 0 (no RST's) */
	bool fragments;           /* some of its packets came in IP fragments */
};

/* ---- resets and ICMP ---- */

#define CONN_RSTS_MAX 6 /* kept: the first five and the last; conn_half.rsts counts */

struct conn_rst {
	struct conn_mark at;
	struct conn_print print;
	uint8_t side;          /* enum conn_side whose address it carries */
	uint8_t flags;         /* TCP flags */
	uint8_t phase;         /* enum conn_phase when it came */
	uint8_t provoked;      /* packets of the other side since this side's latest one that is no RST; 255: more */
	bool seq_known, ack_known; /* the capture knows what they should be */
	int32_t seq_off;       /* its sequence number less the end of what its side has sent: 0 is what that side's
				* own stack writes (but in answer to a packet: the acknowledgement of that one) */
	int32_t ack_off;       /* its acknowledgement less the end of what its receiver has sent; with ACK only */
	uint32_t seq, ack;
	uint16_t payload;
	bool has_prev;         /* the sender's latest packet before that is no RST: */
	uint8_t prev_ttl;
	uint16_t prev_ip_id;
};

#define CONN_ICMP_MAX 4 /* kept: the first of each sender, type and code */

/* An ICMP error that quotes a packet of this connection. */
struct conn_icmp {
	struct conn_mark at;    /* the first */
	struct addr from;
	uint8_t type, code;
	uint8_t ttl;            /* of the ICMP packet on arrival at the tap */
	uint8_t quoted_ttl;     /* with which the quoted packet reached the sender */
	uint8_t side;           /* enum conn_side whose packet was quoted */
	uint8_t phase;          /* enum conn_phase when it came */
	uint16_t mtu;           /* fragmentation needed, packet too big */
	uint16_t quoted_len;    /* IP length of the quoted packet */
	uint16_t count;
	bool seq_known;         /* the quote holds a sequence number, and the capture knows that side's */
	bool seq_sent;          /* ... and that number was sent: else the error is forged, or old */
};

/* ---- the dialogue ---- */

struct conn_reply {
	struct conn_mark at;   /* packet that completed it */
	uint16_t code;         /* 0: none came */
	uint8_t lines;         /* 255: that or more */
	bool cut : 1;          /* `text` is not all of it */
	bool mixed_codes : 1;
	bool bare_lf : 1;
	struct conn_text text; /* lines without codes, joined by '\n' */
};

/* NULL where neither side sent a byte. */
struct conn_smtp {
	struct conn_reply replies[STAGE_COUNT]; /* the latest to each stage's command; STAGE_GREETING: the greeting */
	struct conn_mark asked[STAGE_COUNT];    /* the client's latest command of the stage; STAGE_TLS: see conn_tls */
	struct conn_reply bad;        /* the first reply of 400 and more */
	struct conn_reply unasked;    /* the first that answers no command that was seen: 421 before the server
				       * hangs up, or the capture lacks the command */
	struct conn_mark last_command;
	struct conn_mark early;       /* the client spoke before the greeting */
	struct conn_mark not_smtp;    /* packet in which the server's bytes ceased to be SMTP replies */
	uint8_t stage;                /* enum session_stage: the furthest that the client's commands reached */
	uint8_t bad_stage;            /* enum session_stage that `bad` answers */
	uint8_t last_stage;           /* ... of the latest reply: replies[last_stage] */
	bool helo;                    /* the accepted hello is HELO */
	bool clear_after_starttls;    /* the dialogue went on in the clear after a 220 to STARTTLS */
	bool stopped;                 /* words are missing: a hole, a cut, a reply without end */
	uint16_t hello_code;          /* code of the first reply to EHLO */
	uint16_t commands, answers;   /* how many; answers include the greeting */
	uint16_t unanswered;          /* commands that no reply came to, as of the end */
	uint16_t rcpt_ok, rcpt_bad;
	uint16_t messages_ok, messages_bad; /* replies to the end of data */
	char verb[8];                 /* of the latest command, upper-case as far as it is letters; no NUL when 8 long */
	struct conn_text hello;       /* the client's latest EHLO or HELO line */
	struct conn_text odd_command; /* the first line of the client that is no command known here */
	struct conn_text auth;        /* mechanism asked for ("PLAIN"), never what follows it */
	struct conn_text partial;     /* how the unfinished reply begins that the end cut off */
	struct conn_text server_first, client_first; /* first bytes of what is no SMTP (nor TLS) */
};

#define CONN_NAMES_MAX  16
#define CONN_ALERTS_MAX 3

struct conn_alert {
	struct conn_mark at;
	uint8_t side;      /* enum conn_side */
	uint8_t level, description; /* in the clear; 0, 0: encrypted */
};

/* NULL where no TLS record was seen. */
struct conn_tls {
	struct conn_mark client_hello, server_hello, certificate;
	struct conn_mark app_data[CONN_SIDES]; /* first record of application data: the handshake is over */
	struct conn_mark broken;    /* what came where a TLS record should be is none */
	struct conn_text broken_first; /* how that begins */
	struct conn_alert alerts[CONN_ALERTS_MAX];
	uint8_t n_alerts;
	uint8_t n_names;
	uint8_t broken_side;        /* enum conn_side */
	bool immediate;             /* from the first byte, without STARTTLS */
	bool retry;                 /* HelloRetryRequest */
	bool certificate_cut;       /* longer than is kept, or a hole: the names are not known */
	uint16_t offered;           /* highest version of the ClientHello: 0x0304 is TLS 1.3 */
	uint16_t version;           /* that the ServerHello chose; 0 unknown */
	uint16_t cipher;            /* IANA number; 0 unknown */
	struct conn_text sni;
	/* of the server's own certificate, where TLS 1.2 and older show it */
	struct conn_text subject, issuer; /* RFC 2253 text */
	struct conn_text names[CONN_NAMES_MAX]; /* DNS names, and addresses as text */
	int64_t not_before_s, not_after_s; /* since 1970 UTC; 0 unknown */
};

/* ---- the connection ---- */

enum conn_begin {
	CONN_FROM_SYN,
	CONN_FROM_SYNACK, /* the SYN is missing */
	CONN_FROM_MIDDLE, /* both are */
	CONN_FROM_ICMP,   /* only an ICMP error about it was seen */
};

enum conn_end {
	CONN_OPEN,    /* the input ended first */
	CONN_FIN,     /* both sides said FIN */
	CONN_RST,
	CONN_IDLE,    /* silent for CONN_IDLE_* of capture time; it may go on unseen */
	CONN_REPLACED, /* a new connection took the same addresses and ports */
	CONN_EVICTED, /* to keep to the memory's ceiling: the oldest idle one went */
};

/* Which side is the client, and why. */
enum conn_role {
	CONN_ROLE_SYN,   /* it sent the SYN, or got the SYN-ACK */
	CONN_ROLE_PORT,  /* the other one's port is an SMTP port */
	CONN_ROLE_WORDS, /* the other one greeted, or it said EHLO */
	CONN_ROLE_GUESS,
};

/* Raman et al. (SIGCOMM 2023) sort tampering by it. */
enum conn_phase {
	CONN_PHASE_SYN,    /* SYN only */
	CONN_PHASE_SYNACK, /* SYN-ACK seen, not yet acknowledged */
	CONN_PHASE_ACK,    /* handshake complete, no data */
	CONN_PHASE_GREETED, /* data of the server only */
	CONN_PHASE_ONE,    /* one packet of data from the client */
	CONN_PHASE_MORE,   /* several */
	CONN_PHASE_CLOSING, /* after a FIN of either */
};

/* The same SYN with other addresses: this capture saw both sides of a NAT (or of a redirect). */
struct conn_twin {
	struct addr client, server;
	uint16_t client_port, server_port;
	struct conn_mark at; /* of the twin's SYN; .packet 0 when it came before this connection's first */
	uint8_t ttl;         /* of the twin's SYN: smaller than this one's is farther from the client */
};

struct conn {
	size_t size;            /* bytes of the whole record */
	uint64_t first_packet;  /* number in the file, from 1 */
	uint64_t last_packet;
	int64_t start_ns, last_ns; /* wall clock of these two */
	int64_t until_ns;       /* latest packet of the file when this was handed over: so far nothing more came */
	struct addr client, server;
	uint16_t client_port, server_port;
	uint8_t begin;          /* enum conn_begin */
	uint8_t end;            /* enum conn_end */
	uint8_t role;           /* enum conn_role */
	uint8_t phase;          /* enum conn_phase reached */
	uint16_t around;        /* enum packet_around bits, seen on any of its packets */
	bool loopback;          /* captured on a loopback interface */
	bool snap_cut;          /* the snap length cut payload that was looked for */
	bool text_full;         /* more was said than is kept (CONN_TEXT_MAX), or memory ran out */
	bool any_port;          /* not on a listed port: known by its words */
	uint8_t interfaces;     /* different ones of the capture that saw it */
	uint8_t tunnel_ttl;     /* of the outermost IP header where there are several, else 0 */
	uint32_t duplicates;    /* packets that the capture shows twice */
	struct conn_mark end_at; /* packet that ended it (second FIN, first RST) */

	/* the handshake */
	struct conn_mark syn, syn_last;
	struct conn_mark syn_after_synack; /* the first of them: the client did not see, or take, the answer */
	struct conn_mark synack, synack_last;
	struct conn_mark synack_other;     /* a second answer: another sequence number than the first one's */
	struct conn_mark synack_stray;     /* acknowledges no SYN of this connection */
	struct conn_mark established;      /* the client acknowledged the SYN-ACK */
	uint16_t syns, syns_after_synack, synacks, synacks_other;
	struct conn_print syn_print, synack_print, synack_other_print;
	uint16_t syn_payload;              /* bytes in the SYN (TCP Fast Open) */

	struct conn_half half[CONN_SIDES];
	uint8_t n_rsts, n_icmp;
	const struct conn_rst *rsts;       /* in order of arrival, both sides' */
	const struct conn_icmp *icmp;
	const struct conn_twin *twin;      /* or NULL */
	const struct conn_smtp *smtp;      /* or NULL */
	const struct conn_tls *tls;        /* or NULL */
	const char *text;
	uint32_t text_len;
};

#define CONN_TEXT_MAX 8192 /* kept of one connection, all texts together */

/* Called once for each connection, in the order in which they end; those still open when the input
 * ends come last, in the order in which they began. *c is valid during the call. */
typedef void conn_done(void *ctx, const struct conn *c);

/* A copy of its own; free() it. */
struct conn *conn_copy(const struct conn *c);
/* The same into c->size bytes at `to`, aligned for any type; returns `to`. */
struct conn *conn_move(void *to, const struct conn *c);

static inline bool conn_seen(struct conn_mark m)
{
	return m.packet != 0;
}

/* Number in the file, from 1; 0: did not happen, or too far away to be told. */
static inline uint64_t conn_number(const struct conn *c, struct conn_mark m)
{
	return m.packet == 0 || m.packet == CONN_FAR ? 0 : c->first_packet + m.packet - 1;
}

static inline int64_t conn_ns(const struct conn *c, struct conn_mark m)
{
	return c->start_ns + (int64_t)m.t_us * 1000;
}

/* True when a came before b; false when one of them did not happen. */
static inline bool conn_before(struct conn_mark a, struct conn_mark b)
{
	return a.packet && b.packet && a.packet < b.packet;
}

static inline const char *conn_text(const struct conn *c, struct conn_text t)
{
	return c->text + t.at;
}

#endif
