/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Measurements become facts: the one place where thresholds stand. Pure.
 *
 * For each judged port two bit sets: `looked`, and `seen`, a part of it. Absence
 * is a fact only where somebody looked: a capture that lost packets, a lookup
 * that failed, an answer that is not yet due are "not looked".
 */
#ifndef SB_DIAG_FACTS_H
#define SB_DIAG_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "diag/loss.h"
#include "diag/tracker.h"
#include "model/names.h"

enum fact {
	/* socket */
	F_ERROR_AT_ONCE,    /* connect() itself failed */
	F_NO_PORT,          /* ... for there is no source port left, though there is a source address */
	F_ERROR_DENIED,     /* ... with EPERM, EACCES or EINVAL: somebody's decision */
	F_CONNECTED,
	F_REFUSED,          /* ECONNREFUSED */
	F_SOCKET_SILENT,    /* connect() still waits, long enough to count */
	F_PEER_DIFFERS,     /* getpeername() is not what was called */
	/* host */
	F_STOP_ROUTE,       /* a prohibit, blackhole or unreachable route */
	F_STOP_RULE,        /* an ip rule of such a kind */
	F_NO_ROUTE,
	F_LINK_DOWN,        /* set down, or no carrier */
	F_NEXT_HOP_SILENT,  /* neighbour entry failed or still incomplete */
	F_NEXT_HOP_UNASKED, /* ... and no request for its address left this host, for as long as one takes */
	F_NEXT_HOP_UNHEARD, /* ... and it did answer: that came in, and the kernel never got it */
	F_NEXT_HOP_IS_GATEWAY,
	F_ASSUMED_ON_LINK,  /* no route leads there by the interface that was asked for: the kernel tries the
			     * link itself */
	F_ON_LINK,          /* no router between: the target is on this very network */
	F_TARGET_LOCAL,     /* the address is one of this host's own */
	F_RULE_STOPS_OUT,   /* netfilter says that it stopped our SYN */
	F_RULE_STOPS_IN,    /* ... the answer to it */
	F_RULE_STOPS_SESSION, /* ... a packet of the established connection */
	F_IPSEC,            /* an IPsec policy takes the packets: a tap sees ESP only */
	F_XDP_THERE,        /* an XDP program sees what comes in before any tap does */
	F_ANSWER_DROPPED,   /* the kernel says that it dropped a SYN-ACK before the tap */
	/* wire, on the way out */
	F_SYN_LEFT,         /* seen on an interface, as sent */
	F_SYN_REDIRECTED,   /* seen going to another address or port */
	F_SYN_LOOPED,       /* unchanged, but on loopback */
	/* wire, on the way in */
	F_RST_ON_LO,
	F_ICMP_ON_LO,
	F_SYNACK,           /* from the target, and it acknowledges our SYN */
	F_SYNACK_ELSEWHERE, /* ... on another interface than the one the SYN left by */
	F_SYNACK_UNLIKE,    /* made by another stack than the SYN-ACKs of the control ports */
	F_SYNACK_NEARER,    /* ... from fewer hops away than the nearest of those */
	F_SYNACK_FASTER,    /* ... sooner than any of those, by more than this host's own part */
	F_SYNACK_NEAR_SIDE, /* ... and from the near half of the way */
	F_RST,
	F_RST_VOID,         /* ... without the ACK flag: no stack heeds that in answer to a SYN */
	F_RST_THEN_SYNACK,
	F_RST_LIKE_CONTROL, /* from as many hops away as the answer on a control port */
	F_RST_NEARER,       /* from fewer hops away */
	F_ICMP,             /* unreachable from the wire */
	F_ICMP_FROM_TARGET,
	F_ICMP_FROM_GATEWAY,
	F_ICMP_FROM_ACCESS, /* from 100.64/10 or private space, not the gateway; or the hop behind it */
	F_ICMP_PORT,        /* port-unreachable */
	F_ICMP_EXPIRED,     /* time exceeded: a routing loop */
	F_ICMP_EVERYWHERE,  /* every control port meets the same */
	/* silence */
	F_SILENT,           /* no answer of any kind, and the SYNs are old enough */
	F_SILENCE_PROVEN,   /* ... and loss does not explain it */
	F_CONTROL_ANSWERS,  /* another port of the address does */
	F_ALL_SILENT,       /* no port answers, and all had their time */
	/* path: this port's trace against the control's */
	F_PATH_STOPS,        /* silent from some hop on, where the control goes on */
	F_PATH_THROUGH,      /* every hop lets it through: the target alone is silent */
	F_ALIKE_STOPS,       /* not traced itself: other targets that fail alike stop at one place */
	F_PATH_RST_EARLY,    /* a RST for a TTL that does not reach the target */
	F_PATH_RST_OWN,      /* RSTs only for TTLs that do */
	F_PATH_SYNACK_EARLY, /* a SYN-ACK for a TTL that does not reach the target */
	F_PATH_ICMP_HOP,     /* the sender of the ICMP error is a known hop */
	/* canary: addresses that are nobody's complete the handshake ... */
	F_CANARY_TAKEN,      /* on this port, and not on another one */
	F_CANARY_ANY,        /* on any port */
	F_CANARY_UNSURE,     /* on this port; whether on others, too, is not known */
	F_CANARY_OTHERS,     /* on this port; but the target's own answer comes from farther */
	/* session */
	F_GREETING_OK,
	F_GREETING_REJECT,
	F_EHLO_REJECT,      /* neither EHLO nor HELO was taken */
	F_STARTTLS_REJECT,
	F_STARTTLS_MISSING, /* required of us (--starttls-required), and not offered */
	F_STARTTLS_ABSENT,  /* the reply to EHLO holds none, nor a mask of it */
	F_STARTTLS_TAKEN,   /* ... and yet the server takes it */
	F_STARTTLS_PROMISED, /* ... and the DNS promises it: DANE or MTA-STS */
	F_STARTTLS_ELSEWHERE, /* ... and another port of the address has TLS */
	F_AUTH_REJECT,
	F_MAIL_REJECT,      /* MAIL FROM or RCPT TO was refused */
	F_ACK_NOT_LEFT,     /* the handshake completed, and nothing of ours was seen leaving after it */
	F_DATA_NOT_READ,    /* the tap saw the server speak, and the socket never read it */
	F_NOT_SMTP,         /* ... and those below: at any stage before QUIT */
	F_CLOSED,
	F_RESET,
	F_RESET_NEARER,     /* by a RST from fewer hops away than the SYN-ACK */
	F_RESET_EARLY,      /* the same words draw a RST with a TTL that does not reach the target */
	F_RESET_OWN,        /* ... only with one that does */
	F_RESET_FORGED,     /* by a RST as no stack sends it: see struct rst_signs */
	F_REPLY_EARLY,      /* a refusal or a FIN: the same words draw one with a TTL that does not reach the target */
	F_REPLY_OWN,        /* ... only with one that does */
	F_REPLY_NEARER,     /* the refusal came from fewer hops away than the rest of the connection */
	F_CLOSE_NEARER,     /* the FIN did */
	F_HELD_IN_VAIN,     /* the same words were tried again, and nothing showed who answers them */
	F_STALLED,          /* and of those who are silent: */
	F_PEER_ALIVE,       /* ... the other side's stack answers, and nothing that it has sent is missing */
	F_PEER_GONE,        /* ... nothing of it comes any more, whatever we send */
	F_UNHEARD,          /* ... what we said last was never acknowledged */
	F_REPLY_LOST,       /* ... it has sent what never came */
	F_PATH_CUT,         /* its packets get as far as some hop, where the control's go on */
	F_CUT_THROUGH,      /* every hop lets copies of our words through: they vanish at the target, or right in
			     * front of it */
	F_CUT_PART,         /* ... only some of them: others of the connection pass there */
	F_SMALL_PASSES,     /* ... and on a further connection that asked for small segments it came */
	F_LARGE_LOST,       /* ... and what got lost, either way, is larger than anything that came through */
	F_TLS_FAILED,
	F_CLEAR_FOR_TLS,    /* plain SMTP where TLS comes first */
	F_TLS_AT_ONCE,      /* silent to who waits for a greeting, and greets who begins with TLS */
	F_BANNER_MASKED,    /* asterisks in the place of the greeting */
	F_EHLO_MASKED,      /* keywords overwritten by one letter */
	F_STARTTLS_MASKED,  /* ... one of them is STARTTLS */
	F_BANNER_UNLIKE,    /* the greeting is not what --expect-banner says */
	F_NAME_UNLIKE,      /* it names another host than --expect-name says */
	F_GREETING_INTERCEPTOR, /* a known interceptor greets */
	F_TLS_VERIFIED,     /* the certificate is good, and for the name that was asked for */
	F_TLS_INTERCEPTOR,  /* the certificate's issuer is a known interceptor */
	F_TLS_OTHER_KEY,    /* it does not verify, and another port shows one that does, with another key */
	F_TLSA_OTHER,       /* it is none of those that a secure TLSA record names */
	F_TLSA_ELSEWHERE,   /* ... and another port shows one that is */
	F_ANSWERED_ON_WAY,  /* it is proven that somebody on the way completed the handshake */
	F_SESSION_OVER,     /* the dialogue was held to its end */
	F_COUNT,
};

