/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the maps of the way, as text and as a page, say alike; their signs are their own. */
#ifndef SB_REPORT_WAY_H
#define SB_REPORT_WAY_H

#include "model/report.h"

/* More ports than this are not judged in one run; further ones are left to the JSON. */
#define WAY_MAX_PORTS 64

struct way_columns {
	unsigned ports[WAY_MAX_PORTS];
	unsigned n;
};

/* Judged ports in their order, then the controls; those that were traced. */
struct way_columns way_columns(const struct report *r);

/* NULL: this port was not traced at this hop. */
const struct report_hop_port *way_replies(const struct report_hop *h, unsigned port);

/* An open port's own connection got to the target, which needs no probe to show it. */
bool way_connected(const struct report *r, const struct report_hop *h, unsigned port);

/* "10.0.0.1"; what it did in place of that; "(hidden)" for a row that stands for no hop, see way_hidden_words(). */
const char *way_hop_address(struct arena *a, const struct report_hop *h);

/* "port 25 ends here": what becomes of these ports behind hop `ttl`, one line for each kind. */
unsigned way_ends(struct arena *a, const struct report *r, const struct way_columns *of, unsigned ttl,
		  const char *lines[WAY_MAX_PORTS]);

enum way_sign {
	WAY_RST = 1,
	WAY_SYN_ACK = 2,
	WAY_UNREACHABLE = 4,
};

/* Answers in rows behind a port's end come from whoever ends it, and not from the hop of the row: which
 * (enum way_sign), and *ports "port 25" gets whose. 0: there are none. */
unsigned way_answers_behind(struct arena *a, const struct report *r, const char **ports);

/* What "(hidden)" means, NULL where no row is. */
const char *way_hidden_words(const struct report *r);

#endif
