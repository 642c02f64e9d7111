/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside the comparison: the devices that may stop a port, and how reports narrow them. Pure. */
#ifndef SB_DIAG_COMPARE_SUSPECTS_H
#define SB_DIAG_COMPARE_SUSPECTS_H

#include "diag/compare.h"

/* A report's way as a line of devices: this host at 0, hop n at n, the target last. */
struct line {
	const struct view *view;
	struct view_hop *at;
	unsigned n;
	/* addresses as numbers, the same on all lines; 0: silent */
	unsigned *id, *next_id; /* of each device, and of the first behind it that answers */
	unsigned char *has;     /* whether a number stands on this line */
	unsigned number;        /* of this line */
	bool *one_site;         /* of each line: its first routers are this one's, too */
};

struct line *lines_of(struct arena *a, const struct view *const *views, unsigned n);

/* Where a device stands on the line of one of the views. */
struct spot {
	unsigned line, index;
};

struct device {
	struct spot *spots; /* one for each view whose range holds it; the first is the set's own */
	unsigned n_spots;
	double weight; /* how likely it is the one; of all in the set `mass` */
};

/* Devices of which one stops the port on the way of each of `lines`. */
struct suspect_set {
	unsigned *lines; /* ascending */
	unsigned n_lines;
	struct device *devices;
	unsigned n_devices;
	enum mechanism mechanism; /* of the first */
	bool all_ports;           /* the target answers on none */
	double trust;             /* that it is among them */
	struct addr *cleared;     /* taken out: the port passes there on another way */
	unsigned n_cleared;
	bool narrowed;     /* by what was cleared */
	bool joined;       /* by being shared */
	bool maybe_more;   /* another set may be about the same device: the reports do not say */
	bool contradicted; /* nearly all of it was cleared: `devices` says what is left */
};

/* From a finding. False: it says nothing about where. */
bool suspects_of(struct arena *a, const struct line *lines, unsigned line,
		 const struct view_port *port, const struct view_stop *stop,
		 struct suspect_set *out);

/* On the ways of `by` the port passes. */
void suspects_clear(const struct line *lines, struct suspect_set *s, const unsigned *by,
		    unsigned n);

/* Sets that are likely about one device become one, of their common devices. Returns how many are
 * left. */
unsigned suspects_join(struct arena *a, const struct line *lines, struct suspect_set *sets,
		       unsigned n);

bool compare_same_machine(const struct view *a, const struct view *b);

/* Behind the same first routers? Every other home has a gateway 192.168.1.1, so addresses that are
 * used again and again prove nothing by themselves. *assumed (NULL: not wanted): it is taken from
 * neighbouring addresses, not shown. */
bool compare_one_site(const struct view *a, const struct view *b, bool *assumed);

#endif
