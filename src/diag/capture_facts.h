/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What one connection of a capture shows becomes facts: the one place where the
 * thresholds of `read` stand. Pure.
 *
 * Facts are worded so that each is something that the capture shows; that it
 * could not show something else (it began too late, ended too early, lost
 * packets) is a fact of its own. So `absent` means here "not shown".
 */
#ifndef SB_DIAG_CAPTURE_FACTS_H
#define SB_DIAG_CAPTURE_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "conn/conn.h"
#include "diag/facts.h"
#include "model/signature.h"
#include "smtp/ehlo.h"
#include "wire/decode.h"

enum capture_fact {
	/* where and how the capture looked */
	CF_AT_CLIENT,      /* at the client or on its link: its packets have lost no TTL yet */
	CF_ON_LOOPBACK,
	CF_ONE_SIDED,      /* only one side's packets were seen, though the other one spoke */
	CF_NO_BEGINNING,   /* neither SYN nor SYN-ACK was seen */
	CF_CUT_OFF,        /* the capture ended, or lost sight of it, while it went on */
	CF_PROBES,         /* SYNs of different TTLs, or with few hops left: a path probe, no connection */
	/* the handshake */
	CF_SYN,
	CF_SILENT,         /* no answer of any kind to the SYNs */
	CF_SILENT_LONG,    /* ... and loss alone hardly explains it */
	CF_SYNACK,
	CF_SYN_AGAIN,      /* SYNs went on when the answer had come, and it was never taken */
	CF_SYNACK_IN_VAIN, /* the server repeated its answer, and the client was never heard again */
	CF_CLIENT_GAVE_UP, /* it reset the connection before it stood */
	CF_TWO_ANSWERS,    /* two SYN-ACKs that can't be of one sender: different numbers and distances */
	CF_ANSWER_NEARER,  /* the SYN-ACK came from the client's side of where other ports' answers come from */
	CF_ESTABLISHED,
	/* what other connections of the capture tell */
	CF_SERVER_ALIVE,   /* the address answered at that time */
	CF_OTHER_PORT_ALIVE, /* ... on another port */
	CF_ALL_PORTS_SILENT, /* several of its ports were tried, none answered */
	CF_PORT_DEAD_EVERYWHERE, /* no server at all answers this client on this port */
	CF_CLIENT_ALIVE,   /* servers answer the client on other ports */
	/* resets in the server's name, while they could still hurt */
	CF_RST,
	CF_RST_AT_SYN,     /* in answer to the SYN */
	CF_RST_BARE,       /* without ACK to a SYN: no stack does that */
	CF_RST_BOTH_KINDS, /* RST and RST+ACK to one SYN */
	CF_RST_THEN_SYNACK,
	CF_RST_THEN_DATA,  /* the server went on after "its" reset */
	CF_RST_SEQ_CHANGE, /* several, beyond what the server has sent */
	CF_RST_ACK_CHANGE, /* several, with acknowledgements that differ */
	CF_RST_BURST,      /* more of them than there were packets to answer */
	CF_RST_TOO_SOON,   /* it knows of bytes that cannot have reached the server yet */
	CF_RST_NEARER,     /* from fewer hops away than the server's own packets */
	CF_RST_ON_LINK,    /* from the client's own link, where the server cannot be */
	CF_DISTANCES_SHOWN, /* other servers of the client answer from farther: no NAT hides how far they are */
	CF_RST_ALIKE,      /* from as many hops away as the server's own packets */
	CF_RST_STRANGE,    /* unlike the server's packets in IP ID or DF */
	/* resets in the client's name */
	CF_CLIENT_RST,
	CF_CLIENT_RST_FORGED, /* from another distance than the client's packets, or it went on */
	/* ICMP errors about the SYN */
	CF_ICMP,
	CF_ICMP_FROM_CLIENT,
	CF_ICMP_FROM_SERVER,
	CF_ICMP_PLACED,    /* TTL or address of its sender tell where that is */
	CF_ICMP_FILTER,    /* prohibited, or port unreachable: a decision */
	CF_ICMP_PORT,      /* port unreachable */
	CF_ICMP_EXPIRED,
	/* the dialogue */
	CF_SERVER_SPOKE,
	CF_GREETED,        /* 2xx */
	CF_WORKS,          /* greeted, answered commands well, or talked inside TLS */
	CF_DONE,           /* said QUIT, handed over a message, or closed in order: the end is no matter */
	CF_GREETING_REJECT,
	CF_EHLO_REJECT,
	CF_AUTH_REJECT,
	CF_POLICY_REJECT,  /* sender, recipient or message refused for who the client is */
	CF_STARTTLS_REJECT,
	CF_NOT_SMTP,
	CF_IN_TLS,         /* a TLS handshake began */
	CF_TLS_UP,         /* ... and came to its end: what is said inside can't be seen */
	CF_TLS_FAILED,
	CF_TLS_CLIENT_REFUSES, /* the client's own alert ended the handshake */
	CF_CLOSED,         /* by the server, while something was still owed */
	CF_WAITED,         /* for the server's next word, long enough to count */
	CF_CLIENT_LEFT,    /* ... and not that long: the client went first */
	CF_ZERO_WINDOW,    /* the server keeps its window shut */
	CF_DRIP,           /* its words come byte by byte */
	CF_CLIENT_STUCK,   /* what the client sent is never acknowledged, however often sent */
	CF_SERVER_STUCK,   /* the same of the server */
	CF_LARGE_STUCK,    /* only packets near the usual MTU are */
	CF_FRAG_NEEDED,    /* a router says that packets are too large */
	CF_CLIENT_MUTE,    /* nothing of the client's was seen since the handshake */
	/* somebody in between */
	CF_BANNER_MASKED,
	CF_EHLO_MASKED,
	CF_STARTTLS_MASKED,
	CF_TLS_INTERCEPTOR,
	/* two capture points (capture_pair.h) */
	CF_PAIRED,
	CF_PAIR_PROXY,     /* the dialogue goes on in another connection */
	CF_PAIR_GREETING,  /* what the client gets is not what the server said */
	CF_PAIR_EHLO,
	CF_PAIR_STARTTLS,  /* ... STARTTLS is missing */
	CF_PAIR_RST,       /* in the server's name, and never seen at the server's side */
	CF_PAIR_CLIENT_RST,
	CF_PAIR_SYN_LOST,  /* seen at one point, and no trace of it at the other */
	CF_PAIR_ANSWER_LOST,
	CF_PAIR_LOST_OUT,  /* bytes of the client that never came to the other point */
	CF_PAIR_LOST_IN,
	CF_COUNT,
};

