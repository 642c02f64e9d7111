/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One error value, filled once, where the cause is known.
 *
 * Functions that can fail take a `struct err *`, return 0 or -1, and fill it
 * on -1 only. What fails *in the network* is an event, never an error. Only
 * main() prints an error and turns its status into the exit status.
 */
#ifndef SB_BASE_ERR_H
#define SB_BASE_ERR_H

/* The values are the program's exit statuses (docs: contract, "Exit status"). */
enum err_status {
	ERR_USAGE = 2, /* bad option, name, file: the user's words are off */
	ERR_RUN = 3,   /* missing privilege, capture or netlink failure */
};

#define ERR_TEXT_MAX 600

struct err {
	enum err_status status;
	char text[ERR_TEXT_MAX];
};

/* Fills *e and returns -1, so that `return err_set(e, ...)` reads well. */
int err_set(struct err *e, enum err_status status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before the text that is already there. Returns -1. */
int err_prefix(struct err *e, const char *prefix);

#endif
