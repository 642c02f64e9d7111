/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A capture's connections in a person's words, for the renderers. Strings live in the arena, or for ever. */
#ifndef SB_REPORT_CONNECTION_WORDS_H
#define SB_REPORT_CONNECTION_WORDS_H

#include "model/connection.h"
#include "report/group.h"

/* "10.0.0.2:40000", "[2001:db8::25]:25" */
const char *connection_endpoint(struct arena *a, const struct connection_side *s);

/* "the client's provider": whose it is, as far as a capture can tell. */
const char *connection_place(enum place p);

/* The other places: "transit 36%, the destination itself 4%"; "" for none. */
const char *connection_candidates(struct arena *a, const struct finding *f);

/* From when on, how much, how it ended. */
const char *connection_seen(struct arena *a, const struct connection *c);

/* What was said, and what the other capture point saw: labels and texts, at most GROUP_LINES_MAX. */
unsigned connection_smtp(struct arena *a, const struct connection *c, const struct group_line **out);
unsigned connection_other_point(struct arena *a, const struct connection_pair *p,
				const struct group_line **out);

/* "147 SMTP connections", " in 1612 packets, 119 files" */
const char *connection_count(struct arena *a, const struct read_summary *s);
const char *connection_count_of(struct arena *a, const struct read_summary *s);

/* Of a group, behind its state: ", silent-drop, at the client's provider"; and its first servers. */
const char *connection_fate(struct arena *a, const struct read_group *g);
const char *connection_servers(struct arena *a, const struct read_group *g);

/* What was not decoded, given up; the readers' warnings stand by themselves. NULL: nothing. */
const char *connection_undecodable(struct arena *a, const struct read_summary *s);
const char *connection_probes(struct arena *a, const struct read_summary *s);
const char *connection_evicted(struct arena *a, const struct read_summary *s);

#endif