_Static_assert(CF_COUNT <= 128, "facts fit a set");

/* As fact_name() and fact_text(). */
const char *capture_fact_name(unsigned f);
const char *capture_fact_text(unsigned f);

/* ---- thresholds, each with its reason ---- */

/* Silence is looked at once, when it is over: no need to be as strict as a live run, which looks
 * after every packet (facts.h). */
#define CAPTURE_SILENCE_PROBABILITY 0.001
#define CAPTURE_SILENCE_MIN_SYNS 3
/* A control that answered a minute away says that the server was there then, too. */
#define CAPTURE_CONTROL_NEAR_NS (60 * NS_PER_S)
/* Servers in a row, none of which answers: three independent ones are not all down. */
#define CAPTURE_DEAD_SERVERS 3
/* A SYN that left the client after the answer had long been there (RTO is 1 s: it did not cross it). */
#define CAPTURE_SYN_AGAIN_NS (200 * NS_PER_MS)
/* No stack of this century begins with less than 64, and no real path is longer than 32 hops. */
#define CAPTURE_PROBE_TTL 32
/* In vain: 1, 3, 7 s after the first. */
#define CAPTURE_SYNACKS_IN_VAIN 3
/* Repetitions in vain from which loss is out of question, where the connection lost nothing else: over
 * 3 s with Linux' timers. Where it did, as in a live run. */
#define CAPTURE_STUCK_REPEATS 4
/* Silence at a prompt that the client ended: postscreen and greet_pause make strangers wait about
 * 6 s, and nobody who waits less can say that nothing came. */
