/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Inside conn/: what is kept of a connection while it goes on, in parts that
 * exist only when they are needed, since most of what floods a capture never
 * needs more than the first:
 *
 *   struct track   from the first packet on: who, when, the client's SYNs
 *   struct body    once anything else was seen: both halves, the handshake
 *   struct notes   with the first reset, ICMP error or twin
 *   struct talk    with the first byte of data: the dialogue
 *   struct cipher  with the first TLS record
 *   text           grows in powers of two
 *
 * record.c makes a struct conn of them.
 */
#ifndef SB_CONN_TRACK_H
#define SB_CONN_TRACK_H

#include "conn/conn.h"
#include "conn/pool.h"
#include "smtp/scan.h"
#include "wire/peek.h"

#define NO_TRACK UINT32_MAX

/* Which queue a track stands in. */
enum track_list {
	LIST_HALF_OPEN, /* only SYNs were seen */
	LIST_GOING,
	LIST_ENDED, /* waits for stragglers */
	LIST_COUNT,
};

/* Of a connection on a port that is not listed: is it SMTP? */
enum track_proof {
	PROOF_LISTED,  /* its port is reason enough */
	PROOF_NONE,    /* not yet */
	PROOF_MAYBE,   /* a greeting that FTP might give, too */
	PROOF_GREETED, /* a greeting that names SMTP or a host */
	PROOF_SPOKEN,  /* an EHLO or HELO */
};

/* ---- one direction's bytes ---- */

/* A segment that came early. */
struct early {
	struct early *next;
	size_t got;        /* of its block */
	uint32_t seq, len; /* as sent */
	uint32_t cap;      /* of it in `bytes` */
	uint8_t bytes[];
};

/* A packet as seen before: does the capture show it twice? */
#define SIGHT_COUNT 4

struct sight {
	uint32_t sum, t_us;
	uint16_t interface, ip_id;
	uint8_t ttl;
};

struct stream {
	uint32_t base;                    /* sequence number of the first byte */
	uint32_t next;                    /* end of what was sent */
	uint32_t una;                     /* end of what the other side acknowledged */
	uint32_t parsed;                  /* end of what the dialogue has seen */
	uint32_t oldest;                  /* where conn_half.stuck begins */
	uint32_t flight;                  /* largest segment under way */
	struct sight sights[SIGHT_COUNT]; /* the latest packets */
	uint32_t fin_seq;
	struct early *early;           /* by sequence number */
	uint32_t hole_packet, hole_us; /* since when is an acknowledged byte missing? */
	uint8_t n_early;
	uint8_t sight;
	bool known : 1;     /* base is */
	bool acked : 1;     /* una is */
	bool hole : 1;      /* hole_* are */
	bool fin_known : 1; /* fin_seq is */
	bool closed : 1;    /* nothing more of it is looked at */
};

/* ---- the dialogue ---- */

enum talk_mode {
	TALK_SMTP,
	TALK_MESSAGE, /* client: up to the dot on a line of its own */
	TALK_CHUNK,   /* client: `left` bytes of BDAT */
	TALK_SEEK,    /* the next line may be understood again */
	TALK_TLS,
	TALK_OPAQUE, /* neither SMTP nor TLS, or nobody can tell any more */
};

#define TALK_LINE_MAX  80 /* of a command: verb and the beginning of its argument */
#define TALK_QUEUE_MAX 32 /* pipelined commands without reply; must be a power of two */

struct talk {
	struct conn_smtp smtp;
	/* server */
	struct smtp_scan scan;
	uint16_t reply_at; /* of the reply's text in the track's text */
	uint16_t reply_len;
	bool reply_cut : 1;
	bool ever_replied : 1;
	bool tls_next : 1;  /* STARTTLS was taken: what comes is TLS or a decrypted dialogue */
	bool auth_next : 1; /* the client's next line is a secret, no command */
	bool last_chunk : 1;
	bool unasked_open : 1;    /* the command may still come, captured in the wrong order */
	uint8_t mode[CONN_SIDES]; /* enum talk_mode */
	uint8_t seeks;
	uint32_t unasked_ack; /* what the server had acknowledged when it said it */
	/* client */
	uint64_t left;
	uint32_t tail;                 /* the message's last four bytes */
	uint16_t line_len;             /* bytes of the line, TALK_LINE_MAX of them kept */
	uint8_t queue[TALK_QUEUE_MAX]; /* stages that wait for their replies */
	uint32_t queue_in, queue_out;
	char line[TALK_LINE_MAX];
};

/* A command that belongs to no stage (RSET, NOOP, ...). */
#define STAGE_OTHER STAGE_COUNT

/* ---- TLS ---- */

struct records {
	uint8_t *message;      /* being put together, or NULL */
	size_t message_got;    /* of its block */
	uint32_t message_len;  /* bytes there */
	uint32_t message_want; /* bytes that are needed */
	uint32_t message_left; /* bytes of the message still to come */
	uint16_t left;         /* bytes of the record still to come */
	uint8_t header[5], header_len;
	uint8_t head[4], head_len; /* of a handshake message */
	uint8_t alert[2], alert_len;
	bool ciphered; /* handshake and alerts are encrypted from here on */
	bool broken;
};

struct cipher {
	struct conn_tls tls;
	struct records side[CONN_SIDES];
	bool server_chose; /* a ServerHello that is no HelloRetryRequest */
};

/* ---- the connection ---- */

struct notes {
	uint8_t n_rsts, n_icmp;
	bool has_twin;
	struct conn_twin twin;
	struct conn_rst rsts[CONN_RSTS_MAX];
	struct conn_icmp icmp[CONN_ICMP_MAX];
};