/* 128 bits: what gcc and clang have on every 64-bit target. */
typedef unsigned __int128 fact_set;

#define FACT_BIT(f) ((fact_set)1 << (f))
_Static_assert(F_COUNT <= 128, "facts fit a set");

/* What a fact asserts, and what its absence asserts; for reports and docs. */
const char *fact_name(enum fact f);
const char *fact_text(enum fact f);

/* ---- thresholds, each with its reason ---- */

/* A SYN leaves within connect(); only a queue or an unresolved neighbour delays it. */
#define SYN_DUE_NS (200 * NS_PER_MS)
/* An unanswered ARP or ND request is repeated after a second at the earliest (net/core/neighbour.c, RETRANS_TIME),
 * and thrice by default. */
#define NEIGHBOUR_GIVE_UP_NS (900 * NS_PER_MS)
/* Within this, one of those requests leaves, whenever the first of them did. */
#define NEIGHBOUR_ASKED_NS   (2 * NEIGHBOUR_GIVE_UP_NS)
/* Our kernel completes a handshake within microseconds of the SYN-ACK. */
#define SYNACK_ACCEPT_NS (150 * NS_PER_MS)
/* An answer is late after 3 round trips of the control, within these bounds: RFC 6298's initial
 * RTO of 1 s is the ceiling's model, 200 ms is Linux's TCP_RTO_MIN. */
