/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reports on the same target side by side: by several ways out of one machine, or from several
 * machines. A view is what a comparison needs of one report; a comparison is what follows from
 * them.
 *
 * Strings are clean UTF-8 (base/text.h). Whoever owns an arena in here owns all that hangs on it.
 */
#ifndef SB_MODEL_COMPARISON_H
#define SB_MODEL_COMPARISON_H

#include "model/report.h"

#define VIEW_MAX_PORTS 32
#define VIEW_MAX_STOPS 4 /* of one port; a report has one a layer */
#define VIEW_MAX_HOPS  64

struct view_hop {
	unsigned ttl;
	struct addr address; /* ADDR_NONE: silent */
	uint32_t asn;        /* 0: unknown */
	enum place place;
};

/* A finding. */
struct view_stop {
	enum mechanism mechanism;
	enum place place;
	double confidence;
	struct candidate candidates[PLACE_COUNT];
	unsigned n_candidates;
	bool has_hop;
	struct hop_end hop_from, hop_to;
	const char *who; /* the culprit's text, "" none */
};

struct view_port {
	unsigned port;
	enum state state;
	const struct view_stop *stops; /* nearest to the host first */
	unsigned n_stops;
};

/* One report. */
struct view {
	const char *from;         /* file that it stands in, or "" */
	unsigned number;          /* of the document in that file, from 1; 0: it is the only one */
	const char *label;        /* what it is called in sentences; set by a comparison */
	const char *input, *name; /* name: NULL none */
	struct addr target;
	const char *hostname, *interface, *user, *netns, *version; /* NULL: unknown */
	struct addr source, gateway, seen_as;
	bool tunnel;
	int64_t started_ns;
	const char *ticket_command; /* as report.ticket_command */
	const struct view_port *ports;
	unsigned n_ports;
	const struct view_hop *path; /* TTLs grow */
	unsigned n_path;
};

struct views {
	struct arena arena;
	struct view *list;
	unsigned n, size;
	bool ways; /* all by one machine in one call, each by another way out */
};

void views_clear(struct views *v);

/* Copies what is needed of the report. from: NULL none. */
void views_add(struct views *v, const struct report *r, const char *from, unsigned number);

/* ---- what follows ---- */

/* A device that may be the one. */
struct suspect {
	struct addr address; /* ADDR_NONE: it never answered */
	unsigned ttl;        /* on the way of `suspects_from`; 0: the machine itself */
	uint32_t asn;
	enum place place; /* as seen from there */
};

/* What a comparison says of some of its views. */
struct conclusion {
	const char *rule;      /* id of the row of diag/compare_rules.c */
	const unsigned *views; /* indexes into comparison.views, ascending */
	unsigned n_views;
	enum place place;  /* the same for all these views, else PLACE_UNKNOWN */
	double confidence; /* of `place`, CONFIDENCE_NONE when that is unknown */
	struct candidate candidates[PLACE_COUNT];
	unsigned n_candidates;
	const struct suspect *suspects; /* nearest to the machine first */
	unsigned n_suspects;
	unsigned suspects_from;     /* one of `views` */
	double suspects_confidence; /* that it is one of them; CONFIDENCE_NONE without any */
	const struct addr *cleared; /* another view passed there */
	unsigned n_cleared;
	const char *summary;
	const char *const *next; /* as finding.remedy */
	unsigned n_next;
};

enum agreement {
	AGREE_SAME, /* all that decide say the same state, and at least two do */
	AGREE_DIFFERS,
	AGREE_UNDECIDED, /* fewer than two decide */
	AGREE_COUNT,
};

const char *agreement_name(enum agreement a);

struct compared_port {
	unsigned port;
	const struct view_port *const
		*views; /* one for each of comparison.views; NULL: not judged there */
	enum agreement agreement;
	const struct conclusion *conclusions; /* at least one */
	unsigned n_conclusions;
};

struct comparison {
	struct arena arena;
	const struct view *const *views; /* their strings are borrowed */
	unsigned n_views;
	bool ways;
	const char *tool_version;
	const char *input, *name; /* of the first view; name: NULL none */
	struct addr target;       /* ADDR_NONE: the views reached different addresses */
	const struct compared_port *ports;
	unsigned n_ports;
	const char *const *notes;
	unsigned n_notes;
	const char *summary;
};

void comparison_free(struct comparison *c); /* NULL is fine */

#endif