struct body {
	struct conn_half half[CONN_SIDES];
	struct stream stream[CONN_SIDES];
	struct conn_mark syn_after_synack, synack, synack_last, synack_other, synack_stray;
	struct conn_mark established, end_at;
	struct conn_print synack_print, synack_other_print;
	uint32_t synack_seq;
	uint16_t syns_after_synack, synacks, synacks_other;
	struct notes *notes;
	struct talk *talk;
	struct cipher *cipher;
	char *text; /* never NULL */
	uint32_t text_len, text_size;
	uint8_t end_side; /* enum conn_side of the RST that ended it */
	bool in_order;    /* as of the latest packet; see tcp.c */
	uint8_t heard[CONN_SIDES]; /* packets of the other side since this side's latest that is no RST */
};

struct track {
	/* the ends, the smaller one first, so that both directions find it */
	uint8_t addr[2][16];
	uint16_t port[2];
	uint32_t id, tag;    /* its own number; of its slot in the table */
	uint32_t next, prev; /* in its list */
	uint8_t family;
	uint8_t list;  /* enum track_list */
	uint8_t proof; /* enum track_proof */
	uint8_t role, begin, end;
	uint8_t client;     /* which of the two ends */
	uint8_t interfaces; /* a bit each, by the last three bits of their numbers */
	struct body *body;

	int64_t start_ns, last_ns;
	int64_t listed_ns; /* when it was put, or put anew, into its list */
	uint64_t first_packet, last_packet;

	uint32_t isn; /* the client's, if syns > 0 */
	uint32_t duplicates;
	uint16_t around;
	uint16_t syns, syn_payload;
	uint8_t tunnel_ttl;
	uint8_t client_dir; /* enum packet_dir of the first SYN */
	bool loopback : 1, snap_cut : 1, text_full : 1;
	struct conn_mark syn, syn_last;
	struct conn_print syn_print;
};

_Static_assert(sizeof(struct track) <= 192,
	       "floods of SYNs cost no more than three cache lines each");

struct engine; /* engine_private.h */

/* ---- the parts' functions ---- */

/* tcp.c: one segment of a connection that exists; its SYN may have been what made it. */
void track_segment(struct engine *e, struct track *t, const struct segment *s, enum conn_side side);
enum conn_phase track_phase(const struct track *t);
struct conn_mark track_mark(const struct engine *e, const struct track *t);
struct body *track_body(struct engine *e, struct track *t); /* made if need be; NULL: no room */
/* What a connection's half is while there are only SYNs. */
void track_client_half(const struct track *t, struct conn_half *h);
/* Notes in t that `other` is the same connection on the other side of a NAT. */
void track_twin(struct engine *e, struct track *t, const struct track *other);
struct notes *track_notes(struct engine *e, struct track *t); /* the same */

/* icmp.c */
void track_icmp(struct engine *e, struct track *t, const struct packet *p, enum conn_side side);

/* engine.c: which list it stands in; memory, for which older connections may have to go */
void engine_going(struct engine *e, struct track *t);
void engine_end(struct engine *e, struct track *t, enum conn_end how);
void engine_revive(struct engine *e, struct track *t);
void *engine_take(struct engine *e, struct pool *p);
void *engine_take_block(struct engine *e, size_t size, size_t *got);

/* stream.c: bytes in order, or what is missing of them. */
void stream_begin(struct stream *s, uint32_t base);
void stream_bytes(struct engine *e, struct track *t, enum conn_side side, uint32_t seq,
		  const uint8_t *bytes, uint32_t cap, uint32_t len);
/* The same for what is next in order, while nothing waits for it. */
void stream_next(struct engine *e, struct track *t, enum conn_side side, const uint8_t *bytes, uint32_t cap,
		 uint32_t len);
/* Gives up waiting for bytes that the other side has acknowledged, if it is time (or `now`). */
void stream_holes(struct engine *e, struct track *t, enum conn_side side, bool now);
void stream_clear(struct engine *e, struct stream *s);

/* dialogue.c */
void talk_bytes(struct engine *e, struct track *t, enum conn_side side, const uint8_t *bytes,
		size_t len);
void talk_hole(struct engine *e, struct track *t, enum conn_side side, uint32_t len);
void talk_end(struct engine *e, struct track *t);
/* The first bytes of a server, or of a client, that talks SMTP. */
bool talk_greets(const uint8_t *bytes, size_t len);
bool talk_says_hello(const uint8_t *bytes, size_t len);
/* Of a connection on a port that is not listed, after the server's first bytes. */
bool talk_may_be_smtp(const struct track *t);

/* records.c: TLS */
void cipher_bytes(struct engine *e, struct track *t, enum conn_side side, const uint8_t *bytes,
		  size_t len);
void cipher_hole(struct engine *e, struct track *t, enum conn_side side);
void cipher_clear(struct engine *e, struct cipher *c);

/* text.c: keeps bytes at the end of the connection's text; {0, 0} when there is no room. */
struct conn_text text_add(struct engine *e, struct track *t, const void *bytes, size_t len);
/* Room for `want` more bytes, as far as CONN_TEXT_MAX and memory let; returns how many there are.
 */
size_t text_room(struct engine *e, struct track *t, size_t want);

/* record.c: everything at once, where the engine's owner wants it, or in the engine's own memory until the
 * next call. */
struct addr track_address(const struct track *t, unsigned end);
const struct conn *record_of(struct engine *e, struct track *t);

#endif