#define CAPTURE_WAIT_CLIENT_NS (5 * NS_PER_S)
/* ... and that only the end of the capture ended. */
#define CAPTURE_WAIT_OPEN_NS (30 * NS_PER_S)
/* Packets that the usual MTUs of tunnels, PPPoE and their like stop. 1232 = 1280 - IPv6 and TCP. */
#define CAPTURE_LARGE_BYTES 1200
/* A reply of this many bytes, of which hardly one came with another. */
#define CAPTURE_DRIP_BYTES 8
/* A RST is too soon when it took less than half of the shortest round trip seen. */
#define CAPTURE_SOON_PART 2
/* ... where that is long enough for a capture's clock to tell (queues and offloads blur it). */
#define CAPTURE_SOON_RTT_NS (4 * NS_PER_MS)
/* IP IDs that count up: this much further on within a connection is still the same counter (a busy
 * server's counter serves all its connections). */
#define CAPTURE_IP_ID_NEAR 4096
/* Who answers one hop behind the client's link answers for an address that is this far away. */
#define CAPTURE_PROXY_HOPS 4
/* An unsolicited 421 after that long a pause of the client is the server's own idle timeout. */
#define CAPTURE_IDLE_NS (10 * NS_PER_S)

/* Sent so often again, seen at one point and never at the other. */
#define CAPTURE_PAIR_REPEATS 2

/* What the capture's other connections tell; filled from capture_known.h. */
struct capture_context {
	bool alive, other_port_alive, all_ports_silent, port_dead, client_alive;
	bool prober;           /* the client's very port sent probes of a path, or the client at that time of the
				* path to this very port, and nothing answers this SYN */
	bool far_seen;         /* some server answered this client from beyond its link */
	int distance;          /* hops from the tap to the server, -1 unknown */
	int64_t rtt_ns;        /* shortest to the server, 0 unknown */
	unsigned alive_port;   /* one that answered, another than this one if there is */
	unsigned other_port;   /* another port that once answered: 0 none, from where and how fast: */
	int other_distance;
	int64_t other_rtt_ns;
	unsigned dead_servers;
	struct loss_sample loss; /* of what reached the server at all */
	fact_set pair;         /* CF_PAIR_*, where another capture point was there to compare with */
	const char *other_file; /* of that one */
};

/* The reply to EHLO in words; kept from one connection to the next, for one server says the same to
 * all. A zeroed struct is empty. */
#define CAPTURE_EHLO_BYTES 2048
#define CAPTURE_EHLO_LINES 64
struct capture_ehlo {
	struct smtp_ehlo parsed; /* its strings lead into `text` */
	unsigned number; /* of the replies that were taken apart, this one */
	size_t len;      /* of `raw`: the reply without its first line, which names the server */
	char raw[CAPTURE_EHLO_BYTES], text[CAPTURE_EHLO_BYTES + 1];
	const char *lines[CAPTURE_EHLO_LINES + 1];
};

struct capture_facts {
	fact_set seen;
	const struct conn *conn; /* borrowed, like the next */
	const struct capture_context *context;
	const struct conn_rst *rst;     /* the first in the server's name that counts, or NULL */
	const struct conn_rst *rst_client;
	const struct conn_icmp *icmp;   /* the one that decides, or NULL */
	int server_distance, client_distance, rst_distance; /* hops from the tap; -1 unknown */
	int64_t rtt_ns;        /* from the tap to the server and back, 0 unknown */
	int64_t waited_ns;     /* for the server's next word */
	int64_t until_ns;      /* up to when the capture looked */
	double silence_probability;
	enum session_stage stage; /* at which it ended */
	const struct signature *interceptor;
	const struct smtp_ehlo *ehlo; /* borrowed; NULL: no good reply to EHLO in the clear */
	struct placed placed;  /* by the distance of what betrayed itself */
};

static inline bool capture_fact_seen(const struct capture_facts *f, enum capture_fact fact)
{
	return f->seen & FACT_BIT(fact);
}

/* `ehlo` is lent: out->ehlo leads into it. */
void capture_facts_of(const struct conn *c, const struct capture_context *context,
		      const struct signatures *signatures, struct capture_ehlo *ehlo,
		      struct capture_facts *out);

/* SYNs of which each has another TTL, or few hops left: with them somebody looks at a path. */
bool capture_is_probe(const struct conn *c);

/* Hops that a packet has behind it, by the nearest usual initial TTL; -1 for ttl 0. */
static inline int capture_distance(unsigned ttl)
{
	return ttl == 0 ? -1 : (int)(wire_initial_ttl(ttl) - ttl);
}

#endif
