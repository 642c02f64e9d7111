/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Payload of packets: what is not known to be harmless is masked. */
#include <ctype.h>
#include <string.h>

#include "case/redact.h"
#include "wire/decode.h"

#define LINKTYPE_SLL2 276
#define SLL2_LEN      20
#define SLL2_ADDRESS  12 /* of eight bytes */
#define TCP_CHECKSUM  16
#define ICMP_CHECKSUM 2
#define ICMP_LEN      8
#define IPV6_LEN      40
#define TCP_MIN       20
#define PROTO_OF_TCP  6

/* Words of the dialogue that tell nothing of anybody: commands, keywords, names of mechanisms. */
static const char *const words[] = {
	"EHLO", "HELO", "STARTTLS", "AUTH", "MAIL", "FROM", "RCPT", "TO", "QUIT", "RSET", "NOOP", "DATA",
	"VRFY", "ETRN", "HELP", "BDAT", "ESMTP", "SMTP", "PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8",
	"ENHANCEDSTATUSCODES", "DSN", "CHUNKING", "BINARYMIME", "DELIVERBY", "EXPN", "TURN", "LIMITS",
	"REQUIRETLS", "PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5", "XOAUTH2", "OAUTHBEARER", "NTLM",
	"GSSAPI", "SCRAM-SHA-1", "SCRAM-SHA-256", "EXTERNAL", "XCLIENT", "XFORWARD", "XXXXXXXA", "POSTFIX",
	"EXIM", "SENDMAIL", "OPENSMTPD",
};

static bool in_word(uint8_t c)
{
	return isalnum(c) || c == '-';
}

static bool is_harmless(const uint8_t *at, size_t len)
{
	if (len == 3 && isdigit(at[0]) && isdigit(at[1]) && isdigit(at[2]) && at[0] >= '2' &&
	    at[0] <= '5')
		return true; /* a reply's code, "535" */
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i]) == len && strncasecmp(words[i], (const char *)at, len) == 0)
			return true;
	return false;
}

/* A reply's code ends at '-' too: "250-SIZE". */
static size_t word_len(const uint8_t *at, size_t left)
{
	size_t n = 0;

	if (left >= 4 && at[3] == '-' && is_harmless(at, 3))
		return 3;
	while (n < left && in_word(at[n]) && (n || at[0] != '-'))
		n++;
	return n;
}

static void mask(uint8_t *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (at[i] != '\r' && at[i] != '\n' && at[i] != ' ')
			at[i] = 'x';
}

/* Text whose letters are hidden but for harmless words; of what is no text nothing stays. */
static void mask_dialogue(uint8_t *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (at[i] >= 0x80 || (at[i] < ' ' && at[i] != '\r' && at[i] != '\n' && at[i] != '\t')) {
			memset(at, 'x', len);
			return;
		}
	for (size_t i = 0; i < len;) {
		size_t n = word_len(at + i, len - i);
		if (n && !is_harmless(at + i, n))
			mask(at + i, n);
		if (!n && !(at[i] && strchr("-:<>", at[i])))
			mask(at + i, 1);
		i += n ? n : 1;
	}
}

static uint32_t sum(const uint8_t *at, size_t len)
{
	uint32_t total = 0;

	for (size_t i = 0; i < len; i++)
		total += i % 2 ? at[i] : (uint32_t)at[i] << 8;
	return total;
}

static uint32_t folded(uint32_t n)
{
	while (n >> 16)
		n = (n & 0xffff) + (n >> 16);
	return n;
}

/* RFC 1624: by what has changed, so that a wrong one stays as wrong as it was. */
static void mend(uint8_t *checksum, uint32_t before, uint32_t after)
{
	uint32_t old = (uint32_t)checksum[0] << 8 | checksum[1];
	uint32_t now = ~folded((~old & 0xffff) + (~folded(before) & 0xffff) + folded(after)) & 0xffff;

	checksum[0] = (uint8_t)(now >> 8);
	checksum[1] = (uint8_t)now;
}

/* How much of an ICMP error's quote are headers. */
static size_t quoted_headers(const uint8_t *at, size_t len)
{
	size_t ip = len && at[0] >> 4 == 4 ? (size_t)(at[0] & 15) * 4 : IPV6_LEN;

	if (len < ip + TCP_MIN)
		return len < ip + 8 ? len : ip + 8;
	size_t tcp = (size_t)(at[ip + 12] >> 4) * 4;
	return tcp < TCP_MIN ? ip + 8 : ip + tcp < len ? ip + tcp : len;
}

/* The upper-layer header, where nothing stands between it and the IP header; else NULL. */
static uint8_t *upper(int link_type, uint8_t *frame, const struct packet *p)
{
	uint8_t *ip = frame + SLL2_LEN;

	if (link_type != LINKTYPE_SLL2 || p->has_ip_options || p->frag_offset || !p->payload)
		return NULL;
	return ip + (p->src.family == ADDR_V4 ? (size_t)(ip[0] & 15) * 4 : IPV6_LEN);
}

/* The link-layer addresses of ARP and neighbour discovery: those of SLL2 once more. */
static void mask_neighbours(int link_type, uint8_t *frame, size_t caplen, const struct packet *p)
{
	enum { ETHERTYPE_ARP = 0x0806, HARDWARE_LEN = 4, SENDER = 8, PROTOCOL_LEN = 4 };

	if (p->payload) /* what follows the address that is asked for: options */
		memset(frame + (p->payload - frame), 0, p->payload_caplen);
	if (link_type != LINKTYPE_SLL2 || (frame[0] << 8 | frame[1]) != ETHERTYPE_ARP)
		return;
	uint8_t *arp = frame + SLL2_LEN;
	size_t len = arp[HARDWARE_LEN], target = SENDER + len + PROTOCOL_LEN;
	if (SLL2_LEN + target + len > caplen)
		return;
	memset(arp + SENDER, 0, len);
	memset(arp + target, 0, len);
}

void redact_frame(int link_type, uint8_t *frame, size_t caplen, size_t wire_len)
{
	struct packet p;

	if (link_type == LINKTYPE_SLL2 && caplen >= SLL2_LEN)
		memset(frame + SLL2_ADDRESS, 0, SLL2_LEN - SLL2_ADDRESS);
	if (wire_decode(link_type, frame, caplen, wire_len, &p) != DECODE_OK)
		return;
	if (p.kind == PACKET_NEIGHBOUR)
		mask_neighbours(link_type, frame, caplen, &p);
	if (p.kind == PACKET_NEIGHBOUR || !p.payload)
		return;
	uint8_t *payload = frame + (p.payload - frame), *header = upper(link_type, frame, &p);
	size_t len = p.payload_caplen;
	uint32_t before = sum(payload, len);

	switch (p.kind) {
	case PACKET_TCP: mask_dialogue(payload, len); break;
	case PACKET_ICMP: {
		size_t kept = quoted_headers(payload, len);
		memset(payload + kept, 'x', len - kept);
		break;
	}
	case PACKET_NEIGHBOUR: break;
	case PACKET_OTHER: memset(payload, 'x', len); break;
	}
	if (header && p.kind == PACKET_TCP)
		mend(header + TCP_CHECKSUM, before, sum(payload, len));
	if (header && p.kind == PACKET_ICMP && payload == header + ICMP_LEN)
		mend(header + ICMP_CHECKSUM, before, sum(payload, len));
}