#define ANSWER_DUE_FLOOR_NS (200 * NS_PER_MS)
#define ANSWER_DUE_CEILING_NS (1500 * NS_PER_MS)
#define ANSWER_DUE_RTTS 3
/* Silence is claimed below this probability of mere loss. It is looked at again after every packet
 * until it is small enough, which makes errors likelier than the number says: hence so small. */
#define SILENCE_MAX_PROBABILITY 0.0003
/* ... and never from fewer SYNs of the port with the usual TTL. */
#define SILENCE_MIN_SYNS 4
/* Without any answer there is no loss record: so many SYNs over so long a time, over all ports. */
#define ALL_SILENT_MIN_SYNS 10
#define ALL_SILENT_MIN_NS (3 * NS_PER_S)
/* Branches of unequal length (ECMP) bring answers of one host here over one hop more or less. */
#define RST_NEARER_HOPS 2
/* Where packets get lost, a conversation stands still for seconds by chance: so many repetitions must
 * have gone unanswered before that counts in a capture. 0.3^6, with the loss of a very bad path, is
 * 0.0007. */
#define STALL_MIN_REPEATS 6
/* A live run asks until it is sure: that nothing comes is
 * claimed from so many packets that had to be answered, at least, and below the same probability. */
#define STALL_MIN_TIMES 4
/* With this one, copies of what is held back on a connection reach the target: Linux's usual TTL. */
#define HELD_FULL_TTL 64
/* This host's own part in a round trip, and a tap's, on a busy machine: what is faster than another by less
 * than this is not. */
#define FASTER_MIN_NS (5 * NS_PER_MS)
/* A genuine SYN-ACK that lost the race against a forged RST follows within this. */
#define RST_GRACE_FLOOR_NS (60 * NS_PER_MS)

/* Where on the path, as far as the traces tell. */
struct placed {
	bool known;            /* there are weights */
	enum place place;      /* the most likely; PLACE_UNKNOWN where even that one is not likely */
	double confidence;     /* of `place`; CONFIDENCE_NONE when that is unknown */
	double weight[PLACE_COUNT]; /* of every place; their sum is at most 1 */
	unsigned from, to;     /* TTLs; 0 is this host */
	unsigned culprit;      /* that of the two which lies in `place`; 0 neither */
	struct addr from_addr, to_addr;
	double probability;    /* that the silence is mere loss */
	unsigned hops_beyond;
};

/* Sizes of the other side's packets, IP header and all: what its connections of all sizes show. */
struct mtu {
	unsigned connections;   /* that asked for small segments */
	bool passes;            /* on one of them the dialogue went on */
	bool no_matter;         /* on none of them: what gets lost gets lost for another reason */
	bool below_links;       /* what gets lost is no larger than what every link takes */
	unsigned largest_in;    /* the largest that came */
	unsigned smallest_lost; /* the smallest that did not; 0 unknown */
	unsigned headers;       /* of them, what is no segment of which MSS speaks */
};

