/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The address under which the server knows us, where it says so: behind a NAT
 * nobody else can tell, and it is the one that a provider and a block list go by.
 */
#include <string.h>

#include "diag/builder.h"

/* The first address in brackets: "Hello client.example [203.0.113.7]", "unknown[203.0.113.7]",
 * "[IPv6:2001:db8::7]" (RFC 5321 section 4.1.3). */
static struct addr bracketed(const char *text)
{
	char literal[ADDR_TEXT_MAX];
	struct addr found;

	for (const char *at = strchr(text, '['); at; at = strchr(at + 1, '[')) {
		size_t len = strcspn(++at, "]");
		if (strncmp(at, "IPv6:", 5) == 0) {
			at += 5;
			len -= 5;
		}
		if (len >= sizeof(literal) || memchr(at, '%', len)) /* a zone is this host's business */
			continue;
		memcpy(literal, at, len);
		literal[len] = '\0';
		if (addr_parse(&found, literal))
			return found;
	}
	return (struct addr){0};
}

/* Behind the first word of the reply to EHLO, which is the server's own name; anywhere in a refusal. */
static struct addr told_by(const struct flow *f)
{
	struct addr none = {0};

	for (int stage = 0; stage < STAGE_QUIT; stage++) {
		const struct stage_reply *r = &f->replies[stage];
		bool ehlo = stage == STAGE_EHLO || stage == STAGE_EHLO_TLS;
		const char *text = r->lines && r->lines[0] ? r->lines[0] : r->text;
		if (!r->code || !text || (r->code < 400 && !ehlo))
			continue;
		struct addr a = bracketed(r->code < 400 ? text + strcspn(text, " ") : r->text);
		if (addr_is_set(&a))
			return a;
	}
	return none;
}

void build_seen_as(struct builder *b)
{
	const struct tracker *t = &b->d->tracker;

	for (unsigned i = 0; i < b->n_tested && !addr_is_set(&b->r->vantage.seen_as); i++) {
		const struct flow *f = b->facts[i].flow;
		/* whoever answers in the server's place sees us from another side */
		bool server = b->verdicts[i].state == STATE_OPEN || b->verdicts[i].state == STATE_REJECTED;
		struct addr a = f && server ? told_by(f) : (struct addr){0};
		if (a.family == t->plan->target.family && !addr_equal(&a, &t->plan->target) &&
		    !addr_is_loopback(&a))
			b->r->vantage.seen_as = a;
	}
}
