/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Who on this host stopped, denied or turned a port's packets, in the kernel's
 * own words: the rule, program or setting among the records of the host. Pure.
 *
 * A row of the rule table says that this host did it; this says what on the host.
 */
#ifndef SB_DIAG_NAMED_H
#define SB_DIAG_NAMED_H

#include "base/arena.h"
#include "diag/facts.h"

/* What the row of the rule table wants named. */
enum named_what {
	NAMED_NOTHING,
	NAMED_STOP_OUT, /* who stopped our SYN */
	NAMED_STOP_IN,  /* who stopped its answer */
	NAMED_STOP_LATER, /* who stopped a packet of the session, either way */
	NAMED_TURN,     /* who sent it elsewhere */
	NAMED_DENY,     /* who made connect() fail */
	NAMED_PORTS,    /* which setting leaves no source port */
};

struct named {
	enum culprit_kind kind; /* CULPRIT_UNKNOWN: nobody is named, the rest is empty */
	bool proven;            /* the kernel said so; else all that is left, or most likely */
	size_t event;           /* the record, NO_EVENT */
	/* at most one, by kind */
	const struct host_rule *rule;
	const struct host_program *program;
	const struct host_setting *setting;
	const struct host_kernel_drop *drop;
	const struct host_mark_rule *mark_rule;
	const struct host_xfrm *xfrm; /* `kind` is CULPRIT_UNKNOWN: reports have none for it */
};

void named_find(const struct tracker *t, int port_index, const struct port_facts *p,
		enum named_what what, struct named *out);

static inline bool named_has(const struct named *n)
{
	return n->kind != CULPRIT_UNKNOWN || n->xfrm;
}

/* The culprit's `text`, and the words for a sentence ("nftables rule `...` (...)"). */
const char *named_text(struct arena *a, const struct named *n);
const char *named_words(struct arena *a, const struct tracker *t, const struct named *n);

/* One sentence for a record of the host, as evidence; NULL for one that is none. */
const char *named_record_words(struct arena *a, const struct tracker *t,
			       const struct host_record *r, enum source *source, unsigned *port);

/* Facts of the host's records; used by facts.c only. */
void facts_of_records(const struct tracker *t, int port_index, struct port_facts *p);

/* The record of this setting, and of who listens there; NULL: none. */
const struct host_setting *named_setting(const struct tracker *t, const char *name);
const struct host_owner *named_owner(const struct tracker *t, const struct addr *a, uint16_t port);

#endif