struct port_facts {
	fact_set looked, seen;
	size_t why[F_COUNT];     /* event behind a seen fact; NO_EVENT where it is a sum of several */
	const struct flow *flow; /* the one that counts; NULL: never started */
	unsigned silent_syns;    /* SYNs of this port that had their time and no answer */
	double silence_probability; /* that this is mere loss; 1 without a control */
	struct mtu mtu;
	double stall_probability; /* that a session's standstill is mere loss */
	struct loss_sample control;
	int control_port;        /* index of an answering port, -1 none */
	const struct flow *control_flow;
	int rst_distance, control_distance; /* hops, -1 unknown */
	const struct icmp_answer *icmp; /* the one that decides, from lo or the wire */
	int control_trace;       /* plan index of the trace that this port's is read against, -1 */
	unsigned dest_ttl;       /* TTL that reaches the target, 0 unknown */
	/* Where the target is among the hops: dest_ttl, but where somebody on the way there renews TTLs:
	 * then as far as its answers come, with silent hops in between. */
	unsigned dest_hop;
	bool ttl_renewed;        /* on the way there: what the smaller TTLs reach tells no hop */
	bool answers_renewed;    /* on the way back: no answer's TTL tells how far it has come */
	bool drawn_at_end;       /* only TTLs that reach the target drew an answer, from there or next to it */
	struct placed placed;
	struct icmp_answer injected_icmp; /* what `icmp` points to in the facts of an injected SYN */
};

#define NO_EVENT ((size_t)-1)

/* The facts of one port as of `now`. */
void facts_of_port(const struct tracker *t, int port_index, int64_t now, struct port_facts *out);

/* Time that an answer is given on this path, from the control's round trips. */
int64_t facts_answer_due_ns(const struct tracker *t);

/* The stage at which a lasting refusal (5xx) came in the clear; STAGE_COUNT: at none. Inside TLS nobody
 * on the way can say one, and in the place of a greeting there are no words to say again. */
enum session_stage facts_refused_in_clear(const struct flow *f);

/* Whose hand SYN-ACK and RST show; called by facts_of_port(). */
void facts_of_synack(const struct tracker *t, int port_index, int64_t now, struct port_facts *p);
void facts_of_reset(const struct tracker *t, struct port_facts *p);

/* What was said on the connection; called by facts_of_port(). */
void facts_of_session(const struct tracker *t, struct port_facts *p);

/* The latest reply to EHLO: inside TLS where there was one. */
const struct stage_reply *facts_ehlo(const struct flow *f);

/* This port's session against the address's other ports; called by facts_of_port(), last. */
void facts_of_comparison(const struct tracker *t, int port_index, struct port_facts *p);

/* The answer of the DNS is on its way, and can change what is said of this port. */
bool facts_await_dns(const struct tracker *t, int port_index, const struct port_facts *p);

/* The path facts and `placed`; called by facts_of_port(). */
void facts_of_path(const struct tracker *t, int port_index, int64_t now, struct port_facts *p);

/* Places who sent a SYN-ACK of a handshake in another's name, by the TTL with which it arrived.
 * dest_ttl: what reaches the target, 0: not known. */
void facts_place_by_distance(const struct tracker *t, int port_index, uint8_t arrival_ttl,
			     unsigned dest_ttl, struct port_facts *p);

/* SYNs of this port with smaller TTLs do not belie that who answers them is as many hops away as his answer
 * has come: somebody on its way back may have set its TTL anew. */
bool facts_distance_holds(const struct tracker *t, int port_index, uint8_t arrival_ttl, int64_t now);

/* This host's own doing keeps the port's SYNs from leaving as they should. */
bool facts_host_stops(const struct port_facts *p);

/* The same port as SYNs sent below this host's firewall meet it: what lies behind the host's block.
 * `host` are its facts as a connection meets them. Nothing is seen when no such SYN was sent. */
void facts_of_injected(const struct tracker *t, int port_index, int64_t now,
		       const struct port_facts *host, struct port_facts *p);

/* One fact; used by the files of facts only. */
void fact_note(struct port_facts *p, enum fact f, bool seen, size_t why);

static inline bool fact_seen(const struct port_facts *p, enum fact f)
{
	return p->seen & FACT_BIT(f);
}

#endif
